"""Sprite lists with another atlas than the plugin's show the images of prefabs, too."""

from __future__ import annotations

import io
from typing import Any

import arcade
import pytest
from arcade.texture_atlas import DefaultTextureAtlas
from PIL import Image

from arcade_prefabs.spawning import ReclaimingAtlas

SIZE = (1000, 160)  # takes several frames to upload
SLOW: dict[str, Any] = {"step_s": 0.001}
LEFT, RIGHT = (255, 0, 0), (0, 0, 255)
NEW_LEFT, NEW_RIGHT = (0, 255, 0), (255, 255, 0)


def halves(left: Any, right: Any) -> bytes:
    """Returns a PNG with two colors, neither of which is its average."""
    image = Image.new("RGBA", SIZE, (*right, 255))
    image.paste((*left, 255), (0, 0, SIZE[0] // 2, SIZE[1]))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def files() -> dict[str, str | bytes]:
    return {
        "images/flag.png": halves(LEFT, RIGHT),
        "prefabs/flag.ron": 'Prefab(components: [Sprite(texture: "images/flag.png", scale: '
        f"({80 / SIZE[0]}, {80 / SIZE[1]}))])",
    }


def colors(window: arcade.Window, sprites: arcade.SpriteList[Any], x: int, y: int) -> Any:
    """Returns the colors 20 pixels left and right of a position, if one list alone is drawn."""
    window.clear(color=(0, 0, 0, 255))
    sprites.draw(pixelated=True)
    read = window.ctx.screen.read
    return tuple(tuple(bytes(read(viewport=(x + dx, y, 1, 1), components=3))) for dx in (-20, 20))


def drawn_before(window: arcade.Window) -> arcade.SpriteList[Any]:
    """Returns a list with the window's own atlas, as games have it that attach late."""
    sprites: arcade.SpriteList[Any] = arcade.SpriteList()
    sprites.append(arcade.SpriteSolidColor(4, 4, 2, 2))
    sprites.draw()
    return sprites


def of_a_stock_atlas(window: arcade.Window) -> arcade.SpriteList[Any]:
    return arcade.SpriteList(atlas=DefaultTextureAtlas((512, 512), ctx=window.ctx))


def of_an_atlas_of_ours(window: arcade.Window) -> arcade.SpriteList[Any]:
    return arcade.SpriteList(atlas=ReclaimingAtlas((512, 512), ctx=window.ctx))


def lazy(window: arcade.Window) -> arcade.SpriteList[Any]:
    return arcade.SpriteList(lazy=True, atlas=DefaultTextureAtlas((512, 512), ctx=window.ctx))


KINDS = [drawn_before, of_a_stock_atlas, of_an_atlas_of_ours, lazy]


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_with_another_atlas_shows_the_pixels(
    window: arcade.Window, stage: Any, files: Any, kind: Any
) -> None:
    """The picture's, not its average color; and those of a picture that was saved anew."""
    sprites = kind(window)
    scene = stage(files, **SLOW)
    assert sprites.atlas is not scene.prefabs.atlas
    entity = scene.spawn("flag", (100, 100), scene=sprites)
    for _ in range(60):
        assert colors(window, sprites, 100, 100) == (LEFT, RIGHT)
        scene.frame()
    scene.edit({"images/flag.png": halves(NEW_LEFT, NEW_RIGHT)})
    scene.frame(60)
    assert colors(window, sprites, 100, 100) == (NEW_LEFT, NEW_RIGHT)
    assert entity.alive


def test_several_lists_with_different_atlases_show_the_same_prefab(
    window: arcade.Window, stage: Any, files: Any
) -> None:
    """While the pixels are on their way to the plugin's, and afterwards."""
    lists = [kind(window) for kind in KINDS]
    scene = stage(files, **SLOW)
    entities = [scene.prefabs.spawn("flag", (100, 100), scene=one) for one in lists]
    own = scene.prefabs.spawn("flag", (100, 100))
    scene.until(lambda: own.alive and all(one.alive for one in entities))
    for one in lists:
        assert colors(window, one, 100, 100) == (LEFT, RIGHT)
    scene.frame(60)
    for one in (*lists, scene.prefabs.scene["default"]):
        assert colors(window, one, 100, 100) == (LEFT, RIGHT)
    scene.edit({"images/flag.png": halves(NEW_LEFT, NEW_RIGHT)})
    scene.frame(60)
    for one in (*lists, scene.prefabs.scene["default"]):
        assert colors(window, one, 100, 100) == (NEW_LEFT, NEW_RIGHT)


def test_a_sprite_that_moves_to_a_list_with_another_atlas_takes_its_pixels_along(
    window: arcade.Window, stage: Any, files: Any
) -> None:
    """Also while they are on their way, and back again."""
    other = of_a_stock_atlas(window)
    scene = stage(files, **SLOW)
    entity = scene.prefabs.spawn("flag", (100, 100))
    scene.until(lambda: entity.alive)
    home = scene.prefabs.scene["default"]
    average = colors(window, home, 100, 100)
    assert average[0] == average[1]  # the pixels are on their way
    sprite = entity.sprite
    home.remove(sprite)
    other.append(sprite)
    assert colors(window, other, 100, 100) == (LEFT, RIGHT)
    scene.frame(60)
    assert colors(window, other, 100, 100) == (LEFT, RIGHT)
    other.remove(sprite)
    home.append(sprite)
    assert colors(window, home, 100, 100) == (LEFT, RIGHT)


def test_lent_pixels_are_given_back_when_they_are_uploaded(stage: Any, files: Any) -> None:
    """Otherwise each large picture would stay in memory beside the graphics card's."""
    scene = stage(files, **SLOW)
    entity = scene.prefabs.spawn("flag", (100, 100))
    scene.until(lambda: entity.alive)
    data = entity.sprite.texture.image_data
    assert data.lent is not None
    scene.frame(60)
    assert data.lent is None
    assert data.image.getpixel((10, 10)) == (*LEFT, 255)
