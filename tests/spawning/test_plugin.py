"""`attach` and `detach`: what the plugin adds to a window, and removes again."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import arcade
import pyglet
import pytest
from PIL import Image

import arcade_prefabs
from arcade_prefabs import (
    MissingAssetError,
    PluginError,
    PrefabPlugin,
    WrongThreadError,
    spawning,
)
from arcade_prefabs.errors import StoreError, UnsafePathError
from arcade_prefabs.pipeline import AssetPipeline, GridCell, MemorySource, WorldEntity
from arcade_prefabs.spawning import texture_processor
from arcade_prefabs.testing import InlineExecutor

RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)
FRAME_S = 1 / 60
LIMIT_S = 30.0


@pytest.fixture
def files(picture_of: Callable[..., bytes]) -> dict[str, str | bytes]:
    return {
        "images/red.png": picture_of(RED),
        "images/blue.png": picture_of(BLUE),
        "prefabs/red.ron": 'Prefab(components: [Sprite(texture: "images/red.png")])',
        "prefabs/blue.ron": 'Prefab(components: [Sprite(texture: "images/blue.png")])',
        "prefabs/lost.ron": 'Prefab(components: [Sprite(texture: "images/nowhere.png")])',
    }


@pytest.fixture
def assets(tmp_path: Path, files: dict[str, str | bytes]) -> Path:
    root = tmp_path / "assets"
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def play(window: arcade.Window, condition: Callable[[], object]) -> None:
    """Shows frames until a condition holds; real threads work on it."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, "that did not happen in time"
        window.dispatch_events()
        window._dispatch_frame(FRAME_S)


def color_at(x: int, y: int) -> tuple[int, ...]:
    """Returns the color of a pixel of the window; y counts from the bottom."""
    pixel = arcade.get_image(x, y, 1, 1).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return pixel[:3]


def ours() -> set[str]:
    """Returns the plugin's running threads."""
    return {one.name for one in threading.enumerate() if one.name.startswith("arcade_prefabs")}


# ------------------------------------------------------------------------------------------- attach


def test_three_lines_bring_a_prefab_onto_the_screen(window: arcade.Window, assets: Path) -> None:
    """With threads and files, and nothing but the window's own frames."""
    prefabs = arcade_prefabs.attach(window, assets)
    try:
        entity = prefabs.spawn("red", (100, 100))
        play(window, lambda: entity.alive)
        window.clear()
        prefabs.draw()
        assert color_at(100, 100) == RED
    finally:
        prefabs.detach()
    assert ours() == set()


def test_a_second_plugin_is_refused_and_says_what_to_do(stage: Any, files: Any) -> None:
    """The first one goes on; once it is detached, there may be another."""
    first = stage(files)
    with pytest.raises(PluginError, match=r"has a plugin already: keep the plugin that attach"):
        arcade_prefabs.attach(first.window, MemorySource(files))
    assert first.spawn("red", (100, 100)).alive
    first.prefabs.detach()
    assert stage(files).spawn("red", (100, 100)).alive


def test_a_missing_folder_leaves_the_window_as_it_was(
    window: arcade.Window, tmp_path: Path
) -> None:
    """The error names the folder; the atlas is Arcade's own still, and attaching works later."""
    before = window.ctx.default_atlas
    with pytest.raises(MissingAssetError, match="nowhere"):
        arcade_prefabs.attach(window, tmp_path / "nowhere")
    assert window.ctx.default_atlas is before
    assert ours() == set()
    (tmp_path / "nowhere").mkdir()
    arcade_prefabs.attach(window, tmp_path / "nowhere").detach()


def test_options_that_are_refused_undo_what_was_done(stage: Any, files: Any) -> None:
    """A budget of nothing is noticed when the atlas stands already."""
    window = stage({}).window
    window._arcade_prefabs_plugin.detach()
    before = window.ctx.default_atlas
    with pytest.raises(ValueError, match="above 0"):
        stage(files, budget_ms=0)
    assert window.ctx.default_atlas is before
    assert stage(files).spawn("red").alive


def test_attaching_in_another_thread_is_refused(window: arcade.Window, files: Any) -> None:
    """OpenGL would fail there without a word."""
    errors: list[BaseException] = []

    def attach() -> None:
        try:
            arcade_prefabs.attach(window, MemorySource(files))
        except WrongThreadError as error:
            errors.append(error)

    thread = threading.Thread(target=attach)
    thread.start()
    thread.join(LIMIT_S)
    assert len(errors) == 1


def test_the_atlas_is_ours_until_detached(stage: Any, files: Any) -> None:
    """Sprites of the game's own are drawn before, meanwhile and afterwards."""
    own = arcade.SpriteSolidColor(40, 40, 50, 50, arcade.color.GREEN)
    sprites: arcade.SpriteList[Any] = arcade.SpriteList()
    sprites.append(own)

    def color() -> tuple[int, ...]:
        scene.window.clear()
        sprites.draw()
        return color_at(50, 50)

    before = arcade.get_window().ctx.default_atlas
    scene = stage(files)
    assert scene.window.ctx.default_atlas is scene.prefabs.atlas is not before
    assert color() == arcade.color.GREEN[:3]
    scene.prefabs.detach()
    assert scene.window.ctx.default_atlas is before
    assert color() == arcade.color.GREEN[:3]


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize("name", ["../secret.txt", "images/../../secret.txt", "..", "..\\x"])
def test_no_path_behind_the_resource_handle_leads_out_of_the_folder(
    window: arcade.Window, assets: Path, name: str
) -> None:
    """Neither for Arcade's own functions, nor for ours, nor for a path on which one is built."""
    (assets.parent / "secret.txt").write_text("secret")
    words = r"the path leaves its folder by `\.\.`"
    with arcade_prefabs.attach(window, assets, enabled=False) as plugin:
        with pytest.raises(UnsafePathError, match=words):
            arcade.resources.resolve(f":assets:{name}")
        if "\\" not in name:
            for ask in (plugin.load, plugin.spawn):
                with pytest.raises(UnsafePathError, match=words):
                    ask(f":assets:{name}")
        folder = arcade.resources.handles["assets"][-1]
        assert folder == assets.resolve()
        assert folder.resolve() / ".." / assets.name == assets.resolve() / ".." / assets.name
        with pytest.raises(UnsafePathError, match="absolute"):
            folder / str(assets)


@pytest.mark.usefixtures("no_workers")
def test_arcade_finds_files_by_the_resource_handle(window: arcade.Window, assets: Path) -> None:
    """As long as the plugin is attached, and no longer: a later game has its own."""
    with arcade_prefabs.attach(window, assets, enabled=False):
        texture = arcade.load_texture(":assets:images/red.png")
        assert texture.image.getpixel((0, 0)) == (*RED, 255)
    with pytest.raises(FileNotFoundError):
        arcade.resources.resolve(":assets:images/red.png")
    arcade.resources.add_resource_handle("mine", assets)
    try:
        with arcade_prefabs.attach(window, assets, resource_handle="mine", enabled=False):
            pass
        arcade.resources.resolve(":mine:images/red.png")
    finally:
        del arcade.resources.handles["mine"]
    with arcade_prefabs.attach(window, assets, resource_handle=None, enabled=False):
        assert assets not in arcade.resources.handles["assets"]


def test_a_pipeline_of_the_game_s_own_stays_open(stage: Any, files: Any) -> None:
    """Whoever made it closes it."""
    scene = stage(files)
    scene.spawn("red")
    scene.prefabs.detach()
    assert scene.pipeline.get("prefabs/red.ron").kind == "prefab"


def test_a_release_file_is_all_that_a_game_needs(
    window: arcade.Window, assets: Path, tmp_path: Path
) -> None:
    """No folder, no watcher, no worker: the sprites are those of the folder."""
    with AssetPipeline(assets, processors=[texture_processor()], jobs=0) as pipeline:
        pipeline.bake()
        pipeline.write_release(tmp_path / "game.prefabs")
    with arcade_prefabs.attach(window, tmp_path / "game.prefabs") as prefabs:
        entity = prefabs.spawn("red", (100, 100))
        play(window, lambda: entity.alive)
        assert not any("watch" in name for name in ours())


def test_a_file_that_is_no_release_is_told(window: arcade.Window, tmp_path: Path) -> None:
    """And nothing of the plugin stays."""
    junk = tmp_path / "game.prefabs"
    junk.write_bytes(b"junk" * 1000)
    with pytest.raises((StoreError, MissingAssetError), match="game"):
        arcade_prefabs.attach(window, junk)
    assert not hasattr(window, "_arcade_prefabs_plugin")


def test_without_its_private_names_arcade_s_own_atlas_does(
    stage: Any, files: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A later Arcade may have moved what our atlas stands on: slower, and the same picture."""
    monkeypatch.setattr("arcade_prefabs.window.arcade_private.missing", lambda: ["arcade.Gone"])
    before = arcade.get_window().ctx.default_atlas
    scene = stage(files)
    assert scene.prefabs.atlas is None
    assert scene.window.ctx.default_atlas is before
    assert "arcade.Gone" in caplog.text
    scene.spawn("red", (100, 100))
    assert scene.color(100, 100) == RED
    scene.prefabs.clear()
    assert scene.color(100, 100) == BLACK


# ------------------------------------------------------------------------------------------- frames


def test_frames_of_the_window_do_the_work_in_every_view(stage: Any, files: Any) -> None:
    """Before, with and after views; one that handles updates itself, too."""

    class Greedy(arcade.View):
        def on_update(self, delta_time: float) -> bool:
            return True

    scene = stage(files, enabled=True)
    for view in (None, arcade.View(), Greedy(), None, Greedy()):
        if view is None:
            scene.window.hide_view()
        else:
            scene.window.show_view(view)
        entity = scene.prefabs.spawn("red", (100, 100))
        scene.window_frame(8)
        assert entity.alive
        scene.prefabs.clear()


def test_a_disabled_plugin_works_by_hand_alone(stage: Any, files: Any) -> None:
    """Enabling it takes up the window's frames; both are fine together."""
    scene = stage(files, enabled=True)
    prefabs = scene.prefabs
    prefabs.disable()
    prefabs.disable()
    entity = prefabs.spawn("red")
    scene.window_frame(8)
    assert not prefabs.enabled
    assert not entity.alive
    scene.frame(8)
    assert entity.alive
    prefabs.enable()
    prefabs.enable()
    another = prefabs.spawn("blue")
    scene.window_frame(8)
    assert another.alive


def test_a_view_is_told_of_its_prefabs(stage: Any, files: Any) -> None:
    """Methods of those names are called with ids and errors; without them nothing is amiss."""
    told: list[tuple[Any, ...]] = []

    class Level(arcade.View):
        def on_prefab_ready(self, prefab_id: str) -> None:
            told.append(("ready", prefab_id))

        def on_prefab_failed(self, prefab_id: str, error: Exception) -> None:
            told.append(("failed", prefab_id, type(error)))

        def on_prefab_reloaded(self, prefab_id: str) -> None:
            told.append(("reloaded", prefab_id))

    scene = stage(files, enabled=True)
    scene.window.show_view(Level())
    scene.prefabs.spawn("red")
    scene.prefabs.spawn("lost")
    scene.window_frame(8)
    assert sorted(one[:2] for one in told) == [
        ("failed", "prefabs/lost.ron"),
        ("ready", "prefabs/red.ron"),
    ]
    told.clear()
    scene.edit({"prefabs/red.ron": 'Prefab(components: [Sprite(texture: "images/blue.png")])'})
    assert ("reloaded", "prefabs/red.ron") in told
    told.clear()
    scene.window.hide_view()
    scene.spawn("blue")
    assert told == []


def test_a_handler_may_detach_the_plugin(stage: Any, files: Any) -> None:
    """In the middle of a frame's work."""
    scene = stage(files, enabled=True)

    class Level(arcade.View):
        def on_prefab_ready(self, prefab_id: str) -> None:
            scene.prefabs.detach()

    scene.window.show_view(Level())
    scene.prefabs.spawn("red")
    scene.prefabs.spawn("blue")
    scene.window_frame(8)
    assert "closed" in repr(scene.prefabs)


def test_the_budget_may_be_raised_for_a_loading_screen(stage: Any, files: Any) -> None:
    """And lowered again; nothing and less is refused."""
    prefabs = stage(files, budget_ms=3.0).prefabs
    assert prefabs.budget_ms == pytest.approx(3.0)
    prefabs.budget_ms = 12
    assert prefabs.loader.budget.seconds == pytest.approx(0.012)
    prefabs.budget_ms = 0.1
    assert prefabs.loader.budget.seconds == pytest.approx(0.0001)
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="budget"):
            prefabs.budget_ms = wrong
    assert prefabs.budget_ms == pytest.approx(0.1)


def test_it_is_busy_until_all_is_there(stage: Any, files: Any) -> None:
    """That is what a loading screen waits for."""
    scene = stage(files)
    assert not scene.prefabs.busy
    entity = scene.prefabs.spawn("red")
    assert scene.prefabs.busy
    scene.until(lambda: not scene.prefabs.busy)
    assert entity.alive


def test_it_is_busy_while_something_waits_to_be_loaded(stage: Any, files: Any) -> None:
    """Also what nobody spawns, and before a worker has begun with it."""
    scene = stage(files)
    assert not scene.prefabs.busy
    handle = scene.prefabs.load("images/red.png")
    while not handle.done:
        assert scene.prefabs.busy
        scene.frame(units=1)
    scene.frame(2)
    assert not scene.prefabs.busy


def test_the_report_tells_what_a_frame_was_spent_on(stage: Any, files: Any) -> None:
    """All of the frame, though it may take two rounds."""
    scene = stage(files, step_s=0.00001)
    scene.prefabs.spawn("red")
    kinds: set[str] = set()
    for _ in range(10):
        scene.frame()
        report = scene.prefabs.report
        assert sum(one.steps for one in report.ran.values()) == report.steps
        kinds |= set(report.ran)
    assert {"commit", "activate", "spawn"} <= kinds


def test_memory_tells_of_the_lists_of_worlds(stage: Any, files: Any) -> None:
    """Those of cells that are there, next to those of the game's own entities."""

    class Two:
        cell_size = 100.0
        layers = ("ground", "things")

        def entities(self, cell: GridCell) -> Any:
            for layer in self.layers:
                yield WorldEntity("", "red", cell.column * 100 + 50, 50, layer=layer)

    scene = stage(files)
    scene.spawn("red")
    assert scene.prefabs.memory().sprite_lists == 1
    world = scene.prefabs.open_world(Two(), load_distance=10.0)
    world.update_player_position((50, 50))
    scene.until(lambda: not world.busy and len(list(world.entities())) == 2)
    assert scene.prefabs.memory().sprite_lists == 3
    world.close()
    assert scene.prefabs.memory().sprite_lists == 1


def test_names_for_tools_are_there_without_arcade() -> None:
    """Worker processes import what bakes hit boxes, on machines without a screen."""
    code = "import sys, arcade_prefabs.spawning as spawning\nspawning.texture_processor\n"
    code += "print(sorted({'arcade', 'pyglet'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
    with pytest.raises(
        AttributeError, match=r"'arcade_prefabs\.spawning' has no attribute 'Atlas'"
    ):
        _ = spawning.Atlas


def test_an_edited_file_changes_the_running_game(window: arcade.Window, assets: Path) -> None:
    """The watcher, a bake and the reload, with real files and threads."""
    with arcade_prefabs.attach(window, assets) as prefabs:
        entity = prefabs.spawn("red", (100, 100))
        play(window, lambda: entity.alive)
        path = assets / "prefabs" / "red.ron"
        path.write_text('Prefab(components: [Sprite(texture: "images/blue.png", scale: 2.0)])')
        play(window, lambda: entity.sprite.width == 64)
        window.clear()
        prefabs.draw()
        assert color_at(128, 100) == BLUE


@pytest.mark.usefixtures("no_workers")
def test_an_edited_sprite_sheet_changes_the_running_game(
    window: arcade.Window, assets: Path
) -> None:
    """What is baked with settings of its own, the watcher tells under another id."""

    def strip(color: tuple[int, ...]) -> None:
        Image.new("RGB", (48, 16), color).save(assets / "images" / "strip.png")

    strip(RED)
    sheet = 'SpriteSheet(image: "images/strip.png", frame_size: (16, 16), columns: 3, count: 3)'
    (assets / "prefabs" / "spin.ron").write_text(
        f'Prefab(components: [Sprite(texture: "images/strip.png"), Animation(frames: {sheet})])'
    )
    with arcade_prefabs.attach(window, assets) as prefabs:
        entity = prefabs.spawn("spin", (100, 100))
        play(window, lambda: entity.alive)

        def color() -> tuple[int, ...]:
            window.clear()
            prefabs.draw()
            return color_at(100, 100)

        assert color() == RED
        strip(BLUE)
        play(window, lambda: color() == BLUE)


# --------------------------------------------------------------------------------------------- end


METHODS: dict[str, Callable[[PrefabPlugin], object]] = {
    "spawn": lambda prefabs: prefabs.spawn("red"),
    "load": lambda prefabs: prefabs.load("red"),
    "load_many": lambda prefabs: prefabs.load_many(["red"]),
    "load_folder": lambda prefabs: prefabs.load_folder(),
    "clear": lambda prefabs: prefabs.clear(),
    "draw": lambda prefabs: prefabs.draw(),
    "call": lambda prefabs: prefabs.call(print),
    "enable": lambda prefabs: prefabs.enable(),
    "disable": lambda prefabs: prefabs.disable(),
    "update": lambda prefabs: prefabs.update(FRAME_S),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_detached_plugin_says_so(stage: Any, files: Any, method: str) -> None:
    """One obvious error from every method."""
    prefabs = stage(files).prefabs
    prefabs.detach()
    prefabs.detach()
    with pytest.raises(PluginError, match="the plugin was closed: attach it again"):
        METHODS[method](prefabs)


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("load", "call")])
def test_other_threads_are_refused_by_name(stage: Any, files: Any, method: str) -> None:
    """The error names the method, and what to do instead."""
    prefabs = stage(files).prefabs
    errors: list[BaseException] = []

    def run() -> None:
        try:
            METHODS[method](prefabs)
        except WrongThreadError as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="helper")
    thread.start()
    thread.join(LIMIT_S)
    assert len(errors) == 1
    assert f"PrefabPlugin.{method} was called in the thread 'helper'" in str(errors[0])
    assert "prefabs.call(function)" in str(errors[0])


def test_what_is_alive_stays_when_the_plugin_goes(stage: Any, files: Any) -> None:
    """Its sprites are drawn as before; what was still to come has failed, and says why."""
    scene = stage(files)
    entity = scene.spawn("red", (100, 100))
    late = scene.prefabs.spawn("blue", (200, 100))
    layers = scene.prefabs.scene
    scene.prefabs.detach()
    assert entity.alive
    assert isinstance(late.error, PluginError)
    scene.window.clear()
    layers.draw()
    assert color_at(100, 100) == RED
    entity.despawn()
    assert len(layers["default"]) == 0


def test_closing_the_window_ends_all_of_it(files: Any) -> None:
    """Threads, the pipeline, the plugin; attaching to it is refused from then on."""
    before = arcade.get_window()
    window = arcade.Window(100, 100)
    prefabs = arcade_prefabs.attach(window, MemorySource(files))
    entity = prefabs.spawn("red")
    assert ours() != set()
    window.close()
    assert ours() == set()
    assert prefabs.pipeline.store.closed
    assert isinstance(entity.error, PluginError)
    with pytest.raises(PluginError, match="window was closed"):
        prefabs.spawn("red")
    prefabs.detach()
    with pytest.raises(PluginError, match="window is closed"):
        arcade_prefabs.attach(window, MemorySource(files))
    arcade.set_window(before)


def test_windows_one_after_another_have_plugins_of_their_own(files: Any) -> None:
    """What one left behind hinders no other."""
    before = arcade.get_window()
    for color, name in ((RED, "red"), (BLUE, "blue"), (RED, "red")):
        window = arcade.Window(100, 100)
        window.switch_to()
        executor = InlineExecutor()
        prefabs = arcade_prefabs.attach(window, MemorySource(files), executor=executor)
        prefabs.pipeline.bake()
        entity = prefabs.spawn(name, (50, 50))
        for _ in range(8):
            window.dispatch_events()
            window._dispatch_frame(FRAME_S)
            executor.run()
        assert entity.alive
        window.clear()
        prefabs.draw()
        assert color_at(50, 50) == color
        window.close()
    arcade.set_window(before)
    before.switch_to()


@pytest.fixture
def another(window: arcade.Window) -> Iterator[arcade.Window]:
    """Makes a second window, which becomes the current one."""
    made = arcade.Window(100, 100, "another")
    yield made
    if made in pyglet.app.windows:
        made.close()
    arcade.set_window(window)
    window.switch_to()


def test_attaching_to_a_window_that_is_not_the_current_one_is_refused(
    window: arcade.Window, another: arcade.Window, files: Any
) -> None:
    """Nothing would show; the error names both windows. Made current before, it works."""
    with pytest.raises(PluginError, match=r"attach is for the window 'tests', but .* 'another'"):
        arcade_prefabs.attach(window, MemorySource(files))
    another.close()
    with pytest.raises(PluginError, match=r"attach is for the window 'tests', but .* no window"):
        arcade_prefabs.attach(window, MemorySource(files))
    arcade.set_window(window)
    arcade_prefabs.attach(window, MemorySource(files), enabled=False).detach()


def test_using_a_plugin_while_another_window_runs_is_refused(
    stage: Any, files: Any, request: pytest.FixtureRequest
) -> None:
    """A game that attached to its first window, and then made the one that it plays in."""
    scene = stage(files)
    request.getfixturevalue("another")
    for call in (
        lambda: scene.prefabs.spawn("red"),
        scene.prefabs.draw,
        lambda: scene.prefabs.open_world("valley"),
    ):
        with pytest.raises(PluginError, match=r"for the window 'tests', but .* 'another'"):
            call()


def test_two_windows_that_are_made_current_in_turn_have_plugins_that_work(
    window: arcade.Window, another: arcade.Window, files: Any
) -> None:
    """Background work comes in the frames of each, whichever one is current meanwhile."""
    with ExitStack() as plugins:
        shown: list[tuple[arcade.Window, PrefabPlugin, Any]] = []
        for one in (another, window):
            arcade.set_window(one)
            one.switch_to()
            plugin = plugins.enter_context(arcade_prefabs.attach(one, MemorySource(files)))
            shown.append((one, plugin, plugin.spawn("red" if one is window else "blue", (50, 50))))
        end = time.monotonic() + LIMIT_S
        for current in itertools.cycle((window, another)):
            assert time.monotonic() < end, "that did not happen in time"
            arcade.set_window(current)
            current.switch_to()
            for one, *_ in shown:
                one.dispatch_events()
                one._dispatch_frame(FRAME_S)
                assert arcade.get_window() is current
            if all(entity.alive for *_, entity in shown):
                break
        for (one, plugin, _), color in zip(shown, (BLUE, RED), strict=True):
            arcade.set_window(one)
            one.switch_to()
            one.clear()
            plugin.draw()
            assert color_at(50, 50) == color


def test_a_window_that_nobody_keeps_takes_its_plugin_along(stage: Any, files: Any) -> None:
    """The window keeps the plugin alive: the game need not."""
    scene = stage(files, enabled=True)
    entity = scene.prefabs.spawn("red")
    scene.prefabs = None
    gc.collect()
    scene.window_frame(8)
    assert entity.alive
    scene.prefabs = scene.window._arcade_prefabs_plugin


@pytest.mark.long
@pytest.mark.parametrize("frames", [0, 3, 300])
def test_a_game_that_just_ends_ends_quietly(assets: Path, tmp_path: Path, frames: int) -> None:
    """Neither closed nor detached: no traceback, no thread that holds the process."""
    text = (assets / "prefabs" / "red.ron").read_text()
    for number in range(30):  # so many that worker processes are begun for them
        (assets / "prefabs" / f"red{number}.ron").write_text(text)
    script = tmp_path / "game.py"
    script.write_text(
        f"""
import os
os.environ["ARCADE_HEADLESS"] = "True"
import arcade, arcade_prefabs
window = arcade.Window(100, 100)
prefabs = arcade_prefabs.attach(window, {str(assets)!r})
entities = [prefabs.spawn(name) for name in ("red", "lost", *(f"red{{n}}" for n in range(30)))]
for _ in range({frames}):
    window.dispatch_events()
    window._dispatch_frame(1 / 60)
"""
    )
    run = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        cwd=tmp_path,
        env=None,
    )
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
