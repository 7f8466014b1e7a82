"""A platformer: arrow keys to run, the space bar to jump, coins to collect."""

from dataclasses import dataclass
from pathlib import Path

import arcade

import arcade_prefabs

TILE = 64
SPEED = 5
JUMP = 15


@arcade_prefabs.component
@dataclass
class Coin:
    """A component of this game: prefabs may say `Coin(value: 5)`."""

    value: int = 1


class Game(arcade.Window):
    def __init__(self):
        super().__init__(1280, 720, "A platformer")
        self.background_color = arcade.color.SKY_BLUE
        self.prefabs = arcade_prefabs.attach(
            self,
            Path(__file__).parent / "assets",
            layers=["back", "ground", "items", "actors"],
        )
        self.score = 0
        self.engine = None
        self.prefabs.start(self.begin())

    async def begin(self):
        """Spawn everything, and begin when it is there; frames go on meanwhile."""
        for number in range(20):
            self.prefabs.spawn("props/grass", (TILE * number + 32, 32))
        self.level = await self.prefabs.spawn("platformer/level")
        self.hero = await self.prefabs.spawn("platformer/hero", (100, 150))
        self.engine = arcade.PhysicsEnginePlatformer(
            self.hero.sprite, walls=self.prefabs.walls, gravity_constant=0.8
        )

    def on_key_press(self, key, modifiers):
        if self.engine is None:
            return
        if key == arcade.key.SPACE and self.engine.can_jump():
            self.hero.sprite.change_y = JUMP
        elif key == arcade.key.LEFT:
            self.hero.sprite.change_x = -SPEED
        elif key == arcade.key.RIGHT:
            self.hero.sprite.change_x = SPEED

    def on_key_release(self, key, modifiers):
        if self.engine is not None and key in (arcade.key.LEFT, arcade.key.RIGHT):
            self.hero.sprite.change_x = 0

    def on_update(self, delta_time):
        if self.engine is None:  # not all of it is there yet
            return
        self.engine.update()
        items = self.prefabs.scene["items"]
        for sprite in arcade.check_for_collision_with_list(self.hero.sprite, items):
            coin = self.prefabs.entities.of_sprite(sprite)
            self.score += coin[Coin].value
            coin.despawn()
            left = len(self.prefabs.entities.with_component(Coin))
            self.level.child("sign").text = f"{left} to go" if left else "All of them!"

    def on_draw(self):
        self.clear()
        self.prefabs.draw()


if __name__ == "__main__":
    Game()
    arcade.run()
