"""The motion of a streaming source: its velocity, the circle to load ahead of it, cell scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from ..cells.grid import Box, box_distance

__all__ = ["LoadCircle", "Motion", "Score", "score"]

# Time constant of the exponential smoothing of velocities, in seconds.
_SMOOTH_S: Final = 0.1
# A source that reverses twice within so many seconds jitters: its velocity counts as 0.
_CALM_S: Final = 0.25
# Below that many pixels a second, a source has no heading.
_SLOW: Final = 8.0
_FLOOR: Final = 0.25
# A source without a new position for that many seconds has stopped.
_STOPPED_S: Final = 0.5

Score = float
"""How urgent a cell is; the lowest score comes first."""


class LoadCircle(NamedTuple):
    """The circle within which the cells of a streaming source are wanted.

    Attributes:
        x: Horizontal position of the middle, in pixels.
        y: Vertical position of the middle, in pixels.
        radius: Pixels.
        heading: Cosine and sine of the direction of movement; None if the source stands.
    """

    x: float
    y: float
    radius: float
    heading: tuple[float, float] | None


class Motion:
    """Computes the velocity of a streaming source from the positions that the game reports.

    Velocities are smoothed over 0.1 s. A reversal starts the velocity anew. Jitter (two reversals
    within 0.25 s, as of a player pushed back by a wall) counts as standing, so that it does not
    start loads to both sides.

    Args:
        clock: Returns seconds.
        fastest: Pixels a second. A faster movement is taken for a jump, after which the source
            stands.

    Main thread.
    """

    def __init__(self, clock: Callable[[], float], fastest: float = 20_000.0) -> None:
        self._clock = clock
        self._fastest = fastest
        self._at: float | None = None
        self.x = self.y = 0.0
        self.vx = self.vy = 0.0
        self.turned = self._jitters = False
        self._last = (0.0, 0.0)  # the velocity of the last move, not smoothed
        self._turned_at = float("-inf")

    @property
    def speed(self) -> float:
        """Length of the velocity, in pixels a second."""
        return math.hypot(self.vx, self.vy)

    @property
    def known(self) -> bool:
        """Whether the source has a position at all."""
        return self._at is not None

    def jump(self, x: float, y: float) -> None:
        """Sets the position, and the velocity to 0."""
        self.x, self.y = x, y
        self.vx = self.vy = 0.0
        self._last = (0.0, 0.0)
        self._at = self._clock()
        self.turned = True

    def move(self, x: float, y: float) -> None:
        """Sets the position that the source has moved to, and updates its velocity."""
        now = self._clock()
        if self._at is None:
            self.jump(x, y)
            return
        passed = now - self._at
        if passed <= 0:  # twice in a frame: the last position counts, with the time of the first
            self.x, self.y = x, y
            return
        dx, dy = x - self.x, y - self.y
        if math.hypot(dx, dy) > self._fastest * max(passed, 1 / 60):
            self.jump(x, y)
            return
        vx, vy = dx / passed, dy / passed
        if vx * self._last[0] + vy * self._last[1] < 0:
            # A reversal: the smoothed velocity points the other way, and is thrown away. A second
            # reversal within _CALM_S is jitter, or a wall pushes the player back.
            jitters = now - self._turned_at < _CALM_S
            self.turned = not jitters
            self.vx, self.vy = (0.0, 0.0) if jitters else (vx, vy)
            self._turned_at = now
            self._jitters = jitters
        elif self._jitters and now - self._turned_at < _CALM_S:
            pass
        else:
            self._jitters = False
            part = 1.0 - math.exp(-passed / _SMOOTH_S)
            self.vx += (vx - self.vx) * part
            self.vy += (vy - self.vy) * part
        self._last = (vx, vy)
        self.x, self.y, self._at = x, y, now

    def settle(self) -> None:
        """Marks a reversal as planned for, and sets the velocity of a stopped source to 0."""
        self.turned = False
        at = self._at
        if at is not None and self._clock() - at > _STOPPED_S:
            self.vx = self.vy = 0.0

    def aim(self, distance: float, lead_s: float) -> LoadCircle:
        """Returns the circle to load: half of the lead moves it ahead, half of it enlarges it.

        Args:
            distance: Radius for a source that stands, in pixels.
            lead_s: Seconds that a cell takes from the demand for it until it is active.
        """
        speed = self.speed
        half = lead_s / 2
        heading = (self.vx / speed, self.vy / speed) if speed > _SLOW else None
        x, y = self.x + self.vx * half, self.y + self.vy * half
        return LoadCircle(x, y, distance + speed * half, heading)


def score(aim: LoadCircle, x: float, y: float, box: Box) -> Score:
    """Returns how urgent a cell is: 0 for the cell that the source is in, more for others.

    ``(d / R)² × (f + (1 - f) × (0.5 - 0.5 × cos a))``, where d is the distance from the source to
    the cell, R the radius of the circle, a the angle between the heading and the direction of the
    cell. f = 0.25 lets a near cell at the side come before a far one ahead.

    Args:
        aim: The circle that the source's cells are wanted in.
        x: Horizontal position of the source, in pixels.
        y: Vertical position of the source, in pixels.
        box: The cell's reach.
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
