"""`attach` adds the plugin to an Arcade window: loading, spawning, streaming and monitoring."""

from .attaching import attach
from .memory_report import MemoryReport
from .prefab_plugin import PrefabPlugin
from .window_frames import watch_frames

__all__ = ["MemoryReport", "PrefabPlugin", "attach", "watch_frames"]
