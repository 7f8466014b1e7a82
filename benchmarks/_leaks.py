"""Finds types whose number of objects grows while a game repeats laps, and their holders."""

from __future__ import annotations

import gc
import itertools
import json
import math
import os
import sys
import threading
import time
import types
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

__all__ = ["Growth", "Snapshot", "fly", "grown", "growth", "holders", "plain", "take"]

_DEPTH: Final = 4
_SHOWN: Final = 5
_OPEN_FILES: Final = Path("/proc/self/fd")
_REMEMBERED: Final = 1_000  # pauses of the garbage collector: the monitor keeps the last ones
_IDLE_S: Final = 0.002  # seconds of waiting in each frame, in which loader threads run

# The number of objects of each type. The garbage collector does not track a plain dictionary of
# names and numbers, so snapshots do not count one another.
Snapshot: TypeAlias = dict[str, int]


class Growth(NamedTuple):
    """A type whose number of objects grows, and the holders of one of its objects."""

    kind: str
    each_lap: float
    held_by: str


def take() -> Snapshot:
    """Counts all objects that the garbage collector tracks, after a collection."""
    gc.collect()
    return dict(Counter(_kind(one) for one in gc.get_objects()))


def _kind(one: object) -> str:
    kind = type(one)
    return f"{kind.__module__}.{kind.__qualname__}"


def grown(laps: list[Snapshot]) -> list[Growth]:
    """Returns the types that grew by at least one in every lap, with holders of new objects."""
    found = []
    for kind in laps[-1]:
        counts = [lap.get(kind, 0) for lap in laps]
        if all(two > one for one, two in itertools.pairwise(counts)):
            found.append((kind, (counts[-1] - counts[0]) / (len(counts) - 1)))
    found.sort(key=lambda one: -one[1])
    result = []
    for kind, each in found[:_SHOWN]:
        newest = next((one for one in reversed(gc.get_objects()) if _kind(one) == kind), None)
        result.append(Growth(kind, each, "nobody" if newest is None else holders(newest)))
    return result


def growth(counts: list[int]) -> float:
    """Returns the growth in each lap: the least of the later half minus that of the earlier half.

    Not the last minus the first, as some numbers oscillate: SQLite's module drops its dead cursors
    200 at a time.
    """
    half = len(counts) // 2
    return (min(counts[-half:]) - min(counts[:half])) / (len(counts) - half)


def holders(one: object) -> str:
    """Returns the chain of holders of an object, up to a module or a root."""
    chain = []
    seen = {id(one), id(chain)}
    for _ in range(_DEPTH):
        frame = sys._getframe()
        referrers = [
            other
            for other in gc.get_referrers(one)
            if id(other) not in seen
            and not isinstance(other, types.FrameType)
            and other is not frame
        ]
        if not referrers:
            break
        holder = min(referrers, key=_rank)
        seen.add(id(holder))
        seen.add(id(referrers))
        chain.append(_named(holder, one))
        if isinstance(holder, types.ModuleType) or _module_of(holder) is not None:
            break
        one = holder
    return " < ".join(chain) or "nobody"


def _rank(holder: object) -> int:
    """Returns the order of holders, the most telling first: modules, instances, dictionaries."""
    if _module_of(holder) is not None:
        return 0
    if _kind(holder).startswith("builtins."):
        return 2 if isinstance(holder, dict) else 3
    return 1


def _module_of(holder: object) -> str | None:
    """Returns the module whose namespace a dictionary is, or None."""
    if isinstance(holder, dict) and "__name__" in holder and "__builtins__" in holder:
        return str(holder["__name__"])
    return None


def _named(holder: object, held: object) -> str:
    module = _module_of(holder)
    if isinstance(holder, dict):
        keys = [str(key) for key, value in holder.items() if value is held]
        return f"{module or 'dict'}[{keys[0] if keys else '?'}]"
    return _kind(holder)


def fly(folder: Path, laps: int, warm_up: int) -> dict[str, Any]:
    """Flies laps over a small world, and counts objects after each.

    Args:
        folder: An empty folder for the world.
        laps: The number of counted laps.
        warm_up: The number of laps before, in which every cell on the path is loaded once.
    """
    os.environ["ARCADE_HEADLESS"] = "True"
    import arcade

    from ._spawn_window import SIZE
    from ._world_ways import CELL, Ours, write_world

    cells = 10
    write_world(folder, cells)
    window = arcade.Window(*SIZE, "benchmark")
    one = Ours(window, folder, f"grid_{cells}_40", residency_s=0.0)
    middle, reach = cells * CELL / 2, cells * CELL * 0.35

    def frame(x: float, y: float) -> None:
        one.begin()
        one.update(x, y)
        window.clear()
        one.draw()
        window.flip()
        one.end()
        time.sleep(_IDLE_S)

    def lap(steps: int) -> None:
        for step in range(steps):
            turn = 2 * math.pi * step / steps
            frame(middle + reach * math.sin(turn), middle + reach * math.sin(2 * turn))
        # Until the world has no cells left: the number of cells that stay differs from lap to lap.
        for _ in range(1_000):
            frame(-reach * 10, -reach * 10)
            if one.settled:
                break
        else:
            raise RuntimeError("after the lap, cells were loading for 1,000 frames")
        one.plugin.monitor.reset()  # counting makes late frames, whose hitches it would keep
        del one.latencies[:]
        one.asked.clear()

    def count_things() -> dict[str, float]:
        things: dict[str, float] = one.plugin.memory()._asdict()
        things["threads"] = threading.active_count()
        if _OPEN_FILES.is_dir():
            things["files"] = len(list(_OPEN_FILES.iterdir()))
        return things

    for _ in range(_REMEMBERED):
        gc.collect(0)
    for _ in range(warm_up):
        lap(240)
    found = [take()]
    first, loads = count_things(), one.world.statistics().loads
    for _ in range(laps):
        lap(240)
        found.append(take())
    last, loads = count_things(), one.world.statistics().loads - loads
    if loads < 10 * laps:
        raise RuntimeError(f"only {loads} cells were loaded in {laps} laps")
    more = grown(found)
    one.close()
    return {
        "loads": loads,
        "objects": growth([sum(lap.values()) for lap in found]),
        "things": {name: (last[name] - first[name]) / laps for name in last},
        "grown": [list(one) for one in more],
    }


def plain(lists: int) -> dict[str, Any]:
    """Measures by how much the process grows when plain sprite lists are made, drawn and dropped.

    Much of it is memory of the graphics driver, which allocates new buffers before it frees dead
    ones.
    """
    os.environ["ARCADE_HEADLESS"] = "True"
    import arcade

    from arcade_prefabs.plugin.memory_report import resident_bytes

    from ._spawn_window import SIZE

    window = arcade.Window(*SIZE, "benchmark")
    texture = arcade.make_soft_square_texture(32, arcade.color.RED)
    before = 0
    for number in range(lists + lists // 4):
        if number == lists // 4:
            gc.collect()
            before = resident_bytes()
        sprites: arcade.SpriteList[arcade.Sprite] = arcade.SpriteList()
        for place in range(40):
            sprites.append(arcade.Sprite(texture, 1.0, place * 30, 100))
        sprites.draw()
        window.flip()
        del sprites
        window.ctx.gc()
    gc.collect()
    return {"each": (resident_bytes() - before) / lists}


if __name__ == "__main__":
    if sys.argv[1] == "plain":
        told = plain(int(sys.argv[2]))
    else:
        told = fly(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps(told))
