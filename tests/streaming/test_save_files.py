"""Save files that were copied, deleted or damaged, of an older format, or of another grid."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from arcade_prefabs import SaveError
from arcade_prefabs.pipeline import GridCell, WorldEntity
from arcade_prefabs.streaming.saves import save_slot
from arcade_prefabs.streaming.saves.change_journal import ThreadWriter
from arcade_prefabs.streaming.saves.entity_diff import EntityDiff
from arcade_prefabs.streaming.saves.save_file import SavedEntity, SaveFile
from arcade_prefabs.streaming.saves.save_slot import SaveLock

Make = Callable[..., Any]
WORLD = "worlds/test.ron"


def at(x: float, y: float, **more: Any) -> EntityDiff:
    """Returns the diff of an entity that was moved to a position."""
    return EntityDiff((x, y, 0.0, 1.0, 1.0), **more)


def told(name: str, x: float, y: float) -> WorldEntity:
    """Returns an entity as the world's data has it."""
    return WorldEntity(name, "tree", x, y)


ROWS = [
    SavedEntity("moved", "c0_0", "c0_0", 5.0, at(40.0, 40.0, row=told("moved", 10.0, 10.0))),
    SavedEntity("gone", "c0_0", None, 6.0, None),
    SavedEntity("added", None, "c3_m2", 7.0, EntityDiff(row=told("added", 350.0, -150.0))),
]


def saved_game(path: Path, rows: list[SavedEntity] | None = None, size: float = 100.0) -> None:
    """Saves a game, and closes it."""
    file = SaveFile(path, WORLD)
    file.fit(size)
    file.save(ROWS if rows is None else rows, {"c0_0": 3.0}, {"time": 9.0})
    file.close()


@contextlib.contextmanager
def opened(path: Path | None, **options: Any) -> Generator[SaveFile]:
    """Opens a save, and discards its unsaved changes at the end."""
    file = SaveFile(path, WORLD, **options)
    try:
        yield file
    finally:
        file.close()


def known(path: Path, **options: Any) -> dict[str, SavedEntity]:
    """Returns all entities that a save has."""
    with opened(path, **options) as file:
        return everything(file)


def everything(file: SaveFile) -> dict[str, SavedEntity]:
    """Returns the entities of these tests that a save has."""
    rows = (file.row(name) for name in ("moved", "gone", "added", "more", *map(str, range(200))))
    return {row.id: row for row in rows if row is not None}


def by_id(rows: list[SavedEntity]) -> dict[str, SavedEntity]:
    """Returns rows by their ids."""
    return {row.id: row for row in rows}


# ----------------------------------------------------------------------------------- the one file

CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_save_files import ROWS, WORLD
from arcade_prefabs.streaming.saves.save_file import SaveFile

file = SaveFile(Path(sys.argv[1]), WORLD)
file.fit(100.0)
for number in range(int(sys.argv[2])):
    file.write([ROWS[0]._replace(left_at=float(number))], {{"c9_9": 1.0}}, {{}})
    file.save(ROWS, {{"c0_0": 3.0}}, {{"time": 9.0}})
os.kill(os.getpid(), signal.SIGKILL)
"""


def run_until_killed(code: str, *arguments: object) -> None:
    """Runs code in another process, which has to kill itself."""
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    child = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr


def killed_after_saves(path: Path, saves: int) -> None:
    """Saves so many times in another process, which is killed just after the last save."""
    script = CHILD.format(folder=str(Path(__file__).parent))
    run_until_killed(script, path, saves)


@pytest.mark.parametrize("reader", ["none", "plain", "transaction"])
def test_the_file_alone_is_the_save_of_a_killed_game(tmp_path: Path, reader: str) -> None:
    """Killed right behind a save, with a backup program reading the file meanwhile or not."""
    path, copy = tmp_path / "slot.sqlite", tmp_path / "elsewhere" / "copy.sqlite"
    copy.parent.mkdir()
    with contextlib.ExitStack() as held:
        if reader != "none":
            saved_game(path, [])
        if reader == "plain":
            held.enter_context(path.open("rb")).read(10)
        elif reader == "transaction":
            db = held.enter_context(contextlib.closing(sqlite3.connect(path)))
            db.execute("BEGIN")
            db.execute("SELECT * FROM entities").fetchall()
        killed_after_saves(path, 3)
        shutil.copyfile(path, copy)
    assert known(copy) == by_id(ROWS)
    with opened(copy) as file:
        assert file.facts()["time"] == 9.0
        assert file.recovered == 0


def test_copies_made_at_every_step_are_whole_saves(tmp_path: Path) -> None:
    """Whenever the file is copied, it is the last save or the one that is being written."""
    path = tmp_path / "slot.sqlite"
    copies: list[tuple[str, Path]] = []

    def copy(step: str) -> None:
        if path.exists():
            copies.append((step, tmp_path / f"copy{len(copies)}"))
            shutil.copyfile(path, copies[-1][1])

    saved_game(path)
    file = SaveFile(path, WORLD, on_step=copy)
    file.fit(100.0)
    moved = ROWS[0]._replace(left_at=99.0)
    file.write([moved], {"c5_5": 1.0}, {"time": 50.0})
    file.save([], {}, {})
    file.close()
    assert {"rows", "copy", "sync", "replace", "replaced", "committed"} <= {
        one for one, _ in copies
    }
    last = [step for step, _ in copies].index("replaced")
    for number, (step, made) in enumerate(copies):
        expected = by_id([*ROWS, moved]) if number >= last else by_id(ROWS)
        assert known(made) == expected, step
    assert known(path) == by_id([*ROWS, moved])
    assert [one.name for one in tmp_path.glob("slot*")] == ["slot.sqlite"]


def test_nothing_stands_there_before_the_first_save(tmp_path: Path) -> None:
    """So nobody can copy a file that opens as a new game; what happened is there after a kill."""
    path = tmp_path / "slot.sqlite"
    file = SaveFile(path, WORLD)
    file.write(ROWS, {}, {})
    assert not path.exists()
    for ending in ("", "-wal"):
        shutil.copyfile(f"{path}.unsaved{ending}", tmp_path / f"killed.unsaved{ending}")
    file.close()
    assert list(tmp_path.glob("slot*")) == []
    with opened(tmp_path / "killed") as again:
        assert again.recovered == 3
        assert everything(again) == by_id(ROWS)


def test_a_copy_put_back_after_a_kill_is_that_copy(tmp_path: Path) -> None:
    """What a killed game left behind belongs to another save: it is not mixed into this one."""
    path, copy = tmp_path / "slot.sqlite", tmp_path / "copy"
    saved_game(path, ROWS[:1])
    shutil.copyfile(path, copy)
    killed_after_saves(path, 1)
    file = SaveFile(path, WORLD)
    file.write([ROWS[0]._replace(left_at=77.0)], {}, {})
    for ending in ("", "-wal"):
        shutil.copyfile(f"{path}.unsaved{ending}", tmp_path / f"kept{ending}")
    file.close()
    for ending in ("", "-wal"):
        shutil.copyfile(tmp_path / f"kept{ending}", f"{path}.unsaved{ending}")
    with opened(path) as again:
        assert again.recovered == 1
        again.close(discard=False)
    shutil.copyfile(copy, path)
    with opened(path) as again:
        assert again.recovered == 0
        assert everything(again) == by_id(ROWS[:1])


def test_a_damaged_file_of_what_is_not_saved_costs_only_that(tmp_path: Path) -> None:
    """The save opens; the other file is put aside, and that is told."""
    path = tmp_path / "slot.sqlite"
    saved_game(path)
    Path(f"{path}.unsaved").write_bytes(b"Dear diary, " * 1000)
    with opened(path) as file:
        assert everything(file) == by_id(ROWS)
        assert "last save" in file.damaged["what was not saved"]
    assert Path(f"{path}.unsaved.damaged").exists()


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"Dear diary"])
def test_an_empty_or_cut_file_is_no_new_game(tmp_path: Path, content: bytes) -> None:
    """It may have been a save once: it stays as it is."""
    path = tmp_path / "slot.sqlite"
    path.write_bytes(content)
    with pytest.raises(SaveError, match="no saved game"):
        SaveFile(path, WORLD)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


# ------------------------------------------------------------------------- deleted and replaced


def test_a_save_that_was_deleted_is_written_anew(tmp_path: Path) -> None:
    """File, what is not saved, or the whole folder: everything is in the next save."""
    for number, what in enumerate(("file", "both", "folder")):
        path = tmp_path / str(number) / "slot.sqlite"
        path.parent.mkdir()
        saved_game(path)
        file = SaveFile(path, WORLD)
        path.unlink()
        if what == "both":
            for one in path.parent.iterdir():
                one.unlink()
        elif what == "folder":
            shutil.rmtree(path.parent)
        more = SavedEntity("more", None, "c0_0", 1.0, EntityDiff(row=told("more", 1.0, 1.0)))
        assert file.save([more], {}, {}) == 4
        assert path.exists()
        shutil.copyfile(path, tmp_path / "copy")
        assert known(tmp_path / "copy") == by_id([*ROWS, more])
        # And what happens from now on is not lost in a kill, either.
        file.write([ROWS[1]._replace(left_at=8.0)], {}, {})
        file.close(discard=False)
        with opened(path) as again:
            assert again.recovered == 1, what


@pytest.mark.parametrize("call", ["write", "close"])
def test_what_is_not_saved_is_kept_although_its_file_was_deleted(tmp_path: Path, call: str) -> None:
    """A later write notices, and so does closing a world that could not be saved."""
    path = tmp_path / "folder" / "slot.sqlite"
    saved_game(path)
    file = SaveFile(path, WORLD)
    file.write([ROWS[0]._replace(left_at=8.0)], {}, {})
    shutil.rmtree(path.parent)
    if call == "write":
        file.write([ROWS[0]._replace(left_at=9.0)], {}, {})
        assert Path(f"{path}.unsaved").exists()
    file.close(discard=False)
    assert Path(f"{path}.unsaved").exists()


@pytest.mark.parametrize("way", ["replace", "write", "folder", "before the first save"])
def test_another_file_in_its_place_is_left_alone(tmp_path: Path, way: str) -> None:
    """Saving fails with a word on that, until it was moved away."""
    path, other = tmp_path / "slot.sqlite", tmp_path / "other.sqlite"
    saved_game(other, ROWS[:1])
    if way != "before the first save":
        saved_game(path)
    file = SaveFile(path, WORLD)
    file.fit(100.0)
    if way == "write":
        path.write_bytes(other.read_bytes())
    elif way == "folder":
        path.unlink()
        path.mkdir()
    else:
        other.replace(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(SaveError, match="another file than when"):
        file.save(ROWS, {}, {})
    assert path.is_dir() if way == "folder" else path.read_bytes() == before
    path.rename(tmp_path / "away")
    assert file.save([], {}, {}) == 3
    file.close()
    assert known(path) == by_id(ROWS)


def test_the_same_save_from_a_sync_program_is_the_same(tmp_path: Path) -> None:
    """A program that downloads the very save again puts another file there; nothing is lost."""
    path, copy = tmp_path / "slot.sqlite", tmp_path / "copy"
    saved_game(path)
    with opened(path) as file:
        shutil.copyfile(path, copy)
        copy.replace(path)
        assert file.save([], {}, {}) == 3


def test_another_game_that_has_it_meanwhile_is_told(tmp_path: Path) -> None:
    """Files deleted, and opened by another one: neither writes into the other's."""
    path = tmp_path / "slot.sqlite"
    saved_game(path)
    file = SaveFile(path, WORLD)
    for one in list(tmp_path.iterdir()):
        one.unlink()
    with opened(path) as second:
        with pytest.raises(SaveError, match="another game has"):
            file.save([], {}, {})
        second.save(ROWS[:1], {}, {})
    with contextlib.suppress(SaveError):
        file.close()
    assert known(path) == by_id(ROWS[:1])


def test_a_link_to_a_save_stays_a_link(tmp_path: Path) -> None:
    """What it points to is saved; also if nothing is there yet."""
    link, path = tmp_path / "link", tmp_path / "folder" / "slot.sqlite"
    link.symlink_to(path)
    with opened(link) as file:
        file.save(ROWS, {}, {})
    assert link.is_symlink()
    assert known(path) == by_id(ROWS)
    assert known(link) == by_id(ROWS)


# ------------------------------------------------------------------------------------ other grids


def test_rows_are_found_by_place_with_cells_of_another_size(tmp_path: Path) -> None:
    """Moved, added, destroyed, hidden, always there, larger than a cell; there and back again."""
    path = tmp_path / "slot.sqlite"
    tall = at(30.0, 950.0, row=told("tall", 30.0, 30.0), size=400.0)
    rows = [
        *ROWS,
        SavedEntity("far", "c0_0", "c12_m4", 1.0, at(1250.0, -320.0, row=told("far", 90.0, 90.0))),
        SavedEntity("hidden", "c2_2", "c2_2", 1.0, EntityDiff(visible=False)),
        SavedEntity("sun", "always", "always", 1.0, at(5.0, 5.0, row=told("sun", 0.0, 0.0))),
        SavedEntity("tall", "c0_0_l2", "c0_2_l2", 1.0, tall),
    ]
    saved_game(path, rows)

    def cells(size: float) -> dict[str, tuple[str | None, str | None]]:
        file = SaveFile(path, WORLD)
        file.fit(size)
        found = {}
        for row in rows:
            again = file.row(row.id)
            assert again is not None
            assert again._replace(home=None, cell=None) == row._replace(home=None, cell=None)
            found[row.id] = (again.home, again.cell)
            if again.cell is not None:
                assert again in file.cell(again.cell).rows
            assert again in file.cell("c77_77", (row.id,)).rows
        file.save([], {}, {})
        file.close()
        return found

    assert cells(100.0) == {row.id: (row.home, row.cell) for row in rows}
    assert cells(30.0) == {
        "moved": ("c0_0", "c1_1"),
        "gone": ("?", None),
        "added": (None, "c11_m5"),
        "far": ("c3_3", "c41_m11"),
        "hidden": ("?", "?"),
        "sun": ("always", "always"),
        "tall": ("c0_0_l4", "c0_1_l4"),
    }
    assert cells(1024.0)["tall"] == ("c0_0", "c0_0")
    assert cells(1024.0)["far"] == ("c0_0", "c1_m1")
    assert cells(100.0)["far"] == ("c0_0", "c12_m4")
    assert cells(100.0)["tall"] == ("c0_0_l2", "c0_2_l2")


def test_when_a_cell_was_left_is_known_by_place(tmp_path: Path) -> None:
    """Cells of former sizes tell for those in their place, the latest first."""
    path = tmp_path / "slot.sqlite"
    saved_game(path)
    with opened(path) as file:
        file.fit(100.0)
        file.write((), {"c0_0": 3.0, "c1_0": 8.0, "c0_0_l1": 5.0, "always": 1.0}, {})
        file.fit(200.0)
        record = file.cell("c0_0")
        assert record.left_at is None
        assert record.left_when(50.0, 50.0) == 5.0
        assert record.left_when(150.0, 50.0) == 8.0
        file.write((), {"c0_0": 7.0}, {})
        assert file.cell("c0_0").left_when(50.0, 50.0) == 7.0
        assert file.cell("c0_0").left_when(150.0, 50.0) == 8.0
        assert file.cell("c5_0").left_when(1050.0, 50.0) is None
        file.fit(40.0)
        assert file.cell("c0_0").left_when(1.0, 1.0) == 7.0
        assert file.cell("c3_0").left_when(130.0, 1.0) == 8.0


def test_ids_made_from_cells_mean_nothing_in_another_grid(tmp_path: Path) -> None:
    """What code has not named is not taken for somebody else: it is told, and goes."""
    path = tmp_path / "slot.sqlite"
    nameless = SavedEntity("~c0_0 5", "c0_0", "c0_0", 1.0, EntityDiff(visible=False))
    baked = SavedEntity("~0123456789abcdef", "c0_0", "c0_0", 1.0, EntityDiff(visible=False))
    saved_game(path, [nameless, baked])
    with opened(path) as file:
        file.fit(100.0)
        assert file.row("~c0_0 5") == nameless
        file.fit(50.0)
        assert file.row("~c0_0 5") is None
        assert list(file.damaged) == ["~c0_0 5"]
        assert file.row("~0123456789abcdef") is not None


def world_of(size: int) -> str:
    """Returns a world with the same entities in cells of any size."""
    return f"""World(cell_size: {size}, layers: ["low", "high"], entities: [
        (prefab: "tree", id: "oak", at: (110, 110)),
        (prefab: "tree", id: "ash", at: (120, 110), layer: "low"),
        (prefab: "tree", id: "elm", at: (130, 110)),
        (prefab: "rock", id: "hill", at: (250, 250), size: (300, 100)),
        (prefab: "tree", id: "sun", at: (0, 0), always: true),
    ])"""


@pytest.mark.parametrize(("first", "second"), [(400, 100), (100, 400), (400, 90)])
def test_worlds_of_another_cell_size_go_on(
    world_on: Make, tmp_path: Path, first: int, second: int
) -> None:
    """Whoever was moved or added is where it was put, without its first cell being loaded."""
    path = tmp_path / "slot.sqlite"
    one = world_on(world_of(first), save=path, load_distance=60.0)
    one.put(110, 110)
    one.settle()
    one.world.entity("oak").position = (380.0, 380.0)
    one.world.entity("ash").position = (1210.0, -90.0)
    one.world.entity("elm").despawn()
    one.world.entity("hill").angle = 30
    one.world.entity("sun").position = (7.0, 7.0)
    one.world.add("rock", (820, 830), name="house", layer="high")
    one.world.add("rock", (1600, 30), name="castle", size=(350, 20))
    assert one.world.close().error is None
    one.on.edit({WORLD: world_of(second)})
    two = type(one)(one.on, WORLD, save=path, load_distance=30.0)
    places = {
        "oak": (380.0, 380.0),
        "ash": (1210.0, -90.0),
        "house": (820.0, 830.0),
        "castle": (1600.0, 30.0),
    }
    for name, place in places.items():
        two.put(*place)
        two.settle()
        assert two.world.entity(name).position == place, name
    # Its edge is seen from where its middle is far away.
    two.put(1600 + 175, 30)
    two.settle()
    assert two.world.entity("castle") is not None
    two.put(110, 110)
    two.settle()
    assert two.world.entity("elm") is None
    assert two.world.entity("hill").angle == 30
    assert two.world.entity("sun").position == (7.0, 7.0)
    assert two.world.entity("oak") is None or two.world.entity("oak").position == places["oak"]
    assert not two.world.problems
    two.close()


class Dunes:
    """A cell source with cells of any size."""

    layers = ("ground",)

    def __init__(self, size: float) -> None:
        self.cell_size = size

    def entities(self, cell: Any) -> Iterator[WorldEntity]:
        """Yields a rock every fifty pixels."""
        step = 50
        left, bottom = cell.column * self.cell_size, cell.row * self.cell_size
        for x in range(int(left // step) * step, int(left + self.cell_size), step):
            if left <= x and bottom <= 0 < bottom + self.cell_size:
                yield WorldEntity(f"rock {x}", "rock", float(x), 0.0)


def test_worlds_from_code_of_another_cell_size_go_on(world_on: Make, tmp_path: Path) -> None:
    """The same for cells that code makes."""
    path = tmp_path / "slot.sqlite"
    one = world_on(Dunes(200.0), save=path, load_distance=60.0)
    one.put(0, 0)
    one.settle()
    one.world.entity("rock 50").position = (150.0, 90.0)
    one.world.entity("rock 0").position = (1050.0, 1090.0)
    one.world.close()
    two = type(one)(one.on, Dunes(64.0), save=path, load_distance=20.0)
    two.put(150, 90)
    two.settle()
    assert two.world.entity("rock 50").position == (150.0, 90.0)
    two.put(1050, 1090)
    two.settle()
    assert two.world.entity("rock 0").position == (1050.0, 1090.0)
    two.put(50, 0)
    two.settle()
    two.frame(150)
    assert two.world.entity("rock 0") is None
    two.close()


# --------------------------------------------------------------------------------- the first format

FIRST = """
CREATE TABLE facts(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE saved(id TEXT PRIMARY KEY, home TEXT, cell TEXT, left_at REAL, data BLOB);
CREATE INDEX saved_home ON saved(home);
CREATE INDEX saved_cell ON saved(cell);
CREATE TABLE working(id TEXT PRIMARY KEY, home TEXT, cell TEXT, left_at REAL, data BLOB);
CREATE INDEX working_home ON working(home);
CREATE INDEX working_cell ON working(cell);
CREATE TABLE saved_cells(cell TEXT PRIMARY KEY, left_at REAL) WITHOUT ROWID;
CREATE TABLE working_cells(cell TEXT PRIMARY KEY, left_at REAL) WITHOUT ROWID;
"""


def first_format(
    path: Path,
    saved: list[SavedEntity],
    working: list[SavedEntity],
    *,
    world: str = WORLD,
    closed: bool = True,
    number: int = 1,
) -> None:
    """Writes a save of format 1, as the first version did, or one of a game that was killed."""
    work = path.with_name("being made")
    db = sqlite3.connect(work, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(f"PRAGMA application_id={0x41505357}")
    db.executescript(FIRST)
    for table, rows in (("saved", saved), ("working", working)):
        for row in rows:
            data = None if row.diff is None else msgspec.msgpack.encode(row.diff)
            db.execute(f"INSERT INTO {table} VALUES (?,?,?,?,?)", (*row[:4], data))
    db.execute("INSERT INTO saved_cells VALUES ('c0_0', 3.0), ('c1_0_l1', 4.0)")
    db.execute("INSERT INTO working_cells VALUES ('c0_0', 6.0)")
    facts = {"format": number, "world": world, "time": 20.0, "saved_time": 9.0, "added": 4}
    db.executemany("INSERT INTO facts VALUES (?,?)", facts.items())
    if closed:
        db.close()
        work.replace(path)
        return
    for ending in ("", "-wal"):
        shutil.copyfile(f"{work}{ending}", f"{path}{ending}")
    db.close()
    work.unlink()


OLD = [
    SavedEntity("moved", "c0_0", "c0_0", 5.0, at(40.0, 40.0)),
    SavedEntity("gone", "c0_0", None, 6.0, None),
    SavedEntity("added", None, "c3_m2", 7.0, EntityDiff(row=told("added", 350.0, -150.0))),
    SavedEntity("more", "c0_0", "c12_m4", 1.0, at(1250.0, -320.0, row=told("more", 90.0, 90.0))),
]
SINCE = [SavedEntity("moved", "c0_0", "c0_0", 8.0, at(60.0, 60.0))]


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "killed"])
@pytest.mark.parametrize("recover", [True, False])
def test_saves_of_the_first_format_open(tmp_path: Path, closed: bool, recover: bool) -> None:
    """With what a killed game did after its last save, and without."""
    path = tmp_path / "slot.sqlite"
    first_format(path, OLD, SINCE, closed=closed)
    with opened(path, recover=recover) as file:
        assert everything(file) == by_id([*OLD, *SINCE] if recover else OLD)
        file.fit(100.0)
        assert file.recovered == (1 if recover else 0)
        assert file.facts()["time"] == (20.0 if recover else 9.0)
        assert file.facts()["added"] == 4
        assert file.cell("c0_0").left_when(1.0, 1.0) == (6.0 if recover else 3.0)
        assert file.cell("c1_0_l1").left_at == 4.0
    assert [one.name for one in tmp_path.iterdir()] == ["slot.sqlite"]
    # It was upgraded: what the game forgot when it was closed is not there any more.
    assert known(path) == by_id(OLD)


@pytest.mark.parametrize("size", [100.0, 64.0, 1024.0])
def test_saves_of_the_first_format_find_everything_in_any_grid(tmp_path: Path, size: float) -> None:
    """They do not say how large cells were: that is worked out."""
    path = tmp_path / "slot.sqlite"
    castle = SavedEntity(
        "castle", None, "c2_2_l2", 1.0, EntityDiff(row=told("castle", 999.0, 999.0))
    )
    first_format(path, [*OLD, castle], [])
    with opened(path) as file:
        file.fit(size)
        for name, x, y in (("added", 350.0, -150.0), ("more", 1250.0, -320.0)):
            label = f"c{x // size:.0f}_{y // size:.0f}".replace("-", "m")
            assert [row.id for row in file.cell(label).rows if row.cell == label] == [name]
        row = file.row("castle")
        assert row is not None
        expected = {100.0: "c2_2_l2", 64.0: "c1_1_l3", 1024.0: "c0_0"}[size]
        assert row.cell == expected
        left = file.cell("c0_0").left_when(50.0, 50.0)
        assert left is not None
        for name in ("moved", "gone"):
            assert name in {row.id for row in file.cell("c9_9", (name,)).rows}


@pytest.mark.long
def test_a_kill_within_an_upgrade_loses_nothing(tmp_path: Path) -> None:
    """At each of its steps: the next one opens with everything."""
    steps: list[str] = []
    first_format(tmp_path / "whole", OLD, SINCE)
    with opened(tmp_path / "whole", on_step=steps.append):
        pass
    assert "replace" in steps
    for last in range(1, len(steps), 1 if "CI" in os.environ else 3):
        path = tmp_path / f"{last}.sqlite"
        first_format(path, OLD, SINCE, closed=False)
        code = (
            "import os, signal, sys\nfrom pathlib import Path\nn = 0\n"
            "def step(_):\n    global n\n    n += 1\n"
            "    if n == int(sys.argv[2]): os.kill(os.getpid(), signal.SIGKILL)\n"
            "from arcade_prefabs.streaming.saves.save_file import SaveFile\n"
            "SaveFile(Path(sys.argv[1]), 'worlds/test.ron', on_step=step).close()\n"
        )
        run_until_killed(code, path, last)
        file = SaveFile(path, WORLD)
        if steps[last - 1] != "begin" and last < len(steps) - 2:
            assert everything(file) == by_id([*OLD, *SINCE]), (last, steps)
        file.close()
        assert known(path) == by_id(OLD), (last, steps)


def test_a_world_of_the_first_format_and_another_cell_size(world_on: Make, tmp_path: Path) -> None:
    """Update of the game and of the plugin at once: everybody is in the right place."""
    path = tmp_path / "slot.sqlite"
    oak, ash = told("oak", 110.0, 110.0), told("ash", 120.0, 110.0)
    first_format(
        path,
        [
            SavedEntity("oak", "c0_0", "c0_0", 1.0, at(380.0, 380.0)),
            SavedEntity("ash", "c0_0", "c3_m1", 1.0, at(1210.0, -90.0, row=ash)),
            SavedEntity("elm", "c0_0", None, 1.0, None),
            SavedEntity("house", None, "c2_2", 1.0, EntityDiff(row=told("house", 820.0, 830.0))),
        ],
        [],
    )
    one = world_on(world_of(100), save=path, load_distance=30.0)
    for name, place in (("ash", (1210.0, -90.0)), ("house", (820.0, 830.0))):
        one.put(*place)
        one.settle()
        assert one.world.entity(name).position == place
    one.put(oak.x, oak.y)
    one.settle()
    assert one.world.entity("elm") is None
    one.put(380, 380)
    one.settle()
    assert one.world.entity("oak").position == (380.0, 380.0)
    one.close()


class Field(Dunes):
    """A cell source with rocks and an oak."""

    def entities(self, cell: Any) -> Iterator[WorldEntity]:
        """Yields rocks, and in one cell the oak."""
        yield from super().entities(cell)
        if cell == (110 // self.cell_size, 110 // self.cell_size, 0):
            yield WorldEntity("oak", "tree", 110.0, 110.0)


# The cell that they were saved in had 1024 pixels, or any size that the file agrees with.
MOVED = [
    SavedEntity("oak", "c0_0", "c0_0", 1.0, at(380.0, 380.0)),
    SavedEntity("elm", "c0_0", "c0_0", 1.0, EntityDiff(visible=False)),
    SavedEntity("ash", "c0_0", None, 1.0, None),
]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["baked", "code"])
@pytest.mark.parametrize("size", [40, 100, 200, 381, 5000])
def test_who_was_moved_within_a_cell_is_there_when_its_place_is(
    world_on: Make, tmp_path: Path, size: int, kind: str
) -> None:
    """A save of the first format knows the place alone: the cell that tells the rest is far."""
    path = tmp_path / "slot.sqlite"
    far = SavedEntity("far", "c0_0", "c9_9", 1.0, at(9500.0, 9500.0, row=told("far", 5.0, 5.0)))
    first_format(path, [*MOVED, far] if size % 100 else MOVED, [])
    world = world_of(size) if kind == "baked" else Field(float(size))
    on = None
    for turn in range(3):
        one = world_on(world, save=path, name=WORLD, load_distance=1.0, on=on)
        on = one.on
        one.put(380, 380)
        one.settle()
        if size < 380:
            assert GridCell(110 // size, 110 // size) not in one.world.live_cells
        assert one.world.entity("oak").position == (380.0, 380.0)
        assert len(one.names() & {"oak"}) == 1
        one.put(110, 110)
        one.settle()
        one.frame(150)
        oak = one.world.entity("oak")
        assert oak is None if size <= 100 else oak is None or oak.position == (380.0, 380.0)
        assert one.world.entity("ash") is None
        assert not one.world.problems
        one.world.close(save=turn == 1)  # it is the same without a save of the new format


class Counted(Field):
    """Records the cells that it is asked for; one cell fails so many times."""

    def __init__(self, size: float, fails: int = 0) -> None:
        super().__init__(size)
        self.asked: list[Any] = []
        self.fails = fails

    def entities(self, cell: Any) -> Iterator[WorldEntity]:
        """Yields the entities of a cell, or fails, and records the cell."""
        self.asked.append(cell)
        if cell == (2, 2, 0) and self.fails:
            self.fails -= 1
            raise OSError("not now")
        yield from super().entities(cell)


def test_who_is_looked_for_in_vain_is_told_and_not_looked_for_again(
    world_on: Make, tmp_path: Path
) -> None:
    """The world has it no more. What is saved of it stays, in case that its author wants it."""
    path = tmp_path / "slot.sqlite"
    first_format(path, [SavedEntity("pine", "c0_0", "c0_0", 1.0, at(310.0, 310.0))], [])
    code = Counted(50.0)
    one = world_on(code, save=path, name=WORLD, load_distance=1.0)
    one.settle()
    assert "no cell near its place has" in one.world.problems["pine"]
    assert len(code.asked) > 1000  # it may have been far from there in a cell of that time
    one.world.close()
    code = Counted(50.0)
    one = world_on(code, save=path, name=WORLD, load_distance=1.0, on=one.on)
    one.settle()
    assert len(code.asked) == 4  # where the player is
    one.world.close()
    with opened(path) as file:
        row = file.row("pine")
    assert row is not None
    assert row.diff == at(310.0, 310.0)


def test_who_is_in_no_cell_of_a_baked_world_is_told(world_on: Make, tmp_path: Path) -> None:
    """It has an end: all of its cells are read."""
    path = tmp_path / "slot.sqlite"
    first_format(path, [SavedEntity("pine", "c0_0", "c0_0", 1.0, at(310.0, 310.0))], [])
    one = world_on(world_of(50), save=path, name=WORLD, load_distance=1.0)
    one.settle()
    assert "no cell of the world has" in one.world.problems["pine"]
    one.world.close()


def test_who_is_in_a_cell_that_cannot_be_read_is_looked_for_again(
    world_on: Make, tmp_path: Path
) -> None:
    """The world opens without it; the next time it is found."""
    path = tmp_path / "slot.sqlite"
    first_format(path, MOVED[:1], [])
    code = Counted(50.0, fails=1)
    one = world_on(code, save=path, name=WORLD, load_distance=1.0)
    one.put(380, 380)
    one.settle()
    assert one.world.entity("oak") is None
    assert not one.world.problems
    one.world.close()
    one = world_on(code, save=path, name=WORLD, load_distance=1.0, on=one.on)
    one.put(380, 380)
    one.settle()
    assert one.world.entity("oak").position == (380.0, 380.0)


def test_a_world_that_is_closed_while_it_looks_for_somebody(world_on: Make, tmp_path: Path) -> None:
    """At any moment of opening: nothing is lost, and the save is free."""
    path = tmp_path / "slot.sqlite"
    first_format(path, MOVED, [])
    one = None
    for frames in range(1, 9):
        on = None if one is None else one.on
        one = world_on(Field(20.0), save=path, name=WORLD, load_distance=1.0, on=on)
        one.frame(frames)
        one.world.close()
    assert one is not None
    again = world_on(Field(20.0), save=path, name=WORLD, load_distance=1.0, on=one.on)
    again.put(380, 380)
    again.settle()
    assert again.world.entity("oak").position == (380.0, 380.0)


def test_many_who_were_moved_are_found_by_reading_each_cell_once(
    world_on: Make, tmp_path: Path
) -> None:
    """However many look for somebody in it."""
    path = tmp_path / "slot.sqlite"
    rows = [
        SavedEntity(f"rock {x}", f"c{x // 1000}_0", f"c{x // 1000}_0", 1.0, at(x + 9.0, 400.0))
        for x in range(0, 4000, 50)
    ]
    first_format(path, rows, [])
    code = Counted(100.0)
    one = world_on(code, save=path, name=WORLD, load_distance=1.0)
    one.put(2009, 400)
    one.settle()
    assert one.world.entity("rock 2000").position == (2009.0, 400.0)
    assert len(code.asked) - len(set(code.asked)) <= 2  # where the player is


def test_large_ones_and_those_that_are_always_there_are_found(
    world_on: Make, tmp_path: Path
) -> None:
    """Far from where the world has them. Somebody at no place is as the world has it."""
    path = tmp_path / "slot.sqlite"
    first_format(
        path,
        [
            SavedEntity("hill", "c0_0", "c0_0", 1.0, at(2900.0, 2900.0)),
            SavedEntity("sun", "c0_0", "c0_0", 1.0, at(7.0, 7.0)),
            SavedEntity("oak", "c0_0", "c0_0", 1.0, at(float("nan"), 7.0)),
        ],
        [],
    )
    one = world_on(world_of(70), save=path, name=WORLD, load_distance=1.0)
    one.put(2900, 2900)
    one.settle()
    assert one.world.entity("hill").position == (2900.0, 2900.0)
    assert one.world.entity("sun").position == (7.0, 7.0)
    assert one.world.entity("oak") is None


def test_a_file_copied_without_its_log_is_no_new_game(tmp_path: Path) -> None:
    """The first format had its saves in the log: the file alone has nothing in it."""
    path = tmp_path / "slot.sqlite"
    first_format(path, OLD, [], closed=False)
    Path(f"{path}-wal").unlink()
    before = path.read_bytes()
    with pytest.raises(SaveError, match="copied without its other part"):
        SaveFile(path, WORLD)
    assert path.read_bytes() == before


def test_newer_and_foreign_files_of_the_first_kind_are_refused(tmp_path: Path) -> None:
    """With the words that a newer format always had, and untouched."""
    for words, number, world in (
        ("has the format 99, this version reads 2", 99, WORLD),
        ("a saved game of another, not of", 1, "another"),
    ):
        path = tmp_path / str(number)
        first_format(path, OLD, [], number=number, world=world)
        before = path.read_bytes()
        with pytest.raises(SaveError, match=words):
            SaveFile(path, WORLD)
        assert path.read_bytes() == before
        assert not Path(f"{path}.unsaved").exists()


# ---------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize(
    "bits", [40, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_a_flipped_bit_is_never_a_changed_value(tmp_path: Path, bits: int) -> None:
    """The file is refused in plain words, or what is damaged is listed; the rest is right."""
    path = tmp_path / "slot.sqlite"
    rows = [
        *ROWS,
        *(
            SavedEntity(str(n), f"c{n % 9}_0", f"c{n % 7}_1", float(n), at(n * 3.5, 120.0))
            for n in range(60)
        ),
    ]
    saved_game(path, rows)
    whole, expected = path.read_bytes(), by_id(rows)
    with opened(path) as file:
        facts = file.facts()
    chance = random.Random(7)
    refused = listed = 0
    for bit in chance.sample(range(len(whole) * 8), bits):
        spoilt = bytearray(whole)
        spoilt[bit // 8] ^= 1 << bit % 8
        path.write_bytes(spoilt)
        try:
            file = SaveFile(path, WORLD)
        except SaveError:
            refused += 1
            continue
        with contextlib.closing(file):
            found = everything(file)
            for row in file.cell("c0_0", tuple(expected)).rows:
                assert found[row.id] == row, bit
            assert file.facts() == facts or any("of the save" in one for one in file.damaged), bit
            left = file.cell("c0_0").left_at
            assert left == 3.0 or any(one.startswith("the cell") for one in file.damaged), bit
            for label in file.visited():
                assert all(expected[row.id] == row for row in file.cell(label).rows)
            visited = {row.id for label in file.visited() for row in file.cell(label).rows}
            elsewhere = {row.id for row in found.values() if row.cell not in (None, row.home)}
            assert elsewhere <= visited, bit
        for name, row in expected.items():
            assert found.get(name, row) == row, (bit, name)
        missing = expected.keys() - found.keys()
        lost = [name for name in file.damaged if name not in expected]
        assert len(missing) <= len(file.damaged), (bit, missing, file.damaged)
        listed += bool(missing)
        assert missing <= file.damaged.keys() or lost, (bit, missing, file.damaged)
    assert refused
    assert listed
    assert sorted(one.name for one in tmp_path.iterdir()) == ["slot.sqlite"]


@pytest.mark.parametrize("table", ["entities", "facts", "cells"])
def test_values_that_were_changed_are_listed_and_the_rest_opens(tmp_path: Path, table: str) -> None:
    """A row is sealed with its table; whatever else is in the save is there."""
    path = tmp_path / "slot.sqlite"
    saved_game(path)
    change = {
        "entities": "UPDATE entities SET cell='c4_m2' WHERE id='added'",
        "facts": "UPDATE facts SET value=10.0 WHERE name='time'",
        "cells": "UPDATE cells SET left_at=2.0",
    }[table]
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(change)
    with opened(path) as file:
        left = {"entities": ROWS[:2]}.get(table, ROWS)
        assert everything(file) == by_id(left)
        assert len(file.damaged) == 1
        assert ("time" in file.facts()) == (table != "facts")
        assert file.save([], {}, {}) == len(left)
    with opened(path) as file:  # it was saved without
        assert not file.damaged


def test_damage_is_listed_by_the_world(world_on: Make, tmp_path: Path, caplog: Any) -> None:
    """Among its problems, and in the log; everything else is there."""
    path = tmp_path / "slot.sqlite"
    one = world_on(world_of(100), save=path)
    one.put(110, 110)
    one.settle()
    one.world.entity("oak").position = (111.0, 112.0)
    one.world.entity("ash").position = (113.0, 114.0)
    one.close()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE entities SET left_at=left_at+1 WHERE id='oak'")
    two = type(one)(one.on, WORLD, save=path)
    two.put(110, 110)
    two.settle()
    assert two.world.entity("oak").position == (110.0, 110.0)
    assert two.world.entity("ash").position == (113.0, 114.0)
    assert "is damaged" in two.world.problems["oak"]
    assert "oak: what was saved of it is damaged" in caplog.text
    two.world.close(save=False)


# ------------------------------------------------------------------------------------------- words


def refusal(path: Path) -> str:
    """Returns the message with which a save is refused."""
    with pytest.raises(SaveError) as caught:
        SaveFile(path, WORLD)
    return str(caught.value)


def test_folders_are_made_and_those_that_cannot_be_are_named(tmp_path: Path) -> None:
    """A missing folder is no error; a file in its place, or too long a name, is one with reason."""
    saved_game(tmp_path / "a" / "b" / "slot.sqlite")
    file = tmp_path / "file"
    file.write_text("mine")
    told_of = refusal(file / "slot.sqlite")
    assert f"{file} cannot be made, for there is a file" in told_of
    assert "too long a name" in refusal(tmp_path / ("x" * 300))
    assert "too long a name" in refusal(tmp_path / ("x" * 250))
    assert "is a folder" in refusal(tmp_path / "a")
    for one in tmp_path.iterdir():
        assert one.name in ("a", "file")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "may not be written or read"),
        (errno.EROFS, "is on a disk that cannot be written"),
        (errno.ENOSPC, "the disk, or its quota, is full"),
    ],
)
def test_what_the_system_refuses_is_said(
    tmp_path: Path, monkeypatch: Any, number: int, words: str
) -> None:
    """On opening and on saving: which file, why, and what to do; the old save stays."""
    path = tmp_path / "slot.sqlite"
    saved_game(path)
    file = SaveFile(path, WORLD)
    before = path.read_bytes()

    def refuse(name: Any, *_: Any, **__: Any) -> int:
        raise OSError(number, os.strerror(number), str(name))

    with monkeypatch.context() as patch:
        patch.setattr(save_slot.os, "open", refuse)
        with pytest.raises(SaveError, match=words) as caught:
            file.save(ROWS, {}, {})
        assert str(path) in str(caught.value)
        other = tmp_path / "other.sqlite"
        assert words in refusal(other)
        assert str(other) in refusal(other)
    assert path.read_bytes() == before
    assert file.save([], {}, {}) == 3
    file.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["slot.sqlite"]


def test_a_disk_that_gets_full_while_saving_keeps_the_old_save(tmp_path: Path) -> None:
    """On a disk of a few hundred kilobytes; SQLite's own words are not repeated."""
    path = tmp_path / "slot.sqlite"
    saved_game(path)
    file = SaveFile(path, WORLD)
    assert file._db is not None
    pages = file._db.execute("PRAGMA page_count").fetchone()[0]
    file._db.execute(f"PRAGMA max_page_count={pages}")
    rows = [
        SavedEntity(str(n), "c0_0", "c0_0", 1.0, at(1.0, 1.0, row=told("x" * 500, 1.0, 1.0)))
        for n in range(200)
    ]
    with pytest.raises(SaveError, match="is full: make room") as caught:
        file.save(rows, {}, {})
    assert "database or disk" not in str(caught.value)
    file.close()
    assert known(path) == by_id(ROWS)


def test_home_is_where_the_user_is(world_on: Make, tmp_path: Path, monkeypatch: Any) -> None:
    """``~`` is the user's folder; also for a game that goes to another folder meanwhile."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    one = world_on(world_of(100), save=Path("~/saves/slot.sqlite"))
    one.put(110, 110)
    one.settle()
    assert one.world.close().error is None
    assert (tmp_path / "saves" / "slot.sqlite").exists()


# ------------------------------------------------------------------------ names, and other files


@pytest.mark.parametrize("kind", ["another program's", "a newer version's", "a link"])
def test_what_stands_in_the_place_of_what_is_not_saved_is_put_aside(
    tmp_path: Path, kind: str
) -> None:
    """It is nothing of ours: it is whole afterwards, and the game goes on with its save."""
    path, mine = tmp_path / "slot.sqlite", tmp_path / "mine"
    saved_game(path)
    place = mine if kind == "a link" else Path(f"{path}.unsaved")
    with contextlib.closing(sqlite3.connect(place)) as db:
        db.execute("CREATE TABLE facts(name, value, seal)")
        if "newer" in kind:
            db.execute(f"PRAGMA application_id={0x41505357}")
            db.execute("PRAGMA user_version=3")
    if kind == "a link":
        Path(f"{path}.unsaved").symlink_to(mine)
    before = place.read_bytes()
    with opened(path) as file:
        assert everything(file) == by_id(ROWS)
        assert "not of this version" in file.damaged["what was not saved"]
        file.save([], {}, {})
    aside = Path(f"{path}.unsaved.damaged")
    assert aside.read_bytes() == before
    assert aside.is_symlink() == (kind == "a link")


def test_names_that_other_saves_need_are_refused(tmp_path: Path) -> None:
    """A save ``slot.new`` would be deleted by the next one of ``slot``."""
    for ending in (".new", ".unsaved", ".unsaved-wal", ".unsaved.damaged"):
        assert f"its name ends in {ending}: choose" in refusal(tmp_path / f"slot{ending}")
    (tmp_path / "slot.unsaved").mkdir()
    assert f"{tmp_path / 'slot.unsaved'} is a folder" in refusal(tmp_path / "slot")


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pipes with names")
def test_a_pipe_is_no_save(tmp_path: Path) -> None:
    """Nobody waits until somebody writes into it."""
    os.mkfifo(tmp_path / "slot")
    assert "is no file" in refusal(tmp_path / "slot")


@pytest.mark.parametrize("number", [5, 32])
@pytest.mark.parametrize("tries", [2, 1000])
def test_a_save_that_another_program_reads_is_tried_again(
    tmp_path: Path, monkeypatch: Any, tries: int, number: int
) -> None:
    """Windows replaces no file that is open. At last it is an error, and nothing is lost."""
    path = tmp_path / "slot.sqlite"
    saved_game(path)
    file = SaveFile(path, WORLD)
    replace, left = Path.replace, [tries]

    def refuse(source: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] >= 0:
            error = PermissionError(
                errno.EACCES, "Permission denied", str(source), None, str(target)
            )
            error.winerror = number  # type: ignore[attr-defined, unused-ignore]
            raise error
        return replace(source, target)

    more = SavedEntity("more", "c0_0", "c0_0", 1.0, at(1.0, 1.0, row=told("more", 2.0, 2.0)))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        patch.setattr(save_slot.time, "sleep", lambda _: None)
        if tries == 2:
            assert file.save([more], {}, {}) == 4
        else:
            words = "is used by another program" if number == 32 else "may not be written"
            with pytest.raises(SaveError, match=words):
                file.save([more], {}, {})
            assert known_alone(path) == by_id(ROWS)
    assert everything(file) == by_id([*ROWS, more])
    file.close(discard=False)
    assert known(path) == by_id([*ROWS, more])


def known_alone(path: Path) -> dict[str, SavedEntity]:
    """Returns all entities of a copy of the save, without the file of unsaved changes."""
    copy = path.with_name("copy")
    shutil.copyfile(path, copy)
    found = known(copy)
    copy.unlink()
    return found


def test_what_follows_a_save_that_could_not_be_noted_is_kept(tmp_path: Path) -> None:
    """The disk was full right behind the save: it stands, and what comes after it is not in it."""
    path = tmp_path / "slot.sqlite"
    steps: list[str] = []

    def step(name: str) -> None:
        if name == "begin" and steps[-1:] == ["replaced"]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        steps.append(name)

    file = SaveFile(path, WORLD, on_step=step)
    assert file.save(ROWS, {}, {}) == 3
    steps.append("there is room again")
    more = SavedEntity("more", "c0_0", "c0_0", 1.0, at(1.0, 1.0, row=told("more", 2.0, 2.0)))
    file.write([more], {}, {})
    killed = tmp_path / "killed"
    for ending in ("", ".unsaved", ".unsaved-wal"):
        shutil.copyfile(f"{path}{ending}", f"{killed}{ending}")
    file.close()
    for _ in range(2):
        file = SaveFile(killed, WORLD)
        assert everything(file) == by_id([*ROWS, more])
        file.close(discard=False)


# ------------------------------------------------------------------------------- beside the game


@pytest.mark.parametrize("version", [1, 2])
def test_opening_a_large_save_lets_the_game_draw(tmp_path: Path, version: int) -> None:
    """Whatever looks at every entity pauses after some of them; who gives up meanwhile may."""
    path = tmp_path / "slot.sqlite"
    rows = [
        SavedEntity(str(n), "c0_0", "c0_0", 1.0, at(50.0, 50.0, row=told(str(n), 1.0, 1.0)))
        for n in range(1000)
    ]
    if version == 1:
        first_format(path, rows, [])
    else:
        saved_game(path, rows)
    pauses: list[int] = []
    file = SaveFile(path, WORLD, on_pause=lambda: pauses.append(1))
    assert len(pauses) >= 20 * (3 - version)
    pauses.clear()
    file.fit(20.0)
    assert len(pauses) >= 60
    file.close()

    def stop() -> None:
        raise SaveError("nobody wants it any more")

    with pytest.raises(SaveError, match="nobody wants it"):
        SaveFile(path, WORLD, on_pause=stop)
    assert [one.name for one in tmp_path.iterdir()] == ["slot.sqlite"]
    assert len(known(path)) == 200


# ----------------------------------------------------------------------------------- opened twice


@pytest.mark.parametrize("spelling", ["same", "dots", "link", "hard link"])
def test_a_save_that_is_open_in_this_game_names_its_world(tmp_path: Path, spelling: str) -> None:
    """At once, whatever the path looks like; the first goes on."""
    path = tmp_path / "slot.sqlite"
    saved_game(path)
    other = tmp_path / "other"
    if spelling == "dots":
        (tmp_path / "folder").mkdir()
        other = tmp_path / "folder" / ".." / "slot.sqlite"
    elif spelling == "link":
        other.symlink_to(path)
    elif spelling == "same":
        other = path
    else:
        (tmp_path / "links").symlink_to(tmp_path)
        other = tmp_path / "links" / "slot.sqlite"
    with opened(path) as file:
        with pytest.raises(
            SaveError, match=r"the world worlds/test\.ron of this game has the save"
        ):
            SaveFile(other, "worlds/second.ron")
        assert file.save(ROWS, {}, {}) == 3
    with opened(other) as file:
        assert everything(file) == by_id(ROWS)


def test_a_save_that_is_being_closed_is_waited_for(tmp_path: Path) -> None:
    """A world that was closed while it was opening, and is opened again in the next line."""
    path = tmp_path / "slot.sqlite"
    saved_game(path)
    wanted = [True]
    file = SaveFile(path, WORLD, wanted=lambda: wanted[0])
    wanted[0] = False
    found: list[SaveFile] = []
    second = threading.Thread(target=lambda: found.append(SaveFile(path, WORLD)))
    second.start()
    file.close()
    second.join(10)
    assert found
    found[0].close()


def test_a_writer_tells_when_it_has_written() -> None:
    """Before it is closed, if that is in time; afterwards, by a call, if it is late."""
    done: list[str] = []
    late, answer = threading.Event(), threading.Event()
    assert ThreadWriter().close(0.0, late.set), "nothing was to be written"
    quick = ThreadWriter()
    quick.submit(lambda: done.append("quick"))
    assert quick.close(10.0, late.set)
    assert done == ["quick"]
    assert not late.is_set()
    slow = ThreadWriter()
    slow.submit(lambda: (answer.wait(10), done.append("slow"))[1])
    assert not slow.close(0.0, lambda: (done.append("late"), late.set())[1])
    assert not late.is_set()
    answer.set()
    assert late.wait(10)
    assert done == ["quick", "slow", "late"]


def test_a_disk_that_answers_late_closes_the_save_late(world_on: Make, tmp_path: Path) -> None:
    """Closing waits so long and no longer; the save is free once it is written."""
    path = tmp_path / "slot.sqlite"
    one = world_on(world_of(100), save=path, writer=ThreadWriter())
    one.put(110, 110)
    one.settle()
    one.world.entity("oak").position = (115, 115)
    file = one.world._open.parts.journal.file
    answer = threading.Event()

    def step(name: str) -> None:
        if name == "replace":
            answer.wait(10)

    file._step = step
    assert "was closed before" in str(one.world.close(timeout_s=0.0).error)
    answer.set()
    second = SaveFile(path, WORLD, wanted=lambda: True) if closed(file) else None
    assert second is not None
    oak = second.row("oak")
    second.close()
    assert oak is not None
    assert oak.diff is not None
    assert oak.diff.place is not None
    assert oak.diff.place[:2] == (115.0, 115.0)
    assert [one.name for one in tmp_path.glob("slot*")] == ["slot.sqlite"]


def closed(file: SaveFile) -> bool:
    """Waits until a save is closed; returns whether that happened within ten seconds."""
    with SaveLock._changed:
        return SaveLock._changed.wait_for(lambda: file._claim not in SaveLock._all.values(), 10)


def test_two_worlds_on_one_save(world_on: Make, tmp_path: Path) -> None:
    """The second is told which world has it; closing the first lets it be opened again."""
    path = tmp_path / "slot.sqlite"
    one = world_on(world_of(100), save=path)
    one.put(110, 110)
    one.settle()
    two = type(one)(one.on, WORLD, name="second", save=tmp_path / "." / "slot.sqlite")
    two.until(lambda: two.world.error is not None)
    assert "the world worlds/test.ron of this game has the save" in str(two.world.error)
    one.close()
    three = type(one)(one.on, WORLD, save=path)
    three.settle()
    three.close()
