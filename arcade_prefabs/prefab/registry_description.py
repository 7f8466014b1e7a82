"""A registry without its classes: what a process that never imports the game needs to check files.

The plans of components are plain data, so that they can be sent to worker processes, and hashed:
prefabs are baked again when the fields of a component that they name have changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .container_types import Record
from .converters import Plan

__all__ = ["RegistryDescription"]


@dataclass(frozen=True, slots=True)
class RegistryDescription:
    """The components and sprite classes that files may name, as plain data that can be pickled.

    Attributes:
        plans: What each component's fields accept, by name.
        sprite_classes: The names of the sprite classes, sorted.
    """

    plans: Mapping[str, Record]
    sprite_classes: tuple[str, ...]
    _digests: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def fingerprint(self, names: Iterable[str] | None = None) -> bytes:
        """A hash of what the fields of these components accept; the same in every process.

        Args:
            names: Components, and sprite classes with an ``@`` in front; all that there are if
                none are given. A name that is not registered counts as such.

        Any thread.
        """
        if names is None:
            names = [*self.plans, *("@" + name for name in self.sprite_classes)]
        hasher = hashlib.blake2b(digest_size=16)
        for name in sorted(names):
            hasher.update(name.encode() + b"\0")
            hasher.update(self._digest(name))
        return hasher.digest()

    def _digest(self, name: str) -> bytes:
        known = self._digests.get(name)
        if known is None:
            if name.startswith("@"):
                known = b"there" if name[1:] in self.sprite_classes else b"missing"
            elif name in self.plans:
                text = _canonical(self.plans[name], {})
                known = hashlib.blake2b(text.encode(), digest_size=16).digest()
            else:
                known = b"missing"
            self._digests[name] = known
        return known


def _canonical(value: object, seen: dict[int, int]) -> str:
    """The one text of a plan; a plan inside itself is named by its number."""
    if isinstance(value, Plan):
        if id(value) in seen:
            return f"#{seen[id(value)]}"
        seen[id(value)] = len(seen)
        # What is left out follows from the rest.
        left_out = ("hint", "_naming")
        known = sorted((name, part) for name, part in vars(value).items() if name not in left_out)
        parts = [f"{name}={_canonical(part, seen)}" for name, part in known]
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, Mapping):
        # The order of fields is part of what a file means: `Box(32, 32)`.
        items = (f"{key!r}: {_canonical(part, seen)}" for key, part in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_canonical(part, seen) for part in value) + "]"
    if isinstance(value, frozenset):
        return repr(sorted(value))
    return value.__name__ if isinstance(value, type) else repr(value)
