"""Garbage collection manners: pauses are seen, moved, and everything is put back."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from arcade_prefabs.frames import GarbageScheduler
from arcade_prefabs.loading import AsyncPrefabLoader
from arcade_prefabs.monitor import FrameMonitor
from arcade_prefabs.testing import MemoryAssets, VirtualClock


class FakeCollector:
    """A collector whose collections take what the test says."""

    def __init__(self, clock: VirtualClock) -> None:
        self.counts = (0, 0, 0)
        self.thresholds = (700, 10, 10)
        self.takes = [0.0001, 0.002, 0.05]
        self.collected: list[int] = []
        self.frozen = 0
        self._clock = clock

    def collect(self, generation: int = 2) -> int:
        self._clock.advance(self.takes[generation])
        self.collected.append(generation)
        return 1

    def get_count(self) -> tuple[int, int, int]:
        return self.counts

    def get_threshold(self) -> tuple[int, int, int]:
        return self.thresholds

    def set_threshold(self, first: int, second: int, third: int) -> None:
        self.thresholds = (first, second, third)

    def freeze(self) -> None:
        self.frozen += 10

    def unfreeze(self) -> None:
        self.frozen = 0

    def get_freeze_count(self) -> int:
        return self.frozen


@pytest.fixture
def fake() -> tuple[FakeCollector, VirtualClock]:
    """A collector and its clock."""
    clock = VirtualClock()
    return FakeCollector(clock), clock


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Every test leaves the real collector as it was."""
    before = gc.get_threshold(), gc.isenabled(), len(gc.callbacks), gc.get_freeze_count()
    yield
    assert (gc.get_threshold(), gc.isenabled(), len(gc.callbacks), gc.get_freeze_count()) == before


def test_scheduler_is_off_by_default(fake: tuple[FakeCollector, VirtualClock]) -> None:
    """Nothing is collected, no threshold moves."""
    collector, clock = fake
    with GarbageScheduler(clock=clock, collector=collector) as manners:
        collector.counts = (9999, 99, 99)
        assert manners.idle(1.0) == 0
        assert collector.thresholds == (700, 10, 10)
    assert collector.collected == []


def test_idle_collects_what_is_due_and_fits(fake: tuple[FakeCollector, VirtualClock]) -> None:
    """The oldest generation that is due, if it fits; a younger one if it does not."""
    collector, clock = fake
    with GarbageScheduler(take_over=True, clock=clock, collector=collector) as manners:
        for counts, left, expected in (
            ((100, 0, 0), 0.01, []),
            ((800, 0, 0), 0.01, [0]),
            ((800, 10, 0), 0.01, [1]),
            ((800, 10, 0), 0.0005, [0]),
            ((800, 10, 10), 0.03, [2]),
            ((800, 10, 10), 0.01, [1]),
            ((800, 10, 10), 0.00001, []),
        ):
            collector.collected.clear()
            collector.counts = counts
            spent = manners.idle(left)
            assert collector.collected == expected, (counts, left)
            assert spent == pytest.approx(sum(collector.takes[one] for one in expected))


def test_old_objects_are_not_left_for_ever(fake: tuple[FakeCollector, VirtualClock]) -> None:
    """A full collection that never fits is done all the same when it is long overdue."""
    collector, clock = fake
    with GarbageScheduler(take_over=True, clock=clock, collector=collector) as manners:
        collector.counts = (800, 10, 150)
        manners.idle(0.005)
        assert collector.collected == [1]
        collector.counts = (800, 10, 201)
        manners.idle(0.005)
        assert collector.collected == [1, 2]


def test_detach_restores_thresholds_and_thaws(fake: tuple[FakeCollector, VirtualClock]) -> None:
    """Twice is as good as once; what others froze stays frozen."""
    collector, clock = fake
    collector.thresholds = (500, 5, 7)
    manners = GarbageScheduler(take_over=True, clock=clock, collector=collector)
    assert manners.attach() is manners.attach()
    assert collector.thresholds[0] > 10_000
    assert manners.freeze() == 10
    manners.detach()
    manners.detach()
    assert (collector.thresholds, collector.frozen) == ((500, 5, 7), 0)
    collector.frozen = 3
    with manners:
        manners.freeze()
    assert collector.frozen == 13


def test_second_take_over_is_refused(fake: tuple[FakeCollector, VirtualClock]) -> None:
    """Two would restore each other's thresholds."""
    collector, clock = fake
    with (
        GarbageScheduler(take_over=True, clock=clock, collector=collector),
        pytest.raises(RuntimeError, match="has taken over"),
    ):
        GarbageScheduler(take_over=True, clock=clock, collector=collector).attach()
    assert collector.thresholds == (700, 10, 10)


def test_switched_off_collector_stays_off(fake: tuple[FakeCollector, VirtualClock]) -> None:
    """A game that set the first threshold to 0 wants no collections."""
    collector, clock = fake
    collector.thresholds = (0, 10, 10)
    with GarbageScheduler(take_over=True, clock=clock, collector=collector) as manners:
        collector.counts = (9999, 99, 99)
        assert manners.idle(1.0) == 0
    assert collector.collected == []


def test_real_pauses_are_seen_from_any_thread() -> None:
    """Whoever makes the object that is too many pays; the report names the generation."""
    with FrameMonitor() as monitor:
        gc.collect(1)
        thread = threading.Thread(target=gc.collect)
        thread.start()
        thread.join(10)
        pauses = monitor.pauses
    assert [pause.generation for pause in pauses if pause.generation] == [1, 2]
    assert all(pause.seconds > 0 for pause in pauses)


def test_idle_time_ends_before_the_next_frame_is_due(
    fake: tuple[FakeCollector, VirtualClock],
) -> None:
    """By the margin that the gate keeps, too."""
    collector, clock = fake
    collector.counts = (800, 10, 0)
    manners = GarbageScheduler(take_over=True, clock=clock, collector=collector)
    with AsyncPrefabLoader(MemoryAssets(), garbage=manners, clock=clock) as loader:
        clock.advance(0.001)
        for left, expected in ((0.0005, [0]), (-0.0001, []), (0.01, [1])):
            collector.collected.clear()
            loader.begin_frame()
            loader.end_frame(clock() + loader.gate.margin_s + left)
            assert collector.collected == expected


def test_loader_collects_in_idle_time_and_puts_everything_back() -> None:
    """With a scheduler that takes over, between the end of a frame and the next."""
    before = gc.get_threshold()
    manners = GarbageScheduler(take_over=True)
    with FrameMonitor() as monitor, AsyncPrefabLoader(MemoryAssets(), garbage=manners) as loader:
        assert gc.get_threshold() != before
        gc.collect()
        kept = [[number] for number in range(5000)]
        monitor.reset()
        loader.begin_frame()
        loader.end_frame()
        assert monitor.pauses
        del kept
    assert gc.get_threshold() == before
