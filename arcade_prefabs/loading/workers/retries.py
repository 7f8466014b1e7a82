"""Reading again, later, what failed for a reason that may pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..requests.asset_record import Flight, LoadState
from ..requests.claims import Claims
from ..requests.load_registry import LoadTable

__all__ = ["Retries"]


class Retries:
    """Puts attempts that failed back into the queue, each time after twice as long.

    Args:
        table: The loader's books.
        claims: Where it waits.
        assets: Asked to look at its files again, if it knows how to.
        most: How often an asset is tried again.
        delay_s: Seconds before the first time.
        wake: Called when there is something to do.
    """

    def __init__(
        self,
        table: LoadTable,
        claims: Claims,
        assets: Any,
        most: int,
        delay_s: float,
        wake: Callable[[], None],
    ) -> None:
        self._table = table
        self._claims = claims
        self._invalidate = getattr(assets, "invalidate", None)
        self._most = most
        self._delay_s = delay_s
        self._wake = wake

    def __call__(self, flight: Flight, error: Exception) -> bool:
        """Try again later; False if that was done often enough. Main thread."""
        entry = flight.entry
        if entry.attempts >= self._most or self._table.closed:
            return False
        delay = self._delay_s * 2**entry.attempts
        with self._table.lock:
            entry.attempts += 1
            if not flight.reload:
                entry.state = LoadState.WAITING
            self._table.tell("retrying", entry, error)

        def again() -> None:
            if self._invalidate is not None:
                self._invalidate()
            with self._table.lock:
                if not flight.stale:
                    self._table.scheduler.put(flight)
            self._wake()

        self._claims.after(delay, again)
        return True
