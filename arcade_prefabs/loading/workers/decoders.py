"""Decoders: turn baked pages into the objects that a game uses, in short units.

A decoder takes a `BakedAsset`. It returns a `DecodedAsset`, or a generator that yields after each
unit of about one page and then returns a `DecodedAsset`. Decoders run in loader threads.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from ...errors import AssetError, shown
from ...pipeline import (
    BakedAsset,
    ImageFrame,
    PackedPart,
    PrefabAssembler,
    WorldEntity,
    WorldHead,
    read_cell,
    read_data,
    read_image,
    read_json,
    read_world,
)
from ...prefab import Child, ComponentRegistry, Prefab, prefab_id

__all__ = [
    "AssetDependency",
    "DecodeProgress",
    "DecodedAsset",
    "Decoder",
    "LoadedCell",
    "LoadedImage",
    "PrefabDecoder",
    "builtin_decoders",
    "footprint",
]


AssetDependency: TypeAlias = str | tuple[str, Mapping[str, Any] | None]
"""An asset that another one depends on: its asset id, or its asset id and import settings."""


class DecodedAsset(NamedTuple):
    """Result of a decoder.

    Attributes:
        value: The value of the asset's handles.
        size: The bytes of memory that the value takes.
        needs: The assets that it depends on.
    """

    value: Any
    size: int
    needs: tuple[AssetDependency, ...] = ()


class DecodeProgress(NamedTuple):
    """A decoder's generator yields this between two units.

    Attributes:
        progress: The part of the work that is done, 0 to 1.
        children: Children of a prefab that were decoded in this unit, and can be used already.
    """

    progress: float
    children: tuple[Child, ...] = ()


Decoder: TypeAlias = Callable[
    [BakedAsset, ComponentRegistry], DecodedAsset | Generator[DecodeProgress, None, DecodedAsset]
]
"""Decodes a baked asset, at once or as a generator of units. Called in loader threads."""


class LoadedImage:
    """A decoded image: RGBA pixels, with the border that a texture atlas needs.

    Attributes:
        id: The asset id.
        border: The width of the border around each animation frame, in pixels.
        frames: The animation frames; one for a still image.

    Any thread.
    """

    __slots__ = ("__weakref__", "_pixels", "border", "frames", "id")

    def __init__(
        self, identifier: str, border: int, frames: tuple[ImageFrame, ...], pixels: dict[int, bytes]
    ) -> None:
        self.id = identifier
        self.border = border
        self.frames = frames
        self._pixels = pixels

    def __repr__(self) -> str:
        return f"<LoadedImage {shown(self.id)}: {len(self.frames)} frames>"

    def pixels(self, frame: int = 0) -> bytes:
        """Returns the RGBA bytes of an animation frame with its border, row by row from the top."""
        return self._pixels[self.frames[frame].at]


class LoadedCell(tuple[WorldEntity, ...]):
    """The entities of one cell of a world."""

    __slots__ = ()


class PrefabDecoder:
    """Decodes prefabs, and builds every component once to check it.

    So values that a component's class refuses fail the load, not the first spawn. Parts that are
    equal in many prefabs, such as the lamp on every crate, are checked once.
    """

    def __init__(self) -> None:
        # The JSON of parts that were checked. Two threads may check the same part, which is
        # harmless.
        self._sound: set[bytes] = set()
        self._registry: ComponentRegistry | None = None

    def __call__(
        self, asset: BakedAsset, registry: ComponentRegistry
    ) -> DecodedAsset | Generator[DecodeProgress, None, DecodedAsset]:
        """Decodes a prefab; returns a generator if it has more than one page."""
        if asset.pages > 1:
            return self._pages(asset, registry)
        assembler = PrefabAssembler(packed=True)
        assembler.feed(asset.first)
        return self._checked(assembler.prefab, registry)

    def _pages(
        self, asset: BakedAsset, registry: ComponentRegistry
    ) -> Generator[DecodeProgress, None, DecodedAsset]:
        assembler = PrefabAssembler(packed=True)
        for number in range(asset.pages):
            children = assembler.feed(asset.page(number))
            yield DecodeProgress((number + 1) / (asset.pages + 1), tuple(children))
        prefab = assembler.prefab
        # One unit for 50 children, about a millisecond: a large prefab may have thousands.
        seen: set[int] = set()
        for start in range(0, len(prefab.children), _PARTS):
            for child in prefab.children[start : start + _PARTS]:
                self._measure(child.prefab, registry, seen)
            yield DecodeProgress(asset.pages / (asset.pages + 1))
        return self._checked(prefab, registry)

    def _checked(self, prefab: Prefab, registry: ComponentRegistry) -> DecodedAsset:
        size = self._measure(prefab, registry, set())
        needs = tuple(
            prefab_id(need.name) if need.kind == "prefab" else need.name for need in prefab.needs
        )
        size += sum(len(name) + _BYTES for name in (*needs, *prefab.built_from))
        return DecodedAsset(prefab, size, needs)

    def _measure(self, prefab: Prefab, registry: ComponentRegistry, seen: set[int]) -> int:
        """Builds the unchecked parts of a prefab. Returns the bytes of memory of all its parts."""
        if registry is not self._registry or len(self._sound) > _MOST_SOUND:
            self._sound = set()
            self._registry = registry
        sound = self._sound
        size = 0
        stack = [prefab]
        while stack:
            part = stack.pop()
            if id(part) in seen:
                continue
            seen.add(id(part))
            assert isinstance(part, PackedPart)
            packed = part.packed
            if packed not in sound:
                part.build(registry)
                sound.add(packed)
            size += len(packed) + len(part.packed_needs) + len(part.id) + _PART
            if part.children:
                size += len(part.children) * _CHILD
                stack.extend(child.prefab for child in part.children)
        return size


def _decode_abstract(asset: BakedAsset, _registry: ComponentRegistry) -> DecodedAsset:
    raise AssetError("the prefab is abstract: it can only be extended", path=asset.id)


def _decode_image(
    asset: BakedAsset, _registry: ComponentRegistry
) -> Generator[DecodeProgress, None, DecodedAsset]:
    head = read_image(asset)
    pages: list[bytes] = []
    ends: list[int] = [0]
    for number in range(1, asset.pages):
        page = asset.page(number)
        pages.append(page)
        ends.append(ends[-1] + len(page))
        yield DecodeProgress(number / (asset.pages + 1))
    pixels: dict[int, bytes] = {}
    for frame in head.frames:
        if frame.at not in pixels:
            pixels[frame.at] = _cut(pages, ends, frame.at, frame.at + frame.size)
            yield DecodeProgress(asset.pages / (asset.pages + 1))
    size = sum(map(len, pixels.values())) + 512 * len(head.frames)
    return DecodedAsset(LoadedImage(asset.id, head.border, head.frames, pixels), size)


def _cut(pages: list[bytes], ends: list[int], start: int, end: int) -> bytes:
    """Returns the bytes from ``start`` to ``end`` of consecutive pages, which end at ``ends``."""
    return b"".join(
        page[max(0, start - at) : end - at]
        for page, at in zip(pages, ends, strict=False)
        if at < end
    )


def _decode_world(asset: BakedAsset, _registry: ComponentRegistry) -> DecodedAsset:
    world: WorldHead = read_world(asset)
    return DecodedAsset(world, footprint(world) + world.cells.size)


def _decode_cell(
    asset: BakedAsset, _registry: ComponentRegistry
) -> Generator[DecodeProgress, None, DecodedAsset]:
    entities: list[WorldEntity] = []
    for number, some in enumerate(read_cell(asset), 1):
        entities += some
        yield DecodeProgress(number / (asset.pages + 1))
    # The size is extrapolated from about 50 entities: measuring 20,000 would take 100 ms.
    sample = entities[:: max(1, len(entities) // 50)]
    size = sum(map(footprint, sample)) * len(entities) // max(1, len(sample))
    return DecodedAsset(LoadedCell(entities), size + 8 * len(entities))


def _decode_json(asset: BakedAsset, _registry: ComponentRegistry) -> DecodedAsset:
    value = read_json(asset)
    return DecodedAsset(value, footprint(value))


def _decode_data(asset: BakedAsset, _registry: ComponentRegistry) -> DecodedAsset:
    data = read_data(asset)
    return DecodedAsset(data, len(data) + 33)


def builtin_decoders() -> dict[str, Decoder]:
    """Returns new decoders for all kinds that the built-in processors bake; one set a loader."""
    return {
        "prefab": PrefabDecoder(),
        "abstract": _decode_abstract,
        "image": _decode_image,
        "world": _decode_world,
        "cell": _decode_cell,
        "json": _decode_json,
        "data": _decode_data,
    }


# The bytes that objects take beside their contents in CPython 3.11: a string or bytes object with
# its reference in a tuple; a child with its transform and numbers; a part with its tuples.
_BYTES: Final = 56
_CHILD: Final = 230
_PART: Final = 400
_PARTS: Final = 50
_MOST_SOUND: Final = 4096

# The longest dictionary key, in characters, that counts as the name of a component or field: the
# interpreter keeps such strings once, so they do not count.
_SHARED_NAME: Final = 32
_getsizeof = sys.getsizeof


def footprint(value: Any) -> int:
    """Returns the bytes of memory that a value and its contents take.

    Looks into dictionaries, lists, tuples, sets and msgspec structs, which decoders make. Of any
    other object, the size counts without that of its contents.

    Any thread; takes about a microsecond for ten objects.
    """
    total = 0
    seen: set[int] = set()
    stack = [value]
    while stack:
        one = stack.pop()
        kind = type(one)
        if kind in _ATOMS:
            if kind is not bool and one is not None:
                total += _getsizeof(one)
            continue
        if id(one) in seen:
            continue
        seen.add(id(one))
        total += _getsizeof(one)
        if kind is dict:
            for name, inner in one.items():
                if len(name) > _SHARED_NAME:
                    total += _getsizeof(name)
                stack.append(inner)
        elif isinstance(one, msgspec.Struct):
            stack.extend(getattr(one, name) for name in one.__struct_fields__)
        elif isinstance(one, (list, tuple, set, frozenset)):
            stack.extend(one)
    return total


_ATOMS: Final = frozenset({str, bytes, int, float, bool, type(None)})
