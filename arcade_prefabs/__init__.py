"""Prefabs and streaming worlds for Python Arcade that never stutter.

Drop RON files into ``assets/prefabs``, register your own components, `attach` the plugin to a
window, and spawn. What needs Arcade is imported when it is first asked for, for tools and worker
processes do without.

>>> from dataclasses import dataclass
>>> import arcade_prefabs
>>> @arcade_prefabs.component(name="DocsHealth")
... @dataclass
... class Health:
...     max: int
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    ArcadePrefabsError,
    AssetChangedError,
    AssetError,
    AssetTooLargeError,
    AtlasFullError,
    BakeCancelledError,
    DependencyError,
    LoadCancelledError,
    LoaderClosedError,
    LoadError,
    LoadTimeoutError,
    LocatedError,
    MissingAssetError,
    MissingPrefabError,
    PluginError,
    PrefabCycleError,
    PrefabError,
    ProcessorError,
    QueueFullError,
    RegistryError,
    RonError,
    SpawnError,
    StoreError,
    UnknownNameError,
    UnreadableAssetError,
    UnsafePathError,
    WrongThreadError,
)
from .prefab import ComponentRegistry, Prefab, Variant, component, default_registry

if TYPE_CHECKING:
    from .loading import Priority
    from .plugin import PrefabPlugin, attach
    from .spawning.entity import Entity, EntityState

__version__ = "0.1.0"

__all__ = [
    "ArcadePrefabsError",
    "AssetChangedError",
    "AssetError",
    "AssetTooLargeError",
    "AtlasFullError",
    "BakeCancelledError",
    "ComponentRegistry",
    "DependencyError",
    "Entity",
    "EntityState",
    "LoadCancelledError",
    "LoadError",
    "LoadTimeoutError",
    "LoaderClosedError",
    "LocatedError",
    "MissingAssetError",
    "MissingPrefabError",
    "PluginError",
    "Prefab",
    "PrefabCycleError",
    "PrefabError",
    "PrefabPlugin",
    "Priority",
    "ProcessorError",
    "QueueFullError",
    "RegistryError",
    "RonError",
    "SpawnError",
    "StoreError",
    "UnknownNameError",
    "UnreadableAssetError",
    "UnsafePathError",
    "Variant",
    "WrongThreadError",
    "attach",
    "component",
    "default_registry",
]

_LATER = {
    "Entity": "spawning.entity",
    "EntityState": "spawning.entity",
    "PrefabPlugin": "plugin",
    "Priority": "loading",
    "attach": "plugin",
}


def __getattr__(name: str) -> Any:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{module}", __name__), name)
