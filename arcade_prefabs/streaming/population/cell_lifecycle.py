"""`CellLifecycle`: takes cells from one state to the next."""

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
from .residents import Failure, Population

__all__ = ["CellLifecycle", "WorldParts"]

_READING: Final = (CellState.LOADING, CellState.READY)
_COMING: Final = (CellState.QUEUED, CellState.LOADING, CellState.READY)
_EVERYWHERE: Final[Box] = (float("-inf"), float("-inf"), float("inf"), float("inf"))


@dataclass(slots=True)
class WorldParts:
    """What a world is made of; see the modules of these names."""

    settings: StreamingSettings
    contents: CellProvider
    grid: Grid
    cells: KnownCells
    sources: Sources
    planner: Planner
    account: MemoryBudget
    ledger: ChangeJournal
    population: Population
    builder: CellBuilder
    building: CellJobs
    leaving: CellJobs
    walls: Walls
    clock: Callable[[], float]
    regions: dict[GridCell, LiveCell] = field(default_factory=dict)


class CellLifecycle:
    """Begins loads, lets regions become active, and takes them away again.

    All changes of states happen in `apply`, `advance` and at the end of tasks, on the main thread,
    in an order that depends on cells and scores alone: not on which thread was quicker.

    Args:
        parts: What the world is made of.
        layers: The names of its layers, to be added to.

    Attributes:
        events: What happened since somebody cleared it.
        counts: How many regions are in each state.
        wanted: What the last plan wants.

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
        self._reading: dict[LiveCell, None] = {}  # those that are LOADING or READY
        # Those that are QUEUED by their source, the next one last; None if that has changed.
        self._queue: dict[int, list[LiveCell]] | None = None

    # -------------------------------------------------------------------------------------- states

    @property
    def busy(self) -> bool:
        """Whether anything is on its way."""
        counts = self.counts
        resting = counts[CellState.ACTIVE] + counts[CellState.FAILED]
        return resting < len(self.parts.regions)

    def _set(self, region: LiveCell, state: CellState, error: Exception | None = None) -> None:
        before, region.state, region.error = region.state, state, error
        self.counts[before] -= 1
        self.counts[state] += 1
        if state in _READING:
            self._reading[region] = None
        elif before in _READING:
            del self._reading[region]
        if state is CellState.QUEUED or before is CellState.QUEUED:
            self._queue = None
        region.since = self.parts.clock()
        self.events.append(CellEvent(region.cell, before, state, error))

    def _new(self, cell: GridCell) -> LiveCell:
        parts = self.parts
        box, reach = (
            (_EVERYWHERE, _EVERYWHERE)
            if cell == ALWAYS_LOADED
            else (parts.grid.box(cell), parts.grid.reach(cell))
        )
        lists, population = CellSpriteLists(self._layers), parts.population
        region = LiveCell(cell, box, reach, lists, population.lost, population.lived)
        region.queued_at = parts.clock()
        parts.regions[cell] = region
        self.counts[CellState.UNLOADED] += 1
        self._set(region, CellState.QUEUED)
        return region

    def _forget(self, region: LiveCell) -> None:
        parts = self.parts
        if region.load is not None:
            region.load.stop()
            region.load = None
        if region.saved is not None:
            parts.ledger.forget_read(region.saved)
            region.saved = None
        region.prefabs.clear()
        parts.account.leave(region.cell)
        parts.population.failures.pop(region.label, None)
        del parts.regions[region.cell]
        self._set(region, CellState.UNLOADED)
        self.counts[CellState.UNLOADED] -= 1

    # ---------------------------------------------------------------------------------------- plan

    def apply(self, wanted: Mapping[GridCell, CellDemand], now: float) -> None:
        """Ask for what is wanted and not there, and give up what is not wanted any more."""
        parts = self.parts
        self.wanted = wanted
        self._full = False
        self._queue = None  # all of them may have other scores now
        for cell, want in wanted.items():
            region = parts.regions.get(cell)
            if region is None:
                region = self._new(cell)
                region.score, region.source = want
                region.ahead = parts.planner.is_ahead(region)
            else:
                region.score, region.source = want
        for region in list(parts.regions.values()):
            if region.cell not in wanted and region.cell != ALWAYS_LOADED:
                self._unwanted(region, now)
        self._make_room()

    def _unwanted(self, region: LiveCell, now: float) -> None:
        parts, state = self.parts, region.state
        if state is CellState.DEACTIVATING:
            return
        if state is not CellState.QUEUED and parts.planner.keeps(region):
            return
        if state is CellState.ACTIVE:
            until = region.since + parts.settings.residency_s
            if now < until:
                parts.planner.remind(until)
                return
        self.unload(region)

    def _make_room(self) -> None:
        """Over the limit, what is not wanted goes: the farthest first, however short it stayed."""
        parts = self.parts
        coming = [one.cell for one in parts.regions.values() if one.state in _COMING]
        excess = parts.account.excess(coming)
        if excess <= 0:
            return
        staying = (CellState.ACTIVE, CellState.ACTIVATING, CellState.FAILED)
        idle = [
            (-self._distance(one), one.cell)
            for one in parts.regions.values()
            if one.cell not in self.wanted and one.state in staying and one.cell != ALWAYS_LOADED
        ]
        for _, cell in sorted(idle):
            if excess <= 0:
                break
            excess -= parts.account.expected(cell)
            self.unload(parts.regions[cell])

    def _distance(self, region: LiveCell) -> float:
        known = self.parts.sources.known
        return min((box_distance(*one.position, region.reach) for one in known), default=0.0)

    # --------------------------------------------------------------------------------------- loads

    def advance(self) -> None:
        """Look at what has been read, and begin to read more."""
        parts = self.parts
        if self._reading:
            for region in sorted(self._reading, key=_order):
                if region.state is CellState.LOADING:
                    self._look_at(region)
            for region in sorted(self._reading, key=_order):
                if len(parts.building) >= parts.settings.max_in_flight:
                    break
                if region.state is CellState.READY:
                    self._activate(region)
        if self.counts[CellState.QUEUED]:
            self._begin_some()

    def _begin_some(self) -> None:
        parts, settings = self.parts, self.parts.settings
        size = flying = 0
        for one in self._reading:
            # The save is read when the rest is there; others may be read meanwhile.
            flying += one.saved is None or one.state is CellState.READY
            size += parts.account.expected(one.cell)
        if flying >= settings.max_in_flight:
            return
        queued = self._queue
        if queued is None:
            queued = {}
            for one in parts.regions.values():
                if one.state is CellState.QUEUED:
                    queued.setdefault(one.source, []).append(one)
            for waiting in queued.values():
                waiting.sort(key=_order, reverse=True)
            self._queue = queued
        while queued and flying < settings.max_in_flight:
            number = parts.sources.next_served(queued)
            region = queued[number][-1]
            size += parts.account.expected(region.cell)
            if flying and size > settings.max_in_flight_bytes:
                return
            if region.score > 0 and parts.account.used + size > settings.memory_limit:
                if not self._full:  # what is wanted is worked out anew, with what is known now
                    self._full = True
                    parts.planner.remind(parts.clock())
                return
            queued[number].pop()
            if not queued[number]:
                del queued[number]
            parts.sources.serve(number)
            self._begin(region)
            self._queue = queued  # it is the same, without the one that was begun
            flying += 1

    def _begin(self, region: LiveCell) -> None:
        parts = self.parts
        self.loads += 1
        region.began_at = parts.clock()
        self._set(region, CellState.LOADING)
        cell = region.cell
        if cell != ALWAYS_LOADED and cell not in parts.cells.told:
            region.load = _Empty()
            return
        changed = partial(self._changed, region)
        try:
            region.load = parts.contents.begin(cell, urgent=region.score <= 0, changed=changed)
        except Exception as error:
            self._fail(region, error)

    def _look_at(self, region: LiveCell) -> None:
        parts, load = self.parts, region.load
        assert load is not None
        if region.saved is None:
            if not load.done:
                return
            if load.error is not None:
                self._fail(region, load.error)
                return
            region.saved = parts.ledger.read(region.label, load.rows or ())
        saved = region.saved
        if not region.asked:
            if not saved.done:
                return
            if saved.error is not None:
                self._fail(region, saved.error)
                return
            region.asked = True
            region.size = load.size
            region.parts = len(load.rows or ())
            parts.builder.want_prefabs(region, saved)
        if all(handle.done for handle in region.prefabs.values()):
            parts.account.enter(region)
            self._set(region, CellState.READY)

    def _fail(self, region: LiveCell, error: Exception) -> None:
        parts, cell = self.parts, region.cell
        if region.saved is not None:
            parts.ledger.forget_read(region.saved)
            region.saved = None
        parts.population.note(Failure(region.label, cell, None, error))
        if parts.settings.placeholders and cell != ALWAYS_LOADED:
            left, bottom, right, top = region.box
            middle = ((left + right) / 2, (bottom + top) / 2)
            mark = parts.population.placeholder(*middle, size=(right - left) / 4)
            region.lists["default"].append(mark)
        self._set(region, CellState.FAILED, error)

    # ---------------------------------------------------------------------------------- activation

    def _activate(self, region: LiveCell) -> None:
        parts, saved = self.parts, region.saved
        assert saved is not None
        self._set(region, CellState.ACTIVATING)
        record = parts.ledger.merged(saved)
        done = partial(self._activated, region)
        parts.building.begin(
            region, self._watched(region, parts.builder.build(region, record, done))
        )

    def _watched(self, region: LiveCell, task: Task) -> Task:
        try:
            yield from task
        except Exception as error:
            self.parts.building.stop(region)
            self._fail(region, error)
            raise

    def _activated(self, region: LiveCell) -> None:
        parts, settings = self.parts, self.parts.settings
        if region.saved is not None:
            parts.ledger.forget_read(region.saved)
            region.saved = None
        parts.account.enter(region)
        region.lists.shown_in = parts.walls
        parts.walls.add(region.lists.walls)
        if parts.account.used > settings.memory_limit:
            parts.planner.remind(parts.clock())
        if region.ahead:
            parts.planner.latency.note(parts.clock() - region.queued_at)
        self._set(region, CellState.ACTIVE)

    # ------------------------------------------------------------------------------------- leaving

    def unload(self, region: LiveCell) -> None:
        """Take a region away, whatever it is doing."""
        parts, state = self.parts, region.state
        if state in _COMING:
            self._forget(region)
            return
        if state is CellState.DEACTIVATING:
            return
        self.unloads += 1
        parts.building.stop(region)
        region.lists.shown_in = None
        parts.walls.remove(region.lists.walls)
        if state is CellState.ACTIVE:
            parts.ledger.left(region.label)
        self._set(region, CellState.DEACTIVATING)
        gone = partial(self._gone, region)
        parts.leaving.begin(region, parts.builder.retire(region, gone))

    def _gone(self, region: LiveCell) -> None:
        self._forget(region)
        if region.cell in self.wanted:
            self.parts.planner.remind(self.parts.clock())

    # ---------------------------------------------------------------------------------- hot reload

    def _changed(self, region: LiveCell) -> None:
        """The content of a region was replaced by a newer one."""
        if self.parts.regions.get(region.cell) is not region:
            return
        if region.state is CellState.FAILED:
            self.unload(region)
        elif region.active or region.saved is not None:  # begun with the old one
            region.dirty = True
            self.dirty_at = self.parts.clock()

    def close(self) -> None:
        """Take everything away at once; what was changed of it was kept before, or is not to be."""
        parts = self.parts
        parts.building.close()
        parts.leaving.close()
        for region in list(parts.regions.values()):
            parts.walls.remove(region.lists.walls)
            for resident in list(region.residents.values()):
                parts.population.forget(resident)
                if resident.spawning is not None:
                    resident.spawning.retire(region.lists.holds)
            for _ in region.lists.drop():
                pass
            self._forget(region)

    def require(self, cell: GridCell) -> LiveCell:
        """The region of a cell that is to be there from now on."""
        return self.parts.regions.get(cell) or self._new(cell)


class _Empty(CellLoad):
    """A cell that the world does not tell of."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.rows = ()


def _order(region: LiveCell) -> tuple[float, GridCell]:
    return (region.score, region.cell)
