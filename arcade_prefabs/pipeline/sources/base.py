"""What a storage backend is: a place that assets are read from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol, runtime_checkable

from ...errors import UnsafePathError, shown
from ...prefab.asset_ids import asset_path

__all__ = ["LARGEST_FILE", "MOST_FILES", "AssetSource", "SourceFile", "checked_path"]

LARGEST_FILE: Final = 64 * 1024 * 1024
"""Bytes of the largest file that a source hands out, unpacked."""

MOST_FILES: Final = 1_000_000
"""Files in one source; a directory of an archive that promises more is taken for an attack."""


class SourceFile(NamedTuple):
    """A file as a source sees it, without its content.

    Attributes:
        path: The one spelling of its path, as `asset_path` gives it.
        size: Bytes, unpacked.
        stamp: A number below 2**63 that changes when the file does, such as its time of change in
            nanoseconds, or a checksum; 0 if nothing is known, and then the content has to be read
            to tell.
        changed_ns: When the file was changed last, in nanoseconds since 1970, if the stamp depends
            on that time: two changes within a tick of the clock have one stamp. 0 if it does not
            depend on a clock; None if the stamp itself is that time.
    """

    path: str
    size: int
    stamp: int
    changed_ns: int | None = None

    @property
    def clock_ns(self) -> int:
        """The time that the stamp depends on; 0 for none. Any thread."""
        return self.stamp if self.changed_ns is None else self.changed_ns


@runtime_checkable
class AssetSource(Protocol):
    """A storage backend: a place that assets are read from.

    Every method takes paths in any spelling and confines them itself, so that no caller can forget
    to. A source may be used from several threads at once.
    """

    @property
    def portable(self) -> bool:
        """Whether it can be pickled, and reads the same files in a worker process."""
        ...

    def scan(self) -> Iterator[SourceFile]:
        """All files, each once, sorted by path.

        What cannot be an asset (names that `asset_path` refuses, links that leave the folder) is
        left out here; `refused` tells.
        """
        ...

    def refused(self) -> list[UnsafePathError]:
        """What the last `scan` left out because of its name, and why."""
        ...

    def stat(self, path: str) -> SourceFile | None:
        """The file of that path without its content, or None if there is none.

        Raises:
            UnsafePathError: The path could leave the source.
            AssetError: It may be there, but the system does not let us look.
        """
        ...

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            UnsafePathError: The path could leave the source.
            MissingAssetError: There is no such file.
            AssetTooLargeError: It is larger than `LARGEST_FILE`.
            AssetError: It cannot be read; the cause is attached.
        """
        ...

    def shown(self, path: str) -> str:
        """How errors should name the file, for example by its path on disk."""
        ...

    def folders(self) -> list[tuple[Path, str]]:
        """The folders on disk whose files these are, each with what its files' paths begin with.

        They are watched for changes; a source that has none is looked at again now and then.
        """
        ...

    def close(self) -> None:
        """Let go of open files; may be called twice."""
        ...


def checked_path(path: str) -> str:
    """The one spelling of a path.

    Raises:
        UnsafePathError: It could leave the source, or is not the same path on every system.

    Any thread.
    """
    try:
        if "#" in path:
            raise ValueError(f"a name in the path has a `#`, which begins a label: {path}")
        return asset_path(path)
    except ValueError as error:
        raise UnsafePathError(str(error), path=shown(path[:200], None) or "<empty path>") from None
