"""Benchmarks reading and writing RON, beside the TOML reader of the standard library."""

from __future__ import annotations

import gc
import tomllib
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial

from arcade_prefabs import ron
from arcade_prefabs.ron import positional_reader as careful

from .content import Content, crate, level
from .harness import Options, Row, Target, Times, benchmark, race, ratio_of

__all__ = ["ron_memory", "ron_speed"]

LEVEL_BYTES = 300_000
LARGE_BYTES = 5_000_000

TWICE_AS_FAST = Target("at least", 2.0, of="ratio")
FAST_ENOUGH = Target("at least", 8.0)
LEAN_ENOUGH = Target("at most", 25.0)


@benchmark("ron_speed")
def ron_speed(options: Options) -> Iterator[Row]:
    """Reading a 1 kB prefab and a 300 kB level, and writing them."""
    yield from _speed("1 kB prefab", crate(), options)
    yield from _speed("300 kB level", level(round(LEVEL_BYTES * options.scale)), options)


def _speed(what: str, content: Content, options: Options) -> Iterator[Row]:
    value = ron.loads(content.ron)
    candidates: dict[str, Callable[[], object]] = {
        "ours": partial(ron.loads, content.ron),
        "tomllib": partial(tomllib.loads, content.toml),
        "careful": partial(careful.read, content.ron, nodes=False),
        "dumps": partial(ron.dumps, value),
        "compact": partial(ron.dumps, value, pretty=False),
    }
    times = race(candidates, options)
    ours, theirs = times["ours"], times["tomllib"]
    ron_bytes, toml_bytes = len(content.ron.encode()), len(content.toml.encode())
    yield Row(
        f"loads time, {what}",
        ours.median_s * 1e6,
        "µs",
        baseline=theirs.median_s * 1e6,
        baseline_name="tomllib",
        ratio=ratio_of(theirs, ours),
        target=TWICE_AS_FAST,
        note=f"{ron_bytes} bytes of RON against {toml_bytes} bytes of TOML with the same data",
    )
    yield Row(
        f"loads, {what}",
        _megabytes_per_s(ron_bytes, ours),
        "MB/s",
        baseline=_megabytes_per_s(toml_bytes, theirs),
        baseline_name="tomllib",
        ratio=_megabytes_per_s(ron_bytes, ours) / _megabytes_per_s(toml_bytes, theirs),
        target=FAST_ENOUGH,
    )
    yield Row(
        f"careful reader, {what}",
        _megabytes_per_s(ron_bytes, times["careful"]),
        "MB/s",
        note="reads what the quick reader leaves to it, right or wrong",
    )
    for name, label in (("dumps", "pretty"), ("compact", "compact")):
        written = len(ron.dumps(value, pretty=name == "dumps").encode())
        yield Row(f"dumps {label}, {what}", _megabytes_per_s(written, times[name]), "MB/s")


def _megabytes_per_s(size: int, times: Times) -> float:
    return size / times.median_s / 1e6


@benchmark("ron_memory")
def ron_memory(options: Options) -> Iterator[Row]:
    """The peak memory of reading, as a multiple of the file's size."""
    for size in (LEVEL_BYTES, LARGE_BYTES):
        content = level(round(size * options.scale))
        yield Row(
            f"peak memory, {size / 1e6:g} MB level",
            _peak_factor(ron.loads, content.ron),
            "× the file",
            baseline=_peak_factor(tomllib.loads, content.toml),
            baseline_name="tomllib",
            target=LEAN_ENOUGH,
        )
        if size == LARGE_BYTES and options.scale >= 1 and not options.thorough:
            continue  # 15 seconds, for the same factor
        yield Row(
            f"peak memory of the careful reader, {size / 1e6:g} MB level",
            _peak_factor(partial(careful.read, nodes=False), content.ron),
            "× the file",
            target=LEAN_ENOUGH,
        )
        yield Row(
            f"peak memory with positions, {size / 1e6:g} MB level",
            _peak_factor(careful.read, content.ron),
            "× the file",
            note="what `Document.position` needs, which is asked for errors only",
        )


def _peak_factor(read: Callable[[str], object], text: str) -> float:
    """Returns the peak of traced memory while reading, per byte of the file, without the text."""
    gc.collect()
    tracemalloc.start()
    try:
        value = read(text)
        peak = tracemalloc.get_traced_memory()[1]
        del value
    finally:
        tracemalloc.stop()
    return peak / len(text.encode())
