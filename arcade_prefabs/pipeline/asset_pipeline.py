"""`AssetPipeline`: the entry to everything that bakes assets and reads baked ones.

**Problem.** Authors edit text files and pictures; a game needs data that it can load in
microseconds while it draws. After each edit exactly those assets have to be baked again that the
edit can change: too few show old data, too many make the author wait. And nothing may be lost or
half written when a worker process dies, the power fails, or two programs use one assets folder.

**Way taken.** The work is divided among five objects, which this class puts together:

* an `AssetSource` reads files, and refuses paths that leave the assets folder;
* a `BakeStore` keeps all outputs with their inputs in one SQLite file, in transactions;
* a `BakeExecutor` sends files to worker processes and commits their results;
* a `Baker` compares source and store, and decides what is baked in which order;
* a `BakedAssetReader` returns baked assets, bakes missing ones on demand, and repairs the store.

`bake` brings the whole store up to date. `get` does it for one asset: it checks the asset and its
inputs, bakes if need be, and remembers the asset as fresh. A release file is a store without source
and baker; then nothing is checked or baked.

**Rejected.** Baking in threads of the game: Python's interpreter lock would cost it most of its
frames. One output file for each asset, as many engines have it: a crash leaves a mixture of old and
new files. Time stamps alone to find what is stale, as ``make`` does: a checkout or a copy changes
them, and a changed component class has none.
"""

from __future__ import annotations

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
from .store.maintenance import remove_built
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
# How often an asset may change while it is being read before AssetChangedError is raised.
_MOST_READS = 5


class AssetPipeline:
    """Bakes the files of an assets folder and returns baked assets.

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
        processors: Processors of the game; for files that a built-in one takes, too, they come
            first.
        registry: The components that prefabs may name; None for the ``default_registry``.
        handles: Folders of Arcade resource handles, such as ``{"game": ["assets"]}``. Arcade's own
            handles are added.
        store: The file of the bake store; by default ``.arcade_prefabs/bake.sqlite`` in the assets
            folder, or in the user's cache folder if the assets folder cannot be written.
        jobs: The number of worker processes: None for one per core, 0 for none.
        workers: Replaces the workers that ``jobs`` would make.
        clock_ns: Returns the time in nanoseconds; for tests.
        on_step: See `BakeStore`; for tests.

    Raises:
        MissingAssetError: The assets folder or file does not exist.
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
        workers: Workers | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
        on_step: Callable[[str], None] | None = None,
    ) -> None:
        self._registry = registry
        self._temporary: Path | None = None
        self._bakes = 0
        self._closed = False
        self._whole = threading.Condition()
        self._whole_bakes = 0  # how many bakes of all files are running
        self._note = ""
        self._workers: Workers | None = workers
        self._baker: Baker | None = None
        self.source: AssetSource | None = None
        if not isinstance(assets, AssetSource) and is_release(Path(assets)):
            self.store = BakeStore(Path(assets), read_only=True)
            self._reader = BakedAssetReader(self.store, None)
            return
        folder = None if isinstance(assets, AssetSource) else Path(assets)
        self.source = (
            assets if isinstance(assets, AssetSource) else open_source(Path(assets), handles or {})
        )
        if store is None:
            directory = store_folder(folder)
            if folder is None:
                self._temporary = directory
            path = directory / STORE_NAME
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
            # The caller closes the source and workers that it made itself, but has no store yet.
            self._close_store()
            raise
        self._baker = Baker(executor)
        self._reader = BakedAssetReader(self.store, self._baker)
        if self._note:
            self._reader.notes.append(self._note)

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
        """Whether the pipeline reads a release file, which is never baked again."""
        return self._baker is None

    @property
    def was_asked(self) -> bool:
        """Whether an asset was asked for so far, by `get` or `get_prefab`. Any thread."""
        return self._reader.was_asked

    def bake(
        self,
        paths: Iterable[str] | None = None,
        *,
        on_progress: OnProgress | None = None,
        cancelled: Cancelled | None = None,
    ) -> BakeReport:
        """Brings the store up to date: bakes all changed files, and all that are made from them.

        The error of an asset that cannot be baked is added to the report; its last good outputs
        stay, and all other assets are baked.

        Args:
            paths: Bakes only these files and the files that are made from them; None for all.
            on_progress: Called after each baked file, in this thread.
            cancelled: Called before each batch, in this thread; returns True to end the bake.

        Raises:
            BakeCancelledError: ``cancelled`` returned True. The outputs committed so far stay.
            StoreError: The store cannot be written, for example because the disk is full; this is a
                release file; or the pipeline is closed.
            UnsafePathError: One of the paths could leave the assets folder.

        Any thread, several at a time; returns when all outputs are committed.
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
        forgotten = self._reader.forgotten
        started = time.perf_counter()
        report = BakeReport(notes=self._reader.take_notes())

        def run() -> None:
            if chosen is None:
                baker.everything(report, on_progress, cancelled)
            else:
                baker.some(chosen, report, on_progress, cancelled)

        try:
            run()
        except DamagedStoreError as error:
            self._reader.rebuild(error)
            forgotten = self._reader.forgotten
            report = BakeReport(notes=self._reader.take_notes())
            chosen = None
            run()
        self._bakes += 1
        self._reader.baked(forgotten, whole=chosen is None)
        self._add_hints(report)
        report.seconds = time.perf_counter() - started
        return report

    def _add_hints(self, report: BakeReport) -> None:
        """Adds the most similar prefab names to errors about missing prefabs.

        Worker processes cannot do this, because they do not know the names of all prefabs.
        """
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
        """Makes `get` compare all assets with their files again, as files may have changed.

        `get` compares each asset with its files once. Any thread.
        """
        self._reader.forget()

    # --------------------------------------------------------------------------------------- get

    def get(self, identifier: str, settings: Mapping[str, Any] | None = None) -> BakedAsset:
        """Returns a baked asset; bakes it first if its file is new or has changed.

        Args:
            identifier: An asset id: a path below the assets folder or behind a resource handle,
                with its suffix, and with ``#label`` for one of several outputs. `get_prefab` takes
                shorter ids.
            settings: Import settings, such as those of a sprite sheet.

        Raises:
            UnsafePathError: The path is invalid.
            MissingAssetError: The file does not exist, or has no such label.
            AssetError, PrefabError, RonError: The file cannot be baked, and has no last good
                outputs.
            StoreError: The store cannot be read.

        Any thread; takes microseconds for a baked asset, otherwise as long as baking it.
        """
        return self._reader.get(identifier, settings)

    def is_fresh(self, identifier: str, settings: Mapping[str, Any] | None = None) -> bool:
        """Returns whether `get` would read the asset without checking files or baking.

        Raises:
            UnsafePathError: The path is invalid.

        Any thread.
        """
        return self._reader.is_fresh(identifier, settings)

    def get_prefab(self, identifier: str) -> Prefab:
        """Returns a baked prefab by any spelling of its id: ``props/crate``, ``castle.ron#gate``.

        Raises:
            AssetError: The prefab is abstract, or the asset is no prefab.
            ArcadePrefabsError: As `get`.

        Any thread.
        """
        return self._reader.get_prefab(identifier)

    def needs(self, identifier: str) -> list[str]:
        """Returns the ids of the dependencies of a file's outputs. Any thread."""
        key = BakeKey(checked_path(identifier.partition("#")[0]))

        def ids_of_needs() -> list[str]:
            found = find(self.store, key, "")
            return [need.name for need in needs_of(self.store, found.asset)] if found else []

        return self._reader.query(ids_of_needs)

    # ---------------------------------------------------------------------------------- questions

    def ids(self, kind: str | None = None) -> list[str]:
        """Returns the ids of all baked outputs, or of those of one kind, sorted. Any thread."""
        return self._reader.query(partial(ids_of, self.store, kind))

    def files(self, *kinds: str) -> dict[str, bytes]:
        """Returns the content hashes of all files with outputs of these kinds, by path.

        Outputs with labels and outputs with import settings are left out. Any thread.
        """
        return self._reader.query(partial(files_of, self.store, kinds))

    def ids_to_load(self, kind: str, cancelled: Cancelled | None = None) -> list[str]:
        """Returns the ids of all outputs of a kind, and of the files that cannot be baked to one.

        Files that are not baked yet are baked first; a running bake of all files is waited for.

        Args:
            kind: The kind of the outputs, such as ``prefab``.
            cancelled: As for `bake`.

        Raises:
            BakeCancelledError, StoreError, MissingAssetError: As `bake`.

        Any thread; takes as long as the bake.
        """
        with self._whole:
            while self._whole_bakes and not (cancelled is not None and cancelled()):
                self._whole.wait(0.1)
        if self._baker is not None and not self._reader.all_fresh:
            self.bake(cancelled=cancelled)
        broken = self._reader.query(partial(broken_of, self.store, kind))
        return sorted({*self.ids(kind), *broken})

    def has_folder(self, folder: str) -> bool:
        """Returns whether a folder exists on disk, empty or not; False in archives. Any thread."""
        folder = checked_path(folder)
        source = self.source
        return source is not None and any(
            folder.startswith(prefix) and is_possible(below) and below.is_dir()
            for root, prefix in source.folders()
            for below in (root / folder.removeprefix(prefix),)
        )

    def dependents(self, identifier: str, *, at_run_time: bool = False) -> list[str]:
        """Returns the files that are made from a file, directly or through others, sorted.

        Args:
            identifier: The file.
            at_run_time: Whether to add the files that depend on it only while the game runs.

        Any thread.
        """
        path = checked_path(identifier.partition("#")[0])
        ask = partial(dependents_of, self.store, path, at_run_time=at_run_time)
        return self._reader.query(ask)

    def explain(self, identifier: str, settings: Mapping[str, Any] | None = None) -> Explanation:
        """Returns why a file was baked last, its inputs and its outputs.

        Raises:
            MissingAssetError: The file was never baked.

        Any thread.
        """
        path = checked_path(identifier.partition("#")[0])
        key = BakeKey(path, settings_key(settings or {}))
        return self._reader.query(partial(explain, self.store, key))

    def takes(self, path: str) -> bool:
        """Returns whether a processor takes files with this path. Any thread.

        Raises:
            StoreError: This is a release file, or the pipeline is closed.
        """
        return self._baking().executor.choose(path) is not None

    def unbaked(self) -> list[str]:
        """Returns the files that baked files name, and that exist but are not baked. Any thread.

        Raises:
            StoreError: This is a release file, or the pipeline is closed.
        """
        baker = self._baking()
        return [path for path in self._reader.query(partial(named, self.store)) if baker.can(path)]

    def dangling(self) -> list[LocatedError]:
        """Returns an error for each reference in baked files that a game could not load.

        A prefab is baked even if its texture, or a prefab that it spawns, does not exist; a world
        is baked even if its prefabs do not. Call `bake` first.

        Raises:
            StoreError: This is a release file.

        Any thread; reads the files with such references again to find the locations.
        """
        return self._reader.query(lambda: self._references().dangling())

    def statistics(self) -> StoreStatistics:
        """Returns the size and content of the store, and counts since the pipeline was opened.

        Any thread.
        """
        restarts = getattr(self._workers, "restarts", 0)
        baked = self._baker.executor.files_baked if self._baker else 0
        seconds = self._baker.executor.bake_seconds if self._baker else 0.0
        return self._reader.query(partial(statistics, self.store))._replace(
            baked=baked,
            bakes=self._bakes,
            on_demand=self._reader.on_demand,
            bake_seconds=seconds,
            worker_restarts=restarts,
        )

    # ------------------------------------------------------------------------------------- upkeep

    def remove_world(self, world: str) -> bool:
        """Removes a world that `WorldBuilder` has built; returns whether there was one.

        Raises:
            UnsafePathError: The name of the world is invalid.
            StoreError: The store is read-only, or cannot be written.

        Any thread.
        """
        self._baking()
        return self._reader.query(partial(remove_built, self.store, BakeKey(world_id(world))))

    def clean(self) -> int:
        """Makes the store's file smaller by the space of deleted outputs; returns these bytes.

        Raises:
            StoreError: The store is read-only, or in use.

        Any thread; rewrites the whole file.
        """
        self._baking()
        before = self.store.file_bytes()
        self.store.compact()
        return max(0, before - self.store.file_bytes())

    def write_release(self, path: str | os.PathLike[str]) -> int:
        """Writes all baked outputs into one read-only file; returns its size in bytes.

        A shipped game opens the file instead of the assets folder, and then needs no RON and no
        worker processes, and writes nothing. Call `bake` first.

        Raises:
            StoreError: The file cannot be written.

        Any thread.
        """
        return self._reader.query(partial(write_release, self.store, Path(path)))

    def close(self) -> None:
        """Ends the workers and closes the store; may be called twice. Any thread."""
        if self._closed:
            return
        self._closed = True
        if self._workers is not None:
            self._workers.close()
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
