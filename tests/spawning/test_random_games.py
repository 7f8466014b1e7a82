"""Random games, compared with a simple model of which entities exist."""

from __future__ import annotations

import gc
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from arcade_prefabs import ComponentRegistry, Entity, EntityState

PLAIN = 'Sprite(texture: "images/{0}.png"), Health(max: {1}), Text(text: "{0}")'
SEEDS = 500 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 12
NAMES = ["a", "b", "pair", "crowd"]


@dataclass
class Health:
    """A component for these tests."""

    max: int = 10


def prefab(image: str, health: int) -> str:
    return f"Prefab(components: [{PLAIN.format(image, health)}])"


class Game:
    """A stage with a random player, and the model: each entity, and which of its parts are gone."""

    def __init__(self, stage: Any, picture_of: Callable[..., bytes], seed: int) -> None:
        self.chance = random.Random(seed)
        self.picture_of = picture_of
        self.healths = {"a": 1, "b": 2}
        children = ", ".join(f'(name: "c{n}", prefab: "a", at: ({n}, 0))' for n in range(70))
        registry = ComponentRegistry()
        registry.component(Health)
        self.scene = stage(
            {
                "images/red.png": picture_of((255, 0, 0)),
                "images/blue.png": picture_of((0, 0, 255)),
                "prefabs/a.ron": prefab("red", 1),
                "prefabs/b.ron": prefab("blue", 2),
                "prefabs/pair.ron": 'Prefab(children: [(name: "x", prefab: "a"), '
                '(name: "y", prefab: "b", at: (40, 0))])',
                "prefabs/crowd.ron": f"Prefab(children: [{children}])",
            },
            registry=registry,
            step_s=0.00001,
            budget_ms=self.chance.choice([0.1, 2.0]),
        )
        self.prefabs = self.scene.prefabs
        self.entities: list[Entity] = []
        self.own: dict[Entity, int] = {}  # healths that are overridden
        self.hooks: Counter[str] = Counter()
        self.prefabs.entities.on_spawn(Health)(lambda *_: self.hooks.update(["born"]))
        self.prefabs.entities.on_despawn(Health)(lambda *_: self.hooks.update(["gone"]))

    def step(self) -> None:
        """Does one random thing."""
        [act] = self.chance.choices(
            [self.spawn, self.despawn, self.despawn_part, self.edit, self.repaint, self.hide],
            [8, 5, 2, 1, 1, 2],
        )
        act()
        if self.chance.random() < 0.5:
            self.scene.frame(self.chance.randrange(3), units=self.chance.choice([None, 1, 5]))

    def spawn(self) -> None:
        [name] = self.chance.choices(NAMES, [5, 5, 3, 1])
        place = (self.chance.random() * 400, self.chance.random() * 300)
        if name in self.healths and self.chance.random() < 0.3:
            own = self.chance.randrange(100, 200)
            entity = self.prefabs.spawn(name, place, overrides={"Health": {"max": own}})
            self.own[entity] = own
        else:
            entity = self.prefabs.spawn(name, place, progressive=self.chance.random() < 0.3)
        self.entities.append(entity)

    def despawn(self) -> None:
        if self.entities:
            self.entities.pop(self.chance.randrange(len(self.entities))).despawn()

    def despawn_part(self) -> None:
        alive = [one for one in self.entities if one.alive and one.children]
        if alive:
            self.chance.choice(self.chance.choice(alive).children).despawn()

    def edit(self) -> None:
        name = self.chance.choice(list(self.healths))
        self.healths[name] = self.chance.randrange(100)
        image = self.chance.choice(["red", "blue"])
        self._save(f"prefabs/{name}.ron", prefab(image, self.healths[name]))

    def repaint(self) -> None:
        color = (self.chance.randrange(256), 99, 99)
        self._save("images/red.png", self.picture_of(color))

    def _save(self, path: str, content: str | bytes) -> None:
        self.scene.source.write(path, content)
        self.prefabs.loader.reload(self.scene.pipeline.bake().changed_ids())

    def hide(self) -> None:
        if self.entities:
            self.chance.choice(self.entities).visible ^= True

    def check(self) -> None:
        """Compares the game with the model."""
        self.scene.until(lambda: not self.prefabs.busy, most=3000)
        world = self.prefabs.entities
        assert [one for one in self.entities if not one.alive] == []
        assert Counter(world) == Counter(self.entities)
        parts = [part for one in self.entities for part in one.walk()]
        with_health = [part for part in parts if Health in part]
        assert Counter(world.with_component(Health)) == Counter(with_health)
        assert self.hooks["born"] - self.hooks["gone"] == len(with_health)
        for part in with_health:
            stem = part.prefab_id.removeprefix("prefabs/").removesuffix(".ron")
            assert part[Health].max == self.own.get(part, self.healths[stem])
        sprites = [sprite for part in parts for sprite in part.own_sprites()]
        assert len(sprites) == 2 * len(with_health)  # a picture and a text
        assert Counter(self.prefabs.scene["default"]) == Counter(sprites)
        assert all(
            sprite.visible == one.visible
            for one in self.entities
            for part in one.walk()
            for sprite in part.own_sprites()
        )
        assert {world.of_sprite(one) for one in sprites} == set(with_health)

    def end(self) -> None:
        """Despawns all entities, and asserts that nothing is left."""
        for one in self.entities:
            one.despawn()
            assert one.state is EntityState.DESPAWNED
        self.entities.clear()
        self.own.clear()
        self.scene.until(lambda: not self.prefabs.busy, most=3000)
        gc.collect()
        self.scene.frame()
        self.prefabs.loader.trim(0)
        self.scene.frame(5)
        assert len(self.prefabs.scene["default"]) == 0
        assert self.prefabs.entities._by_sprite == {}
        assert self.hooks["born"] == self.hooks["gone"]
        assert self.prefabs.atlas.statistics().images == 0
        assert self.prefabs._factory._groups == {}


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_games_come_out_as_the_model_says(stage: Any, picture_of: Any, seed: int) -> None:
    """Spawns, despawns of wholes and parts, edits and repaints, with few and many units a frame."""
    game = Game(stage, picture_of, seed)
    for number in range(240):
        game.step()
        if number % 80 == 79:
            game.check()
    game.end()
