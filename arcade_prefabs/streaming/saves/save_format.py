"""The format of save files: tables, checksums, the older format, and the change to another grid.

Each row is sealed with a checksum of its table's name and its values: SQLite notices a damaged
page, but not a bit that flips within a value.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from ...errors import SaveError
from ...pipeline import ALWAYS_LOADED, GridCell
from ..cells.grid import Box, Grid
from ..cells.known_cells import cell_of
from .entity_diff import EntityDiff, place_of

__all__ = [
    "APPLICATION",
    "FORMAT",
    "NOWHERE",
    "WHEREVER",
    "SavedCell",
    "SavedEntity",
    "cell_values",
    "check_tables",
    "damaged",
    "fact_values",
    "in_grid",
    "is_ours",
    "is_sealed",
    "make_tables",
    "read_first_format",
    "row_of",
    "row_values",
]

APPLICATION: Final = 0x41505357  # "APSW", arcade_prefabs saved world
FORMAT: Final = 2
_MARKS: Final = ("application_id", "user_version")

_SCHEMA: Final = """
CREATE TABLE facts(name TEXT PRIMARY KEY, value, seal INTEGER) WITHOUT ROWID;
CREATE TABLE entities(id TEXT PRIMARY KEY, home TEXT, cell TEXT, left_at REAL, data BLOB,
    seal INTEGER);
CREATE INDEX entities_home ON entities(home);
CREATE INDEX entities_cell ON entities(cell);
CREATE TABLE cells(size REAL, level INTEGER, x INTEGER, y INTEGER, left_at REAL, seal INTEGER,
    PRIMARY KEY(size, level, x, y)) WITHOUT ROWID;
CREATE TABLE unsaved(id TEXT PRIMARY KEY) WITHOUT ROWID
"""

# Stands for a cell's label: the cell whose data has the entity, not known until that cell is read.
WHEREVER: Final = "?"
# Stands for a cell's label of entities that `Tracer` found in no cell of the world.
NOWHERE: Final = "nowhere"
# The default cell size of worlds, in pixels.
_USUAL_SIZE: Final = 1024.0

_Paced = Callable[[Iterable["SavedEntity"]], Iterator["SavedEntity"]]

# Not JSON: it has no infinity, which games like to put into a field.
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(EntityDiff).decode


class SavedEntity(NamedTuple):
    """What is saved of an entity.

    Attributes:
        id: The entity's id in the world.
        home: The label of the cell whose data has the entity; None if the game added it.
        cell: The label of the cell that it is in; None if it was destroyed.
        left_at: When it was unloaded there, in seconds of the world's time.
        diff: The entity diff; None if nothing differs.
    """

    id: str
    home: str | None
    cell: str | None
    left_at: float
    diff: EntityDiff | None

    @property
    def destroyed(self) -> bool:
        """Whether the entity was despawned for good."""
        return self.cell is None

    @property
    def needless(self) -> bool:
        """Whether the entity needs no row: nothing differs, or it was added and destroyed."""
        return self.diff is None and (self.cell == self.home or self.home is None)


class SavedCell(NamedTuple):
    """What is saved of a cell.

    Attributes:
        rows: The entities that are in it, and those that its data has.
        left_at: When the cell was unloaded last, in seconds of the world's time; None for never.
        older: The same for cells of former grids that touch it, with their boxes.
    """

    rows: tuple[SavedEntity, ...]
    left_at: float | None
    older: tuple[tuple[Box, float], ...] = ()

    def left_when(self, x: float, y: float) -> float | None:
        """Returns when a position in the cell was unloaded last, in seconds of the world's time."""
        latest = self.left_at
        for (left, bottom, right, top), when in self.older:
            inside = left <= x < right and bottom <= y < top
            if inside and (latest is None or when > latest):
                latest = when
        return latest


# ------------------------------------------------------------------------------------------- seals


def _seal(table: str, *values: Any) -> int:
    """Returns the checksum of a row and its table's name."""
    return zlib.crc32(repr((table, *values)).encode("utf-8", "backslashreplace"))


def row_values(row: SavedEntity) -> tuple[Any, ...]:
    """Returns a saved entity as a row of the table ``entities``."""
    data = None if row.diff is None else _encode(row.diff)
    values = (row.id, row.home, row.cell, float(row.left_at), data)
    return (*values, _seal("entities", *values))


def cell_values(size: float, cell: GridCell, left_at: float) -> tuple[Any, ...]:
    """Returns a row of the table ``cells``."""
    values = (float(size), cell.level, cell.column, cell.row, float(left_at))
    return (*values, _seal("cells", *values))


def fact_values(name: str, value: Any) -> tuple[Any, ...]:
    """Returns a row of the table ``facts``."""
    return (name, value, _seal("facts", name, value))


def is_sealed(table: str, row: tuple[Any, ...]) -> bool:
    """Whether the checksum of a row is right."""
    *values, found = row
    return bool(_seal(table, *values) == found)


def row_of(values: tuple[Any, ...]) -> SavedEntity:
    """Returns the saved entity of a row of ``entities``.

    Raises:
        ValueError: The checksum is wrong, or a value has another type.
    """
    if not is_sealed("entities", values):
        raise ValueError("its checksum is wrong")
    return _row(values[:5])


def _row(values: tuple[Any, ...]) -> SavedEntity:
    name, home, cell, left_at, data = values
    if not isinstance(name, str) or not isinstance(home, str | None):
        raise ValueError("its id or its cell is no text")
    if not isinstance(cell, str | None) or isinstance(left_at, bytes | None):
        raise ValueError("its cell is no text, or its time no number")
    diff = None if data is None else _decode(data)
    return SavedEntity(name, home, cell, float(left_at), diff)


# ------------------------------------------------------------------------------------------ tables


def make_tables(db: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    """Makes the tables of a saved game in an empty database."""
    db.execute(f"PRAGMA application_id={APPLICATION}")
    db.execute(f"PRAGMA user_version={FORMAT}")
    for statement in _statements():
        db.execute(statement)
    db.executemany("INSERT INTO facts VALUES (?,?,?)", (fact_values(*one) for one in facts.items()))


def _statements() -> tuple[str, ...]:
    return tuple(_SCHEMA.strip().split(";\n"))


def is_ours(db: sqlite3.Connection) -> bool:
    """Whether a database is a saved game of this format, or empty."""
    if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        return True
    mark, form = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in _MARKS)
    return bool(mark == APPLICATION and form == FORMAT)


def check_tables(db: sqlite3.Connection) -> str | None:
    """Returns a fault in the tables of a saved game, or None; repairs damaged indexes."""
    made = [row[0] for row in db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")]
    if sorted(made) != sorted(_statements()):
        return "its tables are not those of a saved game"
    found = _first_fault(db)
    if found is not None:
        # An index can be made anew from its table, whose rows are sealed.
        db.execute("REINDEX")
        found = _first_fault(db)
    return found


def damaged(where: object, fault: str) -> SaveError:
    """Returns the error for a file too damaged to be read, with SQLite's words as a note."""
    error = SaveError(
        f"{where} is damaged: what is in it cannot be trusted; put a copy of it in its place"
    )
    error.add_note(fault)
    return error


def _first_fault(db: sqlite3.Connection) -> str | None:
    """Returns the first fault that SQLite finds in the structure of a file, or None."""
    found = db.execute("PRAGMA integrity_check(1)").fetchone()
    return None if found == ("ok",) else str(found[0]).replace("\n", " ")


# ------------------------------------------------------------------------------- the first format


def read_first_format(
    db: sqlite3.Connection, where: str, paced: _Paced
) -> tuple[sqlite3.Connection, list[SavedEntity], dict[GridCell, float], dict[str, Any]]:
    """Reads a save of format 1, and the unsaved changes that were in the same file.

    That format had a table for each of the two, no checksums, and no cell size: see `in_grid`.

    Args:
        db: The file.
        where: How error messages call it.
        paced: Yields rows one by one, with pauses for the game.

    Returns:
        A database in memory in this format, with what was saved; and the entities, unload times of
            cells and facts of the unsaved changes.

    Raises:
        SaveError: The file has another format, or is damaged.
    """
    fault = _first_fault(db)
    if fault is not None:
        raise damaged(where, fault)
    facts = dict(db.execute("SELECT name, value FROM facts"))
    if facts.get("format") != 1:
        found = facts.get("format")
        raise SaveError(f"{where} has the format {found}, this version reads {FORMAT}")
    facts.pop("format")
    saved_time = facts.pop("saved_time", None)
    made = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        make_tables(made, {"format": FORMAT, **facts, "time": saved_time or 0.0})
        rows = paced(_first_rows(db, "saved", where))
        made.executemany("INSERT INTO entities VALUES (?,?,?,?,?,?)", map(row_values, rows))
        cells = _first_cells(db, "saved_cells")
        made.executemany(
            "INSERT INTO cells VALUES (?,?,?,?,?,?)",
            (cell_values(0.0, cell, when) for cell, when in cells.items()),
        )
        since = list(paced(_first_rows(db, "working", where)))
        return made, since, _first_cells(db, "working_cells"), {"time": facts.get("time") or 0.0}
    except BaseException:
        made.close()
        raise


def _first_rows(db: sqlite3.Connection, table: str, where: str) -> Iterator[SavedEntity]:
    for values in db.execute(f"SELECT id, home, cell, left_at, data FROM {table} ORDER BY id"):
        try:
            yield _row(values)
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            raise SaveError(f"{where}: the entity {values[0]} is damaged: {error}") from error


def _first_cells(db: sqlite3.Connection, table: str) -> dict[GridCell, float]:
    found: dict[GridCell, float] = {}
    for label, when in db.execute(f"SELECT cell, left_at FROM {table}"):
        cell = cell_of(str(label))
        if cell is not None:
            found[cell] = float(when)
    return found


# ---------------------------------------------------------------------------------- another grid


def in_grid(
    rows: Iterable[SavedEntity], grid: Grid, before: float | None, paced: _Paced
) -> tuple[list[tuple[SavedEntity, SavedEntity | None]], float]:
    """Assigns entities to the cells of another grid, by their positions.

    Args:
        rows: All saved entities.
        grid: The world's grid.
        before: Pixels of a cell when the rows were written; None if the file does not say.
        paced: Yields rows one by one, with pauses for the game.

    Returns:
        Pairs of rows before and after, of those that differ; None after for an entity whose id was
            made from its old cell, so that nobody knows which entity of the new cells it is. And
            the pixels of a cell before, guessed if they were not given.
    """
    known = list(rows)
    if before is None:
        bounds = _Bounds()
        for row in paced(known):
            bounds.see(row)
        if bounds.least <= grid.cell_size <= bounds.most:
            # Labels of other sizes agree with the positions, too: without a row, none is sure.
            pairs = ((row, _anywhere(row)) for row in paced(known))
            return [(row, found) for row, found in pairs if found != row], grid.cell_size
        before = bounds.guess()
    if before == grid.cell_size:
        return [], before
    moves = ((row, _in_grid(row, grid, before)) for row in paced(known))
    return [(row, moved) for row, moved in moves if moved != row], before


def _named_by_cell(row: SavedEntity) -> bool:
    return row.id.startswith("~c") and " " in row.id


def _anywhere(row: SavedEntity) -> SavedEntity:
    """Returns a row with unknown cells (`WHEREVER`), if it does not say what the entity is.

    The entity is then found by its id when a cell whose data has it is loaded. If the row has a
    position, `Tracer` finds it when the world is opened.
    """
    home, cell = row.home, row.cell
    if (row.diff is not None and row.diff.row is not None) or _named_by_cell(row):
        return row
    home = home if home in (None, ALWAYS_LOADED.label) else WHEREVER
    cell = cell if cell in (None, ALWAYS_LOADED.label) else WHEREVER
    return row._replace(home=home, cell=cell)


def _in_grid(row: SavedEntity, grid: Grid, before: float) -> SavedEntity | None:
    diff, home, cell = row.diff, row.home, row.cell
    entity = None if diff is None else diff.row
    if _named_by_cell(row):
        return None
    if diff is None or entity is None:
        return _anywhere(row)
    size, old = diff.size, cell_of(cell or "")
    if not size and old is not None and old.level:
        size = before * (1 << old.level)
        diff = msgspec.structs.replace(diff, size=size)
    level = grid.level_of(size, size)
    if home not in (None, ALWAYS_LOADED.label):
        home = _label(grid, entity.x, entity.y, level) or home
    if cell not in (None, ALWAYS_LOADED.label):
        x, y, *_ = place_of(entity, diff)
        cell = _label(grid, x, y, level) or cell
    return row._replace(home=home, cell=cell, diff=diff)


def _label(grid: Grid, x: float, y: float, level: int) -> str | None:
    with contextlib.suppress(ValueError, OverflowError):
        return grid.cell_at(x, y, level).label
    return None


class _Bounds:
    """The cell sizes that labels and positions of a file's rows agree with."""

    def __init__(self) -> None:
        self.least, self.most = 0.0, math.inf

    def see(self, row: SavedEntity) -> None:
        """Narrows the bounds by an entity whose cell and position are known."""
        diff = row.diff
        if diff is None:
            return
        if diff.row is not None and row.home is not None:
            self._see(row.home, diff.row.x, diff.row.y)
        transform = place_of(diff.row, diff) if diff.row is not None else diff.place
        if row.cell is not None and transform is not None:
            self._see(row.cell, transform[0], transform[1])

    def _see(self, label: str, *position: float) -> None:
        cell = cell_of(label)
        if cell is None:
            return
        for number, at in zip((cell.column, cell.row), position, strict=True):
            # number * size <= at < (number + 1) * size, for the size of its level
            scale = float(1 << min(cell.level, 60))
            if number > 0:
                self.most = min(self.most, at / number / scale)
            elif number < 0:
                self.least = max(self.least, at / number / scale)
            if number >= 0:
                self.least = max(self.least, math.nextafter(at / (number + 1) / scale, math.inf))
            elif number < -1:
                self.most = min(self.most, math.nextafter(at / (number + 1) / scale, 0.0))

    def guess(self) -> float:
        """Returns the cell size that the rows were most likely written with."""
        if self.least <= _USUAL_SIZE <= self.most or not math.isfinite(self.most):
            return max(self.least, _USUAL_SIZE)
        return max(1.0, self.most)
