"""The components that every game has from the first day.

They are plain data: they say what an entity looks and sounds like. The floor above, which may
import Arcade, turns them into sprites, hit boxes and players.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeAlias

import msgspec

from .field_types import WANTED, SoundPath, SpriteClassName, TexturePath, Variant

__all__ = [
    "BUILTIN_COMPONENTS",
    "Anchor",
    "Animation",
    "AnimationMode",
    "Box",
    "Circle",
    "Collider",
    "FromTexture",
    "HitBoxAlgorithm",
    "Polygon",
    "Sound",
    "Sprite",
    "SpriteSheet",
    "Tags",
    "Text",
]

Byte: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=255)]
Color: TypeAlias = Annotated[
    tuple[Byte, ...],
    msgspec.Meta(
        min_length=3,
        max_length=4,
        extra={WANTED: "a color (red, green, blue), such as (255, 128, 0)"},
    ),
]
"""Red, green, blue and, if given, alpha, each 0 to 255, as everywhere in Arcade."""

Point: TypeAlias = tuple[float, float]
Positive: TypeAlias = Annotated[float, msgspec.Meta(gt=0)]
Fraction: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]


@dataclass(slots=True)
class Sprite:
    """What an entity looks like.

    Attributes:
        texture: The image.
        scale: One factor, or one for each axis.
        angle: Clockwise, in degrees, as ``arcade.Sprite.angle``.
        color: Tint; white leaves the image as it is.
        alpha: 0 (invisible) to 255.
        layer: Name of the layer to draw it in.
        flip_horizontal: Mirror left and right.
        flip_vertical: Mirror top and bottom.
        offset: Pixels from the entity's position to the sprite's center.
        sprite_class: Name of the class, registered with ``ComponentRegistry.sprite_class``.
    """

    texture: TexturePath
    scale: float | Point = 1.0
    angle: float = 0.0
    color: Color = (255, 255, 255)
    alpha: Byte = 255
    layer: str = "default"
    flip_horizontal: bool = False
    flip_vertical: bool = False
    offset: Point = (0.0, 0.0)
    sprite_class: SpriteClassName = "Sprite"


class AnimationMode(enum.Enum):
    """What an animation does behind its last frame."""

    Loop = "loop"
    Once = "once"
    PingPong = "ping_pong"


class SpriteSheet(Variant):
    """An image that holds all frames in a grid, counted from the top left, row by row.

    Attributes:
        image: The image.
        frame_size: Width and height of a frame in pixels.
        columns: Frames in a row.
        count: Frames in all.
        first: Index of the first frame to use.
    """

    image: TexturePath
    frame_size: tuple[Count, Count]
    columns: Count
    count: Count
    first: Annotated[int, msgspec.Meta(ge=0)] = 0


@dataclass(slots=True)
class Animation:
    """Frames that replace the sprite's texture one after the other.

    Attributes:
        frames: One image for each frame, or a `SpriteSheet`.
        frame_duration: Seconds for one frame.
        mode: What to do behind the last frame.
        autoplay: Start when the entity appears.
    """

    frames: Annotated[list[TexturePath], msgspec.Meta(min_length=1)] | SpriteSheet
    frame_duration: Positive = 0.1
    mode: AnimationMode = AnimationMode.Loop
    autoplay: bool = True


class HitBoxAlgorithm(enum.Enum):
    """How a hit box is made from a texture; the names are Arcade's."""

    BoundingBox = "bounding_box"
    Simple = "simple"
    Detailed = "detailed"


class Box(Variant):
    """A rectangle around the entity's position; width and height in pixels."""

    width: Positive
    height: Positive


class Circle(Variant):
    """A circle around the entity's position; radius in pixels."""

    radius: Positive


class Polygon(Variant):
    """A polygon; at least three points in pixels from the entity's position."""

    points: Annotated[list[Point], msgspec.Meta(min_length=3)]


class FromTexture(Variant):
    """The outline of the sprite's texture."""

    algorithm: HitBoxAlgorithm = HitBoxAlgorithm.Simple


@dataclass(slots=True)
class Collider:
    """What an entity collides with; becomes the sprite's hit box.

    Attributes:
        shape: The form, in pixels at scale 1.
        offset: Pixels from the entity's position to the shape's center.
        solid: Whether things stop at it; otherwise it only notices them.
        group: Name of the group for collision checks.
    """

    shape: Box | Circle | Polygon | FromTexture = field(default_factory=FromTexture)
    offset: Point = (0.0, 0.0)
    solid: bool = True
    group: str = "default"


@dataclass(slots=True)
class Tags:
    """Words to find entities by: ``Tags(["enemy", "flying"])``."""

    names: list[str]


@dataclass(slots=True)
class Sound:
    """A sound that belongs to an entity.

    Attributes:
        path: The sound file.
        volume: 0 (silent) to 1.
        loop: Begin again at the end.
        autoplay: Play when the entity appears.
        radius: Pixels at which it fades to silence; None if it is heard everywhere.
    """

    path: SoundPath
    volume: Fraction = 1.0
    loop: bool = False
    autoplay: bool = False
    radius: Positive | None = None


class Anchor(enum.Enum):
    """Which part of a text stands at the entity's position."""

    Left = "left"
    Center = "center"
    Right = "right"


@dataclass(slots=True)
class Text:
    """A label.

    Attributes:
        text: What it says.
        color: Color of the letters.
        font_size: In points, as ``arcade.Text``.
        font_name: Name of an installed font, or several in order of preference.
        offset: Pixels from the entity's position.
        anchor: Which part of the text stands there.
        bold: Whether the letters are bold.
        italic: Whether they are slanted.
    """

    text: str
    color: Color = (255, 255, 255)
    font_size: Positive = 12.0
    font_name: str | list[str] = "Arial"
    offset: Point = (0.0, 0.0)
    anchor: Anchor = Anchor.Center
    bold: bool = False
    italic: bool = False


BUILTIN_COMPONENTS: Final[tuple[type, ...]] = (Sprite, Animation, Collider, Tags, Sound, Text)
