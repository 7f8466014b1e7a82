"""Fakes for tests of games: a virtual clock, assets in memory, loading without threads.

With a `VirtualClock` and an `InlineExecutor`, loading is deterministic: the same calls give the
same events in the same order. `GatedAssets` block a load until the test opens a gate, for tests
with real threads that must not sleep. `assert_fps` plays a game in real time, and raises an error
if it does not hold its frame rate.

Example:
    >>> from arcade_prefabs.loading import AsyncPrefabLoader
    >>> from arcade_prefabs.prefab import Prefab
    >>> clock, executor = VirtualClock(), InlineExecutor()
    >>> assets = MemoryAssets({"prefabs/rock.ron": Prefab("prefabs/rock.ron", {})})
    >>> with AsyncPrefabLoader(assets, clock=clock, executor=executor) as loader:
    ...     log = EventLog(loader)
    ...     handle = loader.load("rock")
    ...     _ = executor.run()
    ...     _ = loader.drain()
    >>> [event.kind for event in log]
    ['requested', 'loaded', 'ready']
"""

from .assets import FlakyAssets, GatedAssets, MemoryAssets, SlowAssets, baked
from .drive import EventLog, InlineExecutor, VirtualClock, play_frames
from .frames import assert_fps, play_window

__all__ = [
    "EventLog",
    "FlakyAssets",
    "GatedAssets",
    "InlineExecutor",
    "MemoryAssets",
    "SlowAssets",
    "VirtualClock",
    "assert_fps",
    "baked",
    "play_frames",
    "play_window",
]
