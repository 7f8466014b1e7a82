"""`SaveFile`: one saved game as an SQLite database, which has only what the game changed.

**The problem.** A save of a world with millions of entities must be small, written while the game
runs, and whole at any moment: whoever kills the process, copies the file or fills the disk must
find either the last save or the new one. What happened since the last save should survive a crash,
too, without being mistaken for a save. Bits flip, worlds are edited, grids change, two games open
the same file.

**The way taken.** Two files, see `save_slot`: the save, which is replaced as a whole and never
written to, and ``.unsaved``, an SQLite file with everything of the save and all changes since. The
world reads and writes the second one only; `save` copies it over the first. Both have a
*generation*, a random mark: ``.unsaved`` names the generation that it began from (``base``), so a
game that finds it after a crash knows whether it belongs to the save beside it. Rows are sealed
with checksums, see `save_format`: damaged rows are left out and reported, the rest is used. A game
that closes its world deletes ``.unsaved``, unless unsaved changes are to be kept.

**The ways rejected.** *Writing changes into the save itself*: there would be no way back to the
last save. *A file for each cell*: thousands of files are slow to copy, and no save is whole while
they are written. *Pickles or one JSON document*: they are read and written as a whole, and a
flipped bit costs all of it.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from ...errors import SaveError, shown
from ...pipeline.store.locations import identity
from ..cells.grid import Grid, GridCell
from ..cells.known_cells import cell_of
from .save_format import (
    FORMAT,
    WHEREVER,
    SavedCell,
    SavedEntity,
    cell_values,
    check_tables,
    damaged,
    fact_values,
    in_grid,
    is_ours,
    is_sealed,
    make_tables,
    read_first_format,
    row_of,
    row_values,
)
from .save_slot import SaveLock, SaveSlot, told

__all__ = ["SaveFile", "SavedCell", "SavedEntity"]

_log = logging.getLogger("arcade_prefabs")
_T = TypeVar("_T")

# Seconds to wait for the lock of the file: a game that was killed may still be ending.
_BUSY_S: Final = 2.0
# Bytes of a value at most: a larger one was not written by this module.
_MOST_BYTES: Final = 64 * 1024 * 1024
# Ids in one query. SQLite before 3.32 takes 999 parameters at most.
_AT_ONCE: Final = 400
# Rows between two pauses: some 10 microseconds each.
_AT_A_TIME: Final = 50

_COLUMNS: Final = "SELECT id, home, cell, left_at, data, seal FROM entities"
_PUT: Final = "REPLACE INTO entities VALUES (?,?,?,?,?,?)"
_PUT_CELL: Final = "REPLACE INTO cells VALUES (?,?,?,?,?,?)"


class SaveFile:
    """A saved game: entity diffs, when cells were unloaded, and facts such as the world's time.

    Args:
        path: The save, which the first `save` makes; None for a database in memory, which lasts as
            long as this object.
        world: The id of the world that the save belongs to.
        recover: Whether to take over unsaved changes of a game that did not close its world.
        wanted: Returns whether the world is still open; if not, another world waits for it to
            close.
        on_pause: Called about every millisecond of opening and of `fit`, which take a second with
            100,000 entities: it lets the game draw its frames.
        on_step: Called with the name of each step of a write before it is taken; for tests.

    Attributes:
        path: The save.
        recovered: How many entities had unsaved changes of a game that did not close its world.
        damaged: What was damaged and left out, by entity, and what that means.

    Raises:
        SaveError: The file is no saved game, belongs to another world, is in use, or cannot be read
            or made.

    Any thread; a lock lets one in at a time.
    """

    def __init__(
        self,
        path: Path | None,
        world: str,
        *,
        recover: bool = True,
        wanted: Callable[[], bool] = lambda: True,
        on_pause: Callable[[], None] = lambda: None,
        on_step: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self.recovered = 0
        self.damaged: dict[str, str] = {}
        self._world = world
        self._pause = on_pause
        self._step = on_step or (lambda _: None)
        self._lock = threading.RLock()
        self._closing = False
        self._replaceable = False  # whether the unsaved file may be deleted if opening fails
        self._claim = SaveLock(world, lambda: wanted() and not self._closing)
        self._slot: SaveSlot | None = None
        self._opened: tuple[int, int] | None = None  # identity of the unsaved file on the disk
        self._db: sqlite3.Connection | None = None
        self._size = 0.0  # pixels of a cell; 0 as long as the file does not say
        self._older: tuple[tuple[float, int], ...] = ()  # sizes and levels of former grids' cells
        with told(path, "opened"):
            try:
                self._begin(recover=recover)
            except BaseException:
                self._end(keep=not self._replaceable)
                raise

    # ---------------------------------------------------------------------------------------- open

    def _begin(self, *, recover: bool) -> None:
        if self.path is None:
            self._db = self._connect("")
            with contextlib.closing(self._new()) as source:
                self._fill(source)
            return
        slot = SaveSlot(self.path)
        SaveLock.check(slot.unsaved, self.path, _BUSY_S)
        found = slot.look()
        fresh = slot.make_unsaved()
        self._slot, self._replaceable = slot, fresh
        try:
            self._db = self._lock_unsaved(slot, found=found)
        except sqlite3.OperationalError:
            SaveLock.check(slot.unsaved, self.path, 0.0)  # another world was opened just before
            raise
        self._opened = identity(slot.unsaved)
        self._claim.take(slot.unsaved)
        if slot.first:
            self._take_first(slot, recover=recover)
        else:
            if found:
                slot.generation = self._saved_facts(slot).get("save") or "damaged"
            if not (recover and not fresh and self._goes_on(slot)):
                with contextlib.closing(slot.open_save() if found else self._new()) as source:
                    self._fill(source)
        self._check()

    def _connect(self, path: Path | str) -> sqlite3.Connection:
        db = sqlite3.connect(
            path,
            isolation_level=None,
            timeout=_BUSY_S,
            check_same_thread=False,  # the lock gives it to one thread at a time
        )
        try:
            db.execute("PRAGMA trusted_schema=OFF")
            db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
            # One process at a time. The write-ahead log stays open, so a commit is one write.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            # A crash of the system may lose the last seconds. A save itself is synced.
            db.execute("PRAGMA synchronous=NORMAL")
        except BaseException:
            db.close()
            raise
        return db

    def _lock_unsaved(self, slot: SaveSlot, *, found: bool) -> sqlite3.Connection:
        """Opens and locks the unsaved file; moves a damaged one aside and makes a new one."""
        with contextlib.ExitStack() as undo, contextlib.suppress(_DamagedError):
            with _damage():
                db = self._connect(slot.unsaved)
            undo.callback(db.close)
            with _damage():
                db.execute("BEGIN IMMEDIATE")
                db.execute("COMMIT")
                wrong = db.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",)
                if wrong or not is_ours(db):
                    raise _DamagedError
            undo.pop_all()
            return db
        # The game goes on from its last save. The damaged file is kept, not overwritten.
        aside = slot.put_aside()
        self.damaged["what was not saved"] = (
            "it is damaged, or not of this version: the game goes on with "
            f"{'its last save' if found else 'nothing'}; the file is {aside} now"
        )
        slot.make_unsaved()
        return self._lock_unsaved(slot, found=found)

    def _new(self) -> sqlite3.Connection:
        """Returns an empty saved game in memory."""
        db = sqlite3.connect(":memory:", isolation_level=None)
        make_tables(db, {"format": FORMAT, "world": self._world})
        return db

    def _fill(self, source: sqlite3.Connection) -> None:
        db, self._replaceable = self._open(), True
        source.backup(db)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("DELETE FROM unsaved")
        self._put_facts(db, {"base": None if self._slot is None else self._slot.generation})

    def _saved_facts(self, slot: SaveSlot) -> dict[str, Any]:
        with contextlib.closing(slot.open_save()) as db:
            facts, _ = _sound_facts(db)
        self._check_facts(facts)
        return facts

    def _check_facts(self, facts: Mapping[str, Any]) -> None:
        found = facts.get("format")
        if found is None or facts.get("world") is None:
            raise SaveError(
                f"{self.path} is damaged: it does not say which world it belongs to; put a copy "
                "of it in its place"
            )
        if found != FORMAT:
            raise SaveError(f"{self.path} has the format {found}, this version reads {FORMAT}")
        if facts.get("world") != self._world:
            raise SaveError(
                f"{self.path} is a saved game of {facts.get('world')}, not of {self._world}: "
                "choose another file for this world"
            )

    def _goes_on(self, slot: SaveSlot) -> bool:
        """Whether the unsaved file belongs to the save beside it: its changes can be used."""
        db = self._open()
        if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            return False
        facts, _ = _sound_facts(db)
        if slot.generation is None:
            goes_on = "format" in facts and facts.get("base") is None
            if goes_on:
                self._check_facts(facts)
        else:
            goes_on = slot.generation in (facts.get("base"), facts.get("save"))
        if not goes_on:
            if facts.get("base") != "":
                _log.warning(
                    "%s belongs to another save than the one in %s: its changes are discarded",
                    shown(str(slot.unsaved), None),
                    shown(str(slot.path), None),
                )
            return False
        db.execute("PRAGMA journal_mode=WAL")
        if slot.generation is not None and facts.get("base") != slot.generation:
            with self._transaction(db):  # killed after a save, before `base` was set
                self._saved(db, slot.generation)
        self.recovered = db.execute("SELECT count(*) FROM unsaved").fetchone()[0]
        return True

    def _take_first(self, slot: SaveSlot, *, recover: bool) -> None:
        """Converts a save of the first format, and replaces its file by one of this format.

        A game that is killed before the replacement finds the old file, with everything in it.
        """
        with contextlib.closing(slot.open_first()) as old:
            made, since, cells, facts = read_first_format(old, str(self.path), self._paced)
        with contextlib.closing(made):
            found, _ = _sound_facts(made)
            self._check_facts(found)
            generation = _mark()
            self._put_facts(made, {"save": generation})
            db, self._replaceable = self._open(), True
            made.backup(db)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            with self._transaction(db):
                self._put_facts(db, {"base": generation})
                if recover:
                    self._put_rows(db, self._paced(since))
                    values = (cell_values(0.0, cell, when) for cell, when in cells.items())
                    db.executemany(_PUT_CELL, values)
                    self._put_facts(db, facts)
                    self.recovered = len(since)
            db.execute("PRAGMA synchronous=NORMAL")
            slot.write(made, generation, self._step)

    def _check(self) -> None:
        """Checks the tables, and drops damaged rows."""
        db = self._open()
        fault = check_tables(db)
        if fault is not None:
            raise damaged(self.path, fault)
        try:
            with self._transaction(db):
                self._drop_damaged(db)
        except sqlite3.OperationalError as error:
            if "decode" not in str(error):
                raise
            # Text that is not UTF-8 is damage like any other: its seal is wrong.
            db.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
            with self._transaction(db):
                self._drop_damaged(db)
            db.text_factory = str
        facts, _ = _sound_facts(db)
        self._check_facts(facts)
        self._size = float(facts.get("cell_size") or 0.0)
        self._look_for_older()

    def _drop_damaged(self, db: sqlite3.Connection) -> None:
        for name in _sound_facts(db)[1]:
            db.execute("DELETE FROM facts WHERE name IS ?", (name,))
            # All facts have defaults.
            self.damaged[f"the {name} of the save"] = "it is damaged, and begins anew"
        cells = list(db.execute("SELECT size, level, x, y, left_at, seal FROM cells"))
        for row in self._paced(cells):
            if not is_sealed("cells", row):
                where = f"the cell {row[2]}, {row[3]}"
                self.damaged[where] = (
                    "the time at which it was unloaded is damaged, and counts as unknown"
                )
                db.execute(
                    "DELETE FROM cells WHERE size IS ? AND level IS ? AND x IS ? AND y IS ?",
                    row[:4],
                )
        wrong = [
            (row[6], row[0])
            for row in self._paced(db.execute(_COLUMNS.replace(" FROM", ", rowid FROM")))
            if not is_sealed("entities", row[:6])
        ]
        for number, name in wrong:
            self.damaged[str(name)] = (
                "what was saved of it is damaged (its checksum is wrong): it is as the world has "
                "it, or not there if it was added"
            )
            db.execute("DELETE FROM entities WHERE rowid=?", (number,))

    # --------------------------------------------------------------------------------------- shared

    def _paced(self, rows: Iterable[_T]) -> Iterator[_T]:
        """Yields the same rows, with a pause for the game after every 50."""
        for number, row in enumerate(rows, 1):
            yield row
            if not number % _AT_A_TIME:
                self._pause()

    @contextlib.contextmanager
    def _transaction(self, db: sqlite3.Connection) -> Generator[None]:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._step("commit")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # on a full disk, SQLite has rolled back already
                db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        with self._lock, told(self.path, "written"):
            self._keep_unsaved()
            db = self._open()
            self._step("begin")
            with self._transaction(db):
                yield db
            self._step("committed")

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            raise SaveError(f"the save {self.path} is closed")
        return self._db

    def _keep_unsaved(self) -> None:
        """Writes the unsaved file anew if it was deleted while the world is open."""
        slot, db = self._slot, self._open()
        if slot is None or not slot.lost(self._opened):
            return
        unsaved = shown(str(slot.unsaved), None)
        _log.warning("%s was deleted while it was open: it is made anew", unsaved)
        slot.put_unsaved(db)
        db.close()  # before the new file has a log: closing deletes the log of that name
        self._db = self._connect(slot.unsaved)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._opened = identity(slot.unsaved)
        self._claim.take(slot.unsaved)

    # ---------------------------------------------------------------------------------------- grid

    def fit(self, cell_size: float) -> None:
        """Assigns entities to cells by their positions, if the world's cell size has changed.

        Args:
            cell_size: Pixels of a cell.

        Raises:
            SaveError: The file cannot be read or written.
        """
        if cell_size == self._size:
            return
        with self._writing() as db:
            read = db.execute(f"{_COLUMNS} ORDER BY id")
            rows = [row_of(one) for one in self._paced(read)]
            changed, before = in_grid(rows, Grid(cell_size), self._size or None, self._paced)
            for old, new in changed:
                if new is None:
                    self.damaged[old.id] = (
                        "the world's cells have another size now, and it has no id of its own: "
                        "nobody knows which one it was"
                    )
                    db.execute("DELETE FROM entities WHERE id=?", (old.id,))
            kept = self._paced(new for _, new in changed if new is not None)
            db.executemany(_PUT, map(row_values, kept))
            if not self._size:
                found = db.execute("SELECT level, x, y, left_at FROM cells WHERE size=0")
                cells = [(GridCell(x, y, level), when) for level, x, y, when in found.fetchall()]
                db.execute("DELETE FROM cells WHERE size=0")
                db.executemany(_PUT_CELL, (cell_values(before, *one) for one in cells))
            self._put_facts(db, {"cell_size": cell_size})
        self._size = float(cell_size)
        with self._lock, told(self.path, "read"):
            self._look_for_older()

    def unplaced(self) -> list[SavedEntity]:
        """Returns entities of which only the id and the position are known, for `Tracer`.

        Raises:
            SaveError: The file cannot be read, or a row is damaged.
        """
        with self._lock, told(self.path, "read"):
            # Many only in a save of the first format that is opened for the first time.
            found = self._open().execute(f"{_COLUMNS} WHERE cell=? ORDER BY id", (WHEREVER,))
            rows = [self._row(one) for one in self._paced(found)]
        return [row for row in rows if row.diff is not None and row.diff.place is not None]

    def place(self, rows: Iterable[SavedEntity]) -> None:
        """Writes rows whose cells were found, all of them or none.

        Raises:
            SaveError: The file cannot be written.
        """
        with self._writing() as db:
            db.executemany(_PUT, map(row_values, self._paced(rows)))

    def _look_for_older(self) -> None:
        found = self._open().execute("SELECT DISTINCT size, level FROM cells ORDER BY 1, 2")
        self._older = tuple((size, level) for size, level in found if size not in (0, self._size))

    # ---------------------------------------------------------------------------------------- read

    def facts(self) -> dict[str, Any]:
        """Returns what else was saved, by name, such as the world's time.

        Raises:
            SaveError: The file cannot be read.
        """
        with self._lock, told(self.path, "read"):
            return _sound_facts(self._open())[0]

    def cell(self, label: str, names: Sequence[str] = ()) -> SavedCell:
        """Returns what is saved of a cell.

        That is: the entities that are in the cell, and those that the world's data has in it,
        wherever they are now.

        Args:
            label: The cell's label.
            names: The ids of the cell's entities in the world's data. When they were saved, another
                cell's data may have had them: the world may have been edited since.

        Raises:
            SaveError: The file cannot be read, or a row is damaged.
        """
        with self._lock, told(self.path, "read"):
            db = self._open()
            # A named parameter: Python 3.12.1 warns of `?1`, which it takes for a named one.
            own = db.execute(f"{_COLUMNS} WHERE home=:cell OR cell=:cell", {"cell": label})
            found = {row[0]: row for row in own}
            for start in range(0, len(names), _AT_ONCE):
                some = [name for name in names[start : start + _AT_ONCE] if name not in found]
                marks = ",".join("?" * len(some))
                found.update(
                    (row[0], row) for row in db.execute(f"{_COLUMNS} WHERE id IN ({marks})", some)
                )
            cell = cell_of(label)
            left = None if cell is None else self._left(db, cell)
            older = () if cell is None else tuple(self._left_before(db, cell))
        return SavedCell(tuple(self._row(found[name]) for name in sorted(found)), left, older)

    def _left(self, db: sqlite3.Connection, cell: GridCell) -> float | None:
        query = "SELECT left_at FROM cells WHERE size=? AND level=? AND x=? AND y=?"
        found = db.execute(query, (self._size, cell.level, cell.column, cell.row)).fetchone()
        return None if found is None else float(found[0])

    def _left_before(
        self, db: sqlite3.Connection, cell: GridCell
    ) -> Generator[tuple[tuple[float, float, float, float], float]]:
        """Yields the boxes of former grids' cells that touch a cell, and when each was unloaded."""
        if not self._size:
            return
        left, bottom, right, top = Grid(self._size).box(cell)
        query = (
            "SELECT x, y, left_at FROM cells WHERE size=? AND level=? "
            "AND x BETWEEN ? AND ? AND y BETWEEN ? AND ?"
        )
        for size, level in self._older:
            grid = Grid(size)
            first, last = grid.cell_at(left, bottom, level), grid.cell_at(right, top, level)
            span = (first.column, last.column, first.row, last.row)
            for x, y, when in db.execute(query, (size, level, *span)):
                yield grid.box(GridCell(x, y, level)), float(when)

    def _row(self, values: tuple[Any, ...]) -> SavedEntity:
        try:
            return row_of(values)
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            raise SaveError(f"{self.path}: the entity {values[0]} is damaged: {error}") from error

    def visited(self) -> list[str]:
        """Returns the labels of all cells that entities have moved or were added to.

        Raises:
            SaveError: The file cannot be read.
        """
        query = "SELECT DISTINCT cell FROM entities WHERE cell IS NOT NULL AND cell IS NOT home"
        with self._lock, told(self.path, "read"):
            return [str(row[0]) for row in self._open().execute(f"{query} ORDER BY 1")]

    def row(self, name: str) -> SavedEntity | None:
        """Returns what is saved of one entity, or None.

        Raises:
            SaveError: The file cannot be read, or the row is damaged.
        """
        with self._lock, told(self.path, "read"):
            found = self._open().execute(f"{_COLUMNS} WHERE id=?", (name,)).fetchone()
        return None if found is None else self._row(found)

    # --------------------------------------------------------------------------------------- write

    def write(
        self, rows: Iterable[SavedEntity], cells: Mapping[str, float], facts: Mapping[str, Any]
    ) -> None:
        """Writes changes as unsaved ones, in one transaction.

        Args:
            rows: The newest state of changed entities.
            cells: When cells were unloaded, in seconds of the world's time, by label.
            facts: Further values, by name.

        Raises:
            SaveError: The file cannot be written; it is as before then.
        """
        with self._writing() as db:
            self._put(db, rows, cells, facts)

    def save(
        self, rows: Iterable[SavedEntity], cells: Mapping[str, float], facts: Mapping[str, Any]
    ) -> int:
        """Writes changes, and then a save of everything; returns the number of entities in it.

        Args:
            rows: The newest state of changed entities.
            cells: When cells were unloaded, in seconds of the world's time, by label.
            facts: Further values, by name.

        Raises:
            SaveError: The save cannot be written, or another file has taken its name; the save
                before stays as it is.
        """
        generation = _mark()
        with self._lock:
            with self._writing() as db:
                self._put(db, rows, cells, facts)
                self._put_facts(db, {"save": generation})
                count: int = db.execute("SELECT count(*) FROM entities").fetchone()[0]
            with told(self.path, "written"):
                if self._slot is not None:
                    self._slot.write(db, generation, self._step)
            # The save is done. If this fails, the next session sees it by the generation.
            with contextlib.suppress(SaveError), self._writing() as db:
                self._saved(db, generation)
            return count

    def _saved(self, db: sqlite3.Connection, generation: str) -> None:
        """Notes that the save of that generation has all changes."""
        self._put_facts(db, {"base": generation})
        db.execute("DELETE FROM unsaved")

    def _put(
        self,
        db: sqlite3.Connection,
        rows: Iterable[SavedEntity],
        cells: Mapping[str, float],
        facts: Mapping[str, Any],
    ) -> None:
        self._put_rows(db, rows)
        self._step("rows")
        known = ((cell_of(label), when) for label, when in cells.items())
        values = (cell_values(self._size, cell, when) for cell, when in known if cell is not None)
        db.executemany(_PUT_CELL, values)
        base = None if self._slot is None else self._slot.generation
        self._put_facts(db, {**facts, "base": base})

    def _put_rows(self, db: sqlite3.Connection, rows: Iterable[SavedEntity]) -> None:
        known = list(rows)
        needless = [(row.id,) for row in known if row.needless]
        db.executemany(_PUT, (row_values(row) for row in known if not row.needless))
        db.executemany("DELETE FROM entities WHERE id=?", needless)
        db.executemany("INSERT OR IGNORE INTO unsaved VALUES (?)", ((row.id,) for row in known))

    def _put_facts(self, db: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
        db.executemany(
            "REPLACE INTO facts VALUES (?,?,?)", (fact_values(*one) for one in facts.items())
        )

    def close(self, *, discard: bool = True) -> None:
        """Closes the file, and deletes unsaved changes unless they are to be kept.

        A second call does nothing.

        Args:
            discard: Whether to delete unsaved changes; if False, the next game that opens the save
                takes them over.

        Raises:
            SaveError: The unsaved changes can neither be kept nor discarded.
        """
        with self._lock:
            if self._db is None:
                return
            self._closing = True
            keep = not discard
            try:
                if self._slot is None:
                    return
                if keep:
                    with told(self.path, "written"):
                        self._keep_unsaved()
                        query = "SELECT count(*) FROM unsaved"
                        keep = self._open().execute(query).fetchone()[0] > 0
                elif not self._slot.lost(self._opened):
                    # If the game is killed before the file is deleted, no game takes it over.
                    with self._writing() as db:
                        self._put_facts(db, {"base": "", "save": ""})
            finally:
                self._end(keep=keep)

    def _end(self, *, keep: bool) -> None:
        self._closing = True
        db, self._db = self._db, None
        if db is not None:
            db.close()
        if self._slot is not None and not keep:
            self._slot.delete_unsaved(self._opened)
        self._claim.release()


class _DamagedError(Exception):
    """The unsaved file is no saved game, or damaged."""


@contextlib.contextmanager
def _damage() -> Generator[None]:
    try:
        yield
    except sqlite3.OperationalError:  # the file is locked, or the like
        raise
    except sqlite3.DatabaseError as error:
        raise _DamagedError from error


def _mark() -> str:
    """Returns a new generation, unique for each save."""
    return uuid.uuid4().hex


def _sound_facts(db: sqlite3.Connection) -> tuple[dict[str, Any], list[Any]]:
    """Returns the facts whose seals are right, and the names of the others."""
    sound: dict[str, Any] = {}
    wrong: list[Any] = []
    for row in db.execute("SELECT name, value, seal FROM facts"):
        if is_sealed("facts", row):
            sound[row[0]] = row[1]
        else:
            wrong.append(row[0])
    return sound, wrong
