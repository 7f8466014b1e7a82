"""`ZipSource`: a zip archive as an asset source."""

from __future__ import annotations

import io
import os
import stat
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from ...errors import AssetError, AssetTooLargeError, UnsafePathError, shown
from .base import LARGEST_FILE, MOST_FILES, SourceFile, checked_path
from .names import NameFilter, missing

__all__ = ["ZipSource"]

LARGEST_DIRECTORY: Final = 64 * 1024 * 1024
"""The most bytes of an archive's list of entries; a longer one is an error."""

# The exceptions that `zipfile` raises for damaged archives, all seen in tests with mutated ones.
# NotImplementedError is a RuntimeError.
_FAULTS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
# For other methods (bzip2, LZMA) `zipfile` does not limit the bytes that one `read` unpacks.
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED: Final = 0x1
_STEP: Final = 1024 * 1024


class _Archive(NamedTuple):
    file: io.BufferedReader
    zip: zipfile.ZipFile
    entries: dict[str, zipfile.ZipInfo]
    name_filter: NameFilter
    refused: list[UnsafePathError]


class ZipSource:
    """The files in a zip archive.

    Refused are names that could leave a folder, links, and names that are the same on some systems.
    Of several entries with one name the last counts, as in other unpackers, and `refused` lists the
    others. Entries may be stored or deflated. No entry unpacks to more than `LARGEST_FILE` bytes,
    whatever size the archive claims.

    The archive stays open until `close`; the next use opens it again. After replacing the archive
    on disk, call `close` so that the new one is read.

    Args:
        path: The archive.
        folder: The folder in the archive that paths are relative to; by default the whole archive.

    Raises:
        UnsafePathError: The folder could leave the archive.
        AssetTooLargeError: The archive has, or claims to have, more than `MOST_FILES` entries.
        AssetError: The file is no zip archive, or cannot be read; ``__cause__`` says why.
    """

    def __init__(self, path: str | os.PathLike[str], folder: str = "") -> None:
        self._given = Path(path)
        self._path = self._given.absolute()
        self._folder = checked_path(folder) + "/" if folder else ""
        self._lock = threading.Lock()
        self._archive: _Archive | None = None
        with self._lock:
            self._opened()

    def __repr__(self) -> str:
        return f"ZipSource({str(self._given)!r}, {self._folder[:-1]!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Open files and locks cannot be pickled; the path is absolute, because another process may
        # have another working directory.
        return (ZipSource, (self._path, self._folder[:-1]))

    @property
    def portable(self) -> bool:
        """Always True: a worker process opens the archive itself. Any thread."""
        return True

    def scan(self) -> Iterator[SourceFile]:
        """Returns all files, each once, sorted by path.

        Raises:
            AssetError: The archive was closed, and cannot be opened again.

        Any thread.
        """
        with self._lock:
            archive = self._opened()
        files = [
            _described(path, archive.entries[name])
            for path, name in archive.name_filter.names.items()
        ]
        return iter(files)

    def refused(self) -> list[UnsafePathError]:
        """Returns an error for each entry that `scan` leaves out by its name. Any thread."""
        with self._lock:
            return list(self._opened().refused)

    def stat(self, path: str) -> SourceFile | None:
        """Returns the state of a file, or None if it does not exist.

        Raises:
            UnsafePathError: The path could leave the archive, or differs from another in case only.
            AssetError: The archive was closed, and cannot be opened again.

        Any thread.
        """
        path = checked_path(path)
        with self._lock:
            archive = self._opened()
        name = archive.name_filter.find(path, self.shown)
        return None if name is None else _described(path, archive.entries[name])

    def read(self, path: str) -> bytes:
        """Returns the content of a file. Several threads unpack at the same time.

        Raises:
            UnsafePathError: As `stat`.
            MissingAssetError: The file does not exist.
            AssetTooLargeError: The file has more than `LARGEST_FILE` bytes.
            AssetError: The file is encrypted, packed by an unknown method, or damaged.

        Any thread.
        """
        path = checked_path(path)
        shown = self.shown(path)
        with self._lock:
            archive = self._opened()
        name = archive.name_filter.find(path, self.shown)
        if name is None:
            raise missing(path, shown)
        entry = archive.entries[name]
        if entry.flag_bits & _ENCRYPTED:
            raise AssetError("the file is encrypted, and nobody has the password", path=shown)
        if entry.compress_type not in _METHODS:
            message = f"the file is packed by method {entry.compress_type}; only deflate is read"
            raise AssetError(message, path=shown)
        if entry.file_size > LARGEST_FILE:
            raise _too_large(shown)
        try:
            return self._unpacked(archive.zip, entry, shown)
        except _FAULTS as error:
            raise AssetError(f"the archive is damaged: {error}", path=shown) from error

    def shown(self, path: str) -> str:
        """Returns the archive's path with the file's path behind it. Any thread."""
        return shown(path if path.startswith(":") else f"{self._given}/{self._folder}{path}", None)

    def folders(self) -> list[tuple[Path, str]]:
        """Returns nothing: an archive is replaced as a whole. Any thread."""
        return []

    def close(self) -> None:
        """Closes the archive; a thread that is reading from it gets an AssetError. Any thread."""
        with self._lock:
            if self._archive is not None:
                self._archive.zip.close()
                self._archive.file.close()
                self._archive = None

    def _unpacked(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, shown: str) -> bytes:
        # ZipFile.open and the file's close are not safe in several threads, its read is.
        with self._lock:
            file = archive.open(entry)
        try:
            steps: list[bytes] = []
            size = 0
            while step := file.read(_STEP):
                steps.append(step)
                size += len(step)
                if size > LARGEST_FILE:
                    raise _too_large(shown)
        finally:
            with self._lock:
                file.close()
        if size != entry.file_size:  # the checksum does not show this in all cases
            raise EOFError(f"{entry.file_size:,} bytes were promised and {size:,} came")
        return b"".join(steps)

    def _opened(self) -> _Archive:
        """Returns the open archive; the caller must hold the lock."""
        if self._archive is None:
            try:
                self._archive = self._open()
            except _FAULTS as error:
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
                message = f"the archive cannot be read: {reason}"
                raise AssetError(message, path=str(self._given)) from error
        return self._archive

    def _open(self) -> _Archive:
        if not stat.S_ISREG(self._path.stat().st_mode):  # opening a pipe would block
            raise zipfile.BadZipFile("this is no file with data in it")
        file = _Reader(io.FileIO(self._path))
        try:
            archive = zipfile.ZipFile(file)
            entries = archive.infolist()
            if len(entries) > MOST_FILES:
                message = f"the archive has over {MOST_FILES:,} files"
                raise AssetTooLargeError(message, path=str(self._given))
            return self._indexed(file, archive, entries)
        except BaseException:
            file.close()
            raise

    def _indexed(
        self, file: io.BufferedReader, archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]
    ) -> _Archive:
        index: dict[str, zipfile.ZipInfo] = {}
        refused: list[UnsafePathError] = []

        def refuse(name: str, message: str) -> None:
            refused.append(UnsafePathError(message, path=self.shown(name)))

        for entry in entries:
            # `filename` is cut at a NUL and, on Windows, has its backslashes replaced.
            name = entry.orig_filename
            if name.endswith("/") or not name.startswith(self._folder):
                continue
            name = name[len(self._folder) :]
            # The mode is 0 in archives from systems without Unix modes.
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
                refuse(name, "a link or another special file in an archive is not followed")
                continue
            if name in index:
                refuse(name, "the name stands in the archive more than once; the last one counts")
            index[name] = entry
        name_filter = NameFilter(index, self.shown)
        refused += name_filter.refused
        refused.sort(key=lambda error: error.path or "")
        return _Archive(file, archive, index, name_filter, refused)


class _Reader(io.BufferedReader):
    """A file that refuses very large reads.

    `zipfile` reads the list of entries with one `read` of the size that the archive claims, and
    makes an object of some 500 bytes for every 46 of them. All other reads have at most a megabyte.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_DIRECTORY:
            message = f"the archive's list of files is over {LARGEST_DIRECTORY:,} bytes long"
            raise AssetTooLargeError(message, path=os.fspath(self.name))
        return super().read(size)


def _described(path: str, entry: zipfile.ZipInfo) -> SourceFile:
    # A checksum, because dates in archives may be missing or equal. 63 bits, because SQLite's
    # integers have a sign.
    stamp = entry.CRC << 31 | entry.file_size & 0x7FFFFFFF
    return SourceFile(path, entry.file_size, stamp or 1, 0)  # a stamp of 0 means that there is none


def _too_large(shown: str) -> AssetTooLargeError:
    return AssetTooLargeError(f"the file unpacks to over {LARGEST_FILE:,} bytes", path=shown)
