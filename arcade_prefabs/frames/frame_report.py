"""`DrainReport`: which steps `MainThreadQueue.drain` ran in a frame, and what they took."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DrainReport", "JobFailure", "StepTotals"]


class StepTotals(NamedTuple):
    """Steps of one kind in one frame.

    Attributes:
        steps: Their number.
        seconds: Their time together, in seconds.
        longest: The time of the longest one, in seconds.
    """

    steps: int
    seconds: float
    longest: float


class JobFailure(NamedTuple):
    """A job that ended with an exception.

    Attributes:
        kind: The kind of the step that raised.
        error: The exception.
    """

    kind: str
    error: Exception


class DrainReport(NamedTuple):
    """Result of one call of `MainThreadQueue.drain`.

    Attributes:
        budget_s: The time that steps were allowed to take, in seconds.
        spent_s: The time that they took, in seconds.
        steps: The number of steps that ran.
        ran: Number and times of the steps, by kind.
        waiting: The number of jobs that still wait, by lane; lanes without jobs are left out. A
            cancelled job counts until the queue reaches it.
        deferred: The kinds of steps that were predicted not to fit into the rest of the budget.
        failures: The jobs that raised an exception.
    """

    budget_s: float
    spent_s: float
    steps: int
    ran: dict[str, StepTotals]
    waiting: dict[str, int]
    deferred: tuple[str, ...]
    failures: tuple[JobFailure, ...]

    @property
    def overrun_s(self) -> float:
        """The seconds by which steps exceeded the budget."""
        return max(0.0, self.spent_s - self.budget_s)

    def followed_by(self, later: DrainReport) -> DrainReport:
        """Returns one report for this drain and a later one of the same frame."""
        ran = dict(self.ran)
        for kind, more in later.ran.items():
            so_far = ran.get(kind, StepTotals(0, 0.0, 0.0))
            ran[kind] = StepTotals(
                so_far.steps + more.steps,
                so_far.seconds + more.seconds,
                max(so_far.longest, more.longest),
            )
        return later._replace(
            budget_s=self.budget_s,  # the later drain got the rest of this budget
            spent_s=self.spent_s + later.spent_s,
            steps=self.steps + later.steps,
            ran=ran,
            failures=self.failures + later.failures,
        )
