"""The bake store: damage, a full disk, other processes, and several ways to be no store at all."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from arcade_prefabs import ArcadePrefabsError, AssetError, StoreError
from arcade_prefabs.pipeline import PAGE_BYTES, AssetPipeline, MemorySource
from arcade_prefabs.pipeline.bake.task import WorkerContext
from arcade_prefabs.pipeline.bake.worker_pool import InlineWorkers
from arcade_prefabs.pipeline.store.bake_store import BakeStore
from arcade_prefabs.pipeline.store.schema import use_write_ahead_log

BOUND_S = 30.0


def tags(name: str) -> str:
    return f'Prefab(components: [Tags(["{name}"])])'


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    folder = tmp_path / "assets"
    (folder / "prefabs").mkdir(parents=True)
    for number in range(30):
        (folder / "prefabs" / f"p{number}.ron").write_text(tags(str(number)), encoding="utf-8")
    (folder / "big.txt").write_bytes(random.Random(1).randbytes(3 * PAGE_BYTES))
    return folder


def store_of(assets: Path) -> Path:
    return assets / ".arcade_prefabs" / "bake.sqlite"


def bake(assets: Path) -> dict[str, bytes]:
    with AssetPipeline(assets, jobs=0) as pipeline:
        assert pipeline.bake().ok
        return {one: b"".join(pipeline.get(one)) for one in pipeline.ids()}


@pytest.mark.long
def test_flipped_and_cut_stores_serve_right_data_or_heal(assets: Path) -> None:
    """Wherever bytes are damaged: what is handed out is right, or an error of ours; never wrong."""
    right = bake(assets)
    sound = store_of(assets).read_bytes()
    chance = random.Random(7)
    healed = served = 0
    for turn in range(150):
        damaged = bytearray(sound)
        if turn % 3 == 0:
            del damaged[chance.randrange(len(damaged)) :]
        else:
            for _ in range(chance.choice([1, 5, 200])):
                damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        for ending in ("", "-wal", "-shm"):
            Path(f"{store_of(assets)}{ending}").unlink(missing_ok=True)
        store_of(assets).write_bytes(damaged)
        try:
            with AssetPipeline(assets, jobs=0) as pipeline:
                for identifier, expected in chance.sample(sorted(right.items()), 5):
                    assert b"".join(pipeline.get(identifier)) == expected
                    served += 1
                healed += bool(pipeline.bake().notes)
        except ArcadePrefabsError:
            continue
    assert served > 400
    assert healed > 10


@pytest.mark.parametrize("junk", [b"", b"this is no store at all" * 100, b"SQLite format 3\0junk"])
def test_junk_in_place_of_the_store_is_put_aside(assets: Path, junk: bytes) -> None:
    """The old file is kept beside the new store, and the report says so; an empty one is used."""
    right = bake(assets)
    store_of(assets).write_bytes(junk)
    with AssetPipeline(assets, jobs=0) as pipeline:
        report = pipeline.bake()
        assert report.ok
        assert {one: b"".join(pipeline.get(one)) for one in pipeline.ids()} == right
    aside = store_of(assets).with_name("bake.sqlite.damaged")
    if junk:
        assert aside.read_bytes() == junk
        assert "new store was begun" in report.notes[0]
    else:
        assert not aside.exists()


def test_store_of_another_format_is_made_anew(assets: Path) -> None:
    """A store of an older or newer version of this package is no reason to fail."""
    bake(assets)
    with sqlite3.connect(store_of(assets)) as db:
        db.execute("UPDATE facts SET value=999 WHERE name='format'")
    db.close()
    with AssetPipeline(assets, jobs=0) as pipeline:
        report = pipeline.bake()
        assert "the format 999" in report.notes[0]
        assert len(report.baked) == 31


def test_damaged_page_is_baked_again_and_nothing_else(assets: Path) -> None:
    """Its checksum tells whoever reads it; who asks again gets the right bytes."""
    right = bake(assets)
    with sqlite3.connect(store_of(assets)) as db:
        db.execute("UPDATE pages SET data=zeroblob(length(data)) WHERE number=2")
    db.close()
    with AssetPipeline(assets, jobs=0) as pipeline:
        asset = pipeline.get("big.txt")
        with pytest.raises(StoreError, match="damaged"):
            asset.data()
        assert b"".join(pipeline.get("prefabs/p1.ron")) == right["prefabs/p1.ron"]
        assert b"".join(pipeline.get("big.txt")) == right["big.txt"]
        assert pipeline.statistics().baked == 1
        assert any("big.txt" in note for note in pipeline.bake().notes)


def test_damaged_prefab_heals_while_it_is_read(assets: Path) -> None:
    """A prefab whose page is damaged is baked again in the call that asks for it."""
    bake(assets)
    with sqlite3.connect(store_of(assets)) as db:
        db.execute("UPDATE outputs SET data=zeroblob(length(data)) WHERE kind='prefab'")
    db.close()
    with AssetPipeline(assets, jobs=0) as pipeline:
        assert pipeline.get_prefab("p7").components["Tags"]["names"] == ["7"]
        assert pipeline.statistics().baked == 1
        assert any("p7.ron" in note for note in pipeline.bake().notes)


@pytest.mark.parametrize("size", [-1, PAGE_BYTES + 1, 2**40])
def test_page_that_lies_about_its_size_is_refused(assets: Path, size: int) -> None:
    """Nothing is unpacked that claims to be larger than a page."""
    bake(assets)
    with AssetPipeline(assets, jobs=0) as pipeline:
        pipeline.bake()
        pipeline.write_release(assets / "game.prefabs")
    with sqlite3.connect(assets / "game.prefabs") as db:
        db.execute("UPDATE outputs SET size=?", (size,))
    db.close()
    with AssetPipeline(assets / "game.prefabs") as release, pytest.raises(StoreError, match="page"):
        release.get_prefab("p1")


def test_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    """SQLite's own error for a full disk; what was committed stays, and more room goes on."""
    store = BakeStore(tmp_path / "bake.sqlite", most_pages=40)
    with store.writing() as db:
        db.execute("INSERT INTO dictionaries VALUES (1, x'01')")
    with pytest.raises(StoreError, match="full"), store.writing() as db:
        db.execute("INSERT INTO dictionaries VALUES (2, zeroblob(1000000))")
    dictionary = store.dictionary(1)
    assert dictionary is not None
    assert dictionary.data == b"\x01"
    store.close()
    store = BakeStore(tmp_path / "bake.sqlite")
    with store.writing() as db:
        db.execute("INSERT INTO dictionaries VALUES (2, zeroblob(1000000))")
    store.close()


def test_assets_that_cannot_be_written_have_their_store_in_the_cache(
    assets: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is written into such a folder; the cache keeps the store for the next start."""
    (assets / ".arcade_prefabs").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bake(assets)
    with AssetPipeline(assets, jobs=0) as pipeline:
        assert not pipeline.store.path.is_relative_to(assets)
        if sys.platform.startswith("linux"):
            assert pipeline.store.path.is_relative_to(tmp_path / "cache")
        assert pipeline.bake().baked == {}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
def test_user_who_may_not_write_bakes_all_the_same(assets: Path) -> None:
    """A real user without the right to write into the folder."""
    script = """
        # Imported before, for the other user may not be allowed to read this Python.
        import arcade_prefabs.pipeline, encodings.idna, os, platformdirs, sys
        from arcade_prefabs.pipeline import AssetPipeline
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        with AssetPipeline(sys.argv[1], jobs=0) as pipeline:
            assert pipeline.bake().ok
            print(pipeline.store.path)
    """
    # Not in the folder for tests, which belongs to one user alone.
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        shutil.copytree(assets, root / "assets")
        cache = root / "cache"
        cache.mkdir()
        cache.chmod(0o777)
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), str(root / "assets")],
            env={**os.environ, "XDG_CACHE_HOME": str(cache), "HOME": str(cache)},
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(str(cache))
        assert not (root / "assets" / ".arcade_prefabs").exists()


class Held(InlineWorkers):
    """Does the work at once, and hands it over when told to."""

    jobs = 4

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[tuple[Future[Any], list[Any]]] = []
        self.more = threading.Semaphore(0)

    def submit(self, context: WorkerContext, tasks: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.begun.append((future, super().submit(context, list(tasks)).result()))
        self.more.release()
        return future


def test_newest_of_two_edits_wins_though_the_older_is_read_last() -> None:
    """Two bakes overlap; the one that began with the older text ends last, and changes nothing."""
    source = MemorySource({"prefabs/a.ron": tags("old")})
    workers = Held()
    with AssetPipeline(source, workers=workers) as pipeline:
        threads = []
        for text in ("old", "new"):
            source.write("prefabs/a.ron", tags(text))
            threads.append(threading.Thread(target=pipeline.bake))
            threads[-1].start()
            assert workers.more.acquire(timeout=BOUND_S)
        (older, old_result), (newer, new_result) = workers.begun
        newer.set_result(new_result)
        threads[1].join(BOUND_S)
        older.set_result(old_result)
        threads[0].join(BOUND_S)
        assert not any(thread.is_alive() for thread in threads)
        assert pipeline.get_prefab("a").components["Tags"]["names"] == ["new"]


def test_two_processes_bake_and_a_third_reads(assets: Path) -> None:
    """Edits, bakes and reads at the same time: nothing is damaged, and the end is right."""
    baker = """
        import sys
        from pathlib import Path
        from arcade_prefabs.pipeline import AssetPipeline
        with AssetPipeline(sys.argv[1], jobs=0) as pipeline:
            for turn in range(15):
                file = Path(sys.argv[1], "prefabs", f"p{sys.argv[2]}.ron")
                beside = file.with_suffix(".tmp")
                beside.write_text(f'Prefab(components: [Tags(["{sys.argv[2]}", "{turn}"])])')
                beside.replace(file)
                assert pipeline.bake().ok
    """
    reader = """
        import sys
        from arcade_prefabs.pipeline import AssetPipeline
        with AssetPipeline(sys.argv[1], jobs=0) as pipeline:
            for turn in range(400):
                number = str(turn % 30)
                pipeline.invalidate()
                names = pipeline.get_prefab("p" + number).components["Tags"]["names"]
                assert names[0] == number, names
    """
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), str(assets), str(number)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for script, number in ((baker, 3), (baker, 4), (reader, 0))
    ]
    for run in runs:
        _, errors = run.communicate(timeout=BOUND_S)
        assert run.returncode == 0, errors
    with sqlite3.connect(store_of(assets)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    bake(assets)
    with AssetPipeline(assets, jobs=0) as pipeline:
        assert pipeline.get_prefab("p3").components["Tags"]["names"] == ["3", "14"]


def test_threads_that_ask_at_once_get_the_same(assets: Path) -> None:
    """Forty threads ask for ten prefabs that nobody baked."""
    found: list[tuple[int, list[str]]] = []
    gate = threading.Barrier(40)
    with AssetPipeline(assets, jobs=0) as pipeline:

        def ask(number: int) -> None:
            gate.wait(BOUND_S)
            names = pipeline.get_prefab(f"p{number % 10}").components["Tags"]["names"]
            found.append((number, names))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND_S)
    assert sorted(found) == [(number, [str(number % 10)]) for number in range(40)]


def test_release_file_holds_everything_and_is_never_written(assets: Path, tmp_path: Path) -> None:
    """All outputs byte by byte, smaller than the store; no sources, no workers, no journal."""
    right = bake(assets)
    release = tmp_path / "out" / "game.prefabs"
    with AssetPipeline(assets, jobs=0) as pipeline:
        assert pipeline.write_release(release) == release.stat().st_size
        assert release.stat().st_size < pipeline.statistics().store_bytes
    before = release.read_bytes()
    assert str(tmp_path).encode() not in before
    release.chmod(0o444)
    with AssetPipeline(release) as pipeline:
        assert pipeline.read_only
        assert {one: b"".join(pipeline.get(one)) for one in pipeline.ids()} == right
        with pytest.raises(StoreError, match="release"):
            pipeline.bake()
        with pytest.raises(AssetError, match="no such asset"):
            pipeline.get("prefabs/none.ron")
    assert release.read_bytes() == before
    assert [one.name for one in release.parent.iterdir()] == ["game.prefabs"]


def test_files_of_others_are_left_alone(assets: Path, tmp_path: Path) -> None:
    """Neither a store nor a release takes the place of a file that is neither."""
    savegame = tmp_path / "savegame.txt"
    savegame.write_text("years of my life", encoding="utf-8")
    with pytest.raises(StoreError, match="no bake store"):
        AssetPipeline(assets, store=savegame, jobs=0)
    with AssetPipeline(assets, jobs=0) as pipeline:
        pipeline.bake()
        with pytest.raises(StoreError, match="no release file"):
            pipeline.write_release(savegame)
        with pytest.raises(StoreError, match="itself"):
            pipeline.write_release(pipeline.store.path)
    assert savegame.read_text(encoding="utf-8") == "years of my life"
    database = tmp_path / "savegame.db"
    with sqlite3.connect(database) as db:
        db.execute("CREATE TABLE heroes(name)")
    db.close()
    before = database.read_bytes()
    with pytest.raises(StoreError, match="left alone"):
        AssetPipeline(assets, store=database, jobs=0)
    assert database.read_bytes() == before


def test_the_switch_to_the_log_waits_for_others_that_switch_too(tmp_path: Path) -> None:
    """SQLite refuses it at once while another one reads, whatever time-out was set."""
    path = tmp_path / "bake.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE facts(name)")
    other.execute("BEGIN")
    other.execute("SELECT * FROM facts").fetchall()
    attempts: list[str] = []

    def attempt(statement: str) -> None:
        attempts.append(statement)
        if len(attempts) == 3:
            other.execute("COMMIT")

    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    connection.set_trace_callback(attempt)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        use_write_ahead_log(connection, -1)
    use_write_ahead_log(connection, 60)
    assert len(attempts) == 3
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    other.close()
