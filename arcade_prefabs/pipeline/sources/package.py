"""`PackageSource`: the files of a Python package as an asset source."""

from __future__ import annotations

import importlib
import importlib.resources
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import AssetError, MissingAssetError, UnsafePathError
from .archive import ZipSource
from .base import AssetSource, SourceFile, checked_path
from .directory import DirectorySource

__all__ = ["PackageSource"]


class PackageSource:
    """The files of a Python package, on disk or in a zip archive on ``sys.path``.

    `importlib.resources` finds the files and imports the package: its code runs. Files are served
    as by `DirectorySource` and `ZipSource`.

    Args:
        package: The name of a package that can be imported.
        folder: The folder in the package that paths are relative to; by default the whole package,
            with its code.

    Raises:
        UnsafePathError: The folder could leave the package.
        MissingAssetError: The package does not exist.
        AssetError: The package cannot be imported, or its files cannot be read, for example because
            it is a namespace package with files in several folders.
    """

    def __init__(self, package: str, folder: str = "") -> None:
        self._package = package
        self._folder = checked_path(folder) if folder else ""
        self._source = _located(package, self._folder)

    def __repr__(self) -> str:
        return f"PackageSource({self._package!r}, {self._folder!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (PackageSource, (self._package, self._folder))

    @property
    def portable(self) -> bool:
        """Always True: a worker process imports the package itself. Any thread."""
        return True

    def scan(self) -> Iterator[SourceFile]:
        """Returns all files, each once, sorted by path.

        Raises:
            MissingAssetError: The package on disk has no such folder.
            AssetError: The folder cannot be listed.

        Any thread.
        """
        return self._source.scan()

    def refused(self) -> list[UnsafePathError]:
        """Returns an error for each file that the last `scan` left out. Any thread."""
        return self._source.refused()

    def stat(self, path: str) -> SourceFile | None:
        """Returns the state of a file, or None if it does not exist.

        Raises:
            UnsafePathError: The path could leave the package's folder.
            AssetError: The system refuses access.

        Any thread.
        """
        return self._source.stat(path)

    def read(self, path: str) -> bytes:
        """Returns the content of a file.

        Raises:
            UnsafePathError: The path could leave the package's folder.
            MissingAssetError: The file does not exist.
            AssetTooLargeError: The file has more than `LARGEST_FILE` bytes.
            AssetError: The file cannot be read; ``__cause__`` says why.

        Any thread.
        """
        return self._source.read(path)

    def shown(self, path: str) -> str:
        """Returns the path on disk, or in the archive. Any thread."""
        return self._source.shown(path)

    def folders(self) -> list[tuple[Path, str]]:
        """Returns the package's folder on disk; nothing for an archive. Any thread."""
        return self._source.folders()

    def close(self) -> None:
        """Closes the archive, if the package is in one. Any thread."""
        self._source.close()


def _located(package: str, folder: str) -> AssetSource:
    try:
        module = importlib.import_module(package)
        if not hasattr(module, "__path__"):
            # From Python 3.12 on, `files` would return those of the parent package.
            raise TypeError("it is a module")
        found = importlib.resources.files(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{package}.".startswith(f"{error.name}."):
            raise MissingAssetError(f"there is no package {package}", path=package) from error
        message = f"the package {package} cannot be imported: {error}"
        raise AssetError(message, path=package) from error
    except (ImportError, TypeError, ValueError) as error:  # TypeError: also a relative name
        message = f"the package {package} cannot be used: {error}"
        raise AssetError(message, path=package) from error
    if isinstance(found, Path):
        return DirectorySource(found / folder)
    if isinstance(found, zipfile.Path):
        archive = found.root.filename
        found.root.close()
        if archive is not None:
            return ZipSource(archive, found.at + folder)
    raise AssetError(
        f"the files of {package} are in no folder and in no zip archive",
        path=package,
        hint="a folder without `__init__.py` is a namespace package; give it one",
    )
