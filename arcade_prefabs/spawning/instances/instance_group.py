"""`InstanceGroup`: many entities of one prefab that were spawned together, as instances.

**The problem.** A thousand coins take 30 ms and 2 MB if each is an entity. The player picks up ten
of them in the next minute.

**The way taken.** The group has the transforms of its entities in a few columns of numbers, and
fills the sprite lists of its prefab's layers from them, see `InstanceList`. When the game asks for
an entity, through the group, through ``prefabs.entities`` or by a collision with its sprite, the
group *promotes* it: it spawns that entity as if it had been spawned alone, except that its sprites
take over rows of the lists instead of being appended. From then on it is an entity like any other.
The group is its owner, and is called when the entity goes.

Some entities cannot be instances, as `why_not` says: those with a hook, a text, an animation or a
sprite class of the game. They are spawned one by one, within the budget of frames; the group has
the same interface.

**The ways rejected.** *Entities with rows instead of sprites*: every module that uses
``entity.sprite`` would have to know both. *Keeping the columns as the only data, also of promoted
entities*: a game sets ``sprite.center_x``, and has to be allowed to.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from arcade import BasicSprite, SpriteList

from ...errors import PluginError, SpawnError, shown
from ...frames import Step
from ...frames.main_thread_queue import Steps
from ...loading import Handle
from ...window.arcade_private import can_hold_instances
from ...window.instance_list import InstanceList, InstanceRows
from ..atlas.textures import LoadedTexture, TextureWait
from ..blueprints.blueprint import Blueprint
from ..entities.entity import Entity, EntityState
from ..entities.transform import EntityTransform
from ..layers import SpawnScene
from ..spawner.spawn_task import SpawnServices, SpawnTask
from ..walls import SpriteLists
from ..watched_lists import SpriteOwners, WallList, WatchedSpriteList
from .rows import InstanceTransforms, ListLayout, lay_out, rows_of, runs_of, why_not

__all__ = ["GroupSpawner", "InstanceGroup"]

_log = logging.getLogger("arcade_prefabs")

# Groups of a loaded prefab up to that size are built at once: about 1 ms for each thousand.
_AT_ONCE: Final = 2000
# Entities that are spawned in one step, if they cannot be instances.
_SPAWNED: Final = 12


class GroupSpawner(Protocol):
    """What groups call of the `EntityFactory`. Main thread."""

    def spawn_for(
        self, owner: InstanceGroup, handle: Handle[Any], place: EntityTransform
    ) -> SpawnTask:
        """Spawns an entity that is no instance."""
        ...

    def promote_for(
        self, owner: InstanceGroup, handle: Handle[Any], place: EntityTransform, scene: SpawnScene
    ) -> SpawnTask:
        """Builds an entity at once whose sprites take over rows; the spawn may fail."""
        ...

    def ended(self, group: InstanceGroup) -> None:
        """Called when a group has no entities any more."""
        ...

    def post(self, steps: Steps, first: Step) -> None:
        """Posts a job to the lane of spawns."""
        ...

    def tell_failure(
        self, identifier: str, error: Exception, handle: Handle[Any] | None = None
    ) -> None:
        """Reports a failed spawn."""
        ...


class _RowScene(Mapping[str, Any]):
    """The scene of one promoted entity: its sprites take over the entity's rows.

    A sprite that comes later, because the prefab was edited, is appended to a list as usual.
    """

    def __init__(self, group: InstanceGroup, lists: Sequence[_Filled], number: int) -> None:
        self._group = group
        self._lists = {one.layout.layer: _Rows(one, number) for one in lists}

    def __getitem__(self, layer: str) -> Any:
        rows = self._lists.get(layer)
        return self._group.other_list(layer) if rows is None else rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def list_with(self, layer: str, sprite: BasicSprite) -> SpriteList[Any] | None:
        """Returns the list of a layer that a sprite is in, as `Layers.list_with` does."""
        rows = self._lists.get(layer)
        for one in ([] if rows is None else [rows.list]) + [self._group.other_list(layer)]:
            if sprite in one:
                return one
        return None

    def close(self, *, refresh: bool) -> None:
        """Removes the rows that no sprite has taken over.

        Args:
            refresh: Whether the prefab was edited since the rows were filled: the sprites differ.
        """
        for rows in self._lists.values():
            rows.close(refresh=refresh)


class _Rows:
    """The rows of one entity in one list, in the order of its parts; sprites are appended to it.

    Attributes:
        list: The list.
    """

    __slots__ = ("_rows", "_taken", "_walls", "list")

    def __init__(self, filled: _Filled, number: int) -> None:
        self.list, self._walls = filled.list, filled.walls
        self._rows = filled.rows_of(number)
        if self._walls is not None:
            self._walls.pending = self._rows[:]
        self._taken: list[BasicSprite] = []

    @property
    def sprite_slot(self) -> Mapping[BasicSprite, int]:
        """The slots of the list's sprites, as `arcade.SpriteList.sprite_slot`."""
        return self.list.sprite_slot

    def append(self, sprite: BasicSprite) -> None:
        """Lets a sprite take over the next row."""
        if self._rows:
            self.list.adopt(self._rows.pop(0), sprite)
            self._taken.append(sprite)
        else:
            self.list.append(sprite)

    def close(self, *, refresh: bool) -> None:
        """Removes the rows that no sprite has taken over, as `_RowScene.close` says."""
        for row in self._rows:
            self.list.discard(row)
        if refresh:
            for sprite in self._taken:
                self.list.refresh(sprite)
        self._rows, self._taken = [], []
        if self._walls is not None:
            for row in self._walls.pending:
                self._walls.discard(row)
            self._walls.pending = ()


class _DrawnInstances(WatchedSpriteList, InstanceList):
    """A list of instances in a layer, which notes promoted sprites that the game kills."""


class _WallInstances(InstanceList, WallList):
    """A wall list of instances; never drawn.

    Attributes:
        pending: The rows that the next sprites take over.
    """

    pending: Sequence[int] = ()

    def append(self, sprite: BasicSprite) -> None:
        """Adds a solid sprite; it takes over a pending row, if there is one."""
        if self.pending:
            row, *self.pending = self.pending
            self.adopt(row, sprite)
        else:
            super().append(sprite)


class _Filled:
    """A list of a group, filled with rows.

    Attributes:
        layout: The sprites of one entity in this list.
        list: The list.
        walls: The same rows in a wall list, if the sprites are solid; None otherwise.
        images: The loaded textures, held so that they keep their atlas rectangles.
    """

    __slots__ = ("_count", "images", "layout", "list", "walls")

    def __init__(
        self,
        group: InstanceGroup,
        layout: ListLayout,
        where: InstanceTransforms,
        images: Sequence[LoadedTexture],
        owners: SpriteOwners,
    ) -> None:
        count = self._count = len(where.x)
        self.layout, self.images = layout, images
        textures = [
            image.flipped(one.spec.flip)[0]
            for one, image in zip(layout.sprites, images, strict=True)
        ]
        runs, rows = runs_of(layout, textures, count), rows_of(layout, textures, where)
        self.walls: _WallInstances | None = None
        if layout.group is not None:
            # A list of its own: an edit may take a sprite out of the walls, and leave it drawn.
            places, sizes, colors, order = rows
            copies = InstanceRows(places[:], sizes[:], colors[:], order[:])
            self.walls = _WallInstances(runs, copies, lambda row: group.promote(row % count))
        self.list = _DrawnInstances(
            owners, runs=runs, rows=rows, make=lambda row: group.promote(row % count)
        )

    def rows_of(self, number: int) -> list[int]:
        """Returns the rows of an entity."""
        return [number + self._count * one for one in range(len(self.layout.sprites))]

    def discard(self, number: int) -> None:
        """Removes the rows of an entity."""
        for row in self.rows_of(number):
            self.list.discard(row)
            if self.walls is not None:
                self.walls.discard(row)


class InstanceGroup(Sequence[Entity]):
    """The living entities of one call of `PrefabPlugin.spawn_many`.

    Example::

        coins = prefabs.spawn_many("props/coin", positions)
        ...
        for sprite in arcade.check_for_collision_with_list(player, coins.sprites):
            coin = prefabs.entities.of_sprite(sprite)
            if coin is not None:  # not despawned by another sprite of the same coin
                coin.root.despawn()
        if not coins and coins.error is None:
            next_level()

    Most of them are instances: drawn, but without a Python object. Asking for one promotes it to an
    entity like any other, the same object each time. `len` and `sprites` promote none.

    Attributes:
        prefab_id: The full id of their prefab.

    Main thread.
    """

    def __init__(
        self,
        spawner: GroupSpawner,
        services: SpawnServices,
        handle: Handle[Any],
        where: InstanceTransforms,
    ) -> None:
        self.prefab_id = handle.id
        self._spawner = spawner
        self._services = services
        self._handle: Handle[Any] | None = handle
        self._where = where
        self._state = EntityState.LOADING
        self._error: Exception | None = None
        self._wait: TextureWait | None = None
        self._blueprint: Blueprint | None = None
        self._lists: tuple[_Filled, ...] = ()
        self._sprites = SpriteLists()
        # By the entities' numbers: promoted entities, and those that are gone.
        self._tasks: dict[int, SpawnTask] = {}
        self._numbers_of: dict[SpawnTask, int] = {}
        self._gone: set[int] = set()
        self._left: list[int] | None = None  # the numbers of entities that are not gone

    def begin(self) -> None:
        """Fills the lists, or waits for the prefab and its textures."""
        handle = self._handle
        if handle is None or not len(self):
            self._end(EntityState.DESPAWNED)
        elif handle.ready:
            self._loaded(handle)
        else:
            handle.add_done_callback(self._loaded)

    def close(self) -> None:
        """Fails a group that is not alive yet, as the plugin is closed; living entities stay."""
        if self._state in (EntityState.LOADING, EntityState.BUILDING):
            self._end(EntityState.FAILED, PluginError("the plugin was closed before it was there"))

    def __repr__(self) -> str:
        return f"<InstanceGroup of {len(self)} {shown(self.prefab_id)}, {self.promoted} promoted>"

    # -------------------------------------------------------------------------------- as a sequence

    def __len__(self) -> int:
        return 0 if self._ended else len(self._where.x) - len(self._gone)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __getitem__(self, index: Any) -> Any:
        numbers = self._numbers()
        found = numbers[index]
        if isinstance(index, slice):
            return [self._entity(number) for number in found]
        return self._entity(found)

    def __iter__(self) -> Iterator[Entity]:
        for number in list(self._numbers()):
            if number not in self._gone:  # despawned meanwhile
                yield self._entity(number)

    def __contains__(self, entity: object) -> bool:
        return any(one.entity is entity for one in self._tasks.values())

    @property
    def _ended(self) -> bool:
        return self._state in (EntityState.DESPAWNED, EntityState.FAILED)

    def _numbers(self) -> Sequence[int]:
        if self._ended:
            return ()
        if not self._gone:
            return range(len(self._where.x))
        if self._left is None:
            self._left = [one for one in range(len(self._where.x)) if one not in self._gone]
        return self._left

    # -------------------------------------------------------------------------------------- public

    @property
    def state(self) -> EntityState:
        """The state of the group; `EntityState.DESPAWNED` once all of its entities are gone."""
        return self._state

    @property
    def alive(self) -> bool:
        """Whether the group's entities are alive."""
        return self._state is EntityState.ALIVE

    @property
    def error(self) -> Exception | None:
        """Why the group could not be spawned, or None."""
        return self._error

    @property
    def sprites(self) -> SpriteLists:
        """The sprites of all entities, for Arcade's collision functions.

        A collision check promotes the entities near by. Empty until the group is alive; always
        current.
        """
        return self._sprites

    @property
    def promoted(self) -> int:
        """How many entities are promoted now."""
        return len(self._tasks)

    @property
    def instances(self) -> int:
        """How many entities are instances now; 0 until the group is alive."""
        return len(self) - len(self._tasks) if self._lists else 0

    def despawn(self) -> None:
        """Despawns all entities of the group. A second call does nothing."""
        if self._ended:
            return
        if self._services.entities.despawn_hooked(self.names):
            self.promote_all()  # hooks are called for each entity
        for task in list(self._tasks.values()):
            if not task.over:  # a hook may have despawned it
                task.entity.despawn()
        self._end(EntityState.DESPAWNED)

    def _end(self, state: EntityState, error: Exception | None = None) -> None:
        if self._ended:
            return  # the group has ended with its last entity
        services = self._services
        self._state, self._error = state, error
        services.entities.remove_group(self)
        if self._wait is not None:
            self._wait.stop()
            self._wait = None
        lists, self._lists = self._lists, ()
        self._tasks, self._numbers_of = {}, {}
        self._spawner.ended(self)
        for one in lists:
            services.layers.remove_list(one.list)
            self._sprites.take_out(one.list)
            if one.walls is not None:
                services.walls.remove({one.layout.group or "": one.walls})
        self._handle = self._blueprint = None

    # --------------------------------------------------------------------------------------- build

    def _loaded(self, handle: Handle[Any]) -> None:
        if self._state is not EntityState.LOADING:
            return
        blueprint = getattr(handle.value, "blueprint", None)
        if handle.error is not None:
            self._fail(handle.error)
        elif not isinstance(blueprint, Blueprint):
            self._fail(SpawnError(f"{self.prefab_id} is {handle.kind}, not a prefab"))
        else:
            self._blueprint = blueprint
            textures = self._services.textures
            missing = [ref for ref in blueprint.textures if textures.get(ref) is None]
            if missing:
                self._wait = TextureWait(textures, missing, self._arrived)
            else:
                self._arrived()

    def _fail(self, error: Exception) -> None:
        handle = self._handle
        for task in list(self._tasks.values()):
            task.fail(error)
        self._end(EntityState.FAILED, error)
        self._spawner.tell_failure(self.prefab_id, error, handle)

    def _arrived(self) -> None:
        self._wait = None
        if self._state is not EntityState.LOADING:
            return
        blueprint, services = self._blueprint, self._services
        assert blueprint is not None
        self._state = EntityState.BUILDING
        images = [services.textures.get(ref) for ref in blueprint.textures]
        why = why_not(blueprint, services.entities.spawn_hooked)
        if why is None and any(one is not None and one.durations is not None for one in images):
            why = "it shows an animated picture"
        if why is None and not can_hold_instances():
            why = "this version of Arcade has another kind of sprite list"
        if why is not None:
            _log.debug("%s is spawned one by one: %s", shown(self.prefab_id), why)
            self._spawner.post(self._spawn_each(), Step("spawn", _SPAWNED))
        elif len(self) <= _AT_ONCE:
            for _ in self._build():
                pass
        else:
            self._spawner.post(self._build(), Step("instances", len(self)))

    def _build(self) -> Generator[Step | None, None, None]:
        blueprint, services = self._blueprint, self._services
        filled: list[_Filled] = []
        for layout in () if blueprint is None else lay_out(blueprint):
            if self._state is not EntityState.BUILDING or self._lists:
                return
            images = [services.textures.get(one.spec.texture) for one in layout.sprites]
            there = [one for one in images if one is not None]
            if len(there) < len(images):
                self._fail(SpawnError(f"a texture of {self.prefab_id} is not in memory any more"))
                return
            filled.append(_Filled(self, layout, self._where, there, services.entities))
            yield Step("instances", len(self))
        if self._state is not EntityState.BUILDING or self._lists:
            return
        self._lists = tuple(filled)
        for one in filled:
            for number in (*self._tasks, *self._gone):  # entities that were asked for before
                one.discard(number)
            services.layers.add_list(one.layout.layer, one.list)
            self._sprites.put_in(one.list)
            if one.walls is not None:
                services.walls.add({one.layout.group or "": one.walls})
        self._state = EntityState.ALIVE
        services.entities.add_group(self)
        self._end_if_empty()

    def _spawn_each(self) -> Generator[Step | None, None, None]:
        spawned = 0
        for number in range(len(self._where.x)):
            if self._state is not EntityState.BUILDING:
                return
            if number not in self._gone and number not in self._tasks:
                self.promote(number)
                spawned += 1
                if spawned % _SPAWNED == 0:
                    yield Step("spawn", _SPAWNED)
        if self._state is EntityState.BUILDING:
            self._state = EntityState.ALIVE
            self._end_if_empty()

    def _end_if_empty(self) -> None:
        if not len(self) and self._state is EntityState.ALIVE:
            self._end(EntityState.DESPAWNED)

    # ------------------------------------------------------------------------------------- promote

    @property
    def names(self) -> frozenset[str]:
        """The components of the prefab and its children."""
        blueprint = self._blueprint
        parts = () if blueprint is None else blueprint.parts
        return frozenset(name for part in parts for name in part.blueprint.names)

    @property
    def tags(self) -> frozenset[str]:
        """The tags of the prefab and its children."""
        blueprint = self._blueprint
        parts = () if blueprint is None else blueprint.parts
        return frozenset(tag for part in parts for tag in part.blueprint.tags)

    def promote_all(self) -> None:
        """Promotes all instances."""
        for number in list(self._numbers()):
            self.promote(number)

    def promote(self, number: int) -> SpawnTask | None:
        """Promotes an instance, by its number: 0 for the first position of `spawn_many`.

        Returns:
            Its spawn task, which may have failed; None if the entity is gone.
        """
        task, handle = self._tasks.get(number), self._handle
        if task is not None or number in self._gone or handle is None:
            return task
        place = self._transform(number)
        if not self._lists:
            task = self._spawner.spawn_for(self, handle, place)
        else:
            scene = _RowScene(self, self._lists, number)
            task = self._spawner.promote_for(self, handle, place, scene)
            scene.close(refresh=task.blueprint is not self._blueprint)
        if task.over:  # it has failed, and reported why
            self._gone.add(number)
            self._left = None
            self._end_if_empty()
            return task
        self._tasks[number] = task
        self._numbers_of[task] = number
        return task

    def _entity(self, number: int) -> Entity:
        task = self.promote(number)
        if task is None:
            raise IndexError(f"there is no entity {number} of {self.prefab_id} any more")
        if task.over:
            task.check()
        return task.entity

    def _transform(self, number: int) -> EntityTransform:
        x, y, angles, scales = self._where
        angle = angles[0] if len(angles) == 1 else angles[number]
        scale = scales[0] if len(scales) == 1 else scales[number]
        return (x[number], y[number]), angle, (scale, scale)

    def other_list(self, layer: str) -> SpriteList[Any]:
        """Returns the plugin's list of a layer, for a sprite without a row."""
        return self._services.layers.list_of(None, layer)

    # ------------------------------------------------------------ called by spawn tasks: SpawnOwner

    def wall_list(self, group: str) -> SpriteList[Any]:
        """Returns the wall list of a collision group, for `SpawnOwner.wall_list`."""
        for one in self._lists:
            if one.walls is not None and one.layout.group == group:
                return one.walls
        return self._services.walls.wall_list(group)

    def gone(self, spawn_task: SpawnTask) -> None:
        """Notes that an entity was despawned or failed, for `SpawnOwner.gone`."""
        number = self._numbers_of.pop(spawn_task, None)
        if number is not None:
            del self._tasks[number]
            self._gone.add(number)
            self._left = None
            self._end_if_empty()

    def lived(self, spawn_task: SpawnTask) -> None:
        """Does nothing: components of a hot reload need no note here."""
