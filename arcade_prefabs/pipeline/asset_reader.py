"""Reads baked assets: bakes missing and changed ones on demand, and repairs a damaged store."""

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
from .model.bake_result import BakeKey, BakeResult, shown_id
from .model.processor import settings_key
from .processors.prefab_pages import decode_prefab
from .sources import checked_path
from .store.bake_store import AnotherStoreError, BakeStore, DamagedStoreError
from .store.baked_assets import BakedAsset, find, open_asset, open_result
from .store.maintenance import damaged_output
from .store.queries import ids_of

__all__ = ["BakedAssetReader"]

_PREFABS: Final = PREFAB_FOLDER + "/"
_WORLDS: Final = "worlds/"

_T = TypeVar("_T")
# How often an asset may change while it is being read before AssetChangedError is raised.
_MOST_READS: Final = 5
# How often the store is repaired in one call: a damaged row, then the whole store, and once more.
_MOST_REPAIRS: Final = 3


class BakedAssetReader:
    """Reads the baked assets of an `AssetPipeline`.

    An asset is *fresh* if its outputs are known to match its files, so that reading it takes no
    look at any file. `forget` ends that for all assets.

    Args:
        store: The bake store or release file.
        baker: Bakes missing and changed assets; None for a release file.

    Attributes:
        notes: Messages about repairs of the store.
        all_fresh: Whether a bake has compared all files of the source since the last `forget`.
        forgotten: How often `forget` was called.
        on_demand: The number of calls that had to bake files.
        was_asked: Whether `get` was called.

    Any thread.
    """

    def __init__(self, store: BakeStore, baker: Baker | None) -> None:
        self.notes: list[str] = []
        self.on_demand = 0
        self.was_asked = False
        self._store = store
        self._baker = baker
        self._lock = threading.Lock()
        self.all_fresh = False
        self.forgotten = 0
        self._fresh: set[BakeKey] = set()  # assets that were compared with their files one by one
        self._generation = store.generation
        self._checked = -1  # the generation of the store whose structure was checked last

    def take_notes(self) -> list[str]:
        """Returns the notes, and removes them here."""
        notes, self.notes = self.notes, []
        return notes

    def forget(self) -> None:
        """Makes all assets not fresh, so that they are compared with their files again."""
        with self._lock:
            self.forgotten += 1
            self.all_fresh = False
            self._fresh.clear()

    def baked(self, forgotten: int, *, whole: bool) -> None:
        """Marks assets as fresh after a bake.

        Args:
            forgotten: The value of `forgotten` when the bake began; if it is larger now, files may
                have changed during the bake, and nothing is marked.
            whole: Whether all files were baked.
        """
        with self._lock:
            if self.forgotten == forgotten:
                self.all_fresh = self.all_fresh or whole
                self._fresh.clear()

    def rebuild(self, error: DamagedStoreError) -> str:
        """Replaces a damaged store by an empty one; returns a message about it."""
        another = isinstance(error, AnotherStoreError)
        aside = None if another else self._store.rebuild(error.generation)
        self.forget()
        if aside is None:  # another thread or program has replaced it, and reported it
            return str(error)
        note = f"{error}; a new store was begun, the old file is {aside}"
        self.notes.append(note)
        return note

    def query(self, read: Callable[[], _T]) -> _T:
        """Reads from the store without baking anything.

        If the store is damaged, it is replaced by an empty one and StoreError is raised, because
        the empty store has no answer.
        """
        try:
            return read()
        except DamagedStoreError as error:
            if self._baker is None or self._store.closed:
                raise
            raise StoreError(f"{self.rebuild(error)}: bake again") from error

    def get(self, identifier: str, settings: Mapping[str, Any] | None) -> BakedAsset:
        """Implements `AssetPipeline.get`."""
        self.was_asked = True  # before reading: a bake that ends later may replace the asset
        path, _, label = identifier.partition("#")
        key = BakeKey(checked_path(path), settings_key(settings or {}))
        return self._with_repairs(partial(self._read, key, label), key)

    def get_prefab(self, identifier: str) -> Prefab:
        """Implements `AssetPipeline.get_prefab`."""
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
                return self._with_repairs(partial(decode_prefab, asset), key)
            except AssetChangedError:
                if attempt == _MOST_READS - 1:
                    raise
        raise AssertionError("the loop ends with a return or a raise")

    def _read(self, key: BakeKey, label: str) -> BakedAsset:
        baker = self._baker
        was_fresh = baker is None or self._is_fresh(key)
        if not was_fresh:
            result = self._bake(key)
            if result is not None and self._generation == self._store.generation:
                asset = open_result(key, label, result)
                if asset is not None:
                    return asset
        found = find(self._store, key, label)
        if self._generation != self._store.generation:  # a new store, in which nothing is fresh
            self._generation = self._store.generation
            self.forget()
            return self._read(key, label)
        if baker is not None and was_fresh and (found is None or found.lacking):
            self._bake(key)  # its file is newer than the last bake
            found = find(self._store, key, label)
        if found is None:
            self._refuse_unknown_kind(key)
            raise MissingAssetError("there is no such asset", path=key.path, hint=self._hint(key))
        return open_asset(self._store, key, label, found, partial(self._repair, key))

    def _hint(self, key: BakeKey) -> str | None:
        """Returns a hint with the most similar assets, for one that does not exist."""
        folder = next((one for one in (_PREFABS, _WORLDS) if key.path.startswith(one)), "")
        paths = dict.fromkeys(one.partition("#")[0] for one in ids_of(self._store, None))
        prefab = _PREFABS + key.path.removeprefix(_WORLDS)
        if folder == _WORLDS and prefab in paths:
            return f"there is a prefab of that name: `{prefab}`; worlds stand below `{_WORLDS}`"
        # A path below `worlds/` gets hints about worlds only.
        alike = [path for path in paths if path.startswith(folder)]
        if folder:
            return nearest_ids(key.path, alike, folder)
        instead = instead_of(key.path)
        if instead is not None:
            # No prefab has this suffix, so only files with the same suffix are similar.
            end = key.path.rpartition(".")[2].lower()
            alike = [one for one in alike if one.lower().endswith(end)]
        return did_you_mean(key.path, alike, instead) if alike else instead

    def is_fresh(self, identifier: str, settings: Mapping[str, Any] | None) -> bool:
        """Implements `AssetPipeline.is_fresh`."""
        path = checked_path(identifier.partition("#")[0])
        return self._baker is None or self._is_fresh(BakeKey(path, settings_key(settings or {})))

    def _is_fresh(self, key: BakeKey) -> bool:
        # A bake of all files scans neither import settings nor files behind resource handles.
        scanned = not key.variant and not key.path.startswith(":")
        return key in self._fresh or (self.all_fresh and scanned)

    def _bake(self, key: BakeKey) -> BakeResult | None:
        """Compares an asset and its inputs with their files, and bakes those that are stale.

        Returns:
            The result of the asset that was written, or None if it was not stale.
        """
        assert self._baker is not None
        before, forgotten = self._baker.executor.files_baked, self.forgotten
        committed: dict[BakeKey, BakeResult | None] = {key: None}
        compared = self._baker.one(key, self._is_fresh, committed)
        with self._lock:
            self.on_demand += self._baker.executor.files_baked > before
            if forgotten == self.forgotten:  # otherwise a file may have changed meanwhile
                self._fresh |= compared
                self._fresh.add(key)
        return committed[key]

    def _refuse_unknown_kind(self, key: BakeKey) -> None:
        """Raises AssetError if the file exists but no processor takes files of its kind."""
        if self._baker is not None:
            executor = self._baker.executor
            if executor.source.stat(key.path) is not None and executor.choose(key.path) is None:
                shown = executor.source.shown(key.path)
                message = "no processor takes files of this kind"
                raise AssetError(message, path=shown, hint=instead_of(key.path))

    def _with_repairs(self, read: Callable[[], _T], key: BakeKey) -> _T:
        """Calls ``read`` for an asset; if the store is damaged, repairs it and calls again."""
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
        """Deletes damaged rows, or the whole store, so that the asset is baked again.

        Raises:
            StoreError: This is a release file, which cannot be repaired.
        """
        if self._store.closed:
            return
        if self._baker is None:
            if isinstance(error, DamagedStoreError) or isinstance(error.__cause__, StoreError):
                raise error  # its message has the file's path and a hint
            location = f"{shown_id(key)} in {self._store.path}"
            raise StoreError(f"{location}: {error}; get a sound copy of the file") from error
        if isinstance(error, DamagedStoreError):
            self.rebuild(error)
        else:
            try:
                if self._checked != self._store.generation:
                    self._checked = self._store.generation
                    self._store.check()  # the same damage may hide other rows
                damaged_output(self._store, key)
                self.notes.append(f"{shown_id(key)}: {error}; it was baked again")
            except DamagedStoreError as worse:
                self.rebuild(worse)
            self.forget()
