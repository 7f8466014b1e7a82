"""The bake store under attack: damage in every place, lies, a full disk, and others beside us."""

from __future__ import annotations

import contextlib
import functools
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from arcade_prefabs.errors import ArcadePrefabsError, MissingAssetError, StoreError
from arcade_prefabs.pipeline import AssetPipeline, MemorySource, Output, ProcessContext, Processor
from arcade_prefabs.pipeline import asset_pipeline as pipeline_module
from arcade_prefabs.pipeline.bake.task import BakeTask, WorkerContext, process_batch
from arcade_prefabs.pipeline.model.bake_result import BakeResult
from arcade_prefabs.pipeline.store import release as release_module
from arcade_prefabs.pipeline.store.bake_store import BakeStore

BOUND_S = 30.0
FILES = {
    "prefabs/base.ron": 'Prefab(components: [Tags(["base"])])',
    "prefabs/mid.ron": 'Prefab(extends: "base", components: [Sprite(texture: "a.png")])',
    "prefabs/lib.ron": 'Library(gate: Prefab(extends: "mid"), wall: Prefab(extends: "base"))',
    "prefabs/bad.ron": "Prefab(components: [Tags([1])])",
    "prefabs/ghostly.ron": 'Prefab(extends: "ghost")',
    "data/a.json": '{"a": 1}',
    "b.txt": "bytes " * 60_000,
}
Content = dict[str, tuple[str, bytes, list[bytes]]]


class Plain:
    """Bakes ``*.t`` to its text."""

    name = "plain"
    version = 1
    patterns = ("*.t",)

    def __init__(self, work: Callable[[ProcessContext], Any] | None = None) -> None:
        self.work = work
        self.settings: dict[str, Any] = {}

    def process(self, context: ProcessContext) -> Any:
        return self.work(context) if self.work else [context.output(context.text())]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def stored(pipeline: AssetPipeline) -> Content:
    assets = [pipeline.get(identifier) for identifier in pipeline.ids()]
    return {asset.id: (asset.kind, asset.digest, list(asset)) for asset in assets}


def place(root: Path) -> Path:
    return root / ".arcade_prefabs" / "bake.sqlite"


def put(path: Path, data: bytes) -> None:
    """Replace a store, as if it had been so from the start."""
    for ending in ("-wal", "-shm", "-journal", ".damaged"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    path.write_bytes(data)


class Sound:
    """A tree, its store, and what it gives."""

    def __init__(self, root: Path) -> None:
        self.root = root
        write(root, FILES)
        with AssetPipeline(root, jobs=0) as pipeline:
            self.errors = {str(error) for error in pipeline.bake().errors}
            self.right = stored(pipeline)
        self.store = place(root)
        self.data = self.store.read_bytes()
        assert len(self.errors) == 2
        assert len(self.right) == 6

    def look(self, *, whole: bool = True) -> list[str]:
        """Ask without a bake, bake, restart: right data or our errors, and in the end healed.

        Gives what was not right, in words. Errors of files are compared if the whole has to be.
        """
        wrong = []
        try:
            with AssetPipeline(self.root, jobs=0) as pipeline:
                for identifier in sorted(self.right):
                    wrong += self.ask(pipeline, identifier)
                try:
                    pipeline.bake()
                except ArcadePrefabsError as error:
                    wrong.append(f"not healed by a bake: {type(error).__name__}: {error}")
        except ArcadePrefabsError as error:
            wrong.append(f"cannot be opened: {error}")
        with AssetPipeline(self.root, jobs=0) as pipeline:
            report = pipeline.bake()
            try:
                found = stored(pipeline)
            except ArcadePrefabsError:  # a row that nobody asked for before, and is mended now
                try:
                    report = pipeline.bake()
                    found = stored(pipeline)
                except ArcadePrefabsError as error:
                    return [*wrong, f"not healed by three bakes: {error!r}"]
            if found != self.right:
                differs = [k for k in {*found, *self.right} if found.get(k) != self.right.get(k)]
                wrong.append(f"not healed: {differs}")
            if whole and {str(error) for error in report.errors} != self.errors:
                wrong.append(f"other errors: {report.errors}")
        return wrong

    def ask(self, pipeline: AssetPipeline, identifier: str) -> list[str]:
        try:
            asset = pipeline.get(identifier)
            if (asset.kind, asset.digest, list(asset)) != self.right[identifier]:
                return [f"wrong data served for {identifier}"]
        except MissingAssetError as error:
            return [f"lost: {error}"]
        except ArcadePrefabsError:
            pass  # a clear report; healing is looked at later
        return []


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return Sound(tmp_path_factory.mktemp("sound"))


# ----------------------------------------------------------------------------------- random damage


def flips(count: int, seed: int) -> Iterator[tuple[str, Callable[[bytes], bytes]]]:
    chance = random.Random(seed)
    for _ in range(count):
        where, bit = chance.random(), 1 << chance.randrange(8)

        def flip(data: bytes, where: float = where, bit: int = bit) -> bytes:
            changed = bytearray(data)
            # Where something stands: most of a small file is empty.
            used = [at for at in range(len(data)) if data[at]]
            at = used[int(where * len(used))]
            changed[at] ^= bit
            return bytes(changed)

        yield f"one bit at {where:.6f} of what is used, {bit}", flip


def damage_everywhere(
    sound: Sound, damages: Iterable[tuple[str, Callable[[bytes], bytes]]], hidden: float = 0.0
) -> None:
    """Look at one damage after the other; a share of them may hide rows from everybody."""
    wrong: list[str] = []
    hiding: list[str] = []
    count = 0
    for name, damage in damages:
        count += 1
        put(sound.store, damage(sound.data))
        for what in sound.look(whole=False):
            (wrong if what.startswith("wrong") else hiding).append(f"{name}: {what}")
    put(sound.store, sound.data)
    assert not wrong
    assert len(hiding) <= hidden * count, "\n".join(hiding)


@pytest.mark.long
def test_flipped_bit_anywhere_is_never_served_and_heals(sound: Sound) -> None:
    """Right data or an error of ours; all is right after a bake, but for rows that are hidden.

    A tree of SQLite whose order one bit broke may give a row to those who list and not to those who
    ask for it; only reading the whole file at every start would show it.
    """
    damage_everywhere(sound, flips(150, seed=1), hidden=0.02)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_flipped_bit_in_very_many_places_is_never_served_and_heals(sound: Sound) -> None:
    """The same for a minute."""
    damage_everywhere(sound, flips(4000, seed=2), hidden=0.02)


def cuts() -> Iterator[tuple[str, Callable[[bytes], bytes]]]:
    for part in (0.0, 0.0001, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99):
        yield f"cut at {part}", lambda data, part=part: data[: int(len(data) * part)]  # type: ignore[misc]
    for pages in (1, 2, 5):
        yield f"cut at {pages} pages", lambda data, n=pages: data[: 4096 * n]  # type: ignore[misc]
        yield f"{pages} pages less", lambda data, n=pages: data[: -4096 * n]  # type: ignore[misc]
        yield (
            f"{pages} pages of zeros",
            (  # type: ignore[misc]
                lambda data, n=pages: data[: 4096 * n] + bytes(4096) + data[4096 * (n + 1) :]
            ),
        )


def test_cut_store_heals(sound: Sound) -> None:
    """At any length, also within the header, and with pages that were never written."""
    damage_everywhere(sound, cuts())


# Each statement leaves a store that SQLite has nothing against.
PAGE_LIES = [
    "UPDATE outputs SET size='big'",
    "UPDATE outputs SET size=1.5",
    "UPDATE pages SET size=2147483647",
    "UPDATE outputs SET method=7",
    "UPDATE outputs SET method=-2",
    "UPDATE outputs SET data='text'",
    "UPDATE outputs SET data=zeroblob(50000000) WHERE label='gate'",
    "UPDATE outputs SET pages=0",
    "UPDATE outputs SET pages='many'",
    "UPDATE outputs SET pages=pages+1",
    "UPDATE outputs SET kind='image'",
    "UPDATE outputs SET digest=x'00'",
    "UPDATE outputs SET digest='text'",
    "UPDATE outputs SET seal=seal+1",
    "UPDATE OR REPLACE outputs SET asset=asset+1",
    "DELETE FROM outputs",
    "DELETE FROM outputs WHERE label='gate'",
    "DELETE FROM pages",
    "UPDATE pages SET number=number+7",
    "UPDATE assets SET path=CAST(x'ff' || path AS TEXT)",
    "UPDATE words SET word=CAST(x'ff' || id AS TEXT)",
    "DROP TABLE outputs",
]
OTHER_LIES = [
    "UPDATE assets SET errors='[5]' WHERE errors IS NOT NULL",
    'UPDATE assets SET errors=\'[{"type": 5, "line": "x"}]\' WHERE errors IS NOT NULL',
    "UPDATE assets SET errors=CAST(x'ff' AS TEXT) WHERE errors IS NOT NULL",
    "UPDATE assets SET state=0",
    "UPDATE assets SET state='x'",
    "UPDATE assets SET stamp='x'",
    "UPDATE assets SET content='x'",
    "UPDATE assets SET recipe=99",
    "DELETE FROM assets WHERE path='prefabs/base.ron'",
    "UPDATE recipes SET version=version+100",
    "UPDATE inputs SET kind=7",
    "UPDATE inputs SET target=target+99999",
    "UPDATE facts SET value=x'00' WHERE name='format'",
    "ALTER TABLE assets RENAME COLUMN content TO contents",
    "CREATE TRIGGER evil AFTER INSERT ON inputs BEGIN DELETE FROM outputs; END",
]


@pytest.mark.parametrize("lie", PAGE_LIES + OTHER_LIES)
def test_row_that_lies_heals(sound: Sound, lie: str) -> None:
    """In sound SQL, any value of any type: never wrong data, never an error that is not ours."""
    put(sound.store, sound.data)
    with closing(sqlite3.connect(sound.store)) as db, db:
        db.execute(lie)
    wrong = sound.look()
    put(sound.store, sound.data)
    assert not wrong


@pytest.fixture(scope="module")
def release(sound: Sound) -> bytes:
    put(sound.store, sound.data)
    target = sound.root.parent / "sound.prefabs"
    with AssetPipeline(sound.root, jobs=0) as pipeline:
        pipeline.write_release(target)
    return target.read_bytes()


@pytest.mark.parametrize("lie", PAGE_LIES)
def test_release_with_a_row_that_lies_is_an_error_or_right(
    sound: Sound, release: bytes, tmp_path: Path, lie: str
) -> None:
    """It cannot be healed; who reads it gets the right bytes, or is told where and what to do."""
    target = tmp_path / "lies.prefabs"
    target.write_bytes(release)
    with closing(sqlite3.connect(target)) as db, db:
        db.execute(lie)
    with contextlib.suppress(StoreError), AssetPipeline(target) as pipeline:
        pipeline.ids()
    told = []
    for identifier, (kind, _, pages) in sound.right.items():
        try:
            with AssetPipeline(target) as pipeline:
                asset = pipeline.get(identifier)
                found = (asset.kind, list(asset))
                pipeline.needs(identifier)
                if kind == "prefab":
                    pipeline.get_prefab(identifier)
        except StoreError as error:
            told.append(str(error))
        except MissingAssetError:
            pass
        else:
            assert found == (kind, pages)
    assert all("lies.prefabs" in text for text in told)
    assert all(text.count("sound copy") == 1 for text in told if "no bake store" not in text)


def test_flipped_bits_in_a_release_are_an_error_or_right(
    sound: Sound, release: bytes, tmp_path: Path
) -> None:
    """At many places, and cut at many lengths."""
    target = tmp_path / "flips.prefabs"
    wrong = []
    served = 0
    for name, damage in [*flips(100, seed=3), *cuts()]:
        target.write_bytes(damage(release))
        for identifier, (kind, _, pages) in sound.right.items():
            try:
                with AssetPipeline(target) as pipeline:
                    asset = pipeline.get(identifier)
                    found = (asset.kind, list(asset))
            except ArcadePrefabsError:
                continue
            served += 1
            if found != (kind, pages):
                wrong.append(f"{name}: {identifier}")
    assert not wrong
    assert served > 100


# -------------------------------------------------------------------------- things in other places


def test_folder_in_place_of_the_store_is_an_error_of_ours(tmp_path: Path) -> None:
    """Nothing in it is touched."""
    write(tmp_path, FILES)
    place(tmp_path).mkdir(parents=True)
    (place(tmp_path) / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match=r"bake\.sqlite"):
        AssetPipeline(tmp_path, jobs=0)
    assert (place(tmp_path) / "mine.txt").read_text(encoding="utf-8") == "mine"


def test_file_in_place_of_the_store_folder_sends_the_store_to_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is left alone, and the next start finds the store again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "assets"
    write(root, FILES)
    (root / ".arcade_prefabs").write_text("mine", encoding="utf-8")
    for expected in (7, 0):
        with AssetPipeline(root, jobs=0) as pipeline:
            assert pipeline.store.path.is_relative_to(tmp_path / "cache")
            assert len(pipeline.bake().baked) == expected
    assert (root / ".arcade_prefabs").read_text(encoding="utf-8") == "mine"


def test_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """A savegame that somebody names as the store keeps its place, its name and its content."""
    save = tmp_path / "save.db"
    with closing(sqlite3.connect(save)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE heroes(name)")
        db.execute("INSERT INTO heroes VALUES ('precious')")
        db.commit()
        with pytest.raises(StoreError):
            AssetPipeline(MemorySource(FILES), jobs=0, store=save)
        assert db.execute("SELECT * FROM heroes").fetchall() == [("precious",)]
    with closing(sqlite3.connect(save)) as db:
        assert db.execute("SELECT * FROM heroes").fetchall() == [("precious",)]
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("heroes",)]
    assert not (tmp_path / "save.db.damaged").exists()


def test_store_that_is_deleted_while_open_is_no_end(tmp_path: Path) -> None:
    """Somebody cleans up: edits are still served right, and a restart bakes anew."""
    write(tmp_path, FILES)
    with AssetPipeline(tmp_path, jobs=0) as pipeline:
        pipeline.bake()
        right = stored(pipeline)
        for ending in ("", "-wal", "-shm"):
            Path(f"{place(tmp_path)}{ending}").unlink(missing_ok=True)
        write(tmp_path, {"data/a.json": '{"a": 2}'})
        with contextlib.suppress(StoreError):
            pipeline.bake()
        with pipeline.store.reading():  # so that others need a connection of their own
            assert pipeline.get("data/a.json").head() == {"value": {"a": 2}}
            assert list(pipeline.get("b.txt")) == right["b.txt"][2]
    with AssetPipeline(tmp_path, jobs=0) as pipeline:
        pipeline.bake()
        assert pipeline.get("data/a.json").head() == {"value": {"a": 2}}


# ---------------------------------------------------------------------------------------- full disk


@pytest.mark.parametrize("room", [0, 3, 8])
def test_full_disk_loses_nothing_and_heals_with_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """The error says what to do; what was there is served; with room the bake goes on."""
    files = {f"{number:03}.t": str(number) for number in range(200)}
    source = MemorySource({name: files[name] for name in list(files)[:10]})
    noise = random.Random(3)
    big = Plain(lambda context: [context.output(context.text(), data=noise.randbytes(3000))])
    store = tmp_path / "store.sqlite"
    with AssetPipeline(source, processors=[big], jobs=0, store=store) as pipeline:
        pipeline.bake()
        before = stored(pipeline)
    for name, text in files.items():
        if source.stat(name) is None:
            source.write(name, text)
    pages = store.stat().st_size // 4096 + room
    full = functools.partial(BakeStore, most_pages=pages)
    with monkeypatch.context() as patched:
        patched.setattr(pipeline_module, "BakeStore", full)
        with AssetPipeline(source, processors=[big], jobs=0, store=store) as pipeline:
            with pytest.raises(StoreError, match="full"):
                pipeline.bake()
            found = stored(pipeline)
            assert before.items() <= found.items()
            with pytest.raises(StoreError, match="full"):
                pipeline.bake()
    with AssetPipeline(source, processors=[big], jobs=0, store=store) as pipeline:
        report = pipeline.bake()
        assert (report.ok, report.notes) == (True, [])
        assert len(pipeline.ids()) == 200
        assert found.items() <= stored(pipeline).items()


def test_deleted_assets_give_their_room_back(tmp_path: Path) -> None:
    """Without a compaction, after the bake that removed them."""
    noise = random.Random(3)
    source = MemorySource({f"{number}.t": "x" for number in range(200)})
    big = Plain(lambda context: [context.output(1, data=noise.randbytes(20_000))])
    with AssetPipeline(source, processors=[big], jobs=0, store=tmp_path / "s") as pipeline:
        pipeline.bake()
        before = pipeline.store.file_bytes()
        for number in range(180):
            source.remove(f"{number}.t")
        pipeline.bake()
        assert pipeline.store.file_bytes() < before / 2


# -------------------------------------------------------------------------- the newest edit wins


class Gated:
    """Workers whose batches are read when they are submitted, and finished by hand."""

    jobs = 2

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[list[BakeResult]], list[BakeResult]]] = []
        self.arrived = threading.Semaphore(0)

    def submit(self, context: WorkerContext, tasks: Sequence[BakeTask]) -> Future[list[BakeResult]]:
        future: Future[list[BakeResult]] = Future()
        self.waiting.append((future, list(process_batch(context, tasks))))
        self.arrived.release()
        return future

    def next(self) -> None:
        assert self.arrived.acquire(timeout=BOUND_S), "no batch came"

    def finish(self, number: int) -> None:
        future, outcomes = self.waiting[number]
        future.set_result(outcomes)

    def close(self) -> None:
        for future, _ in self.waiting:
            future.cancel()


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def ended(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(BOUND_S)
        assert not thread.is_alive()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("last", ["bake", "get"])
def test_newest_edit_wins_in_whatever_order_the_reads_end(
    tmp_path: Path, order: tuple[int, int], last: str
) -> None:
    """Two bakes at once, or a bake and a request: the read that began last is what stays."""
    source, workers = MemorySource({"a.t": "one"}), Gated()
    pipeline = AssetPipeline(source, processors=[Plain()], workers=workers)
    first = in_thread(pipeline.bake)
    workers.next()
    source.write("a.t", "two")
    second = in_thread(pipeline.bake if last == "bake" else lambda: pipeline.get("a.t"))
    workers.next()
    threads = (first, second)
    for number in order:
        workers.finish(number)
        ended(threads[number])
    with pipeline.store.reading() as db:
        size = db.execute("SELECT count(*) FROM outputs").fetchone()[0]
    assert size == 1
    pipeline._reader.all_fresh = True
    assert pipeline.get("a.t").head() == "two"
    pipeline.close()


def test_three_edits_end_in_the_newest_in_every_order(tmp_path: Path) -> None:
    """Of all six orders in which three reads can end."""
    import itertools

    for order in itertools.permutations(range(3)):
        source, workers = MemorySource({"a.t": "0"}), Gated()
        pipeline = AssetPipeline(source, processors=[Plain()], workers=workers)
        threads = []
        for number in range(3):
            source.write("a.t", str(number))
            threads.append(in_thread(lambda: pipeline.bake(["a.t"])))  # noqa: B023
            workers.next()
        for number in order:
            workers.finish(number)
            ended(threads[number])
        with pipeline.store.reading() as db:
            content = db.execute("SELECT content FROM assets WHERE path='a.t'").fetchone()[0]
        from arcade_prefabs.pipeline.model.processor import digest

        assert content == digest(b"2"), order
        pipeline.close()


def test_older_read_that_waits_for_the_lock_does_not_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the newer commit and whatever follows it there is no gap to slip through."""
    source, workers = MemorySource({"a.t": "old"}), Gated()
    pipeline = AssetPipeline(source, processors=[Plain()], workers=workers)
    older = in_thread(pipeline.bake)
    workers.next()
    source.write("a.t", "new")
    real = pipeline.store.writing
    newer: list[threading.Thread] = []

    @contextlib.contextmanager
    def writing(**how: bool) -> Iterator[sqlite3.Connection]:
        mine = threading.current_thread() in newer
        with real(**how) as db:
            yield db
            count = db.execute("SELECT count(*) FROM outputs").fetchone()[0]
        if mine and count and older.is_alive():
            workers.finish(0)
            older.join(BOUND_S)

    monkeypatch.setattr(pipeline.store, "writing", writing)
    newer.append(threading.Thread(target=pipeline.bake, daemon=True))
    newer[0].start()
    workers.next()
    workers.finish(1)
    ended(*newer, older)
    pipeline._reader.all_fresh = True
    assert pipeline.get("a.t").head() == "new"
    pipeline.close()


# ----------------------------------------------------------------------------------- beside others


def test_release_is_of_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bake that is committed meanwhile is in it whole or not at all."""
    source = MemorySource({"a.t": "1"})
    large = Plain(lambda context: [context.output(context.text(), data=context.data * 300_000)])
    with AssetPipeline(source, processors=[large], jobs=0) as pipeline:
        pipeline.bake()
        real = release_module._packed_anew
        edited = threading.Event()

        def packed(*arguments: Any) -> Any:
            if not edited.is_set():
                edited.set()
                source.write("a.t", "2")
                pipeline.bake()
            return real(*arguments)

        monkeypatch.setattr(release_module, "_packed_anew", packed)
        pipeline.write_release(tmp_path / "r")
        assert edited.is_set()
        assert pipeline.get("a.t").head() == "2"
    with AssetPipeline(tmp_path / "r") as release:
        asset = release.get("a.t")
        assert {asset.head().encode()} == {asset.data()[at : at + 1] for at in (0, -2, 150_000)}


def many(mark: str) -> dict[str, str]:
    return {
        f"prefabs/p{number:03}.ron": f'Prefab(components: [Tags(["{mark * 60}{number}"])])'
        for number in range(100)
    }


def test_store_that_another_process_began_anew_is_noticed(tmp_path: Path) -> None:
    """What was baked last is what is served, from whichever connection."""
    source = MemorySource({"data/a.json": "1"})
    with (
        AssetPipeline(source, jobs=0, store=tmp_path / "s") as one,
        AssetPipeline(source, jobs=0, store=tmp_path / "s") as other,
    ):
        one.bake()
        other.store.rebuild()
        other.bake()
        source.write("data/a.json", "2")
        one.bake()
        with one.store.reading():
            assert one.get("data/a.json").head() == {"value": 2}
        assert one.get("data/a.json").head() == {"value": 2}


def test_store_that_was_filled_from_other_files_is_compared_with_ours(tmp_path: Path) -> None:
    """What was fresh in the old store says nothing of the new one: of another branch's checkout."""
    with (
        AssetPipeline(MemorySource({"data/a.json": "22"}), jobs=0, store=tmp_path / "s") as one,
        AssetPipeline(MemorySource({"data/a.json": "1"}), jobs=0, store=tmp_path / "s") as other,
    ):
        one.bake()
        other.store.rebuild()
        other.bake()
        assert one.get("data/a.json").head() == {"value": 22}


def test_store_that_is_begun_anew_during_a_bake_gets_no_numbers_of_the_old_one(
    tmp_path: Path,
) -> None:
    """The bake begins again; its rows would stand under other assets."""
    source = MemorySource({f"{name}.t": name for name in "abcdef"})
    turns = iter([True])

    def work(context: ProcessContext) -> list[Output]:
        if next(turns, False):
            other.store.rebuild()
            other.bake(["f.t"])
            other.bake(["c.t"])
        return [context.output(context.text())]

    with (
        AssetPipeline(source, processors=[Plain()], jobs=0, store=tmp_path / "s") as other,
        AssetPipeline(source, processors=[Plain(work)], jobs=0, store=tmp_path / "s") as one,
    ):
        report = one.bake()
        assert (report.ok, report.notes) == (True, [])
        for pipeline in (one, other):
            pipeline.invalidate()
            found = {name: pipeline.get(f"{name}.t").head() for name in "abcdef"}
            assert found == {name: name for name in "abcdef"}
            assert len(pipeline.ids()) == 6


def test_store_that_two_find_damaged_is_put_aside_once(tmp_path: Path) -> None:
    """The second one takes the new store of the first, and does not throw it away."""
    source = MemorySource({"a.t": "a", "b.t": "b"})
    with (
        AssetPipeline(source, processors=[Plain()], jobs=0, store=tmp_path / "s") as one,
        AssetPipeline(source, processors=[Plain()], jobs=0, store=tmp_path / "s") as other,
    ):
        one.bake()
        with one.store.writing() as db:
            db.execute("UPDATE assets SET size='x'")
        assert one.bake().notes
        assert other.store.rebuild(other.store.generation) is None
        assert other.ids() == ["a.t", "b.t"]


def test_pipelines_that_open_at_once_share_their_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one process, from several threads."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write(tmp_path / "assets", {"data/a.json": "1"})
    for _ in range(10):
        shutil.rmtree(tmp_path / "assets" / ".arcade_prefabs", ignore_errors=True)
        start = threading.Barrier(4)
        places: list[Path] = []

        def begin(start: threading.Barrier = start, places: list[Path] = places) -> None:
            start.wait(BOUND_S)
            with AssetPipeline(tmp_path / "assets", jobs=0) as pipeline:
                pipeline.bake()
                places.append(pipeline.store.path)

        ended(*[in_thread(begin) for _ in range(4)])
        assert places == [tmp_path / "assets" / ".arcade_prefabs" / "bake.sqlite"] * 4


EDITOR = """
import random, sys
from pathlib import Path
from arcade_prefabs.pipeline import AssetPipeline

root, seed = Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
with AssetPipeline(root, jobs=0) as pipeline:
    for turn in range(25):
        name = f"p{chance.randrange(6)}"
        beside = root / f"{name}.{seed}.tmp"
        value = chance.randrange(10**6)
        beside.write_text(f'Prefab(components: [Tags(["{name}", "{value}", "{value}"])])')
        beside.replace(root / "prefabs" / f"{name}.ron")
        report = pipeline.bake() if turn % 2 else pipeline.bake([f"prefabs/{name}.ron"])
        assert report.ok, report.errors
        assert not report.notes, report.notes
print("done")
"""
READER = """
import sys
from pathlib import Path
from arcade_prefabs.pipeline import AssetPipeline

root = Path(sys.argv[1])
reads = 0
with AssetPipeline(root, jobs=0) as pipeline:
    while not (root.parent / "stop").exists():
        pipeline.invalidate()
        for number in range(6):
            name, value, again = pipeline.get_prefab(f"p{number}").components["Tags"]["names"]
            assert name == f"p{number}" and value == again, (name, value, again)
            heir = pipeline.get_prefab(f"heir{number}").components["Tags"]["names"]
            assert heir[0] == f"p{number}" and heir[1] == heir[2], heir
            reads += 2
print(reads)
"""


@pytest.mark.timeout(120)
def test_two_editors_and_a_reader_do_no_harm(tmp_path: Path) -> None:
    """Three processes on one store: sound, never a wrong value, and in the end as a first bake."""
    root = tmp_path / "assets"
    for number in range(6):
        text = f'Prefab(components: [Tags(["p{number}", "0", "0"])])'
        heir = f'Prefab(extends: "p{number}")'
        write(root, {f"prefabs/p{number}.ron": text, f"prefabs/heir{number}.ron": heir})
    with AssetPipeline(root, jobs=0) as pipeline:
        pipeline.bake()

    def start(script: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", script, str(root), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    reader = start(READER)
    editors = [start(EDITOR, "1"), start(EDITOR, "2")]
    try:
        for editor in editors:
            out, trouble = editor.communicate(timeout=BOUND_S)
            assert (out.strip(), trouble) == ("done", "")
        (tmp_path / "stop").touch()
        out, trouble = reader.communicate(timeout=BOUND_S)
        assert trouble == ""
        assert int(out) > 0
    finally:
        for process in (reader, *editors):
            process.kill()
            process.wait(BOUND_S)
    with closing(sqlite3.connect(place(root))) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with AssetPipeline(root, jobs=0) as pipeline:
        pipeline.bake()
        found = stored(pipeline)
    files = {f"prefabs/{one.name}": one.read_bytes() for one in (root / "prefabs").iterdir()}
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        pipeline.bake()
        assert stored(pipeline) == found


def test_worker_processes_bake_to_the_same_bytes(tmp_path: Path) -> None:
    """Whether two of them do it or this thread."""
    write(tmp_path, {**FILES, **many("a")})
    results = []
    for jobs in (0, 2):
        with AssetPipeline(tmp_path, jobs=jobs, store=tmp_path.parent / f"s{jobs}") as pipeline:
            report = pipeline.bake()
            results.append((stored(pipeline), {str(error) for error in report.errors}))
    assert results[0] == results[1]


def test_plain_is_a_processor() -> None:
    """What these tests bake with is what the protocol asks for."""
    assert isinstance(Plain(), Processor)
