"""Shutdown at any moment: soon, complete, and with nothing afterwards."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from arcade_prefabs.errors import LoadCancelledError, LoaderClosedError
from arcade_prefabs.frames import next_frame
from arcade_prefabs.loading import AsyncPrefabLoader, LoaderSettings
from arcade_prefabs.pipeline import AssetPipeline, MemorySource
from arcade_prefabs.prefab import Prefab
from arcade_prefabs.testing import GatedAssets, InlineExecutor, MemoryAssets, VirtualClock

PREFABS = {f"prefabs/p{number}.ron": Prefab(f"prefabs/p{number}.ron", {}) for number in range(200)}


def ours() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("arcade_prefabs")]


def test_shutdown_ends_all_threads_and_may_be_called_twice() -> None:
    """Idle ones, waiting ones, working ones."""
    assert ours() == []
    loader = AsyncPrefabLoader(MemoryAssets(PREFABS), LoaderSettings(threads=4))
    loader.load_many(f"p{number}" for number in range(200))
    loader.drain(0.001)
    started = time.monotonic()
    assert loader.shutdown()
    assert time.monotonic() - started < 1.0
    assert loader.shutdown()
    assert ours() == []
    with pytest.raises(LoaderClosedError):
        loader.load("p1")
    for call in (lambda: loader.load_many([]), lambda: loader.load_folder("x")):
        with pytest.raises(LoaderClosedError):
            call()


def test_no_callback_is_called_after_shutdown() -> None:
    """Not even one that was on its way."""
    for moment in range(4):
        clock, executor = VirtualClock(), InlineExecutor()
        loader = AsyncPrefabLoader(MemoryAssets(PREFABS), clock=clock, executor=executor)
        called: list[object] = []
        handle = loader.load("p1", on_done=called.append)
        if moment > 0:
            executor.run()
        if moment > 1:
            loader.drain(0)  # it has landed, and its callback waits
        if moment > 2:
            handle.on_reload(called.append)
            loader.reload(["p1"])
        assert loader.shutdown()
        loader.drain(1.0)
        assert called == []
        assert handle.done


def test_shutdown_while_a_read_hangs_returns_within_its_bound() -> None:
    """The thread ends with its read; nobody waits for it longer than was asked for."""
    gated = GatedAssets(MemoryAssets(PREFABS))
    loader = AsyncPrefabLoader(gated, LoaderSettings(threads=1))
    handle = loader.load("p1")
    assert gated.wait_for("prefabs/p1.ron")
    started = time.monotonic()
    assert not loader.shutdown(0.2)
    assert time.monotonic() - started < 2.0
    assert handle.cancelled or isinstance(handle.error, LoadCancelledError)
    gated.open()
    for thread in ours():
        thread.join(10)
    assert ours() == []


@pytest.mark.parametrize("where", ["callback", "script", "listener"])
def test_shutdown_from_inside_the_main_threads_work_is_clean(where: str) -> None:
    """A game that closes its window in a callback ends like any other."""
    loader = AsyncPrefabLoader(MemoryAssets(PREFABS), LoaderSettings(threads=2))
    later: list[object] = []
    results: list[bool] = []

    def stop(_: object = None) -> None:
        results.append(loader.shutdown())

    async def script() -> None:
        await loader.load("p1")
        stop()
        await next_frame()
        later.append("never")

    if where == "script":
        loader.start(script())
    elif where == "callback":
        loader.load("p1", on_done=stop)
        loader.load("p2", on_done=later.append)
    else:
        loader.add_listener(lambda event: stop() if event.kind == "ready" else None)
        handle = loader.load("p1")
        del handle
        handle = loader.load("p1", on_done=lambda one: None)
    end = time.monotonic() + 10
    while not results and time.monotonic() < end:
        loader.drain(0.0)
        loader.queue.wait(0.01)
    loader.drain(1.0)
    assert results[0]
    assert "never" not in later
    assert ours() == []


def test_loops_that_await_are_told_of_the_end() -> None:
    """An await in another thread never hangs on a loader that is gone."""
    gated = GatedAssets(MemoryAssets(PREFABS))
    loader = AsyncPrefabLoader(gated, LoaderSettings(threads=1))

    async def main() -> str:
        try:
            await loader.load("p1")
        except LoadCancelledError:
            return "told"
        return "loaded"

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(lambda: asyncio.run(main()))
        assert gated.wait_for("prefabs/p1.ron")
        gated.open()
        loader.gate.begin_frame()
        assert loader.shutdown(10)
        assert future.result(10) == "told"


def test_shutdown_while_the_pipeline_bakes_leaves_nothing(tmp_path: Any) -> None:
    """Compile workers are the pipeline's; the loader's own threads end."""
    (tmp_path / "prefabs").mkdir()
    for number in range(30):
        (tmp_path / "prefabs" / f"p{number}.ron").write_text("Prefab()")
    with AssetPipeline(tmp_path, jobs=1) as pipeline:
        loader = AsyncPrefabLoader(pipeline)
        handles = [loader.load(f"p{number}") for number in range(30)]
        loader.drain(0.01)
        assert loader.shutdown(20)
        assert all(handle.done for handle in handles)
        assert ours() == []


# ------------------------------------------------------------------------- L8: processors that fail


class Deadly:
    """Raises, exits, recurses, or ends its process, as the file says."""

    name = "deadly"
    version = 1
    patterns = ("*.die",)
    settings: Mapping[str, Any] = {}

    def process(self, job: Any) -> Any:
        import os

        def recurse() -> Any:
            return recurse()

        act: dict[str, Callable[[], Any]] = {
            "raise": lambda: 1 / 0,
            "exit": lambda: exec("raise SystemExit(3)"),
            "recurse": recurse,
            "kill": lambda: os.kill(os.getpid(), 9),
        }
        act[job.text()]()
        return []


def test_load_whose_processor_or_process_dies_fails_alone(tmp_path: Any) -> None:
    """The cause is its error, the others go on, and the worker is there again."""
    for one in ("raise", "exit", "recurse", "kill"):
        (tmp_path / f"{one}.die").write_text(one)
    (tmp_path / "prefabs").mkdir()
    for number in range(20):
        (tmp_path / "prefabs" / f"p{number}.ron").write_text("Prefab()")
    with (
        AssetPipeline(tmp_path, jobs=1, processors=[Deadly()]) as pipeline,
        AsyncPrefabLoader(pipeline, LoaderSettings(retries=0)) as loader,
    ):
        bad = {one: loader.load(f"{one}.die") for one in ("raise", "exit", "recurse", "kill")}
        good = [loader.load(f"p{number}") for number in range(20)]
        assert loader.wait(*bad.values(), *good, timeout_s=90)
        assert all(handle.ready for handle in good)
        texts = {one: str(handle.error) for one, handle in bad.items()}
        assert "ZeroDivisionError" in texts["raise"]
        assert "recurse" in texts["recurse"]
        assert all("die" in text for text in texts.values())
        (tmp_path / "prefabs" / "late.ron").write_text("Prefab()")
        late = loader.load("late")
        assert loader.wait(late, timeout_s=60)
        assert late.ready


def test_memory_source_pipeline_loads_without_processes() -> None:
    """Where no process can see the files, loading still works."""
    with (
        AssetPipeline(MemorySource({"prefabs/a.ron": "Prefab()"}), jobs=0) as pipeline,
        AsyncPrefabLoader(pipeline) as loader,
    ):
        handle = loader.load("a")
        assert loader.wait(handle, timeout_s=20)
        assert handle.ready
