"""`package_source`: the files of a Python package as an asset source."""

from __future__ import annotations

import importlib
import importlib.resources
import zipfile
from pathlib import Path

from ...errors import AssetError, MissingAssetError
from .archive import ZipSource
from .base import checked_path
from .directory import DirectorySource

__all__ = ["package_source"]


def package_source(package: str, folder: str = "") -> DirectorySource | ZipSource:
    """Returns a source for the files of a Python package, on disk or in an imported zip archive.

    `importlib.resources` finds the files. It imports the package, so the package's code runs.

    Args:
        package: The name of a package that can be imported.
        folder: The folder in the package that paths are relative to; by default the package's own,
            with its code.

    Raises:
        UnsafePathError: The folder could be outside of the package.
        MissingAssetError: The package does not exist.
        AssetError: The package cannot be imported, or its files cannot be read from a folder or an
            archive, such as those of a namespace package, which are in several folders.

    Any thread.
    """
    folder = checked_path(folder) if folder else ""
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
