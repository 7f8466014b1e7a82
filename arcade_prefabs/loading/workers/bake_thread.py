"""`BakeThread`: what is not baked yet is baked aside, so that nothing that is has to wait."""

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

# A bake of chosen files looks through the whole store, 10 ms for each 1,000 files, but keeps all
# workers busy. A few files are baked sooner one after the other. No more in one go than that, for
# urgent ones may come meanwhile.
_FEW: Final = 8
_MOST_FILES: Final = 128


@runtime_checkable
class OnDemandBaker(Protocol):
    """What an `AssetPipeline` can do beside `get`."""

    def is_fresh(self, identifier: str, settings: Mapping[str, Any] | None = None) -> bool:
        """Whether `get` would bake nothing."""
        ...

    def get(self, identifier: str, settings: Mapping[str, Any] | None = None) -> Any:
        """What was baked from a file; baked now, if need be."""
        ...

    def bake(self, paths: Any = None, *, cancelled: Any = None) -> Any:
        """Bake files."""
        ...


@runtime_checkable
class FolderLister(OnDemandBaker, Protocol):
    """What bakes a whole folder, to find what is in it."""

    def ids_to_load(self, kind: str, cancelled: Any = None) -> list[str]:
        """The ids of everything of one kind, baked before, and of what cannot be baked."""
        ...

    def has_folder(self, folder: str) -> bool:
        """Whether there is such a folder, empty or not."""
        ...


class BakeThread:
    """One thread, started when it is first needed, that waits for the compile workers.

    Args:
        loads: What is loaded, loading or wanted.
        assets: Who bakes.
        wake: Called when loads can go on.

    Any thread.
    """

    def __init__(
        self, loads: LoadRegistry, assets: OnDemandBaker, wake: Callable[[], None]
    ) -> None:
        self._loads = loads
        self._assets = assets
        self._wake = wake
        self._changed = threading.Condition()
        self._cold: dict[LoadAttempt, None] = {}
        self._also: deque[Callable[[], None]] = deque()
        self._thread: threading.Thread | None = None
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether nothing more is begun."""
        return self._stopped

    def is_fresh(self, identifier: str, settings: Mapping[str, Any] | None) -> bool:
        """Whether an asset can be read without baking it."""
        return self._assets.is_fresh(identifier, settings)

    def add(self, attempt: LoadAttempt) -> None:
        """Have a load go on once its asset is baked."""
        with self._changed:
            if self._stopped:
                return
            self._cold[attempt] = None
            self._begin()

    def also(self, work: Callable[[], None]) -> None:
        """Have something else done that waits for bakes, once the files that wait now are baked."""
        with self._changed:
            if not self._stopped:
                self._also.append(work)
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
                while not self._cold and not self._also and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                work = self._also.popleft() if self._also and not self._cold else None
            if work is not None:
                work()
                continue
            with self._changed:
                order = sorted(self._cold, key=lambda one: (-one.record.priority, one.record.age))
                attempts = order[:_MOST_FILES]
                for attempt in attempts:
                    del self._cold[attempt]
            paths = {
                one.record.id.partition("#")[0]
                for one in attempts
                if not one.stale and not one.record.settings
            }
            baked: dict[str, Any] = {}
            try:
                baked = self._bake(sorted(paths))
            except Exception:  # the loads would wait for ever otherwise
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
        """Bakes files; returns the assets by path if these are few files."""
        # What is wrong with an asset is said when it is read.
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
        """Begin nothing more."""
        with self._changed:
            self._stopped = True
            self._cold.clear()
            self._also.clear()
            self._changed.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait until the thread has ended; False if it has not."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(seconds)
        return not thread.is_alive()
