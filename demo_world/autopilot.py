"""`Autopilot`: the path of the player without input, which is the same in every run."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["Autopilot"]

# How often one round oscillates from west to east, and from south to north.
_SWINGS: Final = (2, 3)
# The step in which the length of the curve is computed, in radians of the round.
_STEP: Final = 0.0005


class Autopilot:
    """Flies a Lissajous curve over the whole island, which begins and ends at the start.

    Args:
        start: x and y of the start, in pixels.
        size: The width and height of the world, in pixels.
        speed: The speed, in pixels a second.

    Attributes:
        position: The present x and y, in pixels.
        heading: The direction of flight, clockwise from north, in degrees.
        distance: The distance flown so far, in pixels.
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
        """Flies on for some seconds, at constant speed."""
        left = self._speed * seconds
        x, y = self.position
        while left > 1e-6:  # more than an error of rounding
            ahead = self._at(self._turn + _STEP)
            here = self._at(self._turn)
            rate = math.dist(here, ahead) / _STEP  # pixels for each radian
            step = min(left / rate, 4 * _STEP)
            self._turn += step
            left -= step * rate
        self.position = self._at(self._turn)
        distance = math.dist((x, y), self.position)
        self.distance += distance
        if distance > 0:
            self.heading = math.degrees(math.atan2(self.position[0] - x, self.position[1] - y))
