"""Computes the rows of instances' sprites from a blueprint and the entities' transforms.

An entity has a row for each of its sprites. The rows of one sprite spec are neighbours, so that
texture, color and size are one value repeated. The order of drawing is that of the entities, and
within each that of its parts, as if they had been spawned one after the other.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Container, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

from arcade import Texture

from ...window.instance_list import InstanceRows, InstanceRun
from ..blueprints.blueprint import Blueprint, BlueprintPart
from ..blueprints.sprite_spec import SpriteSpec
from ..entities.transform import turned

__all__ = [
    "InstanceTransforms",
    "ListLayout",
    "Positions",
    "checked_transforms",
    "lay_out",
    "rows_of",
    "runs_of",
    "why_not",
]


class InstanceTransforms(NamedTuple):
    """The transforms of entities, a column for each number.

    Attributes:
        x: Pixels.
        y: Pixels.
        angle: Degrees clockwise; one value stands for all entities.
        scale: Factor of both axes; one value stands for all entities.
    """

    x: array[float]
    y: array[float]
    angle: array[float]
    scale: array[float]


Positions: TypeAlias = "Iterable[Sequence[float]] | array[float]"
"""Pairs (x, y), or an array of numbers with the buffer protocol, x and y in turn; pixels."""


def checked_transforms(
    positions: Positions, angle: float | Sequence[float], scale: float | Sequence[float]
) -> InstanceTransforms:
    """Returns the transforms that a game gave, as columns.

    Raises:
        ValueError: A number is missing, NaN or infinite.
        TypeError: Something is no number.
    """
    x, y = _columns(positions)
    angles, scales = _column("angle", angle, len(x)), _column("scale", scale, len(x))
    for name, some in (("position", x), ("position", y), ("angle", angles), ("scale", scales)):
        # One check for all: the sum is NaN or infinite if any number is.
        if not math.isfinite(sum(some)):
            number = next((n for n, one in enumerate(some) if not math.isfinite(one)), 0)
            raise ValueError(f"the {name} of number {number} is not finite: {some[number]!r}")
    return InstanceTransforms(x, y, angles, scales)


def _columns(positions: Positions) -> tuple[array[float], array[float]]:
    given: Any = positions
    try:
        view = memoryview(given)
    except TypeError:
        pairs = list(given)
        try:
            return array("d", [x for x, _ in pairs]), array("d", [y for _, y in pairs])
        except TypeError as error:
            raise TypeError(f"positions are pairs of numbers, (x, y): {error}") from None
        except ValueError:
            raise ValueError("positions are pairs of numbers, (x, y)") from None
    if view.ndim > 2 or (view.ndim == 2 and view.shape and view.shape[1] != 2):
        raise ValueError(f"positions are x and y in turn, not an array of shape {view.shape}")
    values: Any = view.tolist()
    numbers = array("d", values if view.ndim == 1 else chain.from_iterable(values))
    if len(numbers) % 2:
        raise ValueError(f"positions are x and y in turn, not {len(numbers)} numbers")
    return numbers[0::2], numbers[1::2]


def _column(name: str, given: float | Sequence[float], count: int) -> array[float]:
    if isinstance(given, int | float):
        return array("d", (given,))
    column = array("d", given)
    if len(column) != count:
        raise ValueError(f"{name} is one number for all, or one each: {count}, not {len(column)}")
    return column


class _PlacedSpec(NamedTuple):
    """A sprite of a prefab, relative to the entity.

    Attributes:
        part: The number of its part.
        spec: The sprite spec.
        at: Pixels from the entity.
        angle: Degrees clockwise, relative to the entity.
        scale: Factors of both axes, relative to the entity.
    """

    part: int
    spec: SpriteSpec
    at: tuple[float, float]
    angle: float
    scale: tuple[float, float]


class ListLayout(NamedTuple):
    """The sprites of one entity that are in the same list.

    Attributes:
        layer: The layer that the list is drawn in.
        group: The collision group of the sprites if they are solid, or None.
        sprites: The sprites, in the order of the parts.
    """

    layer: str
    group: str | None
    sprites: tuple[_PlacedSpec, ...]


def why_not(blueprint: Blueprint, hooked: Container[str] = ()) -> str | None:
    """Returns why entities of a prefab cannot be instances, or None if they can.

    Args:
        blueprint: The prefab's blueprint.
        hooked: Components that have ``on_first_spawn`` or ``on_spawn`` hooks.
    """
    for part in blueprint.parts:
        one = part.blueprint
        whose = "it" if part.parent < 0 else f"its child `{part.name or one.id}`"
        name = next((name for name in one.names if name in hooked), None)
        if name is not None:
            return f"{whose} has a `{name}`, whose hook is called for each"
        if one.label is not None:
            return f"{whose} has a text, which is drawn for each"
        spec = one.spec
        if spec is None:
            continue
        if spec.sprite_class != "Sprite":
            return f"{whose} has a sprite of the class `{spec.sprite_class}`"
        if spec.animation is not None:
            return f"{whose} has an animation"
    solid: dict[str, set[str | None]] = {}
    for part in blueprint.parts:
        spec = part.blueprint.spec
        if spec is not None:
            solid.setdefault(spec.layer, set()).add(_wall_group(spec))
    mixed = next((layer for layer, groups in solid.items() if len(groups) > 1), None)
    if mixed is not None:
        return f"its sprites in the layer `{mixed}` do not all belong to the same walls"
    return None


def lay_out(blueprint: Blueprint) -> tuple[ListLayout, ...]:
    """Returns the layouts of a prefab's lists, one for each layer; `why_not` must return None."""
    layers: dict[str, list[_PlacedSpec]] = {}
    groups: dict[str, str | None] = {}
    for number, part in enumerate(blueprint.parts):
        spec = part.blueprint.spec
        if spec is None:
            continue
        (x, y), angle, (wide, high) = _placed(blueprint.parts, part)
        if spec.offset != (0.0, 0.0):
            dx, dy = turned(spec.offset, angle, (wide, high))
            x, y = x + dx, y + dy
        scale = (spec.scale[0] * wide, spec.scale[1] * high)
        placed = _PlacedSpec(number, spec, (x, y), angle + spec.angle, scale)
        layers.setdefault(spec.layer, []).append(placed)
        groups[spec.layer] = _wall_group(spec)
    return tuple(ListLayout(layer, groups[layer], tuple(some)) for layer, some in layers.items())


def _wall_group(spec: SpriteSpec) -> str | None:
    return (spec.group or "default") if spec.solid else None


def _placed(
    parts: Sequence[BlueprintPart], part: BlueprintPart
) -> tuple[tuple[float, float], float, tuple[float, float]]:
    chain_up: list[BlueprintPart] = []
    while part.parent >= 0:
        chain_up.append(part)
        part = parts[part.parent]
    x, y, angle, wide, high = 0.0, 0.0, 0.0, 1.0, 1.0
    for one in reversed(chain_up):
        dx, dy = turned(one.position, angle, (wide, high))
        x, y, angle = x + dx, y + dy, angle + one.angle
        wide, high = wide * one.scale[0], high * one.scale[1]
    return (x, y), angle, (wide, high)


def runs_of(layout: ListLayout, textures: Sequence[Texture], count: int) -> list[InstanceRun]:
    """Returns the runs of a list: a texture and the number of its rows, for each sprite."""
    runs: list[InstanceRun] = []
    for placed, texture in zip(layout.sprites, textures, strict=True):
        points = placed.spec.points
        reach = None
        if points is not None:
            # Relative to the shorter side: the scale may enlarge the hit box along that one alone.
            shorter = min(texture.width, texture.height) or 1
            reach = max((math.hypot(*point) for point in points), default=0.0) / shorter
        runs.append(InstanceRun(texture, count, reach))
    return runs


def rows_of(
    layout: ListLayout, textures: Sequence[Texture], where: InstanceTransforms
) -> InstanceRows:
    """Returns the rows of a list: positions, sizes, colors and drawing order. Any thread."""
    count = len(where.x)
    places, sizes, colors = array("f"), array("f"), array("B")
    for placed, texture in zip(layout.sprites, textures, strict=True):
        places += _places_of(placed, where, count)
        sizes += _sizes_of(placed, texture, where.scale, count)
        colors += array("B", placed.spec.color) * count
    sprites = len(layout.sprites)
    if sprites == 1:
        order = array("i", range(count))
    else:
        runs = [range(first * count, (first + 1) * count) for first in range(sprites)]
        order = array("i", chain.from_iterable(zip(*runs, strict=True)))
    return InstanceRows(places, sizes, colors, order)


def _places_of(placed: _PlacedSpec, where: InstanceTransforms, count: int) -> array[float]:
    places = array("f", bytes(16 * count))
    angles, scales = where.angle, where.scale
    (dx, dy), turn = placed.at, placed.angle
    if not dx and not dy:
        places[0::4] = array("f", where.x)
        places[1::4] = array("f", where.y)
    elif len(angles) == len(scales) == 1:
        dx, dy = turned((dx, dy), angles[0], (scales[0], scales[0]))
        places[0::4] = array("f", [x + dx for x in where.x])
        places[1::4] = array("f", [y + dy for y in where.y])
    else:
        each_angle = angles * count if len(angles) == 1 else angles
        each_scale = scales * count if len(scales) == 1 else scales
        moves = [
            turned((dx, dy), angle, (scale, scale))
            for angle, scale in zip(each_angle, each_scale, strict=True)
        ]
        places[0::4] = array("f", [x + one[0] for x, one in zip(where.x, moves, strict=True)])
        places[1::4] = array("f", [y + one[1] for y, one in zip(where.y, moves, strict=True)])
    if len(angles) > 1:
        places[3::4] = array("f", [angle + turn for angle in angles])
    elif angles[0] + turn:
        places[3::4] = array("f", (angles[0] + turn,)) * count
    return places


def _sizes_of(
    placed: _PlacedSpec, texture: Texture, scales: array[float], count: int
) -> array[float]:
    (width, height), (wide, high) = texture.size, placed.scale
    # Multiplied in Arcade's order: a promoted sprite has exactly the same size.
    if len(scales) == 1:
        scale = scales[0]
        return array("f", (width * (wide * scale), height * (high * scale))) * count
    sizes = array("f", bytes(8 * count))
    sizes[0::2] = array("f", [width * (wide * scale) for scale in scales])
    sizes[1::2] = array("f", [height * (high * scale) for scale in scales])
    return sizes
