"""The components that every registry has: sprite, animation, collider, tags, sound and text.

They are plain data about an entity's appearance and sound. The rooms above, which import Arcade,
make sprites, hit boxes and players from them.
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
"""Red, green, blue and optionally alpha, each from 0 to 255, as everywhere in Arcade."""

Point: TypeAlias = tuple[float, float]
Positive: TypeAlias = Annotated[float, msgspec.Meta(gt=0)]
Fraction: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]


@dataclass(slots=True)
class Sprite:
    """The picture of an entity.

    Attributes:
        texture: The image.
        scale: One factor for both axes, or one for each.
        angle: Degrees, clockwise, as ``arcade.Sprite.angle``.
        color: The color that the image is multiplied with; white leaves it as it is.
        alpha: 0 (invisible) to 255.
        layer: Name of the layer that the sprite is drawn in.
        flip_horizontal: Mirror left and right.
        flip_vertical: Mirror top and bottom.
        offset: Pixels from the entity's position to the sprite's center.
        sprite_class: Name of a class registered with ``ComponentRegistry.sprite_class``.
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
    """What an animation does after its last frame."""

    Loop = "loop"
    Once = "once"
    PingPong = "ping_pong"


class SpriteSheet(Variant):
    """An image with all animation frames in a grid, counted from the top left, row by row.

    Attributes:
        image: The image.
        frame_size: Width and height of a frame in pixels.
        columns: Frames in a row.
        count: The number of all frames.
        first: Index of the first frame to use.
    """

    image: TexturePath
    frame_size: tuple[Count, Count]
    columns: Count
    count: Count
    first: Annotated[int, msgspec.Meta(ge=0)] = 0


@dataclass(slots=True)
class Animation:
    """Images that replace the sprite's texture one after the other.

    Attributes:
        frames: One image for each frame, or a `SpriteSheet`.
        frame_duration: Seconds for one frame.
        mode: What happens after the last frame.
        autoplay: Whether the animation starts when the entity appears.
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
    """The outline of the sprite's texture, computed by one of Arcade's algorithms."""

    algorithm: HitBoxAlgorithm = HitBoxAlgorithm.Simple


@dataclass(slots=True)
class Collider:
    """The shape that an entity collides with; it becomes the sprite's hit box.

    Attributes:
        shape: The shape, in pixels at scale 1.
        offset: Pixels from the entity's position to the shape's center.
        solid: Whether other entities are stopped by it; if not, collisions are only detected.
        group: Name of the group for collision checks.
    """

    shape: Box | Circle | Polygon | FromTexture = field(default_factory=FromTexture)
    offset: Point = (0.0, 0.0)
    solid: bool = True
    group: str = "default"


@dataclass(slots=True)
class Tags:
    """Words by which the game finds entities: ``Tags(["enemy", "flying"])``."""

    names: list[str]


@dataclass(slots=True)
class Sound:
    """A sound that belongs to an entity.

    Attributes:
        path: The sound file.
        volume: 0 (silent) to 1.
        loop: Whether the sound starts again at its end.
        autoplay: Whether the sound starts when the entity appears.
        radius: Distance in pixels at which the sound has faded to silence; None for no fading.
    """

    path: SoundPath
    volume: Fraction = 1.0
    loop: bool = False
    autoplay: bool = False
    radius: Positive | None = None


class Anchor(enum.Enum):
    """Which point of a text is at the entity's position."""

    Left = "left"
    Center = "center"
    Right = "right"


@dataclass(slots=True)
class Text:
    """A text on the screen.

    Attributes:
        text: The characters.
        color: Color of the letters.
        font_size: In points, as in ``arcade.Text``.
        font_name: Name of an installed font, or several in order of preference.
        offset: Pixels from the entity's position.
        anchor: Which point of the text is at this position.
        bold: Whether the letters are bold.
        italic: Whether the letters are italic.
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
