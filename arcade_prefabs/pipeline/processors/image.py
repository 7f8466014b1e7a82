"""Bakes images: decodes them, cuts sheets into frames, and adds the border that atlases need.

The stored bytes can be uploaded to a texture atlas as they are. The hash of a frame is the one that
Arcade computes for an image, so that a texture of the game with the same pixels shares its area of
the atlas.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
from PIL import Image, ImageMath, ImageStat, UnidentifiedImageError
from PIL.Image import Resampling

from ...errors import AssetError, AssetTooLargeError, ProcessorError
from ..model.processor import PAGE_BYTES, Output, ProcessContext
from ..store.baked_assets import BakedAsset
from .gif import gif_extent

__all__ = ["Derivation", "ImageFrame", "ImageHead", "ImageProcessor", "read_image"]

# By default Pillow tries all formats that it knows, and some of them start other programs.
_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
# TGA has no signature at its beginning: Pillow would take other files for it.
_BY_SUFFIX: Final = ("TGA",)
_ANIMATED: Final = ("PNG", "GIF", "WEBP")  # not MPO, the JPEG of cameras with a preview behind it
_MAX_PIXELS: Final = 4096 * 4096
# The least bytes of a frame in the head, so that files with too many frames are refused before they
# are decoded.
_FRAME_BYTES: Final = 140
_MOST_FRAMES: Final = PAGE_BYTES // _FRAME_BYTES


class Derivation(Protocol):
    """Computes something from each frame during the bake, such as a hit box.

    Attributes:
        name: Its key in `ImageFrame.derived`.
        version: A number to increase whenever the same image would give another value.
        settings: Settings with their defaults, as JSON values; added to the processor's own.
    """

    @property
    def name(self) -> str:
        """Its key in `ImageFrame.derived`."""
        ...

    @property
    def version(self) -> int:
        """A number to increase whenever the same image would give another value."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings with their defaults, as JSON values."""
        ...

    def __call__(self, image: Image.Image, settings: Mapping[str, Any]) -> Any:
        """Returns a JSON value for an RGBA image without border, and the settings of its file.

        Raises:
            AssetError: A setting is invalid.
        """
        ...


class ImageFrame(msgspec.Struct, frozen=True):
    """One frame of an image.

    Attributes:
        width: Pixels, without the border.
        height: Pixels, without the border.
        hash: The SHA-256 of its RGBA bytes, as Arcade computes it for images.
        color: Average red, green and blue, weighted by opacity, and average alpha, each 0 to 255.
        at: Offset of its bytes, border included, in the data.
        size: The number of these bytes.
        duration: Seconds that an animated image shows the frame; None in other images.
        derived: The values of the derivations, by name.
    """

    width: int
    height: int
    hash: str
    color: tuple[int, int, int, int]
    at: int
    size: int
    duration: float | None = None
    derived: dict[str, Any] = {}


class ImageHead(msgspec.Struct, frozen=True):
    """The head of a baked image.

    Attributes:
        border: Pixels of border around each frame.
        frames: The frames; the data has the bytes of all of them.
    """

    border: int
    frames: tuple[ImageFrame, ...]


class ImageProcessor:
    """Bakes images, animated images and sprite sheets.

    Settings:

    * ``frame_size`` ([width, height]) cuts a sheet into frames, counted from the top left, row by
    row.
      ``columns`` is the number of frames in a row (default: as many as fit), ``first`` the index of
      the first frame, ``count`` the number of frames (default: all others). A strip is a sheet of
      one row.
    * ``border`` is the border in pixels; Arcade's own atlas has two.
    * ``max_pixels`` limits the pixels of an image, all frames together.

    Args:
        derive: Derivations to compute from each frame.

    Raises:
        ValueError: Two derivations, or one and the processor, have a setting of the same name.

    Any process.
    """

    name = "image"
    version = 2
    patterns = tuple(f"*.{one}" for one in ("png", "jpg", "jpeg", "gif", "webp", "bmp", "tga"))

    def __init__(self, derive: Sequence[Derivation] = ()) -> None:
        self._derive = tuple(derive)
        self.settings: Mapping[str, Any] = {
            "border": 2,
            "max_pixels": _MAX_PIXELS,
            "frame_size": None,
            "columns": None,
            "count": None,
            "first": 0,
            "derive": {one.name: one.version for one in self._derive},
        }
        for one in self._derive:
            taken = self.settings.keys() & one.settings.keys()
            if taken:
                raise ValueError(f"`{one.name}` has a setting {min(taken)!r}, and so has another")
            self.settings = {**self.settings, **one.settings}

    def process(self, context: ProcessContext) -> Iterator[Output]:
        """Yields one output: the frames in the head, their bytes as data."""
        border = _whole(context, "border", least=0, most=64)
        frames: list[ImageFrame] = []
        data = bytearray()
        known: dict[str, ImageFrame] = {}
        for image, duration in _frames(context):
            pixels = image.tobytes()
            name = hashlib.sha256(pixels).hexdigest()
            frame = known.get(name)
            if frame is None:
                bordered = _bordered(image, border)
                frame = known[name] = ImageFrame(
                    width=image.width,
                    height=image.height,
                    hash=name,
                    color=_average(image),
                    at=len(data),
                    size=len(bordered),
                    derived={one.name: _derived(context, one, image) for one in self._derive},
                )
                data += bordered
            frames.append(msgspec.structs.replace(frame, duration=duration))
        head = msgspec.to_builtins(ImageHead(border, tuple(frames)))
        try:
            yield context.output(head, data=data, kind="image")
        except AssetTooLargeError as error:
            raise _too_many(context, len(frames)) from error


def _derived(context: ProcessContext, derivation: Derivation, image: Image.Image) -> Any:
    try:
        # A copy, because the derivation may change the pixels.
        return msgspec.to_builtins(derivation(image.copy(), context.settings))
    except AssetError as error:
        raise context.error(error.message, hint=error.hint) from error
    except Exception as error:
        message = f"the derivation `{derivation.name}` failed: {type(error).__name__}: {error}"
        raise ProcessorError(message, path=context.shown) from error


def _too_many(context: ProcessContext, count: int) -> AssetTooLargeError:
    message = f"the image has {count:,} frames, more than fit into the head of an asset"
    hint = f"at most about {_MOST_FRAMES:,} fit, fewer with derived data: cut it into several files"
    return AssetTooLargeError(message, path=context.shown, hint=hint)


def read_image(asset: BakedAsset) -> ImageHead:
    """Returns the head of a baked image; the bytes of its frames are in ``asset.data()``.

    Raises:
        AssetError: The asset is no image.

    Any thread.
    """
    if asset.kind != "image":
        raise AssetError(f"this was baked to {asset.kind}, not to an image", path=asset.id)
    return msgspec.json.decode(asset.first, type=ImageHead)


def _frames(context: ProcessContext) -> Iterator[tuple[Image.Image, float | None]]:
    """Yields the RGBA frames of an image, and the seconds that each is shown."""
    limit = _whole(context, "max_pixels", least=1)
    image = _opened(context, limit)
    if context.settings["frame_size"] is not None:
        yield from ((frame, None) for frame in _cut(context, _decoded(context, image)))
        return
    count = _frame_count(context, image)
    if count > _MOST_FRAMES:
        raise _too_many(context, count)
    if count * image.width * image.height > limit:
        size = f"{count:,} frames of {image.width:,}×{image.height:,} pixels"
        raise _too_large(context, f"the image has {size}", limit)
    # The default image of an animated PNG, for programs without animations, may be no frame.
    first = 1 if count > 1 and image.info.get("default_image") else 0
    for number in range(first, count):
        frame = _decoded(context, image, number)
        milliseconds = image.info.get("duration") if count > 1 else None
        yield frame, round(milliseconds / 1000, 6) if milliseconds else None


def _opened(context: ProcessContext, limit: int) -> Image.Image:
    """Returns the image, opened but not decoded."""
    gif = gif_extent(context.data, _MOST_FRAMES)
    if gif is not None:
        _refuse_large(context, gif[:2], limit)
        if gif.frames > _MOST_FRAMES and context.settings["frame_size"] is None:
            raise _too_many(context, gif.frames)
    by_suffix: tuple[str, ...] = _BY_SUFFIX if context.path.lower().endswith(".tga") else ()
    try:
        # `open` reads only the header.
        image = Image.open(io.BytesIO(context.data), formats=(*_FORMATS, *by_suffix))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        found = re.search(r"[0-9]+", str(error))
        pixels = f"{int(found.group()):,}" if found else "too many"
        raise _too_large(context, f"the image has {pixels} pixels", limit) from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            *others, last = (*_FORMATS, *by_suffix)
            reason = f"it is no {', '.join(others)} or {last}, or damaged"
        raise context.error(f"the image cannot be read: {reason}") from error
    if image.width < 1 or image.height < 1:
        raise context.error("the image has no pixels")
    _refuse_large(context, image.size, limit)
    return image


def _refuse_large(context: ProcessContext, size: tuple[int, int], limit: int) -> None:
    if size[0] * size[1] > limit:
        raise _too_large(context, f"the image has {size[0]:,}×{size[1]:,} pixels", limit)


def _too_large(context: ProcessContext, what: str, limit: int) -> AssetTooLargeError:
    hint = "cut it into smaller ones, or raise `max_pixels`"
    return AssetTooLargeError(f"{what}, over {limit:,} in all", path=context.shown, hint=hint)


def _frame_count(context: ProcessContext, image: Image.Image) -> int:
    if image.format not in _ANIMATED:
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception as error:  # `n_frames` reads the whole file, which may be damaged
        raise context.error(f"the image is damaged: {type(error).__name__}: {error}") from error


def _decoded(context: ProcessContext, image: Image.Image, number: int = 0) -> Image.Image:
    try:
        if number:
            image.seek(number)
        return _rgba(image)
    except Exception as error:
        message = f"the image cannot be decoded: {type(error).__name__}: {error}"
        raise context.error(message, hint="is the file complete?") from error


def _rgba(image: Image.Image) -> Image.Image:
    """Returns an image as RGBA, converted as Arcade converts images."""
    if image.mode == "RGBA":
        return image.copy()
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image.convert("RGBA")
    # Pillow would clip 16-bit greys at 255. They keep their upper byte, as 16-bit colors do.
    wide = image.convert("I")
    grey = ImageMath.lambda_eval(lambda one: one["wide"] >> 8, wide=wide).convert("L")
    alpha = Image.new("L", image.size, 255)
    clear = image.info.get("transparency")
    if isinstance(clear, int):  # the shade of grey that is transparent in this PNG
        opaque = ImageMath.lambda_eval(lambda one: (one["wide"] != clear) * 255, wide=wide)
        alpha = opaque.convert("L")
    return Image.merge("RGBA", (grey, grey, grey, alpha))


def _cut(context: ProcessContext, image: Image.Image) -> Iterator[Image.Image]:
    """Yields the frames of a sprite sheet."""
    size = context.settings["frame_size"]
    if not (isinstance(size, list | tuple) and len(size) == 2 and all(_is_whole(n) for n in size)):
        raise context.error(f"frame_size must be [width, height] in pixels, got {size!r}")
    width, height = size
    across, down = image.width // width, image.height // height
    columns = across if context.settings["columns"] is None else _whole(context, "columns")
    if columns > across or not across or not down:
        message = (
            f"{columns or 1} columns of {width}×{height} pixels do not fit into an image of "
            f"{image.width}×{image.height}"
        )
        raise context.error(message, hint=f"{across} columns and {down} rows would fit")
    first = _whole(context, "first", least=0)
    there = columns * down
    count = there - first if context.settings["count"] is None else _whole(context, "count")
    if count < 1 or first + count > there:
        message = f"frames {first} to {first + count - 1} are asked for, and there are {there}"
        raise context.error(message, hint=f"{columns} columns and {down} rows, counted from 0")
    if count > _MOST_FRAMES:
        raise _too_many(context, count)
    for number in range(first, first + count):
        left, top = number % columns * width, number // columns * height
        yield image.crop((left, top, left + width, top + height))


def _is_whole(value: object, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _whole(context: ProcessContext, name: str, *, least: int = 1, most: int | None = None) -> int:
    value = context.settings[name]
    if not _is_whole(value, least) or (most is not None and value > most):
        limits = f"from {least}" + (f" to {most}" if most is not None else " on")
        raise context.error(f"the setting `{name}` must be a whole number {limits}, got {value!r}")
    return int(value)


def _bordered(image: Image.Image, border: int) -> bytes:
    """Returns the RGBA bytes with a border that repeats the outermost pixels; corners are clear.

    The same as `arcade.DefaultTextureAtlas.write_image`, arcade/texture_atlas/atlas_default.py.
    """
    if not border:
        return image.tobytes()
    width, height = image.size
    whole = Image.new("RGBA", (width + 2 * border, height + 2 * border), (0, 0, 0, 0))
    whole.paste(image, (border, border))
    for box, size, corner in (
        ((0, 0, width, 1), (width, border), (border, 0)),
        ((0, height - 1, width, height), (width, border), (border, height + border)),
        ((0, 0, 1, height), (border, height), (0, border)),
        ((width - 1, 0, width, height), (border, height), (width + border, border)),
    ):
        whole.paste(image.crop(box).resize(size, Resampling.NEAREST), corner)
    return whole.tobytes()


def _average(image: Image.Image) -> tuple[int, int, int, int]:
    *colors, alpha = image.split()
    if alpha.getextrema() == (255, 255):
        red, green, blue = (round(mean) for mean in ImageStat.Stat(image).mean[:3])
        return (red, green, blue, 255)
    opacity = ImageStat.Stat(alpha).mean[0]
    if not opacity:
        return (0, 0, 0, 0)
    # In floats, because in bytes the colors of nearly transparent pixels would be rounded away.
    weights = alpha.convert("F")
    red, green, blue = (round(_mean(color, weights) / opacity) for color in colors)
    return (red, green, blue, round(opacity))


def _mean(color: Image.Image, weights: Image.Image) -> float:
    """Returns the mean of a channel multiplied by weights."""
    weighted = ImageMath.lambda_eval(
        lambda one: one["color"] * one["weights"], color=color.convert("F"), weights=weights
    )
    return float(weighted.resize((1, 1), Resampling.BOX).getpixel((0, 0)))
