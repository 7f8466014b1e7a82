"""`StreamingManager`: a streamed world, as the game sees it.

**The problem.** A game should need two calls: where the player is, and draw. But it may also ask
for entities while the world is being opened, save while cells are being built, or close the world
in a callback; and what it asks for must not depend on which cell is in which state.

**The way taken.** This class is the game's side only. It checks the thread and the arguments,
answers for a world that is not open yet, and passes calls on: to `WorldRuntime`, which has the life
of the world, and through it to the parts of the open world. Everything that works in frames is
there; what is here may be called at any time on the main thread. Whatever takes long returns an
awaitable (`opened`, `preload`, `teleport`, `save`).

**The ways rejected.** *The runtime's methods on this class*: games would call `tick`, and see
thirty methods more. *Handing the parts out*: each change inside would break games. *An object of
its own for an open world, returned by `await`*: a game would have to keep two, and guard each call.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
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
from .cells.live_cell import CellEvent, CellState, CellStatus, LiveCell, Resident
from .opening import OpenWorld, WorldOpener
from .overlay import StreamingOverlay
from .planning.health import StreamingHealth
from .planning.preload_request import PreloadRequest, box_of
from .planning.streaming_sources import Sources, StreamingSource, checked_position
from .population.residents import StreamingFailure
from .population.wake_hooks import WakeHook
from .renderer import CameraView
from .saves.change_journal import SaveRequest
from .settings import StreamingSettings
from .world_runtime import Opened, WorldRuntime

__all__ = ["StreamingManager", "StreamingStatistics"]

_PLAYER: Final = "player"
# Pixels, as long as the world is not open: the cell size of worlds that do not name one.
_DEFAULT_CELL_SIZE: Final = 1024.0
# Entities that are compared with the world's data in one step of a save, about 0.1 ms.
_CAPTURED: Final = 50


class StreamingStatistics(NamedTuple):
    """Counts, bytes and times of a streamed world at one moment.

    Attributes:
        live_cells: How many cells are in each state.
        entities: World entities in memory.
        loads: Loads of cells that have begun so far.
        unloads: Cells that were unloaded so far after they were built.
        bytes: Bytes of memory that cells take, see ``memory_limit`` of `StreamingSettings`.
        latency_s: Seconds that a cell takes from the demand for it until it is active, averaged.
        unsaved: Changed entities that are not written yet.
        left_out: Wanted cells that memory has no room for.
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
    """A streamed world: the cells near its sources are loaded, drawn, saved and unloaded.

    `PrefabPlugin.open_world` makes it, and the plugin does its work in each frame. The game reports
    the player's position, and draws the world.

    Example::

        self.world = self.prefabs.open_world("worlds/valley.ron", save="slot1.sqlite")

        def on_update(self, delta_time):
            self.world.update_player_position(self.player.position)

        def on_draw(self):
            self.clear()
            with self.camera.activate():
                self.world.draw()

    Attributes:
        name: The name in save files: by default the world's id, or the name of the class of its
            cell source.
        overlay: The streaming overlay, for debugging.

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
        self._saving: list[SaveRequest] = []  # saves whose entities are being captured in steps

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
        """Begins to open a world, for `PrefabPlugin.open_world`."""
        what = world_id(world) if isinstance(world, str) else world
        if name is None:
            name = what if isinstance(what, str) else type(what).__name__
        sources = Sources(settings, _DEFAULT_CELL_SIZE, clock)
        opener = WorldOpener(
            spawn_runtime,
            what,
            name,
            save,
            recover=recover,
            settings=settings,
            sources=sources,
            clock=clock,
        )
        return cls(spawn_runtime, window, opener, name, sources, settings, clock)

    def __repr__(self) -> str:
        state = "closed" if self._runtime.closed else "open" if self._open else "opening"
        return f"<StreamingManager of {shown(self.name)}: {state}, {len(self.live_cells)} cells>"

    # ------------------------------------------------------------------------------------- opening

    @property
    def walls(self) -> Walls:
        """The solid sprites of all active cells, for physics engines."""
        return self._runtime.walls

    @property
    def _open(self) -> OpenWorld | None:
        return self._runtime.open

    @property
    def is_open(self) -> bool:
        """Whether the world and its save file were read, and the world is not closed.

        Cells are loaded while this is true.
        """
        return self._open is not None and not self._runtime.closed

    @property
    def closed(self) -> bool:
        """Whether the world was closed."""
        return self._runtime.closed

    @property
    def error(self) -> Exception | None:
        """Why the world cannot be opened, or None."""
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

    def opened(self) -> Awaitable[StreamingManager]:
        """Returns an awaitable that waits until the world is open, and returns the world.

        Raises:
            ArcadePrefabsError: The world cannot be opened; raised by ``await``.
        """
        return Opened(self._runtime, self)

    # ------------------------------------------------------------------------------------- drawing

    def draw(self, *layers: str, **options: Any) -> None:
        """Draws what the current camera sees, and above it the overlay, if that is visible.

        While the world is being opened, it draws no entities.

        Example::

            with self.camera.activate():
                self.world.draw("ground", "things")
                self.player_list.draw()
                self.world.draw("roofs")

        Args:
            layers: The layers to draw, in this order, without the overlay; by default all layers,
                the bottom one first.
            options: Passed on to `arcade.SpriteList.draw`, such as ``pixelated=True``.

        Raises:
            ValueError: Neither the world nor any entity so far has such a layer.
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
        """Measures what the camera shows; the default load distance follows it."""
        box = self._camera_view.measure()
        self._sources.see(math.hypot(box[2] - box[0], box[3] - box[1]) / 2)
        return box

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers so far, the bottom one first."""
        return () if self._open is None else self._open.renderer.layers

    def show_layer(self, layer: str, visible: bool = True) -> None:
        """Shows or hides a layer, which need not exist yet.

        Entities of a hidden layer are alive as usual.

        Raises:
            StreamingError: The world is not open.
        """
        hidden = self._opened_world("show_layer").renderer.hidden
        if visible:
            hidden.discard(layer)
        else:
            hidden.add(layer)

    # ------------------------------------------------------------------------------------- queries

    @property
    def live_cells(self) -> Mapping[GridCell, CellStatus]:
        """All cells that are not `UNLOADED`, each with what is known of it."""
        return MappingProxyType({} if self._open is None else self._open.parts.live_cells)

    def state_at(self, position: Sequence[float]) -> CellState:
        """Returns the state of the cell at a position; `ACTIVE` for one without entities.

        Raises:
            StreamingError: The world is not open.
            ValueError: A number is NaN or infinite.
            TypeError: `position` is no sequence of numbers.
        """
        parts = self._opened_world("state_at").parts
        cell = parts.grid.cell_at(*checked_position(position))
        live = parts.live_cells.get(cell)
        if live is not None:
            return live.state
        return CellState.UNLOADED if cell in parts.cells else CellState.ACTIVE

    def entity(self, name: str) -> Entity | None:
        """Returns an entity by its id in the world; None if it is not in memory, or not alive."""
        if self._open is None:
            return None
        resident = self._open.parts.population.residents.get(name)
        return None if resident is None else resident.entity

    def id_of(self, entity: Entity) -> str | None:
        """Returns an entity's id in the world; None for one of no world."""
        owner = record_of(entity).spawn_task.owner
        return owner.id if isinstance(owner, Resident) else None

    def entities(self) -> Iterator[Entity]:
        """Yields all living entities of active cells."""
        if self._open is not None:
            for live in list(self._open.parts.live_cells.values()):
                if live.active:
                    yield from _alive(live)

    def entities_near(self, position: Sequence[float], radius: float) -> list[Entity]:
        """Returns the living entities within a radius of a position, the nearest first.

        Raises:
            ValueError: A number is NaN or infinite, or the radius is negative.
            TypeError: `position` is no sequence of numbers.
        """
        x, y = checked_position(position)
        if not (radius >= 0 and math.isfinite(radius)):
            raise ValueError(f"a radius must not be negative, and finite, not {radius}")
        if self._open is None:
            return []
        found: list[tuple[float, int, Entity]] = []
        slack = self._open.parts.grid.cell_size / 2  # for entities that have just left their cell
        for live in self._open.parts.live_cells.values():
            if live.active and box_distance(x, y, live.reach) <= radius + slack:
                for entity in _alive(live):
                    there = entity.position
                    far = math.hypot(there[0] - x, there[1] - y)
                    if far <= radius:
                        found.append((far, len(found), entity))
        return [entity for _, _, entity in sorted(found)]

    def sprite_lists(self, layer: str) -> list[SpriteList[Any]]:
        """Returns the sprite lists of a layer in all active cells, for collision checks.

        The lists come and go with their cells: ask again in each frame.
        """
        if self._open is None:
            return []
        live_cells = self._open.parts.live_cells.values()
        return [one for live in live_cells if live.active for one in live.lists.of(layer)]

    @property
    def failures(self) -> Mapping[str, StreamingFailure]:
        """What cannot be loaded, by the ids of entities and the labels of cells."""
        return MappingProxyType({} if self._open is None else self._open.parts.population.failures)

    @property
    def problems(self) -> Mapping[str, str]:
        """What of the save file is damaged, or cannot be saved or restored; with the reasons."""
        return MappingProxyType(
            {} if self._open is None else self._open.parts.population.differ.problems
        )

    @property
    def health(self) -> StreamingHealth:
        """Whether the world keeps up with its sources."""
        return StreamingHealth.GOOD if self._open is None else self._open.health.state

    @property
    def readiness(self) -> float:
        """The part of the load distance that is loaded, 0 to 1, of the source that has least."""
        return 1.0 if self._open is None else self._open.health.ratio

    @property
    def pace(self) -> float:
        """The factor for the speed of players, 0 to 1; see ``on_slow`` of `StreamingSettings`."""
        return 1.0 if self._open is None else self._open.health.pace

    @property
    def time(self) -> float:
        """Seconds for which the world was played, in all sessions with its save file."""
        return 0.0 if self._open is None else self._open.parts.journal.time

    @property
    def busy(self) -> bool:
        """Whether the world is being opened, or any cell loaded, built or unloaded."""
        if self._runtime.closed or self.error is not None:
            return False
        return self._open is None or self._open.lifecycle.busy or self._sources.changed

    def statistics(self) -> StreamingStatistics:
        """Returns counts, bytes and times of the world; all are 0 or empty until it is open."""
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
        """The streaming source that `update_player_position` moves."""
        for one in self._sources:
            if one.name == _PLAYER:
                return one
        return self._sources.add(
            None, name=_PLAYER, weight=1.0, load_distance=None, unload_distance=None
        )

    @property
    def sources(self) -> tuple[StreamingSource, ...]:
        """All streaming sources."""
        return tuple(self._sources)

    def update_player_position(self, position: Sequence[float]) -> None:
        """Reports the player's position in pixels; the game calls this in every frame.

        A position that is NaN, infinite or farther than 1e9 pixels is logged once, and the player
        stays where it was.

        Raises:
            ValueError: `position` has not got two numbers.
            TypeError: `position` is no sequence of numbers.
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
        """Adds a streaming source: a second player, a camera.

        Args:
            position: Its position in pixels; report each move with the source's ``update``. If
                None, no cells are loaded for it until the first ``update``.
            name: The name that the overlay shows.
            weight: Its share of loads, compared with other sources that wait for cells; the
                player's is 1.
            load_distance: Its own load distance in pixels; None for the world's.
            unload_distance: Its own unload distance in pixels; None for the world's.

        Raises:
            ValueError: A number is out of its range.
            TypeError: Something is no number.
            StreamingError: The world was closed.
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
        """The load distance of sources that have none of their own, in pixels."""
        return self._sources.load_distance

    @property
    def unload_distance(self) -> float:
        """The unload distance of sources that have none of their own, in pixels."""
        return self._sources.unload_distance

    def set_distances(
        self, load_distance: float | None = None, unload_distance: float | None = None
    ) -> None:
        """Sets the distances of all sources that have none of their own.

        Args:
            load_distance: The load distance in pixels; None for the default, which follows the
                view.
            unload_distance: The unload distance in pixels; None for the default, which follows the
                load distance.

        Raises:
            ValueError: The unload distance is not larger, or a distance is not above 0 and finite.
            StreamingError: The world was closed.
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
        """Loads an area before a source is there; ``await`` the returned request.

        A request for more than 10,000 cells fails with a `PreloadError`.

        Args:
            area: (left, bottom, right, top) in pixels, or an `arcade.Rect`.
            timeout_s: Seconds after which the request fails; None for never.
            lease_s: The least seconds for which the area stays loaded after the request is done.
            on_done: Called with the `PreloadRequest` once it is done or has failed.

        Raises:
            ValueError: A number is NaN or infinite, the sides of the area are in another order, or
                a time is negative.
            TypeError: `area` is no area.
            StreamingError: The world was closed.
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
        """Loads the 3 × 3 cells around a distant position, then moves a source there.

        Cells around the old position stay loaded until the request is done. Then the game moves the
        player's sprite itself::

            await world.teleport((90_000, 4_000))
            player.position = (90_000, 4_000)

        Args:
            position: The destination in pixels.
            source: The source to move; the player if none is given.
            timeout_s: Seconds after which the request fails; None for never.
            lease_s: The least seconds for which the cells stay loaded after the request is done.
            on_done: Called with the `PreloadRequest` once it is done or has failed.

        Raises:
            ValueError: A number is NaN or infinite, or a time is negative.
            TypeError: `position` is no sequence of numbers.
            StreamingError: The world was closed.
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
        """Adds an entity to the world for good: it is unloaded and saved like all others.

        If its cell is not loaded, the entity is built once a source comes near. ``despawn`` removes
        it for good.

        Args:
            prefab: The id of its prefab, such as ``props/crate``.
            position: Its position in pixels.
            angle: Degrees clockwise.
            scale: One factor, or one for each axis.
            layer: The layer to draw it in; None for that of its prefab.
            overrides: Component fields of its own, see `PrefabPlugin.spawn`.
            name: Its id in the world, which does not begin with ``~`` or ``+``; a new one by
                default.
            size: (width, height) in pixels, if it is larger than a cell.

        Returns:
            Its id; `entity` returns the entity once it is alive.

        Raises:
            StreamingError: The world is not open, or has an entity of that id in memory.
            ArcadePrefabsError: As `PrefabPlugin.spawn`.
            ValueError: As `PrefabPlugin.spawn`.
            TypeError: As `PrefabPlugin.spawn`.
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
        """Registers a function for entities that are loaded again after their cell was unloaded.

        Example::

            @world.on_wake(Crop)
            def grow(entity, crop, slept_s):
                crop.height += slept_s * crop.speed

        The function is called on the main thread with the entity, its component, and the seconds of
        the world's time for which the entity was unloaded. Registering it twice for a component has
        no effect; `remove_hook` removes it.

        Raises:
            UnknownNameError: The class is not registered as a component.
        """
        return self._runtime.wake.on_wake(component)

    def remove_hook(self, function: WakeHook) -> None:
        """Removes a function of `on_wake` from all components; does nothing for others."""
        self._runtime.wake.remove(function)

    # ------------------------------------------------------------------------------------- saving

    def save(self, *, at_once: bool = False) -> SaveRequest:
        """Saves all changes of the world; ``await`` the returned request, or read its ``done``.

        The main thread collects the changes of entities in steps, within the budget of frames; then
        a thread of its own writes the save file. If the world is not open yet, the request fails
        with a `SaveError`.

        Args:
            at_once: Whether to collect all changes in this call: the save is then the state of one
                moment, and the call may take longer than a frame.

        Raises:
            StreamingError: The world was closed.
            SaveError: The world was opened without ``save``.
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
        """Enters the changes of all residents into the change journal, and saves that."""
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
        """Saves and closes the world. A second call does nothing.

        Args:
            save: Whether to save; if not, changes since the last save are discarded.
            timeout_s: The most seconds to wait until the save file is written.

        Returns:
            The request of this save, which has ended. If it failed, that is logged, and the
            request's ``error`` says why. None if nothing is saved: ``save`` is False, or the world
            has no save file, was not open yet, or was closed before.
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
        for one in waiting:  # they end with the save of this call, or without one
            if request is None:
                one.end(0, SaveError(f"{self.name} was closed without being saved"))
            else:
                one.end(request.entities, request.error)
        return request

    # ------------------------------------------------------------------------------------- frames

    @property
    def frozen(self) -> bool:
        """Whether loading and unloading are suspended, for debugging; may be set."""
        return self._runtime.frozen

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        self._runtime.frozen = frozen

    def tick(self, delta_time: float) -> None:
        """Does the world's work at the beginning of a frame; called by the plugin.

        Args:
            delta_time: Seconds since the last frame.
        """
        self._runtime.tick(delta_time)

    def add_listener(self, listener: Callable[[CellEvent], object]) -> None:
        """Calls a function with every `CellEvent`, on the main thread, once in a frame.

        Adding the same function twice has no effect.
        """
        if listener not in self._runtime.listeners:
            self._runtime.listeners.append(listener)

    def remove_listener(self, listener: Callable[[CellEvent], object]) -> None:
        """Removes a function that `add_listener` was given; does nothing for another one."""
        if listener in self._runtime.listeners:
            self._runtime.listeners.remove(listener)

    def add_health_listener(self, listener: Callable[[StreamingHealth], object]) -> None:
        """Calls a function with the new `StreamingHealth`, on the main thread, when it changes.

        Adding the same function twice has no effect.
        """
        if listener not in self._runtime.health_listeners:
            self._runtime.health_listeners.append(listener)

    def remove_health_listener(self, listener: Callable[[StreamingHealth], object]) -> None:
        """Removes a function that `add_health_listener` was given; does nothing for another one."""
        if listener in self._runtime.health_listeners:
            self._runtime.health_listeners.remove(listener)


def _nothing() -> None:
    pass


def _alive(live: LiveCell) -> Iterator[Entity]:
    for resident in list(live.residents.values()):
        entity = resident.entity
        if entity is not None:
            yield entity
