"""Computes with transforms: of entities in the world, and of parts relative to their parents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

from arcade import BasicSprite

__all__ = ["Attachment", "EntityTransform", "checked_place", "put", "relative", "turned"]

EntityTransform: TypeAlias = tuple[tuple[float, float], float, tuple[float, float]]
"""A position in pixels, an angle in degrees clockwise, and the factors of both axes."""


_NUMBER: Final = (int, float)
_WHOLE: Final = (1.0, 1.0)


class Attachment(Protocol):
    """How a sprite is mounted on its entity; `SpriteSpec` and `TextLabel` are such.

    Attributes:
        offset: Pixels from the entity to the sprite's center.
        scale: Factors of both axes.
        angle: Degrees clockwise.
    """

    @property
    def offset(self) -> tuple[float, float]:
        """Pixels from the entity to the sprite's center."""
        ...

    @property
    def scale(self) -> tuple[float, float]:
        """Factors of both axes."""
        ...

    @property
    def angle(self) -> float:
        """Degrees clockwise."""
        ...


def checked_place(
    position: Sequence[float], angle: float, scale: float | Sequence[float]
) -> EntityTransform:
    """Returns a transform that the game gave, if all of its numbers are finite.

    Raises:
        ValueError: A number is NaN or infinite, or there are too many or too few.
        TypeError: Something is no number.
    """
    try:
        x, y = position
        wide, high = (scale, scale) if isinstance(scale, _NUMBER) else scale
        # One test for all: with a number that is not finite, the sum is not, either.
        finite = math.isfinite(x + y + angle + wide + high)
    except (TypeError, ValueError, OverflowError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            "a transform is a position (x, y), an angle, and a scale or (x, y) of scales, all "
            f"numbers, not {position=!r}, {angle=!r}, {scale=!r}"
        ) from None
    if not finite:
        raise ValueError(
            f"a transform takes finite numbers, not {position=!r}, {angle=!r}, {scale=!r}"
        )
    # No copies of tuples: a game may spawn a thousand entities in one frame.
    return (
        position if type(position) is tuple else (x, y),
        angle,
        _WHOLE if wide == high == 1.0 else (wide, high),
    )


def turned(
    at: tuple[float, float], angle: float, scale: tuple[float, float]
) -> tuple[float, float]:
    """Returns a vector, scaled and then rotated clockwise."""
    x, y = at[0] * scale[0], at[1] * scale[1]
    if not angle:
        return (x, y)
    radians = math.radians(angle)
    cos, sin = math.cos(radians), math.sin(radians)
    return (x * cos + y * sin, y * cos - x * sin)


def relative(transform: EntityTransform, parent: EntityTransform) -> EntityTransform:
    """Returns a transform relative to a parent's: the inverse of adding the parent's."""
    (x, y), angle, (own_wide, own_high) = transform
    (left, down), turn, (wide, high) = parent
    x, y = turned((x - left, y - down), -turn, (1.0, 1.0))
    wide, high = wide or 1.0, high or 1.0
    return ((x / wide, y / high), angle - turn, (own_wide / wide, own_high / high))


def put(
    sprite: BasicSprite,
    spec: Attachment,
    x: float,
    y: float,
    angle: float,
    scale: tuple[float, float],
) -> None:
    """Moves a sprite to its entity's transform."""
    if spec.offset != (0.0, 0.0):
        dx, dy = turned(spec.offset, angle, scale)
        x, y = x + dx, y + dy
    sprite.scale = (spec.scale[0] * scale[0], spec.scale[1] * scale[1])
    # A `BasicSprite` cannot rotate.
    if hasattr(type(sprite), "angle"):
        sprite.angle = angle + spec.angle  # type: ignore[attr-defined]
    sprite.position = (x, y)
