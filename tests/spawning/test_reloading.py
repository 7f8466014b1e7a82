"""An edited prefab changes living entities, and only in what the edit is about."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import arcade
import msgspec
import pytest
from PIL import Image

from arcade_prefabs import ComponentRegistry
from arcade_prefabs.prefab import Collider, Sprite

RED, GREEN, BLUE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)


@dataclass
class Health:
    """A component for these tests."""

    max: int = 10
    regrows: bool = False
    current: int = field(default=0, init=False)


@dataclass(frozen=True)
class Price:
    """A frozen component."""

    coins: int = 1


class Loot(msgspec.Struct, frozen=True):
    """A component that is a frozen `msgspec.Struct`."""

    gold: int = 1
    gems: int = 0


@dataclass
class Light:
    """Another component."""

    radius: float = 50.0


@pytest.fixture
def registry() -> ComponentRegistry:
    made = ComponentRegistry()
    for cls in (Health, Price, Loot, Light):
        made.component(cls)
    return made


def prefab(sprite: str = "", components: str = "", children: str = "") -> str:
    """Returns the text of a prefab with a red sprite."""
    return f"""Prefab(
        components: [Sprite(texture: "images/red.png" {sprite}), {components}],
        children: [{children}],
    )"""


@pytest.fixture
def files(picture_of: Callable[..., bytes]) -> dict[str, str | bytes]:
    return {
        "images/red.png": picture_of(RED),
        "images/green.png": picture_of(GREEN),
        "images/blue.png": picture_of(BLUE, (64, 16)),
        "prefabs/lamp.ron": """Prefab(components: [
            Sprite(texture: "images/green.png"), Light(),
        ])""",
        "prefabs/a.ron": prefab(components="Health(max: 20), Price(coins: 3), Loot(gold: 5)"),
    }


def test_fields_that_were_edited_change_and_others_stay(
    stage: Any, files: Any, registry: Any
) -> None:
    """Position and what the game changed stay; the sprite is the same object."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("a", (100, 100), angle=10)
    sprite = entity.sprite
    sprite.color = (9, 9, 9, 255)
    entity.position = (150, 120)
    scene.edit({"prefabs/a.ron": prefab(", scale: 2, angle: 5")})
    assert entity.sprite is sprite
    assert sprite.position == (150, 120)
    assert (sprite.scale, sprite.angle) == ((2, 2), 15)
    assert tuple(sprite.color) == (9, 9, 9, 255)
    scene.edit({"prefabs/a.ron": prefab(", scale: 2, angle: 5, color: (1, 2, 3)")})
    assert tuple(sprite.color) == (1, 2, 3, 255)


def test_another_texture_shows_at_once(stage: Any, files: Any, registry: Any) -> None:
    """A texture that was never loaded is loaded first; the hit box is that of the new one."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("a", (100, 100))
    text = files["prefabs/a.ron"].replace("images/red", "images/blue")
    scene.edit({"prefabs/a.ron": text})
    assert scene.color(100, 100) == BLUE
    assert scene.color(125, 100) == BLUE
    assert scene.color(100, 112) == BLACK
    points = entity.sprite.hit_box.get_adjusted_points()
    assert max(x for x, _ in points) > 125


def test_an_edited_image_changes_every_sprite_that_shows_it(
    stage: Any, files: Any, registry: Any, picture_of: Any
) -> None:
    """Prefabs that name it stay as they are; one image is one reload."""
    scene = stage(files, registry=registry)
    one, two = scene.spawn("a", (100, 100)), scene.spawn("a", (200, 100))
    sprite = one.sprite
    scene.edit({"images/red.png": picture_of((255, 255, 0), (50, 50))})
    assert (scene.color(100, 100), scene.color(220, 120)) == ((255, 255, 0), (255, 255, 0))
    assert one.sprite is sprite
    assert two.sprite.size == (50, 50)
    assert scene.prefabs.atlas.statistics().images == 1


def test_a_texture_that_the_game_chose_stays(stage: Any, files: Any, registry: Any) -> None:
    """An edit of another field does not bring the prefab's texture back."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("a", (100, 100))
    handle = scene.prefabs.load("images/green.png")
    scene.until(lambda: handle.ready)
    entity.sprite.texture = handle.value.texture
    scene.edit({"prefabs/a.ron": prefab(", scale: 0.5")})
    assert scene.color(100, 100) == GREEN


def test_overrides_of_an_instance_are_kept(stage: Any, files: Any, registry: Any) -> None:
    """What an entity has of its own wins over the edit; the rest of it takes the edit."""
    scene = stage(files, registry=registry)
    own = scene.spawn("a", overrides={"Sprite": {"scale": 3}, "Health": {"max": 5}})
    plain = scene.spawn("a")
    assert (own[Health].max, plain[Health].max) == (5, 20)
    scene.edit({"prefabs/a.ron": prefab(", scale: 2, angle: 7", "Health(max: 99, regrows: true)")})
    assert (own.sprite.scale, plain.sprite.scale) == ((3, 3), (2, 2))
    assert (own.sprite.angle, plain.sprite.angle) == (7, 7)
    assert (own[Health].max, plain[Health].max) == (5, 99)
    assert own[Health].regrows


def test_components_keep_what_the_game_wrote_into_them(
    stage: Any, files: Any, registry: Any
) -> None:
    """Edited fields take their new values, in the same object where that can be changed."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("a")
    health, price, loot = entity[Health], entity[Price], entity[Loot]
    health.current = 13
    edited = prefab(components="Health(max: 40), Price(coins: 9), Loot(gold: 5, gems: 2)")
    scene.edit({"prefabs/a.ron": edited})
    assert entity[Health] is health
    assert (health.max, health.current) == (40, 13)
    assert (price.coins, entity[Price].coins) == (3, 9)
    assert (loot.gems, entity[Loot]) == (0, Loot(gold=5, gems=2))


def test_what_vanished_is_removed_and_what_came_is_added(
    stage: Any, files: Any, registry: Any
) -> None:
    """Children and components, in the index and in the picture, with their hooks."""
    files["prefabs/a.ron"] = prefab(
        components="Health()", children='(name: "left", prefab: "lamp", at: (-50, 0))'
    )
    scene = stage(files, registry=registry)
    told: list[str] = []
    entities = scene.prefabs.entities
    entities.on_spawn(Light)(lambda entity, _: told.append(f"+{entity.name}"))
    entities.on_despawn(Light)(lambda entity, _: told.append(f"-{entity.name}"))
    entities.on_spawn(Price)(lambda *_: told.append("+price"))
    entities.on_despawn(Health)(lambda *_: told.append("-health"))
    entity = scene.spawn("a", (100, 100))
    assert scene.color(50, 100) == GREEN
    old = entity.child("left")
    scene.edit(
        {
            "prefabs/a.ron": prefab(
                components="Price()",
                children='(name: "right", prefab: "lamp", at: (50, 0)), (prefab: "lamp")',
            )
        }
    )
    assert told == ["+left", "-left", "-health", "+price", "+right", "+None"]
    assert (scene.color(50, 100), scene.color(150, 100)) == (BLACK, GREEN)
    assert [one.name for one in entity.children] == ["right", None]
    assert entities.with_component(Light) == list(entity.children)
    assert entities.with_component(Health) == []
    assert entities.with_component(Price) == [entity]
    assert Health not in entity
    assert old.sprite is None
    entity.despawn()
    assert entities.with_component(Light) == []
    assert entities.with_component(Sprite) == []


def test_children_that_were_moved_in_the_file_move(stage: Any, files: Any, registry: Any) -> None:
    """The new place is relative to where the entity is now."""
    files["prefabs/a.ron"] = prefab(children='(name: "lamp", prefab: "lamp", at: (-50, 0))')
    scene = stage(files, registry=registry)
    entity = scene.spawn("a", (100, 100))
    lamp = entity.child("lamp")
    entity.position = (200, 100)
    text = prefab(children='(name: "lamp", prefab: "lamp", at: (0, 50), scale: 2)')
    scene.edit({"prefabs/a.ron": text})
    assert entity.child("lamp") is lamp
    assert (lamp.position, lamp.sprite.scale) == ((200, 150), (2, 2))


def test_an_edit_of_a_child_prefab_reaches_every_parent(
    stage: Any, files: Any, registry: Any
) -> None:
    """The lamp on every crate changes with the lamp."""
    files["prefabs/a.ron"] = prefab(children='(name: "lamp", prefab: "lamp", at: (50, 0))')
    scene = stage(files, registry=registry)
    entity = scene.spawn("a", (100, 100))
    alone = scene.spawn("lamp", (300, 100))
    scene.edit(
        {"prefabs/lamp.ron": 'Prefab(components: [Sprite(texture: "images/red.png"), Light(9)])'}
    )
    assert (scene.color(150, 100), scene.color(300, 100)) == (RED, RED)
    assert (entity.child("lamp")[Light].radius, alone[Light].radius) == (9, 9)


def test_broken_text_keeps_what_stands(stage: Any, files: Any, registry: Any) -> None:
    """The next good save heals it."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("a", (100, 100))
    scene.edit({"prefabs/a.ron": "Prefab("})
    assert entity.alive
    assert scene.color(100, 100) == RED
    scene.edit({"prefabs/a.ron": prefab(", alpha: 0")})
    assert scene.color(100, 100) == BLACK


def test_a_sprite_can_come_go_and_change_its_class(stage: Any, files: Any, registry: Any) -> None:
    """Also between no sprite and one."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("a", (100, 100))
    scene.edit({"prefabs/a.ron": "Prefab(components: [Health()])"})
    assert entity.sprite is None
    assert scene.color(100, 100) == BLACK
    scene.edit({"prefabs/a.ron": prefab(', sprite_class: "BasicSprite"')})
    assert type(entity.sprite).__name__ == "BasicSprite"
    assert scene.color(100, 100) == RED


def test_layers_walls_and_hit_boxes_follow_an_edit(stage: Any, files: Any, registry: Any) -> None:
    """The sprite is in the new lists only."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("a", (100, 100))
    sprite, walls = entity.sprite, scene.prefabs.walls
    scene.edit({"prefabs/a.ron": prefab(', layer: "top"', "Collider(shape: Box(10, 10))")})
    assert sprite not in scene.prefabs.scene["default"]
    assert sprite in scene.prefabs.scene["top"]
    assert sprite in walls.group("default")
    assert len(sprite.hit_box.get_adjusted_points()) == 4
    assert max(x for x, _ in sprite.hit_box.get_adjusted_points()) == 105
    scene.edit({"prefabs/a.ron": prefab("", 'Collider(shape: Box(20, 20), group: "other")')})
    assert sprite not in walls.group("default")
    assert sprite in walls.group("other")
    assert max(x for x, _ in sprite.hit_box.get_adjusted_points()) == 110
    scene.edit({"prefabs/a.ron": prefab()})
    assert sprite not in walls.group("other")
    assert max(x for x, _ in sprite.hit_box.get_adjusted_points()) == 116


def test_an_edit_while_it_is_being_built_is_applied_behind(
    stage: Any, files: Any, registry: Any
) -> None:
    """A large entity that was half built ends up as the newest file says."""
    children = ", ".join(f'(prefab: "lamp", at: ({n}, 0))' for n in range(200))
    files["prefabs/a.ron"] = prefab(children=children)
    scene = stage(files, registry=registry, budget_ms=0.001, step_s=0.0001)
    entity = scene.prefabs.spawn("a", (50, 100))
    scene.until(lambda: any(one.own_sprites() for one in entity.walk()))
    scene.edit({"prefabs/a.ron": prefab(", angle: 33")})
    scene.until(lambda: entity.alive and entity.sprite.angle == 33)
    assert entity.children == ()
    assert len(entity.sprites) == 1


def frames(*colors: tuple[int, int, int]) -> bytes:
    """Returns a strip of frames of 16×16 pixels."""
    image = Image.new("RGBA", (16 * len(colors), 16))
    for number, color in enumerate(colors):
        image.paste((*color, 255), (16 * number, 0, 16 * number + 16, 16))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_animations_follow_an_edit(stage: Any, files: Any, registry: Any) -> None:
    """Another speed keeps the frame; a removed animation shows the plain texture again."""
    files["images/strip.png"] = frames(RED, GREEN, BLUE)
    sheet = 'SpriteSheet(image: "images/strip.png", frame_size: (16, 16), columns: 3, count: 3)'
    files["prefabs/a.ron"] = prefab(components=f"Animation(frames: {sheet}, frame_duration: 0.05)")
    scene = stage(files, registry=registry)
    entity = scene.spawn("a", (100, 100))
    assert len(entity.animation) == 3
    scene.until(lambda: entity.animation.frame == 2)
    assert scene.color(100, 100) == BLUE
    slow = prefab(components=f"Animation(frames: {sheet}, frame_duration: 100.0)")
    scene.edit({"prefabs/a.ron": slow})
    before = entity.animation.frame
    scene.frame(30)
    assert entity.animation.frame == before
    scene.edit({"prefabs/a.ron": prefab()})
    assert entity.animation is None
    assert scene.color(100, 100) == RED
    scene.frame(30)
    assert scene.color(100, 100) == RED


def test_a_part_that_the_game_took_away_does_not_come_back(
    stage: Any, files: Any, registry: Any
) -> None:
    """Neither it nor what an edit would hang on it; its siblings follow the edit."""
    children = '(name: "left", prefab: "lamp", at: (-50, 0)), (name: "right", prefab: "lamp")'
    files["prefabs/a.ron"] = prefab(children=children)
    scene = stage(files, registry=registry)
    entity = scene.spawn("a", (100, 100))
    left, right = entity.children
    left.despawn()
    text = files["prefabs/lamp.ron"].replace("Light()", 'Light(), Tags(["new"])')
    lamp = text.rstrip().rstrip(")").rstrip() + ', children: [(name: "moth", prefab: "b")])'
    scene.edit({"prefabs/lamp.ron": lamp, "prefabs/b.ron": prefab(components="Price()")})
    assert entity.children == (right,)
    assert right.tags == ("new",)
    assert [one.name for one in right.children] == ["moth"]
    assert scene.prefabs.entities.with_component(Price) == [right.child("moth")]
    assert not left.alive
    assert left.sprite is None
    entity.despawn()
    assert scene.prefabs.entities.with_component(Price) == []


def test_a_sprite_that_an_edit_broke_comes_back_with_the_next(
    stage: Any, files: Any, registry: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is told; components and children are up to date meanwhile."""

    @registry.sprite_class
    class Demanding(arcade.Sprite):
        def __init__(self, texture: arcade.Texture, wishes: int) -> None:
            super().__init__(texture)

    scene = stage(files, registry=registry)
    entity = scene.spawn("a", (100, 100))
    good = files["prefabs/a.ron"]
    bad = good.replace(
        'texture: "images/red.png"', 'texture: "images/red.png", sprite_class: "Demanding"'
    )
    assert bad != good
    scene.edit({"prefabs/a.ron": bad})
    assert "cannot be made with a texture alone" in caplog.text
    assert entity.alive
    assert entity.sprite is None
    scene.edit({"prefabs/a.ron": good})
    assert scene.color(100, 100) == RED
    assert scene.prefabs.entities.of_sprite(entity.sprite) is entity


def test_an_edit_that_overrides_need_another_picture_for_loads_that(
    stage: Any, files: Any, registry: Any
) -> None:
    """The file's new hit box wants the entity's own image baked anew, which no prefab names."""
    scene = stage(files, registry=registry)
    own = scene.spawn("a", (100, 100), overrides={"Sprite": {"texture": "images/blue.png"}})
    shape = "Collider(shape: FromTexture(Detailed))"
    scene.edit({"prefabs/a.ron": prefab(components=shape)})
    scene.until(lambda: own.sprite.texture.image_data.hash and Collider in own)
    assert scene.color(100, 100) == BLUE
    assert own.error is None
