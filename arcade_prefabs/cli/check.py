"""``arcade-prefabs check``: finds all mistakes in the assets in one run."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, Final

from ..errors import RegistryError, shown
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

_NAMED: Final = 3


def add_check(commands: Any) -> None:
    """Adds the command ``check`` to the parser."""
    check = commands.add_parser(
        "check",
        help="check prefab files and show every mistake",
        description="Check prefabs, worlds, images and all other assets. Shows all mistakes in one "
        "run, and writes nothing. Exits with 1 if there are any.",
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
            # It checks the settings of hit boxes in prefabs.
            processors=[texture_processor()],
        )
    except FileNotFoundError as error:
        raise CannotRun(str(error)) from error
    except RegistryError as error:  # a component's field has a type that is not defined
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
    else:
        say(f"{files}, {prefabs}: no errors")
    if report.old_words:
        fields = count(sum(report.old_words.values()), "field")
        say(
            f"note: {fields} in {count(len(report.old_words), 'file')} "
            f"({_some(report.old_words)}) named `at` or `rotation`: write `position` and `angle`; "
            "the old words work until 1.0"
        )
    return FOUND_ERRORS if report.errors else OK


def _some(paths: Iterable[str]) -> str:
    names = sorted(paths)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(shown(one, None) for one in names[:_NAMED]) + more
