"""The smallest game: a crate, described in ``assets/prefabs/props/crate.ron``."""

from pathlib import Path

import arcade

import arcade_prefabs


class Game(arcade.Window):
    def __init__(self):
        super().__init__(800, 600, "The smallest game")
        self.prefabs = arcade_prefabs.attach(self, Path(__file__).parent / "assets")
        self.prefabs.spawn("props/crate", (400, 300))

    def on_draw(self):
        self.clear()
        self.prefabs.draw()


if __name__ == "__main__":
    Game()
    arcade.run()
