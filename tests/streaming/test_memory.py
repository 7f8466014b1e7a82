"""The bytes that a world reports are about the bytes that it takes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from arcade_prefabs.streaming.planning.memory_budget import PART

Make = Callable[..., Any]


@pytest.mark.timeout(120)
def test_bytes_are_counted_about_right(world_on: Make, text_of: Make) -> None:
    """S11: what is accounted for a thousand entities is within a quarter of what they take."""
    one = world_on(text_of(range(20), range(4), 60), load_distance=60.0, residency_s=0.0)
    one.put(450, 150)  # the prefabs and images are there from now on
    one.settle()
    gc.collect()
    tracemalloc.start()
    try:
        traced, counted = tracemalloc.get_traced_memory()[0], one.world.statistics().bytes
        before = one.world.statistics().entities
        one.world.set_distances(300.0)
        one.settle()
        one.frame(5)
        gc.collect()
        took = tracemalloc.get_traced_memory()[0] - traced
        now = one.world.statistics()
    finally:
        tracemalloc.stop()
    assert now.entities - before >= 1000
    assert (now.bytes - counted) == pytest.approx(took, rel=0.25)
    assert PART * (now.entities - before) < now.bytes - counted


def test_memory_goes_with_the_cells(world_on: Make, text_of: Make) -> None:
    """Memory is linear in active cells: twice as many take twice as much, none take nothing."""
    one = world_on(text_of(range(30), range(30), 10), residency_s=0.0, load_distance=120.0)
    one.put(1500, 1500)
    one.settle()
    found = []
    for distance in (120.0, 420.0, 820.0, 420.0, 120.0):
        one.world.set_distances(distance)
        one.frame(10)
        one.settle()
        found.append((len(one.cells()), one.world.statistics().bytes))
    (few, little), (_, _), (many, most), *later = found
    each = (most - little) / (many - few)
    for cells, count in (found[1], *later):  # those that shrink keep some, up to unload_distance
        assert count - little == pytest.approx(each * (cells - few), rel=0.02)
    one.put(99_999, 0)
    one.frame(10)
    one.settle()
    assert one.world.statistics().bytes == 0
