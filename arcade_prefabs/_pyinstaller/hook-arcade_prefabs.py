"""PyInstaller's hook for arcade_prefabs: see "PyInstaller" in docs/deployment.md."""  # noqa: N999 - its name

from __future__ import annotations

from pathlib import Path
from typing import Any

# There while PyInstaller runs this; nobody else imports it.
from PyInstaller.utils.hooks import (  # pyright: ignore[reportMissingImports]
    collect_submodules,
    get_hook_config,
)

from arcade_prefabs._pyinstaller import named_resources

# The package imports its own modules by name, when they are first used.
hiddenimports = collect_submodules(
    "arcade_prefabs", filter=lambda name: not name.startswith("arcade_prefabs._pyinstaller")
)


def hook(hook_api: Any) -> None:
    """Take the resources of Arcade along that the game's files name."""
    places = get_hook_config(hook_api, "arcade_prefabs", "look_in")
    if places is None:
        places = ["assets", *sorted(Path.cwd().glob("*.py"))]
    hook_api.add_datas(named_resources(places))
