"""`SpawnTask`: one spawn, from the call to the living entity, all or nothing.

**The problem.** A spawn waits for its prefab and its textures, is built in steps within the budget
of frames, or at once if the game asks for its sprite, becomes visible when all parts are built,
calls hooks that may despawn it, and ends in one of several ways at any of these moments. Whatever
happens, either the whole entity exists or nothing of it does.

**The way taken.** One object for each spawn has its steps as methods: `prepare`, `draw_labels`,
`advance`, `show_built`, `complete`; `fail`, `despawn` and `retire` end it. Each leaves the spawn in
a state in which all others may be called. *When* a step is taken is decided elsewhere: by the
factory's queue, or by the job of a live cell. What a step needs comes from `SpawnServices`, a
record that all spawns share; the factory is reached through the protocol `SpawnQueue`. When
everything is loaded, `finish` takes all steps in one go. That is the usual spawn, so it has to be
cheap: a field says that a step does not apply, and saves its call.
**The ways rejected.** *Steps in the factory, with the spawn as their data*: every step went back
and forth between both, five times in a spawn of one sprite, and the reader with it. *A generator or
coroutine for each spawn*: its frame costs more than building a sprite's entity, and `finish_now`
cannot be told from the next step. *A state machine with a class for each state*: the interesting
cases, hooks that despawn and edits between steps, go across states.
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

# Sprites that become visible in one step, about 0.6 ms.
_SPRITES: Final = 1000
# Cost of a solid sprite, in sprites: it is entered into a spatial hash.
_WALL: Final = 10
# Parts of an entity that may be built in one step, if no texts are to be drawn: 0.5 ms.
_SMALL: Final = 50

Dropped: TypeAlias = Callable[[object], bool]
WarmDespawn: TypeAlias = "Callable[[SpawnTask], bool]"
"""Despawns an entity of a `WarmSpawn`; returns False if the entity has changed since then."""

_NOBODY: Final[frozenset[EntityRecord]] = frozenset()
_NOTHING: Final[frozenset[tuple[EntityRecord, str]]] = frozenset()


class SpawnOwner(Protocol):
    """Has entities beside the game: the resident of a world is one. Main thread."""

    def wall_list(self, group: str) -> SpriteList[Any]:
        """Returns the list for solid sprites of a collision group."""
        ...

    def gone(self, spawn_task: SpawnTask) -> None:
        """Called when the entity was despawned, or failed; not by `SpawnTask.retire`."""
        ...

    def lived(self, spawn_task: SpawnTask) -> None:
        """Called after `on_first_spawn` hooks of components that a hot reload added."""
        ...


class SpawnQueue(Protocol):
    """What spawn tasks call of the `EntityFactory`. Main thread."""

    def arrived(self, spawn_task: SpawnTask) -> None:
        """Called when the textures are loaded that a spawn with overrides waited for."""
        ...

    def left(self, spawn_task: SpawnTask) -> None:
        """Called when a spawn ends before it was alive."""
        ...

    def replaced(self, handle: Handle[Any]) -> None:
        """Called when a spawn comes to life whose prefab was edited while it was built."""
        ...

    def tell_failure(
        self, identifier: str, error: Exception, handle: Handle[Any] | None = None
    ) -> None:
        """Reports a failed spawn."""
        ...

    def load_texture(self, ref: TextureRef, on_done: Callable[[Handle[Any]], None]) -> Handle[Any]:
        """Loads an image that is no dependency of the prefab."""
        ...


@dataclass(frozen=True, slots=True)
class SpawnServices:
    """The objects that spawn tasks use; one record for all of them.

    Attributes:
        textures: The loaded textures.
        labels: Draws texts.
        layers: Finds the list of a layer.
        entities: The entity index.
        walls: The solid sprites of entities without an owner.
        lent: Watches the sprite lists of the game that entities were spawned into.
        animator: Plays animations.
        builder: Makes sprites.
        despawner: Takes sprites away.
        guard: Refuses calls in other threads.
        queue: The entity factory.
        calls: Makes sprites, and adds them to lists.
        pending: The spawns that are not done, and in no group; each removes itself.
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
    """One spawn, and the entity with all of its parts that comes of it.

    A `msgspec.Struct`, whose fields are filled in C; `of` makes a spawn that is not built yet.
    Empty tuples stand for empty lists: they are one shared object, which the garbage collector does
    not track.

    Attributes:
        services: The objects that the spawn uses.
        handle: The prefab's handle; None once the spawn is over.
        id: The prefab's id.
        scene: The scene that its sprites are added to; None for the plugin's own.
        overrides: Its overrides, or None.
        progressive: Whether parts are visible as soon as they are built.
        state: The entity's state.
        prefab: The loaded prefab that the blueprint is of.
        blueprint: The blueprint that the entity is built from.
        built: The records of its built parts, in the order of the blueprint's parts.
        warm: Despawns an entity that a `WarmSpawn` has made; None for one that was built in steps.
        root: The entity's record; deleted once the spawn is over.
        entity: The entity; deleted once the spawn is over.
        owner: Has the entity beside the game, or None.
        error: Why the spawn failed.
        visible: Whether its sprites are shown.
        going: Parts whose `on_despawn` hooks are being called.
        silent: Parts and components whose `on_spawn` hooks were not called yet, or whose
            `on_despawn` hooks were called.
        lived: Parts and components whose `on_first_spawn` hooks were called, in this session or an
            earlier one.

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
    # Being in `advance`; built hidden so far; `visible` was set while it was being built.
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
        """Makes a spawn task that is not built yet.

        Args:
            services: The objects that the spawn uses.
            handle: The prefab's handle.
            identifier: The prefab's id.
            place: The entity's transform.
            scene: The scene that its sprites are added to; None for the plugin's own.
            overrides: Its overrides, or None.
            progressive: Whether parts are visible as soon as they are built.
        """
        spawn_task = cls(services, handle, identifier, scene, overrides, progressive)
        spawn_task.root = root = EntityRecord.of(spawn_task, identifier, None, None, place)
        spawn_task.entity = root.entity
        return spawn_task

    def __repr__(self) -> str:
        return f"<SpawnTask of {shown(self.id)}: {self.state.value}>"

    @property
    def registry(self) -> ComponentRegistry:
        """The registered components."""
        return self.services.entities.registry

    # ------------------------------------------------------------------------------------ waiting

    @property
    def done(self) -> bool:
        """Whether the spawn has ended: alive, failed or despawned."""
        state = self.state
        return state is not EntityState.LOADING and state is not EntityState.BUILDING

    @property
    def over(self) -> bool:
        """Whether the spawn failed, or its entity was despawned."""
        return self.state in (EntityState.FAILED, EntityState.DESPAWNED)

    def is_alive(self) -> bool:
        """Whether the entity is alive; each hook may change that."""
        return self.state is EntityState.ALIVE

    def check(self) -> None:
        """Raises if the spawn has failed, or its entity was despawned.

        Raises:
            SpawnError: The spawn failed, or the entity was despawned.
        """
        if self.error is not None:
            if isinstance(self.error, SpawnError):
                raise self.error
            why = shown_error(self.error)
            raise SpawnError(f"{self.id} cannot be spawned: {why}") from self.error
        if self.state is EntityState.DESPAWNED:
            raise SpawnError(f"the entity of {self.id} was despawned")

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls a function once the spawn is done; returns a function that takes this back."""
        if self.done:
            listener()
        else:
            self._listeners += (listener,)
        return lambda: self._unlisten(listener)

    def _unlisten(self, listener: Callable[[], None]) -> None:
        self._listeners = tuple(one for one in self._listeners if one is not listener)

    def _tell(self) -> None:
        """Calls the listeners: the spawn is done."""
        self.services.pending.pop(self, None)
        listeners, self._listeners = self._listeners, ()
        for listener in listeners:
            listener()

    # -------------------------------------------------------------------------------------- begin

    def prepare(self) -> list[TextureRef]:
        """Makes the blueprint, with overrides, of the loaded prefab.

        Returns:
            Textures that are not loaded; as long as there are any, `blueprint` stays None.

        Raises:
            ArcadePrefabsError: The asset is no prefab, or the overrides do not fit.
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
            # Kept: an edit of the prefab may drop these textures before the entity is built.
            self.blueprint, self._images = blueprint, images
        return missing

    def prepared(self) -> bool:
        """Whether the blueprint exists, or could be made now; an error fails the spawn."""
        if self.blueprint is not None:
            return True
        handle = self.handle
        try:
            return handle is not None and handle.value is not None and not self.prepare()
        except Exception as error:
            self.fail(error)
            return False

    def wait_for(self, missing: Sequence[TextureRef]) -> None:
        """Loads textures that the overrides need, and waits for them."""
        services = self.services
        self._wait = TextureWait(services.textures, missing, self._arrived)
        load = services.queue.load_texture
        self._extra = tuple(load(ref, self._texture_done) for ref in missing)

    def hold(self, handles: Sequence[Handle[Any]]) -> None:
        """Keeps textures in memory that are no dependencies of the prefab."""
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
        """Whether one step can build the entity: at most 50 parts, and all texts are drawn."""
        blueprint = self.blueprint
        if blueprint is None or len(blueprint.parts) > _SMALL:
            return False
        return not blueprint.labels or None not in map(self.services.labels.get, blueprint.labels)

    def draw_labels(self) -> Generator[Step, None, list[Texture]]:
        """Draws the texts that the entity needs, each in a step of its own."""
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
        """Builds up to `most` parts; returns whether all are built. An error fails the spawn."""
        blueprint = self.blueprint
        assert blueprint is not None
        self.state = EntityState.BUILDING
        parts = blueprint.parts
        built = self.built
        if not isinstance(built, list):
            self.built = built = []
        # An entity that is built in this one call is never seen half built: shown at once.
        shown = self.progressive or (not built and most >= len(parts))
        self._hidden = not shown
        self._busy = True  # a sprite class of the game may ask for parts: `finish_now` returns
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
            # It failed, or a sprite class of the game has despawned it.
            self.services.despawner.remove(built)
            return False
        return len(built) == len(parts)

    def _add_part(
        self, part: BlueprintPart, parent: EntityRecord, built: list[EntityRecord], *, shown: bool
    ) -> None:
        """Builds a part as a child of another one, and adds it to the built parts."""
        record = self.new_part(part, parent)
        if parent.children is None:
            parent.children = []
        parent.children.append(record)
        built.append(record)
        self.services.builder.dress(record, part.blueprint, shown=shown)

    def new_part(self, part: BlueprintPart, parent: EntityRecord) -> EntityRecord:
        """Makes the record of a part at its transform, without a sprite."""
        place = (part.position, part.angle, part.scale)
        record = EntityRecord.of(self, part.blueprint.id, part.name, parent, place)
        record.place_in_parent()
        return record

    def finish_now(self) -> None:
        """Builds the rest at once, because the game asks for a part of it, if all is loaded."""
        if self._busy or self.done:
            return
        self.services.guard.check("Entity")
        if self.prepared():
            self.finish()
            self._catch_up()

    def finish(self) -> None:
        """Takes all remaining steps; the blueprint has to exist."""
        blueprint = self.blueprint
        assert blueprint is not None
        if self.advance(len(blueprint.parts)):
            if self._hidden:
                for _ in self.show_built():
                    pass
            self._complete()

    def show_built(self) -> Generator[Step, None, None]:
        """Shows sprites that were hidden until all parts were built, in steps."""
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
        """Brings the entity to life after all parts are built; an error fails the spawn."""
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
        """Calls the spawn hooks and the listeners of an entity that has just come to life."""
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
        """Updates the entity if its prefab was edited while it was being built."""
        handle = self.handle
        if (
            handle is not None
            and self.state is EntityState.ALIVE
            and handle.value is not self.prefab
        ):
            self.services.queue.replaced(handle)

    # ---------------------------------------------------------------------------------------- end

    def fail(self, error: Exception) -> None:
        """Ends the spawn with an error, takes all parts away, and reports the error."""
        if self.over:
            return
        if self.is_alive():  # a spawn hook raised: the hooks before it have begun something
            call_despawn_hooks(self, self.services.entities, self.built)
        handle = self.handle
        self._end(EntityState.FAILED, error)
        self._leave_owner()
        self.services.queue.tell_failure(self.id, error, handle)
        self._tell()

    def despawn(self, record: EntityRecord) -> None:
        """Despawns the entity, or a part of a living one."""
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
        """Takes the entity away on behalf of its owner.

        Args:
            dropped: Tells of a sprite list whether it is dropped as a whole: sprites need not be
                taken out of such a list.
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
        # The game may keep the entity, which must not keep the prefab and its textures in memory.
        self.handle = self.prefab = self.blueprint = self.warm = None
        built, self.built = self.built or (root,), ()
        if dropped is not None:
            services.despawner.forget(built, dropped)
        elif len(built) == 1:
            services.despawner.drop_sprite(root)
        else:
            services.despawner.remove(built)
        # Without reference cycles, the objects are freed with the game's last reference: nothing
        # waits for the garbage collector, and the next spawn gets the same memory.
        if root.children is None:
            del root.entity
        del self.root, self.entity

    def show(self, visible: bool) -> None:
        """Shows or hides all sprites; of an entity that is being built, once that is done."""
        self.visible = visible
        if self.state is EntityState.ALIVE:
            self._apply_visibility()
        elif self.state is EntityState.BUILDING:
            self._toggled = True  # some parts may be visible already
            if not visible:
                self._apply_visibility()

    def _apply_visibility(self) -> None:
        for record in self.built:
            for sprite in record.own_sprites():
                sprite.visible = self.visible

    # ------------------------------------------------------------------------- called by entities

    def authored(self, record: EntityRecord) -> AuthoredTransform:
        """Returns the authored transform of a part: its prefab's, relative to the root's.

        Raises:
            SpawnError: The part is not built yet, or gone.
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
            dx, dy = turned(part.position, angle, (wide, high))
            x, y, angle = x + dx, y + dy, angle + part.angle
            wide, high = wide * part.scale[0], high * part.scale[1]
        return AuthoredTransform((x, y), angle, (wide, high))

    def suspect(self, sprite: BasicSprite) -> None:
        """Checks at the end of the frame whether the game has killed a sprite.

        Only for entities in lists of the game, which do not notice removals. Called when the game
        asks for the sprite, as it may kill it then.
        """
        if self.scene is not None and self.owner is None:
            self.services.entities.suspects[sprite] = None

    def say(self, record: EntityRecord, text: str) -> None:
        """Changes the text of a part."""
        self.services.guard.check("Entity.text")
        self.services.builder.say(record, text)

    def name_of(self, component: type) -> str:
        """Returns the name that a component class is registered with."""
        return self.services.entities.name_of(component)

    def class_of(self, name: str) -> type:
        """Returns the component class that is registered with a name."""
        return self.services.entities.class_of(name)

    def effective(self, blueprint: Blueprint) -> Blueprint:
        """Returns a blueprint with this entity's overrides."""
        return (
            blueprint
            if self.overrides is None
            else self.overrides.applied(blueprint, self.registry)
        )
