"""Inheritance: from documents that refer to each other to prefabs that stand alone.

Rules, in order of weight: what a document writes itself, then the last prefab that it extends, then
the ones before. Components are merged field by field; a field's value is replaced as a whole.
A child of an inherited prefab keeps its name: a child of the same name changes it, any other one
is added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from ..errors import (
    LocatedError,
    MissingPrefabError,
    PrefabCycleError,
    PrefabError,
    RonError,
    UnknownNameError,
    shown,
)
from .asset_ids import file_of, prefab_id, split_id
from .converters import At
from .document import ChildDocument, PrefabDocument, PrefabFile, Reference, Transform
from .error_collector import Errors, MultipleErrors
from .model import Child, Dependency, Prefab
from .registry import ComponentRegistry, default_registry
from .suggestions import did_you_mean, nearest_ids

__all__ = [
    "DEEPEST",
    "MOST_ANCESTORS",
    "MOST_PARTS",
    "AbstractPrefab",
    "FileLoader",
    "Resolver",
    "shown_way",
]

FileLoader: TypeAlias = Callable[[str], PrefabFile]
"""Gives the checked file of an id, or raises MissingPrefabError, RonError or OSError."""

DEEPEST: Final = 64
"""Longest chain of prefabs that extend or contain each other; honest ones have under ten."""

MOST_PARTS: Final = 10_000
"""Most prefabs inside one: thirty files that double each other would make a billion."""

MOST_ANCESTORS: Final = 256
"""Most prefabs that one inherits from, by way of others, too; honest ones have under twenty. Each
heir names all of them: as many heirs of as many parents would fill the store with the square."""


# Hints of nearest names are for slips; a folder with more broken references has another problem.
_MOST_HINTS: Final = 100


@dataclass(frozen=True, slots=True)
class _MergedPrefab:
    """A prefab with all that it inherits, its children not worked out yet."""

    document: PrefabDocument
    components: dict[str, Merged]
    children: Children
    lineage: frozenset[str]  # its own id and those of all its ancestors
    depth: int  # prefabs in the longest chain of ancestors, itself included


class AbstractPrefab(NamedTuple):
    """What heirs take from an abstract prefab.

    Attributes:
        data: Its components and children as JSON values; the same for two prefabs if and only if
            no heir can tell them apart, but for the prefabs of the children.
        parts: The ids of its children's prefabs.
    """

    data: list[Any]
    parts: tuple[str, ...]


class _Finished(NamedTuple):
    """A prefab that was worked out, how many prefabs are in it, and how deep they go."""

    prefab: Prefab
    size: int
    depth: int


class _Failures:
    """Prefabs that could not be worked out, by id: during one call, or for good."""

    def __init__(self) -> None:
        self._now: dict[str, MultipleErrors] = {}
        self._lasting: dict[str, MultipleErrors] = {}

    def note(self, identifier: str, several: MultipleErrors) -> None:
        self._now[identifier] = several

    def raise_known(self, identifier: str) -> None:
        known = self._now.get(identifier) or self._lasting.get(identifier)
        if known is not None:
            # Raising adds to the traceback, whose frames would stay as long as the error does.
            raise known.with_traceback(None)

    def end_call(self, *, keep: bool) -> None:
        if keep:
            self._lasting.update(self._now)
        self._now.clear()


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
        self._merged: dict[str, _MergedPrefab] = {}
        self._resolved: dict[str, _Finished] = {}
        # What could not be worked out. Without it, prefabs that double each other would be tried
        # again from every user, 2^n times.
        self._failed = _Failures()
        self._failed_blueprints = _Failures()
        # Whether a circle, or a chain that is too long, was met during the present call: what
        # fails for that may be sound by another way.
        self._way_matters = False
        self._hints_left = _MOST_HINTS

    def resolve(self, identifier: str) -> Prefab:
        """The prefab of an id, in any spelling, with all that it inherits.

        Raises:
            PrefabError: The prefab, or one that it is built from, cannot be used:
                `MissingPrefabError`, `PrefabCycleError`, `UnknownNameError` or a plain one.
            RonError: One of the files is not RON.
            ValueError: ``identifier`` is no possible id.
        """
        full = prefab_id(identifier)
        self._forget_failures()
        try:
            document = self._document(full)
            if document.abstract:
                raise _abstract(document, document, document.at)
            return self._prefab(document, ()).prefab
        except MultipleErrors as several:
            first = several.errors[0]
            if len(several.errors) > 1 and not getattr(first, "__notes__", None):
                first.add_note(f"and {len(several.errors) - 1} more")
            raise first from None

    def problems(self, identifier: str) -> list[LocatedError]:
        """Everything that keeps a prefab from being used; an abstract one may lack fields."""
        self._forget_failures()
        try:
            document = self._document(prefab_id(identifier))
            if document.abstract:
                self._check_children(self._merged_prefab(document, ()))
            else:
                self._prefab(document, ())
        except MultipleErrors as several:
            return several.errors
        except (PrefabError, RonError) as error:
            return [error]
        return []

    def outline(self, identifier: str) -> AbstractPrefab:
        """What heirs and owners take from an abstract prefab, its parents' share in it.

        Raises:
            PrefabError: The prefab, or one that it is built from, cannot be used.
            RonError: One of the files is not RON.
            ValueError: ``identifier`` is no possible id.
        """
        full = prefab_id(identifier)
        self._forget_failures()
        try:
            merged_prefab = self._merged_prefab(self._document(full), ())
            self._check_children(merged_prefab)
        except MultipleErrors as several:
            raise several.errors[0] from None
        components = {name: merged.fields for name, merged in merged_prefab.components.items()}
        children = [
            [child.name, child.prefab.id, child.owner.id, child.placement, _changes(child)]
            for child in merged_prefab.children.values()
        ]
        parts = tuple(child.prefab.id for child in merged_prefab.children.values())
        return AbstractPrefab([components, children, sorted(merged_prefab.lineage)], parts)

    def provenance(self, identifier: str) -> list[Any]:
        """What heirs of a prefab can tell, and its components and children do not show.

        An heir of two prefabs has a child without a name once if both inherit it from one place,
        and twice if it stands in two.

        Raises:
            As `resolve`.
        """
        try:
            merged_prefab = self._merged_prefab(self._document(prefab_id(identifier)), ())
        except MultipleErrors as several:
            raise several.errors[0] from None
        children = [[child.name, child.owner.id] for child in merged_prefab.children.values()]
        return [children, sorted(merged_prefab.lineage)]

    def document(self, identifier: str) -> PrefabDocument:
        """The checked document of an id, nothing inherited.

        Raises:
            PrefabError, RonError: The file, or the prefab in it, cannot be used.
            ValueError: ``identifier`` is no possible id.
        """
        return self._document(prefab_id(identifier))

    def _forget_failures(self) -> None:
        """Forget what failed in the call before, if it may have been for the way to it."""
        for failures in (self._failed, self._failed_blueprints):
            failures.end_call(keep=not self._way_matters)
        self._way_matters = False

    # --------------------------------------------------------------------------------- documents

    def _document(self, identifier: str) -> PrefabDocument:
        known = self._documents.get(identifier)
        if known is None:
            file_id, label = split_id(identifier)
            try:
                file = self._load(file_id)
            except MissingPrefabError as error:
                # Each hint compares the name with those of all files.
                if error.hint is None and self._hints_left > 0:
                    self._hints_left -= 1
                    error.hint = nearest_ids(file_id, self._known_ids())
                raise
            file.raise_errors()
            known = self._documents[identifier] = file.prefab(label)
        return known

    def _follow(
        self, reference: Reference, user: PrefabDocument, chain: tuple[str, ...]
    ) -> PrefabDocument:
        """The document that ``user`` refers to; refuses to go round in a circle."""
        if reference.id in chain:
            circle = shown_way((*chain[chain.index(reference.id) :], reference.id))
            message = f"a prefab cannot contain or extend itself: {circle}"
            self._way_matters = True
            raise user.file.error(reference.at, message, kind=PrefabCycleError)
        if len(chain) >= DEEPEST:
            self._way_matters = True
            raise _too_deep(user, reference, chain[0])
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

    def _merged_prefab(self, document: PrefabDocument, chain: tuple[str, ...]) -> _MergedPrefab:
        known = self._merged.get(document.id)
        if known is None:
            self._failed_blueprints.raise_known(document.id)
            try:
                known = self._merged[document.id] = self._merge(document, chain)
            except MultipleErrors as several:
                self._failed_blueprints.note(document.id, several)
                raise
        return known

    def _merge(self, document: PrefabDocument, chain: tuple[str, ...]) -> _MergedPrefab:
        chain = (*chain, document.id)
        components: dict[str, Merged] = {}
        children: Children = {}
        lineage = {document.id}
        depth = 1
        errors = Errors()
        for reference in document.extends:
            if errors.full or len(lineage) > 1 + MOST_ANCESTORS:
                break
            with errors:
                parent = self._merged_prefab(self._follow(reference, document, chain), chain)
                if parent.depth >= DEEPEST:
                    # By this way it is too deep, though it was reached by a shorter one before.
                    raise _too_deep(document, reference, document.id)
                depth = max(depth, 1 + parent.depth)
                lineage |= parent.lineage
                if len(lineage) > 1 + MOST_ANCESTORS:
                    message = f"more than {MOST_ANCESTORS} prefabs extended, by its parents, too"
                    raise document.file.error(reference.at, message)
                for name, merged in parent.components.items():
                    merge(components, name, merged)
                # A name replaces that name, in its place; what two parents inherit from one
                # grandparent is there once.
                children |= parent.children
        errors.raise_all()
        with errors:
            remove(components, document.removed, document)
        for name, part in document.components.items():
            merge(components, name, Merged(part.fields, document, part.at))
        for child in document.children:
            with errors:
                change_child(children, child, document)
        errors.raise_all()
        return _MergedPrefab(document, components, children, frozenset(lineage), depth)

    # ---------------------------------------------------------------------------------- children

    def _prefab(self, document: PrefabDocument, chain: tuple[str, ...]) -> _Finished:
        known = self._resolved.get(document.id)
        if known is not None:
            return known
        self._failed.raise_known(document.id)
        errors = Errors()
        with errors:
            merged_prefab = self._merged_prefab(document, chain)
            known = self._assemble(merged_prefab, merged_prefab.components, chain)
            self._resolved[document.id] = known
            return known
        failed = errors.several()
        self._failed.note(document.id, failed)
        raise failed

    def _assemble(
        self, merged_prefab: _MergedPrefab, components: Mapping[str, Merged], chain: tuple[str, ...]
    ) -> _Finished:
        chain = (*chain, merged_prefab.document.id)
        errors = Errors()
        needs: set[Dependency] = set()
        for name, merged in components.items():
            with errors:
                needs.update(self._checked(name, merged, merged_prefab.document))
        files = {file_of(ancestor) for ancestor in merged_prefab.lineage}
        children: list[Child] = []
        size, depth = 1, merged_prefab.depth
        for child in merged_prefab.children.values():
            if size > MOST_PARTS or errors.full:
                break
            with errors:
                way = self._way_to(child.owner, merged_prefab.document)
                prefab, inside, levels = self._child(child, (*chain, *way))
                size += inside
                if size > MOST_PARTS:
                    message = f"more than {MOST_PARTS:,} prefabs inside one"
                    raise child.owner.file.error(child.prefab.at, message)
                depth = max(depth, 1 + len(way) + levels)
                if depth > DEEPEST:
                    raise _too_deep(child.owner, child.prefab, chain[-1])
                placement = msgspec.convert(child.placement, Transform)
                children.append(Child(child.name, placement, prefab))
                files.update(prefab.built_from)
                needs.update(prefab.needs)
        errors.raise_all()
        prefab = Prefab(
            id=merged_prefab.document.id,
            components={name: merged.fields for name, merged in components.items()},
            children=tuple(children),
            needs=tuple(sorted(needs)),
            built_from=tuple(sorted(files)),
        )
        return _Finished(prefab, size, depth)

    def _child(self, child: MergedChild, chain: tuple[str, ...]) -> _Finished:
        """A child, worked out; the chain ends with the prefab that the child was inherited from."""
        document = self._follow(child.prefab, child.owner, chain)
        if document.abstract:
            raise _abstract(document, child.owner, child.prefab.at)
        # Without changes it is the prefab itself, which is worked out once for all its users.
        plain = self._prefab(document, chain)
        changes = [(user, change) for user, change in child.changes if change.changes_components]
        if not changes:
            return plain
        merged_prefab = self._merged_prefab(document, chain)
        components = dict(merged_prefab.components)
        for user, change in changes:
            remove(components, change.removed, user)
            for name, part in change.overrides.items():
                merge(components, name, Merged(part.fields, user, part.at))
        return self._assemble(merged_prefab, components, chain)

    def _check_children(self, merged_prefab: _MergedPrefab) -> None:
        """Raise what is wrong with the children of an abstract prefab, as their files have them."""
        errors = Errors()
        for child in merged_prefab.children.values():
            with errors:
                way = self._way_to(child.owner, merged_prefab.document)
                self._child(replace(child, changes=()), (merged_prefab.document.id, *way))
        errors.raise_all()

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
        return self._merged[document.id].lineage

    def _checked(self, name: str, merged: Merged, user: PrefabDocument) -> Iterator[Dependency]:
        """What a finished component needs; building one shows that the class takes it."""
        component = self._registry.get(name)
        assert component is not None  # reading the file looked it up
        try:
            component.build(merged.fields)
        except PrefabError as error:
            message = error.message
            if merged.document is not user:
                message += f", which {user.id} needs"
            raise merged.document.file.error(merged.at, message) from error
        for kind, needed in component.converter.names(merged.fields):
            if kind != "sprite_class":
                yield Dependency(kind, needed)


def _changes(child: MergedChild) -> list[Any]:
    """What documents change in a child, one after the other, the basis first."""
    return [
        [{name: part.fields for name, part in change.overrides.items()}, *change.removed]
        for _, change in child.changes
    ]


def _abstract(document: PrefabDocument, user: PrefabDocument, at: At) -> PrefabError:
    message = f"{document.id} is abstract: it can be extended, but not used itself"
    return user.file.error(at, message)


def shown_way(names: Sequence[str]) -> str:
    """Names of what leads to each other, for a message: the first ones and the last ones.

    Each file of a circle tells it: all of their names in each would be the square of them.

    Any thread.
    """
    shown = names if len(names) <= 8 else (*names[:4], "…", *names[-3:])
    return " → ".join(shown)


def _too_deep(user: PrefabDocument, reference: Reference, first: str) -> PrefabError:
    message = f"more than {DEEPEST} prefabs extend or contain each other"
    return user.file.error(reference.at, f"{message}: {first} → … → {reference.id}")


# ------------------------------------------------------------- one document, laid over another


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
