"""`DroppedListWatch`: warns of living entities in a sprite list that the game has dropped.

**The problem.** A game spawns into a `SpriteList` of its own, and drops the list with the level.
Its sprites hold the list, and the entities hold the sprites, so all of them live on: nothing draws
them, but their walls stay solid. The same happens if the game clears the list. Nothing fails, so a
warning has to tell the author.

**The way taken.** References are counted: a list is dropped if all references to it come from its
own sprites and from this package. The base of `sys.getrefcount` differs between versions of Python,
so an object with a known number of references is counted along. A list is reported if it was
dropped in two looks, seconds apart, and was not drawn in between. In doubt nothing is reported: a
list that is held by a cycle of references, such as a view that waits for the garbage collector, is
reported once the view is gone.

**The way rejected.** *Searching for objects that refer to the list (`gc.get_referrers`)*: it gives
the same answer, and takes 20 ms with 200,000 objects.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Protocol

from arcade import BasicSprite, Scene, SpriteList

from ..errors import shown
from ..window.arcade_private import await_draw, cleared_mark, lists_of, references_of, was_drawn
from .entities.entity import EntityRecord, EntityState
from .layers import SpawnScene
from .walls import Walls

__all__ = ["DroppedListWatch", "ListedSpawn"]

_log = logging.getLogger("arcade_prefabs")

# Seconds between two looks.
_EVERY_S: Final = 2.0
# Lists that are checked in one look, in 2 to 4 µs each.
_AT_ONCE: Final = 16
# Seconds after which a cleared list is reported: a game may put sprites back that it hid.
_OUT_S: Final = 6.0
# Limits of a check: lists of a mapping, entities of a list, parts of an entity, prefabs in a
# message. The first ones suffice for a message.
_LISTS: Final = 64
_ENTITIES: Final = 256
_PARTS: Final = 32
_NAMED: Final = 3
# Warnings at most: a game that goes on after so many does it on purpose.
_MOST: Final = 20


class ListedSpawn(Protocol):
    """A spawn into a sprite list, or a scene, of the game; a `SpawnTask` is one.

    Attributes:
        id: The prefab's id.
        scene: The list, or the scene of several lists.
        state: The entity's state.
        visible: Whether the entity is shown.
        built: The records of its parts.
    """

    @property
    def id(self) -> str:
        """The prefab's id."""
        ...

    @property
    def scene(self) -> SpawnScene | None:
        """The list, or the scene of several lists."""
        ...

    @property
    def state(self) -> EntityState:
        """The entity's state."""
        ...

    @property
    def visible(self) -> bool:
        """Whether the entity is shown."""
        ...

    @property
    def built(self) -> Sequence[EntityRecord]:
        """The records of the entity's parts."""
        ...


class _GameLists:
    """A sprite list of the game, or a scene of several, and the spawns that live in it."""

    __slots__ = (
        "cleared",
        "looks",
        "marks",
        "out",
        "out_since",
        "scene",
        "spawnings",
        "suspects",
        "told",
    )

    def __init__(self, scene: SpawnScene) -> None:
        self.scene: SpawnScene | None = scene
        # The number of looks that had been taken when each spawn was added.
        self.spawnings: dict[ListedSpawn, int] = {}
        self.looks = 0
        self.told = self.cleared = False
        self.suspects: list[int] = []  # `id()`s of lists that seemed dropped in the last look
        self.marks = [cleared_mark(one) for one in lists_of(scene)[:_LISTS]]
        # When, and in which look, the list was found cleared.
        self.out_since: float | None = None
        self.out = 0

    def alive(self) -> Iterator[ListedSpawn]:
        """Yields the spawns that are alive, the oldest first, at most 256."""
        for spawn_task in islice(self.spawnings, _ENTITIES):
            if spawn_task.state is EntityState.ALIVE:
                yield spawn_task


class DroppedListWatch:
    """Checks every two seconds whether sprite lists of the game are dropped or cleared.

    Args:
        walls: The wall lists, which are never drawn.
        clock: Returns seconds, such as `time.perf_counter`.

    Main thread.
    """

    def __init__(self, walls: Walls, clock: Callable[[], float]) -> None:
        self._walls = walls
        self._clock = clock
        self._lent: dict[int, _GameLists] = {}
        self._turn: deque[_GameLists] = deque()
        self._next: float | None = None
        self._told = 0
        self._scene = self._entity = 0  # where `some` goes on

    def add(self, spawn_task: ListedSpawn) -> None:
        """Adds a spawn into a list or a scene of the game."""
        scene = spawn_task.scene
        assert scene is not None
        game_lists = self._lent.get(id(scene))
        if game_lists is None:
            game_lists = self._lent[id(scene)] = _GameLists(scene)
            self._turn.append(game_lists)
        game_lists.spawnings[spawn_task] = game_lists.looks

    def discard(self, spawn_task: ListedSpawn) -> None:
        """Removes a spawn that is over, and its list if no other spawn lives in it."""
        game_lists = self._lent.get(id(spawn_task.scene))
        if (
            game_lists is None
            or game_lists.spawnings.pop(spawn_task, None) is None
            or game_lists.spawnings
        ):
            return
        del self._lent[id(spawn_task.scene)]
        game_lists.scene = None
        game_lists.marks.clear()

    @property
    def scenes(self) -> int:
        """How many lists and scenes of the game have entities in them."""
        return len(self._lent)

    def some(self, most: int) -> Iterator[ListedSpawn]:
        """Yields the next living spawns, so many in each call; further calls go on in turn."""
        all_lists = list(self._lent.values())
        for _ in all_lists:
            game_lists = all_lists[self._scene % len(all_lists)]
            there = list(islice(game_lists.spawnings, self._entity, self._entity + most))
            yield from (one for one in there if one.state is EntityState.ALIVE)
            most -= len(there)
            self._entity += len(there)
            if most <= 0:
                return
            self._scene, self._entity = self._scene + 1, 0

    def was_cleared(self, spawn_task: Any) -> bool:
        """Whether the game has cleared the list of a spawn since then, or may have."""
        game_lists = self._lent.get(id(spawn_task.scene))
        if game_lists is None or game_lists.scene is None:
            return False
        there = {id(cleared_mark(one)) for one in lists_of(game_lists.scene)}
        if any(id(one) not in there for one in game_lists.marks):
            return True
        return game_lists.cleared and game_lists.spawnings.get(spawn_task, 0) <= game_lists.out

    def look(self) -> None:
        """Checks the next lists, if two seconds have passed; called once a frame."""
        if not self._lent or not _COUNTED or self._told >= _MOST:
            return
        now = self._clock()
        if self._next is not None and now < self._next:
            return
        first, self._next = self._next is None, now + _EVERY_S
        if first:
            return
        for _ in range(min(len(self._turn), _AT_ONCE)):
            game_lists = self._turn.popleft()
            if game_lists.scene is None:
                continue
            self._turn.append(game_lists)
            if not game_lists.told and len(lists_of(game_lists.scene)) <= _LISTS:
                self._look_for_drop(game_lists)
                self._look_for_clear(game_lists, now)
                game_lists.looks += 1

    def close(self) -> None:
        """Forgets all lists."""
        self._lent.clear()
        self._turn.clear()

    # ------------------------------------------------------------------------------------- dropped

    def _look_for_drop(self, game_lists: _GameLists) -> None:
        before, game_lists.suspects = game_lists.suspects, []
        dropped = _dropped(game_lists)
        certain = [one for one in dropped if id(one) in before and not was_drawn(one)]
        for one in dropped:
            game_lists.suspects.append(id(one))
            await_draw(one)
        if not certain:
            return
        if any(sum(s.sprite_lists.count(one) for s in one) != len(one) for one in certain):
            return  # not all of its sprites refer to it, so the count means nothing
        lost = [one for one in game_lists.alive() if self._lost(one, certain)]
        if lost:
            kind = "SpriteList" if isinstance(game_lists.scene, SpriteList) else "scene"
            self._tell(
                game_lists,
                "the game dropped a %s while %s, spawned into it, live on: nothing draws them any "
                "more, and their walls stay solid. `despawn` them, or keep the %s, in an "
                "attribute, say; set `visible = False` on entities that nobody is to see",
                kind,
                _names(lost, len(game_lists.spawnings)),
                kind,
            )

    def _lost(self, spawn_task: ListedSpawn, dropped: Sequence[SpriteList[Any]]) -> bool:
        """Whether a visible sprite of the spawn is in dropped lists, and in no other drawn list."""
        if not spawn_task.visible:
            return False
        gone = {id(one) for one in dropped}
        walls = self._wall_ids()
        for sprite in _sprites_of(spawn_task):
            where = {id(one) for one in sprite.sprite_lists} - walls
            if sprite.visible and where and where <= gone:
                return True
        return False

    # ------------------------------------------------------------------------------------- cleared

    def _look_for_clear(self, game_lists: _GameLists, now: float) -> None:
        assert game_lists.scene is not None
        marks = [cleared_mark(one) for one in lists_of(game_lists.scene)]
        there = {id(one) for one in marks}
        if any(id(one) not in there for one in game_lists.marks):
            game_lists.cleared = True
            game_lists.out_since, game_lists.out = now, game_lists.looks  # anew with each clearing
        elif game_lists.out_since is not None and now - game_lists.out_since >= _OUT_S:
            game_lists.out_since = None
            lost = self._left_over(game_lists)
            if lost:
                self._tell(
                    game_lists,
                    "the game cleared a SpriteList while %s, spawned into it, live on: their "
                    "sprites are in no list that is drawn, but their walls stay solid. `despawn` "
                    "entities instead; set `visible = False` on those that nobody is to see",
                    _names(lost, len(lost)),
                )
        game_lists.marks = marks

    def _left_over(self, game_lists: _GameLists) -> list[ListedSpawn]:
        """Returns the living spawns that are in no list since the clearing; empty if in doubt."""
        walls = self._wall_ids()
        lost: list[ListedSpawn] = []
        recent: list[ListedSpawn] = []  # spawned in the same two seconds as the list was cleared
        refilled = False
        for spawn_task in game_lists.alive():
            at = game_lists.spawnings[spawn_task]
            if at > game_lists.out:
                continue
            sprites = _sprites_of(spawn_task)
            if any(id(one) not in walls for sprite in sprites for one in sprite.sprite_lists):
                if at < game_lists.out:
                    return []  # the game puts sprites back that it wants to show
                refilled = True
            elif spawn_task.visible and any(sprite.sprite_lists for sprite in sprites):
                if _kept(sprites):
                    return []  # the game may put it back
                (lost if at < game_lists.out else recent).append(spawn_task)
        return lost if refilled else lost + recent

    def _tell(self, game_lists: _GameLists, message: str, *values: str) -> None:
        if self._told < _MOST and not game_lists.told:
            game_lists.told = True
            self._told += 1
            _log.warning(message, *values)

    def _wall_ids(self) -> set[int]:
        return {id(one) for one in self._walls.lists}


# Without the GIL, or outside CPython, reference counts say nothing.
_COUNTED: Final = (
    sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
)


def _counts(held: list[Any]) -> list[int]:
    """Returns the number of references to each object, without the one from the given list.

    `map` calls in C, so that no Python frame holds a reference; and the last object, to which
    nothing else refers, shows what counting adds.
    """
    held.append(object())
    *counts, alone = map(sys.getrefcount, held)
    return [count - alone for count in counts]


def _dropped(game_lists: _GameLists) -> list[SpriteList[Any]]:
    """Returns the lists to which only their own sprites and the spawns into them refer."""
    if game_lists.scene is None:
        return []
    mine = 1 + len(game_lists.spawnings)  # `game_lists` refers to the scene, and so does each spawn
    if isinstance(game_lists.scene, SpriteList):
        (count,) = _counts([game_lists.scene])
        sprites = game_lists.scene
        return (
            [sprites] if sprites.visible and len(sprites) and count == mine + len(sprites) else []
        )
    # How many references other mappings, and the game's own classes of scenes, hold is not known.
    if type(game_lists.scene) not in (dict, Scene) or _counts([game_lists.scene]) != [mine]:
        return []
    lists = lists_of(game_lists.scene)
    counts = _counts(lists)
    del lists[-1]
    expected = references_of(game_lists.scene)
    return [
        sprites
        for sprites, count in zip(lists, counts, strict=True)
        if sprites.visible and len(sprites) and count == expected[id(sprites)] + len(sprites)
    ]


def _sprites_of(spawn_task: ListedSpawn) -> list[BasicSprite]:
    parts = islice(spawn_task.built, _PARTS)
    return [sprite for entity in parts for sprite in entity.own_sprites()]


def _kept(sprites: Iterable[BasicSprite]) -> bool:
    """Whether the game refers to one of the sprites, beside entities and wall lists."""
    held = [sprite for sprite in sprites if sprite.sprite_lists]
    known = [_references_to(sprite) for sprite in held]
    return any(count > ours for count, ours in zip(_counts(held), known, strict=True))


def _references_to(sprite: BasicSprite) -> int:
    """Returns how many references to a sprite come from its entity, its lists and this module."""
    ours = 2 + 1  # the entity, the entity index, and the list of the caller
    for sprites in sprite.sprite_lists:
        ours += 2  # `SpriteList.sprite_list` and `sprite_slot`
        if sprites.spatial_hash is not None:
            ours += 1 + len(sprites.spatial_hash.buckets_for_sprite.get(sprite, ()))
    return ours


def _names(spawnings: Sequence[ListedSpawn], count: int) -> str:
    """Returns how many entities of which prefabs there are, for a message."""
    ids = list(dict.fromkeys(shown(spawn_task.id) for spawn_task in spawnings))
    more = f" and {len(ids) - _NAMED} more prefabs" if len(ids) > _NAMED else ""
    what = "entity" if count == 1 else "entities"
    return f"{count} {what} ({', '.join(ids[:_NAMED])}{more})"
