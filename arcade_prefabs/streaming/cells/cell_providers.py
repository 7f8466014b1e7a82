"""Reads the entities of cells: from a baked world, or from the game's code, on loader threads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Protocol, cast, runtime_checkable

import msgspec

from ...errors import ArcadePrefabsError, StreamingError, shown
from ...loading import AsyncPrefabLoader, Handle, Priority
from ...loading.asset_names import asset_id
from ...pipeline import ALWAYS_LOADED, GridCell, WorldEntity, WorldHead
from .grid import CellSet, EveryCell
from .live_cell import CellLoad

__all__ = ["BakedCells", "CellProvider", "CellSource", "GeneratedCells"]

# Entities that a cell source makes in one unit of a loader thread.
_UNIT: Final = 200
# A cell source that makes more entities than that in one cell is taken for an endless loop.
_MOST: Final = 1_000_000


@runtime_checkable
class CellSource(Protocol):
    """The game's code that makes a world cell by cell, while the world is played.

    Example::

        class Forest:
            cell_size = 1024.0
            layers = ("ground", "trees")

            def entities(self, cell):
                chance = random.Random(f"{cell.column} {cell.row}")
                for _ in range(40):
                    x = (cell.column + chance.random()) * self.cell_size
                    y = (cell.row + chance.random()) * self.cell_size
                    yield WorldEntity("", "props/tree", x, y)

    `entities` has to return the same entities each time it is called for the same cell. An entity
    without an id gets one made from its number within the cell; a game that saves should give ids
    of its own, each unique in the whole world.

    Two members are optional. ``cells`` is the set of the cells that have entities; by default all
    cells have. It is an object with ``levels``, a tuple of grid levels; with ``in``; and with
    ``within(level, left, bottom, right, top)``, which yields the cells of the set between two
    columns and two rows, all included. ``always()`` returns the entities that are always loaded.

    Attributes:
        cell_size: Width and height of a cell, in pixels.
        layers: Names of the layers in drawing order, the bottom one first.
    """

    @property
    def cell_size(self) -> float:
        """Width and height of a cell, in pixels."""
        ...

    @property
    def layers(self) -> Sequence[str]:
        """Names of the layers in drawing order, the bottom one first."""
        ...

    def entities(self, cell: GridCell) -> Iterable[WorldEntity]:
        """Returns the world entities of a cell; their positions are those in the world, in pixels.

        Called on loader threads, for several cells at the same time: it may use neither Arcade nor
        the plugin. If it raises, the cell is `FAILED`.
        """
        ...


class CellProvider(Protocol):
    """Reads the world entities of cells in the background.

    Attributes:
        cell_size: Width and height of a cell, in pixels.
        layers: Names of the layers in drawing order, the bottom one first.
        cells: The cells that have entities.
        has_always: Whether the world has always-loaded entities.

    Main thread.
    """

    cell_size: float
    layers: tuple[str, ...]
    cells: CellSet
    has_always: bool

    def begin(self, cell: GridCell, *, urgent: bool, changed: Callable[[], None]) -> CellLoad:
        """Starts to read a cell on loader threads; the `CellLoad` gets its entities.

        Args:
            cell: The cell; `ALWAYS_LOADED` for the always-loaded entities.
            urgent: Whether a streaming source is in the cell, or a preload request waits for it.
            changed: Called on the main thread each time the cell has been baked anew.
        """
        ...


class _BakedLoad(CellLoad):
    """Reads a cell from the bake store: its entities are an asset, held by a handle."""

    __slots__ = ("_handle",)

    def __init__(self, handle: Handle[Any]) -> None:
        super().__init__()
        self._handle: Handle[Any] | None = handle

    @property
    def done(self) -> bool:
        handle = self._handle
        if handle is None or not handle.done:
            return self.error is not None
        if handle.value is not None:
            self.rows = handle.value
            self.error = None
        else:
            self.error = handle.error or StreamingError(f"{handle.id} was not loaded")
        return True

    @property
    def size(self) -> int:
        return 0 if self._handle is None else sum(self._handle.sizes().values())

    def stop(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.cancel()


class BakedCells:
    """Provides the cells of a baked world.

    Args:
        loader: Loads the cells.
        head: The handle of the world's head, which is loaded.

    Main thread.
    """

    def __init__(self, loader: AsyncPrefabLoader, head: Handle[WorldHead]) -> None:
        self._loader = loader
        self._head = head
        self.refresh()

    def refresh(self) -> bool:
        """Takes over the world's head after a new bake; returns whether the cell size is kept."""
        head = self._head.value
        assert head is not None
        before = getattr(self, "cell_size", head.cell_size)
        self.cell_size = head.cell_size
        self.layers = head.layers
        self.cells: CellSet = head.cells
        self.has_always = head.always > 0
        return before == head.cell_size

    def watch(self, changed: Callable[[], None]) -> None:
        """Calls a function whenever the world's head has been baked anew: its cells may differ."""
        self._head.on_reload(lambda _: changed())

    def begin(self, cell: GridCell, *, urgent: bool, changed: Callable[[], None]) -> CellLoad:
        """Starts to load a cell's asset, as `CellProvider.begin` says."""
        handle = self._loader.load(
            f"{self._head.id}#{cell.label}",
            priority=Priority.HIGH if urgent else Priority.NORMAL,
        )
        load = _BakedLoad(handle)
        handle.on_reload(lambda _: changed())
        return load


class _CodeLoad(CellLoad):
    """Reads a cell from the game's code, 200 entities in each unit of a loader thread."""

    __slots__ = ("_again", "_begin", "_cell", "_found", "_left", "_stopped")

    def __init__(
        self,
        cell: GridCell,
        begin: Callable[[], Iterable[WorldEntity]],
        again: Callable[[Callable[[], None]], None],
    ) -> None:
        super().__init__()
        self._cell = cell
        self._begin = begin
        self._again = again
        self._left: Iterator[WorldEntity] | None = None
        self._found: dict[str, WorldEntity] = {}
        self._stopped = False
        again(self.work)

    def stop(self) -> None:
        self._stopped = True

    def work(self) -> None:
        """Makes the next 200 entities, and asks for another unit if more may follow.

        Loader threads, one at a time.
        """
        if self._stopped:
            return
        try:
            if self._left is None:
                self._left = iter(self._begin())
            rows = list(islice(self._left, _UNIT))
            for row in rows:
                entity = _checked(row, self._cell, len(self._found))
                if entity.id in self._found:
                    raise StreamingError(f"two entities have the id {entity.id!r}")
                self._found[entity.id] = entity
        except Exception as error:
            if not isinstance(error, ArcadePrefabsError):
                error.add_note(f"while the content of {self._cell} was made")
            self.error = error
            return
        except (SystemExit, GeneratorExit) as error:  # these would end the thread without a word
            self.error = StreamingError(f"the code of {self._cell} ended with {error!r}")
            return
        if len(self._found) > _MOST:
            self.error = StreamingError(f"{self._cell} has more than {_MOST:,} entities")
        elif len(rows) < _UNIT:
            self.rows = tuple(self._found.values())
        else:
            self._again(self.work)


class GeneratedCells:
    """Provides the cells of a world that the game's code makes.

    Args:
        loader: Calls the code on its threads.
        source: The code.

    Raises:
        TypeError: `source` has not got all members of `CellSource`.

    Main thread.
    """

    def __init__(self, loader: AsyncPrefabLoader, source: CellSource) -> None:
        if not isinstance(source, CellSource):
            raise TypeError(
                "a world made by code has `cell_size`, `layers` and `entities(cell)`; "
                f"{source!r} has not"
            )
        self._loader = loader
        self._source = source
        self.cell_size = float(source.cell_size)
        self.layers = tuple(source.layers)
        cells = getattr(source, "cells", None)  # not `or`: an empty `CellSet` may be false
        self.cells: CellSet = EveryCell() if cells is None else cells
        self.has_always = bool(callable(getattr(source, "always", None)))

    def begin(self, cell: GridCell, *, urgent: bool, changed: Callable[[], None]) -> CellLoad:  # noqa: ARG002
        """Starts to call the code for a cell, as `CellProvider.begin` says.

        Code is not watched: `changed` is never called.
        """
        source = self._source
        if cell == ALWAYS_LOADED:
            return _CodeLoad(cell, cast(Any, source).always, self._loader.in_background)
        return _CodeLoad(cell, lambda: source.entities(cell), self._loader.in_background)


def _checked(row: object, cell: GridCell, number: int) -> WorldEntity:
    """Returns an entity of the game's code with its full prefab id, and with an id if it had none.

    Args:
        row: What the code returned.
        cell: The cell that it was called for.
        number: How many entities the cell has already: part of the id.

    Raises:
        StreamingError: `row` is no `WorldEntity`, or its transform has NaN or infinity.
    """
    if not isinstance(row, WorldEntity):
        raise StreamingError(f"a world is made of WorldEntity, not {row!r}")
    transform = (row.x, row.y, row.angle, row.scale_x, row.scale_y)
    if not all(isinstance(part, int | float) and math.isfinite(part) for part in transform):
        raise StreamingError(
            f"{shown(row.prefab)}: a transform takes finite numbers, not {transform}"
        )
    name = row.id or f"~{cell.label} {number}"
    return msgspec.structs.replace(row, id=name, prefab=asset_id(row.prefab))
