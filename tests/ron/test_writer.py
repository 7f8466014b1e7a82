"""What `dumps` and `dump` write: layout, quoting, and what they refuse."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import pytest

from arcade_prefabs import ron
from arcade_prefabs.ron import UNIT, Char, Ident, Map, Range, Some, Struct, TupleStruct

SPRITE: dict[str, Any] = {
    "texture": ":resources:images/tiles/boxCrate_double.png",
    "scale": 0.5,
    "angle": 12.5,
}
LOOT: dict[str, Any] = {"table": Map({"gold": Range(1, 25, inclusive=True)}), "key": Some(3)}
FIELDS: dict[str, Any] = {
    "extends": "props/wooden",
    "components": [
        Struct("Sprite", SPRITE),
        Struct("Collider", {"shape": TupleStruct("Box", (32, 32)), "sensor": False}),
        Struct("Loot", LOOT),
    ],
    "children": [],
    "tags": (Ident("Heavy"), UNIT, None, ()),
}
PREFAB = Struct("Prefab", FIELDS)
PRETTY = """\
Prefab(
    extends: "props/wooden",
    components: [
        Sprite(
            texture: ":resources:images/tiles/boxCrate_double.png",
            scale: 0.5,
            angle: 12.5,
        ),
        Collider(shape: Box(32, 32), sensor: false),
        Loot(table: {"gold": 1..=25}, key: Some(3)),
    ],
    children: [],
    tags: (Heavy, (), None, ( )),
)"""
COMPACT = (
    'Prefab(extends:"props/wooden",components:[Sprite(texture:":resources:images/tiles/'
    'boxCrate_double.png",scale:0.5,angle:12.5),Collider(shape:Box(32,32),sensor:false),'
    'Loot(table:{"gold":1..=25},key:Some(3))],children:[],tags:(Heavy,(),None,( )))'
)


def test_long_values_are_broken_over_lines() -> None:
    """Short values stay in one line; each item of a long one gets a line and a comma."""
    assert ron.dumps(PREFAB) == PRETTY
    assert ron.loads(PRETTY) == PREFAB


def test_compact_text_has_no_blanks() -> None:
    """Without `pretty` everything stands in one line."""
    assert ron.dumps(PREFAB, pretty=False) == COMPACT
    assert ron.loads(COMPACT) == PREFAB


def test_the_indent_can_be_chosen() -> None:
    """Two spaces, for those who want them."""
    words: list[Any] = ["a" * 50, "b" * 50]
    assert ron.dumps([words], indent=2) == (
        f'[\n  [\n    "{words[0]}",\n    "{words[1]}",\n  ],\n]'
    )


def test_a_line_is_full_at_88_characters() -> None:
    """A value that would end in column 89 is broken."""
    fits: list[Any] = ["x" * 80, 1]
    assert len(ron.dumps(fits)) == 87
    assert "\n" not in ron.dumps(["x" * 81, 1])
    assert ron.dumps(["x" * 82, 1]).count("\n") == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "None"),
        (-0.0, "-0.0"),
        (1e16, "1e+16"),
        (5e-324, "5e-324"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), "NaN"),
        (2**64 - 1, "18446744073709551615"),
        (-(2**63), "-9223372036854775808"),
        ('a"b\\c\n\t\0\x1b\x7f', r'"a\"b\\c\n\t\0\x1b\x7f"'),
        ("é🦀'", '"é🦀\'"'),
        (b"a\"\\\xff\n'", r"""b"a\"\\\xff\n'" """.strip()),
        (Char("'"), r"'\''"),
        (Char('"'), "'\"'"),
        (Char("\n"), r"'\n'"),
        (Ident("r"), "r"),
        (Ident("true"), "r#true"),
        (Ident("a-b"), "r#a-b"),
        (TupleStruct("None", (1,)), "r#None(1)"),
        (TupleStruct("A"), "A()"),
        (Struct(None, {"true": 1, "1.5": 2, "r": 3}), "(true: 1, r#1.5: 2, r: 3)"),
        (Map({Ident("a"): 1, (1, 2): 2}), "{a: 1, (1, 2): 2}"),
        (Map(), "{}"),
        ({"plain": [1]}, '{"plain": [1]}'),
        (Range(None, None), ".."),
        (Range(-1, 2.5), "-1..2.5"),
        (Range(None, 5, inclusive=True), "..=5"),
    ],
)
def test_every_kind_of_value_has_its_spelling(value: Any, text: str) -> None:
    """What is written is what a person would write, and reads back."""
    assert ron.dumps(value) == text
    assert ron.to_tagged(ron.loads(text)) == ron.to_tagged(value)


def test_subclasses_are_written_as_what_they_stand_for() -> None:
    """Members of enums with values are numbers and strings."""

    class Layer(enum.IntEnum):
        SKY = 3

    class Item(enum.StrEnum):
        GOLD = "gold"

    assert ron.dumps([Layer.SKY, Item.GOLD]) == '[3, "gold"]'


@pytest.mark.parametrize("stranger", [{1}, object(), 1j, range(3)])
@pytest.mark.parametrize("wrap", [tuple, list, Some, lambda value: Map({1: value})])
def test_what_is_no_value_is_a_type_error(stranger: Any, wrap: Any) -> None:
    """The error names the type that cannot be written, however deep inside it is."""
    value = wrap([stranger]) if wrap in (tuple, list) else wrap(stranger)
    with pytest.raises(TypeError, match=r"(set|object|complex|range) is no RON value"):
        ron.dumps(value)


@pytest.mark.parametrize("end", ["a", True, Char("c"), 1j])
def test_the_ends_of_a_range_are_numbers(end: Any) -> None:
    """A range built by hand with something else is refused, for it would not read back."""
    with pytest.raises(TypeError, match="the ends of a range are numbers"):
        ron.dumps(Range(0, end))
    with pytest.raises(TypeError, match="the ends of a range are numbers"):
        ron.dumps(Range(end, 5))


def test_an_inclusive_range_needs_an_end() -> None:
    """`0..=` is no RON."""
    with pytest.raises(ValueError, match="an inclusive range needs an end"):
        ron.dumps(Range(0, None, inclusive=True))


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**5000], ids=["large", "small", "huge"])
def test_integers_beyond_64_bits_are_refused(number: int) -> None:
    """They would read back as floats; the message stays short."""
    with pytest.raises(ValueError, match=r"an integer of \d+ bits; RON's have 64 at most"):
        ron.dumps(number)
    with pytest.raises(ValueError, match="64 at most"):
        ron.dumps(Range(0, number))


@pytest.mark.parametrize("name", ["", "a b", "a\n", "é!", "a:b", "r#a", '"'])
def test_names_that_are_none_are_refused(name: str) -> None:
    """Neither names nor field names can hold blanks, quotes and the like."""
    named: tuple[Any, ...] = (
        Ident(name),
        TupleStruct(name, (1,)),
        Struct(name, {"a": 1}),
        Struct("A", {name: 1}),
    )
    for value in named:
        with pytest.raises(ValueError, match="cannot be written as a RON name"):
            ron.dumps(value)


def test_a_struct_without_fields_is_refused() -> None:
    """`A()` reads as a tuple, so the error says to use one."""
    with pytest.raises(ValueError, match="use a TupleStruct"):
        ron.dumps(Struct("A"))


@pytest.mark.parametrize("value", ["\ud800", Char("\udfff"), Ident("a\ud800"), Map({"\ud800": 1})])
def test_lone_surrogates_are_refused(value: Any) -> None:
    """No file could hold them."""
    with pytest.raises(ValueError, match=r"surrogates|RON name"):
        ron.dumps(value)


def test_a_list_that_holds_itself_is_refused() -> None:
    """A cycle is nested too deeply, and no RecursionError."""
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(ValueError, match="nested too deeply"):
        ron.dumps(cycle)
    plain: dict[str, Any] = {}
    plain["self"] = (plain,)
    with pytest.raises(ValueError, match="nested too deeply"):
        ron.dumps(plain)  # type: ignore[arg-type]


def nested(levels: int, innermost: Any, wrap: Any) -> Any:
    for _ in range(levels):
        innermost = wrap(innermost)
    return innermost


@pytest.mark.parametrize(
    ("wrap", "most"),
    [
        (lambda value: [value], 64),
        (lambda value: (value,), 64),
        (lambda value: TupleStruct("A", (value,)), 64),
        (lambda value: Struct(None, {"a": value}), 64),
        (lambda value: Map({1: value}), 64),
        (lambda value: Map([(value, 1)]), 64),
        (Some, 128),
        (lambda value: Some([value]), 42),
    ],
)
@pytest.mark.parametrize("innermost", [1, UNIT], ids=["number", "unit"])
@pytest.mark.parametrize("pretty", [True, False], ids=["pretty", "compact"])
def test_what_can_be_written_can_be_read(
    wrap: Any, most: int, innermost: Any, pretty: bool
) -> None:
    """Reader and writer have the same limit for nesting, to the level."""
    value = nested(most, innermost, wrap)
    assert ron.to_tagged(ron.loads(ron.dumps(value, pretty=pretty))) == ron.to_tagged(value)
    with pytest.raises(ValueError, match="nested too deeply"):
        ron.dumps(nested(most + 1, innermost, wrap), pretty=pretty)
    with pytest.raises(ValueError, match="nested too deeply"):
        ron.dumps(nested(300, innermost, wrap), pretty=pretty)


def test_an_empty_tuple_counts_as_a_level() -> None:
    """`( )` is a bracket to the reader, while `()` is none."""
    assert ron.loads(ron.dumps(nested(63, (), lambda value: [value]))) is not None
    with pytest.raises(ValueError, match="nested too deeply"):
        ron.dumps(nested(64, (), lambda value: [value]))
    assert ron.loads(ron.dumps(nested(64, UNIT, lambda value: [value]))) is not None


def test_a_file_is_utf_8_with_a_line_end(tmp_path: Path) -> None:
    """The same bytes on every system, so that version control sees real changes only."""
    path = tmp_path / "crate.ron"
    fields: dict[str, Any] = {"label": "é", "lines": ["x" * 80, "\n"]}
    ron.dump(Struct("Crate", fields), path)
    data = path.read_bytes()
    assert data.endswith(b")\n")
    assert b"\r" not in data
    assert "é".encode() in data
    assert ron.load(path) == ron.load(str(path)) == ron.loads(data)


def test_a_value_that_cannot_be_written_leaves_the_file_alone(tmp_path: Path) -> None:
    """The text is complete before the file is opened."""
    path = tmp_path / "crate.ron"
    ron.dump([1], path, pretty=False)
    with pytest.raises(ValueError, match="64 at most"):
        ron.dump([2**64], path)
    assert ron.load(path) == [1]
