"""`SpawnTask`: one spawn, from the wish to the living entity, all or nothing.

**The problem.** A spawn waits for its prefab and its textures, is built in slices within the
budget of frames, or at once if somebody asks for its sprite, shows itself when all of it is there,
calls hooks that may despawn it, and ends in one of several ways at any of these moments. Whatever
happens, either the whole is there or nothing of it is.

**The way taken.** One object for each spawn owns its steps: `prepare`, `draw_labels`, `advance`,
`show_built`, `complete`; `fail`, `despawn` and `retire` end it. Each leaves it in a state from
which all others are safe. Who decides *when* a step is taken stands above: the factory's queue, or
a region of a world. What a step needs comes from `SpawnServices`, a record that all spawns share;
what the queue has to be told goes through the protocol `SpawnQueue`. When everything is there,
`finish` takes all steps in one go. That is the usual spawn, so it has to be cheap: a step that does
not apply is left out by a look at a field, not by a call.

**The ways rejected.** *Steps in the factory, with the spawn as their data*: every step went back
and forth between both, five times in a spawn of one sprite, and the reader with it. *A generator or
coroutine for each spawn*: its frame costs more than building a sprite's entity, and `finish_now`
cannot be told from the next slice. *A state machine with a class for each state*: the interesting
cases, hooks that despawn and edits between slices, go across states.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import msgspec
from arcade import BasicSprite, SpriteList, Texture

from ...errors import SpawnError, shown, shown_error
from ...frames import Step
from ...loading import Handle
from ...prefab import ComponentRegistry
from ...prefab.suggestions import instead_of
from ...window.sprite_shortcuts import SpriteCalls
from ...window.thread_guard import ThreadGuard
from ..atlas.textures import LoadedTexture, TextureStore, TextureWait
from ..blueprints.blueprint import Blueprint, BlueprintPart
from ..blueprints.labels import Labels
from ..blueprints.overrides import Overrides
from ..blueprints.sprite_spec import TextureRef
from ..dropped_lists import DroppedListWatch
from ..entities.animation import Animator
from ..entities.entity import AuthoredTransform, Entity, EntityRecord, EntityState
from ..entities.entity_index import EntityIndex
from ..entities.lifecycle_hooks import call_despawn_hooks, call_spawn_hooks
from ..entities.transform import EntityTransform, turned
from ..layers import Layers, SpawnScene
from ..walls import Walls
from .despawn import Despawner
from .sprite_builder import SpriteBuilder

__all__ = ["SpawnOwner", "SpawnQueue", "SpawnServices", "SpawnTask"]

# Sprites that are shown in one step, about 0.6 ms: more than that appear within some frames.
_SPRITES: Final = 1000
# What a wall takes beside that: it is listed by where it is.
_WALL: Final = 10
# Parts that are built in one step, if nothing else is to be done for them: half a millisecond.
_SMALL: Final = 50

Dropped: TypeAlias = Callable[[object], bool]
WarmDespawn: TypeAlias = "Callable[[SpawnTask], bool]"
"""Takes away what a warm spawn has made, or gives False: then it is no longer as that made it."""

_NOBODY: Final[frozenset[EntityRecord]] = frozenset()
_NOTHING: Final[frozenset[tuple[EntityRecord, str]]] = frozenset()


class SpawnOwner(Protocol):
    """Whom an entity belongs to beside the game, such as a region of a world. Main thread."""

    def wall_list(self, group: str) -> SpriteList[Any]:
        """The list for its solid sprites of a collision group."""
        ...

    def gone(self, spawn_task: SpawnTask) -> None:
        """It was despawned, or failed; not called by `SpawnTask.retire`."""
        ...

    def lived(self, spawn_task: SpawnTask) -> None:
        """A reload has given it components, and their `on_first_spawn` was called."""
        ...


class SpawnQueue(Protocol):
    """Who is told what becomes of spawns. Main thread."""

    def arrived(self, spawn_task: SpawnTask) -> None:
        """The textures came that it was waiting for by itself."""
        ...

    def left(self, spawn_task: SpawnTask) -> None:
        """It is over before it was alive: nothing need be built for it any more."""
        ...

    def replaced(self, handle: Handle[Any]) -> None:
        """The prefab of what has just come to life changed while that was being built."""
        ...

    def tell_failure(
        self, identifier: str, error: Exception, handle: Handle[Any] | None = None
    ) -> None:
        """Let it be known that a spawn failed."""
        ...

    def load_texture(self, ref: TextureRef, on_done: Callable[[Handle[Any]], None]) -> Handle[Any]:
        """Load an image that no prefab brings with it."""
        ...


@dataclass(frozen=True, slots=True)
class SpawnServices:
    """What spawns need to be built; the same for all of them.

    Attributes:
        textures: Images.
        labels: Texts.
        layers: Where sprites are drawn.
        entities: What is alive.
        walls: Its solid sprites.
        lent: The game's own lists that it was spawned into.
        animator: Its animations.
        builder: How it gets its sprites.
        despawner: How what is alive goes.
        guard: Refuses other threads.
        queue: Who is told what becomes of spawns.
        calls: How sprites are made and listed.
        pending: Those that are on their way, and wait for nothing together with others; each takes
            itself out when it is alive, or never will be.
    """

    textures: TextureStore
    labels: Labels
    layers: Layers
    entities: EntityIndex
    walls: Walls
    lent: DroppedListWatch
    animator: Animator
    builder: SpriteBuilder
    despawner: Despawner
    guard: ThreadGuard
    queue: SpawnQueue
    calls: SpriteCalls
    pending: dict[SpawnTask, None]


class SpawnTask(msgspec.Struct, eq=False):
    """One spawn, and all that is known of the whole that comes from it.

    A struct, as its fields are filled in C; `of` makes one that is to be built. Empty tuples stand
    where lists would be expected: all of them are the same one, and the garbage collector, whose
    pauses come from what it has to look at, does not see them.

    Attributes:
        services: What it needs.
        handle: Its prefab's; None once it is over.
        id: Its prefab's id.
        scene: Where its sprites go.
        overrides: What is its own.
        progressive: Whether its parts are shown as they come.
        state: Where it is on its way.
        prefab: What its plan was made from.
        blueprint: What it was, or is being, built from.
        built: Its parts, in the order of the plan's parts.
        warm: What has made it in one go, and takes it away in one; None if it was built in steps.
        root: Its record; not there any more once it is over.
        entity: The entity; the same.
        owner: Whom it belongs to, or None if that is the game alone.
        error: Why it failed.
        visible: Whether its sprites are to be shown.
        going: Parts that say goodbye just now.
        silent: Parts with components that were not greeted yet, or have said goodbye.
        lived: Parts with components whose `on_first_spawn` was called, now or in an earlier life.

    Main thread.
    """

    services: SpawnServices
    handle: Handle[Any] | None
    id: str
    scene: SpawnScene | None = None
    overrides: Overrides | None = None
    progressive: bool = False
    state: EntityState = EntityState.LOADING
    prefab: Any = None
    blueprint: Blueprint | None = None
    built: Sequence[EntityRecord] = ()
    warm: WarmDespawn | None = None
    root: EntityRecord = None  # type: ignore[assignment]  # set where it is made
    entity: Entity = None  # type: ignore[assignment]  # the same
    owner: SpawnOwner | None = None
    error: Exception | None = None
    visible: bool = True
    going: frozenset[EntityRecord] = _NOBODY
    silent: Set[tuple[EntityRecord, str]] = _NOTHING
    lived: Set[tuple[EntityRecord, str]] = _NOTHING
    # Whether it is being built just now; is hidden so far; was shown or hidden meanwhile.
    _busy: bool = False
    _hidden: bool = False
    _toggled: bool = False
    _images: Sequence[LoadedTexture] = ()
    _listeners: tuple[Callable[[], None], ...] = ()
    _extra: tuple[Handle[Any], ...] = ()
    _wait: TextureWait | None = None

    @classmethod
    def of(
        cls,
        services: SpawnServices,
        handle: Handle[Any],
        identifier: str,
        place: EntityTransform,
        scene: SpawnScene | None,
        overrides: Overrides | None,
        progressive: bool,
    ) -> SpawnTask:
        """A spawn that is to be built.

        Args:
            services: What it needs.
            handle: Its prefab's.
            identifier: Its prefab's id.
            place: Where it stands.
            scene: Where its sprites go.
            overrides: What is its own.
            progressive: Whether its parts are shown as they come.
        """
        spawn_task = cls(services, handle, identifier, scene, overrides, progressive)
        spawn_task.root = root = EntityRecord.of(spawn_task, identifier, None, None, place)
        spawn_task.entity = root.entity
        return spawn_task

    def __repr__(self) -> str:
        return f"<SpawnTask of {shown(self.id)}: {self.state.value}>"

    @property
    def registry(self) -> ComponentRegistry:
        """The components that it may have."""
        return self.services.entities.registry

    # ------------------------------------------------------------------------------------ waiting

    @property
    def done(self) -> bool:
        """Whether it is alive, or never will be."""
        state = self.state
        return state is not EntityState.LOADING and state is not EntityState.BUILDING

    @property
    def over(self) -> bool:
        """Whether it failed, or was despawned."""
        return self.state in (EntityState.FAILED, EntityState.DESPAWNED)

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
        """It is done."""
        self.services.pending.pop(self, None)
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
        self.prefab = prefab = None if handle is None else handle.value
        blueprint = getattr(prefab, "blueprint", None)
        if not isinstance(blueprint, Blueprint):
            kind = "nothing" if handle is None else handle.kind
            instead = instead_of(self.id)
            more = "" if instead is None else f"; {instead}"
            raise SpawnError(f"{self.id} is {kind}, not a prefab{more}")
        if self.overrides is not None:
            blueprint = self.effective(blueprint)
        get = self.services.textures.get
        images: list[LoadedTexture] = []
        missing: list[TextureRef] = []
        for ref in blueprint.textures:
            image = get(ref)
            if image is None:
                missing.append(ref)
            else:
                images.append(image)
        if not missing:
            # An edit may let go of them before its turn comes.
            self.blueprint, self._images = blueprint, images
        return missing

    def prepared(self) -> bool:
        """Whether its plan is there, or could be made now. What goes wrong fails the spawn."""
        if self.blueprint is not None:
            return True
        handle = self.handle
        try:
            return handle is not None and handle.value is not None and not self.prepare()
        except Exception as error:
            self.fail(error)
            return False

    def wait_for(self, missing: Sequence[TextureRef]) -> None:
        """Wait for textures that the overrides ask for, and that the prefab may not bring."""
        services = self.services
        self._wait = TextureWait(services.textures, missing, self._arrived)
        load = services.queue.load_texture
        self._extra = tuple(load(ref, self._texture_done) for ref in missing)

    def hold(self, handles: Sequence[Handle[Any]]) -> None:
        """Keep textures in memory that the prefab does not."""
        self._extra += tuple(handles)

    def _texture_done(self, handle: Handle[Any]) -> None:
        if handle.error is not None and not self.done:
            self.fail(handle.error)

    def _arrived(self) -> None:
        self._wait = None
        if not self.done:
            self.services.queue.arrived(self)

    # -------------------------------------------------------------------------------------- build

    @property
    def small(self) -> bool:
        """Whether all of it can be built in one step: it has few parts, and no text to draw."""
        blueprint = self.blueprint
        if blueprint is None or len(blueprint.parts) > _SMALL:
            return False
        return not blueprint.labels or None not in map(self.services.labels.get, blueprint.labels)

    def draw_labels(self) -> Generator[Step, None, list[Texture]]:
        """Draw the texts that it needs, each in a step of its own."""
        drawn: list[Texture] = []
        labels = self.services.labels
        for spec in self.blueprint.labels if self.blueprint is not None else ():
            if labels.get(spec) is None:
                yield Step("text", 1)
            if self.done:
                break
            try:
                drawn.append(labels.draw(spec))
            except Exception as error:
                self.fail(error)
        return drawn

    @property
    def parts_left(self) -> int:
        """How many parts are not built yet."""
        return 0 if self.blueprint is None else len(self.blueprint.parts) - len(self.built)

    def advance(self, most: int) -> bool:
        """Build some parts; whether there are no more of them. What goes wrong fails the spawn."""
        blueprint = self.blueprint
        assert blueprint is not None
        self.state = EntityState.BUILDING
        parts = blueprint.parts
        built = self.built
        if not isinstance(built, list):
            self.built = built = []
        # What nobody sees half done is shown from the start.
        shown = self.progressive or (not built and most >= len(parts))
        self._hidden = not shown
        self._busy = True  # a sprite class that asks for its entity's parts finds none yet
        try:
            for part in parts[len(built) : len(built) + most]:
                if part.parent < 0:
                    built.append(self.root)
                    self.services.builder.dress(self.root, part.blueprint, shown=shown)
                else:
                    self._add_part(part, built[part.parent], built, shown=shown)
                if self.state is not EntityState.BUILDING:
                    break
        except Exception as error:
            self.fail(error)
        finally:
            self._busy = False
        if self.state is not EntityState.BUILDING:
            # It failed; or the class of a sprite, which is the game's own, has despawned it.
            self.services.despawner.remove(built)
            return False
        return len(built) == len(parts)

    def _add_part(
        self, part: BlueprintPart, parent: EntityRecord, built: list[EntityRecord], *, shown: bool
    ) -> None:
        """Build a part as a child of another one, and note it among what is built."""
        record = self.new_part(part, parent)
        if parent.children is None:
            parent.children = []
        parent.children.append(record)
        built.append(record)
        self.services.builder.dress(record, part.blueprint, shown=shown)

    def new_part(self, part: BlueprintPart, parent: EntityRecord) -> EntityRecord:
        """The record of a part, in its place, without anything that is to be seen."""
        place = (part.at, part.rotation, part.scale)
        record = EntityRecord.of(self, part.blueprint.id, part.name, parent, place)
        record.place_in_parent()
        return record

    def finish_now(self) -> None:
        """Build what is missing at once, for somebody who asks for it, if that is possible."""
        if self._busy or self.done:
            return
        self.services.guard.check("Entity")
        if self.prepared():
            self.finish()
            self._catch_up()

    def finish(self) -> None:
        """Take all steps that are left, its plan being there."""
        blueprint = self.blueprint
        assert blueprint is not None
        if self.advance(len(blueprint.parts)):
            if self._hidden:
                for _ in self.show_built():
                    pass
            self._complete()

    def show_built(self) -> Generator[Step, None, None]:
        """Show what was hidden until everything was there, in steps."""
        done = 0
        for record in tuple(self.built):
            for sprite in record.own_sprites():
                sprite.visible = self.visible
                done += 1
            done += _WALL * self.services.builder.make_solid(record)
            if done >= _SPRITES:
                yield Step("show", _SPRITES)
                done = 0

    def complete(self) -> None:
        """It is all there: bring it to life. What goes wrong fails the spawn."""
        if not self.done:
            self._complete()
            self._catch_up()

    def _complete(self) -> None:
        services = self.services
        entities = services.entities
        self.state = EntityState.ALIVE
        self._images = ()  # its sprites hold what they show
        if self._toggled:
            self._apply_visibility()
        entities.add(self.built, self.root)
        self.greet()

    def greet(self) -> None:
        """Call the hooks of what has just come to life, and tell who waits for it."""
        services, entities = self.services, self.services.entities
        try:
            if entities.hooked:
                self._greet()
            if self.state is EntityState.ALIVE:
                services.pending.pop(self, None)
                if self._listeners:
                    self._tell()
        except Exception as error:
            self.fail(error)

    def _greet(self) -> None:
        come = [(one, () if one.blueprint is None else one.blueprint.names) for one in self.built]
        for _, error in call_spawn_hooks(self, self.services.entities, come):
            raise error

    def _catch_up(self) -> None:
        """Follow an edit that came between two steps."""
        handle = self.handle
        if (
            handle is not None
            and self.state is EntityState.ALIVE
            and handle.value is not self.prefab
        ):
            self.services.queue.replaced(handle)

    # ---------------------------------------------------------------------------------------- end

    def fail(self, error: Exception) -> None:
        """It cannot be spawned: take away what there is of it, and tell why."""
        if self.over:
            return
        if self.is_alive():  # what its hooks began, others end
            call_despawn_hooks(self, self.services.entities, self.built)
        handle = self.handle
        self._end(EntityState.FAILED, error)
        self._leave_owner()
        self.services.queue.tell_failure(self.id, error, handle)
        self._tell()

    def despawn(self, record: EntityRecord) -> None:
        """Take the whole away, or a part of what is alive."""
        if self.warm is not None and self.warm(self):
            return
        services, state = self.services, self.state
        services.guard.check("Entity.despawn")
        alive = state is EntityState.ALIVE
        if record in self.going or (not alive and self.done):
            return
        part = alive and record is not self.root
        going = list(record.walk()) if part else self.built
        entities = services.entities
        if alive and entities.hooked and not call_despawn_hooks(self, entities, going):
            return
        if part:
            services.despawner.remove_parts(going)
            return
        self._end(EntityState.DESPAWNED, None)
        if self.owner is not None:
            self._leave_owner()
        services.pending.pop(self, None)
        if self._listeners:
            self._tell()

    def retire(self, dropped: Dropped) -> None:
        """Take the whole away on behalf of its owner.

        Args:
            dropped: Whether a list of sprites is dropped whole, so that nothing need be taken out.
        """
        if self.over:
            return
        if self.is_alive() and not call_despawn_hooks(self, self.services.entities, self.built):
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
        services, root = self.services, self.root
        was_alive = self.state is EntityState.ALIVE
        self.state, self.error = state, error
        self.silent = self.lived = _NOTHING
        self._extra = self._images = ()
        if self.scene is not None:
            services.lent.discard(self)
        if was_alive:
            services.entities.drop(self.built, root)
        else:
            if self._wait is not None:
                self._wait.stop()
                self._wait = None
            services.queue.left(self)
        # The game may keep the entity; that must keep nothing in memory.
        self.handle = self.prefab = self.blueprint = self.warm = None
        built, self.built = self.built or (root,), ()
        if dropped is not None:
            services.despawner.forget(built, dropped)
        elif len(built) == 1:
            services.despawner.drop_sprite(root)
        else:
            services.despawner.remove(built)
        # Without circles, it is gone with the last reference of the game: nothing waits for the
        # garbage collector, and the next spawn gets the same memory.
        if root.children is None:
            del root.entity
        del self.root, self.entity

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
        for record in self.built:
            for sprite in record.own_sprites():
                sprite.visible = self.visible

    # -------------------------------------------------------------------------- asked by entities

    def authored(self, record: EntityRecord) -> AuthoredTransform:
        """The place of a part as its prefab and the whole's authored place say.

        Raises:
            SpawnError: It is not built yet, or gone.
        """
        blueprint = self.blueprint
        if blueprint is None or record not in self.built:
            self.check()
            raise SpawnError(f"{record.entity!r} is not built yet: await it, or ask `alive` before")
        chain: list[BlueprintPart] = []
        part = blueprint.parts[self.built.index(record)]
        while part.parent >= 0:
            chain.append(part)
            part = blueprint.parts[part.parent]
        (x, y), angle, (wide, high) = self.entity.authored
        for part in reversed(chain):
            dx, dy = turned(part.at, angle, (wide, high))
            x, y, angle = x + dx, y + dy, angle + part.rotation
            wide, high = wide * part.scale[0], high * part.scale[1]
        return AuthoredTransform((x, y), angle, (wide, high))

    def suspect(self, sprite: BasicSprite) -> None:
        """Have the lists of a sprite looked at when the frame ends, if they are the game's.

        The game asks for the sprite, so it may kill it, and its own lists tell nobody.
        """
        if self.scene is not None and self.owner is None:
            self.services.entities.suspects[sprite] = None

    def say(self, record: EntityRecord, text: str) -> None:
        """Have a part's text say something else."""
        self.services.guard.check("Entity.text")
        self.services.builder.say(record, text)

    def name_of(self, component: type) -> str:
        """The name that a component class is registered with."""
        return self.services.entities.name_of(component)

    def class_of(self, name: str) -> type:
        """The class of a component's name."""
        return self.services.entities.class_of(name)

    def effective(self, blueprint: Blueprint) -> Blueprint:
        """A plan with what is this entity's own."""
        return (
            blueprint
            if self.overrides is None
            else self.overrides.applied(blueprint, self.registry)
        )
