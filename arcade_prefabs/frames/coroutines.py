"""Scripts: coroutines that the loader steps within the budget of a frame.

::

    async def open_gate(loader):
        gate = await loader.load_async("castle.ron#gate")
        await sleep(1.5)
        ...

    loader.start(open_gate(loader))

A game needs no asyncio for that, and no other thread runs the game's code.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any, Generic, TypeVar

from ..errors import LoadCancelledError, LoadError
from .awaitables import Completion, Park, enter, running_script
from .callbacks import Callbacks
from .main_thread_queue import NEXT_FRAME, Step, Steps

__all__ = ["Script", "next_frame", "sleep"]

T = TypeVar("T")


class Script(Generic[T]):
    """A coroutine that was started; it can be awaited by others.

    Attributes:
        name: What it is called in reports.
        done: Whether it ended: returned, raised or cancelled.
        cancelled: Whether `cancel` ended it.
        error: The exception that it ended with, or None.

    Main thread.
    """

    def __init__(
        self,
        callbacks: Callbacks,
        running: dict[Script[Any], None],
        coroutine: Coroutine[Any, Any, T],
        name: str,
    ) -> None:
        self.name = name
        self.done = False
        self.cancelled = False
        self.error: Exception | None = None
        self._callbacks = callbacks
        self._among = running
        running[self] = None
        self._coroutine = coroutine
        self._value: T | None = None
        self._completion = Completion()
        self._running = False
        self._turn = 0  # what wakes it belongs to a wait; a later wait has another number
        self._next_error: Exception | None = None
        self._post()

    def __repr__(self) -> str:
        return f"<Script {self.name}{', done' if self.done else ''}>"

    def result(self) -> T:
        """What it returned.

        Raises:
            LoadError: It has not ended.
            LoadCancelledError: It was cancelled.
            Exception: What it raised.
        """
        if self.cancelled:
            raise LoadCancelledError(f"the script {self.name} was cancelled")
        if self.error is not None:
            raise self.error
        if not self.done:
            raise LoadError(f"the script {self.name} has not ended")
        value: T = self._value  # type: ignore[assignment]  # None may be what it returned
        return value

    def cancel(self) -> bool:
        """End it where it waits, as if it were closed; False if it had ended."""
        if self.done:
            return False
        self.cancelled = True
        if self._running:  # by itself: it ends at its next `await`
            return True
        self._turn += 1
        try:
            self._coroutine.close()
        except Exception as error:
            self.error = error
            self._callbacks.note_failure(f"script {self.name}", error)
        self._end()
        return True

    def __await__(self) -> Generator[Any, Any, T]:
        yield from self._completion.wait()
        return self.result()

    def _end(self) -> None:
        self.done = True
        self._among.pop(self, None)
        self._completion.finish()

    def _steps(self) -> Steps:
        """Run until it waits for something else than the next frame."""
        while not self.done:
            self._running = True
            before = running_script()
            enter(self)
            try:
                error, self._next_error = self._next_error, None
                if error is not None:
                    told = self._coroutine.throw(error)
                else:
                    told = self._coroutine.send(None)
            except StopIteration as stop:
                self._value = stop.value
                self._end()
                return
            except Exception as error:
                if not self.cancelled:
                    self.error = error
                    self._callbacks.note_failure(f"script {self.name}", error)
                self._end()
                return
            finally:
                self._running = False
                enter(before)
            if self.cancelled:
                self.cancelled = False
                self.cancel()
                return
            if not isinstance(told, Park):
                self._next_error = TypeError(
                    f"the script {self.name} awaits something of asyncio or of another library; "
                    "scripts can await handles, batches, other scripts, sleep() and next_frame()"
                )
                continue
            if told.register is None:
                yield NEXT_FRAME
                continue
            self._turn += 1
            told.forget = told.register(partial(self._wake, self._turn))
            return

    def _wake(self, turn: int) -> None:
        if turn == self._turn and not self.done:
            self._turn += 1
            self._post()

    def _post(self) -> None:
        self._callbacks.queue.post(self._steps, "scripts", Step(f"script {self.name}"))


class _NextFrame:
    def __await__(self) -> Generator[Any, Any, None]:
        if running_script() is None:
            raise RuntimeError("next_frame() can only be awaited in a script: see start()")
        yield Park(None)


def next_frame() -> _NextFrame:
    """Go on in the next frame, when it is awaited; in scripts only."""
    return _NextFrame()


class _Sleep:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __await__(self) -> Generator[Any, Any, None]:
        script = running_script()
        if not isinstance(script, Script):
            raise RuntimeError("sleep() can only be awaited in a script: see start()")
        callbacks, seconds = script._callbacks, self._seconds
        yield Park(lambda wake: callbacks.after(seconds, wake))


def sleep(seconds: float) -> _Sleep:
    """Go on after some seconds of the loader's clock, when it is awaited; in scripts only."""
    return _Sleep(seconds)
