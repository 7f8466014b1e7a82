"""``arcade-prefabs new``: writes a commented prefab to start from."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from ..prefab import prefab_id
from ..prefab.suggestions import instead_of
from .output import say
from .shared import FOUND_ERRORS, OK, CannotRun

__all__ = ["add_new"]

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
        // (name: "lamp", prefab: "props/lamp", position: (0, 32)),
    ],
)
"""


def add_new(commands: Any) -> None:
    """Adds the command ``new`` to the parser."""
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


def _new(options: argparse.Namespace) -> int:
    try:
        # An author who completes the path in a shell writes the assets folder, too.
        identifier = prefab_id(options.name.removeprefix(Path(options.assets).as_posix() + "/"))
    except ValueError as error:
        raise CannotRun(f"{options.name!r} is no name for a prefab: {error}") from error
    if "#" in identifier or identifier.startswith(":"):
        raise CannotRun(f"{options.name!r} is no name for a new file")
    path = Path(options.assets, identifier)
    short = identifier.removeprefix("prefabs/").removesuffix(".ron")
    instead = instead_of(short)
    if instead is not None:
        raise CannotRun(f"{options.name!r} is no name for a prefab: {instead}")
    text = _STARTER.format(short=short, name=path.stem, check=options.assets)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:  # such as a file with the name of the folder
        raise CannotRun(f"{path.parent} cannot be made: {error.strerror}") from error
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        say(f"arcade-prefabs: {path} exists already; it was left as it is", file=sys.stderr)
        return FOUND_ERRORS
    except OSError as error:
        raise CannotRun(f"{path} cannot be written: {error.strerror}") from error
    say(f"wrote {path}")
    return OK
