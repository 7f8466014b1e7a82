"""The main thread's side of the loader: results arrive, and everybody is told."""

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

Called with the id and the value; what it returns, if not None, takes the value's place.
"""

# Results that are committed in one step: about 0.1 ms.
_AT_ONCE: Final = 8
# Not there, or not allowed: trying again would not help.
_FINAL_OS_ERRORS = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)


def is_transient(error: Exception) -> bool:
    """Whether reading may go better the next time: a file that is locked, a network that hiccups.

    Any thread.
    """
    if isinstance(error, OSError):
        return not isinstance(error, _FINAL_OS_ERRORS)
    return type(error) is StoreError or isinstance(error, (UnreadableAssetError, AssetChangedError))


class MainThreadCommit:
    """Commits what loader threads made. Main thread, without the lock.

    Args:
        loads: What is loaded, loading or wanted.
        queue: The main thread's.
        activators: What has to be done on the main thread, by kind.
        wake: Called when there may be room for more loads.
        retry: Called with an attempt that failed and an error that may be gone the next time;
            True if it will be tried again.
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
        self._arrivals: deque[Callable[[], Steps | None]] = deque()
        self._committing = False
        self._activators = activators
        self._retry = retry

    def arrive(self, work: Callable[[], Steps | None]) -> None:
        """Commit a result on the main thread, in the order of arrival. Any thread.

        Several are committed in one step: a step of its own for each would cost as much as the
        commit itself.
        """
        self._arrivals.append(work)
        # In this order, as `_commit_arrivals` does it the other way round: none is left behind.
        if not self._committing:
            self._committing = True
            self._queue.post(self._commit_arrivals, "activate", Step("commit"))

    def _commit_arrivals(self) -> Steps:
        while True:
            for _ in range(min(_AT_ONCE, len(self._arrivals))):
                work = self._arrivals.popleft()
                try:
                    steps = work()
                except Exception as error:  # of ours: it must not stop what comes after
                    _log.exception("a result could not be committed", exc_info=error)
                else:
                    if steps is not None:
                        self._queue.post(steps, "activate", Step("activate"))
            if not self._arrivals:
                self._committing = False
                if not self._arrivals:
                    return
                self._committing = True
            yield None

    def children(self, attempt: LoadAttempt, told: DecodeProgress, first: bool) -> None:
        """Hand on parts of a prefab."""
        record = attempt.record
        with self._loads.lock:
            if attempt.stale:
                return
            if first:
                record.children = ()
            record.children += told.children
            self._loads.tell("children", record)

    def commit(self, attempt: LoadAttempt, asset: BakedAsset, loaded: DecodedAsset) -> Steps | None:
        """Make a load's result what its handles have."""
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
                told: list[Completion] = []
                watchers: list[AssetRecord] = []
            elif attempt.reload:
                told, watchers = self._replace(record, asset, loaded)
            else:
                watchers = []
                self._take(record, asset, loaded)
                loads.tell("loaded", record)
                told = self._failed_trees(inherit_failure(record))
                told += self._settled(own_ready(record))
                loads.trim()
            held_back = len(loads.scheduler)
        if held_back:  # there may be room for one of them now
            self.wake()
        self._tell(told, watchers)

    def settle_revived(self) -> None:
        """Look at the trees of assets that were found alive in the game."""
        told: list[Completion] = []
        with self._loads.lock:
            while self._loads.revived:
                record = self._loads.revived.popleft()
                if record.state is LoadState.READY and record.tree is TreeState.LOADING:
                    told += self._failed_trees(inherit_failure(record))
                    told += self._settled(own_ready(record))
        self._tell(told, [])

    def _take(self, record: AssetRecord, asset: BakedAsset, loaded: DecodedAsset) -> None:
        """Give an asset its first value."""
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
        """Give an asset another value; gives completions of done handles and what changed."""
        loads = self._loads
        stale_error = asset.errors[0] if asset.errors else None
        if _is_same(record, asset):
            # The text changed, what it means did not; or it is broken, and this is the last good.
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
        told = [*self._settled(ready), *self._failed_trees(failed)]
        above = _above(record)
        for one in above[1:]:
            loads.tell("dependency_reloaded", one)
        loads.trim()
        return told, above

    def failed(self, attempt: LoadAttempt, error: Exception) -> None:
        """Note that an attempt failed; perhaps there is another one."""
        record, loads = attempt.record, self._loads
        if not attempt.stale and is_transient(error) and self._retry(attempt, error):
            self._release(attempt)
            return
        with loads.lock:
            loads.scheduler.release(attempt)
            told: list[Completion] = []
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
                    told = self._failed_trees(own_failed(record, error))
        if logged:
            _log.warning("%s cannot be loaded: %s", shown(record.id), shown_error(error))
        self.wake()
        self._tell(told, [])

    def _settled(self, entries: Iterable[AssetRecord]) -> list[Completion]:
        told: list[Completion] = []
        for one in entries:
            one.settled = True
            self._loads.tell("ready", one)
            told.extend(completion for completion, _ in one.waiters.values())
            one.waiters.clear()
        return told

    def _failed_trees(self, entries: Iterable[AssetRecord]) -> list[Completion]:
        told: list[Completion] = []
        for one in entries:
            one.settled = True
            self._loads.tell("failed", one, one.tree_error)
            told.extend(completion for completion, _ in one.waiters.values())
            one.waiters.clear()
        return told

    def _tell(self, completions: list[Completion], replaced: list[AssetRecord]) -> None:
        for completion in completions:
            completion.finish()
        for record in replaced:
            with self._loads.lock:
                watchers = list(record.watchers.values())
            for reference in watchers:
                notify = reference()
                if notify is not None:
                    notify()


def _above(record: AssetRecord) -> list[AssetRecord]:
    """An asset and all that depend on it, whose trees are not failed."""
    found = {record: None}
    stack = [record]
    while stack:
        for parent in stack.pop().parents:
            if parent not in found and parent.state is LoadState.READY:
                found[parent] = None
                stack.append(parent)
    return [one for one in found if one is record or one.tree is not TreeState.FAILED]


def _is_same(record: AssetRecord, asset: BakedAsset) -> bool:
    """Whether what was baked is what a loaded asset was made from, too."""
    return record.state is LoadState.READY and record.digest == asset.digest
