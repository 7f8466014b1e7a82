"""Scripts: coroutines of the game that the loader runs within the budget of a frame.

::

    async def open_gate(loader):
        gate = await loader.load("castle.ron#gate")
        await sleep(1.5)
        ...

    loader.start(open_gate(loader))

A script needs no asyncio event loop, and runs on the main thread only: each run from one `await`
to the next is a step of the `MainThreadQueue`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from ..errors import LoadCancelledError, LoadError
from .awaitables import Completion, Park, enter, running_script
from .callbacks import Callbacks
from .main_thread_queue import NEXT_FRAME, Step, Steps

__all__ = ["Script", "next_frame", "sleep"]

T = TypeVar("T")


class Script(Generic[T]):
    """A coroutine that was started on the main thread; other scripts can await it.

    Attributes:
        name: The name of the coroutine, for reports and errors.
        done: Whether it has ended: returned, raised or been cancelled.
        cancelled: Whether `cancel` ended it.
        error: The exception that it raised, or None.

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
        self._next_error: Exception | None = None
        self._post()

    def __repr__(self) -> str:
        return f"<Script {self.name}{', done' if self.done else ''}>"

    def result(self) -> T:
        """Returns what the coroutine returned.

        Raises:
            LoadError: The script has not ended.
            LoadCancelledError: The script was cancelled.
            Exception: The exception that the coroutine raised.
        """
        if self.cancelled:
            raise LoadCancelledError(f"the script {self.name} was cancelled")
        if self.error is not None:
            raise self.error
        if not self.done:
            raise LoadError(f"the script {self.name} has not ended")
        value: T = self._value  # type: ignore[assignment]  # a coroutine may return None
        return value

    def cancel(self) -> bool:
        """Closes the coroutine at the `await` where it waits. False if the script had ended.

        A script that cancels itself ends at its next `await`.
        """
        if self.done:
            return False
        self.cancelled = True
        if self._running:
            return True
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
        """Runs the coroutine until it waits for more than the next frame."""
        while not self.done:
            self._running = True
            before = running_script()
            enter(self)
            try:
                error, self._next_error = self._next_error, None
                if error is not None:
                    yielded = self._coroutine.throw(error)
                else:
                    yielded = self._coroutine.send(None)
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
            if not isinstance(yielded, Park):
                self._next_error = TypeError(
                    f"the script {self.name} awaits something of asyncio or of another library; "
                    "scripts can await handles, batches, other scripts, sleep() and next_frame()"
                )
                continue
            if yielded.register is None:
                yield NEXT_FRAME
                continue
            yielded.forget = yielded.register(self._wake)
            return

    def _wake(self) -> None:
        if not self.done:
            self._post()

    def _post(self) -> None:
        self._callbacks.queue.post(self._steps, "scripts", Step(f"script {self.name}"))


class _NextFrame:
    def __await__(self) -> Generator[Any, Any, None]:
        if running_script() is None:
            raise RuntimeError("await next_frame() works only in a script, started by start()")
        yield Park(None)


def next_frame() -> Awaitable[None]:
    """Suspends the script that awaits it until the next frame. Main thread.

    Raises:
        RuntimeError: It is awaited outside a script.
    """
    return _NextFrame()


class _Sleep:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __await__(self) -> Generator[Any, Any, None]:
        script = running_script()
        if not isinstance(script, Script):
            raise RuntimeError("await sleep() works only in a script, started by start()")
        callbacks, seconds = script._callbacks, self._seconds
        yield Park(lambda wake: callbacks.after(seconds, wake))


def sleep(seconds: float) -> Awaitable[None]:
    """Suspends the script that awaits it for some seconds of the loader's clock. Main thread.

    Raises:
        RuntimeError: It is awaited outside a script.
    """
    return _Sleep(seconds)
