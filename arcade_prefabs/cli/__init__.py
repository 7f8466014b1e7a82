"""The command ``arcade-prefabs``: prefabs written and checked, assets baked and looked into."""

from .command import main

__all__ = ["main"]
