"""What steps of the main thread cost, learned from those that ran."""

from __future__ import annotations

from typing import Final

__all__ = ["CostModel"]

# Weight of the newest measurement, and how many mean deviations a prediction lies above the mean:
# a step that takes longer than predicted is a frame that is late, one that waits needlessly is not.
_EASE: Final = 0.2
_DEVIATIONS: Final = 2.0
# One measurement counts for at most that many times what was expected: a step during which the
# system did something else says nothing about the next one.
_OUTLIER: Final = 8.0
_LARGEST: Final = 2.0**60
# A kind that nobody has seen yet.
_UNKNOWN_S: Final = 0.0002


class CostModel:
    """Predicts the seconds that a step takes, by its kind and by the magnitude of its size.

    Example:
        >>> costs = CostModel()
        >>> for _ in range(20):
        ...     costs.learn("upload", 4096, 0.001)
        >>> round(costs.predict("upload", 4096), 4)
        0.001
        >>> round(costs.predict("upload", 16384), 4)  # nobody saw one yet: four times the size
        0.004

    Main thread.
    """

    def __init__(self) -> None:
        # By kind and by the number of binary digits of the size: mean and mean deviation.
        self._known: dict[str, dict[int, tuple[float, float]]] = {}

    def learn(self, kind: str, size: float, seconds: float) -> None:
        """Note what a step took."""
        sizes = self._known.get(kind)
        if sizes is None:
            sizes = self._known[kind] = {}
        magnitude = _magnitude(size)
        known = sizes.get(magnitude)
        if known is None:
            sizes[magnitude] = (seconds, 0.0)
            return
        mean, deviation = known
        off = min(seconds, mean * _OUTLIER + _UNKNOWN_S) - mean
        sizes[magnitude] = (mean + _EASE * off, deviation + _EASE * (abs(off) - deviation))

    def predict(self, kind: str, size: float = 0) -> float:
        """The seconds that such a step is expected to take; rather too many than too few."""
        sizes = self._known.get(kind)
        if not sizes:
            return _UNKNOWN_S
        magnitude = _magnitude(size)
        known = sizes.get(magnitude)
        if known is not None:
            return known[0] + _DEVIATIONS * known[1]
        nearest = min(sizes, key=lambda one: abs(one - magnitude))
        mean, deviation = sizes[nearest]
        # Larger ones in proportion; smaller ones may have a cost that does not shrink.
        return float((mean + _DEVIATIONS * deviation) * 2 ** max(0, magnitude - nearest))


def _magnitude(size: float) -> int:
    """The number of binary digits; what is no sensible size counts as none, or as the largest."""
    return int(min(size, _LARGEST)).bit_length() if size > 0 else 0
