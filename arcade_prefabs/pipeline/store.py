"""The bake store: one SQLite file that keeps everything that was baked.

SQLite gives what a format of our own would have to earn: a commit is there whole or not at all,
also after a power cut, and several processes can read while one writes.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ..errors import StoreError
from .pages import Dictionary
from .schema import FORMAT, SCHEMA

__all__ = ["BakeStore", "DamagedStoreError"]

# Seconds that one process waits for another one's commit; a commit takes milliseconds.
_BUSY_S: Final = 20.0
# SQLite moves the write-ahead log into the file when it has this many pages of 4 kB.
_CHECKPOINT_PAGES: Final = 1000


class DamagedStoreError(StoreError):
    """The file is no store, or a damaged one: it has to be made anew."""


class BakeStore:
    """A bake store, or a release file, which has the same format.

    Args:
        path: The file. It is made if it is not there; its folder must exist.
        read_only: Open a release file: nothing in it changes, and nothing is made.
        on_step: Called with the name of every step of a commit before it is taken, for tests that
            end the process there.
        most_pages: Pages of 4 kB that the file may have, None for as many as the disk holds.

    Raises:
        DamagedStoreError: The file is no store of this version.
        StoreError: It cannot be opened or made.

    Any thread: readers have a connection each, writers take turns.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        on_step: Callable[[str], None] | None = None,
        most_pages: int | None = None,
    ) -> None:
        self.path = path
        self.read_only = read_only
        self.step: Callable[[str], None] = on_step or (lambda _: None)
        self._most_pages = most_pages
        self._lock = threading.RLock()
        self._pool_lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self.generation = 0  # rises when the file is made anew: numbers of the old one mean nothing
        self._dictionaries: dict[int, Dictionary] = {}
        self._writer: sqlite3.Connection | None = None
        self._open()

    # ----------------------------------------------------------------------------------- opening

    def _open(self) -> None:
        with self._translated():
            if self.read_only:
                if not self.path.is_file():
                    raise StoreError(f"there is no release file {self.path}")
                connection = self._connect()
                try:
                    self._check_format(connection)
                except BaseException:
                    connection.close()
                    raise
                self._idle.append(connection)
                return
            self._writer = self._connect()
            try:
                self._prepare(self._writer)
            except BaseException:
                self._writer.close()
                self._writer = None
                raise

    def _connect(self) -> sqlite3.Connection:
        mode = "ro&immutable=1" if self.read_only else "rwc"
        # Ours: we give a connection to one thread at a time.
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(self.path))}?mode={mode}",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        # The schema of a file that came from elsewhere must not call functions.
        connection.execute("PRAGMA trusted_schema=OFF")
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # With NORMAL a power cut may take the last commits with it, never the file.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        # Where it cannot be had (network drives), SQLite stays with its older journal.
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
        if self._most_pages is not None:
            connection.execute(f"PRAGMA max_page_count={self._most_pages}")
        # Two processes may come here at once.
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                for statement in SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute("INSERT INTO facts VALUES ('format', ?)", (FORMAT,))
                self.step("schema")
            self._check_format(connection)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _check_format(self, connection: sqlite3.Connection) -> None:
        try:
            found = connection.execute("SELECT value FROM facts WHERE name='format'").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            found = None
        if found is None:
            raise DamagedStoreError(f"{self.path} is no bake store")
        if found[0] != FORMAT:
            raise DamagedStoreError(
                f"{self.path} has the format {found[0]}, this version reads {FORMAT}: bake again"
            )

    def rebuild(self) -> Path | None:
        """Put a damaged file aside and begin a new one; gives where the old one is now.

        Raises:
            StoreError: It cannot be moved: on Windows, while another process has it open.

        Any thread.
        """
        if self.read_only:
            raise StoreError(f"{self.path} is a release file: it cannot be made anew here")
        with self._lock:
            self._close_connections()
            with self._pool_lock:
                self.generation += 1
            aside = set_aside(self.path)
            self._dictionaries.clear()
            self._open()
            return aside

    # --------------------------------------------------------------------------------- using it

    @contextlib.contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """A connection to read with; what it sees during one statement does not change.

        Raises:
            StoreError: The store is closed, or cannot be read.

        Any thread.
        """
        with self._translated():
            with self._pool_lock:
                if self._closed:
                    raise StoreError(f"the store {self.path} is closed")
                generation = self.generation
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                connection = self._connect()
                connection.execute("PRAGMA query_only=1")
            try:
                yield connection
            finally:
                with self._pool_lock:
                    keep = not self._closed and generation == self.generation
                    if keep:
                        self._idle.append(connection)
                if not keep:
                    connection.close()

    @contextlib.contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """A connection inside a transaction: committed at the end, undone by an exception.

        Raises:
            StoreError: The store is closed or read-only, the disk is full, or another process has
                been writing for too long.

        Any thread; one at a time, the others wait.
        """
        with self._lock, self._translated():
            connection = self._writer
            if connection is None:
                reason = "read-only" if self.read_only else "closed"
                raise StoreError(f"the store {self.path} is {reason}")
            self.step("begin")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                self.step("commit")
                connection.execute("COMMIT")
            except BaseException:
                # SQLite itself has undone it where the disk was full.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            self.step("committed")

    def dictionary(self, number: int) -> Dictionary | None:
        """The dictionary of that number; None for pages that need none. Any thread."""
        if number <= 0:
            return None
        known = self._dictionaries.get(number)
        if known is None:
            with self.reading() as db:
                row = db.execute(
                    "SELECT data FROM dictionaries WHERE number=?", (number,)
                ).fetchone()
            if row is None:
                raise DamagedStoreError(f"{self.path} lacks the dictionary {number} of its pages")
            known = self._dictionaries[number] = Dictionary(number, row[0])
        return known

    def newest_dictionary(self) -> Dictionary | None:
        """The dictionary that new pages are packed with, if there is one. Any thread."""
        with self.reading() as db:
            number = db.execute("SELECT max(number) FROM dictionaries").fetchone()[0]
        return self.dictionary(number or 0)

    def file_bytes(self) -> int:
        """Bytes on disk, the write-ahead log included. Any thread."""
        total = 0
        for ending in ("", "-wal"):
            with contextlib.suppress(OSError):
                total += Path(f"{self.path}{ending}").stat().st_size
        return total

    def settle(self) -> None:
        """Move what was committed from the log into the file, if nobody reads just now. Any thread.

        The log would keep the size of the largest bake otherwise.
        """
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._writer is not None:
                # One page for each row that is fetched.
                self._writer.execute("PRAGMA incremental_vacuum").fetchall()
                self._writer.execute("PRAGMA busy_timeout=0")
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._writer is not None:
                self._writer.execute(f"PRAGMA busy_timeout={int(_BUSY_S * 1000)}")

    def compact(self) -> None:
        """Give the room of what was deleted back to the disk.

        Raises:
            StoreError: The store is read-only, or others are using it.

        Any thread. Takes as long as writing the whole file anew.
        """
        with self._lock, self._translated():
            if self._writer is None:
                raise StoreError(f"the store {self.path} cannot be written")
            self._writer.execute("VACUUM")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @property
    def closed(self) -> bool:
        """Whether `close` was called. Any thread."""
        return self._closed

    def close(self) -> None:
        """Close the file; may be called twice. Any thread."""
        with self._lock:
            with self._pool_lock:
                self._closed = True
            self._close_connections()

    def _close_connections(self) -> None:
        with self._pool_lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._story(error) from error

    def _story(self, error: sqlite3.Error) -> StoreError:
        """What an error of SQLite means to somebody who does not know SQLite."""
        text = str(error)
        name = getattr(error, "sqlite_errorname", "")
        if name == "SQLITE_FULL":
            return StoreError(
                f"{self.path} cannot grow: the disk, or its quota, is full. "
                "What was committed before is safe; make room and bake again"
            )
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return StoreError(f"{self.path} has been in use by another program for too long")
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_FORMAT")):
            return DamagedStoreError(f"{self.path} is damaged: {text}")
        if name.startswith("SQLITE_ERROR") and "no such" in text:
            return DamagedStoreError(f"{self.path} is no bake store: {text}")
        return StoreError(f"{self.path} cannot be used: {text}")


def set_aside(path: Path) -> Path | None:
    """Move a damaged store out of the way; its journals, which belong to it alone, are deleted."""
    aside = path.with_name(path.name + ".damaged")
    try:
        for ending in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        if not path.exists():
            return None
        path.replace(aside)
    except OSError as error:
        raise StoreError(
            f"{path} is damaged and cannot be moved: {error.strerror}; delete it"
        ) from error
    return aside
