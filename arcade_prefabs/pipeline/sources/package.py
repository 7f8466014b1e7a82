"""Files that come with a Python package."""

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
    """Files that come with a Python package, on disk or in a zip archive that is imported from.

    They are found by `importlib.resources`, which imports the package: its code runs. Files are
    served as by `DirectorySource` and `ZipSource`.

    Args:
        package: The name of a package that can be imported.
        folder: Its folder that the paths begin in; all of it, code too, by default.

    Raises:
        UnsafePathError: The folder could leave the package.
        MissingAssetError: There is no such package.
        AssetError: It cannot be imported, or keeps its files in a way that we cannot read, such as
            a namespace package, whose files lie in several places.
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
        """All files, each once, sorted by path.

        Raises:
            MissingAssetError: The package on disk has no such folder.
            AssetError: It cannot be listed.

        Any thread.
        """
        return self._source.scan()

    def refused(self) -> list[UnsafePathError]:
        """What the last `scan` left out because of its name, and why. Any thread."""
        return self._source.refused()

    def stat(self, path: str) -> SourceFile | None:
        """The file of that path without its content, or None if there is none.

        Raises:
            UnsafePathError: The path could leave the package's folder.
            AssetError: The system does not let us look.

        Any thread.
        """
        return self._source.stat(path)

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            UnsafePathError: The path could leave the package's folder.
            MissingAssetError: There is no such file.
            AssetTooLargeError: It is larger than `LARGEST_FILE`.
            AssetError: It cannot be read; the cause is attached.

        Any thread.
        """
        return self._source.read(path)

    def shown(self, path: str) -> str:
        """The path on disk, or in the archive. Any thread."""
        return self._source.shown(path)

    def folders(self) -> list[tuple[Path, str]]:
        """The folder on disk, if it is one. Any thread."""
        return self._source.folders()

    def close(self) -> None:
        """Close the archive, if it is one. Any thread."""
        self._source.close()


def _located(package: str, folder: str) -> AssetSource:
    try:
        module = importlib.import_module(package)
        if not hasattr(module, "__path__"):
            raise TypeError("it is a module")  # whose files, from Python 3.12 on, are its parent's
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
