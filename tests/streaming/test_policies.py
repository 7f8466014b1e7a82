"""Planner, motion, memory budget, health and change journal, tested by their figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from arcade_prefabs.pipeline import GridCell
from arcade_prefabs.streaming.cells.grid import EveryCell, Grid
from arcade_prefabs.streaming.cells.live_cell import CellState, LiveCell
from arcade_prefabs.streaming.planning.health import HealthWatch, StreamingHealth
from arcade_prefabs.streaming.planning.memory_budget import MemoryBudget
from arcade_prefabs.streaming.planning.motion import LoadCircle, score
from arcade_prefabs.streaming.planning.planner import CellDemand, Planner
from arcade_prefabs.streaming.planning.streaming_sources import Sources
from arcade_prefabs.streaming.saves.change_journal import ChangeJournal, InlineWriter
from arcade_prefabs.streaming.saves.save_format import SavedCell, SavedEntity
from arcade_prefabs.streaming.settings import StreamingSettings
from arcade_prefabs.testing import VirtualClock


def live(left: float, size: int = 0, column: int = 0) -> LiveCell:
    """Returns a live cell of 100 pixels with that left edge."""
    box = (left, 0.0, left + 100, 100.0)
    made = LiveCell(GridCell(column, 0), box, box, None, lambda *_: None, lambda *_: None)  # type: ignore[arg-type]
    made.size = size
    return made


@pytest.mark.parametrize(("gap", "kept"), [(120.0, True), (120.1, False)])
def test_load_goes_on_a_quarter_of_the_way_to_the_unload_distance(gap: float, kept: bool) -> None:
    """100 to load and 180 to unload: a cell that is being read is kept up to 120 pixels away."""
    clock = VirtualClock()
    settings = StreamingSettings(load_distance=100, unload_distance=180)
    sources, grid = Sources(settings, 100, clock), Grid(100)
    sources.add((0, 50), name="", weight=1, load_distance=None, unload_distance=None)
    planner = Planner(grid, EveryCell(), settings, sources, clock)
    planner.want(0.0, ())
    one = live(gap)
    one.state = CellState.LOADING
    assert planner.keeps(one) is kept
    one.state = CellState.ACTIVE  # what is there stays up to the unload distance
    assert planner.keeps(one)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((50, -50, 150, 50), 0.25 * 0.25),  # ahead: f
        ((-50, 50, 50, 150), 0.25 * 0.625),  # at the side: f + (1 - f) / 2
        ((-150, -50, -50, 50), 0.25),  # behind: 1
        ((-50, -50, 50, 50), 0.0),
    ],
)
def test_score_is_squared_distance_and_less_ahead(box: Any, expected: float) -> None:
    """50 of 100 pixels away are a quarter, times 0.25 to 1 by the angle to the heading."""
    assert score(LoadCircle(0, 0, 100, (1.0, 0.0)), 0, 0, box) == pytest.approx(expected)


class Prefab:
    """A handle of a prefab that takes 40 bytes."""

    def sizes(self) -> dict[str, int]:
        return {"shared": 40}


def test_cell_that_had_no_room_stays_out_until_somebody_moves() -> None:
    """What it shared with none left with it; that is no room, or it would come and go for ever."""
    memory_budget = MemoryBudget(100)
    first, second = live(0, 50, 0), live(100, 30, 1)
    second.prefabs = {"shared": Prefab()}  # type: ignore[dict-item]
    memory_budget.enter(first)
    memory_budget.enter(second)
    wanted = {GridCell(0, 0): CellDemand(0.0, 0), GridCell(1, 0): CellDemand(0.5, 0)}
    assert memory_budget.used == 120
    assert set(memory_budget.fitting(wanted)) == {GridCell(0, 0)}
    memory_budget.leave(GridCell(1, 0))
    for _ in range(3):
        assert set(memory_budget.fitting(wanted)) == {GridCell(0, 0)}
        assert memory_budget.dropped == 1
    moved = {GridCell(1, 0): CellDemand(0.0, 0), GridCell(0, 0): CellDemand(0.5, 0)}
    assert set(memory_budget.fitting(moved)) == {GridCell(0, 0), GridCell(1, 0)}


@pytest.mark.parametrize(
    ("ratio", "state"),
    [
        (0.2499, StreamingHealth.CRITICAL),
        (0.25, StreamingHealth.SLOW),
        (0.4999, StreamingHealth.SLOW),
        (0.5, StreamingHealth.GOOD),
    ],
)
def test_health_is_worse_below_its_limits_and_not_at_them(
    ratio: float, state: StreamingHealth
) -> None:
    """SLOW below 0.5, CRITICAL below 0.25."""
    sources = Sources(StreamingSettings(), 100, VirtualClock())
    one = sources.add(None, name="", weight=1, load_distance=None, unload_distance=None)
    one.ratio = ratio
    watch = HealthWatch(StreamingSettings())
    watch.judge(sources)
    assert watch.state is state


class File:
    """A save file without entities."""

    path = "memory"

    def facts(self) -> dict[str, float]:
        return {}

    def write(self, *_: Any) -> None:
        pass

    def cell(self, *_: Any) -> SavedCell:
        return SavedCell((), None)


def test_read_that_began_before_a_write_does_not_miss_it() -> None:
    """It may have looked before the row was in the file, so the row is known until it is over."""
    later: list[Callable[[], None]] = []
    journal = ChangeJournal(
        File(),  # type: ignore[arg-type]
        background=later.append,
        writer=InlineWriter(),
        clock=VirtualClock(),
    )
    read = journal.read("c0_0", ())
    later.pop()()  # sees the file without the row
    row = SavedEntity("gold", "c0_0", None, 0.0, None)
    journal.enter(row)
    journal.flush()
    journal.tick()
    assert journal.merged(read).rows == (row,)
    journal.forget_read(read)
    assert journal.known("gold") is None
