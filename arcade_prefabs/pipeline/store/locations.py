"""Opens the source of an assets folder, and finds the file of its bake store."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sqlite3
import tempfile
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import platformdirs

from ...errors import MissingAssetError, StoreError
from ..sources import AssetSource, DirectorySource, HandleSource, ZipSource, arcade_handles

__all__ = [
    "STORE_FOLDER",
    "STORE_NAME",
    "Folders",
    "identity",
    "is_possible",
    "is_release",
    "named_store",
    "open_source",
    "set_aside",
    "store_folder",
]

STORE_FOLDER: Final = ".arcade_prefabs"
STORE_NAME: Final = "bake.sqlite"
_SQLITE: Final = b"SQLite format 3\0"

Folders = Mapping[str, Sequence["str | os.PathLike[str]"]]


def is_possible(path: Path) -> bool:
    """Returns whether a file may have this name: without a zero byte, and not too long. Any thread.

    For other names `Path.exists` and the like raise errors that do not help the user.
    """
    try:
        path.lstat()
    except ValueError:
        return False
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG
    return True


def is_release(path: Path) -> bool:
    """Returns whether a path is that of an SQLite file, such as a release file. Any thread."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return False


def open_source(assets: Path, handles: Folders) -> AssetSource:
    """Returns the source of a folder or zip archive, with the folders of resource handles.

    Raises:
        MissingAssetError: The folder or archive does not exist.
        AssetError: The archive cannot be read.
    """
    base: AssetSource
    if not is_possible(assets):
        message = "there is no such assets folder: no file or folder can have that name"
        raise MissingAssetError(message, path=str(assets))
    if assets.is_dir():
        base = DirectorySource(assets)
    elif assets.is_file() and zipfile.is_zipfile(assets):
        base = ZipSource(assets)
    elif assets.exists():
        raise MissingAssetError(
            "this is neither a folder, nor a zip archive, nor a release file", path=str(assets)
        )
    else:
        raise MissingAssetError("there is no such assets folder", path=str(Path(assets).absolute()))
    # The game's folders are searched first, because Arcade searches folders added last first.
    merged: dict[str, list[str | os.PathLike[str]]] = {
        name: list(folders) for name, folders in arcade_handles().items()
    }
    for name, folders in handles.items():
        merged[name] = [*folders, *merged.get(name, [])]
    return HandleSource(base, merged)


def store_folder(assets: Path | None) -> Path:
    """Returns a writable folder for the bake store: in the assets folder, or in the user's cache.

    The folder gets a ``.gitignore``, because the store can be baked again and is not worth
    committing.
    """
    if assets is not None and assets.is_dir():
        inside = assets / STORE_FOLDER
        if _usable(inside):
            return inside
    if assets is not None:
        name = hashlib.sha256(os.fsencode(assets.absolute())).hexdigest()[:16]
        cache = Path(platformdirs.user_cache_dir("arcade_prefabs", appauthor=False)) / name
        if _usable(cache):
            return cache
    return Path(tempfile.mkdtemp(prefix="arcade_prefabs-"))


def named_store(path: Path) -> Path:
    """Returns the path of a store that the game has chosen, after making its folder.

    Raises:
        StoreError: The path is that of another file, which is left alone: it may be a saved game.
    """
    if not is_possible(path):
        raise StoreError(f"the store {path} cannot be made: no file can have that name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        there = path.is_file() and path.stat().st_size > 0
        if there and not (is_release(path) and _has_facts(path)):
            raise StoreError(f"{path} is no bake store, and was left alone: name another file")
    except OSError as error:
        raise StoreError(f"the store {path} cannot be made: {error.strerror}") from error
    return path


def _has_facts(path: Path) -> bool:
    """Returns whether an SQLite file is a bake store of any version; does not change the file."""
    try:
        uri = f"file:{quote(os.fsencode(path))}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
            return bool(db.execute("SELECT value FROM facts WHERE name='format'").fetchone())
    except sqlite3.Error:
        return False


def _usable(folder: Path) -> bool:
    """Makes a folder, and returns whether SQLite can use a file in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        # Some writable file systems lack the locks that SQLite needs.
        probe = folder / f"probe-{uuid.uuid4().hex}"
        with contextlib.closing(sqlite3.connect(probe)) as db:
            db.execute("CREATE TABLE probe(x)")
        probe.unlink()
    except (OSError, sqlite3.Error):
        return False
    return True


def identity(path: Path) -> tuple[int, int] | None:
    """Returns device and inode of the file at a path; None if there is no file. Any thread."""
    try:
        # os.stat takes half as long as Path.stat, and every transaction calls it.
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_dev, found.st_ino


def set_aside(path: Path) -> Path | None:
    """Renames a damaged store and deletes its journals; returns the new path, None if gone."""
    aside = path.with_name(path.name + ".damaged")
    try:
        for ending in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        if not path.exists():
            return None
        path.replace(aside)
    except OSError as error:
        raise StoreError(
            f"{path} is damaged and cannot be moved: {error.strerror}; delete it"
        ) from error
    return aside
