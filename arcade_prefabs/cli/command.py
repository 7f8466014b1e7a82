"""The command line: finds the command that was asked for, runs it, and gives the exit code."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..errors import ArcadePrefabsError
from .bake import add_bake
from .check import add_check
from .inspect import add_inspect
from .new import add_new
from .output import say
from .shared import CANNOT_RUN, FOUND_ERRORS, INTERRUPTED, CannotRun
from .store import add_clean, add_stats
from .watch import add_watch

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Gives the exit code: 0 for success, 1 for errors found, 2 if it could not run, 130 if Ctrl-C
    ended it.
    """
    with contextlib.ExitStack() as stack:
        # They are None where there is no console (pythonw), and where the shell has closed them.
        for name, redirect in (
            ("stdout", contextlib.redirect_stdout),
            ("stderr", contextlib.redirect_stderr),
        ):
            if getattr(sys, name) is None:
                nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
                stack.enter_context(redirect(nowhere))
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
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
    except CannotRun as error:
        # What an error of ours says may have lines; in what else is said, a name brings none.
        lines = isinstance(error.__cause__, ArcadePrefabsError)
        say(f"arcade-prefabs: {error}", lines=lines, file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        say("arcade-prefabs: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Somebody closed the pipe, as `head` does. Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FOUND_ERRORS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="arcade-prefabs", description="Work with prefabs, the building blocks of your game."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    # In the order in which people meet them.
    for add in (add_new, add_check, add_bake, add_watch, add_inspect, add_stats, add_clean):
        add(commands)
    return parser
