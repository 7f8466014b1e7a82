"""Reads RON's numbers, strings, characters and comments, for both readers.

Each function reads one literal at an offset and returns its value and the offset behind it. An
invalid literal raises `BadText`, which knows only the offset; `parse` adds file, line and column.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from ..errors import shown
from .values import Char, Range

__all__ = [
    "NUMBER_HINT",
    "BadText",
    "identifier_end",
    "raw_identifier_end",
    "read_char",
    "read_number",
    "read_string",
    "skip_blank",
]


NUMBER_HINT: Final = "numbers look like 12, -0.5, .5, 1e-3, 0xFF, 1_000"


class BadText(Exception):
    """The text is not RON at ``offset``, counted in characters from the start of the text."""

    def __init__(self, offset: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.hint = hint


class _NotInteger(BadText):
    """There is no integer here; if the number extends to ``float_end``, it may be a float."""

    def __init__(
        self, offset: int, message: str, float_end: float, hint: str | None = NUMBER_HINT
    ) -> None:
        super().__init__(offset, message, hint)
        self.float_end = float_end


# RON's white space is Unicode's Pattern_White_Space, which differs from str.isspace() and \s: both
# accept the no-break space, and neither accepts U+200E.
WHITE_SPACE: Final = " \t\n\r\x0b\x0c\x85\u200e\u200f\u2028\u2029"

_BLANK = re.compile(rf"(?:[{WHITE_SPACE}]++|//[^\n]*+)*+")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_ASCII_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*+")

_NEVER: Final = float("inf")

_FLOAT_WORD = re.compile(r"([+-]?)(inf|NaN)(f32|f64)?(?![A-Za-z0-9_])")
_FLOAT_RUN = re.compile(r"[0-9eE.+\-_]*+")
_INTEGER_RUN = re.compile(r"[0-9a-fA-F_]*+")
_INTEGER_SUFFIX = re.compile(r"([iu])(8|16|32|64)(?![A-Za-z0-9_])")
_FLOAT_SUFFIX = re.compile(r"f(32|64)(?![A-Za-z0-9_])")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BASES: Final = {"0x": 16, "0b": 2, "0o": 8}
_BASE_DIGITS: Final = {16: "0123456789abcdefABCDEF_", 2: "01_", 8: "01234567_", 10: "0123456789_"}

_HASHES_QUOTE = re.compile(r'(#*)"')
_STRING_STEP = re.compile(r'[^"\\]*+')
_SIMPLE_ESCAPES: Final = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "0": "\0",
    "\\": "\\",
    '"': '"',
    "'": "'",
}
_HEX_PAIR = re.compile(r"\\x([0-9A-Fa-f]{2})")
_UNICODE_ESCAPE = re.compile(r"\\u\{([0-9A-Fa-f]{1,6})\}")


def skip_blank(text: str, at: int) -> int:
    """Returns the offset of the first character that is no white space and in no comment."""
    while True:
        at = _blank_end(text, at)
        if not text.startswith("/", at):
            return at
        if not text.startswith("/*", at):
            raise BadText(at, "expected `//` or `/*`, found a lone `/`")
        opened, depth = at, 0
        while True:
            edge = _COMMENT_EDGE.search(text, at)
            if edge is None:
                line = text.count("\n", 0, opened) + 1
                column = opened - text.rfind("\n", 0, opened)
                message = f"block comment from {line}:{column} is never closed"
                raise BadText(len(text), message, "comments within a comment are closed, too: `*/`")
            at = edge.end()
            depth += 1 if edge.group() == "/*" else -1
            if depth == 0:
                break


def _blank_end(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None  # it matches the empty string
    return match.end()


def _continues_name(character: str) -> bool:
    """Returns whether a character may stand inside a name (Unicode XID_Continue)."""
    return ("a" + character).isidentifier()


def identifier_end(text: str, at: int) -> int:
    """Returns the offset behind the name at ``at``, or ``at`` if no name begins there."""
    match = _ASCII_NAME.match(text, at)
    end = match.end() if match else at
    if end == len(text) or text[end] < "\x80":
        return end
    if end == at and not text[at].isidentifier():
        return at
    while end < len(text) and _continues_name(text[end]):
        end += 1
    return end


def raw_identifier_end(text: str, at: int) -> int:
    """Returns the offset behind a raw name, the ``a-b`` of ``r#a-b``, that begins at ``at``."""
    end = at
    while end < len(text) and (text[end] in ".+-" or _continues_name(text[end])):
        end += 1
    return end


def _ends_word(text: str, at: int) -> bool:
    return at >= len(text) or not _continues_name(text[at])


# ---------------------------------------------------------------------------------------- numbers


def read_number(text: str, at: int) -> tuple[int | float | Range, int]:
    """Reads the number or range at ``at``; returns its value and the offset behind it."""
    start: int | float | None = None
    end = at
    if not text.startswith("..", at):
        start, end = _single_number(text, at)
        if not text.startswith("..", end):
            return start, end
    inclusive = text.startswith("..=", end)
    end += 3 if inclusive else 2
    if _starts_number(text, end):
        stop, end = _single_number(text, end)
        return Range(start, stop, inclusive), end
    word_end = _float_word(text, end)[1]
    if word_end > end:
        # RON 0.12 accepts `inf..1` and `1..+inf`, but not `1..inf`.
        hint = f"write it with a sign: `+{text[end:word_end]}`"
        raise BadText(end, f"a range cannot end in a bare `{text[end:word_end]}`", hint)
    if inclusive:
        raise BadText(end, "expected the end of the range behind `..=`")
    return Range(start, None, False), end


def _starts_number(text: str, at: int) -> bool:
    return text.startswith((*"0123456789+-.", "b'"), at)


def _float_word(text: str, at: int) -> tuple[float, int]:
    """Reads ``inf``, ``-NaN`` and the like; returns value and end, or 0.0 and ``at`` if none."""
    match = _FLOAT_WORD.match(text, at)
    if match is None or not _ends_word(text, match.end()):
        return 0.0, at
    return float(match.group(1) + match.group(2)), match.end()


def _single_number(text: str, at: int) -> tuple[int | float, int]:
    if text.startswith("b'", at):
        return _byte_literal(text, at)
    value, end = _float_word(text, at)
    if end > at:
        return value, end
    unsigned = at + 1 if text[at : at + 1] in ("+", "-") else at
    if _float_run_end(text, unsigned) > _integer_run_end(text, unsigned):
        return _float(text, at)
    try:
        return _integer(text, at, unsigned)
    except _NotInteger as integer_error:
        # `1e3` begins like an integer, and a decimal integer beyond 64 bits is read as a float.
        try:
            value, end = _float(text, at)
        except BadText:
            raise integer_error from None
        if end < integer_error.float_end:
            raise
        return value, end


def _float_run_end(text: str, at: int) -> int:
    match = _FLOAT_RUN.match(text, at)
    assert match is not None  # it matches the empty string
    dots = text.find("..", at, match.end())
    return match.end() if dots < 0 else dots


def _integer_run_end(text: str, at: int) -> int:
    match = _INTEGER_RUN.match(text, at)
    assert match is not None  # it matches the empty string
    return match.end()


def _float(text: str, at: int) -> tuple[float, int]:
    end = _float_run_end(text, at)
    digits = text[at:end]
    if "_" in digits:
        if digits.lstrip("+-").startswith("_") or "._" in digits:
            raise BadText(at, "a number cannot have `_` at its start or behind its point")
        digits = digits.replace("_", "")
    if _FLOAT.fullmatch(digits) is None:
        raise BadText(at, "expected a number", NUMBER_HINT)
    value = float(digits)
    suffix = _FLOAT_SUFFIX.match(text, end)
    if suffix is not None and _ends_word(text, suffix.end()):
        end = suffix.end()
        if suffix.group(1) == "32":
            value = _as_single(value)
    return value, end


def _as_single(value: float) -> float:
    """Returns the value rounded to 32 bits."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _integer(text: str, at: int, unsigned: int) -> tuple[int, int]:
    base = _BASES.get(text[unsigned : unsigned + 2], 10)
    first = unsigned if base == 10 else unsigned + 2
    end = _integer_run_end(text, first)
    digits = text[first:end]
    if not digits:
        raise _NotInteger(unsigned, "expected a number", _NEVER)
    if digits[0] == "_":
        raise _NotInteger(unsigned, "a number cannot begin with `_`", _NEVER)
    suffix = _INTEGER_SUFFIX.match(text, end)
    if suffix is not None and not _ends_word(text, suffix.end()):
        suffix = None
    wrong = digits.strip(_BASE_DIGITS[base])
    if wrong:
        message = f"invalid digit `{wrong[0]}` in a base {base} number"
        if base != 10:
            raise _NotInteger(at, message, _NEVER)
        offset = first + digits.index(wrong[0])
        raise _NotInteger(offset, message, offset)
    if suffix is None:
        lowest, highest, kind = -(2**63), 2**64 - 1, "64 bits"
    else:
        end = suffix.end()
        bits, kind = int(suffix.group(2)), f"`{suffix.group()}`"
        lowest, highest = 0, 2**bits - 1
        if suffix.group(1) == "i":
            lowest, highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    whole = digits.replace("_", "").lstrip("0") or "0"
    # No integer of 64 bits has more than 64 digits; int() raises for strings over 4,300 digits.
    value = int(whole, base) if len(whole) <= 64 else 2**64
    if text[at] == "-":
        value = -value
    if not lowest <= value <= highest:
        readable_as_float = base == 10 and suffix is None
        float_end = end if readable_as_float else _NEVER
        raise _NotInteger(at, f"the integer does not fit into {kind}", float_end, hint=None)
    return value, end


def _byte_literal(text: str, at: int) -> tuple[int, int]:
    inner = at + 2
    if text.startswith("\\", inner):
        piece, end = _escape(text, inner, binary=True, single=True)
        code = piece[0]
    elif inner < len(text) and text[inner] < "\x80" and text[inner] != "'":
        code, end = ord(text[inner]), inner + 1
    else:
        raise BadText(at, "expected one ASCII character in a byte literal such as b'a'")
    if not text.startswith("'", end):
        raise BadText(at, "expected one ASCII character in a byte literal such as b'a'")
    return code, end + 1


# ---------------------------------------------------------------------------------------- strings


def read_string(text: str, at: int) -> tuple[str | bytes, int]:
    """Reads the string or byte string at ``at``, raw or not; returns value and end."""
    binary = text[at] == "b"
    quote = at + 1 if binary else at
    if text.startswith("r", quote):
        opening = _HASHES_QUOTE.match(text, quote + 1)
        if opening is None:
            raise BadText(min(quote + 2, len(text)), 'expected `"` behind the `#` of a raw string')
        closing = '"' + opening.group(1)
        end = text.find(closing, opening.end())
        if end < 0:
            message = f"raw string is never closed, expected `{shown(closing)}`"
            raise BadText(opening.end(), message)
        content = text[opening.end() : end]
        return (content.encode() if binary else content), end + len(closing)
    # A buffer of bytes, because `\x` escapes stand for bytes. A list of pieces instead of one
    # buffer would need a hundred bytes for each piece.
    decoded = bytearray()
    position = quote + 1
    while True:
        step = _STRING_STEP.match(text, position)
        assert step is not None  # it matches the empty string
        end = step.end()
        if end == len(text):
            raise BadText(quote + 1, 'string is never closed, expected `"`')
        if not decoded and text[end] == '"':
            plain = step.group()
            return (plain.encode() if binary else plain), end + 1
        decoded += step.group().encode()
        if text[end] == '"':
            return (bytes(decoded) if binary else decoded.decode()), end + 1
        piece, position = _escape(text, end, binary=binary, single=False)
        decoded += piece


def read_char(text: str, at: int) -> tuple[Char, int]:
    """Reads the character literal at ``at``; returns it and the offset behind it."""
    inner = at + 1
    if inner >= len(text):
        raise BadText(inner, "expected a character behind `'`")
    if text[inner] == "\\":
        piece, end = _escape(text, inner, binary=False, single=True)
        value = piece.decode()
    else:
        value, end = text[inner], inner + 1
    if not text.startswith("'", end):
        raise BadText(
            at, "expected one character between single quotes", 'text goes in double quotes: "text"'
        )
    return Char(value), end + 1


def _escape(text: str, at: int, *, binary: bool, single: bool) -> tuple[bytes, int]:
    r"""Returns the UTF-8 bytes of the escape at ``at`` and the offset behind it.

    In a string, consecutive ``\x`` escapes may form the bytes of one character; in a character
    literal (``single``) they may not.
    """
    letter = text[at + 1 : at + 2]
    simple = _SIMPLE_ESCAPES.get(letter)
    if simple is not None:
        return simple.encode(), at + 2
    if letter == "u":
        return _unicode_escape(text, at, binary_literal=binary and single)
    if letter != "x":
        raise BadText(
            at,
            f"unknown escape `\\{shown(letter)}`",
            r"a backslash is written \\, and paths have `/`; there are "
            r"\n \r \t \0 \\ \" \' \xFF \u{FFFF}",
        )
    value = b""
    while True:
        pair = _HEX_PAIR.match(text, at)
        if pair is None:
            raise BadText(at, r"expected two hex digits as in `\x7F`")
        value += bytes.fromhex(pair.group(1))
        if binary:
            return value, at + 4
        try:
            value.decode()
        except UnicodeDecodeError:
            if single or len(value) == 4 or not text.startswith("\\x", at + 4):
                raise BadText(
                    at, r"these `\x` escapes are no UTF-8 character", r"write \u{…}"
                ) from None
            at += 4
        else:
            return value, at + 4


def _unicode_escape(text: str, at: int, *, binary_literal: bool) -> tuple[bytes, int]:
    if not text.startswith("\\u{", at):
        raise BadText(at, r"expected `{` as in `\u{1F600}`")
    match = _UNICODE_ESCAPE.match(text, at)
    if match is None:
        raise BadText(at + 2, r"expected one to six hex digits and `}` as in `\u{1F600}`")
    code, last = int(match.group(1), 16), match.end() - 1
    if binary_literal:
        raise BadText(last, r"a byte literal cannot hold a `\u` escape")
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise BadText(last, f"U+{code:04X} is no Unicode character")
    return chr(code).encode(), match.end()
