"""Turns prefabs into sprites: textures, the texture atlas, the entity factory.

The names below are imported on first use: tools and worker processes need some of them, and must
not import Arcade.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .atlas.allocator import AtlasRect, ShelfAllocator
    from .atlas.installation import current_atlas, install_atlas, restore_atlas
    from .atlas.reclaiming_atlas import AtlasStatistics, ReclaimingAtlas
    from .atlas.stored_image import StoredImage
    from .hit_boxes import texture_processor

__all__ = [
    "AtlasRect",
    "AtlasStatistics",
    "ReclaimingAtlas",
    "ShelfAllocator",
    "StoredImage",
    "current_atlas",
    "install_atlas",
    "restore_atlas",
    "texture_processor",
]

_MODULES = {
    "AtlasRect": "atlas.allocator",
    "AtlasStatistics": "atlas.reclaiming_atlas",
    "ReclaimingAtlas": "atlas.reclaiming_atlas",
    "ShelfAllocator": "atlas.allocator",
    "StoredImage": "atlas.stored_image",
    "texture_processor": "hit_boxes",
    "current_atlas": "atlas.installation",
    "install_atlas": "atlas.installation",
    "restore_atlas": "atlas.installation",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{module}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
