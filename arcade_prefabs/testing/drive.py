"""Driving a loader by hand: time, background work, frames, events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from ..frames import DrainReport, IdleGate
from ..loading import AsyncPrefabLoader, LoadEvent

__all__ = ["EventLog", "InlineExecutor", "VirtualClock", "play_frames"]


class VirtualClock:
    """A clock that moves when it is told to.

    Example:
        >>> clock = VirtualClock()
        >>> clock.advance(0.5)
        >>> clock()
        0.5

    Args:
        seconds: Where it begins.

    Any thread.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._seconds = seconds

    def __call__(self) -> float:
        """The time, in seconds."""
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: Time would go backwards.
        """
        if seconds < 0:
            raise ValueError(f"time does not go backwards: {seconds}")
        with self._lock:
            self._seconds += seconds


class InlineExecutor:
    """Does the loader's background work when a test says so, in the test's own thread.

    Attributes:
        units: Units of work that were done.
    """

    def __init__(self) -> None:
        self.units = 0
        self._work: Callable[[], bool] | None = None
        self._gate: IdleGate | None = None

    def start(self, work: Callable[[], bool], gate: IdleGate) -> None:
        """See `arcade_prefabs.loading.Executor`."""
        self._work, self._gate = work, gate

    def wake(self) -> None:
        """See `arcade_prefabs.loading.Executor`."""

    def pump(self) -> bool:
        """Do one unit, whatever the gate says; False if there is none."""
        if self._work is None or not self._work():
            return False
        self.units += 1
        return True

    def run(self, most: int | None = None) -> int:
        """Do units until there are none, at most so many; gives how many were done."""
        done = 0
        while (most is None or done < most) and self.pump():
            done += 1
        return done

    def run_while_open(self) -> int:
        """Do units as long as the gate lets them pass; the clock must move for it to close."""
        done = 0
        while self._gate is not None and self._gate.try_pass() and self.pump():
            done += 1
        return done

    def stop(self, seconds: float) -> bool:  # noqa: ARG002 - there is nothing to wait for
        """See `arcade_prefabs.loading.Executor`."""
        self._work = None
        return True


class EventLog:
    """Everything that a loader tells.

    Example:
        See the module `arcade_prefabs.testing`.

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
        """The kinds of the events of an asset, in order."""
        return [event.kind for event in self._events if event.id == identifier]

    def lines(self) -> list[str]:
        """All events, as ``kind id``, in order."""
        return [f"{event.kind} {event.id}".rstrip() for event in self._events]

    def clear(self) -> None:
        """Forget what came so far."""
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
    """Play some frames of a game on a virtual clock.

    Args:
        loader: What to drive.
        clock: Its clock.
        executor: Its executor.
        frames: How many.
        frame_s: Seconds from one to the next.
        game_s: Seconds that the game itself takes of each.
        units: Units of background work between two frames; None for all there are.

    Returns:
        What `AsyncPrefabLoader.drain` gave in each.

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
