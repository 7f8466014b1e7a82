"""The built-in processors: prefabs, worlds, images, JSON, and files that are stored as they are."""

from __future__ import annotations

from ...prefab import ComponentRegistry
from ..model.processor import Processor
from .image import Derivation, ImageFrame, ImageHead, ImageProcessor, read_image
from .plain import JsonProcessor, RawProcessor, read_data, read_json
from .prefab import PrefabProcessor
from .world import (
    WorldEntity,
    WorldHead,
    WorldProcessor,
    read_cell,
    read_world,
)
from .world_cells import ALWAYS_LOADED, CellIndex, GridCell
from .world_document import world_id

__all__ = [
    "ALWAYS_LOADED",
    "CellIndex",
    "Derivation",
    "GridCell",
    "ImageFrame",
    "ImageHead",
    "ImageProcessor",
    "JsonProcessor",
    "PrefabProcessor",
    "RawProcessor",
    "WorldEntity",
    "WorldHead",
    "WorldProcessor",
    "builtin_processors",
    "read_cell",
    "read_data",
    "read_image",
    "read_json",
    "read_world",
    "world_id",
]


def builtin_processors(registry: ComponentRegistry | None = None) -> list[Processor]:
    """Returns the built-in processors; of several that match a file, the last one takes it."""
    return [
        RawProcessor(),
        JsonProcessor(),
        ImageProcessor(),
        WorldProcessor(registry),
        PrefabProcessor(registry),
    ]
