"""`Landscape`: computes the entities of each cell; a size gives the same world on every machine.

A cell is 8 by 8 tiles of 128 pixels. Every 8 cells, a road runs from west to east, and one from
south to north; there is a town at each crossing that is on land.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

TILE: Final = 128
TILES: Final = 8  # tiles of a cell in each direction
CELL: Final = TILE * TILES
LAYERS: Final = ("ground", "things", "actors", "crowns")
THINGS: Final = 40  # attempts to place an entity in a cell
_ROADS: Final = 64  # tiles from one road to the next
_TOWN: Final = 11  # tiles from the middle of a town to its border
_SEED: Final = 2026
_CORNER: Final = 0.7071  # the scale of a tile turned by 45 degrees, so that it covers a corner
# The spacing of the noise lattices, in tiles.
_WIDE: Final = 48
_FINE: Final = 14

# The prefabs that grow on each kind of ground, with their weights.
_FLORA: Final[dict[str, dict[str, int]]] = {
    "grass": {
        "nature#tree": 10, "nature#young_tree": 7, "nature#bush": 5, "nature#sprout": 12,
        "nature#flower": 3, "nature#mushroom": 2, "nature#rock": 1, "nature#pebble": 2,
        "creatures#bee": 1, "creatures#ladybug": 1, "creatures#mouse": 1,
        "treasure#coin": 1, "treasure#gem": 1,
    },
    "autumn": {
        "nature#autumn_tree": 14, "nature#young_autumn_tree": 9, "nature#mushroom": 5,
        "nature#bush": 2, "nature#pebble": 2, "nature#rock": 1,
        "creatures#frog": 1, "creatures#worm": 1, "treasure#coin": 1, "treasure#red_gem": 1,
    },
    "snow": {
        "nature#fir": 12, "nature#snow_pile": 9, "nature#rock": 3, "nature#boulder": 1,
        "creatures#slime": 1, "treasure#star": 1,
    },
    "sand": {
        "nature#cactus": 6, "nature#pebble": 8, "nature#rock": 2, "nature#dead_tree": 2,
        "creatures#worm": 1, "treasure#coin": 1,
    },
    "ash": {
        "nature#dead_tree": 5, "nature#boulder": 4, "nature#rock": 4, "nature#spikes": 3,
        "nature#pebble": 8, "creatures#fly": 1, "treasure#red_gem": 1, "ground#lava": 1,
    },
    "water": {"creatures#fish": 3, "creatures#pink_fish": 2, "nature#pebble": 1},
}  # fmt: skip
_WAVY: Final = ("deep", "water", "snow")
_RADIUS: Final = {"nature#boulder": 70, "nature#tree": 46, "nature#autumn_tree": 46}
_HOUSES: Final = ("town#house", "town#blue_house", "town#old_house")
_PATROLS: Final = ("town#patrol", "town#sand_patrol", "town#dark_patrol")


class Thing(NamedTuple):
    """An entity of the world.

    Attributes:
        prefab: The id of its prefab below ``demo/``.
        x: The x of its center, in pixels.
        y: The y of its center, in pixels.
        angle: The clockwise rotation, in degrees.
        scale: The factor of its size.
    """

    prefab: str
    x: float
    y: float
    angle: float = 0.0
    scale: float = 1.0


def recipe() -> str:
    """Returns a hash of this module, so that a world built by an older version is not used."""
    return hashlib.blake2b(Path(__file__).read_bytes(), digest_size=4).hexdigest()


class Landscape:
    """A square world of ``size`` by ``size`` cells.

    Args:
        size: The number of cells in each direction.

    Attributes:
        size: The argument.
        tiles: The number of tiles in each direction.
        pixels: The width and height in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.tiles = size * TILES
        self.pixels = size * CELL
        self.kind = lru_cache(maxsize=8192)(self._kind)
        self._lattice = lru_cache(maxsize=65536)(_random_number)

    def _noise(self, x: int, y: int, wide: int, seed: int) -> float:
        """Returns smooth noise, 0 to 1: random numbers on a lattice, interpolated in between."""
        column, across = divmod(x, wide)
        row, up = divmod(y, wide)
        across_part, up_part = across / wide, up / wide
        across_part *= across_part * (3 - 2 * across_part)
        up_part *= up_part * (3 - 2 * up_part)
        number = self._lattice
        below = number(column, row, seed)
        below += (number(column + 1, row, seed) - below) * across_part
        above = number(column, row + 1, seed)
        above += (number(column + 1, row + 1, seed) - above) * across_part
        return below + (above - below) * up_part

    def _kind(self, x: int, y: int) -> str:
        """Returns the kind of ground at a tile."""
        height = 0.7 * self._noise(x, y, _WIDE, 1) + 0.3 * self._noise(x, y, _FINE, 2)
        # The height falls towards the edges, so that the sea surrounds the island.
        edge = min(x, y, self.tiles - 1 - x, self.tiles - 1 - y) / self.tiles
        height -= max(0.0, 0.08 - edge) * 6
        if height < 0.30:
            return "deep"
        if height < 0.36:
            return "water"
        if height < 0.40:
            return "sand"
        wet = 0.75 * self._noise(x, y, _WIDE, 3) + 0.25 * self._noise(x, y, _FINE, 4)
        warm = 1 - y / self.tiles + 0.4 * (self._noise(x, y, _WIDE, 5) - 0.5)
        if warm < 0.28:
            return "snow"
        if height > 0.72:
            return "ash"
        if wet < 0.34:
            return "sand" if warm > 0.5 else "ash"
        return "autumn" if wet > 0.58 else "grass"

    def _is_land(self, x: int, y: int) -> bool:
        return self.kind(x, y) not in ("water", "deep")

    def road(self, x: int, y: int) -> str:
        """Returns the suffix of the road tile at a tile; empty without a road."""
        if not self._is_land(x, y):
            return ""
        middle = _ROADS // 2
        east, north = y % _ROADS == middle, x % _ROADS == middle
        if east and north:
            return "_cross"
        return "_road_e" if east else "_road_n" if north else ""

    def town_near(self, x: int, y: int) -> tuple[int, int] | None:
        """Returns the middle tile of the town that a tile belongs to, or None."""
        middle = _ROADS // 2
        column, row = x - x % _ROADS + middle, y - y % _ROADS + middle
        if max(abs(x - column), abs(y - row)) > _TOWN or not self._is_land(column, row):
            return None
        return column, row

    def _ground(self, x: int, y: int) -> str:
        kind = self.kind(x, y)
        if kind in ("water", "deep"):
            return kind
        road = self.road(x, y)
        if road:
            return kind + road
        if kind == "grass":
            sides = {
                "n": self.kind(x, y + 1),
                "e": self.kind(x + 1, y),
                "s": self.kind(x, y - 1),
                "w": self.kind(x - 1, y),
            }
            sandy = [side for side, other in sides.items() if other == "sand"]
            if len(sandy) == 1:
                return f"shore_{sandy[0]}"
        return kind if random.Random(x * 7919 + y).random() < 0.7 else f"{kind}_b"

    def tiles_of(self, column: int, row: int) -> Iterator[Thing]:
        """Yields the ground tiles of a cell."""
        for y in range(row * TILES, (row + 1) * TILES):
            for x in range(column * TILES, (column + 1) * TILES):
                name = self._ground(x, y)
                # Plain tiles are turned at random, as equal tiles show the grid; waves and snow
                # drifts are not turned, as they would show it then.
                turn = 90.0 * random.Random(x + y * 7919).randrange(4)
                plain = "_" not in name or name.endswith("_b")
                yield Thing(
                    f"ground#{name}",
                    (x + 0.5) * TILE,
                    (y + 0.5) * TILE,
                    turn if plain and not name.startswith(_WAVY) else 0.0,
                )

    def corners_of(self, column: int, row: int) -> Iterator[Thing]:
        """Yields turned tiles over corners of other tiles, so that borders run diagonally."""
        for y in range(row * TILES, (row + 1) * TILES):
            for x in range(column * TILES, (column + 1) * TILES):
                kind = self.kind(x, y)
                for across, up in ((1, 1), (1, -1), (-1, -1), (-1, 1)):
                    other = self.kind(x + across, y)
                    if (
                        other != kind
                        and other not in ("water", "deep")
                        and other == self.kind(x, y + up) == self.kind(x + across, y + up)
                        and not any(self.road(a, b) for a in (x, x + across) for b in (y, y + up))
                    ):
                        at_x, at_y = x + 0.5 + across / 2, y + 0.5 + up / 2
                        yield Thing(f"ground#{other}", at_x * TILE, at_y * TILE, 45.0, _CORNER)

    def things_of(self, column: int, row: int) -> Iterator[Thing]:
        """Yields the houses, plants, treasures and creatures of a cell."""
        chance = random.Random(f"{_SEED} {column} {row}")
        taken: list[tuple[float, float, float]] = []
        for one in self._town(column, row, chance):
            taken.append((one.x, one.y, 150.0 if one.prefab in _HOUSES else 40.0))
            yield one
        for _ in range(THINGS):
            x = (column + chance.random()) * CELL
            y = (row + chance.random()) * CELL
            tile = int(x // TILE), int(y // TILE)
            kind = self.kind(*tile)
            flora = _FLORA["water" if kind == "deep" else kind]
            name = chance.choices(list(flora), list(flora.values()))[0]
            radius = _RADIUS.get(name, 24)
            if name == "ground#lava":
                x, y = (tile[0] + 0.5) * TILE, (tile[1] + 0.5) * TILE
            solid = name.startswith("nature")
            if solid and (self.road(*tile) or self.town_near(*tile)):
                if chance.random() < 0.5 or self.road(*tile):
                    continue
                name, radius = "nature#sprout" if kind == "grass" else "nature#pebble", 10
            if any(math.hypot(x - a, y - b) < r + radius for a, b, r in taken):
                continue
            taken.append((x, y, radius))
            angle = chance.uniform(0, 360) if name.startswith("nature#") and radius > 24 else 0.0
            yield Thing(
                name, round(x, 1), round(y, 1), round(angle), chance.choice([0.85, 1, 1.15])
            )

    def _town(self, column: int, row: int, chance: random.Random) -> Iterator[Thing]:
        """Yields a town's entities in a cell: houses beside the roads, lamps, crates, patrols."""
        for y in range(row * TILES, (row + 1) * TILES):
            for x in range(column * TILES, (column + 1) * TILES):
                town = self.town_near(x, y)
                if town is None or self.kind(x, y) in ("water", "deep"):
                    continue
                away_x, away_y = abs(x - town[0]), abs(y - town[1])
                at = (x + 0.5) * TILE, (y + 0.5) * TILE
                if away_x % 3 == 2 and away_y % 3 == 2 and min(away_x, away_y) <= 5:
                    yield Thing(chance.choice(_HOUSES), at[0], at[1] + 10)
                elif min(away_x, away_y) == 1 and chance.random() < 0.2:
                    some = chance.choice(["town#lamp", "town#crate", "town#flag", "town#sign"])
                    yield Thing(some, at[0] + chance.randrange(-30, 30), at[1])
                elif away_x == away_y == 1:
                    yield Thing("town#red_flag", *at)
                elif (away_x == 0 or away_y == 0) and max(away_x, away_y) % 5 == 3:
                    yield Thing(chance.choice(_PATROLS), at[0], at[1], 90 if away_y == 0 else 0)

    def cell(self, column: int, row: int) -> Iterator[Thing]:
        """Yields all entities of a cell, its ground first."""
        yield from self.tiles_of(column, row)
        yield from self.corners_of(column, row)
        yield from self.things_of(column, row)

    def start(self) -> tuple[float, float]:
        """Returns the player's start, in pixels: the town nearest to the middle of the world."""
        middle = _ROADS // 2
        half = self.tiles / 2
        towns = [
            (x, y)
            for x in range(middle, self.tiles, _ROADS)
            for y in range(middle, self.tiles, _ROADS)
            if self._is_land(x, y)
        ]
        x, y = min(towns, key=lambda at: math.hypot(at[0] - half, at[1] - half), default=(0, 0))
        return (x + 0.5) * TILE, (y + 0.5) * TILE


def _random_number(column: int, row: int, seed: int) -> float:
    return random.Random(f"{_SEED} {seed} {column} {row}").random()
