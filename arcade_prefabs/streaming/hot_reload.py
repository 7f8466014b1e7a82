"""`WorldReloader`: what is there follows the files, while the game runs."""

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

# The cells of one edit come within some frames; an entity may have gone from one to the other.
_TOGETHER_S: Final = 0.1


class WorldReloader:
    """Brings regions up to date whose files were saved.

    Args:
        lifecycle: The regions.
        renderer: Knows the layers.
        queue: The main thread's queue.

    Main thread.
    """

    def __init__(
        self, lifecycle: CellLifecycle, renderer: WorldRenderer, queue: MainThreadQueue
    ) -> None:
        self._lifecycle = lifecycle
        self._renderer = renderer
        self._queue = queue
        self._running = False
        self._prefabs: dict[str, None] = {}  # loaded again since something of them failed

    def heard(self, event: LoadEvent) -> None:
        """The loader told of something."""
        failures = self._lifecycle.parts.population.failures
        if failures and event.kind in ("ready", "reloaded", "dependency_reloaded"):
            self._prefabs[event.id] = None

    def look(self, now: float) -> None:
        """Begin to bring up to date what waits for it."""
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
                one
                for name in list(parts.population.failures)
                if (one := parts.population.residents.get(name)) is not None
                and one.row.prefab in prefabs
            ]
            yield from self._run(parts.builder.retry(failed))
            dirty = [one for one in parts.live_cells.values() if one.dirty and one.active]
            if dirty:
                lifecycle.dirty_at = None
                yield from self._refresh_regions(dirty)
                if any(one.dirty for one in parts.live_cells.values()):  # it is still being built
                    lifecycle.dirty_at = lifecycle.dirty_at or parts.clock()
        finally:
            self._running = False

    def _refresh_regions(self, dirty: list[LiveCell]) -> Steps:
        journal, builder = self._lifecycle.parts.journal, self._lifecycle.parts.builder
        reads: list[SavedCellLoad] = []
        for live in dirty:
            if live.load is not None:
                _ = live.load.done  # takes the newest over
            rows = () if live.load is None else live.load.rows or ()
            reads.append(journal.read(live.label, rows))
        try:
            while not all(one.done for one in reads):
                yield NEXT_FRAME
            gone = yield from self._run(builder.refresh(dirty, reads))
            self._look_for(gone)
        finally:
            for one in reads:
                journal.forget_read(one)

    def _look_for(self, gone: set[str]) -> None:
        """Have regions looked at that were built while somebody was still in its old cell."""
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
        """The world itself was baked anew; False if its grid is another one now."""
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
                lifecycle.unload(live)  # it is read once more
        if provider.has_always and ALWAYS_LOADED not in parts.live_cells:
            lifecycle.require(ALWAYS_LOADED)
        return True
