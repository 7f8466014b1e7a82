"""Settings of a world: as a whole, and as keywords of `open_world`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_type_hints

import pytest
from stage import Stage

from arcade_prefabs import PrefabPlugin, StreamingOptions, StreamingPolicy, StreamingSettings
from arcade_prefabs.streaming.settings import chosen_settings

Make = Callable[..., Any]


def test_options_are_the_fields_of_the_settings() -> None:
    """The keywords that a type checker knows have the names and types of the dataclass."""
    assert get_type_hints(StreamingOptions) == get_type_hints(StreamingSettings)
    assert StreamingOptions.__required_keys__ == frozenset()
    # That `open_world` takes them is seen by whoever asks for its types while the game runs.
    assert "options" in get_type_hints(PrefabPlugin.open_world)


def test_keywords_override_settings_and_leave_the_others() -> None:
    """A game has one `StreamingSettings` for all of its worlds, and changes it for a small one."""
    far = StreamingSettings(load_distance=1500, on_critical=StreamingPolicy.HOLD)
    assert chosen_settings(far, {}) == far
    assert chosen_settings(None, {}) == StreamingSettings()
    near = chosen_settings(far, {"load_distance": 400.0})
    assert near == StreamingSettings(load_distance=400.0, on_critical=StreamingPolicy.HOLD)


def test_a_world_takes_settings_as_a_whole(stage: Make) -> None:
    """The manager streams by them."""
    on: Stage = stage({"worlds/test.ron": "World()"})
    far = StreamingSettings(load_distance=700.0)
    one = on.prefabs.open_world("test", settings=far)
    two = on.prefabs.open_world("test", name="two", settings=far, load_distance=300.0)
    assert (one.load_distance, two.load_distance) == (700.0, 300.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory_limits": 5}, r"no setting memory_limits; did you mean `memory_limit`\?"),
        ({"writer": 5}, r"no setting writer; there are: `load_distance`"),
        ({"settings": {"slow": 0.5}}, r"settings are StreamingSettings, not \{'slow': 0.5\}"),
        ({"slow": "much"}, "not supported between"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    stage: Make, options: dict[str, Any], message: str
) -> None:
    """No world is opened; the error names what was meant, or what there is."""
    on: Stage = stage({"worlds/test.ron": "World()"})
    with pytest.raises(TypeError, match=message):
        on.prefabs.open_world("test", **options)
    assert on.prefabs.worlds == ()


def test_keywords_are_checked_together_with_the_settings_that_they_override(stage: Make) -> None:
    """Distances of which each alone is right are refused together."""
    on: Stage = stage({"worlds/test.ron": "World()"})
    with pytest.raises(ValueError, match="must be larger than load_distance"):
        on.prefabs.open_world(
            "test", settings=StreamingSettings(unload_distance=300.0), load_distance=400.0
        )
