"""`Blueprint`: a prefab as a flat list of parts, made on a loader thread, ready to become sprites.

**The problem.** A prefab is a tree of prefabs with components as data. To find out what sprites,
texts and tags these mean takes validation, arithmetic and look-ups: about 20 µs a part. A spawn has
some microseconds, on the main thread.

**The way taken.** The decoder of prefabs, on a loader thread, computes everything once and keeps it
with the prefab: a `Blueprint` is a flat tuple of parts, parents first, each with its transform and
its `PartBlueprint`, and has the textures and texts of all parts, each once. Blueprints are
immutable and shared: all parts with the same JSON, in whichever prefab, have the same
`PartBlueprint`, and a spawn copies nothing. The overrides of one entity make another blueprint of
the same form (`Overrides.applied`), so that building, hot reload and saves know blueprints only.

**The ways rejected.** *Making blueprints at the first spawn*: 500 parts take 10 ms of one frame.
*Component objects in the blueprint*: most are never asked for, and each entity needs its own. *A
tree of blueprints*: building in steps, hot reload and saves all need a number for each part.
*Baking blueprints*: they depend on classes that the game has registered, and a bake does not know
these.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from ...errors import ArcadePrefabsError, LocatedError
from ...loading import AssetDependency, DecodedAsset, DecodeProgress
from ...loading.workers.decoders import PrefabDecoder
from ...pipeline import BakedAsset, PackedPart, PackedPrefab
from ...prefab import ComponentRegistry, Prefab, prefab_id
from ...prefab.builtin import BUILTIN_COMPONENTS
from .labels import TextSpec, label_of
from .sprite_spec import SpriteSpec, TextureRef, sprite_spec_of

__all__ = [
    "Blueprint",
    "BlueprintDecoder",
    "BlueprintPart",
    "PartBlueprint",
    "SpawnablePrefab",
    "plan_part",
]

# Components that a blueprint needs as objects; all others are built when the game asks for them.
_BUILTIN: Final = {cls.__name__: cls for cls in BUILTIN_COMPONENTS}
# Parts whose blueprints are made in one unit of a loader thread, about a millisecond.
_PARTS: Final = 50
_MOST_KNOWN: Final = 4096
_PLAN_BYTES: Final = 900
_PART_BYTES: Final = 200


class PartBlueprint:
    """One part of a prefab: its components, and the sprite and text that these mean.

    Attributes:
        id: The id of the part's prefab.
        fields: The fields of each component as plain data, by the component's name.
        names: The names of all components.
        spec: The sprite spec, or None.
        label: The text spec, or None.
        tags: The words of the component `Tags`.
        typed: Components that a spawn's overrides gave as objects, by name.

    Any thread.
    """

    __slots__ = ("fields", "id", "label", "names", "spec", "tags", "typed")

    def __init__(
        self,
        identifier: str,
        fields: Mapping[str, Mapping[str, Any]],
        spec: SpriteSpec | None,
        label: TextSpec | None,
        tags: tuple[str, ...],
        typed: Mapping[str, Any],
    ) -> None:
        self.id = identifier
        self.fields = fields
        self.names = tuple({**fields, **typed})
        self.spec = spec
        self.label = label
        self.tags = tags
        self.typed = typed

    def build(self, name: str, registry: ComponentRegistry) -> Any:
        """Returns a new component object; for a name in `typed`, that very object.

        Raises:
            UnknownNameError: No component of that name is registered.
            PrefabError: The component refuses its fields.
        """
        if name in self.typed:
            return self.typed[name]
        return registry.build(name, dict(self.fields[name]))


_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def plan_part(
    identifier: str,
    fields: Mapping[str, Mapping[str, Any]],
    registry: ComponentRegistry,
    typed: Mapping[str, Any] = _NOTHING,
) -> PartBlueprint:
    """Makes the blueprint of a part.

    Args:
        identifier: The id of the part's prefab.
        fields: The fields of each component as plain data, by the component's name.
        registry: The registered components and sprite classes.
        typed: Components that a spawn's overrides gave as objects, by name.

    Raises:
        UnknownNameError: A sprite class is not registered.
        PrefabError: A component refuses its fields.

    Any thread.
    """
    built: dict[str, Any] = {}
    for name, cls in _BUILTIN.items():
        if name in typed:
            built[name] = typed[name]
        elif name in fields:
            known = registry.get(name)
            if known is not None and known.cls is cls:
                built[name] = registry.build(name, dict(fields[name]))
    spec = sprite_spec_of(built)
    if spec is not None:
        registry.get_sprite_class(spec.sprite_class)
    tags = built.get("Tags")
    names = () if tags is None else tuple(dict.fromkeys(tags.names))
    label = label_of(built, "default" if spec is None else spec.layer)
    return PartBlueprint(identifier, fields, spec, label, names, typed)


class BlueprintPart(NamedTuple):
    """One part of a blueprint, with its transform.

    Attributes:
        blueprint: The part's components, sprite and text; shared.
        parent: The number of the parent part; -1 for the prefab itself.
        name: The part's name among its siblings, or None.
        position: Pixels from the parent.
        angle: Degrees clockwise, relative to the parent.
        scale: Factors of both axes, relative to the parent.
    """

    blueprint: PartBlueprint
    parent: int
    name: str | None
    position: tuple[float, float]
    angle: float
    scale: tuple[float, float]


class Blueprint(NamedTuple):
    """A prefab as a flat list of parts, parents first.

    Attributes:
        id: The prefab's id.
        parts: The parts; the first one is the prefab itself.
        textures: All images that the parts need, each once.
        labels: All texts that the parts show, each once.
    """

    id: str
    parts: tuple[BlueprintPart, ...]
    textures: tuple[TextureRef, ...]
    labels: tuple[TextSpec, ...]

    @classmethod
    def of(cls, identifier: str, parts: tuple[BlueprintPart, ...]) -> Blueprint:
        """Makes a blueprint of parts, with their textures and texts. Any thread."""
        different = {id(part.blueprint): part.blueprint for part in parts}.values()
        textures = {
            ref.key: ref
            for blueprint in different
            if blueprint.spec is not None
            for ref in blueprint.spec.textures()
        }
        labels = dict.fromkeys(
            blueprint.label for blueprint in different if blueprint.label is not None
        )
        return cls(identifier, parts, tuple(textures.values()), tuple(labels))


class SpawnablePrefab(PackedPrefab, frozen=True, gc=True, weakref=True, eq=False, kw_only=True):
    """A loaded prefab with its blueprint: the loader's value of a prefab.

    Attributes:
        blueprint: The blueprint.
    """

    blueprint: Blueprint

    __hash__ = PackedPrefab.__hash__


class BlueprintDecoder:
    """Decodes prefabs, and makes their blueprints; replaces `PrefabDecoder`.

    Loader threads.
    """

    def __init__(self) -> None:
        self._decode = PrefabDecoder()
        # By a part's id and JSON. Two threads may make the same blueprint, which is harmless.
        self._known: dict[bytes, PartBlueprint] = {}
        self._registry: ComponentRegistry | None = None

    def __call__(
        self, asset: BakedAsset, registry: ComponentRegistry
    ) -> DecodedAsset | Generator[DecodeProgress, None, DecodedAsset]:
        """Decodes a prefab, as `Decoder` says."""
        made = self._decode(asset, registry)
        if isinstance(made, DecodedAsset):
            if not made.value.children:  # most prefabs: one part, less than one unit
                return self._finished(made, registry, list(_walk(made.value)))
            return self._planned(made, registry)
        return self._large(made, registry)

    def _large(
        self, steps: Generator[DecodeProgress, None, DecodedAsset], registry: ComponentRegistry
    ) -> Generator[DecodeProgress, None, DecodedAsset]:
        loaded = yield from steps
        return (yield from self._planned(loaded, registry))

    def _planned(
        self, loaded: DecodedAsset, registry: ComponentRegistry
    ) -> Generator[DecodeProgress, None, DecodedAsset]:
        rows: list[_Row] = []
        for row in _walk(loaded.value):
            rows.append(row)
            if len(rows) % _PARTS == 0:
                for each in rows[-_PARTS:]:
                    self._blueprint(each.prefab, registry)
                yield DecodeProgress(1.0)
        return self._finished(loaded, registry, rows)

    def _finished(
        self, loaded: DecodedAsset, registry: ComponentRegistry, rows: list[_Row]
    ) -> DecodedAsset:
        prefab = loaded.value
        assert isinstance(prefab, PackedPrefab)
        parts = tuple(
            BlueprintPart(
                self._blueprint(row.prefab, registry),
                row.parent,
                row.name,
                row.position,
                row.angle,
                row.scale,
            )
            for row in rows
        )
        blueprint = Blueprint.of(prefab.id, parts)
        value = SpawnablePrefab(
            prefab.id,
            {},
            prefab.children,
            (),
            prefab.built_from,
            packed=prefab.packed,
            packed_needs=prefab.packed_needs,
            blueprint=blueprint,
        )
        blueprints = len({id(part.blueprint) for part in parts})
        size = loaded.size + _PLAN_BYTES * blueprints + _PART_BYTES * len(parts)
        return DecodedAsset(value, size, tuple(_needs(prefab, blueprint)))

    def _blueprint(self, part: Prefab, registry: ComponentRegistry) -> PartBlueprint:
        assert isinstance(part, PackedPart)
        if registry is not self._registry or len(self._known) > _MOST_KNOWN:
            self._known = {}
            self._registry = registry
        # The JSON has not got the prefab's id, which the part blueprint keeps for its entities.
        key = part.id.encode() + b"\n" + part.packed
        blueprint = self._known.get(key)
        if blueprint is None:
            try:
                blueprint = plan_part(part.id, part.components, registry)
            except LocatedError:
                raise
            except ArcadePrefabsError as error:
                error.add_note(f"in {part.id}")
                raise
            self._known[key] = blueprint
        return blueprint


class _Row(NamedTuple):
    prefab: Prefab
    parent: int
    name: str | None
    position: tuple[float, float]
    angle: float
    scale: tuple[float, float]


def _walk(prefab: Prefab) -> Iterable[_Row]:
    """Yields a prefab and all its parts, parents first, siblings in their order."""
    yield _Row(prefab, -1, None, (0.0, 0.0), 0.0, (1.0, 1.0))
    count = 1
    stack = [(prefab, 0)]
    while stack:
        part, number = stack.pop()
        for child in part.children:
            transform = child.placement
            scale = (
                transform.scale
                if isinstance(transform.scale, tuple)
                else (transform.scale, transform.scale)
            )
            yield _Row(child.prefab, number, child.name, transform.position, transform.angle, scale)
            if child.prefab.children:
                stack.append((child.prefab, count))
            count += 1


def _needs(prefab: Prefab, blueprint: Blueprint) -> Iterable[AssetDependency]:
    """Yields the assets that a prefab depends on; images with the import settings that it needs."""
    own = {ref.path for ref in blueprint.textures}
    for ref in blueprint.textures:
        yield (ref.path, dict(ref.settings)) if ref.settings else ref.path
    for kind, name in prefab.needs:
        if kind != "texture" or name not in own:
            yield prefab_id(name) if kind == "prefab" else name
