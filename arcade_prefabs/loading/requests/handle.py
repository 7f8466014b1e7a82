"""`Handle`: what a load gives at once, and what the asset arrives behind."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Generic, TypeVar

from ...errors import LoadCancelledError, LoadError, LoadTimeoutError, shown
from ...frames.awaitables import Completion, wait_for
from ...frames.main_thread_queue import Step
from ...prefab import Child
from .asset_record import AssetRecord, LoadState, TreeState
from .load_registry import LoadRegistry

__all__ = ["Handle", "when_done"]

T = TypeVar("T")


class Handle(Generic[T]):
    """An asset that is loaded, or will be.

    It holds the asset: as long as one handle lives, the asset stays. Dropping the last one
    cancels the load, unless somebody waits for it: a callback counts, and so does ``await``. Two
    handles of one asset are equal.

    Example:
        >>> from arcade_prefabs.loading import AsyncPrefabLoader
        >>> from arcade_prefabs.pipeline import AssetPipeline, MemorySource
        >>> rock = 'Prefab(components: [Tags(["grey"])])'
        >>> with AssetPipeline(MemorySource({"prefabs/rock.ron": rock}), jobs=0) as pipeline:
        ...     with AsyncPrefabLoader(pipeline) as loader:
        ...         handle = loader.load("rock")
        ...         _ = loader.wait(handle)
        >>> handle.value.components
        {'Tags': {'names': ['grey']}}

    Made by `AsyncPrefabLoader.load`. Any thread, except where it says otherwise; what it says
    changes on the main thread only, while the loader's queue is drained.
    """

    __slots__ = (
        "__weakref__",
        "_completion",
        "_loads",
        "_outcome",
        "_reload_callbacks",
        "record",
        "serial",
    )

    def __init__(self, loads: LoadRegistry, record: AssetRecord, serial: int) -> None:
        self.record = record
        self.serial = serial
        self._loads = loads
        self._outcome: Exception | None = None
        # None as long as nobody waits: most handles are ready at once, or never waited for.
        self._completion: Completion | None = None
        # An empty tuple is always the same one: it costs neither memory nor the collector's time.
        self._reload_callbacks: tuple[Callable[[Handle[T]], None], ...] = ()

    def __del__(self) -> None:
        # In whichever thread, at whichever moment: a lock could be one that this thread holds.
        if self._outcome is None:
            self._loads.dropped_handles.append((self.record, self.serial))

    def __repr__(self) -> str:
        return f"<Handle {shown(self.id)}: {self.state.value}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and self.record is other.record

    def __hash__(self) -> int:
        return hash(self.record)

    # ---------------------------------------------------------------------------------- questions

    @property
    def id(self) -> str:
        """The full id of the asset."""
        return self.record.id

    @property
    def state(self) -> LoadState:
        """Where the asset itself is on its way."""
        if self._outcome is not None:
            return LoadState.FAILED if self.error else LoadState.CANCELLED
        return self.record.state

    @property
    def dependency_state(self) -> TreeState:
        """How the assets are that it needs directly; they are known once it is decoded."""
        record = self.record
        if any(need.state is LoadState.FAILED for need in record.needs):
            return TreeState.FAILED
        if record.state is LoadState.READY and all(
            need.state is LoadState.READY for need in record.needs
        ):
            return TreeState.READY
        return TreeState.FAILED if record.state is LoadState.FAILED else TreeState.LOADING

    @property
    def tree_state(self) -> TreeState:
        """How it is with everything that it needs, directly or not."""
        return self.record.tree

    @property
    def kind(self) -> str:
        """What the asset was baked to, such as ``prefab``; empty as long as that is not known."""
        return self.record.kind

    @property
    def done(self) -> bool:
        """Whether there is nothing more to wait for: ready with all it needs, failed, cancelled."""
        return self._outcome is not None or self.record.settled

    @property
    def ready(self) -> bool:
        """Whether it can be used, with everything that it needs."""
        return self._outcome is None and self.record.tree is TreeState.READY

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called, or the loader was shut down before it was done."""
        return isinstance(self._end_error, LoadCancelledError)

    @property
    def value(self) -> T | None:
        """What was loaded; None as long as it is not there. It may be there before it is `ready`.

        A `Prefab`, a `LoadedImage`, bytes... Shared by everybody: do not change it.
        """
        value: T | None = None if self._outcome is not None else self.record.value
        return value

    @property
    def error(self) -> Exception | None:
        """Why it failed, or None. A `DependencyError` if it is there, but lacks what it needs."""
        error = self._end_error
        return None if isinstance(error, LoadCancelledError) else error

    @property
    def _end_error(self) -> Exception | None:
        return self.record.tree_error if self._outcome is None else self._outcome

    @property
    def stale_error(self) -> Exception | None:
        """Why the newest version of its file cannot be used, while an older one is."""
        return self.record.stale_error

    @property
    def version(self) -> int:
        """Counts the values that it had: 0 before the first, then one more with each reload."""
        return self.record.version

    def sizes(self) -> dict[str, int]:
        """Bytes in memory of the asset, and of all that it needs, by full id and settings."""
        found: dict[str, int] = {}
        waiting = [self.record]
        while waiting:
            record = waiting.pop()
            name = "?".join(record.key) if record.key[1] else record.id
            if name not in found:
                found[name] = record.size
                waiting.extend(record.needs)
        return found

    @property
    def progress(self) -> float:
        """How much has come, 0 to 1, with everything that it needs and that is known by now."""
        record = self.record
        if record.settled or not record.needs:
            return 1.0 if record.settled else record.progress
        return (record.progress + sum(need.progress for need in record.needs)) / (
            1 + len(record.needs)
        )

    @property
    def children(self) -> tuple[Child, ...]:
        """The parts of a prefab that have come so far; all of them once it is ready."""
        value = self.record.value
        whole = getattr(value, "children", None)
        return tuple(self.record.children) if whole is None else tuple(whole)

    def result(self) -> T:
        """The value.

        Raises:
            LoadError: It is not done, or was cancelled (`LoadCancelledError`), or took too long
                (`LoadTimeoutError`), or lacks something that it needs (`DependencyError`).
            ArcadePrefabsError, OSError: Why it failed.
        """
        if self._outcome is not None:
            raise self._outcome
        record = self.record
        if record.tree_error is not None:
            raise record.tree_error
        if not record.settled:
            raise LoadError(f"{self.id} is not loaded yet: await it, or ask `done` before")
        value: T = record.value
        return value

    # ------------------------------------------------------------------------------------- wishes

    def cancel(self) -> bool:
        """Cancel this handle; False if it was done. The load ends if nobody else wants it.

        Whoever awaits the handle gets a `LoadCancelledError`; callbacks are not called. Any thread.
        """
        if self.done:
            return False
        self._end(LoadCancelledError(f"the load of {self.id} was cancelled"))
        completion = self._completion
        if completion is not None:
            self._loads.callbacks.queue.post(completion.finish, "callbacks", Step("settle"))
        return True

    def time_out(self, seconds: float) -> None:
        """End with a `LoadTimeoutError` if it is not done after some seconds of the loader's clock.

        Any thread.
        """
        reference = weakref.ref(self)

        def due() -> None:
            late = reference()
            if late is not None and not late.done:
                message = f"{late.id} was not loaded within {seconds:g} s: it is {late.state.value}"
                late._end(LoadTimeoutError(message))
                if late._completion is not None:
                    late._completion.finish()

        self._loads.callbacks.after(seconds, due)

    def _end(self, outcome: Exception) -> None:
        self._outcome = outcome
        # Never wait for the lock: this may be a finaliser that runs in the middle of something
        # that this very thread does under it.
        loads = self._loads
        if loads.lock.acquire(blocking=False):
            try:
                loads.unwant(self.record, self.serial)
            finally:
                loads.lock.release()
        else:
            loads.dropped_handles.append((self.record, self.serial))

    def add_done_callback(self, callback: Callable[[Handle[T]], None]) -> None:
        """Call a function once the handle is done, but not if it is cancelled.

        Called with the handle, on the main thread, in the budget of a frame, even if it is done
        already. Any thread.
        """
        self._listen(partial(self._call, callback))

    def _call(self, callback: Callable[[Handle[T]], None]) -> None:
        if not self.cancelled:
            self._loads.callbacks.call(callback, self)

    def on_reload(self, callback: Callable[[Handle[T]], None]) -> None:
        """Call a function whenever the asset, or something that it needs, has a newer version.

        Called with the handle as long as that lives, on the main thread. Adding the same function
        twice has no effect; `remove_hook` removes it. Any thread.
        """
        with self._loads.lock:
            if callback not in self._reload_callbacks:
                self._reload_callbacks += (callback,)
            self.record.watchers[self.serial] = weakref.WeakMethod(self._reloaded)

    def remove_hook(self, callback: Callable[[Handle[T]], None]) -> None:
        """Call a function of `on_reload` no more; no error if it is none. Any thread."""
        with self._loads.lock:
            left = tuple(one for one in self._reload_callbacks if one != callback)
            self._reload_callbacks = left
            if not left:
                self.record.watchers.pop(self.serial, None)

    def _reloaded(self) -> None:
        for callback in self._reload_callbacks:
            self._loads.callbacks.call(callback, self)

    def __await__(self) -> Generator[Any, Any, T]:
        """Wait until it is done; in asyncio, or in a script of the loader.

        Raises:
            As `result`.
        """
        if not self.done:
            yield from wait_for(self._listen)
        return self.result()

    def _listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call something at once when it is done, cancelled included. Keeps the handle alive."""
        with self._loads.lock:
            if not self.done:
                completion = self._completion
                if completion is None:
                    completion = self._completion = Completion()
                self.record.waiters[self.serial] = (completion, self)
                return partial(self._forget, completion.listen(listener))
        listener()
        return _nothing

    def _forget(self, forget: Callable[[], None]) -> None:
        """Undo a `_listen`; if nobody else waits, the handle may go."""
        with self._loads.lock:
            forget()
            kept = None if self._completion else self.record.waiters.pop(self.serial, None)
        del kept  # outside the lock: this may be the last reference


def _nothing() -> None:
    pass


def when_done(handle: Handle[Any], listener: Callable[[], None]) -> None:
    """Call something at once when a handle is done, in the step of the main thread that ends it."""
    handle._listen(listener)
