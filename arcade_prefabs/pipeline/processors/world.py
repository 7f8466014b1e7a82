"""Worlds: entities sorted into cells, each of which can be loaded by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from ...errors import AssetError, LocatedError, MissingAssetError, RonError
from ...prefab import ComponentRegistry, Dependency, default_registry
from ...prefab.converters import At
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
# As many as one file tells, for all files together.
_MOST_ERRORS: Final = 100
_ROOM: Final = PAGE_BYTES - 64
# What an entity may override, with room for its other fields: it has to fit on one page.
LARGEST_OVERRIDES: Final = _ROOM - 8 * 1024
"""Bytes, as JSON."""
_encode = msgspec.json.Encoder().encode


class WorldEntity(msgspec.Struct, frozen=True, array_like=True):
    """An entity of a world.

    Attributes:
        id: Its own name in the world; the same after every edit that leaves it alone.
        prefab: The id of what it is.
        x: Pixels.
        y: Pixels.
        rotation: Clockwise, in degrees.
        scale_x: Factor.
        scale_y: Factor.
        layer: The layer to draw it in; None for that of its prefab.
        overrides: Fields that differ from those of the prefab, by component.
        removed: Components that it does not have.
    """

    id: str
    prefab: str
    x: float
    y: float
    rotation: float = 0.0
    scale_x: float = 1.0
    scale_y: float = 1.0
    layer: str | None = None
    overrides: dict[str, dict[str, Any]] = {}
    removed: tuple[str, ...] = ()


class WorldHead(msgspec.Struct, frozen=True):
    """What a world is made of.

    Attributes:
        cell_size: Pixels.
        layers: Names in drawing order; empty if the world does not say.
        entities: How many there are.
        always: How many of them are there wherever the player is.
        cells: Which cells have anything in them.
    """

    cell_size: float
    layers: tuple[str, ...]
    entities: int
    always: int
    cells: CellIndex = CellIndex(())


class WorldProcessor:
    """Bakes world files: one output for each cell, and one that says which cells there are.

    Prefabs are only named: they are not part of a world's bake, but needed at run time.

    Args:
        registry: The components that entities may override; the ``default_registry`` by default.

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
        """The outputs of a world, or all of its mistakes."""
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
            # The prefab processor, whose registry this is, answers for these names.
            name = "components:" + ("*" if names is None else ",".join(names))
            context.depends("ambient", name, self._registry.describe().fingerprint(names))


class _Included:
    """A world file with all that it includes."""

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
        """Read a file, and behind it those that it includes."""
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
            place: At = (entity.at, "id", ".id")
            known = self._ids.get(entity.id)
            if known is not None:
                if len(self.errors) < _MOST_ERRORS:  # each place is counted from the beginning
                    first = known.file.error((known.at, "id", ".id"), "").place
                    self._fail(world, place, f"the id `{entity.id}` stands in {first}, too")
                else:
                    self.unshown = True
                return
            self._ids[entity.id] = entity
        size = len(_encode((entity.overrides, entity.removed)))
        if size > LARGEST_OVERRIDES:
            place = (entity.at, "overrides", "overrides")
            self._fail(world, place, f"{size:,} bytes of data, over {LARGEST_OVERRIDES:,}")
            return
        self.entities.append(entity)

    def taken(self) -> list[EntityDocument]:
        """All entities, once: the reader keeps none of them."""
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
    # Entities as JSON, which takes half of what they take as objects.
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
        known = needs.setdefault(cell, facts.needs)
        if not facts.needs <= known:
            needs[cell] = known | facts.needs
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
    """What a cell has to know of an entity, besides the entity."""

    always: bool
    size: float
    needs: frozenset[Dependency]


def _entities(documents: list[EntityDocument]) -> Iterator[tuple[WorldEntity, _Facts]]:
    """The entities, those without an id, behind the others, named by what and where they are.

    The list is empty in the end, and each document goes as soon as its entity is made.
    """
    twins: dict[str, list[tuple[WorldEntity, _Facts]]] = {}
    shared: dict[_Facts, _Facts] = {}
    documents.reverse()
    while documents:
        document = documents.pop()
        place = document.placement
        scale = place.scale
        scale_x, scale_y = scale if isinstance(scale, tuple) else (scale, scale)
        entity = WorldEntity(
            id=document.id or "",
            prefab=document.prefab,
            x=_plain(place.at[0]),
            y=_plain(place.at[1]),
            rotation=_plain(place.rotation),
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
        what = names.pop()
        same = twins.pop(what)
        if len(same) > 1:  # told apart by the rest of them, or else it cannot matter which is which
            same.sort(key=lambda one: (_encode(one[0]), one[1].always))
        for number, (entity, facts) in enumerate(same):
            yield msgspec.structs.replace(entity, id=derived_id(what, number)), facts


def twin_of(entity: WorldEntity) -> str:
    """What entities share that are named by what and where they are. Any thread."""
    return f"{entity.prefab} {entity.x} {entity.y} {entity.rotation}"


def derived_id(twin: str, number: int) -> str:
    """The id of an entity whose author gave it none. Any thread.

    Args:
        twin: See `twin_of`.
        number: Which one of those with the same.
    """
    text = f"{twin} {number}".encode("utf-8", "surrogatepass")
    return DERIVED + hashlib.blake2b(text, digest_size=8).hexdigest()


def _plain(number: float) -> float:
    """A float with one spelling for each place: -0.0 is 0.0."""
    return float(number) + 0.0


def _sheets(entity: WorldEntity) -> Iterator[tuple[str, dict[str, Any]]]:
    """The sprite sheet that an overridden animation cuts its frames from."""
    frames = entity.overrides.get("Animation", {}).get("frames")
    if isinstance(frames, dict) and "image" in frames:
        cut = {name: frames[name] for name in ("frame_size", "columns", "count")}
        yield frames["image"], {**cut, "first": frames.get("first", 0)}


def cell_for(x: float, y: float, cell_size: float, longer_side: float = 0.0) -> GridCell:
    """The cell for something at a place: of a level whose cells are as large as it is.

    Any thread.
    """
    level = 0
    while cell_size < longer_side:
        cell_size *= 2
        level += 1
    # Rounding would put what is a hair below 0 into the cell above.
    return GridCell(int(x // cell_size), int(y // cell_size), level)


def _cell_output(label: str, entities: list[bytes], needs: frozenset[Dependency]) -> Output:
    # In the order of the file: what comes later is drawn on top.
    pages = cell_pages(entities)
    return Output(label, "cell", tuple(pages), tuple(sorted(needs)))


def cell_pages(encoded: Iterable[bytes]) -> Iterator[bytes]:
    """The pages of a cell, from its entities as JSON. Any thread."""
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
    """What a world is made of.

    Raises:
        AssetError: It was baked to something else.
        StoreError: It cannot be read.

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
    """The entities of a cell, page by page.

    Raises:
        AssetError: It was baked to something else.
        StoreError: It cannot be read.

    Any thread.
    """
    if asset.kind != "cell":
        raise AssetError(f"this was baked to {asset.kind}, not to a cell", path=asset.id)
    return (_decode_cell(page) for page in asset)
