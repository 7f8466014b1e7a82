"""The Python types of RON values.

No information of the text is lost: ``Some(x)``, ``x`` and ``None`` differ, as do names and strings,
and duplicate keys are kept. Where Python has the same type, it is used as it is.

===============================  ==========================================================
RON                              Python
===============================  ==========================================================
``true`` ``7`` ``0.5``           ``bool`` ``int`` ``float``
``"text"`` ``b"bytes"``          ``str`` ``bytes``
``'c'``                          `Char`, a ``str`` of length one
``None`` ``Some(x)``             ``None`` `Some`
``()``                           `UNIT`
``[1, 2]``                       ``list``
``(1, 2)``                       ``tuple``
``Circle(1, 2)``                 `TupleStruct`
``(x: 1)`` ``Point(x: 1)``       `Struct`, its ``_name`` None or ``"Point"``
``{"a": 1}``                     `Map`
``North``                        `Ident`
``0..5`` ``0..=5``               `Range`
===============================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias, cast

__all__ = [
    "UNIT",
    "Char",
    "Ident",
    "Map",
    "Range",
    "Some",
    "Struct",
    "TupleStruct",
    "Unit",
    "Value",
    "new_map",
    "new_struct",
]

_new = object.__new__
_MISSING: Final = object()


class Char(str):
    """A RON character such as ``'c'``: a ``str`` of length one with a type of its own.

    It equals the same ``str`` (``Char("c") == "c"``), so that a dict finds it under either.
    ``isinstance(value, Char)`` tells the two apart, and `dumps` writes it as ``'c'``.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Char:
        """Makes a character; raises ValueError unless ``text`` has exactly one."""
        if len(text) != 1:
            raise ValueError(f"a Char is one character long, not {len(text)}: {text!r}")
        return str.__new__(cls, text)

    def __repr__(self) -> str:
        return f"Char({str.__repr__(self)})"


class Unit:
    """The type of `UNIT`, the RON value ``()``."""

    __slots__ = ()
    _instance: Unit | None = None

    def __new__(cls) -> Unit:
        """Returns `UNIT`, the only instance."""
        if cls._instance is None:
            cls._instance = _new(cls)
        return cls._instance

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNIT"

    def __reduce__(self) -> str:
        return "UNIT"


UNIT: Final = Unit()
"""The RON value ``()``."""


class Ident:
    """A bare name in RON: an enum variant such as ``North``, or a unit struct.

    `name` and ``str(ident)`` are its text. It never equals a ``str``: ``North`` is not ``"North"``.
    """

    __slots__ = ("name",)
    __match_args__ = ("name",)

    name: str

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return self.name == other.name if isinstance(other, Ident) else NotImplemented

    def __hash__(self) -> int:
        return hash((Ident, self.name))

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Ident({self.name!r})"


class Some:
    """An optional value that is present: ``Some(x)``, with ``x`` as `value`; not equal to ``x``."""

    __slots__ = ("value",)
    __match_args__ = ("value",)

    value: Value

    def __init__(self, value: Value) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return self.value == other.value if isinstance(other, Some) else NotImplemented

    def __hash__(self) -> int:
        return hash((Some, self.value))

    def __repr__(self) -> str:
        return f"Some({self.value!r})"


class Range:
    """A range of numbers: ``0..5``, ``0..=5``, or with an open end, ``..5`` and ``0..``."""

    __slots__ = ("end", "inclusive", "start")
    __match_args__ = ("start", "end", "inclusive")

    start: int | float | None
    end: int | float | None
    inclusive: bool

    def __init__(
        self, start: int | float | None, end: int | float | None, inclusive: bool = False
    ) -> None:
        self.start = start
        self.end = end
        self.inclusive = inclusive

    def _key(self) -> tuple[int | float | None, int | float | None, bool]:
        return self.start, self.end, self.inclusive

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Range) else NotImplemented

    def __hash__(self) -> int:
        return hash((Range, *self._key()))

    def __repr__(self) -> str:
        return f"Range({self.start!r}, {self.end!r}, inclusive={self.inclusive})"


class TupleStruct:
    """A tuple with a name, such as ``Circle(1, 2)``: a sequence with an attribute `name`.

    Example:
        >>> circle = TupleStruct("Circle", (1, 2))
        >>> circle.name, circle[0], len(circle), list(circle)
        ('Circle', 1, 2, [1, 2])
    """

    __slots__ = ("name", "values")
    __match_args__ = ("name", "values")

    name: str
    values: tuple[Value, ...]

    def __init__(self, name: str, values: Iterable[Value] = ()) -> None:
        self.name = name
        self.values = tuple(values)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Value:
        return self.values[index]

    def __iter__(self) -> Iterator[Value]:
        return iter(self.values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TupleStruct):
            return NotImplemented
        return self.name == other.name and self.values == other.values

    def __hash__(self) -> int:
        return hash((TupleStruct, self.name, self.values))

    def __repr__(self) -> str:
        return f"TupleStruct({self.name!r}, {self.values!r})"


class Struct:
    """A struct such as ``Point(x: 1, y: 2)``: named fields in the order of the text.

    Fields are items and attributes: ``point["x"]``, ``point.x``, ``"x" in point``. Iteration yields
    the field names. The struct's own attributes begin with an underscore, as in
    ``collections.namedtuple``, so that they never hide a field: `_name` (None for an unnamed
    struct), `_items()`, `_asdict()`, `_get()`.

    `_items()` keeps a field that is written twice; ``point["x"]`` returns its last value.
    """

    __slots__ = ("_fields", "_name", "_pairs")

    _name: str | None
    _fields: dict[str, Value]
    # All fields as written if a name is written twice, which `_fields` cannot hold; None otherwise.
    _pairs: tuple[tuple[str, Value], ...] | None

    def __init__(
        self,
        name: str | None = None,
        fields: Mapping[str, Value] | Iterable[tuple[str, Value]] = (),
    ) -> None:
        if isinstance(fields, Mapping):
            fields = cast("Mapping[str, Value]", fields).items()
        pairs = tuple(fields)
        self._name = name
        self._fields = dict(pairs)
        self._pairs = pairs if len(self._fields) < len(pairs) else None

    def _items(self) -> tuple[tuple[str, Value], ...]:
        """Returns name and value of every field, in the order of the text."""
        return tuple(self._fields.items()) if self._pairs is None else self._pairs

    def _asdict(self) -> dict[str, Value]:
        """Returns a new dict of the fields; of a field written twice it has the last value."""
        return dict(self._fields)

    def _get(self, name: str, default: Any = None) -> Any:
        """Returns the field's value, or ``default`` if the struct has no such field."""
        return self._fields.get(name, default)

    def __getitem__(self, name: str) -> Any:
        return self._fields[name]

    def __getattr__(self, name: str) -> Any:
        # Python calls this only for names that the class does not have. While a struct is being
        # unpickled its slots are empty, and reading `_fields` here would recurse without end.
        # Python looks up names like `__deepcopy__` to learn what an object can do; a field of that
        # name in a file must not be the answer.
        if name in Struct.__slots__ or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)
        try:
            return self._fields[name]
        except KeyError:
            names = ", ".join(self._fields) or "none"
            raise AttributeError(
                f"struct {self._name or '(unnamed)'} has no field {name!r}; it has: {names}"
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._items()])

    def __len__(self) -> int:
        return len(self._fields if self._pairs is None else self._pairs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Struct):
            return NotImplemented
        return (
            self._name == other._name
            and self._fields == other._fields
            and self._pairs == other._pairs
        )

    def __hash__(self) -> int:
        return hash((Struct, self._name, frozenset(self._fields.items())))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._items())
        return f"Struct({self._name!r}: {fields})" if self._name else f"Struct({fields})"


def new_struct(name: str | None, fields: dict[str, Value]) -> Struct:
    """Returns a struct that keeps the given dict without copying it; for the RON readers."""
    struct = _new(Struct)
    struct._name = name
    struct._fields = fields
    struct._pairs = None
    return struct


class Map:
    """A map such as ``{"a": 1}``: entries in the order of the text, with any value as a key.

    It reads like a dict: ``m["a"]``, ``m.get("a")``, ``"a" in m``, ``keys()``, ``values()``,
    ``items()``. Unlike in a dict, a key may be a list or another map; keys of different types
    (``1``, ``1.0``, ``true``; ``'a'``, ``"a"``) are different keys; and a key written twice is kept
    twice, where ``m["a"]`` returns the last value.
    """

    __slots__ = ("_index", "_keys", "_values")

    _keys: list[Value]
    _values: list[Value]
    _index: dict[Any, int] | None

    def __init__(self, entries: Mapping[Any, Value] | Iterable[tuple[Value, Value]] = ()) -> None:
        pairs = list(entries.items() if isinstance(entries, Mapping) else entries)
        self._keys = [key for key, _ in pairs]
        self._values = [value for _, value in pairs]
        self._index = None

    def keys(self) -> tuple[Value, ...]:
        """Returns all keys in the order of the text."""
        return tuple(self._keys)

    def values(self) -> tuple[Value, ...]:
        """Returns all values in the order of the text."""
        return tuple(self._values)

    def items(self) -> tuple[tuple[Value, Value], ...]:
        """Returns all entries in the order of the text."""
        return tuple(zip(self._keys, self._values, strict=True))

    def get(self, key: Any, default: Any = None) -> Any:
        """Returns the value under ``key``, or ``default`` if there is none."""
        position = self._find(key)
        return default if position is None else self._values[position]

    def _find(self, key: Any) -> int | None:
        index = self._index
        if index is None:
            # Built on the first look-up, because most maps are only iterated. Two threads may both
            # build it: the results are equal, and either may stay.
            index = {_identity(k): i for i, k in enumerate(self._keys)}
            self._index = index
        return index.get(_identity(key))

    def __getitem__(self, key: Any) -> Any:
        value = self.get(key, _MISSING)
        if value is _MISSING:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return self._find(key) is not None

    def __iter__(self) -> Iterator[Value]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Map):
            return NotImplemented
        if len(self) != len(other):
            return False
        mine = [(_identity(k), v) for k, v in self.items()]
        theirs = [(_identity(k), v) for k, v in other.items()]
        mine_by_key, theirs_by_key = dict(mine), dict(theirs)
        if len(mine_by_key) < len(mine):  # a key stands twice, so the order counts
            return mine == theirs
        return mine_by_key == theirs_by_key

    def __hash__(self) -> int:
        return hash((Map, frozenset((_identity(k), v) for k, v in self.items())))

    def __repr__(self) -> str:
        return f"Map({{{', '.join(f'{k!r}: {v!r}' for k, v in self.items())}}})"


def new_map(keys: list[Value], values: list[Value]) -> Map:
    """Returns a map that keeps the given lists without copying them; for the RON readers."""
    made = _new(Map)
    made._keys = keys
    made._values = values
    made._index = None
    return made


_Plain: TypeAlias = "bool | int | float | str | bytes | Unit | Ident | Range | None"
Value: TypeAlias = "_Plain | Some | list[Value] | tuple[Value, ...] | TupleStruct | Struct | Map"
"""Any value that a RON text can have."""


def _identity(key: Any) -> Any:
    """Returns a hashable stand-in for a map key; keys of different RON types have different ones.

    An instance of a subclass has that of its base: a ``StrEnum`` member finds its string.
    """
    kind = type(key)
    if kind is str or kind is int:
        return (kind, key)
    if isinstance(key, float):
        # NaN is one key here, as in RON; 0.0 and -0.0 are two.
        return (float, float.__repr__(key))
    if isinstance(key, str):
        return (Char if isinstance(key, Char) else str, str.__str__(key))
    if isinstance(key, int):
        return (bool if isinstance(key, bool) else int, int(key))
    if isinstance(key, list | tuple):
        return (
            list if isinstance(key, list) else tuple,
            tuple([_identity(item) for item in key]),
        )
    if isinstance(key, TupleStruct):
        return (TupleStruct, key.name, tuple([_identity(item) for item in key.values]))
    if isinstance(key, Struct):
        fields = [(name, _identity(item)) for name, item in key._items()]
        return (Struct, key._name, _unordered(fields))
    if isinstance(key, Map | dict):
        return (Map, _unordered([(_identity(k), _identity(item)) for k, item in key.items()]))
    if isinstance(key, Some):
        return (Some, _identity(key.value))
    if isinstance(key, Range):
        return (Range, _identity(key.start), _identity(key.end), key.inclusive)
    return (kind, key)


def _unordered(pairs: list[tuple[Any, Any]]) -> Any:
    """Returns pairs in a form whose equality ignores their order, unless a name occurs twice."""
    return frozenset(pairs) if len(dict(pairs)) == len(pairs) else tuple(pairs)
