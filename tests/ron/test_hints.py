"""What an error suggests to people who come from Python, JSON or Rust."""

from __future__ import annotations

import pytest

from arcade_prefabs import ron


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("# note\nPrefab()", (1, 3), "comments begin with `//`"),
        ("Prefab(a: 1, # note\n b: 2)", (1, 14), "comments begin with `//`"),
        ("Health(max=20)", (1, 11), "a field is written with a colon: `name: value`"),
        ('P("parts": [1])', (1, 10), "names of fields have no quotes: `parts: ...`"),
        ("P([\n A(1)\n B(2)\n])", (3, 2), "is a comma missing in front of it?"),
        ('{"a": 1 "b": 2}', (1, 9), "is a comma missing in front of it?"),
        ("A(x: 1 y: 2)", (1, 8), "is a comma missing in front of it?"),
        ("A(b: [1, 2)", (1, 11), "`[` in line 1 is not closed"),
        ("A(b:\n[1,", (2, 4), "`[` in line 2 is not closed"),
        ("(\n Foo(x: 1]\n)", (2, 10), "`Foo(` in line 2 is not closed"),
        ("Health{max: 3}", (1, 7), "a name is followed by round brackets: `Health(...)`"),
        ("[Health[max]]", (1, 8), "a name is followed by round brackets: `Health(...)`"),
        ("A(s: Shape::Box(3))", (1, 11), "write only the part behind `::`"),
        ("A(s: Target.Player)", (1, 12), "write only the part behind the `.`"),
        ("A(at: (x: 0,5))", (1, 13), "decimals have a point: 0.5"),
        ("A(a: 20, 1.0)", (1, 10), "either every field has a name or none has"),
        ('A("T", size: 3)', (1, 12), "either every field has a name or none has"),
        ("A(t: \u201cx\u201d)", (1, 6), "straight double quotes"),
        ("A(t: folder/x.png)", (1, 12), "stands in double quotes"),
        ("a: [1]", (1, 2), "fields stand in brackets: `Name(field: value)`"),
        ("A(a: )", (1, 6), None),
        ("A() B()", (1, 5), None),
    ],
)
def test_a_likely_slip_gets_a_hint_at_its_place(
    text: str, place: tuple[int, int], hint: str | None
) -> None:
    """The mistake is placed where it is, and the hint says what to write instead."""
    with pytest.raises(ron.RonError) as caught:
        ron.loads(text)
    error = caught.value
    assert (error.line, error.column) == place
    if hint is None:
        assert error.hint is None
    else:
        assert error.hint is not None
        assert hint in error.hint


def test_hints_quote_no_more_than_a_line() -> None:
    """A name or text of megabytes in front of a mistake does not come back in the hint."""
    for text in (f'A("{"x" * 10**6}": 1)', f"{'x' * 10**6}(a: 1 b)", f"[{'x' * 10**6}[1]]"):
        with pytest.raises(ron.RonError) as caught:
            ron.loads(text)
        assert len(str(caught.value)) < 1_000
