"""`Handle`: what a load gives at once, and what the asset arrives behind."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from ...errors import LoadCancelledError, LoadError, shown
from ...frames.awaitables import wait_for
from ...prefab import Child
from .asset_record import Entry, LoadState, TreeState

if TYPE_CHECKING:
    from .claims import Claims

__all__ = ["ChildrenArrived", "Handle"]

T = TypeVar("T")


class ChildrenArrived(NamedTuple):
    """Parts of a large prefab that can be used already.

    Attributes:
        children: The parts.
        first: The number of the first one. 0 a second time means that the file changed while it
            was being read: everything before is out of date.
    """

    children: tuple[Child, ...]
    first: int


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
        "_callbacks",
        "_child_callbacks",
        "_claims",
        "_entry",
        "_listeners",
        "_outcome",
        "_reload_callbacks",
        "_serial",
        "_told",
    )

    def __init__(self, claims: Claims, entry: Entry, serial: int) -> None:
        self._claims = claims
        self._entry = entry
        self._serial = serial
        self._outcome: Exception | None = None
        self._told = False
        # Tuples: empty ones are all the same one, and cost neither memory nor the collector's time.
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._callbacks: tuple[Callable[[Handle[T]], None], ...] = ()
        self._child_callbacks: tuple[Callable[[ChildrenArrived], None], ...] = ()
        self._reload_callbacks: tuple[Callable[[Handle[T]], None], ...] = ()

    def __del__(self) -> None:
        # In whichever thread, at whichever moment: a lock could be one that this thread holds.
        if self._outcome is None:
            self._claims.dropped.append((self._entry, self._serial))

    def __repr__(self) -> str:
        return f"<Handle {shown(self.id)}: {self.state.value}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and self._entry is other._entry

    def __hash__(self) -> int:
        return hash(self._entry)

    # ---------------------------------------------------------------------------------- questions

    @property
    def id(self) -> str:
        """The full id of the asset."""
        return self._entry.id

    @property
    def state(self) -> LoadState:
        """Where the asset itself is on its way."""
        if self._outcome is not None:
            return LoadState.FAILED if self.error else LoadState.CANCELLED
        return self._entry.state

    @property
    def dependency_state(self) -> TreeState:
        """How the assets are that it needs directly; they are known once it is decoded."""
        entry = self._entry
        if any(need.state is LoadState.FAILED for need in entry.needs):
            return TreeState.FAILED
        if entry.state is LoadState.READY and all(
            need.state is LoadState.READY for need in entry.needs
        ):
            return TreeState.READY
        return TreeState.FAILED if entry.state is LoadState.FAILED else TreeState.LOADING

    @property
    def tree_state(self) -> TreeState:
        """How it is with everything that it needs, directly or not."""
        return self._entry.tree

    @property
    def kind(self) -> str:
        """What the asset was baked to, such as ``prefab``; empty as long as that is not known."""
        return self._entry.kind

    @property
    def done(self) -> bool:
        """Whether there is nothing more to wait for: ready with all it needs, failed, cancelled."""
        return self._outcome is not None or self._entry.settled

    @property
    def ready(self) -> bool:
        """Whether it can be used, with everything that it needs."""
        return self._outcome is None and self._entry.tree is TreeState.READY

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called, or the loader was shut down before it was done."""
        return self._outcome is not None and self.error is None

    @property
    def value(self) -> T | None:
        """What was loaded; None as long as it is not there. It may be there before it is `ready`.

        A `Prefab`, a `LoadedImage`, bytes... Shared by everybody: do not change it.
        """
        value: T | None = None if self._outcome is not None else self._entry.value
        return value

    @property
    def error(self) -> Exception | None:
        """Why it failed, or None. A `DependencyError` if it is there, but lacks what it needs."""
        outcome = self._outcome
        if outcome is None:
            return self._entry.tree_error
        return None if isinstance(outcome, LoadCancelledError) else outcome

    @property
    def stale_error(self) -> Exception | None:
        """Why the newest version of its file cannot be used, while an older one is."""
        return self._entry.stale_error

    @property
    def version(self) -> int:
        """Counts the values that it had: 0 before the first, then one more with each reload."""
        return self._entry.version

    def sizes(self) -> dict[str, int]:
        """Bytes in memory of the asset, and of all that it needs, by full id and settings."""
        found: dict[str, int] = {}
        waiting = [self._entry]
        while waiting:
            entry = waiting.pop()
            name = "?".join(entry.key) if entry.key[1] else entry.id
            if name not in found:
                found[name] = entry.size
                waiting.extend(entry.needs)
        return found

    @property
    def progress(self) -> float:
        """How much has come, 0 to 1, with everything that it needs and that is known by now."""
        entry = self._entry
        if entry.settled or not entry.needs:
            return 1.0 if entry.settled else entry.progress
        return (entry.progress + sum(need.progress for need in entry.needs)) / (
            1 + len(entry.needs)
        )

    @property
    def children(self) -> tuple[Child, ...]:
        """The parts of a prefab that have come so far; all of them once it is ready."""
        value = self._entry.value
        whole = getattr(value, "children", None)
        return tuple(self._entry.children) if whole is None else tuple(whole)

    def result(self) -> T:
        """The value.

        Raises:
            LoadError: It is not done, or was cancelled (`LoadCancelledError`), or took too long
                (`LoadTimeoutError`), or lacks something that it needs (`DependencyError`).
            ArcadePrefabsError, OSError: Why it failed.
        """
        if self._outcome is not None:
            raise self._outcome
        entry = self._entry
        if entry.tree_error is not None:
            raise entry.tree_error
        if not entry.settled:
            raise LoadError(f"{self.id} is not loaded yet: await it, or ask `done` before")
        value: T = entry.value
        return value

    # ------------------------------------------------------------------------------------- wishes

    def cancel(self) -> bool:
        """Want it no more; False if it was done. The load ends if nobody else wants it.

        Those who await it get a `LoadCancelledError`; callbacks are not called. Any thread.
        """
        return self._claims.cancel(self)

    def add_done_callback(self, callback: Callable[[Handle[T]], None]) -> None:
        """Call something once it is done, but not if it is cancelled.

        Called with the handle, on the main thread, in the budget of a frame, even if it is done
        already. Any thread.
        """
        self._claims.add_callback(self, callback)

    def on_children(self, callback: Callable[[ChildrenArrived], None]) -> None:
        """Call something whenever parts of a large prefab have come, before all of it has.

        Called with `ChildrenArrived`, on the main thread, in the budget of a frame. A prefab of
        less than about 128 kB comes in one piece. Any thread.
        """
        self._claims.add_child_callback(self, callback)

    def on_reload(self, callback: Callable[[Handle[T]], None]) -> None:
        """Call something whenever it, or something that it needs, was replaced by a newer version.

        Called with the handle as long as that lives, on the main thread. Any thread.
        """
        self._claims.add_reload_callback(self, callback)

    def __await__(self) -> Generator[Any, Any, T]:
        """Wait until it is done; in asyncio, or in a script of the loader.

        Raises:
            As `result`.
        """
        if not self.done:
            yield from wait_for(self._listen)
        return self.result()

    def _listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have something called at once when it is done, cancelled included."""
        self._claims.listen(self, listener)
        return lambda: self._claims.unlisten(self, listener)

    # ---------------------------------------------------------------------- called by the loader

    def _settle(self) -> None:
        """Tell everybody, once. Main thread, without the lock."""
        if self._told:
            return
        self._told = True
        listeners, self._listeners = self._listeners, ()
        for listener in listeners:
            listener()
        callbacks, self._callbacks = self._callbacks, ()
        if not self.cancelled:
            for callback in callbacks:
                self._claims.call(callback, self)

    def _arrived(self, arrived: ChildrenArrived) -> None:
        for callback in self._child_callbacks:
            self._claims.call(callback, arrived)

    def _reloaded(self) -> None:
        for callback in self._reload_callbacks:
            self._claims.call(callback, self)
