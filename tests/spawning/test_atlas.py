"""`ReclaimingAtlas` with real OpenGL: what it shows is read back, pixel by pixel."""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image
from pyglet import gl

os.environ.setdefault("ARCADE_HEADLESS", "True")

import arcade
from arcade.texture import ImageData

from arcade_prefabs.errors import AtlasFullError, WrongThreadError
from arcade_prefabs.spawning import ReclaimingAtlas, StoredImage

POINTS = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0))
GRAY = (90, 90, 90, 255)


@pytest.fixture(scope="module")
def window() -> Iterator[arcade.Window]:
    window = arcade.Window(128, 128)
    yield window
    window.close()


@pytest.fixture
def atlas(window: arcade.Window) -> ReclaimingAtlas:
    return ReclaimingAtlas((256, 256), ctx=window.ctx)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.frombytes(
        "RGBA", (width, height), random.Random(seed).randbytes(width * height * 4)
    )


def plain(name: str, color: tuple[int, int, int, int], size: tuple[int, int] = (64, 64)) -> Any:
    return arcade.Texture(ImageData(Image.new("RGBA", size, color), name), hit_box_points=POINTS)


def made(image: Image.Image, name: str | None = None) -> arcade.Texture:
    return arcade.Texture(ImageData(image, name), hit_box_points=POINTS)


def bordered(image: Image.Image, corners: bool = True) -> bytes:
    """Returns an image with two pixels around it that repeat its outermost ones.

    That is what the bake store has; Arcade leaves the four corners empty.
    """
    width, height = image.size
    out = Image.new("RGBA", (width + 4, height + 4))
    for y in range(out.height):
        for x in range(out.width):
            near = min(max(x - 2, 0), width - 1), min(max(y - 2, 0), height - 1)
            if corners or near[0] == x - 2 or near[1] == y - 2:
                out.putpixel((x, y), image.getpixel(near))
    return out.tobytes()


def stored(atlas: ReclaimingAtlas, name: str, width: int, height: int) -> arcade.Texture:
    return arcade.Texture(StoredImage(name, width, height, atlas), hit_box_points=POINTS)


def shown(atlas: ReclaimingAtlas, texture: arcade.Texture) -> bytes:
    return atlas.read_texture_image_from_atlas(texture).tobytes()


def area(atlas: ReclaimingAtlas, texture: arcade.Texture) -> bytes:
    """Returns the pixels of an image with its border, as they are in the atlas."""
    region = atlas.get_image_region_info(texture.image_data.hash)
    border = atlas.border
    viewport = (
        region.x - border,
        region.y - border,
        region.width + 2 * border,
        region.height + 2 * border,
    )
    return bytes(atlas.fbo.read(viewport=viewport, components=4))


def books(atlas: ReclaimingAtlas) -> tuple[Any, ...]:
    """Returns all tables that the atlas, and Arcade's class below it, keep."""
    return (
        atlas.size,
        atlas.version,
        atlas.statistics(),
        dict(atlas._rects),
        {name: (one.x, one.y) for name, one in atlas._texture_regions.items()},
        dict(atlas._texture_uvs._slots),
        dict(atlas._image_uvs._slots),
        atlas._texture_uvs._data.tobytes(),
        atlas._unique_texture_ref_count._data.copy(),
        atlas._image_ref_count._data.copy(),
        atlas.to_image().tobytes(),
    )


def assert_empty(atlas: ReclaimingAtlas) -> None:
    atlas.reclaim()
    statistics = atlas.statistics()
    assert (statistics.images, statistics.textures, statistics.used_bytes) == (0, 0, 0)
    assert statistics.waiting == 0
    for book in (
        atlas._rects,
        atlas._shown,
        atlas._blank,
        atlas._watches,
        atlas._image_regions,
        atlas._texture_regions,
        atlas._unique_textures,
        atlas._unique_texture_ref_count,
        atlas._image_ref_count,
        atlas._texture_uvs,
        atlas._image_uvs,
    ):
        assert len(book) == 0
    assert atlas.textures == atlas.unique_textures == atlas.images == []


# ------------------------------------------------------------------------------------------- adding


def test_five_thousand_textures_go_through_without_a_rebuild(
    window: arcade.Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 alive at a time: no resize, no rebuild, one write for each, nothing left behind."""
    atlas = ReclaimingAtlas((2048, 2048), ctx=window.ctx)
    writes = []
    write_image = atlas.write_image
    monkeypatch.setattr(
        atlas, "write_image", lambda *args: (writes.append(1), write_image(*args))[0]
    )
    alive: deque[arcade.Texture] = deque()
    for number in range(5_000):
        color = number % 256, number // 256, 77, 255
        alive.append(plain(str(number), color))
        atlas.add(alive[-1])
        if len(alive) > 500:
            alive.popleft()
        if number % 100 == 99:
            for texture in (alive[0], alive[len(alive) // 2], alive[-1]):
                expected = texture.image.tobytes()
                assert shown(atlas, texture) == expected
    assert len(writes) == 5_000
    statistics = atlas.statistics()
    assert (statistics.resizes, atlas.version) == (0, 0)
    assert statistics.reclaimed >= 5_000 - 900
    assert statistics.images <= 900
    del texture
    alive.clear()
    assert_empty(atlas)


def test_what_arcade_asks_of_an_atlas_is_answered(atlas: ReclaimingAtlas) -> None:
    """Numbers, regions and lists are those of the textures that were added."""
    texture = made(noise(20, 10))
    number, region = atlas.add(texture)
    assert atlas.add(texture) == (number, region)
    assert atlas.get_texture_id(texture) == number
    assert atlas.get_texture_region_info(texture.atlas_name) is region
    assert atlas.has_texture(texture)
    assert atlas.has_unique_texture(texture)
    assert atlas.has_image(texture.image_data)
    assert atlas.textures == atlas.unique_textures == [texture]
    assert atlas.images == [texture.image_data]
    assert (region.width, region.height) == (20, 10)
    assert atlas.image_uv_texture is atlas._image_uvs.texture
    stock = arcade.texture_atlas.DefaultTextureAtlas((256, 256), ctx=atlas.ctx)
    assert stock.add(texture)[1].texture_coordinates == region.texture_coordinates


def test_an_atlas_tells_how_many_bytes_its_images_take(atlas: ReclaimingAtlas) -> None:
    """Four for each pixel of the image and of its border, until it is gone."""
    kept = made(noise(20, 10))
    atlas.add(kept)
    assert atlas.statistics().used_bytes == 4 * (20 + 4) * (10 + 4)
    other = made(noise(30, 30))
    atlas.add(other)
    assert atlas.statistics().used_bytes == 4 * (24 * 14 + 34 * 34)


def test_a_texture_that_died_unnoticed_is_not_listed(atlas: ReclaimingAtlas) -> None:
    """Between its end and the next reclaim, Arcade's lists leave it out."""
    texture = plain("a", GRAY)
    atlas.add(texture)
    del texture
    assert atlas.unique_textures == []
    assert atlas.statistics().waiting == 1
    assert_empty(atlas)


def test_a_texture_of_a_name_that_waits_for_its_end_brings_it_back(atlas: ReclaimingAtlas) -> None:
    """Its pixels are still there, and its number stays."""
    first = made(noise(8, 8), "a")
    number, _ = atlas.add(first)
    del first
    second = made(noise(8, 8), "a")
    assert atlas.add(second)[0] == number
    atlas.reclaim()
    assert shown(atlas, second) == noise(8, 8).tobytes()
    del second
    assert_empty(atlas)


def test_flipped_and_rotated_textures_share_the_image(atlas: ReclaimingAtlas) -> None:
    """Eight textures, one place; Arcade's own atlas says the same about each."""
    stock = arcade.texture_atlas.DefaultTextureAtlas((256, 256), ctx=atlas.ctx)
    one = made(noise(12, 30))
    all_of_them = [one, one.flip_left_right(), one.flip_top_bottom(), one.flip_diagonally()]
    all_of_them += [one.rotate_90(), one.rotate_180(), one.rotate_270(), one.transverse()]
    for texture in all_of_them:
        _, region = atlas.add(texture)
        assert region.texture_coordinates == stock.add(texture)[1].texture_coordinates
    assert atlas.statistics()[:2] == (1, 8)
    del one
    all_of_them[:1] = []
    atlas.reclaim()
    assert atlas.statistics()[:2] == (1, 7)
    assert shown(atlas, all_of_them[0]) == noise(12, 30).tobytes()
    del texture
    all_of_them.clear()
    assert_empty(atlas)


def test_an_image_that_cannot_be_written_leaves_nothing_behind(window: arcade.Window) -> None:
    """The room it was given is free again."""
    atlas = ReclaimingAtlas((64, 64), border=0, ctx=window.ctx)
    texture = made(Image.new("L", (8, 8)))  # a byte for each pixel; without border, not converted
    with pytest.raises(ValueError, match="Data size"):
        atlas.add(texture)
    del texture
    assert_empty(atlas)


# ----------------------------------------------------------------------------------------- identity


def test_images_of_one_hash_and_different_shapes_are_both_shown(atlas: ReclaimingAtlas) -> None:
    """8×2 and 2×8 pixels with the same bytes have the same hash in Arcade."""
    pixels = noise(8, 2).tobytes()
    wide = made(Image.frombytes("RGBA", (8, 2), pixels))
    high = made(Image.frombytes("RGBA", (2, 8), pixels))
    flipped = high.flip_left_right()  # has the name that its image had before
    assert wide.image_data.hash == high.image_data.hash
    former = wide.image_data.hash
    slots = {atlas.add(one)[0] for one in (wide, high, flipped)}
    assert len(slots) == 3
    assert wide.image_data.hash == former
    assert high.image_data.hash == flipped.image_data.hash == f"{former}|2x8"
    for texture, size in ((wide, (8, 2)), (high, (2, 8)), (flipped, (2, 8))):
        assert atlas.add(texture)[0] == atlas.get_texture_id(texture)
        assert atlas.read_texture_image_from_atlas(texture).size == size
        assert area(atlas, texture) == bordered(texture.image, corners=False)
    again = made(Image.frombytes("RGBA", (2, 8), pixels))
    assert atlas.add(again)[0] == atlas.get_texture_id(high)
    assert atlas.statistics()[:2] == (2, 3)
    del wide, high, flipped, again, texture
    assert_empty(atlas)


def test_a_texture_with_a_name_of_its_own_is_told_apart_too(atlas: ReclaimingAtlas) -> None:
    """A name that was given by hand follows its image's new hash, and so do its flips."""
    wide = arcade.Texture(noise(8, 2), hash="tree", hit_box_points=POINTS)
    high = arcade.Texture(noise(2, 8), hash="tree", hit_box_points=POINTS)
    flipped = high.flip_left_right()
    for texture in (wide, high, flipped, high, flipped):
        atlas.add(texture)
        assert area(atlas, texture) == bordered(texture.image, corners=False)
    assert high.flip_left_right().atlas_name == flipped.atlas_name
    assert atlas.statistics()[:2] == (2, 3)


def test_a_name_that_stands_for_another_image_is_given_a_second_one(atlas: ReclaimingAtlas) -> None:
    """In Arcade's own atlas the second texture of a name shows the first one's pixels."""
    data = [ImageData(noise(8, 8, seed)) for seed in (1, 2)]
    one, two, three = (
        arcade.Texture(data[which], hash="tree", hit_box_points=POINTS) for which in (0, 1, 1)
    )
    numbers = [atlas.add(texture)[0] for texture in (one, two, three)]
    assert numbers[0] != numbers[1] == numbers[2]
    assert shown(atlas, two) == noise(8, 8, 2).tobytes()
    assert (
        atlas.get_texture_region_info(two.atlas_name).x
        != atlas.get_texture_region_info(one.atlas_name).x
    )
    del one, two, three
    assert_empty(atlas)


def test_an_atlas_that_knew_the_texture_before_forgets_it_in_order(window: arcade.Window) -> None:
    """Another hash in one atlas disturbs neither the finalisers nor the pictures of others."""
    atlas = ReclaimingAtlas((256, 256), ctx=window.ctx)
    other = ReclaimingAtlas((256, 256), ctx=window.ctx)
    stock = arcade.texture_atlas.DefaultTextureAtlas((256, 256), ctx=window.ctx)
    pixels = noise(8, 2).tobytes()
    wide = made(Image.frombytes("RGBA", (8, 2), pixels))
    high = made(Image.frombytes("RGBA", (2, 8), pixels))
    for one in (other, stock):
        one.add(high)
    atlas.add(wide)
    atlas.add(high)
    for one in (other, stock):
        number, region = one.add(high)
        assert one.get_texture_id(high) == number
        assert (region.width, region.height) == (2, 8)
        assert shown(one, high) == pixels
    del wide, high
    assert_empty(atlas)
    assert_empty(other)
    assert stock.textures == []
    assert len(stock._image_ref_count) == len(stock._unique_texture_ref_count) == 0


# ------------------------------------------------------------------------------------- placeholders


@pytest.mark.parametrize("size", [(20, 30), (300, 260)])
def test_a_reserved_image_has_one_color_until_its_pixels_come(
    window: arcade.Window, size: tuple[int, int]
) -> None:
    """Border included, and no pixel beside it, whether the color is written or cleared."""
    atlas = ReclaimingAtlas((512, 512), ctx=window.ctx)
    texture = stored(atlas, "a", *size)
    assert atlas.reserve(texture, GRAY)
    count = (size[0] + 4) * (size[1] + 4)
    assert area(atlas, texture) == bytes(GRAY) * count
    assert atlas.to_image().tobytes().count(bytes(GRAY)) == count
    assert not atlas.has_pixels("a")
    image = noise(*size)
    assert atlas.upload("a", bordered(image))
    assert area(atlas, texture) == bordered(image)
    assert atlas.has_pixels("a")
    assert not atlas.reserve(texture, GRAY)
    assert area(atlas, texture) == bordered(image)


def test_pixels_that_never_came_are_wanted_again(atlas: ReclaimingAtlas) -> None:
    """Whoever reserves an image as well is told that it still has one color only."""
    first = stored(atlas, "a", 8, 8)
    second = stored(atlas, "a", 8, 8)
    assert atlas.reserve(first, GRAY)
    del first
    assert atlas.reserve(second, GRAY)
    assert atlas.reserve(second, GRAY)
    assert atlas.upload("a", bordered(noise(8, 8)))
    assert not atlas.reserve(second, GRAY)


def test_an_upload_to_a_freed_region_is_refused(atlas: ReclaimingAtlas) -> None:
    """The texture went while its pixels were read: whoever has the room now keeps its own."""
    texture = stored(atlas, "a", 8, 8)
    atlas.reserve(texture, GRAY)
    del texture
    atlas.reclaim()
    other = made(noise(8, 8, 1), "b")
    atlas.add(other)
    assert not atlas.upload("a", bordered(noise(8, 8)))
    assert not atlas.upload_rows("a", b"", 0, 1)
    assert shown(atlas, other) == noise(8, 8, 1).tobytes()


def test_pixels_that_are_at_hand_need_no_color_before(atlas: ReclaimingAtlas) -> None:
    """`add_pixels` writes once; an image that waits for its pixels is completed by it."""
    image = noise(8, 12)
    texture = stored(atlas, "a", 8, 12)
    assert atlas.add_pixels(texture, bordered(image))
    assert area(atlas, texture) == bordered(image)
    assert not atlas.add_pixels(texture, bordered(noise(8, 12, 1)))
    assert not atlas.add_pixels(stored(atlas, "a", 8, 12), bordered(noise(8, 12, 1)))
    assert area(atlas, texture) == bordered(image)
    waiting = stored(atlas, "b", 8, 12)
    atlas.reserve(waiting, GRAY)
    assert atlas.add_pixels(waiting, bordered(image))
    assert area(atlas, waiting) == bordered(image)
    assert not atlas.add_pixels(waiting.flip_left_right(), bordered(image))


def test_a_large_image_is_written_in_steps(window: arcade.Window) -> None:
    """2048×2048 in rows of at most 256k pixels; the rows that are there are exact at any time."""
    atlas = ReclaimingAtlas((2100, 2100), ctx=window.ctx)
    texture = stored(atlas, "large", 2048, 2048)
    assert atlas.reserve(texture, GRAY)
    width = height = 2052
    pixels = random.Random(1).randbytes(width * height * 4)
    step = 262_144 // width
    for row in range(0, height, step):
        assert not atlas.has_pixels("large")
        count = min(step, height - row)
        part = pixels[row * width * 4 : (row + count) * width * 4]
        assert atlas.upload_rows("large", part, row, count)
        if row == 5 * step:
            done = 6 * step * width * 4
            assert area(atlas, texture) == pixels[:done] + bytes(GRAY) * (
                width * height - done // 4
            )
    assert atlas.has_pixels("large")
    assert area(atlas, texture) == pixels


@pytest.mark.parametrize("length", [0, 12 * 12 * 4 - 1, 12 * 12 * 4 + 4, 8 * 8 * 4])
def test_pixels_of_another_size_are_refused(atlas: ReclaimingAtlas, length: int) -> None:
    """OpenGL would read past their end."""
    texture = stored(atlas, "a", 8, 8)
    with pytest.raises(ValueError, match="no RGBA image of 12×12, border included"):
        atlas.add_pixels(texture, bytes(length))
    atlas.reserve(texture, GRAY)
    with pytest.raises(ValueError, match="no RGBA image of 12×12"):
        atlas.upload("a", bytes(length))
    assert area(atlas, texture) == bytes(GRAY) * 144


@pytest.mark.parametrize(("first", "count"), [(-1, 2), (0, 0), (11, 2), (12, 1), (0, 13)])
def test_rows_that_are_not_there_are_refused(
    atlas: ReclaimingAtlas, first: int, count: int
) -> None:
    """They would be written into the neighbours."""
    texture = stored(atlas, "a", 8, 8)
    atlas.reserve(texture, GRAY)
    with pytest.raises(ValueError, match="of an image that has 12, border included"):
        atlas.upload_rows("a", bytes(12 * 4 * count), first, count)


# --------------------------------------------------------------------------------------------- full


def fill(atlas: ReclaimingAtlas, *, auto_resize: bool = False) -> list[arcade.Texture]:
    """Adds nine images of 64 pixels, which fill an atlas of 256×256."""
    atlas.auto_resize = auto_resize
    textures = [plain(f"full {number}", (number, 0, 0, 255)) for number in range(9)]
    for texture in textures:
        atlas.add(texture)
    return textures


def test_a_full_atlas_says_what_to_do(atlas: ReclaimingAtlas) -> None:
    """What was asked for, how full it is, and the three ways out; nothing has changed."""
    textures = fill(atlas)
    before = books(atlas)
    with pytest.raises(AtlasFullError) as caught:
        atlas.add(plain("one more", GRAY))
    text = str(caught.value)
    assert "no room for an image of 64×64 pixels: the atlas has 256×256" in text
    assert "64% are in use by 9 images" in text
    assert "Show fewer at a time" in text
    assert "`atlas.resize((width, height))`" in text
    assert "`atlas.auto_resize = True`" in text
    assert books(atlas) == before
    assert len(textures) == 9


def test_a_full_atlas_asks_for_room_and_tries_again(atlas: ReclaimingAtlas) -> None:
    """`on_full` hears how many pixels are wanted, and is asked as long as it lets things go."""
    textures = fill(atlas)
    small = [plain(f"small {number}", GRAY, (12, 12)) for number in range(5)]
    for texture in small:
        atlas.add(texture)
    del texture
    asked: list[int] = []

    def let_go(pixels: int) -> bool:
        asked.append(pixels)
        (small or textures).pop()
        return True

    atlas.on_full = let_go
    new = plain("new", (1, 2, 3, 255))
    atlas.add(new)
    assert asked == [68 * 68] * 6
    assert shown(atlas, new) == bytes((1, 2, 3, 255)) * 4096
    assert len(textures) == 8


def test_room_is_made_in_portions(window: arcade.Window) -> None:
    """One add into an atlas full of textures that are gone does not clean all of them up."""
    atlas = ReclaimingAtlas((256, 256), ctx=window.ctx)
    textures = [plain(str(number), GRAY, (4, 4)) for number in range(1_024)]
    for texture in textures:
        atlas.add(texture)
    del texture
    textures.clear()
    assert atlas.statistics().waiting == 1_024
    new = plain("new", GRAY, (4, 4))
    atlas.add(new)
    assert atlas.statistics().waiting > 900
    large = plain("large", GRAY, (200, 200))
    atlas.add(large)
    assert atlas.statistics().resizes == 0
    assert shown(atlas, large) == large.image.tobytes()


def test_asking_for_room_ends(atlas: ReclaimingAtlas) -> None:
    """A callback that lets nothing go is asked eight times; one that says so, once."""
    textures = fill(atlas)
    for answer, times in ((True, 8), (False, 1)):
        asked: list[int] = []
        atlas.on_full = lambda pixels, asked=asked, answer=answer: asked.append(pixels) or answer
        with pytest.raises(AtlasFullError):
            atlas.reserve(stored(atlas, "more", 64, 64), GRAY)
        assert len(asked) == times
    assert len(textures) == atlas.statistics().images


def test_what_is_asked_for_room_may_resize_the_atlas(window: arcade.Window) -> None:
    """A game that accepts the pause lets it grow."""
    atlas = ReclaimingAtlas((256, 256), ctx=window.ctx)

    def grow(pixels: int) -> bool:
        atlas.resize((512, 512))
        return True

    atlas.on_full = grow
    textures = fill(atlas)
    textures.append(plain("one more", GRAY))
    atlas.add(textures[-1])
    assert atlas.size == (512, 512)
    for texture in textures:
        assert shown(atlas, texture) == texture.image.tobytes()


def test_an_atlas_has_as_many_numbers_as_its_capacity(window: arcade.Window) -> None:
    """4,096 textures of one image: the next one is refused, until one is gone or let go."""
    atlas = ReclaimingAtlas((64, 64), ctx=window.ctx, capacity=1, auto_resize=False)
    data = ImageData(noise(4, 4))
    textures = [
        arcade.Texture(data, hash=str(number), hit_box_points=POINTS) for number in range(4_096)
    ]
    for texture in textures:
        atlas.add(texture)
    del texture
    another = arcade.Texture(data, hash="another", hit_box_points=POINTS)
    with pytest.raises(AtlasFullError, match="4,096 textures, as many as it can"):
        atlas.add(another)
    with pytest.raises(AtlasFullError, match="larger capacity"):
        atlas.add(made(noise(5, 5)))
    assert atlas.statistics()[:2] == (1, 4_096)
    textures.pop()
    atlas.add(another)
    atlas.on_full = lambda pixels: bool(textures.pop())
    one_more = made(noise(5, 5))
    atlas.add(one_more)
    assert atlas.statistics()[:2] == (2, 4_096)
    assert shown(atlas, one_more) == noise(5, 5).tobytes()


def test_an_image_that_waits_for_its_end_is_written_again_if_need_be(
    window: arcade.Window,
) -> None:
    """Making a number free for its new texture frees the image, whose textures are gone."""
    atlas = ReclaimingAtlas((64, 64), ctx=window.ctx, capacity=1)
    data, other = ImageData(noise(4, 4)), ImageData(noise(4, 4, 1))
    going = arcade.Texture(data, hit_box_points=POINTS)
    atlas.add(going)
    kept = [
        arcade.Texture(other, hash=str(number), hit_box_points=POINTS) for number in range(4_095)
    ]
    for texture in kept:
        atlas.add(texture)
    del going
    assert atlas.statistics()[:2] == (2, 4_096)
    back = arcade.Texture(data, hash="back", hit_box_points=POINTS)
    atlas.add(back)
    assert atlas.statistics()[:2] == (2, 4_096)
    assert shown(atlas, back) == noise(4, 4).tobytes()


# ----------------------------------------------------------------------------------------- resizing


@pytest.mark.parametrize("size", [(512, 512), (256, 256), (1024, 128), (200, 256)])
def test_resizing_keeps_every_pixel(atlas: ReclaimingAtlas, size: tuple[int, int]) -> None:
    """Borders, flips, numbers and placeholders too, with free room in between."""
    draw = random.Random(3)
    textures = []
    for number in range(30):
        textures.append(made(noise(draw.randint(1, 40), draw.randint(1, 40), number)))
        atlas.add(textures[-1])
    del textures[::3]
    textures += [one.flip_left_right() for one in textures[:5]]
    for texture in textures:
        atlas.add(texture)
    waiting = stored(atlas, "later", 10, 10)
    atlas.reserve(waiting, GRAY)
    atlas.upload_rows("later", bytes(14 * 4 * 3), 0, 3)
    numbers = [atlas.get_texture_id(texture) for texture in textures]
    atlas.resize(size, force=True)
    assert atlas.size == size
    assert atlas.version == atlas.statistics().resizes == 1
    for texture, number in zip(textures, numbers, strict=True):
        assert area(atlas, texture) == bordered(texture.image, corners=False)
        assert atlas.add(texture)[0] == number
    assert area(atlas, waiting) == bytes(14 * 4 * 3) + bytes(GRAY) * (14 * 11)
    assert atlas.upload("later", bordered(noise(10, 10)))
    atlas.rebuild()
    assert shown(atlas, waiting) == noise(10, 10).tobytes()
    del texture, waiting
    textures.clear()
    assert_empty(atlas)


def test_a_name_whose_texture_died_meanwhile_moves_along(
    atlas: ReclaimingAtlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A texture that goes in the middle of a resize, and comes back before it is reclaimed."""
    textures = [made(noise(40, 40, 1)), made(noise(60, 60, 2)).flip_left_right()]
    for texture in textures:
        atlas.add(texture)
    name = texture.atlas_name
    data = texture.image_data
    del texture
    reclaim = atlas.reclaim
    monkeypatch.setattr(atlas, "reclaim", lambda: (reclaim(), textures.pop()))
    atlas.resize((300, 300))
    monkeypatch.undo()
    back = arcade.Texture(data, hit_box_points=POINTS).flip_left_right()
    assert back.atlas_name == name
    _, region = atlas.add(back)
    image = atlas.get_image_region_info(data.hash)
    assert (region.x, region.y) == (image.x, image.y)
    assert region.texture_coordinates[2] == image.x / 300
    assert shown(atlas, back) == noise(60, 60, 2).tobytes()


def test_a_resize_that_fails_changes_nothing(atlas: ReclaimingAtlas) -> None:
    """Too small for the images, or larger than the graphics card can."""
    textures = fill(atlas)
    before = books(atlas)
    with pytest.raises(AtlasFullError, match=r"9 images of 41,616 pixels do not fit .* 128×128"):
        atlas.resize((128, 128))
    with pytest.raises(ValueError, match=r"up to \d+×\d+"):
        atlas.resize((1 << 20, 64))
    assert books(atlas) == before
    atlas.resize(atlas.size)
    assert books(atlas) == before
    assert len(textures) == 9


# ------------------------------------------------------------------------------------------ growing


def screen(window: arcade.Window, *lists: arcade.SpriteList[Any]) -> bytes:
    """Returns what lists look like over black, row by row from the bottom."""
    window.clear(color=(0, 0, 0, 255))
    for one in lists:
        one.draw(pixelated=True)
    return bytes(window.ctx.screen.read(viewport=(0, 0, 128, 128), components=4))


def at(pixels: bytes, x: int, y: int) -> tuple[int, ...]:
    start = 4 * (128 * y + x)
    return tuple(pixels[start : start + 4])


def listed(atlas: ReclaimingAtlas, *textures: arcade.Texture) -> arcade.SpriteList[Any]:
    """Returns a list that shows textures side by side, 16 pixels each, in the lowest row."""
    sprites: arcade.SpriteList[Any] = arcade.SpriteList(atlas=atlas)
    for number, texture in enumerate(textures):
        sprite = arcade.Sprite(texture, center_x=8 + 16 * number, center_y=8)
        sprite.size = 16, 16
        sprites.append(sprite)
    return sprites


def test_a_full_atlas_grows_and_everything_stays_right(
    window: arcade.Window, caplog: pytest.LogCaptureFixture
) -> None:
    """Sprites drawn before and after, numbers, flips and uploads under way; each is logged."""
    atlas = ReclaimingAtlas((256, 256), ctx=window.ctx)
    half = Image.new("RGBA", (64, 64), (0, 0, 255, 255))
    half.paste((255, 0, 0, 255), (0, 0, 32, 64))
    textures = [made(half), made(half).flip_left_right(), plain("green", (0, 255, 0, 255))]
    before = listed(atlas, *textures)
    first = screen(window, before)
    assert at(first, 4, 8) == at(first, 28, 8) == (255, 0, 0, 255)
    assert at(first, 12, 8) == at(first, 20, 8) == (0, 0, 255, 255)
    later = stored(atlas, "later", 64, 64)
    atlas.reserve(later, GRAY)
    pixels = bordered(noise(64, 64))
    atlas.upload_rows("later", pixels[: 68 * 4 * 30], 0, 30)
    numbers = [atlas.get_texture_id(one) for one in (*textures, later)]
    more = [plain(f"more {number}", (number, 9, 9, 255)) for number in range(40)]
    with caplog.at_level("WARNING"):
        for texture in more:
            atlas.add(texture)
    assert atlas.size == (512, 512)
    assert len(caplog.records) == atlas.statistics().resizes == 2
    assert "grew from 256×256" in caplog.records[0].message
    assert "`atlas_size=(512, 256)`" in caplog.records[0].message
    assert screen(window, before) == first
    assert numbers == [atlas.get_texture_id(one) for one in (*textures, later)]
    assert area(atlas, later) == pixels[: 68 * 4 * 30] + bytes(GRAY) * (68 * 38)
    atlas.upload_rows("later", pixels[68 * 4 * 30 :], 30, 38)
    assert shown(atlas, later) == noise(64, 64).tobytes()
    second = screen(window, before, listed(atlas, *textures, *more[:5]))
    assert second[: 4 * 48] == first[: 4 * 48]
    assert [at(second, 56 + 16 * number, 8) for number in range(5)] == [
        (number, 9, 9, 255) for number in range(5)
    ]


@pytest.mark.parametrize("size", [(1000, 20), (20, 1000), (600, 600)])
def test_an_image_larger_than_the_atlas_grows_it(
    window: arcade.Window, atlas: ReclaimingAtlas, size: tuple[int, int]
) -> None:
    """Nobody is asked to let go of anything: that would not help."""
    asked: list[int] = []
    atlas.on_full = lambda pixels: bool(asked.append(pixels))
    kept = plain("kept", (1, 2, 3, 255))
    atlas.add(kept)
    large = made(noise(*size))
    atlas.add(large)
    assert not asked
    assert shown(atlas, large) == large.image.tobytes()
    assert shown(atlas, kept) == kept.image.tobytes()
    assert all(side in (256, 1024) for side in atlas.size)


def test_pixels_without_a_pillow_image_grow_it_too(atlas: ReclaimingAtlas) -> None:
    """Those at hand and those that come later go into the new texture."""
    kept = fill(atlas, auto_resize=True)
    at_hand, later = stored(atlas, "at hand", 300, 20), stored(atlas, "later", 20, 600)
    atlas.add_pixels(at_hand, bordered(noise(300, 20)))
    assert atlas.size == (512, 256)
    assert atlas.reserve(later, GRAY)
    assert atlas.size == (512, 1024)
    assert area(atlas, later) == bytes(GRAY) * (24 * 604)
    atlas.upload("later", bordered(noise(20, 600)))
    assert shown(atlas, at_hand) == noise(300, 20).tobytes()
    assert shown(atlas, later) == noise(20, 600).tobytes()
    for texture in kept:
        assert shown(atlas, texture) == texture.image.tobytes()


def test_what_only_circles_hold_is_let_go_before_the_atlas_grows(atlas: ReclaimingAtlas) -> None:
    """A sprite and its list hold each other; the level that they were of is gone."""
    fill(atlas, auto_resize=True)
    gc.collect()
    gc.disable()
    try:
        for level in range(5):
            scene = listed(atlas, *(plain(f"{level} {number}", GRAY) for number in range(6)))
            scene.initialize()
            del scene
    finally:
        gc.enable()
    assert atlas.size == (256, 256)
    assert atlas.statistics().resizes == 0


def test_an_atlas_that_stays_nearly_full_grows_instead_of_collecting_each_time(
    atlas: ReclaimingAtlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collection that leaves little room is followed by the growth that spares the next one."""
    textures = [plain(f"small {number}", GRAY, (28, 28)) for number in range(62)]
    for texture in textures:
        atlas.add(texture)
    circle: list[Any] = [plain(f"circle {number}", GRAY, (28, 28)) for number in range(2)]
    for texture in circle:
        atlas.add(texture)
    circle.append(circle)
    del circle, texture
    collected: list[int] = []
    collect = gc.collect
    monkeypatch.setattr("gc.collect", lambda: collected.append(collect()))
    textures += [plain(f"more {number}", GRAY, (28, 28)) for number in range(40)]
    for texture in textures[62:]:
        atlas.add(texture)
    assert len(collected) == 1
    assert atlas.size == (512, 256)


def test_scattered_room_is_packed_before_the_atlas_grows(atlas: ReclaimingAtlas) -> None:
    """One image is left in each row: there is room for a large one, but not in one piece."""
    textures = [made(noise(60, 60, number)) for number in range(16)]
    for texture in textures:
        atlas.add(texture)
    textures = textures[::5]
    del texture
    large = made(noise(120, 100, 99))
    atlas.add(large)
    assert atlas.size == (256, 256)
    assert atlas.statistics().resizes == 1
    for texture in (*textures, large):
        assert shown(atlas, texture) == texture.image.tobytes()


@pytest.fixture
def limited(window: arcade.Window, monkeypatch: pytest.MonkeyPatch) -> ReclaimingAtlas:
    """Makes an atlas on a graphics card whose limit is 512 pixels."""
    monkeypatch.setattr(
        "arcade_prefabs.spawning.atlas.reclaiming_atlas.largest_size", lambda _: 512
    )
    return ReclaimingAtlas((256, 256), ctx=window.ctx)


def test_at_the_limit_the_error_says_what_to_do(limited: ReclaimingAtlas) -> None:
    """It comes only when the atlas is as large as can be; then nothing changes any more."""
    assert limited.max_size == (512, 512)
    textures = [plain(str(number), (number, 0, 0, 255)) for number in range(49)]
    for texture in textures:
        limited.add(texture)
    assert limited.size == (512, 512)
    before = books(limited)
    with pytest.raises(AtlasFullError) as caught:
        limited.add(plain("more", GRAY))
    assert "no room for an image of 64×64 pixels: the atlas has 512×512" in str(caught.value)
    assert "cannot grow any more: this graphics card has room for 512×512" in str(caught.value)
    assert "let go of the textures" in str(caught.value)
    assert books(limited) == before
    assert shown(limited, textures[7]) == textures[7].image.tobytes()


def test_an_image_that_no_atlas_can_hold_is_refused_at_once(limited: ReclaimingAtlas) -> None:
    """The atlas does not grow for it."""
    with pytest.raises(AtlasFullError, match=r"larger than 508 pixels .* cut it into several"):
        limited.add(plain("wide", GRAY, (509, 4)))
    assert limited.size == (256, 256)
    limited.add(plain("just", GRAY, (508, 4)))
    assert limited.size == (512, 256)


def test_at_the_limit_scattered_room_is_packed(limited: ReclaimingAtlas) -> None:
    """However full it is: a slow frame is better than none."""
    limited.resize((512, 512))
    textures = [made(noise(60, 60, number)) for number in range(64)]
    for texture in textures:
        limited.add(texture)
    del textures[3::4], texture
    large = made(noise(200, 100, 99))
    limited.add(large)
    assert limited.statistics().resizes == 2
    for texture in (*textures, large):
        assert shown(limited, texture) == texture.image.tobytes()


def test_a_graphics_card_without_memory_for_more_leaves_the_atlas_as_it_was(
    atlas: ReclaimingAtlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver's error is the reason that the error gives."""
    textures = fill(atlas, auto_resize=True)
    before = books(atlas)

    def refuse(*_: object, **__: object) -> None:
        raise gl.GLException("out of memory")

    monkeypatch.setattr(atlas.ctx, "texture", refuse)
    with pytest.raises(AtlasFullError, match="or for less while its memory is full"):
        atlas.add(plain("more", GRAY))
    with pytest.raises(AtlasFullError, match=r"no memory for an atlas of 512×512 .* memory"):
        atlas.resize((512, 512))
    monkeypatch.undo()
    assert books(atlas) == before
    assert shown(atlas, textures[3]) == textures[3].image.tobytes()


def test_more_textures_than_the_table_holds_make_it_longer(window: arcade.Window) -> None:
    """Each keeps its number; sprites made before and after are drawn right."""
    atlas = ReclaimingAtlas((256, 256), ctx=window.ctx, capacity=1)
    red, blue = plain("red", (255, 0, 0, 255)), plain("blue", (0, 0, 255, 255))
    before = listed(atlas, red, blue)
    first = screen(window, before)
    many = [
        arcade.Texture(blue.image_data, hash=str(number), hit_box_points=POINTS)
        for number in range(5_000)
    ]
    for texture in many:
        atlas.add(texture)
    assert atlas.statistics().textures == 5_002
    green = plain("green", (0, 255, 0, 255))
    after = screen(window, before, listed(atlas, red, green, many[-1], many[0]))
    assert screen(window, before) == first
    assert [at(after, 8 + 16 * number, 8) for number in range(4)] == [
        (255, 0, 0, 255),
        (0, 255, 0, 255),
        (0, 0, 255, 255),
        (0, 0, 255, 255),
    ]
    del red, blue, green, texture, before
    many.clear()
    gc.collect()
    assert_empty(atlas)


def test_drawing_into_an_image_goes_on_where_it_is_after_growing(
    window: arcade.Window, atlas: ReclaimingAtlas
) -> None:
    """A sprite that is drawn into a texture may be what the atlas grows for."""
    low = plain("low", GRAY, (40, 8))
    atlas.add(low)
    target = plain("target", GRAY)
    atlas.add(target)
    current = window.ctx.active_framebuffer
    with atlas.render_into(target) as buffer:
        buffer.clear(color=(0, 0, 0, 255), viewport=buffer.viewport)
        textures = fill(atlas, auto_resize=True)
        # The quad is drawn into the atlas itself: with another texture than that it shows.
        arcade.draw_lbwh_rectangle_filled(0, 0, 32, 64, (255, 0, 0, 255))
    assert atlas.statistics().resizes == 1
    assert window.ctx.active_framebuffer is current
    pixels = shown(atlas, target)
    assert pixels == (bytes((255, 0, 0, 255)) * 32 + bytes((0, 0, 0, 255)) * 32) * 64
    for texture in textures:
        assert shown(atlas, texture) == texture.image.tobytes()


def test_the_framebuffer_of_an_atlas_outlives_growing(
    window: arcade.Window, atlas: ReclaimingAtlas
) -> None:
    """`render_into` hands it to the game, which clears what it drew and draws once more."""
    target, other = plain("target", GRAY), plain("other", GRAY)
    for texture in (target, other):
        atlas.add(texture)
    current = window.ctx.active_framebuffer
    with atlas.render_into(target) as buffer:
        with atlas.render_into(other):
            fill(atlas, auto_resize=True)
        place = atlas.get_image_region_info(target.image_data.hash)
        area = place.x, place.y, place.width, place.height
        buffer.clear(color=(0, 0, 255, 255), viewport=area)
    assert atlas.statistics().resizes == 1
    assert window.ctx.active_framebuffer is current
    assert atlas.fbo.viewport == (0, 0, *atlas.size)
    assert shown(atlas, target) == bytes((0, 0, 255, 255)) * (64 * 64)
    assert shown(atlas, other) == other.image.tobytes()


# ------------------------------------------------------------------------------------------ threads


def in_a_thread(work: Callable[[], object]) -> list[BaseException]:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return caught


def test_other_threads_are_refused(atlas: ReclaimingAtlas) -> None:
    """Everything that touches the graphics card names itself; statistics are for anybody."""
    texture = plain("a", GRAY)
    calls: dict[str, Callable[[], object]] = {
        "add": lambda: atlas.add(texture),
        "reserve": lambda: atlas.reserve(texture, GRAY),
        "add_pixels": lambda: atlas.add_pixels(texture, b""),
        "upload": lambda: atlas.upload("a", b""),
        "upload_rows": lambda: atlas.upload_rows("a", b"", 0, 1),
        "reclaim": atlas.reclaim,
        "resize": lambda: atlas.resize((512, 512)),
        "read_image": lambda: atlas.read_image("a"),
    }
    for name, call in calls.items():
        (error,) = in_a_thread(call)
        assert isinstance(error, WrongThreadError)
        assert f"ReclaimingAtlas.{name} " in str(error)
    assert in_a_thread(atlas.statistics) == []
    assert_empty(atlas)


def test_textures_may_be_dropped_by_any_thread_while_others_are_added(
    window: arcade.Window,
) -> None:
    """4,000 last references go in three other threads, in the middle of `add` and `reclaim`."""
    atlas = ReclaimingAtlas((1024, 1024), ctx=window.ctx)
    dropped: deque[arcade.Texture] = deque()
    stop = threading.Event()

    def drop() -> None:
        while not stop.is_set() or dropped:
            try:
                dropped.popleft()
            except IndexError:
                stop.wait(0.0001)

    threads = [threading.Thread(target=drop) for _ in range(3)]
    for thread in threads:
        thread.start()
    pixels = [bytes((number, 1, 2, 255)) * (20 * 20) for number in range(256)]
    kept: list[arcade.Texture] = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # the threads interrupt every call many times
    try:
        for number in range(4_000):
            # Names come again, so that one is added while its former texture goes.
            texture = stored(atlas, str(number % 700), 16, 16)
            atlas.add_pixels(texture, pixels[number % 700 % 256])
            if number % 100 == 0:
                kept.append(texture)
            dropped.append(texture)
            del texture
            if number % 50 == 0:
                atlas.reclaim(20)
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        for thread in threads:
            thread.join()
    for texture in kept:
        color = int(texture.image_data.hash) % 256
        assert shown(atlas, texture) == bytes((color, 1, 2, 255)) * 256
    del texture
    kept.clear()
    assert_empty(atlas)


def test_an_atlas_goes_although_its_textures_stay(window: arcade.Window) -> None:
    """Nothing of a texture holds the atlas, and its end is no business of an atlas that is gone."""
    atlas = ReclaimingAtlas((64, 64), ctx=window.ctx)
    texture = plain("a", GRAY, (8, 8))
    atlas.add(texture)
    (watch,) = atlas._watches.values()
    gone = weakref.ref(atlas)
    del atlas
    gc.collect()
    assert gone() is None
    assert watch() is texture


# ------------------------------------------------------------------------------------------ drawing


def drawn(window: arcade.Window, sprites: arcade.SpriteList[Any]) -> Image.Image:
    window.ctx.screen.use()
    window.clear(color=(0, 0, 0, 255))
    sprites.draw()
    data = window.ctx.screen.read(viewport=(0, 0, 128, 128), components=4)
    return Image.frombytes("RGBA", (128, 128), data).transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def test_a_sprite_list_draws_the_right_pixels_before_and_after_a_resize(
    window: arcade.Window, atlas: ReclaimingAtlas
) -> None:
    """Each sprite shows its own texture, and keeps it when the textures move."""
    colors = [(200, 0, 0, 255), (0, 200, 0, 255), (0, 0, 200, 255)]
    first = plain("gone", GRAY)
    atlas.add(first)
    sprites: arcade.SpriteList[Any] = arcade.SpriteList(atlas=atlas)
    for number, color in enumerate(colors):
        texture = plain(str(number), color, (16 + 2 * number, 16))
        sprites.append(arcade.Sprite(texture, center_x=24 + 40 * number, center_y=64))
    sprites.initialize()
    before = drawn(window, sprites)
    for number, color in enumerate(colors):
        assert before.getpixel((24 + 40 * number, 64)) == color
    assert len({color for _, color in before.getcolors()}) == 4
    del first
    atlas.resize((512, 512))
    assert drawn(window, sprites).tobytes() == before.tobytes()
    atlas.rebuild()
    assert drawn(window, sprites).tobytes() == before.tobytes()
    sprites.clear()


def test_neighbours_in_the_atlas_do_not_show(window: arcade.Window, atlas: ReclaimingAtlas) -> None:
    """Scaled and turned with smoothing, an image between images of another color stays its own."""
    around = [plain(f"around {number}", (0, 255, 0, 255), (16, 16)) for number in range(8)]
    middle = stored(atlas, "middle", 16, 16)
    for texture in around[:4]:
        atlas.add(texture)
    atlas.add_pixels(middle, bordered(Image.new("RGBA", (16, 16), (255, 0, 0, 255))))
    for texture in around[4:]:
        atlas.add(texture)
    sprites: arcade.SpriteList[Any] = arcade.SpriteList(atlas=atlas)
    sprites.append(arcade.Sprite(middle, 3.3, center_x=64.4, center_y=63.7, angle=17))
    picture = drawn(window, sprites)
    assert picture.getpixel((64, 64)) == (255, 0, 0, 255)
    assert max(color[1] for _, color in picture.getcolors(1 << 16)) == 0
    sprites.clear()


def test_a_flipped_texture_is_drawn_flipped(window: arcade.Window, atlas: ReclaimingAtlas) -> None:
    """From an image that has no Pillow image at all."""
    image = Image.new("RGBA", (32, 32), (255, 0, 0, 255))
    image.paste((0, 0, 255, 255), (0, 0, 16, 32))
    texture = stored(atlas, "halves", 32, 32)
    atlas.add_pixels(texture, bordered(image))
    sprites: arcade.SpriteList[Any] = arcade.SpriteList(atlas=atlas)
    sprites.append(arcade.Sprite(texture, center_x=32, center_y=64))
    sprites.append(arcade.Sprite(texture.flip_left_right(), center_x=96, center_y=64))
    picture = drawn(window, sprites)
    reds = [picture.getpixel((x, 64))[0] for x in (22, 42, 86, 106)]
    assert reds == [0, 255, 255, 0]
    sprites.clear()
