"""Judges whether a world keeps up with its streaming sources, and how fast players may move."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from ..settings import StreamingPolicy, StreamingSettings
from .streaming_sources import StreamingSource

__all__ = ["HealthWatch", "StreamingHealth"]

# The lowest pace under the policy SLOW: the player still moves.
_SLOWEST = 0.2


class StreamingHealth(enum.Enum):
    """Whether a world keeps up with its streaming sources.

    It is judged by the part of the load distance that is loaded, around the source that has least
    of it; ``slow`` and ``critical`` of `StreamingSettings` are the limits.

    Attributes:
        GOOD: By default half of the load distance, or more.
        SLOW: By default less than half of it.
        CRITICAL: By default less than a quarter of it: a player may see a gap, or fall into it.
    """

    GOOD = "good"
    SLOW = "slow"
    CRITICAL = "critical"


class HealthWatch:
    """Turns the loaded part of the load distance into a health and a pace.

    Attributes:
        state: The health.
        ratio: The part of the load distance that is loaded, 0 to 1, of the source that has least.

    Main thread.
    """

    def __init__(self, settings: StreamingSettings) -> None:
        self.state = StreamingHealth.GOOD
        self.ratio = 1.0
        self._settings = settings

    def judge(self, sources: Iterable[StreamingSource]) -> bool:
        """Updates ratio and health from all sources; returns whether the health has changed."""
        settings = self._settings
        self.ratio = min((source.ratio for source in sources), default=1.0)
        before = self.state
        if self.ratio < settings.critical:
            self.state = StreamingHealth.CRITICAL
        elif self.ratio < settings.slow:
            self.state = StreamingHealth.SLOW
        else:
            self.state = StreamingHealth.GOOD
        return self.state is not before

    @property
    def pace(self) -> float:
        """The factor by which the game should multiply its players' speed, 0 to 1."""
        settings = self._settings
        policy = {
            StreamingHealth.GOOD: StreamingPolicy.REPORT,
            StreamingHealth.SLOW: settings.on_slow,
            StreamingHealth.CRITICAL: settings.on_critical,
        }[self.state]
        if policy is StreamingPolicy.HOLD:
            return 0.0
        if policy is StreamingPolicy.SLOW:
            return max(_SLOWEST, self.ratio / settings.slow)
        return 1.0
