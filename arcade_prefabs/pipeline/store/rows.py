"""Checks the types of rows, because SQLite keeps values of any type in any column.

Tables with checked types (``STRICT``) need SQLite 3.37, which is newer than that of RHEL 9's
Python, and would not find a flipped bit or a forged file.
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
    """Returns a row as a named tuple or a ``tuple[int, str]``, after checking its types.

    Raises:
        msgspec.ValidationError: A value has another type. Inside of `BakeStore.reading` this
        becomes an
            error with the store's path.
    """
    # Without `builtin_types`, msgspec would read text as bytes in base64.
    return msgspec.convert(row, kind, builtin_types=(bytes,))


def errors_of(text: str | None) -> list[LocatedError]:
    """Returns the errors that a row keeps as JSON.

    Raises:
        msgspec.ValidationError: The text is no list of error records, see `typed`.
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
    """The fields that every error record must have."""

    type: str
    message: str
