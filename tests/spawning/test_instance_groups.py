"""Many entities of one prefab: instances that look, collide and end like entities."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import arcade
import pytest

from arcade_prefabs import ComponentRegistry, EntityState, PluginError, SpawnError
from arcade_prefabs.errors import UnsafePathError
from arcade_prefabs.window.arcade_private import can_hold_instances

Stages = Callable[..., Any]


@dataclass
class Coin:
    """A component of the tests."""

    value: int = 1


@pytest.fixture
def registry() -> ComponentRegistry:
    made = ComponentRegistry()
    made.component(Coin)
    return made


@pytest.fixture
def files(picture_of: Callable[..., bytes]) -> dict[str, str | bytes]:
    return {
        "images/red.png": picture_of((255, 0, 0), (16, 12)),
        "images/green.png": picture_of((0, 255, 0), (10, 10)),
        "images/blue.png": picture_of((0, 0, 255), (8, 20)),
        "prefabs/coin.ron": """Prefab(components: [
            Sprite(texture: "images/red.png", color: (200, 255, 255), flip_horizontal: true,
                offset: (3, 1), angle: 15, scale: 1.5),
            Coin(value: 5), Tags(["gold"]),
        ])""",
        "prefabs/wall.ron": """Prefab(components: [
            Sprite(texture: "images/blue.png"), Collider(shape: Box(20, 20), solid: true),
        ])""",
        "prefabs/tree.ron": """Prefab(
            components: [Sprite(texture: "images/blue.png", layer: "trunks")],
            children: [
                (name: "crown", prefab: "crown", at: (0, 14), rotation: 20, scale: 1.5),
                (name: "coin", prefab: "coin", at: (8, 0)),
            ],
        )""",
        "prefabs/crown.ron": """Prefab(
            components: [Sprite(texture: "images/green.png", layer: "crowns")],
            children: [(name: "root", prefab: "crown2", at: (0, 6))],
        )""",
        "prefabs/crown2.ron": 'Prefab(components: [Sprite(texture: "images/red.png", '
        'layer: "trunks")])',
        "prefabs/sign.ron": 'Prefab(components: [Text(text: "hello", font_size: 12)])',
        "prefabs/empty.ron": "Prefab(components: [Coin()])",
        "prefabs/lost.ron": 'Prefab(components: [Sprite(texture: "images/nowhere.png")])',
    }


def grid(count: int, step: int = 30) -> list[tuple[float, float]]:
    return [(20 + number % 12 * step, 20 + number // 12 * step) for number in range(count)]


def grown(stage: Any, prefab: str, *arguments: Any, **options: Any) -> Any:
    """A group that is alive."""
    group = stage.prefabs.spawn_many(prefab, *arguments, **options)
    stage.until(lambda: group.alive or group.error)
    stage.frame(3)
    return group


@pytest.mark.parametrize("prefab", ["coin", "wall", "tree"])
@pytest.mark.parametrize("touched", [0, 1, 2])
def test_a_group_looks_like_entities(
    stage: Stages,
    files: dict[str, Any],
    registry: ComponentRegistry,
    prefab: str,
    touched: int,
) -> None:
    """As instances, half of them promoted, and all: the same picture as entities."""
    one = stage(files, registry=registry)
    places = grid(40, 31)
    angles = [number * 7.0 for number in range(40)]
    scales = [0.5 + number / 40 for number in range(40)]
    alone = [
        one.spawn(prefab, at, angle=angle, scale=scale)
        for at, angle, scale in zip(places, angles, scales, strict=True)
    ]
    wanted = one.picture().tobytes()
    where = [(entity.position, entity.angle, entity.scale) for entity in alone]
    one.prefabs.clear()
    one.frame(5)

    group = grown(one, prefab, places, angle=angles, scale=scales)
    assert (len(group), group.promoted, group.instances) == (40, 0, 40)
    if touched:
        found = group[::touched]
        assert group.promoted == len(found)
        assert [(e.position, e.angle, e.scale) for e in found] == where[::touched]
    assert one.picture().tobytes() == wanted


def test_a_touched_one_is_an_entity_like_any_other(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """It has components and children, moves, and its sprite is found."""
    one = stage(files, registry=registry)
    group = grown(one, "tree", [(100, 100), (200, 100)])
    tree = group[1]
    assert tree is group[1]
    assert tree in group
    assert group.promoted == 1
    assert tree.alive
    assert tree.child("coin")[Coin].value == 5
    assert one.prefabs.entities.of_sprite(tree.sprite) is tree
    before = one.color(200, 100)
    tree.position = (300, 200)
    assert one.color(300, 200) == before
    assert one.color(200, 100) == (0, 0, 0)
    assert one.color(100, 100) == before
    assert tree.authored.position == (200, 100)


def test_collisions_give_sprites_of_entities(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """The game of the documentation: pick up what is touched, until none is left."""
    one = stage(files, registry=registry)
    group = grown(one, "coin", [(x, 100) for x in range(0, 4000, 40)])
    player = arcade.SpriteSolidColor(40, 40, 0, 100)
    picked = 0
    for x in range(0, 4100, 30):
        player.position = (x, 100)
        for sprite in arcade.check_for_collision_with_list(player, group.sprites):
            entity = one.prefabs.entities.of_sprite(sprite)
            picked += entity[Coin].value
            entity.despawn()
    assert picked == 500
    assert (len(group), bool(group), group.state) == (0, False, EntityState.DESPAWNED)
    assert len(one.prefabs.entities) == 0
    assert one.picture().getbbox() is None or one.color(100, 100) == (0, 0, 0)


def test_asking_the_index_promotes_those_that_are_meant(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """By component, tag and prefab, and all by iterating; the length asks for none."""
    one = stage(files, registry=registry)
    entities = one.prefabs.entities
    coins = grown(one, "coin", grid(6))
    walls = grown(one, "wall", grid(4))
    assert (len(entities), entities.instances) == (10, 10)
    assert len(entities.with_component(Coin)) == 6
    assert (coins.promoted, walls.promoted) == (6, 0)
    assert entities.with_tag("gold") == list(coins)
    assert entities.of_prefab("wall") == list(walls)
    assert (len(entities), entities.instances, len(list(entities))) == (10, 0, 10)
    trees = grown(one, "tree", grid(3))
    assert len(entities.with_tag("gold")) == 9
    assert trees.promoted == 3


def test_instances_are_walls(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """A physics engine stops at instances, promotes the near ones, and loses those that go."""
    one = stage(files, registry=registry)
    group = grown(one, "wall", [(x, 50) for x in range(0, 8000, 20)])
    assert len(one.prefabs.walls) == 400
    player = arcade.SpriteSolidColor(10, 10, 300, 90)
    engine = arcade.PhysicsEnginePlatformer(player, walls=one.prefabs.walls, gravity_constant=1)
    for _ in range(60):
        engine.update()
    assert 64 <= player.center_y <= 66
    assert 0 < group.promoted < 20
    assert len(one.prefabs.walls) == 400
    group[15].despawn()
    assert len(one.prefabs.walls) == 399
    group.despawn()
    assert len(one.prefabs.walls) == 0
    for _ in range(60):
        engine.update()
    assert player.center_y < 0


def test_what_is_despawned_is_gone_for_the_eye(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """One by one, by the plugin's clear, and as a whole."""
    one = stage(files, registry=registry)
    group = grown(one, "wall", [(50, 50), (100, 50), (150, 50)])
    second = group[1]
    second.despawn()
    second.despawn()
    assert [one.color(x, 50) == (0, 0, 0) for x in (50, 100, 150)] == [False, True, False]
    assert (len(group), [entity.position for entity in group]) == (2, [(50, 50), (150, 50)])
    assert second not in group
    one.prefabs.clear()
    assert (len(group), group.state, list(group)) == (0, EntityState.DESPAWNED, [])
    assert one.color(50, 50) == one.color(150, 50) == (0, 0, 0)
    group.despawn()
    with pytest.raises(IndexError):
        _ = group[0]


@pytest.mark.parametrize("prefab", ["coin", "wall"])
def test_killing_a_sprite_ends_its_entity(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry, prefab: str
) -> None:
    """As with any entity: Arcade's own way to end a thing is understood."""
    one = stage(files, registry=registry)
    group = grown(one, prefab, [(50, 50), (100, 50), (150, 50)])
    player = arcade.SpriteSolidColor(4, 4, 100, 50)
    for sprite in arcade.check_for_collision_with_list(player, group.sprites):
        sprite.kill()
    one.frame(2)
    assert (len(group), len(one.prefabs.entities)) == (2, 2)
    assert len(one.prefabs.walls) == (2 if prefab == "wall" else 0)
    assert [one.color(x, 50) == (0, 0, 0) for x in (50, 100, 150)] == [False, True, False]


@pytest.mark.parametrize("when", ["before", "after"])
def test_hooks(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry, when: str
) -> None:
    """A hook that was there is called for each; one that comes later, for none that is alive."""
    one = stage(files, registry=registry)
    called: list[str] = []

    def add_hooks() -> None:
        one.prefabs.entities.on_spawn(Coin)(lambda entity, coin: called.append("spawn"))
        one.prefabs.entities.on_despawn(Coin)(lambda entity, coin: called.append("despawn"))

    if when == "before":
        add_hooks()
    group = one.prefabs.spawn_many("coin", grid(30))
    one.until(lambda: group.alive and all(entity.alive for entity in group))
    if when == "after":
        add_hooks()
    assert called == ["spawn"] * (30 if when == "before" else 0)
    assert group.instances == 0
    _ = [entity.sprite for entity in group]
    called.clear()
    group.despawn()
    assert called == ["despawn"] * 30


def test_a_hook_that_comes_later_is_called_for_instances_that_go(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """Though nobody has touched them."""
    one = stage(files, registry=registry)
    group = grown(one, "coin", grid(5))
    told: list[int] = []
    one.prefabs.entities.on_despawn(Coin)(lambda entity, coin: told.append(coin.value))
    group.despawn()
    assert told == [5] * 5
    assert len(one.prefabs.entities) == 0


@pytest.mark.parametrize("prefab", ["sign", "empty"])
def test_what_is_no_instance_is_spawned_one_by_one(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry, prefab: str
) -> None:
    """The group is the same to the game."""
    one = stage(files, registry=registry)
    group = grown(one, prefab, grid(20))
    assert (len(group), [entity.position for entity in group]) == (20, grid(20))
    group[3].despawn()
    assert len(group) == 19
    group.despawn()
    assert (len(group), len(one.prefabs.entities)) == (0, 0)


def test_an_arcade_without_such_lists_still_gets_the_entities(
    stage: Stages,
    files: dict[str, Any],
    registry: ComponentRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the lists need is looked at first: a later version may have other names."""
    monkeypatch.delattr(arcade.SpriteList, "_update_all")
    can_hold_instances.cache_clear()
    try:
        assert not can_hold_instances()
    finally:
        monkeypatch.undo()
    group = grown(stage(files, registry=registry), "wall", grid(5))
    can_hold_instances.cache_clear()
    assert can_hold_instances()
    assert (len(group), group.instances, group.promoted) == (5, 0, 5)


def test_touched_before_it_is_loaded(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """Those are spawned alone, and the others are instances; none is there twice."""
    one = stage(files, registry=registry)
    group = one.prefabs.spawn_many("wall", [(50, 50), (100, 50), (150, 50), (200, 50)])
    assert (group.state, len(group), group.instances) == (EntityState.LOADING, 4, 0)
    early, gone = group[1], group[2]
    gone.despawn()
    one.until(lambda: group.alive and early.alive)
    assert (len(group), group.instances, group.promoted) == (3, 2, 1)
    seen = [one.color(x, 50) != (0, 0, 0) for x in (50, 100, 150, 200)]
    assert seen == [True, True, False, True]
    assert len(one.prefabs.walls) == 3
    assert list(group)[1] is early


def test_large_groups_come_within_the_budget(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """More than can be filled at once waits for its turn in the queue of the main thread."""
    one = stage(files, registry=registry)
    grown(one, "wall", [(0, 0)])
    group = one.prefabs.spawn_many("wall", [(x, 50) for x in range(5000)])
    assert not group.alive
    one.until(lambda: group.alive)
    assert (len(group), group.instances) == (5000, 5000)
    assert one.prefabs.spawn_many("wall", grid(100)).alive


def test_an_edit_reaches_instances(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """Hot reload of the prefab: another picture, a child more, and then none."""
    one = stage(files, registry=registry)
    group = grown(one, "wall", [(50, 50), (100, 50)])
    moved = group[0]
    moved.position = (50, 90)
    one.edit(
        {
            "prefabs/wall.ron": """Prefab(
                components: [Sprite(texture: "images/green.png")],
                children: [(name: "top", prefab: "crown2", at: (0, 20))],
            )"""
        }
    )
    assert one.color(50, 90) == one.color(100, 50) == (0, 255, 0)
    assert one.color(50, 110) == one.color(100, 70) == (255, 0, 0)
    one.edit({"prefabs/wall.ron": "Prefab(components: [Coin()])"})
    assert {one.color(x, y) for x, y in ((50, 90), (100, 50), (50, 110), (100, 70))} == {(0, 0, 0)}
    assert [entity[Coin].value for entity in group] == [1, 1]


def test_errors_are_told_once(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """A prefab that is not there, or whose picture is not: one failure for the whole group."""
    one = stage(files, registry=registry)
    told: list[str] = []
    one.window.push_handlers(on_prefab_failed=lambda name, error: told.append(name))
    for prefab in ("nowhere", "lost"):
        group = one.prefabs.spawn_many(prefab, grid(5))
        one.until(lambda group=group: group.error)
        assert (group.state, len(group), list(group)) == (EntityState.FAILED, 0, [])
    one.frame(3)
    assert told == ["prefabs/nowhere.ron", "prefabs/lost.ron"]
    assert len(one.prefabs.entities) == 0
    one.window.pop_handlers()


@pytest.mark.parametrize(
    ("positions", "options", "error", "message"),
    [
        ([(0, 0), (float("nan"), 1)], {}, ValueError, "position of number 1"),
        ([(0, 0), (0, float("inf"))], {}, ValueError, "position of number 1"),
        ([(0, 0, 0)], {}, ValueError, "pairs"),
        ([0, 1], {}, TypeError, "pairs"),
        ([("a", "b")], {}, TypeError, "pairs"),
        (array("f", [1, 2, 3]), {}, ValueError, "3 numbers"),
        ([(0, 0)], {"angle": [1, 2]}, ValueError, "angle is one number"),
        ([(0, 0)], {"angle": float("nan")}, ValueError, "angle of number 0"),
        ([(0, 0)], {"scale": [float("inf")]}, ValueError, "scale of number 0"),
        ([(0, 0)], {"scale": "large"}, TypeError, "str"),
    ],
)
def test_bad_numbers(
    stage: Stages,
    files: dict[str, Any],
    positions: Any,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    """They are refused at once, by the number of the entity."""
    one = stage(files, registry=ComponentRegistry())
    with pytest.raises(error, match=message):
        one.prefabs.spawn_many("wall", positions, **options)
    assert one.prefabs.entities.instances == 0


def test_bad_prefabs_and_ends(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """A picture, a path that leaves the assets, no positions, and a plugin that is detached."""
    one = stage(files, registry=registry)
    with pytest.raises(UnsafePathError):
        one.prefabs.spawn_many("../secret", grid(2))
    with pytest.raises(UnsafePathError):
        one.prefabs.spawn_many("images/red.png", grid(2))
    nobody = one.prefabs.spawn_many("wall", [])
    assert (len(nobody), list(nobody), nobody.state) == (0, [], EntityState.DESPAWNED)
    group = one.prefabs.spawn_many("wall", grid(3))
    one.prefabs.detach()
    assert isinstance(group.error, PluginError)
    with pytest.raises(PluginError):
        one.prefabs.spawn_many("wall", grid(3))


def test_positions_as_arrays(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """Anything with the buffer protocol, x and y in turn, or in two columns."""
    one = stage(files, registry=registry)
    flat = array("f", [50, 60, 70, 80])
    square = memoryview(array("d", [50, 60, 70, 80])).cast("B").cast("d", [2, 2])
    for positions in (flat, square, ((x, x + 10) for x in (50, 70))):
        group = grown(one, "wall", positions)
        assert [entity.position for entity in group] == [(50, 60), (70, 80)]


def test_layers_keep_their_order(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """A group is drawn with its layer: above what is in it, below the next; names draw it, too."""
    one = stage(files, registry=registry, layers=["trunks", "crowns"])
    one.spawn("crown2", (100, 100))
    first = grown(one, "tree", [(100, 100)])
    assert one.color(97, 100) == (0, 0, 255)
    one.spawn("crown", (100, 100))
    assert one.color(97, 100) == (0, 255, 0)
    one.window.clear(color=(0, 0, 0, 255))
    one.prefabs.draw(names=["trunks"])
    assert arcade.get_pixel(97, 100)[:3] == (0, 0, 255)
    first.despawn()
    one.window.clear(color=(0, 0, 0, 255))
    one.prefabs.draw(names=["trunks"])
    assert arcade.get_pixel(97, 100)[:3] == (255, 0, 0)


def test_the_game_may_forget_a_group(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """What is drawn stays, and the index finds it."""
    one = stage(files, registry=registry)
    grown(one, "wall", [(50, 50)])
    one.frame(3)
    assert one.color(50, 50) == (0, 0, 255)
    (entity,) = one.prefabs.entities.of_prefab("wall")
    entity.despawn()
    assert one.color(50, 50) == (0, 0, 0)


def test_a_failed_promotion_is_told(
    stage: Stages,
    files: dict[str, Any],
    registry: ComponentRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its rows go with it, and the rest of the group stands."""
    one = stage(files, registry=registry)
    group = grown(one, "wall", [(50, 50), (100, 50)])

    def fails(*_: Any, **__: Any) -> None:
        raise ValueError("no sprite today")

    with monkeypatch.context() as patch:
        patch.setattr("arcade_prefabs.spawning.spawner.sprite_builder.SpriteBuilder.dress", fails)
        with pytest.raises(SpawnError, match="no sprite today"):
            _ = group[0]
    assert len(group) == 1
    assert (one.color(50, 50), one.color(100, 50)) == ((0, 0, 0), (0, 0, 255))


def test_the_memory_report_tells_instances_from_objects(
    stage: Stages, files: dict[str, Any], registry: ComponentRegistry
) -> None:
    """Promoting one moves it from one number to the other, and costs what an object does."""
    one = stage(files, registry=registry)
    group = grown(one, "wall", grid(10))
    before = one.prefabs.memory()
    assert (before.entities, before.instances, before.sprites) == (10, 10, 1000)
    _ = group[0]
    after = one.prefabs.memory()
    assert (after.entities, after.instances) == (10, 9)
    assert after.sprites > before.sprites + 1000
