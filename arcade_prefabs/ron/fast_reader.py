"""The quick reader: one compiled expression cuts the text into tokens, one loop builds the values.

A token is a whole step of the grammar: ``name: "text",`` is one. The expression leaves no gaps, so
what it cannot cut, right or wrong, is met as a token of its own and ends the attempt: `read`
returns None and the careful reader takes over. That happens for what ordinary files do not hold:
comments in comments, names beyond ASCII, a field written twice, deep nesting, and everything
that is wrong.

Quantifiers never give back and the last alternative swallows the rest of the text, so the time is
linear in the length of any input.
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

# Before 3.11.5 a possessive group that fails midway keeps what it took (CPython gh-100061), and
# text is misread. An atomic group does the same job, but needs 150 bytes for each repetition; hence
# the limit, beyond which the careful reader takes over.
_POSSESSIVE: Final = "(?:{})*+"
_ATOMIC: Final = "(?>(?:{}){{0,1000}})"
_REPEATED: Final = _POSSESSIVE if sys.version_info >= (3, 11, 5) else _ATOMIC


def _token_expression(repeated: str) -> re.Pattern[str]:
    """The expression for one token; ``repeated`` says how a group repeats without giving back."""
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
        | .+                                             # whatever else there is
        ){blank}
        """,
        re.VERBOSE | re.DOTALL | re.ASCII,
    )


_TOKEN: Final = _token_expression(_REPEATED)

_new = object.__new__
_groups: Final[Callable[[re.Match[str]], tuple[str | None, ...]]] = re.Match.groups


class _Words(dict[str, Any]):
    """What bare words mean; a word that is new is a name."""

    def __missing__(self, word: str) -> Ident:
        if word == "Some":
            raise _NotQuick
        ident = self[word] = Ident(word)
        return ident


class _NotQuick(Exception):
    """The text holds something that the quick reader leaves to the careful one."""


_WORDS: Final[dict[str, Any]] = {
    "true": True,
    "false": False,
    "None": None,
    "()": UNIT,
    **{word: float(word[:3]) for word in ("inf", "inff32", "inff64", "NaN", "NaNf32", "NaNf64")},
}
# Names that mean something else than a name in front of a bracket.
_RESERVED: Final = frozenset((*_WORDS, "Some"))

# Without the careful reader's weights: Some counts like a bracket, which is never too lenient.
_DEPTH_LIMIT: Final = RECURSION_LIMIT // 2


def read(text: str, at: int) -> tuple[Value] | None:
    """Read a RON text from ``at`` on, behind its attributes: the value in a tuple, or None.

    None says that the careful reader must look at it.
    """
    try:
        return (_read(text, at),)
    except (_NotQuick, BadText):
        return None


def _read(text: str, at: int) -> Value:
    words = _Words(_WORDS)
    stack: list[Any] = []
    # The innermost open bracket: its opener, name, and key in the bracket around it. A map's keys
    # go to `keys`, a struct's fields to `fields`, every other value to `items`.
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
