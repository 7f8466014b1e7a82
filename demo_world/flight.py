"""`fly`: runs the demo, from opening the window to the report and the exit status."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import arcade
import pyglet
from pyglet import gl

from arcade_prefabs import ArcadePrefabsError, FrameRateError, FrameReport

from .island import Island
from .loading_view import LoadingView
from .plot import plot_frame_times

__all__ = ["RATE", "WARM_UP_S", "DemoWindow", "fly"]

# A little above 60: pyglet's clock sleeps too long rather than too short, 59.2 at 1/60, and on a
# machine that others use, too, one wake-up in a hundred is a millisecond late.
RATE: Final = 1 / 66
# A run with fewer loaded cells or living entities proves nothing.
FEWEST_CELLS: Final = 100
FEWEST_ENTITIES: Final = 1000
# The largest part of frames in which the cell below the player may be missing.
MOST_GAPS: Final = 0.01
# Seconds before measuring begins: shaders and fonts are used for the first time in them.
WARM_UP_S: Final = 1.0
_LONGEST_NS: Final = 10**9


class DemoWindow(arcade.Window):
    """A window whose `flip` waits until the frame before is drawn, also without a display.

    A display does not take a frame before the last one is drawn. Without a display, nothing would
    wait: drawing would fall behind the frames, and its time would not be measured.
    """

    _last_frame: Any = None  # the OpenGL fence after the draw calls of the last frame

    def flip(self) -> None:
        """Shows the frame, after waiting for the one before, as graphics drivers do."""
        if self.headless:
            fence = gl.glFenceSync(gl.GL_SYNC_GPU_COMMANDS_COMPLETE, 0)
            gl.glFlush()
            if self._last_frame is not None:
                gl.glClientWaitSync(self._last_frame, 0, _LONGEST_NS)
                gl.glDeleteSync(self._last_frame)
            self._last_frame = fence
        super().flip()


def fly(options: argparse.Namespace) -> int:
    """Opens the window, plays the demo, and prints the report. Returns the exit status."""
    if options.naive:
        from .naive import fly_naively

        return fly_naively(options)
    try:
        window = DemoWindow(
            *options.window,
            "arcade_prefabs: an island",
            resizable=True,
            antialiasing=False,  # it smooths edges of triangles, which sprites do not show
            update_rate=RATE,
            draw_rate=RATE,
        )
    except Exception as error:
        print(f"no window can be opened: {error}", file=sys.stderr)
        return 2
    if not options.headless:
        window.set_minimum_size(640, 360)
    try:
        island = Island(
            options.assets, options.size, autopilot=options.autopilot, speed=options.speed
        )
    except ArcadePrefabsError as error:
        print(error, file=sys.stderr)
        return 2
    run = _Run(window, island, options)
    try:
        window.show_view(LoadingView(island, run.begin))
        # Not `arcade.run`, which in headless mode does not pace frames, and does not return.
        pyglet.app.run(None)
    finally:
        if isinstance(window.current_view, LoadingView):
            window.current_view.on_hide_view()
        island.close()
    return run.finish()


class _Run:
    """One run of the demo: begins and ends measuring, and judges the result."""

    def __init__(self, window: arcade.Window, island: Island, options: argparse.Namespace) -> None:
        self._window = window
        self._island = island
        self._options = options
        self.report: FrameReport | None = None
        self._wrong: list[str] = []

    def begin(self) -> None:
        """Shows the island, as the world is loaded, and schedules measuring."""
        print("ready: F1 shows the keys" if not self._options.headless else "ready", flush=True)
        self._window.show_view(self._island)
        pyglet.clock.schedule_once(lambda _: self._island.begin(), WARM_UP_S)
        if self._options.seconds:
            pyglet.clock.schedule_once(lambda _: self._end(), WARM_UP_S + self._options.seconds)

    def _end(self) -> None:
        island, options = self._island, self._options
        assert island.world is not None
        self.report = island.prefabs.frame_report()
        loads = island.world.statistics().loads - island.loads
        facts = self.report.facts
        facts["cells loaded"] = loads
        facts["entities alive, fewest"] = island.fewest_alive
        facts["entities alive, most"] = island.most_alive
        facts["entities of the world"] = island.total
        facts["pixels flown"] = round(island.pilot.distance)
        facts["frames without ground"] = island.gaps
        if loads < FEWEST_CELLS:
            self._wrong.append(f"INVALID: only {loads} cells were loaded, not {FEWEST_CELLS}")
        if island.fewest_alive < FEWEST_ENTITIES and options.size >= 64:
            few = island.fewest_alive
            self._wrong.append(f"INVALID: once only {few} entities were alive, not 1,000")
        if island.gaps > MOST_GAPS * self.report.summary.frames:
            self._wrong.append(f"INVALID: {island.gaps} frames had no ground below the player")
        if options.assert_fps:
            try:
                island.prefabs.monitor.assert_fps(options.assert_fps, on_time=options.on_time / 100)
            except FrameRateError as error:
                self._wrong.append(str(error).splitlines()[0])
            late = self.report.summary.plugin_over_33
            if late:
                self._wrong.append(f"{late} frames over 33 ms by the plugin")
        if options.headless:
            try:
                written = island.write(options.out, self.report)
            except OSError as error:
                self._wrong.append(f"the report is not written: {error}")
            else:
                print(f"written: {written}")
        self._window.close()
        pyglet.app.exit()

    def finish(self) -> int:
        """Prints the report. Returns the exit status."""
        if self.report is None:
            view = self._window.current_view
            if isinstance(view, LoadingView) and view.failed:
                return 2
            if self._options.seconds:
                print("left before the flight was over: nothing was measured", file=sys.stderr)
                return 1
            return 0
        print(f"\n{self.report}")
        if self._options.compare:
            theirs = _naive(self._options)
            if theirs is None:
                return 2
            ours = self.report.to_dict()
            print(f"\n{side_by_side(ours, theirs)}")
            picture = self._options.out / "frame_times.png"
            plot_frame_times(
                {
                    "arcade_prefabs": ours["intervals_ms"],
                    "cells loaded on the main thread": theirs["intervals_ms"],
                },
                picture,
            )
            print(f"the frames of both: {picture}")
        for line in self._wrong:
            print(line, file=sys.stderr)
        if self._options.assert_fps and not self._wrong:
            print(f"held {self._options.assert_fps:g} FPS")
        return 1 if self._wrong and (self._options.assert_fps or self._options.compare) else 0


def _naive(options: argparse.Namespace) -> dict[str, Any] | None:
    """Flies the same path with naive loading, in a process of its own. Returns its report."""
    file = (options.out / "naive.json").resolve()
    file.unlink(missing_ok=True)  # the report of an earlier flight
    command = [
        sys.executable, "-m", "demo_world", "--naive", "--autopilot",
        "--seconds", str(options.seconds), "--size", str(options.size),
        "--speed", str(options.speed), "--out", str(file.parent),
        "--window", "{}x{}".format(*options.window),
        "--assets", str(options.assets.resolve()), *(["--headless"] if options.headless else []),
    ]  # fmt: skip
    print("\nthe same way with cells loaded on the main thread:", flush=True)
    status = subprocess.run(command, cwd=Path(__file__).parents[1], check=False).returncode
    if status:
        print(f"the naive run ended with {status}", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def side_by_side(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """Returns both runs as the lines of one table."""
    rows = [f"{'':34}{'arcade_prefabs':>16}{'naive':>12}"]

    def row(name: str, mine: float, other: float, digits: int = 2) -> None:
        rows.append(f"{name:34}{mine:>16,.{digits}f}{other:>12,.{digits}f}")

    row("frames a second", ours["fps"], theirs["fps"])
    row("frames within 16.7 ms, %", ours["on_time"] * 100, theirs["on_time"] * 100)
    row("frames missed", ours["missed"], theirs["missed"], 0)
    row("frames over 33 ms", ours["over_33_ms"], theirs["over_33_ms"], 0)
    for name in ("p50", "p99", "longest"):
        row(f"frame, {name}, ms", ours["frame_ms"][name], theirs["frame_ms"][name])
    for name in ("mean", "p99", "longest"):
        row(f"work of a frame, {name}, ms", ours["work_ms"][name], theirs["work_ms"][name])
    for name in ("cells loaded", "resident, MiB"):
        row(name, ours["facts"][name], theirs["facts"][name], 0)
    return "\n".join(rows)
