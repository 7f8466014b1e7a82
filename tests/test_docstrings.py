"""The examples in docstrings run and print what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "arcade_prefabs"


def module_names() -> list[str]:
    """Every module of the package, except the ones that run when they are imported."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[-1] != "__main__":
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


@pytest.mark.parametrize("name", module_names())
def test_the_examples_of_a_module_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands behind `>>>` does what the line below says."""
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"needs something that is not installed: {error}")
    monkeypatch.chdir(tmp_path)  # an example that writes a file must not leave it here
    runner = doctest.DocTestRunner(verbose=False)
    complaints: list[str] = []
    for test in doctest.DocTestFinder().find(module, name):
        runner.run(test, out=complaints.append, clear_globs=False)
    assert runner.failures == 0, "".join(complaints)


def test_the_language_room_has_examples() -> None:
    """The finder sees the examples: RON's package, `Document`, `TupleStruct` and `to_tagged`."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {
        test.name
        for name in module_names()
        if name.startswith("arcade_prefabs.ron")
        for test in finder.find(importlib.import_module(name), name)
        if test.examples
    }
    assert {
        "arcade_prefabs.ron",
        "arcade_prefabs.ron.document.Document",
        "arcade_prefabs.ron.values.TupleStruct",
        "arcade_prefabs.ron.tagged.to_tagged",
    } <= found
