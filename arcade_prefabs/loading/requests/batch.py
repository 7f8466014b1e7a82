"""`Batch`: many loads as one."""

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

# Loads that are registered in one step: about 0.1 ms.
_AT_ONCE: Final = 16


class Batch:
    """Loads that were asked for together; it holds all of their handles.

    They are registered in slices within the budget, so that asking for 20,000 costs no frame.

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
        total: How many loads there are; None while a folder is being listed.
        ended: How many have ended, in whatever way.
        errors: Why loads failed, by the ids that were asked for.

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
        """The handles that were registered so far, in the order in which they were asked for."""
        return iter(tuple(self._handles))

    def __len__(self) -> int:
        return len(self._handles)

    @property
    def done(self) -> bool:
        """Whether all have ended: ready, failed or cancelled."""
        return self._cancelled or self.ended == self.total

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called before all had ended."""
        return self._cancelled

    @property
    def progress(self) -> float:
        """How many of them have ended, 0 to 1."""
        return 0.0 if self.total is None else self.ended / self.total if self.total else 1.0

    def cancel(self) -> bool:
        """Demand none of them any more; False if it was done."""
        if self.done:
            return False
        self._cancelled = True
        for handle in self._handles:
            handle.cancel()
        self._completion.finish()
        return True

    def add_done_callback(self, callback: Callable[[Batch], None]) -> None:
        """Call something once all have ended, but not if it is cancelled.

        Called with the batch, on the main thread, in the budget of a frame.
        """
        self._completion.listen(partial(self._call, callback))

    def _call(self, callback: Callable[[Batch], None]) -> None:
        if not self._cancelled:
            self._callbacks.call(callback, self)

    def __await__(self) -> Generator[Any, Any, Batch]:
        """Wait until all have ended. Raises nothing: what failed is in `errors`."""
        yield from self._completion.wait()
        return self

    def _add(self, handle: Handle[Any]) -> None:
        self._handles.append(handle)
        when_done(handle, lambda: self._one_ended(handle))

    def _failed(self, identifier: str, error: Exception) -> None:
        """Note an id that no load could begin for."""
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
    """Begin the loads of a batch, some in each step."""
    batch._finish_if_done()  # there may be none
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
    """Find what a batch has to load, and have that registered. Loader thread, or that of bakes."""
    error: Exception | None = None
    found: list[str] = []
    try:
        found = _listed(assets, folder, kind, cancelled)
    except Exception as caught:  # the batch would wait for ever otherwise
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
    """The ids that stand below a folder; prefabs have one of their own.

    Raises:
        UnsafePathError: No such folder may exist.
        MissingAssetError: There is none.
        ArcadePrefabsError: What is in it cannot be found out.
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
    found = [one for one in ids if one.startswith(tuple(f"{one}/" for one in folders))]
    if found or (bakes is not None and any(map(bakes.has_folder, folders))):
        return found
    there = {parent for one in assets.ids() for parent in _parents(one)}
    if there.intersection(folders):
        return found
    there |= {parent.removeprefix(f"{PREFAB_FOLDER}/") for parent in there}
    hint = did_you_mean(name, sorted(there))
    raise MissingAssetError("there is no such folder", path=folder, hint=hint)


def _parents(identifier: str) -> list[str]:
    names = identifier.partition("#")[0].split("/")[:-1]
    return ["/".join(names[:count]) for count in range(1, len(names) + 1)]
