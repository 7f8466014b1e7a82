"""The half of `ReclaimingAtlas` that stands in for Arcade's private methods.

Which textures and images there are, where they are, and what becomes of their room. Which private
names this relies on, and whether this version of Arcade has them, is looked at in
``arcade_private``.
"""

from __future__ import annotations

import gc
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple, NoReturn, TypeVar
from weakref import WeakSet, ref

from arcade import Texture
from arcade.gl import Texture2D
from arcade.texture import ImageData
from arcade.texture.transforms import Transform
from arcade.texture_atlas import AtlasRegion, DefaultTextureAtlas
from arcade.texture_atlas.base import UV_TEXTURE_WIDTH
from arcade.texture_atlas.uv_data import UVData
from pyglet import gl

from ...errors import AtlasFullError
from ...window.thread_guard import ThreadGuard
from .allocator import Place, ShelfAllocator
from .image_names import Corners, settle_names
from .pixels import copy_areas, largest_size

__all__ = ["RoomedAtlas"]

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
        places: Of each image's hash, its place.
        extra: The place of the image that is to be added; None if none is.
    """

    size: tuple[int, int]
    rooms: ShelfAllocator
    places: dict[str, Place]
    extra: Place | None


def _note_gone(alive: dict[int, str], retired: deque[_Watch], watch: _Watch) -> None:
    # Before anything else can be made in its place, and get its id.
    alive.pop(watch.key, None)
    retired.append(watch)


class RoomedAtlas(DefaultTextureAtlas):
    """An atlas that knows its free room; `ReclaimingAtlas` says what can be done with it.

    Main thread.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        border: int,
        ctx: Any,
        capacity: int,
        auto_resize: bool,
        on_full: Callable[[int], bool] | None,
    ) -> None:
        super().__init__(size, border=border, auto_resize=auto_resize, ctx=ctx, capacity=capacity)
        # Arcade looks at the viewport only.
        most = largest_size(self._ctx)
        self._max_size = most, most
        self.on_full = on_full
        self._guard = ThreadGuard()
        self._rooms = ShelfAllocator(*size)
        self._places: dict[str, Place] = {}
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

    # ----------------------------------------------------------------------------------------- add

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

    def _place(self, data: ImageData) -> Place:
        """Find room for an image; its pixels are up to the caller."""
        width, height = data.size
        border = 2 * self._border
        place = self._rooms.take(width + border, height + border)
        if place is None:
            place = self._claim_place(width, height)
        self._enter(data.hash, place)
        return place

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

    def _claim_place(self, width: int, height: int) -> Place:
        """Room for an image, for which there was none at first."""
        border = 2 * self._border
        wanted = width + border, height + border
        pixels = wanted[0] * wanted[1]
        place: Place | None = None
        # Letting go is of no use for an image that is larger than the whole atlas.
        if wanted[0] <= self._size[0] and wanted[1] <= self._size[1]:
            # Looked up with each try: what is called for room may resize the atlas.
            place = self._make_room(lambda: self._rooms.take(*wanted), pixels)
            if place is None and self._collect():
                roomy = self._filled(pixels) <= _FULL
                if roomy or not self._auto_resize:
                    place = self._rooms.take(*wanted)
        if place is None and self._auto_resize:
            place = self._grow_for(wanted)
        if place is None:
            self._refuse(width, height)
        return place

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
            f"{len(self._places):,} images. {advice}"
        )

    def _enter(self, hash: str, place: Place) -> None:  # noqa: A002
        border = self._border
        all_width, all_height = self._size
        x, y = place.x + border, place.y + border
        width, height = place.width - 2 * border, place.height - 2 * border
        # As Arcade's `AtlasRegion` has them: upper left, upper right, lower left, lower right.
        left, top = x / all_width, y / all_height
        right, bottom = left + width / all_width, top + height / all_height
        corners = left, top, right, top, left, bottom, right, bottom
        self._places[hash] = place
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
        self._rooms.give_back(self._places.pop(hash))

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
                f"{len(self._places):,} images of {self._rooms.used_pixels:,} pixels do not "
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
        places: dict[str, Place] = {}
        wanted: list[tuple[int, int, str | None]] = [
            (old.height, old.width, name) for name, old in self._places.items()
        ]
        if extra is not None:
            wanted.append((extra[1], extra[0], None))
        wanted.sort(key=lambda one: one[:2], reverse=True)
        added: Place | None = None
        for height, width, name in wanted:
            place = rooms.take(width, height)
            if place is None:
                return None
            if name is None:
                added = place
            else:
                places[name] = place
        return _Packing(size, rooms, places, added)

    def _move(self, packing: _Packing) -> None:
        """Make the texture of another size, and copy all images; it stays as it was on an error."""
        ctx, places = self._ctx, packing.places
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
            copy_areas(texture, [(self._places[one], places[one]) for one in places])
            # It stays the same one: somebody may draw into an image right now (`render_into`), and
            # has it in hand.
            gl.glFramebufferTexture2D(
                gl.GL_FRAMEBUFFER, gl.GL_COLOR_ATTACHMENT0, gl.GL_TEXTURE_2D, texture.glo, 0
            )
        self._fbo.color_attachments[0] = texture
        self._fbo.resize()  # type: ignore[no-untyped-call]
        old, self._texture = self._texture, texture
        self._size, self._rooms = packing.size, packing.rooms
        for name, place in places.items():
            self._enter(name, place)
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

    def _grow_for(self, wanted: tuple[int, int]) -> Place | None:
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
