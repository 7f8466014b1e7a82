"""A list of instances beside Arcade's own list of the same sprites: nobody can tell them apart."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable
from typing import Any

import arcade
import pytest
from arcade.types import LRBT
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import SIZE

from arcade_prefabs.window.instance_list import InstanceList, InstanceRows, InstanceRun

Row = tuple[float, float, float, int]  # x, y, angle, texture
Sprites = arcade.SpriteList[arcade.Sprite]

WIDE = 24.0


@pytest.fixture(scope="module")
def textures(session_window: arcade.Window) -> list[arcade.Texture]:
    """Two pictures of one size."""
    return [
        arcade.make_circle_texture(32, (200, 60, 20, 255)),
        arcade.make_soft_square_texture(32, (20, 90, 220, 255), 255, 200),
    ]


def sprite_of(row: Row, textures: list[arcade.Texture]) -> arcade.Sprite:
    x, y, angle, number = row
    return arcade.Sprite(textures[number], WIDE / 32, x, y, angle)


def plain(rows: list[Row], textures: list[arcade.Texture]) -> Sprites:
    """Arcade's own list."""
    sprites: Sprites = arcade.SpriteList()
    sprites.extend(sprite_of(row, textures) for row in rows)
    return sprites


def filled(rows: list[Row], textures: list[arcade.Texture], **options: Any) -> InstanceList:
    """The same as instances; rows are sorted by texture, and drawn in the order that is given."""
    order = sorted(range(len(rows)), key=lambda number: rows[number][3])
    places = array("f")
    for number in order:
        x, y, angle, _ = rows[number]
        places.extend((x, y, 0.0, angle))
    runs = [
        InstanceRun(texture, sum(row[3] == number for row in rows))
        for number, texture in enumerate(textures)
    ]
    drawn = array("i", [0] * len(rows))
    for slot, number in enumerate(order):
        drawn[number] = slot

    def make(slot: int) -> None:
        made.adopt(slot, sprite_of(rows[order[slot]], textures))

    made = InstanceList(
        runs,
        InstanceRows(
            places,
            array("f", [WIDE]) * (2 * len(rows)),
            array("B", [255]) * (4 * len(rows)),
            drawn,
        ),
        make,
        **options,
    )
    return made


def scattered(count: int, seed: int = 1) -> list[Row]:
    chance = random.Random(seed)
    return [
        (chance.randrange(SIZE[0]), chance.randrange(SIZE[1]), chance.choice((0, 30, 90)), number)
        for number in (chance.randrange(2) for _ in range(count))
    ]


def facts(sprites: Any) -> list[Any]:
    return [(one.position, one.angle, one.size, one.texture) for one in sprites]


def picture(window: arcade.Window, sprites: Any) -> bytes:
    window.clear()
    sprites.draw()
    return arcade.get_image(0, 0, *SIZE).tobytes()


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 600])
def test_instances_look_like_sprites(
    window: arcade.Window, textures: list[arcade.Texture], count: int
) -> None:
    """As instances, half of them promoted, and all of them; whichever size Arcade's arrays have."""
    rows = scattered(count)
    wanted = picture(window, plain(rows, textures))
    sprites = filled(rows, textures)
    assert picture(window, sprites) == wanted
    assert sprites.promoted == 0
    for index in range(0, count, 2):
        _ = sprites[index]
    assert picture(window, sprites) == wanted
    assert facts(sprites) == facts(plain(rows, textures))
    assert sprites.promoted == len(sprites) == count
    assert picture(window, sprites) == wanted


def test_a_list_that_was_never_drawn_promotes_too(
    window: arcade.Window, textures: list[arcade.Texture]
) -> None:
    """Before OpenGL knows of it, and what was promoted then is drawn as it stands."""
    sprites = filled([(100, 100, 0, 0), (200, 100, 0, 1)], textures)
    sprites[1].position = (300, 200)
    assert picture(window, sprites) == picture(
        window, plain([(100, 100, 0, 0), (300, 200, 0, 1)], textures)
    )


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "append",
                "insert",
                "remove",
                "pop",
                "swap",
                "reverse",
                "replace",
                "move",
                "sort",
                "recolor",
                "look",
                "touch",
                "hide",
                "discard",
            ]
        ),
        st.integers(0, 10_000),
    ),
    max_size=24,
)


@settings(max_examples=60)
@given(count=st.integers(0, 40), operations=OPERATIONS)
def test_everything_that_a_list_can_do(
    session_window: arcade.Window,
    textures: list[arcade.Texture],
    count: int,
    operations: list[tuple[str, int]],
) -> None:
    """Any order of operations leaves both lists with the same sprites, and the same picture."""
    session_window.switch_to()
    rows = scattered(count)
    ours, theirs = filled(rows, textures), plain(rows, textures)
    for what, number in operations:
        both: list[Any] = [ours, theirs]
        length = len(theirs)
        index = number % length if length else 0
        if what == "append":
            for one in both:
                one.append(sprite_of((number % 400, 50, 0, number % 2), textures))
        elif what == "insert":
            for one in both:
                one.insert(index, sprite_of((number % 400, 90, 0, number % 2), textures))
        elif not length:
            continue
        elif what == "remove":
            for one in both:
                one[index].kill()
        elif what == "pop":
            assert facts([ours.pop(index)]) == facts([theirs.pop(index)])
        elif what == "swap":
            for one in both:
                one.swap(index, number // 7 % length)
        elif what == "reverse":
            for one in both:
                one.reverse()
        elif what == "replace":
            for one in both:
                one[index] = sprite_of((number % 400, 130, 0, number % 2), textures)
        elif what == "move":
            for one in both:
                one.move(number % 7, -3)
        elif what == "sort":
            for one in both:
                one.sort(key=lambda sprite: (sprite.center_y, sprite.center_x))
        elif what == "recolor":
            for one in both:
                one[index].color = (number % 256, 200, 100, 200)
        elif what == "hide":
            for one in both:
                one[index].visible = False
        elif what == "look":
            point = (number % SIZE[0], number // 3 % SIZE[1])
            found = [
                sorted(facts(arcade.get_sprites_at_point(point, one)), key=repr) for one in both
            ]
            assert found[0] == found[1]
        elif what == "touch":
            sprite = arcade.Sprite(textures[0], 1, number % SIZE[0], number // 3 % SIZE[1])
            found = [
                sorted(facts(arcade.check_for_collision_with_list(sprite, one)), key=repr)
                for one in both
            ]
            assert found[0] == found[1]
        elif what == "discard":
            ours.discard(ours._sprite_index_data[index])
            theirs.pop(index)
        assert len(ours) == len(theirs)
    assert picture(session_window, ours) == picture(session_window, theirs)
    assert facts(ours) == facts(theirs)
    assert [ours.index(one) for one in ours] == list(range(len(ours)))
    assert facts(reversed(ours.sprite_list)) == facts(reversed(theirs.sprite_list))  # type: ignore[call-overload]


QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "sprite": lambda one: arcade.check_for_collision_with_list(
        arcade.SpriteSolidColor(40, 40, 200, 150), one
    ),
    "sprite, simple": lambda one: arcade.check_for_collision_with_list(
        arcade.SpriteSolidColor(40, 40, 200, 150), one, method=3
    ),
    "sprite, graphics card": lambda one: arcade.check_for_collision_with_list(
        arcade.SpriteSolidColor(40, 40, 200, 150), one, method=2
    ),
    "lists": lambda one: arcade.check_for_collision_with_lists(
        arcade.SpriteSolidColor(40, 40, 200, 150), [one]
    ),
    "point": lambda one: arcade.get_sprites_at_point((200, 150), one),
    "rect": lambda one: arcade.get_sprites_in_rect(LRBT(180, 260, 120, 170), one),
    "closest": lambda one: [
        arcade.get_closest_sprite(arcade.SpriteSolidColor(4, 4, 200, 150), one)[0]
    ],
    "sprite's own": lambda one: arcade.SpriteSolidColor(40, 40, 9, 9).collides_with_list(one),
}


@pytest.mark.parametrize("what", QUESTIONS)
def test_collisions_find_what_they_find_among_sprites(
    window: arcade.Window, textures: list[arcade.Texture], what: str
) -> None:
    """Each of Arcade's functions, before and after a sprite that was found has moved."""
    rows = scattered(1200)
    ours, theirs = filled(rows, textures), plain(rows, textures)
    for _ in range(2):
        found = [QUESTIONS[what](one) for one in (ours, theirs)]
        assert sorted(facts(found[0]), key=repr) == sorted(facts(found[1]), key=repr)
        for some in found:
            for sprite in sorted(some, key=lambda one: one.position)[:1]:
                sprite.position = (10, 10)


def test_a_collision_promotes_only_what_is_near(
    window: arcade.Window, textures: list[arcade.Texture]
) -> None:
    """Squares of 128 pixels around it, out of a large world."""
    rows: list[Row] = [(64 + 128 * x, 64 + 128 * y, 0, 0) for x in range(50) for y in range(50)]
    sprites = filled(rows, textures)
    player = arcade.SpriteSolidColor(10, 10, 3264, 3264)
    assert len(arcade.check_for_collision_with_list(player, sprites)) == 1
    assert sprites.promoted == 1
    assert arcade.check_for_collision_with_list(player, sprites)[0] is sprites[50 * 25 + 25]


def test_large_sprites_are_found_everywhere(
    window: arcade.Window, textures: list[arcade.Texture]
) -> None:
    """What is in a thousand squares and more is looked at in every question."""
    wide = 128 * 40.0
    places = array("f", [0, 0, 0, 0])
    made: list[InstanceList] = []
    made.append(
        InstanceList(
            [InstanceRun(textures[1], 1)],
            InstanceRows(places, array("f", [wide, wide]), array("B", [255] * 4), array("i", [0])),
            lambda row: made[0].adopt(row, arcade.Sprite(textures[1], wide / 32)),
        )
    )
    player = arcade.SpriteSolidColor(10, 10, 2000, -2000)
    for _ in range(2):
        assert len(arcade.check_for_collision_with_list(player, made[0])) == 1
    made[0][0].kill()
    assert arcade.check_for_collision_with_list(player, made[0]) == []


def test_updates_reach_sprites_only(window: arcade.Window, textures: list[arcade.Texture]) -> None:
    """An instance has no update that does anything, and none promotes it."""
    sprites = filled(scattered(10), textures)
    first = sprites[0]
    first.change_x = 5
    before = first.center_x
    sprites.update()
    sprites.update_animation()
    assert (first.center_x, sprites.promoted) == (before + 5, 1)


def test_clearing_takes_out_instances(
    window: arcade.Window, textures: list[arcade.Texture]
) -> None:
    """And the list is one like any other then."""
    sprites = filled(scattered(10), textures)
    kept = sprites[3]
    sprites.draw()
    sprites.clear()
    assert (len(sprites), kept.sprite_lists, list(sprites)) == (0, [], [])
    sprites.append(kept)
    player = arcade.Sprite(textures[0], 1, *kept.position)
    assert arcade.check_for_collision_with_list(player, sprites) == [kept]


def test_shuffling_keeps_all(window: arcade.Window, textures: list[arcade.Texture]) -> None:
    """In another order, and without promoting one."""
    rows: list[Row] = [(number, 0, 0, 0) for number in range(100)]
    sprites = filled(rows, textures)
    sprites.shuffle()
    assert sprites.promoted == 0
    found = [one.center_x for one in sprites]
    assert found != sorted(found) == list(range(100))


def test_squares_of_another_size(window: arcade.Window, textures: list[arcade.Texture]) -> None:
    """A list of instances always has a spatial hash; its squares can be chosen."""
    sprites = filled(scattered(50), textures)
    sprites.enable_spatial_hashing(64)
    assert sprites.spatial_hash is not None
    assert (sprites.spatial_hash.cell_size, sprites.promoted) == (64, 0)
    point = sprites[7].position
    assert sprites[7] in arcade.get_sprites_at_point(point, sprites)
    sprites.disable_spatial_hashing()
    assert sprites[7] in arcade.get_sprites_at_point(point, sprites)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.places.pop(), "need arrays of"),
        (lambda rows: rows.colors.append(1), "need arrays of"),
        (lambda rows: rows.order.__setitem__(0, 2), "numbers of all rows"),
    ],
)
def test_arrays_that_do_not_fit(
    window: arcade.Window,
    textures: list[arcade.Texture],
    change: Callable[[InstanceRows], object],
    message: str,
) -> None:
    """A list is not made of arrays that would be read beyond their ends."""
    rows = InstanceRows(
        array("f", [0.0] * 8), array("f", [1.0] * 4), array("B", [255] * 8), array("i", [0, 1])
    )
    change(rows)
    with pytest.raises(ValueError, match=message):
        InstanceList([InstanceRun(textures[0], 2)], rows, lambda row: None)


def test_rows_that_are_not_there(window: arcade.Window, textures: list[arcade.Texture]) -> None:
    """Taken out, taken over already, or never there."""
    sprites = filled(scattered(3), textures)
    sprites.discard(0)
    for row in (0, 3, -1):
        with pytest.raises(IndexError):
            sprites.sprite_of(row)
    with pytest.raises(ValueError, match="already"):
        sprites.adopt(0, arcade.Sprite(textures[0]))
    with pytest.raises(IndexError):
        _ = sprites[2]
    with pytest.raises(ValueError, match="not in"):
        sprites.index(arcade.Sprite(textures[0]))
    with pytest.raises(ValueError, match="not in"):
        sprites.remove(arcade.Sprite(textures[0]))


def test_the_atlas_may_be_made_anew(window: arcade.Window, textures: list[arcade.Texture]) -> None:
    """Numbers of textures stay when an atlas is resized or rebuilt."""
    atlas = arcade.DefaultTextureAtlas((256, 256), ctx=window.ctx)
    rows = scattered(100)
    sprites = filled(rows, textures, atlas=atlas)
    wanted = picture(window, plain(rows, textures))
    assert picture(window, sprites) == wanted
    atlas.resize((512, 512))
    assert picture(window, sprites) == wanted
    atlas.rebuild()
    assert picture(window, sprites) == wanted
