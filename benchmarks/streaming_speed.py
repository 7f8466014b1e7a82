"""Benchmarks streaming worlds, beside loading on the main thread and up front."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

from .harness import Options, Row, Target, benchmark

__all__ = ["streaming_cells", "streaming_flight", "streaming_sizes"]

CELLS: Final = 64
MEAN: Final = Target("at most", 0.5)
P99: Final = Target("at most", 2.0)
LONGEST: Final = Target("at most", 3.0)
NONE: Final = Target("at most", 0.0)


@benchmark("streaming_flight")
def streaming_flight(options: Options) -> Iterator[Row]:
    """S1 and S2: flights over 160,000 entities, beside loading on the main thread and up front."""
    whole = options.scale >= 1
    cells = CELLS if whole else 8
    with tempfile.TemporaryDirectory() as folder:
        _run("write", folder, cells)
        for name, speed, seconds, short in (("S1", 600, 60, 15), ("S2", 2_400, 30, 10)):
            if not options.thorough:
                seconds = short
            seconds = seconds if whole else max(1, 1_800 // speed)
            ours = _run("ours", folder, cells, speed, seconds)
            quiet = _run("quiet", folder, cells, speed, seconds)
            naive = _run("naive", folder, cells, speed, seconds)
            yield from _flown(f"{name}, {speed:,} px/s", ours, quiet, naive)
        everything = _run("upfront", folder, cells)
    yield Row(
        "everything up front: time before the game begins",
        everything["seconds"],
        "s",
        note=f"{everything['sprites']:,.0f} sprites, {everything['mb']:.0f} MB; streaming took "
        f"{ours['mb']:.0f} MB in the flight of S2",
    )


def _flown(name: str, ours: Any, quiet: Any, naive: Any) -> Iterator[Row]:
    theirs = "loading on the main thread"

    def row(what: str, key: str, unit: str, found: Any = ours, **more: Any) -> Row:
        value, other = found[key], naive[key]
        ratio = other / value if value else None
        return Row(
            f"{name}: {what}",
            value,
            unit,
            baseline=other,
            baseline_name=theirs,
            ratio=ratio,
            **more,
        )

    seen = f"{ours['there']:.0f} of {ours['frames']:.0f} frames over a cell that was there"
    yield row(
        "plugin, mean of a frame",
        "mean_ms",
        "ms",
        target=MEAN,
        note=f"{ours['loads']:.0f} cells loaded (naive: {naive['loads']:.0f}); {seen}",
    )
    yield row("plugin, median", "p50_ms", "ms")
    yield row("plugin, 99 % of frames", "p99_ms", "ms", target=P99)
    yield row("plugin, longest", "max_ms", "ms")
    yield row("plugin, longest, collector taken over", "max_ms", "ms", quiet, target=LONGEST)
    yield row("frames over 33 ms by the plugin alone", "over_33", "", target=NONE)
    yield row("frames over 16.7 ms by the plugin alone", "over_16", "")
    yield row("longest frame, drawing included", "frame_max_ms", "ms")
    yield row("frames over 16.7 ms, drawing included", "frames_over_16", "")
    yield row("frames over 33 ms, drawing included", "frames_over_33", "")
    yield row("from asked for to there, median", "visible_p50_ms", "ms")
    yield row("from asked for to there, 99 %", "visible_p99_ms", "ms")
    yield row("memory", "mb", "MB")


@benchmark("streaming_cells")
def streaming_cells(options: Options) -> Iterator[Row]:
    """S8 and S9: 200 cells dropped at once, a cell of 20,000 entities, and what a cell costs."""
    whole = options.scale >= 1
    cells, radius = (32, 8) if whole else (8, 2)
    rounds = 3 if options.thorough else 1
    points = 50 if options.thorough else 30 if whole else 5
    with tempfile.TemporaryDirectory() as folder:
        _run("write", folder, cells)
        found = [_run("dropped", folder, cells, radius) for _ in range(rounds)]
        drop = {key: median(one[key] for one in found) for key in found[0]}
        jumps = _run("teleports", folder, cells, points)
    cost = drop["coming_us"] / drop["going_us"]
    yield Row(
        f"S8: {drop['cells']:.0f} cells dropped at once: longest of ours in a frame",
        drop["max_ms"],
        "ms",
        target=LONGEST,
        note=f"{drop['entities']:,.0f} entities gone in {drop['going_frames']:.0f} frames",
    )
    yield Row(
        "main thread, for a cell of 40 that goes",
        drop["going_us"],
        "µs",
        baseline=drop["coming_us"],
        baseline_name="one that comes",
        ratio=cost,
        target=Target("at least", 1.0, of="ratio"),
    )
    yield Row(
        f"S6: teleport to {points} far points, 99 % there after",
        jumps["cold"],
        "ms",
        target=Target("at most", 500.0),
        note=f"median {jumps['cold_p50']:.0f} ms",
    )
    yield Row(
        "S6: the same points once more, 99 % there after",
        jumps["frames"],
        "frames",
        target=Target("at most", 32.0),
        note=f"{jumps['warm']:.0f} ms; median {jumps['warm_p50']:.0f} ms",
    )
    size = 20_000 if whole else 1_000
    with tempfile.TemporaryDirectory() as folder:
        _run("write", folder, 8, 40, size)
        large = [_run("monster", folder, 8) for _ in range(rounds)]
        held = _run("held", folder, 8)
    with tempfile.TemporaryDirectory() as folder:
        _run("write", folder, 8, 40)
        plain = [_run("monster", folder, 8) for _ in range(rounds)]
    yield Row(
        f"S9: a cell of {size:,}: longest of ours in a frame",
        median(one["max_ms"] for one in large),
        "ms",
        target=LONGEST,
    )
    yield Row(
        f"S9: a cell of {size:,}: all of it is there after",
        median(one["monster_s"] for one in large),
        "s",
        target=Target("at most", 3.0),
    )
    late = median(one["last_neighbour_s"] for one in large) * 1e3
    base = median(one["last_neighbour_s"] for one in plain) * 1e3
    yield Row(
        "S9: the last of its neighbours is there after",
        late,
        "ms",
        baseline=base,
        baseline_name="beside a cell of 40",
        ratio=base / late,
        target=Target("at least", 1 / 1.25, of="ratio"),
    )
    yield Row(
        "S9: longest that reading it keeps the interpreter",
        held["held_ms"],
        "ms",
        baseline=held["quiet_ms"],
        baseline_name="nothing is read",
        target=Target("at most", 5.0),
    )


@benchmark("streaming_sizes")
def streaming_sizes(options: Options) -> Iterator[Row]:
    """S18: standing still, and worlds of 10² to 10⁶ cells, of 10⁴ and 10⁶ entities."""
    whole = options.scale >= 1
    worlds = {"small": (10, 1), "vast": (1_000, 1), "few": (16, 40), "many": (158, 40)}
    if not whole:
        worlds = {"small": (10, 1), "vast": (40, 1), "few": (10, 40), "many": (20, 40)}
    found: dict[str, list[Any]] = {name: [] for name in worlds}
    with tempfile.TemporaryDirectory() as top:
        for name, (cells, each) in worlds.items():
            (Path(top) / name).mkdir()
            _run("write", str(Path(top) / name), cells, each)
        for _ in range(3 if options.thorough else 1):
            for name, (cells, each) in worlds.items():
                found[name].append(
                    _run(
                        "sizes",
                        str(Path(top) / name),
                        cells,
                        each,
                        10 if options.thorough else 5 if whole else 2,
                    )
                )

    def middle(name: str, key: str) -> float:
        return median(one[key] for one in found[name])

    count = {name: cells * cells * each for name, (cells, each) in worlds.items()}
    grid = {name: cells * cells for name, (cells, _) in worlds.items()}
    yield Row(
        "standing still: what a world adds to a frame",
        middle("many", "still_ms") - middle("many", "without_ms"),
        "ms",
        target=Target("at most", 0.05),
        note=f"the plugin's whole update: {middle('many', 'still_ms'):.3f} ms",
    )
    yield Row(
        f"flying over {grid['vast']:,} cells: mean of a frame",
        middle("vast", "mean_ms"),
        "ms",
        baseline=middle("small", "mean_ms"),
        baseline_name=f"over {grid['small']:,}",
        ratio=middle("small", "mean_ms") / middle("vast", "mean_ms"),
        target=Target("at least", 1 / 1.2, of="ratio"),
    )
    for name in ("many", "vast"):
        yield Row(
            f"a world of {count[name]:,} entities in {grid[name]:,} cells is open after",
            middle(name, "open_ms"),
            "ms",
            baseline=middle("few", "open_ms"),
            baseline_name=f"of {count['few']:,}",
            target=Target("at most", 100.0),
        )
    yield Row(
        f"memory of a world of {count['many']:,} entities, after a flight",
        middle("many", "mb"),
        "MB",
        baseline=middle("few", "mb"),
        baseline_name=f"of {count['few']:,}",
        ratio=middle("few", "mb") / middle("many", "mb"),
        target=Target("at least", 0.9, of="ratio"),
    )


def _run(what: str, folder: str, *numbers: int) -> dict[str, Any]:
    """Runs a part of `_world_flight` in a process of its own with a window."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks._world_flight",
            what,
            folder,
            *(str(number) for number in numbers),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{what} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout) or {}
    return found
