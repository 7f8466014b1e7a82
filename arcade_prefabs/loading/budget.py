"""`FrameBudget`: how much of a frame the plugin may take, from what the game leaves."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["FrameBudget"]

# Weight of the newest frame. A slower frame counts at once, a quicker one by that much: a game
# that alternates between light and heavy frames has to be taken for a heavy one.
_EASE: Final = 0.1


class FrameBudget:
    """The budget of a frame: the measured slack of the game's own, between a floor and a ceiling.

    Example:
        >>> budget = FrameBudget()
        >>> budget.observe(0.004)  # the game needs 4 ms of 16.7
        >>> budget.seconds
        0.002
        >>> budget.observe(0.017)  # it is late by itself
        >>> budget.seconds
        0.00025

    Args:
        frame_s: Seconds from one frame to the next.
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

    def observe(self, game_s: float) -> None:
        """Note how long the game itself needed for a frame, in seconds."""
        if not math.isfinite(game_s):
            return
        last = self._game_s
        self._game_s = game_s if game_s > last else last + (game_s - last) * _EASE

    @property
    def seconds(self) -> float:
        """The budget of the next frame."""
        slack = self.frame_s - self._game_s - self._margin_s
        return min(max(slack, self.floor_s), self.ceiling_s)
