"""From RON values to the fields of a component: what each type accepts, and what is wrong.

There is a `Converter` for each type: here those of single values, in `containers` those of values
that hold others. Its `lower` turns a RON value into plain data (dicts, lists,
strings, numbers) that JSON can hold and msgspec turns into the typed component; on the way it
reports everything that does not fit, each with its place.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from ..errors import PrefabError, UnknownNameError, shown
from ..ron import Char, Ident, Map, Range, Some, Struct, TupleStruct, Unit, Value
from .suggestions import did_you_mean

__all__ = [
    "At",
    "Checked",
    "Choice",
    "Converter",
    "Named",
    "Nothing",
    "Report",
    "Scalar",
    "kind_of",
    "mismatch",
    "number_text",
]

At: TypeAlias = "tuple[At | None, str | int, str]"
"""A place: the place around it, the step from there, and how the step reads (``.max``, ``[2]``)."""

Report: TypeAlias = "Callable[..., None]"
"""Takes a place and a message; optionally ``hint``, ``kind`` (error class) and ``key``."""

Checked: TypeAlias = "Callable[[str, str, At], str]"
"""Takes the kind of a name, the name and its place; gives its one spelling, or raises ValueError or
PrefabError."""


class Converter(ABC):
    """What one type accepts. Subclasses say how a value is lowered."""

    wanted = "a value"

    @abstractmethod
    def accepts(self, value: Value) -> bool:
        """Whether a union should take this alternative for ``value``; a look at its kind only."""

    @abstractmethod
    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        """``value`` as plain data; what does not fit is reported and stands in as None."""

    def advice(self, value: Value) -> str | None:
        """What to write instead of a value of the wrong kind, where that is likely."""
        return None

    def names(self, lowered: Any) -> Iterator[tuple[str, str]]:
        """Kind and name of everything in lowered data that names a file, prefab or class."""
        return iter(())


def kind_of(value: Value) -> str:
    """How an error names the kind of a RON value."""
    match value:
        case Ident():
            return f"the name `{shown(value.name)}`"
        case TupleStruct():
            return f"`{shown(value.name)}(...)`"
        case Struct():
            return "a struct" if value._name is None else f"`{shown(value._name)}(...)`"
        case Map():
            return "a map"
        case None:
            return "`None`"
        case Some():
            return "`Some(...)`"
        case Range():
            return "a range"
        case Unit():
            return "`()`"
        case list():
            return "a list"
        case tuple():
            return "a tuple"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number {number_text(value)}"
        case Char():
            return f"the character '{shown(value)}'"
        case str():
            return f'the text "{shown(value, _LONGEST_TEXT)}"'
    return "bytes"


def number_text(value: float) -> str:
    """A number as RON writes it, and no longer than a message can hold."""
    if isinstance(value, int):
        # Python refuses to write out numbers of thousands of digits.
        return str(value) if value.bit_length() <= _LONGEST_NUMBER else "of many digits"
    return "NaN" if math.isnan(value) else str(value)


def mismatch(converter: Converter, value: Value, at: At, report: Report) -> None:
    """Report a value of the wrong kind."""
    hint = _foreign_word(value) or converter.advice(value)
    report(at, f"expected {converter.wanted}, found {kind_of(value)}", hint=hint)


def _foreign_word(value: Value) -> str | None:
    """What to write for the words that other languages have for true, false and None."""
    word = value.name.casefold() if isinstance(value, Ident) else ""
    if word in ("true", "false"):
        return f"write `{word}`"
    return "write `None`" if word in ("none", "null", "nil") else None


# Text from a file, in characters, and whole numbers, in bits, that a message repeats.
_LONGEST_TEXT: Final = 40
_LONGEST_NUMBER: Final = 128
# From here on a float is no longer one whole number only.
_EXACT: Final = 2.0**53
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")


def _in_quotes(value: Ident) -> str:
    return f'text stands in quotes: "{shown(value.name)}"'


# How errors name what a field of that type accepts.
_WORDS: Final[dict[type, str]] = {
    bool: "`true` or `false`",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    bytes: 'bytes, such as b"abc"',
}


def _limited(word: str, limits: Mapping[str, Any]) -> str:
    """What is accepted within limits: ``a whole number from 0 to 255``."""
    parts = [
        _span(limits, "ge", "le", "from {} to {}", "of {} or more", "of at most {}"),
        _span(limits, "gt", "lt", "above {} and below {}", "above {}", "below {}"),
        f"a multiple of {limits['multiple_of']:g}" if "multiple_of" in limits else "",
    ]
    length = _span(limits, "min_length", "max_length", "{} to {}", "{} or more", "at most {}")
    if length:
        parts.append(f"of {length} {'bytes' if word.startswith('bytes') else 'characters'}")
    if "pattern" in limits:
        parts.append(f"that matches the pattern `{shown(limits['pattern'])}`")
    return f"{word} {' and '.join(filter(None, parts))}".rstrip()


def _span(
    limits: Mapping[str, Any], least: str, most: str, both: str, only_least: str, only_most: str
) -> str:
    low, high = limits.get(least), limits.get(most)
    if low is None and high is None:
        return ""
    if high is None:
        return only_least.format(f"{low:,g}")
    return only_most.format(f"{high:,g}") if low is None else both.format(f"{low:g}", f"{high:g}")


class Scalar(Converter):
    """bool, int, float, str or bytes, with the limits that ``msgspec.Meta`` gave it."""

    def __init__(self, base: type, limits: dict[str, Any]) -> None:
        self.base = base
        self.wanted = _limited(_WORDS[base], limits)
        self.limits = limits
        self.hint: Any = Annotated[base, msgspec.Meta(**limits)] if limits else base

    def __getstate__(self) -> dict[str, Any]:
        # msgspec.Meta cannot be pickled.
        return {name: value for name, value in vars(self).items() if name != "hint"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["base"], state["limits"])  # type: ignore[misc]
        self.wanted = state["wanted"]

    def advice(self, value: Value) -> str | None:
        if isinstance(value, Ident) and self.base is str:
            return _in_quotes(value)
        if isinstance(value, str) and self.base in (int, float) and _NUMBER.fullmatch(value):
            return f"numbers have no quotes: {value}"
        if (
            isinstance(value, float)
            and self.base is int
            and value.is_integer()
            and abs(value) < _EXACT
        ):
            return f"write `{number_text(int(value))}`"
        return None

    def accepts(self, value: Value) -> bool:
        kind = type(value)
        if self.base is float:
            return kind is float or kind is int
        return kind is self.base or (self.base is str and kind is Char)

    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        if type(value) is not self.base:
            if not self.accepts(value):
                return mismatch(self, value, at, report)
            value = str(value) if self.base is str else value
        if type(value) is float and not math.isfinite(value):
            # JSON has no word for them: they would come back as None.
            return report(at, f"expected a finite number, found {kind_of(value)}")
        if self.limits:
            try:
                msgspec.convert(value, self.hint)
            except msgspec.ValidationError:
                return mismatch(self, value, at, report)
        # JSON has no bytes; msgspec reads and writes them as base64.
        return msgspec.to_builtins(value) if type(value) is bytes else value


_NAMED: Final = {
    "prefab": "a prefab's id in quotes",
    "sprite_class": "a sprite class's name in quotes",
}


class Named(Converter):
    """A string that names something: a texture, a sound, a prefab, a sprite class."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.wanted = _NAMED.get(kind, f"a {kind}'s path in quotes")

    def advice(self, value: Value) -> str | None:
        return _in_quotes(value) if isinstance(value, Ident) else None

    def accepts(self, value: Value) -> bool:
        return isinstance(value, str)

    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        if not isinstance(value, str):
            return mismatch(self, value, at, report)
        try:
            return checked(self.kind, str(value), at)
        except PrefabError as error:
            return report(at, error.message, hint=error.hint, kind=type(error))
        except ValueError as error:
            return report(at, str(error))

    def names(self, lowered: Any) -> Iterator[tuple[str, str]]:
        yield self.kind, lowered


class Nothing(Converter):
    """The None of ``T | None``."""

    wanted = "None"

    def accepts(self, value: Value) -> bool:
        return value is None

    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        return None if value is None else mismatch(self, value, at, report)


class Choice(Converter):
    """An enum or Literal: a bare name, or the same text in quotes (or a number)."""

    def __init__(self, choices: dict[Any, Any], shown: list[str]) -> None:
        self.choices = choices
        self.shown = shown
        self.wanted = "one of " + ", ".join(shown)

    def accepts(self, value: Value) -> bool:
        return isinstance(value, Ident | str | int) and self._key(value) in self.choices

    def _key(self, value: Value) -> Any:
        return value.name if isinstance(value, Ident) else value

    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        if not isinstance(value, Ident | str | int):
            return mismatch(self, value, at, report)
        key = self._key(value)
        if isinstance(value, bool) or (key not in self.choices and str(key) in self.shown):
            return mismatch(self, value, at, report)  # the number 1 where "1" is wanted
        if key not in self.choices:
            hint = partial(did_you_mean, str(key), self.shown)
            message = f"`{shown(str(key))}` is no choice here"
            return report(at, message, hint=hint, kind=UnknownNameError)
        return self.choices[key]
