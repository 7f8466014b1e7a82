"""Writes docs/api.md: every public name, from `__all__` of the package and of its rooms.

    python docs/make_api.py

A test compares the file with what this would write.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from enum import Enum
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGE = "arcade_prefabs"
# From the one that games import to those for tools and tests. A name stands in the first that has
# it. `cli` is a command, and no module to import from.
MODULES = (
    PACKAGE,
    *(
        f"{PACKAGE}.{room}"
        for room in (
            "prefab",
            "pipeline",
            "frames",
            "loading",
            "spawning",
            "monitor",
            "plugin",
            "ron",
            "errors",
            "testing",
        )
    ),
)

# What the last line of a docstring says of threads.
THREADS = re.compile(r"\b(Main|Any) thread\b[^.]*\.$")

HEAD = """\
# Public names

All names that a game, a tool or a test may import. Every other name is private, and may change in
any version. `python docs/make_api.py` writes this page.

*Threads*: *main* is the thread of the window, *any* is every thread. An empty field means plain
data, or a class whose methods say it in their docstrings.

| name | import from | kind | what it is | threads |
| --- | --- | --- | --- | --- |
"""


def kind_of(thing: Any) -> str:
    """What sort of thing a name stands for."""
    if inspect.isclass(thing):
        if issubclass(thing, BaseException):
            return "exception"
        if issubclass(thing, Enum):
            return "enum"
        return "protocol" if getattr(thing, "_is_protocol", False) else "class"
    return "function" if inspect.isroutine(thing) else "constant"


def modules_with(name: str, thing: Any) -> list[ModuleType]:
    """The modules of the package that define a name, or import it."""
    ours = [module for key, module in sys.modules.items() if key.partition(".")[0] == PACKAGE]
    return [module for module in ours if vars(module).get(name) is thing]


def note_of(name: str, thing: Any) -> str:
    """The docstring of a constant or a type: the text below its assignment."""
    for module in modules_with(name, thing):
        assert module.__file__ is not None
        body = ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body
        for node, below in pairwise(body):
            match node:
                case (
                    ast.AnnAssign(target=ast.Name(id=found))
                    | ast.Assign(targets=[ast.Name(id=found)])
                ) if found == name:
                    match below:
                        case ast.Expr(value=ast.Constant(value=str(text))):
                            return inspect.cleandoc(text)
    return ""


def is_type_alias(name: str, thing: Any) -> bool:
    """Whether a name is another spelling of a type, which at run time may be anything."""
    notes = (vars(module).get("__annotations__", {}) for module in modules_with(name, thing))
    return any("TypeAlias" in str(found.get(name)) for found in notes)


def row_of(name: str, module: ModuleType) -> str:
    """One line of the table."""
    thing = getattr(module, name)
    kind = "type" if is_type_alias(name, thing) else kind_of(thing)
    named = kind in ("type", "constant")
    text = note_of(name, thing) if named else inspect.cleandoc(thing.__doc__ or "")
    threads = THREADS.search(text.rpartition("\n")[2])
    summary = " ".join(THREADS.sub("", text.partition("\n\n")[0]).split())
    summary = re.sub(r"``(.+?)``", r"`\1`", summary).replace("|", r"\|")
    assert summary, f"{module.__name__}.{name} has no docstring"
    cells = (f"`{name}`", f"`{module.__name__}`", kind, summary)
    return f"| {' | '.join(cells)} | {threads[1].lower() + ' ' if threads else ''}|"


def page() -> str:
    """The whole page."""
    modules = [importlib.import_module(name) for name in MODULES]
    seen: set[tuple[str, int]] = set()
    rows = []
    for module in modules:
        for name in module.__all__:
            mark = (name, id(getattr(module, name)))
            if mark not in seen:
                seen.add(mark)
                rows.append(row_of(name, module))
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    (HERE / "api.md").write_text(page(), encoding="utf-8")
