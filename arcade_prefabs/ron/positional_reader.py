"""Reads any RON text in one pass over its characters, and records where each value stands.

This reader defines which texts are RON for this package; its yardstick is version 0.12 of Rust's
``ron`` crate. `fast_reader` reads ordinary texts faster and leaves all others to this module. A
property test makes sure that the two agree on every text that both accept.

Open brackets are kept on a stack of its own, so that deeply nested texts cannot overflow Python's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ..errors import shown
from .hints import OpenBracket, hash_hint, hint_for
from .literals import (
    NUMBER_HINT,
    BadText,
    identifier_end,
    raw_identifier_end,
    read_char,
    read_number,
    read_string,
    skip_blank,
)
from .values import UNIT, Ident, Map, Some, Struct, TupleStruct, Value

__all__ = ["EXTENSIONS", "KEYWORDS", "RECURSION_LIMIT", "Node", "read", "read_attributes"]

# Rust's reader counts two levels for a list, tuple, struct or map, and one for Some.
RECURSION_LIMIT: Final = 128

EXTENSIONS: Final = frozenset(
    ("unwrap_newtypes", "implicit_some", "unwrap_variant_newtypes", "explicit_struct_names")
)

KEYWORDS: Final[dict[str, Value]] = {"true": True, "false": False, "None": None}

_NUMBER_WORDS: Final = frozenset(("inf", "inff32", "inff64", "NaN", "NaNf32", "NaNf64"))
_STRING_STARTS: Final = ('"', 'b"', 'r"', 'r#"', "r##", 'br"', "br#")
_CLOSERS: Final = {"(": ")", "[": "]", "{": "}"}
_SIMPLE_VALUE: Final = re.compile(r'"[^"\\\n]*+"|[A-Za-z0-9_.+-]++')


_NOTHING: Final = ()


class Node:
    """Where a value stands in the text, with the nodes of its key and of the values inside it.

    Attributes:
        start: Offset of the first character.
        end: Offset behind the last character.
        key: The node of the map key or field name in front of the value; None if it has none.
        items: The nodes of the values inside, in the order of the text.
        names: The field names of ``items`` for a struct; empty for other values.
    """

    __slots__ = ("end", "items", "key", "names", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end
        self.key: Node | None = None
        # Most nodes have no contents; they share one empty tuple to save memory.
        self.items: Sequence[Node] = _NOTHING
        self.names: Sequence[str] = _NOTHING


class _Frame:
    """An open bracket with the values read inside it so far."""

    __slots__ = (
        "closer",
        "inner",
        "items",
        "key_nodes",
        "keys",
        "name",
        "names",
        "node",
        "opener",
        "some",
    )

    def __init__(self, opener: str, name: str | None, node: Node, some: bool) -> None:
        self.opener = opener
        self.closer = _CLOSERS[opener]
        self.name = name
        self.node = node
        self.some = some
        self.items: list[Value] = []
        # A struct's field names; None before the first field, and for brackets without fields.
        self.names: list[str] | None = None
        self.keys: list[Value] = []
        # The nodes of the items and of their keys; empty if the caller needs no positions.
        self.inner: list[Node] = []
        self.key_nodes: list[Node] = []


def read_attributes(text: str) -> tuple[int, frozenset[str]]:
    """Reads attributes such as ``#![enable(...)]``; returns their end and the extensions."""
    enabled: set[str] = set()
    at = skip_blank(text, 0)
    while text.startswith("#", at):
        what = "an attribute such as `#![enable(implicit_some)]`"
        at = _expect_marks(text, at, "#![", what, hash_hint(text, at))
        end = identifier_end(text, at)
        word = text[at:end]
        if word == "enable":
            at = _expect(text, skip_blank(text, end), "(", "`(` and the extensions' names")
            at = _extension_list(text, at, enabled)
            at = _expect_marks(text, at, ")]", "`,` or `)]`")
        elif word in ("type", "schema"):
            at = _expect(text, skip_blank(text, end), "=", "`=` and a string")
            if not text.startswith(('"', 'r"', "r#"), at):
                raise BadText(at, "expected a string")
            _, at = read_string(text, at)
            at = _expect(text, skip_blank(text, at), "]", "`]`")
        else:
            raise BadText(at, "expected `enable`, `type` or `schema`")
    return at, frozenset(enabled)


def _expect(text: str, at: int, mark: str, what: str) -> int:
    """Returns the offset behind ``mark`` and the white space after it; BadText if it is missing."""
    if not text.startswith(mark, at):
        raise BadText(at, f"expected {what}")
    return skip_blank(text, at + len(mark))


def _expect_marks(text: str, at: int, marks: str, what: str, hint: str | None = None) -> int:
    """Returns the offset behind several characters that may have white space between them.

    If one is missing, the error is placed behind the last one that is there, as in Rust's reader:
    in ``#[enable(x)]`` behind the ``[``.
    """
    missing = False
    for mark in marks:
        if text.startswith(mark, at):
            at = skip_blank(text, at + 1)
        else:
            missing = True
    if missing:
        raise BadText(at, f"expected {what}", hint)
    return at


def _extension_list(text: str, at: int, enabled: set[str]) -> int:
    """Adds the extensions listed at ``at`` to ``enabled``; returns the offset behind the list."""
    while True:
        end = identifier_end(text, at)
        name = text[at:end]
        if name not in EXTENSIONS:
            raise BadText(
                at, f"there is no extension `{shown(name)}`", ", ".join(sorted(EXTENSIONS))
            )
        enabled.add(name)
        at = skip_blank(text, end)
        if text.startswith(",", at):
            at = skip_blank(text, at + 1)
            if not text.startswith(")", at):
                continue
        return at


def read(text: str, *, nodes: bool = True) -> tuple[Value, Node]:
    """Reads a whole RON text; returns its value and the node of that value.

    Args:
        text: The text.
        nodes: Whether to record the nodes of the inner values, too; without, most memory is saved.

    Raises:
        BadText: The text is not RON.
    """
    at, extensions = read_attributes(text)
    unwrap_some = "unwrap_variant_newtypes" in extensions
    reader = _Reader(text, at, unwrap_some=unwrap_some, nodes=nodes)
    try:
        return reader.run()
    except BadText as error:
        if error.hint is None or error.hint == NUMBER_HINT:
            error.hint = reader.hint(error.offset) or error.hint
        raise


class _Reader:
    """One pass over a text: a cursor, and the brackets that are open there."""

    def __init__(self, text: str, at: int, *, unwrap_some: bool, nodes: bool) -> None:
        self._text = text
        self._at = at
        self._unwrap_some = unwrap_some
        self._nodes = nodes
        self._stack: list[_Frame] = []
        self._depth = 0
        # For hints: the last complete value, and whether the colon behind a map's key is missing.
        self._last: Node | None = None
        self._after_key = False

    def hint(self, offset: int) -> str | None:
        """Returns a hint for the error at an offset that ended the reading, or None."""
        bracket = None
        if self._stack:
            frame = self._stack[-1]
            bracket = OpenBracket(
                frame.node.end,  # a node ends at its bracket until that is closed
                frame.opener,
                frame.closer,
                frame.name,
                frame.items,
                frame.names,
                self._after_key,
            )
        last = None if self._last is None else (self._last.start, self._last.end)
        return hint_for(self._text, offset, self._at, bracket, last)

    def run(self) -> tuple[Value, Node]:
        """Reads the text; returns its value and node."""
        while True:
            done = self._item_or_closer()
            while done is not None:
                if not self._stack:
                    return self._end(*done)
                done = self._put(*done)

    def _skip(self, at: int) -> None:
        self._at = skip_blank(self._text, at)

    def _end(self, value: Value, node: Node) -> tuple[Value, Node]:
        self._last = node
        self._skip(node.end)
        if self._at < len(self._text):
            message = "expected the end of the text behind the value" + self._found(self._at)
            raise BadText(self._at, message)
        return value, node

    def _item_or_closer(self) -> tuple[Value, Node] | None:
        """Reads the next item or closing bracket.

        Returns the value that it completes, or None if it opens another bracket.
        """
        if not self._stack:
            return self._value()
        frame = self._stack[-1]
        if self._text.startswith(frame.closer, self._at):
            return self._close(frame)
        if frame.opener == "(" and (not frame.some or self._unwrap_some):
            self._field_name(frame)
        return self._value()

    def _field_name(self, frame: _Frame) -> None:
        """Reads ``name:`` if it stands at the cursor; behind other fields it is required."""
        text, at = self._text, self._at
        if frame.items and frame.names is None:
            return
        first, end = self._name(at)
        colon = skip_blank(text, end) if end > at else at
        if end == at or not text.startswith(":", colon):
            if frame.names is None:
                return
            if end == at:
                raise BadText(at, "expected a field name" + self._found(at))
            name = shown(text[first:end])
            raise BadText(colon, f"expected `:` behind the field name `{name}`")
        if frame.names is None:
            frame.names = []
        frame.names.append(text[first:end])
        if self._nodes:
            frame.key_nodes.append(Node(at, end))
        self._skip(colon + 1)

    def _name(self, at: int) -> tuple[int, int]:
        """Returns start and end of the name at ``at``, raw or not; equal if there is none."""
        text = self._text
        if text.startswith(("b'", *_STRING_STARTS[1:]), at):
            return at, at
        if text.startswith("r#", at):
            end = raw_identifier_end(text, at + 2)
            return (at + 2, end) if end > at + 2 else (at, at)
        return at, identifier_end(text, at)

    def _value(self) -> tuple[Value, Node] | None:
        """Reads the literal at the cursor; returns None if a bracket was opened instead."""
        text, at = self._text, self._at
        character = text[at : at + 1]
        if not character:
            raise BadText(at, "expected a value" + self._found(at))
        if character in "([{":
            if text.startswith("()", at):
                return UNIT, Node(at, at + 2)
            self._open(at, at, None)
            return None
        if character in "0123456789+-." or text.startswith("b'", at):
            value, end = read_number(text, at)
            return value, Node(at, end)
        if text.startswith(_STRING_STARTS, at):
            string, end = read_string(text, at)
            return string, Node(at, end)
        if character == "'":
            char, end = read_char(text, at)
            return char, Node(at, end)
        first, end = self._name(at)
        if end == at:
            if text.startswith("r#", at):
                raise BadText(at + 2, "expected a name or a string behind `r#`")
            raise BadText(at, "expected a value" + self._found(at))
        return self._word(at, first, end)

    def _word(self, at: int, first: int, end: int) -> tuple[Value, Node] | None:
        """Reads a keyword, number word, name, struct or Some; None if a bracket was opened.

        Args:
            at: Offset of the word, with its ``r#`` if it is raw.
            first: Offset of its first letter.
            end: Offset behind its last letter.
        """
        text = self._text
        word = text[first:end]
        raw = first > at
        if not raw:
            if word in KEYWORDS:
                return KEYWORDS[word], Node(at, end)
            if word in _NUMBER_WORDS:
                number, end = read_number(text, at)
                return number, Node(at, end)
        bracket = skip_blank(text, end)
        if text.startswith("(", bracket):
            self._open(at, bracket, word, some=word == "Some" and not raw)
            return None
        if word == "Some" and not raw:
            value = _SIMPLE_VALUE.match(text, bracket)
            hint = f"write `Some({shown(value.group()) if value else '...'})`"
            raise BadText(bracket, "expected `(` and a value behind `Some`", hint)
        return Ident(word), Node(at, end)

    def _found(self, at: int) -> str:
        """Returns ", found ..." with the word at an offset, for the end of a message."""
        character = self._text[at : at + 1]
        if not character:
            return ", found the end of the text"
        word = self._text[at : identifier_end(self._text, at)]
        return f", found `{shown(word or character)}`"

    def _open(self, start: int, bracket: int, name: str | None, some: bool = False) -> None:
        self._depth += 1 if some else 2
        if self._depth > RECURSION_LIMIT:
            raise BadText(
                bracket + 1, f"nested too deeply: the limit is {RECURSION_LIMIT // 2} brackets"
            )
        self._stack.append(_Frame(self._text[bracket], name, Node(start, bracket), some))
        self._skip(bracket + 1)

    def _put(self, value: Value, node: Node) -> tuple[Value, Node] | None:
        """Adds a complete value to the innermost bracket.

        Returns the bracket's own value if the bracket is closed behind it, or None.
        """
        frame = self._stack[-1]
        self._last = node
        self._skip(node.end)
        text, at = self._text, self._at
        if frame.opener == "{" and len(frame.keys) == len(frame.items):
            if not text.startswith(":", at):
                self._after_key = True
                raise BadText(at, "expected `:` behind the map's key" + self._found(at))
            frame.keys.append(value)
            if self._nodes:
                frame.key_nodes.append(node)
            self._skip(at + 1)
            return self._value()
        frame.items.append(value)
        if self._nodes:
            if frame.key_nodes:
                node.key = frame.key_nodes[-1]
            frame.inner.append(node)
        closer = frame.closer
        if text.startswith(",", at):
            self._skip(at + 1)
            if frame.some and not self._unwrap_some and not text.startswith(closer, self._at):
                raise BadText(self._at, "expected `)`: Some holds exactly one value")
            return None
        if text.startswith(closer, at):
            return self._close(frame)
        raise BadText(at, f"expected `,` or `{closer}`" + self._found(at))

    def _close(self, frame: _Frame) -> tuple[Value, Node]:
        self._stack.pop()
        self._depth -= 1 if frame.some else 2
        node = frame.node
        node.end = self._at + 1
        if frame.inner:
            node.items = frame.inner
        if frame.opener == "{":
            return Map(zip(frame.keys, frame.items, strict=True)), node
        if frame.opener == "[":
            return frame.items, node
        if self._nodes and frame.names is not None:
            node.names = frame.names
        if frame.some:
            return self._some(frame), node
        if frame.names is not None:
            return Struct(frame.name, zip(frame.names, frame.items, strict=True)), node
        if frame.name is None:
            return tuple(frame.items), node
        return TupleStruct(frame.name, frame.items), node

    def _some(self, frame: _Frame) -> Some:
        items = frame.items
        if frame.names is not None:
            return Some(Struct(None, zip(frame.names, items, strict=True)))
        if len(items) == 1:
            return Some(items[0])
        if not self._unwrap_some:
            raise BadText(self._at, "expected a value in `Some(...)`")
        return Some(tuple(items) if items else UNIT)
