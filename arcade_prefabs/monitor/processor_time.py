"""`ProcessorTime`: measures how much processor time the main thread and other threads used.

A frame may be late because the main thread could not run: another thread held the interpreter, or
the machine had no free processor. By wall-clock time alone, these cases look like a game that
sleeps. Processor time tells them apart.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

__all__ = ["Computed", "ProcessorTime"]

# Linux: the clock id of a thread's processor time is computed from the thread's id, as
# pthread_getcpuclockid does (CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED,
# include/linux/posix-timers_types.h). That function itself must not be called for a thread that may
# have ended; reading the clock of an ended thread only raises an OSError.
_PER_THREAD: Final = 6
# The most threads that are measured, so that a game with many threads does not pay for all of them.
_MOST_THREADS: Final = 8


class Computed(NamedTuple):
    """Processor time between two calls of `ProcessorTime.look`, in seconds.

    Attributes:
        main: The time of the main thread.
        thread: The time of the other Python thread that used most.
        name: The name of that thread; empty if it is not known.
        stolen: The time for which the main thread was ready to run, but had no processor; 0 on
            systems that do not report it.
    """

    main: float
    thread: float
    name: str
    stolen: float


class ProcessorTime:
    """Reads the processor time of this process's Python threads, in about 5 µs.

    On Linux it reads that of each of the eight oldest threads. On other systems it reads that of
    all other threads together, those of the OpenGL driver included.

    Main thread.
    """

    def __init__(self) -> None:
        self._main_id = threading.get_ident()
        self._read: Callable[[int], float] | None = getattr(time, "clock_gettime", None)
        self._clocks: dict[threading.Thread, int] = {}
        self._seconds: dict[threading.Thread, float] = {}
        self._crowded = False  # whether there were more threads than are measured, at the last look
        self._delay_file = -1
        try:
            if os.path.exists("/proc/self/schedstat"):  # noqa: PTH110 - before any path is made
                own = f"/proc/self/task/{threading.get_native_id()}/schedstat"
                self._delay_file = os.open(own, os.O_RDONLY | os.O_CLOEXEC)
            else:
                self._read = None
        except OSError:
            self._read = None
        self._main = time.thread_time()
        self._process = time.process_time()
        self._delay = self._delayed()
        self.look()

    def close(self) -> None:
        """Closes the file of the main thread's scheduling statistics; may be called twice."""
        if self._delay_file >= 0:
            os.close(self._delay_file)
            self._delay_file = -1

    def look(self) -> Computed:
        """Returns the processor time since the last call."""
        main, delay = time.thread_time(), self._delayed()
        most, name = 0.0, ""
        if self._read is None:
            process = time.process_time()
            most = max(0.0, process - self._process - (main - self._main))
            self._process = process
        else:
            seconds = self._seconds
            # With more threads than are measured, a thread without an earlier reading may be an old
            # one that has just become one of the eight oldest: its time so far must not count.
            now_crowded = threading.active_count() > _MOST_THREADS
            crowded, self._crowded = self._crowded or now_crowded, now_crowded
            for thread, clock in self._threads():
                try:
                    now = self._read(clock)
                except OSError:  # the thread has ended
                    continue
                # A new thread has used all of its time since the last look.
                took = now - seconds.get(thread, now if crowded else 0.0)
                seconds[thread] = now
                if took > most:
                    most, name = took, thread.name
        found = Computed(main - self._main, most, name, delay - self._delay)
        self._main, self._delay = main, delay
        return found

    def _threads(self) -> list[tuple[threading.Thread, int]]:
        """Returns the measured threads with the ids of their clocks; forgets ended threads."""
        found = []
        clocks, seconds = self._clocks, self._seconds
        alive = threading.enumerate()
        for thread in alive[: _MOST_THREADS + 1]:
            clock = clocks.get(thread)
            if clock is None:
                if thread.native_id is None or thread.ident == self._main_id:
                    continue
                clock = clocks[thread] = (~thread.native_id << 3) | _PER_THREAD
            found.append((thread, clock))
        if len(clocks) > len(found):
            for ended in clocks.keys() - {thread for thread, _ in found}:
                del clocks[ended]
                seconds.pop(ended, None)
        return found

    def _delayed(self) -> float:
        """Returns the seconds that the main thread has waited for a processor so far."""
        if self._delay_file < 0:
            return 0.0
        try:
            return int(os.pread(self._delay_file, 96, 0).split()[1]) / 1e9
        except (OSError, ValueError, IndexError):
            return 0.0
