"""`CellBuilder`: makes the jobs that build the residents of a cell, and those that unload them.

**The problem.** A cell may have 20,000 entities, and building one takes tens of microseconds on the
main thread. A cell must appear as a whole, not entity by entity, and hooks of the game that run in
between may despawn entities, move them, or close the world.

**The way taken.** A job is a generator that yields a `Step` after every few parts; `CellJobs` runs
its steps within the budget. Sprites go into lists that are not drawn before the cell is active, and
are uploaded to the graphics card beforehand. Before each entity is built, the population is asked
for its state of that moment (`Population.current`), so that what hooks did to it since the cell was
loaded counts. Entities that moved into the cell meanwhile are built in a second round. Most
entities have one part and no changes; `_at_once` builds these without a generator of their own,
which would cost as much as the entity.

**The ways rejected.** *Building in one go, when the frame has time left*: no frame has room for a
large cell. *Building on a loader thread*: Arcade's sprites and the game's hooks belong to the main
thread. *Drawing each entity as soon as it is built*: a forest grows in front of the player.
"""

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
"""The job of a live cell: yields steps, and None as long as it waits for a load."""

# Parts that are built in one step: about 0.1 ms, so that little of a budget stays unused.
_PARTS: Final = 6
# World entities that are compared, and not built, in one step.
_ROWS: Final = 200
# Entities that are unloaded in one step: about 0.1 ms, too.
_LEAVING: Final = 20
_GOING: Final = (CellState.UNLOADED, CellState.DEACTIVATING)


class CellBuilder:
    """Makes the jobs that build cells, and those that unload them.

    Args:
        factory: Builds entities.
        population: The residents of all cells.
        journal: The changes of the game.

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
        """Starts to load the prefabs of all entities that a cell will have."""
        priority = Priority.HIGH if live.score <= 0 else Priority.NORMAL
        names = dict(read.prefabs)
        for saved in self._journal.merged(read).rows:
            if saved.diff is None or saved.diff.row is None:
                continue
            if saved.home != read.label:  # those of this cell's data are in `read.prefabs`
                names[saved.diff.row.prefab] = None
        for name in names:
            if name not in live.prefabs:
                live.prefabs[name] = self._factory.handle_of(asset_id(name), priority)

    # ------------------------------------------------------------------------------------ building

    def build(self, live: LiveCell, record: SavedCell, on_active: Callable[[], None]) -> Task:
        """Builds all residents of a cell, uploads their sprites, and calls `on_active`."""
        yield Step("cell", 1)
        pending_residents = yield from self._gather(live, record)
        live.parts = len(pending_residents)
        yield from self._load_own(live, pending_residents)
        yield from self._build_all(live, pending_residents)
        yield from self._upload(live)
        # Entities that moved here while the others were built. Once there are none, the cell
        # becomes active within the same step, so that no entity can arrive in between.
        while late := self._late(live):
            yield from self._build_all(live, late)
        if live.state not in _GOING:
            live.parts = len(live.residents)
            on_active()

    def _gather(
        self, live: LiveCell, record: SavedCell
    ) -> Generator[Step | None, None, list[PendingResident]]:
        found: list[PendingResident] = []
        for pending in self._population.pending_residents(live, record):
            found.append(pending)
            if len(found) % _ROWS == 0:
                yield Step("rows", _ROWS)
        return found

    def _late(self, live: LiveCell) -> list[PendingResident]:
        """Returns entities that moved into the cell, or were added to it, since its job began."""
        label, residents = live.label, self._population.residents
        return [
            found
            for row in self._journal.known_in(label)
            if row.home != label and row.id not in residents
            if (found := self._population.request(row, None)) is not None
        ]

    def _load_own(self, live: LiveCell, pending_residents: list[PendingResident]) -> Task:
        """Loads images that only overrides name: no prefab has them as dependencies."""
        wanted: list[Handle[Any]] = []
        for number, pending in enumerate(pending_residents):
            if number % _ROWS == 0:
                yield Step("rows", _ROWS)
            try:
                overrides = self._population.overrides_of(pending.row)
                if overrides is None:
                    continue
                blueprint = getattr(self._handle(live, pending.row).value, "blueprint", None)
                if not isinstance(blueprint, Blueprint):
                    continue
                for ref in overrides.applied(blueprint, self._factory.registry).textures:
                    if self._factory.textures.get(ref) is None:
                        handle = self._factory.load_texture(ref, _nothing)
                        live.prefabs[ref.key] = handle
                        wanted.append(handle)
            except Exception as error:  # becomes a failure when the entity is built
                _log.debug("%s: %s", shown(pending.row.id), shown_error(error))
        while not all(handle.done for handle in wanted):
            yield None

    def _handle(self, live: LiveCell, row: WorldEntity) -> Handle[Any]:
        """Returns the handle of an entity's prefab, and loads it if the cell has none."""
        handle = live.prefabs.get(row.prefab)
        if handle is None:
            handle = self._factory.handle_of(asset_id(row.prefab), Priority.HIGH)
            live.prefabs[row.prefab] = handle
        return handle

    def _build_all(self, live: LiveCell, pending_residents: list[PendingResident]) -> Task:
        left = _PARTS
        for number, pending in enumerate(pending_residents):
            live.parts = len(pending_residents) - number
            if live.state in _GOING:  # a hook has closed the world
                return
            current = self._population.current(pending, live)
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
        """Builds an entity of one part whose prefab and textures are loaded, without a generator.

        Most entities of a world are like that.

        Returns:
            Whether the entity was built, or failed. If False, `build_one` has to build it.
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
        transform = ((row.x, row.y), row.angle, (row.scale_x, row.scale_y))
        spawn_task = factory.begin_for(resident, handle, transform, live.lists, None)
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
        """Builds one resident of an active cell, as a job of the main-thread queue."""
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
        """Builds one resident; returns how many more parts count for the caller's step."""
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
            transform = ((x, y), turn, (wide, high))
            authored = place_of(row, None) if diff is not None and diff.place else None
            spawn_task = factory.begin_for(
                resident,
                handle,
                transform,
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
        textures = yield from spawn_task.draw_labels()
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
        del textures  # the sprites of the text labels hold them from now on
        if diff is not None and spawn_task.is_alive():
            for entity, text in population.differ.texts(diff, spawn_task):
                yield Step("text", 1)
                if entity.alive:
                    entity.text = text
        if left_at is not None and spawn_task.is_alive():
            population.woken(spawn_task.root, max(0.0, self._journal.time - left_at))
        return max(0, parts - 1) % _PARTS  # the caller counts one part for the entity

    def _measure(self, spawn_task: SpawnTask, live: LiveCell) -> None:
        """Logs, once for each prefab, that its sprite is larger than its cell.

        Such an entity is unloaded while a part of it can still be seen.
        """
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
                f"{wide} × {high} pixels are more than a cell of {cell:g}: it is unloaded while "
                f"it can still be seen; say how large it is in the world: `size: ({wide}, {high})`"
            )
            self._population.differ.tell(prefab, why)

    def _prepare(self, live: LiveCell, spawn_task: SpawnTask, overrides: Overrides | None) -> Task:
        """Makes the blueprint, and loads images that have left the cache in the meantime."""
        while missing := spawn_task.prepare():
            handles = [self._factory.load_texture(ref, _nothing) for ref in missing]
            for ref, handle in zip(missing, handles, strict=True):
                live.prefabs[ref.key] = handle
            while not all(handle.done for handle in handles):
                yield None
            for handle in handles:
                if handle.error is not None:
                    raise handle.error
            if overrides is None:
                yield None  # the prefab was edited: its next version is being loaded

    def _upload(self, live: LiveCell) -> Task:
        """Uploads the cell's sprites to the graphics card, before the first draw would do it."""
        for sprites in live.lists.all():
            yield Step("show", len(sprites))
            sprites.initialize()  # of all sprites at once, a third cheaper than one by one
            sprites.write_sprite_buffers_to_gpu()

    # -------------------------------------------------------------------------------- taking away

    def retire(self, live: LiveCell, on_gone: Callable[[], None]) -> Task:
        """Unloads all residents of a cell, drops its sprite lists, and calls `on_gone`."""
        population = self._population
        while live.residents:
            live.parts = len(live.residents)
            for name in list(islice(live.residents, _LEAVING)):
                resident = live.residents.get(name)
                if resident is not None:  # a hook of another entity may have despawned this one
                    population.retire(resident, live.lists.holds)
                    if live.residents.get(name) is resident:
                        raise RuntimeError(f"{resident!r} cannot be unloaded")
            yield Step("retire", _LEAVING)
        for count in live.lists.drop():
            yield Step("drop", count)
        live.prefabs.clear()
        yield Step("cell", 1)
        on_gone()

    # ---------------------------------------------------------------------------------- hot reload

    def refresh(
        self, live_cells: list[LiveCell], reads: list[SavedCellLoad]
    ) -> Generator[Step | None, None, set[str]]:
        """Updates active cells that were baked anew, entity by entity.

        First all cells lose what left them, then all get what is new: an entity may have moved from
        one of the cells to another.

        Args:
            live_cells: The cells.
            reads: What the save file has of each cell.

        Returns:
            The ids of entities that left these cells' data: another cell's data may have them now.
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
        """Unloads entities that a cell's data no longer has, and builds changed ones again.

        The ids of the former are added to `gone`.
        """
        population, label = self._population, live.label
        rows = () if live.load is None else live.load.rows or ()
        fresh = {row.id: row for row in rows}
        mine = [resident for resident in population.residents.values() if resident.home == label]
        for resident in mine:
            row = fresh.get(resident.id)
            if row == resident.row or population.residents.get(resident.id) is not resident:
                continue
            # Changes of the game stay. The transform follows the file unless the game moved the
            # entity.
            captured = population.capture(resident)
            diff = resident.diff if captured is None else captured.diff
            here = resident.live
            if row is None and here.label != label:
                continue  # it migrated: the game has moved it to another cell
            self._take_away(resident)
            if row is None:
                gone.add(resident.id)
                if captured is not None:  # the data of another cell may have it now
                    self._journal.enter(captured)
            else:
                again = Resident(row, label, diff, here)
                population.enter(again)
                yield from self.build_one(again, None)
            yield Step("reload", 1)

    def retry(self, residents: list[Resident]) -> Task:
        """Builds failed residents once more, after their prefabs were loaded again."""
        for resident in residents:
            live = resident.live
            if (
                resident.spawn_task is None
                and self._population.residents.get(resident.id) is resident
            ):
                live.prefabs.pop(resident.row.prefab, None)
                self._population.clear_placeholder(resident)
                yield from self.build_one(resident, None)
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
