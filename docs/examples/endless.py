"""A world without an end, made by code: arrow keys to fly, F3 shows what it does, F4 freezes it."""

import random
from pathlib import Path

import arcade

import arcade_prefabs
from arcade_prefabs import WorldEntity

SPEED = 900


class Meadow:
    """The same cell has the same entities whenever it is asked for. Loader threads call this."""

    cell_size = 512
    layers = ("ground", "items")

    def entities(self, cell):
        chance = random.Random(f"{cell.column} {cell.row}")
        for _ in range(12):
            x = (cell.column + chance.random()) * self.cell_size
            y = (cell.row + chance.random()) * self.cell_size
            prefab = chance.choice(["props/crate", "props/grass", "props/ledge"])
            yield WorldEntity("", prefab, x, y, angle=chance.choice([0, 0, 0, 15, 90]))


class Game(arcade.Window):
    def __init__(self):
        super().__init__(1280, 720, "A world without an end")
        self.background_color = (30, 44, 40)
        self.prefabs = arcade_prefabs.attach(self, Path(__file__).parent / "assets")
        self.world = self.prefabs.open_world(Meadow(), load_distance=800)
        self.world.overlay.bind()  # F3 and F4
        self.camera = arcade.Camera2D()
        self.zoomed = arcade.Camera2D(zoom=0.35)
        self.x = self.y = 0.0
        self.held = set()

    def on_key_press(self, key, modifiers):
        self.held.add(key)

    def on_key_release(self, key, modifiers):
        self.held.discard(key)

    def on_update(self, delta_time):
        way = SPEED * delta_time
        self.x += way * ((arcade.key.RIGHT in self.held) - (arcade.key.LEFT in self.held))
        self.y += way * ((arcade.key.UP in self.held) - (arcade.key.DOWN in self.held))
        self.world.update_player_position((self.x, self.y))

    def on_draw(self):
        self.clear()
        # With the overlay one sees more: where cells come, and where they go.
        camera = self.zoomed if self.world.overlay.visible else self.camera
        camera.position = (self.x, self.y)
        with camera.activate():
            self.world.draw()


if __name__ == "__main__":
    Game()
    arcade.run()
