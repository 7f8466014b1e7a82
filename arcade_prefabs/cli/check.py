"""``arcade-prefabs check``: every mistake in the assets, in one run."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import RegistryError
from ..pipeline import check_trees
from ..spawning import texture_processor
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
        description="Check prefabs, worlds, pictures and all else that is baked: all mistakes in "
        "one run, nothing written. Exits with 1 if there are any.",
    )
    check.add_argument("paths", nargs="+", metavar="PATH", help="a file, or a folder of them")
    add_game_options(check)
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    registry = registry_of(options.components)
    try:
        report = check_trees(
            options.paths,
            registry=registry,
            handles=handles_of(options.handle),
            # Its hit boxes have settings, which prefabs may get wrong.
            processors=[texture_processor()],
        )
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
