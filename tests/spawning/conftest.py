"""The fixtures of tests with a window."""

from stage import no_workers, picture_of, session_window, stage, window

__all__ = ["no_workers", "picture_of", "session_window", "stage", "window"]
