"""Benchmarks spawning while the game draws, beside plain sprites of Arcade."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, Final

from .harness import Options, Row, Target, benchmark

__all__ = ["spawning_cost", "spawning_many", "spawning_rounds", "spawning_speed"]

ENTITIES: Final = 1_000
TEXTURES: Final = 100
ROUNDS: Final = 20
TURNS: Final = 1_000
MANY: Final = 1_000
MANY_TURNS: Final = 15
VERY_MANY: Final = 20_000
VERY_MANY_TURNS: Final = 3
GROWN: Final = 100_000
SHORT: Final = Target("at most", 3.0)
CHEAP: Final = Target("at least", 1 / 0.6, of="ratio")
NEAR: Final = Target("at least", 1 / 1.3, of="ratio")
TEN_TIMES: Final = Target("at least", 10.0, of="ratio")
SMALL: Final = Target("at most", 100.0)
NO_MORE: Final = Target("at most", 0.0)
# Pages that the allocator moves about are no leak: a leak of one sprite a round would be 1 MB.
FLAT: Final = Target("at most", 1.0)


@benchmark("spawning_speed")
def spawning_speed(options: Options) -> Iterator[Row]:
    """Spawning 1,000 entities with 100 textures while drawing: the longest frame, and the cost."""
    entities = max(60, round(ENTITIES * options.scale))
    textures = max(6, round(TEXTURES * options.scale))
    turns = 3 if options.scale >= 1 else 1
    found = _measure("bring_in", entities, textures, turns)
    theirs = "load_texture, Sprite, append"
    yield Row(
        "longest of ours in a frame",
        found["longest_ms"],
        "ms",
        baseline=found["stock_longest_ms"],
        baseline_name=theirs,
        ratio=found["stock_longest_ms"] / found["longest_ms"],
        target=SHORT,
        note=f"{entities:,} entities, {textures} textures, the game's calls of spawn included; all "
        f"alive in {found['frames']:.0f} frames; median of {turns}",
    )
    yield Row(
        "the same, first time in a process",
        found["first_longest_ms"],
        "ms",
        baseline=found["first_stock_longest_ms"],
        baseline_name=theirs,
        ratio=found["first_stock_longest_ms"] / found["first_longest_ms"],
    )
    yield Row(
        "main thread, for one entity",
        found["entity_us"],
        "µs",
        baseline=found["stock_entity_us"],
        baseline_name=theirs,
        ratio=found["stock_entity_us"] / found["entity_us"],
        target=CHEAP,
        note=f"{found['entity_us'] / found['stock_entity_us']:.0%} of it, textures included",
    )


@benchmark("spawning_cost")
def spawning_cost(options: Options) -> Iterator[Row]:
    """Spawning and despawning a loaded sprite prefab, beside making and removing a plain sprite."""
    found = _measure("one_by_one", max(20, round(TURNS * options.scale)))
    yield Row(
        "spawn and despawn of a sprite prefab",
        found["entity_us"],
        "µs",
        baseline=found["stock_entity_us"],
        baseline_name="Sprite, append, kill",
        ratio=found["stock_entity_us"] / found["entity_us"],
        target=NEAR,
        note=f"{found['ratio']:.2f} times as much, the median of {TURNS:,} turns; the same atlas "
        "and list",
    )


@benchmark("spawning_many")
def spawning_many(options: Options) -> Iterator[Row]:
    """Instances beside plain sprites: groups of 1,000 and 20,000, promoting them, their memory."""
    for count, turns in ((MANY, MANY_TURNS), (VERY_MANY, VERY_MANY_TURNS)):
        entities = max(60, round(count * options.scale))
        found = _measure("many", entities, max(2, round(turns * options.scale)))
        yield Row(
            f"spawn_many of {entities:,}, for each",
            found["entity_us"],
            "µs",
            baseline=found["stock_entity_us"],
            baseline_name="Sprite, append",
            ratio=found["stock_entity_us"] / found["entity_us"],
            target=TEN_TIMES,
            note=f"{found['ratio']:.3f} times as much; both up to the graphics card",
        )
        yield Row(
            f"promoting one of {entities:,}",
            found["promoted_us"],
            "µs",
            ratio=1 / found["promoted_ratio"],
            baseline=found["promoted_us"] / found["promoted_ratio"],
            baseline_name="Sprite, append",
            note=f"{found['promoted_ratio']:.2f} times as much",
        )
    entities = max(2000, round(GROWN * options.scale))
    found = _measure("growth", entities)
    yield Row(
        "memory of an instance",
        found["bytes"],
        "bytes",
        target=SMALL,
        note=f"what the process grows by, {entities:,} of them, the graphics card's copy included",
    )


@benchmark("spawning_rounds")
def spawning_rounds(options: Options) -> Iterator[Row]:
    """20 rounds of 1,000 spawns and despawns: memory and buffers after the third and the last."""
    entities = max(60, round(ENTITIES * options.scale))
    count = max(6, round(ROUNDS * options.scale))
    found = _measure("rounds", entities, count)
    yield Row(
        f"memory, {count} rounds of {entities:,}: growth since the third",
        found["last_mb"] - found["third_mb"],
        "MB",
        target=FLAT,
        note=f"{found['last_mb']:.0f} MB in all; middle of the last five rounds",
    )
    yield Row(
        "OpenGL buffers: growth since the third",
        found["buffers_last"] - found["buffers_third"],
        "",
        target=NO_MORE,
        note=f"{found['buffers_last']:.0f} at the end",
    )


def _measure(what: str, *numbers: int) -> dict[str, Any]:
    """Runs a part of `_spawn_window` in a process of its own with a window."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "benchmarks._spawn_window",
                what,
                folder,
                *(str(number) for number in numbers),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
