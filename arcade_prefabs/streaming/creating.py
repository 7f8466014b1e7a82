"""`make_world`: from what a game says to a world that opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from ..pipeline import world_id
from ..spawning.spawn_engine import SpawnEngine
from .cells.cell_providers import CellSource
from .opening import Opening
from .planning.streaming_sources import Sources
from .settings import StreamingSettings
from .streaming_manager import StreamingManager

__all__ = ["make_world"]

# As long as the world is not open, nobody knows; the same as that of worlds that do not say.
_CELL_SIZE: Final = 1024.0


def make_world(
    engine: SpawnEngine,
    window: Any,
    world: str | CellSource,
    name: str | None,
    save: Path | None,
    recover: bool,
    settings: Mapping[str, Any],
    clock: Callable[[], float],
) -> StreamingManager:
    """See `PrefabPlugin.open_world`. Main thread."""
    writer = settings.get("writer")
    chosen = StreamingSettings(**{key: settings[key] for key in settings if key != "writer"})
    what = world_id(world) if isinstance(world, str) else world
    if name is None:
        name = what if isinstance(what, str) else type(what).__name__
    opening = Opening(engine.loader, what, name, save, recover=recover)
    sources = Sources(chosen, _CELL_SIZE, clock)
    return StreamingManager(engine, window, opening, name, sources, chosen, clock, writer)
