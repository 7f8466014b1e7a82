"""Bakes world files: sorts entities into cells, each of which is loaded by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from ...errors import AssetError, LocatedError, MissingAssetError, RonError
from ...prefab import ComponentRegistry, Dependency, default_registry
from ...prefab.converters import At
from ...prefab.document import warn_renamed
from ...prefab.resolve import shown_way
from ..model.processor import PAGE_BYTES, Output, ProcessContext
from ..store.baked_assets import BakedAsset
from .world_cells import ALWAYS_LOADED, CellIndex, GridCell
from .world_document import DERIVED, EntityDocument, WorldDocument, read_world_file

__all__ = [
    "LARGEST_OVERRIDES",
    "WorldEntity",
    "WorldHead",
    "WorldProcessor",
    "cell_for",
    "cell_pages",
    "derived_id",
    "read_cell",
    "read_world",
    "twin_of",
]

_CELL_SIZE: Final = 1024.0
_DEEPEST: Final = 64
# The most errors of a world with all files that it includes.
_MOST_ERRORS: Final = 100
_ROOM: Final = PAGE_BYTES - 64
LARGEST_OVERRIDES: Final = _ROOM - 8 * 1024
"""The most bytes of an entity's overrides, as JSON: the whole entity has to fit on a page."""
_encode = msgspec.json.Encoder().encode


class WorldEntity(msgspec.Struct, frozen=True, array_like=True):
    """An entity of a world, as the world's data describes it.

    Attributes:
        id: Its id in the world, which stays the same after edits of other entities.
        prefab: The id of its prefab.
        x: Its position to the right, in pixels.
        y: Its position upwards, in pixels.
        angle: The clockwise rotation, in degrees.
        scale_x: The factor of its width.
        scale_y: The factor of its height.
        layer: The layer that it is drawn in; None for that of its prefab.
        overrides: Fields that replace those of the prefab, by component name.
        removed: Names of components of the prefab that it does not get.
    """

    id: str
    prefab: str
    x: float
    y: float
    angle: float = 0.0
    scale_x: float = 1.0
    scale_y: float = 1.0
    layer: str | None = None
    overrides: dict[str, dict[str, Any]] = {}
    removed: tuple[str, ...] = ()

    @property
    def rotation(self) -> float:
        """The old word for `angle`; goes with version 1.0."""
        warn_renamed("WorldEntity.rotation", "angle")
        return self.angle


class WorldHead(msgspec.Struct, frozen=True):
    """The head of a world.

    Attributes:
        cell_size: Pixels.
        layers: Names in drawing order; empty if the world names none.
        entities: The number of all entities.
        always: The number of always-loaded entities.
        cells: The cells that have entities.
    """

    cell_size: float
    layers: tuple[str, ...]
    entities: int
    always: int
    cells: CellIndex = CellIndex(())


class WorldProcessor:
    """Bakes world files: an output for each cell, and one with the list of cells.

    The prefabs of the entities are run-time dependencies and no inputs: when a prefab changes, the
    world is not baked again.

    Args:
        registry: The components that entities may override; None for the ``default_registry``.

    Any process.
    """

    name = "world"
    version = 2
    patterns = ("worlds/*.ron",)
    settings: Mapping[str, Any] = {"cell_size": _CELL_SIZE}

    def __init__(self, registry: ComponentRegistry | None = None) -> None:
        self._registry = default_registry if registry is None else registry

    def __getstate__(self) -> dict[str, Any]:
        return {"description": self._registry.describe()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(ComponentRegistry.described(state["description"]))  # type: ignore[misc]

    def process(self, context: ProcessContext) -> Iterator[Output]:
        """Yields the outputs of a world, or reports all of its mistakes."""
        reader = _Included(context, self._registry)
        try:
            reader.read(context.path, context.data, ())
        except RonError:
            self._depend(context, None)
            raise
        if reader.errors:
            for error in reader.errors[:_MOST_ERRORS]:
                context.fail(error)
            if reader.unshown or len(reader.errors) > _MOST_ERRORS:
                context.fail(context.error("more errors are not shown"))
            self._depend(context, None)
            return
        self._depend(context, reader.components)
        yield from _outputs(context, reader)

    def _depend(self, context: ProcessContext, components: set[str] | None) -> None:
        names = None if components is None else sorted(components)
        if names != []:
            # `PrefabProcessor.ambient` computes the hash of this name; it has the same registry.
            name = "components:" + ("*" if names is None else ",".join(names))
            context.depends("ambient", name, self._registry.describe().fingerprint(names))


class _Included:
    """Reads a world file with all files that it includes."""

    def __init__(self, context: ProcessContext, registry: ComponentRegistry) -> None:
        self.errors: list[LocatedError] = []
        self.entities: list[EntityDocument] = []
        self.components: set[str] = set()
        self.unshown = False
        self.top: WorldDocument | None = None
        self._context = context
        self._registry = registry
        self._seen: set[str] = set()
        self._ids: dict[str, EntityDocument] = {}

    def read(self, path: str, data: bytes, chain: tuple[str, ...]) -> None:
        """Reads a file, then the files that it includes."""
        shown = self._context.shown_name(path)
        world = read_world_file(data, path, self._registry, shown)
        self._seen.add(path)
        self.errors += world.file.errors
        self.components |= world.components
        if self.top is None:
            self.top = world
        entities, world.entities = world.entities, []
        for entity in entities:
            self._take(entity, world)
        for included, at in world.included:
            self._include(included, at, world, (*chain, path))

    def _take(self, entity: EntityDocument, world: WorldDocument) -> None:
        layers = self.top.layers if self.top is not None else ()
        if layers and entity.layer is not None and entity.layer not in layers:
            if world is not self.top:
                message = f"the world has no layer `{entity.layer}`"
                self._fail(world, (entity.at, "layer", ".layer"), message)
            return
        if entity.id is not None:
            location: At = (entity.at, "id", ".id")
            first = self._ids.get(entity.id)
            if first is not None:
                if len(self.errors) < _MOST_ERRORS:  # finding a line takes a pass over the file
                    other = first.file.error((first.at, "id", ".id"), "").location
                    self._fail(world, location, f"the id `{entity.id}` stands in {other}, too")
                else:
                    self.unshown = True
                return
            self._ids[entity.id] = entity
        size = len(_encode((entity.overrides, entity.removed)))
        if size > LARGEST_OVERRIDES:
            location = (entity.at, "overrides", "overrides")
            self._fail(world, location, f"{size:,} bytes of data, over {LARGEST_OVERRIDES:,}")
            return
        self.entities.append(entity)

    def taken(self) -> list[EntityDocument]:
        """Returns all entities and removes them here, so that they can be freed one by one."""
        entities, self.entities = self.entities, []
        self._ids.clear()
        return entities

    def _include(self, path: str, at: At, world: WorldDocument, chain: tuple[str, ...]) -> None:
        if path in chain:
            circle = shown_way((*chain[chain.index(path) :], path))
            self._fail(world, at, f"a world cannot include itself: {circle}")
        elif len(chain) >= _DEEPEST:
            shown = shown_way((*chain, path))
            self._fail(world, at, f"more than {_DEEPEST} files include each other: {shown}")
        elif path in self._seen:
            self._fail(world, at, f"{path} is included by another file already")
        else:
            try:
                self.read(path, self._context.read(path), chain)
            except MissingAssetError:
                self._fail(world, at, f"there is no world file {path}")
            except RonError as error:
                self.errors.append(error)
            except AssetError as error:
                self._fail(world, at, error.message)

    def _fail(self, world: WorldDocument, at: At, message: str) -> None:
        self.errors.append(world.file.error(at, message))


def _outputs(context: ProcessContext, reader: _Included) -> Iterator[Output]:
    assert reader.top is not None
    size = reader.top.cell_size or _checked_size(context)
    # Entities as JSON, which needs half of the memory of objects.
    cells: dict[GridCell, list[bytes]] = {}
    needs: dict[GridCell | None, frozenset[Dependency]] = {}
    always: list[bytes] = []
    documents = reader.taken()
    count = len(documents)
    for entity, facts in _entities(documents):
        cell = None
        if facts.always:
            always.append(_encode(entity))
        else:
            cell = cell_for(entity.x, entity.y, size, facts.size)
            cells.setdefault(cell, []).append(_encode(entity))
        cell_needs = needs.setdefault(cell, facts.needs)
        if not facts.needs <= cell_needs:
            needs[cell] = cell_needs | facts.needs
        for path, settings in _sheets(entity):
            context.bake_request(path, settings)
    order = sorted(cells)
    head = {
        "cell_size": size,
        "layers": reader.top.layers,
        "entities": count,
        "always": len(always),
    }
    packed = CellIndex(order).to_bytes()
    needed = sorted(needs.get(None, ()))
    yield context.output(head, data=packed, kind="world", needs=needed)
    for cell in order:
        yield _cell_output(GridCell(*cell).label, cells.pop(cell), needs[cell])
    if always:
        yield _cell_output(ALWAYS_LOADED.label, always, needs[None])


def _checked_size(context: ProcessContext) -> float:
    size = context.settings["cell_size"]
    if isinstance(size, bool) or not isinstance(size, int | float) or not 1 <= size <= 1e9:
        raise context.error(f"the setting `cell_size` must be pixels from 1 on, got {size!r}")
    return float(size)


class _Facts(NamedTuple):
    """Data of an entity that decides about its cell and is not part of the entity."""

    always: bool
    size: float
    needs: frozenset[Dependency]


def _entities(documents: list[EntityDocument]) -> Iterator[tuple[WorldEntity, _Facts]]:
    """Yields the entities: first those with an id, then the others with derived ids.

    Empties the list, so that each document is freed as soon as its entity is made.
    """
    twins: dict[str, list[tuple[WorldEntity, _Facts]]] = {}
    shared: dict[_Facts, _Facts] = {}
    documents.reverse()
    while documents:
        document = documents.pop()
        transform = document.placement
        scale = transform.scale
        scale_x, scale_y = scale if isinstance(scale, tuple) else (scale, scale)
        entity = WorldEntity(
            id=document.id or "",
            prefab=document.prefab,
            x=_plain(transform.position[0]),
            y=_plain(transform.position[1]),
            angle=_plain(transform.angle),
            scale_x=_plain(scale_x),
            scale_y=_plain(scale_y),
            layer=document.layer,
            overrides=document.overrides,
            removed=document.removed,
        )
        facts = _Facts(document.always, document.size, document.needs)
        facts = shared.setdefault(facts, facts)
        if document.id is not None:
            yield entity, facts
        else:
            twins.setdefault(twin_of(entity), []).append((entity, facts))
    names = list(reversed(twins))
    while names:
        twin = names.pop()
        same = twins.pop(twin)
        if len(same) > 1:  # sorted by their other fields, so that their order in the file is free
            same.sort(key=lambda one: (_encode(one[0]), one[1].always))
        for number, (entity, facts) in enumerate(same):
            yield msgspec.structs.replace(entity, id=derived_id(twin, number)), facts


def twin_of(entity: WorldEntity) -> str:
    """Returns prefab, position and rotation as text: entities without an id get one from it.

    Any thread.
    """
    return f"{entity.prefab} {entity.x} {entity.y} {entity.angle}"


def derived_id(twin: str, number: int) -> str:
    """Returns the id of an entity whose author gave it none. Any thread.

    Args:
        twin: See `twin_of`.
        number: The index of the entity among those with the same `twin_of`.
    """
    text = f"{twin} {number}".encode("utf-8", "surrogatepass")
    return DERIVED + hashlib.blake2b(text, digest_size=8).hexdigest()


def _plain(number: float) -> float:
    """Returns a float with one spelling for each value: -0.0 becomes 0.0."""
    return float(number) + 0.0


def _sheets(entity: WorldEntity) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the sprite sheet of an overridden animation, with its import settings."""
    frames = entity.overrides.get("Animation", {}).get("frames")
    if isinstance(frames, dict) and "image" in frames:
        cut = {name: frames[name] for name in ("frame_size", "columns", "count")}
        yield frames["image"], {**cut, "first": frames.get("first", 0)}


def cell_for(x: float, y: float, cell_size: float, longer_side: float = 0.0) -> GridCell:
    """Returns the cell at a position, on the level whose cells are at least as large as the entity.

    Any thread.
    """
    level = 0
    while cell_size < longer_side:
        cell_size *= 2
        level += 1
    # `//` rounds down; int(x / size) would put small negative positions into cell 0.
    return GridCell(int(x // cell_size), int(y // cell_size), level)


def _cell_output(label: str, entities: list[bytes], needs: frozenset[Dependency]) -> Output:
    # In the order of the file, because later entities are drawn on top.
    pages = cell_pages(entities)
    return Output(label, "cell", tuple(pages), tuple(sorted(needs)))


def cell_pages(encoded: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the pages of a cell, from its entities as JSON. Any thread."""
    rows: list[bytes] = []
    size = 0
    for row in encoded:
        if size + len(row) + 1 > _ROOM:
            yield b"[%b]" % b",".join(rows)
            rows, size = [], 0
        rows.append(row)
        size += len(row) + 1
    yield b"[%b]" % b",".join(rows)


_decode_head: Final = msgspec.json.Decoder(WorldHead).decode
_decode_cell: Final = msgspec.json.Decoder(list[WorldEntity]).decode


def read_world(asset: BakedAsset) -> WorldHead:
    """Returns the head of a world.

    Raises:
        AssetError: The asset is no world.
        StoreError: The asset cannot be read.

    Any thread.
    """
    if asset.kind != "world":
        raise AssetError(f"this was baked to {asset.kind}, not to a world", path=asset.id)
    try:
        cells = CellIndex.from_bytes(asset.data())
    except ValueError as error:
        raise AssetError(str(error), path=asset.id) from error
    return msgspec.structs.replace(_decode_head(asset.first), cells=cells)


def read_cell(asset: BakedAsset) -> Iterator[list[WorldEntity]]:
    """Returns the entities of a cell, page by page.

    Raises:
        AssetError: The asset is no cell.
        StoreError: The asset cannot be read.

    Any thread.
    """
    if asset.kind != "cell":
        raise AssetError(f"this was baked to {asset.kind}, not to a cell", path=asset.id)
    return (_decode_cell(page) for page in asset)
