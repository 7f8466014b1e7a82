"""``python -m demo_world``: fly over an island of 400,000 entities, at 60 frames a second."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_OPENGL = """\
OpenGL could not be loaded: {error}
  Debian, Ubuntu:  sudo apt-get install libgl1 libegl1 libgl1-mesa-dri libglu1-mesa
  Fedora:          sudo dnf install mesa-libGL mesa-libEGL mesa-dri-drivers mesa-libGLU
  Arch:            sudo pacman -S mesa glu"""
_SET_UP = """\
{name} is not installed here. This sets everything up and starts the demo:
  python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/python -m demo_world"""


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    found = argparse.ArgumentParser(prog="python -m demo_world", description=__doc__)
    found.add_argument("--autopilot", action="store_true", help="fly by itself; P switches, too")
    found.add_argument("--seconds", type=_positive, metavar="N", help="leave after N seconds")
    found.add_argument(
        "--assert-fps", type=_positive, metavar="FPS", nargs="?", const=60.0,
        help="exit with 1 if it does not hold that rate (60)",
    )  # fmt: skip
    found.add_argument(
        "--on-time", type=_percent, metavar="PERCENT", default=99.0,
        help="with --assert-fps: of all frames, that have to be on time (99)",
    )  # fmt: skip
    found.add_argument(
        "--compare", action="store_true",
        help="fly the same way again with cells loaded on the main thread, and show both",
    )  # fmt: skip
    found.add_argument(
        "--size", type=int, default=64, metavar="CELLS", choices=range(16, 129),
        help="cells of 1,024 pixels of the world, each way, 16 to 128 (64)",
    )  # fmt: skip
    found.add_argument(
        "--speed", type=_positive, default=1200.0, metavar="PX",
        help="pixels a second of the autopilot (1200)",
    )  # fmt: skip
    found.add_argument(
        "--window", type=_size, default=(1280, 720), metavar="WxH",
        help="pixels of the window, 320x180 and more (1280x720)",
    )  # fmt: skip
    found.add_argument(
        "--headless", action="store_true", help="without a window, even if one can be had"
    )
    found.add_argument(
        "--out", type=Path, default=Path("demo_output"), metavar="FOLDER",
        help="where screenshot and report go, if there is no display (demo_output)",
    )  # fmt: skip
    found.add_argument("--assets", type=Path, default=ROOT / "assets", help=argparse.SUPPRESS)
    found.add_argument("--naive", action="store_true", help=argparse.SUPPRESS)
    return found


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"a number above 0, not {text}")
    return value


def _percent(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"0 to 100, not {text}")
    return value


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    size = int(width), int(height)
    if not (320 <= size[0] <= 7680 and 180 <= size[1] <= 4320):
        raise argparse.ArgumentTypeError(f"320x180 to 7680x4320, not {text}")
    return size


def has_display() -> bool:
    """Whether a window can be shown."""
    # pyglet 2.1 supports only X, which desktops with Wayland have, too.
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY"))


def _cannot_write(folder: Path) -> str:
    """Returns why no file can be written to a folder; empty if one can.

    Called before the flight, so that no report is lost at its end.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Returns:
        The exit status: 0 for success; 1 if the flight was ended early, or if ``--assert-fps`` or
        ``--compare`` was given and the flight did not hold the rate or loaded too little to prove
        anything; 2 if it could not run; 130 if Ctrl+C ended it.
    """
    options = parser().parse_args(arguments)
    try:
        return _run(options)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130  # the exit code of shells for programs ended by Ctrl+C


def _run(options: argparse.Namespace) -> int:
    if not (options.assets / "prefabs" / "demo").is_dir():
        print(f"{options.assets} has no prefabs/demo: run it from the checkout", file=sys.stderr)
        return 2
    options.assets = options.assets.resolve()
    options.headless = options.headless or not has_display()
    if options.headless:
        os.environ["ARCADE_HEADLESS"] = "True"  # before Arcade is imported
        options.seconds = options.seconds or 30.0
        options.autopilot = True
        print(f"no display: flying {options.seconds:g} s without a window", flush=True)
    elif options.seconds or options.compare or options.assert_fps:
        options.autopilot = True
        options.seconds = options.seconds or 30.0
    if (options.headless or options.compare) and (reason := _cannot_write(options.out)):
        print(f"nothing can be written to {options.out}: {reason}; see --out", file=sys.stderr)
        return 2
    try:
        import pyglet

        # Otherwise pyglet checks for OpenGL errors after each call: a millisecond of each frame.
        pyglet.options.debug_gl = False
        import arcade  # noqa: F401 - raises an error here if OpenGL is missing

        import arcade_prefabs  # noqa: F401
    except ModuleNotFoundError as error:
        print(_SET_UP.format(name=error.name), file=sys.stderr)
        return 2
    except (ImportError, OSError) as error:  # pyglet raises both
        print(_OPENGL.format(error=error), file=sys.stderr)
        return 2
    from .flight import fly

    return fly(options)


if __name__ == "__main__":
    raise SystemExit(main())
