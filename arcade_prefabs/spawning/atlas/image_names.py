"""Gives images and textures names that are unique in an atlas.

Arcade names an image by a hash of its bytes, without its shape: 8×2 and 2×8 pixels with the same
bytes share a name. And a game may give a texture any name with any image. Of two that share a name,
Arcade's atlas shows the first one's pixels for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from arcade import Texture
    from arcade.texture_atlas import AtlasRegion

__all__ = ["Corners", "settle_names"]

# The corner of an image that each corner of a texture shows: Arcade's flips and rotations.
Corners: TypeAlias = tuple[int, int, int, int]


def settle_names(
    texture: Texture, regions: Mapping[str, AtlasRegion], shown: Mapping[str, tuple[str, Corners]]
) -> None:
    """Renames a texture, or its image, if the atlas has another one of that name.

    An image whose hash is that of an image of another size gets its size appended to the hash.
    Other textures of the image are renamed when they are added. What the atlas has under the former
    names stays valid until the texture is gone.

    Args:
        texture: The texture to be added.
        regions: Where each image is in the atlas, by its hash.
        shown: The image's hash and the order of its corners, by the texture's name.

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
