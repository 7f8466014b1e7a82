"""`FrameHooks` in a window on a real screen: X, a driver's `flip`, and Arcade's event loop.

All else about hooks is tested without a screen, in `hooks/test_frame_hooks.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 50  # starting a window takes one second, on a busy machine some more

GAME = """
import gc
import os
import sys

import arcade
import pyglet

from arcade_prefabs.window.frame_hooks import FrameHooks

FRAMES = 12


class Greedy(arcade.View):
    def on_update(self, delta_time):
        return True


class Window(arcade.Window):
    def __init__(self):
        self.log = []
        super().__init__(320, 240, "a real window")

    def flip(self):
        super().flip()
        self.log.append("flip")
        self.after(self.log.count("flip"))

    def after(self, number):
        if number in (2, 6):  # a view above the hooks, which keeps updates to itself
            self.show_view(Greedy())
        if number == 4:
            self.pop_handlers()
        if number == FRAMES:
            end(self)


def end(window):
    {end}


assert not arcade.headless
window = Window()
log = window.log
hooks = FrameHooks(
    window,
    tick=lambda delta_time: log.append("tick"),
    end_frame=lambda: log.append("end"),
    closed=lambda: log.append("closed"),
)
hooks.enable()
del hooks
gc.collect()
arcade.run()
# The last round of the loop may hold an update still.
for word in log:
    print(word)
"""

FRAME = ["tick", "end", "flip"]
WHOLE = FRAME * 12


def play(display: str, tmp_path: Path, end: str) -> list[str]:
    """Runs the game on the display with that end; returns what its hooks did."""
    script = tmp_path / "game.py"
    script.write_text(textwrap.dedent(GAME).replace("{end}", end), encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if name != "ARCADE_HEADLESS"}
    path = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH")]))
    run = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env=env | {"DISPLAY": display, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout.split()


@pytest.mark.long
@pytest.mark.parametrize(
    "end",
    [
        "window.dispatch_event('on_close')",
        "pyglet.app.platform_event_loop.post_event(window, 'on_close')",
        "window.close()",
        "arcade.close_window()",
    ],
)
def test_closing_a_real_window_ends_the_game_and_is_told_once(
    display: str, tmp_path: Path, end: str
) -> None:
    """Each frame before it was ticked once, and nothing fires after it."""
    log = play(display, tmp_path, end)
    assert log[: len(WHOLE)] == WHOLE
    # A posted event waits for its turn, and a frame or an update may come first.
    rest = log[len(WHOLE) :]
    assert rest.pop() == "closed"
    assert rest in ([], ["tick"], FRAME)


def test_leaving_the_loop_of_a_real_window_is_no_closing(display: str, tmp_path: Path) -> None:
    """`arcade.exit()` ends the game, too, but its window is still there."""
    log = play(display, tmp_path, "arcade.exit()")
    assert log[: len(WHOLE)] == WHOLE
    assert log[len(WHOLE) :] in ([], ["tick"], FRAME)
