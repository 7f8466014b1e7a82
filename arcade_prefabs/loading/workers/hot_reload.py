"""Hot reload in the loader: reloads assets whose files changed, and reports broken files."""

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

# The number of assets that one step handles.
_AT_ONCE: Final = 50
# The most errors of one report that are logged one by one; the others are logged as a number.
_MOST_LOGGED: Final = 20


def restart_ids(loads: LoadRegistry, ids: Iterable[str], wake: Callable[[], None]) -> Steps:
    """Yields between steps that restart the loads of assets, 50 in each.

    Assets that nothing holds are evicted instead.
    """
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
    """Yields between steps that restart the loads of assets whose files broke or were mended."""
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
    """Logs the new errors in files, and sends them to listeners as ``broken``. Any thread.

    An error is new if the report before did not have it, and no failed load has logged it.
    """
    broken = reload.report.broken
    marks = {path: {mark_of(error) for error in errors} for path, errors in broken.items()}
    with loads.lock:
        if loads.closed:
            return
        before, logged_by_loads = loads.take_broken(marks)
    paths = {id(error): path for path, errors in broken.items() for error in errors}
    logged = set(logged_by_loads)
    new: list[tuple[str, LocatedError]] = []
    for error in reload.errors:
        path = paths.get(id(error)) or error.path or ""
        mark = mark_of(error)
        if mark not in before.get(path, ()) and (path, mark) not in logged:
            new.append((path, error))
    for path, error in new[:_MOST_LOGGED]:
        _log.warning("%s cannot be baked: %s", shown(path), error)
    more = len(new) - _MOST_LOGGED
    if more > 0:
        least = "at least " if reload.report.truncated else ""
        text = "%s%s more mistakes in files: `arcade-prefabs check` on the assets folder shows all"
        _log.warning(text, least, f"{more:,}")
    for path, error in new:
        loads.events.note_broken(path, error)
