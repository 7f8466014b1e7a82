"""Plans: a prefab as a flat list of parts, made in a loader thread, ready to become sprites.

**The problem.** A prefab is a tree of prefabs with components as data. What sprites, texts and tags
that means takes validation, arithmetic and look-ups: about 20 µs a part. A spawn has some
microseconds, on the main thread.

**The way taken.** The decoder of prefabs, in a loader thread, works everything out once and keeps
it with the prefab: `Blueprint`, a flat tuple of parts, parents first, each with its place and its
`PartBlueprint`; and the textures and texts of the whole, each once. They are immutable and
shared: all parts that are the same JSON, in whichever prefab, have the same `PartBlueprint`, and a
spawn copies nothing. The overrides of one entity make another blueprint of the same form
(``overrides``), so that what builds, reloads and saves knows blueprints only.

**The ways rejected.** *Planning at the first spawn*: 500 parts are 10 ms in one frame. *Components
as objects in the plan*: most are never asked for, and each entity needs its own. *A tree of plans*:
building in slices, hot reload and saves all need a number for each part. *Baking plans*: they
depend on classes that the game has registered, which a bake does not have.
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
from .sprite_spec import SpriteSpec, TextureRef, look_of

__all__ = [
    "Blueprint",
    "BlueprintDecoder",
    "BlueprintPart",
    "PartBlueprint",
    "SpawnablePrefab",
    "plan_part",
]

# Components that say what a sprite looks like; all others are built when they are asked for.
_BUILTIN: Final = {cls.__name__: cls for cls in BUILTIN_COMPONENTS}
# Parts that are planned in one unit of work, about a millisecond.
_PARTS: Final = 50
_MOST_KNOWN: Final = 4096
_PLAN_BYTES: Final = 900
_PART_BYTES: Final = 200


class PartBlueprint:
    """A part of a prefab: its components, and what they mean for a sprite.

    Attributes:
        id: The prefab that it is.
        fields: The fields of every component, by its name, as plain data.
        names: The names of its components.
        spec: Its sprite, or None.
        label: Its text, or None.
        tags: The words of its `Tags`.
        typed: Components that are given as they are, by a spawn's overrides, by name.

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
        """A new component of that name.

        Raises:
            UnknownNameError: It is not registered.
            PrefabError: It refuses its fields.
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
    """The plan of a part.

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
    spec = look_of(built)
    if spec is not None:
        registry.get_sprite_class(spec.sprite_class)
    tags = built.get("Tags")
    names = () if tags is None else tuple(dict.fromkeys(tags.names))
    label = label_of(built, "default" if spec is None else spec.layer)
    return PartBlueprint(identifier, fields, spec, label, names, typed)


class BlueprintPart(NamedTuple):
    """A part where it stands.

    Attributes:
        blueprint: What it is.
        parent: The number of the part that it belongs to; -1 for the prefab itself.
        name: Its name among its siblings.
        at: Pixels from its parent.
        rotation: Clockwise, in degrees.
        scale: Factors of the axes.
    """

    blueprint: PartBlueprint
    parent: int
    name: str | None
    at: tuple[float, float]
    rotation: float
    scale: tuple[float, float]


class Blueprint(NamedTuple):
    """A prefab as a list of parts, parents first.

    Attributes:
        id: The prefab.
        parts: The parts; the first one is the prefab itself.
        textures: All images that they need, each once.
        labels: All texts that they show, each once.
    """

    id: str
    parts: tuple[BlueprintPart, ...]
    textures: tuple[TextureRef, ...]
    labels: tuple[TextSpec, ...]

    @classmethod
    def of(cls, identifier: str, parts: tuple[BlueprintPart, ...]) -> Blueprint:
        """The plan of a prefab with these parts. Any thread."""
        different = {id(part.blueprint): part.blueprint for part in parts}.values()
        textures = {
            ref.key: ref for one in different if one.spec is not None for ref in one.spec.textures()
        }
        labels = dict.fromkeys(one.label for one in different if one.label is not None)
        return cls(identifier, parts, tuple(textures.values()), tuple(labels))


class SpawnablePrefab(PackedPrefab, frozen=True, gc=True, weakref=True, eq=False, kw_only=True):
    """A loaded prefab that knows how to become an entity.

    Attributes:
        blueprint: How.
    """

    blueprint: Blueprint

    __hash__ = PackedPrefab.__hash__


class BlueprintDecoder:
    """A decoder of prefabs that plans them, too; in place of `PrefabDecoder`.

    Loader threads.
    """

    def __init__(self) -> None:
        self._decode = PrefabDecoder()
        # Plans by the JSON of a part. Threads may both make the same one, which is harmless.
        self._known: dict[bytes, PartBlueprint] = {}
        self._registry: ComponentRegistry | None = None

    def __call__(
        self, asset: BakedAsset, registry: ComponentRegistry
    ) -> DecodedAsset | Generator[DecodeProgress, None, DecodedAsset]:
        """See `Decoder`."""
        made = self._decode(asset, registry)
        if isinstance(made, DecodedAsset):
            if not made.value.children:  # most prefabs, and one unit anyway
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
                for one in rows[-_PARTS:]:
                    self._blueprint(one.prefab, registry)
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
                row.at,
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
        # The part's own id is no part of the JSON, and an entity tells it.
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
    at: tuple[float, float]
    angle: float
    scale: tuple[float, float]


def _walk(prefab: Prefab) -> Iterable[_Row]:
    """A prefab and all of its parts, parents first, siblings in their order."""
    yield _Row(prefab, -1, None, (0.0, 0.0), 0.0, (1.0, 1.0))
    count = 1
    stack = [(prefab, 0)]
    while stack:
        part, number = stack.pop()
        for child in part.children:
            place = child.placement
            scale = place.scale if isinstance(place.scale, tuple) else (place.scale, place.scale)
            yield _Row(child.prefab, number, child.name, place.at, place.rotation, scale)
            if child.prefab.children:
                stack.append((child.prefab, count))
            count += 1


def _needs(prefab: Prefab, blueprint: Blueprint) -> Iterable[AssetDependency]:
    """What has to be loaded with a prefab, images with the settings that they are wanted with."""
    own = {ref.path for ref in blueprint.textures}
    for ref in blueprint.textures:
        yield (ref.path, dict(ref.settings)) if ref.settings else ref.path
    for kind, name in prefab.needs:
        if kind != "texture" or name not in own:
            yield prefab_id(name) if kind == "prefab" else name
