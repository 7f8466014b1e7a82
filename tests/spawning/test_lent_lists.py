"""`DroppedListWatch` warns once of a list that the game dropped or cleared with entities in it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import arcade
import pytest

from arcade_prefabs.window.arcade_private import await_draw, cleared_mark, was_drawn

SECONDS = 20.0
WALL = """Prefab(components: [
    Sprite(texture: "images/red.png"), Collider(shape: Box(32, 32), solid: true),
])"""


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    """Turns the garbage collector off: no warning may depend on it."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def scene(stage: Any, picture_of: Callable[..., bytes]) -> Any:
    files = {f"prefabs/wall_{n}.ron": WALL for n in range(5)}
    files["prefabs/crate.ron"] = 'Prefab(components: [Sprite(texture: "images/red.png")])'
    made = stage({**files, "images/red.png": picture_of((255, 0, 0))})
    for name in ("crate", *(f"wall_{n}" for n in range(5))):
        made.spawn(name).despawn()  # loaded from now on, so that the rest is there at once
    made.frame(3)
    return made


def wait(scene: Any, seconds: float = SECONDS, each: Callable[[], object] = lambda: None) -> None:
    """Lets time pass, with a frame in each second."""
    for _ in range(int(seconds)):
        scene.frame()
        each()
        scene.clock.advance(1.0)


def fill(scene: Any, target: Any, prefab: str = "wall_0", count: int = 3) -> None:
    """Spawns into a list of the game, and keeps no reference."""
    for n in range(count):
        assert scene.prefabs.spawn(prefab, (n * 40, 0), scene=target).alive


def told(caplog: Any) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == "arcade_prefabs"]


# ---------------------------------------------------------------------------------------- dropped


def test_a_dropped_list_is_told_of_once_with_what_lives_in_it(scene: Any, caplog: Any) -> None:
    """The message names the prefabs, how many entities there are, and what to do."""
    level = arcade.SpriteList()
    for n in range(5):
        fill(scene, level, f"wall_{n}", 2)
    level.append(arcade.SpriteSolidColor(5, 5))  # one of the game's own
    wait(scene)
    assert told(caplog) == []
    del level
    wait(scene)
    (message,) = told(caplog)
    assert message.startswith("the game dropped a SpriteList while 10 entities (")
    assert "(prefabs/wall_0.ron, prefabs/wall_1.ron, " in message
    assert "and 2 more prefabs" in message
    assert "`despawn` them, or keep the SpriteList" in message
    assert len(scene.prefabs.walls) == 10


@pytest.mark.parametrize("kind", [arcade.Scene, dict])
def test_a_dropped_scene_is_told_of(scene: Any, caplog: Any, kind: type) -> None:
    """Its lists go with it, whichever way it holds them."""
    level = kind()
    if kind is dict:
        level["default"] = arcade.SpriteList()
    fill(scene, level)
    wait(scene)
    assert told(caplog) == []
    del level
    wait(scene)
    (message,) = told(caplog)
    assert "dropped a scene while 3 entities" in message


def test_of_many_dropped_lists_the_first_twenty_are_told_of(scene: Any, caplog: Any) -> None:
    """A game that does so all the time, on purpose perhaps, has its log for other things, too."""
    kept = [arcade.SpriteList(lazy=True) for _ in range(5)]
    for one in kept:
        fill(scene, one, "crate", 1)
    for _ in range(15):
        fill(scene, arcade.SpriteList(lazy=True), "crate", 1)
    wait(scene)
    assert len(told(caplog)) == 15
    for _ in range(40):
        fill(scene, arcade.SpriteList(lazy=True), "crate", 1)
    wait(scene, 40)
    assert len(told(caplog)) == 20


def hold_in_attribute(level: Any) -> Any:
    return SimpleNamespace(level=level)


def hold_in_list(level: Any) -> Any:
    return [level]


def hold_in_scene(level: Any) -> Any:
    made = arcade.Scene()
    made.add_sprite_list("level", sprite_list=level)
    return made


def hold_in_closure(level: Any) -> Any:
    return lambda: level


def hold_in_method(level: Any) -> Any:
    return level.draw


def hold_in_generator(level: Any) -> Any:
    def script() -> Iterator[None]:
        yield
        level.draw()

    made = script()
    next(made)
    return made


def hold_in_engine(level: Any) -> Any:
    return arcade.PhysicsEngineSimple(arcade.SpriteSolidColor(5, 5), level)


HOLDERS = (
    hold_in_attribute,
    hold_in_list,
    hold_in_scene,
    hold_in_closure,
    hold_in_method,
    hold_in_generator,
    hold_in_engine,
)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_list_that_is_kept_is_not_told_of(scene: Any, caplog: Any, lazy: bool) -> None:
    """Whoever holds it: until that goes, too."""
    kept = []
    for hold in HOLDERS:
        level = arcade.SpriteList(lazy=lazy)
        fill(scene, level)
        kept.append(hold(level))
    del level
    wait(scene, 30)
    assert told(caplog) == []
    while kept:
        holder = kept.pop().__class__
        caplog.clear()
        wait(scene, 10)
        assert len(told(caplog)) == 1, holder


@pytest.mark.parametrize("keep", ["scene", "list"])
def test_a_scene_of_which_something_is_kept_is_not_told_of(
    scene: Any, caplog: Any, keep: str
) -> None:
    """The scene itself, or one of its lists."""
    level = arcade.Scene()
    fill(scene, level)
    kept = level if keep == "scene" else level["default"]
    del level
    wait(scene)
    assert told(caplog) == []
    assert kept is not None


def test_a_list_that_is_drawn_is_not_told_of(scene: Any, caplog: Any) -> None:
    """The game may find it through its sprites, or by a weak reference."""
    level = arcade.SpriteList()
    fill(scene, level)
    weak = weakref.ref(level)
    del level
    wait(scene, each=lambda: weak().draw())  # type: ignore[union-attr]
    assert told(caplog) == []


def test_a_list_in_a_cycle_is_told_of_once_that_is_collected(scene: Any, caplog: Any) -> None:
    """A view that was left holds its lists until the garbage collector comes."""
    view = SimpleNamespace(level=arcade.SpriteList())
    view.itself = view
    fill(scene, view.level)
    del view
    wait(scene)
    assert told(caplog) == []
    gc.collect()
    wait(scene)
    assert len(told(caplog)) == 1


@pytest.mark.parametrize("how", ["despawned", "moved", "hidden", "unseen"])
def test_a_dropped_list_in_which_nothing_is_to_be_seen_is_not_told_of(
    scene: Any, caplog: Any, how: str
) -> None:
    """Its entities are gone, are in another list by now, or are not to be seen on purpose."""
    level, other = arcade.SpriteList(), arcade.SpriteList()
    fill(scene, level)
    for entity in list(scene.prefabs.entities):
        if how == "despawned":
            entity.despawn()
        elif how == "moved":
            level.remove(entity.sprite)
            other.append(entity.sprite)
        elif how == "hidden":
            entity.visible = False
        else:
            entity.sprite.visible = False
    del level, entity
    wait(scene)
    assert told(caplog) == []


def test_a_list_is_not_kept_for_the_sake_of_looking_at_it(scene: Any) -> None:
    """Once nothing lives in it, it goes with the game's last reference."""
    level = arcade.SpriteList()
    fill(scene, level)
    weak = weakref.ref(level)
    wait(scene, 5)
    for entity in list(scene.prefabs.entities):
        entity.despawn()
    del level, entity
    gc.collect()  # an entity and what is known of it hold each other
    assert weak() is None


# ---------------------------------------------------------------------------------------- cleared


def test_walls_that_a_cleared_list_leaves_are_told_of_once(scene: Any, caplog: Any) -> None:
    """Also when the next level is in the same list by then."""
    level = arcade.SpriteList()
    fill(scene, level)
    wait(scene, 5)
    level.clear()
    fill(scene, level, "wall_1", 1)
    wait(scene)
    (message,) = told(caplog)
    assert message.startswith("the game cleared a SpriteList while 3 entities (")
    assert "wall_0" in message
    assert "wall_1" not in message
    assert len(scene.prefabs.walls) == 4


def test_walls_of_a_list_that_is_cleared_soon_are_told_of(scene: Any, caplog: Any) -> None:
    """The list need not have been looked at before."""
    level = arcade.SpriteList()
    fill(scene, level)
    level.clear()
    wait(scene)
    assert len(told(caplog)) == 1


def test_what_is_put_back_into_a_cleared_list_is_not_told_of(scene: Any, caplog: Any) -> None:
    """A game may sort its sprites that way, and another one shows only those that are near."""
    level = arcade.SpriteList()
    fill(scene, level)
    near = level[0]
    for _ in range(3):
        wait(scene, 5)
        level.clear()
        level.append(near)
    wait(scene)
    assert told(caplog) == []


def test_a_list_that_is_cleared_again_and_again_is_not_told_of(scene: Any, caplog: Any) -> None:
    """Which game draws what is where the player is: nothing, at times."""
    level = arcade.SpriteList()
    fill(scene, level)
    wait(scene, 40, each=level.clear)
    assert told(caplog) == []


@pytest.mark.parametrize("how", ["despawned", "moved", "hidden", "killed", "kept", "no walls"])
def test_what_is_out_of_a_cleared_list_on_purpose_is_not_told_of(
    scene: Any, caplog: Any, how: str
) -> None:
    """It is gone, elsewhere, not to be seen, stops nobody, or the game has its sprite."""
    level, other = arcade.SpriteList(), arcade.SpriteList()
    fill(scene, level, "crate" if how == "no walls" else "wall_0")
    sprites = list(level)
    wait(scene, 5)
    level.clear()
    for entity in list(scene.prefabs.entities):
        if how == "despawned":
            entity.despawn()
        elif how == "moved":
            other.append(entity.sprite)
        elif how == "hidden":
            entity.visible = False
        elif how == "killed":
            entity.sprite.kill()
    if how != "kept":
        sprites.clear()
    wait(scene)
    assert told(caplog) == []


# ----------------------------------------------------------------------------------------- Arcade


def test_arcade_has_what_tells_a_cleared_list_and_a_drawn_one(window: Any) -> None:
    """Where a version has not, nothing is told."""
    level = arcade.SpriteList()
    level.append(arcade.SpriteSolidColor(5, 5))
    mark = cleared_mark(level)
    level.append(arcade.SpriteSolidColor(5, 5))
    level.pop()
    assert cleared_mark(level) is mark
    level.clear()
    assert cleared_mark(level) is not mark
    level.append(arcade.SpriteSolidColor(5, 5))
    await_draw(level)
    assert not was_drawn(level)
    level.draw()
    assert was_drawn(level)
