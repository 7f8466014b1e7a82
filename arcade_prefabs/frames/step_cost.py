"""`CostModel`: learns what main-thread steps cost, and predicts the next ones.

Kept per kind and per magnitude of size (the binary logarithm): an exponential moving average and
the mean deviation, as TCP estimates its round-trip times. A regression over size was not taken: a
kind's cost need not be linear, and an outlier would bend the line for all sizes.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CostModel"]

# The weight of the newest measurement.
_EASE: Final = 0.2
# How many mean deviations a prediction lies above the mean. A step that takes longer than predicted
# can make a frame late; a step that is deferred needlessly cannot.
_DEVIATIONS: Final = 2.0
# A measurement counts as at most this many times the mean: when the system interrupts a step, its
# time says nothing about the next step.
_OUTLIER: Final = 8.0
# The largest size that is told apart from larger ones; it also makes infinity an integer.
_LARGEST: Final = 2.0**60
# The prediction for a kind without measurements, in seconds.
_UNKNOWN_S: Final = 0.0002


class CostModel:
    """Predicts the seconds that a step takes, from earlier steps of its kind and size.

    Example:
        >>> costs = CostModel()
        >>> for _ in range(20):
        ...     costs.learn("upload", 4096, 0.001)
        >>> round(costs.predict("upload", 4096), 4)
        0.001
        >>> round(costs.predict("upload", 16384), 4)  # not measured yet: four times the size
        0.004

    Main thread.
    """

    def __init__(self) -> None:
        # By kind and magnitude of the size: mean and mean deviation, in seconds.
        self._costs: dict[str, dict[int, tuple[float, float]]] = {}

    def learn(self, kind: str, size: float, seconds: float) -> None:
        """Records how long a step took."""
        costs = self._costs.get(kind)
        if costs is None:
            costs = self._costs[kind] = {}
        magnitude = _magnitude(size)
        cost = costs.get(magnitude)
        if cost is None:
            costs[magnitude] = (seconds, 0.0)
            return
        mean, deviation = cost
        error = min(seconds, mean * _OUTLIER + _UNKNOWN_S) - mean
        costs[magnitude] = (mean + _EASE * error, deviation + _EASE * (abs(error) - deviation))

    def predict(self, kind: str, size: float = 0) -> float:
        """Returns the expected seconds of a step, two mean deviations above the mean.

        For a size that was not measured, the nearest one is taken: in proportion if it is smaller,
        unchanged if it is larger, as part of a cost may not depend on the size.
        """
        costs = self._costs.get(kind)
        if not costs:
            return _UNKNOWN_S
        magnitude = _magnitude(size)
        cost = costs.get(magnitude)
        if cost is not None:
            return cost[0] + _DEVIATIONS * cost[1]
        nearest = min(costs, key=lambda measured: abs(measured - magnitude))
        mean, deviation = costs[nearest]
        return float((mean + _DEVIATIONS * deviation) * 2 ** max(0, magnitude - nearest))


def _magnitude(size: float) -> int:
    """Returns the number of binary digits of a size; 0 for sizes of 0, below 0 and NaN."""
    return int(min(size, _LARGEST)).bit_length() if size > 0 else 0
