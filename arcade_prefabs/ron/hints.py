"""What to try, for the mistakes that people make who come from Python, JSON or Rust."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .values import Char, Ident, Value

__all__ = ["OpenBracket", "hint_for"]

# How far to look back from a mistake.
_NEAR = 200
_NAME_BEFORE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[ \t]*\Z")
_DECIMAL_COMMA_BEFORE = re.compile(r"[0-9],\Z")
_CURLY_QUOTES = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\xab\xbb"


class OpenBracket(NamedTuple):
    """The innermost bracket that was open where a reader stopped, and what it has of it.

    Attributes:
        at: Offset of the bracket.
        opener: The bracket.
        closer: The one that would close it.
        name: The name in front of it, or None.
        items: The values inside so far.
        names: Their names, for a struct; None otherwise.
    """

    at: int
    opener: str
    closer: str
    name: str | None
    items: Sequence[Value]
    names: Sequence[str] | None


def hint_for(text: str, at: int, bracket: OpenBracket | None) -> str | None:
    """A hint for an error at an offset, or None if nothing is likelier than the rest."""
    found = text[at : at + 1]
    before = _NAME_BEFORE.search(text, max(0, at - _NEAR), at)
    if found == "#":
        return "comments begin with `//`"
    if found and found in _CURLY_QUOTES:
        return 'text stands in straight double quotes: "text"'
    if found == "/":
        return 'text, such as a path, stands in double quotes: "folder/file.png"'
    if found == "=":
        return "a field is written with a colon: `name: value`"
    if before and text.startswith("::", at):
        return "write only the part behind `::`"
    if before and found == ".":
        return "write only the part behind the `.`; text stands in double quotes"
    if before and found and found in "[{":
        return f"a name is followed by round brackets: `{before.group(1)}(...)`"
    if found == ":":
        return _colon_hint(bracket)
    if bracket is None:
        return None
    if found in ("", ")", "]", "}"):
        if found == bracket.closer:
            return None
        line = text.count("\n", 0, bracket.at) + 1
        return f"`{(bracket.name or '')[:_NEAR]}{bracket.opener}` in line {line} is not closed"
    if bracket.names is not None and len(bracket.items) == len(bracket.names):
        # Behind a comma, where the name of the next field should be.
        if _DECIMAL_COMMA_BEFORE.search(text, max(0, at - _NEAR), at):
            return "decimals have a point: 0.5"
        if text[max(0, at - _NEAR) : at].rstrip().endswith(","):
            return _MIXED
    # It begins a value, and is there; what is missing is in front of it.
    if bracket.items and (found.isalnum() or found in "_\"'([{"):
        may_be_field = bracket.names is None and bracket.opener == "("
        if may_be_field and isinstance(bracket.items[-1], Ident):
            return "is a `:` or a comma missing in front of it?"
        return "is a comma missing in front of it?"
    return None


_MIXED = "in one pair of brackets either every field has a name or none has"


def _colon_hint(bracket: OpenBracket | None) -> str | None:
    if bracket is None:
        return "fields stand in brackets: `Name(field: value)`"
    last = bracket.items[-1] if bracket.items else None
    if bracket.opener != "(" or bracket.names is not None:
        return None
    if isinstance(last, str) and not isinstance(last, Char) and last.isidentifier():
        return f"names of fields have no quotes: `{last[:_NEAR]}: ...`"
    return _MIXED if isinstance(last, Ident) else None
