"""`FrameBudget`: the main-thread time that the plugin may take of the next frame."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["FrameBudget"]

# The weight of the newest frame if it would raise the budget; a frame that lowers it counts in
# full, at once. So a game that alternates between light and heavy frames counts as heavy, and a
# single late frame does not make a game count as late.
_EASE: Final = 0.1
# The part of the lateness of frames that the plugin takes on top of its floor. A frame of 100 ms
# becomes one of 102 ms, which no player sees, and a world loads in a sixth of the time.
_LATE_SHARE: Final = 0.03
# A frame counts as at most this many times as long as the frames before it: a single hitch says
# little about the next frames.
_LONGER: Final = 2.0


class FrameBudget:
    """Computes the budget of a frame: the slack that the game leaves, between floor and ceiling.

    Slack is what the frame time leaves after the game's own update and drawing. Without slack, the
    plugin takes the floor, since more could make the game miss the next refresh of the screen. If
    the game's frames are late anyway, 3 % of their lateness is added to the floor, up to the
    ceiling: the later the frames, the less a player notices, and the fewer frames there are to
    load in.

    Example:
        >>> budget = FrameBudget()
        >>> budget.observe(0.004)  # the game needs 4 ms of 16.7
        >>> budget.seconds
        0.002
        >>> budget.observe(0.017)  # the game alone takes longer than a frame
        >>> budget.seconds
        0.00025
        >>> for _ in range(60):
        ...     budget.observe(0.05, 0.05)  # the game draws 20 frames a second
        >>> round(budget.seconds, 5)
        0.00125

    Args:
        frame_s: The intended time from one frame to the next, in seconds.
        floor_s: The smallest budget, in seconds.
        ceiling_s: The largest budget, in seconds.
        margin_s: The time that is left for the window system, in seconds.

    Attributes:
        frame_s: The argument; may be changed.
        floor_s: The argument; may be changed.
        ceiling_s: The argument; may be changed, as a loading screen does.

    Raises:
        ValueError: The floor is below 0, or above the ceiling.

    Main thread.
    """

    def __init__(
        self,
        *,
        frame_s: float = 1 / 60,
        floor_s: float = 0.00025,
        ceiling_s: float = 0.002,
        margin_s: float = 0.001,
    ) -> None:
        if not 0 <= floor_s <= ceiling_s:
            raise ValueError(f"the floor {floor_s} is above the ceiling {ceiling_s}, or below 0")
        self.frame_s = frame_s
        self.floor_s = floor_s
        self.ceiling_s = ceiling_s
        self._margin_s = margin_s
        self._game_s = 0.0
        self._apart_s = 0.0

    def observe(self, game_s: float, apart_s: float | None = None) -> None:
        """Records the times of the last frame.

        Args:
            game_s: Seconds that the game's own update and drawing took.
            apart_s: Seconds from the beginning of the frame before to that of this one; None if
                not known.
        """
        if math.isfinite(game_s):
            last = self._game_s
            self._game_s = game_s if game_s > last else last + (game_s - last) * _EASE
        if apart_s is not None and math.isfinite(apart_s):
            last = max(self._apart_s, self.frame_s)
            more = min(apart_s, last * _LONGER) - last
            self._apart_s = last + more * _EASE if more > 0 else apart_s

    @property
    def least_s(self) -> float:
        """The smallest budget of the next frame, in seconds: the floor, and 3 % of lateness."""
        late = max(0.0, self._apart_s - self.frame_s)
        return min(self.floor_s + late * _LATE_SHARE, self.ceiling_s)

    @property
    def seconds(self) -> float:
        """The budget of the next frame, in seconds."""
        slack = self.frame_s - self._game_s - self._margin_s
        return min(max(slack, self.least_s), self.ceiling_s)
