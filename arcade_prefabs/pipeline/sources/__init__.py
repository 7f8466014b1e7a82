"""Asset sources: folders, zip archives, packages, memory, and overlays of several sources.

An asset source is any class with the methods of `AssetSource`. The sources in this package refuse
paths that leave their files, serve each file under one path only, return at most `LARGEST_FILE`
bytes of a file, and may be used from several threads at once::

    game = DirectorySource("assets")
    with_mod = OverlaySource(game, ZipSource("mods/snow.zip"))
    source = HandleSource(with_mod, arcade_handles())
    source.read("prefabs/orc.ron")
    source.read(":resources:images/items/coinGold.png")
"""

from __future__ import annotations

from .archive import ZipSource
from .base import LARGEST_FILE, MOST_FILES, AssetSource, SourceFile, checked_path
from .directory import DirectorySource
from .handles import HandleSource, arcade_handles
from .memory import MemorySource
from .overlay import OverlaySource
from .package import package_source

__all__ = [
    "LARGEST_FILE",
    "MOST_FILES",
    "AssetSource",
    "DirectorySource",
    "HandleSource",
    "MemorySource",
    "OverlaySource",
    "SourceFile",
    "ZipSource",
    "arcade_handles",
    "checked_path",
    "package_source",
]
