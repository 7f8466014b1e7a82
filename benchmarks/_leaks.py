"""What grows while a game goes round and round, and who holds it."""

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
_REMEMBERED: Final = 1_000  # pauses of the collector, by those who keep the last ones
_IDLE_S: Final = 0.002  # of each frame: loader threads work while a game waits

# How many objects there are of a type. A plain dictionary of names and numbers is nothing that the
# garbage collector knows, so snapshots do not count one another.
Snapshot: TypeAlias = dict[str, int]


class Growth(NamedTuple):
    """A type of objects of which there are more and more, and who holds one of them."""

    kind: str
    each_lap: float
    held_by: str


def take() -> Snapshot:
    """Count all objects that the garbage collector knows, after it has run."""
    gc.collect()
    return dict(Counter(_kind(one) for one in gc.get_objects()))


def _kind(one: object) -> str:
    kind = type(one)
    return f"{kind.__module__}.{kind.__qualname__}"


def grown(laps: list[Snapshot]) -> list[Growth]:
    """The types that grew in every lap, by one at least, and who holds their newest objects."""
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
    """How many more there are in each lap: the least of the later half against the earlier half's.

    Not the last against the first: SQLite's module, for one, forgets its dead cursors by the 200.
    """
    half = len(counts) // 2
    return (min(counts[-half:]) - min(counts[:half])) / (len(counts) - half)


def holders(one: object) -> str:
    """Who holds an object, and who holds that one in turn, up to a module or a root."""
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
    """Instances of somebody's class tell more than dictionaries, those more than lists of all."""
    if _module_of(holder) is not None:
        return 0
    if _kind(holder).startswith("builtins."):
        return 2 if isinstance(holder, dict) else 3
    return 1


def _module_of(holder: object) -> str | None:
    """The module whose names a dictionary holds."""
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
    """Rounds over a small world; what there is more of after each of them.

    Args:
        folder: An empty one.
        laps: How many rounds.
        warm_up: Rounds before them: until every cell on the way was seen.
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
        # Until nothing is left of the world: how many cells stay around a place differs.
        for _ in range(1_000):
            frame(-reach * 10, -reach * 10)
            if one.settled:
                break
        else:
            raise RuntimeError("after the lap, cells were loading for 1,000 frames")
        one.plugin.monitor.reset()  # it remembers hitches, which the counting makes
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
    """What the process grows by when lists of Arcade's own are made, drawn once and dropped.

    Much of it is the graphics driver's, which takes memory for new buffers before it gives that of
    dead ones back.
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
