"""`CellLifecycle`: takes each live cell from one cell state to the next.

**The problem.** Cells are wanted, read, built, unwanted and edited at any time and in any order: a
player turns round while a cell is being built, a prefab fails, memory is full, a file is saved.
Each combination has to end in a state from which all goes on, and in the same one each time, or no
test could repeat a fault.

**The way taken.** One object owns all transitions; a cell itself is data. All happen on
the main thread: in `apply`, when there is a new plan; in `advance`, once a frame; at the end of a
cell's job; and in `unload`. Loader threads only fill `CellLoad`s, which `advance` polls.
Where several cells could go on, the order is by score and cell, never by which thread was quicker.
A cell that is not wanted any more is forgotten at once if it is only being read, and leaves through
`DEACTIVATING` once building has begun.

**The ways rejected.** *Callbacks at the end of loads that change states*: the order of transitions
would depend on threads. *A coroutine for each cell*: a cell may be cancelled, reloaded or closed in
every state, so each line of it would be a point of exit. *States as classes*: every event would be
spread over eight of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from ...pipeline import ALWAYS_LOADED
from ...spawning.walls import Walls
from ..cells.cell_jobs import CellJobs
from ..cells.cell_providers import CellProvider
from ..cells.grid import Box, Grid, GridCell, box_distance
from ..cells.known_cells import KnownCells
from ..cells.live_cell import CellEvent, CellLoad, CellState, LiveCell
from ..cells.sprite_lists import CellSpriteLists
from ..planning.memory_budget import MemoryBudget
from ..planning.planner import CellDemand, Planner
from ..planning.streaming_sources import Sources
from ..saves.change_journal import ChangeJournal
from ..settings import StreamingSettings
from .cell_building import CellBuilder, Task
from .residents import Population, StreamingFailure

__all__ = ["CellLifecycle", "WorldParts"]

_READING: Final = (CellState.LOADING, CellState.READY)
_COMING: Final = (CellState.QUEUED, CellState.LOADING, CellState.READY)
_EVERYWHERE: Final[Box] = (float("-inf"), float("-inf"), float("inf"), float("inf"))


@dataclass(slots=True)
class WorldParts:
    """The objects that an open world consists of; each is described by its class.

    Attributes:
        cells: The cells that have entities.
        building: Runs the jobs that build cells.
        leaving: Runs the jobs that unload cells.
        walls: The solid sprites of all active cells.
        clock: Returns seconds.
        live_cells: All cells that are not `UNLOADED`.
    """

    settings: StreamingSettings
    provider: CellProvider
    grid: Grid
    cells: KnownCells
    sources: Sources
    planner: Planner
    memory_budget: MemoryBudget
    journal: ChangeJournal
    population: Population
    builder: CellBuilder
    building: CellJobs
    leaving: CellJobs
    walls: Walls
    clock: Callable[[], float]
    live_cells: dict[GridCell, LiveCell] = field(default_factory=dict)


class CellLifecycle:
    """Begins loads, activates cells, and unloads them.

    Args:
        parts: The objects of the world.
        layers: The names of the world's layers; sprite lists of cells add new ones.

    Attributes:
        parts: The objects of the world.
        events: Transitions since the world last told its listeners and cleared this list.
        counts: How many cells are in each state.
        wanted: The cells of the last plan.
        loads: How many loads of cells have begun.
        unloads: How many cells began to be unloaded after they were built.
        dirty_at: When a cell last was baked anew, in seconds of the clock; None once all are
            updated.

    Main thread.
    """

    def __init__(self, parts: WorldParts, layers: dict[str, None]) -> None:
        self.parts = parts
        self._layers = layers
        self.events: list[CellEvent] = []
        self.counts: Counter[CellState] = Counter()
        self.wanted: Mapping[GridCell, CellDemand] = {}
        self.loads = self.unloads = 0
        self.dirty_at: float | None = None
        self._full = False
        self._reading: dict[LiveCell, None] = {}  # the cells that are LOADING or READY
        # The QUEUED cells by their source, the next one last; None if they have to be sorted anew.
        self._queue: dict[int, list[LiveCell]] | None = None

    # -------------------------------------------------------------------------------------- states

    @property
    def busy(self) -> bool:
        """Whether any cell is in another state than `ACTIVE` or `FAILED`."""
        counts = self.counts
        resting = counts[CellState.ACTIVE] + counts[CellState.FAILED]
        return resting < len(self.parts.live_cells)

    def _set(self, live: LiveCell, state: CellState, error: Exception | None = None) -> None:
        before, live.state, live.error = live.state, state, error
        self.counts[before] -= 1
        self.counts[state] += 1
        if state in _READING:
            self._reading[live] = None
        elif before in _READING:
            del self._reading[live]
        if state is CellState.QUEUED or before is CellState.QUEUED:
            self._queue = None
        live.since = self.parts.clock()
        self.events.append(CellEvent(live.cell, before, state, error))

    def _new(self, cell: GridCell) -> LiveCell:
        parts = self.parts
        box, reach = (
            (_EVERYWHERE, _EVERYWHERE)
            if cell == ALWAYS_LOADED
            else (parts.grid.box(cell), parts.grid.reach(cell))
        )
        population = parts.population
        lists = CellSpriteLists(self._layers, population.entities)
        live = LiveCell(cell, box, reach, lists, population.lost, population.lived)
        live.queued_at = parts.clock()
        parts.live_cells[cell] = live
        self.counts[CellState.UNLOADED] += 1
        self._set(live, CellState.QUEUED)
        return live

    def _forget(self, live: LiveCell) -> None:
        parts = self.parts
        if live.load is not None:
            live.load.stop()
            live.load = None
        if live.saved is not None:
            parts.journal.forget_read(live.saved)
            live.saved = None
        live.prefabs.clear()
        parts.memory_budget.leave(live.cell)
        parts.population.failures.pop(live.label, None)
        del parts.live_cells[live.cell]
        self._set(live, CellState.UNLOADED)
        self.counts[CellState.UNLOADED] -= 1

    # ---------------------------------------------------------------------------------------- plan

    def apply(self, wanted: Mapping[GridCell, CellDemand], now: float) -> None:
        """Queues wanted cells that are not live, and unloads cells that no source keeps."""
        parts = self.parts
        self.wanted = wanted
        self._full = False
        self._queue = None  # scores may have changed
        for cell, demand in wanted.items():
            live = parts.live_cells.get(cell)
            if live is None:
                live = self._new(cell)
                live.score, live.source = demand
                live.ahead = parts.planner.is_ahead(live)
            else:
                live.score, live.source = demand
        for live in list(parts.live_cells.values()):
            if live.cell not in wanted and live.cell != ALWAYS_LOADED:
                self._unwanted(live, now)
        self._make_room()

    def _unwanted(self, live: LiveCell, now: float) -> None:
        parts, state = self.parts, live.state
        if state is CellState.DEACTIVATING:
            return
        if state is not CellState.QUEUED and parts.planner.keeps(live):
            return
        if state is CellState.ACTIVE:
            until = live.since + parts.settings.residency_s
            if now < until:
                parts.planner.remind(until)
                return
        self.unload(live)

    def _make_room(self) -> None:
        """Unloads cells that are not wanted, the farthest first, until memory is below its limit.

        They need not have stayed for the residency.
        """
        parts = self.parts
        coming = [live.cell for live in parts.live_cells.values() if live.state in _COMING]
        excess = parts.memory_budget.excess(coming)
        if excess <= 0:
            return
        staying = (CellState.ACTIVE, CellState.ACTIVATING, CellState.FAILED)
        idle = [
            (-self._distance(live), live.cell)
            for live in parts.live_cells.values()
            if live.cell not in self.wanted and live.state in staying and live.cell != ALWAYS_LOADED
        ]
        for _, cell in sorted(idle):
            if excess <= 0:
                break
            excess -= parts.memory_budget.expected(cell)
            self.unload(parts.live_cells[cell])

    def _distance(self, live: LiveCell) -> float:
        known = self.parts.sources.known
        return min((box_distance(*source.position, live.reach) for source in known), default=0.0)

    # --------------------------------------------------------------------------------------- loads

    def advance(self) -> None:
        """Takes cells whose loads have ended to the next state, and begins loads; once a frame."""
        parts = self.parts
        if self._reading:
            for live in sorted(self._reading, key=_order):
                if live.state is CellState.LOADING:
                    self._look_at(live)
            for live in sorted(self._reading, key=_order):
                if len(parts.building) >= parts.settings.max_in_flight:
                    break
                if live.state is CellState.READY:
                    self._activate(live)
        if self.counts[CellState.QUEUED]:
            self._begin_some()

    def _begin_some(self) -> None:
        parts, settings = self.parts, self.parts.settings
        size = in_flight = 0
        for candidate in self._reading:
            # A cell that waits for the save file or its prefabs does not count: others may be read.
            in_flight += candidate.saved is None or candidate.state is CellState.READY
            size += parts.memory_budget.expected(candidate.cell)
        if in_flight >= settings.max_in_flight:
            return
        queued = self._queue
        if queued is None:
            queued = {}
            for candidate in parts.live_cells.values():
                if candidate.state is CellState.QUEUED:
                    queued.setdefault(candidate.source, []).append(candidate)
            for waiting in queued.values():
                waiting.sort(key=_order, reverse=True)
            self._queue = queued
        while queued and in_flight < settings.max_in_flight:
            number = parts.sources.next_served(queued)
            live = queued[number][-1]
            size += parts.memory_budget.expected(live.cell)
            if in_flight and size > settings.max_in_flight_bytes:
                return
            if live.score > 0 and parts.memory_budget.used + size > settings.memory_limit:
                if not self._full:  # a new plan, with the sizes that are known now
                    self._full = True
                    parts.planner.remind(parts.clock())
                return
            queued[number].pop()
            if not queued[number]:
                del queued[number]
            parts.sources.serve(number)
            self._begin(live)
            self._queue = queued  # thrown away by `_set`, but still in order
            in_flight += 1

    def _begin(self, live: LiveCell) -> None:
        parts = self.parts
        self.loads += 1
        self._set(live, CellState.LOADING)
        cell = live.cell
        if cell != ALWAYS_LOADED and cell not in parts.cells.told:
            live.load = _Empty()
            return
        changed = partial(self._changed, live)
        try:
            live.load = parts.provider.begin(cell, urgent=live.score <= 0, changed=changed)
        except Exception as error:
            self._fail(live, error)

    def _look_at(self, live: LiveCell) -> None:
        parts, load = self.parts, live.load
        assert load is not None
        if live.saved is None:
            if not load.done:
                return
            if load.error is not None:
                self._fail(live, load.error)
                return
            live.saved = parts.journal.read(live.label, load.rows or ())
        saved = live.saved
        if not live.asked:
            if not saved.done:
                return
            if saved.error is not None:
                self._fail(live, saved.error)
                return
            live.asked = True
            live.size = load.size
            live.parts = len(load.rows or ())
            parts.builder.want_prefabs(live, saved)
        if all(handle.done for handle in live.prefabs.values()):
            parts.memory_budget.enter(live)
            self._set(live, CellState.READY)

    def _fail(self, live: LiveCell, error: Exception) -> None:
        parts, cell = self.parts, live.cell
        if live.saved is not None:
            parts.journal.forget_read(live.saved)
            live.saved = None
        parts.population.note(StreamingFailure(live.label, cell, None, error))
        if parts.settings.placeholders and cell != ALWAYS_LOADED:
            left, bottom, right, top = live.box
            middle = ((left + right) / 2, (bottom + top) / 2)
            mark = parts.population.placeholder(*middle, size=(right - left) / 4)
            live.lists["default"].append(mark)
        self._set(live, CellState.FAILED, error)

    # ---------------------------------------------------------------------------------- activation

    def _activate(self, live: LiveCell) -> None:
        parts, saved = self.parts, live.saved
        assert saved is not None
        self._set(live, CellState.ACTIVATING)
        record = parts.journal.merged(saved)
        done = partial(self._activated, live)
        parts.building.begin(live, self._watched(live, parts.builder.build(live, record, done)))

    def _watched(self, live: LiveCell, task: Task) -> Task:
        try:
            yield from task
        except Exception as error:
            self.parts.building.stop(live)
            self._fail(live, error)
            raise

    def _activated(self, live: LiveCell) -> None:
        parts, settings = self.parts, self.parts.settings
        if live.saved is not None:
            parts.journal.forget_read(live.saved)
            live.saved = None
        parts.memory_budget.enter(live)
        live.lists.shown_in = parts.walls
        parts.walls.add(live.lists.walls)
        if parts.memory_budget.used > settings.memory_limit:
            parts.planner.remind(parts.clock())
        if live.ahead:
            parts.planner.latency.note(parts.clock() - live.queued_at)
        self._set(live, CellState.ACTIVE)

    # ------------------------------------------------------------------------------------- leaving

    def unload(self, live: LiveCell) -> None:
        """Unloads a cell, whatever state it is in."""
        parts, state = self.parts, live.state
        if state in _COMING:
            self._forget(live)
            return
        if state is CellState.DEACTIVATING:
            return
        self.unloads += 1
        parts.building.stop(live)
        live.lists.shown_in = None
        parts.walls.remove(live.lists.walls)
        if state is CellState.ACTIVE:
            parts.journal.left(live.label)
        self._set(live, CellState.DEACTIVATING)
        gone = partial(self._gone, live)
        parts.leaving.begin(live, parts.builder.retire(live, gone))

    def _gone(self, live: LiveCell) -> None:
        self._forget(live)
        if live.cell in self.wanted:
            self.parts.planner.remind(self.parts.clock())

    # ---------------------------------------------------------------------------------- hot reload

    def _changed(self, live: LiveCell) -> None:
        """Marks a cell that was baked anew for an update, or unloads it if it had failed."""
        if self.parts.live_cells.get(live.cell) is not live:
            return
        if live.state is CellState.FAILED:
            self.unload(live)
        elif live.active or live.saved is not None:  # it has, or is being built from, old data
            live.dirty = True
            self.dirty_at = self.parts.clock()

    def close(self) -> None:
        """Unloads all cells at once, without capturing changes.

        A world that keeps its changes captures them before.
        """
        parts = self.parts
        parts.building.close()
        parts.leaving.close()
        for live in list(parts.live_cells.values()):
            parts.walls.remove(live.lists.walls)
            for resident in list(live.residents.values()):
                parts.population.forget(resident)
                if resident.spawn_task is not None:
                    resident.spawn_task.retire(live.lists.holds)
            for _ in live.lists.drop():
                pass
            self._forget(live)

    def require(self, cell: GridCell) -> LiveCell:
        """Returns the live cell of a grid cell; makes and queues it if there is none."""
        return self.parts.live_cells.get(cell) or self._new(cell)


class _Empty(CellLoad):
    """A load without rows, for a cell that the world's data does not have."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.rows = ()


def _order(live: LiveCell) -> tuple[float, GridCell]:
    return (live.score, live.cell)
