"""Benchmarks the loader: time to ready, loads a second, and frame times meanwhile."""

from __future__ import annotations

import gc
import math
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

from arcade_prefabs.frames import GarbageScheduler
from arcade_prefabs.loading import AsyncPrefabLoader, DecodedAsset, LoaderSettings, Priority
from arcade_prefabs.loading.workers.decoders import PrefabDecoder
from arcade_prefabs.pipeline import AssetPipeline
from arcade_prefabs.prefab import Resolver, prefab_id, read_prefabs

from .frame_loop import Frames, percentile, play
from .game import write_game
from .harness import Options, Row, Target, benchmark

__all__ = ["loader", "loading_memory", "loading_speed"]

FILES: Final = 20_000
_PLAIN_S: Final = 6.0  # at 3 frames a second, as many as the others have would take minutes
CACHED: Final = Target("at most", 50.0)
BAKED: Final = Target("at most", 33.0)
COLD: Final = Target("at most", 100.0)
SMOOTH: Final = Target("at least", 0.98, of="ratio")
MANY: Final = Target("at least", 5_000.0)
LEAN: Final = Target("at most", 150.0)


class _Alone(PrefabDecoder):
    """Decodes prefabs without their dependencies, as the images and sounds do not exist."""

    def __call__(self, asset: Any, registry: Any) -> Any:
        made = super().__call__(asset, registry)
        return made._replace(needs=()) if isinstance(made, DecodedAsset) else made


def loader(
    pipeline: AssetPipeline, manners: GarbageScheduler | None = None, **settings: Any
) -> AsyncPrefabLoader:
    """Returns a loader for the benchmarks' prefabs."""
    chosen = LoaderSettings(decoders={"prefab": _Alone()}, **settings)
    return AsyncPrefabLoader(pipeline, chosen, garbage=manners)


@benchmark("loading_speed")
def loading_speed(options: Options) -> Iterator[Row]:
    """Loads while a game plays at 60 FPS: time to ready, loads a second, frames a second."""
    count = max(200, round(FILES * options.scale))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_game(root, count)
        with AssetPipeline(root) as pipeline:
            report = pipeline.bake()
            if not report.ok:
                raise RuntimeError(str(report.errors[:1]))
            ids = [one for one in pipeline.ids("prefab") if "crate" in one]
            random.Random(1).shuffle(ids)
            yield _cached(pipeline, ids[: max(100, count // 20)])
            yield _ready(pipeline, ids, frames=max(120, round(1200 * options.scale)))
            yield from _flood(pipeline, root, ids, 3 if options.thorough else 2)
            yield _on_the_main_thread(root, ids)
        yield _cold(root, max(20, round(200 * options.scale)))


def _cached(pipeline: AssetPipeline, ids: list[str]) -> Row:
    took: list[float] = []
    with loader(pipeline, cache_entries=len(ids)) as own:
        own.wait(own.load_many(ids))
        own.drain(1.0)
        for _ in range(10):
            for one in ids:
                start = time.perf_counter()
                handle = own.load(one)
                took.append(time.perf_counter() - start)
                if not handle.ready:
                    raise RuntimeError(f"{one} was not in the cache")
            own.drain(1.0)
    took.sort()
    return Row(
        "load of a cached prefab, p99",
        percentile(took, 0.99) * 1e6,
        "µs",
        target=CACHED,
        note=f"ready in the call; median {percentile(took, 0.5) * 1e6:.1f} µs",
    )


def _ready(pipeline: AssetPipeline, ids: list[str], frames: int) -> Row:
    """Measures one load in every second frame, with an empty cache."""
    latencies: list[float] = []
    with loader(pipeline, cache_entries=0) as own:
        under_way: list[tuple[float, Any]] = []

        def update() -> None:
            number[0] += 1
            if number[0] % 2 == 0:
                asked = time.perf_counter()
                handle = own.load(ids[number[0] // 2 % len(ids)], priority=Priority.HIGH)
                under_way.append((asked, handle))
            own.drain()
            now = time.perf_counter()
            for one in [one for one in under_way if one[1].done]:
                under_way.remove(one)
                latencies.append(now - one[0])

        number = [0]
        play(lambda done: done >= frames, own.begin_frame, update, own.end_frame)
    if len(latencies) < frames // 2 - 4:
        raise RuntimeError(f"{len(latencies)} loads were ready")
    latencies.sort()
    return Row(
        "baked on disk → ready, p99",
        percentile(latencies, 0.99) * 1e3,
        "ms",
        target=BAKED,
        note=f"60 frames a second, a load in every second one; median "
        f"{percentile(latencies, 0.5) * 1e3:.1f} ms, most of it the wait for the next frame",
    )


def _flood(pipeline: AssetPipeline, root: Path, ids: list[str], rounds: int) -> Iterator[Row]:
    """Plays the loop idle, with loads, and with a thread that parses RON, in turns."""
    rounds = rounds if len(ids) > 5_000 else 1
    idle: list[Frames] = []
    ours: list[Frames] = []
    polite: list[Frames] = []
    plain: list[Frames] = []
    parsed: list[float] = []
    for _ in range(rounds):
        polite.append(_load_all(pipeline, ids, GarbageScheduler(take_over=True)))
        ours.append(_load_all(pipeline, ids, GarbageScheduler()))
        idle.append(_frames(ours[-1].frames))
        stop = threading.Event()
        counted = [0]
        thread = threading.Thread(target=_parse, args=(root, ids, stop, counted))
        thread.start()
        plain.append(_frames(ours[-1].frames, _PLAIN_S))
        stop.set()
        thread.join()
        parsed.append(counted[0] / plain[-1].seconds)
    rates = [len(ids) / one.seconds for one in polite]
    for name, runs, target in (("", polite, SMOOTH), (", collector left alone", ours, None)):
        yield Row(
            f"FPS under a flood of {len(ids):,} loads{name}",
            median([one.fps for one in runs]),
            "FPS",
            baseline=median([one.fps for one in idle]),
            baseline_name="the idle loop",
            ratio=median([a.fps / b.fps for a, b in zip(runs, idle, strict=True)]),
            target=target,
            note=f"all held at once; p99 {median([one.p99_ms for one in runs]):.1f} ms, worst "
            f"{max(one.worst_ms for one in runs):.1f} ms; idle p99 "
            f"{median([one.p99_ms for one in idle]):.1f} ms, worst "
            f"{max(one.worst_ms for one in idle):.1f} ms"
            + ("" if name else "; garbage collected in idle time: take_over"),
        )
    worse = median([a.fps / b.fps for a, b in zip(plain, idle, strict=True)])
    yield Row(
        "FPS while a plain thread parses RON",
        median([one.fps for one in plain]),
        "FPS",
        baseline=median([one.fps for one in idle]),
        baseline_name="the idle loop",
        ratio=worse,
        note=f"the usual advice; p99 {median([one.p99_ms for one in plain]):.1f} ms, worst "
        f"{max(one.worst_ms for one in plain):.1f} ms",
    )
    yield Row(
        "prefabs loaded in the idle time of 60 FPS",
        median(rates),
        "per s",
        baseline=median(parsed),
        baseline_name="a plain thread that parses RON",
        ratio=median([a / b for a, b in zip(rates, parsed, strict=True)]),
        target=MANY,
        note="read, decoded, checked, handed over on the main thread; main thread's budget 2 ms",
    )


def _load_all(pipeline: AssetPipeline, ids: list[str], manners: GarbageScheduler) -> Frames:
    gc.collect()
    with loader(pipeline, manners) as own:
        batch = own.load_many(ids)
        frames = play(lambda _: batch.done, own.begin_frame, own.drain, own.end_frame)
        if batch.errors:
            raise RuntimeError(str(batch.errors))
        return frames


def _frames(count: int, most_s: float = math.inf) -> Frames:
    end = time.perf_counter() + most_s
    return play(lambda done: done >= count or (done > 1 and time.perf_counter() > end))


def _parse(root: Path, ids: list[str], stop: threading.Event, counted: list[int]) -> None:
    for one in ids * 1000:
        if stop.is_set():
            return
        _resolve(root, one)
        counted[0] += 1


def _resolve(root: Path, identifier: str) -> object:
    files = {
        one: read_prefabs((root / one).read_bytes(), one)
        for one in (
            identifier,
            *(prefab_id(name) for name in ("props/wooden", "props/thing", "props/lamp")),
        )
    }
    return Resolver(files.__getitem__).resolve(identifier).build()


def _on_the_main_thread(root: Path, ids: list[str]) -> Row:
    """Loads ten prefabs on the main thread in every tenth frame, as a baseline."""
    waiting = iter(ids)

    def update() -> None:
        number[0] += 1
        if number[0] % 10 == 0:
            for _ in range(10):
                _resolve(root, next(waiting))

    number = [0]
    frames = play(lambda done: done >= min(300, len(ids) // 2), update=update)
    return Row(
        "worst frame, ten prefabs read when needed",
        frames.worst_ms,
        "ms",
        note=f"the simplest way, on the main thread, for comparison; {frames.fps:.1f} FPS",
    )


def _cold(root: Path, count: int) -> Row:
    """Measures loads of files that were never baked, with worker processes already started."""
    latencies: list[float] = []
    folder = root / "prefabs" / "cold"
    folder.mkdir()
    text = 'Prefab(extends: "props/wooden", components: [Tags(["NUMBER"]), Text(text: "{}")])'
    text = text.replace("{}", "x" * (1024 - len(text)))
    for number in range(count + 1):
        (folder / f"c{number}.ron").write_text(text.replace("NUMBER", str(number)))
    with AssetPipeline(root) as pipeline, loader(pipeline) as own:
        own.wait(own.load(f"cold/c{count}"))
        for number in range(count):
            asked = time.perf_counter()
            handle = own.load(f"cold/c{number}")
            play(lambda _, one=handle: one.done, own.begin_frame, own.drain, own.end_frame)
            latencies.append(time.perf_counter() - asked)
            if not handle.ready:
                raise RuntimeError(str(handle.error))
    latencies.sort()
    return Row(
        "RON that is not baked → ready, p99",
        percentile(latencies, 0.99) * 1e3,
        "ms",
        target=COLD,
        note=f"1 kB, compile workers are up, 60 frames a second; median "
        f"{percentile(latencies, 0.5) * 1e3:.1f} ms",
    )


@benchmark("loading_memory")
def loading_memory(options: Options) -> Iterator[Row]:
    """Memory while 100,000 prefabs go through a cache of 96 MB."""
    if not Path("/proc/self/status").exists():
        return
    loads = max(1_000, round(100_000 * options.scale))
    with tempfile.TemporaryDirectory() as name:
        write_game(Path(name), max(200, loads // 2))
        with AssetPipeline(name) as pipeline:
            pipeline.bake()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks._load_memory", name, str(loads)],
            capture_output=True,
            text=True,
            check=True,
        )
    grown, half, cached = map(float, done.stdout.split())
    yield Row(
        f"memory over the start, {loads:,} prefabs through the cache",
        grown,
        "MB",
        target=LEAN,
        note=f"{half:.1f} MB at half of them; the cache says that it has {cached:.1f} MB",
    )
