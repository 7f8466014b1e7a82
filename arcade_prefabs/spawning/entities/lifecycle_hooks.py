"""Calls the game's hooks when entities come and go.

For each component of an entity, `on_first_spawn` hooks are called once in the entity's life,
`on_spawn` hooks each time that it comes to life, and `on_despawn` hooks once for each `on_spawn`.

Hooks are code of the game: they may spawn, raise, and despawn the entity whose hooks are being
called, or a part of it. So each of them is checked for after each call.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence, Set
from typing import Protocol

from .entity import Entity, EntityRecord
from .entity_index import EntityIndex, LifecycleEvent

__all__ = ["HookedSpawn", "call_despawn_hooks", "call_spawn_hooks"]

_log = logging.getLogger("arcade_prefabs")


class HookedSpawn(Protocol):
    """The state of an entity's hooks; a `SpawnTask` is one.

    Attributes:
        going: Parts whose `on_despawn` hooks are being called.
        silent: Parts and components whose `on_spawn` hooks were not called yet, or whose
            `on_despawn` hooks were called.
        lived: Parts and components whose `on_first_spawn` hooks were called, in this session or an
            earlier one.
    """

    going: frozenset[EntityRecord]
    silent: Set[tuple[EntityRecord, str]]
    lived: Set[tuple[EntityRecord, str]]

    def is_alive(self) -> bool:
        """Whether the entity is alive; hooks may despawn it."""
        ...


def call_spawn_hooks(
    spawn_task: HookedSpawn,
    entities: EntityIndex,
    come: Sequence[tuple[EntityRecord, Sequence[str]]],
) -> Generator[tuple[Entity, Exception], None, None]:
    """Calls the spawn hooks of new components, as long as the entity is alive.

    Args:
        spawn_task: The entity.
        entities: The entity index, which has the hooks.
        come: The parts, each with the names of its new components.

    Yields:
        The entity and the error, when a hook raises. If the caller does not go on, the rest of the
            hooks is not called.

    Main thread.
    """
    if not entities.hooked:
        return
    silent = spawn_task.silent = {(part, name) for part, names in come for name in names}
    for part, names in come:
        for name in names:
            if _is_gone(spawn_task, part):  # a hook has despawned the part
                break
            entity = part.entity
            silent.discard((part, name))  # before the call: the hook may despawn the entity
            begun = 0
            try:
                if entities.has_first(name) and (part, name) not in spawn_task.lived:
                    for hook, component in entities.hooks(entity, name, LifecycleEvent.FIRST):
                        hook(entity, component)
                        begun += 1
                    if _is_gone(spawn_task, part):
                        break
                    if not isinstance(spawn_task.lived, set):
                        spawn_task.lived = set(spawn_task.lived)
                    spawn_task.lived.add((part, name))
                for hook, component in entities.hooks(entity, name, LifecycleEvent.SPAWN):
                    hook(entity, component)
                    begun += 1
            except Exception as error:
                if not begun:
                    silent.add((part, name))
                yield entity, error
    spawn_task.silent = frozenset()


def _is_gone(spawn_task: HookedSpawn, part: EntityRecord) -> bool:
    return part.blueprint is None or not spawn_task.is_alive()


def call_despawn_hooks(
    spawn_task: HookedSpawn,
    entities: EntityIndex,
    going: Sequence[EntityRecord],
    names: Sequence[str] | None = None,
) -> bool:
    """Calls the `on_despawn` hooks of parts, where `on_spawn` hooks were called before.

    Args:
        spawn_task: The entity.
        entities: The entity index, which has the hooks.
        going: The parts that are about to go.
        names: The components that are about to go; None for all.

    Returns:
        Whether the entity is still alive: hooks may despawn it.

    Main thread.
    """
    if not entities.hooked:
        return True
    # Hooks may call this again, for the same parts, other parts, or the whole entity: parts in
    # `going` are not despawned a second time, and hooks in `silent` not called a second time.
    before = spawn_task.going
    if names is None:
        spawn_task.going = before.union(going)
    if not isinstance(spawn_task.silent, set):
        spawn_task.silent = set()
    silent = spawn_task.silent
    called: list[tuple[EntityRecord, str]] = []
    for part in going:
        blueprint = part.blueprint
        if blueprint is None:
            continue
        for name in blueprint.names if names is None else names:
            if part.blueprint is not blueprint or not spawn_task.is_alive():
                break  # a hook has despawned the part, and all `on_despawn` hooks were called
            if (part, name) in silent:
                continue
            entity = part.entity
            silent.add((part, name))
            called.append((part, name))
            for hook, component in entities.hooks(entity, name, LifecycleEvent.DESPAWN):
                try:
                    hook(entity, component)
                except Exception:
                    _log.exception("an on_despawn hook failed for %r", entity)
    spawn_task.going = before
    if names is None and not before:
        silent.difference_update(called)  # these parts are gone
    return spawn_task.is_alive()
