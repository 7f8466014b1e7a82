"""Queries about the content of the store: ids, inputs, dependents, reasons, statistics."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar

from ...errors import LocatedError, MissingAssetError
from ...prefab.model import Dependency
from ..model.bake_report import StoreStatistics
from ..model.bake_result import BakeKey, shown_id
from .bake_store import BakeStore
from .baked_assets import needs_of
from .rows import errors_of, typed
from .schema import BAKED, BROKEN, BUILT, KINDS
from .writes import stale

__all__ = [
    "Explanation",
    "InputStatus",
    "OutputStatus",
    "dependents_of",
    "explain",
    "files_of",
    "ids_of",
    "statistics",
]

_T = TypeVar("_T")


class InputStatus(NamedTuple):
    """An input of an asset, and whether it has changed.

    Attributes:
        kind: See `Input`.
        name: Its id.
        digest: Its hash when the asset was baked; None if it did not exist.
        current: Whether its hash is still the same.
    """

    kind: str
    name: str
    digest: bytes | None
    current: bool


class OutputStatus(NamedTuple):
    """An output of an asset.

    Attributes:
        id: Its full id.
        kind: ``prefab``, ``image``, ``data``...
        digest: Its hash.
        pages: How many pages it has.
        size: Bytes, unpacked.
        packed: Bytes in the store.
    """

    id: str
    kind: str
    digest: bytes
    pages: int
    size: int
    packed: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an asset was baked, its inputs and its outputs.

    Attributes:
        path: The file.
        variant: Its import settings, as JSON.
        processor: The processor's name; None in a release file.
        version: The processor's version.
        settings: The processor's settings, as JSON.
        reason: Why it was baked last.
        stale: Why it has to be baked again; None if it has not, as far as the store knows.
        content: The hash of the file.
        source_bytes: The size of the file.
        seconds: The processing time.
        inputs: The inputs it was made from.
        needs: Its dependencies at run time.
        outputs: Its outputs.
        dependents: The files that are made from it directly.
        errors: The errors of its newest version.
    """

    path: str
    variant: str
    processor: str | None
    version: int | None
    settings: str | None
    reason: str | None
    stale: str | None
    content: bytes | None
    source_bytes: int | None
    seconds: float | None
    inputs: list[InputStatus] = field(default_factory=list)
    needs: tuple[Dependency, ...] = ()
    outputs: list[OutputStatus] = field(default_factory=list)
    dependents: list[str] = field(default_factory=list)
    errors: list[LocatedError] = field(default_factory=list)


def explain(store: BakeStore, key: BakeKey) -> Explanation:
    """Implements `AssetPipeline.explain`."""
    with store.reading() as db:
        found = db.execute(
            "SELECT a.id, a.state, r.processor, r.version, r.settings, w.word, a.content, "
            "a.size, a.micros / 1e6, a.errors FROM assets a LEFT JOIN recipes r ON r.id=a.recipe "
            "LEFT JOIN words w ON w.id=a.reason "
            "WHERE a.path=? AND a.variant=?",
            key,
        ).fetchone()
        if found is None or found[1] not in (BAKED, BROKEN, BUILT):
            raise MissingAssetError("nothing was ever baked from this file", path=key.path)
        row = typed(found, _Row)
        errors = errors_of(row.errors)
        asset = row.id
        inputs = [
            InputStatus(KINDS[kind], name, digest, bool(current))
            for kind, name, digest, current in _typed(
                db,
                tuple[Literal[0, 1, 2], str, bytes | None, int],
                "SELECT i.kind, t.path || CASE i.label WHEN '' THEN '' ELSE '#' || i.label END, "
                "i.digest, (CASE i.kind WHEN 1 THEN o.digest ELSE t.content END) IS i.digest "
                "FROM inputs i JOIN assets t ON t.id=i.target LEFT JOIN outputs o "
                "ON i.kind=1 AND o.asset=i.target AND o.label=i.label "
                "WHERE i.asset=? ORDER BY i.kind, 2",
                asset,
            )
        ]
        outputs = [
            OutputStatus(shown_id(key, label), kind, digest, pages, size, packed)
            for label, kind, digest, pages, size, packed in _typed(
                db,
                tuple[str, str, bytes, int, int, int],
                "SELECT o.label, o.kind, o.digest, o.pages, "
                "o.size + coalesce(sum(p.size), 0), "
                "length(o.data) + coalesce(sum(length(p.data)), 0) "
                "FROM outputs o LEFT JOIN pages p ON p.asset=o.asset AND p.label=o.label "
                "WHERE o.asset=? GROUP BY o.label ORDER BY o.label",
                asset,
            )
        ]
        dependents = _typed(
            db,
            BakeKey,
            "SELECT DISTINCT a.path, a.variant FROM inputs i JOIN assets a ON a.id=i.asset "
            "WHERE i.target=? ORDER BY 1, 2",
            asset,
        )
        why = stale(db, key).get(key)
    return Explanation(
        path=key.path,
        variant=key.variant,
        processor=row.processor,
        version=row.version,
        settings=row.settings,
        reason=row.reason,
        stale=why,
        content=row.content,
        source_bytes=row.size,
        seconds=row.seconds,
        inputs=inputs,
        needs=needs_of(store, asset),
        outputs=outputs,
        dependents=[shown_id(one) for one in dependents],
        errors=errors,
    )


class _Row(NamedTuple):
    id: int
    state: int
    processor: str | None
    version: int | None
    settings: str | None
    reason: str | None
    content: bytes | None
    size: int | None
    seconds: float | None
    errors: str | None


def _typed(db: sqlite3.Connection, kind: type[_T], query: str, *values: object) -> list[_T]:
    return [typed(row, kind) for row in db.execute(query, values)]


def dependents_of(store: BakeStore, path: str, *, at_run_time: bool) -> list[str]:
    """Implements `AssetPipeline.dependents`."""
    edges = "SELECT asset, target FROM inputs"
    if at_run_time:
        edges += " UNION SELECT asset, target FROM needs"
    with store.reading() as db:
        rows = _typed(
            db,
            BakeKey,
            f"WITH RECURSIVE edges(asset, target) AS ({edges}), "
            "reached(id) AS (SELECT id FROM assets WHERE path=? "
            "UNION SELECT e.asset FROM edges e JOIN reached r ON e.target=r.id) "
            "SELECT DISTINCT a.path, a.variant FROM reached r JOIN assets a ON a.id=r.id "
            "WHERE a.path<>? ORDER BY 1, 2",
            path,
            path,
        )
    return [shown_id(row) for row in rows]


def broken_of(store: BakeStore, processor: str) -> list[str]:
    """Returns the files of a processor that cannot be baked and have no outputs, sorted."""
    with store.reading() as db:
        query = (
            "SELECT a.path FROM assets a JOIN recipes r ON r.id=a.recipe "
            "WHERE a.variant='' AND a.state=? AND r.processor=? "
            "AND NOT EXISTS (SELECT 1 FROM outputs WHERE asset=a.id) ORDER BY 1"
        )
        return [path for (path,) in _typed(db, tuple[str], query, BROKEN, processor)]


def ids_of(store: BakeStore, kind: str | None) -> list[str]:
    """Implements `AssetPipeline.ids`."""
    with store.reading() as db:
        rows = _typed(
            db,
            tuple[str, str, str],
            "SELECT a.path, a.variant, o.label FROM outputs o JOIN assets a ON a.id=o.asset "
            "WHERE (? IS NULL OR o.kind=?) AND a.state IN (?,?,?) ORDER BY 1, 2, 3",
            kind,
            kind,
            BAKED,
            BROKEN,
            BUILT,
        )
        return [shown_id(BakeKey(path, variant), label) for path, variant, label in rows]


def files_of(store: BakeStore, kinds: Sequence[str]) -> dict[str, bytes]:
    """Implements `AssetPipeline.files`."""
    with store.reading() as db:
        rows = _typed(
            db,
            tuple[str, bytes],
            "SELECT a.path, o.digest FROM outputs o JOIN assets a ON a.id=o.asset "
            f"WHERE o.label='' AND a.variant='' AND o.kind IN ({','.join('?' * len(kinds))}) "
            "AND a.state IN (?,?,?) ORDER BY 1",
            *kinds,
            BAKED,
            BROKEN,
            BUILT,
        )
        return dict(rows)


def statistics(store: BakeStore) -> StoreStatistics:
    """Implements `AssetPipeline.statistics`, with zero for the counts of the pipeline itself."""
    with store.reading() as db:
        assets, broken, source = db.execute(
            "SELECT count(*), total(state=?), total(CASE variant WHEN '' THEN size END) "
            "FROM assets WHERE state IN (?,?,?)",
            (BROKEN, BAKED, BROKEN, BUILT),
        ).fetchone()
        kinds = dict(db.execute("SELECT kind, count(*) FROM outputs GROUP BY kind ORDER BY kind"))
        first = db.execute("SELECT total(size), total(length(data)) FROM outputs").fetchone()
        more = db.execute("SELECT total(size), total(length(data)) FROM pages").fetchone()
    return StoreStatistics(
        assets=assets,
        broken=int(broken),
        outputs=kinds,
        source_bytes=int(source),
        unpacked_bytes=int(first[0] + more[0]),
        packed_bytes=int(first[1] + more[1]),
        store_bytes=store.file_bytes(),
        baked=0,
        bakes=0,
        on_demand=0,
        bake_seconds=0.0,
        worker_restarts=0,
    )
