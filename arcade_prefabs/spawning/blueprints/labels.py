"""`Labels`: draws the texts of entities into the atlas, once each, for sprites to show."""

from __future__ import annotations

import hashlib
import math
import weakref
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import arcade
from arcade import Sprite, Texture

from ...errors import PrefabError
from ...prefab.builtin import Anchor, Text
from ..atlas.pixels import BORDER
from ..atlas.textures import TextureAtlas
from ..entities.transform import put

__all__ = ["Labels", "TextLabel", "TextSpec", "label_of"]

# Limits for texts of untrusted prefabs: pyglet needs seconds for longer ones.
_MOST_LETTERS: Final = 2000
_LARGEST_FONT: Final = 400.0
# Pixels by which letters may reach beyond the box that pyglet computes, slanted ones most of all.
_MARGIN: Final = 2
# Pixels of a text at most. As wide as this, lines break at the text's own line ends only.
_WIDE: Final = 4096
_SHIFTS: Final = {Anchor.Left: 0.5, Anchor.Center: 0.0, Anchor.Right: -0.5}
_ALIGN: Final = {Anchor.Left: "left", Anchor.Center: "center", Anchor.Right: "right"}


class TextSpec(NamedTuple):
    """What a `Text` component shows, before it is drawn.

    Attributes:
        text: The text.
        color: Red, green, blue, alpha.
        font_size: Size in points.
        font_names: Font names in the order of preference.
        bold: Whether the letters are bold.
        italic: Whether the letters are slanted.
        anchor: The part of the text that is at the offset.
        offset: Pixels from the entity.
        layer: The layer that the text is drawn in.
    """

    text: str
    color: tuple[int, int, int, int]
    font_size: float
    font_names: tuple[str, ...]
    bold: bool
    italic: bool
    anchor: Anchor
    offset: tuple[float, float]
    layer: str

    @property
    def picture(self) -> tuple[object, ...]:
        """What two texts must share to share a texture: all but color, offset and layer."""
        return (self.text, self.font_size, self.font_names, self.bold, self.italic, self.anchor)


class TextLabel(NamedTuple):
    """The sprite of a text, with the members of an `Attachment`.

    Attributes:
        sprite: The sprite.
        spec: The text spec.
        offset: Pixels from the entity to the sprite's center.
        scale: Factors of both axes.
        angle: Degrees clockwise.
    """

    sprite: Sprite
    spec: TextSpec
    offset: tuple[float, float]
    scale: tuple[float, float] = (1.0, 1.0)
    angle: float = 0.0


def label_of(components: Mapping[str, Any], layer: str) -> TextSpec | None:
    """Returns the text spec of components; None without a `Text`, or with an empty one.

    Raises:
        PrefabError: The text is too long, or its letters are too large.

    Any thread.
    """
    text = components.get("Text")
    if not isinstance(text, Text) or not text.text.strip():
        return None
    if len(text.text) > _MOST_LETTERS:
        raise PrefabError(f"a Text has {_MOST_LETTERS} characters at most, not {len(text.text)}")
    if text.font_size > _LARGEST_FONT:
        raise PrefabError(f"a Text has {_LARGEST_FONT:g} points at most, not {text.font_size:g}")
    red, green, blue, *alpha = text.color
    names = (text.font_name,) if isinstance(text.font_name, str) else tuple(text.font_name)
    return TextSpec(
        text.text,
        (red, green, blue, alpha[0] if alpha else 255),
        float(text.font_size),
        names or ("Arial",),
        text.bold,
        text.italic,
        text.anchor,
        (float(text.offset[0]), float(text.offset[1])),
        layer,
    )


_ANY: Final = TextSpec(
    "Aa", (255, 255, 255, 255), 12.0, ("Arial",), False, False, Anchor.Center, (0.0, 0.0), "default"
)


class Labels:
    """Draws texts into the atlas; each is kept as long as a sprite shows it.

    Args:
        ctx: The window's context.
        atlas: The atlas to draw into.

    Main thread.
    """

    def __init__(self, ctx: arcade.ArcadeContext, atlas: TextureAtlas) -> None:
        self._ctx = ctx
        self._atlas = atlas
        self._known: weakref.WeakValueDictionary[tuple[object, ...], Texture] = (
            weakref.WeakValueDictionary()
        )

    def warm_up(self) -> None:
        """Prepares fonts and shaders: the first text takes 20 ms, later ones 1 to 5."""
        self.draw(_ANY)

    def get(self, spec: TextSpec) -> Texture | None:
        """Returns the texture of a text, if it has been drawn; None otherwise."""
        return self._known.get(spec.picture)

    def draw(self, spec: TextSpec) -> Texture:
        """Returns the texture of a text; draws it if necessary, which takes 1 to 5 ms.

        Raises:
            AtlasFullError: There is no room for the text.
            PrefabError: The text is larger than 4096 pixels.
        """
        known = self._known.get(spec.picture)
        if known is not None:
            return known
        lines = "\n" in spec.text
        # White: the sprite's color tints it.
        text = arcade.Text(
            spec.text,
            0,
            0,
            arcade.color.WHITE,
            spec.font_size,
            font_name=spec.font_names,
            bold=spec.bold,
            italic=spec.italic,
            multiline=lines,
            width=_WIDE if lines else None,
            anchor_y="bottom",
        )
        if lines:
            text.width = math.ceil(text.content_width) + 1
            text.align = _ALIGN[spec.anchor]
        width = math.ceil(text.content_width) + 2 * _MARGIN
        height = math.ceil(text.content_height) + 2 * _MARGIN
        if max(width, height) > _WIDE:  # the atlas would have to grow
            raise PrefabError(
                f"a Text is drawn up to {_WIDE}×{_WIDE} pixels large, not {width}×{height}: make "
                "its letters smaller, or break its lines"
            )
        text.position = (_MARGIN, _MARGIN)
        texture = self._made(spec, width, height)
        with self._ctx.default_atlas.render_into(texture) as buffer:
            # Transparent white: blended with black, the letters' edges would get a dark fringe.
            buffer.clear(color=(255, 255, 255, 0))
            text.draw()
        self._known[spec.picture] = texture
        return texture

    def _made(self, spec: TextSpec, width: int, height: int) -> Texture:
        name = hashlib.blake2b(repr(spec.picture).encode(), digest_size=16).hexdigest()
        right, top = width / 2, height / 2
        texture = Texture(
            self._atlas.stored(f"label {name}", (width, height)),
            hit_box_points=((-right, -top), (right, -top), (right, top), (-right, top)),
            hit_box_algorithm=arcade.hitbox.algo_bounding_box,
        )
        self._atlas.add_pixels(texture, bytes(4 * (width + 2 * BORDER) * (height + 2 * BORDER)))
        return texture

    def make(
        self,
        spec: TextSpec,
        place: tuple[float, float, float, tuple[float, float]],
        *,
        visible: bool,
    ) -> TextLabel:
        """Returns a new sprite that shows a text, at its entity.

        Args:
            spec: The text.
            place: The entity's x, y, angle and scale.
            visible: Whether the sprite is visible.

        Raises:
            AtlasFullError: There is no room for the text.
        """
        texture = self.draw(spec)
        sprite = Sprite(texture, visible=visible)
        sprite.color = spec.color
        shift = _SHIFTS[spec.anchor] * (texture.width - 2 * _MARGIN)
        label = TextLabel(sprite, spec, (spec.offset[0] + shift, spec.offset[1]))
        put(sprite, label, *place)
        return label
