"""A loading screen with a bar: everything is loaded before the game begins."""

from pathlib import Path

import arcade

import arcade_prefabs


class Loading(arcade.View):
    def on_show_view(self):
        self.prefabs = self.window.prefabs
        self.prefabs.budget_ms = 12  # nothing else needs the time of these frames
        self.batch = self.prefabs.load_folder("props")
        self.message = arcade.Text("Loading", self.width * 0.2, self.height / 2 + 36)

    def on_prefab_failed(self, prefab_id, error):
        self.message.text = f"{prefab_id}: {error}"

    def on_update(self, delta_time):
        if self.batch.done:
            self.prefabs.budget_ms = 2
            self.window.show_view(Game(self.batch))

    def on_draw(self):
        self.clear()
        width = self.width * 0.6
        left, bottom = (self.width - width) / 2, self.height / 2
        arcade.draw_lbwh_rectangle_outline(left, bottom, width, 24, arcade.color.WHITE)
        done = width * self.batch.progress
        arcade.draw_lbwh_rectangle_filled(left, bottom, done, 24, arcade.color.APPLE_GREEN)
        self.message.draw()


class Game(arcade.View):
    def __init__(self, batch):
        super().__init__()
        self.prefabs = self.window.prefabs
        self.batch = batch  # as long as this lives, all of it stays in memory

    def on_show_view(self):
        for number in range(12):
            self.prefabs.spawn("props/crate", (64 + 64 * number, 200))  # nothing to wait for

    def on_draw(self):
        self.clear()
        self.prefabs.draw()


if __name__ == "__main__":
    window = arcade.Window(800, 600, "A loading screen")
    window.prefabs = arcade_prefabs.attach(window, Path(__file__).parent / "assets")
    window.show_view(Loading())
    arcade.run()
