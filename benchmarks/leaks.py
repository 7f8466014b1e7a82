"""Benchmarks memory leaks: what grows while a player repeats laps over a world."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, Final

from .harness import Options, Row, Target, benchmark

__all__ = ["leaks"]

LAPS: Final = 20
WARM_UP: Final = 8
NONE: Final = Target("at most", 0.0)


@benchmark("leaks")
def leaks(options: Options) -> Iterator[Row]:
    """Laps over a world, a snapshot after each: types that grow, and their holders."""
    laps, warm_up, lists = (LAPS, WARM_UP, 1_000) if options.scale >= 1 else (2, 1, 20)
    with tempfile.TemporaryDirectory() as folder:
        found = _run(folder, str(laps), str(warm_up))
    plain = _run("plain", str(lists))["each"] * found["loads"] / laps / 1024
    grown = [f"{kind} +{each:.1f}, held by {holder}" for kind, each, holder in found["grown"]]
    yield Row(
        "leaks: Python objects, more in each lap",
        found["objects"],
        "",
        target=Target("at most", 40.0),  # dead cursors of SQLite alone can make it 18 or -18
        note=f"{found['loads']} cells loaded in {laps} laps; "
        + ("; ".join(grown) or "no type grew in every lap"),
    )
    yield Row("leaks: types that grew in every lap", len(grown), "", target=NONE)
    things = dict(found["things"])
    resident = things.pop("resident") / 1024
    for name in ("data", "sprites", "atlas"):
        things[f"bytes of {name}"] = things.pop(name)
    yield Row(
        "leaks: memory of the process, more in each lap",
        resident,
        "kB",
        baseline=plain,
        baseline_name="as many of Arcade's own lists, drawn once",
        note="it ends after some thousand lists; with other drivers it may not be there at all",
    )
    for name, more in things.items():
        yield Row(f"leaks: {name}, more in each lap", more, "", target=NONE)


def _run(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks._leaks", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the laps failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout)
