"""What the main thread's queue says of a frame."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DrainReport", "JobFailure", "Ran"]


class Ran(NamedTuple):
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
    ran: dict[str, Ran]
    waiting: dict[str, int]
    deferred: tuple[str, ...]
    failures: tuple[JobFailure, ...]

    @property
    def overrun_s(self) -> float:
        """How much more it took than it might."""
        return max(0.0, self.spent_s - self.budget_s)
