"""Making one sprite from its look, and putting it where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import arcade
from arcade import BasicSprite, Texture
from arcade.hitbox import HitBox, RotatableHitBox

from ...errors import SpawnError
from ...prefab import ComponentRegistry
from ..blueprints.sprite_spec import Look
from ..entities.transform import turned

__all__ = ["make_sprite", "offer_frames", "set_hit_box"]

_OPAQUE_WHITE = (255, 255, 255, 255)


def make_sprite(
    look: Look,
    texture: Texture,
    registry: ComponentRegistry,
    place: tuple[float, float, float, tuple[float, float]],
    *,
    visible: bool,
) -> BasicSprite:
    """A new sprite.

    Args:
        look: What it is.
        texture: What it shows.
        registry: Where its class is registered.
        place: Its entity's x, y, angle and scale.
        visible: Whether it is shown.

    Raises:
        SpawnError: Its class cannot be made, or is no sprite.

    Main thread.
    """
    x, y, angle, entity_scale = place
    if look.offset != (0.0, 0.0):
        dx, dy = turned(look.offset, angle, entity_scale)
        x, y = x + dx, y + dy
    scale = (look.scale[0] * entity_scale[0], look.scale[1] * entity_scale[1])
    angle += look.angle
    sprite: BasicSprite
    if look.sprite_class == "Sprite":
        sprite = arcade.Sprite(texture, scale, x, y, angle, visible=visible)
    else:
        cls = registry.get_sprite_class(look.sprite_class)
        if cls is None:
            sprite = BasicSprite(texture, scale, x, y, visible)
        else:
            sprite = _own(cls, look.sprite_class, texture)
            sprite.scale = scale
            sprite.position = (x, y)
            sprite.visible = visible
            if hasattr(cls, "angle"):
                sprite.angle = angle  # type: ignore[attr-defined]
    if look.color != _OPAQUE_WHITE:
        sprite.color = look.color
    if look.points is not None:
        set_hit_box(sprite, look.points)
    return sprite


def _own(cls: Any, name: str, texture: Texture) -> BasicSprite:
    try:
        sprite = cls(texture)
    except TypeError as error:
        raise SpawnError(
            f"the sprite class `{name}` cannot be made with a texture alone: {error}. Give its "
            "other arguments defaults, and set them in an on_spawn hook"
        ) from error
    if not isinstance(sprite, BasicSprite):
        raise SpawnError(f"the sprite class `{name}` is no arcade.BasicSprite")
    if sprite.texture is not texture:
        sprite.texture = texture
    return sprite


def offer_frames(
    sprite: BasicSprite, frames: tuple[Texture, ...], old: tuple[Texture, ...] = ()
) -> None:
    """Have `arcade.Sprite.set_texture` choose among the frames of a prefab's image.

    Args:
        sprite: The sprite.
        frames: The frames.
        old: Those that they take the place of; textures that the game appended stay.

    Main thread.
    """
    if isinstance(sprite, arcade.Sprite):
        known = {id(one) for one in (*frames, *old)}
        sprite.textures = [*frames, *(one for one in sprite.textures if id(one) not in known)]


def set_hit_box(sprite: BasicSprite, points: Sequence[tuple[float, float]]) -> None:
    """Give a sprite another hit box. Main thread."""
    if isinstance(sprite, arcade.Sprite):
        sprite.hit_box = RotatableHitBox(
            points, position=sprite.position, angle=sprite.angle, scale=sprite.scale
        )
    else:
        # Its `hit_box` can only be read: arcade/sprite/base.py:750.
        sprite._hit_box = HitBox(points, position=sprite.position, scale=sprite.scale)
        sprite.update_spatial_hash()
