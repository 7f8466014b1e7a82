"""Release files: everything that is baked, in one read-only file that a shipped game opens."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ..errors import StoreError
from .pages import Dictionary, PackedPage, make_dictionary
from .places import is_release
from .schema import BAKED, BROKEN, FORMAT, SCHEMA
from .store import BakeStore

__all__ = ["write_release"]

# Prefabs that the dictionary of a release is made from, spread over all.
_SAMPLES = 24


def write_release(store: BakeStore, path: Path) -> int:
    """Write a release file next to its final place and move it there; gives its size in bytes.

    Pages are packed anew and as small as can be; the files that they came from, the times and the
    inputs are left out.

    Raises:
        StoreError: It cannot be written, or would overwrite the store itself.
    """
    if path.exists() and store.path.exists() and path.samefile(store.path):
        raise StoreError(f"{path} is the bake store itself: choose another name")
    if path.exists() and not is_release(path):
        raise StoreError(f"{path} is no release file, and was left alone: choose another name")
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(beside, isolation_level=None)) as target:
            target.execute("PRAGMA journal_mode=OFF")  # a file that fails is thrown away
            target.execute("BEGIN")
            for statement in SCHEMA.split(";\n"):
                target.execute(statement)
            target.execute("INSERT INTO facts VALUES ('format', ?)", (FORMAT,))
            with store.reading() as db:
                db.execute("BEGIN")  # all that is read is of one moment
                try:
                    _copy(db, store, target)
                finally:
                    db.execute("ROLLBACK")
            target.execute("COMMIT")
            target.execute("VACUUM")
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreError(f"the release file {path} cannot be written: {reason}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    return path.stat().st_size


def _copy(db: sqlite3.Connection, store: BakeStore, target: sqlite3.Connection) -> None:
    """Copy what a game reads: assets, outputs, pages and needs."""
    dictionary = _dictionary(db, store)
    if dictionary is not None:
        target.execute("INSERT INTO dictionaries VALUES (?, ?)", dictionary)
    assets = db.execute(
        "SELECT id, path, variant, state FROM assets WHERE state IN (?, ?) "
        "OR id IN (SELECT target FROM needs)",
        (BAKED, BROKEN),
    )
    # Told apart by the state, which a reader looks at; a broken one is in it with its last good
    # version, if it has any.
    target.executemany("INSERT INTO assets(id, path, variant, state) VALUES (?,?,?,?)", assets)

    def outputs() -> Iterator[tuple[object, ...]]:
        query = 'SELECT asset, label, kind, digest, pages, size, method, "check", data FROM outputs'
        for asset, label, kind, digest, pages, *first in db.execute(query):
            packed = _packed_anew(store, PackedPage(*first), kind, dictionary)
            yield (asset, label, kind, digest, pages, *packed)

    def more() -> Iterator[tuple[object, ...]]:
        query = (
            'SELECT p.asset, p.label, p.number, o.kind, p.size, p.method, p."check", p.data '
            "FROM pages p JOIN outputs o ON o.asset=p.asset AND o.label=p.label"
        )
        for asset, label, number, kind, *page in db.execute(query):
            packed = _packed_anew(store, PackedPage(*page), kind, dictionary)
            yield (asset, label, number, *packed)

    target.executemany("INSERT INTO outputs VALUES (?,?,?,?,?,?,?,?,?)", outputs())
    target.executemany("INSERT INTO pages VALUES (?,?,?,?,?,?,?)", more())
    target.executemany("INSERT INTO words VALUES (?,?)", db.execute("SELECT * FROM words"))
    target.executemany("INSERT INTO needs VALUES (?,?,?)", db.execute("SELECT * FROM needs"))


def _packed_anew(
    store: BakeStore, page: PackedPage, kind: str, dictionary: Dictionary | None
) -> PackedPage:
    data = page.unpack(store.dictionary(page.method))
    return PackedPage.of(data, dictionary if kind == "prefab" else None, best=True)


def _dictionary(db: sqlite3.Connection, store: BakeStore) -> Dictionary | None:
    """A dictionary from prefabs of all parts of the game; None if there are hardly any."""
    count = db.execute("SELECT count(*) FROM outputs WHERE kind='prefab'").fetchone()[0]
    if count < 2 * _SAMPLES:
        return None
    rows = db.execute(
        'SELECT size, method, "check", data FROM (SELECT *, row_number() OVER '
        "(ORDER BY asset, label) AS place FROM outputs WHERE kind='prefab') WHERE place % ? = 0",
        (count // _SAMPLES,),
    )
    pages = [PackedPage(*row) for row in rows]
    return Dictionary(
        1, make_dictionary([page.unpack(store.dictionary(page.method)) for page in pages])
    )
