"""`parse`, `load` and `Document`: positions, files, and what an error looks like."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from arcade_prefabs import ron
from arcade_prefabs.errors import ArcadePrefabsError, LocatedError, RonError
from arcade_prefabs.ron import positional_reader as careful

CRATE = """\
// a crate
Crate(
    size: (32, 64),
    loot: {"gold": [1, 2], (0, 1): Some(Key)},
    kind: Box(1.5, deep: 2),
)
"""


def document(text: str) -> ron.Document:
    return ron.parse(text, path="crate.ron")


def error_of(text: str | bytes) -> ron.RonError:
    with pytest.raises(ron.RonError) as caught:
        ron.loads(text, path="crate.ron")
    return caught.value


# --------------------------------------------------------------------------------------- positions


def test_parts_of_a_value_are_found_by_names_and_indices() -> None:
    """Steps are field names, or indices of items, entries and fields."""
    crate = document(CRATE.replace(", deep: 2", ""))
    assert crate.path == "crate.ron"
    assert crate.position() == (2, 1, 11)
    assert crate.position("size") == ron.TextPosition(line=3, column=11, offset=28)
    assert crate.text_of("size", 1) == "64"
    assert crate.text_of("loot", 0) == "[1, 2]"
    assert crate.text_of("loot", 0, 1) == "2"
    assert crate.text_of("loot", 1) == "Some(Key)"
    assert crate.text_of("loot", 1, 0) == "Key"
    assert crate.text_of(2) == crate.text_of("kind") == "Box(1.5)"


def test_keys_are_found_where_there_are_keys() -> None:
    """`key` asks for the field name or the map's key in front of a value."""
    crate = document(CRATE.replace(", deep: 2", ""))
    assert crate.position("size", key=True) == (3, 5, 22)
    column = crate.position("loot", 1, key=True).column
    assert CRATE.split("\n")[3][column - 1 :].startswith("(0, 1): Some")
    assert crate.position("size", 1, key=True) == crate.position("size", 1)
    assert crate.position(key=True) == crate.position()


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        (("size", 9), "(32, 64)"),
        (("size", -1), "(32, 64)"),
        (("size", "x"), "(32, 64)"),
        (("size", 0, 0), "32"),
        (("weight",), "Crate(size: (32, 64))"),
        (("weight", 0), "Crate(size: (32, 64))"),
    ],
)
def test_steps_that_lead_nowhere_stop_at_the_last_part(
    steps: tuple[ron.PathSegment, ...], text: str
) -> None:
    """A position is for an error message, and the nearest one beats another error."""
    crate = document("Crate(size: (32, 64))")
    assert crate.text_of(*steps) == text
    assert crate.text.startswith(text, crate.position(*steps).offset)


def test_the_last_of_two_fields_with_one_name_is_found() -> None:
    """As in looking up the value; the first has its index."""
    twice = document("(a: 1, b: 2, a: 3)")
    assert twice.text_of("a") == "3"
    assert twice.text_of(0) == "1"


def test_the_line_of_a_position_is_shown_without_its_end() -> None:
    """For the excerpt of an error about a value that is sound RON and wrong all the same."""
    crate = document(CRATE.replace(", deep: 2", "").replace("\n", "\r\n"))
    assert crate.line_of(crate.position("size", 1)) == "    size: (32, 64),"
    assert crate.line_of(crate.position()) == "Crate("


def test_columns_count_characters() -> None:
    """Letters beyond ASCII and tabs count one each, as in editors."""
    assert document('\t("éü🦀", 5)').position(1) == (1, 10, 9)


def test_the_text_of_a_document_has_no_byte_order_mark() -> None:
    """Offsets count from the first character behind it."""
    crate = ron.parse(b"\xef\xbb\xbf(a: 1)")
    assert crate.text == "(a: 1)"
    assert crate.position("a").offset == 4


def test_positions_need_no_second_reading_until_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A correct file does not pay for positions, and the second question costs nothing."""
    calls = []
    read = careful.read

    def counted(text: str, *, nodes: bool = True) -> object:
        calls.append(nodes)
        return read(text, nodes=nodes)

    monkeypatch.setattr(careful, "read", counted)
    crate = ron.parse("(a: 1)")
    assert calls == []
    crate.position("a")
    crate.position("a")
    assert calls == [True]


# ------------------------------------------------------------------------------------------- files


def test_a_file_is_loaded_by_path(tmp_path: Path) -> None:
    """Paths may be strings or path objects; the value is that of the text."""
    path = tmp_path / "crate.ron"
    path.write_bytes(b"\xef\xbb\xbfCrate(\r\n    size: 5,\r\n)\r\n")
    assert ron.load(path) == ron.load(str(path)) == ron.Struct("Crate", {"size": 5})


def test_errors_name_the_file(tmp_path: Path) -> None:
    """The place is `file:line:column`, whatever the path is made of."""
    path = tmp_path / "crate.ron"
    path.write_text("(\n    a 1,\n)", encoding="utf-8")
    with pytest.raises(ron.RonError) as caught:
        ron.load(path)
    assert caught.value.location == f"{path}:2:7"
    with pytest.raises(ron.RonError, match=r"^<text>:1:1: "):
        ron.loads("")
    with pytest.raises(ron.RonError, match=r"^crate\.ron:1:1: "):
        ron.parse("", path=Path("crate.ron"))
    raw: os.PathLike[str] = os.fsencode("crate.ron")  # type: ignore[assignment]
    with pytest.raises(ron.RonError, match=r"^crate\.ron:1:1: "):
        ron.parse("", path=raw)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    """Only what is in the file is a RonError."""
    with pytest.raises(FileNotFoundError):
        ron.load(tmp_path / "none.ron")


# ------------------------------------------------------------------------------------------ errors


def test_an_error_is_caught_by_all_its_names() -> None:
    """`RonError` is a `ValueError`, and one of the package's errors."""
    for kind in (ron.RonError, LocatedError, ArcadePrefabsError, ValueError):
        with pytest.raises(kind, match="expected"):
            ron.loads("[1")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            CRATE,
            [
                "crate.ron:5:24: expected `,` or `)`, found `:`",
                "  5 |     kind: Box(1.5, deep: 2),",
                "    |                        ^",
                "  hint: in one pair of brackets either every field has a name or none has",
            ],
        ),
        (
            "(\n    a: [1, 2\n)",
            [
                "crate.ron:3:1: expected `,` or `]`, found `)`",
                "  3 | )",
                "    | ^",
                "  hint: `[` in line 2 is not closed",
            ],
        ),
        (
            '(name: "crate)\n',
            [
                'crate.ron:1:9: string is never closed, expected `"`',
                '  1 | (name: "crate)',
                "    |         ^",
            ],
        ),
        (
            "A(x: 'text')",
            [
                "crate.ron:1:6: expected one character between single quotes",
                "  1 | A(x: 'text')",
                "    |      ^",
                '  hint: text goes in double quotes: "text"',
            ],
        ),
        (
            "\t[1,\t@]",
            [
                "crate.ron:1:6: expected a value, found `@`",
                "  1 |     [1,    @]",
                "    |            ^",
            ],
        ),
        (
            "\n" * 120 + "(a 1)",
            [
                "crate.ron:121:4: expected `,` or `)`, found `1`",
                "  121 | (a 1)",
                "      |    ^",
                "  hint: is a `:` or a comma missing in front of it?",
            ],
        ),
        (
            "",
            [
                "crate.ron:1:1: expected a value, found the end of the text",
                "  1 | ",
                "    | ^",
                "  hint: the file is empty",
            ],
        ),
        (
            b"[1, \xff]",
            [
                "crate.ron:1:5: byte 0xFF is not UTF-8",
                "  1 | [1, ",
                "    |     ^",
                "  hint: save the file as UTF-8",
            ],
        ),
    ],
    ids=["field", "bracket", "string", "char", "tabs", "far down", "nothing", "bytes"],
)
def test_an_error_shows_the_line_with_a_caret(text: str | bytes, lines: list[str]) -> None:
    """Place and message first, then the line, a caret below the column, and what to try."""
    assert str(error_of(text)).split("\n") == lines


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("Some()", 6, "expected a value in `Some(...)`"),
        ("Some(1, 2)", 9, "expected `)`: Some holds exactly one value"),
        ("Some(a: 1)", 7, "expected `,` or `)`, found `:`"),
        ("[1i8x]", 3, "expected `,` or `]`, found `i8x`"),
        ("256u8", 1, "the integer does not fit into `u8`"),
        ("0b12", 1, "invalid digit `2` in a base 2 number"),
        ("1..=", 5, "expected the end of the range behind `..=`"),
        ("r#+ 1", 5, "expected the end of the text behind the value, found `1`"),
        ("r#", 3, "expected a name or a string behind `r#`"),
        ("#![disable(x)]", 4, "expected `enable`, `type` or `schema`"),
        ("/ 1", 1, "expected `//` or `/*`, found a lone `/`"),
    ],
)
def test_an_error_says_what_was_expected(text: str, column: int, message: str) -> None:
    """In one line, at the character that cannot be right."""
    error = error_of(text)
    assert (error.message, error.column) == (message, column)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Some(1, 2)", ron.Some((1, 2))),
        ("Some(a: 1)", ron.Some(ron.Struct(None, {"a": 1}))),
        ("Some()", ron.Some(ron.UNIT)),
        ("Some(1)", ron.Some(1)),
    ],
)
def test_an_extension_lets_some_hold_a_whole_struct(text: str, value: ron.Some) -> None:
    """`unwrap_variant_newtypes` changes what `Some(...)` means, and can be written back."""
    result = ron.loads("#![enable(unwrap_variant_newtypes)]\n" + text)
    assert result == value
    assert ron.loads(ron.dumps(result)) == value


def test_a_long_line_is_shown_through_a_window() -> None:
    """A hundred characters around the place, with the caret still below it."""
    text = "[" + "1, " * 5_000 + "@, " + "2, " * 5_000 + "]"
    error = error_of(text)
    assert error.column == text.index("@") + 1
    first, excerpt, caret = str(error).split("\n")
    assert first == f"crate.ron:1:{error.column}: expected a value, found `@`"
    assert len(excerpt) == len("  1 | ") + 100
    assert excerpt[caret.index("^")] == "@"
    start, end = "(a 1" + " " * 200, "[" + "1," * 200 + "1 1"
    assert str(error_of(start)).split("\n")[1] == "  1 | " + start[:100]
    assert str(error_of(end)).split("\n")[1] == "  1 | " + end[-100:]


@pytest.mark.parametrize("count", [0, 1, 30, 49, 50, 51, 99, 100, 101, 150])
@pytest.mark.parametrize("behind", [0, 10, 200])
def test_the_caret_stands_below_the_place_in_every_window(count: int, behind: int) -> None:
    """At the start, in the middle and at the end of long lines."""
    text = "[" + "1," * count + "@" + " " * behind + "]"
    _, excerpt, caret = str(error_of(text)).split("\n")
    assert excerpt[caret.index("^")] == "@"


@pytest.mark.parametrize(
    "text",
    [
        '["\x1b[31m", @]',
        "[\x1b]",
        '"\\\x1b"',
        '"\\\x9b31m"',
        "#![enable(\x1b)]",
        "'\x1b\x1b'",
        "[1 \u202e]",
        "(a\u200b: 1)",
        "\x07",
        "r#\x1b",
        "0x\x1b",
    ],
)
def test_control_characters_never_reach_the_terminal(text: str) -> None:
    """Neither message nor excerpt can move the cursor, change colours or reverse the text."""
    printed = str(error_of(text))
    assert all(line.replace("\t", "").isprintable() for line in printed.split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "(a: 1, " + "a" * 100_000 + " 1)",
        "#![enable(" + "a" * 100_000 + ")]",
        "r" + "#" * 100_000 + '"',
        "[" + "1" * 100_000 + "i8]",
        "é" * 100_000 + " 1",
    ],
    ids=["field", "extension", "hashes", "digits", "name"],
)
def test_a_message_is_short_however_long_the_mistake(text: str) -> None:
    """Huge names and numbers are quoted by their beginning."""
    assert len(error_of(text).message) < 180
    assert len(str(error_of(text))) < 400


@pytest.mark.long
def test_an_error_in_a_line_of_megabytes_stays_small() -> None:
    """What an error keeps and shows of a huge line is a window with the caret in its place."""
    text = "[" + "1, " * 400_000 + "; 2" + ", 3" * 400_000 + "]"
    with pytest.raises(RonError) as caught:
        ron.loads(text)
    error = pickle.loads(pickle.dumps(caught.value))
    assert error.column == 1_200_002
    assert error.source_line is not None
    assert len(pickle.dumps(error)) < 3_000
    shown, caret = str(error).splitlines()[1:3]
    assert shown[caret.index("^")] == ";"
