"""The programs in docs/examples/ are run as they are, and do what they are there to show.

Each is played twice: without a screen and without worker processes, and on a real screen with
worker processes and the game's own event loop.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
LIMIT_S = 55

# Plays a program until its check is satisfied: that is asked after each frame, and yields to wait
# for the next one.
DRIVER = """
import runpy
import sys
import time

import arcade

flip, limit = arcade.Window.flip, time.monotonic() + {limit}
script, shot = sys.argv[1], sys.argv[2]


def pixel(window, x, y):
    return arcade.get_image(int(x), int(y), 1, 1).getpixel((0, 0))[:3]


{check}

{workers}

def shown(window):
    flip(window)
    if not hasattr(window, "_check"):
        window._check = check(window)
    try:
        next(window._check)
    except StopIteration:
        window.clear()
        (window.current_view or window).on_draw()
        arcade.get_image().save(shot)
        window.close()
        print("played")
    if time.monotonic() > limit:
        window.close()
        raise SystemExit("it did not get there in time")


arcade.Window.flip = shown
sys.argv[1:] = sys.argv[3:]
runpy.run_path(script, run_name="__main__")
"""

# As where processes are refused. They have a low priority: beside other tests, each game would wait
# seconds for them to start.
NO_WORKERS = """
from arcade_prefabs.pipeline.bake.worker_pool import ProcessWorkers

ProcessWorkers.possible = staticmethod(lambda: False)
"""

CHECKS = {
    "smallest": """
def check(window):
    while len(window.prefabs.entities) < 1:
        yield
    yield
    window.clear()
    window.on_draw()
    assert pixel(window, 400, 300) != (0, 0, 0)
    assert pixel(window, 300, 300) == (0, 0, 0)
""",
    "platformer": """
def check(window):
    while window.engine is None:
        yield
    assert len(window.prefabs.entities) == 22
    window.on_key_press(arcade.key.RIGHT, 0)
    while window.score < 1:
        window.on_key_press(arcade.key.SPACE, 0)
        yield
    yield
    assert window.hero.sprite.bottom > 60
    assert window.level.child("sign").text == "3 to go"
    assert window.prefabs.scene["items"].__len__() == 3
""",
    "loading_screen": """
def check(window):
    loading = window.current_view
    seen = []
    while window.current_view is loading:
        seen.append(loading.batch.progress)
        yield
    assert seen == sorted(seen)
    assert window.current_view.batch.progress == 1.0
    assert not window.current_view.batch.errors
    while len(window.prefabs.entities) < 12:  # what a frame has no time for comes in the next
        yield
    yield
    window.clear()
    window.current_view.on_draw()
    assert pixel(window, 64, 200) != (0, 0, 0)
""",
    "endless": """
def check(window):
    world = window.world
    while not world.is_open or world.busy:
        yield
    assert len(world.entities_near((0, 0), 500)) > 5
    world.overlay.toggle()  # what F3 does
    window.on_key_press(arcade.key.RIGHT, 0)
    window.on_key_press(arcade.key.UP, 0)
    while window.x < 1500:
        yield
    assert world.overlay.visible
    assert world.player.velocity[0] > 0
    window.on_key_release(arcade.key.RIGHT, 0)
    window.on_key_release(arcade.key.UP, 0)
    place = (window.x, window.y)
    while world.state_at(place).value != "active":  # a busy machine flies it far in one frame
        yield
    assert len(world.entities_near(place, 500)) > 5
""",
    "hot_reload": """
def check(window):
    from pathlib import Path

    while len(window.prefabs.entities) < 4:
        yield
    path = Path(sys.argv[1]) / "prefabs" / "props" / "crate.ron"
    good = path.read_text()
    own = list(window.prefabs.entities)[3]
    path.write_text(good.replace("scale: 0.5", "scale: 1.0"))
    while any(one.sprite.width != 128 for one in window.prefabs.entities):
        yield
    while "up to date" not in window.message.text:
        yield
    assert own.sprite.color == (255, 160, 160, 255)
    path.write_text(good.replace("scale: 0.5", "scale 1.0"))
    while "crate.ron:4" not in window.message.text:
        yield
    assert own.sprite.width == 128
""",
}


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("screen", [False, True], ids=["headless", "screen"])
def test_an_example_does_what_it_shows(
    name: str, screen: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """In a process of its own, as a player would start it."""
    env = {key: value for key, value in os.environ.items() if key != "ARCADE_HEADLESS"}
    env["DISPLAY" if screen else "ARCADE_HEADLESS"] = (
        request.getfixturevalue("display") if screen else "True"
    )
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH")]))
    examples = tmp_path / "examples"
    shutil.copytree(EXAMPLES, examples, ignore=shutil.ignore_patterns(".arcade_prefabs"))
    driver = tmp_path / "driver.py"
    workers = "" if screen else NO_WORKERS
    text = DRIVER.format(limit=LIMIT_S - 10, check=CHECKS[name], workers=workers)
    driver.write_text(text, encoding="utf-8")
    shot = Path(os.environ.get("ARCADE_PREFABS_SHOTS", tmp_path)) / f"{name}-{screen}.png"
    run = subprocess.run(
        [sys.executable, driver, examples / f"{name}.py", shot, examples / "assets"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "played" in run.stdout, run.stderr
    assert "Traceback" not in run.stderr
    assert shot.stat().st_size > 0


def test_every_example_is_played() -> None:
    """Another program in the folder needs another check here."""
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(CHECKS)
