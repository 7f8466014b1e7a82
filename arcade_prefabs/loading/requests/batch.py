"""`Batch`: the handles of many loads as one awaitable object.

Registering a load takes some microseconds, and 20,000 of them would take a frame of a tenth of a
second. So `load_many` and `load_folder` return a batch at once, and a job of the main-thread queue
registers the loads, 16 in each step.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ...errors import (
    ArcadePrefabsError,
    LoaderClosedError,
    MissingAssetError,
    UnsafePathError,
)
from ...frames.awaitables import Completion
from ...frames.callbacks import Callbacks
from ...frames.main_thread_queue import Step, Steps
from ...prefab.asset_ids import PREFAB_FOLDER, asset_path
from ...prefab.suggestions import did_you_mean
from ..workers.bake_thread import FolderLister
from .handle import Handle, when_done

if TYPE_CHECKING:
    from ..workers.worker import AssetReader

__all__ = ["Batch", "list_folder", "register"]

# The number of loads that one step registers, in about 0.1 ms.
_AT_ONCE: Final = 16


class Batch:
    """Handles of loads that were requested together.

    It keeps all of its handles, and so all of its assets, alive.

    Example:
        >>> from arcade_prefabs.loading import AsyncPrefabLoader
        >>> from arcade_prefabs.pipeline import AssetPipeline, MemorySource
        >>> files = {f"prefabs/{name}.ron": "Prefab()" for name in ("oak", "elm")}
        >>> with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        ...     with AsyncPrefabLoader(pipeline) as loader:
        ...         batch = loader.load_many(["oak", "elm"])
        ...         _ = loader.wait(batch)
        >>> batch.progress, sorted(batch.errors), [handle.id for handle in batch]
        (1.0, [], ['prefabs/oak.ron', 'prefabs/elm.ron'])

    Attributes:
        total: The number of loads; None while a folder is being listed.
        ended: The number of loads that are ready, failed or cancelled.
        errors: The errors of failed loads, by asset id; by the requested name if that is no path
            below the assets folder.

    Main thread, except for ``await``.
    """

    def __init__(self, callbacks: Callbacks) -> None:
        self.total: int | None = None
        self.ended = 0
        self.errors: dict[str, Exception] = {}
        self._callbacks = callbacks
        self._handles: list[Handle[Any]] = []
        self._cancelled = False
        self._completion = Completion()

    def __repr__(self) -> str:
        return f"<Batch: {self.ended} of {self.total} ended, {len(self.errors)} failed>"

    def __iter__(self) -> Iterator[Handle[Any]]:
        """Iterates over the handles that were registered so far, in the order of the request."""
        return iter(tuple(self._handles))

    def __len__(self) -> int:
        return len(self._handles)

    @property
    def done(self) -> bool:
        """Whether all loads are ready, failed or cancelled."""
        return self._cancelled or self.ended == self.total

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called before the batch was done."""
        return self._cancelled

    @property
    def progress(self) -> float:
        """The part of the loads that have ended, 0 to 1."""
        return 0.0 if self.total is None else self.ended / self.total if self.total else 1.0

    def cancel(self) -> bool:
        """Cancels all loads of the batch that are not done; returns False if the batch was done."""
        if self.done:
            return False
        self._cancelled = True
        for handle in self._handles:
            handle.cancel()
        self._completion.finish()
        return True

    def add_done_callback(self, callback: Callable[[Batch], None]) -> None:
        """Calls a function once all loads have ended, but not if the batch is cancelled.

        The function is called with the batch, on the main thread, within the budget of a frame.
        """
        self._completion.listen(partial(self._call, callback))

    def _call(self, callback: Callable[[Batch], None]) -> None:
        if not self._cancelled:
            self._callbacks.call(callback, self)

    def __await__(self) -> Generator[Any, Any, Batch]:
        """Waits until all loads have ended. Raises nothing: failures are in `errors`."""
        yield from self._completion.wait()
        return self

    def _add(self, handle: Handle[Any]) -> None:
        self._handles.append(handle)
        when_done(handle, lambda: self._one_ended(handle))

    def _failed(self, identifier: str, error: Exception) -> None:
        """Records the error of an id whose load could not begin."""
        self.errors[identifier] = error
        self.ended += 1
        self._finish_if_done()

    def _one_ended(self, handle: Handle[Any]) -> None:
        if self._cancelled:
            return
        self.ended += 1
        if handle.error is not None:
            self.errors[handle.id] = handle.error
        self._finish_if_done()

    def _finish_if_done(self) -> None:
        if self.ended == self.total:
            self._completion.finish()


def register(batch: Batch, ids: list[str], load: Callable[[str], Handle[Any]]) -> Steps:
    """Yields between steps that each call ``load`` for 16 ids of a batch."""
    batch._finish_if_done()  # `ids` may be empty
    for number, identifier in enumerate(ids, 1):
        if batch.cancelled:
            return
        try:
            handle = load(identifier)
        except LoaderClosedError:
            return
        except ArcadePrefabsError as error:
            batch._failed(identifier, error)
        else:
            batch._add(handle)
            del handle
        if number % _AT_ONCE == 0:
            yield None


def list_folder(
    batch: Batch,
    assets: AssetReader,
    folder: str,
    kind: str,
    load: Callable[[str], Handle[Any]],
    cancelled: Callable[[], bool],
) -> None:
    """Finds the ids below a folder, and queues a job that registers their loads.

    Runs in a loader thread, or in the bake thread.
    """
    error: Exception | None = None
    found: list[str] = []
    try:
        found = _listed(assets, folder, kind, cancelled)
    except Exception as caught:  # without this, the batch would never be done
        error = caught

    def begin() -> Steps:
        batch.total = len(found) if error is None else 1
        if error is not None:
            batch._failed(folder, error)
        return register(batch, found, load)

    batch._callbacks.queue.post(begin, "game", Step("register loads"))


def _listed(
    assets: AssetReader, folder: str, kind: str, cancelled: Callable[[], bool]
) -> list[str]:
    """Returns the ids of a kind below a folder; of prefabs also below ``prefabs/`` and the folder.

    Raises:
        UnsafePathError: The folder is not a path below the assets folder.
        MissingAssetError: The folder does not exist.
        ArcadePrefabsError: The files in the folder cannot be listed.
    """
    try:
        name = asset_path(folder.rstrip("/")) if folder.strip("/") else ""
    except ValueError as error:
        raise UnsafePathError(str(error), path=folder[:200]) from None
    bakes = assets if isinstance(assets, FolderLister) else None
    ids = assets.ids(kind) if bakes is None else bakes.ids_to_load(kind, cancelled)
    if not name:
        return ids
    folders = [name]
    if kind == "prefab":
        folders.append(f"{PREFAB_FOLDER}/{name}")
    prefixes = tuple(f"{path}/" for path in folders)
    found = [identifier for identifier in ids if identifier.startswith(prefixes)]
    if found or (bakes is not None and any(map(bakes.has_folder, folders))):
        return found
    existing = {parent for identifier in assets.ids() for parent in _parents(identifier)}
    if existing.intersection(folders):
        return found
    existing |= {parent.removeprefix(f"{PREFAB_FOLDER}/") for parent in existing}
    hint = did_you_mean(name, sorted(existing))
    raise MissingAssetError("there is no such folder", path=folder, hint=hint)


def _parents(identifier: str) -> list[str]:
    names = identifier.partition("#")[0].split("/")[:-1]
    return ["/".join(names[:count]) for count in range(1, len(names) + 1)]
