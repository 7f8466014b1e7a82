"""`SaveFile`: one saved game, an SQLite file that holds only what the game changed.

Two sets of tables: what `save` has saved, and what has happened since. A game that ends without
closing its world finds both when it opens it again; one that closes it without saving, the first.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from ..errors import SaveError
from .deltas import Delta

__all__ = ["CellRecord", "SaveFile", "SavedRow"]

_APPLICATION: Final = 0x41505357  # "APSW", arcade_prefabs saved world
FORMAT: Final = 1
# A game that was killed a moment ago may still be ending.
_BUSY_S: Final = 2.0
# A row says little: more than that was not written by us.
_MOST_BYTES: Final = 64 * 1024 * 1024

_SCHEMA: Final = """
CREATE TABLE facts(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE saved(id TEXT PRIMARY KEY, home TEXT, cell TEXT, left_at REAL, data BLOB);
CREATE INDEX saved_home ON saved(home);
CREATE INDEX saved_cell ON saved(cell);
CREATE TABLE working(id TEXT PRIMARY KEY, home TEXT, cell TEXT, left_at REAL, data BLOB);
CREATE INDEX working_home ON working(home);
CREATE INDEX working_cell ON working(cell);
CREATE TABLE saved_cells(cell TEXT PRIMARY KEY, left_at REAL) WITHOUT ROWID;
CREATE TABLE working_cells(cell TEXT PRIMARY KEY, left_at REAL) WITHOUT ROWID
"""

# The newest row of each entity that is asked for.
_BOTH: Final = (
    "SELECT id, home, cell, left_at, data FROM working WHERE {0} "
    "UNION ALL SELECT id, home, cell, left_at, data FROM saved "
    "WHERE ({0}) AND id NOT IN (SELECT id FROM working)"
)
_AT_ONCE: Final = 400

# Not JSON: it has no infinity, which games like to put into a field.
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Delta).decode


class SavedRow(NamedTuple):
    """What is kept of an entity.

    Attributes:
        id: Its name in the world.
        home: The label of the cell whose content tells of it; None if it was added.
        cell: The label of the cell that it is in; None if it was destroyed.
        left_at: World's time at which it was unloaded there, in seconds.
        delta: What changed of it; None if nothing did, and its row can go.
    """

    id: str
    home: str | None
    cell: str | None
    left_at: float
    delta: Delta | None

    @property
    def destroyed(self) -> bool:
        """Whether it was destroyed."""
        return self.cell is None


class CellRecord(NamedTuple):
    """What is kept of a cell.

    Attributes:
        rows: Entities that it tells of, or that are in it.
        left_at: World's time at which it was unloaded last, in seconds; None if it never was.
    """

    rows: tuple[SavedRow, ...]
    left_at: float | None


class SaveFile:
    """A saved game.

    Args:
        path: The file, which is made if it is not there; None for one that lasts as long as this.
        world: The id of the world that it belongs to.
        recover: Whether to go on with what happened after the last save in a game that did not
            end properly.
        on_step: Called with the name of each step of a write before it is taken; for tests.

    Attributes:
        path: See above.
        recovered: How many entities had changed in a game that did not end properly.

    Raises:
        SaveError: The file is no saved game, belongs to another world, is in use, or cannot be
            read or made.

    Any thread; one at a time, the others wait.
    """

    def __init__(
        self,
        path: Path | None,
        world: str,
        *,
        recover: bool = True,
        on_step: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self.recovered = 0
        self._step = on_step or (lambda _: None)
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        with self._translated("opened"):
            if path is not None and path.is_dir():
                raise SaveError(f"{path} is a folder, not a saved game")
            db = sqlite3.connect(
                "" if path is None else os.fsdecode(path),
                isolation_level=None,
                timeout=_BUSY_S,
                check_same_thread=False,  # the lock gives it to one thread at a time
            )
            self._db = db
            try:
                self._prepare(db, world, recover=recover)
            except BaseException:
                self._db = None
                db.close()
                raise

    def _prepare(self, db: sqlite3.Connection, world: str, *, recover: bool) -> None:
        db.execute("PRAGMA trusted_schema=OFF")
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
        # One game at a time; the log stays, so that a commit is one write.
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        mark = db.execute("PRAGMA application_id").fetchone()[0]
        if tables and mark != _APPLICATION:
            raise SaveError(f"{self.path} is no saved game: choose another file")
        db.execute("PRAGMA journal_mode=WAL")
        # Every save is on the disk when it says so. What happens between is not waited for.
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("BEGIN IMMEDIATE")
        if not tables:
            db.execute(f"PRAGMA application_id={_APPLICATION}")
            for statement in _SCHEMA.strip().split(";\n"):
                db.execute(statement)
            self._put_facts(db, {"format": FORMAT, "world": world})
        facts = dict(db.execute("SELECT name, value FROM facts"))
        if facts.get("format") != FORMAT:
            found = facts.get("format")
            raise SaveError(f"{self.path} has the format {found}, this version reads {FORMAT}")
        if facts.get("world") != world:
            raise SaveError(
                f"{self.path} is a saved game of {facts.get('world')}, not of {world}: "
                "choose another file for this world"
            )
        if recover:
            self.recovered = db.execute("SELECT count(*) FROM working").fetchone()[0]
        else:
            self._discard(db)
        db.execute("COMMIT")

    @contextlib.contextmanager
    def _translated(self, what: str) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            where = "the game of this session" if self.path is None else f"the save {self.path}"
            reason = str(error)
            if "locked" in reason:
                reason = "another game has it open"
            elif "not a database" in reason:
                raise SaveError(f"{self.path} is no saved game: choose another file") from error
            raise SaveError(f"{where} cannot be {what}: {reason}") from error

    @contextlib.contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        with self._lock, self._translated("written"):
            db = self._open()
            self._step("begin")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                self._step("commit")
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # SQLite itself has undone it where the disk was full
                    db.execute("ROLLBACK")
                raise
            self._step("committed")

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            raise SaveError(f"the save {self.path} is closed")
        return self._db

    # ---------------------------------------------------------------------------------------- read

    def facts(self) -> dict[str, Any]:
        """What else was saved: the time of the world, for one.

        Raises:
            SaveError: It cannot be read.
        """
        with self._lock, self._translated("read"):
            db = self._open()
            return dict(db.execute("SELECT name, value FROM facts"))

    def cell(self, label: str, names: Sequence[str] = ()) -> CellRecord:
        """What is kept of a cell: who is in it, and whom it tells of, wherever that is.

        Args:
            label: The cell.
            names: The entities that its content tells of. The world's file may have been edited
                since: another cell may have told of them when they were saved.

        Raises:
            SaveError: It cannot be read, or something in it is damaged.
        """
        with self._lock, self._translated("read"):
            db = self._open()
            # By name: Python 3.12.1 takes numbered marks for named ones, and warns.
            here = {"cell": label}
            own = db.execute(_BOTH.format("home=:cell OR cell=:cell"), here)
            found = {row[0]: row for row in own}
            for start in range(0, len(names), _AT_ONCE):
                some = [name for name in names[start : start + _AT_ONCE] if name not in found]
                marks = ",".join("?" * len(some))
                found.update(
                    (row[0], row) for row in db.execute(_BOTH.format(f"id IN ({marks})"), some * 2)
                )
            left = db.execute(
                "SELECT max(left_at) FROM (SELECT left_at FROM working_cells WHERE cell=:cell "
                "UNION ALL SELECT left_at FROM saved_cells WHERE cell=:cell)",
                here,
            ).fetchone()[0]
        return CellRecord(tuple(self._row(*found[name]) for name in sorted(found)), left)

    def _row(self, name: Any, home: Any, cell: Any, left_at: Any, data: Any) -> SavedRow:
        try:
            delta = None if data is None else _decode(data)
            return SavedRow(str(name), home, cell, float(left_at), delta)
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            raise SaveError(f"{self.path}: the entity {name} is damaged: {error}") from error

    def visited(self) -> list[str]:
        """The labels of all cells that something is in which another cell, or none, tells of.

        Raises:
            SaveError: It cannot be read.
        """
        query = "SELECT DISTINCT cell FROM {} WHERE cell IS NOT NULL AND cell IS NOT home"
        with self._lock, self._translated("read"):
            db = self._open()
            both = f"{query.format('working')} UNION {query.format('saved')} ORDER BY 1"
            return [str(row[0]) for row in db.execute(both)]

    def row(self, name: str) -> SavedRow | None:
        """What is kept of one entity.

        Raises:
            SaveError: It cannot be read, or is damaged.
        """
        with self._lock, self._translated("read"):
            db = self._open()
            for table in ("working", "saved"):
                query = f"SELECT id, home, cell, left_at, data FROM {table} WHERE id=?"
                found = db.execute(query, (name,)).fetchone()
                if found is not None:
                    return self._row(*found)
        return None

    # --------------------------------------------------------------------------------------- write

    def write(
        self, rows: Iterable[SavedRow], cells: Mapping[str, float], facts: Mapping[str, Any]
    ) -> None:
        """Keep what happened, as what is not saved yet.

        Raises:
            SaveError: It cannot be written; nothing of it is.
        """
        with self._writing() as db:
            self._put(db, rows, cells, facts)

    def save(
        self, rows: Iterable[SavedRow], cells: Mapping[str, float], facts: Mapping[str, Any]
    ) -> int:
        """Keep what happened, and save all of that; gives how many entities are in the save.

        Raises:
            SaveError: It cannot be written; what was saved before stays.
        """
        with self._lock:
            with self._translated("written"):
                self._open().execute("PRAGMA synchronous=FULL")
            try:
                with self._writing() as db:
                    self._put(db, rows, cells, facts)
                    self._step("merge")
                    db.execute("REPLACE INTO saved SELECT * FROM working")
                    # Nothing is to be known of what is as it was, or was added and destroyed.
                    db.execute(
                        "DELETE FROM saved WHERE data IS NULL AND (cell IS home OR home IS NULL)"
                    )
                    db.execute("REPLACE INTO saved_cells SELECT * FROM working_cells")
                    self._discard(db)
                    count: int = db.execute("SELECT count(*) FROM saved").fetchone()[0]
                return count
            finally:
                with contextlib.suppress(sqlite3.Error):
                    self._open().execute("PRAGMA synchronous=NORMAL")

    def _put(
        self,
        db: sqlite3.Connection,
        rows: Iterable[SavedRow],
        cells: Mapping[str, float],
        facts: Mapping[str, Any],
    ) -> None:
        db.executemany(
            "REPLACE INTO working VALUES (?,?,?,?,?)",
            [(*row[:4], None if row.delta is None else _encode(row.delta)) for row in rows],
        )
        self._step("rows")
        db.executemany("REPLACE INTO working_cells VALUES (?,?)", cells.items())
        self._put_facts(db, facts)

    def _put_facts(self, db: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
        db.executemany("REPLACE INTO facts VALUES (?,?)", facts.items())

    def _discard(self, db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM working")
        db.execute("DELETE FROM working_cells")
        db.execute(
            "UPDATE facts SET value=(SELECT value FROM facts WHERE name='saved_time') "
            "WHERE name='time'"
        )

    def close(self, *, discard: bool = True) -> None:
        """Close it, and forget what was not saved. Twice is fine."""
        with self._lock:
            if self._db is None:
                return
            try:
                if discard:
                    with self._writing() as db:
                        self._discard(db)
            finally:
                db, self._db = self._db, None
                db.close()
