"""Pixels to and from the graphics card, where Arcade's own calls are too general to be quick.

Everything here is public OpenGL 3.3 through pyglet. With pyglet's error checks, which are on unless
Python runs with ``-O``, a call costs 1 to 2 µs, and `arcade.gl.Texture2D.write` makes five.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pyglet import gl

from .allocator import AtlasRect

__all__ = ["BORDER", "copy_areas", "largest_size", "write_area"]

BORDER: Final = 2
"""Pixels around each image that repeat its outermost ones: what images are baked with."""


def write_area(texture: Any, x: int, y: int, width: int, height: int, pixels: bytes) -> None:
    """Write RGBA into an area of a texture.

    Args:
        texture: An `arcade.gl.Texture2D` of four components.
        x: Pixels from the left.
        y: Pixels from the first row.
        width: Pixels.
        height: Pixels.
        pixels: As many bytes as that takes: the caller made sure of it.

    Main thread.
    """
    # Rows of RGBA begin at multiples of four bytes whatever the alignment is set to (Arcade sets
    # 1, OpenGL's default is 4), so it need not be set.
    gl.glActiveTexture(gl.GL_TEXTURE0 + texture.ctx.default_texture_unit)
    gl.glBindTexture(gl.GL_TEXTURE_2D, texture.glo)
    gl.glTexSubImage2D(
        gl.GL_TEXTURE_2D, 0, x, y, width, height, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, pixels
    )


def copy_areas(target: Any, moves: Iterable[tuple[AtlasRect, AtlasRect]]) -> None:
    """Copy areas of the active framebuffer to other places of a texture, pixel by pixel.

    Arcade draws them with a shader instead, and with them whatever stands in free slots of its
    table of coordinates, into a corner of the new atlas.

    Main thread.
    """
    gl.glActiveTexture(gl.GL_TEXTURE0 + target.ctx.default_texture_unit)
    gl.glBindTexture(gl.GL_TEXTURE_2D, target.glo)
    for old, new in moves:
        gl.glCopyTexSubImage2D(
            gl.GL_TEXTURE_2D, 0, new.x, new.y, old.x, old.y, old.width, old.height
        )


def largest_size(ctx: Any) -> int:
    """The largest width and height of an atlas in a context. Main thread."""
    return int(min(*ctx.info.MAX_VIEWPORT_DIMS, ctx.info.MAX_TEXTURE_SIZE))
