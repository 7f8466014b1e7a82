"""`StockAtlas`: Arcade's own atlas as a `TextureAtlas`, for versions without `ReclaimingAtlas`."""

from __future__ import annotations

import PIL.Image
from arcade import Texture
from arcade.texture import ImageData
from arcade.texture_atlas import TextureAtlasBase

from .pixels import BORDER
from .stored_image import SizedImage

__all__ = ["StockAtlas"]


class StockAtlas:
    """Adds textures to an atlas of Arcade's own.

    Args:
        atlas: The atlas.

    Main thread, except for `stored`.
    """

    placeholders = False

    def __init__(self, atlas: TextureAtlasBase) -> None:
        self._atlas = atlas

    def stored(self, hash: str, size: tuple[int, int]) -> ImageData:  # noqa: A002
        """Returns the image of a texture whose pixels are added later. Any thread."""
        return SizedImage(hash, size)

    def reserve(self, _texture: Texture, _color: tuple[int, int, int, int]) -> bool:
        """Raises: Arcade's atlas cannot show a color in place of an image.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("Arcade's own atlas shows no placeholders")

    def add_pixels(self, texture: Texture, pixels: bytes) -> None:
        """Adds a texture with its pixels, border included."""
        width, height = texture.size
        border = BORDER if len(pixels) != 4 * width * height else 0
        whole = PIL.Image.frombytes("RGBA", (width + 2 * border, height + 2 * border), pixels)
        image = whole.crop((border, border, border + width, border + height))
        texture.image_data.image = image
        self._atlas.add(texture)

    def upload_rows(self, _hash: str, _pixels: bytes, _first: int, _count: int) -> bool:
        """Returns False: no image can be reserved here."""
        return False
