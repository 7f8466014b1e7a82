"""The bake store: one SQLite file with all outputs, opened and kept intact.

**Problem.** The store must survive everything that happens on the machines of authors and players:
a process that is killed, a power cut, a full disk, flipped bits, two programs that bake at once, a
file that somebody deletes or replaces, a store of another version, a forged file.

**Way taken.** SQLite does most of it: a transaction is committed completely or not at all, also
after a power cut, and in the mode of the write-ahead log many processes can read while one writes.
This class adds:

* *Connections.* Readers take one from a pool, one per thread at a time; there is one writer, under
  a lock. Every method is safe in any thread.
* *Damage.* Errors of SQLite become a `StoreError` that says what the user can do, or a
  `DamagedStoreError`; then `AssetPipeline` calls `rebuild`, which moves the file aside and makes an
  empty one. All its content can be baked again.
* *Replacement.* Another program may rebuild the same file. Each transaction checks the file's
  identity (device and inode), and goes over to the new one. The `generation` counts these changes:
  row numbers that were read in an older generation are worth nothing, and `writing` refuses them.

**Rejected.** A format of our own: it would have to earn what SQLite has. A file for each asset: see
`asset_pipeline`. One connection for all threads: a long read would block all loader threads.
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

# Seconds that a process waits for the commit of another process; commits take milliseconds.
_BUSY_S: Final = 20.0
# The size of the write-ahead log, in pages of 4 kB, at which SQLite moves it into the file.
_CHECKPOINT_PAGES: Final = 1000
# SQLite's errors for damaged files. CONSTRAINT is one, because in an intact file no statement of
# this package violates a constraint.
_DAMAGE: Final = tuple(
    f"SQLITE_{name}" for name in ("NOTADB", "CORRUPT", "FORMAT", "CONSTRAINT", "MISMATCH")
)


class DamagedStoreError(StoreError):
    """The file is no bake store, is damaged, or has another version's format.

    Attributes:
        generation: The generation of the damaged store; None for any.
    """

    generation: int | None = None


class AnotherStoreError(DamagedStoreError):
    """Another thread or program has replaced the store; everything has to be read again."""


class BakeStore:
    """A bake store, or a release file, which has the same format.

    Args:
        path: The file. It is made if it does not exist; its folder must exist.
        read_only: Whether to open a release file, which is never changed or made.
        on_step: Called with the name of each step of a commit before it is taken; for tests that
            kill the process there.
        most_pages: The most pages of 4 kB that the file may have; None for no limit.

    Attributes:
        generation: How often the file was replaced by a new one since it was opened.

    Raises:
        DamagedStoreError: The file is no store of this version.
        StoreError: The file cannot be opened or made.

    Any thread: each reader has a connection of its own, writers wait for each other.
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
        self.generation = 0
        self._begun = threading.local()  # the generation in which a thread has read row numbers
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
            # The identity is read before the file is opened: if the file is replaced in between,
            # the next transaction notices.
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
        # `check_same_thread` is off because the pool gives a connection to one thread at a time.
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(self.path))}?mode={mode}",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        # The schema of a forged file must not call SQL functions.
        connection.execute("PRAGMA trusted_schema=OFF")
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # With NORMAL a power cut may undo the last commits, but never damages the file.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        # Where the file system does not allow it (network drives), SQLite keeps its older journal.
        use_write_ahead_log(connection, _BUSY_S)
        if self._most_pages is not None:
            connection.execute(f"PRAGMA max_page_count={self._most_pages}")
        # Two processes may open a new store at the same time.
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
        """Moves a damaged file aside and makes an empty store; returns the path of the old file.

        Args:
            generation: The generation of the damaged store. If another thread or program has
                replaced it already, the new store is used, and None is returned.

        Raises:
            StoreError: The file cannot be moved: on Windows, while another process has it open.

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
        """Goes over to the file by which another program has replaced the store.

        A deleted file without a replacement stays in use.
        """
        if self.read_only or identity(self.path) in (None, self._identity):
            return
        with self._lock:
            # Within a transaction of this thread the connection must stay; the next one goes over.
            within = self._writer is not None and self._writer.in_transaction
            present = identity(self.path)
            if not (self._closed or within) and present not in (None, self._identity):
                self._open_anew(lambda _: None)

    # ------------------------------------------------------------------------ reading and writing

    def begin(self) -> None:
        """Notes the generation in which this thread reads row numbers, for `writing` to check.

        Any thread.
        """
        with self._translated():
            self._notice_another()
        self._begun.generation = self.generation

    @contextlib.contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """Gives a connection for reading; one statement sees one state of the store.

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
        """Gives a connection in a transaction, committed at the end and undone by exceptions.

        Args:
            begun: Whether the statements use row numbers that this thread has read since `begin`.

        Raises:
            AnotherStoreError: The store was replaced since `begin`, so the row numbers are wrong.
            StoreError: The store is closed or read-only, the disk is full, or another process has
                been writing for more than 20 seconds.

        Any thread; writers wait for each other.
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
                # On a full disk SQLite has rolled back already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            self.step("committed")

    def dictionary(self, number: int) -> CompressionDictionary | None:
        """Returns the dictionary with a number; None for pages without one. Any thread."""
        if number <= 0:
            return None
        dictionary = self._dictionaries.get(number)
        if dictionary is None:
            with self.reading() as db:
                row = db.execute(
                    "SELECT data FROM dictionaries WHERE number=?", (number,)
                ).fetchone()
            if row is None:
                raise DamagedStoreError(f"{self.path} lacks the dictionary {number} of its pages")
            dictionary = CompressionDictionary(number, row[0])
            if not isinstance(row[0], bytes) or not dictionary.sound:
                raise DamagedStoreError(f"{self.path} has a damaged dictionary of its pages")
            self._dictionaries[number] = dictionary
        return dictionary

    def check(self) -> None:
        """Reads the whole file, and raises `DamagedStoreError` if its structure is damaged.

        Any thread.
        """
        with self.reading() as db:
            found = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != ("ok",):
            raise self._damaged(str(found[0]).replace("\n", " ") if found else "it is empty")

    def file_bytes(self) -> int:
        """Returns the bytes on disk, with the write-ahead log. Any thread."""
        total = 0
        for ending in ("", "-wal"):
            with contextlib.suppress(OSError):
                total += Path(f"{self.path}{ending}").stat().st_size
        return total

    def settle(self) -> None:
        """Moves the write-ahead log into the file, unless another process is reading. Any thread.

        Otherwise the log would keep the size of the largest bake.
        """
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._writer is not None:
                # This statement has a result row for each page; `execute` would stop at the first.
                self._writer.executescript("PRAGMA incremental_vacuum")
                self._writer.execute("PRAGMA busy_timeout=0")
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._writer is not None:
                self._writer.execute(f"PRAGMA busy_timeout={int(_BUSY_S * 1000)}")

    def compact(self) -> None:
        """Returns the space of deleted rows to the disk.

        Raises:
            StoreError: The store is read-only, or other connections are using it.

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
        """Closes the file; may be called twice. Any thread."""
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
        # UnicodeDecodeError: SQLite's message quotes a damaged text.
        except (sqlite3.Error, UnicodeDecodeError, msgspec.ValidationError) as error:
            explained = self._explained(error)
            if isinstance(explained, DamagedStoreError):
                explained.generation = generation
            raise explained from error

    def _damaged(self, text: str) -> DamagedStoreError:
        advice = "; get a sound copy of the file" if self.read_only else ""
        return DamagedStoreError(f"{self.path} is damaged: {text}{advice}")

    def _explained(self, error: Exception) -> StoreError:
        """Returns an error of SQLite in words for users who do not know SQLite."""
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
            return self._damaged(f"a row has a value of the wrong type: {text}")
        # A damaged header can make SQLite take a writable file for a read-only one.
        locked = name == "SQLITE_READONLY" and os.access(self.path, os.W_OK)
        if locked or name.startswith(_DAMAGE) or "decode to UTF-8" in text:
            return self._damaged(text)
        if name.startswith("SQLITE_ERROR") and "no such" in text:
            return self._damaged(text)
        return StoreError(f"{self.path} cannot be used: {text}")
