"""`SpriteSpec`: what a prefab's components mean for a sprite, computed once for all entities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from ...pipeline.model.bake_result import BakeKey, shown_id
from ...pipeline.model.processor import settings_key
from ...prefab.builtin import (
    Animation,
    AnimationMode,
    Box,
    Circle,
    Collider,
    FromTexture,
    HitBoxAlgorithm,
    Polygon,
    Sprite,
    SpriteSheet,
)

__all__ = ["AnimationSpec", "Points", "SpriteSpec", "TextureRef", "sprite_spec_of"]

Points: TypeAlias = tuple[tuple[float, float], ...]

# Corners of a circle's hit box: at a radius of 32 pixels, edges are within 0.6 of the arc.
_CORNERS: Final = 16


class TextureRef(NamedTuple):
    """Names an image that sprites need: its path and its import settings.

    Attributes:
        path: The asset path.
        settings: The import settings, as pairs; empty for the processor's own settings.
        key: The asset key: path and import settings as one text.
    """

    path: str
    settings: tuple[tuple[str, Any], ...]
    key: str

    @classmethod
    def of(cls, path: str, settings: Mapping[str, Any]) -> TextureRef:
        """Makes a reference to an image with import settings."""
        key = shown_id(BakeKey(path, settings_key(settings)))
        return cls(path, tuple(sorted(settings.items())), key)


class AnimationSpec(NamedTuple):
    """An animation: images whose animation frames follow each other.

    Attributes:
        frames: The images; all frames of each are shown.
        duration: Seconds of each frame.
        mode: What follows the last frame.
        autoplay: Whether the animation starts by itself.
    """

    frames: tuple[TextureRef, ...]
    duration: float
    mode: AnimationMode
    autoplay: bool


class SpriteSpec(NamedTuple):
    """Everything that is needed to make a sprite.

    Attributes:
        texture: The image.
        scale: Factors of both axes.
        angle: Degrees clockwise.
        color: Red, green, blue, alpha.
        layer: The layer that the sprite is drawn in.
        flip: Whether it is mirrored left to right, and top to bottom.
        offset: Pixels from the entity to the sprite.
        sprite_class: The registered name of the sprite's class.
        points: The hit box in pixels of the texture, from its center; None for the texture's own.
        solid: Whether the sprite is a wall for physics engines.
        group: The collision group, if the entity has a `Collider`.
        animation: The animation, or None.
    """

    texture: TextureRef
    scale: tuple[float, float]
    angle: float
    color: tuple[int, int, int, int]
    layer: str
    flip: tuple[bool, bool]
    offset: tuple[float, float]
    sprite_class: str
    points: Points | None
    solid: bool
    group: str | None
    animation: AnimationSpec | None

    def textures(self) -> tuple[TextureRef, ...]:
        """Returns all images that the sprite needs."""
        if self.animation is None:
            return (self.texture,)
        return (self.texture, *self.animation.frames)


def sprite_spec_of(components: Mapping[str, Any]) -> SpriteSpec | None:
    """Returns the sprite spec of components; None without a `Sprite`.

    Any thread.
    """
    sprite = components.get("Sprite")
    if not isinstance(sprite, Sprite):
        return None
    collider = components.get("Collider")
    if not isinstance(collider, Collider):
        collider = None
    animation = components.get("Animation")
    settings = _hit_box_settings(collider)
    return SpriteSpec(
        texture=TextureRef.of(sprite.texture, settings),
        scale=_pair(sprite.scale),
        angle=float(sprite.angle),
        color=_color(sprite.color, sprite.alpha),
        layer=sprite.layer,
        flip=(sprite.flip_horizontal, sprite.flip_vertical),
        offset=(float(sprite.offset[0]), float(sprite.offset[1])),
        sprite_class=sprite.sprite_class,
        points=None if collider is None else _points(collider, sprite),
        solid=collider is not None and collider.solid,
        group=None if collider is None else collider.group,
        animation=_animation(animation, settings) if isinstance(animation, Animation) else None,
    )


def _pair(scale: float | tuple[float, float]) -> tuple[float, float]:
    if isinstance(scale, tuple):
        return (float(scale[0]), float(scale[1]))
    return (float(scale), float(scale))


def _color(color: tuple[int, ...], alpha: int) -> tuple[int, int, int, int]:
    red, green, blue, *rest = color
    # A color with alpha multiplies with the field `alpha`.
    return (red, green, blue, round(rest[0] * alpha / 255) if rest else alpha)


def _hit_box_settings(collider: Collider | None) -> dict[str, Any]:
    shape = None if collider is None else collider.shape
    if isinstance(shape, FromTexture) and shape.algorithm is not HitBoxAlgorithm.Simple:
        return {"hit_box": shape.algorithm.value}
    return {}


def _points(collider: Collider, sprite: Sprite) -> Points | None:
    """Returns the hit box before the sprite's scale and angle; None for the texture's own."""
    shape = collider.shape
    x, y = collider.offset
    if isinstance(shape, Box):
        right, top = shape.width / 2, shape.height / 2
        corners = [(-right, -top), (right, -top), (right, top), (-right, top)]
    elif isinstance(shape, Circle):
        turns = [2 * math.pi * number / _CORNERS for number in range(_CORNERS)]
        corners = [(shape.radius * math.cos(turn), shape.radius * math.sin(turn)) for turn in turns]
    elif isinstance(shape, Polygon):
        corners = [(float(point[0]), float(point[1])) for point in shape.points]
    else:
        return None
    # Shapes are in pixels of the entity; Arcade applies the sprite's scale and angle to the points.
    (left, down), (wide, high) = sprite.offset, _pair(sprite.scale)
    turned = math.radians(sprite.angle)
    cos, sin = math.cos(turned), math.sin(turned)
    points: list[tuple[float, float]] = []
    for corner in corners:
        dx, dy = x + corner[0] - left, y + corner[1] - down
        points.append(((dx * cos - dy * sin) / (wide or 1), (dx * sin + dy * cos) / (high or 1)))
    return tuple(points)


def _animation(animation: Animation, settings: dict[str, Any]) -> AnimationSpec:
    frames = animation.frames
    if isinstance(frames, SpriteSheet):
        width, height = frames.frame_size
        cut = {
            "frame_size": [width, height],
            "columns": frames.columns,
            "count": frames.count,
            "first": frames.first,
        }
        images: tuple[TextureRef, ...] = (TextureRef.of(frames.image, cut),)
    else:
        images = tuple(TextureRef.of(path, settings) for path in frames)
    return AnimationSpec(images, animation.frame_duration, animation.mode, animation.autoplay)
