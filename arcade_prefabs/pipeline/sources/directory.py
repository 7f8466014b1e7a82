"""`DirectorySource`: a folder on disk as an asset source."""

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

# Errors that mean that a file does not exist: no such file, a file where a folder should be, a name
# that the file system cannot hold, a link that leads to itself.
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
# Junctions of Windows are links to folders that do not say so in their mode.
_JUNCTION: Final[int] = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)
# Between `stat` and `open` another program may replace the file by a link or a pipe, and opening a
# pipe would block. Windows has neither flag, but needs O_BINARY.
_FLAGS: Final[int] = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


# Times before 1980-01-02 tell nothing: Flatpak sets 0 or 1, and unpackers of archives without dates
# set 1980-01-01 in some time zone, for each version of a file.
_FIRST_TIME_NS: Final = 315_619_200 * 1_000_000_000
# On Windows `os.scandir` returns no inode numbers, and `stat` does; stamps must not depend on which
# of them was called.
_HAS_INODES: Final = os.name != "nt"
# A prime below 2**63 (SQLite's integers have a sign), and a factor that spreads numbers over it.
_STAMPS: Final = 2**63 - 25
_SPREAD: Final = 0x9E3779B97F4A7C15


# All spellings of `.ron` with capital letters.
_SPELLINGS: Final = tuple(
    "." + "".join(letters) for letters in itertools.product("rR", "oO", "nN")
)[1:]


class _Listing(NamedTuple):
    """The names in a folder, valid as long as the folder has this stamp."""

    stamp: int
    names: NameFilter


class DirectorySource:
    """The files below a folder.

    Hidden files and temporary files of editors are ignored by all methods. A link to a file inside
    the folder is served as a file; a link that leads out of the folder is refused. Links to folders
    are never followed, so that each file has one path and no walk runs in a cycle.

    A path must be spelt as on disk, also in case, on all systems: a game that runs on one system
    then runs on all. Only the Unicode form may differ, because some systems store é as two
    characters.

    Args:
        root: The folder. Links in its own path are followed once, when the source is made.

    Raises:
        AssetError: The links lead in a cycle, or no folder can have this name.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._given = Path(root)
        try:
            self._root = self._given.resolve()
        # RuntimeError: a cycle of links, before Python 3.13; ValueError: a zero byte in the name.
        except (OSError, RuntimeError, ValueError) as error:
            raise AssetError("the folder cannot be found", path=str(self._given)) from error
        self._listings: dict[Path, _Listing] = {}
        self._refused: list[UnsafePathError] = []

    def __repr__(self) -> str:
        return f"DirectorySource({str(self._given)!r})"

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_listings": {}}  # a cache that may be large

    @property
    def portable(self) -> bool:
        """Always True: a worker process sees the same disk. Any thread."""
        return True

    @property
    def root(self) -> Path:
        """The folder, absolute and without links. Any thread."""
        return self._root

    def scan(self) -> Iterator[SourceFile]:
        """Returns all files, each once, sorted by path; files deleted during the scan are left out.

        The scan is complete when this returns.

        Raises:
            MissingAssetError: The folder does not exist.
            AssetTooLargeError: The folder has more than `MOST_FILES` files and folders.
            AssetError: A folder cannot be listed; its files must not count as deleted.

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
                    if len(path) > 256:  # each name is valid, but the whole path may be too long
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
        """Returns an error for each file that the last `scan` left out. Any thread."""
        return list(self._refused)

    def stat(self, path: str) -> SourceFile | None:
        """Returns the state of a file, or None if it does not exist.

        Raises:
            UnsafePathError: The path leads out of the folder, through a link to a folder, or to a
                file whose name differs from another in case only.
            AssetError: The system refuses access.

        Any thread.
        """
        path = checked_path(path)
        found = self._find(path)
        return None if found is None else _described(path, found[1])

    def read(self, path: str) -> bytes:
        """Returns the content of a file.

        Raises:
            UnsafePathError: As `stat`.
            MissingAssetError: The file does not exist, or is a pipe or a device.
            AssetTooLargeError: The file has more than `LARGEST_FILE` bytes.
            AssetError: The file cannot be read; ``__cause__`` says why.

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
                if len(data) > now.st_size:  # another program is appending to the file
                    data += file.read(LARGEST_FILE + 1 - len(data))
                    self._limit(len(data), path)
                return data
        except OSError as error:
            raise self._error(error, path) from error

    def shown(self, path: str) -> str:
        """Returns the path on disk, below the folder as the caller gave it. Any thread."""
        if path.startswith(":"):
            return shown(path, None)
        return shown(str(_spelt(self._given / path)), None)

    def folders(self) -> list[tuple[Path, str]]:
        """Returns the folder itself. Any thread."""
        return [(self._root, "")]

    def close(self) -> None:
        """Empties the caches; no file stays open. Any thread."""
        self._listings.clear()

    def _find(self, path: str) -> tuple[Path, os.stat_result] | None:
        """Returns the real path and the state of a file; None if it does not exist."""
        if path.startswith(":") or is_leftover(path):
            return None
        try:
            on_disk = self._spelt_on_disk(path)
            found = None if on_disk is None else self._followed(on_disk, path)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise self._error(error, path) from error
        return found if found is not None and stat.S_ISREG(found[1].st_mode) else None

    def _spelt_on_disk(self, path: str) -> Path | None:
        """Returns the path as it is spelt on disk, or None; only the last name may be a link."""
        folder = self._root
        for name in path.split("/"):
            found = folder.lstat()
            if _is_link(found):
                raise self._folder_link(path)
            if not stat.S_ISDIR(found.st_mode):
                return None
            # The folder's time of change may be coarse, so a name that is not in the cached listing
            # is searched on disk.
            listing = self._listings.get(folder)
            stamp = _stamp(found)
            if listing is None or listing.stamp != stamp or name not in listing.names.names:
                if name.isascii():
                    # Raises FileNotFoundError for missing files, the most frequent case, before the
                    # slow listing. `lexists` would return False without access, too.
                    _require_name(folder, name)
                names = NameFilter(os.listdir(folder), str)  # noqa: PTH208  # names, not paths
                listing = self._listings[folder] = _Listing(stamp, names)
            on_disk = listing.names.find(name, lambda _: self.shown(path))
            if on_disk is None:
                return None
            folder /= on_disk
        return folder

    def _followed(self, on_disk: Path, path: str) -> tuple[Path, os.stat_result] | None:
        """Returns real path and state of a file, after following it if it is a link."""
        found = on_disk.lstat()
        if not _is_link(found):
            # No folder in the path is a link, `_spelt_on_disk` and `scan` have refused those.
            return on_disk, found
        try:
            real = on_disk.resolve()
        except RuntimeError:  # a link that leads to itself, before Python 3.13
            return None
        if not real.is_relative_to(self._root):
            message = "the file is a link out of the assets folder"
            raise UnsafePathError(message, path=self.shown(path))
        return real, real.stat()

    def _linked(self, link: Path, path: str) -> list[SourceFile]:
        """Returns the file that a scan lists for a link, in a list of one.

        Raises:
            UnsafePathError: The link leads to no file inside the folder.
        """
        try:
            found = self._followed(link, path)
        except OSError as error:
            if error.errno not in _GONE or not os.path.lexists(link):
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


def _require_name(folder: Path, name: str) -> None:
    """Raises FileNotFoundError if a folder has no such name; ``.ron`` may be in capital letters.

    Raises:
        OSError: The name does not exist, or the system refuses access.
    """
    try:
        (folder / name).lstat()
    except FileNotFoundError:
        if _spelt(folder / name).name == name:
            raise


def _spelt(path: Path) -> Path:
    """Returns a path with the suffix ``.ron`` as it is on disk; unchanged for a missing file."""
    if path.suffix == SUFFIX and not os.path.lexists(path):
        # Seven checks are faster than listing a large folder for each missing file.
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
    """Returns a number that changes when a file is written, replaced, or moved to its path.

    The time of modification alone is not enough: unpackers, `cp -p` and installers set it, and a
    file may be replaced by another one with the same time. They cannot set the time of the last
    change to the inode (on Windows: of the file's creation), nor the inode number.
    """
    number = found.st_ino if _HAS_INODES else 0
    mixed = (found.st_mtime_ns * _SPREAD + found.st_ctime_ns) * _SPREAD + number
    return mixed % _STAMPS or 1
