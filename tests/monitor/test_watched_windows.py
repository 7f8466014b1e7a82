"""The monitor around windows: whatever drives them, and whatever else looks at them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import arcade
import pyglet
import pytest

import arcade_prefabs
from arcade_prefabs import FrameMonitor, FrameRateError, HitchCause, PluginError
from arcade_prefabs.pipeline import AssetPipeline, MemorySource
from arcade_prefabs.testing import assert_fps, play_window

RATE = 1 / 64
STALL_S = 0.04


class Game(arcade.View):
    """Counts its updates, and does in one of them what a test wants."""

    def __init__(self, at: int = -1, what: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.updates = 0
        self.at = at
        self.what = what

    def on_update(self, delta_time: float) -> None:
        self.updates += 1
        if self.updates == self.at:
            self.what()

    def on_draw(self) -> None:
        self.clear()


def test_arcade_s_own_timings_are_taken_beside_it(window: arcade.Window) -> None:
    """They put another method into the class, after ours was put into the instance."""
    window.show_view(Game())
    monitor = arcade_prefabs.watch_frames(window)
    arcade.enable_timings()
    try:
        play_window(window, seconds=0.5, rate=RATE)
        assert {"on_update", "on_draw"} <= set(arcade.get_timings())
        assert arcade.get_fps() > 1
    finally:
        arcade.disable_timings()
        monitor.close()
    assert monitor.summary().frames > 1


def by_arcade(window: arcade.Window, count: int) -> None:
    window.test(count)


def by_hand(window: arcade.Window, count: int) -> None:
    for _ in range(count):
        window.dispatch_events()
        window._dispatch_frame(RATE)


@pytest.mark.parametrize("drive", [by_arcade, by_hand])
def test_loops_that_are_not_pyglet_s_are_measured(
    window: arcade.Window,
    monkeypatch: pytest.MonkeyPatch,
    drive: Callable[[arcade.Window, int], None],
) -> None:
    """There events wait in a queue of the window, and what they take is no waiting."""
    monkeypatch.setattr(pyglet.window.Window, "_enable_event_queue", True)
    game = Game(15, lambda: time.sleep(STALL_S))
    window.show_view(game)
    monitor = arcade_prefabs.watch_frames(window)
    drive(window, 24)
    monitor.close()
    assert game.updates > 20
    frames = monitor.frames()
    assert len(frames) > 20
    assert max(one.update for one in frames) >= STALL_S
    assert HitchCause.UPDATE in {one.cause for one in monitor.hitches}


def test_a_slow_frame_rate_is_judged_by_itself(stage: Any) -> None:
    """Nothing is late in a game of 20 frames a second that is asked for 20."""
    one = stage({})
    one.window.show_view(Game())
    late: list[object] = []
    plugin = one.prefabs
    plugin.monitor.add_listener(late.append)
    monitor = assert_fps(one.window, 20, seconds=0.8, warm_up_s=0.1, on_time=0.5)
    assert monitor is plugin.monitor
    assert len(late) < 5
    assert monitor.fps == 60
    assert monitor.hitch_s == pytest.approx(1.5 / 60)


def test_a_rate_that_is_missed_is_reported_by_itself(window: arcade.Window) -> None:
    """Not by the sixty that was never asked for."""
    window.show_view(Game())
    monitor = arcade_prefabs.watch_frames(window)
    play_window(window, seconds=0.6, rate=1 / 40)
    with pytest.raises(FrameRateError, match=r"within 5\.0 ms"):
        monitor.assert_fps(200)
    monitor.close()


def test_a_game_that_ends_at_once_holds_no_rate(window: arcade.Window) -> None:
    """However quick its few frames were."""
    window.show_view(Game(30, pyglet.app.exit))
    with pytest.raises(FrameRateError, match="was played for"):
        assert_fps(window, 30, seconds=5, warm_up_s=0.1, on_time=0)


def test_a_window_that_its_game_closes_is_not_played_on(window: arcade.Window) -> None:
    """Nor one that was closed before; another one is open all the while."""
    one = arcade.Window(64, 64, "closes itself")
    game = Game(3, one.close)
    one.show_view(game)
    play_window(one, seconds=5, rate=RATE)
    updates = game.updates
    assert updates <= 4  # Arcade may do one more by itself
    with pytest.raises(PluginError, match="the window is closed"):
        play_window(one, seconds=0.1)
    with pytest.raises(PluginError, match="the window is closed"):
        assert_fps(one, 30, seconds=0.1)
    arcade.set_window(window)
    play_window(window, seconds=0.1, rate=RATE)
    assert game.updates == updates


def test_a_closed_monitor_watches_no_window(window: arcade.Window) -> None:
    """It would tell half of what happens, and not say so."""
    monitor = FrameMonitor()
    monitor.close()
    before = set(vars(window))
    with pytest.raises(PluginError, match="the monitor is closed"):
        arcade_prefabs.watch_frames(window, monitor)
    assert set(vars(window)) == before


def test_a_monitor_watches_one_window(window: arcade.Window) -> None:
    """It would count the frames of both as its own, or none."""
    monitor = arcade_prefabs.watch_frames(window)
    before = set(vars(window))
    for _ in range(2):
        with pytest.raises(PluginError, match="watches a window"):
            arcade_prefabs.watch_frames(window, monitor)
    with (
        AssetPipeline(MemorySource({}), jobs=0) as pipeline,
        pytest.raises(PluginError, match="watches a window"),
    ):
        arcade_prefabs.attach(window, pipeline, monitor=monitor)
    assert set(vars(window)) == before
    monitor.close()
    assert "flip" not in vars(window)


def test_a_window_s_own_monitor_asks_for_what_the_window_asks_for(window: arcade.Window) -> None:
    """Whenever the game changes its mind; never for more than 60."""
    before = window._update_rate, window._draw_rate
    monitor = arcade_prefabs.watch_frames(window)
    given = FrameMonitor(50)
    try:
        window.set_update_rate(1 / 240)
        window.set_draw_rate(1 / 30)
        assert (monitor.fps, monitor.hitch_s) == (pytest.approx(30), pytest.approx(0.05))
        window.set_draw_rate(1 / 144)
        assert monitor.fps == 60
        monitor.close()
        arcade_prefabs.watch_frames(window, given)
        window.set_draw_rate(1 / 30)
        assert given.fps == 50
    finally:
        monitor.close()
        given.close()
        window.set_draw_rate(before[1])
        window.set_update_rate(before[0])
    assert "set_draw_rate" not in vars(window)


def test_the_report_of_a_game_is_there_when_it_is_over(stage: Any) -> None:
    """`arcade.run()` comes back once the window is closed, and that is when one asks."""
    one = stage({"prefabs/box.ron": "Prefab()"})
    one.spawn("box")
    one.prefabs.detach()
    facts = one.prefabs.frame_report().facts
    assert facts["entities"] == 1
    with pytest.raises(PluginError):
        one.prefabs.memory()


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"seconds": -1.0},
        {"seconds": 0.1, "rate": 60.0},
    ],
)
def test_a_play_without_an_end_is_refused(window: arcade.Window, wrong: dict[str, float]) -> None:
    """A rate is seconds, not frames."""
    with pytest.raises(ValueError, match=r"seconds|at most"):
        play_window(window, **wrong)


def test_what_cannot_be_asserted_is_refused_before_the_play(window: arcade.Window) -> None:
    """Not minutes later."""
    game = Game()
    window.show_view(game)
    for wrong in (
        {"on_time": 1.01},
        {"on_time": -0.01},
        {"longest_s": float("nan")},
        {"longest_s": 0.0},
    ):
        with pytest.raises(ValueError, match=r"on_time|longest_s"):
            assert_fps(window, 60, **wrong)
    assert game.updates == 0


def test_windows_learn_events_once(window: arcade.Window) -> None:
    """pyglet keeps them for all windows, in a list."""
    for _ in range(3):
        arcade_prefabs.watch_frames(window).close()
    assert window.event_types.count("on_frame_hitch") == 1
