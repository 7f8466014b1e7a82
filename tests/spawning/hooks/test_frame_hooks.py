"""`FrameHooks` ticks each drawn frame exactly once, in every loop that drives a window.

Cases are changes that games make to a window's handlers; drivers are the loops that show frames.
Each driver runs each case, and the order is recorded: a tick, the end of the frame, the flip, and
again.
"""

from __future__ import annotations

import gc
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import arcade
import pyglet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcade_prefabs.window.frame_hooks import FrameHooks

FRAMES = 8
FRAME = ["tick", "end", "flip"]
DT = 1 / 60


class Enough(Exception):
    """Raised after so many frames: only an exception ends headless `arcade.run()`."""


class Game:
    """A window with hooks, and a record of their calls."""

    def __init__(self, window: Any, clock: Callable[[], float] | None = None) -> None:
        self.window = window
        self.log: list[str] = []
        self.deltas: list[float] = []
        self.on_tick: Callable[[], None] = lambda: None
        self.on_end: Callable[[], None] = lambda: None
        self.on_closed: Callable[[], None] = lambda: None
        self.between: Callable[[int], None] = lambda number: None  # after the frame of that number
        self.limit = FRAMES
        self.leave: Callable[[], None] = lambda: None
        window.shown = self.shown
        options = {} if clock is None else {"clock": clock}
        self.hooks = FrameHooks(
            window, tick=self.tick, end_frame=self.end, closed=self.closed, **options
        )

    def tick(self, delta_time: float) -> None:
        self.log.append("tick")
        self.deltas.append(delta_time)
        self.on_tick()

    def end(self) -> None:
        self.log.append("end")
        self.on_end()

    def closed(self) -> None:
        self.log.append("closed")
        self.on_closed()

    def shown(self) -> None:
        self.log.append("flip")
        self.between(self.window.flips)
        if self.window.flips >= self.limit:
            self.leave()


# Drivers.


def by_window_test(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    # `Window.test` sleeps for the rest of each frame; the clock of this one stands still.
    still = types.SimpleNamespace(time=lambda: 0.0, sleep=lambda seconds: None)
    monkeypatch.setattr("arcade.application.time", still)
    game.window.test(game.limit)


def by_dispatched_frames(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(game.limit * 4):
        if game.window.flips >= game.limit or game.window.closed:
            break
        game.window.dispatch_events()
        game.window._dispatch_frame(game.window._update_rate)


def by_frames_without_queue(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    # What a loop of one's own meets once `pyglet.app.run` has run.
    monkeypatch.setattr(pyglet.window.Window, "_enable_event_queue", False)
    by_dispatched_frames(game, monkeypatch)


def by_app_run(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    # As many updates to a frame as before, only quicker.
    ratio = game.window._draw_rate / game.window._update_rate
    game.window.set_update_rate(0.0005)
    game.window.set_draw_rate(0.0005 * ratio)
    game.leave = pyglet.app.exit
    pyglet.app.run(None)


def by_arcade_run(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave() -> None:
        raise Enough

    game.leave = leave
    try:
        arcade.run()
    except Enough:
        pass
    else:
        assert game.window.closed


def by_flips_alone(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(game.limit):
        game.window.flip()


DRIVERS = {
    "Window.test": by_window_test,
    "_dispatch_frame": by_dispatched_frames,
    "_dispatch_frame without queue": by_frames_without_queue,
    "pyglet.app.run": by_app_run,
    "headless arcade.run": by_arcade_run,
    "flip alone": by_flips_alone,
}
Drive = Callable[[Game], None]


@pytest.fixture(params=DRIVERS.values(), ids=DRIVERS.keys())
def drive(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Drive:
    return lambda game: request.param(game, monkeypatch)


@pytest.fixture
def game(window: Any) -> Game:
    return Game(window)


# Cases.


class PlainView(arcade.View):
    pass


class GreedyView(arcade.View):
    """A view that keeps updates from all handlers below it."""

    def on_update(self, delta_time: float) -> bool:
        return True


class SectionView(arcade.View):
    """A view with sections, which also keep updates from all handlers below them."""

    def __init__(self) -> None:
        super().__init__()
        self.manager = arcade.SectionManager(self)
        self.manager.add_section(arcade.Section(0, 0, 8, 8))

    def on_show_view(self) -> None:
        self.manager.enable()

    def on_hide_view(self) -> None:
        self.manager.disable()


class SwitchingView(arcade.View):
    """A view that shows another one of its kind in each update."""

    def on_update(self, delta_time: float) -> bool:
        self.window.show_view(SwitchingView())
        return True


class HandView(arcade.View):
    """A view that ticks the plugin itself."""

    def __init__(self, hooks: FrameHooks, times: int = 1) -> None:
        super().__init__()
        self.hooks = hooks
        self.times = times

    def on_update(self, delta_time: float) -> None:
        self.hooks.update(delta_time)


class GreedyHandView(HandView):
    """A view that ticks the plugin itself, and keeps updates from all handlers below it."""

    def on_update(self, delta_time: float) -> bool:
        super().on_update(delta_time)
        return True


class UntidyView(arcade.View):
    """A view that enables the hooks while it is shown, as games do with `UIManager`."""

    def __init__(self, game: Game) -> None:
        super().__init__()
        self.game = game

    def on_show_view(self) -> None:
        self.game.hooks.enable()

    def on_hide_view(self) -> None:
        self.game.hooks.disable()

    def on_update(self, delta_time: float) -> None:
        self.window.show_view(UntidyView(self.game))


def greedy(delta_time: float) -> bool:
    return True


CASES: dict[str, Callable[[Game], None]] = {}


def case(arrange: Callable[[Game], None]) -> Callable[[Game], None]:
    CASES[arrange.__name__] = arrange
    return arrange


@case
def window_alone(game: Game) -> None:
    game.hooks.enable()


@case
def enabled_then_view(game: Game) -> None:
    game.hooks.enable()
    game.window.show_view(PlainView())


@case
def view_then_enabled(game: Game) -> None:
    game.window.show_view(PlainView())
    game.hooks.enable()


@case
def enabled_twice(game: Game) -> None:
    game.hooks.enable()
    game.hooks.enable()


@case
def views_come_and_go(game: Game) -> None:
    game.hooks.enable()

    def between(number: int) -> None:
        if number % 3:
            game.window.show_view(PlainView())
        else:
            game.window.hide_view()

    game.between = between


@case
def enabled_then_greedy_view(game: Game) -> None:
    game.hooks.enable()
    game.window.show_view(GreedyView())


@case
def greedy_view_then_enabled(game: Game) -> None:
    game.window.show_view(GreedyView())
    game.hooks.enable()


@case
def greedy_view_in_each_frame(game: Game) -> None:
    game.hooks.enable()
    game.between = lambda number: game.window.show_view(GreedyView())


@case
def greedy_window(game: Game) -> None:
    game.window.play = greedy
    game.hooks.enable()


@case
def enabled_then_sections(game: Game) -> None:
    game.hooks.enable()
    game.window.show_view(SectionView())


@case
def sections_then_enabled(game: Game) -> None:
    game.window.show_view(SectionView())
    game.hooks.enable()


@case
def sections_come_and_go(game: Game) -> None:
    game.hooks.enable()
    views = [SectionView(), PlainView()]
    game.between = lambda number: game.window.show_view(views[number % 2])


@case
def handlers_popped_once(game: Game) -> None:
    game.hooks.enable()
    game.between = lambda number: game.window.pop_handlers() if number == 3 else None


@case
def handlers_popped_in_each_frame(game: Game) -> None:
    game.hooks.enable()
    game.between = lambda number: game.window._event_stack and game.window.pop_handlers()


@case
def all_handlers_popped(game: Game) -> None:
    game.hooks.enable()

    def between(number: int) -> None:
        while number == 3 and game.window._event_stack:
            game.window.pop_handlers()

    game.between = between


@case
def handler_overwritten(game: Game) -> None:
    game.hooks.enable()
    game.window.event("on_update")(greedy)


@case
def other_handler_set_beside_ours(game: Game) -> None:
    game.hooks.enable()
    game.window.set_handlers(on_draw=lambda: True)


@case
def referenced_by_nobody(game: Game) -> None:
    game.hooks.enable()
    del game.hooks
    gc.collect()


@case
def greedy_handler_pushed(game: Game) -> None:
    game.hooks.enable()
    game.window.push_handlers(on_update=greedy)


@case
def greedy_handlers_pushed_in_each_frame(game: Game) -> None:
    game.hooks.enable()
    game.between = lambda number: game.window.push_handlers(on_update=greedy)


@case
def by_hand_after_the_event(game: Game) -> None:
    game.window.show_view(HandView(game.hooks))
    game.hooks.enable()


@case
def by_hand_before_the_event(game: Game) -> None:
    game.hooks.enable()
    game.window.show_view(HandView(game.hooks))


@case
def by_hand_without_the_event(game: Game) -> None:
    game.hooks.enable()
    game.between = lambda number: game.window.show_view(GreedyHandView(game.hooks))


@case
def by_hand_in_the_window(game: Game) -> None:
    game.window.play = game.hooks.update
    game.hooks.enable()


@case
def by_hand_now_and_then(game: Game) -> None:
    game.hooks.enable()
    views = [HandView(game.hooks), GreedyView(), GreedyHandView(game.hooks)]
    game.between = lambda number: game.window.show_view(views[number % 3])


@case
def by_hand_when_drawing(game: Game) -> None:
    game.hooks.enable()
    game.window.paint = lambda: game.hooks.update(DT)


@case
def by_hand_after_the_flip(game: Game) -> None:
    game.hooks.enable()
    game.between = lambda number: game.hooks.update(DT) if number < game.limit else None


def two_updates_to_a_frame(game: Game) -> None:
    game.window.set_update_rate(DT / 2)
    game.window.set_draw_rate(DT)


@case
def more_updates_than_frames(game: Game) -> None:
    two_updates_to_a_frame(game)
    game.hooks.enable()


@case
def more_updates_than_frames_by_hand_before_the_event(game: Game) -> None:
    two_updates_to_a_frame(game)
    game.hooks.enable()
    game.window.show_view(HandView(game.hooks))


@case
def more_updates_than_frames_by_hand_after_the_event(game: Game) -> None:
    two_updates_to_a_frame(game)
    game.window.show_view(HandView(game.hooks))
    game.hooks.enable()


@case
def more_updates_than_frames_by_hand_without_the_event(game: Game) -> None:
    two_updates_to_a_frame(game)
    game.hooks.enable()
    game.between = lambda number: game.window.show_view(GreedyHandView(game.hooks))


@case
def view_switched_in_each_update(game: Game) -> None:
    game.hooks.enable()
    game.window.show_view(SwitchingView())


@case
def enabled_by_views_that_switch_in_each_update(game: Game) -> None:
    game.window.show_view(UntidyView(game))


@case
def disabled_and_enabled_between_frames(game: Game) -> None:
    game.hooks.enable()

    def between(number: int) -> None:
        game.hooks.disable()
        game.hooks.enable()

    game.between = between


@case
def disabled_and_enabled_when_drawing(game: Game) -> None:
    game.hooks.enable()

    def paint() -> None:
        game.hooks.disable()
        game.hooks.enable()

    game.window.paint = paint


@case
def detached_and_enabled_again(game: Game) -> None:
    game.hooks.enable()
    game.hooks.detach()
    game.hooks.enable()


@case
def flip_wrapped_by_somebody_else(game: Game) -> None:
    game.hooks.enable()
    ours = game.window.flip
    game.window.flip = lambda: ours()


@case
def frames_driven_from_within_the_tick(game: Game) -> None:
    game.hooks.enable()

    def loading_screen() -> None:
        # These are no frames of the game's; the log leaves them out.
        game.window.shown, shown = (lambda: None), game.window.shown
        count = game.window.flips
        for _ in range(2):
            game.window.dispatch_event("on_update", DT)
            game.hooks.update(DT)
            game.window.flip()
        game.window.flips = count
        game.window.shown = shown

    game.on_tick = game.on_end = loading_screen


@pytest.mark.parametrize("arrange", CASES.values(), ids=CASES.keys())
def test_each_drawn_frame_is_ticked_and_ended_once(
    game: Game, drive: Drive, arrange: Callable[[Game], None]
) -> None:
    """A tick, the end of the frame, the flip, and nothing else, in every case and every loop."""
    arrange(game)
    drive(game)
    assert game.window.flips == FRAMES
    # The last updates of a loop may come after its last flip.
    assert game.log[: 3 * FRAMES] == FRAME * FRAMES
    assert game.log[3 * FRAMES :] in ([], ["tick"])
    assert all(0 <= delta <= 0.25 for delta in game.deltas)


# Left out: inner frames, which are frames for the other hooks.
SHARED_CASES = {name: arrange for name, arrange in CASES.items() if "within_the_tick" not in name}


@pytest.mark.parametrize("arrange", SHARED_CASES.values(), ids=SHARED_CASES.keys())
def test_two_hooks_on_a_window_do_not_hinder_each_other(
    window: Any, drive: Drive, arrange: Callable[[Game], None]
) -> None:
    """The second one counts the same frames as the first."""
    second = Game(window)
    second.hooks.enable()
    first = Game(window)  # its `shown` replaces the other's, which therefore logs no flip
    arrange(first)
    drive(first)
    assert first.log[: 3 * FRAMES] == FRAME * FRAMES
    assert second.log[: 2 * FRAMES] == ["tick", "end"] * FRAMES
    assert second.log[2 * FRAMES :] in ([], ["tick"])


ACTS: dict[str, Callable[[Game], object]] = {
    "plain view": lambda game: game.window.show_view(PlainView()),
    "greedy view": lambda game: game.window.show_view(GreedyView()),
    "sections": lambda game: game.window.show_view(SectionView()),
    "no view": lambda game: game.window.hide_view(),
    "hand view": lambda game: game.window.show_view(HandView(game.hooks)),
    "greedy hand view": lambda game: game.window.show_view(GreedyHandView(game.hooks)),
    "pop": lambda game: game.window._event_stack and game.window.pop_handlers(),
    "push": lambda game: game.window.push_handlers(on_update=greedy),
    "overwrite": lambda game: game.window.set_handlers(on_update=greedy),
    "off and on": lambda game: (game.hooks.disable(), game.hooks.enable()),
    "two updates": lambda game: game.window.set_update_rate(DT / 2),
    "one update": lambda game: game.window.set_update_rate(DT),
}


@pytest.fixture
def stages(window: Any) -> Iterator[Callable[[], Game]]:
    """Makes games in the shared window, one after another."""
    handlers = [dict(frame) for frame in window._event_stack]

    def make() -> Game:
        window._event_stack = [dict(frame) for frame in handlers]
        window._current_view = None
        window.flips = 0
        window._accumulated_draw_time = 0.0
        window.set_update_rate(DT)
        return Game(window)

    pyglet.window.Window._enable_event_queue = False
    yield make
    pyglet.window.Window._enable_event_queue = True


@pytest.mark.parametrize("ways", [1, 2])
def test_no_random_mischief_costs_a_frame_or_doubles_one(
    stages: Callable[[], Game], ways: int
) -> None:
    """Whatever is done between updates, in whatever order, ticks and flips alternate."""

    @given(st.lists(st.lists(st.sampled_from(sorted(ACTS)), max_size=4), max_size=12))
    def check(frames: list[list[str]]) -> None:
        game = stages()
        game.hooks.enable()
        for acts in frames:
            for act in acts[:: 3 - ways]:
                ACTS[act](game)
            game.window._dispatch_frame(game.window._update_rate)
        flips = game.window.flips
        assert game.log[: 3 * flips] == FRAME * flips
        assert game.log[3 * flips :] in ([], ["tick"])
        game.hooks.detach()

    check()


# Time.


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(window: Any, clock: Clock) -> Game:
    game = Game(window, clock)
    game.hooks.enable()
    return game


def event(game: Game, delta_time: float) -> None:
    """Does what `_dispatch_updates` does, without the queue of a headless window."""
    arcade.clock.GLOBAL_CLOCK.tick(delta_time)
    pyglet.event.EventDispatcher.dispatch_event(game.window, "on_update", delta_time)


def test_updates_without_a_frame_of_their_own_give_their_time_to_the_next_tick(
    timed: Game,
) -> None:
    """The first update of a frame ticks at once; what the others tell is not lost."""
    for _ in range(3):
        for _ in range(4):
            event(timed, 0.25)
        timed.window.flip()
    assert timed.deltas == [0.25, 1.0, 1.0]


def test_updates_of_both_kinds_do_not_count_time_twice(timed: Game) -> None:
    """Two updates to a frame, each told by the event and by hand, last as long as they last."""
    for _ in range(3):
        for _ in range(2):
            event(timed, 0.25)
            timed.hooks.update(0.25)
        timed.window.flip()
    assert timed.deltas == [0.25, 0.5, 0.5]


def test_game_that_slows_its_time_is_believed(timed: Game) -> None:
    """Where the call by hand comes first, its time counts, not the window's."""
    for _ in range(3):
        arcade.clock.GLOBAL_CLOCK.tick(0.25)
        timed.hooks.update(0.125)
        pyglet.event.EventDispatcher.dispatch_event(timed.window, "on_update", 0.25)
        timed.window.flip()
    assert timed.deltas == [0.125] * 3


def test_frame_without_update_is_ticked_with_the_time_since_the_last_tick(
    timed: Game, clock: Clock
) -> None:
    """The end of the frame measures what nobody told."""
    for seconds in (0.125, 0.0625, 0.25):
        clock.now += seconds
        timed.window.flip()
    assert timed.deltas == [0.125, 0.0625, 0.25]


def test_measured_time_is_capped(timed: Game, clock: Clock) -> None:
    """A breakpoint of an hour does not move the game by an hour, nor a clock set back at all."""
    clock.now += 3600
    timed.window.flip()
    clock.now -= 7200
    timed.window.flip()
    assert timed.deltas == [0.25, 0.0]


def test_told_time_is_not_capped(timed: Game) -> None:
    """What an update says is the game's own business."""
    timed.hooks.update(5.0)
    event(timed, 7.0)
    timed.window.flip()
    event(timed, 7.0)
    assert timed.deltas == [5.0, 7.0]


def test_measured_time_holds_the_time_that_waited(timed: Game, clock: Clock) -> None:
    """Carried time is not added to a measurement that covers the same span."""
    event(timed, 0.125)
    clock.now += 0.0625
    event(timed, 0.0625)
    timed.window.flip()
    clock.now += 0.0625
    timed.window.flip()
    event(timed, 0.03125)
    assert timed.deltas == [0.125, 0.125, 0.03125]


def test_time_while_disabled_is_not_made_up_for(timed: Game, clock: Clock) -> None:
    """The first measured frame begins when the hooks are enabled again."""
    timed.hooks.disable()
    clock.now += 0.2
    timed.hooks.enable()
    clock.now += 0.03125
    timed.window.flip()
    assert timed.deltas == [0.03125]


# By hand.


def test_calls_by_hand_without_frames_tick_each(game: Game) -> None:
    """A loop that only waits for the plugin goes on, enabled or not."""
    for _ in range(3):
        game.hooks.update(0.5)
    game.hooks.enable()
    for _ in range(3):
        game.hooks.update(0.25)
    assert game.deltas == [0.5] * 3 + [0.25] * 3


def test_loop_within_an_update_goes_on_though_the_frame_was_ticked(timed: Game) -> None:
    """A game may wait for the plugin in its `on_update`, below the hooks' own handler."""
    event(timed, DT)
    for _ in range(4):
        timed.hooks.update(0.25)
    timed.window.flip()
    assert timed.deltas == [DT, 0.25, 0.25, 0.25]  # the first call is the event's other way


def test_calls_by_hand_tick_while_the_hooks_are_disabled_or_detached(game: Game) -> None:
    """The plain way needs no hooks, and ends no frames."""
    game.hooks.update(DT)
    game.window.flip()
    game.hooks.enable()
    game.hooks.disable()
    game.hooks.update(DT)
    game.window.flip()
    game.hooks.detach()
    game.hooks.update(DT)
    game.window.flip()
    assert game.log == ["tick", "flip"] * 3


def test_calls_by_hand_tick_in_each_update_while_the_hooks_are_disabled(game: Game) -> None:
    """Who has no hooks may have no frames either, and updates all the same."""
    game.window.play = game.hooks.update
    for _ in range(3):
        event(game, DT)
    assert game.deltas == [DT] * 3


def test_frame_ticked_by_hand_before_enabling_is_not_ticked_again(game: Game) -> None:
    """Enabling in the middle of a frame does not double it."""
    game.hooks.update(DT)
    game.hooks.enable()
    game.window.flip()
    assert game.log == FRAME


# Enabling, disabling, detaching.


def test_disabled_hooks_rest_until_enabled_again(game: Game, drive: Drive) -> None:
    """No ticks and no ends in between, and no frame lost before or after."""
    game.hooks.enable()

    def between(number: int) -> None:
        if number == 2:
            game.hooks.disable()
            game.hooks.disable()
        if number == 5:
            game.hooks.enable()

    game.between = between
    drive(game)
    expected = FRAME * 2 + ["flip"] * 3 + FRAME * (FRAMES - 5)
    assert game.log[: len(expected)] == expected
    assert game.hooks.enabled


def test_handlers_that_somebody_puts_back_do_not_wake_disabled_hooks(game: Game) -> None:
    """A game may save the window's handlers, and restore them later."""
    game.hooks.enable()
    saved = [dict(frame) for frame in game.window._event_stack]
    game.hooks.disable()
    game.window._event_stack = saved
    event(game, DT)
    game.window.flip()
    assert game.log == ["flip"]


def test_disabling_within_the_tick_leaves_the_end_of_the_frame_out(
    game: Game, drive: Drive
) -> None:
    """From then on nothing is called."""
    game.hooks.enable()
    game.on_tick = game.hooks.disable
    drive(game)
    assert game.log == ["tick"] + ["flip"] * FRAMES
    assert not game.hooks.enabled


def test_detaching_within_the_tick_leaves_the_window_alone(game: Game, drive: Drive) -> None:
    """The frame is shown all the same."""
    game.hooks.enable()
    game.on_tick = game.hooks.detach
    drive(game)
    assert game.log == ["tick"] + ["flip"] * FRAMES
    assert not {"flip", "close"} & vars(game.window).keys()


def test_detaching_leaves_the_window_as_it_was(window: Any) -> None:
    """No attribute, no handler, and nothing of the event loop's."""
    handlers = [dict(frame) for frame in window._event_stack]
    loop_handlers = len(pyglet.app.event_loop._event_stack)
    before = set(vars(window))
    game = Game(window)
    game.hooks.enable()
    assert "flip" in vars(window)
    game.hooks.detach()
    game.hooks.detach()
    assert set(vars(window)) == before
    assert window._event_stack == handlers
    assert len(pyglet.app.event_loop._event_stack) == loop_handlers
    assert not game.hooks.enabled


def test_detached_hooks_pass_on_to_the_flip_where_somebody_wrapped_them(game: Game) -> None:
    """What others put above is not torn down."""
    game.hooks.enable()
    ours = game.window.flip
    seen: list[str] = []

    def theirs() -> None:
        seen.append("theirs")
        ours()

    game.window.flip = theirs
    game.hooks.detach()
    game.window.flip()
    assert seen == ["theirs"]
    assert game.log == ["flip"]
    assert vars(game.window)["flip"] is theirs


def test_detaching_restores_a_flip_that_was_wrapped_before(window: Any) -> None:
    """What stood in the instance before stands there again."""
    real = window.flip
    theirs = lambda: real()  # noqa: E731 - as one does
    window.flip = theirs
    game = Game(window)
    game.hooks.detach()
    assert vars(window)["flip"] is theirs


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1), (1, 2, 0)])
def test_hooks_detached_in_any_order_leave_nothing(window: Any, order: tuple[int, ...]) -> None:
    """The last one out also takes those away that it stood upon."""
    games = [Game(window) for _ in order]
    for game in games:
        game.hooks.enable()
    for number in order:
        games[number].hooks.detach()
        for game in games:
            game.log.clear()
        window.flip()
        for game in games:
            assert [word for word in game.log if word != "flip"] == ["tick", "end"] * (
                game.hooks.enabled
            )
    assert not {"flip", "close"} & vars(window).keys()
    assert window.flips == 3


def test_detaching_bears_a_flip_that_somebody_took_out(game: Game) -> None:
    """A game's own cleaning of the instance is no reason to fail."""
    del game.window.flip
    game.hooks.detach()
    game.window.flip()
    assert game.log == ["flip"]


def test_frames_while_detached_are_forgotten(game: Game) -> None:
    """What was ticked by hand meanwhile does not stand for the frame that enables again."""
    game.hooks.detach()
    game.hooks.update(DT)
    game.window.flip()
    game.hooks.enable()
    game.window.flip()
    assert game.log == ["tick", "flip", *FRAME]


def test_detached_hooks_are_not_kept_alive(window: Any) -> None:
    """Nothing of the window or the event loop refers to them any more."""
    game = Game(window)
    game.hooks.enable()
    window.shown = lambda: None
    reference = weakref.ref(game.hooks)
    game.hooks.detach()
    del game
    gc.collect()
    assert reference() is None


def test_enabled_hooks_live_as_long_as_the_window(game: Game) -> None:
    """Nobody else has to keep them."""
    reference = weakref.ref(game.hooks)
    del game.hooks
    gc.collect()
    assert reference() is not None


def test_flip_is_called_as_it_was_called(window: Any) -> None:
    """Arguments and results of a subclass's own `flip` come through."""
    window.flip = lambda *args, **kwargs: (args, kwargs)
    game = Game(window)
    game.hooks.enable()
    assert window.flip(1, two=2) == ((1,), {"two": 2})
    game.hooks.disable()
    assert window.flip(1) == ((1,), {})


# Healing.


class Pushes:
    """Counts the handlers that are pushed onto a window."""

    def __init__(self, window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flips: list[int] = []
        real = window.push_handlers

        def push(*args: object, **kwargs: object) -> None:
            self.flips.append(window.flips)
            real(*args, **kwargs)

        monkeypatch.setitem(vars(window), "push_handlers", push)


def test_handler_that_is_never_asked_is_not_pushed_for_ever(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three tries, and from then on one in sixty frames."""
    game.hooks.enable()
    pushes = Pushes(game.window, monkeypatch)
    depth = len(game.window._event_stack)
    game.limit = 185
    by_arcade_run(game, monkeypatch)
    assert pushes.flips == [0, 1, 2, 59, 119, 179]
    assert len(game.window._event_stack) == depth
    assert game.log == FRAME * 185


def test_enabling_anew_tries_anew(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another loop may ask the handlers which the last one did not."""
    game.hooks.enable()
    by_arcade_run(game, monkeypatch)
    game.hooks.disable()
    game.hooks.enable()
    pushes = Pushes(game.window, monkeypatch)
    game.limit = 2 * FRAMES
    by_arcade_run(game, monkeypatch)
    assert pushes.flips == [FRAMES, FRAMES + 1, FRAMES + 2]


def test_lost_handler_is_put_back_by_one_push(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    """After that, ticks come with updates again."""
    game.hooks.enable()
    game.window.show_view(GreedyView())
    pushes = Pushes(game.window, monkeypatch)
    game.limit = 200
    by_frames_without_queue(game, monkeypatch)
    assert pushes.flips == [0]


def test_each_new_hindrance_is_healed_anew(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tries are counted from the last update that came through."""
    game.hooks.enable()
    pushes = Pushes(game.window, monkeypatch)

    def between(number: int) -> None:
        if number % 2:
            game.window._event_stack.insert(0, {"on_update": greedy})

    game.between = between
    game.limit = 40
    by_frames_without_queue(game, monkeypatch)
    assert pushes.flips == list(range(1, 40, 2))


# Exceptions.


class Oops(Exception):
    """An error of the game."""


def once(game: Game, at: int) -> Callable[[], None]:
    """Raises in the given tick, or end of a frame, and not again."""
    left = [at]

    def raise_once() -> None:
        left[0] -= 1
        if not left[0]:
            raise Oops

    return raise_once


def test_exception_of_the_tick_reaches_the_game_and_later_frames_tick(
    game: Game, drive: Drive
) -> None:
    """The frame that failed counts as ticked, wherever it failed."""
    game.hooks.enable()
    game.on_tick = once(game, 3)
    with pytest.raises(Oops):
        drive(game)
    pyglet.app.event_loop.is_running = False
    drive(game)
    assert game.window.flips >= FRAMES
    ends = [number for number, word in enumerate(game.log) if word == "end"]
    failed = game.log.index("tick", ends[1] + 1)
    # Raised within an update, and the frame goes on in the next round; or within the flip, which
    # then shows nothing.
    rest = game.log[failed + 1 :]
    assert game.log[:failed] == FRAME * 2
    assert rest[:2] in (["end", "flip"], ["tick", "end"])
    while rest[0] != "tick":
        del rest[0]
    whole = len(rest) // 3
    assert rest[: 3 * whole] == FRAME * whole
    assert rest[3 * whole :] in ([], ["tick"])


def test_exception_of_the_end_of_a_frame_reaches_the_game(game: Game, drive: Drive) -> None:
    """The frames after it are whole."""
    game.hooks.enable()
    game.on_end = once(game, 3)
    with pytest.raises(Oops):
        drive(game)
    pyglet.app.event_loop.is_running = False
    drive(game)
    assert game.log[:8] == [*FRAME, *FRAME, "tick", "end"]
    rest = game.log[8:]
    whole = len(rest) // 3
    assert whole > 3
    assert rest[: 3 * whole] == FRAME * whole


@pytest.mark.parametrize("above", [True, False], ids=["hooks above", "hooks below"])
def test_exception_of_the_games_own_update_costs_no_tick(
    game: Game, drive: Drive, above: bool
) -> None:
    """The frame goes on in the next round, ticked once."""
    failing = once(game, 3)

    class FailingView(arcade.View):
        def on_update(self, delta_time: float) -> None:
            failing()

    if not above:
        game.hooks.enable()
    game.window.show_view(FailingView())
    if above:
        game.hooks.enable()
    try:
        drive(game)
    except Oops:
        pyglet.app.event_loop.is_running = False
        drive(game)
    flips = game.window.flips
    assert flips >= FRAMES
    assert game.log[: 3 * flips] == FRAME * flips


def test_exception_of_the_real_flip_passes_through(window: Any) -> None:
    """And the frame after it is whole."""
    game = Game(window)
    game.hooks.enable()
    window.shown = once(game, 1)
    with pytest.raises(Oops):
        window.flip()
    window.flip()
    assert game.log == ["tick", "end"] * 2


# Closing.


def close_by_method(game: Game) -> None:
    game.window.close()


def close_by_arcade(game: Game) -> None:
    arcade.close_window()


def close_by_class(game: Game) -> None:
    arcade.Window.close(game.window)


def close_in_the_tick(game: Game) -> None:
    game.on_tick = game.window.close
    game.window.flip()


def close_at_the_end_of_a_frame(game: Game) -> None:
    game.on_end = game.window.close
    game.window.flip()


WAYS_TO_CLOSE = [
    close_by_method,
    close_by_arcade,
    close_by_class,
    close_in_the_tick,
    close_at_the_end_of_a_frame,
]


def scheduled() -> list[Any]:
    return list(pyglet.clock.get_default()._schedule_interval_items)


@pytest.mark.parametrize("close", WAYS_TO_CLOSE)
def test_closing_is_told_once_and_then_nothing_fires(
    new_window: Callable[[], Any], close: Callable[[Game], None]
) -> None:
    """After it neither frames nor calls by hand nor `enable` do anything."""
    game = Game(new_window())
    game.hooks.enable()
    close(game)
    assert game.window.closed
    assert game.window.context is None
    assert not [one for one in scheduled() if one.func == game.window._dispatch_frame]
    assert game.log.pop() == "closed"
    game.log.clear()

    game.window.close()
    game.hooks.enable()
    assert not game.hooks.enabled
    game.hooks.update(DT)
    game.window.flip()
    event(game, DT)
    game.hooks.disable()
    game.hooks.detach()
    assert game.log == ["flip"]
    assert not game.hooks.enabled
    assert not {"flip", "close"} & vars(game.window).keys()
    assert not [frame for frame in pyglet.app.event_loop._event_stack if "on_window_close" in frame]


@pytest.mark.parametrize("way", ["close", "on_close"])
@pytest.mark.parametrize("where", ["update", "draw", "between"])
def test_window_closed_within_a_running_loop_ends_the_hooks(
    new_window: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, where: str, way: str
) -> None:
    """Frames before it are whole, and the loop ends by itself."""
    # Else it is not the last window, and the loop would not end.
    monkeypatch.setattr(pyglet.app, "windows", weakref.WeakSet())
    game = Game(new_window())
    game.hooks.enable()
    window = game.window

    def close() -> None:
        if window.flips >= 3:
            window.close() if way == "close" else window.dispatch_event("on_close")

    if where == "update":
        window.play = lambda delta_time: close()
    elif where == "draw":
        window.paint = close
    else:
        game.between = lambda number: close()
    game.limit = 1000
    by_app_run(game, monkeypatch)
    assert window.closed
    assert game.log[:9] == FRAME * 3
    rest = game.log[9:]
    assert rest.count("closed") == 1
    # Arcade goes on to flip a window that was closed while it was drawn.
    assert rest in (["closed"], ["tick", "closed"], ["tick", "closed", "flip"])


@pytest.mark.parametrize("where", ["update", "draw", "tick"])
def test_window_closed_within_headless_run_ends_it(
    new_window: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """`arcade.run()` returns, and the hooks are told once."""
    game = Game(new_window())
    game.hooks.enable()
    window = game.window

    def close() -> None:
        if window.flips >= 3:
            window.close()

    if where == "update":
        window.play = lambda delta_time: close()
    elif where == "draw":
        window.paint = close
    else:
        game.on_tick = close
    game.limit = 1000
    by_arcade_run(game, monkeypatch)
    assert game.log in ([*FRAME * 3, "closed"], [*FRAME * 3, "tick", "closed"])


def test_leaving_the_event_loop_is_no_closing(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    """The window may be run again, and ticks on."""
    game.hooks.enable()
    game.leave = arcade.exit
    for rounds in (1, 2):
        game.limit = rounds * FRAMES
        by_app_run(game, monkeypatch)
        game.leave = arcade.exit
    assert "closed" not in game.log
    assert game.log.count("flip") == game.log.count("end") >= 2 * FRAMES


def test_closing_is_told_where_the_game_keeps_the_event_to_itself(
    new_window: Callable[[], Any],
) -> None:
    """A game that goes on without windows handles `on_window_close`, as pyglet suggests."""
    game = Game(new_window())
    pyglet.app.event_loop.push_handlers(on_window_close=lambda window: True)
    game.window.close()
    assert game.log == ["closed"]


def test_closing_again_from_within_the_closing_tells_once(new_window: Callable[[], Any]) -> None:
    """A game may close its window once more when it hears of the end."""
    game = Game(new_window())
    pyglet.app.event_loop.push_handlers(on_window_close=lambda window: game.window.close())
    game.window.close()
    assert game.log == ["closed"]


def test_window_that_refuses_to_close_goes_on(
    new_window: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A game's own `close` may ask first."""
    window = new_window()
    answers = [False, True]

    def close() -> None:
        if answers.pop(0):
            arcade.Window.close(window)

    monkeypatch.setitem(vars(window), "close", close)
    game = Game(window)
    game.hooks.enable()
    window.close()
    window.flip()
    assert game.log == FRAME
    window.close()
    assert game.log == [*FRAME, "closed"]


def test_another_windows_end_is_not_ours(game: Game, new_window: Callable[[], Any]) -> None:
    """Each hooks object follows its own window."""
    game.hooks.enable()
    new_window().close()
    game.window.switch_to()
    game.window.flip()
    assert game.log == FRAME


def test_window_closes_though_its_hooks_fail_to(new_window: Callable[[], Any]) -> None:
    """The exception comes out of `close` once all is closed."""
    game = Game(new_window())
    game.on_closed = once(game, 1)
    with pytest.raises(Oops):
        game.window.close()
    assert game.window.context is None
    with pytest.raises(RuntimeError, match="No window is active"):
        arcade.get_window()
    game.window.close()
    assert game.log == ["closed"]


def test_failure_in_the_middle_of_pyglets_own_closing_is_logged(
    new_window: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Where `close` was not called by way of the instance, nobody could finish the closing."""
    game = Game(new_window())
    game.on_closed = once(game, 1)
    arcade.Window.close(game.window)
    assert game.window.context is None
    assert game.log == ["closed"]
    assert "Oops" in caplog.text


def test_closed_window_gets_no_hooks(new_window: Callable[[], Any]) -> None:
    """Nothing is put into it."""
    window = new_window()
    window.close()
    before = set(vars(window)) | {"shown"}
    game = Game(window)
    game.hooks.enable()
    game.hooks.update(DT)
    window.flip()
    assert set(vars(window)) == before
    assert game.log == ["flip"]


def test_windows_one_after_another_have_frames_of_their_own(
    new_window: Callable[[], Any], drive: Drive
) -> None:
    """The first one's end does not touch the second one's frames."""
    for _ in range(2):
        game = Game(new_window())
        game.hooks.enable()
        drive(game)
        game.window.close()
        pyglet.window.Window._enable_event_queue = True
        whole = 3 * game.window.flips
        assert game.log[:whole] == FRAME * game.window.flips
        assert game.log[-1] == "closed"
        assert len(game.log) - whole in (1, 2)
