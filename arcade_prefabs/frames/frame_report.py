"""What the main thread's queue says of a frame."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DrainReport", "JobFailure", "StepTotals"]


class StepTotals(NamedTuple):
    """What steps of one kind took in one frame: how many, seconds of all, of the longest."""

    steps: int
    seconds: float
    longest: float


class JobFailure(NamedTuple):
    """A job that ended with an exception: what kind of step, and the exception."""

    kind: str
    error: Exception


class DrainReport(NamedTuple):
    """What one call of `MainThreadQueue.drain` did.

    Attributes:
        budget_s: What it might take.
        spent_s: What it took.
        steps: How many steps it ran.
        ran: What they were, by kind.
        waiting: Jobs that wait, by lane; lanes without any are left out. Cancelled ones count until
            their turn comes.
        deferred: The kinds of steps that did not fit.
        failures: Jobs that raised.
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
        """How much more it took than it might."""
        return max(0.0, self.spent_s - self.budget_s)

    def followed_by(self, later: DrainReport) -> DrainReport:
        """The report of both, where another round was made in the same frame."""
        ran = dict(self.ran)
        for kind, more in later.ran.items():
            so_far = ran.get(kind, StepTotals(0, 0.0, 0.0))
            ran[kind] = StepTotals(
                so_far.steps + more.steps,
                so_far.seconds + more.seconds,
                max(so_far.longest, more.longest),
            )
        return later._replace(
            budget_s=self.budget_s,  # the later one's is what was left of it
            spent_s=self.spent_s + later.spent_s,
            steps=self.steps + later.steps,
            ran=ran,
            failures=self.failures + later.failures,
        )
