"""Reads RON texts: `loads` and `load` return values, `parse` returns a `Document`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from ..errors import RonError
from . import fast_reader as quick
from . import positional_reader as careful
from .literals import BadText
from .values import Value

__all__ = ["Document", "PathSegment", "TextPosition", "load", "loads", "parse"]

PathSegment: TypeAlias = "str | int"
"""One step into a RON value: a field name, or the index of an item, a map entry or a field."""

_BOM: Final = "\ufeff"
_UTF16_STARTS: Final = (b"\xff\xfe", b"\xfe\xff")
_BINARY_STARTS: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x1f\x8b")


class TextPosition(NamedTuple):
    """A position in a text: line and column, counted from 1, and offset, from 0, in characters."""

    line: int
    column: int
    offset: int


class Document:
    r"""A RON text and its value, with the position of each part of the value.

    `parse` reads the value only. The first call that needs a position reads the text a second time
    and records them all, so that texts without errors do not pay for positions.

    Example:
        >>> document = parse('Crate(\n    size: 12,\n)', path="crate.ron")
        >>> document.value.size
        12
        >>> document.position("size")
        TextPosition(line=2, column=11, offset=17)
        >>> document.position("size", key=True).column
        5

    Any thread.
    """

    __slots__ = ("_root", "path", "text", "value")

    def __init__(self, text: str, value: Value, path: str | None) -> None:
        self.text = text
        self.value = value
        self.path = path
        self._root: careful.Node | None = None

    def position(self, *segments: PathSegment, key: bool = False) -> TextPosition:
        """Returns where the value at a path begins or, with ``key``, its field name or map key.

        If the path names something that does not exist, the position of the last part that exists
        is returned. Positions serve error messages, where the nearest one is better than a second
        error.
        """
        node = self._node(segments)
        if key and node.key is not None:
            node = node.key
        return position_of(self.text, node.start)

    def line_of(self, position: TextPosition) -> str:
        """Returns the whole line that contains a position, without its line break."""
        return source_line(self.text, position.offset)

    def text_of(self, *segments: PathSegment) -> str:
        """Returns the value at a path exactly as it is written in the file."""
        node = self._node(segments)
        return self.text[node.start : node.end]

    def _node(self, segments: tuple[PathSegment, ...]) -> careful.Node:
        if self._root is None:
            _, self._root = careful.read(self.text)
        node = self._root
        for segment in segments:
            if isinstance(segment, str):
                # The last field of that name, because `Struct` returns its value as well.
                matches = [i for i, name in enumerate(node.names) if name == segment]
                index = matches[-1] if matches else -1
            else:
                index = segment
            if not 0 <= index < len(node.items):
                break
            node = node.items[index]
        return node


def position_of(text: str, offset: int) -> TextPosition:
    """Returns line and column of an offset; only a line feed ends a line, as in Rust's reader."""
    line_start = text.rfind("\n", 0, offset) + 1
    return TextPosition(text.count("\n", 0, offset) + 1, offset - line_start + 1, offset)


def source_line(text: str, offset: int) -> str:
    """Returns the whole line that contains an offset, without its line break."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return text[start : len(text) if end < 0 else end].removesuffix("\r")


def parse(
    text: str | bytes | bytearray | memoryview, *, path: str | os.PathLike[str] | None = None
) -> Document:
    """Reads a RON text into a `Document`.

    Time and memory grow in proportion to the length of any text. Nested values use a stack of their
    own: a dozen free frames on Python's stack are enough for any depth.

    Args:
        text: The text, or its UTF-8 bytes. A byte order mark at the start is dropped and not
            counted in positions.
        path: The file name for error messages.

    Raises:
        RonError: The text is not RON, or not UTF-8.

    Any thread.
    """
    shown_path = os.fsdecode(path) if path is not None else None
    text = _as_text(text, shown_path)
    value: Value
    try:
        at, extensions = careful.read_attributes(text)
        result = None if "unwrap_variant_newtypes" in extensions else quick.read(text, at)
        value = careful.read(text, nodes=False)[0] if result is None else result[0]
    except BadText as error:
        raise _located(error, text, shown_path) from None
    return Document(text, value, shown_path)


def loads(
    text: str | bytes | bytearray | memoryview, *, path: str | os.PathLike[str] | None = None
) -> Value:
    """Reads a RON text and returns its value; arguments and errors are those of `parse`."""
    return parse(text, path=path).value


def load(path: str | os.PathLike[str]) -> Value:
    """Reads a RON file and returns its value.

    Raises:
        RonError: The file's content is not RON, or not UTF-8.
        OSError: The file cannot be read.

    Any thread but the game's main thread, because it waits for the disk.
    """
    return loads(Path(path).read_bytes(), path=path)


def _located(error: BadText, text: str, path: str | None) -> RonError:
    line, column, offset = position_of(text, error.offset)
    return RonError(
        error.message,
        path=path,
        line=line,
        column=column,
        source_line=source_line(text, offset),
        hint=error.hint,
    )


def _as_text(text: str | bytes | bytearray | memoryview, path: str | None) -> str:
    if isinstance(text, str):
        text = text.removeprefix(_BOM)
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                # A lone surrogate has no UTF-8 form, so the text could never be stored.
                bad = BadText(error.start, f"U+{ord(text[error.start]):04X} is no character")
                raise _located(bad, text, path) from None
        return text
    # bytes(5) would return five zero bytes; memoryview(5) raises a TypeError.
    data = text if isinstance(text, bytes) else bytes(memoryview(text))
    try:
        return data.decode().removeprefix(_BOM)
    except UnicodeDecodeError as error:
        raise _not_utf8(error, path) from None


def _not_utf8(error: UnicodeDecodeError, path: str | None) -> RonError:
    data = error.object
    before = data[: error.start].decode().removeprefix(_BOM)
    hint = "save the file as UTF-8"
    if data.startswith(_UTF16_STARTS):
        hint = "the file is UTF-16; save it as UTF-8"
    elif data.startswith(_BINARY_STARTS):
        hint = "this is a picture, an archive or another file that is no text"
    bad = BadText(len(before), f"byte 0x{data[error.start]:02X} is not UTF-8", hint)
    return _located(bad, before, path)
