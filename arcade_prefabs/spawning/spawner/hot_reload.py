"""`Reloader`: updates living entities after their prefab was edited.

**The problem.** The author edits a prefab while hundreds of its entities are alive. They should
change at once, and keep what the game did to them.

**The way taken.** Three values are compared for each component field: the old blueprint's, the new
blueprint's, and the entity's. A field that the edit changed takes its new value, whatever the game
did to it; all others stay as they are, and so do the entity's overrides. Parts of old and new
blueprint are matched by their names: gone parts are despawned, new ones built, the others changed
in place.

**The way rejected.** *Despawning and spawning again*: position, state and all references of the
game to the entity would be lost.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Generator
from functools import partial
from typing import Any, Final

import msgspec

from ...frames import MainThreadQueue, Step
from ...loading import Handle
from ..atlas.textures import TextureWait
from ..blueprints.blueprint import Blueprint, PartBlueprint
from ..blueprints.overrides import paths_of
from ..blueprints.sprite_spec import SpriteSpec, TextureRef
from ..entities.entity import Entity, EntityRecord
from ..entities.lifecycle_hooks import call_despawn_hooks, call_spawn_hooks
from ..walls import DEFAULT_GROUP
from .spawn_task import SpawnServices, SpawnTask
from .sprite_builder import offer_frames, set_hit_box

__all__ = ["Reloader"]

_log = logging.getLogger("arcade_prefabs")
_ENTITIES: Final = 5
# Fields of a sprite spec that cannot be changed on an existing sprite.
_OF_SPRITE: Final = ("sprite_class",)


class Reloader:
    """Updates entities when their prefab, or an image of it, was loaded again.

    Main thread.
    """

    def __init__(self, services: SpawnServices, queue: MainThreadQueue) -> None:
        self._services = services
        self._store = services.textures
        self._queue = queue
        # By prefabs whose new textures are not loaded yet.
        self._waits: dict[str, TextureWait] = {}

    def prefab_changed(self, handle: Handle[Any]) -> None:
        """Updates the entities of a prefab that was loaded again, once its textures are loaded."""
        self.give_up(handle.id)
        blueprint = getattr(handle.value, "blueprint", None)
        if not isinstance(blueprint, Blueprint):
            return
        missing = self._missing(blueprint)
        if missing:
            again = partial(self.prefab_changed, handle)
            self._waits[handle.id] = TextureWait(self._store, missing, again)
        else:
            self._queue.post(self._update(handle), "reload", Step("reload", _ENTITIES))

    def give_up(self, identifier: str) -> None:
        """Ends the wait for a prefab's textures: they failed, or the prefab was edited again."""
        wait = self._waits.pop(identifier, None)
        if wait is not None:
            wait.stop()

    def _missing(self, blueprint: Blueprint) -> list[TextureRef]:
        return [ref for ref in blueprint.textures if self._store.get(ref) is None]

    def _update(self, handle: Handle[Any]) -> Generator[Step, None, None]:
        for number, root in enumerate(self._services.entities.roots(handle.id), 1):
            spawn_task = root.spawn_task
            blueprint = getattr(handle.value, "blueprint", None)
            if (
                isinstance(spawn_task, SpawnTask)
                and spawn_task.is_alive()
                and isinstance(blueprint, Blueprint)
            ):
                entity = spawn_task.entity
                try:
                    new = spawn_task.effective(blueprint)
                    missing = self._missing(new)
                    if missing:
                        self._load_first(spawn_task, handle, missing)
                    else:
                        self._apply(spawn_task, new)
                except Exception as error:
                    self._tell(entity, error)
            if number % _ENTITIES == 0:
                yield Step("reload", _ENTITIES)

    def _tell(self, entity: Entity, error: Exception) -> None:
        _log.error("%r cannot be brought up to date", entity, exc_info=error)
        self._services.queue.tell_failure(entity.prefab_id, error)

    def _load_first(
        self, spawn_task: SpawnTask, handle: Handle[Any], missing: list[TextureRef]
    ) -> None:
        """Loads textures that an entity's overrides need, and continues then."""
        left = len(missing)

        def done(texture: Handle[Any]) -> None:
            nonlocal left
            left -= 1
            if not spawn_task.is_alive():
                return
            if texture.error is not None:
                self._tell(spawn_task.entity, texture.error)
            elif not left and all(self._store.get(one) is not None for one in missing):
                self.prefab_changed(handle)

        spawn_task.hold([self._services.queue.load_texture(one, done) for one in missing])

    def _apply(self, spawn_task: SpawnTask, new: Blueprint) -> None:
        """Updates one entity: despawns gone parts, changes those that stay, builds new ones."""
        old = spawn_task.blueprint
        assert old is not None
        despawner = self._services.despawner
        before = dict(
            zip(paths_of(old), zip(old.parts, spawn_task.built, strict=True), strict=True)
        )
        root = spawn_task.entity
        place = (root.position, root.angle, root.scale)
        paths = paths_of(new)
        stay = set(paths)
        gone = [part for path, (_, part) in before.items() if path not in stay]
        entities = self._services.entities
        if not call_despawn_hooks(spawn_task, entities, gone):
            return
        despawner.remove_parts(gone)
        for path, part in zip(paths, new.parts, strict=True):
            if path in before:
                record, now_names = before[path][1], part.blueprint.names
                names = () if record.blueprint is None else record.blueprint.names
                gone_names = [one for one in names if one not in now_names]
                if gone_names and not call_despawn_hooks(
                    spawn_task, entities, [record], gone_names
                ):
                    return
        # From here to the spawn hooks, no code of the game runs, but for sprite classes.
        built: list[EntityRecord] = []
        absent: set[EntityRecord] = set()  # parts that the game has despawned do not come back
        changes: list[tuple[EntityRecord, PartBlueprint | None, PartBlueprint]] = []
        for path, part in zip(paths, new.parts, strict=True):
            if path in before:
                was, record = before[path]
                if part.parent >= 0 and was[3:] != part[3:]:
                    record.local = (part.position, part.angle, part.scale)
                if record.blueprint is None:
                    absent.add(record)
                else:
                    changes.append((record, was.blueprint, part.blueprint))
            else:
                parent = built[part.parent]
                record = spawn_task.new_part(part, parent)
                if parent in absent:
                    absent.add(record)
                else:
                    changes.append((record, None, part.blueprint))
            built.append(record)
        spawn_task.blueprint, spawn_task.built = new, built
        for record, was_plan, now_plan in changes:
            if not spawn_task.is_alive():  # a sprite class of the game may have despawned it
                return
            entity = record.entity
            self._reindex(record, was_plan, now_plan)
            try:
                self._dress(record, was_plan, now_plan)
                self._components(record, was_plan, now_plan)
            except Exception as error:  # the part has no sprite until the next edit
                self._tell(entity, error)
        _sort_children(new, built, absent)
        root.place(*place)
        come = [
            (record, [one for one in now.names if was is None or one not in was.names])
            for record, was, now in changes
        ]
        before_them = len(spawn_task.lived)
        for greeted, failed in call_spawn_hooks(spawn_task, entities, come):
            self._tell(greeted, failed)
        if len(spawn_task.lived) != before_them and spawn_task.owner is not None:
            spawn_task.owner.lived(spawn_task)

    # ------------------------------------------------------------------------------------- sprites

    def _dress(self, record: EntityRecord, was: PartBlueprint | None, now: PartBlueprint) -> None:
        builder, despawner = self._services.builder, self._services.despawner
        if was is None:
            builder.dress(record, now)
            return
        old, new = was.spec, now.spec
        sprite = record.sprite
        if (
            new is None
            or old is None
            or sprite is None  # the last edit failed
            or any(getattr(old, name) != getattr(new, name) for name in _OF_SPRITE)
        ):
            despawner.drop_sprite(record)
            builder.dress(record, now)
            return
        if was.label != now.label:
            despawner.drop_label(record)
            if now.label is not None:
                builder.add_label(record, now.label)
        changed = self._textures(record, old, new)
        if old.color != new.color:
            sprite.color = new.color
        if new.points is None:
            if (old.points is not None or changed) and record.frames:
                set_hit_box(sprite, record.frames[0].hit_box_points)
        elif old.points != new.points:
            set_hit_box(sprite, new.points)
        if old.layer != new.layer:
            layers, scene = self._services.layers, record.spawn_task.scene
            here = layers.list_with(scene, old.layer, sprite)
            if here is not None and here is not layers.list_of(scene, new.layer):
                here.remove(sprite)
                layers.list_of(scene, new.layer).append(sprite)
        if (old.solid, old.group) != (new.solid, new.group):
            walls = record.spawn_task.owner or self._services.walls
            group = walls.wall_list(old.group or DEFAULT_GROUP)
            if old.solid and sprite in group:
                group.remove(sprite)
            if sprite.sprite_lists:  # otherwise the game has removed it from all lists
                builder.make_solid(record)

    def _textures(self, record: EntityRecord, old: SpriteSpec, new: SpriteSpec) -> bool:
        """Updates texture and animation of a part; returns whether the first frame has changed."""
        sprite = record.sprite
        assert sprite is not None
        image = self._services.builder.texture(new.texture)
        frames = image.flipped(new.flip)
        was = record.frames[0] if record.frames else None
        playing = record.animation
        if new.animation is None and image.durations is None:
            if playing is not None:
                playing.stop()
                record.animation = None
            # A texture that the game has set stays, unless the edit has changed the prefab's.
            if was is not frames[0] or playing is not None:
                sprite.texture = frames[0]
        else:
            frame, went = (0, None) if playing is None else (playing.frame, playing.playing)
            if playing is not None:
                playing.stop()
            self._services.animator.begin(record, new, image)
            again = record.animation
            if again is not None and went is not None and old.animation == new.animation:
                again.show(min(frame, len(again) - 1))
                if not went:
                    again.stop()
        offer_frames(sprite, frames, record.frames)
        record.frames = frames
        return was is not frames[0]

    # ---------------------------------------------------------------------------------- components

    def _reindex(self, record: EntityRecord, was: PartBlueprint | None, now: PartBlueprint) -> None:
        entities = self._services.entities
        if was is not None:
            entities.drop([record])
        record.blueprint = now
        entities.add([record])

    def _components(
        self, record: EntityRecord, was: PartBlueprint | None, now: PartBlueprint
    ) -> None:
        built = record.components
        if built is None or was is None:
            return
        registry = self._services.entities.registry
        for name, component in list(built.items()):
            if name not in now.names:
                del built[name]
            elif name not in now.typed and was.fields.get(name) != now.fields.get(name):
                fresh, stale = now.build(name, registry), was.build(name, registry)
                built[name] = _merged(component, stale, fresh)


def _sort_children(
    blueprint: Blueprint, built: list[EntityRecord], absent: set[EntityRecord]
) -> None:
    """Puts children into the order of the blueprint."""
    children: dict[int, list[EntityRecord]] = {}
    for part, record in zip(blueprint.parts, built, strict=True):
        if part.parent >= 0 and record not in absent:
            children.setdefault(part.parent, []).append(record)
    for number, record in enumerate(built):
        record.children = children.get(number)


def _merged(component: Any, stale: Any, fresh: Any) -> Any:
    """Returns a component whose edited fields are new; the others are as the game left them."""
    names = (
        component.__struct_fields__
        if isinstance(component, msgspec.Struct)
        else [one.name for one in dataclasses.fields(component)]
    )
    changed = {
        name: getattr(fresh, name)
        for name in names
        if getattr(stale, name, None) != getattr(fresh, name, None)
    }
    try:
        for name, value in changed.items():
            setattr(component, name, value)
    except (AttributeError, TypeError):  # a frozen component: replaced by a new object
        if isinstance(component, msgspec.Struct):
            return msgspec.structs.replace(component, **changed)
        made = copy.copy(component)
        for name, value in changed.items():
            object.__setattr__(made, name, value)
        return made
    return component
