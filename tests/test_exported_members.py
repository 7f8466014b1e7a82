"""What `__all__` of each public room promises, held against what is there.

A room is a package, or a module directly below `arcade_prefabs`. The checks are tested as well, on
a small package with a mistake of each kind.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import runpy
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "arcade_prefabs"
# Single modules that people import from by name; the others are reached through the package.
PUBLIC_MODULES = ("errors", "plugin")


def bound_names(statements: list[ast.stmt], package: str | None) -> Iterator[str]:
    """The names that top-level statements define, or import from the given package's own modules.

    Names from elsewhere (another room, the standard library) are tools, not offers.
    """
    for node in statements:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Assign(targets=targets):
                for target in targets:
                    yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.ImportFrom(module=module, level=level, names=names):
                own = level == 1 or (not level and f"{module}.".startswith(f"{package}."))
                if package and own:
                    yield from (alias.asname or alias.name for alias in names)
            case ast.If() | ast.Try() | ast.With():
                for field in ("body", "orelse", "finalbody"):
                    yield from bound_names(getattr(node, field, []), package)
                for handler in getattr(node, "handlers", []):
                    yield from bound_names(handler.body, package)
            case _:
                pass


def has_all(path: Path) -> bool:
    """Whether a source file defines `__all__`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return "__all__" in bound_names(tree.body, None)


def find_rooms(folder: Path) -> list[str]:
    """The dotted names of the package's public rooms that define `__all__`."""
    paths = [folder / f"{name}.py" for name in PUBLIC_MODULES]
    paths += sorted(folder.rglob("__init__.py"))
    rooms = []
    for path in filter(Path.is_file, paths):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if has_all(path) and not any(part.startswith("_") for part in name.split(".")):
            rooms.append(name)
    return sorted(rooms)


def isort_key(name: str) -> tuple[int, list[str | int], str]:
    """Constants, then classes, then the rest, each with numbers counted as numbers (RUF022)."""
    if len(name) > 1 and name.isupper():
        kind = 0
    else:
        kind = 1 if name[:1].isupper() else 2
    parts = [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
    return kind, parts, name


def missing_members(room: ModuleType) -> list[str]:
    """The names of `__all__` that the room does not have."""
    return [name for name in room.__all__ if not hasattr(room, name)]


def unsorted_members(room: ModuleType) -> list[str]:
    """The names of `__all__` that stand in another place than isort would give them, or twice."""
    wanted = sorted(set(room.__all__), key=isort_key)
    wanted += [""] * (len(room.__all__) - len(wanted))
    return [have for have, want in zip(room.__all__, wanted, strict=True) if have != want]


def silent_members(room: ModuleType) -> list[str]:
    """The exported classes and functions without a docstring of their own.

    A dataclass or a named tuple makes up a docstring out of its fields; that does not count.
    """
    members = {name: getattr(room, name, None) for name in room.__all__}
    return [
        name
        for name, member in members.items()
        if (inspect.isclass(member) or inspect.isroutine(member))
        and (not member.__doc__ or member.__doc__.startswith(f"{member.__name__}("))
    ]


def unlisted_members(room: ModuleType) -> list[str]:
    """The public names that the room defines, or has from its own modules, and does not list."""
    assert room.__file__ is not None
    tree = ast.parse(Path(room.__file__).read_text(encoding="utf-8"))
    names = bound_names(tree.body, room.__name__ if hasattr(room, "__path__") else None)
    return sorted(
        name
        for name in {*names}.difference(room.__all__)
        if not name.startswith("_")
        and hasattr(room, name)  # a name for type checkers only is not on offer
        and not isinstance(getattr(room, name), ModuleType)
    )


ROOMS = find_rooms(PACKAGE)


def test_the_named_rooms_are_among_those_checked() -> None:
    """The discovery finds the rooms that everybody uses."""
    assert {"arcade_prefabs", "arcade_prefabs.ron", "arcade_prefabs.prefab"} <= set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_every_exported_name_is_there(name: str) -> None:
    """`from room import *` works."""
    assert missing_members(importlib.import_module(name)) == []


@pytest.mark.parametrize("name", ROOMS)
def test_exported_names_are_sorted_as_isort_sorts(name: str) -> None:
    """Constants first, then classes, then functions, each in natural order and only once."""
    assert unsorted_members(importlib.import_module(name)) == []


@pytest.mark.parametrize("name", ROOMS)
def test_every_exported_class_and_function_has_a_docstring(name: str) -> None:
    """`help()` answers for everything that a room offers."""
    assert silent_members(importlib.import_module(name)) == []


@pytest.mark.parametrize("name", ROOMS)
def test_every_public_name_of_a_room_is_exported(name: str) -> None:
    """What does not start with an underscore is offered on purpose."""
    assert unlisted_members(importlib.import_module(name)) == []


@pytest.mark.parametrize("name", ROOMS)
def test_every_exported_name_is_in_dir(name: str) -> None:
    """Completion in an editor and in a console finds what is imported when it is asked for, too."""
    room = importlib.import_module(name)
    assert set(room.__all__) <= set(dir(room))


def test_the_table_of_public_names_is_up_to_date() -> None:
    """docs/api.md is what docs/make_api.py writes, of all rooms but the command line."""
    script = runpy.run_path(str(PACKAGE.parent / "docs" / "make_api.py"))
    rooms = {name for name in ROOMS if name.count(".") < 2}
    assert {*script["MODULES"]} == rooms - {"arcade_prefabs.cli"}
    page = (PACKAGE.parent / "docs" / "api.md").read_text(encoding="utf-8")
    assert page == script["page"](), "run: python docs/make_api.py"


# The checks themselves.


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A small package with one mistake of each kind."""
    files = {
        "__init__.py": """
            from __future__ import annotations
            import json
            from dataclasses import dataclass
            from typing import NamedTuple, TYPE_CHECKING
            from mock_rooms import tool
            from mock_room.inner import borrowed, listed
            from . import inner
            if TYPE_CHECKING:
                from .inner import promised
            __all__ = ["Fields", "Told", "LIMIT", "Pair", "Silent", "gone", "listed", "mute"]
            LIMIT = 3
            UNLISTED_LIMIT, _hidden = 1, 2
            annotated: int = 4
            try:
                import no_such_module
            except ImportError:
                guarded = 2
            class Told:
                "Tells."
            class Silent(Told): pass
            @dataclass
            class Fields:
                a: int
            class Pair(NamedTuple):
                a: int
            def mute(): pass
            def unlisted(): pass
            """,
        "inner.py": "def listed():\n    'Tells.'\n\n\nborrowed = 1\n",
    }
    (tmp_path / "mock_rooms.py").write_text("tool = 1\n", encoding="utf-8")
    folder = tmp_path / "mock_room"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("mock_room")
    for name in ("mock_room", "mock_room.inner", "mock_rooms"):
        del sys.modules[name]


def test_an_exported_name_that_is_not_there_is_found(room: ModuleType) -> None:
    """A name in `__all__` without a thing behind it is a mistake."""
    assert missing_members(room) == ["gone"]


@pytest.mark.parametrize(
    ("names", "misplaced"),
    [
        (["LIMIT", "MAX_2", "MAX_10", "Box", "Zoo", "__version__", "a9", "a10", "load"], []),
        (["b", "a"], ["b", "a"]),
        (["Box", "LIMIT"], ["Box", "LIMIT"]),
        (["a", "Box"], ["a", "Box"]),
        (["a10", "a9"], ["a10", "a9"]),
        (["a", "a"], ["a"]),
    ],
)
def test_names_out_of_order_are_found(names: list[str], misplaced: list[str]) -> None:
    """Every name that is not where isort would put it, or that stands there twice, is named."""
    room = ModuleType("mock_room")
    room.__dict__["__all__"] = names
    assert unsorted_members(room) == misplaced


def test_an_exported_thing_without_a_docstring_is_found(room: ModuleType) -> None:
    """Inherited and made-up docstrings do not count."""
    assert silent_members(room) == ["Fields", "Pair", "Silent", "mute"]


def test_a_public_name_that_is_not_exported_is_found(room: ModuleType) -> None:
    """Functions, constants and re-exports count; modules, tools and underscored names do not."""
    assert unlisted_members(room) == [
        "UNLISTED_LIMIT",
        "annotated",
        "borrowed",
        "guarded",
        "unlisted",
    ]
