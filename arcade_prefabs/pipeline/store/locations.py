"""Where things are: the source of an assets folder, and the bake store that belongs to it."""

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
    """Whether a file may be called that: not with a zero byte, nor longer than the system takes.

    Of other names `Path.exists` and the like raise errors that say nothing to a player. Any thread.
    """
    try:
        path.lstat()
    except ValueError:
        return False
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG
    return True


def is_release(path: Path) -> bool:
    """Whether a path is a release file rather than a folder or an archive. Any thread."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return False


def open_source(assets: Path, handles: Folders) -> AssetSource:
    """The source of a folder or a zip archive, and of what stands behind resource handles.

    Raises:
        MissingAssetError: There is no such folder or archive.
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
    # A game's own folders come first, as in Arcade those that were added last.
    known: dict[str, list[str | os.PathLike[str]]] = {
        name: list(folders) for name, folders in arcade_handles().items()
    }
    for name, folders in handles.items():
        known[name] = [*folders, *known.get(name, [])]
    return HandleSource(base, known)


def store_folder(assets: Path | None) -> Path:
    """A folder for the bake store that can be written: inside the assets, or else in the cache.

    The folder gets a ``.gitignore``, for what can be baked again is not worth committing.
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
    """The path of a store that the game names, its folder made.

    Raises:
        StoreError: There is a file that is no store, which may be somebody's savegame.
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
    """Whether an SQLite file is a bake store, of any version; it is only looked at."""
    try:
        uri = f"file:{quote(os.fsencode(path))}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
            return bool(db.execute("SELECT value FROM facts WHERE name='format'").fetchone())
    except sqlite3.Error:
        return False


def _usable(folder: Path) -> bool:
    """Make a folder; whether a store can live in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        # Not every file system that can be written knows the locks that SQLite needs.
        probe = folder / f"probe-{uuid.uuid4().hex}"
        with contextlib.closing(sqlite3.connect(probe)) as db:
            db.execute("CREATE TABLE probe(x)")
        probe.unlink()
    except (OSError, sqlite3.Error):
        return False
    return True


def identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path; None for none. Any thread."""
    try:
        # Half of what Path.stat takes, and done in every transaction.
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_dev, found.st_ino


def set_aside(path: Path) -> Path | None:
    """Move a damaged store out of the way; its journals, which belong to it alone, are deleted."""
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
