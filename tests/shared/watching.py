"""What tests ask of an `AssetWatcher`."""

from __future__ import annotations

from arcade_prefabs.pipeline import AssetWatcher

__all__ = ["failures_of"]


def failures_of(watcher: AssetWatcher) -> list[Exception]:
    """What went wrong, but for file events that the system does not give.

    Linux has 128 watches for each user, whatever programs they are of: the watcher goes on without.
    """
    return [
        one
        for one in watcher.failures
        if type(one).__name__ != "WatchfilesRustInternalError" or "os error 24" not in str(one)
    ]
