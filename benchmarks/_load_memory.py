"""Loads prefabs in a process of its own, and prints the growth of its memory in MB."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from arcade_prefabs.pipeline import AssetPipeline

from .loading_speed import loader


def _resident_mb() -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell the memory of a process")


def main() -> None:
    loads = int(sys.argv[2])
    with (
        AssetPipeline(sys.argv[1], jobs=0) as pipeline,
        loader(pipeline, cache_entries=loads, cache_bytes=96 * 2**20) as own,
    ):
        ids = pipeline.ids("prefab")
        pipeline.bake()
        gc.collect()
        start = _resident_mb()
        grown: list[float] = []
        done = 0
        while done < loads:
            some = [ids[(done + number) % len(ids)] for number in range(min(500, loads - done))]
            batch = own.load_many(some)
            assert own.wait(batch)
            assert not batch.errors, batch.errors
            done += len(some)
            del batch
            own.drain(1.0)
            grown.append(_resident_mb() - start)
        cached = own.statistics().cache.bytes / 2**20
        print(max(grown), max(grown[: len(grown) // 2]), cached)


if __name__ == "__main__":
    main()
