"""Processes that are killed while they save, at every step, leave a whole save."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from forks import Forks

from arcade_prefabs.streaming.saves.entity_diff import EntityDiff
from arcade_prefabs.streaming.saves.save_file import SavedEntity, SaveFile

WORLD = "worlds/test.ron"

# Writes and saves what `turn` says, and notes on the side what has returned. Killed at a step.
CODE = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {folders!r}
from test_save_crashes import WORLD, turn
from arcade_prefabs.streaming.saves.save_file import SaveFile

def child(path, notes, last):
    steps = 0
    def step(name):
        nonlocal steps
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)

    file = SaveFile(Path(path), WORLD, on_step=step)
    with open(notes, "w") as noted:
        for number in range(8):
            rows, left, save = turn(number)
            (file.save if save else file.write)(rows, left, {{"time": float(number)}})
            noted.write(f"{{number}}\\n")
            noted.flush()
        noted.write(str(steps))
"""


def turn(number: int) -> tuple[list[SavedEntity], dict[str, float], bool]:
    """Returns what is written in a turn: entities move between cells, are destroyed, change."""
    chance = random.Random(number)
    rows = []
    for name in range(12):
        if chance.random() < 0.5:
            home, cell = f"c{name % 3}_0", chance.choice([f"c{name % 3}_0", "c7_7", None])
            diff = None if cell is None else EntityDiff((float(number), 0.0, 0.0, 1.0, 1.0))
            rows.append(SavedEntity(f"e{name}", home, cell, float(number), diff))
    return rows, {"c0_0": float(number)}, number % 3 == 2


def state_after(turns: int, *, saved_only: bool = False) -> dict[str, SavedEntity]:
    """Returns what should be saved after so many turns, computed without a file."""
    if saved_only:
        turns = max((n + 1 for n in range(turns) if n % 3 == 2), default=0)
    found: dict[str, SavedEntity] = {}
    for number in range(turns):
        found.update({row.id: row for row in turn(number)[0]})
    return found


def read(path: Path, *, recover: bool) -> dict[str, SavedEntity]:
    """Returns everything that a save has, cell by cell; no entity may be in two cells."""
    file = SaveFile(path, WORLD, recover=recover)
    try:
        found: dict[str, SavedEntity] = {}
        for label in ("c0_0", "c1_0", "c2_0", "c7_7"):
            for row in file.cell(label).rows:
                assert found.setdefault(row.id, row) == row
        return found
    finally:
        file.close(discard=not recover)


def test_killed_at_every_step_of_saving(tmp_path: Path) -> None:
    """What a call has returned from is there; what was under way is there whole, or not at all."""
    here = Path(__file__).parent
    with Forks(CODE.format(folders=[str(here), str(here.parent / "shared")])) as forks:
        assert forks.run(tmp_path / "whole.sqlite", tmp_path / "notes", 0) == 0
        steps = int((tmp_path / "notes").read_text().split()[-1])
        assert steps > 30
        assert read(tmp_path / "whole.sqlite", recover=True) == state_after(8)
        for last in range(1, steps + 1, 1 if "CI" in os.environ else 2):
            path, notes = tmp_path / f"{last}.sqlite", tmp_path / f"{last}.notes"
            assert forks.run(path, notes, last) == -signal.SIGKILL
            done = len(notes.read_text().split()) if notes.exists() else 0
            found = read(path, recover=True)
            assert found in (state_after(done), state_after(done + 1)), last
            kept = read(path, recover=False)
            assert kept in (
                state_after(done, saved_only=True),
                state_after(done + 1, saved_only=True),
            ), last


GAME = """
import os, signal, sys, random, time
os.environ["ARCADE_HEADLESS"] = "True"
from pathlib import Path
sys.path.insert(0, {shared!r}); sys.path.insert(0, {folder!r})
import arcade, arcade_prefabs
from arcade_prefabs.pipeline import AssetPipeline, MemorySource
from arcade_prefabs.spawning import texture_processor
from conftest import PREFABS, world_text

seed, path = int(sys.argv[1]), sys.argv[2]
chance = random.Random(seed)
window = arcade.Window(200, 150, "crash")
text = world_text(range(-6, 6), range(-6, 6), 4)
pipeline = AssetPipeline(MemorySource({{**PREFABS, "worlds/w.ron": text}}),
                         processors=[texture_processor()], jobs=0)
pipeline.bake()
prefabs = arcade_prefabs.attach(window, pipeline, enabled=False)
world = prefabs.open_world("worlds/w.ron", save=path, load_distance=150.0, residency_s=0.0)
end = time.monotonic() + chance.uniform(0.3, 1.2)
x = y = 0.0
saves = []
# A machine with much to do has played no frame by then.
while time.monotonic() < end or not any(one.done and one.entities for one in saves):
    x += chance.uniform(-30, 60); y += chance.uniform(-30, 30)
    if abs(x) > 550: x = -x
    world.player.jump((x, max(-550, min(550, y))))
    prefabs.update(1 / 60)
    for entity in list(world.entities())[:20]:
        if chance.random() < 0.2:
            ex, ey = entity.position
            entity.position = (ex + chance.uniform(-120, 120), ey + chance.uniform(-120, 120))
        elif chance.random() < 0.02:
            entity.despawn()
    if chance.random() < 0.1 and world.is_open:
        saves.append(world.save())
    time.sleep(0.002)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    "seed", [1, 2, pytest.param(range(3, 40), marks=pytest.mark.slow)], ids=["1", "2", "many"]
)
def test_games_that_are_killed(tmp_path: Path, seed: int | range) -> None:
    """A real game with real threads: its save opens, and nobody is in two cells."""
    here = Path(__file__).parent
    script = GAME.format(folder=str(here), shared=str(here.parent / "shared"))
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    for one in (seed,) if isinstance(seed, int) else seed:
        path = tmp_path / f"{one}.sqlite"
        child = subprocess.run(
            [sys.executable, "-c", script, str(one), str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )
        assert child.returncode == -signal.SIGKILL, child.stderr
        file = SaveFile(path, "worlds/w.ron")
        with file._lock:
            db = file._open()
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            query = "SELECT cell FROM entities UNION SELECT home FROM entities"
            labels = {row[0] for row in db.execute(query)}
            count = db.execute("SELECT count(*) FROM entities").fetchone()[0]
        assert count > 0
        places: dict[str, str | None] = {}
        for label in sorted(filter(None, labels)):
            for row in file.cell(label).rows:
                assert places.setdefault(row.id, row.cell) == row.cell
                if row.cell is not None and row.cell != row.home:
                    assert row.diff is not None
                    assert row.diff.row is not None
        file.close()
