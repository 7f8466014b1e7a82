"""`ThreadExecutor`: the loader threads, which run units of loads.

Tests replace it by an `Executor` that runs units in the calling thread.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

from ...frames.idle_gate import IdleGate

__all__ = ["Executor", "ThreadExecutor", "default_threads"]


def default_threads() -> int:
    """Returns the default number of loader threads: processors minus one, but 1 to 4."""
    return max(1, min(4, (os.cpu_count() or 2) - 1))


class Executor(Protocol):
    """Runs the loader's units, in threads or in the calling thread."""

    def start(self, work: Callable[[], bool], gate: IdleGate) -> None:
        """Starts running units.

        Args:
            work: Runs one unit; returns False if there is nothing to do.
            gate: Has to be passed before each unit.
        """
        ...

    def wake(self) -> None:
        """Makes one sleeping thread call ``work`` again, as a load was queued. Any thread."""
        ...

    def pump(self) -> bool:
        """Runs a unit in the calling thread, if there are no other threads; False if none ran."""
        ...

    def stop(self, seconds: float) -> bool:
        """Ends all threads. The gate was ended before, so no thread waits there.

        Returns:
            False if a thread still ran after ``seconds``.
        """
        ...


class ThreadExecutor:
    """Loader threads, which pass the idle gate before each unit.

    Args:
        threads: The number of threads; None for `default_threads`.

    Raises:
        ValueError: ``threads`` is below 1.
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        self._count = default_threads() if threads is None else threads
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._calls = 0
        self._sleeping = 0
        self._stopped = False

    def start(self, work: Callable[[], bool], gate: IdleGate) -> None:
        """Starts the threads."""
        for number in range(self._count):
            # Daemon threads: a read that hangs on a dead network drive must not keep the game's
            # process alive.
            thread = threading.Thread(
                target=self._run,
                args=(work, gate),
                name=f"arcade_prefabs loader {number}",
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()

    def _run(self, work: Callable[[], bool], gate: IdleGate) -> None:
        while not self._stopped:
            # Read before `work`, or a call of `wake` between `work` and sleeping would be lost.
            calls = self._calls
            if not gate.wait():
                return
            if work():
                continue
            with self._changed:
                self._sleeping += 1
                while self._calls == calls and not self._stopped:
                    self._changed.wait()
                self._sleeping -= 1

    def wake(self) -> None:
        """Wakes one sleeping thread. Any thread."""
        with self._changed:
            self._calls += 1
            if self._sleeping:
                self._changed.notify()

    def pump(self) -> bool:
        """Does nothing, and returns False: the threads run all units."""
        return False

    def stop(self, seconds: float) -> bool:
        """Ends the threads; False if one still runs after ``seconds``, as in a read that hangs."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        end = time.monotonic() + seconds
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))
        return not any(
            thread.is_alive()
            for thread in self._threads
            if thread is not threading.current_thread()
        )
