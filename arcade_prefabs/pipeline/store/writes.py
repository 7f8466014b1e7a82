"""Writes bake results into the store, and finds the assets that are stale."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from ...prefab import Dependency
from ..model.bake_result import BakeKey, BakeResult, OutputChange, errors_text, shown_id
from ..model.page_codec import PackedOutput, PackedPage, seal
from ..model.processor import Input, Processor, settings_key
from .rows import typed
from .schema import AMBIENT, BAKED, BROKEN, INPUT, KINDS, NAMED

__all__ = [
    "FileState",
    "Recipe",
    "RowIds",
    "forget",
    "recipe_number",
    "stale",
    "sweep",
    "write",
    "write_needs",
]


class Recipe(NamedTuple):
    """A processor with its version and settings; an asset with another recipe is stale."""

    processor: str
    version: int
    settings: str

    @classmethod
    def of(cls, processor: Processor) -> Recipe:
        """Returns the present recipe of a processor."""
        return cls(processor.name, processor.version, settings_key(processor.settings))


class FileState(NamedTuple):
    """The state of a file when it was read, and why and how it was baked.

    Attributes:
        size: Bytes.
        stamp: See `SourceFile`; 0 if the file had changed too recently to trust its stamp.
        recipe: The id of the recipe.
        reason: Why the file was baked.
    """

    size: int
    stamp: int
    recipe: int
    reason: str


def recipe_number(db: sqlite3.Connection, recipe: Recipe) -> int:
    """Returns the id of a recipe's row; adds the row if necessary."""
    db.execute("INSERT OR IGNORE INTO recipes(processor, version, settings) VALUES (?,?,?)", recipe)
    found = db.execute(
        "SELECT id FROM recipes WHERE processor=? AND version=? AND settings=?", recipe
    ).fetchone()
    # `found` is None if a damaged index has an entry for a row that does not exist.
    return typed(found or (), tuple[int])[0]


class RowIds:
    """Caches the row ids of assets and words during one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._assets: dict[BakeKey, int] = {}
        self._words: dict[str, int] = {}

    def asset(self, key: BakeKey) -> int:
        """Returns the row id of an asset; adds a row with the state NAMED if necessary."""
        number = self._assets.get(key)
        if number is None:
            number = self._assets[key] = _asset_number(self._db, key)
        return number

    def word(self, word: str) -> int:
        """Returns the row id of a word; adds it if necessary."""
        number = self._words.get(word)
        if number is None:
            number = self._words[word] = _word_number(self._db, word)
        return number


def _asset_number(db: sqlite3.Connection, key: BakeKey) -> int:
    found = db.execute("SELECT id FROM assets WHERE path=? AND variant=?", key).fetchone()
    if found is None:
        insert = "INSERT INTO assets(path, variant, state) VALUES (?, ?, ?)"
        return int(db.execute(insert, (*key, NAMED)).lastrowid or 0)
    return typed(found, tuple[int])[0]


_PAGE: Final = "INSERT INTO pages VALUES (?,?,?,?,?,?,?,?)"
_OUTPUT: Final = "INSERT OR REPLACE INTO outputs VALUES (?,?,?,?,?,?,?,?,?,?)"


def write(
    db: sqlite3.Connection,
    numbers: RowIds,
    outcome: BakeResult,
    written: FileState,
    step: Callable[[str], None],
) -> list[OutputChange]:
    """Writes the result of processing a file; returns the outputs that changed.

    Args:
        db: The connection, in a transaction.
        numbers: The row ids of this transaction.
        outcome: The result.
        written: The state of the file that was processed.
        step: Called before each step, see `BakeStore`.
    """
    step("asset")
    asset = numbers.asset(outcome.key)
    query = "SELECT label, digest FROM outputs WHERE asset=?"
    before = dict(typed(row, tuple[str, bytes]) for row in db.execute(query, (asset,)))
    whole = None in outcome.failed
    labels: set[str] = set(before) if whole else before.keys() & set(outcome.failed)
    made: list[OutputChange] = []
    needs: set[Dependency] = set()
    for packed in outcome.outputs:
        needs.update(packed.needs)
        if whole:
            continue
        labels.add(packed.label)
        if before.get(packed.label) != packed.digest:
            step("output")
            _write_output(db, asset, outcome.key, packed, packed.label in before)
            kind = "changed" if packed.label in before else "added"
            made.append(OutputChange(shown_id(outcome.key, packed.label), kind))
    changes: list[OutputChange] = []
    for label in before.keys() - labels:
        _delete_output(db, asset, label)
        changes.append(OutputChange(shown_id(outcome.key, label), "removed"))
    changes += made
    step("inputs")
    db.execute("DELETE FROM inputs WHERE asset=?", (asset,))
    inputs = {(asset, *_input_row(db, numbers, one)): one.digest for one in outcome.inputs}
    db.executemany(
        "INSERT INTO inputs VALUES (?,?,?,?,?)", ((*row, known) for row, known in inputs.items())
    )
    if not outcome.failed:  # a failed file keeps its last good outputs, with their needs
        step("needs")
        db.execute("DELETE FROM needs WHERE asset=?", (asset,))
        db.execute("DELETE FROM wishes WHERE asset=?", (asset,))
    write_needs(db, numbers, asset, needs)
    bake_requests = [(asset, numbers.asset(bake_request)) for bake_request in outcome.bake_requests]
    db.executemany("INSERT OR IGNORE INTO wishes VALUES (?,?)", bake_requests)
    step("state")
    db.execute(
        "UPDATE assets SET state=?, size=?, stamp=?, content=?, recipe=?, errors=?, reason=?, "
        "micros=?, labels=? WHERE id=?",
        (
            BROKEN if outcome.failed else BAKED,
            written.size,
            written.stamp,
            outcome.content,
            written.recipe,
            errors_text(outcome.errors),
            numbers.word(written.reason),
            round(outcome.seconds * 1e6),
            len(labels),
            asset,
        ),
    )
    return changes


def _write_output(
    db: sqlite3.Connection, asset: int, key: BakeKey, packed: PackedOutput, replaces: bool
) -> None:
    identifier = shown_id(key, packed.label)
    kind, digest, count = packed.kind, packed.digest, len(packed.pages)

    def sealed(number: int, page: PackedPage) -> tuple[object, ...]:
        return (*page, seal(identifier, number, kind, digest, count, page))

    first, *more = packed.pages
    if replaces:
        db.execute("DELETE FROM pages WHERE asset=? AND label=?", (asset, packed.label))
    db.execute(_OUTPUT, (asset, packed.label, kind, digest, count, *sealed(0, first)))
    if more:
        db.executemany(
            _PAGE,
            (
                (asset, packed.label, number, *sealed(number, page))
                for number, page in enumerate(more, 1)
            ),
        )


def _delete_output(db: sqlite3.Connection, asset: int, label: str) -> None:
    db.execute("DELETE FROM pages WHERE asset=? AND label=?", (asset, label))
    db.execute("DELETE FROM outputs WHERE asset=? AND label=?", (asset, label))


def write_needs(
    db: sqlite3.Connection, numbers: RowIds, asset: int, needs: Iterable[Dependency]
) -> None:
    """Adds run-time dependencies of an asset; ``db`` is in the transaction of ``numbers``."""
    rows = [
        (asset, numbers.asset(BakeKey(need.name.partition("#")[0])), numbers.word(need.kind))
        for need in needs
    ]
    db.executemany("INSERT OR IGNORE INTO needs VALUES (?,?,?)", rows)


def _word_number(db: sqlite3.Connection, word: str) -> int:
    found = db.execute("SELECT id FROM words WHERE word=?", (word,)).fetchone()
    if found is None:
        return int(db.execute("INSERT INTO words(word) VALUES (?)", (word,)).lastrowid or 0)
    return typed(found, tuple[int])[0]


def _input_row(db: sqlite3.Connection, numbers: RowIds, one: Input) -> tuple[int, int, str]:
    name, label = one.name, ""
    if one.kind == "output":
        name, _, label = one.name.partition("#")
    target = numbers.asset(BakeKey(name))
    if one.kind == "ambient":
        db.execute(
            "UPDATE assets SET state=?, content=? WHERE id=? AND state=?",
            (AMBIENT, one.digest, target, NAMED),
        )
    elif one.kind == "file":
        # The content hash of a file that no processor takes is kept from now on.
        db.execute(
            "UPDATE assets SET state=?, content=? WHERE id=? AND state IN (?,?)",
            (NAMED if one.digest is None else INPUT, one.digest, target, NAMED, INPUT),
        )
    return KINDS.index(one.kind), target, label


def forget(db: sqlite3.Connection, asset: int, key: BakeKey) -> list[OutputChange]:
    """Deletes everything baked from a deleted file; its row stays while others refer to it."""
    labels = [row[0] for row in db.execute("SELECT label FROM outputs WHERE asset=?", (asset,))]
    for table in ("outputs", "pages", "inputs", "needs", "wishes"):
        db.execute(f"DELETE FROM {table} WHERE asset=?", (asset,))
    db.execute(
        "UPDATE assets SET state=?, size=NULL, stamp=NULL, content=NULL, recipe=NULL, errors=NULL, "
        "reason=NULL, micros=NULL, labels=NULL WHERE id=?",
        (NAMED, asset),
    )
    return [OutputChange(shown_id(key, label), "removed") for label in labels]


_STALE: Final = """
SELECT a.path, a.variant, t.path || CASE i.label WHEN '' THEN '' ELSE '#' || i.label END, i.kind
FROM inputs i
JOIN assets a ON a.id = i.asset
JOIN assets t ON t.id = i.target
LEFT JOIN outputs o ON i.kind = 1 AND o.asset = i.target AND o.label = i.label
WHERE i.kind IN (0, 1, 2)
AND (CASE i.kind WHEN 1 THEN o.digest ELSE t.content END) IS NOT i.digest
"""


def stale(
    db: sqlite3.Connection, key: BakeKey | None = None, made_from: Iterable[BakeKey] | None = None
) -> dict[BakeKey, str]:
    """Returns the assets that have an input with another hash now, with the reason.

    Args:
        db: A connection.
        key: Only this asset; None for all.
        made_from: Only assets made from these, which takes no longer in a large store; None for
            all.
    """
    rows: list[Any] = []
    if key is not None:
        rows += db.execute(_STALE + " AND a.path=? AND a.variant=?", key)
    elif made_from is None:
        rows += db.execute(_STALE)
    else:
        for one in made_from:
            rows += db.execute(_STALE + " AND t.path=? AND t.variant=?", one)
    found = [typed(row, tuple[str, str, str, int]) for row in rows]
    verbs = ("changed", "was baked to something else", "changed")
    return {BakeKey(path, variant): f"{name} {verbs[kind]}" for path, variant, name, kind in found}


def sweep(db: sqlite3.Connection) -> int:
    """Deletes the rows of assets that are not baked and that no other row refers to.

    Returns the number of rows.
    """
    # Assets with impossible import settings that no bake request refers to any more.
    failed = db.execute(
        "SELECT id, path, variant FROM assets WHERE variant<>'' AND state=? "
        "AND NOT EXISTS (SELECT 1 FROM outputs WHERE asset=assets.id) "
        "AND NOT EXISTS (SELECT 1 FROM wishes WHERE target=assets.id)",
        (BROKEN,),
    ).fetchall()
    for asset, *key in failed:
        forget(db, asset, BakeKey(*key))
    return db.execute(
        "DELETE FROM assets WHERE state IN (?,?,?) "
        "AND NOT EXISTS (SELECT 1 FROM inputs WHERE target=assets.id) "
        "AND NOT EXISTS (SELECT 1 FROM needs WHERE target=assets.id) "
        "AND NOT EXISTS (SELECT 1 FROM wishes WHERE target=assets.id)",
        (NAMED, AMBIENT, INPUT),
    ).rowcount
