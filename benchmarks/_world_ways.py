"""Writes worlds, and loads them around a player in two ways: with the plugin and naively."""

from __future__ import annotations

import json
import math
import random
import time
from pathlib import Path
from typing import Any, Final

import arcade

import arcade_prefabs
from arcade_prefabs import CellState
from arcade_prefabs.pipeline import AssetPipeline, WorldBuilder
from arcade_prefabs.spawning import texture_processor

from ._spawn_window import FRAME_S, SIZE, resident_mb, write_props

CELL: Final = 1024
EACH: Final = 40
PROPS: Final = 100
# What the naive way keeps around the player: as far as ours does at rest, the view's half diagonal.
REACH: Final = math.hypot(*SIZE) / 2


def write_world(root: Path, cells: int, each: int = EACH, monster: int = 0) -> None:
    """Writes a square world twice: baked, and as files for naive loading.

    Args:
        root: The assets folder.
        cells: The number of columns and of rows.
        each: The number of entities of a cell.
        monster: The number of entities of the cell in the middle.
    """
    names = write_props(root, PROPS)
    with AssetPipeline(root, processors=[texture_processor()]) as pipeline:
        if not pipeline.bake().ok:
            raise RuntimeError("the assets cannot be baked")
        with WorldBuilder(pipeline, f"grid_{cells}_{each}", cell_size=CELL) as world:
            for place, rows in _rows(names, cells, each, monster):
                for name, x, y in rows:
                    world.add(name, (x, y))
                if cells <= 64 and not monster:
                    path = root / "naive" / f"{place[0]}_{place[1]}.json"
                    path.parent.mkdir(exist_ok=True)
                    path.write_text(json.dumps(rows), encoding="utf-8")


def _rows(names: list[str], cells: int, each: int, monster: int) -> Any:
    chance = random.Random(cells)
    for column in range(cells):
        for row in range(cells):
            special = monster and column == row == cells // 2
            yield (
                (column, row),
                [
                    (
                        chance.choice(names),
                        round((column + chance.random()) * CELL, 1),
                        round((row + chance.random()) * CELL, 1),
                    )
                    for _ in range(monster if special else each)
                ],
            )


class Ours:
    """Loads the world with the plugin."""

    def __init__(self, window: arcade.Window, root: Path, name: str, **settings: Any) -> None:
        garbage = settings.pop("garbage", None)
        self.plugin = arcade_prefabs.attach(
            window, root, enabled=False, hot_reload=False, garbage=garbage
        )
        # Its texture atlas of 64 MB does not belong to the world.
        self.before_mb = resident_mb()
        began = time.perf_counter()
        self.world = self.plugin.open_world(name, **settings)
        self.began, self.open_s = began, 0.0
        self.asked: dict[Any, float] = {}
        self.latencies: list[float] = []
        self.since: dict[CellState, int] = {}
        self.world.add_listener(self._note)

    def _note(self, event: Any) -> None:
        now = time.perf_counter()
        self.since[event.after] = self.since.get(event.after, 0) + 1
        if event.after is CellState.QUEUED:
            self.asked[event.cell] = now
        elif event.after is CellState.ACTIVE and event.cell in self.asked:
            self.latencies.append(now - self.asked.pop(event.cell))

    def begin(self) -> None:
        self.plugin.loader.begin_frame()

    def update(self, x: float, y: float) -> None:
        self.world.update_player_position((x, y))
        self.plugin.update(FRAME_S)
        if not self.open_s and self.world.is_open:
            self.open_s = time.perf_counter() - self.began

    def end(self) -> None:
        self.plugin.loader.end_frame()

    def draw(self) -> None:
        self.world.draw()

    def there(self, x: float, y: float) -> bool:
        world = self.world
        return world.is_open and world.state_at((x, y)) is CellState.ACTIVE

    @property
    def settled(self) -> bool:
        return self.world.is_open and not self.world.busy

    def close(self) -> None:
        self.world.close(save=False)
        self.plugin.close()


class Naive:
    """Reads and builds each cell on the main thread when it comes into range."""

    settled = True

    def __init__(self, root: Path, cells: int) -> None:
        self.root, self.cells = root, cells
        self.lists: dict[tuple[int, int], arcade.SpriteList[Any]] = {}
        self.textures: dict[str, arcade.Texture] = {}
        self.latencies: list[float] = []
        self.loads = 0

    def begin(self) -> None:
        pass

    def update(self, x: float, y: float) -> None:
        near = set(self._near(x, y, REACH))
        kept = set(self._near(x, y, REACH * 1.25))
        for cell in near - self.lists.keys():
            began = time.perf_counter()
            self.lists[cell] = self.load(cell)
            self.latencies.append(time.perf_counter() - began)
        for cell in self.lists.keys() - kept:
            del self.lists[cell]

    def _near(self, x: float, y: float, reach: float) -> Any:
        for column in range(int((x - reach) // CELL), int((x + reach) // CELL) + 1):
            for row in range(int((y - reach) // CELL), int((y + reach) // CELL) + 1):
                if 0 <= column < self.cells and 0 <= row < self.cells:
                    yield column, row

    def load(self, cell: tuple[int, int]) -> arcade.SpriteList[Any]:
        self.loads += 1
        path = self.root / "naive" / f"{cell[0]}_{cell[1]}.json"
        sprites: arcade.SpriteList[Any] = arcade.SpriteList()
        for name, x, y in json.loads(path.read_text(encoding="utf-8")):
            texture = self.textures.get(name)
            if texture is None:
                texture = arcade.load_texture(self.root / "images" / f"{name}.png")
                self.textures[name] = texture
            sprites.append(arcade.Sprite(texture, 1.0, x, y))
        return sprites

    def end(self) -> None:
        pass

    def draw(self) -> None:
        for sprites in self.lists.values():
            sprites.draw()

    def there(self, x: float, y: float) -> bool:
        return (int(x // CELL), int(y // CELL)) in self.lists

    def close(self) -> None:
        self.lists.clear()
