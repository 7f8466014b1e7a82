"""Worlds that code builds: the same as from files, in bounded memory, whole or not at all."""

from __future__ import annotations

import gc
import math
import os
import random
import signal
import sqlite3
import tracemalloc
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from forks import Forks

from arcade_prefabs import AssetError, ComponentRegistry, PrefabError, StoreError, UnknownNameError
from arcade_prefabs.errors import AssetTooLargeError, MissingAssetError, UnsafePathError
from arcade_prefabs.pipeline import (
    AssetPipeline,
    GridCell,
    MemorySource,
    WorldBuilder,
    WorldEntity,
    read_cell,
    read_world,
)

NAME = "worlds/valley.ron"
FILES = {
    "prefabs/tree.ron": 'Prefab(components: [Tags(["tall"])])',
    "prefabs/rock.ron": 'Prefab(components: [Tags(["grey"])])',
}


def pipeline_of(path: Path, files: dict[str, str] | None = None, **more: Any) -> AssetPipeline:
    source = MemorySource(FILES if files is None else files)
    return AssetPipeline(source, jobs=0, store=path / "bake.sqlite", **more)


def cells_of(pipeline: AssetPipeline, name: str = NAME) -> dict[str, list[WorldEntity]]:
    head = read_world(pipeline.get(name))
    labels = [cell.label for cell in head.cells] + ["always"] * bool(head.always)
    return {
        label: [one for page in read_cell(pipeline.get(f"{name}#{label}")) for one in page]
        for label in labels
    }


def build(pipeline: AssetPipeline, count: int, seed: int = 1, name: str = "valley") -> None:
    chance = random.Random(seed)
    with WorldBuilder(pipeline, name, cell_size=100) as world:
        for _ in range(count):
            place = (chance.uniform(-900, 900), chance.uniform(-900, 900))
            world.add(chance.choice(["tree", "rock"]), place)


def test_the_same_world_from_code_and_from_a_file(tmp_path: Path) -> None:
    """Every field, every kind of cell, and derived ids come out as from RON."""
    text = """World(cell_size: 100, layers: ["low", "high"], entities: [
        (prefab: "tree", at: (10, -20)),
        (prefab: "rock", at: (120.5, 40), rotation: 30, scale: (2, 3), layer: "high", id: "stone"),
        (prefab: "tree", at: (10, 20), overrides: [Tags(["burnt"])]),
        (prefab: "rock", at: (150, 150), size: (350, 20)),
        (prefab: "tree", at: (5, 5), always: true, id: "sun"),
        (prefab: "tree", at: (7, 5)), (prefab: "tree", at: (7, 5)),
    ])"""
    with pipeline_of(tmp_path, {**FILES, "worlds/told.ron": text}) as pipeline:
        with WorldBuilder(pipeline, "valley", cell_size=100, layers=["low", "high"]) as world:
            world.add("tree", (10, -20))
            world.add("rock", (120.5, 40), angle=30, scale=(2, 3), layer="high", name="stone")
            world.add("tree", (10, 20), overrides={"Tags": {"names": ["burnt"]}})
            world.add("prefabs/rock.ron", (150, 150), size=(350, 20))
            world.add("tree", (5, 5), always=True, name="sun")
            world.add("tree", (7, 5))
            world.add("tree", (7, 5))
            assert len(world) == 7
        heads = [read_world(pipeline.get(f"worlds/{one}.ron")) for one in ("told", "valley")]
        told, built = cells_of(pipeline, "worlds/told.ron"), cells_of(pipeline)
        assert heads[0].layers == heads[1].layers
        assert (
            [heads[0].entities, heads[0].always] == [heads[1].entities, heads[1].always] == [7, 1]
        )
        assert list(heads[0].cells) == list(heads[1].cells)
        assert GridCell(0, 0, 2) in heads[1].cells
        large = GridCell(0, 0, 2).label
        # Large things have derived ids of their own: one of the same place may stand on level 0.
        assert [one.id for one in told[large]] != [one.id for one in built[large]]
        for cells in (told, built):
            cells[large] = [
                WorldEntity("", one.prefab, one.x, one.y, one.angle) for one in cells[large]
            ]
        assert built == told
        assert pipeline.needs(NAME) == pipeline.needs("worlds/told.ron")


def test_bakes_leave_it_alone(tmp_path: Path) -> None:
    """It outlives whole bakes and another pipeline."""
    with pipeline_of(tmp_path) as pipeline:
        pipeline.bake()
        build(pipeline, 300)
        before = cells_of(pipeline)
        assert sum(map(len, before.values())) == 300
    with pipeline_of(tmp_path) as pipeline:
        report = pipeline.bake()
        assert report.ok
        pipeline.bake()
        pipeline.invalidate()
        assert cells_of(pipeline) == before
        pipeline.clean()
        assert cells_of(pipeline) == before
        assert pipeline.explain(NAME).reason == "it was built by code"
        assert NAME in pipeline.ids("world")


def test_building_again_replaces_it(tmp_path: Path) -> None:
    """Nothing of the old one is left; what is the same has the same ids."""
    with pipeline_of(tmp_path) as pipeline:
        build(pipeline, 300)
        before = cells_of(pipeline)
        build(pipeline, 20)
        after = cells_of(pipeline)
        assert sum(map(len, after.values())) == 20
        old = {one.id for some in before.values() for one in some}
        assert {one.id for some in after.values() for one in some} < old
        gone = next(label for label in before if label not in after)
        with pytest.raises(MissingAssetError):
            pipeline.get(f"{NAME}#{gone}")
        with closing(sqlite3.connect(pipeline.store.path)) as db:
            assert db.execute("SELECT count(*) FROM outputs").fetchone()[0] == len(after) + 1


def test_remove_world(tmp_path: Path) -> None:
    """It is gone, once; a world from a file is not touched."""
    files = {**FILES, "worlds/told.ron": "World()"}
    with pipeline_of(tmp_path, files) as pipeline:
        pipeline.bake()
        build(pipeline, 5)
        assert pipeline.remove_world("valley")
        assert not pipeline.remove_world("valley")
        assert not pipeline.remove_world("told")
        with pytest.raises(MissingAssetError):
            pipeline.get(NAME)
        assert read_world(pipeline.get("worlds/told.ron")).entities == 0


def test_a_file_of_the_same_name(tmp_path: Path) -> None:
    """A file that is there refuses the builder; one that comes later wins."""
    there = pipeline_of(tmp_path, {**FILES, NAME: "World()"})
    with there, pytest.raises(AssetError, match="there is a world file"):
        WorldBuilder(there, "valley")
    with pipeline_of(tmp_path) as pipeline:
        build(pipeline, 50)
        assert isinstance(pipeline.source, MemorySource)
        pipeline.source.write(NAME, 'World(entities: [(prefab: "tree", at: (1, 2), id: "one")])')
        pipeline.bake()
        assert list(cells_of(pipeline)) == ["c0_0"]
        with closing(sqlite3.connect(pipeline.store.path)) as db:
            count = "SELECT count(*) FROM outputs WHERE kind IN ('cell', 'world')"
            assert db.execute(count).fetchone()[0] == 2


def test_release_files_have_it(tmp_path: Path) -> None:
    """A release holds it, and nothing can be built into one."""
    with pipeline_of(tmp_path) as pipeline:
        pipeline.bake()
        build(pipeline, 300)
        before = cells_of(pipeline)
        pipeline.write_release(tmp_path / "game.release")
    with AssetPipeline(tmp_path / "game.release") as pipeline:
        assert cells_of(pipeline) == before
        with pytest.raises(StoreError, match="release file"):
            WorldBuilder(pipeline, "valley")


def raise_after(world: WorldBuilder) -> None:
    world.add("tree", (0, 0))
    raise RuntimeError("the game's own")


def test_giving_up_leaves_the_old_one(tmp_path: Path) -> None:
    """An error in the block, a name twice and a builder that is closed change nothing."""
    with pipeline_of(tmp_path) as pipeline:
        build(pipeline, 30)
        before = cells_of(pipeline)
        world = WorldBuilder(pipeline, "valley")
        with pytest.raises(RuntimeError), world:
            raise_after(world)
        with pytest.raises(StoreError, match="finished or closed"):
            world.finish()
        with pytest.raises(StoreError, match="finished or closed"):
            world.add("tree", (0, 0))
        twins = WorldBuilder(pipeline, "valley")
        twins.add("tree", (0, 0), name="me")
        twins.add("rock", (5000, 0), name="me")
        with pytest.raises(AssetError, match="2 entities have the name `me`"):
            twins.finish()
        assert cells_of(pipeline) == before


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"position": (math.nan, 0)}, ValueError, "finite"),
        ({"position": (math.inf, 0)}, ValueError, "finite"),
        ({"position": (2e9, 0)}, ValueError, "farther"),
        ({"position": (1, 2, 3)}, ValueError, "unpack"),
        ({"position": ("1", 2)}, ValueError, "finite"),
        ({"angle": math.nan}, ValueError, "finite"),
        ({"scale": (1, math.inf)}, ValueError, "finite"),
        ({"size": (0, 5)}, ValueError, "size"),
        ({"size": (5,)}, ValueError, "size"),
        ({"name": ""}, ValueError, "id"),
        ({"name": "~x"}, ValueError, "begin"),
        ({"name": "x" * 201}, ValueError, "200"),
        ({"layer": "grond"}, UnknownNameError, "did you mean"),
        ({"prefab": "../tree"}, PrefabError, "leaves"),
        ({"prefab": "#tree"}, PrefabError, "no prefab"),
        ({"prefab": ""}, PrefabError, "empty"),
        ({"overrides": {"Tag": {}}}, UnknownNameError, "did you mean"),
        ({"overrides": {"Tags": {"name": []}}}, UnknownNameError, "did you mean"),
        ({"overrides": {"Tags": {"names": 5}}}, PrefabError, "names"),
        ({"overrides": {"Tags": {"names": [object()]}}}, TypeError, "JSON"),
        ({"overrides": {"Tags": {"names": ["x" * 200_000]}}}, AssetTooLargeError, "bytes"),
    ],
)
def test_bad_entities(
    tmp_path: Path, arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Each is refused at once, named, and the others are built."""
    with pipeline_of(tmp_path) as pipeline:
        with WorldBuilder(pipeline, "valley", layers=("ground",)) as world:
            world.add("tree", (1, 1), layer="ground")
            with pytest.raises(error, match=words):
                world.add(**{"prefab": "tree", "position": (0, 0), **arguments})
        assert read_world(pipeline.get(NAME)).entities == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"world": "../valley"}, UnsafePathError),
        ({"world": "valley#c0"}, UnsafePathError),
        ({"world": ""}, UnsafePathError),
        ({"cell_size": 0}, ValueError),
        ({"cell_size": math.nan}, ValueError),
        ({"layers": "ground"}, ValueError),
        ({"layers": ["a", "a"]}, ValueError),
        ({"layers": [f"layer {number}" for number in range(300)]}, ValueError),
    ],
)
def test_bad_worlds(tmp_path: Path, arguments: dict[str, Any], error: type[Exception]) -> None:
    """Refused before anything is built."""
    with pipeline_of(tmp_path) as pipeline, pytest.raises(error):
        WorldBuilder(pipeline, **{"world": "valley", **arguments})


def test_overrides_of_components_that_prefabs_complete(tmp_path: Path) -> None:
    """A field alone is enough where the prefab has the rest."""
    registry = ComponentRegistry()

    @registry.component
    @dataclass
    class Crop:
        kind: str
        height: float = 1.0

    with pipeline_of(tmp_path, registry=registry) as pipeline:
        with WorldBuilder(pipeline, "valley", registry=registry) as world:
            world.add("tree", (0, 0), overrides={"Crop": {"height": 2}})
        assert cells_of(pipeline)["c0_0"][0].overrides == {"Crop": {"height": 2}}


def test_empty_worlds_and_large_cells(tmp_path: Path) -> None:
    """None at all is a world; 20,000 in one cell are there, page by page, in order."""
    with pipeline_of(tmp_path) as pipeline:
        WorldBuilder(pipeline, "valley").finish()
        assert cells_of(pipeline) == {}
        with WorldBuilder(pipeline, "valley") as world:
            for number in range(20_000):
                world.add("tree", (number / 100, 5), name=f"tree {number}")
        assert pipeline.get(f"{NAME}#c0_0").pages > 5
        assert [one.id for one in cells_of(pipeline)["c0_0"]] == [
            f"tree {n}" for n in range(20_000)
        ]


@pytest.mark.long
def test_memory_is_bounded(tmp_path: Path) -> None:
    """Ten times as many entities take no more memory."""
    peaks = []
    with pipeline_of(tmp_path) as pipeline:
        for count in (5_000, 50_000):
            gc.collect()
            tracemalloc.start()
            try:
                build(pipeline, count, name=f"valley {count}")
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5 + 500_000


def test_damage_is_told(tmp_path: Path) -> None:
    """A flipped byte of a page is found, and says that code has to build it again."""
    with pipeline_of(tmp_path) as pipeline:
        build(pipeline, 300)
        label = next(iter(cells_of(pipeline)))
        with pipeline.store.writing() as db:
            db.execute("UPDATE outputs SET data=zeroblob(length(data)) WHERE label=?", (label,))
        with pytest.raises(StoreError, match="build it again"):
            pipeline.get(f"{NAME}#{label}")
        other = next(one for one in cells_of_heads(pipeline) if one != label)
        assert pipeline.get(f"{NAME}#{other}").kind == "cell"


def cells_of_heads(pipeline: AssetPipeline) -> list[str]:
    return [cell.label for cell in read_world(pipeline.get(NAME)).cells]


def test_disk_full(tmp_path: Path) -> None:
    """A store that cannot grow keeps the old world, and says why."""
    with pipeline_of(tmp_path) as pipeline:
        build(pipeline, 30)
        before = cells_of(pipeline)
        with pipeline.store.writing() as db:
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count={pages + 5}")
        with pytest.raises(StoreError, match="full"):
            build(pipeline, 20_000)
        assert cells_of(pipeline) == before


KILLED = """
from pathlib import Path
from arcade_prefabs.pipeline import AssetPipeline, MemorySource, WorldBuilder
import os, signal

def child(store, number):
    seen = 0
    def step(name):
        nonlocal seen
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
    with AssetPipeline(MemorySource({}), jobs=0, store=Path(store)) as pipeline:
        pipeline.store.step = step
        with WorldBuilder(pipeline, "valley", cell_size=100) as world:
            for x in range(200):
                world.add("tree", (x * 10, 0))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_kill_between_any_two_steps(tmp_path: Path) -> None:
    """Killed at every step: the old world or the new one, whole."""
    with pipeline_of(tmp_path) as pipeline:
        build(pipeline, 30)
        before = cells_of(pipeline)
    with Forks(KILLED) as forks:
        for number in range(1, 20):
            code = forks.run(tmp_path / "bake.sqlite", number)
            with pipeline_of(tmp_path) as pipeline:
                after = cells_of(pipeline)
            if code == 0:
                assert number > 4
                break
            assert code == -signal.SIGKILL
            assert after == before or sum(map(len, after.values())) == 200
        else:
            raise AssertionError("it never came to the end")
    assert sum(map(len, after.values())) == 200
