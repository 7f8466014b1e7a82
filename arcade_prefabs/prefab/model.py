"""What a prefab is once everything that it inherits was worked out: plain data, ready to bake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from .document import Transform
from .registry import ComponentRegistry, default_registry

__all__ = ["Child", "Dependency", "Prefab"]


class Dependency(NamedTuple):
    """Something that a prefab needs at run time: its kind (``texture``, ``sound``...) and name."""

    kind: str
    name: str


class Child(msgspec.Struct, frozen=True, gc=False):
    """A part of a prefab that is a prefab itself.

    Attributes:
        name: Its name among its siblings, or None.
        placement: Where it stands in its parent.
        prefab: What it is, with the overrides of the parent already in it.
    """

    name: str | None
    placement: Transform
    prefab: Prefab


class Prefab(msgspec.Struct, frozen=True, gc=False):
    """A prefab with all that it inherits, as plain data.

    Attributes:
        id: Its full id, such as ``prefabs/props/crate.ron``.
        components: The fields of every component, by its name; fields that no file gives are left
            out and take their defaults when the component is built.
        children: Its parts.
        needs: Textures, sounds and other prefabs that it and its children name: to be there at
            run time. Sorted, each once.
        built_from: Ids of all files that it was made from, its own among them: when one of them
            changes, the prefab does. Sorted.
    """

    id: str
    components: dict[str, dict[str, Any]]
    children: tuple[Child, ...] = ()
    needs: tuple[Dependency, ...] = ()
    built_from: tuple[str, ...] = ()

    def build(self, registry: ComponentRegistry | None = None) -> list[Any]:
        """New, typed components of this prefab, without those of its children.

        Example:
            >>> from arcade_prefabs.prefab import Tags
            >>> Prefab("prefabs/rock.ron", {"Tags": {"names": ["grey"]}}).build()
            [Tags(names=['grey'])]

        Raises:
            UnknownNameError: A component is not registered.
            PrefabError: A component refuses its fields.

        Any thread.
        """
        registry = default_registry if registry is None else registry
        return [registry.build(name, fields) for name, fields in self.components.items()]

    def walk(self) -> Iterator[Prefab]:
        """This prefab and all prefabs inside it, parents first."""
        yield self
        for child in self.children:
            yield from child.prefab.walk()
