"""What is drawn of a world, read back as pixels: layers, cameras, placeholders, the overlay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import arcade
import pytest
from PIL import Image
from pyglet.event import EventDispatcher
from stage import SIZE, png

from arcade_prefabs import CellState, StreamingError
from arcade_prefabs.pipeline import GridCell, WorldEntity

Make = Callable[..., Any]

COLORS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
}
FILES: dict[str, str | bytes] = {
    **{f"images/{name}.png": png(color) for name, color in COLORS.items()},
    **{
        f"prefabs/{name}.ron": f"""Prefab(components: [
            Sprite(texture: "images/{name}.png", layer: "{name}"),
            Collider(shape: Box(width: 32, height: 32), solid: true),
        ])"""
        for name in COLORS
    },
}


def picture(one: Any, *layers: str, camera: arcade.Camera2D | None = None) -> Image.Image:
    """Returns what the window shows."""
    window = one.on.window
    window.switch_to()
    window.clear(color=(0, 0, 0, 255))
    if camera is None:
        one.world.draw(*layers)
    else:
        with camera.activate():
            one.world.draw(*layers)
    return arcade.get_image(0, 0, *SIZE)


def at(image: Image.Image, x: float, y: float) -> tuple[int, ...]:
    """Returns the color at a position; y counts from the bottom."""
    pixel = image.getpixel((int(x), SIZE[1] - 1 - int(y)))
    assert isinstance(pixel, tuple)
    return pixel[:3]


def test_what_is_there_is_seen(world_on: Make) -> None:
    """Each where it stands; nothing of cells that are on their way."""
    text = """World(cell_size: 100, layers: ["green", "red"], entities: [
        (prefab: "red", id: "r", at: (50, 50)),
        (prefab: "green", id: "g", at: (60, 50)),
        (prefab: "blue", id: "b", at: (250, 50)),
        (prefab: "blue", id: "turned", at: (150, 150), scale: (2, 1), layer: "red"),
    ])"""
    one = world_on(text, FILES)
    one.put(100, 100)
    one.settle()
    assert one.world.layers == ("green", "red", "blue")
    seen = picture(one)
    assert at(seen, 50, 50) == (255, 0, 0)
    assert at(seen, 62, 50) == (255, 0, 0), "red is drawn above green"
    assert at(seen, 72, 50) == (0, 255, 0)
    assert at(seen, 150 + 30, 150) == (0, 0, 255)
    assert at(picture(one, "green"), 62, 50) == (0, 255, 0)
    assert at(picture(one, "red", "green"), 62, 50) == (0, 255, 0)
    with pytest.raises(ValueError, match="no layer 'gren' so far; did you mean `green`"):
        picture(one, "gren")
    with pytest.raises(ValueError, match="no layer 'zzz' so far; there are: `green`"):
        picture(one, "zzz")
    one.world.show_layer("red", visible=False)
    assert at(picture(one), 50, 50) == (0, 255, 0)
    one.world.show_layer("red")
    assert at(picture(one), 50, 50) == (255, 0, 0)
    assert len(one.world.sprite_lists("red")) == 2
    assert {sprite.position for lists in one.world.sprite_lists("red") for sprite in lists} == {
        (50, 50),
        (150, 150),
    }


def test_cameras_see_what_they_look_at(world_on: Make) -> None:
    """Moved, zoomed and turned; the load distance is what the camera shows."""
    text = """World(cell_size: 100, entities: [
        (prefab: "red", at: (5050, 5050)), (prefab: "green", at: (4650, 5050)),
    ])"""
    one = world_on(text, FILES, load_distance=None)
    assert one.world.load_distance == pytest.approx(250, abs=1)
    camera = arcade.Camera2D(position=(5050, 5050))
    one.put(5050, 5050)
    one.settle()
    assert at(picture(one, camera=camera), 200, 150) == (255, 0, 0)
    assert one.cells() == {(50, 50)}
    camera.zoom = 0.4
    seen = picture(one, camera=camera)
    assert one.world.load_distance == pytest.approx(625, rel=0.06)
    one.settle()
    assert one.cells() == {(50, 50), (46, 50)}
    seen = picture(one, camera=camera)
    assert at(seen, 200 - 160, 150) == (0, 255, 0)
    camera.zoom, camera.angle = 1.0, 90.0
    camera.position = (5050 - 300, 5050)
    seen = picture(one, camera=camera)
    colors = {pixel[:3] for pixel in seen.getdata()}
    assert (0, 255, 0) in colors
    # What no camera sees is not even asked to be drawn.
    camera.position = (9000, 9000)
    world = one.world._open
    picture(one, camera=camera)
    for unseen in (
        (8800, 8850, 9200, 9150),
        (8800, 4900, 9200, 5200),
        (4000, 4900, 4400, 5200),
        (4600, 8850, 5000, 9150),
        (4600, 1000, 5000, 1300),
    ):
        assert world.renderer.draw(world.parts.live_cells, unseen, 50.0, (), {}) == 0
    seen = (4600, 4900, 5000, 5200)
    assert world.renderer.draw(world.parts.live_cells, seen, 50.0, (), {}) == 2


def test_images_that_only_overrides_name_are_loaded_together(world_on: Make) -> None:
    """A cell of thirty entities with textures of their own does not wait thirty times."""
    own = {f"images/{n}.png": png((n, 0, 255)) for n in range(30)}
    rows = [
        f'(prefab: "red", at: ({5 + 3 * n}, 50), overrides: [Sprite(texture: "{name}")])'
        for n, name in enumerate(own)
    ]
    one = world_on(f"World(cell_size: 100, entities: [{', '.join(rows)}])", {**FILES, **own})
    one.put(50, 50)
    one.until(lambda: one.state(0, 0) is CellState.ACTIVE, most=20)
    assert at(picture(one), 90, 50) == (29, 0, 255)


def test_cells_are_drawn_from_the_back_to_the_front(world_on: Make) -> None:
    """Within a layer: large things, then cells from the top down and from left to right."""
    text = """World(cell_size: 100, entities: [
        (prefab: "red", id: "lower", at: (50, 95), layer: "red"),
        (prefab: "green", id: "upper", at: (50, 105), layer: "red"),
        (prefab: "red", id: "left", at: (195, 50), layer: "red"),
        (prefab: "green", id: "right", at: (205, 50), layer: "red"),
        (prefab: "blue", id: "large", at: (50, 100), layer: "red", scale: 8, size: (256, 256)),
        (prefab: "blue", id: "always", at: (50, 130), layer: "red", always: true),
    ])"""
    one = world_on(text, FILES)
    one.put(100, 100)
    one.settle()
    assert one.world.live_cells[GridCell(0, 0, 2)].residents
    seen = picture(one)
    assert at(seen, 50, 100) == (255, 0, 0), "the lower cell is drawn above the upper one"
    assert at(seen, 50, 113) == (0, 255, 0), "small things are drawn above large ones"
    assert at(seen, 50, 118) == (0, 0, 255), "what is always there is drawn above all"
    assert at(seen, 200, 50) == (0, 255, 0), "the right cell is drawn above the left one"


def test_nothing_is_seen_before_all_of_a_cell_is_there(world_on: Make) -> None:
    """A cell of many slices appears in one piece."""

    class Rows:
        cell_size = 400.0
        layers = ()

        def entities(self, cell: GridCell) -> Any:
            if cell == GridCell(0, 0):
                for number in range(300):
                    yield WorldEntity("", "red", 20 + number, 150)

    one = world_on(Rows(), FILES, options={"step_s": 0.0001})
    one.put(200, 150)
    one.until(lambda: one.state(0, 0) is CellState.ACTIVATING)
    one.frame(3)
    assert one.state(0, 0) is CellState.ACTIVATING
    assert one.world.live_cells[GridCell(0, 0)].residents
    assert not any(picture(one).convert("L").getdata())
    one.until(lambda: one.state(0, 0) is CellState.ACTIVE)
    seen = picture(one)
    assert at(seen, 20, 150) == at(seen, 319, 150) == (255, 0, 0)


def test_what_cannot_be_there_is_seen_too(world_on: Make) -> None:
    """A mark in the place of an entity and of a cell, unless the game wants none."""
    text = """World(cell_size: 100, entities: [(prefab: "ghost", id: "g", at: (50, 50))])"""
    one = world_on(text, FILES)
    one.put(50, 50)
    one.settle()
    red, green, blue = at(picture(one), 50, 50)
    assert red > 100
    assert blue > 100
    assert green < 50
    one.close()

    class Broken:
        cell_size = 100.0
        layers = ()

        def entities(self, cell: GridCell) -> Any:
            raise OSError("no")

    two = world_on(Broken(), FILES, on=one.on)
    two.put(150, 150)
    two.settle()
    assert at(picture(two), 150, 150)[0] > 100
    two.close()
    three = world_on(Broken(), FILES, on=one.on, placeholders=False)
    three.put(150, 150)
    three.settle()
    assert three.world.failures
    assert not any(picture(three).convert("L").getdata())


def test_walls_follow_the_cells(world_on: Make) -> None:
    """A physics engine knows the walls of active cells, and no others."""
    text = """World(cell_size: 100, entities: [
        (prefab: "red", id: "near", at: (150, 50)), (prefab: "green", id: "far", at: (950, 50)),
    ])"""
    one = world_on(text, FILES)
    player = arcade.SpriteSolidColor(20, 20, center_x=50, center_y=50)
    own = arcade.SpriteList(use_spatial_hash=True)
    own.append(arcade.SpriteSolidColor(5, 5, center_x=-900))
    engine = arcade.PhysicsEngineSimple(player, own)
    one.world.walls.connect(engine)
    one.put(50, 50)
    one.settle()
    player.change_x = 4
    for _ in range(60):
        engine.update()
    assert player.right == pytest.approx(150 - 16, abs=4.1)
    assert len(engine.walls) == 2
    one.put(950, 50)
    one.settle()
    one.frame(200)
    player.position = (50, 50)
    for _ in range(60):
        engine.update()
    assert player.center_x == pytest.approx(50 + 240, abs=1)
    assert [wall.position for wall in one.world.walls] == [(950, 50)]
    one.world.walls.disconnect(engine)
    assert engine.walls == [own]
    # A wall that goes to the next cell stays a wall.
    one.world.entity("far").position = (1050, 50)
    one.frame(100)
    assert one.world._open.parts.population.residents["far"].live.cell == GridCell(10, 0)
    assert [wall.position for wall in one.world.walls] == [(1050, 50)]
    assert at(picture(one, camera=arcade.Camera2D(position=(1050, 50))), 200, 150) == (0, 255, 0)
    one.world.entity("far").despawn()
    assert len(one.world.walls) == 0


def test_an_entity_outlasts_the_cell_that_it_has_left(world_on: Make) -> None:
    """Its sprite and its wall go to its new cell, and stay when the old one is unloaded."""
    text = """World(cell_size: 100, entities: [
        (prefab: "red", id: "walker", at: (50, 50)), (prefab: "red", id: "other", at: (190, 90)),
    ])"""
    one = world_on(text, FILES, load_distance=60.0, residency_s=0.0)
    one.put(50, 50)
    one.settle()
    walker = one.world.entity("walker")
    walker.position = (150, 50)
    one.until(lambda: "walker" in one.world.live_cells[GridCell(1, 0)].residents)
    one.put(220, 50)
    one.until(lambda: one.state(0, 0) is CellState.UNLOADED)
    assert walker.alive
    assert at(picture(one), 150, 50) == (255, 0, 0)
    assert walker.sprite in one.world.walls


def test_entities_near_are_found_nearest_first(world_on: Make) -> None:
    """By distance, over the borders of cells."""
    text = """World(cell_size: 100, entities: [
        (prefab: "red", id: "a", at: (95, 50)), (prefab: "red", id: "b", at: (105, 50)),
        (prefab: "red", id: "c", at: (130, 50)), (prefab: "red", id: "d", at: (-40, 50)),
    ])"""
    one = world_on(text, FILES)
    one.put(100, 50)
    one.settle()
    near = one.world.entities_near

    def names(x: float, radius: float) -> list[str]:
        return [one.world.id_of(entity) for entity in near((x, 50), radius)]

    assert names(96, 20) == ["a", "b"]
    assert names(104, 30) == ["b", "a", "c"]
    assert names(104, 0) == []
    assert names(0, 40) == ["d"]
    own = one.prefabs.spawn("red", (100, 50))
    one.frame(2)
    assert own.alive
    assert own not in near((100, 50), 50)
    assert one.world.id_of(own) is None
    one.world.entity("c").position = (96.0, 51.0)
    assert names(96, 2) == ["a", "c"]


def test_two_worlds_and_the_games_own_entities(world_on: Make) -> None:
    """Each draws its own; `clear` takes what the game has spawned, and leaves worlds alone."""
    one = world_on("""World(entities: [(prefab: "red", id: "a", at: (50, 50))])""", FILES)

    class Other:
        cell_size = 64.0
        layers = ("green",)

        def entities(self, cell: GridCell) -> Any:
            if cell == GridCell(1, 0):
                yield WorldEntity("only", "green", 100, 20)

    two = world_on(Other(), on=one.on)
    for each in (one, two):
        each.put(60, 50)
        each.settle()
    one.prefabs.spawn("blue", (300, 50))
    one.frame(2)
    assert len(one.prefabs.entities) == 3
    assert at(picture(one), 50, 50) == (255, 0, 0)
    assert at(picture(one), 100, 20) == (0, 0, 0)
    assert at(picture(two), 100, 20) == (0, 255, 0)
    one.prefabs.clear()
    assert len(one.prefabs.entities) == 2
    two.close()
    assert len(one.prefabs.entities) == 1
    assert one.world.entity("a").alive
    with pytest.raises(StreamingError):
        two.world.add("red", (0, 0))


def test_overlay_tells_what_goes_on(world_on: Make, text_of: Make) -> None:
    """Colors by state, numbers, keys."""
    one = world_on(text_of(range(-4, 4), range(-4, 4)), load_distance=120.0)
    overlay, window = one.world.overlay, one.on.window
    dispatch = EventDispatcher.dispatch_event  # the window's own puts them into a queue
    one.put(150, 150)
    one.settle()
    before = picture(one)
    overlay.draw()
    assert arcade.get_image(0, 0, *SIZE).tobytes() == before.tobytes()
    overlay.bind()
    dispatch(window, "on_key_press", arcade.key.F3, 0)
    assert overlay.visible
    overlay.draw()
    after = arcade.get_image(0, 0, *SIZE)
    assert after.tobytes() != before.tobytes()
    assert at(after, 205, 105)[1] > at(before, 205, 105)[1]  # an active cell is green
    text = "\n".join(overlay.lines())
    assert "worlds/test.ron: good" in text
    assert f"{len(one.cells())} active" in text
    dispatch(window, "on_key_press", arcade.key.F4, 0)
    assert one.world.frozen
    assert "frozen" in overlay.lines()[0]
    loads = one.world.statistics().loads
    one.put(-300, -300)
    one.frame(60)
    assert one.world.statistics().loads == loads
    dispatch(window, "on_key_press", arcade.key.F4, 0)
    one.settle()
    assert one.world.statistics().loads > loads
    overlay.unbind()
    dispatch(window, "on_key_press", arcade.key.F3, 0)
    assert overlay.visible
    overlay.toggle()
    assert not overlay.visible


def test_entities_that_are_always_there(world_on: Make) -> None:
    """Wherever the player is, and drawn wherever they stand."""
    text = """World(cell_size: 100, entities: [
        (prefab: "red", id: "sun", at: (200, 150), always: true),
        (prefab: "green", id: "far", at: (9050, 50)),
    ])"""
    one = world_on(text, FILES)
    one.on.frame(20)  # nobody has said where a player is
    assert one.names() == {"sun"}
    one.put(9050, 50)
    one.settle()
    one.frame(200)
    assert one.names() == {"sun", "far"}
    assert at(picture(one), 200, 150) == (255, 0, 0)
    one.world.entity("sun").position = (300, 150)
    one.frame(100)
    assert at(picture(one), 300, 150) == (255, 0, 0)
    assert one.world.live_cells[GridCell(0, 0, -1)].active
