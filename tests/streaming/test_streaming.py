"""Cells near the player are loaded, and others unloaded, whatever the player does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from stage import png

from arcade_prefabs import CellState
from arcade_prefabs.prefab import Collider

Make = Callable[..., Any]

WIDE = range(-8, 8)


def test_what_is_near_is_there_and_nothing_else(
    world_on: Make, text_of: Make, cells_around: Make
) -> None:
    """The cells within the load distance are active, with every entity once."""
    one = world_on(text_of(WIDE, WIDE))
    one.put(30, 40)
    one.settle()
    near = cells_around(30, 40, 150)
    assert one.cells() == near
    assert one.names() == {
        f"{('tree', 'rock')[number % 2]} {column} {row} {number}"
        for column, row in near
        for number in range(3)
    }
    assert len(one.world.live_cells) == len(near)
    assert one.kinds(0, 0) == ["queued", "loading", "ready", "activating", "active"]


def test_an_empty_world_and_a_player_far_from_it(world_on: Make, text_of: Make) -> None:
    """Nothing to load is no error."""
    empty = world_on("World()")
    empty.put(1e8, -1e8)
    empty.settle()
    assert empty.cells() == set()
    assert empty.world.health.value == "good"


def test_statistics_tell_of_nothing_before_the_world_is_open(world_on: Make, text_of: Make) -> None:
    """Every number of them is 0, and grows with what is loaded."""
    one = world_on(text_of(range(-4, 4), range(-4, 4)))
    before = one.world.statistics()
    assert before.live_cells == {}
    assert {value for name, value in before._asdict().items() if name != "live_cells"} == {0}
    one.put(0, 0)
    one.settle()
    after = one.world.statistics()
    assert min(after.entities, after.loads, after.bytes) > 0
    assert after.live_cells[CellState.ACTIVE] > 0


def test_nothing_is_loaded_before_anybody_is_there(world_on: Make, text_of: Make) -> None:
    """Without a position there is nothing to be near to."""
    one = world_on(text_of(WIDE, WIDE))
    one.on.frame(20)
    assert one.world.is_open
    assert len(one.world.live_cells) == 0


def test_straight_flight_has_the_cell_below_active_all_the_way(
    world_on: Make, text_of: Make
) -> None:
    """S1, counted: 6 seconds at 600 px/s over cells of 100 px; the plugin keeps ahead."""
    one = world_on(text_of(range(-4, 44), range(-3, 4)))
    one.put(0, 50)
    one.settle()
    seen: list[CellState] = []
    one.fly(600, 0, 6, lambda: seen.append(one.world.state_at((one.x, one.y))))
    assert set(seen) == {CellState.ACTIVE}
    assert one.x > 3500
    assert one.world.health.value == "good"
    one.settle()
    # Left behind, after their two seconds.
    one.frame(150)
    assert one.state(0, 0) is CellState.UNLOADED
    assert one.world.statistics().unloads >= 30 * 5


def test_fast_flight_looks_ahead(world_on: Make, text_of: Make) -> None:
    """S2: at 24 cells a second the way ahead is wanted farther than to the sides."""
    one = world_on(text_of(range(-4, 120), range(-6, 7), 1))
    one.put(0, 50)
    one.settle()
    seen: list[CellState] = []
    one.fly(2400, 0, 4, lambda: seen.append(one.world.state_at((one.x, one.y))))
    assert set(seen) == {CellState.ACTIVE}
    aim = one.world.player.aim
    assert aim.x > one.x
    assert aim.radius > 150
    column = int(one.x // 100)
    wanted = one.world._open.lifecycle.wanted
    ahead = max(cell.column for cell in wanted) - column
    above = max(cell.row for cell in wanted)
    assert ahead > above >= 1


def test_a_gap_is_told_before_it_is_there(world_on: Make, text_of: Make) -> None:
    """S2: where loading cannot keep up, health says SLOW, then CRITICAL, then there is a gap."""
    one = world_on(text_of(range(-4, 120), range(-3, 4), 1))
    told: list[str] = []
    one.world.add_health_listener(lambda health: told.append(health.value))
    one.put(0, 50)
    one.settle()
    told.clear()
    one.units = 0  # nothing comes from the disk any more
    gaps: list[int] = []

    def look() -> None:
        if one.world.state_at((one.x, one.y)) is not CellState.ACTIVE:
            gaps.append(len(told))

    one.fly(600, 0, 2, look)
    assert gaps[0] == 2
    assert told[:2] == ["slow", "critical"]
    assert one.world.readiness < 0.25
    assert one.world.pace == 1.0
    one.units = None
    one.settle()
    assert told[-1] == "good"


def test_a_listener_that_was_removed_hears_no_more(world_on: Make, text_of: Make) -> None:
    """Of cells or of health; one that was never added may be removed, too."""
    one = world_on(text_of(range(-2, 2), range(-2, 2)))
    heard: list[object] = []
    one.world.add_listener(heard.append)
    one.world.add_health_listener(heard.append)
    one.put(0, 0)
    one.settle()
    assert heard
    heard.clear()
    one.world.remove_listener(heard.append)
    one.world.remove_listener(print)
    one.put(5000, 0)
    one.settle()
    one.frame(200)
    assert len(one.world.live_cells) == 0
    assert heard == []


def test_an_entity_of_the_world_can_lack_a_component(world_on: Make) -> None:
    """The one that says so; others of the same prefab have it."""
    text = """World(cell_size: 100, entities: [
        (prefab: "rock", id: "wall", at: (20, 50)),
        (prefab: "rock", id: "stone", at: (60, 50), remove: [Collider]),
    ])"""
    one = world_on(text)
    one.put(50, 50)
    one.settle()
    assert Collider in one.world.entity("wall")
    assert Collider not in one.world.entity("stone")
    assert [sprite.position for sprite in one.world.walls] == [(20, 50)]


@pytest.mark.parametrize("weight", [True, "3", None])
def test_a_weight_that_is_no_number_is_refused(
    world_on: Make, text_of: Make, weight: object
) -> None:
    """With words of the world, and nothing is added."""
    one = world_on(text_of(range(2), range(2)))
    with pytest.raises(TypeError, match="a weight is a number, not"):
        one.world.add_source((0, 0), weight=weight)
    assert one.world.sources == ()


def test_policies_slow_the_player_down_and_hold_it(world_on: Make, text_of: Make) -> None:
    """`pace` is what the game moves its player with."""
    from arcade_prefabs import StreamingPolicy

    one = world_on(
        text_of(range(-4, 120), range(-3, 4), 1),
        on_slow=StreamingPolicy.SLOW,
        on_critical=StreamingPolicy.HOLD,
    )
    one.put(0, 50)
    one.settle()
    one.units = 0
    paces: list[float] = []

    def fly() -> None:
        paces.append(one.world.pace)

    for _ in range(300):
        one.x += 10 * one.world.pace
        one.frame()
        fly()
    assert one.world.state_at((one.x, one.y)) is CellState.ACTIVE, "it was held before the gap"
    assert any(0.2 <= pace < 1 for pace in paces)
    assert paces[-1] == 0.0
    one.units = None
    one.settle()
    assert one.world.pace == 1.0


def test_jitter_at_an_edge_and_a_corner_loads_nothing(world_on: Make, text_of: Make) -> None:
    """S3: 60 seconds of ±8 px over an edge, and over a corner."""
    one = world_on(text_of(WIDE, WIDE, 1))
    for x, y in ((100.0, 50.0), (100.0, 100.0)):
        one.put(x, y)
        one.settle()
        for number in range(240):  # warm-up
            one.x, one.y = x + (8, -8)[number % 2], y + (8, -8)[number // 2 % 2]
            one.frame()
        before = one.world.statistics()
        for number in range(3600):
            one.x, one.y = x + (8, -8)[number % 2], y + (8, -8)[number // 2 % 2]
            one.frame()
        after = one.world.statistics()
        assert (after.loads, after.unloads) == (before.loads, before.unloads)


def test_turning_round_cancels_what_is_behind_at_once(world_on: Make, text_of: Make) -> None:
    """S5: in the update that sees the turn, loads behind end and the first cell ahead is asked."""
    one = world_on(text_of(range(-60, 60), range(-3, 4), 1))
    one.put(0, 50)
    one.settle()
    one.fly(2000, 0, 1)
    one.units = 0
    one.fly(2000, 0, 0.1)
    waiting = {
        cell
        for cell, live in one.world.live_cells.items()
        if live.state in (CellState.QUEUED, CellState.LOADING)
    }
    assert len(waiting) >= 4
    one.events.clear()
    one.x -= 2000 / 60
    one.frame()
    one.frame()  # tells of it
    cancelled = {event.cell for event in one.events if event.after is CellState.UNLOADED}
    aim = one.world.player.aim
    assert aim.heading is not None
    assert aim.heading[0] < -0.9
    # Far behind is given up; what is still within the circle, which is now behind, comes last.
    left = [
        cell for cell in waiting - cancelled if (cell.column + 0.5) * 100 > aim.x + aim.radius + 100
    ]
    assert left == []
    assert cancelled
    queued = [event.cell for event in one.events if event.after is CellState.QUEUED]
    gone_by = {event.cell.column for event in one.events if event.after is CellState.LOADING}
    assert not queued or min(cell.column for cell in queued) < one.x / 100
    assert gone_by is not None


def test_an_object_of_nine_cells_is_there_once_while_any_of_them_is(world_on: Make) -> None:
    """S15: present from afar, in one instance, gone when all of its cells are."""
    text = """World(cell_size: 100, entities: [
        (prefab: "tree", id: "castle", at: (150, 150), size: (300, 300), scale: (9, 9)),
        (prefab: "rock", id: "stone", at: (50, 50)),
    ])"""
    one = world_on(text)
    seen: list[bool] = []
    one.put(-600, 150)
    one.settle()
    assert one.names() == set()
    one.fly(300, 0, 6, lambda: seen.append("castle" in one.names()))
    assert one.x > 1100
    first = seen.index(True)
    x_first = -600 + 300 * (first + 1) / 60
    assert x_first <= -150  # the cells that it covers begin at 0, and are wanted from 150 px on
    one.frame(200)
    assert one.names() == set()
    assert seen.count(True) == len(seen) - first - list(reversed(seen)).index(True)


def test_two_sources_share_loading_by_their_weights(world_on: Make, text_of: Make) -> None:
    """S16: weights 2:1 load 2:1; removing one unloads only what was its own."""
    one = world_on(text_of(range(-60, 60), range(-3, 4), 1), max_in_flight=1, residency_s=0.0)
    one.put(-4000, 50)
    one.settle()
    other = one.world.add_source((4000, 50), name="other", weight=2.0)
    one.x = -4000
    one.events.clear()
    counts = {"player": 0, "other": 0}
    for _ in range(60):
        one.put(one.x + 50, 50)
        other.jump((other.position[0] - 50, 50))
        one.on.frame(units=6)
        while one.events:
            event = one.events.pop()
            if event.after is CellState.LOADING:
                near = abs((event.cell.column + 0.5) * 100 - one.x) < 1000
                counts["player" if near else "other"] += 1
    assert sum(counts.values()) >= 30
    assert abs(counts["other"] / counts["player"] - 2.0) <= 0.2
    one.settle()
    mine = one.cells()
    other.remove()
    one.settle()
    left = one.cells()
    assert left < mine
    assert {cell for cell in mine if abs((cell[0] + 0.5) * 100 - one.x) < 200} <= left
    assert all(abs((cell[0] + 0.5) * 100 - one.x) < 500 for cell in left)


def test_standing_still_plans_nothing(world_on: Make, text_of: Make, monkeypatch: Any) -> None:
    """S18, counted: no plan and no load as long as nobody moves."""
    one = world_on(text_of(WIDE, WIDE, 1))
    one.put(30, 40)
    one.settle()
    one.frame(60)
    world = one.world._open
    plans: list[float] = []
    before = world.parts.planner.want
    monkeypatch.setattr(
        world.parts.planner, "want", lambda *arguments: (plans.append(1), before(*arguments))[1]
    )
    one.frame(600)
    assert plans == []
    one.x += 60
    one.frame(1)
    assert plans == [1]


class Team:
    """Threads that do a frame's background work side by side; the frame waits for them."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads)
        self._work: Callable[[], bool] | None = None
        self.busy = 0  # the most threads that worked at one time
        self._now = 0
        self._lock = threading.Lock()

    def start(self, work: Callable[[], bool], _gate: Any) -> None:
        self._work = work

    def wake(self) -> None:
        pass

    def pump(self) -> bool:
        return self._work is not None and self._work()

    def _member(self, together: threading.Barrier) -> int:
        assert self._work is not None
        together.wait(20)
        with self._lock:
            self._now += 1
            self.busy = max(self.busy, self._now)
        done = 0
        while self._work():
            done += 1
        with self._lock:
            self._now -= 1
        return done

    def run(self, _units: int | None = None) -> int:
        total = 0
        while True:
            together = threading.Barrier(self._threads)
            each = [self._pool.submit(self._member, together) for _ in range(self._threads)]
            done = sum(one.result(20) for one in each)
            total += done
            if not done:
                return total

    def stop(self, _seconds: float) -> bool:
        self._pool.shutdown()
        return True


def test_one_worker_or_four_give_the_same_events(world_on: Make, text_of: Make) -> None:
    """S20: real threads, which finish in any order; the log of events is the same."""
    logs, most = [], []
    for threads in (1, 4, 4):
        text = text_of(range(-20, 20), range(-6, 7), 2)
        team = Team(threads)
        one = world_on(text, options={"executor": team})
        one.put(-1500, 50)
        one.settle()
        one.fly(900, 120, 2)
        one.fly(-700, -300, 1)
        logs.append([tuple(event) for event in one.events])
        most.append(team.busy)
        one.close()
        one.on.close()
    assert most[0] == 1
    assert most[1] > 1
    assert len(logs[0]) > 200
    assert logs[0] == logs[1] == logs[2]


@pytest.mark.long
def test_budget_of_a_world(world_on: Make, text_of: Make) -> None:
    """`budget_ms` holds building back, whatever the plugin's own budget leaves."""
    needed = []
    for budget in (None, 0.1):
        one = world_on(text_of(WIDE, WIDE, 60), options={"step_s": 20e-6}, budget_ms=budget)
        one.put(30, 40)
        frames = 0
        while one.world.busy or not one.world.is_open:
            one.frame()
            frames += 1
        needed.append(frames)
        one.close()
        one.on.close()
    assert needed[1] > 2 * needed[0]


class SlowGame:
    """A game in a window whose `on_draw` takes so long, in the world of a stage."""

    def __init__(self, one: Any, game_s: float) -> None:
        self.one = one
        self.game_s = game_s
        self.clock = one.on.clock
        self.draw = lambda: self.clock.advance(self.game_s)
        one.on.window.push_handlers(on_draw=self.draw)

    def frame(self, wanted_s: float = 1 / 60) -> None:
        one, clock, began = self.one, self.clock, self.clock()
        one.world.update_player_position((one.x, one.y))
        one.on.window.dispatch_events()
        one.on.window._dispatch_frame(wanted_s)
        one.on.executor.run()
        clock.advance(max(0.0, began + wanted_s - clock()))

    def fill(self) -> float:
        """Returns the seconds until all cells are active."""
        began = self.clock()
        while self.one.world.busy or len(self.one.cells()) < 9:
            self.frame()
            assert self.clock() - began < 200
        return float(self.clock() - began)

    def close(self) -> None:
        self.one.on.window.remove_handlers(on_draw=self.draw)
        self.one.close()
        self.one.on.close()


def slow_game(world_on: Make, text_of: Make, game_s: float) -> SlowGame:
    """Makes a game with nine cells of 150 entities; a reading of its clock advances it by 60 µs."""
    options = {"step_s": 60e-6, "enabled": True}
    one = world_on(text_of(range(1, 4), range(1, 4), 150), options=options)
    one.put(250, 250)
    return SlowGame(one, game_s)


def test_world_fills_as_soon_at_ten_frames_a_second_as_at_sixty(
    world_on: Make, text_of: Make
) -> None:
    """A game that is late anyway gives more of each frame, and its frames grow by 2 %."""
    took = {}
    for frames, game_s in ((60, 0.016), (30, 0.033), (10, 0.1)):
        game = slow_game(world_on, text_of, game_s)
        took[frames] = game.fill()
        began = game.clock()
        game.frame()
        assert game.clock() - began <= max(game_s * 1.03, 1 / 60 + 0.0002)
        game.close()
    assert took[30] < took[60]
    assert took[10] < took[60]


def test_game_that_needs_its_frame_is_given_it_and_filled_soon_after(
    world_on: Make, text_of: Make
) -> None:
    """S19: at 16 of 16.7 ms each frame has its step and is in time; then, 1 s to the full rate."""
    game = slow_game(world_on, text_of, 0.016)
    for _ in range(20):  # until the world is open, and what steps cost is known
        game.frame()
    late = 0
    for _ in range(120):
        began = game.clock()
        game.frame()
        late += game.clock() - began > 1 / 60 + 0.0005
        assert game.one.prefabs.report.steps >= 1
    assert late <= 6
    game.game_s = 0.004
    for _ in range(60):
        game.frame()
    assert game.one.prefabs.loader.budget.seconds == 0.002
    game.fill()
    game.close()


def test_a_sprite_larger_than_its_cell_is_told(world_on: Make, caplog: Any) -> None:
    """It would go while it can still be seen: its author is told how to prevent that, once."""
    large = {
        "images/wide.png": png((9, 9, 9), (300, 20)),
        "prefabs/wide.ron": 'Prefab(components: [Sprite(texture: "images/wide.png")])',
    }
    rows = '(prefab: "wide", at: (50, 50)), (prefab: "wide", at: (60, 60))'
    one = world_on(f"World(cell_size: 100, entities: [{rows}])", large)
    one.put(50, 50)
    one.settle()
    assert caplog.text.count("prefabs/wide.ron") == 1
    assert "size: (300, 20)" in caplog.text
    one.close()
    one.on.close()
    told = '(prefab: "wide", at: (50, 50), size: (300, 20))'
    two = world_on(f"World(cell_size: 100, entities: [{told}])", large)
    caplog.clear()
    two.put(50, 50)
    two.settle()
    assert "wide" in str(list(two.world.entities()))
    assert "wide" not in caplog.text


def test_the_same_seed_gives_the_same_events(world_on: Make, text_of: Make) -> None:
    """S20: however many units the workers do between two frames' ends, events are the same."""
    logs = []
    for _ in range(2):
        one = world_on(text_of(range(-30, 30), range(-6, 7), 2))
        one.put(-2000, 50)
        one.settle()
        one.fly(900, 120, 3)
        one.fly(-700, -300, 2)
        logs.append([tuple(event) for event in one.events])
        one.close()
        one.on.close()
    assert len(logs[0]) > 200
    assert logs[0] == logs[1]
