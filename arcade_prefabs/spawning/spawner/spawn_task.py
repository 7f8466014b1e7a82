"""One spawn: from the wish to the living entity, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence, Set
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ...errors import SpawnError, shown_error
from ...frames import Step
from ...loading import Handle
from ...prefab import ComponentRegistry
from ...prefab.suggestions import instead_of
from ..atlas.textures import LoadedTexture
from ..blueprints.blueprint import PlacedPart, SpawnPlan
from ..blueprints.overrides import Overrides
from ..blueprints.sprite_spec import TextureRef
from ..entities.entity import AuthoredPlace, Entity, EntityState
from ..entities.lifecycle_hooks import greet, say_goodbye
from ..entities.owner import SpawnOwner
from ..entities.transform import turned
from ..layers import SpawnScene

if TYPE_CHECKING:
    from .entity_factory import EntityFactory

__all__ = ["Spawning"]

_LIVE: Final = (EntityState.LOADING, EntityState.BUILDING)
# Sprites that are shown in one step, about 0.6 ms: more than that appear within some frames.
_SPRITES: Final = 1000
# What a wall takes beside that: it is listed by where it is.
_WALL: Final = 10

Dropped: TypeAlias = Callable[[object], bool]

_NOBODY: Final[frozenset[Entity]] = frozenset()
_NOTHING: Final[frozenset[tuple[Entity, str]]] = frozenset()


class Spawning:
    """What is known of an entity that was spawned, beside the entity itself.

    Attributes:
        entity: The entity.
        handle: Its prefab's; None once it is over.
        scene: Where its sprites go.
        overrides: What is its own.
        owner: Whom it belongs to, or None if that is the game alone.
        state: Where it is on its way.
        error: Why it failed.
        plan: What it was, or is being, built from.
        built: Its entities, in the order of the plan's parts.
        visible: Whether its sprites are to be shown.
        prefab: What its plan was made from.
        going: Parts that say goodbye just now.
        silent: Parts with components that were not greeted yet, or have said goodbye.
        lived: Parts with components whose `on_first_spawn` was called, now or in an earlier life.

    Main thread.
    """

    __slots__ = (
        "_busy",
        "_extra",
        "_factory",
        "_images",
        "_listeners",
        "_missing",
        "_progressive",
        "_toggled",
        "_waits",
        "built",
        "entity",
        "error",
        "going",
        "handle",
        "lived",
        "overrides",
        "owner",
        "plan",
        "prefab",
        "scene",
        "silent",
        "state",
        "visible",
    )

    entity: Entity

    def __init__(
        self,
        factory: EntityFactory,
        handle: Handle[Any],
        scene: SpawnScene | None,
        overrides: Overrides | None,
        progressive: bool,
    ) -> None:
        self._factory = factory
        self.handle: Handle[Any] | None = handle
        self.scene = scene
        self.overrides = overrides
        self.owner: SpawnOwner | None = None
        self.state = EntityState.LOADING
        self.error: Exception | None = None
        self.plan: SpawnPlan | None = None
        self.prefab: Any = None
        self._busy = self._toggled = False
        self._images: tuple[LoadedTexture | None, ...] = ()
        self.built: list[Entity] | tuple[()] = ()
        self.visible = True
        self._progressive = progressive
        # Tuples where lists would be expected: empty ones are all the same one, and the garbage
        # collector, whose pauses come from what it has to look at, does not see them.
        self._listeners: tuple[Callable[[], None], ...] = ()
        self.going: frozenset[Entity] = _NOBODY
        self.silent: Set[tuple[Entity, str]] = _NOTHING
        self.lived: Set[tuple[Entity, str]] = _NOTHING
        self._missing = 0
        self._waits: tuple[tuple[TextureRef, Callable[[], None]], ...] = ()
        self._extra: tuple[Handle[Any], ...] = ()

    @property
    def id(self) -> str:
        """Its prefab."""
        return self.entity.prefab_id

    @property
    def registry(self) -> ComponentRegistry:
        """The components that it may have."""
        return self._factory.registry

    # ------------------------------------------------------------------------------------ waiting

    @property
    def done(self) -> bool:
        """Whether it is alive, or never will be."""
        return self.state not in _LIVE

    def is_alive(self) -> bool:
        """Whether it is there; hooks may change that."""
        return self.state is EntityState.ALIVE

    def check(self) -> None:
        """Raise what it failed with.

        Raises:
            SpawnError: It failed, or was despawned.
        """
        if self.error is not None:
            if isinstance(self.error, SpawnError):
                raise self.error
            why = shown_error(self.error)
            raise SpawnError(f"{self.id} cannot be spawned: {why}") from self.error
        if self.state is EntityState.DESPAWNED:
            raise SpawnError(f"the entity of {self.id} was despawned")

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call something once when it is done; gives how to take that back."""
        if self.done:
            listener()
        else:
            self._listeners += (listener,)
        return lambda: self._unlisten(listener)

    def _unlisten(self, listener: Callable[[], None]) -> None:
        self._listeners = tuple(one for one in self._listeners if one is not listener)

    def _tell(self) -> None:
        self._factory.done(self)
        if self._listeners:
            listeners, self._listeners = self._listeners, ()
            for listener in listeners:
                listener()

    # -------------------------------------------------------------------------------------- begin

    def prepare(self) -> list[TextureRef]:
        """Make the plan of what is to be built, its prefab being there.

        Returns:
            Textures that are not there yet; as long as there are any, there is no plan.

        Raises:
            ArcadePrefabsError: It cannot be spawned with these overrides.
        """
        handle = self.handle
        self.prefab = None if handle is None else handle.value
        plan = getattr(self.prefab, "plan", None)
        if not isinstance(plan, SpawnPlan):
            kind = "nothing" if handle is None else handle.kind
            instead = instead_of(self.id)
            more = "" if instead is None else f"; {instead}"
            raise SpawnError(f"{self.id} is {kind}, not a prefab{more}")
        plan = self.effective(plan)
        get = self._factory.textures.get
        images = [get(ref) for ref in plan.textures]
        if None in images:
            return [ref for ref, image in zip(plan.textures, images, strict=True) if image is None]
        # An edit may let go of them before its turn comes.
        self.plan, self._images = plan, tuple(images)
        return []

    def wait_for(self, missing: Sequence[TextureRef]) -> None:
        """Wait for textures that the overrides ask for, and that the prefab may not bring."""
        factory = self._factory
        self._missing = len(missing)
        for ref in missing:
            self._waits += ((ref, self._arrived),)
            factory.textures.when_announced(ref, self._arrived)
        self._extra = tuple(factory.load_texture(ref, self._texture_done) for ref in missing)

    def hold(self, handles: Sequence[Handle[Any]]) -> None:
        """Keep textures in memory that the prefab does not."""
        self._extra += tuple(handles)

    def _texture_done(self, handle: Handle[Any]) -> None:
        if handle.error is not None and not self.done:
            self.fail(handle.error)

    def _arrived(self) -> None:
        self._missing -= 1
        if not self._missing and not self.done:
            self._waits = ()
            self._factory.arrived(self)

    def _stop_waiting(self) -> None:
        for ref, call in self._waits:
            self._factory.textures.forget(ref, call)
        self._waits = ()
        self._factory.leave(self)

    # -------------------------------------------------------------------------------------- build

    @property
    def parts_left(self) -> int:
        """How many parts are not built yet."""
        return 0 if self.plan is None else len(self.plan.parts) - len(self.built)

    def build(self, most: int) -> bool:
        """Build some of its parts; True if there are no more of them."""
        plan = self.plan
        assert plan is not None
        self.state = EntityState.BUILDING
        parts = plan.parts
        built = self.built if isinstance(self.built, list) else []
        self.built = built
        # What nobody sees half done is shown from the start.
        shown = self._progressive or (not built and most >= len(parts))
        self._busy = True  # a sprite class that asks for its entity's parts finds none yet
        try:
            for part in parts[len(built) : len(built) + most]:
                if part.parent < 0:
                    built.append(self.entity)
                    self._factory.dressing.dress(self.entity, part.plan, shown=shown)
                else:
                    self.add_part(part, built[part.parent], built, shown=shown)
        finally:
            self._busy = False
        return len(built) == len(parts)

    def add_part(
        self, part: PlacedPart, parent: Entity, built: list[Entity], *, shown: bool
    ) -> None:
        """Build a part as a child of another one, and note it among what is built."""
        entity = self.new_part(part, parent)
        if parent._children is None:
            parent._children = []
        parent._children.append(entity)
        built.append(entity)
        self._factory.dressing.dress(entity, part.plan, shown=shown)

    def new_part(self, part: PlacedPart, parent: Entity) -> Entity:
        """The entity of a part, in its place, without anything that is to be seen."""
        entity = Entity(self, part.plan.id, part.name, parent, (part.at, part.rotation, part.scale))
        entity.place_in_parent()
        return entity

    def finish_now(self) -> None:
        """Build what is missing at once, for somebody who asks for it, if that is possible."""
        if self.state in _LIVE and not self._busy:
            self._factory.guard.check("Entity")
            self._factory.finish_now(self)

    def show_built(self) -> Generator[Step, None, None]:
        """Show what was hidden until everything was there, in steps."""
        done = 0
        for entity in tuple(self.built):
            for sprite in entity.own_sprites():
                sprite.visible = self.visible
                done += 1
            done += _WALL * self._factory.dressing.make_solid(entity)
            if done >= _SPRITES:
                yield Step("show", _SPRITES)
                done = 0

    def complete(self) -> None:
        """It is all there: enter it, and call the hooks.

        Raises:
            Exception: A hook raised it.
        """
        entities = self._factory.entities
        self.state = EntityState.ALIVE
        self._images = ()  # its sprites hold what they show
        if self._toggled:
            self._apply_visibility()
        entities.add_root(self.entity)
        for entity in self.built:
            if entity._plan is not None:  # a part may be gone that a saved game had taken away
                entities.add(entity, entity._plan)
        if entities.hooked:
            come = [(one, () if one._plan is None else one._plan.names) for one in self.built]
            for _, error in greet(self, entities, come):
                raise error
        if self.is_alive():
            self._tell()

    # ---------------------------------------------------------------------------------------- end

    def fail(self, error: Exception) -> None:
        """It cannot be spawned: take away what there is of it, and tell why."""
        if self.state in (EntityState.FAILED, EntityState.DESPAWNED):
            return
        if self.is_alive():  # what its hooks began, others end
            say_goodbye(self, self._factory.entities, self.built)
        handle = self.handle
        self._end(EntityState.FAILED, error)
        self._leave_owner()
        self._factory.tell_failure(self.id, error, handle)
        self._tell()

    def despawn(self, entity: Entity) -> None:
        """Take the whole away, or a part of what is alive."""
        self._factory.guard.check("Entity.despawn")
        if entity in self.going or self.state in (EntityState.FAILED, EntityState.DESPAWNED):
            return
        part = entity is not self.entity and self.state is EntityState.ALIVE
        going = list(entity.walk()) if part else self.built
        if self.state is EntityState.ALIVE and not say_goodbye(self, self._factory.entities, going):
            return
        if part:
            self._factory.departures.remove_parts(going)
        else:
            self._end(EntityState.DESPAWNED, None)
            self._leave_owner()
            self._tell()

    def retire(self, dropped: Dropped) -> None:
        """Take the whole away on behalf of its owner.

        Args:
            dropped: Whether a list of sprites is dropped whole, so that nothing need be taken out.
        """
        if self.state in (EntityState.FAILED, EntityState.DESPAWNED):
            return
        if self.is_alive() and not say_goodbye(self, self._factory.entities, self.built):
            return
        self.owner = None
        self._end(EntityState.DESPAWNED, None, dropped)
        self._tell()

    def _leave_owner(self) -> None:
        owner, self.owner = self.owner, None
        if owner is not None:
            owner.gone(self)

    def _end(
        self, state: EntityState, error: Exception | None, dropped: Dropped | None = None
    ) -> None:
        was_alive = self.state is EntityState.ALIVE
        self.state, self.error = state, error
        self.silent = self.lived = _NOTHING
        self._stop_waiting()
        self._extra = self._images = ()
        factory = self._factory
        factory.lent.discard(self)
        if was_alive:
            factory.entities.drop_root(self.entity)
            for entity in self.built:
                if entity._plan is not None:
                    factory.entities.drop(entity, entity._plan)
        # The game may keep the entity; that must keep nothing in memory.
        self.handle = self.prefab = self.plan = None
        built, self.built = self.built, ()
        if dropped is not None:
            factory.departures.forget(built or [self.entity], dropped)
        else:
            factory.departures.remove(built or [self.entity])

    def show(self, visible: bool) -> None:
        """Show or hide all sprites, as soon as they are to be seen at all."""
        self.visible = visible
        if self.state is EntityState.ALIVE:
            self._apply_visibility()
        elif self.state is EntityState.BUILDING:
            self._toggled = True  # parts of it may be shown already
            if not visible:
                self._apply_visibility()

    def _apply_visibility(self) -> None:
        for entity in self.built:
            for sprite in entity.own_sprites():
                sprite.visible = self.visible

    # -------------------------------------------------------------------------- asked by entities

    def authored(self, entity: Entity) -> AuthoredPlace:
        """The place of a part as its prefab and the whole's authored place say.

        Raises:
            SpawnError: It is not built yet, or gone.
        """
        plan = self.plan
        if plan is None or entity not in self.built:
            self.check()
            raise SpawnError(f"{entity!r} is not built yet: await it, or ask `alive` before")
        chain: list[PlacedPart] = []
        part = plan.parts[self.built.index(entity)]
        while part.parent >= 0:
            chain.append(part)
            part = plan.parts[part.parent]
        (x, y), angle, (wide, high) = self.entity.authored
        for part in reversed(chain):
            dx, dy = turned(part.at, angle, (wide, high))
            x, y, angle = x + dx, y + dy, angle + part.rotation
            wide, high = wide * part.scale[0], high * part.scale[1]
        return AuthoredPlace((x, y), angle, (wide, high))

    def say(self, entity: Entity, text: str) -> None:
        """Have an entity's text say something else."""
        self._factory.dressing.say(entity, text)

    def name_of(self, component: type) -> str:
        """The name that a component class is registered with."""
        return self._factory.entities.name_of(component)

    def class_of(self, name: str) -> type:
        """The class of a component's name."""
        return self._factory.entities.class_of(name)

    def effective(self, plan: SpawnPlan) -> SpawnPlan:
        """A plan with what is this entity's own."""
        return plan if self.overrides is None else self.overrides.applied(plan, self.registry)
