"""`WorldView`: what a game asks of a streaming world."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from arcade import SpriteList

from ..errors import StreamingError
from ..spawning.entities.entity import Entity
from ..spawning.walls import Walls
from ..window.thread_guard import ThreadGuard
from .cells.grid import Cell, box_distance
from .cells.live_cell import Region, RegionState, Resident
from .opening import OpenWorld
from .planning.health import Health
from .planning.streaming_sources import Sources, checked_position
from .population.residents import Failure
from .renderer import CameraView
from .world_runtime import WorldLoop

__all__ = ["StreamingStatistics", "WorldView"]


class StreamingStatistics(NamedTuple):
    """What a world is doing.

    Attributes:
        regions: How many cells are in each state.
        entities: How many entities are in memory.
        loads: How many cells were begun to be read so far.
        unloads: How many were taken away.
        bytes: Memory that is used, see `StreamingSettings`.
        latency_s: Seconds that a cell takes to be there, at the moment.
        unsaved: Changed entities that are not in the file yet.
        left_out: Wanted cells for which there is no memory.
    """

    regions: Mapping[RegionState, int]
    entities: int
    loads: int
    unloads: int
    bytes: int
    latency_s: float
    unsaved: int
    left_out: int


class WorldView:
    """The questions that `StreamingManager` answers, and drawing. Main thread.

    Args:
        name: The world's id.
        window: The window.
        loop: What opens it, and does its work.
        sources: Whom it is streamed for.
    """

    def __init__(self, name: str, window: Any, loop: WorldLoop, sources: Sources) -> None:
        self.name = name
        self._camera_view = CameraView(window, name)
        self._loop = loop
        self._sources = sources
        self._guard = ThreadGuard()
        self._see()

    # ------------------------------------------------------------------------------------- opening

    @property
    def walls(self) -> Walls:
        """The sprites that things stop at, for physics engines."""
        return self._loop.walls

    @property
    def _open(self) -> OpenWorld | None:
        return self._loop.open

    @property
    def is_open(self) -> bool:
        """Whether its content and its save are known; loading begins then."""
        return self._open is not None and not self._loop.closed

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._loop.closed

    @property
    def error(self) -> Exception | None:
        """Why it cannot be opened, or None."""
        return self._loop.error

    def _check(self, what: str) -> None:
        self._guard.check(f"StreamingManager.{what}")
        if self._loop.closed:
            raise StreamingError(f"the world {self.name} was closed")

    def _opened_world(self, what: str) -> OpenWorld:
        self._check(what)
        if self._open is None:
            if self.error is not None:
                raise StreamingError(f"{self.name} could not be opened: {self.error}")
            raise StreamingError(f"{self.name} is being opened: await world.opened() before")
        return self._open

    # ------------------------------------------------------------------------------------- drawing

    def draw(self, *layers: str, **options: Any) -> None:
        """See `StreamingManager.draw`."""
        self._check("draw")
        if self._open is None:
            return
        renderer, parts = self._open.renderer, self._open.parts
        if layers:
            renderer.check(layers)
        box = self._see()
        renderer.draw(parts.regions, box, parts.grid.cell_size / 2, layers, options)

    def _see(self) -> tuple[float, float, float, float]:
        """Look at what the camera shows, which the load distance follows."""
        box = self._camera_view.measure()
        self._sources.see(math.hypot(box[2] - box[0], box[3] - box[1]) / 2)
        return box

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that there are so far, from the bottom to the top."""
        return () if self._open is None else self._open.renderer.layers

    def show_layer(self, layer: str, visible: bool = True) -> None:
        """Draw a layer, or do not; its entities are there in any case."""
        hidden = self._opened_world("show_layer").renderer.hidden
        if visible:
            hidden.discard(layer)
        else:
            hidden.add(layer)

    # -------------------------------------------------------------------------------------- asking

    @property
    def regions(self) -> Mapping[Cell, Region]:
        """All cells that are not unloaded."""
        return MappingProxyType({} if self._open is None else self._open.parts.regions)

    def state_at(self, position: Sequence[float]) -> RegionState:
        """The state of the cell at a place; `RegionState.ACTIVE` if there is nothing in it."""
        parts = self._opened_world("state_at").parts
        cell = parts.grid.cell_at(*checked_position(position))
        region = parts.regions.get(cell)
        if region is not None:
            return region.state
        return RegionState.UNLOADED if cell in parts.cells else RegionState.ACTIVE

    def entity(self, name: str) -> Entity | None:
        """An entity by its name in the world; None if it is not in memory, or not alive."""
        if self._open is None:
            return None
        resident = self._open.parts.population.residents.get(name)
        return None if resident is None else resident.entity

    def id_of(self, entity: Entity) -> str | None:
        """The name of an entity in the world; None if it is not one of the world's."""
        owner = entity.root._spawning.owner
        return owner.id if isinstance(owner, Resident) else None

    def entities(self) -> Iterator[Entity]:
        """All of its entities that are there."""
        if self._open is not None:
            for region in list(self._open.parts.regions.values()):
                if region.active:
                    yield from _alive(region)

    def entities_near(self, position: Sequence[float], radius: float) -> list[Entity]:
        """The entities that are there, and stand no farther away, the nearest first.

        Raises:
            ValueError, TypeError: That is no place, or no radius.
        """
        x, y = checked_position(position)
        if not (radius >= 0 and math.isfinite(radius)):
            raise ValueError(f"a radius must not be negative, and finite, not {radius}")
        if self._open is None:
            return []
        found: list[tuple[float, int, Entity]] = []
        slack = self._open.parts.grid.cell_size / 2  # who has just left its cell
        for region in self._open.parts.regions.values():
            if region.active and box_distance(x, y, region.reach) <= radius + slack:
                for entity in _alive(region):
                    there = entity.position
                    far = math.hypot(there[0] - x, there[1] - y)
                    if far <= radius:
                        found.append((far, len(found), entity))
        return [entity for _, _, entity in sorted(found)]

    def sprite_lists(self, layer: str) -> list[SpriteList[Any]]:
        """The lists of a layer that are there now: for collisions, say. They come and go."""
        if self._open is None:
            return []
        regions = self._open.parts.regions.values()
        return [one for region in regions if region.active for one in region.lists.of(layer)]

    @property
    def failures(self) -> Mapping[str, Failure]:
        """What cannot be there, by the names of entities and the labels of cells."""
        return MappingProxyType({} if self._open is None else self._open.parts.population.failures)

    @property
    def problems(self) -> Mapping[str, str]:
        """What of a save is damaged, or cannot be kept or put back, each told once."""
        return MappingProxyType(
            {} if self._open is None else self._open.parts.population.keeper.problems
        )

    @property
    def health(self) -> Health:
        """How far around its players it is there."""
        return Health.GOOD if self._open is None else self._open.health.state

    @property
    def readiness(self) -> float:
        """The part of the load distance that is there, 0 to 1, for the player who fares worst."""
        return 1.0 if self._open is None else self._open.health.ratio

    @property
    def pace(self) -> float:
        """The factor to move players with, 0 to 1: see ``on_slow`` of `StreamingSettings`."""
        return 1.0 if self._open is None else self._open.health.pace

    @property
    def time(self) -> float:
        """Seconds that the world was played for, all sessions of its save together."""
        return 0.0 if self._open is None else self._open.parts.ledger.time

    @property
    def busy(self) -> bool:
        """Whether anything is being opened, loaded, built or taken away."""
        if self._loop.closed or self.error is not None:
            return False
        return self._open is None or self._open.flow.busy or self._sources.changed

    def statistics(self) -> StreamingStatistics:
        """What it is doing."""
        if self._open is None:
            return StreamingStatistics({}, 0, 0, 0, 0, 0.0, 0, 0)
        parts, flow = self._open.parts, self._open.flow
        return StreamingStatistics(
            {state: flow.counts[state] for state in RegionState},
            len(parts.population.residents),
            flow.loads,
            flow.unloads,
            parts.account.used,
            parts.planner.latency.seconds,
            parts.ledger.waiting,
            parts.account.dropped,
        )


def _alive(region: Region) -> Iterator[Entity]:
    for resident in list(region.residents.values()):
        entity = resident.entity
        if entity is not None:
            yield entity
