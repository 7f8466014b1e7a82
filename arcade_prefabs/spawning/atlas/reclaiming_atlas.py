"""`ReclaimingAtlas`: a texture atlas whose freed room is used again, without being rebuilt for it.

**The problem.** Arcade's own atlas never uses the room of a texture that is gone. Once it is full,
it writes every image anew that it has, within the frame that happens to add one more: 76 ms for 900
images, and, while it stays nearly full, again with every further one. A streamed world adds and
drops images all the time, so the atlas is always nearly full.

**The way taken.** A subclass of Arcade's atlas, because sprite lists, `render_into` and the
shaders know that class. What it replaces is the inside: room comes from a `ShelfAllocator` that
takes places back; a texture that is gone is noted by a weak reference (`_Watch`) in whichever
thread dropped it, and its room is made free on the main thread, in `reclaim`, within the budget of
a frame or when `add` finds no room; when the atlas has to grow, the graphics card copies the
images (`copy_areas`). Those methods use private names of Arcade; ``window/arcade_private.py`` lists
them, and where a version of Arcade lacks one, this atlas is not installed.

**The ways rejected.** *Arcade's atlas with removals*: each removal triggers the rebuild that it
was to avoid. *Several atlases*: a sprite list draws with one only. *Arcade's finaliser*: it changes
the atlas in the thread that drops the last reference, and races with `add`: dozens of errors in 20
seconds of stress. *A table of images beside Arcade's atlas, in a class of its own*: it was so, as a
base class in a second module; nothing else used that half, and neither half could be read alone.
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

# How often `on_full` is asked for room that one image needs.
_TRIES: Final = 8
# How many textures are let go at once when there is no room; each takes about 5 µs.
_AT_ONCE: Final = 4
# The corners of a texture that is neither flipped nor rotated.
_UPRIGHT: Final = (0, 1, 2, 3)
# An atlas that is fuller than that after a garbage collection grows all the same: otherwise the
# next image would need the next collection, each of which takes tens of milliseconds.
_FULL: Final = 0.75
# Below that, an atlas whose free room is scattered is packed anew before it grows.
_SCATTERED: Final = 0.5
# Beyond that, not every whole number is a float of 32 bits.
_MOST_SLOTS: Final = 1 << 24
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


class _Watch(ref[Texture]):
    """Says that a texture is gone, in whichever thread dropped the last reference to it.

    What it calls notes that, in two steps that no other thread can interrupt; Arcade's own
    finaliser changes the atlas there and then, perhaps in the middle of `add`. It is also three
    times as cheap to make.

    Attributes:
        name: The texture's name in the atlas when it was added.
        image: Its image's hash at that time.
        key: The texture's id.
    """

    __slots__ = ("image", "key", "name")

    name: str
    image: str
    key: int


class _Packing(NamedTuple):
    """Where everything goes in an atlas of another size.

    Attributes:
        size: Width and height in pixels.
        rooms: The room that is left.
        rects: Of each image's hash, its place.
        extra: The place of the image that is to be added; None if none is.
    """

    size: tuple[int, int]
    rooms: ShelfAllocator
    rects: dict[str, AtlasRect]
    extra: AtlasRect | None


def _note_gone(alive: dict[int, str], retired: deque[_Watch], watch: _Watch) -> None:
    # Before anything else can be made in its place, and get its id.
    alive.pop(watch.key, None)
    retired.append(watch)


class ReclaimingAtlas(DefaultTextureAtlas):
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
        super().__init__(size, border=border, auto_resize=auto_resize, ctx=ctx, capacity=capacity)
        # Arcade looks at the viewport only.
        most = largest_size(self._ctx)
        self._max_size = most, most
        self.on_full = on_full
        self._guard = ThreadGuard()
        self._rooms = ShelfAllocator(*size)
        self._rects: dict[str, AtlasRect] = {}
        self._blank: set[str] = set()  # images that are reserved, and whose pixels are not there
        # Of each texture's name, its image's hash and the order of its corners.
        self._shown: dict[str, tuple[str, Corners]] = {}
        self._watches: dict[int, _Watch] = {}
        self._retired: deque[_Watch] = deque()
        # The names of textures that are alive, by their ids: asked twice for each new sprite.
        self._alive: dict[int, str] = {}
        self._on_gone = partial(_note_gone, self._alive, self._retired)
        self._reclaimed = 0
        self._resizes = 0
        # How many textures had been added when a garbage collection made no room: until there is
        # one more, another collection would find nothing either.
        self._collected_at = -1

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
        if get_ident() != self._guard.thread:
            self._guard.check("ReclaimingAtlas.add")
        # Arcade asks twice for each sprite that is appended to a list.
        name = texture.atlas_name
        if self._alive.get(id(texture)) == name:
            return self._texture_uvs.get_slot_or_raise(name), self._texture_regions[name]
        found = self._find(texture)
        if found is not None:
            return found
        data = texture.image_data
        if data.hash not in self._rects:
            image = data.image  # may be read from another atlas, or fail
            rect = self._rect(data)
            try:
                self.write_image(image, rect.x, rect.y)
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
            if data.hash not in self._rects:
                self._fill(self._rect(data), color)
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
            if data.hash not in self._rects:
                rect = self._rect(data)  # first: it may make another texture
                write_area(self._texture, *rect, pixels)
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

    # ---------------------------------------------------------------------- names, numbers, room

    def _find(self, texture: Texture) -> tuple[int, AtlasRegion] | None:
        """What `add` returns, for a texture that is there or has the name of one that is.

        Otherwise there is a number free for it.
        """
        name = texture.atlas_name
        if self._alive.get(id(texture)) != name:
            settle_names(texture, self._image_regions, self._shown)
            name = texture.atlas_name
            known = self._unique_textures.get(name)
            if known is None:
                # Now, for it may free the very image whose textures are gone.
                if not self._texture_uvs.num_free_slots:
                    self._claim_slot(texture.image_data)
                return None
            known.add(texture)
            self._add_texture_ref(texture)
        return self._texture_uvs.get_slot_or_raise(name), self._texture_regions[name]

    def _rect(self, data: ImageData) -> AtlasRect:
        """Find room for an image; its pixels are up to the caller."""
        width, height = data.size
        border = 2 * self._border
        rect = self._rooms.take(width + border, height + border)
        if rect is None:
            rect = self._claim_place(width, height)
        self._enter(data.hash, rect)
        return rect

    def _register(self, texture: Texture) -> tuple[int, AtlasRegion]:
        """Add a texture with a name that is new here; its image has its place."""
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
            # By its id: references to the same texture are equal.
            self._watches[id(watch)] = watch
            self._finalizers_created += 1
        self._textures_added += 1

    def _claim_slot(self, data: ImageData) -> None:
        """Have a number free for one more texture; of images there are never more than textures."""
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
        """Room for an image, for which there was none at first."""
        border = 2 * self._border
        wanted = width + border, height + border
        pixels = wanted[0] * wanted[1]
        rect: AtlasRect | None = None
        # Letting go is of no use for an image that is larger than the whole atlas.
        if wanted[0] <= self._size[0] and wanted[1] <= self._size[1]:
            # Looked up with each try: what is called for room may resize the atlas.
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
        """What ``find`` finds, if need be after something was let go."""
        found = self._find_reclaiming(find)
        for _ in range(_TRIES):
            if found is not None or self.on_full is None or not self.on_full(pixels):
                break
            found = self._find_reclaiming(find)
        return found

    def _find_reclaiming(self, find: Callable[[], Found | None]) -> Found | None:
        found = find()
        while found is None and self._retired:
            # Not all at once: hundreds that wait would take milliseconds, within one `add`.
            self.reclaim(_AT_ONCE)
            found = find()
        return found

    def _collect(self) -> bool:
        """Free what only circles of objects hold: the sprites of a scene that nobody shows.

        A sprite and its list hold each other, and their textures.

        Returns:
            Whether a texture went.
        """
        if self._collected_at == self._textures_added:
            return False
        gc.collect()
        gone = self.reclaim()
        self._collected_at = -1 if gone else self._textures_added
        return gone > 0

    def _filled(self, more: int = 0) -> float:
        """Which part of the atlas is in use, with so many pixels more."""
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
        """Have a texture's name stand for an image."""
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
        """Make the room of textures free that are gone; about 5 µs for each.

        Args:
            most: How many at the most; None for all.

        Returns:
            How many textures were let go.
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
        """Pack the images anew, largest first, so that scattered free room becomes whole.

        The pixels are copied by the graphics card, whatever became of the images in memory.
        """
        self.resize(self._size, force=True)

    def resize(self, size: tuple[int, int], force: bool = False) -> None:
        """Give it another size. Takes milliseconds: do it where nobody plays.

        Args:
            size: Width and height in pixels.
            force: Pack it anew even if the size is the same.

        Raises:
            AtlasFullError: Its images do not fit into that size. It stays as it was.
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
        """Plan an atlas of another size; None if not everything fits.

        Args:
            size: Its width and height.
            extra: Those of an image that is to be added.
        """
        rooms = ShelfAllocator(*size)
        rects: dict[str, AtlasRect] = {}
        wanted: list[tuple[int, int, str | None]] = [
            (old.height, old.width, name) for name, old in self._rects.items()
        ]
        if extra is not None:
            wanted.append((extra[1], extra[0], None))
        wanted.sort(key=lambda one: one[:2], reverse=True)
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
        """Make the texture of another size, and copy all images; it stays as it was on an error."""
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
            copy_areas(texture, [(self._rects[one], rects[one]) for one in rects])
            # It stays the same one: somebody may draw into an image right now (`render_into`), and
            # has it in hand.
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
        if into is not None:  # that goes on where it is now
            region = self._image_regions[into]
            self._fbo.viewport = region.x, region.y, region.width, region.height
        fbo.delete()  # type: ignore[no-untyped-call]
        old.delete()  # type: ignore[no-untyped-call]
        self._resizes += 1
        self._version += 1

    def _rendered_into(self) -> str | None:
        """The image that is the whole viewport of the framebuffer."""
        viewport = self._fbo.viewport
        for name, region in self._image_regions.items():
            if (region.x, region.y, region.width, region.height) == viewport:
                return name
        return None

    # ---------------------------------------------------------------------------------------- grow

    def _grow_for(self, wanted: tuple[int, int]) -> AtlasRect | None:
        """Give it the smallest size that has room for one more image; None if none has."""
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
        """The sizes to try, from the smallest: the shorter side doubles, up to the limit."""
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
        """Double the number of textures that there can be; each keeps its number."""
        old = self._texture_uvs, self._image_uvs
        self._capacity *= 2
        self._texture_uvs, self._image_uvs = (self._with_slots(one) for one in old)
        for one in old:
            one.texture.delete()  # type: ignore[no-untyped-call]
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
        return hash in self._rects and hash not in self._blank

    def statistics(self) -> AtlasStatistics:
        """What it holds. Any thread."""
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
        """One of the textures of each name."""
        firsts = (next(iter(known), None) for known in list(self._unique_textures.values()))
        # Arcade raises where all are gone and their finalisers did not run: here that is usual.
        return [one for one in firsts if one is not None]

    @property
    def image_uv_texture(self) -> Texture2D:
        """Texture coordinates of the images."""
        self._image_uvs.write_to_texture()
        return self._image_uvs.texture

    def use_uv_texture(self, unit: int = 0) -> None:
        """Bind the texture coordinates of the textures, for drawing."""
        # Those of the images, which Arcade writes here, too, are for its own `resize` only.
        self._texture_uvs.write_to_texture()
        self._texture_uvs.texture.use(unit)


def _check_bytes(pixels: bytes, width: int, height: int) -> None:
    if len(pixels) != width * height * 4:
        raise ValueError(
            f"{len(pixels):,} bytes are no RGBA image of {width}×{height}, border included"
        )
