"""Random schedules: whatever is asked, in whatever order, everything ends, the books are right."""

from __future__ import annotations

import faulthandler
import gc
import random
import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcade_prefabs.errors import ArcadePrefabsError, RonError
from arcade_prefabs.loading import (
    AsyncPrefabLoader,
    Handle,
    LoaderSettings,
    LoadState,
    Priority,
    TreeState,
)
from arcade_prefabs.loading.requests.asset_record import AssetRecord
from arcade_prefabs.loading.requests.dependency_graph import held
from arcade_prefabs.prefab import Prefab
from arcade_prefabs.prefab.model import Dependency
from arcade_prefabs.testing import InlineExecutor, MemoryAssets, VirtualClock

NAMES = "abcdefgh"


def prefab(name: str, needs: str, mark: int) -> Prefab:
    """A prefab that needs others, and differs from what it was before."""
    wanted = tuple(Dependency("prefab", f"prefabs/{one}.ron") for one in needs)
    return Prefab(f"prefabs/{name}.ron", {"Tags": {"names": [str(mark)]}}, (), wanted)


Action = tuple[str, str, int, str]
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("load", "load", "load", "cancel", "drop", "priority", "pin", "unpin"),
                *("evict", "trim", "edit", "break", "remove", "unit", "unit", "drain", "drain"),
                "time",
            ]
        ),
        st.sampled_from(NAMES),
        st.integers(0, 4),
        st.text(NAMES, max_size=3),
    ),
    max_size=60,
)
GRAPH = st.dictionaries(st.sampled_from(NAMES), st.text(NAMES, max_size=3))


class Play:
    """A loader, what a game has of it, and what the files hold."""

    def __init__(self, graph: dict[str, str], **options: Any) -> None:
        self.marks = 0
        self.assets = MemoryAssets(
            {f"prefabs/{name}.ron": prefab(name, needs, 0) for name, needs in graph.items()}
        )
        limits = {"cache_entries": 2, "max_in_flight": 3, "retries": 1}
        self.loader = AsyncPrefabLoader(
            self.assets, LoaderSettings(**limits, **options.pop("settings", {})), **options
        )
        self.handles: list[Handle[Any]] = []
        self.pinned: list[Handle[Any]] = []

    def act(self, what: str, name: str, number: int, text: str) -> None:
        loader, identifier = self.loader, f"prefabs/{name}.ron"
        some = self.handles[number % len(self.handles)] if self.handles else None
        match what:
            case "load":
                self.handles.append(loader.load(name, priority=Priority(number)))
            case "cancel" if some is not None:
                some.cancel()
            case "drop" if some is not None:
                self.handles.remove(some)
            case "priority" if some is not None:
                loader.reprioritize(some, Priority(number))
            case "pin" if some is not None and not some.cancelled:
                loader.pin(some)
                self.pinned.append(some)
            case "unpin" if self.pinned:
                loader.unpin(self.pinned.pop())
            case "evict":
                loader.evict(name)
            case "trim":
                loader.trim()
            case "edit":
                self.marks += 1
                self.assets.edit(identifier, prefab(name, text, self.marks))
                loader.reload([name])
            case "break":
                self.assets.edit(identifier, RonError("broken", path=identifier))
                loader.reload([name])
            case "remove":
                self.assets.edit(identifier, None)
                loader.reload([name])

    def check_books(self) -> None:
        """What has to be so at any moment."""
        loads = self.loader._loads
        with loads.lock:
            entries = loads.records()
            ready = [one for one in entries if one.state is LoadState.READY]
            assert loads.cache.entries == len(ready)
            assert loads.cache.bytes == sum(one.size for one in ready)
            idle = loads.cache.idle()
            assert len(idle) <= 2
            for one in idle:
                assert one.idle
                assert not one.wanted
            in_flight = loads.scheduler.in_flight
            assert 0 <= in_flight <= 3
            assert loads.scheduler.bytes_in_flight >= 0
            loading = sum(one.loading for one in entries)
            assert loads.requested == sum(loads.ended.values()) + loading

    def check_end(self) -> None:
        """What has to be so when nothing is left to do."""
        self.check_books()
        loads = self.loader._loads
        assert (
            loads.scheduler.in_flight
            == loads.scheduler.bytes_in_flight
            == len(loads.scheduler)
            == 0
        )
        for one in loads.records():
            assert one.attempt is None
            assert held(one) or one.idle or one.cyclic
            assert one.tree is tree_of(one), one
            assert all(one in need.parents for need in one.needs)
            assert all(one in parent.needs for parent in one.parents)
        for handle in self.handles:
            assert handle.done
            if handle.ready and handle.stale_error is None:
                assert handle.result() == self.assets._values[handle.id]


def tree_of(record: AssetRecord) -> TreeState:
    """The state of a whole tree, worked out the simple way."""
    seen = {record}
    stack = [record]
    while stack:
        for need in stack.pop().needs:
            if need not in seen:
                seen.add(need)
                stack.append(need)
    if any(one.state is LoadState.FAILED for one in seen):
        return TreeState.FAILED
    return TreeState.READY


@given(GRAPH, ACTIONS)
@settings(max_examples=150)
def test_every_schedule_ends_with_right_books(graph: dict[str, str], actions: list[Action]) -> None:
    """On a virtual clock, with everything checked after every step."""
    clock, executor = VirtualClock(), InlineExecutor()
    play = Play(graph, clock=clock, executor=executor)
    try:
        for what, name, number, text in actions:
            if what == "unit":
                executor.run(number)
            elif what == "drain":
                play.loader.drain(0 if number < 2 else 1.0)
            elif what == "time":
                clock.advance(0.1)
            else:
                play.act(what, name, number, text)
            play.check_books()
        for _ in range(3):
            while play.loader.drain(1.0).steps or executor.run():
                play.check_books()
            clock.advance(5)
        play.check_end()
        assert not play.loader.failures
    finally:
        assert play.loader.shutdown()


def test_same_schedule_gives_the_same_events() -> None:
    """Nothing depends on addresses, hashes or the time."""

    def run() -> list[str]:
        chance = random.Random(7)
        clock, executor = VirtualClock(), InlineExecutor()
        play = Play({"a": "bc", "b": "d", "c": "d", "d": ""}, clock=clock, executor=executor)
        events: list[str] = []
        play.loader.add_listener(lambda event: events.append(f"{event.kind} {event.id}"))
        for _ in range(300):
            what = chance.choice(["load", "load", "load", "drop", "edit", "evict"])
            play.act(what, chance.choice(NAMES), chance.randrange(5), "")
            executor.run(2)
            play.loader.drain(1.0)
        play.loader.shutdown()
        return events

    first = run()
    assert len(first) > 50
    assert run() == first


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_random_schedules_with_real_threads_end(threads: int) -> None:
    """No deadlock, no lost handle, whatever the threads do meanwhile."""
    for seed in range(6):
        chance = random.Random(seed)
        graph = {name: "".join(chance.sample(NAMES, chance.randrange(4))) for name in NAMES[:-1]}
        play = Play(graph, settings={"threads": threads, "retry_delay_s": 0.001})
        actions = [
            *("load", "load", "load", "cancel", "drop", "priority", "pin", "unpin", "evict"),
            *("trim", "edit", "break", "remove"),
        ]
        for _ in range(300):
            play.act(
                chance.choice(actions),
                chance.choice(NAMES),
                chance.randrange(5),
                "".join(chance.sample(NAMES, chance.randrange(3))),
            )
            if chance.random() < 0.3:
                play.loader.drain(0.001)
            play.check_books()
        settle(play)
        play.check_end()
        assert play.loader.shutdown(10)
        assert not play.loader.failures


def settle(play: Play, bound_s: float = 30.0) -> None:
    """Drain until nothing is left to do."""
    end = time.monotonic() + bound_s
    loads = play.loader._loads
    play.loader.gate.release()
    while time.monotonic() < end:
        report = play.loader.drain(0.05)
        with loads.lock:
            rest = any(one.attempt is not None for one in loads.records())
            busy = rest or loads.scheduler.in_flight or loads.dropped
        if not (report.steps or busy or len(play.loader.queue) or loads.dropped_handles):
            return
        play.loader.queue.wait(0.005)
    raise AssertionError("it does not come to rest")


def stress(seconds: float, threads: int = 8) -> None:
    """Game threads and loader threads do what they like while frames are played."""
    faulthandler.dump_traceback_later(seconds + 60, exit=True)
    before = set(threading.enumerate())
    chance = random.Random(3)
    names = [f"p{number}" for number in range(400)]
    values = {
        f"prefabs/{name}.ron": prefab(name, "", 0)
        if chance.random() < 0.5
        else Prefab(
            f"prefabs/{name}.ron",
            {},
            (),
            tuple(Dependency("prefab", f"prefabs/{one}.ron") for one in chance.sample(names, 3)),
        )
        for name in names
    }
    assets = MemoryAssets(values)
    options = LoaderSettings(
        threads=threads, cache_entries=50, cache_bytes=60_000, max_in_flight=16
    )
    loader = AsyncPrefabLoader(assets, options)
    stop = threading.Event()
    errors: list[BaseException] = []
    loads = [0]

    def game(seed: int) -> None:
        own = random.Random(seed)
        mine: list[Handle[Any]] = []
        try:
            while not stop.is_set():
                name = own.choice(names)
                roll = own.random()
                if roll < 0.6:
                    mine.append(loader.load(name, priority=Priority(own.randrange(5))))
                    loads[0] += 1
                elif roll < 0.75 and mine:
                    mine.pop(own.randrange(len(mine))).cancel()
                elif roll < 0.9 and mine:
                    mine.pop(own.randrange(len(mine)))
                elif roll < 0.93:
                    loader.evict(name)
                elif roll < 0.96:
                    assets.edit(f"prefabs/{name}.ron", prefab(name, "", own.randrange(9)))
                    loader.reload([name])
                else:
                    mine.append(loader.load("missing" + name))
                    gc.collect(0)
                if len(mine) > 100:
                    del mine[:50]
                stop.wait(0.0002)
        except BaseException as error:
            errors.append(error)

    games = [threading.Thread(target=game, args=(seed,)) for seed in range(4)]
    for one in games:
        one.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        loader.begin_frame()
        loader.drain(0.004)
        loader.end_frame(time.perf_counter() + 0.006)
        stop.wait(0.002)
    stop.set()
    for one in games:
        one.join(20)
    assert not errors
    del games
    gc.collect()
    loader.gate.release()
    bound = time.monotonic() + 30
    statistics = loader.statistics()
    while time.monotonic() < bound:
        loader.drain(0.05)
        statistics = loader.statistics()
        if not statistics.in_flight and not statistics.waiting and not len(loader.queue):
            break
        loader.queue.wait(0.005)
    assert statistics.in_flight == statistics.in_flight_bytes == statistics.waiting == 0
    ended = statistics.ready + statistics.failed + statistics.cancelled
    assert statistics.requested == ended
    assert statistics.most_in_flight <= 16
    assert loads[0] > 100 * seconds
    assert not loader.failures
    assert loader.shutdown(10)
    assert set(threading.enumerate()) <= before
    faulthandler.cancel_dump_traceback_later()


def test_short_stress_run_is_clean() -> None:
    """Three seconds of it in every run of the suite."""
    stress(3)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_long_stress_run_is_clean() -> None:
    """A minute of it, with a watchdog against deadlocks."""
    stress(60)


def test_load_of_nonsense_is_an_error_of_that_load() -> None:
    """A reader that gives something else than an asset harms nobody else."""

    class Nonsense(MemoryAssets):
        def get(self, identifier: str, settings: Any = None) -> Any:
            if identifier == "prefabs/bad.ron":
                return 42
            if identifier == "prefabs/exit.ron":
                raise SystemExit(3)
            return super().get(identifier, settings)

    assets = Nonsense({"prefabs/a.ron": prefab("a", "", 0)})
    with AsyncPrefabLoader(assets, LoaderSettings(threads=1)) as loader:
        bad, ended, good = loader.load("bad"), loader.load("exit"), loader.load("a")
        assert loader.wait(bad, ended, good, timeout_s=10)
        assert isinstance(bad.error, AttributeError)
        assert isinstance(ended.error, ArcadePrefabsError)
        assert good.ready
