"""`PreloadRequest`: a request to load an area, which then stays loaded for the time of a lease."""

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

# Cells of an area at most. A larger area is taken for a mistake.
_MOST: Final = 10_000


class PreloadRequest:
    """A request to load an area; ``await`` it, or give it a callback.

    Attributes:
        place: The area: left, bottom, right and top in pixels; or a position, which stands for the
            3 × 3 cells around it.
        cancelled: Whether `cancel` was called before the request was done.
        error: A `PreloadError` if the area cannot be loaded in time, or the request was cancelled;
            None otherwise.
        total: Number of cells of the area; 0 until the world is open.
        arrived: How many of these are active.

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
        """Whether the request has ended: the area is loaded, or it failed or was cancelled."""
        return self._completion.done

    @property
    def progress(self) -> float:
        """The part of the area's cells that is active, 0 to 1."""
        if self.done and self.error is None:
            return 1.0
        return self.arrived / self.total if self.total else 0.0

    def cancel(self) -> bool:
        """Cancels the request; its callbacks are not called. Returns False if it was done."""
        if self.done:
            return False
        self.cancelled = True
        self._forget(self)
        self.end(PreloadError("the request was cancelled"))
        return True

    def add_done_callback(self, callback: Callable[[PreloadRequest], object]) -> None:
        """Calls a function with this request once it is done or has failed.

        The function is called on the main thread: at once, if the request is done already; never,
        if it is cancelled.
        """
        self._completion.listen(partial(self._call, callback))

    def _call(self, callback: Callable[[PreloadRequest], object]) -> None:
        if not self.cancelled:
            callback(self)

    def result(self) -> None:
        """Returns None if the area is loaded, and raises an error otherwise.

        Raises:
            PreloadError: The area cannot be loaded, or the request was cancelled or is not done.
            PreloadTimeoutError: The time-out has passed.
        """
        if self.error is not None:
            raise self.error
        if not self.done:
            raise PreloadError("the area is not loaded yet: await the request, or ask `done` first")

    def __await__(self) -> Generator[Any, Any, None]:
        """Waits until the area is loaded; in a script of the plugin, or in asyncio.

        Raises:
            PreloadError: As `result` does.
        """
        yield from self._completion.wait()
        self.result()

    def end(self, error: PreloadError | None) -> None:
        """Ends the request, with an error or without one, and calls its callbacks."""
        self.error = error
        if error is None:
            self._before()
        self._completion.finish()


class PreloadRequests:
    """All preload requests of a world, and the leases that keep areas loaded after them.

    Args:
        settings: The world's settings.
        clock: Returns seconds.

    Attributes:
        changed: Whether a request has begun or ended since the last call of `leases`.

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
        """Adds a preload request.

        Args:
            place: The area, or a position.
            timeout_s: Seconds after which the request fails; None for never.
            lease_s: Seconds that the area stays loaded after the request is done.
            before: Called just before a successful request ends.
            on_done: Called with the request once it is done.

        Raises:
            ValueError: A time is negative, infinite or NaN.
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
        """Returns the cells of waiting requests and leases; drops leases that have run out."""
        self.changed = False
        self._until = {cell: until for cell, until in self._until.items() if until > now}
        found = {cell: None for request in self._waiting for cell in request.cells or ()}
        return {**found, **dict.fromkeys(self._until)}

    @property
    def next_end(self) -> float | None:
        """When the next lease ends, in seconds of the clock."""
        return min(self._until.values(), default=None)

    def locate(self, grid: Grid, cells: KnownCells) -> None:
        """Finds the cells of new requests; ends those whose area has more than 10,000 cells."""
        for request in list(self._waiting):
            if request.cells is None:
                box = _box_of_cells(grid, request.place)
                wide = (box[2] - box[0]) / grid.cell_size + 1
                high = (box[3] - box[1]) / grid.cell_size + 1
                if wide * high > _MOST:
                    many = f"an area of {wide * high:,.0f} cells: {_MOST:,} at most"
                    self._end(request, PreloadError(many))
                    continue
                request.cells = tuple(grid.touching(cells, box))
                request.total = len(request.cells)

    def look(self, live_cells: Mapping[GridCell, LiveCell]) -> None:
        """Counts each request's active cells; ends requests that are done or timed out."""
        now = self._clock()
        for request in list(self._waiting):
            if request.cells is None:
                if now >= request.due:
                    self._end(request, PreloadTimeoutError("the world is not open, or frozen"))
                continue
            states = [self._state(live_cells, cell) for cell in request.cells]
            request.arrived = states.count(CellState.ACTIVE)
            failed = states.count(CellState.FAILED)
            if request.arrived + failed == request.total:
                self._end(request, self._failure(request, live_cells) if failed else None)
            elif now >= request.due:
                missing = [
                    f"{cell.label} is {state.value}"
                    for cell, state in zip(request.cells, states, strict=True)
                    if state is not CellState.ACTIVE
                ]
                shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
                message = f"{request.arrived} of {request.total} cells were there in time: {shown}"
                failures = {} if not failed else self._failures(request, live_cells)
                self._end(request, PreloadTimeoutError(message, failures))

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
        """Ends all requests with an error: the world was closed."""
        for request in list(self._waiting):
            self._end(request, PreloadError("the world was closed"))


def box_of(area: Any) -> Box:
    """Returns the box of an area that the game gave: four numbers, or an `arcade.Rect`.

    Raises:
        ValueError: A side is infinite or NaN, or the sides are in another order.
        TypeError: `area` is something else.
    """
    sides: Sequence[float]
    try:
        sides = (area.left, area.bottom, area.right, area.top)
    except AttributeError:
        sides = area
    try:
        left, bottom, right, top = (float(side) for side in sides)
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
    """Returns an area as it is; for a position, the box that touches the 3 × 3 cells around it."""
    if len(place) == 4:
        return place
    left, bottom, right, top = grid.box(grid.cell_at(*place))
    half = grid.cell_size / 2
    return (left - half, bottom - half, right + half, top + half)
