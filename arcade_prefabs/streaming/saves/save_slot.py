"""`SaveSlot`: where a saved game stands on the disk.

The save itself is one file, which is never written to: a save is written beside it, and takes its
place in one step. So there is no moment at which that file is not a whole save, whoever kills the
game, copies the file or reads it just then. What happens between two saves goes into a second file,
``slot.sqlite.unsaved``, which is there as long as the world is open, or was not closed.

Rejected: one file with SQLite's write-ahead log. A save stood in the log until a checkpoint; a
checkpoint writes the pages of the file one by one, so that a copy made meanwhile is of two saves;
and a log that a killed game left behind spoils a copy that is put back over the file.
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
# Windows' errors where somebody has a file open, and how often a move is tried.
_IN_USE: Final = (5, 32, 33)
_TRIES: Final = 40
_TRY_AGAIN_S: Final = 0.05
_SQLITE: Final = b"SQLite format 3\0"
_HEADER: Final = 100

Stamp = tuple[int, int, int, int, int]


class SaveLock:
    """That a world of this process has a save open.

    Two worlds of one process share their locks of a file: what the system says of it names nobody.

    Args:
        world: The name of the world.
        wanted: Whether it still wants it; another one waits if not.
    """

    # Of the whole process, as its locks are. By the identity of the file, for a path has many
    # spellings.
    _all: Final[dict[tuple[int, int], SaveLock]] = {}
    _changed: Final = threading.Condition()

    def __init__(self, world: str, wanted: Callable[[], bool]) -> None:
        self.world = world
        self._wanted = wanted
        self._key: tuple[int, int] | None = None

    @classmethod
    def check(cls, unsaved: Path, slot: Path, patience_s: float) -> None:
        """Raise `SaveError` if a world of this process has that file open. Any thread."""
        with cls._changed:
            # One that is being closed may take a moment.
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
        """Have it, from now on. Any thread."""
        self.release()
        with self._changed:
            self._key = identity(unsaved)
            if self._key is not None:
                self._all[self._key] = self

    def release(self) -> None:
        """Have it no more; twice is fine. Any thread."""
        with self._changed:
            if self._key is not None and self._all.get(self._key) is self:
                del self._all[self._key]
            self._key = None
            self._changed.notify_all()


class SaveSlot:
    """The files of a saved game.

    Args:
        path: What the game calls it.

    Attributes:
        path: See above.
        unsaved: The file for what happens between two saves.
        generation: The mark of the save that is in the file; None if there is none.
        first: Whether it has the first format.

    Raises:
        SaveError: What is there is no saved game, or cannot be read.

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
        # What a link points to is replaced, not the link.
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
        """Make the file for what happens between two saves; False if it is there already."""
        try:
            # SQLite does not say why it cannot. A file that is there is not touched: to close it
            # would give up the locks that another world of this process has on it.
            os.close(os.open(self.unsaved, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError:
            if self.unsaved.is_dir():
                raise SaveError(
                    f"{self.unsaved} is a folder, and {self.path} needs a file there: move it away"
                ) from None
            return False
        return True

    def put_aside(self) -> Path:
        """Move that file out of the way, which is closed; gives where it is then."""
        aside = _beside(self._real, _DAMAGED)
        _move(self.unsaved, aside)
        with contextlib.suppress(OSError):
            _beside(self.unsaved, "-wal").unlink()
        return aside

    def look(self) -> bool:
        """See which save is there; False if none is.

        Raises:
            SaveError: It is something else, or of a newer format.
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
        """See whether it is a save of the first format, whose header may still be in its log."""
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
        self._stamp = _stamp(self._real)  # its log may have been moved into it

    def open_first(self) -> sqlite3.Connection:
        """A connection to a file of the first format, with its log."""
        db = sqlite3.connect(self._real, isolation_level=None, timeout=2.0)
        db.execute("PRAGMA trusted_schema=OFF")
        # So a game with an older version that has it open is noticed.
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        return db

    def open_save(self) -> sqlite3.Connection:
        """A connection to the save as it stands there, which changes nothing of it."""
        # Immutable: no log of an older version, left behind by a kill, is mixed into it.
        uri = f"file:{quote(os.fsencode(self._real))}?mode=ro&immutable=1"
        db = sqlite3.connect(uri, uri=True, isolation_level=None)
        db.execute("PRAGMA trusted_schema=OFF")
        return db

    # --------------------------------------------------------------------------------------- write

    def write(
        self, source: sqlite3.Connection, generation: str, step: Callable[[str], None]
    ) -> None:
        """Write a whole save beside the file, and put it in its place.

        Args:
            source: What is to be in it.
            generation: Its mark.
            step: Called with the name of each step before it is taken.

        Raises:
            SaveError: There is another file now, which is left alone.
            OSError, sqlite3.Error: It cannot be written; what was there is still there.
        """
        self._check_place()
        self._make_folder()
        new = _beside(self._real, _NEW)
        new.unlink(missing_ok=True)
        try:
            # SQLite does not say why it cannot.
            os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
            with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as db:
                # It is on the disk before it is in its place; until then nobody needs it.
                db.execute("PRAGMA journal_mode=OFF")
                db.execute("PRAGMA synchronous=OFF")
                step("copy")
                source.backup(db)
                db.execute("PRAGMA journal_mode=DELETE")  # one file, whoever opens it
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
        with contextlib.suppress(OSError):  # not every system can
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
        """Raise `SaveError` if another file has come in the place of the save."""
        found = _stamp(self._real)
        if found in (None, self._stamp) or (
            self.generation is not None and self._generation_there() == self.generation
        ):  # it was deleted, or copied
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
        """Whether the file for what happens between two saves is there no more.

        Raises:
            SaveError: There is another one.
        """
        found = identity(self.unsaved)
        if found not in (None, opened):
            raise SaveError(f"another game has the save {self.path} open by now")
        return found is None

    def put_unsaved(self, source: sqlite3.Connection) -> None:
        """Make the file for what happens between two saves anew, from the one that was deleted."""
        self._make_folder()
        new = _beside(self.unsaved, _NEW)
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous=OFF")
            source.backup(db)
        _move(new, self.unsaved)

    def delete_unsaved(self, opened: tuple[int, int] | None) -> None:
        """Delete the file for what happens between two saves, unless it is another one."""
        if opened is not None and identity(self.unsaved) == opened:
            for ending in ("", "-wal", "-journal"):
                with contextlib.suppress(OSError):
                    _beside(self.unsaved, ending).unlink()


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _stamp(path: Path) -> Stamp | None:
    """What differs if a file was replaced, or written to."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _move(path: Path, target: Path) -> None:
    """Put a file in the place of another one.

    Windows does not while another program reads that, such as one that synchronises folders or
    looks for viruses: it is tried again for some time.
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
    """Wait until a file, or what stands in a folder, is on the disk."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ------------------------------------------------------------------------------------------- words

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
    "SQLITE_TOOBIG": "an entity has too much to tell",
    "SQLITE_NOMEM": "there is not enough memory",
}


@contextlib.contextmanager
def told(path: Path | None, what: str) -> Generator[None]:
    """Make a `SaveError` in plain words of whatever the system or SQLite says.

    Args:
        path: The save.
        what: What it cannot be: "opened".
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
