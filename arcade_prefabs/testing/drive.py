"""Drives a loader in tests: its clock, its units of work, its frames, and its events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from ..frames import DrainReport, IdleGate
from ..loading import AsyncPrefabLoader, LoadEvent

__all__ = ["EventLog", "InlineExecutor", "VirtualClock", "play_frames"]


class VirtualClock:
    """A clock that moves only by `advance`.

    Example:
        >>> clock = VirtualClock()
        >>> clock.advance(0.5)
        >>> clock()
        0.5

    Args:
        seconds: The time at the beginning.

    Any thread.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._seconds = seconds

    def __call__(self) -> float:
        """Returns the time, in seconds."""
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Moves the clock forward.

        Raises:
            ValueError: ``seconds`` is below 0.
        """
        if seconds < 0:
            raise ValueError(f"time does not go backwards: {seconds}")
        with self._lock:
            self._seconds += seconds


class InlineExecutor:
    """Runs the units of a loader in the test's own thread, when the test calls `run`.

    Attributes:
        units: The number of units that ran.
    """

    def __init__(self) -> None:
        self.units = 0
        self._work: Callable[[], bool] | None = None
        self._gate: IdleGate | None = None

    def start(self, work: Callable[[], bool], gate: IdleGate) -> None:
        """Keeps ``work`` and the gate for `run`; called by the loader."""
        self._work, self._gate = work, gate

    def wake(self) -> None:
        """Does nothing, as there is no thread to wake; called by the loader."""

    def pump(self) -> bool:
        """Runs one unit, without asking the gate; False if there is nothing to do."""
        if self._work is None or not self._work():
            return False
        self.units += 1
        return True

    def run(self, most: int | None = None) -> int:
        """Runs units until there is nothing to do, at most ``most``; returns their number."""
        done = 0
        while (most is None or done < most) and self.pump():
            done += 1
        return done

    def run_while_open(self) -> int:
        """Runs units as long as the gate lets them pass; returns their number.

        The gate closes only as the clock moves.
        """
        done = 0
        while self._gate is not None and self._gate.try_pass() and self.pump():
            done += 1
        return done

    def stop(self, seconds: float) -> bool:  # noqa: ARG002 - there is nothing to wait for
        """Runs no more units; called by the loader."""
        self._work = None
        return True


class EventLog:
    """Records the events of a loader; iterates over them in order.

    Args:
        loader: The loader.

    Example:
        In the module `arcade_prefabs.testing`.

    Main thread.
    """

    def __init__(self, loader: AsyncPrefabLoader) -> None:
        self._events: list[LoadEvent] = []
        loader.add_listener(self._events.append)

    def __iter__(self) -> Iterator[LoadEvent]:
        return iter(tuple(self._events))

    def __len__(self) -> int:
        return len(self._events)

    def of(self, identifier: str) -> list[str]:
        """Returns the kinds of the events of an asset, in order."""
        return [event.kind for event in self._events if event.id == identifier]

    def lines(self) -> list[str]:
        """Returns all events as ``kind id``, in order."""
        return [f"{event.kind} {event.id}".rstrip() for event in self._events]

    def clear(self) -> None:
        """Removes the events so far."""
        self._events.clear()


def play_frames(
    loader: AsyncPrefabLoader,
    clock: VirtualClock,
    executor: InlineExecutor,
    *,
    frames: int = 1,
    frame_s: float = 1 / 60,
    game_s: float = 0.004,
    units: int | None = None,
) -> list[DrainReport]:
    """Plays frames of a game on a virtual clock.

    Args:
        loader: The loader to drive.
        clock: The clock of the loader.
        executor: The executor of the loader.
        frames: The number of frames.
        frame_s: Seconds from one frame to the next.
        game_s: Seconds that the game itself takes of each frame.
        units: The most units between two frames; None for no limit.

    Returns:
        The result of `AsyncPrefabLoader.drain` in each frame.

    Main thread.
    """
    reports: list[DrainReport] = []
    for _ in range(frames):
        began = clock()
        loader.begin_frame()
        clock.advance(game_s)
        reports.append(loader.drain())
        loader.end_frame(began + frame_s)
        executor.run(units)
        clock.advance(max(0.0, began + frame_s - clock()))
    return reports
