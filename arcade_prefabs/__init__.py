"""Prefabs and streaming worlds for Python Arcade that never stutter.

Drop RON files into ``assets/prefabs``, register your own components, and spawn.

>>> from dataclasses import dataclass
>>> import arcade_prefabs
>>> @arcade_prefabs.component(name="DocsHealth")
... @dataclass
... class Health:
...     max: int
"""

from .errors import (
    ArcadePrefabsError,
    AssetChangedError,
    AssetError,
    AssetTooLargeError,
    BakeCancelledError,
    DependencyError,
    LoadCancelledError,
    LoaderClosedError,
    LoadError,
    LoadTimeoutError,
    LocatedError,
    MissingAssetError,
    MissingPrefabError,
    PrefabCycleError,
    PrefabError,
    ProcessorError,
    QueueFullError,
    RegistryError,
    RonError,
    StoreError,
    UnknownNameError,
    UnreadableAssetError,
    UnsafePathError,
)
from .prefab import ComponentRegistry, Prefab, Variant, component, default_registry

__version__ = "0.1.0"

__all__ = [
    "ArcadePrefabsError",
    "AssetChangedError",
    "AssetError",
    "AssetTooLargeError",
    "BakeCancelledError",
    "ComponentRegistry",
    "DependencyError",
    "LoadCancelledError",
    "LoadError",
    "LoadTimeoutError",
    "LoaderClosedError",
    "LocatedError",
    "MissingAssetError",
    "MissingPrefabError",
    "Prefab",
    "PrefabCycleError",
    "PrefabError",
    "ProcessorError",
    "QueueFullError",
    "RegistryError",
    "RonError",
    "StoreError",
    "UnknownNameError",
    "UnreadableAssetError",
    "UnsafePathError",
    "Variant",
    "component",
    "default_registry",
]
