"""Pages name the code of what they explain; the code moves, and the pages have to follow."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "arcade_prefabs"
PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))

FILE = re.compile(r"`([\w/]+/[\w/]+\.py|errors\.py)`")
NAME_IN_FILE = re.compile(r"`(\w+)` in\s`([\w/]+\.py)`")


@cache
def names_of(file: str) -> set[str]:
    """Every class, function and variable that a module defines, at any depth."""
    path = PACKAGE / file
    names: set[str] = set()
    if not path.is_file():
        return names
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                names.add(node.name)
            case ast.Name(ctx=ast.Store()):
                names.add(node.id)
    return names


def test_the_page_is_understood() -> None:
    """The patterns of this module find what the other tests look at."""
    assert len(NAME_IN_FILE.findall(PAGE)) > 80
    assert "streaming/cells/grid.py" in FILE.findall(PAGE)


def test_every_file_of_the_glossary_is_there() -> None:
    """A module that moves takes the glossary along."""
    assert [file for file in FILE.findall(PAGE) if not (PACKAGE / file).is_file()] == []


def misplaced(text: str) -> list[str]:
    """Each "`Name` in `file.py`" of a text where the file does not define the name."""
    return [
        f"{name} in {file}"
        for name, file in NAME_IN_FILE.findall(text)
        if name not in names_of(file)
    ]


def test_every_name_of_the_glossary_is_defined_in_its_file() -> None:
    """A class that is renamed or moves takes the glossary along."""
    assert misplaced(PAGE) == []


def test_every_name_of_the_architecture_is_defined_in_its_file() -> None:
    """The tables that lead from a step to its code are up to date."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert len(NAME_IN_FILE.findall(text)) > 15
    assert misplaced(text) == []


def test_the_map_has_every_room_and_folder() -> None:
    """The table of rooms names all folders of the package, and none that is not there."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = text.split("## Rooms")[1].split("\n## ")[0]
    for folder in PACKAGE.rglob("__init__.py"):
        if folder.parent != PACKAGE:
            assert f"`{folder.parent.name}`" in rooms, folder.parent.name
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", rooms, re.MULTILINE)
    assert len(rows) >= 4
    for room, folders in rows:
        for name in re.findall(r"`(\w+)`:", folders):
            assert (PACKAGE / room / name).is_dir(), f"{room}/{name}"


@pytest.mark.parametrize("page", DECISIONS, ids=[page.stem for page in DECISIONS])
def test_a_decision_names_code_that_is_there(page: Path) -> None:
    """Each record of a decision says where its code is today."""
    text = page.read_text(encoding="utf-8")
    where = text.partition("\n**Where.** ")[2]
    assert misplaced(where) == []
    files = FILE.findall(where)
    assert files
    assert [
        file for file in files if not ((PACKAGE / file).is_file() or (ROOT / file).is_file())
    ] == []


def test_a_word_has_one_row() -> None:
    """No word is explained twice."""
    tables = PAGE.split("\n## Words with more than one meaning\n")[0]
    words = re.findall(r"^\| ([a-z][^|]*) \|", tables, re.MULTILINE)
    twice = {word for word in words if words.count(word) > 1} - {"word"}
    assert twice == set()
