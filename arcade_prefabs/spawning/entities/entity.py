"""`Entity`: what a prefab becomes when it is spawned."""

from __future__ import annotations

import enum
import math
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

from arcade import BasicSprite, Texture

from ...errors import SpawnError, UnknownNameError, shown
from ...frames.awaitables import wait_for
from ...prefab.suggestions import did_you_mean
from .transform import put, relative, turned

if TYPE_CHECKING:
    from ..blueprints.blueprint import PartPlan
    from ..blueprints.labels import Label
    from ..blueprints.sprite_spec import Look
    from ..spawner.spawn_task import Spawning
    from .animation import SpriteAnimation

__all__ = ["AuthoredPlace", "Entity", "EntityState", "awaited"]

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


class AuthoredPlace(NamedTuple):
    """Where an entity stood before the game moved it.

    Attributes:
        position: (x, y) in pixels.
        angle: Clockwise, in degrees.
        scale: Factors of both axes.
    """

    position: tuple[float, float]
    angle: float
    scale: tuple[float, float]


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

    __slots__ = (
        "__weakref__",
        "_angle",
        "_animation",
        "_children",
        "_components",
        "_frames",
        "_label",
        "_local",
        "_plan",
        "_scale",
        "_spawning",
        "_sprite",
        "_x",
        "_y",
        "name",
        "parent",
        "prefab_id",
    )

    def __init__(
        self,
        spawning: Spawning,
        prefab_id: str,
        name: str | None,
        parent: Entity | None,
        local: tuple[tuple[float, float], float, tuple[float, float]],
    ) -> None:
        self.prefab_id = prefab_id
        self.name = name
        self.parent = parent
        self._spawning = spawning
        self._local = local
        self._plan: PartPlan | None = None
        self._sprite: BasicSprite | None = None
        self._label: Label | None = None
        self._children: list[Entity] | None = None
        self._components: dict[str, Any] | None = None
        self._animation: SpriteAnimation | None = None
        # The frames of its image, whatever the game shows now.
        self._frames: tuple[Texture, ...] = ()
        (self._x, self._y), self._angle, self._scale = local

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name is not None else ""
        return f"<Entity{name} of {shown(self.prefab_id)}: {self.state.value}>"

    # ------------------------------------------------------------------------------------- states

    @property
    def state(self) -> EntityState:
        """Where it is on its way."""
        state = self._spawning.state
        if state is EntityState.ALIVE and self._plan is None:  # a child that went alone
            return EntityState.DESPAWNED
        return state

    @property
    def alive(self) -> bool:
        """Whether it is there, with all of its parts."""
        return self._spawning.state is EntityState.ALIVE and self._plan is not None

    @property
    def error(self) -> Exception | None:
        """Why it could not be spawned, or None."""
        return self._spawning.error

    @property
    def root(self) -> Entity:
        """The entity that was spawned: itself, or the one whose child it is."""
        return self._spawning.entity

    def __await__(self) -> Generator[Any, Any, Entity]:
        """Wait until it is there; in a script of the plugin, or in asyncio.

        Raises:
            SpawnError: It could not be spawned, or was despawned meanwhile.
        """
        spawning = self._spawning
        if not spawning.done:
            yield from wait_for(spawning.listen)
        spawning.check()
        return self

    def despawn(self) -> None:
        """Take it out of the world, with all of its children; a child goes alone. Twice is fine."""
        self._spawning.despawn(self)

    # -------------------------------------------------------------------------------------- parts

    @property
    def sprite(self) -> Any:
        """Its own sprite, or None if it has none, or is not loaded yet.

        An `arcade.Sprite`, or of the class that its prefab names.
        """
        if self._sprite is None:
            self._spawning.finish_now()
        return self._sprite

    @property
    def sprites(self) -> list[Any]:
        """Its sprite, that of its text, and those of all of its children."""
        self._spawning.finish_now()
        return [sprite for one in self.walk() for sprite in one.own_sprites()]

    def own_sprites(self) -> tuple[Any, ...]:
        """Its sprite and that of its text, as far as it has them."""
        if self._label is None:
            return () if self._sprite is None else (self._sprite,)
        return (self._label.sprite,) if self._sprite is None else (self._sprite, self._label.sprite)

    @property
    def text(self) -> str:
        """What its `Text` says; setting it takes 1 to 5 ms, and changes it at once.

        Raises:
            SpawnError: It has no `Text`, or is not there yet.
        """
        if self._label is None:
            self._spawning.finish_now()
        return "" if self._label is None else self._label.look.text

    @text.setter
    def text(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a text is a string, not {text!r}")
        self._spawning.say(self, text)

    @property
    def children(self) -> tuple[Entity, ...]:
        """The entities that are parts of it."""
        self._spawning.finish_now()
        return tuple(self._children or ())

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
        stack: list[Entity] = [self]
        while stack:
            one = stack.pop()
            yield one
            if one._children:
                stack.extend(reversed(one._children))

    @property
    def animation(self) -> SpriteAnimation | None:
        """What plays its animation, or None if it has none."""
        self._spawning.finish_now()
        return self._animation

    @property
    def tags(self) -> tuple[str, ...]:
        """The words of its `Tags`."""
        self._spawning.finish_now()
        return () if self._plan is None else self._plan.tags

    # --------------------------------------------------------------------------------- components

    def __getitem__(self, component: type[_T]) -> _T:
        """Its component of a class; the same object each time.

        Raises:
            UnknownNameError: It has none of that class.
            SpawnError: It is not loaded yet, or could not be.
        """
        found = self.get(component, _MISSING)
        if found is _MISSING:
            if self._plan is None:
                self._spawning.check()
                raise SpawnError(f"{self!r} has no components yet: await it, or ask `alive` before")
            names = ", ".join(self._plan.names) or "none"
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
        plan = self._plan
        if plan is None:
            self._spawning.finish_now()
            plan = self._plan
            if plan is None:
                return default
        name = self._spawning.name_of(component)
        built = self._components
        if built is not None and name in built:
            return built[name]
        if name not in plan.names:
            return default
        made = plan.build(name, self._spawning.registry)
        if built is None:
            built = self._components = {}
        built[name] = made
        return made

    def __contains__(self, component: object) -> bool:
        return isinstance(component, type) and self.get(component, _MISSING) is not _MISSING

    @property
    def components(self) -> tuple[Any, ...]:
        """All of its components, without those of its children."""
        self._spawning.finish_now()
        names = () if self._plan is None else self._plan.names
        return tuple(self[self._spawning.class_of(name)] for name in names)

    # ----------------------------------------------------------------------------------- placement

    @property
    def position(self) -> tuple[float, float]:
        """Where it is, in pixels; setting it moves its children, too."""
        sprite, look = self._sprite, self._look
        if sprite is None or look is None:
            return (self._x, self._y)
        x, y = sprite.position
        if look.offset == (0.0, 0.0):
            return (x, y)
        dx, dy = turned(look.offset, self.angle, self._scale)
        return (x - dx, y - dy)

    @position.setter
    def position(self, position: tuple[float, float]) -> None:
        x, y = position
        self.place((float(x), float(y)), self.angle, self._scale)

    @property
    def authored(self) -> AuthoredPlace:
        """Where it stood before the game moved it: its position, angle and scale.

        For an entity of a world that is its place in the world's file, also after it has moved to
        another cell, and in a saved game. For what the game has spawned or added, it is where that
        was done. For a part, it is the place in its prefab, relative to the authored place of the
        whole.

        Raises:
            SpawnError: It is a part that is not there yet, or is gone.
        """
        if self.parent is not None:
            return self._spawning.authored(self)
        return AuthoredPlace(*self._local)  # of a root, nothing else changes that

    @property
    def angle(self) -> float:
        """Clockwise, in degrees; setting it turns the whole around its position."""
        look = self._look
        if look is None or self._sprite is None:
            return self._angle
        return float(getattr(self._sprite, "angle", self._angle + look.angle)) - look.angle

    @angle.setter
    def angle(self, angle: float) -> None:
        self.place(self.position, float(angle), self._scale)

    @property
    def scale(self) -> tuple[float, float]:
        """Factors of both axes, 1 as it was made; setting it, or one number, sizes the whole."""
        return self._scale

    @scale.setter
    def scale(self, scale: float | tuple[float, float]) -> None:
        wide, high = (scale, scale) if isinstance(scale, int | float) else scale
        self.place(self.position, self.angle, (float(wide), float(high)))

    @property
    def visible(self) -> bool:
        """Whether its sprites are shown."""
        return self._spawning.visible

    @visible.setter
    def visible(self, visible: bool) -> None:
        self._spawning.show(visible)

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
        if self.parent is not None:
            self._local = relative(position, angle, scale, self.parent)
        self._spread(position[0], position[1], angle, scale)

    def place_in_parent(self) -> None:
        """Put it where its parent wants it, as far as the parent itself was placed."""
        parent = self.parent
        if parent is not None:
            at, turn, factor = self._local
            angle, scale = parent._angle, parent._scale
            dx, dy = turned(at, angle, scale)
            size = (scale[0] * factor[0], scale[1] * factor[1])
            self._spread(parent._x + dx, parent._y + dy, angle + turn, size)

    def _spread(self, x: float, y: float, angle: float, scale: tuple[float, float]) -> None:
        stack: list[tuple[Entity, float, float, float, tuple[float, float]]]
        stack = [(self, x, y, angle, scale)]
        while stack:
            one, x, y, angle, scale = stack.pop()
            one._x, one._y, one._angle, one._scale = x, y, angle, scale
            if one._sprite is not None and one._look is not None:
                put(one._sprite, one._look, x, y, angle, scale)
            if one._label is not None:
                put(one._label.sprite, one._label, x, y, angle, scale)
            if one._children:
                for child in one._children:
                    at, turn, factor = child._local
                    dx, dy = turned(at, angle, scale)
                    size = (scale[0] * factor[0], scale[1] * factor[1])
                    stack.append((child, x + dx, y + dy, angle + turn, size))

    def sync(self) -> None:
        """Bring its children to where its sprite is, which a physics engine may have moved."""
        self.place(self.position, self.angle, self._scale)

    @property
    def _look(self) -> Look | None:
        return None if self._plan is None else self._plan.look


async def awaited(entity: Entity) -> Entity:
    """Wait for an entity, and take it back if that is cancelled: nobody would know of it.

    Main thread.
    """
    try:
        return await entity
    finally:
        if not entity._spawning.done:
            entity.despawn()
