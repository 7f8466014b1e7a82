"""`EntityFactory`: prefabs become entities, in slices within the budget of frames."""

from __future__ import annotations

import logging
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Final

from arcade import Texture

from ...errors import PluginError, shown, shown_error
from ...frames import Step
from ...frames.main_thread_queue import Steps
from ...loading import AsyncPrefabLoader, Handle, LoadEvent, Priority
from ...loading.asset_names import spawnable_id
from ...loading.requests.priority import rank_of
from ...window.thread_guard import ThreadGuard
from ..atlas.textures import LoadedTexture, TextureStore
from ..blueprints.blueprint import SpawnPlan
from ..blueprints.labels import LabelLook, Labels
from ..blueprints.overrides import OverrideMap, Overrides
from ..blueprints.sprite_spec import TextureRef
from ..entities.animation import Animator
from ..entities.entity import Entity
from ..entities.entity_index import Entities
from ..entities.owner import SpawnOwner
from ..entities.transform import Place, checked_place
from ..layers import Layers, SpawnScene, check_scene
from ..lent_lists import LentLists
from ..walls import Walls
from .despawn import Departures
from .hot_reload import Reloader
from .spawn_group import SpawnGroup
from .spawn_task import Spawning
from .sprite_builder import Dressing

__all__ = ["EntityFactory"]

_log = logging.getLogger("arcade_prefabs")

# Parts that are built in one step: 0.1 to 0.2 ms.
_PARTS: Final = 12
# What has fewer parts is built at once when it is spawned, if everything is there...
_SMALL: Final = 50
# ...and as long as that took no more than this of the frame: a hundred small entities.
_AT_ONCE_S: Final = 0.001
# A hook that spawns what has the same hook: each is built later than the one before from then on.
_DEEPEST: Final = 4


class EntityFactory:
    """Spawns and despawns.

    Args:
        loader: Where prefabs come from.
        textures: Their images.
        labels: Their texts.
        layers: Where sprites go.
        clock: Seconds, as `time.perf_counter` gives them.

    Attributes:
        textures: See above.
        labels: See above.
        layers: See above.
        entities: What is alive.
        walls: Its solid sprites.
        lent: The game's own lists that it was spawned into.
        animator: Its animations.
        dressing: How it gets its sprites.
        departures: How what is alive goes.
        guard: Refuses other threads.
        on_failure: Called with the id and the error of what could not be spawned.
        spent_s: Seconds that `spawn` took since somebody set it to 0, which each frame does.

    Main thread.
    """

    def __init__(
        self,
        loader: AsyncPrefabLoader,
        textures: TextureStore,
        labels: Labels,
        layers: Layers,
        entities: Entities,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.textures = textures
        self.labels = labels
        self.layers = layers
        self.entities = entities
        self.registry = entities.registry
        self.walls = Walls()
        self.lent = LentLists(self.walls, clock)
        self.animator = Animator(self.texture_or_none)
        self.dressing = Dressing(self)
        self.departures = Departures(entities, loader.queue)
        self.guard = ThreadGuard()
        self._loader = loader
        self._clock = clock
        self.on_failure: Callable[[str, Exception], None] = lambda _id, _error: None
        self.spent_s = 0.0
        # One handle for all entities of a prefab.
        self._handles: weakref.WeakValueDictionary[str, Handle[Any]] = weakref.WeakValueDictionary()
        self._groups: dict[str, SpawnGroup] = {}  # prefabs that are waited for
        self._queue: deque[Spawning] = deque()
        self._pending: dict[Spawning, None] = {}  # what is on its way, and in no group
        self._building = self._closed = False
        self._depth = 0
        self._reloader = Reloader(self, loader.queue)
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
        """See `PrefabPlugin.spawn`."""
        started = self._clock()
        name = spawnable_id(prefab) if isinstance(prefab, str) else _name_of(prefab)
        local = checked_place(position, angle, scale)
        if scene is not None:
            check_scene(scene)
        if priority is not Priority.NORMAL:
            rank_of(priority)
        group = self._groups.get(name)
        if group is not None and overrides is None and priority is Priority.NORMAL:
            spawning = Spawning(self, group.handle, scene, None, progressive)
            entity = spawning.entity = Entity(spawning, name, None, None, local)
            group.members[spawning] = None
            if scene is not None:
                self.lent.add(spawning)
        else:
            own = None if overrides is None else Overrides(overrides, self.registry)
            spawning = Spawning(self, self.handle_of(name, priority), scene, own, progressive)
            entity = spawning.entity = Entity(spawning, name, None, None, local)
            self._pending[spawning] = None
            if scene is not None:
                self.lent.add(spawning)
            self._depth += 1  # hooks of what is spawned at once may spawn, too
            try:
                self._begin(spawning, at_once=self._depth <= _DEEPEST)
            finally:
                self._depth -= 1
        self.spent_s += self._clock() - started
        return entity

    def handle_of(self, name: str, priority: Priority) -> Handle[Any]:
        """The handle of a prefab by its full id, which is loaded if it is not yet."""
        handle = self._handles.get(name)
        if handle is None or handle.cancelled or handle.error is not None:
            # A failed load is tried again: perhaps its file is there by now.
            handle = self._handles[name] = self._loader.load(name, priority=priority)
        elif priority is not Priority.NORMAL and not handle.done:
            return self._loader.load(name, priority=priority)
        return handle

    def load_texture(self, ref: TextureRef, on_done: Callable[[Handle[Any]], None]) -> Handle[Any]:
        """Load an image that no prefab brings with it."""
        return self._loader.load(ref.path, settings=dict(ref.settings) or None, on_done=on_done)

    def texture_or_none(self, ref: TextureRef) -> LoadedTexture | None:
        """The texture of an image, if it is there."""
        return self.textures.get(ref)

    # -------------------------------------------------------------------------------------- steps

    def _begin(self, spawning: Spawning, *, at_once: bool = False) -> None:
        """Have it built, or wait for what is not there yet."""
        handle = spawning.handle
        if handle is None:
            return
        if handle.error is not None:
            spawning.fail(handle.error)
            return
        if handle.value is not None:
            try:
                missing = spawning.prepare()
            except Exception as error:
                spawning.fail(error)
                return
            if not missing:
                self._enqueue(spawning, at_once=at_once)
                return
            if spawning.overrides is not None:
                spawning.wait_for(missing)
                return
        group = self._groups.get(handle.id)
        if group is None:
            group = self._groups[handle.id] = SpawnGroup(self, handle)
            if handle.value is not None:
                group.loaded()
        group.members[spawning] = None
        self._pending.pop(spawning, None)

    def _heard(self, event: LoadEvent) -> None:
        group = self._groups.get(event.id)
        if event.kind == "loaded":
            if group is not None:
                group.loaded()
        elif event.kind in ("reloaded", "dependency_reloaded"):
            if group is not None:
                group.loaded()  # it may need other textures now
            handle = self._handles.get(event.id)
            if handle is not None:
                self._reloader.prefab_changed(handle)
        elif event.kind == "failed":
            if group is not None:
                group.fail(event.error)
            self._reloader.give_up(event.id)

    def release(self, group: SpawnGroup) -> None:
        """All that a group waited for is there: have its members built."""
        if self._groups.get(group.handle.id) is group:
            del self._groups[group.handle.id]
        self._pending.update(group.members)
        self._queue.extend(group.members)
        self._go_on()

    def leave(self, spawning: Spawning) -> None:
        """Wait for nothing any more on behalf of a spawn."""
        group = self._groups.get(spawning.id)
        if group is not None:
            group.members.pop(spawning, None)
            if not group.members:
                group.stop()
                del self._groups[spawning.id]

    def arrived(self, spawning: Spawning) -> None:
        """Textures came that a single spawn was waiting for."""
        self._begin(spawning)

    def _enqueue(self, spawning: Spawning, *, at_once: bool) -> None:
        """Build it: at once if that takes next to nothing, otherwise within the budget."""
        plan = spawning.plan
        small = plan is not None and len(plan.parts) <= _SMALL and not self._undrawn(plan)
        if at_once and small and self.spent_s < _AT_ONCE_S and not self._queue:
            self.finish_now(spawning)
            return
        self._queue.append(spawning)
        self._go_on()

    def _go_on(self) -> None:
        if not self._building and self._queue:
            self._building = True
            self._loader.queue.post(self._build(), "spawn", Step("spawn", _PARTS))

    def done(self, spawning: Spawning) -> None:
        """A spawn is alive, or never will be."""
        self._pending.pop(spawning, None)

    @property
    def waiting(self) -> int:
        """How many entities wait for something, or are being built."""
        return len(self._pending) + sum(len(one.members) for one in self._groups.values())

    @property
    def queued(self) -> bool:
        """Whether anything can be built now."""
        return bool(self._queue)

    def _build(self) -> Generator[Step, None, None]:
        try:
            while self._queue:
                left = _PARTS
                while self._queue and left > 0:
                    spawning = self._queue.popleft()
                    if spawning.done or (spawning.plan is None and not self._prepared(spawning)):
                        continue
                    pictures = yield from self.draw_labels(spawning)
                    before = spawning.parts_left
                    left -= min(before, left) + 1  # one for what it costs beside its parts
                    while not spawning.done and not self.advance(spawning, _PARTS):
                        yield Step("spawn", _PARTS)
                    if before > _PARTS:
                        yield from spawning.show_built()
                    self.complete(spawning)
                    del pictures  # its sprites hold them now
                yield Step("spawn", _PARTS)
        finally:
            self._building = False
            if not self._closed:  # what is left if something failed
                self._go_on()

    def begin_for(
        self,
        owner: SpawnOwner,
        handle: Handle[Any],
        place: Place,
        scene: SpawnScene,
        overrides: Overrides | None,
        authored: Place | None = None,
    ) -> Spawning:
        """A spawn of what is loaded, on behalf of an owner, who has it built.

        Args:
            owner: Whom it belongs to.
            handle: Its prefab.
            place: Where it stands.
            scene: Where its sprites go.
            overrides: What is its own.
            authored: Where it stood before the game moved it; None if the game has not.
        """
        # Its lists are not drawn before everything is there, so nothing need be hidden.
        spawning = Spawning(self, handle, scene, overrides, progressive=True)
        spawning.owner = owner
        spawning.entity = Entity(spawning, handle.id, None, None, place)
        if authored is not None:
            spawning.entity._local = authored
        return spawning

    def post(self, steps: Steps, first: Step) -> None:
        """Have something built in the budget of frames."""
        self._loader.queue.post(steps, "spawn", first)

    def _undrawn(self, plan: SpawnPlan) -> list[LabelLook]:
        return [look for look in plan.labels if self.labels.get(look) is None]

    def draw_labels(self, spawning: Spawning) -> Generator[Step, None, list[Texture]]:
        """Draw the texts that it needs, each in a step of its own."""
        drawn = []
        plan = spawning.plan
        for look in plan.labels if plan is not None else ():
            if self.labels.get(look) is None:
                yield Step("text", 1)
            if spawning.done:
                break
            try:
                drawn.append(self.labels.draw(look))
            except Exception as error:
                spawning.fail(error)
        return drawn

    def _prepared(self, spawning: Spawning) -> bool:
        """Whether it can be built; if not, it waits again, or has failed."""
        try:
            handle = spawning.handle
            if handle is not None and handle.value is not None and not spawning.prepare():
                return True
        except Exception as error:
            spawning.fail(error)
            return False
        self._begin(spawning)
        return False

    def advance(self, spawning: Spawning, most: int) -> bool:
        """Build some parts; whether there are no more of them. What goes wrong fails the spawn."""
        try:
            return spawning.build(most)
        except Exception as error:
            spawning.fail(error)
            return False

    def complete(self, spawning: Spawning) -> None:
        """Bring to life what is built."""
        if spawning.done:
            return
        try:
            spawning.complete()
        except Exception as error:
            spawning.fail(error)
            return
        handle = spawning.handle
        if handle is not None and handle.value is not spawning.prefab:
            self._reloader.prefab_changed(handle)  # while it was being built

    def finish_now(self, spawning: Spawning) -> None:
        """Build all of it at once, if that is possible."""
        if spawning.plan is None:
            try:
                handle = spawning.handle
                if handle is None or handle.value is None or spawning.prepare():
                    return
            except Exception as error:
                spawning.fail(error)
                return
        if self.advance(spawning, spawning.parts_left):
            for _ in spawning.show_built():
                pass
            self.complete(spawning)

    # ---------------------------------------------------------------------------------------- end

    def tell_failure(
        self, identifier: str, error: Exception, handle: Handle[Any] | None = None
    ) -> None:
        """Let it be known that a spawn failed; of loads that failed, the loader tells."""
        if not isinstance(error, PluginError) and (handle is None or error is not handle.error):
            _log.warning("%s cannot be spawned: %s", shown(identifier), shown_error(error))
            try:
                self.on_failure(identifier, error)
            except Exception:  # the game's own; others are waiting to be spawned
                _log.exception("on_prefab_failed failed for %s", shown(identifier))

    def clear(self) -> None:
        """Despawn everything that belongs to nobody else, such as a world."""
        for spawning in self._unfinished():
            if spawning.owner is None:
                spawning.despawn(spawning.entity)
        for entity in list(self.entities):
            if entity._spawning.owner is None:
                entity.despawn()

    def close(self) -> None:
        """Spawn nothing any more; what is alive stays."""
        self._closed = True
        for spawning in self._unfinished():
            spawning.fail(PluginError("the plugin was detached before it was there"))
        self._queue.clear()
        self.lent.close()
        self.animator.clear()
        self.departures.finish()

    def _unfinished(self) -> list[Spawning]:
        groups = [one for group in self._groups.values() for one in group.members]
        return [*self._pending, *groups]


def _name_of(prefab: Any) -> str:
    if isinstance(prefab, Handle):
        return prefab.id
    raise TypeError(f"a prefab to spawn is its id or a handle, not {prefab!r}")
