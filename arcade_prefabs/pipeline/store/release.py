"""Writes release files: all outputs in one read-only file, which a shipped game opens."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...errors import StoreError
from ..model.bake_result import BakeKey, shown_id
from ..model.page_codec import CompressionDictionary, PackedPage, make_dictionary, seal
from .bake_store import BakeStore
from .locations import is_possible, is_release
from .rows import typed
from .schema import BAKED, BROKEN, BUILT, FORMAT, SCHEMA

__all__ = ["write_release"]

# How many prefabs, evenly spread over all, the dictionary of a release is made from.
_SAMPLES = 24


def write_release(store: BakeStore, path: Path) -> int:
    """Writes a release file beside its path and moves it there; returns its size in bytes.

    Pages are compressed again, as small as possible. Inputs, time stamps, errors and recipes are
    left out.

    Raises:
        StoreError: The file cannot be written, or the path is that of the store or of another file.
    """
    if not is_possible(path):
        raise StoreError(f"the release file {path} cannot be written: no file can have that name")
    if path.exists() and store.path.exists() and path.samefile(store.path):
        raise StoreError(f"{path} is the bake store itself: choose another name")
    if path.exists() and not is_release(path):
        raise StoreError(f"{path} is no release file, and was left alone: choose another name")
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(beside, isolation_level=None)) as target:
            target.execute("PRAGMA journal_mode=OFF")  # an incomplete file is deleted
            target.execute("BEGIN")
            for statement in SCHEMA.split(";\n"):
                target.execute(statement)
            target.execute("INSERT INTO facts VALUES ('format', ?)", (FORMAT,))
            with store.reading() as db:
                db.execute("BEGIN")  # all statements see one state of the store
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
    """Copies the tables that a game reads: assets, outputs, pages and needs."""
    dictionary = _dictionary(db, store)
    if dictionary is not None:
        target.execute("INSERT INTO dictionaries VALUES (?, ?)", dictionary)
    assets = db.execute(
        "SELECT id, path, variant, state, CASE state WHEN ? THEN NULL ELSE labels END "
        "FROM assets WHERE state IN (?, ?, ?) "
        "OR id IN (SELECT target FROM needs)",
        (BROKEN, BAKED, BROKEN, BUILT),
    )
    # Broken assets are copied, too: their last good outputs are used, and readers see the state.
    target.executemany(
        "INSERT INTO assets(id, path, variant, state, labels) VALUES (?,?,?,?,?)", assets
    )

    def outputs() -> Iterator[tuple[object, ...]]:
        query = (
            "SELECT o.asset, o.label, o.kind, o.digest, o.pages, a.path, a.variant, 0, "
            'o.seal, o.size, o.method, o."check", o.data '
            "FROM outputs o JOIN assets a ON a.id=o.asset"
        )
        for row in db.execute(query):
            one = typed(row[:9], _Sealed)
            page = _packed_anew(store, one, typed(row[9:], PackedPage), dictionary)
            yield (*one[:5], *page)

    def more() -> Iterator[tuple[object, ...]]:
        query = (
            "SELECT o.asset, o.label, o.kind, o.digest, o.pages, a.path, a.variant, p.number, "
            'p.seal, p.size, p.method, p."check", p.data FROM pages p '
            "JOIN outputs o ON o.asset=p.asset AND o.label=p.label JOIN assets a ON a.id=o.asset"
        )
        for row in db.execute(query):
            one = typed(row[:9], _Sealed)
            page = _packed_anew(store, one, typed(row[9:], PackedPage), dictionary)
            yield (one.asset, one.label, one.number, *page)

    target.executemany("INSERT INTO outputs VALUES (?,?,?,?,?,?,?,?,?,?)", outputs())
    target.executemany("INSERT INTO pages VALUES (?,?,?,?,?,?,?,?)", more())
    target.executemany("INSERT INTO words VALUES (?,?)", db.execute("SELECT * FROM words"))
    target.executemany("INSERT INTO needs VALUES (?,?,?)", db.execute("SELECT * FROM needs"))


class _Sealed(NamedTuple):
    """The columns of a page's row that its seal covers, and the seal."""

    asset: int
    label: str
    kind: str
    digest: bytes
    pages: int
    path: str
    variant: str
    number: int
    seal: int


def _packed_anew(
    store: BakeStore, one: _Sealed, page: PackedPage, dictionary: CompressionDictionary | None
) -> tuple[object, ...]:
    identifier = shown_id(BakeKey(one.path, one.variant), one.label)
    row = (identifier, one.number, one.kind, one.digest, one.pages)
    if seal(*row, page) != one.seal:
        raise StoreError(f"{identifier}: a page in {store.path} is damaged: invalidate, bake again")
    data = page.unpack(store.dictionary(page.method))
    packed = PackedPage.of(data, dictionary if one.kind == "prefab" else None, best=True)
    return (*packed, seal(*row, packed))


def _dictionary(db: sqlite3.Connection, store: BakeStore) -> CompressionDictionary | None:
    """Returns a dictionary made from prefabs of the whole game; None for fewer than 48 prefabs."""
    count = db.execute("SELECT count(*) FROM outputs WHERE kind='prefab'").fetchone()[0]
    if count < 2 * _SAMPLES:
        return None
    rows = db.execute(
        'SELECT size, method, "check", data FROM (SELECT *, row_number() OVER '
        "(ORDER BY asset, label) AS place FROM outputs WHERE kind='prefab') WHERE place % ? = 0",
        (count // _SAMPLES,),
    )
    pages = [typed(row, PackedPage) for row in rows]
    return CompressionDictionary.of(
        make_dictionary([page.unpack(store.dictionary(page.method)) for page in pages])
    )
