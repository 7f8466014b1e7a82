"""Spawns in one go, of what is loaded and simple: they leave what a spawn in steps leaves."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from typing import Any

import arcade
import pytest
from stage import Stage, png

from arcade_prefabs.prefab.builtin import Sprite
from arcade_prefabs.spawning.entities.entity import Entity, record_of
from arcade_prefabs.window import sprite_shortcuts

DOTS = {
    "images/red.png": png((200, 0, 0)),
    "images/blue.png": png((0, 0, 200)),
    "prefabs/red.ron": 'Prefab(components: [Sprite(texture: "images/red.png"), Tags(["dot"])])',
    "prefabs/odd.ron": (
        'Prefab(components: [Sprite(texture: "images/red.png", scale: (2.0, 0.5), angle: 20, '
        'color: (10, 20, 30), offset: (3, 4), flip_horizontal: true, layer: "over"), '
        "Collider(shape: Box(8, 6), solid: false)])"
    ),
}


@pytest.fixture
def scene(stage: Callable[..., Stage]) -> Stage:
    made = stage(DOTS)
    for name in ("red", "odd"):
        made.spawn(name, (1.0, 2.0))
    return made


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each spawn since was made in one go."""
    from arcade_prefabs.spawning.spawner.entity_factory import EntityFactory

    made: list[bool] = []
    original = EntityFactory._spawn_warm

    def noted(self: Any, *arguments: Any) -> Entity | None:
        entity = original(self, *arguments)
        made.append(entity is not None)
        return entity

    monkeypatch.setattr(EntityFactory, "_spawn_warm", noted)
    return made


def facts(entity: Entity) -> dict[str, Any]:
    """Everything that is known of an entity, its spawn and its sprite, what knows it left out."""
    record = record_of(entity)
    found: dict[str, Any] = {}
    for name, value in (("record", record), ("task", record.spawn_task)):
        for field in value.__struct_fields__:
            one = getattr(value, field, "deleted")
            if field not in ("entity", "root", "spawn_task", "sprite", "built", "warm"):
                found[f"{name}.{field}"] = one
    found["built"] = len(getattr(record.spawn_task, "built", ()))
    sprite = record.sprite
    if sprite is not None:
        for name, value in sprite_shortcuts._attributes(sprite).items():
            known = name in ("_hit_box", "pymunk", "sprite_lists")
            found[f"sprite.{name}"] = None if known else value
        found["points"] = list(sprite.hit_box.get_adjusted_points())
        found["lists"] = [id(one) for one in sprite.sprite_lists]
        found["physics"] = sprite_shortcuts._attributes(getattr(sprite, "pymunk", None))
    return found


@pytest.mark.parametrize("name", ["red", "odd"])
@pytest.mark.parametrize(
    "place",
    [
        {"position": (30.0, 40.5)},
        {"position": (3, -4), "angle": 90, "scale": 2},
        {"position": (0.5, 0.0), "angle": -30.5, "scale": 0.25},
        {"position": [7, 8]},
    ],
)
def test_a_spawn_in_one_go_leaves_what_steps_leave(
    scene: Stage, warm: list[bool], name: str, place: dict[str, Any]
) -> None:
    """Each field of its record, its task and its sprite; alive and gone."""
    factory = scene.prefabs._factory
    factory._warm.clear()
    stepped = scene.prefabs.spawn(name, **place)
    quick = scene.prefabs.spawn(name, **place)
    assert warm == [True]
    before = len(scene.prefabs.entities), scene.prefabs.entities.sprite_count
    assert facts(quick) == facts(stepped)
    assert scene.prefabs.entities.with_component(Sprite)[-2:] == [stepped, quick]
    assert scene.prefabs.entities.of_prefab(name)[-2:] == [stepped, quick]
    assert scene.prefabs.entities.of_sprite(quick.sprite) is quick
    record_of(stepped).spawn_task.warm = None
    stepped.despawn()
    quick.despawn()
    assert facts(quick) == facts(stepped)
    assert scene.prefabs.entities.of_prefab(name) == [scene.prefabs.entities.of_prefab(name)[0]]
    after = len(scene.prefabs.entities), scene.prefabs.entities.sprite_count
    assert after == (before[0] - 2, before[1] - 2)


def test_an_edit_ends_spawns_in_one_go_of_what_was_there(scene: Stage, warm: list[bool]) -> None:
    """The next spawn shows the new picture, of the prefab and of the image; nothing old is kept."""
    scene.prefabs.spawn("red").despawn()
    scene.prefabs.spawn("red").despawn()
    scene.edit({"images/red.png": png((0, 200, 0))})
    assert scene.prefabs._factory._warm == {}
    scene.prefabs.spawn("red", (200, 150))
    assert scene.color(200, 150) == (0, 200, 0)
    again = scene.prefabs.spawn("red", (100, 150))
    assert warm[-1]
    assert scene.color(100, 150) == (0, 200, 0)
    scene.edit({"prefabs/red.ron": 'Prefab(components: [Sprite(texture: "images/blue.png")])'})
    scene.frame(5)
    assert again.tags == ()
    assert scene.prefabs.entities.with_tag("dot") == []
    scene.prefabs.spawn("red", (300, 150))
    assert scene.color(300, 150) == (0, 0, 200)
    again.despawn()
    assert scene.color(100, 150) == (0, 0, 0)


def test_an_entity_that_was_given_more_goes_in_steps(scene: Stage) -> None:
    """A second list, a spatial hash, a physics engine: it leaves them all."""
    scene.prefabs.spawn("red")
    entity = scene.prefabs.spawn("red", (50, 60))
    sprite = entity.sprite
    other: arcade.SpriteList[Any] = arcade.SpriteList(use_spatial_hash=True)
    other.append(sprite)

    class Engine:
        def __init__(self) -> None:
            self.sprites = {sprite: 1}

        def remove_sprite(self, one: Any) -> None:
            del self.sprites[one]

    engine = Engine()
    sprite.register_physics_engine(engine)
    entity.despawn()
    assert (len(other), engine.sprites, sprite.sprite_lists) == (0, {}, [])
    assert sprite.physics_engines == []


def test_a_hook_is_called_for_what_is_spawned_in_one_go(scene: Stage, warm: list[bool]) -> None:
    """Hooks that spawn end, and one that despawns what it greets does."""
    scene.prefabs.spawn("red")
    heard: list[str] = []
    spawned: list[Entity] = []

    @scene.prefabs.entities.on_spawn(Sprite)
    def come(entity: Entity, _: Sprite) -> None:
        heard.append("come")
        if len(spawned) < 20:
            spawned.append(scene.prefabs.spawn("red"))
        else:
            entity.despawn()

    scene.prefabs.entities.on_despawn(Sprite)(lambda *_: heard.append("gone"))
    first = scene.prefabs.spawn("red")
    assert first.alive
    assert True in warm
    scene.until(lambda: len(spawned) >= 20)
    scene.frame(5)
    assert heard.count("come") == 1 + len(spawned)
    assert heard.count("gone") == sum(not one.alive for one in spawned) > 0


def test_a_prefab_that_nobody_uses_is_not_kept_for_its_next_spawn(scene: Stage) -> None:
    """With its last entity, the function that spawns it is gone."""
    before = scene.prefabs.entities.of_prefab("red")
    scene.prefabs.spawn("red").despawn()
    assert list(scene.prefabs._factory._warm) == ["red"]
    for one in before:
        one.despawn()
    del before, one
    gc.collect()
    assert scene.prefabs._factory._warm == {}


def test_removing_keeps_the_order_of_what_is_drawn(scene: Stage) -> None:
    """First, last and in between, with room that is used again."""
    some = [scene.prefabs.spawn("red", (number, 0)) for number in range(6)]
    listed = scene.prefabs.scene["default"]
    for number in (5, 0, 2):
        some[number].despawn()
    new = scene.prefabs.spawn("red", (9, 0))
    wanted = [some[1].sprite, some[3].sprite, some[4].sprite, new.sprite]
    assert list(listed)[-4:] == wanted
    slots = [listed.sprite_slot[one] for one in listed]
    assert list(listed._sprite_index_data[: len(slots)]) == slots


# ------------------------------------------------------------------------------- Arcade's own calls


def test_the_shortcuts_do_what_this_version_of_arcade_does() -> None:
    """If this fails, a new version of Arcade makes or lists sprites in another way."""
    assert sprite_shortcuts.difference() is None


@pytest.mark.parametrize(
    ("owner", "name", "told"),
    [
        (arcade.Sprite, "__init__", "Sprite 0.physics_engines"),
        (arcade.SpriteList, "append", "SpriteList._sprite_size_changed"),
        (arcade.SpriteList, "remove", "SpriteList without 2._sprite_size_changed"),
    ],
)
def test_another_arcade_is_noticed_and_its_own_calls_are_used(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, told: str
) -> None:
    """One attribute has another value after Arcade's call; entities come and go all the same."""
    original = getattr(owner, name)

    def other(self: Any, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        if name == "__init__":
            self.physics_engines = ()
        else:
            self._sprite_size_changed = name == "remove"

    monkeypatch.setattr(owner, name, other)
    assert sprite_shortcuts.difference() == told
    monkeypatch.setattr(owner, name, original)
    sprite_shortcuts.sprite_calls.cache_clear()
    monkeypatch.setattr(sprite_shortcuts, "difference", lambda: told)
    try:
        made = stage(DOTS)
        assert sprite_shortcuts.sprite_calls().stock
        entity = made.spawn("red", (200, 150))
        made.prefabs.spawn("red").despawn()
        assert made.color(200, 150) == (200, 0, 0)
        entity.despawn()
        assert made.color(200, 150) == (0, 0, 0)
        assert made.prefabs._factory._warm == {}
    finally:
        sprite_shortcuts.sprite_calls.cache_clear()


@pytest.mark.parametrize("count", [3, 65, 300, 1000])
def test_a_sprite_is_found_in_a_long_list_wherever_it_is(count: int) -> None:
    """Also where slots were used again, and where the list was turned round or shuffled."""
    make, append, remove, _ = sprite_shortcuts.sprite_calls()
    texture = arcade.make_soft_square_texture(8, (255, 0, 0, 255))
    listed: arcade.SpriteList[Any] = arcade.SpriteList(lazy=True)
    stock: arcade.SpriteList[Any] = arcade.SpriteList(lazy=True)
    pairs = []
    for number in range(count):
        pairs.append([make(texture, (number, 0.0), (1.0, 1.0), 0.0) for _ in range(2)])
        append(listed, pairs[-1][0])
        stock.append(pairs[-1][1])
    chance = random.Random(count)
    for turn in range(200):
        ours, theirs = chance.choice(pairs)
        remove(listed, ours)
        stock.remove(theirs)
        if turn % 3:
            append(listed, ours)
            stock.append(theirs)
        else:
            pairs.remove([ours, theirs])
        if turn % 50 == 20:
            listed.reverse()
            stock.reverse()
        if len(pairs) == 0:
            break
        order = [one.center_x for one in stock]
        assert [one.center_x for one in listed] == order
        used = len(order)
        assert listed._sprite_index_data[:used] == stock._sprite_index_data[:used]


def test_lists_and_sprites_of_other_classes_go_arcades_way() -> None:
    """A game's own list is asked, one with a spatial hash is told, and errors are Arcade's."""

    class Counting(arcade.SpriteList[Any]):
        appended = 0

        def append(self, sprite: Any) -> None:
            self.appended += 1
            super().append(sprite)

    make, append, remove, stock = sprite_shortcuts.sprite_calls()
    assert not stock
    texture = arcade.make_soft_square_texture(8, (255, 0, 0, 255))
    own, hashed = Counting(lazy=True), arcade.SpriteList[Any](use_spatial_hash=True, lazy=True)
    sprite = make(texture, (5.0, 6.0), (1.0, 1.0), 0.0)
    append(own, sprite)
    append(hashed, sprite)
    assert own.appended == 1
    assert hashed.spatial_hash is not None
    assert sprite in hashed.spatial_hash.get_sprites_near_point((5, 6))
    with pytest.raises(ValueError, match="already in"):
        append(hashed, sprite)
    remove(own, sprite)
    remove(hashed, sprite)
    assert sprite.sprite_lists == []
    with pytest.raises(ValueError, match="not in the"):
        remove(own, sprite)
    plain = arcade.BasicSprite(texture)
    basic: arcade.SpriteList[Any] = arcade.SpriteList(lazy=True)
    append(basic, plain)
    remove(basic, plain)
    assert len(basic) == 0
