"""What errors about prefabs suggest to people who write their first ones."""

from __future__ import annotations

import pytest

from arcade_prefabs.prefab import read_prefabs
from arcade_prefabs.prefab.suggestions import did_you_mean


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Prefab(Tags([]))", "components stand in a list: `Prefab(components: [...])`"),
        ("Library(Prefab())", "each prefab has a label: `Library(wall: Prefab(...))`"),
        ("Library(a: Prefab(Tags([])))", "components stand in a list"),
        ('{"components": []}', "this looks like JSON"),
        ("(components: [])", "write `Prefab` in front of the bracket"),
        ("Prefeb(components: [])", "did you mean `Prefab`?"),
        ("prefab(components: [])", "did you mean `Prefab`?"),
        ("[Prefab(), Prefab()]", "several prefabs stand in `Library("),
        ("Prefab(components: [Sound(path: null)])", "write `None`"),
        ('Prefab(components: [Sound(path: "a.wav", loop: True)])', "write `true`"),
        ('Prefab(components: [Sound(path: "a.wav", volume: "0.5")])', "have no quotes: 0.5"),
        ('Prefab(components: [Sprite(texture: "a.png", alpha: 128.0)])', "write `128`"),
        ("Prefab(components: [Sound(path: bell)])", 'text stands in quotes: "bell"'),
        ('Prefab(components: [Tags("enemy")])', 'write `["enemy"]`'),
        ('Prefab(children: [(prefab: "a", pos: (1, 2))])', "did you mean `position`?"),
        ('Prefab(children: [(prefab: "a", components: [])])', "did you mean `overrides`?"),
        ("Prefab(extends: zombie)", 'write "zombie"'),
    ],
)
def test_a_likely_slip_gets_a_hint(text: str, hint: str) -> None:
    """One mistake is one error, and its hint says what to write instead."""
    (error,) = read_prefabs(text, "crate").errors
    assert error.hint is not None
    assert hint in error.hint


def test_a_color_is_asked_for_as_a_color() -> None:
    """A name or web color where numbers belong is told what a color looks like."""
    for color in ('"#ff0000"', "Red"):
        text = f'Prefab(components: [Sprite(texture: "a.png", color: {color})])'
        (error,) = read_prefabs(text, "crate").errors
        assert "a color (red, green, blue), such as (255, 128, 0)" in error.message


def test_a_suggestion_is_never_empty_and_never_far_fetched() -> None:
    """Near names first; without one what the caller says, or all names that there are."""
    assert did_you_mean("helth", ["Health", "Light"]) == "did you mean `Health`?"
    assert did_you_mean("zzzz", ["Health"], "write it") == "write it"
    assert did_you_mean("zzzz", [], "write it") == "write it"
    assert did_you_mean("zzzz", ["Health", "Light"]) == "there are: `Health`, `Light`"
    assert did_you_mean("zzzz", []) == "there are none"
