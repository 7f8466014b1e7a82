"""Hypothesis profiles, the time limit that goes with the long one, and a screen for windows."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

NIGHTLY_TIMEOUT_S = 1800
NEEDS_DISPLAY = os.environ.get("ARCADE_PREFABS_NEEDS_DISPLAY") == "1"  # .ci/run sets it
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "normal")

settings.register_profile(
    "normal",
    max_examples=200,
    deadline=None,  # a shared machine pauses for longer than any example takes
    # In CI the same commit always tries the same examples; new ones are the nightly run's job.
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],  # the nested documents are big on purpose
)
settings.register_profile(
    "nightly",
    max_examples=10_000,
    deadline=None,
    print_blob=True,  # a failure at night has to be replayable in the morning
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(PROFILE)


def why_no_windows() -> str | None:
    """Why windows without a screen, which most tests of windows use, cannot be opened here."""
    if not sys.platform.startswith("linux"):
        return "windows without a screen are for Linux"
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError:
        return "libEGL.so.1 is not there: install libegl1, libgl1, libgl1-mesa-dri and libglu1-mesa"
    return None


NO_WINDOWS = None if NEEDS_DISPLAY else why_no_windows()
# They cannot even import Arcade then.
collect_ignore = (
    ["demo", "monitor", "spawning", "streaming", "test_examples.py"] if NO_WINDOWS else []
)


def pytest_report_header() -> list[str]:
    """Say what is left out."""
    return [f"left out: {', '.join(collect_ignore)}: {NO_WINDOWS}"] if NO_WINDOWS else []


@pytest.fixture
def opengl() -> None:
    """Skip a test that opens windows where none can be opened."""
    if NO_WINDOWS:
        pytest.skip(NO_WINDOWS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests without a limit of their own the time that 10,000 examples take."""
    if PROFILE != "nightly":
        return
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(NIGHTLY_TIMEOUT_S))


def give_up(reason: str) -> None:
    """Skip the test; in CI, which skips nothing, fail it."""
    if NEEDS_DISPLAY:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """An X display's name: the one there is, or that of an Xvfb, which has no monitor."""
    if not sys.platform.startswith("linux"):
        give_up("X is for Linux")
    if os.environ.get("DISPLAY"):
        yield os.environ["DISPLAY"]
        return
    program = shutil.which("Xvfb")
    if program is None:
        give_up("there is neither a DISPLAY nor Xvfb")
    assert program is not None
    told, tell = os.pipe()
    command = [program, "-displayfd", str(tell), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    with subprocess.Popen(
        command,
        pass_fds=[tell],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            os.close(tell)
            with open(told, encoding="ascii") as pipe:  # noqa: PTH123 - a pipe has no path
                number = pipe.readline().strip()  # comes once the server is ready; "" if it died
            if not number:
                give_up("Xvfb did not start")
            yield f":{number}"
        finally:
            server.terminate()
