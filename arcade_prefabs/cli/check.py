"""``arcade-prefabs check``: every mistake in prefab files, in one run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import RegistryError
from ..pipeline import arcade_handles
from ..prefab import check_trees
from .output import say
from .shared import (
    FOUND_ERRORS,
    OK,
    CannotRun,
    add_game_options,
    count,
    handles_of,
    hint_at_components,
    registry_of,
)

__all__ = ["add_check"]


def add_check(commands: Any) -> None:
    """Add the command to the parser."""
    check = commands.add_parser(
        "check",
        help="check prefab files and show every mistake",
        description="Check RON files: all mistakes in one run. Exits with 1 if there are any.",
    )
    check.add_argument("paths", nargs="+", metavar="PATH", help="a RON file or a folder of them")
    add_game_options(check)
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    registry = registry_of(options.components)
    try:
        report = check_trees(options.paths, registry=registry, handles=_handles(options.handle))
    except FileNotFoundError as error:
        raise CannotRun(str(error)) from error
    except RegistryError as error:  # a field's type that was to come later, and never came
        raise CannotRun(str(error)) from error
    for found in report.errors:
        say(str(found), lines=True, end="\n\n")
    files = count(report.files, "file")
    prefabs = count(report.prefabs, "prefab")
    if report.errors:
        say(f"{count(len(report.errors), 'error')} in {files}, {prefabs}")
        hint = hint_at_components(report.errors, options)
        if hint:
            say(hint)
        return FOUND_ERRORS
    say(f"{files}, {prefabs}: no errors")
    return OK


def _handles(given: list[str]) -> dict[str, list[Path]]:
    """The handles of Arcade, and in front of them those that were given."""
    handles = arcade_handles()
    for name, folders in handles_of(given).items():
        handles[name] = [*folders, *handles.get(name, [])]
    return handles
