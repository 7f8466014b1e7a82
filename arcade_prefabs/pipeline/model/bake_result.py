"""The result of processing a file: outputs, errors, inputs and bake requests."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ... import errors
from ...errors import ArcadePrefabsError, LocatedError, ProcessorError
from .page_codec import ManyPacked
from .processor import Input

__all__ = ["BakeKey", "BakeResult", "OutputChange", "error_from", "error_record", "shown_id"]


class BakeKey(NamedTuple):
    """A path with its import settings: the key of everything that is baked.

    Attributes:
        path: The asset path.
        variant: The import settings as JSON, see `settings_key`; empty if there are none.
    """

    path: str
    variant: str = ""


class BakeResult(NamedTuple):
    """The result of processing a file.

    Attributes:
        key: The key of the asset.
        content: The hash of the file's bytes; None if the file does not exist, `UNREADABLE` if
            reading it failed.
        outputs: The outputs.
        failed: Labels that could not be baked; None in it means the whole file.
        errors: The errors.
        inputs: The inputs that the outputs were made from.
        bake_requests: Requests to bake other files with import settings.
        seconds: The processing time.
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
    """A difference between the outputs before and after a bake.

    Attributes:
        id: The full id of the output.
        kind: ``added``, ``changed`` or ``removed``.
    """

    id: str
    kind: str


def shown_id(key: BakeKey, label: str = "") -> str:
    """Returns the full id of an output: ``castle.ron#gate``, ``sheet.png?{"columns":4}``."""
    variant = f"?{key.variant}" if key.variant else ""
    return f"{key.path}{variant}{'#' if label else ''}{label}"


_FIELDS = ("path", "line", "column", "source_line", "hint", "_cut")


def error_record(error: LocatedError) -> dict[str, Any]:
    """Returns an error as JSON values, for the store."""
    fields = {name: getattr(error, name) for name in _FIELDS if getattr(error, name, None)}
    record = {"type": type(error).__name__, "message": error.message, **fields}
    # File names may contain lone surrogates, which JSON cannot.
    return {
        name: value.encode("utf-8", "backslashreplace").decode()
        if isinstance(value, str)
        else value
        for name, value in record.items()
    }


def error_from(record: dict[str, Any]) -> LocatedError:
    """Returns the error of a JSON record.

    A store may be forged, so only error classes of this package are made from it.
    """
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
    """Returns errors as the JSON text that the store keeps; None for no errors."""
    return json.dumps([error_record(error) for error in found]) if found else None


def located(error: BaseException, shown: str, processor: str) -> LocatedError:
    """Returns an exception of a processor as an error with the path of the file."""
    if isinstance(error, LocatedError):
        if error.path is None:
            error.path = shown
        return error
    if isinstance(error, ArcadePrefabsError):
        return ProcessorError(str(error), path=shown)
    return ProcessorError(
        f"the processor `{processor}` failed: {type(error).__name__}: {error}", path=shown
    )
