"""The Python values that RON becomes: looking things up, comparing, printing, copying."""

from __future__ import annotations

import copy
import enum
import pickle
from typing import Any

import pytest

from arcade_prefabs import ron
from arcade_prefabs.ron import UNIT, Char, Ident, Map, Range, Some, Struct, TupleStruct, Unit
from arcade_prefabs.ron.values import Value

NAN = float("nan")


# -------------------------------------------------------------------------- Char, Unit, Ident, Some


def test_a_char_is_a_string_with_a_type_of_its_own() -> None:
    """It equals its text and finds it in a dict, but says that it is a character."""
    char = Char("c")
    assert char == "c"
    assert hash(char) == hash("c")
    assert {"c": 1}[char] == 1
    assert char.upper() == "C"
    assert isinstance(char, Char)
    assert repr(char) == "Char('c')"
    assert str(char) == "c"


@pytest.mark.parametrize("text", ["", "ab", "e\u0301"])
def test_a_char_is_one_character_long(text: str) -> None:
    """Anything else is a ValueError that tells the length."""
    with pytest.raises(ValueError, match=f"one character long, not {len(text)}"):
        Char(text)


def test_there_is_one_unit_and_it_is_false() -> None:
    """`()` is always the same object, unlike an empty tuple and None."""
    assert ron.loads("()") is UNIT
    assert Unit() is UNIT
    assert not UNIT
    assert repr(UNIT) == "UNIT"
    assert ron.loads("( )") == ()
    assert ron.loads("( )") != UNIT


def test_a_bare_name_is_no_string() -> None:
    """`North` is not `"North"`, and two of the same name are equal."""
    north = Ident("North")
    assert ron.loads("[North, North]") == [north, north]
    assert north != "North"
    assert str(north) == "North"
    assert north.name == "North"
    assert repr(north) == "Ident('North')"
    assert {north: 1}[Ident("North")] == 1
    assert hash(north) != hash("North")


def test_a_raw_name_is_the_name_without_its_prefix() -> None:
    """`r#true` is the name `true`, not the boolean."""
    assert ron.loads("[r#true, r#a-b, r#Some]") == [Ident("true"), Ident("a-b"), Ident("Some")]


def test_some_is_not_what_it_holds() -> None:
    """`Some(None)` differs from `None`, and `Some(1)` from `1`."""
    assert ron.loads("Some(None)") == Some(None)
    assert Some(None) != None  # noqa: E711  (this is about ==)
    assert Some(1) != 1
    assert Some(1) == Some(1)
    assert Some(1).value == 1
    assert {Some(1): "x"}[Some(1)] == "x"
    assert repr(Some("a")) == "Some('a')"


def test_values_can_be_taken_apart_by_matching() -> None:
    """`match` works with the classes' own fields."""

    def describe(value: Value) -> object:
        match value:
            case Some(Ident(name)):
                return name
            case Range(start, end, inclusive):
                return start, end, inclusive
            case TupleStruct("Circle", (radius,)):
                return radius
        return None

    values = ron.loads("[Some(North), 1..=2, Circle(5), Square(5)]")
    assert isinstance(values, list)
    assert [describe(value) for value in values] == ["North", (1, 2, True), 5, None]


# -------------------------------------------------------------------------------------------- Range


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0..5", Range(0, 5)),
        ("0..=5", Range(0, 5, inclusive=True)),
        ("..5", Range(None, 5)),
        ("0.5..", Range(0.5, None)),
        ("..", Range(None, None)),
        ("-1.5..=+inf", Range(-1.5, float("inf"), inclusive=True)),
    ],
)
def test_a_range_has_ends_that_may_be_open(text: str, value: Range) -> None:
    """Start and end are numbers or None, and `..=` includes the end."""
    result = ron.loads(text)
    assert result == value
    assert hash(result) == hash(value)
    assert result != Range(value.start, value.end, not value.inclusive)
    assert repr(Range(0, None)) == "Range(0, None, inclusive=False)"


# ------------------------------------------------------------------------------------- TupleStruct


def test_a_named_tuple_is_a_sequence_with_a_name() -> None:
    """It has length, indices and iteration, and equals neither a tuple nor another name."""
    circle = ron.loads("Circle(1, 2)")
    assert circle == TupleStruct("Circle", [1, 2])
    assert isinstance(circle, TupleStruct)
    assert (circle.name, len(circle), circle[1], list(circle)) == ("Circle", 2, 2, [1, 2])
    assert circle != (1, 2)
    assert circle != TupleStruct("Square", (1, 2))
    assert hash(circle) == hash(TupleStruct("Circle", (1, 2)))
    assert repr(circle) == "TupleStruct('Circle', (1, 2))"
    with pytest.raises(IndexError):
        circle[2]


# ------------------------------------------------------------------------------------------- Struct


def struct(text: str) -> Any:
    value = ron.loads(text)
    assert isinstance(value, Struct)
    return value


def test_fields_are_items_and_attributes() -> None:
    """Both spellings find a field, and neither invents one."""
    point = struct("Point(x: 1, y: 2)")
    assert (point._name, point.x, point["y"]) == ("Point", 1, 2)
    assert "x" in point
    assert "z" not in point
    assert 5 not in point
    assert list(point) == ["x", "y"]
    assert len(point) == 2
    assert point._items() == (("x", 1), ("y", 2))
    assert point._asdict() == {"x": 1, "y": 2}
    assert point._get("z") is None
    assert point._get("z", 7) == 7
    with pytest.raises(KeyError):
        point["z"]


def test_a_missing_attribute_names_the_fields_that_there_are() -> None:
    """A typo in a field name shows what could have been meant."""
    with pytest.raises(AttributeError, match=r"^struct Point has no field 'z'; it has: x, y$"):
        struct("Point(x: 1, y: 2)").z  # noqa: B018
    with pytest.raises(AttributeError, match=r"^struct \(unnamed\) has no field 'z'; it has: x$"):
        struct("(x: 1)").z  # noqa: B018
    assert not hasattr(struct("(x: 1)"), "y")
    assert getattr(struct("(x: 1)"), "y", 3) == 3


@pytest.mark.parametrize(
    "name", ["name", "items", "get", "keys", "values", "index", "count", "self"]
)
def test_no_field_name_is_taken_by_a_method(name: str) -> None:
    """Fields called like the methods of dicts are attributes as well."""
    value = struct(f"A({name}: 5)")
    assert getattr(value, name) == 5
    assert value[name] == 5
    assert value._name == "A"


@pytest.mark.parametrize(
    "name", ["_name", "_items", "_fields", "_pairs", "__class__", "__deepcopy__"]
)
def test_a_field_with_an_underscore_is_at_least_an_item(name: str) -> None:
    """The struct's own attributes win over such fields, which remain as items."""
    value = struct(f"A({name}: 5)")
    assert value[name] == 5
    assert value._name == "A"
    assert value._asdict() == {name: 5}
    assert isinstance(value, Struct)


@pytest.mark.parametrize(
    "name", ["__deepcopy__", "__getstate__", "__reduce_ex__", "__array_interface__", "__iter__"]
)
def test_a_file_cannot_answer_for_the_object(name: str) -> None:
    """Python's own questions to an object are never answered from a file's fields."""
    value = struct(f"({name}: 5)")
    assert getattr(value, name, None) != 5
    assert copy.deepcopy(value) == value
    assert copy.copy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value


def test_a_field_written_twice_is_kept_twice_and_the_last_one_counts() -> None:
    """Looking it up gives the last; `_items` and the length give all."""
    twice = struct("(a: 1, b: 2, a: 3)")
    assert twice._items() == (("a", 1), ("b", 2), ("a", 3))
    assert list(twice) == ["a", "b", "a"]
    assert (len(twice), twice.a, twice._asdict()) == (3, 3, {"a": 3, "b": 2})
    assert twice != struct("(a: 3, b: 2)")
    assert twice != struct("(a: 3, b: 2, a: 1)")
    assert twice == struct("(a: 1, b: 2, a: 3)")


def test_structs_compare_by_name_and_fields_whatever_their_order() -> None:
    """The order of fields does not matter, the name does."""
    assert struct("P(x: 1, y: 2)") == struct("P(y: 2, x: 1)")
    assert hash(struct("P(x: 1, y: 2)")) == hash(struct("P(y: 2, x: 1)"))
    assert struct("P(x: 1)") != struct("Q(x: 1)")
    assert struct("P(x: 1)") != struct("(x: 1)")
    assert struct("(x: 1)") != {"x": 1}
    assert repr(struct('P(x: 1, y: "a")')) == "Struct('P': x=1, y='a')"
    assert repr(struct("(x: 1)")) == "Struct(x=1)"


def test_a_struct_with_a_list_inside_has_no_hash() -> None:
    """As with a tuple that holds a list."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(struct("(x: [1])"))


def test_structs_are_built_from_pairs_and_mappings() -> None:
    """By hand they come out as if they were read."""
    assert Struct("P", {"x": 1}) == Struct("P", [("x", 1)]) == struct("P(x: 1)")
    assert Struct("P", iter([("x", 1), ("x", 2)])) == struct("P(x: 1, x: 2)")
    assert len(Struct()) == 0


# ---------------------------------------------------------------------------------------------- Map


def mapping(text: str) -> Map:
    value = ron.loads(text)
    assert isinstance(value, Map)
    return value


def test_a_map_reads_like_a_dict() -> None:
    """Lookup, default, membership, length, iteration and views work."""
    prices = mapping('{"gold": 1, "silver": 2}')
    assert (prices["gold"], prices.get("silver"), prices.get("tin"), len(prices)) == (1, 2, None, 2)
    assert prices.get("tin", 0) == 0
    assert "gold" in prices
    assert "tin" not in prices
    assert list(prices) == ["gold", "silver"]
    assert prices.keys() == ("gold", "silver")
    assert prices.values() == (1, 2)
    assert prices.items() == (("gold", 1), ("silver", 2))
    assert dict(prices.items()) == {"gold": 1, "silver": 2}
    assert repr(prices) == "Map({'gold': 1, 'silver': 2})"
    with pytest.raises(KeyError, match="tin"):
        prices["tin"]


def test_keys_of_different_kinds_stay_apart() -> None:
    """Keys that Python holds for equal are different keys in RON."""
    text = "{1: 'a', 1.0: 'b', true: 'c', \"x\": 'd', 'x': 'e', x: 'f', 0.0: 'g', -0.0: 'h'}"
    keys = mapping(text)
    found = [keys[key] for key in (1, 1.0, True, "x", Char("x"), Ident("x"), 0.0, -0.0)]
    assert found == list("abcdefgh")
    ranges = mapping("{0..1: 1, 0.0..1.0: 2, Some(1): 3, Some(true): 4, None: 5, (): 6, ( ): 7}")
    assert [ranges[key] for key in (Range(0, 1), Range(0.0, 1.0), Some(1), Some(True))] == [
        1,
        2,
        3,
        4,
    ]
    assert [ranges[key] for key in (None, UNIT, ())] == [5, 6, 7]


def test_lists_maps_and_structs_can_be_keys() -> None:
    """Python's dicts refuse them; a map compares them by what they hold."""
    text = "{[1, [2]]: 1, {1: 2}: 2, (a: [1]): 3, A(b: 1): 4, (1, 2): 5, P(1, [2]): 6}"
    keys = mapping(text)
    assert keys[[1, [2]]] == 1
    assert keys[Map({1: 2})] == 2
    assert keys[{1: 2}] == 2
    assert keys[Struct(None, [("a", [1])])] == 3
    assert keys[Struct("A", {"b": 1})] == 4
    assert keys[(1, 2)] == 5
    assert keys[TupleStruct("P", (1, [2]))] == 6
    assert [1, 2] not in keys


def test_a_struct_that_repeats_a_field_is_a_key_of_its_own() -> None:
    """`(a: 1, a: 1)` is not `(a: 1)`, and `{1: 2, 1: 2}` not `{1: 2}`."""
    keys = mapping("{(a: 1, a: 1): 1, (a: 1): 2, {1: 2, 1: 2}: 3, {1: 2}: 4}")
    assert keys[ron.loads("(a: 1, a: 1)")] == 1
    assert keys[ron.loads("(a: 1)")] == 2
    assert keys[ron.loads("{1: 2, 1: 2}")] == 3
    assert keys[ron.loads("{1: 2}")] == 4
    assert ron.loads("(a: 2, a: 1)") not in keys


def test_not_a_number_is_a_key_that_can_be_found() -> None:
    """NaN equals nothing, yet a map finds it, alone and inside other keys."""
    keys = mapping("{NaN: 1, [NaN]: 2, Some(NaN): 3, NaN..: 4}")
    assert keys[NAN] == 1
    assert keys[[NAN]] == 2
    assert keys[Some(NAN)] == 3
    assert keys[Range(NAN, None)] == 4


def test_a_key_written_twice_is_kept_twice_and_the_last_one_counts() -> None:
    """Looking it up gives the last; the views give all; comparing heeds their order."""
    twice = mapping('{"a": 1, "b": 2, "a": 3}')
    assert twice.items() == (("a", 1), ("b", 2), ("a", 3))
    assert (len(twice), twice["a"]) == (3, 3)
    assert twice == mapping('{"a": 1, "b": 2, "a": 3}')
    assert twice != mapping('{"a": 3, "b": 2, "a": 1}')
    assert twice != mapping('{"a": 3, "b": 2}')
    assert twice != mapping('{"a": 9, "b": 2, "a": 3}')
    assert mapping('{"a": 3, "b": 2, "c": 1}') != twice


def test_maps_compare_by_their_entries_whatever_their_order() -> None:
    """The kinds of keys count, so `{1: 2}` is not `{1.0: 2}`."""
    assert mapping("{1: 2, 3: 4}") == mapping("{3: 4, 1: 2}")
    assert hash(mapping("{1: 2, 3: 4}")) == hash(mapping("{3: 4, 1: 2}"))
    assert mapping("{1: 2}") != mapping("{1.0: 2}")
    assert mapping("{1: 2}") != mapping("{1: 3}")
    assert mapping("{1: 2}") != mapping("{1: 2, 2: 3}")
    assert mapping("{1: 2}") != {1: 2}
    assert mapping("{[1]: 2}") == Map([([1], 2)])


def test_members_of_enums_find_the_keys_that_they_stand_for() -> None:
    """A `StrEnum` of item names, or an `IntEnum` of layers, serves for looking up."""

    class Item(enum.StrEnum):
        GOLD = "gold"

    class Layer(enum.IntEnum):
        SKY = 3

    keys = mapping('{"gold": 1, 3: 2}')
    assert keys[Item.GOLD] == 1
    assert keys[Layer.SKY] == 2
    assert True not in keys


def test_what_cannot_be_a_key_is_not_found_but_refused() -> None:
    """Looking up a set is a mistake, as it is in a dict."""
    with pytest.raises(TypeError, match="unhashable"):
        mapping("{1: 2}").get({1})


# -------------------------------------------------------------------------------------------- all

ALL_KINDS = """(
    a: true, b: -7, c: 0.5, d: "text", e: b"\\xff", f: 'c', g: None, h: Some(Some(1)), i: (),
    j: [1, [2]], k: (1, 2), l: Circle(1), m: (x: 1, x: 2), n: {"a": 1, [1]: 2}, o: North, p: 0..=5,
)"""


def test_every_value_can_be_copied_and_pickled() -> None:
    """Values travel between processes and survive `copy`, before and after a look-up."""
    value = struct(ALL_KINDS)
    for _ in range(2):
        for twin in (
            copy.copy(value),
            copy.deepcopy(value),
            *(pickle.loads(pickle.dumps(value, p)) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)),
        ):
            assert twin == value
            assert ron.to_tagged(twin) == ron.to_tagged(value)
            assert twin.n[[1]] == 2
            assert twin.i is UNIT
        assert value.n["a"] == 1  # from now on the map has an index, which is copied, too


def test_a_deep_copy_shares_nothing_that_can_change() -> None:
    """Changing a list in the copy leaves the original alone."""
    value = struct(ALL_KINDS)
    twin = copy.deepcopy(value)
    twin.j.append(3)
    assert value.j == [1, [2]]


def test_every_value_has_a_readable_repr() -> None:
    """A value in a log or an assertion says what it is."""
    text = repr(ron.loads("A(b: [Some('x'), (), N, 1..2, {1: T(2)}])"))
    expected = (
        "Struct('A': b=[Some(Char('x')), UNIT, Ident('N'), Range(1, 2, inclusive=False), "
        "Map({1: TupleStruct('T', (2,))})])"
    )
    assert text == expected


@pytest.mark.parametrize(
    "value", [Ident("a"), Some(1), Range(0, 1), TupleStruct("A"), Struct(), Map()]
)
def test_comparing_with_something_else_is_false_and_no_error(value: object) -> None:
    """Every class leaves comparing with strangers to the stranger."""

    class Everything:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    assert value != 1
    assert value != "a"
    assert value == Everything()


def test_the_neutral_form_names_every_type() -> None:
    """`to_tagged` is JSON, keeps order and duplicates, and takes plain dicts for maps."""
    assert ron.to_tagged(ron.loads("A(a: Some(1), a: ())")) == {
        "t": "struct",
        "name": "A",
        "v": [["a", {"t": "some", "v": {"t": "int", "v": "1"}}], ["a", {"t": "unit"}]],
    }
    plain: Any = {1: 2}
    assert ron.to_tagged(plain) == ron.to_tagged(Map({1: 2}))
    with pytest.raises(TypeError, match="set is no RON value"):
        ron.to_tagged([{1}])  # type: ignore[list-item]
