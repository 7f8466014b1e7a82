"""`StreamingManager`: a world of any size around its players."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from arcade import SpriteList

from ..errors import SaveError, StreamingError, shown, shown_error
from ..frames import Step
from ..frames.main_thread_queue import Steps
from ..pipeline import world_id
from ..spawning.blueprints.overrides import OverrideMap
from ..spawning.entities.entity import Entity, record_of
from ..spawning.spawn_runtime import SpawnRuntime
from ..spawning.walls import Walls
from ..window.thread_guard import ThreadGuard
from .cells.cell_providers import CellSource
from .cells.grid import GridCell, box_distance
from .cells.live_cell import CellEvent, CellState, LiveCell, Resident
from .opening import OpenWorld, WorldOpener
from .overlay import StreamingOverlay
from .planning.health import StreamingHealth
from .planning.preload_request import PreloadRequest, box_of
from .planning.streaming_sources import Sources, StreamingSource, checked_position
from .population.residents import Failure
from .population.wake_hooks import WakeHook
from .renderer import CameraView
from .saves.change_journal import SaveRequest
from .settings import StreamingSettings
from .world_runtime import Opened, WorldRuntime

__all__ = ["StreamingManager", "StreamingStatistics"]

_PLAYER: Final = "player"
# Pixels, as long as the world is not open: the cell size of worlds that do not name one.
_DEFAULT_CELL_SIZE: Final = 1024.0
# Entities that are looked at in one step of a save, about 0.1 ms.
_CAPTURED: Final = 50


class StreamingStatistics(NamedTuple):
    """What a world is doing.

    Attributes:
        live_cells: How many cells are in each state.
        entities: How many entities are in memory.
        loads: How many cells were begun to be read so far.
        unloads: How many were taken away.
        bytes: Memory that is used, see `StreamingSettings`.
        latency_s: Seconds that a cell takes to be there, at the moment.
        unsaved: Changed entities that are not in the file yet.
        left_out: Wanted cells for which there is no memory.
    """

    live_cells: Mapping[CellState, int]
    entities: int
    loads: int
    unloads: int
    bytes: int
    latency_s: float
    unsaved: int
    left_out: int


class StreamingManager:
    """A world of any size around its players: what is near is there, and nothing else.

    `PrefabPlugin.open_world` makes it, and the plugin does its work in each frame. Tell it where
    the player is, and draw it.

    Example::

        self.world = self.prefabs.open_world("worlds/valley.ron", save="slot1.sqlite")

        def on_update(self, delta_time):
            self.world.update_player_position(self.player.position)

        def on_draw(self):
            self.clear()
            with self.camera.activate():
                self.world.draw()

    Attributes:
        name: The world's id.
        overlay: What it is doing, to be drawn over it.

    Main thread.
    """

    def __init__(
        self,
        spawn_runtime: SpawnRuntime,
        window: Any,
        opener: WorldOpener,
        name: str,
        sources: Sources,
        settings: StreamingSettings,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self._camera_view = CameraView(window, name)
        self._runtime = WorldRuntime(name, spawn_runtime, opener, sources, settings, clock)
        self._sources = sources
        self._guard = ThreadGuard()
        self._see()
        self.overlay = StreamingOverlay(self, window, clock, self._camera_view)
        self._spawn_runtime = spawn_runtime
        self._has_save = opener.has_save
        self._saving: list[SaveRequest] = []  # those that are looked at in slices

    @classmethod
    def open(
        cls,
        spawn_runtime: SpawnRuntime,
        window: Any,
        world: str | CellSource,
        *,
        name: str | None,
        save: Path | None,
        recover: bool,
        settings: StreamingSettings,
        clock: Callable[[], float],
    ) -> StreamingManager:
        """Begin to open a world; see `PrefabPlugin.open_world`."""
        what = world_id(world) if isinstance(world, str) else world
        if name is None:
            name = what if isinstance(what, str) else type(what).__name__
        opener = WorldOpener(spawn_runtime.loader, what, name, save, recover=recover)
        sources = Sources(settings, _DEFAULT_CELL_SIZE, clock)
        return cls(spawn_runtime, window, opener, name, sources, settings, clock)

    def __repr__(self) -> str:
        state = "closed" if self._runtime.closed else "open" if self._open else "opening"
        return f"<StreamingManager of {shown(self.name)}: {state}, {len(self.live_cells)} cells>"

    # ------------------------------------------------------------------------------------- opening

    @property
    def walls(self) -> Walls:
        """The sprites that things stop at, for physics engines."""
        return self._runtime.walls

    @property
    def _open(self) -> OpenWorld | None:
        return self._runtime.open

    @property
    def is_open(self) -> bool:
        """Whether its content and its save are known; loading begins then."""
        return self._open is not None and not self._runtime.closed

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._runtime.closed

    @property
    def error(self) -> Exception | None:
        """Why it cannot be opened, or None."""
        return self._runtime.error

    def _check(self, what: str) -> None:
        self._guard.check(f"StreamingManager.{what}")
        if self._runtime.closed:
            raise StreamingError(f"the world {shown(self.name)} was closed")

    def _opened_world(self, what: str) -> OpenWorld:
        self._check(what)
        if self._open is None:
            if self.error is not None:
                why = shown_error(self.error)
                raise StreamingError(f"{shown(self.name)} could not be opened: {why}")
            raise StreamingError(f"{shown(self.name)} is being opened: await world.opened() before")
        return self._open

    def opened(self) -> Opened[StreamingManager]:
        """To be awaited: until it is open; gives it.

        Raises:
            ArcadePrefabsError: It cannot be opened; raised where it is awaited.
        """
        return Opened(self._runtime, self)

    # ------------------------------------------------------------------------------------- drawing

    def draw(self, *layers: str, **options: Any) -> None:
        """Draw what the camera in use sees, and the overlay above it, if that is visible.

        Example::

            with self.camera.activate():
                self.world.draw("ground", "things")
                self.player_list.draw()
                self.world.draw("roofs")

        Args:
            layers: Only these, in this order, without the overlay; all, from the bottom to the
                top, if none are named.
            options: As `arcade.SpriteList.draw` takes them: ``pixelated=True``.

        Raises:
            ValueError: No entity so far, and not the world, names such a layer.
        """
        self._check("draw")
        if self._open is not None:
            renderer, parts = self._open.renderer, self._open.parts
            if layers:
                renderer.check(layers)
            box = self._see()
            renderer.draw(parts.live_cells, box, parts.grid.cell_size / 2, layers, options)
        if not layers:
            self.overlay.draw()

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
    def live_cells(self) -> Mapping[GridCell, LiveCell]:
        """All cells that are not unloaded."""
        return MappingProxyType({} if self._open is None else self._open.parts.live_cells)

    def state_at(self, position: Sequence[float]) -> CellState:
        """The state of the cell at a place; `CellState.ACTIVE` if there is nothing in it."""
        parts = self._opened_world("state_at").parts
        cell = parts.grid.cell_at(*checked_position(position))
        live = parts.live_cells.get(cell)
        if live is not None:
            return live.state
        return CellState.UNLOADED if cell in parts.cells else CellState.ACTIVE

    def entity(self, name: str) -> Entity | None:
        """An entity by its name in the world; None if it is not in memory, or not alive."""
        if self._open is None:
            return None
        resident = self._open.parts.population.residents.get(name)
        return None if resident is None else resident.entity

    def id_of(self, entity: Entity) -> str | None:
        """The name of an entity in the world; None if it is not one of the world's."""
        owner = record_of(entity).spawn_task.owner
        return owner.id if isinstance(owner, Resident) else None

    def entities(self) -> Iterator[Entity]:
        """All of its entities that are there."""
        if self._open is not None:
            for live in list(self._open.parts.live_cells.values()):
                if live.active:
                    yield from _alive(live)

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
        for live in self._open.parts.live_cells.values():
            if live.active and box_distance(x, y, live.reach) <= radius + slack:
                for entity in _alive(live):
                    there = entity.position
                    far = math.hypot(there[0] - x, there[1] - y)
                    if far <= radius:
                        found.append((far, len(found), entity))
        return [entity for _, _, entity in sorted(found)]

    def sprite_lists(self, layer: str) -> list[SpriteList[Any]]:
        """The lists of a layer that are there now: for collisions, say. They come and go."""
        if self._open is None:
            return []
        live_cells = self._open.parts.live_cells.values()
        return [one for live in live_cells if live.active for one in live.lists.of(layer)]

    @property
    def failures(self) -> Mapping[str, Failure]:
        """What cannot be there, by the names of entities and the labels of cells."""
        return MappingProxyType({} if self._open is None else self._open.parts.population.failures)

    @property
    def problems(self) -> Mapping[str, str]:
        """What of a save is damaged, or cannot be kept or put back, each told once."""
        return MappingProxyType(
            {} if self._open is None else self._open.parts.population.differ.problems
        )

    @property
    def health(self) -> StreamingHealth:
        """How far around its players it is there."""
        return StreamingHealth.GOOD if self._open is None else self._open.health.state

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
        return 0.0 if self._open is None else self._open.parts.journal.time

    @property
    def busy(self) -> bool:
        """Whether anything is being opened, loaded, built or taken away."""
        if self._runtime.closed or self.error is not None:
            return False
        return self._open is None or self._open.lifecycle.busy or self._sources.changed

    def statistics(self) -> StreamingStatistics:
        """What it is doing."""
        if self._open is None:
            return StreamingStatistics({}, 0, 0, 0, 0, 0.0, 0, 0)
        parts, lifecycle = self._open.parts, self._open.lifecycle
        return StreamingStatistics(
            {state: lifecycle.counts[state] for state in CellState},
            len(parts.population.residents),
            lifecycle.loads,
            lifecycle.unloads,
            parts.memory_budget.used,
            parts.planner.latency.seconds,
            parts.journal.waiting,
            parts.memory_budget.dropped,
        )

    # ------------------------------------------------------------------------------------- sources

    @property
    def player(self) -> StreamingSource:
        """The source that `update_player_position` moves."""
        for one in self._sources:
            if one.name == _PLAYER:
                return one
        return self._sources.add(
            None, name=_PLAYER, weight=1.0, load_distance=None, unload_distance=None
        )

    @property
    def sources(self) -> tuple[StreamingSource, ...]:
        """All for whom it is streamed."""
        return tuple(self._sources)

    def update_player_position(self, position: Sequence[float]) -> None:
        """Say where the player is, in pixels; to be called in every frame.

        A position that is NaN, infinite or farther than 1e9 pixels is logged once, and the player
        stays where it was.

        Raises:
            ValueError, TypeError: That is no pair of numbers.
            StreamingError: The world was closed.
        """
        if self._runtime.closed or not self._guard.here:
            self._check("update_player_position")
        self.player.update(position)

    def add_source(
        self,
        position: Sequence[float] | None = None,
        *,
        name: str = "source",
        weight: float = 1.0,
        load_distance: float | None = None,
        unload_distance: float | None = None,
    ) -> StreamingSource:
        """Stream the world around somebody else, too: a second player, a camera.

        Args:
            position: Where, in pixels; tell it of every move with its ``update``.
            name: For the overlay.
            weight: Its share of loading, where several want cells; the player's is 1.
            load_distance: Pixels around it, if not those of the world.
            unload_distance: Pixels from it, if not those of the world.

        Raises:
            ValueError, TypeError: Something of that makes no sense.
        """
        self._check("add_source")
        return self._sources.add(
            position,
            name=name,
            weight=weight,
            load_distance=load_distance,
            unload_distance=unload_distance,
        )

    @property
    def load_distance(self) -> float:
        """Pixels around a player within which cells are there."""
        return self._sources.load_distance

    @property
    def unload_distance(self) -> float:
        """Pixels from a player beyond which they go."""
        return self._sources.unload_distance

    def set_distances(
        self, load_distance: float | None = None, unload_distance: float | None = None
    ) -> None:
        """Change both while the game runs; None for what belongs to the view.

        Raises:
            ValueError: The second is not larger than the first, or one is not above 0.
        """
        self._check("set_distances")
        self._sources.set_distances(load_distance, unload_distance)

    # -------------------------------------------------------------------------------------- travel

    def preload(
        self,
        area: Any,
        *,
        timeout_s: float | None = 30.0,
        lease_s: float = 10.0,
        on_done: Callable[[PreloadRequest], object] | None = None,
    ) -> PreloadRequest:
        """Have an area there before anybody comes; ``await`` what it gives.

        Args:
            area: (left, bottom, right, top) in pixels, or an `arcade.Rect`.
            timeout_s: Seconds after which that fails; None for never.
            lease_s: Seconds that the area stays at least once it is there.
            on_done: Called with the `PreloadRequest` once it is there, or never will be.

        Raises:
            ValueError, TypeError: That is no area, or no time.
        """
        self._check("preload")
        return self._runtime.preload_requests.begin(
            box_of(area), timeout_s, lease_s, _nothing, on_done
        )

    def teleport(
        self,
        position: Sequence[float],
        *,
        source: StreamingSource | None = None,
        timeout_s: float | None = 30.0,
        lease_s: float = 2.0,
        on_done: Callable[[PreloadRequest], object] | None = None,
    ) -> PreloadRequest:
        """Have the 3 × 3 cells around a far place there, then put a source there.

        Put the player's own sprite there once it is done; the world goes on around the old place
        until then::

            await world.teleport((90_000, 4_000))
            player.position = (90_000, 4_000)

        Args:
            position: Where to, in pixels.
            source: Who; the player if none is given.
            timeout_s: Seconds after which that fails; None for never.
            lease_s: Seconds that the cells stay at least.
            on_done: Called with the `PreloadRequest` once it is done, however that went.

        Raises:
            ValueError, TypeError: That is no place, or no time.
        """
        self._check("teleport")
        x, y = checked_position(position)
        who = self.player if source is None else source
        jump = partial(who.jump, (x, y))
        return self._runtime.preload_requests.begin((x, y), timeout_s, lease_s, jump, on_done)

    # ------------------------------------------------------------------------------------ entities

    def add(
        self,
        prefab: str,
        position: Sequence[float],
        *,
        angle: float = 0.0,
        scale: float | tuple[float, float] = 1.0,
        layer: str | None = None,
        overrides: OverrideMap | None = None,
        name: str | None = None,
        size: tuple[float, float] | None = None,
    ) -> str:
        """Add an entity to the world for good: it is unloaded and saved like all others.

        What is added where the world is not loaded is there as soon as somebody comes near.
        ``despawn`` it to be rid of it.

        Args:
            prefab: Its id, ``props/crate``.
            position: Where, in pixels.
            angle: Clockwise, in degrees.
            scale: One factor, or one for each axis.
            layer: The layer to draw it in; None for that of its prefab.
            overrides: What is its own; see `PrefabPlugin.spawn`.
            name: Its name in the world; a new one by default.
            size: (width, height) in pixels, if it is larger than a cell.

        Returns:
            Its name; `entity` gives the entity, once that is there.

        Raises:
            StreamingError: The world is not open, or has an entity of that name in memory.
            ArcadePrefabsError, ValueError, TypeError: As `PrefabPlugin.spawn`.
        """
        return self._opened_world("add").additions.add(
            prefab,
            position,
            angle=angle,
            scale=scale,
            layer=layer,
            overrides=overrides,
            name=name,
            size=size,
        )

    def on_wake(self, component: type) -> Callable[[WakeHook], WakeHook]:
        """Call a function whenever an entity is there again that was unloaded; a decorator.

        Example::

            @world.on_wake(Crop)
            def grow(entity, crop, slept_s):
                crop.height += slept_s * crop.speed

        It is called on the main thread with the entity, its component, and the seconds of the
        world's time that it slept. Adding it twice for a component has no effect; `remove_hook`
        removes it.

        Raises:
            UnknownNameError: The class is not registered as a component.
        """
        return self._runtime.wake.on_wake(component)

    def remove_hook(self, function: WakeHook) -> None:
        """Call a function of `on_wake` no more, for any component; no error if it is none."""
        self._runtime.wake.remove(function)

    # ------------------------------------------------------------------------------------- saving

    def save(self, *, at_once: bool = False) -> SaveRequest:
        """Save the game; ``await`` what it gives, or ask it.

        What is in memory is looked at in slices within the budget of frames, and written in a
        thread of its own.

        Args:
            at_once: Look at everything in this call, so that it is all of one moment.

        Raises:
            StreamingError: The world was closed, or has no save.
        """
        self._check("save")
        if not self._has_save:
            raise SaveError(f"{self.name} was opened without a save: open_world(..., save=path)")
        request = SaveRequest()
        if self._open is None:
            request.end(0, SaveError(f"{self.name} is not open: nothing was changed"))
        elif at_once:
            self._spawn_runtime.factory.killed.despawn_killed()
            for _ in self._captured(request):
                pass
        else:
            self._saving.append(request)
            self._spawn_runtime.factory.post(self._captured(request), Step("save", _CAPTURED))
        return request

    def _captured(self, request: SaveRequest) -> Steps:
        """Enter everything that is in memory into the ledger, then have it written."""
        assert self._open is not None
        parts = self._open.parts
        population, journal = parts.population, parts.journal
        for number, resident in enumerate(list(population.residents.values()), 1):
            if request.done:  # the world was closed
                return
            if population.residents.get(resident.id) is resident:
                row = population.capture(resident)
                if row is not None:
                    journal.enter(row)
            if number % _CAPTURED == 0:
                yield Step("save", _CAPTURED)
        if request in self._saving:
            self._saving.remove(request)
        if not request.done:
            journal.save(request)

    def close(self, *, save: bool = True, timeout_s: float = 10.0) -> SaveRequest | None:
        """Take the world away, and save it before. Twice is fine.

        Args:
            save: Whether to save; otherwise what happened since the last save is forgotten.
            timeout_s: Seconds to wait for the disk.

        Returns:
            How saving went; None if nothing was to be saved.
        """
        self._guard.check("StreamingManager.close")
        if self._runtime.closed:
            return None
        request: SaveRequest | None = None
        if self._open is not None and save and self._has_save:
            request = self.save(at_once=True)
        self.overlay.unbind()
        self._runtime.end(request, timeout_s)
        waiting, self._saving = self._saving, []
        for one in waiting:  # what they wanted saved is saved by now, or never will be
            if request is None:
                one.end(0, SaveError(f"{self.name} was closed without being saved"))
            else:
                one.end(request.entities, request.error)
        return request

    # ------------------------------------------------------------------------------------- frames

    @property
    def frozen(self) -> bool:
        """Whether nothing is loaded or unloaded any more, to look at it."""
        return self._runtime.frozen

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        self._runtime.frozen = frozen

    def tick(self, delta_time: float) -> None:
        """Do what a frame begins with, whose length is in seconds; called by the plugin."""
        self._runtime.tick(delta_time)

    def add_listener(self, listener: Callable[[CellEvent], object]) -> None:
        """Call something with every `CellEvent`, on the main thread, once in a frame.

        Adding the same function twice has no effect.
        """
        if listener not in self._runtime.listeners:
            self._runtime.listeners.append(listener)

    def remove_listener(self, listener: Callable[[CellEvent], object]) -> None:
        """Call it no more; no error if it was not added."""
        if listener in self._runtime.listeners:
            self._runtime.listeners.remove(listener)

    def add_health_listener(self, listener: Callable[[StreamingHealth], object]) -> None:
        """Call something with the `StreamingHealth` whenever it is another one.

        Adding the same function twice has no effect.
        """
        if listener not in self._runtime.health_listeners:
            self._runtime.health_listeners.append(listener)

    def remove_health_listener(self, listener: Callable[[StreamingHealth], object]) -> None:
        """Call it no more; no error if it was not added."""
        if listener in self._runtime.health_listeners:
            self._runtime.health_listeners.remove(listener)


def _nothing() -> None:
    pass


def _alive(live: LiveCell) -> Iterator[Entity]:
    for resident in list(live.residents.values()):
        entity = resident.entity
        if entity is not None:
            yield entity
