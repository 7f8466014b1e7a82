"""Loads assets in background threads, without late frames.

`AsyncPrefabLoader` reads and decodes in loader threads, which run while the game waits for its
next frame. Results are committed by jobs of the `MainThreadQueue` of `arcade_prefabs.frames`,
within the budget of a frame.
"""

from .asset_names import asset_id
from .loader import AsyncPrefabLoader
from .requests.asset_record import LoadState, TreeState
from .requests.batch import Batch
from .requests.cache import CacheStatistics
from .requests.events import LoadEvent
from .requests.handle import Handle
from .requests.priority import Priority
from .settings import LoaderSettings, LoaderStatistics
from .workers.decoders import (
    AssetDependency,
    DecodedAsset,
    DecodeProgress,
    Decoder,
    LoadedCell,
    LoadedImage,
    footprint,
)
from .workers.executor import Executor, ThreadExecutor, default_threads
from .workers.main_thread_commit import Activator
from .workers.worker import AssetReader

__all__ = [
    "Activator",
    "AssetDependency",
    "AssetReader",
    "AsyncPrefabLoader",
    "Batch",
    "CacheStatistics",
    "DecodeProgress",
    "DecodedAsset",
    "Decoder",
    "Executor",
    "Handle",
    "LoadEvent",
    "LoadState",
    "LoadedCell",
    "LoadedImage",
    "LoaderSettings",
    "LoaderStatistics",
    "Priority",
    "ThreadExecutor",
    "TreeState",
    "asset_id",
    "default_threads",
    "footprint",
]
