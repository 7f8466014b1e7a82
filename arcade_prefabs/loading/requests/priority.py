"""How urgent a load is."""

from __future__ import annotations

import enum
from typing import Final

__all__ = ["PRIORITIES", "Priority", "rank_of"]


class Priority(enum.IntEnum):
    """How urgent a load is: everything of a higher one comes before anything of a lower one.

    Among loads of the same priority, what was asked for first comes first.
    """

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
