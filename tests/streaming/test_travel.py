"""Preload requests and their leases, with live cells made by hand and a clock of the test."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from arcade_prefabs.errors import PreloadError, PreloadTimeoutError
from arcade_prefabs.pipeline import GridCell
from arcade_prefabs.streaming.cells.grid import EveryCell, Grid
from arcade_prefabs.streaming.cells.known_cells import KnownCells
from arcade_prefabs.streaming.cells.live_cell import CellState, LiveCell
from arcade_prefabs.streaming.planning.preload_request import (
    PreloadRequest,
    PreloadRequests,
    box_of,
)
from arcade_prefabs.streaming.settings import StreamingSettings
from arcade_prefabs.testing import VirtualClock

GRID, CELLS = Grid(100), KnownCells(EveryCell())


class Trip:
    """A world whose cells have the states that a test sets, and the preload requests in it."""

    def __init__(self) -> None:
        self.clock = VirtualClock(10.0)
        self.preload_requests = PreloadRequests(StreamingSettings(), self.clock)
        self.live_cells: dict[GridCell, LiveCell] = {}
        self.before: list[str] = []

    def begin(
        self, place: Any, timeout_s: float | None = 5.0, lease_s: float = 3.0, on_done: Any = None
    ) -> PreloadRequest:
        told = self.before
        return self.preload_requests.begin(
            place, timeout_s, lease_s, lambda: told.append("before"), on_done
        )

    def put(self, state: CellState, *cells: GridCell, error: Exception | None = None) -> None:
        for cell in cells:
            box = GRID.box(cell)
            made = LiveCell(cell, box, box, None, lambda *_: None, lambda *_: None)  # type: ignore[arg-type]
            made.state, made.error = state, error
            self.live_cells[cell] = made

    def look(self) -> None:
        self.preload_requests.locate(GRID, CELLS)
        self.preload_requests.look(self.live_cells)


def row_of_cells(count: int) -> tuple[tuple[float, float, float, float], list[GridCell]]:
    """Returns an area of so many cells side by side, and the cells."""
    return (10.0, 110.0, count * 100 - 10.0, 190.0), [
        GridCell(column, 1) for column in range(count)
    ]


def test_arrival_is_done_when_each_of_its_cells_is_active() -> None:
    """Progress counts active cells; callbacks come once, after what has to come before them."""
    trip = Trip()
    area, cells = row_of_cells(4)
    one = trip.begin(area, on_done=lambda _: trip.before.append("done"))
    assert (one.progress, one.total, len(trip.preload_requests)) == (0.0, 0, 1)
    trip.put(CellState.LOADING, *cells)
    trip.put(CellState.ACTIVE, cells[0])
    trip.look()
    assert (one.arrived, one.total, one.progress, one.done) == (1, 4, 0.25, False)
    assert repr(one) == "<PreloadRequest: 1 of 4 cells>"
    with pytest.raises(PreloadError, match="not loaded yet"):
        one.result()
    trip.put(CellState.ACTIVE, *cells)
    trip.look()
    trip.look()
    assert (one.done, one.progress, one.error, len(trip.preload_requests)) == (True, 1.0, None, 0)
    assert repr(one) == "<PreloadRequest: 4 of 4 cells, done>"
    assert trip.before == ["before", "done"]
    one.result()
    one.add_done_callback(lambda _: trip.before.append("late"))  # is called at once
    assert trip.before[-1] == "late"


def test_area_without_cells_is_there_at_once() -> None:
    """Nothing to wait for is no failure, and its progress is whole."""

    class Nothing:
        levels = (0,)

        def __contains__(self, cell: object) -> bool:
            return False

        def within(self, *_: Any) -> Any:
            return iter(())

    trip = Trip()
    one = trip.begin((0.0, 0.0, 50.0, 50.0))
    trip.preload_requests.locate(GRID, KnownCells(Nothing()))
    trip.preload_requests.look(trip.live_cells)
    assert (one.done, one.total, one.progress) == (True, 0, 1.0)


def test_place_means_its_cell_and_the_eight_around_it() -> None:
    """The box goes to the middles of the neighbours, so that it touches each and no more."""
    trip = Trip()
    one = trip.begin((150.0, 250.0))
    trip.preload_requests.locate(GRID, CELLS)
    assert one.cells is not None
    assert set(one.cells) == {GridCell(x, y) for x in (0, 1, 2) for y in (1, 2, 3)}


@pytest.mark.parametrize("states", [1, 3, 4, 5])
def test_timeout_names_the_first_three_cells_that_are_missing(states: int) -> None:
    """At the due time and not before; an ellipsis only when there are more than it names."""
    trip = Trip()
    area, cells = row_of_cells(states)
    one = trip.begin(area, timeout_s=5.0)
    trip.look()
    trip.clock.advance(4.9)
    trip.look()
    assert not one.done
    trip.clock.advance(0.1)
    trip.put(CellState.LOADING, cells[0])
    trip.look()
    assert isinstance(one.error, PreloadTimeoutError)
    shown = ["c0_1 is loading", "c1_1 is unloaded", "c2_1 is unloaded"][:states]
    told = f"0 of {states} cells were there in time: {', '.join(shown)}"
    assert str(one.error) == told + (", …" if states > 3 else "")
    assert one.progress == 0.0
    assert trip.before == []
    assert trip.preload_requests.next_end is None  # nothing is kept of what was not there


def test_timeout_tells_of_cells_that_failed_before_it() -> None:
    """One failed and one is late: the failure is in the error, too."""
    trip = Trip()
    area, cells = row_of_cells(2)
    one = trip.begin(area)
    why = OSError("gone")
    trip.put(CellState.FAILED, cells[0], error=why)
    trip.look()
    assert not one.done
    trip.clock.advance(5)
    trip.look()
    assert isinstance(one.error, PreloadTimeoutError)
    assert one.error.failures == {"c0_1": why}


def test_world_that_does_not_open_in_time_is_told_so() -> None:
    """Its cells were never looked up."""
    trip = Trip()
    one, ever = trip.begin((0.0, 0.0)), trip.begin((0.0, 0.0), timeout_s=None)
    trip.clock.advance(4.9)
    trip.preload_requests.look({})
    assert not one.done
    trip.clock.advance(0.1)
    trip.preload_requests.look({})
    assert isinstance(one.error, PreloadTimeoutError)
    assert "not open" in str(one.error)
    assert not ever.done


@pytest.mark.parametrize(("failed", "rest"), [(1, ""), (2, ", and 1 more"), (3, ", and 2 more")])
def test_arrival_fails_once_all_cells_have_come_or_failed(failed: int, rest: str) -> None:
    """It names the first failure, counts the others, and keeps all of them."""
    trip = Trip()
    area, cells = row_of_cells(4)
    one = trip.begin(area)
    why = OSError("gone")
    trip.put(CellState.FAILED, *cells[:failed], error=why)
    trip.put(CellState.ACTIVE, *cells[failed:-1])
    trip.put(CellState.LOADING, cells[-1])
    trip.look()
    assert not one.done
    trip.put(CellState.ACTIVE, cells[-1])
    trip.look()
    assert str(one.error) == f"c0_1 cannot be loaded: gone{rest}"
    assert one.error is not None
    assert one.error.__cause__ is why
    assert list(one.error.failures) == [f"c{n}_1" for n in range(failed)]
    assert one.progress == (4 - failed) / 4
    with pytest.raises(PreloadError):
        one.result()


def test_cancelled_arrival_calls_nobody_and_can_be_cancelled_once() -> None:
    """Neither callbacks of before nor later ones are called; it is waited for no more."""
    trip = Trip()
    called: list[PreloadRequest] = []
    one = trip.begin((0.0, 0.0), on_done=called.append)
    one.add_done_callback(called.append)
    trip.preload_requests.leases(0.0)
    assert one.cancel()
    assert trip.preload_requests.changed
    assert not one.cancel()
    one.add_done_callback(called.append)
    assert (called, len(trip.preload_requests), one.done, one.cancelled) == ([], 0, True, True)
    assert trip.before == []
    with pytest.raises(PreloadError, match="cancelled"):
        one.result()


def test_await_is_told_when_it_ends() -> None:
    """A coroutine that waits goes on when the cells are there; a second `await` at once."""

    async def wait() -> str:
        trip = Trip()
        area, cells = row_of_cells(1)
        one = trip.begin(area)

        async def visit() -> None:
            await one
            await one

        task = asyncio.create_task(visit())
        await asyncio.sleep(0)
        assert not task.done()
        trip.put(CellState.ACTIVE, *cells)
        trip.look()
        await asyncio.wait_for(task, 5)
        return "went on"

    assert asyncio.run(wait()) == "went on"


def test_cells_are_kept_while_waited_for_and_for_the_lease_after() -> None:
    """Of two leases of a cell the longer one counts, whichever was given first."""
    trip = Trip()
    area, cells = row_of_cells(2)
    assert not trip.preload_requests.changed
    trip.begin(area, lease_s=3.0)
    assert trip.preload_requests.changed
    assert trip.preload_requests.leases(10.0) == {}  # not located yet
    assert not trip.preload_requests.changed
    trip.preload_requests.locate(GRID, CELLS)
    assert list(trip.preload_requests.leases(10.0)) == cells
    trip.put(CellState.ACTIVE, *cells)
    trip.look()
    assert trip.preload_requests.changed
    assert trip.preload_requests.next_end == 13.0
    for lease_s in (1.0, 0.0):
        trip.begin(area, lease_s=lease_s)
        trip.look()
        assert trip.preload_requests.next_end == 13.0
    trip.begin(row_of_cells(1)[0], lease_s=4.0)
    trip.look()
    assert set(trip.preload_requests.leases(12.9)) == set(cells)
    assert trip.preload_requests.next_end == 13.0
    assert list(trip.preload_requests.leases(13.0)) == cells[:1]
    assert trip.preload_requests.next_end == 14.0
    assert trip.preload_requests.leases(14.0) == {}
    assert trip.preload_requests.next_end is None


def test_area_may_have_ten_thousand_cells_and_not_more() -> None:
    """100 × 100 cells are looked up; one column more is refused with their number."""
    trip = Trip()
    largest = trip.begin((-4_900.0, 200.0, 5_000.0, 10_100.0))
    larger = trip.begin((-4_900.0, 200.0, 5_100.0, 10_100.0))
    trip.preload_requests.locate(GRID, CELLS)
    assert not largest.done
    assert str(larger.error) == "an area of 10,100 cells: 10,000 at most"


def test_closing_the_world_ends_every_arrival() -> None:
    """Whoever waits is told that it was closed."""
    trip = Trip()
    some = [trip.begin((0.0, 0.0)), trip.begin((500.0, 0.0))]
    trip.preload_requests.close()
    assert [str(one.error) for one in some] == ["the world was closed"] * 2
    assert len(trip.preload_requests) == 0


@pytest.mark.parametrize("seconds", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["timeout_s", "lease_s"])
def test_time_that_is_none_is_refused(name: str, seconds: float) -> None:
    """Negative, infinite or NaN; 0 is a time."""
    trip = Trip()
    with pytest.raises(ValueError, match=name):
        trip.begin((0.0, 0.0), **{name: seconds})
    assert len(trip.preload_requests) == 0
    trip.begin((0.0, 0.0), **{name: 0.0})


def test_area_is_four_finite_numbers_in_order() -> None:
    """A line and a point are areas; sides that are exchanged are not."""
    assert box_of((1, 2, 1, 2)) == (1.0, 2.0, 1.0, 2.0)
    for area in ((2, 0, 1, 1), (0, 2, 1, 1), (0, 0, float("inf"), 1)):
        with pytest.raises(ValueError, match="area"):
            box_of(area)
    for other in ((1, 2, 3), "abcd", 5):
        with pytest.raises(TypeError, match="area"):
            box_of(other)
