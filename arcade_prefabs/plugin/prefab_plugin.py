"""`PrefabPlugin`: the plugin in an Arcade window."""

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

# Windows that have a plugin; as an attribute of theirs, so that it lives as long as they do.
ATTRIBUTE: Final = "_arcade_prefabs_plugin"


class PrefabPlugin:
    """The plugin of one window; `attach` makes it.

    As with Arcade's UIManager there are `enable` and `disable`, and drawing is the game's own
    affair: `draw`, or a scene of the game's own.

    Windows and views that have such methods are told: ``on_prefab_ready(prefab_id)``,
    ``on_prefab_failed(prefab_id, error)``, ``on_prefab_reloaded(prefab_id)``.

    Attributes:
        window: The window.
        pipeline: What bakes the assets.
        loader: What loads them.
        atlas: The texture atlas; None where Arcade's own had to stay.
        entities: Everything that is alive.
        report: What was done in the last frame.
        monitor: How long frames take, and why some come late.
        frame_graph: The same as a picture, for a key: ``frame_graph.bind()``, and ``draw()``.

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
        # Outermost, so that it sees all that the others do.
        self.monitor = FrameMonitor(wanted_rate(window)) if monitor is None else monitor
        frames = WindowFrames(window, self.monitor, follow_rate=monitor is None)
        undo.callback(frames.detach)
        self._last_facts: dict[str, float] | None = None
        self.frame_graph = FrameGraph(self.monitor, window)
        undo.callback(self.frame_graph.unbind)

    def __repr__(self) -> str:
        state = "detached" if self._closed else "enabled" if self.enabled else "disabled"
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
        """Bring an entity into the game; gives it at once.

        If its prefab is loaded and small, it is there at once; otherwise it appears as soon as all
        of it is there, and no frame waits for that. ``await`` it, or ask whether it is ``alive``.
        Whoever is cancelled while it awaits the entity takes it back.
        If it cannot be spawned, nothing of it is left, its ``error`` says why, a warning is
        logged, and ``on_prefab_failed`` is dispatched.

        Args:
            prefab: Its id, ``props/crate``, or a handle.
            position: Where, in pixels.
            angle: Clockwise, in degrees.
            scale: One factor, or one for each axis.
            overrides: What is its own: fields by component, ``{"Health": {"max": 5}}``, those of
                a child behind its name, ``{"lamp/Light": {"radius": 90}}``; or whole components,
                ``[Health(max=5)]``.
            scene: Where its sprites go: an `arcade.Scene`, by the names of its layers; one
                `arcade.SpriteList`; lists by names of layers; None for the plugin's own `scene`.
            priority: How urgent loading it is.
            progressive: Show its parts as they come, instead of the whole at the end.

        Raises:
            UnsafePathError: No such id may exist, or it is that of a picture, a sound, a Tiled map
                or the like; the message says what to do with that.
            UnknownNameError: An override is of a component, or a field, that is not registered.
            ValueError, TypeError: The place is not made of finite numbers; or the scene is none.
            PluginError: The plugin was detached.
            WrongThreadError: This is not the main thread.
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
        """Spawn as `spawn` does, whose entity can be awaited itself; goes with version 1.0."""
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
        """Bring many entities of one prefab into the game at once, as instances.

        An instance is drawn like any other entity, and costs a fiftieth of it, until the game asks
        for it: through the group, through `entities`, or by a collision with one of
        `InstanceGroup.sprites`. Then it becomes an entity like any other. Prefabs with hooks
        (``on_spawn``, ``on_first_spawn``), texts, animations or sprite classes of the game's are
        spawned one by one within the budget of frames.

        Example::

            coins = prefabs.spawn_many("props/coin", [(x, 100) for x in range(0, 30_000, 30)])

        Args:
            prefab: Its id, ``props/coin``, or a handle.
            positions: (x, y) of each, in pixels; or an array of numbers, x and y in turn: anything
                with the buffer protocol, such as `array.array` or a numpy array of shape (n, 2).
            angle: Clockwise, in degrees: one for all, or one each.
            scale: A factor for all, or one each.
            priority: How urgent loading the prefab is.

        Raises:
            UnsafePathError: No such id may exist.
            ValueError, TypeError: A number is missing, infinite or no number.
            PluginError: The plugin was detached.
            WrongThreadError: This is not the main thread.
        """
        self._check("spawn_many")
        require_current(self.window, "PrefabPlugin.spawn_many")
        where = checked_transforms(positions, angle, scale)
        return self._factory.spawn_many(prefab, where, priority)

    def despawn(self, entity: Entity) -> None:
        """Take an entity out of the game, with all of its parts. Twice is fine."""
        self._check("despawn")
        entity.despawn()

    def clear(self) -> None:
        """Take all entities out of the game, and those that were to come, but for worlds' own."""
        self._check("clear")
        self._factory.clear()

    @property
    def scene(self) -> Scene:
        """The plugin's own scene, where sprites go that are given no other one."""
        return self._spawn_runtime.layers.scene

    @property
    def walls(self) -> Walls:
        """The sprites that things stop at, for physics engines; see `Walls`."""
        return self._factory.walls

    def draw(self, **options: Any) -> None:
        """Draw the plugin's own scene; options are those of `arcade.Scene.draw`."""
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
        """Stream a world around its players, from now on; gives it at once.

        It is opened in the background: nothing need be waited for, see `StreamingManager.opened`.
        What the game changes of it is kept as long as it is open, and, with ``save``, for good.

        Args:
            world: The id of a world, ``worlds/valley.ron``; or code that makes one, see
                `CellSource`.
            name: What its saves belong to: that id by default, or the name of the class.
            save: The file that the game is saved in, ``~/saves/slot1.sqlite``; the first save makes
                it, and its folder is made at once.
            recover: Whether to go on where a game ended that was not closed, with what happened
                after its last save; otherwise that is forgotten.
            settings: How it is streamed; the defaults of `StreamingSettings` if not given.
            options: Fields of `StreamingSettings`, which override ``settings``:
                ``load_distance=1500``.

        Raises:
            ValueError: A setting is out of its range.
            TypeError: There is no such setting; a setting is of another type; or ``world`` is
                neither an id nor a cell source.
            UnsafePathError: No such world may exist.
            PluginError: The plugin was detached.
            WrongThreadError: This is not the main thread.
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
        return tuple(one for one in self._worlds if not one.closed)

    # --------------------------------------------------------------------------------------- load

    def load(
        self,
        identifier: str,
        *,
        priority: Priority = Priority.NORMAL,
        on_done: Callable[[Handle[Any]], None] | None = None,
    ) -> Handle[Any]:
        """Begin to load a prefab or another asset; see `AsyncPrefabLoader.load`. Any thread."""
        self._check_open()
        return self.loader.load(identifier, priority=priority, on_done=on_done)

    def load_many(
        self, identifiers: Iterable[str], *, priority: Priority = Priority.NORMAL
    ) -> Batch:
        """Begin to load many assets; its ``progress`` is what a loading screen shows."""
        self._check("load_many")
        return self.loader.load_many(identifiers, priority=priority)

    def load_folder(
        self, folder: str = "", *, kind: str = "prefab", priority: Priority = Priority.NORMAL
    ) -> Batch:
        """Begin to load everything below a folder; see `AsyncPrefabLoader.load_folder`."""
        self._check("load_folder")
        return self.loader.load_folder(folder, kind=kind, priority=priority)

    def start(self, coroutine: Coroutine[Any, Any, _T], *, name: str = "") -> Script[_T]:
        """Run a coroutine in the budget of frames, beginning with the next; see `Script`."""
        self._check("start")
        return self.loader.start(coroutine, name=name)

    def call(self, function: Callable[[], object]) -> None:
        """Have something done on the main thread, in the budget of a frame. Any thread.

        Raises:
            QueueFullError: Too many calls wait.
            PluginError: The plugin was detached.
        """
        self._check_open()
        self.loader.queue.submit(function, kind="call")

    @property
    def budget_ms(self) -> float:
        """Milliseconds that the plugin takes of a frame at most; a loading screen may raise it.

        Raises:
            ValueError: It is set to less than nothing, or to a second and more.
        """
        return self._spawn_runtime.budget_ms

    @budget_ms.setter
    def budget_ms(self, milliseconds: float) -> None:
        self._spawn_runtime.budget_ms = milliseconds

    @property
    def busy(self) -> bool:
        """Whether anything is being loaded, uploaded or built, or waits for that."""
        if self._closed:
            return False
        return self._spawn_runtime.busy or any(one.busy for one in self._worlds)

    def memory(self) -> MemoryReport:
        """What the plugin keeps in memory, and what there is of things."""
        self._check("memory")
        return self._measure_memory()

    def _measure_memory(self) -> MemoryReport:
        return report_memory(self._spawn_runtime, self.window.ctx, self.worlds, len(self.scene))

    def frame_report(self) -> FrameReport:
        """What the monitor has measured, with `memory` beside it; once closed, that of the end."""
        self._guard.check("PrefabPlugin.frame_report")
        found = self.monitor.report()
        last = self._last_facts
        found.facts |= self._measure_memory().facts() if last is None else last
        return found

    # ------------------------------------------------------------------------------------- frames

    @property
    def enabled(self) -> bool:
        """Whether it does its work in each frame by itself."""
        return self._hooks.enabled

    def enable(self) -> None:
        """Do the work of each frame by itself, in every view. Twice is fine."""
        self._check("enable")
        self._hooks.enable()

    def disable(self) -> None:
        """Do nothing by itself any more; `update` still works. Twice is fine."""
        self._check("disable")
        self._hooks.disable()

    def update(self, delta_time: float) -> None:
        """Do the work of a frame now; for games that call everything themselves.

        It may be called while the plugin is enabled, too: whatever comes first in a frame counts.

        Args:
            delta_time: Seconds since the last frame. One that is NaN, infinite or negative is
                logged once and counts as 0.
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
        began = time.perf_counter()  # the monitor's clock, not that of tests
        if self._hooks.enabled:  # otherwise nobody tells the end of the frame, either
            self.loader.begin_frame()
        self._factory.killed.end_frame()
        for world in self._worlds:
            world.tick(delta_time)
            if world.closed:  # the game may close it in a listener
                self._worlds = [one for one in self._worlds if not one.closed]
        streamed_s = time.perf_counter() - began
        self.report = report = self._spawn_runtime.work(delta_time)
        jobs = {kind: ran.seconds for kind, ran in report.ran.items()}
        if self._worlds:
            jobs[STREAMING] = streamed_s
        self.monitor.note_jobs(jobs)

    def detach(self) -> None:
        """Take the plugin off the window: threads end, nothing is loaded any more. Twice is fine.

        Worlds are saved and closed before, see `StreamingManager.close`.
        What is alive stays where it is, and the window has the texture atlas again that it had.
        """
        self._guard.check("PrefabPlugin.detach")
        self._close()

    def __enter__(self) -> PrefabPlugin:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

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

    def _check(self, what: str) -> None:
        self._guard.check(f"PrefabPlugin.{what}")
        self._check_open()

    def _check_open(self) -> None:
        if self._closed:
            if self.window not in pyglet.app.windows:
                raise PluginError(
                    f"the plugin's window was closed ({self.window.caption!r}): attach to the "
                    "window that runs"
                )
            raise PluginError("the plugin was detached: attach it again")


async def _awaited(entity: Entity) -> Entity:
    return await entity
