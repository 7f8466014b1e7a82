"""`MainThreadQueue`: all work on the main thread, in steps that fit into what a frame leaves."""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from ..errors import QueueFullError
from .frame_report import DrainReport, JobFailure, StepTotals
from .step_cost import CostModel

__all__ = [
    "NEXT_FRAME",
    "Job",
    "JobBody",
    "MainThreadQueue",
    "Step",
    "Steps",
]

_log = logging.getLogger("arcade_prefabs")

DEFAULT_LANES: Final[Mapping[str, float]] = {
    "activate": 4.0,
    "spawn": 4.0,
    "retire": 2.0,
    "callbacks": 2.0,
    "scripts": 2.0,
    "reload": 1.0,
    "game": 1.0,
    "upkeep": 0.5,
}
# On a clock that does not move, such as a test's, a budget in seconds alone would end nothing.
_MOST_STEPS: Final = 10_000


class Step(NamedTuple):
    """What the next step of a job will be, so that its cost can be told in advance.

    Attributes:
        kind: Steps of one kind and about one size cost about the same: ``upload``.
        size: Whatever the cost grows with: pixels, sprites. 0 if it does not.
    """

    kind: str
    size: float = 0


class _NextFrame:
    def __repr__(self) -> str:
        return "NEXT_FRAME"


NEXT_FRAME: Final = _NextFrame()
"""What a job yields that has nothing more to do in this frame."""

Steps: TypeAlias = Generator[Step | _NextFrame | None, None, None]
JobBody: TypeAlias = Callable[[], Any] | Steps


class Job:
    """Work that was submitted.

    Attributes:
        lane: Its class.
        done: Whether it ended: finished, failed or cancelled.
        error: The exception that it ended with, or None.
    """

    __slots__ = ("_among", "_on_error", "_steps", "_work", "done", "error", "lane", "step")

    def __init__(
        self, work: JobBody, lane: str, step: Step, on_error: Callable[[Exception], None] | None
    ) -> None:
        self.lane = lane
        self.done = False
        self.error: Exception | None = None
        self.step = step
        self._work: JobBody | None = work
        self._steps: Steps | None = None
        self._on_error = on_error
        self._among: set[Job] | None = None  # the jobs that are counted, as long as it is one

    def __repr__(self) -> str:
        return f"<Job {self.step.kind} in {self.lane}{', done' if self.done else ''}>"

    def cancel(self) -> bool:
        """Run no further step; False if it had ended. The generator is closed. Main thread."""
        if self.done:
            return False
        self.end()
        steps = self._steps if self._steps is not None else self._work
        self._work = self._steps = None
        if inspect.isgenerator(steps) and not steps.gi_running:
            steps.close()
        return True

    def end(self) -> None:
        """Note that it ended."""
        self.done = True
        if self._among is not None:
            self._among.discard(self)

    def run(self) -> object:
        """Run one step; gives what the job yielded, or None with `done` set."""
        work = self._work
        if self._steps is None:
            self._work = None
            if isinstance(work, Generator):
                self._steps = work
            else:
                assert work is not None
                result = work()
                if not isinstance(result, Generator):
                    self.end()
                    return None
                if self.done:  # it cancelled itself
                    result.close()
                    return None
                self._steps = result
        steps = self._steps
        try:
            yielded = next(steps)
        except StopIteration:
            self.end()
            self._steps = None
            return None
        if self.done:  # the step cancelled its own job
            steps.close()
        return yielded

    def fail(self, error: Exception) -> None:
        """End it with an error."""
        self.end()
        self.error = error
        self._work = self._steps = None
        if self._on_error is not None:
            self._on_error(error)


class _Lane:
    __slots__ = ("jobs", "name", "spent", "weight")

    def __init__(self, name: str, weight: float) -> None:
        self.name = name
        self.weight = weight
        self.spent = 0.0  # seconds that it had, divided by its weight
        self.jobs: deque[Job] = deque()


class MainThreadQueue:
    """The ledger of everything that the main thread does beside the game itself.

    Jobs are functions, or generators that yield between two steps; the cost of each kind of step
    is learned, and a step that is not expected to fit into the rest of the budget waits for the
    next frame. One step a frame is run in any case, so that nothing starves; lanes share the time
    by their weights, and the one that had least of it comes first.

    Example:
        >>> queue = MainThreadQueue()
        >>> def job():
        ...     for number in range(2):
        ...         print("step", number)
        ...         yield
        >>> _ = queue.submit(job, kind="example")
        >>> report = queue.drain(0.002)
        step 0
        step 1
        >>> report.ran["example"].steps
        3

    Args:
        lanes: Names and weights of the lanes.
        capacity: Jobs of the game's own that may wait.
        clock: Seconds, as `time.perf_counter` gives them.

    Attributes:
        costs: What steps cost, as far as was learned.

    `submit` may be called in any thread, everything else in the main thread.
    """

    def __init__(
        self,
        *,
        lanes: Mapping[str, float] = DEFAULT_LANES,
        capacity: int = 20_000,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not lanes or min(lanes.values()) <= 0:
            raise ValueError("there must be a lane, and weights must be above 0")
        self.costs = CostModel()
        self._capacity = capacity
        self._clock = clock
        self._lanes = {name: _Lane(name, weight) for name, weight in lanes.items()}
        self._posted: deque[Job] = deque()
        self._later: list[Job] = []
        self._counted: set[Job] = set()  # the game's own that have not ended
        self._turn = 0.0  # what the lane had that was chosen last, before its turn
        self._draining = False
        self._arrived = threading.Event()

    def __len__(self) -> int:
        return sum(not job.done for job in self._jobs())

    def _jobs(self) -> list[Job]:
        jobs = [job for lane in self._lanes.values() for job in lane.jobs]
        return [*jobs, *self._later, *self._posted.copy()]

    def submit(
        self,
        work: JobBody,
        *,
        lane: str = "game",
        kind: str = "game",
        size: float = 0,
        on_error: Callable[[Exception], None] | None = None,
    ) -> Job:
        """Have something done on the main thread.

        Args:
            work: A function, a generator, or a function that gives a generator. What it yields
                says what the next step is: a `Step`, None for another one of the same kind, or
                `NEXT_FRAME`.
            lane: Its class.
            kind: What its first step is.
            size: What the cost of that grows with.
            on_error: Called with the exception that ends it, in the main thread.

        Raises:
            QueueFullError: Too many jobs wait.
            ValueError: There is no such lane.
            TypeError: It is no work.

        Any thread.
        """
        if not (callable(work) or isinstance(work, Generator)):
            raise TypeError(f"a function or a generator is to be run, not {work!r}")
        if len(self._counted) >= self._capacity:
            message = f"{self._capacity:,} jobs wait for the main thread"
            raise QueueFullError(f"{message}: submit fewer, or raise the budget of a frame")
        job = self.post(work, lane, Step(kind, size), on_error)
        job._among = self._counted
        self._counted.add(job)
        if job.done:  # in the main thread, before it was counted
            self._counted.discard(job)
        return job

    def post(
        self,
        work: JobBody,
        lane: str,
        step: Step,
        on_error: Callable[[Exception], None] | None = None,
    ) -> Job:
        """`submit` without the limit, for those who have limits of their own. Any thread."""
        if lane not in self._lanes:
            raise ValueError(f"there is no lane {lane!r}, but {', '.join(self._lanes)}")
        job = Job(work, lane, step, on_error)
        self._posted.append(job)  # atomic: no lock for the main thread to wait on
        if not self._arrived.is_set():
            self._arrived.set()
        return job

    def wait(self, seconds: float) -> bool:
        """Wait until something is posted; for a main thread that has nothing else to do."""
        if not self._posted:
            self._arrived.clear()  # it may be from what was drained meanwhile
        return bool(self._posted) or self._arrived.wait(seconds)

    def drain(self, budget_s: float) -> DrainReport:
        """Run steps until the budget of this frame is used up, at least one.

        Exceptions of jobs end the job, are logged, and stand in the report.

        Raises:
            RuntimeError: It was called by a step.

        Main thread.
        """
        if self._draining:
            raise RuntimeError("drain was called by a step that drain is running")
        self._draining = True
        try:
            return self._drain(budget_s)
        finally:
            self._draining = False

    def _drain(self, budget_s: float) -> DrainReport:
        clock = self._clock
        ran: dict[str, StepTotals] = {}
        failures: list[JobFailure] = []
        deferred: dict[str, None] = {}
        later, self._later = self._later, []
        for job in later:
            self._enter(job)
        started = now = clock()
        steps = 0
        while steps < _MOST_STEPS:
            if self._posted:
                self._admit()
            left = budget_s - (now - started)
            lane = self._choose(left if steps else None, deferred)
            if lane is None:
                break
            job = lane.jobs[0]
            kind, size = step = job.step
            yielded: object = None
            try:
                yielded = job.run()
            except Exception as error:
                failures.append(JobFailure(kind, error))
                _log.error("a job of the main thread failed: %s", kind, exc_info=error)
                if not job.done:
                    self._fail(job, error, failures)
            except BaseException:  # the game ends; should it go on after all, then without this
                job.end()
                raise
            after = clock()
            cost = after - now
            now = after
            steps += 1
            self._turn = max(self._turn, lane.spent)
            lane.spent += cost / lane.weight
            self.costs.learn(kind, size, cost)
            before, seconds, longest = ran.get(kind, (0, 0.0, 0.0))
            ran[kind] = StepTotals(before + 1, seconds + cost, max(longest, cost))
            if not lane.jobs or lane.jobs[0] is not job:
                continue  # the step cleared the queue
            if job.done:
                lane.jobs.popleft()
            elif yielded is NEXT_FRAME:
                lane.jobs.popleft()
                self._later.append(job)
            elif yielded is not None:
                job.step = yielded if isinstance(yielded, Step) else step
        waiting = self._waiting()
        return DrainReport(
            budget_s, now - started, steps, ran, waiting, tuple(deferred), tuple(failures)
        )

    def _fail(self, job: Job, error: Exception, failures: list[JobFailure]) -> None:
        try:
            job.fail(error)
        except Exception as second:
            failures.append(JobFailure(job.step.kind, second))
            _log.error("telling of a failed job failed, too", exc_info=second)

    def _admit(self) -> None:
        self._arrived.clear()
        posted = self._posted
        for _ in range(len(posted)):
            job = posted.popleft()
            self._enter(job)

    def _enter(self, job: Job) -> None:
        lane = self._lanes[job.lane]
        if not lane.jobs:
            # A lane that slept has no claim to the time that it did not want. It is where the
            # others are: what the lane had whose turn it was last, not what it has after that,
            # or a lane whose job posts the next one would lose its own claim.
            lane.spent = max(lane.spent, self._turn)
        lane.jobs.append(job)

    def _choose(self, left: float | None, deferred: dict[str, None]) -> _Lane | None:
        """The lane whose turn it is; with ``left`` seconds, one whose step fits in."""
        candidates: list[_Lane] = []
        for lane in self._lanes.values():
            while lane.jobs and lane.jobs[0].done:  # cancelled
                lane.jobs.popleft()
            if lane.jobs:
                candidates.append(lane)
        if len(candidates) > 1:
            candidates.sort(key=_spent)
        for lane in candidates:
            if left is None:
                return lane
            step = lane.jobs[0].step
            if left > 0 and self.costs.predict(*step) <= left:
                return lane
            deferred[step.kind] = None
        return None

    def _waiting(self) -> dict[str, int]:
        found = {lane.name: len(lane.jobs) for lane in self._lanes.values() if lane.jobs}
        for job in (*self._later, *self._posted.copy()):
            found[job.lane] = found.get(job.lane, 0) + 1
        return found

    def clear(self) -> None:
        """Cancel everything. What jobs raise while they are closed is logged. Main thread."""
        jobs = self._jobs()
        self._later = []
        self._posted.clear()
        for lane in self._lanes.values():
            lane.jobs.clear()
        for job in jobs:
            try:
                job.cancel()
            except Exception as error:
                _log.error("a job could not be closed: %s", job.step.kind, exc_info=error)


def _spent(lane: _Lane) -> float:
    return lane.spent
