"""Finds hints for RON errors: which mistake the author probably made, and what to write instead.

The rules cover the habits of people who know JSON, Python, Rust or Godot.

A reader stops where no valid RON can follow, often far behind the mistake: a string without its
closing quote ends at the opening quote of the next string. The error keeps the position where the
reader stopped, as Rust's reader reports it; the hint names the mistake and, if that is in another
line, its line.

A wrong hint costs the author more time than none. So each rule checks the text around the error,
and the rule about missing commas, which fits nearly every error, comes last.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

from ..errors import shown
from .literals import BadText, skip_blank
from .values import Char, Ident, Value

__all__ = ["OpenBracket", "hash_hint", "hint_for"]

# How many characters around an error the rules look at.
_NEAR: Final = 200
_NAME_BEFORE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[ \t]*\Z")
_DECIMAL_COMMA_BEFORE: Final = re.compile(r"[0-9],\Z")
_LAST_MARK_BEFORE: Final = re.compile(r"([^\s])\s*\Z")
_UNIT: Final = re.compile(r"[A-Za-z_%°][A-Za-z0-9_]{0,20}")
_SIGNED_WORD: Final = re.compile(r"([+-])[ \t]*(inf|nan)[a-z]*\b", re.IGNORECASE)
_HEX_COLOR: Final = re.compile(r"#(?:([0-9A-Fa-f]{3,4})|([0-9A-Fa-f]{6}|[0-9A-Fa-f]{8}))\b")
_SUM: Final = re.compile(r"[0-9][0-9.]{0,20}[-+][0-9]")
_DASHED_NAME: Final = re.compile(r"(?:-[A-Za-z0-9_]+)+[ \t]*:")
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*[ \t]*:")
_TEXT_STARTS: Final = ('"', "'", 'b"', "b'", 'r"', 'r#"', "r##", 'br"', "br#")
_CONFLICT: Final = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")

_QUOTES: Final = 'text stands in straight double quotes: "text"'
_PATH: Final = 'text, such as a path, stands in double quotes: "folder/file.png"'
_COLON: Final = "a field is written with a colon: `name: value`"
_COMMENT: Final = "comments begin with `//`"
_MAP: Final = "a map is `{key: value}`; a list is `[1, 2]`"
_MIXED: Final = "in one pair of brackets either every field has a name or none has"
_ONE_VALUE: Final = "a file holds one value, such as `Name(field: value)`; several stand in a list"
_NO_SUMS: Final = "nothing is calculated: write the result"
_NO_CODE: Final = "a file holds values and calls nothing: write the value itself"

_FOREIGN_FILES: Final = {
    "version https://git-lfs.github.com/spec/": "this is a pointer of Git LFS and not the file "
    "itself: run `git lfs pull`",
    "<": "this looks like XML",
    "[gd_": "this looks like a file of Godot",
    "---\n": "this looks like YAML",
    "%YAML": "this looks like YAML",
    "%PDF": "this is a PDF file",
    "PK\x03\x04": "this is a zip file",
    "\x89PNG": "this is a PNG picture",
    "SQLite format 3": "this is an SQLite database",
}
_BY_CHARACTER: Final = {
    "`": _QUOTES,
    "=": _COLON,
    "\\": _PATH,
    "$": _QUOTES,
    "&": "leave out the `&`",
    "*": _NO_SUMS,
    "!": _NO_CODE,
    "\0": "this is no text, or text in another encoding: save it as UTF-8",
    "\ufeff": "a byte order mark is taken at the start of a file, once: delete it",
    "\u2212": "this is a typographic minus: write `-`",
    "\u2013": "this is a typographic dash: write `-`",
    "\u2014": "this is a typographic dash: write `-`",
    **dict.fromkeys(
        "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\xab\xbb\u2039\u203a", _QUOTES
    ),
}


class OpenBracket(NamedTuple):
    """The innermost bracket that was open when a reader stopped, with its contents so far.

    Attributes:
        at: Offset of the bracket.
        opener: The bracket.
        closer: The bracket that closes it.
        name: The struct name in front of the bracket, or None.
        items: The values inside the bracket so far.
        names: The field names of the values for a struct; None otherwise.
        after_key: Whether the reader stopped because the colon behind a map's key is missing.
    """

    at: int
    opener: str
    closer: str
    name: str | None
    items: Sequence[Value]
    names: Sequence[str] | None
    after_key: bool


def hint_for(
    text: str, at: int, cursor: int, bracket: OpenBracket | None, last: tuple[int, int] | None
) -> str | None:
    """Returns a hint for the error at an offset, or None if no rule fits.

    Args:
        text: The whole text.
        at: Offset of the error.
        cursor: Offset of the value that was being read; less than ``at`` for an error within a
            string.
        bracket: The innermost open bracket, or None outside of all brackets.
        last: Start and end of the last complete value, or None if there is none.
    """
    whole_file = _file_hint(text)
    if whole_file is not None or (cursor < at and text.startswith(_TEXT_STARTS, cursor)):
        return whole_file
    # Whether the error is behind a complete value, where a comma or bracket should follow.
    behind = last is not None and _blank_between(text, last[1], at)
    return (
        _line_hint(text, at)
        or (_behind_text(text, at, *last) if behind and last is not None else None)
        or _mark_hint(text, at, bracket, behind)
        or _bracket_hint(text, at, bracket)
        or _missing_comma(text, at, bracket, behind)
    )


def _blank_between(text: str, start: int, at: int) -> bool:
    try:
        return skip_blank(text, start) == at
    except BadText:  # a lone slash
        return False


def hash_hint(text: str, at: int) -> str:
    """Returns what to write instead of the ``#`` at an offset."""
    color = _HEX_COLOR.match(text, at)
    if color is not None:
        short, long = color.groups()
        digits = long or "".join(2 * digit for digit in short)
        return f"a color is written as numbers from 0 to 255: {tuple(bytes.fromhex(digits))}"
    if re.compile(r"#\s*\[\s*(?:enable|type|schema)\b").match(text, at):
        return "an attribute has a `!`: `#![...]`"
    if re.compile(r"#\s*!?\s*\[").match(text, at):
        return "there are no attributes but `#![enable(...)]`, `#![type = ...]`, `#![schema = ...]`"
    return _COMMENT


def _file_hint(text: str) -> str | None:
    """Returns which kind of file this is, if it is obviously no RON."""
    for start, kind in _FOREIGN_FILES.items():
        if text.startswith(start):
            return kind if kind.endswith("`") else f"{kind}: is it in the right folder?"
    if "\0" in text[:_NEAR]:
        return _BY_CHARACTER["\0"]
    return None


def _line_hint(text: str, at: int) -> str | None:
    """Returns a hint for lines that are no RON: marks of a Git conflict, and ``--`` comments."""
    start = text.rfind("\n", 0, at) + 1
    line = text[start : start + _NEAR]
    if line.startswith(_CONFLICT):
        return "Git left both sides of a merge here: keep one, and delete the lines between them"
    if line.startswith("--") and start == at:
        return _COMMENT
    return None


def _behind_text(text: str, at: int, start: int, end: int) -> str | None:
    """Returns a hint for characters that follow a string without a blank between them.

    Most likely they belong to the string: it contains a quote, or its closing quote is missing.
    """
    if at != end or at >= len(text) or text[end - 1] != '"' or text[start] not in '"br':
        return None
    if text.startswith('"""', start):
        return 'text over several lines stands in one pair of quotes: "text"'
    if "\n" in text[start:end]:
        line = text.count("\n", 0, start) + 1
        begins = shown(text[start : text.find("\n", start)].rstrip())
        return f"the text in line {line} has no closing quote: {begins}"
    if text[at] == "." and text[start] == '"':
        return _NO_CODE
    if text[at] in ":=":
        return None
    return r'quotes within a text are written `\"`, or the text stands in r#"..."#'


def _mark_hint(text: str, at: int, bracket: OpenBracket | None, behind: bool) -> str | None:
    """Returns what to write instead of the character where the reader stopped."""
    found = text[at : at + 1]
    if not found:
        return None
    near = text[max(0, at - _NEAR) : at]
    before = _NAME_BEFORE.search(near)
    if found == "#":
        return hash_hint(text, at)
    if found == "/":
        # Behind a number it is a division, behind anything else part of a path.
        return _NO_SUMS if re.search(r"[0-9)] *\Z", near) else _PATH
    if text.startswith(("->", "=>"), at):
        return _COLON
    if found == "-" and before and (dashed := _DASHED_NAME.match(text, at)):
        name = (before.group(1) + dashed.group().rstrip(": \t")).replace("-", "_")
        return f"a name has no `-`: write `{shown(name)}`"
    if found in "+-" and behind:
        return (
            "texts are not joined: write them as one" if near.rstrip().endswith('"') else _NO_SUMS
        )
    if _SUM.match(text, at):
        return _NO_SUMS
    signed = _SIGNED_WORD.match(text, at - 1 if near.endswith(("+", "-")) else at)
    if signed is not None:
        sign = signed.group(1).replace("+", "")
        return f"write `{sign}{'NaN' if signed.group(2).lower() == 'nan' else 'inf'}`"
    if before and text.startswith("::", at):
        return "write only the part behind `::`"
    if before and found == ".":
        return "write only the part behind the `.`; text stands in double quotes"
    if before and found in "[{":
        return f"a name is followed by round brackets: `{shown(before.group(1))}(...)`"
    if before and found == "(" and before.group(1) in ("None", "true", "false"):
        return f"write `{before.group(1)}` without brackets"
    if before and found == '"' and near.endswith(before.group(1)):
        return f"leave out the `{shown(before.group(1))}` in front of the quote"
    if found == ":":
        return _colon_hint(text, at, bracket, before is not None)
    if found == ";":
        return "a comma separates fields and items" if bracket else "leave out the `;` at the end"
    if found == ",":
        return _comma_hint(near, bracket)
    unit = _UNIT.match(text, at)
    if unit and re.search(r"[0-9.]\Z", near) and behind:
        return f"a number has no unit or ending: leave out `{unit.group()}`"
    if found in _BY_CHARACTER:
        return _BY_CHARACTER[found]
    return _look_alike(found)


def _look_alike(found: str) -> str | None:
    """Returns what to do about a character that is invisible or looks like another one."""
    plain = unicodedata.normalize("NFKC", found)
    if found == "\xa0" or (plain == " " and found != " "):
        return "this is an unusual blank, which word processors write: type it anew"
    if plain != found and plain.isascii() and plain.isprintable():
        return f"this only looks like `{plain}`: type it anew"
    if unicodedata.category(found) in ("Cf", "Cc", "Co", "Cn"):
        return "this character is invisible: delete it"
    return None


def _colon_hint(text: str, at: int, bracket: OpenBracket | None, named: bool) -> str | None:
    if text.startswith("://", at) or text.startswith(":\\", at):
        return _PATH
    if bracket is None:
        return "fields stand in brackets: `Name(field: value)`"
    if text.startswith("::", at - 1) or text.startswith("::", at):
        return "one colon stands between a field and its value"
    last = bracket.items[-1] if bracket.items else None
    if bracket.opener == "[":
        if "\n" in text[bracket.at : at]:
            return _not_closed(text, bracket)
        return "items of a list have no names; `{key: value}` is a map, `(name: value)` has fields"
    if bracket.opener != "(" or bracket.names is not None:
        return None
    if isinstance(last, str) and not isinstance(last, Char) and last.isidentifier():
        return f"names of fields have no quotes: `{shown(last)}: ...`"
    if isinstance(last, Ident) and named:
        return _MIXED
    return "a field's name is a word without quotes: `name: value`" if last is not None else None


def _comma_hint(near: str, bracket: OpenBracket | None) -> str | None:
    if bracket is None:
        return _ONE_VALUE
    mark = _LAST_MARK_BEFORE.search(near)
    before = mark.group(1) if mark else ""
    if before == ",":
        return "two commas follow each other: leave one out"
    if before == ":":
        return "a value is missing in front of the comma"
    if before == bracket.opener:
        return "nothing stands in front of the comma: leave it out"
    return _MAP if bracket.after_key else None


def _bracket_hint(text: str, at: int, bracket: OpenBracket | None) -> str | None:
    """Returns what is wrong with the brackets, for errors at a closing one or the text's end."""
    found = text[at : at + 1]
    if found not in ("", ")", "]", "}"):
        return None
    if bracket is None:
        if found:
            return "no bracket is open here for it to close: is it one too many?"
        return None if text.strip() else "the file is empty"
    if found == bracket.closer:
        mark = _LAST_MARK_BEFORE.search(text[max(0, at - _NEAR) : at])
        if mark and mark.group(1) == ":":
            return "a value is missing behind the colon"
        if bracket.after_key:
            return _MAP
        return None
    return _not_closed(text, bracket)


def _not_closed(text: str, bracket: OpenBracket) -> str:
    line = text.count("\n", 0, bracket.at) + 1
    return f"`{shown(bracket.name or '')}{bracket.opener}` in line {line} is not closed"


def _missing_comma(text: str, at: int, bracket: OpenBracket | None, behind: bool) -> str | None:
    """Returns what may be missing in front of the value at which the reader stopped."""
    found = text[at : at + 1]
    if bracket is None:
        return _ONE_VALUE if behind and found else None
    near = text[max(0, at - _NEAR) : at]
    if bracket.names is not None and len(bracket.items) == len(bracket.names):
        # Behind a comma, where the name of the next field should be.
        if _DECIMAL_COMMA_BEFORE.search(near):
            return "decimals have a point: 0.5"
        if near.rstrip().endswith(","):
            return _MIXED
    if not found or not behind or not (found.isalnum() or found in "_\"'([{"):
        return None
    if bracket.after_key:
        return "is a `:` missing in front of it?"
    may_be_field = bracket.names is None and bracket.opener == "("
    if bracket.items and may_be_field and isinstance(bracket.items[-1], Ident):
        return "is a `:` or a comma missing in front of it?"
    word = _FIELD.match(text, at)
    if bracket.items and isinstance(bracket.items[-1], Ident) and not word and found.isalpha():
        return 'is a comma missing in front of it? Text stands in double quotes: "two words"'
    return "is a comma missing in front of it?"
