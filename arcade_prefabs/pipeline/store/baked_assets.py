"""Reads baked assets from the store: finds their rows, checks and unpacks their pages."""

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
from ..model.bake_result import BakeKey, BakeResult, shown_id
from ..model.page_codec import PORTION, PackedPage, seal
from .bake_store import BakeStore
from .rows import errors_of, typed
from .schema import BAKED, BROKEN, BUILT

__all__ = ["BakedAsset", "FoundAsset", "find", "needs_of", "open_asset", "open_result", "page_of"]

# Outputs with more packed bytes are read from the store page by page, also right after their bake.
_STRAIGHT_BYTES: Final = 256 * 1024


class FoundOutput(NamedTuple):
    """The row of an output, with its first page."""

    kind: str
    digest: bytes
    pages: int
    seal: int
    first: PackedPage


class FoundAsset(NamedTuple):
    """The row of an asset, with one of its outputs.

    Attributes:
        asset: The id of the row.
        state: See `schema`.
        labels: How many outputs the asset has; None if that does not matter.
        errors: The errors of the newest version of the file.
        output: The output with the label that was looked for, or None.
    """

    asset: int
    state: int
    labels: int | None
    errors: list[LocatedError]
    output: FoundOutput | None

    @property
    def lacking(self) -> bool:
        """Whether the output is missing although the file has no errors."""
        return self.output is None and not self.errors


_FIND: Final = """
SELECT a.id, a.state, a.labels, a.errors, o.kind, o.digest, o.pages, o.seal, o.size, o.method,
    o."check", o.data
FROM assets a LEFT JOIN outputs o ON o.asset=a.id AND o.label=?
WHERE a.path=? AND a.variant=?
"""


def find(store: BakeStore, key: BakeKey, label: str) -> FoundAsset | None:
    """Returns the row of an asset; None if its file was never baked."""
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
    """Returns the seal and the content of a page behind the first.

    Raises:
        AssetChangedError: The output has another hash now.
        StoreError: The page is missing.
    """
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
    query = "SELECT asset, digest FROM outputs WHERE asset=? AND label=?"
    return db.execute(query, (asset, label)).fetchall()


def needs_of(store: BakeStore, asset: int) -> tuple[Dependency, ...]:
    """Returns the run-time dependencies of a file's outputs."""
    with store.reading() as db:
        rows = db.execute(
            "SELECT w.word, a.path FROM needs n JOIN words w ON w.id=n.kind "
            "JOIN assets a ON a.id=n.target WHERE n.asset=? ORDER BY 1, 2",
            (asset,),
        )
        return tuple(Dependency(*typed(row, tuple[str, str])) for row in rows)


class BakedAsset:
    """A baked asset: its first page is in memory, the others are read from the store on demand.

    Attributes:
        id: Its full id.
        kind: ``prefab``, ``image``, ``data``...
        digest: A hash of the whole output; equal hashes mean equal outputs.
        pages: How many pages it has.
        first: The head, which says what the other pages contain.
        errors: The errors of the newest version of the file, if this is the last good output.

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
        """Returns the first page as a JSON value."""
        return orjson.loads(self.first)

    def page(self, number: int) -> bytes:
        """Returns a page.

        Raises:
            AssetChangedError: The asset was baked again since it was opened.
            StoreError: The page cannot be read.
        """
        if not 0 <= number < self.pages:
            raise IndexError(f"{self.id} has {self.pages} pages, there is none of number {number}")
        return self.first if number == 0 else self._read(number)

    def __iter__(self) -> Iterator[bytes]:
        """Yields all pages in order."""
        return (self.page(number) for number in range(self.pages))

    def data(self) -> bytes:
        """Returns all pages behind the first, joined."""
        return b"".join(self.page(number) for number in range(1, self.pages))


def open_asset(
    store: BakeStore,
    key: BakeKey,
    label: str,
    found: FoundAsset,
    on_damage: Callable[[StoreError], None],
) -> BakedAsset:
    """Returns the asset of a row, with its first page unpacked.

    Args:
        store: The store.
        key: The key of the asset.
        label: The label of the output.
        found: The row.
        on_damage: Called with the error when a later page turns out to be damaged.

    Raises:
        LocatedError: The file cannot be baked and has no last good output; this is its error.
        MissingAssetError: The file has no such label; the hint lists its labels.
        StoreError: The first page is damaged.
    """
    output = found.output
    if output is None:
        labels = _labels(store, key, found.asset)
        if found.labels not in (None, len(labels)):
            raise StoreError(f"{len(labels)} of {found.labels} outputs are there")
        if label in labels:
            raise StoreError("a row is damaged: the store finds it by one query and not by another")
        if found.errors:
            raise found.errors[0]
        message = f"it has no part `#{label}`" if label else "it has parts: say which one"
        # Labels are compared without the path, which would make all of them similar.
        hint = did_you_mean(f"#{label}", [f"#{one}" for one in labels if one])
        raise MissingAssetError(message, path=key.path, hint=hint)
    identifier = shown_id(key, label)
    kind, digest, pages, first_seal, first = output

    def unpacked(number: int, stored_seal: int, page: PackedPage) -> bytes:
        if seal(identifier, number, kind, digest, pages, page) != stored_seal:
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


def open_result(key: BakeKey, label: str, result: BakeResult) -> BakedAsset | None:
    """Returns the asset of a result that has just been committed, without reading the store.

    Returns None if only the store has the answer: it has the last good version of what failed, the
    labels of a file for an error message, and the pages of large outputs.
    """
    if result.failed or result.errors or len(result.outputs) > PORTION:
        return None
    output = next((one for one in result.outputs if one.label == label), None)
    if output is None or sum(len(page.data) for page in output.pages) > _STRAIGHT_BYTES:
        return None
    pages = output.pages

    def read_page(number: int) -> bytes:
        return pages[number].unpack()

    identifier = shown_id(key, label)
    return BakedAsset(identifier, output.kind, output.digest, len(pages), read_page(0), read_page)


def _labels(store: BakeStore, key: BakeKey, asset: int) -> list[str]:
    """Returns the labels of a file.

    Raises:
        StoreError: The row of an output is damaged, so that its label may be wrong.
    """
    query = "SELECT label, kind, digest, pages, seal, size, method, \"check\", x'' FROM outputs "
    with store.reading() as db:
        rows = db.execute(query + "WHERE asset=? ORDER BY label", (asset,))
        found = {row[0]: typed((*row[1:5], row[5:]), FoundOutput) for row in rows}
    for label, one in found.items():
        right = seal(shown_id(key, label), 0, one.kind, one.digest, one.pages, one.first)
        if right != one.seal:
            raise StoreError(f"the row of a page is damaged, whose label is now {label!r}")
    return list(found)
