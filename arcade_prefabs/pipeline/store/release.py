"""Release files: everything that is baked, in one read-only file that a shipped game opens."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...errors import StoreError
from ..model.bake_result import BakeKey, shown_id
from ..model.page_codec import LEFT, CompressionDictionary, PackedPage, make_dictionary, seal
from .bake_store import BakeStore
from .locations import is_possible, is_release
from .rows import typed
from .schema import BAKED, BROKEN, BUILT, FORMAT, SCHEMA

__all__ = ["write_release"]

# Prefabs that the dictionary of a release is made from, spread over all.
_SAMPLES = 24
# What a store that is limited has thrown away was baked again before, unless it is broken now.
_PREFABS = f"kind='prefab' AND method<>{LEFT}"


def write_release(store: BakeStore, path: Path) -> int:
    """Write a release file next to its final place and move it there; gives its size in bytes.

    Pages are packed anew and as small as can be; the files that they came from, the times and the
    inputs are left out.

    Raises:
        StoreError: It cannot be written, or would overwrite the store itself.
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
        "SELECT id, path, variant, state, CASE state WHEN ? THEN NULL ELSE labels END "
        "FROM assets WHERE state IN (?, ?, ?) "
        "OR id IN (SELECT target FROM needs)",
        (BROKEN, BAKED, BROKEN, BUILT),
    )
    # Told apart by the state, which a reader looks at; a broken one is in it with its last good
    # version, if it has any.
    target.executemany(
        "INSERT INTO assets(id, path, variant, state, labels) VALUES (?,?,?,?,?)", assets
    )

    def outputs() -> Iterator[tuple[object, ...]]:
        query = (
            "SELECT o.asset, o.label, o.kind, o.digest, o.pages, a.path, a.variant, 0, "
            'o.seal, o.size, o.method, o."check", o.data '
            f"FROM outputs o JOIN assets a ON a.id=o.asset WHERE o.method<>{LEFT}"
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
    """Whose page it is."""

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
    """A dictionary from prefabs of all parts of the game; None if there are hardly any."""
    count = db.execute(f"SELECT count(*) FROM outputs WHERE {_PREFABS}").fetchone()[0]
    if count < 2 * _SAMPLES:
        return None
    rows = db.execute(
        'SELECT size, method, "check", data FROM (SELECT *, row_number() OVER '
        f"(ORDER BY asset, label) AS place FROM outputs WHERE {_PREFABS}) WHERE place % ? = 0",
        (count // _SAMPLES,),
    )
    pages = [typed(row, PackedPage) for row in rows]
    return CompressionDictionary.of(
        make_dictionary([page.unpack(store.dictionary(page.method)) for page in pages])
    )
