"""`SaveSlot`: the files of one saved game on the disk.

**The problem.** At every moment, the save has to be one whole file that can be copied, backed up or
sent, even if the game is killed while it saves.

**The way taken.** The save is never written to: `write` makes a new file beside it, syncs it, and
moves it over the old one in one step. Changes between two saves go into a second file,
``slot.sqlite.unsaved``, which exists while the world is open, or if it was not closed.

**The way rejected.** *One file with SQLite's write-ahead log*: a save would stay in the log until a
checkpoint; a checkpoint writes pages one by one, so a copy that is made meanwhile is half of each
save; and a log that a killed game left behind spoils a copy that is put back over the file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ...errors import SaveError
from ...pipeline.store.locations import identity
from .save_format import APPLICATION, FORMAT

__all__ = ["SaveLock", "SaveSlot", "told"]

_UNSAVED: Final = ".unsaved"
_NEW: Final = ".new"
_DAMAGED: Final = ".unsaved.damaged"
# Windows' error codes for a file that another program has open, and how often a move is tried.
_IN_USE: Final = (5, 32, 33)
_TRIES: Final = 40
_TRY_AGAIN_S: Final = 0.05
_SQLITE: Final = b"SQLite format 3\0"
_HEADER: Final = 100

Stamp = tuple[int, int, int, int, int]


class SaveLock:
    """Marks that a world of this process has a save open.

    File locks belong to the process, so that two worlds of one process would not notice each other;
    and the system's error does not say which world has the file.

    Args:
        world: The name of the world.
        wanted: Returns whether the world is still open; if not, another world waits for it to
            close.
    """

    # For the whole process, like file locks. By device and inode, as a path has many spellings.
    _all: Final[dict[tuple[int, int], SaveLock]] = {}
    _changed: Final = threading.Condition()

    def __init__(self, world: str, wanted: Callable[[], bool]) -> None:
        self.world = world
        self._wanted = wanted
        self._key: tuple[int, int] | None = None

    @classmethod
    def check(cls, unsaved: Path, slot: Path, patience_s: float) -> None:
        """Raises `SaveError` if another world of this process has the save open. Any thread."""
        with cls._changed:
            # A world that is being closed may need a moment for it.
            cls._changed.wait_for(lambda: not cls._leaving(unsaved), patience_s)
            holder = cls._holder(unsaved)
            if holder is not None:
                raise SaveError(
                    f"the world {holder.world} of this game has the save {slot} open: close that "
                    "world before, or save this one in another file"
                )

    @classmethod
    def _holder(cls, unsaved: Path) -> SaveLock | None:
        key = identity(unsaved)
        return None if key is None else cls._all.get(key)

    @classmethod
    def _leaving(cls, unsaved: Path) -> bool:
        holder = cls._holder(unsaved)
        return holder is not None and not holder._wanted()

    def take(self, unsaved: Path) -> None:
        """Marks the unsaved file as open. Any thread."""
        self.release()
        with self._changed:
            self._key = identity(unsaved)
            if self._key is not None:
                self._all[self._key] = self

    def release(self) -> None:
        """Removes the mark. A second call does nothing. Any thread."""
        with self._changed:
            if self._key is not None and self._all.get(self._key) is self:
                del self._all[self._key]
            self._key = None
            self._changed.notify_all()


class SaveSlot:
    """The files of one saved game: the save, and the file of unsaved changes beside it.

    Args:
        path: The save, as the game names it.

    Attributes:
        path: The save, as the game names it.
        unsaved: The file of unsaved changes.
        generation: The generation of the save; None if there is no save.
        first: Whether the save has the first format.

    Raises:
        SaveError: The path cannot be a saved game.

    Any thread, one at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation: str | None = None
        self.first = False
        if path.is_dir():
            raise SaveError(f"{path} is a folder, not a saved game: name a file in it")
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise SaveError(f"{path} is no file, but a device or the like: choose another name")
        # Where the path is a link, its target is replaced, not the link.
        self._real = Path(os.path.realpath(path))
        for ending in (_NEW, _UNSAVED, _UNSAVED + "-wal", _DAMAGED):
            if self._real.name.endswith(ending):  # another save may need a file of that name
                raise SaveError(
                    f"{path} cannot be a saved game, for its name ends in {ending}: choose another"
                )
        self.unsaved = _beside(self._real, _UNSAVED)
        self._stamp: Stamp | None = None
        self._make_folder()

    def _make_folder(self) -> None:
        try:
            self._real.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise OSError(
                errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self._real.parent)
            ) from error

    def make_unsaved(self) -> bool:
        """Makes an empty file for unsaved changes; returns False if one is there already."""
        try:
            # The error of `os.open` says why, SQLite's does not. An existing file is not opened:
            # closing it would give up the locks that another world of this process has on it.
            os.close(os.open(self.unsaved, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError:
            if self.unsaved.is_dir():
                raise SaveError(
                    f"{self.unsaved} is a folder, and {self.path} needs a file there: move it away"
                ) from None
            return False
        return True

    def put_aside(self) -> Path:
        """Renames the damaged unsaved file, which must be closed; returns its new path."""
        aside = _beside(self._real, _DAMAGED)
        _move(self.unsaved, aside)
        with contextlib.suppress(OSError):
            _beside(self.unsaved, "-wal").unlink()
        return aside

    def look(self) -> bool:
        """Checks the save's header; returns False if there is no save.

        Raises:
            SaveError: The file is no saved game, or has a newer format.
        """
        self._stamp = _stamp(self._real)
        if self._stamp is None:
            return False
        with self._real.open("rb") as file:
            header = file.read(_HEADER)
        if not header:
            raise SaveError(f"{self.path} is empty, no saved game: delete it to begin a new game")
        if header[: len(_SQLITE)] != _SQLITE or len(header) < _HEADER:
            raise SaveError(f"{self.path} is no saved game: choose another file")
        mark, form = (int.from_bytes(header[at : at + 4], "big") for at in (68, 60))
        if mark == APPLICATION and form == FORMAT:
            return True
        if form > FORMAT and mark == APPLICATION:
            raise SaveError(f"{self.path} has the format {form}, this version reads {FORMAT}")
        if mark not in (0, APPLICATION):
            raise SaveError(f"{self.path} is no saved game: choose another file")
        self._check_first()
        return True

    def _check_first(self) -> None:
        """Checks that the file is a save of the first format; its header may be in its log."""
        with contextlib.closing(self.open_first()) as db:
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema")}
            mark = db.execute("PRAGMA application_id").fetchone()[0]
        if not tables:
            raise SaveError(
                f"{self.path} has nothing in it: it is a part of a saved game that was copied "
                "without its other part, which ends in -wal. Copy both, or delete it to begin a "
                "new game"
            )
        if mark != APPLICATION or not {"facts", "saved", "working"} <= tables:
            raise SaveError(f"{self.path} is no saved game: choose another file")
        self.first = True
        self._stamp = _stamp(self._real)  # opening it may have moved its log into it

    def open_first(self) -> sqlite3.Connection:
        """Opens a save of the first format, with its log."""
        db = sqlite3.connect(self._real, isolation_level=None, timeout=2.0)
        db.execute("PRAGMA trusted_schema=OFF")
        # This fails if a game with an older version of this package has it open.
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        return db

    def open_save(self) -> sqlite3.Connection:
        """Opens the save for reading, without changing anything of it."""
        # Immutable: no log of an older version, left behind by a kill, is mixed into it.
        uri = f"file:{quote(os.fsencode(self._real))}?mode=ro&immutable=1"
        db = sqlite3.connect(uri, uri=True, isolation_level=None)
        db.execute("PRAGMA trusted_schema=OFF")
        return db

    # --------------------------------------------------------------------------------------- write

    def write(
        self, source: sqlite3.Connection, generation: str, step: Callable[[str], None]
    ) -> None:
        """Writes a new save beside the old one, and replaces that.

        Args:
            source: The database to copy.
            generation: The generation of the new save.
            step: Called with the name of each step before it is taken.

        Raises:
            SaveError: Another file has taken the save's name; it is left alone.
            OSError: The save cannot be written; the old one is still there.
            sqlite3.Error: The same.
        """
        self._check_place()
        self._make_folder()
        new = _beside(self._real, _NEW)
        new.unlink(missing_ok=True)
        try:
            # The error of `os.open` says why it failed, SQLite's does not.
            os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
            with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as db:
                # No journal: the file is synced before it replaces the save.
                db.execute("PRAGMA journal_mode=OFF")
                db.execute("PRAGMA synchronous=OFF")
                step("copy")
                source.backup(db)
                db.execute("PRAGMA journal_mode=DELETE")  # so that no reader makes a log beside it
                db.execute("DELETE FROM unsaved")
            step("sync")
            _sync(new)
            with contextlib.suppress(OSError):
                shutil.copymode(self._real, new)
            step("replace")
            self._check_place()
            _move(new, self._real)
        except BaseException:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise
        step("replaced")
        with contextlib.suppress(OSError):  # not every system can sync folders
            _sync(self._real.parent)
        self._stamp = _stamp(self._real)
        self.generation = generation
        if self._stamp is None:
            raise SaveError(f"the save {self.path} was deleted while it was written: save again")
        if self.first:
            self.first = False
            for ending in ("-wal", "-shm"):
                with contextlib.suppress(OSError):
                    _beside(self._real, ending).unlink()

    def _check_place(self) -> None:
        """Raises `SaveError` if the save was replaced by a file of another game."""
        found = _stamp(self._real)
        if found in (None, self._stamp) or (
            self.generation is not None and self._generation_there() == self.generation
        ):  # deleted, unchanged, or a copy of the same save
            return
        raise SaveError(
            f"{self.path} is another file than when the world was opened, or was saved last: it "
            "was left alone. Move it away and save again, or close the world without saving"
        )

    def _generation_there(self) -> object:
        query = "SELECT value FROM facts WHERE name='save'"
        try:
            with contextlib.closing(self.open_save()) as db:
                return (db.execute(query).fetchone() or (None,))[0]
        except (sqlite3.Error, OSError):
            return None

    def lost(self, opened: tuple[int, int] | None) -> bool:
        """Whether the unsaved file was deleted.

        Raises:
            SaveError: Another file has its name.
        """
        found = identity(self.unsaved)
        if found not in (None, opened):
            raise SaveError(f"another game has the save {self.path} open by now")
        return found is None

    def put_unsaved(self, source: sqlite3.Connection) -> None:
        """Makes the unsaved file anew, with the contents of the deleted one."""
        self._make_folder()
        new = _beside(self.unsaved, _NEW)
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous=OFF")
            source.backup(db)
        _move(new, self.unsaved)

    def delete_unsaved(self, opened: tuple[int, int] | None) -> None:
        """Deletes the unsaved file, unless another file has its name."""
        if opened is not None and identity(self.unsaved) == opened:
            for ending in ("", "-wal", "-journal"):
                with contextlib.suppress(OSError):
                    _beside(self.unsaved, ending).unlink()


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _stamp(path: Path) -> Stamp | None:
    """Returns values that change when a file is replaced or written to; None without a file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _move(path: Path, target: Path) -> None:
    """Moves a file over another one.

    Windows refuses while another program reads the target, such as a virus scanner or a program
    that synchronises folders: the move is tried for two seconds.
    """
    for _ in range(_TRIES):
        try:
            path.replace(target)
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _IN_USE:
                raise
            time.sleep(_TRY_AGAIN_S)
        else:
            return
    path.replace(target)


def _sync(path: Path) -> None:
    """Waits until a file, or a folder's list of files, is on the disk."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---------------------------------------------------------------------------------- error messages

_FULL: Final = "the disk, or its quota, is full: make room, and try again"
_NO_ROOM: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quota
_REASONS: Final = {
    errno.EACCES: "may not be written or read: give this user the right to, or choose another one",
    errno.EPERM: "may not be written or read: give this user the right to, or choose another one",
    errno.EROFS: "is on a disk that cannot be written: choose another folder",
    errno.ENAMETOOLONG: "has too long a name: choose a shorter one",
    errno.ENOTDIR: "cannot be made, for there is a file where a folder should be",
    errno.ENOENT: "is not there any more",
    errno.EISDIR: "is a folder",
}
_SQLITE_REASONS: Final = {
    "SQLITE_FULL": _FULL,
    "SQLITE_BUSY": "another game has it open",
    "SQLITE_LOCKED": "another game has it open",
    "SQLITE_READONLY": "its file may not be written",
    "SQLITE_CANTOPEN": "its file cannot be opened, or its folder is not there any more",
    "SQLITE_PERM": "its file may not be read or written",
    "SQLITE_IOERR": "its disk fails, or is not there any more",
    "SQLITE_NOTADB": "its file is damaged; put a copy of it in its place",
    "SQLITE_CORRUPT": "its file is damaged; put a copy of it in its place",
    "SQLITE_TOOBIG": "an entity has more data than 64 MiB",
    "SQLITE_NOMEM": "there is not enough memory",
}


@contextlib.contextmanager
def told(path: Path | None, what: str) -> Generator[None]:
    """Turns errors of the system and of SQLite into a `SaveError` in plain words.

    Args:
        path: The save; None for the changes of this session.
        what: What the save cannot be: "opened", "read", "written".
    """
    where = "the game of this session" if path is None else f"the save {path}"
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        reason = next(
            (words for start, words in _SQLITE_REASONS.items() if name.startswith(start)),
            f"its file is damaged ({error}); put a copy of it in its place",
        )
        raise SaveError(f"{where} cannot be {what}: {reason}") from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            reason = _FULL
        else:
            words = _REASONS.get(error.errno or 0, f"cannot be used: {error.strerror or error}")
            if getattr(error, "winerror", None) in _IN_USE[1:]:
                words = "is used by another program: end that one, and try again"
            reason = f"{_named(error, path)} {words}"
        raise SaveError(f"{where} cannot be {what}: {reason}") from error
    except UnicodeDecodeError as error:  # a message of SQLite that quotes what is damaged
        reason = _SQLITE_REASONS["SQLITE_CORRUPT"]
        raise SaveError(f"{where} cannot be {what}: {reason}") from error
    except ValueError as error:  # a path with a zero byte
        reason = f"no file can have that name ({error}): choose another"
        raise SaveError(f"{where} cannot be {what}: {reason}") from error


def _named(error: OSError, path: Path | None) -> str:
    name = error.filename if error.filename2 is None else error.filename2
    return str(path) if name is None else os.fsdecode(name)
