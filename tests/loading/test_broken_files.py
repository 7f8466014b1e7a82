"""Broken files that hot reload finds: told once, whether anything loads them or not."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import pytest

from arcade_prefabs.errors import RonError
from arcade_prefabs.loading import AsyncPrefabLoader, LoadEvent
from arcade_prefabs.pipeline import AssetPipeline, MemorySource, ReloadReport
from arcade_prefabs.testing import EventLog, InlineExecutor, VirtualClock

BROKEN = "Prefab("
OTHER_MISTAKE = "Prefab(components: [Nothing()])"


class Game:
    """Files in memory, a loader, and saves that are told as a watcher tells them."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self.clock = VirtualClock()
        self.executor = InlineExecutor()
        self.source = MemorySource(files)
        self.pipeline = AssetPipeline(self.source, jobs=0)
        self.loader = AsyncPrefabLoader(self.pipeline, clock=self.clock, executor=self.executor)
        self.log = EventLog(self.loader)
        self.known: set[str] = set()

    def save(self, files: Mapping[str, str | bytes]) -> ReloadReport:
        """Change files, bake, and have that told."""
        for path, text in files.items():
            self.source.write(path, text)
        report = self.pipeline.bake()
        now = {str(error): error for error in report.errors}
        new = tuple(error for text, error in now.items() if text not in self.known)
        self.known = set(now)
        reload = ReloadReport(tuple(report.changed_ids()), new, tuple(files), report)
        self.loader.apply(reload)
        self.play()
        return reload

    def play(self) -> None:
        """Everything there is to do now."""
        while self.loader.drain(1.0).steps or self.executor.run():
            pass

    def broken(self) -> list[str]:
        """The files that were told as broken, in order."""
        return [event.id for event in self.log if event.kind == "broken"]

    def news(self) -> list[LoadEvent]:
        """All events of failures that are news."""
        failures = ("broken", "failed", "reload_failed")
        return [event for event in self.log if event.kind in failures and not event.told_before]


@pytest.fixture
def game() -> Iterator[Game]:
    made = Game({"prefabs/good.ron": "Prefab()", "prefabs/bad.ron": BROKEN})
    with made.pipeline, made.loader:
        yield made


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The first words of the lines in the log."""
    found = [record.getMessage() for record in caplog.records if record.name == "arcade_prefabs"]
    return [" ".join(text.split()[:4]) for text in found]


def test_a_broken_file_that_nothing_loads_is_told(
    game: Game, caplog: pytest.LogCaptureFixture
) -> None:
    """One event with the asset's id and the error, and one line in the log."""
    game.save({})
    (event,) = game.news()
    assert (event.kind, event.id) == ("broken", "prefabs/bad.ron")
    assert isinstance(event.error, RonError)
    assert logged(caplog) == ["prefabs/bad.ron cannot be baked:"]


def test_a_load_of_a_file_that_was_told_is_no_news(
    game: Game, caplog: pytest.LogCaptureFixture
) -> None:
    """Its handle fails as ever, and so does the next one."""
    game.save({})
    for _ in range(2):
        handle = game.loader.load("bad")
        game.play()
        assert isinstance(handle.error, RonError)
        del handle
    assert len(game.news()) == 1
    assert "failed" in game.log.of("prefabs/bad.ron")
    assert len(caplog.records) == 1


def test_an_error_that_a_load_has_told_is_not_told_by_the_bake(
    game: Game, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever comes first; afterwards the bake's word counts."""
    game.pipeline.bake()
    handle = game.loader.load("bad")
    game.play()
    assert handle.error is not None
    game.save({})
    assert [event.kind for event in game.news()] == ["failed"]
    assert logged(caplog) == ["prefabs/bad.ron cannot be loaded:"]
    game.save({"prefabs/bad.ron": OTHER_MISTAKE})
    assert [event.kind for event in game.news()] == ["failed", "broken"]


def test_an_error_is_told_again_after_the_file_was_mended(game: Game) -> None:
    """The same mistake as well; one more is another mistake, a save beside it is none."""
    game.save({})
    game.save({"prefabs/good.ron": "Prefab(components: [])"})
    assert game.broken() == ["prefabs/bad.ron"]
    game.save({"prefabs/bad.ron": "Prefab()"})
    game.save({"prefabs/bad.ron": BROKEN})
    assert game.broken() == ["prefabs/bad.ron"] * 2
    game.save({"prefabs/bad.ron": OTHER_MISTAKE})
    game.save({"prefabs/bad.ron": BROKEN})
    assert game.broken() == ["prefabs/bad.ron"] * 4


def test_a_loaded_prefab_that_is_broken_by_a_save_is_told_once(
    game: Game, caplog: pytest.LogCaptureFixture
) -> None:
    """It keeps the last good value, and its own event says that this was told."""
    game.pipeline.bake()
    good = game.loader.load("good")
    game.play()
    game.log.clear()
    game.known = {str(error) for error in game.pipeline.bake().errors}
    game.save({"prefabs/good.ron": BROKEN})
    assert good.ready
    assert isinstance(good.stale_error, RonError)
    assert [(one.kind, one.told_before) for one in game.log] == [
        ("broken", False),
        ("reload_failed", True),
    ]
    assert logged(caplog) == ["prefabs/good.ron cannot be baked:"]


def test_worlds_pictures_and_names_are_told_as_well(game: Game) -> None:
    """What cannot be an asset has no id: its file is named."""
    files = {
        "worlds/valley.ron": "World(",
        "images/red.png": b"junk",
        "prefabs/GOOD.ron": "Prefab()",
        "notes.what": "nobody bakes such files",
    }
    game.save(files)
    assert sorted(game.broken()) == [
        "images/red.png",
        "prefabs/bad.ron",
        "prefabs/good.ron",  # another one differs in case only
        "worlds/valley.ron",
    ]


def test_a_parents_mistake_is_told_of_the_parent(game: Game) -> None:
    """Not of its heirs, which have the same error, until they are loaded."""
    game.save({"prefabs/bad.ron": "Prefab()", "prefabs/an_heir.ron": 'Prefab(extends: "bad")'})
    game.save({"prefabs/bad.ron": BROKEN})
    assert game.broken() == ["prefabs/bad.ron"]
    game.save({"prefabs/new_heir.ron": 'Prefab(extends: "bad")'})
    handle = game.loader.load("new_heir")
    game.play()
    assert handle.error is not None
    assert ("failed", "prefabs/new_heir.ron") in [(one.kind, one.id) for one in game.news()]


def test_thousands_of_broken_files_neither_fill_the_log_nor_a_frame(
    game: Game, caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty lines and one that counts; listeners are told within the budget of each frame."""
    many = {f"prefabs/p{number:04}.ron": BROKEN for number in range(1_100)}
    game.loader.add_listener(lambda _event: game.clock.advance(0.001))
    for path, text in many.items():
        game.source.write(path, text)
    report = game.pipeline.bake()
    assert report.truncated
    assert len(report.errors) == sum(map(len, report.broken.values())) == 1_000
    game.loader.apply(ReloadReport((), tuple(report.errors), (), report))
    lines = logged(caplog)
    assert len(lines) == 21
    assert lines[-1] == "at least 980 more"
    assert "`arcade-prefabs check`" in caplog.text
    for told in range(1, 4):  # in a frame that has no time left, one
        game.loader.drain(0.0005)
        assert len(game.broken()) == told
    game.loader.drain(0.0045)
    assert len(game.broken()) == 8
    game.loader.drain(1.0)
    assert len(game.broken()) == 28
    while len(game.broken()) < 1_000:
        before = len(game.broken())
        game.loader.drain(1.0)
        assert len(game.broken()) > before
    assert not len(game.loader.queue), "the plugin would be busy meanwhile"


def test_a_listener_that_raises_stops_no_other_file(
    game: Game, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor another listener."""

    def fails(event: LoadEvent) -> None:
        if event.kind == "broken":
            raise ValueError(event.id)

    caplog.set_level(logging.CRITICAL)
    game.loader.add_listener(fails)
    last = EventLog(game.loader)
    game.save({"prefabs/worse.ron": BROKEN})
    wanted = ["prefabs/bad.ron", "prefabs/worse.ron"]
    assert [event.id for event in last if event.kind == "broken"] == wanted
    assert [str(error) for _, error in game.loader.failures] == wanted


def test_a_loader_that_was_shut_down_tells_nothing(
    game: Game, caplog: pytest.LogCaptureFixture
) -> None:
    """The watcher's last word may come later."""
    report = game.pipeline.bake()
    game.loader.shutdown()
    game.loader.apply(ReloadReport((), tuple(report.errors), (), report))
    assert logged(caplog) == []
