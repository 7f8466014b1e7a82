"""Arcade's private names, the exchange of the default atlas, and images without pixels."""

from __future__ import annotations

import logging
import os
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image

os.environ.setdefault("ARCADE_HEADLESS", "True")

import arcade
from arcade.texture import ImageData
from arcade.texture_atlas import DefaultTextureAtlas
from arcade.texture_atlas.uv_data import UVData

from arcade_prefabs.errors import SpawnError, WrongThreadError
from arcade_prefabs.spawning import (
    ReclaimingAtlas,
    StoredImage,
    current_atlas,
    install_atlas,
    restore_atlas,
)
from arcade_prefabs.window import arcade_private

POINTS = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0))
RED = (255, 0, 0, 255)


@pytest.fixture(scope="module")
def window() -> Iterator[arcade.Window]:
    window = arcade.Window(128, 128)
    yield window
    window.close()


@pytest.fixture
def ctx(window: arcade.Window) -> Iterator[arcade.ArcadeContext]:
    previous = window.ctx._atlas
    yield window.ctx
    window.ctx._atlas = previous


@pytest.fixture
def atlas(ctx: arcade.ArcadeContext) -> ReclaimingAtlas:
    return ReclaimingAtlas((256, 256), ctx=ctx)


def stored(atlas: ReclaimingAtlas, name: str, width: int = 16, height: int = 16) -> arcade.Texture:
    return arcade.Texture(StoredImage(name, width, height, atlas), hit_box_points=POINTS)


def noise(width: int = 16, height: int = 16) -> Image.Image:
    return Image.frombytes("RGBA", (width, height), random.Random(1).randbytes(width * height * 4))


def padded(image: Image.Image) -> bytes:
    out = Image.new("RGBA", (image.width + 4, image.height + 4))
    out.paste(image, (2, 2))
    return out.tobytes()


def center(window: arcade.Window, sprites: arcade.SpriteList[Any]) -> tuple[int, ...]:
    window.ctx.screen.use()
    window.clear(color=(0, 0, 0, 255))
    sprites.draw()
    return tuple(window.ctx.screen.read(viewport=(64, 64, 1, 1), components=4))


# ------------------------------------------------------------------------------------ private names


def test_this_version_of_arcade_has_every_name() -> None:
    """If this fails, a new version of Arcade has changed the inside of its atlas."""
    assert arcade_private.missing() == []


@pytest.mark.parametrize(
    ("owner", "name", "told"),
    [
        (
            DefaultTextureAtlas,
            "write_image",
            "arcade.texture_atlas.DefaultTextureAtlas.write_image",
        ),
        (UVData, "set_slot_data", "arcade.texture_atlas.uv_data.UVData.set_slot_data"),
        (UVData, "num_slots", "arcade.texture_atlas.uv_data.UVData.num_slots"),
        (arcade.Texture, "_vertex_order", "arcade.Texture._vertex_order"),
        (arcade.texture_atlas, "AtlasRegion", "arcade.texture_atlas.AtlasRegion"),
    ],
)
def test_a_name_that_is_gone_is_told(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, told: str
) -> None:
    """Methods, slots and whole classes, by the path under which they were looked for."""
    if owner is arcade.Texture:  # its constructor mentions the name as well
        monkeypatch.setattr(owner, "__init__", lambda self: None)
    monkeypatch.delattr(owner, name)
    assert told in arcade_private.missing()


def test_a_module_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arcade may move its files, too."""
    monkeypatch.setitem(sys.modules, "arcade.texture_atlas.uv_data", None)
    assert arcade_private.missing() == ["arcade.texture_atlas.uv_data.UVData"]


def test_attributes_and_parameters_that_are_gone_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An atlas without an attribute that ours writes to, or made in another way."""
    monkeypatch.setattr(DefaultTextureAtlas, "__init__", lambda self, size: None)
    found = arcade_private.missing()
    assert "arcade.texture_atlas.DefaultTextureAtlas._unique_textures" in found
    assert "arcade.texture_atlas.DefaultTextureAtlas(capacity)" in found
    assert "arcade.texture_atlas.DefaultTextureAtlas(size)" not in found
    assert found == sorted(found)


def test_the_names_that_are_looked_for_are_those_that_are_used() -> None:
    """The table has every private name of Arcade's atlas that the source of ours mentions."""
    owned = set(vars(ReclaimingAtlas))
    arcades = arcade_private._assigned(DefaultTextureAtlas) | set(vars(DefaultTextureAtlas))
    listed = {
        name
        for table in (arcade_private._MEMBERS, arcade_private._ATTRIBUTES)
        for name in table[arcade_private._ATLAS]
    }
    mentioned = {
        name
        for method in vars(ReclaimingAtlas).values()
        if hasattr(method, "__code__")
        for name in method.__code__.co_names
    }
    private = {name for name in mentioned & arcades if name.startswith("_")}
    overridden = owned & set(vars(DefaultTextureAtlas))

    class Plain(DefaultTextureAtlas):
        """What any class has."""

    assert (private | overridden) - set(vars(Plain)) - {"__init__"} <= listed


def test_an_arcade_that_lacks_a_name_keeps_its_own_atlas(
    ctx: arcade.ArcadeContext, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The game runs on, and the log says what is missing and what that means."""
    before = ctx.default_atlas
    monkeypatch.setattr(arcade_private, "missing", lambda: ["UVData.texture"])
    with caplog.at_level(logging.WARNING, "arcade_prefabs"):
        assert install_atlas(ctx, (256, 256)) is None
    assert ctx.default_atlas is before
    (record,) = caplog.records
    assert "UVData.texture" in record.getMessage()
    assert "Arcade's own atlas stays" in record.getMessage()
    assert arcade.__version__ in record.getMessage()


# -------------------------------------------------------------------------------------- installing


def test_an_installed_atlas_is_the_one_of_new_sprite_lists(ctx: arcade.ArcadeContext) -> None:
    """And of those that were made lazily and not initialised yet; restoring brings the old back."""
    lazy: arcade.SpriteList[Any] = arcade.SpriteList(lazy=True)
    before = ctx.default_atlas
    assert current_atlas(ctx) is before
    atlas = install_atlas(ctx, (128, 64), border=1, capacity=1, on_full=lambda _: False)
    assert isinstance(atlas, ReclaimingAtlas)
    assert (atlas.size, atlas.border) == ((128, 64), 1)
    assert atlas.on_full is not None
    assert ctx.default_atlas is current_atlas(ctx) is atlas
    lazy.initialize()
    assert lazy.atlas is arcade.SpriteList().atlas is atlas
    restore_atlas(ctx, before)
    assert arcade.SpriteList().atlas is before
    restore_atlas(ctx, None)
    assert current_atlas(ctx) is None
    assert ctx.default_atlas is not before


def test_an_atlas_is_never_larger_than_the_graphics_card_can(
    ctx: arcade.ArcadeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size that is asked for is a wish."""
    monkeypatch.setattr(ctx.info, "MAX_TEXTURE_SIZE", 512)
    atlas = install_atlas(ctx, (4096, 256))
    assert atlas is not None
    assert atlas.size == (512, 256)


def test_a_list_from_before_keeps_its_atlas_and_takes_our_textures(
    window: arcade.Window, ctx: arcade.ArcadeContext
) -> None:
    """A sprite that is in both kinds of list is drawn by both."""
    restore_atlas(ctx, None)
    old: arcade.SpriteList[Any] = arcade.SpriteList()
    old.append(arcade.SpriteSolidColor(10, 10, 20, 20))
    stock = old.atlas
    atlas = install_atlas(ctx, (256, 256))
    assert atlas is not None
    texture = stored(atlas, "ours")
    atlas.add_pixels(texture, padded(Image.new("RGBA", (16, 16), RED)))
    sprite = arcade.Sprite(texture, center_x=64, center_y=64)
    new: arcade.SpriteList[Any] = arcade.SpriteList()
    old.append(sprite)
    new.append(sprite)
    assert old.atlas is stock
    assert new.atlas is atlas
    assert center(window, old) == center(window, new) == RED
    assert stock is not None
    stock.rebuild()  # writes Pillow images
    assert center(window, old) == RED
    old.clear()
    new.clear()


# ------------------------------------------------------------------------------------ stored images


def test_a_stored_image_equals_an_image_of_its_hash(atlas: ReclaimingAtlas) -> None:
    """In both directions, for that is how Arcade compares images; with the same hash in a set."""
    ours = StoredImage("a", 16, 16, atlas)
    same = ImageData(noise(), "a")
    other = ImageData(noise(), "b")
    assert ours == same
    assert same == ours
    assert (ours != same) is False
    assert (same != ours) is False
    assert ours != other
    assert other != ours
    assert ours != "a"
    assert len({ours, same, other}) == 2
    assert (ours.width, ours.height, ours.size) == (16, 16, (16, 16))
    assert repr(ours) == "<ImageData width=16, height=16, hash=a>"


def test_the_pixels_of_a_stored_image_are_read_back_when_asked_for(
    atlas: ReclaimingAtlas,
) -> None:
    """From then on they are kept, for another atlas may need them when ours is gone."""
    image = noise(12, 20)
    texture = stored(atlas, "a", 12, 20)
    atlas.add_pixels(texture, padded(image))
    assert texture.image.tobytes() == image.tobytes()
    assert texture.image is texture.image
    data = texture.image_data
    del texture
    atlas.reclaim()
    assert data.image.tobytes() == image.tobytes()


def test_a_placeholder_is_not_kept_as_the_image(atlas: ReclaimingAtlas) -> None:
    """What is read before the upload is one color, what is read after it the picture."""
    texture = stored(atlas, "a")
    atlas.reserve(texture, RED)
    assert texture.image.getcolors() == [(256, RED)]
    atlas.upload("a", padded(noise()))
    assert texture.image.tobytes() == noise().tobytes()


def test_an_image_that_is_not_in_the_atlas_says_so(atlas: ReclaimingAtlas) -> None:
    """Before it was added, after it was freed, and when the atlas is gone."""
    texture = stored(atlas, "a")
    for action in (lambda: texture.image, lambda: atlas.add(texture)):
        with pytest.raises(SpawnError, match=r"'a' \(16×16\) .* are not there now: keep its tex"):
            action()
    assert atlas.statistics().images == 0
    other = ReclaimingAtlas((64, 64), ctx=atlas.ctx)
    texture = stored(other, "a")
    del other
    with pytest.raises(SpawnError, match="the atlas is gone"):
        _ = texture.image


def test_an_image_of_another_shape_is_not_taken_for_it(atlas: ReclaimingAtlas) -> None:
    """With the same hash and the same number of pixels."""
    wide, high = stored(atlas, "a", 8, 2), stored(atlas, "a", 2, 8)
    atlas.add_pixels(wide, padded(noise(8, 2)))
    with pytest.raises(SpawnError):
        _ = high.image
    assert atlas.add_pixels(high, padded(noise(2, 8)))
    assert wide.image.size == (8, 2)
    assert high.image.size == (2, 8)


def test_pixels_are_not_read_in_another_thread(atlas: ReclaimingAtlas) -> None:
    """The guard of the atlas speaks up."""
    texture = stored(atlas, "a")
    atlas.add_pixels(texture, padded(noise()))
    with (
        ThreadPoolExecutor(1) as threads,
        pytest.raises(WrongThreadError, match="read_image"),
    ):
        threads.submit(lambda: texture.image).result(20)


def test_flips_rotations_and_crops_of_a_stored_image_work(atlas: ReclaimingAtlas) -> None:
    """They have its size and hit box, turned, and share its pixels."""
    image = noise(12, 20)
    texture = arcade.Texture(
        StoredImage("a", 12, 20, atlas), hit_box_points=((-6, -10), (6, -10), (6, 10)), hash="a"
    )
    atlas.add_pixels(texture, padded(image))
    turned = texture.rotate_90()
    assert turned.size == (20, 12)
    assert len(turned.hit_box_points) == 3
    for one in (turned, texture.flip_left_right(), texture.flip_top_bottom(), texture.transpose()):
        atlas.add(one)
        assert one.image.tobytes() == image.tobytes()
    assert atlas.statistics().images == 1
    cropped = texture.crop(2, 3, 5, 6)
    assert cropped.image.tobytes() == image.crop((2, 3, 7, 9)).tobytes()


def test_an_image_can_be_given_to_a_stored_image(atlas: ReclaimingAtlas) -> None:
    """Arcade's hot reload sets the image, and has the atlas write it."""
    texture = stored(atlas, "a")
    atlas.add_pixels(texture, padded(noise()))
    texture.image_data.image = Image.new("RGBA", (16, 16), RED)
    atlas.update_texture_image(texture)
    assert atlas.read_texture_image_from_atlas(texture).getcolors() == [(256, RED)]
    atlas.update_texture_image_from_atlas(texture)
    assert texture.image.getcolors() == [(256, RED)]
