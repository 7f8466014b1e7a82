"""Worker processes: modest, replaceable, and strangers to the game's ``__main__``."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from arcade_prefabs import BakeCancelledError, ProcessorError
from arcade_prefabs.pipeline import AssetPipeline, MemorySource, Output, ProcessContext
from arcade_prefabs.pipeline.bake.worker_pool import InlineWorkers, ProcessWorkers

BOUND_S = 30.0


class Order:
    """Does what the file says; runs in worker processes, which find it by this module's value."""

    name = "order"
    version = 1
    patterns = ("*.order",)
    settings: Mapping[str, Any] = {}

    def process(self, context: ProcessContext) -> Iterator[Output]:
        match context.text():
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
            case "system exit":
                sys.exit(4)
            case "recurse":
                self.process_for_ever()
            case "hang":
                threading.Event().wait()
            case "raise":
                raise KeyError("gone")
            case "nice":
                yield context.output(os.getpriority(os.PRIO_PROCESS, 0))
                return
        yield context.output({"pid": os.getpid(), "text": context.text()})

    def process_for_ever(self) -> None:
        self.process_for_ever()


class Unsendable(Order):
    """Cannot be pickled: it holds a lock."""

    name = "unsendable"
    patterns = ("*.here",)

    def __init__(self) -> None:
        self.lock = threading.Lock()


@pytest.fixture(autouse=True)
def by_value() -> Iterator[None]:
    # Test modules cannot be imported by name, no more than a game's `__main__` can.
    import cloudpickle

    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


def write(folder: Path, orders: Mapping[str, str]) -> None:
    for name, text in orders.items():
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def workers() -> Iterator[ProcessWorkers]:
    made = ProcessWorkers(2, limit_s=2.0)
    yield made
    made.close()


def test_work_is_done_in_other_processes_of_low_priority(
    tmp_path: Path, workers: ProcessWorkers
) -> None:
    """What is baked comes from another process, ten steps nicer than this one."""
    write(tmp_path, {"a.order": "nice", "b.order": "work"})
    with AssetPipeline(tmp_path, processors=[Order()], workers=workers) as pipeline:
        assert pipeline.bake().ok
        expected = min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
        assert pipeline.get("a.order").head() == expected
        assert pipeline.get("b.order").head()["pid"] != os.getpid()


def test_files_that_kill_their_worker_fail_alone(tmp_path: Path, workers: ProcessWorkers) -> None:
    """A worker may be killed, exit, or recurse: that file has failed, all others are baked."""
    bad = {"kill": "died", "exit": "died", "system exit": "4", "recurse": "deep", "raise": "gone"}
    write(tmp_path, {f"bad{number}.order": text for number, text in enumerate(bad)})
    write(tmp_path, {f"good{number}.order": "work" for number in range(100)})
    with AssetPipeline(tmp_path, processors=[Order()], workers=workers) as pipeline:
        report = pipeline.bake()
        assert len(report.errors) == len(bad)
        for error, word in zip(report.errors, bad.values(), strict=True):
            assert word in str(error)
        assert sum(one.startswith("good") for one in pipeline.ids()) == 100
        assert pipeline.statistics().worker_restarts >= 1
        # Workers were replaced: the next bake has two again.
        write(tmp_path, {"later.order": "work"})
        assert len(pipeline.bake().baked) == 1


@pytest.mark.long
def test_file_that_takes_for_ever_fails_with_its_limit(
    tmp_path: Path, workers: ProcessWorkers
) -> None:
    """A processor that never ends is ended, and the error says how long it was given."""
    write(tmp_path, {"hang.order": "hang", "good.order": "work"})
    with AssetPipeline(tmp_path, processors=[Order()], workers=workers) as pipeline:
        (error,) = pipeline.bake().errors
        assert isinstance(error, ProcessorError)
        assert "longer than 2 s" in str(error)
        assert "hang.order" in str(error)
        assert pipeline.get("good.order").head()["text"] == "work"


def test_processor_that_cannot_be_sent_works_here(tmp_path: Path, workers: ProcessWorkers) -> None:
    """A processor that holds a lock is no reason to fail; the others still work elsewhere."""
    write(tmp_path, {"a.here": "work", "b.order": "work"})
    with AssetPipeline(tmp_path, processors=[Order(), Unsendable()], workers=workers) as pipeline:
        assert pipeline.bake().ok
        assert pipeline.get("a.here").head()["pid"] == os.getpid()


def test_closing_ends_a_bake_and_its_processes(tmp_path: Path) -> None:
    """A bake that is under way when the workers are closed raises, and nothing is left behind."""
    write(tmp_path, {"hang.order": "hang"})
    workers = ProcessWorkers(1, limit_s=BOUND_S)
    begun = threading.Event()
    failure: list[BaseException] = []
    submit = workers.submit

    def submitted(*arguments: Any) -> Any:
        future = submit(*arguments)
        begun.set()
        return future

    workers.submit = submitted  # type: ignore[method-assign]

    def bake() -> None:
        try:
            pipeline.bake()
        except BaseException as error:
            failure.append(error)

    with AssetPipeline(tmp_path, processors=[Order()], workers=workers) as pipeline:
        thread = threading.Thread(target=bake)
        thread.start()
        assert begun.wait(BOUND_S)
        workers.close()
        thread.join(BOUND_S)
        assert not thread.is_alive()
    assert isinstance(failure[0], BakeCancelledError)
    assert workers._executor is None
    assert workers._alone is None


def test_script_without_a_main_guard_bakes(tmp_path: Path) -> None:
    """Workers never import the game's ``__main__``: a bare script runs once, not once a worker."""
    assets = tmp_path / "assets" / "prefabs"
    assets.mkdir(parents=True)
    for number in range(10):
        text = f"Prefab(components: [Health(max: {number})])"
        (assets / f"thing{number}.ron").write_text(text, encoding="utf-8")
    script = tmp_path / "game.py"
    script.write_text(
        textwrap.dedent(
            """
            from dataclasses import dataclass
            import arcade_prefabs
            from arcade_prefabs.pipeline import AssetPipeline

            print("the script runs")

            @arcade_prefabs.component
            @dataclass
            class Health:
                max: int

            pipeline = AssetPipeline("assets", jobs=2)
            report = pipeline.bake()
            print(report.ok, len(report.baked), pipeline.get_prefab("thing7").build())
            pipeline.close()
            """
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["the script runs", "True 10 [Health(max=7)]"]
    assert done.stderr == ""


def test_workers_end_when_the_game_is_killed(tmp_path: Path) -> None:
    """A game that is killed leaves no worker behind: the pipe that they hold is closed."""
    write(tmp_path, {"a.txt": "data"})
    script = textwrap.dedent(
        f"""
        import sys, threading
        from arcade_prefabs.pipeline import AssetPipeline
        pipeline = AssetPipeline({str(tmp_path)!r}, jobs=1)
        assert pipeline.bake().ok
        print("ready", flush=True)
        threading.Event().wait()
        """
    )
    read, written = os.pipe()
    os.set_inheritable(written, True)
    game = subprocess.Popen(
        [sys.executable, "-c", script], stdout=written, close_fds=False, start_new_session=True
    )
    os.close(written)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.readline() == b"ready\n"
        game.kill()
        game.wait(BOUND_S)
        # The end of the pipe comes when the last process that holds it has ended.
        ended = threading.Event()
        threading.Thread(target=lambda: (pipe.read(), ended.set()), daemon=True).start()
        assert ended.wait(BOUND_S)


def test_inline_workers_pause_between_slices() -> None:
    """Without processes, work is cut into slices; a slice lasts one file here."""
    pauses: list[int] = []
    workers = InlineWorkers(slice_s=0.0, pause=lambda: pauses.append(1))
    source = MemorySource({f"f{number}.txt": "x" for number in range(7)})
    with AssetPipeline(source, workers=workers) as pipeline:
        assert pipeline.bake().ok
    assert len(pauses) == 7


@pytest.mark.parametrize("missing", ["frozen", "loky", "executable"])
def test_no_processes_where_there_can_be_none(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A frozen game, a system without semaphores or without Python: the work is done here."""
    if missing == "frozen":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    elif missing == "loky":
        monkeypatch.setitem(sys.modules, "loky", None)
    else:
        monkeypatch.setattr(sys, "executable", "")
    assert not ProcessWorkers.possible()
    write(tmp_path, {"a.order": "work"})
    with AssetPipeline(tmp_path, processors=[Order()], jobs=2) as pipeline:
        assert pipeline.bake().ok
        assert pipeline.get("a.order").head()["pid"] == os.getpid()


def test_processes_that_all_die_at_once_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system ends every worker that begins, the work is done here instead."""
    from arcade_prefabs.pipeline.bake import worker_pool as module

    def new_executor(jobs: int) -> Any:
        from loky import ProcessPoolExecutor

        return ProcessPoolExecutor(max_workers=jobs, initializer=os._exit, initargs=(1,))

    monkeypatch.setattr(module, "_new_executor", new_executor)
    write(tmp_path, {"a.order": "work"})
    with AssetPipeline(tmp_path, processors=[Order()], workers=ProcessWorkers(1)) as pipeline:
        assert pipeline.bake().ok
        assert pipeline.get("a.order").head()["pid"] == os.getpid()


# ------------------------------------------------------------------------------ the game's streams


class Console:
    """An in-game console: it has `write`, and nothing else."""

    def write(self, text: str) -> int:
        return len(text)


class Unflushable(io.StringIO):
    def flush(self) -> None:
        raise OSError("the console is gone")

    def fileno(self) -> int:
        raise ValueError("no file")


def closed_file() -> io.StringIO:
    file = io.StringIO()
    file.close()
    return file


@pytest.mark.parametrize("stream", [Console, lambda: None, Unflushable, closed_file])
def test_workers_start_whatever_the_streams_of_the_game_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: Callable[[], Any]
) -> None:
    """A game without a console has None there; one with its own console has what it likes."""
    for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
        monkeypatch.setattr(sys, name, stream())
    write(tmp_path, {"a.order": "work"})
    with AssetPipeline(tmp_path, processors=[Order()], jobs=1) as pipeline:
        assert pipeline.bake().ok
        assert pipeline.get("a.order").head()["pid"] != os.getpid()


def test_work_is_done_here_where_processes_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the reason is, the game gets its assets, and the log says why it took so long."""

    def fail(*_: Any) -> Any:
        raise AttributeError("no such attribute")

    monkeypatch.setattr("loky.process_executor.ProcessPoolExecutor._adjust_process_count", fail)
    write(tmp_path, {"a.order": "work"})
    with AssetPipeline(tmp_path, processors=[Order()], jobs=1) as pipeline:
        assert pipeline.bake().ok
        assert pipeline.get("a.order").head()["pid"] == os.getpid()
    assert "worker processes cannot be started" in caplog.text
