"""Spawn and despawn what is loaded and simple, in one function each, made once for a prefab.

**The problem.** A spawn in steps (``spawn_task``) looks at what a prefab may be: large, with parts,
texts, walls, animations, textures that are on their way. Most spawns of a game are none of that: a
bullet, a coin, a spark, of a prefab that is there already. For these, looking takes longer than
building.

**The way taken.** After the first spawn of a prefab that was there at once, `warm_spawn` looks at
its blueprint. If it is one part with an `arcade.Sprite` and nothing else, it gives a function with
everything that is the same for all of its entities in its variables: the texture, the tables of the
index, the layer. That function makes the sprite, the record and the entity, all in their final
state, and lists them; what it leaves behind is what `SpawnTask.finish` would have. Whatever can
have changed since is compared at each call: the prefab's version and that its tree is ready, and
that no image was announced. If anything has, it gives None and is forgotten, and the spawn takes
its steps. `SpawnTask.warm` is the way back, for as long as nobody has given the entity anything
that takes more than that: a text, children, an animation, an owner, hooks.

**The ways rejected.** *Faster steps*: they are, but a step that does not apply still has to be
found out. *A class for warm entities*: all that works on entities would have to know two.
*Generating source*: closures are as fast, and can be read.

No code of the game is called in here, so that nothing can change between two lines: hooks are
called by the factory afterwards.
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
"""``spawn(position, angle, scale)``, all of them finite numbers; None if it takes steps now."""

_WHOLE: Final = (1.0, 1.0)
_ALIVE: Final = EntityState.ALIVE
_DESPAWNED: Final = EntityState.DESPAWNED
_READY: Final = TreeState.READY
_OPAQUE_WHITE: Final = (255, 255, 255, 255)


def warm_spawn(
    services: SpawnServices, spawn_task: SpawnTask, forget: Callable[[object], object]
) -> WarmSpawn | None:
    """What spawns more of what has just been spawned, or None if that takes steps.

    Args:
        services: What spawns need.
        spawn_task: The spawn that has come to life at once, without anything of its own.
        forget: Called when the last handle of its prefab is gone; in any thread.

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

    # Everything that the two functions use is a variable of this one.
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
        # The game may keep the entity; that must keep nothing in memory, and be in no circle.
        spawn_task.handle = spawn_task.prefab = spawn_task.blueprint = spawn_task.warm = None
        spawn_task.built = ()
        del record.entity, spawn_task.root, spawn_task.entity
        return True

    return spawn
