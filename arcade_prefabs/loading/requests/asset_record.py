"""What the loader keeps of each asset that somebody wants, or wanted lately."""

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


# An asset id, and as text the import settings that it is loaded with.
AssetKey: TypeAlias = tuple[str, str]


class LoadState(enum.Enum):
    """Where an asset is on its way, what it depends on left aside.

    Attributes:
        WAITING: For its turn.
        READING: It is read from the bake store, or baked before.
        DECODING: Its pages become objects.
        ACTIVATING: It waits for the main thread, or is at work there.
        READY: It can be used.
        FAILED: It cannot be loaded.
        CANCELLED: Nobody wants it any more.
    """

    WAITING = "waiting"
    READING = "reading"
    DECODING = "decoding"
    ACTIVATING = "activating"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TreeState(enum.Enum):
    """How a number of assets are: all ready, one failed, or neither yet."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


# Bits that count the handles of one priority.
_BITS: Final = 32


class LoadAttempt:
    """One attempt to load an asset. A newer one of the same asset makes it worthless.

    Attributes:
        record: The asset.
        reload: Whether the asset has a value, which this replaces.
        task: The decoder at work, between two of its pages.
        kind: What the asset was baked to, once that is known.
        counted: Whether it counts as in attempt.
        size: Bytes that it counts for.
        turn: Its place in the queue is the one of that number; others are out of date.
        queued: Whether it waits in the queue.
        baked: Whether it was baked on purpose before.
        asset: What that bake has given, until it is decoded; None if it has to be read.
        restarts: How often the asset changed while it was read.
        partial: Whether something of it was handed on already.
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
        """Whether nobody wants what comes of it."""
        return self.record.attempt is not self


class AssetRecord:
    """An asset of the loader. All fields change under the loader's lock only.

    Attributes:
        key: Id and settings.
        id: Its full id.
        settings: Settings that differ from the processor's.
        state: Where it is; the last three are reached on the main thread only.
        tree: How it and all that it depends on are.
        settled: Whether its tree was ready or failed once: from then on its handles are done.
        value: What it is, or None.
        error: Why it failed.
        tree_error: Why its tree failed.
        stale_error: Why the newest version of the file cannot be used, if this is an older one.
        digest: The hash of what the value was made from.
        size: Bytes of the value.
        version: Counts its values, 1 for the first.
        attempt: The attempt under way.
        demands: The priorities of its handles, as plain numbers, by their serial numbers.
        pins: How often it is pinned.
        parents: Assets that depend on it.
        needs: Assets that it depends on.
        unsettled: How many of those have no ready tree.
        cyclic: Whether it may depend on itself.
        priority: The highest that it is wanted with, by handles or by parents.
        age: Its order among those of the same priority.
        attempts: How often reading failed.
        progress: How much of it has come, 0 to 1.
        children: The parts of a prefab that have come.
        counts: How many handles want it with which priority, in one number; see `count`.
        waiters: By the serial numbers of handles that somebody waits for: their completions, and
            the handles themselves, which live until they are done.
        watchers: Called after a reload, by serial numbers; they do not keep their handles alive.
        idle: Whether it is in the cache without being held.
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
        """Count one handle more, or less, of a priority."""
        self.counts += by << (priority * _BITS)

    @property
    def asked(self) -> int:
        """The highest priority that a handle asks for."""
        return max(0, self.counts.bit_length() - 1) // _BITS

    @property
    def wanted(self) -> bool:
        """Whether a handle or a pin holds it, parents left aside."""
        return bool(self.demands) or self.pins > 0

    @property
    def loading(self) -> bool:
        """Whether it is on its way to its first value."""
        return self.state in _LOADING


_LOADING: Final = (
    LoadState.WAITING,
    LoadState.READING,
    LoadState.DECODING,
    LoadState.ACTIVATING,
)
