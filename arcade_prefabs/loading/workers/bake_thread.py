"""`BakeThread`: bakes stale assets for the loader, so that loads of baked ones need not wait."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, runtime_checkable

from ...errors import ArcadePrefabsError
from ..requests.asset_record import LoadAttempt
from ..requests.load_registry import LoadRegistry

__all__ = ["BakeThread", "FolderLister", "OnDemandBaker"]

_log = logging.getLogger("arcade_prefabs")

# `bake` with a list of files looks through the whole store, 10 ms for each 1,000 files, but uses
# all worker processes. Up to this number of files, baking one after the other is faster.
_FEW: Final = 8
# The most files of one call of `bake`: urgent requests that come meanwhile have to wait for it.
_MOST_FILES: Final = 128


@runtime_checkable
class OnDemandBaker(Protocol):
    """Bakes single assets and lists of files, as `AssetPipeline` does."""

    def is_fresh(self, identifier: str, settings: Mapping[str, Any] | None = None) -> bool:
        """Whether `get` would return without baking."""
        ...

    def get(self, identifier: str, settings: Mapping[str, Any] | None = None) -> Any:
        """Returns a baked asset; bakes it first if it is stale."""
        ...

    def bake(self, paths: Any = None, *, cancelled: Any = None) -> Any:
        """Bakes files; stops early when ``cancelled()`` is true."""
        ...


@runtime_checkable
class FolderLister(OnDemandBaker, Protocol):
    """Bakes all files, to list the assets in a folder."""

    def ids_to_load(self, kind: str, cancelled: Any = None) -> list[str]:
        """Returns the ids of all assets of a kind, and of files that cannot be baked."""
        ...

    def has_folder(self, folder: str) -> bool:
        """Whether a folder exists below the assets folder, empty or not."""
        ...


class BakeThread:
    """A thread that bakes stale assets in worker processes, and then queues their loads again.

    The thread starts with the first stale asset.

    Args:
        loads: The registry of loads.
        assets: Bakes the files.
        wake: Wakes a loader thread; called for each load that can go on.

    Any thread.
    """

    def __init__(
        self, loads: LoadRegistry, assets: OnDemandBaker, wake: Callable[[], None]
    ) -> None:
        self._loads = loads
        self._assets = assets
        self._wake = wake
        self._changed = threading.Condition()
        self._stale: dict[LoadAttempt, None] = {}
        self._functions: deque[Callable[[], None]] = deque()
        self._thread: threading.Thread | None = None
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def is_fresh(self, identifier: str, settings: Mapping[str, Any] | None) -> bool:
        """Whether an asset can be read without baking it first."""
        return self._assets.is_fresh(identifier, settings)

    def add(self, attempt: LoadAttempt) -> None:
        """Bakes the asset of a load, and queues the load again after that."""
        with self._changed:
            if self._stopped:
                return
            self._stale[attempt] = None
            self._begin()

    def also(self, function: Callable[[], None]) -> None:
        """Calls a function that bakes in the bake thread, once no stale asset waits."""
        with self._changed:
            if not self._stopped:
                self._functions.append(function)
                self._begin()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="arcade_prefabs bake", daemon=True
            )
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stale and not self._functions and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                function = (
                    self._functions.popleft() if self._functions and not self._stale else None
                )
            if function is not None:
                function()
                continue
            with self._changed:
                order = sorted(self._stale, key=_urgency)
                attempts = order[:_MOST_FILES]
                for attempt in attempts:
                    del self._stale[attempt]
            paths = {
                attempt.record.id.partition("#")[0]
                for attempt in attempts
                if not attempt.stale and not attempt.record.settings
            }
            baked: dict[str, Any] = {}
            try:
                baked = self._bake(sorted(paths))
            except Exception:  # without this, the loads would never go on
                _log.exception("baking %d files failed", len(paths))
            with self._loads.lock:
                for attempt in attempts:
                    if not attempt.stale:
                        attempt.baked = True
                        asset = baked.get(attempt.record.id)
                        if asset is not None and not attempt.record.settings:
                            self._loads.hand_on(attempt, asset)
                        self._loads.scheduler.put(attempt)
            baked.clear()  # this thread may sleep for hours
            for _ in attempts:
                self._wake()

    def _bake(self, paths: list[str]) -> dict[str, Any]:
        """Bakes files; returns the baked assets by path if these are few files."""
        # Errors of an asset are reported when it is read: they are ignored here.
        baked: dict[str, Any] = {}
        if len(paths) > _FEW:
            with contextlib.suppress(ArcadePrefabsError, OSError):
                self._assets.bake(paths, cancelled=lambda: self._stopped)
            return baked
        for path in paths:
            with contextlib.suppress(ArcadePrefabsError, OSError):
                if not self._stopped:
                    baked[path] = self._assets.get(path)
        return baked

    def stop(self) -> None:
        """Drops all assets and functions that wait, and accepts no more."""
        with self._changed:
            self._stopped = True
            self._stale.clear()
            self._functions.clear()
            self._changed.notify_all()

    def join(self, seconds: float) -> bool:
        """Waits up to ``seconds`` for the end of the thread; False if it still runs."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(seconds)
        return not thread.is_alive()


def _urgency(attempt: LoadAttempt) -> tuple[int, int]:
    return -attempt.record.priority, attempt.record.age
