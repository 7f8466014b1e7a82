"""Keeps the store below its limit, and deletes damaged or unwanted outputs."""

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
    """Deletes the outputs of a damaged asset, so that it is baked again.

    Raises:
        StoreError: The asset was written by `WorldBuilder` and has no file to bake.
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
        # No recipe is NULL, so the asset is stale.
        db.execute("UPDATE assets SET recipe=NULL, labels=NULL WHERE id=?", (asset,))


def left(store: BakeStore) -> list[BakeKey]:
    """Returns the assets whose pages were removed from a store above its limit."""
    query = (
        "SELECT DISTINCT a.path, a.variant FROM outputs o JOIN assets a ON a.id=o.asset "
        "WHERE o.method=? ORDER BY 1, 2"
    )
    with store.reading() as db:
        return [typed(row, BakeKey) for row in db.execute(query, (LEFT,))]


def expect(store: BakeStore, key: BakeKey) -> None:
    """Makes an asset stale whose pages were removed, so that the next bake processes it."""
    with store.writing() as db:
        db.execute("UPDATE assets SET recipe=NULL WHERE path=? AND variant=?", key)


def keep_below(store: BakeStore, limit: int) -> list[str]:
    """Removes outputs until the store is below a number of bytes; returns messages for the report.

    The least recently used outputs go first; they are baked again on demand.
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
    """Removes an asset that `WorldBuilder` wrote; returns whether there was one."""
    with store.writing() as db:
        query = "SELECT id FROM assets WHERE path=? AND variant=? AND state=?"
        row = db.execute(query, (*key, BUILT)).fetchone()
        if row is not None:
            records.forget(db, row[0], key)
            records.sweep(db)
    store.settle()
    return row is not None
