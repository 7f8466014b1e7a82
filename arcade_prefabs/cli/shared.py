"""Shared by the commands: exit codes, options, the game's components, opening the pipeline."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sqlite3
import sys
import traceback
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ..errors import ArcadePrefabsError, LocatedError, shown
from ..pipeline import AssetPipeline
from ..pipeline.store.locations import is_possible
from ..prefab import ComponentRegistry, default_registry
from ..spawning import texture_processor

__all__ = [
    "CANNOT_RUN",
    "FOUND_ERRORS",
    "INTERRUPTED",
    "OK",
    "CannotRun",
    "add_assets",
    "add_game_options",
    "add_store_options",
    "check_store",
    "count",
    "error_json",
    "handles_of",
    "hint_at_components",
    "is_store",
    "opened",
    "registry_of",
]

OK: Final = 0
FOUND_ERRORS: Final = 1
CANNOT_RUN: Final = 2
INTERRUPTED: Final = 130
"""The exit code of shells for programs ended by Ctrl-C: 128 and the number of the signal."""


class CannotRun(Exception):
    """The command cannot run; the message says why, and the exit code is 2."""


def count(number: int, noun: str) -> str:
    """Returns a number with its noun: ``1 file``, ``2 files``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# ------------------------------------------------------------------------------------------ options


def add_assets(parser: argparse.ArgumentParser, description: str) -> None:
    """Adds the argument ASSETS, with a description for the help."""
    parser.add_argument(
        "assets",
        nargs="?",
        default="assets",
        metavar="ASSETS",
        help=f"{description} (default: assets)",
    )


def add_game_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--components`` and ``--handle``, which name the game's components and folders."""
    parser.add_argument(
        "--components",
        action="append",
        default=[],
        metavar="MODULE",
        help="module that registers your components, such as game.components; "
        "with MODULE:NAME the registry of that name in it. May be repeated",
    )
    parser.add_argument(
        "--handle",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="folder of an Arcade resource handle, so that :NAME: paths are checked too",
    )


def add_store_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--store`` and ``--json``."""
    parser.add_argument(
        "--store",
        metavar="FILE",
        help="the bake store (default: .arcade_prefabs/bake.sqlite in the assets folder, or in "
        "your cache folder where that cannot be written)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def handles_of(given: list[str]) -> dict[str, list[Path]]:
    """Returns the folders of each resource handle, in the order in which they are searched.

    Args:
        given: The values of ``--handle``.

    Raises:
        CannotRun: A value is not of the form NAME=FOLDER, or the folder does not exist.
    """
    handles: dict[str, list[Path]] = {}
    for item in given:
        name, equals, folder = item.partition("=")
        name = name.strip(":")
        if not (equals and name and is_possible(Path(folder)) and Path(folder).is_dir()):
            raise CannotRun(f"--handle wants NAME=FOLDER with a folder that exists, got {item!r}")
        # As in Arcade, the folder that was added last is searched first.
        handles.setdefault(name, []).insert(0, Path(folder))
    return handles


# --------------------------------------------------------------------------------------- components


def registry_of(modules: list[str]) -> ComponentRegistry:
    """Imports the game's modules, and returns the component registry that they fill.

    Args:
        modules: The values of ``--components``: ``MODULE``, or ``MODULE:NAME`` for a registry in
            the module instead of the ``default_registry``.

    Raises:
        CannotRun: A module cannot be imported, or has no registry of this name.
    """
    # Unlike `python -m`, an installed command does not find modules in the current folder.
    here = str(Path.cwd())
    if modules and here not in sys.path:
        sys.path.insert(0, here)
    registry = default_registry
    for item in modules:
        name, _, attribute = item.partition(":")
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing = error.name or name
            if name == missing or name.startswith(missing + "."):
                hint = "name a module as in an import, from the folder that it is found in"
                if name.endswith(".py"):
                    hint = f"leave out `.py`: --components {name.removesuffix('.py')}"
                    missing = name
                raise CannotRun(f"there is no module {missing}: {hint}") from error
            raise CannotRun(f"{name} imports {missing}, which is not installed") from error
        except ArcadePrefabsError as error:
            raise CannotRun(f"{shown(name)}: {error}") from error
        except (Exception, SystemExit) as error:
            location = _location_of(error)
            raise CannotRun(f"{name} fails{location}: {type(error).__name__}: {error}") from error
        if attribute:
            named = getattr(module, attribute, None)
            if not isinstance(named, ComponentRegistry):
                raise CannotRun(f"{name} has no ComponentRegistry named {attribute}")
            registry = named
    return registry


def _location_of(error: BaseException) -> str:
    """Returns `` at file:line`` of the last line of the game's code that led to an error."""
    here = Path.cwd()
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(here)
    ]
    return f" at {Path(own[-1].filename).relative_to(here)}:{own[-1].lineno}" if own else ""


def hint_at_components(errors: Iterable[LocatedError], options: argparse.Namespace) -> str | None:
    """Returns a hint at ``--components`` if components are unknown and it was not given."""
    if options.components or not any("unknown component `" in error.message for error in errors):
        return None
    return "Are the unknown components your own? Name their module: --components MODULE"


# ----------------------------------------------------------------------------------------- pipeline


@contextlib.contextmanager
def opened(options: argparse.Namespace, *, jobs: int | None = 0) -> Generator[AssetPipeline]:
    """Opens the pipeline of the command's options, and closes it at the end.

    Raises:
        CannotRun: An error of the package or of the system was raised in the body, or on opening.
    """
    registry = registry_of(getattr(options, "components", []))
    handles = handles_of(getattr(options, "handle", []))
    if options.store is not None:
        check_store(Path(options.store))
    try:
        with AssetPipeline(
            options.assets,
            # The same processors as the plugin's: with others, the two would bake all images again
            # and again.
            processors=[texture_processor()],
            registry=registry,
            handles=handles,
            store=options.store,
            jobs=jobs,
        ) as pipeline:
            yield pipeline
    except BrokenPipeError:
        raise
    except UnicodeEncodeError as error:
        raise CannotRun(f"{options.assets} has a name that is no text") from error
    except (ArcadePrefabsError, OSError) as error:
        raise CannotRun(str(error)) from error


def is_store(path: Path) -> bool:
    """Whether a file is a bake store or a release file, and no other database."""
    return _fact(path, "SELECT count(*) FROM facts WHERE name='format'") > 0


def check_store(path: Path) -> None:
    """Checks that a path is a bake store or does not exist, as another file would be overwritten.

    Raises:
        CannotRun: The path is a folder, a release file or another file.
    """
    try:
        exists = path.exists() and (path.is_dir() or path.stat().st_size > 0)
    except OSError as error:
        raise CannotRun(f"{path} cannot be read: {error.strerror}") from error
    if not exists:
        return
    if not is_store(path):
        raise CannotRun(f"{path} is no bake store: choose another name, or delete it")
    # A release file has outputs, but no recipes.
    outputs = _fact(path, "SELECT count(*) FROM outputs")
    if outputs > 0 and _fact(path, "SELECT count(*) FROM recipes") == 0:
        raise CannotRun(f"{path} is a release file: it is not a bake store to work with")


def _fact(path: Path, query: str) -> int:
    """Returns the number that a query selects from a database; -1 if that fails."""
    if not path.is_file():
        return -1
    try:
        name = f"file:{quote(os.fsencode(path))}?mode=ro"
        with contextlib.closing(sqlite3.connect(name, uri=True)) as db:
            return int(db.execute(query).fetchone()[0])
    except sqlite3.Error:
        return -1


def error_json(error: LocatedError) -> dict[str, Any]:
    """Returns an error as JSON values: its fields, and the text that is printed."""
    return {
        "type": type(error).__name__,
        "message": error.message,
        "path": error.path,
        "line": error.line,
        "column": error.column,
        "hint": error.hint,
        "text": str(error),
    }
