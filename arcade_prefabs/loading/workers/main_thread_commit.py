"""`MainThreadCommit`: gives decoded values to asset records, on the main thread.

The state that a game sees changes here only, so it cannot change while the game's own code runs. A
commit sets the record's value under the lock, updates the trees that depend on it, and then,
without the lock, finishes the completions of handles that are done.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, Final, TypeAlias

from ...errors import AssetChangedError, StoreError, UnreadableAssetError, shown, shown_error
from ...frames.awaitables import Completion
from ...frames.main_thread_queue import MainThreadQueue, Step, Steps
from ...pipeline import BakedAsset
from ..requests.asset_record import AssetRecord, LoadAttempt, LoadState, TreeState
from ..requests.dependency_graph import inherit_failure, own_failed, own_ready, recount
from ..requests.load_registry import LoadRegistry
from .decoders import DecodedAsset, DecodeProgress

__all__ = ["Activator", "MainThreadCommit", "is_transient"]

_log = logging.getLogger("arcade_prefabs")

Activator: TypeAlias = Callable[[str, Any], Generator[Step | None, None, Any]]
"""Prepares a value on the main thread, in steps, such as uploading a texture.

Called with the asset id and the value; a result other than None replaces the value.
"""

# The number of results that one step commits, in about 0.1 ms.
_AT_ONCE: Final = 8
# Errors of missing or forbidden files, which a retry would not mend.
_FINAL_OS_ERRORS = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)


def is_transient(error: Exception) -> bool:
    """Whether a retry may succeed, as after errors of a locked file or a network drive.

    Any thread.
    """
    if isinstance(error, OSError):
        return not isinstance(error, _FINAL_OS_ERRORS)
    return type(error) is StoreError or isinstance(error, (UnreadableAssetError, AssetChangedError))


class MainThreadCommit:
    """Commits the results of loader threads. Main thread, without the lock.

    Args:
        loads: The registry of loads.
        queue: Runs the commits.
        activators: Prepare values on the main thread, by kind of asset.
        wake: Wakes a loader thread; called when the limits may admit another load.
        retry: Called with a failed attempt and a transient error; returns whether the attempt will
            be repeated.
    """

    def __init__(
        self,
        loads: LoadRegistry,
        queue: MainThreadQueue,
        activators: Mapping[str, Activator],
        wake: Callable[[], None],
        retry: Callable[[LoadAttempt, Exception], bool],
    ) -> None:
        self.wake = wake
        self._loads = loads
        self._queue = queue
        self._commits: deque[Callable[[], Steps | None]] = deque()
        self._committing = False
        self._activators = activators
        self._retry = retry

    def arrive(self, commit: Callable[[], Steps | None]) -> None:
        """Queues a function that commits a result; they run in the order of the calls. Any thread.

        One step runs several of them: a step for each would cost as much as the commit itself.
        """
        self._commits.append(commit)
        # Append first, then read the flag; `_run_commits` clears the flag first, then looks at the
        # queue. So one of the two sees the other's change, and no commit is left in the queue.
        if not self._committing:
            self._committing = True
            self._queue.post(self._run_commits, "activate", Step("commit"))

    def _run_commits(self) -> Steps:
        while True:
            for _ in range(min(_AT_ONCE, len(self._commits))):
                commit = self._commits.popleft()
                try:
                    steps = commit()
                except Exception as error:  # a fault of the plugin; later commits must still run
                    _log.exception("a result could not be committed", exc_info=error)
                else:
                    if steps is not None:
                        self._queue.post(steps, "activate", Step("activate"))
            if not self._commits:
                self._committing = False
                if not self._commits:
                    return
                self._committing = True
            yield None

    def children(self, attempt: LoadAttempt, progress: DecodeProgress, first: bool) -> None:
        """Commits children of a prefab before the prefab itself; ``first`` drops earlier ones."""
        record = attempt.record
        with self._loads.lock:
            if attempt.stale:
                return
            if first:
                record.children = ()
            record.children += progress.children
            self._loads.tell("children", record)

    def commit(self, attempt: LoadAttempt, asset: BakedAsset, loaded: DecodedAsset) -> Steps | None:
        """Commits the result of a load; returns the steps of its activator, if it has one."""
        if attempt.stale:
            self._release(attempt)
            return None
        activator = self._activators.get(asset.kind)
        if activator is not None and not _is_same(attempt.record, asset):
            return self._activate(activator, attempt, asset, loaded)
        self._ready(attempt, asset, loaded)
        return None

    def _activate(
        self, activator: Activator, attempt: LoadAttempt, asset: BakedAsset, loaded: DecodedAsset
    ) -> Steps:
        try:
            steps = activator(attempt.record.id, loaded.value)
            while True:
                if attempt.stale:
                    steps.close()
                    self._release(attempt)
                    return
                step = next(steps)
                yield step
        except StopIteration as stop:
            if stop.value is not None:
                loaded = loaded._replace(value=stop.value)
        except GeneratorExit:
            self._release(attempt)
            raise
        except Exception as error:
            self.failed(attempt, error)
            return
        self._ready(attempt, asset, loaded)

    def _release(self, attempt: LoadAttempt) -> None:
        with self._loads.lock:
            self._loads.scheduler.release(attempt)
        self.wake()

    def _ready(self, attempt: LoadAttempt, asset: BakedAsset, loaded: DecodedAsset) -> None:
        record, loads = attempt.record, self._loads
        with loads.lock:
            loads.scheduler.release(attempt)
            if attempt.stale:
                completions: list[Completion] = []
                reloaded: list[AssetRecord] = []
            elif attempt.reload:
                completions, reloaded = self._replace(record, asset, loaded)
            else:
                reloaded = []
                self._take(record, asset, loaded)
                loads.tell("loaded", record)
                completions = self._failed_trees(inherit_failure(record))
                completions += self._settled(own_ready(record))
                loads.trim()
            queued = len(loads.scheduler)
        if queued:  # the limits may admit another load now
            self.wake()
        self._notify(completions, reloaded)

    def settle_revived(self) -> None:
        """Updates the trees of records whose values were recalled from the game."""
        completions: list[Completion] = []
        with self._loads.lock:
            while self._loads.revived:
                record = self._loads.revived.popleft()
                if record.state is LoadState.READY and record.tree is TreeState.LOADING:
                    completions += self._failed_trees(inherit_failure(record))
                    completions += self._settled(own_ready(record))
        self._notify(completions, [])

    def _take(self, record: AssetRecord, asset: BakedAsset, loaded: DecodedAsset) -> None:
        """Sets the value of a record, and counts it as ready."""
        record.attempt = None
        record.state = LoadState.READY
        record.error = None
        record.value, record.kind, record.digest = loaded.value, asset.kind, asset.digest
        record.size = loaded.size
        record.version += 1
        record.progress = 1.0
        record.children = ()
        record.stale_error = asset.errors[0] if asset.errors else None
        self._loads.ended[LoadState.READY] += 1
        self._loads.cache.add(record.size)

    def _replace(
        self, record: AssetRecord, asset: BakedAsset, loaded: DecodedAsset
    ) -> tuple[list[Completion], list[AssetRecord]]:
        """Replaces the value of a record after a reload.

        Returns:
            The completions of handles that are done now, and the records whose watchers have to be
            called: the record and those that depend on it.
        """
        loads = self._loads
        stale_error = asset.errors[0] if asset.errors else None
        if _is_same(record, asset):
            # The file changed, its baked data did not; or the file is broken, and the asset is the
            # last sound version.
            record.attempt = None
            record.stale_error = stale_error
            if stale_error is not None:
                loads.tell("reload_failed", record, stale_error)
            return [], []
        if record.state is LoadState.READY:
            loads.dropped.append(record.value)
            loads.ended[LoadState.READY] -= 1
            loads.cache.remove(record)
        else:
            loads.ended[LoadState.FAILED] -= 1
        self._take(record, asset, loaded)
        loads.connect(record, loaded.needs)
        ready, failed = recount(record)
        loads.tell("reloaded", record)
        if stale_error is not None:
            loads.tell("reload_failed", record, stale_error)
        completions = [*self._settled(ready), *self._failed_trees(failed)]
        reloaded = _with_parents(record)
        for parent in reloaded[1:]:
            loads.tell("dependency_reloaded", parent)
        loads.trim()
        return completions, reloaded

    def failed(self, attempt: LoadAttempt, error: Exception) -> None:
        """Retries a failed attempt after a transient error; fails its record otherwise."""
        record, loads = attempt.record, self._loads
        if not attempt.stale and is_transient(error) and self._retry(attempt, error):
            self._release(attempt)
            return
        with loads.lock:
            loads.scheduler.release(attempt)
            completions: list[Completion] = []
            logged = False
            if not attempt.stale:
                logged = not loads.was_told(record.id, error)
                if logged:
                    loads.note_failed_load(record.id, error)
                record.attempt = None
                if attempt.reload:
                    record.stale_error = error
                    loads.tell("reload_failed", record, error)
                else:
                    record.state = LoadState.FAILED
                    record.error = error
                    loads.ended[LoadState.FAILED] += 1
                    completions = self._failed_trees(own_failed(record, error))
        if logged:
            _log.warning("%s cannot be loaded: %s", shown(record.id), shown_error(error))
        self.wake()
        self._notify(completions, [])

    def _settled(self, records: Iterable[AssetRecord]) -> list[Completion]:
        """Settles records whose trees are ready; returns the completions of their handles."""
        completions: list[Completion] = []
        for record in records:
            record.settled = True
            self._loads.tell("ready", record)
            completions.extend(completion for completion, _ in record.waiters.values())
            record.waiters.clear()
        return completions

    def _failed_trees(self, records: Iterable[AssetRecord]) -> list[Completion]:
        """Settles records whose trees have failed; returns the completions of their handles."""
        completions: list[Completion] = []
        for record in records:
            record.settled = True
            self._loads.tell("failed", record, record.tree_error)
            completions.extend(completion for completion, _ in record.waiters.values())
            record.waiters.clear()
        return completions

    def _notify(self, completions: list[Completion], reloaded: list[AssetRecord]) -> None:
        """Finishes completions, and calls the watchers of reloaded records."""
        for completion in completions:
            completion.finish()
        for record in reloaded:
            with self._loads.lock:
                watchers = list(record.watchers.values())
            for reference in watchers:
                notify = reference()
                if notify is not None:
                    notify()


def _with_parents(record: AssetRecord) -> list[AssetRecord]:
    """Returns a record, and those that depend on it, directly or not, and have not failed."""
    found = {record: None}
    stack = [record]
    while stack:
        for parent in stack.pop().parents:
            if parent not in found and parent.state is LoadState.READY:
                found[parent] = None
                stack.append(parent)
    return [one for one in found if one is record or one.tree is not TreeState.FAILED]


def _is_same(record: AssetRecord, asset: BakedAsset) -> bool:
    """Whether a loaded asset was made from the same baked data."""
    return record.state is LoadState.READY and record.digest == asset.digest
