"""Hot reload: what changed on disk is loaded anew behind its handles; what is broken is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from ...errors import LocatedError, shown
from ...frames.main_thread_queue import Steps
from ...pipeline import AssetPipeline, ReloadReport
from ..requests.load_registry import LoadRegistry, mark_of

__all__ = ["restart_ids", "restart_paths", "tell_broken"]

_log = logging.getLogger("arcade_prefabs")

# Assets that are looked at in one step.
_AT_ONCE: Final = 50
# Errors that are logged one by one: a terminal shows no more, and nobody reads hundreds.
_MOST_LOGGED: Final = 20


def restart_ids(loads: LoadRegistry, ids: Iterable[str], wake: Callable[[], None]) -> Steps:
    """Load assets anew; those that nobody has are forgotten."""
    for number, identifier in enumerate(ids, 1):
        with loads.lock:
            loads.cache.forget(identifier)
            begun = sum(loads.restart(record) for record in loads.of_id(identifier))
        for _ in range(begun):
            wake()
        if number % _AT_ONCE == 0:
            yield None


def restart_paths(
    loads: LoadRegistry, assets: Any, reload: ReloadReport, wake: Callable[[], None]
) -> Steps:
    """Look again at the assets whose files are broken now, or are not any more."""
    source = assets.source if isinstance(assets, AssetPipeline) else None
    paths = {error.path for error in reload.errors if error.path} | set(reload.healed)
    if not paths:
        return
    with loads.lock:
        ids = sorted({record.id for record in loads.records()})
    changed = set(reload.ids)
    found: list[str] = []
    for number, identifier in enumerate(ids, 1):
        path = identifier.partition("#")[0]
        shown = source.shown(path) if source is not None else path
        if identifier not in changed and (shown in paths or path in paths):
            found.append(identifier)
        if number % _AT_ONCE == 0:
            yield None
    yield from restart_ids(loads, found, wake)


def tell_broken(loads: LoadRegistry, reload: ReloadReport) -> None:
    """Log the errors that stand in files since then, and let listeners know. Any thread.

    An error that was told before is left out, and so is one that a load has told just now.
    """
    report = reload.report
    marks = {path: {mark_of(one) for one in found} for path, found in report.broken.items()}
    with loads.lock:
        if loads.closed:
            return
        before, told = loads.take_broken(marks)
    paths = {id(one): path for path, found in report.broken.items() for one in found}
    known = set(told)
    new: list[tuple[str, LocatedError]] = []
    for error in reload.errors:
        path = paths.get(id(error)) or error.path or ""
        mark = mark_of(error)
        if mark not in before.get(path, ()) and (path, mark) not in known:
            new.append((path, error))
    for path, error in new[:_MOST_LOGGED]:
        _log.warning("%s cannot be baked: %s", shown(path), error)
    more = len(new) - _MOST_LOGGED
    if more > 0:
        least = "at least " if report.truncated else ""
        text = "%s%s more mistakes in files: `arcade-prefabs check` on the assets folder shows all"
        _log.warning(text, least, f"{more:,}")
    for path, error in new:
        loads.events.note_broken(path, error)
