"""The 441 conformance cases for RON 0.12, read without a schema, and where we may differ.

Some cases tolerate a deviation (`alt`); which side we take is pinned by tests of its own.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from arcade_prefabs import ron
from arcade_prefabs.ron import fast_reader as quick
from arcade_prefabs.ron import positional_reader as careful
from arcade_prefabs.ron.literals import BadText

DATA = Path(__file__).parent / "data" / "conformance.jsonl"
# Not splitlines(): the cases hold line separators of every kind.
LINES = DATA.read_text(encoding="utf-8").rstrip("\n").split("\n")
CASES: list[dict[str, Any]] = [json.loads(line) for line in LINES]
VALID = [case for case in CASES if case["ok"]]
INVALID = [case for case in CASES if not case["ok"]]
# Both ways in which the quick reader's expression can repeat a group; which one is used depends on
# the Python version, and both must be right.
REPETITIONS = {"possessive": quick._POSSESSIVE, "atomic": quick._ATOMIC}


def case_id(case: dict[str, Any]) -> str:
    return str(case["id"])


def source(case: dict[str, Any]) -> str | bytes:
    return str(case["ron"]) if "ron" in case else bytes.fromhex(case["bytes_hex"])


def as_text(case: dict[str, Any]) -> str:
    text = source(case)
    return text if isinstance(text, str) else text.decode()


def case_by_id(name: str) -> dict[str, Any]:
    [case] = [case for case in CASES if case["id"] == name]
    return case


def error_of(text: str | bytes) -> ron.RonError | None:
    try:
        ron.loads(text)
    except ron.RonError as error:
        return error
    return None


def test_all_cases_are_there() -> None:
    """The file holds 441 cases, each with an id of its own."""
    assert len(CASES) == 441
    assert len({case["id"] for case in CASES}) == 441


@pytest.mark.parametrize("case", VALID, ids=case_id)
def test_a_valid_text_gives_its_value(case: dict[str, Any]) -> None:
    """`loads` gives the value of the case; a tolerated deviation may be an error or an int."""
    try:
        tagged = ron.to_tagged(ron.loads(source(case)))
    except ron.RonError:
        assert case.get("alt") == "reject"
        return
    if case.get("alt") == "int" and tagged["t"] == "int":
        assert tagged["v"] == case["ron"]
        return
    assert tagged == case["value"]


@pytest.mark.parametrize("case", VALID, ids=case_id)
def test_a_valid_text_gives_its_value_without_the_quick_reader(case: dict[str, Any]) -> None:
    """The careful reader alone reads every valid case, with positions and without."""
    text = as_text(case)
    try:
        value, node = careful.read(text)
    except BadText:
        assert case.get("alt") == "reject"
        return
    assert ron.to_tagged(value) == case["value"]
    assert ron.to_tagged(careful.read(text, nodes=False)[0]) == case["value"]
    assert 0 <= node.start < node.end <= len(text)


@pytest.mark.parametrize("repetition", REPETITIONS)
@pytest.mark.parametrize("case", VALID, ids=case_id)
def test_the_quick_reader_is_right_or_passes(
    case: dict[str, Any], repetition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick reader gives the value or None, with either form of its expression."""
    monkeypatch.setattr(quick, "_TOKEN", quick._token_expression(REPETITIONS[repetition]))
    text = as_text(case)
    result = quick.read(text, careful.read_attributes(text)[0])
    # This extension changes what Some(...) means, so `loads` does not ask the quick reader.
    if result is not None and "unwrap_variant_newtypes" not in text:
        assert ron.to_tagged(result[0]) == case["value"]


@pytest.mark.parametrize("repetition", REPETITIONS)
@pytest.mark.parametrize("case", [case for case in INVALID if "ron" in case], ids=case_id)
def test_the_quick_reader_passes_on_what_is_wrong(
    case: dict[str, Any], repetition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick reader accepts nothing that is not RON."""
    monkeypatch.setattr(quick, "_TOKEN", quick._token_expression(REPETITIONS[repetition]))
    try:
        start = careful.read_attributes(case["ron"])[0]
    except BadText:
        return
    assert quick.read(case["ron"], start) is None


def test_the_quick_reader_reads_most_of_the_valid_cases() -> None:
    """The quick reader does the work: it passes on unusual texts only."""
    read = sum(quick.read(text, 0) is not None for text in map(as_text, VALID))
    assert read > 0.75 * len(VALID)


@pytest.mark.parametrize("case", INVALID, ids=case_id)
def test_an_invalid_text_is_an_error_in_the_right_place(case: dict[str, Any]) -> None:
    """`loads` raises RonError at a line and column within the span of the case."""
    alt = case.get("alt")
    error = error_of(source(case))
    if error is None:
        assert alt in ("accept_or_limit_error", "accept_bom")
        return
    assert error.line is not None
    assert error.column is not None
    if alt != "any_error":
        first, last = (case["line"], case["col"]), (case["end_line"], case["end_col"])
        assert first <= (error.line, error.column) <= last


@pytest.mark.parametrize("pretty", [True, False], ids=["pretty", "compact"])
@pytest.mark.parametrize("case", VALID, ids=case_id)
def test_a_valid_text_survives_being_written_and_read(case: dict[str, Any], pretty: bool) -> None:
    """`dumps` writes every value that `loads` gives, and it reads back as the same."""
    try:
        value = ron.loads(source(case))
    except ron.RonError:
        assert case.get("alt") == "reject"
        return
    written = ron.dumps(value, pretty=pretty)
    assert ron.to_tagged(ron.loads(written)) == ron.to_tagged(value)


# The alternatives that we take.


def test_a_byte_order_mark_is_dropped() -> None:
    """A text may begin with a byte order mark, which the reference reader refuses."""
    case = case_by_id("ws-622")
    assert case["alt"] == "accept_bom"
    assert ron.loads(case["ron"]) == ron.Struct(None, {"a": 1})


def test_some_without_brackets_is_an_error() -> None:
    """`Some 5` is refused, which the reference reader takes with `implicit_some`."""
    case = case_by_id("ext-638")
    assert case["alt"] == "reject"
    with pytest.raises(ron.RonError, match=re.escape("expected `(` and a value behind `Some`")):
        ron.loads(case["ron"])


def test_no_other_tolerated_rejection_is_made_use_of() -> None:
    """Ranges and everything else that a reader may refuse are read."""
    tolerated = [case for case in VALID if case.get("alt") == "reject"]
    refused = [case["id"] for case in tolerated if error_of(source(case)) is not None]
    assert refused == ["ext-638"]


@pytest.mark.parametrize("levels", [65, 100, 127, 128])
def test_more_than_64_brackets_are_too_deep(levels: int) -> None:
    """64 brackets inside each other are read, one more is an error behind the 65th."""
    assert ron.loads("[" * 64 + "]" * 64) is not None
    with pytest.raises(ron.RonError, match="nested too deeply: the limit is 64 brackets") as caught:
        ron.loads("[" * levels + "]" * levels)
    assert (caught.value.line, caught.value.column) == (1, 66)


def test_some_counts_half_a_bracket() -> None:
    """128 times `Some` is read, one more is too deep: the reference reader counts so."""
    assert ron.loads("Some(" * 128 + "1" + ")" * 128) is not None
    with pytest.raises(ron.RonError, match="nested too deeply"):
        ron.loads("Some(" * 129 + "1" + ")" * 129)


def test_levels_are_counted_down_again() -> None:
    """What was closed before a value does not change how deep the value may be."""
    for before in ("Some(1),", "[1],", "A(b: 1),", "{1: 1},"):
        for levels, fits in ((63, True), (64, False)):
            text = "[" + before * 100 + "[" * levels + "]" * levels + "]"
            assert (error_of(text) is None) == fits
            assert (error_of(text + "/*/**/*/") is None) == fits  # for the careful reader


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 18446744073709551616.0),
        ("-9223372036854775808", -9223372036854775808),
        ("-9223372036854775809", -9223372036854775809.0),
        ("1" + "0" * 400, float("inf")),
    ],
    ids=["largest", "too large", "smallest", "too small", "far too large"],
)
def test_a_decimal_integer_beyond_64_bits_is_a_float(text: str, value: float) -> None:
    """Integers are exact within 64 bits; beyond, they are floats, as in the reference reader."""
    result = ron.loads(text)
    assert result == value
    assert type(result) is type(value)
