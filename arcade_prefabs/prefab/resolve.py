"""Inheritance: from documents that refer to each other to prefabs that stand alone.

Rules, in order of weight: what a document writes itself, then the last prefab that it extends, then
the ones before. Components are merged field by field; a field's value is replaced as a whole.
A child of an inherited prefab keeps its name: a child of the same name changes it, any other one
is added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from ..errors import (
    LocatedError,
    MissingPrefabError,
    PrefabCycleError,
    PrefabError,
    RonError,
    UnknownNameError,
)
from .document import ChildDocument, Placement, PrefabDocument, PrefabFile, Reference
from .ids import file_of, prefab_id, split_id
from .model import Asset, Child, Prefab
from .plans import At
from .registry import ComponentRegistry, default_registry
from .suggest import did_you_mean

__all__ = ["DEEPEST", "MOST_PARTS", "FileLoader", "Resolver"]

FileLoader: TypeAlias = Callable[[str], PrefabFile]
"""Gives the checked file of an id, or raises MissingPrefabError, RonError or OSError."""

DEEPEST: Final = 64
"""Longest chain of prefabs that extend or contain each other; honest ones have under ten."""

MOST_PARTS: Final = 10_000
"""Most prefabs inside one: thirty files that double each other would make a billion."""

_MOST_ERRORS: Final = 100


@dataclass(frozen=True, slots=True)
class _Merged:
    """A component on its way: its fields, and where it was written last."""

    fields: dict[str, Any]
    document: PrefabDocument
    at: At


@dataclass(frozen=True, slots=True)
class _MergedChild:
    """A child on its way. ``changes`` are the documents that wrote it, the basis first."""

    name: str | None
    prefab: Reference
    owner: PrefabDocument
    placement: dict[str, Any]
    changes: tuple[tuple[PrefabDocument, ChildDocument], ...]


@dataclass(frozen=True, slots=True)
class _Blueprint:
    """A prefab with all that it inherits, its children not worked out yet."""

    document: PrefabDocument
    components: dict[str, _Merged]
    children: tuple[_MergedChild, ...]
    lineage: frozenset[str]  # its own id and those of all its ancestors


class Resolver:
    """Works out prefabs; remembers what it worked out, so that shared parents are read once.

    A resolver sees every file as it was when it first read it: make a new one after an edit.

    Args:
        load: Gives the checked file of an id.
        registry: The components that the files may name; the `default_registry` if none is given.
        known_ids: Gives the ids of all prefabs, for hints about misspelt ones.

    One thread at a time.
    """

    def __init__(
        self,
        load: FileLoader,
        *,
        registry: ComponentRegistry | None = None,
        known_ids: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._load = load
        self._registry = default_registry if registry is None else registry
        self._known_ids = known_ids
        self._documents: dict[str, PrefabDocument] = {}
        self._blueprints: dict[str, _Blueprint] = {}
        self._resolved: dict[str, tuple[Prefab, int]] = {}
        # What could not be worked out during the present call. Without it, prefabs that double
        # each other would be tried again from every user, 2^n times.
        self._failed: dict[str, _Several] = {}

    def resolve(self, identifier: str) -> Prefab:
        """The prefab of an id, in any spelling, with all that it inherits.

        Raises:
            PrefabError: The prefab, or one that it is built from, cannot be used:
                `MissingPrefabError`, `PrefabCycleError`, `UnknownNameError` or a plain one.
            RonError: One of the files is not RON.
            ValueError: ``identifier`` is no possible id.
        """
        full = prefab_id(identifier)
        self._failed.clear()
        try:
            return self._prefab(self._document(full), ())[0]
        except _Several as several:
            first = several.errors[0]
            if len(several.errors) > 1 and not getattr(first, "__notes__", None):
                first.add_note(f"and {len(several.errors) - 1} more")
            raise first from None

    def problems(self, identifier: str) -> list[LocatedError]:
        """Everything that keeps a prefab from being used; an abstract one may lack fields."""
        self._failed.clear()
        try:
            document = self._document(prefab_id(identifier))
            if document.abstract:
                self._blueprint(document, ())
            else:
                self._prefab(document, ())
        except _Several as several:
            return several.errors
        except (PrefabError, RonError) as error:
            return [error]
        return []

    # --------------------------------------------------------------------------------- documents

    def _document(self, identifier: str) -> PrefabDocument:
        known = self._documents.get(identifier)
        if known is None:
            file_id, label = split_id(identifier)
            try:
                file = self._load(file_id)
            except MissingPrefabError as error:
                error.hint = error.hint or did_you_mean(identifier, self._known_ids())
                raise
            file.raise_errors()
            known = self._documents[identifier] = file.prefab(label)
        return known

    def _follow(
        self, reference: Reference, user: PrefabDocument, chain: tuple[str, ...]
    ) -> PrefabDocument:
        """The document that ``user`` refers to; refuses to go round in a circle."""
        if reference.id in chain:
            circle = " → ".join((*chain[chain.index(reference.id) :], reference.id))
            message = f"a prefab cannot contain or extend itself: {circle}"
            raise user.file.error(reference.at, message, kind=PrefabCycleError)
        if len(chain) >= DEEPEST:
            message = f"more than {DEEPEST} prefabs extend or contain each other: {chain[0]} → … → "
            raise user.file.error(reference.at, message + reference.id)
        try:
            return self._document(reference.id)
        except PrefabError as error:
            # A file or label that is not there has no place of its own, but one where it is named.
            if error.line is not None:
                raise
            raise user.file.error(
                reference.at, error.message, hint=error.hint, kind=type(error)
            ) from None

    # ------------------------------------------------------------------------------- inheritance

    def _blueprint(self, document: PrefabDocument, chain: tuple[str, ...]) -> _Blueprint:
        known = self._blueprints.get(document.id)
        if known is not None:
            return known
        chain = (*chain, document.id)
        components: dict[str, _Merged] = {}
        children: list[_MergedChild] = []
        lineage = {document.id}
        errors = _Errors()
        for reference in document.extends:
            with errors:
                parent = self._blueprint(self._follow(reference, document, chain), chain)
                lineage |= parent.lineage
                for name, merged in parent.components.items():
                    _merge(components, name, merged)
                children = _with_children(children, parent.children)
        errors.raise_all()
        with errors:
            _remove(components, document.removed, document)
        for name, part in document.components.items():
            _merge(components, name, _Merged(part.fields, document, part.at))
        for child in document.children:
            with errors:
                _change_child(children, child, document)
        errors.raise_all()
        blueprint = _Blueprint(document, components, tuple(children), frozenset(lineage))
        self._blueprints[document.id] = blueprint
        return blueprint

    # ---------------------------------------------------------------------------------- children

    def _prefab(self, document: PrefabDocument, chain: tuple[str, ...]) -> tuple[Prefab, int]:
        """The finished prefab, and how many prefabs are in it."""
        known = self._resolved.get(document.id)
        if known is not None:
            return known
        if document.id in self._failed:
            raise self._failed[document.id]
        errors = _Errors()
        with errors:
            blueprint = self._blueprint(document, chain)
            if document.abstract:
                message = f"{document.id} is abstract: it can be extended, but not used itself"
                raise document.file.error(document.at, message)
            known = self._assemble(blueprint, blueprint.components, chain)
            self._resolved[document.id] = known
            return known
        self._failed[document.id] = failed = errors.several()
        raise failed

    def _assemble(
        self, blueprint: _Blueprint, components: Mapping[str, _Merged], chain: tuple[str, ...]
    ) -> tuple[Prefab, int]:
        chain = (*chain, blueprint.document.id)
        errors = _Errors()
        needs: set[Asset] = set()
        for name, merged in components.items():
            with errors:
                needs.update(self._checked(name, merged))
        files = {file_of(ancestor) for ancestor in blueprint.lineage}
        children: list[Child] = []
        size = 1
        for child in blueprint.children:
            with errors:
                prefab, inside = self._child(child, chain)
                size += inside
                if size > MOST_PARTS:
                    message = f"more than {MOST_PARTS:,} prefabs inside one"
                    raise child.owner.file.error(child.prefab.at, message)
                placement = msgspec.convert(child.placement, Placement)
                children.append(Child(child.name, placement, prefab))
                files.update(prefab.built_from)
                needs.update(prefab.needs)
        errors.raise_all()
        prefab = Prefab(
            id=blueprint.document.id,
            components={name: merged.fields for name, merged in components.items()},
            children=tuple(children),
            needs=tuple(sorted(needs)),
            built_from=tuple(sorted(files)),
        )
        return prefab, size

    def _child(self, child: _MergedChild, chain: tuple[str, ...]) -> tuple[Prefab, int]:
        # An inherited child hangs on the prefab that it was inherited from: that is in the chain.
        chain = (*chain, *self._way_to(child.owner, self._documents[chain[-1]]))
        document = self._follow(child.prefab, child.owner, chain)
        # Without changes it is the prefab itself, which is worked out once for all its users.
        plain = self._prefab(document, chain)
        changes = [(user, change) for user, change in child.changes if change.changes_components]
        if not changes:
            return plain
        blueprint = self._blueprint(document, chain)
        components = dict(blueprint.components)
        for user, change in changes:
            _remove(components, change.removed, user)
            for name, part in change.overrides.items():
                _merge(components, name, _Merged(part.fields, user, part.at))
        return self._assemble(blueprint, components, chain)

    def _way_to(self, owner: PrefabDocument, heir: PrefabDocument) -> tuple[str, ...]:
        """The ids from an heir's parent down to the ancestor ``owner``; none if they are one."""
        if owner is heir:
            return ()
        for reference in heir.extends:
            parent = self._documents[reference.id]
            if owner.id in self._ancestors(parent):
                return (parent.id, *self._way_to(owner, parent))
        raise AssertionError(f"{heir.id} does not inherit from {owner.id}")

    def _ancestors(self, document: PrefabDocument) -> frozenset[str]:
        return self._blueprints[document.id].lineage

    def _checked(self, name: str, merged: _Merged) -> Iterator[Asset]:
        """What a finished component needs; building one shows that the class takes it."""
        component = self._registry.get(name)
        assert component is not None  # reading the file looked it up
        try:
            component.build(merged.fields)
        except PrefabError as error:
            raise merged.document.file.error(merged.at, error.message) from error
        for kind, needed in component.plan.names(merged.fields):
            if kind != "sprite_class":
                yield Asset(kind, needed)


class _Several(Exception):
    """Errors that were found side by side."""

    def __init__(self, errors: list[LocatedError]) -> None:
        super().__init__(len(errors))
        self.errors = errors


class _Errors:
    """Collects the errors of several ``with`` blocks, so that one run shows them all."""

    def __init__(self) -> None:
        self._errors: list[LocatedError] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        match error:
            case _Several():
                self._errors += error.errors
            case PrefabError() | RonError():
                self._errors.append(error)
            case _:
                return False
        # More than fit on a screen help nobody, and a hostile tree could multiply them.
        del self._errors[_MOST_ERRORS:]
        return True

    def several(self) -> _Several:
        """All of them, those that were met by several ways once."""
        return _Several(list(dict.fromkeys(self._errors)))

    def raise_all(self) -> None:
        if self._errors:
            raise self.several()


def _merge(components: dict[str, _Merged], name: str, merged: _Merged) -> None:
    """Lay a component over the one of the same name, field by field."""
    below = components.get(name)
    if below is not None:
        merged = _Merged({**below.fields, **merged.fields}, merged.document, merged.at)
    components[name] = merged


def _remove(
    components: dict[str, _Merged], removed: Mapping[str, At], document: PrefabDocument
) -> None:
    for name, at in removed.items():
        if components.pop(name, None) is None:
            message = f"`{name}` cannot be removed, for it is not inherited"
            hint = did_you_mean(name, components)
            raise document.file.error(at, message, hint=hint)


def _with_children(
    children: list[_MergedChild], inherited: Iterable[_MergedChild]
) -> list[_MergedChild]:
    """Children of one more parent: a name replaces that name, others are added."""
    result = list(children)
    for child in inherited:
        if any(known is child for known in result):
            continue  # two parents inherit it from one grandparent
        index = _index_of(result, child.name)
        if index is None:
            result.append(child)
        else:
            result[index] = child
    return result


def _index_of(children: list[_MergedChild], name: str | None) -> int | None:
    if name is None:
        return None
    return next((i for i, child in enumerate(children) if child.name == name), None)


def _change_child(
    children: list[_MergedChild], child: ChildDocument, document: PrefabDocument
) -> None:
    """Add a document's own child, or lay it over the inherited one of its name."""
    index = _index_of(children, child.name)
    below = None if index is None else children[index]
    if below is None:
        if child.prefab is None:
            hint = did_you_mean(child.name or "", [known.name for known in children if known.name])
            message = f"there is no inherited child `{child.name}`; a new one needs a `prefab`"
            raise document.file.error(child.at, message, hint=hint, kind=UnknownNameError)
        changes: tuple[tuple[PrefabDocument, ChildDocument], ...] = ((document, child),)
        placement = dict(child.placement)
        children.append(_MergedChild(child.name, child.prefab, document, placement, changes))
        return
    # With another prefab the changes to the old one have lost their subject.
    own = (document, child)
    assert index is not None
    children[index] = _MergedChild(
        name=child.name,
        prefab=child.prefab or below.prefab,
        owner=below.owner if child.prefab is None else document,
        placement={**below.placement, **child.placement},
        changes=(own,) if child.prefab is not None else (*below.changes, own),
    )
