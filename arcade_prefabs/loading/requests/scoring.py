"""The order among loads of the same priority, and how it follows the players."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from ...frames.main_thread_queue import Step, Steps
from .asset_record import Demand
from .load_registry import LoadRegistry
from .priority import PendingLoad, Position, Priority, Scorer, ScoreSystem, distance_score

__all__ = ["Scoring"]

# Loads that are scored in one step.
_AT_ONCE: Final = 50


class Scoring:
    """Gives loads their scores.

    Args:
        system: How.
        loads: What is loaded, loading or wanted.
    """

    def __init__(
        self,
        system: ScoreSystem | Scorer,
        loads: LoadRegistry,
    ) -> None:
        self._system = system
        self._loads = loads
        self._callbacks = loads.callbacks
        self._focus: tuple[Position, ...] = ()
        self._rescoring = False
        self._again = False

    def score(self, identifier: str, demands: Iterable[Demand]) -> float:
        """The score of a load, the lowest first."""
        system = self._system
        if system is ScoreSystem.FIFO:
            return 0.0
        demands = tuple(demands)
        positions = tuple(demand[1] for demand in demands if demand[1] is not None)
        if isinstance(system, ScoreSystem):
            return _sortable(distance_score(positions, self._focus))
        priority = Priority(max((demand[0] for demand in demands), default=0))
        try:
            return _sortable(
                float(system(PendingLoad(identifier, priority, positions, self._focus)))
            )
        except Exception as error:
            self._callbacks.note_failure("the priority system", error)
            return 0.0

    def set_focus(self, positions: tuple[Position, ...]) -> None:
        """Score everything that waits anew, in slices within the budget. Main thread."""
        self._focus = positions
        if self._system is ScoreSystem.FIFO:
            return
        self._again = True
        if not self._rescoring:
            self._rescoring = True
            self._callbacks.queue.post(self._rescore(), "upkeep", Step("rescore"))

    def _rescore(self) -> Steps:
        try:
            while self._again:
                self._again = False
                with self._loads.lock:
                    waiting = self._loads.scheduler.waiting()
                for start in range(0, len(waiting), _AT_ONCE):
                    some = waiting[start : start + _AT_ONCE]
                    scores = [self.score(one.id, tuple(one.demands.values())) for one in some]
                    with self._loads.lock:
                        for record, score in zip(some, scores, strict=True):
                            if record.demands:
                                self._loads.rate(record, score)
                    yield None
        finally:
            self._rescoring = False


def _sortable(score: float) -> float:
    """What is no number comes last: it is neither before nor behind anything."""
    return math.inf if math.isnan(score) else score
