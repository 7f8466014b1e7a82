"""Awaiting loads: in asyncio, in other threads' loops, and in scripts that frames drive."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from arcade_prefabs.errors import LoadCancelledError, MissingAssetError
from arcade_prefabs.frames import next_frame, sleep
from arcade_prefabs.loading import AsyncPrefabLoader, LoaderSettings
from arcade_prefabs.prefab import Prefab
from arcade_prefabs.testing import (
    GatedAssets,
    InlineExecutor,
    MemoryAssets,
    VirtualClock,
    play_frames,
)

PREFABS = {f"prefabs/{name}.ron": Prefab(f"prefabs/{name}.ron", {}) for name in "abcdef"}


class Stage:
    """A loader on a virtual clock, and frames to play."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.executor = InlineExecutor()
        self.assets = MemoryAssets(PREFABS)
        self.loader = AsyncPrefabLoader(self.assets, clock=self.clock, executor=self.executor)

    def play(self, frames: int = 1) -> None:
        play_frames(self.loader, self.clock, self.executor, frames=frames)


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A stage whose loader ends with the test."""
    one = Stage()
    yield one
    assert one.loader.shutdown()


# ------------------------------------------------------------------------------------------ scripts


def test_script_awaits_loads_without_asyncio(stage: Stage) -> None:
    """One after the other, two at once, and values come back."""
    seen: list[str] = []

    async def game() -> str:
        first = await stage.loader.load("a")
        seen.append(first.id)
        both = stage.loader.load("b"), stage.loader.load("c")
        seen.extend([(await one).id for one in both])
        return "done"

    script = stage.loader.start(game())
    assert not seen
    assert not script.done
    stage.play(12)
    assert script.done
    assert script.result() == "done"
    assert seen == ["prefabs/a.ron", "prefabs/b.ron", "prefabs/c.ron"]


def test_a_load_begins_before_it_is_awaited(stage: Stage) -> None:
    """Two of them load side by side."""
    waiting = stage.loader.load("a")
    stage.play(2)
    assert stage.assets.reads == ["prefabs/a.ron"]
    waiting.cancel()


def test_load_async_is_the_old_word(stage: Stage) -> None:
    """It works until version 1.0, and says what to write instead."""

    async def game() -> Any:
        with pytest.deprecated_call(match=r"`await loader.load\(...\)` gives the value"):
            return (await stage.loader.load_async("a")).id

    script = stage.loader.start(game())
    stage.play(12)
    assert script.result() == "prefabs/a.ron"


def test_exception_of_a_load_is_raised_where_it_is_awaited(stage: Stage) -> None:
    """The script may catch it; if it does not, it is kept and logged."""
    caught: list[Exception] = []

    async def careful() -> None:
        try:
            await stage.loader.load("nothing")
        except MissingAssetError as error:
            caught.append(error)

    async def careless() -> None:
        await stage.loader.load("nothing")

    stage.loader.start(careful())
    failing = stage.loader.start(careless(), name="careless")
    stage.play(6)
    assert len(caught) == 1
    assert isinstance(failing.error, MissingAssetError)
    assert [what for what, _ in stage.loader.failures] == ["script careless"]
    with pytest.raises(MissingAssetError):
        failing.result()


def test_next_frame_is_the_next_frame_and_sleep_is_the_clock(stage: Stage) -> None:
    """A script that waits takes nothing of the frames between."""
    times: list[tuple[str, float]] = []

    async def game() -> None:
        for _ in range(3):
            times.append(("frame", stage.clock()))
            await next_frame()
        await sleep(0.5)
        times.append(("slept", stage.clock()))

    stage.loader.start(game())
    stage.play(40)
    frames = [time for what, time in times if what == "frame"]
    assert [round((two - one) * 60) for one, two in itertools.pairwise(frames)] == [1, 1]
    assert times[-1][0] == "slept"
    assert 0.5 <= times[-1][1] - frames[-1] <= 0.56


def test_scripts_await_scripts_and_batches(stage: Stage) -> None:
    """And whatever the other returned comes back."""

    async def inner() -> int:
        await next_frame()
        return 7

    async def outer() -> int:
        batch = await stage.loader.load_many(["a", "b", "missing"])
        return await stage.loader.start(inner()) + batch.ended

    script = stage.loader.start(outer())
    stage.play(12)
    assert script.result() == 10


def test_cancelled_script_is_closed_where_it_waits(stage: Stage) -> None:
    """Its `finally` runs, what it loaded is let go, who awaits it is told."""
    ends: list[str] = []

    async def game() -> None:
        try:
            await stage.loader.load("a")
        finally:
            ends.append("closed")

    async def other(script: Any) -> None:
        try:
            await script
        except LoadCancelledError:
            ends.append("told")

    script = stage.loader.start(game())
    stage.loader.start(other(script))
    stage.loader.drain(1.0)
    assert script.cancel()
    assert not script.cancel()
    stage.play(3)
    assert ends == ["closed", "told"]
    assert stage.assets.reads == []
    assert script.cancelled


def test_script_that_cancels_itself_ends_at_its_next_await(stage: Stage) -> None:
    """Nothing behind it runs."""
    seen: list[str] = []

    async def game() -> None:
        seen.append("before")
        assert script.cancel()
        seen.append("still")
        await next_frame()
        seen.append("never")

    script = stage.loader.start(game())
    stage.play(4)
    assert seen == ["before", "still"]
    assert script.done
    assert script.cancelled


def test_script_that_awaits_asyncio_is_told_what_it_can_await(stage: Stage) -> None:
    """A clear error at that place instead of a hang."""

    async def game() -> None:
        class Foreign:
            def __await__(self) -> Iterator[object]:
                yield object()

        await Foreign()  # type: ignore[misc]

    script = stage.loader.start(game())
    stage.play(2)
    assert isinstance(script.error, TypeError)
    assert "next_frame" in str(script.error)


def test_next_frame_outside_a_script_is_refused() -> None:
    """In asyncio there are no frames."""

    async def lost() -> None:
        await next_frame()

    with pytest.raises(RuntimeError, match="works only in a script"):
        asyncio.run(lost())


def test_scripts_share_the_budget_with_loads(stage: Stage) -> None:
    """A script that never waits for more than a frame keeps nobody from arriving."""

    async def busy() -> None:
        while True:
            stage.clock.advance(0.001)
            await next_frame()

    script = stage.loader.start(busy())
    handle = stage.loader.load("a")
    stage.play(4)
    assert handle.ready
    assert not script.done
    script.cancel()


# ------------------------------------------------------------------------------------------ asyncio


@pytest.fixture
def real() -> Iterator[Callable[..., AsyncPrefabLoader]]:
    """Makes loaders with real threads."""
    made: list[AsyncPrefabLoader] = []

    def make(assets: Any, **settings: Any) -> AsyncPrefabLoader:
        made.append(AsyncPrefabLoader(assets, LoaderSettings(**settings)))
        return made[-1]

    yield make
    for one in made:
        assert one.shutdown(10)


def drive(loader: AsyncPrefabLoader, until: threading.Event) -> bool:
    """Play the main thread's side until an event is set."""
    for _ in range(2000):
        loader.drain(0.01)
        if until.is_set():
            return True
        loader.queue.wait(0.01)
    return False


def test_loop_of_another_thread_awaits_loads(real: Callable[..., AsyncPrefabLoader]) -> None:
    """The value arrives in the loop's own thread while the main thread plays frames."""
    loader = real(MemoryAssets(PREFABS))
    done = threading.Event()
    where: list[str] = []

    async def server() -> list[str]:
        values = await asyncio.gather(*(loader.load(name) for name in "abc"))
        where.append(threading.current_thread().name)
        return [value.id for value in values]

    def run() -> list[str]:
        try:
            return asyncio.run(server())
        finally:
            done.set()

    with ThreadPoolExecutor(1, "loop") as pool:
        future = pool.submit(run)
        assert drive(loader, done)
        assert future.result(10) == ["prefabs/a.ron", "prefabs/b.ron", "prefabs/c.ron"]
    assert where == ["loop_0"]


def test_loop_of_the_main_thread_awaits_while_it_plays_frames(
    real: Callable[..., AsyncPrefabLoader],
) -> None:
    """Frames and awaiting side by side in one loop."""
    loader = real(MemoryAssets(PREFABS))

    async def frames() -> None:
        while True:
            loader.begin_frame()
            loader.drain()
            loader.end_frame()
            await asyncio.sleep(0)

    async def main() -> str:
        task = asyncio.create_task(frames())
        value = await asyncio.wait_for(loader.load("a"), 10)
        task.cancel()
        return str(value.id)

    assert asyncio.run(main()) == "prefabs/a.ron"


def test_cancelled_task_lets_its_load_go(real: Callable[..., AsyncPrefabLoader]) -> None:
    """The handle goes with the task, and what was being read is dropped."""
    gated = GatedAssets(MemoryAssets(PREFABS))
    loader = real(gated)

    async def main() -> None:
        task = asyncio.ensure_future(loader.load("a"))
        await asyncio.get_running_loop().run_in_executor(None, gated.wait_for, "prefabs/a.ron")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    loader.drain(1.0)
    gated.open()
    following = loader.load("b")
    assert loader.wait(following, timeout_s=10)
    statistics = loader.statistics()
    assert statistics.cancelled == 1
    assert statistics.ready == 1


def test_handle_cancelled_by_somebody_else_wakes_the_loop(
    real: Callable[..., AsyncPrefabLoader],
) -> None:
    """An await never hangs on a load that nobody does any more."""
    gated = GatedAssets(MemoryAssets(PREFABS))
    loader = real(gated)
    handle = loader.load("a")
    done = threading.Event()

    async def waits() -> str:
        try:
            await handle
        except LoadCancelledError:
            return "told"
        return "not told"

    def run() -> str:
        try:
            return asyncio.run(waits())
        finally:
            done.set()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run)
        assert gated.wait_for("prefabs/a.ron")
        handle.cancel()
        assert drive(loader, done)
        assert future.result(10) == "told"
    gated.open()


# ------------------------------------------------------------------------------------- real threads


def test_gated_reads_hold_their_loads_and_nobody_elses(
    real: Callable[..., AsyncPrefabLoader],
) -> None:
    """With two threads, one read that hangs leaves one thread for the others."""
    gated = GatedAssets(MemoryAssets(PREFABS))
    gated.open("prefabs/b.ron", "prefabs/c.ron")
    loader = real(gated, threads=2)
    held = loader.load("a")
    assert gated.wait_for("prefabs/a.ron")
    others = [loader.load("b"), loader.load("c")]
    assert loader.wait(*others, timeout_s=10)
    assert not held.done
    assert held.state.value == "reading"
    gated.open("prefabs/a.ron")
    assert loader.wait(held, timeout_s=10)
    assert held.ready


def test_cancelled_while_reading_never_shows(real: Callable[..., AsyncPrefabLoader]) -> None:
    """The read ends, and what it gave is dropped before it is decoded."""
    decoded: list[str] = []

    def decode(asset: Any, registry: Any) -> Any:
        decoded.append(asset.id)
        raise AssertionError("nobody wants it")

    gated = GatedAssets(MemoryAssets(PREFABS))
    loader = real(gated, threads=1, decoders={"prefab": decode})
    handle = loader.load("a")
    assert gated.wait_for("prefabs/a.ron")
    handle.cancel()
    gated.open()
    missing = loader.load("nothing")
    assert loader.wait(missing, timeout_s=10)
    assert decoded == []
    assert handle.value is None
    assert handle.cancelled
    assert loader.statistics().in_flight == 0
