"""The tables of the bake store.

Each file, and each other input, has one row in ``assets``. The other tables refer to it by its id,
so that a path is stored once.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

__all__ = [
    "ADDED",
    "AMBIENT",
    "BAKED",
    "BROKEN",
    "BUILT",
    "FORMAT",
    "INPUT",
    "KINDS",
    "NAMED",
    "SCHEMA",
    "use_write_ahead_log",
]

FORMAT: Final = 4
"""The version of the tables and pages. A store of another version is replaced by an empty one."""

NAMED, BAKED, BROKEN, AMBIENT, INPUT, BUILT = range(6)
"""The states of an asset.

* NAMED: other assets refer to it, but it is not baked and may not exist.
* BAKED: it was baked.
* BROKEN: its newest version cannot be baked; it may have outputs of an older one.
* AMBIENT: an input that is no file, see `Input`.
* INPUT: a file that others are made from and that no processor takes.
* BUILT: it has no file; the game's code wrote it, see `WorldBuilder`.
"""

KINDS: Final = ("file", "output", "ambient")
"""The kinds of inputs; the table has their indices in this list."""

SCHEMA: Final = """
CREATE TABLE facts(name TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE recipes(
    id INTEGER PRIMARY KEY,
    processor TEXT NOT NULL,
    version INTEGER NOT NULL,
    settings TEXT NOT NULL,
    UNIQUE(processor, version, settings)
);

CREATE TABLE assets(
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    variant TEXT NOT NULL,   -- import settings, as JSON; '' for none
    state INTEGER NOT NULL,
    size INTEGER,
    stamp INTEGER,           -- 0: the file has to be read to tell whether it changed
    content BLOB,            -- hash of the file's bytes
    recipe INTEGER,
    errors TEXT,             -- JSON
    reason INTEGER,          -- why it was baked last; the id of a word
    micros INTEGER,          -- processing time in microseconds
    labels INTEGER,          -- how many outputs it has, NULL if that does not matter
    UNIQUE(path, variant)
);

-- The row has the first page itself, because most prefabs have no other.
CREATE TABLE outputs(
    asset INTEGER NOT NULL,
    label TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest BLOB NOT NULL,
    pages INTEGER NOT NULL,
    size INTEGER NOT NULL,
    method INTEGER NOT NULL,
    "check" INTEGER NOT NULL,
    data BLOB NOT NULL,
    seal INTEGER NOT NULL,   -- checksum of the row and of the output's id
    PRIMARY KEY(asset, label)
) WITHOUT ROWID;

CREATE TABLE pages(
    asset INTEGER NOT NULL,
    label TEXT NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    method INTEGER NOT NULL,
    "check" INTEGER NOT NULL,
    data BLOB NOT NULL,
    seal INTEGER NOT NULL,
    UNIQUE(asset, label, number)
);

CREATE TABLE dictionaries(number INTEGER PRIMARY KEY, data BLOB NOT NULL);

-- The inputs of assets: if the digest of one has changed, the asset is stale.
CREATE TABLE inputs(
    asset INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    target INTEGER NOT NULL,
    label TEXT NOT NULL,
    digest BLOB,
    PRIMARY KEY(asset, kind, target, label)
) WITHOUT ROWID;
CREATE INDEX inputs_target ON inputs(target);

-- The dependencies of assets at run time; `kind` is the id of a word.
CREATE TABLE needs(
    asset INTEGER NOT NULL,
    target INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    PRIMARY KEY(asset, target, kind)
) WITHOUT ROWID;
CREATE INDEX needs_target ON needs(target);
CREATE TABLE words(id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);

-- The bake requests of assets.
CREATE TABLE wishes(
    asset INTEGER NOT NULL,
    target INTEGER NOT NULL,
    PRIMARY KEY(asset, target)
) WITHOUT ROWID;
CREATE INDEX wishes_target ON wishes(target);
"""

ADDED: Final = (
    # Every bake on demand reads the ambient inputs; without an index it would read all assets.
    f"CREATE INDEX IF NOT EXISTS assets_ambient ON assets(id) WHERE state={AMBIENT}",
)
"""Statements for indices that older stores of this format lack; run when a store is opened for
writing."""


def use_write_ahead_log(connection: sqlite3.Connection, patience_s: float) -> None:
    """Switches a store to SQLite's write-ahead log, if the file system allows it.

    Args:
        connection: A connection to the store.
        patience_s: Seconds to wait for other processes that do the same.

    Raises:
        sqlite3.OperationalError: Other processes kept the file locked for longer.

    Any thread, one at a time for a connection.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            # If two processes switch a new file at once, each holds a lock that the other needs.
            # SQLite then refuses one at once, whatever time-out was set.
            busy = error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
            if not busy or time.monotonic() > deadline:
                raise
        time.sleep(0.005)
