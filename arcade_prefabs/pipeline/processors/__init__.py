"""The processors that every pipeline has."""

from __future__ import annotations

from ...prefab import ComponentRegistry
from ..processor import Processor
from .prefab import PrefabProcessor

__all__ = ["PrefabProcessor", "builtin_processors"]


def builtin_processors(registry: ComponentRegistry | None = None) -> list[Processor]:
    """The built-in processors; of those that take a file, the last one gets it."""
    return [
        PrefabProcessor(registry),
    ]
