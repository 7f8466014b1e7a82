"""Hot reload: what changed on disk is loaded anew behind the handles that have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from ..pipeline import AssetPipeline, Reload
from .main_queue import Steps
from .table import LoadTable

__all__ = ["restart_ids", "restart_paths"]

# Assets that are looked at in one step.
_AT_ONCE: Final = 50


def restart_ids(table: LoadTable, ids: Iterable[str], wake: Callable[[], None]) -> Steps:
    """Load assets anew; those that nobody has are forgotten."""
    for number, identifier in enumerate(ids, 1):
        with table.lock:
            table.cache.forget(identifier)
            begun = sum(table.restart(entry) for entry in table.of_id(identifier))
        for _ in range(begun):
            wake()
        if number % _AT_ONCE == 0:
            yield None


def restart_paths(table: LoadTable, assets: Any, reload: Reload, wake: Callable[[], None]) -> Steps:
    """Look again at the assets whose files are broken now, or are not any more."""
    source = assets.source if isinstance(assets, AssetPipeline) else None
    paths = {error.path for error in reload.errors if error.path} | set(reload.healed)
    if not paths:
        return
    with table.lock:
        ids = sorted({entry.id for entry in table.entries()})
    changed = set(reload.ids)
    found: list[str] = []
    for number, identifier in enumerate(ids, 1):
        path = identifier.partition("#")[0]
        shown = source.shown(path) if source is not None else path
        if identifier not in changed and (shown in paths or path in paths):
            found.append(identifier)
        if number % _AT_ONCE == 0:
            yield None
    yield from restart_ids(table, found, wake)
