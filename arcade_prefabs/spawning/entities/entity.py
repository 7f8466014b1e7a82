"""`Entity`: what a prefab becomes when it is spawned, and the record behind it.

**The problem.** A dozen modules of the plugin work on what an entity is made of: the builder gives
it sprites, hot reload exchanges them, a save compares them, a despawn takes them away. The game
sees the same entity, and is to see none of that: whatever has a public name is what games rely on.

**The way taken.** Two objects. `EntityRecord` has the fields, all public, and belongs to the
plugin; `Entity` is the game's face of it: it holds the record, and has methods and properties only.
Inside the plugin, records are passed about; an `Entity` is handed out where the game is called, or
asks. Its spawn, which knows the whole, stands above both; what they ask of it is the protocol
`EntitySpawn`, so that nothing here imports what builds entities.

**The ways rejected.** *Private fields of `Entity`, used by all*: 110 accesses from ten modules, and
no reader could say who changes what. *Public fields of `Entity`*: games would set `entity.plan`.
*One module for all that touches them*: entities, spawns, hot reload and saves, from two floors of
the house. *A record per whole instead of one per part*: children are despawned alone, and outlive
an edit of their parent.

A whole without parts is cut loose from its record and spawn once it is over: without a circle, what
the game lets go is gone at once, and the garbage collector need not look for it.
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
    """Where an entity is on its way.

    Attributes:
        LOADING: Its prefab, or one of its textures, is not there yet.
        BUILDING: It is being built, in slices within the budget of frames.
        ALIVE: It is there.
        FAILED: It could not be spawned; `Entity.error` says why. Nothing of it is left.
        DESPAWNED: It was taken out of the world.
    """

    LOADING = "loading"
    BUILDING = "building"
    ALIVE = "alive"
    FAILED = "failed"
    DESPAWNED = "despawned"


class AuthoredTransform(NamedTuple):
    """Where an entity stood before the game moved it.

    Attributes:
        position: (x, y) in pixels.
        angle: Clockwise, in degrees.
        scale: Factors of both axes.
    """

    position: tuple[float, float]
    angle: float
    scale: tuple[float, float]


class EntitySpawn(Protocol):
    """What an entity asks of the spawn that it, or the whole whose part it is, came from.

    Attributes:
        state: Where the whole is on its way.
        error: Why it failed, or None.
        scene: Where its sprites go; None for the plugin's own.
        visible: Whether its sprites are to be shown.
        owner: Who has lists for its solid sprites; None if that is the plugin.
        done: Whether it is alive, or never will be.
        registry: The components that it may have.
    """

    @property
    def state(self) -> EntityState:
        """See above."""
        ...

    @property
    def error(self) -> Exception | None:
        """See above."""
        ...

    @property
    def scene(self) -> SpawnScene | None:
        """See above."""
        ...

    @property
    def visible(self) -> bool:
        """See above."""
        ...

    @property
    def owner(self) -> WallLists | None:
        """See above."""
        ...

    @property
    def done(self) -> bool:
        """See above."""
        ...

    @property
    def registry(self) -> ComponentRegistry:
        """See above."""
        ...

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call something once when it is done; gives how to take that back."""
        ...

    def check(self) -> None:
        """Raise what it failed with."""
        ...

    def finish_now(self) -> None:
        """Build what is missing at once, if that is possible."""
        ...

    def despawn(self, record: EntityRecord) -> None:
        """Take the whole away, or a part of it."""
        ...

    def show(self, visible: bool) -> None:
        """Show or hide all sprites of the whole."""
        ...

    def say(self, record: EntityRecord, text: str) -> None:
        """Have the text of a part say something else."""
        ...

    def authored(self, record: EntityRecord) -> AuthoredTransform:
        """The place of a part as its prefab says."""
        ...

    def name_of(self, component: type) -> str:
        """The name that a component class is registered with."""
        ...

    def class_of(self, name: str) -> type:
        """The class of a component's name."""
        ...

    def suspect(self, sprite: BasicSprite) -> None:
        """Have the lists of a sprite looked at when the frame ends, if they are the game's."""
        ...


class EntityRecord(msgspec.Struct, eq=False):
    """The inside of an entity, for the plugin's own modules.

    A struct, as its fields are filled in C: a thousand of them are made in a frame.

    Attributes:
        spawn_task: The spawn that it came from.
        parent: The record of what it is a part of, or None.
        local: Where it stands in its parent; of a whole, where it stood before the game moved it.
        x: Where it was put last, in pixels: the truth as long as it has no sprite.
        y: The same.
        angle: Clockwise, in degrees, as it was put last.
        scale: Factors of both axes.
        blueprint: What it is made from; None before that is known, and once it is gone.
        sprite: Its sprite, or None.
        frames: The frames of its image, whatever the game shows now.
        entity: The game's face of it; not there any more once a whole without parts is over.
        label: Its text, or None.
        children: Its parts, or None.
        components: Those that were asked for so far, by name, or None.
        animation: What plays its animation, or None.

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
        """The record of a part that is to be built, with its entity."""
        (x, y), angle, scale = local
        record = cls(spawn_task, parent, local, x, y, angle, scale)
        above = None if parent is None else parent.entity
        record.entity = Entity(record, prefab_id, name, above)
        return record

    def __repr__(self) -> str:
        return f"<EntityRecord of {getattr(self, 'entity', None)!r}>"

    @property
    def spec(self) -> SpriteSpec | None:
        """What its sprite looks like; None if it has none."""
        return None if self.blueprint is None else self.blueprint.spec

    def walk(self) -> Iterator[EntityRecord]:
        """Itself and all of its children, parents first."""
        stack: list[EntityRecord] = [self]
        while stack:
            one = stack.pop()
            yield one
            if one.children:
                stack.extend(reversed(one.children))

    def own_sprites(self) -> tuple[Any, ...]:
        """Its sprite and that of its text, as far as it has them."""
        if self.label is None:
            return () if self.sprite is None else (self.sprite,)
        return (self.label.sprite,) if self.sprite is None else (self.sprite, self.label.sprite)

    def place_in_parent(self) -> None:
        """Put it where its parent wants it, as far as the parent itself was placed."""
        parent = self.parent
        if parent is not None:
            at, turn, factor = self.local
            angle, scale = parent.angle, parent.scale
            dx, dy = turned(at, angle, scale)
            size = (scale[0] * factor[0], scale[1] * factor[1])
            self.put(parent.x + dx, parent.y + dy, angle + turn, size)

    def put(self, x: float, y: float, angle: float, scale: tuple[float, float]) -> None:
        """Put it somewhere, with all of its children."""
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
    """Something that lives in the game: a prefab with its sprites, components and children.

    `PrefabPlugin.spawn` gives one at once; what it is made of may follow some frames later. Asking
    for its sprites or components finishes it, if everything is loaded that it needs.

    Its position, angle and scale move the whole. The sprite is the truth: where a physics engine
    moved it, there the entity is, and `sync` brings its children along.

    Attributes:
        name: Its name among the children of its parent, or None.
        parent: The entity that it belongs to, or None.
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
        """Where it is on its way."""
        state = self._record.spawn_task.state
        if state is EntityState.ALIVE and self._record.blueprint is None:  # a child that went alone
            return EntityState.DESPAWNED
        return state

    @property
    def alive(self) -> bool:
        """Whether it is there, with all of its parts."""
        record = self._record
        return record.spawn_task.state is EntityState.ALIVE and record.blueprint is not None

    @property
    def error(self) -> Exception | None:
        """Why it could not be spawned, or None."""
        return self._record.spawn_task.error

    @property
    def root(self) -> Entity:
        """The entity that was spawned: itself, or the one whose child it is."""
        above = self._record.parent
        if above is None:
            return self
        while above.parent is not None:
            above = above.parent
        return above.entity

    def __await__(self) -> Generator[Any, Any, Entity]:
        """Wait until it is there; in a script of the plugin, or in asyncio.

        If whoever awaits it is cancelled, it is despawned, as asyncio cancels a task that is
        awaited: otherwise it would come, and nobody would have it.

        Raises:
            SpawnError: It could not be spawned, or was despawned meanwhile.
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
        """Take it out of the world, with all of its children; a child goes alone. Twice is fine."""
        self._record.spawn_task.despawn(self._record)

    # -------------------------------------------------------------------------------------- parts

    @property
    def sprite(self) -> Any:
        """Its own sprite, or None if it has none, or is not loaded yet.

        An `arcade.Sprite`, or of the class that its prefab names.
        """
        record = self._record
        if record.sprite is None:
            record.spawn_task.finish_now()
        if record.spawn_task.scene is not None and record.sprite is not None:
            record.spawn_task.suspect(record.sprite)
        return record.sprite

    @property
    def sprites(self) -> list[Any]:
        """Its sprite, that of its text, and those of all of its children."""
        found = [sprite for one in self._finished().walk() for sprite in one.own_sprites()]
        for sprite in found:
            self._record.spawn_task.suspect(sprite)
        return found

    def own_sprites(self) -> tuple[Any, ...]:
        """Its sprite and that of its text, as far as it has them."""
        return self._record.own_sprites()

    @property
    def text(self) -> str:
        """What its `Text` says; setting it takes 1 to 5 ms, and changes it at once.

        Raises:
            SpawnError: It has no `Text`, or is not there yet.
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
        """The entities that are parts of it."""
        return tuple(one.entity for one in self._finished().children or ())

    def child(self, path: str) -> Entity:
        """A part by its name; ``"turret/barrel"`` is a part of a part.

        Raises:
            SpawnError: There is none of that name.
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
        """Itself and all of its children, parents first."""
        for one in self._record.walk():
            yield self if one is self._record else one.entity

    @property
    def animation(self) -> SpriteAnimation | None:
        """What plays its animation, or None if it has none."""
        return self._finished().animation

    @property
    def tags(self) -> tuple[str, ...]:
        """The words of its `Tags`."""
        blueprint = self._finished().blueprint
        return () if blueprint is None else blueprint.tags

    def _finished(self) -> EntityRecord:
        self._record.spawn_task.finish_now()
        return self._record

    # --------------------------------------------------------------------------------- components

    def __getitem__(self, component: type[_T]) -> _T:
        """Its component of a class; the same object each time.

        Raises:
            UnknownNameError: It has none of that class.
            SpawnError: It is not loaded yet, or could not be.
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
        """Its component of a class, or the default if it has none."""
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
        """All of its components, without those of its children."""
        record = self._finished()
        names = () if record.blueprint is None else record.blueprint.names
        return tuple(self[record.spawn_task.class_of(name)] for name in names)

    # ----------------------------------------------------------------------------------- placement

    @property
    def position(self) -> tuple[float, float]:
        """Where it is, in pixels; setting it moves its children, too."""
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
        """Where it stood before the game moved it: its position, angle and scale.

        For an entity of a world that is its place in the world's file, also after it has moved to
        another cell, and in a saved game. For what the game has spawned or added, it is where that
        was done. For a part, it is the place in its prefab, relative to the authored place of the
        whole.

        Raises:
            SpawnError: It is a part that is not there yet, or is gone.
        """
        record = self._record
        if record.parent is not None:
            return record.spawn_task.authored(record)
        return AuthoredTransform(*record.local)  # of a root, nothing else changes that

    @property
    def angle(self) -> float:
        """Clockwise, in degrees; setting it turns the whole around its position."""
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
        """Factors of both axes, 1 as it was made; setting it, or one number, sizes the whole."""
        return self._record.scale

    @scale.setter
    def scale(self, scale: float | tuple[float, float]) -> None:
        wide, high = (scale, scale) if isinstance(scale, int | float) else scale
        self.place(self.position, self.angle, (float(wide), float(high)))

    @property
    def visible(self) -> bool:
        """Whether its sprites are shown."""
        return self._record.spawn_task.visible

    @visible.setter
    def visible(self, visible: bool) -> None:
        self._record.spawn_task.show(visible)

    def place(
        self, position: tuple[float, float], angle: float, scale: tuple[float, float]
    ) -> None:
        """Set position (pixels), angle (degrees clockwise) and scale at once.

        A scale that differs by axis does not skew turned children: it is applied to where they
        stand, and to their own axes.

        Raises:
            ValueError: A number is infinite, or none.
        """
        if not math.isfinite(position[0] + position[1] + angle + scale[0] + scale[1]):
            raise ValueError(f"a place takes finite numbers, not {position}, {angle}, {scale}")
        record = self._record
        if record.parent is not None:
            whole = record.parent.entity
            record.local = relative(
                (position, angle, scale), (whole.position, whole.angle, whole.scale)
            )
        record.put(position[0], position[1], angle, scale)

    def place_in_parent(self) -> None:
        """Put it where its parent wants it, as far as the parent itself was placed."""
        self._record.place_in_parent()

    def sync(self) -> None:
        """Bring its children to where its sprite is, which a physics engine may have moved."""
        self.place(self.position, self.angle, self._record.scale)


def record_of(entity: Entity) -> EntityRecord:
    """The inside of an entity that the game has handed over. Main thread."""
    return entity._record
