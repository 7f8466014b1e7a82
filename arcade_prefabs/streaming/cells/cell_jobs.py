"""`CellJobs`: work on several regions in one job of the main thread's queue, fairly."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Final

from ...frames import NEXT_FRAME, MainThreadQueue, Step
from ...frames.main_thread_queue import Steps
from .live_cell import LiveCell

__all__ = ["CellJobs"]

# Regions are taken by what is left to do: small ones are never behind a monster of 20,000
# entities, which they delay by next to nothing.
_PARTS: Final = 256


class CellJobs:
    """Steps of many regions, of which the smallest and most urgent comes first.

    A task yields the next `Step`, or None as long as it waits for something.

    Args:
        queue: The main thread's queue.
        lane: Its lane there.
        budget_s: Gives the seconds that steps may take in a frame; None for all that are left.
        clock: Seconds.

    Main thread.
    """

    def __init__(
        self,
        queue: MainThreadQueue,
        lane: str,
        budget_s: Callable[[], float | None],
        clock: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._lane = lane
        self._budget_s = budget_s
        self._clock = clock
        self._live_cells: dict[LiveCell, None] = {}
        self._running = self._closed = False
        self._spent_s = 0.0

    def __len__(self) -> int:
        return len(self._live_cells)

    def begin(self, live: LiveCell, task: Generator[Step | None, None, None]) -> None:
        """Work on a region from now on."""
        live.task = task
        self._live_cells[live] = None
        self._go_on()

    def stop(self, live: LiveCell) -> None:
        """Work on a region no more."""
        self._live_cells.pop(live, None)
        task, live.task = live.task, None
        if task is not None and inspect.getgeneratorstate(task) != inspect.GEN_RUNNING:
            task.close()

    def begin_frame(self) -> None:
        """A new frame has its own budget."""
        self._spent_s = 0.0

    def _run(self) -> Steps:
        waiting: set[LiveCell] = set()
        try:
            while self._live_cells:
                chosen = [one for one in self._live_cells if one not in waiting]
                limit = self._budget_s()
                if not chosen or (limit is not None and self._spent_s >= limit):
                    waiting.clear()
                    yield NEXT_FRAME
                    continue
                live = min(chosen, key=_urgency)
                task = live.task
                began = self._clock()
                try:
                    step = None if task is None else next(task)
                except StopIteration:
                    self._live_cells.pop(live, None)
                    step = Step("region")
                else:
                    if step is None:
                        waiting.add(live)
                self._spent_s += self._clock() - began
                if step is not None:
                    yield step
        finally:
            self._running = False
            if self._live_cells and not self._closed:  # a step failed: the others go on
                self._go_on()

    def close(self) -> None:
        """Work on nothing any more."""
        self._closed = True
        for live in list(self._live_cells):
            self.stop(live)

    def _go_on(self) -> None:
        if not self._running:
            self._running = True
            self._queue.post(self._run(), self._lane, Step("region"))


def _urgency(live: LiveCell) -> tuple[int, float, tuple[int, int, int]]:
    return (live.parts // _PARTS, live.score, live.cell)
