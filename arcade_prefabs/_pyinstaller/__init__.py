"""What PyInstaller has to take into a frozen game; the hook beside this file asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ..pipeline.sources import arcade_handles, checked_path

__all__ = ["get_hook_dirs", "named_resources"]

# What stands behind one of Arcade's own handles, in a prefab, a world, a map or a script.
_NAMED: Final = re.compile(r":(resources|assets|system):([^\s\"'`<>|*?:,;()\[\]{}]+)")
_SUFFIXES: Final = frozenset({".ron", ".py", ".json", ".tmx", ".tsx", ".fnt"})


def get_hook_dirs() -> list[str]:
    """Where PyInstaller finds the hook."""
    return [str(Path(__file__).parent)]


def named_resources(places: Iterable[str | Path]) -> list[tuple[str, str]]:
    """The files of Arcade's own that a game's files name, each with its folder in the frozen game.

    Arcade takes its system files along, but none of its pictures and sounds.

    Args:
        places: Files, and folders with files in them, at any depth.

    Any thread.
    """
    handles = arcade_handles()
    found: set[tuple[str, str]] = set()
    for handle, name in {one for place in places for one in _names(Path(place))}:
        try:
            path = checked_path(name.rstrip("./"))
        except ValueError:
            continue  # as the game will say
        for folder in handles.get(handle, []):
            there = folder / path
            files = there.rglob("*") if there.is_dir() else [there]
            below = Path("arcade", "resources", folder.name)
            found.update(
                (str(one), str(below / one.relative_to(folder).parent))
                for one in files
                if one.is_file()
            )
    return sorted(found)


def _names(place: Path) -> Iterator[tuple[str, str]]:
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    for file in files:
        if file.suffix.lower() in _SUFFIXES and file.is_file():
            yield from _NAMED.findall(file.read_text("utf-8", errors="replace"))
