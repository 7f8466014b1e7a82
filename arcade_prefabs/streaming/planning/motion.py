"""Where a player will be: velocity from positions, and the lead that loading needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from ..cells.grid import Box, box_distance

__all__ = ["LoadCircle", "Motion", "Score", "score"]

# Seconds over which a velocity is smoothed.
_SMOOTH_S: Final = 0.1
# Who turns twice within so many seconds goes nowhere.
_CALM_S: Final = 0.25
# Below that many pixels a second a heading says nothing.
_SLOW: Final = 8.0
_FLOOR: Final = 0.25
# Whoever was told no position for that many seconds stands.
_STOPPED_S: Final = 0.5

Score = float
"""How urgent a cell is: the lowest first."""


class LoadCircle(NamedTuple):
    """The circle that a player's cells are wanted in.

    Attributes:
        x, y: Its middle, in pixels.
        radius: Pixels.
        heading: Cosine and sine of where the player goes, or None if it stands.
    """

    x: float
    y: float
    radius: float
    heading: tuple[float, float] | None


class Motion:
    """The velocity of something whose position is told now and then.

    Args:
        clock: Seconds.
        fastest: Pixels a second; what is faster was no movement but a jump, and says nothing of
            where it goes.

    Main thread.
    """

    def __init__(self, clock: Callable[[], float], fastest: float = 20_000.0) -> None:
        self._clock = clock
        self._fastest = fastest
        self._at: float | None = None
        self.x = self.y = 0.0
        self.vx = self.vy = 0.0
        self.turned = self._trembles = False
        self._last = (0.0, 0.0)  # the velocity of the last move
        self._turned_at = float("-inf")

    @property
    def speed(self) -> float:
        """Pixels a second."""
        return math.hypot(self.vx, self.vy)

    @property
    def known(self) -> bool:
        """Whether it was ever told a position."""
        return self._at is not None

    def jump(self, x: float, y: float) -> None:
        """It is somewhere else now, and stands."""
        self.x, self.y = x, y
        self.vx = self.vy = 0.0
        self._last = (0.0, 0.0)
        self._at = self._clock()
        self.turned = True

    def move(self, x: float, y: float) -> None:
        """It has moved there since the last call."""
        now = self._clock()
        if self._at is None:
            self.jump(x, y)
            return
        passed = now - self._at
        if passed <= 0:  # told twice in a frame: the last one counts, with the time of the first
            self.x, self.y = x, y
            return
        dx, dy = x - self.x, y - self.y
        if math.hypot(dx, dy) > self._fastest * max(passed, 1 / 60):
            self.jump(x, y)
            return
        vx, vy = dx / passed, dy / passed
        if vx * self._last[0] + vy * self._last[1] < 0:
            # It turned round: what was smoothed is of the other way. Twice in a moment is no way
            # at all: it trembles, or is pushed back by a wall.
            trembles = now - self._turned_at < _CALM_S
            self.turned = not trembles
            self.vx, self.vy = (0.0, 0.0) if trembles else (vx, vy)
            self._turned_at = now
            self._trembles = trembles
        elif self._trembles and now - self._turned_at < _CALM_S:
            pass
        else:
            self._trembles = False
            part = 1.0 - math.exp(-passed / _SMOOTH_S)
            self.vx += (vx - self.vx) * part
            self.vy += (vy - self.vy) * part
        self._last = (vx, vy)
        self.x, self.y, self._at = x, y, now

    def settle(self) -> None:
        """It was planned for: turning is noted anew, and who is told no more has stopped."""
        self.turned = False
        at = self._at
        if at is not None and self._clock() - at > _STOPPED_S:
            self.vx = self.vy = 0.0

    def aim(self, distance: float, lead_s: float) -> LoadCircle:
        """The circle to load: half of the lead moves it ahead, half of it makes it larger.

        Args:
            distance: Pixels around a player that stands.
            lead_s: Seconds that a cell takes to be there.
        """
        speed = self.speed
        half = lead_s / 2
        heading = (self.vx / speed, self.vy / speed) if speed > _SLOW else None
        x, y = self.x + self.vx * half, self.y + self.vy * half
        return LoadCircle(x, y, distance + speed * half, heading)


def score(aim: LoadCircle, x: float, y: float, box: Box) -> Score:
    """How urgent a cell is, 0 for the one that the player is in.

    ``(d / R)² × (f + (1 - f) × (0.5 - 0.5 × cos a))``: d from the player to the cell, R the radius,
    a between heading and cell. With f = 0.25 a near cell at the side comes before a far one ahead.

    Args:
        aim: The circle.
        x: Where the player is.
        y: Where the player is.
        box: The cell.
    """
    distance = box_distance(x, y, box)
    if distance == 0.0:
        return 0.0
    part = distance / aim.radius
    side = 1.0
    if aim.heading is not None:
        dx, dy = (box[0] + box[2]) / 2 - x, (box[1] + box[3]) / 2 - y
        far = math.hypot(dx, dy)
        cos = (dx * aim.heading[0] + dy * aim.heading[1]) / far if far else 1.0
        side = _FLOOR + (1 - _FLOOR) * (0.5 - 0.5 * cos)
    return part * part * side
