"""The format of saved games: tables, seals, older formats, and rows that take another grid.

A row is sealed with a checksum over everything in it and over the table that it belongs to: SQLite
notices a damaged page structure, but not a bit that flips within a value.
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

# In the place of a cell's label: the cell that the world's content tells of it, which is not known
# until that is read.
WHEREVER: Final = "?"
# The same for what was looked for in the whole world, which has no such entity.
NOWHERE: Final = "nowhere"
# The default of worlds that do not say.
_USUAL_SIZE: Final = 1024.0

_Paced = Callable[[Iterable["SavedEntity"]], Iterator["SavedEntity"]]

# Not JSON: it has no infinity, which games like to put into a field.
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(EntityDiff).decode


class SavedEntity(NamedTuple):
    """What is kept of an entity.

    Attributes:
        id: Its name in the world.
        home: The label of the cell whose content tells of it; None if it was added.
        cell: The label of the cell that it is in; None if it was destroyed.
        left_at: World's time at which it was unloaded there, in seconds.
        diff: What changed of it; None if nothing did, and its row can go.
    """

    id: str
    home: str | None
    cell: str | None
    left_at: float
    diff: EntityDiff | None

    @property
    def destroyed(self) -> bool:
        """Whether it was destroyed."""
        return self.cell is None

    @property
    def needless(self) -> bool:
        """Whether nothing need be known: it is as the world tells, or was added and destroyed."""
        return self.diff is None and (self.cell == self.home or self.home is None)


class SavedCell(NamedTuple):
    """What is kept of a cell.

    Attributes:
        rows: Entities that it tells of, or that are in it.
        left_at: World's time at which it was unloaded last, in seconds; None if it never was.
        older: The same of cells that a world with another cell size had in its place.
    """

    rows: tuple[SavedEntity, ...]
    left_at: float | None
    older: tuple[tuple[Box, float], ...] = ()

    def left_when(self, x: float, y: float) -> float | None:
        """World's time at which a place in it was unloaded last, in seconds."""
        latest = self.left_at
        for (left, bottom, right, top), when in self.older:
            inside = left <= x < right and bottom <= y < top
            if inside and (latest is None or when > latest):
                latest = when
        return latest


# ------------------------------------------------------------------------------------------- seals


def _seal(table: str, *values: Any) -> int:
    """A checksum of a row and of the table that it belongs to."""
    return zlib.crc32(repr((table, *values)).encode("utf-8", "backslashreplace"))


def row_values(row: SavedEntity) -> tuple[Any, ...]:
    """A row of ``entities``."""
    data = None if row.diff is None else _encode(row.diff)
    values = (row.id, row.home, row.cell, float(row.left_at), data)
    return (*values, _seal("entities", *values))


def cell_values(size: float, cell: GridCell, left_at: float) -> tuple[Any, ...]:
    """A row of ``cells``."""
    values = (float(size), cell.level, cell.column, cell.row, float(left_at))
    return (*values, _seal("cells", *values))


def fact_values(name: str, value: Any) -> tuple[Any, ...]:
    """A row of ``facts``."""
    return (name, value, _seal("facts", name, value))


def is_sealed(table: str, row: tuple[Any, ...]) -> bool:
    """Whether a row is what was written."""
    *values, found = row
    return bool(_seal(table, *values) == found)


def row_of(values: tuple[Any, ...]) -> SavedEntity:
    """A row of ``entities`` as what it means.

    Raises:
        ValueError: It is not what was written.
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
    """Make the tables of a saved game in an empty database, within a transaction of the caller."""
    db.execute(f"PRAGMA application_id={APPLICATION}")
    db.execute(f"PRAGMA user_version={FORMAT}")
    for statement in _statements():
        db.execute(statement)
    db.executemany("INSERT INTO facts VALUES (?,?,?)", (fact_values(*one) for one in facts.items()))


def _statements() -> tuple[str, ...]:
    return tuple(_SCHEMA.strip().split(";\n"))


def is_ours(db: sqlite3.Connection) -> bool:
    """Whether a database is a saved game of this format, or has nothing in it."""
    if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        return True
    mark, form = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in _MARKS)
    return bool(mark == APPLICATION and form == FORMAT)


def check_tables(db: sqlite3.Connection) -> str | None:
    """What is wrong with the structure of a saved game, mending indexes; None if nothing is."""
    made = [row[0] for row in db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")]
    if sorted(made) != sorted(_statements()):
        return "its tables are not those of a saved game"
    found = _first_fault(db)
    if found is not None:
        # What is in an index stands in its table, too, whose rows are sealed.
        db.execute("REINDEX")
        found = _first_fault(db)
    return found


def damaged(where: object, fault: str) -> SaveError:
    """That a file is not read, for what it says may be wrong; SQLite's own words are a note."""
    error = SaveError(
        f"{where} is damaged: what is in it cannot be trusted; put a copy of it in its place"
    )
    error.add_note(fault)
    return error


def _first_fault(db: sqlite3.Connection) -> str | None:
    """What SQLite has to say of the structure of a file."""
    found = db.execute("PRAGMA integrity_check(1)").fetchone()
    return None if found == ("ok",) else str(found[0]).replace("\n", " ")


# ------------------------------------------------------------------------------- the first format


def read_first_format(
    db: sqlite3.Connection, where: str, paced: _Paced
) -> tuple[sqlite3.Connection, list[SavedEntity], dict[GridCell, float], dict[str, Any]]:
    """What a file of format 1 has saved, and what happened after that.

    It had a table for each of the two, and no seals. Cells have no size in it: see `in_grid`.

    Args:
        db: The file.
        where: What to call it.
        paced: Gives rows one by one, with pauses for the game.

    Returns:
        A database in memory with what was saved; rows, times of cells and facts since then.

    Raises:
        SaveError: It is another format, or damaged.
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
    """Find the cells of entities by their places, for the world has cells of another size now.

    Args:
        rows: What is kept of all entities.
        grid: The grid of the world.
        before: Pixels of a cell when that was written; None if the file does not say.
        paced: Gives rows one by one, with pauses for the game.

    Returns:
        Rows that differ, before and after; None for those that belong to no entity any more,
        because the world's code has named them by their cells. And pixels of a cell before.
    """
    known = list(rows)
    if before is None:
        bounds = _Bounds()
        for row in paced(known):
            bounds.see(row)
        if bounds.least <= grid.cell_size <= bounds.most:
            # Other sizes agree, too: without a place no label is worth anything.
            those = ((row, _anywhere(row)) for row in paced(known))
            return [(row, found) for row, found in those if found != row], grid.cell_size
        before = bounds.guess()
    if before == grid.cell_size:
        return [], before
    moves = ((row, _in_grid(row, grid, before)) for row in paced(known))
    return [(row, moved) for row, moved in moves if moved != row], before


def _named_by_cell(row: SavedEntity) -> bool:
    return row.id.startswith("~c") and " " in row.id


def _anywhere(row: SavedEntity) -> SavedEntity:
    """A row that is found by its id if it does not say what it is.

    If it knows a place, `Tracer` finds out what stands there.
    """
    home, cell = row.home, row.cell
    if (row.diff is not None and row.diff.row is not None) or _named_by_cell(row):
        return row
    home = home if home in (None, ALWAYS_LOADED.label) else WHEREVER
    cell = cell if cell in (None, ALWAYS_LOADED.label) else WHEREVER
    return row._replace(home=home, cell=cell)


def _in_grid(row: SavedEntity, grid: Grid, before: float) -> SavedEntity | None:
    diff, home, cell = row.diff, row.home, row.cell
    told = None if diff is None else diff.row
    if _named_by_cell(row):
        return None
    if diff is None or told is None:
        return _anywhere(row)
    size, old = diff.size, cell_of(cell or "")
    if not size and old is not None and old.level:
        size = before * (1 << old.level)
        diff = msgspec.structs.replace(diff, size=size)
    level = grid.level_of(size, size)
    if home not in (None, ALWAYS_LOADED.label):
        home = _label(grid, told.x, told.y, level) or home
    if cell not in (None, ALWAYS_LOADED.label):
        x, y, *_ = place_of(told, diff)
        cell = _label(grid, x, y, level) or cell
    return row._replace(home=home, cell=cell, diff=diff)


def _label(grid: Grid, x: float, y: float, level: int) -> str | None:
    with contextlib.suppress(ValueError, OverflowError):
        return grid.cell_at(x, y, level).label
    return None


class _Bounds:
    """Which cell sizes the rows of a file agree with."""

    def __init__(self) -> None:
        self.least, self.most = 0.0, math.inf

    def see(self, row: SavedEntity) -> None:
        """Look at an entity whose cell and place are known."""
        diff = row.diff
        if diff is None:
            return
        if diff.row is not None and row.home is not None:
            self._see(row.home, diff.row.x, diff.row.y)
        place = place_of(diff.row, diff) if diff.row is not None else diff.place
        if row.cell is not None and place is not None:
            self._see(row.cell, place[0], place[1])

    def _see(self, label: str, *place: float) -> None:
        cell = cell_of(label)
        if cell is None:
            return
        for number, at in zip((cell.column, cell.row), place, strict=True):
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
        """The size that they were written with."""
        if self.least <= _USUAL_SIZE <= self.most or not math.isfinite(self.most):
            return max(self.least, _USUAL_SIZE)
        return max(1.0, self.most)
