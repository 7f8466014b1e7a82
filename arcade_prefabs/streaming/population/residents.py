"""`Population`: the entities of a world that are in memory, each in exactly one cell."""

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

__all__ = ["Failure", "PendingResident", "Population"]

_log = logging.getLogger("arcade_prefabs")
_OVERRIDES: Final = 4096
_MOST_FAILURES: Final = 10_000
_MARK: Final = (255, 0, 220, 200)
_MARK_PIXELS: Final = 32


class Failure(NamedTuple):
    """Something of a world that cannot be there.

    Attributes:
        what: The entity's name in the world, or the label of the cell.
        cell: The cell.
        prefab: The entity's prefab; None for a whole cell.
        error: Why.
    """

    what: str
    cell: GridCell
    prefab: str | None
    error: Exception


class PendingResident(NamedTuple):
    """An entity that is to be built.

    Attributes:
        row: What the world says of it.
        home: The label of the cell whose content tells of it; None if it was added.
        diff: What changed of it.
        left_at: World's time at which it was unloaded; None if it never was there.
    """

    row: WorldEntity
    home: str | None
    diff: EntityDiff | None
    left_at: float | None


def _never(_: object) -> bool:
    return False


class Population:
    """Who is in which region.

    Args:
        factory: Makes entities.
        grid: The world's grid.
        journal: What the game has changed.
        live_cells: All regions that are not unloaded.
        placeholders: Whether something stands in the place of what failed.
        unique: Whether ids are known to be; worlds from code may have some twice.

    Attributes:
        residents: By their names in the world.
        failures: What cannot be there, by its name.
        entities: Everything that is alive, of the world or not.
        differ: Finds what was changed, and puts it back.
        woken: Called with the record of an entity, and the seconds that it slept.

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
        self.failures: dict[str, Failure] = {}
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

    # --------------------------------------------------------------------------------- who is where

    def pending_residents(self, live: LiveCell, record: SavedCell) -> Iterator[PendingResident]:
        """Who is to be built in a region: what its content tells of, and who came."""
        label = live.label
        saved = {row.id: row for row in record.rows}
        load = live.load
        for row in (load.rows or ()) if load is not None else ():
            known = saved.pop(row.id, None)
            left = record.left_when(row.x, row.y)
            if known is not None and known.home != label:
                known = self._rehomed(known, label)
            if known is None:
                yield PendingResident(row, label, None, left)
            elif known.cell == label:
                yield PendingResident(row, label, known.diff, _latest(left, known.left_at))
        for known in saved.values():
            if known.cell == label:
                found = self.request(known, record)
                if found is not None:
                    yield found

    def _rehomed(self, known: SavedEntity, label: str) -> SavedEntity:
        """What is known of an entity which the world's file has put into another cell since.

        Who had not left its old cell follows the file; who had is where the game has put it.
        """
        cell = label if known.cell == known.home else known.cell
        known = known._replace(home=label, cell=cell)
        self.journal.enter(known)
        resident = self.residents.get(known.id)
        if resident is not None:
            resident.home = label
        return known

    def request(self, row: SavedEntity, record: SavedCell | None) -> PendingResident | None:
        """Somebody who came from another cell, or was added."""
        if row.diff is None or row.diff.row is None or row.home == row.cell:
            # Its cell tells of it no more: the world's file was changed since.
            problem = "the world has no such entity any more; what was saved of it is kept"
            if row.diff is not None and not row.diff.untouched:
                self.differ.tell(f"{row.id} in {row.cell}", problem)
            return None
        x, y, *_ = place_of(row.diff.row, row.diff)
        left = None if record is None else record.left_when(x, y)
        return PendingResident(row.diff.row, row.home, row.diff, _latest(left, row.left_at))

    def current(self, pending_resident: PendingResident, live: LiveCell) -> PendingResident | None:
        """Somebody as the ledger knows it by now; None if it is elsewhere, or gone."""
        resident = self.residents.get(pending_resident.row.id)
        if resident is not None:
            if not self._unique and pending_resident.home == live.label != resident.home:
                twins = f"the code of {resident.home or 'the game'} and {live.label} make one"
                self.differ.tell(f"the entity {resident.id!r}", f"{twins}: only the first is there")
            return None
        known = self.journal.known(pending_resident.row.id)
        if known is None:
            return pending_resident
        if known.cell != live.label:
            return None
        return pending_resident._replace(
            diff=known.diff, left_at=_latest(pending_resident.left_at, known.left_at)
        )

    def overrides_of(self, row: WorldEntity) -> Overrides | None:
        """What an entity has of its own: the same object for all that have the same.

        Raises:
            ArcadePrefabsError, TypeError: They are no overrides.
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
        """Somebody is in a region."""
        self.residents[resident.id] = resident
        resident.live.residents[resident.id] = resident

    def move(self, resident: Resident, target: LiveCell) -> None:
        """Somebody has gone to another region that is there."""
        source, spawn_task = resident.live, resident.spawn_task
        del source.residents[resident.id]
        resident.live = target
        target.residents[resident.id] = resident
        if spawn_task is None:
            return
        spawn_task.scene = target.lists
        for one in spawn_task.root.walk():
            spec, label, sprite = one.spec, one.label, one.sprite
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
        """The cell that somebody stands in just now."""
        cell = resident.live.cell
        spawn_task = resident.spawn_task
        if cell == ALWAYS_LOADED or spawn_task is None or spawn_task.over:
            return cell
        x, y = spawn_task.entity.position
        try:
            return self._grid.cell_at(x, y, cell.level)
        except (ValueError, OverflowError):  # the game has put its sprite nowhere
            return cell

    # -------------------------------------------------------------------------------------- leaving

    def capture(self, resident: Resident) -> SavedEntity | None:
        """What is to be kept of somebody; None if nothing is."""
        spawn_task = resident.spawn_task
        if spawn_task is None or not spawn_task.is_alive():
            return None
        try:
            diff = self.differ.find(resident.row, spawn_task)
        except Exception as error:  # the game's own: its cell is not to wait for that for ever
            self.differ.tell(resident.id, f"what changed of it cannot be kept: {error!r}")
            return None
        label = self.place_now(resident).label
        if diff is None and label == resident.home and resident.diff is None:
            return None
        if label != resident.home or (diff is not None and diff.place is not None):
            # With cells of another size it may stand in another one than the one that tells of it.
            diff = (diff or EntityDiff()).with_row(resident.row, self._size_of(resident))
        return SavedEntity(resident.id, resident.home, label, self.journal.time, diff)

    def _size_of(self, resident: Resident) -> float:
        """Pixels of somebody's longer side, if that is more than cells may have."""
        if resident.diff is not None and resident.diff.size:
            return resident.diff.size
        level = resident.live.cell.level
        return self._grid.size(level) if level > 0 else 0.0

    def lived(self, resident: Resident) -> None:
        """Somebody has had its first spawn: that is kept with what its hooks did.

        At once, and not when its cell goes: what the hooks have added to the world is written as
        soon, and a game that is killed in between would add it twice.
        """
        row = self.capture(resident)
        if row is not None:
            self.journal.enter(row)

    def retire(self, resident: Resident, dropped: Callable[[object], bool] = _never) -> None:
        """Unload somebody: keep what was changed, then take it away.

        Args:
            resident: Who.
            dropped: Whether a list of sprites is dropped whole, so that nothing need be taken out.

        Who has gone to another region that is there stays in memory, and goes over to that.
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
        """Somebody is not in memory any more."""
        self.residents.pop(resident.id, None)
        resident.live.residents.pop(resident.id, None)
        failure = self.failures.get(resident.id)
        if failure is not None and failure.cell == resident.live.cell:
            del self.failures[resident.id]

    def lost(self, resident: Resident, spawn_task: SpawnTask) -> None:
        """Somebody was despawned by the game, or failed."""
        if spawn_task.state is EntityState.FAILED:
            self.failed(resident, spawn_task.error or RuntimeError("it failed"))
            return
        self.destroyed(resident)

    def destroyed(self, resident: Resident) -> None:
        """Somebody is gone for good."""
        self.journal.enter(SavedEntity(resident.id, resident.home, None, self.journal.time, None))
        self.forget(resident)

    # ------------------------------------------------------------------------------------- failures

    def failed(self, resident: Resident, error: Exception) -> None:
        """Somebody cannot be built: list it, and have something stand there."""
        resident.spawn_task = None
        self.note(Failure(resident.id, resident.live.cell, resident.row.prefab, error))
        if self._placeholders and resident.placeholder is None:
            x, y, *_ = place_of(resident.row, resident.diff)
            resident.placeholder = self.placeholder(x, y)
            lists = resident.live.lists
            lists[resident.row.layer or "default"].append(resident.placeholder)

    def note(self, failure: Failure) -> None:
        """List what cannot be there."""
        told = failure.prefab or failure.what
        if not any(one.prefab == told or one.what == told for one in self.failures.values()):
            # Once for all entities of a prefab.
            where = failure.cell.label
            why = shown_error(failure.error)
            _log.warning("%s in %s cannot be there: %s", shown(failure.what), where, why)
        self.failures[failure.what] = failure
        while len(self.failures) > _MOST_FAILURES:
            del self.failures[next(iter(self.failures))]

    def placeholder(self, x: float, y: float, size: float = _MARK_PIXELS) -> BasicSprite:
        """A sprite for the place of what cannot be there."""
        if self._mark is None:
            self._mark = arcade.make_soft_square_texture(_MARK_PIXELS, _MARK, 200, 200)
        return BasicSprite(self._mark, size / _MARK_PIXELS, x, y)

    def clear_placeholder(self, resident: Resident) -> None:
        """Take away what stands in somebody's place."""
        mark, resident.placeholder = resident.placeholder, None
        if mark is not None:
            mark.remove_from_sprite_lists()
        self.failures.pop(resident.id, None)

    # --------------------------------------------------------------------------------------- asked

    def alive(self) -> Iterable[Entity]:
        """All that are alive."""
        for resident in self.residents.values():
            entity = resident.entity
            if entity is not None:
                yield entity


def _latest(first: float | None, second: float) -> float:
    return second if first is None else max(first, second)


def _carry(sprite: BasicSprite, layer: str, source: LiveCell, target: LiveCell) -> None:
    here: SpriteList[Any] | None = source.lists.list_with(layer, sprite)
    if here is None:
        # In a layer that the game has chosen, or in a list of its own.
        here = next((one for one in sprite.sprite_lists if source.lists.holds(one)), None)
    if here is not None:
        here.remove(sprite)
        target.lists[layer].append(sprite)
