"""Converts RON values to nested dicts, lists and strings, to compare RON readers."""

from __future__ import annotations

from typing import Any

from .values import Char, Ident, Map, Range, Some, Struct, TupleStruct, Unit, Value

__all__ = ["to_tagged"]


def to_tagged(value: Value | dict[Any, Any]) -> dict[str, Any]:
    """Returns a value as plain dicts that name the type of each part and can be written as JSON.

    Two values are the same RON exactly if their tagged forms are equal. Names, order, duplicate
    keys and the type of each number count.

    Example:
        >>> to_tagged([1, Char("c")])
        {'t': 'seq', 'v': [{'t': 'int', 'v': '1'}, {'t': 'char', 'v': 'c'}]}

    Raises:
        TypeError: The value, or a part of it, is no RON value.
    """
    match value:
        case None:
            return {"t": "none"}
        case bool():
            return {"t": "bool", "v": value}
        case int():
            return {"t": "int", "v": str(value)}
        case float():
            return {"t": "float", "v": repr(value)}
        case Char():
            return {"t": "char", "v": str(value)}
        case str():
            return {"t": "str", "v": value}
        case bytes():
            return {"t": "bytes", "v": value.hex()}
        case Unit():
            return {"t": "unit"}
        case Some():
            return {"t": "some", "v": to_tagged(value.value)}
        case Ident():
            return {"t": "ident", "name": value.name}
        case list():
            return {"t": "seq", "v": [to_tagged(item) for item in value]}
        case tuple():
            return {"t": "tuple", "name": None, "v": [to_tagged(item) for item in value]}
        case TupleStruct():
            return {"t": "tuple", "name": value.name, "v": [to_tagged(item) for item in value]}
        case Struct():
            fields = [[name, to_tagged(item)] for name, item in value._items()]
            return {"t": "struct", "name": value._name, "v": fields}
        case Range():
            return {
                "t": "range",
                "inclusive": value.inclusive,
                "start": None if value.start is None else to_tagged(value.start),
                "end": None if value.end is None else to_tagged(value.end),
            }
        case Map() | dict():
            return {"t": "map", "v": [[to_tagged(k), to_tagged(v)] for k, v in value.items()]}
    raise TypeError(f"{type(value).__name__} is no RON value: {value!r}")
