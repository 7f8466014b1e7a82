"""Registers the assets folder as a resource handle of Arcade: ``:assets:images/hero.png``.

Arcade joins the folder of a handle and the name as ``folder / name``, and opens that path. A name
may come from a saved game, a mod or a map, and must not reach files outside the assets folder. So
the folder is registered as a path that refuses names with ``..``, as the loader does.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Self

import arcade

from ..errors import UnsafePathError, shown

__all__ = ["ConfinedFolder", "assets_folder", "resource_folder"]

_Path: Any = Path if TYPE_CHECKING else type(Path())


class ConfinedFolder(_Path):  # type: ignore[misc]
    """A folder whose ``folder / name`` never leads out of it.

    Attributes:
        confined: Whether it refuses such names; False for derived paths, as by ``resolve``.

    Any thread.
    """

    confined = False

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Returns the folder as a confined path. Any thread."""
        confined = cls(folder)
        confined.confined = True
        return confined

    def __truediv__(self, name: str | os.PathLike[str]) -> Path:
        """Returns the path of a file in the folder.

        Raises:
            UnsafePathError: The name is absolute, or contains ``..``.
        """
        if self.confined:
            _check(os.fspath(name))
        return Path(self).joinpath(name)


def _check(name: str) -> None:
    """Raises an UnsafePathError for a name that could lead out of a folder."""
    if ".." in name.replace("\\", "/").split("/"):
        message = "the path leaves its folder by `..`: paths begin below the assets folder"
    elif PurePath(name).is_absolute() or PurePath(name).drive:
        message = "the path is absolute: paths begin below the assets folder"
    else:
        return
    raise UnsafePathError(message, path=shown(name))


def assets_folder(assets: object) -> Path | None:
    """Returns the assets folder, or None if the assets are an archive or a release. Any thread."""
    if not isinstance(assets, str | os.PathLike):
        return None
    folder = Path(assets).resolve()
    return folder if folder.is_dir() else None


@contextmanager
def resource_folder(name: str, folder: Path) -> Generator[None, None, None]:
    """Adds a folder to a resource handle in a ``with`` block, and removes it afterwards.

    If the game has added the same folder to this handle before, nothing is removed, and the game's
    path is used, which is not confined.

    Main thread.
    """
    had_folder = folder in arcade.resources.handles.get(name, ())
    arcade.resources.add_resource_handle(name, folder)
    try:
        yield
    finally:
        paths = arcade.resources.handles.get(name, [])
        if not had_folder and folder in paths:
            paths.remove(folder)
            if not paths:
                del arcade.resources.handles[name]
