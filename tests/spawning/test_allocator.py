"""`ShelfAllocator`, compared with a table of which rectangle has which pixel."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from arcade_prefabs.spawning import AtlasRect, ShelfAllocator

WIDTH, HEIGHT = 40, 32


def pixels_of(place: AtlasRect) -> set[tuple[int, int]]:
    return {
        (x, y)
        for x in range(place.x, place.x + place.width)
        for y in range(place.y, place.y + place.height)
    }


class Rooms(RuleBasedStateMachine):
    """Takes and gives back rectangles in any order, with its own table of every pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.allocator = ShelfAllocator(WIDTH, HEIGHT)
        self.taken: dict[AtlasRect, set[tuple[int, int]]] = {}

    @rule(width=st.integers(1, WIDTH), height=st.integers(1, HEIGHT))
    def take(self, width: int, height: int) -> None:
        place = self.allocator.take(width, height)
        if place is None:
            assert self.taken, "an empty area has room for everything that fits into it"
            return
        assert (place.width, place.height) == (width, height)
        assert place.x >= 0
        assert place.y >= 0
        assert place.x + width <= WIDTH
        assert place.y + height <= HEIGHT
        pixels = pixels_of(place)
        assert not any(pixels & other for other in self.taken.values())
        self.taken[place] = pixels

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(sorted(self.taken)))
        self.allocator.give_back(place)
        del self.taken[place]

    @invariant()
    def the_books_agree(self) -> None:
        assert len(self.allocator) == len(self.taken)
        assert self.allocator.used_pixels == sum(map(len, self.taken.values()))

    def teardown(self) -> None:
        for place in self.taken:
            self.allocator.give_back(place)
        assert self.allocator.take(WIDTH, HEIGHT) == (0, 0, WIDTH, HEIGHT)


TestRooms = Rooms.TestCase
TestRooms.settings = settings(stateful_step_count=40, max_examples=80)


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 32)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_what_is_all_given_back_is_whole_again(
    sizes: list[tuple[int, int]], shuffler: random.Random
) -> None:
    """In whatever order places are freed, the free pieces join."""
    allocator = ShelfAllocator(WIDTH, HEIGHT)
    places = [place for size in sizes if (place := allocator.take(*size)) is not None]
    shuffler.shuffle(places)
    for place in places:
        allocator.give_back(place)
    assert allocator.used_pixels == len(allocator) == 0
    assert allocator.take(WIDTH, HEIGHT) == (0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5), (41, 5), (5, 33)])
def test_a_size_that_never_fits_finds_no_place(size: tuple[int, int]) -> None:
    """Nothing, negative sizes and more than everything are refused, and nothing is noted."""
    allocator = ShelfAllocator(WIDTH, HEIGHT)
    assert allocator.take(*size) is None
    assert allocator.used_pixels == 0


def test_a_place_that_was_not_taken_cannot_be_given_back() -> None:
    """Also not a second time."""
    allocator = ShelfAllocator(WIDTH, HEIGHT)
    place = allocator.take(4, 4)
    assert place is not None
    allocator.give_back(place)
    with pytest.raises(KeyError):
        allocator.give_back(place)
    assert allocator.used_pixels == 0


def test_images_of_one_size_fill_the_area() -> None:
    """30 × 30 images of 68 pixels stand in 2048 × 2048, as with Arcade's own allocator."""
    allocator = ShelfAllocator(2048, 2048)
    places = [allocator.take(68, 68) for _ in range(900)]
    assert None not in places
    assert allocator.take(68, 68) is None


def test_a_freed_place_is_used_by_the_next_of_its_size() -> None:
    """A full area stays full, whichever of its places is freed and taken again."""
    allocator = ShelfAllocator(640, 640)
    places = [allocator.take(64, 64) for _ in range(100)]
    shuffler = random.Random(5)
    for _ in range(500):
        number = shuffler.randrange(100)
        old = places[number]
        assert old is not None
        allocator.give_back(old)
        places[number] = allocator.take(64, 64)
        assert places[number] == old


def test_small_images_go_to_shelves_of_their_height() -> None:
    """Low images do not use up the shelf of high ones while there is room for their own."""
    allocator = ShelfAllocator(256, 256)
    high = allocator.take(64, 128)
    low = allocator.take(64, 16)
    assert high is not None
    assert low is not None
    assert low.y >= high.y + high.height
    assert allocator.take(192, 128) == (64, 0, 192, 128)


def test_a_shelf_that_is_too_high_is_used_before_nothing_is() -> None:
    """When no new shelf can be begun, an image goes where it fits."""
    allocator = ShelfAllocator(256, 128)
    allocator.take(64, 128)
    assert allocator.take(64, 16) == (64, 0, 64, 16)
