"""`Priority`: the urgency of a load."""

from __future__ import annotations

import enum
from typing import Final

__all__ = ["PRIORITIES", "Priority", "rank_of"]


class Priority(enum.IntEnum):
    """Urgency of a load: all loads of a higher priority come before any of a lower one.

    Loads of the same priority come in the order of their requests.
    """

    PRELOAD = 0
    LOW = 1
    NORMAL = 2
    HIGH = 3
    CRITICAL = 4


PRIORITIES: Final = tuple(Priority)
"""The priorities by number: an index into this tuple takes a tenth of the time of `Priority(n)`."""


def rank_of(priority: int) -> int:
    """Returns the plain number of a priority.

    Raises:
        ValueError: There is no priority of this number.
    """
    return int(priority if type(priority) is Priority else Priority(priority))
