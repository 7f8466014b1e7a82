"""The loader on a virtual clock: states, events, priorities, cancellation, retries, exactly."""

from __future__ import annotations

import gc
import itertools
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from watching import failures_of

from arcade_prefabs.errors import (
    AssetError,
    DependencyError,
    LoadCancelledError,
    LoadError,
    LoadTimeoutError,
    MissingAssetError,
    PrefabCycleError,
    PrefabError,
    ProcessorError,
    RonError,
    StoreError,
    UnreadableAssetError,
    UnsafePathError,
)
from arcade_prefabs.frames import IdleGate, Step
from arcade_prefabs.loading import (
    AsyncPrefabLoader,
    Handle,
    LoaderSettings,
    LoadEvent,
    LoadState,
    Priority,
    TreeState,
)
from arcade_prefabs.pipeline import AssetPipeline, MemorySource, Processor
from arcade_prefabs.prefab import Child, Prefab
from arcade_prefabs.prefab.document import Transform
from arcade_prefabs.prefab.model import Dependency
from arcade_prefabs.testing import (
    EventLog,
    FlakyAssets,
    InlineExecutor,
    MemoryAssets,
    VirtualClock,
    baked,
    play_frames,
)


def prefab(name: str, *needs: str) -> Prefab:
    """A prefab that needs others."""
    wanted = tuple(Dependency("prefab", f"prefabs/{one}.ron") for one in needs)
    return Prefab(f"prefabs/{name}.ron", {"Tags": {"names": [name]}}, (), wanted)


def forest(**needs: str) -> dict[str, Prefab]:
    """Prefabs by id; of each, the one-letter names of what it needs."""
    return {f"prefabs/{name}.ron": prefab(name, *below) for name, below in needs.items()}


class Bench:
    """A loader with everything that a test moves by hand."""

    def __init__(self, assets: Any, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.executor = InlineExecutor()
        self.assets = assets
        self.loader = AsyncPrefabLoader(
            assets, LoaderSettings(**settings), clock=self.clock, executor=self.executor
        )
        self.log = EventLog(self.loader)

    def load(self, name: str, **options: Any) -> Handle[Any]:
        return self.loader.load(name, **options)

    def unit(self, most: int = 1) -> None:
        """One unit of background work, and a frame's main thread."""
        self.executor.run(most)
        self.loader.drain(1.0)

    def settle(self) -> None:
        """Everything there is to do now."""
        while self.loader.drain(1.0).steps or self.executor.run():
            pass


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    """Makes benches, and ends their loaders."""
    made: list[Bench] = []

    def make(assets: Any, **settings: Any) -> Bench:
        if isinstance(assets, dict):
            assets = MemoryAssets(assets)
        made.append(Bench(assets, **settings))
        return made[-1]

    yield make
    for one in made:
        assert one.loader.shutdown()


Make = Callable[..., Bench]
W, R, F = LoadState.WAITING, LoadState.READY, LoadState.FAILED
LOADING, READY, FAILED = TreeState.LOADING, TreeState.READY, TreeState.FAILED


def states(handle: Handle[Any]) -> tuple[LoadState, TreeState, TreeState]:
    return handle.state, handle.dependency_state, handle.tree_state


# ------------------------------------------------------------------------------------ L1: the tree


def test_diamond_with_a_tail_has_exact_states_after_each_gate(bench: Make) -> None:
    """A needs B and C, C needs D: own, direct and whole-tree states follow each arrival."""
    b = bench(forest(a="bc", b="", c="d", d=""))
    handles = {name: b.load(name, priority=Priority.PRELOAD) for name in "abcd"}
    # Each is the only one that is wanted more, so each unit is that one's.
    steps = []
    for name in "acbd":
        b.loader.reprioritize(handles[name], Priority.CRITICAL)
        b.unit()
        b.loader.reprioritize(handles[name], Priority.PRELOAD)
        steps.append({one: states(handle) for one, handle in handles.items()})
    assert [step["a"] for step in steps] == [
        (R, LOADING, LOADING),
        (R, LOADING, LOADING),
        (R, READY, LOADING),
        (R, READY, READY),
    ]
    assert [step["b"] for step in steps] == [
        (W, LOADING, LOADING),
        (W, LOADING, LOADING),
        (R, READY, READY),
        (R, READY, READY),
    ]
    assert [step["c"] for step in steps] == [
        (W, LOADING, LOADING),
        (R, LOADING, LOADING),
        (R, LOADING, LOADING),
        (R, READY, READY),
    ]
    assert [step["d"] for step in steps] == [
        *[(W, LOADING, LOADING)] * 3,
        (R, READY, READY),
    ]
    assert b.log.lines() == [
        "requested prefabs/a.ron",
        "requested prefabs/b.ron",
        "requested prefabs/c.ron",
        "requested prefabs/d.ron",
        "loaded prefabs/a.ron",
        "loaded prefabs/c.ron",
        "loaded prefabs/b.ron",
        "ready prefabs/b.ron",
        "loaded prefabs/d.ron",
        "ready prefabs/d.ron",
        "ready prefabs/c.ron",
        "ready prefabs/a.ron",
    ]


def test_failure_at_the_bottom_fails_every_tree_above_it(bench: Make) -> None:
    """What needs something that fails is there, but its tree is not, and the chain says why."""
    b = bench(forest(a="bc", b="", c="d"))
    a = b.load("a")
    b.settle()
    assert states(a) == (R, READY, FAILED)
    assert a.done
    assert not a.ready
    assert a.value is not None
    assert isinstance(a.error, DependencyError)
    assert a.error.chain == ("prefabs/a.ron", "prefabs/c.ron", "prefabs/d.ron")
    assert isinstance(a.error.__cause__, MissingAssetError)
    with pytest.raises(DependencyError, match=r"which needs prefabs/d\.ron, and that failed"):
        a.result()
    c = b.load("c")
    assert c.done
    assert c.dependency_state is FAILED


def test_assets_that_need_each_other_become_ready_together(bench: Make) -> None:
    """A nest spawns birds that build nests: neither is ready before the other."""
    b = bench(forest(nest="", bird="", tree="") | forest(a="b", b="cd", c="a", d=""))
    a = b.load("a")
    seen = []
    while not a.done:
        b.unit()
        seen.append(a.ready)
    assert seen == [False, False, False, True]
    assert b.load("b").ready
    assert b.load("c").ready
    assert [one for one in b.log.lines() if one.startswith("ready")][-3:] != []


def test_circle_that_nobody_holds_leaves_the_cache_as_a_whole(bench: Make) -> None:
    """Holding each other is not being held."""
    b = bench(forest(a="b", b="a", c="a"), cache_entries=0)
    a = b.load("a")
    b.settle()
    assert b.loader.statistics().cache.entries == 2
    del a
    b.settle()
    assert b.loader.statistics().cache.entries == 0
    c = b.load("c")
    b.settle()
    assert c.ready
    assert b.loader.statistics().cache.entries == 3


def test_asset_that_needs_itself_is_ready(bench: Make) -> None:
    """The smallest circle."""
    b = bench(forest(a="a"))
    a = b.load("a")
    b.settle()
    assert a.ready


# ---------------------------------------------------------------------------------- L2: one load


def test_two_loads_of_one_asset_are_one_read_and_equal_handles(bench: Make) -> None:
    """However its id is written."""
    b = bench(forest(a=""))
    first, second = b.load("a"), b.load("prefabs/a.ron")
    b.settle()
    assert b.assets.reads == ["prefabs/a.ron"]
    assert first == second
    assert hash(first) == hash(second)
    assert first.value is second.value
    assert first != b.load("b")


def test_different_settings_are_different_loads(bench: Make) -> None:
    """A sheet that is cut differently is another image."""
    b = bench({"images/sheet.png": b"pixels"})
    plain = b.load("images/sheet.png")
    cut = b.load("images/sheet.png", settings={"columns": 4})
    same = b.load("images/sheet.png", settings={"columns": 4})
    b.settle()
    assert len(b.assets.reads) == 2
    assert plain != cut
    assert cut == same


# --------------------------------------------------------------------------- L3: table of outcomes


class Explosive:
    """A processor that raises."""

    name = "explosive"
    version = 1
    patterns = ("*.boom",)
    settings: Mapping[str, Any] = {}

    def process(self, job: Any) -> Any:
        raise ValueError("it went off")


OUTCOMES: list[tuple[str, LoadState, type[Exception] | None, str]] = [
    ("good", R, None, ""),
    ("lib.ron#gate", R, None, ""),
    ("missing", F, MissingAssetError, "no such"),
    ("lib.ron#gat", F, MissingAssetError, "gate"),
    ("broken", F, RonError, "broken.ron:1:"),
    ("plan", F, AssetError, "abstract"),
    ("circle", F, PrefabCycleError, "circle"),
    ("notes.xyz", F, AssetError, "no processor"),
    ("bomb.boom", F, ProcessorError, "it went off"),
    ("data/table.json", R, None, ""),
    ("wrong", F, PrefabError, "expected"),
]


@pytest.mark.parametrize(("name", "state", "error", "text"), OUTCOMES)
def test_every_outcome_has_its_state_and_its_error(
    bench: Make, name: str, state: LoadState, error: type[Exception] | None, text: str
) -> None:
    """Through the real pipeline: good, missing, malformed, cyclic, of no kind, failing."""
    files = {
        "prefabs/good.ron": "Prefab()",
        "prefabs/lib.ron": "Library(gate: Prefab())",
        "prefabs/broken.ron": "Prefab(",
        "prefabs/plan.ron": "Prefab(abstract: true)",
        "prefabs/circle.ron": 'Prefab(extends: "circle")',
        "prefabs/wrong.ron": "Prefab(components: [Tags(3)])",
        "notes.xyz": "?",
        "bomb.boom": "!",
        "data/table.json": "[1]",
    }
    processor: Processor = Explosive()
    with AssetPipeline(MemorySource(files), jobs=0, processors=[processor]) as pipeline:
        b = bench(pipeline)
        handle = b.load(name)
        assert b.loader.wait(handle, timeout_s=20)
        assert handle.state is state
        if error is None:
            assert handle.ready
            assert handle.error is None
        else:
            with pytest.raises(Exception, match=re.escape(text)) as caught:
                handle.result()
            assert caught.type is error
            assert text in str(caught.value)
            assert handle.error is caught.value
            again = b.load(name)
            assert again.error is handle.error, "the first error is kept"
        b.loader.shutdown()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "C:/x.ron", "a\0b", "con.ron", "a/../b"])
def test_ids_that_leave_the_folder_are_refused_by_load(bench: Make, name: str) -> None:
    """At the door, before anything is read."""
    b = bench({})
    with pytest.raises(UnsafePathError):
        b.load(name)
    assert b.assets.reads == []


def test_failed_asset_is_tried_again_once_nobody_has_its_handle(bench: Make) -> None:
    """A new load is a new try; as long as somebody has the failure, it is the same one."""
    b = bench({})
    handle = b.load("a")
    b.settle()
    assert handle.error is not None
    b.assets.edit("prefabs/a.ron", prefab("a"))
    assert b.load("a").error is handle.error
    del handle
    b.settle()
    again = b.load("a")
    b.settle()
    assert again.ready


# ----------------------------------------------------------------------------------- L4: cancelling


def test_cancelled_while_waiting_is_never_read(bench: Make) -> None:
    """It leaves the queue."""
    b = bench(forest(a="", b=""))
    a, other = b.load("a"), b.load("b")
    assert a.cancel()
    assert not a.cancel()
    b.settle()
    assert b.assets.reads == ["prefabs/b.ron"]
    assert other.ready
    assert a.state is LoadState.CANCELLED
    assert a.done
    assert a.cancelled
    assert a.value is None
    with pytest.raises(LoadCancelledError):
        a.result()
    assert b.log.of("prefabs/a.ron") == ["requested", "cancelled"]


def pages(count: int = 4000, name: str = "big") -> Prefab:
    """A prefab of several pages, 140 kB for each 1,000 parts."""
    parts = tuple(
        Child(
            f"part{number}",
            Transform((number, 0), 0.0, 1.0),
            Prefab(f"prefabs/part{number}.ron", {"Tags": {"names": ["x" * 60]}}),
        )
        for number in range(count)
    )
    return Prefab(f"prefabs/{name}.ron", {}, parts)


def test_cancelled_while_decoding_stops_at_the_next_page(bench: Make) -> None:
    """The pages behind are never read."""
    read: list[int] = []
    b = bench({"prefabs/big.ron": pages()})
    asset = b.assets.get("prefabs/big.ron")
    inner = asset._read
    asset._read = lambda number: (read.append(number), inner(number))[1]
    b.assets.edit("prefabs/big.ron", asset)
    handle = b.load("big")
    b.unit(2)
    assert handle.state is LoadState.DECODING
    assert read == [1]
    assert asset.pages > 4
    handle.cancel()
    b.settle()
    assert read == [1]
    assert b.log.of("prefabs/big.ron")[-1] == "cancelled"
    assert b.loader.statistics().in_flight == 0


def test_cancelled_while_activating_runs_no_further_step(bench: Make) -> None:
    """The activator is closed where it stands, and its value is dropped."""
    ran: list[str] = []

    def activate(identifier: str, value: Any) -> Iterator[Step | None]:
        try:
            for number in range(5):
                ran.append(f"{identifier} {number}")
                yield Step("upload", 10)
        finally:
            ran.append("closed")

    b = bench({"data/x.json": [1]}, activators={"json": activate})
    handle = b.load("data/x.json")
    b.executor.run()
    for _ in range(3):  # it lands, and then one step a frame
        b.loader.drain(0)
    assert ran == ["data/x.json 0", "data/x.json 1"]
    assert handle.state is LoadState.ACTIVATING
    handle.cancel()
    b.settle()
    assert ran == ["data/x.json 0", "data/x.json 1", "closed"]
    assert b.loader.statistics().cache.entries == 0
    assert b.loader.statistics().in_flight == 0


def test_cancel_of_one_of_two_handles_leaves_the_other(bench: Make) -> None:
    """A load is cancelled when all have let go."""
    b = bench(forest(a=""))
    first, second = b.load("a"), b.load("a")
    first.cancel()
    b.settle()
    assert first.cancelled
    assert second.ready


def test_dropping_the_last_handle_cancels_the_load_and_what_only_it_needs(bench: Make) -> None:
    """Nobody wants it any more, and nobody has to say so."""
    b = bench(forest(a="bc", b="", c="", d="c"))
    a, d = b.load("a"), b.load("d")
    b.unit(2)
    del a
    b.settle()
    assert d.ready
    assert "prefabs/b.ron" not in b.assets.reads
    assert b.log.of("prefabs/b.ron") == ["requested", "cancelled"]


def test_handle_in_a_reference_circle_is_let_go_by_the_collector(bench: Make) -> None:
    """Finalisers may run anywhere: they only leave a note."""
    b = bench(forest(a=""))
    circle: list[Any] = [b.load("a")]
    circle.append(circle)
    del circle
    gc.collect()
    b.settle()
    assert b.assets.reads == []
    assert b.loader.statistics().cancelled == 1


def test_load_with_a_callback_needs_no_handle(bench: Make) -> None:
    """Somebody waits for it, so it is wanted."""
    b = bench(forest(a="b", b=""))
    seen: list[str] = []
    b.load("a", on_done=lambda handle: seen.append(f"{handle.id} {handle.ready}"))
    b.settle()
    assert seen == ["prefabs/a.ron True"]


def test_callback_of_a_cancelled_handle_is_not_called(bench: Make) -> None:
    """Who cancels knows it."""
    b = bench(forest(a=""))
    seen: list[object] = []
    handle = b.load("a", on_done=seen.append)
    handle.cancel()
    b.settle()
    assert seen == []


# --------------------------------------------------------------------------- L5, L6: order, limits


def test_ten_thousand_requests_keep_within_the_limits_and_in_order(bench: Make) -> None:
    """Never more in flight than may be, and nothing less urgent starts before something more."""
    names = [f"p{number}" for number in range(10_000)]
    b = bench(
        {f"prefabs/{name}.ron": prefab(name) for name in names},
        max_in_flight=16,
        max_in_flight_bytes=20_000,
    )
    order = [Priority(hash_of(name) % 5) for name in names]
    handles = [b.load(name, priority=one) for name, one in zip(names, order, strict=True)]
    b.settle()
    assert all(handle.ready for handle in handles)
    ranks = {f"prefabs/{name}.ron": -one for name, one in zip(names, order, strict=True)}
    started = [ranks[one] for one in b.assets.reads]
    assert started == sorted(started), "inversions"
    statistics = b.loader.statistics()
    assert statistics.most_in_flight <= 16
    assert statistics.most_in_flight_bytes <= 20_000
    assert statistics.in_flight == statistics.in_flight_bytes == 0
    assert statistics.requested == statistics.ready == 10_000


def hash_of(name: str) -> int:
    """A number that is the same in every run."""
    return sum(ord(letter) * 31**place for place, letter in enumerate(name))


def test_what_an_urgent_load_needs_is_as_urgent(bench: Make) -> None:
    """A LOW asset that a CRITICAL one turns out to need comes before NORMAL ones."""
    b = bench(forest(boss="x", x="y", y="", n="", m=""))
    low = b.load("x", priority=Priority.LOW)
    normal = [b.load("n"), b.load("m")]
    boss = b.load("boss", priority=Priority.CRITICAL)
    b.settle()
    assert [one[8:-4] for one in b.assets.reads] == ["boss", "x", "y", "n", "m"]
    assert boss.ready
    assert low.ready
    assert normal[0].ready


def test_inherited_urgency_goes_with_the_one_that_had_it(bench: Make) -> None:
    """Once the boss is cancelled, what it needed waits as before."""
    b = bench(forest(boss="x", x="", n=""))
    low, normal = b.load("x", priority=Priority.LOW), b.load("n")
    boss = b.load("boss", priority=Priority.CRITICAL)
    b.unit()
    boss.cancel()
    b.settle()
    assert [one[8:-4] for one in b.assets.reads] == ["boss", "n", "x"]
    assert low.ready
    assert normal.ready


def test_urgent_load_goes_before_the_pages_of_a_large_one(bench: Make) -> None:
    """A monster that nobody waits for holds nobody up by more than a page."""
    b = bench({"prefabs/big.ron": pages(), **forest(a="")})
    big = b.load("big", priority=Priority.PRELOAD)
    b.unit(2)
    urgent = b.load("a", priority=Priority.CRITICAL)
    b.unit(1)
    assert urgent.ready
    assert not big.done
    b.settle()
    assert big.ready


def test_full_flight_of_interrupted_loads_does_not_wait_for_itself(bench: Make) -> None:
    """Loads that made room go on although the limits admit nobody else."""
    b = bench(
        {**{f"prefabs/big{n}.ron": pages(2000, f"big{n}") for n in range(2)}, **forest(a="")},
        max_in_flight=2,
    )
    large = [b.load(f"big{n}", priority=Priority.PRELOAD) for n in range(2)]
    b.executor.run(1)
    b.executor.run(1)
    urgent = b.load("a", priority=Priority.CRITICAL)
    b.settle()
    assert urgent.ready
    assert all(one.ready for one in large)


# ------------------------------------------------------------------------ L7: retries and time-outs


def test_flaky_read_is_tried_again_with_back_off(bench: Make) -> None:
    """Twice it fails, then it works: the same handle, after 0.1 and 0.2 seconds."""
    b = bench(FlakyAssets(MemoryAssets(forest(a="")), {"prefabs/a.ron": 2}))
    handle = b.load("a")
    tried: list[float] = []
    for _ in range(50):
        before = len(b.log)
        b.settle()
        tried += [event.seconds for event in list(b.log)[before:] if event.kind == "retrying"]
        b.clock.advance(0.01)
    assert handle.ready
    assert tried[0] == 0
    assert tried[1] == pytest.approx(0.1, abs=0.011)
    loaded = [event for event in b.log if event.kind == "loaded"]
    assert 0.295 <= loaded[0].seconds <= 0.325


def test_read_that_fails_for_good_is_given_up(bench: Make) -> None:
    """After so many retries the cause is the error."""
    b = bench(FlakyAssets(MemoryAssets(forest(a="")), {"prefabs/a.ron": 99}), retries=2)
    handle = b.load("a")
    for _ in range(10):
        b.settle()
        b.clock.advance(0.2)
    assert isinstance(handle.error, OSError)
    assert b.log.of("prefabs/a.ron").count("retrying") == 2


def test_cancelled_between_two_tries_is_not_tried_again(bench: Make) -> None:
    """The timer finds nothing to do."""
    inner = MemoryAssets(forest(a=""))
    b = bench(FlakyAssets(inner, {"prefabs/a.ron": 1}))
    handle = b.load("a")
    b.settle()
    handle.cancel()
    b.clock.advance(5)
    b.settle()
    assert inner.reads == []
    assert b.loader.statistics().in_flight == 0


def test_unreadable_file_is_read_again_through_the_real_pipeline(bench: Make) -> None:
    """A file that was locked when it was first read loads once it is not."""

    class Locked(MemorySource):
        locked = True

        def read(self, path: str, *arguments: Any, **options: Any) -> bytes:
            if self.locked:
                raise UnreadableAssetError("the file cannot be read: it is locked", path=path)
            return super().read(path, *arguments, **options)

    source = Locked({"prefabs/a.ron": "Prefab()"})
    with AssetPipeline(source, jobs=0) as pipeline:
        b = bench(pipeline)
        handle = b.load("a")
        while not b.log.of("prefabs/a.ron").count("retrying"):
            b.settle()
            b.loader.queue.wait(0.05)
        source.locked = False
        b.clock.advance(0.2)
        assert b.loader.wait(handle, timeout_s=20)
        assert handle.ready
        b.loader.shutdown()


def test_handle_that_waits_too_long_fails_alone(bench: Make) -> None:
    """The time-out is the handle's; the other one goes on."""
    b = bench(forest(a=""))
    seen: list[Exception | None] = []
    late = b.load("a", timeout_s=0.5, on_done=lambda handle: seen.append(handle.error))
    patient = b.load("a")
    b.clock.advance(0.4)
    b.loader.drain(1.0)
    assert not late.done
    b.clock.advance(0.2)
    b.loader.drain(1.0)
    assert late.done
    assert isinstance(late.error, LoadTimeoutError)
    assert seen == [late.error]
    assert late.state is F
    b.settle()
    assert patient.ready
    assert isinstance(late.error, LoadTimeoutError)


# ------------------------------------------------------------------------------- L9: in the call


def test_cached_asset_is_ready_in_the_call(bench: Make) -> None:
    """No frame passes, nothing is read."""
    b = bench(forest(a="b", b=""))
    first = b.load("a")
    b.settle()
    del first
    b.settle()
    again = b.load("a")
    assert again.ready
    assert again.result().id == "prefabs/a.ron"
    assert len(b.assets.reads) == 2


def test_baked_asset_with_what_it_needs_is_ready_in_the_next_frame(bench: Make) -> None:
    """What it needs is asked for by the thread that decoded it: no frame is lost for each level."""
    b = bench(forest(a="b", b="c", c=""))
    handle = b.load("a")
    play_frames(b.loader, b.clock, b.executor, frames=1)
    play_frames(b.loader, b.clock, b.executor, frames=1)
    assert handle.ready


# ---------------------------------------------------------------------------------- L12: the cache


def test_least_recently_used_leave_the_cache_first(bench: Make) -> None:
    """By number; what is held or pinned stays."""
    b = bench(forest(a="", b="", c="", d=""), cache_entries=1)
    held, pinned = b.load("a"), b.load("b")
    b.settle()
    b.loader.pin(pinned)
    del pinned
    for name in "cd":
        one = b.load(name)
        b.settle()
        del one
        b.settle()
    assert [one.id for one in b.log if one.kind == "evicted"] == ["prefabs/c.ron"]
    assert held.ready
    assert b.load("b").ready
    assert b.load("d").ready
    assert b.loader.statistics().cache.evictions == 1


def test_cache_keeps_within_its_bytes_and_never_drops_what_is_held(bench: Make) -> None:
    """The bytes are those of everything; what is held may be more than the limit."""
    data = {f"data/{n}.bin": bytes(10_000) for n in range(40)}
    b = bench(data, cache_bytes=100_000)
    handles = []
    for number in range(40):
        handle = b.load(f"data/{number}.bin")
        b.settle()
        if number % 8 == 0:
            handles.append(handle)
        del handle
        b.settle()
        assert b.loader.statistics().cache.bytes <= 100_000
    assert all(handle.ready for handle in handles)
    more = [b.load(f"data/{number}.bin") for number in range(15)]
    b.settle()
    statistics = b.loader.statistics().cache
    assert all(one.ready for one in more)
    assert statistics.bytes > 100_000
    assert statistics.over_limit
    assert statistics.idle_entries == 0
    assert [one.kind for one in b.log if one.kind.startswith("memory")] == ["memory_high"]
    del more
    handles.clear()
    b.settle()
    assert [one.kind for one in b.log if one.kind.startswith("memory")][-1] == "memory_normal"


def test_value_that_the_game_still_uses_is_shared_not_read_again(bench: Make) -> None:
    """A weak reference remembers it, and what it needs is loaded with it."""
    b = bench(forest(a="b", b=""), cache_entries=0)
    handle = b.load("a")
    b.settle()
    value = handle.value
    del handle
    b.settle()
    assert b.loader.statistics().cache.entries == 0
    again = b.load("a")
    assert again.value is value
    assert again.state is R
    assert not again.ready
    b.settle()
    assert again.ready
    assert b.assets.reads.count("prefabs/a.ron") == 1
    assert b.loader.statistics().cache.shared == 1
    del value, again
    b.settle()
    gc.collect()
    third = b.load("a")
    assert not third.done
    b.settle()
    assert b.assets.reads.count("prefabs/a.ron") == 2


def test_trim_and_evict_drop_only_what_nobody_holds(bench: Make) -> None:
    """On demand, as on a loading screen."""
    b = bench(forest(a="", b="", c=""))
    held = b.load("a")
    others = [b.load("b"), b.load("c")]
    b.settle()
    others.clear()
    b.settle()
    assert not b.loader.evict("a")
    assert b.loader.evict("b")
    assert not b.loader.evict("nothing")
    assert b.loader.trim() == 1
    assert held.ready
    assert b.loader.statistics().cache.entries == 1
    with pytest.raises(ValueError, match="not pinned"):
        b.loader.unpin(held)


def test_figures_of_the_cache_add_up(bench: Make) -> None:
    """Hits, misses, and what is there."""
    b = bench(forest(a="", b=""))
    handles = [b.load(name) for name in "ababa"]  # what is on its way is no hit
    b.settle()
    handles += [b.load(name) for name in "abx"]
    b.settle()
    cache = b.loader.statistics().cache
    assert (cache.hits, cache.misses, cache.shared) == (2, 3, 0)
    assert cache.entries == 2
    assert cache.bytes == cache.peak_bytes > 0


# ------------------------------------------------------------------------------ progressive loading


def test_children_of_a_large_prefab_can_be_used_as_they_come(bench: Make) -> None:
    """Page by page, in order, each once, with a progress that only rises."""
    b = bench({"prefabs/big.ron": pages()})
    handle = b.load("big")
    progress = [handle.progress]
    seen = [handle.children]
    while not handle.done:
        b.unit()
        b.loader.drain()
        progress.append(handle.progress)
        seen.append(handle.children)
    b.settle()
    assert len({len(children) for children in seen}) > 4
    assert all(later[: len(first)] == first for first, later in itertools.pairwise(seen))
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert len(set(progress)) > 4
    # Each page is an equal part of it, and the check of what came is one more.
    assert all(p >= 0.7 * len(c) / 4000 for p, c in zip(progress, seen, strict=True))
    assert len(handle.children) == 4000 == len(handle.result().children)


def test_large_prefab_that_changes_while_it_is_read_begins_anew(bench: Make) -> None:
    """Parts of the first page come again; those of the old file are gone."""
    b = bench({"prefabs/big.ron": pages()})
    handle = b.load("big")
    counts = [0]
    b.unit(3)
    b.loader.drain()
    counts.append(len(handle.children))
    b.assets.edit("prefabs/big.ron", pages(3000))
    while not handle.done:
        b.unit()
        b.loader.drain()
        counts.append(len(handle.children))
    assert handle.ready
    assert len(handle.result().children) == 3000
    assert any(later < first for first, later in itertools.pairwise(counts))


def test_baked_gives_the_pages_of_a_real_bake() -> None:
    """The testing module makes assets as the pipeline does."""
    with AssetPipeline(MemorySource({"prefabs/a.ron": "Prefab()"}), jobs=0) as pipeline:
        real = pipeline.get("prefabs/a.ron")
        made = baked("prefabs/a.ron", pipeline.get_prefab("a"))
    assert (made.kind, tuple(made)) == (real.kind, tuple(real))


# ---------------------------------------------------------------------------------- P6, F4: reload


def test_changed_asset_is_replaced_behind_its_handles(bench: Make) -> None:
    """The version rises, whoever watches is told, dependents included."""
    b = bench(forest(a="b", b=""))
    a, second = b.load("a"), b.load("a")
    b.settle()
    told: list[tuple[str, int]] = []
    a.on_reload(lambda handle: told.append((handle.id, handle.version)))
    b.assets.edit("prefabs/a.ron", Prefab("prefabs/a.ron", {"Tags": {"names": ["new"]}}))
    b.loader.reload(["a"])
    b.settle()
    assert second.result().components == {"Tags": {"names": ["new"]}}
    assert second.version == 2
    assert told == [("prefabs/a.ron", 2)]
    assert b.log.of("prefabs/a.ron")[-1] == "reloaded"
    assert b.loader.statistics().cache.entries == 1 + 1


def test_reload_of_what_an_asset_needs_is_told_to_its_watchers(bench: Make) -> None:
    """An edited texture is news for every prefab that has it."""
    b = bench(forest(a="b", b="c", c=""))
    a = b.load("a")
    b.settle()
    told: list[str] = []
    a.on_reload(lambda handle: told.append(handle.id))
    b.assets.edit("prefabs/c.ron", Prefab("prefabs/c.ron", {"Tags": {"names": ["new"]}}))
    b.loader.reload(["c"])
    b.settle()
    assert told == ["prefabs/a.ron"]
    assert a.version == 1
    assert a.ready
    assert b.log.of("prefabs/a.ron")[-1] == "dependency_reloaded"


def test_older_read_that_ends_last_does_not_win(bench: Make) -> None:
    """Two quick edits: the newest wins, whichever read is the slower one."""
    versions = [Prefab("prefabs/a.ron", {"Tags": {"names": [str(n)]}}) for n in range(3)]
    b = bench({"prefabs/a.ron": versions[0]})
    handle = b.load("a")
    b.settle()
    b.assets.edit("prefabs/a.ron", versions[1])
    b.loader.reload(["a"])
    real_get = b.assets.get

    def slow_get(identifier: str, settings: Any = None) -> Any:
        """The first read: while it has the older version in its hands, another one overtakes."""
        b.assets.get = real_get
        older = real_get(identifier, settings)
        b.assets.edit("prefabs/a.ron", versions[2])
        b.loader.reload(["a"])
        b.settle()
        assert handle.result() == versions[2]
        return older

    b.loader.drain(1.0)
    b.assets.get = slow_get
    b.settle()
    assert handle.result() == versions[2]
    assert handle.version == 2
    assert b.loader.statistics().in_flight == 0


def test_broken_edit_keeps_the_last_good_value_and_says_why(bench: Make) -> None:
    """Until the next good save."""
    good, better = prefab("a"), Prefab("prefabs/a.ron", {})
    b = bench({"prefabs/a.ron": good})
    handle = b.load("a")
    b.settle()
    b.assets.edit("prefabs/a.ron", RonError("expected `)`", path="a.ron", line=1, column=2))
    b.loader.reload(["a"])
    b.settle()
    assert handle.ready
    assert handle.result() == good
    assert isinstance(handle.stale_error, RonError)
    assert b.log.of("prefabs/a.ron")[-1] == "reload_failed"
    b.assets.edit("prefabs/a.ron", better)
    b.loader.reload(["a"])
    b.settle()
    assert handle.result() == better
    assert handle.stale_error is None


def test_failed_asset_is_healed_by_a_reload_and_what_needs_it_with_it(bench: Make) -> None:
    """A handle that failed becomes ready; trees above it too."""
    b = bench(forest(a="bc", c=""))
    a, missing = b.load("a"), b.load("b")
    b.settle()
    assert a.tree_state is FAILED
    assert missing.state is F
    b.assets.edit("prefabs/b.ron", prefab("b"))
    b.loader.reload(["b"])
    b.settle()
    assert missing.ready
    assert a.ready
    assert a.error is None
    assert a.result() == prefab("a", "b", "c")


def test_reload_follows_what_the_new_version_needs(bench: Make) -> None:
    """New needs are loaded, old ones let go."""
    b = bench(forest(a="b", b="", c=""), cache_entries=0)
    a = b.load("a")
    b.settle()
    b.assets.edit("prefabs/a.ron", prefab("a", "c"))
    b.loader.reload(["a"])
    b.settle()
    assert a.ready
    assert b.assets.reads[-1] == "prefabs/c.ron"
    assert [one.id for one in b.log if one.kind == "evicted"] == ["prefabs/b.ron"]


def test_reload_takes_the_ids_of_what_was_baked_with_settings(bench: Make) -> None:
    """A bake tells them with those behind the path; all that comes from the file is loaded anew."""
    b = bench(forest(a=""))
    a = b.load("a")
    b.settle()
    b.assets.edit("prefabs/a.ron", Prefab("prefabs/a.ron", {}))
    b.loader.reload(['prefabs/a.ron?{"columns":4}'])
    b.settle()
    assert a.result() == Prefab("prefabs/a.ron", {})


def test_asset_let_go_while_it_is_loaded_anew_is_out_of_date(bench: Make) -> None:
    """Neither the cache nor a value that is alive in the game answers for it afterwards."""
    b = bench(forest(a=""))
    handle = b.load("a")
    b.settle()
    old = handle.value
    b.assets.edit("prefabs/a.ron", Prefab("prefabs/a.ron", {}))
    b.loader.reload(["a"])
    b.loader.drain()  # the reload has begun, and nothing was read yet
    del handle
    b.loader.drain()
    again = b.load("a")
    b.settle()
    assert again.result() == Prefab("prefabs/a.ron", {}) != old


def test_reload_of_what_only_the_cache_has_drops_it(bench: Make) -> None:
    """And a value that is alive in the game is not shared: it is out of date."""
    b = bench(forest(a=""))
    handle = b.load("a")
    b.settle()
    old = handle.value
    del handle
    b.settle()
    b.assets.edit("prefabs/a.ron", Prefab("prefabs/a.ron", {}))
    b.loader.reload(["a"])
    b.settle()
    again = b.load("a")
    b.settle()
    assert again.result() == Prefab("prefabs/a.ron", {}) != old


def test_asset_that_is_edited_while_it_loads_arrives_in_its_newest_version(bench: Make) -> None:
    """Whatever it was doing when the file changed."""
    for units in range(4):
        b = bench(forest(a=""))
        handle = b.load("a")
        b.executor.run(units)
        b.assets.edit("prefabs/a.ron", Prefab("prefabs/a.ron", {}))
        b.loader.reload(["a"])
        b.settle()
        assert handle.result() == Prefab("prefabs/a.ron", {}), units
        assert b.loader.statistics().in_flight == 0


TROUBLES = ["none", "no file events", "a read fails", "the first bake is late"]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_watcher_and_loader_replace_what_was_saved(
    bench: Make, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Files, watcher, pipeline, loader: a save reaches the handle, extending prefabs included."""
    from arcade_prefabs.pipeline import AssetWatcher, watcher

    folder = tmp_path / "prefabs"
    folder.mkdir()
    (folder / "base.ron").write_text('Prefab(components: [Tags(["old"])])')
    (folder / "crate.ron").write_text('Prefab(extends: "base")')
    with AssetPipeline(tmp_path, jobs=0) as pipeline:
        go_on = _make_trouble(trouble, pipeline, monkeypatch, watcher)
        b = bench(pipeline)
        with AssetWatcher(pipeline, b.loader.apply, debounce_s=0.01) as watching:
            crate = b.load("crate")
            assert b.loader.wait(crate, timeout_s=20)
            done = _until(b, lambda: crate.result().components["Tags"]["names"] == ["new"])
            (folder / "base.ron").write_text('Prefab(components: [Tags(["new"])])')
            go_on.set()
            assert done()
            assert crate.version == 2
            failed = _until(b, lambda: crate.stale_error is not None)
            (folder / "crate.ron").write_text("Prefab(")
            assert failed()
            assert crate.ready
            healed = _until(b, lambda: crate.stale_error is None and crate.version == 3)
            (folder / "crate.ron").write_text('Prefab(extends: "base", components: [Tags([])])')
            assert healed()
            assert not failures_of(watching)
        b.loader.shutdown()


def _make_trouble(
    kind: str, pipeline: AssetPipeline, monkeypatch: pytest.MonkeyPatch, watcher: Any
) -> threading.Event:
    """Let something be slow or fail, as on a machine with much to do; set: it may go on."""
    go_on = threading.Event()
    bake, get = pipeline.bake, pipeline.get
    reads = itertools.count(1)

    def late(*arguments: Any, **options: Any) -> Any:
        assert go_on.wait(20)
        return bake(*arguments, **options)

    def failing(*arguments: Any, **options: Any) -> Any:
        if not next(reads) % 2:
            raise StoreError("somebody writes into it")
        return get(*arguments, **options)

    if kind == "no file events":
        import watchfiles as events

        kind_of = type("WatchfilesRustInternalError", (RuntimeError,), {})
        error = kind_of("Error creating recommended watcher: Too many open files (os error 24)")
        watch = events.watch

        def without_events(*folders: Any, **options: Any) -> Any:
            if not options["force_polling"]:
                raise error
            return watch(*folders, **options)

        monkeypatch.setattr(events, "watch", without_events)
        monkeypatch.setattr(watcher, "_POLL_S", 0.01)
    elif kind == "a read fails":
        monkeypatch.setattr(pipeline, "get", failing)
    elif kind == "the first bake is late":  # and `start` has not waited for so long
        monkeypatch.setattr(watcher, "_READY_S", 0.0)
        monkeypatch.setattr(pipeline, "bake", late)
    return go_on


def _until(b: Bench, condition: Callable[[], bool]) -> Callable[[], bool]:
    """Plays the loader until something is so; False after 20 seconds."""

    def wait() -> bool:
        for _ in range(1000):
            b.settle()
            if condition():
                return True
            b.loader.queue.wait(0.02)
            b.clock.advance(0.02)  # a read that has failed is tried again then
        return False

    return wait


# -------------------------------------------------------------------------------------------- batch


def test_batch_counts_what_ended_and_lists_what_failed(bench: Make) -> None:
    """Registered in slices; one failure is no end."""
    names = [f"p{n}" for n in range(500)]
    assets = {f"prefabs/{name}.ron": prefab(name) for name in names if name != "p7"}
    b = bench(assets)
    done: list[int] = []
    batch = b.loader.load_many([*names, "../escape"])
    batch.add_done_callback(lambda one: done.append(one.ended))
    assert batch.total == 501
    assert not batch.done
    assert batch.progress == 0
    b.settle()
    assert batch.done
    assert batch.progress == 1
    assert len(batch) == 500
    assert sorted(batch.errors) == ["../escape", "prefabs/p7.ron"]
    assert done == [501]


def test_batch_of_a_folder_finds_what_is_below_it(bench: Make) -> None:
    """Prefabs by their own folder or by the whole path."""
    b = bench(
        {f"prefabs/{one}.ron": Prefab(f"prefabs/{one}.ron", {}) for one in ("x/a", "x/b", "y")}
    )
    for folder, count in (("x", 2), ("prefabs/x", 2), ("x/", 2), ("", 3), ("prefabs", 3)):
        batch = b.loader.load_folder(folder)
        b.settle()
        assert batch.done
        assert len(batch) == count
        assert not batch.errors
    for folder in ("z", "../x"):
        batch = b.loader.load_folder(folder)
        b.settle()
        assert (batch.done, list(batch.errors)) == (True, [folder])


def test_batch_of_a_folder_that_is_not_baked_yet_waits_for_the_bake(tmp_path: Any) -> None:
    """It holds everything in it then, and tells what cannot be baked; a misspelt one has failed."""
    assets = tmp_path / "assets"
    for name, text in (("a", "Prefab()"), ("b", "Prefab()"), ("broken", "Prefab(")):
        path = assets / "prefabs" / "props" / f"{name}.ron"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (assets / "prefabs" / "empty").mkdir()
    for number, folder in enumerate(("props", "", "prefabs/props", "props/", "prefabs")):
        with (
            AssetPipeline(assets, jobs=0, store=tmp_path / f"{number}.sqlite") as pipeline,
            AsyncPrefabLoader(pipeline) as loader,
        ):
            batch = loader.load_folder(folder)
            assert loader.wait(batch)
            assert sorted(handle.id for handle in batch if handle.ready) == [
                "prefabs/props/a.ron",
                "prefabs/props/b.ron",
            ]
            assert list(batch.errors) == ["prefabs/props/broken.ron"]
            empty = loader.load_folder("empty")
            assert loader.wait(empty)
            assert (empty.total, empty.progress, empty.errors) == (0, 1.0, {})
            missing = loader.load_folder("porps")
            assert loader.wait(missing)
            assert "there is no such folder" in str(missing.errors["porps"])
            assert "props" in str(missing.errors["porps"])


def test_cancelled_batch_lets_everything_go(bench: Make) -> None:
    """Also what it had not registered yet."""
    b = bench({f"prefabs/p{n}.ron": prefab(f"p{n}") for n in range(300)})
    batch = b.loader.load_many([f"p{n}" for n in range(300)])
    b.loader.drain(0)
    assert 0 < len(batch) < 300
    assert batch.cancel()
    assert not batch.cancel()
    b.settle()
    assert b.assets.reads == []
    assert batch.done
    assert batch.cancelled


# ------------------------------------------------------------------------------------------ errors


def test_exception_of_a_callback_is_kept_and_logged(
    bench: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """And nobody else is disturbed."""
    b = bench(forest(a=""))
    seen: list[object] = []

    def broken(handle: Handle[Any]) -> None:
        raise RuntimeError("mine")

    handle = b.load("a", on_done=broken)
    handle.add_done_callback(seen.append)
    b.settle()
    assert len(seen) == 1
    assert "broken" in b.loader.failures[0][0]
    assert "mine" in caplog.text


def test_result_of_a_handle_that_is_not_done_says_so(bench: Make) -> None:
    """Neither None nor a hang."""
    handle = bench(forest(a="")).load("a")
    with pytest.raises(LoadError, match="not loaded yet"):
        handle.result()


@pytest.mark.parametrize(
    "wrong",
    [
        {"threads": 0},
        {"cache_entries": -1},
        {"cache_bytes": -1},
        {"max_in_flight": 0},
        {"retries": -1},
        {"timeout_s": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    """At once, with the name of the setting."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LoaderSettings(**wrong)


def test_baked_data_of_an_unknown_kind_says_which_are_known(bench: Make) -> None:
    """A processor of the game's own needs a decoder of the game's own."""
    from arcade_prefabs.pipeline import BakedAsset

    strange = BakedAsset("x.map", "map", b"", 1, b"{}", lambda _: b"")
    b = bench({"x.map": strange})
    handle = b.load("x.map")
    b.settle()
    assert "for which the loader has no decoder" in str(handle.error)
    assert "prefab" in str(handle.error)


def test_listener_that_was_removed_hears_no_more() -> None:
    """The other one still does."""
    executor = InlineExecutor()
    first: list[str] = []
    second: list[str] = []

    def one(event: LoadEvent) -> None:
        first.append(event.kind)

    with AsyncPrefabLoader(MemoryAssets(forest(a="", b="")), executor=executor) as loader:
        loader.add_listener(one)
        loader.add_listener(lambda event: second.append(event.kind))
        a = loader.load("a")
        executor.run()
        loader.drain(1.0)
        assert a.ready
        assert first == second == ["requested", "loaded", "ready"]
        loader.remove_listener(one)
        b = loader.load("b")
        executor.run()
        loader.drain(1.0)
        assert b.ready
        assert (len(first), len(second)) == (3, 6)
        loader.remove_listener(one)  # twice is fine


def test_inline_work_ends_where_the_gate_closes() -> None:
    """An open gate lets all units pass; a closed one without a share none."""
    clock = VirtualClock()
    executor = InlineExecutor()
    gate = IdleGate(clock=clock, minimum_share=0.0)
    assets = MemoryAssets(forest(a="", b=""))
    with AsyncPrefabLoader(assets, clock=clock, executor=executor, gate=gate) as loader:
        handles = [loader.load("a"), loader.load("b")]
        loader.begin_frame()
        assert executor.run_while_open() == 0
        loader.end_frame()
        assert executor.run_while_open() == 2
        loader.drain(1.0)
        assert all(handle.ready for handle in handles)
