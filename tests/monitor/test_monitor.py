"""`FrameMonitor` on a clock that the test moves: what it counts, and whom it blames."""

from __future__ import annotations

import gc
import itertools
import json
import math
import statistics
import threading
import time
from collections.abc import Iterator

import arcade
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcade_prefabs import FrameGraph, FrameMonitor, FrameRateError, Hitch, HitchCause
from arcade_prefabs.monitor import Phase
from arcade_prefabs.monitor.frame_ring import FrameRing
from arcade_prefabs.monitor.processor_time import Computed, ProcessorTime
from arcade_prefabs.monitor.summary import percentile
from arcade_prefabs.testing import VirtualClock

IDLE = Computed(0.0, 0.0, "", 0.0)
USUAL = {Phase.UPDATE: 0.003, Phase.PLUGIN: 0.001, Phase.DRAW: 0.004, Phase.FLIP: 0.001}
FRAME_S = 1 / 60


class Game:
    """Plays frames to a monitor; processor time is what the main thread computes, unless told."""

    def __init__(self, **options: object) -> None:
        self.clock = VirtualClock()
        self.computed: list[Computed] = []
        self.monitor = FrameMonitor(
            clock=self.clock,
            processor_time=lambda: self.computed.pop(0) if self.computed else IDLE,
            **options,  # type: ignore[arg-type]
        )
        self.monitor.begin_frame()

    def frame(
        self,
        longer: dict[Phase, float] | None = None,
        *,
        waiting: Computed | None = None,
        working: Computed | None = None,
        jobs: dict[str, float] | None = None,
    ) -> None:
        """A frame of 60 in a second, with phases that take so much longer."""
        more = longer or {}
        busy = sum(USUAL.values())
        rest = max(0.0, FRAME_S - busy)
        self.computed = [
            working or Computed(busy + sum(more.values()) - more.get(Phase.WAIT, 0.0), 0, "", 0),
            waiting or IDLE,
        ]
        monitor = self.monitor
        update = monitor.enter(Phase.UPDATE)
        self.clock.advance(USUAL[Phase.UPDATE] + more.get(Phase.UPDATE, 0.0))
        plugin = monitor.enter(Phase.PLUGIN)
        self.clock.advance(USUAL[Phase.PLUGIN] + more.get(Phase.PLUGIN, 0.0))
        monitor.note_jobs(jobs or {"spawn": 0.0005})
        monitor.leave(plugin)
        monitor.leave(update)
        draw = monitor.enter(Phase.DRAW)
        self.clock.advance(USUAL[Phase.DRAW] + more.get(Phase.DRAW, 0.0))
        monitor.leave(draw)
        flip = monitor.enter(Phase.FLIP)
        self.clock.advance(USUAL[Phase.FLIP] + more.get(Phase.FLIP, 0.0))
        monitor.leave(flip)
        monitor.end_frame()
        self.clock.advance(rest + more.get(Phase.WAIT, 0.0))
        monitor.begin_frame()  # the next one, and this one is over

    def frames(self, count: int) -> None:
        for _ in range(count):
            self.frame()


@pytest.fixture
def no_collections() -> Iterator[None]:
    """A collection would take no time on the clock of the test, but be a pause in the lists."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def game(no_collections: None) -> Iterator[Game]:
    one = Game()
    yield one
    one.monitor.close()


def test_every_moment_of_a_frame_belongs_to_one_phase(game: Game) -> None:
    """Phases are exclusive, also where one is within another, and their sum is the interval."""
    game.frames(2)
    first, second = game.monitor.frames()
    assert [first.number, second.number] == [0, 1]
    assert second.interval == pytest.approx(FRAME_S)
    assert second.update == pytest.approx(0.003)
    assert second.plugin == pytest.approx(0.001)
    assert second.draw == pytest.approx(0.004)
    assert second.flip == pytest.approx(0.001)
    assert second.garbage == 0
    assert second.wait == pytest.approx(FRAME_S - 0.009)
    assert second.work == pytest.approx(0.009)
    assert second.at - first.at == pytest.approx(second.interval)
    assert second.jobs == {"spawn": 0.0005}


@pytest.mark.parametrize(
    ("phase", "cause"),
    [
        (Phase.UPDATE, HitchCause.UPDATE),
        (Phase.DRAW, HitchCause.DRAW),
        (Phase.FLIP, HitchCause.FLIP),
        (Phase.WAIT, HitchCause.OUTSIDE),
        (Phase.PLUGIN, HitchCause.PLUGIN),
    ],
)
def test_what_took_longer_than_usual_is_to_blame(
    game: Game, phase: Phase, cause: HitchCause
) -> None:
    """The part that grew is told, with how much."""
    game.frames(20)
    game.frame({phase: 0.04}, jobs={"upload": 0.04, "spawn": 0.001})
    (hitch,) = game.monitor.hitches
    assert hitch.cause is cause
    assert hitch.seconds == pytest.approx(0.04)
    assert hitch.interval == pytest.approx(0.04 + FRAME_S)
    assert hitch.number == game.monitor.frames()[-1].number
    assert hitch.detail == ("upload" if phase is Phase.PLUGIN else "")


def test_a_large_part_that_is_always_large_is_not_to_blame(game: Game) -> None:
    """It is growth that counts: a game may always draw for 12 ms."""
    for _ in range(30):
        game.frame({Phase.DRAW: 0.008})
    game.frame({Phase.DRAW: 0.008, Phase.UPDATE: 0.010})
    assert game.monitor.hitches[-1].cause is HitchCause.UPDATE


@pytest.mark.parametrize(
    ("working", "cause"),
    [
        pytest.param(Computed(0.009, 0.0, "", 0.0), HitchCause.UPDATE, id="it slept"),
        pytest.param(Computed(0.049, 0.045, "x", 0.0), HitchCause.UPDATE, id="beside a thread"),
        pytest.param(Computed(0.009, 0.001, "x", 0.04), HitchCause.OUTSIDE, id="no processor"),
    ],
)
def test_who_computed_tells_whose_fault_a_long_update_is(
    game: Game, working: Computed, cause: HitchCause
) -> None:
    """The game's own if it slept, or computed itself; not if it was ready and could not."""
    game.frames(20)
    game.frame({Phase.UPDATE: 0.04}, working=working)
    assert game.monitor.hitches[-1].cause is cause


def test_a_thread_that_computed_while_the_main_thread_could_not_is_to_blame(game: Game) -> None:
    """Whatever phase the main thread was in, and by its name."""
    game.frames(20)
    game.frame({Phase.DRAW: 0.04}, working=Computed(0.009, 0.041, "pathfinder", 0.0))
    hitch = game.monitor.hitches[-1]
    assert (hitch.cause, hitch.detail) == (HitchCause.THREAD, "pathfinder")
    game.frame({Phase.WAIT: 0.04}, waiting=Computed(0.0, 0.04, "pathfinder", 0.0))
    hitch = game.monitor.hitches[-1]
    assert (hitch.cause, hitch.detail) == (HitchCause.THREAD, "pathfinder")


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("arcade_prefabs loader 0", HitchCause.FLIP),
        ("", HitchCause.FLIP),
        ("pathfinder", HitchCause.THREAD),
    ],
)
def test_a_slow_flip_is_not_the_fault_of_threads_that_work_in_it_by_design(
    game: Game, name: str, cause: HitchCause
) -> None:
    """Loader threads wait for it to begin, and give the interpreter back in a millisecond."""
    game.frames(20)
    game.frame({Phase.FLIP: 0.04}, working=Computed(0.009, 0.03, name, 0.0))
    assert game.monitor.hitches[-1].cause is cause


def test_what_listeners_take_is_the_game_s(game: Game) -> None:
    """They run between two frames, where nobody would look for it."""
    game.frames(20)
    game.monitor.add_listener(lambda _: game.clock.advance(0.03))
    game.frame({Phase.DRAW: 0.04})
    game.frame()
    one, two = game.monitor.hitches
    assert (one.cause, two.cause) == (HitchCause.DRAW, HitchCause.UPDATE)
    assert game.monitor.frames()[-1].update == pytest.approx(0.033)


def test_a_frame_late_by_listeners_alone_is_not_told_to_them(game: Game) -> None:
    """They would be told for ever."""
    told: list[Hitch] = []

    def slow(hitch: Hitch) -> None:
        told.append(hitch)
        game.clock.advance(0.03)

    game.frames(20)
    game.monitor.add_listener(slow)
    game.frame({Phase.DRAW: 0.04})
    game.frames(10)
    assert len(told) == 1
    assert [one.detail for one in game.monitor.hitches] == ["", "listeners of late frames"]
    game.frame({Phase.DRAW: 0.04})
    assert len(told) == 2


def test_all_late_frames_that_are_remembered_are_counted(game: Game) -> None:
    """However many."""
    for _ in range(1_500):
        game.frame({Phase.PLUGIN: 0.09}, jobs={"spawn": 0.09})
    found = game.monitor.summary()
    assert (found.over_33, found.plugin_over_33) == (1_500, 1_500)
    assert sum(found.hitches.values()) == 1_500


def test_a_game_that_waits_for_late_timers_is_told_what_to_ask_for(game: Game) -> None:
    """Nothing of it is on time, and nothing of that is its fault."""
    for _ in range(20):
        game.frame({Phase.WAIT: 0.0002})
    assert "set_update_rate(1 / 65)" in str(game.monitor.summary())
    game.monitor.reset()
    game.monitor.begin_frame()
    game.frames(20)
    assert "set_update_rate" not in str(game.monitor.summary())


def test_jobs_of_several_ticks_of_a_frame_add_up(game: Game) -> None:
    """And a long step outside of all jobs is not called by the name of one."""
    game.frames(5)
    game.monitor.note_jobs({"call": 0.05, "spawn": 0.001})  # the first tick of the next frame
    game.frame({Phase.PLUGIN: 0.05}, jobs={"spawn": 0.002})
    assert game.monitor.hitches[-1].detail == "call"
    assert game.monitor.frames()[-1].jobs == {"call": 0.05, "spawn": pytest.approx(0.003)}


def test_no_moment_is_counted_twice_where_a_collection_lets_the_game_go_on(game: Game) -> None:
    """In another thread, with a finalizer that waits: frames go on while it lasts."""
    game.frames(5)
    callback = gc.callbacks[-1]
    callback("start", {"generation": 2})
    game.frames(6)
    callback("stop", {"generation": 2})
    game.frames(3)
    frames = game.monitor.frames()
    assert sum(one.interval for one in frames) == pytest.approx(14 * FRAME_S)
    assert not game.monitor.hitches


@pytest.mark.usefixtures("no_collections")
def test_a_report_tells_of_the_frames_that_are_remembered_only() -> None:
    """Five minutes later nobody asks for hitches and pauses whose frames are gone."""
    game = Game(capacity=20)

    def pause() -> None:
        callback = gc.callbacks[-1]
        callback("start", {"generation": 1})
        game.clock.advance(0.001)
        callback("stop", {"generation": 1})

    pause()
    game.frames(3)
    game.frame({Phase.DRAW: 0.04})
    game.frames(30)
    assert len(game.monitor.hitches) == len(game.monitor.pauses) == 1
    report = game.monitor.report()
    assert not report.hitches
    assert not report.pauses
    assert "no frame late" in report.text()
    pause()
    game.frame({Phase.DRAW: 0.04})
    report = game.monitor.report()
    assert report.hitches == list(game.monitor.hitches[1:])
    assert report.pauses == list(game.monitor.pauses[1:])
    game.monitor.close()


def test_the_graph_tells_how_many_were_late_and_of_the_last(
    game: Game, window: arcade.Window
) -> None:
    """And how the frames went that it shows."""
    graph = FrameGraph(game.monitor, window)
    game.frames(20)
    assert graph.lines()[-1] == "none late"
    game.frame({Phase.UPDATE: 0.04})
    game.frame({Phase.DRAW: 0.04})
    assert graph.lines()[-1] == f"2 late, last {game.monitor.hitches[1]}"
    assert game.monitor.hitches[1].cause is HitchCause.DRAW


def test_another_rate_is_what_frames_are_late_by(game: Game) -> None:
    """A frame of 20 ms is late at 120 a second, and not at 60."""
    game.frames(20)
    for fps, late in ((60, 0), (120, 1)):
        game.monitor.expect(fps)
        game.frame({Phase.DRAW: 0.004})
        assert len(game.monitor.hitches) == late


def test_a_monitor_is_closed_at_the_end_of_a_with() -> None:
    """And watches the collector no more."""
    callbacks = len(gc.callbacks)
    with FrameMonitor() as monitor:
        assert len(gc.callbacks) == callbacks + 1
    assert monitor.closed
    assert len(gc.callbacks) == callbacks


def test_a_thread_that_comes_into_sight_late_is_not_told_of_its_whole_life() -> None:
    """Of more than eight the oldest are looked at; when they end, others take their places."""
    told, over = threading.Event(), threading.Event()
    early = [threading.Thread(target=told.wait, args=(20,)) for _ in range(9)]
    computed = threading.Event()

    def work() -> None:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        computed.set()
        over.wait(20)

    late = threading.Thread(target=work, name="late")
    for one in [*early, late]:
        one.start()
    looks = ProcessorTime()
    try:
        assert computed.wait(20)
        looks.look()
        told.set()
        for one in early:
            one.join(20)
        assert looks.look().thread < 0.02
        assert looks.look().thread < 0.02
    finally:
        told.set()
        over.set()
        late.join(20)
        looks.close()


def test_the_garbage_collector_is_to_blame_wherever_it_came(game: Game) -> None:
    """Its time is not that of the phase which it interrupted."""
    game.frames(20)
    monitor = game.monitor
    callback = gc.callbacks[-1]
    outer = monitor.enter(Phase.UPDATE)  # of the next frame
    callback("start", {"generation": 2})
    game.clock.advance(0.04)
    callback("stop", {"generation": 2})
    monitor.leave(outer)
    game.frame()
    hitch = monitor.hitches[-1]
    assert (hitch.cause, hitch.detail) == (HitchCause.GARBAGE, "generation 2")
    assert monitor.frames()[-1].garbage == pytest.approx(0.04)
    assert monitor.frames()[-1].update == pytest.approx(0.003)
    assert monitor.pauses[-1].seconds == pytest.approx(0.04)


def test_listeners_hear_of_hitches_and_their_errors_harm_nobody(
    game: Game, caplog: pytest.LogCaptureFixture
) -> None:
    """One that raises is logged; the others hear all the same."""
    heard: list[str] = []

    def broken(_: object) -> None:
        raise ValueError("broken")

    game.monitor.add_listener(broken)
    game.monitor.add_listener(lambda hitch: heard.append(str(hitch)))
    game.frames(5)
    game.frame({Phase.UPDATE: 0.04})
    assert heard == ["56.7 ms: game update"]
    assert "a listener of the frame monitor failed" in caplog.text


@given(st.lists(st.floats(0.001, 0.2), min_size=1, max_size=300), st.floats(0.001, 1.0))
def test_percentiles_are_what_their_definition_says(values: list[float], share: float) -> None:
    """M1: the smallest value that at least that share does not exceed, counted one by one."""
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in values
    below = sum(one <= found for one in values)
    assert below >= len(values) * share - 1e-9
    smaller = [one for one in ordered if one < found]
    if smaller:
        assert sum(one <= smaller[-1] for one in values) < len(values) * share + 1e-9


@given(st.lists(st.floats(0.0, 0.06), min_size=2, max_size=80))
def test_summaries_agree_with_the_standard_library(waits: list[float]) -> None:
    """M1: counts, means and percentiles, computed from what the clock said."""
    game = Game()
    try:
        shown: list[float] = [game.clock()]
        for wait in waits:
            game.frame({Phase.WAIT: wait})
            shown.append(game.clock())
        found = game.monitor.summary()
    finally:
        game.monitor.close()
    gaps = [two - one for one, two in itertools.pairwise(shown)]
    assert found.frames == len(gaps)
    assert found.seconds == pytest.approx(math.fsum(gaps))
    assert found.fps == pytest.approx(1 / statistics.fmean(gaps))
    assert found.interval.longest == pytest.approx(max(gaps))
    assert found.interval.p50 == pytest.approx(statistics.median_low(gaps))
    assert found.over_33 == sum(one > 0.033 for one in gaps)
    late = [one for one in gaps if one > 1.5 / 60]
    assert abs(len(game.monitor.hitches) - len(late)) <= sum(
        abs(one - 1.5 / 60) < 1e-9 for one in gaps
    )


def test_frames_missed_are_those_a_display_would_have_shown(game: Game) -> None:
    """A frame of 50 ms at 60 a second is there one time, and missing twice."""
    game.frames(10)
    game.frame({Phase.UPDATE: 2 * FRAME_S})
    assert game.monitor.summary().missed == 2


def test_a_summary_adds_the_jobs_of_all_frames_up(game: Game) -> None:
    """By their kind: the seconds of all, and those of the longest in a frame."""
    game.frame(jobs={"upload": 0.002, "spawn": 0.0005})
    game.frame(jobs={"upload": 0.003})
    jobs = game.monitor.summary().jobs
    assert jobs.keys() == {"upload", "spawn"}
    assert jobs["upload"] == (pytest.approx(0.005), pytest.approx(0.003))
    assert jobs["spawn"] == (pytest.approx(0.0005), pytest.approx(0.0005))


def test_a_monitor_forgets_the_oldest_frames() -> None:
    """Its memory is bounded; numbers go on."""
    game = Game(capacity=5)
    game.frames(12)
    game.monitor.close()
    assert [one.number for one in game.monitor.frames()] == [7, 8, 9, 10, 11]
    assert [one.number for one in game.monitor.frames(2)] == [10, 11]
    assert game.monitor.frames(0) == []
    assert game.monitor.summary().frames == 5


def test_a_reset_forgets_everything_and_begins_with_the_next_frame(game: Game) -> None:
    """What came before, the time since then included, is no frame."""
    game.frames(10)
    game.frame({Phase.UPDATE: 0.04})
    game.monitor.reset()
    assert (game.monitor.frames(), game.monitor.hitches) == ([], ())
    game.clock.advance(5.0)
    game.frames(3)
    assert [one.number for one in game.monitor.frames()] == [0, 1]
    assert game.monitor.summary().longest_s == pytest.approx(FRAME_S)


def test_a_rate_that_was_held_passes_and_others_do_not(game: Game) -> None:
    """The mean, the late ones, and the longest are asked for, each by itself."""
    game.frames(200)
    game.monitor.assert_fps(59.9)
    with pytest.raises(FrameRateError, match=r"60\.00 frames a second, not 61"):
        game.monitor.assert_fps(61)
    game.frame({Phase.UPDATE: 0.03})
    game.monitor.assert_fps(59)
    with pytest.raises(FrameRateError, match=r"a frame of 46\.7 ms, longer than 40\.0"):
        game.monitor.assert_fps(59, longest_s=0.04)
    for _ in range(3):
        game.frame({Phase.UPDATE: 0.01})
    with pytest.raises(AssertionError, match=r"of frames within 16\.9 ms, not 99\.00%"):
        game.monitor.assert_fps(59)


def test_a_stall_in_each_second_does_not_pass_at_whatever_pace() -> None:
    """M3: a game paced far above 60 would reach the mean all the same."""
    game = Game()
    for _ in range(5):
        for _ in range(63):
            game.frame({Phase.WAIT: 1 / 64 - FRAME_S})
        game.frame({Phase.WAIT: 1 / 64 - FRAME_S, Phase.UPDATE: 0.02})
    game.monitor.close()
    assert game.monitor.summary().fps > 60
    with pytest.raises(FrameRateError, match="of frames within"):
        game.monitor.assert_fps(60)


def test_too_few_frames_are_no_pass(game: Game) -> None:
    """A run in which nothing was measured is not one that held its rate."""
    game.frames(5)
    with pytest.raises(FrameRateError, match="only 5 frames were measured"):
        game.monitor.assert_fps(1)


def test_the_report_says_it_in_text_json_and_trace(game: Game, tmp_path) -> None:
    """The three have the same frames; a trace is what viewers of traces open."""
    game.frames(30)
    game.frame({Phase.PLUGIN: 0.03}, jobs={"upload": 0.03})
    report = game.monitor.report()
    text = report.text()
    assert "31 frames in 0.5 s" in text
    assert "plugin (upload)" in text
    for name in ("r.txt", "r.json", "r.trace.json"):
        report.write(tmp_path / name)
    data = json.loads((tmp_path / "r.json").read_text())
    assert data["frames"] == len(data["intervals_ms"]) == 31
    assert data["hitches"][0]["cause"] == "plugin"
    trace = json.loads((tmp_path / "r.trace.json").read_text())["traceEvents"]
    whole = [one for one in trace if one["name"] == "frame"]
    assert len(whole) == 31
    for one in whole:
        inside = [
            part
            for part in trace
            if part["ph"] == "X"
            and part["tid"] == 2
            and one["ts"] - 1 <= part["ts"] < one["ts"] + one["dur"] - 1
        ]
        assert sum(part["dur"] for part in inside) == pytest.approx(one["dur"], rel=1e-6)
    assert sum(one["ph"] == "i" for one in trace) == 1
    assert (tmp_path / "r.txt").read_text() == text + "\n"


def test_an_empty_report_can_be_printed() -> None:
    """Nothing was measured: it says so, and divides by nothing."""
    monitor = FrameMonitor()
    monitor.close()
    monitor.close()
    assert "no frames were measured" in str(monitor.report())
    assert json.loads(monitor.report().to_json())["frames"] == 0


@pytest.mark.parametrize("fps", [0, -1, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    """Rather than divided by."""
    with pytest.raises(ValueError, match="frames a second"):
        FrameMonitor(fps)


def test_a_ring_gives_back_what_was_put_in() -> None:
    """Each column in its place."""
    ring = FrameRing(3)
    for number in range(5):
        ring.add(number, [number + part / 10 for part in range(6)], {"a": number})
    last = ring.last()[-1]
    assert last[3:9] == tuple(4 + part / 10 for part in range(6))
    assert last.jobs == {"a": 4}
    assert len(ring) == 3
