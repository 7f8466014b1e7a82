"""What the cache says that assets take, held against what the interpreter says."""

from __future__ import annotations

import gc
import io
import random
import tracemalloc
from typing import Any

import pytest
from PIL import Image

from arcade_prefabs.errors import PrefabError, StoreError
from arcade_prefabs.loading import AsyncPrefabLoader, LoaderSettings, footprint
from arcade_prefabs.pipeline import (
    AssetPipeline,
    BakedAsset,
    MemorySource,
    PackedPrefab,
    read_image,
)
from arcade_prefabs.prefab import ComponentRegistry, Prefab
from arcade_prefabs.testing import InlineExecutor, MemoryAssets, VirtualClock, baked

CRATE = """
Prefab(
    components: [
        Collider(shape: Box(32, 32), offset: (0, 4), solid: true, group: "crates"),
        Tags(["breakable", "wooden", "NUMBER"]),
        Text(text: "A crate of some kind, number NUMBER", offset: (0.0, 40.0)),
    ],
    children: [
        (name: "lamp", prefab: "lamp", at: (NUMBER, 32), overrides: [Tags(["NUMBER"])]),
        (name: "shadow", prefab: "lamp", at: (0.0, -14.0), rotation: 90),
    ],
)
"""


@pytest.mark.parametrize("kind", ["prefab", "data", "json", "large prefab"])
def test_accounted_bytes_are_within_a_quarter_of_what_the_interpreter_sees(kind: str) -> None:
    """For prefabs as they are written, for plain data, for JSON."""
    files = {"prefabs/lamp.ron": 'Prefab(components: [Tags(["light"])])'}
    count = 400
    if kind == "prefab":
        files |= {f"prefabs/p{n}.ron": CRATE.replace("NUMBER", str(n)) for n in range(count)}
        ids = [f"p{n}" for n in range(count)]
    elif kind == "large prefab":
        count = 20
        rows = "\n".join(f'(prefab: "lamp", at: ({x}, 7.5)),' for x in range(400))
        files |= {f"prefabs/p{n}.ron": f"Prefab(children: [{rows}])" for n in range(count)}
        ids = [f"p{n}" for n in range(count)]
    elif kind == "data":
        files |= {f"d{n}.txt": f"{n}" * 4000 for n in range(count)}
        ids = [f"d{n}.txt" for n in range(count)]
    else:
        row = '{"name": "NUMBER of them", "values": [1.5, 2.5, NUMBER], "on": true}'
        files |= {
            f"j{n}.json": "[" + ",".join([row.replace("NUMBER", str(n + 1000))] * 20) + "]"
            for n in range(count)
        }
        ids = [f"j{n}.json" for n in range(count)]
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        pipeline.bake()
        executor = InlineExecutor()
        settings = LoaderSettings(max_in_flight=10_000, max_in_flight_bytes=2**30)
        with AsyncPrefabLoader(
            pipeline, settings, clock=VirtualClock(), executor=executor
        ) as loader:
            warm = loader.load(ids[0])
            executor.run()
            loader.drain(1.0)
            handles = [loader.load(one) for one in ids]
            gc.collect()
            tracemalloc.start()
            try:
                before = tracemalloc.get_traced_memory()[0]
                executor.run()
                while loader.drain(1.0).steps:
                    pass
                gc.collect()
                seen = tracemalloc.get_traced_memory()[0] - before
            finally:
                tracemalloc.stop()
            assert all(handle.ready for handle in handles)
            accounted = loader.statistics().cache.bytes * (count - 1) / count
            assert warm.ready
            assert 0.75 <= accounted / seen <= 1.25, (accounted, seen)


def test_footprint_counts_what_is_there_twice_once() -> None:
    """Shared parts take their room once."""
    shared = ["x" * 1000]
    assert footprint([shared, shared]) < 1.2 * footprint([shared])
    assert footprint(None) == footprint(True) == 0


def test_packed_prefab_equals_the_plain_one_and_gives_new_dictionaries() -> None:
    """Nobody can change what others have."""
    plain = Prefab("prefabs/a.ron", {"Tags": {"names": ["x"]}})
    with AsyncPrefabLoader(MemoryAssets({plain.id: plain})) as loader:
        handle = loader.load("a")
        assert loader.wait(handle, timeout_s=10)
        packed = handle.result()
    assert isinstance(packed, PackedPrefab)
    assert packed == plain
    assert plain == packed
    assert packed != Prefab("prefabs/a.ron", {})
    assert packed != 3
    packed.components["Tags"]["names"].append("mine")
    assert packed.components == plain.components
    assert hash(packed) == hash(handle.result())
    assert packed.build() == plain.build()


def damaged(identifier: str) -> BakedAsset:
    """A page whose components are no JSON."""
    asset = baked(identifier, Prefab(identifier, {"Tags": {"names": ["x"]}}))
    first = asset.first.replace(b'"names":["x"]', b'"names":["\xff"]')
    assert first != asset.first
    return BakedAsset(identifier, "prefab", b"", 1, first, lambda _: b"")


def test_damaged_components_are_an_error_of_the_load() -> None:
    """Not of the first spawn."""
    assets = MemoryAssets({"prefabs/a.ron": damaged("prefabs/a.ron")})
    with AsyncPrefabLoader(assets, LoaderSettings(retries=0)) as loader:
        handle = loader.load("a")
        assert loader.wait(handle, timeout_s=10)
        assert isinstance(handle.error, StoreError)


def test_component_that_refuses_its_fields_is_an_error_of_the_load() -> None:
    """What only the class can tell is told while loading, in parts too, and each time."""
    from dataclasses import dataclass

    registry = ComponentRegistry()

    @registry.component
    @dataclass
    class Moody:
        mood: str = "good"

        def __post_init__(self) -> None:
            if self.mood == "bad":
                raise ValueError("not today")

    def prefab(name: str, mood: str) -> Any:
        return Prefab(f"prefabs/{name}.ron", {"Moody": {"mood": mood}})

    values = {
        f"prefabs/{name}.ron": prefab(name, mood)
        for name, mood in (("a", "bad"), ("b", "bad"), ("c", "good"), ("d", "good"))
    }
    with AsyncPrefabLoader(MemoryAssets(values), registry=registry) as loader:
        handles = [loader.load(name) for name in "abcd"]
        assert loader.wait(*handles, timeout_s=10)
        assert [isinstance(one.error, PrefabError) for one in handles] == [True, True, False, False]
        assert "not today" in str(handles[0].error)


def test_parts_beside_one_that_is_there_twice_are_checked_and_counted() -> None:
    """Whatever the order of the children is."""
    text = """Prefab(children: [
        (prefab: "a", at: (0, 0)), (prefab: "lamp", at: (0, 0)), (prefab: "lamp", at: (0, 0)),
    ])"""
    sizes = []
    for length in (10, 5000):
        files = {
            "prefabs/lamp.ron": 'Prefab(components: [Tags(["lamp"])])',
            "prefabs/a.ron": f'Prefab(components: [Tags(["{"x" * length}"])])',
            "prefabs/three.ron": text,
        }
        with (
            AssetPipeline(MemorySource(files), jobs=0) as pipeline,
            AsyncPrefabLoader(pipeline) as loader,
        ):
            handle = loader.load("three")
            assert loader.wait(handle, timeout_s=10)
            sizes.append(loader.statistics().cache.bytes)
    assert sizes[1] - sizes[0] == 4990


def test_pixels_of_each_frame_are_those_that_were_baked() -> None:
    """Also where a frame begins in one page and ends in another; equal frames share theirs."""
    size, count = (120, 90), 5
    sheet = Image.frombytes("RGBA", (size[0] * count, size[1]), random.Random(1).randbytes(216_000))
    sheet.paste(sheet.crop((0, 0, *size)), (size[0] * (count - 1), 0))
    file = io.BytesIO()
    sheet.save(file, "PNG")
    settings = {"frame_size": size}
    with AssetPipeline(MemorySource({"a.png": file.getvalue()}), jobs=0) as pipeline:
        asset = pipeline.get("a.png", settings)
        head, data = read_image(asset), asset.data()
        assert asset.pages > 2
        executor, clock = InlineExecutor(), VirtualClock()
        with AsyncPrefabLoader(pipeline, clock=clock, executor=executor) as loader:
            handle = loader.load("a.png", settings=settings)
            executor.run()
            loader.drain()
            loaded = handle.result()
    assert [loaded.pixels(n) for n in range(count)] == [
        data[one.at : one.at + one.size] for one in head.frames
    ]
    assert loaded.pixels(count - 1) is loaded.pixels(0)
