"""`Handle`: future-like reference to an asset, returned immediately by `load()`."""

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
    """Future-like reference to an asset, returned immediately by `load()`.

    ``await handle`` waits for the value, in a script or in asyncio; `value` and `result` do not
    wait.

    An asset stays in memory as long as one of its handles lives. Dropping the last handle cancels
    the load, unless a callback or an ``await`` waits for the handle. Two handles of one asset are
    equal.

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

    The state of an asset changes on the main thread only, in `drain`; `cancel` takes effect at
    once. Made by `AsyncPrefabLoader.load`. Any thread.
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
        # None until code waits for the handle: most handles are ready at once, or never waited for.
        self._completion: Completion | None = None
        # The empty tuple is one shared object, which takes no memory and no garbage collection.
        self._reload_callbacks: tuple[Callable[[Handle[T]], None], ...] = ()

    def __del__(self) -> None:
        # Runs in any thread at any moment, perhaps in code that holds the loader's lock.
        if self._outcome is None:
            self._loads.dropped_handles.append((self.record, self.serial))

    def __repr__(self) -> str:
        return f"<Handle {shown(self.id)}: {self.state.value}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and self.record is other.record

    def __hash__(self) -> int:
        return hash(self.record)

    # -------------------------------------------------------------------------------------- state

    @property
    def id(self) -> str:
        """The asset id."""
        return self.record.id

    @property
    def state(self) -> LoadState:
        """The stage of loading the asset itself; its dependencies do not count."""
        if self._outcome is not None:
            return LoadState.FAILED if self.error else LoadState.CANCELLED
        return self.record.state

    @property
    def dependency_state(self) -> TreeState:
        """The state of the asset and its direct dependencies, which are known after decoding."""
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
        """The state of the asset with all of its dependencies, direct or not."""
        return self.record.tree

    @property
    def kind(self) -> str:
        """The kind that the asset was baked to, such as ``prefab``; empty before it was read."""
        return self.record.kind

    @property
    def done(self) -> bool:
        """Whether the handle is ready, failed or cancelled."""
        return self._outcome is not None or self.record.settled

    @property
    def ready(self) -> bool:
        """Whether the asset and all of its dependencies can be used."""
        return self._outcome is None and self.record.tree is TreeState.READY

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` or the loader's `close` was called before the handle was done."""
        return isinstance(self._end_error, LoadCancelledError)

    @property
    def value(self) -> T | None:
        """The loaded value: a `Prefab`, a `LoadedImage`, bytes...; None until it is loaded.

        All handles of the asset share it: do not change it. It may be set before the handle is
        `ready`, while dependencies are loading.
        """
        value: T | None = None if self._outcome is not None else self.record.value
        return value

    @property
    def error(self) -> Exception | None:
        """Why the load failed, or None; a `DependencyError` if a dependency failed."""
        error = self._end_error
        return None if isinstance(error, LoadCancelledError) else error

    @property
    def _end_error(self) -> Exception | None:
        return self.record.tree_error if self._outcome is None else self._outcome

    @property
    def stale_error(self) -> Exception | None:
        """Why the last reload failed, or None; after a failure, `value` stays the one before."""
        return self.record.stale_error

    @property
    def version(self) -> int:
        """How often a value was loaded: 0 at first, then one more with each reload."""
        return self.record.version

    def sizes(self) -> dict[str, int]:
        """Returns the bytes in memory of the asset and of each of its dependencies.

        The names are asset ids; ``id?settings`` for assets with import settings.
        """
        sizes: dict[str, int] = {}
        stack = [self.record]
        while stack:
            record = stack.pop()
            name = "?".join(record.key) if record.key[1] else record.id
            if name not in sizes:
                sizes[name] = record.size
                stack.extend(record.needs)
        return sizes

    @property
    def progress(self) -> float:
        """The part that is loaded of the asset and its direct dependencies, 0 to 1.

        Dependencies are known once the asset is decoded, so it may fall at that moment.
        """
        record = self.record
        if record.settled or not record.needs:
            return 1.0 if record.settled else record.progress
        return (record.progress + sum(need.progress for need in record.needs)) / (
            1 + len(record.needs)
        )

    @property
    def children(self) -> tuple[Child, ...]:
        """The children of a prefab that are decoded so far; all children once it is ready."""
        value = self.record.value
        whole = getattr(value, "children", None)
        return tuple(self.record.children) if whole is None else tuple(whole)

    def result(self) -> T:
        """Returns the value of a handle that is ready.

        Raises:
            LoadError: The handle is not done.
            LoadCancelledError: The handle was cancelled.
            LoadTimeoutError: The handle was not done in time.
            DependencyError: A dependency of the asset failed.
            ArcadePrefabsError, OSError: The error that the asset failed with.
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

    # --------------------------------------------------------------------------- cancel and listen

    def cancel(self) -> bool:
        """Cancels this handle; returns False if it was done.

        The load of the asset ends unless another handle, a pin or an asset that depends on it holds
        it. Awaiting the handle raises a `LoadCancelledError`; its callbacks are not called.

        Any thread.
        """
        if self.done:
            return False
        self._end(LoadCancelledError(f"the load of {self.id} was cancelled"))
        completion = self._completion
        if completion is not None:
            self._loads.callbacks.queue.post(completion.finish, "callbacks", Step("settle"))
        return True

    def time_out(self, seconds: float) -> None:
        """Fails the handle with a `LoadTimeoutError` if it is not done after some seconds.

        The seconds are those of the loader's clock. Any thread.
        """
        reference = weakref.ref(self)

        def end_if_late() -> None:
            handle = reference()
            if handle is not None and not handle.done:
                state = handle.state.value
                message = f"{handle.id} was not loaded within {seconds:g} s: it is {state}"
                handle._end(LoadTimeoutError(message))
                if handle._completion is not None:
                    handle._completion.finish()

        self._loads.callbacks.after(seconds, end_if_late)

    def _end(self, outcome: Exception) -> None:
        self._outcome = outcome
        # Never wait for the lock: the game may call `cancel` in a finaliser, which can run while
        # this same thread holds the lock.
        loads = self._loads
        if loads.lock.acquire(blocking=False):
            try:
                loads.unwant(self.record, self.serial)
            finally:
                loads.lock.release()
        else:
            loads.dropped_handles.append((self.record, self.serial))

    def add_done_callback(self, callback: Callable[[Handle[T]], None]) -> None:
        """Calls a function once the handle is ready or failed, but not if it is cancelled.

        The function is called with the handle, on the main thread, within the budget of a frame; a
        handle that is done already does not call it at once, but in the next drain. Any thread.
        """
        self._listen(partial(self._call, callback))

    def _call(self, callback: Callable[[Handle[T]], None]) -> None:
        if not self.cancelled:
            self._loads.callbacks.call(callback, self)

    def on_reload(self, callback: Callable[[Handle[T]], None]) -> None:
        """Calls a function after each reload of the asset or of one of its dependencies.

        The function is called with the handle, on the main thread, as long as the handle lives.
        Adding the same function twice has no effect; `remove_hook` removes it. Any thread.
        """
        with self._loads.lock:
            if callback not in self._reload_callbacks:
                self._reload_callbacks += (callback,)
            self.record.watchers[self.serial] = weakref.WeakMethod(self._reloaded)

    def remove_hook(self, callback: Callable[[Handle[T]], None]) -> None:
        """Removes a function that `on_reload` added; no error if it was not added. Any thread."""
        with self._loads.lock:
            left = tuple(added for added in self._reload_callbacks if added != callback)
            self._reload_callbacks = left
            if not left:
                self.record.watchers.pop(self.serial, None)

    def _reloaded(self) -> None:
        for callback in self._reload_callbacks:
            self._loads.callbacks.call(callback, self)

    def __await__(self) -> Generator[Any, Any, T]:
        """Waits until the handle is done, and returns the value; in asyncio or in a script.

        Raises:
            Exception: The same errors as `result`.
        """
        if not self.done:
            yield from wait_for(self._listen)
        return self.result()

    def _listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls a function in the step that ends the handle, also if it is cancelled.

        The asset's record keeps the handle alive until then.

        Returns:
            A function that removes the listener.
        """
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
        """Removes a listener; without listeners, the record does not keep the handle alive."""
        with self._loads.lock:
            forget()
            kept = None if self._completion else self.record.waiters.pop(self.serial, None)
        del kept  # outside the lock: this may be the last reference


def _nothing() -> None:
    pass


def when_done(handle: Handle[Any], listener: Callable[[], None]) -> None:
    """Calls a function in the main-thread step that ends a handle, also if it is cancelled."""
    handle._listen(listener)
