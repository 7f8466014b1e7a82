"""World files that are saved while they are shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from arcade_prefabs import CellState
from arcade_prefabs.pipeline import GridCell

Make = Callable[..., Any]


def world(*entities: str, size: int = 100) -> str:
    return f"World(cell_size: {size}, entities: [{', '.join(entities)}])"


def entity(name: str, x: float, y: float, prefab: str = "tree", more: str = "") -> str:
    return f'(prefab: "{prefab}", id: "{name}", at: ({x}, {y}){more})'


def edit(one: Any, text: str) -> None:
    one.on.edit({"worlds/test.ron": text})
    one.frame(20)
    one.settle()


def places(one: Any) -> dict[str, tuple[float, float]]:
    return {one.world.id_of(each): each.position for each in one.world.entities()}


def test_entities_come_go_and_move_with_their_file(world_on: Make) -> None:
    """By their names; what is the same stays the same object."""
    one = world_on(world(entity("a", 10, 10), entity("b", 20, 20), entity("c", 30, 30)))
    one.put(50, 50)
    one.settle()
    before = one.world.entity("a")
    edit(one, world(entity("a", 10, 10), entity("b", 25, 20), entity("d", 40, 40, "rock")))
    assert places(one) == {"a": (10, 10), "b": (25, 20), "d": (40, 40)}
    assert one.world.entity("a") is before
    # Moved into another cell, which did not exist before; another prefab; a new field.
    edit(
        one,
        world(
            entity("a", 10, 10, "rock"),
            entity("b", 125, 20),
            entity("d", 40, 40, "rock", ", scale: (2, 2)"),
        ),
    )
    assert places(one) == {"a": (10, 10), "b": (125, 20), "d": (40, 40)}
    assert one.world.entity("a").prefab_id == "prefabs/rock.ron"
    assert one.world.entity("d").scale == (2.0, 2.0)
    # A cell without anything, and back.
    edit(one, world(entity("a", 10, 10)))
    assert places(one) == {"a": (10, 10)}
    edit(one, world())
    assert places(one) == {}
    edit(one, world(entity("b", 125, 20), entity("a", 10, 10)))
    assert places(one) == {"a": (10, 10), "b": (125, 20)}
    assert (
        sum(len(lists) for live in one.world.live_cells.values() for lists in live.lists.all()) == 2
    )


def test_a_cell_that_comes_with_an_edit_leaves_the_others_alone(world_on: Make) -> None:
    """What stands in them is the same as before, and stays there all the time."""
    one = world_on(world(entity("a", 10, 10), entity("b", 20, 20)))
    one.put(50, 50)
    one.settle()
    before = one.world.entity("a"), one.world.entity("b")
    one.events.clear()
    edit(one, world(entity("a", 10, 10), entity("b", 20, 20), entity("c", 130, 30)))
    assert places(one) == {"a": (10, 10), "b": (20, 20), "c": (130, 30)}
    assert (one.world.entity("a"), one.world.entity("b")) == before
    assert {event.cell for event in one.events} == {GridCell(1, 0)}


def test_what_is_always_there_comes_with_an_edit_though_memory_is_full(world_on: Make) -> None:
    """The limit is for cells that a player comes near to."""
    one = world_on(world(entity("a", 10, 10), entity("b", 130, 30)), memory_limit=1)
    one.put(50, 50)
    one.settle()
    assert places(one) == {"a": (10, 10)}
    always = entity("sun", 10, 10, "tree", ", always: true")
    edit(one, world(entity("a", 10, 10), entity("b", 130, 30), always))
    assert places(one) == {"a": (10, 10), "sun": (10, 10)}


def test_what_the_game_changed_stays(world_on: Make) -> None:
    """A place that the game chose is not the file's to change; a destroyed one stays destroyed."""
    one = world_on(world(entity("a", 10, 10), entity("b", 20, 20), entity("c", 30, 30)))
    one.put(50, 50)
    one.settle()
    one.world.entity("a").position = (70, 70)
    one.world.entity("b").despawn()
    one.world.entity("c").visible = False
    edit(
        one,
        world(
            entity("a", 15, 10, "rock"),
            entity("b", 22, 20, "rock"),
            entity("c", 33, 30, "rock"),
        ),
    )
    assert places(one) == {"a": (70, 70), "c": (33, 30)}
    assert one.world.entity("a").prefab_id == "prefabs/rock.ron"
    assert not one.world.entity("c").visible
    one.put(5050, 5050)
    one.settle()
    one.frame(200)
    one.put(50, 50)
    one.settle()
    assert places(one) == {"a": (70, 70), "c": (33, 30)}


def test_who_comes_back_with_an_edit_is_as_it_was_saved(world_on: Make, tmp_path: Path) -> None:
    """What its save tells is read first, though its cell is there already."""
    path = tmp_path / "slot.sqlite"
    both = world(entity("a", 10, 10), entity("b", 20, 20))
    one = world_on(both, save=path)
    one.put(50, 50)
    one.settle()
    one.world.entity("b").position = (70, 70)
    assert one.world.close().result() == 1
    one.on.edit({"worlds/test.ron": world(entity("a", 10, 10))})
    two = world_on(both, on=one.on, save=path)
    two.put(50, 50)
    two.settle()
    assert places(two) == {"a": (10, 10)}
    edit(two, both)
    assert places(two) == {"a": (10, 10), "b": (70, 70)}


def test_who_has_gone_to_another_cell_follows_its_file(world_on: Make) -> None:
    """The cell that tells of it is edited; it is in another one."""
    one = world_on(world(entity("a", 10, 10), entity("b", 150, 50)))
    one.put(50, 50)
    one.settle()
    one.world.entity("a").position = (160.0, 60.0)
    one.frame(60)
    assert "a" in one.world.live_cells[GridCell(1, 0)].residents
    edit(one, world(entity("a", 10, 10, "rock"), entity("b", 150, 50)))
    assert places(one) == {"a": (160, 60), "b": (150, 50)}
    assert one.world.entity("a").prefab_id == "prefabs/rock.ron"
    # The file tells of it no more. It may tell of it in another cell; and it is not in this one.
    edit(one, world(entity("b", 150, 50)))
    assert places(one) == {"a": (160, 60), "b": (150, 50)}


def test_a_broken_file_changes_nothing(world_on: Make) -> None:
    """The last good world stays; the next good save heals."""
    one = world_on(world(entity("a", 10, 10)))
    one.put(50, 50)
    one.settle()
    edit(one, "World(entities: [(prefab")
    assert places(one) == {"a": (10, 10)}
    edit(one, world(entity("a", 12, 10)))
    assert places(one) == {"a": (12, 10)}


def test_an_edit_while_cells_come_and_go(world_on: Make) -> None:
    """In whatever state a cell is, it has the newest content in the end."""
    many = [entity(f"e{n}", 5 + n % 90, 5 + n // 3 % 90) for n in range(120)]
    one = world_on(world(*many), options={"step_s": 0.0001})
    one.put(50, 50)
    one.until(lambda: one.state(0, 0) is CellState.ACTIVATING)
    one.frame(1)
    assert one.state(0, 0) is CellState.ACTIVATING
    less = [entity(f"e{n}", 6 + n % 90, 5 + n // 3 % 90) for n in range(60)]
    edit(one, world(*less))
    assert len(places(one)) == 60
    assert places(one)["e0"] == (6, 5)
    one.put(5050, 5050)
    one.until(lambda: one.state(0, 0) is CellState.DEACTIVATING)
    one.put(50, 50)
    edit(one, world(*many))
    assert len(places(one)) == 120
    assert places(one)["e0"] == (5, 5)


def test_cells_of_another_size_are_told(world_on: Make, caplog: Any) -> None:
    """That takes opening it again; until then it stays as it was."""
    one = world_on(world(entity("a", 10, 10)))
    one.put(50, 50)
    one.settle()
    edit(one, world(entity("a", 10, 10), entity("b", 60, 60), size=50))
    assert "open it again" in caplog.text
    assert places(one) == {"a": (10, 10)}
