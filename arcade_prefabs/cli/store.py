"""``arcade-prefabs stats`` and ``clean``: show the size of the bake store, and reduce it."""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import zipfile
from pathlib import Path
from typing import Any, Final

from ..pipeline import StoreStatistics
from ..pipeline.store.locations import STORE_NAME, is_possible, is_release, store_folder
from .output import Printer, amount, print_json
from .shared import OK, CannotRun, add_assets, add_store_options, check_store, count, opened

__all__ = ["add_clean", "add_stats"]

# The endings of all files that belong to a store; the store itself is the last.
_ENDINGS: Final = ("-wal", "-shm", "-journal", ".damaged", "")


def add_stats(commands: Any) -> None:
    """Adds the command ``stats`` to the parser."""
    stats = commands.add_parser(
        "stats",
        help="show how much is baked, and how large it is",
        description="Show what the bake store, or a release file, holds.",
    )
    add_assets(stats, "the assets folder, a zip archive of it, or a release file")
    add_store_options(stats)
    stats.set_defaults(run=_stats)


def add_clean(commands: Any) -> None:
    """Adds the command ``clean`` to the parser."""
    clean = commands.add_parser(
        "clean",
        help="make the bake store smaller, or delete it",
        description="Free the disk space of deleted outputs. Assets are never touched.",
    )
    add_assets(clean, "the assets folder, or a zip archive of it")
    clean.add_argument(
        "--all", action="store_true", help="delete the whole store: the next bake begins anew"
    )
    add_store_options(clean)
    clean.set_defaults(run=_clean)


# -------------------------------------------------------------------------------------------- stats


def _stats(options: argparse.Namespace) -> int:
    with opened(options) as pipeline:
        statistics = pipeline.statistics()
        path, release = str(pipeline.store.path), pipeline.read_only
    ratio = None
    if statistics.source_bytes and not release:
        ratio = statistics.packed_bytes / statistics.source_bytes
    if options.json:
        figures = statistics._asdict()
        if release:
            figures["source_bytes"] = None
        print_json({"store": path, "release": release, "ratio": ratio, **figures})
        return OK
    printer = Printer()
    printer.line(f"{path}{' (a release file)' if release else ''}")
    printer.table(_rows(statistics, ratio, release=release))
    if not statistics.assets:
        printer.line(f"Nothing is baked yet: arcade-prefabs bake {options.assets}")
    return OK


def _rows(
    statistics: StoreStatistics, ratio: float | None, *, release: bool
) -> list[tuple[str, str]]:
    rows = [("files baked", f"{statistics.assets:,}")]
    if statistics.broken:
        rows.append(("of them broken", f"{statistics.broken:,}"))
    rows += [(f"outputs: {kind}", f"{number:,}") for kind, number in statistics.outputs.items()]
    if not release:
        rows.append(("files", amount(statistics.source_bytes)))
    rows += [
        ("baked, unpacked", amount(statistics.unpacked_bytes)),
        ("baked, packed", amount(statistics.packed_bytes)),
    ]
    if ratio is not None:
        rows.append(("packed / files", f"{ratio:.0%}"))
    rows.append(("release on disk" if release else "store on disk", amount(statistics.store_bytes)))
    return rows


# -------------------------------------------------------------------------------------------- clean


def _clean(options: argparse.Namespace) -> int:
    if options.all:
        return _clean_all(options)
    with opened(options) as pipeline:
        freed = pipeline.clean()
        path, left = pipeline.store.path, pipeline.store.file_bytes()
    if options.json:
        print_json({"store": str(path), "freed_bytes": freed, "store_bytes": left})
        return OK
    printer = Printer()
    printer.line(f"{path}: {amount(freed)} freed, {amount(left)} left")
    return OK


def _clean_all(options: argparse.Namespace) -> int:
    """Deletes the files of the bake store, and no others."""
    path = _store_of(options)
    if _is_in_use(path):
        raise CannotRun(f"{path} is in use by another program: end that first")
    deleted: list[str] = []
    freed = 0
    # Without the store itself, files of these names beside a given --store may be other programs'.
    endings = () if options.store is not None and not path.exists() else _ENDINGS
    try:
        for ending in endings:
            file = path.with_name(path.name + ending)
            if file.is_file() or file.is_symlink():
                freed += file.lstat().st_size
                file.unlink()
                deleted.append(str(file))
    except OSError as error:
        raise CannotRun(f"{error.filename} cannot be deleted: {error.strerror}") from error
    if options.store is None:
        _delete_folder(path.parent)
    if options.json:
        print_json({"store": str(path), "freed_bytes": freed, "deleted": deleted})
    elif deleted:
        printer = Printer()
        printer.line(f"deleted {path}: {count(len(deleted), 'file')}, {amount(freed)} freed")
    else:
        Printer().line(f"there is no store {path}: nothing was deleted")
    return OK


def _store_of(options: argparse.Namespace) -> Path:
    if options.store is not None:
        path = Path(options.store)
        check_store(path)
        return path
    assets = Path(options.assets)
    if is_release(assets):
        raise CannotRun(f"{assets} is a release file: it has no store, and is not deleted")
    if not is_possible(assets) or not (
        assets.is_dir() or (assets.is_file() and zipfile.is_zipfile(assets))
    ):
        raise CannotRun(f"{assets}: there is no such assets folder")
    return store_folder(assets) / STORE_NAME


def _is_in_use(path: Path) -> bool:
    """Whether another program has the store open, which would go on writing to a deleted file."""
    if not path.is_file():
        return False
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
            # This lock fails while another program has the store open with its shared lock.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("BEGIN EXCLUSIVE")
            db.execute("ROLLBACK")
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    return False


def _delete_folder(folder: Path) -> None:
    """Deletes the folder of the store, if it has only the ``.gitignore`` that the store wrote."""
    ignore = folder / ".gitignore"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if [file.name for file in folder.iterdir()] == [ignore.name]:
            if ignore.read_text(encoding="utf-8") != "*\n":
                return
            ignore.unlink()
        folder.rmdir()  # fails if other files are in it
