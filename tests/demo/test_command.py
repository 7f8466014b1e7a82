"""``python -m demo_world`` as a user runs it, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str, display: str | None = None, **more: str) -> subprocess.CompletedProcess:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "ARCADE_HEADLESS")
        # Tracing lines makes loader threads too slow for the flight.
        and not name.startswith("COVERAGE_")
    }
    if display is not None:
        environment["DISPLAY"] = display
    return subprocess.run(
        [sys.executable, "-m", "demo_world", *arguments],
        cwd=ROOT,
        env=environment | more,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture(scope="module")
def assets(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An assets folder that has the island of 16 × 16 cells, but not that of 32 × 32."""
    folder = tmp_path_factory.mktemp("demo") / "assets"
    shutil.copytree(built, folder)
    return folder


SMALL = ["--size", "32", "--window", "640x360"]


@pytest.mark.timeout(120)
def test_without_a_display_it_says_so_flies_and_leaves_picture_and_report(
    assets: Path, tmp_path: Path
) -> None:
    """The first start builds the island, the second does not; a rate that nothing holds is told."""
    options = [*SMALL, "--assets", str(assets), "--out", str(tmp_path)]
    first = run("--seconds", "3", *options)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "no display" in first.stdout
    assert "Building the island, once" in first.stdout
    report = json.loads((tmp_path / "demo_world.json").read_text())
    assert report["facts"]["cells loaded"] >= 5
    assert report["frames"] == len(report["intervals_ms"]) > 20
    for name in ("demo_world.png", "demo_world.txt", "demo_world.trace.json"):
        assert (tmp_path / name).stat().st_size > 1_000
    # M3: a rate that nothing holds exits with 1; so does a run that says nothing.
    second = run("--seconds", "1", "--assert-fps", "500", *options)
    assert second.returncode == 1
    assert "Building" not in second.stdout
    assert "frames a second, not 500" in second.stderr
    assert "INVALID: only" in second.stderr


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_rate_that_is_held_exits_with_0(assets: Path, tmp_path: Path) -> None:
    """M3: one that a machine busy with tests can hold; .ci/run asks each commit for 60."""
    options = [*SMALL, "--assets", str(assets), "--out", str(tmp_path)]
    done = run("--seconds", "24", "--assert-fps", "5", "--on-time", "90", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "held 5 FPS" in done.stdout
    report = json.loads((tmp_path / "demo_world.json").read_text())
    assert report["facts"]["cells loaded"] >= 100


@pytest.mark.timeout(120)
def test_in_a_real_window_it_flies_and_leaves(assets: Path, tmp_path: Path, display: str) -> None:
    """On a screen nothing is written: F12 does that."""
    options = ["--size", "16", "--assets", str(assets), "--out", str(tmp_path / "none")]
    result = run("--seconds", "2", *options, display=display)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "ready: F1 shows the keys" in result.stdout
    assert "frames in" in result.stdout
    assert not (tmp_path / "none").exists()


@pytest.mark.timeout(120)
def test_comparing_flies_the_same_way_twice(assets: Path, tmp_path: Path) -> None:
    """Both in one table; the naive way has loaded cells, too."""
    result = run(
        "--compare", "--seconds", "3", "--size", "16", "--window", "640x360", "--speed", "2400",
        "--assets", str(assets), "--out", str(tmp_path),
    )  # fmt: skip
    assert "arcade_prefabs       naive" in result.stdout, result.stdout + result.stderr
    naive = json.loads((tmp_path / "naive.json").read_text())
    assert naive["facts"]["cells loaded"] > 10
    assert naive["frames"] > 20
    with_picture = (tmp_path / "frame_times.png").read_bytes()
    assert with_picture.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "wrong",
    [
        ["--window", "9x9"],
        ["--window", "wide"],
        ["--on-time", "101"],
        ["--seconds", "-1"],
        ["--size", "3"],
        ["--speed", "nan"],
        ["--assert-fps", "0"],
        ["--what"],
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: list[str]) -> None:
    """With the usage, before anything is opened."""
    result = run(*wrong)
    assert result.returncode == 2
    assert "usage: python -m demo_world" in result.stderr


def test_a_folder_without_the_demo_s_prefabs_is_told(tmp_path: Path) -> None:
    """Not a world without anything in it."""
    result = run("--assets", str(tmp_path))
    assert result.returncode == 2
    assert "has no prefabs/demo" in result.stderr


def test_what_cannot_be_written_is_told_before_the_flight(tmp_path: Path) -> None:
    """Not after it."""
    (tmp_path / "taken").write_text("a file")
    result = run("--headless", "--out", str(tmp_path / "taken"))
    assert result.returncode == 2
    assert "taken: File exists; see --out" in result.stderr


@pytest.mark.timeout(120)
def test_ctrl_c_ends_it_in_a_line(assets: Path, tmp_path: Path) -> None:
    """And with the status that shells know."""
    command = [sys.executable, "-m", "demo_world", "--headless", "--seconds", "60", "--size", "16"]
    command += ["--assets", str(assets), "--out", str(tmp_path)]
    # Where the tests run in the background, they and their children would ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        signal.signal(signal.SIGINT, before)
        assert process.stdout is not None
        for line in process.stdout:
            if line == "ready\n":
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "stopped\n")


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (
            "ModuleNotFoundError('arcade', name='arcade')",
            [
                "arcade is not installed here",
                "pip install -q -e . && .venv/bin/python -m demo_world",  # as in the README
            ],
        ),
        (
            "ImportError('Library \"GL\" not found.')",
            ['Library "GL" not found.', "libgl1", "mesa-libGL", "pacman -S mesa"],
        ),
    ],
)
def test_what_is_missing_on_the_machine_is_told_with_its_mend(
    tmp_path: Path, failure: str, told: list[str]
) -> None:
    """The command that sets it up; the packages of three kinds of Linux."""
    (tmp_path / "arcade.py").write_text(f"raise {failure}")
    result = run("--seconds", "1", PYTHONPATH=str(tmp_path))
    assert result.returncode == 2
    for words in told:
        assert words in result.stderr
