"""Texts made to hurt: huge, deep, broken in unusual places, or slow for a careless reader."""

from __future__ import annotations

import gc
import pickle
import re
import sys
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from arcade_prefabs import ron
from arcade_prefabs.ron import fast_reader as quick
from arcade_prefabs.ron import positional_reader as careful
from arcade_prefabs.ron.literals import BadText

MEGABYTE = 1_000_000


def error_of(text: Any, **options: Any) -> ron.RonError:
    with pytest.raises(ron.RonError) as caught:
        ron.loads(text, **options)
    return caught.value


def place(error: ron.RonError) -> tuple[int | None, int | None]:
    return error.line, error.column


# --------------------------------------------------------------------------------------- encodings


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_a_byte_order_mark_is_named_as_such(encoding: str) -> None:
    """Files saved by a Windows editor as "Unicode" get an error that says what to do."""
    error = error_of("\ufeff(a: 1)".encode(encoding), path="level.ron")
    assert place(error) == (1, 1)
    assert error.hint == "the file is UTF-16; save it as UTF-8"
    assert str(error).startswith("level.ron:1:1: byte 0xF")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_fails_at_the_first_nul(encoding: str) -> None:
    """Without the mark the bytes are UTF-8 with NULs, which no RON text has."""
    first = 2 if encoding == "utf-16-le" else 1
    assert place(error_of("(a: 1)".encode(encoding))) == (1, first)


def test_a_byte_order_mark_is_dropped_and_not_counted() -> None:
    """Columns count from the first character behind the mark, in text and in bytes."""
    assert ron.loads(b"\xef\xbb\xbf5") == 5
    assert place(error_of(b"\xef\xbb\xbf(a 1)")) == (1, 4)
    assert place(error_of("\ufeff(a 1)")) == (1, 4)
    assert place(error_of(b"\xef\xbb\xbf(\xff")) == (1, 2)
    assert place(error_of("\ufeff(\ud800")) == (1, 2)


def test_only_one_byte_order_mark_is_dropped() -> None:
    """A second mark, or one in the middle, is no white space."""
    assert place(error_of("\ufeff\ufeff5")) == (1, 1)
    assert place(error_of("[1,\ufeff2]")) == (1, 4)


def test_windows_line_ends_count_once() -> None:
    """CR LF ends one line, and the excerpt shows neither."""
    error = error_of("(\r\n    a: 1,\r\n    b 2,\r\n)\r\n")
    assert place(error) == (3, 7)
    assert error.source_line == "    b 2,"
    assert ron.loads("(\r\n    a: 1,\r\n)\r\n") == ron.Struct(None, {"a": 1})


def test_a_nul_is_an_error_outside_strings_and_a_character_inside() -> None:
    """NUL ends no string, as it would in C."""
    assert place(error_of("\0")) == (1, 1)
    assert place(error_of("[1,\0]")) == (1, 4)
    assert r"`\x00`" in str(error_of("[1,\0]"))
    assert ron.loads('"a\0b"') == "a\0b"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_bytes_is_read(kind: Callable[[bytes], Any]) -> None:
    """Buffers are read like bytes, and are let go of afterwards."""
    buffer = bytearray('(a: "é")'.encode())
    assert ron.loads(kind(bytes(buffer))) == ron.Struct(None, {"a": "é"})
    value = ron.loads(buffer)
    buffer.clear()  # raises BufferError while something still looks into it
    assert value == ron.Struct(None, {"a": "é"})


@pytest.mark.parametrize("nothing", [None, 5, 0, [1, 2], 1.5, ["a"]])
def test_what_is_neither_text_nor_bytes_is_a_type_error(nothing: Any) -> None:
    """A number is not that many zero bytes, and a list not a row of them."""
    with pytest.raises(TypeError):
        ron.loads(nothing)


# ---------------------------------------------------------------------------------------- brackets


@pytest.mark.parametrize("opener", ["(", "[", "{", "A(", "Some("])
@pytest.mark.parametrize("closer", [")", "]", "}"])
@pytest.mark.parametrize("content", ["", "1", "1,", "a: 1", "1: 1", "(1)", "b: [1], "])
def test_a_bracket_is_closed_by_its_own_kind(opener: str, closer: str, content: str) -> None:
    """Any other closing bracket is an error, alone and inside a bracket that is closed well."""
    if {"(": ")", "[": "]", "{": "}"}[opener[-1]] == closer:
        return
    text = opener + content + closer
    error_of(text)
    error_of(f"[{text}]")
    error_of(f"(a: {text})")


@pytest.mark.parametrize(
    "text",
    ["1]", ")", "[1]]", "(a: 1))", "{}}", "1, 2", "[1] 2", "A(1)(2)", "A[1]", "a: 1, 2", "a: 1"],
)
def test_nothing_stands_behind_the_value(text: str) -> None:
    """A text is one value."""
    error_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "{a: 1: 2}",
        "{1: 2: 3}",
        "{1: 2: 3, 4}",
        "{1, 2: 3: 4}",
        "{1: a: 2, 3}",
        "{1, a: 2: 3}",
        "{1: 2, 3}",
        "{1, 2: 3}",
        "{1:, 2: 3}",
        "{:1}",
        "{a: b: 1}",
        "(a: b: 1)",
        "(a: 1: 2)",
        "(1: 2)",
        "[a: 1]",
        "[1: 2]",
        "(a: 1, 2)",
        "(1, a: 2)",
        "(a:, b: 1)",
        "(a: )",
        "(, 1)",
        "[,]",
        "{,}",
        "(1,, 2)",
    ],
)
def test_keys_and_items_come_in_their_order(text: str) -> None:
    """A colon or comma too many, or one too few, is an error, and so inside other brackets."""
    error_of(text)
    error_of(f"[{text}]")
    error_of(f"(a: {text}, b: 1)")


# ------------------------------------------------------------------------------------ deep nesting


@pytest.mark.parametrize(
    ("opening", "closing", "levels"),
    [
        ("[", "]", 64),
        ("(", ")", 64),
        ("(1,", ")", 64),
        ("{1:", "}", 64),
        ("{", ":1}", 64),
        ("A(", ")", 64),
        ("A(b:", ")", 64),
        ("Some(", ")", 128),
        ("Some([", "])", 42),
        ("/* c */ [", "]", 64),
    ],
)
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_ten_thousand_levels_are_an_error_at_the_limit(
    opening: str, closing: str, levels: int, closed: bool
) -> None:
    """No bracket nests deeply enough to exhaust anything; the error stands behind the last one."""
    text = opening * 10_000 + "1" + (closing * 10_000 if closed else "")
    error = error_of(text)
    assert "nested too deeply" in error.message
    assert error.column is not None
    assert 0 <= error.column - 1 - len(opening) * levels <= len(opening)
    # `{1: {1: ...}}` and the like hold what they should at the limit itself.
    assert ron.loads(opening * levels + "1" + closing * levels) is not None


def test_ten_thousand_nested_comments_are_one_comment() -> None:
    """Comments nest without a limit, for they need no stack."""
    assert ron.loads("/*" * 10_000 + "*/" * 10_000 + "1") == 1
    error = error_of("\n\n  " + "/*" * 10_000 + "*/" * 9_999 + "1")
    assert "block comment from 3:3 is never closed" in error.message
    assert place(error) == (3, 3 + 2 * 19_999 + 1)


def frames_in_use() -> int:
    frame, count = sys._getframe(), 0
    while frame.f_back is not None:
        frame, count = frame.f_back, count + 1
    return count


def call_with_frames_left(left: int, function: Callable[[], object]) -> object:
    def descend(levels: int) -> object:
        return function() if levels == 0 else descend(levels - 1)

    return descend(max(0, sys.getrecursionlimit() - frames_in_use() - left))


@pytest.mark.parametrize(
    "text",
    ["[" * 64 + r'"\x41\n"' + "]" * 64, "Some(" * 128 + "0x1F" + ")" * 128, "(é: r##'a'##)"],
    ids=["quick", "careful", "wrong"],
)
def test_reading_needs_few_frames_of_the_stack(text: str) -> None:
    """Forty free frames are enough for any text; with fewer, RecursionError is all that happens."""
    outcomes = []
    for left in range(40, 0, -1):
        try:
            call_with_frames_left(left, lambda: ron.loads(text))
            outcomes.append("value")
        except ron.RonError:
            outcomes.append("error")
        except RecursionError:
            outcomes.append("stack")
    assert outcomes[0] in ("value", "error")
    enough = outcomes.count(outcomes[0])
    assert outcomes == [outcomes[0]] * enough + ["stack"] * (len(outcomes) - enough)


# -------------------------------------------------------------------------------------------- size


def peak_of(function: Callable[[], object]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def seconds_of(function: Callable[[], object]) -> float:
    """Processor time of one call, without the garbage collector's share."""
    gc.collect()
    gc.disable()
    try:
        start = time.process_time()
        function()
        return time.process_time() - start
    finally:
        gc.enable()


def read(text: str) -> None:
    """Read a text, right or wrong, and print its error as a game's log would."""
    try:
        ron.loads(text)
    except ron.RonError as error:
        str(error)


def test_a_string_of_fifty_megabytes_is_read_at_once() -> None:
    """A plain string costs its own size and little time."""
    text = '"' + "x" * (50 * MEGABYTE) + '"'
    assert seconds_of(lambda: read(text)) < 5
    assert peak_of(lambda: read(text)) < 1.5 * len(text)
    data = text.encode()
    assert peak_of(lambda: ron.loads(data)) < 2.5 * len(text)


@pytest.mark.long
@pytest.mark.parametrize("tail", ["", '" 1', '\\q"'], ids=["unclosed", "rest", "escape"])
def test_a_broken_string_of_fifty_megabytes_fails_at_once(tail: str) -> None:
    """The error's excerpt is short, however long the line is."""
    text = '"' + "x" * (50 * MEGABYTE) + tail
    start = time.process_time()
    error = error_of(text)
    assert len(str(error)) < 500
    assert time.process_time() - start < 5


ESCAPES = ["\\n", "\\x41", "\\u{e9}", "é\\t", "\\xc3\\xa9"]


@pytest.mark.long
@pytest.mark.parametrize("escape", ESCAPES)
def test_a_string_of_escapes_takes_little_more_memory_than_itself(escape: str) -> None:
    """Escapes are decoded into one buffer, not into a list of pieces."""
    text = '"' + escape * (200_000 // len(escape)) + '"'
    assert peak_of(lambda: ron.loads(text)) < 4 * len(text.encode())


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("escape", ESCAPES)
def test_a_string_of_fifty_megabytes_of_escapes_is_read(escape: str) -> None:
    """Nothing but the time grows with the string, and that in proportion."""
    count = 50 * MEGABYTE // len(escape)
    value = ron.loads('"' + escape * count + '"')
    assert value == ron.loads(f'"{escape}"') * count  # type: ignore[operator]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("brackets", "entry", "key"),
    [
        ("()", "k{0}: {0}", "k{0}"),
        ("{}", "k{0}: {0}", ron.Ident("k{0}")),
        ("{}", '"k{0}": {0}', "k{0}"),
        ("{}", "{0}: {0}", 0),
    ],
    ids=["fields", "names", "strings", "numbers"],
)
def test_a_million_keys_are_read_and_found(brackets: str, entry: str, key: Any) -> None:
    """Structs and maps find each of a million keys."""
    count = 1_000_000
    value: Any = ron.loads(brackets[0] + ",".join(map(entry.format, range(count))) + brackets[1])
    assert len(value) == count
    for i in (0, 1, count // 2, count - 1):
        wanted: Any = i if key == 0 else str(key).format(i)
        assert value[ron.Ident(wanted) if isinstance(key, ron.Ident) else wanted] == i


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_million_errors_deep_in_a_file_are_one_error() -> None:
    """The first of a million mistakes behind a million good lines is the one reported."""
    text = "[\n" + "    1,\n" * 1_000_000 + "    1 1,\n" * 1_000_000 + "]"
    assert place(error_of(text)) == (1_000_002, 7)


# ------------------------------------------------------------------------------------- linear time

# Each builds a text of about n characters that a careless expression or loop reads again and again.
BUILDERS: dict[str, Callable[[int], str]] = {
    # Names, and what follows them.
    "name then colon": lambda n: "a" * n + ":",
    "name then colon in a bracket": lambda n: "(" + "a_" * (n // 2) + " :",
    "name then colon and blanks": lambda n: "a" * (n // 2) + ":" + " " * (n // 2),
    "names and colons": lambda n: "a:" * (n // 2),
    "colons in a map": lambda n: "{" + "a:" * (n // 2),
    "field without colon": lambda n: "(" + "a" * n + " 1)",
    "huge name": lambda n: "é" * n,
    "huge field name": lambda n: "(" + "aé" * (n // 2) + ": 1)",
    "huge raw name": lambda n: "r#" + "-" * n,
    "unknown extension": lambda n: "#![enable(" + "a" * n + ")]",
    "underscores": lambda n: "_" * n,
    # White space and comments.
    "blank lines": lambda n: "\n" * n + "}",
    "blanks behind a name": lambda n: "(a" + " " * n + "b",
    "odd white space": lambda n: "\u2028\x85" * (n // 2) + "1",
    "line comments": lambda n: "[1 " + "//\n" * (n // 3),
    "comment never closed": lambda n: "1 /*" + "*" * n,
    "comments never closed": lambda n: "[1," + "/*" * (n // 2),
    "comments half closed": lambda n: "[1," + "/*/" * (n // 3),
    "nested comments": lambda n: "/*" * (n // 4) + "*/" * (n // 4) + "1",
    "nested comments between items": lambda n: "[" + "/*/**/*/1," * (n // 10) + "]",
    "stars and slashes": lambda n: "/*" + "* /" * (n // 3) + "*/1",
    "name before a comment never closed": lambda n: "(a /*" + "a/" * (n // 2),
    "slashes": lambda n: "/" * n,
    "lone slashes": lambda n: "[1" + "/ " * (n // 2),
    # Strings and characters.
    "escaped quotes never closed": lambda n: '"' + '\\"' * (n // 2),
    "quote and backslash": lambda n: '"\\' * (n // 2),
    "backslashes": lambda n: '"' + "\\" * n,
    "strings, the last never closed": lambda n: "[" + '"a",' * (n // 4) + '"',
    "raw string never closed": lambda n: 'r#"' + '"' * n,
    "raw strings never closed": lambda n: 'r#"' * (n // 3),
    "raw strings with more hashes": lambda n: "[" + 'r##"a"#"##,' * (n // 11) + "]",
    "hashes": lambda n: "r" + "#" * n,
    "hashes never matched": lambda n: "r" + "#" * 1000 + '"' + ('"' + "#" * 999) * (n // 1000),
    "one hash too few": lambda n: "r" + "#" * (n // 2) + '"' + '"' + "#" * (n // 2 - 1),
    "byte strings": lambda n: "[" + 'b"\\xff",' * (n // 8) + "]",
    "bytes of half characters": lambda n: '"' + "\\xc3" * (n // 4) + '"',
    "long unicode escape": lambda n: '"\\u{' + "0" * n + '}"',
    "quotes": lambda n: "'" * n,
    "escaped characters": lambda n: "'\\" * (n // 2),
    "characters": lambda n: "[" + "'\\'','a'," * (n // 9) + "]",
    "bad escape at the end": lambda n: '"' + "\\n" * (n // 2) + '\\q"',
    # Numbers.
    "digits": lambda n: "1" * n,
    "digits behind the point": lambda n: "0." + "1" * n,
    "zeros": lambda n: "0" * n + "1",
    "digits and underscores": lambda n: "1_" * (n // 2),
    "hexadecimal digits": lambda n: "0x" + "f" * n,
    "exponent": lambda n: "1e" + "9" * n,
    "exponents": lambda n: "1e" * (n // 2),
    "signs": lambda n: "+-" * (n // 2),
    "points": lambda n: "." * n,
    "ranges of ranges": lambda n: "1.." * (n // 3),
    "number then sign": lambda n: "1" * n + "+",
    "fraction then sign": lambda n: "1." + "1" * n + "-",
    "large integers": lambda n: "[" + ("9" * 30 + ",") * (n // 31) + "]",
    # Many of something.
    "attributes": lambda n: "#![enable(implicit_some)]" * (n // 25) + "1",
    "extensions": lambda n: "#![enable(" + "implicit_some," * (n // 14) + ")]1",
    "fields written twice": lambda n: "(" + "a:1," * (n // 4) + ")",
    "keys written twice": lambda n: "{" + "1:1," * (n // 4) + "}",
    "different fields": lambda n: "(" + ",".join(f"k{i}:1" for i in range(n // 8)) + ")",
    "different words": lambda n: "[" + ",".join(f"k{i}" for i in range(n // 6)) + "]",
    "deep and wide": lambda n: "[" + ("[" * 63 + "]" * 63 + ",") * (n // 127) + "]",
    "deep and wide with an error": lambda n: "[" + ("[" * 63 + "]" * 63 + ",") * (n // 127) + "}",
    "error in the last of many lines": lambda n: "[" + "1,\n" * (n // 3) + "}",
    "error at the end of one long line": lambda n: "[" + "1," * (n // 2) + "}",
    "brackets": lambda n: "()" * (n // 2),
    "openers": lambda n: "([{" * (n // 3),
}


@pytest.mark.long
@pytest.mark.parametrize("name", BUILDERS)
def test_reading_takes_time_in_proportion_to_the_text(name: str) -> None:
    """Four times the text takes about four times as long, not sixteen times."""
    build = BUILDERS[name]
    short, long = build(30_000), build(120_000)
    assert 3 < len(long) / len(short) < 5
    for _ in range(4):  # another process may have had its turn; a quadratic reader fails each time
        slow = min(seconds_of(lambda: read(long)) for _ in range(2))
        if slow < 0.02 or slow < 9 * min(seconds_of(lambda: read(short)) for _ in range(3)):
            return
    pytest.fail(f"{name}: {slow:.3f} s for {len(long)} characters")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BUILDERS)
def test_even_megabytes_of_it_are_read_in_seconds(name: str) -> None:
    """What looks linear for small texts stays so for large ones."""
    text = BUILDERS[name](2 * MEGABYTE)
    assert seconds_of(lambda: read(text)) < 30


# --------------------------------------------------------------------------- literals, and the rest


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        (r'"\xc3a"', 2, r"these `\\x` escapes are no UTF-8 character"),
        (r'"\xc3\n"', 2, r"these `\\x` escapes are no UTF-8 character"),
        (r'"\xc3\xg"', 6, r"expected two hex digits"),
        (r'"\xff\xff\xff\xff"', 14, r"these `\\x` escapes are no UTF-8 character"),
        (r"'\xc3\xa9'", 2, r"these `\\x` escapes are no UTF-8 character"),
        (r'"\u{110000}"', 11, r"U\+110000 is no Unicode character"),
        (r'"\u{d800}"', 9, r"U\+D800 is no Unicode character"),
    ],
)
def test_a_wrong_escape_is_named(text: str, column: int, message: str) -> None:
    """The error stands at the escape that is wrong, and says what is wrong with it."""
    error = error_of(text)
    assert re.search(message, error.message)
    assert error.column == column


def test_integers_of_thousands_of_digits_are_no_trouble() -> None:
    """Python refuses to convert integers of more than 4,300 digits; RON does not notice."""
    assert ron.loads("1" * 5_000) == float("inf")
    assert ron.loads("-" + "1" * 5_000) == float("-inf")
    assert ron.loads("0" * 5_000 + "7") == 7
    assert ron.loads("0." + "0" * 5_000 + "1") == 0.0
    assert ron.loads("1" + "_" * 5_000) == 1
    assert "does not fit into 64 bits" in error_of("0x" + "f" * 5_000).message
    assert "does not fit into `i64`" in error_of("1" * 5_000 + "i64").message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e400", "inf"),
        ("-1e400", "-inf"),
        ("1e-400", "0.0"),
        ("-1e-400", "-0.0"),
        ("1e39f32", "inf"),
    ],
)
def test_floats_beyond_the_range_become_infinite_or_zero(text: str, value: str) -> None:
    """As in the reference reader, and such values are written so that they read back."""
    result = ron.loads(text)
    assert repr(result) == value
    assert repr(ron.loads(ron.dumps(result))) == value


def test_threads_get_their_own_values_and_errors() -> None:
    """Reading shares nothing between threads, and errors cross them whole."""
    texts = [f"A(n: {i}, w: [W{i}, W{i}])" if i % 3 else f"\n(n: {i} x)" for i in range(300)]

    def outcome(text: str) -> object:
        try:
            return ron.to_tagged(ron.loads(text, path="t.ron"))
        except ron.RonError as error:
            return str(error)

    alone = [outcome(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(outcome, texts * 5)) == alone * 5
        failing = pool.submit(ron.loads, "[1 2]", path="t.ron")
    with pytest.raises(ron.RonError) as caught:
        failing.result()
    assert place(caught.value) == (1, 4)


def test_an_error_travels_between_processes_whole() -> None:
    """Place, hint, notes and class survive pickling with every protocol."""
    error = error_of("(a: [1, 2)", path="é.ron")
    error.add_note("while loading the level")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(error, protocol))
        assert type(copy) is ron.RonError
        assert str(copy) == str(error)
        assert copy.__dict__ == error.__dict__
        assert copy.args == error.args


def test_both_readers_recover_from_an_error() -> None:
    """A reader that failed leaves nothing behind for the next text."""
    for text in ("[1, {", '"\\q"', "(a: 1, a: 2", "Some"):
        assert quick.read(text, 0) is None
        with pytest.raises(BadText):
            careful.read(text)
        assert ron.loads("[Some(1)]") == [ron.Some(1)]
