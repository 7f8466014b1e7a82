"""Killing an entity's sprite ends the entity, as a game that knows Arcade expects."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import arcade
import pytest

from arcade_prefabs import ComponentRegistry, Entity, EntityState

WALL = """Prefab(components: [
    Sprite(texture: "images/red.png"), Collider(shape: Box(32, 32), solid: true), Mark(),
])"""
TANK = """Prefab(
    components: [Sprite(texture: "images/red.png"), Mark()],
    children: [
        (name: "turret", prefab: "turret", at: (0, 20)),
        (name: "flag", prefab: "crate", at: (0, 40)),
    ],
)"""
TURRET = """Prefab(
    components: [Sprite(texture: "images/red.png"), Mark()],
    children: [(name: "barrel", prefab: "crate", at: (0, 20))],
)"""


@dataclass
class Mark:
    """A component of the tests."""


@pytest.fixture
def scene(stage: Any, picture_of: Callable[..., bytes]) -> Any:
    registry = ComponentRegistry()
    registry.component(Mark)
    label = 'Text(text: "hello")'
    files = {
        "prefabs/crate.ron": 'Prefab(components: [Sprite(texture: "images/red.png"), Mark()])',
        "prefabs/wall.ron": WALL,
        "prefabs/turret.ron": TURRET,
        "prefabs/tank.ron": TANK,
        "prefabs/sign.ron": f"Prefab(components: [{label}])",
        "prefabs/board.ron": f'Prefab(components: [Sprite(texture: "images/red.png"), {label}])',
        "images/red.png": picture_of((255, 0, 0)),
    }
    made = stage(files, registry=registry)
    made.gone = []
    made.prefabs.entities.on_despawn(Mark)(lambda entity, _mark: made.gone.append(entity))
    return made


def by_kill(entity: Entity) -> None:
    entity.sprite.kill()


def by_removal_from_all(entity: Entity) -> None:
    entity.sprite.remove_from_sprite_lists()


def by_removal_from_the_list(entity: Entity) -> None:
    sprite = entity.sprite
    sprite.sprite_lists[0].remove(sprite)  # the one that is drawn; a wall is in another one, too


def by_pop(entity: Entity) -> None:
    lists = entity.sprite.sprite_lists
    assert lists[0].pop(lists[0].index(entity.sprite)) is entity.sprite


ENDS = [by_kill, by_removal_from_all, by_removal_from_the_list, by_pop]
LISTS = ["own", "list", "scene", "mapping"]


def target(where: str) -> Any:
    if where == "own":
        return None
    if where == "scene":
        made = arcade.Scene()
        made.add_sprite_list("default")
        return made
    return arcade.SpriteList() if where == "list" else {"default": arcade.SpriteList()}


@pytest.mark.parametrize("where", LISTS)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("prefab", ["crate", "wall"])
def test_an_entity_ends_with_its_sprite(scene: Any, prefab: str, end: Any, where: str) -> None:
    """Its hooks run once, its walls go, and nobody finds it any more; others stay."""
    lists = target(where)
    stays, goes = (scene.spawn(prefab, (n * 90, 0), scene=lists) for n in range(2))
    sprite, walls = goes.sprite, len(scene.prefabs.walls)
    end(goes)
    scene.frame()
    assert goes.state is EntityState.DESPAWNED
    assert scene.gone == [goes]
    assert list(scene.prefabs.entities) == [stays]
    assert stays.alive
    assert scene.prefabs.entities.of_sprite(sprite) is None
    assert len(scene.prefabs.walls) == walls // 2
    assert sprite.sprite_lists == []
    scene.frame(3)
    assert scene.gone == [goes]


@pytest.mark.parametrize("where", LISTS)
def test_a_sprite_that_changes_its_list_keeps_its_entity(scene: Any, where: str) -> None:
    """Games move sprites between lists; from then on the new list counts."""
    crate = scene.spawn("crate", scene=target(where))
    sprite, other = crate.sprite, arcade.SpriteList()
    sprite.remove_from_sprite_lists()
    other.append(sprite)
    scene.frame(40)
    assert crate.alive
    other.remove(sprite)
    scene.frame(40)
    assert not crate.alive


def test_a_wall_that_is_opened_keeps_its_entity(scene: Any) -> None:
    """Out of the list of walls it stops nothing, but it is drawn."""
    door = scene.spawn("wall")
    (walls,) = scene.prefabs.walls.lists
    walls.remove(door.sprite)
    scene.frame(40)
    assert door.alive


def test_of_a_killed_child_that_part_alone_ends(scene: Any) -> None:
    """With its own children; the whole stays, and its other parts."""
    tank = scene.spawn("tank")
    turret, barrel, flag = tank.child("turret"), tank.child("turret/barrel"), tank.child("flag")
    turret.sprite.kill()
    scene.frame()
    assert (tank.alive, flag.alive, turret.alive, barrel.alive) == (True, True, False, False)
    assert tank.children == (flag,)
    assert scene.gone == [turret, barrel]
    tank.sprite.kill()
    scene.frame()
    assert scene.gone == [turret, barrel, tank, flag]
    assert flag.sprite is None


def test_a_text_that_is_killed_ends_its_entity_if_that_has_nothing_else(scene: Any) -> None:
    """A sign is its text; a board is there without it."""
    sign, board = scene.spawn("sign"), scene.spawn("board")
    for one in (sign, board):
        one.sprites[-1].kill()
    scene.frame()
    assert (sign.alive, board.alive) == (False, True)


def test_a_sprite_that_the_game_found_by_itself_is_missed_in_its_own_list_a_moment_later(
    scene: Any,
) -> None:
    """Of 600 entities in a list of the game some are looked at in each quarter of a second."""
    level = arcade.SpriteList()
    crates = [scene.prefabs.spawn("crate", scene=level) for _ in range(600)]
    scene.until(lambda: all(one.alive for one in crates))
    for sprite in list(level)[::2]:
        sprite.kill()
    scene.frame(90)
    assert [one.alive for one in crates] == [False, True] * 300


def test_a_list_of_the_game_that_is_cleared_and_filled_again_keeps_its_entities(
    scene: Any,
) -> None:
    """Cleared is not killed: the game may have its reasons."""
    level = arcade.SpriteList()
    crates = [scene.spawn("crate", scene=level) for _ in range(3)]
    sprites = [one.sprite for one in crates]
    level.clear()
    scene.frame(200)
    level.extend(sprites)
    scene.frame(30)
    assert all(one.alive for one in crates)
    level.remove(sprites[0])
    later = scene.spawn("crate", scene=level)
    later.sprite.kill()
    scene.frame(30)
    assert not later.alive


def test_what_is_killed_twice_or_despawned_as_well_ends_once(scene: Any) -> None:
    """In the same frame, and in its own hook."""
    one, two = scene.spawn("crate"), scene.spawn("crate")
    sprites = [one.sprite, two.sprite]
    scene.prefabs.entities.on_despawn(Mark)(lambda entity, _: entity.sprite.kill())
    one.sprite.kill()
    one.sprite.kill()
    one.despawn()
    two.despawn()
    scene.frame(3)
    assert scene.gone == [one, two]
    assert not any(sprite.sprite_lists for sprite in sprites)


def test_a_sprite_that_was_despawned_is_not_kept(scene: Any) -> None:
    """Not even until the frame ends, nor by a plugin that has ended."""
    crate, level = scene.spawn("crate"), arcade.SpriteList()
    other = scene.spawn("crate", scene=level)
    scene.close()
    for entity in (crate, other):
        sprite = weakref.ref(entity.sprite)
        entity.sprite.kill()
        entity.despawn()
        assert sprite() is None


def test_an_on_spawn_hook_may_kill(scene: Any) -> None:
    """What is killed before all of it was shown ends with that frame."""
    scene.prefabs.entities.on_spawn(Mark)(lambda entity, _: entity.sprite.kill())
    crate = scene.spawn("crate")
    assert crate.alive
    scene.frame(2)
    assert not crate.alive


def test_what_was_killed_in_the_last_frame_has_its_hooks_when_the_plugin_ends(scene: Any) -> None:
    """There is no further frame."""
    crate = scene.spawn("crate")
    crate.sprite.kill()
    scene.close()
    assert scene.gone == [crate]
