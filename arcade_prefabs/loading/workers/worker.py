"""`LoadWorker`: what a loader thread does in one unit.

A loader thread must not hold the interpreter while the game draws, and a load must not keep a more
urgent one waiting. So loading is cut into units of less than a millisecond: reading an asset and
decoding its first page, or decoding one further page. After each unit, the load goes back to the
scheduler, and the thread passes the idle gate and takes the most urgent load again.

An attempt can become stale at any moment, because its last handle was dropped or its file changed.
The thread sees that at the beginning and at the end of each unit, and lets the attempt go; no unit
is interrupted.

Ways not taken:

- One call that loads an asset as a whole. An image of 4 MB or a prefab of thousands of parts takes
  tens of milliseconds, during which the idle gate closes.
- A pool of threads with a function for each stage. A load would wait in one queue for each stage,
  and priorities would have to be kept in all of them.
"""

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
from ..requests.asset_record import LoadAttempt, LoadState
from ..requests.load_registry import LoadRegistry
from .bake_thread import BakeThread
from .decoders import DecodedAsset, DecodeProgress, Decoder
from .main_thread_commit import MainThreadCommit

__all__ = ["AssetReader", "LoadWorker"]

# How often an asset may change while it is being read before the load fails.
_MOST_RESTARTS: Final = 5


class AssetReader(Protocol):
    """Reads baked assets for a loader: an `AssetPipeline`, or a fake of a test.

    If it has the methods of `OnDemandBaker`, as the pipeline does, stale assets are baked in the
    bake thread before they are read. If it has a method ``invalidate``, that is called before a
    failed read is repeated.
    """

    def get(self, identifier: str, settings: Mapping[str, Any] | None = None) -> BakedAsset:
        """Returns the baked asset of an id and import settings. Any thread.

        Raises:
            ArcadePrefabsError: The asset does not exist, or cannot be baked or read.
        """
        ...

    def ids(self, kind: str | None = None) -> list[str]:
        """Returns the ids of all baked assets, or of those of one kind. Any thread."""
        ...


class LoadWorker:
    """Runs single units of loads. Any loader thread.

    Args:
        loads: The registry of loads.
        assets: Reads baked assets.
        decoders: The decoders, by kind of asset.
        components: The components that prefabs may have.
        commit: Takes the results to the main thread.
        gate: Charged with the processor time of units.
        baking: Bakes stale assets; None if ``assets`` cannot bake.
    """

    def __init__(
        self,
        loads: LoadRegistry,
        assets: AssetReader,
        decoders: Mapping[str, Decoder],
        components: ComponentRegistry,
        commit: MainThreadCommit,
        gate: IdleGate,
        baking: BakeThread | None,
    ) -> None:
        self._loads = loads
        self._assets = assets
        self._decoders = decoders
        self._components = components
        self._commit = commit
        self._gate = gate
        self._baking = baking
        self._functions: deque[Callable[[], None]] = deque()

    def also(self, function: Callable[[], None]) -> None:
        """Calls a function in a loader thread, before the next load. Any thread."""
        self._functions.append(function)

    def work(self) -> bool:
        """Runs one unit; False if there is nothing to do."""
        if self._functions:
            self._call_next_function()
            return True
        with self._loads.lock:
            attempt = self._loads.scheduler.take()
            if attempt is None:
                return False
            record = attempt.record
            begins = attempt.task is None
            if begins and not attempt.reload:
                record.state = LoadState.READING
        started = time.thread_time()
        kind = attempt.kind
        try:
            if begins:
                self._begin(attempt)
                kind = attempt.kind
            else:
                self._go_on(attempt)
        except Exception as error:
            self._failed(attempt, error)
        except (SystemExit, GeneratorExit) as error:
            self._failed(attempt, LoadError(f"a decoder ended with {error!r}"))
        finally:
            self._gate.charge(kind, time.thread_time() - started)
        return True

    def _call_next_function(self) -> None:
        try:
            function = self._functions.popleft()
        except IndexError:  # another thread has taken it
            return
        started = time.thread_time()
        try:
            function()
        finally:
            self._gate.charge_since("other", started)

    def _begin(self, attempt: LoadAttempt) -> None:
        record = attempt.record
        if self._baking is not None and not attempt.baked:
            fresh = self._baking.is_fresh(record.id, record.settings)
            if not fresh:
                with self._loads.lock:
                    self._loads.scheduler.release(attempt)
                self._baking.add(attempt)
                return
        asset = None
        if attempt.asset is not None:
            with self._loads.lock:
                asset = self._loads.take_asset(attempt)
        if asset is None:
            asset = self._assets.get(record.id, record.settings)
        with self._loads.lock:
            if attempt.stale:
                self._loads.scheduler.release(attempt)
                return
            if not attempt.reload:
                record.state = LoadState.DECODING
                record.kind = asset.kind
            attempt.kind = asset.kind
        decoder = self._decoders.get(asset.kind)
        if decoder is None:
            kinds = ", ".join(sorted(self._decoders))
            message = f"it was baked to {asset.kind}, for which the loader has no decoder"
            raise AssetError(message, path=record.id, hint=f"there are decoders for {kinds}")
        decoded = decoder(asset, self._components)
        if isinstance(decoded, DecodedAsset):
            self._finish(attempt, asset, decoded)
        else:
            attempt.task = _with_asset(decoded, asset)
            self._go_on(attempt)

    def _go_on(self, attempt: LoadAttempt) -> None:
        task = attempt.task
        assert task is not None
        if attempt.stale:
            self._abandon(attempt, task)
            return
        try:
            progress: DecodeProgress = next(task)
        except StopIteration as stop:
            asset, loaded = stop.value
            attempt.task = None
            self._finish(attempt, asset, loaded)
            return
        except AssetChangedError:
            if attempt.restarts >= _MOST_RESTARTS:
                raise
            attempt.restarts += 1
            attempt.task = None
            attempt.partial = False
            with self._loads.lock:
                self._again(attempt)
            return
        if progress.children:
            first, attempt.partial = not attempt.partial, True
            self._commit.arrive(partial(self._commit.children, attempt, progress, first))
        with self._loads.lock:
            if not attempt.stale:
                attempt.record.progress = max(attempt.record.progress, progress.progress)
            self._again(attempt)

    def _again(self, attempt: LoadAttempt) -> None:
        """Puts a suspended load back into the queue, as a more urgent one may have come."""
        if attempt.stale:
            self._loads.scheduler.release(attempt)
            if attempt.task is not None:
                self._loads.dropped.append(attempt.task)
        else:
            self._loads.scheduler.put(attempt)

    def _abandon(self, attempt: LoadAttempt, task: Generator[Any, None, Any]) -> None:
        attempt.task = None
        with self._loads.lock:
            self._loads.scheduler.release(attempt)
        task.close()

    def _finish(self, attempt: LoadAttempt, asset: BakedAsset, loaded: DecodedAsset) -> None:
        record = attempt.record
        with self._loads.lock:
            if attempt.stale:
                self._loads.scheduler.release(attempt)
                self._loads.dropped.append(loaded)
                return
            self._loads.scheduler.sized(attempt, loaded.size)
            if not attempt.reload:
                record.state = LoadState.ACTIVATING
                if loaded.needs:
                    self._loads.connect(record, loaded.needs)
        self._commit.arrive(partial(self._commit.commit, attempt, asset, loaded))
        if loaded.needs:
            self._commit.wake()

    def _failed(self, attempt: LoadAttempt, error: Exception) -> None:
        attempt.task = None
        if not isinstance(error, ArcadePrefabsError):
            error.add_note(f"while loading {attempt.record.id}")
        self._commit.arrive(partial(self._commit.failed, attempt, error))


def _with_asset(
    task: Generator[DecodeProgress, None, DecodedAsset], asset: BakedAsset
) -> Generator[DecodeProgress, None, tuple[BakedAsset, DecodedAsset]]:
    return asset, (yield from task)
