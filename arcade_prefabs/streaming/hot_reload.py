"""`WorldReloader`: updates the live cells of a world after its files were edited."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, TypeVar

from ..frames import NEXT_FRAME, MainThreadQueue, Step
from ..frames.main_thread_queue import Steps
from ..loading import LoadEvent
from ..pipeline import ALWAYS_LOADED
from .cells.cell_providers import BakedCells
from .cells.live_cell import CellState, LiveCell
from .population.cell_lifecycle import CellLifecycle
from .renderer import WorldRenderer
from .saves.change_journal import SavedCellLoad

__all__ = ["WorldReloader"]

_T = TypeVar("_T")

# Seconds to wait for the other cells of an edit: an entity may have moved from one to another.
_TOGETHER_S: Final = 0.1


class WorldReloader:
    """Updates live cells that were baked anew, and retries what failed, as jobs of the queue.

    Args:
        lifecycle: The live cells.
        renderer: The layers.
        queue: The main-thread queue.

    Main thread.
    """

    def __init__(
        self, lifecycle: CellLifecycle, renderer: WorldRenderer, queue: MainThreadQueue
    ) -> None:
        self._lifecycle = lifecycle
        self._renderer = renderer
        self._queue = queue
        self._running = False
        self._prefabs: dict[str, None] = {}  # prefabs loaded since there were failures, to retry

    def heard(self, event: LoadEvent) -> None:
        """Handles a load event: a prefab that was loaded again may mend failed residents."""
        failures = self._lifecycle.parts.population.failures
        if failures and event.kind in ("ready", "reloaded", "dependency_reloaded"):
            self._prefabs[event.id] = None

    def look(self, now: float) -> None:
        """Starts an update of cells that were baked anew, and of failed residents to retry."""
        if self._running:
            return
        lifecycle = self._lifecycle
        late = lifecycle.dirty_at is not None and now - lifecycle.dirty_at >= _TOGETHER_S
        if late or self._prefabs:
            self._running = True
            self._queue.post(self._refresh(), "reload", Step("reload", 1))

    def _refresh(self) -> Steps:
        lifecycle = self._lifecycle
        parts = lifecycle.parts
        try:
            prefabs, self._prefabs = self._prefabs, {}
            failed = [
                resident
                for name in list(parts.population.failures)
                if (resident := parts.population.residents.get(name)) is not None
                and resident.row.prefab in prefabs
            ]
            yield from self._run(parts.builder.retry(failed))
            dirty = [live for live in parts.live_cells.values() if live.dirty and live.active]
            if dirty:
                lifecycle.dirty_at = None
                yield from self._refresh_cells(dirty)
                if any(
                    live.dirty for live in parts.live_cells.values()
                ):  # one is still being built
                    lifecycle.dirty_at = lifecycle.dirty_at or parts.clock()
        finally:
            self._running = False

    def _refresh_cells(self, dirty: list[LiveCell]) -> Steps:
        journal, builder = self._lifecycle.parts.journal, self._lifecycle.parts.builder
        reads: list[SavedCellLoad] = []
        for live in dirty:
            if live.load is not None:
                _ = live.load.done  # the property takes over the newest rows
            rows = () if live.load is None else live.load.rows or ()
            reads.append(journal.read(live.label, rows))
        try:
            while not all(read.done for read in reads):
                yield NEXT_FRAME
            gone = yield from self._run(builder.refresh(dirty, reads))
            self._mark_cells_with(gone)
        finally:
            for read in reads:
                journal.forget_read(read)

    def _mark_cells_with(self, gone: set[str]) -> None:
        """Marks cells for an update that skipped an entity while its old cell still had it."""
        lifecycle = self._lifecycle
        for live in lifecycle.parts.live_cells.values():
            rows = () if live.load is None else live.load.rows or ()
            if gone and any(row.id in gone for row in rows):
                live.dirty = True
                lifecycle.dirty_at = lifecycle.parts.clock()

    def _run(self, task: Generator[Step | None, None, _T]) -> Generator[Any, None, _T]:
        while True:
            try:
                step = next(task)
            except StopIteration as stop:
                found: _T = stop.value
                return found
            yield NEXT_FRAME if step is None else step

    def head_changed(self, provider: BakedCells) -> bool:
        """Takes over the world's head after a new bake; False if its cell size has changed."""
        lifecycle = self._lifecycle
        parts = lifecycle.parts
        if not provider.refresh():
            return False
        self._renderer.learn(provider.layers)
        before, parts.cells.told = parts.cells.told, provider.cells
        parts.sources.changed = True
        for live in list(parts.live_cells.values()):
            cell = live.cell
            gone = cell != ALWAYS_LOADED and cell in before and cell not in provider.cells
            if gone and not live.active:
                lifecycle.unload(live)
            elif gone and live.load is not None:
                live.load.stop()
                live.load.rows = ()
                live.load.error = None
                live.dirty = True
                lifecycle.dirty_at = parts.clock()
            elif live.state is CellState.FAILED or (
                cell != ALWAYS_LOADED and cell in provider.cells and cell not in before
            ):
                lifecycle.unload(live)  # the next plan loads it again
        if provider.has_always and ALWAYS_LOADED not in parts.live_cells:
            lifecycle.require(ALWAYS_LOADED)
        return True
