"""`Retries`: retries transient read errors with exponential back-off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..requests.asset_record import LoadAttempt, LoadState
from ..requests.load_registry import LoadRegistry

__all__ = ["Retries"]


class Retries:
    """Queues failed load attempts again after a delay that doubles each time.

    Args:
        loads: The registry of loads.
        assets: If it has a method ``invalidate``, that is called before each retry, so that it
            reads its files again.
        most: The most retries of one asset.
        delay_s: The delay before the first retry, in seconds.
        wake: Wakes a loader thread.
    """

    def __init__(
        self,
        loads: LoadRegistry,
        assets: Any,
        most: int,
        delay_s: float,
        wake: Callable[[], None],
    ) -> None:
        self._loads = loads
        self._invalidate = getattr(assets, "invalidate", None)
        self._most = most
        self._delay_s = delay_s
        self._wake = wake

    def __call__(self, attempt: LoadAttempt, error: Exception) -> bool:
        """Schedules a retry; False if the asset has had all of its retries. Main thread."""
        record = attempt.record
        if record.attempts >= self._most or self._loads.closed:
            return False
        delay = self._delay_s * 2**record.attempts
        with self._loads.lock:
            record.attempts += 1
            if not attempt.reload:
                record.state = LoadState.WAITING
            self._loads.tell("retrying", record, error)

        def again() -> None:
            if self._invalidate is not None:
                self._invalidate()
            with self._loads.lock:
                if not attempt.stale:
                    self._loads.scheduler.put(attempt)
            self._wake()

        self._loads.callbacks.after(delay, again)
        return True
