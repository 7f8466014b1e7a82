"""Keeping the store in order: below its limit, and free of what turned out to be damaged."""

from __future__ import annotations

from ...errors import StoreError
from ..model.bake_result import BakeKey, shown_id
from ..model.page_codec import LEFT
from . import writes as records
from .bake_store import BakeStore
from .rows import typed
from .schema import BAKED, BUILT

__all__ = ["damaged_output", "expect", "keep_below", "left", "remove_built"]


def damaged_output(store: BakeStore, key: BakeKey) -> None:
    """Throw away what a damaged asset was baked to, so that it is baked anew.

    Raises:
        StoreError: It was built by code, without any file.
    """
    with store.writing() as db:
        row = db.execute("SELECT id, state FROM assets WHERE path=? AND variant=?", key).fetchone()
        if row is None:
            return
        asset, state = row
        if state == BUILT:
            raise StoreError(f"{shown_id(key)} is damaged, and was built by code: build it again")
        for table in ("outputs", "pages"):
            db.execute(f"DELETE FROM {table} WHERE asset=?", (asset,))
        # Another recipe than any that there is.
        db.execute("UPDATE assets SET recipe=NULL, labels=NULL WHERE id=?", (asset,))


def left(store: BakeStore) -> list[BakeKey]:
    """What left the store, and is baked again when it is asked for."""
    query = (
        "SELECT DISTINCT a.path, a.variant FROM outputs o JOIN assets a ON a.id=o.asset "
        "WHERE o.method=? ORDER BY 1, 2"
    )
    with store.reading() as db:
        return [typed(row, BakeKey) for row in db.execute(query, (LEFT,))]


def expect(store: BakeStore, key: BakeKey) -> None:
    """Have what left the store baked by whoever asks next."""
    with store.writing() as db:
        db.execute("UPDATE assets SET recipe=NULL WHERE path=? AND variant=?", key)


def keep_below(store: BakeStore, limit: int) -> list[str]:
    """Bring the store below a number of bytes; gives what is worth telling.

    What was used longest ago goes first; it is baked again when it is asked for.
    """
    if store.file_bytes() <= limit:
        return []
    store.compact()
    over = store.file_bytes() - limit
    if over <= 0:
        return []
    removed = 0
    with store.writing() as db:
        rows = db.execute(
            "SELECT a.id, (SELECT sum(length(data)) FROM outputs WHERE asset=a.id) + "
            "coalesce((SELECT sum(length(data)) FROM pages WHERE asset=a.id), 0) "
            "FROM assets a WHERE a.state=? ORDER BY a.run, a.id",
            (BAKED,),
        ).fetchall()
        for asset, size in rows:
            if over <= 0:
                break
            if not size:
                continue
            db.execute("DELETE FROM pages WHERE asset=?", (asset,))
            db.execute("UPDATE outputs SET method=?, data=x'' WHERE asset=?", (LEFT, asset))
            over -= size
            removed += 1
    store.compact()
    return [f"{removed} assets left the store, which is limited to {limit:,} bytes"]


def remove_built(store: BakeStore, key: BakeKey) -> bool:
    """Remove what code has built; whether there was anything."""
    with store.writing() as db:
        query = "SELECT id FROM assets WHERE path=? AND variant=? AND state=?"
        row = db.execute(query, (*key, BUILT)).fetchone()
        if row is not None:
            records.forget(db, row[0], key)
            records.sweep(db)
    store.settle()
    return row is not None
