"""`FrameBudget` and `CostModel`: what a frame may cost, and what a step will."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcade_prefabs.frames import CostModel, FrameBudget

times = st.floats(0, 1)


def budget(**arguments: float) -> FrameBudget:
    """A budget with round figures: 16 ms a frame, 1 to 4 ms for us, 2 ms for the system."""
    return FrameBudget(
        **{"frame_s": 0.016, "floor_s": 0.001, "ceiling_s": 0.004, "margin_s": 0.002} | arguments
    )


# --- FrameBudget ---------------------------------------------------------------------------------


def test_budget_is_the_ceiling_before_anything_was_measured() -> None:
    """The first frames load as fast as they may."""
    assert budget().seconds == 0.004


@pytest.mark.parametrize(
    ("game_s", "seconds"),
    [
        (0.0, 0.004),
        (0.010, 0.004),  # exactly the ceiling is left
        (0.011, 0.003),
        (0.013, 0.001),  # exactly the floor
        (0.0135, 0.001),
        (0.016, 0.001),
        (5.0, 0.001),
    ],
)
def test_budget_is_what_the_game_leaves_within_floor_and_ceiling(
    game_s: float, seconds: float
) -> None:
    """Frame less game less margin, but neither too little nor too much."""
    one = budget()
    one.observe(game_s)
    assert one.seconds == pytest.approx(seconds)


def test_slow_frame_counts_at_once_and_a_quick_one_slowly() -> None:
    """A game of heavy and light frames is taken for a heavy one."""
    one = budget()
    for _ in range(50):
        one.observe(0.003)
        one.observe(0.013)
        assert one.seconds == pytest.approx(0.001)
    one.observe(0.003)
    assert one.seconds == pytest.approx(0.002)  # a tenth of the way from 13 to 3 ms


def test_budget_recovers_from_a_hitch() -> None:
    """A second's pause is forgotten within a hundred frames."""
    one = budget()
    one.observe(1.0)
    for _ in range(100):
        one.observe(0.004)
    assert one.seconds == 0.004


def test_ceiling_and_floor_may_be_changed_at_any_time() -> None:
    """A loading screen raises them and sets them back."""
    one = budget()
    one.ceiling_s = 0.012
    assert one.seconds == pytest.approx(0.012)
    one.observe(0.008)
    assert one.seconds == pytest.approx(0.006)
    one.floor_s = 0.010
    assert one.seconds == pytest.approx(0.010)
    one.floor_s, one.ceiling_s = 0.001, 0.004
    assert one.seconds == pytest.approx(0.004)


def test_length_of_a_frame_may_be_changed() -> None:
    """A game at 30 frames leaves more."""
    one = budget(ceiling_s=1.0)
    one.observe(0.010)
    assert one.seconds == pytest.approx(0.004)
    one.frame_s = 0.032
    assert one.seconds == pytest.approx(0.020)


@pytest.mark.parametrize(
    ("floor_s", "ceiling_s"), [(0.002, 0.001), (-0.001, 0.001), (float("nan"), 0.001)]
)
def test_floor_above_the_ceiling_is_refused(floor_s: float, ceiling_s: float) -> None:
    """So is one below 0."""
    with pytest.raises(ValueError, match="above the ceiling"):
        FrameBudget(floor_s=floor_s, ceiling_s=ceiling_s)


@given(frames=st.lists(times, max_size=50))
def test_budget_stays_between_floor_and_ceiling(frames: list[float]) -> None:
    """Whatever the frames."""
    one = budget()
    for game_s in frames:
        one.observe(game_s)
        assert 0.001 <= one.seconds <= 0.004


@given(frames=st.lists(times, min_size=1, max_size=50))
def test_budget_never_exceeds_the_slack_of_the_newest_frame(frames: list[float]) -> None:
    """A game that just needed its time gets it in the next frame."""
    one = budget()
    for game_s in frames:
        one.observe(game_s)
    assert one.seconds <= max(0.001, 0.016 - 0.002 - frames[-1]) + 1e-9


def late_game(frames: int, each_s: float, **arguments: float) -> FrameBudget:
    """The budget of a game that wants 60 frames a second and takes so long for each."""
    one = FrameBudget(**arguments)
    for _ in range(frames):
        one.observe(each_s, each_s)
    return one


@pytest.mark.parametrize(
    ("frame_s", "seconds"),
    [
        (1 / 144, 0.002),  # there is slack
        (1 / 60, 0.00025),
        (1 / 60 + 0.010, 0.00055),
        (1 / 30, 0.00075),
        (1 / 20, 0.00125),
        (1 / 60 + 0.050, 0.00175),
        (1 / 10, 0.002),  # 2.75 ms were above the ceiling
        (1.0, 0.002),
    ],
)
def test_late_game_gives_three_hundredths_of_what_it_is_late_by(
    frame_s: float, seconds: float
) -> None:
    """0.25 ms, 3 % of the frame beyond the 16.7 ms that were wanted, and never above 2 ms."""
    assert late_game(300, frame_s).seconds == pytest.approx(seconds)


def test_slow_game_by_choice_is_not_late() -> None:
    """Who asked for 30 frames a second gives the slack of those, or the floor."""
    assert late_game(300, 1 / 30, frame_s=1 / 30).seconds == pytest.approx(0.00025)
    one = FrameBudget(frame_s=1 / 30)
    for _ in range(300):
        one.observe(0.020, 1 / 30)
    assert one.seconds == pytest.approx(0.002)


def test_frames_whose_distance_is_not_known_are_in_time() -> None:
    """The floor is as it was for who tells only what the game needed."""
    one = FrameBudget()
    for _ in range(300):
        one.observe(0.1)
    assert one.least_s == 0.00025


def test_hitch_hardly_raises_the_budget() -> None:
    """A pause of ten seconds counts as a frame of twice the length: 0.05 ms, once."""
    one = late_game(100, 1 / 60)
    one.observe(10.0, 10.0)
    assert one.seconds == pytest.approx(0.00025 + 0.03 * 0.1 / 60)
    one.observe(1 / 60, 1 / 60)
    assert one.seconds == pytest.approx(0.00025)


def test_single_quick_frame_takes_the_share_back() -> None:
    """A game that is in time again may need each part of a millisecond."""
    one = late_game(300, 0.1)
    one.observe(1 / 60, 1 / 60)
    assert one.least_s == pytest.approx(0.00025)


def test_share_is_there_within_two_seconds_of_a_slow_game() -> None:
    """At 10 frames a second, 20 of them."""
    assert late_game(20, 0.1).seconds == pytest.approx(0.002)


def test_ceiling_below_the_share_is_the_budget() -> None:
    """The ceiling is the game's word, and a loading screen's raised one stays as raised."""
    assert late_game(300, 0.1, floor_s=0.0001, ceiling_s=0.0001).seconds == 0.0001
    one = late_game(300, 0.1, ceiling_s=0.012)
    assert one.seconds == pytest.approx(0.00025 + 0.03 * (0.1 - 1 / 60))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_times_that_are_none_change_nothing(wrong: float) -> None:
    """A clock that broke once does not break the budget."""
    one = late_game(300, 0.05)
    before = one.seconds, one.least_s
    one.observe(wrong, wrong)
    assert (one.seconds, one.least_s) == before


@given(frames=st.lists(st.tuples(times, times), max_size=50))
def test_share_stays_between_floor_and_ceiling(frames: list[tuple[float, float]]) -> None:
    """And it is never more than 3 % of the longest frame on top of the floor."""
    one = FrameBudget()
    longest = 0.0
    for game_s, apart_s in frames:
        one.observe(game_s, apart_s)
        longest = max(longest, apart_s)
        assert 0.00025 <= one.least_s <= one.seconds <= 0.002
        assert one.least_s <= 0.00025 + 0.03 * longest + 1e-12


# --- CostModel -----------------------------------------------------------------------------------


def test_unknown_kind_is_expected_to_be_short() -> None:
    """It fits into an ordinary budget, so that it is tried at all, but not into none."""
    assert 0 < CostModel().predict("never seen", 5) < FrameBudget().seconds


def test_first_measurement_is_the_prediction() -> None:
    """One is enough to know the order of magnitude."""
    costs = CostModel()
    costs.learn("upload", 100, 0.003)
    assert costs.predict("upload", 100) == pytest.approx(0.003)


def test_kinds_do_not_mix() -> None:
    """What one kind costs says nothing about another."""
    costs = CostModel()
    unknown = costs.predict("delete")
    costs.learn("upload", 0, 0.5)
    assert costs.predict("delete") == unknown


def test_steady_cost_is_predicted_as_it_is() -> None:
    """Without deviations, nothing is added."""
    costs = CostModel()
    for _ in range(20):
        costs.learn("upload", 7, 0.002)
    assert costs.predict("upload", 7) == pytest.approx(0.002)


def test_varying_cost_is_predicted_above_its_mean() -> None:
    """Two of three steps that alternate between 1 and 3 ms fit into what was predicted."""
    costs = CostModel()
    for _ in range(100):
        costs.learn("upload", 7, 0.001)
        costs.learn("upload", 7, 0.003)
    assert 0.003 <= costs.predict("upload", 7) < 0.006


def test_new_level_is_learned_within_some_steps() -> None:
    """A kind that became slower, or quicker, is known for it soon."""
    costs = CostModel()
    for level in (0.001, 0.004, 0.001):
        for _ in range(60):
            costs.learn("upload", 7, level)
        assert costs.predict("upload", 7) == pytest.approx(level, rel=0.05)


def test_outlier_counts_for_little() -> None:
    """One step during which the machine slept for a minute does not raise the cost by seconds."""
    costs = CostModel()
    for _ in range(20):
        costs.learn("upload", 7, 0.001)
    costs.learn("upload", 7, 60.0)
    assert costs.predict("upload", 7) < 0.008


def test_first_step_that_took_long_is_forgotten() -> None:
    """An import in the first step does not spoil the prediction for ever."""
    costs = CostModel()
    costs.learn("upload", 7, 1.0)
    for _ in range(60):
        costs.learn("upload", 7, 0.001)
    assert costs.predict("upload", 7) < 0.002


def test_cost_that_was_nothing_once_can_grow() -> None:
    """A clock too coarse for the first steps does not fix their cost at 0."""
    costs = CostModel()
    costs.learn("upload", 7, 0.0)
    for _ in range(200):
        costs.learn("upload", 7, 0.010)
    assert costs.predict("upload", 7) == pytest.approx(0.010, rel=0.05)


def test_sizes_of_one_magnitude_share_what_was_learned() -> None:
    """64 to 127 are alike, 63 and 128 are not."""
    costs = CostModel()
    costs.learn("upload", 64, 0.001)
    costs.learn("upload", 128, 0.008)
    assert costs.predict("upload", 127.9) == pytest.approx(0.001)
    assert costs.predict("upload", 255) == pytest.approx(0.008)


def test_larger_step_nobody_saw_is_predicted_in_proportion() -> None:
    """From the nearest magnitude."""
    costs = CostModel()
    costs.learn("upload", 1024, 0.001)
    costs.learn("upload", 16, 0.000_9)
    assert costs.predict("upload", 4096) == pytest.approx(0.004)


def test_smaller_step_nobody_saw_is_predicted_no_cheaper() -> None:
    """It may have a cost that does not shrink."""
    costs = CostModel()
    costs.learn("upload", 1024, 0.001)
    assert costs.predict("upload", 1) == pytest.approx(0.001)
    assert costs.predict("upload", 0) == pytest.approx(0.001)


@given(st.lists(st.tuples(st.integers(0, 1 << 40), times), min_size=1, max_size=60))
def test_prediction_lies_within_reason_of_what_was_seen(seen: list[tuple[int, float]]) -> None:
    """It is never negative, and of a known magnitude at most three times the longest seen."""
    costs = CostModel()
    longest: dict[int, float] = {}
    for size, seconds in seen:
        costs.learn("upload", size, seconds)
        magnitude = size.bit_length()
        longest[magnitude] = max(longest.get(magnitude, 0.0), seconds)
        assert 0 <= costs.predict("upload", size) <= 3 * longest[magnitude] + 1e-9


@given(st.integers(0, 1 << 30), st.floats(0.0001, 1), st.integers(0, 1 << 30))
def test_larger_steps_are_never_predicted_cheaper(size: int, seconds: float, other: int) -> None:
    """After one measurement, the prediction grows with the size."""
    costs = CostModel()
    costs.learn("upload", size, seconds)
    small, large = sorted((size, other))
    assert costs.predict("upload", small) <= costs.predict("upload", large)
