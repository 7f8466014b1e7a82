"""`PrefabPlugin`: the plugin of one Arcade window; spawns, loads, streams and measures."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import get_ident
from typing import Any, Final, TypeVar, Unpack

import arcade
import pyglet
from arcade import Scene

from ..errors import PluginError
from ..frames import DrainReport, Script
from ..loading import Batch, Handle, Priority
from ..monitor import FrameMonitor, FrameReport, Phase
from ..monitor.blame import STREAMING
from ..monitor.frame_graph import FrameGraph
from ..spawning.blueprints.overrides import OverrideMap
from ..spawning.entities.entity import Entity
from ..spawning.instances.instance_group import InstanceGroup
from ..spawning.instances.rows import Positions, checked_transforms
from ..spawning.layers import SpawnScene
from ..spawning.spawn_runtime import SpawnRuntime
from ..spawning.walls import Walls
from ..streaming.cells.cell_providers import CellSource
from ..streaming.settings import StreamingOptions, StreamingSettings, chosen_settings
from ..streaming.streaming_manager import StreamingManager
from ..window.current_window import made_current, require_current
from ..window.events import WindowEvents
from ..window.frame_hooks import FrameHooks
from ..window.thread_guard import ThreadGuard
from .memory_report import MemoryReport, report_memory
from .window_frames import WindowFrames, wanted_rate

__all__ = ["ATTRIBUTE", "PrefabPlugin"]

_T = TypeVar("_T")

# The attribute of a window that holds its plugin, so that the plugin lives as long as the window.
ATTRIBUTE: Final = "_arcade_prefabs_plugin"


class PrefabPlugin:
    """Loads assets, spawns entities and opens worlds in one window; made by `attach`.

    While it is enabled, the plugin does its work in every frame by itself; `enable` and `disable`
    are those of Arcade's `UIManager`. The game draws: `draw` draws the plugin's own scene, and what
    was spawned into another scene is drawn with that.

    The plugin dispatches events to the window and its view, which may define these methods:

    - ``on_prefab_ready(prefab_id)``: a prefab was loaded.
    - ``on_prefab_failed(prefab_id, error)``: a prefab cannot be loaded or spawned, or a file that
      was changed cannot be baked.
    - ``on_prefab_reloaded(prefab_id)``: hot reload has loaded a prefab, or a dependency of it,
      again.
    - ``on_frame_hitch(hitch)``: a frame came late.

    Attributes:
        window: The window.
        pipeline: Bakes the assets.
        loader: Loads the assets.
        atlas: The texture atlas; None if this version of Arcade lets nobody replace its own.
        entities: The living entities.
        report: The main-thread jobs that ran in the last frame; None before the first frame.
        monitor: Measures the frames, and finds what made a frame late.
        frame_graph: Draws the frame times: ``frame_graph.bind()`` and ``frame_graph.draw()``.

    Main thread, except for `call` and `load`.
    """

    def __init__(
        self,
        window: arcade.Window,
        spawn_runtime: SpawnRuntime,
        undo: ExitStack,
        clock: Callable[[], float],
        monitor: FrameMonitor | None = None,
    ) -> None:
        self.window = window
        self.pipeline = spawn_runtime.pipeline
        self.loader = spawn_runtime.loader
        self.atlas = spawn_runtime.atlas
        self.entities = spawn_runtime.entities
        self.report: DrainReport | None = None
        self._guard = ThreadGuard()
        self._undo = undo
        self._closed = False
        self._clock = clock
        self._worlds: list[StreamingManager] = []
        self._spawn_runtime = spawn_runtime
        self._factory = spawn_runtime.factory
        events = WindowEvents(window)
        spawn_runtime.loader.add_listener(events.heard)
        spawn_runtime.factory.on_failure = events.spawn_failed
        self._hooks = FrameHooks(
            window,
            tick=self._tick,
            end_frame=self._end_frame,
            closed=self._close,
            clock=clock,
        )
        undo.callback(self._hooks.detach)
        # Wraps the window last, and so outermost: it measures the other wrappers, too.
        self.monitor = FrameMonitor(wanted_rate(window)) if monitor is None else monitor
        frames = WindowFrames(window, self.monitor, follow_rate=monitor is None)
        undo.callback(frames.detach)
        self._last_facts: dict[str, float] | None = None
        self.frame_graph = FrameGraph(self.monitor, window)
        undo.callback(self.frame_graph.unbind)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "enabled" if self.enabled else "disabled"
        return f"<PrefabPlugin of {self.pipeline!r}: {state}, {len(self.entities)} entities>"

    # -------------------------------------------------------------------------------------- spawn

    def spawn(
        self,
        prefab: str | Handle[Any],
        position: tuple[float, float] = (0.0, 0.0),
        *,
        angle: float = 0.0,
        scale: float | tuple[float, float] = 1.0,
        overrides: OverrideMap | None = None,
        scene: SpawnScene | None = None,
        priority: Priority = Priority.NORMAL,
        progressive: bool = False,
    ) -> Entity:
        """Spawns an entity of a prefab, and returns the entity at once.

        If the prefab is loaded and small, the entity is alive at once. Otherwise it appears in a
        later frame, as soon as all of it is loaded; ``await`` the entity, or read its ``alive``. A
        script or asyncio task that is cancelled while it awaits the entity cancels the spawn.
        If it cannot be spawned, nothing of it is shown, its ``error`` is set, a warning is logged,
        and ``on_prefab_failed`` is dispatched.

        Args:
            prefab: The id of the prefab, such as ``props/crate``, or a handle.
            position: x and y, in pixels.
            angle: The clockwise rotation, in degrees.
            scale: One factor, or one for each axis.
            overrides: Component fields that replace those of the prefab:
                ``{"Health": {"max": 5}}``; of a child behind its name:
                ``{"lamp/Light": {"radius": 90}}``. Or whole components: ``[Health(max=5)]``.
            scene: Where the sprites are added: an `arcade.Scene`, to its sprite lists that have the
                names of the prefab's layers; one `arcade.SpriteList`, whatever the layers; a
                mapping of layers' names to sprite lists; None for the plugin's own `scene`.
            priority: The urgency of loading the prefab.
            progressive: Whether children appear one by one as they are loaded, instead of all
                together.

        Raises:
            UnsafePathError: The id is not a path below the assets folder, or is that of an image,
                a sound, a Tiled map or another file; the message says how to use such a file.
            UnknownNameError: An override names a component or a field that does not exist.
            ValueError: ``position``, ``angle`` or ``scale`` is not finite.
            TypeError: ``scene`` is none of the types above.
            PluginError: The plugin was closed.
            WrongThreadError: The call comes from another thread than the main thread.
        """
        if self._closed or get_ident() != self._guard.thread:
            self._check("spawn")
        require_current(self.window, "PrefabPlugin.spawn")
        return self._factory.spawn(
            prefab, position, angle, scale, overrides, scene, priority, progressive
        )

    def spawn_async(
        self,
        prefab: str | Handle[Any],
        position: tuple[float, float] = (0.0, 0.0),
        **options: Any,
    ) -> Coroutine[Any, Any, Entity]:
        """Returns a coroutine that spawns an entity; ``await spawn(...)`` replaces it in 1.0."""
        warnings.warn(
            "spawn_async goes with 1.0: `await prefabs.spawn(...)` gives the entity as well",
            DeprecationWarning,
            stacklevel=2,
        )
        return _awaited(self.spawn(prefab, position, **options))

    def spawn_many(
        self,
        prefab: str | Handle[Any],
        positions: Positions,
        *,
        angle: float | Sequence[float] = 0.0,
        scale: float | Sequence[float] = 1.0,
        priority: Priority = Priority.NORMAL,
    ) -> InstanceGroup:
        """Spawns many entities of one prefab as cheap instances, and returns their group at once.

        An instance is drawn like any other entity, but has no Python object, and costs a fiftieth.
        It is promoted to an entity like any other once the game asks for it: through the group,
        through `entities`, or by a collision with one of `InstanceGroup.sprites`. All of them
        appear together, once the prefab and its textures are loaded; see `InstanceGroup.alive`.

        Prefabs with ``on_spawn`` or ``on_first_spawn`` hooks, texts, animations or a sprite class
        of the game cannot be instances: their entities are spawned one by one, within the budget of
        frames.

        Example::

            coins = prefabs.spawn_many("props/coin", [(x, 100) for x in range(0, 30_000, 30)])

        Args:
            prefab: The id of the prefab, such as ``props/coin``, or a handle.
            positions: (x, y) of each entity, in pixels; or an array of numbers, x and y in turn:
                anything with the buffer protocol, such as `array.array` or a numpy array of shape
                (n, 2).
            angle: The clockwise rotation, in degrees: one number for all, or one for each.
            scale: One factor for all, or one for each; the same for both axes.
            priority: The urgency of loading the prefab.

        Raises:
            UnsafePathError: As `spawn`.
            ValueError: A number is missing, NaN or infinite.
            TypeError: Something is no number.
            PluginError: The plugin was closed.
            WrongThreadError: The call comes from another thread than the main thread.
        """
        self._check("spawn_many")
        require_current(self.window, "PrefabPlugin.spawn_many")
        where = checked_transforms(positions, angle, scale)
        return self._factory.spawn_many(prefab, where, priority)

    def despawn(self, entity: Entity) -> None:
        """Despawns an entity with all of its parts. May be called twice."""
        self._check("despawn")
        entity.despawn()

    def clear(self) -> None:
        """Despawns all entities and cancels all spawns of the game; entities of worlds stay."""
        self._check("clear")
        self._factory.clear()

    @property
    def scene(self) -> Scene:
        """The plugin's own scene, which takes the sprites of spawns without a ``scene``."""
        return self._spawn_runtime.layers.scene

    @property
    def walls(self) -> Walls:
        """The solid sprites, for physics engines; those of a world are in its own `walls`."""
        return self._factory.walls

    def draw(self, **options: Any) -> None:
        """Draws the plugin's own scene, with the options of `arcade.Scene.draw`."""
        self._check("draw")
        require_current(self.window, "PrefabPlugin.draw")
        self._spawn_runtime.layers.draw(**options)

    # ------------------------------------------------------------------------------------- worlds

    def open_world(
        self,
        world: str | CellSource,
        *,
        name: str | None = None,
        save: str | os.PathLike[str] | None = None,
        recover: bool = True,
        settings: StreamingSettings | None = None,
        **options: Unpack[StreamingOptions],
    ) -> StreamingManager:
        """Opens a world, and returns its manager at once; the world streams around its sources.

        The world is opened in the background; see `StreamingManager.opened`. Changes that the game
        makes to the world are kept as long as it is open, and with ``save`` in a save file.

        Args:
            world: The id of a world, such as ``worlds/valley.ron``, or a `CellSource`.
            name: The name of the world in save files; by default its id, or the name of the class
                of the cell source.
            save: The save file, such as ``~/saves/slot1.sqlite``. The first save makes the file;
                its folder is made at once.
            recover: Whether changes after the last save are restored if the game ended without
                closing the world; otherwise they are dropped.
            settings: The settings of streaming; by default `StreamingSettings()`.
            options: Fields of `StreamingSettings` that override ``settings``, such as
                ``load_distance=1500``.

        Raises:
            ValueError: A setting is out of its range.
            TypeError: A setting does not exist or has a wrong type, or ``world`` is neither an id
                nor a cell source.
            UnsafePathError: The id is not a path below the assets folder.
            PluginError: The plugin was closed.
            WrongThreadError: The call comes from another thread than the main thread.
        """
        self._check("open_world")
        require_current(self.window, "PrefabPlugin.open_world")
        opened = StreamingManager.open(
            self._spawn_runtime,
            self.window,
            world,
            name=name,
            save=None if save is None else Path(save),
            recover=recover,
            settings=chosen_settings(settings, options),
            clock=self._clock,
        )
        self._worlds.append(opened)
        return opened

    @property
    def worlds(self) -> tuple[StreamingManager, ...]:
        """The worlds that are open, or being opened."""
        return tuple(world for world in self._worlds if not world.closed)

    # --------------------------------------------------------------------------------------- load

    def load(
        self,
        identifier: str,
        *,
        priority: Priority = Priority.NORMAL,
        on_done: Callable[[Handle[Any]], None] | None = None,
    ) -> Handle[Any]:
        """Loads an asset in the background, and returns its handle at once. Any thread.

        See `AsyncPrefabLoader.load`, which takes a time-out and import settings, too. Keep the
        handle: if the last handle of an asset is dropped, its load is cancelled.

        Raises:
            UnsafePathError: The identifier is not a path below the assets folder.
            PluginError: The plugin was closed.
        """
        self._check_open()
        return self.loader.load(identifier, priority=priority, on_done=on_done)

    def load_many(
        self, identifiers: Iterable[str], *, priority: Priority = Priority.NORMAL
    ) -> Batch:
        """Loads many assets in the background, and returns all of their handles as one `Batch`."""
        self._check("load_many")
        return self.loader.load_many(identifiers, priority=priority)

    def load_folder(
        self, folder: str = "", *, kind: str = "prefab", priority: Priority = Priority.NORMAL
    ) -> Batch:
        """Loads all assets of one kind below a folder; see `AsyncPrefabLoader.load_folder`."""
        self._check("load_folder")
        return self.loader.load_folder(folder, kind=kind, priority=priority)

    def start(self, coroutine: Coroutine[Any, Any, _T], *, name: str = "") -> Script[_T]:
        """Starts a coroutine as a script on the main thread, within the budget of frames.

        It runs from the next frame on; see `Script` for what it may await.
        """
        self._check("start")
        return self.loader.start(coroutine, name=name)

    def call(self, function: Callable[[], object]) -> None:
        """Calls a function later on the main thread, within the budget of a frame. Any thread.

        Raises:
            QueueFullError: 20,000 calls wait already.
            PluginError: The plugin was closed.
        """
        self._check_open()
        self.loader.queue.submit(function, kind="call")

    @property
    def budget_ms(self) -> float:
        """The most milliseconds of a frame that the plugin takes; a loading screen may raise it.

        Raises:
            ValueError: It is set to 0 or less, or to 1000 or more.
        """
        return self._spawn_runtime.budget_ms

    @budget_ms.setter
    def budget_ms(self, milliseconds: float) -> None:
        self._spawn_runtime.budget_ms = milliseconds

    @property
    def busy(self) -> bool:
        """Whether loads, texture uploads, spawns or cells are queued or in progress."""
        if self._closed:
            return False
        return self._spawn_runtime.busy or any(world.busy for world in self._worlds)

    def memory(self) -> MemoryReport:
        """Returns the memory of the plugin, and the numbers of its objects."""
        self._check("memory")
        return self._measure_memory()

    def _measure_memory(self) -> MemoryReport:
        return report_memory(self._spawn_runtime, self.window.ctx, self.worlds, len(self.scene))

    def frame_report(self) -> FrameReport:
        """Returns the report of the monitor, with the figures of `memory` as facts.

        After `close`, the figures of `memory` are those of the moment of `close`.
        """
        self._guard.check("PrefabPlugin.frame_report")
        report = self.monitor.report()
        last = self._last_facts
        report.facts |= self._measure_memory().facts() if last is None else last
        return report

    # ------------------------------------------------------------------------------------- frames

    @property
    def enabled(self) -> bool:
        """Whether the plugin does its work in every frame by itself."""
        return self._hooks.enabled

    def enable(self) -> None:
        """Lets the plugin do its work in every frame, in every view. May be called twice."""
        self._check("enable")
        self._hooks.enable()

    def disable(self) -> None:
        """Stops the plugin's work in frames, except by calls of `update`. May be called twice."""
        self._check("disable")
        self._hooks.disable()

    def update(self, delta_time: float) -> None:
        """Does the plugin's work of one frame; games need to call it only after `disable`.

        While the plugin is enabled, the call is harmless: only the first update of a frame counts.

        Args:
            delta_time: Seconds since the last frame. A value that is NaN, infinite or negative is
                logged once, and counts as 0.
        """
        self._check("update")
        self._hooks.update(delta_time)

    def _tick(self, delta_time: float) -> None:
        outer = self.monitor.enter(Phase.PLUGIN)
        try:
            with made_current(self.window):
                self._work(delta_time)
        finally:
            self.monitor.leave(outer)

    def _end_frame(self) -> None:
        outer = self.monitor.enter(Phase.PLUGIN)
        try:
            self.loader.end_frame()
        finally:
            self.monitor.leave(outer)

    def _work(self, delta_time: float) -> None:
        began = time.perf_counter()  # the monitor's clock; `self._clock` may be a test's
        if self._hooks.enabled:  # without hooks, `end_frame` is not called, and the gate stays open
            self.loader.begin_frame()
        self._factory.killed.end_frame()
        for world in self._worlds:
            world.tick(delta_time)
            if world.closed:  # a listener of the game has closed it
                self._worlds = [world for world in self._worlds if not world.closed]
        streamed_s = time.perf_counter() - began
        self.report = report = self._spawn_runtime.work(delta_time)
        jobs = {kind: ran.seconds for kind, ran in report.ran.items()}
        if self._worlds:
            jobs[STREAMING] = streamed_s
        self.monitor.note_jobs(jobs)

    def close(self) -> None:
        """Removes the plugin from the window, and ends its threads. May be called twice.

        Worlds are saved and closed first, see `StreamingManager.close`. Living entities stay in
        their sprite lists, and the window gets its former texture atlas back.
        """
        self._guard.check("PrefabPlugin.close")
        self._close()

    def __enter__(self) -> PrefabPlugin:
        return self

    def detach(self) -> None:
        """The old word for `close`."""
        self.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close(self) -> None:
        if self._closed:
            return
        self._factory.killed.despawn_killed()
        for world in self.worlds:
            world.close()
        self._last_facts = self._measure_memory().facts()
        self._closed = True
        delattr(self.window, ATTRIBUTE)
        self._undo.close()

    def _check(self, method: str) -> None:
        self._guard.check(f"PrefabPlugin.{method}")
        self._check_open()

    def _check_open(self) -> None:
        if self._closed:
            if self.window not in pyglet.app.windows:
                raise PluginError(
                    f"the plugin's window was closed ({self.window.caption!r}): attach to the "
                    "window that is open"
                )
            raise PluginError("the plugin was closed: attach it again")


async def _awaited(entity: Entity) -> Entity:
    return await entity
