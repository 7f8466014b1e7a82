"""Fixtures of the spawning tests, all of them from the shared module `stage`."""

from stage import no_workers, picture_of, session_window, stage, window

__all__ = ["no_workers", "picture_of", "session_window", "stage", "window"]
