"""Rows of the bake store at the door: SQLite keeps any type in any column.

Tables that refuse other types (``STRICT``) ask for SQLite 3.37, which the Python of RHEL 9 has not,
and would hold back neither a flipped bit nor a file that somebody made to be opened.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import orjson

from ...errors import LocatedError
from ..model.bake_result import error_from

__all__ = ["errors_of", "typed"]

_T = TypeVar("_T")


def typed(row: tuple[Any, ...], kind: type[_T]) -> _T:
    """A row as what it has to be: a named tuple, or ``tuple[int, str]``.

    Raises:
        msgspec.ValidationError: It holds something else. `BakeStore.reading` makes of that an error
            that names the store, so read rows inside of it.
    """
    # Without `bytes` in there, text would be taken for bytes in base64.
    return msgspec.convert(row, kind, builtin_types=(bytes,))


def errors_of(text: str | None) -> list[LocatedError]:
    """The errors that a row keeps as JSON.

    Raises:
        msgspec.ValidationError: It is no list of records, see `typed`.
    """
    if text is None:
        return []
    try:
        records = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise msgspec.ValidationError(f"the errors of an asset are no JSON: {error}") from error
    msgspec.convert(records, list[_Record])
    return [error_from(record) for record in records]


class _Record(msgspec.Struct):
    """What every record of an error has."""

    type: str
    message: str
