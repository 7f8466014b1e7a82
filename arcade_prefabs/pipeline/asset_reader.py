"""Handing out what was baked: on demand, and once more where the store is damaged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from ..errors import (
    AssetChangedError,
    AssetError,
    MissingAssetError,
    StoreError,
    UnsafePathError,
)
from ..prefab import Prefab, prefab_id
from ..prefab.asset_ids import PREFAB_FOLDER
from ..prefab.suggestions import did_you_mean, instead_of, nearest_ids
from .bake.baker import Baker
from .model.bake_result import BakeKey, shown_id
from .model.processor import settings_key
from .processors.prefab_pages import decode_prefab
from .sources import checked_path
from .store.bake_store import AnotherStoreError, BakeStore, DamagedStoreError
from .store.baked_assets import BakedAsset, find, open_asset
from .store.maintenance import damaged_output, expect
from .store.queries import ids_of

__all__ = ["BakedAssetReader"]

_PREFABS: Final = PREFAB_FOLDER + "/"
_WORLDS: Final = "worlds/"

_T = TypeVar("_T")
# Times that an asset may change while it is being read, before whoever reads it is told.
_MOST_READS: Final = 5
# Times that a store is repaired for one question: a damaged row, then the store, and once more.
_MOST_REPAIRS: Final = 3


class BakedAssetReader:
    """What an `AssetPipeline` reads from.

    Args:
        store: Where everything is.
        baker: Who bakes what is missing; None for a release file, in which nothing is.
        note_use: Whether to note what is handed out.

    Attributes:
        notes: What had to be repaired.
        used: What was handed out since somebody last emptied it.
        all_fresh: Whether a bake has compared all files that a scan shows.
        forgotten: How often `forget` was called.
        on_demand: Files that were baked because somebody asked for them.
        asked_for: Whether somebody has asked for an asset.

    Any thread.
    """

    def __init__(self, store: BakeStore, baker: Baker | None, *, note_use: bool = False) -> None:
        self.notes: list[str] = []
        self.used: set[BakeKey] = set()
        self.on_demand = 0
        self.asked_for = False
        self._store = store
        self._baker = baker
        self._note_use = note_use
        self._lock = threading.Lock()
        self.all_fresh = False
        self.forgotten = 0
        self._fresh: set[BakeKey] = set()  # what was compared with its file by itself
        self._generation = store.generation
        self._checked = -1  # the generation that was looked through

    def told(self) -> list[str]:
        """The notes, which are gone from here then."""
        notes, self.notes = self.notes, []
        return notes

    def forget(self) -> None:
        """Compare assets with their files again."""
        with self._lock:
            self.forgotten += 1
            self.all_fresh = False
            self._fresh.clear()

    def baked(self, forgotten: int, *, whole: bool) -> None:
        """Note a bake that began when `forgotten` had that value."""
        with self._lock:
            if self.forgotten == forgotten:  # or what was forgotten meanwhile would not be
                self.all_fresh = self.all_fresh or whole
                self._fresh.clear()

    def rebuild(self, error: DamagedStoreError) -> str:
        """Begin a new store in place of a damaged one; gives what to tell."""
        another = isinstance(error, AnotherStoreError)
        aside = None if another else self._store.rebuild(error.generation)
        self.forget()
        if aside is None:  # another thread or program has done it, and told
            return str(error)
        note = f"{error}; a new store was begun, the old file is {aside}"
        self.notes.append(note)
        return note

    def asked(self, question: Callable[[], _T]) -> _T:
        """Ask the store something that nothing is baked for.

        If it turns out to be damaged, a new one is begun and the error says so: what would be
        answered then is nothing.
        """
        try:
            return question()
        except DamagedStoreError as error:
            if self._baker is None or self._store.closed:
                raise
            raise StoreError(f"{self.rebuild(error)}: bake again") from error

    def get(self, identifier: str, settings: Mapping[str, Any] | None) -> BakedAsset:
        """See `AssetPipeline.get`."""
        self.asked_for = True  # before it is read: a bake that ends later may replace it
        path, _, label = identifier.partition("#")
        key = BakeKey(checked_path(path), settings_key(settings or {}))
        return self._healing(partial(self._read, key, label), key)

    def get_prefab(self, identifier: str) -> Prefab:
        """See `AssetPipeline.get_prefab`."""
        try:
            full = prefab_id(identifier)
        except ValueError as error:
            raise UnsafePathError(str(error), path=identifier[:200]) from None
        key = BakeKey(full.partition("#")[0])
        for attempt in range(_MOST_READS):
            asset = self.get(full, None)
            if asset.kind == "abstract":
                raise AssetError("the prefab is abstract: it can only be extended", path=full)
            if asset.kind != "prefab":
                raise AssetError(f"this is no prefab: it was baked to {asset.kind}", path=full)
            try:
                return self._healing(partial(decode_prefab, asset), key)
            except AssetChangedError:
                if attempt == _MOST_READS - 1:
                    raise
        raise AssertionError("the loop ends with a return or a raise")

    def _read(self, key: BakeKey, label: str) -> BakedAsset:
        baker = self._baker
        looked = baker is None or self._is_fresh(key)
        if not looked:
            self._bake(key)
        found = find(self._store, key, label)
        if self._generation != self._store.generation:  # what is known to be fresh is in another
            self._generation = self._store.generation
            self.forget()
            return self._read(key, label)
        left = found is not None and found.left
        if baker is not None and (left or (looked and (found is None or found.lacking))):
            # It left a store that was too large, or came after the last bake.
            if left:
                expect(self._store, key)
            self._bake(key)
            found = find(self._store, key, label)
        if found is None:
            self._refuse_unknown_kind(key)
            raise MissingAssetError("there is no such asset", path=key.path, hint=self._hint(key))
        if self._note_use:
            self.used.add(key)
        return open_asset(self._store, key, label, found, partial(self._repair, key))

    def _hint(self, key: BakeKey) -> str | None:
        """What somebody may have meant who asked for something that is not there."""
        folder = next((one for one in (_PREFABS, _WORLDS) if key.path.startswith(one)), "")
        paths = dict.fromkeys(one.partition("#")[0] for one in ids_of(self._store, None))
        prefab = _PREFABS + key.path.removeprefix(_WORLDS)
        if folder == _WORLDS and prefab in paths:
            return f"there is a prefab of that name: `{prefab}`; worlds stand below `{_WORLDS}`"
        # A prefab is never a way to write a world.
        alike = [path for path in paths if path.startswith(folder)]
        if folder:
            return nearest_ids(key.path, alike, folder)
        instead = instead_of(key.path)
        if instead is not None:
            # A file of that kind is another one than a prefab; one of the same kind may be meant.
            end = key.path.rpartition(".")[2].lower()
            alike = [one for one in alike if one.lower().endswith(end)]
        return did_you_mean(key.path, alike, instead) if alike else instead

    def is_fresh(self, identifier: str, settings: Mapping[str, Any] | None) -> bool:
        """See `AssetPipeline.is_fresh`."""
        path = checked_path(identifier.partition("#")[0])
        return self._baker is None or self._is_fresh(BakeKey(path, settings_key(settings or {})))

    def _is_fresh(self, key: BakeKey) -> bool:
        # A scan shows neither variants nor what stands behind handles.
        scanned = not key.variant and not key.path.startswith(":")
        return key in self._fresh or (self.all_fresh and scanned)

    def _bake(self, key: BakeKey) -> None:
        """Make sure that what the store has under a key is what the files say."""
        assert self._baker is not None
        before, forgotten = self._baker.executor.files_baked, self.forgotten
        looked_at = self._baker.one(key, self._is_fresh)
        with self._lock:
            self.on_demand += self._baker.executor.files_baked > before
            if forgotten == self.forgotten:  # or the file may have changed since it was looked at
                self._fresh |= looked_at
                self._fresh.add(key)

    def _refuse_unknown_kind(self, key: BakeKey) -> None:
        """Raise if the file is there, but nobody knows how to bake it."""
        if self._baker is not None:
            executor = self._baker.executor
            if executor.source.stat(key.path) is not None and executor.choose(key.path) is None:
                shown = executor.source.shown(key.path)
                message = "no processor takes files of this kind"
                raise AssetError(message, path=shown, hint=instead_of(key.path))

    def _healing(self, read: Callable[[], _T], key: BakeKey) -> _T:
        """Read something; if the store turns out to be damaged, bake it again and try once more."""
        for _ in range(_MOST_REPAIRS):
            try:
                return read()
            except AssetChangedError:
                raise
            except StoreError as error:
                if self._store.closed:
                    raise
                self._repair(key, error)
        return read()

    def _repair(self, key: BakeKey, error: StoreError) -> None:
        """Throw away what is damaged, so that it is baked again by whoever asks next."""
        if self._store.closed:
            return
        if self._baker is None:
            if isinstance(error, DamagedStoreError) or isinstance(error.__cause__, StoreError):
                raise error  # which says where, and what to do
            place = f"{shown_id(key)} in {self._store.path}"
            raise StoreError(f"{place}: {error}; get a sound copy of the file") from error
        if isinstance(error, DamagedStoreError):
            self.rebuild(error)
        else:
            try:
                if self._checked != self._store.generation:
                    self._checked = self._store.generation
                    self._store.check()  # what damaged this may have hidden other rows
                damaged_output(self._store, key)
                self.notes.append(f"{shown_id(key)}: {error}; it was baked again")
            except DamagedStoreError as worse:
                self.rebuild(worse)
            self.forget()
