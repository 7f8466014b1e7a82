"""`ReclaimingAtlas`: a texture atlas whose freed room is used again, without being rebuilt for it.

Arcade's own atlas never uses the room of a texture that is gone. Once it is full, it writes every
image anew that it has, within the frame that happens to add one more: 76 ms for 900 images, and,
while it stays nearly full, again with every further one.

What Arcade's own methods need to know of that is kept in ``atlas_rooms``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from arcade import Texture
from arcade.texture_atlas import AtlasRegion
from PIL import Image

from .allocator import Place
from .atlas_rooms import RoomedAtlas
from .pixels import write_area
from .stored_image import StoredImage

__all__ = ["AtlasStatistics", "ReclaimingAtlas"]

# A placeholder up to that many pixels is written like an image. Clearing is drawing: the next
# write waits until it is done, 90 µs with a software renderer; writing 68×68 pixels takes 5 µs.
_WRITTEN_PIXELS: Final = 65_536


class AtlasStatistics(NamedTuple):
    """What an atlas holds.

    Attributes:
        images: Pictures.
        textures: Textures that show them, flipped and rotated ones included.
        used_bytes: Bytes of the pictures, their borders included.
        bytes: Bytes of the whole atlas.
        waiting: Textures that are gone, and whose room is not free yet.
        reclaimed: Pictures whose room was made free so far.
        resizes: How often it was given another size, or was packed anew.
    """

    images: int
    textures: int
    used_bytes: int
    bytes: int
    waiting: int
    reclaimed: int
    resizes: int


class ReclaimingAtlas(RoomedAtlas):
    """A texture atlas that uses freed room again.

    What is not used any more is freed when its last texture goes, in whatever thread that happens,
    and used again from the next `reclaim` on, or from the next `add` that finds no room without it.
    Only an image for which there is no room even then makes it slow for one frame: a full atlas
    asks `on_full` for room, collects garbage (circles of sprites and lists that nobody draws hold
    their textures), and then grows, its shorter side first, up to what the graphics card can; a
    warning is logged. `AtlasFullError` is the last resort. To have the pause where nobody plays,
    such as on a loading screen, call `resize` there.

    Args:
        size: Width and height in pixels.
        border: Pixels around each image that repeat its outermost ones, so that no neighbour shows.
        ctx: The window's OpenGL context.
        capacity: How many textures it can hold at first, in multiples of 4,096.
        auto_resize: Whether it grows by itself, as Arcade's own does; it can be set later, too.
        on_full: See the attribute.

    Attributes:
        on_full: Is called when an image finds no room, with the pixels that it needs, its border
            included. It returns True if it let textures go, and adds none itself. It is asked up
            to eight times for each image, but not for one that is larger than the whole atlas.

    Main thread, except for `statistics`.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        border: int = 2,
        ctx: Any = None,
        capacity: int = 2,
        auto_resize: bool = True,
        on_full: Callable[[int], bool] | None = None,
    ) -> None:
        super().__init__(
            size,
            border=border,
            ctx=ctx,
            capacity=capacity,
            auto_resize=auto_resize,
            on_full=on_full,
        )

    placeholders = True

    @property
    def waiting(self) -> int:
        """How many textures are gone whose room is not free yet. Any thread."""
        return len(self._retired)

    def stored(self, hash: str, size: tuple[int, int]) -> StoredImage:  # noqa: A002
        """The image of a texture whose pixels are, or will be, in this atlas only. Any thread."""
        return StoredImage(hash, *size, self)

    # ----------------------------------------------------------------------------------------- add

    def add(self, texture: Texture) -> tuple[int, AtlasRegion]:
        """Add a texture, and its image unless that is there already.

        Two images of different sizes that have the same hash are told apart: the later one gets
        another hash.

        Returns:
            Its number, and where it is.

        Raises:
            AtlasFullError: There is no room for it, and the atlas cannot grow.
            WrongThreadError: This is not the main thread.
        """
        self._guard.check("ReclaimingAtlas.add")
        found = self._find(texture)
        if found is not None:
            return found
        data = texture.image_data
        if data.hash not in self._places:
            image = data.image  # may be read from another atlas, or fail
            place = self._place(data)
            try:
                self.write_image(image, place.x, place.y)
            except BaseException:  # an image of a kind that cannot be written
                self._drop_image(data.hash)
                raise
        return self._register(texture)

    def reserve(self, texture: Texture, color: tuple[int, int, int, int]) -> bool:
        """Add a texture whose pixels come later; until then it is an area of one color.

        Returns:
            True if the pixels are wanted: call `upload`. False if they are there.

        Raises:
            As `add`.
        """
        self._guard.check("ReclaimingAtlas.reserve")
        if self._find(texture) is None:
            data = texture.image_data
            if data.hash not in self._places:
                self._fill(self._place(data), color)
                self._blank.add(data.hash)
            self._register(texture)
        return texture.image_data.hash in self._blank

    def add_pixels(self, texture: Texture, pixels: bytes) -> bool:
        """Add a texture and the pixels of its image in one go, without a color before.

        Args:
            texture: It need not have a Pillow image.
            pixels: RGBA, border included, row by row from the top.

        Returns:
            True if they were written, False if they were there.

        Raises:
            ValueError: That are not as many bytes as the image has.
            AtlasFullError: There is no room for it.
            WrongThreadError: This is not the main thread.
        """
        self._guard.check("ReclaimingAtlas.add_pixels")
        data, border = texture.image_data, 2 * self._border
        _check_bytes(pixels, data.width + border, data.height + border)
        if self._find(texture) is None:
            if data.hash not in self._places:
                place = self._place(data)  # first: it may make another texture
                write_area(self._texture, *place, pixels)
                self._register(texture)
                return True
            self._register(texture)
        return data.hash in self._blank and self.upload(data.hash, pixels)

    def upload(self, hash: str, pixels: bytes) -> bool:  # noqa: A002 - Arcade's word for it
        """Write the pixels of an image that was reserved.

        Args:
            hash: The image's, ``texture.image_data.hash`` after `reserve`.
            pixels: RGBA, border included, row by row from the top.

        Returns:
            False if the image is gone.

        Raises:
            ValueError: That are not as many bytes as the image has.
            WrongThreadError: This is not the main thread.
        """
        self._guard.check("ReclaimingAtlas.upload")
        place = self._places.get(hash)
        if place is None:
            return False
        return self.upload_rows(hash, pixels, 0, place.height)

    def upload_rows(
        self,
        hash: str,  # noqa: A002 - Arcade's word for it
        pixels: bytes,
        first_row: int,
        count: int,
    ) -> bool:
        """Write some rows of an image that was reserved: a large one takes several frames.

        Args:
            hash: The image's.
            pixels: RGBA of these rows, border included.
            first_row: Counted from the top of the border. From top to bottom, please: with the
                last row, the image counts as complete.
            count: How many rows.

        Returns:
            False if the image is gone.

        Raises:
            ValueError: The image has no such rows, or that are not as many bytes as they have.
            WrongThreadError: This is not the main thread.
        """
        self._guard.check("ReclaimingAtlas.upload_rows")
        place = self._places.get(hash)
        if place is None:
            return False
        if first_row < 0 or count < 1 or first_row + count > place.height:
            raise ValueError(
                f"rows {first_row} to {first_row + count - 1} of an image that has "
                f"{place.height}, border included"
            )
        _check_bytes(pixels, place.width, count)
        write_area(self._texture, place.x, place.y + first_row, place.width, count, pixels)
        if first_row + count == place.height:
            self._blank.discard(hash)
        return True

    def _fill(self, place: Place, color: tuple[int, int, int, int]) -> None:
        area = place.width * place.height
        if area <= _WRITTEN_PIXELS:
            write_area(self._texture, *place, bytes(color) * area)
        else:
            self._fbo.clear(color=color, viewport=place)

    # ----------------------------------------------------------------------------------- questions

    def read_image(self, hash: str) -> Image.Image | None:  # noqa: A002
        """An image, read back, for which the graphics card has to finish what it is doing.

        Returns:
            None if it is not there. Before its pixels were uploaded, an area of one color.
        """
        self._guard.check("ReclaimingAtlas.read_image")
        region = self._image_regions.get(hash)
        if region is None:
            return None
        viewport = region.x, region.y, region.width, region.height
        pixels = self._fbo.read(viewport=viewport, components=4)
        return Image.frombytes("RGBA", (region.width, region.height), pixels)

    def has_pixels(self, hash: str) -> bool:  # noqa: A002
        """Whether an image is there with its own pixels, and is no area of one color any more."""
        return hash in self._places and hash not in self._blank

    def statistics(self) -> AtlasStatistics:
        """What it holds. Any thread."""
        return AtlasStatistics(
            len(self._places),
            len(self._texture_regions),
            self._rooms.used_pixels * 4,
            self.width * self.height * 4,
            len(self._retired),
            self._reclaimed,
            self._resizes,
        )


def _check_bytes(pixels: bytes, width: int, height: int) -> None:
    if len(pixels) != width * height * 4:
        raise ValueError(
            f"{len(pixels):,} bytes are no RGBA image of {width}×{height}, border included"
        )
