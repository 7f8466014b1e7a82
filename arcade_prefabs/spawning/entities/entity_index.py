"""`EntityIndex`: the living entities by component, tag, prefab and sprite, and the game's hooks."""

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
"""Takes an entity and its component."""

_F = TypeVar("_F", bound=Hook)
_NONE: dict[Entity, Any] = {}  # nothing is ever put into it


class LifecycleEvent(enum.Enum):
    """When hooks are called.

    Attributes:
        FIRST: Once in the entity's life.
        SPAWN: Each time that the entity has come to life.
        DESPAWN: Each time before it goes.
    """

    FIRST = "on_first_spawn"
    SPAWN = "on_spawn"
    DESPAWN = "on_despawn"


class IndexTables(NamedTuple):
    """The tables of the index that list an entity of one part; each is always the same object.

    Attributes:
        roots: The records of the prefab's entities, by entity.
        sprites: The entities of all sprites.
        others: The tables of the entity's components and tags.
    """

    roots: dict[Entity, EntityRecord]
    sprites: dict[BasicSprite, Entity]
    others: tuple[dict[Entity, None], ...]


class InstanceSource(Protocol):
    """A group of entities that are instances, and are promoted when the game asks for them.

    Attributes:
        prefab_id: The full id of their prefab.
        instances: How many of them are instances now.
        names: The components of these entities and their children.
        tags: The tags of these entities and their children.
    """

    @property
    def prefab_id(self) -> str:
        """The full id of their prefab."""
        ...

    @property
    def instances(self) -> int:
        """How many of them are instances now."""
        ...

    @property
    def names(self) -> Set[str]:
        """The components of these entities and their children."""
        ...

    @property
    def tags(self) -> Set[str]:
        """The tags of these entities and their children."""
        ...

    def promote_all(self) -> None:
        """Promotes all instances to entities."""
        ...


class EntityIndex:
    """The living entities by component, tag, prefab and sprite.

    Example::

        for entity in prefabs.entities.with_component(Health):
            entity[Health].max += 1

    Iterating yields spawned entities without their children; `with_component` and `with_tag` return
    children, too. All of these promote the instances that they find, and work on copies: the game
    may spawn and despawn entities in the loop.

    Attributes:
        registry: The registered components.
        hooked: Whether a hook was ever registered.
        suspects: Sprites that the game may have killed, to be checked when the frame ends.

    Main thread.
    """

    def __init__(self, registry: ComponentRegistry) -> None:
        self.registry = registry
        self.hooked = False
        self.suspects: dict[BasicSprite, None] = {}
        # All three in the order in which entities came to life.
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
        """How many entities are instances: drawn, without an object until the game asks for one."""
        return sum(group.instances for group in self._groups)

    def __iter__(self) -> Iterator[Entity]:
        self._promote(lambda _: True)
        return iter([entity for some in self._roots.values() for entity in some])

    @property
    def sprite_count(self) -> int:
        """Sprites of all entities and their children, including entities that are being built."""
        return len(self._by_sprite)

    def with_component(self, *components: type) -> list[Entity]:
        """Returns all entities that have every one of these components.

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
        """Returns all entities whose `Tags` have every one of these words."""
        if not tags:
            return list(self)
        self._promote(lambda group: group.tags >= set(tags))
        found = sorted((self._by_tag.get(tag, {}) for tag in tags), key=len)
        return [one for one in found[0] if all(one in other for other in found[1:])]

    def of_prefab(self, identifier: str) -> list[Entity]:
        """Returns the entities that were spawned from a prefab, without children.

        Raises:
            ValueError: The identifier is not that of a prefab, such as ``props/crate``.
        """
        full = prefab_id(identifier)
        self._promote(lambda group: group.prefab_id == full)
        return list(self._roots.get(full, ()))

    def of_sprite(self, sprite: BasicSprite) -> Entity | None:
        """Returns the entity of a sprite, such as one from `arcade.check_for_collision_with_list`.

        Returns:
            The entity, perhaps a child; its ``root`` is the spawned entity. None if the sprite
                belongs to no entity, or to one that is not alive.
        """
        entity = self._by_sprite.get(sprite)
        if entity is None or not entity.alive:
            return None
        record_of(entity).spawn_task.suspect(sprite)
        return entity

    # -------------------------------------------------------------------------------------- hooks

    def on_first_spawn(self, component: type) -> Callable[[_F], _F]:
        """Registers a function that is called once in an entity's life; a decorator.

        Example::

            @prefabs.entities.on_first_spawn(Health)
            def fill_up(entity, health):
                health.current = health.max

        An entity of a world comes to life each time its cell is loaded, also in later sessions. The
        function is called the first time only, and what it sets is saved with the entity. It is
        called before the functions of `on_spawn`, with the same arguments. If it raises, the spawn
        fails, and the function is called again when the entity is spawned the next time.
        Registering it twice for a component has no effect; `remove_hook` removes it.

        A component that is added to the prefab later (by hot reload, or by an update of the game)
        has a first spawn of its own, unless a saved game has fields of this component.

        Raises:
            UnknownNameError: The class is not registered as a component.
        """
        return self._hook(self._first, component)

    def on_spawn(self, component: type) -> Callable[[_F], _F]:
        """Registers a function that is called whenever an entity comes to life; a decorator.

        Example::

            @prefabs.entities.on_spawn(Torch)
            def light(entity, torch):
                lights.add(entity, torch.radius)

        An entity of a world comes to life each time its cell is loaded: what a save should keep is
        set in `on_first_spawn`. The function is called on the main thread with the entity and its
        component, once all sprites of the entity and its children exist. It is not called for
        entities that are alive already. If it raises, the spawn fails.

        Raises:
            UnknownNameError: The class is not registered as a component.
        """
        return self._hook(self._born, component)

    def on_despawn(self, component: type) -> Callable[[_F], _F]:
        """Registers a function that is called before an entity goes; a decorator.

        The function is called on the main thread with the entity and its component: when the entity
        is despawned, and each time the cell of a world's entity is unloaded. The entity still has
        its sprites then. An exception of the function is logged.

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
        """Removes a hook from all components and events; does nothing for another function."""
        for hooks in (self._first, self._born, self._gone):
            for some in hooks.values():
                some[:] = [one for one in some if one != function]

    # ----------------------------------------------------------------------- called by spawn tasks

    def name_of(self, component: type) -> str:
        """Returns the name that a component class is registered with.

        Raises:
            UnknownNameError: The class is not registered.
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
        """Returns the component class that is registered with a name."""
        found = self.registry.get(name)
        assert found is not None
        return found.cls

    def roots(self, identifier: str | None = None) -> list[EntityRecord]:
        """Returns the records of spawned entities, without children.

        Args:
            identifier: The full id of a prefab; None for all entities.
        """
        self._promote(lambda group: identifier in (None, group.prefab_id))
        if identifier is not None:
            return list(self._roots.get(identifier, {}).values())
        return [record for some in self._roots.values() for record in some.values()]

    @property
    def sprites(self) -> Container[BasicSprite]:
        """The sprites of all entities; always the same object."""
        return self._by_sprite

    def owner_of(self, sprite: BasicSprite) -> Entity | None:
        """Returns the entity of a sprite, alive or not; None if the sprite belongs to no entity."""
        return self._by_sprite.get(sprite)

    def add_group(self, group: InstanceSource) -> None:
        """Adds a group of instances."""
        self._groups[group] = None

    def remove_group(self, group: InstanceSource) -> None:
        """Removes a group that has no instances any more."""
        self._groups.pop(group, None)

    def _promote(self, wanted: Callable[[InstanceSource], bool]) -> None:
        for group in [one for one in self._groups if one.instances and wanted(one)]:
            group.promote_all()

    @property
    def spawn_hooked(self) -> Set[str]:
        """The components that have `on_first_spawn` or `on_spawn` hooks."""
        return {name for hooks in (self._first, self._born) for name, some in hooks.items() if some}

    def despawn_hooked(self, names: Iterable[str]) -> bool:
        """Whether any of these components has an `on_despawn` hook."""
        return any(self._gone.get(name) for name in names)

    def add_sprite(self, sprite: BasicSprite, entity: Entity) -> None:
        """Enters the entity of a sprite."""
        self._by_sprite[sprite] = entity

    def drop_sprite(self, sprite: BasicSprite) -> None:
        """Removes a sprite."""
        self._by_sprite.pop(sprite, None)
        if self.suspects:
            self.suspects.pop(sprite, None)

    def add(self, parts: Iterable[EntityRecord], root: EntityRecord | None = None) -> None:
        """Enters the components and tags of parts; and the entity, if its root is given."""
        if root is not None:
            entity = root.entity
            alive = self._roots.get(entity.prefab_id)
            if alive is None:
                alive = self._roots[entity.prefab_id] = {}
            alive[entity] = root
        for part in parts:
            blueprint, entity = part.blueprint, part.entity
            if blueprint is None:  # despawned in a saved game
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
        """Removes the components and tags of parts; and the entity, if its root is given."""
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
        """Returns the tables that list an entity of one part, for `warm_spawn`."""
        return IndexTables(
            self._roots.setdefault(prefab_id, {}),
            self._by_sprite,
            (
                *(self._by_component.setdefault(name, {}) for name in blueprint.names),
                *(self._by_tag.setdefault(tag, {}) for tag in blueprint.tags),
            ),
        )

    def has_first(self, name: str) -> bool:
        """Whether a component has `on_first_spawn` hooks."""
        return bool(self._first.get(name))

    def hooks(self, entity: Entity, name: str, moment: LifecycleEvent) -> list[tuple[Hook, Any]]:
        """Returns the hooks of a component for an event, each with the entity's component."""
        if moment is LifecycleEvent.FIRST:
            hooks = self._first.get(name)
        else:
            hooks = (self._born if moment is LifecycleEvent.SPAWN else self._gone).get(name)
        if not hooks:
            return []
        component: Any = entity[self.class_of(name)]
        return [(hook, component) for hook in hooks]
