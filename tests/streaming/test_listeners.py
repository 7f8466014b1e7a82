"""Listeners and hooks: each once, and removed without a fuss, whoever they listen to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from arcade_prefabs import ComponentRegistry

Make = Callable[..., Any]
FILES = {"prefabs/crop.ron": 'Prefab(components: [Sprite(texture: "images/tree.png"), Crop()])'}
WORLD = 'World(cell_size: 100, entities: [(prefab: "crop", id: "one", at: (50, 50))])'


class Ears:
    """What listens: a bound method is another object each time, and the same function."""

    def __init__(self) -> None:
        self.count = 0

    def hear(self, *_: object) -> None:
        self.count += 1


@pytest.fixture
def one(world_on: Make) -> Iterator[Any]:
    registry = ComponentRegistry()

    @registry.component
    @dataclass
    class Crop:
        height: float = 1.0

    made = world_on(
        WORLD, files=FILES, options={"registry": registry}, load_distance=150.0, residency_s=0.0
    )
    made.crop = Crop
    made.put(50, 50)
    made.settle()
    return made


def go_and_come(one: Any) -> None:
    one.put(5050, 5050)
    one.settle()
    one.frame(150)
    one.put(50, 50)
    one.settle()


def edit(one: Any) -> None:
    text = str(FILES["prefabs/crop.ron"])
    one.on.edit({"prefabs/crop.ron": text.replace("Crop()", f"Crop(height: {next(one.heights)})")})


CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]] = {
    "loader": (
        lambda one: one.prefabs.loader.add_listener,
        lambda one: one.prefabs.loader.remove_listener,
        edit,
    ),
    "cells": (
        lambda one: one.world.add_listener,
        lambda one: one.world.remove_listener,
        go_and_come,
    ),
    "spawn": (
        lambda one: one.prefabs.entities.on_spawn(one.crop),
        lambda one: one.prefabs.entities.remove_hook,
        go_and_come,
    ),
    "despawn": (
        lambda one: one.prefabs.entities.on_despawn(one.crop),
        lambda one: one.prefabs.entities.remove_hook,
        go_and_come,
    ),
    "wake": (
        lambda one: one.world.on_wake(one.crop),
        lambda one: one.world.remove_hook,
        go_and_come,
    ),
    "reload": (
        lambda one: one.handle.on_reload,
        lambda one: one.handle.remove_hook,
        edit,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_function_is_called_once_and_not_once_it_was_removed(one: Any, case: str) -> None:
    """Twice added is once; removed twice, or never added, is no error."""
    add_of, remove_of, happen = CASES[case]
    one.handle = one.prefabs.load("crop")
    one.heights = iter(range(2, 9))
    one.frame(3)
    ears, twice, never = Ears(), Ears(), Ears()
    add_of(one)(ears.hear)
    add_of(one)(twice.hear)
    add_of(one)(twice.hear)
    happen(one)
    assert ears.count == twice.count > 0
    heard = ears.count
    for _ in range(2):
        remove_of(one)(twice.hear)
        remove_of(one)(never.hear)
    happen(one)
    assert twice.count == heard < ears.count
    remove_of(one)(ears.hear)
    heard = ears.count
    happen(one)
    assert ears.count == heard


def test_listeners_of_health_and_of_late_frames_are_sets_as_well(one: Any) -> None:
    """What makes them speak is tested with them."""
    ears = Ears()
    world, monitor = one.world, one.prefabs.monitor
    for add, remove, listeners in (
        (world.add_health_listener, world.remove_health_listener, world._runtime.health_listeners),
        (monitor.add_listener, monitor.remove_listener, monitor._listeners),
    ):
        add(ears.hear)
        add(ears.hear)
        assert listeners.count(ears.hear) == 1
        remove(ears.hear)
        remove(ears.hear)
        assert ears.hear not in listeners
