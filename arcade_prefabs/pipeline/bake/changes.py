"""Compares the files of a source with the rows of the store, by size and time stamp first."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ...errors import AssetError, MissingAssetError
from ..model.bake_result import BakeKey
from ..model.processor import UNREADABLE, digest
from ..sources import AssetSource, SourceFile
from ..store.bake_store import BakeStore
from ..store.rows import typed
from ..store.schema import BAKED, BROKEN, INPUT, NAMED

__all__ = [
    "AssetRow",
    "below",
    "compare",
    "find_row",
    "unscanned",
    "update_inputs",
    "update_unbaked",
    "variants",
]

_COLUMNS = "id, path, variant, state, size, stamp, content, recipe"


class AssetRow(NamedTuple):
    """The store's row of an asset; the columns are explained in `schema`."""

    id: int
    path: str
    variant: str
    state: int
    size: int | None
    stamp: int | None
    content: bytes | None
    recipe: int | None

    @property
    def key(self) -> BakeKey:
        """The bake key of the asset."""
        return BakeKey(self.path, self.variant)

    @property
    def processed(self) -> bool:
        """Whether a processor has processed the file."""
        return self.state in (BAKED, BROKEN)

    def reason(self, file: SourceFile, recipe: int) -> str | None:
        """Returns why the asset has to be baked, None if it is up to date.

        "touched" means that only the time stamp differs, so that the content has to be compared.
        """
        if not self.processed:
            return "new"
        if self.recipe != recipe:
            return "its processor or the settings changed"
        if self.size != file.size:
            return "the file changed"
        if not file.stamp or self.stamp != file.stamp:
            return "touched"
        return None


def find_row(db: sqlite3.Connection, key: BakeKey) -> AssetRow | None:
    """Returns the store's row of an asset."""
    query = f"SELECT {_COLUMNS} FROM assets WHERE path=? AND variant=?"
    row = db.execute(query, key).fetchone()
    return typed(row, AssetRow) if row else None


def compare(
    store: BakeStore, files: Iterable[SourceFile]
) -> Iterator[tuple[SourceFile | None, AssetRow | None]]:
    """Yields each file with its row: None for new files, and no file for rows of deleted files.

    Files and rows are both sorted by path and read step by step, so that neither list has to be in
    memory.
    """
    query = (
        f"SELECT {_COLUMNS} FROM assets WHERE variant='' AND path NOT LIKE ':%' "
        f"AND state IN ({NAMED}, {BAKED}, {BROKEN}, {INPUT}) ORDER BY path"
    )
    with store.reading() as db:
        rows = (typed(row, AssetRow) for row in db.execute(query))
        row = next(rows, None)
        for file in files:
            while row is not None and row.path < file.path:
                yield None, row
                row = next(rows, None)
            if row is not None and row.path == file.path:
                yield file, row
                row = next(rows, None)
            else:
                yield file, None
        while row is not None:
            yield None, row
            row = next(rows, None)


def variants(store: BakeStore, path: str) -> list[AssetRow]:
    """Returns the rows of a file, the one without import settings first."""
    query = f"SELECT {_COLUMNS} FROM assets WHERE path=? ORDER BY variant"
    with store.reading() as db:
        return [typed(row, AssetRow) for row in db.execute(query, (path,))]


def below(store: BakeStore, folder: str) -> list[AssetRow]:
    """Returns the rows of the baked files below a folder."""
    query = (
        f"SELECT {_COLUMNS} FROM assets WHERE path > ? AND path < ? "
        f"AND state IN ({BAKED}, {BROKEN})"
    )
    with store.reading() as db:
        # `0` is the character behind `/`.
        return [typed(row, AssetRow) for row in db.execute(query, (folder + "/", folder + "0"))]


def unscanned(store: BakeStore) -> list[AssetRow]:
    """Returns baked assets that no scan lists: those with import settings or resource handles."""
    query = (
        f"SELECT {_COLUMNS} FROM assets WHERE (variant<>'' OR path LIKE ':%') "
        f"AND state IN ({BAKED}, {BROKEN})"
    )
    with store.reading() as db:
        return [typed(row, AssetRow) for row in db.execute(query)]


def update_inputs(
    store: BakeStore, source: AssetSource, stat: Callable[[str], SourceFile | None]
) -> None:
    """Updates the rows of all files that are inputs of others and that no processor takes."""
    query = (
        f"SELECT DISTINCT {', '.join('a.' + name for name in _COLUMNS.split(', '))} "
        f"FROM assets a JOIN inputs i ON i.target=a.id WHERE i.kind=0 AND a.state IN (?,?)"
    )
    with store.reading() as db:
        rows = [typed(row, AssetRow) for row in db.execute(query, (NAMED, INPUT))]
    update_unbaked(rows, store, source, stat)


def update_unbaked(
    rows: Iterable[AssetRow],
    store: BakeStore,
    source: AssetSource,
    stat: Callable[[str], SourceFile | None],
) -> None:
    """Updates size, time stamp and content hash of files that no processor takes."""
    updates: list[tuple[int, int | None, int | None, bytes | None, int]] = []
    for row in rows:
        file: SourceFile | None = None
        content: bytes | None = None
        with contextlib.suppress(AssetError):
            file = stat(row.path)
        if file is not None:
            if file.stamp and (row.size, row.stamp) == (file.size, file.stamp):
                continue
            content = content_of(source, row.path)
        if file is None and row.state == NAMED:
            continue
        state = NAMED if content is None else INPUT
        size, stamp = (file.size, file.stamp) if file else (None, None)
        updates.append((state, size, stamp, content, row.id))
    if updates:
        with store.writing(begun=True) as db:
            update = "UPDATE assets SET state=?, size=?, stamp=?, content=? WHERE id=?"
            db.executemany(update, updates)


def content_of(source: AssetSource, path: str) -> bytes | None:
    """Returns the hash of a file's content; None if it does not exist, `UNREADABLE` on an error."""
    try:
        return digest(source.read(path))
    except MissingAssetError:
        return None
    except AssetError:
        return UNREADABLE
