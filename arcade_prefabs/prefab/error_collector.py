"""Collects all mistakes of a file with their locations, so that one run reports all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..errors import LocatedError, PrefabError, RonError
from ..ron import Document, PathSegment
from .converters import At

__all__ = ["ErrorCollector", "Errors", "Hint", "MultipleErrors"]

Hint: TypeAlias = "str | Callable[[], str] | None"
"""A hint, or a function that makes it: the search for similar names is slow, and errors above the
limit need no hint."""

# The most errors that are kept of one file: nobody reads more, and a generated file may have
# millions.
_MOST = 100


class ErrorCollector:
    """Collects the errors of one file, at most 100. One thread at a time."""

    __slots__ = ("_document", "_dropped", "_errors", "_path")

    def __init__(self, document: Document, path: str) -> None:
        self._document = document
        self._path = path
        self._errors: list[PrefabError] = []
        self._dropped = 0

    def report(
        self,
        at: At | None,
        message: str,
        *,
        hint: Hint = None,
        kind: type[PrefabError] = PrefabError,
        key: bool = False,
    ) -> None:
        """Adds an error at a location; with ``key`` the caret is under the field's name."""
        if len(self._errors) >= _MOST:
            self._dropped += 1
            return
        self._errors.append(self.error(at, message, hint=hint, kind=kind, key=key))

    def error(
        self,
        at: At | None,
        message: str,
        *,
        hint: Hint = None,
        kind: type[PrefabError] = PrefabError,
        key: bool = False,
    ) -> PrefabError:
        """Returns an error at a location without adding it, for code that raises it."""
        segments: list[PathSegment] = []
        label = ""
        labelled = False
        # An error about a field name begins with its struct: "Health: unknown field `maxx`".
        skip_label = key
        while at is not None:
            at, segment, text = at
            segments.append(segment)
            if not labelled and not skip_label:
                label = text + label
                # `Health.max`: the label begins at the innermost segment that is no field or index.
                labelled = not text.startswith((".", "[")) and text != ""
            skip_label = False
        position = self._document.position(*reversed(segments), key=key)
        return kind(
            f"{label}: {message}" if label else message,
            path=self._path,
            line=position.line,
            column=position.column,
            source_line=self._document.line_of(position),
            hint=hint() if callable(hint) else hint,
        )

    def found(self) -> tuple[PrefabError, ...]:
        """Returns all errors in the order of the file; the last one counts those left out."""
        errors = sorted(self._errors, key=lambda error: (error.line or 0, error.column or 0))
        if self._dropped:
            errors.append(
                PrefabError(f"{self._dropped} more errors are not shown", path=self._path)
            )
        return tuple(errors)


class MultipleErrors(Exception):
    """Several errors as one exception."""

    def __init__(self, errors: list[LocatedError]) -> None:
        super().__init__(len(errors))
        self.errors = errors


class Errors:
    """Collects the errors of several ``with`` blocks: each block ends at its first error."""

    def __init__(self) -> None:
        self._errors: list[LocatedError] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        match error:
            case MultipleErrors():
                self._errors += error.errors
            case PrefabError() | RonError():
                self._errors.append(error)
            case _:
                return False
        # Hostile files could multiply errors by referring to each other; 100 are enough to read.
        del self._errors[_MOST:]
        return True

    @property
    def full(self) -> bool:
        """Whether further errors would be dropped."""
        return len(self._errors) >= _MOST

    def several(self) -> MultipleErrors:
        """Returns all errors as one exception, each once even if several references led to it."""
        return MultipleErrors(list(dict.fromkeys(self._errors)))

    def raise_all(self) -> None:
        """Raises all collected errors as one exception, if there are any."""
        if self._errors:
            raise self.several()
