"""`MemoryReport`: what the plugin keeps in memory, and what there is of things."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from ..spawning.atlas.installation import current_atlas
from ..spawning.spawn_runtime import SpawnRuntime
from ..streaming.planning.memory_budget import PART
from ..streaming.streaming_manager import StreamingManager

__all__ = ["MemoryReport", "report_memory", "resident_bytes"]

_PIXEL: Final = 4
# Bytes of an instance of one sprite: `python -m benchmarks spawning_many`.
_INSTANCE: Final = 100


class MemoryReport(NamedTuple):
    """Bytes by kind, and how many there are of what.

    Attributes:
        resident: Bytes of the whole process in memory; on macOS the most there ever were; 0 where
            the system does not tell.
        data: Bytes of loaded prefabs, images and cells, in the loader's cache or held.
        sprites: Bytes of entities and their sprites, 2,600 each by measurement, and of instances,
            100 each.
        atlas: Bytes of the texture atlas, on the graphics card.
        entities: Entities that are alive, instances included.
        instances: Those of them that are instances: drawn, without an object.
        parts: Their sprites, children included.
        sprite_lists: Lists of the plugin's own scene and of cells.
        handles: Assets that are loaded, in the cache or held.
        textures: OpenGL textures of the window that are alive.
        buffers: OpenGL buffers.
        vertex_arrays: OpenGL vertex arrays.
    """

    resident: int
    data: int
    sprites: int
    atlas: int
    entities: int
    instances: int
    parts: int
    sprite_lists: int
    handles: int
    textures: int
    buffers: int
    vertex_arrays: int

    def facts(self) -> dict[str, float]:
        """The same by name, for a `FrameReport`; bytes in MiB."""
        names = ("resident", "data", "sprites", "atlas")
        found = {f"{name}, MiB": round(getattr(self, name) / 2**20, 2) for name in names}
        found |= {name: value for name, value in self._asdict().items() if name not in names}
        return found


def report_memory(
    spawn_runtime: SpawnRuntime, context: Any, worlds: Iterable[StreamingManager], scene_lists: int
) -> MemoryReport:
    """Measure what a plugin keeps in memory now.

    Args:
        spawn_runtime: The plugin's loader and entities.
        context: The window's OpenGL context.
        worlds: Open worlds.
        scene_lists: Sprite lists of the plugin's own scene.

    Main thread.
    """
    cache = spawn_runtime.loader.statistics().cache
    stats = context.stats
    atlas = current_atlas(context)
    width, height = (0, 0) if atlas is None else atlas.size
    lists = scene_lists
    for world in worlds:
        lists += sum(len(live.lists.all()) for live in world.live_cells.values())
    parts = spawn_runtime.entities.sprite_count
    return MemoryReport(
        resident_bytes(),
        cache.bytes,
        parts * PART + spawn_runtime.entities.instances * _INSTANCE,
        width * height * _PIXEL,
        len(spawn_runtime.entities),
        spawn_runtime.entities.instances,
        parts,
        lists,
        cache.entries,
        stats.texture[0] - stats.texture[1],
        stats.buffer[0] - stats.buffer[1],
        stats.vertex_array[0] - stats.vertex_array[1],
    )


def resident_bytes() -> int:
    """Bytes of this process in memory; the most so far on macOS; 0 where nobody tells.

    Any thread.
    """
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - quicker, and no path
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
