"""Exact figures of motion, plans, averages and writes, with a clock that the test controls."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

from arcade_prefabs.errors import SaveError
from arcade_prefabs.pipeline import GridCell
from arcade_prefabs.streaming.cells.grid import EveryCell, Grid
from arcade_prefabs.streaming.cells.live_cell import CellState, LiveCell
from arcade_prefabs.streaming.planning.health import HealthWatch
from arcade_prefabs.streaming.planning.memory_budget import PART, MemoryBudget
from arcade_prefabs.streaming.planning.motion import Motion
from arcade_prefabs.streaming.planning.planner import CellDemand, LatencyMeter, Planner
from arcade_prefabs.streaming.planning.streaming_sources import Sources
from arcade_prefabs.streaming.saves.change_journal import ChangeJournal, SaveRequest
from arcade_prefabs.streaming.saves.save_format import SavedCell, SavedEntity
from arcade_prefabs.streaming.settings import StreamingPolicy, StreamingSettings
from arcade_prefabs.testing import VirtualClock


def live(column: int, size: int = 0, parts: int = 0) -> LiveCell:
    """Returns a live cell of 100 pixels."""
    box = (column * 100.0, 0.0, column * 100.0 + 100, 100.0)
    made = LiveCell(GridCell(column, 0), box, box, None, lambda *_: None, lambda *_: None)  # type: ignore[arg-type]
    made.size, made.parts = size, parts
    return made


# ------------------------------------------------------------------------------------------ motion


def walk(motion: Motion, clock: VirtualClock, steps: list[float], seconds: float = 0.1) -> None:
    """Moves a motion to the right by so many pixels in each step."""
    for step in steps:
        clock.advance(seconds)
        motion.move(motion.x + step, motion.y)


def test_velocity_is_smoothed_over_a_tenth_of_a_second() -> None:
    """After 0.1 s at 100 px/s it is 1 - 1/e of that, after 0.2 s 1 - 1/e²."""
    clock = VirtualClock()
    motion = Motion(clock)
    assert not motion.known
    assert not motion.turned
    motion.move(0, 0)
    assert motion.known
    walk(motion, clock, [10])
    assert motion.vx == pytest.approx(100 * (1 - math.exp(-1)))
    walk(motion, clock, [10])
    assert motion.speed == pytest.approx(100 * (1 - math.exp(-2)))
    assert (motion.x, motion.vy) == (20, 0)


def test_second_position_in_a_frame_replaces_the_first() -> None:
    """It counts for the next move, over the time since the first; no time, no velocity."""
    clock = VirtualClock()
    motion = Motion(clock)
    motion.move(0, 0)
    motion.move(5, 0)
    assert (motion.x, motion.speed) == (5, 0)
    walk(motion, clock, [10])
    assert motion.vx == pytest.approx(100 * (1 - math.exp(-1)))


@pytest.mark.parametrize(("pixels", "jumped"), [(2000.0, False), (2001.0, True)])
def test_faster_than_the_fastest_is_a_jump(pixels: float, jumped: bool) -> None:
    """20,000 px/s over 0.1 s; whoever jumped stands, and its turn is planned for."""
    clock = VirtualClock()
    motion = Motion(clock)
    motion.move(0, 0)
    motion.settle()
    walk(motion, clock, [pixels])
    assert (motion.speed == 0) is jumped
    assert motion.turned is jumped


def test_jump_within_a_short_frame_is_measured_by_a_sixtieth() -> None:
    """A frame of a millisecond may move as far as one of 1/60 s."""
    clock = VirtualClock()
    motion = Motion(clock)
    motion.move(0, 0)
    motion.settle()
    walk(motion, clock, [333], 0.001)
    assert not motion.turned
    walk(motion, clock, [334], 0.001)
    assert motion.turned


def test_turning_round_is_known_at_once_and_trembling_is_standing() -> None:
    """The first turn takes its velocity unsmoothed; a second within 0.25 s stands for 0.25 s."""
    clock = VirtualClock()
    motion = Motion(clock)
    motion.move(0, 0)
    motion.settle()
    walk(motion, clock, [10, 10])
    assert not motion.turned
    walk(motion, clock, [-10])
    assert (motion.turned, motion.vx) == (True, pytest.approx(-100))
    walk(motion, clock, [10])
    assert (motion.turned, motion.vx) == (False, 0)
    walk(motion, clock, [10, 10])
    assert motion.vx == 0
    walk(motion, clock, [10])  # 0.3 s after the last turn
    assert motion.vx == pytest.approx(100 * (1 - math.exp(-1)))


def test_turns_farther_apart_than_a_quarter_second_are_turns() -> None:
    """Each takes its own velocity."""
    clock = VirtualClock()
    motion = Motion(clock)
    motion.move(0, 0)
    walk(motion, clock, [10, -10, -10, -10])
    motion.settle()
    walk(motion, clock, [10])
    assert (motion.turned, motion.vx) == (True, pytest.approx(100))


def test_who_is_told_no_position_for_half_a_second_has_stopped() -> None:
    """At half a second it still goes, after that it stands."""
    clock = VirtualClock()
    motion = Motion(clock)
    motion.settle()  # nothing is known yet
    motion.move(0, 0)
    walk(motion, clock, [10], 0.125)
    assert motion.turned  # by the first position
    clock.advance(0.5)
    motion.settle()
    assert motion.speed > 0
    assert not motion.turned
    clock.advance(0.01)
    motion.settle()
    assert motion.speed == 0


@pytest.mark.parametrize(("speed", "heading"), [(8.0, None), (8.1, (1.0, 0.0))])
def test_aim_is_half_a_lead_ahead_and_half_a_lead_larger(speed: float, heading: Any) -> None:
    """A heading is one above 8 px/s."""
    motion = Motion(VirtualClock())
    motion.jump(10, 20)
    motion.vx = speed
    aim = motion.aim(100, 3.0)
    assert aim[:3] == pytest.approx((10 + speed * 1.5, 20, 100 + speed * 1.5))
    assert aim.heading == heading


# ------------------------------------------------------------------------------------------ planner


class Plan:
    """A planner with one source, a load distance of 100 pixels and an unload distance of 180."""

    def __init__(self, load: float = 100.0, **settings: Any) -> None:
        self.clock = VirtualClock()
        chosen = StreamingSettings(load_distance=load, unload_distance=load + 80, **settings)
        self.sources = Sources(chosen, 100, self.clock)
        self.one = self.sources.add(
            (50, 50), name="", weight=1, load_distance=None, unload_distance=None
        )
        self.planner = Planner(Grid(100), EveryCell(), chosen, self.sources, self.clock)

    def want(self) -> dict[GridCell, CellDemand]:
        return self.planner.want(self.clock(), ())


def test_latency_begins_at_a_guess_and_goes_a_fifth_of_the_way() -> None:
    """0.15 s, then a fifth nearer to each that comes."""
    meter = LatencyMeter()
    assert meter.seconds == 0.15
    meter.note(1.15)
    assert meter.seconds == pytest.approx(0.35)
    meter.note(0.10)
    assert meter.seconds == pytest.approx(0.30)


def test_lead_is_one_and_a_half_latencies_and_a_plan_interval() -> None:
    """0.15 × 1.5 + 0.1 s, at most `max_lead_s`, and at most two load distances."""
    plan = Plan()
    plan.one.motion.vx = 200.0
    plan.want()
    assert plan.one.aim.radius == pytest.approx(100 + 200 * 0.325 / 2)
    plan.one.motion.vx = 2000.0
    plan.want()
    assert plan.one.aim.radius == pytest.approx(100 + 200 / 2)
    short = Plan(max_lead_s=0.1)
    short.one.motion.vx = 200.0
    short.want()
    assert short.one.aim.radius == pytest.approx(100 + 200 * 0.1 / 2)


@pytest.mark.parametrize(
    ("dx", "dy", "seconds", "time"),
    [
        (0, 0, 9.0, False),
        (50, 0, 0.09, False),
        (51, 0, 0.0, True),
        (0, -51, 0.0, True),
        (1, 0, 0.125, True),
        (0, 1, 0.125, True),
        (1, 0, 0.09, False),
    ],
)
def test_plan_is_due_after_half_a_cell_or_a_tenth_second_of_movement(
    dx: float, dy: float, seconds: float, time: bool
) -> None:
    """Whoever stands needs no new plan."""
    plan = Plan()
    plan.clock.advance(7.0)
    plan.want()
    motion = plan.one.motion
    motion.x, motion.y = 50 + dx, 50 + dy
    plan.clock.advance(seconds)
    assert plan.planner.is_time(plan.clock()) is time


def test_plan_is_due_when_somebody_turns_or_asks_for_it() -> None:
    """Of several reminders the earliest counts; a plan forgets them."""
    plan = Plan()
    assert plan.planner.is_time(0.0)
    plan.want()
    assert not plan.planner.is_time(0.0)
    plan.one.motion.turned = True
    assert plan.planner.is_time(0.0)
    plan.want()
    for when in (3.0, 2.0, 2.5):
        plan.planner.remind(when)
    assert not plan.planner.is_time(1.9)
    assert plan.planner.is_time(2.0)
    plan.want()
    assert plan.planner.due is None


def test_leases_come_first_and_the_nearest_source_decides() -> None:
    """A lease is nobody's, before everything else; a cell of two has the lower score."""
    plan = Plan()
    plan.sources.add((250, 50), name="", weight=1, load_distance=None, unload_distance=None)
    plan.sources.add(None, name="", weight=1, load_distance=None, unload_distance=None)
    wanted = plan.planner.want(0.0, [GridCell(0, 0), GridCell(9, 9)])
    assert wanted[GridCell(0, 0)] == wanted[GridCell(9, 9)] == CellDemand(-1.0, -1)
    assert wanted[GridCell(2, 0)] == CellDemand(0.0, 1)
    assert wanted[GridCell(-1, 0)] == CellDemand(0.25, 0)
    assert wanted[GridCell(3, 0)] == CellDemand(0.25, 1)


def test_circle_of_more_than_thirty_two_cells_shrinks() -> None:
    """3,200 pixels of cells of 100 are the most."""
    plan = Plan(load=3200)
    plan.want()
    assert (plan.planner.shrunk, plan.one.aim.radius) == (False, 3200)
    plan = Plan(load=3201)
    plan.want()
    assert (plan.planner.shrunk, plan.one.aim.radius) == (True, 3200)


def test_cell_beyond_half_the_load_distance_is_wanted_ahead() -> None:
    """One at half of it is near; one that somebody waits for is never ahead."""
    plan = Plan(load=300)
    for column, source, ahead in ((1, 0, False), (2, 0, False), (3, 0, True), (3, -1, False)):
        one = live(column)
        one.source = source
        assert plan.planner.is_ahead(one) is ahead
    near = Plan(load=100)  # the cell of column 1 is 50 pixels away
    one = live(1)
    one.source = 0
    assert not near.planner.is_ahead(one)
    near.one.motion.x = 49
    assert near.planner.is_ahead(one)


def test_ratio_is_the_distance_of_the_nearest_cell_that_is_missing() -> None:
    """Active and failed cells count as loaded; cells that are not live, or loading, are missing."""
    plan = Plan(load=300)
    wanted = {GridCell(column, 0): CellDemand(0.0, 0) for column in range(4)}
    live_cells = {cell: live(cell.column) for cell in wanted}
    for one in live_cells.values():
        one.state = CellState.ACTIVE
    plan.planner.measure(wanted, live_cells)
    assert plan.one.ratio == 1.0
    live_cells[GridCell(1, 0)].state = CellState.FAILED
    live_cells[GridCell(3, 0)].state = CellState.LOADING
    plan.planner.measure(wanted, live_cells)
    assert plan.one.ratio == pytest.approx(250 / 300)
    del live_cells[GridCell(2, 0)]
    plan.planner.measure(wanted, live_cells)
    assert plan.one.ratio == 0.5
    plan.planner.measure({GridCell(9, 0): CellDemand(0.0, 0)}, {})
    assert plan.one.ratio == 1.0


# ----------------------------------------------------------------------------------- memory, health


class Prefab:
    """A handle of a prefab that takes so many bytes."""

    def __init__(self, **sizes: int) -> None:
        self._sizes = sizes

    def sizes(self) -> dict[str, int]:
        return self._sizes


def test_shared_bytes_count_once_and_go_with_the_last_cell() -> None:
    """Own bytes are the content's and those of each sprite; entering twice is counted anew."""
    memory_budget = MemoryBudget(10**6)
    some = [live(column, 10, 2) for column in range(2)]
    for one in some:
        one.prefabs = {"a": Prefab(image=70, prefab=7), "b": Prefab(image=70)}  # type: ignore[dict-item]
        memory_budget.enter(one)
        memory_budget.enter(one)
    assert memory_budget.used == 2 * (10 + 2 * PART) + 77
    memory_budget.leave(GridCell(0, 0))
    memory_budget.leave(GridCell(0, 0))
    assert memory_budget.used == 10 + 2 * PART + 77
    memory_budget.leave(GridCell(1, 0))
    assert memory_budget.used == 0


def test_unknown_cell_is_expected_to_take_the_average() -> None:
    """Of what each cell took last, also of those that have left."""
    memory_budget = MemoryBudget(100)
    assert memory_budget.expected(GridCell(9, 0)) == 0
    memory_budget.enter(live(0, 10))
    memory_budget.enter(live(1, 50))
    memory_budget.leave(GridCell(1, 0))
    assert (memory_budget.expected(GridCell(1, 0)), memory_budget.expected(GridCell(9, 0))) == (
        50,
        30,
    )
    memory_budget.enter(live(1, 20))
    assert (memory_budget.expected(GridCell(1, 0)), memory_budget.expected(GridCell(9, 0))) == (
        20,
        15,
    )
    assert memory_budget.excess([GridCell(9, 0), GridCell(1, 0)]) == 30 + 35 - 100


def test_oldest_size_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many are remembered as may be, and the average is of those."""
    monkeypatch.setattr("arcade_prefabs.streaming.planning.memory_budget._REMEMBERED", 2)
    memory_budget = MemoryBudget(100)
    for column, size in enumerate((90, 20, 40)):
        memory_budget.enter(live(column, size))
    assert [memory_budget.expected(GridCell(column, 0)) for column in range(3)] == [30, 20, 40]


def test_memory_shrinks_the_world_to_one_distance() -> None:
    """The first without room ends it, though a farther one would fit; what is stood in stays."""
    memory_budget = MemoryBudget(100)
    for column, size in enumerate((60, 60, 50, 10)):
        memory_budget.enter(live(column, size))
        memory_budget.leave(GridCell(column, 0))
    wanted = {GridCell(column, 0): CellDemand(column / 4, 0) for column in range(4)}
    assert list(memory_budget.fitting(wanted)) == [GridCell(0, 0)]
    assert memory_budget.dropped == 3
    exact = {
        GridCell(1, 0): CellDemand(0.25, 0),
        GridCell(2, 0): CellDemand(0.5, 0),
        GridCell(3, 0): CellDemand(0.1, 0),
    }
    assert list(memory_budget.fitting(exact)) == [GridCell(3, 0), GridCell(1, 0)]
    assert memory_budget.dropped == 1
    waited = {GridCell(0, 0): CellDemand(0.0, 0), GridCell(1, 0): CellDemand(-1.0, -1)}
    assert set(memory_budget.fitting(waited)) == set(waited)  # nobody can stand in a hole
    assert memory_budget.dropped == 0
    full = {GridCell(2, 0): CellDemand(0.5, 0), GridCell(0, 0): CellDemand(0.0, 0)}
    memory_budget.limit = 110
    assert memory_budget.fitting(full) == full
    assert memory_budget.dropped == 0


@pytest.mark.parametrize(
    ("ratio", "pace"), [(0.5, 1.0), (0.4, 0.8), (0.25, 0.5), (0.24, 0.0), (0.0, 0.0)]
)
def test_pace_falls_with_the_ratio_and_is_held_at_critical(ratio: float, pace: float) -> None:
    """SLOW gives the part of the ratio at which it is slow."""
    settings = StreamingSettings(on_slow=StreamingPolicy.SLOW, on_critical=StreamingPolicy.HOLD)
    plan = Plan()
    watch = HealthWatch(settings)
    assert (watch.ratio, watch.pace) == (1.0, 1.0)
    plan.one.ratio = ratio
    assert watch.judge(plan.sources) is (ratio < 0.5)
    assert not watch.judge(plan.sources)
    assert watch.pace == pytest.approx(pace)
    crawling = HealthWatch(StreamingSettings(on_critical=StreamingPolicy.SLOW))
    plan.one.ratio = 0.05
    crawling.judge(plan.sources)
    assert crawling.pace == 0.2
    assert crawling.judge([]) is True  # without players there is nothing to miss
    assert crawling.ratio == 1.0


# ---------------------------------------------------------------------------------- change journal


class File:
    """A save file in memory whose writes may fail."""

    path = "memory"

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.writes: list[tuple[list[SavedEntity], dict[str, float]]] = []
        self.discarded: bool | None = None  # how it was closed

    def facts(self) -> dict[str, float]:
        return {"time": 5.5, "added": 3}

    def write(self, rows: list[SavedEntity], left: dict[str, float], facts: Any) -> None:
        if self.error is not None:
            raise self.error
        self.writes.append((rows, left))

    def save(self, rows: list[SavedEntity], left: dict[str, float], facts: Any) -> int:
        self.write(rows, left, facts)
        return 42

    def cell(self, *_: Any) -> SavedCell:
        return SavedCell((), None)

    def close(self, *, discard: bool) -> None:
        self.discarded = discard


class LateWriter:
    """Runs the submitted functions when the test says so."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []

    def submit(self, work: Callable[[], None]) -> None:
        self.work.append(work)

    def close(self, seconds: float, late: Callable[[], None]) -> bool:
        if self.work:
            self.work.append(late)
            return False
        return True

    def run(self) -> None:
        while self.work:
            self.work.pop(0)()


class Books:
    """A change journal with its file, writer and clock."""

    def __init__(self) -> None:
        self.file, self.writer, self.clock = File(), LateWriter(), VirtualClock(100.0)
        self.reads: list[Callable[[], None]] = []
        self.journal = ChangeJournal(
            self.file,  # type: ignore[arg-type]
            background=self.reads.append,
            writer=self.writer,
            clock=self.clock,
        )

    def tick(self) -> int:
        """Ticks, writes, and ticks again; returns how many writes there were so far."""
        self.journal.tick()
        self.writer.run()
        self.journal.tick()
        return len(self.file.writes)


def row(name: str, cell: str | None = "c0_0", home: str | None = "c0_0") -> SavedEntity:
    """Returns the state of an entity, to be entered into a journal."""
    return SavedEntity(name, home, cell, 0.0, None)


def test_changes_are_written_once_a_second_and_many_at_once() -> None:
    """The first at once, the next a second later; 500 do not wait."""
    books = Books()
    assert (books.journal.time, books.journal.added) == (5.5, 3)
    assert books.tick() == 0  # nothing has happened
    books.journal.enter(row("a"))
    assert books.journal.waiting == 1
    assert books.tick() == 1
    assert books.journal.waiting == 0
    books.journal.enter(row("b"))
    books.clock.advance(0.9)
    assert books.tick() == 1
    books.clock.advance(0.1)
    assert books.tick() == 2
    for number in range(499):
        books.journal.enter(row(str(number)))
    assert books.tick() == 2
    books.journal.enter(row("last"))
    assert books.tick() == 3
    assert len(books.file.writes[-1][0]) == 500
    books.clock.advance(1)
    books.journal.left("c0_0")
    assert books.tick() == 4
    assert books.file.writes[-1] == ([], {"c0_0": 5.5})


def test_no_second_write_is_begun_while_one_goes_on() -> None:
    """What happens meanwhile waits for its end."""
    books = Books()
    books.journal.enter(row("a"))
    books.journal.tick()
    books.journal.enter(row("b"))
    books.clock.advance(9)
    books.journal.tick()
    assert len(books.writer.work) == 1
    assert books.tick() == 1
    assert books.tick() == 2


@pytest.mark.parametrize("error", [SaveError("full"), OSError("full")])
def test_failed_write_is_tried_again_after_five_seconds(error: Exception, caplog: Any) -> None:
    """With all that was in it; the log tells once, until one has succeeded."""
    books = Books()
    books.file.error = error
    books.journal.enter(row("a"))
    books.journal.left("c1_0")
    assert books.tick() == 0
    assert books.journal.waiting == 1
    assert "full" in str(books.journal.error)
    books.clock.advance(5)
    books.tick()
    assert len(caplog.records) == 1
    books.file.error = None
    books.clock.advance(4.9)
    assert books.tick() == 0
    assert books.journal.known("a") == row("a")
    books.clock.advance(0.1)
    assert books.tick() == 1
    assert books.file.writes == [([row("a")], {"c1_0": 5.5})]
    assert books.journal.error is None
    assert books.journal.known("a") is None


def test_change_of_what_is_being_written_stays_known() -> None:
    """The newer row is written next, though the older one is in the file."""
    books = Books()
    old, new = row("a"), row("a", "c1_0")
    books.journal.enter(old)
    books.journal.left("c0_0")
    books.journal.tick()
    books.journal.enter(new)
    books.journal.time = 9.0
    books.journal.left("c0_0")
    books.writer.run()
    books.journal.tick()
    assert books.journal.known("a") is new
    books.clock.advance(1)
    books.tick()
    assert [rows for rows, _ in books.file.writes] == [[old], [new]]
    assert [left for _, left in books.file.writes] == [{"c0_0": 5.5}, {"c0_0": 9.0}]
    assert books.journal.known("a") is None


def test_same_row_entered_again_while_it_is_written_stays_known() -> None:
    """It is on its way twice, and known until the second one is in the file."""
    books = Books()
    one = row("a")
    books.journal.enter(one)
    books.journal.tick()
    books.journal.enter(one)
    books.writer.run()
    books.journal.tick()  # begins the next write only after a second
    assert books.journal.known("a") is one
    assert books.journal.waiting == 1


def test_each_write_is_forgotten_when_no_older_read_goes_on() -> None:
    """Of two writes with a read begun between them, only the first is forgotten."""
    books = Books()
    books.journal.enter(row("first"))
    books.tick()
    assert books.journal.known("first") is None
    early = books.journal.read("c0_0", ())
    books.journal.enter(row("second"))
    books.journal.flush()
    books.writer.run()
    books.journal.tick()
    late = books.journal.read("c0_0", ())
    books.journal.enter(row("third"))
    books.journal.flush()
    books.writer.run()
    books.journal.tick()
    assert books.journal.known("second") is not None
    books.journal.forget_read(early)
    assert not early.wanted
    assert books.journal.known("second") is None
    assert books.journal.known("third") is not None
    books.journal.forget_read(late)
    assert books.journal.known("third") is None


def test_cell_knows_what_is_in_it_and_what_has_left_it() -> None:
    """`known_in` tells of those in it alone; a read merges those that left it, too."""
    books = Books()
    here, gone, away = (
        row("here", "c1_0", "c1_0"),
        row("gone", None, "c1_0"),
        row("away", "c2_0", "c1_0"),
    )
    came, lower = row("came", "c1_0", "c0_0"), row("lower", "c0_0", "c1_0")
    for one in (here, gone, away, came, lower):
        books.journal.enter(one)
    assert books.journal.known_in("c1_0") == [here, came]
    read = books.journal.read("c1_0", ())
    assert not read.done
    books.reads.pop()()
    assert read.done
    assert set(books.journal.merged(read).rows) == {here, gone, away, came, lower}
    books.journal.enter(row("came", "c3_0", "c0_0"))
    assert books.journal.known_in("c1_0") == [here]


def test_read_that_nobody_wants_is_not_read() -> None:
    """The player has turned before a thread came to it."""
    books = Books()
    read = books.journal.read("c0_0", ())
    books.journal.forget_read(read)
    books.reads.pop()()
    assert not read.done


def test_read_that_fails_tells_why() -> None:
    """It is done, with the error and without a record."""
    books = Books()
    books.file.cell = lambda *_: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    read = books.journal.read("c0_0", ())
    books.reads.pop()()
    assert read.done
    assert isinstance(read.error, ZeroDivisionError)


def test_save_request_ends_once_with_what_the_file_says() -> None:
    """It writes at once what waits, tells whoever listens, and whoever listens later at once."""
    books = Books()
    request, told = SaveRequest(), []
    request.add_done_callback(told.append)
    with pytest.raises(SaveError, match="not saved yet"):
        request.result()
    books.journal.enter(row("a"))
    books.journal.save(request)
    assert not request.done
    assert books.tick() == 1
    assert (request.done, request.result(), told) == (True, 42, [request])
    request.add_done_callback(told.append)
    assert told == [request] * 2


def test_failed_save_raises_and_keeps_the_changes() -> None:
    """It counts no entities; what was to be saved is written later."""
    books = Books()
    books.file.error = OSError("full")
    request = SaveRequest()
    books.journal.enter(row("a"))
    books.journal.save(request)
    books.tick()
    with pytest.raises(SaveError, match="full"):
        request.result()
    assert (request.entities, books.journal.waiting) == (0, 1)


@pytest.mark.parametrize("save", [True, False])
def test_closing_ends_saves_that_were_not_written(save: bool) -> None:
    """Those that were are told as such, the others fail; the file closes after the last write."""
    books = Books()
    written, late = SaveRequest(), SaveRequest()
    books.journal.save(written)
    books.writer.run()
    books.journal.save(late)
    books.journal.close(0.0, save=save)
    assert written.result() == 42
    assert (late.entities, late.done) == (0, True)
    with pytest.raises(SaveError, match="closed"):
        late.result()
    assert books.file.discarded is None
    books.writer.run()
    assert books.file.discarded is not save


def test_await_goes_on_when_the_save_has_ended() -> None:
    """A coroutine that waits is given what the file says; a second `await` at once."""

    async def wait() -> list[int]:
        books, request = Books(), SaveRequest()

        async def visit() -> list[int]:
            return [await request, await request]

        task = asyncio.create_task(visit())
        await asyncio.sleep(0)
        assert not task.done()
        books.journal.save(request)
        books.tick()
        return await asyncio.wait_for(task, 5)

    assert asyncio.run(wait()) == [42, 42]
