"""`AssetRecord`: the state of one asset in the loader, and of its attempts to load it."""

from __future__ import annotations

import enum
import weakref
from collections.abc import Callable, Generator
from typing import Any, Final, TypeAlias

from ...errors import shown
from ...frames.awaitables import Completion
from ...pipeline import BakedAsset
from .priority import Priority

__all__ = ["AssetKey", "AssetRecord", "LoadAttempt", "LoadState", "TreeState"]


# An asset id and, as text, import settings.
AssetKey: TypeAlias = tuple[str, str]


class LoadState(enum.Enum):
    """Stage of loading an asset; its dependencies do not count.

    Attributes:
        WAITING: The load waits in the scheduler's queue.
        READING: A loader thread reads the asset from the bake store, or it is being baked.
        DECODING: Loader threads decode its pages.
        ACTIVATING: The decoded value waits for its main-thread commit.
        READY: The value is there.
        FAILED: The asset could not be loaded.
        CANCELLED: The last handle was dropped or cancelled before the asset was ready.
    """

    WAITING = "waiting"
    READING = "reading"
    DECODING = "decoding"
    ACTIVATING = "activating"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TreeState(enum.Enum):
    """State of an asset together with its dependencies.

    Attributes:
        LOADING: At least one of the assets is not ready yet, and none has failed.
        READY: All of the assets are ready.
        FAILED: At least one of the assets has failed.
    """

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


# The number of bits in `AssetRecord.counts` that count the handles of one priority.
_BITS: Final = 32


class LoadAttempt:
    """One attempt to load an asset; a newer attempt for the same asset makes it stale.

    Attributes:
        record: The record of the asset.
        reload: Whether the asset was ready or failed before, and is loaded again.
        task: The decoder's generator, suspended between two units; None if decoding has not begun.
        kind: The kind that the asset was baked to; ``read`` before it was read.
        counted: Whether the scheduler counts the attempt as in flight.
        size: The bytes that it counts for.
        turn: The number of its newest entry in the scheduler's heaps; older entries are ignored. 0
            if it was never queued.
        queued: Whether it waits in the scheduler's queue.
        baked: Whether the bake thread has baked the asset for this attempt.
        asset: The baked asset that the bake thread has returned; None if it has to be read.
        restarts: How often the asset changed while it was being read.
        partial: Whether children of the prefab were committed before the prefab.
    """

    __slots__ = (
        "asset",
        "baked",
        "counted",
        "kind",
        "partial",
        "queued",
        "record",
        "reload",
        "restarts",
        "size",
        "task",
        "turn",
    )

    def __init__(self, record: AssetRecord, *, reload: bool = False) -> None:
        self.record = record
        self.reload = reload
        self.task: Generator[Any, None, Any] | None = None
        self.kind = "read"
        self.counted = False
        self.size = 0
        self.turn = 0
        self.queued = False
        self.baked = False
        self.asset: BakedAsset | None = None
        self.restarts = 0
        self.partial = False

    @property
    def stale(self) -> bool:
        """Whether a newer attempt has taken its place, or the load was cancelled."""
        return self.record.attempt is not self


class AssetRecord:
    """State of one asset in the loader, shared by all of its handles.

    A record's *tree* is the asset with everything that it depends on, directly or not. All fields
    change under the loader's lock only.

    Attributes:
        key: The asset key: asset id and import settings.
        id: The asset id.
        settings: Import settings that differ from those of the processor, or None.
        kind: The kind that the asset was baked to; empty before it was read.
        state: The stage of the asset itself; `READY`, `FAILED` and `CANCELLED` are set on the main
            thread only.
        tree: The state of its tree.
        settled: Whether its tree was ever ready or failed: from then on its handles are done.
        value: The decoded value, or None.
        error: The error of the asset itself, if it failed.
        tree_error: The error of its tree, if that failed.
        stale_error: The error of the newest version of its file, if `value` is from an older one.
        digest: The hash of the baked data that `value` was decoded from.
        size: The bytes of `value`.
        version: The number of values so far: 1 for the first, one more with each reload.
        attempt: The attempt that is queued or in flight, or None.
        demands: The priorities of its handles, as plain numbers, by the handles' serial numbers.
        pins: How often it is pinned.
        parents: The assets that depend on it.
        needs: The assets that it depends on.
        unsettled: The number of `needs` whose trees are not ready.
        cyclic: Whether it may depend on itself.
        priority: The highest priority of its handles and of parents that are loading.
        age: The order among loads of the same priority, the lowest first.
        attempts: How often reading failed with a transient error.
        progress: The part of it that has been decoded, 0 to 1.
        children: The children of a prefab that were committed before the prefab itself.
        counts: The number of handles of each priority, packed into one integer; see `count`.
        waiters: The handles that code waits for, by serial number, each with its completion. The
            record keeps these handles alive until they are done.
        watchers: Functions to call after a reload, by the serial numbers of their handles; weak
            references, which do not keep the handles alive.
        idle: Whether it is in the cache, and nothing holds it.
    """

    __slots__ = (
        "age",
        "attempt",
        "attempts",
        "children",
        "counts",
        "cyclic",
        "demands",
        "digest",
        "error",
        "id",
        "idle",
        "key",
        "kind",
        "needs",
        "parents",
        "pins",
        "priority",
        "progress",
        "settings",
        "settled",
        "size",
        "stale_error",
        "state",
        "tree",
        "tree_error",
        "unsettled",
        "value",
        "version",
        "waiters",
        "watchers",
    )

    def __init__(self, key: AssetKey, settings: dict[str, Any] | None, age: int) -> None:
        self.key = key
        self.id = key[0]
        self.settings = settings
        self.kind = ""
        self.state = LoadState.WAITING
        self.tree = TreeState.LOADING
        self.settled = False
        self.value: Any = None
        self.error: Exception | None = None
        self.tree_error: Exception | None = None
        self.stale_error: Exception | None = None
        self.digest = b""
        self.size = 0
        self.version = 0
        self.attempt: LoadAttempt | None = None
        self.demands: dict[int, int] = {}
        self.counts = 0
        self.pins = 0
        self.parents: dict[AssetRecord, None] = {}
        self.needs: tuple[AssetRecord, ...] = ()
        self.unsettled = 0
        self.cyclic = False
        self.priority = Priority.PRELOAD
        self.age = age
        self.attempts = 0
        self.progress = 0.0
        self.children: tuple[Any, ...] = ()
        self.waiters: dict[int, tuple[Completion, object]] = {}
        self.watchers: dict[int, weakref.WeakMethod[Callable[[], None]]] = {}
        self.idle = False

    def __repr__(self) -> str:
        return f"<AssetRecord {shown(self.id)}: {self.state.value}, tree {self.tree.value}>"

    def count(self, priority: int, by: int) -> None:
        """Adds ``by``, 1 or -1, to the number of handles of a priority."""
        self.counts += by << (priority * _BITS)

    @property
    def asked(self) -> int:
        """The highest priority of its handles, as a number; 0 without handles."""
        return max(0, self.counts.bit_length() - 1) // _BITS

    @property
    def wanted(self) -> bool:
        """Whether a handle or a pin holds it; parents do not count."""
        return bool(self.demands) or self.pins > 0

    @property
    def loading(self) -> bool:
        """Whether its first value is still being loaded."""
        return self.state in _LOADING


_LOADING: Final = (
    LoadState.WAITING,
    LoadState.READING,
    LoadState.DECODING,
    LoadState.ACTIVATING,
)
