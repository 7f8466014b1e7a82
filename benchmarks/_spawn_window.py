"""Measures spawning in a process of its own with a window, and prints the figures as JSON."""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

os.environ["ARCADE_HEADLESS"] = "True"

import arcade
from PIL import Image

import arcade_prefabs
from arcade_prefabs.frames import GarbageScheduler
from arcade_prefabs.pipeline import AssetPipeline
from arcade_prefabs.spawning import texture_processor

FRAME_S = 1 / 60
SIZE = (1280, 720)
BATCH = 10
LONGEST_S = 60.0


def write_props(root: Path, count: int, first: int = 0) -> list[str]:
    """Writes prefabs, each with its own texture of 64×64 pixels. Returns their ids."""
    (root / "prefabs").mkdir(parents=True, exist_ok=True)
    (root / "images").mkdir(exist_ok=True)
    chance = random.Random(first)
    names = []
    for number in range(first, first + count):
        color = tuple(chance.randrange(256) for _ in range(3))
        image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
        # Round, like most images of games; a square has the simplest possible hit box.
        for y in range(64):
            for x in range(64):
                if (x - 32) ** 2 + (y - 32) ** 2 < 30**2:
                    shade = chance.randrange(40)
                    image.putpixel((x, y), (*(max(0, one - shade) for one in color), 255))
        image.save(root / "images" / f"prop_{number}.png")
        text = f'Prefab(components: [Sprite(texture: "images/prop_{number}.png"), Tags(["prop"])])'
        (root / "prefabs" / f"prop_{number}.ron").write_text(text)
        names.append(f"prop_{number}")
    return names


class Frames:
    """Plays frames of a game that draws, and measures the plugin's part of each."""

    def __init__(self, window: arcade.Window, plugin: Any, game: Any) -> None:
        self.window, self.plugin, self.game = window, plugin, game
        self.ours: list[float] = []

    def run(self, work: Any = None) -> None:
        """Plays one frame, and waits for the next; the time of ``work`` is measured, too."""
        started = time.perf_counter()
        if self.plugin is not None:  # before the game, as its handler is called
            self.plugin.update(FRAME_S)
        if work is not None:
            work()
        self.ours.append(time.perf_counter() - started)
        self.window.clear()
        self.game()
        self.window.flip()
        # A software renderer draws when a call waits for it, which would be the next upload. Its
        # time belongs to the game's drawing, as a graphics card draws in parallel.
        self.window.ctx.finish()
        left = FRAME_S - (time.perf_counter() - started)
        if left > 0:
            time.sleep(left)


def bring_in(root: Path, entities: int, textures: int, turns: int) -> dict[str, float]:
    """Makes sprites with many textures while drawing: by spawning and plainly, in turns."""
    window = arcade.Window(*SIZE, "benchmark")
    window.ctx.default_atlas.resize((4096, 4096))  # so that the baseline's never has to grow
    chance = random.Random(1)
    found: dict[str, list[float]] = {}
    for turn in range(turns):
        names = write_props(root, textures, first=turn * 2 * textures)
        places = [
            (chance.choice(names), (chance.random() * 1280, chance.random() * 720))
            for _ in range(entities)
        ]
        for name, value in _stock(window, root, places).items():
            found.setdefault(name, []).append(value)
        names = write_props(root, textures, first=(turn * 2 + 1) * textures)
        places = [(chance.choice(names), place) for _, place in places]
        for name, value in _ours(window, root, places).items():
            found.setdefault(name, []).append(value)
    first = {f"first_{name}": values[0] for name, values in found.items()}
    return first | {name: median(values) for name, values in found.items()}


def _stock(window: arcade.Window, root: Path, places: list[Any]) -> dict[str, float]:
    sprites = arcade.SpriteList()
    frames = Frames(window, None, sprites.draw)
    textures: dict[str, arcade.Texture] = {}

    def work() -> None:
        for name, place in places:
            texture = textures.get(name)
            if texture is None:
                texture = textures[name] = arcade.load_texture(root / "images" / f"{name}.png")
            sprites.append(arcade.Sprite(texture, 1.0, *place))

    for number in range(60):
        gc.collect() if number == 20 else None
        frames.run(work if number == 30 else None)
    took = sum(frames.ours)
    sprites.clear()
    return {
        "stock_longest_ms": max(frames.ours) * 1e3,
        "stock_entity_us": took / len(places) * 1e6,
    }


def _ours(window: arcade.Window, root: Path, places: list[Any]) -> dict[str, float]:
    with AssetPipeline(root, processors=[texture_processor()]) as pipeline:
        if not pipeline.bake().ok:
            raise RuntimeError("the assets cannot be baked")
    with arcade_prefabs.attach(
        window, root, hot_reload=False, garbage=GarbageScheduler(take_over=True)
    ) as plugin:
        frames = Frames(window, plugin, plugin.draw)
        spawned: list[Any] = []

        def work() -> None:
            spawned.extend(plugin.spawn(name, place) for name, place in places)

        for number in range(30):
            gc.collect() if number == 20 else None
            frames.run()
        idle = median(frames.ours)
        frames.ours.clear()
        frames.run(work)
        needed = 1
        while not all(one.alive for one in spawned) and needed < 600:
            frames.run()
            needed += 1
        if not all(one.alive for one in spawned):
            raise RuntimeError(str(next(one for one in spawned if not one.alive)))
        took = sum(max(0.0, one - idle) for one in frames.ours)
        longest = max(frames.ours)
        plugin.clear()
    return {
        "longest_ms": longest * 1e3,
        "entity_us": took / len(places) * 1e6,
        "frames": needed,
    }


def rounds(root: Path, entities: int, count: int) -> dict[str, float]:
    """Spawns and despawns in rounds, and measures what is left after each."""
    window = arcade.Window(*SIZE, "benchmark")
    names = write_props(root, 100)
    chance = random.Random(1)
    memory: list[float] = []
    buffers: list[int] = []
    with arcade_prefabs.attach(window, root, hot_reload=False) as plugin:
        frames = Frames(window, plugin, plugin.draw)
        for _ in range(count):
            spawned = [
                plugin.spawn(chance.choice(names), (chance.random() * 1280, chance.random() * 720))
                for _ in range(entities)
            ]
            for _ in range(2000):
                if all(one.alive for one in spawned):
                    break
                frames.run()
            for one in spawned:
                one.despawn()
            del spawned, one
            for _ in range(5):
                frames.run()
            gc.collect()
            memory.append(resident_mb())
            buffers.append(window.ctx.stats.buffer[0])
    return {
        "third_mb": memory[2],
        # The median of the last five, as the allocator keeps more or less memory in single rounds.
        "last_mb": median(memory[-5:]),
        "buffers_third": buffers[2],
        "buffers_last": buffers[-1],
    }


def wait_until_alive(plugin: Any, spawned: Any) -> None:
    """Plays frames until an entity or a group is alive."""
    deadline = time.perf_counter() + LONGEST_S
    while not spawned.alive:
        if spawned.error is not None or time.perf_counter() > deadline:
            raise RuntimeError(f"{spawned!r} is not alive: {spawned.error}")
        plugin.update(FRAME_S)
        time.sleep(0.001)


def one_by_one(root: Path, count: int) -> dict[str, float]:
    """Times spawning and despawning a loaded sprite prefab, in turns with plain sprites."""
    window = arcade.Window(*SIZE, "benchmark")
    (name,) = write_props(root, 1)
    with arcade_prefabs.attach(window, root, hot_reload=False) as plugin:
        first = plugin.spawn(name)
        wait_until_alive(plugin, first)
        texture = first.sprite.texture
        sprites = arcade.SpriteList()
        sprites.append(arcade.Sprite(texture))
        sprites.initialize()
        plugin.draw()
        place = (100.0, 200.0)
        ours: list[float] = []
        plain: list[float] = []
        while len(ours) < count:
            plugin.update(FRAME_S)  # spawns of one frame are limited
            started = time.thread_time()
            for _ in range(BATCH):
                sprite = arcade.Sprite(texture, 1.0, *place)
                sprites.append(sprite)
                sprite.kill()
            between = time.thread_time()
            at_once = True
            for _ in range(BATCH):
                entity = plugin.spawn(name, place)
                at_once = at_once and entity.alive
                entity.despawn()
            ended = time.thread_time()
            if at_once:  # otherwise the machine was busy, and some spawns were queued
                plain.append((between - started) / BATCH)
                ours.append((ended - between) / BATCH)
    return {
        "entity_us": median(ours) * 1e6,
        "stock_entity_us": median(plain) * 1e6,
        "ratio": median(one / other for one, other in zip(ours, plain, strict=True)),
    }


def many(root: Path, count: int, turns: int) -> dict[str, float]:
    """Times groups of instances of a loaded prefab, in turns with as many plain sprites.

    Both are uploaded to the graphics card, and dropped after each turn.
    """
    window = arcade.Window(*SIZE, "benchmark")
    (name,) = write_props(root, 1)
    chance = random.Random(1)
    places = [(chance.random() * 1280, chance.random() * 720) for _ in range(count)]
    ours: list[float] = []
    plain: list[float] = []
    promoted: list[float] = []
    appended: list[float] = []
    with arcade_prefabs.attach(window, root, hot_reload=False) as plugin:
        first = plugin.spawn(name)
        wait_until_alive(plugin, first)
        texture = first.sprite.texture
        plugin.draw()
        for _ in range(turns):
            started = time.thread_time()
            sprites: arcade.SpriteList[arcade.Sprite] = arcade.SpriteList()
            for place in places:
                sprites.append(arcade.Sprite(texture, 1.0, *place))
            appended.append((time.thread_time() - started) / count)
            sprites.write_sprite_buffers_to_gpu()
            plain.append((time.thread_time() - started) / count)
            started = time.thread_time()
            group = plugin.spawn_many(name, places)
            while not group.alive:
                plugin.update(FRAME_S)
            for one in group.sprites.lists:
                one.write_sprite_buffers_to_gpu()
            ours.append((time.thread_time() - started) / count)
            started = time.thread_time()
            for _ in group:
                pass
            promoted.append((time.thread_time() - started) / count)
            group.despawn()
            sprites.clear()
            gc.collect()
            window.ctx.gc()
    return {
        "entity_us": median(ours) * 1e6,
        "stock_entity_us": median(plain) * 1e6,
        "ratio": median(one / other for one, other in zip(ours, plain, strict=True)),
        "promoted_us": median(promoted) * 1e6,
        "promoted_ratio": median(
            one / other for one, other in zip(promoted, appended, strict=True)
        ),
    }


def growth(root: Path, count: int) -> dict[str, float]:
    """Returns the growth of the process in bytes for each instance that is never touched."""
    window = arcade.Window(*SIZE, "benchmark")
    (name,) = write_props(root, 1)
    with arcade_prefabs.attach(window, root, hot_reload=False) as plugin:
        groups = []
        sizes = []
        for _ in range(3):
            places = [(number * 3.0, number * 2.0) for number in range(count)]
            group = plugin.spawn_many(name, places)
            wait_until_alive(plugin, group)
            plugin.draw()
            window.flip()
            groups.append(group)
            del places, group
            gc.collect()
            sizes.append(resident_mb())
    return {"bytes": (sizes[2] - sizes[1]) * 1024 * 1024 / count}


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell the memory of a process")


if __name__ == "__main__":
    name, folder, *numbers = sys.argv[1:]
    ways = {
        "bring_in": bring_in,
        "one_by_one": one_by_one,
        "rounds": rounds,
        "many": many,
        "growth": growth,
    }
    print(json.dumps(ways[name](Path(folder), *map(int, numbers))))
