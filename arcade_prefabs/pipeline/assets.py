"""Baked assets as their readers see them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import orjson

from ..errors import AssetChangedError, LocatedError, MissingAssetError, StoreError
from ..prefab.model import Asset
from ..prefab.suggest import did_you_mean
from .outcome import Key, error_from, shown_id
from .pages import PackedPage
from .schema import BAKED, BROKEN
from .store import BakeStore

__all__ = ["BakedAsset", "Found", "find", "needs_of", "open_asset", "page_of"]


class Found(NamedTuple):
    """What the store has under an id."""

    asset: int
    state: int
    errors: str | None
    kind: str | None
    digest: bytes | None
    pages: int
    first: PackedPage | None


_FIND: Final = """
SELECT a.id, a.state, a.errors, o.kind, o.digest, o.pages, o.size, o.method, o."check", o.data
FROM assets a LEFT JOIN outputs o ON o.asset=a.id AND o.label=?
WHERE a.path=? AND a.variant=?
"""


def find(store: BakeStore, key: Key, label: str) -> Found | None:
    """The row of an id; None if nothing was ever baked from the file."""
    with store.reading() as db:
        row = db.execute(_FIND, (label, *key)).fetchone()
    if row is None or row[1] not in (BAKED, BROKEN):
        return None
    first = PackedPage(*row[6:]) if row[3] is not None else None
    asset, state, errors, kind, digest, pages = row[:6]
    return Found(asset, state, errors, kind, digest, pages or 0, first)


def page_of(store: BakeStore, asset: int, label: str, digest: bytes, number: int) -> PackedPage:
    """A page behind the first, if the output is still the one of that hash."""
    with store.reading() as db:
        row = db.execute(
            'SELECT p.size, p.method, p."check", p.data FROM pages p '
            "JOIN outputs o ON o.asset=p.asset AND o.label=p.label "
            "WHERE p.asset=? AND p.label=? AND p.number=? AND o.digest=?",
            (asset, label, number, digest),
        ).fetchone()
        if row is None and (asset, digest) in _current(db, asset, label):
            raise StoreError("a page is missing")
    if row is None:
        raise AssetChangedError("the asset was baked anew while it was being read: get it again")
    return PackedPage(*row)


def _current(db: sqlite3.Connection, asset: int, label: str) -> list[tuple[int, bytes]]:
    query = "SELECT asset, digest FROM outputs WHERE asset=? AND label=?"
    return db.execute(query, (asset, label)).fetchall()


def needs_of(store: BakeStore, asset: int) -> tuple[Asset, ...]:
    """What a file's outputs need at run time."""
    with store.reading() as db:
        rows = db.execute(
            "SELECT w.word, a.path FROM needs n JOIN words w ON w.id=n.kind "
            "JOIN assets a ON a.id=n.target WHERE n.asset=? ORDER BY 1, 2",
            (asset,),
        ).fetchall()
    return tuple(Asset(*row) for row in rows)


class BakedAsset:
    """Something that was baked, its first page at hand, the others read when asked for.

    Attributes:
        id: Its full id.
        kind: What it is: ``prefab``, ``image``, ``data``...
        digest: A hash of the whole: where it is the same, the asset is.
        pages: How many pages it has.
        first: The first page, which says what the others hold.
        errors: What is wrong with the newest version of the file, if this is the last good one.

    Any thread.
    """

    __slots__ = ("_read", "digest", "errors", "first", "id", "kind", "pages")

    def __init__(
        self,
        identifier: str,
        kind: str,
        digest: bytes,
        pages: int,
        first: bytes,
        read: Callable[[int], bytes],
        errors: tuple[LocatedError, ...] = (),
    ) -> None:
        self.id = identifier
        self.kind = kind
        self.digest = digest
        self.pages = pages
        self.first = first
        self.errors = errors
        self._read = read

    def __repr__(self) -> str:
        return f"<BakedAsset {self.id}: {self.kind}, {self.pages} pages>"

    def head(self) -> Any:
        """The first page as a JSON value."""
        return orjson.loads(self.first)

    def page(self, number: int) -> bytes:
        """A page.

        Raises:
            AssetChangedError: The asset was baked anew meanwhile.
            StoreError: It cannot be read.
        """
        if not 0 <= number < self.pages:
            raise IndexError(f"{self.id} has {self.pages} pages, there is none of number {number}")
        return self.first if number == 0 else self._read(number)

    def __iter__(self) -> Iterator[bytes]:
        """All pages in order."""
        return (self.page(number) for number in range(self.pages))

    def data(self) -> bytes:
        """All pages behind the first in one piece."""
        return b"".join(self.page(number) for number in range(1, self.pages))


def open_asset(
    store: BakeStore,
    key: Key,
    label: str,
    found: Found,
    on_damage: Callable[[StoreError], None],
) -> BakedAsset:
    """The asset of a row; ``on_damage`` is called when one of its later pages cannot be used.

    Raises:
        LocatedError: It could never be baked; what is wrong with it.
        MissingAssetError: The file has no such label; the message says which there are.
        StoreError: Its first page is damaged.
    """
    errors = tuple(error_from(record) for record in orjson.loads(found.errors or b"[]"))
    if found.kind is None or found.digest is None or found.first is None:
        if errors:
            raise errors[0]
        known = [shown_id(key, one) for one in _labels(store, found.asset) if one]
        message = f"it has no part `#{label}`" if label else "it has parts: say which one"
        hint = did_you_mean(shown_id(key, label), known) or f"it has: {', '.join(known[:10])}"
        raise MissingAssetError(message, path=key.path, hint=hint if known else None)
    digest = found.digest

    def read_page(number: int) -> bytes:
        try:
            page = page_of(store, found.asset, label, digest, number)
            return page.unpack(store.dictionary(page.method))
        except AssetChangedError:
            raise
        except StoreError as error:
            on_damage(error)
            raise

    first = found.first.unpack(store.dictionary(found.first.method))
    identifier = shown_id(key, label)
    return BakedAsset(identifier, found.kind, digest, found.pages, first, read_page, errors)


def _labels(store: BakeStore, asset: int) -> list[str]:
    with store.reading() as db:
        query = "SELECT label FROM outputs WHERE asset=? ORDER BY label"
        return [row[0] for row in db.execute(query, (asset,))]
