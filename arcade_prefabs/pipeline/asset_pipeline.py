"""`AssetPipeline`: an assets folder, turned into data that loads in microseconds."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..errors import LocatedError, MissingPrefabError, StoreError
from ..prefab import ComponentRegistry, Prefab
from .asset_reader import BakedAssetReader
from .bake.baker import Baker, OnProgress
from .bake.executor import BakeExecutor, Cancelled
from .bake.worker_pool import InlineWorkers, ProcessWorkers, Workers
from .dangling_references import ReferenceChecker, named
from .model.bake_report import BakeReport, StoreStatistics
from .model.bake_result import BakeKey
from .model.processor import Processor, settings_key
from .processors import builtin_processors, world_id
from .sources import AssetSource, checked_path
from .store.bake_store import BakeStore, DamagedStoreError
from .store.baked_assets import BakedAsset, find, needs_of
from .store.locations import (
    STORE_NAME,
    Folders,
    is_possible,
    is_release,
    named_store,
    open_source,
    set_aside,
    store_folder,
)
from .store.maintenance import expect, keep_below, left, remove_built
from .store.queries import (
    Explanation,
    broken_of,
    dependents_of,
    explain,
    files_of,
    ids_of,
    statistics,
)
from .store.release import write_release

__all__ = ["AssetPipeline"]

_T = TypeVar("_T")
# Times that an asset may change while it is being read, before whoever reads it is told.
_MOST_READS = 5


class AssetPipeline:
    """Bakes assets, and hands out what was baked.

    Example:
        >>> from arcade_prefabs.pipeline import AssetPipeline, MemorySource
        >>> source = MemorySource({"prefabs/rock.ron": 'Prefab(components: [Tags(["grey"])])'})
        >>> with AssetPipeline(source) as pipeline:
        ...     report = pipeline.bake()
        ...     rock = pipeline.get_prefab("rock")
        >>> report.ok, rock.components
        (True, {'Tags': {'names': ['grey']}})

    Args:
        assets: The assets folder, a zip archive, a release file, or any `AssetSource`.
        processors: Processors of the game's own; they win over the built-in ones.
        registry: The components that prefabs may name; the ``default_registry`` if none is given.
        handles: Folders of Arcade resource handles, such as ``{"game": ["assets"]}``; those that
            Arcade has from the start are known.
        store: The file of the bake store; by default ``.arcade_prefabs/bake.sqlite`` in the assets
            folder, or in the user's cache folder where that cannot be written.
        jobs: Worker processes: None for one per core, 0 for none at all.
        store_limit: Bytes that the store may have, None for any number. What was used longest ago
            goes first, and is baked again when it is asked for.
        workers: Other workers than those of ``jobs``.
        clock_ns: Gives the time in nanoseconds; for tests.
        on_step: See `BakeStore`; for tests.

    Raises:
        MissingAssetError: There is no such folder or file.
        StoreError: The store, or the release file, cannot be opened.

    Any thread.
    """

    def __init__(
        self,
        assets: str | os.PathLike[str] | AssetSource = "assets",
        *,
        processors: Iterable[Processor] = (),
        registry: ComponentRegistry | None = None,
        handles: Folders | None = None,
        store: str | os.PathLike[str] | None = None,
        jobs: int | None = None,
        store_limit: int | None = None,
        workers: Workers | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
        on_step: Callable[[str], None] | None = None,
    ) -> None:
        self._limit = store_limit
        self._registry = registry
        self._temporary: Path | None = None
        self._bakes = 0
        self._closed = False
        self._whole = threading.Condition()
        self._whole_bakes = 0  # that are under way
        self._note = ""
        self._workers: Workers | None = workers
        self._baker: Baker | None = None
        self.source: AssetSource | None = None
        if not isinstance(assets, AssetSource) and is_release(Path(assets)):
            self.store = BakeStore(Path(assets), read_only=True)
            self._shelf = BakedAssetReader(self.store, None)
            return
        folder = None if isinstance(assets, AssetSource) else Path(assets)
        self.source = (
            assets if isinstance(assets, AssetSource) else open_source(Path(assets), handles or {})
        )
        if store is None:
            place = store_folder(folder)
            if folder is None:
                self._temporary = place
            path = place / STORE_NAME
        else:
            path = named_store(Path(store))
        self.store = self._open_store(path, on_step)
        try:
            if self._workers is None:
                inline = jobs == 0 or not self.source.portable or not ProcessWorkers.possible()
                self._workers = InlineWorkers() if inline else ProcessWorkers(jobs)
            own = list(processors)
            names = {one.name for one in own}
            chosen = [*(one for one in builtin_processors(registry) if one.name not in names), *own]
            executor = BakeExecutor(self.store, self.source, chosen, self._workers, clock_ns)
        except BaseException:
            # What the caller gave is the caller's to close; nobody else can close the store.
            self._close_store()
            raise
        self._baker = Baker(executor)
        self._shelf = BakedAssetReader(self.store, self._baker, note_use=store_limit is not None)
        if self._note:
            self._shelf.notes.append(self._note)

    def _open_store(self, path: Path, on_step: Callable[[str], None] | None) -> BakeStore:
        try:
            return BakeStore(path, on_step=on_step)
        except DamagedStoreError as error:
            aside = set_aside(path)
            self._note = f"{error}; a new store was begun, the old file is {aside}"
            return BakeStore(path, on_step=on_step)

    # -------------------------------------------------------------------------------------- bake

    @property
    def read_only(self) -> bool:
        """Whether this is a release file, in which everything is baked."""
        return self._baker is None

    @property
    def was_asked(self) -> bool:
        """Whether an asset was handed out, or is about to be. Any thread."""
        return self._shelf.asked_for

    def bake(
        self,
        paths: Iterable[str] | None = None,
        *,
        on_progress: OnProgress | None = None,
        cancelled: Cancelled | None = None,
    ) -> BakeReport:
        """Bring the store up to date: bake what changed, and what is made from it.

        An asset that cannot be baked is in the report's errors; its last good version stays, and
        all others are baked.

        Args:
            paths: Only these files, and everything that is made from them; all if none are given.
            on_progress: Called now and then, in this thread.
            cancelled: Asked now and then, in this thread; True ends the bake.

        Raises:
            BakeCancelledError: ``cancelled`` said so. What was committed stays.
            StoreError: The store cannot be written: the disk is full, for one.
            UnsafePathError: One of the paths could leave the assets folder.

        Any thread, several at a time; returns when everything is committed.
        """
        baker = self._baking()
        if paths is None:
            with self._whole:
                self._whole_bakes += 1
            try:
                return self._bake(baker, None, on_progress, cancelled)
            finally:
                with self._whole:
                    self._whole_bakes -= 1
                    self._whole.notify_all()
        chosen = [checked_path(path) for path in paths]
        return self._bake(baker, chosen, on_progress, cancelled)

    def _bake(
        self,
        baker: Baker,
        chosen: list[str] | None,
        on_progress: OnProgress | None,
        cancelled: Cancelled | None,
    ) -> BakeReport:
        forgotten = self._shelf.forgotten
        started = time.perf_counter()
        report = BakeReport(notes=self._shelf.told())

        def run() -> None:
            if chosen is None:
                baker.everything(report, on_progress, cancelled)
            else:
                baker.some(chosen, report, on_progress, cancelled)

        try:
            run()
        except DamagedStoreError as error:
            self._shelf.rebuild(error)
            forgotten = self._shelf.forgotten
            report = BakeReport(notes=self._shelf.told())
            chosen = None
            run()
        self._bakes += 1
        self._shelf.baked(forgotten, whole=chosen is None)
        if self._limit is not None:
            self._note_used()
            report.notes += keep_below(self.store, self._limit)
        self._add_hints(report)
        report.seconds = time.perf_counter() - started
        return report

    def _add_hints(self, report: BakeReport) -> None:
        """Name the nearest prefabs where one is not there: a worker does not know their names."""
        without = [
            error
            for error in report.errors
            if isinstance(error, MissingPrefabError) and error.hint is None
        ]
        if without:
            references = self._references()
            for error in without:
                error.hint = references.hint_for(error)

    def _references(self) -> ReferenceChecker:
        executor = self._baking().executor
        return ReferenceChecker(self.store, executor.source, executor.choose, self._registry)

    def _baking(self) -> Baker:
        if self._closed:
            raise StoreError("the pipeline is closed")
        if self._baker is None:
            raise StoreError(f"{self.store.path} is a release file: everything in it is baked")
        return self._baker

    def invalidate(self) -> None:
        """Look at files again before they are handed out.

        Any thread.
        """
        self._shelf.forget()

    # --------------------------------------------------------------------------------------- get

    def get(self, identifier: str, settings: Mapping[str, Any] | None = None) -> BakedAsset:
        """What was baked from a file; baked now, if it was not yet or the file has changed.

        Args:
            identifier: A path below the assets folder, behind a resource handle, or the id of a
                prefab: ``props/crate.ron`` without its suffix means nothing here, see
                `get_prefab`.
            settings: Settings that differ from the processor's, such as those of a sprite sheet.

        Raises:
            UnsafePathError: No such path may exist.
            MissingAssetError: There is no such file, or no such part of it.
            AssetError, PrefabError, RonError: It cannot be baked, and never could.
            StoreError: The store cannot be read.

        Any thread; takes microseconds if it is baked, and else as long as baking it.
        """
        return self._shelf.get(identifier, settings)

    def is_fresh(self, identifier: str, settings: Mapping[str, Any] | None = None) -> bool:
        """Whether `get` takes what is in the store, without looking at files or baking them.

        Raises:
            UnsafePathError: No such path may exist.

        Any thread.
        """
        return self._shelf.is_fresh(identifier, settings)

    def get_prefab(self, identifier: str) -> Prefab:
        """A prefab, from any way to write its id: ``props/crate``, ``castle.ron#gate``.

        Raises:
            PrefabError: It is abstract, or cannot be baked.
            As `get`.

        Any thread.
        """
        return self._shelf.get_prefab(identifier)

    def needs(self, identifier: str) -> list[str]:
        """The assets that have to be there at run time for a file's outputs. Any thread."""
        key = BakeKey(checked_path(identifier.partition("#")[0]))

        def needed() -> list[str]:
            found = find(self.store, key, "")
            return [need.name for need in needs_of(self.store, found.asset)] if found else []

        return self._shelf.asked(needed)

    # ---------------------------------------------------------------------------------- questions

    def ids(self, kind: str | None = None) -> list[str]:
        """The ids of everything that is baked, or of one kind of it, sorted. Any thread."""
        return self._shelf.asked(partial(ids_of, self.store, kind))

    def files(self, *kinds: str) -> dict[str, bytes]:
        """The whole files among what is baked, of some kinds, each with the hash of its content.

        Sheets cut in other ways than their file says, and labelled parts, are left out. Any thread.
        """
        return self._shelf.asked(partial(files_of, self.store, kinds))

    def ids_to_load(self, kind: str, cancelled: Cancelled | None = None) -> list[str]:
        """The ids of everything of one kind, with the files that cannot be baked to it.

        What is not baked is baked before; a bake of everything that is under way is waited for.

        Args:
            kind: What assets are baked to.
            cancelled: As for `bake`.

        Raises:
            BakeCancelledError, StoreError, MissingAssetError: As `bake`.

        Any thread; takes as long as the bake.
        """
        with self._whole:
            while self._whole_bakes and not (cancelled is not None and cancelled()):
                self._whole.wait(0.1)
        if self._baker is not None and not self._shelf.all_fresh:
            self.bake(cancelled=cancelled)
        broken = self._shelf.asked(partial(broken_of, self.store, kind))
        return sorted({*self.ids(kind), *broken})

    def has_folder(self, folder: str) -> bool:
        """Whether there is such a folder on disk, empty or not; False in archives. Any thread."""
        folder = checked_path(folder)
        source = self.source
        return source is not None and any(
            folder.startswith(prefix) and is_possible(below) and below.is_dir()
            for place, prefix in source.folders()
            for below in (place / folder.removeprefix(prefix),)
        )

    def dependents(self, identifier: str, *, at_run_time: bool = False) -> list[str]:
        """The files that are baked again, directly or by way of others, when this one changes.

        Args:
            identifier: The file.
            at_run_time: Those, too, that only need it to be there when they are used.

        Any thread.
        """
        path = checked_path(identifier.partition("#")[0])
        ask = partial(dependents_of, self.store, path, at_run_time=at_run_time)
        return self._shelf.asked(ask)

    def explain(self, identifier: str, settings: Mapping[str, Any] | None = None) -> Explanation:
        """Why a file was baked last, from what, and to what.

        Raises:
            MissingAssetError: Nothing is known of it.

        Any thread.
        """
        path = checked_path(identifier.partition("#")[0])
        key = BakeKey(path, settings_key(settings or {}))
        return self._shelf.asked(partial(explain, self.store, key))

    def takes(self, path: str) -> bool:
        """Whether a processor takes files of that path. Any thread."""
        return self._baking().executor.choose(path) is not None

    def unbaked(self) -> list[str]:
        """The files that baked ones name, which are there and were not baked yet. Any thread."""
        baker = self._baking()
        return [path for path in self._shelf.asked(partial(named, self.store)) if baker.can(path)]

    def dangling(self) -> list[LocatedError]:
        """What baked files name and a game could not load, each with the place where it is named.

        A prefab is baked although its texture, or a prefab that it spawns, is not there; a world is
        baked although its prefabs are not. Bake before.

        Raises:
            StoreError: This is a release file.

        Any thread; reads the files again that name such things.
        """
        return self._shelf.asked(lambda: self._references().dangling())

    def statistics(self) -> StoreStatistics:
        """What the store holds, and what was done since the pipeline was opened. Any thread."""
        restarts = getattr(self._workers, "restarts", 0)
        baked = self._baker.executor.files_baked if self._baker else 0
        seconds = self._baker.executor.bake_seconds if self._baker else 0.0
        return self._shelf.asked(partial(statistics, self.store))._replace(
            baked=baked,
            bakes=self._bakes,
            on_demand=self._shelf.on_demand,
            bake_seconds=seconds,
            worker_restarts=restarts,
        )

    # ------------------------------------------------------------------------------------- upkeep

    def remove_world(self, world: str) -> bool:
        """Remove a world that `WorldBuilder` has built; whether there was one.

        Raises:
            UnsafePathError: No such world may exist.
            StoreError: The store is read-only, or cannot be written.

        Any thread.
        """
        self._baking()
        return self._shelf.asked(partial(remove_built, self.store, BakeKey(world_id(world))))

    def clean(self) -> int:
        """Give the room of what was deleted back to the disk; gives the bytes.

        Raises:
            StoreError: The store is read-only, or in use.

        Any thread; rewrites the whole file.
        """
        self._baking()
        before = self.store.file_bytes()
        self.store.compact()
        return max(0, before - self.store.file_bytes())

    def write_release(self, path: str | os.PathLike[str]) -> int:
        """Write everything that is baked into one read-only file; gives its size in bytes.

        A shipped game opens it in place of the assets folder, needs neither RON nor workers, and
        writes nothing. Bake before.

        Raises:
            StoreError: The file cannot be written.

        Any thread.
        """
        if self._baker is not None:
            for key in self._shelf.asked(partial(left, self.store)):
                expect(self.store, key)
                self._baker.one(key)
        return self._shelf.asked(partial(write_release, self.store, Path(path)))

    def _note_used(self) -> None:
        used, self._shelf.used = self._shelf.used, set()
        if used:
            with self.store.writing() as db:
                number = db.execute("SELECT value FROM facts WHERE name='run'").fetchone()
                rows = [(number[0] if number else 0, *key) for key in used]
                db.executemany("UPDATE assets SET run=? WHERE path=? AND variant=?", rows)

    def close(self) -> None:
        """End the workers and close the store; may be called twice. Any thread."""
        if self._closed:
            return
        self._closed = True
        if self._workers is not None:
            self._workers.close()
        if self._limit is not None and self._baker is not None:
            with contextlib.suppress(StoreError):
                self._note_used()
        self._close_store()
        if self.source is not None:
            self.source.close()

    def _close_store(self) -> None:
        self.store.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> AssetPipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
