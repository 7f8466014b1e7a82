"""`StoredImage`: the image of a texture whose pixels are in the atlas, and not in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from weakref import ref

import PIL.Image
from arcade.texture import ImageData

from ...errors import SpawnError

__all__ = ["SizedImage", "StoredImage"]


class PixelStore(Protocol):
    """The texture atlas that has the pixels of `StoredImage`s."""

    def read_image(self, image_hash: str, /) -> PIL.Image.Image | None:
        """Reads an image back from the graphics card; returns None if it is not in the atlas."""
        ...

    def has_pixels(self, image_hash: str, /) -> bool:
        """Whether the pixels of an image were uploaded, and not its average color only."""
        ...


class SizedImage(ImageData):
    """An image whose hash and size are known, and whose pixels are not in memory.

    Args:
        hash: Hash of the pixels and the size.
        size: Width and height in pixels.

    Any thread.
    """

    __slots__ = ("_size",)

    def __init__(self, hash: str, size: tuple[int, int]) -> None:  # noqa: A002 - Arcade's word
        self.hash = hash
        self._size = size

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self._size[0]

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self._size[1]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._size

    # Arcade's comparison is False for images of different classes.

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImageData) and self.hash == other.hash

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.hash)


class StoredImage(SizedImage):
    """Stands for an image towards Arcade, without its pixels in memory.

    Pixels of the bake store go to the graphics card as they are; a Pillow image would be a second
    copy. If Arcade or the game asks for `image` (another atlas, `Texture.crop`, a hit box), the
    pixels are read back from the graphics card, and kept. While they are being uploaded, `lent`
    makes the image from the loader's copy: another atlas asks once only, and would show the average
    color for ever.

    Args:
        hash: Hash of the pixels and the size.
        width: Pixels.
        height: Pixels.
        atlas: The atlas that will have the pixels; held weakly.

    Attributes:
        lent: Returns the image while its pixels are not in the atlas yet; None otherwise.

    Any thread, except for `image`.
    """

    __slots__ = ("_atlas", "_pillow", "_stored_as", "lent")

    def __init__(
        self,
        hash: str,  # noqa: A002 - Arcade's word for it
        width: int,
        height: int,
        atlas: PixelStore,
    ) -> None:
        super().__init__(hash, (width, height))
        self._stored_as = hash
        self._atlas = ref(atlas)
        self._pillow: PIL.Image.Image | None = None
        self.lent: Callable[[], PIL.Image.Image] | None = None

    @property
    def image(self) -> PIL.Image.Image:
        """The pixels as a Pillow image; one color if they were not uploaded, and `lent` is None.

        Raises:
            SpawnError: The image is not in the atlas any more, or not yet.
            WrongThreadError: The pixels have to be read back, and this is not the main thread.

        Main thread.
        """
        if self._pillow is None and self.lent is not None:
            self._pillow = self.lent()
        if self._pillow is not None:
            return self._pillow
        atlas = self._atlas()
        # `settle_names` may have changed the hash in one of two atlases.
        for name in (self.hash, self._stored_as):
            image = None if atlas is None else atlas.read_image(name)
            if atlas is not None and image is not None and image.size == self._size:
                if atlas.has_pixels(name):
                    self._pillow = image
                return image
        raise SpawnError(
            f"the pixels of the image {self.hash!r} ({self.width}×{self.height}) were only in the "
            f"texture atlas, and {'the atlas is gone' if atlas is None else 'are not there now'}: "
            "keep its texture, or load it again"
        )

    @image.setter
    def image(self, image: PIL.Image.Image) -> None:
        self._pillow = image
