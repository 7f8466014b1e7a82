"""Finds the hook for PyInstaller, and the files of Arcade that a frozen game needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ..pipeline.sources import arcade_handles, checked_path

__all__ = ["get_hook_dirs", "named_resources"]

# A path with one of Arcade's own resource handles, in a prefab, a world, a map or a script.
_NAMED: Final = re.compile(r":(resources|assets|system):([^\s\"'`<>|*?:,;()\[\]{}]+)")
_SUFFIXES: Final = frozenset({".ron", ".py", ".json", ".tmx", ".tsx", ".fnt"})


def get_hook_dirs() -> list[str]:
    """Returns the folder of the hook; called by PyInstaller."""
    return [str(Path(__file__).parent)]


def named_resources(paths: Iterable[str | Path]) -> list[tuple[str, str]]:
    """Finds the files of Arcade that a game's files name with ``:resources:`` and the like.

    Arcade's own hook takes its system files along, but none of its images and sounds.

    Args:
        paths: Files of the game, and folders, which are searched at any depth.

    Returns:
        Each file of Arcade, with its folder in the frozen game.

    Any thread.
    """
    handles = arcade_handles()
    found: set[tuple[str, str]] = set()
    for handle, name in {match for path in paths for match in _names(Path(path))}:
        try:
            asset_path = checked_path(name.rstrip("./"))
        except ValueError:
            continue  # the game raises an error for this name
        for folder in handles.get(handle, []):
            target = folder / asset_path
            files = target.rglob("*") if target.is_dir() else [target]
            frozen = Path("arcade", "resources", folder.name)
            found.update(
                (str(file), str(frozen / file.relative_to(folder).parent))
                for file in files
                if file.is_file()
            )
    return sorted(found)


def _names(path: Path) -> Iterator[tuple[str, str]]:
    """Yields the handle and the path of each name in a file, or in the files of a folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if file.suffix.lower() in _SUFFIXES and file.is_file():
            yield from _NAMED.findall(file.read_text("utf-8", errors="replace"))
