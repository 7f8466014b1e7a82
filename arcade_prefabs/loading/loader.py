"""`AsyncPrefabLoader`: ask for assets now, have them later, miss no frame."""

from __future__ import annotations

import itertools
import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from ..errors import LoaderClosedError
from ..frames.callbacks import Callbacks
from ..frames.coroutines import Script
from ..frames.frame_budget import FrameBudget
from ..frames.frame_report import DrainReport
from ..frames.garbage_collection import GarbageScheduler
from ..frames.idle_gate import IdleGate
from ..frames.main_thread_queue import MainThreadQueue, Step, Steps
from ..frames.timers import Timers
from ..pipeline import ReloadReport
from ..prefab import ComponentRegistry, default_registry
from .asset_names import asset_id
from .requests.asset_record import LoadState, TreeState
from .requests.batch import Batch, list_folder, register
from .requests.cache import PrefabCache
from .requests.events import Listener, LoadEvents
from .requests.handle import Handle
from .requests.load_registry import LoadRegistry, key_of
from .requests.priority import Priority, rank_of
from .requests.scheduler import LoadScheduler
from .settings import LoaderSettings, LoaderStatistics
from .workers.bake_thread import BakeThread, OnDemandBaker
from .workers.executor import Executor, ThreadExecutor
from .workers.hot_reload import restart_ids, restart_paths, tell_broken
from .workers.main_thread_commit import MainThreadCommit
from .workers.retries import Retries
from .workers.worker import AssetReader, LoadWorker

__all__ = ["AsyncPrefabLoader"]

_T = TypeVar("_T")
# Handles that are released, and values that are freed, in one step.
_RELEASED_AT_ONCE: Final = 25


class AsyncPrefabLoader:
    """Loads prefabs, images and other assets in the background.

    Loader threads read and decode while the game waits for its next frame; results arrive on the
    main thread, within the budget of a frame. Whoever drives frames calls `begin_frame`, `drain`
    and `end_frame`, as the plugin does; whoever does not may call `drain` alone, or `wait`.

    Example:
        >>> from arcade_prefabs.pipeline import AssetPipeline, MemorySource
        >>> pipeline = AssetPipeline(MemorySource({"prefabs/rock.ron": "Prefab()"}), jobs=0)
        >>> loader = AsyncPrefabLoader(pipeline)
        >>> handle = loader.load("rock", priority=Priority.HIGH)
        >>> loader.wait(handle) and handle.value.id
        'prefabs/rock.ron'
        >>> loader.shutdown() and pipeline.close()

    Args:
        assets: Where to read: an `AssetPipeline`.
        settings: Limits and habits; the defaults if none are given.
        registry: The components that prefabs have; the ``default_registry`` if none is given.
        clock: Seconds, as `time.perf_counter` gives them; for tests.
        executor: Who does the background work; for tests.
        gate: When that may be done.
        queue: The main thread's queue, to share it with others.
        budget: How much of a frame the plugin may take.
        garbage: Garbage collection manners; attached until `shutdown`.

    Attributes:
        settings, gate, queue, budget, garbage: See above.

    `load` may be called in any thread, except in a ``__del__``; everything else
    in the main thread, unless it says otherwise.
    """

    def __init__(
        self,
        assets: AssetReader,
        settings: LoaderSettings | None = None,
        *,
        registry: ComponentRegistry | None = None,
        clock: Callable[[], float] = time.perf_counter,
        executor: Executor | None = None,
        gate: IdleGate | None = None,
        queue: MainThreadQueue | None = None,
        budget: FrameBudget | None = None,
        garbage: GarbageScheduler | None = None,
    ) -> None:
        self.settings = settings = LoaderSettings() if settings is None else settings
        self.gate = IdleGate(clock=clock) if gate is None else gate
        self.queue = MainThreadQueue(clock=clock) if queue is None else queue
        self.budget = FrameBudget() if budget is None else budget
        self.garbage = GarbageScheduler() if garbage is None else garbage
        self._assets = assets
        self._clock = clock
        self._executor = ThreadExecutor(settings.threads) if executor is None else executor
        known = default_registry if registry is None else registry
        wake = self._executor.wake
        self._timers = Timers()
        self._callbacks = Callbacks(self.queue, self._timers, clock)
        self._events = LoadEvents(self._callbacks, clock)
        self._loads = loads = LoadRegistry(
            LoadScheduler(settings.max_in_flight, settings.max_in_flight_bytes),
            PrefabCache(settings.cache_entries, settings.cache_bytes),
            self._callbacks,
            self._events,
        )
        self._baking = (
            BakeThread(loads, assets, wake) if isinstance(assets, OnDemandBaker) else None
        )
        retries = Retries(loads, assets, settings.retries, settings.retry_delay_s, wake)
        self._commit = MainThreadCommit(loads, self.queue, settings.activators, wake, retries)
        self._worker = LoadWorker(
            loads, assets, settings.all_decoders(), known, self._commit, self.gate, self._baking
        )
        self._serials = itertools.count(1)
        self._scripts: dict[Script[Any], None] = {}
        self._batches: weakref.WeakSet[Batch] = weakref.WeakSet()
        self._frame_at: float | None = None
        self._ended_at: float | None = None  # when the last frame was drawn
        self._spent_s = 0.0
        self._releasing = False
        self.garbage.attach()
        self._executor.start(self._worker.work, self.gate)

    # --------------------------------------------------------------------------------------- load

    def load(
        self,
        identifier: str,
        *,
        priority: Priority = Priority.NORMAL,
        on_done: Callable[[Handle[Any]], None] | None = None,
        timeout_s: float | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Handle[Any]:
        """Begin to load an asset, or take it from the cache: then the handle is ready at once.

        Keep the handle: dropping it cancels the load, and lets the cache drop the asset. With
        ``on_done``, it is kept until that was called.

        Args:
            identifier: ``props/crate``, ``castle.ron#gate``, ``images/hero.png``.
            priority: How urgent it is.
            on_done: Called with the handle, on the main thread, when it is done, however that
                went, unless it is cancelled.
            timeout_s: Seconds after which this handle fails with a `LoadTimeoutError`.
            settings: Settings of the processor for this asset, such as ``frame_size``.

        Raises:
            UnsafePathError: No such path may exist.
            LoaderClosedError: The loader was shut down.

        Any thread.
        """
        key = key_of(asset_id(identifier), settings)
        rank = rank_of(priority)
        loads = self._loads
        with loads.lock:
            if loads.closed:
                raise LoaderClosedError("the loader was shut down: it loads nothing any more")
            record = loads.request(key, settings)
            handle: Handle[Any] = Handle(loads, record, next(self._serials))
            loads.demand(record, handle.serial, rank)
            waits = record.attempt is not None or record.tree is TreeState.LOADING
        if waits:
            self._executor.wake()
            timeout = self.settings.timeout_s if timeout_s is None else timeout_s
            if timeout is not None:
                handle.time_out(timeout)
        if on_done is not None:
            handle.add_done_callback(on_done)
        return handle

    def load_async(
        self,
        identifier: str,
        *,
        priority: Priority = Priority.NORMAL,
        timeout_s: float | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """Load as `load` does, whose handle can be awaited itself; goes with version 1.0.

        Any thread.
        """
        warnings.warn(
            "load_async goes with 1.0: `await loader.load(...)` gives the value as well",
            DeprecationWarning,
            stacklevel=2,
        )
        return _awaited(self.load(identifier, priority=priority, timeout_s=timeout_s))

    def load_many(
        self, identifiers: Iterable[str], *, priority: Priority = Priority.NORMAL
    ) -> Batch:
        """Begin to load many assets, in slices within the budget of frames."""
        if isinstance(identifiers, str):
            raise TypeError(f"several ids are wanted, not one string: [{identifiers!r}]")
        batch = self._new_batch()
        ids = list(identifiers)
        batch.total = len(ids)
        load = partial(self.load, priority=priority)
        self.queue.post(register(batch, ids, load), "game", Step("register loads"))
        return batch

    def load_folder(
        self, folder: str = "", *, kind: str = "prefab", priority: Priority = Priority.NORMAL
    ) -> Batch:
        """Begin to load everything below a folder, such as all prefabs of a level.

        What is not baked yet is baked before. What cannot be baked is among the batch's errors; so
        is the folder itself, with a near name, if it is not there. An empty one is complete at
        once. Behind a resource handle only that is found which was loaded before.

        Args:
            folder: ``prefabs/level1``, or ``level1`` for prefabs; everything if it is empty.
            kind: What the assets were baked to.
            priority: How urgent they are.
        """
        batch = self._new_batch()
        load = partial(self.load, priority=priority)
        baking = self._baking

        def cancelled() -> bool:
            return batch.cancelled or (baking is not None and baking.stopped)

        job = partial(list_folder, batch, self._assets, folder, kind, load, cancelled)
        if baking is None:
            self.in_background(job)
        else:
            baking.also(job)  # it may take as long as a bake
        return batch

    def in_background(self, work: Callable[[], None]) -> None:
        """Have something short done by a loader thread, soon. Any thread."""
        self._worker.also(work)
        self._executor.wake()

    def pause(self) -> None:
        """Within work that takes more than a millisecond: wait until the game has time for more.

        A loader thread, in `in_background`; any other thread goes on at once.
        """
        self.gate.pause("other")

    def _new_batch(self) -> Batch:
        self._check_open()
        batch = Batch(self._callbacks)
        self._batches.add(batch)
        return batch

    def start(self, coroutine: Coroutine[Any, Any, _T], *, name: str = "") -> Script[_T]:
        """Run a coroutine in the budget of frames, beginning with the next; see `Script`."""
        self._check_open()
        if not isinstance(coroutine, Coroutine):
            raise TypeError(f"a coroutine is to be started, not {coroutine!r}: call the function")
        name = name or getattr(coroutine, "__qualname__", "script")
        return Script(self._callbacks, self._scripts, coroutine, name)

    # ------------------------------------------------------------------------------------- wishes

    def reprioritize(self, handle: Handle[Any], priority: Priority) -> None:
        """Give a load another urgency; that of what it needs follows. Any thread."""
        rank = rank_of(priority)
        with self._loads.lock:
            self._loads.change(handle.record, handle.serial, rank)

    def pin(self, handle: Handle[Any]) -> None:
        """Keep an asset in memory even without a handle, until `unpin`. Any thread."""
        with self._loads.lock:
            handle.record.pins += 1
            self._loads.cache.hold(handle.record)

    def unpin(self, handle: Handle[Any]) -> None:
        """Take back one `pin`.

        Raises:
            ValueError: It is not pinned.

        Any thread.
        """
        with self._loads.lock:
            if not handle.record.pins:
                raise ValueError(f"{handle.id} is not pinned")
            handle.record.pins -= 1
            self._loads.let_go(handle.record)
            self._loads.trim()

    def evict(self, identifier: str) -> bool:
        """Drop an asset from the cache; False if it is held, or not there. Any thread."""
        evicted = False
        name = asset_id(identifier)
        with self._loads.lock:
            for record in self._loads.of_id(name):
                if record.idle:
                    self._loads.evict(record)
                    evicted = True
        self._loads.dropped.clear()
        return evicted

    def trim(self, most_bytes: int = 0) -> int:
        """Drop what nobody holds until no more bytes are in memory; gives how many assets went.

        Any thread.
        """
        self._loads.release_dropped(len(self._loads.dropped_handles))
        with self._loads.lock:
            count = self._loads.trim(most_bytes, None if most_bytes else 0)
        self._loads.dropped.clear()
        return count

    def reload(self, identifiers: Iterable[str]) -> None:
        """Load assets anew behind their handles, in the background. Any thread."""
        # Whatever settings it was baked with: all of an image's sheets come from its one file.
        names = dict.fromkeys(asset_id(one.partition("?")[0]) for one in identifiers)
        steps = restart_ids(self._loads, names, self._executor.wake)
        self.queue.post(steps, "reload", Step("reload"))

    def apply(self, reload: ReloadReport) -> None:
        """Do what an `AssetWatcher` told: give it this method.

        Errors in files are logged, the first 20 of them, and told to listeners as ``broken``, each
        once, whether anything has loaded the file or not. Once loads of it fail because of them,
        that is no news.

        Any thread.
        """
        tell_broken(self._loads, reload)
        self.reload(reload.ids)
        steps = restart_paths(self._loads, self._assets, reload, self._executor.wake)
        self.queue.post(steps, "reload", Step("reload"))

    # ------------------------------------------------------------------------------------- frames

    def begin_frame(self) -> None:
        """The game begins to update: background work pauses."""
        self.gate.begin_frame()
        self._frame_at = self._clock()
        self._spent_s = 0.0

    def drain(self, budget_s: float | None = None) -> DrainReport:
        """Let arrive what was loaded: handles become ready, callbacks are called, scripts go on.

        Args:
            budget_s: Seconds that it may take; None for what `budget` says.

        Returns:
            What was done, how long it took, and what waits.
        """
        started = self._clock()
        self._timers.run(started)
        self._release_dropped()
        if self._loads.revived:
            self._commit.settle_revived()
        budget_s = self.budget.seconds if budget_s is None else budget_s
        report = self.queue.drain(budget_s)
        self._events.deliver(budget_s - report.spent_s)
        self._spent_s += self._clock() - started
        return report

    def _release_dropped(self) -> None:
        """Release what nobody has any more, in slices within the budget."""
        loads = self._loads
        if (loads.dropped_handles or loads.dropped) and not self._releasing:
            self._releasing = True
            self.queue.post(self._release_steps(), "retire", Step("let go"))

    def _release_steps(self) -> Steps:
        try:
            while True:
                self._loads.release_dropped(_RELEASED_AT_ONCE)
                if not self._loads.dropped_handles and not self._loads.dropped:
                    break
                yield None
        finally:
            self._releasing = False

    def end_frame(self, next_frame_at: float | None = None) -> None:
        """The game has drawn: background work may go on until shortly before the next frame.

        Args:
            next_frame_at: When that is due, in seconds of the clock, if it is known.
        """
        now = self._clock()
        began, self._frame_at = (now if self._frame_at is None else self._frame_at), None
        apart_s = None if self._ended_at is None else now - self._ended_at
        self._ended_at = now
        self.budget.observe(max(0.0, now - began - self._spent_s), apart_s)
        due = began + self.budget.frame_s if next_frame_at is None else next_frame_at
        self.garbage.idle(due - now - self.gate.margin_s)
        self.gate.end_frame(due)

    def wait(self, *what: Handle[Any] | Batch | Script[Any], timeout_s: float = 60.0) -> bool:
        """Wait until everything given is done; for tools and tests, or a game that has no frames.

        Returns:
            True, or False if it took too long.
        """
        self.gate.release()
        end = time.monotonic() + timeout_s
        while not all(one.done for one in what):
            report = self.drain(0.1)
            if report.steps == 0 and not self._executor.pump():
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self.queue.wait(min(left, 0.02))
        self._events.deliver()
        return True

    def add_listener(self, listener: Listener) -> None:
        """Call something with every `LoadEvent`, on the main thread, at the end of `drain`.

        Adding the same function twice has no effect.
        """
        self._events.add(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Call it no more; no error if it was not added."""
        self._events.remove(listener)

    # --------------------------------------------------------------------------------------- end

    def statistics(self) -> LoaderStatistics:
        """What was done so far, and what is going on. Any thread."""
        with self._loads.lock:
            scheduler, ended = self._loads.scheduler, self._loads.ended
            return LoaderStatistics(
                self._loads.requested,
                ended[LoadState.READY],
                ended[LoadState.FAILED],
                ended[LoadState.CANCELLED],
                len(scheduler),
                scheduler.in_flight,
                scheduler.bytes_in_flight,
                scheduler.most_in_flight,
                scheduler.most_flying_bytes,
                self._loads.cache.statistics(),
                self.gate.holds(),
            )

    @property
    def failures(self) -> deque[tuple[str, Exception]]:
        """Exceptions of callbacks and scripts, the last 100; they are logged as well."""
        return self._callbacks.failures

    def _check_open(self) -> None:
        if self._loads.closed:
            raise LoaderClosedError("the loader was shut down: it loads nothing any more")

    def shutdown(self, timeout_s: float = 1.0) -> bool:
        """End everything: threads, loads, scripts. May be called twice.

        What is awaited ends with a `LoadCancelledError`; no callback is called any more.

        Args:
            timeout_s: Seconds to wait for threads that are in the middle of a read.

        Returns:
            Whether all threads have ended; one that hangs in a read ends with it, or with the
            interpreter.
        """
        self.garbage.detach()
        self._callbacks.close()
        with self._loads.lock:
            waiting = self._loads.close()
        if self._baking is not None:
            self._baking.stop()
        self.gate.end()
        for completion in waiting:
            completion.finish()
        for batch in list(self._batches):
            batch.cancel()
        for script in list(self._scripts):
            script.cancel()
        end = time.monotonic() + timeout_s
        stopped = self._executor.stop(timeout_s)
        if self._baking is not None:
            stopped = self._baking.join(max(0.0, end - time.monotonic())) and stopped
        self._timers.clear()
        self.queue.clear()
        self._loads.dropped.clear()
        self._loads.dropped_handles.clear()
        self._events.clear()
        return stopped

    def __enter__(self) -> AsyncPrefabLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


async def _awaited(handle: Handle[Any]) -> Any:
    return await handle
