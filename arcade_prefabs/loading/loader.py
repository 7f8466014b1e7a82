"""`AsyncPrefabLoader`: loads assets in background threads, without late frames.

Loading must not make a frame late, and a game must not have to know about threads. So the game's
code runs on the main thread only, and each load passes through these stages:

1. `load` (any thread) finds or adds the asset's record in the `LoadRegistry`, and returns a
   `Handle` at once.
2. The `LoadScheduler` lets the most urgent loads begin, within limits of number and bytes.
3. A loader thread (`LoadWorker`) reads the baked pages and decodes them, in units of less than a
   millisecond, and only while the `IdleGate` is open. An asset that is not baked yet goes to the
   `BakeThread` first, so that baked assets need not wait for it.
4. `MainThreadCommit` gives the value to the record on the main thread, as a job of the
   `MainThreadQueue`, and then calls callbacks and resumes scripts.

Ways not taken:

- asyncio. Games in Arcade run pyglet's event loop; a second loop would need a thread or a pump of
  its own, and a coroutine that computes blocks either. Handles can be awaited in asyncio all the
  same.
- `concurrent.futures`. Its queue has no priorities, a running call cannot be suspended for a more
  urgent one, its threads run while the game draws, and its callbacks run in those threads.
- One future for each call of `load`. Many prefabs share an image: one record for each asset makes
  one load of all requests, with the urgency of the most urgent one.
"""

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
# The most dropped handles and evicted values that one step releases.
_RELEASED_AT_ONCE: Final = 25


class AsyncPrefabLoader:
    """Loads prefabs, images and other assets in the background.

    Loader threads read and decode while the game waits for its next frame; results are committed
    on the main thread, within the budget of a frame. A program with frames calls `begin_frame`,
    `drain` and `end_frame` in each, as the plugin does for a window; a program without frames
    calls `drain` alone, or `wait`.

    Example:
        >>> from arcade_prefabs.pipeline import AssetPipeline, MemorySource
        >>> pipeline = AssetPipeline(MemorySource({"prefabs/rock.ron": "Prefab()"}), jobs=0)
        >>> loader = AsyncPrefabLoader(pipeline)
        >>> handle = loader.load("rock", priority=Priority.HIGH)
        >>> loader.wait(handle) and handle.value.id
        'prefabs/rock.ron'
        >>> loader.close() and pipeline.close()

    Args:
        assets: The baked assets: an `AssetPipeline`, or another `AssetReader`.
        settings: Limits, retries and extensions; by default `LoaderSettings()`.
        registry: The components that prefabs may have; by default ``default_registry``.
        clock: Returns seconds, as `time.perf_counter` does; for tests.
        executor: Runs the units of loader threads; by default a `ThreadExecutor`; for tests.
        gate: Decides when loader threads may run.
        queue: Runs main-thread jobs; given by callers that share it.
        budget: Computes the main-thread time of the next frame.
        garbage: The garbage scheduler; attached until `close`.

    Attributes:
        settings: The argument or its default.
        gate: The argument or its default.
        queue: The argument or its default.
        budget: The argument or its default.
        garbage: The argument or its default.

    `load` may be called in any thread, but not in a ``__del__``; all other methods in the main
    thread, unless their docstrings say otherwise.
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
        components = default_registry if registry is None else registry
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
            loads,
            assets,
            settings.all_decoders(),
            components,
            self._commit,
            self.gate,
            self._baking,
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
        """Loads an asset in the background, and returns its handle at once.

        If the asset is in the cache, the handle is ready at once. Keep the handle: dropping the
        last handle of an asset cancels its load, and lets the cache evict it. The loader itself
        keeps a handle with ``on_done`` until it has called that function.

        Args:
            identifier: The asset: ``props/crate``, ``castle.ron#gate``, ``images/hero.png``.
            priority: The urgency of the load.
            on_done: Called with the handle, on the main thread, when the handle is ready or has
                failed; not if it was cancelled.
            timeout_s: The time after which this handle fails with a `LoadTimeoutError`, in seconds;
                None for that of the loader's settings.
            settings: Import settings for this asset, such as ``frame_size``.

        Raises:
            UnsafePathError: The identifier is not a path below the assets folder.
            LoaderClosedError: The loader was closed.

        Any thread.
        """
        key = key_of(asset_id(identifier), settings)
        rank = rank_of(priority)
        loads = self._loads
        with loads.lock:
            if loads.closed:
                raise LoaderClosedError("the loader was closed: it loads nothing any more")
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
        """Returns a coroutine that loads an asset; ``await load(...)`` replaces it in 1.0.

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
        """Loads many assets in the background, and returns all of their handles as one batch.

        The requests are made over several frames, within their budgets. An invalid id is among the
        batch's errors.

        Raises:
            TypeError: ``identifiers`` is a single string.
            LoaderClosedError: The loader was closed.
        """
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
        """Loads all assets of one kind below a folder, such as all prefabs of a level.

        Files that are not baked yet are baked first. Files that cannot be baked are among the
        batch's errors; so is a folder that does not exist, with a hint at a similar name. The
        batch of an empty folder is done at once. Of a folder of a resource handle, such as
        ``:game:level1``, only assets that have been loaded before are found.

        Args:
            folder: ``prefabs/level1``, or ``level1`` for prefabs; empty for all assets.
            kind: The kind that the assets were baked to.
            priority: The urgency of the loads.

        Raises:
            LoaderClosedError: The loader was closed.
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
            baking.also(job)  # listing may bake files
        return batch

    def in_background(self, work: Callable[[], None]) -> None:
        """Calls a function in a loader thread, before the next load.

        The function has to return within a millisecond, or call `pause` in between.

        Any thread.
        """
        self._worker.also(work)
        self._executor.wake()

    def pause(self) -> None:
        """Blocks until the idle gate admits another unit of this loader thread.

        For functions of `in_background` that take more than a millisecond. Returns at once in any
        other thread.
        """
        self.gate.pause("other")

    def _new_batch(self) -> Batch:
        self._check_open()
        batch = Batch(self._callbacks)
        self._batches.add(batch)
        return batch

    def start(self, coroutine: Coroutine[Any, Any, _T], *, name: str = "") -> Script[_T]:
        """Runs a coroutine on the main thread, within the budget of frames, from the next drain on.

        Args:
            coroutine: The result of calling an ``async`` function.
            name: The name in reports and errors; by default that of the function.

        Raises:
            TypeError: ``coroutine`` is not a coroutine.
            LoaderClosedError: The loader was closed.
        """
        self._check_open()
        if not isinstance(coroutine, Coroutine):
            raise TypeError(f"a coroutine is to be started, not {coroutine!r}: call the function")
        name = name or getattr(coroutine, "__qualname__", "script")
        return Script(self._callbacks, self._scripts, coroutine, name)

    # ---------------------------------------------------------------------------- urgency and cache

    def reprioritize(self, handle: Handle[Any], priority: Priority) -> None:
        """Changes the urgency of a handle's load, and of the loads it depends on. Any thread."""
        rank = rank_of(priority)
        with self._loads.lock:
            self._loads.change(handle.record, handle.serial, rank)

    def pin(self, handle: Handle[Any]) -> None:
        """Keeps a handle's asset in memory, also without the handle, until `unpin`. Any thread."""
        with self._loads.lock:
            handle.record.pins += 1
            self._loads.cache.hold(handle.record)

    def unpin(self, handle: Handle[Any]) -> None:
        """Takes back one call of `pin`.

        Raises:
            ValueError: The asset is not pinned.

        Any thread.
        """
        with self._loads.lock:
            if not handle.record.pins:
                raise ValueError(f"{handle.id} is not pinned")
            handle.record.pins -= 1
            self._loads.let_go(handle.record)
            self._loads.trim()

    def evict(self, identifier: str) -> bool:
        """Drops an asset from the cache, with any import settings. Any thread.

        Returns:
            Whether it was dropped; False if it is held, or not loaded.
        """
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
        """Evicts assets that nothing holds until all loaded assets take at most ``most_bytes``.

        Returns:
            The number of evicted assets.

        Any thread.
        """
        self._loads.release_dropped(len(self._loads.dropped_handles))
        with self._loads.lock:
            count = self._loads.trim(most_bytes, None if most_bytes else 0)
        self._loads.dropped.clear()
        return count

    def reload(self, identifiers: Iterable[str]) -> None:
        """Loads assets again in the background; then their handles have the new values. Any thread.

        Assets that nothing holds are evicted instead.
        """
        # With all import settings: the file of an image is also that of the sheets made from it.
        names = dict.fromkeys(asset_id(name.partition("?")[0]) for name in identifiers)
        steps = restart_ids(self._loads, names, self._executor.wake)
        self.queue.post(steps, "reload", Step("reload"))

    def apply(self, reload: ReloadReport) -> None:
        """Reloads what an `AssetWatcher` reports as changed; to be passed to the watcher.

        Errors in files are logged, the first 20 of them, and each is sent to listeners once as a
        ``broken`` event, whether an asset of the file is loaded or not. A load that fails with such
        an error later is not logged again.

        Any thread.
        """
        tell_broken(self._loads, reload)
        self.reload(reload.ids)
        steps = restart_paths(self._loads, self._assets, reload, self._executor.wake)
        self.queue.post(steps, "reload", Step("reload"))

    # ------------------------------------------------------------------------------------- frames

    def begin_frame(self) -> None:
        """Begins a frame: closes the idle gate, so that loader threads wait."""
        self.gate.begin_frame()
        self._frame_at = self._clock()
        self._spent_s = 0.0

    def drain(self, budget_s: float | None = None) -> DrainReport:
        """Runs main-thread jobs: commits loads, calls callbacks and listeners, resumes scripts.

        Args:
            budget_s: The time that jobs may take, in seconds; by default that of `budget`.

        Returns:
            The steps that ran, their times, and the jobs that still wait.
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
        """Queues a job that releases dropped handles and evicted values, if there are any."""
        loads = self._loads
        if (loads.dropped_handles or loads.dropped) and not self._releasing:
            self._releasing = True
            self.queue.post(self._release_steps(), "retire", Step("release"))

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
        """Ends a frame: opens the idle gate, so that loader threads run until the next frame.

        Args:
            next_frame_at: When the next frame is due, in seconds of the clock; by default the
                budget's ``frame_s`` after `begin_frame`.
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
        """Blocks until all given handles, batches and scripts are done; runs main-thread jobs.

        For tools, tests, and games without frames.

        Returns:
            True, or False after ``timeout_s`` seconds.
        """
        self.gate.release()
        end = time.monotonic() + timeout_s
        while not all(awaited.done for awaited in what):
            report = self.drain(0.1)
            if report.steps == 0 and not self._executor.pump():
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self.queue.wait(min(left, 0.02))
        self._events.deliver()
        return True

    def add_listener(self, listener: Listener) -> None:
        """Calls a function with every `LoadEvent`, on the main thread, at the end of `drain`.

        Adding the same function twice has no effect.
        """
        self._events.add(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Removes a listener; no error if it was not added."""
        self._events.remove(listener)

    # --------------------------------------------------------------------------------------- end

    def statistics(self) -> LoaderStatistics:
        """Returns the figures of the loader. Any thread."""
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
        """The last 100 exceptions of callbacks and scripts, with their names; also logged."""
        return self._callbacks.failures

    def _check_open(self) -> None:
        if self._loads.closed:
            raise LoaderClosedError("the loader was closed: it loads nothing any more")

    def close(self, timeout_s: float = 1.0) -> bool:
        """Ends all threads, loads and scripts. May be called twice.

        Awaiting a handle that was not done raises a `LoadCancelledError`; callbacks are not called
        any more.

        Args:
            timeout_s: The time to wait for threads in the middle of a read, in seconds.

        Returns:
            Whether all threads have ended. A thread that hangs in a read ends after the read, or
            with the interpreter.
        """
        self.garbage.close()
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

    def shutdown(self, timeout_s: float = 1.0) -> bool:
        """The old word for `close`."""
        return self.close(timeout_s)

    def __exit__(self, *_: object) -> None:
        self.close()


async def _awaited(handle: Handle[Any]) -> Any:
    return await handle
