"""`WorldRuntime`: opens a world, and does its share of each frame.

**The problem.** A world is opened over many frames and used at once: the game draws it, moves
players and asks for areas before its head and its save are read. From then on planning, loads,
building, migration, hot reload, saving and preload requests all need a moment of every frame, in an
order in which each sees what the others did, and the game's listeners may close the world in the
middle.

**The way taken.** One object has the life of a world: `tick` once a frame, `end` at its end. Until
the world is open, `open` is None and `tick` polls the `WorldOpener`. Afterwards a frame is: the
change journal, the plan (only when one is due), transitions and loads, health, migration, hot
reload, preload requests, and listeners last, when all state is consistent again. Building itself
runs in the main-thread queue. `StreamingManager` is the game's side: it checks arguments and passes
them on to this object.

**The ways rejected.** *Everything in `StreamingManager`*: its public methods drown in states that
games never see. *Tasks that run by themselves, each with its own timer*: their order would differ
from frame to frame, and with it what tests see. *Listeners called where events happen*: a listener
that closes the world would pull it from under a loop over its cells.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from ..errors import SaveError, StreamingError, shown, shown_error
from ..frames.awaitables import Completion
from ..spawning.spawn_runtime import SpawnRuntime
from ..spawning.walls import Walls
from .cells.cell_providers import BakedCells
from .cells.live_cell import CellEvent
from .opening import OpenWorld, WorldOpener
from .planning.health import StreamingHealth
from .planning.preload_request import PreloadRequests
from .planning.streaming_sources import Sources
from .population.wake_hooks import WakeHooks
from .saves.change_journal import SaveRequest, ThreadWriter, Writer
from .settings import StreamingSettings

__all__ = ["Opened", "WorldRuntime"]

_World = TypeVar("_World")
_log = logging.getLogger("arcade_prefabs")


class WorldRuntime:
    """Opens a world, and then runs its planning, loads and events, frame by frame.

    Args:
        name: The world's id.
        spawn_runtime: Loader, entity factory and indexes of the plugin.
        opener: Opens the world.
        sources: The streaming sources.
        settings: The world's settings.
        clock: Returns seconds.

    Attributes:
        name: The world's id.
        open: The open world; None before.
        closed: Whether `end` was called.
        frozen: Whether loading and unloading are suspended.
        writer: Writes the save file; until the world is open, a test may set another one.
        walls: The solid sprites of all active cells.
        preload_requests: The preload requests and leases.
        wake: The game's `on_wake` hooks.
        listeners: Called with every `CellEvent`.
        health_listeners: Called with the health after each change of it.
        settlement: Ends once the world is open, cannot be opened, or was closed.

    Main thread.
    """

    def __init__(
        self,
        name: str,
        spawn_runtime: SpawnRuntime,
        opener: WorldOpener,
        sources: Sources,
        settings: StreamingSettings,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.open: OpenWorld | None = None
        self.closed = self.frozen = False
        self.writer: Writer = ThreadWriter()
        self.walls = Walls()
        self.preload_requests = PreloadRequests(settings, clock)
        self.wake = WakeHooks(spawn_runtime.entities)
        self.listeners: list[Callable[[CellEvent], object]] = []
        self.health_listeners: list[Callable[[StreamingHealth], object]] = []
        self.settlement = Completion()
        self._busy = self._told_shrunk = False
        self._spawn_runtime = spawn_runtime
        self._opener = opener
        self._sources = sources
        self._clock = clock

    @property
    def error(self) -> Exception | None:
        """Why the world cannot be opened, or None."""
        return self._opener.error

    @property
    def settled(self) -> bool:
        """Whether the world is open, cannot be opened, or was closed."""
        return self.open is not None or self.error is not None or self.closed

    def tick(self, delta_time: float) -> None:
        """Does the world's work at the beginning of a frame; called by the plugin.

        Args:
            delta_time: Seconds since the last frame.
        """
        if self.closed or self.error is not None:
            return
        began = self._clock()
        if self.open is None:
            self._try_to_open()
        if self.open is not None:
            self._work(self.open, delta_time, began)
        self._spawn_runtime.factory.spent_s += self._clock() - began

    def _try_to_open(self) -> None:
        self.open = self._opener.look(self.walls, self.writer)
        if self.open is not None:
            self.open.parts.population.woken = self.wake.woken
            self._spawn_runtime.loader.add_listener(self.open.reloader.heard)
            if isinstance(self.open.parts.provider, BakedCells):
                self.open.parts.provider.watch(self._head_changed)
        elif self.error is not None:
            why = shown_error(self.error)
            _log.error("the world %s cannot be opened: %s", shown(self.name), why)
            self.preload_requests.close()
        if self.settled:
            self.settlement.finish()

    def _head_changed(self) -> None:
        world = self.open
        if world is None or self.closed:
            return
        provider = world.parts.provider
        if isinstance(provider, BakedCells) and not world.reloader.head_changed(provider):
            _log.warning("%s has cells of another size now: open it again", shown(self.name))

    def _work(self, world: OpenWorld, delta_time: float, now: float) -> None:
        parts, lifecycle = world.parts, world.lifecycle
        parts.journal.time += delta_time
        parts.journal.tick()
        if not self.frozen:
            if self.preload_requests.changed or parts.planner.is_time(now):
                self._plan(world, now)
            if lifecycle.busy:
                self._busy = True
                parts.building.begin_frame()
                parts.leaving.begin_frame()
                lifecycle.advance()
                self._judge(world)
            elif self._busy:  # the last cell has become active since the frame before
                self._busy = False
                self._judge(world)
            world.migration.look()
            world.reloader.look(now)
        if len(self.preload_requests):
            self.preload_requests.look(parts.live_cells)
        if lifecycle.events:
            self._tell(world)

    def _plan(self, world: OpenWorld, now: float) -> None:
        parts, lifecycle = world.parts, world.lifecycle
        self.preload_requests.locate(parts.grid, parts.cells)
        wanted = parts.planner.want(now, self.preload_requests.leases(now))
        if self.preload_requests.next_end is not None:
            parts.planner.remind(self.preload_requests.next_end)
        before = parts.memory_budget.dropped
        wanted = parts.memory_budget.fitting(wanted)
        if parts.planner.shrunk and not self._told_shrunk:
            self._told_shrunk = True
            _log.warning(
                "%s: its cells of %g pixels are too small for a load distance of %.0f: what is "
                "farther than %g is left out. Make them larger, or zoom out less",
                shown(self.name),
                parts.grid.cell_size,
                max(source.load_distance for source in self._sources),
                parts.planner.farthest,
            )
        if parts.memory_budget.dropped and not before:
            _log.warning(
                "%s: no memory for %d cells that are near enough: the world is there as far as "
                "memory_limit goes, which is %.0f MiB",
                shown(self.name),
                parts.memory_budget.dropped,
                parts.memory_budget.limit / 2**20,
            )
        lifecycle.apply(wanted, now)
        self._busy = True

    def _judge(self, world: OpenWorld) -> None:
        world.parts.planner.measure(world.lifecycle.wanted, world.parts.live_cells)
        if world.health.judge(self._sources):
            for listener in tuple(self.health_listeners):
                listener(world.health.state)

    def _tell(self, world: OpenWorld) -> None:
        lifecycle = world.lifecycle
        events, lifecycle.events = lifecycle.events, []
        for event in events:
            for listener in tuple(self.listeners):
                listener(event)

    def end(self, request: SaveRequest | None, timeout_s: float) -> None:
        """Closes the world.

        Args:
            request: The save that was begun before, or None.
            timeout_s: Seconds to wait for the disk.
        """
        self.closed = True
        self.preload_requests.close()
        world = self.open
        if world is None:
            self._opener.stop()
            self.settlement.finish()
            return
        parts = world.parts
        self._spawn_runtime.loader.remove_listener(world.reloader.heard)
        world.lifecycle.close()
        try:
            parts.journal.close(timeout_s, save=request is not None)
        except SaveError as error:
            _log.error("%s: %s", shown(self.name), error)
        if request is not None and request.error is not None:
            _log.error("%s was closed, and not saved: %s", shown(self.name), request.error)


class Opened(Generic[_World]):
    """Awaitable that waits until a world is open, and returns the world. Main thread."""

    def __init__(self, runtime: WorldRuntime, world: _World) -> None:
        self._runtime = runtime
        self._world = world

    def __await__(self) -> Generator[Any, Any, _World]:
        runtime = self._runtime
        yield from runtime.settlement.wait()
        if runtime.error is not None:
            raise runtime.error
        if runtime.closed:
            raise StreamingError(f"the world {shown(runtime.name)} was closed")
        return self._world
