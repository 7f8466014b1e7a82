"""What moves by itself: every entity whose tags say so."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Final

from .landscape import TILE, Landscape

if TYPE_CHECKING:
    from arcade_prefabs import Entity, PrefabPlugin

__all__ = ["Creatures"]

# Pixels a second, and how much the heading changes in one, in degrees.
_WAYS: Final = {"wanders": (30.0, 60.0), "flits": (90.0, 220.0), "drives": (110.0, 0.0)}
_WATER: Final = ("water", "deep")


class Creatures:
    """Moves them over the land: fish stay in the water, tanks on the road.

    Args:
        prefabs: The plugin.
        landscape: Where they move.
    """

    def __init__(self, prefabs: PrefabPlugin, landscape: Landscape) -> None:
        self._prefabs = prefabs
        self._landscape = landscape
        self._headings: dict[Entity, float] = {}
        self._chance = random.Random(1)

    def update(self, delta_time: float) -> int:
        """Let time pass; gives how many moved."""
        headings: dict[Entity, float] = {}
        for tag, (speed, turn) in _WAYS.items():
            for entity in self._prefabs.entities.with_tag(tag):
                heading = self._headings.get(entity)
                if heading is None:
                    heading = entity.angle if tag == "drives" else self._chance.uniform(0, 360)
                heading += self._chance.uniform(-turn, turn) * delta_time
                headings[entity] = self._move(entity, heading, speed * delta_time, tag == "drives")
        self._headings = headings
        return len(headings)

    def _move(self, entity: Entity, heading: float, way: float, drives: bool) -> float:
        x, y = entity.position
        angle = math.radians(heading)
        across, up = math.sin(angle), math.cos(angle)
        # A little ahead, so that it turns before the border and not on it.
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
