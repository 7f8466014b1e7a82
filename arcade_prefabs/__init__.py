"""Prefabs and streaming worlds for Python Arcade that never stutter.

Drop RON files into ``assets/prefabs``, register your own components, `attach` the plugin to a
window, and spawn. Names that need Arcade are imported at their first use, so that tools and worker
processes run without Arcade.

>>> from dataclasses import dataclass
>>> import arcade_prefabs
>>> @arcade_prefabs.component(name="DocsHealth")
... @dataclass
... class Health:
...     max: int
"""

from __future__ import annotations

import sys
import warnings
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
    PreloadError,
    PreloadTimeoutError,
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
    from .monitor import FrameMonitor, FrameRecord, FrameReport, Hitch, HitchCause
    from .monitor.frame_graph import FrameGraph
    from .pipeline import GridCell, WorldEntity
    from .plugin import MemoryReport, PrefabPlugin, attach, watch_frames
    from .spawning.entities.animation import SpriteAnimation
    from .spawning.entities.entity import AuthoredTransform, Entity, EntityState
    from .spawning.entities.entity_index import EntityIndex
    from .spawning.instances.instance_group import InstanceGroup
    from .spawning.walls import SpriteLists, Walls
    from .streaming.cells.cell_providers import CellSource
    from .streaming.cells.live_cell import CellEvent, CellState, CellStatus
    from .streaming.overlay import StreamingOverlay
    from .streaming.planning.health import StreamingHealth
    from .streaming.planning.preload_request import PreloadRequest
    from .streaming.planning.streaming_sources import StreamingSource
    from .streaming.population.residents import StreamingFailure
    from .streaming.saves.change_journal import SaveRequest
    from .streaming.settings import StreamingOptions, StreamingPolicy, StreamingSettings
    from .streaming.streaming_manager import StreamingManager, StreamingStatistics


__version__ = "0.1.0"

__all__ = [
    "ArcadePrefabsError",
    "AssetChangedError",
    "AssetError",
    "AssetTooLargeError",
    "AtlasFullError",
    "AuthoredTransform",
    "BakeCancelledError",
    "CellEvent",
    "CellSource",
    "CellState",
    "CellStatus",
    "ComponentRegistry",
    "DependencyError",
    "Entity",
    "EntityIndex",
    "EntityState",
    "FrameGraph",
    "FrameMonitor",
    "FrameRateError",
    "FrameRecord",
    "FrameReport",
    "GridCell",
    "Hitch",
    "HitchCause",
    "InstanceGroup",
    "LoadCancelledError",
    "LoadError",
    "LoadTimeoutError",
    "LoaderClosedError",
    "LocatedError",
    "MemoryReport",
    "MissingAssetError",
    "MissingPrefabError",
    "PluginError",
    "Prefab",
    "PrefabCycleError",
    "PrefabError",
    "PrefabPlugin",
    "PreloadError",
    "PreloadRequest",
    "PreloadTimeoutError",
    "Priority",
    "ProcessorError",
    "QueueFullError",
    "RegistryError",
    "RonError",
    "SaveError",
    "SaveRequest",
    "SpawnError",
    "SpriteAnimation",
    "SpriteLists",
    "StoreError",
    "StreamingError",
    "StreamingFailure",
    "StreamingHealth",
    "StreamingManager",
    "StreamingOptions",
    "StreamingOverlay",
    "StreamingPolicy",
    "StreamingSettings",
    "StreamingSource",
    "StreamingStatistics",
    "UnknownNameError",
    "UnreadableAssetError",
    "UnsafePathError",
    "Variant",
    "Walls",
    "WorldEntity",
    "WrongThreadError",
    "attach",
    "component",
    "default_registry",
    "watch_frames",
]

# Public names that are imported at their first use, by their modules below this package.
_LATER = {
    "AuthoredTransform": "spawning.entities.entity",
    "CellEvent": "streaming.cells.live_cell",
    "CellSource": "streaming.cells.cell_providers",
    "CellState": "streaming.cells.live_cell",
    "CellStatus": "streaming.cells.live_cell",
    "Entity": "spawning.entities.entity",
    "EntityIndex": "spawning.entities.entity_index",
    "EntityState": "spawning.entities.entity",
    "FrameGraph": "monitor.frame_graph",
    "FrameMonitor": "monitor",
    "FrameRecord": "monitor",
    "FrameReport": "monitor",
    "GridCell": "pipeline",
    "Hitch": "monitor",
    "HitchCause": "monitor",
    "InstanceGroup": "spawning.instances.instance_group",
    "MemoryReport": "plugin",
    "PrefabPlugin": "plugin",
    "PreloadRequest": "streaming.planning.preload_request",
    "Priority": "loading",
    "SaveRequest": "streaming.saves.change_journal",
    "SpriteAnimation": "spawning.entities.animation",
    "SpriteLists": "spawning.walls",
    "StreamingFailure": "streaming.population.residents",
    "StreamingHealth": "streaming.planning.health",
    "StreamingManager": "streaming.streaming_manager",
    "StreamingOptions": "streaming.settings",
    "StreamingOverlay": "streaming.overlay",
    "StreamingPolicy": "streaming.settings",
    "StreamingSettings": "streaming.settings",
    "StreamingSource": "streaming.planning.streaming_sources",
    "StreamingStatistics": "streaming.streaming_manager",
    "Walls": "spawning.walls",
    "WorldEntity": "pipeline",
    "attach": "plugin",
    "watch_frames": "plugin",
}


# Former names, with the present ones; they work until 1.0, with a warning.
_RENAMED = {
    "Arrival": "PreloadRequest",
    "ArrivalError": "PreloadError",
    "ArrivalTimeoutError": "PreloadTimeoutError",
    "AuthoredPlace": "AuthoredTransform",
    "Cell": "GridCell",
    "Frame": "FrameRecord",
    "Health": "StreamingHealth",
    "Policy": "StreamingPolicy",
    "RegionEvent": "CellEvent",
    "RegionState": "CellState",
}


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        new = _RENAMED[name]
        warnings.warn(
            f"arcade_prefabs.{name} is named {new} now; the old name goes with version 1.0",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(sys.modules[__name__], new)
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{module}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
