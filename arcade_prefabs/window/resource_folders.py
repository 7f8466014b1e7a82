"""Folders under names that Arcade's own functions find files by: ``:assets:images/hero.png``."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import arcade

__all__ = ["assets_folder", "resource_folder"]


def assets_folder(assets: object) -> Path | None:
    """The folder that assets lie in, if they lie in one. Any thread."""
    if not isinstance(assets, str | os.PathLike):
        return None
    folder = Path(assets).resolve()
    return folder if folder.is_dir() else None


@contextmanager
def resource_folder(name: str, folder: Path) -> Generator[None, None, None]:
    """Arcade finds the folder by that name; not any more afterwards, if it did not before.

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
