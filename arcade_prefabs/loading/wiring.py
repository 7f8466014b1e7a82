"""The parts of a loader, each made once and told of the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..frames.coroutines import Script
from ..frames.idle_gate import IdleGate
from ..frames.main_thread_queue import MainThreadQueue
from ..frames.timers import Timers
from ..prefab import ComponentRegistry
from .requests.asset_record import LoadState
from .requests.batch import Batch
from .requests.cache import PrefabCache
from .requests.claims import Claims
from .requests.events import Listeners
from .requests.load_registry import LoadTable
from .requests.scheduler import Scheduler
from .requests.scoring import Scoring
from .settings import LoaderSettings, LoaderStatistics
from .workers.bake_thread import Bakes, BakeThread
from .workers.executor import Executor
from .workers.main_thread_commit import Landing
from .workers.retries import Retries
from .workers.worker import AssetReader, LoadWorker

__all__ = ["Parts", "gather_statistics", "shut_down", "wire"]


@dataclass(frozen=True, slots=True)
class Parts:
    """See the modules of these names."""

    table: LoadTable
    timers: Timers
    claims: Claims
    scoring: Scoring
    baking: BakeThread | None
    worker: LoadWorker
    landing: Landing
    listeners: Listeners


def wire(
    assets: AssetReader,
    settings: LoaderSettings,
    registry: ComponentRegistry,
    clock: Callable[[], float],
    executor: Executor,
    gate: IdleGate,
    queue: MainThreadQueue,
) -> Parts:
    """Make the parts of a loader."""
    wake = executor.wake
    scheduler = Scheduler(settings.max_in_flight, settings.max_in_flight_bytes)
    table = LoadTable(scheduler, PrefabCache(settings.cache_entries, settings.cache_bytes), clock)
    timers = Timers()
    claims = Claims(table, queue, timers, clock)
    retry = Retries(table, claims, assets, settings.retries, settings.retry_delay_s, wake)
    landing = Landing(table, queue, settings.activators, wake, retry)
    baking = BakeThread(table, assets, wake) if isinstance(assets, Bakes) else None
    decoders = settings.all_decoders()
    return Parts(
        table,
        timers,
        claims,
        Scoring(settings.priority_system, table, queue, claims.note_failure),
        baking,
        LoadWorker(table, assets, decoders, registry, landing, gate, baking),
        landing,
        Listeners(table, claims.note_failure, clock),
    )


def gather_statistics(table: LoadTable, gate: IdleGate) -> LoaderStatistics:
    """What the parts say of themselves."""
    with table.lock:
        scheduler, ended = table.scheduler, table.ended
        return LoaderStatistics(
            table.requested,
            ended[LoadState.READY],
            ended[LoadState.FAILED],
            ended[LoadState.CANCELLED],
            len(scheduler),
            scheduler.flying,
            scheduler.flying_bytes,
            scheduler.most_flying,
            scheduler.most_flying_bytes,
            table.cache.statistics(),
            gate.holds(),
        )


def shut_down(
    parts: Parts,
    executor: Executor,
    gate: IdleGate,
    queue: MainThreadQueue,
    batches: Iterable[Batch],
    scripts: Iterable[Script[Any]],
    seconds: float,
) -> bool:
    """End a loader's parts; gives whether all threads have ended."""
    with parts.table.lock:
        waiting = parts.table.close()
    if parts.baking is not None:
        parts.baking.stop()
    gate.end()
    for handle in waiting:
        handle._settle()
    for batch in list(batches):
        batch.cancel()
    for script in list(scripts):
        script.cancel()
    end = time.monotonic() + seconds
    stopped = executor.stop(seconds)
    if parts.baking is not None:
        stopped = parts.baking.join(max(0.0, end - time.monotonic())) and stopped
    parts.timers.clear()
    queue.clear()
    parts.table.dropped.clear()
    parts.claims.dropped.clear()
    parts.listeners.clear()
    return stopped
