"""The fixtures of tests with a window."""

from stage import picture_of, session_window, stage, window

__all__ = ["picture_of", "session_window", "stage", "window"]
