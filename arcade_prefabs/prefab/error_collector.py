"""Collects what is wrong with a file, each with its place, so that one run shows it all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..errors import LocatedError, PrefabError, RonError
from ..ron import Document, PathSegment
from .converters import At

__all__ = ["ErrorCollector", "Errors", "Hint", "MultipleErrors"]

Hint: TypeAlias = "str | Callable[[], str] | None"
"""A hint, or what makes it: looking for similar names takes time, and not every error is kept."""

# A file of a million mistakes is one mistake; its author needs to see the first.
_MOST = 100


class ErrorCollector:
    """The errors of one file. One thread at a time."""

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
        """Note an error about a place; ``key`` puts the caret under the field's name."""
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
        """The error, not noted: for whoever raises it at once."""
        steps: list[PathSegment] = []
        label = ""
        labelled = False
        # A name's own error is labelled by what it stands in: `Health: unknown field `maxx``.
        skip_label = key
        while at is not None:
            at, step, text = at
            steps.append(step)
            if not labelled and not skip_label:
                label = text + label
                # `Health.max`: the path begins at the last step that is a name of its own.
                labelled = not text.startswith((".", "[")) and text != ""
            skip_label = False
        position = self._document.position(*reversed(steps), key=key)
        return kind(
            f"{label}: {message}" if label else message,
            path=self._path,
            line=position.line,
            column=position.column,
            source_line=self._document.line_of(position),
            hint=hint() if callable(hint) else hint,
        )

    def found(self) -> tuple[PrefabError, ...]:
        """All errors, in the order of the file."""
        errors = sorted(self._errors, key=lambda error: (error.line or 0, error.column or 0))
        if self._dropped:
            errors.append(
                PrefabError(f"{self._dropped} more errors are not shown", path=self._path)
            )
        return tuple(errors)


class MultipleErrors(Exception):
    """Errors that were found side by side."""

    def __init__(self, errors: list[LocatedError]) -> None:
        super().__init__(len(errors))
        self.errors = errors


class Errors:
    """Collects the errors of several ``with`` blocks, so that one run shows them all."""

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
        # More than fit on a screen help nobody, and a hostile tree could multiply them.
        del self._errors[_MOST:]
        return True

    @property
    def full(self) -> bool:
        """Whether further ones would be dropped."""
        return len(self._errors) >= _MOST

    def several(self) -> MultipleErrors:
        """All of them, those that were met by several ways once."""
        return MultipleErrors(list(dict.fromkeys(self._errors)))

    def raise_all(self) -> None:
        """Raise all that were found, or return."""
        if self._errors:
            raise self.several()
