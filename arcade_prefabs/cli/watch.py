"""``arcade-prefabs watch``: bakes saved files again, until Ctrl-C."""

from __future__ import annotations

import argparse
import queue
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ..errors import shown_error
from ..pipeline import BakeReport
from .bake import add_bake_options, print_dangling, print_report, report_json, run_bake
from .interrupt import Interrupt
from .output import duration, print_json, say
from .shared import OK, CannotRun, add_assets, error_json, hint_at_components, opened

if TYPE_CHECKING:
    from ..errors import LocatedError
    from ..pipeline import AssetPipeline, AssetWatcher, ReloadReport

__all__ = ["add_watch"]

# Seconds between two checks for errors of the watcher's thread.
_CHECK_S: Final = 0.25


def add_watch(commands: Any) -> None:
    """Adds the command ``watch`` to the parser."""
    watch = commands.add_parser(
        "watch",
        help="bake what changes, as soon as it is saved",
        description="Bake, then bake again whatever is saved. Ends with Ctrl-C, and exits with 0.",
    )
    add_assets(watch, "the assets folder")
    add_bake_options(watch)
    watch.set_defaults(run=_watch)


def _watch(options: argparse.Namespace) -> int:
    from ..pipeline import AssetWatcher

    reloads: queue.SimpleQueue[ReloadReport] = queue.SimpleQueue()
    with Interrupt() as interrupt, opened(options, jobs=options.jobs) as pipeline:
        watcher = AssetWatcher(pipeline, reloads.put)
        try:
            if pipeline.read_only:
                raise CannotRun(f"{options.assets} is a release file, which does not change")
            dangling = _Dangling(pipeline)
            first = run_bake(pipeline, interrupt)
            _print_first(first, dangling.new(), options)
            watcher.start(told=first)
            _print_watching(options)
            failures = _Failures(watcher)
            while not interrupt.asked:
                try:
                    reload = reloads.get(timeout=_CHECK_S)
                    _print_reload(reload, dangling.new(), options)
                except queue.Empty:
                    failures.print_new(options)
        except KeyboardInterrupt:
            pass
        finally:
            interrupt.closing()
            watcher.close()
    if not options.json:
        say("arcade-prefabs: stopped watching", file=sys.stderr)
    return OK


class _Dangling:
    """Finds new references to assets that cannot be loaded, so that each is printed once."""

    def __init__(self, pipeline: AssetPipeline) -> None:
        self._pipeline = pipeline
        self._printed: frozenset[str] = frozenset()

    def new(self) -> list[LocatedError]:
        """Returns the errors of such references that were not there at the last call."""
        dangling = self._pipeline.dangling()
        new = [error for error in dangling if str(error) not in self._printed]
        self._printed = frozenset(map(str, dangling))
        return new


def _print_first(
    report: BakeReport, dangling: list[LocatedError], options: argparse.Namespace
) -> None:
    if options.json:
        print_json({"event": "baked", "time": _now(), **report_json(report, dangling)}, line=True)
    else:
        print_report(report, dangling, options)


def _print_watching(options: argparse.Namespace) -> None:
    if options.json:
        print_json({"event": "watching", "time": _now()}, line=True)
    else:
        say(f"watching {options.assets}; Ctrl-C ends it", flush=True)


def _print_reload(
    reload: ReloadReport, dangling: list[LocatedError], options: argparse.Namespace
) -> None:
    if options.json:
        event = {
            "event": "reload",
            "time": _now(),
            "ids": reload.ids,
            "changes": [change._asdict() for change in reload.report.changes],
            "errors": [error_json(error) for error in reload.errors],
            "dangling": [error_json(error) for error in dangling],
            "healed": reload.healed,
            "seconds": reload.report.seconds,
        }
        print_json(event, line=True)
        return
    at = f"{datetime.now().astimezone():%H:%M:%S}"
    kinds = {change.id: change.kind for change in reload.report.changes}
    took = duration(reload.report.seconds)
    for identifier in reload.ids:
        say(f"{at} {kinds.get(identifier, 'changed')} {identifier} ({took})")
    for path in reload.healed:
        say(f"{at} fixed {path}")
    for error in reload.errors:
        say(f"{at} error\n{error}", lines=True, end="\n\n")
    print_dangling(dangling)
    hint = hint_at_components(reload.errors, options)
    if hint:
        say(hint)
    sys.stdout.flush()


class _Failures:
    """Prints errors of the watcher's thread, such as a full disk, each once."""

    def __init__(self, watcher: AssetWatcher) -> None:
        self._watcher = watcher
        self._seen: list[Exception] = []
        self._last = ""

    def print_new(self, options: argparse.Namespace) -> None:
        failures = list(self._watcher.failures)
        new = [error for error in failures if not any(error is seen for seen in self._seen)]
        self._seen = failures
        for error in new:
            text = f"{type(error).__name__}: {shown_error(error)}"
            # An error that is raised again and again is printed once.
            if text != self._last:
                self._last = text
                if options.json:
                    event = {"event": "failure", "time": _now(), "message": text}
                    print_json(event, line=True)
                else:
                    say(f"arcade-prefabs: {text}", lines=True, file=sys.stderr, flush=True)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")
