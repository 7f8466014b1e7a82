"""`MemorySource`: an asset source in memory, for tests, editors and generated worlds."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import AssetTooLargeError, UnsafePathError, shown
from .base import LARGEST_FILE, SourceFile, checked_path
from .names import NameFilter, is_leftover, missing

__all__ = ["MemorySource"]


class _File(NamedTuple):
    data: bytes
    stamp: int


class MemorySource:
    """Files in memory, for tests, editors and generated worlds.

    ::

        source = MemorySource({"prefabs/orc.ron": "Prefab()"})
        source.write("prefabs/orc.ron", "Prefab(components: [Tags(['green'])])")

    Args:
        files: The first files, as for `write`.

    Raises:
        UnsafePathError: As `write`.
        AssetTooLargeError: As `write`.
    """

    def __init__(self, files: Mapping[str, bytes | str] | None = None) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, _File] = {}
        self._name_filter: NameFilter | None = None
        # Stamps begin with the time, so that no stamp occurs again in the next run of the game:
        # a store on disk would then take another content for the old one.
        self._stamps = itertools.count(time.time_ns())
        for path, data in (files or {}).items():
            self.write(path, data)

    def __repr__(self) -> str:
        return f"<MemorySource of {len(self._files):,} files>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a MemorySource cannot be pickled: a copy would not see later writes")

    @property
    def portable(self) -> bool:
        """Always False: another process would not see later writes. Any thread."""
        return False

    def write(self, path: str, data: bytes | str) -> None:
        """Makes or replaces a file; its stamp is higher than all earlier ones.

        Args:
            path: Its path, in any spelling.
            data: Its content; text is stored as UTF-8.

        Raises:
            UnsafePathError: No asset can have this path.
            AssetTooLargeError: The content has more than `LARGEST_FILE` bytes.

        Any thread.
        """
        path = checked_path(path)
        if path.startswith(":") or is_leftover(path):
            message = "the name is hidden, a leftover, or behind a handle: no source serves it"
            raise UnsafePathError(message, path=shown(path, None))
        content = data.encode() if isinstance(data, str) else bytes(data)
        if len(content) > LARGEST_FILE:
            raise AssetTooLargeError(f"the file has over {LARGEST_FILE:,} bytes", path=path)
        with self._lock:
            if path not in self._files:
                self._name_filter = None
            self._files[path] = _File(content, next(self._stamps))

    def remove(self, path: str) -> None:
        """Deletes a file.

        Raises:
            UnsafePathError: No asset can have this path.
            MissingAssetError: The file does not exist.

        Any thread.
        """
        path = checked_path(path)
        with self._lock:
            if self._files.pop(path, None) is None:
                raise missing(path, self.shown(path))
            self._name_filter = None

    def scan(self) -> Iterator[SourceFile]:
        """Returns all files, each once, sorted by path. Any thread."""
        with self._lock:
            return iter([self._described(path) for path in self._names().names])

    def refused(self) -> list[UnsafePathError]:
        """Returns an error for each file whose name differs from another only in case.

        Any thread.
        """
        with self._lock:
            return list(self._names().refused)

    def stat(self, path: str) -> SourceFile | None:
        """Returns the state of a file, or None if it does not exist.

        Raises:
            UnsafePathError: No asset can have this path, or it differs from another in case only.

        Any thread.
        """
        path = checked_path(path)
        with self._lock:
            found = self._names().find(path, self.shown)
            return None if found is None else self._described(path)

    def read(self, path: str) -> bytes:
        """Returns the content of a file.

        Raises:
            UnsafePathError: As `stat`.
            MissingAssetError: The file does not exist.

        Any thread.
        """
        path = checked_path(path)
        with self._lock:
            if self._names().find(path, self.shown) is None:
                raise missing(path, self.shown(path))
            return self._files[path].data

    def shown(self, path: str) -> str:
        """Returns the asset path, as the file has no other name. Any thread."""
        return shown(path, None)

    def folders(self) -> list[tuple[Path, str]]:
        """Returns nothing, as no folder on disk has these files. Any thread."""
        return []

    def close(self) -> None:
        """Does nothing, as no file is open. Any thread."""

    def _names(self) -> NameFilter:
        # Made on the first use after a write: one for each of ten thousand writes would be slow.
        if self._name_filter is None:
            self._name_filter = NameFilter(self._files, self.shown)
        return self._name_filter

    def _described(self, path: str) -> SourceFile:
        file = self._files[path]
        return SourceFile(path, len(file.data), file.stamp)
