"""Baked assets as their readers see them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import orjson

from ...errors import (
    AssetChangedError,
    LocatedError,
    MissingAssetError,
    StoreError,
    shown,
)
from ...prefab.model import Dependency
from ...prefab.suggestions import did_you_mean
from ..model.bake_result import BakeKey, shown_id
from ..model.page_codec import LEFT, PackedPage, seal
from .bake_store import BakeStore
from .rows import errors_of, typed
from .schema import BAKED, BROKEN, BUILT

__all__ = ["BakedAsset", "FoundAsset", "find", "needs_of", "open_asset", "page_of"]


class FoundOutput(NamedTuple):
    """One of a file's outputs, but for its first page."""

    kind: str
    digest: bytes
    pages: int
    seal: int
    first: PackedPage


class FoundAsset(NamedTuple):
    """What the store has under an id."""

    asset: int
    state: int
    labels: int | None
    errors: list[LocatedError]
    output: FoundOutput | None

    @property
    def lacking(self) -> bool:
        """Whether there is no such output, and nothing is known to be wrong with the file."""
        return self.output is None and not self.errors

    @property
    def left(self) -> bool:
        """Whether it left a store that was too large, and can be baked again."""
        return self.output is not None and self.output.first.method == LEFT and not self.errors


_FIND: Final = """
SELECT a.id, a.state, a.labels, a.errors, o.kind, o.digest, o.pages, o.seal, o.size, o.method,
    o."check", o.data
FROM assets a LEFT JOIN outputs o ON o.asset=a.id AND o.label=?
WHERE a.path=? AND a.variant=?
"""


def find(store: BakeStore, key: BakeKey, label: str) -> FoundAsset | None:
    """The row of an id; None if nothing was ever baked from the file."""
    with store.reading() as db:
        row = db.execute(_FIND, (label, *key)).fetchone()
        if row is None or row[1] not in (BAKED, BROKEN, BUILT):
            return None
        asset, state, labels, errors = typed(row[:4], tuple[int, int, int | None, str | None])
        output = typed((*row[4:8], row[8:]), FoundOutput) if row[4] is not None else None
        return FoundAsset(asset, state, labels, errors_of(errors), output)


def page_of(
    store: BakeStore, asset: int, label: str, digest: bytes, number: int
) -> tuple[int, PackedPage]:
    """The seal of a page behind the first and the page, if its output still has that hash."""
    with store.reading() as db:
        row = db.execute(
            'SELECT p.seal, p.size, p.method, p."check", p.data FROM pages p '
            "JOIN outputs o ON o.asset=p.asset AND o.label=p.label "
            "WHERE p.asset=? AND p.label=? AND p.number=? AND o.digest=?",
            (asset, label, number, digest),
        ).fetchone()
        if row is None and (asset, digest) in _current(db, asset, label):
            raise StoreError("a page is missing")
        if row is None:
            raise AssetChangedError("the asset was baked anew while it was read: get it again")
        return typed((row[0], row[1:]), tuple[int, PackedPage])


def _current(db: sqlite3.Connection, asset: int, label: str) -> list[tuple[int, bytes]]:
    query = "SELECT asset, digest FROM outputs WHERE asset=? AND label=? AND method<>?"
    return db.execute(query, (asset, label, LEFT)).fetchall()


def needs_of(store: BakeStore, asset: int) -> tuple[Dependency, ...]:
    """What a file's outputs need at run time."""
    with store.reading() as db:
        rows = db.execute(
            "SELECT w.word, a.path FROM needs n JOIN words w ON w.id=n.kind "
            "JOIN assets a ON a.id=n.target WHERE n.asset=? ORDER BY 1, 2",
            (asset,),
        )
        return tuple(Dependency(*typed(row, tuple[str, str])) for row in rows)


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
        return f"<BakedAsset {shown(self.id)}: {self.kind}, {self.pages} pages>"

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
    key: BakeKey,
    label: str,
    found: FoundAsset,
    on_damage: Callable[[StoreError], None],
) -> BakedAsset:
    """The asset of a row; ``on_damage`` is called when one of its later pages cannot be used.

    Raises:
        LocatedError: It could never be baked; what is wrong with it.
        MissingAssetError: The file has no such label; the message says which there are.
        StoreError: Its first page is damaged.
    """
    output = found.output
    if output is not None and output.first.method == LEFT:
        raise found.errors[0] if found.errors else StoreError("its pages left the store")
    if output is None:
        labels = _labels(store, key, found.asset)
        if found.labels not in (None, len(labels)):
            raise StoreError(f"{len(labels)} of {found.labels} outputs are there")
        if label in labels:
            raise StoreError("the store shows and hides the same row")
        if found.errors:
            raise found.errors[0]
        message = f"it has no part `#{label}`" if label else "it has parts: say which one"
        # Without the path, which would make all labels look alike.
        hint = did_you_mean(f"#{label}", [f"#{one}" for one in labels if one])
        raise MissingAssetError(message, path=key.path, hint=hint)
    identifier = shown_id(key, label)
    kind, digest, pages, first_seal, first = output

    def unpacked(number: int, its_seal: int, page: PackedPage) -> bytes:
        if seal(identifier, number, kind, digest, pages, page) != its_seal:
            raise StoreError("a page is damaged: the checksum of its row is wrong")
        return page.unpack(store.dictionary(page.method))

    def read_page(number: int) -> bytes:
        try:
            return unpacked(number, *page_of(store, found.asset, label, digest, number))
        except AssetChangedError:
            raise
        except StoreError as error:
            on_damage(error)
            raise

    head = unpacked(0, first_seal, first)
    return BakedAsset(identifier, kind, digest, pages, head, read_page, tuple(found.errors))


def _labels(store: BakeStore, key: BakeKey, asset: int) -> list[str]:
    """The labels of a file; `StoreError` if one of them is damaged, for it may be another one."""
    query = "SELECT label, kind, digest, pages, seal, size, method, \"check\", x'' FROM outputs "
    with store.reading() as db:
        rows = db.execute(query + "WHERE asset=? ORDER BY label", (asset,))
        found = {row[0]: typed((*row[1:5], row[5:]), FoundOutput) for row in rows}
    for label, one in found.items():
        right = seal(shown_id(key, label), 0, one.kind, one.digest, one.pages, one.first)
        if right != one.seal and one.first.method != LEFT:
            raise StoreError(f"the row of a page is damaged, whose label is now {label!r}")
    return list(found)
