"""`CellJobs`: runs the jobs of several live cells as one job of the main-thread queue, in turn."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Final

from ...frames import NEXT_FRAME, MainThreadQueue, Step
from ...frames.main_thread_queue import Steps
from .live_cell import LiveCell

__all__ = ["CellJobs"]

# Live cells are ordered by the parts that they still have to do, in multiples of this: a small cell
# never waits for one of 20,000 entities, which it delays by next to nothing.
_PARTS: Final = 256


class CellJobs:
    """Runs the jobs of many live cells, one step at a time; nearly finished cells come first.

    The job of a cell is a generator. It yields the next `Step`, or None while it has to wait (for a
    loader thread, for instance); a job that yielded None is not called again before the next frame.
    Among cells with about the same number of parts left, the one with the lowest score comes first.

    Args:
        queue: The main-thread queue.
        lane: The queue's lane that the steps run in.
        budget_s: Returns the seconds that the steps may take in a frame; None for no limit beside
            the queue's own.
        clock: Returns seconds.

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
        """Starts a job for a live cell. Its steps run from the next drain of the queue on."""
        live.task = task
        self._live_cells[live] = None
        self._go_on()

    def stop(self, live: LiveCell) -> None:
        """Stops a live cell's job and closes its generator; does nothing if it has no job."""
        self._live_cells.pop(live, None)
        task, live.task = live.task, None
        if task is not None and inspect.getgeneratorstate(task) != inspect.GEN_RUNNING:
            task.close()

    def begin_frame(self) -> None:
        """Resets the time that steps have taken, for the budget of a new frame."""
        self._spent_s = 0.0

    def _run(self) -> Steps:
        waiting: set[LiveCell] = set()
        try:
            while self._live_cells:
                chosen = [live for live in self._live_cells if live not in waiting]
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
                    step = Step("cell")
                else:
                    if step is None:
                        waiting.add(live)
                self._spent_s += self._clock() - began
                if step is not None:
                    yield step
        finally:
            self._running = False
            if self._live_cells and not self._closed:  # a step raised: the other cells go on
                self._go_on()

    def close(self) -> None:
        """Stops the jobs of all live cells."""
        self._closed = True
        for live in list(self._live_cells):
            self.stop(live)

    def _go_on(self) -> None:
        if not self._running:
            self._running = True
            self._queue.post(self._run(), self._lane, Step("cell"))


def _urgency(live: LiveCell) -> tuple[int, float, tuple[int, int, int]]:
    return (live.parts // _PARTS, live.score, live.cell)
