"""What a loader may be told, and what its figures are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..frames.idle_gate import GilHold
from .requests.cache import CacheStatistics
from .workers.decoders import Decoder, builtin_decoders
from .workers.main_thread_commit import Activator

__all__ = ["LoaderSettings", "LoaderStatistics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoaderSettings:
    """Limits and habits of a loader.

    Attributes:
        threads: Loader threads; None for one less than there are processors, 1 to 4.
        cache_entries: Assets that stay in memory without being held.
        cache_bytes: Bytes of all loaded assets; those that nobody holds go beyond that.
        max_in_flight: Loads that are being read, decoded, or wait for the main thread.
        max_in_flight_bytes: Bytes of those; a single larger one may be in attempt alone.
        retries: How often reading is tried again if it fails for a reason that may pass.
        retry_delay_s: Seconds before the first of those; doubled for each further one.
        timeout_s: Seconds after which a load is given up, None for never.
        decoders: More decoders, by what assets are baked to; they win over the built-in ones.
        activators: What has to be done on the main thread before an asset is ready, by kind.
    """

    threads: int | None = None
    cache_entries: int = 1000
    cache_bytes: int = 96 * 2**20
    max_in_flight: int = 512
    max_in_flight_bytes: int = 8 * 2**20
    retries: int = 3
    retry_delay_s: float = 0.1
    timeout_s: float | None = None
    decoders: Mapping[str, Decoder] = field(default_factory=dict)
    activators: Mapping[str, Activator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: A limit is below what is needed.
        """
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be {least} at least, not {value}")
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise ValueError(f"timeout_s must be above 0, not {self.timeout_s}")

    def all_decoders(self) -> dict[str, Decoder]:
        """The built-in decoders, and those of the game."""
        return {**builtin_decoders(), **self.decoders}


_LEAST: Mapping[str, float] = {
    "threads": 1,
    "cache_entries": 0,
    "cache_bytes": 0,
    "max_in_flight": 1,
    "max_in_flight_bytes": 1,
    "retries": 0,
    "retry_delay_s": 0,
}


class LoaderStatistics(NamedTuple):
    """What a loader did, and what it is doing.

    Attributes:
        requested: Assets whose loading began, or that were found alive.
        ready: Of those, how many were loaded.
        failed: How many could not be.
        cancelled: How many nobody wanted any more.
        waiting: How many wait for their turn.
        in_flight: How many are under way.
        in_flight_bytes: Bytes of those, as far as is known.
        most_in_flight: The highest number of them so far.
        most_in_flight_bytes: The highest number of bytes so far.
        cache: What is in memory.
        holds: What units of background work took of the interpreter, by kind.
    """

    requested: int
    ready: int
    failed: int
    cancelled: int
    waiting: int
    in_flight: int
    in_flight_bytes: int
    most_in_flight: int
    most_in_flight_bytes: int
    cache: CacheStatistics
    holds: Mapping[str, GilHold]
