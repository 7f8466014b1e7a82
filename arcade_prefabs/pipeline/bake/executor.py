"""Processes files in batches in the workers, and commits each batch as it arrives."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Final, NamedTuple

import orjson

from ...errors import AssetError, BakeCancelledError
from ..model.bake_report import BakeReport
from ..model.bake_result import BakeKey, BakeResult, OutputChange, shown_id
from ..model.processor import Processor, ProcessorMatcher
from ..sources import AssetSource, SourceFile
from ..store import writes as records
from ..store.bake_store import BakeStore, DamagedStoreError
from ..store.rows import typed
from ..store.schema import AMBIENT
from ..store.writes import FileState, Recipe
from .changes import AssetRow, content_of, find_row
from .task import BakeTask, WorkerContext
from .worker_pool import Workers

__all__ = ["BakeExecutor", "Cancelled", "StaleAsset", "trusted"]

Cancelled = Callable[[], bool]

# The most files and bytes in a batch. Smaller batches would spend their time on messages between
# processes; larger ones would delay an asset that is baked on demand, and fill the memory.
_BATCH_FILES: Final = 64
_BATCH_BYTES: Final = 2 * 1024 * 1024
# A file may change twice within one tick of the file system's clock without another time stamp; the
# coarsest clock in use (FAT) ticks every two seconds. So the stamp of a file that changed less than
# two seconds ago, or in the future, is not trusted.
_FRESH_NS: Final = 2_000_000_000


class StaleAsset(NamedTuple):
    """A file to bake, with its state when that was decided, and the reason."""

    key: BakeKey
    file: SourceFile
    processor: Processor
    reason: str


class BakeExecutor:
    """Sends files to the workers and commits the results.

    It has no thread of its own: the thread that iterates over `process` waits for the workers and
    commits.

    Any thread, several at a time. If two threads bake the same asset, the result that was begun
    later wins, because it has read the newer file.
    """

    def __init__(
        self,
        store: BakeStore,
        source: AssetSource,
        processors: Iterable[Processor],
        workers: Workers,
        clock_ns: Callable[[], int],
    ) -> None:
        self.store = store
        self.source = source
        self.workers = workers
        self.choose = ProcessorMatcher(processors)
        self.files_baked = 0
        self.bake_seconds = 0.0
        self.now_ns = clock_ns
        self._lock = threading.Lock()
        self._tickets = itertools.count(1)
        # The highest ticket committed of each asset; emptied when no bake runs. A ticket is the
        # number of one try to process a file.
        self._committed: dict[BakeKey, int] = {}
        self._running = 0
        self._context: WorkerContext | None = None
        self._context_facts: object = None
        self.recipes: dict[str, int] = {}
        self._noted: tuple[int, dict[str, Recipe]] | None = None

    def process(
        self,
        todo: list[StaleAsset],
        report: BakeReport,
        cancelled: Cancelled | None,
        committed: dict[BakeKey, BakeResult | None] | None = None,
    ) -> Iterator[BakeResult]:
        """Processes files in batches, commits each batch, and yields the results.

        Args:
            todo: The files.
            report: Gets the changes and the ids of the baked assets.
            cancelled: Called before each batch; returns True to end the bake.
            committed: Receives the result of each of its keys that is baked and written.

        Raises:
            BakeCancelledError: ``cancelled`` returned True.
        """
        waiting: dict[Future[list[BakeResult]], dict[BakeKey, tuple[StaleAsset, int]]] = {}
        batches = _batches(todo)
        context = self._current_context()
        with self._lock:
            self._running += 1
        try:
            more = True
            while more or waiting:
                # One batch more than there are workers, so that no worker waits for this thread.
                while more and len(waiting) <= self.workers.jobs:
                    if cancelled is not None and cancelled():
                        raise BakeCancelledError("the bake was cancelled")
                    batch = next(batches, None)
                    if batch is None:
                        more = False
                        break
                    given = {asset.key: (asset, next(self._tickets)) for asset in batch}
                    tasks = [
                        BakeTask(asset.key, asset.processor.name, _settings(asset.key))
                        for asset in batch
                    ]
                    waiting[self.workers.submit(context, tasks)] = given
                if not waiting:
                    break
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    outcomes = future.result()
                    self._commit(outcomes, waiting.pop(future), report, committed)
                    yield from outcomes
        finally:
            for future in waiting:
                future.cancel()
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._committed.clear()

    def _commit(
        self,
        outcomes: list[BakeResult],
        given: dict[BakeKey, tuple[StaleAsset, int]],
        report: BakeReport,
        committed: dict[BakeKey, BakeResult | None] | None,
    ) -> None:
        changes: list[OutputChange] = []
        baked: dict[str, str] = {}
        with self.store.writing(begun=True) as db:
            numbers = records.RowIds(db)
            for outcome in outcomes:
                asset, ticket = given[outcome.key]
                # Another thread has committed a newer result for this asset.
                if ticket < self._committed.get(outcome.key, 0):
                    continue
                if outcome.content is None:
                    row = find_row(db, outcome.key)
                    if row is not None:
                        changes += records.forget(db, row.id, row.key)
                    continue
                recipe = self.recipes[asset.processor.name]
                written = FileState(asset.file.size, asset.file.stamp, recipe, asset.reason)
                changes += records.write(db, numbers, outcome, written, self.store.step)
                baked[shown_id(outcome.key)] = asset.reason
            # Within the transaction, because a thread with an older result may be waiting for it.
            for outcome in outcomes:
                ticket = given[outcome.key][1]
                self._committed[outcome.key] = max(ticket, self._committed.get(outcome.key, 0))
        for outcome in outcomes:
            self.bake_seconds += outcome.seconds
            if committed is not None and outcome.key in committed:
                newest = shown_id(outcome.key) in baked
                committed[outcome.key] = outcome if newest else None
        self.files_baked += len(baked)
        report.changes += changes
        report.baked.update(baked)

    def begin(self) -> None:
        """Stores the recipes and ambient inputs of this bake.

        Ambient inputs are inputs that are no files, such as the fields of the game's components.
        """
        recipes = {one.name: Recipe.of(one) for one in self.choose.processors}
        self.store.begin()
        # The numbers of recipes are valid in one store only; a damaged store is replaced by a new
        # one, with another generation.
        noted = (self.store.generation, recipes)
        with self.store.reading() as db:
            query = f"SELECT id, path, content FROM assets WHERE state={AMBIENT}"  # by its index
            changed = [
                (content, number)
                for number, name, before in [
                    typed(row, tuple[int, str, bytes | None]) for row in db.execute(query)
                ]
                if (content := self._ambient(name)) != before
            ]
        if changed or noted != self._noted:
            with self.store.writing(begun=True) as db:
                self.recipes = {
                    name: records.recipe_number(db, recipe) for name, recipe in recipes.items()
                }
                db.executemany("UPDATE assets SET content=? WHERE id=?", changed)
            self._noted = noted

    def _ambient(self, name: str) -> bytes | None:
        """Returns the hash of an ambient input, from the processor that knows it."""
        for processor in self.choose.processors:
            ask = getattr(processor, "ambient", None)
            found: bytes | None = ask(name) if ask is not None else None
            if found is not None:
                return found
        return None

    def forget(self, gone: list[AssetRow], report: BakeReport) -> None:
        """Deletes the outputs of files that do not exist any more."""
        if not gone:
            return
        with self.store.writing(begun=True) as db:
            for row in gone:
                report.changes += records.forget(db, row.id, row.key)
        report.removed += len(gone)

    def really_changed(
        self, touched: list[tuple[SourceFile, AssetRow]], report: BakeReport
    ) -> list[StaleAsset]:
        """Returns those of the files with another time stamp whose content differs from the store.

        The new time stamps of the others are stored.
        """
        changed: list[StaleAsset] = []
        same: list[tuple[int, int]] = []
        for file, row in touched:
            if content_of(self.source, file.path) == row.content:
                same.append((file.stamp, row.id))
            else:
                processor = self.choose(file.path)
                assert processor is not None
                changed.append(StaleAsset(row.key, file, processor, "the file changed"))
        report.touched += len(same)
        noted = [(stamp, number) for stamp, number in same if stamp]
        if noted:
            with self.store.writing(begun=True) as db:
                db.executemany("UPDATE assets SET stamp=? WHERE id=?", noted)
        return changed

    def _current_context(self) -> WorkerContext:
        """Returns what workers need to know; the same object as long as nothing in it changes."""
        # A processor with the game's component registry changes when a component is registered.
        facts = [_facts(one) for one in self.choose.processors]
        with self._lock:
            if self._context is None or facts != self._context_facts:
                processors = {one.name: one for one in self.choose.processors}
                self._context = WorkerContext(self.source, processors)
                self._context_facts = facts
            return self._context

    def stat(self, path: str) -> SourceFile | None:
        """Returns the state of a file; None if it does not exist."""
        now = self.now_ns()
        try:
            found = self.source.stat(path)
            return None if found is None else trusted(found, now)
        except AssetError:
            # The file exists, but its state cannot be read. It counts as changed; reading it will
            # raise the error.
            return SourceFile(path, -1, 0)


def trusted(file: SourceFile, now_ns: int) -> SourceFile:
    """Returns a file's state without its time stamp if the file has just changed.

    Args:
        file: The file's state.
        now_ns: The time before the state was read.
    """
    return file if now_ns - file.clock_ns > _FRESH_NS else file._replace(stamp=0)


def _facts(processor: Processor) -> object:
    """Returns the state of a processor that workers have to get again when it changes."""
    ask = getattr(processor, "ambient", None)
    return None if ask is None else ask("components:*")


def _settings(key: BakeKey) -> Mapping[str, Any]:
    try:
        settings: object = orjson.loads(key.variant) if key.variant else {}
    except orjson.JSONDecodeError:
        settings = None
    if not isinstance(settings, dict):
        raise DamagedStoreError(f"the store has invalid import settings for {key.path}")
    return settings


def _batches(todo: list[StaleAsset]) -> Iterator[list[StaleAsset]]:
    batch: list[StaleAsset] = []
    size = 0
    for asset in todo:
        if batch and (len(batch) >= _BATCH_FILES or size + asset.file.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(asset)
        size += asset.file.size
    if batch:
        yield batch
