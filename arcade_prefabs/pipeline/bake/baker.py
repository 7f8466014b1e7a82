"""One run of a bake: what has to be done, and in which order.

A bake goes in waves. The first takes every file that is new or changed; a worker reads whatever
else it needs from the source itself, so that the order does not matter. Each further wave takes
the assets that were made from something which the wave before made differently. What came out the
same ends the chain there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from ...errors import LocatedError, shown
from ..model.bake_report import BakeProgress, BakeReport
from ..model.bake_result import BakeKey
from ..model.page_codec import DICTIONARY_BYTES, CompressionDictionary, make_dictionary
from ..sources import SourceFile
from ..store import writes as records
from ..store.rows import errors_of, typed
from ..store.schema import INPUT, NAMED
from .changes import AssetRow, below, compared, known, look_at, look_at_inputs, others, variants
from .executor import BakeExecutor, Cancelled, StaleAsset, trusted

__all__ = ["Baker", "OnProgress"]

OnProgress = Callable[[BakeProgress], None]

# A store that begins with fewer prefabs gets no dictionary, which would be half of it.
_WORTH_A_DICTIONARY: Final = 64
# An asset is not tried more often in one bake: its inputs are being edited meanwhile.
_MOST_TRIES: Final = 3
# The first error of a parent stands for those in all its heirs.
_MOST_ERRORS: Final = 1000


class Baker:
    """Decides what is baked.

    Any thread, several at a time.
    """

    def __init__(self, executor: BakeExecutor) -> None:
        self.executor = executor

    # ------------------------------------------------------------------------------- whole bakes

    def everything(
        self, report: BakeReport, on_progress: OnProgress | None, cancelled: Cancelled | None
    ) -> None:
        """Bring the whole store up to date."""
        run = self.executor.begin()
        todo: list[StaleAsset] = []
        gone: list[AssetRow] = []
        touched: list[tuple[SourceFile, AssetRow]] = []
        now = self.executor.now_ns()
        files = (trusted(file, now) for file in self.executor.source.scan())
        for file, row in compared(self.executor.store, files):
            if file is None:
                assert row is not None
                if row.processed:
                    gone.append(row)
                continue
            report.files += 1
            processor = self.executor.choose(file.path)
            if processor is None:
                if row is not None and row.processed:
                    gone.append(row)
                continue
            reason = (
                "new" if row is None else row.reason(file, self.executor.recipes[processor.name])
            )
            if reason is None:
                report.unchanged += 1
            elif reason == "touched" and row is not None:
                touched.append((file, row))
            else:
                todo.append(StaleAsset(BakeKey(file.path), file, processor, reason))
        report.errors += self.executor.source.refused()
        self._others(todo, gone, touched)
        self._finish(report, run, todo, gone, touched, on_progress, cancelled)

    def some(
        self,
        paths: Iterable[str],
        report: BakeReport,
        on_progress: OnProgress | None = None,
        cancelled: Cancelled | None = None,
    ) -> None:
        """Bring these files up to date, and everything that is made from them."""
        run = self.executor.begin()
        todo: list[StaleAsset] = []
        gone: list[AssetRow] = []
        touched: list[tuple[SourceFile, AssetRow]] = []
        for path in paths:
            report.files += 1
            rows = variants(self.executor.store, path)
            file = self.executor.stat(path)
            if file is None and not rows:  # it may have been a folder
                gone += below(self.executor.store, path)
                continue
            processor = self.executor.choose(path) if file is not None else None
            if file is None or processor is None:
                gone += [row for row in rows if row.processed]
                continue
            if not rows or rows[0].variant:
                todo.append(StaleAsset(BakeKey(path), file, processor, "new"))
            for row in rows:
                if row.variant and not row.processed:
                    continue
                reason = row.reason(file, self.executor.recipes[processor.name])
                if reason == "touched":
                    touched.append((file, row))
                elif reason is None:
                    report.unchanged += 1
                else:
                    todo.append(StaleAsset(row.key, file, processor, reason))
        report.errors += self.executor.source.refused()  # still: they are no files of these paths
        self._finish(report, run, todo, gone, touched, on_progress, cancelled)

    def _others(
        self,
        todo: list[StaleAsset],
        gone: list[AssetRow],
        touched: list[tuple[SourceFile, AssetRow]],
    ) -> None:
        for row in others(self.executor.store):
            file = self.executor.stat(row.path)
            processor = self.executor.choose(row.path)
            if file is None or processor is None:
                gone.append(row)
                continue
            reason = row.reason(file, self.executor.recipes[processor.name])
            if reason == "touched":
                touched.append((file, row))
            elif reason is not None:
                todo.append(StaleAsset(row.key, file, processor, reason))

    def _finish(
        self,
        report: BakeReport,
        run: int,
        todo: list[StaleAsset],
        gone: list[AssetRow],
        touched: list[tuple[SourceFile, AssetRow]],
        on_progress: OnProgress | None,
        cancelled: Cancelled | None,
    ) -> None:
        """The waves, from what differs."""
        self.executor.forget(gone, report)
        todo += self.executor.really_changed(touched, report)
        look_at_inputs(self.executor.store, self.executor.source, self.executor.stat)
        tries: Counter[BakeKey] = Counter()
        done = 0
        if self._wants_dictionary(todo):
            done = self._learn(todo, tries, run, report, on_progress, cancelled)
        # Also with no file to begin with: a component changed, or a bake ended half way.
        while True:
            tries.update(work.key for work in todo)
            total = done + len(todo)
            for outcome in self.executor.process(todo, run, report, cancelled):
                done += 1
                if on_progress is not None:
                    on_progress(BakeProgress(done, total, outcome.key.path))
            # First what was made from this wave: in a chain of files each wave is one file, and a
            # look through the whole store for each would take the square of the chain. Then
            # whatever else is stale, such as what a bake left that was killed.
            wave = self._next_wave([work.key for work in todo])
            todo = [work for work in wave if not tries[work.key]]
            if not todo:
                # What was baked in this run already was made from what others are still to become.
                wave = self._next_wave()
                todo = [work for work in wave if not tries[work.key]]
                todo = todo or [work for work in wave if tries[work.key] < _MOST_TRIES]
            if not todo:
                break
        self._complete(report, swept=bool(done or gone))

    def _next_wave(self, made_from: Sequence[BakeKey] | None = None) -> list[StaleAsset]:
        """What is stale now, and what was asked for and is not there yet.

        Args:
            made_from: Look only for what was made from these; at everything if None.
        """
        with self.executor.store.reading() as db:
            found = records.stale(db, made_from=made_from)
            wished: Iterable[BakeKey] = db.execute(
                "SELECT DISTINCT a.path, a.variant FROM assets a JOIN wishes w ON w.target=a.id "
                "WHERE a.state=?",
                (NAMED,),
            )
            wished = [typed(row, BakeKey) for row in wished]
            # Files behind handles are in no scan: they are baked because somebody needs them.
            needed: Iterable[BakeKey] = db.execute(
                "SELECT DISTINCT a.path, a.variant FROM assets a JOIN needs n ON n.target=a.id "
                "WHERE a.state=? AND a.path LIKE ':%'",
                (NAMED,),
            )
            needed = [typed(row, BakeKey) for row in needed]
        reasons = dict.fromkeys(needed, "something needs it")
        reasons |= dict.fromkeys(wished, "something asked for these settings")
        reasons |= found
        wave: list[StaleAsset] = []
        for key, reason in reasons.items():
            file = self.executor.stat(key.path)
            processor = self.executor.choose(key.path)
            if file is not None and processor is not None:
                wave.append(StaleAsset(key, file, processor, reason))
        return wave

    # --------------------------------------------------------------------------------- one asset

    def one(
        self, key: BakeKey, is_fresh: Callable[[BakeKey], bool] = lambda _: False
    ) -> set[BakeKey]:
        """Bring one asset up to date, and before it what it is made from.

        Args:
            key: The asset.
            is_fresh: Tells what it is made from that need not be looked at again.

        Returns:
            All assets with a file that are up to date now. Whoever asks for many that are made
            from each other passes these on, or each walk would go over all of them again.
        """
        self.executor.begin(run=False)
        made_from = self._made_from(key, is_fresh)
        todo: list[StaleAsset] = []
        touched: list[tuple[SourceFile, AssetRow]] = []
        unbaked: list[AssetRow] = []
        for one, file, row in made_from:
            processor = self.executor.choose(one.path) if file is not None else None
            if file is None or processor is None:
                if row is not None and row.processed:
                    self.executor.forget([row], BakeReport())
                elif row is not None and row.state in (NAMED, INPUT):
                    unbaked.append(row)
                continue
            reason = (
                "asked for"
                if row is None
                else row.reason(file, self.executor.recipes[processor.name])
            )
            if reason == "touched" and row is not None:
                touched.append((file, row))
            elif reason is not None:
                todo.append(StaleAsset(one, file, processor, reason))
        todo += self.executor.really_changed(touched, BakeReport())
        look_at(unbaked, self.executor.store, self.executor.source, self.executor.stat)
        baked = {work.key for work in todo}
        for _ in self.executor.process(todo, 0, BakeReport(), None):
            pass
        for _ in range(_MOST_TRIES):  # once, unless files refer to each other in a circle
            if not self._bake_stale(made_from, baked):
                break
        return {one for one, file, _ in made_from if file is not None}

    def _made_from(
        self, key: BakeKey, is_fresh: Callable[[BakeKey], bool]
    ) -> list[tuple[BakeKey, SourceFile | None, AssetRow | None]]:
        """An asset and what it is made from, by way of others, each behind what it is made from."""
        found: list[tuple[BakeKey, SourceFile | None, AssetRow | None]] = []
        seen = {key}
        # Calls that nest would end at a chain of some hundred files.
        ways = [self._targets(key)]
        while ways:
            one, targets = ways[-1]
            target = next(targets, None)
            if target is None:
                found.append(one)
                ways.pop()
            elif target not in seen and not is_fresh(target):
                seen.add(target)
                ways.append(self._targets(target))
        return found

    def _targets(
        self, key: BakeKey
    ) -> tuple[tuple[BakeKey, SourceFile | None, AssetRow | None], Iterator[BakeKey]]:
        """How an asset stands, and what it is made from directly."""
        file = self.executor.stat(key.path)
        paths: list[str] = []
        with self.executor.store.reading() as db:
            row = known(db, key)
            if row is not None and file is not None:
                query = (
                    "SELECT DISTINCT a.path FROM inputs i JOIN assets a ON a.id=i.target "
                    "WHERE i.asset=? AND i.kind<2"
                )
                paths = [typed(one, tuple[str])[0] for one in db.execute(query, (row.id,))]
        return (key, file, row), map(BakeKey, paths)

    def _bake_stale(
        self, assets: list[tuple[BakeKey, SourceFile | None, AssetRow | None]], baked: set[BakeKey]
    ) -> bool:
        """Bake those of assets that are made from what is another one now, in their order."""
        found = False
        for key, file, _ in assets:
            processor = self.executor.choose(key.path)
            if file is None or processor is None or key in baked:
                continue
            with self.executor.store.reading() as db:
                reason = records.stale(db, key).get(key)
            if reason is not None:
                found = True
                baked.add(key)
                work = StaleAsset(key, file, processor, reason)
                for _ in self.executor.process([work], 0, BakeReport(), None):
                    pass
        return found

    # -------------------------------------------------------------------------------- dictionary

    def _wants_dictionary(self, todo: list[StaleAsset]) -> bool:
        prefabs = sum(work.processor.name == "prefab" for work in todo)
        return prefabs >= _WORTH_A_DICTIONARY and self.executor.store.newest_dictionary() is None

    def _learn(
        self,
        todo: list[StaleAsset],
        tries: Counter[BakeKey],
        run: int,
        report: BakeReport,
        on_progress: OnProgress | None,
        cancelled: Cancelled | None,
    ) -> int:
        """Bake a few prefabs from all over, and make the dictionary of what they have in common."""
        at = [number for number, work in enumerate(todo) if work.processor.name == "prefab"]
        step = max(1, len(at) // _WORTH_A_DICTIONARY)
        sample = [todo[number] for number in at[::step][:_WORTH_A_DICTIONARY]]
        pages: list[bytes] = []
        for done, outcome in enumerate(self.executor.process(sample, run, report, cancelled), 1):
            if on_progress is not None:
                on_progress(BakeProgress(done, len(todo), outcome.key.path))
            for packed in outcome.outputs:
                if packed.kind == "prefab":
                    # Another process may have made a dictionary meanwhile.
                    first = packed.pages[0]
                    pages.append(first.unpack(self.executor.store.dictionary(first.method)))
        chosen = {work.key for work in sample}
        todo[:] = [work for work in todo if work.key not in chosen]
        tries.update(chosen)
        data = make_dictionary(pages)
        if len(data) > DICTIONARY_BYTES // 8:
            with self.executor.store.writing() as db:
                if not db.execute("SELECT count(*) FROM dictionaries").fetchone()[0]:
                    db.execute(
                        "INSERT INTO dictionaries VALUES (?, ?)", CompressionDictionary.of(data)
                    )
        return len(sample)

    # ------------------------------------------------------------------------------------ at end

    def _has_failed_variants(self) -> bool:
        with self.executor.store.reading() as db:
            query = "SELECT 1 FROM assets WHERE variant<>'' AND errors IS NOT NULL LIMIT 1"
            return db.execute(query).fetchone() is not None

    def can(self, path: str) -> bool:
        """Whether there is a file of that path, and a processor takes it."""
        return self.executor.choose(path) is not None and self.executor.stat(path) is not None

    def _complete(self, report: BakeReport, *, swept: bool) -> None:
        if swept or self._has_failed_variants():
            with self.executor.store.writing() as db:
                records.sweep(db)
            self.executor.store.settle()
        self._list_errors(report)
        with self.executor.store.reading() as db:
            missing: dict[str, list[str]] = {}
            for row in db.execute(
                "SELECT t.path, a.path FROM needs n JOIN assets t ON t.id=n.target "
                "JOIN assets a ON a.id=n.asset WHERE t.state=? ORDER BY 1, 2",
                (NAMED,),
            ):
                name, user = typed(row, tuple[str, str])
                missing.setdefault(name, []).append(user)
        report.missing = {name: users for name, users in missing.items() if not self.can(name)}

    def _list_errors(self, report: BakeReport) -> None:
        """Add the errors of the store to those of the scan, each once."""
        owners = {str(error): (error, error.path or "") for error in report.errors}
        with self.executor.store.reading() as db:
            rows = db.execute(
                "SELECT path, errors FROM assets WHERE errors IS NOT NULL ORDER BY path"
            )
            for row in rows:
                path, text = typed(row, tuple[str, str])
                for error in errors_of(text):
                    message = str(error)
                    if message in owners:
                        # Heirs have the errors of their parents; they belong to the parent.
                        first, owner = owners[message]
                        if _fits(first, path) > _fits(first, owner):
                            owners[message] = first, path
                    elif len(owners) < _MOST_ERRORS:
                        owners[message] = error, path
                        report.errors.append(error)
                    else:
                        report.truncated = True
        for error, path in owners.values():
            report.broken.setdefault(path, []).append(error)


def _fits(error: LocatedError, path: str) -> int:
    """How much of an asset path the file has at its end that an error names."""
    name = shown(path.rpartition(":")[2], None)
    place = (error.path or "").replace("\\", "/")
    return len(name) if f"/{place}".endswith(f"/{name}") else 0
