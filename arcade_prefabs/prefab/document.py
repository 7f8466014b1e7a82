"""The content of prefab files, checked and typed, before inheritance."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ..errors import PrefabError, UnknownNameError
from ..ron import Document
from .converters import At
from .error_collector import ErrorCollector
from .suggestions import did_you_mean

__all__ = [
    "OLD_WORDS",
    "ChildDocument",
    "ComponentDocument",
    "PrefabDocument",
    "PrefabFile",
    "Reference",
    "Transform",
    "warn_renamed",
]


# gc=False: a transform cannot be part of a reference cycle, and worlds have very many of them.
class Transform(msgspec.Struct, frozen=True, gc=False):
    """Position, angle and scale of a child, relative to its parent.

    Attributes:
        position: Pixels from the parent's position.
        angle: Degrees, clockwise.
        scale: One factor for both axes, or one for each.
    """

    position: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0
    scale: float | tuple[float, float] = 1.0

    @property
    def at(self) -> tuple[float, float]:
        """The old word for `position`; goes with version 1.0."""
        warn_renamed("Transform.at", "position")
        return self.position

    @property
    def rotation(self) -> float:
        """The old word for `angle`; goes with version 1.0."""
        warn_renamed("Transform.rotation", "angle")
        return self.angle


OLD_WORDS: Final = {"at": "position", "rotation": "angle"}
"""Fields of children and world entities by the words that they had; files may use either."""


def warn_renamed(old: str, new: str) -> None:
    """Warn whoever reads an attribute by the word that it had. Any thread."""
    warnings.warn(
        f"{old} is named {new} now; the old name goes with version 1.0",
        DeprecationWarning,
        stacklevel=3,
    )


@dataclass(frozen=True, slots=True)
class Reference:
    """The full id of a prefab, and the location where a file names it."""

    id: str
    at: At


@dataclass(frozen=True, slots=True)
class ComponentDocument:
    """A component as one file writes it, before inheritance.

    Attributes:
        fields: The fields that are written, as plain data. Fields that are left out are missing.
        at: Its location.
    """

    fields: dict[str, Any]
    at: At


@dataclass(frozen=True, slots=True)
class ChildDocument:
    """A child as one file writes it, before inheritance.

    Attributes:
        name: Its name, unique among its siblings, or None.
        prefab: The prefab of the child; None only if the entry changes an inherited child.
        placement: The parts of the transform that are written: ``position`` (pixels from the
            parent's position), ``angle`` (degrees, clockwise) and ``scale``.
        overrides: Component fields that replace those of the child's prefab, by component name.
        removed: Names of components of its prefab that the child does not get, with their
            locations.
        at: Its location.
    """

    name: str | None
    prefab: Reference | None
    placement: dict[str, Any]
    overrides: Mapping[str, ComponentDocument]
    removed: Mapping[str, At]
    at: At

    @property
    def changes_components(self) -> bool:
        """Whether the entry changes more of its prefab than the transform."""
        return bool(self.overrides or self.removed)


@dataclass(frozen=True, slots=True)
class PrefabDocument:
    """A prefab as its file writes it, before inheritance.

    Attributes:
        id: Its full id.
        file: The file that contains it.
        extends: The prefabs that it extends; a later one overrides an earlier one.
        components: Its own components by name, in the order of the file.
        removed: Names of inherited components that it drops, with their locations.
        children: Its own children, in the order of the file.
        abstract: Whether it may only be extended; then required fields may be missing.
        at: Its location.
    """

    id: str
    file: PrefabFile = field(repr=False)
    extends: tuple[Reference, ...]
    components: Mapping[str, ComponentDocument]
    removed: Mapping[str, At]
    children: tuple[ChildDocument, ...]
    abstract: bool
    at: At = field(repr=False)

    def references(self) -> tuple[Reference, ...]:
        """Returns the prefabs that this one is made from directly: extended ones, then children."""
        children = (child.prefab for child in self.children)
        return (*self.extends, *(reference for reference in children if reference is not None))


_SHOWN_LABELS: Final = 8
# How many errors about unknown labels of one file get a hint: each hint compares all labels.
_MOST_HINTS: Final = 100


class PrefabFile:
    """A checked prefab file: its prefabs by label, and all errors found in it.

    Attributes:
        id: The file's id, such as ``prefabs/props/crate.ron``.
        path: The file name that errors show.
        prefabs: The documents by label; a file with a single prefab has it under None.
        links: Prefabs that component fields name, for example to spawn them later.
        errors: The mistakes in the order of the file; empty if the file can be used.
        problems: Collects the mistakes while the file is read.
    """

    __slots__ = ("_hints_left", "errors", "id", "links", "path", "prefabs", "problems")

    def __init__(self, identifier: str, path: str, document: Document) -> None:
        self.id = identifier
        self.path = path
        self.prefabs: Mapping[str | None, PrefabDocument] = {}
        self.problems = ErrorCollector(document, path)
        self.links: tuple[Reference, ...] = ()
        self.errors: tuple[PrefabError, ...] = ()
        self._hints_left = _MOST_HINTS

    def prefab(self, label: str | None = None) -> PrefabDocument:
        """Returns the prefab with a label, or with None the only prefab of the file.

        Raises:
            PrefabError: The file has no such prefab; the hint lists its labels.
        """
        found = self.prefabs.get(label)
        if found is not None:
            return found
        if label is None:
            labels = self._some_labels()
            raise PrefabError(
                f"{self.id} is a library: a label must say which of its prefabs is meant",
                path=self.path,
                hint=f"it has: {labels}" if labels else "it is empty",
            )
        if None in self.prefabs:
            message = f"{self.id} is a single prefab and has no labels"
            raise PrefabError(message, path=self.path, hint=f"leave out `#{label}`")
        hint: str | None = None
        if self._hints_left > 0:
            self._hints_left -= 1
            hint = did_you_mean("#" + label, [f"#{known}" for known in self.prefabs])
        message = f"{self.id} has no prefab `#{label}`"
        raise UnknownNameError(message, path=self.path, hint=hint)

    def _some_labels(self) -> str:
        """Returns the first labels for a message, and how many more there are."""
        labels = [label for label in self.prefabs if label is not None]
        more = f" and {len(labels) - _SHOWN_LABELS} more" if len(labels) > _SHOWN_LABELS else ""
        return ", ".join(f"`#{label}`" for label in labels[:_SHOWN_LABELS]) + more

    def error(self, at: At, message: str, **more: Any) -> PrefabError:
        """Returns an error at a location of this file; see `ErrorCollector.error`."""
        return self.problems.error(at, message, **more)

    def raise_errors(self) -> None:
        """Raises the first error of the file, if there is one, with the number of the others."""
        if self.errors:
            first = self.errors[0]
            if len(self.errors) > 1 and not getattr(first, "__notes__", None):
                first.add_note(f"and {len(self.errors) - 1} more in this file")
            raise first
