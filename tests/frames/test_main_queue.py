"""`MainThreadQueue` on a virtual clock: order, shares, budgets, failures, cancellation."""

from __future__ import annotations

import inspect
import math
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcade_prefabs.errors import QueueFullError
from arcade_prefabs.frames import NEXT_FRAME, CostModel, DrainReport, Job, MainThreadQueue, Step
from arcade_prefabs.testing import VirtualClock

MS = 0.001
BOUND_S = 10.0


class Desk:
    """A queue, its clock, and a log of what ran."""

    def __init__(self, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.queue = MainThreadQueue(clock=self.clock, **settings)
        self.log: list[str] = []

    def work(self, name: str, ms: float = 1.0) -> Callable[[], None]:
        """A function that takes so long and is logged."""

        def run() -> None:
            self.clock.advance(ms * MS)
            self.log.append(name)

        return run

    def steps(self, name: str, *times_ms: float) -> Generator[None, None, None]:
        """A generator whose steps take so long each."""
        for ms in times_ms:
            self.clock.advance(ms * MS)
            self.log.append(name)
            yield

    def endless(self, name: str, ms: float = 1.0) -> Iterator[None]:
        """A generator that never ends."""
        while True:
            self.clock.advance(ms * MS)
            self.log.append(name)
            yield

    def learn(self, kind: str, ms: float, size: float = 0) -> None:
        """Teach the queue what a kind costs, exactly."""
        for _ in range(50):
            self.queue.costs.learn(kind, size, ms * MS)

    def drain(self, ms: float) -> DrainReport:
        """One frame's work, checked for figures that contradict each other."""
        before = self.clock()
        report = self.queue.drain(ms * MS)
        assert report.budget_s == ms * MS
        assert report.spent_s == pytest.approx(self.clock() - before)
        assert report.steps == sum(ran.steps for ran in report.ran.values())
        assert report.spent_s == pytest.approx(sum(ran.seconds for ran in report.ran.values()))
        assert report.overrun_s == pytest.approx(max(0.0, report.spent_s - report.budget_s))
        assert sum(report.waiting.values()) == len(self.queue)
        assert all(report.waiting.values())
        for ran in report.ran.values():
            assert ran.longest <= ran.seconds + 1e-12
            assert ran.seconds <= ran.longest * ran.steps + 1e-12
        return report


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- Budget --------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget_ms", [0, -5, 0.001])
def test_one_step_runs_in_every_frame_whatever_the_budget(desk: Desk, budget_ms: float) -> None:
    """With no budget at all, one step a frame runs, no more and no less."""
    desk.queue.submit(desk.steps("a", 1, 1, 1))
    for frame in range(3):
        assert desk.drain(budget_ms).steps == 1
        assert len(desk.log) == frame + 1


def test_empty_queue_gives_an_empty_report(desk: Desk) -> None:
    """Nothing to do is no error, and every figure is 0."""
    report = desk.drain(2)
    assert report == DrainReport(0.002, 0.0, 0, {}, {}, (), ())


def test_steps_run_until_the_budget_is_used_up(desk: Desk) -> None:
    """Steps of a known cost fill the budget and do not go beyond it."""
    desk.learn("game", 1)
    for _ in range(10):
        desk.queue.submit(desk.work("a", 1))
    report = desk.drain(3.5)
    assert report.steps == 3
    assert report.waiting == {"game": 7}
    assert report.deferred == ("game",)
    assert report.overrun_s == 0


def test_step_that_does_not_fit_waits_and_comes_first_in_the_next_frame(desk: Desk) -> None:
    """A large step is put off once, then it runs before anything else."""
    desk.learn("large", 5)
    desk.learn("small", 1)
    desk.queue.submit(desk.work("small", 1), lane="retire", kind="small")
    desk.queue.submit(desk.work("large", 5), lane="game", kind="large")
    report = desk.drain(2)
    assert desk.log == ["small"]
    assert report.deferred == ("large",)
    for _ in range(5):
        desk.queue.submit(desk.work("small", 1), lane="retire", kind="small")
    desk.log.clear()
    assert desk.drain(2).overrun_s == pytest.approx(0.003)
    assert desk.log == ["large"]


def test_cheap_step_of_another_lane_runs_beside_one_that_does_not_fit(desk: Desk) -> None:
    """What is left of a budget is not wasted on waiting for a large step."""
    desk.learn("large", 5)
    desk.learn("small", 0.5)
    desk.queue.submit(desk.work("first", 1), lane="activate", kind="small")
    desk.queue.submit(desk.work("large", 5), lane="retire", kind="large")
    desk.queue.submit(desk.work("small", 0.5), lane="game", kind="small")
    report = desk.drain(2)
    assert desk.log == ["first", "small"]
    assert report.waiting == {"retire": 1}


def test_step_never_overtakes_an_earlier_one_of_its_lane(desk: Desk) -> None:
    """A lane is a queue: a cheap step does not slip past a large one that waits."""
    desk.learn("large", 5)
    desk.learn("small", 0.1)
    desk.queue.submit(desk.work("first", 0.1), kind="small")
    desk.queue.submit(desk.work("large", 5), kind="large")
    desk.queue.submit(desk.work("last", 0.1), kind="small")
    desk.drain(1)
    assert desk.log == ["first"]
    desk.drain(1)
    assert desk.log == ["first", "large"]
    desk.drain(1)
    assert desk.log == ["first", "large", "last"]


def test_large_step_runs_soon_though_small_ones_never_end(desk: Desk) -> None:
    """A step larger than any budget gets its turn as soon as its lane had least."""
    desk.learn("large", 50)
    desk.learn("small", 1)
    for lane in ("activate", "retire", "callbacks"):
        desk.queue.submit(desk.endless(lane), lane=lane, kind="small")
    desk.drain(2)
    desk.queue.submit(desk.work("large", 50), lane="upkeep", kind="large")
    for _ in range(20):
        desk.drain(2)
    assert "large" in desk.log


def test_overrun_is_told(desk: Desk) -> None:
    """A step that takes longer than it may is in the report as such."""
    desk.queue.submit(desk.work("a", 7))
    report = desk.drain(2)
    assert report.spent_s == pytest.approx(0.007)
    assert report.overrun_s == pytest.approx(0.005)


def test_report_tells_steps_by_kind(desk: Desk) -> None:
    """Counts, seconds and the longest step stand under the kind that ran."""

    def job() -> Iterator[Step | None]:
        desk.clock.advance(0.001)
        yield Step("upload", 10)
        desk.clock.advance(0.003)
        yield None
        desk.clock.advance(0.002)

    desk.queue.submit(job, kind="plan")
    report = desk.drain(100)
    assert set(report.ran) == {"plan", "upload"}
    assert tuple(report.ran["plan"]) == (1, pytest.approx(0.001), pytest.approx(0.001))
    assert tuple(report.ran["upload"]) == (2, pytest.approx(0.005), pytest.approx(0.003))


def test_reports_of_two_rounds_in_a_frame_become_one(desk: Desk) -> None:
    """Steps and seconds are added up, the longest step is the longest of both."""
    desk.queue.submit(desk.steps("a", 4, 1), kind="upload")
    desk.queue.submit(desk.work("b", 1), kind="spawn")
    first = desk.drain(100)
    desk.queue.submit(desk.steps("a", 2, 2, 2), kind="upload")
    both = first.followed_by(desk.drain(50))
    assert (both.budget_s, both.spent_s) == (pytest.approx(0.1), pytest.approx(0.012))
    assert both.steps == sum(ran.steps for ran in both.ran.values())
    assert both.ran["upload"].steps == first.ran["upload"].steps + 4
    assert both.ran["upload"][1:] == (pytest.approx(0.011), pytest.approx(0.004))
    assert tuple(both.ran["spawn"]) == (1, pytest.approx(0.001), pytest.approx(0.001))


# --- Learned costs -------------------------------------------------------------------------------


def test_costs_are_learned_by_kind_and_size(desk: Desk) -> None:
    """What ran once is expected to take as long again; other kinds and sizes are not."""
    desk.queue.submit(desk.work("a", 8), kind="upload", size=4096)
    desk.queue.submit(desk.work("a", 1), kind="upload", size=16)
    desk.queue.submit(desk.work("a", 2), kind="delete", size=4096)
    desk.drain(1000)
    assert desk.queue.costs.predict("upload", 4096) == pytest.approx(0.008)
    assert desk.queue.costs.predict("upload", 16) == pytest.approx(0.001)
    assert desk.queue.costs.predict("delete", 4096) == pytest.approx(0.002)


def test_size_of_a_yielded_step_decides_whether_it_fits(desk: Desk) -> None:
    """The same kind runs when small and waits when large."""
    desk.learn("upload", 10, 1 << 20)
    desk.learn("upload", 0.1, 16)

    def job() -> Iterator[Step]:
        desk.log.append("plan")
        yield Step("upload", 16)
        desk.log.append("small")
        yield Step("upload", 1 << 20)
        desk.log.append("large")

    desk.queue.submit(job, kind="plan")
    assert desk.drain(2).deferred == ("upload",)
    assert desk.log == ["plan", "small"]
    desk.drain(2)
    assert desk.log == ["plan", "small", "large"]


# --- Lanes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cost_ms", [0.1, 0.4, 1.5])
def test_lanes_share_the_time_by_their_weights(cost_ms: float) -> None:
    """Over many frames each lane has its share, whatever a step costs."""
    lanes = {"heavy": 4.0, "middle": 2.0, "light": 0.5}
    desk = Desk(lanes=lanes)
    for lane in lanes:
        desk.queue.submit(desk.endless(lane, cost_ms), lane=lane, kind="step")
    for _ in range(2000):
        desk.drain(2)
    for lane, weight in lanes.items():
        assert desk.log.count(lane) / len(desk.log) == pytest.approx(weight / 6.5, rel=0.01)


def test_shares_are_of_time_and_not_of_steps() -> None:
    """A lane with long steps gets fewer of them."""
    desk = Desk(lanes={"long": 1.0, "short": 1.0})
    desk.queue.submit(desk.endless("long", 1.0), lane="long", kind="long")
    desk.queue.submit(desk.endless("short", 0.1), lane="short", kind="short")
    for _ in range(500):
        desk.drain(3)
    assert desk.log.count("short") / desk.log.count("long") == pytest.approx(10, rel=0.02)


def test_no_lane_starves_without_any_budget(desk: Desk) -> None:
    """With one step a frame, the least of seven lanes still gets its share."""
    weights = {
        "activate": 4.0,
        "retire": 2.0,
        "callbacks": 2.0,
        "scripts": 2.0,
        "reload": 1.0,
        "game": 1.0,
        "upkeep": 0.5,
    }
    for lane in weights:
        desk.queue.submit(desk.endless(lane), lane=lane, kind="step")
    for _ in range(1250):
        desk.drain(0)
    for lane, weight in weights.items():
        assert desk.log.count(lane) == pytest.approx(100 * weight, abs=2)


def test_lane_that_slept_while_another_worked_has_no_back_claim() -> None:
    """Time that a lane did not want is gone: both share from its waking on."""
    desk = Desk(lanes={"busy": 1.0, "sleeper": 1.0})
    desk.queue.submit(desk.endless("busy"), lane="busy", kind="step")
    for _ in range(1000):
        desk.drain(2)
    desk.log.clear()
    desk.queue.submit(desk.endless("sleeper"), lane="sleeper", kind="step")
    for _ in range(50):
        desk.drain(2)
    assert desk.log.count("sleeper") == pytest.approx(len(desk.log) / 2, abs=2)


def test_lane_that_wakes_while_all_sleep_has_no_back_claim() -> None:
    """Time that a lane did not want is gone, though nobody was awake when it woke."""
    desk = Desk(lanes={"busy": 1.0, "sleeper": 1.0})
    desk.queue.submit(desk.steps("busy", *[1] * 1000), lane="busy", kind="step")
    while len(desk.queue):
        desk.drain(2)
    desk.log.clear()
    desk.queue.submit(desk.endless("sleeper"), lane="sleeper", kind="step")
    desk.queue.submit(desk.endless("busy"), lane="busy", kind="step")
    for _ in range(50):
        desk.drain(2)
    assert desk.log.count("busy") == pytest.approx(len(desk.log) / 2, abs=2)


def test_lane_that_waited_for_next_frames_has_no_back_claim() -> None:
    """A script that did nothing for a thousand frames does not lock out the others after."""
    desk = Desk(lanes={"busy": 1.0, "script": 1.0})

    def script() -> Iterator[Any]:
        for _ in range(1000):
            yield NEXT_FRAME
        yield from desk.endless("script")

    desk.queue.submit(script, lane="script", kind="step")
    desk.queue.submit(desk.endless("busy"), lane="busy", kind="step")
    for _ in range(1000):
        desk.drain(2)
    desk.log.clear()
    for _ in range(50):
        desk.drain(2)
    assert desk.log.count("busy") == pytest.approx(len(desk.log) / 2, abs=3)


def test_lane_whose_jobs_follow_each_other_keeps_its_weight() -> None:
    """A chain of jobs, each submitted by the one before, shares like one long job."""
    desk = Desk(lanes={"chain": 4.0, "other": 1.0})

    def link() -> None:
        desk.clock.advance(MS)
        desk.log.append("chain")
        desk.queue.submit(link, lane="chain", kind="step")

    desk.queue.submit(link, lane="chain", kind="step")
    desk.queue.submit(desk.endless("other"), lane="other", kind="step")
    for _ in range(500):
        desk.drain(2)
    assert desk.log.count("chain") / len(desk.log) == pytest.approx(0.8, rel=0.02)


def test_unknown_lane_is_refused_and_the_known_ones_are_named(desk: Desk) -> None:
    """A misspelled lane is told at once, and nothing is queued."""
    with pytest.raises(ValueError, match=r"no lane 'gaem'.*activate.*game"):
        desk.queue.submit(print, lane="gaem")
    assert len(desk.queue) == 0


@pytest.mark.parametrize("lanes", [{}, {"a": 0.0}, {"a": 1.0, "b": -1.0}])
def test_lanes_without_weight_are_refused(lanes: dict[str, float]) -> None:
    """A queue needs a lane, and a lane a weight."""
    with pytest.raises(ValueError, match="weights must be above 0"):
        MainThreadQueue(lanes=lanes)


# --- Jobs ----------------------------------------------------------------------------------------


def test_generator_resumes_where_it_stopped(desk: Desk) -> None:
    """A long job goes on over many frames, keeping its place."""
    job = desk.queue.submit(desk.steps("a", 3, 3, 3))
    for expected in (1, 2, 3):
        assert not job.done
        desk.drain(1)
        assert len(desk.log) == expected
    desk.drain(1)
    assert job.done
    assert job.error is None
    assert len(desk.queue) == 0


def test_generator_and_function_that_gives_one_are_the_same(desk: Desk) -> None:
    """Both run step by step."""
    for work in (desk.steps("a", 1, 1), lambda: desk.steps("a", 1, 1)):
        desk.log.clear()
        job = desk.queue.submit(work)
        desk.drain(0)
        assert (desk.log, job.done) == (["a"], False)
        desk.drain(0)
        desk.drain(0)
        assert (desk.log, job.done) == (["a", "a"], True)


def test_next_frame_ends_a_job_for_this_frame_only(desk: Desk) -> None:
    """It runs exactly once a frame, however large the budget, and others go on."""

    def job() -> Iterator[Any]:
        for number in range(3):
            desk.log.append(f"frame {number}")
            yield NEXT_FRAME

    desk.queue.submit(job)
    desk.queue.submit(desk.work("other", 0.1))
    assert desk.drain(100).waiting == {"game": 1}
    assert desk.log == ["frame 0", "other"]
    desk.drain(100)
    assert desk.log[2:] == ["frame 1"]
    desk.drain(100)
    desk.drain(100)
    assert desk.log[3:] == ["frame 2"]
    assert len(desk.queue) == 0


def test_jobs_that_wait_for_the_next_frame_keep_their_order(desk: Desk) -> None:
    """Ten scripts run in the same order in every frame."""

    def job(name: str) -> Iterator[Any]:
        while True:
            desk.log.append(name)
            yield NEXT_FRAME

    for number in range(10):
        desk.queue.submit(job(str(number)))
    for _ in range(3):
        desk.log.clear()
        desk.drain(100)
        assert desk.log == [str(number) for number in range(10)]


def test_submitted_work_does_not_run_before_drain(desk: Desk) -> None:
    """Submitting does nothing else."""
    job = desk.queue.submit(desk.work("a"))
    assert not desk.log
    assert not job.done
    assert len(desk.queue) == 1


def test_step_that_submits_has_it_run_in_the_same_frame_if_it_fits(desk: Desk) -> None:
    """New work is seen at once, but not before the step has ended."""

    def first() -> None:
        desk.queue.submit(desk.work("second", 0.1))
        desk.log.append("first")

    desk.queue.submit(first)
    assert desk.drain(2).steps == 2
    assert desk.log == ["first", "second"]


def test_job_that_submits_itself_for_ever_ends_the_drain(desk: Desk) -> None:
    """On a clock that stands still, a drain ends nevertheless, and the next one goes on."""
    count = 0

    def again() -> None:
        nonlocal count
        count += 1
        desk.queue.submit(again)

    desk.queue.submit(again)
    first = desk.drain(2)
    assert 0 < first.steps == count
    assert first.waiting == {"game": 1}
    assert desk.drain(2).steps > 0


def test_job_that_submits_itself_for_ever_keeps_the_budget(desk: Desk) -> None:
    """On a clock that moves, the budget ends it."""
    desk.learn("game", 0.5)

    def again() -> None:
        desk.clock.advance(0.0005)
        desk.queue.submit(again)

    desk.queue.submit(again)
    for _ in range(20):
        assert desk.drain(2).spent_s <= 0.002 + 1e-9


def test_endless_generator_ends_the_drain_on_a_clock_that_stands(desk: Desk) -> None:
    """An infinite budget ends as well."""
    desk.queue.submit(desk.endless("a", 0))
    assert desk.queue.drain(math.inf).steps == len(desk.log) > 0


# --- Failures ------------------------------------------------------------------------------------


def test_exception_ends_the_job_only_and_stands_in_the_report(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Others run in the same drain; the error is told, logged and kept."""
    told: list[Exception] = []
    error = LookupError("nothing here")

    def fail() -> None:
        desk.clock.advance(0.001)
        raise error

    bad = desk.queue.submit(fail, kind="bad", on_error=told.append)
    good = desk.queue.submit(desk.work("good"))
    report = desk.drain(100)
    assert report.failures == (("bad", error),)
    assert told == [error]
    assert (bad.done, bad.error) == (True, error)
    assert (good.done, good.error) == (True, None)
    assert report.ran["bad"].seconds == pytest.approx(0.001)
    assert "bad" in caplog.text


def test_exception_in_a_later_step_ends_a_generator(desk: Desk) -> None:
    """The failure is told under the kind of the step that failed."""

    def job() -> Iterator[Step]:
        yield Step("upload", 5)
        raise OSError("gone")

    told: list[Exception] = []
    submitted = desk.queue.submit(job, kind="plan", on_error=told.append)
    report = desk.drain(100)
    assert [failure.kind for failure in report.failures] == ["upload"]
    assert submitted.error is told[0]
    assert len(desk.queue) == 0


def test_failing_job_costs_what_it_took(desk: Desk) -> None:
    """A failure uses up the budget like any other step."""

    def fail() -> None:
        desk.clock.advance(0.003)
        raise ValueError

    desk.queue.submit(fail)
    desk.queue.submit(desk.work("late"))
    report = desk.drain(2)
    assert report.spent_s == pytest.approx(0.003)
    assert not desk.log


def test_on_error_that_raises_ends_nothing_else(desk: Desk) -> None:
    """Both exceptions stand in the report, and the queue goes on."""
    second = RuntimeError("while telling")

    def fail() -> None:
        raise ValueError("first")

    def tell(_: Exception) -> None:
        raise second

    job = desk.queue.submit(fail, on_error=tell)
    desk.queue.submit(desk.work("good"))
    report = desk.drain(100)
    assert [type(failure.error) for failure in report.failures] == [ValueError, RuntimeError]
    assert isinstance(job.error, ValueError)
    assert job.done
    assert desk.log == ["good"]


def test_stop_iteration_from_a_function_is_a_failure(desk: Desk) -> None:
    """A stray ``next`` in a plain function is told, not taken for the end of a generator."""

    def fail() -> None:
        next(iter(()))

    job = desk.queue.submit(fail)
    assert len(desk.drain(1).failures) == 1
    assert isinstance(job.error, StopIteration)


def test_on_error_may_submit_and_clear(desk: Desk) -> None:
    """What tells of an error may use the queue."""

    def fail() -> None:
        raise ValueError

    def tell(_: Exception) -> None:
        desk.queue.clear()
        desk.queue.submit(desk.work("after"))

    desk.queue.submit(fail, on_error=tell)
    dropped = desk.queue.submit(desk.work("dropped"))
    desk.drain(100)
    assert desk.log == ["after"]
    assert dropped.done


@pytest.mark.parametrize("size", [math.nan, math.inf])
def test_size_that_is_no_number_does_not_stop_the_queue(desk: Desk, size: float) -> None:
    """A job with a broken size fails or runs, but those of others run."""

    def broken() -> Iterator[Step]:
        while True:
            yield Step("broken", size)

    desk.queue.submit(broken)
    desk.queue.submit(desk.work("good", 0.1), lane="callbacks")
    desk.drain(2)
    desk.drain(2)
    assert desk.log == ["good"]


def test_interrupt_in_a_step_leaves_no_broken_job(desk: Desk) -> None:
    """After Ctrl+C in a job, the next drain has nothing of it to complain of."""
    told: list[Exception] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    desk.queue.submit(interrupted, on_error=told.append)
    with pytest.raises(KeyboardInterrupt):
        desk.queue.drain(0.002)
    assert desk.drain(2).failures == ()
    assert told == []


def test_interrupt_in_a_step_leaves_the_queue_usable(desk: Desk) -> None:
    """After Ctrl+C in a job, others run in the next drain."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    desk.queue.submit(interrupted)
    desk.queue.submit(desk.work("good"))
    with pytest.raises(KeyboardInterrupt):
        desk.queue.drain(0.002)
    desk.drain(100)
    assert desk.log == ["good"]
    assert len(desk.queue) == 0


def test_drain_from_inside_a_step_is_refused(desk: Desk) -> None:
    """The step fails with a RuntimeError, and the outer drain goes on."""
    job = desk.queue.submit(lambda: desk.queue.drain(1))
    desk.queue.submit(desk.work("good"))
    report = desk.drain(100)
    assert isinstance(job.error, RuntimeError)
    assert "called by a step" in str(job.error)
    assert len(report.failures) == 1
    assert desk.log == ["good"]
    desk.drain(100)  # and it is not locked for ever


# --- Cancelling ----------------------------------------------------------------------------------


def test_job_cancelled_before_its_first_step_never_runs(desk: Desk) -> None:
    """Nothing of it happens, and it takes no step of the frame."""
    jobs = [desk.queue.submit(work) for work in (desk.work("a"), desk.steps("a", 1))]
    assert [job.cancel() for job in jobs] == [True, True]
    assert [job.cancel() for job in jobs] == [False, False]
    assert all(job.done and job.error is None for job in jobs)
    assert desk.drain(100).steps == 0
    assert not desk.log
    assert len(desk.queue) == 0


def test_cancelled_job_does_not_use_up_the_step_that_always_runs(desk: Desk) -> None:
    """With no budget, the one step goes to a job that lives."""
    for _ in range(5):
        desk.queue.submit(desk.work("dead")).cancel()
    desk.queue.submit(desk.work("alive"))
    desk.drain(0)
    assert desk.log == ["alive"]


@pytest.mark.parametrize("pause", [None, NEXT_FRAME, Step("more")])
def test_job_cancelled_between_two_steps_is_closed_at_once(desk: Desk, pause: Any) -> None:
    """Its ``finally`` runs in `cancel`, wherever it waits."""

    def job() -> Iterator[Any]:
        try:
            while True:
                desk.clock.advance(0.01)
                yield pause
        finally:
            desk.log.append("closed")

    submitted = desk.queue.submit(job)
    desk.drain(1)
    assert submitted.cancel()
    assert desk.log == ["closed"]
    assert desk.drain(1).steps == 0
    assert len(desk.queue) == 0


@pytest.mark.parametrize("pause", [None, NEXT_FRAME, Step("more")])
def test_job_that_cancels_itself_runs_its_step_to_the_end_only(desk: Desk, pause: Any) -> None:
    """Cancelled inside a step, that step is the last one."""
    jobs: list[Job] = []

    def job() -> Iterator[Any]:
        assert jobs[0].cancel()
        desk.log.append("rest of the step")
        yield pause
        desk.log.append("next step")

    jobs.append(desk.queue.submit(job))
    report = desk.drain(100)
    desk.drain(100)
    assert desk.log == ["rest of the step"]
    assert jobs[0].done
    assert report.failures == ()
    assert len(desk.queue) == 0


def test_generator_that_cancelled_itself_is_closed(desk: Desk) -> None:
    """Its ``finally`` runs after the step, though somebody holds the generator."""
    jobs: list[Job] = []

    def job() -> Generator[None, None, None]:
        jobs[0].cancel()
        yield

    steps = job()
    jobs.append(desk.queue.submit(steps))
    desk.drain(100)
    assert inspect.getgeneratorstate(steps) == inspect.GEN_CLOSED


def test_function_that_cancels_itself_never_starts_its_generator(desk: Desk) -> None:
    """What it gives afterwards is closed unstarted."""
    jobs: list[Job] = []
    steps = desk.steps("a", 1)

    def work() -> Generator[None, None, None]:
        jobs[0].cancel()
        return steps

    jobs.append(desk.queue.submit(work))
    desk.drain(100)
    assert not desk.log
    assert inspect.getgeneratorstate(steps) == inspect.GEN_CLOSED
    assert len(desk.queue) == 0


def test_step_may_cancel_another_job(desk: Desk) -> None:
    """A job of the same lane and one of another never run."""
    victims: list[Job] = []
    desk.queue.submit(lambda: [victim.cancel() for victim in victims])
    victims.append(desk.queue.submit(desk.work("same lane")))
    victims.append(desk.queue.submit(desk.work("other lane"), lane="upkeep"))
    desk.queue.submit(desk.work("survivor"))
    desk.drain(100)
    assert desk.log == ["survivor"]


def test_job_that_ended_cannot_be_cancelled(desk: Desk) -> None:
    """`cancel` says False and changes nothing."""

    def fail() -> None:
        raise ValueError

    good, bad = desk.queue.submit(desk.work("a")), desk.queue.submit(fail)
    desk.drain(100)
    assert not good.cancel()
    assert not bad.cancel()
    assert isinstance(bad.error, ValueError)


def test_job_that_failed_sees_itself_done_in_on_error(desk: Desk) -> None:
    """Whoever is told can tell that it is over."""
    seen: list[tuple[bool, bool]] = []

    def fail() -> None:
        raise ValueError

    job = desk.queue.submit(fail, on_error=lambda _: seen.append((job.done, job.cancel())))
    desk.drain(100)
    assert seen == [(True, False)]


# --- Clearing ------------------------------------------------------------------------------------


def test_clear_cancels_everything_wherever_it_waits(desk: Desk) -> None:
    """Posted, admitted, begun, and waiting for the next frame: nothing is left."""
    desk.learn("game", 1)

    def frames() -> Iterator[Any]:
        yield NEXT_FRAME

    jobs = [desk.queue.submit(frames), desk.queue.submit(desk.steps("a", 1, 1, 1))]
    jobs += [desk.queue.submit(desk.work("b"), lane=lane) for lane in ("game", "upkeep")]
    desk.drain(0)
    desk.drain(0)
    jobs.append(desk.queue.submit(desk.work("c")))
    desk.log.clear()
    desk.queue.clear()
    assert len(desk.queue) == 0
    assert all(job.done for job in jobs)
    assert desk.drain(100).steps == 0
    assert not desk.log


@pytest.mark.parametrize("pause", [None, NEXT_FRAME, Step("more")])
def test_clear_from_inside_a_step_ends_that_job_too(desk: Desk, pause: Any) -> None:
    """The step runs to its end; nothing after it does, except what is submitted afterwards."""

    def job() -> Iterator[Any]:
        desk.queue.clear()
        desk.queue.submit(desk.work("after"))
        yield pause
        desk.log.append("second step")

    submitted = desk.queue.submit(job)
    others = [desk.queue.submit(desk.work("other"), lane=lane) for lane in ("game", "upkeep")]
    desk.drain(100)
    desk.drain(100)
    assert desk.log == ["after"]
    assert submitted.done
    assert all(job.done for job in others)
    assert len(desk.queue) == 0


def test_clear_twice_is_no_error(desk: Desk) -> None:
    """Nor is clearing an empty queue."""
    desk.queue.submit(desk.work("a"))
    desk.queue.clear()
    desk.queue.clear()
    assert len(desk.queue) == 0


def test_clear_goes_on_after_a_cleanup_that_raises(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad ``finally`` is logged, and does not keep the other jobs."""

    def bad() -> Iterator[Any]:
        try:
            yield NEXT_FRAME
        finally:
            raise ValueError("cleanup")

    jobs = [desk.queue.submit(bad)]
    desk.drain(100)
    jobs.append(desk.queue.submit(desk.work("a")))
    desk.queue.clear()
    assert "could not be closed" in caplog.text
    assert len(desk.queue) == 0
    assert all(job.done for job in jobs)


# --- Limits and threads --------------------------------------------------------------------------


def test_full_queue_refuses_what_a_game_submits() -> None:
    """The error says what to do; draining makes room again."""
    desk = Desk(capacity=3)
    for _ in range(3):
        desk.queue.submit(desk.work("a"))
    with pytest.raises(QueueFullError, match="3 jobs wait"):
        desk.queue.submit(desk.work("refused"))
    assert len(desk.queue) == 3
    desk.drain(0)
    desk.queue.submit(desk.work("accepted"))
    desk.drain(100)
    assert desk.log == ["a", "a", "a", "accepted"]


def test_loaders_own_jobs_are_not_refused() -> None:
    """`post` has no limit: its callers have their own."""
    desk = Desk(capacity=1)
    for _ in range(10):
        desk.queue.post(desk.work("a"), "activate", Step("a"))
    assert desk.drain(1000).steps == 10


def test_cancelled_jobs_leave_room_in_a_full_queue() -> None:
    """What was cancelled does not wait any more."""
    desk = Desk(capacity=3)
    for job in [desk.queue.submit(desk.work("a")) for _ in range(3)]:
        job.cancel()
    desk.queue.submit(desk.work("b"))


def test_loaders_own_jobs_leave_the_capacity_to_the_game() -> None:
    """``capacity`` is of the game's own jobs, as its description says."""
    desk = Desk(capacity=1)
    desk.queue.post(desk.work("a"), "activate", Step("a"))
    desk.queue.submit(desk.work("b"))


def test_no_job_of_eight_threads_is_lost() -> None:
    """Each runs once, those of one thread in their order, while the main thread drains."""
    queue = MainThreadQueue()
    ran: list[tuple[int, int]] = []
    start = threading.Barrier(9)
    each = 500

    def submit(thread: int) -> None:
        start.wait(BOUND_S)
        for number in range(each):
            queue.submit(lambda pair=(thread, number): ran.append(pair))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    start.wait(BOUND_S)
    steps = 0
    while any(thread.is_alive() for thread in threads):
        steps += queue.drain(0.002).steps
    for thread in threads:
        thread.join(BOUND_S)
    while len(queue):
        steps += queue.drain(0.1).steps
    assert steps == 8 * each
    assert len(set(ran)) == len(ran) == 8 * each
    for number in range(8):
        assert [pair for pair in ran if pair[0] == number] == [(number, n) for n in range(each)]


def test_wait_ends_when_another_thread_posts() -> None:
    """The main thread wakes for new work, long before the time is over."""
    queue = MainThreadQueue()
    thread = threading.Thread(target=lambda: queue.submit(print))
    thread.start()
    assert queue.wait(BOUND_S)
    thread.join(BOUND_S)


def test_wait_for_nothing_ends_in_time() -> None:
    """Without work it says False, also after work was done."""
    queue = MainThreadQueue()
    assert not queue.wait(0.001)
    queue.submit(lambda: None)
    queue.drain(1)
    assert not queue.wait(0.001)


def test_wait_does_not_return_for_work_that_was_cleared() -> None:
    """After `clear` there is nothing to wake for."""
    queue = MainThreadQueue()
    queue.submit(lambda: None)
    queue.clear()
    assert not queue.wait(0.001)


def test_wait_does_not_return_for_work_that_was_drained_while_it_was_posted() -> None:
    """A drain between the two halves of `submit` leaves nothing to wake for."""
    queue = MainThreadQueue()

    class Interleaved(threading.Event):
        def is_set(self) -> bool:
            was_set = super().is_set()
            queue.drain(1)  # as if the main thread had its turn here
            return was_set

    queue._arrived = Interleaved()
    job = queue.submit(lambda: None)
    assert job.done
    assert not queue.wait(0.001)


def test_work_of_a_finished_job_is_let_go(desk: Desk) -> None:
    """A job that somebody keeps does not keep what it worked on."""

    def work() -> None: ...

    for end in ("finish", "cancel"):
        job = desk.queue.submit(work)
        if end == "cancel":
            job.cancel()
        desk.drain(1)
        assert job.done
        assert job._work is None
        assert job._steps is None


# --- Any schedule --------------------------------------------------------------------------------

LANES = ("activate", "retire", "game", "upkeep")
durations = st.integers(0, 6).map(lambda quarters: quarters * 0.25)
ends = st.sampled_from(["return", "raise", "cancel", "next frame"])
step_plans = st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 9), durations)
job_plans = st.tuples(
    st.sampled_from(LANES), st.lists(step_plans, min_size=1, max_size=6), ends, st.integers(0, 4)
)


class Spy(CostModel):
    """Notes, of each step, what was predicted and what it took."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[float, float]] = []

    def learn(self, kind: str, size: float, seconds: float) -> None:
        self.steps.append((self.predict(kind, size), seconds))
        super().learn(kind, size, seconds)


@settings(max_examples=150)
@given(plans=st.lists(job_plans, max_size=12), budgets=st.lists(durations, min_size=1, max_size=4))
def test_any_jobs_keep_the_budget_but_for_what_was_mispredicted(
    plans: list[Any], budgets: list[float]
) -> None:
    """A drain overruns by its first step or by one step's misprediction at most; all jobs end."""
    desk = Desk()
    spy = desk.queue.costs = Spy()
    jobs: dict[int, Job] = {}

    def job(index: int, steps: list[tuple[str, int, float]], end: str) -> Iterator[Any]:
        for number, (_, _, ms) in enumerate(steps):
            if number:
                if end == "next frame":
                    yield NEXT_FRAME
                yield Step(*steps[number][:2])
            desk.clock.advance(ms * MS)
            desk.log.append(f"{index}.{number}")
        if end == "raise":
            raise ValueError
        if end == "cancel":
            jobs[index].cancel()
            yield None
            desk.log.append("a cancelled job went on")

    failures = frame = 0
    while len(jobs) < len(plans) or len(desk.queue):
        for index, (lane, steps, end, due) in enumerate(plans):
            if due <= frame and index not in jobs:
                kind, size, _ = steps[0]
                work = job(index, steps, end)
                jobs[index] = desk.queue.submit(work, lane=lane, kind=kind, size=size)
        spy.steps.clear()
        some = len(desk.queue) > 0
        budget = budgets[frame % len(budgets)]
        report = desk.drain(budget)
        assert (report.steps > 0) == some
        spent = 0.0
        allowed = 0.0
        for number, (predicted, seconds) in enumerate(spy.steps):
            if number:  # the first one is not asked whether it fits
                assert spent + predicted <= budget * MS + 1e-9
                allowed = max(allowed, seconds - predicted)
            else:
                allowed = max(allowed, seconds - budget * MS)
            spent += seconds
        assert report.overrun_s <= allowed + 1e-9
        failures += len(report.failures)
        frame += 1
        assert frame < 1000
    assert all(one.done for one in jobs.values())
    assert sorted(desk.log) == sorted(
        f"{index}.{number}" for index, plan in enumerate(plans) for number in range(len(plan[1]))
    )
    assert failures == sum(plan[2] == "raise" for plan in plans)
