"""`WakeHooks`: entities are told how long they slept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from ...spawning.entities.entity import Entity, EntityRecord
from ...spawning.entities.entity_index import EntityIndex

__all__ = ["WakeHook", "WakeHooks"]

_log = logging.getLogger("arcade_prefabs")

WakeHook: TypeAlias = Callable[[Entity, Any, float], object]
"""Called with an entity, its component, and the seconds of the world's time that it slept."""

_F = TypeVar("_F", bound=WakeHook)


class WakeHooks:
    """Calls the game's functions. Main thread."""

    def __init__(self, entities: EntityIndex) -> None:
        self._entities = entities
        self._hooks: dict[str, list[WakeHook]] = {}

    def on_wake(self, component: type) -> Callable[[_F], _F]:
        """See `StreamingManager.on_wake`."""
        name = self._entities.name_of(component)

        def add(function: _F) -> _F:
            hooks = self._hooks.setdefault(name, [])
            if function not in hooks:
                hooks.append(function)
            return function

        return add

    def remove(self, function: WakeHook) -> None:
        """Call a function no more."""
        for hooks in self._hooks.values():
            hooks[:] = [one for one in hooks if one != function]

    def woken(self, record: EntityRecord, seconds: float) -> None:
        """An entity is there again, after that many seconds."""
        if not self._hooks:
            return
        for part in list(record.walk()):
            one = part.entity
            for name in () if part.blueprint is None else part.blueprint.names:
                for hook in tuple(self._hooks.get(name, ())):
                    if not one.alive:
                        return
                    component: Any = one[self._entities.class_of(name)]
                    try:
                        hook(one, component, seconds)
                    except Exception:
                        _log.exception("an on_wake hook failed for %r", one)
