"""Mistakes of a game raise at once, and disturb nothing else."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import Any

import arcade
import pytest

import arcade_prefabs
from arcade_prefabs import ComponentRegistry, EntityState, PluginError, RonError, SpawnError
from arcade_prefabs.errors import UnsafePathError
from arcade_prefabs.pipeline import AssetPipeline, MemorySource, ReloadReport


@dataclass
class Bag:
    """A component for these tests."""

    items: list[str] = field(default_factory=list)


@pytest.fixture
def registry() -> ComponentRegistry:
    made = ComponentRegistry()
    made.component(Bag)
    return made


WALL = 'Sprite(texture: "images/red.png"), Collider(shape: Box(32, 32))'


@pytest.fixture
def files(picture_of: Any) -> dict[str, str | bytes]:
    return {
        "images/red.png": picture_of((255, 0, 0)),
        "images/blue.png": picture_of((0, 0, 255)),
        "prefabs/bag.ron": 'Prefab(components: [Sprite(texture: "images/red.png"), Bag()])',
        "prefabs/wall.ron": f"Prefab(components: [{WALL}])",
        "prefabs/level.ron": "Prefab(children: ["
        + ", ".join(f'(prefab: "wall", at: ({n * 40}, 0))' for n in range(120))
        + "])",
    }


@pytest.fixture
def scene(stage: Any, files: Any, registry: Any) -> Any:
    return stage(files, registry=registry)


# ------------------------------------------------------------------------------------------ games


def test_a_handler_that_raises_stops_no_other_spawn(scene: Any, window: Any) -> None:
    """Nor does one that takes too few arguments; who awaits the failed spawn is told."""

    def forgot_the_error(_prefab_id: str) -> None:
        raise AssertionError("it cannot be called")

    @scene.prefabs.entities.on_spawn(Bag)
    def fails(*_: Any) -> None:
        raise ValueError("no")

    window.push_handlers(on_prefab_failed=forgot_the_error)
    try:
        bad = [scene.prefabs.spawn("bag") for _ in range(2)]
        good = [scene.prefabs.spawn("wall") for _ in range(5)]
        waiting = scene.prefabs.start(_wait_for(bad[0]))
        scene.until(lambda: waiting.done and not scene.prefabs.busy)
    finally:
        window.pop_handlers()
    assert [one.state for one in bad] == [EntityState.FAILED] * 2
    assert all(one.alive for one in good)
    assert isinstance(waiting.error, SpawnError)


async def _wait_for(entity: Any) -> None:
    await entity


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("images/red.png", "this is a picture: a prefab shows it"),
        ("images/gone.png#1", "this is a picture: a prefab shows it"),
        ("data/crate.json", "prefabs and worlds are RON files, below `prefabs/`"),
        ("crate.toml", "prefabs and worlds are RON files, below `prefabs/`"),
        ("crate.yaml", "prefabs and worlds are RON files, below `prefabs/`"),
        (":assets:level.tmx", "`arcade.load_tilemap` shows those of Tiled"),
    ],
)
def test_what_is_no_prefab_cannot_be_spawned(scene: Any, name: str, words: str) -> None:
    """Whether the file is there or not; whoever asks is told what to do with it."""
    prefabs = scene.prefabs
    with pytest.raises(UnsafePathError, match=r" is no prefab: ") as caught:
        prefabs.spawn(name)
    assert words in str(caught.value)
    assert not prefabs.busy


def test_a_handle_of_a_picture_is_told_what_to_do_with_a_picture(scene: Any) -> None:
    """Such a handle is sound, only not to be spawned."""
    entity = scene.spawn(scene.prefabs.load("images/red.png"))
    assert isinstance(entity.error, SpawnError)
    assert "images/red.png is image, not a prefab; this is a picture: " in str(entity.error)


def test_a_batch_tells_of_each_name_that_is_no_asset_what_it_is(scene: Any) -> None:
    """One that is not there, and one of a kind that nothing bakes."""
    scene.source.write("map.ldtk", "{}")
    names = ["x.json", "map.ldtk", "prefabs/hero.png.ron", "zz.tmx"]
    batch = scene.prefabs.load_many(names)
    scene.until(lambda: batch.done)
    words = ["RON files", "Tiled and LDtk", "this is a picture", "Tiled and LDtk"]
    for name, word in zip(names, words, strict=True):
        assert word in str(batch.errors[name])


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_place_that_is_no_number_is_refused_later_too(scene: Any, wrong: float) -> None:
    """The entity stays where it is, and can be taken away."""
    walls = [scene.spawn("wall", (n * 40, 0)) for n in range(3)]
    for name, value in (("position", (wrong, 0)), ("angle", wrong), ("scale", (1, wrong))):
        with pytest.raises(ValueError, match="finite numbers"):
            setattr(walls[1], name, value)
    assert walls[1].position == (40, 0)


def test_a_sprite_that_arcade_can_not_remove_is_removed(scene: Any) -> None:
    """A wall that the game itself put nowhere breaks neither `despawn` nor `clear`."""
    walls = [scene.spawn("wall", (n * 40, 0)) for n in range(4)]
    for one in walls[:2]:
        with pytest.raises(ValueError, match="NaN"):
            one.sprite.position = (math.nan, 0)
    walls[0].despawn()
    scene.prefabs.clear()
    assert [one.state for one in walls] == [EntityState.DESPAWNED] * 4
    assert len(scene.prefabs.walls) == 0
    assert len(scene.prefabs.scene["default"]) == 0


def test_walls_stop_nobody_before_all_of_them_are_there(scene: Any) -> None:
    """And whoever hits one learns whose it is."""
    level = scene.prefabs.spawn("level")
    walls = scene.prefabs.walls
    counts = []
    while not level.alive:
        if level.state is EntityState.BUILDING:
            counts.append(len(walls))
        scene.prefabs.loader.drain(0)  # one step
        scene.executor.run()
    assert counts.count(0) == 120 // 12  # then all of them, in two steps
    assert len(counts) == 120 // 12 + 1
    assert len(walls) == 120
    player = arcade.SpriteSolidColor(10, 10, 40, 0)
    hit = arcade.check_for_collision_with_list(player, walls)
    assert [scene.prefabs.entities.of_sprite(one).root for one in hit] == [level]


def test_a_cleared_sprite_does_not_come_back_as_a_wall(scene: Any) -> None:
    """An edit of its prefab changes what is there, and it is not."""
    bag = scene.spawn("bag")
    scene.prefabs.scene["default"].clear()
    scene.edit({"prefabs/bag.ron": f"Prefab(components: [{WALL}, Bag()])"})
    assert bag.alive
    assert len(scene.prefabs.walls) == 0


def test_what_was_given_to_one_spawn_is_not_shared_with_another(scene: Any) -> None:
    """Neither a component, nor a list in the fields of one that the caller changes afterwards."""
    bag, items = Bag(["sword"]), ["key"]
    typed = [scene.spawn("bag", overrides=[bag]) for _ in range(2)]
    typed[0][Bag].items.append("shield")
    assert [one[Bag].items for one in typed] == [["sword", "shield"], ["sword"]]
    fields = scene.prefabs.spawn("bag", overrides={"Bag": {"items": items}})
    items.append("lamp")
    scene.until(lambda: fields.alive)
    assert fields[Bag].items == ["key"]


def test_what_a_cancelled_script_spawned_does_not_come(scene: Any) -> None:
    """It would be there, and nobody would have it."""

    async def build() -> None:
        await scene.prefabs.spawn("level")

    script = scene.prefabs.start(build())
    scene.frame(1, units=0)
    script.cancel()

    async def in_asyncio() -> None:
        task = asyncio.ensure_future(scene.prefabs.spawn("level"))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(in_asyncio())
    scene.until(lambda: not scene.prefabs.busy)
    assert len(scene.prefabs.entities) == 0
    assert len(scene.prefabs.walls) == 0


def test_spawn_async_is_the_old_word(scene: Any) -> None:
    """It works until version 1.0, and says what to write instead."""

    async def build() -> Any:
        with pytest.deprecated_call(match=r"`await prefabs.spawn\(...\)` gives the entity"):
            return await scene.prefabs.spawn_async("bag", (3, 4))

    script = scene.prefabs.start(build())
    scene.until(lambda: script.done)
    assert script.result().position == (3, 4)


def save(scene: Any, path: str, content: bytes) -> None:
    """Writes a file, bakes it, and reports that to the loader as a watcher does."""
    scene.source.write(path, content)
    report = scene.pipeline.bake()
    healed = () if report.errors else (path,)
    reload = ReloadReport(tuple(report.changed_ids()), tuple(report.errors), healed, report)
    scene.prefabs.loader.apply(reload)
    scene.frame(8)


def test_a_picture_that_cannot_be_read_is_told_by_its_own_name(scene: Any, window: Any) -> None:
    """A level author sees the mistake; when it is mended, the prefabs that show it are told of."""
    scene.spawn("bag")
    told: list[str] = []
    handlers = {
        "on_prefab_failed": lambda name, _error: told.append(f"failed {name}"),
        "on_prefab_reloaded": lambda name: told.append(f"reloaded {name}"),
    }
    window.push_handlers(**handlers)
    try:
        good = scene.source.read("images/blue.png")
        save(scene, "images/red.png", b"junk")
        assert told == ["failed images/red.png"]
        save(scene, "images/red.png", good)
        assert "reloaded prefabs/bag.ron" in told
    finally:
        window.pop_handlers()


def test_broken_files_that_nothing_loads_are_told(scene: Any, window: Any) -> None:
    """Prefabs, worlds and pictures, even if a handler raises; a spawn then fails without a word."""
    told: list[str] = []

    def failed(name: str, error: Exception) -> None:
        told.append(name)
        raise ValueError(str(error))

    window.push_handlers(on_prefab_failed=failed)
    try:
        scene.source.write("worlds/valley.ron", "World(")
        scene.source.write("images/unused.png", b"junk")
        save(scene, "prefabs/new.ron", b"Prefab(")
        wanted = ["images/unused.png", "prefabs/new.ron", "worlds/valley.ron"]
        assert sorted(told) == wanted
        entity = scene.spawn("new")
        assert isinstance(entity.error, RonError)
        assert sorted(told) == wanted
    finally:
        window.pop_handlers()


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0])
def test_a_frame_whose_time_is_none_counts_as_no_time(
    scene: Any, seconds: float, caplog: Any
) -> None:
    """It ends no game, stops no animation for ever, and the log says it once."""
    bag = scene.spawn("bag")
    for _ in range(3):
        scene.prefabs.update(seconds)
    assert len([text for text in caplog.messages if "seconds: its time counts as 0" in text]) == 1
    scene.frame(3)
    assert bag.alive


def test_what_cannot_be_run_is_refused_where_it_is_given(scene: Any) -> None:
    """Not some frames later, in a log that does not say who gave it."""
    for wrong in (
        lambda: scene.prefabs.call(5),
        lambda: scene.prefabs.start(_wait_for),
        lambda: scene.prefabs.load_many("bag"),
        lambda: setattr(scene.spawn("bag"), "text", None),
        lambda: scene.prefabs.spawn("bag", scene={"default": 5}),
    ):
        with pytest.raises(TypeError, match=r"not |is no"):
            wrong()
    assert not scene.prefabs.busy


def test_nothing_is_busy_after_detach(scene: Any) -> None:
    """A loading screen ends, whatever was going on."""
    scene.prefabs.spawn("level")
    scene.frame(1, units=1)
    assert scene.prefabs.busy
    scene.prefabs.detach()
    assert not scene.prefabs.busy


# ----------------------------------------------------------------------------------------- attach


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"atlas_size": (0, 0)}, ValueError, "atlas_size is"),
        ({"atlas_size": 512}, ValueError, "atlas_size is"),
        ({"atlas_size": (512, 0.5)}, ValueError, "atlas_size is"),
        ({"layers": "props"}, TypeError, "several names"),
        ({"registry": 5}, TypeError, "ComponentRegistry"),
    ],
)
def test_wrong_options_of_attach_are_told_at_once(
    window: Any, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    """The window is as it was, and can have a plugin still."""
    before = window.ctx.default_atlas
    with AssetPipeline(MemorySource({}), jobs=0) as pipeline:
        with pytest.raises(error, match=says):
            arcade_prefabs.attach(window, pipeline, **options)
        assert window.ctx.default_atlas is before
        arcade_prefabs.attach(window, pipeline, atlas_size=(256, 256)).detach()


def test_what_is_no_window_cannot_be_attached_to() -> None:
    """The first argument was forgotten."""
    with pytest.raises(TypeError, match=r"an arcade\.Window, not"):
        arcade_prefabs.attach("assets")  # type: ignore[arg-type]
    with pytest.raises((PluginError, TypeError)):
        arcade_prefabs.attach(None, "assets")  # type: ignore[arg-type]
