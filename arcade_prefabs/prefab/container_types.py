"""Converters of types that contain others: lists, tuples, maps, dataclasses, unions, Any."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from ..errors import UnknownNameError, shown
from ..ron import Char, Ident, Map, Some, Struct, TupleStruct, Unit, Value
from .converters import At, Checked, Converter, Named, Report, Scalar, kind_of, mismatch
from .suggestions import did_you_mean

__all__ = ["Anything", "Dict", "Items", "Optional", "Record", "Tuple", "Union"]


# The longest text, in characters, that a hint quotes.
_SHORT = 40


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count:,} values"


class Items(Converter):
    """Converts a list, tuple or set of any length whose items have one type."""

    wanted = "a list"

    def __init__(self, item: Converter, least: int | None, most: int | None) -> None:
        self.item = item
        self.least = least or 0
        self.most = math.inf if most is None else most

    def advice(self, value: Value) -> str | None:
        if isinstance(value, str) and len(value) <= _SHORT and self.item.accepts(value):
            return f'write `["{value}"]`'
        return None

    def accepts(self, value: Value) -> bool:
        return isinstance(value, list | tuple | Unit)

    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        if isinstance(value, Unit):
            value = []
        if not isinstance(value, list | tuple):
            return mismatch(self, value, at, report)
        if not self.least <= len(value) <= self.most:
            wanted = self.wanted
            if wanted == Items.wanted:
                most = f" to {self.most}" if self.most < math.inf else " or more"
                wanted = f"a list of {self.least}{most} values"
            return report(at, f"expected {wanted}, found {_values(len(value))}")
        lower = self.item.lower
        return [lower(item, (at, i, f"[{i}]"), report, checked) for i, item in enumerate(value)]

    def names(self, lowered: Any) -> Iterator[tuple[str, str]]:
        for item in lowered or ():
            yield from self.item.names(item)


class Tuple(Converter):
    """Converts a tuple of a fixed length, such as ``(x, y)``."""

    def __init__(self, items: list[Converter]) -> None:
        self.items = items
        self.wanted = f"({', '.join(item.wanted.removeprefix('a ') for item in items)})"

    def accepts(self, value: Value) -> bool:
        return isinstance(value, list | tuple | Unit)

    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        if isinstance(value, Unit):
            value = ()
        if not isinstance(value, list | tuple):
            return mismatch(self, value, at, report)
        if len(value) != len(self.items):
            return report(at, f"expected {self.wanted}, found {_values(len(value))}")
        return [
            converter.lower(item, (at, i, f"[{i}]"), report, checked)
            for i, (converter, item) in enumerate(zip(self.items, value, strict=True))
        ]

    def names(self, lowered: Any) -> Iterator[tuple[str, str]]:
        for converter, item in zip(self.items, lowered or (), strict=False):
            yield from converter.names(item)


class Dict(Converter):
    """Converts a map; its keys are text, numbers or enum values."""

    wanted = "a map"

    def __init__(self, key: Converter, value: Converter) -> None:
        self.key = key
        self.value = value

    def accepts(self, value: Value) -> bool:
        return isinstance(value, Map)

    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        if not isinstance(value, Map):
            return mismatch(self, value, at, report)
        return _entries(value, at, report, self.key, self.value, checked)

    def names(self, lowered: Any) -> Iterator[tuple[str, str]]:
        for key, value in (lowered or {}).items():
            yield from self.key.names(key)
            yield from self.value.names(value)


_TEXT_KEY: Final = Scalar(str, {})


def _entries(
    entries: Map,
    at: At,
    report: Report,
    key_converter: Converter,
    value_converter: Converter,
    checked: Checked,
) -> dict[str, Any]:
    lowered: dict[str, Any] = {}
    for i, (key, item) in enumerate(entries.items()):
        if isinstance(key, Ident):
            key = key.name
        location = (
            at,
            i,
            f"[{shown(repr(key))}]" if isinstance(key, str | int | float) else f"[{i}]",
        )

        def report_key(_: At, message: str, location: At = location, **more: Any) -> None:
            report(location, message, **{**more, "key": True})

        name = key_converter.lower(key, location, report_key, checked)
        if name is None:
            continue
        # JSON's keys are text; msgspec turns them back into numbers where the type says so.
        text = name if isinstance(name, str) else str(name).lower()
        if text in lowered:
            report(location, f"the key {shown(repr(text))} stands twice", key=True)
        lowered[text] = value_converter.lower(item, location, report, checked)
    return lowered


class Record(Converter):
    """Converts a dataclass or msgspec Struct, written with field names or in their order."""

    def __init__(self, name: str, tag_field: str | None, tag: str | None) -> None:
        self.name = name
        # The field that tells Variants apart, and its value for this one; None for dataclasses.
        self.tag_field = tag_field
        self.tag = tag
        self.wanted = f"{name}(...)"
        # `compile_type` fills this after it has made the record, because a type may contain itself.
        self.fields: dict[str, Converter] = {}
        self.required: frozenset[str] = frozenset()
        # Whether anything inside has the type Any, whose data msgspec does not copy.
        self.has_any = False
        # The fields that can name a file, prefab or sprite class; computed on the first use.
        self._naming: dict[str, Converter] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_naming": None}

    def accepts(self, value: Value) -> bool:
        match value:
            case Struct():
                return value._name == self.name or (value._name is None and self.tag is None)
            case TupleStruct() | Ident():
                return value.name == self.name
        return False

    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        if not self.accepts(value):
            return mismatch(self, value, at, report)
        lowered = self.given(value, at, report, checked)
        missing = [name for name in self.fields if name in self.required and name not in lowered]
        if missing:
            names = ", ".join(f"`{name}`" for name in missing)
            report(at, f"missing field{'s' * (len(missing) > 1)} {names}")
        if self.tag_field is None:
            return lowered
        return {self.tag_field: self.tag, **lowered}

    def given(self, value: Value, at: At, report: Report, checked: Checked) -> dict[str, Any]:
        """Returns the fields that are written, converted; fields that are left out stay missing."""
        lowered: dict[str, Any] = {}
        match value:
            case Struct():
                for name, item in value._items():
                    converter = self.fields.get(name)
                    location = (at, name, f".{name}")
                    if converter is None:
                        hint = partial(did_you_mean, name, self.fields)
                        message = f"unknown field `{shown(name)}`"
                        report(location, message, hint=hint, kind=UnknownNameError, key=True)
                    elif name in lowered:
                        report(location, f"the field `{name}` stands twice", key=True)
                    else:
                        lowered[name] = converter.lower(item, location, report, checked)
            case TupleStruct():
                if len(value) > len(self.fields):
                    fields = f"{len(self.fields)} field{'s' * (len(self.fields) != 1)}"
                    message = f"{self.name} has {fields}, found {_values(len(value))}"
                    report(at, message, hint=f"in order: {', '.join(self.fields) or 'none'}")
                pairs = zip(self.fields.items(), value, strict=False)
                for i, ((name, converter), item) in enumerate(pairs):
                    lowered[name] = converter.lower(item, (at, i, f".{name}"), report, checked)
        return lowered

    def names(self, lowered: Any) -> Iterator[tuple[str, str]]:
        if self._naming is None:
            self._naming = {
                name: converter
                for name, converter in self.fields.items()
                if _can_name(converter, [])
            }
        for name, converter in self._naming.items():
            value = lowered.get(name)
            if value is not None:
                yield from converter.names(value)


def _can_name(converter: Converter, inside: list[Converter]) -> bool:
    """Returns whether data of a converter can name a file, prefab or sprite class.

    Args:
        converter: The converter.
        inside: The converters around it.
    """
    if any(converter is outer for outer in inside):
        return False  # a type inside itself: the other fields of the outer one decide
    inside = [*inside, converter]
    match converter:
        case Named():
            return True
        case Items():
            return _can_name(converter.item, inside)
        case Tuple():
            return any(_can_name(item, inside) for item in converter.items)
        case Dict():
            return _can_name(converter.key, inside) or _can_name(converter.value, inside)
        case Union():
            return any(_can_name(choice, inside) for choice in converter.converters)
        case Record():
            return any(_can_name(field, inside) for field in converter.fields.values())
    return False


class Union(Converter):
    """Converts a value of one of several types; the value's kind decides which."""

    def __init__(self, converters: list[Converter]) -> None:
        self.converters = converters
        self.wanted = " or ".join(one.wanted for one in converters)
        records = [one for one in converters if isinstance(one, Record)]
        self.by_tag = {
            converter.tag: converter for converter in records if converter.tag is not None
        }

    def advice(self, value: Value) -> str | None:
        if isinstance(value, str) and value in self.by_tag:
            return f"no quotes: `{value}(...)`"
        return next(filter(None, (converter.advice(value) for converter in self.converters)), None)

    def accepts(self, value: Value) -> bool:
        return any(converter.accepts(value) for converter in self.converters)

    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        for converter in self.converters:
            if converter.accepts(value):
                return converter.lower(value, at, report, checked)
        name = value._name if isinstance(value, Struct) else getattr(value, "name", None)
        if name is not None and self.by_tag:
            hint = partial(did_you_mean, name, self.by_tag)
            message = f"`{shown(name)}` is no choice here"
            return report(at, message, hint=hint, kind=UnknownNameError)
        return mismatch(self, value, at, report)

    def names(self, lowered: Any) -> Iterator[tuple[str, str]]:
        if isinstance(lowered, dict) and self.by_tag:
            converters: list[Converter] = [
                converter
                for tag, converter in self.by_tag.items()
                if lowered.get(converter.tag_field) == tag
            ]
        elif isinstance(lowered, str):
            converters = [
                converter for converter in self.converters if isinstance(converter, Named)
            ]
        elif isinstance(lowered, list):
            converters = [
                converter for converter in self.converters if isinstance(converter, Items | Tuple)
            ]
        else:
            converters = [
                converter for converter in self.converters if isinstance(converter, Dict | Record)
            ]
        for converter in converters:
            yield from converter.names(lowered)


class Optional(Union):
    """Converts a value of ``T | None``, written as ``Some(x)``, ``x`` or ``None``."""

    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        if isinstance(value, Some):
            return super().lower(value.value, (at, 0, ""), report, checked)
        return super().lower(value, at, report, checked)


class Anything(Converter):
    """Converts any RON value for a field of type Any: names become text, ranges are errors."""

    def accepts(self, value: Value) -> bool:
        return True

    def lower(self, value: Value, at: At, report: Report, checked: Checked) -> Any:
        def inner(item: Value, step: str | int, text: str) -> Any:
            return self.lower(item, (at, step, text), report, checked)

        match value:
            case float() if not math.isfinite(value):
                return report(at, f"expected a finite number, found {kind_of(value)}")
            case Char():
                return str(value)
            case None | bool() | int() | float() | str():
                return value
            case Ident():
                return value.name
            case Unit():
                return None
            case Some():
                return inner(value.value, 0, "")
            case list() | tuple():
                return [inner(item, i, f"[{i}]") for i, item in enumerate(value)]
            case Struct():
                fields = {name: inner(item, name, f".{name}") for name, item in value._items()}
                return fields if value._name is None else {"type": value._name, **fields}
            case TupleStruct():
                items = [inner(item, i, f"[{i}]") for i, item in enumerate(value)]
                return {"type": value.name, "values": items}
            case Map():
                return _entries(value, at, report, _TEXT_KEY, self, checked)
        return report(at, f"expected data that JSON can hold, found {kind_of(value)}")
