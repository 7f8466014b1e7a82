"""Collects what is wrong with a file, each with its place, so that one run shows it all."""

from __future__ import annotations

from ..errors import PrefabError
from ..ron import Document, Step
from .plans import At

__all__ = ["Problems"]

# A file of a million mistakes is one mistake; its author needs to see the first.
_MOST = 100


class Problems:
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
        hint: str | None = None,
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
        hint: str | None = None,
        kind: type[PrefabError] = PrefabError,
        key: bool = False,
    ) -> PrefabError:
        """The error, not noted: for whoever raises it at once."""
        steps: list[Step] = []
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
            hint=hint,
        )

    def found(self) -> tuple[PrefabError, ...]:
        """All errors, in the order of the file."""
        errors = sorted(self._errors, key=lambda error: (error.line or 0, error.column or 0))
        if self._dropped:
            errors.append(
                PrefabError(f"{self._dropped} more errors are not shown", path=self._path)
            )
        return tuple(errors)
