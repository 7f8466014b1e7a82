"""The protocol of asset sources, from which a bake reads files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol, runtime_checkable

from ...errors import UnsafePathError, shown
from ...prefab.asset_ids import asset_path

__all__ = ["LARGEST_FILE", "MOST_FILES", "AssetSource", "SourceFile", "checked_path"]

LARGEST_FILE: Final = 64 * 1024 * 1024
"""The most bytes of a file, unpacked; larger files are errors."""

MOST_FILES: Final = 1_000_000
"""The most files in one source. An archive whose directory lists more is an error, because it may
be an attack."""


class SourceFile(NamedTuple):
    """The state of a file in a source, without its content.

    Attributes:
        path: Its path, normalised by `asset_path`.
        size: Bytes, unpacked.
        stamp: A number below 2**63 that changes with the file, such as its time of change in
            nanoseconds, or a checksum; 0 if there is none, so that changes show only in the
            content.
        changed_ns: The time of the last change, in nanoseconds since 1970, if the stamp depends on
            it: two changes within one tick of the clock have the same stamp. 0 if the stamp does
            not depend on a clock; None if the stamp is that time.
    """

    path: str
    size: int
    stamp: int
    changed_ns: int | None = None

    @property
    def clock_ns(self) -> int:
        """The time that the stamp depends on; 0 if it depends on none. Any thread."""
        return self.stamp if self.changed_ns is None else self.changed_ns


@runtime_checkable
class AssetSource(Protocol):
    """A place that files are read from: a folder, an archive, a package, memory.

    Every method takes paths in any spelling, normalises them, and refuses paths that leave the
    source, so that no caller can forget to. A source may be used from several threads at once.
    """

    @property
    def portable(self) -> bool:
        """Whether it can be pickled and reads the same files in a worker process."""
        ...

    def scan(self) -> Iterator[SourceFile]:
        """Returns all files, each once, sorted by path.

        Files that cannot be assets (names that `asset_path` refuses, links that leave the folder)
        are left out; `refused` returns them.
        """
        ...

    def refused(self) -> list[UnsafePathError]:
        """Returns an error for each file that the last `scan` left out because of its name."""
        ...

    def stat(self, path: str) -> SourceFile | None:
        """Returns the state of a file, or None if it does not exist.

        Raises:
            UnsafePathError: The path could leave the source.
            AssetError: The system refuses access, so the file may exist.
        """
        ...

    def read(self, path: str) -> bytes:
        """Returns the content of a file.

        Raises:
            UnsafePathError: The path could leave the source.
            MissingAssetError: The file does not exist.
            AssetTooLargeError: The file has more than `LARGEST_FILE` bytes.
            AssetError: The file cannot be read; ``__cause__`` says why.
        """
        ...

    def shown(self, path: str) -> str:
        """Returns the file's name for errors, for example its path on disk."""
        ...

    def folders(self) -> list[tuple[Path, str]]:
        """Returns the folders on disk with these files, each with the prefix of its asset paths.

        The watcher observes these folders; a source without any is scanned again from time to time.
        """
        ...

    def close(self) -> None:
        """Closes open files; may be called twice."""
        ...


def checked_path(path: str) -> str:
    """Returns the normalised form of a path.

    Raises:
        UnsafePathError: The path could leave the source, or differs between systems.

    Any thread.
    """
    try:
        if "#" in path:
            raise ValueError(f"a name in the path has a `#`, which begins a label: {path}")
        return asset_path(path)
    except ValueError as error:
        raise UnsafePathError(str(error), path=shown(path[:200], None) or "<empty path>") from None
