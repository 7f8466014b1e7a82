"""`MainThreadQueue`: runs all main-thread jobs of the plugin in steps, within a time budget.

Only the main thread may call OpenGL and the game's code, so texture uploads, sprites, hooks,
callbacks and saves all have to run there, and together they need more time than one frame has.
A step that has begun cannot be interrupted. A budget therefore has to be kept *before* a step
begins: the queue learns what steps of each kind cost (`CostModel`), and defers a step that is
predicted not to fit into the rest of the frame's budget.

Ways not taken:

- A time-out around each job. Python cannot interrupt a call into OpenGL, and a job that is cut
  off anywhere leaves half-built objects. Generators say themselves where they can be interrupted.
- A budget for each subsystem (uploads, spawns, callbacks). The sum is what makes a frame late, and
  a subsystem without jobs would waste its part. So there is one budget; lanes have weights, and
  the lane that has used the least time by its weight runs next.
- Running steps until the budget is used up, without predictions. Each frame would then exceed the
  budget by one step, and an image of 1024 pixels takes 0.9 ms to add to the atlas.
- `queue.Queue` for submitting. Its lock can be held by a thread that waits for the interpreter,
  and the main thread would wait for both. `deque.append` is atomic.

One step a frame runs even if it does not fit. Without this rule, a game that leaves no time would
never load anything.
"""

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
# The most steps of one drain. On a clock that stands still, such as a test's, the budget in seconds
# is never used up.
_MOST_STEPS: Final = 10_000


class Step(NamedTuple):
    """Kind and size of a job's next step, from which the queue predicts its cost.

    Attributes:
        kind: The name under which costs are learned, such as ``upload``: steps of one kind and of
            about the same size cost about the same time.
        size: The number that the cost grows with, such as pixels or sprites; 0 if there is none.
    """

    kind: str
    size: float = 0


class _NextFrame:
    def __repr__(self) -> str:
        return "NEXT_FRAME"


NEXT_FRAME: Final = _NextFrame()
"""A job yields this to go on in the next frame."""

Steps: TypeAlias = Generator[Step | _NextFrame | None, None, None]
JobBody: TypeAlias = Callable[[], Any] | Steps


class Job:
    """A function or generator that was submitted to the `MainThreadQueue`.

    Attributes:
        lane: The name of its lane.
        step: Kind and size of its next step.
        done: Whether it has finished, failed or been cancelled.
        error: The exception that it failed with, or None.
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
        self._among: set[Job] | None = None  # the queue's set of counted jobs, if it is in there

    def __repr__(self) -> str:
        return f"<Job {self.step.kind} in {self.lane}{', done' if self.done else ''}>"

    def cancel(self) -> bool:
        """Closes the generator; no further step runs. False if the job had ended. Main thread."""
        if self.done:
            return False
        self.end()
        steps = self._steps if self._steps is not None else self._work
        self._work = self._steps = None
        if inspect.isgenerator(steps) and not steps.gi_running:
            steps.close()
        return True

    def end(self) -> None:
        """Marks the job as done, and takes it off the queue's count."""
        self.done = True
        if self._among is not None:
            self._among.discard(self)

    def run(self) -> object:
        """Runs one step. Returns what the job yielded, or None if it finished: `done` is set."""
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
                if self.done:  # the function cancelled its own job
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
        """Ends the job with an error, and calls its ``on_error``."""
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
        self.spent = 0.0  # seconds that its steps took, divided by its weight
        self.jobs: deque[Job] = deque()


class MainThreadQueue:
    """Queue of the plugin's main-thread jobs; each frame runs as many steps as its budget allows.

    Jobs are functions, or generators that yield between two steps. The queue learns the cost of
    each kind of step; a step that is predicted not to fit into the rest of the budget waits for
    the next frame. One step a frame always runs, so that no job starves. Lanes share the time by
    their weights: the lane that has used the least time by its weight runs next.

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
        capacity: The most jobs of the game that may wait; `submit` refuses more.
        clock: Returns seconds, as `time.perf_counter` does.

    Attributes:
        costs: The learned costs of steps.

    `submit` and `post` may be called in any thread, all other methods in the main thread.
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
        self._later: list[Job] = []  # jobs that yielded NEXT_FRAME
        self._counted: set[Job] = set()  # jobs of `submit` that have not ended
        self._turn = 0.0  # `spent` of the lane that ran last, before its step
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
        """Queues a function or generator of the game to run on the main thread.

        Args:
            work: A function, a generator, or a function that returns a generator. A generator
                yields the kind and size of its next step as a `Step`, None for another step of
                the same kind and size, or `NEXT_FRAME`.
            lane: The name of the lane.
            kind: The kind of the first step.
            size: The size of the first step, in the unit that its cost grows with.
            on_error: Called on the main thread with the exception that ends the job.

        Raises:
            QueueFullError: `capacity` jobs wait already.
            ValueError: There is no lane of this name.
            TypeError: ``work`` is neither a function nor a generator.

        Any thread.
        """
        if not (callable(work) or isinstance(work, Generator)):
            raise TypeError(f"submit expects a function or a generator, not {work!r}")
        if len(self._counted) >= self._capacity:
            message = f"{self._capacity:,} jobs wait for the main thread"
            raise QueueFullError(f"{message}: submit fewer, or raise the budget of a frame")
        job = self.post(work, lane, Step(kind, size), on_error)
        job._among = self._counted
        self._counted.add(job)
        if job.done:  # the main thread ran it before it was counted
            self._counted.discard(job)
        return job

    def post(
        self,
        work: JobBody,
        lane: str,
        step: Step,
        on_error: Callable[[Exception], None] | None = None,
    ) -> Job:
        """Queues a job of the plugin, without the limit of `submit`. Any thread.

        The plugin's own jobs are bounded elsewhere, by the number of loads in flight.

        Raises:
            ValueError: There is no lane of this name.
        """
        if lane not in self._lanes:
            raise ValueError(f"there is no lane {lane!r}; the lanes are {', '.join(self._lanes)}")
        job = Job(work, lane, step, on_error)
        self._posted.append(job)  # atomic: no lock for the main thread to wait on
        if not self._arrived.is_set():
            self._arrived.set()
        return job

    def wait(self, seconds: float) -> bool:
        """Blocks until a job is posted; False after ``seconds`` without one.

        For a main thread that has nothing else to do, such as a tool's or a test's. Main thread.
        """
        if not self._posted:
            self._arrived.clear()  # it may be set for jobs that `drain` has taken since
        return bool(self._posted) or self._arrived.wait(seconds)

    def drain(self, budget_s: float) -> DrainReport:
        """Runs steps until the budget of this frame is used up, and at least one step.

        An exception in a step ends its job, is logged, and appears in the report's ``failures``.

        Args:
            budget_s: The time that steps may take, in seconds.

        Raises:
            RuntimeError: A step calls `drain`.

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
            except BaseException:  # the game is ending; if it goes on, it must not repeat this step
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
                continue  # the step called `clear`
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
            _log.error("on_error of a failed job failed, too", exc_info=second)

    def _admit(self) -> None:
        self._arrived.clear()
        posted = self._posted
        for _ in range(len(posted)):
            job = posted.popleft()
            self._enter(job)

    def _enter(self, job: Job) -> None:
        lane = self._lanes[job.lane]
        if not lane.jobs:
            # An empty lane earns no time: it starts level with the lane that ran last. Level with
            # that lane's time *before* its step: a lane whose job posts the next job would
            # otherwise be charged twice for the same step.
            lane.spent = max(lane.spent, self._turn)
        lane.jobs.append(job)

    def _choose(self, left: float | None, deferred: dict[str, None]) -> _Lane | None:
        """Returns the lane to run next, or None.

        With ``left`` seconds, only lanes whose next step is predicted to fit; None for any lane.
        The kinds of steps that do not fit are added to ``deferred``.
        """
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
        """Cancels all jobs, and logs exceptions that their generators raise. Main thread."""
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
