"""The command ``arcade-prefabs``: writes and checks prefabs, bakes and inspects assets."""

from .command import main

__all__ = ["main"]
