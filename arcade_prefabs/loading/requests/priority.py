"""How urgent a load is, and which of several equally urgent ones comes first."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeAlias

__all__ = [
    "PRIORITIES",
    "PendingLoad",
    "Position",
    "Priority",
    "ScoreSystem",
    "Scorer",
    "distance_score",
    "rank_of",
]

Position: TypeAlias = tuple[float, float]
_FAR: Final = float("inf")


class Priority(enum.IntEnum):
    """How urgent a load is: everything of a higher one comes before anything of a lower one."""

    PRELOAD = 0
    LOW = 1
    NORMAL = 2
    HIGH = 3
    CRITICAL = 4


PRIORITIES: Final = tuple(Priority)
"""By their numbers: asking the class for one takes ten times as long."""


def rank_of(priority: int) -> int:
    """The plain number of a priority.

    Raises:
        ValueError: There is no such priority.
    """
    return int(priority if type(priority) is Priority else Priority(priority))


class ScoreSystem(enum.Enum):
    """The order among loads of the same `Priority`.

    Attributes:
        FIFO: What was asked for first.
        DISTANCE: What is nearest to one of the loader's focus points; loads without a position
            come last, those of the same distance in the order in which they were asked for.
    """

    FIFO = "fifo"
    DISTANCE = "distance"


class PendingLoad(NamedTuple):
    """A load that waits, as a `Scorer` sees it.

    Attributes:
        id: The asset.
        priority: The highest that anybody asked for.
        positions: Where it is wanted, in pixels; empty if nobody said.
        focus: The focus points of the loader.
    """

    id: str
    priority: Priority
    positions: tuple[Position, ...]
    focus: tuple[Position, ...]


Scorer: TypeAlias = Callable[[PendingLoad], float]
"""Gives a score, the lowest first. Called on the main thread, within the frame's budget."""


def distance_score(positions: Iterable[Position], focus: Iterable[Position]) -> float:
    """The square of the least distance between two points of each; infinite without any."""
    points = tuple(focus)
    return min(
        ((x - fx) ** 2 + (y - fy) ** 2 for x, y in positions for fx, fy in points), default=_FAR
    )
