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
    ArrivalError,
    ArrivalTimeoutError,
    AssetChangedError,
    AssetError,
    AssetTooLargeError,
    AtlasFullError,
    BakeCancelledError,
    DependencyError,
    FrameRateError,
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
    SaveError,
    SpawnError,
    StoreError,
    StreamingError,
    UnknownNameError,
    UnreadableAssetError,
    UnsafePathError,
    WrongThreadError,
)
from .prefab import ComponentRegistry, Prefab, Variant, component, default_registry

if TYPE_CHECKING:
    from .loading import Priority
    from .monitor import Frame, FrameMonitor, FrameReport, Hitch, HitchCause
    from .monitor.frame_graph import FrameGraph
    from .pipeline import Cell, WorldEntity
    from .plugin import MemoryReport, PrefabPlugin, attach, watch_frames
    from .spawning.entities.entity import AuthoredPlace, Entity, EntityState
    from .streaming.cells.cell_providers import CellSource
    from .streaming.cells.live_cell import RegionEvent, RegionState
    from .streaming.planning.health import Health
    from .streaming.planning.preload_request import Arrival
    from .streaming.planning.streaming_sources import StreamingSource
    from .streaming.settings import Policy, StreamingSettings
    from .streaming.streaming_manager import StreamingManager

__version__ = "0.1.0"

__all__ = [
    "ArcadePrefabsError",
    "Arrival",
    "ArrivalError",
    "ArrivalTimeoutError",
    "AssetChangedError",
    "AssetError",
    "AssetTooLargeError",
    "AtlasFullError",
    "AuthoredPlace",
    "BakeCancelledError",
    "Cell",
    "CellSource",
    "ComponentRegistry",
    "DependencyError",
    "Entity",
    "EntityState",
    "Frame",
    "FrameGraph",
    "FrameMonitor",
    "FrameRateError",
    "FrameReport",
    "Health",
    "Hitch",
    "HitchCause",
    "LoadCancelledError",
    "LoadError",
    "LoadTimeoutError",
    "LoaderClosedError",
    "LocatedError",
    "MemoryReport",
    "MissingAssetError",
    "MissingPrefabError",
    "PluginError",
    "Policy",
    "Prefab",
    "PrefabCycleError",
    "PrefabError",
    "PrefabPlugin",
    "Priority",
    "ProcessorError",
    "QueueFullError",
    "RegionEvent",
    "RegionState",
    "RegistryError",
    "RonError",
    "SaveError",
    "SpawnError",
    "StoreError",
    "StreamingError",
    "StreamingManager",
    "StreamingSettings",
    "StreamingSource",
    "UnknownNameError",
    "UnreadableAssetError",
    "UnsafePathError",
    "Variant",
    "WorldEntity",
    "WrongThreadError",
    "attach",
    "component",
    "default_registry",
    "watch_frames",
]

_LATER = {
    "Arrival": "streaming.planning.preload_request",
    "AuthoredPlace": "spawning.entities.entity",
    "Cell": "pipeline",
    "CellSource": "streaming.cells.cell_providers",
    "Entity": "spawning.entities.entity",
    "EntityState": "spawning.entities.entity",
    "Frame": "monitor",
    "FrameGraph": "monitor.frame_graph",
    "FrameMonitor": "monitor",
    "FrameReport": "monitor",
    "Health": "streaming.planning.health",
    "Hitch": "monitor",
    "HitchCause": "monitor",
    "MemoryReport": "plugin",
    "Policy": "streaming.settings",
    "PrefabPlugin": "plugin",
    "Priority": "loading",
    "RegionEvent": "streaming.cells.live_cell",
    "RegionState": "streaming.cells.live_cell",
    "StreamingManager": "streaming.streaming_manager",
    "StreamingSettings": "streaming.settings",
    "StreamingSource": "streaming.planning.streaming_sources",
    "WorldEntity": "pipeline",
    "attach": "plugin",
    "watch_frames": "plugin",
}


def __getattr__(name: str) -> Any:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{module}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
