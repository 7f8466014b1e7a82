"""Work and store grow with the size of the input, however its files refer to each other."""

from __future__ import annotations

import contextlib
import cProfile
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from arcade_prefabs import PrefabError
from arcade_prefabs.pipeline import (
    AssetPipeline,
    MemorySource,
    Output,
    ProcessContext,
    SourceFile,
    check_tree,
)
from arcade_prefabs.pipeline.model.bake_result import BakeKey
from arcade_prefabs.pipeline.store import writes

Files = Mapping[str, str]


def prefabs(texts: list[str]) -> Files:
    return {f"prefabs/p{number:05}.ron": text for number, text in enumerate(texts)}


def listed(parts: list[str]) -> str:
    return f"[{', '.join(parts)}]"


def chain(text: str, *, circle: bool) -> Callable[[int], Files]:
    def files(count: int) -> Files:
        texts = [text.format(f"p{(number + 1) % count:05}") for number in range(count)]
        if not circle:
            texts[-1] = "Prefab()"
        return prefabs(texts)

    return files


def fan(text: str, top: str) -> Callable[[int], Files]:
    """Many files that name the first one."""
    return lambda count: prefabs([top, *[text.format("p00000")] * (count - 1)])


def broken_library(count: int) -> Files:
    """As many labels as misspelt references to them."""
    labels = ", ".join(f"a{number}: Prefab()" for number in range(count))
    heirs = prefabs([f'Prefab(extends: "lib.ron#b{number}")' for number in range(count)])
    return {**heirs, "prefabs/lib.ron": f"Library({labels})"}


def unnamed_labels(count: int) -> Files:
    """As many labels as references that name none."""
    labels = ", ".join(f"a{number}: Prefab()" for number in range(count))
    heirs = prefabs(['Prefab(extends: "lib.ron")'] * count)
    return {**heirs, "prefabs/lib.ron": f"Library({labels})"}


def broken_fans(count: int) -> Files:
    """As many files extend one as that extends itself, all of them broken."""
    broken = {
        f"prefabs/b{number:05}.ron": "Prefab(components: [Nope()])" for number in range(count)
    }
    parents = listed([f'"b{number:05}"' for number in range(count)])
    heirs = fan('Prefab(extends: "{}")', f"Prefab(extends: {parents})")(count)
    return {**broken, **heirs}


def fans(count: int) -> Files:
    """As many files extend one as that extends itself, all of them sound."""
    parents = listed([f'"a{number:05}"' for number in range(count)])
    above = {f"prefabs/a{number:05}.ron": "Prefab()" for number in range(count)}
    return {**above, **fan(EXTENDS, f"Prefab(extends: {parents})")(count)}


def broken_parts(count: int) -> Files:
    """As many files contain one as that contains itself, all of them broken."""
    parts = listed([f'(prefab: "b{number:05}")' for number in range(count)])
    broken = {
        f"prefabs/b{number:05}.ron": "Prefab(components: [Nope()])" for number in range(count)
    }
    return {**broken, **fan(CONTAINS, f"Prefab(children: {parts})")(count)}


def missing(count: int) -> Files:
    return prefabs([f'Prefab(extends: "gone{number}")' for number in range(count)])


def includes(last: str) -> Callable[[int], Files]:
    def files(count: int) -> Files:
        texts = [f'World(include: ["worlds/w{number + 1}.ron"])' for number in range(count - 1)]
        return {f"worlds/w{number}.ron": text for number, text in enumerate([*texts, last])}

    return files


def twice(count: int) -> Files:
    entities = listed(['(prefab: "b", at: (1, 1), id: "x")'] * count)
    return {"prefabs/b.ron": "Prefab()", "worlds/w.ron": f"World(entities: {entities})"}


def pictures(count: int) -> Files:
    return prefabs(['Prefab(components: [Sprite(texture: "gone.png")])'] * count)


EXTENDS, CONTAINS = 'Prefab(extends: "{}")', 'Prefab(children: [(prefab: "{}")])'
KINDS: Mapping[str, Callable[[int], Files]] = {
    "extends chain": chain(EXTENDS, circle=False),
    "extends circle": chain(EXTENDS, circle=True),
    "extends fan": fan(EXTENDS, "Prefab()"),
    "extends broken fan": fan(EXTENDS, "Prefab(components: [Nope()])"),
    "extends fans": fans,
    "extends broken fans": broken_fans,
    "contains chain": chain(CONTAINS, circle=False),
    "contains circle": chain(CONTAINS, circle=True),
    "contains fan": fan(CONTAINS, "Prefab()"),
    "contains broken fans": broken_parts,
    "misspelt labels": broken_library,
    "labels left out": unnamed_labels,
    "missing": missing,
    "include chain": includes("World()"),
    "include circle": includes('World(include: ["worlds/w0.ron"])'),
    "same ids": twice,
    "one picture": pictures,
}

# Those that are not slow: of a way, of one place that many fail for, of names that are compared.
QUICK = ("extends chain", "extends broken fan", "misspelt labels")


def baked(files: Files) -> dict[str, int]:
    """What a bake stores and tells of files."""
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        report = pipeline.bake()
        assert pipeline.bake().baked == {}
        with pipeline.store.reading() as db:
            inputs = db.execute("SELECT count(*) FROM inputs").fetchone()[0]
            stored = db.execute("SELECT coalesce(sum(length(errors)), 0) FROM assets").fetchone()[0]
        told = sum(len(str(error)) for error in report.errors)
    return {"inputs": inputs, "stored errors": stored, "told": told}


@pytest.mark.parametrize(
    "kind",
    [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in KINDS],
)
def test_what_is_stored_and_told_grows_with_the_files(kind: str) -> None:
    """Rows and letters, no seconds. The first 64 of a chain are sound: it has a bit over twice."""
    small, large = baked(KINDS[kind](150)), baked(KINDS[kind](300))
    assert large.pop("told") <= 600 * 300
    for name, amount in large.items():
        assert amount <= 3.5 * small[name] + 2000, name


def test_a_long_circle_is_told_by_its_ends() -> None:
    """Each of its files tells it: with all names in each, messages grew with the square."""
    with AssetPipeline(MemorySource(KINDS["extends circle"](40)), jobs=0) as pipeline:
        errors = pipeline.bake().errors
    assert len(errors) == 40
    assert all(" → … → " in one.message for one in errors)
    assert max(len(one.message) for one in errors) < 300


class Counting(MemorySource):
    """Counts how often files are looked at."""

    looks = 0

    def stat(self, path: str) -> SourceFile | None:
        self.looks += 1
        return super().stat(path)


@pytest.mark.parametrize("kind", ["extends chain", "extends circle", "extends fan", "missing"])
def test_files_that_are_asked_for_one_by_one_are_looked_at_a_few_times(kind: str) -> None:
    """Each walk over what a file is made from leaves out what the ones before have looked at."""
    files = KINDS[kind](150)
    source = Counting(files)
    with AssetPipeline(source, jobs=0, clock_ns=lambda: time.time_ns() + 10**10) as pipeline:
        pipeline.bake()
        pipeline.invalidate()
        source.looks = 0
        for name in files:
            with contextlib.suppress(PrefabError):
                pipeline.get(name)
    assert source.looks <= 3 * len(files)


def test_chain_on_demand_is_as_long_as_the_files_are_many() -> None:
    """What it is made from is followed without calls that nest, and not by looking at all files."""
    files = {f"a{number}.line": f"a{number + 1}.line" for number in range(1200)}
    source = Counting({**files, "a1200.line": "", "other.line": ""})
    later = lambda: time.time_ns() + 10**10  # noqa: E731
    with AssetPipeline(source, processors=[Lines()], jobs=0, clock_ns=later) as pipeline:
        pipeline.bake()
        source.write("a1200.line", "changed")
        pipeline.invalidate()
        pipeline.get("a0.line")
        assert pipeline.is_fresh("a1199.line")
        assert pipeline.get("a1199.line").first == b"changed"
        assert not pipeline.is_fresh("other.line")


class Lines:
    """Bakes a file to what stands in the next one of a row of files."""

    name = "lines"
    version = 1
    patterns = ("*.line",)
    settings: Mapping[str, Any] = {}

    def process(self, context: ProcessContext) -> Iterator[Output]:
        yield Output("", "data", (context.read(context.data.decode()) if context.data else b"",))


def calls(action: Callable[[], Any]) -> int:
    """Returns how many functions an action calls, those of C included."""
    profile = cProfile.Profile()
    profile.runcall(action)
    return sum(one.callcount for one in profile.getstats())


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_calls_grow_with_the_files(kind: str) -> None:
    """200 more files take about as many calls as the 200 before; the square would take 1.7 times.

    The first 200 are no measure: the end of a chain is sound, and what is above it is followed to
    fewer files.
    """
    counts: list[int] = []
    for count in (200, 400, 600):
        with AssetPipeline(MemorySource(KINDS[kind](count)), jobs=0) as pipeline:
            counts.append(calls(pipeline.bake) + calls(pipeline.bake))
    small, middle, large = counts
    assert large - middle <= 1.3 * (middle - small)


def seconds(action: Callable[[], Any]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def growth(kind: str, tmp_path: Path) -> list[float]:
    """Returns how many times the processor time 4,000 files take: checked, baked, baked again."""
    taken: list[list[float]] = []
    for count in (1000, 4000):
        folder = tmp_path / str(count)
        for name, text in KINDS[kind](count).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        with AssetPipeline(folder, jobs=0, store=tmp_path / f"{count}.sqlite") as pipeline:
            taken.append(
                [
                    seconds(lambda folder=folder: check_tree(folder)),
                    seconds(pipeline.bake),
                    seconds(pipeline.bake),
                ]
            )
    return [large / max(small, 0.2) for small, large in zip(*taken, strict=True)]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_time_grows_with_the_files(kind: str, tmp_path: Path) -> None:
    """Four times as many files take at most six times the time, in one of two runs at least.

    Also within SQLite, which the calls do not tell. A chain takes 4.5 times as many steps, because
    the first 250 of its files take few; the square of the files would take 16 times.
    """
    times = growth(kind, tmp_path / "first")
    if max(times) > 6:
        times = list(map(min, times, growth(kind, tmp_path / "second")))
    assert max(times) <= 6


def test_an_edit_at_the_root_of_a_chain_looks_through_the_store_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each wave looks at what was made from the wave before, however much else there is."""
    whole: list[bool] = []
    stale = writes.stale

    def counted(
        db: sqlite3.Connection,
        key: BakeKey | None = None,
        made_from: Iterable[BakeKey] | None = None,
    ) -> dict[BakeKey, str]:
        whole.append(key is None and made_from is None)
        return stale(db, key, made_from)

    source = MemorySource(
        {
            "prefabs/p0.ron": "Prefab()",
            **{f"prefabs/p{n}.ron": EXTENDS.format(f"p{n - 1}") for n in range(1, 40)},
        }
    )
    with AssetPipeline(source, jobs=0, clock_ns=lambda: time.time_ns() + 10**10) as pipeline:
        pipeline.bake()
        monkeypatch.setattr(writes, "stale", counted)
        source.write("prefabs/p0.ron", 'Prefab(components: [Tags(["a"])])')
        report = pipeline.bake(["prefabs/p0.ron"])
        assert pipeline.get_prefab("p39").components["Tags"] == {"names": ["a"]}
    assert len(report.baked) == 40
    assert len(whole) >= 40
    assert sum(whole) <= 2
