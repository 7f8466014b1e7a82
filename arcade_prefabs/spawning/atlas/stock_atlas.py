"""Arcade's own atlas behind the interface of ours, for versions that ours does not know."""

from __future__ import annotations

import PIL.Image
from arcade import Texture
from arcade.texture import ImageData
from arcade.texture_atlas import TextureAtlasBase

from .pixels import BORDER
from .stored_image import SizedImage

__all__ = ["StockAtlas"]


class StockAtlas:
    """Brings textures into an atlas of Arcade's own.

    Args:
        atlas: The atlas.

    Main thread, except for `stored`.
    """

    placeholders = False

    def __init__(self, atlas: TextureAtlasBase) -> None:
        self._atlas = atlas

    def stored(self, hash: str, size: tuple[int, int]) -> ImageData:  # noqa: A002
        """The image of a texture whose pixels come later. Any thread."""
        return SizedImage(hash, size)

    def reserve(self, _texture: Texture, _color: tuple[int, int, int, int]) -> bool:
        """It cannot show what is not there yet."""
        raise NotImplementedError("Arcade's own atlas shows no placeholders")

    def add_pixels(self, texture: Texture, pixels: bytes) -> None:
        """Add a texture with its bordered pixels."""
        width, height = texture.size
        border = BORDER if len(pixels) != 4 * width * height else 0
        whole = PIL.Image.frombytes("RGBA", (width + 2 * border, height + 2 * border), pixels)
        image = whole.crop((border, border, border + width, border + height))
        texture.image_data.image = image
        self._atlas.add(texture)

    def upload_rows(self, _hash: str, _pixels: bytes, _first: int, _count: int) -> bool:
        """Nothing was reserved."""
        return False
