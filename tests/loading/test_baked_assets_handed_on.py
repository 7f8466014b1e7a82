"""What is baked because a load asked for it goes to that load, without a second read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from arcade_prefabs.loading import AsyncPrefabLoader
from arcade_prefabs.loading.requests import load_registry
from arcade_prefabs.loading.workers.bake_thread import BakeThread
from arcade_prefabs.pipeline import AssetPipeline, BakedAsset, MemorySource
from arcade_prefabs.testing import InlineExecutor

FILES = {f"prefabs/p{n}.ron": f'Prefab(components: [Tags(["t{n}"])])' for n in range(40)}


class AwaitedBakeThread(BakeThread):
    """Bakes in its thread as ever, but whoever asks for that waits until it is done."""

    def __init__(self, loads: Any, assets: Any, wake: Callable[[], None]) -> None:
        self._baked = threading.Event()
        super().__init__(loads, assets, lambda: (wake(), self._baked.set())[0])

    def add(self, attempt: Any) -> None:
        self._baked.clear()
        super().add(attempt)
        assert self._baked.wait(20)


class CountingPipeline(AssetPipeline):
    """Notes what is asked for."""

    gets: list[str]

    def get(self, identifier: str, settings: Mapping[str, Any] | None = None) -> BakedAsset:
        self.gets.append(identifier)
        return super().get(identifier, settings)


class Bench:
    """A loader whose background work a test does by hand."""

    def __init__(self) -> None:
        self.source = MemorySource(FILES)
        self.pipeline = CountingPipeline(self.source, jobs=0)
        self.pipeline.gets = []
        self.executor = InlineExecutor()
        self.loader = AsyncPrefabLoader(self.pipeline, executor=self.executor)
        self.loads = self.loader._loads

    def settle(self) -> None:
        while self.loader.drain(1.0).steps or self.executor.run():
            pass

    def in_hand(self) -> list[str]:
        attempts = [one.attempt for one in self.loads.records()]
        return sorted(one.record.id for one in attempts if one is not None and one.asset)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("arcade_prefabs.loading.loader.BakeThread", AwaitedBakeThread)
    made = Bench()
    yield made
    assert made.loader.shutdown()
    made.pipeline.close()


def test_an_asset_that_was_baked_for_a_load_is_not_read_again(bench: Bench) -> None:
    """The loader asks once for it, in the thread that bakes."""
    handle = bench.loader.load("p1")
    bench.settle()
    assert handle.value.components == {"Tags": {"names": ["t1"]}}
    assert bench.pipeline.gets == ["prefabs/p1.ron"]
    assert (bench.in_hand(), bench.loads._handed_on) == ([], 0)


def test_an_edit_before_it_is_decoded_is_read(bench: Bench) -> None:
    """What was in hand for the load is the old version by then."""
    handle = bench.loader.load("p1")
    bench.executor.run(1)
    assert bench.in_hand() == ["prefabs/p1.ron"]
    bench.source.write("prefabs/p1.ron", 'Prefab(components: [Tags(["new"])])')
    bench.loader.reload(bench.pipeline.bake(["prefabs/p1.ron"]).changed_ids())
    bench.loader.drain(1.0)
    assert bench.in_hand() == []
    bench.settle()
    assert handle.value.components == {"Tags": {"names": ["new"]}}
    assert bench.loads._handed_on == 0


def test_what_nobody_wants_any_more_is_not_kept(bench: Bench) -> None:
    """A cancelled load lets go of what was baked for it."""
    handle = bench.loader.load("p1")
    bench.executor.run(1)
    assert bench.in_hand() == ["prefabs/p1.ron"]
    handle.cancel()
    bench.settle()
    assert (bench.in_hand(), bench.loads._handed_on) == ([], 0)


def test_few_baked_assets_wait_in_memory(bench: Bench) -> None:
    """The others are read from the store, as what was baked before is."""
    asset = bench.pipeline.get("prefabs/p0.ron")
    handles = [bench.loader.load(f"p{number}") for number in range(40)]
    with bench.loads.lock:
        for record in bench.loads.records():
            assert record.attempt is not None
            bench.loads.hand_on(record.attempt, asset)
    assert len(bench.in_hand()) == load_registry._MOST_HANDED_ON == bench.loads._handed_on
    for handle in handles:
        handle.cancel()
    bench.settle()
    assert (bench.in_hand(), bench.loads._handed_on) == ([], 0)
