"""Decides which files a bake processes, and in which order: in waves.

**Problem.** Prefabs extend and contain each other, worlds name prefabs, sheets are cut as prefabs
ask. After an edit all assets have to be baked again whose outputs it can change, and no others.
Which inputs an asset has is known only after it was processed, because its processor decides what
it reads.

**Way taken.** A bake runs in waves. The first wave takes all files that are new, changed, or have
another recipe. The worker that processes a file reads all other files it needs from the asset
source, not from the store, so the order within a wave does not matter. Each output is stored with a
hash, and each asset with the hashes of its inputs. The next wave takes the assets that have an
input with another hash now. An output that comes out the same ends the chain there: changing a
comment in a parent bakes the parent, and no derived prefab. A bake that is killed between two
waves leaves hashes that differ, which the next bake finds; it needs no journal.

If files change during the bake, or depend on each other in a cycle, an asset may become stale
several times; it is tried `_MOST_TRIES` times in one bake, and again in the next one.

**Rejected.** A topological order from the dependencies of the last bake: they are wrong after just
the edits that matter, and files in a cycle have none. Time stamps to compare inputs and outputs:
the clock of a file system is too coarse, and an unchanged output would not end the chain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from ...errors import LocatedError, shown
from ..model.bake_report import BakeProgress, BakeReport
from ..model.bake_result import BakeKey, BakeResult
from ..sources import SourceFile
from ..store import writes as records
from ..store.rows import errors_of, typed
from ..store.schema import INPUT, NAMED
from .changes import (
    AssetRow,
    below,
    compare,
    find_row,
    unscanned,
    update_inputs,
    update_unbaked,
    variants,
)
from .executor import BakeExecutor, Cancelled, StaleAsset, trusted

__all__ = ["Baker", "OnProgress"]

OnProgress = Callable[[BakeProgress], None]

# How often an asset is baked in one bake, if its inputs are edited meanwhile.
_MOST_TRIES: Final = 3
# The most errors in a report; one mistake in a parent is an error of each derived prefab.
_MOST_ERRORS: Final = 1000


class Baker:
    """Decides which files are baked, and in which order.

    Any thread, several at a time.
    """

    def __init__(self, executor: BakeExecutor) -> None:
        self.executor = executor

    # ------------------------------------------------------------------------------- whole bakes

    def everything(
        self, report: BakeReport, on_progress: OnProgress | None, cancelled: Cancelled | None
    ) -> None:
        """Bakes all stale files of the source."""
        self.executor.begin()
        todo: list[StaleAsset] = []
        gone: list[AssetRow] = []
        touched: list[tuple[SourceFile, AssetRow]] = []
        now = self.executor.now_ns()
        files = (trusted(file, now) for file in self.executor.source.scan())
        for file, row in compare(self.executor.store, files):
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
        self._add_unscanned(todo, gone, touched)
        self._finish(report, todo, gone, touched, on_progress, cancelled)

    def some(
        self,
        paths: Iterable[str],
        report: BakeReport,
        on_progress: OnProgress | None = None,
        cancelled: Cancelled | None = None,
    ) -> None:
        """Bakes the stale ones of these files, and all files that are made from them."""
        self.executor.begin()
        todo: list[StaleAsset] = []
        gone: list[AssetRow] = []
        touched: list[tuple[SourceFile, AssetRow]] = []
        for path in paths:
            report.files += 1
            rows = variants(self.executor.store, path)
            file = self.executor.stat(path)
            if file is None and not rows:  # the path may be that of a deleted folder
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
        report.errors += self.executor.source.refused()  # as of the last scan
        self._finish(report, todo, gone, touched, on_progress, cancelled)

    def _add_unscanned(
        self,
        todo: list[StaleAsset],
        gone: list[AssetRow],
        touched: list[tuple[SourceFile, AssetRow]],
    ) -> None:
        """Sorts the assets that no scan lists, those with import settings or resource handles."""
        for row in unscanned(self.executor.store):
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
        todo: list[StaleAsset],
        gone: list[AssetRow],
        touched: list[tuple[SourceFile, AssetRow]],
        on_progress: OnProgress | None,
        cancelled: Cancelled | None,
    ) -> None:
        """Runs the waves of a bake, and completes the report.

        Args:
            report: The report.
            todo: The files of the first wave.
            gone: Assets whose files do not exist any more.
            touched: Files with another time stamp, whose content has to be compared.
            on_progress: See `AssetPipeline.bake`.
            cancelled: See `AssetPipeline.bake`.
        """
        self.executor.forget(gone, report)
        todo += self.executor.really_changed(touched, report)
        update_inputs(self.executor.store, self.executor.source, self.executor.stat)
        tries: Counter[BakeKey] = Counter()
        done = 0
        # The loop runs even without a changed file: a component class may have changed, or the
        # last bake may have been killed.
        while True:
            tries.update(asset.key for asset in todo)
            total = done + len(todo)
            for outcome in self.executor.process(todo, report, cancelled):
                done += 1
                if on_progress is not None:
                    on_progress(BakeProgress(done, total, outcome.key.path))
            # First the assets that are made from this wave. In a chain of files each wave is one
            # file, and a query over the whole store for each would take quadratic time. Then all
            # other stale assets, such as those of a bake that was killed.
            wave = self._next_wave([asset.key for asset in todo])
            todo = [asset for asset in wave if not tries[asset.key]]
            if not todo:
                # Last the assets that became stale again after they were baked in this bake.
                wave = self._next_wave()
                todo = [asset for asset in wave if not tries[asset.key]]
                todo = todo or [asset for asset in wave if tries[asset.key] < _MOST_TRIES]
            if not todo:
                break
        self._complete(report, swept=bool(done or gone))

    def _next_wave(self, made_from: Sequence[BakeKey] | None = None) -> list[StaleAsset]:
        """Returns the assets that are stale, or were requested and are not baked yet.

        Args:
            made_from: Returns only assets made from these, which is faster; None for all.
        """
        with self.executor.store.reading() as db:
            found = records.stale(db, made_from=made_from)
            requested: Iterable[BakeKey] = db.execute(
                "SELECT DISTINCT a.path, a.variant FROM assets a JOIN wishes w ON w.target=a.id "
                "WHERE a.state=?",
                (NAMED,),
            )
            requested = [typed(row, BakeKey) for row in requested]
            # No scan lists files behind resource handles; they are baked if a prefab needs them.
            needed: Iterable[BakeKey] = db.execute(
                "SELECT DISTINCT a.path, a.variant FROM assets a JOIN needs n ON n.target=a.id "
                "WHERE a.state=? AND a.path LIKE ':%'",
                (NAMED,),
            )
            needed = [typed(row, BakeKey) for row in needed]
        reasons = dict.fromkeys(needed, "something needs it")
        reasons |= dict.fromkeys(requested, "something asked for these settings")
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
        self,
        key: BakeKey,
        is_fresh: Callable[[BakeKey], bool] = lambda _: False,
        committed: dict[BakeKey, BakeResult | None] | None = None,
    ) -> set[BakeKey]:
        """Bakes one asset if it is stale, after the stale ones of its inputs.

        Args:
            key: The asset.
            is_fresh: Returns True for inputs that need not be compared with their files again.
            committed: Receives the result of each of its keys that is baked and written.

        Returns:
            All assets that are up to date now. A caller that bakes many assets with common inputs
            passes them to the next call by ``is_fresh``, or each call would compare all of them
            again.
        """
        self.executor.begin()
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
        update_unbaked(unbaked, self.executor.store, self.executor.source, self.executor.stat)
        baked = {asset.key for asset in todo}
        for _ in self.executor.process(todo, BakeReport(), None, committed):
            pass
        for _ in range(_MOST_TRIES):  # more than once only if files depend on each other in a cycle
            if not self._bake_stale(made_from, baked, committed):
                break
        return {one for one, file, _ in made_from if file is not None}

    def _made_from(
        self, key: BakeKey, is_fresh: Callable[[BakeKey], bool]
    ) -> list[tuple[BakeKey, SourceFile | None, AssetRow | None]]:
        """Returns an asset and all its inputs, direct and indirect, each after its own inputs."""
        found: list[tuple[BakeKey, SourceFile | None, AssetRow | None]] = []
        seen = {key}
        # A stack instead of recursion, which would fail at chains of some hundred files.
        stack = [self._targets(key)]
        while stack:
            asset, targets = stack[-1]
            target = next(targets, None)
            if target is None:
                found.append(asset)
                stack.pop()
            elif target not in seen and not is_fresh(target):
                seen.add(target)
                stack.append(self._targets(target))
        return found

    def _targets(
        self, key: BakeKey
    ) -> tuple[tuple[BakeKey, SourceFile | None, AssetRow | None], Iterator[BakeKey]]:
        """Returns an asset with its file and row, and the keys of its direct inputs."""
        file = self.executor.stat(key.path)
        paths: list[str] = []
        with self.executor.store.reading() as db:
            row = find_row(db, key)
            if row is not None and file is not None:
                query = (
                    "SELECT DISTINCT a.path FROM inputs i JOIN assets a ON a.id=i.target "
                    "WHERE i.asset=? AND i.kind<2"
                )
                paths = [typed(one, tuple[str])[0] for one in db.execute(query, (row.id,))]
        return (key, file, row), map(BakeKey, paths)

    def _bake_stale(
        self,
        assets: list[tuple[BakeKey, SourceFile | None, AssetRow | None]],
        baked: set[BakeKey],
        committed: dict[BakeKey, BakeResult | None] | None,
    ) -> bool:
        """Bakes the assets that have changed inputs, in their order; returns whether any had."""
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
                asset = StaleAsset(key, file, processor, reason)
                for _ in self.executor.process([asset], BakeReport(), None, committed):
                    pass
        return found

    # ------------------------------------------------------------------------------------ at end

    def _has_failed_variants(self) -> bool:
        with self.executor.store.reading() as db:
            query = "SELECT 1 FROM assets WHERE variant<>'' AND errors IS NOT NULL LIMIT 1"
            return db.execute(query).fetchone() is not None

    def can(self, path: str) -> bool:
        """Returns whether a file with this path exists and a processor takes it."""
        return self.executor.choose(path) is not None and self.executor.stat(path) is not None

    def _complete(self, report: BakeReport, *, swept: bool) -> None:
        """Deletes unused rows, and fills in the errors and missing assets of the report."""
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
        """Adds the errors of the store to those of the scan, without duplicates."""
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
                        # The error of a parent is stored for its derived prefabs, too; it is listed
                        # under the file whose name it shows.
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
    """Returns how long the common end of an asset path and of the path that an error shows is."""
    name = shown(path.rpartition(":")[2], None)
    file = (error.path or "").replace("\\", "/")
    return len(name) if f"/{file}".endswith(f"/{name}") else 0
