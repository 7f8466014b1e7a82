"""``arcade-prefabs bake``: brings the bake store up to date, and writes release files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ..errors import BakeCancelledError, LocatedError
from ..pipeline import AssetPipeline, BakeReport
from ..pipeline.store.locations import is_possible
from .interrupt import Interrupt
from .output import amount, duration, print_json, progress, say
from .shared import (
    FOUND_ERRORS,
    INTERRUPTED,
    OK,
    CannotRun,
    add_assets,
    add_game_options,
    add_store_options,
    count,
    error_json,
    hint_at_components,
    is_store,
    opened,
)

__all__ = [
    "KEPT",
    "add_bake",
    "add_bake_options",
    "print_dangling",
    "print_report",
    "report_json",
    "run_bake",
]

KEPT: Final = (
    "arcade-prefabs: interrupted; what was baked so far is kept, the next bake goes on from there"
)
# The most references to missing assets that are printed as text.
_MOST_MISSING: Final = 20


def add_bake(commands: Any) -> None:
    """Adds the command ``bake`` to the parser."""
    bake = commands.add_parser(
        "bake",
        help="bake what changed in the assets, and write a release file",
        description="Bake what changed in the assets, and what is made from it. "
        "Exits with 1 if something cannot be baked; all the rest is baked.",
    )
    add_assets(bake, "the assets folder, or a zip archive of it")
    bake.add_argument(
        "--release",
        metavar="FILE",
        help="then write all assets into one read-only file, which a game opens in place of the "
        "folder. Not written if there are errors, or if assets are missing",
    )
    bake.add_argument(
        "--allow-missing",
        action="store_true",
        help="write the release file although it names assets that are missing",
    )
    add_bake_options(bake)
    bake.set_defaults(run=_bake)


def add_bake_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of commands that bake a whole folder."""
    parser.add_argument(
        "--jobs",
        type=_jobs,
        metavar="N",
        help="worker processes (default: one for each core, at most 8; 0: none)",
    )
    add_game_options(parser)
    add_store_options(parser)


def _jobs(text: str) -> int:
    try:
        jobs = int(text)
    except ValueError:
        jobs = -1
    if jobs < 0:
        raise argparse.ArgumentTypeError(f"a number of processes, 0 or more, not {text!r}")
    return jobs


def run_bake(pipeline: AssetPipeline, interrupt: Interrupt) -> BakeReport:
    """Bakes all assets, and shows the progress on a terminal.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    try:
        with progress("baking") as on_progress:
            return pipeline.bake(on_progress=on_progress, cancelled=interrupt.pressed)
    except BakeCancelledError:
        raise KeyboardInterrupt from None


def _bake(options: argparse.Namespace) -> int:
    if options.release is not None:
        _check_release(Path(options.release))
    released: int | None = None
    lacks = False
    with Interrupt() as interrupt, opened(options, jobs=options.jobs) as pipeline:
        try:
            report = run_bake(pipeline, interrupt)
            dangling = pipeline.dangling()
            lacks = bool(dangling) and options.release is not None and not options.allow_missing
            if options.release is not None and report.ok and not lacks:
                released = pipeline.write_release(options.release)
        except KeyboardInterrupt:
            interrupt.closing()
            say(KEPT, file=sys.stderr)
            return INTERRUPTED
        interrupt.closing()
    if options.json:
        release = None
        if released is not None:
            release = {"path": options.release, "bytes": released}
        print_json({**report_json(report, dangling), "release": release})
    else:
        print_report(report, dangling, options)
        if released is not None:
            say(f"wrote {options.release}: {amount(released)}")
        elif options.release is not None:
            reason = "because of the errors"
            if report.ok:
                reason = "because assets are missing; --allow-missing writes it"
            say(f"{options.release} was not written {reason}")
    return OK if report.ok and not lacks else FOUND_ERRORS


def _check_release(path: Path) -> None:
    """Checks before the bake that a release file can be written to a path.

    Raises:
        CannotRun: The path is a folder or another file, or cannot be the name of a file.
    """
    if not is_possible(path):
        raise CannotRun(f"--release wants a file, and none can be called {path}")
    if path.is_dir():
        raise CannotRun(f"--release wants a file, and {path} is a folder")
    if path.exists() and not is_store(path):
        raise CannotRun(f"{path} is there already, and is no release file: choose another name")


# --------------------------------------------------------------------------------------- the report


def print_report(
    report: BakeReport, dangling: Sequence[LocatedError], options: argparse.Namespace
) -> None:
    """Prints the result of a bake: errors in full, warnings of missing assets, and a summary."""
    for error in report.errors:
        say(str(error), lines=True, end="\n\n")
    print_dangling(dangling)
    for note in report.notes:
        say(f"note: {note}")
    say(_summary(report))
    if report.errors:
        say(count(len(report.errors), "error"))
        hint = hint_at_components(report.errors, options)
        if hint:
            say(hint)


def _summary(report: BakeReport) -> str:
    baked = f"{len(report.baked):,} baked"
    rate = _rate(report)
    if rate is not None:
        baked += f" ({rate:,.0f} a second)"
    unchanged = report.unchanged + report.touched
    return (
        f"{count(report.files, 'file')} in {duration(report.seconds)}: {baked}, "
        f"{unchanged:,} unchanged, {report.removed:,} removed"
    )


def _rate(report: BakeReport) -> float | None:
    return len(report.baked) / report.seconds if report.baked and report.seconds else None


def print_dangling(dangling: Sequence[LocatedError]) -> None:
    """Prints references to assets that cannot be loaded, as warnings.

    They are no errors of a bake, as the assets may be made before the game is released.
    """
    for error in dangling[:_MOST_MISSING]:
        say(f"warning: {error}", lines=True, end="\n\n")
    if len(dangling) > _MOST_MISSING:
        more = len(dangling) - _MOST_MISSING
        say(f"{count(more, 'more warning')}; --json has them all")


def report_json(report: BakeReport, dangling: Sequence[LocatedError] = ()) -> dict[str, Any]:
    """Returns the result of a bake as JSON values."""
    return {
        "ok": report.ok,
        "files": report.files,
        "baked": report.baked,
        "unchanged": report.unchanged,
        "touched": report.touched,
        "removed": report.removed,
        "changes": [change._asdict() for change in report.changes],
        "errors": [error_json(error) for error in report.errors],
        "missing": dict(report.missing),
        "dangling": [error_json(error) for error in dangling],
        "seconds": report.seconds,
        "rate": _rate(report),
        "notes": report.notes,
    }
