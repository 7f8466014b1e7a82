"""`WorldOpener`: reads a world's head and its save, and makes the objects of the open world."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..errors import SaveError, StreamingError, shown
from ..loading import Handle
from ..pipeline import ALWAYS_LOADED, WorldHead
from ..spawning.spawn_runtime import SpawnRuntime
from ..spawning.walls import Walls
from .cells.cell_jobs import CellJobs
from .cells.cell_providers import BakedCells, CellProvider, CellSource, GeneratedCells
from .cells.grid import Grid
from .cells.known_cells import KnownCells, cell_of
from .hot_reload import WorldReloader
from .planning.health import HealthWatch
from .planning.memory_budget import MemoryBudget
from .planning.planner import Planner
from .planning.streaming_sources import Sources
from .population.additions import Additions
from .population.cell_building import CellBuilder
from .population.cell_lifecycle import CellLifecycle, WorldParts
from .population.cell_migration import CellMigration
from .population.residents import Population
from .population.tracing import Tracer
from .renderer import WorldRenderer
from .saves.change_journal import ChangeJournal, Writer
from .saves.save_file import SavedEntity, SaveFile
from .settings import StreamingSettings

__all__ = ["OpenWorld", "WorldOpener"]

_log = logging.getLogger("arcade_prefabs")
# Cells between two pauses: some 3 µs each.
_AT_A_TIME: Final = 200


@dataclass(slots=True)
class OpenWorld:
    """The objects of an open world; each is described by its class."""

    parts: WorldParts
    lifecycle: CellLifecycle
    renderer: WorldRenderer
    migration: CellMigration
    reloader: WorldReloader
    additions: Additions
    health: HealthWatch


class WorldOpener:
    """Opens a world in the background, and makes its objects once everything is read.

    Args:
        spawn_runtime: Loads the world's head, and spawns its entities.
        world: The id of a baked world, or the code that makes one.
        name: The name that the save has to belong to.
        save: The save file; None to keep changes only as long as the world is open.
        recover: Whether to take over unsaved changes of a game that did not close its world.
        settings: The world's settings.
        sources: The streaming sources; they get the cell size of the world.
        clock: Returns seconds.

    Attributes:
        error: Why the world cannot be opened, or None.
        head: The handle of a baked world's head; None for a world from code.
        provider: The world's cells; None until the head is loaded.

    Main thread.
    """

    def __init__(
        self,
        spawn_runtime: SpawnRuntime,
        world: str | CellSource,
        name: str,
        save: Path | None,
        *,
        recover: bool,
        settings: StreamingSettings,
        sources: Sources,
        clock: Callable[[], float],
    ) -> None:
        self.error: Exception | None = None
        self._spawn_runtime = spawn_runtime
        self._settings = settings
        self._sources = sources
        self._clock = clock
        self._loader = loader = spawn_runtime.loader
        self._world = world
        self._name = name
        self._save = None if save is None else _absolute(save)
        self._recover = recover
        self.head: Handle[WorldHead] | None = None
        self._file: SaveFile | None = None
        self._cells: KnownCells | None = None
        self._file_error: Exception | None = None
        self._file_done = self._stopped = False
        self._fit_asked = self._fitting = self._fit_done = False
        self._unplaced: list[SavedEntity] = []
        self._tracer: Tracer | None = None
        self.provider: CellProvider | None = None
        if isinstance(world, str):
            self.head = loader.load(world)
        else:
            self.provider = GeneratedCells(loader, world)
        loader.in_background(self._open_file)

    @property
    def has_save(self) -> bool:
        """Whether the world has a save file on the disk."""
        return self._save is not None

    def _open_file(self) -> None:
        """Opens the save file; on a loader thread."""
        try:
            if not self._stopped:
                self._file = SaveFile(
                    self._save,
                    self._name,
                    recover=self._recover,
                    wanted=lambda: not self._stopped,
                    on_pause=self._pause,
                )
        except Exception as error:
            self._file_error = error
        self._file_done = True
        if self._stopped and self._file is not None:
            self._file.close(discard=False)

    def _fit_file(
        self, file: SaveFile, provider: CellProvider, traced: Sequence[SavedEntity]
    ) -> None:
        """Assigns what was saved to the cells of the world; on a loader thread.

        Args:
            file: The save file.
            provider: The world's cells.
            traced: Entities that `Tracer` has found.
        """
        self._fitting = True
        try:
            file.fit(provider.cell_size)
            if traced:
                file.place(traced)
            # One search per opening: entities that it did not find come with the data of a cell.
            self._unplaced = file.unplaced() if self._tracer is None else []
            cells = KnownCells(provider.cells)
            for number, label in enumerate(file.visited(), 1):
                cell = cell_of(label)
                cells.add(() if cell is None else (cell,))
                if not number % _AT_A_TIME:
                    self._pause()
            self._cells = cells
        except Exception as error:
            self._file_error = error
        self._fit_done, self._fitting = True, False
        if self._stopped:
            file.close(discard=False)

    def _pause(self) -> None:
        if self._stopped:
            raise SaveError(f"the world {self._name} was closed while it was opening")
        self._loader.pause()

    def stop(self) -> None:
        """Gives the opening up."""
        self._stopped = True
        # If a loader thread is using the file, it closes the file: the game does not wait for it.
        if self._file_done and self._file is not None and not self._fitting:
            self._file.close(discard=False)
        if self._tracer is not None:
            self._tracer.stop()
        if self.head is not None:
            self.head.cancel()

    def look(self, walls: Walls, writer: Writer) -> OpenWorld | None:
        """Returns the open world once everything is read; None before, and if there is an error.

        Args:
            walls: Gets the solid sprites of the world.
            writer: Writes the save file.
        """
        head, fitted = self.head, self._fit_done
        if not self._file_done or (head is not None and not head.done):
            return None
        if head is not None and self.provider is None:
            self.error = head.error
            if self.error is None and not isinstance(head.value, WorldHead):
                self.error = StreamingError(f"{head.id} was baked to {head.kind}, not to a world")
            if self.error is None:
                self.provider = BakedCells(self._loader, head)
        self.error = self.error or self._file_error
        if self.error is not None:
            self.stop()
            return None
        assert self._file is not None
        assert self.provider is not None
        if not fitted:
            if not self._fit_asked:
                self._fit(self._file, self.provider, ())
            return None
        if self._unplaced:
            if self._tracer is None:
                self._tracer = Tracer(self.provider, self._unplaced)
            if self._tracer.look():
                self._fit(self._file, self.provider, self._tracer.found)
            return None
        try:
            return self._build(self._file, self.provider, walls, writer)
        except Exception as error:
            self.error = error
            self.stop()
            return None

    def _fit(self, file: SaveFile, provider: CellProvider, traced: Sequence[SavedEntity]) -> None:
        self._fit_asked, self._fit_done = True, False
        self._loader.in_background(partial(self._fit_file, file, provider, traced))

    def _build(
        self, file: SaveFile, provider: CellProvider, walls: Walls, writer: Writer
    ) -> OpenWorld:
        spawn_runtime, settings, cells = self._spawn_runtime, self._settings, self._cells
        sources, clock = self._sources, self._clock
        assert cells is not None
        grid = Grid(provider.cell_size)
        sources.cell_size = grid.cell_size
        journal = ChangeJournal(
            file, background=self._loader.in_background, writer=writer, clock=clock
        )
        live_cells: dict[Any, Any] = {}
        population = Population(
            spawn_runtime.factory,
            grid,
            journal,
            live_cells,
            placeholders=settings.placeholders,
            unique=isinstance(provider, BakedCells),
        )

        def budget_s() -> float | None:
            return None if settings.budget_ms is None else settings.budget_ms / 1000

        queue = self._loader.queue
        parts = WorldParts(
            settings=settings,
            provider=provider,
            grid=grid,
            cells=cells,
            sources=sources,
            planner=Planner(grid, cells, settings, sources, clock),
            memory_budget=MemoryBudget(settings.memory_limit),
            journal=journal,
            population=population,
            builder=CellBuilder(spawn_runtime.factory, population, journal),
            building=CellJobs(queue, "spawn", budget_s, clock),
            leaving=CellJobs(queue, "retire", budget_s, clock),
            walls=walls,
            clock=clock,
            live_cells=live_cells,
        )
        for what, why in file.damaged.items():
            population.differ.tell(what, why)
        for name, why in (self._tracer.lost if self._tracer else {}).items():
            population.differ.tell(name, why)
        renderer = WorldRenderer(provider.layers)
        lifecycle = CellLifecycle(parts, renderer.known)
        if provider.has_always:
            lifecycle.require(ALWAYS_LOADED)
        if file.recovered:
            _log.info(
                "%s: %d changes of a game that was not closed",
                shown(str(file.path), None),
                file.recovered,
            )
        sources.changed = True
        return OpenWorld(
            parts,
            lifecycle,
            renderer,
            CellMigration(lifecycle),
            WorldReloader(lifecycle, renderer, queue),
            Additions(spawn_runtime.factory, lifecycle),
            HealthWatch(settings),
        )


def _absolute(path: Path) -> Path:
    """Returns an absolute path, which stays right if the game changes its folder; expands ``~``."""
    with contextlib.suppress(RuntimeError):  # the user has no home folder
        path = path.expanduser()
    return path.absolute()
