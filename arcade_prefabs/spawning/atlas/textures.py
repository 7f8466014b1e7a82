"""`TextureStore`: makes textures of loaded images, and brings their pixels into the atlas in steps.

**The problem.** A loader thread reads and decompresses an image, but OpenGL works in the main
thread only, and an image of 1,024 pixels takes longer to upload than a frame has room for. Sprites
need an `arcade.Texture` before that.

**The way taken.** The loader thread makes the `Texture` from what the bake knows: hash, size and
hit box; its image has no pixels in memory (`StoredImage`). On the main thread, `TextureStore`
brings the pixels into the atlas in steps of at most 256 kB. A small image is written in one step.
For a large one, room is reserved and filled with the average color, the texture is announced, and
its rows follow, frame by frame: an entity appears at once, and is sharp some frames later. A spawn
that needs several textures waits with a `TextureWait`, and is called once.

**The ways rejected.** *Waiting until all pixels are uploaded*: entities with large images would
come late, and all at once. *A Pillow image per texture*: a second copy of everything in the atlas.
*A second OpenGL context in a thread*: drivers differ in what they share, and some fail silently.
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
# Images of up to so many pixels are written at once, and never show their average color: reserving
# room first would cost as much as writing them.
_SMALL: Final = 16_384


class TextureAtlas(Protocol):
    """What `TextureStore` needs of an atlas: `ReclaimingAtlas` or `StockAtlas`.

    Attributes:
        placeholders: Whether the atlas can show an image's average color before its pixels come.
    """

    @property
    def placeholders(self) -> bool:
        """Whether the atlas can show an image's average color before its pixels come."""
        ...

    def stored(self, hash: str, size: tuple[int, int], /) -> ImageData:  # noqa: A002
        """Returns the image of a texture whose pixels are in the atlas only. Any thread."""
        ...

    def reserve(self, texture: Texture, color: tuple[int, int, int, int], /) -> bool:
        """Adds a texture whose pixels come later; returns False if the atlas has them already."""
        ...

    def add_pixels(self, texture: Texture, pixels: bytes) -> object:
        """Adds a texture with its pixels, border included."""
        ...

    def upload_rows(self, hash: str, pixels: bytes, first: int, count: int, /) -> bool:  # noqa: A002
        """Writes some rows of a reserved image; returns False if the image is gone."""
        ...


class LoadedTexture:
    """The value of a loaded image: its textures, which sprites can show.

    Attributes:
        id: The image's full id, with its import settings.
        textures: The animation frames; one for most images.
        durations: Seconds that each frame of an animated image is shown; None for other images.
        uploaded: Whether all pixels are in the atlas; until then textures show their average color.

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
        """The first animation frame."""
        return self.textures[0]

    def flipped(self, flip: tuple[bool, bool]) -> tuple[Texture, ...]:
        """Returns the frames mirrored left to right, top to bottom, or both; makes each once."""
        if flip == (False, False):
            return self.textures
        known = self._flipped.get(flip)
        if known is None:
            known = self.textures
            if flip[0]:
                known = tuple(texture.flip_left_right() for texture in known)
            if flip[1]:
                known = tuple(texture.flip_top_bottom() for texture in known)
            self._flipped[flip] = known
        return known


class TextureStore:
    """Decodes images to textures on loader threads, and uploads them on the main thread.

    The loader calls `decode` and `activate` for each image.

    Args:
        atlas: The atlas that gets the pixels.

    Attributes:
        announced: Counts the textures that were announced: while it stays, `get` gives the same.

    Main thread, except for `decode`.
    """

    def __init__(self, atlas: TextureAtlas) -> None:
        self.announced = 0
        self._atlas = atlas
        self._decode: Decoder = builtin_decoders()["image"]
        # The living textures of each image, the newest one last. The loader may load an image a
        # second time, and drop the new texture if it is the same as the one before.
        self._known: dict[str, list[weakref.ref[LoadedTexture]]] = {}
        self._waiting: dict[str, list[Callable[[], None]]] = {}

    def get(self, ref: TextureRef) -> LoadedTexture | None:
        """Returns the texture of an image, if it has been announced; None otherwise."""
        known = self._known.get(ref.key)
        return None if known is None else known[-1]()

    def when_announced(self, ref: TextureRef, call: Callable[[], None]) -> None:
        """Calls a function once, when the texture of an image is announced."""
        self._waiting.setdefault(ref.key, []).append(call)

    def forget(self, ref: TextureRef, call: Callable[[], None]) -> None:
        """Takes a call of `when_announced` back; does nothing if the function was called."""
        calls = self._waiting.get(ref.key, [])
        if call in calls:
            calls.remove(call)
            if not calls:
                del self._waiting[ref.key]

    # ------------------------------------------------------------------------------- loader thread

    def decode(
        self, asset: BakedAsset, registry: ComponentRegistry
    ) -> Generator[DecodeProgress, None, DecodedAsset]:
        """Decodes an image, and makes its textures; a `Decoder`. Loader threads."""
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
        if not points:  # baked by a processor of the game
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
        """Adds an image's textures to the atlas, in steps; an `Activator`."""
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
                _lend(texture, partial(_image_of, image, number))
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
        self.announced += 1
        for call in self._waiting.pop(value.id, ()):
            call()

    def _died(self, key: str, reference: weakref.ref[LoadedTexture]) -> None:
        left = [known for known in self._known.get(key, ()) if known is not reference]
        if left:
            self._known[key] = left
        else:
            self._known.pop(key, None)


class TextureWait:
    """Calls a function once, when all of several textures are announced.

    Args:
        store: Announces the textures.
        refs: The textures that are missing.
        then: The function.

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
        if not self._left and self._refs:  # `stop` may be called while the store is calling
            self._refs = ()
            self._then()

    def stop(self) -> None:
        """Ends the wait without calling the function."""
        refs, self._refs = self._refs, ()
        for ref in refs:
            self._store.forget(ref, self._arrived)


def _lend(texture: Texture, make_image: Callable[[], PIL.Image.Image] | None) -> None:
    """Sets or removes the function that makes a texture's image while it is uploaded."""
    data = texture.image_data
    if isinstance(data, StoredImage):
        data.lent = make_image


def _image_of(image: LoadedImage, number: int) -> PIL.Image.Image:
    frame, border = image.frames[number], image.border
    size = frame.width + 2 * border, frame.height + 2 * border
    whole = PIL.Image.frombytes("RGBA", size, image.pixels(number))
    return whole.crop((border, border, border + frame.width, border + frame.height))
