"""The house rules of the package's own modules: who may import whom.

The rules are checked by reading the source, so an import inside a function counts too. The checker
is tested as well: for each rule, on a small package that breaks it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from arcade_prefabs.window import arcade_private

PACKAGE = Path(__file__).resolve().parents[1] / "arcade_prefabs"

# From the ground up. A room imports from itself and from the floors below it.
FLOORS = (
    "errors",
    "ron",
    "prefab",
    "pipeline",
    "frames",
    "loading",
    "window",
    "spawning",
    "streaming",
    "plugin",
)
# Beside the floors: stands on `errors` alone, and only `plugin` and the roof may ask for it.
BESIDE = "monitor"
# The roof imports what it likes, except `cli`, which only `python -m` may start. Nobody imports
# `_pyinstaller`: it runs while a game is frozen.
ROOF = ("__init__", "__main__", "_pyinstaller", "cli", "testing")
NOBODY_IMPORTS = "cli"
STARTS_IT = "__main__"

# These run in worker processes, in the CLI and in tests that have no OpenGL.
WITHOUT_ENGINE = ("errors", "ron", "prefab", "pipeline", "frames", "loading")
ENGINE = ("arcade", "pyglet")

# Folders that may use private names of Arcade and pyglet, of which they keep a list.
TOUCHES_ARCADE = ("window", "spawning.atlas")
# Names that begin with an underscore and are no secrets: methods of named tuples, those of RON's
# `Struct`, which no field of a file may hide, and `os._exit`.
NO_SECRETS = {"_asdict", "_exit", "_fields", "_get", "_items", "_make", "_name", "_replace"}


@dataclass(frozen=True, slots=True)
class Module:
    """One source file of the package under test."""

    name: str  # dotted; a package goes by its folder's name
    path: Path
    is_package: bool
    tree: ast.Module

    def room(self, root: str) -> str:
        """The first name below the root package: `ron` for `arcade_prefabs.ron.parser`."""
        return room_of(self.name, root)


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, by its full name, and where the import stands."""

    target: str
    line: int


def room_of(name: str, root: str) -> str:
    """The room that a module of the package stands in; the root package itself is `__init__`."""
    return "__init__" if name == root else name.removeprefix(root + ".").split(".")[0]


def read_package(folder: Path) -> dict[str, Module]:
    """Every module below the folder, by dotted name."""
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, filename=str(path))
        modules[name] = Module(name, path, is_package, tree)
    return modules


def imports_of(module: Module, modules: Mapping[str, Module]) -> Iterator[Import]:
    """What a module imports, with `from package import name` led on to the module it names."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno)
        if not isinstance(node, ast.ImportFrom):
            continue
        base = node.module or ""
        if node.level:
            up = node.level - 1 if module.is_package else node.level
            parts = module.name.split(".")
            parents = parts[: max(len(parts) - up, 0)]
            base = ".".join([*parents, base] if base else parents)
        for alias in node.names:
            full = f"{base}.{alias.name}"
            yield Import(full if full in modules else base, node.lineno)


def may_import(room: str, target: str) -> bool:
    """Whether the rules let one room import from another."""
    if room == target:
        return True
    if target == NOBODY_IMPORTS:
        return room == STARTS_IT
    if room in ROOF:
        return True
    if room == BESIDE:
        return target == "errors"
    if target == BESIDE:
        return room == "plugin"
    return room in FLOORS and target in FLOORS and FLOORS.index(target) < FLOORS.index(room)


def check_floors(folder: Path) -> list[str]:
    """Every import that reaches sideways or upwards, and every module outside the known rooms."""
    modules = read_package(folder)
    root = folder.name
    found = []
    for module in modules.values():
        room = module.room(root)
        if room not in (*FLOORS, BESIDE, *ROOF):
            found.append(f"{module.name}: {room} is not a room of this house")
            continue
        for item in imports_of(module, modules):
            if item.target.split(".")[0] != root:
                continue
            target = room_of(item.target, root)
            if not may_import(room, target):
                found.append(f"{module.name}:{item.line}: {room} must not import {target}")
    return found


def check_engine(folder: Path) -> list[str]:
    """Every import of Arcade or pyglet in a room that has to do without."""
    modules = read_package(folder)
    return [
        f"{module.name}:{item.line}: {module.room(folder.name)} must not import {item.target}"
        for module in modules.values()
        if module.room(folder.name) in WITHOUT_ENGINE
        for item in imports_of(module, modules)
        if item.target.split(".")[0] in ENGINE
    ]


def check_cycles(folder: Path) -> list[str]:
    """Every circle of modules that import each other, in functions and for type checkers, too.

    Such modules cannot be understood one after the other, whether the interpreter minds or not.
    """
    modules = read_package(folder)
    edges = {
        name: sorted({item.target for item in imports_of(module, modules)} & modules.keys())
        for name, module in modules.items()
    }
    found = []
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> None:
        if name in way:
            found.append(" -> ".join([*way[way.index(name) :], name]))
        elif name not in done:
            for target in edges[name]:
                visit(target, [*way, name])
            done.add(name)

    for name in edges:
        visit(name, [])
    return found


def own_names(tree: ast.Module) -> set[str]:
    """The names that a module gives to its functions, classes, variables, fields and slots."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                names.add(node.attr)
        elif isinstance(node, ast.Assign) and "__slots__" in map(ast.unparse, node.targets):
            names.update(ast.literal_eval(node.value))
    return names


def is_private(name: str) -> bool:
    """Whether a name is for its own module alone."""
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def check_private(folder: Path, of_arcade: Collection[str] = ()) -> list[str]:
    """Every use of another module's private name.

    Args:
        folder: The package.
        of_arcade: Arcade's private names, which the folders of `TOUCHES_ARCADE` may use.
    """
    found = []
    for module in read_package(folder).values():
        allowed = own_names(module.tree) | NO_SECRETS
        inner = module.name.removeprefix(f"{folder.name}.")
        if any(inner.startswith(f"{one}.") for one in TOUCHES_ARCADE):
            allowed |= set(of_arcade)
        for node in ast.walk(module.tree):
            names: list[str] = []
            if isinstance(node, ast.Attribute):
                names = [node.attr]
            elif isinstance(node, ast.ImportFrom) and (
                node.level or (node.module or "").split(".")[0] == folder.name
            ):
                names = [alias.name for alias in node.names]
                allowed_here = {"_pyinstaller"}
                names = [name for name in names if name not in allowed_here]
            found += [
                f"{module.name}:{node.lineno}: {name} belongs to another module"
                for name in names
                if is_private(name) and name not in allowed
            ]
    return found


def check_folders(folder: Path, most: int = 12) -> list[str]:
    """Every folder of more modules than one can keep in mind; `__init__` does not count."""
    counts = Counter(path.parent for path in folder.rglob("*.py") if path.name != "__init__.py")
    return [
        f"{path.relative_to(folder.parent).as_posix()}: {count} modules, {most} at most"
        for path, count in sorted(counts.items())
        if count > most
    ]


def modules_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after a statement."""
    code = f"import sys\n{statement}\nprint('LOADED', *{{n.split('.')[0] for n in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.splitlines()[-1].split()[1:])


# The package itself.


def test_every_room_of_the_package_is_read() -> None:
    """The checks below look at real modules with real imports, not at an empty folder."""
    modules = read_package(PACKAGE)
    rooms = {module.room(PACKAGE.name) for module in modules.values()}
    assert {"__init__", "errors", "ron", "prefab", "cli"} <= rooms
    targets = {item.target for m in modules.values() for item in imports_of(m, modules)}
    assert {"arcade_prefabs.errors", "arcade_prefabs.ron"} & targets


def test_a_room_imports_only_from_itself_and_from_lower_floors() -> None:
    """No import in the package reaches sideways or upwards."""
    assert check_floors(PACKAGE) == []


def test_the_rooms_that_workers_use_import_neither_arcade_nor_pyglet() -> None:
    """No source line of the engine-free rooms names Arcade or pyglet in an import."""
    assert check_engine(PACKAGE) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Each module can be understood, and imported, before those that use it."""
    assert check_cycles(PACKAGE) == []


@pytest.mark.parametrize(
    "statement", ["import arcade_prefabs.ron, arcade_prefabs.prefab", "import arcade_prefabs.cli"]
)
def test_importing_an_engine_free_room_loads_no_engine(statement: str) -> None:
    """What workers and the command line import brings neither Arcade nor pyglet with it."""
    loaded = modules_after(statement)
    assert "arcade_prefabs" in loaded
    assert loaded.isdisjoint(ENGINE)


def test_no_module_uses_the_private_names_of_another() -> None:
    """What begins with an underscore belongs to its module; Arcade's stand in one list."""
    assert check_private(PACKAGE, arcade_private.names()) == []


def test_no_folder_has_more_than_twelve_modules() -> None:
    """A folder can be kept in mind."""
    assert check_folders(PACKAGE) == []


# The checks themselves.


def build(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a small package `house`; folders get an empty `__init__.py` unless one is given."""
    house = folder / "house"
    house.mkdir()
    for name, text in files.items():
        path = house / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    for inner in [house, *(path for path in house.rglob("*") if path.is_dir())]:
        (inner / "__init__.py").touch()
    return house


def test_a_package_that_keeps_the_rules_passes_every_check(tmp_path: Path) -> None:
    """Downward, inner, roof and type-checking imports are all fine, however they are written."""
    house = build(
        tmp_path,
        {
            "__init__.py": "from .plugin import attach\nfrom .monitor import report\n",
            "__main__.py": "from house import attach\nimport house.testing, house.cli\n",
            "cli/__init__.py": "import house\nfrom house import ron, testing\nfrom . import new\n",
            "cli/new.py": "from ..ron import parse\n",
            "errors.py": "",
            "monitor.py": "from .errors import Oops\n",
            "testing/__init__.py": "from house.plugin import attach\n",
            "ron/__init__.py": "from .parser import parse\n",
            "ron/parser.py": """
                from typing import TYPE_CHECKING
                from .. import errors
                from . import lexer
                if TYPE_CHECKING:
                    from house.ron import lexer
                """,
            "ron/lexer.py": "import json\nfrom house.errors import Oops\n",
            "ron/tree.py": "def f():\n    from .parser import parse\nfrom . import parser\n",
            "spawning.py": "import arcade, pyglet.gl\nfrom house.prefab import Prefab\n",
            "prefab/__init__.py": "import house.ron.parser\n",
            "plugin.py": "from . import monitor, spawning\n",
        },
    )
    assert check_floors(house) == []
    assert check_engine(house) == []
    assert check_cycles(house) == []


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("ron/a.py", "import house.prefab", "house.ron.a:1: ron must not import prefab"),
        ("ron/a.py", "from house import prefab", "house.ron.a:1: ron must not import prefab"),
        ("ron/a.py", "from .. import prefab", "house.ron.a:1: ron must not import prefab"),
        ("ron/a.py", "from ..prefab.b import c", "house.ron.a:1: ron must not import prefab"),
        ("ron/__init__.py", "from ..prefab import c", "house.ron:1: ron must not import prefab"),
        ("ron/in/a.py", "from ...prefab import c", "house.ron.in.a:1: ron must not import prefab"),
        ("errors.py", "from . import ron", "house.errors:1: errors must not import ron"),
        ("loading.py", "import house.plugin", "house.loading:1: loading must not import plugin"),
        ("plugin.py", "import house", "house.plugin:1: plugin must not import __init__"),
        ("ron/a.py", "from house import attach", "house.ron.a:1: ron must not import __init__"),
        ("ron/a.py", "from .. import attach", "house.ron.a:1: ron must not import __init__"),
        ("ron/a.py", "from ..testing import x", "house.ron.a:1: ron must not import testing"),
        ("monitor.py", "import house.ron", "house.monitor:1: monitor must not import ron"),
        ("ron/a.py", "import house.monitor", "house.ron.a:1: ron must not import monitor"),
        ("testing.py", "import house.cli", "house.testing:1: testing must not import cli"),
        ("testing.py", "import house.cli.new", "house.testing:1: testing must not import cli"),
        ("__init__.py", "from .cli import main", "house:1: __init__ must not import cli"),
        ("plugin.py", "from .cli import main", "house.plugin:1: plugin must not import cli"),
        ("utils.py", "", "house.utils: utils is not a room of this house"),
        ("ron/a.py", "from ..utils import x", "house.ron.a:1: ron must not import utils"),
    ],
)
def test_an_import_against_the_floors_is_found(
    tmp_path: Path, file: str, text: str, expected: str
) -> None:
    """Every way to write an import that goes the wrong way is seen, and named with its line."""
    house = build(tmp_path, {"prefab/__init__.py": "", "ron/__init__.py": "", file: text})
    assert check_floors(house) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    import house.prefab",
        "async def f():\n    import house.prefab",
        "class C:\n    import house.prefab",
        "try:\n    import house.prefab\nexcept ImportError:\n    pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import house.prefab",
    ],
)
def test_an_import_against_the_floors_is_found_wherever_it_hides(tmp_path: Path, text: str) -> None:
    """An import inside a function, a class, a try or a type-checking block counts as well."""
    [found] = check_floors(build(tmp_path, {"prefab/__init__.py": "", "ron/a.py": text}))
    assert found.endswith("ron must not import prefab")


@pytest.mark.parametrize("room", WITHOUT_ENGINE)
@pytest.mark.parametrize(
    ("text", "engine"),
    [
        ("import arcade", "arcade"),
        ("import json, pyglet.gl as gl", "pyglet.gl"),
        ("from arcade.types import Color", "arcade.types"),
        ("def f():\n    from pyglet import gl", "pyglet"),
        ("import typing\nif typing.TYPE_CHECKING:\n    import arcade", "arcade"),
    ],
)
def test_an_engine_import_in_an_engine_free_room_is_found(
    tmp_path: Path, room: str, text: str, engine: str
) -> None:
    """Arcade and pyglet are seen in every room that has to do without them."""
    house = build(tmp_path, {f"{room}/a.py": text, "spawning/a.py": text})
    [found] = check_engine(house)
    assert found.startswith(f"house.{room}.a:")
    assert found.endswith(f"{room} must not import {engine}")


def test_a_circle_of_imports_is_found(tmp_path: Path) -> None:
    """A circle of three is named in its order, with the module that closes it."""
    files = {
        "ron/a.py": "from .b import x",
        "ron/b.py": "try:\n    from . import c\nfinally:\n    pass",
        "ron/c.py": "import house.ron.a",
    }
    circle = "house.ron.a -> house.ron.b -> house.ron.c -> house.ron.a"
    assert check_cycles(build(tmp_path, files)) == [circle]


def test_a_module_that_imports_from_its_own_package_face_is_a_circle(tmp_path: Path) -> None:
    """A package that re-exports a module which imports the package back is seen."""
    files = {"ron/__init__.py": "from .a import x", "ron/a.py": "from house.ron import y"}
    assert check_cycles(build(tmp_path, files)) == ["house.ron -> house.ron.a -> house.ron"]


def test_a_module_that_imports_itself_is_a_circle(tmp_path: Path) -> None:
    """The shortest circle has one member."""
    assert check_cycles(build(tmp_path, {"errors.py": "from house.errors import x"})) == [
        "house.errors -> house.errors"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import b",
        "def f():\n    from . import b",
        "def f():\n    import house.ron.b",
    ],
)
def test_an_import_for_type_checkers_or_in_a_function_closes_a_circle(
    tmp_path: Path, text: str
) -> None:
    """A circle is one wherever its imports stand."""
    files = {"ron/a.py": text, "ron/b.py": "from . import a"}
    assert check_cycles(build(tmp_path, files)) == ["house.ron.a -> house.ron.b -> house.ron.a"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("def f(x):\n    return x._y", 2),
        ("def f(x):\n    x._y = 1", 2),
        ("from .b import _y", 1),
        ("from house.ron.b import _y", 1),
    ],
)
def test_a_private_name_of_another_module_is_found(tmp_path: Path, text: str, line: int) -> None:
    """Reading, writing and importing it are all seen."""
    house = build(tmp_path, {"ron/a.py": text, "ron/b.py": "_y = 1"})
    assert check_private(house) == [f"house.ron.a:{line}: _y belongs to another module"]


@pytest.mark.parametrize(
    "text",
    [
        "class C:\n    def __init__(self, other):\n        self._y = other._y",
        "class C:\n    __slots__ = ('_y',)\ndef f(c):\n    return c._y",
        "def _y():\n    pass",
        "def f(x):\n    return x._replace(a=1).__class__",
        "from os import path\nfrom collections import _tuplegetter",
    ],
)
def test_private_names_of_the_same_module_are_its_own(tmp_path: Path, text: str) -> None:
    """Functions may use the fields of classes beside them; other packages are not ours to judge."""
    assert check_private(build(tmp_path, {"ron/a.py": text})) == []


def test_private_names_of_arcade_are_for_few_folders(tmp_path: Path) -> None:
    """Those that are listed, in the folders that are there for it."""
    text = "def f(atlas):\n    return atlas._fbo, atlas._other"
    house = build(tmp_path, {"window/a.py": text, "spawning/a.py": text})
    assert check_private(house, {"_fbo"}) == [
        "house.spawning.a:2: _fbo belongs to another module",
        "house.spawning.a:2: _other belongs to another module",
        "house.window.a:2: _other belongs to another module",
    ]


def test_a_folder_of_too_many_modules_is_found(tmp_path: Path) -> None:
    """Modules of folders inside it do not count, nor does `__init__`."""
    files = {f"ron/m{number}.py": "" for number in range(4)} | {"ron/in/a.py": ""}
    house = build(tmp_path, files)
    assert check_folders(house, 4) == []
    assert check_folders(house, 3) == ["house/ron: 4 modules, 3 at most"]


def test_a_module_that_a_statement_loads_is_seen() -> None:
    """The look into a fresh interpreter can see what was imported."""
    assert "wave" in modules_after("import wave")
    assert "wave" not in modules_after("import json")
