"""From baked pages to the objects that a game works with, in units that are over quickly.

A decoder takes a `BakedAsset` and returns a `DecodedAsset`, or a generator that yields between two
units of work, each about a page, and returns one. It runs in a loader thread.
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
"""An asset that has to be loaded with another one: its id, or that and settings of its own."""


class DecodedAsset(NamedTuple):
    """What a decoder made.

    Attributes:
        value: What handles will have.
        size: Bytes of memory that it takes.
        needs: The assets that have to be loaded with it.
    """

    value: Any
    size: int
    needs: tuple[AssetDependency, ...] = ()


class DecodeProgress(NamedTuple):
    """What a decoder tells between two units of work.

    Attributes:
        progress: How much is done, 0 to 1.
        children: Parts of a prefab that can be used already.
    """

    progress: float
    children: tuple[Child, ...] = ()


Decoder: TypeAlias = Callable[
    [BakedAsset, ComponentRegistry], DecodedAsset | Generator[DecodeProgress, None, DecodedAsset]
]
"""Turns pages into what a game uses, at once or between yields. Called on loader threads."""


class LoadedImage:
    """A decoded image: RGBA pixels with the border that a texture atlas wants.

    Attributes:
        id: Its full id.
        border: Pixels of border around each frame.
        frames: Its frames; more than one for animations and sheets.

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
        """The RGBA bytes of a frame, its border included, row by row from the top."""
        return self._pixels[self.frames[frame].at]


class LoadedCell(tuple[WorldEntity, ...]):
    """The entities of one cell of a world."""

    __slots__ = ()


class PrefabDecoder:
    """Decodes prefabs, and builds every component once.

    What a component's class refuses is an error of the load then, not of the first spawn. Parts
    that are the same in many prefabs, such as the lamp on every crate, are built once for all.
    """

    def __init__(self) -> None:
        # The JSON of parts that were built. Threads may both build the same one, which is harmless.
        self._sound: set[bytes] = set()
        self._registry: ComponentRegistry | None = None

    def __call__(
        self, asset: BakedAsset, registry: ComponentRegistry
    ) -> DecodedAsset | Generator[DecodeProgress, None, DecodedAsset]:
        """See `Decoder`."""
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
        # One unit for so many parts: a large prefab may have thousands, a millisecond for 50.
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
        """Check a prefab and everything in it; gives its bytes."""
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
    """The bytes from one place to another of pages that follow each other."""
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
    # Alike enough for a few of them to stand for all: looking at 20,000 would take 100 ms.
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
    """Decoders for everything that the built-in processors bake, for one loader."""
    return {
        "prefab": PrefabDecoder(),
        "abstract": _decode_abstract,
        "image": _decode_image,
        "world": _decode_world,
        "cell": _decode_cell,
        "json": _decode_json,
        "data": _decode_data,
    }


# Bytes that objects take beside what is in them, as CPython 3.11 has them: a string or bytes object
# with its place in a tuple; a child with its placement and numbers; a part with its tuples.
_BYTES: Final = 56
_CHILD: Final = 230
_PART: Final = 400
_PARTS: Final = 50
_MOST_SOUND: Final = 4096

# What an object that the garbage collector knows has in front of it; `getsizeof` adds it. Names
# of components and fields are the same strings everywhere: they are kept once by the interpreter.
_SHARED_NAME: Final = 32
_getsizeof = sys.getsizeof


def footprint(value: Any) -> int:
    """The bytes of memory that a value takes, with everything in it that is its own.

    Knows what decoders make: dictionaries, lists, tuples, sets, strings, numbers, msgspec
    structs. Whatever else is in it counts for its own size alone.

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
