"""Reads ordinary RON texts fast, with one regular expression and one loop.

**Problem.** Bakes need speed, authors need the exact position of each mistake, and a compiled
extension would have to be built for every platform of every player. A reader in pure Python that
walks over the characters and records positions is about five times slower than this one.

**Way taken.** Python's `re` does the work in C. One match is one token, and a token holds as much
of the grammar as an expression can: ``name: "text",`` is one token. The loop in `_read` has a
branch for each kind of token and its own stack for open brackets. Matches follow each other without
gaps: what the expression cannot match becomes a token of its own, and ends the attempt.

This reader decides nothing about the language. When it meets something that ordinary files do not
hold, it gives up: `read` returns None, and `positional_reader` reads the text from its beginning.
That happens for comments within comments, names beyond ASCII, a field written twice, deep nesting,
and every mistake. So this module needs no error messages and no rare cases. A property test makes
sure that both readers agree.

**Bounded time.** Quantifiers are possessive (they never backtrack) and the last alternative matches
the whole rest of the text. The time is linear in the length of any input, hostile input included.

**Rejected.** One capturing group for all literals with a dict of the literals seen before was
slower on small files (67 against 50 µs for 1 kB). Separate groups for integers and floats made no
difference.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, Final

from .literals import WHITE_SPACE, BadText, read_char, read_number, read_string
from .positional_reader import RECURSION_LIMIT
from .values import UNIT, Ident, Some, TupleStruct, Value, new_map, new_struct

__all__ = ["read"]

# Before Python 3.11.5 a possessive group that fails midway keeps the characters it has matched
# (CPython gh-100061), and text is misread. An atomic group has the same meaning, but needs 150
# bytes for each repetition; hence the limit of 1,000, above which `positional_reader` takes over.
_POSSESSIVE: Final = "(?:{})*+"
_ATOMIC: Final = "(?>(?:{}){{0,1000}})"
_REPEATED: Final = _POSSESSIVE if sys.version_info >= (3, 11, 5) else _ATOMIC


def _token_expression(repeated: str) -> re.Pattern[str]:
    """Returns the expression for one token; ``repeated`` is a group that never backtracks."""
    comment = rf"//[^\n]*+|/\*[^*/]*+{repeated.format(r'(?:[*](?!/)|/(?![*]))[^*/]*+')}\*/"
    blank = rf"[{WHITE_SPACE}]*+" + repeated.format(rf"(?:{comment})[{WHITE_SPACE}]*+")
    escaped = repeated.format(r'[^"\\]++|\\.')
    hashed = repeated.format(r'[^"]++|"(?!\#)')
    name = r"[A-Za-z_][A-Za-z0-9_]*+"
    return re.compile(
        rf"""
        (?:({name}){blank}:{blank}|)                     # 1 field name, or a name as a map's key
        (?:
          (?:
            "([^"\\]*+)"                                 # 2 string without escapes
          | ([-+]?+[0-9]{{1,18}}+(?:\.[0-9]++)?)          # 3 decimal number
          | ({name}|\(\))                                # 4 true, North, ...; or unit
          | ([)\]}}])                                    # 5 closing bracket
          | ([-+.0-9][-+.\w=]*+                          # 6 other numbers, strings, characters
            |b?+"{escaped}"
            |b?+r"[^"]*+"|b?+r\#"{hashed}"\#
            |b?+'(?:[^'\\]|\\[^'\n]{{1,11}}|\\')')
          ){blank}(?:,|(:)|(?=[)\]}}])|(\Z))             # 7 colon of a map's key, 8 end of the text
        | (?:({name}){blank}(?=\()|(?!\(\)))([(\[{{])    # 9 name, 10 opening bracket
        | .+                                             # anything else: the rest of the text
        ){blank}
        """,
        re.VERBOSE | re.DOTALL | re.ASCII,
    )


_TOKEN: Final = _token_expression(_REPEATED)

_new = object.__new__
_groups: Final[Callable[[re.Match[str]], tuple[str | None, ...]]] = re.Match.groups


class _Words(dict[str, Any]):
    """The values of bare words; a word that is not in the dict becomes an `Ident`."""

    def __missing__(self, word: str) -> Ident:
        if word == "Some":
            raise _NotQuick
        ident = self[word] = Ident(word)
        return ident


class _NotQuick(Exception):
    """The text holds something that this module leaves to `positional_reader`."""


_WORDS: Final[dict[str, Any]] = {
    "true": True,
    "false": False,
    "None": None,
    "()": UNIT,
    **{word: float(word[:3]) for word in ("inf", "inff32", "inff64", "NaN", "NaNf32", "NaNf64")},
}
# Words that are no names of structs in front of a bracket.
_RESERVED: Final = frozenset((*_WORDS, "Some"))

# `positional_reader` counts two levels for a bracket and one for `Some`. Here both count two, so
# that no text passes which is nested too deeply there.
_DEPTH_LIMIT: Final = RECURSION_LIMIT // 2


def read(text: str, at: int) -> tuple[Value] | None:
    """Reads a RON text from an offset on, and returns its value in a tuple of one.

    Returns None if the text holds anything, right or wrong, that `positional_reader` has to read.

    Args:
        text: The whole text.
        at: The offset behind the attributes (``#![enable(...)]``).
    """
    try:
        return (_read(text, at),)
    except (_NotQuick, BadText):
        return None


def _read(text: str, at: int) -> Value:
    words = _Words(_WORDS)
    stack: list[Any] = []
    # The innermost open bracket: the bracket itself, the struct name in front of it, its own field
    # name in the bracket around it, and its contents. Map keys are collected in `keys`, fields in
    # `fields`, all other values in `items`.
    bracket = ""
    name: str | None = None
    outer_key: str | None = None
    items: list[Any] = []
    fields: dict[str, Any] = {}
    keys: list[Any] = []
    end: str | None = None
    for key, string, number, word, closer, other, colon, end, new_name, opener in map(  # noqa: B007
        _groups, _TOKEN.finditer(text, at)
    ):
        if string is not None:
            value: Any = string
        elif number is not None:
            value = float(number) if "." in number else int(number)
        elif word is not None:
            value = words[word]
        elif opener is not None:
            if len(stack) >= _DEPTH_LIMIT:
                raise _NotQuick
            stack.append((bracket, name, outer_key, items, fields, keys))
            bracket = opener
            name = new_name
            outer_key = key
            items = []
            fields = {}
            keys = []
            continue
        elif closer is not None:
            if key is not None or not stack:
                raise _NotQuick
            if closer == ")":
                if bracket != "(":
                    raise _NotQuick
                if fields:
                    if items or name == "Some":
                        raise _NotQuick
                    value = new_struct(name, fields)
                elif name is None:
                    value = tuple(items)
                elif name == "Some":
                    if len(items) != 1:
                        raise _NotQuick
                    value = Some(items[0])
                else:
                    value = _new(TupleStruct)
                    value.name = name
                    value.values = tuple(items)
                if name in _RESERVED and name != "Some":
                    raise _NotQuick
            elif closer == "]":
                if bracket != "[" or fields:
                    raise _NotQuick
                value = items
            else:
                if bracket != "{" or len(keys) != len(items):
                    raise _NotQuick
                value = new_map(keys, items)
            key = outer_key
            bracket, name, outer_key, items, fields, keys = stack.pop()
        elif other is not None:
            value = _other(other)
        else:
            raise _NotQuick
        if colon is not None:
            if bracket != "{" or key is not None or len(keys) != len(items):
                raise _NotQuick
            keys.append(value)
        elif key is None:
            items.append(value)
        elif bracket == "{":
            if len(keys) != len(items):
                raise _NotQuick
            keys.append(words[key])
            items.append(value)
        elif key in fields:
            raise _NotQuick
        else:
            fields[key] = value
    if end is None or stack or fields or len(items) != 1:
        raise _NotQuick
    whole: Value = items[0]
    return whole


def _other(token: str) -> Value:
    value: Value
    if token[0] == "'":
        value, end = read_char(token, 0)
    elif token[0] in "-+.0123456789" or token.startswith("b'"):
        value, end = read_number(token, 0)
    else:
        value, end = read_string(token, 0)
    if end != len(token):
        raise _NotQuick
    return value
