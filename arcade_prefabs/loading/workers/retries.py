"""Reading again, later, what failed for a reason that may pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..requests.asset_record import LoadAttempt, LoadState
from ..requests.load_registry import LoadRegistry

__all__ = ["Retries"]


class Retries:
    """Puts attempts that failed back into the queue, each time after twice as long.

    Args:
        loads: What is loaded, loading or wanted.
        assets: Asked to look at its files again, if it knows how to.
        most: How often an asset is tried again.
        delay_s: Seconds before the first time.
        wake: Called when there is something to do.
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
        """Try again later; False if that was done often enough. Main thread."""
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
