"""`on_first_spawn` hooks are called once in an entity's life; authored transforms are kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from arcade_prefabs.pipeline import GridCell, WorldEntity
from arcade_prefabs.prefab import ComponentRegistry
from arcade_prefabs.streaming import streaming_manager
from arcade_prefabs.streaming.saves.change_journal import SaveRequest

Make = Callable[..., Any]

FILES = {
    "prefabs/ork.ron": 'Prefab(components: [Sprite(texture: "images/tree.png"), Hits()])',
    "prefabs/plain.ron": 'Prefab(components: [Sprite(texture: "images/tree.png"), Torch()])',
    "prefabs/camp.ron": """Prefab(
        components: [Sprite(texture: "images/rock.png")],
        children: [(prefab: "ork", name: "guard", at: (10, 0))],
    )""",
}
NAMES = ("one", "two", "camp")


class Camp:
    """A cell source with two orks, a camp with a guard, and an entity without hooks."""

    cell_size = 100.0
    layers = ("ground",)

    def entities(self, cell: GridCell) -> Any:
        if cell == GridCell(0, 0):
            yield WorldEntity("one", "ork", 10, 20, 30, 2, 2)
            yield WorldEntity("two", "ork", 50, 20)
            yield WorldEntity("camp", "camp", 70, 70)
            yield WorldEntity("plain", "plain", 70, 20)


def registry() -> ComponentRegistry:
    found = ComponentRegistry()

    @found.component
    @dataclass
    class Hits:
        allowed: int = 3
        left: int = 0

    @found.component
    @dataclass
    class Torch:
        lit: bool = False

    return found


class Orks:
    """A world with two orks, whose hooks count their calls."""

    def __init__(self, world_on: Make, on: Any = None, hooks: bool = True, **settings: Any) -> None:
        options = {"registry": registry()}
        self.one = world_on(Camp(), files=FILES, on=on, options=options, **settings)
        self.world = self.one.world
        self.hits = self.one.on.registry.get("Hits").cls
        self.first: Counter[str] = Counter()
        self.each: Counter[str] = Counter()
        self.order: list[str] = []
        self.undo: list[Callable[[], None]] = []
        if hooks:
            self.hook()
        self.one.put(50, 50)
        self.one.settle()

    def hook(self) -> None:
        entities = self.one.prefabs.entities

        @entities.on_first_spawn(self.hits)
        def fill(entity: Any, hits: Any) -> None:
            self.first[self.name(entity)] += 1
            self.order.append("first")
            hits.left = hits.allowed

        @entities.on_spawn(self.hits)
        def greet(entity: Any, hits: Any) -> None:
            self.each[self.name(entity)] += 1
            self.order.append("each")

        self.undo = [lambda: entities.remove_hook(fill), lambda: entities.remove_hook(greet)]

    def name(self, entity: Any) -> str:
        return str(self.world.id_of(entity))

    def unhook(self) -> None:
        for undo in self.undo:
            undo()

    def left(self, name: str) -> int:
        entity = self.world.entity(name)
        return int((entity.child("guard") if name == "camp" else entity)[self.hits].left)

    def away_and_back(self) -> None:
        self.one.put(5050, 5050)
        self.one.settle()
        self.one.frame(150)
        self.one.settle()
        assert self.world.entity("two") is None
        self.one.put(50, 50)
        self.one.settle()

    def save(self) -> int:
        request = self.world.save(at_once=True)
        self.one.frame(2)
        return int(request.result())

    def again(self, world_on: Make, **settings: Any) -> Orks:
        """Closes the world, and starts the game a second time."""
        self.unhook()
        return Orks(world_on, on=self.one.on, **settings)


ONCE = Counter(NAMES)


def test_first_spawn_is_once_while_cells_go_and_come(world_on: Make) -> None:
    """What it set stays as the game left it, of parts and of entities that nobody touched."""
    orks = Orks(world_on)
    assert orks.first == orks.each == ONCE
    assert orks.order == ["first", "each"] * 3
    orks.world.entity("one")[orks.hits].left = 1
    orks.world.entity("camp").child("guard")[orks.hits].left = 2
    for _ in range(2):
        orks.away_and_back()
    assert orks.first == ONCE
    assert orks.each == Counter(dict.fromkeys(NAMES, 3))
    assert [orks.left(name) for name in NAMES] == [1, 3, 2]


def test_an_entity_whose_first_spawn_changed_nothing_is_marked(world_on: Make) -> None:
    """The mark is no changed field; others leave no trace in the save."""
    orks = Orks(world_on, hooks=False)
    entities = orks.one.prefabs.entities
    seen: list[str] = []

    @entities.on_first_spawn(orks.one.on.registry.get("Torch").cls)
    def see(entity: Any, torch: Any) -> None:
        seen.append(orks.name(entity))

    orks.away_and_back()
    orks.away_and_back()
    assert seen == ["plain"]
    file = orks.world._open.parts.journal.file
    assert file.row("plain") is not None
    assert all(file.row(name) is None for name in NAMES)
    assert orks.world.problems == {}


def test_first_spawn_is_once_over_saves_and_restarts(world_on: Make, tmp_path: Path) -> None:
    """Save, quit, load: also where nothing of the cell was ever unloaded."""
    slot = tmp_path / "slot.sqlite"
    orks = Orks(world_on, save=slot)
    orks.world.entity("one")[orks.hits].left = 1
    assert orks.save() == 3
    orks.world.close(save=False)
    again = orks.again(world_on, save=slot)
    assert again.first == Counter()
    assert again.each == ONCE
    assert [again.left(name) for name in NAMES] == [1, 3, 3]
    again.world.close()
    assert again.again(world_on, save=slot).first == Counter()


def test_without_saving_the_state_of_the_save_decides(world_on: Make, tmp_path: Path) -> None:
    """Who lived only in what was thrown away lives for the first time again."""
    slot = tmp_path / "slot.sqlite"
    orks = Orks(world_on, save=slot)
    orks.away_and_back()  # the marks are in the file, and not saved
    orks.world.close(save=False)
    again = orks.again(world_on, save=slot)
    assert again.first == ONCE
    again.world.close(save=True)
    last = again.again(world_on, save=slot)
    last.away_and_back()
    assert last.first == Counter()


def test_a_destroyed_entity_that_is_added_anew_lives_for_the_first_time(world_on: Make) -> None:
    """Two lives of one name; what is destroyed is greeted no more."""
    orks = Orks(world_on)
    orks.world.entity("one").despawn()
    orks.away_and_back()
    assert orks.world.entity("one") is None
    assert orks.first == ONCE
    orks.world.add("ork", (30, 30), name="one")
    orks.one.settle()
    assert orks.first["one"] == 2
    orks.away_and_back()
    assert orks.first["one"] == 2
    assert orks.world.entity("one")[orks.hits].left == 3


def test_what_a_first_spawn_adds_is_there_once(world_on: Make, tmp_path: Path) -> None:
    """A game that is killed right behind it knows of both: the mark is kept at once."""
    slot = tmp_path / "slot.sqlite"
    here = Path(__file__).parent
    code = f"""
        import os, sys
        sys.path[:0] = {[str(here), str(here.parent / "shared")]!r}
        import arcade
        from conftest import PREFABS, WorldStage
        from stage import Stage
        from test_first_spawn import FILES, Camp, registry
        window = arcade.Window(64, 64)
        on = Stage(window, {{**PREFABS, **FILES}}, registry=registry())
        one = WorldStage(on, Camp(), save={str(slot)!r})
        hits = on.registry.get("Hits").cls
        firsts = []

        @on.prefabs.entities.on_first_spawn(hits)
        def add(entity, component):
            firsts.append(one.world.id_of(entity))
            if one.world.id_of(entity) == "two":
                one.world.add("plain", (20, 20))

        one.put(50, 50)
        one.settle()
        one.frame(90)  # more than a second: it is in the file, and nothing was saved
        coins = len(on.prefabs.entities.of_prefab("plain"))
        print(coins, len(firsts), flush=True)
        os._exit(9)
    """
    found = []
    for _ in range(2):
        ended = subprocess.run(
            [sys.executable, "-c", dedent(code)],
            capture_output=True,
            text=True,
            timeout=50,
            env=os.environ | {"ARCADE_HEADLESS": "True"},
        )
        assert ended.returncode == 9, ended.stderr
        found.append(ended.stdout.split())
    assert found == [["2", "3"], ["2", "0"]]


class Line:
    """A cell source with two orks in each cell of an endless row."""

    cell_size = 100.0
    layers = ("ground",)

    def entities(self, cell: GridCell) -> Any:
        if cell.row == 0:
            for letter, x in (("a", 40), ("b", 60)):
                yield WorldEntity(f"{cell.column} {letter}", "ork", cell.column * 100 + x, 50)


KILLED = """
    import json, os, signal, sys, threading
    paths, slot, when = json.loads(sys.argv[1])
    sys.path[:0] = paths
    import arcade
    from conftest import PREFABS, WorldStage
    from stage import Stage
    from test_first_spawn import FILES, Line, registry
    from arcade_prefabs.streaming.saves.change_journal import ThreadWriter

    window = arcade.Window(64, 64)
    on = Stage(window, {**PREFABS, **FILES}, registry=registry())
    go_on = threading.Event()
    go_on.set()

    class Writer(ThreadWriter):
        def submit(self, work):
            super().submit(lambda: go_on.wait(30) and work())

    one = WorldStage(on, Line(), save=slot, writer=Writer(), load_distance=10.0)
    firsts = []

    def kill(*_):
        print(json.dumps(firsts), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    @on.prefabs.entities.on_first_spawn(on.registry.get("Hits").cls)
    def fill(entity, hits):
        firsts.append(one.world.id_of(entity))
        hits.left = hits.allowed
        if when == "spawning" and firsts[-1] == "1 b":
            kill()

    one.put(50, 50)
    one.settle()
    go_on.clear()
    request = one.world.save(at_once=True)
    if when == "acknowledged":  # others are there before it is
        one.put(150, 50)
        one.settle()
        request.add_done_callback(kill)
    go_on.set()
    while not request.done:
        one.frame()
    one.put(150, 50)
    one.settle()
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signal")
@pytest.mark.parametrize("recover", [True, False])
@pytest.mark.parametrize("when", ["acknowledged", "spawning"])
def test_a_kill_behind_a_save_costs_the_first_times_that_are_not_in_it(
    world_on: Make, tmp_path: Path, when: str, recover: bool
) -> None:
    """The moment that a save is told to be done, with others there since it was asked for.

    Or in the first spawn of one whose cell comes after the save.
    """
    here, slot = Path(__file__).parent, tmp_path / "slot.sqlite"
    told = json.dumps([[str(here), str(here.parent / "shared")], str(slot), when])
    ended = subprocess.run(
        [sys.executable, "-c", dedent(KILLED), told],
        capture_output=True,
        text=True,
        timeout=50,
        env=os.environ | {"ARCADE_HEADLESS": "True"},
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert json.loads(ended.stdout) == ["0 a", "0 b", "1 a", "1 b"]
    options = {"registry": registry()}
    one = world_on(
        Line(), files=FILES, options=options, save=slot, recover=recover, load_distance=10.0
    )
    hits = one.on.registry.get("Hits").cls
    firsts: list[str | None] = []

    @one.prefabs.entities.on_first_spawn(hits)
    def fill(entity: Any, _: Any) -> None:
        firsts.append(one.world.id_of(entity))

    for x in (50, 150, 50, 250):
        one.put(x, 50)
        one.settle()
        one.frame(150)
    assert firsts == ["1 a", "1 b", "2 a", "2 b"]
    one.put(50, 50)
    one.settle()
    assert [one.world.entity(f"0 {letter}")[hits].left for letter in "ab"] == [3, 3]


def test_a_first_spawn_that_fails_is_called_again_the_next_time(world_on: Make) -> None:
    """Nothing is left of such a spawn, so nothing of it counts."""
    orks = Orks(world_on, hooks=False)
    calls: list[str] = []

    @orks.one.prefabs.entities.on_first_spawn(orks.hits)
    def fail(entity: Any, hits: Any) -> None:
        calls.append(orks.name(entity))
        if calls == ["one"]:
            raise ValueError("not today")

    orks.away_and_back()
    assert "one" in orks.world.failures
    orks.away_and_back()
    assert Counter(calls) == Counter({"one": 2, "two": 1, "camp": 1})
    assert orks.world.failures == {}


def test_a_component_that_a_reload_adds_has_its_own_first_time(world_on: Make) -> None:
    """And one that goes and comes back has had it."""
    orks = Orks(world_on)
    torch = orks.one.on.registry.get("Torch").cls
    lit: list[str] = []
    orks.one.prefabs.entities.on_first_spawn(torch)(lambda entity, _: lit.append(orks.name(entity)))
    before = FILES["prefabs/ork.ron"]
    after = before.replace("Hits()", "Hits(), Torch()")
    for text in (after, before, after):
        orks.one.on.edit({"prefabs/ork.ron": text})
        orks.one.settle()
    assert Counter(lit) == ONCE
    orks.away_and_back()
    assert Counter(lit) == Counter([*NAMES, "plain"])
    assert orks.first == ONCE


def marks(orks: Orks, name: str) -> set[str]:
    """Returns the components of an entity whose first spawn the save file has."""
    row = orks.world._open.parts.journal.file.row(name)
    parts = {} if row is None or row.diff is None else row.diff.parts
    return {one for part in parts.values() for one in (*part.lived, *part.fields)}


def with_torches(orks: Orks) -> list[str]:
    """Gives orks torches by a hot reload; returns the orks whose torch has its first spawn."""
    torch = orks.one.on.registry.get("Torch").cls
    lit: list[str] = []

    @orks.one.prefabs.entities.on_first_spawn(torch)
    def light(entity: Any, _: Any) -> None:
        lit.append(orks.name(entity))
        if lit == ["one"]:
            orks.world.add("plain", (20, 20), name="candle")

    edited = FILES["prefabs/ork.ron"].replace("Hits()", "Hits(), Torch()")
    orks.one.on.edit({"prefabs/ork.ron": edited})
    orks.one.settle()
    return lit


def test_a_first_time_by_a_reload_is_written_as_soon_as_what_it_adds(world_on: Make) -> None:
    """A game that is killed within the next second knows of both, or of none of them."""
    orks = Orks(world_on)
    orks.one.frame(90)
    assert marks(orks, "one") == {"Hits"}
    lit = with_torches(orks)
    assert Counter(lit) == ONCE + Counter(["candle"])
    orks.world._open.parts.journal.flush()
    assert marks(orks, "candle") == {"Torch"}
    assert all(marks(orks, name) == {"Hits", "Torch"} for name in NAMES)


def test_a_first_time_by_a_reload_while_the_game_is_saved_is_in_that_save(
    world_on: Make, tmp_path: Path, monkeypatch: Any
) -> None:
    """Also if saving has looked at the entity before."""
    monkeypatch.setattr(streaming_manager, "_CAPTURED", 1)
    slot = tmp_path / "slot.sqlite"
    orks = Orks(world_on, save=slot)
    request = SaveRequest()
    looking = orks.world._captured(request)
    for _ in (*NAMES, "plain"):
        next(looking)
    lit = with_torches(orks)
    assert Counter(lit) == ONCE + Counter(["candle"])
    assert list(looking) == []
    orks.one.frame(2)
    assert request.result() == 4
    orks.world.close(save=False)
    orks.unhook()
    last = Orks(world_on, on=orks.one.on, hooks=False, save=slot)
    assert last.world.entity("candle") is not None
    assert Counter(lit) == ONCE + Counter(["candle", "plain"])  # the hook is still there


def test_fields_in_an_older_save_tell_that_the_component_has_lived(
    world_on: Make, tmp_path: Path
) -> None:
    """A game that learns of `on_first_spawn` with an update resets nothing that was saved."""
    slot = tmp_path / "slot.sqlite"
    orks = Orks(world_on, hooks=False, save=slot)
    orks.world.entity("one")[orks.hits].left = 1
    orks.world.close()
    again = orks.again(world_on, save=slot)
    assert set(again.first) == {"two", "camp"}
    assert again.left("one") == 1


def test_what_a_hook_of_an_earlier_version_knew_is_kept_without_it(
    world_on: Make, tmp_path: Path
) -> None:
    """A session without the hook does not forget who has lived."""
    slot = tmp_path / "slot.sqlite"
    orks = Orks(world_on, save=slot)
    orks.world.close()
    between = Orks(world_on, on=orks.one.on, hooks=False, save=slot) if not orks.unhook() else None
    assert between is not None
    between.world.entity("two").position = (51, 21)
    between.away_and_back()
    between.world.close()
    assert between.again(world_on, save=slot).first == Counter()


def test_the_authored_place_survives_moves_cells_and_saves(world_on: Make, tmp_path: Path) -> None:
    """It is that of the world, or where the game has added or spawned something."""
    slot = tmp_path / "slot.sqlite"
    orks = Orks(world_on, save=slot)
    orks.world.add("ork", (40, 40), angle=5, name="added")
    orks.one.settle()
    orks.world.entity("one").place((150, 50), 90, (1, 3))
    orks.world.entity("added").position = (41, 45)
    orks.world.entity("camp").position = (75, 75)
    wanted = {"one": ((10, 20), 30, (2, 2)), "added": ((40, 40), 5, (1, 1))}
    wanted["camp"] = ((70, 70), 0, (1, 1))

    def check(orks: Orks) -> None:
        for name, place in wanted.items():
            assert orks.world.entity(name).authored == place, name
        guard = orks.world.entity("camp").child("guard")
        assert guard.authored == ((80, 70), 0, (1, 1))
        assert orks.world.entity("one").position == pytest.approx((150, 50))

    check(orks)
    orks.one.frame(100)
    orks.away_and_back()
    check(orks)
    orks.world.close()
    check(orks.again(world_on, save=slot))
    spawned = orks.one.on.spawn("plain", (7, 8))
    spawned.position = (9, 9)
    assert spawned.authored.position == (7, 8)
