"""`Stage`: a window without a screen, with the plugin, virtual time and frames by hand."""

from __future__ import annotations

import gc
import io
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

# Before Arcade is imported for the first time in this process.
os.environ["ARCADE_HEADLESS"] = "True"

import arcade
import pytest
from PIL import Image

import arcade_prefabs
from arcade_prefabs.loading.workers.bake_thread import BakeThread
from arcade_prefabs.pipeline import AssetPipeline, MemorySource
from arcade_prefabs.pipeline.bake.worker_pool import ProcessWorkers
from arcade_prefabs.prefab import ComponentRegistry
from arcade_prefabs.spawning import texture_processor
from arcade_prefabs.testing import EventLog, InlineExecutor, VirtualClock

SIZE = (400, 300)
FRAME_S = 1 / 60


def png(color: tuple[int, ...], size: tuple[int, int] = (32, 32)) -> bytes:
    """Returns a PNG image of one color."""
    file = io.BytesIO()
    Image.new("RGBA", size, (*color, 255)[:4]).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def session_window() -> Iterator[arcade.Window]:
    """Makes one window for all tests of the session."""
    made = arcade.Window(*SIZE, "tests")
    yield made
    made.close()


@pytest.fixture
def window(session_window: arcade.Window) -> Iterator[arcade.Window]:
    """Gives a test the window as new: no view, no handlers, the atlas that it began with."""
    arcade.set_window(session_window)
    session_window.switch_to()
    yield session_window
    session_window.hide_view()
    gc.collect()
    session_window.ctx.gc()


@pytest.fixture
def no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bakes in this process: worker processes of low priority start in seconds beside tests."""
    monkeypatch.setattr(ProcessWorkers, "possible", staticmethod(lambda: False))


class TickingClock(VirtualClock):
    """A clock that advances by `step_s` with each reading: all work takes the same time."""

    step_s = 0.0

    def __call__(self) -> float:
        self.advance(self.step_s)
        return super().__call__()


class AwaitedBakeThread(BakeThread):
    """Bakes in its thread, and lets the caller wait: frames of a test are too quick."""

    def __init__(self, table: Any, assets: Any, wake: Callable[[], None]) -> None:
        self._baked = threading.Event()
        super().__init__(table, assets, lambda: (wake(), self._baked.set())[0])

    def add(self, flight: Any) -> None:
        self._baked.clear()
        super().add(flight)
        assert self._baked.wait(20)


class Stage:
    """A window with the plugin, virtual time, and loads that run when the test says so."""

    def __init__(
        self, window: arcade.Window, files: Mapping[str, str | bytes], **options: Any
    ) -> None:
        self.window = window
        self.clock = TickingClock()
        self.clock.step_s = options.pop("step_s", 0.0)
        self.executor: Any = options.pop("executor", None) or InlineExecutor()
        self.registry: ComponentRegistry = options.pop("registry", None) or ComponentRegistry()
        self.source = MemorySource(files)
        self.pipeline = AssetPipeline(
            self.source, processors=[texture_processor()], registry=self.registry, jobs=0
        )
        report = self.pipeline.bake()
        self.bake_errors = report.errors
        options.setdefault("atlas_size", (1024, 1024))
        options.setdefault("enabled", False)
        try:
            self.prefabs = arcade_prefabs.attach(
                window,
                self.pipeline,
                registry=self.registry,
                executor=self.executor,
                clock=self.clock,
                **options,
            )
        except Exception:  # a test may expect it
            self.pipeline.close()
            raise
        self.log = EventLog(self.prefabs.loader)

    def frame(self, count: int = 1, *, units: int | None = None) -> None:
        """Plays frames: the plugin's update, background work, time.

        Args:
            count: Number of frames.
            units: Units of background work in each frame; None for all.
        """
        for _ in range(count):
            self.prefabs.update(FRAME_S)
            self.executor.run(units)
            self.clock.advance(FRAME_S)

    def window_frame(self, count: int = 1) -> None:
        """Plays frames through the window, whose handlers call the plugin's update."""
        for _ in range(count):
            self.window.dispatch_events()
            self.window._dispatch_frame(FRAME_S)
            self.executor.run()
            self.clock.advance(FRAME_S)

    def until(self, condition: Callable[[], object], most: int = 300) -> None:
        """Plays frames until a condition holds.

        Raises:
            AssertionError: It does not hold after `most` frames.
        """
        for _ in range(most):
            if condition():
                return
            self.frame()
        raise AssertionError(f"the condition did not hold within {most} frames")

    def spawn(self, *arguments: Any, **options: Any) -> arcade_prefabs.Entity:
        """Spawns an entity, and plays frames until it is alive or has failed."""
        entity = self.prefabs.spawn(*arguments, **options)
        self.until(lambda: entity.alive or entity.error)
        return entity

    def edit(self, files: Mapping[str, str | bytes]) -> None:
        """Writes files, bakes them, and reloads what has changed, as the watcher does."""
        for path, content in files.items():
            self.source.write(path, content)
        report = self.pipeline.bake()
        changed = report.changed_ids()
        self.prefabs.loader.reload(changed)
        self.frame(8)

    def picture(self) -> Image.Image:
        """Returns what the window shows after the plugin's scene is drawn."""
        self.window.clear(color=(0, 0, 0, 255))
        self.prefabs.draw()
        return arcade.get_image(0, 0, *SIZE)

    def color(self, x: float, y: float) -> tuple[int, int, int]:
        """Returns the color at a position in the world; y counts from the bottom."""
        pixel = self.picture().getpixel((int(x), SIZE[1] - 1 - int(y)))
        assert isinstance(pixel, tuple)
        return (pixel[0], pixel[1], pixel[2])

    def close(self) -> None:
        """Detaches the plugin, and closes the pipeline."""
        self.prefabs.detach()
        self.pipeline.close()


@pytest.fixture
def stage(window: arcade.Window, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stage]]:
    """Makes stages, and closes them after the test."""
    monkeypatch.setattr("arcade_prefabs.loading.loader.BakeThread", AwaitedBakeThread)
    made: list[Stage] = []

    def make(files: Mapping[str, str | bytes], **options: Any) -> Stage:
        made.append(Stage(window, files, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def picture_of() -> Callable[..., bytes]:
    """Gives tests the function `png`."""
    return png
