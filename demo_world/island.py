"""`Island`: the view of the game, with the streamed world, the player, and the keys."""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path
from typing import Any, Final

import arcade

import arcade_prefabs
from arcade_prefabs import FrameReport
from arcade_prefabs.frames import GarbageScheduler
from arcade_prefabs.pipeline import AssetWatcher
from arcade_prefabs.pipeline.watcher import ReloadReport

from .autopilot import Autopilot
from .building import world_name
from .creatures import Creatures
from .hud import Hud
from .landscape import LAYERS, Landscape

__all__ = ["Island", "ground_options"]

SPEED: Final = 420.0  # pixels a second, of the player
ZOOM: Final = 0.8
_ZOOMS: Final = (0.35, 2.0)
AROUND: Final = 1600.0  # pixels around the player within which cells are loaded at least
_TAKEN: Final = 46.0  # pixels from the player within which a treasure is collected
_PALETTE: Final = ("demo/town#house", "demo/nature#tree", "demo/town#lamp", "demo/treasure#coin")
_SOFTWARE: Final = ("llvmpipe", "softpipe", "swiftshader", "basic render", "gdi generic")
_WAYS: Final = {
    arcade.key.W: (0, 1), arcade.key.UP: (0, 1), arcade.key.S: (0, -1), arcade.key.DOWN: (0, -1),
    arcade.key.A: (-1, 0), arcade.key.LEFT: (-1, 0),
    arcade.key.D: (1, 0), arcade.key.RIGHT: (1, 0),
}  # fmt: skip


def ground_options(context: arcade.ArcadeContext) -> dict[str, Any]:
    """Returns options of `arcade.SpriteList.draw` for the ground, which covers most pixels.

    The ground is opaque, so it is not blended. With a software renderer, the nearest pixel of an
    image is taken: mixing four pixels would be half of the time of a pixel there.
    """
    renderer = context.info.RENDERER.lower()
    software = any(name in renderer for name in _SOFTWARE)
    return {"blend_function": (context.ONE, context.ZERO), "pixelated": software}


def _short(identifier: str) -> str:
    """Returns the short form of a prefab's id: ``demo/town#house``."""
    path, mark, label = identifier.removeprefix("prefabs/").partition("#")
    return path.removesuffix(".ron") + mark + label


class Island(arcade.View):
    """The view of the streamed world and its player.

    Args:
        assets: The assets folder.
        size: The number of cells in each direction.
        autopilot: Whether the autopilot is on from the beginning.
        speed: The speed of the autopilot, in pixels a second.

    Attributes:
        prefabs: The plugin.
        world: The streamed world; None until `open` was called.
    """

    def __init__(self, assets: Path, size: int, *, autopilot: bool, speed: float) -> None:
        super().__init__()
        self.background_color = (120, 180, 240, 255)
        self.landscape = Landscape(size)
        # The collector runs in idle time: its pauses are the longest of all.
        self.prefabs = arcade_prefabs.attach(
            self.window, assets, layers=LAYERS, hot_reload=False,
            garbage=GarbageScheduler(take_over=True),
        )  # fmt: skip
        self.prefabs.frame_graph.bind()
        self.world: arcade_prefabs.StreamingManager | None = None
        self._head: Any = None  # the handle of the world's file, which has the number of entities
        self.hud = Hud(self.window)
        self.camera = arcade.Camera2D(zoom=ZOOM)
        start = self.landscape.start()
        self.player = arcade.Sprite(
            ":resources:images/topdown_tanks/tank_blue.png", 1.1, start[0], start[1] - 90
        )
        self.actors: arcade.SpriteList[Any] = arcade.SpriteList()
        self.actors.append(self.player)
        self.pilot = Autopilot(start, self.landscape.pixels, speed)
        self.piloted = autopilot
        self.creatures = Creatures(self.prefabs, self.landscape)
        self.engine: arcade.PhysicsEngineSimple | None = None
        self.loads = 0
        self.collected = 0
        self.moving = 0
        self.most_alive = 0
        self.fewest_alive = -1
        self.gaps = 0
        self._held: set[int] = set()
        self._mouse = (0.0, 0.0)
        self._driven = False  # whether the mouse drives the player
        self._zoom = ZOOM
        self._ground = ground_options(self.window.ctx)
        self._palette: deque[str] = deque(_PALETTE)
        self._prefab_names = self._names()
        self._watcher = AssetWatcher(self.prefabs.pipeline, self._saved).start()

    # ------------------------------------------------------------------------------------ opening

    def open(self) -> None:
        """Opens the world, which must have been built."""
        name = world_name(self.landscape.size)
        self._head = self.prefabs.load(f"worlds/{name}.ron")
        self.world = self.prefabs.open_world(name)
        self.world.overlay.bind()  # F3 and F4
        self.engine = arcade.PhysicsEngineSimple(self.player)
        self.world.walls.connect(self.engine)
        self.world.update_player_position(self._place())
        self._see()

    def _seen(self) -> float:
        """Returns the pixels from the middle to a corner of the view."""
        return math.hypot(*self.window.size) / 2 / self._zoom

    def _see(self) -> None:
        """Sets the load distance to the size of the view, or more."""
        if self.world is not None:
            self.world.set_distances(max(self._seen(), AROUND))

    @property
    def ready(self) -> bool:
        """Whether the cells around the start are loaded."""
        return self.world is not None and self.world.is_open and not self.world.busy

    def begin(self) -> None:
        """Begins measuring: drops the measurements of loading, and freezes loaded objects."""
        self.prefabs.budget_ms = 2
        self.prefabs.loader.garbage.freeze()
        assert self.world is not None
        self.loads = self.world.statistics().loads
        self.fewest_alive = -1
        self.gaps = 0
        self.prefabs.monitor.reset()

    def on_show_view(self) -> None:
        """Fits the camera to the window, whose size may have changed meanwhile."""
        self.camera.match_window()
        self._see()

    def close(self) -> None:
        """Ends the watcher and the plugin with its world. May be called twice."""
        self._watcher.close()
        self.prefabs.close()

    def _names(self) -> set[str]:
        """Returns the short names of all prefabs, which the player can place."""
        return {_short(identifier) for identifier in self.prefabs.pipeline.ids("prefab")}

    def _saved(self, reload: ReloadReport) -> None:
        """Reloads saved files. Called by the watcher's thread."""
        self.prefabs.loader.apply(reload)
        names = self._names()
        new, gone = sorted(names - self._prefab_names), sorted(self._prefab_names - names)
        self._prefab_names = names
        changed = sorted({_short(identifier) for identifier in reload.ids} & names - set(new))
        self.prefabs.call(lambda: self._show_changes(reload, new, gone, changed))

    def _show_changes(
        self, reload: ReloadReport, new: list[str], gone: list[str], changed: list[str]
    ) -> None:
        for name in gone:
            if name in self._palette and len(self._palette) > 1:
                self._palette.remove(name)
        self._palette.extendleft(reversed(new))
        for names, what in ((changed, "up to date"), (gone, "gone"), (new, "new: E places it")):
            if names:
                more = f" and {len(names) - 1} more are" if len(names) > 1 else " is"
                self.hud.say(f"{names[0]}{more} {what}")
        if reload.errors:
            self.hud.say(str(reload.errors[0]))

    # -------------------------------------------------------------------------------------- frames

    def _place(self) -> tuple[float, float]:
        return self.pilot.position if self.piloted else self.player.position

    def on_update(self, delta_time: float) -> None:
        """Moves the player and the creatures, and counts entities and missing cells."""
        if self.world is None:
            return
        if self.piloted:
            self.pilot.update(delta_time)
            self.player.position = self.pilot.position
            self.player.angle = self.pilot.heading + 180
        else:
            self._drive(delta_time)
        self.world.update_player_position(self._place())
        self.gaps += self.world.state_at(self._place()) is not arcade_prefabs.CellState.ACTIVE
        self.moving = self.creatures.update(delta_time, self._place(), self._seen())
        self._collect()
        alive = len(self.prefabs.entities)
        self.most_alive = max(self.most_alive, alive)
        self.fewest_alive = alive if self.fewest_alive < 0 else min(self.fewest_alive, alive)

    def _drive(self, delta_time: float) -> None:
        across = sum(_WAYS[key][0] for key in self._held)
        up = sum(_WAYS[key][1] for key in self._held)
        if not (across or up) and self._driven:
            aim = self.camera.unproject(self._mouse)
            across, up = aim[0] - self.player.center_x, aim[1] - self.player.center_y
            if math.hypot(across, up) < 30:
                across = up = 0
        length = math.hypot(across, up)
        way = SPEED * delta_time / length if length else 0.0
        self.player.change_x, self.player.change_y = across * way, up * way
        if length:
            self.player.angle = math.degrees(math.atan2(across, up)) + 180
        if self.engine is not None:
            self.engine.update()

    def _collect(self) -> None:
        x, y = self.player.position
        for entity in self.prefabs.entities.with_tag("treasure"):
            at = entity.position
            if abs(at[0] - x) < _TAKEN and abs(at[1] - y) < _TAKEN:
                entity.despawn()
                self.collected += 1

    def on_draw(self) -> None:
        """Draws the world, the player between its layers, and the texts."""
        self.clear()
        if self.world is None:
            return
        self.camera.zoom = self._zoom
        self.camera.position = self._place()
        # The crowns of trees are above the player, all other layers below.
        with self.camera.activate():
            layers = self.world.layers  # new prefabs may have added layers
            if "ground" in layers:
                self.world.draw("ground", **self._ground)
            between = [layer for layer in layers if layer not in ("ground", "crowns")]
            if between:
                self.world.draw(*between)
            self.actors.draw()
            if "crowns" in layers:
                self.world.draw("crowns")
            self.world.overlay.draw()
        if self.hud.due:
            self.hud.tell(self._facts())
        self.hud.draw()
        self.prefabs.frame_graph.draw()

    def _facts(self) -> str:
        assert self.world is not None
        now, frames = self.world.statistics(), self.prefabs.monitor.frames(60)
        fps = len(frames) / sum(one.interval for one in frames) if frames else 0.0
        return (
            f"{fps:.0f} FPS   {now.entities:,} of {self.total:,} entities here, {self.moving} move"
            f"   {now.bytes / 2**20:.0f} MiB   {self.collected} collected   "
            f"{self._palette[0]}   F1 help"
        )

    @property
    def total(self) -> int:
        """The number of entities of the whole world; 0 until its file is loaded."""
        value = None if self._head is None else self._head.value
        return 0 if value is None else int(value.entities)

    # ---------------------------------------------------------------------------------------- keys

    def on_key_press(self, key: int, modifiers: int) -> None:  # noqa: ARG002 - Arcade's
        """Handles the keys of `HELP`."""
        if key in _WAYS:
            self._held.add(key)
            self.piloted = False
        elif key == arcade.key.P:
            self.piloted = not self.piloted
        elif key == arcade.key.F1:
            self.hud.help_visible = not self.hud.help_visible
        elif key in (arcade.key.EQUAL, arcade.key.NUM_ADD, arcade.key.PLUS):
            self._zoom_by(1.15)
        elif key in (arcade.key.MINUS, arcade.key.NUM_SUBTRACT):
            self._zoom_by(1 / 1.15)
        elif key == arcade.key.Q:
            self._palette.rotate(-1)
            self.hud.say(f"E places {self._palette[0]}")
        elif key == arcade.key.E:
            self._put()
        elif key == arcade.key.F12:
            try:
                self.hud.say(f"written: {self.write(Path.cwd())}")
            except OSError as error:
                self.hud.say(f"not written: {error}")
        elif key == arcade.key.F4 and self.world is not None:
            # The overlay's own handler of the key may come before or after this one.
            self.prefabs.call(self._say_frozen)
        elif key == arcade.key.ESCAPE:
            self.window.close()

    def _say_frozen(self) -> None:
        if self.world is not None:
            self.hud.say("streaming is frozen" if self.world.frozen else "streaming goes on")

    def _put(self) -> None:
        if self.world is not None and self.world.is_open:
            at = self.camera.unproject(self._mouse)
            try:
                self.world.add(self._palette[0], (at[0], at[1]))
                self.hud.say(f"{self._palette[0]} is placed")
            except arcade_prefabs.ArcadePrefabsError as error:
                self.hud.say(str(error))

    def on_prefab_failed(self, prefab_id: str, error: Exception) -> None:
        """Shows the error of a prefab that cannot be loaded."""
        self.hud.say(f"{prefab_id}: {error}")

    def _zoom_by(self, factor: float) -> None:
        self._zoom = min(max(self._zoom * factor, _ZOOMS[0]), _ZOOMS[1])
        self._see()

    def on_resize(self, width: int, height: int) -> None:
        """Fits the camera, and shows more or less of the world at the same scale."""
        super().on_resize(width, height)
        self.camera.match_window()
        self._see()

    def on_key_release(self, key: int, modifiers: int) -> None:  # noqa: ARG002 - Arcade's
        """Stops driving in the direction of a key."""
        self._held.discard(key)

    def on_mouse_motion(self, x: int, y: int, dx: int, dy: int) -> None:  # noqa: ARG002
        """Keeps the position of the mouse."""
        self._mouse = (x, y)

    def on_mouse_drag(self, x: int, y: int, *_: object) -> None:
        """Keeps the position of the mouse while a button is held."""
        self._mouse = (x, y)

    def on_mouse_press(self, x: int, y: int, button: int, modifiers: int) -> None:  # noqa: ARG002
        """Drives to the mouse as long as the button is held."""
        self._mouse, self._driven = (x, y), True
        self.piloted = False

    def on_mouse_release(self, *_: object) -> None:
        """Stops driving to the mouse."""
        self._driven = False

    def on_mouse_scroll(self, x: int, y: int, scroll_x: float, scroll_y: float) -> None:  # noqa: ARG002
        """Zooms in and out."""
        self._zoom_by(1.1**scroll_y)

    # -------------------------------------------------------------------------------------- report

    def write(self, folder: Path, report: FrameReport | None = None) -> str:
        """Writes a screenshot and a report, by default a new one. Returns the file names."""
        folder.mkdir(parents=True, exist_ok=True)
        self.on_draw()
        arcade.get_image().convert("RGB").save(folder / "demo_world.png")
        report = report or self.prefabs.frame_report()
        for name in ("demo_world.txt", "demo_world.json", "demo_world.trace.json"):
            report.write(folder / name)
        return f"demo_world.png, .txt, .json and .trace.json in {folder}"
