"""`FrameBudget`: how much of a frame the plugin may take, from what the game leaves."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["FrameBudget"]

# Weight of the newest frame, where it is the convenient one: what costs us time counts at once.
# A game that alternates between light and heavy frames has to be taken for a heavy one, and one
# that was late a single time for one that is in time.
_EASE: Final = 0.1
# Part of the time by which frames are late that the plugin takes on top of its floor: a frame of
# 100 ms becomes one of 102, which nobody sees, and a world is there in a sixth of the time.
_LATE_SHARE: Final = 0.03
# A frame counts as at most so many times as long as those before it: a hitch says little of them.
_LONGER: Final = 2.0


class FrameBudget:
    """The budget of a frame: the measured slack of the game's own, between a floor and a ceiling.

    A game whose frames are late by themselves leaves no slack. While it is in time, or nearly,
    the floor is all that is taken: more could cost it a frame of a screen that waits. The later
    its frames are, the less the same time is felt in each, and the fewer frames there are to load
    in; so 3 % of what they are late by is added to the floor, up to the ceiling.

    Example:
        >>> budget = FrameBudget()
        >>> budget.observe(0.004)  # the game needs 4 ms of 16.7
        >>> budget.seconds
        0.002
        >>> budget.observe(0.017)  # it is late by itself
        >>> budget.seconds
        0.00025
        >>> for _ in range(60):
        ...     budget.observe(0.05, 0.05)  # and now draws 20 frames a second
        >>> round(budget.seconds, 5)
        0.00125

    Args:
        frame_s: Seconds from one frame to the next, as the game wants them.
        floor_s: What the plugin takes in any case.
        ceiling_s: What it takes at most.
        margin_s: What is left for the window system.

    Attributes:
        frame_s: See above; may be changed.
        floor_s: See above; may be changed.
        ceiling_s: See above; a loading screen may raise it.

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
        """Note how long a frame was.

        Args:
            game_s: Seconds that the game itself needed for it.
            apart_s: Seconds since the frame before, with everything; None if that is not known.
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
        """What the plugin takes of the next frame in any case, in seconds."""
        late = max(0.0, self._apart_s - self.frame_s)
        return min(self.floor_s + late * _LATE_SHARE, self.ceiling_s)

    @property
    def seconds(self) -> float:
        """The budget of the next frame."""
        slack = self.frame_s - self._game_s - self._margin_s
        return min(max(slack, self.least_s), self.ceiling_s)
