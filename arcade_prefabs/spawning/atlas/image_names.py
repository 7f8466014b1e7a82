"""Names in an atlas: one for each image, however many there are with the same hash.

Arcade's hash of an image does not know its shape: 8×2 and 2×8 pixels with the same bytes have the
same one. And a texture may be given any name, with any image. In Arcade's own atlas, the second of
two that share a name shows the pixels of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from arcade import Texture
    from arcade.texture_atlas import AtlasRegion

__all__ = ["Corners", "settle_names"]

# Which corner of an image each corner of a texture shows: Arcade's flips and rotations.
Corners: TypeAlias = tuple[int, int, int, int]


def settle_names(
    texture: Texture, regions: Mapping[str, AtlasRegion], shown: Mapping[str, tuple[str, Corners]]
) -> None:
    """Give a texture other names where those that it has stand for something else.

    An image whose hash is that of one of another size gets its size appended to it. The textures
    that share the image follow, each when it is added. What an atlas noted about a texture under
    its former names stays valid until the texture goes.

    Args:
        texture: The one to be added.
        regions: Of each image's hash, where it is in the atlas.
        shown: Of each texture's name, its image's hash and the order of its corners.

    Main thread.
    """
    data = texture.image_data
    size = data.size
    region = regions.get(data.hash)
    if region is not None and (region.width, region.height) != size:
        data.hash = f"{data.hash}|{size[0]}x{size[1]}"
    own = texture._hash
    if own is None:
        if not texture.atlas_name.startswith(data.hash):
            texture._update_cache_names()  # type: ignore[no-untyped-call]
    elif data.hash == f"{own}|{size[0]}x{size[1]}":
        _rename(texture, data.hash)
    known = shown.get(texture.atlas_name)
    if known is not None and known[0] != data.hash:
        _rename(texture, f"{own or data.hash}|{data.hash}")


def _rename(texture: Texture, name: str) -> None:
    texture._hash = name
    texture._update_cache_names()  # type: ignore[no-untyped-call]
