"""Properties of the RON reader and writer that hold for every value and every text."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from arcade_prefabs import ron
from arcade_prefabs.ron import fast_reader as quick
from arcade_prefabs.ron import positional_reader as careful
from arcade_prefabs.ron.literals import BadText
from arcade_prefabs.ron.values import Value

PREFAB = """\
// a crate
#![enable(implicit_some)]
Prefab(
    extends: "props/wooden",
    components: [
        Sprite(texture: ":resources:images/crate.png", scale: 0.5, tint: Some((255, 0, 0x7F))),
        Collider(shape: Box(32, 32), sensor: false, /* not * yet / */ layer: Props),
        Text("a \\"quoted\\" \\u{e9}\\n", r#"raw "text" \\"#, b"\\xff", 'c', '\\''),
        Loot(table: {"gold": 1..=25, (0, -1): -1.5e3, North: None, 'k': ()}, chance: 1_000),
    ],
    children: [(name: "lamp", at: (-0.0, 32.), overrides: [Light(radius: 90i32)])],
)
"""
CASES = Path(__file__).parent / "data" / "conformance.jsonl"
TEXTS = [
    case["ron"]
    for case in map(json.loads, CASES.read_text(encoding="utf-8").rstrip("\n").split("\n"))
    if len(case.get("ron", " " * 400)) < 400
]
# Pieces that mean something; splicing them in finds more than random characters do.
PIECES = [
    *"()[]{},:\"'\\/*#!.+-_= \n\t\r\0aebrxu01é\x85\u200e\u2028\ufeff\xa0",
    *("()", "..", "..=", "//", "/*", "*/", "r#", 'r#"', '"#', 'b"', "b'", "br", "\\x80", "\\u{"),
    *("Some", "Some(", "None", "true", "inf", "NaN", "0x", "f32", "i8", "1e9", "#![enable("),
    *("unwrap_variant_newtypes)]", "18446744073709551616", "\\xf0\\x9f\\xa6\\x80"),
]

# ----------------------------------------------------------------------------------- all the values

ascii_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
odd_names = st.sampled_from(
    [
        *("a-b", "1.5", "-", "+x", "..", "true", "false", "None", "Some", "inf", "NaN", "inff32"),
        *("r", "b", "br", "b_", "rx", "_", "é", "名前", "a·b", "ªº", "x\u0301", "0x1F", "e9"),
        *("name", "items", "get", "_name", "_items", "_fields", "__deepcopy__", "__class__"),
    ]
)
names = ascii_names | odd_names
characters = st.characters(exclude_categories=["Cs"])
texts = st.text(characters | st.sampled_from("\0\n\r\t\\\"'\x7f\x85\u2028\ufeff🦀"), max_size=12)
integers = (
    st.integers(-(2**63), 2**64 - 1)
    | st.integers(-300, 300)
    | st.sampled_from([-(2**63), -(2**63) + 1, 2**63 - 1, 2**63, 2**64 - 1, 10**18, 10**17])
)
floats = st.floats() | st.sampled_from(
    [
        0.0,
        -0.0,
        float("inf"),
        float("-inf"),
        float("nan"),
        5e-324,
        1e16,
        1e22,
        1.7976931348623157e308,
    ]
)
numbers = integers | floats
ranges = st.one_of(
    st.builds(ron.Range, numbers | st.none(), numbers, st.booleans()),
    st.builds(ron.Range, numbers | st.none(), st.none()),
)
scalars: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    integers,
    floats,
    texts,
    st.binary(max_size=12),
    st.builds(ron.Char, characters | st.sampled_from("'\"\\\n\0")),
    st.just(ron.UNIT),
    st.builds(ron.Ident, names),
    ranges,
)


def containers(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    items = st.lists(inner, max_size=4)
    field_lists = st.lists(st.tuples(names, inner), min_size=1, max_size=4)
    few_names = st.lists(st.tuples(st.sampled_from("aab"), inner), min_size=1, max_size=4)
    entries = st.lists(st.tuples(inner, inner), max_size=4)
    few_keys = st.lists(st.tuples(st.sampled_from([1, 1.0, True, "a", ron.Char("a")]), inner))
    return st.one_of(
        items,
        items.map(tuple),
        st.builds(ron.Some, inner),
        st.builds(ron.TupleStruct, names, items),
        st.builds(ron.Struct, st.none() | names, field_lists | few_names),
        st.builds(ron.Map, entries | few_keys),
    )


values = st.recursive(scalars, containers, max_leaves=25)


@pytest.mark.long
@given(values, st.booleans(), st.integers(0, 8))
@example(ron.Some(ron.Some(ron.UNIT)), True, 4)
@example([(), ((),), ron.UNIT, ron.Struct("r", {"b": ron.Char("'")})], False, 4)
def test_what_is_written_reads_back_the_same(value: Value, pretty: bool, indent: int) -> None:
    """Kinds, names, order and duplicate keys survive being written and read."""
    written = ron.dumps(value, pretty=pretty, indent=indent)
    assert ron.to_tagged(ron.loads(written)) == ron.to_tagged(value)
    assert ron.to_tagged(ron.loads(written.encode())) == ron.to_tagged(value)
    assert pretty or "\n" not in written


@given(values)
def test_writing_is_stable(value: Value) -> None:
    """A text that `dumps` wrote is written the same again after being read."""
    for pretty in (True, False):
        written = ron.dumps(value, pretty=pretty)
        assert ron.dumps(ron.loads(written), pretty=pretty) == written


@given(values)
def test_a_map_finds_each_of_its_keys(value: Value) -> None:
    """Every key that a file can hold is found in its map, and only there."""
    entries = ron.loads(ron.dumps(ron.Map([(value, "here")])))
    assert isinstance(entries, ron.Map)
    assert entries[value] == "here"
    assert value in entries
    assert [value] not in entries


# ------------------------------------------------------------------------------------ broken texts


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A valid text with a few pieces cut out, put in, doubled or taken from another one."""
    text: str = draw(st.sampled_from(TEXTS) | st.just(PREFAB))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 4)))
        match draw(st.integers(0, 3)):
            case 0:
                piece = ""
            case 1:
                piece = draw(st.sampled_from(PIECES)) + text[start:end]
            case 2:
                piece = text[start:end] * 2
            case _:
                other: str = draw(st.sampled_from(TEXTS))
                cut = draw(st.integers(0, len(other)))
                piece = other[cut : cut + draw(st.integers(0, 12))]
        text = text[:start] + piece + text[end:]
    return text


def check_error(error: ron.RonError, text: str) -> None:
    """The error's place lies in the text, it prints, and it survives a trip between processes."""
    lines = text.removeprefix("\ufeff").split("\n")
    assert error.line is not None
    assert error.column is not None
    assert 1 <= error.line <= len(lines)
    assert 1 <= error.column <= len(lines[error.line - 1]) + 1
    printed = str(error)
    assert printed.startswith(f"<text>:{error.line}:{error.column}: ")
    assert all(part == "\t" or part.isprintable() for line in printed.split("\n") for part in line)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.__dict__) == (printed, error.__dict__)


def check(text: str) -> None:
    """`loads` gives a value or RonError, and both readers agree about the text."""
    try:
        start, extensions = careful.read_attributes(text.removeprefix("\ufeff"))
    except BadText:
        start, extensions = 0, frozenset(["unwrap_variant_newtypes"])
    quickly = None
    if "unwrap_variant_newtypes" not in extensions:
        quickly = quick.read(text.removeprefix("\ufeff"), start)
    carefully = None
    try:
        carefully = careful.read(text.removeprefix("\ufeff"))
    except BadText:
        assert quickly is None
    try:
        value = ron.loads(text)
    except ron.RonError as error:
        assert carefully is None
        check_error(error, text)
        return
    assert carefully is not None
    tagged = ron.to_tagged(value)
    assert ron.to_tagged(carefully[0]) == tagged
    if quickly is not None:
        assert ron.to_tagged(quickly[0]) == tagged


@given(mutated())
@example("Some(x: 1)")
@example("(a: 1, a: 2)")
@example("{a: 1, true: 2, Some: 3}")
@example("#![enable(unwrap_variant_newtypes)] Some(a: 1, b: 2)")
@example('"\\\x1b[2J"')
@example("(" + "a" * 200 + " 1, b c)")
def test_a_damaged_text_is_a_value_or_an_error_in_its_place(text: str) -> None:
    """No damage makes anything else happen, and both readers see the same."""
    check(text)


@given(st.lists(characters | st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text_is_a_value_or_an_error_in_its_place(text: str) -> None:
    """Random characters are no reason for any other error."""
    check(text)


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_any_row_of_tokens_is_a_value_or_an_error_in_its_place(text: str) -> None:
    """Random tokens come closer to RON than random characters do."""
    check(text)


@given(st.binary(max_size=40) | mutated().map(lambda text: text.encode()[1:-1]))
@example("1".encode("utf-16"))
@example(b"[1, \xff]")
@example(b"\xef\xbb\xbf(a: \xff)")
def test_any_bytes_are_a_value_or_an_error(data: bytes) -> None:
    """Bytes are read as UTF-8, and what is none is an error at the first wrong byte."""
    try:
        text = data.decode()
    except UnicodeDecodeError as wrong:
        with pytest.raises(ron.RonError, match="is not UTF-8") as caught:
            ron.loads(data)
        before = data[: wrong.start].decode().removeprefix("\ufeff")
        assert caught.value.line == before.count("\n") + 1
        assert caught.value.column == len(before.split("\n")[-1]) + 1
        return
    try:
        value = ron.loads(data)
    except ron.RonError as error:
        check_error(error, text)
        return
    assert ron.to_tagged(value) == ron.to_tagged(ron.loads(text))


@given(st.text(max_size=20), st.sampled_from(["\ud800", "\udfff"]), st.text(max_size=20))
def test_a_lone_surrogate_is_an_error_where_it_stands(before: str, half: str, after: str) -> None:
    """Text that no file can hold is refused, whatever else is wrong with it."""
    with pytest.raises(ron.RonError, match=r"U\+D[8F][0-9A-F]{2} is no character") as caught:
        ron.loads(before + half + after)
    lines = before.removeprefix("\ufeff").split("\n")
    assert (caught.value.line, caught.value.column) == (len(lines), len(lines[-1]) + 1)
    str(caught.value).encode()


# --------------------------------------------------------------------------------------- positions


def children(value: Value) -> list[tuple[ron.PathSegment, Value, str | None]]:
    """Step, value and field name of everything directly inside a value."""
    match value:
        case list() | tuple() | ron.TupleStruct():
            return [(index, item, None) for index, item in enumerate(value)]
        case ron.Struct():
            return [(index, item, name) for index, (name, item) in enumerate(value._items())]
        case ron.Map():
            return [(index, item, None) for index, item in enumerate(value.values())]
        case ron.Some():
            return [(0, value.value, None)]
    return []


def check_positions(
    document: ron.Document, value: Value, steps: tuple[ron.PathSegment, ...]
) -> None:
    text = document.text_of(*steps)
    position = document.position(*steps)
    assert document.text.startswith(text, position.offset)
    before = document.text[: position.offset].split("\n")
    assert (position.line, position.column) == (len(before), len(before[-1]) + 1)
    assert ron.to_tagged(ron.loads(text)) == ron.to_tagged(value)
    for step, item, name in children(value):
        check_positions(document, item, (*steps, step))
        key_at = document.position(*steps, step, key=True)
        if name is not None:
            assert document.text.startswith((name, f"r#{name}"), key_at.offset)
        elif isinstance(value, ron.Map):
            assert key_at.offset < document.position(*steps, step).offset
        else:
            assert key_at == document.position(*steps, step)
    if isinstance(value, ron.Struct):
        for name in value:
            found = ron.loads(document.text_of(*steps, name))
            assert ron.to_tagged(found) == ron.to_tagged(value[name])


@given(values, st.booleans(), st.text(st.sampled_from(" \n\t\r\u2028"), max_size=5))
def test_every_part_of_a_value_stands_where_the_document_says(
    value: Value, pretty: bool, blank: str
) -> None:
    """The text at every position, read alone, is the value that stands there."""
    document = ron.parse(f"{blank}// c\n{ron.dumps(value, pretty=pretty)}{blank}/* c */")
    assert ron.to_tagged(document.value) == ron.to_tagged(value)
    check_positions(document, value, ())


@given(mutated())
def test_positions_hold_in_texts_that_people_wrote(text: str) -> None:
    """Comments, raw strings and odd white space do not shift a position."""
    assume("unwrap_variant_newtypes" not in text)  # there, `Some(1, 2)` has a tuple without text
    try:
        document = ron.parse(text)
    except ron.RonError:
        return
    check_positions(document, document.value, ())
