"""`LoaderSettings` and `LoaderStatistics`: limits and figures of an `AsyncPrefabLoader`."""

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
    """Limits, retries and extensions of a loader.

    Attributes:
        threads: The number of loader threads; None for the number of processors minus one, but 1
            to 4.
        cache_entries: The most assets that the cache keeps without a handle, pin or parent.
        cache_bytes: The most bytes of all loaded assets; beyond that, the cache evicts assets that
            nothing holds.
        max_in_flight: The most loads in flight: being read or decoded, or waiting for their
            main-thread commit.
        max_in_flight_bytes: The most bytes of loads in flight; a single larger load may be in
            flight alone.
        retries: How often a read that failed with a transient error is repeated.
        retry_delay_s: The delay before the first repetition, in seconds; it doubles with each
            further one.
        timeout_s: The time after which a handle fails with a `LoadTimeoutError`, in seconds; None
            for never.
        decoders: Additional decoders, by the kind that assets are baked to; they replace built-in
            decoders of the same kind.
        activators: Functions that prepare values on the main thread before the asset is ready, by
            kind.
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
        """Checks the limits.

        Raises:
            ValueError: A limit is too small.
        """
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be {least} at least, not {value}")
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise ValueError(f"timeout_s must be above 0, not {self.timeout_s}")

    def all_decoders(self) -> dict[str, Decoder]:
        """Returns the built-in decoders and those of the game, by kind."""
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
    """Figures of a loader since it was made.

    Attributes:
        requested: Assets that were requested while they were neither loaded nor loading.
        ready: Assets of those that were loaded.
        failed: Assets of those that could not be loaded.
        cancelled: Assets of those whose load was cancelled.
        waiting: Loads that wait in the queue now.
        in_flight: Loads in flight now.
        in_flight_bytes: Bytes of those; the mean size counts for a load that was not read yet.
        most_in_flight: The largest number of loads in flight so far.
        most_in_flight_bytes: The largest number of bytes in flight so far.
        cache: Figures of the cache.
        holds: The processor time of units of loader threads, by kind.
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
