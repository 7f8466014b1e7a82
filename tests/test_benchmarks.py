"""The benchmarks run, and compare like with like; what they measure is not looked at here."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from arcade_prefabs import ron
from arcade_prefabs.ron import fast_reader as quick
from arcade_prefabs.ron import positional_reader as careful

ROOT = Path(__file__).resolve().parents[1]


def load(monkeypatch: pytest.MonkeyPatch, name: str) -> ModuleType:
    # The benchmarks are no part of what is installed.
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module(f"benchmarks.{name}")


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load(monkeypatch, "content")


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load(monkeypatch, "harness")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=110,
    )


# ------------------------------------------------------------------------------------- the contents


def test_the_crate_is_a_kilobyte(content: Any) -> None:
    """The small file is what a prefab usually is: about 1,000 bytes."""
    assert 950 <= len(content.crate().ron.encode()) <= 1050


@pytest.mark.parametrize("size", [1_000, 30_000, 300_000])
def test_the_level_is_as_large_as_asked_for(content: Any, size: int) -> None:
    """A level ends with the prefab that reaches the size."""
    assert size <= len(content.level(size).ron) < size + 3_000


def test_both_languages_hold_the_same_data(content: Any) -> None:
    """What is timed against each other is the same prefab and the same level."""
    for files in (content.crate(), content.level(300_000)):
        assert content.neutral(ron.loads(files.ron)) == tomllib.loads(files.toml)


def test_the_contents_are_the_same_every_time(content: Any) -> None:
    """Figures of two runs, or of two machines, are about the same bytes."""
    assert content.level(20_000) == content.level(20_000)
    assert content.level(20_000, seed=1) != content.level(20_000)


def test_the_level_holds_what_real_files_hold(content: Any) -> None:
    """Comments, escapes, raw and multi-line strings, tuple keys and attributes are all there."""
    text = content.level(300_000).ron
    for piece in (
        "// ",
        "/* ",
        '\\"',
        'r#"',
        "Halt!\n",
        "Some(",
        "#![enable(",
        "mode: Patrol",
        "– ",
    ):
        assert piece in text, piece
    assert "{(" in text.replace("\n", "").replace(" ", "")


def test_the_quick_reader_reads_the_contents(content: Any) -> None:
    """The figures are about the reader that ordinary files meet."""
    for text in (content.crate().ron, content.level(30_000).ron):
        assert quick.read(text, careful.read_attributes(text)[0]) is not None


# -------------------------------------------------------------------------------------- the harness


def test_candidates_take_turns(harness: Any) -> None:
    """Each round times everybody once, so that a slow spell hits all."""
    turns: list[str] = []
    options = harness.Options(rounds=3, round_s=0.0)
    times = harness.race({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, options)
    assert "".join(turns).endswith("ababab")
    assert [len(times[name].seconds) for name in "ab"] == [3, 3]
    assert times["a"].min_s <= times["a"].median_s
    assert harness.ratio_of(times["a"], times["b"]) > 0


def test_measuring_without_the_garbage_collector_is_refused(
    harness: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A game has it on, so figures without it would flatter."""
    monkeypatch.setattr(harness.gc, "isenabled", lambda: False)
    with pytest.raises(RuntimeError, match="garbage collector on"):
        harness.race({"a": int}, harness.QUICK)


@pytest.mark.parametrize(
    ("sense", "limit", "of", "met"),
    [
        ("at least", 8.0, "value", True),
        ("at least", 12.0, "value", False),
        ("at most", 25.0, "value", True),
        ("at most", 9.0, "value", False),
        ("at least", 2.0, "ratio", True),
        ("at least", 4.0, "ratio", False),
    ],
)
def test_a_row_knows_whether_its_target_is_met(
    harness: Any, sense: str, limit: float, of: str, met: bool
) -> None:
    """Targets are about the value or the ratio, upwards or downwards."""
    row = harness.Row("f", 10.0, "s", ratio=3.0, target=harness.Target(sense, limit, of=of))
    assert row.met is met
    assert harness.Row("f", 10.0, "s").met is None
    assert harness.Row("f", 1.0, "s", target=harness.Target("at least", 1, of="ratio")).met is False


def test_two_benchmarks_cannot_share_a_name(harness: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second registration under a name is a mistake, and says so."""
    monkeypatch.setattr(harness, "REGISTRY", {})
    harness.benchmark("x")(print)
    assert list(harness.REGISTRY) == ["x"]
    with pytest.raises(ValueError, match="two benchmarks called 'x'"):
        harness.benchmark("x")(print)


def test_the_table_shows_every_part_of_a_row(harness: Any) -> None:
    """Figure, ours, baseline, ratio, target and verdict, aligned, with notes below."""
    rows = [
        harness.Row(
            "reading",
            12.34,
            "MB/s",
            baseline=3.0,
            baseline_name="tomllib",
            ratio=4.113,
            target=harness.Target("at least", 2, of="ratio"),
            note="a remark",
        ),
        harness.Row("memory", 30.0, "×", target=harness.Target("at most", 25)),
        harness.Row("writing", 12345.6, "µs"),
    ]
    assert harness.format_table(rows).split("\n") == [
        "figure   ours       baseline          ratio  target  met",
        "-------  ---------  ----------------  -----  ------  ---",
        "reading  12.3 MB/s  3 MB/s (tomllib)  4.11×  ≥ 2×    yes",
        "memory   30 ×       –                 –      ≤ 25 ×  NO",
        "writing  12346 µs   –                 –      –       –",
        "reading: a remark",
    ]


# ------------------------------------------------------------------------------- the command line


@pytest.mark.slow  # CI runs all of them
def test_the_benchmarks_of_ron_run(tmp_path: Path) -> None:
    """A quick run prints every row, and writes the same rows as JSON."""
    path = tmp_path / "rows.json"
    result = run("--quick", "--json", str(path), "ron_speed", "ron_memory")
    assert result.returncode == 0, result.stderr
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert [row["figure"] for row in rows] == [
        f"{what}, {size}"
        for size in ("1 kB prefab", "300 kB level")
        for what in ("loads time", "loads", "careful reader", "dumps pretty", "dumps compact")
    ] + [
        f"{what}, {size} MB level"
        for size in ("0.3", "5")
        for what in (
            "peak memory",
            "peak memory of the careful reader",
            "peak memory with positions",
        )
    ]
    for row in rows:
        assert row["value"] > 0
        assert row["figure"] in result.stdout
        assert (row["target"] is None) == (row["met"] is None)
    assert "garbage collector on" in result.stdout


@pytest.mark.slow  # CI runs all of them
@pytest.mark.usefixtures("opengl")
def test_the_benchmark_of_textures_runs(tmp_path: Path) -> None:
    """Ours and Arcade's atlas get the same textures, and ours is never written anew."""
    path = tmp_path / "rows.json"
    result = run("--quick", "--json", str(path), "texture_churn")
    assert result.returncode == 0, result.stderr
    rows = {row["figure"]: row for row in json.loads(path.read_text(encoding="utf-8"))}
    assert rows["all images written anew within an add"]["value"] == 0
    assert all(row["value"] > 0 for row in rows.values() if row["unit"] == "µs")


@pytest.mark.slow  # CI runs all of them
@pytest.mark.usefixtures("opengl")
def test_the_benchmarks_of_spawning_run(tmp_path: Path) -> None:
    """All entities come to life both ways, and what was spawned leaves no buffers behind."""
    path = tmp_path / "rows.json"
    result = run("--quick", "--json", str(path), "spawning_speed", "spawning_rounds")
    assert result.returncode == 0, result.stderr
    rows = {row["figure"]: row for row in json.loads(path.read_text(encoding="utf-8"))}
    assert len(rows) == 5
    assert rows["OpenGL buffers: growth since the third"]["value"] == 0
    for row in rows.values():
        if row["unit"] in ("ms", "µs"):
            assert 0 < row["value"] < row["baseline"] * 100


@pytest.mark.slow  # CI runs all of them
@pytest.mark.usefixtures("opengl")
@pytest.mark.parametrize("name", ["streaming_flight", "streaming_cells"])
@pytest.mark.timeout(120)
def test_the_benchmarks_of_streaming_run(name: str, tmp_path: Path) -> None:
    """The player flies, cells come and go both ways: a run in which nothing happens is an error."""
    path = tmp_path / "rows.json"
    result = run("--quick", "--json", str(path), name)
    assert result.returncode == 0, result.stderr
    rows = {row["figure"]: row for row in json.loads(path.read_text(encoding="utf-8"))}
    assert len(rows) == {"streaming_flight": 27, "streaming_cells": 8}[name]
    for row in rows.values():
        if row["unit"] in ("ms", "µs", "s", "MB"):
            assert row["value"] > 0, row
    if name == "streaming_flight":
        assert "frames over a cell that was there" in result.stdout


def test_all_benchmarks_are_listed_with_a_sentence() -> None:
    """`--list` runs nothing and explains everything."""
    result = run("--list")
    assert result.returncode == 0, result.stderr
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert {"ron_speed", "ron_memory"} <= lines.keys()
    assert all(text.endswith(".") for text in lines.values())


def test_an_unknown_benchmark_names_those_that_exist() -> None:
    """A typo on the command line shows what there is."""
    result = run("ron_sped")
    assert result.returncode == 2
    assert "no benchmark ron_sped; there are: " in result.stderr
    assert "ron_speed" in result.stderr


def test_rows_that_cannot_be_written_are_refused_before_the_run(tmp_path: Path) -> None:
    """Not after ten minutes of it."""
    path = tmp_path / "nowhere" / "rows.json"
    result = run("ron_speed", "--json", str(path))
    assert result.returncode == 2
    assert "--json: " in result.stderr
    assert str(path) in result.stderr
    assert not result.stdout  # nothing was begun


# ------------------------------------------------------------------------------------------- leaks


class Kept:
    """What a game forgets to let go of."""


class Keeper:
    def __init__(self) -> None:
        self.things: dict[str, list[Kept]] = {"all": []}


def laps_of(leaks: Any, between: Any, count: int = 4) -> list[Any]:
    found = []
    for _ in range(count):
        between()
        found.append(leaks.take())
    return found


def test_what_is_kept_in_every_lap_is_found_with_its_keeper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What grew, by how much, and who holds it: M3."""
    leaks = load(monkeypatch, "_leaks")
    keeper = Keeper()

    def forget() -> None:
        keeper.things["all"] += [Kept() for _ in range(3)]

    found = leaks.grown(laps_of(leaks, forget))
    (one,) = [one for one in found if one.kind.endswith("Kept")]
    assert one.each_lap == 3
    assert one.held_by.startswith("builtins.list < dict[all] < ")
    assert ".Keeper" in one.held_by


def test_what_comes_and_goes_is_no_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a snapshot find the snapshots before it."""
    leaks = load(monkeypatch, "_leaks")
    kept: list[Kept] = []

    def change() -> None:
        kept[:] = [Kept() for _ in range(4 - len(kept))]

    assert not [one for one in leaks.grown(laps_of(leaks, change)) if "Kept" in one.kind]
    assert leaks.grown(laps_of(leaks, lambda: None)) == []


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([5, 9, 5, 9, 5, 9], 0), ([0, 10, 20, 30, 40, 50], 10), ([9, 5, 9, 5, 9, 4], -1 / 3)],
)
def test_growth_is_that_of_the_least(
    monkeypatch: pytest.MonkeyPatch, counts: list[int], expected: float
) -> None:
    """What is up and down does not count."""
    assert load(monkeypatch, "_leaks").growth(counts) == pytest.approx(expected)
