"""What stands in cells: from baked worlds, or from code, read by the loader's threads."""

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

# Entities from code that are made in one unit of background work.
_UNIT: Final = 200
# More than that is a loop without an end.
_MOST: Final = 1_000_000


@runtime_checkable
class CellSource(Protocol):
    """A world that is made by code, cell by cell, while it is played.

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

    The same cell has to have the same entities whenever it is asked for. Entities without an id
    get one from their number in the cell; for saved games, ids of their own are safer, each of
    which only one entity of the whole world may have. A world may
    have more: ``cells``, which of them have anything in them (`CellSet`; otherwise all have), and
    ``always()``, the entities that are there wherever the player is.

    Attributes:
        cell_size: Pixels of a cell.
        layers: Names in drawing order, from the bottom to the top.
    """

    @property
    def cell_size(self) -> float:
        """See above."""
        ...

    @property
    def layers(self) -> Sequence[str]:
        """See above."""
        ...

    def entities(self, cell: GridCell) -> Iterable[WorldEntity]:
        """What stands in a cell. Loader threads, several at a time."""
        ...


class CellProvider(Protocol):
    """Where cells come from. Main thread.

    Attributes:
        cell_size: Pixels of a cell.
        layers: Names in drawing order.
        cells: Which cells have anything in them.
        has_always: Whether there are entities that are always there.
    """

    cell_size: float
    layers: tuple[str, ...]
    cells: CellSet
    has_always: bool

    def begin(self, cell: GridCell, *, urgent: bool, changed: Callable[[], None]) -> CellLoad:
        """Begin to read a cell.

        Args:
            cell: The cell; `ALWAYS_LOADED` for what is always there.
            urgent: Whether a player stands in it, or waits for it.
            changed: Called on the main thread when its content was replaced by a newer one.
        """
        ...


class _BakedLoad(CellLoad):
    """A cell whose content is an asset; it goes on to tell of newer versions."""

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
    """The cells of a world that was baked.

    Args:
        loader: What loads it.
        head: The world's own handle, which is ready.

    Main thread.
    """

    def __init__(self, loader: AsyncPrefabLoader, head: Handle[WorldHead]) -> None:
        self._loader = loader
        self._head = head
        self.refresh()

    def refresh(self) -> bool:
        """Take over a newer version of the world; whether its grid is the same."""
        head = self._head.value
        assert head is not None
        before = getattr(self, "cell_size", head.cell_size)
        self.cell_size = head.cell_size
        self.layers = head.layers
        self.cells: CellSet = head.cells
        self.has_always = head.always > 0
        return before == head.cell_size

    def watch(self, changed: Callable[[], None]) -> None:
        """Call something when the world itself was baked anew: it may have other cells."""
        self._head.on_reload(lambda _: changed())

    def begin(self, cell: GridCell, *, urgent: bool, changed: Callable[[], None]) -> CellLoad:
        """See `CellProvider`."""
        handle = self._loader.load(
            f"{self._head.id}#{cell.label}",
            priority=Priority.HIGH if urgent else Priority.NORMAL,
        )
        load = _BakedLoad(handle)
        handle.on_reload(lambda _: changed())
        return load


class _CodeLoad(CellLoad):
    """A cell whose content is made by code, some entities in each unit of background work."""

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
        """Make some more of them. A loader thread, one at a time."""
        if self._stopped:
            return
        try:
            if self._left is None:
                self._left = iter(self._begin())
            some = list(islice(self._left, _UNIT))
            for row in some:
                one = _checked(row, self._cell, len(self._found))
                if one.id in self._found:
                    raise StreamingError(f"two entities have the id {one.id!r}")
                self._found[one.id] = one
        except Exception as error:
            if not isinstance(error, ArcadePrefabsError):
                error.add_note(f"while the content of {self._cell} was made")
            self.error = error
            return
        except (SystemExit, GeneratorExit) as error:  # it would end the thread, and tell nobody
            self.error = StreamingError(f"the code of {self._cell} ended with {error!r}")
            return
        if len(self._found) > _MOST:
            self.error = StreamingError(f"{self._cell} has more than {_MOST:,} entities")
        elif len(some) < _UNIT:
            self.rows = tuple(self._found.values())
        else:
            self._again(self.work)


class GeneratedCells:
    """The cells of a world that is made by code.

    Args:
        loader: In whose threads it is made.
        source: The code.

    Raises:
        TypeError: It is no `CellSource`.

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
        cells = getattr(source, "cells", None)  # one without any cells is false, too
        self.cells: CellSet = EveryCell() if cells is None else cells
        self.has_always = bool(callable(getattr(source, "always", None)))

    def begin(self, cell: GridCell, *, urgent: bool, changed: Callable[[], None]) -> CellLoad:  # noqa: ARG002
        """See `CellProvider`."""
        source = self._source
        if cell == ALWAYS_LOADED:
            return _CodeLoad(cell, cast(Any, source).always, self._loader.in_background)
        return _CodeLoad(cell, lambda: source.entities(cell), self._loader.in_background)


def _checked(row: object, cell: GridCell, number: int) -> WorldEntity:
    """An entity from code, with a full prefab id and an id of its own."""
    if not isinstance(row, WorldEntity):
        raise StreamingError(f"a world is made of WorldEntity, not {row!r}")
    place = (row.x, row.y, row.rotation, row.scale_x, row.scale_y)
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in place):
        raise StreamingError(f"{shown(row.prefab)}: a place takes finite numbers, not {place}")
    name = row.id or f"~{cell.label} {number}"
    return msgspec.structs.replace(row, id=name, prefab=asset_id(row.prefab))
