"""`StreamingManager`: a world of any size around its players."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from ..errors import SaveError, shown
from ..frames import Step
from ..frames.main_thread_queue import Steps
from ..spawning.blueprints.overrides import OverrideMap
from ..spawning.spawn_engine import SpawnEngine
from .cells.live_cell import RegionEvent
from .opening import Opening
from .overlay import StreamingOverlay
from .planning.health import Health
from .planning.preload_request import Arrival, box_of
from .planning.streaming_sources import Sources, StreamingSource, checked_position
from .population.wake_hooks import WakeHook
from .saves.change_journal import SaveRequest, Writer
from .settings import StreamingSettings
from .view import WorldView
from .world_runtime import Opened, WorldLoop

__all__ = ["StreamingManager"]

_PLAYER: Final = "player"
# Entities that are looked at in one step of a save, about 0.1 ms.
_CAPTURED: Final = 50


class StreamingManager(WorldView):
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
        walls: The sprites that things stop at, for physics engines.
        overlay: What it is doing, to be drawn over it.

    Main thread.
    """

    def __init__(
        self,
        engine: SpawnEngine,
        window: Any,
        opening: Opening,
        name: str,
        sources: Sources,
        settings: StreamingSettings,
        clock: Callable[[], float],
        writer: Writer | None = None,
    ) -> None:
        loop = WorldLoop(name, engine, opening, sources, settings, clock, writer)
        super().__init__(name, window, loop, sources)
        self.overlay = StreamingOverlay(self, window, clock, self._camera_view)
        self._engine = engine
        self._has_save = opening.has_save
        self._saving: list[SaveRequest] = []  # those that are looked at in slices

    def __repr__(self) -> str:
        state = "closed" if self._loop.closed else "open" if self._open else "opening"
        return f"<StreamingManager of {shown(self.name)}: {state}, {len(self.regions)} cells>"

    # ------------------------------------------------------------------------------------- opening

    def opened(self) -> Opened[StreamingManager]:
        """To be awaited: until it is open; gives it.

        Raises:
            ArcadePrefabsError: It cannot be opened; raised where it is awaited.
        """
        return Opened(self._loop, self)

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
        super().draw(*layers, **options)
        if not layers:
            self.overlay.draw()

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
        if self._loop.closed or not self._guard.here:
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
        on_done: Callable[[Arrival], object] | None = None,
    ) -> Arrival:
        """Have an area there before anybody comes; ``await`` what it gives.

        Args:
            area: (left, bottom, right, top) in pixels, or an `arcade.Rect`.
            timeout_s: Seconds after which that fails; None for never.
            lease_s: Seconds that the area stays at least once it is there.
            on_done: Called with the `Arrival` once it is there, or never will be.

        Raises:
            ValueError, TypeError: That is no area, or no time.
        """
        self._check("preload")
        return self._loop.journeys.begin(box_of(area), timeout_s, lease_s, _nothing, on_done)

    def teleport(
        self,
        position: Sequence[float],
        *,
        source: StreamingSource | None = None,
        timeout_s: float | None = 30.0,
        lease_s: float = 2.0,
        on_done: Callable[[Arrival], object] | None = None,
    ) -> Arrival:
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
            on_done: Called with the `Arrival` once it is done, however that went.

        Raises:
            ValueError, TypeError: That is no place, or no time.
        """
        self._check("teleport")
        x, y = checked_position(position)
        who = self.player if source is None else source
        jump = partial(who.jump, (x, y))
        return self._loop.journeys.begin((x, y), timeout_s, lease_s, jump, on_done)

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
        world's time that it slept.

        Raises:
            UnknownNameError: The class is not registered as a component.
        """
        return self._loop.wake.on_wake(component)

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
            for _ in self._captured(request):
                pass
        else:
            self._saving.append(request)
            self._engine.factory.post(self._captured(request), Step("save", _CAPTURED))
        return request

    def _captured(self, request: SaveRequest) -> Steps:
        """Enter everything that is in memory into the ledger, then have it written."""
        assert self._open is not None
        parts = self._open.parts
        population, ledger = parts.population, parts.ledger
        for number, resident in enumerate(list(population.residents.values()), 1):
            if request.done:  # the world was closed
                return
            if population.residents.get(resident.id) is resident:
                row = population.capture(resident)
                if row is not None:
                    ledger.enter(row)
            if number % _CAPTURED == 0:
                yield Step("save", _CAPTURED)
        if request in self._saving:
            self._saving.remove(request)
        if not request.done:
            ledger.save(request)

    def close(self, *, save: bool = True, timeout_s: float = 10.0) -> SaveRequest | None:
        """Take the world away, and save it before. Twice is fine.

        Args:
            save: Whether to save; otherwise what happened since the last save is forgotten.
            timeout_s: Seconds to wait for the disk.

        Returns:
            How saving went; None if nothing was to be saved.
        """
        self._guard.check("StreamingManager.close")
        if self._loop.closed:
            return None
        request: SaveRequest | None = None
        if self._open is not None and save and self._has_save:
            request = self.save(at_once=True)
        self.overlay.unbind()
        self._loop.end(request, timeout_s)
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
        return self._loop.frozen

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        self._loop.frozen = frozen

    def tick(self, delta_time: float) -> None:
        """Do what a frame begins with, whose length is in seconds; called by the plugin."""
        self._loop.tick(delta_time)

    def add_listener(self, listener: Callable[[RegionEvent], object]) -> None:
        """Call something with every `RegionEvent`, on the main thread, once in a frame."""
        self._loop.listeners.append(listener)

    def add_health_listener(self, listener: Callable[[Health], object]) -> None:
        """Call something with the `Health` whenever it is another one."""
        self._loop.health_listeners.append(listener)

    def remove_listener(self, listener: Callable[..., object]) -> None:
        """Call no more what `add_listener` or `add_health_listener` was given."""
        for listeners in (self._loop.listeners, self._loop.health_listeners):
            while listener in listeners:
                listeners.remove(listener)


def _nothing() -> None:
    pass
