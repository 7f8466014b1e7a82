"""The progress screen: the world is built, opened, and loaded around the player."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import arcade

from .building import WorldBuild, world_name
from .island import Island

__all__ = ["LoadingView"]

_SHARE: Final = 0.9  # of the bar, that building takes


class LoadingView(arcade.View):
    """Shows how far it is, and then calls a function.

    Args:
        island: The game, whose world is not open yet.
        then: What to do once it is ready.

    Attributes:
        failed: Whether the world could not be built, or not be opened.
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
        """Build the world, if that was not done before."""
        island = self._island
        island.prefabs.budget_ms = 12  # nothing else needs the time of these frames
        pipeline = island.prefabs.pipeline
        name = world_name(island.landscape.size)
        if f"worlds/{name}.ron" in pipeline.ids("world"):
            island.open()
        else:
            folder = pipeline.source.shown("")
            self._build = WorldBuild(folder, island.landscape.size)

    def on_update(self, delta_time: float) -> None:  # noqa: ARG002 - Arcade's
        """Go on as soon as something is done."""
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

    def _give_up(self, why: str) -> None:
        print(why, file=sys.stderr)
        self.failed = True
        self.window.close()

    def on_key_press(self, key: int, modifiers: int) -> None:  # noqa: ARG002 - Arcade's
        """Leave with Esc, as from the game."""
        if key == arcade.key.ESCAPE:
            self.window.close()

    def on_hide_view(self) -> None:
        """Leave no process behind."""
        if self._build is not None:
            self._build.stop()

    def on_draw(self) -> None:
        """A bar."""
        self.clear()
        build = self._build
        done = _SHARE if build is None else build.progress * _SHARE
        if build is None and self._island.world is not None:
            done += (1 - _SHARE) * self._island.world.readiness
        wide, high = self.width * 0.6, 24
        left, bottom = (self.width - wide) / 2, self.height / 2
        arcade.draw_lbwh_rectangle_outline(left, bottom, wide, high, arcade.color.WHITE)
        arcade.draw_lbwh_rectangle_filled(left, bottom, wide * done, high, arcade.color.APPLE_GREEN)
        what = "Building the island, once" if build is not None else "Opening the island"
        if what != self._text.text:
            self._text.text = what
            print(what, flush=True)
        self._text.position = (left, bottom + 40)
        self._text.draw()
