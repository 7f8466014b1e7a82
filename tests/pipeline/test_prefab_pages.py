"""Prefabs in pages: what goes in comes out, in bounded pieces, and damage is said."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcade_prefabs import ComponentRegistry
from arcade_prefabs.errors import AssetTooLargeError, StoreError
from arcade_prefabs.pipeline import (
    PAGE_BYTES,
    AssetPipeline,
    MemorySource,
    PrefabAssembler,
    decode_prefab,
    encode_prefab,
)
from arcade_prefabs.pipeline.processors.prefab_pages import LARGEST_PREFAB
from arcade_prefabs.prefab import Child, Dependency, Prefab, Resolver, Transform, read_prefabs

NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | NAMES | st.integers(-(2**63), 2**64 - 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
COMPONENTS = st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=3), max_size=3)
PLACEMENTS = st.builds(
    Transform,
    st.tuples(NUMBERS, NUMBERS),
    NUMBERS,
    st.one_of(NUMBERS, st.tuples(NUMBERS, NUMBERS)),
)


def owners(inner: st.SearchStrategy[Prefab]) -> st.SearchStrategy[Prefab]:
    children = st.lists(st.builds(Child, st.none() | NAMES, PLACEMENTS, inner), max_size=4)
    # Parts that stand in several places are one object, as the resolver gives them.
    doubled = children.map(lambda found: (*found, *found[:2]))
    return st.builds(Prefab, NAMES, COMPONENTS, doubled)


PREFABS = st.recursive(st.builds(Prefab, NAMES, COMPONENTS), owners, max_leaves=12)
WHOLE = st.builds(
    lambda prefab, needs, files: msgspec.structs.replace(
        prefab, needs=tuple(needs), built_from=tuple(files)
    ),
    PREFABS,
    st.lists(st.builds(Dependency, NAMES, NAMES), max_size=4),
    st.lists(NAMES, max_size=4),
)


@dataclass
class Bag:
    raw: bytes
    table: dict[int, str]
    pair: tuple[float, float]
    names: set[str]
    maybe: int | None
    anything: Any
    big: int


def leaf(name: str, size: int = 0) -> Prefab:
    return Prefab(name, {"Tags": {"names": ["x" * size]}} if size else {})


def rows_of(count: int, prefab: Prefab, start: int = 10_000) -> tuple[Child, ...]:
    return tuple(
        Child(None, Transform((float(number), 0.0)), prefab)
        for number in range(start, start + count)
    )


@pytest.mark.long
@settings(max_examples=150, deadline=None)
@given(prefab=WHOLE)
def test_prefab_comes_out_as_it_went_in(prefab: Prefab) -> None:
    """With all its parts, in their order; the bytes are the same each time."""
    pages = encode_prefab(prefab)
    assert decode_prefab(pages) == prefab
    assert decode_prefab(iter(pages)) == prefab
    assert encode_prefab(prefab) == pages
    assert all(len(page) <= PAGE_BYTES for page in pages)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(60_000, PAGE_BYTES - 400), min_size=1, max_size=5),
    needs=st.integers(0, 3000),
    count=st.integers(0, 3000),
)
def test_no_page_is_larger_than_the_limit(sizes: list[int], needs: int, count: int) -> None:
    """However the records fall on the borders of pages."""
    parts = [leaf(f"prefabs/{number}.ron", size) for number, size in enumerate(sizes)]
    prefab = Prefab(
        "prefabs/all.ron",
        {str(number): {"data": "y" * size} for number, size in enumerate(sizes)},
        tuple(child for part in parts for child in rows_of(count // len(parts), part)),
        tuple(Dependency("texture", f"images/{number}.png") for number in range(needs)),
        tuple(f"prefabs/{number}.ron" for number in range(needs)),
    )
    pages = encode_prefab(prefab)
    assert max(len(page) for page in pages) <= PAGE_BYTES
    assert decode_prefab(pages) == prefab


@pytest.mark.parametrize("over", range(-4, 5))
def test_component_fills_a_page_or_is_refused(over: int) -> None:
    """Around the very border: never a page that is too large, never a wrong error."""
    text = 'Prefab(components: [Tags(["{}"])])'
    room = PAGE_BYTES - 256 - 1 - len(b'[0,"prefabs/a.ron",{"Tags":{"names":[""]}}]')
    source = MemorySource({"prefabs/a.ron": text.format("x" * (room + over))})
    with AssetPipeline(source, jobs=0) as pipeline:
        report = pipeline.bake()
        if over <= 0:
            assert report.ok
            prefab = pipeline.get_prefab("a")
            assert prefab.components["Tags"]["names"] == ["x" * (room + over)]
        else:
            assert [type(error) for error in report.errors] == [AssetTooLargeError]
            assert "Tags" in str(report.errors[0])


def test_component_that_is_too_large_deep_inside_is_refused_with_its_name() -> None:
    """The error names the component, its prefab, and what to do."""
    part = Prefab("prefabs/part.ron", {"Small": {}, "Huge": {"data": "x" * PAGE_BYTES}})
    with pytest.raises(AssetTooLargeError, match="Huge") as caught:
        encode_prefab(Prefab("prefabs/a.ron", {}, rows_of(1, part)))
    assert caught.value.path == "prefabs/part.ron"
    assert caught.value.hint


def test_ten_thousand_children_come_page_by_page() -> None:
    """Each page brings children that can be used at once; together they are all."""
    crate = leaf("prefabs/crate.ron", 50)
    prefab = Prefab("prefabs/warehouse.ron", {"Tags": {"names": []}}, rows_of(10_000, crate))
    pages = encode_prefab(prefab)
    assert len(pages) > 2
    assembler = PrefabAssembler()
    seen: list[Child] = []
    for number, page in enumerate(pages, 1):
        new = assembler.feed(page)
        assert new
        seen += new
        assert assembler.children == seen
        assert all(child.prefab == crate for child in new)
        assert (assembler.fed, assembler.pages) == (number, len(pages))
        assert assembler.components == prefab.components
        if number < len(pages):
            with pytest.raises(StoreError):
                _ = assembler.prefab
    assert assembler.prefab == prefab


def test_ten_thousand_children_with_parts_of_their_own_come_out() -> None:
    """Parts on many pages, rows between them, two levels deep."""
    shelves = [
        Prefab(f"prefabs/shelf{number}.ron", {}, rows_of(100, leaf(f"p{number}", 900)))
        for number in range(100)
    ]
    children = tuple(Child(f"s{n}", Transform(), shelf) for n, shelf in enumerate(shelves))
    prefab = Prefab("prefabs/hall.ron", {}, children)
    pages = encode_prefab(prefab)
    assert len(pages) > 3
    assert max(len(page) for page in pages) <= PAGE_BYTES
    decoded = decode_prefab(pages)
    assert decoded == prefab
    assert sum(1 for _ in decoded.walk()) == 1 + 100 + 100 * 100


def same_rows() -> tuple[Prefab, tuple[bytes, ...]]:
    """A prefab with pages that hold rows of one part only."""
    prefab = Prefab("prefabs/a.ron", {}, rows_of(10_000, leaf("prefabs/c.ron")))
    pages = encode_prefab(prefab)
    assert len(pages) == 3
    return prefab, pages


def orders() -> list[tuple[int, ...]]:
    wrong = [one for one in itertools.permutations(range(3)) if one != (0, 1, 2)]
    return [
        *wrong,
        (0, 1),
        (0,),
        (),
        (0, 1, 1),
        (0, 2, 2),
        (0, 0, 1, 2),
        (0, 1, 2, 2),
        (0, 1, 2, 1),
    ]


@pytest.mark.parametrize("order", orders())
def test_pages_out_of_order_are_refused(order: tuple[int, ...]) -> None:
    """Missing, doubled or swapped: an error, never another prefab."""
    _, pages = same_rows()
    with pytest.raises(StoreError):
        decode_prefab([pages[number] for number in order])


@pytest.mark.parametrize("order", orders())
def test_pages_of_parts_out_of_order_are_refused(order: tuple[int, ...]) -> None:
    """The same where each page has parts of its own."""
    children = tuple(Child(None, Transform(), leaf(f"prefabs/{n}.ron", 30_000)) for n in range(10))
    pages = encode_prefab(Prefab("prefabs/a.ron", {}, children))
    assert len(pages) == 3
    with pytest.raises(StoreError):
        decode_prefab([pages[number] for number in order])


def page(head: list[int] | None, parts: list[Any], rows: list[Any], *more: Any) -> bytes:
    return msgspec.json.encode([head, parts, rows, *(more or ([], []))])


ROOT = [0, "prefabs/a.ron", {}]
PART = [1, "prefabs/b.ron", {}]


def row(parent: int, part: int) -> list[Any]:
    return [parent, part, None, 0, 0, 0, 1]


@pytest.mark.parametrize(
    "pages",
    [
        [b""],
        [b"null"],
        [b"[]"],
        [b"{}"],
        [b"\xff\xfe"],
        [b"[" * 5000],
        [page([1, 1, 0], [], [])],
        [page([1, 0, 0], [], [])],
        [page([1, 2, 1], [ROOT, PART], [row(0, 0)])],  # contains itself
        [page([1, 2, 1], [ROOT, PART], [row(0, 2)])],  # names what never comes
        [page([1, 2, 1], [ROOT, PART], [row(0, -1)])],
        [page([1, 2, 1], [ROOT, PART], [row(7, 1)])],  # stands in what is not there
        [page([1, 2, 1], [ROOT, PART], [row(-1, 1)])],
        [page([1, 2, 2], [ROOT, PART], [row(0, 1), row(1, 1)])],
        [page([1, 3, 2], [ROOT, PART, [2, "c", {}]], [row(0, 1), row(1, 2)])],  # too late
        [page([1, 2, 0], [ROOT, [-1, "b", {}]], [])],
        [page([1, 2, 0], [ROOT, [5, "b", {}]], [])],
        [page([1, 1, 0], [[3, "a", {}]], [])],
        [page([1, 1, 0], [ROOT], [], 5, 6)],
        [page([1, 1, 0], [[0, "prefabs/a.ron", {"Tags": 5}]], [])],
        [page([-1, 1, 0], [ROOT], [])],
        [page([2, 1, 0], [ROOT], [])],
        [page(None, [ROOT], [])],
        [page([2, 1, 0], [ROOT], []), page([2, 1, 0], [], [])],
    ],
)
def test_page_that_makes_no_sense_is_refused(pages: list[bytes]) -> None:
    """Nothing that stands in a page is believed, and nothing of it is lost in silence."""
    with pytest.raises(StoreError):
        decode_prefab(pages)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_cut_or_flipped_page_is_never_a_foreign_error(data: st.DataObject) -> None:
    """An error of ours, or, where only a value was hit, a prefab with as many parts."""
    part = leaf("prefabs/c.ron", 5)
    prefab = Prefab("prefabs/a.ron", {"Tags": {"names": ["q"]}}, rows_of(5, part))
    (whole,) = encode_prefab(prefab)
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        with pytest.raises(StoreError):
            decode_prefab([whole[:at]])
        return
    flipped = bytearray(whole)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = decode_prefab([bytes(flipped)])
    except StoreError:
        return
    assert len(found.children) <= 5


def test_values_of_every_kind_are_baked_as_they_are_resolved() -> None:
    """What a game gets from the store is what the resolver gives, not only something alike."""
    registry = ComponentRegistry()
    registry.component(Bag)
    text = (
        'Prefab(components: [Bag(raw: b"\\x00\\xff", table: {1: "a", -2: "b"}, pair: (1, 2.5), '
        'names: ["x", "y"], maybe: None, anything: {"a": [1, (2, 3)], "b": Some(1.5)}, '
        "big: 18446744073709551615)])"
    )

    def load(identifier: str) -> Any:
        return read_prefabs(text, identifier, registry=registry)

    resolved = Resolver(load, registry=registry).resolve("a")
    with AssetPipeline(MemorySource({"prefabs/a.ron": text}), jobs=0, registry=registry) as pipe:
        baked = pipe.get_prefab("a")
    assert baked == resolved
    assert baked.build(registry) == resolved.build(registry)


def test_prefab_of_many_large_parts_is_refused() -> None:
    """Each changed child is a part of its own: a small file would become gigabytes."""
    words = ", ".join(f'"{number:08}"' for number in range(5_000))
    children = "\n".join(
        f'(prefab: "big", overrides: [Sprite(texture: "{number}.png")]),' for number in range(1000)
    )
    files = {
        "prefabs/big.ron": f"Prefab(components: [Tags([{words}])])",
        "prefabs/bomb.ron": f"Prefab(children: [{children}])",
        "prefabs/fine.ron": f"Prefab(children: [{children[: children.index(chr(10))]}])",
        "prefabs/heir.ron": 'Prefab(children: [(prefab: "bomb")])',
    }
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        report = pipeline.bake()
        assert set(report.broken) == {"prefabs/bomb.ron", "prefabs/heir.ron"}
        assert f"over {LARGEST_PREFAB:,} bytes of data" in str(report.errors[0])
        assert pipeline.get_prefab("fine").children
