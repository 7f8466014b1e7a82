"""Fixtures and helpers of the streaming tests: a window, virtual time, and a world in it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from stage import FRAME_S, Stage, png, session_window, stage, window

from arcade_prefabs import CellEvent, CellState, StreamingManager
from arcade_prefabs.pipeline import GridCell
from arcade_prefabs.streaming.saves.change_journal import InlineWriter

__all__ = ["session_window", "stage", "window"]

SIZE = 100.0

PREFABS: dict[str, str | bytes] = {
    "images/tree.png": png((0, 160, 0)),
    "images/rock.png": png((120, 120, 120)),
    "prefabs/tree.ron": 'Prefab(components: [Sprite(texture: "images/tree.png")])',
    "prefabs/rock.ron": """Prefab(components: [
        Sprite(texture: "images/rock.png"),
        Collider(shape: Box(width: 20, height: 20), solid: true),
    ])""",
}


def world_text(
    columns: range,
    rows: range,
    per_cell: int = 3,
    *,
    size: float = SIZE,
    more: str = "",
    seed: int = 1,
) -> str:
    """Returns the text of a world file with so many entities in each of its cells."""
    chance = random.Random(seed)
    lines = []
    for column in columns:
        for row in rows:
            for number in range(per_cell):
                x = (column + chance.uniform(0.05, 0.95)) * size
                y = (row + chance.uniform(0.05, 0.95)) * size
                prefab = ("tree", "rock")[number % 2]
                name = f"{prefab} {column} {row} {number}"
                lines.append(f'(prefab: "{prefab}", id: "{name}", at: ({x:.1f}, {y:.1f})),')
    return f"World(cell_size: {size:g}, entities: [\n" + "\n".join(lines) + more + "\n])"


class WorldStage:
    """A world that is open in a window, with a player at a position that the test sets."""

    def __init__(self, on: Stage, world: Any, **settings: Any) -> None:
        self.on = on
        self.prefabs = on.prefabs
        settings.setdefault("load_distance", 150.0)
        writer = settings.pop("writer", None) or InlineWriter()
        self.world: StreamingManager = self.prefabs.open_world(world, **settings)
        self.world._runtime.writer = writer
        self.events: list[CellEvent] = []
        self.world.add_listener(self.events.append)
        self.x = self.y = 0.0
        self.units: int | None = None

    def put(self, x: float, y: float) -> None:
        """Moves the player without a movement."""
        self.x, self.y = x, y
        self.world.player.jump((x, y))

    def frame(self, count: int = 1) -> None:
        """Plays frames with the player at its position."""
        for _ in range(count):
            self.world.update_player_position((self.x, self.y))
            self.on.frame(units=self.units)

    def fly(
        self,
        vx: float,
        vy: float,
        seconds: float,
        each: Callable[[], object] = lambda: None,
    ) -> None:
        """Plays frames in which the player moves by so many pixels a second."""
        for _ in range(round(seconds / FRAME_S)):
            self.x += vx * FRAME_S
            self.y += vy * FRAME_S
            self.frame()
            each()

    def until(self, condition: Callable[[], object], most: int = 600) -> None:
        """Plays frames until a condition holds, at most so many."""
        for _ in range(most):
            if condition():
                return
            self.frame()
        raise AssertionError(f"no such state within {most} frames: {self.world.live_cells}")

    def settle(self) -> None:
        """Plays frames until the world is open and nothing is loading."""
        self.frame(2)
        assert self.world.error is None, self.world.error
        self.until(lambda: not self.world.busy)
        self.frame(2)

    def cells(self, state: CellState = CellState.ACTIVE) -> set[tuple[int, int]]:
        """Returns the columns and rows of the cells of level 0 in a state."""
        return {
            (cell.column, cell.row)
            for cell, live in self.world.live_cells.items()
            if live.state is state and cell.level == 0
        }

    def state(self, column: int, row: int, level: int = 0) -> CellState:
        """Returns the state of a cell."""
        live = self.world.live_cells.get(GridCell(column, row, level))
        return CellState.UNLOADED if live is None else live.state

    def names(self) -> set[str]:
        """Returns the ids of all living entities of the world; each must be unique."""
        found = [self.world.id_of(entity) for entity in self.world.entities()]
        assert len(found) == len(set(found)), "something is there twice"
        return {name for name in found if name is not None}

    def kinds(self, column: int, row: int) -> list[str]:
        """Returns the states that a cell has gone through."""
        return [event.after.value for event in self.events if event.cell == GridCell(column, row)]

    def close(self) -> None:
        """Closes the world."""
        self.world.close()


@pytest.fixture
def world_on(stage: Callable[..., Stage]) -> Iterator[Callable[..., WorldStage]]:
    """Makes worlds in windows: `world_on(text)`, or `world_on(cell_source)`; closes them."""
    made: list[WorldStage] = []

    def make(
        world: Any,
        files: Mapping[str, str | bytes] | None = None,
        on: Stage | None = None,
        options: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> WorldStage:
        content = {**PREFABS, **(files or {})}
        if isinstance(world, str):
            content["worlds/test.ron"] = world
            world = "worlds/test.ron"
        if on is None:
            on = stage(content, **(options or {}))
        made.append(WorldStage(on, world, **settings))
        return made[-1]

    yield make
    for world_stage in made:
        world_stage.close()


def around(x: float, y: float, radius: float, size: float = SIZE) -> set[tuple[int, int]]:
    """Returns the cells within a radius, computed in another way than `Grid.near` does."""
    found = set()
    reach = math.ceil(radius / size) + 1
    middle = (math.floor(x / size), math.floor(y / size))
    for column in range(middle[0] - reach, middle[0] + reach + 1):
        for row in range(middle[1] - reach, middle[1] + reach + 1):
            nearest_x = min(max(x, column * size), (column + 1) * size)
            nearest_y = min(max(y, row * size), (row + 1) * size)
            if math.hypot(nearest_x - x, nearest_y - y) <= radius:
                found.add((column, row))
    return found


@pytest.fixture
def cells_around() -> Callable[..., set[tuple[int, int]]]:
    """Gives tests the function `around`."""
    return around


@pytest.fixture
def text_of() -> Callable[..., str]:
    """Gives tests the function `world_text`."""
    return world_text
