"""`Additions`: adds entities to a world for good, as `StreamingManager.add` asks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from ...errors import StreamingError
from ...frames import Step
from ...loading.asset_names import spawnable_id
from ...pipeline import WorldEntity
from ...spawning.blueprints.overrides import OverrideMap, Overrides
from ...spawning.entities.transform import checked_place
from ...spawning.spawner.entity_factory import EntityFactory
from ..cells.live_cell import Resident
from ..planning.streaming_sources import checked_position
from ..saves.entity_diff import EntityDiff
from ..saves.save_file import SavedEntity
from .cell_lifecycle import CellLifecycle

__all__ = ["Additions"]

_LONGEST_ID: Final = 200
_MOST_LEVEL: Final = 20


class Additions:
    """Adds entities to a world.

    Args:
        factory: Builds entities.
        lifecycle: The live cells.

    Main thread.
    """

    def __init__(self, factory: EntityFactory, lifecycle: CellLifecycle) -> None:
        self._factory = factory
        self._lifecycle = lifecycle

    def add(
        self,
        prefab: str,
        position: Sequence[float],
        *,
        angle: float,
        scale: float | tuple[float, float],
        layer: str | None,
        overrides: OverrideMap | None,
        name: str | None,
        size: tuple[float, float] | None,
    ) -> str:
        """Adds an entity to the world and to the change journal; returns its id.

        The entity is built at once if its cell is active, otherwise when its cell is activated. The
        parameters are those of `StreamingManager.add`.

        Raises:
            ValueError: The position, the size or the id cannot be used.
            StreamingError: The world has an entity of that id already.
        """
        parts = self._lifecycle.parts
        (x, y), turn, (wide, high) = checked_place(checked_position(position), angle, scale)
        if name is None:
            parts.journal.added += 1
            name = f"+{parts.journal.added}"
        else:
            self._check(name)
        row = WorldEntity(
            name, spawnable_id(prefab), x, y, turn, wide, high, layer, self._plain(overrides)
        )
        level = 0 if size is None else parts.grid.level_of(*_checked_size(size))
        if level > _MOST_LEVEL:
            raise ValueError(f"an entity of {size} pixels is too large for this world's cells")
        cell = parts.grid.cell_at(x, y, level)
        diff = EntityDiff().with_row(row, 0.0 if size is None else float(max(size)))
        parts.journal.enter(SavedEntity(name, None, cell.label, parts.journal.time, diff))
        live = parts.live_cells.get(cell)
        if live is None:
            parts.cells.add([cell])
            parts.sources.changed = True
        elif live.active:
            resident = Resident(row, None, diff, live)
            parts.population.enter(resident)
            task = parts.builder.build_now(resident)
            self._factory.post(task, Step("spawn", 1))
        return name

    def _check(self, name: str) -> None:
        if not isinstance(name, str) or not name or len(name) > _LONGEST_ID:
            raise ValueError(f"an id is a string of 1 to {_LONGEST_ID} characters, not {name!r}")
        if name[0] in "~+":
            raise ValueError(f"{name!r}: ids that begin with ~ or + are given by the world itself")
        parts = self._lifecycle.parts
        known = parts.journal.known(name)
        if name in parts.population.residents or (known is not None and not known.destroyed):
            raise StreamingError(f"the world has an entity {name!r} already")

    def _plain(self, overrides: OverrideMap | None) -> dict[str, dict[str, object]]:
        """Returns overrides as plain data: what the save file keeps."""
        if overrides is None:
            return {}
        Overrides(overrides, self._factory.registry)
        plain: dict[str, dict[str, object]] = {}
        pairs = (
            overrides.items()
            if isinstance(overrides, Mapping)
            else [
                (self._factory.entities.name_of(type(component)), component)
                for component in overrides
            ]
        )
        for name, value in pairs:
            plain[name] = msgspec.to_builtins(value, str_keys=True)
        return plain


def _checked_size(size: tuple[float, float]) -> tuple[float, float]:
    try:
        wide, high = size
        sound = wide > 0 and high > 0 and math.isfinite(wide) and math.isfinite(high)
    except (TypeError, ValueError):
        sound = False
    if not sound:
        raise ValueError(f"a size is (width, height) in pixels, both above 0, not {size!r}")
    return size
