"""What public functions take and return, and public classes have, can be imported.

A game that annotates its own function with what `world.save()` gives has to find the name of that.
"""

from __future__ import annotations

import importlib
import inspect
import runpy
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import arcade
import pytest
from arcade.gl import Framebuffer
from arcade.texture_atlas import TextureAtlasBase

PACKAGE = "arcade_prefabs"
ROOT = Path(__file__).resolve().parents[1]
ROOMS: tuple[str, ...] = runpy.run_path(str(ROOT / "docs" / "make_api.py"))["MODULES"]
EXPORTED: dict[int, str] = {
    id(getattr(module, name)): f"{room}.{name}"
    for room in ROOMS
    for module in [importlib.import_module(room)]
    for name in module.__all__
}
# Names that are imported for type checkers only, and aliases that refer to themselves.
NAMESPACE: dict[str, Any] = {
    name: getattr(importlib.import_module(room), name)
    for room in ROOMS
    for name in importlib.import_module(room).__all__
    if inspect.isclass(getattr(importlib.import_module(room), name))
} | {
    "At": Any,
    "Framebuffer": Framebuffer,
    "Path": Path,
    "Refuse": Any,
    "TextureAtlasBase": TextureAtlasBase,
    "Value": Any,
    "_Plain": Any,
    "array": list,  # before Python 3.12 an array takes no parameters
    "arcade": arcade,
}
# The package alone makes these: nobody else calls their constructors.
MADE_INSIDE = frozenset(
    [
        "Batch",
        "Entity",
        "Handle",
        "InstanceGroup",
        "PrefabPlugin",
        "Script",
        "SpriteAnimation",
        "StreamingManager",
        "StreamingOverlay",
        "StreamingSource",
    ]
)
# Members for the package's own modules and tests, which no page mentions. May only shrink.
INSIDE = frozenset(
    [
        "AssetPipeline.__init__(workers)",
        "ComponentType.__init__(converter)",
        "EntityIndex.add(parts)",
        "EntityIndex.add_group(group)",
        "EntityIndex.add(root)",
        "EntityIndex.drop(parts)",
        "EntityIndex.drop(root)",
        "EntityIndex.hooks(moment)",
        "EntityIndex.remove_group(group)",
        "EntityIndex.roots(return)",
        "EntityIndex.tables(blueprint)",
        "EntityIndex.tables(return)",
        "InstanceGroup.gone(spawn_task)",
        "InstanceGroup.lived(spawn_task)",
        "InstanceGroup.promote(return)",
        "Job.__init__(work)",  # NEXT_FRAME, which is exported, is of a class of its own
        "MainThreadQueue.post(work)",
        "MainThreadQueue.submit(work)",
        "RegistryDescription(converters)",
        "RegistryDescription.__init__(converters)",
        "StoredImage.__init__(atlas)",
        "StreamingManager.open(spawn_runtime)",
    ]
)


def types_in(hint: Any) -> Iterator[type]:
    """All classes that an annotation names."""
    if isinstance(hint, type):
        yield hint
    origin = typing.get_origin(hint)
    if isinstance(origin, type):
        yield origin
    for one in typing.get_args(hint):
        for part in one if isinstance(one, list | tuple) else (one,):
            yield from types_in(part)


def hints_of(name: str, thing: Any) -> Iterator[tuple[str, Any]]:
    """Annotations of a function or a class, by what they are of."""
    # The owner's own names win: a room may have two things of one name.
    owner = importlib.import_module(thing.__module__)
    names = NAMESPACE | {key: NAMESPACE.get(key, one) for key, one in vars(owner).items()}
    for key, hint in typing.get_type_hints(thing, vars(owner), names).items():
        if not key.startswith("_"):
            yield f"{name}({key})", hint


def annotations(name: str, thing: Any) -> Iterator[tuple[str, Any]]:
    """Annotations of a public function, or of a class with its public members."""
    if inspect.isfunction(thing):
        yield from hints_of(name, thing)
    if not inspect.isclass(thing):
        return
    yield from hints_of(name, thing)
    for member in dir(thing):
        special = ("__init__", "__enter__", "__await__", "__iter__", "__getitem__")
        if member.startswith("_") and member not in special:
            continue
        if member == "__init__" and name in MADE_INSIDE:
            continue
        found = inspect.getattr_static(thing, member, None)
        function = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
        if inspect.isfunction(function) and function.__module__.startswith(PACKAGE):
            yield from hints_of(f"{name}.{member}", function)


def hidden(name: str, thing: Any) -> list[str]:
    """What has an annotation that nobody can import."""
    return [
        f"{where}: {one.__module__}.{one.__qualname__}"
        for where, hint in annotations(name, thing)
        for one in types_in(hint)
        if one.__module__.startswith(PACKAGE) and id(one) not in EXPORTED and where not in INSIDE
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_every_type_of_an_annotation_is_exported(room: str) -> None:
    """Of functions, of methods and properties, and of fields."""
    module = importlib.import_module(room)
    found = [one for name in module.__all__ for one in hidden(name, getattr(module, name))]
    assert sorted(set(found)) == []


def test_exceptions_from_the_rule_are_needed() -> None:
    """Who mends one takes it off the list."""
    needed = set()
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in module.__all__:
            for where, hint in annotations(name, getattr(module, name)):
                private = (one for one in types_in(hint) if one.__module__.startswith(PACKAGE))
                if any(id(one) not in EXPORTED for one in private):
                    needed.add(where)
    assert needed >= INSIDE


class Hidden:
    """Nobody exports it."""


class Shown:
    """A public class, for this test."""

    def method(self) -> dict[str, list[Hidden | None]]:
        """Gives what nobody can import."""
        return {}


def test_a_type_that_nobody_can_import_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deep inside of an annotation."""
    for one in (Hidden, Shown.method):
        monkeypatch.setattr(one, "__module__", f"{PACKAGE}.errors")
    monkeypatch.setattr(Shown, "__module__", f"{PACKAGE}.errors")
    monkeypatch.setitem(NAMESPACE, "Hidden", Hidden)
    (found,) = hidden("Shown", Shown)
    assert found.startswith("Shown.method(return): ")
