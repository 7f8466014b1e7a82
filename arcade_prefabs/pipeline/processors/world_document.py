"""Reads and checks the text of world files; every mistake is reported with its location."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ...errors import UnsafePathError, shown
from ...prefab import ComponentRegistry, Dependency, PrefabFile, Transform
from ...prefab.asset_ids import PREFAB_FOLDER, SUFFIX, asset_path
from ...prefab.converters import At, kind_of, number_text
from ...prefab.document import ComponentDocument
from ...prefab.reader import PLACEMENT_FIELDS, DocumentReader, Refuse, parse_file
from ...prefab.suggestions import did_you_mean, instead_of
from ...ron import Struct, TupleStruct, Unit, Value

__all__ = [
    "DERIVED",
    "FARTHEST",
    "EntityDocument",
    "WorldDocument",
    "check_id",
    "checked_layers",
    "read_world_file",
    "world_id",
]

_WORLD_FIELDS: Final = ("cell_size", "layers", "include", "entities")
_ENTITY_FIELDS: Final = (
    "prefab",
    *PLACEMENT_FIELDS,
    "layer",
    "size",
    "id",
    "always",
    "overrides",
    "remove",
)
FARTHEST: Final = 1e9
"""The largest coordinate in pixels; farther away, floats are too coarse for parts of a pixel."""
_LONGEST_ID: Final = 200
_FOLDER: Final = "worlds/"
_EXAMPLE: Final = "World(entities: [(prefab: ..., position: (0, 0))])"
_MOST_PLACES: Final = 100
_MOST_LAYERS: Final = 256
_LONGEST_LAYER: Final = 100  # the head of the world, one page, has the names of all layers
DERIVED: Final = "~"
"""The first character of derived ids; the ids of authors must not begin with it."""


@dataclass(slots=True)
class EntityDocument:
    """An entity as its file writes it, see `WorldEntity`."""

    prefab: str
    placement: Transform
    layer: str | None
    size: float
    id: str | None
    always: bool
    overrides: dict[str, dict[str, Any]]
    removed: tuple[str, ...]
    needs: frozenset[Dependency]
    at: At
    file: PrefabFile


@dataclass(slots=True)
class WorldDocument:
    """A world file without the files that it includes.

    Attributes:
        file: Has the errors, and finds the locations of its parts.
        cell_size: Pixels, None if it is not written.
        layers: Names in drawing order; empty if they are not written.
        included: Paths of the files that it includes, with their locations.
        entities: Its entities, in the order of the file.
        components: Names of all components that it names, and of sprite classes with an ``@`` in
            front.
    """

    file: PrefabFile
    cell_size: float | None = None
    layers: tuple[str, ...] = ()
    included: list[tuple[str, At]] = field(default_factory=list)
    entities: list[EntityDocument] = field(default_factory=list)
    components: set[str] = field(default_factory=set)


def read_world_file(
    data: bytes,
    path: str,
    registry: ComponentRegistry,
    shown_path: str,
    refuse: Refuse | None = None,
) -> WorldDocument:
    """Reads and checks one world file.

    Args:
        data: Its text, in UTF-8.
        path: Its path.
        registry: The components that its entities may override.
        shown_path: Its name for errors.
        refuse: See `read_prefabs`; also called for the prefabs of entities.

    Raises:
        RonError: The text is not RON.
    """
    document = parse_file(data, shown_path, _EXAMPLE)
    file = PrefabFile(path, shown_path, document)
    world = WorldDocument(file)
    _Reader(world, registry, refuse).read(document.value)
    file.errors = file.problems.found()
    return world


class _Reader:
    def __init__(
        self, world: WorldDocument, registry: ComponentRegistry, refuse: Refuse | None
    ) -> None:
        self._world = world
        self._report = world.file.problems.report
        self._parts = DocumentReader(world.file, registry, refuse)
        self._refuse = refuse
        self._registry = registry
        self._ids: dict[str, At] = {}
        self._twice = 0
        # Equal prefab ids and dependencies are one object each: large worlds have many entities and
        # few prefabs.
        self._names: dict[str, str] = {}
        self._needed: dict[frozenset[Dependency], frozenset[Dependency]] = {}

    def read(self, value: Value) -> None:
        if isinstance(value, TupleStruct) and value.name == "World" and not value.values:
            value = Struct("World")
        if not isinstance(value, Struct) or value._name != "World":
            hint = f"a world looks like `{_EXAMPLE}`"
            if getattr(value, "name", getattr(value, "_name", None)) in ("Prefab", "Library"):
                hint = "prefabs stand below the folder `prefabs`: move the file there"
            self._report(None, f"expected `World(...)`, found {kind_of(value)}", hint=hint)
            return
        given = self._parts.fields(value, _WORLD_FIELDS, None)
        if "cell_size" in given:
            self._world.cell_size = self._cell_size(given["cell_size"])
        self._world.layers = self._layers(given.get("layers", []))
        self._world.included = self._included(given.get("include", []))
        at: At = (None, "entities", "entities")
        entities = given.get("entities", [])
        items = self._parts.listed(entities, at, "entities")
        if isinstance(entities, list):
            # Each RON value is freed when its entity was read: each takes 0.5 kB, and a large world
            # would not fit into memory twice. Locations of errors are found in the text.
            entities.clear()
        for i in range(len(items)):
            item, items[i] = items[i], None
            self._entity(item, (at, i, f"[{i}]"))

    def _cell_size(self, value: Value) -> float | None:
        at: At = (None, "cell_size", "cell_size")
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._report(at, f"expected a number of pixels, found {kind_of(value)}")
        elif not (math.isfinite(value) and 1 <= value <= FARTHEST):
            self._report(at, f"expected 1 to {FARTHEST:,.0f} pixels, found {number_text(value)}")
        else:
            return float(value)
        return None

    def _layers(self, value: Value) -> tuple[str, ...]:
        at: At = (None, "layers", "layers")
        names: dict[str, None] = {}
        for i, item in enumerate(self._parts.listed(value, at, "names")):
            location: At = (at, i, f"[{i}]")
            if not isinstance(item, str) or not 0 < len(item) <= _LONGEST_LAYER:
                wanted = f"a name in quotes, of at most {_LONGEST_LAYER} characters"
                self._report(location, f"expected {wanted}, found {kind_of(item)}")
            elif item in names:
                self._report(location, f"the layer `{shown(item)}` stands twice")
            else:
                names[str(item)] = None
        if len(names) > _MOST_LAYERS:
            self._report(at, f"expected at most {_MOST_LAYERS} layers, found {len(names):,}")
        return tuple(names)

    def _included(self, value: Value) -> list[tuple[str, At]]:
        at: At = (None, "include", "include")
        paths: dict[str, At] = {}
        for i, item in enumerate(self._parts.listed(value, at, "world files")):
            location: At = (at, i, f"[{i}]")
            if not isinstance(item, str):
                self._report(location, f"expected a path in quotes, found {kind_of(item)}")
                continue
            try:
                path = asset_path(item)
            except ValueError as error:
                self._report(location, str(error))
                continue
            if path in paths:
                self._report(location, f"{path} is included twice")
            paths.setdefault(path, location)
        return list(paths.items())

    def _entity(self, value: Value, at: At) -> None:
        if not isinstance(value, Struct) or value._name not in (None, "Entity"):
            hint = 'entities look like `(prefab: "props/crate", position: (120, 40))`'
            self._report(at, f"expected an entity, found {kind_of(value)}", hint=hint)
            return
        given = self._parts.fields(value, _ENTITY_FIELDS, at)
        if "prefab" not in given:
            self._report(at, "an entity needs a `prefab`")
            return
        prefab = self._prefab(given["prefab"], (at, "prefab", ".prefab"))
        overrides_at: At = (at, "overrides", "overrides")
        overrides = self._parts.components(given.get("overrides", []), overrides_at)
        removed = self._parts.removed(given.get("remove", []), overrides, (at, "remove", "remove"))
        self._world.components |= {*overrides, *removed}
        always = given.get("always", False)
        if not isinstance(always, bool):
            location = (at, "always", ".always")
            self._report(location, f"expected `true` or `false`, found {kind_of(always)}")
        placement = self._placement(given, at)
        layer, name = self._layer(given.get("layer"), at), self._id(given.get("id"), at)
        size = self._size(given.get("size"), at)
        if prefab is not None and placement is not None:
            self._world.entities.append(
                EntityDocument(
                    prefab=prefab,
                    placement=placement,
                    layer=layer,
                    size=size,
                    id=name,
                    always=always is True,
                    overrides={one: part.fields for one, part in overrides.items()},
                    removed=tuple(removed),
                    needs=self._needs(prefab, overrides),
                    at=at,
                    file=self._world.file,
                )
            )

    def _prefab(self, value: Value, at: At) -> str | None:
        if isinstance(value, str) and value.startswith("#"):
            # A label without a file would name a part of the world file.
            hint = f'write the file in front: "castle.ron{shown(value)}"'
            self._report(at, f"`{shown(value)}` names no file", hint=hint)
            return None
        reference = self._parts.reference(value, at)
        if reference is None:
            return None
        error = None if self._refuse is None else self._refuse("prefab", reference.id)
        if error is not None:
            self._report(at, error.message, hint=error.hint, kind=type(error))
        return self._names.setdefault(reference.id, reference.id)

    def _needs(
        self, prefab: str, overrides: Mapping[str, ComponentDocument]
    ) -> frozenset[Dependency]:
        """Returns the run-time dependencies of an entity; adds its sprite classes to the world."""
        needs = {Dependency("prefab", prefab)}
        for name, part in overrides.items():
            component = self._registry.get(name)
            for kind, named in component.converter.names(part.fields) if component else ():
                if kind == "sprite_class":
                    self._world.components.add("@" + named)
                elif named:
                    needs.add(Dependency(kind, named))
        found = frozenset(needs)
        return self._needed.setdefault(found, found)

    def _placement(self, given: Mapping[str, Any], at: At) -> Transform | None:
        word = "position" if "position" in given else "at"
        if word not in given:
            self._report(at, "an entity needs a position: `position: (x, y)`")
            return None
        wrong = False

        def report(*arguments: Any, **more: Any) -> None:
            nonlocal wrong
            wrong = True
            self._report(*arguments, **more)

        lowered = self._parts.placement(given, at, report)
        if wrong:
            return None
        placement = msgspec.convert(lowered, Transform)
        if max(map(abs, placement.position)) > FARTHEST:
            self._report(
                (at, word, f".{word}"), f"farther than {FARTHEST:,.0f} pixels from the origin"
            )
            return None
        return placement

    def _layer(self, value: Value, at: At) -> str | None:
        if value is None or isinstance(value, Unit):
            return None
        location: At = (at, "layer", ".layer")
        if not isinstance(value, str):
            self._report(location, f"expected a layer's name in quotes, found {kind_of(value)}")
            return None
        layers = self._world.layers
        if layers and value not in layers:
            hint = did_you_mean(value, layers)
            self._report(location, f"there is no layer `{shown(value)}`", hint=hint)
        return str(value)

    def _size(self, value: Value, at: At) -> float:
        """Returns the longer side of an entity, in pixels."""
        if value is None or isinstance(value, Unit):
            return 0.0
        location: At = (at, "size", ".size")
        values = value.values if isinstance(value, TupleStruct) else value
        if not isinstance(values, list | tuple) or len(values) != 2:
            self._report(location, f"expected (width, height) in pixels, found {kind_of(value)}")
            return 0.0
        longer = 0.0
        for one in values:
            if isinstance(one, bool) or not isinstance(one, int | float):
                self._report(location, f"expected a number of pixels, found {kind_of(one)}")
                return 0.0
            if not (math.isfinite(one) and 0 < one <= FARTHEST):
                self._report(
                    location,
                    f"expected more than 0 and at most {FARTHEST:,.0f}, found {number_text(one)}",
                )
                return 0.0
            longer = max(longer, one)
        return longer

    def _id(self, value: Value, at: At) -> str | None:
        if value is None:
            return None
        location: At = (at, "id", ".id")
        if not isinstance(value, str) or not value:
            self._report(location, f"expected text in quotes, found {kind_of(value)}")
        elif (wrong := _wrong_id(value)) is not None:
            self._report(location, wrong)
        elif value in self._ids:
            self._twice += 1
            # Finding a line takes a pass over the file, so only the first errors name one.
            where = ""
            if self._twice <= _MOST_PLACES:
                where = f": first in {self._world.file.error(self._ids[str(value)], '').location}"
            self._report(location, f"the id `{shown(value)}` stands twice{where}")
        else:
            self._ids[str(value)] = location
            return str(value)
        return None


def _wrong_id(value: str) -> str | None:
    if value.startswith(DERIVED) or len(value) > _LONGEST_ID or not value.isprintable():
        limits = f"does not begin with `{DERIVED}` and has at most {_LONGEST_ID} characters"
        return f"an id {limits}, all of them printable"
    return None


def check_id(value: object) -> None:
    """Raises ValueError for a text that cannot be the id of an entity.

    Raises:
        ValueError: The text is empty, too long, unprintable, or begins with ``~``.

    Any thread.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(f"an id is text, not {value!r}")
    wrong = _wrong_id(value)
    if wrong is not None:
        raise ValueError(f"{value[:_LONGEST_ID]!r}: {wrong}")


def checked_layers(names: Sequence[str]) -> tuple[str, ...]:
    """Returns layer names that the game's code gives, as a tuple.

    Raises:
        ValueError: A name is invalid or occurs twice, or there are more than 256.

    Any thread.
    """
    found = () if isinstance(names, str) else tuple(names)
    if isinstance(names, str) or not all(
        isinstance(one, str) and 0 < len(one) <= _LONGEST_LAYER for one in found
    ):
        raise ValueError(f"layers are names of 1 to {_LONGEST_LAYER} characters, not {names!r}")
    if len(set(found)) < len(found) or len(found) > _MOST_LAYERS:
        raise ValueError(f"at most {_MOST_LAYERS} layers, each once, not {names!r}")
    return found


def world_id(text: str) -> str:
    """Returns the full id of a world: ``valley`` and ``worlds/valley`` are ``worlds/valley.ron``.

    Raises:
        UnsafePathError: No world can have this name.

    Any thread.
    """
    try:
        if not text or "#" in text:
            raise ValueError("it looks like `worlds/valley.ron`")
        instead = instead_of(text)
        if instead is not None:
            raise ValueError(instead)
        if text.startswith(PREFAB_FOLDER + "/"):
            raise ValueError("this names a prefab: spawn it, or name it in a world")
        path = asset_path(text if text.startswith(_FOLDER) else _FOLDER + text)
        return path if path.endswith(SUFFIX) else asset_path(path + SUFFIX)
    except ValueError as error:
        raise UnsafePathError(f"{shown(text)!r} is no world: {error}") from None
