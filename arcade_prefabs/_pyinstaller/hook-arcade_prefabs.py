"""PyInstaller's hook for arcade_prefabs: see "PyInstaller" in docs/deployment.md."""  # noqa: N999 - its name

from __future__ import annotations

from pathlib import Path
from typing import Any

# Only PyInstaller runs this module, so it is installed then.
from PyInstaller.utils.hooks import (  # pyright: ignore[reportMissingImports]
    collect_submodules,
    get_hook_config,
)

from arcade_prefabs._pyinstaller import named_resources

# Not found by PyInstaller, as the package imports its modules by name at their first use.
hiddenimports = collect_submodules(
    "arcade_prefabs", filter=lambda name: not name.startswith("arcade_prefabs._pyinstaller")
)


def hook(hook_api: Any) -> None:
    """Adds the resources of Arcade that the game's files name to the frozen game."""
    paths = get_hook_config(hook_api, "arcade_prefabs", "look_in")
    if paths is None:
        paths = ["assets", *sorted(Path.cwd().glob("*.py"))]
    hook_api.add_datas(named_resources(paths))
