"""``python -m arcade_prefabs``: the command ``arcade-prefabs``, found without its script."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
