"""The main thread's side of the loader: results arrive, and everybody is told."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, Final, TypeAlias

from ...errors import AssetChangedError, StoreError, UnreadableAssetError, shown
from ...frames.main_thread_queue import MainThreadQueue, Step, Steps
from ...pipeline import BakedAsset
from ..requests.asset_record import Entry, Flight, LoadState, TreeState
from ..requests.dependency_graph import inherit_failure, own_failed, own_ready, recount
from ..requests.handle import ChildrenArrived, Handle
from ..requests.load_registry import LoadTable
from .decoders import Loaded, Partial

__all__ = ["Activator", "Landing", "is_transient"]

_log = logging.getLogger("arcade_prefabs")

Activator: TypeAlias = Callable[[str, Any], Generator[Step | None, None, Any]]
"""Prepares a value on the main thread, in steps, such as uploading a texture.

Called with the id and the value; what it returns, if not None, takes the value's place.
"""

# Results that are landed in one step: about 0.1 ms.
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


class Landing:
    """Commits what loader threads made. Main thread, without the lock.

    Args:
        table: The loader's books.
        queue: The main thread's.
        activators: What has to be done on the main thread, by kind.
        wake: Called when there may be room for more loads.
        retry: Called with an attempt that failed and an error that may be gone the next time;
            True if it will be tried again.
    """

    def __init__(
        self,
        table: LoadTable,
        queue: MainThreadQueue,
        activators: Mapping[str, Activator],
        wake: Callable[[], None],
        retry: Callable[[Flight, Exception], bool],
    ) -> None:
        self.wake = wake
        self._table = table
        self._queue = queue
        self._arrivals: deque[Callable[[], Steps | None]] = deque()
        self._landing = False
        self._activators = activators
        self._retry = retry

    def arrive(self, work: Callable[[], Steps | None]) -> None:
        """Have a result landed on the main thread, in the order of arrival. Any thread.

        Several are landed in one step: a step of its own for each would cost as much as the
        landing itself.
        """
        self._arrivals.append(work)
        # In this order, as `_land` does it the other way round: no arrival is left behind.
        if not self._landing:
            self._landing = True
            self._queue.post(self._land, "activate", Step("land"))

    def _land(self) -> Steps:
        while True:
            for _ in range(min(_AT_ONCE, len(self._arrivals))):
                work = self._arrivals.popleft()
                try:
                    steps = work()
                except Exception as error:  # of ours: it must not stop what comes after
                    _log.exception("a result could not be landed", exc_info=error)
                else:
                    if steps is not None:
                        self._queue.post(steps, "activate", Step("activate"))
            if not self._arrivals:
                self._landing = False
                if not self._arrivals:
                    return
                self._landing = True
            yield None

    def children(self, flight: Flight, told: Partial, first: bool) -> None:
        """Hand on parts of a prefab."""
        entry = flight.entry
        with self._table.lock:
            if flight.stale:
                return
            if first:
                entry.children = ()
            arrived: ChildrenArrived = ChildrenArrived(told.children, len(entry.children))
            entry.children += told.children
            handles = list(entry.waiters.values())
            self._table.tell("children", entry)
        for handle in handles:
            handle._arrived(arrived)

    def commit(self, flight: Flight, asset: BakedAsset, loaded: Loaded) -> Steps | None:
        """Make a load's result what its handles have."""
        if flight.stale:
            self._release(flight)
            return None
        activator = self._activators.get(asset.kind)
        if activator is not None and not _is_same(flight.entry, asset):
            return self._activate(activator, flight, asset, loaded)
        self._ready(flight, asset, loaded)
        return None

    def _activate(
        self, activator: Activator, flight: Flight, asset: BakedAsset, loaded: Loaded
    ) -> Steps:
        try:
            steps = activator(flight.entry.id, loaded.value)
            while True:
                if flight.stale:
                    steps.close()
                    self._release(flight)
                    return
                step = next(steps)
                yield step
        except StopIteration as stop:
            if stop.value is not None:
                loaded = loaded._replace(value=stop.value)
        except GeneratorExit:
            self._release(flight)
            raise
        except Exception as error:
            self.failed(flight, error)
            return
        self._ready(flight, asset, loaded)

    def _release(self, flight: Flight) -> None:
        with self._table.lock:
            self._table.scheduler.release(flight)
        self.wake()

    def _ready(self, flight: Flight, asset: BakedAsset, loaded: Loaded) -> None:
        entry, table = flight.entry, self._table
        with table.lock:
            table.scheduler.release(flight)
            if flight.stale:
                told: list[Handle[Any]] = []
                watchers: list[Entry] = []
            elif flight.reload:
                told, watchers = self._replace(entry, asset, loaded)
            else:
                watchers = []
                self._take(entry, asset, loaded)
                table.tell("loaded", entry)
                told = self._failed_trees(inherit_failure(entry))
                told += self._settled(own_ready(entry))
                table.trim()
            held_back = len(table.scheduler)
        if held_back:  # there may be room for one of them now
            self.wake()
        self._tell(told, watchers)

    def settle_revived(self) -> None:
        """Look at the trees of assets that were found alive in the game."""
        told: list[Handle[Any]] = []
        with self._table.lock:
            while self._table.revived:
                entry = self._table.revived.popleft()
                if entry.state is LoadState.READY and entry.tree is TreeState.LOADING:
                    told += self._failed_trees(inherit_failure(entry))
                    told += self._settled(own_ready(entry))
        self._tell(told, [])

    def _take(self, entry: Entry, asset: BakedAsset, loaded: Loaded) -> None:
        """Give an asset its first value."""
        entry.flight = None
        entry.state = LoadState.READY
        entry.error = None
        entry.value, entry.kind, entry.digest = loaded.value, asset.kind, asset.digest
        entry.size = loaded.size
        entry.version += 1
        entry.progress = 1.0
        entry.children = ()
        entry.stale_error = asset.errors[0] if asset.errors else None
        self._table.ended[LoadState.READY] += 1
        self._table.cache.add(entry.size)

    def _replace(
        self, entry: Entry, asset: BakedAsset, loaded: Loaded
    ) -> tuple[list[Handle[Any]], list[Entry]]:
        """Give an asset another value; gives handles that are done by that, and what changed."""
        table = self._table
        stale_error = asset.errors[0] if asset.errors else None
        if _is_same(entry, asset):
            # The text changed, what it means did not; or it is broken, and this is the last good.
            entry.flight = None
            entry.stale_error = stale_error
            if stale_error is not None:
                table.tell("reload_failed", entry, stale_error)
            return [], []
        if entry.state is LoadState.READY:
            table.dropped.append(entry.value)
            table.ended[LoadState.READY] -= 1
            table.cache.remove(entry)
        else:
            table.ended[LoadState.FAILED] -= 1
        self._take(entry, asset, loaded)
        table.connect(entry, loaded.needs)
        ready, failed = recount(entry)
        table.tell("reloaded", entry)
        if stale_error is not None:
            table.tell("reload_failed", entry, stale_error)
        told = [*self._settled(ready), *self._failed_trees(failed)]
        above = _above(entry)
        for one in above[1:]:
            table.tell("dependency_reloaded", one)
        table.trim()
        return told, above

    def failed(self, flight: Flight, error: Exception) -> None:
        """Note that an attempt failed; perhaps there is another one."""
        entry, table = flight.entry, self._table
        if not flight.stale and is_transient(error) and self._retry(flight, error):
            self._release(flight)
            return
        with table.lock:
            table.scheduler.release(flight)
            told: list[Handle[Any]] = []
            logged = False
            if not flight.stale:
                logged = not table.was_told(entry.id, error)
                if logged:
                    table.note_failed_load(entry.id, error)
                entry.flight = None
                if flight.reload:
                    entry.stale_error = error
                    table.tell("reload_failed", entry, error)
                else:
                    entry.state = LoadState.FAILED
                    entry.error = error
                    table.ended[LoadState.FAILED] += 1
                    told = self._failed_trees(own_failed(entry, error))
        if logged:
            _log.warning("%s cannot be loaded: %s", shown(entry.id), error)
        self.wake()
        self._tell(told, [])

    def _settled(self, entries: Iterable[Entry]) -> list[Handle[Any]]:
        told: list[Handle[Any]] = []
        for one in entries:
            one.settled = True
            self._table.tell("ready", one)
            told.extend(one.waiters.values())
            one.waiters.clear()
        return told

    def _failed_trees(self, entries: Iterable[Entry]) -> list[Handle[Any]]:
        told: list[Handle[Any]] = []
        for one in entries:
            one.settled = True
            self._table.tell("failed", one, one.tree_error)
            told.extend(one.waiters.values())
            one.waiters.clear()
        return told

    def _tell(self, handles: list[Handle[Any]], replaced: list[Entry]) -> None:
        for handle in handles:
            handle._settle()
        for entry in replaced:
            with self._table.lock:
                watchers = self._table.watchers(entry)
            for reference in watchers:
                handle_or_none = reference()
                if handle_or_none is not None:
                    handle_or_none._reloaded()


def _above(entry: Entry) -> list[Entry]:
    """An asset and all that depend on it, whose trees are not failed."""
    found = {entry: None}
    stack = [entry]
    while stack:
        for parent in stack.pop().parents:
            if parent not in found and parent.state is LoadState.READY:
                found[parent] = None
                stack.append(parent)
    return [one for one in found if one is entry or one.tree is not TreeState.FAILED]


def _is_same(entry: Entry, asset: BakedAsset) -> bool:
    """Whether what was baked is what a loaded asset was made from, too."""
    return entry.state is LoadState.READY and entry.digest == asset.digest
