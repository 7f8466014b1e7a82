"""The same flight with naive loading, as in most first versions of a game, for comparison.

Each cell is a file. When a cell comes into range, `on_update` reads its file and makes its sprites;
when it is out of range, its sprites are dropped. Images are loaded at their first use, and kept.
Only the player moves, so the frames have less work than those of the demo.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
from pathlib import Path
from typing import Any, Final

import arcade
import pyglet

import arcade_prefabs
from arcade_prefabs.monitor import FrameReport
from arcade_prefabs.pipeline import AssetPipeline
from arcade_prefabs.plugin.memory_report import resident_bytes
from arcade_prefabs.spawning import texture_processor

from .autopilot import Autopilot
from .building import world_name
from .island import AROUND, ZOOM, ground_options
from .landscape import CELL, LAYERS, Landscape

__all__ = ["fly_naively"]

_FARTHER: Final = 1.25


class Naive(arcade.View):
    """View of the island without the plugin; loads cells on the main thread."""

    def __init__(self, cells: Path, size: int, speed: float) -> None:
        super().__init__()
        self.background_color = (120, 180, 240, 255)
        self.landscape = Landscape(size)
        self._width = size
        self._files = cells
        self._looks: dict[str, list[Any]] = json.loads((cells / "looks.json").read_text("utf-8"))
        self._textures: dict[str, arcade.Texture] = {}
        self._cells: dict[tuple[int, int], dict[str, arcade.SpriteList[Any]]] = {}
        self.pilot = Autopilot(self.landscape.start(), self.landscape.pixels, speed)
        self.camera = arcade.Camera2D(zoom=ZOOM)
        self.player = arcade.Sprite(":resources:images/topdown_tanks/tank_blue.png", 1.1)
        self.actors: arcade.SpriteList[Any] = arcade.SpriteList()
        self.actors.append(self.player)
        self.loads = 0
        self._ground = ground_options(self.window.ctx)
        self.reach = max(AROUND, math.hypot(*self.window.size) / 2 / ZOOM)

    def on_update(self, delta_time: float) -> None:
        self.pilot.update(delta_time)
        self.player.position = self.pilot.position
        self.player.angle = self.pilot.heading + 180
        x, y = self.pilot.position
        near, kept = set(self._near(x, y, self.reach)), set(self._near(x, y, self.reach * _FARTHER))
        for cell in near - self._cells.keys():
            self._cells[cell] = self._load(cell)
        for cell in self._cells.keys() - kept:
            del self._cells[cell]

    def _near(self, x: float, y: float, reach: float) -> Any:
        for column in range(int((x - reach) // CELL), int((x + reach) // CELL) + 1):
            for row in range(int((y - reach) // CELL), int((y + reach) // CELL) + 1):
                if 0 <= column < self._width and 0 <= row < self._width:
                    yield column, row

    def _load(self, cell: tuple[int, int]) -> dict[str, arcade.SpriteList[Any]]:
        self.loads += 1
        text = (self._files / f"{cell[0]}_{cell[1]}.json").read_text("utf-8")
        lists: dict[str, arcade.SpriteList[Any]] = {}
        for name, x, y, angle, scale in json.loads(text):
            for image, layer, size, color, at_x, at_y in self._looks[name]:
                texture = self._textures.get(image)
                if texture is None:
                    texture = self._textures[image] = arcade.load_texture(image)
                sprite = arcade.Sprite(texture, 1.0, x + at_x * scale, y + at_y * scale, angle)
                sprite.scale = (size[0] * scale, size[1] * scale)
                sprite.color = tuple(color)
                if layer not in lists:
                    lists[layer] = arcade.SpriteList()
                lists[layer].append(sprite)
        return lists

    def on_draw(self) -> None:
        self.clear()
        self.camera.position = self.pilot.position
        with self.camera.activate():
            for layer in LAYERS:
                if layer == "crowns":
                    self.actors.draw()
                options = self._ground if layer == "ground" else {}
                for lists in self._cells.values():
                    if layer in lists:
                        lists[layer].draw(**options)


def write_cells(folder: Path, assets: Path, size: int) -> None:
    """Writes the files of the naive game: one for each cell, and one with all sprite specs."""
    landscape = Landscape(size)
    names: set[str] = set()
    folder.mkdir(parents=True, exist_ok=True)
    for row in range(size):
        for column in range(size):
            cell = [list(one) for one in landscape.cell(column, row)]
            names |= {str(one[0]) for one in cell}
            (folder / f"{column}_{row}.json").write_text(json.dumps(cell), encoding="utf-8")
    with AssetPipeline(assets, processors=[texture_processor()]) as pipeline:
        looks = {name: list(_look(pipeline.get_prefab(f"demo/{name}"))) for name in names}
    # Written last, and renamed at once: where this file exists, all others are complete.
    (folder / "looks.part").write_text(json.dumps(looks), encoding="utf-8")
    (folder / "looks.part").replace(folder / "looks.json")


def _look(prefab: Any, x: float = 0.0, y: float = 0.0) -> Any:
    """Yields image, layer, scale, color, x and y of each sprite of a prefab and its children."""
    sprite = prefab.build()[0]
    scale = sprite.scale
    both = (scale, scale) if isinstance(scale, int | float) else tuple(scale)
    yield str(sprite.texture), sprite.layer, both, tuple(sprite.color), x, y
    for child in prefab.children:
        at = child.placement.position
        yield from _look(child.prefab, x + at[0], y + at[1])


def fly_naively(options: argparse.Namespace) -> int:
    """Flies with naive loading, and writes ``naive.json``. Returns the exit status."""
    from .flight import RATE, WARM_UP_S, DemoWindow

    cells = options.out / "naive_cells" / world_name(options.size)
    if not (cells / "looks.json").exists():
        print("writing the files of its cells, once", flush=True)
        write_cells(cells, options.assets, options.size)
    window = DemoWindow(
        *options.window, "naive loading", antialiasing=False, update_rate=RATE, draw_rate=RATE
    )
    monitor = arcade_prefabs.watch_frames(window)
    game = Naive(cells, options.size, options.speed)
    window.show_view(game)
    loads = 0
    flown = False

    def begin(_: float) -> None:
        nonlocal loads
        loads = game.loads
        # As the demo does, so that pauses of the garbage collector are not compared.
        gc.collect()
        gc.freeze()
        monitor.reset()

    def end(_: float) -> None:
        nonlocal flown
        flown = True
        report: FrameReport = monitor.report()
        report.facts["cells loaded"] = game.loads - loads
        report.facts["resident, MiB"] = resident_bytes() / 2**20
        report.write(options.out / "naive.json")
        window.close()
        pyglet.app.exit()

    pyglet.clock.schedule_once(begin, WARM_UP_S)
    pyglet.clock.schedule_once(end, WARM_UP_S + options.seconds)
    pyglet.app.run(None)
    return 0 if flown else 1
