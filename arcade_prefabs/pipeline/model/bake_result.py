"""What processing a file gives: outputs, errors, and what they were made from."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ... import errors
from ...errors import ArcadePrefabsError, LocatedError, ProcessorError
from .page_codec import ManyPacked
from .processor import Input

__all__ = ["BakeKey", "BakeResult", "OutputChange", "error_from", "error_record", "shown_id"]


class BakeKey(NamedTuple):
    """A file, and the settings that it is baked with.

    Attributes:
        path: The asset path.
        variant: Settings of its own as JSON, see `settings_key`; empty for the processor's.
    """

    path: str
    variant: str = ""


class BakeResult(NamedTuple):
    """What came of processing a file.

    Attributes:
        key: The file.
        content: The hash of its bytes; None if it was not there any more, `UNREADABLE` if it was.
        outputs: What was baked.
        failed: Labels that could not be baked; None in it: the whole file.
        errors: What is wrong.
        inputs: What it was made from.
        bake_requests: Variants of other files that it asks for.
        seconds: How long it took.
    """

    key: BakeKey
    content: bytes | None
    outputs: ManyPacked
    failed: tuple[str | None, ...]
    errors: tuple[LocatedError, ...]
    inputs: tuple[Input, ...]
    bake_requests: tuple[BakeKey, ...]
    seconds: float


class OutputChange(NamedTuple):
    """An output that is another one now.

    Attributes:
        id: Its full id.
        kind: ``added``, ``changed`` or ``removed``.
    """

    id: str
    kind: str


def shown_id(key: BakeKey, label: str = "") -> str:
    """The full id of an output: ``castle.ron#gate``, ``sheet.png?{"columns":4}``."""
    variant = f"?{key.variant}" if key.variant else ""
    return f"{key.path}{variant}{'#' if label else ''}{label}"


_FIELDS = ("path", "line", "column", "source_line", "hint", "_cut")


def error_record(error: LocatedError) -> dict[str, Any]:
    """An error as JSON values, for the store."""
    fields = {name: getattr(error, name) for name in _FIELDS if getattr(error, name, None)}
    record = {"type": type(error).__name__, "message": error.message, **fields}
    # Names of files may hold halves of characters, which no JSON can.
    return {
        name: value.encode("utf-8", "backslashreplace").decode()
        if isinstance(value, str)
        else value
        for name, value in record.items()
    }


def error_from(record: dict[str, Any]) -> LocatedError:
    """The error of a record. A store may come from elsewhere: it names none but our own classes."""
    cls = getattr(errors, str(record.get("type")), None)
    if not (isinstance(cls, type) and issubclass(cls, LocatedError)):
        cls = LocatedError
    error = cls(str(record.get("message")))
    for name in _FIELDS:
        value = record.get(name)
        wanted = int if name in ("line", "column", "_cut") else str
        if isinstance(value, wanted):
            setattr(error, name, value)
    return error


def errors_text(found: tuple[LocatedError, ...]) -> str | None:
    """Errors as the store keeps them."""
    return json.dumps([error_record(error) for error in found]) if found else None


def located(error: BaseException, shown: str, what: str) -> LocatedError:
    """Any exception of a processor as an error about its file."""
    if isinstance(error, LocatedError):
        if error.path is None:
            error.path = shown
        return error
    if isinstance(error, ArcadePrefabsError):
        return ProcessorError(str(error), path=shown)
    return ProcessorError(
        f"the processor `{what}` failed: {type(error).__name__}: {error}", path=shown
    )
