"""`attach`: the plugin in an Arcade window."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import ExitStack
from typing import Any, Final, TypeVar

import arcade
import pyglet
from arcade import Scene

from .errors import PluginError, WrongThreadError
from .loading import (
    Batch,
    DrainReport,
    Executor,
    GarbageManners,
    Handle,
    LoaderSettings,
    Priority,
    Script,
)
from .pipeline import AssetPipeline, AssetWatcher, Processor, Source
from .prefab import ComponentRegistry, default_registry
from .spawning.engine import SpawnEngine
from .spawning.entity import Entity, awaited
from .spawning.frame_hooks import FrameHooks
from .spawning.hit_boxes import texture_processor
from .spawning.layers import SpawnScene, Walls
from .spawning.overrides import OverrideMap
from .spawning.resource_folders import assets_folder, resource_folder
from .spawning.threads import ThreadGuard
from .spawning.window_events import WindowEvents

__all__ = ["PrefabPlugin", "attach"]

_log = logging.getLogger("arcade_prefabs")
_T = TypeVar("_T")

# Windows that have a plugin; as an attribute of theirs, so that it lives as long as they do.
_ATTRIBUTE: Final = "_arcade_prefabs_plugin"


def attach(
    window: arcade.Window,
    assets: str | os.PathLike[str] | Source | AssetPipeline = "assets",
    *,
    layers: Iterable[str] = (),
    registry: ComponentRegistry | None = None,
    processors: Iterable[Processor] = (),
    resource_handle: str | None = "assets",
    hot_reload: bool | None = None,
    atlas_size: tuple[int, int] = (4096, 4096),
    budget_ms: float = 2.0,
    settings: LoaderSettings | None = None,
    garbage: GarbageManners | None = None,
    executor: Executor | None = None,
    clock: Callable[[], float] = time.perf_counter,
    enabled: bool = True,
) -> PrefabPlugin:
    """Add the plugin to a window.

    From then on it does its work in each frame by itself, in whichever view the window is, until
    the window is closed or `PrefabPlugin.detach` is called.

    Example::

        class Game(arcade.Window):
            def __init__(self):
                super().__init__(1280, 720, "Valley")
                self.prefabs = arcade_prefabs.attach(self, assets="assets")
                self.prefabs.spawn("props/crate", (640, 360))

            def on_draw(self):
                self.clear()
                self.prefabs.draw()

    Args:
        window: The window.
        assets: The assets folder; a release file, a zip archive, a `Source`, or an
            `AssetPipeline` of the game's own, which is not closed then.
        layers: Names of the layers of the plugin's own scene, from the bottom to the top; others
            that prefabs name come above them.
        registry: The components that prefabs may name; the ``default_registry`` if none is given.
        processors: More processors for files, see `AssetPipeline`.
        resource_handle: The name under which Arcade finds the assets folder, too:
            ``arcade.load_texture(":assets:images/hero.png")``. None for no such name.
        hot_reload: Whether saved files change the running game; by default if it is a folder.
        atlas_size: Pixels of the texture atlas, which takes the place of the window's; at most
            what the graphics card can. Four bytes for each pixel of it are taken at once.
        budget_ms: Milliseconds that the plugin takes of a frame at most.
        settings: Limits and habits of the loader.
        garbage: Manners of the garbage collector, see `GarbageManners`.
        executor: Who does the background work; for tests.
        clock: Seconds, as `time.perf_counter` gives them; for tests.
        enabled: Whether it begins to work at once; otherwise with `PrefabPlugin.enable`.

    Raises:
        PluginError: The window has a plugin, or is closed.
        WrongThreadError: This is not the main thread.
        MissingAssetError: There is no such folder or file.
        StoreError: The bake store, or the release file, cannot be opened.

    Main thread.
    """
    if not isinstance(window, arcade.Window):
        raise TypeError(f"attach takes an arcade.Window, not {window!r}")
    if threading.current_thread() is not threading.main_thread():
        raise WrongThreadError("attach is for the main thread, which the window belongs to")
    if getattr(window, _ATTRIBUTE, None) is not None:
        raise PluginError(
            "this window has a plugin already: keep what attach gave, and use that everywhere; "
            "or call its detach() before"
        )
    if window not in pyglet.app.windows:
        raise PluginError("the window is closed: attach while it is open")
    with ExitStack() as undo:
        if isinstance(assets, AssetPipeline):
            pipeline = assets
        else:
            own = {name: paths for name, paths in arcade.resources.handles.items() if paths}
            images = [] if any(one.name == "image" for one in processors) else [texture_processor()]
            pipeline = AssetPipeline(
                assets, processors=[*images, *processors], registry=registry, handles=own
            )
            undo.callback(pipeline.close)
        engine = SpawnEngine(
            window,
            pipeline,
            undo,
            layers=layers,
            registry=default_registry if registry is None else registry,
            atlas_size=atlas_size,
            budget_ms=budget_ms,
            settings=settings,
            garbage=garbage,
            executor=executor,
            clock=clock,
        )
        plugin = PrefabPlugin(window, engine, undo, clock)
        folder = assets_folder(assets)
        if folder is not None and resource_handle is not None:
            undo.enter_context(resource_folder(resource_handle, folder))
        if hot_reload or (hot_reload is None and folder is not None):
            undo.callback(AssetWatcher(pipeline, engine.loader.apply).start().stop)
        plugin._undo = undo.pop_all()
    setattr(window, _ATTRIBUTE, plugin)
    if enabled:
        plugin.enable()
    return plugin


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

    Main thread, except for `call` and `load`.
    """

    def __init__(
        self,
        window: arcade.Window,
        engine: SpawnEngine,
        undo: ExitStack,
        clock: Callable[[], float],
    ) -> None:
        self.window = window
        self.pipeline = engine.pipeline
        self.loader = engine.loader
        self.atlas = engine.atlas
        self.entities = engine.entities
        self.report: DrainReport | None = None
        self._guard = ThreadGuard()
        self._undo = undo
        self._closed = False
        self._engine = engine
        self._factory = engine.factory
        events = WindowEvents(window)
        engine.loader.add_listener(events.heard)
        engine.factory.on_failure = events.spawn_failed
        self._hooks = FrameHooks(
            window,
            tick=self._tick,
            end_frame=self.loader.end_frame,
            closed=self._close,
            clock=clock,
        )
        undo.callback(self._hooks.detach)

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
            UnsafePathError: No such id may exist.
            UnknownNameError: An override is of a component, or a field, that is not registered.
            ValueError, TypeError: The place is not made of finite numbers; or the scene is none.
            PluginError: The plugin was detached.
            WrongThreadError: This is not the main thread.
        """
        if self._closed or not self._guard.here:
            self._check("spawn")
        return self._factory.spawn(
            prefab, position, angle, scale, overrides, scene, priority, progressive
        )

    def spawn_async(
        self,
        prefab: str | Handle[Any],
        position: tuple[float, float] = (0.0, 0.0),
        **options: Any,
    ) -> Coroutine[Any, Any, Entity]:
        """`spawn`, to be awaited: in a script of `start`, or in asyncio. It begins at once.

        If whoever awaits it is cancelled, the entity is not spawned.

        Raises:
            SpawnError: It cannot be spawned; raised where it is awaited.
            ArcadePrefabsError: As `spawn`.
        """
        return awaited(self.spawn(prefab, position, **options))

    def despawn(self, entity: Entity) -> None:
        """Take an entity out of the game, with all of its parts. Twice is fine."""
        self._check("despawn")
        entity.despawn()

    def clear(self) -> None:
        """Take all entities out of the game, and those that were to come."""
        self._check("clear")
        self._factory.clear()

    @property
    def scene(self) -> Scene:
        """The plugin's own scene, where sprites go that are given no other one."""
        return self._engine.layers.scene

    @property
    def walls(self) -> Walls:
        """Lists of the sprites that things stop at, for physics engines."""
        return self._factory.walls

    def draw(self, **options: Any) -> None:
        """Draw the plugin's own scene; options are those of `arcade.Scene.draw`."""
        self._check("draw")
        self._engine.layers.scene.draw(**options)

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
        return self._engine.budget_ms

    @budget_ms.setter
    def budget_ms(self, milliseconds: float) -> None:
        self._engine.budget_ms = milliseconds

    @property
    def busy(self) -> bool:
        """Whether anything is being loaded, uploaded or built, or waits for that."""
        return not self._closed and self._engine.busy

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
            delta_time: Seconds since the last frame; a ValueError if that is no time.
        """
        self._check("update")
        self._hooks.update(delta_time)

    def _tick(self, delta_time: float) -> None:
        if self._hooks.enabled:  # otherwise nobody tells the end of the frame, either
            self.loader.begin_frame()
        self.report = self._engine.work(delta_time)

    def detach(self) -> None:
        """Take the plugin off the window: threads end, nothing is loaded any more. Twice is fine.

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
        self._closed = True
        delattr(self.window, _ATTRIBUTE)
        self._undo.close()

    def _check(self, what: str) -> None:
        self._guard.check(f"PrefabPlugin.{what}")
        self._check_open()

    def _check_open(self) -> None:
        if self._closed:
            raise PluginError("the plugin was detached, or its window was closed: attach it again")
