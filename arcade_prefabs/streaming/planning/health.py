"""Whether the world keeps up with its players, and what the game is asked to do if not."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from ..settings import StreamingPolicy, StreamingSettings
from .streaming_sources import StreamingSource

__all__ = ["HealthWatch", "StreamingHealth"]

# A player who is to be slowed down still moves, unless it is to be held.
_SLOWEST = 0.2


class StreamingHealth(enum.Enum):
    """How far around its players a world is there, for the one that fares worst.

    Attributes:
        GOOD: As far as it should be, or nearly.
        SLOW: Less than half of the load distance.
        CRITICAL: Less than a quarter of it: a gap may be seen, or fallen into.
    """

    GOOD = "good"
    SLOW = "slow"
    CRITICAL = "critical"


class HealthWatch:
    """Judges from how much of the load distance is there.

    Attributes:
        state: The health.
        ratio: The part of the load distance that is there, 0 to 1.

    Main thread.
    """

    def __init__(self, settings: StreamingSettings) -> None:
        self.state = StreamingHealth.GOOD
        self.ratio = 1.0
        self._settings = settings

    def judge(self, sources: Iterable[StreamingSource]) -> bool:
        """Look at it again; whether the health is another one."""
        settings = self._settings
        self.ratio = min((one.ratio for one in sources), default=1.0)
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
        """The factor that the game is asked to move its players with, 0 to 1."""
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
