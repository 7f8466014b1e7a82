"""`LoadRegistry`: every asset that is loaded, loading or wanted, under one lock."""

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

# Errors that loads told and that hot reload may find soon after.
_MOST_FAILED_LOADS: Final = 1_000
# Assets that were just baked and wait in memory to be decoded, each of 400 kB at most.
_MOST_HANDED_ON: Final = 16


class LoadRegistry:
    """Records of all assets that are loaded, loading or wanted, under one lock.

    Its methods are called with `lock` held, unless they say otherwise.

    The lock is held for microseconds: no file is read, no user's code runs, nothing large is
    freed under it, so that the main thread never waits for work.

    Args:
        scheduler: Whose turn it is.
        cache: What stays.
        callbacks: Where functions of the game are called.
        events: Told what happens to loads.

    Attributes:
        scheduler, cache, callbacks, events: See above.
        lock: Guards everything here, records and what handles want of them included.
        dropped: What was let go: to be freed outside the lock.
        dropped_handles: Records and serial numbers of handles that nobody has any more. Finalisers
            append to it, in any thread, without the lock.
        revived: Assets that were found alive, and whose trees have to be looked at.
        closed: Whether the loader was shut down.
        requested: How many loads began.
        ended: How many of them were ready, failed, or were cancelled.
        over_limit: Whether what is held is by itself more than the cache may have.
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
        """Note an event for those who listen."""
        name = record.id if record is not None else ""
        before = error is not None and self.was_told(name, error)
        self.events.note(kind, name, error, before)

    # ------------------------------------------------------------------------------- broken files

    def was_told(self, identifier: str, error: Exception) -> bool:
        """Whether an error stands in a file, and was told when that was baked."""
        known = self._broken.get(identifier.partition("#")[0])
        return known is not None and mark_of(error) in known

    def note_failed_load(self, identifier: str, error: Exception) -> None:
        """Note that an error of a file is told because a load of it failed."""
        self._failed_loads.append((identifier.partition("#")[0], mark_of(error)))

    def take_broken(
        self, broken: Mapping[str, Set[int]]
    ) -> tuple[Mapping[str, Set[int]], list[tuple[str, int]]]:
        """Take over what is wrong with files now; gives what was told before.

        Args:
            broken: Marks of the errors that stand in files, by their asset paths, see `mark_of`.

        Returns:
            The same of before, and the errors that failed loads have told since then.
        """
        before, self._broken = self._broken, broken
        loads = list(self._failed_loads)
        self._failed_loads.clear()
        return before, loads

    # --------------------------------------------------------------------------------- assets

    def find(self, key: AssetKey) -> AssetRecord | None:
        """The asset of a key."""
        return self._records.get(key)

    def of_id(self, identifier: str) -> list[AssetRecord]:
        """The assets of an id, each with settings of its own."""
        return list(self._of_id.get(identifier, ()))

    def records(self) -> list[AssetRecord]:
        """All assets."""
        return list(self._records.values())

    # ------------------------------------------------------------------------- request and claims

    def request(self, key: AssetKey, settings: Mapping[str, Any] | None) -> AssetRecord:
        """The asset of a key; a load of it begins if it has none."""
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
        known = self.cache.recall(key)
        if known is not None:
            self.cache.shared += 1
            value, snapshot = known
            record.value, record.kind, record.digest = value, snapshot.kind, snapshot.digest
            record.version, record.size = snapshot.version, snapshot.size
            record.state = LoadState.READY
            record.progress = 1.0
            self.ended[LoadState.READY] += 1
            self.cache.add(record.size)
            self.connect(record, snapshot.needs)
            if snapshot.needs:
                self.revived.append(record)  # others may be ready by that: told on the main thread
            elif own_ready(record):
                record.settled = True
        else:
            self.cache.misses += 1
            record.attempt = LoadAttempt(record)
        return record

    def demand(self, record: AssetRecord, serial: int, rank: int) -> None:
        """Note that a handle wants an asset, and how urgently."""
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
        """Note that a handle wants an asset with another urgency."""
        old = record.demands.get(serial)
        if old is not None:
            record.count(old, -1)
            record.demands[serial] = rank
            record.count(rank, 1)
            self.rate(record)

    def unwant(self, record: AssetRecord, serial: int) -> None:
        """Note that a handle wants an asset no more."""
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
        """Work out an asset's urgency anew, and that of what it is waiting for."""
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
        """Have everything loaded that an asset depends on."""
        wanted = [self._needed(need) for need in needs]
        before = unlink(record)  # of an attempt that a change of the file made worthless
        link(record, wanted)
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
        """Cancel an asset, or leave it to the cache, if nothing holds it any more."""
        stack = [record]
        while stack:
            one = stack.pop()
            if self._records.get(one.key) is not one:
                continue
            if held(one):
                if one.attempt is not None:
                    self.rate(one)
            elif one.state is LoadState.READY:
                outdated = one.attempt is not None  # its file changed; the new version is coming
                self._ground(one)
                if one.tree is TreeState.READY and not outdated:
                    self.cache.release(one)
                else:
                    # What it needs is still on its way, which nobody wants now; or it failed,
                    # and whoever asks next will want it tried again.
                    stack.extend(self._drop(one))
                    if outdated:
                        self.cache.forget(one.id)
            else:
                self._ground(one)
                if one.state is not LoadState.FAILED:
                    one.state = LoadState.CANCELLED
                    self.ended[LoadState.CANCELLED] += 1
                    self.tell("cancelled", one)
                stack.extend(self._remove(one))

    def _ground(self, record: AssetRecord) -> None:
        """Give up the attempt that is under way."""
        attempt, record.attempt = record.attempt, None
        if attempt is not None and self.scheduler.remove(attempt):
            # Nobody works at it just now; otherwise whoever does sees that it is out of date.
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
            # Only in a circle that goes as a whole.
            parent.needs = tuple(need for need in parent.needs if need is not record)
        record.parents.clear()
        return unlink(record)

    def evict(self, record: AssetRecord) -> None:
        """Forget a loaded asset that nobody holds; its value may live on in the game."""
        for need in self._drop(record):
            self.let_go(need)

    def _drop(self, record: AssetRecord) -> tuple[AssetRecord, ...]:
        self._ground(record)
        self.cache.remove(record)
        self.cache.remember(record)
        self.cache.evictions += 1
        self.tell("evicted", record)
        self.dropped.append(record.value)
        record.value = None
        return self._remove(record)

    def trim(self, most_bytes: int | None = None, most_entries: int | None = None) -> int:
        """Forget what is beyond the limits of the cache; gives how many."""
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
        """Load an asset anew because its file changed; False if that is not needed."""
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
        self._ground(record)
        record.attempt = LoadAttempt(record, reload=again)
        if not again:
            record.state = LoadState.WAITING
        self.scheduler.put(record.attempt)
        return True

    def close(self) -> list[Completion]:
        """Cancel everything; gives the completions that somebody waits for."""
        self.closed = True
        waiting: list[Completion] = []
        for record in self.records():
            self._ground(record)
            error = LoadCancelledError(f"the load of {record.id} ended: the loader was shut down")
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
        """Release a number of dropped handles, and free as many values. Without the lock.

        Main thread.
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
    """The key of an asset: its id and, as text, the settings that differ."""
    return identifier, settings_key(settings) if settings else ""


def mark_of(error: Exception) -> int:
    """What the same error has again when it is read from the store a second time."""
    if isinstance(error, LocatedError):
        return hash((error.message, error.path, error.line, error.column))
    return hash(str(error))
