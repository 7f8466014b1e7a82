"""`Entity`: a spawned prefab as the game sees it, and `EntityRecord`, its inside for the plugin.

**The problem.** A dozen modules of the plugin work on an entity's fields: the builder gives it
sprites, hot reload exchanges them, a save compares them, a despawn takes them away. The game has
the same entity in hand, and must see none of that: games rely on whatever has a public name.

**The way taken.** Two objects. `EntityRecord` has the fields, all public, and belongs to the
plugin. `Entity` holds the record, and has methods and properties only. Modules of the plugin pass
records; an `Entity` is handed out where the game asks, or is called. The spawn task, which knows
the entity with all of its parts, is a room's floor above; what entities and records need of it is
the protocol `EntitySpawn`, so that nothing here imports what builds entities.

**The ways rejected.** *Private fields of `Entity`, used by all modules*: 110 accesses from ten
modules, and no reader could say who changes what. *Public fields of `Entity`*: games would set
`entity.blueprint`. *One module for all that uses the fields*: entities, spawns, hot reload and
saves, of two rooms. *One record for an entity and all its parts*: children are despawned alone, and
outlive an edit of their parent.

Record, entity and spawn task refer to each other. Once an entity without children is over, these
references are deleted: without the cycle, memory is freed with the game's last reference, and the
garbage collector has nothing to do.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple, Protocol, TypeVar, overload

import msgspec
from arcade import BasicSprite, Texture

from ...errors import SpawnError, UnknownNameError, shown
from ...frames.awaitables import wait_for
from ...prefab import ComponentRegistry
from ...prefab.suggestions import did_you_mean
from ..blueprints.blueprint import PartBlueprint
from ..blueprints.labels import TextLabel
from ..blueprints.sprite_spec import SpriteSpec
from ..layers import SpawnScene
from ..walls import WallLists
from .animation import SpriteAnimation
from .transform import EntityTransform, put, relative, turned

__all__ = [
    "AuthoredTransform",
    "Entity",
    "EntityRecord",
    "EntitySpawn",
    "EntityState",
    "record_of",
]

_T = TypeVar("_T")
_D = TypeVar("_D")
_MISSING: Any = object()


class EntityState(enum.Enum):
    """The state of an entity.

    Attributes:
        LOADING: Its prefab, or one of its textures, is not loaded yet.
        BUILDING: It is being built, in steps within the budget of frames.
        ALIVE: It is complete.
        FAILED: It could not be spawned; `Entity.error` says why. Nothing of it is left.
        DESPAWNED: It was taken out of the game.
    """

    LOADING = "loading"
    BUILDING = "building"
    ALIVE = "alive"
    FAILED = "failed"
    DESPAWNED = "despawned"


class AuthoredTransform(NamedTuple):
    """The transform of an entity before the game moved it.

    Attributes:
        position: (x, y) in pixels.
        angle: Degrees clockwise.
        scale: Factors of both axes.
    """

    position: tuple[float, float]
    angle: float
    scale: tuple[float, float]


class EntitySpawn(Protocol):
    """What entities and records need of their spawn task, which parts share with their root.

    Attributes:
        state: The state of the root entity.
        error: Why the spawn failed, or None.
        scene: The scene that its sprites are in; None for the plugin's own.
        visible: Whether its sprites are shown.
        owner: Has the lists for its solid sprites; None for the plugin's walls.
        done: Whether the spawn has ended: alive, failed or despawned.
        registry: The registered components.
    """

    @property
    def state(self) -> EntityState:
        """The state of the root entity."""
        ...

    @property
    def error(self) -> Exception | None:
        """Why the spawn failed, or None."""
        ...

    @property
    def scene(self) -> SpawnScene | None:
        """The scene that its sprites are in; None for the plugin's own."""
        ...

    @property
    def visible(self) -> bool:
        """Whether its sprites are shown."""
        ...

    @property
    def owner(self) -> WallLists | None:
        """Has the lists for its solid sprites; None for the plugin's walls."""
        ...

    @property
    def done(self) -> bool:
        """Whether the spawn has ended: alive, failed or despawned."""
        ...

    @property
    def registry(self) -> ComponentRegistry:
        """The registered components."""
        ...

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls a function once the spawn is done; returns a function that takes this back."""
        ...

    def check(self) -> None:
        """Raises the error of a failed spawn."""
        ...

    def finish_now(self) -> None:
        """Builds the rest of the entity at once, if everything is loaded."""
        ...

    def despawn(self, record: EntityRecord) -> None:
        """Despawns the root entity, or a part of it."""
        ...

    def show(self, visible: bool) -> None:
        """Shows or hides all sprites of the entity."""
        ...

    def say(self, record: EntityRecord, text: str) -> None:
        """Changes the text of a part."""
        ...

    def authored(self, record: EntityRecord) -> AuthoredTransform:
        """Returns the authored transform of a part."""
        ...

    def name_of(self, component: type) -> str:
        """Returns the name that a component class is registered with."""
        ...

    def class_of(self, name: str) -> type:
        """Returns the component class that is registered with a name."""
        ...

    def suspect(self, sprite: BasicSprite) -> None:
        """Checks, when the frame ends, whether the game has killed a sprite."""
        ...


class EntityRecord(msgspec.Struct, eq=False):
    """The inside of an entity, for the plugin's own modules.

    A `msgspec.Struct`, whose fields are filled in C: a game may spawn a thousand entities in a
    frame.

    Attributes:
        spawn_task: The spawn task, shared by all parts.
        parent: The record of the parent, or None.
        local: A part's transform relative to its parent; a root's authored transform.
        x: The last position that was set, in pixels; the entity's position if it has no sprite.
        y: The same, vertically.
        angle: The last angle that was set, in degrees clockwise.
        scale: Factors of both axes.
        blueprint: The components, sprite and text; None until it is built, and once it is gone.
        sprite: The sprite, or None.
        frames: The animation frames of the prefab's image, whatever texture the game shows now.
        entity: The entity that the game sees; deleted once an entity without children is over.
        label: The text label, or None.
        children: The records of the children, or None.
        components: The component objects that the game has asked for so far, by name, or None.
        animation: Plays the sprite's animation, or None.

    Main thread.
    """

    spawn_task: EntitySpawn
    parent: EntityRecord | None
    local: EntityTransform
    x: float
    y: float
    angle: float
    scale: tuple[float, float]
    blueprint: PartBlueprint | None = None
    sprite: BasicSprite | None = None
    frames: tuple[Texture, ...] = ()
    entity: Entity = None  # type: ignore[assignment]  # set where it is made: they know each other
    label: TextLabel | None = None
    children: list[EntityRecord] | None = None
    components: dict[str, Any] | None = None
    animation: SpriteAnimation | None = None

    @classmethod
    def of(
        cls,
        spawn_task: EntitySpawn,
        prefab_id: str,
        name: str | None,
        parent: EntityRecord | None,
        local: EntityTransform,
    ) -> EntityRecord:
        """Makes the record of a part that is not built yet, with its entity."""
        (x, y), angle, scale = local
        record = cls(spawn_task, parent, local, x, y, angle, scale)
        above = None if parent is None else parent.entity
        record.entity = Entity(record, prefab_id, name, above)
        return record

    def __repr__(self) -> str:
        return f"<EntityRecord of {getattr(self, 'entity', None)!r}>"

    @property
    def spec(self) -> SpriteSpec | None:
        """The sprite spec; None without a sprite."""
        return None if self.blueprint is None else self.blueprint.spec

    def walk(self) -> Iterator[EntityRecord]:
        """Yields this record and those of all descendants, parents first."""
        stack: list[EntityRecord] = [self]
        while stack:
            one = stack.pop()
            yield one
            if one.children:
                stack.extend(reversed(one.children))

    def own_sprites(self) -> tuple[Any, ...]:
        """Returns the sprite and the sprite of the text label, as far as they exist."""
        if self.label is None:
            return () if self.sprite is None else (self.sprite,)
        return (self.label.sprite,) if self.sprite is None else (self.sprite, self.label.sprite)

    def place_in_parent(self) -> None:
        """Moves the part, with its children, to its local transform in the parent's."""
        parent = self.parent
        if parent is not None:
            at, turn, factor = self.local
            angle, scale = parent.angle, parent.scale
            dx, dy = turned(at, angle, scale)
            size = (scale[0] * factor[0], scale[1] * factor[1])
            self.put(parent.x + dx, parent.y + dy, angle + turn, size)

    def put(self, x: float, y: float, angle: float, scale: tuple[float, float]) -> None:
        """Moves the entity to a transform, with all of its children."""
        stack: list[tuple[EntityRecord, float, float, float, tuple[float, float]]]
        stack = [(self, x, y, angle, scale)]
        while stack:
            one, x, y, angle, scale = stack.pop()
            one.x, one.y, one.angle, one.scale = x, y, angle, scale
            spec = one.spec
            if one.sprite is not None and spec is not None:
                put(one.sprite, spec, x, y, angle, scale)
            if one.label is not None:
                put(one.label.sprite, one.label, x, y, angle, scale)
            if one.children:
                for child in one.children:
                    at, turn, factor = child.local
                    dx, dy = turned(at, angle, scale)
                    size = (scale[0] * factor[0], scale[1] * factor[1])
                    stack.append((child, x + dx, y + dy, angle + turn, size))


class Entity:
    """A prefab that is alive in the game, with its sprites, components and children.

    `PrefabPlugin.spawn` returns it at once; its sprites and components may follow some frames
    later. ``await entity`` waits until it is alive. Asking for a sprite, a child or a component
    builds the rest of the entity at once, if everything is loaded.

    ``entity[Health]`` is the entity's component of the class `Health`, and ``Health in entity``
    says whether it has one.

    Setting `position`, `angle` or `scale` moves the entity with its children. If a physics engine
    moves the sprite, `position` and `angle` are those of the sprite, and `sync` brings the children
    along.

    Attributes:
        name: The name among its siblings, or None.
        parent: The entity that it is a child of, or None.
        prefab_id: The full id of its prefab.

    Main thread.
    """

    __slots__ = ("__weakref__", "_record", "name", "parent", "prefab_id")

    def __init__(
        self, record: EntityRecord, prefab_id: str, name: str | None, parent: Entity | None
    ) -> None:
        self._record = record
        self.prefab_id = prefab_id
        self.name = name
        self.parent = parent

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name is not None else ""
        return f"<Entity{name} of {shown(self.prefab_id)}: {self.state.value}>"

    # ------------------------------------------------------------------------------------- states

    @property
    def state(self) -> EntityState:
        """How far the entity is, from `EntityState.LOADING` to `EntityState.DESPAWNED`."""
        state = self._record.spawn_task.state
        if (
            state is EntityState.ALIVE and self._record.blueprint is None
        ):  # a child, despawned alone
            return EntityState.DESPAWNED
        return state

    @property
    def alive(self) -> bool:
        """Whether the entity is alive, with all of its parts."""
        record = self._record
        return record.spawn_task.state is EntityState.ALIVE and record.blueprint is not None

    @property
    def error(self) -> Exception | None:
        """Why the entity could not be spawned, or None."""
        return self._record.spawn_task.error

    @property
    def root(self) -> Entity:
        """The spawned entity: this one, or the one that it is a part of."""
        above = self._record.parent
        if above is None:
            return self
        while above.parent is not None:
            above = above.parent
        return above.entity

    def __await__(self) -> Generator[Any, Any, Entity]:
        """Waits until the entity is alive; in a script of the plugin, or in asyncio.

        If the wait is cancelled, the entity is despawned: otherwise it would come to life later,
        and no code of the game would know of it.

        Raises:
            SpawnError: The entity could not be spawned, or was despawned meanwhile.
        """
        spawn_task = self._record.spawn_task
        if not spawn_task.done:
            try:
                yield from wait_for(spawn_task.listen)
            finally:
                if not spawn_task.done:
                    self.despawn()
        spawn_task.check()
        return self

    def despawn(self) -> None:
        """Takes the entity with its children out of the game for good; its parent stays.

        A second call does nothing.
        """
        self._record.spawn_task.despawn(self._record)

    # -------------------------------------------------------------------------------------- parts

    @property
    def sprite(self) -> Any:
        """The entity's own sprite; None if it has none, or if not everything is loaded.

        It is an `arcade.Sprite`, or of the class that the prefab names.
        """
        record = self._record
        if record.sprite is None:
            record.spawn_task.finish_now()
        if record.spawn_task.scene is not None and record.sprite is not None:
            record.spawn_task.suspect(record.sprite)
        return record.sprite

    @property
    def sprites(self) -> list[Any]:
        """The sprites and text labels of the entity and all of its children."""
        found = [sprite for one in self._finished().walk() for sprite in one.own_sprites()]
        for sprite in found:
            self._record.spawn_task.suspect(sprite)
        return found

    def own_sprites(self) -> tuple[Any, ...]:
        """Returns the entity's sprite and the sprite of its text, those of the two that exist."""
        return self._record.own_sprites()

    @property
    def text(self) -> str:
        """The text that the component `Text` shows; empty if the entity has none.

        Setting it takes 1 to 5 ms, and redraws the text at once.

        Raises:
            SpawnError: It is set, but the entity has no `Text`, or is not alive.
            TypeError: It is set to something else than a string.
        """
        record = self._record
        if record.label is None:
            record.spawn_task.finish_now()
        return "" if record.label is None else record.label.spec.text

    @text.setter
    def text(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a text is a string, not {text!r}")
        record = self._record
        if not self.alive or record.blueprint is None or "Text" not in record.blueprint.names:
            raise SpawnError(f"{self!r} has no `Text` that could say something")
        record.spawn_task.say(record, text)

    @property
    def children(self) -> tuple[Entity, ...]:
        """The entities of its direct children."""
        return tuple(one.entity for one in self._finished().children or ())

    def child(self, path: str) -> Entity:
        """Returns a child by its name; ``"turret/barrel"`` is a child of a child.

        Raises:
            SpawnError: There is no child of that name.
        """
        found = self
        for name in path.split("/"):
            for one in found.children:
                if one.name == name:
                    found = one
                    break
            else:
                names = [one.name for one in found.children if one.name is not None]
                hint = did_you_mean(name, names)
                raise SpawnError(f"{found!r} has no child {name!r}; {hint}")
        return found

    def walk(self) -> Iterator[Entity]:
        """Yields this entity and all of its descendants, parents first."""
        for one in self._record.walk():
            yield self if one is self._record else one.entity

    @property
    def animation(self) -> SpriteAnimation | None:
        """Plays and stops the animation of the entity's sprite; None if it has none."""
        return self._finished().animation

    @property
    def tags(self) -> tuple[str, ...]:
        """The words of the component `Tags`; empty if the entity has none."""
        blueprint = self._finished().blueprint
        return () if blueprint is None else blueprint.tags

    def _finished(self) -> EntityRecord:
        self._record.spawn_task.finish_now()
        return self._record

    # --------------------------------------------------------------------------------- components

    def __getitem__(self, component: type[_T]) -> _T:
        """Returns the component of a class; the same object each time.

        Raises:
            UnknownNameError: The entity has no component of that class.
            SpawnError: The entity is not loaded yet, or could not be.
        """
        found = self.get(component, _MISSING)
        if found is _MISSING:
            record = self._record
            if record.blueprint is None:
                record.spawn_task.check()
                raise SpawnError(f"{self!r} has no components yet: await it, or ask `alive` before")
            names = ", ".join(record.blueprint.names) or "none"
            raise UnknownNameError(
                f"{self!r} has no {component.__name__}", hint=f"its components: {names}"
            )
        return found

    @overload
    def get(self, component: type[_T]) -> _T | None: ...
    @overload
    def get(self, component: type[_T], default: _D) -> _T | _D: ...

    def get(self, component: type[Any], default: Any = None) -> Any:
        """Returns the component of a class; the default if there is none, or none is loaded yet.

        Raises:
            UnknownNameError: The class is not registered as a component.
        """
        record = self._record
        blueprint = record.blueprint
        if blueprint is None:
            blueprint = self._finished().blueprint
            if blueprint is None:
                return default
        name = record.spawn_task.name_of(component)
        built = record.components
        if built is not None and name in built:
            return built[name]
        if name not in blueprint.names:
            return default
        made = blueprint.build(name, record.spawn_task.registry)
        if built is None:
            built = record.components = {}
        built[name] = made
        return made

    def __contains__(self, component: object) -> bool:
        return isinstance(component, type) and self.get(component, _MISSING) is not _MISSING

    @property
    def components(self) -> tuple[Any, ...]:
        """All components of the entity, without those of its children."""
        record = self._finished()
        names = () if record.blueprint is None else record.blueprint.names
        return tuple(self[record.spawn_task.class_of(name)] for name in names)

    # ----------------------------------------------------------------------------------- placement

    @property
    def position(self) -> tuple[float, float]:
        """The position in pixels; setting it moves the children, too."""
        record = self._record
        sprite, spec = record.sprite, record.spec
        if sprite is None or spec is None:
            return (record.x, record.y)
        x, y = sprite.position
        if spec.offset == (0.0, 0.0):
            return (x, y)
        dx, dy = turned(spec.offset, self.angle, record.scale)
        return (x - dx, y - dy)

    @position.setter
    def position(self, position: tuple[float, float]) -> None:
        x, y = position
        self.place((float(x), float(y)), self.angle, self._record.scale)

    @property
    def authored(self) -> AuthoredTransform:
        """The position, angle and scale that the entity had before the game moved it.

        For an entity of a world that is the transform in the world's data, also after it has moved
        to another cell, and in a saved game. For an entity that the game has spawned or added, it
        is the transform of that call. For a part, it is the transform in its prefab, relative to
        the authored transform of the root.

        Raises:
            SpawnError: It is a part that is not built yet, or is gone.
        """
        record = self._record
        if record.parent is not None:
            return record.spawn_task.authored(record)
        return AuthoredTransform(*record.local)  # moving does not change the `local` of a root

    @property
    def angle(self) -> float:
        """Degrees clockwise; setting it turns the entity with its children around its position."""
        record = self._record
        spec = record.spec
        if spec is None or record.sprite is None:
            return record.angle
        return float(getattr(record.sprite, "angle", record.angle + spec.angle)) - spec.angle

    @angle.setter
    def angle(self, angle: float) -> None:
        self.place(self.position, float(angle), self._record.scale)

    @property
    def scale(self) -> tuple[float, float]:
        """Factors of both axes, 1 by default; set a pair, or one number for both axes."""
        return self._record.scale

    @scale.setter
    def scale(self, scale: float | tuple[float, float]) -> None:
        wide, high = (scale, scale) if isinstance(scale, int | float) else scale
        self.place(self.position, self.angle, (float(wide), float(high)))

    @property
    def visible(self) -> bool:
        """Whether the sprites of the spawned entity are shown, with those of all its children.

        A child has no visibility of its own: setting this for a child shows or hides its `root`
        with all parts.
        """
        return self._record.spawn_task.visible

    @visible.setter
    def visible(self, visible: bool) -> None:
        self._record.spawn_task.show(visible)

    def place(
        self, position: tuple[float, float], angle: float, scale: tuple[float, float]
    ) -> None:
        """Sets position (pixels), angle (degrees clockwise) and scale at once.

        Different scales of the axes do not skew rotated children: they apply to the children's
        positions, and to the children's own axes.

        Raises:
            ValueError: A number is NaN or infinite.
        """
        if not math.isfinite(position[0] + position[1] + angle + scale[0] + scale[1]):
            raise ValueError(f"a transform takes finite numbers, not {position}, {angle}, {scale}")
        record = self._record
        if record.parent is not None:
            whole = record.parent.entity
            record.local = relative(
                (position, angle, scale), (whole.position, whole.angle, whole.scale)
            )
        record.put(position[0], position[1], angle, scale)

    def place_in_parent(self) -> None:
        """Moves a child to the transform in its parent that its prefab or `place` has set."""
        self._record.place_in_parent()

    def sync(self) -> None:
        """Moves the children to the sprite's transform, which a physics engine may have changed."""
        self.place(self.position, self.angle, self._record.scale)


def record_of(entity: Entity) -> EntityRecord:
    """Returns the record of an entity that the game has handed over. Main thread."""
    return entity._record
