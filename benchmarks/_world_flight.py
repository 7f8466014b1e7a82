"""Flies over a world in a process of its own, and prints the figures as JSON.

``python -m benchmarks._world_flight WHAT FOLDER NUMBER…``, the folder from `write_world`.
"""

from __future__ import annotations

import gc
import json
import math
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final

os.environ["ARCADE_HEADLESS"] = "True"

import arcade

from arcade_prefabs import CellState
from arcade_prefabs.frames import GarbageScheduler
from arcade_prefabs.loading import AsyncPrefabLoader
from arcade_prefabs.pipeline import AssetPipeline
from arcade_prefabs.spawning import texture_processor

from ._spawn_window import FRAME_S, SIZE, resident_mb
from ._world_ways import CELL, EACH, Naive, Ours, write_world
from .frame_loop import percentile

_MOST_FRAMES: Final = 1_200


class InvalidRunError(RuntimeError):
    """The player did not move, or no cell was loaded, so the run measures nothing."""


class Flight:
    """Plays frames of a game that draws the world around the player through a camera."""

    def __init__(self, window: arcade.Window, way: Any, x: float, y: float) -> None:
        self.window, self.way, self.x, self.y = window, way, x, y
        self.camera = arcade.Camera2D()
        self.ours_ms: list[float] = []
        self.frame_ms: list[float] = []
        self.draw_ms: list[float] = []
        self.there = 0

    def frame(self) -> None:
        clock, way, window = time.perf_counter, self.way, self.window
        began = clock()
        way.begin()
        update = clock()
        way.update(self.x, self.y)
        updated = clock()
        self.camera.position = (self.x, self.y)
        window.clear()
        with self.camera.activate():
            way.draw()
        drawn = clock()
        # A software renderer draws when a call waits for it: its time belongs to the drawing.
        window.ctx.finish()
        finished = clock()
        window.ctx.gc()  # deletes dead OpenGL objects, as `flip` does; that counts, too
        ended = clock()
        way.end()
        self.ours_ms.append((updated - update + ended - finished) * 1e3)
        self.draw_ms.append((drawn - updated) * 1e3)
        self.frame_ms.append((ended - began) * 1e3)
        self.there += way.there(self.x, self.y)
        left = FRAME_S - (clock() - began)
        if left > 0:
            time.sleep(left)

    def frames(self, count: int) -> None:
        for _ in range(count):
            self.frame()

    def settle(self) -> int:
        for number in range(_MOST_FRAMES):
            if number > 1 and self.way.settled:
                return number
            self.frame()
        raise InvalidRunError("the world never came to rest")

    def forget(self) -> None:
        """Drops the measurements so far."""
        for one in (self.ours_ms, self.draw_ms, self.frame_ms, self.way.latencies):
            one.clear()
        self.there = 0

    def fly(self, frames: int, turn: Callable[[int], tuple[float, float]]) -> float:
        """Flies in the direction of ``turn(frame)``. Returns the distance in pixels."""
        way = 0.0
        for number in range(frames):
            x, y = turn(number)
            way += math.hypot(x - self.x, y - self.y)
            self.x, self.y = x, y
            self.frame()
        return way

    def figures(self) -> dict[str, float]:
        ours, frame, late = map(sorted, (self.ours_ms, self.frame_ms, self.way.latencies))
        return {
            "mean_ms": fmean(ours),
            "p50_ms": percentile(ours, 0.5),
            "p99_ms": percentile(ours, 0.99),
            "max_ms": ours[-1],
            "over_16": sum(one > 1000 / 60 for one in ours),
            "over_33": sum(one > 1000 / 30 for one in ours),
            "frame_max_ms": frame[-1],
            "frames_over_16": sum(one > 1000 / 60 for one in frame),
            "frames_over_33": sum(one > 1000 / 30 for one in frame),
            "draw_p50_ms": percentile(sorted(self.draw_ms), 0.5),
            "visible_p50_ms": percentile(late, 0.5) * 1e3 if late else math.nan,
            "visible_p99_ms": percentile(late, 0.99) * 1e3 if late else math.nan,
            "frames": len(ours),
            "there": self.there,
        }


def flight(root: Path, way: str, cells: int, speed: int, seconds: int) -> dict[str, float]:
    """S1 and S2: straight ahead, reflected at the edges of the world."""
    window = arcade.Window(*SIZE, "benchmark")
    window.ctx.default_atlas.resize((4096, 4096))  # so that the baseline's never has to grow
    one: Any
    if way == "naive":
        before = resident_mb()
        one = Naive(root, cells)
    else:
        garbage = GarbageScheduler(take_over=True) if way == "quiet" else None
        one = Ours(window, root, f"grid_{cells}_{EACH}", garbage=garbage)
        before = one.before_mb
    edge = cells * CELL
    start = edge * 0.3
    run = Flight(window, one, start, start)
    run.settle()
    run.frames(60)
    gc.collect()
    run.forget()
    loads = one.loads if way == "naive" else one.world.statistics().loads

    def turn(number: int) -> tuple[float, float]:
        gone = speed * FRAME_S * (number + 1)
        return _mirrored(start + gone, edge), _mirrored(start + gone * 0.2, edge)

    gone = run.fly(seconds * 60, turn)
    now = one.loads if way == "naive" else one.world.statistics().loads
    if gone < speed * seconds * 0.99 or now <= loads:
        raise InvalidRunError(f"{gone:.0f} pixels flown, {now - loads} cells loaded")
    found = run.figures()
    found["loads"] = now - loads
    found["mb"] = resident_mb() - before
    one.close()
    return found


def _mirrored(place: float, edge: float) -> float:
    place %= 2 * edge
    return min(place, 2 * edge - place)


def upfront(root: Path, cells: int) -> dict[str, float]:
    """Baseline (a): everything is built before the game begins."""
    window = arcade.Window(*SIZE, "benchmark")
    window.ctx.default_atlas.resize((4096, 4096))
    before = resident_mb()
    began = time.perf_counter()
    way = Naive(root, cells)
    whole = [way.load((column, row)) for column in range(cells) for row in range(cells)]
    for one in whole:
        one.write_sprite_buffers_to_gpu()
    seconds = time.perf_counter() - began
    sprites = sum(map(len, whole))
    window.ctx.finish()
    return {"seconds": seconds, "mb": resident_mb() - before, "sprites": sprites}


def dropped(root: Path, cells: int, radius: int) -> dict[str, float]:
    """S8: unloads all cells around the player at once; also the time of loading and unloading."""
    window = arcade.Window(*SIZE, "benchmark")
    one = Ours(
        window,
        root,
        f"grid_{cells}_{EACH}",
        load_distance=radius * CELL,
        residency_s=0.0,
        garbage=GarbageScheduler(take_over=True),
    )
    middle = cells * CELL / 2
    run = Flight(window, one, middle, middle)
    run.settle()
    run.frames(30)
    rest = sorted(run.ours_ms[-20:])[10]
    active = one.world.statistics().live_cells[CellState.ACTIVE]
    entities = one.world.statistics().entities
    coming = sum(max(0.0, ms - rest) for ms in run.ours_ms)
    run.forget()
    run.x = run.y = -1000 * CELL
    one.world.player.jump((run.x, run.y))
    frames = run.settle()
    going = sum(max(0.0, ms - rest) for ms in run.ours_ms)
    if one.world.statistics().entities or active < 10:
        raise InvalidRunError(f"{active} cells were there, and not all are gone")
    found = run.figures()
    one.close()
    return {
        **found,
        "cells": active,
        "entities": entities,
        "going_frames": frames,
        "coming_us": coming / active * 1e3,
        "going_us": going / active * 1e3,
    }


def monster(root: Path, cells: int) -> dict[str, float]:
    """S9: jumps to a cell with 20,000 entities, and measures how soon its neighbours appear."""
    window = arcade.Window(*SIZE, "benchmark")
    garbage = GarbageScheduler(take_over=True)
    one = Ours(window, root, f"grid_{cells}_{EACH}", garbage=garbage, load_distance=CELL)
    run = Flight(window, one, -100 * CELL, 0)
    run.settle()
    run.frames(30)
    run.forget()
    middle = cells // 2
    run.x = run.y = (middle + 0.5) * CELL
    one.world.player.jump((run.x, run.y))
    began = time.perf_counter()
    times: dict[Any, float] = {}

    def note(event: Any) -> None:
        if event.after is CellState.ACTIVE:
            times[event.cell] = time.perf_counter() - began

    one.world.add_listener(note)
    run.settle()
    run.frames(2)  # listeners are told of it
    entities = one.world.statistics().entities
    large = next(cell for cell in times if (cell.column, cell.row) == (middle, middle))
    others = sorted(seconds for cell, seconds in times.items() if cell != large)
    if len(others) < 4:
        raise InvalidRunError("there are no neighbours")
    found = run.figures()
    one.close()
    return {
        **found,
        "entities": entities,
        "monster_s": times[large],
        "neighbours_s": fmean(others),
        "last_neighbour_s": others[-1],
    }


def teleports(root: Path, cells: int, count: int) -> dict[str, float]:
    """S6: far points, one after the other, each for the first time and once more."""
    window = arcade.Window(*SIZE, "benchmark")
    one = Ours(window, root, f"grid_{cells}_{EACH}", garbage=GarbageScheduler(take_over=True))
    run = Flight(window, one, 0.5 * CELL, 0.5 * CELL)
    run.settle()
    chance = random.Random(1)
    points = [tuple(chance.uniform(CELL, (cells - 1) * CELL) for _ in "xy") for _ in range(count)]
    found: dict[str, list[float]] = {"cold": [], "warm": [], "frames": []}
    loads = one.world.statistics().loads
    for turn in ("cold", "warm"):
        for x, y in points:
            began, frames = time.perf_counter(), 0
            request = one.world.teleport((x, y))
            while not request.done:
                run.frame()
                frames += 1
            if request.error is not None:
                raise request.error
            found[turn].append((time.perf_counter() - began) * 1e3)
            if turn == "warm":
                found["frames"].append(frames)
            run.x, run.y = x, y
            run.frames(20)
    if one.world.statistics().loads < loads + 5 * count:
        raise InvalidRunError("hardly anything was loaded")
    one.close()
    return {name: percentile(sorted(values), 0.99) for name, values in found.items()} | {
        "cold_p50": median(found["cold"]),
        "warm_p50": median(found["warm"]),
    }


def held(root: Path, cells: int) -> dict[str, float]:
    """S9: measures how long a loader thread holds the interpreter while it decodes 20,000 entities.

    In the idle time of frames, when loader threads run, the main thread gives the interpreter away
    and takes it back all the time, as each call of OpenGL does; a thread that holds the interpreter
    shows as a gap. The same without a load shows the gaps that the machine itself causes.
    """
    with AssetPipeline(root, processors=[texture_processor()]) as pipeline:
        loader = AsyncPrefabLoader(pipeline)
        middle = cells // 2
        name = f"worlds/grid_{cells}_{EACH}.ron#c{middle}_{middle}"
        gaps: list[float] = []
        quiet: list[float] = []
        try:
            for _ in range(9):
                handle = loader.load(name)
                if handle.done:
                    raise InvalidRunError("the cell was in the cache")
                worst = 0.0
                while not handle.done:
                    worst = max(worst, _longest_gap(loader))
                if handle.error is not None:
                    raise handle.error
                gaps.append(worst * 1e3)
                del handle  # nothing holds it any more, and the cache drops it
                loader.drain(0.001)
                loader.evict(name)
                quiet.append(max(_longest_gap(loader) for _ in range(10)) * 1e3)
        finally:
            loader.close()
    return {"held_ms": percentile(sorted(gaps), 0.5), "quiet_ms": percentile(sorted(quiet), 0.5)}


def _longest_gap(loader: AsyncPrefabLoader) -> float:
    """Plays a frame. Returns the longest wait for the interpreter in its idle time, in seconds."""
    loader.begin_frame()
    loader.drain(0.001)
    due = time.perf_counter() + FRAME_S
    loader.end_frame(due)
    worst, last = 0.0, time.perf_counter()
    while last < due:
        time.sleep(0)
        now = time.perf_counter()
        worst, last = max(worst, now - last), now
    return worst


def sizes(root: Path, cells: int, each: int, seconds: int) -> dict[str, float]:
    """S18: opens worlds of several sizes, stands still, and flies in a circle in the middle."""
    window = arcade.Window(*SIZE, "benchmark")
    one = Ours(window, root, f"grid_{cells}_{each}", garbage=GarbageScheduler(take_over=True))
    middle = cells * CELL / 2
    radius = min(2.5, cells / 4) * CELL
    run = Flight(window, one, middle + radius, middle)
    run.settle()
    run.frames(30)
    gc.collect()
    run.forget()
    world, plugin = one.world, one.plugin
    still: list[float] = []
    without: list[float] = []
    frames = 60 if seconds > 5 else 30 if seconds > 3 else 10
    for _ in range(4):  # in turns: with the world's part of the plugin's update, and without
        run.forget()
        run.frames(frames)
        still += run.ours_ms
        run.forget()
        plugin._worlds, kept = [], plugin._worlds
        run.frames(frames)
        plugin._worlds = kept
        without += run.ours_ms
    run.forget()
    loads = world.statistics().loads

    def turn(number: int) -> tuple[float, float]:
        angle = 600 * FRAME_S * (number + 1) / radius
        return middle + radius * math.cos(angle), middle + radius * math.sin(angle)

    run.fly(seconds * 60, turn)
    if world.statistics().loads <= loads:
        raise InvalidRunError("nothing was loaded")
    found = run.figures()
    one.close()
    return {
        **found,
        "open_ms": one.open_s * 1e3,
        "still_ms": median(still),
        "without_ms": median(without),
        "mb": resident_mb() - one.before_mb,
    }


if __name__ == "__main__":
    chosen, folder, *rest = sys.argv[1:]
    parts: dict[str, Callable[..., Any]] = {
        "write": write_world,
        "upfront": upfront,
        "dropped": dropped,
        "monster": monster,
        "held": held,
        "teleports": teleports,
        "sizes": sizes,
    }
    numbers = [int(one) for one in rest if not one.isalpha()]
    if chosen in parts:
        print(json.dumps(parts[chosen](Path(folder), *numbers)))
    else:
        print(json.dumps(flight(Path(folder), chosen, *numbers)))
