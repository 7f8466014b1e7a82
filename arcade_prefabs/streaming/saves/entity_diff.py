"""`EntityDiffer`: finds what the game changed of an entity, and puts it back later."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ...errors import ArcadePrefabsError, shown
from ...pipeline import WorldEntity
from ...spawning.blueprints.blueprint import BlueprintPart, PartBlueprint
from ...spawning.blueprints.overrides import paths_of
from ...spawning.entities.entity import Entity, EntityRecord
from ...spawning.entities.entity_index import EntityIndex
from ...spawning.spawner.despawn import Despawner
from ...spawning.spawner.spawn_task import SpawnTask

__all__ = ["EntityDiff", "EntityDiffer", "PartDiff", "place_of"]

_log = logging.getLogger("arcade_prefabs")

PlaceRow = tuple[float, float, float, float, float]
# Differences of a transform up to this are rounding: the position of an entity whose sprite has an
# offset is computed back from the sprite's.
_HAIR: Final = 1e-6
_FRESH: Final = 4096
# Problems that are logged; all of them are in `EntityDiffer.problems`.
_LOGGED: Final = 50


class PartDiff(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the game changed of one part of an entity.

    Attributes:
        fields: Changed fields, by component and field name.
        place: x, y, angle, and scale in both directions, relative to the parent; None if
            unchanged.
        gone: Whether the part was despawned.
        lived: Components whose `on_first_spawn` hooks were called, without those in `fields`.
    """

    fields: dict[str, dict[str, Any]] = {}
    place: PlaceRow | None = None
    gone: bool = False
    lived: tuple[str, ...] = ()


class EntityDiff(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of an entity differs from its world's data and its prefab.

    Attributes:
        place: x, y, angle, and scale in both directions; None if unchanged.
        visible: Whether the entity is shown.
        parts: Diffs of parts, by their paths; ``""`` is the entity's own.
        row: The entity as the world's data had it, if it was added or has moved: the data of the
            cell that it is in does not have it.
        size: Pixels of the longer side, or a bit more; 0 if it fits into a cell of any size.
    """

    place: PlaceRow | None = None
    visible: bool = True
    parts: dict[str, PartDiff] = {}
    row: WorldEntity | None = None
    size: float = 0.0

    @property
    def untouched(self) -> bool:
        """Whether the diff says no more than that `on_first_spawn` hooks were called."""
        parts = self.parts.values()
        own = any(part.fields or part.place is not None or part.gone for part in parts)
        return self.place is None and self.visible and self.row is None and not own

    def with_row(self, row: WorldEntity, size: float) -> EntityDiff:
        """Returns the same diff with the entity's row and size."""
        return EntityDiff(self.place, self.visible, self.parts, row, size)


def place_of(row: WorldEntity, diff: EntityDiff | None) -> PlaceRow:
    """Returns the transform of an entity: that of its diff, or else that of its row."""
    if diff is not None and diff.place is not None:
        return diff.place
    return (row.x, row.y, row.angle, row.scale_x, row.scale_y)


class EntityDiffer:
    """Compares living entities with their prefabs and rows, and applies diffs to new ones.

    Args:
        entities: The components, and which of them have `on_first_spawn` hooks.

    Attributes:
        problems: What cannot be saved or put back, and why, each logged once: a field whose value
            cannot be written, a component that the prefab no longer has, and the like.

    Main thread.
    """

    def __init__(self, entities: EntityIndex) -> None:
        self.problems: dict[str, str] = {}
        self._entities = entities
        self._registry = entities.registry
        # Components as their prefab builds them, by the id() of the blueprint, which is kept alive.
        self._fresh: dict[tuple[int, str], tuple[PartBlueprint, Any, dict[str, Any]]] = {}

    # ---------------------------------------------------------------------------------------- find

    def find(self, row: WorldEntity, spawn_task: SpawnTask) -> EntityDiff | None:
        """Returns what of an entity differs from its row and its prefab; None if nothing does."""
        entity, blueprint = spawn_task.entity, spawn_task.blueprint
        if blueprint is None:
            return None
        (x, y), angle = entity.position, entity.angle
        wide, high = entity.scale
        place: PlaceRow | None = (x, y, angle, wide, high)
        if (
            abs(x - row.x) <= _HAIR
            and abs(y - row.y) <= _HAIR
            and abs(angle - row.angle) <= _HAIR
            and abs(wide - row.scale_x) <= _HAIR
            and abs(high - row.scale_y) <= _HAIR
        ):
            place = None
        elif not all(map(math.isfinite, (x, y, angle, wide, high))):
            place = None
            self.tell(
                row.id,
                "its position, angle or scale is NaN or infinite: the world's own is kept instead",
            )
        parts: dict[str, PartDiff] = {}
        paths: list[str] | None = None
        lived: dict[EntityRecord, list[str]] = {}
        for record, name in sorted(spawn_task.lived, key=_name) if spawn_task.lived else ():
            lived.setdefault(record, []).append(name)
        for number, (part, record) in enumerate(
            zip(blueprint.parts, spawn_task.built, strict=True)
        ):
            found = self._part(part, record, root=record is spawn_task.root)
            if lived and record in lived and record.blueprint is not None:
                found = found or PartDiff()
                names = tuple(name for name in lived[record] if name not in found.fields)
                found = PartDiff(found.fields, found.place, lived=names)
            if found is not None:
                paths = paths_of(blueprint) if paths is None else paths
                parts[paths[number]] = found
        if place is None and not parts and spawn_task.visible:
            return None
        return EntityDiff(place, spawn_task.visible, parts)

    def _part(self, part: BlueprintPart, record: EntityRecord, *, root: bool) -> PartDiff | None:
        blueprint = record.blueprint
        if blueprint is None:
            return PartDiff(gone=True)
        built = record.components
        fields: dict[str, dict[str, Any]] = {}
        if built:
            for name, component in built.items():
                changed = self._fields(blueprint, name, component)
                if changed:
                    fields[name] = changed
        place: PlaceRow | None = None
        if not root:
            at, turn, scale = record.local
            if (at, turn, scale) != (part.position, part.angle, part.scale):
                place = (at[0], at[1], turn, scale[0], scale[1])
                if not all(map(math.isfinite, place)):
                    place = None
        return PartDiff(fields, place) if fields or place is not None else None

    def _fields(self, blueprint: PartBlueprint, name: str, component: Any) -> dict[str, Any]:
        fresh, plain = self._fresh_of(blueprint, name)
        try:
            if component == fresh and name not in blueprint.typed:
                return {}
        except Exception:  # the game's own comparison
            _log.debug("%s cannot be compared", name, exc_info=True)
        changed: dict[str, Any] = {}
        for field, was in plain.items():
            try:
                now = msgspec.to_builtins(getattr(component, field), str_keys=True)
                msgspec.msgpack.encode(now)
            except Exception as error:
                self.tell(f"{name}.{field}", f"its value cannot be saved: {error}")
                continue
            if now != was:
                changed[field] = now
        return changed

    def _fresh_of(self, blueprint: PartBlueprint, name: str) -> tuple[Any, dict[str, Any]]:
        known = self._fresh.get((id(blueprint), name))
        if known is None:
            # Not the object in `typed`, which the entities share: a new one, as the prefab says.
            fields = dict(blueprint.fields.get(name, {}))
            try:
                fresh = self._registry.build(name, fields)
            except ArcadePrefabsError:
                fresh = None  # a field without a default has its value from the game alone
            plain = {
                field: msgspec.to_builtins(getattr(fresh, field), str_keys=True)
                if fresh is not None
                else None
                for field in self._names(name)
            }
            if len(self._fresh) >= _FRESH:
                self._fresh.clear()
            known = self._fresh[id(blueprint), name] = (blueprint, fresh, plain)
        return known[1], known[2]

    def _names(self, name: str) -> tuple[str, ...]:
        component = self._registry.get(name)
        return () if component is None else tuple(component.converter.fields)

    # ------------------------------------------------------------------------------------ put back

    def apply(self, diff: EntityDiff, spawn_task: SpawnTask, despawner: Despawner) -> None:
        """Applies a diff to an entity that is built and not alive yet."""
        if not diff.visible:
            spawn_task.show(False)
        blueprint = spawn_task.blueprint
        if blueprint is None or not diff.parts:
            return
        numbers = {path: number for number, path in enumerate(paths_of(blueprint))}
        for path, part in diff.parts.items():
            number = numbers.get(path)
            if number is None:
                if part.fields or part.place is not None or part.gone:
                    self.tell(f"{blueprint.id} {path}", "the prefab has no such part any more")
                continue
            record = spawn_task.built[number]
            if record.blueprint is None:
                continue
            if part.gone:
                despawner.remove_parts(list(record.walk()))
                continue
            if part.place is not None:
                x, y, turn, wide, high = part.place
                record.local = ((x, y), turn, (wide, high))
                record.place_in_parent()
            for name, fields in part.fields.items():
                self._put_fields(record, record.blueprint, name, fields)
            # A component with saved fields has had its first spawn, also in saves without `lived`.
            names = [*part.lived, *filter(self._entities.has_first, part.fields)]
            if names:
                spawn_task.lived |= {(record, name) for name in names}

    def _put_fields(
        self, record: EntityRecord, blueprint: PartBlueprint, name: str, fields: Mapping[str, Any]
    ) -> None:
        where = f"{blueprint.id} {name}"
        if name not in blueprint.names:
            self.tell(where, "the prefab has no such component any more")
            return
        known = set(self._names(name))
        kept = {field: value for field, value in fields.items() if field in known}
        for field in fields:
            if field not in known:
                self.tell(f"{name}.{field}", "the component has no such field any more")
        try:
            made = self._registry.build(name, {**blueprint.fields.get(name, {}), **kept})
        except ArcadePrefabsError as error:
            self.tell(where, f"what was saved does not fit any more: {error}")
            return
        if record.components is None:
            record.components = {}
        record.components[name] = made

    def texts(self, diff: EntityDiff, spawn_task: SpawnTask) -> list[tuple[Entity, str]]:
        """Returns the parts whose text differs from their prefab, with the text.

        The caller sets the texts one by one, as drawing each takes time.
        """
        blueprint = spawn_task.blueprint
        found: list[tuple[Entity, str]] = []
        if blueprint is None or not any("Text" in part.fields for part in diff.parts.values()):
            return found
        for path, record in zip(paths_of(blueprint), spawn_task.built, strict=True):
            part = diff.parts.get(path)
            text = None if part is None else part.fields.get("Text", {}).get("text")
            if isinstance(text, str) and record.blueprint is not None and record.label is not None:
                found.append((record.entity, text))
        return found

    def tell(self, what: str, why: str) -> None:
        """Adds a problem and logs it, unless `what` has one already."""
        if what not in self.problems and len(self.problems) < _FRESH:
            self.problems[what] = why
            if len(self.problems) <= _LOGGED:
                _log.warning("%s: %s", shown(what), shown(why, None))


def _name(lived: tuple[EntityRecord, str]) -> str:
    return lived[1]
