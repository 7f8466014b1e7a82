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
        delta: What changed of it.
        left_at: World's time at which it was unloaded; None if it never was there.
    """

    row: WorldEntity
    home: str | None
    delta: EntityDiff | None
    left_at: float | None


def _never(_: object) -> bool:
    return False


class Population:
    """Who is in which region.

    Args:
        factory: Makes entities.
        grid: The world's grid.
        ledger: What the game has changed.
        regions: All regions that are not unloaded.
        placeholders: Whether something stands in the place of what failed.
        unique: Whether ids are known to be; worlds from code may have some twice.

    Attributes:
        residents: By their names in the world.
        failures: What cannot be there, by its name.
        keeper: Finds what was changed, and puts it back.
        woken: Called with the record of an entity, and the seconds that it slept.

    Main thread.
    """

    def __init__(
        self,
        factory: EntityFactory,
        grid: Grid,
        ledger: ChangeJournal,
        regions: Mapping[GridCell, LiveCell],
        *,
        placeholders: bool,
        unique: bool = True,
    ) -> None:
        self._unique = unique
        self.residents: dict[str, Resident] = {}
        self.failures: dict[str, Failure] = {}
        self.keeper = EntityDiffer(factory.entities)
        self.woken: Callable[[EntityRecord, float], None] = lambda _record, _seconds: None
        self.ledger = ledger
        self._factory = factory
        self._grid = grid
        self._regions = regions
        self._placeholders = placeholders
        self._overrides: OrderedDict[str, Overrides] = OrderedDict()
        self._mark: Texture | None = None

    # --------------------------------------------------------------------------------- who is where

    def newcomers(self, region: LiveCell, record: SavedCell) -> Iterator[PendingResident]:
        """Who is to be built in a region: what its content tells of, and who came."""
        label = region.label
        saved = {row.id: row for row in record.rows}
        load = region.load
        for row in (load.rows or ()) if load is not None else ():
            known = saved.pop(row.id, None)
            left = record.left_when(row.x, row.y)
            if known is not None and known.home != label:
                known = self._rehomed(known, label)
            if known is None:
                yield PendingResident(row, label, None, left)
            elif known.cell == label:
                yield PendingResident(row, label, known.delta, _latest(left, known.left_at))
        for known in saved.values():
            if known.cell == label:
                found = self.arrival(known, record)
                if found is not None:
                    yield found

    def _rehomed(self, known: SavedEntity, label: str) -> SavedEntity:
        """What is known of an entity which the world's file has put into another cell since.

        Who had not left its old cell follows the file; who had is where the game has put it.
        """
        cell = label if known.cell == known.home else known.cell
        known = known._replace(home=label, cell=cell)
        self.ledger.enter(known)
        resident = self.residents.get(known.id)
        if resident is not None:
            resident.home = label
        return known

    def arrival(self, row: SavedEntity, record: SavedCell | None) -> PendingResident | None:
        """Somebody who came from another cell, or was added."""
        if row.delta is None or row.delta.row is None or row.home == row.cell:
            # Its cell tells of it no more: the world's file was changed since.
            problem = "the world has no such entity any more; what was saved of it is kept"
            if row.delta is not None and not row.delta.untouched:
                self.keeper.tell(f"{row.id} in {row.cell}", problem)
            return None
        x, y, *_ = place_of(row.delta.row, row.delta)
        left = None if record is None else record.left_when(x, y)
        return PendingResident(row.delta.row, row.home, row.delta, _latest(left, row.left_at))

    def current(self, newcomer: PendingResident, region: LiveCell) -> PendingResident | None:
        """Somebody as the ledger knows it by now; None if it is elsewhere, or gone."""
        resident = self.residents.get(newcomer.row.id)
        if resident is not None:
            if not self._unique and newcomer.home == region.label != resident.home:
                twins = f"the code of {resident.home or 'the game'} and {region.label} make one"
                self.keeper.tell(f"the entity {resident.id!r}", f"{twins}: only the first is there")
            return None
        known = self.ledger.known(newcomer.row.id)
        if known is None:
            return newcomer
        if known.cell != region.label:
            return None
        return newcomer._replace(
            delta=known.delta, left_at=_latest(newcomer.left_at, known.left_at)
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
        resident.region.residents[resident.id] = resident

    def move(self, resident: Resident, target: LiveCell) -> None:
        """Somebody has gone to another region that is there."""
        source, spawning = resident.region, resident.spawning
        del source.residents[resident.id]
        resident.region = target
        target.residents[resident.id] = resident
        if spawning is None:
            return
        spawning.scene = target.lists
        for one in spawning.root.walk():
            look, label, sprite = one.look, one.label, one.sprite
            if sprite is not None and look is not None:
                _carry(sprite, look.layer, source, target)
                group = look.group or "default"
                wall = source.lists.walls.get(group)
                if wall is not None and sprite in wall:
                    wall.remove(sprite)
                    target.lists.group(group).append(sprite)
            if label is not None:
                _carry(label.sprite, label.look.layer, source, target)

    def place_now(self, resident: Resident) -> GridCell:
        """The cell that somebody stands in just now."""
        cell = resident.region.cell
        spawning = resident.spawning
        if cell == ALWAYS_LOADED or spawning is None or spawning.over:
            return cell
        x, y = spawning.entity.position
        try:
            return self._grid.cell_at(x, y, cell.level)
        except (ValueError, OverflowError):  # the game has put its sprite nowhere
            return cell

    # -------------------------------------------------------------------------------------- leaving

    def capture(self, resident: Resident) -> SavedEntity | None:
        """What is to be kept of somebody; None if nothing is."""
        spawning = resident.spawning
        if spawning is None or not spawning.is_alive():
            return None
        try:
            delta = self.keeper.find(resident.row, spawning)
        except Exception as error:  # the game's own: its cell is not to wait for that for ever
            self.keeper.tell(resident.id, f"what changed of it cannot be kept: {error!r}")
            return None
        label = self.place_now(resident).label
        if delta is None and label == resident.home and resident.delta is None:
            return None
        if label != resident.home or (delta is not None and delta.place is not None):
            # With cells of another size it may stand in another one than the one that tells of it.
            delta = (delta or EntityDiff()).with_row(resident.row, self._size_of(resident))
        return SavedEntity(resident.id, resident.home, label, self.ledger.time, delta)

    def _size_of(self, resident: Resident) -> float:
        """Pixels of somebody's longer side, if that is more than cells may have."""
        if resident.delta is not None and resident.delta.size:
            return resident.delta.size
        level = resident.region.cell.level
        return self._grid.size(level) if level > 0 else 0.0

    def lived(self, resident: Resident) -> None:
        """Somebody has had its first spawn: that is kept with what its hooks did.

        At once, and not when its cell goes: what the hooks have added to the world is written as
        soon, and a game that is killed in between would add it twice.
        """
        row = self.capture(resident)
        if row is not None:
            self.ledger.enter(row)

    def retire(self, resident: Resident, dropped: Callable[[object], bool] = _never) -> None:
        """Unload somebody: keep what was changed, then take it away.

        Args:
            resident: Who.
            dropped: Whether a list of sprites is dropped whole, so that nothing need be taken out.

        Who has gone to another region that is there stays in memory, and goes over to that.
        """
        region = resident.region
        target = self._regions.get(self.place_now(resident))
        if target is not None and target is not region and target.active:
            self.move(resident, target)
            return
        row = self.capture(resident)
        if row is not None:
            self.ledger.enter(row)
        self.forget(resident)
        if resident.spawning is not None:
            resident.spawning.retire(dropped)

    def forget(self, resident: Resident) -> None:
        """Somebody is not in memory any more."""
        self.residents.pop(resident.id, None)
        resident.region.residents.pop(resident.id, None)
        failure = self.failures.get(resident.id)
        if failure is not None and failure.cell == resident.region.cell:
            del self.failures[resident.id]

    def lost(self, resident: Resident, spawning: SpawnTask) -> None:
        """Somebody was despawned by the game, or failed."""
        if spawning.state is EntityState.FAILED:
            self.failed(resident, spawning.error or RuntimeError("it failed"))
            return
        self.destroyed(resident)

    def destroyed(self, resident: Resident) -> None:
        """Somebody is gone for good."""
        self.ledger.enter(SavedEntity(resident.id, resident.home, None, self.ledger.time, None))
        self.forget(resident)

    # ------------------------------------------------------------------------------------- failures

    def failed(self, resident: Resident, error: Exception) -> None:
        """Somebody cannot be built: list it, and have something stand there."""
        resident.spawning = None
        self.note(Failure(resident.id, resident.region.cell, resident.row.prefab, error))
        if self._placeholders and resident.placeholder is None:
            x, y, *_ = place_of(resident.row, resident.delta)
            resident.placeholder = self.placeholder(x, y)
            lists = resident.region.lists
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
