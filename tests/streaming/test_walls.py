"""Arcade's physics engines collide with the walls of active cells, and with no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import arcade
import pytest

Make = Callable[..., Any]

FILES = {
    f"prefabs/{name}.ron": f"""Prefab(components: [
        Sprite(texture: "images/rock.png"),
        Collider(shape: Box(width: 32, height: 32), group: "{name}"),
    ])"""
    for name in ("floor", "ladder", "lift")
}
WORLD = """World(cell_size: 100, entities: [
    (prefab: "floor", id: "here", at: (50, 0)), (prefab: "floor", id: "far", at: (950, 0)),
    (prefab: "ladder", id: "up", at: (1450, 50)), (prefab: "lift", id: "lift", at: (1950, 0)),
])"""


def settled(one: Any, x: float) -> None:
    """Moves the player, and plays frames until all around is loaded and all else unloaded."""
    one.put(x, 50)
    one.settle()
    one.frame(200)
    one.settle()


def fall(engine: Any, player: Any, x: float, frames: int = 60) -> float:
    """Drops a sprite; returns the height of its lower edge at the end."""
    player.position, player.change_y, player.change_x = (x, 60), 0, 0
    for _ in range(frames):
        engine.update()
    return float(player.bottom)


@pytest.mark.parametrize("how", ["argument", "in a list", "property", "connect"])
def test_a_floor_that_streams_in_after_the_engine_was_made_holds(world_on: Make, how: str) -> None:
    """Handed over once, in whatever way, before there was anything; and gone with its cell."""
    one = world_on(WORLD, FILES)
    player = arcade.SpriteSolidColor(20, 20)
    walls = one.world.walls
    given = {"argument": walls, "in a list": [walls]}.get(how)
    engine = arcade.PhysicsEnginePlatformer(player, walls=given)
    if how == "property":
        engine.walls = walls
    elif how == "connect":
        walls.connect(engine)
    assert len(engine.walls) == 1
    assert fall(engine, player, 50) < -100
    settled(one, 50)
    assert fall(engine, player, 50) == pytest.approx(16, abs=1)
    assert engine.can_jump()
    settled(one, 950)
    assert fall(engine, player, 50) < -100
    assert fall(engine, player, 950) == pytest.approx(16, abs=1)
    one.world.entity("far").despawn()
    assert fall(engine, player, 950) < -100
    walls.disconnect(engine)
    assert engine.walls == []


def test_the_simple_engine_stops_at_what_came_later(world_on: Make) -> None:
    """And goes through where it was, once its cell is gone."""
    one = world_on(WORLD, FILES)
    player = arcade.SpriteSolidColor(20, 20)
    engine = arcade.PhysicsEngineSimple(player, one.world.walls)

    def walk() -> float:
        player.position, player.change_x = (-20, 0), 4
        for _ in range(40):
            engine.update()
        return float(player.center_x)

    assert walk() == 140
    settled(one, 50)
    assert walk() < 50
    settled(one, 950)
    assert walk() == 140


def test_ladders_and_platforms_follow_the_world(world_on: Make) -> None:
    """Each takes the group of its own; a lift moves whoever stands on it."""
    one = world_on(WORLD, FILES)
    player = arcade.SpriteSolidColor(20, 20)
    group = one.world.walls.group
    engine = arcade.PhysicsEnginePlatformer(
        player, walls=group("floor"), ladders=group("ladder"), platforms=group("lift")
    )
    settled(one, 50)
    assert fall(engine, player, 50) == pytest.approx(16, abs=1)
    player.position = (1450, 50)
    assert not engine.is_on_ladder()
    settled(one, 1450)
    assert engine.is_on_ladder()
    assert fall(engine, player, 1450, 1) == 50  # no gravity there
    settled(one, 1950)
    assert not any(one.world.walls.group("ladder"))
    lift = one.world.entity("lift").sprite
    lift.change_y, lift.boundary_top = 1, 200
    assert fall(engine, player, 1950) > lift.top - 2 > 60


def test_walls_of_a_world_and_of_the_plugin_are_alike(world_on: Make) -> None:
    """The same operations, the same answers, for Arcade's collisions, too."""
    one = world_on(WORLD, FILES)
    settled(one, 50)
    one.on.spawn("floor", (50, 0))
    other = one.prefabs.walls
    assert type(one.world.walls) is type(other)
    player = arcade.SpriteSolidColor(20, 20, 50, 0)
    for walls in (one.world.walls, other):
        [wall] = walls
        assert (len(walls), walls[0], list(walls.group("floor"))) == (1, wall, [wall])
        assert wall in walls
        assert wall in walls.group("floor")
        assert wall not in walls.group("lift")
        for method in (0, 1, 3):
            assert arcade.check_for_collision_with_list(player, walls, method) == [wall]
        assert arcade.get_sprites_at_point((50, 0), walls) == [wall]
        assert arcade.get_sprites_in_rect(arcade.LBWH(40, -10, 20, 20), walls) == [wall]
        assert walls.group("floor") is walls.group("floor")
        assert bool(walls.group("nobody"))
        assert len(walls.group("nobody")) == 0


@pytest.mark.parametrize("taken_out", [False, True])
def test_pymunk_keeps_no_wall_of_a_cell_that_is_gone(world_on: Make, taken_out: bool) -> None:
    """Its engine holds sprites of its own; the game may have taken them out before."""
    one = world_on(WORLD, FILES)
    settled(one, 50)
    engine = arcade.PymunkPhysicsEngine(gravity=(0, -900))
    static = arcade.PymunkPhysicsEngine.STATIC
    (wall,) = one.world.walls.group("floor")
    engine.add_sprite(wall, body_type=static)
    if taken_out:
        engine.remove_sprite(wall)
    settled(one, 1950)
    assert list(engine.sprites) == []
    assert len(engine.space.shapes) == 0
    engine.step()


def test_pymunk_keeps_no_wall_of_an_entity_that_is_despawned(world_on: Make) -> None:
    one = world_on(WORLD, FILES)
    settled(one, 50)
    engine = arcade.PymunkPhysicsEngine()
    (wall,) = one.world.walls.group("floor")
    engine.add_sprite(wall, body_type=arcade.PymunkPhysicsEngine.STATIC)
    one.world.entity("here").despawn()
    one.settle()
    assert list(engine.sprites) == []
