"""A `Prefab` with everything it inherits, as plain data: the input of the bake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from .document import Transform
from .registry import ComponentRegistry, default_registry

__all__ = ["Child", "Dependency", "Prefab"]


class Dependency(NamedTuple):
    """An asset that a prefab needs at run time: kind (``texture``, ``sound``...) and asset id."""

    kind: str
    name: str


class Child(msgspec.Struct, frozen=True, gc=False):
    """A prefab placed inside another one.

    Attributes:
        name: Its name, unique among its siblings, or None.
        placement: Its transform relative to the parent.
        prefab: The prefab of the child, with the parent's overrides already applied.
    """

    name: str | None
    placement: Transform
    prefab: Prefab


class Prefab(msgspec.Struct, frozen=True, gc=False):
    """A prefab with everything that it inherits, as plain data.

    Attributes:
        id: Its full asset id, such as ``prefabs/props/crate.ron``.
        components: The fields of each component, by component name. Fields that no file sets are
            missing; they get their defaults when the component is built.
        children: The prefabs placed inside it.
        needs: The dependencies of the prefab and its children (textures, sounds, other prefabs),
            which have to be loaded before it is spawned. Sorted, without duplicates.
        built_from: Ids of all files that it was made from, including its own. A change in one of
            them changes the prefab. Sorted.
    """

    id: str
    components: dict[str, dict[str, Any]]
    children: tuple[Child, ...] = ()
    needs: tuple[Dependency, ...] = ()
    built_from: tuple[str, ...] = ()

    def build(self, registry: ComponentRegistry | None = None) -> list[Any]:
        """Returns new, typed components of this prefab, without those of its children.

        Example:
            >>> from arcade_prefabs.prefab import Tags
            >>> Prefab("prefabs/rock.ron", {"Tags": {"names": ["grey"]}}).build()
            [Tags(names=['grey'])]

        Raises:
            UnknownNameError: A component is not registered.
            PrefabError: A component class raised an exception for its fields.

        Any thread.
        """
        registry = default_registry if registry is None else registry
        return [registry.build(name, fields) for name, fields in self.components.items()]

    def walk(self) -> Iterator[Prefab]:
        """Yields this prefab and all prefabs inside it, parents before their children."""
        yield self
        for child in self.children:
            yield from child.prefab.walk()
