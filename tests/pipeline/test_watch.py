"""Hot reload: every way to save a file, broken text, and edits that come faster than bakes."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from watching import failures_of

from arcade_prefabs import ArcadePrefabsError, StoreError
from arcade_prefabs.pipeline import (
    AssetPipeline,
    AssetWatcher,
    MemorySource,
    Output,
    ProcessContext,
    ReloadReport,
)

BOUND_S = 20.0


def prefab(tag: str) -> str:
    return f'Prefab(components: [Tags(["{tag}"])])\n'


class Watched:
    """A watched folder with a prefab ``a``, its heir ``b``, and a way to tell that all is quiet."""

    def __init__(self, root: Path, *, events: bool = True) -> None:
        self.root = root
        self.file = root / "prefabs" / "a.ron"
        self.file.parent.mkdir(parents=True)
        self.file.write_text(prefab("first"), encoding="utf-8")
        (root / "prefabs" / "b.ron").write_text('Prefab(extends: "a")\n', encoding="utf-8")
        self.reloads: queue.Queue[ReloadReport] = queue.Queue()
        self.pipeline = AssetPipeline(root, jobs=0)
        self.watcher = AssetWatcher(self.pipeline, self.reloads.put, events=events)
        self._fences = 0

    def until_quiet(self) -> list[ReloadReport]:
        """Every reload up to that of a file which is written now."""
        self._fences += 1
        name = f"prefabs/fence{self._fences}.ron"
        (self.root / name).write_text(prefab("fence"), encoding="utf-8")
        found: list[ReloadReport] = []
        while True:
            reload = self.reloads.get(timeout=BOUND_S)
            rest = tuple(one for one in reload.ids if one != name)
            if rest or reload.errors or reload.healed:
                found.append(reload._replace(ids=rest))
            if name in reload.ids:
                return found

    def until_tagged(self, tag: str) -> None:
        """Until ``a`` is what was saved, told or not."""
        while True:
            with contextlib.suppress(ArcadePrefabsError):  # it may be gone just now
                if self.tags() == [tag]:
                    return
            self.reloads.get(timeout=BOUND_S)

    def tags(self, name: str = "a") -> list[str]:
        names: list[str] = self.pipeline.get_prefab(name).components["Tags"]["names"]
        return names


@pytest.fixture(params=[True, False], ids=["events", "polling"])
def watched(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Watched]:
    made = Watched(tmp_path / "assets", events=request.param)
    with made.pipeline, made.watcher:
        yield made
        assert failures_of(made.watcher) == []


def test_a_look_at_unchanged_files_bakes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without file events; it computes beside a game, which would stutter each second."""
    looks: queue.Queue[int] = queue.Queue()
    real = AssetWatcher._look

    def counted(self: AssetWatcher, folders: set[Path]) -> Any:
        found = real(self, folders)
        looks.put(len(found.files))
        return found

    monkeypatch.setattr("arcade_prefabs.pipeline.watcher._SAFETY_S", 0.01)
    monkeypatch.setattr("arcade_prefabs.pipeline.watcher._SOON_S", 0.01)
    # It rests after so many files, and there are fewer.
    monkeypatch.setattr("arcade_prefabs.pipeline.watcher._LOOK_SLICE", 1_000_000)
    monkeypatch.setattr("arcade_prefabs.pipeline.watcher._LOOK_REST_S", BOUND_S)
    monkeypatch.setattr(AssetWatcher, "_look", counted)
    watched = Watched(tmp_path / "assets", events=False)
    with watched.pipeline, watched.watcher:
        for _ in range(3):
            assert looks.get(timeout=BOUND_S) >= 2
        bakes = watched.pipeline.statistics().bakes
        for _ in range(5):
            looks.get(timeout=BOUND_S)
        assert watched.pipeline.statistics().bakes == bakes
        in_place(watched.file, prefab("other"))
        assert watched.until_quiet()
        assert watched.tags() == ["other"]
        assert watched.pipeline.statistics().bakes > bakes


def in_place(file: Path, text: str) -> None:
    with file.open("r+", encoding="utf-8") as opened:
        opened.write(text)
        opened.truncate()


def truncate_and_write(file: Path, text: str) -> None:
    with file.open("w", encoding="utf-8") as opened:
        opened.flush()
        opened.write(text)


def temp_and_rename(file: Path, text: str) -> None:
    beside = file.with_name(".a.ron.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)


def delete_and_create(file: Path, text: str) -> None:
    file.unlink()
    file.write_text(text, encoding="utf-8")


def with_backup(file: Path, text: str) -> None:
    file.replace(file.with_name("a.ron~"))
    file.write_text(text, encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize(
    "save", [in_place, truncate_and_write, temp_and_rename, delete_and_create, with_backup]
)
def test_each_way_to_save_is_one_reload(
    watched: Watched, save: Callable[[Path, str], None]
) -> None:
    """However an editor saves, the file and its heir are told once, with the new content."""
    save(watched.file, prefab("second"))
    (reload,) = watched.until_quiet()
    assert reload.ids == ("prefabs/a.ron", "prefabs/b.ron")
    assert not reload.errors
    assert watched.tags("a") == watched.tags("b") == ["second"]


def test_touch_and_a_comment_tell_nothing(watched: Watched) -> None:
    """What changes no output is no reload."""
    os.utime(watched.file)
    assert watched.until_quiet() == []
    watched.file.write_text("// a comment\n" + prefab("first"), encoding="utf-8")
    assert watched.until_quiet() == []


@pytest.mark.long
def test_renamed_folder_is_removed_and_added(watched: Watched) -> None:
    """A folder that is renamed takes its prefabs away; renamed back, they are there again."""
    folder = watched.file.parent
    for name in ("old", "v1.2"):  # the second looks like a file
        inside = folder / name
        inside.mkdir()
        (inside / "c.ron").write_text(prefab("c"), encoding="utf-8")
        watched.until_quiet()
        inside.rename(folder / f"new-{name}")
        reloads = watched.until_quiet()
        changes = {change for reload in reloads for change in reload.ids}
        assert changes == {f"prefabs/{name}/c.ron", f"prefabs/new-{name}/c.ron"}
        assert f"prefabs/new-{name}/c.ron" in watched.pipeline.ids()
        assert f"prefabs/{name}/c.ron" not in watched.pipeline.ids()


def test_assets_folder_that_is_made_anew_is_watched_on(watched: Watched) -> None:
    """As after `git stash`, an unzip or an exporter; with the next edit in it, too."""
    shutil.rmtree(watched.root, ignore_errors=True)
    watched.file.parent.mkdir(parents=True)
    watched.file.write_text(prefab("second"), encoding="utf-8")
    watched.until_tagged("second")
    watched.file.write_text(prefab("third"), encoding="utf-8")
    watched.until_tagged("third")


def test_assets_folder_that_another_one_takes_the_place_of_is_watched_on(watched: Watched) -> None:
    """Swapped by two renames, as installers do; with the next edit in it, too."""
    new = watched.root.with_name("new")
    shutil.copytree(watched.root, new, ignore=lambda *_: [".arcade_prefabs"])
    (new / "prefabs" / "a.ron").write_text(prefab("second"), encoding="utf-8")
    watched.root.rename(watched.root.with_name("old"))
    new.rename(watched.root)
    watched.until_tagged("second")
    watched.file.write_text(prefab("third"), encoding="utf-8")
    watched.until_tagged("third")


def test_link_is_told_when_its_target_is_edited(watched: Watched) -> None:
    """By itself or over another link; and when it is pointed elsewhere."""
    folder = watched.file.parent
    (folder / "now.ron").symlink_to("season.ron")
    (folder / "season.ron").symlink_to("a.ron")
    watched.until_quiet()
    watched.file.write_text(prefab("second"), encoding="utf-8")
    reloads = watched.until_quiet()
    told = {one for reload in reloads for one in reload.ids}
    assert told == {f"prefabs/{name}.ron" for name in ("a", "b", "now", "season")}
    assert watched.tags("now") == ["second"]
    (folder / "other.ron").write_text(prefab("other"), encoding="utf-8")
    (folder / "season.ron").unlink()
    (folder / "season.ron").symlink_to("other.ron")
    watched.until_quiet()
    assert watched.tags("now") == ["other"]


def test_folder_of_a_handle_that_comes_later_is_watched(tmp_path: Path) -> None:
    """And so is one that is made anew."""
    art = tmp_path / "art"
    (tmp_path / "assets").mkdir()
    reloads: queue.Queue[ReloadReport] = queue.Queue()
    with AssetPipeline(tmp_path / "assets", handles={"art": [art]}, jobs=0) as pipeline:
        with AssetWatcher(pipeline, reloads.put) as watcher:
            for text in ("first", "second"):
                art.mkdir()
                (art / "a.txt").write_text(text, encoding="utf-8")
                while pipeline.is_fresh(":art:a.txt"):
                    reloads.get(timeout=BOUND_S)
                assert pipeline.get(":art:a.txt").data() == text.encode()
                (art / "a.txt").write_text(text + "!", encoding="utf-8")
                assert ":art:a.txt" in reloads.get(timeout=BOUND_S).ids
                shutil.rmtree(art)
                assert ":art:a.txt" in reloads.get(timeout=BOUND_S).ids
        assert failures_of(watcher) == []


def test_change_that_no_event_tells_is_found_by_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a hard link from elsewhere, as on a network drive."""
    monkeypatch.setattr("arcade_prefabs.pipeline.watcher._SAFETY_S", 0.1)
    watched = Watched(tmp_path / "assets")
    os.link(watched.file, tmp_path / "hard.ron")
    with watched.pipeline, watched.watcher:
        (tmp_path / "hard.ron").write_text(prefab("second"), encoding="utf-8")
        watched.until_tagged("second")


def test_watch_ends_before_the_interpreter_does(tmp_path: Path) -> None:
    """A game that ends without detaching leaves no thread in foreign code behind."""
    code = """
import atexit, sys, threading
from arcade_prefabs.pipeline import AssetPipeline, AssetWatcher
atexit.register(lambda: print([one.name for one in threading.enumerate() if "watch" in one.name]))
watcher = AssetWatcher(AssetPipeline(sys.argv[1], jobs=0), print).start()
print([one.name for one in threading.enumerate() if "watch" in one.name])
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=BOUND_S
    )
    assert (run.returncode, run.stdout, run.stderr) == (
        0,
        "['arcade_prefabs watcher']\n[]\n",
        "",
    )


def test_broken_text_keeps_the_last_good_value_and_says_where(watched: Watched) -> None:
    """A broken save changes nothing but the errors, with line and column; the next one heals."""
    watched.file.write_text("Prefab(\n    components: [Tags([)],\n)\n", encoding="utf-8")
    (reload,) = watched.until_quiet()
    assert reload.ids == ()
    (error,) = reload.errors
    assert (error.line, error.column) == (2, 24)
    assert watched.tags() == ["first"]
    assert watched.pipeline.get("prefabs/a.ron").errors

    watched.file.write_text(prefab("healed"), encoding="utf-8")
    (reload,) = watched.until_quiet()
    assert reload.ids == ("prefabs/a.ron", "prefabs/b.ron")
    assert reload.healed == (str(watched.file),)
    assert watched.tags() == ["healed"]
    assert not watched.pipeline.get("prefabs/a.ron").errors


@pytest.mark.parametrize("baked", [False, True], ids=["never baked", "baked before"])
def test_errors_that_are_there_when_watching_begins_are_told_once(
    tmp_path: Path, baked: bool
) -> None:
    """A broken file, and one whose name cannot be; later saves of others tell them no more."""
    watched = Watched(tmp_path / "assets")
    bad, unsafe = (watched.file.parent / name for name in ("bad.ron", "con.ron"))
    bad.write_text("Prefab(", encoding="utf-8")
    unsafe.write_text("Prefab()", encoding="utf-8")
    with watched.pipeline:
        if baked:
            watched.pipeline.bake()
        with watched.watcher as watcher:
            first = watched.reloads.get(timeout=BOUND_S)
            assert first.ids == first.healed == ()
            assert {error.path for error in first.errors} == {str(bad), str(unsafe)}
            assert set(first.report.broken) == {"prefabs/bad.ron", str(unsafe)}
            assert watched.until_quiet() == []
            watched.file.write_text(prefab("edited"), encoding="utf-8")
            (second,) = watched.until_quiet()
            assert second.errors == second.healed == ()
            assert failures_of(watcher) == []


@pytest.mark.parametrize("asked", [True, False])
def test_edit_while_the_first_bake_goes_on_is_told_to_whoever_has_the_old_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    """It takes minutes for a large folder; the game asks for what it needs meanwhile."""
    watched = Watched(tmp_path / "assets")
    bake = watched.pipeline.bake

    def edited(*arguments: Any, **options: Any) -> Any:
        monkeypatch.undo()
        if asked:
            assert watched.tags("b") == ["first"]
        in_place(watched.file, prefab("second"))
        return bake(*arguments, **options)

    monkeypatch.setattr(watched.pipeline, "bake", edited)
    with watched.pipeline, watched.watcher:
        assert watched.tags("b") == ["second"]
        told = [one for reload in watched.until_quiet() for one in reload.ids]
    assert ("prefabs/b.ron" in told) == asked


def test_errors_of_a_bake_that_is_known_are_not_told(tmp_path: Path) -> None:
    """Whoever has shown its report says so."""
    watched = Watched(tmp_path / "assets")
    (watched.file.parent / "bad.ron").write_text("Prefab(", encoding="utf-8")
    with watched.pipeline:
        report = watched.pipeline.bake()
        assert report.errors
        watched.watcher.start(told=report)
        assert watched.until_quiet() == []
        watched.watcher.stop()


class Stopping:
    """A processor that has the watcher stopped while it works."""

    name, version, patterns, settings = "stopping", 1, ("*.txt",), {"batch": 1}

    def __init__(self) -> None:
        self.stop: Callable[[], None] = lambda: None
        self.baked: list[str] = []

    def process(self, context: ProcessContext) -> Iterator[Output]:
        self.baked.append(context.path)
        self.stop()
        yield Output("", "data", (b"x",))


def test_a_stop_ends_the_first_bake(tmp_path: Path) -> None:
    """After what is being baked just now; who waits for the start goes on, too."""
    count = 200
    for number in range(count):
        (tmp_path / f"{number:03}.txt").write_text("", encoding="utf-8")
    processor = Stopping()
    told: list[ReloadReport] = []
    with AssetPipeline(tmp_path, processors=[processor], jobs=0) as pipeline:
        watcher = AssetWatcher(pipeline, told.append)
        processor.stop = watcher.stop
        watcher.start()
        assert 0 < len(processor.baked) < count
        assert told == failures_of(watcher) == []
        processor.stop = lambda: None
        assert pipeline.bake().ok
        assert set(processor.baked) == {f"{number:03}.txt" for number in range(count)}


def test_file_that_others_wait_for_heals_them(watched: Watched) -> None:
    """A prefab that is named before it exists is told when it comes, and so is who names it."""
    folder = watched.file.parent
    (folder / "heir.ron").write_text('Prefab(extends: "late")\n', encoding="utf-8")
    (reload,) = watched.until_quiet()
    assert "there is no prefab prefabs/late.ron" in str(reload.errors[0])
    (folder / "late.ron").write_text(prefab("late"), encoding="utf-8")
    reloads = watched.until_quiet()
    assert {one for reload in reloads for one in reload.ids} == {
        "prefabs/late.ron",
        "prefabs/heir.ron",
    }
    assert watched.tags("heir") == ["late"]


def test_last_of_many_quick_edits_wins(watched: Watched) -> None:
    """Fifty saves in a row end with the last one in the store, whatever was read in between."""
    for number in range(50):
        watched.file.write_text(prefab(f"edit{number}"), encoding="utf-8")
    watched.until_quiet()
    assert watched.tags("a") == watched.tags("b") == ["edit49"]


def test_failing_listener_does_not_end_the_watch(tmp_path: Path) -> None:
    """An exception in the listener is kept for whoever asks; later reloads still come."""
    watched = Watched(tmp_path / "assets")
    seen = threading.Semaphore(0)

    def fail(reload: ReloadReport) -> None:
        seen.release()
        raise RuntimeError("the listener is broken")

    watcher = AssetWatcher(watched.pipeline, fail)
    with watched.pipeline, watcher:
        for tag in ("one", "two"):
            watched.file.write_text(prefab(tag), encoding="utf-8")
            assert seen.acquire(timeout=BOUND_S)
        watcher.stop()
        assert [str(error) for error in watcher.failures] == ["the listener is broken"] * 2


def test_watch_ends_at_once_and_can_begin_again(tmp_path: Path) -> None:
    """No thread is left behind a stop; a second stop does nothing; a second start works."""
    watched = Watched(tmp_path / "assets")
    with watched.pipeline:
        for tag in ("one", "two"):
            watched.watcher.start()
            watched.file.write_text(prefab(tag), encoding="utf-8")
            assert watched.until_quiet()
            watched.watcher.stop()
            watched.watcher.stop()
            assert not any("watcher" in thread.name for thread in threading.enumerate())


def test_release_file_cannot_be_watched(tmp_path: Path) -> None:
    """What does not change is refused, rather than watched in silence."""
    with AssetPipeline(MemorySource({"prefabs/a.ron": prefab("a")})) as pipeline:
        assert pipeline.bake().ok
        pipeline.write_release(tmp_path / "game.prefabs")
    with AssetPipeline(tmp_path / "game.prefabs") as pipeline:
        watcher = AssetWatcher(pipeline, lambda reload: None)
        with pytest.raises(StoreError, match="release"):
            watcher.start()
