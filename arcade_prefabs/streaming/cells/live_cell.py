"""`LiveCell`: a cell in memory or on its way, from the demand for it until it is unloaded."""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

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
    "CellStatus",
    "LiveCell",
    "Resident",
]

# Bytes of memory of a `WorldEntity` from a cell source, roughly: its strings and numbers.
_ROW_BYTES: Final = 500


class CellState(enum.Enum):
    """The state of a cell between `UNLOADED` and `ACTIVE`.

    Attributes:
        UNLOADED: Nothing of the cell is in memory.
        QUEUED: The cell is wanted, and waits for more urgent ones.
        LOADING: Loader threads read the cell's entities, then the save file, then the prefabs.
        READY: All of these are in memory.
        ACTIVATING: The main thread builds the cell's entities, step by step. None is drawn yet.
        ACTIVE: The cell's entities are alive and drawn.
        DEACTIVATING: The main thread takes the entities away, step by step. None is drawn any more.
        FAILED: The cell cannot be loaded; `CellStatus.error` says why.
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
    """A cell went from one state to another.

    Attributes:
        cell: The cell.
        before: The state that it left.
        after: The state that it has now.
        error: Why the cell failed, if it did; None otherwise.
    """

    cell: GridCell
    before: CellState
    after: CellState
    error: Exception | None = None


class CellLoad:
    """The world entities of a cell, while they are read and after.

    Attributes:
        rows: The cell's world entities; None until they have been read.
        error: Why they cannot be read, or None.

    A loader thread sets `rows` or `error` once, as its last act; the main thread reads them.
    """

    __slots__ = ("error", "rows")

    def __init__(self) -> None:
        self.rows: Sequence[WorldEntity] | None = None
        self.error: Exception | None = None

    @property
    def done(self) -> bool:
        """Whether reading has ended, well or not."""
        return self.rows is not None or self.error is not None

    @property
    def size(self) -> int:
        """Bytes of memory that the entities take."""
        return 0 if self.rows is None else len(self.rows) * _ROW_BYTES

    def stop(self) -> None:
        """Stops reading, and calls about newer versions of the cell."""


class Resident:
    """A world entity in memory, in exactly one live cell.

    Attributes:
        row: The entity as the world's data has it, or as `StreamingManager.add` was called.
        diff: The entity diff that was in the save file when the cell was loaded, or None.
        home: The label of the cell whose data has the entity; None for one that the game added.
        live: The live cell whose sprite lists the entity is in.
        spawn_task: The spawn of the entity; None before it begins, and if it failed.
        placeholder: The sprite that is shown in place of an entity that failed.
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
        """The entity's id in the world."""
        return self.row.id

    @property
    def entity(self) -> Entity | None:
        """The entity, if it is alive."""
        spawn_task = self.spawn_task
        return spawn_task.entity if spawn_task is not None and spawn_task.is_alive() else None

    # ------------------------------------------------------------------ called by the spawn task

    def wall_list(self, group: str) -> SpriteList[Any]:
        """Returns the cell's wall list of a collision group, for `SpawnOwner.wall_list`."""
        return self.live.lists.group(group)

    def gone(self, spawn_task: SpawnTask) -> None:
        """Reports that the entity was despawned or failed, for `SpawnOwner.gone`."""
        self.live.lost(self, spawn_task)

    def lived(self, spawn_task: SpawnTask) -> None:  # noqa: ARG002
        """Reports that spawn hooks ran for a hot-reloaded component, for `SpawnOwner.lived`."""
        self.live.lived(self)


class CellStatus(Protocol):
    """What is known of a cell that is in memory, or on its way there.

    `StreamingManager.live_cells` has one for each of these cells.

    Attributes:
        cell: The cell.
        box: Left, bottom, right and top, in pixels.
        state: The state of the cell.
        error: Why the cell cannot be loaded, or None.
        size: Bytes of memory of its world entities, without sprites, prefabs and images.
        sprite_lists: The number of sprite lists that are drawn for the cell.

    Main thread.
    """

    @property
    def cell(self) -> GridCell:
        """The cell."""
        ...

    @property
    def box(self) -> Box:
        """Left, bottom, right and top, in pixels."""
        ...

    @property
    def state(self) -> CellState:
        """The state of the cell."""
        ...

    @property
    def error(self) -> Exception | None:
        """Why the cell cannot be loaded, or None."""
        ...

    @property
    def size(self) -> int:
        """Bytes of memory of its world entities, without sprites, prefabs and images."""
        ...

    @property
    def sprite_lists(self) -> int:
        """The number of sprite lists that are drawn for the cell."""
        ...


class LiveCell:
    """A cell of a world that is in memory, or on its way.

    Attributes:
        cell: The cell.
        box: The cell's box, in pixels.
        reach: The box that distances to the cell are measured to.
        state: The cell state.
        error: Why the cell failed, or None.
        load: The cell's world entities, as long as they are read or calls about newer versions
            come.
        asked: Whether the loads of the cell's prefabs have begun.
        prefabs: The handles of these prefabs, by full id.
        residents: The cell's residents, by their ids in the world.
        lists: The sprite lists of the residents.
        size: Bytes of memory of the world entities, without prefabs, images and sprites.
        since: When the cell took its state, in seconds of the world's clock.
        queued_at: When the demand for the cell began, in seconds of the world's clock.
        ahead: Whether a streaming source moves towards the cell: the latency of such cells is
            measured.
        score: How urgent the cell is; the lowest score comes first.
        source: The index of the streaming source that wants the cell most; -1 for none, as with a
            preload request.
        task: The job that builds the cell, or takes it away.
        parts: About how many parts that job has still to do.
        saved: What the save file has of the cell, while that is read and until the cell is built.
        dirty: Whether the cell was baked anew since it was loaded.

    Main thread.
    """

    __slots__ = (
        "_on_lived",
        "_on_lost",
        "ahead",
        "asked",
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
        self.since = self.queued_at = 0.0
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
    def sprite_lists(self) -> int:
        """How many sprite lists are drawn of it."""
        return len(self.lists.all())

    @property
    def label(self) -> str:
        """The cell's label, as world and save files write it."""
        return self.cell.label

    @property
    def active(self) -> bool:
        """Whether the cell is `ACTIVE`."""
        return self.state is CellState.ACTIVE

    def lost(self, resident: Resident, spawn_task: SpawnTask) -> None:
        """Reports that a resident's entity was despawned by the game, or failed."""
        self._on_lost(resident, spawn_task)

    def lived(self, resident: Resident) -> None:
        """Reports that spawn hooks ran for a component that a hot reload gave to a resident."""
        self._on_lived(resident)
