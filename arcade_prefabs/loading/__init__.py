"""Asynchronous loading: ask for assets now, have them later, miss no frame.

`AsyncPrefabLoader` reads and decodes in threads that work while the game waits for its next
frame. What arrives goes through the `MainThreadQueue`, within the budget of a frame.
"""

from .batch import Batch
from .budget import FrameBudget
from .cache import CacheStatistics, PrefabCache
from .costs import CostModel
from .decoders import Decoder, Loaded, LoadedCell, LoadedImage, Need, Partial, footprint
from .entry import LoadState, TreeState
from .events import LoadEvent
from .executor import Executor, ThreadExecutor, default_threads
from .garbage import GarbageManners, Pause
from .gate import GilHold, IdleGate
from .handle import ChildrenArrived, Handle
from .landing import Activator
from .loader import AsyncPrefabLoader
from .main_queue import NEXT_FRAME, Job, MainThreadQueue, Step
from .names import asset_id
from .priority import Priority, PrioritySystem, Waiting
from .reports import DrainReport
from .scripts import Script, next_frame, sleep
from .settings import LoaderSettings, LoaderStatistics
from .worker import AssetReader

__all__ = [
    "NEXT_FRAME",
    "Activator",
    "AssetReader",
    "AsyncPrefabLoader",
    "Batch",
    "CacheStatistics",
    "ChildrenArrived",
    "CostModel",
    "Decoder",
    "DrainReport",
    "Executor",
    "FrameBudget",
    "GarbageManners",
    "GilHold",
    "Handle",
    "IdleGate",
    "Job",
    "LoadEvent",
    "LoadState",
    "Loaded",
    "LoadedCell",
    "LoadedImage",
    "LoaderSettings",
    "LoaderStatistics",
    "MainThreadQueue",
    "Need",
    "Partial",
    "Pause",
    "PrefabCache",
    "Priority",
    "PrioritySystem",
    "Script",
    "Step",
    "ThreadExecutor",
    "TreeState",
    "Waiting",
    "asset_id",
    "default_threads",
    "footprint",
    "next_frame",
    "sleep",
]
