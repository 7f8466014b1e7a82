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
from ..requests.asset_record import LoadAttempt, LoadState
from ..requests.load_registry import LoadRegistry
from .bake_thread import BakeThread
from .decoders import DecodedAsset, DecodeProgress, Decoder
from .main_thread_commit import MainThreadCommit

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
        self._other_work: deque[Callable[[], None]] = deque()

    def also(self, work: Callable[[], None]) -> None:
        """Do something else in the background, soon. Any thread."""
        self._other_work.append(work)

    def work(self) -> bool:
        """Do one unit; False if there is none."""
        if self._other_work:
            self._do_other_work()
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
            known = ", ".join(sorted(self._decoders))
            message = f"it was baked to {asset.kind}, which nobody knows how to load"
            raise AssetError(message, path=record.id, hint=f"there are decoders for {known}")
        made = decoder(asset, self._components)
        if isinstance(made, DecodedAsset):
            self._finish(attempt, asset, made)
        else:
            attempt.task = _with_asset(made, asset)
            self._go_on(attempt)

    def _go_on(self, attempt: LoadAttempt) -> None:
        task = attempt.task
        assert task is not None
        if attempt.stale:
            self._abandon(attempt, task)
            return
        try:
            told: DecodeProgress = next(task)
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
        if told.children:
            first, attempt.partial = not attempt.partial, True
            self._commit.arrive(partial(self._commit.children, attempt, told, first))
        with self._loads.lock:
            if not attempt.stale:
                attempt.record.progress = max(attempt.record.progress, told.progress)
            self._again(attempt)

    def _again(self, attempt: LoadAttempt) -> None:
        """Back into the queue: something more urgent may have come."""
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
        # Frames of the traceback hold whatever the unit had in its hands.
        if not isinstance(error, ArcadePrefabsError):
            error.add_note(f"while loading {attempt.record.id}")
        self._commit.arrive(partial(self._commit.failed, attempt, error))


def _with_asset(
    task: Generator[DecodeProgress, None, DecodedAsset], asset: BakedAsset
) -> Generator[DecodeProgress, None, tuple[BakedAsset, DecodedAsset]]:
    return asset, (yield from task)
