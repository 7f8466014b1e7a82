"""`MemoryReport`: the memory of the plugin, and the numbers of its objects."""

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
    """Bytes of memory by kind, and numbers of objects.

    Attributes:
        resident: Bytes of the whole process in memory; on macOS the most so far; 0 on systems that
            do not report it.
        data: Bytes of loaded assets: prefabs, images and cells, held or in the loader's cache.
        sprites: Bytes of entities and their sprites, estimated as 2,600 for each sprite, and of
            instances, estimated as 100 for each.
        atlas: Bytes of the texture atlas, on the graphics card.
        entities: The number of living entities, instances included.
        instances: The number of instances among them: drawn, without a Python object.
        parts: The number of sprites of entities, those of children included.
        sprite_lists: The number of sprite lists of the plugin's own scene and of cells.
        handles: The number of loaded assets, held or in the loader's cache.
        textures: The number of OpenGL textures of the window.
        buffers: The number of OpenGL buffers of the window.
        vertex_arrays: The number of OpenGL vertex arrays of the window.
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
        """Returns the numbers by name, with bytes in MiB, for `FrameReport.facts`."""
        in_bytes = ("resident", "data", "sprites", "atlas")
        facts = {f"{name}, MiB": round(getattr(self, name) / 2**20, 2) for name in in_bytes}
        facts |= {name: value for name, value in self._asdict().items() if name not in in_bytes}
        return facts


def report_memory(
    spawn_runtime: SpawnRuntime, context: Any, worlds: Iterable[StreamingManager], scene_lists: int
) -> MemoryReport:
    """Measures the memory and counts the objects of a plugin.

    Args:
        spawn_runtime: The plugin's loader and entities.
        context: The window's OpenGL context.
        worlds: The open worlds.
        scene_lists: The number of sprite lists of the plugin's own scene.

    Main thread.
    """
    cache = spawn_runtime.loader.statistics().cache
    stats = context.stats
    atlas = current_atlas(context)
    width, height = (0, 0) if atlas is None else atlas.size
    lists = scene_lists
    for world in worlds:
        lists += sum(cell.sprite_lists for cell in world.live_cells.values())
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
    """Returns the bytes of this process in memory; on macOS the most so far; 0 if not reported.

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
