"""How the entities of a region come, and how they go: in slices, and in one piece for the eye."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator
from itertools import islice
from typing import Any, Final

from ...errors import shown, shown_error
from ...frames import NEXT_FRAME, Step
from ...frames.main_thread_queue import Steps
from ...loading import Handle, Priority
from ...loading.asset_names import asset_id
from ...pipeline import ALWAYS_LOADED, WorldEntity
from ...spawning.blueprints.blueprint import Blueprint
from ...spawning.blueprints.overrides import Overrides
from ...spawning.spawner.entity_factory import EntityFactory
from ...spawning.spawner.spawn_task import SpawnTask
from ..cells.live_cell import CellState, LiveCell, Resident
from ..saves.change_journal import ChangeJournal, SavedCellLoad
from ..saves.entity_diff import place_of
from ..saves.save_file import SavedCell
from .residents import PendingResident, Population

__all__ = ["CellBuilder", "Task"]

_log = logging.getLogger("arcade_prefabs")

Task = Generator[Step | None, None, None]
"""Steps of a region; None as long as it waits for something."""

# Parts that are built in one step, about 0.1 ms: what of a frame is left is less than a step.
_PARTS: Final = 6
# Rows that are only looked at in one step.
_ROWS: Final = 200
# Entities that are taken away in one step, about as much.
_LEAVING: Final = 20
_GOING: Final = (CellState.UNLOADED, CellState.DEACTIVATING)


class CellBuilder:
    """Makes the tasks that build regions, and take them away.

    Args:
        factory: Makes entities.
        population: Who is where.
        ledger: What the game has changed.

    Main thread.
    """

    def __init__(
        self, factory: EntityFactory, population: Population, ledger: ChangeJournal
    ) -> None:
        self._factory = factory
        self._population = population
        self._ledger = ledger
        self._measured: set[str] = set()

    # ------------------------------------------------------------------------------------- loading

    def want_prefabs(self, region: LiveCell, read: SavedCellLoad) -> None:
        """Ask for the prefabs of everything in a region."""
        priority = Priority.HIGH if region.score <= 0 else Priority.NORMAL
        names = dict(read.prefabs)
        for known in self._ledger.merged(read).rows:
            if known.delta is None or known.delta.row is None:
                continue
            if known.home != read.label:  # what its cell tells of is as that tells
                names[known.delta.row.prefab] = None
        for name in names:
            if name not in region.prefabs:
                region.prefabs[name] = self._factory.handle_of(asset_id(name), priority)

    # ------------------------------------------------------------------------------------ building

    def build(self, region: LiveCell, record: SavedCell, on_active: Callable[[], None]) -> Task:
        """Build everything that is in a region."""
        yield Step("region", 1)
        newcomers = yield from self._gather(region, record)
        region.parts = len(newcomers)
        yield from self._load_own(region, newcomers)
        yield from self._build_all(region, newcomers)
        yield from self._upload(region)
        # Who came while the others were built. With nobody left, it is there in this very step:
        # whoever comes after that finds it so.
        while late := self._late(region):
            yield from self._build_all(region, late)
        if region.state not in _GOING:
            region.parts = len(region.residents)
            on_active()

    def _gather(
        self, region: LiveCell, record: SavedCell
    ) -> Generator[Step | None, None, list[PendingResident]]:
        found: list[PendingResident] = []
        for one in self._population.newcomers(region, record):
            found.append(one)
            if len(found) % _ROWS == 0:
                yield Step("rows", _ROWS)
        return found

    def _late(self, region: LiveCell) -> list[PendingResident]:
        label, residents = region.label, self._population.residents
        return [
            found
            for row in self._ledger.known_in(label)
            if row.home != label and row.id not in residents
            if (found := self._population.arrival(row, None)) is not None
        ]

    def _load_own(self, region: LiveCell, newcomers: list[PendingResident]) -> Task:
        """Load images that only overrides name."""
        wanted: list[Handle[Any]] = []
        for number, one in enumerate(newcomers):
            if number % _ROWS == 0:
                yield Step("rows", _ROWS)
            try:
                overrides = self._population.overrides_of(one.row)
                if overrides is None:
                    continue
                plan = getattr(self._handle(region, one.row).value, "plan", None)
                if not isinstance(plan, Blueprint):
                    continue
                for ref in overrides.applied(plan, self._factory.registry).textures:
                    if self._factory.textures.get(ref) is None:
                        handle = self._factory.load_texture(ref, _nothing)
                        region.prefabs[ref.key] = handle
                        wanted.append(handle)
            except Exception as error:  # told when it is its turn to be built
                _log.debug("%s: %s", shown(one.row.id), shown_error(error))
        while not all(one.done for one in wanted):
            yield None

    def _handle(self, region: LiveCell, row: WorldEntity) -> Handle[Any]:
        handle = region.prefabs.get(row.prefab)
        if handle is None:
            handle = self._factory.handle_of(asset_id(row.prefab), Priority.HIGH)
            region.prefabs[row.prefab] = handle
        return handle

    def _build_all(self, region: LiveCell, newcomers: list[PendingResident]) -> Task:
        left = _PARTS
        for number, one in enumerate(newcomers):
            region.parts = len(newcomers) - number
            if region.state in _GOING:  # a hook has closed the world
                return
            current = self._population.current(one, region)
            if current is not None:
                resident = Resident(current.row, current.home, current.delta, region)
                self._population.enter(resident)
                if not self._at_once(resident, current.left_at):
                    left -= yield from self.build_one(resident, current.left_at)
            left -= 1
            if left <= 0:
                left = _PARTS
                yield Step("spawn", _PARTS)

    def _at_once(self, resident: Resident, left_at: float | None) -> bool:
        """Build an entity of one part of which all is ready, without a generator's detours.

        Most entities of a world are like that.

        Returns:
            Whether it was built, or failed; otherwise it takes `build_one`.
        """
        row, region = resident.row, resident.region
        handle = region.prefabs.get(row.prefab)
        own = row.layer is not None or row.overrides or row.removed or resident.delta is not None
        if own or handle is None or handle.error is not None:
            return False
        plan = getattr(handle.value, "plan", None)
        if not isinstance(plan, Blueprint) or len(plan.parts) > 1 or plan.labels:
            return False
        factory = self._factory
        place = ((row.x, row.y), row.rotation, (row.scale_x, row.scale_y))
        spawning = factory.begin_for(resident, handle, place, region.lists, None)
        if spawning.prepare():
            return False
        resident.spawning = spawning
        if spawning.advance(1):
            spawning.complete()
            self._measure(spawning, region)
            if spawning.lived:
                self._population.lived(resident)
        if left_at is not None and spawning.is_alive():
            self._population.woken(spawning.root, max(0.0, self._ledger.time - left_at))
        return True

    def build_now(self, resident: Resident) -> Steps:
        """Build one entity of a region that is there, as a job of the queue."""
        task = self.build_one(resident, None)
        try:
            while True:
                step = next(task)
                yield NEXT_FRAME if step is None else step
        except StopIteration:
            return

    def build_one(
        self, resident: Resident, left_at: float | None
    ) -> Generator[Step | None, None, int]:
        """Build one entity of a region; gives how many parts are left to count for the step."""
        factory, population, region = self._factory, self._population, resident.region
        row, delta = resident.row, resident.delta
        spawning: SpawnTask | None = None
        try:
            handle = self._handle(region, row)
            while not handle.done:
                yield None
            if handle.error is not None:
                raise handle.error
            overrides = population.overrides_of(row)
            x, y, turn, wide, high = place_of(row, delta)
            place = ((x, y), turn, (wide, high))
            authored = place_of(row, None) if delta is not None and delta.place else None
            spawning = factory.begin_for(
                resident,
                handle,
                place,
                region.lists,
                overrides,
                None if authored is None else (authored[:2], authored[2], authored[3:]),
            )
            resident.spawning = spawning
            yield from self._prepare(region, spawning, overrides)
        except Exception as error:
            if spawning is None:
                population.failed(resident, error)
            else:
                spawning.fail(error)
            return 0
        pictures = yield from spawning.draw_labels()
        parts = spawning.parts_left
        while not spawning.done and not spawning.advance(_PARTS):
            yield Step("spawn", _PARTS)
        if not spawning.done:
            if delta is not None:
                population.keeper.apply(delta, spawning, factory.departures)
            before = len(spawning.lived)
            spawning.complete()
            if len(spawning.lived) != before:
                population.lived(resident)
            self._measure(spawning, region)
        del pictures  # its sprites hold them now
        if delta is not None and spawning.is_alive():
            for entity, text in population.keeper.texts(delta, spawning):
                yield Step("text", 1)
                if entity.alive:
                    entity.text = text
        if left_at is not None and spawning.is_alive():
            population.woken(spawning.root, max(0.0, self._ledger.time - left_at))
        return max(0, parts - 1) % _PARTS  # the first is what the entity itself counts

    def _measure(self, spawning: SpawnTask, region: LiveCell) -> None:
        """Tell, once for each prefab, of what would go while it can still be seen."""
        prefab = spawning.id
        if prefab in self._measured or not spawning.is_alive():
            return
        self._measured.add(prefab)
        sprite = spawning.entity.sprite
        if sprite is None or region.cell == ALWAYS_LOADED:
            return
        cell = region.box[2] - region.box[0]
        if max(sprite.width, sprite.height) > cell:
            wide, high = math.ceil(sprite.width), math.ceil(sprite.height)
            why = (
                f"{wide} × {high} pixels are more than a cell of {cell:g}: it goes while it can "
                f"still be seen; say how large it is in the world: `size: ({wide}, {high})`"
            )
            self._population.keeper.tell(prefab, why)

    def _prepare(self, region: LiveCell, spawning: SpawnTask, overrides: Overrides | None) -> Task:
        """Make the plan, and wait for images that have left the cache meanwhile."""
        while missing := spawning.prepare():
            handles = [self._factory.load_texture(ref, _nothing) for ref in missing]
            for ref, handle in zip(missing, handles, strict=True):
                region.prefabs[ref.key] = handle
            while not all(one.done for one in handles):
                yield None
            for one in handles:
                if one.error is not None:
                    raise one.error
            if overrides is None:
                yield None  # an edit is on its way

    def _upload(self, region: LiveCell) -> Task:
        """Bring what is to be drawn to the graphics card, which the first drawing would do."""
        for one in region.lists.all():
            yield Step("show", len(one))
            one.initialize()  # all of its sprites at once, which is a third cheaper
            one.write_sprite_buffers_to_gpu()

    # -------------------------------------------------------------------------------- taking away

    def retire(self, region: LiveCell, on_gone: Callable[[], None]) -> Task:
        """Take everything away that is in a region."""
        population = self._population
        while region.residents:
            region.parts = len(region.residents)
            for name in list(islice(region.residents, _LEAVING)):
                resident = region.residents.get(name)
                if resident is not None:  # a hook of another one may have taken it away
                    population.retire(resident, region.lists.holds)
                    if region.residents.get(name) is resident:
                        raise RuntimeError(f"{resident!r} cannot be taken away")
            yield Step("retire", _LEAVING)
        for sprites in region.lists.drop():
            yield Step("drop", sprites)
        region.prefabs.clear()
        yield Step("region", 1)
        on_gone()

    # ---------------------------------------------------------------------------------- hot reload

    def refresh(
        self, regions: list[LiveCell], reads: list[SavedCellLoad]
    ) -> Generator[Step | None, None, set[str]]:
        """Bring regions up to date whose content was replaced, by the names of entities.

        First whatever has left a cell, then whatever came: it may be the same one.

        Returns:
            The names of those that no cell of these tells of any more: another one may.
        """
        gone: set[str] = set()
        for region in regions:
            yield from self._refresh_old(region, gone)
        for region, read in zip(regions, reads, strict=True):
            region.dirty = False
            if region.active:
                self.want_prefabs(region, read)
                newcomers = yield from self._gather(region, self._ledger.merged(read))
                yield from self._load_own(region, newcomers)
                yield from self._build_all(region, newcomers)
                region.parts = len(region.residents)
        return gone

    def _refresh_old(self, region: LiveCell, gone: set[str]) -> Task:
        population, label = self._population, region.label
        rows = () if region.load is None else region.load.rows or ()
        fresh = {row.id: row for row in rows}
        mine = [one for one in population.residents.values() if one.home == label]
        for one in mine:
            row = fresh.get(one.id)
            if row == one.row or population.residents.get(one.id) is not one:
                continue
            # What the game has changed of it stays; where it has not moved it, it goes with its
            # file.
            captured = population.capture(one)
            delta = one.delta if captured is None else captured.delta
            here = one.region
            if row is None and here.label != label:
                continue  # it has gone its own way
            self._take_away(one)
            if row is None:
                gone.add(one.id)
                if captured is not None:  # another cell may tell of it
                    self._ledger.enter(captured)
            else:
                again = Resident(row, label, delta, here)
                population.enter(again)
                yield from self.build_one(again, None)
            yield Step("reload", 1)

    def retry(self, residents: list[Resident]) -> Task:
        """Build once more what has failed."""
        for one in residents:
            region = one.region
            if one.spawning is None and self._population.residents.get(one.id) is one:
                region.prefabs.pop(one.row.prefab, None)
                self._population.clear_placeholder(one)
                yield from self.build_one(one, None)
                yield Step("spawn", _PARTS)

    def _take_away(self, resident: Resident) -> None:
        population, spawning = self._population, resident.spawning
        population.forget(resident)
        if resident.placeholder is not None:
            population.clear_placeholder(resident)
        if spawning is not None:
            spawning.retire(lambda _: False)


def _nothing(_: object) -> None:
    pass
