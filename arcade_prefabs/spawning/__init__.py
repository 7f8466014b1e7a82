"""From prefabs to sprites: textures, the atlas, the entity factory.

Everything that touches Arcade stands here. Names are imported when they are first asked for: tools
and worker processes need some of them, and not Arcade itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .allocator import Place, ShelfAllocator
    from .arcade_private import current_atlas, install_atlas, restore_atlas
    from .atlas import AtlasStatistics, ReclaimingAtlas
    from .hit_boxes import texture_processor
    from .stored_image import StoredImage
    from .threads import ThreadGuard

__all__ = [
    "AtlasStatistics",
    "Place",
    "ReclaimingAtlas",
    "ShelfAllocator",
    "StoredImage",
    "ThreadGuard",
    "current_atlas",
    "install_atlas",
    "restore_atlas",
    "texture_processor",
]

_MODULES = {
    "AtlasStatistics": "atlas",
    "Place": "allocator",
    "ReclaimingAtlas": "atlas",
    "ShelfAllocator": "allocator",
    "StoredImage": "stored_image",
    "ThreadGuard": "threads",
    "texture_processor": "hit_boxes",
    "current_atlas": "arcade_private",
    "install_atlas": "arcade_private",
    "restore_atlas": "arcade_private",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{module}", __name__), name)
