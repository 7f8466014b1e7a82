"""What prefab files say: documents whose every part was checked, nothing inherited yet."""

from __future__ import annotations

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
    "ChildDocument",
    "ComponentDocument",
    "PrefabDocument",
    "PrefabFile",
    "Reference",
    "Transform",
]


# Cannot be part of a circle, so the garbage collector need not look at the many that there are.
class Transform(msgspec.Struct, frozen=True, gc=False):
    """Where a child stands in its parent.

    Attributes:
        at: Pixels from the parent's position.
        rotation: Clockwise, in degrees.
        scale: One factor, or one for each axis.
    """

    at: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    scale: float | tuple[float, float] = 1.0


@dataclass(frozen=True, slots=True)
class Reference:
    """The full id of a prefab, and where the file names it."""

    id: str
    at: At


@dataclass(frozen=True, slots=True)
class ComponentDocument:
    """A component, or the removal of one, as one document writes it.

    Attributes:
        fields: The fields that are written, as plain data; fields left out are not in it.
        at: Where it stands.
    """

    fields: dict[str, Any]
    at: At


@dataclass(frozen=True, slots=True)
class ChildDocument:
    """A child as one document writes it; what it leaves out is None.

    Attributes:
        name: Its name among its siblings, or None.
        prefab: What it is a copy of; None only where it changes a child that is inherited.
        placement: ``at`` (pixels from the parent's position), ``rotation`` (clockwise, degrees)
            and ``scale``, those that are written.
        overrides: Components whose fields replace those of the prefab, by name.
        removed: Names of components that the child does not have, and where they are named.
        at: Where it stands.
    """

    name: str | None
    prefab: Reference | None
    placement: dict[str, Any]
    overrides: Mapping[str, ComponentDocument]
    removed: Mapping[str, At]
    at: At

    @property
    def changes_components(self) -> bool:
        """Whether the child differs from its prefab in more than its place."""
        return bool(self.overrides or self.removed)


@dataclass(frozen=True, slots=True)
class PrefabDocument:
    """One prefab as its file writes it: nothing inherited yet.

    Attributes:
        id: Its full id.
        file: The file it stands in.
        extends: The prefabs that it extends, the more important ones later.
        components: What it has, by name, in the order of the file.
        removed: Names of inherited components that it does not have, and where they are named.
        children: Its children, in the order of the file.
        abstract: Only to be extended; fields that are required may be missing.
        at: Where it stands.
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
        """Every prefab that this one is built from, directly: its parents and its children's."""
        children = (child.prefab for child in self.children)
        return (*self.extends, *(reference for reference in children if reference is not None))


_SHOWN_LABELS: Final = 8
# Misspelt labels of one file that get a hint: each is compared with all labels.
_MOST_HINTS: Final = 100


class PrefabFile:
    """A checked file: its prefabs by label, and every error that was found in it.

    Attributes:
        id: The file's id, such as ``prefabs/props/crate.ron``.
        path: The name that errors show.
        prefabs: The documents by label; a file with a single prefab has it under None.
        links: The prefabs that fields of its components name, for example to spawn them later.
        errors: What is wrong, in the order of the file; empty if the file can be used.
        problems: Collects what is wrong while the file is read.
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
        """The prefab of that label; of a file with a single prefab, with None.

        Raises:
            PrefabError: There is none; the message lists the labels that there are.
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
        """The labels for a message: the first ones, and how many more there are."""
        known = [label for label in self.prefabs if label is not None]
        more = f" and {len(known) - _SHOWN_LABELS} more" if len(known) > _SHOWN_LABELS else ""
        return ", ".join(f"`#{label}`" for label in known[:_SHOWN_LABELS]) + more

    def error(self, at: At, message: str, **more: Any) -> PrefabError:
        """An error about a place in this file; see `ErrorCollector.error`."""
        return self.problems.error(at, message, **more)

    def raise_errors(self) -> None:
        """Raise the first error, which says how many more there are, or return."""
        if self.errors:
            first = self.errors[0]
            if len(self.errors) > 1 and not getattr(first, "__notes__", None):
                first.add_note(f"and {len(self.errors) - 1} more in this file")
            raise first
