"""The hooks of what comes and goes.

For each component, `on_first_spawn` is called once in the life of its entity, then `on_spawn` each
time that the entity comes, and `on_despawn` once for each `on_spawn`.

Hooks are the game's own code. They spawn, despawn what is just being greeted, and raise.
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
    """What is to be remembered of a whole while hooks of its parts are called.

    Attributes:
        going: Parts that say goodbye just now.
        silent: Parts with components that were not greeted yet, or have said goodbye.
        lived: Parts with components whose `on_first_spawn` was called, now or in an earlier life.
    """

    going: frozenset[EntityRecord]
    silent: Set[tuple[EntityRecord, str]]
    lived: Set[tuple[EntityRecord, str]]

    def is_alive(self) -> bool:
        """Whether it is there; hooks may change that."""
        ...


def call_spawn_hooks(
    spawn_task: HookedSpawn,
    entities: EntityIndex,
    come: Sequence[tuple[EntityRecord, Sequence[str]]],
) -> Generator[tuple[Entity, Exception], None, None]:
    """Call the hooks of components that parts have got, as long as they have them.

    Args:
        spawn_task: The whole that they are parts of.
        entities: Knows the hooks.
        come: The parts, and the names of those components.

    Yields:
        Errors of hooks; who stops there leaves the rest ungreeted.

    Main thread.
    """
    if not entities.hooked:
        return
    silent = spawn_task.silent = {(one, name) for one, names in come for name in names}
    for part, names in come:
        for name in names:
            if _is_gone(spawn_task, part):  # a hook despawned it
                break
            entity = part.entity
            silent.discard((part, name))  # it may despawn itself in there
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
    """Call the hooks of parts that are about to go, as far as they were greeted.

    Args:
        spawn_task: The whole that they are parts of.
        entities: Knows the hooks.
        going: The parts.
        names: Components that are about to go, if not all.

    Returns:
        Whether the whole is still there: hooks may despawn it.

    Main thread.
    """
    if not entities.hooked:
        return True
    # Hooks may despawn it once more, or parts of it, or the whole: `going` is not despawned again,
    # and `silent` has said goodbye, even if another one of these calls is still at it.
    before = spawn_task.going
    if names is None:
        spawn_task.going = before.union(going)
    if not isinstance(spawn_task.silent, set):
        spawn_task.silent = set()
    silent = spawn_task.silent
    said: list[tuple[EntityRecord, str]] = []
    for part in going:
        blueprint = part.blueprint
        if blueprint is None:
            continue
        for name in blueprint.names if names is None else names:
            if part.blueprint is not blueprint or not spawn_task.is_alive():
                break  # a hook despawned it, with all goodbyes
            if (part, name) in silent:
                continue
            entity = part.entity
            silent.add((part, name))
            said.append((part, name))
            for hook, component in entities.hooks(entity, name, LifecycleEvent.DESPAWN):
                try:
                    hook(entity, component)
                except Exception:
                    _log.exception("an on_despawn hook failed for %r", entity)
    spawn_task.going = before
    if names is None and not before:
        silent.difference_update(said)  # they are gone with this
    return spawn_task.is_alive()
