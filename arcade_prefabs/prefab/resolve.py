"""Resolves inheritance: makes a `Prefab` that needs no other file from `PrefabDocument`s.

**Rules.** A document's own fields override those of the last prefab that it extends, which override
those of the one before. Components are merged field by field; the value of a field is replaced as a
whole. A child with the name of an inherited child changes that child; any other child is added.

**Problem.** Files refer to each other as they like. They can form cycles, long chains, and trees
that double at every level: thirty small files can describe a billion parts. One broken file can
break a thousand others, and the author wants to see that one mistake. All of this has to end
quickly, with an error at the line that the author has to change.

**Way taken.** Two steps, each with a memory, so that shared parents are resolved once:

1. `_merged_prefab` merges a document with all its ancestors. Children stay references to prefabs,
   because a derived prefab may still change or replace them.
2. `_assemble` resolves the children, checks that each component can be built, and makes the
   `Prefab`.

Both walk down with the chain of ids that led to the current prefab. A prefab that is in its own
chain is a cycle; chains, ancestors and parts have limits (`DEEPEST`, `MOST_ANCESTORS`,
`MOST_PARTS`). Failures are remembered, too, because otherwise every user of a broken prefab would
try it again, 2^n times in a tree that doubles. A failure that was caused by the chain itself (a
cycle, or too many levels) is forgotten after the call: the same prefab may be sound by another
chain.

**Rejected.** Sorting all files topologically first: a bake task should read only the files of one
prefab. Inheritance at run time, as Python's classes have it: each spawn would pay for it, and no
prefab could be loaded by itself.
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
"""Takes the id of a file and returns the checked file; raises MissingPrefabError, RonError or
OSError."""

DEEPEST: Final = 64
"""The longest chain of prefabs that extend or contain each other; real games have under ten."""

MOST_PARTS: Final = 10_000
"""The most parts of a prefab: thirty files that each contain the next one twice would make a
billion."""

MOST_ANCESTORS: Final = 256
"""The most prefabs that one prefab inherits from, directly or not; real games have under twenty.
The bake store lists all ancestors of each derived prefab: its size would grow with the square."""


# The most errors of one resolver that get a hint with similar names, as each hint compares all ids.
_MOST_HINTS: Final = 100


@dataclass(frozen=True, slots=True)
class _MergedPrefab:
    """A prefab with everything that it inherits, its children still unresolved."""

    document: PrefabDocument
    components: dict[str, Merged]
    children: Children
    lineage: frozenset[str]  # its own id and those of all its ancestors
    depth: int  # prefabs in the longest chain of ancestors, itself included


class AbstractPrefab(NamedTuple):
    """The part of an abstract prefab that derived prefabs take over.

    Attributes:
        data: Its components and children as JSON values. If these are equal before and after an
            edit, derived prefabs can change only through the prefabs of the children.
        parts: The ids of its children's prefabs.
    """

    data: list[Any]
    parts: tuple[str, ...]


class _Finished(NamedTuple):
    """A resolved prefab, the number of its parts, and its longest chain of prefabs."""

    prefab: Prefab
    size: int
    depth: int


class _Failures:
    """Errors of prefabs that could not be resolved, by id: those of this call, and lasting ones."""

    def __init__(self) -> None:
        self._now: dict[str, MultipleErrors] = {}
        self._lasting: dict[str, MultipleErrors] = {}

    def note(self, identifier: str, several: MultipleErrors) -> None:
        """Remembers that a prefab failed in the present call."""
        self._now[identifier] = several

    def raise_known(self, identifier: str) -> None:
        """Raises the remembered errors of a prefab, if there are any."""
        known = self._now.get(identifier) or self._lasting.get(identifier)
        if known is not None:
            # Each raise adds frames to the traceback, which would keep them in memory.
            raise known.with_traceback(None)

    def end_call(self, *, keep: bool) -> None:
        """Forgets the failures of the present call or, with ``keep``, makes them lasting."""
        if keep:
            self._lasting.update(self._now)
        self._now.clear()


class Resolver:
    """Resolves prefabs, and remembers the results, so that shared parents are read once.

    A resolver sees each file as it was when it read it first: make a new resolver after an edit.

    Args:
        load: Returns the checked file of an id.
        registry: The components that the files may name; None for the `default_registry`.
        known_ids: Returns the ids of all prefabs, for hints about misspelt ones.

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
        # Prefabs that could not be resolved, or not even merged. Without this memory, each user
        # would try them again, 2^n times in a tree that doubles.
        self._failed = _Failures()
        self._failed_merges = _Failures()
        # Whether the present call met a cycle or too long a chain. Prefabs that failed because of
        # it may be sound when they are reached by another chain.
        self._chain_failed = False
        self._hints_left = _MOST_HINTS

    def resolve(self, identifier: str) -> Prefab:
        """Returns the prefab with an id, in any spelling, with everything that it inherits.

        Raises:
            PrefabError: The prefab, or one that it is built from, cannot be used; often a subclass:
                `MissingPrefabError`, `PrefabCycleError` or `UnknownNameError`.
            RonError: One of the files is not RON.
            ValueError: ``identifier`` is no valid id.
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
        """Returns all errors that make a prefab unusable.

        An abstract prefab may lack required fields.
        """
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

    def abstract_prefab(self, identifier: str) -> AbstractPrefab:
        """Returns what derived prefabs take over from an abstract prefab and its ancestors.

        Raises:
            PrefabError: The prefab, or one that it is built from, cannot be used.
            RonError: One of the files is not RON.
            ValueError: ``identifier`` is no valid id.
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
        """Returns which prefabs a prefab's children and components come from, as JSON values.

        Derived prefabs depend on this although the prefab's own data does not show it. A prefab
        that extends two others gets a child without a name once if both inherit it from the same
        prefab, and twice if each has a child of its own.

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
        """Returns the checked document of an id, before inheritance.

        Raises:
            PrefabError, RonError: The file, or the prefab in it, cannot be used.
            ValueError: ``identifier`` is no valid id.
        """
        return self._document(prefab_id(identifier))

    def _forget_failures(self) -> None:
        """Keeps the failures of the last call, unless its chain of prefabs may have caused them."""
        for failures in (self._failed, self._failed_merges):
            failures.end_call(keep=not self._chain_failed)
        self._chain_failed = False

    # --------------------------------------------------------------------------------- documents

    def _document(self, identifier: str) -> PrefabDocument:
        document = self._documents.get(identifier)
        if document is None:
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
            document = self._documents[identifier] = file.prefab(label)
        return document

    def _follow(
        self, reference: Reference, user: PrefabDocument, chain: tuple[str, ...]
    ) -> PrefabDocument:
        """Returns the document that ``user`` refers to.

        Args:
            reference: The reference.
            user: The document that contains it.
            chain: The ids of the prefabs that led here.

        Raises:
            PrefabCycleError: The reference leads back into the chain.
            PrefabError: The chain is too long, or the prefab cannot be used.
        """
        if reference.id in chain:
            circle = shown_way((*chain[chain.index(reference.id) :], reference.id))
            message = f"a prefab cannot contain or extend itself: {circle}"
            self._chain_failed = True
            raise user.file.error(reference.at, message, kind=PrefabCycleError)
        if len(chain) >= DEEPEST:
            self._chain_failed = True
            raise _too_deep(user, reference, chain[0])
        try:
            return self._document(reference.id)
        except PrefabError as error:
            # The error about a missing file or label gets the location of the reference.
            if error.line is not None:
                raise
            raise user.file.error(
                reference.at, error.message, hint=error.hint, kind=type(error)
            ) from None

    # ------------------------------------------------------------------------------- inheritance

    def _merged_prefab(self, document: PrefabDocument, chain: tuple[str, ...]) -> _MergedPrefab:
        merged = self._merged.get(document.id)
        if merged is None:
            self._failed_merges.raise_known(document.id)
            try:
                merged = self._merged[document.id] = self._merge(document, chain)
            except MultipleErrors as several:
                self._failed_merges.note(document.id, several)
                raise
        return merged

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
                    # The parent was reached by a shorter chain before; by this one it is too deep.
                    raise _too_deep(document, reference, document.id)
                depth = max(depth, 1 + parent.depth)
                lineage |= parent.lineage
                if len(lineage) > 1 + MOST_ANCESTORS:
                    message = f"more than {MOST_ANCESTORS} prefabs extended, by its parents, too"
                    raise document.file.error(reference.at, message)
                for name, merged in parent.components.items():
                    merge(components, name, merged)
                # A child of the same name is replaced and keeps its index; a child that two
                # parents inherit from one grandparent exists once.
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
        finished = self._resolved.get(document.id)
        if finished is not None:
            return finished
        self._failed.raise_known(document.id)
        errors = Errors()
        with errors:
            merged_prefab = self._merged_prefab(document, chain)
            finished = self._assemble(merged_prefab, merged_prefab.components, chain)
            self._resolved[document.id] = finished
            return finished
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
                ids = self._ids_to(child.owner, merged_prefab.document)
                prefab, inside, levels = self._child(child, (*chain, *ids))
                size += inside
                if size > MOST_PARTS:
                    message = f"more than {MOST_PARTS:,} prefabs inside one"
                    raise child.owner.file.error(child.prefab.at, message)
                depth = max(depth, 1 + len(ids) + levels)
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
        """Returns the resolved prefab of a child, with the child's overrides applied.

        ``chain`` ends with the prefab that the child was inherited from.
        """
        document = self._follow(child.prefab, child.owner, chain)
        if document.abstract:
            raise _abstract(document, child.owner, child.prefab.at)
        # A child without changes is the prefab itself, which is resolved once for all its users.
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
        """Raises the errors of an abstract prefab's children, resolved without their overrides."""
        errors = Errors()
        for child in merged_prefab.children.values():
            with errors:
                ids = self._ids_to(child.owner, merged_prefab.document)
                self._child(replace(child, changes=()), (merged_prefab.document.id, *ids))
        errors.raise_all()

    def _ids_to(self, owner: PrefabDocument, derived: PrefabDocument) -> tuple[str, ...]:
        """Returns the ids from a parent of ``derived`` to its ancestor ``owner``; none if equal."""
        if owner is derived:
            return ()
        for reference in derived.extends:
            parent = self._documents[reference.id]
            if owner.id in self._ancestors(parent):
                return (parent.id, *self._ids_to(owner, parent))
        raise AssertionError(f"{derived.id} does not inherit from {owner.id}")

    def _ancestors(self, document: PrefabDocument) -> frozenset[str]:
        return self._merged[document.id].lineage

    def _checked(self, name: str, merged: Merged, user: PrefabDocument) -> Iterator[Dependency]:
        """Yields the dependencies of a merged component after a test whether it can be built."""
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
    """Returns the changes of a child, first those of the most distant ancestor, as JSON values."""
    return [
        [{name: part.fields for name, part in change.overrides.items()}, *change.removed]
        for _, change in child.changes
    ]


def _abstract(document: PrefabDocument, user: PrefabDocument, at: At) -> PrefabError:
    message = f"{document.id} is abstract: it can be extended, but not used itself"
    return user.file.error(at, message)


def shown_way(names: Sequence[str]) -> str:
    """Returns a chain of names for a message: ``a → b → c``; of a long chain only both ends.

    Every file of a cycle reports it; all names in each report would be the square of their number.

    Any thread.
    """
    shown = names if len(names) <= 8 else (*names[:4], "…", *names[-3:])
    return " → ".join(shown)


def _too_deep(user: PrefabDocument, reference: Reference, first: str) -> PrefabError:
    message = f"more than {DEEPEST} prefabs extend or contain each other"
    return user.file.error(reference.at, f"{message}: {first} → … → {reference.id}")


# ------------------------------------------------------- one document merged over another


@dataclass(frozen=True, slots=True)
class Merged:
    """A component during inheritance: its fields so far, and where a file wrote it last."""

    fields: dict[str, Any]
    document: PrefabDocument
    at: At


@dataclass(frozen=True, slots=True)
class MergedChild:
    """A child during inheritance.

    Attributes:
        name: Its name, or None.
        prefab: The prefab of the child.
        owner: The document that names this prefab.
        placement: The transform fields that are written.
        changes: The documents that write this child with its entries, the most distant ancestor
            first.
    """

    name: str | None
    prefab: Reference
    owner: PrefabDocument
    placement: dict[str, Any]
    changes: tuple[tuple[PrefabDocument, ChildDocument], ...]


Children: TypeAlias = "dict[str | int, MergedChild]"
"""Children by name; children without a name, which no derived prefab can change, by a unique
number."""


def merge(components: dict[str, Merged], name: str, merged: Merged) -> None:
    """Adds a component; fields that it leaves out come from the inherited one of its name."""
    below = components.get(name)
    if below is not None:
        merged = Merged({**below.fields, **merged.fields}, merged.document, merged.at)
    components[name] = merged


def remove(
    components: dict[str, Merged], removed: Mapping[str, At], document: PrefabDocument
) -> None:
    """Removes inherited components; the name of a component that is not inherited is an error."""
    errors = Errors()
    for name, at in removed.items():
        with errors:
            if components.pop(name, None) is None:
                message = f"`{name}` cannot be removed, for it is not inherited"
                raise document.file.error(at, message, hint=did_you_mean(name, components))
    errors.raise_all()


def change_child(children: Children, child: ChildDocument, document: PrefabDocument) -> None:
    """Adds a child of a document, or merges it over the inherited child of its name."""
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
    # An entry that names another prefab drops the earlier changes, which were made for the old one.
    own = (document, child)
    children[key] = MergedChild(
        name=child.name,
        prefab=child.prefab or below.prefab,
        owner=below.owner if child.prefab is None else document,
        placement={**below.placement, **child.placement},
        changes=(own,) if child.prefab is not None else (*below.changes, own),
    )
