"""What an error suggests to people who come from JSON, Python, Rust, Godot and others."""

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
        ("A(a: )", (1, 6), "a value is missing behind the colon"),
        ("A() B()", (1, 5), "a file holds one value"),
        # Quotes.
        (
            'P(\n a: "x.png,\n b: 1,\n c: ["y"],\n)',
            (4, 7),
            'in line 2 has no closing quote: "x.png,',
        ),
        ('P(a: "x.png,\n b: ":res:y")', (2, 6), "in line 1 has no closing quote"),
        ('P(a: "he said "go" now")', (1, 16), r"quotes within a text are written `\"`"),
        ('P(a: """x""")', (1, 8), "one pair of quotes"),
        ("P(a: 'text')", (1, 6), 'text goes in double quotes: "text"'),
        ("P(a: `text`)", (1, 6), "straight double quotes"),
        ('P(a: f"x")', (1, 7), "leave out the `f`"),
        ("P(a: my name)", (1, 9), 'Text stands in double quotes: "two words"'),
        (r'P(a: "C:\dir\x.png")', (1, 9), "paths have `/`"),
        ("P(a: res://x.png)", (1, 9), "stands in double quotes"),
        (r"P(a: C:\x.png)", (1, 7), "stands in double quotes"),
        (r"P(a: \x.png)", (1, 6), "stands in double quotes"),
        (r"P(a: dir\x.png)", (1, 9), "stands in double quotes"),
        # Commas, colons and brackets.
        ('P(\n a: "x",,\n b: 2)', (2, 9), "two commas follow each other"),
        ("P(a: [1,, 2])", (1, 9), "two commas follow each other"),
        ("P(a: , b: 1)", (1, 6), "a value is missing in front of the comma"),
        ("P(,)", (1, 3), "nothing stands in front of the comma"),
        ("P(a: 1; b: 2)", (1, 7), "a comma separates"),
        ("P(a: 1);", (1, 8), "leave out the `;`"),
        ("P(a => 1)", (1, 5), "written with a colon"),
        ("P(a -> 1)", (1, 5), "written with a colon"),
        ("P(a:: 1)", (1, 5), "one colon"),
        ("P(1: 2)", (1, 4), "a word without quotes"),
        ("P(a-b: 1)", (1, 4), "a name has no `-`: write `a_b`"),
        ("P(a: 1))", (1, 8), "is it one too many?"),
        ("P(\n a: [1,\n b: 2)", (3, 3), "`[` in line 2 is not closed"),
        ("P(a: [b: 1])", (1, 8), "items of a list have no names"),
        ("P(a: {1, 2})", (1, 8), "a list is `[1, 2]`"),
        ("P(a: {b: 1, c})", (1, 14), "a list is `[1, 2]`"),
        ('P(a: {"x" 1})', (1, 11), "is a `:` missing"),
        ('P(a: {"x"= 1})', (1, 10), "written with a colon"),
        ("P(a: None())", (1, 10), "write `None` without brackets"),
        # Numbers.
        ("P(a: Some 5, b: 1)", (1, 11), "write `Some(5)`"),
        ("P(a: 1.5f)", (1, 9), "leave out `f`"),
        ("P(a: 45deg)", (1, 8), "leave out `deg`"),
        ("P(a: 10%)", (1, 8), "leave out `%`"),
        ("P(a: -infinity)", (1, 7), "write `-inf`"),
        ("P(a: -nan)", (1, 7), "write `-NaN`"),
        ("P(a: 2*3)", (1, 7), "nothing is calculated"),
        ("P(a: 1/2)", (1, 7), "nothing is calculated"),
        ("P(a: 1+2)", (1, 6), "nothing is calculated"),
        ('P(a: "x" + "y")', (1, 10), "texts are not joined"),
        ("P(a: 300u8)", (1, 6), None),
        # Other languages, other files.
        ("P(a: #ff8800)", (1, 6), "numbers from 0 to 255: (255, 136, 0)"),
        ("P(a: #f80)", (1, 6), "numbers from 0 to 255: (255, 136, 0)"),
        ("P(a: #ff880080)", (1, 6), "numbers from 0 to 255: (255, 136, 0, 128)"),
        ("#[enable(implicit_some)]\nP()", (1, 3), "an attribute has a `!`"),
        ("#[derive(Debug)]\nP()", (1, 3), "there are no attributes but"),
        ("-- note\nP()", (1, 1), "comments begin with `//`"),
        ("P(a: vec![1])", (1, 9), "a file holds values and calls nothing"),
        ('P(a: "x".into())', (1, 9), "a file holds values and calls nothing"),
        ('P(a: &"x")', (1, 6), "leave out the `&`"),
        ("let a = 5", (1, 5), "a file holds one value"),
        ("a = 1", (1, 3), "written with a colon"),
        ("P(\n x: 1,\n<<<<<<< HEAD\n a: 1)", (3, 1), "both sides of a merge"),
        ("P(\n x: 1,\n=======\n a: 1)", (3, 1), "both sides of a merge"),
        ("P(a: 1)\n>>>>>>> x", (2, 1), "both sides of a merge"),
        ("version https://git-lfs.github.com/spec/v1\noid x", (1, 9), "run `git lfs pull`"),
        ('<?xml version="1.0"?>', (1, 1), "looks like XML"),
        ("[gd_scene format=3]", (1, 11), "a file of Godot"),
        ("", (1, 1), "the file is empty"),
        # Characters that look like others, or like nothing.
        ("P(a:\u00a01)", (1, 5), "an unusual blank"),
        ("P(a: 1\u200b)", (1, 7), "invisible"),
        ("P(a\uff1a 1)", (1, 4), "looks like `:`"),
        ("P(a: \u22125)", (1, 6), "write `-`"),
        ("\ufeff\ufeffP()", (1, 1), "byte order mark"),
        ("P\0(\0)\0", (1, 2), "in another encoding"),
        # An error within a text or comment has nothing to do with what stands around it.
        ('P(a: "x", b: ")', (1, 15), None),
        (r'P(a: "\u12")', (1, 7), None),
        ("P(a: /* x )", (1, 12), "comments within a comment"),
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


@pytest.mark.parametrize("text", ["[1 two]", "[two 1]", "[Foo(1) two]"])
def test_a_missing_comma_is_a_text_without_quotes_between_two_words_only(text: str) -> None:
    """Beside anything else, two words in a row are no text."""
    with pytest.raises(ron.RonError) as caught:
        ron.loads(text)
    assert caught.value.hint == "is a comma missing in front of it?"


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        ("P()".encode("utf-16"), "the file is UTF-16"),
        ("P()".encode("utf-16-le"), "in another encoding"),
        (b"\x89PNG\r\n\x1a\n", "no text"),
        (b"PK\x03\x04\xff", "no text"),
        ('P(a: "\xe9")'.encode("latin-1"), "save the file as UTF-8"),
    ],
)
def test_bytes_that_are_no_text_say_what_they_may_be(data: bytes, hint: str) -> None:
    """A file in another encoding, or of another kind, is told from a slip in a text."""
    with pytest.raises(ron.RonError) as caught:
        ron.loads(data)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text", ["inf..1", "NaN..", "0..-inf", "0..+inf", "0..=+NaN", "1..=-NaNf32"]
)
def test_a_range_may_begin_with_a_number_word_and_end_with_a_signed_one(text: str) -> None:
    """`inf` and `NaN` are numbers at the start of a range, and behind a sign at its end."""
    assert isinstance(ron.loads(text), ron.Range)
    written = ron.dumps(ron.loads(text))
    assert ron.to_tagged(ron.loads(written)) == ron.to_tagged(ron.loads(text))


@pytest.mark.parametrize(
    ("text", "column"), [("0..inf", 4), ("0..=NaN", 5), ("..inff32", 3), ("[1..NaNf64]", 5)]
)
def test_a_range_that_ends_in_a_bare_number_word_is_refused(text: str, column: int) -> None:
    """As by the reference reader; the hint has the form that is read."""
    with pytest.raises(ron.RonError, match="a range cannot end in a bare") as caught:
        ron.loads(text)
    assert caught.value.column == column
    assert "write it with a sign: `+" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("-infinity", 2),
        ("+unit", 2),
        ("#[enable(implicit_some)] 1", 3),
        ("# [enable(implicit_some)] 1", 4),
        ("#!enable", 3),
        ("#![enable(implicit_some] 1", 26),
        ("#![enable(implicit_some x)] 1", 25),
    ],
)
def test_an_error_stands_in_the_column_of_the_reference(text: str, column: int) -> None:
    """Behind a sign without digits, and behind the marks of an attribute that are there."""
    with pytest.raises(ron.RonError) as caught:
        ron.loads(text)
    assert (caught.value.line, caught.value.column) == (1, column)


def test_hints_quote_no_more_than_a_line() -> None:
    """A name or text of megabytes in front of a mistake does not come back in the hint."""
    for text in (f'A("{"x" * 10**6}": 1)', f"{'x' * 10**6}(a: 1 b)", f"[{'x' * 10**6}[1]]"):
        with pytest.raises(ron.RonError) as caught:
            ron.loads(text)
        assert len(str(caught.value)) < 1_000
