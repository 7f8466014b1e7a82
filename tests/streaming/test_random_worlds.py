"""Random flights, teleports, edits, failures, saves, kills and restarts, compared with a model.

The model knows what each entity is and where it is, and nothing of cells, files or frames. Whenever
the world has come to rest, its entities have to be those of the model.
"""

from __future__ import annotations

import contextlib
import copy
import math
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from arcade_prefabs import CellState
from arcade_prefabs.prefab import ComponentRegistry
from arcade_prefabs.streaming.cells.grid import GridCell

Make = Callable[..., Any]

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
SEEDS = range(500 if NIGHTLY else 10)
SIZE = 100
EDGE = 6  # cells from the middle to the edge


@dataclass
class Thing:
    """An entity of the model."""

    prefab: str
    x: float
    y: float
    height: float = 1.0
    moved: bool = False  # by the game
    destroyed: bool = False
    told: bool = True  # by the world's file
    added: bool = False
    sleeps: bool = False


@dataclass
class Model:
    """The entities that should exist."""

    things: dict[str, Thing] = field(default_factory=dict)
    size: int = SIZE  # pixels of a cell, which the author changes now and then

    def text(self, file: dict[str, tuple[str, float, float]]) -> str:
        rows = [
            f'(prefab: "{prefab}", id: "{name}", at: ({x}, {y})),'
            for name, (prefab, x, y) in file.items()
        ]
        return f"World(cell_size: {self.size}, entities: [" + "\n".join(rows) + "])"


class Game:
    """A game that does random things."""

    def __init__(self, seed: int, world_on: Make, path: Path) -> None:
        self.chance = random.Random(seed)
        self.path = path
        self.registry = ComponentRegistry()

        @self.registry.component
        @dataclass
        class Crop:
            height: float = 1.0

        self.crop = Crop
        chance = self.chance
        self.file: dict[str, tuple[str, float, float]] = {}
        for number in range(150):
            prefab = chance.choice(["tree", "crop", "crop", "rock", "ghost"])
            self.file[f"e{number}"] = (prefab, *self.place())
        self.model = Model()
        for name, (prefab, x, y) in self.file.items():
            self.model.things[name] = Thing(prefab, x, y)
        self.saved = copy.deepcopy(self.model)
        files = {
            "prefabs/crop.ron": 'Prefab(components: [Sprite(texture: "images/tree.png"), Crop()])'
        }
        self.world_on = world_on
        self.one = world_on(
            self.model.text(self.file),
            files,
            options={"registry": self.registry},
            save=path,
            **self.settings(),
        )
        self.one.put(0, 0)
        self.log: list[str] = []

    def settings(self) -> dict[str, Any]:
        chance = self.chance
        return {
            "load_distance": chance.choice([80.0, 150.0, 260.0]),
            "residency_s": chance.choice([0.0, 0.5]),
            "max_in_flight": chance.choice([1, 4]),
        }

    def place(self) -> tuple[float, float]:
        edge = EDGE * SIZE - 1
        return (
            round(self.chance.uniform(-edge, edge), 1),
            round(self.chance.uniform(-edge, edge), 1),
        )

    # -------------------------------------------------------------------------------------- moves

    def play(self, turns: int) -> None:
        moves = [
            self.fly, self.fly, self.fly, self.jump, self.teleport, self.preload, self.destroy,
            self.move, self.move, self.change, self.add, self.save, self.reopen, self.edit,
            self.second, self.stall, self.check, self.check,
        ]  # fmt: skip
        for _ in range(turns):
            move = self.chance.choice(moves)
            self.log.append(move.__name__)
            move()
            self.sound()
        self.check()

    def fly(self) -> None:
        angle, speed = self.chance.uniform(0, 6.28), self.chance.choice([60, 300, 1500])
        for _ in range(self.chance.randrange(5, 40)):
            self.one.x = max(-700.0, min(700.0, self.one.x + math.cos(angle) * speed / 60))
            self.one.y = max(-700.0, min(700.0, self.one.y + math.sin(angle) * speed / 60))
            self.one.units = self.chance.choice([None, 1, 3])
            self.one.frame()
        self.one.units = None

    def jump(self) -> None:
        self.one.put(*self.place())
        self.one.frame(self.chance.randrange(5))

    def teleport(self) -> None:
        if self.one.world.is_open:
            place = self.place()
            request = self.one.world.teleport(place)
            self.one.frame(self.chance.randrange(40))
            if not request.cancel() and request.error is None:
                self.one.x, self.one.y = place

    def preload(self) -> None:
        x, y = self.place()
        self.one.world.preload((x, y, x + 150, y + 150), lease_s=self.chance.uniform(0, 2))
        self.one.frame(self.chance.randrange(10))

    def alive(self) -> list[tuple[str, Any]]:
        found = [(self.one.world.id_of(each), each) for each in self.one.world.entities()]
        return sorted(found, key=lambda pair: pair[0])

    def destroy(self) -> None:
        for name, entity in self.chance.sample(self.alive(), min(2, len(self.alive()))):
            entity.despawn()
            self.model.things[name].destroyed = True

    def move(self) -> None:
        for name, entity in self.chance.sample(self.alive(), min(4, len(self.alive()))):
            x, y = entity.position
            far = self.chance.choice([20, 120, 400])
            x = round(x + self.chance.uniform(-far, far), 2)
            y = round(y + self.chance.uniform(-far, far), 2)
            entity.position = (x, y)
            thing = self.model.things[name]
            thing.x, thing.y, thing.moved = x, y, True
        self.one.frame(self.chance.randrange(3))

    def change(self) -> None:
        for name, entity in self.alive():
            if self.model.things[name].prefab == "crop" and self.chance.random() < 0.3:
                height = round(self.chance.uniform(0, 9), 2)
                entity[self.crop].height = height
                self.model.things[name].height = height

    def add(self) -> None:
        if self.one.world.is_open:
            prefab, (x, y) = self.chance.choice(["tree", "crop"]), self.place()
            name = self.one.world.add(prefab, (x, y))
            assert name not in self.model.things or self.model.things[name].destroyed
            self.model.things[name] = Thing(prefab, x, y, added=True, moved=True)
            self.one.frame(self.chance.randrange(3))

    def save(self) -> None:
        if self.one.world.is_open:
            request = self.one.world.save(at_once=True)
            self.saved = copy.deepcopy(self.model)
            self.one.until(lambda: request.done)
            assert request.error is None

    def reopen(self) -> None:
        was_open = self.one.world.is_open
        keep = self.chance.random() < 0.6
        size = self.chance.choice([SIZE, SIZE, 64, 150])
        killed = None if keep else self.killed()
        request = self.one.world.close(save=keep)
        if killed is not None:
            self.path = killed
        if keep and was_open:
            assert request.error is None
            self.saved = copy.deepcopy(self.model)
        else:
            told = self.model.things
            self.model = copy.deepcopy(self.saved)
            for name, (prefab, x, y) in self.file.items():  # its file may have been edited
                thing = self.model.things.setdefault(name, Thing(prefab, x, y))
                if not thing.moved:
                    thing.x, thing.y = x, y
            for name, thing in self.model.things.items():
                if not thing.added:
                    thing.told = told[name].told if name in told else name in self.file
        self.model.size = size
        self.one.on.edit({"worlds/test.ron": self.model.text(self.file)})
        x, y = self.one.x, self.one.y
        self.one = type(self.one)(
            self.one.on, "worlds/test.ron", save=self.path, recover=False, **self.settings()
        )
        self.one.put(x, y)
        self.one.until(lambda: self.one.world.is_open)
        assert self.one.world._open.parts.grid.cell_size == size

    def killed(self) -> Path | None:
        """Returns the files of the save as a kill would leave them now; None half of the time."""
        if self.chance.random() < 0.5:
            return None
        path = self.path.with_name(f"{len(self.log)}.sqlite")
        for ending in ("", ".unsaved", ".unsaved-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{self.path}{ending}", f"{path}{ending}")
        return path

    def edit(self) -> None:
        """Edits the world file: moves, removes and adds entities that the game has not moved."""
        chance, things = self.chance, self.model.things
        free = [name for name in self.file if not things[name].moved]
        for name in chance.sample(free, min(6, len(free))):
            prefab, x, y = self.file[name]
            thing = things[name]
            if chance.random() < 0.4 and not thing.destroyed and thing.height == 1.0:
                del self.file[name]
                thing.told = False
            else:
                x, y = self.place()
                self.file[name] = (prefab, x, y)
                thing.x, thing.y = x, y
        for _ in range(3):
            name = f"n{chance.randrange(10**6)}"
            self.file[name] = ("tree", *self.place())
            things[name] = Thing(*self.file[name])
        self.one.on.edit({"worlds/test.ron": self.model.text(self.file)})
        self.one.frame(chance.randrange(30))

    def second(self) -> None:
        if len(self.one.world.sources) < 3:
            self.one.world.add_source(self.place())
        else:
            self.one.world.sources[-1].remove()

    def stall(self) -> None:
        self.one.units = 0
        self.one.frame(self.chance.randrange(60))
        self.one.units = None

    # ------------------------------------------------------------------------------------- checks

    def sound(self) -> None:
        """Asserts what has to hold in every frame."""
        self.one.names()  # nobody twice
        for name, entity in self.alive():
            thing = self.model.things[name]
            assert not thing.destroyed, (name, self.log)
            assert entity.position == (thing.x, thing.y) or not thing.moved, (name, self.log)
        lifecycle = self.one.world._open.lifecycle if self.one.world.is_open else None
        if lifecycle is not None:
            assert sum(lifecycle.counts.values()) == len(self.one.world.live_cells)
            assert min(lifecycle.counts.values(), default=0) >= 0

    def check(self) -> None:
        """Asserts what has to hold once the world has come to rest."""
        self.one.frame(12)
        self.one.settle()
        self.one.frame(100)
        self.one.settle()
        active = {cell for cell, live in self.one.world.live_cells.items() if live.active}
        expected = {}
        for name, thing in self.model.things.items():
            cell = GridCell(*(math.floor(side / self.model.size) for side in (thing.x, thing.y)))
            if thing.told and not thing.destroyed and thing.prefab != "ghost" and cell in active:
                height = thing.height if thing.prefab == "crop" else None
                expected[name] = (thing.x, thing.y, height)
        found = {}
        for name, entity in self.alive():
            crop = entity.get(self.crop)
            x, y = entity.position
            found[name] = (x, y, None if crop is None else crop.height)
        assert found == expected, self.log
        for source in self.one.world.sources:
            live = self.one.world.live_cells.get(
                GridCell(*(math.floor(side / self.model.size) for side in source.position))
            )
            assert live is None or live.state is CellState.ACTIVE
        sprites = {
            sprite
            for live in self.one.world.live_cells.values()
            for lists in live.lists.all()
            for sprite in lists
        }
        failed = len(self.one.world._open.parts.population.failures)
        assert len(sprites) == len(found) + failed


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_random_worlds(seed: int, world_on: Make, tmp_path: Path) -> None:
    """Whatever happens, everything is where it should be, once."""
    game = Game(seed, world_on, tmp_path / "slot.sqlite")
    try:
        game.one.settle()
        game.play(25)
    finally:
        game.one.close()
