"""A folder of files as a source."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from ...errors import (
    AssetError,
    AssetTooLargeError,
    MissingAssetError,
    UnreadableAssetError,
    UnsafePathError,
    shown,
)
from ...prefab.asset_ids import SUFFIX
from .base import LARGEST_FILE, MOST_FILES, SourceFile, checked_path
from .names import NameFilter, is_leftover, missing

__all__ = ["DirectorySource"]

# Not there: no such file, a file where a folder should be, a name that the file system cannot
# hold, a link that leads to itself.
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
# Junctions of Windows are links to folders that do not say so in their mode.
_JUNCTION: Final[int] = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)
# Between the look and the opening somebody may put a link or a pipe in the file's place; to open
# a pipe would wait for ever. Windows has neither flag, and reads text unless told otherwise.
_FLAGS: Final[int] = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


# Times of change before 1980-01-02 are none: Flatpak sets 0 or 1, archives without a date give
# 1980-01-01, in whatever time zone. Many versions of a file have the same one.
_FIRST_TIME_NS: Final = 315_619_200 * 1_000_000_000
# Windows gives no number of a file with a folder's list, but with a look at the file; the stamp
# must be the same either way.
_HAS_INODES: Final = os.name != "nt"
# A prime below 2**63, which databases count to, and one that spreads numbers over that range.
_STAMPS: Final = 2**63 - 25
_SPREAD: Final = 0x9E3779B97F4A7C15


# Every case that `.ron` can be written in, but for that one.
_SPELLINGS: Final = tuple(
    "." + "".join(letters) for letters in itertools.product("rR", "oO", "nN")
)[1:]


class _Listing(NamedTuple):
    """The names in a folder, good for as long as the folder's own stamp."""

    stamp: int
    names: NameFilter


class DirectorySource:
    """The files below a folder.

    Hidden files and what editors leave behind do not count, in no method. A link to a file inside
    the folder is a file under its own name; one that leads out is refused. Links to folders are
    never followed, wherever they lead: each file has one path, and no walk goes in circles.

    A path finds a file only if it is spelt as on disk, in case too, on systems that would not mind
    as well: a game that runs on one system runs on all. Only the Unicode form may differ, for some
    systems write é as two characters.

    Args:
        root: The folder. Links on the way to it are followed once, now.

    Raises:
        AssetError: Those links lead in a circle, or no folder can have that name.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._given = Path(root)
        try:
            self._root = self._given.resolve()
        # RuntimeError: a circle, before Python 3.13; ValueError: a zero byte in the name.
        except (OSError, RuntimeError, ValueError) as error:
            raise AssetError("the folder cannot be found", path=str(self._given)) from error
        self._listings: dict[Path, _Listing] = {}
        self._refused: list[UnsafePathError] = []

    def __repr__(self) -> str:
        return f"DirectorySource({str(self._given)!r})"

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_listings": {}}  # may be long, and is soon read anew

    @property
    def portable(self) -> bool:
        """Always True: a worker process has the same disk. Any thread."""
        return True

    @property
    def root(self) -> Path:
        """The folder, absolute and without links. Any thread."""
        return self._root

    def scan(self) -> Iterator[SourceFile]:
        """All files, each once, sorted by path; a file that vanishes meanwhile is left out.

        The work is done before it returns.

        Raises:
            MissingAssetError: The folder is not there.
            AssetTooLargeError: It holds over `MOST_FILES` files and folders.
            AssetError: A folder cannot be listed. Its files are not taken for deleted.

        Any thread.
        """
        files: list[SourceFile] = []
        refused: list[UnsafePathError] = []
        folders = [(str(self._root), "")]
        seen = 0
        while folders:
            folder, prefix = folders.pop()
            try:
                with os.scandir(folder) as found:
                    entries = {entry.name: entry for entry in islice(found, MOST_FILES + 1)}
            except OSError as error:
                if prefix and error.errno in _GONE:
                    continue
                raise self._error(error, prefix) from error
            seen += len(entries)
            if seen > MOST_FILES:
                message = f"the folder holds over {MOST_FILES:,} files"
                raise AssetTooLargeError(message, path=str(self._given))
            name_filter = NameFilter(entries, partial(self._shown_below, prefix))
            refused += name_filter.refused
            for name, on_disk in name_filter.names.items():
                path = prefix + name
                entry = entries[on_disk]
                try:
                    if len(path) > 256:  # the names are sound, but all together may be too long
                        checked_path(path)
                    if entry.is_symlink():
                        files += self._linked(Path(entry.path), path)
                    elif entry.is_file(follow_symlinks=False):
                        files.append(_described(path, entry.stat(follow_symlinks=False)))
                    elif entry.is_dir(follow_symlinks=False):
                        if _is_link(entry.stat(follow_symlinks=False)):
                            raise self._folder_link(path)
                        folders.append((entry.path, path + "/"))
                    elif os.path.lexists(entry.path):
                        raise self._no_file(path)
                except UnsafePathError as error:
                    refused.append(error)
                except OSError as error:
                    if error.errno not in _GONE:
                        raise self._error(error, path) from error
        files.sort()
        self._refused = sorted(refused, key=lambda error: error.path or "")
        return iter(files)

    def refused(self) -> list[UnsafePathError]:
        """What the last `scan` left out because of its name, and why. Any thread."""
        return list(self._refused)

    def stat(self, path: str) -> SourceFile | None:
        """The file of that path without its content, or None if there is none.

        Raises:
            UnsafePathError: The path leads out of the folder, or through a link to a folder, or
                names a file that differs from another in case only.
            AssetError: The system does not let us look.

        Any thread.
        """
        path = checked_path(path)
        found = self._find(path)
        return None if found is None else _described(path, found[1])

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            UnsafePathError: As in `stat`.
            MissingAssetError: There is no such file, or it is a pipe or a device.
            AssetTooLargeError: It is larger than `LARGEST_FILE`.
            AssetError: It cannot be read; the cause is attached.

        Any thread.
        """
        path = checked_path(path)
        found = self._find(path)
        if found is None:
            raise missing(path, self.shown(path))
        try:
            with os.fdopen(os.open(found[0], _FLAGS), "rb") as file:
                now = os.fstat(file.fileno())
                if not stat.S_ISREG(now.st_mode):
                    raise missing(path, self.shown(path))
                self._limit(now.st_size, path)
                data = file.read(now.st_size + 1)
                if len(data) > now.st_size:  # it grows while it is read
                    data += file.read(LARGEST_FILE + 1 - len(data))
                    self._limit(len(data), path)
                return data
        except OSError as error:
            raise self._error(error, path) from error

    def shown(self, path: str) -> str:
        """The path on disk, below the folder as it was given. Any thread."""
        if path.startswith(":"):
            return shown(path, None)
        return shown(str(_spelt(self._given / path)), None)

    def folders(self) -> list[tuple[Path, str]]:
        """The folder itself. Any thread."""
        return [(self._root, "")]

    def close(self) -> None:
        """Forget what was listed; no file stays open. Any thread."""
        self._listings.clear()

    def _find(self, path: str) -> tuple[Path, os.stat_result] | None:
        """Where a file really is, and what is known of it; None if there is no such file."""
        if path.startswith(":") or is_leftover(path):
            return None
        try:
            place = self._place(path)
            found = None if place is None else self._look(place, path)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise self._error(error, path) from error
        return found if found is not None and stat.S_ISREG(found[1].st_mode) else None

    def _place(self, path: str) -> Path | None:
        """The path as it is spelt on disk, or None. The last name in it may be a link."""
        place = self._root
        for name in path.split("/"):
            found = place.lstat()
            if _is_link(found):
                raise self._folder_link(path)
            if not stat.S_ISDIR(found.st_mode):
                return None
            # The time of change may be coarse, so a name that is not on the list is looked for.
            known = self._listings.get(place)
            stamp = _stamp(found)
            if known is None or known.stamp != stamp or name not in known.names.names:
                if name.isascii():
                    # The common case, a file that nobody made yet, ends here with an error; only
                    # `lexists` would take one that we may not look at for missing, too.
                    _look_for(place, name)
                name_filter = NameFilter(os.listdir(place), str)  # noqa: PTH208  # names, not paths
                known = self._listings[place] = _Listing(stamp, name_filter)
            on_disk = known.names.find(name, lambda _: self.shown(path))
            if on_disk is None:
                return None
            place /= on_disk
        return place

    def _look(self, place: Path, path: str) -> tuple[Path, os.stat_result] | None:
        """Follow the last link, if it is one, and look at what is there."""
        found = place.lstat()
        if not _is_link(found):
            return place, found  # nor is any folder on the way, `_place` and `scan` saw to that
        try:
            real = place.resolve()
        except RuntimeError:  # a link that leads to itself, before Python 3.13
            return None
        if not real.is_relative_to(self._root):
            message = "the file is a link out of the assets folder"
            raise UnsafePathError(message, path=self.shown(path))
        return real, real.stat()

    def _linked(self, place: Path, path: str) -> list[SourceFile]:
        """What a scan makes of a link: one file, or none."""
        try:
            found = self._look(place, path)
        except OSError as error:
            if error.errno not in _GONE or not os.path.lexists(place):
                raise
            found = None
        if found is None:
            message = "the link leads to no file: remove it, or make the file that it names"
            raise UnsafePathError(message, path=self.shown(path))
        if stat.S_ISDIR(found[1].st_mode):
            raise self._folder_link(path)
        if not stat.S_ISREG(found[1].st_mode):
            raise self._no_file(path)
        return [_described(path, found[1])]

    def _no_file(self, path: str) -> UnsafePathError:
        message = "this is a pipe, a socket or a device: only files can be assets"
        return UnsafePathError(message, path=self.shown(path))

    def _folder_link(self, path: str) -> UnsafePathError:
        message = "a link to a folder is not followed"
        return UnsafePathError(message, path=self.shown(path))

    def _shown_below(self, prefix: str, name: str) -> str:
        return str(self._given / (prefix + name))

    def _limit(self, size: int, path: str) -> None:
        if size > LARGEST_FILE:
            message = f"the file has over {LARGEST_FILE:,} bytes"
            raise AssetTooLargeError(message, path=self.shown(path))

    def _error(self, error: OSError, path: str) -> AssetError:
        if error.errno in _GONE:
            if not path:
                return MissingAssetError("there is no such folder", path=str(self._given))
            return missing(path, self.shown(path))
        reason = error.strerror or type(error).__name__
        return UnreadableAssetError(f"the file cannot be read: {reason}", path=self.shown(path))


def _look_for(folder: Path, name: str) -> None:
    """Look whether a folder has a name; ``.ron`` may be written in any case.

    Raises:
        OSError: It has not, or we may not look.
    """
    try:
        (folder / name).lstat()
    except FileNotFoundError:
        if _spelt(folder / name).name == name:
            raise


def _spelt(path: Path) -> Path:
    """A path with the suffix ``.ron`` as the file on disk writes it; as it is, if there is none."""
    if path.suffix == SUFFIX and not os.path.lexists(path):
        # Seven looks, since to list a large folder for every name that is not there takes longer.
        for suffix in _SPELLINGS:
            spelt = path.with_suffix(suffix)
            if os.path.lexists(spelt):
                return spelt
    return path


def _is_link(found: os.stat_result) -> bool:
    return stat.S_ISLNK(found.st_mode) or getattr(found, "st_reparse_tag", 0) == _JUNCTION


def _described(path: str, found: os.stat_result) -> SourceFile:
    modified_ns = found.st_mtime_ns
    stamp = _stamp(found) if modified_ns >= _FIRST_TIME_NS else 0
    return SourceFile(path, found.st_size, stamp, max(modified_ns, found.st_ctime_ns))


def _stamp(found: os.stat_result) -> int:
    """A number that is another one once a file was written, replaced or moved here.

    The time of modification alone is not enough: unpackers, `cp -p` and installers set it, and a
    file may take the place of another one of the same time. They set neither the time when the
    system's record of the file changed last (on Windows: when it was created) nor its number.
    """
    number = found.st_ino if _HAS_INODES else 0
    mixed = (found.st_mtime_ns * _SPREAD + found.st_ctime_ns) * _SPREAD + number
    return mixed % _STAMPS or 1
