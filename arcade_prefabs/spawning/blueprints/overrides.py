"""`Overrides`: component fields that one entity has in place of its prefab's."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from ...errors import LocatedError, SpawnError, UnknownNameError, shown
from ...prefab import ComponentRegistry
from ...prefab.suggestions import did_you_mean
from .blueprint import Blueprint, BlueprintPart, PartBlueprint, plan_part

__all__ = ["OverrideMap", "Overrides", "paths_of"]

OverrideMap: TypeAlias = Mapping[str, Any] | Iterable[Any]
"""Overrides as the game writes them: fields by component, ``{"Health": {"max": 5}}``; those of a
child with its name in front, ``{"lamp/Light": {"radius": 90}}``; or component objects,
``[Health(max=5)]``."""


# The end of msgspec's messages: "Expected `int`, got `str` - at `$.max`".
_AT: Final = re.compile(r"(.*) - at `\$\.(.+)`", re.DOTALL)
# Values that are copied, as the game may change them before they are used.
_GROWING: Final = (list, dict, set)


class Overrides:
    """Overrides of one entity, checked as far as that is possible without its prefab.

    Args:
        given: The overrides, see `OverrideMap`.
        registry: The registered components.
        removed: Components that the entity's own part does not have.
        layer: The layer that the entity is drawn in, together with those parts that its prefab
            draws in the same layer as itself; None for the prefab's.

    Raises:
        UnknownNameError: A component or a field does not exist.
        TypeError: `given` is neither a mapping by names nor an iterable of components.
        SpawnError: An override is neither a mapping of fields nor an object of its component.

    Main thread.
    """

    def __init__(
        self,
        given: OverrideMap,
        registry: ComponentRegistry,
        *,
        removed: Sequence[str] = (),
        layer: str | None = None,
    ) -> None:
        self._removed = removed
        self._layer = layer
        self._last: tuple[Blueprint, Blueprint] | None = None
        self._fields: dict[str, dict[str, dict[str, Any]]] = {}
        self._typed: dict[str, dict[str, Any]] = {}
        if isinstance(given, str) or not isinstance(given, Mapping | Iterable):
            raise TypeError(
                "overrides are a mapping of components to their fields, or whole components, not "
                f"{given!r}"
            )
        pairs = given.items() if isinstance(given, Mapping) else _named(given, registry)
        for key, value in pairs:
            if not isinstance(key, str):
                raise TypeError(f"an override is named by a component, as a string, not {key!r}")
            path, _, name = key.rpartition("/")
            known = registry.get(name)
            if known is None:
                hint = did_you_mean(name, registry.names())
                raise UnknownNameError(f"unknown component `{name}`", hint=hint)
            if isinstance(value, known.cls):
                # A copy: the caller may give the same object to several entities.
                self._typed.setdefault(path, {})[name] = copy.deepcopy(value)
            elif isinstance(value, Mapping):
                unknown = [field for field in value if field not in known.converter.fields]
                if unknown:
                    hint = did_you_mean(unknown[0], known.converter.fields)
                    raise UnknownNameError(f"`{name}` has no field `{unknown[0]}`", hint=hint)
                self._fields.setdefault(path, {})[name] = {
                    field: copy.deepcopy(new) if isinstance(new, _GROWING) else new
                    for field, new in value.items()
                }
            else:
                raise SpawnError(
                    f"an override of `{name}` must be a mapping of its fields, or a `{name}`, "
                    f"got {value!r}"
                )

    def applied(self, blueprint: Blueprint, registry: ComponentRegistry) -> Blueprint:
        """Returns a blueprint with these overrides.

        Args:
            blueprint: The prefab's blueprint.
            registry: The registered components.

        Raises:
            SpawnError: The prefab has no such child, or a component refuses its fields.
            ArcadePrefabsError: A sprite class is not registered.
        """
        if self._last is not None and self._last[0] is blueprint:
            return self._last[1]
        numbers = {path: number for number, path in enumerate(paths_of(blueprint))}
        parts = list(blueprint.parts)
        for path in {**self._fields, **self._typed}:
            number = numbers.get(path)
            if number is None:
                hint = did_you_mean(path, [one for one in numbers if one])
                raise SpawnError(f"{blueprint.id} has no child {path!r} to override; {hint}")
            parts[number] = parts[number]._replace(
                blueprint=self._part(parts[number], path, registry),
            )
        if self._removed:
            parts[0] = parts[0]._replace(blueprint=self._reduced(parts[0].blueprint, registry))
        if self._layer is not None:
            parts = _relayered(parts, self._layer)
        made = Blueprint.of(blueprint.id, tuple(parts))
        if not self._typed:  # component objects belong to one entity; all else can be shared
            self._last = (blueprint, made)
        return made

    def _reduced(self, old: PartBlueprint, registry: ComponentRegistry) -> PartBlueprint:
        fields = {name: value for name, value in old.fields.items() if name not in self._removed}
        return plan_part(old.id, fields, registry, old.typed)

    def _part(self, part: BlueprintPart, path: str, registry: ComponentRegistry) -> PartBlueprint:
        old = part.blueprint
        fields = {name: dict(value) for name, value in old.fields.items()}
        for name, value in self._fields.get(path, {}).items():
            fields[name] = {**fields.get(name, {}), **value}
            try:
                registry.build(name, fields[name])  # raises now, not when the game first asks
            except LocatedError as error:
                raise SpawnError(f"an override does not fit: {_placed(name, error)}") from error
        return plan_part(old.id, fields, registry, self._typed.get(path, {}))


def _placed(name: str, error: LocatedError) -> str:
    """Returns msgspec's message with the component and the field in front."""
    message = shown(error.message.removeprefix(f"{name}: "), None)
    found = _AT.fullmatch(message)
    if found is None:
        return f"`{name}`: {message}"
    message, field = found.groups()
    # "Array" is JSON's word for a list.
    message = message.replace("`array`", "`list`")
    return f"`{name}.{shown(field)}`: {message[:1].lower()}{message[1:]}"


def _relayered(parts: list[BlueprintPart], layer: str) -> list[BlueprintPart]:
    """Moves all parts that are drawn in the first part's layer to another layer."""
    seen = parts[0].blueprint.spec or parts[0].blueprint.label
    old = "default" if seen is None else seen.layer
    blueprints: dict[int, PartBlueprint] = {}
    for part in parts:
        was = part.blueprint
        if id(was) not in blueprints:
            spec, label = was.spec, was.label
            if spec is not None and spec.layer == old:
                spec = spec._replace(layer=layer)
            if label is not None and label.layer == old:
                label = label._replace(layer=layer)
            blueprints[id(was)] = PartBlueprint(
                was.id, was.fields, spec, label, was.tags, was.typed
            )
    return [part._replace(blueprint=blueprints[id(part.blueprint)]) for part in parts]


def _named(given: Iterable[Any], registry: ComponentRegistry) -> Iterable[tuple[str, Any]]:
    names = {found.cls: name for name in registry.names() if (found := registry.get(name))}
    for component in given:
        name = names.get(type(component))
        if name is None:
            kind = type(component).__name__
            raise UnknownNameError(
                f"`{kind}` is not registered as a component",
                hint=did_you_mean(kind, names.values()),
            )
        yield name, component


def paths_of(blueprint: Blueprint) -> list[str]:
    """Returns a path for each part: the names from the entity down to it, ``turret/barrel``.

    Parts without a name get one from their prefab, and from how many siblings of it come before.
    """
    found: list[str] = []
    counts: dict[tuple[int, str], int] = {}
    for part in blueprint.parts:
        if part.parent < 0:
            found.append("")
            continue
        name = part.name
        if name is None:
            number = counts[part.parent, part.blueprint.id] = (
                counts.get((part.parent, part.blueprint.id), 0) + 1
            )
            name = f"<{part.blueprint.id} {number}>"
        above = found[part.parent]
        found.append(f"{above}/{name}" if above else name)
    return found
