"""Whom a world is streamed for: players, cameras, points of interest."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..cells.grid import Box, box_distance
from ..settings import StreamingSettings, unload_distance_for
from .motion import LoadCircle, Motion

__all__ = ["Sources", "StreamingSource", "checked_position"]

_log = logging.getLogger("arcade_prefabs")


class StreamingSource:
    """Somebody around whom a world is there: `StreamingManager.add_source` makes it.

    Attributes:
        name: For the overlay.
        weight: Its share of loading, where several want cells.

    Main thread.
    """

    def __init__(
        self,
        sources: Sources,
        name: str,
        weight: float,
        load_distance: float | None,
        unload_distance: float | None,
    ) -> None:
        self.name = name
        self.weight = weight
        self.served = 0.0  # cells that were begun for it, divided by its weight
        self.starved = False  # whether it had cells waiting when last looked at
        self.aim = LoadCircle(0.0, 0.0, 0.0, None)
        self.planned_at = (0.0, 0.0)
        self.ratio = 1.0  # how much of its load distance is there
        self.motion = Motion(sources.clock)
        self._told = False
        self._sources = sources
        self._load = load_distance
        self._unload = unload_distance

    def __repr__(self) -> str:
        return f"<StreamingSource {self.name!r} at {self.position}>"

    @property
    def position(self) -> tuple[float, float]:
        """Where it was last, in pixels."""
        return (self.motion.x, self.motion.y)

    @property
    def velocity(self) -> tuple[float, float]:
        """Pixels a second, smoothed."""
        return (self.motion.vx, self.motion.vy)

    @property
    def load_distance(self) -> float:
        """Pixels around it within which cells are there, its way aside."""
        return self._load if self._load is not None else self._sources.load_distance

    @property
    def unload_distance(self) -> float:
        """Pixels from it beyond which they go."""
        if self._unload is not None:
            return self._unload
        if self._load is not None:
            return unload_distance_for(self._load, self._sources.cell_size)
        return self._sources.unload_distance

    def update(self, position: Sequence[float]) -> None:
        """It is there now; to be called in every frame.

        A position that is NaN, infinite or farther than 1e9 pixels is logged once, and the source
        stays where it was: one wrong frame of a physics engine does not end the game.

        Raises:
            ValueError, TypeError: That is no pair of numbers.
        """
        x, y = _pair(position)
        if _is_place(x, y):
            self.motion.move(x, y)
        elif not self._told:
            self._told = True
            _log.warning(
                "the streaming source %r was told the position (%g, %g), which is no place: it "
                "stays at (%g, %g); this is logged once. Look for a velocity or a delta_time that "
                "is NaN or infinite",
                self.name,
                x,
                y,
                *self.position,
            )

    def jump(self, position: Sequence[float]) -> None:
        """It is there now, and did not go there: where it will go is not known."""
        self.motion.jump(*checked_position(position))

    def remove(self) -> None:
        """Stream nothing for it any more. Twice is fine."""
        self._sources.remove(self)

    def sees(self, reach: Box) -> bool:
        """Whether a cell is near enough to be there."""
        aim = self.aim
        return box_distance(aim.x, aim.y, reach) <= aim.radius

    def keeps(self, reach: Box) -> bool:
        """Whether a cell is near enough to stay."""
        motion = self.motion
        return box_distance(motion.x, motion.y, reach) <= self.unload_distance


class Sources:
    """All sources of a world.

    Args:
        settings: Their distances, unless they have their own.
        cell_size: Pixels of a cell.
        clock: Seconds.

    Main thread.
    """

    def __init__(
        self, settings: StreamingSettings, cell_size: float, clock: Callable[[], float]
    ) -> None:
        self.clock = clock
        self.cell_size = cell_size
        self.changed = True
        self._settings = settings
        self._list: list[StreamingSource] = []
        self._view = 0.0
        self._load: float | None = settings.load_distance
        self._unload: float | None = settings.unload_distance

    def __iter__(self) -> Iterator[StreamingSource]:
        return iter(self._list)

    def __len__(self) -> int:
        return len(self._list)

    # ---------------------------------------------------------------------------------- distances

    @property
    def load_distance(self) -> float:
        """See `StreamingSettings`, in pixels."""
        if self._load is not None:
            return self._load
        if self._unload is not None:
            return min(self._view, self._unload * 0.8)
        return self._view

    @property
    def unload_distance(self) -> float:
        """See `StreamingSettings`, in pixels."""
        load = self.load_distance
        usual = unload_distance_for(load, self.cell_size)
        return usual if self._unload is None else self._unload

    def set_distances(self, load: float | None, unload: float | None) -> None:
        """Change them while the game runs; None for what belongs to the view.

        Raises:
            ValueError: The second is not larger than the first, or one is none.
        """
        StreamingSettings(load_distance=load, unload_distance=unload)
        self._load, self._unload = load, unload
        self.changed = True

    def see(self, half_diagonal: float) -> None:
        """What the window shows, in pixels of the world from its middle to its corner."""
        # A camera that zooms slowly would have everything planned anew in every frame.
        if not 0.95 * self._view <= half_diagonal <= self._view:
            self._view = half_diagonal
            self.changed = True

    # ------------------------------------------------------------------------------------ members

    def add(
        self,
        position: Sequence[float] | None,
        *,
        name: str,
        weight: float,
        load_distance: float | None,
        unload_distance: float | None,
    ) -> StreamingSource:
        """See `StreamingManager.add_source`."""
        StreamingSettings(load_distance=load_distance, unload_distance=unload_distance)
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise TypeError(f"a weight is a number, not {weight!r}")
        if not (weight > 0 and math.isfinite(weight)):
            raise ValueError(f"a weight must be above 0 and finite, not {weight}")
        source = StreamingSource(self, name, weight, load_distance, unload_distance)
        if position is not None:
            source.jump(position)
        self._list.append(source)
        self.changed = True
        return source

    def remove(self, source: StreamingSource) -> None:
        """Let one go; it may be gone already."""
        if source in self._list:
            self._list.remove(source)
            self.changed = True

    def at(self, number: int) -> StreamingSource:
        """The one of that number."""
        return self._list[number]

    @property
    def known(self) -> list[StreamingSource]:
        """Those that were told a position."""
        return [one for one in self._list if one.motion.known]

    # ----------------------------------------------------------------------------------- fairness

    def next_served(self, wanting: Iterable[int]) -> int:
        """Whose turn it is, of those with cells that wait; by number, -1 for nobody's.

        Each has begun as many cells as its weight says; one that wanted none has no claim to what
        it did not want.
        """
        numbers = sorted(set(wanting))
        if numbers and numbers[0] < 0:
            return -1  # somebody waits for those
        waiting = [self._list[number] for number in numbers]
        fed = [one.served for one in waiting if one.starved]
        floor = min(fed) if fed else max((one.served for one in self._list), default=0.0)
        for one in self._list:
            one.starved = one in waiting and one.starved
        for one in waiting:
            if not one.starved:
                one.starved = True
                one.served = max(one.served, floor)
        return min(numbers, key=lambda number: (self._list[number].served, number))

    def serve(self, number: int) -> None:
        """A cell is begun for a source."""
        if number >= 0:
            one = self._list[number]
            one.served += 1 / one.weight


def checked_position(position: Sequence[float]) -> tuple[float, float]:
    """A place that somebody told.

    Raises:
        ValueError: It is infinite, no number, or not two of them.
        TypeError: It is made of something else.
    """
    x, y = _pair(position)
    if not _is_place(x, y):
        raise ValueError(f"a position is finite and within {_FARTHEST:,.0f} pixels: {position!r}")
    return x, y


def _pair(position: Sequence[float]) -> tuple[float, float]:
    """The two numbers of a position, whatever they are."""
    try:
        x, y = position
        for number in (x, y):
            math.isfinite(number)  # refuses strings, which `float` would read
        return float(x), float(y)
    except TypeError:
        raise TypeError(f"a position is (x, y) in pixels, not {position!r}") from None
    except (ValueError, OverflowError):
        raise ValueError(f"a position is (x, y) in pixels, not {position!r}") from None


def _is_place(x: float, y: float) -> bool:
    return abs(x) <= _FARTHEST and abs(y) <= _FARTHEST


# Farther out a float has no room left for parts of a pixel that matter.
_FARTHEST = 1e9
