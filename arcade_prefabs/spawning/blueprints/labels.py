"""Labels: the texts of entities, drawn once into the atlas, shown by sprites like any picture."""

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

# Texts and letters are untrusted: a longer one would be laid out for seconds.
_MOST_LETTERS: Final = 2000
_LARGEST_FONT: Final = 400.0
# Letters reach beyond the box that pyglet gives, slanted ones most of all.
_MARGIN: Final = 2
# Lines are broken where the text has line ends, and nowhere else. No text is drawn larger.
_WIDE: Final = 4096
_SHIFTS: Final = {Anchor.Left: 0.5, Anchor.Center: 0.0, Anchor.Right: -0.5}
_ALIGN: Final = {Anchor.Left: "left", Anchor.Center: "center", Anchor.Right: "right"}


class TextSpec(NamedTuple):
    """A text, before it is drawn.

    Attributes:
        text: What it says.
        color: Red, green, blue, alpha.
        font_size: In points.
        font_names: Fonts in the order of preference.
        bold: Whether the letters are bold.
        italic: Whether they are slanted.
        anchor: Which part of it stands at the offset.
        offset: Pixels from the entity.
        layer: The layer that it is drawn in.
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
        """What tells its picture from others: colors are a matter of sprites."""
        return (self.text, self.font_size, self.font_names, self.bold, self.italic, self.anchor)


class TextLabel(NamedTuple):
    """The sprite of a text, and where it is mounted, with the names that a `SpriteSpec` has.

    Attributes:
        sprite: The sprite.
        spec: What it shows.
        offset: Pixels from the entity to the sprite's center.
        scale: Factors of the axes.
        angle: Clockwise, in degrees.
    """

    sprite: Sprite
    spec: TextSpec
    offset: tuple[float, float]
    scale: tuple[float, float] = (1.0, 1.0)
    angle: float = 0.0


def label_of(components: Mapping[str, Any], layer: str) -> TextSpec | None:
    """The label that typed components describe; None if they have no `Text`, or an empty one.

    Raises:
        PrefabError: It is too long, or too large.

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
    """Draws texts into the atlas; each is there once, as long as a sprite shows it.

    Args:
        ctx: The window's context.
        atlas: Where they are drawn.

    Main thread.
    """

    def __init__(self, ctx: arcade.ArcadeContext, atlas: TextureAtlas) -> None:
        self._ctx = ctx
        self._atlas = atlas
        self._known: weakref.WeakValueDictionary[tuple[object, ...], Texture] = (
            weakref.WeakValueDictionary()
        )

    def warm_up(self) -> None:
        """Have fonts and shaders ready: a first text takes 20 ms, later ones 1 to 5."""
        self.draw(_ANY)

    def get(self, spec: TextSpec) -> Texture | None:
        """The picture of a text, if it is there."""
        return self._known.get(spec.picture)

    def draw(self, spec: TextSpec) -> Texture:
        """The picture of a text; drawn now, if it is not there, which takes 1 to 5 ms.

        Raises:
            AtlasFullError: There is no room for it.
            PrefabError: It is larger than a text may be.
        """
        known = self._known.get(spec.picture)
        if known is not None:
            return known
        lines = "\n" in spec.text
        # White, for the sprite has the color.
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
        if max(width, height) > _WIDE:  # the atlas would grow for it
            raise PrefabError(
                f"a Text is drawn up to {_WIDE}×{_WIDE} pixels large, not {width}×{height}: make "
                "its letters smaller, or break its lines"
            )
        text.position = (_MARGIN, _MARGIN)
        texture = self._made(spec, width, height)
        with self._ctx.default_atlas.render_into(texture) as buffer:
            # Letters are blended over it: white, so that their edges get no dark fringe.
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
        """A new sprite that shows a text.

        Args:
            spec: The text.
            place: Its entity's x, y, angle and scale.
            visible: Whether it is shown.

        Raises:
            AtlasFullError: There is no room for it.
        """
        texture = self.draw(spec)
        sprite = Sprite(texture, visible=visible)
        sprite.color = spec.color
        shift = _SHIFTS[spec.anchor] * (texture.width - 2 * _MARGIN)
        label = TextLabel(sprite, spec, (spec.offset[0] + shift, spec.offset[1]))
        put(sprite, label, *place)
        return label
