"""Workers: processes of low priority, or, where there can be none, the calling thread.

**Problem.** Parsing RON and decoding images is pure Python for long stretches. In a thread of the
game it would cost two of three frames: each OpenGL call releases the interpreter lock, and then
waits up to 5 ms to get it back (59 frames per second became 16.7). In a process of low priority the
same work costs nothing.

**Way taken.** `ProcessWorkers` uses loky's process pool, with these rules:

* Worker processes never import the game's ``__main__``; a game script needs no main guard.
  Processors are sent by value with cloudpickle.
* A worker ends after half a minute without work, and when its parent process ends.
* If a worker process dies, it is unknown which file of the batch was to blame. The batch is tried
  again in quarantine: one file at a time, in a process of its own. A file that kills this process,
  or takes longer than the time limit, gets a `ProcessorError`; all other files are baked.
* If no process can be started at all, or a processor cannot be pickled, `InlineWorkers` process
  the batch in the calling thread, with pauses for the game.

**Rejected.** ``multiprocessing`` and ``concurrent.futures``: spawned processes import ``__main__``,
and forked ones inherit the window's OpenGL and its locks. Threads with pauses only: they are the
fallback, because the pauses make them slow.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor, Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final, Protocol

from ...errors import BakeCancelledError, ProcessorError, shown_error
from ..model.bake_result import BakeResult
from ..model.page_codec import ManyPacked
from ..model.processor import digest
from .task import BakeTask, WorkerContext, process_batch, process_pickled

__all__ = ["InlineWorkers", "ProcessWorkers", "Workers", "default_jobs"]

_log = logging.getLogger("arcade_prefabs")

# Seconds after which an idle worker process ends; starting one takes a third of a second.
_IDLE_S: Final = 30.0
# A process starts within that, however busy the machine is; the limit of a file may be shorter.
_START_S: Final = 60.0
_NO_PROCESSES: Final = ("android", "emscripten", "ios", "wasi")
# Seconds between two checks whether a batch takes too long.
_WATCH_S: Final = 0.5


def default_jobs() -> int:
    """Returns how many worker processes to use: one for each core, at most 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(8, cores or 1))


class Workers(Protocol):
    """Processes batches of bake tasks.

    Attributes:
        jobs: How many batches are processed at the same time.
    """

    @property
    def jobs(self) -> int:
        """How many batches are processed at the same time."""
        ...

    def submit(self, context: WorkerContext, tasks: Sequence[BakeTask]) -> Future[list[BakeResult]]:
        """Starts a batch; the future's value is a result for each task, also for failed ones.

        The future fails with `BakeCancelledError` if the workers are closed before the batch is
        done.
        """
        ...

    def close(self) -> None:
        """Ends the workers; may be called twice."""
        ...


class InlineWorkers:
    """Processes batches in the calling thread, where worker processes are impossible.

    In other threads than the main thread it pauses after each slice of work, so that the game gets
    the interpreter lock.

    Args:
        slice_s: Seconds of work between two pauses. A single file is never interrupted.
        pause: Called between slices; by default a sleep of two slices, except on the main thread.
    """

    jobs = 1

    def __init__(self, slice_s: float = 0.004, pause: Callable[[], None] | None = None) -> None:
        self._slice_s = slice_s
        self._pause = pause
        # Caches of processors may be used by one thread at a time.
        self._lock = threading.Lock()

    def submit(self, context: WorkerContext, tasks: Sequence[BakeTask]) -> Future[list[BakeResult]]:
        """Processes a batch, and returns a future that is done."""
        future: Future[list[BakeResult]] = Future()
        outcomes: list[BakeResult] = []
        with self._lock:
            started = time.perf_counter()
            for outcome in process_batch(context, tasks):
                outcomes.append(outcome)
                if time.perf_counter() - started >= self._slice_s:
                    self._rest()
                    started = time.perf_counter()
        future.set_result(outcomes)
        return future

    def _rest(self) -> None:
        if self._pause is not None:
            self._pause()
        elif threading.current_thread() is not threading.main_thread():
            time.sleep(2 * self._slice_s)

    def close(self) -> None:
        """Does nothing, as there are no processes to end."""


class ProcessWorkers:
    """Processes batches in worker processes of low priority.

    The processes are started by the first batch, end after half a minute without work or with the
    game, and never import its ``__main__``. A batch whose worker process died is tried again file
    by file; a file that kills its process again, or takes longer than the limit, gets a
    `ProcessorError`.

    Args:
        jobs: The number of processes; None for `default_jobs`.
        limit_s: The most seconds that a single file may take.

    Any thread.
    """

    def __init__(self, jobs: int | None = None, limit_s: float = 60.0) -> None:
        self.jobs = default_jobs() if jobs is None else max(1, jobs)
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._executor: Any = None
        self._quarantine = threading.Lock()
        self._alone: Any = None
        self._closed = False
        self._inline = InlineWorkers()
        self._pickled: tuple[WorkerContext, bytes, bytes] | None = None
        # Names of processors that cannot be pickled; their files are processed in this process.
        self._unsendable: set[str] = set()
        self._deadlines: dict[Future[list[BakeResult]], float] = {}
        # Whether a worker process has ever worked, and whether starting one has failed for good.
        self._proven = False
        self._refused = False
        self._ending = threading.Event()
        self.restarts = 0

    @staticmethod
    def possible() -> bool:
        """Returns whether this system and this program can start worker processes."""
        # In a frozen game `sys.executable` is the game: a worker would be a second game.
        frozen = getattr(sys, "frozen", False)
        if frozen or not sys.executable or sys.platform in _NO_PROCESSES:
            return False
        try:
            import loky  # noqa: F401
        except (ImportError, OSError, NotImplementedError):  # no semaphores on this system
            return False
        return True

    def submit(self, context: WorkerContext, tasks: Sequence[BakeTask]) -> Future[list[BakeResult]]:
        """Starts a batch in a worker process, or processes it here if no process can."""
        result: Future[list[BakeResult]] = Future()
        inline = any(task.processor in self._unsendable for task in tasks)
        if inline or self._refused or not context.source.portable:
            return self._inline.submit(context, tasks)
        try:
            mark, pickled = self._pickle(context)
        except Exception:
            self._find_unsendable(context)
            return self._inline.submit(context, tasks)
        executor: Any = None
        try:
            with self._lock:
                if self._closed:
                    raise BakeCancelledError("the workers are closed")
                if self._executor is None:
                    self._executor = _new_executor(self.jobs)
                    args = (self._executor,)
                    threading.Thread(target=self._watch, args=args, daemon=True).start()
                executor = self._executor
                with _interrupts_blocked():
                    future = executor.submit(process_pickled, mark, pickled, list(tasks))
                # A batch that takes longer than this contains a file that takes too long.
                self._deadlines[future] = time.monotonic() + self._limit_s + 0.05 * len(tasks)
        except BrokenExecutor:
            self._replace(executor)
            return self.submit(context, tasks)
        except RuntimeError as error:
            if _ended(error):  # at the interpreter's exit, pools are shut down first
                raise BakeCancelledError("the program ends") from error
            raise
        except Exception as error:  # the system refuses to start processes
            if not isinstance(error, OSError):
                message = "worker processes cannot be started, the game bakes by itself: %s: %s"
                _log.warning(message, type(error).__name__, shown_error(error))
            self._refused = True
            return self._inline.submit(context, tasks)

        def done(finished: Future[list[BakeResult]]) -> None:
            self._deadlines.pop(finished, None)
            error = finished.exception()
            if error is None:
                self._proven = True
                _settle(result, finished.result())
            elif _ended(error):
                self._replace(executor)
                # In a new thread, because this one is the pool's and must not block.
                args = (context, mark, pickled, tasks, result)
                threading.Thread(target=self._retry, args=args, daemon=True).start()
            else:  # the result could not be pickled
                _settle(result, [_lost(context, task, error) for task in tasks])

        future.add_done_callback(done)
        return result

    def _pickle(self, context: WorkerContext) -> tuple[bytes, bytes]:
        pickled = self._pickled
        if pickled is None or pickled[0] is not context:
            # cloudpickle sends classes of `__main__` by value, because workers never import it.
            import cloudpickle

            processors = {
                name: one
                for name, one in context.processors.items()
                if name not in self._unsendable
            }
            data = cloudpickle.dumps(context._replace(processors=processors))
            pickled = self._pickled = (context, digest(data), data)
        return pickled[1], pickled[2]

    def _find_unsendable(self, context: WorkerContext) -> None:
        import cloudpickle

        for name, processor in context.processors.items():
            try:
                cloudpickle.dumps(processor)
            except Exception:
                self._unsendable.add(name)

    def _watch(self, executor: Any) -> None:
        """Replaces the pool when one of its batches takes too long; runs in a thread of its own."""
        while self._executor is executor and not self._ending.wait(_WATCH_S):
            now = time.monotonic()
            if any(deadline < now for deadline in list(self._deadlines.values())):
                self._deadlines.clear()
                self._replace(executor)

    def _replace(self, broken: Any) -> None:
        """Ends a pool that is broken or stuck; the next batch starts a new one."""
        with self._lock:
            if broken is None or self._executor is not broken:
                return
            self._executor = None
            self.restarts += 1
        _kill(broken)

    def _retry(
        self,
        context: WorkerContext,
        mark: bytes,
        pickled: bytes,
        tasks: Sequence[BakeTask],
        result: Future[list[BakeResult]],
    ) -> None:
        """Processes the files of a failed batch one by one in quarantine, and sets ``result``."""
        outcomes: list[BakeResult] = []
        if not self._proven and not self._works():
            self._refused = True
            _settle(result, self._inline.submit(context, tasks).result())
            return
        try:
            for task in tasks:
                # If the process dies now, this file is to blame.
                with self._quarantine:
                    outcomes.append(self._try_alone(context, mark, pickled, task))
        except BaseException as error:
            with contextlib.suppress(InvalidStateError):
                result.set_exception(error)
        else:
            _settle(result, outcomes)

    def _works(self) -> bool:
        """Returns whether a worker process can be started and can do anything."""
        with self._quarantine:
            if self._closed:
                return True
            try:
                if self._alone is None:
                    self._alone = _new_executor(1)
                return bool(self._alone.submit(os.getpid).result(timeout=_START_S))
            except Exception:
                executor, self._alone = self._alone, None
                if executor is not None:
                    _kill(executor)
                return False

    def _try_alone(
        self, context: WorkerContext, mark: bytes, pickled: bytes, task: BakeTask
    ) -> BakeResult:
        if self._closed:
            raise BakeCancelledError("the workers were closed during a bake")
        if self._alone is None:
            self._alone = _new_executor(1)
        executor = self._alone
        try:
            with _interrupts_blocked():
                future = executor.submit(process_pickled, mark, pickled, [task])
            outcome: BakeResult = future.result(timeout=self._limit_s)[0]
            return outcome
        except FutureTimeoutError:
            reason: BaseException = RuntimeError(f"it took longer than {self._limit_s:g} s")
        except BaseException as error:  # any error is the file's; the other files are processed
            reason = RuntimeError("its worker process died") if _ended(error) else error
        self._alone = None
        _kill(executor)
        if self._closed:
            raise BakeCancelledError("the workers were closed during a bake")
        return _lost(context, task, reason)

    def close(self) -> None:
        """Ends all worker processes; batches that are running are lost. May be called twice."""
        self._ending.set()
        with self._lock:
            self._closed = True
            executor, self._executor = self._executor, None
        alone, self._alone = self._alone, None
        for one in (executor, alone):
            if one is not None:
                _kill(one, wait=True)


def _settle(result: Future[list[BakeResult]], outcomes: list[BakeResult]) -> None:
    """Sets the value of a future, unless the caller has cancelled it."""
    with contextlib.suppress(InvalidStateError):
        result.set_result(outcomes)


@contextlib.contextmanager
def _interrupts_blocked() -> Generator[None]:
    """Blocks Ctrl-C while processes are started, so that they inherit the block.

    A terminal sends Ctrl-C to all its processes, also to those that are just starting.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ended(error: BaseException) -> bool:
    """Returns whether an error means that the pool has ended, on its own or by `_kill`."""
    from loky.process_executor import ShutdownExecutorError

    return isinstance(error, BrokenExecutor | ShutdownExecutorError)


def _lost(context: WorkerContext, task: BakeTask, reason: BaseException) -> BakeResult:
    """Returns the result of a task that killed its worker process or took too long."""
    error = ProcessorError(
        f"the processor `{task.processor}` failed: {reason}",
        path=context.source.shown(task.key.path),
        hint="the file is tried again when it changes",
    )
    try:
        content = digest(context.source.read(task.key.path))
    except Exception:
        content = None
    return BakeResult(task.key, content, ManyPacked(), (None,), (error,), (), (), 0.0)


class _WithoutStreams:
    """Stands in for the module `sys`, with standard streams that can be flushed."""

    stdout = stderr = io.StringIO()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


def _leave_streams_alone() -> None:
    """Makes loky start processes whatever `sys.stdout` and `sys.stderr` are.

    loky flushes both before each start (loky/backend/popen_loky_posix.py, `Popen.__init__`; not on
    Windows), although the new process has buffers of its own. In a game either may be None, as
    without a console, or an object that has no `flush`.
    """
    from loky.backend import popen_loky_posix

    setattr(popen_loky_posix, "sys", _WithoutStreams())  # noqa: B010  # mypy knows it as a module


def _new_executor(jobs: int) -> Any:
    from multiprocessing import resource_tracker

    from loky import ProcessPoolExecutor
    from loky.backend import resource_tracker as loky_tracker

    if os.name == "posix":
        _leave_streams_alone()
        # Starting a tracker unblocks SIGINT, so it must not happen within `_interrupts_blocked`.
        resource_tracker.ensure_running()
        loky_tracker.ensure_running()
    return ProcessPoolExecutor(
        max_workers=jobs, timeout=_IDLE_S, initializer=_begin_worker, initargs=(os.getpid(),)
    )


def _kill(executor: Any, *, wait: bool = False) -> None:
    with contextlib.suppress(Exception):  # the pool is broken or stuck, its errors say nothing new
        executor.shutdown(wait=wait, kill_workers=True)


def _begin_worker(parent: int) -> None:
    """Sets up a worker process: low priority, no reaction to Ctrl-C, and an end with its parent."""
    lower_priority()
    # A terminal sends Ctrl-C to all its processes; a worker ends with the game instead.
    with contextlib.suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # imported modules are never garbage
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process within a second after its parent has ended."""
    while os.getppid() == parent or os.name == "nt":
        time.sleep(1.0)
    os._exit(0)


def lower_priority() -> None:
    """Gives this process a low priority, so that all others run first."""
    if os.name == "nt":
        import ctypes

        below_normal = 0x4000  # BELOW_NORMAL_PRIORITY_CLASS
        kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009  # exists on Windows only
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), below_normal)
    else:
        with contextlib.suppress(OSError):
            os.nice(10)
