"""The fixtures of tests with a window."""

import sys
from pathlib import Path

from stage import session_window, window

sys.path.insert(0, str(Path(__file__).parents[2]))  # demo_world is not installed

__all__ = ["session_window", "window"]
