"""Who does the work: processes of low priority, or, where there can be none, the calling thread.

Parsing in a thread of the game would cost it two of three frames: every call to OpenGL lets go of
the interpreter and then waits up to 5 ms to get it back. A process with a low priority costs none.
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

# Seconds after which an idle worker ends; the next batch starts it again in a third of a second.
_IDLE_S: Final = 30.0
_NO_PROCESSES: Final = ("android", "emscripten", "ios", "wasi")
# Seconds between two looks at how long batches take.
_WATCH_S: Final = 0.5


def default_jobs() -> int:
    """How many worker processes to use: one for each core, at most 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(8, cores or 1))


class Workers(Protocol):
    """Processes batches.

    Attributes:
        jobs: How many batches it works on at a time.
    """

    @property
    def jobs(self) -> int:
        """See above."""
        ...

    def submit(self, context: WorkerContext, tasks: Sequence[BakeTask]) -> Future[list[BakeResult]]:
        """Begin to process a batch; every task has an outcome, whatever its processor does.

        The future fails with `BakeCancelledError` if the workers are closed meanwhile.
        """
        ...

    def close(self) -> None:
        """Stop; may be called twice."""
        ...


class InlineWorkers:
    """Processes batches in the calling thread: for frozen games, and where processes are refused.

    Off the main thread it works in slices, with pauses in between that belong to the game.

    Args:
        slice_s: Seconds of work between two pauses. A single file is never interrupted.
        pause: What to do between slices; by default, off the main thread, to sleep for two slices.
    """

    jobs = 1

    def __init__(self, slice_s: float = 0.004, pause: Callable[[], None] | None = None) -> None:
        self._slice_s = slice_s
        self._pause = pause
        # Caches of processors belong to one thread at a time.
        self._lock = threading.Lock()

    def submit(self, context: WorkerContext, tasks: Sequence[BakeTask]) -> Future[list[BakeResult]]:
        """Process a batch, and return when it is done."""
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
        """Nothing to stop."""


class ProcessWorkers:
    """Processes batches in worker processes.

    They are started when first needed, end after half a minute without work and with the process
    that started them, and never import its ``__main__``: a game needs no main guard. A worker that
    dies is replaced, and its batch tried again in quarantine, file by file; a file that kills its
    worker there, or takes longer than the limit, has failed.

    Args:
        jobs: How many processes.
        limit_s: Seconds that a single file may take.

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
        # Processors that cannot be sent to a process, and so work here.
        self._unsendable: set[str] = set()
        self._deadlines: dict[Future[list[BakeResult]], float] = {}
        # Whether a worker ever did anything here, and whether it is known that none can.
        self._proven = False
        self._refused = False
        self._ending = threading.Event()
        self.restarts = 0

    @staticmethod
    def possible() -> bool:
        """Whether worker processes can be had at all."""
        # In a frozen game `sys.executable` is the game: a worker would be another game.
        frozen = getattr(sys, "frozen", False)
        if frozen or not sys.executable or sys.platform in _NO_PROCESSES:
            return False
        try:
            import loky  # noqa: F401
        except (ImportError, OSError, NotImplementedError):  # no semaphores on this system
            return False
        return True

    def submit(self, context: WorkerContext, tasks: Sequence[BakeTask]) -> Future[list[BakeResult]]:
        """Begin to process a batch."""
        result: Future[list[BakeResult]] = Future()
        here = any(task.processor in self._unsendable for task in tasks)
        if here or self._refused or not context.source.portable:
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
                with _deaf_to_interrupts():
                    future = executor.submit(process_pickled, mark, pickled, list(tasks))
                # A batch that takes longer has a file in it that does.
                self._deadlines[future] = time.monotonic() + self._limit_s + 0.05 * len(tasks)
        except BrokenExecutor:
            self._replace(executor)
            return self.submit(context, tasks)
        except RuntimeError as error:
            if _ended(error):  # the interpreter ends, which pools notice first
                raise BakeCancelledError("the program ends") from error
            raise
        except Exception as error:  # processes are refused after all, or cannot be started
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
                # Not in this thread, which belongs to the pool.
                args = (context, mark, pickled, tasks, result)
                threading.Thread(target=self._retry, args=args, daemon=True).start()
            else:  # the outcome itself could not be sent
                _settle(result, [_lost(context, task, error) for task in tasks])

        future.add_done_callback(done)
        return result

    def _pickle(self, context: WorkerContext) -> tuple[bytes, bytes]:
        known = self._pickled
        if known is None or known[0] is not context:
            # By value where it comes from `__main__`, which workers never import.
            import cloudpickle

            processors = {
                name: one
                for name, one in context.processors.items()
                if name not in self._unsendable
            }
            data = cloudpickle.dumps(context._replace(processors=processors))
            known = self._pickled = (context, digest(data), data)
        return known[1], known[2]

    def _find_unsendable(self, context: WorkerContext) -> None:
        import cloudpickle

        for name, processor in context.processors.items():
            try:
                cloudpickle.dumps(processor)
            except Exception:
                self._unsendable.add(name)

    def _watch(self, executor: Any) -> None:
        """End the pool when one of its batches takes too long."""
        while self._executor is executor and not self._ending.wait(_WATCH_S):
            now = time.monotonic()
            if any(deadline < now for deadline in list(self._deadlines.values())):
                self._deadlines.clear()
                self._replace(executor)

    def _replace(self, broken: Any) -> None:
        """End a pool that is broken or stuck; the next batch starts a new one."""
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
        outcomes: list[BakeResult] = []
        if not self._proven and not self._works():
            self._refused = True
            _settle(result, self._inline.submit(context, tasks).result())
            return
        try:
            for task in tasks:
                # One file at a time in a process of its own: who dies there is to blame.
                with self._quarantine:
                    outcomes.append(self._try_alone(context, mark, pickled, task))
        except BaseException as error:
            with contextlib.suppress(InvalidStateError):
                result.set_exception(error)
        else:
            _settle(result, outcomes)

    def _works(self) -> bool:
        """Whether a worker process can do anything at all here."""
        with self._quarantine:
            if self._closed:
                return True
            try:
                if self._alone is None:
                    self._alone = _new_executor(1)
                return bool(self._alone.submit(os.getpid).result(timeout=self._limit_s))
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
            with _deaf_to_interrupts():
                future = executor.submit(process_pickled, mark, pickled, [task])
            outcome: BakeResult = future.result(timeout=self._limit_s)[0]
            return outcome
        except FutureTimeoutError:
            reason: BaseException = RuntimeError(f"it took longer than {self._limit_s:g} s")
        except BaseException as error:  # whatever it was, the other files go on
            reason = RuntimeError("its worker process died") if _ended(error) else error
        self._alone = None
        _kill(executor)
        if self._closed:
            raise BakeCancelledError("the workers were closed during a bake")
        return _lost(context, task, reason)

    def close(self) -> None:
        """End all workers; what they were working on is lost. May be called twice."""
        self._ending.set()
        with self._lock:
            self._closed = True
            executor, self._executor = self._executor, None
        alone, self._alone = self._alone, None
        for one in (executor, alone):
            if one is not None:
                _kill(one, wait=True)


def _settle(result: Future[list[BakeResult]], outcomes: list[BakeResult]) -> None:
    """Hand over a result, unless whoever waited for it has given up."""
    with contextlib.suppress(InvalidStateError):
        result.set_result(outcomes)


@contextlib.contextmanager
def _deaf_to_interrupts() -> Generator[None]:
    """Start processes deaf to Ctrl-C, which a terminal sends to all of them, also to new ones."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ended(error: BaseException) -> bool:
    """Whether an error says that the pool has ended, by itself or by our hand."""
    from loky.process_executor import ShutdownExecutorError

    return isinstance(error, BrokenExecutor | ShutdownExecutorError)


def _lost(context: WorkerContext, task: BakeTask, reason: BaseException) -> BakeResult:
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
    """The module `sys`, but with streams that can be flushed."""

    stdout = stderr = io.StringIO()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


def _leave_streams_alone() -> None:
    """Have loky start processes whatever `sys.stdout` and `sys.stderr` are.

    It flushes both before each start (loky/backend/popen_loky_posix.py, `Popen.__init__`; not on
    Windows), for which there is no reason: the new process has buffers of its own. But a game may
    have None there, as without a console, or an object of its own that cannot be flushed.
    """
    from loky.backend import popen_loky_posix

    setattr(popen_loky_posix, "sys", _WithoutStreams())  # noqa: B010  # mypy knows it as a module


def _new_executor(jobs: int) -> Any:
    from multiprocessing import resource_tracker

    from loky import ProcessPoolExecutor
    from loky.backend import resource_tracker as loky_tracker

    if os.name == "posix":
        _leave_streams_alone()
        # Starting a tracker lets SIGINT through again, which `_deaf_to_interrupts` holds back.
        resource_tracker.ensure_running()
        loky_tracker.ensure_running()
    return ProcessPoolExecutor(
        max_workers=jobs, timeout=_IDLE_S, initializer=_begin_worker, initargs=(os.getpid(),)
    )


def _kill(executor: Any, *, wait: bool = False) -> None:
    with contextlib.suppress(Exception):  # whatever it says, it is of no use any more
        executor.shutdown(wait=wait, kill_workers=True)


def _begin_worker(parent: int) -> None:
    """Make a process a modest one: low priority, deaf to Ctrl-C, gone when its parent is."""
    lower_priority()
    # Ctrl-C goes to all processes of a terminal; the game's own end ends this one.
    with contextlib.suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # what was imported stays
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process soon after its parent was killed."""
    while os.getppid() == parent or os.name == "nt":
        time.sleep(1.0)
    os._exit(0)


def lower_priority() -> None:
    """Let everything else on this machine go first."""
    if os.name == "nt":
        import ctypes

        below_normal = 0x4000  # BELOW_NORMAL_PRIORITY_CLASS
        kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009  # exists on Windows only
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), below_normal)
    else:
        with contextlib.suppress(OSError):
            os.nice(10)
