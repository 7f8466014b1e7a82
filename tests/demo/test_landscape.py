"""The island: the same everywhere, with towns on land and fish in the water."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest

from arcade_prefabs.pipeline import AssetPipeline
from arcade_prefabs.spawning import texture_processor
from demo_world.autopilot import Autopilot
from demo_world.landscape import CELL, LAYERS, TILE, TILES, Landscape

ASSETS = Path(__file__).parents[2] / "assets"
SEA = ("water", "deep")


@pytest.fixture(scope="module")
def landscape() -> Landscape:
    return Landscape(64)


def test_the_same_size_gives_the_same_world() -> None:
    """In another object, and in another order of asking."""
    one, other = Landscape(16), Landscape(16)
    list(other.cell(3, 3))
    assert list(one.cell(5, 7)) == list(other.cell(5, 7))


def test_it_has_more_than_160_000_entities(landscape: Landscape) -> None:
    """Counted in every eighth cell: the ground, and what stands on it."""
    cells = [(column, row) for column in range(64) for row in range(64)][::8]
    ground = things = 0
    for column, row in cells:
        ground += sum(1 for _ in landscape.tiles_of(column, row))
        things += sum(1 for _ in landscape.things_of(column, row))
    assert ground == len(cells) * TILES * TILES
    assert (ground + things) * 8 > 160_000
    assert things * 8 > 100_000


def test_there_is_every_kind_of_land_and_the_sea_around_it(landscape: Landscape) -> None:
    """No biome is so small that nobody finds it."""
    tiles = range(0, landscape.tiles, 4)
    kinds = [landscape.kind(x, y) for x in tiles for y in tiles]
    for kind in ("grass", "autumn", "snow", "sand", "ash", "water", "deep"):
        assert kinds.count(kind) > len(kinds) / 50, kind
    last = landscape.tiles - 1
    border = [landscape.kind(x, y) for x in tiles for y in (0, last)]
    assert sum(kind in SEA for kind in border) > len(border) * 0.95


def test_what_stands_somewhere_belongs_there(landscape: Landscape) -> None:
    """Everything is in its cell; fish swim, trees do not, and nothing grows on roads."""
    for column, row in itertools.product(range(20, 44, 3), repeat=2):
        for one in landscape.things_of(column, row):
            tile = int(one.x // TILE), int(one.y // TILE)
            assert (int(one.x // CELL), int(one.y // CELL)) == (column, row), one
            if one.prefab in ("creatures#fish", "creatures#pink_fish"):
                assert landscape.kind(*tile) in SEA
            elif one.prefab != "nature#pebble":
                assert landscape.kind(*tile) not in SEA, one
            if one.prefab.endswith("tree"):
                assert not landscape.road(*tile)
            if one.prefab.endswith("patrol"):
                assert landscape.road(*tile)


def test_a_visit_begins_in_a_town_on_land(landscape: Landscape) -> None:
    """The nearest to the middle."""
    x, y = landscape.start()
    tile = int(x // TILE), int(y // TILE)
    assert landscape.town_near(*tile) == tile
    assert landscape.kind(*tile) not in SEA


def test_every_prefab_that_it_names_is_there_and_sound(tmp_path: Path) -> None:
    """And goes into a layer that the world has."""
    landscape = Landscape(64)
    names = {one.prefab for row in range(0, 64, 3) for one in landscape.cell(row, (row * 7) % 64)}
    names |= {one.prefab for row in range(0, 64, 5) for one in landscape.cell((row * 3) % 64, row)}
    assert len(names) > 40
    store = tmp_path / "bake.sqlite"
    with AssetPipeline(ASSETS, processors=[texture_processor()], jobs=0, store=store) as it:
        for name in names:
            sprite = it.get_prefab(f"demo/{name}").build()[0]
            assert sprite.layer in LAYERS, name


@pytest.mark.parametrize("speed", [60.0, 600.0, 2400.0])
def test_the_autopilot_flies_at_its_speed_over_the_island(speed: float) -> None:
    """Each frame the same way, within what a curve cuts off, and not off the map."""
    landscape = Landscape(64)
    pilot = Autopilot(landscape.start(), landscape.pixels, speed)
    for _ in range(2000):
        before = pilot.position
        pilot.update(1 / 60)
        assert math.dist(before, pilot.position) == pytest.approx(speed / 60, rel=0.02)
        assert all(0 < one < landscape.pixels for one in pilot.position)
    assert pilot.distance == pytest.approx(2000 * speed / 60, rel=0.01)


def test_the_autopilot_stands_still_for_no_time() -> None:
    """Rounding must not keep it flying for ever."""
    pilot = Autopilot((0.0, 0.0), 1000.0, 1e-300)
    pilot.update(0.0)
    pilot.update(1.0)
    assert pilot.position == (0.0, 0.0)
