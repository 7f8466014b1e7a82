"""Benchmarks the pipeline: baking, checking again and reading back; the size of the store."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from arcade_prefabs.pipeline import AssetPipeline, decode_prefab, encode_prefab
from arcade_prefabs.prefab import PrefabFile, Resolver, prefab_id, read_prefabs

from .game import write_game
from .harness import Options, Row, Target, benchmark, race

__all__ = ["pipeline_memory", "pipeline_speed"]

FILES: Final = 10_000
MANY_FILES: Final = 50_000
COLD: Final = Target("at least", 3_000.0)
UNCHANGED: Final = Target("at most", 0.5)
TYPED: Final = Target("at least", 20_000.0)
SMALL: Final = Target("at most", 0.70)
LEAN: Final = Target("at most", 300.0)


@benchmark("pipeline_speed")
def pipeline_speed(options: Options) -> Iterator[Row]:
    """A folder of 1 kB prefabs: baked cold, checked unchanged, read back; bytes in the store."""
    count = max(100, round(FILES * options.scale))
    turns = min(3, options.rounds)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        text_bytes = write_game(root, count)
        cold: list[float] = []
        anew: list[float] = []
        for _ in range(turns):
            shutil.rmtree(root / ".arcade_prefabs", ignore_errors=True)
            anew.append(_took(partial(_parse_all, root)))
            with AssetPipeline(root, clock_ns=_later) as pipeline:
                cold.append(_took(partial(_bake_all, pipeline, count)))
        baked, parsed = statistics.median(cold), statistics.median(anew)
        yield Row(
            f"bake {count:,} prefabs cold",
            count / baked,
            "per s",
            baseline=count / parsed,
            baseline_name="parse and check, one thread",
            ratio=statistics.median(a / b for a, b in zip(anew, cold, strict=True)),
            target=COLD,
            note=f"wall clock, {os.cpu_count()} cores, written to the store; starting the worker "
            "processes counts; the baseline parses the RON anew and keeps nothing",
        )
        with AssetPipeline(root, clock_ns=_later) as pipeline:
            pipeline.bake()
            unchanged = [_took(partial(_check, pipeline, count)) for _ in range(max(3, turns))]
            yield Row(
                f"check {count:,} unchanged files",
                statistics.median(unchanged),
                "s",
                baseline=parsed,
                baseline_name="parse and check, one thread",
                ratio=parsed / statistics.median(unchanged),
                target=UNCHANGED,
                note="wall clock",
            )
            yield from _reading(pipeline, root, options)
            statistic = pipeline.statistics()
            yield Row(
                "bake store, of the RON text's size",
                statistic.store_bytes / text_bytes,
                "×",
                target=SMALL,
                note=f"{statistic.packed_bytes / text_bytes:.0%} are pages, the rest is what they "
                "were made from",
            )
            release = pipeline.write_release(root / "game.prefabs")
            yield Row("release file, of the RON text's size", release / text_bytes, "×")


def _reading(pipeline: AssetPipeline, root: Path, options: Options) -> Iterator[Row]:
    """Measures reading prefabs back: from pages to typed prefabs."""
    identifier = next(one for one in pipeline.ids("prefab") if "crate" in one)
    prefab = pipeline.get_prefab(identifier)
    pages = encode_prefab(prefab)
    text = (root / identifier).read_bytes()
    parents = {
        one: read_prefabs((root / one).read_bytes(), one)
        for one in (prefab_id(name) for name in ("props/wooden", "props/thing", "props/lamp"))
    }

    def typed() -> object:
        return decode_prefab(pages).build()

    def from_store() -> object:
        return pipeline.get_prefab(identifier).build()

    def from_text() -> object:
        files = {**parents, identifier: read_prefabs(text, identifier)}
        return Resolver(files.__getitem__).resolve(identifier).build()

    times = race({"typed": typed, "store": from_store, "text": from_text}, options)
    for name, figure, target in (
        ("typed", "page → typed prefab", TYPED),
        ("store", "store → typed prefab", None),
    ):
        yield Row(
            figure,
            1 / times[name].median_s,
            "per s",
            baseline=1 / times["text"].median_s,
            baseline_name="from the RON text",
            ratio=times["text"].median_s / times[name].median_s,
            target=target,
            note="parents read before" if name == "typed" else "SQLite, unpacking and all",
        )


@benchmark("pipeline_memory")
def pipeline_memory(options: Options) -> Iterator[Row]:
    """The peak memory of a bake, in the game's process and in a worker process."""
    if not Path("/proc/self/status").exists():
        return
    for files in (MANY_FILES // 10, MANY_FILES):
        count = max(100, round(files * options.scale))
        with tempfile.TemporaryDirectory() as name:
            write_game(Path(name), count)
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks._bake_memory", name],
                capture_output=True,
                text=True,
                check=True,
            )
        main_mb, worker_mb, baked = done.stdout.split()
        if int(baked) < count:
            raise RuntimeError(f"{baked} of {count} files were baked")
        yield Row(
            f"peak memory, bake of {count:,} prefabs",
            float(main_mb),
            "MB",
            target=LEAN,
            note=f"each worker process {float(worker_mb):.0f} MB",
        )


def _took(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _later() -> int:
    """Returns the time in an hour: a bake reads very new files again, as they may still change."""
    return time.time_ns() + 3600 * 1_000_000_000


def _bake_all(pipeline: AssetPipeline, count: int) -> None:
    report = pipeline.bake()
    if not report.ok or len(report.baked) < count:
        raise RuntimeError(f"{len(report.baked)} of {count} files were baked: {report.errors[:1]}")


def _check(pipeline: AssetPipeline, count: int) -> None:
    report = pipeline.bake()
    if report.unchanged < count or report.baked:
        raise RuntimeError(f"{report.unchanged} of {count} files were found unchanged")


def _parse_all(root: Path) -> None:
    """Parses all files one after the other, as a game without a pipeline; parents only once."""
    parents: dict[str, PrefabFile] = {}

    def load(identifier: str) -> PrefabFile:
        if identifier not in parents:
            parents[identifier] = read_prefabs((root / identifier).read_bytes(), identifier)
        return parents[identifier]

    for path in root.rglob("*.ron"):
        identifier = path.relative_to(root).as_posix()
        file = read_prefabs(path.read_bytes(), identifier)
        Resolver(lambda one, own=file: own if one == own.id else load(one)).resolve(identifier)
