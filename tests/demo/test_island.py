"""The game itself, in a window without a screen: keys, mouse, walls, new files."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import arcade
import pyglet
import pytest
from PIL import Image

from demo_world.building import WorldBuild, world_name
from demo_world.island import Island
from demo_world.landscape import TILE
from demo_world.loading_view import LoadingView

SIZE = 16


class Player:
    """Somebody at the keys."""

    def __init__(self, window: arcade.Window, island: Island) -> None:
        self.window = window
        self.island = island

    def frames(self, count: int = 1) -> None:
        for _ in range(count):
            self.window.dispatch_event("on_update", 1 / 60)
            self.window.dispatch_event("on_draw")
            self.window.flip()

    def until(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "that did not happen"
            self.frames()

    def press(self, key: int, frames: int = 1) -> None:
        self.window.dispatch_event("on_key_press", key, 0)
        self.frames(frames)
        self.window.dispatch_event("on_key_release", key, 0)


@pytest.fixture
def player(
    window: arcade.Window, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Player]:
    monkeypatch.setattr(pyglet.window.Window, "_enable_event_queue", False)  # as in the loop
    assets = tmp_path / "assets"
    shutil.copytree(built, assets)
    island = Island(assets, SIZE, autopilot=False, speed=1200.0)
    one = Player(window, island)
    reached: list[bool] = []

    def begin() -> None:
        window.show_view(island)
        reached.append(True)

    try:
        window.show_view(LoadingView(island, begin))
        one.until(lambda: reached)
        island.begin()
        yield one
    finally:
        window.hide_view()
        island.close()
        island.close()


def test_the_island_is_there_and_the_tank_drives_where_keys_say(player: Player) -> None:
    """Each key its way; nothing moves without one."""
    island = player.island
    assert len(island.prefabs.entities) > 1_000
    assert "house" in {tag for one in island.prefabs.entities for tag in one.tags}
    x, y = island.player.position
    player.frames(3)
    assert island.player.position == (x, y)
    player.press(arcade.key.W, 5)
    assert island.player.center_x == x
    assert island.player.center_y > y + 20
    player.press(arcade.key.LEFT, 5)
    assert island.player.center_x < x - 20


def test_the_tank_stops_at_houses(player: Player) -> None:
    """They are walls of a physics engine, which follow the cells that are there."""
    island = player.island
    house = next(one for one in island.prefabs.entities if "house" in one.tags)
    x, y = house.position
    island.player.position = (x, y - 170)
    player.press(arcade.key.UP, 60)
    assert y - 170 <= island.player.center_y < y - 60


def test_the_mouse_drives_and_zooms(player: Player) -> None:
    """Held, it drives to where it points; the wheel changes what is seen, within limits."""
    island, window = player.island, player.window
    x, _ = island.player.position
    window.dispatch_event("on_mouse_press", window.width - 1, window.height // 2, 1, 0)
    player.frames(5)
    window.dispatch_event("on_mouse_release", window.width - 1, window.height // 2, 1, 0)
    assert island.player.center_x > x + 20
    before = island.camera.zoom
    window.dispatch_event("on_mouse_scroll", 1, 1, 0, 3)
    player.frames(1)
    assert island.camera.zoom > before
    for _ in range(100):
        window.dispatch_event("on_mouse_scroll", 1, 1, 0, -3)
    player.frames(1)
    assert island.camera.zoom == pytest.approx(0.35)
    assert island.world is not None
    assert island.world.load_distance >= 1600


def test_the_autopilot_flies_and_any_way_key_ends_it(player: Player) -> None:
    """P begins it from where its round begins."""
    island = player.island
    player.press(arcade.key.P, 30)
    assert island.piloted
    assert island.pilot.distance == pytest.approx(31 / 60 * 1200, rel=0.1)
    player.press(arcade.key.S, 2)
    assert not island.piloted


def test_frames_without_ground_are_counted(player: Player) -> None:
    """Which makes a flight invalid: a rate is easily held over nothing."""
    island = player.island
    player.frames(3)
    assert island.gaps == 0
    player.press(arcade.key.F4)  # nothing is loaded any more
    island.player.position = (300, island.landscape.pixels - 300)
    player.frames(5)
    assert island.gaps == 5
    island.begin()
    assert island.gaps == 0


def test_creatures_move_and_stay_where_they_belong(player: Player) -> None:
    """Fish in the water, patrols on the road; some hundred frames long."""
    island = player.island
    tagged = island.prefabs.entities.with_tag
    before = {one: one.position for tag in ("wanders", "flits", "drives") for one in tagged(tag)}
    assert len(before) > 10
    player.frames(150)
    moved = [one for one, place in before.items() if one.alive and one.position != place]
    assert len(moved) > len(before) * 0.8
    fish = island.prefabs.entities.of_prefab("demo/creatures#fish")
    for one in [*fish, *tagged("drives")]:
        tile = int(one.position[0] // TILE), int(one.position[1] // TILE)
        if "drives" in one.tags:
            assert island.landscape.road(*tile)
        else:
            assert island.landscape.kind(*tile) in ("water", "deep")


def test_creatures_out_of_sight_move_seldom_and_as_far(player: Player) -> None:
    """Which saves most of what moving them takes."""
    island = player.island
    tagged = island.prefabs.entities.with_tag
    here = island.player.position = tagged("wanders")[0].position
    player.frames(4)
    there = {one: one.position for tag in ("wanders", "flits") for one in tagged(tag)}
    moves, ways = dict.fromkeys(there, 0), dict.fromkeys(there, 0.0)
    for _ in range(40):
        player.frames(1)
        for one, before in there.items():
            moves[one] += one.position != before
            ways[one] += math.dist(one.position, before)
            there[one] = one.position
    far = {one for one in there if math.dist(there[one], here) > 1500}
    near = {one for one in there if math.dist(there[one], here) < 200}
    assert far
    assert near
    assert max(moves[one] for one in far) == 10
    assert max(moves[one] for one in near) == 40
    flying = {one for one in there if "flits" in one.tags}
    for some in (far, near):
        speeds = [ways[one] * 60 / 40 for one in some - flying]
        assert max(speeds) == pytest.approx(30, rel=0.1)


def test_treasure_is_collected_and_stays_taken(player: Player) -> None:
    """Somebody drives over it, goes far away, and comes back: it is not there again."""
    island = player.island
    world = island.world
    assert world is not None
    coin = island.prefabs.entities.with_tag("treasure")[0]
    name, place = world.id_of(coin), coin.position
    assert name is not None
    island.player.position = place
    player.frames(2)
    assert island.collected >= 1
    assert not coin.alive
    home = 300.0 if place[0] > island.landscape.pixels / 2 else island.landscape.pixels - 300
    for at in ((home, home), place):
        island.player.position = at
        player.frames(2)
        player.until(lambda: not world.busy)
    assert world.entity(name) is None


def test_a_prefab_is_placed_at_the_mouse_and_lives_in_the_world(player: Player) -> None:
    """E puts what is chosen, Q chooses the next one."""
    island, window = player.island, player.window
    assert island.world is not None
    first = len(island.prefabs.entities.of_prefab("demo/town#house"))
    window.dispatch_event("on_mouse_motion", 30, 40, 0, 0)
    window.dispatch_event("on_key_press", arcade.key.E, 0)
    player.until(lambda: len(island.prefabs.entities.of_prefab("demo/town#house")) == first + 1)
    aim = island.camera.unproject((30, 40))
    houses = island.prefabs.entities.of_prefab("demo/town#house")
    assert any(one.position == pytest.approx((aim[0], aim[1])) for one in houses)
    trees = len(island.prefabs.entities.of_prefab("demo/nature#tree"))
    player.press(arcade.key.Q)
    window.dispatch_event("on_key_press", arcade.key.E, 0)
    player.until(lambda: len(island.prefabs.entities.of_prefab("demo/nature#tree")) == trees + 1)


def test_a_new_file_can_be_placed_and_a_saved_one_changes_the_island(player: Player) -> None:
    """Dropped into the folder while the game runs; a broken one is told, and harms nothing."""
    island, window = player.island, player.window
    source = island.prefabs.pipeline.source
    folder = Path(str(source.shown("")))
    (folder / "prefabs/mine.ron").write_text(
        'Prefab(components: [Sprite(texture: ":resources:images/items/keyRed.png", '
        'layer: "things")])'
    )
    player.until(lambda: "mine" in island.hud._message.text)
    assert "E places it" in island.hud._message.text
    window.dispatch_event("on_key_press", arcade.key.E, 0)
    player.until(lambda: island.prefabs.entities.of_prefab("mine"))
    (folder / "prefabs/mine.ron").write_text("Prefab(components: [Sprite(textur: 1)])")
    player.until(lambda: "textur" in island.hud._message.text)
    assert island.prefabs.entities.of_prefab("mine")
    town = folder / "prefabs/demo/town.ron"
    red, blue = (214, 96, 76), (10, 20, 250)
    town.write_text(town.read_text().replace(str(red), str(blue)))
    houses = island.prefabs.entities.of_prefab("demo/town#house")
    assert houses
    player.until(lambda: all(tuple(one.sprite.color)[:3] == blue for one in houses if one.alive))


def test_a_prefab_of_another_layer_is_drawn_too(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first try of one's own names no layer."""
    island, window = player.island, player.window
    world = island.world
    assert world is not None
    folder = Path(str(island.prefabs.pipeline.source.shown("")))
    (folder / "prefabs/mine.ron").write_text(
        'Prefab(components: [Sprite(texture: ":resources:images/items/keyRed.png")])'
    )
    player.until(lambda: "E places it" in island.hud._message.text)
    window.dispatch_event("on_key_press", arcade.key.E, 0)
    assert island.hud._message.text == "mine is placed"
    player.until(lambda: island.prefabs.entities.of_prefab("mine"))
    drawn: list[str] = []
    monkeypatch.setattr(world, "draw", lambda *layers, **_: drawn.extend(layers))
    player.frames(1)
    assert drawn == [*world.layers[:3], "default", "crowns"]


def test_what_is_new_and_what_is_gone_is_told_apart(player: Player) -> None:
    """A file with dots in its name, one that comes and goes, and an edited one."""
    island = player.island
    folder = Path(str(island.prefabs.pipeline.source.shown(""))) / "prefabs"
    text = 'Prefab(components: [Sprite(texture: ":resources:images/items/keyRed.png")])'
    (folder / "my.ronin.ron").write_text(text)
    player.until(lambda: island.hud._message.text == "my.ronin is new: E places it")
    assert island._palette[0] == "my.ronin"
    (folder / "my.ronin.ron").unlink()
    player.until(lambda: island.hud._message.text == "my.ronin is gone")
    assert "my.ronin" not in island._palette
    palette = list(island._palette)
    ground = folder / "demo/ground.ron"
    ground.write_text(ground.read_text().replace("scale: 2", "scale: 2.01"))
    player.until(lambda: "are up to date" in island.hud._message.text)
    assert list(island._palette) == palette


def test_a_window_that_changed_while_the_island_was_built_is_filled(player: Player) -> None:
    """Views that are not shown are not told of new sizes."""
    island, window = player.island, player.window
    window.hide_view()
    island.camera.viewport = arcade.LBWH(0, 0, 320, 240)  # as if the window had been so large
    window.show_view(island)
    player.frames(1)
    middle = island.camera.unproject((window.width / 2, window.height / 2))
    assert (middle[0], middle[1]) == pytest.approx(island.player.position)


def test_overlays_are_drawn_and_the_picture_is_written(
    player: Player, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F1 to F4; the picture shows land, and not one color."""
    island, window = player.island, player.window
    world = island.world
    assert world is not None
    plain = arcade.get_image().tobytes()
    for key in (arcade.key.F1, arcade.key.F2, arcade.key.F3):
        player.press(key)
    assert island.hud.help_visible
    assert island.prefabs.frame_graph.visible
    assert world.overlay.visible
    assert arcade.get_image().tobytes() != plain
    player.press(arcade.key.F4)
    assert world.frozen
    player.press(arcade.key.F4)
    (tmp_path / "demo_world.png").mkdir()
    monkeypatch.chdir(tmp_path)
    player.press(arcade.key.F12)
    assert "not written" in island.hud._message.text
    said = island.write(tmp_path / "out")
    assert "demo_world.png" in said
    with Image.open(tmp_path / "out" / "demo_world.png") as picture:
        assert picture.size == window.size
        assert len(picture.getcolors(1_000_000) or []) > 50
    assert "frames in" in (tmp_path / "out" / "demo_world.txt").read_text()


def test_a_build_that_fails_says_why(tmp_path: Path) -> None:
    """Its last lines, and not a screen that waits for ever."""
    broken = WorldBuild(tmp_path / "nothing", SIZE)
    end = time.monotonic() + 30
    while not broken.done:
        assert time.monotonic() < end
    assert broken.error is not None
    assert "nothing" in broken.error


def test_a_build_can_be_stopped(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leaving during the progress screen leaves no process, and no half of a world."""
    assets = tmp_path / "assets"
    shutil.copytree(built, assets)
    for name in [one for one in os.environ if one.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)  # what is killed while it writes that leaves half a file
    running = WorldBuild(assets, 40)
    end = time.monotonic() + 30
    while running.progress == 0:
        assert time.monotonic() < end
        assert not running.done
    running.stop()
    assert running.done
    from arcade_prefabs.pipeline import AssetPipeline

    with AssetPipeline(assets, jobs=0) as pipeline:
        worlds = pipeline.ids("world")
    assert f"worlds/{world_name(40)}.ron" not in worlds
    assert f"worlds/{world_name(SIZE)}.ron" in worlds
