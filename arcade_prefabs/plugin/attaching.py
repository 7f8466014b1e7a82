"""`attach`: builds the plugin, and adds it to an Arcade window."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack

import arcade
import pyglet

from ..errors import PluginError, WrongThreadError
from ..frames import GarbageScheduler
from ..loading import Executor, LoaderSettings
from ..monitor import FrameMonitor
from ..pipeline import AssetPipeline, AssetSource, AssetWatcher, Processor
from ..prefab import ComponentRegistry, default_registry
from ..spawning.hit_boxes import texture_processor
from ..spawning.release_folder import release_folder
from ..spawning.spawn_runtime import SpawnRuntime
from ..window.current_window import require_current
from ..window.resource_folders import ConfinedFolder, assets_folder, resource_folder
from .prefab_plugin import ATTRIBUTE, PrefabPlugin

__all__ = ["attach"]


def attach(
    window: arcade.Window,
    assets: str | os.PathLike[str] | AssetSource | AssetPipeline = "assets",
    *,
    layers: Iterable[str] = (),
    registry: ComponentRegistry | None = None,
    processors: Iterable[Processor] = (),
    resource_handle: str | None = "assets",
    hot_reload: bool | None = None,
    atlas_size: tuple[int, int] = (4096, 4096),
    budget_ms: float = 2.0,
    settings: LoaderSettings | None = None,
    garbage: GarbageScheduler | None = None,
    executor: Executor | None = None,
    clock: Callable[[], float] = time.perf_counter,
    monitor: FrameMonitor | None = None,
    enabled: bool = True,
) -> PrefabPlugin:
    """Adds the plugin to a window, and returns the plugin.

    From then on the plugin works in every frame of the window, whichever view is shown, until the
    window is closed or `PrefabPlugin.close` is called.

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
        assets: The assets folder, a zip archive of it, a release file, an `AssetSource`, or an
            `AssetPipeline`, which the plugin does not close.
        layers: The names of the layers of the plugin's own scene, from bottom to top. Further
            layers that prefabs name come above them.
        registry: The components that prefabs may name; by default ``default_registry``.
        processors: Additional processors for files, see `AssetPipeline`.
        resource_handle: The name of a resource handle for the files of the assets folder or the
            release file: ``arcade.load_sound(":assets:sounds/steps.wav")``. None for no handle.
        hot_reload: Whether changes of the files on disk come into the running game; by default
            only if the assets are in a folder.
        atlas_size: The width and height of the texture atlas in pixels, at most what the graphics
            card supports. It replaces the window's atlas, and takes four bytes a pixel at once. It
            grows when more is drawn at a time than it can hold, which takes a slow frame.
        budget_ms: The most milliseconds of a frame that the plugin takes.
        settings: Limits, retries and extensions of the loader.
        garbage: The garbage scheduler; by default one that only measures.
        executor: Runs the units of loader threads; for tests.
        clock: Returns seconds, as `time.perf_counter` does; for tests.
        monitor: Measures the frames; by default a new one for the window's draw rate.
        enabled: Whether the plugin works from the next frame on; otherwise from
            `PrefabPlugin.enable` on.

    Raises:
        PluginError: The window has a plugin, is closed, or is not Arcade's current window.
        WrongThreadError: The call comes from another thread than the main thread.
        MissingAssetError: The assets folder or file does not exist.
        StoreError: The bake store or the release file cannot be opened.
        TypeError: ``window`` is not an `arcade.Window`, ``layers`` is a single string, or
            ``registry`` is no `ComponentRegistry`.
        ValueError: ``budget_ms`` is not above 0 and below 1000, or ``atlas_size`` is too small.

    Main thread.
    """
    if not isinstance(window, arcade.Window):
        raise TypeError(f"attach takes an arcade.Window, not {window!r}")
    if threading.current_thread() is not threading.main_thread():
        raise WrongThreadError("attach is for the main thread, which the window belongs to")
    if getattr(window, ATTRIBUTE, None) is not None:
        raise PluginError(
            "this window has a plugin already: keep the plugin that attach returned, and use it "
            "everywhere; or call its close() before"
        )
    if window not in pyglet.app.windows:
        raise PluginError("the window is closed: attach while it is open")
    require_current(window, "attach")
    undo = ExitStack()  # closed here after an error, otherwise by the plugin
    try:
        if isinstance(assets, AssetPipeline):
            pipeline = assets
        else:
            handles = {name: paths for name, paths in arcade.resources.handles.items() if paths}
            images = [] if any(one.name == "image" for one in processors) else [texture_processor()]
            pipeline = AssetPipeline(
                assets, processors=[*images, *processors], registry=registry, handles=handles
            )
            undo.callback(pipeline.close)
        spawn_runtime = SpawnRuntime(
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
        plugin = PrefabPlugin(window, spawn_runtime, undo, clock, monitor)
        folder = assets_folder(assets)
        if resource_handle is not None:
            shown = None if folder is None else ConfinedFolder.of(folder)
            if pipeline.read_only:
                shown = undo.enter_context(release_folder(pipeline))
            if shown is not None:
                undo.enter_context(resource_folder(resource_handle, shown))
        if hot_reload or (hot_reload is None and folder is not None):
            undo.callback(AssetWatcher(pipeline, spawn_runtime.loader.apply).start().close)
    except BaseException:
        undo.close()
        raise
    setattr(window, ATTRIBUTE, plugin)
    if enabled:
        plugin.enable()
    return plugin
