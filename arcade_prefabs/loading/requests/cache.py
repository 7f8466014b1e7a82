"""`PrefabCache`: keeps loaded assets that nothing holds any more, up to limits.

It evicts the least recently released asset first. An evicted value may still be used by the game,
as by a sprite that shows it; the cache keeps a weak reference to it, and a later load of the asset
takes that value instead of reading a second copy.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Any, NamedTuple

from ..workers.decoders import AssetDependency
from .asset_record import AssetKey, AssetRecord

__all__ = ["CacheStatistics", "EvictedAsset", "PrefabCache"]


class CacheStatistics(NamedTuple):
    """Figures of the cache.

    Attributes:
        entries: The number of loaded assets, held ones included.
        bytes: The bytes of all loaded assets.
        idle_entries: The number of loaded assets that nothing holds.
        idle_bytes: The bytes of those.
        peak_bytes: The largest number of bytes so far.
        hits: Requests whose asset was loaded.
        shared: Requests whose asset was evicted, but whose value the game still used.
        misses: Requests whose asset had to be read.
        evictions: The number of assets that were evicted.
        over_limit: Whether held assets alone exceed the limit of bytes.
    """

    entries: int
    bytes: int
    idle_entries: int
    idle_bytes: int
    peak_bytes: int
    hits: int
    shared: int
    misses: int
    evictions: int
    over_limit: bool


class EvictedAsset(NamedTuple):
    """An evicted asset: a weak reference to its value, which the game may still use."""

    value: weakref.ref[Any]
    kind: str
    digest: bytes
    size: int
    needs: tuple[AssetDependency, ...]
    version: int


class PrefabCache:
    """Counts all loaded assets, and chooses which of the idle ones to evict.

    An asset is held by handles, by pins, and by assets that depend on it; it is *idle* if nothing
    holds it. Held assets are never evicted. Of the idle ones, the least recently released is
    evicted first.

    Args:
        most_entries: The most idle assets.
        most_bytes: The most bytes of all loaded assets; beyond that, idle ones are evicted.

    Attributes:
        bytes: The bytes of all loaded assets.
        entries: The number of all loaded assets.
        hits, shared, misses, evictions: As in `CacheStatistics`.

    All methods are called under the loader's lock.
    """

    def __init__(self, most_entries: int, most_bytes: int) -> None:
        self.most_entries = most_entries
        self.most_bytes = most_bytes
        self.bytes = 0
        self.entries = 0
        self.hits = 0
        self.shared = 0
        self.misses = 0
        self.evictions = 0
        self._idle: OrderedDict[AssetRecord, None] = OrderedDict()
        self._idle_bytes = 0
        self._peak_bytes = 0
        # Assets with import settings are few; they stand apart, so that `forget` can look at each.
        self._alive: dict[AssetKey, EvictedAsset] = {}
        self._alive_variants: dict[AssetKey, EvictedAsset] = {}

    def add(self, size: int) -> None:
        """Counts a loaded asset of some bytes."""
        self.entries += 1
        self.resize(size)

    def resize(self, by: int) -> None:
        """Adds to the bytes of loaded assets."""
        self.bytes += by
        self._peak_bytes = max(self._peak_bytes, self.bytes)

    def release(self, record: AssetRecord) -> None:
        """Marks a loaded asset as idle, as its last holder is gone."""
        if not record.idle:
            record.idle = True
            self._idle[record] = None
            self._idle_bytes += record.size

    def hold(self, record: AssetRecord) -> None:
        """Marks an asset as held."""
        if record.idle:
            record.idle = False
            del self._idle[record]
            self._idle_bytes -= record.size

    def remove(self, record: AssetRecord) -> None:
        """Stops counting an asset, as its value is dropped or replaced."""
        self.hold(record)
        self.entries -= 1
        self.bytes -= record.size

    def surplus(
        self, most_bytes: int | None = None, most_entries: int | None = None
    ) -> AssetRecord | None:
        """Returns the next asset to evict, or None if the limits are kept.

        Args:
            most_bytes: The limit of bytes; by default the cache's.
            most_entries: The limit of idle assets; by default the cache's.
        """
        if not self._idle:
            return None
        limit = self.most_bytes if most_bytes is None else most_bytes
        entries = self.most_entries if most_entries is None else most_entries
        if self.bytes > limit or len(self._idle) > entries:
            return next(iter(self._idle))
        return None

    @property
    def over_limit(self) -> bool:
        """Whether held assets alone exceed the limit of bytes."""
        return self.bytes - self._idle_bytes > self.most_bytes

    def idle(self) -> list[AssetRecord]:
        """Returns the idle assets, in the order of eviction."""
        return list(self._idle)

    def remember(self, record: AssetRecord) -> None:
        """Keeps a weak reference to the value of an asset that is evicted, for `recall`."""
        key = record.key
        alive = self._alive_variants if key[1] else self._alive

        def forget(reference: weakref.ref[Any]) -> None:
            # Runs in the thread that drops the value's last reference, so it takes no lock: each
            # of the two steps is atomic. If `remember` was called in between, its newer asset is
            # put back.
            remembered = alive.pop(key, None)
            if remembered is not None and remembered.value is not reference:
                alive[key] = remembered

        try:
            reference = weakref.ref(record.value, forget)
        except TypeError:  # a list, a dictionary, or another type without weak references
            return
        needs = tuple((need.id, need.settings) for need in record.needs)
        remembered = EvictedAsset(
            reference, record.kind, record.digest, record.size, needs, record.version
        )
        alive[key] = remembered

    def recall(self, key: AssetKey) -> tuple[Any, EvictedAsset] | None:
        """Returns a value that the game still uses, with its data, and forgets it; or None."""
        remembered = (self._alive_variants if key[1] else self._alive).pop(key, None)
        value = remembered.value() if remembered is not None else None
        return None if remembered is None or value is None else (value, remembered)

    def forget(self, identifier: str) -> None:
        """Drops the weak references to values of an asset, as its file has changed."""
        self._alive.pop((identifier, ""), None)
        for key in [key for key in tuple(self._alive_variants) if key[0] == identifier]:
            self._alive_variants.pop(key, None)

    def statistics(self) -> CacheStatistics:
        """Returns the figures of the cache."""
        idle = len(self._idle)
        return CacheStatistics(
            self.entries,
            self.bytes,
            idle,
            self._idle_bytes,
            self._peak_bytes,
            self.hits,
            self.shared,
            self.misses,
            self.evictions,
            self.over_limit,
        )
