"""The command ``arcade-prefabs``: ``check`` prefab files, and write a ``new`` one."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from . import __version__
from .errors import ArcadePrefabsError, RegistryError
from .prefab import ComponentRegistry, check_trees, default_registry, prefab_id

__all__ = ["main"]

OK: Final = 0
FOUND_ERRORS: Final = 1
CANNOT_RUN: Final = 2

_STARTER: Final = """\
// A prefab: what an entity is made of. Spawn it as "{short}".
// Check this file with: arcade-prefabs check {check}
Prefab(
    // Take over everything from another prefab, then change it below:
    // extends: "props/wooden",

    components: [
        // What it looks like. A path below the assets folder, or one of Arcade's resources.
        Sprite(
            texture: ":resources:images/tiles/boxCrate_double.png",
            scale: 0.5,
            // angle: 0.0,              // degrees, clockwise
            // color: (255, 255, 255),  // tint
            // alpha: 255,              // 0 is invisible
            // layer: "default",
        ),

        // What it collides with: Box(width, height), Circle(radius), Polygon([(x, y), ...])
        // or, as here, the outline of its texture.
        Collider(shape: FromTexture),

        // Words to find it by.
        Tags(["{name}"]),

        // Components of your own: a dataclass with @arcade_prefabs.component above it.
        // Health(max: 20),
    ],

    // Other prefabs that belong to it, each at (x, y) pixels from its center.
    children: [
        // (name: "lamp", prefab: "props/lamp", at: (0, 32)),
    ],
)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; exit code 0 for success, 1 for errors found, 2 if it could not run."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        # A console that has no arrow, or a file name that is no text, must not end the run.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = int(options.run(options))
        sys.stdout.flush()  # here a closed pipe can still be dealt with, at exit it cannot
        return code
    except _CannotRun as error:
        print(f"arcade-prefabs: {error}", file=sys.stderr)
        return CANNOT_RUN
    except BrokenPipeError:
        # Somebody closed the pipe, as `head` does. Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FOUND_ERRORS


class _CannotRun(Exception):
    """What was asked for cannot be done; the message says why."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="arcade-prefabs", description="Work with prefabs, the building blocks of your game."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    check = commands.add_parser(
        "check",
        help="check prefab files and show every mistake",
        description="Check RON files: all mistakes in one run. Exits with 1 if there are any.",
    )
    check.add_argument("paths", nargs="+", metavar="PATH", help="a RON file or a folder of them")
    check.add_argument(
        "--components",
        action="append",
        default=[],
        metavar="MODULE",
        help="module that registers your components, such as game.components; "
        "with MODULE:NAME the registry of that name in it. May be repeated",
    )
    check.add_argument(
        "--handle",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="folder of an Arcade resource handle, so that :NAME: paths are checked too",
    )
    check.set_defaults(run=_check)

    new = commands.add_parser(
        "new",
        help="write a commented prefab to start from",
        description="Write a commented prefab to start from. Never overwrites a file.",
    )
    new.add_argument("name", metavar="NAME", help="such as crate or props/crate")
    new.add_argument(
        "--assets", default="assets", metavar="FOLDER", help="the assets folder (default: assets)"
    )
    new.set_defaults(run=_new)
    return parser


def _check(options: argparse.Namespace) -> int:
    registry = _registry(options.components)
    try:
        report = check_trees(options.paths, registry=registry, handles=_handles(options.handle))
    except FileNotFoundError as error:
        raise _CannotRun(str(error)) from error
    except RegistryError as error:  # a field's type that was to come later, and never came
        raise _CannotRun(str(error)) from error
    for found in report.errors:
        print(found, end="\n\n")
    files = _count(report.files, "file")
    prefabs = _count(report.prefabs, "prefab")
    if report.errors:
        print(f"{_count(len(report.errors), 'error')} in {files}, {prefabs}")
        unknown = any("unknown component `" in found.message for found in report.errors)
        if unknown and not options.components:
            print("Are the unknown components your own? Name their module: --components MODULE")
        return FOUND_ERRORS
    print(f"{files}, {prefabs}: no errors")
    return OK


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _handles(given: list[str]) -> dict[str, list[Path]]:
    handles = _handles_of_arcade()
    for item in given:
        name, equals, folder = item.partition("=")
        name = name.strip(":")
        if not equals or not name or not Path(folder).is_dir():
            raise _CannotRun(f"--handle wants NAME=FOLDER with a folder that exists, got {item!r}")
        # As in Arcade, the folder that was added last is searched first.
        handles.setdefault(name, []).insert(0, Path(folder))
    return handles


def _handles_of_arcade() -> dict[str, list[Path]]:
    """The handles that Arcade has from the start, found without importing it."""
    found = importlib.util.find_spec("arcade")
    if found is None or found.origin is None:
        return {}
    resources = Path(found.origin).parent / "resources"
    assets, system = resources / "assets", resources / "system"
    if not (assets.is_dir() and system.is_dir()):
        return {}  # laid out otherwise than we know: better not to check than to check wrongly
    # arcade/resources/__init__.py, `handles`.
    return {"resources": [system, assets], "assets": [assets], "system": [system]}


def _registry(modules: list[str]) -> ComponentRegistry:
    """Import the game's modules; the registry that they fill or name."""
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
                raise _CannotRun(f"there is no module {missing}: {hint}") from error
            raise _CannotRun(f"{name} imports {missing}, which is not installed") from error
        except ArcadePrefabsError as error:
            raise _CannotRun(f"{name}: {error}") from error
        except (Exception, SystemExit) as error:
            place = _place_of(error)
            raise _CannotRun(f"{name} fails{place}: {type(error).__name__}: {error}") from error
        if attribute:
            named = getattr(module, attribute, None)
            if not isinstance(named, ComponentRegistry):
                raise _CannotRun(f"{name} has no ComponentRegistry named {attribute}")
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


def _new(options: argparse.Namespace) -> int:
    try:
        # A shell completes the folder, too.
        identifier = prefab_id(options.name.removeprefix(Path(options.assets).as_posix() + "/"))
    except ValueError as error:
        raise _CannotRun(f"{options.name!r} is no name for a prefab: {error}") from error
    if "#" in identifier or identifier.startswith(":"):
        raise _CannotRun(f"{options.name!r} is no name for a new file")
    path = Path(options.assets, identifier)
    short = identifier.removeprefix("prefabs/").removesuffix(".ron")
    text = _STARTER.format(short=short, name=path.stem, check=options.assets)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:  # among them a file where the folder should be
        raise _CannotRun(f"{path.parent} cannot be made: {error.strerror}") from error
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        print(f"arcade-prefabs: {path} exists already; it was left as it is", file=sys.stderr)
        return FOUND_ERRORS
    except OSError as error:
        raise _CannotRun(f"{path} cannot be written: {error.strerror}") from error
    print(f"wrote {path}")
    return OK
