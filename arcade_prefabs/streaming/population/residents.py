"""`Population`: the world entities that are in memory, each a resident of exactly one cell."""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import arcade
from arcade import BasicSprite, SpriteList, Texture

from ...errors import shown, shown_error
from ...pipeline import ALWAYS_LOADED, WorldEntity
from ...spawning.blueprints.overrides import Overrides
from ...spawning.entities.entity import Entity, EntityRecord, EntityState
from ...spawning.spawner.entity_factory import EntityFactory
from ...spawning.spawner.spawn_task import SpawnTask
from ..cells.grid import Grid, GridCell
from ..cells.live_cell import LiveCell, Resident
from ..saves.change_journal import ChangeJournal
from ..saves.entity_diff import EntityDiff, EntityDiffer, place_of
from ..saves.save_file import SavedCell, SavedEntity

__all__ = ["PendingResident", "Population", "StreamingFailure"]

_log = logging.getLogger("arcade_prefabs")
_OVERRIDES: Final = 4096
_MOST_FAILURES: Final = 10_000
_MARK: Final = (255, 0, 220, 200)
_MARK_PIXELS: Final = 32


class StreamingFailure(NamedTuple):
    """An entity or a cell of a world that cannot be loaded or built.

    Attributes:
        what: The entity's id in the world, or the label of the cell.
        cell: The cell.
        prefab: The entity's prefab; None for a whole cell.
        error: Why.
    """

    what: str
    cell: GridCell
    prefab: str | None
    error: Exception


class PendingResident(NamedTuple):
    """A world entity that is to be built.

    Attributes:
        row: The entity as the world's data has it, or as the game added it.
        home: The label of the cell whose data has the entity; None if the game added it.
        diff: The entity diff from save file or change journal, or None.
        left_at: When the entity was unloaded, in seconds of the world's time; None if it never was
            in memory.
    """

    row: WorldEntity
    home: str | None
    diff: EntityDiff | None
    left_at: float | None


def _never(_: object) -> bool:
    return False


class Population:
    """The residents of all live cells, and what failed.

    Args:
        factory: Builds entities.
        grid: The world's grid.
        journal: The changes of the game.
        live_cells: All cells that are not `UNLOADED`.
        placeholders: Whether a placeholder is shown in place of each entity that failed.
        unique: Whether ids are known to be unique, as in baked worlds; the game's code may repeat
            one.

    Attributes:
        residents: All residents, by their ids in the world.
        failures: Entities and cells that failed, by id or label.
        entities: The entity index, with entities of no world, too.
        differ: Finds what the game changed of an entity, and puts it back.
        woken: Called with the record of an entity that is loaded again, and the seconds that it was
            unloaded.
        journal: The changes of the game.

    Main thread.
    """

    def __init__(
        self,
        factory: EntityFactory,
        grid: Grid,
        journal: ChangeJournal,
        live_cells: Mapping[GridCell, LiveCell],
        *,
        placeholders: bool,
        unique: bool = True,
    ) -> None:
        self._unique = unique
        self.residents: dict[str, Resident] = {}
        self.failures: dict[str, StreamingFailure] = {}
        self.entities = factory.entities
        self.differ = EntityDiffer(factory.entities)
        self.woken: Callable[[EntityRecord, float], None] = lambda _record, _seconds: None
        self.journal = journal
        self._factory = factory
        self._grid = grid
        self._live_cells = live_cells
        self._placeholders = placeholders
        self._overrides: OrderedDict[str, Overrides] = OrderedDict()
        self._mark: Texture | None = None

    # ------------------------------------------------------------------------------------ residents

    def pending_residents(self, live: LiveCell, record: SavedCell) -> Iterator[PendingResident]:
        """Yields the entities to build in a cell: those of its data, and those that moved there."""
        label = live.label
        saved_rows = {row.id: row for row in record.rows}
        load = live.load
        for row in (load.rows or ()) if load is not None else ():
            saved = saved_rows.pop(row.id, None)
            left = record.left_when(row.x, row.y)
            if saved is not None and saved.home != label:
                saved = self._rehomed(saved, label)
            if saved is None:
                yield PendingResident(row, label, None, left)
            elif saved.cell == label:
                yield PendingResident(row, label, saved.diff, _latest(left, saved.left_at))
        for saved in saved_rows.values():
            if saved.cell == label:
                found = self.request(saved, record)
                if found is not None:
                    yield found

    def _rehomed(self, saved: SavedEntity, label: str) -> SavedEntity:
        """Returns a saved entity with its new home, after an edit gave it to another cell.

        An entity that had not left its old cell follows the world's data. One that had stays where
        the game has put it.
        """
        cell = label if saved.cell == saved.home else saved.cell
        saved = saved._replace(home=label, cell=cell)
        self.journal.enter(saved)
        resident = self.residents.get(saved.id)
        if resident is not None:
            resident.home = label
        return saved

    def request(self, row: SavedEntity, record: SavedCell | None) -> PendingResident | None:
        """Returns a pending resident for a saved entity that migrated or was added to a cell.

        Returns None, and reports a problem, if neither the world's data nor the save says what the
        entity is.
        """
        if row.diff is None or row.diff.row is None or row.home == row.cell:
            # The world's data does not have it any more: it was edited after the save.
            problem = "the world has no such entity any more; what was saved of it is kept"
            if row.diff is not None and not row.diff.untouched:
                self.differ.tell(f"{row.id} in {row.cell}", problem)
            return None
        x, y, *_ = place_of(row.diff.row, row.diff)
        left = None if record is None else record.left_when(x, y)
        return PendingResident(row.diff.row, row.home, row.diff, _latest(left, row.left_at))

    def current(self, pending_resident: PendingResident, live: LiveCell) -> PendingResident | None:
        """Returns a pending resident as the change journal has it now.

        Returns None if the entity is in memory, has moved to another cell, or was destroyed, since
        the cell's job has begun.
        """
        resident = self.residents.get(pending_resident.row.id)
        if resident is not None:
            if not self._unique and pending_resident.home == live.label != resident.home:
                twins = f"the code of {resident.home or 'the game'} and {live.label} make one"
                self.differ.tell(f"the entity {resident.id!r}", f"{twins}: only the first is built")
            return None
        saved = self.journal.known(pending_resident.row.id)
        if saved is None:
            return pending_resident
        if saved.cell != live.label:
            return None
        return pending_resident._replace(
            diff=saved.diff, left_at=_latest(pending_resident.left_at, saved.left_at)
        )

    def overrides_of(self, row: WorldEntity) -> Overrides | None:
        """Returns the overrides of a world entity, or None; equal overrides are one object.

        Raises:
            ArcadePrefabsError: A component or a field does not exist, or a value does not fit.
            TypeError: The overrides are no mapping.
        """
        if row.layer is None and not row.overrides and not row.removed:
            return None
        key = f"{row.prefab} {row.layer}"
        if row.overrides or row.removed:
            key += json.dumps([row.overrides, row.removed], sort_keys=True, default=repr)
        found = self._overrides.get(key)
        if found is None:
            found = Overrides(
                row.overrides, self._factory.registry, removed=row.removed, layer=row.layer
            )
            self._overrides[key] = found
            if len(self._overrides) > _OVERRIDES:
                self._overrides.popitem(last=False)
        return found

    def enter(self, resident: Resident) -> None:
        """Adds a resident to its cell and to the population."""
        self.residents[resident.id] = resident
        resident.live.residents[resident.id] = resident

    def move(self, resident: Resident, target: LiveCell) -> None:
        """Moves a resident with its sprites to another active cell."""
        source, spawn_task = resident.live, resident.spawn_task
        del source.residents[resident.id]
        resident.live = target
        target.residents[resident.id] = resident
        if spawn_task is None:
            return
        spawn_task.scene = target.lists
        for record in spawn_task.root.walk():
            spec, label, sprite = record.spec, record.label, record.sprite
            if sprite is not None and spec is not None:
                _carry(sprite, spec.layer, source, target)
                group = spec.group or "default"
                wall = source.lists.walls.get(group)
                if wall is not None and sprite in wall:
                    wall.remove(sprite)
                    target.lists.group(group).append(sprite)
            if label is not None:
                _carry(label.sprite, label.spec.layer, source, target)

    def place_now(self, resident: Resident) -> GridCell:
        """Returns the cell that a resident's position is in now, on its own level."""
        cell = resident.live.cell
        spawn_task = resident.spawn_task
        if cell == ALWAYS_LOADED or spawn_task is None or spawn_task.over:
            return cell
        x, y = spawn_task.entity.position
        try:
            return self._grid.cell_at(x, y, cell.level)
        except (ValueError, OverflowError):  # the game has set a position that is NaN or infinite
            return cell

    # -------------------------------------------------------------------------------------- leaving

    def capture(self, resident: Resident) -> SavedEntity | None:
        """Returns what has to be saved of a resident; None if nothing differs."""
        spawn_task = resident.spawn_task
        if spawn_task is None or not spawn_task.is_alive():
            return None
        try:
            diff = self.differ.find(resident.row, spawn_task)
        except Exception as error:  # raised by a component of the game: the cell is unloaded anyway
            self.differ.tell(resident.id, f"what changed of it cannot be kept: {error!r}")
            return None
        label = self.place_now(resident).label
        if diff is None and label == resident.home and resident.diff is None:
            return None
        if label != resident.home or (diff is not None and diff.place is not None):
            # With its row, the entity can be found by position if cells get another size.
            diff = (diff or EntityDiff()).with_row(resident.row, self._size_of(resident))
        return SavedEntity(resident.id, resident.home, label, self.journal.time, diff)

    def _size_of(self, resident: Resident) -> float:
        """Returns the pixels of a resident's longer side; 0 if it fits a cell of level 0."""
        if resident.diff is not None and resident.diff.size:
            return resident.diff.size
        level = resident.live.cell.level
        return self._grid.size(level) if level > 0 else 0.0

    def lived(self, resident: Resident) -> None:
        """Enters a resident into the change journal, after its `on_first_spawn` hooks.

        That is done at once, not when the cell is unloaded: what the hooks have added to the world
        is written as soon, and a game that is killed in between would add it a second time.
        """
        row = self.capture(resident)
        if row is not None:
            self.journal.enter(row)

    def retire(self, resident: Resident, dropped: Callable[[object], bool] = _never) -> None:
        """Unloads a resident, after entering its changes into the change journal.

        A resident whose position is in another active cell is moved there instead.

        Args:
            resident: The resident.
            dropped: Tells of a sprite list whether it will be dropped as a whole: sprites need not
                be taken out of such a list.
        """
        live = resident.live
        target = self._live_cells.get(self.place_now(resident))
        if target is not None and target is not live and target.active:
            self.move(resident, target)
            return
        row = self.capture(resident)
        if row is not None:
            self.journal.enter(row)
        self.forget(resident)
        if resident.spawn_task is not None:
            resident.spawn_task.retire(dropped)

    def forget(self, resident: Resident) -> None:
        """Removes a resident from its cell and from the population."""
        self.residents.pop(resident.id, None)
        resident.live.residents.pop(resident.id, None)
        failure = self.failures.get(resident.id)
        if failure is not None and failure.cell == resident.live.cell:
            del self.failures[resident.id]

    def lost(self, resident: Resident, spawn_task: SpawnTask) -> None:
        """Handles that a resident's entity was despawned by the game, or failed."""
        if spawn_task.state is EntityState.FAILED:
            self.failed(resident, spawn_task.error or RuntimeError("it failed"))
            return
        self.destroyed(resident)

    def destroyed(self, resident: Resident) -> None:
        """Enters into the change journal that an entity is gone for good."""
        self.journal.enter(SavedEntity(resident.id, resident.home, None, self.journal.time, None))
        self.forget(resident)

    # ------------------------------------------------------------------------------------- failures

    def failed(self, resident: Resident, error: Exception) -> None:
        """Lists a resident that cannot be built, and shows a placeholder for it."""
        resident.spawn_task = None
        self.note(StreamingFailure(resident.id, resident.live.cell, resident.row.prefab, error))
        if self._placeholders and resident.placeholder is None:
            x, y, *_ = place_of(resident.row, resident.diff)
            resident.placeholder = self.placeholder(x, y)
            lists = resident.live.lists
            lists[resident.row.layer or "default"].append(resident.placeholder)

    def note(self, failure: StreamingFailure) -> None:
        """Lists a failure, and logs the first one of each prefab."""
        subject = failure.prefab or failure.what
        if not any(
            known.prefab == subject or known.what == subject for known in self.failures.values()
        ):
            where = failure.cell.label
            why = shown_error(failure.error)
            _log.warning("%s in %s cannot be loaded: %s", shown(failure.what), where, why)
        self.failures[failure.what] = failure
        while len(self.failures) > _MOST_FAILURES:
            del self.failures[next(iter(self.failures))]

    def placeholder(self, x: float, y: float, size: float = _MARK_PIXELS) -> BasicSprite:
        """Returns a new placeholder sprite."""
        if self._mark is None:
            self._mark = arcade.make_soft_square_texture(_MARK_PIXELS, _MARK, 200, 200)
        return BasicSprite(self._mark, size / _MARK_PIXELS, x, y)

    def clear_placeholder(self, resident: Resident) -> None:
        """Removes a resident's placeholder and its failure."""
        mark, resident.placeholder = resident.placeholder, None
        if mark is not None:
            mark.remove_from_sprite_lists()
        self.failures.pop(resident.id, None)

    # -------------------------------------------------------------------------------------- queries
    def alive(self) -> Iterable[Entity]:
        """Yields the entities of all residents that are alive."""
        for resident in self.residents.values():
            entity = resident.entity
            if entity is not None:
                yield entity


def _latest(first: float | None, second: float) -> float:
    return second if first is None else max(first, second)


def _carry(sprite: BasicSprite, layer: str, source: LiveCell, target: LiveCell) -> None:
    here: SpriteList[Any] | None = source.lists.list_with(layer, sprite)
    if here is None:
        # The game has moved the sprite to another layer.
        here = next((lists for lists in sprite.sprite_lists if source.lists.holds(lists)), None)
    if here is not None:
        here.remove(sprite)
        target.lists[layer].append(sprite)
