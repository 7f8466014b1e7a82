"""`main`: parses the command line, runs one command, and returns the exit code."""

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
    """Runs a command of ``arcade-prefabs``.

    Args:
        arguments: The command and its arguments; by default those of the process.

    Returns:
        The exit code: 0 for success, 1 for errors found, 2 if the command could not run, 130 if
        Ctrl-C ended it.
    """
    with contextlib.ExitStack() as stack:
        # A stream is None without a console (pythonw), or if the shell has closed it.
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
        # Characters that the console cannot print, as in file names, must not end the run.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = int(options.run(options))
        sys.stdout.flush()  # raises BrokenPipeError here instead of at the exit of the interpreter
        return code
    except CannotRun as error:
        # Errors of the package have lines; in other messages, a line break is part of a file name.
        lines = isinstance(error.__cause__, ArcadePrefabsError)
        say(f"arcade-prefabs: {error}", lines=lines, file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        say("arcade-prefabs: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe, as `head` does. Without this, Python prints an error when
        # it flushes the stream at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FOUND_ERRORS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="arcade-prefabs", description="Work with prefabs, the building blocks of your game."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    # In the order in which an author needs them.
    for add in (add_new, add_check, add_bake, add_watch, add_inspect, add_stats, add_clean):
        add(commands)
    return parser
