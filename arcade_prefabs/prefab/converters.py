"""Converts RON values to plain data, as the type of a component's field requires, and checks them.

**Problem.** The content of a prefab file has three users: a worker process checks it, the bake
store keeps it as JSON, and a loader thread makes components of it. The worker process must not
import the game, so it has no component classes. Authors need the line and column of every mistake
in a file, not only of the first one, and hints in the words of RON.

**Way taken.** `compile_type` turns each field type into a `Converter`. Converters are plain objects
that can be pickled, so a worker process gets them in a `RegistryDescription` instead of the
classes. `Converter.lower` turns a RON value into data that JSON can hold (dicts, lists, strings,
numbers) and reports each part that does not fit, with its location. msgspec later fills the
component class with this data, in C.

This module has the converters of single values, `container_types` those of lists, maps, dataclasses
and unions.

**Rejected.** ``msgspec.convert`` directly on RON values: it stops at the first mistake, knows no
locations, speaks of JSON, and needs the classes.
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
"""The location of a value in a file, as a linked list from the inside out: the location of the
value around it, the path segment from there, and the segment's text for messages (``.max``,
``[2]``). `ErrorCollector` turns it into line and column when there is an error."""

Report: TypeAlias = "Callable[..., None]"
"""Records an error: takes a location and a message; optionally ``hint``, ``kind`` (the error class)
and ``key`` (the caret is under the field name); see `ErrorCollector.report`."""

Checked: TypeAlias = "Callable[[str, str, At], str]"
"""Checks a name in a file: takes its kind (``texture``, ``prefab``...), the name and its location;
returns the normalised name, or raises ValueError or PrefabError."""


class Converter(ABC):
    """Checks and converts the RON values of one type; subclasses implement `accepts` and `lower`.

    `wanted` is the type's name in messages: "expected a whole number, found ...".
    """

    wanted = "a value"

    @abstractmethod
    def accepts(self, value: Value) -> bool:
        """Returns whether a union should choose this converter, judged by the value's kind only."""

    @abstractmethod
    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        """Returns the value as plain data; parts that do not fit are reported and become None."""

    def advice(self, value: Value) -> str | None:
        """Returns a hint about what to write instead of a value of the wrong kind, or None."""
        return None

    def names(self, lowered: Any) -> Iterator[tuple[str, str]]:
        """Yields kind and name of each file, prefab and sprite class that converted data names."""
        return iter(())


def kind_of(value: Value) -> str:
    """Returns how messages name a RON value: ``the number 3``, ``a list``."""
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
    """Returns a number as RON writes it, or "of many digits" for a very long one."""
    if isinstance(value, int):
        # str() raises ValueError for integers of more than 4,300 digits.
        return str(value) if value.bit_length() <= _LONGEST_NUMBER else "of many digits"
    return "NaN" if math.isnan(value) else str(value)


def mismatch(converter: Converter, value: Value, at: At, report: Report) -> None:
    """Reports a value of the wrong kind."""
    hint = _foreign_word(value) or converter.advice(value)
    report(at, f"expected {converter.wanted}, found {kind_of(value)}", hint=hint)


def _foreign_word(value: Value) -> str | None:
    """Returns what to write instead of another language's word for true, false or None."""
    word = value.name.casefold() if isinstance(value, Ident) else ""
    if word in ("true", "false"):
        return f"write `{word}`"
    return "write `None`" if word in ("none", "null", "nil") else None


# The longest text, in characters, and the largest integer, in bits, that a message quotes.
_LONGEST_TEXT: Final = 40
_LONGEST_NUMBER: Final = 128
# From 2**53 on, different integers have the same float.
_EXACT: Final = 2.0**53
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")


def _in_quotes(value: Ident) -> str:
    return f'text stands in quotes: "{shown(value.name)}"'


# How messages name the types of single values.
_WORDS: Final[dict[type, str]] = {
    bool: "`true` or `false`",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    bytes: 'bytes, such as b"abc"',
}


def _limited(word: str, limits: Mapping[str, Any]) -> str:
    """Returns a type's name for messages, with its limits: ``a whole number from 0 to 255``."""
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
    """Converts bool, int, float, str or bytes, and checks the limits of their ``msgspec.Meta``."""

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
            # JSON has no infinity and no NaN: msgspec would write null.
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
    """Converts a string that names a texture, a sound, a prefab or a sprite class."""

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
    """Accepts only None, as the None of ``T | None``."""

    wanted = "None"

    def accepts(self, value: Value) -> bool:
        return value is None

    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        return None if value is None else mismatch(self, value, at, report)


class Choice(Converter):
    """Converts a value of an enum or Literal: a bare name, the name in quotes, or a number."""

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
            return mismatch(self, value, at, report)  # for example the number 1 instead of "1"
        if key not in self.choices:
            hint = partial(did_you_mean, str(key), self.shown)
            message = f"`{shown(str(key))}` is no choice here"
            return report(at, message, hint=hint, kind=UnknownNameError)
        return self.choices[key]
