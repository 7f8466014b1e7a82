"""A pytest plugin for `mutants.py`: runs chosen tests in a chosen order, or notes what tests take.

The environment says which: `CHOSEN_TESTS` is a file with the ids of tests, one a line, and of
files whose tests are all run; `TEST_SECONDS` is a file to write seconds by test into.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

_seconds: dict[str, float] = defaultdict(float)
_failed: set[str] = set()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the chosen tests, in their order."""
    chosen = os.environ.get("CHOSEN_TESTS")
    if not chosen:
        return
    places = {line: n for n, line in enumerate(Path(chosen).read_text("utf-8").splitlines())}

    def place(item: pytest.Item) -> int | None:
        return places.get(item.nodeid, places.get(item.nodeid.partition("::")[0]))

    config.hook.pytest_deselected(items=[one for one in items if place(one) is None])
    items[:] = sorted((one for one in items if place(one) is not None), key=lambda one: place(one))


def pytest_runtest_logreport(report: Any) -> None:
    """Add up what a test took."""
    _seconds[report.nodeid] += report.duration
    if report.failed:
        _failed.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write it down, in the process that hears of all tests."""
    path = os.environ.get("TEST_SECONDS")
    if path and not hasattr(session.config, "workerinput"):
        passed = {name: s for name, s in _seconds.items() if name not in _failed}
        Path(path).write_text(json.dumps(passed), "utf-8")
