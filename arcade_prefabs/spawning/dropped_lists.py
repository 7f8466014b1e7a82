"""`DroppedListWatch`: tells the game of entities in a `SpriteList` that nobody draws any more.

A game hands a list of its own to `spawn`, and drops it with the level: the next one gets a new one.
Arcade's list is not collected by that, for its sprites hold it, and the entities hold those. They
live on where nobody sees them, and their walls stay solid. It is the same with a list that is
cleared. Nothing fails, so the game has to be told.

Whether the game keeps a list is a matter of counting: the list is dropped if all references to it
are those of its sprites, and our own. A search for whoever refers to it (`gc.get_referrers`) would
say so as well, and take 20 ms where there are 200,000 objects. What a count of references begins
with differs from one Python to the next; so an object of which the count is known is counted along.
A list is called dropped if that is true twice, some seconds apart, and it was not drawn meanwhile.
In doubt nothing is said: a list that is held in a cycle of references, by a view that waits for the
garbage collector, is told of once the view is gone.
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

_EVERY_S: Final = 2.0
# Lists that are looked at in one frame, each in 2 to 4 µs.
_AT_ONCE: Final = 16
# A game that hides sprites for a moment has put them back by then.
_OUT_S: Final = 6.0
# What is more than that is not looked at: of a mapping's lists, of a list's entities, of their
# parts. The first ones are enough to say what they are.
_LISTS: Final = 64
_ENTITIES: Final = 256
_PARTS: Final = 32
_NAMED: Final = 3
# Who has been told that often knows, or does it on purpose.
_MOST: Final = 20


class ListedSpawn(Protocol):
    """What was spawned into a list of the game.

    Attributes:
        id: Its prefab.
        scene: The list, or a scene of several.
        state: Where it is on its way.
        visible: Whether its sprites are to be shown.
        built: Its parts.
    """

    @property
    def id(self) -> str:
        """See above."""
        ...

    @property
    def scene(self) -> SpawnScene | None:
        """See above."""
        ...

    @property
    def state(self) -> EntityState:
        """See above."""
        ...

    @property
    def visible(self) -> bool:
        """See above."""
        ...

    @property
    def built(self) -> Sequence[EntityRecord]:
        """See above."""
        ...


class _Lent:
    """A list, or a scene of them, that the game has handed over, and what lives in it."""

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
        # How often the list had been looked at when it was spawned.
        self.spawnings: dict[ListedSpawn, int] = {}
        self.looks = 0
        self.told = self.cleared = False
        self.suspects: list[int] = []  # by id, lists that seemed to be dropped at the last look
        self.marks = [cleared_mark(one) for one in lists_of(scene)[:_LISTS]]
        # When it was seen first that the list had been cleared, and at which look.
        self.out_since: float | None = None
        self.out = 0

    def alive(self) -> Iterator[ListedSpawn]:
        """Some of what is alive in it, the oldest first."""
        for one in islice(self.spawnings, _ENTITIES):
            if one.state is EntityState.ALIVE:
                yield one


class DroppedListWatch:
    """Looks every two seconds whether some of the game's lists are dropped, or cleared.

    Args:
        walls: The lists of solid sprites, which are never drawn.
        clock: Seconds, as `time.perf_counter` gives them.

    Main thread.
    """

    def __init__(self, walls: Walls, clock: Callable[[], float]) -> None:
        self._walls = walls
        self._clock = clock
        self._lent: dict[int, _Lent] = {}
        self._turn: deque[_Lent] = deque()
        self._next: float | None = None
        self._told = 0
        self._scene = self._entity = 0  # where `some` goes on

    def add(self, spawn_task: ListedSpawn) -> None:
        """Note what is spawned into a list or scene of the game."""
        scene = spawn_task.scene
        assert scene is not None
        lent = self._lent.get(id(scene))
        if lent is None:
            lent = self._lent[id(scene)] = _Lent(scene)
            self._turn.append(lent)
        lent.spawnings[spawn_task] = lent.looks

    def discard(self, spawn_task: ListedSpawn) -> None:
        """Note that it is over; a list in which nothing lives is not kept."""
        lent = self._lent.get(id(spawn_task.scene))
        if lent is None or lent.spawnings.pop(spawn_task, None) is None or lent.spawnings:
            return
        del self._lent[id(spawn_task.scene)]
        lent.scene = None
        lent.marks.clear()

    @property
    def scenes(self) -> int:
        """How many lists and scenes of the game have entities in them."""
        return len(self._lent)

    def some(self, most: int) -> Iterator[ListedSpawn]:
        """The next entities that are alive, a number of them: all in turn, over several calls."""
        lents = list(self._lent.values())
        for _ in lents:
            lent = lents[self._scene % len(lents)]
            there = list(islice(lent.spawnings, self._entity, self._entity + most))
            yield from (one for one in there if one.state is EntityState.ALIVE)
            most -= len(there)
            self._entity += len(there)
            if most <= 0:
                return
            self._scene, self._entity = self._scene + 1, 0

    def was_cleared(self, spawn_task: Any) -> bool:
        """Return whether the game has cleared the list of a spawn since, or may have."""
        lent = self._lent.get(id(spawn_task.scene))
        if lent is None or lent.scene is None:
            return False
        there = {id(cleared_mark(one)) for one in lists_of(lent.scene)}
        if any(id(one) not in there for one in lent.marks):
            return True
        return lent.cleared and lent.spawnings.get(spawn_task, 0) <= lent.out

    def look(self) -> None:
        """Look at some of the lists, if it is time to."""
        if not self._lent or not _COUNTED or self._told >= _MOST:
            return
        now = self._clock()
        if self._next is not None and now < self._next:
            return
        first, self._next = self._next is None, now + _EVERY_S
        if first:
            return
        for _ in range(min(len(self._turn), _AT_ONCE)):
            lent = self._turn.popleft()
            if lent.scene is None:
                continue
            self._turn.append(lent)
            if not lent.told and len(lists_of(lent.scene)) <= _LISTS:
                self._look_for_drop(lent)
                self._look_for_clear(lent, now)
                lent.looks += 1

    def close(self) -> None:
        """Look at nothing any more."""
        self._lent.clear()
        self._turn.clear()

    # ------------------------------------------------------------------------------------- dropped

    def _look_for_drop(self, lent: _Lent) -> None:
        before, lent.suspects = lent.suspects, []
        dropped = _dropped(lent)
        certain = [one for one in dropped if id(one) in before and not was_drawn(one)]
        for one in dropped:
            lent.suspects.append(id(one))
            await_draw(one)
        if not certain:
            return
        if any(sum(s.sprite_lists.count(one) for s in one) != len(one) for one in certain):
            return  # its sprites do not all hold it, so the count means nothing
        lost = [one for one in lent.alive() if self._lost(one, certain)]
        if lost:
            kind = "SpriteList" if isinstance(lent.scene, SpriteList) else "scene"
            self._tell(
                lent,
                "the game dropped a %s while %s, spawned into it, live on: nothing draws them any "
                "more, and their walls stay solid. `despawn` them, or keep the %s, in an "
                "attribute, say; set `visible = False` on entities that nobody is to see",
                kind,
                _names(lost, len(lent.spawnings)),
                kind,
            )

    def _lost(self, spawn_task: ListedSpawn, dropped: Sequence[SpriteList[Any]]) -> bool:
        """Whether some sprite of it is in a dropped list, and in no other one that is drawn."""
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

    def _look_for_clear(self, lent: _Lent, now: float) -> None:
        assert lent.scene is not None
        marks = [cleared_mark(one) for one in lists_of(lent.scene)]
        there = {id(one) for one in marks}
        if any(id(one) not in there for one in lent.marks):
            lent.cleared = True
            lent.out_since, lent.out = now, lent.looks  # again and again, if it often is
        elif lent.out_since is not None and now - lent.out_since >= _OUT_S:
            lent.out_since = None
            lost = self._left_over(lent)
            if lost:
                self._tell(
                    lent,
                    "the game cleared a SpriteList while %s, spawned into it, live on: their "
                    "sprites are in no list that is drawn, but their walls stay solid. `despawn` "
                    "entities instead; set `visible = False` on those that nobody is to see",
                    _names(lost, len(lost)),
                )
        lent.marks = marks

    def _left_over(self, lent: _Lent) -> list[ListedSpawn]:
        """What stops things, but is in no list since that was cleared; nothing if in doubt."""
        walls = self._wall_ids()
        lost: list[ListedSpawn] = []
        recent: list[ListedSpawn] = []  # spawned shortly before the list was cleared, or after
        refilled = False
        for spawn_task in lent.alive():
            at = lent.spawnings[spawn_task]
            if at > lent.out:
                continue
            sprites = _sprites_of(spawn_task)
            if any(id(one) not in walls for sprite in sprites for one in sprite.sprite_lists):
                if at < lent.out:
                    return []  # the game puts back what it wants to show
                refilled = True
            elif spawn_task.visible and any(sprite.sprite_lists for sprite in sprites):
                if _kept(sprites):
                    return []  # the game may put it back
                (lost if at < lent.out else recent).append(spawn_task)
        return lost if refilled else lost + recent

    def _tell(self, lent: _Lent, message: str, *values: str) -> None:
        if self._told < _MOST and not lent.told:
            lent.told = True
            self._told += 1
            _log.warning(message, *values)

    def _wall_ids(self) -> set[int]:
        return {id(one) for one in self._walls.lists}


# Without the lock, or outside of CPython, a count of references says nothing.
_COUNTED: Final = (
    sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
)


def _counts(held: list[Any]) -> list[int]:
    """How many references there are to each object beside that of the list that is given.

    The whole is done in C, without frames of Python that hold anything; and the last object, to
    which nothing else refers, says what counting adds.
    """
    held.append(object())
    *counts, alone = map(sys.getrefcount, held)
    return [one - alone for one in counts]


def _dropped(lent: _Lent) -> list[SpriteList[Any]]:
    """The lists that nobody holds but their own sprites and what is spawned into them."""
    if lent.scene is None:
        return []
    mine = 1 + len(lent.spawnings)  # each spawn refers to it, and so does `lent`
    if isinstance(lent.scene, SpriteList):
        (count,) = _counts([lent.scene])
        one = lent.scene
        return [one] if one.visible and len(one) and count == mine + len(one) else []
    # Of other mappings, and of scenes of the game's own classes, nobody knows what they hold.
    if type(lent.scene) not in (dict, Scene) or _counts([lent.scene]) != [mine]:
        return []
    lists = lists_of(lent.scene)
    counts = _counts(lists)
    del lists[-1]
    expected = references_of(lent.scene)
    return [
        one
        for one, count in zip(lists, counts, strict=True)
        if one.visible and len(one) and count == expected[id(one)] + len(one)
    ]


def _sprites_of(spawn_task: ListedSpawn) -> list[BasicSprite]:
    parts = islice(spawn_task.built, _PARTS)
    return [sprite for entity in parts for sprite in entity.own_sprites()]


def _kept(sprites: Iterable[BasicSprite]) -> bool:
    """Whether anybody holds one of these sprites beside their entities and lists of walls."""
    held = [one for one in sprites if one.sprite_lists]
    known = [_references_to(one) for one in held]
    return any(count > ours for count, ours in zip(_counts(held), known, strict=True))


def _references_to(sprite: BasicSprite) -> int:
    """How often a sprite is held by its entity, its lists, and by those who look at it here."""
    ours = 2 + 1  # its entity, the table of whose it is, and the list of the caller
    for one in sprite.sprite_lists:
        ours += 2  # in its order, and by its slot
        if one.spatial_hash is not None:
            ours += 1 + len(one.spatial_hash.buckets_for_sprite.get(sprite, ()))
    return ours


def _names(spawnings: Sequence[ListedSpawn], count: int) -> str:
    """How many entities there are, and of which prefabs."""
    ids = list(dict.fromkeys(shown(one.id) for one in spawnings))
    more = f" and {len(ids) - _NAMED} more prefabs" if len(ids) > _NAMED else ""
    what = "entity" if count == 1 else "entities"
    return f"{count} {what} ({', '.join(ids[:_NAMED])}{more})"
