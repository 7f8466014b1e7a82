"""The work of a bake: files are processed in batches, and each batch is committed as it comes."""

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
from .changes import AssetRow, content_of, known
from .task import BakeTask, WorkerContext
from .worker_pool import Workers

__all__ = ["BakeExecutor", "Cancelled", "StaleAsset", "trusted"]

Cancelled = Callable[[], bool]

# Files and bytes of a batch: large enough to be worth a message, small enough for a request on
# demand not to wait long behind it, and for two batches a worker to fit into memory.
_BATCH_FILES: Final = 64
_BATCH_BYTES: Final = 2 * 1024 * 1024
# A file that changed that shortly before it was looked at may change again without its time of
# change showing it; the coarsest clock of a file system in use ticks every two seconds. A time in
# the future proves as little.
_FRESH_NS: Final = 2_000_000_000


class StaleAsset(NamedTuple):
    """A file to bake, and how it stood when that was decided."""

    key: BakeKey
    file: SourceFile
    processor: Processor
    reason: str


class BakeExecutor:
    """Processes and commits; keeps no thread of its own, so that the caller's does the waiting.

    Any thread, several at a time: the result that was begun last wins.
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
        # The newest ticket committed of each asset, while any bake runs.
        self._committed: dict[BakeKey, int] = {}
        self._running = 0
        self._context: WorkerContext | None = None
        self._context_facts: object = None
        self.recipes: dict[str, int] = {}
        self._noted: tuple[int, dict[str, Recipe]] | None = None

    def process(
        self, todo: list[StaleAsset], run: int, report: BakeReport, cancelled: Cancelled | None
    ) -> Iterator[BakeResult]:
        """Process files in batches, and commit each batch as it comes."""
        waiting: dict[Future[list[BakeResult]], dict[BakeKey, tuple[StaleAsset, int]]] = {}
        batches = _batches(todo)
        context = self._current_context()
        with self._lock:
            self._running += 1
        try:
            more = True
            while more or waiting:
                # One more than there are workers, so that none waits for this thread.
                while more and len(waiting) <= self.workers.jobs:
                    if cancelled is not None and cancelled():
                        raise BakeCancelledError("the bake was cancelled")
                    batch = next(batches, None)
                    if batch is None:
                        more = False
                        break
                    given = {work.key: (work, next(self._tickets)) for work in batch}
                    tasks = [
                        BakeTask(work.key, work.processor.name, _settings(work.key))
                        for work in batch
                    ]
                    waiting[self.workers.submit(context, tasks)] = given
                if not waiting:
                    break
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    outcomes = future.result()
                    self._commit(outcomes, waiting.pop(future), run, report)
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
        run: int,
        report: BakeReport,
    ) -> None:
        changes: list[OutputChange] = []
        baked: dict[str, str] = {}
        with self.store.writing(begun=True) as db:
            numbers = records.RowIds(db)
            for outcome in outcomes:
                work, ticket = given[outcome.key]
                # A read that began later has been committed already: this one is the older.
                if ticket < self._committed.get(outcome.key, 0):
                    continue
                if outcome.content is None:
                    row = known(db, outcome.key)
                    if row is not None:
                        changes += records.forget(db, row.id, row.key)
                    continue
                recipe = self.recipes[work.processor.name]
                written = FileState(work.file.size, work.file.stamp, recipe, work.reason, run)
                changes += records.write(db, numbers, outcome, written, self.store.step)
                baked[shown_id(outcome.key)] = work.reason
            # While nobody else can write: an older read may be waiting for that.
            for outcome in outcomes:
                ticket = given[outcome.key][1]
                self._committed[outcome.key] = max(ticket, self._committed.get(outcome.key, 0))
        for outcome in outcomes:
            self.bake_seconds += outcome.seconds
        self.files_baked += len(baked)
        report.changes += changes
        report.baked.update(baked)

    def begin(self, *, run: bool = True) -> int:
        """Note the recipes and what else of the game outputs depend on; gives the run's number."""
        recipes = {one.name: Recipe.of(one) for one in self.choose.processors}
        self.store.begin()
        # Numbers are those of one store; another one takes its place if it is damaged.
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
        if run or changed or noted != self._noted:
            with self.store.writing(begun=True) as db:
                self.recipes = {
                    name: records.recipe_number(db, recipe) for name, recipe in recipes.items()
                }
                db.executemany("UPDATE assets SET content=? WHERE id=?", changed)
                if run:
                    db.execute(
                        "INSERT INTO facts VALUES ('run', 1) "
                        "ON CONFLICT(name) DO UPDATE SET value=value+1"
                    )
            self._noted = noted
        with self.store.reading() as db:
            found = db.execute("SELECT value FROM facts WHERE name='run'").fetchone()
            return typed(found, tuple[int])[0] if found else 0

    def _ambient(self, name: str) -> bytes | None:
        for processor in self.choose.processors:
            ask = getattr(processor, "ambient", None)
            found: bytes | None = ask(name) if ask is not None else None
            if found is not None:
                return found
        return None

    def forget(self, gone: list[AssetRow], report: BakeReport) -> None:
        """Delete what was baked from files that are gone."""
        if not gone:
            return
        with self.store.writing(begun=True) as db:
            for row in gone:
                report.changes += records.forget(db, row.id, row.key)
        report.removed += len(gone)

    def really_changed(
        self, touched: list[tuple[SourceFile, AssetRow]], report: BakeReport
    ) -> list[StaleAsset]:
        """Of the files with another time those with another content; the others' time is noted."""
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
        """What workers are told; the same object while nothing in it changed."""
        dictionary = self.store.newest_dictionary()
        # A processor that knows of the game's components is another one when they change.
        facts = (dictionary, [_facts(one) for one in self.choose.processors])
        with self._lock:
            if self._context is None or facts != self._context_facts:
                processors = {one.name: one for one in self.choose.processors}
                self._context = WorkerContext(self.source, processors, dictionary)
                self._context_facts = facts
            return self._context

    def stat(self, path: str) -> SourceFile | None:
        """The file of a path; None if there is none."""
        now = self.now_ns()
        try:
            found = self.source.stat(path)
            return None if found is None else trusted(found, now)
        except AssetError:
            # It cannot be looked at, which is not to be taken for deleted: reading it tells why.
            return SourceFile(path, -1, 0)


def trusted(file: SourceFile, now_ns: int) -> SourceFile:
    """A file, without its stamp if it is so fresh that it may change without showing.

    Args:
        file: How it stood.
        now_ns: The time before it was looked at.
    """
    return file if now_ns - file.clock_ns > _FRESH_NS else file._replace(stamp=0)


def _facts(processor: Processor) -> object:
    """What of a processor workers have to be told again when it changes."""
    ask = getattr(processor, "ambient", None)
    return None if ask is None else ask("components:*")


def _settings(key: BakeKey) -> Mapping[str, Any]:
    try:
        settings: object = orjson.loads(key.variant) if key.variant else {}
    except orjson.JSONDecodeError:
        settings = None
    if not isinstance(settings, dict):
        raise DamagedStoreError(f"the store has settings that are none for {key.path}")
    return settings


def _batches(todo: list[StaleAsset]) -> Iterator[list[StaleAsset]]:
    batch: list[StaleAsset] = []
    size = 0
    for work in todo:
        if batch and (len(batch) >= _BATCH_FILES or size + work.file.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(work)
        size += work.file.size
    if batch:
        yield batch
