"""`WorldBuilder`: writes worlds that code makes into the bake store, in bounded memory."""

from __future__ import annotations

import contextlib
import hashlib
import math
import sqlite3
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec

from ..errors import AssetError, AssetTooLargeError, PrefabError, StoreError, UnknownNameError
from ..prefab import ComponentRegistry, Dependency, default_registry, prefab_id
from ..prefab.suggestions import did_you_mean
from .asset_pipeline import AssetPipeline
from .model.bake_result import BakeKey, shown_id
from .model.page_codec import pack, seal
from .model.processor import DIGEST_BYTES, PAGE_BYTES, Output
from .processors.world import (
    LARGEST_OVERRIDES,
    WorldEntity,
    cell_for,
    cell_pages,
    derived_id,
    twin_of,
)
from .processors.world_cells import ALWAYS_LOADED, CellIndex, GridCell
from .processors.world_document import FARTHEST, check_id, checked_layers, world_id
from .store import writes as records
from .store.schema import BUILT

__all__ = ["WorldBuilder"]

# How many rows are written at once to the spool, a temporary database that sorts them by cell.
_BATCH: Final = 500
# The most entities in a cell.
_MOST_IN_CELL: Final = 1_000_000
# How many different overrides are remembered as checked.
_KNOWN: Final = 4096

_SPOOL: Final = """
PRAGMA journal_mode=OFF;
PRAGMA synchronous=OFF;
CREATE TABLE rows(number INTEGER PRIMARY KEY, level, column, row, id, twin, data);
CREATE TABLE outputs(label, kind, digest, pages, size, method, "check", data, seal);
CREATE TABLE pages(label, number, size, method, "check", data, seal);
"""

_encode = msgspec.json.Encoder().encode
_head: Final = len(_encode("")) + 1  # of a row: a bracket and the id


class WorldBuilder:
    """Writes a world directly into the bake store, in bounded memory.

    Example::

        with AssetPipeline("assets") as pipeline, WorldBuilder(pipeline, "valley") as world:
            for x, y in positions:
                world.add("props/tree", (x, y))

    At the end of the block the world is in the store; if the block raises an exception, the store
    is unchanged. Games open the world like one from a file, and release files contain it. It exists
    in the store only: after deleting the store, run the code again. A world file with the same name
    takes precedence once it is baked.

    Args:
        pipeline: The pipeline whose store gets the world.
        world: Its name: ``valley``, or ``worlds/valley.ron``.
        cell_size: Pixels of a cell.
        layers: Names in drawing order, from the bottom to the top; empty if only prefabs name
            layers.
        registry: The components that entities may override; None for the ``default_registry``.

    Raises:
        UnsafePathError: No world can have this name.
        AssetError: A world file with this name exists.
        StoreError: The pipeline reads a release file, which cannot be changed.
        ValueError: The cell size, or the name of a layer, is invalid.

    One thread at a time.
    """

    def __init__(
        self,
        pipeline: AssetPipeline,
        world: str,
        *,
        cell_size: float = 1024.0,
        layers: Sequence[str] = (),
        registry: ComponentRegistry | None = None,
    ) -> None:
        self.id = world_id(world)
        if pipeline.read_only:
            raise StoreError(
                f"{pipeline.store.path} is a release file: build into a folder's store"
            )
        source = pipeline.source
        if source is not None and source.stat(self.id) is not None:
            raise AssetError("there is a world file of this name: choose another", path=self.id)
        if not (_is_number(cell_size) and 1 <= cell_size <= FARTHEST):
            raise ValueError(f"a cell has 1 to {FARTHEST:,.0f} pixels, not {cell_size!r}")
        names = checked_layers(layers)
        self._store = pipeline.store
        self._cell_size = float(cell_size)
        self._layers = names
        self._registry = default_registry if registry is None else registry
        self._prefabs: dict[str, str] = {}
        self._checked: dict[bytes, frozenset[Dependency]] = {}
        self._needs: dict[Dependency, None] = {}
        self._waiting: list[tuple[Any, ...]] = []
        self._count = self._always_count = 0
        self._spool: sqlite3.Connection | None = None
        with self._translated():
            # With an empty name SQLite uses a temporary file, which it deletes when it is closed.
            self._spool = sqlite3.connect("", isolation_level=None)
            self._spool.executescript(_SPOOL)
            self._spool.execute("BEGIN")

    def __len__(self) -> int:
        """Returns how many entities were added."""
        return self._count

    # ----------------------------------------------------------------------------------------- add

    def add(
        self,
        prefab: str,
        position: Sequence[float],
        *,
        angle: float = 0.0,
        scale: float | tuple[float, float] = 1.0,
        layer: str | None = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        name: str | None = None,
        size: tuple[float, float] | None = None,
        always: bool = False,
    ) -> None:
        """Adds an entity to the world.

        Args:
            prefab: The id of its prefab, such as ``props/tree``.
            position: x and y in the world, in pixels.
            angle: The clockwise rotation, in degrees.
            scale: One factor, or one for each axis.
            layer: The layer that it is drawn in; None for that of its prefab.
            overrides: Fields that replace the prefab's, by component: ``{"Health": {"value": 5}}``.
            name: Its id in the world, for saved games and for code that looks for it. Entities
                without one get an id from their prefab and transform.
            size: Width and height in pixels, for an entity larger than a cell: it stays loaded as
                long as any part of it may be visible.
            always: Whether it is always loaded, wherever the streaming sources are.

        Raises:
            PrefabError: No prefab can have this id, or a component class raised an exception for
                its fields.
            UnknownNameError: The component, field or layer does not exist.
            AssetTooLargeError: The overrides do not fit on a page.
            ValueError: A number is NaN, infinite or out of its range, or the name is no id.
            TypeError: A value has the wrong type.
            StoreError: The builder is finished or closed; or the disk is full, which a later call
                raises, as entities are written in batches.
        """
        self._open()  # at once: what is added to no world would be lost without a word
        x, y = position
        wide, high = scale if isinstance(scale, tuple) else (scale, scale)
        if not all(map(_is_number, (x, y, angle, wide, high))):
            raise ValueError(f"a transform takes finite numbers, not {position} {angle} {scale}")
        if max(abs(x), abs(y)) > FARTHEST:
            raise ValueError(f"{position} is farther than {FARTHEST:,.0f} pixels from the origin")
        if layer is not None and self._layers and layer not in self._layers:
            hint = did_you_mean(layer, self._layers)
            raise UnknownNameError(f"there is no layer `{layer}`", path=self.id, hint=hint)
        if name is not None:
            check_id(name)
        full = self._prefabs.get(prefab)
        if full is None:
            full = self._prefab(prefab)
        needs: frozenset[Dependency] = frozenset()
        changed: dict[str, Any] = {}
        if overrides:
            changed = {one: dict(fields) for one, fields in overrides.items()}
            needs = self._needs_of(changed)
        # `+ 0.0` turns -0.0 into 0.0, which would give another derived id.
        entity = WorldEntity(
            "", full, x + 0.0, y + 0.0, angle + 0.0, wide + 0.0, high + 0.0, layer, changed
        )
        longer = 0.0 if size is None else _longer_side(size)
        cell = cell_for(x, y, self._cell_size, longer)
        if always:
            cell = ALWAYS_LOADED  # level -1, which is sorted first
            self._always_count += 1
        for need in needs:
            self._needs[need] = None
        data = _encode(entity)[_head:]
        twin = twin_of(entity) if name is None else None
        self._waiting.append((self._count, cell.level, cell.column, cell.row, name, twin, data))
        self._count += 1
        if len(self._waiting) >= _BATCH:
            self._spill()

    def _prefab(self, text: str) -> str:
        try:
            if not isinstance(text, str) or text.startswith("#"):
                raise ValueError(f"{text!r} names no prefab")
            full = prefab_id(text)
        except ValueError as error:
            raise PrefabError(str(error), path=self.id) from None
        self._prefabs[text] = full
        self._needs[Dependency("prefab", full)] = None
        return full

    def _needs_of(self, overrides: dict[str, dict[str, Any]]) -> frozenset[Dependency]:
        """Checks overrides, and returns the dependencies that they name."""
        try:
            text = _encode(overrides)
        except (TypeError, ValueError) as error:
            raise TypeError(f"overrides are made of JSON values: {error}") from error
        found = self._checked.get(text)
        if found is not None:
            return found
        if len(text) > LARGEST_OVERRIDES:
            message = f"overrides of {len(text):,} bytes, over {LARGEST_OVERRIDES:,}"
            raise AssetTooLargeError(message, path=self.id)
        needs: set[Dependency] = set()
        for name, fields in overrides.items():
            known = self._registry.get(name)
            if known is None:
                hint = did_you_mean(name, self._registry.names())
                raise UnknownNameError(f"unknown component `{name}`", path=self.id, hint=hint)
            for one in fields:
                if one not in known.converter.fields:
                    hint = did_you_mean(one, known.converter.fields)
                    message = f"`{name}` has no field `{one}`"
                    raise UnknownNameError(message, path=self.id, hint=hint)
            if known.converter.required <= fields.keys():  # if not, the prefab sets the others
                self._registry.build(name, fields)
            needs |= {Dependency(kind, one) for kind, one in known.converter.names(fields) if one}
        needs = {one for one in needs if one.kind != "sprite_class"}
        if len(self._checked) >= _KNOWN:
            self._checked.clear()
        self._checked[text] = frozenset(needs)
        return self._checked[text]

    def _spill(self) -> None:
        rows, self._waiting = self._waiting, []
        with self._translated():
            self._open().executemany("INSERT INTO rows VALUES (?,?,?,?,?,?,?)", rows)

    def _open(self) -> sqlite3.Connection:
        if self._spool is None:
            raise StoreError("the world builder is finished or closed")
        return self._spool

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.id} cannot be built: {error}") from error

    # -------------------------------------------------------------------------------------- finish

    def finish(self) -> int:
        """Writes the world into the store, and closes the builder; returns the number of entities.

        The end of a ``with`` block does this by itself.

        Raises:
            AssetError: Two entities have the same name, or a cell has too many.
            StoreError: The store cannot be written, and is unchanged.
        """
        self._spill()
        try:
            with self._translated():
                self._refuse_twins()
                content = hashlib.blake2b(digest_size=DIGEST_BYTES)
                index = CellIndex(self._pack_cells(content)).to_bytes()
                head = {
                    "cell_size": self._cell_size,
                    "layers": self._layers,
                    "entities": self._count,
                    "always": self._always_count,
                }
                pages = [index[at : at + PAGE_BYTES] for at in range(0, len(index), PAGE_BYTES)]
                self._pack(Output("", "world", (_encode(head), *pages)), content)
            self._write(content.digest())
        finally:
            self.close()
        return self._count

    def _refuse_twins(self) -> None:
        found = (
            self._open()
            .execute(
                "SELECT id, count(*) FROM rows WHERE id IS NOT NULL GROUP BY id HAVING count(*)>1 "
                "LIMIT 1"
            )
            .fetchone()
        )
        if found is not None:
            raise AssetError(f"{found[1]} entities have the name `{found[0]}`", path=self.id)

    def _pack_cells(self, content: Any) -> Iterator[GridCell]:
        rows = self._open().execute(
            "SELECT level, column, row, id, twin, data FROM rows "
            "ORDER BY level, column, row, number"
        )
        for coordinates, group in groupby(rows, key=lambda row: row[:3]):
            level, column, row = coordinates
            cell = GridCell(column, row, level)
            label = cell.label
            pages = tuple(cell_pages(self._entities(label, level, group)))
            self._pack(Output(label, "cell", pages), content)
            if cell != ALWAYS_LOADED:
                yield cell

    def _entities(self, label: str, level: int, group: Iterator[Any]) -> Iterator[bytes]:
        """Yields the entities of a cell as JSON; those without an id get a derived one."""
        twins: dict[str, int] = {}
        for count, (*_, name, twin, tail) in enumerate(group):
            if count >= _MOST_IN_CELL:
                message = f"the cell {label} has more than {_MOST_IN_CELL:,} entities"
                raise AssetTooLargeError(message, path=self.id)
            if name is None:
                if level:  # on level 0 all entities with the same `twin_of` are in one cell
                    twin += f" {label}"
                number = twins[twin] = twins.get(twin, -1) + 1
                name = derived_id(twin, number)
            yield b"[%b%b" % (_encode(name), tail)

    def _pack(self, output: Output, content: Any) -> None:
        packed = pack(output)
        content.update(packed.digest)
        identifier = shown_id(BakeKey(self.id), output.label)
        count = len(packed.pages)
        spool = self._open()
        for number, page in enumerate(packed.pages):
            mark = seal(identifier, number, packed.kind, packed.digest, count, page)
            if number == 0:
                row = (packed.label, packed.kind, packed.digest, count, *page, mark)
                spool.execute("INSERT INTO outputs VALUES (?,?,?,?,?,?,?,?,?)", row)
            else:
                more = (packed.label, number, *page, mark)
                spool.execute("INSERT INTO pages VALUES (?,?,?,?,?,?,?)", more)

    def _write(self, content: bytes) -> None:
        """Writes the world in one transaction: other programs see the old world or the new one."""
        spool, key, step = self._open(), BakeKey(self.id), self._store.step
        with self._store.writing() as db:
            numbers = records.RowIds(db)
            asset = numbers.asset(key)
            records.forget(db, asset, key)
            step("outputs")
            db.executemany(
                f"INSERT INTO outputs VALUES ({asset},?,?,?,?,?,?,?,?,?)",
                spool.execute("SELECT * FROM outputs"),
            )
            db.executemany(
                f"INSERT INTO pages VALUES ({asset},?,?,?,?,?,?,?)",
                spool.execute("SELECT * FROM pages"),
            )
            step("needs")
            records.write_needs(db, numbers, asset, self._needs)
            labels = spool.execute("SELECT count(*) FROM outputs").fetchone()[0]
            step("state")
            db.execute(
                "UPDATE assets SET state=?, content=?, reason=?, labels=? WHERE id=?",
                (BUILT, content, numbers.word("it was built by code"), labels, asset),
            )
        self._store.settle()

    def close(self) -> None:
        """Discards an unfinished world; may be called twice."""
        self._waiting.clear()
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.close()

    def __enter__(self) -> WorldBuilder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.close()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _longer_side(size: tuple[float, float]) -> float:
    if len(size) != 2 or not all(_is_number(one) and 0 < one <= FARTHEST for one in size):
        raise ValueError(f"a size is (width, height) in pixels, both above 0, not {size!r}")
    return max(size)
