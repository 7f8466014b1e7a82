"""`StoredImage`: an image of a texture that is in the atlas, and not in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from weakref import ref

import PIL.Image
from arcade.texture import ImageData

from ...errors import SpawnError

__all__ = ["SizedImage", "StoredImage"]


class PixelStore(Protocol):
    """The texture atlas that has the pixels."""

    def read_image(self, image_hash: str, /) -> PIL.Image.Image | None:
        """Read an image back from the graphics card; None if it is not there."""
        ...

    def has_pixels(self, image_hash: str, /) -> bool:
        """Whether the pixels of an image were uploaded, and not only its average color."""
        ...


class SizedImage(ImageData):
    """An image whose hash and size are known, and whose pixels are not in memory.

    Args:
        hash: Of the pixels, and of the size.
        size: Width and height in pixels.

    Any thread.
    """

    __slots__ = ("_size",)

    def __init__(self, hash: str, size: tuple[int, int]) -> None:  # noqa: A002 - Arcade's word
        self.hash = hash
        self._size = size

    @property
    def width(self) -> int:
        """Pixels."""
        return self._size[0]

    @property
    def height(self) -> int:
        """Pixels."""
        return self._size[1]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._size

    # Arcade's comparison wants both to be of the same class.

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImageData) and self.hash == other.hash

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.hash)


class StoredImage(SizedImage):
    """What Arcade needs to know of an image, without its pixels.

    Pixels that came from the bake store go to the graphics card as they are; a Pillow image would
    be a second copy. When somebody asks for one all the same (another atlas, `Texture.crop`, a hit
    box), the pixels are read back, and from then on kept. While they are on their way, `lent` gives
    them: another atlas asks once, and would show the placeholder for ever.

    Args:
        hash: Of the pixels, and of the size.
        width: Pixels.
        height: Pixels.
        atlas: Where it will be; it is not kept alive.

    Attributes:
        lent: Makes the picture of pixels that are not in the atlas yet; None if nobody has them.

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
        """The pixels as a Pillow image; an area of one color if nobody has them yet.

        Raises:
            SpawnError: The image is not in the atlas any more, or not yet.
            WrongThreadError: This is not the main thread, and they have to be read.

        Main thread.
        """
        if self._pillow is None and self.lent is not None:
            self._pillow = self.lent()
        if self._pillow is not None:
            return self._pillow
        atlas = self._atlas()
        # An atlas that was given the image later may have given it another hash.
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
