"""From text to values: `loads` and `load`, and `Document`, which knows where everything stands."""

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
"""One step into a value: a field's name, or the index of an item, entry or field."""

_BOM: Final = "\ufeff"
_UTF16_STARTS: Final = (b"\xff\xfe", b"\xfe\xff")
_BINARY_STARTS: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x1f\x8b")


class TextPosition(NamedTuple):
    """A place in a text: line and column counted from 1 (in characters), offset from 0."""

    line: int
    column: int
    offset: int


class Document:
    r"""A RON text and its value, able to tell where each part of the value stands.

    The value is read at once; positions are worked out by a second pass when the first one is
    asked for, so that a correct file does not pay for them.

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

    def position(self, *steps: PathSegment, key: bool = False) -> TextPosition:
        """Where the value at ``steps`` begins, or with ``key`` its field name or map key.

        Steps that lead nowhere stop at the last part that exists: a position is for an error
        message, and the nearest one is better than another error.
        """
        node = self._node(steps)
        if key and node.key is not None:
            node = node.key
        return position_of(self.text, node.start)

    def line_of(self, position: TextPosition) -> str:
        """The whole line that a position stands in, without its end."""
        return source_line(self.text, position.offset)

    def text_of(self, *steps: PathSegment) -> str:
        """The characters of the value at ``steps``, as they stand in the file."""
        node = self._node(steps)
        return self.text[node.start : node.end]

    def _node(self, steps: tuple[PathSegment, ...]) -> careful.Node:
        if self._root is None:
            _, self._root = careful.read(self.text)
        node = self._root
        for step in steps:
            if isinstance(step, str):
                # The last one of that name, as in looking up the value.
                matches = [i for i, name in enumerate(node.names) if name == step]
                index = matches[-1] if matches else -1
            else:
                index = step
            if not 0 <= index < len(node.items):
                break
            node = node.items[index]
        return node


def position_of(text: str, offset: int) -> TextPosition:
    """Line and column of an offset; lines end with a line feed, as in the reference reader."""
    line_start = text.rfind("\n", 0, offset) + 1
    return TextPosition(text.count("\n", 0, offset) + 1, offset - line_start + 1, offset)


def source_line(text: str, offset: int) -> str:
    """The whole line around an offset, without its end."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return text[start : len(text) if end < 0 else end].removesuffix("\r")


def parse(
    text: str | bytes | bytearray | memoryview, *, path: str | os.PathLike[str] | None = None
) -> Document:
    """Read a RON text into a `Document`.

    Time and memory grow in proportion to the text, whatever it holds, and a dozen free frames of
    Python's stack are enough for any nesting.

    Args:
        text: The text, or its UTF-8 bytes; a byte order mark in front is dropped and not counted.
        path: The name to show in errors.

    Raises:
        RonError: The text is not RON, or not UTF-8.

    Any thread.
    """
    shown_path = os.fsdecode(path) if path is not None else None
    text = _as_text(text, shown_path)
    value: Value
    try:
        at, extensions = careful.read_attributes(text)
        quickly = None if "unwrap_variant_newtypes" in extensions else quick.read(text, at)
        value = careful.read(text, nodes=False)[0] if quickly is None else quickly[0]
    except BadText as error:
        raise _located(error, text, shown_path) from None
    return Document(text, value, shown_path)


def loads(
    text: str | bytes | bytearray | memoryview, *, path: str | os.PathLike[str] | None = None
) -> Value:
    """Read a RON text: the value it stands for; see `parse` for arguments and errors."""
    return parse(text, path=path).value


def load(path: str | os.PathLike[str]) -> Value:
    """Read a RON file: the value it stands for.

    Raises:
        RonError: The file's content is not RON, or not UTF-8.
        OSError: The file cannot be read.

    Any thread but the game's main one, for it waits for the disk.
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
                # A lone surrogate could not be written to any file or bake again.
                bad = BadText(error.start, f"U+{ord(text[error.start]):04X} is no character")
                raise _located(bad, text, path) from None
        return text
    # bytes(5) would be five zeros; a memoryview takes buffers only, and says so.
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
