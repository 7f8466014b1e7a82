"""Benchmarks adding and removing textures: more over time than the atlas can hold at once."""

from __future__ import annotations

import gc
import os
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from statistics import median
from typing import Any, Final

from PIL import Image

from .frame_loop import percentile
from .harness import Options, Row, Target, benchmark

# Set before arcade is imported, so that no display is needed.
os.environ.setdefault("ARCADE_HEADLESS", "True")

__all__ = ["texture_churn"]

TEXTURES: Final = 5_000
ALIVE: Final = 500
SIDE: Final = 64
ATLAS: Final = (2048, 2048)
POINTS: Final = ((-32.0, -32.0), (32.0, -32.0), (32.0, 32.0), (-32.0, 32.0))
GRAY: Final = (90, 90, 90, 255)
NEVER: Final = Target("at most", 0.0)
STEADY: Final = Target("at least", 4.0, of="ratio")
FLAT: Final = Target("at least", 0.8, of="ratio")
HALF: Final = Target("at least", 2.0, of="ratio")


@benchmark("texture_churn")
def texture_churn(options: Options) -> Iterator[Row]:
    """5,000 textures through one atlas, 500 at a time: the main-thread time of each."""
    import arcade

    made = max(1_000, round(TEXTURES * options.scale))
    window = arcade.Window(64, 64, visible=False)
    try:
        # The plugin's first: it leaves nothing that Arcade's atlas would have to clean up.
        ours, theirs = _Ours(window.ctx), _Arcades(window.ctx)
        times = _churn([ours.add, theirs.add], made)
        yield from _compare(times, ours, theirs)
        yield from _parts(window.ctx, max(2, options.rounds))
    finally:
        window.close()


def _compare(times: list[list[float]], ours: _Ours, theirs: _Arcades) -> Iterator[Row]:
    mine, stock = (sorted(one) for one in times)
    for name, share, target in (
        ("median", 0.5, HALF),
        ("p99", 0.99, None),
        ("worst", 1.0, STEADY),
    ):
        a, b = percentile(mine, share) * 1e6, percentile(stock, share) * 1e6
        yield Row(
            f"texture into the atlas, {name}",
            a,
            "µs",
            baseline=b,
            baseline_name="Arcade's atlas.add",
            ratio=b / a,
            target=target,
            note=f"{len(mine):,} of {SIDE}×{SIDE}, {ALIVE} alive, {ATLAS[0]}×{ATLAS[1]}; wall clock"
            if share == 0.5
            else "",
        )
    fifth = len(times[0]) // 5
    late = median(times[0][-fifth:]) * 1e6
    early = median(times[0][fifth : 2 * fifth]) * 1e6  # the first ones find empty room
    yield Row(
        "the last fifth of them beside the second",
        late,
        "µs",
        baseline=early,
        baseline_name="the second fifth",
        ratio=early / late,
        target=FLAT,
        note=f"{ours.atlas.statistics().images} images in the end, dead ones not yet replaced",
    )
    yield Row(
        "all images written anew within an add",
        ours.rebuilds,
        "times",
        baseline=theirs.rebuilds,
        baseline_name="Arcade's atlas",
        target=NEVER,
        note=f"resizes: ours {ours.resizes}, Arcade's {theirs.resizes}",
    )


def _churn(adders: list[Callable[[int, Image.Image, bytes], Any]], made: int) -> list[list[float]]:
    """Returns the seconds of each add, with the atlases in turns; each add drops a texture."""
    border = SIDE + 4
    provider = [random.Random(one).randbytes(border * border * 4) for one in range(64)]
    images = [
        Image.frombytes("RGBA", (border, border), one).crop((2, 2, SIDE + 2, SIDE + 2))
        for one in provider
    ]
    alive: list[deque[Any]] = [deque() for _ in adders]
    times: list[list[float]] = [[] for _ in adders]
    gc.collect()
    for number in range(made):
        for which, add in enumerate(adders):
            if len(alive[which]) >= ALIVE:
                alive[which].popleft()
            seconds, texture = add(number, images[number % 64], provider[number % 64])
            times[which].append(seconds)
            alive[which].append(texture)
    return times


class _Ours:
    """Adds baked pixels to the plugin's atlas in one write."""

    def __init__(self, ctx: Any) -> None:
        from arcade_prefabs.spawning import ReclaimingAtlas

        self.atlas = ReclaimingAtlas(ATLAS, ctx=ctx)

    def add(self, number: int, _: Image.Image, pixels: bytes) -> tuple[float, Any]:
        texture = _stored(self.atlas, f"churn {number}")
        start = time.perf_counter()
        self.atlas.add_pixels(texture, pixels)
        return time.perf_counter() - start, texture

    @property
    def resizes(self) -> int:
        return self.atlas.statistics().resizes

    rebuilds = resizes  # it counts both, and does neither


class _Arcades:
    """Adds Pillow images with given hash and hit box to Arcade's atlas: its cheapest way."""

    def __init__(self, ctx: Any) -> None:
        from arcade.texture_atlas import DefaultTextureAtlas

        self.rebuilds = self.resizes = 0
        outer = self

        class Counting(DefaultTextureAtlas):
            def rebuild(self) -> None:
                outer.rebuilds += 1
                super().rebuild()

            def resize(self, size: tuple[int, int], force: bool = False) -> None:
                outer.resizes += 1
                super().resize(size, force)

        self.atlas = Counting(ATLAS, ctx=ctx)

    def add(self, number: int, image: Image.Image, _: bytes) -> tuple[float, Any]:
        texture = _pillow(f"churn {number}", image)
        start = time.perf_counter()
        self.atlas.add(texture)
        return time.perf_counter() - start, texture


def _parts(ctx: Any, rounds: int) -> Iterator[Row]:
    """Measures adding a texture to an empty atlas, where no room has to be freed."""
    from arcade.texture_atlas import DefaultTextureAtlas

    from arcade_prefabs.spawning import ReclaimingAtlas

    image = Image.new("RGBA", (SIDE, SIDE), GRAY)
    pixels = bytes(GRAY) * (SIDE + 4) ** 2
    numbers = count()
    names = ("add_pixels", "reserve", "upload", "atlas.add")
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(min(rounds, 5)):
        one, two = (ReclaimingAtlas(ATLAS, ctx=ctx) for _ in range(2))
        stock = DefaultTextureAtlas(ATLAS, ctx=ctx, auto_resize=False)
        held = []
        gc.collect()
        for _ in range(800):
            name = str(next(numbers))
            first, second, third = _stored(one, name), _stored(two, name), _pillow(name, image)
            held += [first, second, third]
            stamps = [time.perf_counter()]
            one.add_pixels(first, pixels)
            stamps.append(time.perf_counter())
            two.reserve(second, GRAY)
            stamps.append(time.perf_counter())
            two.upload(name, pixels)
            stamps.append(time.perf_counter())
            stock.add(third)
            stamps.append(time.perf_counter())
            for what, start, end in zip(names, stamps, stamps[1:], strict=False):
                times[what].append(end - start)
    theirs = median(times["atlas.add"]) * 1e6
    both = [a + b for a, b in zip(times["reserve"], times["upload"], strict=True)]
    for figure, seconds in (
        ("pixels at hand: add_pixels", times["add_pixels"]),
        ("pixels later: reserve, then upload", both),
    ):
        ours = median(seconds) * 1e6
        note = ""
        if seconds is both:
            parts = [median(times[name]) * 1e6 for name in ("reserve", "upload")]
            note = f"reserve with a color {parts[0]:.1f} µs, upload {parts[1]:.1f} µs"
        yield Row(
            figure,
            ours,
            "µs",
            baseline=theirs,
            baseline_name="Arcade's atlas.add",
            ratio=theirs / ours,
            target=HALF,
            note=note,
        )


def _stored(atlas: Any, name: str) -> Any:
    import arcade

    from arcade_prefabs.spawning import StoredImage

    return arcade.Texture(StoredImage(name, SIDE, SIDE, atlas), hit_box_points=POINTS)


def _pillow(name: str, image: Image.Image) -> Any:
    import arcade

    return arcade.Texture(arcade.texture.ImageData(image, name), hit_box_points=POINTS)
