"""What an entity has of its own, laid over its prefab."""

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
"""Fields by component, ``{"Health": {"max": 5}}``, those of a child behind its name,
``{"lamp/Light": {"radius": 90}}``; or whole components, ``[Health(max=5)]``."""


# How msgspec ends its messages: "Expected `int`, got `str` - at `$.max`".
_AT: Final = re.compile(r"(.*) - at `\$\.(.+)`", re.DOTALL)
# Values that their owner may change before they are used.
_GROWING: Final = (list, dict, set)


class Overrides:
    """Overrides that were checked as far as they can be without their prefab.

    Args:
        given: See `OverrideMap`.
        registry: The components that there are.
        removed: Components that the whole does not have.
        layer: The layer that it is drawn in, with those parts that its prefab draws in one layer
            with it; None for that of its prefab.

    Raises:
        UnknownNameError: A component is not registered.
        TypeError: They are neither a mapping by names nor components.
        SpawnError: They are no overrides.

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
                # Not the caller's own: several entities may be given the same one.
                self._typed.setdefault(path, {})[name] = copy.deepcopy(value)
            elif isinstance(value, Mapping):
                unknown = [one for one in value if one not in known.converter.fields]
                if unknown:
                    hint = did_you_mean(unknown[0], known.converter.fields)
                    raise UnknownNameError(f"`{name}` has no field `{unknown[0]}`", hint=hint)
                self._fields.setdefault(path, {})[name] = {
                    field: copy.deepcopy(one) if isinstance(one, _GROWING) else one
                    for field, one in value.items()
                }
            else:
                raise SpawnError(
                    f"an override of `{name}` must be a mapping of its fields, or a `{name}`, "
                    f"got {value!r}"
                )

    def applied(self, blueprint: Blueprint, registry: ComponentRegistry) -> Blueprint:
        """A plan with these overrides.

        Raises:
            SpawnError: There is no such child.
            ArcadePrefabsError: A component refuses its fields.
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
        if not self._typed:  # those are objects of one entity; everything else can be shared
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
                registry.build(name, fields[name])  # told now, not when it is used
            except LocatedError as error:
                raise SpawnError(f"an override does not fit: {_placed(name, error)}") from error
        return plan_part(old.id, fields, registry, self._typed.get(path, {}))


def _placed(name: str, error: LocatedError) -> str:
    """What is wrong with an override, with its component and field in front."""
    message = shown(error.message.removeprefix(f"{name}: "), None)
    found = _AT.fullmatch(message)
    if found is None:
        return f"`{name}`: {message}"
    message, field = found.groups()
    # JSON's word for what is a list or a tuple in Python.
    message = message.replace("`array`", "`list`")
    return f"`{name}.{shown(field)}`: {message[:1].lower()}{message[1:]}"


def _relayered(parts: list[BlueprintPart], layer: str) -> list[BlueprintPart]:
    """Parts that are drawn in the layer of the whole, in another one."""
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
    """A path for each part: the names from the whole to it, ``turret/barrel``.

    Parts without a name are told apart by their prefab and by how many of it came before.
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
