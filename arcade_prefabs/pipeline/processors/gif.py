"""Reads the sizes of all frames of a GIF from its headers, before anything is decoded.

Pillow checks only the first header when it opens a file. A later frame may have any size, and
seeking to it allocates its memory at once: a file of a hundred bytes can ask for gigabytes.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

__all__ = ["Extent", "gif_extent"]

_IMAGE: Final = 0x2C
_EXTENSION: Final = 0x21
_END: Final = 0x3B


class Extent(NamedTuple):
    """The size in pixels that holds all frames of an animation, and the number of frames."""

    width: int
    height: int
    frames: int


def gif_extent(data: bytes, most: int) -> Extent | None:
    """Returns the extent of a GIF, or None if the data is no GIF.

    Counting stops at the first frame above ``most``. In a truncated file, frames count whose header
    is complete. Any thread.
    """
    if len(data) < 13 or not data.startswith((b"GIF87a", b"GIF89a")):
        return None
    width, height = struct.unpack_from("<HH", data, 6)
    frames = 0
    at = 13 + _table(data[10])
    while at < len(data) and frames <= most:
        kind = data[at]
        if kind == _IMAGE and at + 10 <= len(data):
            x, y, w, h = struct.unpack_from("<HHHH", data, at + 1)
            width, height = max(width, x + w), max(height, y + h)
            frames += 1
            at = _behind_blocks(data, at + 11 + _table(data[at + 9]))
        elif kind == _EXTENSION:
            at = _behind_blocks(data, at + 2)
        elif kind == _END:
            break
        else:
            at += 1  # Pillow skips unknown bytes, too
    return Extent(width, height, frames)


def _table(flags: int) -> int:
    """Returns the size in bytes of the color table that flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 128 else 0


def _behind_blocks(data: bytes, at: int) -> int:
    """Returns the offset behind a chain of blocks, each of which begins with its length."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1
