"""`LoadTable`: every asset that is loaded, loading or wanted, under one lock."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any, Final

from ...errors import LoadCancelledError, LocatedError
from ...pipeline import variant_of
from .asset_record import Entry, Flight, LoadState, TreeState, Want
from .cache import PrefabCache
from .dependency_graph import held, link, own_ready, unlink
from .events import LoadEvent, LoadEventKind
from .priority import PRIORITIES
from .scheduler import Scheduler

if TYPE_CHECKING:
    from ..workers.decoders import Need
    from .handle import Handle

__all__ = ["LoadTable", "key_of", "mark_of"]

Key = tuple[str, str]

# Errors that loads told and that hot reload may find soon after.
_MOST_FAILED_LOADS: Final = 1_000


class LoadTable:
    """The loader's books. All of its methods are called with `lock` held.

    The lock is held for microseconds: no file is read, no user's code runs, nothing large is
    freed under it, so that the main thread never waits for work.

    Args:
        scheduler: Whose turn it is.
        cache: What stays.
        clock: Seconds.

    Attributes:
        lock: Guards everything here, entries and handles' claims included.
        dropped: What was let go: to be freed outside the lock.
        revived: Assets that were found alive, and whose trees have to be looked at.
        news: Events that nobody was told yet; None while nobody listens.
        broken_news: Those of broken files, which may be many at once.
        closed: Whether the loader was shut down.
        requested: How many loads began.
        ended: How many of them were ready, failed, or were cancelled.
        over_limit: Whether what is held is by itself more than the cache may have.
    """

    def __init__(
        self, scheduler: Scheduler, cache: PrefabCache, clock: Callable[[], float]
    ) -> None:
        self.lock = threading.Lock()
        self.scheduler = scheduler
        self.cache = cache
        self.dropped: deque[Any] = deque()
        self.news: deque[LoadEvent] | None = None
        self.broken_news: deque[LoadEvent] | None = None
        self.closed = False
        self.requested = 0
        self.ended = dict.fromkeys((LoadState.READY, LoadState.FAILED, LoadState.CANCELLED), 0)
        self.over_limit = False
        self.revived: deque[Entry] = deque()
        self._clock = clock
        self._entries: dict[Key, Entry] = {}
        self._of_id: dict[str, dict[Entry, None]] = {}
        self._ages = itertools.count()
        self._broken: Mapping[str, Set[int]] = {}
        self._failed_loads: deque[tuple[str, int]] = deque(maxlen=_MOST_FAILED_LOADS)

    def __len__(self) -> int:
        return len(self._entries)

    def tell(
        self, kind: LoadEventKind, entry: Entry | None, error: Exception | None = None
    ) -> None:
        """Note an event for those who listen."""
        if self.news is not None:
            name = entry.id if entry is not None else ""
            before = error is not None and self.was_told(name, error)
            self.news.append(LoadEvent(kind, name, self._clock(), error, before))

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

    def tell_broken(self, path: str, error: Exception) -> None:
        """Note that a file is broken, for those who listen."""
        if self.broken_news is not None:
            self.broken_news.append(LoadEvent("broken", path, self._clock(), error))

    # --------------------------------------------------------------------------------- assets

    def find(self, key: Key) -> Entry | None:
        """The asset of a key."""
        return self._entries.get(key)

    def of_id(self, identifier: str) -> list[Entry]:
        """The assets of an id, each with settings of its own."""
        return list(self._of_id.get(identifier, ()))

    def entries(self) -> list[Entry]:
        """All assets."""
        return list(self._entries.values())

    # ------------------------------------------------------------------------- request and claims

    def request(self, key: Key, settings: Mapping[str, Any] | None) -> Entry:
        """The asset of a key; a load of it begins if it has none."""
        entry = self._entries.get(key)
        if entry is not None:
            if entry.state is LoadState.READY:
                self.cache.hits += 1
            return entry
        entry = Entry(key, dict(settings) if settings else None, next(self._ages))
        self._entries[key] = entry
        self._of_id.setdefault(key[0], {})[entry] = None
        self.requested += 1
        self.tell("requested", entry)
        known = self.cache.recall(key)
        if known is not None:
            self.cache.shared += 1
            value, record = known
            entry.value, entry.kind, entry.digest = value, record.kind, record.digest
            entry.version, entry.size = record.version, record.size
            entry.state = LoadState.READY
            entry.progress = 1.0
            self.ended[LoadState.READY] += 1
            self.cache.add(entry.size)
            self.connect(entry, record.needs)
            if record.needs:
                self.revived.append(entry)  # others may be ready by that: told on the main thread
            elif own_ready(entry):
                entry.settled = True
        else:
            self.cache.misses += 1
            entry.flight = Flight(entry)
        return entry

    def want(self, entry: Entry, serial: int, want: Want, score: float) -> None:
        """Note that a handle wants an asset, and how urgently."""
        first = not entry.wants and not entry.parents and not entry.pins
        entry.wants[serial] = want
        entry.count(want[0], 1)
        self.cache.hold(entry)
        if entry.flight is not None or entry.tree is TreeState.LOADING:
            if first:
                entry.priority, entry.score = PRIORITIES[want[0]], score
                self._queue(entry)
            else:
                self.rate(entry, min(entry.score, score))

    def change(self, entry: Entry, serial: int, want: Want, score: float) -> None:
        """Note that a handle wants an asset with another urgency."""
        old = entry.wants.get(serial)
        if old is not None:
            entry.count(old[0], -1)
            entry.wants[serial] = want
            entry.count(want[0], 1)
            self.rate(entry, score)

    def unwant(self, entry: Entry, serial: int) -> None:
        """Note that a handle wants an asset no more."""
        want = entry.wants.pop(serial, None)
        entry.waiters.pop(serial, None)
        entry.watchers.pop(serial, None)
        if want is not None:
            entry.count(want[0], -1)
            self.let_go(entry)
            self.trim()

    def _queue(self, entry: Entry) -> None:
        flight = entry.flight
        if flight is not None and (flight.queued or not flight.turn):
            self.scheduler.put(flight)

    def rate(self, entry: Entry, score: float | None = None) -> None:
        """Work out an asset's urgency anew, and that of what it is waiting for."""
        if score is not None and score != entry.score:
            entry.score = score
            self._queue(entry)
        stack = [entry]
        while stack:
            one = stack.pop()
            own = one.asked
            best = one.score
            for parent in one.parents:
                if parent.tree is TreeState.LOADING:
                    own = max(own, parent.priority)
                    best = min(best, parent.score)
            flight = one.flight
            fresh = flight is not None and not flight.turn
            if own != one.priority or best != one.score or fresh:
                one.priority, one.score = PRIORITIES[own], best
                self._queue(one)
                stack.extend(need for need in one.needs if need.tree is TreeState.LOADING)

    def connect(self, entry: Entry, needs: Iterable[Need]) -> None:
        """Have everything loaded that an asset depends on."""
        wanted = [self._needed(need) for need in needs]
        before = unlink(entry)  # of an attempt that a change of the file made worthless
        link(entry, wanted)
        for need in entry.needs:
            self.cache.hold(need)
            if need.tree is TreeState.LOADING:
                flight = need.flight
                if flight is not None and not flight.turn:
                    need.score = entry.score
                self.rate(need)
        for need in before:
            self.let_go(need)

    def _needed(self, need: Need) -> Entry:
        name, settings = (need, None) if isinstance(need, str) else need
        return self.request(key_of(name, settings), settings)

    # ------------------------------------------------------------------------------------ let go

    def let_go(self, entry: Entry) -> None:
        """Cancel an asset, or leave it to the cache, if nothing holds it any more."""
        stack = [entry]
        while stack:
            one = stack.pop()
            if self._entries.get(one.key) is not one:
                continue
            if held(one):
                if one.flight is not None:
                    self.rate(one)
            elif one.state is LoadState.READY:
                outdated = one.flight is not None  # its file changed; the new version is coming
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

    def _ground(self, entry: Entry) -> None:
        """Give up the attempt that is under way."""
        flight, entry.flight = entry.flight, None
        if flight is not None and self.scheduler.remove(flight):
            # Nobody works at it just now; otherwise whoever does sees that it is out of date.
            self.scheduler.release(flight)
            if flight.task is not None:
                self.dropped.append(flight.task)

    def _remove(self, entry: Entry) -> tuple[Entry, ...]:
        del self._entries[entry.key]
        same = self._of_id[entry.id]
        del same[entry]
        if not same:
            del self._of_id[entry.id]
        for parent in list(entry.parents):
            # Only in a circle that goes as a whole.
            parent.needs = tuple(need for need in parent.needs if need is not entry)
        entry.parents.clear()
        return unlink(entry)

    def evict(self, entry: Entry) -> None:
        """Forget a loaded asset that nobody holds; its value may live on in the game."""
        for need in self._drop(entry):
            self.let_go(need)

    def _drop(self, entry: Entry) -> tuple[Entry, ...]:
        self._ground(entry)
        self.cache.remove(entry)
        self.cache.remember(entry)
        self.cache.evictions += 1
        self.tell("evicted", entry)
        self.dropped.append(entry.value)
        entry.value = None
        return self._remove(entry)

    def trim(self, most_bytes: int | None = None, most_entries: int | None = None) -> int:
        """Forget what is beyond the limits of the cache; gives how many."""
        count = 0
        while (entry := self.cache.surplus(most_bytes, most_entries)) is not None:
            self.evict(entry)
            count += 1
        over = self.cache.over_limit
        if over != self.over_limit:
            self.over_limit = over
            self.tell("memory_high" if over else "memory_normal", None)
        return count

    # ------------------------------------------------------------------------------------ reload

    def restart(self, entry: Entry) -> bool:
        """Load an asset anew because its file changed; False if that is not needed."""
        if entry.state is LoadState.CANCELLED or self._entries.get(entry.key) is not entry:
            return False
        if entry.idle:
            self.evict(entry)
            self.cache.forget(entry.id)
            return False
        flight = entry.flight
        if flight is not None and flight.queued and flight.task is None:
            return False  # it has not been read yet
        again = entry.state in (LoadState.READY, LoadState.FAILED)
        self._ground(entry)
        entry.flight = Flight(entry, reload=again)
        if not again:
            entry.state = LoadState.WAITING
        self.scheduler.put(entry.flight)
        return True

    def close(self) -> list[Handle[Any]]:
        """Cancel everything; gives the handles that somebody waits for."""
        self.closed = True
        waiting: list[Handle[Any]] = []
        for entry in self.entries():
            self._ground(entry)
            error = LoadCancelledError(f"the load of {entry.id} ended: the loader was shut down")
            for handle in entry.waiters.values():
                handle._outcome = error
                waiting.append(handle)
            entry.waiters.clear()
            if entry.loading:
                entry.state = LoadState.CANCELLED
                self.ended[LoadState.CANCELLED] += 1
            if not entry.settled:
                entry.settled = True
                entry.tree = TreeState.FAILED
                entry.tree_error = error
        return waiting

    def watchers(self, entry: Entry) -> list[weakref.ref[Any]]:
        """The handles that want to know of reloads of an asset."""
        return list(entry.watchers.values())


def key_of(identifier: str, settings: Mapping[str, Any] | None) -> Key:
    """The key of an asset: its id and, as text, the settings that differ."""
    return identifier, variant_of(settings) if settings else ""


def mark_of(error: Exception) -> int:
    """What the same error has again when it is read from the store a second time."""
    if isinstance(error, LocatedError):
        return hash((error.message, error.path, error.line, error.column))
    return hash(str(error))
