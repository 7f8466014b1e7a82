"""`LiveCell`: a cell of a world near a player, from the wish for it until it is forgotten."""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from arcade import BasicSprite, SpriteList

from ...errors import shown
from ...frames import Step
from ...loading import Handle
from ...pipeline import WorldEntity
from ...spawning.entities.entity import Entity
from .grid import Box, GridCell
from .sprite_lists import CellSpriteLists

if TYPE_CHECKING:
    from ...spawning.spawner.spawn_task import SpawnTask
    from ..saves.change_journal import SavedCellLoad
    from ..saves.entity_diff import EntityDiff

__all__ = [
    "CellEvent",
    "CellLoad",
    "CellState",
    "LiveCell",
    "Resident",
]

# Bytes of memory that an entity from code takes, about: what its text and numbers do.
_ROW_BYTES: Final = 500


class CellState(enum.Enum):
    """Where a cell is on its way.

    Attributes:
        UNLOADED: Nothing of it is in memory.
        QUEUED: It is wanted; others come first.
        LOADING: What is in it is being read, and the prefabs that it names.
        READY: All of that is there.
        ACTIVATING: Its entities are being built, in slices. None of them is drawn yet.
        ACTIVE: It is there.
        DEACTIVATING: Its entities are being taken away, in slices. None of them is drawn any more.
        FAILED: It cannot be read; `LiveCell.error` says why.
    """

    UNLOADED = "unloaded"
    QUEUED = "queued"
    LOADING = "loading"
    READY = "ready"
    ACTIVATING = "activating"
    ACTIVE = "active"
    DEACTIVATING = "deactivating"
    FAILED = "failed"


class CellEvent(NamedTuple):
    """A cell went from one state to the next.

    Attributes:
        cell: The cell.
        before: The state that it had.
        after: The one that it has now.
        error: Why it failed, or None.
    """

    cell: GridCell
    before: CellState
    after: CellState
    error: Exception | None = None


class CellLoad:
    """A cell that is being read.

    Attributes:
        rows: Its entities; None as long as they are not there.
        error: Why it cannot be read, or None.

    Written by whoever reads it, each once and one of them last; asked on the main thread.
    """

    __slots__ = ("error", "rows")

    def __init__(self) -> None:
        self.rows: Sequence[WorldEntity] | None = None
        self.error: Exception | None = None

    @property
    def done(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.rows is not None or self.error is not None

    @property
    def size(self) -> int:
        """Bytes of memory of what was read."""
        return 0 if self.rows is None else len(self.rows) * _ROW_BYTES

    def stop(self) -> None:
        """Want it no more."""


class Resident:
    """An entity of a world that is in memory.

    Attributes:
        row: What the world says of it; for one that was added, what it was added as.
        diff: What of it was saved before, or None.
        home: The label of the cell whose content tells of it; None if it was added.
        live: The one whose sprite lists it is in.
        spawn_task: How it is built, and whether it is alive; None before that, and if it failed.
        placeholder: The sprite that stands in its place if it failed.
    """

    __slots__ = ("diff", "home", "live", "placeholder", "row", "spawn_task")

    def __init__(
        self, row: WorldEntity, home: str | None, diff: EntityDiff | None, live: LiveCell
    ) -> None:
        self.row = row
        self.home = home
        self.diff = diff
        self.live = live
        self.placeholder: BasicSprite | None = None
        self.spawn_task: SpawnTask | None = None

    def __repr__(self) -> str:
        return f"<Resident {shown(self.row.id)} of {shown(self.row.prefab)} in {self.live.cell}>"

    @property
    def id(self) -> str:
        """Its name in the world."""
        return self.row.id

    @property
    def entity(self) -> Entity | None:
        """The entity, if it is alive."""
        spawn_task = self.spawn_task
        return spawn_task.entity if spawn_task is not None and spawn_task.is_alive() else None

    # ------------------------------------------------------------------ asked for by its spawning

    def wall_list(self, group: str) -> SpriteList[Any]:
        """See `arcade_prefabs.spawning.spawner.spawn_task.SpawnOwner`."""
        return self.live.lists.group(group)

    def gone(self, spawn_task: SpawnTask) -> None:
        """See `arcade_prefabs.spawning.spawner.spawn_task.SpawnOwner`."""
        self.live.lost(self, spawn_task)

    def lived(self, spawn_task: SpawnTask) -> None:  # noqa: ARG002
        """See `SpawnOwner`."""
        self.live.lived(self)


class LiveCell:
    """A cell of a world that is not unloaded.

    Attributes:
        cell: The cell.
        box: Where it is, in pixels.
        reach: What distances to it are measured to.
        state: Where it is on its way.
        error: Why it failed, or None.
        load: What reads its content, while it is read, and as long as news of it are wanted.
        asked: Whether its prefabs were asked for.
        prefabs: The handles of its prefabs, by full id.
        residents: Its entities, by their names in the world.
        lists: Their sprites.
        size: Bytes of memory that it takes, as far as they are its own.
        since: World's time at which it took its state, in seconds.
        queued_at: Loader's time at which it was asked for, in seconds.
        began_at: Loader's time at which it began to be read, in seconds.
        ahead: Whether it is wanted because of where somebody goes: so what it takes is measured.
        score: How urgent it is; the lowest first.
        source: The number of the source that wants it most; -1 if none does.
        task: What builds it, or takes it away.
        parts: About how many parts that task has still to do.
        saved: What is kept of it, while that is read.
        dirty: Whether its content was replaced by a newer one.

    Main thread.
    """

    __slots__ = (
        "_on_lived",
        "_on_lost",
        "ahead",
        "asked",
        "began_at",
        "box",
        "cell",
        "dirty",
        "error",
        "lists",
        "load",
        "parts",
        "prefabs",
        "queued_at",
        "reach",
        "residents",
        "saved",
        "score",
        "since",
        "size",
        "source",
        "state",
        "task",
    )

    def __init__(
        self,
        cell: GridCell,
        box: Box,
        reach: Box,
        lists: CellSpriteLists,
        on_lost: Callable[[Resident, SpawnTask], None],
        on_lived: Callable[[Resident], None],
    ) -> None:
        self.cell = cell
        self.box = box
        self.reach = reach
        self.lists = lists
        self.state = CellState.UNLOADED
        self.error: Exception | None = None
        self.load: CellLoad | None = None
        self.prefabs: dict[str, Handle[Any]] = {}
        self.residents: dict[str, Resident] = {}
        self.size = 0
        self.since = self.queued_at = self.began_at = 0.0
        self.ahead = False
        self.score = 0.0
        self.source = -1
        self.task: Generator[Step | None, None, None] | None = None
        self.parts = 0
        self.saved: SavedCellLoad | None = None
        self.asked = self.dirty = False
        self._on_lost = on_lost
        self._on_lived = on_lived

    def __repr__(self) -> str:
        return f"<LiveCell {self.cell}: {self.state.value}, {len(self.residents)} entities>"

    @property
    def label(self) -> str:
        """The name of its cell in the world's file, and in saved games."""
        return self.cell.label

    @property
    def active(self) -> bool:
        """Whether it is there."""
        return self.state is CellState.ACTIVE

    def lost(self, resident: Resident, spawn_task: SpawnTask) -> None:
        """An entity was despawned by the game, or failed."""
        self._on_lost(resident, spawn_task)

    def lived(self, resident: Resident) -> None:
        """A component that a reload gave to an entity has had its first spawn."""
        self._on_lived(resident)
