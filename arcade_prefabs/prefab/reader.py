"""Reads and checks the text of prefab files; the result is a `PrefabFile`.

A file contains one ``Prefab(...)``, or several in a ``Library(...)``, each under a label::

    Library(
        gate: Prefab(components: [...]),
        tower: Prefab(extends: "#gate"),
    )
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from ..errors import PrefabError, RonError, UnknownNameError, shown
from ..ron import Document, Ident, Map, Struct, TupleStruct, Unit, Value, parse
from ..ron.document import position_of, source_line
from .asset_ids import asset_path, is_label, prefab_id, split_id
from .converters import At, Report, kind_of
from .document import (
    OLD_WORDS,
    ChildDocument,
    ComponentDocument,
    PrefabDocument,
    PrefabFile,
    Reference,
    Transform,
)
from .error_collector import Hint
from .field_types import compile_type
from .registry import ComponentRegistry, default_registry, unknown_sprite_class
from .suggestions import did_you_mean, other_word

__all__ = ["PLACEMENT_FIELDS", "DocumentReader", "Refuse", "parse_file", "read_prefabs"]

Refuse: TypeAlias = "Callable[[str, str], PrefabError | None]"
"""Checks a name in a file: takes its kind (``texture``, ``prefab``...) and normalised spelling;
returns an error, or None if the name is fine."""

_SEVERAL: Final = "several prefabs stand in `Library(label: Prefab(...), ...)`"
_ONE_WORLD: Final = (
    "a file holds one world: all entities stand in its list, or in files that it names, "
    "`include: [...]`"
)
# Hints for a second document in one file: by the file's kind, then by the second document's kind.
_SECOND: Final = {
    "Prefab": {
        "Prefab": _SEVERAL,
        "Library": _SEVERAL,
        "World": "a world stands below the folder `worlds`: move it there",
    },
    "World": {
        "Prefab": "prefabs stand below the folder `prefabs`: move it there",
        "Library": "prefabs stand below the folder `prefabs`: move it there",
        "World": _ONE_WORLD,
    },
}
# A second document, with the commas, white space and comments in front of it.
_BEHIND: Final = re.compile(
    r"(?:[\s,]|//[^\n]*|/\*.*?\*/)*+(?P<name>Prefab|Library|World)\b", re.DOTALL
)
_PREFAB_FIELDS: Final = ("extends", "components", "remove", "children", "abstract")
_PLACEMENT: Final = compile_type(Transform)
PLACEMENT_FIELDS: Final = tuple(_PLACEMENT.fields)
"""The fields of a `Transform`, which children and world entities have among their own."""
# Components whose fields authors often write directly into prefabs and children by mistake.
_OFTEN: Final = ("Sprite", "Text", "Sound", "Animation", "Collider")
_CHILD_FIELDS: Final = ("name", "prefab", *PLACEMENT_FIELDS, "overrides", "remove")


def read_prefabs(
    text: str | bytes,
    identifier: str,
    *,
    registry: ComponentRegistry | None = None,
    path: str | os.PathLike[str] | None = None,
    refuse: Refuse | None = None,
) -> PrefabFile:
    """Reads and checks the text of a prefab file.

    Only this file is checked; `Resolver` reads the prefabs that it extends.

    Args:
        text: The RON text, or its UTF-8 bytes.
        identifier: The file's id, in any spelling that `prefab_id` accepts.
        registry: The components that the file may name; None for the `default_registry`.
        path: The file name for errors; None for the id.
        refuse: Returns an error for a texture, sound, prefab or other file that cannot be used. If
            None, only the form of the paths is checked.

    Returns:
        The file. Its `errors` are all mistakes found; `raise_errors` raises the first.

    Raises:
        RonError: The text is not RON.
        ValueError: ``identifier`` is no valid id.

    Any thread.
    """
    identifier = split_id(prefab_id(identifier))[0]
    shown = identifier if path is None else os.fspath(path)
    document = parse_file(text, shown, "Prefab(components: [...])")
    file = PrefabFile(identifier, shown, document)
    registry = default_registry if registry is None else registry
    reader = DocumentReader(file, registry, refuse)
    file.prefabs = MappingProxyType(reader.file(document.value))
    file.links = tuple(reader.links)
    file.errors = file.problems.found()
    return file


def parse_file(text: str | bytes, shown_path: str, example: str) -> Document:
    """Returns the RON document of a prefab or world file.

    Args:
        text: The RON text, or its UTF-8 bytes.
        shown_path: The file name for errors.
        example: The form of such a file for hints: ``Prefab(...)`` or ``World(...)``.

    Raises:
        RonError: The text is not RON; the hint is about prefabs and worlds.
    """
    try:
        return parse(text, path=shown_path)
    except RonError as error:
        if not text.strip():
            error.hint = f"the file is empty; write `{example}`"
        elif error.message.startswith("expected the end"):
            raise _second_document(error, text, example.partition("(")[0]) from None
        raise


def _second_document(error: RonError, text: str | bytes, kind: str) -> RonError:
    """Returns a better error for a second document in one file, or ``error`` for other text."""
    text = (text if isinstance(text, str) else text.decode()).removeprefix("\ufeff")
    start = 0
    for _ in range((error.line or 1) - 1):
        start = text.index("\n", start) + 1
    found = _BEHIND.match(text, start + (error.column or 1) - 1)
    if found is None:
        return error
    name = found["name"]
    line, column, offset = position_of(text, found.start("name"))
    return RonError(
        f"expected the end of the text behind the value, found `{name}`",
        path=error.path,
        line=line,
        column=column,
        source_line=source_line(text, offset),
        hint=_SECOND[kind][name],
    )


def _as_struct(value: Value) -> Value:
    """Returns `Prefab()` and `Library()`, which RON reads as tuples, as structs without fields."""
    if isinstance(value, TupleStruct) and not value.values and value.name in ("Prefab", "Library"):
        return Struct(value.name)
    return value


def _form_hint(value: Value) -> str:
    """Returns a hint for a file that contains no `Prefab` or `Library`."""
    if isinstance(value, Map):
        return "this looks like JSON; a prefab looks like `Prefab(components: [...])`"
    if isinstance(value, Struct) and value._name is None:
        return "write `Prefab` in front of the bracket"
    name = value._name if isinstance(value, Struct) else getattr(value, "name", None)
    if name == "Prefab":
        return "components stand in a list: `Prefab(components: [...])`"
    if name == "Library":
        return "each prefab has a label: `Library(wall: Prefab(...))`"
    if name is not None and difflib.get_close_matches(name[:20].title(), ("Prefab", "Library")):
        return did_you_mean(name, ("Prefab", "Library"))
    if name == "World":
        return "a world stands below the folder `worlds`: move the file there"
    return _SEVERAL


class DocumentReader:
    """Reads the value of a prefab file; mistakes are added to the file's `problems`. One thread."""

    def __init__(
        self,
        file: PrefabFile,
        registry: ComponentRegistry,
        refuse: Refuse | None,
    ) -> None:
        self._file = file
        self._registry = registry
        self._report = file.problems.report
        self._refuse = refuse
        self.links: list[Reference] = []

    def file(self, value: Value) -> dict[str | None, PrefabDocument]:
        """Returns the prefabs of a file, by label."""
        value = _as_struct(value)
        if isinstance(value, Struct) and value._name == "Prefab":
            return {None: self._prefab(value, self._file.id, None)}
        if not isinstance(value, Struct) or value._name != "Library":
            message = f"expected `Prefab(...)` or `Library(...)`, found {kind_of(value)}"
            if isinstance(value, TupleStruct) and value.name in ("Prefab", "Library"):
                message = f"the parts of a {value.name} have names"
            self._report(None, message, hint=partial(_form_hint, value))
            return {}
        prefabs: dict[str | None, PrefabDocument] = {}
        for label, item in value._items():
            at: At = (None, label, label)
            item = _as_struct(item)
            if label in prefabs:
                self._report(at, f"the label `{label}` stands twice", key=True)
            elif not is_label(label):
                self._report(at, f"the label `{shown(label)}` is no plain name", key=True)
            elif isinstance(item, Struct) and item._name == "Prefab":
                prefabs[label] = self._prefab(item, f"{self._file.id}#{label}", at)
            else:
                hint = None if isinstance(item, int | str) else partial(_form_hint, item)
                self._report(at, f"expected `Prefab(...)`, found {kind_of(item)}", hint=hint)
        return prefabs

    def _prefab(self, struct: Struct, identifier: str, at: At | None) -> PrefabDocument:
        given = self.fields(struct, _PREFAB_FIELDS, at)
        components = self.components(given.get("components", []), (at, "components", "components"))
        children = given.get("children", [])
        abstract = given.get("abstract", False)
        if not isinstance(abstract, bool):
            message = f"expected `true` or `false`, found {kind_of(abstract)}"
            self._report((at, "abstract", "abstract"), message)
        return PrefabDocument(
            id=identifier,
            file=self._file,
            extends=self._extends(given.get("extends", []), (at, "extends", "extends")),
            components=components,
            removed=self.removed(given.get("remove", []), components, (at, "remove", "remove")),
            children=self._children(children, (at, "children", "children")),
            abstract=abstract is True,
            at=(at, "Prefab", ""),  # no such field: the location is that of the prefab itself
        )

    def fields(self, struct: Struct, known: tuple[str, ...], at: At | None) -> dict[str, Any]:
        """Returns the fields of a struct; unknown and repeated fields are reported.

        A field of an old word (`OLD_WORDS`) keeps that word here, so that errors show it.
        """
        given: dict[str, Any] = {}
        for field_name, value in struct._items():
            location: At = (at, field_name, field_name)
            new_word = OLD_WORDS.get(field_name, field_name)
            if field_name not in known and new_word not in known:
                hint: Hint = partial(self._field_hint, field_name, known)
                message = f"unknown field `{shown(field_name)}`"
                self._report(location, message, hint=hint, kind=UnknownNameError, key=True)
            elif field_name in given:
                self._report(location, f"the field `{field_name}` stands twice", key=True)
            elif any(OLD_WORDS.get(other, other) == new_word for other in given):
                twice = f"the field `{new_word}` stands twice: once by its old word"
                self._report(location, twice, key=True)
            else:
                given[field_name] = value
        return given

    def _field_hint(self, name: str, known: tuple[str, ...]) -> str:
        """Returns a hint for an unknown field: where it belongs, or its right name."""
        placed = name in PLACEMENT_FIELDS or other_word(name, PLACEMENT_FIELDS) is not None
        if "extends" in known and placed:
            return "a prefab has no position of its own: a world or your code sets it"
        where = next((one for one in ("components", "overrides") if one in known), None)
        if where is not None and other_word(name, known) is None:
            if name in self._registry:
                return f"components stand in a list: {where}: [...]"
            folded = name.casefold()
            for component in self._registry.names():
                if component.casefold() == folded:
                    return f"components stand in a list: {where}: [{component}(...)]"
            for component in _OFTEN:
                found = self._registry.get(component)
                field = name if found is None else other_word(name, found.converter.fields) or name
                if found is not None and field in found.converter.fields:
                    return f"it is a field of `{component}`: {where}: [{component}({field}: ...)]"
        return did_you_mean(name, known)

    def listed(self, value: Value, at: At, what: str) -> list[Value]:
        """Returns the items of a list; any other value is reported and counts as an empty list.

        Args:
            value: The value.
            at: Its location.
            what: The items' name for messages, such as "children".
        """
        if isinstance(value, Unit):
            return []
        if not isinstance(value, list | tuple):
            self._report(at, f"expected a list of {what}, found {kind_of(value)}")
            return []
        return list(value)

    def _extends(self, value: Value, at: At) -> tuple[Reference, ...]:
        if not isinstance(value, list | tuple | Unit):
            reference = self.reference(value, at)
            return () if reference is None else (reference,)
        references: dict[str, Reference] = {}
        for i, item in enumerate(self.listed(value, at, "prefabs")):
            location: At = (at, i, f"[{i}]")
            reference = self.reference(item, location)
            if reference is not None and reference.id in references:
                self._report(location, f"{reference.id} is extended twice")
            elif reference is not None:
                references[reference.id] = reference
        return tuple(references.values())

    def reference(self, value: Value, at: At) -> Reference | None:
        """Returns the prefab that a value names; other values are reported, and None returned."""
        if not isinstance(value, str):
            hint = f'write "{shown(value.name)}"' if isinstance(value, Ident) else None
            message = f"expected a prefab's id in quotes, found {kind_of(value)}"
            self._report(at, message, hint=hint)
            return None
        try:
            return Reference(prefab_id(value, base=self._file.id), at)
        except ValueError as error:
            self._report(at, str(error))
            return None

    def components(self, value: Value, at: At) -> Mapping[str, ComponentDocument]:
        """Returns the components of a list with the fields that are written, by name."""
        parts: dict[str, ComponentDocument] = {}
        for i, item in enumerate(self.listed(value, at, "components")):
            location: At = (at, i, f"[{i}]")
            name = item._name if isinstance(item, Struct) else getattr(item, "name", None)
            if name is None:
                hint = "components look like `Health(max: 20)`"
                self._report(location, f"expected a component, found {kind_of(item)}", hint=hint)
                continue
            component = self._registry.get(name)
            if component is None:
                near = partial(did_you_mean, name, self._registry.names())
                message = f"unknown component `{shown(name)}`"
                self._report(location, message, hint=near, kind=UnknownNameError)
            elif name in parts:
                self._report(location, f"the component `{name}` stands twice")
            else:
                named: At = (at, i, name)
                fields = component.converter.given(item, named, self._report, self.checked)
                parts[name] = ComponentDocument(fields, named)
        return MappingProxyType(parts)

    def removed(
        self, value: Value, components: Mapping[str, ComponentDocument], at: At
    ) -> Mapping[str, At]:
        """Returns the component names of a `remove` list, with their locations."""
        removed: dict[str, At] = {}
        for i, item in enumerate(self.listed(value, at, "component names")):
            location: At = (at, i, f"[{i}]")
            name = item.name if isinstance(item, Ident) else item
            if not isinstance(name, str):
                self._report(location, f"expected a component's name, found {kind_of(item)}")
            elif name not in self._registry:
                hint = partial(did_you_mean, name, self._registry.names())
                message = f"unknown component `{shown(name)}`"
                self._report(location, message, hint=hint, kind=UnknownNameError)
            elif name in components:
                self._report(location, f"`{name}` is both given and removed")
            else:
                removed[name] = location
        return MappingProxyType(removed)

    def _children(self, value: Value, at: At) -> tuple[ChildDocument, ...]:
        children: list[ChildDocument] = []
        names: set[str] = set()
        for i, item in enumerate(self.listed(value, at, "children")):
            location: At = (at, i, f"[{i}]")
            if not isinstance(item, Struct) or item._name not in (None, "Child"):
                hint = (
                    'children look like `(name: "lamp", prefab: "props/lamp", position: (0, 32))`'
                )
                self._report(location, f"expected a child, found {kind_of(item)}", hint=hint)
                continue
            child = self._child(item, location)
            if child.name is not None and child.name in names:
                self._report(
                    (location, "name", ".name"), f"the child `{shown(child.name)}` stands twice"
                )
                continue
            if child.name is not None:
                names.add(child.name)
            children.append(child)
        return tuple(children)

    def _child(self, struct: Struct, at: At) -> ChildDocument:
        given = self.fields(struct, _CHILD_FIELDS, at)
        name = given.get("name")
        if name is not None and (not isinstance(name, str) or not name):
            self._report((at, "name", ".name"), f"expected text in quotes, found {kind_of(name)}")
            name = None
        prefab = None
        if "prefab" in given:
            prefab = self.reference(given["prefab"], (at, "prefab", ".prefab"))
        elif name is None:
            self._report(at, "a child needs a `prefab`, or the `name` of an inherited child")
        placement = self.placement(given, at, self._report)
        overrides = self.components(given.get("overrides", []), (at, "overrides", "overrides"))
        removed = self.removed(given.get("remove", []), overrides, (at, "remove", "remove"))
        return ChildDocument(
            name=None if name is None else str(name),
            prefab=prefab,
            placement=placement,
            overrides=overrides,
            removed=removed,
            at=(at, "child", ""),
        )

    def placement(self, given: Mapping[str, Any], at: At, report: Report) -> dict[str, Any]:
        """Returns the fields of a `Transform` among those of a child or an entity, converted."""
        placed: dict[str, Any] = {}
        for word, value in given.items():
            field_name = OLD_WORDS.get(word, word)
            converter = _PLACEMENT.fields.get(field_name)
            if converter is not None:
                place: At = (at, word, f".{word}")
                placed[field_name] = converter.lower(value, place, report, self.checked)
        return placed

    def checked(self, kind: str, name: str, at: At) -> str:
        """Returns the normalised spelling of a name of some kind; see `Checked`."""
        if kind == "prefab":
            link = Reference(prefab_id(name, base=self._file.id), at)
            self.links.append(link)
            self._raise_refused(kind, link.id)
            return link.id
        if kind == "sprite_class":
            known = self._registry.sprite_class_names()
            if name not in known:
                raise unknown_sprite_class(name, known)
            return name
        path = asset_path(name)
        if "#" in path:
            message = f"a {kind} cannot have a `#` in its name, which begins a label: {shown(path)}"
            raise PrefabError(message, hint="rename the file")
        self._raise_refused(kind, path)
        return path

    def _raise_refused(self, kind: str, name: str) -> None:
        error = None if self._refuse is None else self._refuse(kind, name)
        if error is not None:
            raise error
