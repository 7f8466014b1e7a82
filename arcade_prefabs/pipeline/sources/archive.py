"""A zip archive as a source."""

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
"""Bytes of the largest list of entries that is read into memory at all."""

# What `zipfile` raises over broken archives, all of it seen with mutated ones: it unpacks, decodes
# and seeks by numbers that it finds there. NotImplementedError is a RuntimeError.
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
# `zipfile` unpacks the other methods (bzip2, LZMA) without a bound on what comes out of one step.
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

    Names that could leave a folder, links, and names that are one file on some systems are
    refused; the rest is served. Of several entries with one name the last counts, as in all
    unpackers, and `refused` names the others. Stored and deflated entries can be read. No entry
    unpacks to more than `LARGEST_FILE`, whatever it says of itself.

    The archive stays open until `close`; the next use opens it again. After the archive has been
    replaced by another one, call `close` to have that read.

    Args:
        path: The archive.
        folder: Its folder that the paths begin in; all of it by default.

    Raises:
        UnsafePathError: The folder could leave the archive.
        AssetTooLargeError: The archive has over `MOST_FILES` entries, or promises more.
        AssetError: This is no zip archive, or it cannot be read; the cause is attached.
    """

    def __init__(self, path: str | os.PathLike[str], folder: str = "") -> None:
        self._given = Path(path)
        self._place = self._given.absolute()
        self._folder = checked_path(folder) + "/" if folder else ""
        self._lock = threading.Lock()
        self._archive: _Archive | None = None
        with self._lock:
            self._opened()

    def __repr__(self) -> str:
        return f"ZipSource({str(self._given)!r}, {self._folder[:-1]!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Open files and locks do not travel; where the game stands may differ in another process.
        return (ZipSource, (self._place, self._folder[:-1]))

    @property
    def portable(self) -> bool:
        """Always True: a worker process opens the archive itself. Any thread."""
        return True

    def scan(self) -> Iterator[SourceFile]:
        """All files, each once, sorted by path.

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
        """What `scan` leaves out because of its name, and why. Any thread."""
        with self._lock:
            return list(self._opened().refused)

    def stat(self, path: str) -> SourceFile | None:
        """The file of that path without its content, or None if there is none.

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
        """The content of a file. Several threads unpack at the same time.

        Raises:
            UnsafePathError: As in `stat`.
            MissingAssetError: There is no such file.
            AssetTooLargeError: It is larger than `LARGEST_FILE`.
            AssetError: It is encrypted, packed in an unknown way or damaged.

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
        """The archive's path, and the file's path in it. Any thread."""
        return shown(path if path.startswith(":") else f"{self._given}/{self._folder}{path}", None)

    def folders(self) -> list[tuple[Path, str]]:
        """None: an archive is replaced as a whole. Any thread."""
        return []

    def close(self) -> None:
        """Close the archive; whoever reads from it at the moment gets an AssetError. Any thread."""
        with self._lock:
            if self._archive is not None:
                self._archive.zip.close()
                self._archive.file.close()
                self._archive = None

    def _unpacked(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, shown: str) -> bytes:
        # ZipFile counts its readers without a lock of its own; their reading has one.
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
        if size != entry.file_size:  # the checksum may be right all the same, or missing
            raise EOFError(f"{entry.file_size:,} bytes were promised and {size:,} came")
        return b"".join(steps)

    def _opened(self) -> _Archive:
        """The open archive; the lock must be held."""
        if self._archive is None:
            try:
                self._archive = self._open()
            except _FAULTS as error:
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
                message = f"the archive cannot be read: {reason}"
                raise AssetError(message, path=str(self._given)) from error
        return self._archive

    def _open(self) -> _Archive:
        if not stat.S_ISREG(self._place.stat().st_mode):  # to open a pipe would wait for ever
            raise zipfile.BadZipFile("this is no file with data in it")
        file = _Reader(io.FileIO(self._place))
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
            # Not `filename`, which is cut at a NUL and, on Windows, has its backslashes replaced.
            name = entry.orig_filename
            if name.endswith("/") or not name.startswith(self._folder):
                continue
            name = name[len(self._folder) :]
            # Systems without Unix modes leave them out.
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
    """A file that refuses to be read in giant steps.

    `zipfile` reads the list of entries in one step, as many bytes as the archive promises, and
    makes an object of some 500 bytes out of every 46. No other read of ours is over a megabyte.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_DIRECTORY:
            message = f"the archive's list of files is over {LARGEST_DIRECTORY:,} bytes long"
            raise AssetTooLargeError(message, path=os.fspath(self.name))
        return super().read(size)


def _described(path: str, entry: zipfile.ZipInfo) -> SourceFile:
    # The checksum tells contents apart, a date need not. 63 bits: databases count with a sign.
    stamp = entry.CRC << 31 | entry.file_size & 0x7FFFFFFF
    return SourceFile(path, entry.file_size, stamp or 1, 0)  # a stamp of 0 is "nothing known"


def _too_large(shown: str) -> AssetTooLargeError:
    return AssetTooLargeError(f"the file unpacks to over {LARGEST_FILE:,} bytes", path=shown)
