"""Prefab files held in memory, and folders of them on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import pytest

from arcade_prefabs import ComponentRegistry, MissingPrefabError, Prefab
from arcade_prefabs.errors import LocatedError
from arcade_prefabs.prefab import PrefabFile, Resolver, prefab_id, read_prefabs

Files: TypeAlias = Mapping[str, str]


class Library:
    """A resolver over texts by any spelling of their ids; counts what it reads."""

    def __init__(self, files: Files, registry: ComponentRegistry | None = None) -> None:
        self.texts = {prefab_id(name): text for name, text in files.items()}
        self.registry = registry
        self.read: list[str] = []
        self._files: dict[str, PrefabFile] = {}
        self.resolver = Resolver(self.load, registry=registry, known_ids=lambda: list(self.texts))

    def load(self, identifier: str) -> PrefabFile:
        if identifier not in self.texts:
            raise MissingPrefabError(f"there is no prefab {identifier}")
        if identifier not in self._files:
            self.read.append(identifier)
            text = self.texts[identifier]
            self._files[identifier] = read_prefabs(text, identifier, registry=self.registry)
        return self._files[identifier]

    def resolve(self, name: str) -> Prefab:
        return self.resolver.resolve(name)

    def problems(self, name: str) -> list[LocatedError]:
        return self.resolver.problems(name)


MakeLibrary: TypeAlias = Callable[..., Library]


@pytest.fixture(scope="session")
def library() -> MakeLibrary:
    """Make a library from texts: ``library({"crate": "Prefab()"})``."""
    return Library
