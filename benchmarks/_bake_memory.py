"""Bakes a folder in its own process; prints the peak memory of it and of a worker, in MB."""

from __future__ import annotations

import sys
from pathlib import Path

from arcade_prefabs.pipeline import AssetPipeline, BakeProgress


def _peak_mb(process: str) -> float:
    for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell the peak memory of a process")


def main() -> None:
    workers: dict[str, float] = {}

    def on_progress(progress: BakeProgress) -> None:
        if progress.done % 1000 and progress.done != progress.total:
            return
        for task in Path("/proc/self/task").iterdir():
            for child in (task / "children").read_text(encoding="utf-8").split():
                try:
                    workers[child] = _peak_mb(child)
                except (OSError, RuntimeError):  # it has ended meanwhile
                    continue

    with AssetPipeline(sys.argv[1]) as pipeline:
        report = pipeline.bake(on_progress=on_progress)
        assert report.ok, report.errors[:3]
        print(_peak_mb("self"), max(workers.values(), default=0.0), len(report.baked))


if __name__ == "__main__":
    main()
