"""Who does the background work: threads, or, in tests, whoever asks for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

from ...frames.idle_gate import IdleGate

__all__ = ["Executor", "ThreadExecutor", "default_threads"]


def default_threads() -> int:
    """One for each processor but the game's own, at least one, at most four."""
    return max(1, min(4, (os.cpu_count() or 2) - 1))


class Executor(Protocol):
    """Runs units of background work."""

    def start(self, work: Callable[[], bool], gate: IdleGate) -> None:
        """Begin; ``work`` does one unit, and says False if there is none."""
        ...

    def wake(self) -> None:
        """There may be work again. Any thread."""
        ...

    def pump(self) -> bool:
        """Do a unit in the calling thread, if there is no other; False if none was done."""
        ...

    def stop(self, seconds: float) -> bool:
        """End; False if something was still at work after that time. The gate has ended."""
        ...


class ThreadExecutor:
    """Threads that pass the gate before each unit of work.

    Args:
        threads: How many; None for `default_threads`.
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise ValueError(f"there must be a thread at least, not {threads}")
        self._count = default_threads() if threads is None else threads
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._calls = 0
        self._sleeping = 0
        self._stopped = False

    def start(self, work: Callable[[], bool], gate: IdleGate) -> None:
        """See `Executor`."""
        for number in range(self._count):
            # Daemons: a read that hangs on a dead network drive must not keep the game from
            # ending.
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
            # Read before looking for work, or a call between looking and sleeping would be lost.
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
        """See `Executor`."""
        with self._changed:
            self._calls += 1
            if self._sleeping:
                self._changed.notify()

    def pump(self) -> bool:
        """See `Executor`."""
        return False

    def stop(self, seconds: float) -> bool:
        """See `Executor`."""
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
