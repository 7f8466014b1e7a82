"""`warm_spawn`: spawns and despawns simple entities in one function each, made once for a prefab.

**The problem.** A spawn in steps (`SpawnTask`) asks what a prefab may be: large, with parts, texts,
walls, animations, textures that are not loaded. Most spawns of a game are none of that: a bullet, a
coin, a spark, of a prefab that is loaded. For these, asking takes longer than building.

**The way taken.** After the first spawn of a loaded prefab, `warm_spawn` examines its blueprint. If
it is one part with an `arcade.Sprite` and nothing else, it returns a function that has everything
that all its entities share in its variables: the texture, the tables of the index, the layer. That
function makes sprite, record and entity in their final state, and lists them; the result is that of
`SpawnTask.finish`. Each call compares what can have changed since: the prefab's version, that its
dependencies are ready, and that no image was announced. If anything has changed, it returns None
and is dropped, and the spawn goes in steps. `SpawnTask.warm` is the way back, as long as the entity
has got nothing that takes more than that: a text, children, an animation, an owner, hooks.

**The ways rejected.** *Faster steps only*: a step that does not apply still has to be found out. *A
class for warm entities*: all modules that work on entities would have to know two. *Generating
source*: closures are as fast, and can be read.

Neither function calls code of the game, so that nothing can change between two lines: the factory
calls the hooks afterwards.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from threading import get_ident
from typing import Any, Final, TypeAlias

from ...loading import Handle, TreeState
from ..entities.entity import Entity, EntityRecord, EntityState
from ..entities.transform import turned
from .spawn_task import SpawnServices, SpawnTask
from .sprite_builder import set_hit_box

__all__ = ["WarmSpawn", "warm_spawn"]

WarmSpawn: TypeAlias = Callable[[tuple[float, float], float, float], SpawnTask | None]
"""``spawn(position, angle, scale)`` with finite numbers; returns None if steps are necessary."""

_WHOLE: Final = (1.0, 1.0)
_ALIVE: Final = EntityState.ALIVE
_DESPAWNED: Final = EntityState.DESPAWNED
_READY: Final = TreeState.READY
_OPAQUE_WHITE: Final = (255, 255, 255, 255)


def warm_spawn(
    services: SpawnServices, spawn_task: SpawnTask, forget: Callable[[object], object]
) -> WarmSpawn | None:
    """Returns a function that spawns more entities of a prefab, or None if that takes steps.

    Args:
        services: The objects that spawns use.
        spawn_task: A spawn without overrides that has come to life at once.
        forget: Called when the last handle of the prefab is gone; in any thread.

    Main thread.
    """
    known, prefab, blueprint = spawn_task.handle, spawn_task.prefab, spawn_task.blueprint
    if known is None or blueprint is None or len(blueprint.parts) != 1 or services.calls.stock:
        return None
    part = blueprint.parts[0].blueprint
    spec = part.spec
    if (
        spec is None
        or part.label is not None
        or spec.sprite_class != "Sprite"
        or spec.solid
        or spec.animation is not None
    ):
        return None
    found = services.textures.get(spec.texture)
    if found is None or found.durations is not None:
        return None
    frames = found.flipped(spec.flip)
    if len(frames) != 1:
        return None

    # All that `spawn` and `despawn` need is in variables of this function.
    handle_of: Callable[[], Handle[Any] | None] = weakref.ref(known, forget)
    texture = frames[0]
    identifier = known.id
    textures, layers, despawner = services.textures, services.layers, services.despawner
    entities, thread = services.entities, services.guard.thread
    announced = textures.announced
    make, append, remove = services.calls.make, services.calls.append, services.calls.remove
    roots, sprites, tables = entities.tables(identifier, part)
    scene, layer = layers.scene, spec.layer
    wide, high = spec.scale
    turn, offset, color, points = spec.angle, spec.offset, spec.color, spec.points
    moved, tinted = offset != (0.0, 0.0), color != _OPAQUE_WHITE

    def spawn(position: tuple[float, float], angle: float, scale: float) -> SpawnTask | None:
        handle = handle_of()
        if handle is None or textures.announced != announced:
            return None
        asset = handle.record
        if asset.value is not prefab or asset.tree is not _READY:
            return None
        factors = _WHOLE if scale == 1.0 else (scale, scale)
        x, y = at = position
        if moved:
            dx, dy = turned(offset, angle, factors)
            at = (x + dx, y + dy)
        sprite = make(texture, at, (wide * scale, high * scale), angle + turn)
        if tinted:
            sprite.color = color
        if points is not None:
            set_hit_box(sprite, points)
        try:
            listed = scene[layer]
        except KeyError:
            listed = layers.list_of(None, layer)
        append(listed, sprite)
        spawn_task = SpawnTask(
            services, handle, identifier, None, None, False, _ALIVE, prefab, blueprint
        )
        local = (position, angle, factors)
        record = EntityRecord(spawn_task, None, local, x, y, angle, factors, part, sprite, frames)
        entity = Entity(record, identifier, None, None)
        record.entity = spawn_task.entity = entity
        spawn_task.root = record
        spawn_task.built = [record]
        spawn_task.warm = despawn
        roots[entity] = record
        sprites[sprite] = entity
        for table in tables:
            table[entity] = None
        return spawn_task

    def despawn(spawn_task: SpawnTask) -> bool:
        if spawn_task.state is not _ALIVE or get_ident() != thread or entities.hooked:
            return False
        record = spawn_task.root
        sprite: Any = record.sprite
        if (
            record.blueprint is not part
            or sprite is None
            or record.label is not None
            or record.children is not None
            or record.animation is not None
            or spawn_task.owner is not None
        ):
            return False
        spawn_task.state = _DESPAWNED
        entity = record.entity
        roots.pop(entity, None)
        for table in tables:
            table.pop(entity, None)
        sprites.pop(sprite, None)
        lists = sprite.sprite_lists
        if len(lists) == 1 and lists[0].spatial_hash is None and not sprite.physics_engines:
            remove(lists[0], sprite)
        else:
            despawner.unlist(sprite)
        record.sprite = None
        record.frames = ()
        # The game may keep the entity, which must neither keep memory nor be in a reference cycle.
        spawn_task.handle = spawn_task.prefab = spawn_task.blueprint = spawn_task.warm = None
        spawn_task.built = ()
        del record.entity, spawn_task.root, spawn_task.entity
        return True

    return spawn
