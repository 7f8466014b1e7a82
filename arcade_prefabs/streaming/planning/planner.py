"""Which cells are wanted, by whom, and how urgently."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from ..cells.grid import Box, CellSet, Grid, GridCell, box_distance
from ..cells.live_cell import CellState, LiveCell
from ..settings import StreamingSettings
from .motion import score
from .streaming_sources import Sources, StreamingSource

__all__ = ["CellDemand", "LatencyMeter", "Planner"]

# Between two plans, while somebody moves.
_EVERY_S: Final = 0.1
# What cells take to be there, before one was.
_FIRST_S: Final = 0.15
_EASE: Final = 0.2
# What cells take is an average: some take longer; and a plan may be as old as two are apart.
_SPARE: Final = 1.5
# A load that is not wanted any more goes on as long as it is this part of the way from the load
# distance to the unload distance away: whoever turns back soon finds it done.
_MARGIN: Final = 0.25
# A look ahead is at most so many load distances long.
_FARTHEST: Final = 2.0
# Cells that a circle reaches from its middle at most: the 3,300 in it take milliseconds.
_MOST_CELLS: Final = 32
# States of cells of which nothing more will come.
_THERE: Final = (CellState.ACTIVE, CellState.FAILED)
NOBODY: Final = -1


class CellDemand(NamedTuple):
    """How much a cell is wanted.

    Attributes:
        score: How urgent it is; the lowest first.
        source: The number of the source that wants it most; -1 for somebody who waits for it.
    """

    score: float
    source: int


class LatencyMeter:
    """How long cells take from the wish for them until they are there, in seconds."""

    def __init__(self) -> None:
        self.seconds = _FIRST_S

    def note(self, seconds: float) -> None:
        """A cell has come."""
        self.seconds += (seconds - self.seconds) * _EASE


class Planner:
    """Works out what should be in memory.

    Args:
        grid: The grid.
        cells: Which cells have anything in them.
        settings: See there.
        sources: Whom it is for.
        clock: Seconds.

    Attributes:
        latency: What loading takes.
        due: When there is something to plan though nobody moves, in seconds of the clock.
        farthest: Pixels that a circle may reach.
        shrunk: Whether a load distance was more cells than can be planned.

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
        """Whether it is time to plan."""
        sources = self._sources
        if sources.changed or (self.due is not None and now >= self.due):
            return True
        far = self.grid.cell_size / 2
        late = now - self._last >= _EVERY_S
        for one in sources:
            motion, (x, y) = one.motion, one.planned_at
            if motion.turned:
                return True
            dx, dy = abs(motion.x - x), abs(motion.y - y)
            if dx > far or dy > far or (late and (dx or dy)):
                return True
        return False

    def want(self, now: float, leases: Iterable[GridCell]) -> dict[GridCell, CellDemand]:
        """The cells that should be there, and how urgent each is.

        Args:
            now: Seconds of the clock.
            leases: Cells that somebody waits for, or has waited for.
        """
        self._last = now
        self.due = None
        self._sources.changed = False
        lead_s = min(self.latency.seconds * _SPARE + _EVERY_S, self._settings.max_lead_s)
        wanted: dict[GridCell, CellDemand] = {cell: CellDemand(-1.0, NOBODY) for cell in leases}
        reach = self.grid.reach
        for number, one in enumerate(self._sources):
            motion = one.motion
            if not motion.known:
                continue
            motion.settle()
            one.planned_at = (motion.x, motion.y)
            distance = one.load_distance
            lead = lead_s
            if motion.speed * lead > _FARTHEST * distance:
                lead = _FARTHEST * distance / motion.speed
            aim = motion.aim(distance, lead)
            if aim.radius > self.farthest:
                self.shrunk = True
                aim = aim._replace(radius=self.farthest)
            one.aim = aim
            for cell in self.grid.near(self.cells, aim.x, aim.y, aim.radius):
                value = score(aim, motion.x, motion.y, reach(cell))
                known = wanted.get(cell)
                if known is None or value < known.score:
                    wanted[cell] = CellDemand(value, number)
        return wanted

    def keeps(self, live: LiveCell) -> bool:
        """Whether a cell that is not wanted is near enough to stay as it is."""
        if live.state is CellState.LOADING:
            return any(self._near_aim(one, live) for one in self._sources.known)
        return any(one.keeps(live.reach) for one in self._sources.known)

    def _near_aim(self, source: StreamingSource, live: LiveCell) -> bool:
        more = (source.unload_distance - source.load_distance) * _MARGIN
        aim = source.aim
        return box_distance(aim.x, aim.y, live.reach) <= aim.radius + more

    def remind(self, when: float) -> None:
        """There will be something to plan at that time."""
        if self.due is None or when < self.due:
            self.due = when

    def is_ahead(self, live: LiveCell) -> bool:
        """Whether a cell is wanted because of where somebody goes, and not where it began."""
        if live.source < 0:
            return False
        one = self._sources.at(live.source)
        motion = one.motion
        return box_distance(motion.x, motion.y, live.reach) > one.load_distance / 2

    def measure(
        self, wanted: Mapping[GridCell, CellDemand], live_cells: Mapping[GridCell, LiveCell]
    ) -> None:
        """See how much of each source's load distance is there."""
        missing: list[Box] = []
        for cell in wanted:
            live = live_cells.get(cell)
            if live is None:
                missing.append(self.grid.reach(cell))
            elif live.state not in _THERE:
                missing.append(live.reach)
        for one in self._sources:
            one.ratio = self._ratio(one, missing) if one.motion.known else 1.0

    def _ratio(self, source: StreamingSource, missing: Iterable[Box]) -> float:
        motion, whole = source.motion, source.load_distance
        x, y = motion.x, motion.y
        nearest = min((box_distance(x, y, reach) for reach in missing), default=whole)
        return min(1.0, nearest / whole)
