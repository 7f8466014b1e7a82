"""Writes and copies pixels on the graphics card, faster than Arcade's general calls.

It uses public OpenGL 3.3 through pyglet. With pyglet's error checks, which are on unless Python
runs with ``-O``, a call takes 1 to 2 µs, and `arcade.gl.Texture2D.write` makes five.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pyglet import gl

from .allocator import AtlasRect

__all__ = ["BORDER", "copy_areas", "largest_size", "write_area"]

BORDER: Final = 2
"""Pixels around each baked image that repeat its outermost pixels."""


def write_area(texture: Any, x: int, y: int, width: int, height: int, pixels: bytes) -> None:
    """Writes RGBA pixels into an area of a texture.

    Args:
        texture: An `arcade.gl.Texture2D` of four components.
        x: Pixels from the left.
        y: Pixels from the first row.
        width: Pixels.
        height: Pixels.
        pixels: RGBA bytes; the caller has checked that there are ``4 * width * height``.

    Main thread.
    """
    # The unpack alignment need not be set (Arcade sets 1, OpenGL's default is 4): rows of RGBA
    # begin at multiples of four bytes in any case.
    gl.glActiveTexture(gl.GL_TEXTURE0 + texture.ctx.default_texture_unit)
    gl.glBindTexture(gl.GL_TEXTURE_2D, texture.glo)
    gl.glTexSubImage2D(
        gl.GL_TEXTURE_2D, 0, x, y, width, height, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, pixels
    )


def copy_areas(target: Any, moves: Iterable[tuple[AtlasRect, AtlasRect]]) -> None:
    """Copies areas of the active framebuffer to other areas of a texture, pixel by pixel.

    Arcade draws them with a shader instead, which also draws whatever the free slots of its table
    of coordinates contain into a corner of the new atlas.

    Args:
        target: An `arcade.gl.Texture2D`.
        moves: Pairs of rectangles, old and new.

    Main thread.
    """
    gl.glActiveTexture(gl.GL_TEXTURE0 + target.ctx.default_texture_unit)
    gl.glBindTexture(gl.GL_TEXTURE_2D, target.glo)
    for old, new in moves:
        gl.glCopyTexSubImage2D(
            gl.GL_TEXTURE_2D, 0, new.x, new.y, old.x, old.y, old.width, old.height
        )


def largest_size(ctx: Any) -> int:
    """Returns the largest width and height of an atlas in a context. Main thread."""
    return int(min(*ctx.info.MAX_VIEWPORT_DIMS, ctx.info.MAX_TEXTURE_SIZE))
