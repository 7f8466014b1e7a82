"""Prefabs become sprites: the right ones, at the right position, all of them or none."""

from __future__ import annotations

import asyncio
import gc
import io
import itertools
import math
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import arcade
import pytest
from PIL import Image

import arcade_prefabs
from arcade_prefabs import (
    ComponentRegistry,
    EntityState,
    MissingAssetError,
    SpawnError,
    UnknownNameError,
    WrongThreadError,
)
from arcade_prefabs.errors import DependencyError, UnsafePathError
from arcade_prefabs.prefab import Collider, Sprite
from arcade_prefabs.spawning.blueprints.sprite_spec import TextureRef
from arcade_prefabs.spawning.walls import Walls

RED, GREEN, BLUE, WHITE, BLACK = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (0, 0, 0),
)


def sprites_of(entity: Any) -> int:
    """Returns how many sprites an entity has so far; asking it for them would build the rest."""
    return sum(len(one.own_sprites()) for one in entity.walk())


@dataclass
class Health:
    """A component for these tests."""

    max: int = 10
    current: int = field(default=0, init=False)


@dataclass
class Light:
    """Another component."""

    radius: float = 50.0


@pytest.fixture
def registry() -> ComponentRegistry:
    made = ComponentRegistry()
    made.component(Health)
    made.component(Light)
    return made


@pytest.fixture
def files(picture_of: Callable[..., bytes]) -> dict[str, str | bytes]:
    return {
        "images/red.png": picture_of(RED),
        "images/green.png": picture_of(GREEN),
        "images/blue.png": picture_of(BLUE),
        "images/large.png": picture_of((0, 200, 100), (200, 200)),
        "prefabs/red.ron": """Prefab(components: [
            Sprite(texture: "images/red.png"), Health(max: 20),
        ])""",
        "prefabs/tower.ron": """Prefab(
            components: [Sprite(texture: "images/red.png", layer: "ground"), Tags(["tower"])],
            children: [
                (name: "lamp", prefab: "lamp", at: (60, 0)),
                (name: "arm", prefab: "arm", at: (0, 50), rotation: 90, scale: 0.5),
            ],
        )""",
        "prefabs/lamp.ron": """Prefab(components: [
            Sprite(texture: "images/green.png", layer: "lights"), Light(radius: 80), Tags(["lit"]),
        ])""",
        "prefabs/arm.ron": """Prefab(
            components: [Sprite(texture: "images/blue.png")],
            children: [(name: "lamp", prefab: "lamp", at: (0, 80))],
        )""",
        "prefabs/empty.ron": "Prefab(components: [Health()])",
        "prefabs/large.ron": 'Prefab(components: [Sprite(texture: "images/large.png")])',
        "prefabs/lost.ron": 'Prefab(components: [Sprite(texture: "images/nowhere.png")])',
        "prefabs/crowd.ron": "Prefab(children: ["
        + ", ".join(
            f'(name: "c{n}", prefab: "red", at: ({n % 20 * 18}, {n // 20 * 18}))'
            for n in range(300)
        )
        + "])",
    }


# ------------------------------------------------------------------------------------ what appears


def test_a_spawned_prefab_shows_its_texture_where_it_was_spawned(
    stage: Any, files: Any, registry: Any
) -> None:
    """The pixels of the window are those of the image, around the position, and nowhere else."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("red", (100, 200))
    assert entity.state is EntityState.ALIVE
    assert entity.position == (100, 200)
    assert scene.color(100, 200) == RED
    assert scene.color(114, 214) == RED
    assert scene.color(118, 200) == BLACK


def test_a_large_texture_shows_its_average_color_before_its_pixels(
    stage: Any, files: Any, registry: Any
) -> None:
    """What takes more than a step to upload appears at once, and gets its pixels later."""
    picture = Image.new("RGBA", (300, 300), (200, 0, 0, 255))
    picture.paste((0, 0, 200, 255), (0, 0, 150, 300))  # the average of both halves is purple
    import io

    file = io.BytesIO()
    picture.save(file, "PNG")
    files["images/large.png"] = file.getvalue()
    scene = stage(files, registry=registry, budget_ms=0.001, step_s=0.0001)
    entity = scene.prefabs.spawn("large", (200, 150))
    scene.executor.run()
    scene.until(lambda: entity.alive, most=50)
    halves = [(scene.color(100, 150), scene.color(300, 150))]
    uploaded = scene.prefabs._factory.textures.get(TextureRef.of("images/large.png", {}))
    assert not uploaded.uploaded
    assert halves[0] == ((100, 0, 100), (100, 0, 100))
    scene.until(lambda: uploaded.uploaded)
    assert (scene.color(100, 150), scene.color(300, 150)) == ((0, 0, 200), (200, 0, 0))


def test_a_loaded_small_prefab_is_there_at_once(stage: Any, files: Any, registry: Any) -> None:
    """The second one of a kind is alive when spawn returns, with its sprite."""
    scene = stage(files, registry=registry)
    scene.spawn("red")
    entity = scene.prefabs.spawn("red", (30, 40))
    assert entity.alive
    assert entity.sprite.position == (30, 40)


def test_a_spawn_of_what_is_loaded_takes_few_calls(stage: Any, files: Any, registry: Any) -> None:
    """Each call costs: a spawn of one sprite makes 10 at most, a despawn 5."""
    scene = stage(files, registry=registry)
    scene.spawn("red")
    scene.prefabs.spawn("red").despawn()
    package = Path(arcade_prefabs.__file__).parent
    calls: list[str] = []

    def note(frame: Any, event: str, _: object) -> None:
        file = Path(frame.f_code.co_filename)
        # Arcade asks the atlas, and the clock of a game is no function of ours.
        others = file.stem == "reclaiming_atlas" or file.parent.name == "testing"
        if event == "call" and file.is_relative_to(package) and not others:
            calls.append(frame.f_code.co_qualname)

    sys.setprofile(note)
    try:
        entity = scene.prefabs.spawn("red", (30, 40))
    finally:
        sys.setprofile(None)
    assert entity.alive
    assert "EntityFactory.spawn" in calls
    assert len(calls) <= 10, calls
    calls.clear()
    sys.setprofile(note)
    try:
        entity.despawn()
    finally:
        sys.setprofile(None)
    assert len(calls) <= 5, calls


def test_what_is_despawned_is_gone_without_the_garbage_collector(
    stage: Any, files: Any, registry: Any
) -> None:
    """An entity of one part is in no circle once it is over; as long as it is held, it answers."""
    scene = stage(files, registry=registry)
    scene.spawn("red")
    gc.disable()
    try:
        entity = scene.prefabs.spawn("red", (30, 40))
        assert entity.alive
        entity.despawn()
        assert (entity.root, list(entity.walk()), entity.children) == (entity, [entity], ())
        assert (entity.sprite, entity.sprites, entity.position) == (None, [], (30, 40))
        assert (entity.state, entity.error) == (EntityState.DESPAWNED, None)
        assert entity[Health].max == 20
        entity.despawn()
        gone = weakref.ref(entity)
        del entity
        assert gone() is None
    finally:
        gc.enable()


def test_a_sprite_class_that_despawns_everything_leaves_nothing(stage: Any, files: Any) -> None:
    """The class is the game's own code, and may call what it likes while its entity is built."""
    registry = ComponentRegistry()
    registry.component(Health)
    clear: list[Callable[[], None]] = []

    @registry.sprite_class
    class Jealous(arcade.Sprite):
        def __init__(self, texture: arcade.Texture) -> None:
            super().__init__(texture)
            for one in clear:
                one()

    part = 'Sprite(texture: "images/red.png", sprite_class: "Jealous")'
    files["prefabs/jealous.ron"] = f"Prefab(components: [{part}])"
    children = ", ".join(['(prefab: "jealous")'] * 3)
    files["prefabs/pair.ron"] = f"Prefab(components: [{part}], children: [{children}])"
    scene = stage(files, registry=registry)
    scene.spawn("jealous"), scene.spawn("pair")
    scene.prefabs.clear()
    clear.append(scene.prefabs.clear)
    for name in ("jealous", "pair"):
        entity = scene.prefabs.spawn(name)
        scene.frame(3)
        assert entity.state is EntityState.DESPAWNED
        assert [len(one) for one in scene.prefabs.scene._sprite_lists] == [0]
        assert scene.prefabs.entities.sprite_count == 0


def test_a_prefab_without_a_sprite_is_an_entity_all_the_same(
    stage: Any, files: Any, registry: Any
) -> None:
    """It has components and a position, and no sprite."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("empty", (5, 6), angle=30, scale=2)
    assert (entity.sprite, entity.sprites, entity.position) == (None, [], (5, 6))
    assert (entity.angle, entity.scale, entity[Health].max) == (30, (2, 2), 10)
    entity.position = (7, 8)
    assert entity.position == (7, 8)


def test_children_stand_where_their_placement_says(stage: Any, files: Any, registry: Any) -> None:
    """Children of children, turned and scaled, are where the prefab puts them, to the pixel."""
    scene = stage(files, registry=registry)
    tower = scene.spawn("tower", (150, 100))
    # The arm is turned clockwise by 90° and half as large: its lamp is 40 pixels to the right.
    assert [one.prefab_id for one in tower.walk()] == [
        "prefabs/tower.ron",
        "prefabs/lamp.ron",
        "prefabs/arm.ron",
        "prefabs/lamp.ron",
    ]
    assert tower.child("lamp").position == (210, 100)
    assert tower.child("arm").position == (150, 150)
    assert tower.child("arm/lamp").position == pytest.approx((190, 150))
    assert tower.child("arm/lamp").scale == (0.5, 0.5)
    assert (scene.color(150, 100), scene.color(210, 100)) == (RED, GREEN)
    assert (scene.color(150, 150), scene.color(190, 150)) == (BLUE, GREEN)


def test_moving_turning_and_scaling_the_root_moves_the_whole(
    stage: Any, files: Any, registry: Any
) -> None:
    """Every sprite follows; what the window shows is where the mathematics says."""
    scene = stage(files, registry=registry)
    tower = scene.spawn("tower", (150, 100))
    tower.position = (200, 150)
    assert tower.child("lamp").sprite.position == pytest.approx((260, 150))
    tower.angle = 90
    assert tower.child("lamp").sprite.position == pytest.approx((200, 90))
    assert tower.child("lamp").sprite.angle == 90
    assert tower.child("arm").position == pytest.approx((250, 150))
    tower.scale = 2
    assert tower.child("lamp").sprite.position == pytest.approx((200, 30))
    assert tower.child("lamp").sprite.scale == (2, 2)
    assert (scene.color(200, 30), scene.color(200, 150)) == (GREEN, RED)


def test_an_uneven_scale_reaches_all_children(stage: Any, files: Any, registry: Any) -> None:
    """By its axes: those of the whole, of the part in between and of the child are multiplied."""
    files["prefabs/uneven.ron"] = """Prefab(children: [
        (name: "arm", prefab: "arm", at: (10, 10), scale: (3, 5)),
    ])"""
    scene = stage(files, registry=registry)
    entity = scene.spawn("uneven", (100, 100))
    arm = entity.child("arm")
    entity.scale = (2, 0.5)
    for one in (arm, arm.child("lamp")):
        assert one.scale == (6, 2.5)
        assert one.sprite.scale == (6, 2.5)
    assert arm.position == (120, 105)
    assert arm.child("lamp").position == (120, 305)


def test_an_uneven_scale_of_the_spawn_reaches_all_children(
    stage: Any, files: Any, registry: Any
) -> None:
    """As one that is set later."""
    scene = stage(files, registry=registry)
    tower = scene.spawn("tower", (100, 100), scale=(2, 0.5))
    assert tower.child("lamp").sprite.scale == (2, 0.5)
    assert tower.child("lamp").position == (220, 100)
    assert tower.child("arm").sprite.scale == (1, 0.25)


def test_a_part_knows_its_authored_place(stage: Any, files: Any, registry: Any) -> None:
    """As its prefab and the place of the spawn say, wherever it is by now."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("tower", (100, 100))
    entity.place((300, 20), 45, (2, 2))
    arm = entity.child("arm")
    assert entity.authored == ((100, 100), 0, (1, 1))
    assert arm.authored == ((100, 150), 90, (0.5, 0.5))
    position, angle, scale = arm.child("lamp").authored
    assert position == pytest.approx((140, 150))
    assert (angle, scale) == (90, (0.5, 0.5))


def test_a_child_that_was_moved_stays_there_in_its_parent(
    stage: Any, files: Any, registry: Any
) -> None:
    """Its own move is kept when the parent moves later."""
    scene = stage(files, registry=registry)
    tower = scene.spawn("tower", (100, 100))
    tower.child("lamp").position = (100, 130)
    tower.position = (200, 100)
    assert tower.child("lamp").position == pytest.approx((200, 130))
    tower.angle = 180
    assert tower.child("lamp").position == pytest.approx((200, 70))


def test_children_follow_a_sprite_that_physics_moved(stage: Any, files: Any, registry: Any) -> None:
    """The sprite is the truth for the position, and sync brings the children."""
    scene = stage(files, registry=registry)
    tower = scene.spawn("tower", (100, 100))
    tower.sprite.center_x += 30
    assert tower.position == (130, 100)
    assert tower.child("lamp").position == (160, 100)
    tower.sync()
    assert tower.child("lamp").position == (190, 100)


def test_a_hidden_entity_shows_nothing(stage: Any, files: Any, registry: Any) -> None:
    """All of its sprites are hidden, and shown again."""
    scene = stage(files, registry=registry)
    tower = scene.spawn("tower", (150, 100))
    tower.visible = False
    assert (scene.color(150, 100), scene.color(210, 100)) == (BLACK, BLACK)
    tower.visible = True
    assert (scene.color(150, 100), scene.color(210, 100)) == (RED, GREEN)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("flip_horizontal: true", [GREEN, RED, GREEN, RED]),
        ("flip_vertical: true", [RED, GREEN, RED, GREEN]),
        ("flip_horizontal: true, flip_vertical: true", [GREEN, RED, GREEN, RED]),
    ],
)
def test_flips_mirror_the_picture(
    stage: Any, registry: Any, fields: str, expected: list[Any]
) -> None:
    """Left and right, top and bottom change places, each where it was asked for."""
    picture = Image.new("RGBA", (32, 32), (*RED, 255))
    picture.paste((*GREEN, 255), (16, 0, 32, 32))
    file = io.BytesIO()
    picture.save(file, "PNG")
    scene = stage(
        {
            "images/two.png": file.getvalue(),
            "prefabs/two.ron": f'Prefab(components: [Sprite(texture: "images/two.png", {fields})])',
        },
        registry=registry,
    )
    scene.spawn("two", (100, 100))
    assert [scene.color(92, 108), scene.color(108, 108)] == expected[:2]
    assert [scene.color(92, 92), scene.color(108, 92)] == expected[2:]


def test_color_alpha_scale_angle_and_offset_reach_the_sprite(
    stage: Any, files: Any, registry: Any
) -> None:
    """Everything that a Sprite component says is what the sprite has."""
    files["prefabs/odd.ron"] = """Prefab(components: [Sprite(
        texture: "images/red.png", scale: (2, 0.5), angle: 45, color: (10, 20, 30), alpha: 128,
        offset: (40, 0), layer: "odd",
    )])"""
    scene = stage(files, registry=registry)
    entity = scene.spawn("odd", (100, 100), angle=90)
    sprite = entity.sprite
    assert sprite.scale == (2, 0.5)
    assert sprite.angle == 135
    assert tuple(sprite.color) == (10, 20, 30, 128)
    assert sprite.position == pytest.approx((100, 60))
    assert sprite in scene.prefabs.scene["odd"]
    assert entity.position == pytest.approx((100, 100))


# --------------------------------------------------------------------------------- where they go


def test_sprites_go_to_the_layers_of_a_scene(stage: Any, files: Any, registry: Any) -> None:
    """An arcade.Scene gets a list for each layer, and keeps those that it had."""
    scene = stage(files, registry=registry)
    own = arcade.Scene()
    lights = own.add_sprite_list("lights")
    tower = scene.spawn("tower", scene=own)
    assert own["lights"] is lights
    assert len(lights) == 2
    assert list(own["ground"]) == [tower.sprite]
    assert len(scene.prefabs.scene) == 0


def test_sprites_go_to_one_list(stage: Any, files: Any, registry: Any) -> None:
    """A plain sprite list gets all of them."""
    scene = stage(files, registry=registry)
    own: arcade.SpriteList[Any] = arcade.SpriteList()
    tower = scene.spawn("tower", scene=own)
    assert set(own) == set(tower.sprites)


def test_a_mapping_without_the_layer_fails_the_spawn(stage: Any, files: Any, registry: Any) -> None:
    """Nothing of it is left in the layers that there are, and the error lists them."""
    scene = stage(files, registry=registry)
    own: dict[str, arcade.SpriteList[Any]] = {"ground": arcade.SpriteList()}
    tower = scene.spawn("tower", scene=own)
    assert tower.state is EntityState.FAILED
    assert "no layer 'lights'" in str(tower.error)
    assert "ground" in str(tower.error)
    assert len(own["ground"]) == 0


def test_layers_are_drawn_in_the_order_they_were_given(
    stage: Any, files: Any, registry: Any
) -> None:
    """The last one is on top."""
    scene = stage(files, registry=registry, layers=["lights", "ground"])
    scene.spawn("tower", (100, 100))
    scene.spawn("lamp", (100, 100))
    assert scene.color(100, 100) == RED


def test_solid_sprites_are_walls(stage: Any, files: Any, registry: Any) -> None:
    """A physics engine stops its player at a solid prefab, also at one that came later."""
    files["prefabs/wall.ron"] = """Prefab(components: [
        Sprite(texture: "images/red.png"), Collider(shape: Box(32, 32)),
    ])"""
    files["prefabs/ghost.ron"] = """Prefab(components: [
        Sprite(texture: "images/red.png"), Collider(shape: Box(32, 32), solid: false),
    ])"""
    files["prefabs/other.ron"] = """Prefab(components: [
        Sprite(texture: "images/red.png"), Collider(shape: Box(32, 32), group: "late"),
    ])"""
    scene = stage(files, registry=registry)
    player = arcade.SpriteSolidColor(10, 10, 100, 100)
    engine = arcade.PhysicsEngineSimple(player, walls=scene.prefabs.walls)
    wall = scene.spawn("wall", (150, 100))
    scene.spawn("ghost", (100, 150))
    player.change_x = 60
    engine.update()
    assert 120 < player.center_x < 130
    player.change_x, player.change_y = 0, 60
    engine.update()
    assert player.center_y == 160
    scene.spawn("other", (player.center_x, 200))
    engine.update()
    assert player.center_y < 185
    wall.despawn()
    assert wall.sprite not in scene.prefabs.walls
    player.change_x, player.change_y, player.center_y = 60, 0, 100
    engine.update()
    assert player.center_x > 170


def test_arcade_asks_walls_as_it_asks_a_list(window: arcade.Window) -> None:
    """Each way to collide finds the same; sprites are updated and drawn; empty lists do no harm."""
    walls = Walls()
    made = {name: walls.wall_list(name) for name in ("floor", "platform", "nobody")}

    class Wall(arcade.SpriteSolidColor):
        updates: int = 0

        def update(self, delta_time: float = 1 / 60, *_: Any, **__: Any) -> None:
            self.updates += 1

        update_animation = update

    floor, platform = Wall(20, 20, 50, 50), Wall(20, 20, 150, 50)
    made["floor"].append(floor)
    made["platform"].append(platform)
    player = arcade.SpriteSolidColor(20, 20, 60, 50)
    for method in (0, 1, 2, 3):
        assert arcade.check_for_collision_with_list(player, walls, method) == [floor]
    assert set(walls.get_nearby_sprites_gpu((100, 50), (200, 50))) == {floor, platform}
    assert arcade.get_sprites_at_point((150, 50), walls) == [platform]
    assert arcade.get_sprites_in_rect(arcade.LBWH(140, 40, 20, 20), walls) == [platform]
    assert list(walls) == [floor, platform] == [walls[0], walls[1]]
    assert walls.spatial_hash.count >= 2
    walls.update()
    walls.update_animation()
    assert (floor.updates, platform.updates) == (2, 2)
    window.clear(color=(255, 255, 255, 255))
    walls.draw_hit_boxes()
    shown = arcade.get_image(0, 0, 200, 100).convert("RGB").getcolors()
    assert (0, 0, 0) in {color for _, color in shown}
    walls.draw_hit_boxes(arcade.color.RED)
    shown = arcade.get_image(0, 0, 200, 100).convert("RGB").getcolors()
    assert (255, 0, 0) in {color for _, color in shown}


def test_a_round_collider_has_corners_all_around(stage: Any, files: Any, registry: Any) -> None:
    """Sixteen of them, each as far from the middle as the radius."""
    files["prefabs/ball.ron"] = """Prefab(components: [
        Sprite(texture: "images/red.png"), Collider(shape: Circle(10)),
    ])"""
    scene = stage(files, registry=registry)
    points = scene.spawn("ball", (100, 100)).sprite.hit_box.get_adjusted_points()
    assert [math.dist(point, (100, 100)) for point in points] == pytest.approx([10] * 16)
    turns = sorted(math.degrees(math.atan2(y - 100, x - 100)) % 360 for x, y in points)
    assert [later - turn for turn, later in itertools.pairwise(turns)] == pytest.approx([22.5] * 15)


@pytest.mark.parametrize(
    ("shape", "points"),
    [
        ("Box(10, 20)", {(-5, -10), (5, -10), (5, 10), (-5, 10)}),
        ("Polygon([(0, 0), (8, 0), (0, 6)])", {(0, 0), (8, 0), (0, 6)}),
    ],
)
def test_a_collider_is_in_pixels_of_the_entity(
    stage: Any, files: Any, registry: Any, shape: str, points: set[Any]
) -> None:
    """Scale, angle and offset of the picture do not change the shape; those of the entity do."""
    files["prefabs/odd.ron"] = f"""Prefab(components: [
        Sprite(texture: "images/red.png", scale: 0.5, angle: 30, offset: (7, 3)),
        Collider(shape: {shape}),
    ])"""
    scene = stage(files, registry=registry)
    entity = scene.spawn("odd", (100, 100))
    found = [(x - 100, y - 100) for x, y in entity.sprite.hit_box.get_adjusted_points()]
    for x, y in points:
        assert any(abs(x - a) < 1e-6 and abs(y - b) < 1e-6 for a, b in found)
    entity.scale = 3
    found = [(x - 100, y - 100) for x, y in entity.sprite.hit_box.get_adjusted_points()]
    for x, y in points:
        assert any(abs(3 * x - a) < 1e-6 and abs(3 * y - b) < 1e-6 for a, b in found)


def test_a_registered_sprite_class_is_what_the_sprite_is(stage: Any, files: Any) -> None:
    """The class that the game registered under the name in the file."""
    registry = ComponentRegistry()

    @registry.sprite_class
    class Enemy(arcade.Sprite):
        pass

    files = {
        "images/red.png": files["images/red.png"],
        "prefabs/enemy.ron": """Prefab(components: [
            Sprite(texture: "images/red.png", sprite_class: "Enemy", scale: 2, angle: 10),
        ])""",
        "prefabs/basic.ron": """Prefab(components: [
            Sprite(texture: "images/red.png", sprite_class: "BasicSprite", scale: 2),
        ])""",
    }
    scene = stage(files, registry=registry)
    enemy = scene.spawn("enemy", (100, 100))
    assert type(enemy.sprite) is Enemy
    assert (enemy.sprite.position, enemy.sprite.scale, enemy.sprite.angle) == (
        (100, 100),
        (2, 2),
        10,
    )
    basic = scene.spawn("basic", (200, 100), angle=30)
    assert type(basic.sprite) is arcade.BasicSprite
    basic.position = (210, 100)
    assert (scene.color(100, 100), scene.color(210, 100)) == (RED, RED)


def test_a_sprite_class_that_wants_more_arguments_says_so(stage: Any, files: Any) -> None:
    """The error names the class and what to do; nothing of the entity is left."""
    registry = ComponentRegistry()

    @registry.sprite_class
    class Enemy(arcade.Sprite):
        def __init__(self, texture: Any, level: int) -> None:
            super().__init__(texture)

    scene = stage(
        {
            "images/red.png": files["images/red.png"],
            "prefabs/enemy.ron": """Prefab(components: [
                Sprite(texture: "images/red.png", sprite_class: "Enemy"),
            ])""",
        },
        registry=registry,
    )
    enemy = scene.spawn("enemy")
    assert isinstance(enemy.error, SpawnError)
    assert "`Enemy`" in str(enemy.error)
    assert "defaults" in str(enemy.error)
    assert len(scene.prefabs.entities) == 0


# ------------------------------------------------------------------------------------- components


def test_components_are_typed_and_each_entity_has_its_own(
    stage: Any, files: Any, registry: Any
) -> None:
    """Changing one entity's component changes no other one's."""
    scene = stage(files, registry=registry)
    one, two = scene.spawn("red"), scene.spawn("red")
    one[Health].current = 7
    assert (one[Health].current, two[Health].current) == (7, 0)
    assert one[Health] is one[Health]
    assert Health in one
    assert Light not in one
    assert one.get(Light) is None
    assert {type(component) for component in one.components} == {Sprite, Health}
    with pytest.raises(UnknownNameError, match=r"has no Light"):
        one[Light]
    with pytest.raises(UnknownNameError, match=r"not registered") as caught:
        one[int]
    assert caught.value.hint == "write `@arcade_prefabs.component` above the class"
    with pytest.raises(SpawnError, match=r"has no child 'zzzz'; there are none"):
        one.child("zzzz")


def test_entities_are_found_by_component_tag_and_prefab(
    stage: Any, files: Any, registry: Any
) -> None:
    """Children are found by what they have, roots by their prefab, and nothing once it is gone."""
    scene = stage(files, registry=registry)
    entities = scene.prefabs.entities
    tower, red = scene.spawn("tower"), scene.spawn("red")
    assert list(entities) == [tower, red]
    assert entities.with_component(Light) == [tower.child("lamp"), tower.child("arm/lamp")]
    assert entities.with_component(Sprite, Health) == [red]
    assert entities.with_component(Collider) == []
    assert entities.with_tag("tower") == [tower]
    assert len(entities.with_tag("lit")) == 2
    assert entities.with_tag("tower", "lit") == []
    assert entities.of_prefab("red") == [red]
    tower.despawn()
    assert entities.with_component(Light) == []
    assert entities.with_tag("lit") == []
    assert list(entities) == [red]
    with pytest.raises(UnknownNameError, match=r"not registered"):
        entities.with_component(str)


def test_hooks_are_called_when_all_of_it_is_there(stage: Any, files: Any, registry: Any) -> None:
    """Each entity with the component, on the main thread, sprites and siblings included."""
    scene = stage(files, registry=registry)
    told: list[Any] = []

    @scene.prefabs.entities.on_spawn(Light)
    def begin(entity: Any, light: Light) -> None:
        told.append((entity.sprite is not None, light.radius, len(entity.root.sprites)))
        assert threading.current_thread() is threading.main_thread()

    @scene.prefabs.entities.on_despawn(Light)
    def end(entity: Any, light: Light) -> None:
        told.append(("gone", entity.sprite is not None))

    tower = scene.spawn("tower")
    assert told == [(True, 80.0, 4), (True, 80.0, 4)]
    told.clear()
    tower.despawn()
    tower.despawn()
    assert told == [("gone", True), ("gone", True)]
    scene.prefabs.entities.remove_hook(begin)
    scene.spawn("tower")
    assert told == [("gone", True), ("gone", True)]


# --------------------------------------------------------------------------------------- overrides


def test_overrides_change_this_entity_alone(stage: Any, files: Any, registry: Any) -> None:
    """Fields of its own and of its children; the next one has the prefab's again."""
    scene = stage(files, registry=registry)
    tower = scene.spawn(
        "tower",
        (100, 100),
        overrides={"Sprite": {"angle": 45}, "lamp/Light": {"radius": 5}, "Health": Health(max=3)},
    )
    plain = scene.spawn("tower")
    assert (tower.sprite.angle, plain.sprite.angle) == (45, 0)
    assert tower.child("lamp")[Light].radius == 5
    assert plain.child("lamp")[Light].radius == 80
    assert tower[Health].max == 3
    assert Health not in plain
    listed = scene.spawn("red", overrides=[Health(max=99)])
    assert listed[Health].max == 99


def test_an_override_of_the_texture_loads_it(stage: Any, files: Any, registry: Any) -> None:
    """The entity waits for an image that its prefab would not bring."""
    scene = stage(files, registry=registry)
    scene.spawn("red", (50, 50))
    blue = scene.spawn("red", (100, 100), overrides={"Sprite": {"texture": "images/blue.png"}})
    assert blue.alive
    assert (scene.color(50, 50), scene.color(100, 100)) == (RED, BLUE)
    lost = scene.spawn("red", overrides={"Sprite": {"texture": "images/nowhere.png"}})
    assert lost.state is EntityState.FAILED
    assert "nowhere.png" in str(lost.error)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"Helth": {"max": 1}}, "unknown component `Helth`"),
        ({"Health": {"maxx": 1}}, "no field `maxx`"),
        ([object()], "`object` is not registered"),
    ],
)
def test_wrong_overrides_are_told_at_once(
    stage: Any, files: Any, registry: Any, overrides: Any, message: str
) -> None:
    """A name that does not exist is the caller's mistake, and raises there."""
    scene = stage(files, registry=registry)
    with pytest.raises(UnknownNameError, match=message):
        scene.prefabs.spawn("red", overrides=overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"Health": {"max": "many"}}, "Health"),
        ({"lamb/Light": {"radius": 1}}, "no child 'lamb'"),
        ({"Sprite": {"sprite_class": "Nobody"}}, "Nobody"),
        ({"Sprite": {"alpha": "x"}}, "does not fit: `Sprite.alpha`: expected `int`, got `str`"),
        ({"Tags": {"names": 3}}, "does not fit: `Tags.names`: expected `list`, got `int`"),
    ],
)
def test_overrides_that_do_not_fit_fail_the_spawn(
    stage: Any, files: Any, registry: Any, overrides: Any, message: str
) -> None:
    """What only the prefab can tell is the entity's error."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("tower", overrides=overrides)
    assert entity.state is EntityState.FAILED
    assert message in str(entity.error)
    assert len(scene.prefabs.entities) == 0
    assert all(len(one) == 0 for one in scene.prefabs.scene._sprite_lists)


# ---------------------------------------------------------------------------- all of it, or nothing


def test_a_missing_prefab_fails_the_entity_and_tells_why(
    stage: Any, files: Any, registry: Any
) -> None:
    """The entity has the error; awaiting it raises it as a SpawnError with its cause."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("nobody")
    assert entity.state is EntityState.FAILED
    assert isinstance(entity.error, MissingAssetError)
    with pytest.raises(SpawnError, match=r"prefabs/nobody\.ron cannot be spawned") as caught:
        entity[Health]
    assert caught.value.__cause__ is entity.error


def test_a_missing_texture_fails_the_entity(stage: Any, files: Any, registry: Any) -> None:
    """The error names the image; the window shows nothing of it."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("lost")
    assert isinstance(entity.error, DependencyError)
    assert "images/nowhere.png" in str(entity.error)
    assert len(scene.prefabs.scene) == 0


def test_a_failed_prefab_can_be_spawned_once_its_file_is_there(
    stage: Any, files: Any, registry: Any
) -> None:
    """The failure is not kept for ever."""
    scene = stage(files, registry=registry)
    assert scene.spawn("nobody").error is not None
    scene.source.write("prefabs/nobody.ron", files["prefabs/red.ron"])
    scene.pipeline.bake()
    scene.frame(2)
    assert scene.spawn("nobody").alive


def test_a_hook_that_raises_leaves_nothing_behind(stage: Any, files: Any, registry: Any) -> None:
    """Sprites, index and walls are as before, and the error is the hook's."""
    scene = stage(files, registry=registry)

    @scene.prefabs.entities.on_spawn(Light)
    def begin(entity: Any, light: Light) -> None:
        raise ZeroDivisionError("on purpose")

    tower = scene.spawn("tower")
    assert isinstance(tower.error, ZeroDivisionError)
    assert list(scene.prefabs.entities) == []
    assert scene.prefabs.entities.with_component(Sprite) == []
    assert all(len(one) == 0 for one in scene.prefabs.scene._sprite_lists)


def test_a_large_prefab_is_built_over_several_frames_and_hidden_until_then(
    stage: Any, files: Any, registry: Any
) -> None:
    """With a small budget it takes many frames; no part of it shows before the last is there."""
    scene = stage(files, registry=registry, budget_ms=0.001, step_s=0.0001)
    entity = scene.prefabs.spawn("crowd", (20, 20))
    built: list[int] = []
    for _ in range(400):
        scene.frame()
        built.append(sprites_of(entity))
        if entity.alive:
            break
        if built[-1]:
            assert scene.color(20, 20) == BLACK
    assert entity.alive
    assert len({count for count in built if 0 < count < 300}) > 5
    assert (scene.color(20, 20), scene.color(20 + 19 * 18, 20 + 14 * 18)) == (RED, RED)


def test_a_progressive_spawn_shows_parts_as_they_come(
    stage: Any, files: Any, registry: Any
) -> None:
    """The first parts are to be seen while later ones are still to be built."""
    scene = stage(files, registry=registry, budget_ms=0.001, step_s=0.0001)
    entity = scene.prefabs.spawn("crowd", (20, 20), progressive=True)
    scene.until(lambda: sprites_of(entity))
    assert entity.state is EntityState.BUILDING
    assert scene.color(20, 20) == RED


def test_what_is_hidden_while_it_is_built_does_not_show(
    stage: Any, files: Any, registry: Any
) -> None:
    """Neither the parts that were shown already nor those that come later."""
    scene = stage(files, registry=registry, budget_ms=0.001, step_s=0.0001)
    entity = scene.prefabs.spawn("crowd", (20, 20), progressive=True)
    scene.until(lambda: sprites_of(entity))
    assert entity.state is EntityState.BUILDING
    entity.visible = False
    assert scene.color(20, 20) == BLACK
    scene.until(lambda: entity.alive)
    assert scene.picture().convert("L").getbbox() is None
    entity.visible = True
    assert (scene.color(20, 20), scene.color(20 + 19 * 18, 20 + 14 * 18)) == (RED, RED)


def test_asking_for_the_parts_finishes_an_entity_that_can_be_finished(
    stage: Any, files: Any, registry: Any
) -> None:
    """Half built, or only queued, it is complete when its sprites are asked for."""
    scene = stage(files, registry=registry, budget_ms=0.001, step_s=0.0001)
    entity = scene.prefabs.spawn("crowd")
    assert entity.sprites == []  # not loaded yet
    scene.until(lambda: sprites_of(entity))
    assert len(entity.sprites) == 300
    assert entity.alive


def test_a_huge_entity_is_shown_over_several_frames(stage: Any, files: Any, registry: Any) -> None:
    """Once all of it is there: showing thousands of sprites takes more than a step."""
    rows = ", ".join('(prefab: "red")' for _ in range(2500))
    files["prefabs/huge.ron"] = f"Prefab(children: [{rows}])"
    scene = stage(files, registry=registry, budget_ms=5.0, step_s=0.0001)
    sprites: arcade.SpriteList[Any] = arcade.SpriteList()
    entity = scene.prefabs.spawn("huge", scene=sprites)
    scene.until(lambda: len(sprites) > 2000)
    scene.prefabs.budget_ms = 0.001
    shown = []
    while not entity.alive:
        scene.frame()
        shown.append(sum(sprite.visible for sprite in sprites))
    assert shown[-1] == 2500
    assert any(0 < count < 2500 for count in shown)


def test_a_large_entity_goes_over_several_frames(stage: Any, files: Any, registry: Any) -> None:
    """It is despawned at once, and its sprites go as there is time; a small one's go at once."""
    scene = stage(files, registry=registry, budget_ms=0.5, step_s=0.0001)
    sprites: arcade.SpriteList[Any] = arcade.SpriteList()
    small, large = (scene.spawn(name, scene=sprites) for name in ("red", "crowd"))
    small.despawn()
    assert len(sprites) == 300
    large.despawn()
    assert not large.alive
    left = [len(sprites)]
    while sprites:
        scene.frame()
        left.append(len(sprites))
    assert left[0] > left[1] > left[2] >= 0
    assert left == sorted(set(left), reverse=True), "something goes in each frame"


def test_despawning_early_leaves_nothing(stage: Any, files: Any, registry: Any) -> None:
    """While it loads, and while it is being built."""
    scene = stage(files, registry=registry, budget_ms=0.001, step_s=0.0001)
    loading = scene.prefabs.spawn("crowd")
    loading.despawn()
    scene.frame(5)
    assert loading.state is EntityState.DESPAWNED
    building = scene.prefabs.spawn("crowd")
    scene.until(lambda: sprites_of(building))
    building.despawn()
    scene.frame(60)
    assert building.state is EntityState.DESPAWNED
    assert all(len(one) == 0 for one in scene.prefabs.scene._sprite_lists)
    assert scene.prefabs.entities.with_component(Sprite) == []


def test_what_is_despawned_gives_its_room_in_the_atlas_back(
    stage: Any, files: Any, registry: Any
) -> None:
    """Once the cache lets the image go, its pixels are free again."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("large")
    assert scene.prefabs.atlas.statistics().images >= 1
    before = scene.prefabs.atlas.statistics().used_bytes
    entity.despawn()
    del entity
    scene.frame(3)
    scene.prefabs.loader.trim()
    scene.frame(3)
    assert scene.prefabs.atlas.statistics().used_bytes < before


def test_a_full_atlas_lets_go_what_nobody_holds(stage: Any, picture_of: Any, registry: Any) -> None:
    """More images than fit go through it, as long as those that are alive do."""
    files: dict[str, str | bytes] = {}
    for number in range(12):
        files[f"images/{number}.png"] = picture_of((number * 20, 0, 0), (120, 120))
        files[f"prefabs/p{number}.ron"] = (
            f'Prefab(components: [Sprite(texture: "images/{number}.png")])'
        )
    scene = stage(files, registry=registry, atlas_size=(256, 256))
    for number in range(12):
        entity = scene.spawn(f"p{number}", (200, 150))
        assert entity.alive, entity.error
        assert scene.color(200, 150) == (number * 20, 0, 0)
        entity.despawn()
        del entity


@pytest.mark.parametrize("auto_resize", [False, True])
def test_an_atlas_that_is_truly_full_grows_or_fails_the_spawn(
    stage: Any, picture_of: Any, registry: Any, auto_resize: bool
) -> None:
    """As the game has it; the error says what to do, and what was there still shows."""
    files: dict[str, str | bytes] = {}
    for number in range(5):
        files[f"images/{number}.png"] = picture_of((number * 20 + 50, 0, 0), (120, 120))
        files[f"prefabs/p{number}.ron"] = (
            f'Prefab(components: [Sprite(texture: "images/{number}.png")])'
        )
    scene = stage(files, registry=registry, atlas_size=(256, 256))
    scene.prefabs.atlas.auto_resize = auto_resize
    places = [(70, 70), (200, 70), (70, 200), (200, 200), (310, 70)]
    spawned = [scene.spawn(f"p{number}", place) for number, place in enumerate(places)]
    assert [one.alive for one in spawned] == [True, True, True, True, auto_resize]
    if not auto_resize:
        assert "no room for an image of 120×120" in str(spawned[4].error)
        assert "atlas.resize" in str(spawned[4].error)
    for number, place in enumerate(places[: 5 if auto_resize else 4]):
        assert scene.color(*place) == (number * 20 + 50, 0, 0)


# ----------------------------------------------------------------------------- waiting for it, etc.


def test_scripts_await_entities(stage: Any, files: Any, registry: Any) -> None:
    """A script goes on when the entity is there, or gets the error."""
    scene = stage(files, registry=registry)
    told: list[Any] = []

    async def play() -> None:
        entity = await scene.prefabs.spawn("red", (10, 20))
        told.append(entity.position)
        try:
            await scene.prefabs.spawn("nobody")
        except SpawnError as error:
            told.append(type(error.__cause__))

    script = scene.prefabs.start(play())
    scene.until(lambda: script.done)
    script.result()
    assert told == [(10, 20), MissingAssetError]


def test_asyncio_awaits_entities(stage: Any, files: Any, registry: Any) -> None:
    """Any event loop can wait for one, while frames go on beside it."""
    scene = stage(files, registry=registry)

    async def frames() -> None:
        for _ in range(100):
            scene.frame()
            await asyncio.sleep(0)

    async def play() -> tuple[float, float]:
        playing = asyncio.ensure_future(frames())
        entity = await scene.prefabs.spawn("red", (1, 2))
        playing.cancel()
        found: tuple[float, float] = entity.position
        return found

    assert asyncio.run(play()) == (1, 2)


def test_despawning_ends_the_wait_with_an_error(stage: Any, files: Any, registry: Any) -> None:
    """Whoever awaits it learns that it will not come."""
    scene = stage(files, registry=registry)
    entity = scene.prefabs.spawn("red")

    async def play() -> None:
        await entity

    script = scene.prefabs.start(play())
    scene.prefabs.update(0)
    entity.despawn()
    scene.until(lambda: script.done)
    with pytest.raises(SpawnError, match="was despawned"):
        script.result()


def test_other_threads_are_refused(stage: Any, files: Any, registry: Any) -> None:
    """By name, with what to do instead."""
    scene = stage(files, registry=registry)
    entity = scene.spawn("red")
    caught: list[Exception] = []

    def run() -> None:
        for call in (lambda: scene.prefabs.spawn("red"), entity.despawn, scene.prefabs.draw):
            try:
                call()
            except WrongThreadError as error:
                caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert len(caught) == 3
    assert "prefabs.call" in str(caught[0])
    assert entity.alive


def test_calls_from_other_threads_arrive_on_the_main_thread(
    stage: Any, files: Any, registry: Any
) -> None:
    """What is handed over with call runs in a frame."""
    scene = stage(files, registry=registry)
    told: list[Any] = []
    thread = threading.Thread(
        target=scene.prefabs.call, args=(lambda: told.append(threading.current_thread()),)
    )
    thread.start()
    thread.join(10)
    scene.frame()
    assert told == [threading.main_thread()]


def test_an_unsafe_name_is_refused(stage: Any, files: Any, registry: Any) -> None:
    """No path leads out of the assets folder."""
    scene = stage(files, registry=registry)
    with pytest.raises(UnsafePathError):
        scene.prefabs.spawn("../../etc/passwd")


def test_an_image_is_no_prefab(stage: Any, files: Any, registry: Any) -> None:
    """Spawning another kind of asset says what it is."""
    scene = stage(files, registry=registry)
    handle = scene.prefabs.load("images/red.png")
    entity = scene.spawn(handle)
    assert "is image, not a prefab" in str(entity.error)


def test_a_loaded_image_is_a_texture_for_sprites_of_the_game(
    stage: Any, files: Any, registry: Any
) -> None:
    """The value of an image's handle can be given to arcade.Sprite."""
    scene = stage(files, registry=registry)
    handle = scene.prefabs.load("images/blue.png")
    scene.until(lambda: handle.ready)
    sprite = arcade.Sprite(handle.value.texture, 1, 60, 70)
    scene.prefabs.scene.add_sprite("own", sprite)
    assert scene.color(60, 70) == BLUE


def test_a_child_can_be_despawned_alone(stage: Any, files: Any, registry: Any) -> None:
    """With its own children; what is left of the whole moves, hides and goes as before."""
    scene = stage(files, registry=registry)
    gone: list[str] = []
    scene.prefabs.entities.on_despawn(Light)(lambda entity, _: gone.append(entity.root.prefab_id))
    tower = scene.spawn("tower", (200, 100))
    arm, lamp = tower.child("arm"), tower.child("lamp")
    far = arm.child("lamp")
    arm.despawn()
    arm.despawn()
    assert len(gone) == 1
    assert [arm.alive, far.alive, lamp.alive, tower.alive] == [False, False, True, True]
    assert arm.state is EntityState.DESPAWNED
    assert tower.children == (lamp,)
    assert scene.color(200, 150) == BLACK
    assert scene.prefabs.entities.with_component(Light) == [lamp]
    assert len(tower.sprites) == 2
    tower.position = (100, 100)
    tower.visible = False
    tower.visible = True
    assert (scene.color(100, 100), scene.color(160, 100)) == (RED, GREEN)
    tower.despawn()
    assert len(gone) == 2
    assert scene.color(100, 100) == BLACK


def test_hooks_may_despawn_what_is_going_already(stage: Any, files: Any, registry: Any) -> None:
    """Itself, its whole, a sibling: each hook is called once, and nothing is left."""
    scene = stage(files, registry=registry)
    entities = scene.prefabs.entities
    calls: list[str] = []

    @entities.on_despawn(Light)
    def gone(entity: Any, light: Light) -> None:
        calls.append(entity.name)
        entity.despawn()
        entity.root.despawn()

    tower = scene.spawn("tower", (200, 100))
    tower.despawn()
    assert sorted(calls) == ["lamp", "lamp"]
    calls.clear()
    tower = scene.spawn("tower", (200, 100))
    tower.child("arm").despawn()  # its hook takes the whole along
    assert tower.state is EntityState.DESPAWNED
    assert len(entities) == 0
    assert entities.with_component(Light) == []
    assert scene.color(200, 100) == BLACK


def test_sprites_tell_their_entity(stage: Any, files: Any, registry: Any) -> None:
    """As collision checks give sprites; what is gone is nobody's any more."""
    scene = stage(files, registry=registry)
    tower = scene.spawn("tower", (200, 100))
    of = scene.prefabs.entities.of_sprite
    sprites = tower.sprites
    assert of(tower.sprite) is tower
    assert of(tower.child("arm/lamp").sprite) is tower.child("arm/lamp")
    hit = arcade.check_for_collision_with_list(
        arcade.SpriteSolidColor(4, 4, 200, 100), scene.prefabs.scene["ground"]
    )
    assert [of(one) for one in hit] == [tower]
    assert of(arcade.SpriteSolidColor(4, 4)) is None
    tower.despawn()
    assert [of(one) for one in sprites] == [None] * 4
    assert scene.prefabs.entities._by_sprite == {}


def test_everything_that_waits_is_cleared_and_told_at_the_end(
    stage: Any, files: Any, registry: Any
) -> None:
    """Whatever it waits for: its prefab, a texture of its own, its turn, its next slice."""
    scene = stage(files, registry=registry, step_s=0.0001, budget_ms=0.2)
    scene.spawn("red")

    def begin() -> list[Any]:
        own = {"Sprite": {"texture": "images/large.png"}}
        late = [scene.prefabs.spawn("blue"), scene.prefabs.spawn("red", overrides=own)]
        scene.frame(3)
        crowd = scene.prefabs.spawn("crowd")
        scene.until(lambda: crowd.state is EntityState.BUILDING)
        return [*late, crowd, scene.prefabs.spawn("lamp"), scene.prefabs.spawn("tower")]

    some = begin()
    assert scene.prefabs.busy
    scene.prefabs.clear()
    assert {one.state for one in some} <= {EntityState.DESPAWNED, EntityState.FAILED}
    scene.frame(30)
    assert all(len(one) == 0 for one in scene.prefabs.scene._sprite_lists)
    assert not scene.prefabs.busy
    some = [one for one in begin() if one.error is None and not one.alive]
    assert len(some) >= 3
    scene.prefabs.detach()
    assert all("closed" in str(one.error) for one in some)


def test_a_large_entity_that_goes_is_gone_when_the_plugin_is(
    stage: Any, files: Any, registry: Any
) -> None:
    """There are no more frames to take its sprites away in."""
    scene = stage(files, registry=registry)
    crowd, other = scene.spawn("crowd"), scene.spawn("crowd")
    crowd.despawn()
    layer = scene.prefabs.scene["default"]
    assert len(layer) > 300
    scene.prefabs.detach()
    assert len(layer) == 300
    other.despawn()
    assert len(layer) == 0


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ({"position": (float("nan"), 0)}, ValueError),
        ({"position": (0, float("inf"))}, ValueError),
        ({"position": (1, 2, 3)}, ValueError),
        ({"position": (10**400, 0)}, ValueError),
        ({"position": None}, TypeError),
        ({"position": "ab"}, TypeError),
        ({"position": (1j, 0)}, TypeError),
        ({"angle": float("-inf")}, ValueError),
        ({"angle": "x"}, TypeError),
        ({"scale": float("nan")}, ValueError),
        ({"scale": (1, float("inf"))}, ValueError),
        ({"scale": None}, TypeError),
    ],
)
def test_a_place_of_no_numbers_is_refused_at_once(
    stage: Any, files: Any, registry: Any, place: dict[str, Any], kind: type[Exception]
) -> None:
    """A sprite there would be seen nowhere, and nobody would know why."""
    scene = stage(files, registry=registry)
    with pytest.raises(kind, match=r"a transform (takes finite numbers|is a position)"):
        scene.prefabs.spawn("red", **place)
    assert not scene.prefabs.busy


def test_what_names_no_prefab_is_refused_at_once(stage: Any, files: Any, registry: Any) -> None:
    """So is a priority that there is none."""
    prefabs = stage(files, registry=registry).prefabs
    for wrong in (None, 5, Path("red")):
        with pytest.raises(TypeError, match="its id or a handle"):
            prefabs.spawn(wrong)
    prefab = prefabs.load("red")
    for _ in range(2):
        with pytest.raises(ValueError, match="is not a valid Priority"):
            prefabs.spawn(prefab, priority=9)


@pytest.mark.parametrize("scale", [1e9, (1e-9, 1e12), 1e300])
def test_a_wall_without_end_is_refused(stage: Any, files: Any, registry: Any, scale: float) -> None:
    """To list where it is would take minutes; nothing of it is left."""
    files |= {
        "prefabs/wall.ron": """Prefab(components: [
            Sprite(texture: "images/red.png"), Collider(shape: Box(32, 32)),
        ])""",
        "prefabs/rock.ron": """Prefab(components: [
            Sprite(texture: "images/red.png"), Collider(),
        ])""",
    }
    scene = stage(files, registry=registry)
    for name in ("wall", "rock"):
        entity = scene.spawn(name, scale=scale)
        assert "its collider is too large" in str(entity.error)
    assert len(scene.prefabs.walls) == 0
    assert scene.spawn("wall", scale=(200.0, 2.0)).alive


@pytest.mark.parametrize("scene", [[], "default", 5, arcade.Sprite])
def test_a_scene_that_is_none_is_refused_at_once(
    stage: Any, files: Any, registry: Any, scene: Any
) -> None:
    """The error says what may be given."""
    prefabs = stage(files, registry=registry).prefabs
    with pytest.raises(TypeError, match=r"arcade\.Scene, an arcade\.SpriteList, or a mapping"):
        prefabs.spawn("red", scene=scene)


def test_what_is_set_before_it_is_there_holds_when_it_comes(
    stage: Any, files: Any, registry: Any
) -> None:
    """Place, angle, scale and visibility, for children as well."""
    scene = stage(files, registry=registry)
    tower = scene.prefabs.spawn("tower", (10, 10))
    tower.position, tower.angle, tower.scale, tower.visible = (200, 150), 90, 2.0, False
    scene.until(lambda: tower.alive)
    assert not any(one.visible for one in tower.sprites)
    tower.visible = True
    assert tower.sprite.scale == (2.0, 2.0)
    assert (scene.color(200, 150), scene.color(200, 30)) == (RED, GREEN)


def test_hooks_that_spawn_without_end_take_their_turns(
    stage: Any, files: Any, registry: Any
) -> None:
    """Not within each other: the game goes on, and the mistake can be seen."""
    scene = stage(files, registry=registry, step_s=0.00001)
    scene.spawn("red")
    more = [2000]

    @scene.prefabs.entities.on_spawn(Health)
    def again(entity: Any, health: Health) -> None:
        if more[0]:
            more[0] -= 1
            assert scene.prefabs.spawn("red").error is None

    scene.prefabs.spawn("red")
    scene.frame()
    assert more[0] > 0
    scene.until(lambda: more[0] == 0, most=2000)
    scene.until(lambda: not scene.prefabs.busy)
    assert len(scene.prefabs.entities) == 2002
