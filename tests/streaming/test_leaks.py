"""Entities and cells that are gone leave nothing in memory."""

from __future__ import annotations

import gc
import math
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arcade
import pytest

from arcade_prefabs import CellState

Make = Callable[..., Any]


def lap(one: Any, frames: int = 60, radius: float = 700.0) -> None:
    """Flies the player once around a figure of eight."""
    for number in range(frames):
        angle = 2 * math.pi * number / frames
        one.x, one.y = radius * math.sin(angle), radius * math.sin(angle) * math.cos(angle)
        one.frame()
        one.on.window.ctx.gc()  # as `flip` does


def counts(one: Any) -> dict[str, int]:
    """Returns how many objects of each kind are alive once the player is in an empty area."""
    one.put(20_000, 20_000)
    one.frame(150)
    one.settle()
    for _ in range(3):
        gc.collect()
        one.on.window.ctx.gc()
        one.frame(2)
    objects = gc.get_objects()
    stats = one.on.window.ctx.stats
    parts = one.world._open.parts
    journal = parts.journal
    return {
        "sprites": sum(isinstance(each, arcade.BasicSprite) for each in objects),
        "lists": sum(isinstance(each, arcade.SpriteList) for each in objects),
        "buffers": stats.buffer[0] - stats.buffer[1],
        "geometries": stats.geometry[0] - stats.geometry[1],
        "textures": len(one.prefabs.atlas.textures),
        "threads": threading.active_count(),
        "entities": len(one.prefabs.entities),
        "residents": len(parts.population.residents),
        "live_cells": len(one.world.live_cells),
        "rows": len(journal._rows) + len(journal._by_cell) + len(journal._new),
        "reading": len(journal._reading),
        "shared": len(parts.memory_budget._shared),
        "held": one.prefabs.loader.statistics().cache.entries
        - one.prefabs.loader.statistics().cache.idle_entries,
        "walls": len(one.world.walls.lists),
    }


@pytest.mark.long
def test_laps_leave_nothing_behind(world_on: Make, text_of: Make) -> None:
    """S4: a figure of eight, lap after lap: as much is alive after the last as after the first."""
    one = world_on(text_of(range(-10, 10), range(-6, 6)), residency_s=0.1)
    one.put(0, 0)
    one.settle()
    for _ in range(2):
        lap(one)
    before = counts(one)
    loads = one.world.statistics().loads
    for _ in range(4):  # a hundred are below
        lap(one)
    assert counts(one) == before
    assert one.world.statistics().loads > loads + 100
    lifecycle = one.world._open.lifecycle
    assert sum(lifecycle.counts.values()) == len(one.world.live_cells)
    assert min(lifecycle.counts.values()) >= 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the memory")
def test_a_hundred_laps_take_no_more_memory(world_on: Make, text_of: Make) -> None:
    """S4: memory of the process after lap 10 and after lap 100."""
    one = world_on(text_of(range(-10, 10), range(-6, 6)), residency_s=0.1)
    one.put(0, 0)
    one.settle()
    found = {}
    for number in range(1, 101):
        lap(one)
        one.events.clear()
        one.on.log._events.clear()
        if number in (10, 100):
            found[number] = (counts(one), resident_kb())
    assert found[100][0] == found[10][0]
    assert found[100][1] < found[10][1] * 1.02


def resident_kb() -> int:
    """Returns the resident memory of this process, in kB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def test_a_closed_world_is_gone(world_on: Make, text_of: Make) -> None:
    """Nothing holds it, its sprites or its lists."""
    one = world_on(text_of(range(-3, 3), range(-3, 3)))
    one.put(0, 0)
    one.settle()
    live = next(iter(one.world.live_cells.values()))
    seen = [
        weakref.ref(one.world),
        weakref.ref(live.lists.all()[0]),
        weakref.ref(next(iter(one.world.entities())).sprite),
    ]
    one.world.close()
    one.frame = None
    del live
    one.world = one.prefabs  # the stage closes it once more
    one.close = lambda: None
    one.events.clear()
    one.on.frame(5)
    one.prefabs._worlds.clear()
    gc.collect()
    assert [each() for each in seen] == [None, None, None]
    assert len(one.prefabs.entities) == 0


def test_two_hundred_cells_are_dropped_in_slices(world_on: Make, text_of: Make) -> None:
    """S8, on a clock that ticks with the work: no frame takes more than the budget and a bit."""
    one = world_on(
        text_of(range(-8, 8), range(-8, 8), 12),
        options={"step_s": 0.00002},
        residency_s=0.0,
        load_distance=100.0,
    )
    one.put(0, 0)
    one.settle()
    request = one.world.preload((-750, -750, 690, 690), lease_s=0.5)
    one.until(lambda: request.done, 3000)
    assert request.error is None
    assert len(one.cells()) >= 200
    one.events.clear()
    spent = []
    while len(one.cells()) > 20 or one.world.busy:
        one.frame()
        spent.append(one.prefabs.report.spent_s)
        assert len(spent) < 2000
    gone = [event for event in one.events if event.after is CellState.UNLOADED]
    assert len(gone) >= 180
    assert max(spent) <= 0.003
    assert len(one.prefabs.entities) == 12 * len(one.cells())


def test_hooks_are_paired_over_streaming(world_on: Make, text_of: Make) -> None:
    """`on_despawn` for each `on_spawn`, whether a cell is unloaded or the world closed."""
    from arcade_prefabs.prefab.builtin import Tags

    files = {
        "prefabs/tree.ron": 'Prefab(components: [Sprite(texture: "images/tree.png"), Tags(["x"])])'
    }
    one = world_on(text_of(range(-4, 4), range(-4, 4)), files, residency_s=0.0)
    alive: dict[str, int] = {}
    entities = one.prefabs.entities

    @entities.on_spawn(Tags)
    def come(entity: Any, _tags: Any) -> None:
        alive[one.world.id_of(entity)] = alive.get(one.world.id_of(entity), 0) + 1

    @entities.on_despawn(Tags)
    def go(entity: Any, _tags: Any) -> None:
        name = one.world.id_of(entity)
        assert name is not None, "it still belongs to the world in its last hook"
        alive[name] -= 1

    one.put(0, 0)
    one.settle()
    trees = {name for name in one.names() if name.startswith("tree")}
    assert {name for name, count in alive.items() if count == 1} == trees
    lap(one, 40, 300)
    one.put(0, 0)
    one.settle()
    one.frame(5)
    trees = {name for name in one.names() if name.startswith("tree")}
    assert {name for name, count in alive.items() if count == 1} == trees
    assert set(alive.values()) <= {0, 1}
    one.world.close()
    assert set(alive.values()) == {0}


@pytest.mark.parametrize("how", ["destroy", "close", "teleport", "spawn", "raise"])
def test_hooks_may_do_anything(world_on: Make, text_of: Make, how: str) -> None:
    """What a hook does while cells come and go leaves a sound world."""
    from arcade_prefabs.prefab.builtin import Tags

    files = {
        "prefabs/tree.ron": 'Prefab(components: [Sprite(texture: "images/tree.png"), Tags(["x"])])'
    }
    one = world_on(text_of(range(-4, 4), range(-4, 4)), files, residency_s=0.0)
    entities = one.prefabs.entities
    done: list[str] = []

    @entities.on_spawn(Tags)
    def come(entity: Any, _tags: Any) -> None:
        name = one.world.id_of(entity)
        done.append(name)
        if how == "destroy" and name.endswith("0"):
            entity.despawn()
        elif how == "close" and len(done) == 5:
            one.world.close()
        elif how == "teleport" and len(done) == 5:
            one.world.teleport((300, 300))
        elif how == "spawn" and len(done) < 20:
            one.world.add("rock", entity.position)
        elif how == "raise" and name.endswith("2"):
            raise RuntimeError("a bad day")

    @entities.on_despawn(Tags)
    def go(entity: Any, _tags: Any) -> None:
        entity.despawn()

    one.put(0, 0)
    for _ in range(30):
        if one.world.closed:
            break
        one.frame()
    if how == "close":
        assert one.world.closed
        one.on.frame(10)
        assert len(entities) == 0
        return
    one.settle()
    names = one.names()
    if how == "destroy":
        assert not any(name.startswith("tree") and name.endswith("0") for name in names)
        one.put(350, 350)
        one.settle()
        one.frame(20)
        one.put(0, 0)
        one.settle()
        again = [name for name in done if name.endswith("0")]
        assert len(again) == len(set(again)), "a destroyed one came back"
    elif how == "raise":
        assert any(name.endswith("2") for name in one.world.failures)
        assert not any(name.startswith("tree") and name.endswith("2") for name in names)
    elif how == "spawn":
        assert sum(name.startswith("+") for name in names) >= 10
    assert len(names) == len(one.world._open.parts.population.residents) - len(one.world.failures)
