"""Streaming sources: the players, cameras and points of interest that a world is loaded around."""

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
    """A point around which cells are loaded; `StreamingManager.add_source` makes it.

    Attributes:
        name: The name that the streaming overlay shows.
        weight: Its share of loads, compared with other sources that wait for cells.

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
        self.served = 0.0  # loads that were begun for this source, divided by its weight
        self.starved = False  # whether its cells were waiting at the last `Sources.next_served`
        self.aim = LoadCircle(0.0, 0.0, 0.0, None)
        self.planned_at = (0.0, 0.0)
        self.ratio = 1.0  # the part of its load distance that is loaded
        self.motion = Motion(sources.clock)
        self._told = False
        self._sources = sources
        self._load = load_distance
        self._unload = unload_distance

    def __repr__(self) -> str:
        return f"<StreamingSource {self.name!r} at {self.position}>"

    @property
    def position(self) -> tuple[float, float]:
        """The last position that the game reported, in pixels."""
        return (self.motion.x, self.motion.y)

    @property
    def velocity(self) -> tuple[float, float]:
        """The smoothed velocity, in pixels a second."""
        return (self.motion.vx, self.motion.vy)

    @property
    def load_distance(self) -> float:
        """Pixels around the source within which cells are loaded, without the lead."""
        return self._load if self._load is not None else self._sources.load_distance

    @property
    def unload_distance(self) -> float:
        """Pixels from the source beyond which cells are unloaded."""
        if self._unload is not None:
            return self._unload
        if self._load is not None:
            return unload_distance_for(self._load, self._sources.cell_size)
        return self._sources.unload_distance

    def update(self, position: Sequence[float]) -> None:
        """Reports the source's position; the game calls this in every frame.

        A position that is NaN, infinite or farther than 1e9 pixels is logged once, and the source
        stays where it was: one wrong frame of a physics engine does not end the game.

        Raises:
            ValueError: `position` has not got two numbers.
            TypeError: `position` is no sequence of numbers.
        """
        x, y = _pair(position)
        if _is_position(x, y):
            self.motion.move(x, y)
        elif not self._told:
            self._told = True
            _log.warning(
                "the streaming source %r was given (%g, %g), which is no position in a world: it "
                "stays at (%g, %g); this is logged once. Look for a velocity or a delta_time that "
                "is NaN or infinite",
                self.name,
                x,
                y,
                *self.position,
            )

    def jump(self, position: Sequence[float]) -> None:
        """Moves the source without counting that as movement: its velocity is 0 afterwards.

        Raises:
            ValueError: A number is NaN, infinite or farther than 1e9 pixels.
            TypeError: `position` is no sequence of numbers.
        """
        self.motion.jump(*checked_position(position))

    def remove(self) -> None:
        """Removes the source from the world. A second call does nothing."""
        self._sources.remove(self)

    def sees(self, reach: Box) -> bool:
        """Whether a box (left, bottom, right, top) touches the circle where cells are loaded."""
        aim = self.aim
        return box_distance(aim.x, aim.y, reach) <= aim.radius

    def keeps(self, reach: Box) -> bool:
        """Whether a box (left, bottom, right, top) is within the unload distance."""
        motion = self.motion
        return box_distance(motion.x, motion.y, reach) <= self.unload_distance


class Sources:
    """All streaming sources of a world, their distances, and whose cell is loaded next.

    Args:
        settings: The distances of sources that have none of their own.
        cell_size: Pixels of a cell.
        clock: Returns seconds.

    Attributes:
        changed: Whether sources or distances have changed since the last plan.

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
        """The load distance of sources without their own, in pixels; the default fits the view."""
        if self._load is not None:
            return self._load
        if self._unload is not None:
            return min(self._view, self._unload * 0.8)
        return self._view

    @property
    def unload_distance(self) -> float:
        """The unload distance of sources without their own, in pixels."""
        load = self.load_distance
        usual = unload_distance_for(load, self.cell_size)
        return usual if self._unload is None else self._unload

    def set_distances(self, load: float | None, unload: float | None) -> None:
        """Changes both distances while the game runs; None for the default, which follows the view.

        Raises:
            ValueError: The unload distance is not larger, or a distance is not above 0 and finite.
        """
        StreamingSettings(load_distance=load, unload_distance=unload)
        self._load, self._unload = load, unload
        self.changed = True

    def see(self, half_diagonal: float) -> None:
        """Takes the pixels of the world from the window's middle to its corner, for the default."""
        # 5 % of tolerance: a camera that zooms out slowly must not force a plan in every frame.
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
        """Makes a streaming source, as `StreamingManager.add_source` says."""
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
        """Removes a source; does nothing if it is removed already."""
        if source in self._list:
            self._list.remove(source)
            self.changed = True

    def at(self, number: int) -> StreamingSource:
        """Returns the source with that index."""
        return self._list[number]

    @property
    def known(self) -> list[StreamingSource]:
        """The sources that have a position."""
        return [source for source in self._list if source.motion.known]

    # ----------------------------------------------------------------------------------- fairness

    def next_served(self, wanting: Iterable[int]) -> int:
        """Returns the index of the source whose cell is loaded next, so that shares follow weights.

        Args:
            wanting: Indices of sources with queued cells; -1 for preload requests, which come
                first.

        The source with the fewest loads, divided by its weight, is next. A source that had no
        queued cells for a while starts level with the others: it does not catch up.
        """
        numbers = sorted(set(wanting))
        if numbers and numbers[0] < 0:
            return -1  # cells of preload requests
        waiting = [self._list[number] for number in numbers]
        fed = [source.served for source in waiting if source.starved]
        floor = min(fed) if fed else max((source.served for source in self._list), default=0.0)
        for source in self._list:
            source.starved = source in waiting and source.starved
        for source in waiting:
            if not source.starved:
                source.starved = True
                source.served = max(source.served, floor)
        return min(numbers, key=lambda number: (self._list[number].served, number))

    def serve(self, number: int) -> None:
        """Counts a load that has begun for a source."""
        if number >= 0:
            source = self._list[number]
            source.served += 1 / source.weight


def checked_position(position: Sequence[float]) -> tuple[float, float]:
    """Returns a position that the game gave as two floats.

    Raises:
        ValueError: It is NaN, infinite, farther than 1e9 pixels, or not two numbers.
        TypeError: It is no sequence of numbers.
    """
    x, y = _pair(position)
    if not _is_position(x, y):
        raise ValueError(f"a position is finite and within {_FARTHEST:,.0f} pixels: {position!r}")
    return x, y


def _pair(position: Sequence[float]) -> tuple[float, float]:
    """Returns the two numbers of a position as floats, which may be NaN or infinite."""
    try:
        x, y = position
        for number in (x, y):
            math.isfinite(number)  # refuses strings, which `float` would read
        return float(x), float(y)
    except TypeError:
        raise TypeError(f"a position is (x, y) in pixels, not {position!r}") from None
    except (ValueError, OverflowError):
        raise ValueError(f"a position is (x, y) in pixels, not {position!r}") from None


def _is_position(x: float, y: float) -> bool:
    return abs(x) <= _FARTHEST and abs(y) <= _FARTHEST


# The limit of positions, in pixels: much farther out, floats lose the fractions of a pixel.
_FARTHEST = 1e9
