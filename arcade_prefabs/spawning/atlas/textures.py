"""Textures: decoded in the background, shown as their average color until they are uploaded.

**The problem.** An image of a prefab is read and decompressed in a loader thread, but OpenGL works
in the main thread only, and an image of 1,024 pixels takes longer to upload than a frame has room
for. Sprites want an `arcade.Texture` before that.

**The way taken.** The loader thread makes the `Texture` from what the bake knows: hash, size and
hit box; its image has no pixels in memory (`StoredImage`). On the main thread, `TextureStore`
brings the pixels into the atlas in steps of at most 256 kB. What is small is written in one step.
For what is large, room is reserved and filled with the average color, the texture is announced,
and its rows follow, frame by frame: an entity appears at once, and is sharp some frames later.
Whoever needs several textures waits with a `TextureWait`, and is called once.

**The ways rejected.** *Waiting until all pixels are there*: entities of large pictures would come
late, and all at once. *A Pillow image per texture*: a second copy of everything in the atlas. *A
second OpenGL context in a worker*: drivers differ in what they share, and some fail silently.
*Textures from Arcade's cache*: `arcade.load_texture` computes hash and hit box, 0.2 to 46 ms each.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Final, Protocol

import arcade
import PIL.Image
from arcade import Texture
from arcade.texture import ImageData

from ...errors import shown
from ...frames import Step
from ...loading import DecodedAsset, DecodeProgress, Decoder, LoadedImage
from ...loading.workers.decoders import builtin_decoders
from ...pipeline import BakedAsset, ImageFrame
from ...prefab import ComponentRegistry
from ..blueprints.sprite_spec import TextureRef
from .stored_image import StoredImage

__all__ = ["LoadedTexture", "TextureAtlas", "TextureStore", "TextureWait"]

# Pixels that are written in one step: 256 kB take about 0.1 ms.
_AT_ONCE: Final = 65_536
# An image of so many pixels is written at once, and never shows its average color: announcing it
# first would cost as much as writing it.
_SMALL: Final = 16_384


class TextureAtlas(Protocol):
    """What the store needs of an atlas; `ReclaimingAtlas` is one.

    Attributes:
        placeholders: Whether it can show an image before its pixels come.
    """

    @property
    def placeholders(self) -> bool:
        """See above."""
        ...

    def stored(self, hash: str, size: tuple[int, int], /) -> ImageData:  # noqa: A002
        """The image of a texture whose pixels are in the atlas only."""
        ...

    def reserve(self, texture: Texture, color: tuple[int, int, int, int], /) -> bool:
        """Add a texture whose pixels come later; False if they are there already."""
        ...

    def add_pixels(self, texture: Texture, pixels: bytes) -> object:
        """Add a texture with its bordered pixels."""
        ...

    def upload_rows(self, hash: str, pixels: bytes, first: int, count: int, /) -> bool:  # noqa: A002
        """Write some rows of an image that was reserved; False if it is gone."""
        ...


class LoadedTexture:
    """An image that sprites can show.

    Attributes:
        id: Its full id, with its settings.
        textures: Its frames, one for most images.
        durations: Seconds that each frame of an animated image is shown; None otherwise.
        uploaded: Whether its pixels are in the atlas; until then it shows its average color.

    Main thread, once it is loaded.
    """

    __slots__ = ("__weakref__", "_flipped", "_image", "durations", "id", "textures", "uploaded")

    def __init__(self, image: LoadedImage, textures: tuple[Texture, ...]) -> None:
        self.id = image.id
        self.textures = textures
        seconds = tuple(frame.duration for frame in image.frames)
        self.durations = seconds if len(seconds) > 1 and None not in seconds else None
        self.uploaded = False
        self._image: LoadedImage | None = image
        self._flipped: dict[tuple[bool, bool], tuple[Texture, ...]] = {}

    def __repr__(self) -> str:
        return f"<LoadedTexture {shown(self.id)}: {len(self.textures)} frames>"

    @property
    def texture(self) -> Texture:
        """The first frame."""
        return self.textures[0]

    def flipped(self, flip: tuple[bool, bool]) -> tuple[Texture, ...]:
        """The frames, mirrored left to right, top to bottom, or both; each made once."""
        if flip == (False, False):
            return self.textures
        known = self._flipped.get(flip)
        if known is None:
            known = self.textures
            if flip[0]:
                known = tuple(one.flip_left_right() for one in known)
            if flip[1]:
                known = tuple(one.flip_top_bottom() for one in known)
            self._flipped[flip] = known
        return known


class TextureStore:
    """Makes textures of loaded images: the loader's decoder and activator for them.

    Args:
        atlas: Where their pixels go.

    Main thread, except for `decode`.
    """

    def __init__(self, atlas: TextureAtlas) -> None:
        self._atlas = atlas
        self._decode: Decoder = builtin_decoders()["image"]
        # Those of an image that are alive, the newest one last: the loader drops one that turns
        # out to be what it has already.
        self._known: dict[str, list[weakref.ref[LoadedTexture]]] = {}
        self._waiting: dict[str, list[Callable[[], None]]] = {}

    def get(self, ref: TextureRef) -> LoadedTexture | None:
        """The texture of an image, if it has been announced."""
        known = self._known.get(ref.key)
        return None if known is None else known[-1]()

    def when_announced(self, ref: TextureRef, call: Callable[[], None]) -> None:
        """Call something once, when the texture of an image is there."""
        self._waiting.setdefault(ref.key, []).append(call)

    def forget(self, ref: TextureRef, call: Callable[[], None]) -> None:
        """Take `when_announced` back; nothing happens if it was called."""
        calls = self._waiting.get(ref.key, [])
        if call in calls:
            calls.remove(call)
            if not calls:
                del self._waiting[ref.key]

    # ------------------------------------------------------------------------------- loader thread

    def decode(
        self, asset: BakedAsset, registry: ComponentRegistry
    ) -> Generator[DecodeProgress, None, DecodedAsset]:
        """Decode an image, and make its textures. See `Decoder`."""
        made = self._decode(asset, registry)
        loaded = made if isinstance(made, DecodedAsset) else (yield from made)
        image: LoadedImage = loaded.value
        textures: dict[str, Texture] = {}
        for frame in image.frames:
            if frame.hash not in textures:
                textures[frame.hash] = self._texture(frame)
        value = LoadedTexture(image, tuple(textures[frame.hash] for frame in image.frames))
        return loaded._replace(value=value)

    def _texture(self, frame: ImageFrame) -> Texture:
        points = frame.derived.get("hit_box")
        if not points:  # a processor of the game's own baked it
            right, top = frame.width / 2, frame.height / 2
            points = [(-right, -top), (right, -top), (right, top), (-right, top)]
        data = self._atlas.stored(frame.hash, (frame.width, frame.height))
        return Texture(
            data,
            hit_box_points=tuple((float(x), float(y)) for x, y in points),
            hit_box_algorithm=arcade.hitbox.algo_simple,
        )

    # --------------------------------------------------------------------------------- main thread

    def activate(self, _id: str, value: LoadedTexture) -> Generator[Step | None, None, None]:
        """Bring a texture into the atlas, in steps. See `Activator`."""
        image = value._image
        assert image is not None
        frames = {frame.hash: (number, frame) for number, frame in enumerate(image.frames)}
        large: list[tuple[int, ImageFrame]] = []
        for count, (number, frame) in enumerate(frames.values(), 1):
            texture = value.textures[number]
            if frame.size <= 4 * _SMALL or not self._atlas.placeholders:
                self._atlas.add_pixels(texture, image.pixels(number))
            elif self._atlas.reserve(texture, frame.color):
                large.append((number, frame))
                _lend(texture, partial(_picture, image, number))
            if count < len(frames):
                yield Step("upload", frame.size / 4)
        self._announce(value)
        for number, frame in large:
            pixels = image.pixels(number)
            width = frame.width + 2 * image.border
            height = frame.height + 2 * image.border
            rows = max(1, _AT_ONCE // width)
            for first in range(0, height, rows):
                count = min(rows, height - first)
                yield Step("upload", count * width)
                hash_of = value.textures[number].image_data.hash
                some = pixels[4 * width * first : 4 * width * (first + count)]
                if not self._atlas.upload_rows(hash_of, some, first, count):
                    break
            _lend(value.textures[number], None)
        value.uploaded = True
        value._image = None  # the pixels are in the atlas now

    def _announce(self, value: LoadedTexture) -> None:
        reference = weakref.ref(value, partial(self._died, value.id))
        self._known.setdefault(value.id, []).append(reference)
        for call in self._waiting.pop(value.id, ()):
            call()

    def _died(self, key: str, reference: weakref.ref[LoadedTexture]) -> None:
        left = [one for one in self._known.get(key, ()) if one is not reference]
        if left:
            self._known[key] = left
        else:
            self._known.pop(key, None)


class TextureWait:
    """Calls something once, when all of some textures are there.

    Args:
        store: Where they are announced.
        refs: Those that are not there yet.
        then: What is called.

    Main thread.
    """

    __slots__ = ("_left", "_refs", "_store", "_then")

    def __init__(
        self, store: TextureStore, refs: Sequence[TextureRef], then: Callable[[], None]
    ) -> None:
        self._store = store
        self._refs = tuple(refs)
        self._left = len(self._refs)
        self._then = then
        for ref in self._refs:
            store.when_announced(ref, self._arrived)

    def _arrived(self) -> None:
        self._left -= 1
        if not self._left and self._refs:  # what was stopped may still be called in this round
            self._refs = ()
            self._then()

    def stop(self) -> None:
        """Wait no more."""
        refs, self._refs = self._refs, ()
        for ref in refs:
            self._store.forget(ref, self._arrived)


def _lend(texture: Texture, picture: Callable[[], PIL.Image.Image] | None) -> None:
    """Have other atlases get a texture's pixels that are on their way to ours, or no more."""
    data = texture.image_data
    if isinstance(data, StoredImage):
        data.lent = picture


def _picture(image: LoadedImage, number: int) -> PIL.Image.Image:
    frame, border = image.frames[number], image.border
    size = frame.width + 2 * border, frame.height + 2 * border
    whole = PIL.Image.frombytes("RGBA", size, image.pixels(number))
    return whole.crop((border, border, border + frame.width, border + frame.height))
