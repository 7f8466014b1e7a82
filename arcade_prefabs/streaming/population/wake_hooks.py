"""`WakeHooks`: calls functions of the game when an entity is loaded again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from ...spawning.entities.entity import Entity, EntityRecord
from ...spawning.entities.entity_index import EntityIndex

__all__ = ["WakeHook", "WakeHooks"]

_log = logging.getLogger("arcade_prefabs")

WakeHook: TypeAlias = Callable[[Entity, Any, float], object]
"""Takes an entity, its component, and the seconds of the world's time that it was unloaded."""

_F = TypeVar("_F", bound=WakeHook)


class WakeHooks:
    """The functions that the game registered with `StreamingManager.on_wake`. Main thread."""

    def __init__(self, entities: EntityIndex) -> None:
        self._entities = entities
        self._hooks: dict[str, list[WakeHook]] = {}

    def on_wake(self, component: type) -> Callable[[_F], _F]:
        """Returns a decorator that registers a function for a component."""
        name = self._entities.name_of(component)

        def add(function: _F) -> _F:
            hooks = self._hooks.setdefault(name, [])
            if function not in hooks:
                hooks.append(function)
            return function

        return add

    def remove(self, function: WakeHook) -> None:
        """Removes a function from all components."""
        for hooks in self._hooks.values():
            hooks[:] = [hook for hook in hooks if hook != function]

    def woken(self, record: EntityRecord, seconds: float) -> None:
        """Calls the hooks of an entity that is loaded again after that many seconds."""
        if not self._hooks:
            return
        for part in list(record.walk()):
            entity = part.entity
            for name in () if part.blueprint is None else part.blueprint.names:
                for hook in tuple(self._hooks.get(name, ())):
                    if not entity.alive:
                        return
                    component: Any = entity[self._entities.class_of(name)]
                    try:
                        hook(entity, component, seconds)
                    except Exception:
                        _log.exception("an on_wake hook failed for %r", entity)
