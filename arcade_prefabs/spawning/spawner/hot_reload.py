"""Hot reload of what stands in the world: what changed in the file changes in the entity.

A field that the file changed takes its new value, whatever the game did to it meanwhile; all others
stay as they are, and so does what an entity has of its own. Parts are told apart by their names.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...frames import MainThreadQueue, Step
from ...loading import Handle
from ..blueprints.blueprint import PartPlan, SpawnPlan
from ..blueprints.overrides import paths_of
from ..blueprints.sprite_spec import Look, TextureRef
from ..entities.entity import Entity
from ..entities.lifecycle_hooks import greet, say_goodbye
from ..walls import DEFAULT_GROUP
from .sprites import offer_frames, set_hit_box

if TYPE_CHECKING:
    from .entity_factory import EntityFactory
    from .spawn_task import Spawning

__all__ = ["Reloader"]

_log = logging.getLogger("arcade_prefabs")
_ENTITIES: Final = 5
# What of a look makes another sprite of it.
_OF_SPRITE: Final = ("sprite_class",)


class Reloader:
    """Brings entities up to date when their prefab, or an image of it, was replaced.

    Main thread.
    """

    def __init__(self, factory: EntityFactory, queue: MainThreadQueue) -> None:
        self._factory = factory
        self._store = factory.textures
        self._queue = queue
        # Prefabs whose new textures are not there yet.
        self._waits: dict[str, list[tuple[TextureRef, Callable[[], None]]]] = {}

    def prefab_changed(self, handle: Handle[Any]) -> None:
        """A prefab, or something that it needs, is another one now."""
        self.give_up(handle.id)
        plan = getattr(handle.value, "plan", None)
        if not isinstance(plan, SpawnPlan):
            return
        missing = [ref for ref in plan.textures if self._store.get(ref) is None]
        if not missing:
            self._queue.post(self._update(handle), "reload", Step("reload", _ENTITIES))
            return
        waits = self._waits[handle.id] = []
        left = {ref.key for ref in missing}

        def arrived(key: str) -> None:
            left.discard(key)
            if not left and self._waits.get(handle.id) is waits:
                del self._waits[handle.id]
                self.prefab_changed(handle)

        for ref in missing:
            call = _Arrival(arrived, ref.key)
            waits.append((ref, call))
            self._store.when_announced(ref, call)

    def give_up(self, identifier: str) -> None:
        """Wait for the textures of a prefab no more: they failed, or it changed again."""
        for ref, call in self._waits.pop(identifier, ()):
            self._store.forget(ref, call)

    def _update(self, handle: Handle[Any]) -> Generator[Step, None, None]:
        roots = self._factory.entities.of_prefab(handle.id)
        for number, entity in enumerate(roots, 1):
            spawning = entity._spawning
            plan = getattr(handle.value, "plan", None)
            if spawning.is_alive() and isinstance(plan, SpawnPlan):
                try:
                    new = spawning.effective(plan)
                    missing = [one for one in new.textures if self._store.get(one) is None]
                    if missing:
                        self._load_first(spawning, handle, missing)
                    else:
                        self._apply(spawning, new)
                except Exception as error:
                    self._tell(entity, error)
            if number % _ENTITIES == 0:
                yield Step("reload", _ENTITIES)

    def _tell(self, entity: Entity, error: Exception) -> None:
        _log.error("%r cannot be brought up to date", entity, exc_info=error)
        self._factory.tell_failure(entity.prefab_id, error)

    def _load_first(
        self, spawning: Spawning, handle: Handle[Any], missing: list[TextureRef]
    ) -> None:
        """Load what overrides need beyond the prefab, and go on then."""
        left = len(missing)

        def done(texture: Handle[Any]) -> None:
            nonlocal left
            left -= 1
            if texture.error is not None:
                self._tell(spawning.entity, texture.error)
            elif not left and all(self._store.get(one) is not None for one in missing):
                self.prefab_changed(handle)

        spawning.hold([self._factory.load_texture(one, done) for one in missing])

    def _apply(self, spawning: Spawning, new: SpawnPlan) -> None:
        """Bring one entity up to date: parts that went, parts that stay, parts that come."""
        old = spawning.plan
        assert old is not None
        departures = self._factory.departures
        before = dict(zip(paths_of(old), zip(old.parts, spawning.built, strict=True), strict=True))
        root = spawning.entity
        place = (root.position, root.angle, root.scale)
        paths = paths_of(new)
        stay = set(paths)
        gone = [entity for path, (_, entity) in before.items() if path not in stay]
        entities = self._factory.entities
        if not say_goodbye(spawning, entities, gone):
            return
        departures.remove_parts(gone)
        for path, part in zip(paths, new.parts, strict=True):
            if path in before:
                entity, now = before[path][1], part.plan.names
                names = () if entity._plan is None else entity._plan.names
                gone_names = [one for one in names if one not in now]
                if gone_names and not say_goodbye(spawning, entities, [entity], gone_names):
                    return
        # From here to the hooks of what came, nothing of the game's is called.
        built: list[Entity] = []
        absent: set[Entity] = set()  # what the game took away does not come back
        changes: list[tuple[Entity, PartPlan | None, PartPlan]] = []
        for path, part in zip(paths, new.parts, strict=True):
            if path in before:
                was, entity = before[path]
                if part.parent >= 0 and was[3:] != part[3:]:
                    entity._local = (part.at, part.rotation, part.scale)
                if entity._plan is None:
                    absent.add(entity)
                else:
                    changes.append((entity, was.plan, part.plan))
            else:
                parent = built[part.parent]
                entity = spawning.new_part(part, parent)
                if parent in absent:
                    absent.add(entity)
                else:
                    changes.append((entity, None, part.plan))
            built.append(entity)
        spawning.plan, spawning.built = new, built
        for entity, was_plan, now_plan in changes:
            self._reindex(entity, was_plan, now_plan)
            try:
                self._dress(entity, was_plan, now_plan)
                self._components(entity, was_plan, now_plan)
            except Exception as error:  # it has no sprite then, until the next edit
                self._tell(entity, error)
        _sort_children(new, built, absent)
        root.place(*place)
        come = [
            (entity, [one for one in now.names if was is None or one not in was.names])
            for entity, was, now in changes
        ]
        before_them = len(spawning.lived)
        for entity, failed in greet(spawning, entities, come):
            self._tell(entity, failed)
        if len(spawning.lived) != before_them and spawning.owner is not None:
            spawning.owner.lived(spawning)

    # ------------------------------------------------------------------------------------- sprites

    def _dress(self, entity: Entity, was: PartPlan | None, now: PartPlan) -> None:
        dressing, departures = self._factory.dressing, self._factory.departures
        if was is None:
            dressing.dress(entity, now)
            return
        old, new = was.look, now.look
        sprite = entity._sprite
        if (
            new is None
            or old is None
            or sprite is None  # it could not be made
            or any(getattr(old, name) != getattr(new, name) for name in _OF_SPRITE)
        ):
            departures.drop_sprite(entity)
            dressing.dress(entity, now)
            return
        if was.label != now.label:
            departures.drop_label(entity)
            if now.label is not None:
                dressing.add_label(entity, now.label)
        changed = self._textures(entity, old, new)
        if old.color != new.color:
            sprite.color = new.color
        if new.points is None:
            if (old.points is not None or changed) and entity._frames:
                set_hit_box(sprite, entity._frames[0].hit_box_points)
        elif old.points != new.points:
            set_hit_box(sprite, new.points)
        if old.layer != new.layer:
            layers, scene = self._factory.layers, entity._spawning.scene
            here = layers.list_with(scene, old.layer, sprite)
            if here is not None and here is not layers.list_of(scene, new.layer):
                here.remove(sprite)
                layers.list_of(scene, new.layer).append(sprite)
        if (old.solid, old.group) != (new.solid, new.group):
            walls = entity._spawning.owner or self._factory.walls
            group = walls.wall_list(old.group or DEFAULT_GROUP)
            if old.solid and sprite in group:
                group.remove(sprite)
            if sprite.sprite_lists:  # otherwise the game took it out of everything
                dressing.make_solid(entity)

    def _textures(self, entity: Entity, old: Look, new: Look) -> bool:
        """Bring textures and animation up to date; gives whether the texture is another one."""
        sprite = entity._sprite
        assert sprite is not None
        image = self._factory.dressing.texture(new.texture)
        frames = image.flipped(new.flip)
        was = entity._frames[0] if entity._frames else None
        playing = entity._animation
        if new.animation is None and image.durations is None:
            if playing is not None:
                playing.stop()
                entity._animation = None
            # The game may show another texture; that stays, unless the file's is another one now.
            if was is not frames[0] or playing is not None:
                sprite.texture = frames[0]
        else:
            frame, went = (0, None) if playing is None else (playing.frame, playing.playing)
            if playing is not None:
                playing.stop()
            self._factory.animator.begin(entity, new, image)
            again = entity._animation
            if again is not None and went is not None and old.animation == new.animation:
                again.show(min(frame, len(again) - 1))
                if not went:
                    again.stop()
        offer_frames(sprite, frames, entity._frames)
        entity._frames = frames
        return was is not frames[0]

    # ---------------------------------------------------------------------------------- components

    def _reindex(self, entity: Entity, was: PartPlan | None, now: PartPlan) -> None:
        entities = self._factory.entities
        if was is not None:
            entities.drop(entity, was)
        entity._plan = now
        entities.add(entity, now)

    def _components(self, entity: Entity, was: PartPlan | None, now: PartPlan) -> None:
        built = entity._components
        if built is None or was is None:
            return
        registry = self._factory.registry
        for name, component in list(built.items()):
            if name not in now.names:
                del built[name]
            elif name not in now.typed and was.fields.get(name) != now.fields.get(name):
                fresh, stale = now.build(name, registry), was.build(name, registry)
                built[name] = _merged(component, stale, fresh)


class _Arrival:
    """A call for one texture; each is another object, to be found again."""

    __slots__ = ("_arrived", "_key")

    def __init__(self, arrived: Callable[[str], None], key: str) -> None:
        self._arrived = arrived
        self._key = key

    def __call__(self) -> None:
        self._arrived(self._key)


def _sort_children(plan: SpawnPlan, built: list[Entity], absent: set[Entity]) -> None:
    """Have children in the order of the plan."""
    children: dict[int, list[Entity]] = {}
    for part, entity in zip(plan.parts, built, strict=True):
        if part.parent >= 0 and entity not in absent:
            children.setdefault(part.parent, []).append(entity)
    for number, entity in enumerate(built):
        entity._children = children.get(number)


def _merged(component: Any, stale: Any, fresh: Any) -> Any:
    """A component with the fields that the file changed; the others are as the game left them."""
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
    except (AttributeError, TypeError):  # frozen: another one takes its place
        if isinstance(component, msgspec.Struct):
            return msgspec.structs.replace(component, **changed)
        made = copy.copy(component)
        for name, value in changed.items():
            object.__setattr__(made, name, value)
        return made
    return component
