"""`LoadRegistry`: the records of all assets in the loader, under one lock.

Handles are made and dropped in any thread, loader threads load, and the main thread commits. All
of them change the same records, and one change often concerns many: dropping one handle can cancel
a whole tree of dependencies, and a more urgent request raises the priority of what it needs.

The way taken: one lock for all records, their dependencies, the scheduler and the cache. It is
held for microseconds only. Under it, no file is read, no code of the game runs, and no large value
is freed, so the main thread never waits for work of another thread. Values that are let go are
appended to `dropped` under the lock, and freed outside it.

Ways not taken:

- A lock for each record. A change of a tree would need the locks of all its records, in an order
  that does not deadlock, although dependencies may form circles.
- A registry that only the main thread changes, with messages from other threads. `load` could then
  not return a handle that is ready at once, and cancelling would take a frame.
- Releasing assets in `Handle.__del__`. A finaliser may run while the same thread holds the lock,
  which would deadlock; a lock that its owner may take twice would let it change records in the
  middle of another change. So finalisers only append to `dropped_handles`, without the lock.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any, Final

from ...errors import LoadCancelledError, LocatedError
from ...frames.awaitables import Completion
from ...frames.callbacks import Callbacks
from ...pipeline import BakedAsset, settings_key
from .asset_record import AssetKey, AssetRecord, LoadAttempt, LoadState, TreeState
from .cache import PrefabCache
from .dependency_graph import held, link, own_ready, unlink
from .events import LoadEventKind, LoadEvents
from .priority import PRIORITIES
from .scheduler import LoadScheduler

if TYPE_CHECKING:
    from ..workers.decoders import AssetDependency

__all__ = ["LoadRegistry", "key_of", "mark_of"]

# The most errors of failed loads to keep for `take_broken`.
_MOST_FAILED_LOADS: Final = 1_000
# Assets that were just baked and wait in memory to be decoded, each of 400 kB at most.
_MOST_HANDED_ON: Final = 16


class LoadRegistry:
    """Finds, adds, connects and removes asset records.

    Methods are called with `lock` held, unless their docstrings say otherwise.

    Args:
        scheduler: Queues the loads.
        cache: Chooses which assets to evict.
        callbacks: Calls functions of the game.
        events: Collects the events of loads.

    Attributes:
        scheduler, cache, callbacks, events: The arguments.
        lock: Guards the registry, the scheduler, the cache, and all fields of asset records.
        dropped: Values and decoders that were let go, to be freed outside the lock.
        dropped_handles: Records and serial numbers of handles that were garbage-collected.
            Finalisers append to it, in any thread, without the lock.
        revived: Records whose values were recalled from the game, and whose trees have to be
            updated on the main thread.
        closed: Whether the loader was closed.
        requested: The number of records that were added.
        ended: The number of them that became `READY`, `FAILED` or `CANCELLED`.
        over_limit: Whether held assets alone exceeded the cache's limit of bytes at the last trim.
    """

    def __init__(
        self, scheduler: LoadScheduler, cache: PrefabCache, callbacks: Callbacks, events: LoadEvents
    ) -> None:
        self.lock = threading.Lock()
        self.scheduler = scheduler
        self.cache = cache
        self.callbacks = callbacks
        self.events = events
        self.dropped: deque[Any] = deque()
        self.dropped_handles: deque[tuple[AssetRecord, int]] = deque()
        self.closed = False
        self.requested = 0
        self.ended = dict.fromkeys((LoadState.READY, LoadState.FAILED, LoadState.CANCELLED), 0)
        self.over_limit = False
        self.revived: deque[AssetRecord] = deque()
        self._records: dict[AssetKey, AssetRecord] = {}
        self._of_id: dict[str, dict[AssetRecord, None]] = {}
        self._ages = itertools.count()
        self._broken: Mapping[str, Set[int]] = {}
        self._handed_on = 0
        self._failed_loads: deque[tuple[str, int]] = deque(maxlen=_MOST_FAILED_LOADS)

    def __len__(self) -> int:
        return len(self._records)

    def tell(
        self, kind: LoadEventKind, record: AssetRecord | None, error: Exception | None = None
    ) -> None:
        """Collects an event of a record for listeners."""
        name = record.id if record is not None else ""
        before = error is not None and self.was_told(name, error)
        self.events.note(kind, name, error, before)

    # ------------------------------------------------------------------------------- broken files

    def was_told(self, identifier: str, error: Exception) -> bool:
        """Whether a ``broken`` event has reported this error of the asset's file."""
        marks = self._broken.get(identifier.partition("#")[0])
        return marks is not None and mark_of(error) in marks

    def note_failed_load(self, identifier: str, error: Exception) -> None:
        """Records that a failed load has logged this error of the asset's file."""
        self._failed_loads.append((identifier.partition("#")[0], mark_of(error)))

    def take_broken(
        self, broken: Mapping[str, Set[int]]
    ) -> tuple[Mapping[str, Set[int]], list[tuple[str, int]]]:
        """Replaces the errors of broken files.

        Args:
            broken: The marks of all present errors (see `mark_of`), by asset path.

        Returns:
            The marks of the call before, and the path and mark of each error that a failed load
            has logged since then.
        """
        before, self._broken = self._broken, broken
        loads = list(self._failed_loads)
        self._failed_loads.clear()
        return before, loads

    # --------------------------------------------------------------------------------- assets

    def find(self, key: AssetKey) -> AssetRecord | None:
        """Returns the record of an asset key, or None."""
        return self._records.get(key)

    def of_id(self, identifier: str) -> list[AssetRecord]:
        """Returns the records of an asset id, one for each combination of import settings."""
        return list(self._of_id.get(identifier, ()))

    def records(self) -> list[AssetRecord]:
        """Returns all records."""
        return list(self._records.values())

    # ------------------------------------------------------------------------ requests and demands

    def request(self, key: AssetKey, settings: Mapping[str, Any] | None) -> AssetRecord:
        """Returns the record of an asset key; if there is none, adds it and begins a load.

        A value that was evicted, but is still used by the game, is taken instead of a load.
        """
        record = self._records.get(key)
        if record is not None:
            if record.state is LoadState.READY:
                self.cache.hits += 1
            return record
        record = AssetRecord(key, dict(settings) if settings else None, next(self._ages))
        self._records[key] = record
        self._of_id.setdefault(key[0], {})[record] = None
        self.requested += 1
        self.tell("requested", record)
        recalled = self.cache.recall(key)
        if recalled is not None:
            self.cache.shared += 1
            value, evicted = recalled
            record.value, record.kind, record.digest = value, evicted.kind, evicted.digest
            record.version, record.size = evicted.version, evicted.size
            record.state = LoadState.READY
            record.progress = 1.0
            self.ended[LoadState.READY] += 1
            self.cache.add(record.size)
            self.connect(record, evicted.needs)
            if evicted.needs:
                self.revived.append(record)  # trees become ready on the main thread only
            elif own_ready(record):
                record.settled = True
        else:
            self.cache.misses += 1
            record.attempt = LoadAttempt(record)
        return record

    def demand(self, record: AssetRecord, serial: int, rank: int) -> None:
        """Adds the demand of a handle for an asset, with its priority."""
        first = not record.demands and not record.parents and not record.pins
        record.demands[serial] = rank
        record.count(rank, 1)
        self.cache.hold(record)
        if record.attempt is not None or record.tree is TreeState.LOADING:
            if first:
                record.priority = PRIORITIES[rank]
                self._queue(record)
            else:
                self.rate(record)

    def change(self, record: AssetRecord, serial: int, rank: int) -> None:
        """Changes the priority of a handle's demand."""
        old = record.demands.get(serial)
        if old is not None:
            record.count(old, -1)
            record.demands[serial] = rank
            record.count(rank, 1)
            self.rate(record)

    def unwant(self, record: AssetRecord, serial: int) -> None:
        """Removes the demand of a handle; the last one cancels the load or frees the asset."""
        rank = record.demands.pop(serial, None)
        record.waiters.pop(serial, None)
        record.watchers.pop(serial, None)
        if rank is not None:
            record.count(rank, -1)
            self.let_go(record)
            self.trim()

    def _queue(self, record: AssetRecord) -> None:
        attempt = record.attempt
        if attempt is not None and (attempt.queued or not attempt.turn):
            self.scheduler.put(attempt)

    def rate(self, record: AssetRecord) -> None:
        """Computes the priority of an asset and of its loading dependencies again.

        An asset has the highest priority of its handles and loading parents.
        """
        stack = [record]
        while stack:
            one = stack.pop()
            own = one.asked
            for parent in one.parents:
                if parent.tree is TreeState.LOADING:
                    own = max(own, parent.priority)
            attempt = one.attempt
            fresh = attempt is not None and not attempt.turn
            if own != one.priority or fresh:
                one.priority = PRIORITIES[own]
                self._queue(one)
                stack.extend(need for need in one.needs if need.tree is TreeState.LOADING)

    def connect(self, record: AssetRecord, needs: Iterable[AssetDependency]) -> None:
        """Sets the dependencies of an asset, and requests those that are not loaded."""
        needed = [self._needed(need) for need in needs]
        before = unlink(record)  # dependencies of an older version of the file
        link(record, needed)
        for need in record.needs:
            self.cache.hold(need)
            if need.tree is TreeState.LOADING:
                self.rate(need)
        for need in before:
            self.let_go(need)

    def _needed(self, need: AssetDependency) -> AssetRecord:
        name, settings = (need, None) if isinstance(need, str) else need
        return self.request(key_of(name, settings), settings)

    # ------------------------------------------------------------------------------------ let go

    def let_go(self, record: AssetRecord) -> None:
        """Cancels the load of an asset, or gives the asset to the cache, if nothing holds it."""
        stack = [record]
        while stack:
            one = stack.pop()
            if self._records.get(one.key) is not one:
                continue
            if held(one):
                if one.attempt is not None:
                    self.rate(one)
            elif one.state is LoadState.READY:
                outdated = one.attempt is not None  # its file changed, and is being loaded again
                self._abort(one)
                if one.tree is TreeState.READY and not outdated:
                    self.cache.release(one)
                else:
                    # Its dependencies are still loading, and their loads have to be cancelled; or
                    # one of them failed, and the next request has to try it again.
                    stack.extend(self._drop(one))
                    if outdated:
                        self.cache.forget(one.id)
            else:
                self._abort(one)
                if one.state is not LoadState.FAILED:
                    one.state = LoadState.CANCELLED
                    self.ended[LoadState.CANCELLED] += 1
                    self.tell("cancelled", one)
                stack.extend(self._remove(one))

    def _abort(self, record: AssetRecord) -> None:
        """Makes the present load attempt stale, and removes it from the queue."""
        attempt, record.attempt = record.attempt, None
        if attempt is not None and self.scheduler.remove(attempt):
            # A queued attempt is released here. One that is not queued is in the hands of a loader
            # thread or of the main thread, which releases it on seeing that it is stale.
            self.scheduler.release(attempt)
            if attempt.task is not None:
                self.dropped.append(attempt.task)
        if attempt is not None:
            self.take_asset(attempt)

    def hand_on(self, attempt: LoadAttempt, asset: BakedAsset) -> None:
        """Gives an asset that was just baked to the attempt that waits for it.

        Does nothing if many attempts have not used theirs yet: the attempt then reads the asset
        from the store. The caller holds the lock.
        """
        if self._handed_on < _MOST_HANDED_ON:
            self._handed_on += 1
            attempt.asset = asset

    def take_asset(self, attempt: LoadAttempt) -> BakedAsset | None:
        """Takes the asset that `hand_on` has given to an attempt. The caller holds the lock."""
        asset, attempt.asset = attempt.asset, None
        if asset is not None:
            self._handed_on -= 1
        return asset

    def _remove(self, record: AssetRecord) -> tuple[AssetRecord, ...]:
        del self._records[record.key]
        same = self._of_id[record.id]
        del same[record]
        if not same:
            del self._of_id[record.id]
        for parent in list(record.parents):
            # Records with parents are removed only together with their whole circle.
            parent.needs = tuple(need for need in parent.needs if need is not record)
        record.parents.clear()
        return unlink(record)

    def evict(self, record: AssetRecord) -> None:
        """Drops a loaded asset that nothing holds, and releases its dependencies."""
        for need in self._drop(record):
            self.let_go(need)

    def _drop(self, record: AssetRecord) -> tuple[AssetRecord, ...]:
        self._abort(record)
        self.cache.remove(record)
        self.cache.remember(record)
        self.cache.evictions += 1
        self.tell("evicted", record)
        self.dropped.append(record.value)
        record.value = None
        return self._remove(record)

    def trim(self, most_bytes: int | None = None, most_entries: int | None = None) -> int:
        """Evicts idle assets until the cache is within its limits, or the given ones.

        Returns:
            The number of evicted assets.
        """
        count = 0
        while (record := self.cache.surplus(most_bytes, most_entries)) is not None:
            self.evict(record)
            count += 1
        over = self.cache.over_limit
        if over != self.over_limit:
            self.over_limit = over
            self.tell("memory_high" if over else "memory_normal", None)
        return count

    # ------------------------------------------------------------------------------------ reload

    def restart(self, record: AssetRecord) -> bool:
        """Begins a new load of an asset whose file changed; False if none is needed."""
        if record.state is LoadState.CANCELLED or self._records.get(record.key) is not record:
            return False
        if record.idle:
            self.evict(record)
            self.cache.forget(record.id)
            return False
        attempt = record.attempt
        if attempt is not None and attempt.queued and attempt.task is None:
            self.take_asset(attempt)
            return False  # it has not been read yet, or is read again
        again = record.state in (LoadState.READY, LoadState.FAILED)
        self._abort(record)
        record.attempt = LoadAttempt(record, reload=again)
        if not again:
            record.state = LoadState.WAITING
        self.scheduler.put(record.attempt)
        return True

    def close(self) -> list[Completion]:
        """Cancels all loads.

        Returns:
            The completions of handles that code waits for, to be finished outside the lock.
        """
        self.closed = True
        waiting: list[Completion] = []
        for record in self.records():
            self._abort(record)
            error = LoadCancelledError(f"the load of {record.id} ended: the loader was closed")
            waiting.extend(completion for completion, _ in record.waiters.values())
            record.waiters.clear()
            if record.loading:
                record.state = LoadState.CANCELLED
                self.ended[LoadState.CANCELLED] += 1
            if not record.settled:
                record.settled = True
                record.tree = TreeState.FAILED
                record.tree_error = error
        return waiting

    def release_dropped(self, most: int) -> None:
        """Releases up to ``most`` dropped handles, and frees up to ``most`` dropped values.

        Called without the lock. Main thread.
        """
        for _ in range(min(most, len(self.dropped_handles))):
            record, serial = self.dropped_handles.popleft()
            with self.lock:
                self.unwant(record, serial)
        for _ in range(min(most, len(self.dropped))):
            value = self.dropped.popleft()
            if isinstance(value, Generator):
                value.close()  # a decoder between two pages
            del value


def key_of(identifier: str, settings: Mapping[str, Any] | None) -> AssetKey:
    """Returns the asset key of an asset id and import settings."""
    return identifier, settings_key(settings) if settings else ""


def mark_of(error: Exception) -> int:
    """Returns a hash of an error that is the same when the store returns the error again."""
    if isinstance(error, LocatedError):
        return hash((error.message, error.path, error.line, error.column))
    return hash(str(error))
