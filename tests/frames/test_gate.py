"""`IdleGate`: when it is open, what it grants while it is closed, and whom it wakes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcade_prefabs.frames import GilHold, IdleGate
from arcade_prefabs.testing import VirtualClock

BOUND_S = 10.0
CREDIT_S = 0.004


def gate_at(seconds: float = 100.0, **arguments: Any) -> tuple[VirtualClock, IdleGate]:
    """A gate on a virtual clock."""
    clock = VirtualClock(seconds)
    return clock, IdleGate(clock=clock, **arguments)


class Waiters:
    """Threads that wait at a gate, as loader threads do."""

    def __init__(self, gate: IdleGate, count: int = 1) -> None:
        self.results: list[bool] = []
        self._ready = threading.Barrier(count + 1)
        self._threads = [threading.Thread(target=self._run, args=(gate,)) for _ in range(count)]
        for thread in self._threads:
            thread.start()
        self._ready.wait(BOUND_S)

    def _run(self, gate: IdleGate) -> None:
        self._ready.wait(BOUND_S)
        self.results.append(gate.wait())

    def stay(self) -> bool:
        """Whether all of them still wait, after they had time to go."""
        self._threads[0].join(0.03)
        return not self.results and all(thread.is_alive() for thread in self._threads)

    def join(self) -> list[bool]:
        """What `wait` gave them."""
        for thread in self._threads:
            thread.join(BOUND_S)
            assert not thread.is_alive()
        return self.results


# --- Open and closed -----------------------------------------------------------------------------


def test_gate_is_open_while_nobody_drives_frames() -> None:
    """A tool without a window loads at full speed."""
    clock, gate = gate_at(minimum_share=0.0)
    for _ in range(3):
        assert gate.is_open()
        assert gate.try_pass()
        assert gate.wait()
        clock.advance(1000.0)


def test_gate_opens_at_the_end_of_a_frame_and_closes_before_the_next() -> None:
    """It is open in [end, next - margin) and closed in [next - margin, next + stall)."""
    clock, gate = gate_at(0.0, minimum_share=0.0, margin_s=0.25, stall_s=0.5)
    gate.begin_frame()
    assert not gate.is_open()
    gate.end_frame(next_frame_at=1.0)
    for moment, is_open in [
        (0.0, True),
        (0.5, True),
        (0.75, False),  # exactly at the margin
        (1.0, False),
        (1.25, False),
        (1.5, True),  # exactly at the stall
        (900.0, True),
    ]:
        clock.advance(moment - clock())
        assert gate.is_open() is is_open, moment
        assert gate.try_pass() is is_open, moment


def test_length_of_a_frame_counts_from_its_beginning() -> None:
    """Where `end_frame` is not told, the next frame is due one frame after this one began."""
    clock, gate = gate_at(8.0, minimum_share=0.0, margin_s=0.25, frame_s=1.0)
    gate.begin_frame()
    clock.advance(0.5)
    gate.end_frame()
    clock.advance(0.125)
    assert gate.is_open()
    clock.advance(0.125)
    assert not gate.is_open()


def test_late_game_does_not_open_the_gate_at_all() -> None:
    """A frame that took longer than it may leaves no idle time."""
    clock, gate = gate_at(minimum_share=0.0)
    for _ in range(100):
        began = clock()
        gate.begin_frame()
        clock.advance(0.030)
        gate.end_frame(began + 1 / 60)
        assert not gate.is_open()
        assert not gate.try_pass()


def test_next_frame_closes_a_stalled_gate() -> None:
    """Once frames come again, the game goes first again."""
    clock, gate = gate_at(minimum_share=0.0)
    gate.begin_frame()
    gate.end_frame(clock() + 1 / 60)
    clock.advance(5.0)
    assert gate.is_open()
    gate.begin_frame()
    assert not gate.is_open()
    clock.advance(5.0)  # a long update is not a stall
    assert not gate.is_open()


def test_release_opens_until_the_next_frame_begins() -> None:
    """A loop that ends for now gives everything to the loaders."""
    clock, gate = gate_at(minimum_share=0.0)
    gate.begin_frame()
    gate.release()
    clock.advance(100.0)
    assert gate.is_open()
    gate.begin_frame()
    assert not gate.is_open()


def test_margin_may_be_changed_between_frames() -> None:
    """The next `end_frame` heeds it."""
    clock, gate = gate_at(0.0, minimum_share=0.0, margin_s=0.0)
    gate.end_frame(1.0)
    clock.advance(0.75)
    assert gate.is_open()
    gate.margin_s = 0.5
    gate.end_frame(1.0)
    assert not gate.is_open()


@pytest.mark.parametrize(
    "arguments",
    [
        {"minimum_share": -0.1},
        {"minimum_share": 1.1},
        {"minimum_share": float("nan")},
        {"margin_s": -1.0},
        {"stall_s": 0.0},
        {"frame_s": 0.0},
    ],
)
def test_nonsense_is_refused(arguments: dict[str, float]) -> None:
    """Shares are 0 to 1, times are not negative."""
    with pytest.raises(ValueError, match=r"share|seconds"):
        IdleGate(**arguments)


# --- The granted share ---------------------------------------------------------------------------


def test_nothing_passes_a_closed_gate_without_a_minimum_share() -> None:
    """However long it stays closed."""
    clock, gate = gate_at(minimum_share=0.0)
    gate.begin_frame()
    for _ in range(1000):
        clock.advance(0.1)
        assert not gate.try_pass()


def test_share_is_earned_by_waiting_exactly() -> None:
    """A unit of 1 ms at a share of a twentieth costs 20 ms of waiting."""
    clock, gate = gate_at(0.0, minimum_share=0.05)
    gate.begin_frame()
    clock.advance(0.010)
    assert gate.try_pass()
    gate.charge("unit", 0.001)  # half a millisecond was saved up, half is owed
    clock.advance(0.009)
    assert not gate.try_pass()
    clock.advance(0.002)
    assert gate.try_pass()


def test_share_of_a_closed_gate_is_kept_over_a_long_time() -> None:
    """An overloaded game grants its loaders a twentieth of the time, no less and no more."""
    clock, gate = gate_at(minimum_share=0.05)
    gate.begin_frame()
    done = 0.0
    for _ in range(20_000):
        if gate.try_pass():
            clock.advance(0.001)
            gate.charge("unit", 0.001)
            done += 0.001
        else:
            clock.advance(0.001)
    assert done / 20.0 == pytest.approx(0.05, rel=0.05)


def test_credit_is_saved_up_to_a_limit_only() -> None:
    """A long closed time pays for 4 ms of work and not for more."""
    clock, gate = gate_at(minimum_share=0.05)
    gate.begin_frame()
    clock.advance(1000.0)
    units = 0
    while gate.try_pass():
        gate.charge("unit", 0.0005)
        units += 1
    assert units * 0.0005 == pytest.approx(CREDIT_S, abs=0.00051)


def test_work_in_open_time_counts_against_the_share_of_closed_time() -> None:
    """Who had more than the share while it was open gets nothing while it is closed."""
    clock, gate = gate_at(0.0, minimum_share=0.05)
    gate.charge("unit", 0.010)
    gate.begin_frame()
    clock.advance(0.199)
    assert not gate.try_pass()
    clock.advance(0.002)
    assert gate.try_pass()


def test_debt_has_a_limit() -> None:
    """One unit that took a minute keeps nobody waiting for twenty minutes."""
    clock, gate = gate_at(minimum_share=0.05)
    gate.begin_frame()
    gate.charge("unit", 60.0)
    clock.advance(19.9)
    assert not gate.try_pass()
    clock.advance(0.2)
    assert gate.try_pass()


def test_long_units_have_no_larger_share() -> None:
    """Units longer than the limit of the debt cost as much time as short ones."""
    clock, gate = gate_at(minimum_share=0.05)
    gate.begin_frame()
    began = clock()
    done = 0.0
    while clock() - began < 60.0:
        if gate.try_pass():
            clock.advance(0.2)
            gate.charge("unit", 0.2)
            done += 0.2
        else:
            clock.advance(0.01)
    assert done <= 0.05 * (clock() - began) + CREDIT_S + 0.2


# Hypothesis steps: (what, milliseconds)
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "end", "wait", "wait", "work", "work", "look"]),
        st.integers(0, 40),
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(calls=CALLS, share=st.sampled_from([0.0, 0.05, 0.3, 1.0]))
def test_closed_gate_never_grants_more_than_its_share(
    calls: list[tuple[str, int]], share: float
) -> None:
    """Whatever the calls: the share of the elapsed time, the saved credit, and one unit."""
    clock, gate = gate_at(0.0, minimum_share=share, stall_s=0.1)
    gate.begin_frame()
    granted = longest = 0.0
    for what, ms in calls:
        seconds = ms / 1000
        if what == "begin":
            gate.begin_frame()
        elif what == "end":
            gate.end_frame(clock() + seconds)
        elif what == "wait":
            clock.advance(seconds)
        elif what == "look":
            assert gate.try_pass() >= gate.is_open()
        else:
            is_open = gate.is_open()
            if gate.try_pass():
                clock.advance(seconds)
                gate.charge("unit", seconds)
                if not is_open:
                    assert share > 0
                    granted += seconds
                    longest = max(longest, seconds)
            else:
                assert not is_open
        assert granted <= share * clock() + CREDIT_S + longest + 1e-9
    holds = gate.holds()
    assert not holds or holds["unit"].longest <= holds["unit"].seconds


@given(units=st.lists(st.floats(0, 0.05), max_size=20), gaps=st.lists(st.floats(0, 2), min_size=1))
def test_closed_gate_always_grants_again(units: list[float], gaps: list[float]) -> None:
    """After any units, an overloaded game's loaders go on when they have paid for them."""
    clock, gate = gate_at(minimum_share=0.05)
    gate.begin_frame()
    for number, unit in enumerate(units):
        clock.advance(gaps[number % len(gaps)])
        gate.charge("unit", unit)
    clock.advance(20.1)
    assert gate.try_pass()


# --- Holds ---------------------------------------------------------------------------------------


def test_holds_tell_units_by_kind() -> None:
    """How many, seconds of all, and of the longest."""
    _, gate = gate_at()
    for kind, seconds in [("read", 0.25), ("decode", 0.5), ("read", 1.0), ("read", 0.125)]:
        gate.charge(kind, seconds)
    assert gate.holds() == {"read": GilHold(3, 1.375, 1.0), "decode": GilHold(1, 0.5, 0.5)}


def test_holds_are_a_copy() -> None:
    """Whoever keeps or changes them changes nothing in the gate."""
    _, gate = gate_at()
    gate.charge("read", 1.0)
    holds = gate.holds()
    holds.clear()
    gate.charge("read", 1.0)
    assert gate.holds()["read"].units == 2


def test_no_charge_of_eight_threads_is_lost() -> None:
    """All units stand in the figures."""
    gate = IdleGate()
    start = threading.Barrier(8)

    def work() -> None:
        start.wait(BOUND_S)
        for _ in range(500):
            gate.charge("unit", 0.25)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_S)
    assert gate.holds() == {"unit": GilHold(4000, 1000.0, 0.25)}


# --- Threads that wait ---------------------------------------------------------------------------


@pytest.mark.parametrize("opening", ["end_frame", "release"])
def test_waiting_threads_stay_until_the_gate_opens(opening: str) -> None:
    """None goes while it is closed, all go at once when it opens."""
    clock, gate = gate_at(minimum_share=0.0)
    gate.begin_frame()
    waiters = Waiters(gate, 4)
    assert waiters.stay()
    gate.begin_frame()  # another frame, without idle time between
    assert waiters.stay()
    if opening == "end_frame":
        gate.end_frame(clock() + 1.0)
    else:
        gate.release()
    assert waiters.join() == [True] * 4


def test_end_of_a_frame_without_idle_time_lets_nobody_through() -> None:
    """Being woken is not being allowed."""
    clock, gate = gate_at(minimum_share=0.0)
    gate.begin_frame()
    waiters = Waiters(gate, 2)
    gate.end_frame(clock() + 0.001)  # less than the margin
    assert waiters.stay()
    gate.end_frame(clock() + 1.0)
    assert waiters.join() == [True, True]


def test_end_sends_all_waiting_threads_away() -> None:
    """They get False at once, with the gate closed."""
    _, gate = gate_at(minimum_share=0.0)
    gate.begin_frame()
    waiters = Waiters(gate, 8)
    assert waiters.stay()
    gate.end()
    assert waiters.join() == [False] * 8


@pytest.mark.parametrize("prepare", [IdleGate.begin_frame, IdleGate.release])
def test_ended_gate_sends_everybody_away_for_good(prepare: Callable[[IdleGate], None]) -> None:
    """Open or closed, nobody works after the end; ending twice is no error."""
    _, gate = gate_at()
    gate.end()
    gate.end()
    prepare(gate)
    assert not gate.wait()
    gate.end_frame(1000.0)
    assert not gate.wait()


def test_waiting_thread_gets_the_minimum_share_by_itself() -> None:
    """Nobody needs to end a frame: a game that is always late still loads."""
    gate = IdleGate(minimum_share=0.5)
    gate.begin_frame()
    gate.charge("unit", 0.005)
    assert Waiters(gate).join() == [True]


def test_waiting_thread_notices_a_stall_by_itself() -> None:
    """A game that stopped in a dialogue does not stop its loaders."""
    gate = IdleGate(minimum_share=0.0, stall_s=0.02, margin_s=0.0, frame_s=0.001)
    gate.begin_frame()
    gate.end_frame()
    assert Waiters(gate).join() == [True]


def test_thread_that_works_in_a_loop_never_works_in_a_frame() -> None:
    """Over many frames, each unit passed in idle time only."""
    clock, gate = gate_at(minimum_share=0.0)
    drawing = threading.Event()
    passed = threading.Semaphore(0)
    resume = threading.Semaphore(0)
    wrong: list[int] = []

    def work() -> None:
        while gate.wait():
            if drawing.is_set():
                wrong.append(1)
            passed.release()
            resume.acquire(timeout=BOUND_S)

    gate.begin_frame()
    drawing.set()
    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(50):
        assert not passed.acquire(timeout=0.001)
        drawing.clear()
        gate.end_frame(clock() + 1.0)
        assert passed.acquire(timeout=BOUND_S)
        gate.begin_frame()
        drawing.set()
        resume.release()
    gate.end()
    thread.join(BOUND_S)
    assert not thread.is_alive()
    assert not wrong


# --- The margin ----------------------------------------------------------------------------------


def test_margin_shrinks_to_what_units_take_and_grows_at_once() -> None:
    """Short units may go on until just before the frame; one long one, and there is room again."""
    clock, gate = gate_at(margin_s=0.004, minimum_share=0.0)

    def closes() -> float:
        """Milliseconds before the next frame."""
        gate.begin_frame()
        gate.end_frame(clock() + 0.016)
        for tenth in range(160):
            if not gate.is_open():
                return 16 - (tenth - 1) / 10
            clock.advance(0.0001)
        raise AssertionError("it did not close")

    assert closes() == pytest.approx(4.0, abs=0.11)
    gate.charge("unit", 0.0001)  # one says little
    assert closes() == pytest.approx(4.0, abs=0.11)
    for _ in range(500):
        gate.charge("unit", 0.0001)
    assert closes() == pytest.approx(1.1, abs=0.11)
    gate.charge("unit", 0.002)
    assert closes() == pytest.approx(3.0, abs=0.11)
    gate.charge("unit", 0.5)  # never more than was asked for
    assert closes() == pytest.approx(4.0, abs=0.11)
    for _ in range(1000):
        gate.charge("unit", 0.0001)
    assert closes() == pytest.approx(1.1, abs=0.11)


def test_long_work_pauses_while_a_frame_is_drawn() -> None:
    """A thread that came through the gate waits in the middle of its work, and is charged once."""
    gate = IdleGate(minimum_share=0.0, stall_s=60.0)
    begun, closed, passed = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        gate.wait()
        began = time.thread_time()
        begun.set()
        closed.wait(BOUND_S)
        gate.pause("long")
        passed.set()
        gate.charge_since("long", began)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(BOUND_S)
    gate.begin_frame()
    closed.set()
    assert not passed.wait(0.05)
    gate.end_frame(math.inf)
    assert passed.wait(BOUND_S)
    thread.join(10)
    found = gate.holds()["long"]
    assert found.units == 2
    assert found.longest <= found.seconds < 1.0
    gate.begin_frame()
    gate.pause("long")  # this thread has never waited: nobody would open the gate for it
    assert gate.holds()["long"].units == 2
