"""`PreloadRequest`: an area that somebody waits for, and that stays there for a while."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from ...errors import PreloadError, PreloadTimeoutError, shown_error
from ...frames.awaitables import Completion
from ..cells.grid import Box, Grid, GridCell
from ..cells.known_cells import KnownCells
from ..cells.live_cell import CellState, LiveCell
from ..settings import StreamingSettings

__all__ = ["PreloadRequest", "PreloadRequests", "box_of"]

# An area with more cells than that is a mistake: with a name for each, they are megabytes.
_MOST: Final = 10_000


class PreloadRequest:
    """An area that is waited for; ``await`` it, or have something called.

    Attributes:
        place: Left, bottom, right and top, in pixels; or a place, whose 3 × 3 cells are meant.
        cancelled: Whether `cancel` was called before.
        error: Why it will not be there: an `PreloadError`, or None.
        total: How many cells it has; 0 as long as the world is being opened.
        arrived: How many of them are there.

    Main thread.
    """

    def __init__(
        self,
        place: Box | tuple[float, float],
        due: float,
        lease_s: float,
        before: Callable[[], None],
        on_done: Callable[[PreloadRequest], object] | None,
        forget: Callable[[PreloadRequest], None],
    ) -> None:
        self.place = place
        self.cancelled = False
        self.error: PreloadError | None = None
        self.total = self.arrived = 0
        self.due = due
        self.lease_s = lease_s
        self.cells: tuple[GridCell, ...] | None = None
        self._before = before
        self._completion = Completion()
        self._forget = forget
        if on_done is not None:
            self.add_done_callback(on_done)

    def __repr__(self) -> str:
        return (
            f"<PreloadRequest: {self.arrived} of {self.total} cells{', done' if self.done else ''}>"
        )

    @property
    def done(self) -> bool:
        """Whether it is there, or never will be."""
        return self._completion.done

    @property
    def progress(self) -> float:
        """How much of it is there, 0 to 1."""
        if self.done and self.error is None:
            return 1.0
        return self.arrived / self.total if self.total else 0.0

    def cancel(self) -> bool:
        """Wait for it no more; False if it was done. Callbacks are not called."""
        if self.done:
            return False
        self.cancelled = True
        self._forget(self)
        self.end(PreloadError("it was cancelled"))
        return True

    def add_done_callback(self, callback: Callable[[PreloadRequest], object]) -> None:
        """Call something with it, on the main thread, once it is done, however that went."""
        self._completion.listen(partial(self._call, callback))

    def _call(self, callback: Callable[[PreloadRequest], object]) -> None:
        if not self.cancelled:
            callback(self)

    def result(self) -> None:
        """Nothing, if it is there.

        Raises:
            PreloadError: It will not be there, was cancelled, or is not done.
            PreloadTimeoutError: It took too long.
        """
        if self.error is not None:
            raise self.error
        if not self.done:
            raise PreloadError("it is not there yet: await it, or ask `done` before")

    def __await__(self) -> Generator[Any, Any, None]:
        """Wait until it is there; in a script of the plugin, or in asyncio.

        Raises:
            As `result`.
        """
        yield from self._completion.wait()
        self.result()

    def end(self, error: PreloadError | None) -> None:
        """It is there, or never will be."""
        self.error = error
        if error is None:
            self._before()
        self._completion.finish()


class PreloadRequests:
    """All arrivals of a world, and the leases that keep their cells there for a while.

    Args:
        settings: See there.
        clock: Seconds.

    Main thread.
    """

    def __init__(self, settings: StreamingSettings, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._settings = settings
        self._waiting: list[PreloadRequest] = []
        self._until: dict[GridCell, float] = {}
        self.changed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(
        self,
        place: Box | tuple[float, float],
        timeout_s: float | None,
        lease_s: float,
        before: Callable[[], None],
        on_done: Callable[[PreloadRequest], object] | None,
    ) -> PreloadRequest:
        """Wait for an area.

        Raises:
            ValueError: A time is no time.
        """
        for name, seconds in (("timeout_s", timeout_s), ("lease_s", lease_s)):
            if seconds is not None and not (seconds >= 0 and math.isfinite(seconds)):
                raise ValueError(f"{name} must not be negative, and finite, not {seconds}")
        due = math.inf if timeout_s is None else self._clock() + timeout_s
        request = PreloadRequest(place, due, lease_s, before, on_done, self._forget)
        self._waiting.append(request)
        self.changed = True
        return request

    def _forget(self, request: PreloadRequest) -> None:
        self._waiting = [one for one in self._waiting if one is not request]
        self.changed = True

    def leases(self, now: float) -> dict[GridCell, None]:
        """Cells that have to be there, whoever is near."""
        self.changed = False
        self._until = {cell: until for cell, until in self._until.items() if until > now}
        found = {cell: None for one in self._waiting for cell in one.cells or ()}
        return {**found, **dict.fromkeys(self._until)}

    @property
    def next_end(self) -> float | None:
        """When the next lease ends, in seconds of the clock."""
        return min(self._until.values(), default=None)

    def locate(self, grid: Grid, cells: KnownCells) -> None:
        """Find the cells of those that have just begun."""
        for one in list(self._waiting):
            if one.cells is None:
                box = _box_of_cells(grid, one.place)
                wide = (box[2] - box[0]) / grid.cell_size + 1
                high = (box[3] - box[1]) / grid.cell_size + 1
                if wide * high > _MOST:
                    many = f"an area of {wide * high:,.0f} cells: {_MOST:,} at most"
                    self._end(one, PreloadError(many))
                    continue
                one.cells = tuple(grid.touching(cells, box))
                one.total = len(one.cells)

    def look(self, live_cells: Mapping[GridCell, LiveCell]) -> None:
        """See who has arrived, or never will."""
        now = self._clock()
        for one in list(self._waiting):
            if one.cells is None:
                if now >= one.due:
                    self._end(one, PreloadTimeoutError("the world is not open, or frozen"))
                continue
            states = [self._state(live_cells, cell) for cell in one.cells]
            one.arrived = states.count(CellState.ACTIVE)
            failed = states.count(CellState.FAILED)
            if one.arrived + failed == one.total:
                self._end(one, self._failure(one, live_cells) if failed else None)
            elif now >= one.due:
                missing = [
                    f"{cell.label} is {state.value}"
                    for cell, state in zip(one.cells, states, strict=True)
                    if state is not CellState.ACTIVE
                ]
                shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
                message = f"{one.arrived} of {one.total} cells were there in time: {shown}"
                failures = {} if not failed else self._failures(one, live_cells)
                self._end(one, PreloadTimeoutError(message, failures))

    @staticmethod
    def _state(live_cells: Mapping[GridCell, LiveCell], cell: GridCell) -> CellState:
        live = live_cells.get(cell)
        return CellState.UNLOADED if live is None else live.state

    def _failures(
        self, request: PreloadRequest, live_cells: Mapping[GridCell, LiveCell]
    ) -> dict[str, Exception]:
        found: dict[str, Exception] = {}
        for cell in request.cells or ():
            live = live_cells.get(cell)
            if live is not None and live.error is not None:
                found[live.label] = live.error
        return found

    def _failure(
        self, request: PreloadRequest, live_cells: Mapping[GridCell, LiveCell]
    ) -> PreloadError:
        failures = self._failures(request, live_cells)
        name, error = next(iter(failures.items()))
        rest = f", and {len(failures) - 1} more" if len(failures) > 1 else ""
        found = PreloadError(f"{name} cannot be loaded: {shown_error(error)}{rest}", failures)
        found.__cause__ = error
        return found

    def _end(self, request: PreloadRequest, error: PreloadError | None) -> None:
        self._forget(request)
        if error is None and request.lease_s > 0:
            until = self._clock() + request.lease_s
            for cell in request.cells or ():
                self._until[cell] = max(until, self._until.get(cell, until))
        request.end(error)

    def close(self) -> None:
        """Nobody arrives any more."""
        for one in list(self._waiting):
            self._end(one, PreloadError("the world was closed"))


def box_of(area: Any) -> Box:
    """The box of an area that somebody told: four numbers, or what Arcade has for rectangles.

    Raises:
        ValueError: It is none, or has no end.
        TypeError: It is something else.
    """
    sides: Sequence[float]
    try:
        sides = (area.left, area.bottom, area.right, area.top)
    except AttributeError:
        sides = area
    try:
        left, bottom, right, top = (float(one) for one in sides)
    except (TypeError, ValueError):
        raise TypeError(
            f"an area is (left, bottom, right, top) in pixels, or an arcade.Rect, not {area!r}"
        ) from None
    if not all(map(math.isfinite, (left, bottom, right, top))):
        raise ValueError(f"an area has finite sides, not {area!r}")
    if left > right or bottom > top:
        raise ValueError(f"an area is (left, bottom, right, top), in that order: {area!r}")
    return (left, bottom, right, top)


def _box_of_cells(grid: Grid, place: Box | tuple[float, float]) -> Box:
    """An area; of a single place, the middles of the cells around it."""
    if len(place) == 4:
        return place
    left, bottom, right, top = grid.box(grid.cell_at(*place))
    half = grid.cell_size / 2
    return (left - half, bottom - half, right + half, top + half)
