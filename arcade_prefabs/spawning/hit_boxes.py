"""`HitBoxes`: computes hit boxes while images are baked, instead of at every start of the game.

Arcade computes the hit box of each new texture in Python: 0.2 ms for 64×64 pixels, 46 ms for
1024×1024. The bake keeps the points that Arcade would find with the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ..errors import AssetError
from ..pipeline import ImageProcessor
from ..prefab.builtin import HitBoxAlgorithm

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["HitBoxes", "texture_processor"]

SETTING: Final = "hit_box"

# Pixels of a detailed hit box at most: Arcade reads each pixel in Python, 2 µs each.
_MOST_TRACED: Final = 2048 * 2048
# Pixel edges of outlines at most: Pymunk compares each piece of an outline with all open ones. A
# checkerboard with 97,536 edges takes 3 s, one with 294,144 takes 112 s.
_MOST_EDGES: Final = 50_000


class HitBoxes:
    """Computes the hit box of an image, in pixels from its center; a `Derivation`.

    The setting ``hit_box`` is ``simple``, as Arcade's textures have it, ``detailed`` or
    ``bounding_box``, see `HitBoxAlgorithm`.

    Any thread or process. Arcade is imported with the first hit box.
    """

    name = "hit_box"
    version = 1
    settings: Mapping[str, Any] = {SETTING: HitBoxAlgorithm.Simple.value}

    def __call__(self, image: Image, settings: Mapping[str, Any]) -> list[tuple[float, float]]:
        """Returns the points that `arcade.Texture` would compute.

        Raises:
            AssetError: There is no such algorithm, or it would take too long for this image.
        """
        wanted = settings[SETTING]
        known = [algorithm.value for algorithm in HitBoxAlgorithm]
        if wanted not in known:
            hint = f"there are {', '.join(known)}"
            raise AssetError(f"the setting `{SETTING}` is {wanted!r}, no hit box", hint=hint)
        from arcade import hitbox

        if wanted == HitBoxAlgorithm.Simple.value:
            return _simple(image)
        if wanted == HitBoxAlgorithm.BoundingBox.value:
            points = hitbox.algo_bounding_box.calculate(image)
        elif image.width * image.height > _MOST_TRACED:
            message = (
                f"a detailed hit box of {image.width:,}×{image.height:,} pixels takes too long"
            )
            hint = f"at most {_MOST_TRACED:,} pixels are traced: cut the image, or use `Simple`"
            raise AssetError(message, hint=hint)
        elif (edges := _edges(image)) > _MOST_EDGES:
            message = f"a detailed hit box of outlines {edges:,} pixels long takes too long"
            hint = (
                f"at most {_MOST_EDGES:,} are traced: fill the holes of the image, or use `Simple`"
            )
            raise AssetError(message, hint=hint)
        else:
            points = hitbox.algo_detailed.calculate(image)
        return [(float(point[0]), float(point[1])) for point in points]


def _edges(image: Image) -> int:
    """Returns how many pairs of neighbouring pixels are one transparent and one not."""
    from PIL import ImageChops

    opaque = image.getchannel("A").point(lambda alpha: 255 if alpha else 0)
    width, height = image.size
    edges = 0
    for right, down in ((1, 0), (0, 1)):
        here = opaque.crop((0, 0, width - right, height - down))
        there = opaque.crop((right, down, width, height))
        edges += ImageChops.difference(here, there).histogram()[255]
    return edges


def _simple(image: Image) -> list[tuple[float, float]]:
    """Returns what Arcade's `SimpleHitBoxAlgorithm` returns: the bounding box, corners cut.

    Arcade reads pixels one by one, in Python (arcade/hitbox/simple.py): up to 16 million times for
    a large image with two opposite corners, which takes 20 s. Here, bytes are stripped from whole
    rows.
    """
    alpha = image.getchannel("A")
    width, height = image.size
    box = alpha.getbbox()
    if box is None:
        left, top, right, bottom = 0, 0, width, height
        rows: list[bytes] = []
    else:
        left, top, right, bottom = box
        pixels = alpha.crop(box).tobytes()
        wide = right - left
        rows = [pixels[at : at + wide] for at in range(0, len(pixels), wide)]
    mirrored = [row[::-1] for row in rows]
    top_left, bottom_left = _corner(rows), _corner(rows[::-1])
    top_right, bottom_right = _corner(mirrored), _corner(mirrored[::-1])
    points = (
        (left, bottom - bottom_left),
        (left + bottom_left, bottom),
        (right - bottom_right, bottom),
        (right, bottom - bottom_right),
        (right, top + top_right),
        (right - top_right, top),
        (left + top_left, top),
        (left, top + top_left),
    )
    return list(dict.fromkeys((x - width / 2, height / 2 - y) for x, y in points))


def _corner(rows: list[bytes]) -> int:
    """Returns the pixels to cut off a corner, the one at which the rows begin."""
    nearest = len(rows)
    for number, row in enumerate(rows):
        if number >= nearest:
            break
        clear = row[: nearest - number]
        nearest = min(nearest, number + len(clear) - len(clear.lstrip(b"\0")))
    return nearest


def texture_processor() -> ImageProcessor:
    """Makes the image processor of the plugin: images with their hit boxes.

    Every pipeline that bakes for the plugin needs this processor; after a bake with another one,
    the next game bakes all images again.

    Example:
        >>> from arcade_prefabs.pipeline import AssetPipeline, MemorySource
        >>> with AssetPipeline(MemorySource(), processors=[texture_processor()]) as pipeline:
        ...     pipeline.bake().ok
        True
    """
    return ImageProcessor([HitBoxes()])
