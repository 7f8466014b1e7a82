"""Deletes damaged or unwanted outputs."""

from __future__ import annotations

from ...errors import StoreError
from ..model.bake_result import BakeKey, shown_id
from . import writes as records
from .bake_store import BakeStore
from .schema import BUILT

__all__ = ["damaged_output", "remove_built"]


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
