"""`ReclaimingAtlas`: a texture atlas that uses freed room again, without being rebuilt for it.

**The problem.** Arcade's own atlas never uses the room of a texture that is gone. Once it is full,
the next image makes it write all images anew, within that frame: 76 ms for 900 images, and, while
it stays nearly full, again with every further image. A streamed world adds and drops images all the
time, so its atlas is always nearly full.

**The way taken.** A subclass of Arcade's atlas, because sprite lists, `render_into` and the shaders
need that class. It replaces the inside. A `ShelfAllocator` assigns rectangles, and takes them back.
A weak reference (`_Watch`) notes that a texture is gone, in whichever thread dropped it; the main
thread frees its room later, in `reclaim`, within the budget of a frame, or when `add` finds no
room. When the atlas has to grow, the graphics card copies the images (`copy_areas`). These methods
use private names of Arcade, listed in ``window/arcade_private.py``; if a version of Arcade lacks
one, this atlas is not installed.

**The ways rejected.** *Arcade's atlas with removals*: each removal causes the very rebuild that it
should avoid. *Several atlases*: a sprite list draws with one only. *Arcade's finaliser*: it changes
the atlas in the thread that drops the last reference, and races with `add`: dozens of errors in 20
seconds of stress. *A base class with the table of images, in a second module*: it was so once;
nothing else used it, and neither half could be read alone.
"""

from __future__ import annotations

import gc
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from threading import get_ident
from typing import Any, Final, NamedTuple, NoReturn, TypeVar
from weakref import WeakSet, ref

from arcade import Texture
from arcade.gl import Texture2D
from arcade.texture import ImageData
from arcade.texture.transforms import Transform
from arcade.texture_atlas import AtlasRegion, DefaultTextureAtlas
from arcade.texture_atlas.base import UV_TEXTURE_WIDTH
from arcade.texture_atlas.uv_data import UVData
from PIL import Image
from pyglet import gl

from ...errors import AtlasFullError
from ...window.thread_guard import ThreadGuard
from .allocator import AtlasRect, ShelfAllocator
from .image_names import Corners, settle_names
from .pixels import copy_areas, largest_size, write_area
from .stored_image import StoredImage

__all__ = ["AtlasStatistics", "ReclaimingAtlas"]

Found = TypeVar("Found")

_log = logging.getLogger("arcade_prefabs")

# Calls of `on_full` for one image at most.
_TRIES: Final = 8
# Textures that are reclaimed between two searches for room; each takes about 5 µs.
_AT_ONCE: Final = 4
# The corners of a texture that is neither flipped nor rotated.
_UPRIGHT: Final = (0, 1, 2, 3)
# An atlas that is fuller than this after a garbage collection grows even if there is room now:
# otherwise each further image would need a collection, which takes tens of milliseconds.
_FULL: Final = 0.75
# An atlas with less than this in use is packed anew before it grows: its free room is scattered.
_SCATTERED: Final = 0.5
# Texture numbers are floats of 32 bits on the graphics card, exact up to here.
_MOST_SLOTS: Final = 1 << 24
# An average color of up to so many pixels is written like an image. Clearing an area is drawing:
# the next write waits for it, 90 µs with a software renderer; writing 68×68 pixels takes 5 µs.
_WRITTEN_PIXELS: Final = 65_536


class AtlasStatistics(NamedTuple):
    """Figures of a texture atlas.

    Attributes:
        images: Images in the atlas.
        textures: Textures of these images, flipped and rotated ones included.
        used_bytes: Bytes of the images, borders included.
        bytes: Bytes of the whole atlas.
        waiting: Textures that are gone, and whose room is not free yet.
        reclaimed: Images whose room was freed so far.
        resizes: How often the atlas was resized or packed anew.
    """

    images: int
    textures: int
    used_bytes: int
    bytes: int
    waiting: int
    reclaimed: int
    resizes: int


class _Watch(ref[Texture]):
    """A weak reference that notes when its texture is gone, in whichever thread dropped it.

    The callback does two things, neither of which another thread can interrupt. Arcade's own
    finaliser would change the atlas at that moment, perhaps in the middle of `add`; it also takes
    three times as long to make.

    Attributes:
        name: The texture's name in the atlas when it was added.
        image: Its image's hash at that time.
        key: The texture's ``id()``.
    """

    __slots__ = ("image", "key", "name")

    name: str
    image: str
    key: int


class _Packing(NamedTuple):
    """The rectangles of all images in an atlas of another size.

    Attributes:
        size: Width and height in pixels.
        rooms: The allocator of the new atlas.
        rects: The rectangle of each image, by its hash.
        extra: The rectangle of the image that is to be added; None without one.
    """

    size: tuple[int, int]
    rooms: ShelfAllocator
    rects: dict[str, AtlasRect]
    extra: AtlasRect | None


def _note_gone(alive: dict[int, str], retired: deque[_Watch], watch: _Watch) -> None:
    # At once: a new texture may get the same `id()`.
    alive.pop(watch.key, None)
    retired.append(watch)


class ReclaimingAtlas(DefaultTextureAtlas):
    """A texture atlas that uses the room of textures again that are gone.

    The room of an image is freed once its last texture is gone, by the next `reclaim`, or by an
    `add` that finds no room. An image for which there is no room even then makes one frame slow:
    the atlas calls `on_full`, collects garbage (cycles of sprites and sprite lists that are not
    drawn hold textures), and then grows, its shorter side first, up to the limit of the graphics
    card; a warning is logged. If that fails, too, it raises `AtlasFullError`. To have the pause on
    a loading screen instead, call `resize` there.

    Args:
        size: Width and height in pixels.
        border: Pixels around each image that repeat its outermost ones, so that no neighbour shows.
        ctx: The window's OpenGL context.
        capacity: How many textures the atlas can hold at first, in multiples of 4,096.
        auto_resize: Whether the atlas grows by itself, as Arcade's own does; can be set later, too.
        on_full: The attribute `on_full`.

    Attributes:
        on_full: Called with the pixels that an image needs, border included, if there is no room
            for it. Returns True if it has let textures go; it must not add any. It is called up to
            eight times for each image, but not for an image that is larger than the whole atlas.

    Main thread, except for `waiting`, `stored` and `statistics`.
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
        super().__init__(size, border=border, auto_resize=auto_resize, ctx=ctx, capacity=capacity)
        # Arcade considers the limit of viewports only, not that of textures.
        most = largest_size(self._ctx)
        self._max_size = most, most
        self.on_full = on_full
        self._guard = ThreadGuard()
        self._rooms = ShelfAllocator(*size)
        self._rects: dict[str, AtlasRect] = {}
        self._blank: set[str] = set()  # hashes of reserved images that show their average color
        # By each texture's name, its image's hash and the order of its corners.
        self._shown: dict[str, tuple[str, Corners]] = {}
        self._watches: dict[int, _Watch] = {}
        self._retired: deque[_Watch] = deque()
        # The names of living textures, by their `id()`: looked up twice for each new sprite.
        self._alive: dict[int, str] = {}
        self._on_gone = partial(_note_gone, self._alive, self._retired)
        self._reclaimed = 0
        self._resizes = 0
        # `_textures_added` when a garbage collection freed nothing: until another texture is added,
        # a second collection would free nothing either.
        self._collected_at = -1

    placeholders = True

    @property
    def waiting(self) -> int:
        """How many textures are gone whose room is not free yet. Any thread."""
        return len(self._retired)

    def stored(self, hash: str, size: tuple[int, int]) -> StoredImage:  # noqa: A002
        """Returns the image of a texture whose pixels will be in this atlas only. Any thread."""
        return StoredImage(hash, *size, self)

    # ----------------------------------------------------------------------------------------- add

    def add(self, texture: Texture) -> tuple[int, AtlasRegion]:
        """Adds a texture, and its image unless the atlas has it already.

        Two images of different sizes with the same hash are told apart: the later one gets another
        hash.

        Returns:
            The texture's number, and its region.

        Raises:
            AtlasFullError: There is no room for the image, and the atlas cannot grow.
            WrongThreadError: This is not the main thread.
        """
        if get_ident() != self._guard.thread:
            self._guard.check("ReclaimingAtlas.add")
        # Arcade calls this twice for each sprite that is appended to a list.
        name = texture.atlas_name
        if self._alive.get(id(texture)) == name:
            return self._texture_uvs.get_slot_or_raise(name), self._texture_regions[name]
        found = self._find(texture)
        if found is not None:
            return found
        data = texture.image_data
        if data.hash not in self._rects:
            image = data.image  # before `_rect`: it may be read from another atlas, or raise
            rect = self._rect(data)
            try:
                self.write_image(image, rect.x, rect.y)
            except BaseException:  # an image with another mode than RGBA, for instance
                self._drop_image(data.hash)
                raise
        return self._register(texture)

    def reserve(self, texture: Texture, color: tuple[int, int, int, int]) -> bool:
        """Adds a texture whose pixels come later; until then it is an area of one color.

        Returns:
            True if the pixels have to be uploaded; False if the atlas has them already.

        Raises:
            AtlasFullError: As `add`.
            WrongThreadError: As `add`.
        """
        self._guard.check("ReclaimingAtlas.reserve")
        if self._find(texture) is None:
            data = texture.image_data
            if data.hash not in self._rects:
                self._fill(self._rect(data), color)
                self._blank.add(data.hash)
            self._register(texture)
        return texture.image_data.hash in self._blank

    def add_pixels(self, texture: Texture, pixels: bytes) -> bool:
        """Adds a texture and the pixels of its image at once.

        Args:
            texture: The texture; its image need not have a Pillow image.
            pixels: RGBA, border included, row by row from the top.

        Returns:
            True if the pixels were written, False if the atlas had them already.

        Raises:
            ValueError: `pixels` has not as many bytes as the image.
            AtlasFullError: There is no room for the image.
            WrongThreadError: This is not the main thread.
        """
        self._guard.check("ReclaimingAtlas.add_pixels")
        data, border = texture.image_data, 2 * self._border
        _check_bytes(pixels, data.width + border, data.height + border)
        if self._find(texture) is None:
            if data.hash not in self._rects:
                rect = self._rect(data)  # before `self._texture`, which growing replaces
                write_area(self._texture, *rect, pixels)
                self._register(texture)
                return True
            self._register(texture)
        return data.hash in self._blank and self.upload(data.hash, pixels)

    def upload(self, hash: str, pixels: bytes) -> bool:  # noqa: A002 - Arcade's word for it
        """Writes the pixels of a reserved image.

        Args:
            hash: The image's hash, ``texture.image_data.hash`` after `reserve`.
            pixels: RGBA, border included, row by row from the top.

        Returns:
            False if the image is gone.

        Raises:
            ValueError: `pixels` has not as many bytes as the image.
            WrongThreadError: This is not the main thread.
        """
        self._guard.check("ReclaimingAtlas.upload")
        rect = self._rects.get(hash)
        if rect is None:
            return False
        return self.upload_rows(hash, pixels, 0, rect.height)

    def upload_rows(
        self,
        hash: str,  # noqa: A002 - Arcade's word for it
        pixels: bytes,
        first_row: int,
        count: int,
    ) -> bool:
        """Writes some rows of a reserved image: a large image takes several frames.

        Args:
            hash: The image's hash.
            pixels: RGBA of these rows, border included.
            first_row: Counted from the top of the border. Call this from top to bottom: with the
                last row, the image counts as complete.
            count: Number of rows.

        Returns:
            False if the image is gone.

        Raises:
            ValueError: The image has no such rows, or `pixels` has another number of bytes.
            WrongThreadError: This is not the main thread.
        """
        self._guard.check("ReclaimingAtlas.upload_rows")
        rect = self._rects.get(hash)
        if rect is None:
            return False
        if first_row < 0 or count < 1 or first_row + count > rect.height:
            raise ValueError(
                f"rows {first_row} to {first_row + count - 1} of an image that has "
                f"{rect.height}, border included"
            )
        _check_bytes(pixels, rect.width, count)
        write_area(self._texture, rect.x, rect.y + first_row, rect.width, count, pixels)
        if first_row + count == rect.height:
            self._blank.discard(hash)
        return True

    def _fill(self, rect: AtlasRect, color: tuple[int, int, int, int]) -> None:
        area = rect.width * rect.height
        if area <= _WRITTEN_PIXELS:
            write_area(self._texture, *rect, bytes(color) * area)
        else:
            self._fbo.clear(color=color, viewport=rect)

    # ---------------------------------------------------------------------- names, slots, room

    def _find(self, texture: Texture) -> tuple[int, AtlasRegion] | None:
        """Returns what `add` returns, if the atlas has the texture, or another one of that name.

        Otherwise returns None, and there is a free slot for the texture.
        """
        name = texture.atlas_name
        if self._alive.get(id(texture)) != name:
            settle_names(texture, self._image_regions, self._shown)
            name = texture.atlas_name
            known = self._unique_textures.get(name)
            if known is None:
                # Before the caller looks for the image: this may free it, if its textures are gone.
                if not self._texture_uvs.num_free_slots:
                    self._claim_slot(texture.image_data)
                return None
            known.add(texture)
            self._add_texture_ref(texture)
        return self._texture_uvs.get_slot_or_raise(name), self._texture_regions[name]

    def _rect(self, data: ImageData) -> AtlasRect:
        """Finds room for an image; the caller writes its pixels."""
        width, height = data.size
        border = 2 * self._border
        rect = self._rooms.take(width + border, height + border)
        if rect is None:
            rect = self._claim_place(width, height)
        self._enter(data.hash, rect)
        return rect

    def _register(self, texture: Texture) -> tuple[int, AtlasRegion]:
        """Adds a texture with a new name, whose image has its rectangle."""
        name = texture.atlas_name
        found = self._show(name, texture.image_data.hash, texture._vertex_order)
        known = self._unique_textures[name] = WeakSet()
        known.add(texture)
        self._add_texture_ref(texture)
        return found

    def _add_texture_ref(self, texture: Texture, create_finalizer: bool = True) -> None:
        data = texture.image_data
        self._images[data.hash] = data
        self._textures.add(texture)
        self._unique_texture_ref_count.inc_ref(texture)
        self._image_ref_count.inc_ref(data)
        if create_finalizer:
            watch = _Watch(texture, self._on_gone)
            watch.name, watch.image, watch.key = texture.atlas_name, data.hash, id(texture)
            self._alive[watch.key] = watch.name
            # By `id()`: two weak references to the same texture are equal.
            self._watches[id(watch)] = watch
            self._finalizers_created += 1
        self._textures_added += 1

    def _claim_slot(self, data: ImageData) -> None:
        """Frees or adds a slot for one more texture.

        The slots of images suffice then, too: there are never more images than textures.
        """
        pixels = data.width * data.height
        if self._make_room(lambda: self._texture_uvs.num_free_slots or None, pixels) is not None:
            return
        self._collect()
        free, slots = self._texture_uvs.num_free_slots, self._texture_uvs.num_slots
        # Texture numbers are floats on the graphics card, and stand two to a row of their table.
        most = min(_MOST_SLOTS, largest_size(self._ctx) // 2 * UV_TEXTURE_WIDTH)
        if self._auto_resize and free < (1 - _FULL) * slots and 2 * slots <= most:
            self._grow_slots()
        elif not free:
            advice = (
                "this graphics card has no room for more. Show fewer at a time"
                if self._auto_resize
                else "show fewer at a time, make it with a larger capacity, or let it grow by "
                "itself: `atlas.auto_resize = True`"
            )
            raise AtlasFullError(f"the atlas has {slots:,} textures, as many as it can: {advice}")

    def _claim_place(self, width: int, height: int) -> AtlasRect:
        """Makes room for an image after none was found: frees, collects garbage, or grows."""
        border = 2 * self._border
        wanted = width + border, height + border
        pixels = wanted[0] * wanted[1]
        rect: AtlasRect | None = None
        # For an image that is larger than the whole atlas, only growing helps.
        if wanted[0] <= self._size[0] and wanted[1] <= self._size[1]:
            # `self._rooms` is looked up with each try, as `on_full` may resize the atlas.
            rect = self._make_room(lambda: self._rooms.take(*wanted), pixels)
            if rect is None and self._collect():
                roomy = self._filled(pixels) <= _FULL
                if roomy or not self._auto_resize:
                    rect = self._rooms.take(*wanted)
        if rect is None and self._auto_resize:
            rect = self._grow_for(wanted)
        if rect is None:
            self._refuse(width, height)
        return rect

    def _make_room(self, find: Callable[[], Found | None], pixels: int) -> Found | None:
        """Calls `find` until it returns something, reclaiming textures and calling `on_full`."""
        found = self._find_reclaiming(find)
        for _ in range(_TRIES):
            if found is not None or self.on_full is None or not self.on_full(pixels):
                break
            found = self._find_reclaiming(find)
        return found

    def _find_reclaiming(self, find: Callable[[], Found | None]) -> Found | None:
        found = find()
        while found is None and self._retired:
            # A few at a time: hundreds would take milliseconds, within one `add`.
            self.reclaim(_AT_ONCE)
            found = find()
        return found

    def _collect(self) -> bool:
        """Collects garbage, and reclaims the textures that were freed by that.

        A sprite and its list hold each other, and their textures: a scene that is not shown any
        more goes only with a collection.

        Returns:
            Whether a texture was freed.
        """
        if self._collected_at == self._textures_added:
            return False
        gc.collect()
        gone = self.reclaim()
        self._collected_at = -1 if gone else self._textures_added
        return gone > 0

    def _filled(self, more: int = 0) -> float:
        """Returns the part of the atlas that is in use, with so many pixels more."""
        return (self._rooms.used_pixels + more) / (self._size[0] * self._size[1])

    def _refuse(self, width: int, height: int) -> NoReturn:
        most = self._max_size[0]
        if not self._auto_resize:
            advice = (
                "Show fewer at a time, give it more room where nobody plays: "
                f"`atlas.resize((width, height))`, up to {most}×{most} here, or let it grow by "
                "itself: `atlas.auto_resize = True`"
            )
        elif max(width, height) + 2 * self._border > most:
            advice = (
                f"No image may be larger than {most - 2 * self._border} pixels on this graphics "
                "card: cut it into several"
            )
        else:
            advice = (
                f"It cannot grow any more: this graphics card has room for {most}×{most} pixels "
                "at most, or for less while its memory is full. Show fewer or smaller images at a "
                "time, and let go of the textures, sprites and sprite lists that you do not draw"
            )
        raise AtlasFullError(
            f"no room for an image of {width}×{height} pixels: the atlas has "
            f"{self.width}×{self.height}, of which {self._filled():.0%} are in use by "
            f"{len(self._rects):,} images. {advice}"
        )

    def _enter(self, hash: str, rect: AtlasRect) -> None:  # noqa: A002
        border = self._border
        all_width, all_height = self._size
        x, y = rect.x + border, rect.y + border
        width, height = rect.width - 2 * border, rect.height - 2 * border
        # As Arcade's `AtlasRegion` has them: upper left, upper right, lower left, lower right.
        left, top = x / all_width, y / all_height
        right, bottom = left + width / all_width, top + height / all_height
        corners = left, top, right, top, left, bottom, right, bottom
        self._rects[hash] = rect
        self._image_regions[hash] = AtlasRegion(self, x, y, width, height, corners)
        slot = self._image_uvs.get_existing_or_free_slot(hash)
        self._image_uvs.set_slot_data(slot, corners)

    def _show(self, name: str, image: str, corners: Corners) -> tuple[int, AtlasRegion]:
        """Lets a texture's name stand for an image; returns the texture's slot and region."""
        slot = self._texture_uvs.get_existing_or_free_slot(name)
        region = self._image_regions[image]
        if corners != _UPRIGHT:
            turned = Transform.transform_texture_coordinates_order(
                region.texture_coordinates, corners
            )
            region = AtlasRegion(self, region.x, region.y, region.width, region.height, turned)
        self._texture_regions[name] = region
        self._shown[name] = image, corners
        self._texture_uvs.set_slot_data(slot, region.texture_coordinates)
        return slot, region

    # ------------------------------------------------------------------------------------- reclaim

    def reclaim(self, most: int | None = None) -> int:
        """Frees the room of textures that are gone; takes about 5 µs for each.

        Args:
            most: How many textures at most; None for all.

        Returns:
            How many textures were reclaimed.
        """
        self._guard.check("ReclaimingAtlas.reclaim")
        count = 0
        while self._retired and (most is None or count < most):
            watch = self._retired.popleft()
            del self._watches[id(watch)]
            count += 1
            name = watch.name
            if self._unique_texture_ref_count.dec_ref_by_atlas_name(name) == 0:
                del self._unique_textures[name]
                del self._texture_regions[name]
                del self._shown[name]
                self._texture_uvs.free_slot_by_name(name)
            if self._image_ref_count.dec_ref_by_hash(watch.image) == 0:
                self._drop_image(watch.image)
                self._reclaimed += 1
            self._textures_removed += 1
        return count

    def _drop_image(self, hash: str) -> None:  # noqa: A002
        self._images.pop(hash, None)
        del self._image_regions[hash]
        self._image_uvs.free_slot_by_name(hash)
        self._blank.discard(hash)
        self._rooms.give_back(self._rects.pop(hash))

    # -------------------------------------------------------------------------------------- resize

    def rebuild(self) -> None:
        """Packs the images anew, the largest first, which joins scattered free room.

        The graphics card copies the pixels; images need not be in memory.
        """
        self.resize(self._size, force=True)

    def resize(self, size: tuple[int, int], force: bool = False) -> None:
        """Changes the size of the atlas. Takes milliseconds: do it on a loading screen.

        Args:
            size: Width and height in pixels.
            force: Whether to pack the images anew even if the size is the same.

        Raises:
            AtlasFullError: The images do not fit into that size. The atlas stays as it was.
            ValueError: The graphics card has no atlas of that size.
            WrongThreadError: This is not the main thread.
        """
        self._guard.check("ReclaimingAtlas.resize")
        if size == self._size and not force:
            return
        most = largest_size(self._ctx)
        if not (0 < size[0] <= most and 0 < size[1] <= most):
            raise ValueError(
                f"no atlas of {size[0]}×{size[1]} pixels: up to {most}×{most} on this graphics card"
            )
        self.reclaim()
        packing = self._pack(size)
        if packing is None:
            raise AtlasFullError(
                f"{len(self._rects):,} images of {self._rooms.used_pixels:,} pixels do not "
                f"fit into an atlas of {size[0]}×{size[1]}"
            )
        self._move(packing)

    def _pack(self, size: tuple[int, int], extra: tuple[int, int] | None = None) -> _Packing | None:
        """Computes the rectangles of all images for another size; None if they do not fit.

        Args:
            size: Width and height of the atlas.
            extra: Width and height of an image that is to be added.
        """
        rooms = ShelfAllocator(*size)
        rects: dict[str, AtlasRect] = {}
        wanted: list[tuple[int, int, str | None]] = [
            (old.height, old.width, name) for name, old in self._rects.items()
        ]
        if extra is not None:
            wanted.append((extra[1], extra[0], None))
        wanted.sort(key=lambda row: row[:2], reverse=True)
        added: AtlasRect | None = None
        for height, width, name in wanted:
            rect = rooms.take(width, height)
            if rect is None:
                return None
            if name is None:
                added = rect
            else:
                rects[name] = rect
        return _Packing(size, rooms, rects, added)

    def _move(self, packing: _Packing) -> None:
        """Makes a texture of another size, and copies all images; changes nothing if that fails."""
        ctx, rects = self._ctx, packing.rects
        texture: Any
        try:
            texture = ctx.texture(
                packing.size, components=4, wrap_x=ctx.CLAMP_TO_EDGE, wrap_y=ctx.CLAMP_TO_EDGE
            )
            fbo = ctx.framebuffer(color_attachments=[texture])
            fbo.clear()
        except (gl.GLException, ValueError) as error:  # there is less memory than the limits say
            raise AtlasFullError(
                f"the graphics card has no memory for an atlas of {packing.size[0]}×"
                f"{packing.size[1]} pixels: {error}"
            ) from error
        into = self._rendered_into() if ctx.active_framebuffer is self._fbo else None
        with self._fbo.activate():
            copy_areas(texture, [(self._rects[name], rects[name]) for name in rects])
            # The framebuffer object stays the same: a caller of `render_into` may be using it.
            gl.glFramebufferTexture2D(
                gl.GL_FRAMEBUFFER, gl.GL_COLOR_ATTACHMENT0, gl.GL_TEXTURE_2D, texture.glo, 0
            )
        self._fbo.color_attachments[0] = texture
        self._fbo.resize()  # type: ignore[no-untyped-call]
        old, self._texture = self._texture, texture
        self._size, self._rooms = packing.size, packing.rooms
        for name, rect in rects.items():
            self._enter(name, rect)
        for name, shown in self._shown.items():
            self._show(name, *shown)
        if into is not None:  # `render_into` goes on with the image's new rectangle
            region = self._image_regions[into]
            self._fbo.viewport = region.x, region.y, region.width, region.height
        fbo.delete()  # type: ignore[no-untyped-call]
        old.delete()  # type: ignore[no-untyped-call]
        self._resizes += 1
        self._version += 1

    def _rendered_into(self) -> str | None:
        """Returns the hash of the image that `render_into` is drawing to, or None."""
        viewport = self._fbo.viewport
        for name, region in self._image_regions.items():
            if (region.x, region.y, region.width, region.height) == viewport:
                return name
        return None

    # ---------------------------------------------------------------------------------------- grow

    def _grow_for(self, wanted: tuple[int, int]) -> AtlasRect | None:
        """Grows to the smallest size with room for one more image; None if there is none."""
        began = time.perf_counter()
        before = self._size
        self.reclaim()
        for size in self._sizes_for(wanted):
            packing = self._pack(size, wanted)
            if packing is None:
                continue
            try:
                self._move(packing)
            except AtlasFullError as error:
                _log.warning("%s", error)
                break
            how = "was packed anew" if size == before else f"grew from {before[0]}×{before[1]}"
            _log.warning(
                "The texture atlas %s to make room for an image of %d×%d pixels: %d×%d now. The "
                "frame took %.1f ms longer; `atlas_size=(%d, %d)` in attach makes it so large at "
                "once.",
                how,
                wanted[0] - 2 * self._border,
                wanted[1] - 2 * self._border,
                *size,
                (time.perf_counter() - began) * 1000,
                *size,
            )
            return packing.extra
        return self._rooms.take(*wanted)

    def _sizes_for(self, wanted: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Yields the sizes to try, smallest first: the shorter side doubles, up to the limit."""
        (width, height), most = self._size, self._max_size[0]
        if self._filled(wanted[0] * wanted[1]) <= _SCATTERED:
            yield width, height
        if max(wanted) > most:
            return
        while width < most or height < most:
            if width < wanted[0] or (height >= wanted[1] and width <= height) or height == most:
                width = min(2 * width, most)
            else:
                height = min(2 * height, most)
            if width >= wanted[0] and height >= wanted[1]:
                yield width, height
        yield self._size

    def _grow_slots(self) -> None:
        """Doubles the number of textures that the atlas can hold; each texture keeps its slot."""
        old = self._texture_uvs, self._image_uvs
        self._capacity *= 2
        self._texture_uvs, self._image_uvs = (self._with_slots(table) for table in old)
        for table in old:
            table.texture.delete()  # type: ignore[no-untyped-call]
        self._version += 1
        _log.warning(
            "The texture atlas can hold %d textures now; it had %d, as many as it could.",
            self._texture_uvs.num_slots,
            old[0].num_slots,
        )

    def _with_slots(self, old: UVData) -> UVData:
        new = UVData(self._ctx, self._capacity)
        new._slots = old._slots
        new._slots_free = old._slots_free
        new._slots_free.extend(range(old.num_slots, new.num_slots))
        new._data[: len(old._data)] = old._data
        new._dirty = True
        return new

    # ------------------------------------------------------------------------------------- queries

    def read_image(self, hash: str) -> Image.Image | None:  # noqa: A002
        """Reads an image back, for which the graphics card has to finish what it is doing.

        Returns:
            The image; its average color before its pixels were uploaded; None if it is not in the
                atlas.
        """
        self._guard.check("ReclaimingAtlas.read_image")
        region = self._image_regions.get(hash)
        if region is None:
            return None
        viewport = region.x, region.y, region.width, region.height
        pixels = self._fbo.read(viewport=viewport, components=4)
        return Image.frombytes("RGBA", (region.width, region.height), pixels)

    def has_pixels(self, hash: str) -> bool:  # noqa: A002
        """Whether the atlas has an image with its own pixels, and not its average color only."""
        return hash in self._rects and hash not in self._blank

    def statistics(self) -> AtlasStatistics:
        """Returns figures of the atlas. Any thread."""
        return AtlasStatistics(
            len(self._rects),
            len(self._texture_regions),
            self._rooms.used_pixels * 4,
            self.width * self.height * 4,
            len(self._retired),
            self._reclaimed,
            self._resizes,
        )

    @property
    def unique_textures(self) -> list[Texture]:
        """One texture of each name."""
        firsts = (next(iter(known), None) for known in list(self._unique_textures.values()))
        # Arcade raises if all textures of a name are gone; here they may wait to be reclaimed.
        return [texture for texture in firsts if texture is not None]

    @property
    def image_uv_texture(self) -> Texture2D:
        """The texture coordinates of the images, up to date."""
        self._image_uvs.write_to_texture()
        return self._image_uvs.texture

    def use_uv_texture(self, unit: int = 0) -> None:
        """Binds the texture coordinates of the textures, for drawing."""
        # Arcade writes the coordinates of the images here, too: only its own `resize` needs them.
        self._texture_uvs.write_to_texture()
        self._texture_uvs.texture.use(unit)


def _check_bytes(pixels: bytes, width: int, height: int) -> None:
    if len(pixels) != width * height * 4:
        raise ValueError(
            f"{len(pixels):,} bytes are no RGBA image of {width}×{height}, border included"
        )
