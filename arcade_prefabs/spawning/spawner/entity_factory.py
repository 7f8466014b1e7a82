"""`EntityFactory`: decides which spawn is built when, within the budget of frames.

**The problem.** A game spawns a hundred bullets in a frame, a castle of a thousand parts, and a
prefab that is not loaded yet, and no frame may stutter for any of them. A small entity whose prefab
is loaded should be alive when `spawn` returns: games are written like that.

**The way taken.** Three ways through the factory. A small entity whose prefab is loaded is built in
`spawn` itself, as long as all spawns of a frame together took less than a millisecond. A large one,
or one that comes too late in the frame, waits in one queue, whose job on the main thread builds
some parts in each step. An entity whose prefab is not loaded waits in a group with all others of
its prefab: one call from the loader, or from the last texture, releases a thousand of them.
`SpawnTask` knows how a spawn is built; the factory only decides when.

**The ways rejected.** *Everything through the queue*: a bullet would appear a frame late, and the
game could not set its speed. *Everything at once*: a thousand parts take 10 ms and more. *A
callback of the loader for each spawn*: a thousand of them for a thousand entities of one prefab. *A
job for each spawn*: the queue's own cost would be more than building a sprite.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from math import isfinite
from typing import Any, Final

from ...errors import PluginError, SpawnError, shown, shown_error
from ...frames import Step
from ...frames.main_thread_queue import Steps
from ...loading import AsyncPrefabLoader, Handle, LoadEvent, Priority
from ...loading.asset_names import spawnable_id
from ...loading.requests.priority import rank_of
from ...window.sprite_shortcuts import sprite_calls
from ...window.thread_guard import ThreadGuard
from ..atlas.textures import TextureStore, TextureWait
from ..blueprints.blueprint import Blueprint
from ..blueprints.labels import Labels
from ..blueprints.overrides import OverrideMap, Overrides
from ..blueprints.sprite_spec import TextureRef
from ..dropped_lists import DroppedListWatch
from ..entities.animation import Animator
from ..entities.entity import Entity
from ..entities.entity_index import EntityIndex
from ..entities.transform import EntityTransform, checked_place
from ..instances.instance_group import InstanceGroup
from ..instances.rows import InstanceTransforms
from ..layers import Layers, SpawnScene, check_scene
from ..walls import Walls
from .despawn import Despawner
from .hot_reload import Reloader
from .killed_sprites import KilledSprites
from .spawn_task import SpawnOwner, SpawnServices, SpawnTask
from .sprite_builder import SpriteBuilder
from .warm_spawn import WarmSpawn, warm_spawn

__all__ = ["EntityFactory"]

_log = logging.getLogger("arcade_prefabs")

# Parts that are built in one step: 0.1 to 0.2 ms.
_PARTS: Final = 12
# Seconds of a frame for entities that are built in `spawn` itself: about a hundred small ones.
_AT_ONCE_S: Final = 0.001
# Nested spawns (a hook that spawns an entity with the same hook) that are built at once at most.
_DEEPEST: Final = 4
_NUMBERS: Final = (float, int)


class _SpawnGroup:
    """Spawns of one prefab that wait for it, or for its textures.

    Attributes:
        handle: The prefab's handle.
        members: The spawns.
    """

    __slots__ = ("_release", "_textures", "_wait", "handle", "members")

    def __init__(
        self,
        handle: Handle[Any],
        textures: TextureStore,
        release: Callable[[_SpawnGroup], None],
    ) -> None:
        self.handle = handle
        self.members: dict[SpawnTask, None] = {}
        self._textures = textures
        self._release = release
        self._wait: TextureWait | None = None

    def loaded(self) -> None:
        """Waits for the missing textures of the prefab, which is loaded now."""
        self.stop()
        blueprint = getattr(self.handle.value, "blueprint", None)
        missing = blueprint.textures if isinstance(blueprint, Blueprint) else ()
        missing = tuple(ref for ref in missing if self._textures.get(ref) is None)
        if missing:
            self._wait = TextureWait(self._textures, missing, self._arrived)
        else:
            self._release(self)

    def _arrived(self) -> None:
        self._wait = None
        self._release(self)

    def fail(self, error: Exception | None) -> None:
        """Fails all spawns: the prefab, or a texture of it, cannot be loaded."""
        self.stop()
        for spawn_task in list(self.members):
            spawn_task.fail(SpawnError("it cannot be loaded") if error is None else error)

    def stop(self) -> None:
        """Ends the wait for textures."""
        wait, self._wait = self._wait, None
        if wait is not None:
            wait.stop()


class EntityFactory:
    """Spawns entities, for the game and for worlds.

    Args:
        loader: Loads prefabs.
        textures: The loaded textures.
        labels: Draws texts.
        layers: Finds the list of a layer.
        entities: The entity index.
        clock: Returns seconds, such as `time.perf_counter`.

    Attributes:
        textures: The loaded textures.
        labels: Draws texts.
        entities: The entity index.
        registry: The registered components.
        walls: The solid sprites of entities without an owner.
        lent: Watches the sprite lists of the game that entities were spawned into.
        killed: Despawns entities whose sprite the game has killed.
        animator: Plays animations.
        despawner: Takes entities out of the game.
        on_failure: Called with the id and the error of each spawn that failed.
        spent_s: Seconds that `spawn` took in this frame; the plugin sets it to 0 in each.

    Main thread.
    """

    def __init__(
        self,
        loader: AsyncPrefabLoader,
        textures: TextureStore,
        labels: Labels,
        layers: Layers,
        entities: EntityIndex,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.textures = textures
        self.labels = labels
        self.entities = entities
        self.registry = entities.registry
        self.walls = Walls()
        self.lent = DroppedListWatch(self.walls, clock)
        self.killed = KilledSprites(entities, self.lent, clock)
        self.animator = Animator(textures.get)
        calls = sprite_calls()
        self.despawner = Despawner(entities, loader.queue, calls)
        self._pending: dict[SpawnTask, None] = {}  # spawns that are not done, and in no group
        self._services = SpawnServices(
            textures=textures,
            labels=labels,
            layers=layers,
            entities=entities,
            walls=self.walls,
            lent=self.lent,
            animator=self.animator,
            builder=SpriteBuilder(
                textures,
                labels,
                layers,
                self.walls,
                entities,
                self.animator,
                self.despawner,
                calls,
            ),
            despawner=self.despawner,
            guard=ThreadGuard(),
            queue=self,
            calls=calls,
            pending=self._pending,
        )
        self._loader = loader
        self._clock = clock
        self.on_failure: Callable[[str, Exception], None] = lambda _id, _error: None
        self.spent_s = 0.0
        # One handle for all entities of a prefab.
        self._handles: weakref.WeakValueDictionary[str, Handle[Any]] = weakref.WeakValueDictionary()
        self._groups: dict[str, _SpawnGroup] = {}  # prefabs that are waited for
        # The `WarmSpawn` of a prefab, by the id that the game has given for it.
        self._warm: dict[str, WarmSpawn] = {}
        self._instance_groups: dict[InstanceGroup, None] = {}
        self._queue: deque[SpawnTask] = deque()
        self._building = self._closed = False
        self._depth = 0
        self._reloader = Reloader(self._services, loader.queue)
        loader.add_listener(self._heard)

    # -------------------------------------------------------------------------------------- spawn

    def spawn(
        self,
        prefab: str | Handle[Any],
        position: tuple[float, float],
        angle: float,
        scale: float | tuple[float, float],
        overrides: OverrideMap | None,
        scene: SpawnScene | None,
        priority: Priority,
        progressive: bool,
    ) -> Entity:
        """Spawns an entity, as `PrefabPlugin.spawn` says.

        Builds it at once if it is small, its prefab is loaded, and the frame has time left.
        """
        started = self._clock()
        warm = self._warm.get(prefab) if isinstance(prefab, str) else None
        if (
            warm is not None
            and isinstance(prefab, str)
            and overrides is None
            and scene is None
            and type(scale) in _NUMBERS
            and priority is Priority.NORMAL
            and self.spent_s < _AT_ONCE_S
            and self._depth < _DEEPEST
            and not self._queue
        ):
            entity = self._spawn_warm(warm, prefab, position, angle, scale)
            if entity is not None:
                self.spent_s += self._clock() - started
                return entity
        name = spawnable_id(prefab) if isinstance(prefab, str) else _name_of(prefab)
        local = checked_place(position, angle, scale)
        if scene is not None:
            check_scene(scene)
        if priority is not Priority.NORMAL:
            rank_of(priority)
        group = self._groups.get(name)
        if group is not None and overrides is None and priority is Priority.NORMAL:
            handle = group.handle
            spawn_task = SpawnTask.of(self._services, handle, name, local, scene, None, progressive)
            entity = spawn_task.entity
            group.members[spawn_task] = None
            if scene is not None:
                self.lent.add(spawn_task)
        else:
            own = None if overrides is None else Overrides(overrides, self.registry)
            known = self._handles.get(name)
            ready = known is not None and known.ready
            handle = known if known is not None and ready else self.handle_of(name, priority)
            spawn_task = SpawnTask.of(self._services, handle, name, local, scene, own, progressive)
            entity = spawn_task.entity
            self._pending[spawn_task] = None
            if scene is not None:
                self.lent.add(spawn_task)
            self._depth += 1  # hooks of an entity that is built at once may spawn, too
            try:
                self._begin(spawn_task, ready=ready, at_once=self._depth <= _DEEPEST)
            finally:
                self._depth -= 1
            simple = warm is None and own is None and scene is None
            if simple and isinstance(prefab, str) and entity.alive:
                self._warm_up(prefab, spawn_task)
        self.spent_s += self._clock() - started
        return entity

    def _spawn_warm(
        self,
        warm: WarmSpawn,
        prefab: str,
        position: tuple[float, float],
        angle: float,
        scale: Any,
    ) -> Entity | None:
        """Spawns an entity with a `WarmSpawn`; returns None if it has to be built in steps."""
        try:
            x, y = position
            if not isfinite(x + y + angle + scale + scale):
                return None
            at = position if type(position) is tuple else (x, y)
            spawn_task = warm(at, angle, scale)
        except Exception:  # the spawn in steps raises the same error, and reports it
            return None
        if spawn_task is None:
            self._warm.pop(prefab, None)
            return None
        entity = spawn_task.entity
        if self.entities.hooked:
            self._depth += 1  # hooks may spawn, too
            try:
                spawn_task.greet()
            finally:
                self._depth -= 1
        return entity

    def _warm_up(self, prefab: str, spawn_task: SpawnTask) -> None:
        warm = warm_spawn(self._services, spawn_task, partial(_forget, self._warm, prefab))
        if warm is not None:
            self._warm[prefab] = warm

    def spawn_many(
        self, prefab: str | Handle[Any], where: InstanceTransforms, priority: Priority
    ) -> InstanceGroup:
        """Spawns many entities of a prefab as instances, as `PrefabPlugin.spawn_many` says."""
        name = spawnable_id(prefab) if isinstance(prefab, str) else _name_of(prefab)
        if priority is not Priority.NORMAL:
            rank_of(priority)
        group = InstanceGroup(self, self._services, self.handle_of(name, priority), where)
        self._instance_groups[group] = None
        group.begin()
        return group

    def spawn_for(
        self, owner: InstanceGroup, handle: Handle[Any], place: EntityTransform
    ) -> SpawnTask:
        """Spawns one entity for a group of instances, as `GroupSpawner.spawn_for` says."""
        spawn_task = SpawnTask.of(self._services, handle, handle.id, place, None, None, False)
        spawn_task.owner = owner
        self._pending[spawn_task] = None
        self._begin(spawn_task, ready=handle.ready)
        return spawn_task

    def promote_for(
        self, owner: InstanceGroup, handle: Handle[Any], place: EntityTransform, scene: SpawnScene
    ) -> SpawnTask:
        """Promotes an instance of a group to an entity, as `GroupSpawner.promote_for` says."""
        spawn_task = self.begin_for(owner, handle, place, scene, None)
        # The instance was alive before: hooks that were registered since then are not called.
        hooked, self.entities.hooked = self.entities.hooked, False
        try:
            if spawn_task.prepare():
                spawn_task.fail(SpawnError(f"a texture of {handle.id} is not in memory any more"))
            else:
                spawn_task.finish()
        except Exception as error:
            spawn_task.fail(error)
        finally:
            self.entities.hooked = hooked
        return spawn_task

    def ended(self, group: InstanceGroup) -> None:
        """Forgets a group of instances that has ended."""
        self._instance_groups.pop(group, None)

    def handle_of(self, name: str, priority: Priority) -> Handle[Any]:
        """Returns the handle of a prefab by its full id, and loads the prefab if necessary."""
        handle = self._handles.get(name)
        if handle is None or handle.cancelled or handle.error is not None:
            # A failed load is tried again: the file may exist by now.
            handle = self._handles[name] = self._loader.load(name, priority=priority)
        elif priority is not Priority.NORMAL and not handle.done:
            return self._loader.load(name, priority=priority)
        return handle

    def load_texture(self, ref: TextureRef, on_done: Callable[[Handle[Any]], None]) -> Handle[Any]:
        """Loads an image that is no dependency of the prefab."""
        return self._loader.load(ref.path, settings=dict(ref.settings) or None, on_done=on_done)

    def begin_for(
        self,
        owner: SpawnOwner,
        handle: Handle[Any],
        place: EntityTransform,
        scene: SpawnScene,
        overrides: Overrides | None,
        authored: EntityTransform | None = None,
    ) -> SpawnTask:
        """Makes a spawn task for an owner, who builds it; the prefab has to be loaded.

        Args:
            owner: The owner.
            handle: The prefab's handle.
            place: The entity's transform.
            scene: The scene that its sprites are added to.
            overrides: Its overrides, or None.
            authored: Its transform before the game moved it; None if the game has not.
        """
        # "Progressive": the owner's lists are not drawn before all is built, so nothing is hidden.
        spawn_task = SpawnTask.of(self._services, handle, handle.id, place, scene, overrides, True)
        spawn_task.owner = owner
        if authored is not None:
            spawn_task.root.local = authored
        return spawn_task

    def post(self, steps: Steps, first: Step) -> None:
        """Posts a job to the lane of spawns."""
        self._loader.queue.post(steps, "spawn", first)

    # ------------------------------------------------------------------------------------ waiting

    def _begin(self, spawn_task: SpawnTask, *, ready: bool = False, at_once: bool = False) -> None:
        """Builds a spawn, queues it, or lets it wait for its prefab and textures."""
        handle = spawn_task.handle
        if handle is None:
            return
        if not ready and handle.error is not None:
            spawn_task.fail(handle.error)
            return
        if ready or handle.value is not None:
            try:
                missing = spawn_task.prepare()
            except Exception as error:
                spawn_task.fail(error)
                return
            if not missing:
                if at_once and self.spent_s < _AT_ONCE_S and not self._queue and spawn_task.small:
                    spawn_task.finish()
                else:
                    self._queue.append(spawn_task)
                    self._go_on()
                return
            if spawn_task.overrides is not None:
                spawn_task.wait_for(missing)
                return
        group = self._groups.get(handle.id)
        if group is None:
            group = self._groups[handle.id] = _SpawnGroup(handle, self.textures, self._release)
            if handle.value is not None:
                group.loaded()
        group.members[spawn_task] = None
        self._pending.pop(spawn_task, None)

    def _heard(self, event: LoadEvent) -> None:
        group = self._groups.get(event.id)
        if event.kind == "loaded":
            if group is not None:
                group.loaded()
        elif event.kind in ("reloaded", "dependency_reloaded"):
            self._warm.clear()  # they would keep what they were made of
            if group is not None:
                group.loaded()  # it may need other textures now
            handle = self._handles.get(event.id)
            if handle is not None:
                self._reloader.prefab_changed(handle)
        elif event.kind == "failed":
            if group is not None:
                group.fail(event.error)
            self._reloader.give_up(event.id)

    def _release(self, group: _SpawnGroup) -> None:
        """Queues the members of a group whose prefab and textures are loaded."""
        if self._groups.get(group.handle.id) is group:
            del self._groups[group.handle.id]
        self._pending.update(group.members)
        self._queue.extend(group.members)
        self._go_on()

    def left(self, spawn_task: SpawnTask) -> None:
        """Removes a spawn from its group, for `SpawnQueue.left`."""
        group = self._groups.get(spawn_task.id)
        if group is not None:
            group.members.pop(spawn_task, None)
            if not group.members:
                group.stop()
                del self._groups[spawn_task.id]

    def arrived(self, spawn_task: SpawnTask) -> None:
        """Builds or queues a spawn whose own textures are loaded, for `SpawnQueue.arrived`."""
        self._begin(spawn_task)

    def replaced(self, handle: Handle[Any]) -> None:
        """Updates the entities of a prefab, for `SpawnQueue.replaced`."""
        self._reloader.prefab_changed(handle)

    # --------------------------------------------------------------------------------------- queue

    def _go_on(self) -> None:
        if not self._building and self._queue:
            self._building = True
            self._loader.queue.post(self._build(), "spawn", Step("spawn", _PARTS))

    @property
    def waiting(self) -> int:
        """How many entities wait for something, or are being built."""
        return len(self._pending) + sum(len(one.members) for one in self._groups.values())

    @property
    def queued(self) -> bool:
        """Whether any spawn is in the queue: everything that it needs is loaded."""
        return bool(self._queue)

    def _build(self) -> Generator[Step, None, None]:
        try:
            while self._queue:
                left = _PARTS
                while self._queue and left > 0:
                    spawn_task = self._queue.popleft()
                    if spawn_task.done:
                        continue
                    if not spawn_task.prepared():
                        if not spawn_task.done:
                            self._begin(spawn_task)
                        continue
                    pictures = yield from spawn_task.draw_labels()
                    before = spawn_task.parts_left
                    left -= min(before, left) + 1  # one for what it costs beside its parts
                    while not spawn_task.done and not spawn_task.advance(_PARTS):
                        yield Step("spawn", _PARTS)
                    if before > _PARTS:
                        yield from spawn_task.show_built()
                    spawn_task.complete()
                    del pictures  # its sprites hold them now
                yield Step("spawn", _PARTS)
        finally:
            self._building = False
            if not self._closed:  # a step raised: go on with the other spawns
                self._go_on()

    # ---------------------------------------------------------------------------------------- end

    def tell_failure(
        self, identifier: str, error: Exception, handle: Handle[Any] | None = None
    ) -> None:
        """Reports a failed spawn, unless the loader has reported the failed load itself."""
        if not isinstance(error, PluginError) and (handle is None or error is not handle.error):
            _log.warning("%s cannot be spawned: %s", shown(identifier), shown_error(error))
            try:
                self.on_failure(identifier, error)
            except Exception:  # raised by the game: other spawns are waiting
                _log.exception("on_prefab_failed failed for %s", shown(identifier))

    def clear(self) -> None:
        """Despawns all entities without an owner: worlds keep theirs."""
        for group in list(self._instance_groups):
            group.despawn()
        for spawn_task in self._unfinished():
            if spawn_task.owner is None and not spawn_task.done:
                spawn_task.despawn(spawn_task.root)
        for record in self.entities.roots():
            if record.spawn_task.owner is None:
                record.entity.despawn()

    def close(self) -> None:
        """Fails all spawns that are not done; living entities stay."""
        self._closed = True
        self._warm.clear()
        for group in list(self._instance_groups):
            group.close()
        for spawn_task in self._unfinished():
            spawn_task.fail(PluginError("the plugin was closed before it was there"))
        self._queue.clear()
        self.lent.close()
        self.animator.clear()
        self.despawner.finish()

    def _unfinished(self) -> list[SpawnTask]:
        groups = [one for group in self._groups.values() for one in group.members]
        return [*self._pending, *groups]


def _forget(warm: dict[str, WarmSpawn], prefab: str, _: object) -> None:
    warm.pop(prefab, None)


def _name_of(prefab: Any) -> str:
    if isinstance(prefab, Handle):
        return prefab.id
    raise TypeError(f"a prefab to spawn is its id or a handle, not {prefab!r}")
