"""``arcade-prefabs stats`` and ``clean``: what the bake store holds, and making it smaller."""

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

# All that we ever make beside a store, and the store itself last.
_OURS: Final = ("-wal", "-shm", "-journal", ".damaged", "")


def add_stats(commands: Any) -> None:
    """Add the command to the parser."""
    stats = commands.add_parser(
        "stats",
        help="show how much is baked, and how large it is",
        description="Show what the bake store, or a release file, holds.",
    )
    add_assets(stats, "the assets folder, a zip archive of it, or a release file")
    add_store_options(stats)
    stats.set_defaults(run=_stats)


def add_clean(commands: Any) -> None:
    """Add the command to the parser."""
    clean = commands.add_parser(
        "clean",
        help="make the bake store smaller, or delete it",
        description="Give the room of what was deleted back to the disk. Assets are never touched.",
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
        found = pipeline.statistics()
        path, release = str(pipeline.store.path), pipeline.read_only
    ratio = None
    if found.source_bytes and not release:
        ratio = found.packed_bytes / found.source_bytes
    if options.json:
        known = found._asdict()
        if release:
            known["source_bytes"] = None
        print_json({"store": path, "release": release, "ratio": ratio, **known})
        return OK
    printer = Printer()
    printer.line(f"{path}{' (a release file)' if release else ''}")
    printer.table(_rows(found, ratio, release=release))
    if not found.assets:
        printer.line(f"Nothing is baked yet: arcade-prefabs bake {options.assets}")
    return OK


def _rows(found: StoreStatistics, ratio: float | None, *, release: bool) -> list[tuple[str, str]]:
    rows = [("files baked", f"{found.assets:,}")]
    if found.broken:
        rows.append(("of them broken", f"{found.broken:,}"))
    rows += [(f"outputs: {kind}", f"{number:,}") for kind, number in found.outputs.items()]
    if not release:
        rows.append(("files", amount(found.source_bytes)))
    rows += [
        ("baked, unpacked", amount(found.unpacked_bytes)),
        ("baked, packed", amount(found.packed_bytes)),
    ]
    if ratio is not None:
        rows.append(("packed / files", f"{ratio:.0%}"))
    rows.append(("release on disk" if release else "store on disk", amount(found.store_bytes)))
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
    """Delete the store, and never anything that is not ours."""
    path = _store_of(options)
    if _is_in_use(path):
        raise CannotRun(f"{path} is in use by another program: end that first")
    deleted: list[str] = []
    freed = 0
    # Beside a store that is not there, nothing shows whose files these are.
    endings = () if options.store is not None and not path.exists() else _OURS
    try:
        for ending in endings:
            one = path.with_name(path.name + ending)
            if one.is_file() or one.is_symlink():
                freed += one.lstat().st_size
                one.unlink()
                deleted.append(str(one))
    except OSError as error:
        raise CannotRun(f"{error.filename} cannot be deleted: {error.strerror}") from error
    if options.store is None:
        _leave_folder(path.parent)
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
    """Whether another program has the store open: it would write on into a deleted file."""
    if not path.is_file():
        return False
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
            # Only who is alone gets this lock: an open store keeps a shared one.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("BEGIN EXCLUSIVE")
            db.execute("ROLLBACK")
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    return False


def _leave_folder(folder: Path) -> None:
    """Delete the folder of the store, if nothing is in it but the ``.gitignore`` that we wrote."""
    ignore = folder / ".gitignore"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if [one.name for one in folder.iterdir()] == [ignore.name]:
            if ignore.read_text(encoding="utf-8") != "*\n":
                return
            ignore.unlink()
        folder.rmdir()  # refused where anything is left in it
