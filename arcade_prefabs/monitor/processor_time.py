"""`ProcessorTime`: who computed while the main thread should have.

A frame may be late because the main thread had to wait, and not for anything that the game did: a
thread kept the interpreter, or the machine had no processor to spare. Time alone does not tell
these from a game that sleeps. Processor time does.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

__all__ = ["Computed", "ProcessorTime"]

# Linux: the clock of a thread's processor time, made of its id as pthread_getcpuclockid makes it
# (CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED, include/linux/posix-timers_types.h). That function
# itself must not be asked about a thread that may have ended; a clock of one is just an OSError.
_PER_THREAD: Final = 6
# A game with many threads does not pay for all of them.
_MOST_THREADS: Final = 8


class Computed(NamedTuple):
    """Processor time between two looks, in seconds.

    Attributes:
        main: Of the main thread.
        thread: Of the other Python thread that had most.
        name: That one's name; empty if it is not known.
        stolen: How long the main thread was ready to run and had no processor; 0 where the
            system does not tell.
    """

    main: float
    thread: float
    name: str
    stolen: float


class ProcessorTime:
    """Looks at the processor time of this process's Python threads, about 5 µs each time.

    On Linux each thread is known, of the eight oldest. Elsewhere all but the main thread are one,
    OpenGL's included.

    Main thread.
    """

    def __init__(self) -> None:
        self._main_id = threading.get_ident()
        self._read: Callable[[int], float] | None = getattr(time, "clock_gettime", None)
        self._clocks: dict[threading.Thread, int] = {}
        self._seconds: dict[threading.Thread, float] = {}
        self._crowded = False  # at the last look
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
        """Let go the file that it reads from; may be called twice."""
        if self._delay_file >= 0:
            os.close(self._delay_file)
            self._delay_file = -1

    def look(self) -> Computed:
        """What was computed since the last look."""
        main, delay = time.thread_time(), self._delayed()
        most, name = 0.0, ""
        if self._read is None:
            process = time.process_time()
            most = max(0.0, process - self._process - (main - self._main))
            self._process = process
        else:
            seconds = self._seconds
            # Then one that is not known may just have come into sight, and be an old one.
            now_crowded = threading.active_count() > _MOST_THREADS
            crowded, self._crowded = self._crowded or now_crowded, now_crowded
            for thread, clock in self._threads():
                try:
                    now = self._read(clock)
                except OSError:  # it has ended
                    continue
                # One that is new has done all of it since the last look.
                took = now - seconds.get(thread, now if crowded else 0.0)
                seconds[thread] = now
                if took > most:
                    most, name = took, thread.name
        found = Computed(main - self._main, most, name, delay - self._delay)
        self._main, self._delay = main, delay
        return found

    def _threads(self) -> list[tuple[threading.Thread, int]]:
        found = []
        known, seconds = self._clocks, self._seconds
        alive = threading.enumerate()
        for thread in alive[: _MOST_THREADS + 1]:
            clock = known.get(thread)
            if clock is None:
                if thread.native_id is None or thread.ident == self._main_id:
                    continue
                clock = known[thread] = (~thread.native_id << 3) | _PER_THREAD
            found.append((thread, clock))
        if len(known) > len(found):
            for gone in known.keys() - {thread for thread, _ in found}:
                del known[gone]
                seconds.pop(gone, None)
        return found

    def _delayed(self) -> float:
        """Seconds that the main thread has waited for a processor so far."""
        if self._delay_file < 0:
            return 0.0
        try:
            return int(os.pread(self._delay_file, 96, 0).split()[1]) / 1e9
        except (OSError, ValueError, IndexError):
            return 0.0
