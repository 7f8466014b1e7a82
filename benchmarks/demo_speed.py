"""Benchmarks the demo's flight beside naive loading, and the cost of the frame monitor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from arcade_prefabs.monitor import FrameMonitor, Phase

from .harness import Options, Row, Target, benchmark, race

__all__ = ["demo_flight", "monitor_cost"]

ROOT: Final = Path(__file__).resolve().parents[1]
NAIVE: Final = "loading on the main thread"


@benchmark("demo_flight")
def demo_flight(options: Options) -> Iterator[Row]:
    """The demo world without a screen, flown with the plugin and with naive loading."""
    whole = options.scale >= 1
    seconds = 60 if options.thorough else 20 if whole else 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(
            ROOT / "assets", folder / "assets", ignore=shutil.ignore_patterns(".arcade_prefabs")
        )
        done = subprocess.run(
            [
                sys.executable, "-m", "demo_world", "--headless", "--compare",
                "--seconds", str(seconds), "--size", "64" if whole else "16",
                "--assets", str(folder / "assets"), "--out", name,
            ],
            cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not (folder / "naive.json").exists() or (done.returncode and whole):
            raise RuntimeError(f"the demo failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
        ours = json.loads((folder / "demo_world.json").read_text(encoding="utf-8"))
        theirs = json.loads((folder / "naive.json").read_text(encoding="utf-8"))
    yield from _rows(ours, theirs)


def _rows(ours: Any, theirs: Any) -> Iterator[Row]:
    def row(name: str, unit: str, mine: float, other: float, target: Target | None = None) -> Row:
        return Row(f"demo: {name}", mine, unit, baseline=other, baseline_name=NAIVE, target=target)

    facts = ours["facts"]
    yield Row(
        "demo: frames a second",
        ours["fps"],
        "FPS",
        baseline=theirs["fps"],
        baseline_name=NAIVE,
        target=Target("at least", 60.0),
        note=f"{facts['cells loaded']:.0f} cells loaded, {facts['entities alive, fewest']:,.0f} to "
        f"{facts['entities alive, most']:,.0f} of {facts['entities of the world']:,.0f} entities "
        f"alive, {ours['seconds']:.0f} s, drawn by what draws without a screen",
    )
    at_least_99 = Target("at least", 99.0)
    mine, other = ours["on_time"] * 100, theirs["on_time"] * 100
    yield row("frames within 16.7 ms", "%", mine, other, at_least_99)
    none = Target("at most", 0.0)
    yield Row("demo: frames over 33 ms by the plugin", ours["plugin_over_33_ms"], "", target=none)
    yield row("frames over 33 ms", "", ours["over_33_ms"], theirs["over_33_ms"])
    for name in ("p50", "p99", "longest"):
        yield row(f"frame, {name}", "ms", ours["frame_ms"][name], theirs["frame_ms"][name])
    for name in ("mean", "p99", "longest"):
        yield row(f"work of a frame, {name}", "ms", ours["work_ms"][name], theirs["work_ms"][name])
    memory = "resident, MiB"
    yield row("memory of the process", "MiB", facts[memory], theirs["facts"][memory])


@benchmark("monitor_cost")
def monitor_cost(options: Options) -> Iterator[Row]:
    """M1: the time that the frame monitor takes of each frame."""
    monitor = FrameMonitor()

    def frame() -> None:
        monitor.begin_frame()
        for _ in range(2):  # a fixed update and the update, with the plugin in it
            outer = monitor.enter(Phase.UPDATE)
            monitor.leave(monitor.enter(Phase.PLUGIN))
            monitor.leave(outer)
        monitor.note_jobs({"spawn": 0.0})
        monitor.leave(monitor.enter(Phase.DRAW))
        outer = monitor.enter(Phase.FLIP)
        monitor.leave(monitor.enter(Phase.PLUGIN))
        monitor.leave(outer)
        monitor.end_frame()

    try:
        times = race({"monitor": frame}, options)["monitor"]
    finally:
        monitor.close()
    yield Row(
        "frame monitor, for each frame", times.median_s * 1e6, "µs", target=Target("at most", 20.0)
    )
