"""`EntityIndex`: everything that is alive, by its components, tags and prefabs, and who is told."""

from __future__ import annotations

import enum
from collections.abc import Callable, Container, Iterable, Iterator, Set
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from arcade import BasicSprite

from ...errors import UnknownNameError
from ...prefab import ComponentRegistry
from ...prefab.asset_ids import prefab_id
from ...prefab.suggestions import did_you_mean
from ..blueprints.blueprint import PartBlueprint
from .entity import Entity, EntityRecord, record_of

__all__ = ["EntityIndex", "Hook", "IndexTables", "InstanceSource", "LifecycleEvent"]

Hook: TypeAlias = Callable[[Entity, Any], object]
"""Called with an entity and its component."""

_F = TypeVar("_F", bound=Hook)
_NONE: dict[Entity, Any] = {}  # nothing is ever put into it


class LifecycleEvent(enum.Enum):
    """When a hook is called.

    Attributes:
        FIRST: Once in the entity's life.
        SPAWN: Each time that it has come to life.
        DESPAWN: Each time before it goes.
    """

    FIRST = "on_first_spawn"
    SPAWN = "on_spawn"
    DESPAWN = "on_despawn"


class IndexTables(NamedTuple):
    """The tables that list an entity of one part, each of which is never another one.

    Attributes:
        roots: The records of its prefab's entities.
        sprites: Whose each sprite is.
        others: Those of its components and tags.
    """

    roots: dict[Entity, EntityRecord]
    sprites: dict[BasicSprite, Entity]
    others: tuple[dict[Entity, None], ...]


class InstanceSource(Protocol):
    """Entities that are instances, and become objects when the game asks for them.

    Attributes:
        prefab_id: The full id of their prefab.
        instances: How many of them are instances now.
        names: Components that they and their children have.
        tags: Their tags, and those of their children.
    """

    @property
    def prefab_id(self) -> str:
        """See above."""
        ...

    @property
    def instances(self) -> int:
        """See above."""
        ...

    @property
    def names(self) -> Set[str]:
        """See above."""
        ...

    @property
    def tags(self) -> Set[str]:
        """See above."""
        ...

    def promote_all(self) -> None:
        """Promote all of them."""
        ...


class EntityIndex:
    """The entities that are alive.

    Example::

        for entity in prefabs.entities.with_component(Health):
            entity[Health].max += 1

    Iterating over it gives what was spawned, without children; `with_component` and `with_tag`
    give children, too. Entities may be spawned and despawned meanwhile.

    Attributes:
        registry: The components that there are.
        hooked: Whether there are any hooks, or were.
        suspects: Sprites whose lists are looked at when the frame ends: the game may have killed
            them.

    Main thread.
    """

    def __init__(self, registry: ComponentRegistry) -> None:
        self.registry = registry
        self.hooked = False
        self.suspects: dict[BasicSprite, None] = {}
        # All three by entities, in the order in which they came to life.
        self._roots: dict[str, dict[Entity, EntityRecord]] = {}
        self._by_component: dict[str, dict[Entity, None]] = {}
        self._by_tag: dict[str, dict[Entity, None]] = {}
        self._by_sprite: dict[BasicSprite, Entity] = {}
        self._names: dict[type, str] = {}
        self._first: dict[str, list[Hook]] = {}
        self._born: dict[str, list[Hook]] = {}
        self._gone: dict[str, list[Hook]] = {}
        self._groups: dict[InstanceSource, None] = {}

    def __len__(self) -> int:
        return sum(map(len, self._roots.values())) + self.instances

    @property
    def instances(self) -> int:
        """How many of them are instances: drawn, without an object until the game asks for one."""
        return sum(group.instances for group in self._groups)

    def __iter__(self) -> Iterator[Entity]:
        self._promote(lambda _: True)
        return iter([entity for some in self._roots.values() for entity in some])

    @property
    def sprite_count(self) -> int:
        """Sprites of all entities and their children, those included that are about to come."""
        return len(self._by_sprite)

    def with_component(self, *components: type) -> list[Entity]:
        """All entities that have every one of these components.

        Raises:
            UnknownNameError: A class is not registered as a component.
        """
        names = [self.name_of(one) for one in components]
        if not names:
            return list(self)
        self._promote(lambda group: group.names >= set(names))
        found = [self._by_component.get(name, {}) for name in names]
        found.sort(key=len)
        first, rest = found[0], found[1:]
        return [one for one in first if all(one in other for other in rest)]

    def with_tag(self, *tags: str) -> list[Entity]:
        """All entities whose `Tags` have every one of these words."""
        if not tags:
            return list(self)
        self._promote(lambda group: group.tags >= set(tags))
        found = sorted((self._by_tag.get(tag, {}) for tag in tags), key=len)
        return [one for one in found[0] if all(one in other for other in found[1:])]

    def of_prefab(self, identifier: str) -> list[Entity]:
        """What was spawned from a prefab, ``props/crate``."""
        full = prefab_id(identifier)
        self._promote(lambda group: group.prefab_id == full)
        return list(self._roots.get(full, ()))

    def of_sprite(self, sprite: BasicSprite) -> Entity | None:
        """Whose sprite that is, in what `arcade.check_for_collision_with_list` gives, say.

        Returns:
            The entity, perhaps a child; its ``root`` is what was spawned. None if it is nobody's,
            or that of an entity which is not alive: yet, or any more.
        """
        entity = self._by_sprite.get(sprite)
        if entity is None or not entity.alive:
            return None
        record_of(entity).spawn_task.suspect(sprite)
        return entity

    # -------------------------------------------------------------------------------------- hooks

    def on_first_spawn(self, component: type) -> Callable[[_F], _F]:
        """Call a function once in an entity's life, when it comes to life first; a decorator.

        Example::

            @prefabs.entities.on_first_spawn(Health)
            def fill_up(entity, health):
                health.current = health.max

        An entity of a world comes to life again whenever its cell comes back, and whenever the
        game is loaded: what is set here is set once, and saved with the entity from then on. It is
        called before the functions of `on_spawn`, and on the same terms. Adding the same function
        twice for a component has no effect; `remove_hook` removes it. An exception that it
        raises fails the spawn; as nothing is left of that, the function is called again when the
        entity is spawned the next time.

        A component that is added to the prefab later (by hot reload, or by an update of the game)
        has its own first time. A component of which a saved game holds fields has had it.

        Raises:
            UnknownNameError: The class is not registered as a component.
        """
        return self._hook(self._first, component)

    def on_spawn(self, component: type) -> Callable[[_F], _F]:
        """Call a function whenever an entity with a component has come to life; a decorator.

        Example::

            @prefabs.entities.on_spawn(Torch)
            def light(entity, torch):
                lights.add(entity, torch.radius)

        An entity of a world comes to life each time its cell does: what a save is to keep is set in
        `on_first_spawn`. It is called on the main thread, once all sprites of the whole are there;
        for those that are alive already, it is not called. An exception that it raises fails the
        spawn.

        Raises:
            UnknownNameError: The class is not registered as a component.
        """
        return self._hook(self._born, component)

    def on_despawn(self, component: type) -> Callable[[_F], _F]:
        """Call a function whenever an entity with a component is taken away; a decorator.

        Its sprites are still there then. Exceptions that it raises are logged.

        Raises:
            UnknownNameError: The class is not registered as a component.
        """
        return self._hook(self._gone, component)

    def _hook(self, hooks: dict[str, list[Hook]], component: type) -> Callable[[_F], _F]:
        name = self.name_of(component)

        def add(function: _F) -> _F:
            some = hooks.setdefault(name, [])
            if function not in some:
                some.append(function)
            self.hooked = True
            return function

        return add

    def remove_hook(self, function: Hook) -> None:
        """Call a function of the three above no more, for any component; no error if it is none."""
        for hooks in (self._first, self._born, self._gone):
            for some in hooks.values():
                some[:] = [one for one in some if one != function]

    # ------------------------------------------------------------------------ called by what spawns

    def name_of(self, component: type) -> str:
        """The name that a component class is registered with.

        Raises:
            UnknownNameError: It is not registered.
        """
        name = self._names.get(component)
        if name is None:
            for one in self.registry.names():
                found = self.registry.get(one)
                if found is not None:
                    self._names.setdefault(found.cls, one)
            name = self._names.get(component)
            if name is None:
                wanted = getattr(component, "__name__", repr(component))
                hint = did_you_mean(
                    wanted,
                    self.registry.names(),
                    "write `@arcade_prefabs.component` above the class",
                )
                raise UnknownNameError(
                    f"`{wanted}` is not registered as a component",
                    hint=hint,
                )
        return name

    def class_of(self, name: str) -> type:
        """The class of a component's name."""
        found = self.registry.get(name)
        assert found is not None
        return found.cls

    def roots(self, identifier: str | None = None) -> list[EntityRecord]:
        """The records of what was spawned, from one prefab, by its full id, or from all."""
        self._promote(lambda group: identifier in (None, group.prefab_id))
        if identifier is not None:
            return list(self._roots.get(identifier, {}).values())
        return [record for some in self._roots.values() for record in some.values()]

    @property
    def sprites(self) -> Container[BasicSprite]:
        """The sprites of all entities; the same object each time."""
        return self._by_sprite

    def owner_of(self, sprite: BasicSprite) -> Entity | None:
        """The entity of a sprite, alive or not yet; None if the sprite is nobody's."""
        return self._by_sprite.get(sprite)

    def add_group(self, group: InstanceSource) -> None:
        """Note entities that are instances."""
        self._groups[group] = None

    def remove_group(self, group: InstanceSource) -> None:
        """Note that a group has no instances any more, and will have none."""
        self._groups.pop(group, None)

    def _promote(self, wanted: Callable[[InstanceSource], bool]) -> None:
        for group in [one for one in self._groups if one.instances and wanted(one)]:
            group.promote_all()

    @property
    def spawn_hooked(self) -> Set[str]:
        """Components with functions that are called when an entity comes to life."""
        return {name for hooks in (self._first, self._born) for name, some in hooks.items() if some}

    def despawn_hooked(self, names: Iterable[str]) -> bool:
        """Whether a function is called when one of these components goes."""
        return any(self._gone.get(name) for name in names)

    def add_sprite(self, sprite: BasicSprite, entity: Entity) -> None:
        """Note whose sprite that is."""
        self._by_sprite[sprite] = entity

    def drop_sprite(self, sprite: BasicSprite) -> None:
        """Note that a sprite is gone."""
        self._by_sprite.pop(sprite, None)

    def add(self, parts: Iterable[EntityRecord], root: EntityRecord | None = None) -> None:
        """Note the components and tags of parts; with their root, that has come to life."""
        if root is not None:
            entity = root.entity
            alive = self._roots.get(entity.prefab_id)
            if alive is None:
                alive = self._roots[entity.prefab_id] = {}
            alive[entity] = root
        for part in parts:
            blueprint, entity = part.blueprint, part.entity
            if blueprint is None:  # a saved game had taken it away
                continue
            for name in blueprint.names:
                known = self._by_component.get(name)
                if known is None:
                    known = self._by_component[name] = {}
                known[entity] = None
            for tag in blueprint.tags:
                known = self._by_tag.get(tag)
                if known is None:
                    known = self._by_tag[tag] = {}
                known[entity] = None

    def drop(self, parts: Iterable[EntityRecord], root: EntityRecord | None = None) -> None:
        """Note that the components and tags of parts are gone; with their root, that it is."""
        if root is not None:
            entity = root.entity
            self._roots.get(entity.prefab_id, _NONE).pop(entity, None)
        for part in parts:
            blueprint, entity = part.blueprint, part.entity
            if blueprint is None:
                continue
            for name in blueprint.names:
                self._by_component.get(name, _NONE).pop(entity, None)
            for tag in blueprint.tags:
                self._by_tag.get(tag, _NONE).pop(entity, None)

    def tables(self, prefab_id: str, blueprint: PartBlueprint) -> IndexTables:
        """Where a whole of one part is listed, for what spawns many of a prefab."""
        return IndexTables(
            self._roots.setdefault(prefab_id, {}),
            self._by_sprite,
            (
                *(self._by_component.setdefault(name, {}) for name in blueprint.names),
                *(self._by_tag.setdefault(tag, {}) for tag in blueprint.tags),
            ),
        )

    def has_first(self, name: str) -> bool:
        """Whether there are functions for the first time that a component is there."""
        return bool(self._first.get(name))

    def hooks(self, entity: Entity, name: str, moment: LifecycleEvent) -> list[tuple[Hook, Any]]:
        """The functions to be called for a component of an entity, with that component."""
        if moment is LifecycleEvent.FIRST:
            hooks = self._first.get(name)
        else:
            hooks = (self._born if moment is LifecycleEvent.SPAWN else self._gone).get(name)
        if not hooks:
            return []
        component: Any = entity[self.class_of(name)]
        return [(hook, component) for hook in hooks]
