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
        journal: What the game has changed.

    Main thread.
    """

    def __init__(
        self, factory: EntityFactory, population: Population, journal: ChangeJournal
    ) -> None:
        self._factory = factory
        self._population = population
        self._journal = journal
        self._measured: set[str] = set()

    # ------------------------------------------------------------------------------------- loading

    def want_prefabs(self, live: LiveCell, read: SavedCellLoad) -> None:
        """Ask for the prefabs of everything in a region."""
        priority = Priority.HIGH if live.score <= 0 else Priority.NORMAL
        names = dict(read.prefabs)
        for known in self._journal.merged(read).rows:
            if known.diff is None or known.diff.row is None:
                continue
            if known.home != read.label:  # what its cell tells of is as that tells
                names[known.diff.row.prefab] = None
        for name in names:
            if name not in live.prefabs:
                live.prefabs[name] = self._factory.handle_of(asset_id(name), priority)

    # ------------------------------------------------------------------------------------ building

    def build(self, live: LiveCell, record: SavedCell, on_active: Callable[[], None]) -> Task:
        """Build everything that is in a region."""
        yield Step("region", 1)
        pending_residents = yield from self._gather(live, record)
        live.parts = len(pending_residents)
        yield from self._load_own(live, pending_residents)
        yield from self._build_all(live, pending_residents)
        yield from self._upload(live)
        # Who came while the others were built. With nobody left, it is there in this very step:
        # whoever comes after that finds it so.
        while late := self._late(live):
            yield from self._build_all(live, late)
        if live.state not in _GOING:
            live.parts = len(live.residents)
            on_active()

    def _gather(
        self, live: LiveCell, record: SavedCell
    ) -> Generator[Step | None, None, list[PendingResident]]:
        found: list[PendingResident] = []
        for one in self._population.pending_residents(live, record):
            found.append(one)
            if len(found) % _ROWS == 0:
                yield Step("rows", _ROWS)
        return found

    def _late(self, live: LiveCell) -> list[PendingResident]:
        label, residents = live.label, self._population.residents
        return [
            found
            for row in self._journal.known_in(label)
            if row.home != label and row.id not in residents
            if (found := self._population.request(row, None)) is not None
        ]

    def _load_own(self, live: LiveCell, pending_residents: list[PendingResident]) -> Task:
        """Load images that only overrides name."""
        wanted: list[Handle[Any]] = []
        for number, one in enumerate(pending_residents):
            if number % _ROWS == 0:
                yield Step("rows", _ROWS)
            try:
                overrides = self._population.overrides_of(one.row)
                if overrides is None:
                    continue
                blueprint = getattr(self._handle(live, one.row).value, "blueprint", None)
                if not isinstance(blueprint, Blueprint):
                    continue
                for ref in overrides.applied(blueprint, self._factory.registry).textures:
                    if self._factory.textures.get(ref) is None:
                        handle = self._factory.load_texture(ref, _nothing)
                        live.prefabs[ref.key] = handle
                        wanted.append(handle)
            except Exception as error:  # told when it is its turn to be built
                _log.debug("%s: %s", shown(one.row.id), shown_error(error))
        while not all(one.done for one in wanted):
            yield None

    def _handle(self, live: LiveCell, row: WorldEntity) -> Handle[Any]:
        handle = live.prefabs.get(row.prefab)
        if handle is None:
            handle = self._factory.handle_of(asset_id(row.prefab), Priority.HIGH)
            live.prefabs[row.prefab] = handle
        return handle

    def _build_all(self, live: LiveCell, pending_residents: list[PendingResident]) -> Task:
        left = _PARTS
        for number, one in enumerate(pending_residents):
            live.parts = len(pending_residents) - number
            if live.state in _GOING:  # a hook has closed the world
                return
            current = self._population.current(one, live)
            if current is not None:
                resident = Resident(current.row, current.home, current.diff, live)
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
        row, live = resident.row, resident.live
        handle = live.prefabs.get(row.prefab)
        own = row.layer is not None or row.overrides or row.removed or resident.diff is not None
        if own or handle is None or handle.error is not None:
            return False
        blueprint = getattr(handle.value, "blueprint", None)
        if not isinstance(blueprint, Blueprint) or len(blueprint.parts) > 1 or blueprint.labels:
            return False
        factory = self._factory
        place = ((row.x, row.y), row.rotation, (row.scale_x, row.scale_y))
        spawn_task = factory.begin_for(resident, handle, place, live.lists, None)
        if spawn_task.prepare():
            return False
        resident.spawn_task = spawn_task
        if spawn_task.advance(1):
            spawn_task.complete()
            self._measure(spawn_task, live)
            if spawn_task.lived:
                self._population.lived(resident)
        if left_at is not None and spawn_task.is_alive():
            self._population.woken(spawn_task.root, max(0.0, self._journal.time - left_at))
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
        factory, population, live = self._factory, self._population, resident.live
        row, diff = resident.row, resident.diff
        spawn_task: SpawnTask | None = None
        try:
            handle = self._handle(live, row)
            while not handle.done:
                yield None
            if handle.error is not None:
                raise handle.error
            overrides = population.overrides_of(row)
            x, y, turn, wide, high = place_of(row, diff)
            place = ((x, y), turn, (wide, high))
            authored = place_of(row, None) if diff is not None and diff.place else None
            spawn_task = factory.begin_for(
                resident,
                handle,
                place,
                live.lists,
                overrides,
                None if authored is None else (authored[:2], authored[2], authored[3:]),
            )
            resident.spawn_task = spawn_task
            yield from self._prepare(live, spawn_task, overrides)
        except Exception as error:
            if spawn_task is None:
                population.failed(resident, error)
            else:
                spawn_task.fail(error)
            return 0
        pictures = yield from spawn_task.draw_labels()
        parts = spawn_task.parts_left
        while not spawn_task.done and not spawn_task.advance(_PARTS):
            yield Step("spawn", _PARTS)
        if not spawn_task.done:
            if diff is not None:
                population.differ.apply(diff, spawn_task, factory.despawner)
            before = len(spawn_task.lived)
            spawn_task.complete()
            if len(spawn_task.lived) != before:
                population.lived(resident)
            self._measure(spawn_task, live)
        del pictures  # its sprites hold them now
        if diff is not None and spawn_task.is_alive():
            for entity, text in population.differ.texts(diff, spawn_task):
                yield Step("text", 1)
                if entity.alive:
                    entity.text = text
        if left_at is not None and spawn_task.is_alive():
            population.woken(spawn_task.root, max(0.0, self._journal.time - left_at))
        return max(0, parts - 1) % _PARTS  # the first is what the entity itself counts

    def _measure(self, spawn_task: SpawnTask, live: LiveCell) -> None:
        """Tell, once for each prefab, of what would go while it can still be seen."""
        prefab = spawn_task.id
        if prefab in self._measured or not spawn_task.is_alive():
            return
        self._measured.add(prefab)
        sprite = spawn_task.entity.sprite
        if sprite is None or live.cell == ALWAYS_LOADED:
            return
        cell = live.box[2] - live.box[0]
        if max(sprite.width, sprite.height) > cell:
            wide, high = math.ceil(sprite.width), math.ceil(sprite.height)
            why = (
                f"{wide} × {high} pixels are more than a cell of {cell:g}: it goes while it can "
                f"still be seen; say how large it is in the world: `size: ({wide}, {high})`"
            )
            self._population.differ.tell(prefab, why)

    def _prepare(self, live: LiveCell, spawn_task: SpawnTask, overrides: Overrides | None) -> Task:
        """Make the plan, and wait for images that have left the cache meanwhile."""
        while missing := spawn_task.prepare():
            handles = [self._factory.load_texture(ref, _nothing) for ref in missing]
            for ref, handle in zip(missing, handles, strict=True):
                live.prefabs[ref.key] = handle
            while not all(one.done for one in handles):
                yield None
            for one in handles:
                if one.error is not None:
                    raise one.error
            if overrides is None:
                yield None  # an edit is on its way

    def _upload(self, live: LiveCell) -> Task:
        """Bring what is to be drawn to the graphics card, which the first drawing would do."""
        for one in live.lists.all():
            yield Step("show", len(one))
            one.initialize()  # all of its sprites at once, which is a third cheaper
            one.write_sprite_buffers_to_gpu()

    # -------------------------------------------------------------------------------- taking away

    def retire(self, live: LiveCell, on_gone: Callable[[], None]) -> Task:
        """Take everything away that is in a region."""
        population = self._population
        while live.residents:
            live.parts = len(live.residents)
            for name in list(islice(live.residents, _LEAVING)):
                resident = live.residents.get(name)
                if resident is not None:  # a hook of another one may have taken it away
                    population.retire(resident, live.lists.holds)
                    if live.residents.get(name) is resident:
                        raise RuntimeError(f"{resident!r} cannot be taken away")
            yield Step("retire", _LEAVING)
        for sprites in live.lists.drop():
            yield Step("drop", sprites)
        live.prefabs.clear()
        yield Step("region", 1)
        on_gone()

    # ---------------------------------------------------------------------------------- hot reload

    def refresh(
        self, live_cells: list[LiveCell], reads: list[SavedCellLoad]
    ) -> Generator[Step | None, None, set[str]]:
        """Bring regions up to date whose content was replaced, by the names of entities.

        First whatever has left a cell, then whatever came: it may be the same one.

        Returns:
            The names of those that no cell of these tells of any more: another one may.
        """
        gone: set[str] = set()
        for live in live_cells:
            yield from self._refresh_old(live, gone)
        for live, read in zip(live_cells, reads, strict=True):
            live.dirty = False
            if live.active:
                self.want_prefabs(live, read)
                pending_residents = yield from self._gather(live, self._journal.merged(read))
                yield from self._load_own(live, pending_residents)
                yield from self._build_all(live, pending_residents)
                live.parts = len(live.residents)
        return gone

    def _refresh_old(self, live: LiveCell, gone: set[str]) -> Task:
        population, label = self._population, live.label
        rows = () if live.load is None else live.load.rows or ()
        fresh = {row.id: row for row in rows}
        mine = [one for one in population.residents.values() if one.home == label]
        for one in mine:
            row = fresh.get(one.id)
            if row == one.row or population.residents.get(one.id) is not one:
                continue
            # What the game has changed of it stays; where it has not moved it, it goes with its
            # file.
            captured = population.capture(one)
            diff = one.diff if captured is None else captured.diff
            here = one.live
            if row is None and here.label != label:
                continue  # it has gone its own way
            self._take_away(one)
            if row is None:
                gone.add(one.id)
                if captured is not None:  # another cell may tell of it
                    self._journal.enter(captured)
            else:
                again = Resident(row, label, diff, here)
                population.enter(again)
                yield from self.build_one(again, None)
            yield Step("reload", 1)

    def retry(self, residents: list[Resident]) -> Task:
        """Build once more what has failed."""
        for one in residents:
            live = one.live
            if one.spawn_task is None and self._population.residents.get(one.id) is one:
                live.prefabs.pop(one.row.prefab, None)
                self._population.clear_placeholder(one)
                yield from self.build_one(one, None)
                yield Step("spawn", _PARTS)

    def _take_away(self, resident: Resident) -> None:
        population, spawn_task = self._population, resident.spawn_task
        population.forget(resident)
        if resident.placeholder is not None:
            population.clear_placeholder(resident)
        if spawn_task is not None:
            spawn_task.retire(lambda _: False)


def _nothing(_: object) -> None:
    pass
