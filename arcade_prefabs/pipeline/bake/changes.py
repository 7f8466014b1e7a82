"""What differs between the source and the store, by size and time alone where that is enough."""

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
    "compared",
    "known",
    "look_at",
    "look_at_inputs",
    "others",
    "variants",
]

_COLUMNS = "id, path, variant, state, size, stamp, content, recipe"


class AssetRow(NamedTuple):
    """What the store knows of an asset."""

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
        """Its key."""
        return BakeKey(self.path, self.variant)

    @property
    def processed(self) -> bool:
        """Whether a processor has seen it."""
        return self.state in (BAKED, BROKEN)

    def reason(self, file: SourceFile, recipe: int) -> str | None:
        """Why it has to be baked or at least read, None if it is as it was."""
        if not self.processed:
            return "new"
        if self.recipe != recipe:
            return "its processor or the settings changed"
        if self.size != file.size:
            return "the file changed"
        if not file.stamp or self.stamp != file.stamp:
            return "touched"
        return None


def known(db: sqlite3.Connection, key: BakeKey) -> AssetRow | None:
    """What the store knows of one asset."""
    query = f"SELECT {_COLUMNS} FROM assets WHERE path=? AND variant=?"
    row = db.execute(query, key).fetchone()
    return typed(row, AssetRow) if row else None


def compared(
    store: BakeStore, files: Iterable[SourceFile]
) -> Iterator[tuple[SourceFile | None, AssetRow | None]]:
    """Every file with what the store knows of it, and what the store knows of files that are gone.

    Both come sorted by path, so that neither has to be in memory.
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
    """What the store knows of a file, the processor's own settings first."""
    query = f"SELECT {_COLUMNS} FROM assets WHERE path=? ORDER BY variant"
    with store.reading() as db:
        return [typed(row, AssetRow) for row in db.execute(query, (path,))]


def below(store: BakeStore, folder: str) -> list[AssetRow]:
    """What the store has of the files below a folder."""
    query = (
        f"SELECT {_COLUMNS} FROM assets WHERE path > ? AND path < ? "
        f"AND state IN ({BAKED}, {BROKEN})"
    )
    with store.reading() as db:
        # `0` is the character behind `/`.
        return [typed(row, AssetRow) for row in db.execute(query, (folder + "/", folder + "0"))]


def others(store: BakeStore) -> list[AssetRow]:
    """The assets that a scan does not show: variants, and those behind handles."""
    query = (
        f"SELECT {_COLUMNS} FROM assets WHERE (variant<>'' OR path LIKE ':%') "
        f"AND state IN ({BAKED}, {BROKEN})"
    )
    with store.reading() as db:
        return [typed(row, AssetRow) for row in db.execute(query)]


def look_at_inputs(
    store: BakeStore, source: AssetSource, stat: Callable[[str], SourceFile | None]
) -> None:
    """Find out how the files stand that others were made from, but that nobody bakes."""
    query = (
        f"SELECT DISTINCT {', '.join('a.' + name for name in _COLUMNS.split(', '))} "
        f"FROM assets a JOIN inputs i ON i.target=a.id WHERE i.kind=0 AND a.state IN (?,?)"
    )
    with store.reading() as db:
        rows = [typed(row, AssetRow) for row in db.execute(query, (NAMED, INPUT))]
    look_at(rows, store, source, stat)


def look_at(
    rows: Iterable[AssetRow],
    store: BakeStore,
    source: AssetSource,
    stat: Callable[[str], SourceFile | None],
) -> None:
    """Find out how these files stand, which nobody bakes."""
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
    """The hash of a file's bytes; None if there is none, `UNREADABLE` if it cannot be read."""
    try:
        return digest(source.read(path))
    except MissingAssetError:
        return None
    except AssetError:
        return UNREADABLE
