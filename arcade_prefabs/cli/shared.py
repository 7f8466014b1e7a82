"""What the commands have in common: exit codes, options, the game's components, the pipeline."""

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
"""What shells make of a program that Ctrl-C ended: 128 and the number of the signal."""


class CannotRun(Exception):
    """What was asked for cannot be done; the message says why."""


def count(number: int, what: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


# ------------------------------------------------------------------------------------------ options


def add_assets(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the argument ASSETS."""
    parser.add_argument(
        "assets", nargs="?", default="assets", metavar="ASSETS", help=f"{what} (default: assets)"
    )


def add_game_options(parser: argparse.ArgumentParser) -> None:
    """Add what a game has of its own: components and resource handles."""
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
    """Add where the bake store is, and how to print."""
    parser.add_argument(
        "--store",
        metavar="FILE",
        help="the bake store (default: .arcade_prefabs/bake.sqlite in the assets folder, or in "
        "your cache folder where that cannot be written)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def handles_of(given: list[str]) -> dict[str, list[Path]]:
    """The folders of each ``--handle``, in the order in which they are searched.

    Raises:
        CannotRun: One is not of the form NAME=FOLDER, or has no such folder.
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
    """Import the game's modules; the registry that they fill or name.

    Raises:
        CannotRun: One cannot be imported, or has no such registry.
    """
    # An installed command does not look in the current folder, `python -m` does.
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
            place = _place_of(error)
            raise CannotRun(f"{name} fails{place}: {type(error).__name__}: {error}") from error
        if attribute:
            named = getattr(module, attribute, None)
            if not isinstance(named, ComponentRegistry):
                raise CannotRun(f"{name} has no ComponentRegistry named {attribute}")
            registry = named
    return registry


def _place_of(error: BaseException) -> str:
    """Where the user's own code raised an error, as `` at file:line``."""
    here = Path.cwd()
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(here)
    ]
    return f" at {Path(own[-1].filename).relative_to(here)}:{own[-1].lineno}" if own else ""


def hint_at_components(errors: Iterable[LocatedError], options: argparse.Namespace) -> str | None:
    """What to try where components are unknown and no module was named."""
    if options.components or not any("unknown component `" in one.message for one in errors):
        return None
    return "Are the unknown components your own? Name their module: --components MODULE"


# ----------------------------------------------------------------------------------------- pipeline


@contextlib.contextmanager
def opened(options: argparse.Namespace, *, jobs: int | None = 0) -> Generator[AssetPipeline]:
    """The pipeline that the options name, closed at the end.

    Raises:
        CannotRun: Anything of ours went wrong in the body, or when it was opened.
    """
    registry = registry_of(getattr(options, "components", []))
    handles = handles_of(getattr(options, "handle", []))
    if options.store is not None:
        check_store(Path(options.store))
    try:
        with AssetPipeline(
            options.assets,
            # What the plugin has, or it and this tool would bake all images in turns.
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
    """Whether a file is a bake store or a release file: other people's databases are not."""
    return _fact(path, "SELECT count(*) FROM facts WHERE name='format'") > 0


def check_store(path: Path) -> None:
    """Refuse to take a file for the store that is something else: it would be made anew.

    Raises:
        CannotRun: It is something else.
    """
    try:
        exists = path.exists() and (path.is_dir() or path.stat().st_size > 0)
    except OSError as error:
        raise CannotRun(f"{path} cannot be looked at: {error.strerror}") from error
    if not exists:
        return
    if not is_store(path):
        raise CannotRun(f"{path} is no bake store: choose another name, or delete it")
    # A release has the outputs, and nothing of how they were made.
    made = _fact(path, "SELECT count(*) FROM outputs")
    if made > 0 and _fact(path, "SELECT count(*) FROM recipes") == 0:
        raise CannotRun(f"{path} is a release file: it is not a bake store to work with")


def _fact(path: Path, query: str) -> int:
    """A number out of a database; -1 where there is none."""
    if not path.is_file():
        return -1
    try:
        name = f"file:{quote(os.fsencode(path))}?mode=ro"
        with contextlib.closing(sqlite3.connect(name, uri=True)) as db:
            return int(db.execute(query).fetchone()[0])
    except sqlite3.Error:
        return -1


def error_json(error: LocatedError) -> dict[str, Any]:
    """An error as a script wants it: its parts, and the text that people see."""
    return {
        "type": type(error).__name__,
        "message": error.message,
        "path": error.path,
        "line": error.line,
        "column": error.column,
        "hint": error.hint,
        "text": str(error),
    }
