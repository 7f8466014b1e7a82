"""`Planner`: works out which cells are wanted, for which source, and how urgently.

**The problem.** A cell takes some 0.1 s from the demand for it until it is active. A fast player
must find it active, and a player who walks to and fro across a border must not have it loaded and
unloaded each time. All of that has to cost microseconds, in worlds of any size.

**The way taken.** Every 0.1 s while a source moves, and at once when it reverses, jumps or has
moved by half a cell, `want` computes for each source a circle around its position, shifted and
enlarged by the *lead*: the way that it covers while a cell loads, from the latency that
`LatencyMeter` has measured. The cells in the circle are wanted, each with a score by distance and
direction. Nothing here loads or unloads: `CellLifecycle` compares the wanted cells with the live
ones. A cell that is no longer wanted stays up to the unload distance (`keeps`): the gap between
both distances stops the to and fro.

**The ways rejected.** *Planning in every frame*: the result is the same for most frames, and costs
time in all. *Rings of cells around the source's cell*: a border crossing changes them abruptly, and
sources with other distances need other rings. *A fixed look-ahead in pixels*: too long for a fast
disk, too short for a slow one. *A cone ahead of the source*: whoever turns round finds nothing
loaded behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from ..cells.grid import Box, CellSet, Grid, GridCell, box_distance
from ..cells.live_cell import CellState, LiveCell
from ..settings import StreamingSettings
from .motion import score
from .streaming_sources import Sources, StreamingSource

__all__ = ["CellDemand", "LatencyMeter", "Planner"]

# Seconds between two plans, while a source moves.
_EVERY_S: Final = 0.1
# Assumed latency of cells in seconds, until one was measured.
_FIRST_S: Final = 0.15
# Weight of the newest latency in the moving average.
_EASE: Final = 0.2
# Factor on the average latency, for cells that take longer. To that _EVERY_S is added: a plan may
# be so old.
_SPARE: Final = 1.5
# A load in progress goes on though its cell is not wanted any more, up to this part of the way from
# the load distance to the unload distance: a player who turns back soon finds it finished.
_MARGIN: Final = 0.25
# The lead in load distances at most.
_FARTHEST: Final = 2.0
# Radius of a circle in cells at most: the 3,300 cells in it take milliseconds.
_MOST_CELLS: Final = 32
# States in which a cell waits for nothing more.
_THERE: Final = (CellState.ACTIVE, CellState.FAILED)
NOBODY: Final = -1


class CellDemand(NamedTuple):
    """The demand for a cell.

    Attributes:
        score: How urgent the cell is; the lowest score comes first.
        source: The index of the streaming source that wants the cell most; -1 for a preload request
            or its lease.
    """

    score: float
    source: int


class LatencyMeter:
    """Averages the seconds that cells take from the demand for them until they are active."""

    def __init__(self) -> None:
        self.seconds = _FIRST_S

    def note(self, seconds: float) -> None:
        """Adds the latency of one cell to the moving average."""
        self.seconds += (seconds - self.seconds) * _EASE


class Planner:
    """Works out which cells are wanted around the streaming sources.

    Args:
        grid: The world's grid.
        cells: The cells that have entities.
        settings: The world's settings.
        sources: The streaming sources.
        clock: Returns seconds.

    Attributes:
        latency: The latency of cells.
        due: When the next plan is due even if no source moves, in seconds of the clock; None for
            never.
        farthest: Radius of a circle at most, in pixels.
        shrunk: Whether a load distance was ever cut to `farthest`.

    Main thread.
    """

    def __init__(
        self,
        grid: Grid,
        cells: CellSet,
        settings: StreamingSettings,
        sources: Sources,
        clock: Callable[[], float],
    ) -> None:
        self.grid = grid
        self.cells = cells
        self.latency = LatencyMeter()
        self.due: float | None = None
        self._settings = settings
        self._sources = sources
        self._clock = clock
        self._last = float("-inf")
        self.farthest = grid.cell_size * _MOST_CELLS
        self.shrunk = False

    def is_time(self, now: float) -> bool:
        """Whether a new plan is due: a source has moved, or the time in `due` has come."""
        sources = self._sources
        if sources.changed or (self.due is not None and now >= self.due):
            return True
        far = self.grid.cell_size / 2
        late = now - self._last >= _EVERY_S
        for source in sources:
            motion, (x, y) = source.motion, source.planned_at
            if motion.turned:
                return True
            dx, dy = abs(motion.x - x), abs(motion.y - y)
            if dx > far or dy > far or (late and (dx or dy)):
                return True
        return False

    def want(self, now: float, leases: Iterable[GridCell]) -> dict[GridCell, CellDemand]:
        """Returns the cells that should be loaded, each with its demand.

        Args:
            now: Seconds of the clock.
            leases: Cells of preload requests and their leases, wanted wherever the sources are.
        """
        self._last = now
        self.due = None
        self._sources.changed = False
        lead_s = min(self.latency.seconds * _SPARE + _EVERY_S, self._settings.max_lead_s)
        wanted: dict[GridCell, CellDemand] = {cell: CellDemand(-1.0, NOBODY) for cell in leases}
        reach = self.grid.reach
        for number, source in enumerate(self._sources):
            motion = source.motion
            if not motion.known:
                continue
            motion.settle()
            source.planned_at = (motion.x, motion.y)
            distance = source.load_distance
            lead = lead_s
            if motion.speed * lead > _FARTHEST * distance:
                lead = _FARTHEST * distance / motion.speed
            aim = motion.aim(distance, lead)
            if aim.radius > self.farthest:
                self.shrunk = True
                aim = aim._replace(radius=self.farthest)
            source.aim = aim
            for cell in self.grid.near(self.cells, aim.x, aim.y, aim.radius):
                value = score(aim, motion.x, motion.y, reach(cell))
                known = wanted.get(cell)
                if known is None or value < known.score:
                    wanted[cell] = CellDemand(value, number)
        return wanted

    def keeps(self, live: LiveCell) -> bool:
        """Whether a cell that is not wanted is near enough to a source to stay loaded."""
        if live.state is CellState.LOADING:
            return any(self._near_aim(source, live) for source in self._sources.known)
        return any(source.keeps(live.reach) for source in self._sources.known)

    def _near_aim(self, source: StreamingSource, live: LiveCell) -> bool:
        more = (source.unload_distance - source.load_distance) * _MARGIN
        aim = source.aim
        return box_distance(aim.x, aim.y, live.reach) <= aim.radius + more

    def remind(self, when: float) -> None:
        """Makes a plan due at that time, unless an earlier one is."""
        if self.due is None or when < self.due:
            self.due = when

    def is_ahead(self, live: LiveCell) -> bool:
        """Whether the source that wants a cell has to move before it is near.

        Only the latency of such cells is measured: those around a source's first position were
        wanted too late.
        """
        if live.source < 0:
            return False
        source = self._sources.at(live.source)
        motion = source.motion
        return box_distance(motion.x, motion.y, live.reach) > source.load_distance / 2

    def measure(
        self, wanted: Mapping[GridCell, CellDemand], live_cells: Mapping[GridCell, LiveCell]
    ) -> None:
        """Updates the loaded part of each source's load distance, `StreamingSource.ratio`."""
        missing: list[Box] = []
        for cell in wanted:
            live = live_cells.get(cell)
            if live is None:
                missing.append(self.grid.reach(cell))
            elif live.state not in _THERE:
                missing.append(live.reach)
        for source in self._sources:
            source.ratio = self._ratio(source, missing) if source.motion.known else 1.0

    def _ratio(self, source: StreamingSource, missing: Iterable[Box]) -> float:
        motion, whole = source.motion, source.load_distance
        x, y = motion.x, motion.y
        nearest = min((box_distance(x, y, reach) for reach in missing), default=whole)
        return min(1.0, nearest / whole)
