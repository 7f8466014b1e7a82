"""Hot reload: run this, edit ``assets/prefabs/props/crate.ron``, save, and look.

Any program may give another folder: ``python hot_reload.py my_assets``.
"""

import sys
from pathlib import Path

import arcade

import arcade_prefabs


class Game(arcade.Window):
    def __init__(self, assets):
        super().__init__(800, 600, "Hot reload")
        self.prefabs = arcade_prefabs.attach(self, assets)
        self.message = arcade.Text(
            "Edit crate.ron, and save it", 20, 560, font_size=14, multiline=True, width=760
        )
        for x in (200, 400, 600):
            self.prefabs.spawn("props/crate", (x, 300))
        # What an entity has of its own, no edit takes away.
        self.prefabs.spawn(
            "props/crate", (400, 450), overrides={"Sprite": {"color": (255, 160, 160)}}
        )

    def on_prefab_reloaded(self, prefab_id):
        self.message.text = f"{prefab_id} is up to date"

    def on_prefab_failed(self, prefab_id, error):
        self.message.text = str(error)  # the last good version stays in the game

    def on_draw(self):
        self.clear()
        self.prefabs.draw()
        self.message.draw()


if __name__ == "__main__":
    Game(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "assets")
    arcade.run()
