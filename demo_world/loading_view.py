"""`LoadingView`: the progress screen while the world is built, opened and loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import arcade

from .building import WorldBuild, world_name
from .island import Island

__all__ = ["LoadingView"]

_SHARE: Final = 0.9  # the part of the progress bar for building


class LoadingView(arcade.View):
    """Builds and opens the world, shows the progress, and then calls a function.

    Args:
        island: The game, whose world is not open yet.
        then: Called once the world is loaded around the player.

    Attributes:
        failed: Whether the world could not be built or opened.
    """

    def __init__(self, island: Island, then: Callable[[], object]) -> None:
        super().__init__()
        self.background_color = (30, 44, 60, 255)
        self.failed = False
        self._island = island
        self._then = then
        self._build: WorldBuild | None = None
        self._text = arcade.Text("", 0, 0, font_size=14)
        self._last: list[str] = []

    def on_show_view(self) -> None:
        """Begins to build the world, or opens it if it was built before."""
        island = self._island
        island.prefabs.budget_ms = 12  # the game itself needs no time in these frames
        pipeline = island.prefabs.pipeline
        name = world_name(island.landscape.size)
        if f"worlds/{name}.ron" in pipeline.ids("world"):
            island.open()
        else:
            folder = pipeline.source.shown("")
            self._build = WorldBuild(folder, island.landscape.size)

    def on_update(self, delta_time: float) -> None:  # noqa: ARG002 - Arcade's
        """Opens the world once it is built, and calls the function once it is loaded."""
        island, build = self._island, self._build
        if build is not None and build.done:
            self._build = None
            if build.error is not None:
                self._give_up(f"the world cannot be built:\n{build.error}")
                return
            island.open()
        elif build is None and island.world is not None:
            if island.world.error is not None:
                self._give_up(f"the world cannot be opened: {island.world.error}")
            elif island.ready:
                self._then()

    def _give_up(self, reason: str) -> None:
        print(reason, file=sys.stderr)
        self.failed = True
        self.window.close()

    def on_key_press(self, key: int, modifiers: int) -> None:  # noqa: ARG002 - Arcade's
        """Closes the window with Esc, as in the game."""
        if key == arcade.key.ESCAPE:
            self.window.close()

    def on_hide_view(self) -> None:
        """Ends the process that builds the world."""
        if self._build is not None:
            self._build.stop()

    def on_draw(self) -> None:
        """Draws the progress bar and its title."""
        self.clear()
        build = self._build
        done = _SHARE if build is None else build.progress * _SHARE
        if build is None and self._island.world is not None:
            done += (1 - _SHARE) * self._island.world.readiness
        wide, high = self.width * 0.6, 24
        left, bottom = (self.width - wide) / 2, self.height / 2
        arcade.draw_lbwh_rectangle_outline(left, bottom, wide, high, arcade.color.WHITE)
        arcade.draw_lbwh_rectangle_filled(left, bottom, wide * done, high, arcade.color.APPLE_GREEN)
        title = "Building the island, once" if build is not None else "Opening the island"
        if title != self._text.text:
            self._text.text = title
            print(title, flush=True)
        self._text.position = (left, bottom + 40)
        self._text.draw()
