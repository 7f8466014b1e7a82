"""What a game changes of a world survives unloading, crashes and restarts."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from stage import FRAME_S

from arcade_prefabs import SaveError
from arcade_prefabs.pipeline import GridCell, WorldEntity
from arcade_prefabs.prefab import ComponentRegistry
from arcade_prefabs.streaming.saves.change_journal import ChangeJournal, InlineWriter
from arcade_prefabs.streaming.saves.entity_diff import EntityDiff, PartDiff
from arcade_prefabs.streaming.saves.save_file import SaveFile

Make = Callable[..., Any]
WIDE = range(-8, 8)


def registry() -> ComponentRegistry:
    """Returns a registry with the components of a farm."""
    found = ComponentRegistry()

    @found.component
    @dataclass
    class Crop:
        height: float = 1.0
        words: list[str] = field(default_factory=list)

    return found


FARM = {
    "prefabs/crop.ron": 'Prefab(components: [Sprite(texture: "images/tree.png"), Crop()])',
    "prefabs/cart.ron": """Prefab(
        components: [Sprite(texture: "images/rock.png"), Crop(height: 5)],
        children: [
            (prefab: "crop", name: "left", at: (-10, 0)),
            (prefab: "crop", name: "right", at: (10, 0)),
        ],
    )""",
}


class Farm:
    """A cell source with ten crops and a cart in each cell."""

    cell_size = 100.0
    layers = ("ground",)

    def __init__(self, each: int = 10) -> None:
        self.each = each

    def entities(self, cell: GridCell) -> Any:
        label = f"{cell.column},{cell.row}"
        left, bottom = cell.column * 100.0, cell.row * 100.0
        for number in range(self.each):
            x = left + 5 + 90 * number / self.each
            yield WorldEntity(f"crop {label} {number}", "crop", x, bottom + 50)
        yield WorldEntity(f"cart {label}", "cart", left + 50, bottom + 20)


@pytest.fixture
def farm(world_on: Make) -> Make:
    """Makes worlds of the farm: ``farm()``, or ``farm(on=...)`` to go on in the same window."""

    def make(on: Any = None, each: int = 10, **settings: Any) -> Any:
        options = {"registry": registry()}
        one = world_on(Farm(each), files=FARM, on=on, options=options, **settings)
        one.put(50, 50)
        one.settle()
        one.crop = one.on.registry.get("Crop").cls
        return one

    return make


def saved(one: Any) -> int:
    """Saves at once; returns how many entities the save has."""
    request = one.world.save(at_once=True)
    one.frame(2)
    return request.result()


def away_and_back(one: Any) -> None:
    """Flies away until all cells are unloaded, and comes back."""
    one.put(5050, 5050)
    one.settle()
    one.frame(150)
    one.settle()
    assert all(cell.column > 40 for cell in one.world.live_cells)
    one.put(50, 50)
    one.settle()


def test_every_kind_of_change_is_there_after_unloading(farm: Make) -> None:
    """Moved, turned, sized, hidden, fields, children's fields and places, gone children."""
    one = farm()
    world, crop = one.world, one.crop
    moved = world.entity("crop 0,0 1")
    moved.place((33.0, 44.5), 30.0, (2.0, 0.5))
    hidden = world.entity("crop 0,0 2")
    hidden.visible = False
    grown = world.entity("crop 0,0 3")
    grown[crop].height = 7.5
    grown[crop].words.append("ripe")
    cart = world.entity("cart 0,0")
    cart.child("left")[crop].height = 9.0
    cart.child("right").place((70.0, 30.0), 0.0, (1.0, 1.0))
    other = world.entity("cart 1,0")
    other.child("left").despawn()
    world.entity("crop 0,0 4").despawn()
    away_and_back(one)
    again = world.entity("crop 0,0 1")
    assert again is not moved
    assert (again.position, again.angle, again.scale) == ((33.0, 44.5), 30.0, (2.0, 0.5))
    assert not world.entity("crop 0,0 2").visible
    assert not world.entity("crop 0,0 2").sprite.visible
    assert world.entity("crop 0,0 3")[crop].height == 7.5
    assert world.entity("crop 0,0 3")[crop].words == ["ripe"]
    assert world.entity("cart 0,0").child("left")[crop].height == 9.0
    assert world.entity("cart 0,0").child("right").position == (70.0, 30.0)
    assert [child.name for child in world.entity("cart 1,0").children] == ["right"]
    assert world.entity("crop 0,0 4") is None
    assert world.entity("crop 0,0 5")[crop].height == 1.0
    assert not world.problems
    away_and_back(one)
    assert world.entity("crop 0,0 3")[crop].words == ["ripe"]
    assert world.entity("crop 0,0 4") is None


def test_what_was_killed_stays_destroyed(farm: Make, tmp_path: Path) -> None:
    """An entity of a world ends with its sprite, in its cell and in the save; so does a part."""
    slot = tmp_path / "slot.sqlite"
    one = farm(save=slot)
    world = one.world
    world.entity("crop 0,0 4").sprite.kill()
    world.entity("cart 0,0").child("left").sprite.kill()
    one.frame()
    assert world.entity("crop 0,0 4") is None
    away_and_back(one)
    assert world.entity("crop 0,0 4") is None
    assert [child.name for child in world.entity("cart 0,0").children] == ["right"]
    # In the very frame in which the game is saved and ends, too.
    world.entity("crop 0,0 5").sprite.kill()
    assert saved(one) == 3
    world.entity("crop 0,0 6").sprite.kill()
    world.close()
    again = farm(on=one.on, save=slot)
    assert again.world.entity("crop 0,0 5") is again.world.entity("crop 0,0 6") is None
    assert again.world.entity("crop 0,0 7").alive


def test_what_is_changed_back_leaves_nothing_behind(farm: Make, tmp_path: Path) -> None:
    """Deltas only: an entity that is as its file says has no row."""
    one = farm(save=tmp_path / "slot.sqlite")
    one.world.entity("crop 0,0 1").position = (44.0, 50.0)
    assert saved(one) == 1
    away_and_back(one)
    one.world.entity("crop 0,0 1").position = (14.0, 50.0)
    assert saved(one) == 0


@pytest.mark.parametrize(
    "each",
    [40, pytest.param(400, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
    ids=["one thousand", "ten thousand"],
)
def test_thousands_of_changes_away_and_back(farm: Make, each: int) -> None:
    """S12: state equal, destroyed stays destroyed, time asleep right to one tick."""
    one = farm(each=each, load_distance=250.0)
    world, crop = one.world, one.crop
    slept: dict[str, float] = {}

    @world.on_wake(crop)
    def wake(entity: Any, _crop: Any, seconds: float) -> None:
        slept[world.id_of(entity)] = seconds

    expected: dict[str, tuple[tuple[float, float], float]] = {}
    gone = set()
    for number, entity in enumerate(list(world.entities())):
        name = world.id_of(entity)
        if number % 5 == 0:
            entity.despawn()
            gone.add(name)
        else:
            x, y = entity.position
            left, bottom = x // 100 * 100, y // 100 * 100
            entity.position = (left + (x - left) / 2, bottom + (y - bottom) / 2)
            entity[crop].height = float(number)
            expected[name] = (entity.position, float(number))
    assert len(expected) + len(gone) > 25 * each
    looked_at = list(expected)[:: len(expected) // 20]
    last_seen: dict[str, float] = {}
    first_seen: dict[str, float] = {}
    played = one.on.frame

    def look(*arguments: Any, **options: Any) -> None:
        played(*arguments, **options)
        for name in looked_at:
            entity = world.entity(name)
            if entity is not None and name not in slept:
                last_seen[name] = world.time
            elif name in slept:
                first_seen.setdefault(name, world.time)

    one.on.frame = look
    away_and_back(one)
    found = {world.id_of(one_): (one_.position, one_[crop].height) for one_ in world.entities()}
    assert found == expected
    assert set(slept) >= set(expected)
    for name in looked_at:
        # It went in the frame after it was seen last, and was back in that before it was seen.
        away = first_seen[name] - last_seen[name]
        assert away - 1.01 * FRAME_S <= slept[name] <= away + 0.01 * FRAME_S, name


@pytest.mark.parametrize(
    ("each", "ticks"),
    [(30, 900), pytest.param(100, 36_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_wanderers_are_each_in_one_place(farm: Make, each: int, ticks: int) -> None:
    """S13: entities cross cells, also into unloaded and empty ones; none is lost."""
    one = farm(each=each)
    world = one.world
    names = sorted(one.names())
    speeds = {
        name: ((hash_of(name) % 7 - 3) * 12.0, (hash_of(name) // 7 % 7 - 3) * 12.0)
        for name in names
        if name.startswith("crop")
    }
    parts = world._open.parts
    assert len(speeds) >= 10 * each
    for tick in range(ticks):
        for name, (vx, vy) in speeds.items():
            entity = world.entity(name)
            if entity is not None:
                x, y = entity.position
                entity.position = (x + vx / 60 * 5, y + vy / 60 * 5)
        one.frame()
        if tick % 60 == 59:
            one.x += 60.0 * (1 if tick % 900 < 450 else -1)
            alive = {name for name in speeds if world.entity(name) is not None}
            for name in speeds:
                resident = parts.population.residents.get(name)
                assert (resident is not None) == (name in alive)
                if resident is not None:
                    assert sum(name in live.residents for live in world.live_cells.values()) == 1
    # Everybody is somewhere: in memory, or written down in exactly one cell.
    one.put(50, 50)
    one.settle()
    parts.journal.flush()
    for name in speeds:
        resident = parts.population.residents.get(name)
        row = parts.journal.known(name) or parts.journal.file.row(name)
        assert resident is not None or (row is not None and not row.destroyed), name
    # And comes when somebody goes there.
    lost = [name for name in speeds if world.entity(name) is None]
    assert lost
    for name in lost[:20]:
        row = parts.journal.known(name) or parts.journal.file.row(name)
        x, y = row.diff.place[:2]
        one.put(x, y)
        one.settle()
        assert world.entity(name) is not None
        assert world.entity(name).position == (x, y)


def hash_of(name: str) -> int:
    """Returns a number that is the same in every process."""
    return sum(ord(letter) * 31**place for place, letter in enumerate(name))


def test_entities_are_added_for_good(farm: Make, tmp_path: Path) -> None:
    """Near and far, with overrides, and destroyed again."""
    path = tmp_path / "slot.sqlite"
    one = farm(save=path)
    world, crop = one.world, one.crop
    near = world.add("crop", (20, 30), angle=10, overrides={"Crop": {"height": 3.0}})
    far = world.add("crop", (7020, 30), name="far one", layer="things")
    brief = world.add("crop", (25, 30))
    assert world.entity(near) is None or world.entity(near).alive
    one.frame(3)
    assert world.entity(near)[crop].height == 3.0
    assert world.entity(far) is None
    world.entity(brief).despawn()
    world.entity(near).position = (22.0, 33.0)
    away_and_back(one)
    assert world.entity(near).position == (22.0, 33.0)
    assert world.entity(near)[crop].height == 3.0
    assert world.entity(brief) is None
    one.put(7020, 30)
    one.settle()
    assert world.entity("far one").alive
    assert "things" in world.layers
    assert world.close().result() == 2
    two = farm(on=one.on, save=path)
    assert two.world.entity(near).position == (22.0, 33.0)
    assert two.world.entity(brief) is None
    assert two.world.add("crop", (1, 1)) not in (near, brief)
    for wrong, error in (("", ValueError), ("+1", ValueError), (near, ValueError), (7, ValueError)):
        with pytest.raises(error):
            two.world.add("crop", (0, 0), name=wrong)


def test_a_restart_goes_on_where_it_was_closed(farm: Make, tmp_path: Path) -> None:
    """`close` saves; `close(save=False)` forgets; time goes on."""
    path = tmp_path / "slot.sqlite"
    one = farm(save=path)
    one.world.entity("crop 0,0 1").position = (33.0, 33.0)
    one.frame(60)
    time = one.world.time
    assert one.world.close().result() == 1
    two = farm(on=one.on, save=path)
    assert two.world.entity("crop 0,0 1").position == (33.0, 33.0)
    assert two.world.time > time
    two.world.entity("crop 0,0 1").position = (11.0, 11.0)
    two.world.entity("crop 1,0 1").despawn()
    away_and_back(two)
    assert two.world.entity("crop 0,0 1").position == (11.0, 11.0)
    assert two.world.close(save=False) is None
    three = farm(on=one.on, save=path)
    assert three.world.entity("crop 0,0 1").position == (33.0, 33.0)
    assert three.world.entity("crop 1,0 1") is not None
    assert three.world.time == pytest.approx(time, abs=0.6)


def test_slots_are_apart(farm: Make, tmp_path: Path) -> None:
    """One file for each game."""
    one = farm(save=tmp_path / "one.sqlite")
    one.world.entity("crop 0,0 1").despawn()
    one.world.close()
    two = farm(on=one.on, save=tmp_path / "two.sqlite")
    assert two.world.entity("crop 0,0 1") is not None
    two.world.close()
    again = farm(on=one.on, save=tmp_path / "one.sqlite")
    assert again.world.entity("crop 0,0 1") is None


@pytest.mark.parametrize("recover", [True, False])
def test_what_happened_after_the_last_save_is_recovered(
    farm: Make, tmp_path: Path, recover: bool
) -> None:
    """A game that was killed: the next one goes on with what was unloaded, if it wants to."""
    path, copy = tmp_path / "slot.sqlite", tmp_path / "copy.sqlite"
    one = farm(save=path)
    one.world.entity("crop 0,0 1").position = (33.0, 33.0)
    saved(one)
    one.world.entity("crop 0,0 1").position = (11.0, 11.0)
    one.world.entity("crop 0,0 2").despawn()
    away_and_back(one)
    one.frame(120)
    # As the disk would have it after a kill, with nothing closed.
    for ending in ("", ".unsaved", ".unsaved-wal"):
        Path(f"{copy}{ending}").write_bytes(Path(f"{path}{ending}").read_bytes())
    one.world.close()
    two = farm(on=one.on, save=copy, recover=recover)
    assert two.world.entity("crop 0,0 1").position == ((11.0, 11.0) if recover else (33.0, 33.0))
    assert (two.world.entity("crop 0,0 2") is None) == recover


@pytest.mark.parametrize("kind", ["text", "folder", "another", "other world", "format", "locked"])
def test_files_that_are_no_save_of_this_world(
    farm: Make, tmp_path: Path, kind: str, world_on: Make
) -> None:
    """A clear error, and the file stays as it was."""
    path = tmp_path / "slot.sqlite"
    held = None
    if kind == "text":
        path.write_text("Dear diary," * 500)
    elif kind == "folder":
        path.mkdir()
    elif kind == "another":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE mine(x)")
        db.close()
    else:
        held = SaveFile(path, "another" if kind == "other world" else "Farm")
        held.save((), {}, {"format": 99} if kind == "format" else {})
        if kind != "locked":
            held.close()
    before = path.read_bytes() if path.is_file() else b""
    one = world_on(Farm(), files=FARM, options={"registry": registry()}, save=path)
    one.until(lambda: one.world.error is not None)
    assert isinstance(one.world.error, SaveError)
    assert str(path) in str(one.world.error)
    expected = {
        "text": "no saved game",
        "folder": "folder",
        "another": "no saved game",
        "other world": "of another, not of Farm",
        "format": "99",
        "locked": "the world Farm of this game",
    }[kind]
    assert expected in str(one.world.error)
    if held is not None:
        held.close()
    if path.is_file() and kind != "locked":
        assert path.read_bytes() == before


def test_full_disk_loses_nothing(farm: Make, tmp_path: Path, caplog: Any) -> None:
    """Writes fail; the game goes on, keeps what it knows, and writes it once there is room."""
    path = tmp_path / "slot.sqlite"
    one = farm(save=path)
    file = one.world._open.parts.journal.file
    pages = file._db.execute("PRAGMA page_count").fetchone()[0]
    file._db.execute(f"PRAGMA max_page_count={pages + 1}")
    for entity in list(one.world.entities()):
        if "crop" in one.world.id_of(entity):
            entity[one.crop].words = ["x" * 500]
    request = one.world.save(at_once=True)
    one.frame(2)
    assert isinstance(request.error, SaveError)
    assert "full" in str(request.error)
    assert "tried again" in caplog.text
    away_and_back(one)
    assert one.world.entity("crop 0,0 1")[one.crop].words == ["x" * 500]
    assert one.world.statistics().unsaved > 50
    file._db.execute("PRAGMA max_page_count=100000")
    one.frame(400)
    assert one.world.statistics().unsaved == 0
    assert saved(one) > 50


def test_values_that_cannot_be_written_are_told(farm: Make, caplog: Any) -> None:
    """The field stays behind, and is listed; everything else is kept."""
    one = farm()
    entity = one.world.entity("crop 0,0 1")
    entity[one.crop].height = 4.0
    entity[one.crop].words = [object()]
    away_and_back(one)
    assert one.world.entity("crop 0,0 1")[one.crop].height == 4.0
    assert one.world.entity("crop 0,0 1")[one.crop].words == []
    assert list(one.world.problems) == ["Crop.words"]
    assert "Crop.words" in caplog.text


def test_a_save_of_an_older_world_opens(world_on: Make, tmp_path: Path) -> None:
    """Entities, components, fields and children that are not there any more: told, and kept."""
    path = tmp_path / "slot.sqlite"
    text = """World(cell_size: 100, entities: [
        (prefab: "cart", id: "cart", at: (50, 50)),
        (prefab: "crop", id: "crop", at: (20, 20)),
        (prefab: "crop", id: "old", at: (30, 20)),
    ])"""
    one = world_on(text, files=FARM, options={"registry": registry()}, save=path)
    one.put(50, 50)
    one.settle()
    crop = one.on.registry.get("Crop").cls
    one.world.entity("cart")[crop].height = 8.0
    one.world.entity("cart").child("left")[crop].height = 9.0
    one.world.entity("crop").position = (25.0, 25.0)
    one.world.entity("old").position = (35.0, 25.0)
    assert one.world.close().result() == 3
    one.on.edit(
        {
            "worlds/test.ron": """World(cell_size: 100, entities: [
                (prefab: "cart", id: "cart", at: (52, 50)),
                (prefab: "crop", id: "crop", at: (21, 20)),
                (prefab: "crop", id: "new", at: (60, 20)),
            ])""",
            "prefabs/cart.ron": 'Prefab(components: [Sprite(texture: "images/rock.png")])',
        }
    )
    two = world_on(Farm(), on=one.on)
    two.close()
    three = type(one)(one.on, "worlds/test.ron", save=path)
    three.put(50, 50)
    three.settle()
    world = three.world
    assert world.entity("crop").position == (25.0, 25.0)
    assert world.entity("new").position == (60.0, 20.0)
    assert world.entity("cart").position == (52.0, 50.0)
    assert world.entity("old") is None
    assert any("old" in what for what in world.problems)
    assert any("left" in what for what in world.problems)
    world.close()
    # What was saved of it is still there, should it come back.
    file = SaveFile(path, "worlds/test.ron")
    assert file.row("old").diff.place[:2] == (35.0, 25.0)
    file.close()


@pytest.mark.parametrize(
    ("diff", "untouched"),
    [
        (EntityDiff(), True),
        (EntityDiff(parts={"": PartDiff(lived=("Crop",)), "left": PartDiff()}), True),
        (EntityDiff(place=(1.0, 2.0, 0.0, 1.0, 1.0)), False),
        (EntityDiff(visible=False), False),
        (EntityDiff(row=WorldEntity("new", "crop", 1, 2)), False),
        (EntityDiff(parts={"left": PartDiff(fields={"Crop": {"height": 2.0}})}), False),
        (EntityDiff(parts={"left": PartDiff(place=(1.0, 2.0, 0.0, 1.0, 1.0))}), False),
        (EntityDiff(parts={"left": PartDiff(gone=True)}), False),
    ],
)
def test_who_has_only_lived_is_untouched(diff: EntityDiff, untouched: bool) -> None:
    """Nothing is lost if a newer world does not tell of it any more."""
    assert diff.untouched == untouched


def test_saving_while_entities_come_and_go(farm: Make, tmp_path: Path) -> None:
    """S14, without kills: a save in slices during a flight has every change, each once."""
    path = tmp_path / "slot.sqlite"
    one = farm(save=path, each=20)
    changed: set[str] = set()
    for number in range(6):
        for entity in list(one.world.entities())[:40]:
            entity[one.crop].height = 100.0 + number
            changed.add(one.world.id_of(entity))
        request = one.world.save()
        one.fly(400, 0, 0.5)
        one.until(lambda request=request: request.done)
        assert request.error is None
    one.world.close()
    file = SaveFile(path, "Farm")
    with file._lock:
        rows = [row[0] for row in file._open().execute("SELECT id FROM entities")]
    file.close()
    assert sorted(changed) == sorted(rows)


def test_numbers_that_are_none(farm: Make, tmp_path: Path, caplog: Any) -> None:
    """An infinite field comes back; a place that is no number is not kept, and told."""
    one = farm(save=tmp_path / "slot.sqlite", load_distance=40.0)
    entities = {one.world.id_of(each): each for each in one.world.entities()}
    names = sorted(name for name in entities if name.startswith("crop"))
    never, lost, *_ = names
    entities[never][one.crop].height = math.inf
    entities[lost].sprite.position = (math.nan, math.nan)
    entities[lost][one.crop].height = 3.0
    away_and_back(one)
    assert one.names() == set(entities)
    assert one.world.entity(never)[one.crop].height == math.inf
    assert one.world.entity(lost)[one.crop].height == 3.0
    assert all(map(math.isfinite, one.world.entity(lost).position))
    assert f"{lost}: its position, angle or scale is NaN or infinite" in caplog.text


def test_components_that_lost_a_field(farm: Make, tmp_path: Path) -> None:
    """The game may take a field away, or put in what refers to itself: that field is left out."""
    one = farm(save=tmp_path / "slot.sqlite", load_distance=40.0)
    for each in one.world.entities():
        crop = each[one.crop]
        crop.height = 7.0
        if each.sprite.position[0] < 50:
            del crop.words
        else:
            crop.words.append(crop.words)
    before = one.names()
    away_and_back(one)
    assert one.names() == before
    assert {each[one.crop].height for each in one.world.entities()} == {7.0}
    assert "Crop.words" in one.world.problems


def test_what_cannot_be_looked_at_is_told(farm: Make, tmp_path: Path, monkeypatch: Any) -> None:
    """An error while an entity is compared keeps neither its cell nor a save waiting."""
    one = farm(save=tmp_path / "slot.sqlite", load_distance=40.0)
    before = one.names()
    differ = one.world._open.parts.population.differ

    def find(*_: Any) -> Any:
        raise ZeroDivisionError("the game's own")

    monkeypatch.setattr(differ, "find", find)
    assert saved(one) == 0
    away_and_back(one)
    assert one.names() == before
    assert before <= set(one.world.problems)


def test_a_cell_that_nobody_wants_any_more_is_not_read() -> None:
    """A player who turns leaves reads behind; those of the cells ahead do not wait for them."""
    background: list[Callable[[], None]] = []
    file = SaveFile(None, "worlds/farm")
    journal = ChangeJournal(
        file, background=background.append, writer=InlineWriter(), clock=lambda: 0.0
    )
    behind, ahead = journal.read("0,0", ()), journal.read("1,0", ())
    journal.forget_read(behind)
    for work in background:
        work()
    assert not behind.done
    assert ahead.done
    file.close()
