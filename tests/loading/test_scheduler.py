"""`LoadScheduler`: whose turn it is, and how many may be under way."""

from __future__ import annotations

import gc
import itertools
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from arcade_prefabs.loading.requests.asset_record import AssetRecord, LoadAttempt
from arcade_prefabs.loading.requests.priority import Priority
from arcade_prefabs.loading.requests.scheduler import LoadScheduler

USUAL = 4096
_ages = itertools.count()


def attempt(
    name: str = "asset",
    priority: Priority = Priority.NORMAL,
    size: int = 0,
) -> LoadAttempt:
    """A load that nobody queued yet; each is younger than the one before."""
    record = AssetRecord((name, ""), None, next(_ages))
    record.priority, record.size = priority, size
    return LoadAttempt(record)


def scheduler(most: int = 100, most_bytes: int = 1 << 40) -> LoadScheduler:
    """One whose limits are far away, unless a test says otherwise."""
    return LoadScheduler(most, most_bytes)


def names(queue: LoadScheduler) -> list[str]:
    """Everything that can be taken now, in that order."""
    found: list[str] = []
    while (taken := queue.take()) is not None:
        found.append(taken.record.id)
    return found


# --- Order ---------------------------------------------------------------------------------------


def test_more_urgent_loads_come_first() -> None:
    """Whatever the order in which they were added."""
    queue = scheduler()
    for priority in (Priority.LOW, Priority.CRITICAL, Priority.PRELOAD, Priority.HIGH):
        queue.put(attempt(priority.name, priority))
    assert names(queue) == ["CRITICAL", "HIGH", "LOW", "PRELOAD"]


def test_age_decides_among_equally_urgent_ones() -> None:
    """Asked for first, loaded first, even if it was put in later."""
    queue = scheduler()
    loads = [attempt(str(number)) for number in range(10)]
    for one in reversed(loads):
        queue.put(one)
    assert names(queue) == [str(number) for number in range(10)]


def test_two_attempts_of_one_asset_keep_their_order() -> None:
    """Loads that agree in everything are taken in the order in which they were added."""
    queue = scheduler()
    record = attempt().record
    first, second = LoadAttempt(record), LoadAttempt(record)
    queue.put(first)
    queue.put(second)
    assert queue.take() is first
    assert queue.take() is second


def test_empty_queue_gives_nothing() -> None:
    """Neither at first nor after everything was taken."""
    queue = scheduler()
    assert queue.take() is None
    queue.put(attempt())
    queue.take()
    assert queue.take() is None
    assert len(queue) == 0


# --- Changing ------------------------------------------------------------------------------------


def test_load_that_is_put_again_moves_to_its_new_place() -> None:
    """More urgent or less, it is taken once, where it belongs now."""
    queue = scheduler()
    loads = {name: attempt(name) for name in "abc"}
    for one in loads.values():
        queue.put(one)
    loads["c"].record.priority = Priority.HIGH
    queue.put(loads["c"])
    loads["a"].record.priority = Priority.LOW
    queue.put(loads["a"])
    assert len(queue) == 3
    assert names(queue) == ["c", "b", "a"]
    assert queue.in_flight == queue.started == 3


def test_removed_load_is_never_taken() -> None:
    """It says whether it was there."""
    queue = scheduler()
    gone, stays = attempt("gone"), attempt("stays")
    queue.put(gone)
    queue.put(stays)
    assert queue.remove(gone)
    assert not queue.remove(gone)
    assert not gone.queued
    assert len(queue) == 1
    assert names(queue) == ["stays"]


def test_removed_load_that_is_put_again_is_taken_once() -> None:
    """Its old place is not a second one."""
    queue = scheduler()
    one = attempt("one", Priority.HIGH)
    queue.put(one)
    queue.remove(one)
    one.record.priority = Priority.LOW
    queue.put(one)
    queue.put(attempt("other"))
    assert names(queue) == ["other", "one"]


def test_taken_load_is_not_in_the_queue() -> None:
    """It cannot be removed, and does not wait."""
    queue = scheduler()
    one = attempt()
    queue.put(one)
    assert len(queue) == 1
    assert queue.take() is one
    assert not one.queued
    assert len(queue) == 0
    assert not queue.remove(one)


def test_places_that_are_out_of_date_do_not_pile_up() -> None:
    """Ten loads that are put again ten thousand times take the room of some dozens."""
    queue = scheduler()
    loads = [attempt(str(number)) for number in range(10)]
    for turn in range(10_000):
        one = loads[turn % 10]
        one.record.priority = Priority(turn * 7919 % 5)
        queue.put(one)
        assert len(queue._fresh) <= 65
    expected = sorted(loads, key=lambda one: (-one.record.priority, one.record.age))
    assert names(queue) == [one.record.id for one in expected]


def test_places_of_begun_loads_do_not_pile_up() -> None:
    """The same holds for loads that made room for others."""
    queue = scheduler()
    loads = [attempt(str(number)) for number in range(10)]
    for one in loads:
        queue.put(one)
    while queue.take():
        pass
    for turn in range(5_000):
        queue.put(loads[turn % 10])
        assert len(queue._begun) <= 65
    assert names(queue) == [str(number) for number in range(10)]


def test_removed_loads_are_let_go() -> None:
    """Thousands that were given up do not stay in memory, once others come."""
    queue = scheduler()
    for number in range(5_000):
        one = attempt(f"given up {number}")
        queue.put(one)
        queue.remove(one)
    del one
    gc.collect()
    assert len(queue._fresh) <= 65


# --- Limits --------------------------------------------------------------------------------------


def test_no_more_loads_fly_than_may() -> None:
    """The next one starts when one is released."""
    queue = scheduler(most=2)
    loads = [attempt(str(number)) for number in range(4)]
    for one in loads:
        queue.put(one)
    assert names(queue) == ["0", "1"]
    assert (queue.in_flight, queue.most_in_flight) == (2, 2)
    queue.release(loads[0])
    queue.release(loads[0])  # twice is no error, and frees no second place
    assert names(queue) == ["2"]
    assert (queue.in_flight, queue.most_in_flight, queue.started) == (2, 2, 3)


def test_no_more_bytes_fly_than_may() -> None:
    """Exactly the limit may; a byte more may not."""
    queue = scheduler(most_bytes=100)
    loads = [attempt(str(size), size=size) for size in (60, 40, 1)]
    for one in loads:
        queue.put(one)
    assert names(queue) == ["60", "40"]
    assert queue.bytes_in_flight == 100
    queue.release(loads[1])
    assert names(queue) == ["1"]
    assert queue.bytes_in_flight == 61
    assert queue.most_flying_bytes == 100


def test_load_larger_than_the_limit_flies_alone() -> None:
    """It waits until nothing else flies, and nothing joins it."""
    queue = scheduler(most_bytes=100)
    small, large, last = attempt("small", size=10), attempt("large", size=500), attempt("l", size=1)
    for one in (small, large, last):
        queue.put(one)
    assert names(queue) == ["small"]
    queue.release(small)
    assert names(queue) == ["large"]
    queue.release(large)
    assert names(queue) == ["l"]


def test_smaller_load_does_not_overtake_one_that_waits_for_room() -> None:
    """Or a large one would wait for ever."""
    queue = scheduler(most_bytes=100)
    in_flight = attempt("flying", size=60)
    queue.put(in_flight)
    queue.take()
    queue.put(attempt("large", Priority.HIGH, size=80))
    queue.put(attempt("small", size=1))
    assert queue.take() is None
    queue.release(in_flight)
    assert names(queue) == ["large", "small"]


def test_something_always_flies() -> None:
    """Limits of nothing still let one load at a time."""
    queue = scheduler(most=0, most_bytes=0)
    loads = [attempt(str(number), size=5) for number in range(3)]
    for one in loads:
        queue.put(one)
    for number, one in enumerate(loads):
        assert names(queue) == [str(number)]
        queue.release(one)


def test_load_of_unknown_size_counts_as_a_usual_one() -> None:
    """Until it is known, and the mean of those known decides what is usual."""
    queue = scheduler(most_bytes=10 * USUAL)
    for _ in range(12):
        queue.put(attempt("unknown"))
    assert len(names(queue)) == 10
    assert queue.bytes_in_flight == 10 * USUAL


def test_size_that_turned_out_replaces_the_guess() -> None:
    """Bytes in attempt are right from then on, and 0 in the end."""
    queue = scheduler()
    one, other = attempt(size=100), attempt(size=50)
    for load in (one, other):
        queue.put(load)
        queue.take()
    queue.sized(one, 900)
    assert (queue.bytes_in_flight, queue.most_flying_bytes) == (950, 950)
    queue.sized(one, 10)
    assert (queue.bytes_in_flight, queue.most_flying_bytes) == (60, 950)
    queue.release(one)
    queue.release(other)
    assert (queue.in_flight, queue.bytes_in_flight) == (0, 0)


def test_size_of_a_load_that_does_not_fly_counts_nothing() -> None:
    """A late answer of a load that was released changes no figure."""
    queue = scheduler()
    one = attempt(size=100)
    queue.put(one)
    queue.take()
    queue.release(one)
    queue.sized(one, 900)
    assert queue.bytes_in_flight == 0


# --- Loads that made room ------------------------------------------------------------------------


def test_begun_load_goes_on_whatever_the_limits() -> None:
    """A queue full of begun loads does not wait for itself."""
    queue = scheduler(most=2, most_bytes=100)
    loads = [attempt("a", size=60), attempt("b", size=40)]
    for one in loads:
        queue.put(one)
        queue.take()
    queue.sized(loads[0], 10_000)
    for one in loads:
        queue.put(one)
    queue.put(attempt("fresh", Priority.CRITICAL))
    assert names(queue) == ["a", "b"]
    assert (queue.in_flight, queue.started) == (2, 2)


def test_more_urgent_fresh_load_comes_before_a_begun_one() -> None:
    """If there is room; otherwise the begun one goes on, and makes some."""
    queue = scheduler(most=2)
    begun = attempt("begun")
    queue.put(begun)
    queue.take()
    queue.put(begun)
    queue.put(attempt("urgent", Priority.HIGH))
    queue.put(attempt("later"))
    assert names(queue) == ["urgent", "begun"]


def test_begun_load_comes_before_a_less_urgent_fresh_one() -> None:
    """It keeps the place that its urgency gives it."""
    queue = scheduler()
    begun = attempt("begun", Priority.LOW)
    queue.put(begun)
    queue.take()
    queue.put(begun)
    queue.put(attempt("less", Priority.PRELOAD))
    queue.put(attempt("more", Priority.NORMAL))
    assert names(queue) == ["more", "begun", "less"]


def test_released_load_starts_anew_under_the_limits() -> None:
    """One that is read again counts as any other, once."""
    queue = scheduler(most=1)
    one, other = attempt("one", Priority.HIGH), attempt("other")
    queue.put(one)
    queue.put(other)
    assert names(queue) == ["one"]
    queue.release(one)
    queue.put(one)
    assert names(queue) == ["one"]
    assert (queue.in_flight, queue.started) == (1, 2)


# --- Any order of calls --------------------------------------------------------------------------


class SchedulerMachine(RuleBasedStateMachine):
    """A scheduler against a list that is sorted anew for every question."""

    def __init__(self) -> None:
        super().__init__()
        self.most, self.most_bytes = 3, 100
        self.real = LoadScheduler(self.most, self.most_bytes)
        self.queued: dict[LoadAttempt, tuple[Any, ...]] = {}
        self.in_flight: dict[LoadAttempt, int] = {}  # with bytes
        self.loads: list[LoadAttempt] = []
        self.turn = 0
        self.started = 0

    urgency = st.sampled_from(Priority)
    index = st.integers(0, 7)

    def pick(self, index: int, among: Any) -> LoadAttempt:
        some = list(among)
        return some[index % len(some)]

    def place(self, one: LoadAttempt) -> None:
        self.turn += 1
        record = one.record
        self.queued[one] = (-record.priority, record.age, self.turn)
        self.real.put(one)

    @rule(urgency=urgency, size=st.integers(1, 150))
    def put_new(self, urgency: Priority, size: int) -> None:
        self.loads.append(attempt("load", urgency, size))
        self.place(self.loads[-1])

    @precondition(lambda self: self.queued)
    @rule(index=index, urgency=urgency, times=st.sampled_from([1, 2, 100]))
    def put_again(self, index: int, urgency: Priority, times: int) -> None:
        one = self.pick(index, self.queued)
        one.record.priority = urgency
        for _ in range(times):
            self.place(one)

    @precondition(lambda self: self.loads)
    @rule(index=index)
    def remove(self, index: int) -> None:
        one = self.pick(index, self.loads)
        was = self.queued.pop(one, None) is not None
        assert self.real.remove(one) is was
        if one in self.in_flight:  # as the loader does with those that had begun
            del self.in_flight[one]
            self.real.release(one)

    @precondition(lambda self: set(self.in_flight) - set(self.queued))
    @rule(index=index)
    def make_room(self, index: int) -> None:
        self.place(self.pick(index, [one for one in self.in_flight if one not in self.queued]))

    @precondition(lambda self: set(self.in_flight) - set(self.queued))
    @rule(index=index)
    def finish(self, index: int) -> None:
        one = self.pick(index, [one for one in self.in_flight if one not in self.queued])
        del self.in_flight[one]
        self.real.release(one)

    @precondition(lambda self: self.in_flight)
    @rule(index=index, size=st.integers(1, 150))
    def size_known(self, index: int, size: int) -> None:
        one = self.pick(index, self.in_flight)
        self.in_flight[one] = size
        self.real.sized(one, size)

    @rule()
    def take(self) -> None:
        order = sorted(self.queued, key=self.queued.__getitem__)
        fresh = next((one for one in order if one not in self.in_flight), None)
        begun = next((one for one in order if one in self.in_flight), None)
        expected = begun
        if fresh is not None and (begun is None or self.queued[fresh] < self.queued[begun]):
            total = sum(self.in_flight.values()) + fresh.record.size
            room = len(self.in_flight) < self.most and total <= self.most_bytes
            if room or not self.in_flight:
                expected = fresh
        assert self.real.take() is expected
        if expected is not None:
            del self.queued[expected]
            if expected not in self.in_flight:
                self.in_flight[expected] = expected.record.size
                self.started += 1

    @invariant()
    def figures_agree(self) -> None:
        real = self.real
        assert len(real) == len(self.queued)
        assert (real.in_flight, real.started) == (len(self.in_flight), self.started)
        assert real.bytes_in_flight == sum(self.in_flight.values())
        assert real.most_in_flight >= real.in_flight
        assert real.most_flying_bytes >= real.bytes_in_flight
        assert all(one.queued == (one in self.queued) for one in self.loads)
        limit = max(65, 4 * len(self.queued) + 1)
        assert len(real._begun) <= max(limit, 65 + 4 * len(self.loads))
        assert real.in_flight <= max(self.most, 1)

    def teardown(self) -> None:
        """Whatever happened, everything left can be taken in the end."""
        bound = 2 * len(self.loads) + 2
        for _ in range(bound):
            for one in [one for one in self.in_flight if one not in self.queued]:
                del self.in_flight[one]
                self.real.release(one)
            self.take()
        assert not self.queued


TestSchedulerMachine = SchedulerMachine.TestCase
TestSchedulerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
