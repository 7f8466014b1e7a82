"""`PrefabCache`: what was loaded and is not held any more, in case somebody wants it again."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Any, NamedTuple

from ..workers.decoders import AssetDependency
from .asset_record import AssetKey, AssetRecord

__all__ = ["CacheStatistics", "EvictedAsset", "PrefabCache"]


class CacheStatistics(NamedTuple):
    """What the cache did, and what it holds.

    Attributes:
        entries: Loaded assets, held ones included.
        bytes: Their size.
        idle_entries: Those that nobody holds.
        idle_bytes: Their size.
        peak_bytes: The largest size so far.
        hits: Loads that found their asset loaded.
        shared: Loads that found it alive in the game, though the cache had let it go.
        misses: Loads that had to read.
        evictions: Assets that had to go.
        over_limit: Whether what is held is by itself more than the limit.
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
    """An asset that was let go, but that the game may still use: a weak reference to its value."""

    value: weakref.ref[Any]
    kind: str
    digest: bytes
    size: int
    needs: tuple[AssetDependency, ...]
    version: int


class PrefabCache:
    """The least recently used go first, by number and by bytes; what is held never goes.

    Assets are held by handles, pins, and by assets that need them. A value that the game goes on
    using is remembered by a weak reference, and shared with whoever loads it again.

    Args:
        most_entries: Assets that stay without being held.
        most_bytes: Bytes of all loaded assets; those that are not held go beyond that.

    Attributes:
        bytes: The size of all loaded assets.
        entries: How many there are.

    All methods are called under the loader's lock. Those that let assets go give them back, so
    that what they hold can be dropped outside the lock.
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
        # Those with settings of their own are few and stand apart, to be found by id alone.
        self._alive: dict[AssetKey, EvictedAsset] = {}
        self._alive_variants: dict[AssetKey, EvictedAsset] = {}

    def add(self, size: int) -> None:
        """Count an asset that was loaded."""
        self.entries += 1
        self.resize(size)

    def resize(self, by: int) -> None:
        """Count a loaded asset's growth."""
        self.bytes += by
        self._peak_bytes = max(self._peak_bytes, self.bytes)

    def release(self, record: AssetRecord) -> None:
        """Note that nobody holds a loaded asset any more."""
        if not record.idle:
            record.idle = True
            self._idle[record] = None
            self._idle_bytes += record.size

    def hold(self, record: AssetRecord) -> None:
        """Note that somebody holds it again."""
        if record.idle:
            record.idle = False
            del self._idle[record]
            self._idle_bytes -= record.size

    def remove(self, record: AssetRecord) -> None:
        """Count an asset out that is not loaded any more."""
        self.hold(record)
        self.entries -= 1
        self.bytes -= record.size

    def surplus(
        self, most_bytes: int | None = None, most_entries: int | None = None
    ) -> AssetRecord | None:
        """The asset that has to go next, if one has to."""
        if not self._idle:
            return None
        limit = self.most_bytes if most_bytes is None else most_bytes
        entries = self.most_entries if most_entries is None else most_entries
        if self.bytes > limit or len(self._idle) > entries:
            return next(iter(self._idle))
        return None

    @property
    def over_limit(self) -> bool:
        """Whether what is held is by itself more than the limit."""
        return self.bytes - self._idle_bytes > self.most_bytes

    def idle(self) -> list[AssetRecord]:
        """Assets that nobody holds, the one that goes first in front."""
        return list(self._idle)

    def remember(self, record: AssetRecord) -> None:
        """Share the value again if the game still has it when somebody asks."""
        key = record.key
        alive = self._alive_variants if key[1] else self._alive

        def forget(reference: weakref.ref[Any]) -> None:
            # Runs in whichever thread drops the last reference, so it takes no lock: each of the
            # two steps is atomic, and a newer one that came between is put back.
            remembered = alive.pop(key, None)
            if remembered is not None and remembered.value is not reference:
                alive[key] = remembered

        try:
            reference = weakref.ref(record.value, forget)
        except TypeError:  # lists, dictionaries and the like
            return
        needs = tuple((need.id, need.settings) for need in record.needs)
        remembered = EvictedAsset(
            reference, record.kind, record.digest, record.size, needs, record.version
        )
        alive[key] = remembered

    def recall(self, key: AssetKey) -> tuple[Any, EvictedAsset] | None:
        """A value that is still alive; it is not remembered any more."""
        remembered = (self._alive_variants if key[1] else self._alive).pop(key, None)
        value = remembered.value() if remembered is not None else None
        return None if remembered is None or value is None else (value, remembered)

    def forget(self, identifier: str) -> None:
        """Do not share what is alive of an asset: it is another one now."""
        self._alive.pop((identifier, ""), None)
        for key in [key for key in tuple(self._alive_variants) if key[0] == identifier]:
            self._alive_variants.pop(key, None)

    def statistics(self) -> CacheStatistics:
        """See `CacheStatistics`."""
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
