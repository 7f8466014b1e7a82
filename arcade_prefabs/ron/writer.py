"""Writes values as RON text that reads back as equal values: `dumps` and `dump`."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .literals import identifier_end, raw_identifier_end
from .positional_reader import KEYWORDS, RECURSION_LIMIT
from .values import Char, Ident, Map, Range, Some, Struct, TupleStruct, Unit, Value

__all__ = ["dump", "dumps"]

_NOT_NAMES: Final = frozenset(
    (*KEYWORDS, "Some", "inf", "inff32", "inff64", "NaN", "NaNf32", "NaNf64")
)
# Values whose text fits into this many columns stay on one line: most components do, and two files
# fit side by side on a screen.
_WIDTH: Final = 88
_ESCAPED: Final = re.compile(r'[\x00-\x1f\x7f"\\]')
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0", '"': '\\"', "\\": "\\\\"}


def dumps(value: Value, *, pretty: bool = True, indent: int = 4) -> str:
    """Returns a value as RON text.

    Reading the text returns an equal value of the same types, in the same order. Plain dicts are
    written as maps.

    Args:
        value: A value as `loads` returns it.
        pretty: Whether long values take several lines, with a comma behind the last item; otherwise
            the text is a single line without spaces.
        indent: Spaces for each level of nesting.

    Raises:
        TypeError: The value, or a part of it, is no RON value.
        ValueError: A part has no RON form that reads back: a name with characters that names cannot
            have, an integer beyond 64 bits, a lone surrogate, a struct without fields, or nesting
            deeper than the readers accept (also a list that contains itself).

    Any thread.
    """
    return _Writer(pretty, " " * indent).write(value)


def dump(
    value: Value, path: str | os.PathLike[str], *, pretty: bool = True, indent: int = 4
) -> None:
    """Writes a value as a RON file in UTF-8; arguments and errors are those of `dumps`.

    Raises:
        OSError: The file cannot be written.
    """
    Path(path).write_bytes((dumps(value, pretty=pretty, indent=indent) + "\n").encode())


class _Writer:
    def __init__(self, pretty: bool, indent: str) -> None:
        self._pretty = pretty
        self._indent = indent
        self._colon = ": " if pretty else ":"

    def write(self, value: Value) -> str:
        return self._value(value, 0, 0)

    def _value(self, value: Value | dict[Any, Any], level: int, depth: int) -> str:
        """Returns the text of a value.

        Args:
            value: The value.
            level: The indentation of its first line.
            depth: The levels of nesting around it, as `RECURSION_LIMIT` counts them.
        """
        depth += 1 if isinstance(value, Some) else 2
        match value:
            case Some():
                return f"Some({self._value(value.value, level, self._deeper(depth))})"
            case list():
                return self._bracketed("[", self._plain(value, level, depth), "]", level, depth)
            case tuple():
                return self._tuple("", value, level, depth)
            case TupleStruct():
                return self._tuple(_name(value.name), value.values, level, depth)
            case Struct():
                opening = ("" if value._name is None else _name(value._name)) + "("
                if len(value) == 0:
                    # RON has no struct without fields: `A()` reads as a tuple.
                    raise ValueError("a struct without fields cannot be written; use a TupleStruct")
                return self._bracketed(
                    opening, self._fields(value, level, depth), ")", level, depth
                )
            case Map() | dict():
                return self._bracketed("{", self._entries(value, level, depth), "}", level, depth)
        return _scalar(value)

    def _deeper(self, depth: int) -> int:
        if depth > RECURSION_LIMIT:
            raise ValueError(f"nested too deeply: the limit is {RECURSION_LIMIT // 2} brackets")
        return depth

    def _tuple(self, name: str, values: tuple[Value, ...], level: int, depth: int) -> str:
        if not values and not name:
            self._deeper(depth)
            return "( )"  # `()` is the unit
        return self._bracketed(name + "(", self._plain(values, level, depth), ")", level, depth)

    def _plain(
        self, values: list[Value] | tuple[Value, ...], level: int, depth: int
    ) -> Iterator[str]:
        return (self._value(item, level + 1, depth) for item in values)

    def _fields(self, struct: Struct, level: int, depth: int) -> Iterator[str]:
        for name, item in struct._items():
            yield _field_name(name) + self._colon + self._value(item, level + 1, depth)

    def _entries(self, entries: Map | dict[Value, Value], level: int, depth: int) -> Iterator[str]:
        for key, item in entries.items():
            written = self._value(key, level + 1, depth)
            yield written + self._colon + self._value(item, level + 1, depth)

    def _bracketed(
        self, opening: str, pieces: Iterator[str], closing: str, level: int, depth: int
    ) -> str:
        self._deeper(depth)
        parts = list(pieces)
        if not self._pretty:
            return opening + ",".join(parts) + closing
        flat = opening + ", ".join(parts) + closing
        room = _WIDTH - level * len(self._indent)
        if not parts or (len(flat) <= room and "\n" not in flat):
            return flat
        inner = self._indent * (level + 1)
        lines = "".join(f"{inner}{part},\n" for part in parts)
        return f"{opening}\n{lines}{self._indent * level}{closing}"


def _scalar(value: Value) -> str:
    match value:
        case None:
            return "None"
        case bool():
            return "true" if value else "false"
        case int():
            return _integer(value)
        case float():
            return _float(value)
        case Char():
            return _char(value)
        case str():
            return f'"{_ESCAPED.sub(_escape, _encodable(value))}"'
        case bytes():
            return 'b"' + "".join(_byte(code) for code in value) + '"'
        case Unit():
            return "()"
        case Ident():
            return _name(value.name)
        case Range():
            start, end = _limit(value.start), _limit(value.end)
            if value.inclusive and not end:
                raise ValueError("an inclusive range needs an end")
            return f"{start}..{'=' if value.inclusive else ''}{end}"
    raise TypeError(f"{type(value).__name__} is no RON value: {value!r}")


def _limit(value: float | None) -> str:
    """Returns one end of a range as text."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"the ends of a range are numbers, not {type(value).__name__}: {value!r}")
    written = _scalar(value)
    # RON 0.12 accepts `+inf` and `+NaN` at the end of a range, but neither without a sign.
    return f"+{written}" if written in ("inf", "NaN") else written


def _integer(value: int) -> str:
    if not -(2**63) <= value < 2**64:
        raise ValueError(f"an integer of {value.bit_length()} bits; RON's have 64 at most")
    return str(int(value))


def _float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    # repr() gives inf, -inf, 1.0, 5e-324 and 1e+16, which are all RON, and reads back exactly.
    return repr(float(value))


def _char(value: str) -> str:
    if value == "'":
        return r"'\''"
    if value == '"':
        return "'\"'"
    return f"'{_ESCAPED.sub(_escape, _encodable(value))}'"


def _encodable(text: str) -> str:
    text.encode()  # raises UnicodeEncodeError, a ValueError, for a lone surrogate
    return text


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return _ESCAPES.get(character) or f"\\x{ord(character):02x}"


def _byte(code: int) -> str:
    character = chr(code)
    if code >= 0x80 or character in _ESCAPES or not character.isprintable():
        return _ESCAPES.get(character) or f"\\x{code:02x}"
    return character


def _field_name(name: str) -> str:
    """Returns a field name as text; with ``r#`` if it has a ``.``, ``+`` or ``-``.

    Unlike other names, a field may have the name of a keyword.
    """
    plain = identifier_end(name, 0) == len(name) > 0
    # `r` and `b` need no `r#`: they begin a string only in front of a quote, never of a colon.
    return name if plain else _raw(name)


def _name(name: str) -> str:
    plain = identifier_end(name, 0) == len(name) > 0
    return name if plain and name not in _NOT_NAMES else _raw(name)


def _raw(name: str) -> str:
    if not name or raw_identifier_end(name, 0) != len(name):
        raise ValueError(f"{name!r} cannot be written as a RON name")
    return f"r#{name}"
