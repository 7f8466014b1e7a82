"""Streaming when something is missing, broken, slow or too large."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arcade
import pytest

from arcade_prefabs import (
    CellState,
    PreloadError,
    PreloadTimeoutError,
    SaveError,
    StreamingError,
)
from arcade_prefabs.pipeline import GridCell, WorldEntity
from arcade_prefabs.prefab.builtin import Sprite

Make = Callable[..., Any]
WIDE = range(-8, 8)


class Code:
    """A cell source some of whose cells fail."""

    cell_size = 100.0
    layers = ("ground", "things")

    def __init__(self, each: int = 2, broken: Callable[[GridCell], bool] = lambda _: False) -> None:
        self.each = each
        self.broken = broken

    def entities(self, cell: GridCell) -> Any:
        if self.broken(cell):
            raise OSError(f"no way to make {cell}")
        for number in range(self.each):
            x = (cell.column + (number + 0.5) / self.each) * 100
            yield WorldEntity("", ("tree", "rock")[number % 2], x, (cell.row + 0.5) * 100)


def test_broken_cells_are_listed_and_the_rest_is_there(world_on: Make, caplog: Any) -> None:
    """S17: a tenth of the cells cannot be made; a placeholder stands in each."""
    one = world_on(Code(2, lambda cell: (cell.column + cell.row) % 5 == 0))
    one.put(30, 40)
    one.settle()
    failed = one.cells(CellState.FAILED)
    active = one.cells()
    assert failed == {cell for cell in failed | active if sum(cell) % 5 == 0}
    assert len(failed) >= 2
    assert len(active) >= 10
    assert set(one.world.failures) == {
        live.label for live in one.world.live_cells.values() if live.error
    }
    assert "no way to make" in caplog.text
    for live in one.world.live_cells.values():
        if live.error is not None:
            assert isinstance(live.error, OSError)
            assert len(live.lists.of("default")[0]) == 1
    assert one.world.health.value == "good"  # what fails does not come, however slowly one goes
    one.put(5000, 5000)
    one.settle()
    one.frame(200)
    assert all(abs(live.cell.column - 50) < 5 for live in one.world.live_cells.values())


def test_missing_prefab_leaves_a_placeholder_and_comes_when_its_file_does(
    world_on: Make, text_of: Make
) -> None:
    """The others of the cell are there; the entity follows once its prefab can be loaded."""
    text = """World(cell_size: 100, entities: [
        (prefab: "ghost", id: "casper", at: (50, 50)),
        (prefab: "tree", id: "oak", at: (60, 60)),
    ])"""
    one = world_on(text)
    one.put(50, 50)
    one.settle()
    assert one.names() == {"oak"}
    assert one.state(0, 0) is CellState.ACTIVE
    failure = one.world.failures["casper"]
    assert (failure.prefab, failure.cell) == ("prefabs/ghost.ron", GridCell(0, 0))
    [live] = one.world.live_cells.values()
    assert sum(len(lists) for lists in live.lists.all()) == 2
    one.on.edit({"prefabs/ghost.ron": 'Prefab(components: [Sprite(texture: "images/tree.png")])'})
    handle = one.prefabs.load("ghost")
    one.until(lambda: handle.done)
    one.frame(10)
    assert one.names() == {"oak", "casper"}
    assert one.world.failures == {}
    assert sum(len(lists) for lists in live.lists.all()) == 2


def test_a_prefab_that_many_need_is_told_once(world_on: Make, caplog: Any) -> None:
    """All entities that cannot be there are listed, and the log has one line of them."""
    ghosts = [f'(prefab: "ghost", id: "g{n}", at: ({10 * n}, 50))' for n in range(5)]
    one = world_on(f"World(cell_size: 100, entities: [{', '.join(ghosts)}])")
    one.put(50, 50)
    one.settle()
    assert set(one.world.failures) == {f"g{n}" for n in range(5)}
    assert caplog.text.count(" in c0_0 cannot") == 1


@pytest.mark.parametrize(
    "position", [(math.nan, 0), (0, math.inf), (-math.inf, math.nan), (1e300, 0)]
)
def test_places_that_are_none_are_refused(world_on: Make, position: Any) -> None:
    """NaN and infinity are errors where they are told, and change nothing."""
    one = world_on(Code())
    one.put(30, 40)
    one.settle()
    before = one.cells()
    for call in (
        one.world.teleport,
        one.world.player.jump,
        one.world.add_source,
        one.world.state_at,
        lambda place: one.world.add("tree", place),
        lambda place: one.world.entities_near(place, 10),
    ):
        with pytest.raises(ValueError, match="position"):
            call(position)
    one.settle()
    assert one.cells() == before
    assert len(one.world.sources) == 1


def test_a_size_is_two_numbers_above_zero(world_on: Make) -> None:
    """Of a pixel or less, too; anything else is refused, and nothing is added."""
    one = world_on(Code())
    one.put(30, 40)
    one.settle()
    before = one.names()
    for size in ((0, 1), (1, 0), (-1, 1), (math.nan, 1), (1, math.inf), 5, (1, 2, 3), ("a", 1)):
        with pytest.raises(ValueError, match="both above 0"):
            one.world.add("tree", (50, 50), name="thin", size=size)
    one.world.add("tree", (50, 50), name="thin", size=(0.5, 0.25))
    one.settle()
    assert one.names() - before == {"thin"}


@pytest.mark.parametrize(
    "position", [(math.nan, 0), (0, math.inf), (-math.inf, math.nan), (1e300, 0)]
)
def test_a_player_that_is_nowhere_for_a_frame_stays_where_it_was(
    world_on: Make, position: Any, caplog: Any
) -> None:
    """A physics engine may give NaN: the last good position stays, and the log says it once."""
    one = world_on(Code())
    one.put(30, 40)
    one.settle()
    before = one.cells()
    for _ in range(3):
        one.world.update_player_position(position)
        one.on.frame()
    assert one.world.player.position == (30, 40)
    assert one.world.player.velocity == (0, 0)
    one.settle()
    assert one.cells() == before
    told = [text for text in caplog.messages if "which is no position" in text]
    assert len(told) == 1
    assert "'player'" in told[0]
    one.frame()
    one.fly(60, 0, 0.2)
    assert one.world.player.position == pytest.approx((42, 40))


def test_what_is_no_pair_of_numbers_is_no_position(world_on: Make) -> None:
    """That is a mistake of the call, and not of one frame."""
    one = world_on(Code())
    for wrong, error in (
        ("ab", TypeError),
        ((1,), ValueError),
        ((1, None), TypeError),
        (5, TypeError),
    ):
        with pytest.raises(error, match="a position is"):
            one.world.update_player_position(wrong)
    with pytest.raises(ValueError, match="a position is"):
        one.world.update_player_position((10**400, 0))


def bad_cameras() -> dict[str, Any]:
    """Returns cameras with values that a game may set for a frame, by what is wrong with them."""
    made = {
        "position NaN": arcade.Camera2D(position=(math.nan, 0)),
        "position infinite": arcade.Camera2D(position=(0, math.inf)),
        "position beyond floats": arcade.Camera2D(position=(1e300, 0)),
        "zoom NaN": arcade.Camera2D(zoom=math.nan),
        "no viewport": arcade.Camera2D(viewport=arcade.LBWH(0, 0, 0, 0)),
        "a zoom near 0": arcade.Camera2D(zoom=1e-20),
        "a zoom nearer to 0": arcade.Camera2D(zoom=1e-300),
        "NaN turned": arcade.Camera2D(),
    }
    made["NaN turned"].angle = math.nan
    return made


def test_a_camera_that_is_nowhere_for_a_frame_changes_nothing(world_on: Make, caplog: Any) -> None:
    """Drawing and planning go on with the last view that was one, and the log says it once."""
    one = world_on(Code(), load_distance=None)
    one.world.overlay.visible = True
    camera = arcade.Camera2D()
    one.put(30, 40)

    def frame(camera: arcade.Camera2D) -> None:
        one.frame()
        with camera.activate():
            one.world.draw()

    frame(camera)
    one.settle()
    before, distance = one.cells(), one.world.load_distance
    for what, bad in bad_cameras().items():
        for _ in range(3):
            frame(bad)
            assert one.world.load_distance == distance, what
    one.frame(200)  # longer than cells stay that nobody needs
    assert one.cells() == before
    assert len([text for text in caplog.messages if "whose view is no area" in text]) == 1
    frame(arcade.Camera2D(zoom=0.5))
    assert one.world.load_distance == pytest.approx(2 * distance)


def test_a_world_that_is_opened_under_a_bad_camera_has_the_view_of_its_window(
    world_on: Make, stage: Any
) -> None:
    """There is no better view yet."""
    with arcade.Camera2D(position=(math.nan, 0)).activate():
        one = world_on(Code(), load_distance=None)
    assert one.world.load_distance == pytest.approx(math.hypot(*one.on.window.size) / 2)
    one.settle()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"load_distance": 0}, ValueError),
        ({"load_distance": -1.0}, ValueError),
        ({"load_distance": math.nan}, ValueError),
        ({"load_distance": "far"}, TypeError),
        ({"load_distance": 200, "unload_distance": 200}, ValueError),
        ({"load_distance": 200, "unload_distance": 100}, ValueError),
        ({"max_in_flight": 0}, ValueError),
        ({"max_in_flight": 1.5}, TypeError),
        ({"memory_limit": -1}, ValueError),
        ({"residency_s": -1}, ValueError),
        ({"slow": 0.1, "critical": 0.5}, ValueError),
        ({"on_slow": "hold"}, TypeError),
        ({"lod_distance": 3}, TypeError),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    world_on: Make, wrong: dict[str, Any], error: type[Exception]
) -> None:
    """Where they are given, not frames later."""
    with pytest.raises(error):
        world_on(Code(), **{"load_distance": None, **wrong})


def test_a_world_that_is_missing_or_broken_tells_why(world_on: Make, caplog: Any) -> None:
    """The game goes on; whoever awaits the world gets the reason."""
    one = world_on("World(entities: [(prefab: 7)])")
    errors: list[Exception] = []

    async def wait() -> None:
        try:
            await one.world.opened()
        except Exception as error:
            errors.append(error)

    one.prefabs.start(wait())
    request = one.world.preload((0, 0, 100, 100))
    one.frame(20)
    assert "worlds/test.ron:1:" in str(errors[0])
    assert "cannot be opened" in caplog.text
    assert isinstance(request.error, PreloadError)
    assert not one.world.busy
    with pytest.raises(StreamingError, match="could not be opened"):
        one.world.add("tree", (0, 0))
    one.world.draw()
    none = world_on(Code(), on=one.on)
    none.settle()
    with pytest.raises(TypeError, match="entities"):
        world_on(object(), on=one.on)


def test_slow_disk_does_not_pile_up(world_on: Make, text_of: Make) -> None:
    """S10: hardly anything is read; what is in flight stays within its limit, and health tells."""
    one = world_on(text_of(range(-4, 60), range(-3, 4), 1))
    one.put(0, 50)
    one.settle()
    one.units = 0
    flying: list[int] = []

    def look() -> None:
        counts = one.world.statistics().live_cells
        flying.append(counts[CellState.LOADING] + counts[CellState.READY])

    one.fly(600, 0, 1, look)
    assert one.world.health.value != "good"
    assert max(flying) <= 4
    assert len(one.world.live_cells) < 80


def test_memory_limit_takes_the_far_and_shrinks_the_circle(world_on: Make, caplog: Any) -> None:
    """S11: what is not needed goes first; a needed set that is too large is cut, and says so."""
    one = world_on(Code(20), load_distance=250.0, memory_limit=2_000_000)
    one.put(50, 50)
    one.settle()
    full = one.world.statistics()
    assert full.left_out == 0
    each = full.bytes // len(one.world.live_cells)
    one.close()
    limit = each * 9
    two = world_on(Code(20), load_distance=250.0, memory_limit=limit, on=one.on)
    two.put(50, 50)
    two.settle()
    assert two.world.statistics().bytes <= limit + each
    assert two.world.statistics().left_out > 0
    assert (0, 0) in two.cells()
    assert "no memory for" in caplog.text
    before = two.world.statistics()
    two.frame(600)
    after = two.world.statistics()
    assert (after.loads, after.unloads) == (before.loads, before.unloads)
    peak: list[int] = []
    two.fly(200, 90, 8, lambda: peak.append(two.world.statistics().bytes))
    assert max(peak) <= limit + 2 * each
    assert two.world.state_at((two.x, two.y)) is CellState.ACTIVE


def test_over_the_memory_limit_the_farthest_cells_go_before_their_time(world_on: Make) -> None:
    """Cells that would stay for a while after the player has left make room for wanted ones."""
    one = world_on(Code(30), load_distance=110.0)
    one.put(50, 50)
    one.settle()
    limit = round(one.world.statistics().bytes * 1.5)
    near, far = one.cells(), (950, 50)
    one.close()
    two = world_on(Code(30), on=one.on, load_distance=110.0, memory_limit=limit, residency_s=600.0)
    two.put(50, 50)
    two.settle()
    assert two.cells() == near
    two.put(*far)
    two.settle()
    there = two.cells()
    assert {(column + 9, row) for column, row in near} <= there
    stayed = {column for column, _ in there & near}
    gone = {column for column, _ in near - there}
    assert gone
    assert min(stayed, default=9) >= max(gone)
    assert two.world.statistics().bytes <= limit


def test_teleport_into_a_broken_cell_times_out_and_cancels(world_on: Make) -> None:
    """S7: the caller gets the reason; the world goes on where the player is."""
    one = world_on(Code(2, lambda cell: cell.column == 50))
    one.put(50, 50)
    one.settle()
    before = one.cells()
    errors: list[Any] = []
    request = one.world.teleport((5050, 50), on_done=lambda one: errors.append(one.error))
    one.until(lambda: request.done)
    assert errors == [request.error]
    assert set(request.error.failures) == {"c50_m1", "c50_0", "c50_1"}
    assert "no way to make" in str(request.error)
    assert one.world.player.position == (50.0, 50.0)
    with pytest.raises(PreloadError, match="c50_"):
        request.result()

    one.units = 0
    late = one.world.teleport((9050, 50), timeout_s=0.5)
    one.frame(29)
    assert not late.done
    one.frame(5)
    assert isinstance(late.error, PreloadTimeoutError)
    assert isinstance(late.error, TimeoutError)
    assert "0 of 9 cells" in str(late.error)

    given_up = one.world.teleport((7050, 50), on_done=lambda _: errors.append("called"))
    one.frame(2)
    assert given_up.cancel()
    assert not given_up.cancel()
    one.frame(2)
    assert len(errors) == 1
    one.units = None
    one.settle()
    one.frame(200)
    assert one.cells() == before


def test_teleport_to_far_points(world_on: Make) -> None:
    """S6, counted: resolves with the 3 × 3 cells active, each within 32 frames."""
    one = world_on(Code(4))
    one.put(50, 50)
    one.settle()
    frames: list[int] = []
    arrived: list[tuple[float, float]] = []
    for number in range(50):
        place = (10_000.0 * number + 50, -7_000.0 * number + 50)

        async def go(place: tuple[float, float] = place) -> None:
            await one.world.teleport(place)
            arrived.append(one.world.player.position)
            one.x, one.y = place

        script = one.prefabs.start(go())
        count = 0
        while not script.done:
            one.frame()
            count += 1
            assert count < 100
        frames.append(count)
        column, row = int(place[0] // 100), int(place[1] // 100)
        square = {(column + x, row + y) for x in (-1, 0, 1) for y in (-1, 0, 1)}
        assert square <= one.cells()
        assert arrived[-1] == place
    assert max(frames) <= 32


def test_preload_keeps_its_area_for_a_while(world_on: Make) -> None:
    """A lease ends; then the area goes, for nobody is near."""
    one = world_on(Code(2))
    one.put(50, 50)
    one.settle()
    seen: list[float] = []
    request = one.world.preload((3010, 10, 3290, 90), lease_s=3.0)
    while not request.done:
        one.frame()
        seen.append(request.progress)
    assert request.result() is None
    assert seen == sorted(seen)
    assert {(30, 0), (31, 0), (32, 0)} <= one.cells()
    one.frame(170)
    assert {(30, 0), (31, 0), (32, 0)} <= one.cells()
    one.frame(60)
    assert one.state(31, 0) is CellState.UNLOADED
    assert (0, 0) in one.cells()
    for wrong in ((0, 0, -1, 5), (0, 0, math.nan, 5)):
        with pytest.raises(ValueError, match="area"):
            one.world.preload(wrong)
    with pytest.raises(TypeError, match="area"):
        one.world.preload("all")
    huge = one.world.preload((0, 0, 1e8, 1e8))
    one.frame(2)
    assert "10,000 at most" in str(huge.error)


def test_monster_cell_does_not_delay_its_neighbours(world_on: Make) -> None:
    """S9, counted: 2,000 entities come in many slices; the cells around are there long before."""

    class Monster(Code):
        def entities(self, cell: GridCell) -> Any:
            self.each = 2000 if cell == GridCell(0, 0) else 2
            return list(super().entities(cell))

    one = world_on(Monster(), options={"step_s": 0.00005})
    one.put(50, 50)
    one.until(lambda: len(one.cells()) >= 8, 300)
    assert one.state(0, 0) is not CellState.ACTIVE
    reports = []
    while one.state(0, 0) is not CellState.ACTIVE:
        one.frame()
        reports.append(one.prefabs.report)
    assert len(reports) > 10
    assert len(one.names()) >= 2000 + 16
    assert max(report.spent_s for report in reports) <= 0.003


def test_a_game_that_takes_the_whole_frame_starves_nothing(world_on: Make) -> None:
    """S19: with no time left, a step a frame is still run; then it goes on at full rate."""
    one = world_on(Code(30), options={"step_s": 0.00005})
    one.on.prefabs.budget_ms = 0.01
    one.put(50, 50)
    before = len(one.world.live_cells)
    one.frame(200)
    assert len(one.world.live_cells) > before
    assert one.cells()
    one.on.prefabs.budget_ms = 2.0
    one.until(lambda: len(one.cells()) >= 9, 60)


def test_code_that_makes_nonsense_fails_its_cell_alone(world_on: Make) -> None:
    """Wrong types, NaN, the same id twice: an error that names it."""

    class Nonsense(Code):
        def entities(self, cell: GridCell) -> Any:
            return {
                0: lambda: super(Nonsense, self).entities(cell),
                1: lambda: [("tree", 1, 2)],
                2: lambda: [WorldEntity("", "tree", math.nan, 0)],
                3: lambda: [WorldEntity("x", "tree", 310, 0), WorldEntity("x", "tree", 320, 0)],
                4: lambda: [WorldEntity("", "../../etc/passwd", 410, 0)],
                5: lambda: 7,
            }.get(cell.column, list)()

    one = world_on(Nonsense(), load_distance=700.0)
    one.put(300, 50)
    one.settle()
    for column, text in ((1, "WorldEntity"), (2, "finite"), (3, "'x'"), (4, ".."), (5, "iterable")):
        live = one.world.live_cells[GridCell(column, 0)]
        assert live.state is CellState.FAILED
        assert text in str(live.error), live.error
    assert one.state(0, 0) is CellState.ACTIVE


def test_calls_in_any_order_are_errors_or_nothing(world_on: Make, caplog: Any) -> None:
    """Before it is open, twice, and after the end."""
    caplog.set_level(logging.ERROR)
    one = world_on(Code())
    with pytest.raises(StreamingError, match="being opened"):
        one.world.add("tree", (0, 0))
    with pytest.raises(StreamingError, match="without a save"):
        one.world.save()
    assert one.world.entity("x") is None
    assert one.world.entities_near((0, 0), 100) == []
    one.world.draw()
    one.put(50, 50)
    one.settle()
    one.world.close()
    one.world.close()
    assert one.prefabs.worlds == ()
    with pytest.raises(StreamingError, match="closed"):
        one.world.draw()
    with pytest.raises(StreamingError, match="closed"):
        one.world.update_player_position((0, 0))
    one.on.frame(3)
    assert len(one.prefabs.entities) == 0
    assert caplog.text == ""


def test_cells_too_small_for_the_view_are_told(world_on: Make, caplog: Any) -> None:
    """Thousands of cells around a player are no circle that frames can afford."""
    one = world_on(Code(1), load_distance=20_000.0)
    one.put(50, 50)
    one.frame(3)
    assert 3_000 < len(one.world.live_cells) < 4_000
    assert caplog.text.count("too small for a load distance of 20000") == 1
    one.world.set_distances(150.0)
    one.frame(3)
    one.settle()
    assert len(one.cells()) < 30


def test_code_that_ends_its_thread_fails_its_cell_alone(world_on: Make, caplog: Any) -> None:
    """`sys.exit` in a loader thread would end that; two cells with one id are told."""

    class Ends(Code):
        def entities(self, cell: GridCell) -> Any:
            if cell.column == 0:
                raise SystemExit("enough")
            yield WorldEntity("same", "tree", cell.column * 100 + 50, cell.row * 100 + 50)

    one = world_on(Ends(), load_distance=60.0)
    one.put(50, 50)
    one.settle()
    assert one.state(0, 0) is CellState.FAILED
    assert "SystemExit" in str(one.world.failures["c0_0"].error)
    assert one.names() == {"same"}
    assert "the entity 'same'" in caplog.text


@pytest.mark.parametrize("save", [True, False])
def test_a_save_in_slices_ends_with_the_world(
    world_on: Make, text_of: Make, tmp_path: Path, save: bool
) -> None:
    """Whoever awaits it is told how it went, also if the world is closed meanwhile."""
    one = world_on(text_of(range(-3, 3), range(-3, 3)), save=tmp_path / "slot.sqlite")
    one.put(50, 50)
    one.settle()
    for entity in list(one.world.entities())[:3]:
        entity.angle = 20
    request = one.world.save()
    assert not request.done
    one.world.close(save=save)
    assert request.done
    if save:
        assert request.result() == 3
    else:
        assert request.entities == 0
        with pytest.raises(SaveError, match="closed without"):
            request.result()
    one.on.frame(5)


@pytest.mark.parametrize("leaving", [False, True])
def test_cells_on_their_way_end_with_the_world(world_on: Make, caplog: Any, leaving: bool) -> None:
    """Cells that are half built or half gone: no step of theirs follows, and nothing stays."""
    one = world_on(Code(200), options={"step_s": 0.001}, load_distance=60.0, residency_s=0.0)
    state = CellState.ACTIVATING
    one.put(50, 50)
    if leaving:
        one.settle()
        state = CellState.DEACTIVATING
        one.put(5050, 50)
    one.until(lambda: one.cells(state))
    one.close()
    one.on.frame(60)
    assert len(one.prefabs.entities) == 0
    assert not one.prefabs.busy
    assert caplog.text == ""


@pytest.mark.parametrize("where", ["listener", "hook", "arrival"])
def test_a_world_is_closed_from_within(
    world_on: Make, text_of: Make, where: str, caplog: Any
) -> None:
    """By what it calls itself, in the middle of its work: nothing stays, nothing fails."""
    one = world_on(text_of(range(-3, 3), range(-3, 3)))
    close = one.world.close
    if where == "listener":
        one.world.add_listener(lambda event: event.after is CellState.ACTIVE and close())
    elif where == "hook":
        one.prefabs.entities.on_spawn(Sprite)(lambda _entity, _sprite: close())
    else:
        one.world.preload((0, 0, 50, 50), on_done=lambda _: close())
    one.put(50, 50)
    one.on.frame(60)
    assert one.world.closed
    assert len(one.prefabs.entities) == 0
    assert "failed" not in caplog.text
