"""Folders under names that Arcade's own functions find files by: ``:assets:images/hero.png``.

Arcade joins the folder and the name as ``folder / name`` and opens what that leads to. So the
folder that it is given is a path that refuses names with ``..``, as the loader does: what names a
file may be a saved game, a mod or a map, and must not reach files beside the assets folder.
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
        confined: Whether it does so; paths that are derived from it, as by ``resolve``, do not.

    Any thread.
    """

    confined = False

    @classmethod
    def of(cls, folder: Path) -> Self:
        """The same folder, confined. Any thread."""
        made = cls(folder)
        made.confined = True
        return made

    def __truediv__(self, name: str | os.PathLike[str]) -> Path:
        """The path of a file.

        Raises:
            UnsafePathError: It could be outside of the folder.
        """
        if self.confined:
            _check(os.fspath(name))
        return Path(self).joinpath(name)


def _check(name: str) -> None:
    """Refuse a name that could lead out of a folder."""
    if ".." in name.replace("\\", "/").split("/"):
        message = "the path leaves its folder by `..`: paths begin below the assets folder"
    elif PurePath(name).is_absolute() or PurePath(name).drive:
        message = "the path is absolute: paths begin below the assets folder"
    else:
        return
    raise UnsafePathError(message, path=shown(name))


def assets_folder(assets: object) -> Path | None:
    """The folder that assets lie in, if they lie in one. Any thread."""
    if not isinstance(assets, str | os.PathLike):
        return None
    folder = Path(assets).resolve()
    return folder if folder.is_dir() else None


@contextmanager
def resource_folder(name: str, folder: Path) -> Generator[None, None, None]:
    """Arcade finds the folder by that name; not any more afterwards, if it did not before.

    A folder that the game has made known by that name before is the game's, and confines nothing.

    Main thread.
    """
    known = folder in arcade.resources.handles.get(name, ())
    arcade.resources.add_resource_handle(name, folder)
    try:
        yield
    finally:
        paths = arcade.resources.handles.get(name, [])
        if not known and folder in paths:
            paths.remove(folder)
            if not paths:
                del arcade.resources.handles[name]
