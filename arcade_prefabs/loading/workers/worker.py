"""The background side of the loader: one unit of work at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any, Final, Protocol

from ...errors import ArcadePrefabsError, AssetChangedError, AssetError, LoadError
from ...frames.idle_gate import IdleGate
from ...pipeline import BakedAsset
from ...prefab import ComponentRegistry
from ..requests.asset_record import Flight, LoadState
from ..requests.load_registry import LoadTable
from .bake_thread import BakeThread
from .decoders import Decoder, Loaded, Partial
from .main_thread_commit import Landing

__all__ = ["AssetReader", "LoadWorker"]

# Times that an asset may change while it is being read.
_MOST_RESTARTS: Final = 5


class AssetReader(Protocol):
    """Where the loader reads: an `AssetPipeline`, or a test's own.

    If it has ``is_fresh`` and ``bake``, as the pipeline does, what is not fresh is baked in a
    thread of its own; ``invalidate`` is called before a read that failed is tried again.
    """

    def get(self, identifier: str, settings: Mapping[str, Any] | None = None) -> BakedAsset:
        """What was baked from a file, or an exception. Any thread."""
        ...

    def ids(self, kind: str | None = None) -> list[str]:
        """The ids of everything, or of one kind of it, for folders of assets. Any thread."""
        ...


class LoadWorker:
    """Takes the most urgent load and does one unit of it. Any loader thread."""

    def __init__(
        self,
        table: LoadTable,
        assets: AssetReader,
        decoders: Mapping[str, Decoder],
        registry: ComponentRegistry,
        landing: Landing,
        gate: IdleGate,
        baking: BakeThread | None,
    ) -> None:
        self._table = table
        self._assets = assets
        self._decoders = decoders
        self._registry = registry
        self._landing = landing
        self._gate = gate
        self._baking = baking
        self._other_work: deque[Callable[[], None]] = deque()

    def also(self, work: Callable[[], None]) -> None:
        """Do something else in the background, soon. Any thread."""
        self._other_work.append(work)

    def work(self) -> bool:
        """Do one unit; False if there is none."""
        if self._other_work:
            self._do_other_work()
            return True
        with self._table.lock:
            flight = self._table.scheduler.take()
            if flight is None:
                return False
            entry = flight.entry
            begins = flight.task is None
            if begins and not flight.reload:
                entry.state = LoadState.READING
        started = time.thread_time()
        kind = flight.kind
        try:
            if begins:
                self._begin(flight)
                kind = flight.kind
            else:
                self._go_on(flight)
        except Exception as error:
            self._failed(flight, error)
        except (SystemExit, GeneratorExit) as error:
            self._failed(flight, LoadError(f"a decoder ended with {error!r}"))
        finally:
            self._gate.charge(kind, time.thread_time() - started)
        return True

    def _do_other_work(self) -> None:
        try:
            work = self._other_work.popleft()
        except IndexError:  # another thread was quicker
            return
        started = time.thread_time()
        try:
            work()
        finally:
            self._gate.charge_since("other", started)

    def _begin(self, flight: Flight) -> None:
        entry = flight.entry
        if self._baking is not None and not flight.baked:
            fresh = self._baking.is_fresh(entry.id, entry.settings)
            if not fresh:
                with self._table.lock:
                    self._table.scheduler.release(flight)
                self._baking.add(flight)
                return
        asset = self._assets.get(entry.id, entry.settings)
        with self._table.lock:
            if flight.stale:
                self._table.scheduler.release(flight)
                return
            if not flight.reload:
                entry.state = LoadState.DECODING
                entry.kind = asset.kind
            flight.kind = asset.kind
        decoder = self._decoders.get(asset.kind)
        if decoder is None:
            known = ", ".join(sorted(self._decoders))
            message = f"it was baked to {asset.kind}, which nobody knows how to load"
            raise AssetError(message, path=entry.id, hint=f"there are decoders for {known}")
        made = decoder(asset, self._registry)
        if isinstance(made, Loaded):
            self._finish(flight, asset, made)
        else:
            flight.task = _with_asset(made, asset)
            self._go_on(flight)

    def _go_on(self, flight: Flight) -> None:
        task = flight.task
        assert task is not None
        if flight.stale:
            self._abandon(flight, task)
            return
        try:
            told: Partial = next(task)
        except StopIteration as stop:
            asset, loaded = stop.value
            flight.task = None
            self._finish(flight, asset, loaded)
            return
        except AssetChangedError:
            if flight.restarts >= _MOST_RESTARTS:
                raise
            flight.restarts += 1
            flight.task = None
            flight.partial = False
            with self._table.lock:
                self._again(flight)
            return
        if told.children:
            first, flight.partial = not flight.partial, True
            self._landing.arrive(partial(self._landing.children, flight, told, first))
        with self._table.lock:
            if not flight.stale:
                flight.entry.progress = max(flight.entry.progress, told.progress)
            self._again(flight)

    def _again(self, flight: Flight) -> None:
        """Back into the queue: something more urgent may have come."""
        if flight.stale:
            self._table.scheduler.release(flight)
            if flight.task is not None:
                self._table.dropped.append(flight.task)
        else:
            self._table.scheduler.put(flight)

    def _abandon(self, flight: Flight, task: Generator[Any, None, Any]) -> None:
        flight.task = None
        with self._table.lock:
            self._table.scheduler.release(flight)
        task.close()

    def _finish(self, flight: Flight, asset: BakedAsset, loaded: Loaded) -> None:
        entry = flight.entry
        with self._table.lock:
            if flight.stale:
                self._table.scheduler.release(flight)
                self._table.dropped.append(loaded)
                return
            self._table.scheduler.sized(flight, loaded.size)
            if not flight.reload:
                entry.state = LoadState.ACTIVATING
                if loaded.needs:
                    self._table.connect(entry, loaded.needs)
        self._landing.arrive(partial(self._landing.commit, flight, asset, loaded))
        if loaded.needs:
            self._landing.wake()

    def _failed(self, flight: Flight, error: Exception) -> None:
        flight.task = None
        # Frames of the traceback hold whatever the unit had in its hands.
        if not isinstance(error, ArcadePrefabsError):
            error.add_note(f"while loading {flight.entry.id}")
        self._landing.arrive(partial(self._landing.failed, flight, error))


def _with_asset(
    task: Generator[Partial, None, Loaded], asset: BakedAsset
) -> Generator[Partial, None, tuple[BakedAsset, Loaded]]:
    return asset, (yield from task)
