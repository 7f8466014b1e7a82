"""`StreamingSettings`: the settings of a streamed world, checked when they are made."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypedDict

from ..errors import shown
from ..prefab.suggestions import did_you_mean

__all__ = [
    "StreamingOptions",
    "StreamingPolicy",
    "StreamingSettings",
    "check_distances",
    "chosen_settings",
    "unload_distance_for",
]

MIB: Final = 1024 * 1024
# Default unload distance, as a multiple of the load distance.
_FARTHER: Final = 1.25


class StreamingPolicy(enum.Enum):
    """What becomes of `StreamingManager.pace` while the world does not keep up.

    The game multiplies the speed of its players by the pace; the plugin moves nothing itself.

    Attributes:
        REPORT: The pace stays 1: players move as usual.
        SLOW: The pace falls with the loaded part of the load distance, to 0.2 at least.
        HOLD: The pace is 0: players stop.
    """

    REPORT = "report"
    SLOW = "slow"
    HOLD = "hold"


class StreamingOptions(TypedDict, total=False):
    """Fields of `StreamingSettings`, as keywords of `PrefabPlugin.open_world`."""

    load_distance: float | None
    unload_distance: float | None
    residency_s: float
    max_in_flight: int
    max_in_flight_bytes: int
    budget_ms: float | None
    memory_limit: int
    max_lead_s: float
    slow: float
    critical: float
    on_slow: StreamingPolicy
    on_critical: StreamingPolicy
    placeholders: bool


@dataclass(frozen=True, kw_only=True)
class StreamingSettings:
    """How far around its streaming sources a world is loaded, and what that may cost.

    Example::

        far = StreamingSettings(load_distance=1500, memory_limit=64_000_000)
        valley = prefabs.open_world("valley", settings=far)
        cave = prefabs.open_world("cave", settings=far, load_distance=400)

    Args:
        load_distance: Cells within this distance of a streaming source are loaded, in pixels; by
            default the distance from the middle of the view to its corner.
        unload_distance: Cells beyond this distance of all sources are unloaded, in pixels; by
            default a quarter more than the load distance, and at least half a cell more.
        residency_s: The least seconds for which an active cell stays loaded.
        max_in_flight: The most cells that are read at the same time, and also the most that are
            built at the same time.
        max_in_flight_bytes: The most bytes that these reads are expected to take together.
        budget_ms: The most milliseconds of a frame for building and unloading cells; None for
            whatever the plugin's budget leaves.
        memory_limit: The most bytes of all cells, with the prefabs and images that they use.
        max_lead_s: The most seconds for which a source's movement is predicted.
        slow: The health is `SLOW` while less than this part of the load distance is loaded, 0 to 1.
        critical: The health is `CRITICAL` while less than this part is loaded, 0 to ``slow``.
        on_slow: What becomes of the pace while the health is `SLOW`.
        on_critical: What becomes of the pace while the health is `CRITICAL`.
        placeholders: Whether a placeholder is shown in place of each entity or cell that cannot be
            loaded.

    Raises:
        ValueError: A number is out of its range.
        TypeError: A setting has another type.
    """

    load_distance: float | None = None
    unload_distance: float | None = None
    residency_s: float = 2.0
    max_in_flight: int = 4
    max_in_flight_bytes: int = 8 * MIB
    budget_ms: float | None = None
    memory_limit: int = 256 * MIB
    max_lead_s: float = 2.0
    slow: float = 0.5
    critical: float = 0.25
    on_slow: StreamingPolicy = StreamingPolicy.REPORT
    on_critical: StreamingPolicy = StreamingPolicy.REPORT
    placeholders: bool = True

    def __post_init__(self) -> None:
        for name in ("load_distance", "unload_distance", "budget_ms"):
            if getattr(self, name) is not None:
                _positive(name, getattr(self, name))
        for name in ("max_in_flight", "max_in_flight_bytes", "memory_limit"):
            _positive(name, getattr(self, name))
            if not isinstance(getattr(self, name), int):
                raise TypeError(f"{name} is a whole number, not {getattr(self, name)!r}")
        for name in ("residency_s", "max_lead_s"):
            _not_negative(name, getattr(self, name))
        for name in ("on_slow", "on_critical"):
            if not isinstance(getattr(self, name), StreamingPolicy):
                raise TypeError(f"{name} is a StreamingPolicy, not {getattr(self, name)!r}")
        if not 0 < self.critical < self.slow <= 1:
            raise ValueError(
                f"0 < critical < slow <= 1 must hold, not {self.critical}, {self.slow}"
            )
        if self.load_distance is not None and self.unload_distance is not None:
            check_distances(self.load_distance, self.unload_distance)


def chosen_settings(
    settings: StreamingSettings | None, options: StreamingOptions
) -> StreamingSettings:
    """Returns settings whose fields of the same names are replaced by options.

    Args:
        settings: The settings; None for the defaults.
        options: Fields that differ.

    Raises:
        ValueError: A number is out of its range.
        TypeError: An option has no field of its name, or a value has another type.
    """
    known = [field.name for field in fields(StreamingSettings)]
    for name in options:
        if name not in known:
            hint = did_you_mean(name, known)
            raise TypeError(f"open_world has no setting {shown(name)}; {hint}")
    if settings is None:
        return StreamingSettings(**options)
    if not isinstance(settings, StreamingSettings):
        raise TypeError(f"settings are StreamingSettings, not {settings!r}")
    return replace(settings, **options)


def check_distances(load: float, unload: float) -> None:
    """Raises if cells at the border would be loaded and unloaded again and again.

    Raises:
        ValueError: The unload distance is not larger than the load distance.
    """
    if not unload > load:
        raise ValueError(
            f"unload_distance ({unload:g}) must be larger than load_distance ({load:g}): a cell "
            "at the border would be loaded and unloaded again and again"
        )


def unload_distance_for(load: float, cell_size: float) -> float:
    """Returns the default unload distance for a load distance, in pixels."""
    return max(load * _FARTHER, load + cell_size / 2)


def _positive(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number, not {value!r}")
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be above 0 and finite, not {value}")


def _not_negative(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number, not {value!r}")
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{name} must not be negative, and finite, not {value}")
