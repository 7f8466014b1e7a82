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

import msgspec

from ...errors import StoreError
from ..model.page_codec import CompressionDictionary
from .locations import identity, set_aside
from .schema import ADDED, FORMAT, SCHEMA, use_write_ahead_log

__all__ = ["AnotherStoreError", "BakeStore", "DamagedStoreError"]

# Seconds that one process waits for another one's commit; a commit takes milliseconds.
_BUSY_S: Final = 20.0
# SQLite moves the write-ahead log into the file when it has this many pages of 4 kB.
_CHECKPOINT_PAGES: Final = 1000
# What SQLite says of a damaged file. No statement of ours breaks a constraint of a sound one.
_DAMAGE: Final = tuple(
    f"SQLITE_{name}" for name in ("NOTADB", "CORRUPT", "FORMAT", "CONSTRAINT", "MISMATCH")
)


class DamagedStoreError(StoreError):
    """The file is no store, or a damaged one: it has to be made anew.

    Attributes:
        generation: That of the store which is damaged, None if no matter which.
    """

    generation: int | None = None


class AnotherStoreError(DamagedStoreError):
    """A new store was begun meanwhile, here or by another program: look at everything again."""


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
        self._begun = threading.local()  # the generation that a thread's numbers are of
        self._identity: tuple[int, int] | None = None
        self._dictionaries: dict[int, CompressionDictionary] = {}
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
            # Looked at before it is opened: if another one takes its place in between, that is
            # noticed with the next transaction.
            self._identity = identity(self.path)
            self._writer = self._connect()
            self._identity = self._identity or identity(self.path)
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
        use_write_ahead_log(connection, _BUSY_S)
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
            for statement in ADDED:
                connection.execute(statement)
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

    def rebuild(self, generation: int | None = None) -> Path | None:
        """Put a damaged file aside and begin a new one; gives where the old one is now.

        Args:
            generation: That of the damaged one. Where another one is in its place already, begun
                by another thread or program, that one is used, and None is given.

        Raises:
            StoreError: It cannot be moved: on Windows, while another process has it open.

        Any thread.
        """
        if self.read_only:
            raise StoreError(f"{self.path} is a release file: it cannot be made anew here")
        with self._lock:
            self._notice_another()
            if generation not in (None, self.generation):
                return None
            return self._open_anew(set_aside)

    def _open_anew(self, before: Callable[[Path], Path | None]) -> Path | None:
        self._close_connections()
        with self._pool_lock:
            self.generation += 1
        self._dictionaries.clear()
        aside = before(self.path)
        self._open()
        return aside

    def _notice_another(self) -> None:
        """Go over to the file that another program began in place of ours.

        What we write into ours is lost then. One that was deleted is used on: there is no other.
        """
        if self.read_only or identity(self.path) in (None, self._identity):
            return
        with self._lock:
            # It may be this thread's own transaction, which is about to ask for a dictionary.
            within = self._writer is not None and self._writer.in_transaction
            there = identity(self.path)
            if not (self._closed or within) and there not in (None, self._identity):
                self._open_anew(lambda _: None)

    # --------------------------------------------------------------------------------- using it

    def begin(self) -> None:
        """Note that this thread reads numbers from now on, which `writing` is to check.

        Any thread.
        """
        with self._translated():
            self._notice_another()
        self._begun.generation = self.generation

    @contextlib.contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """A connection to read with; what it sees during one statement does not change.

        Raises:
            StoreError: The store is closed, or cannot be read.

        Any thread.
        """
        with self._translated():
            self._notice_another()
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
    def writing(self, *, begun: bool = False) -> Generator[sqlite3.Connection]:
        """A connection inside a transaction: committed at the end, undone by an exception.

        Args:
            begun: What is written names rows by numbers that this thread has read since `begin`.

        Raises:
            AnotherStoreError: Those numbers are of another store than the one that is there now.
            StoreError: The store is closed or read-only, the disk is full, or another process has
                been writing for too long.

        Any thread; one at a time, the others wait.
        """
        with self._lock, self._translated():
            self._notice_another()
            if begun and getattr(self._begun, "generation", self.generation) != self.generation:
                raise AnotherStoreError(f"{self.path} was begun anew meanwhile")
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

    def dictionary(self, number: int) -> CompressionDictionary | None:
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
            known = CompressionDictionary(number, row[0])
            if not isinstance(row[0], bytes) or not known.sound:
                raise DamagedStoreError(f"{self.path} has a damaged dictionary of its pages")
            self._dictionaries[number] = known
        return known

    def newest_dictionary(self) -> CompressionDictionary | None:
        """The dictionary that new pages are packed with, if there is one. Any thread."""
        with self.reading() as db:
            number = db.execute("SELECT number FROM dictionaries LIMIT 1").fetchone()
        return self.dictionary(number[0]) if number else None

    def check(self) -> None:
        """Read the whole file, and raise `DamagedStoreError` if its structure hides rows.

        Any thread.
        """
        with self.reading() as db:
            found = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != ("ok",):
            raise self._damaged(str(found[0]).replace("\n", " ") if found else "it is empty")

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
                # A row for each page, but no column: `execute` would end after the first one.
                self._writer.executescript("PRAGMA incremental_vacuum")
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
        generation = self.generation
        try:
            yield
        except DamagedStoreError as error:
            error.generation = generation if error.generation is None else error.generation
            raise
        # SQLite's messages quote what is damaged, hence the second one.
        except (sqlite3.Error, UnicodeDecodeError, msgspec.ValidationError) as error:
            told = self._story(error)
            if isinstance(told, DamagedStoreError):
                told.generation = generation
            raise told from error

    def _damaged(self, text: str) -> DamagedStoreError:
        advice = "; get a sound copy of the file" if self.read_only else ""
        return DamagedStoreError(f"{self.path} is damaged: {text}{advice}")

    def _story(self, error: Exception) -> StoreError:
        """What an error of SQLite means to somebody who does not know SQLite."""
        if not self.read_only and identity(self.path) not in (None, self._identity):
            return AnotherStoreError(f"{self.path} was begun anew meanwhile")
        text = str(error)
        name = getattr(error, "sqlite_errorname", "")
        if name == "SQLITE_FULL":
            return StoreError(
                f"{self.path} cannot grow: the disk, or its quota, is full. "
                "What was committed before is safe; make room and bake again"
            )
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return StoreError(f"{self.path} has been in use by another program for too long")
        if not isinstance(error, sqlite3.Error):
            return self._damaged(f"a row holds what it cannot: {text}")
        # The header says whether a file may be written, too.
        locked = name == "SQLITE_READONLY" and os.access(self.path, os.W_OK)
        if locked or name.startswith(_DAMAGE) or "decode to UTF-8" in text:
            return self._damaged(text)
        if name.startswith("SQLITE_ERROR") and "no such" in text:
            return self._damaged(text)
        return StoreError(f"{self.path} cannot be used: {text}")
