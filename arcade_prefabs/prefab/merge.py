"""The rules of inheritance: how a document is laid over what it inherits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import UnknownNameError, shown
from .converters import At
from .document import ChildDocument, PrefabDocument, Reference
from .error_collector import Errors
from .suggestions import did_you_mean

__all__ = ["Children", "Merged", "MergedChild", "change_child", "merge", "remove"]


@dataclass(frozen=True, slots=True)
class Merged:
    """A component on its way: its fields, and where it was written last."""

    fields: dict[str, Any]
    document: PrefabDocument
    at: At


@dataclass(frozen=True, slots=True)
class MergedChild:
    """A child on its way. ``changes`` are the documents that wrote it, the basis first."""

    name: str | None
    prefab: Reference
    owner: PrefabDocument
    placement: dict[str, Any]
    changes: tuple[tuple[PrefabDocument, ChildDocument], ...]


Children: TypeAlias = "dict[str | int, MergedChild]"
"""Children by name; those without one, which no heir can change, under a number of their own."""


def merge(components: dict[str, Merged], name: str, merged: Merged) -> None:
    """Lay a component over the one of the same name, field by field."""
    below = components.get(name)
    if below is not None:
        merged = Merged({**below.fields, **merged.fields}, merged.document, merged.at)
    components[name] = merged


def remove(
    components: dict[str, Merged], removed: Mapping[str, At], document: PrefabDocument
) -> None:
    """Take away inherited components; one that is not inherited is an error."""
    errors = Errors()
    for name, at in removed.items():
        with errors:
            if components.pop(name, None) is None:
                message = f"`{name}` cannot be removed, for it is not inherited"
                raise document.file.error(at, message, hint=did_you_mean(name, components))
    errors.raise_all()


def change_child(children: Children, child: ChildDocument, document: PrefabDocument) -> None:
    """Add a document's own child, or lay it over the inherited one of its name."""
    key = id(child) if child.name is None else child.name
    below = children.get(key)
    if below is None:
        if child.prefab is None:
            name = child.name or ""
            hint = did_you_mean(name, [known for known in children if isinstance(known, str)])
            message = f"there is no inherited child `{shown(name)}`; a new one needs a `prefab`"
            raise document.file.error(child.at, message, hint=hint, kind=UnknownNameError)
        changes: tuple[tuple[PrefabDocument, ChildDocument], ...] = ((document, child),)
        placement = dict(child.placement)
        children[key] = MergedChild(child.name, child.prefab, document, placement, changes)
        return
    # With another prefab the changes to the old one have lost their subject.
    own = (document, child)
    children[key] = MergedChild(
        name=child.name,
        prefab=child.prefab or below.prefab,
        owner=below.owner if child.prefab is None else document,
        placement={**below.placement, **child.placement},
        changes=(own,) if child.prefab is not None else (*below.changes, own),
    )
