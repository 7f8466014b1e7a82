"""The way that the autopilot flies: the same for every run."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["Autopilot"]

# How often a round swings from west to east, and from south to north.
_SWINGS: Final = (2, 3)
_STEP: Final = 0.0005


class Autopilot:
    """A loop over the whole island that begins and ends where the player starts.

    Args:
        start: Where it begins, in pixels.
        size: Pixels of the world, each way.
        speed: Pixels a second.

    Attributes:
        position: Where it is.
        heading: Where it flies, clockwise from north, in degrees.
        distance: Pixels that it has flown.
    """

    def __init__(self, start: tuple[float, float], size: float, speed: float) -> None:
        self._start = start
        self._reach = size * 0.34
        self._speed = speed
        self._turn = 0.0  # of the round, in radians
        self.position = start
        self.heading = 0.0
        self.distance = 0.0

    def _at(self, turn: float) -> tuple[float, float]:
        x, y = self._start
        return (
            x + self._reach * math.sin(_SWINGS[0] * turn),
            y + self._reach * math.sin(_SWINGS[1] * turn) * 0.9,
        )

    def update(self, seconds: float) -> None:
        """Fly on for some seconds, at the same speed everywhere."""
        left = self._speed * seconds
        x, y = self.position
        while left > 1e-6:  # what rounding leaves is no way
            ahead = self._at(self._turn + _STEP)
            here = self._at(self._turn)
            rate = math.dist(here, ahead) / _STEP  # pixels for each radian
            step = min(left / rate, 4 * _STEP)
            self._turn += step
            left -= step * rate
        self.position = self._at(self._turn)
        way = math.dist((x, y), self.position)
        self.distance += way
        if way > 0:
            self.heading = math.degrees(math.atan2(self.position[0] - x, self.position[1] - y))
