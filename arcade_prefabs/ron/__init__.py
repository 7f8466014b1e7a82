"""The RON language (Rusty Object Notation 0.12): text to values and back.

>>> from arcade_prefabs import ron
>>> crate = ron.loads('Crate(size: (32, 32), loot: Some("gold"), mood: Sturdy)')
>>> crate._name, crate.size, crate.loot, crate.mood
('Crate', (32, 32), Some('gold'), Ident('Sturdy'))

`loads` and `load` read, `dumps` and `dump` write. `parse` returns a `Document`, which also knows
the line and column of each value. Text that is not RON raises `RonError` with file, line and
column.
"""

from ..errors import RonError
from .document import Document, PathSegment, TextPosition, load, loads, parse
from .tagged import to_tagged
from .values import UNIT, Char, Ident, Map, Range, Some, Struct, TupleStruct, Unit, Value
from .writer import dump, dumps

__all__ = [
    "UNIT",
    "Char",
    "Document",
    "Ident",
    "Map",
    "PathSegment",
    "Range",
    "RonError",
    "Some",
    "Struct",
    "TextPosition",
    "TupleStruct",
    "Unit",
    "Value",
    "dump",
    "dumps",
    "load",
    "loads",
    "parse",
    "to_tagged",
]
