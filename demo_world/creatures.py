"""`Creatures`: moves every entity with the tag ``wanders``, ``flits`` or ``drives``."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .landscape import TILE, Landscape

if TYPE_CHECKING:
    from arcade_prefabs import Entity, PrefabPlugin

__all__ = ["Creatures"]

# By tag: the speed in pixels a second, and the largest change of heading in degrees a second.
_WAYS: Final = {"wanders": (30.0, 60.0), "flits": (90.0, 220.0), "drives": (110.0, 0.0)}
_WATER: Final = ("water", "deep")
# A creature out of sight moves in every fourth frame only, four times as far. Most living creatures
# are out of sight, and moving 250 of them in each frame took more time than all streaming.
_SELDOM: Final = 4


@dataclass(slots=True)
class _Creature:
    """The motion of one creature.

    Attributes:
        heading: The direction, clockwise from north, in degrees.
        turn: The frame, modulo `_SELDOM`, in which it moves while it is out of sight.
        seen: Whether it was in sight when it moved last.
        waited: Seconds since it moved last.
    """

    heading: float
    turn: int
    seen: bool = False
    waited: float = 0.0


class Creatures:
    """Moves creatures over the landscape: fish stay in the water, tanks on the road.

    Creatures out of sight move less often, but at the same speed.

    Args:
        prefabs: The plugin, which has the entities.
        landscape: The landscape.
    """

    def __init__(self, prefabs: PrefabPlugin, landscape: Landscape) -> None:
        self._prefabs = prefabs
        self._landscape = landscape
        self._creatures: dict[Entity, _Creature] = {}
        self._turns = itertools.cycle(range(_SELDOM))
        self._frame = 0
        self._chance = random.Random(1)

    def update(self, delta_time: float, place: tuple[float, float], sight: float) -> int:
        """Moves the creatures. Returns their number.

        Args:
            delta_time: Seconds since the last call.
            place: The center of the view, in pixels.
            sight: The distance from the center within which creatures may be seen, in pixels.
        """
        self._frame += 1
        now = self._frame % _SELDOM
        creatures: dict[Entity, _Creature] = {}
        for tag, (speed, turn) in _WAYS.items():
            drives = tag == "drives"
            for entity in self._prefabs.entities.with_tag(tag):
                one = self._creatures.get(entity)
                if one is None:
                    heading = entity.angle if drives else self._chance.uniform(0, 360)
                    one = _Creature(heading, next(self._turns))
                creatures[entity] = one
                one.waited += delta_time
                if one.seen or one.turn == now:
                    x, y = entity.position
                    one.seen = abs(x - place[0]) < sight and abs(y - place[1]) < sight
                    heading = one.heading + self._chance.uniform(-turn, turn) * one.waited
                    one.heading = self._move(entity, x, y, heading, speed * one.waited, drives)
                    one.waited = 0.0
        self._creatures = creatures
        return len(creatures)

    def _move(
        self, entity: Entity, x: float, y: float, heading: float, way: float, drives: bool
    ) -> float:
        angle = math.radians(heading)
        across, up = math.sin(angle), math.cos(angle)
        # Looks 40 pixels ahead, so that it turns before the border.
        if not self._may_be(x, y, x + across * 40, y + up * 40, drives):
            return heading + 180 if drives else heading + self._chance.uniform(120, 240)
        if drives:
            entity.place((x + across * way, y + up * way), heading + 180, entity.scale)
        else:
            entity.position = (x + across * way, y + up * way)
            for sprite in entity.own_sprites():
                if (sprite.width < 0) != (across > 0):  # the art looks to the left
                    sprite.width = -sprite.width
        return heading

    def _may_be(self, x: float, y: float, to_x: float, to_y: float, drives: bool) -> bool:
        there = int(to_x // TILE), int(to_y // TILE)
        if drives:
            return bool(self._landscape.road(*there))
        here = int(x // TILE), int(y // TILE)
        kind = self._landscape.kind
        return here == there or (kind(*here) in _WATER) == (kind(*there) in _WATER)
