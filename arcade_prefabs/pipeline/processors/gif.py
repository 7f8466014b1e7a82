"""What the headers inside a GIF promise, read before anything is decoded.

Pillow reads the first of them when it opens the file. A later frame may be of any size, and seeking
to it makes room for that at once: a hundred bytes ask for gigabytes.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

__all__ = ["Extent", "gif_extent"]

_IMAGE: Final = 0x2C
_EXTENSION: Final = 0x21
_END: Final = 0x3B


class Extent(NamedTuple):
    """How much an animation holds: the pixels that its frames reach, and how many there are."""

    width: int
    height: int
    frames: int


def gif_extent(data: bytes, most: int) -> Extent | None:
    """The size that a GIF has behind its largest frame, and its frames; None if it is no GIF.

    Counting ends with the first frame over ``most``. A file that ends too early has the frames that
    begin in it. Any thread.
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
            at += 1  # Pillow passes over what it does not know, too
    return Extent(width, height, frames)


def _table(flags: int) -> int:
    """Bytes of the color table that flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 128 else 0


def _behind_blocks(data: bytes, at: int) -> int:
    """Where a chain of blocks, each with its length in front, has ended."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1
