"""Arcade's resource handles as a source: `:game:orc.png`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from ...errors import MissingAssetError, UnsafePathError, shown
from ...prefab.suggestions import did_you_mean
from .base import AssetSource, SourceFile, checked_path
from .directory import DirectorySource
from .overlay import OverlaySource

__all__ = ["HandleSource", "arcade_handles"]


class HandleSource:
    """A source whose paths may begin with a resource handle of Arcade, such as `:game:orc.png`.

    ::

        source = HandleSource(DirectorySource("assets"), {**arcade_handles(), "game": ["art"]})

    Such paths are read from the folders of the handle, all others from the base. `scan` gives the
    base's files only: the files of a handle are baked when something asks for them, or else every
    game would bake all of Arcade's own art.

    Args:
        base: Where paths without a handle are read from. It is closed with this source.
        handles: The folders of each handle, in the order in which they are searched. Arcade itself
            searches the folder that was added last first.

    Raises:
        UnsafePathError: A handle has a name that no path can begin with.
        TypeError: The folders of a handle are one string instead of a list.
    """

    def __init__(
        self, base: AssetSource, handles: Mapping[str, Sequence[str | os.PathLike[str]]]
    ) -> None:
        self._base = base
        self._handles: dict[str, OverlaySource] = {}
        for name, folders in handles.items():
            if isinstance(folders, str | os.PathLike):
                raise TypeError(f"the handle {name!r} wants a list of folders, not {folders!r}")
            checked_path(f":{name}:x")
            layers = [DirectorySource(folder) for folder in reversed(folders)]
            self._handles[name] = OverlaySource(*layers)

    def __repr__(self) -> str:
        return f"HandleSource({self._base!r}, handles {', '.join(self._handles) or 'none'})"

    @property
    def portable(self) -> bool:
        """Whether the base is; folders always are. Any thread."""
        return self._base.portable

    def scan(self) -> Iterator[SourceFile]:
        """All files of the base, each once, sorted by path.

        Raises:
            AssetError: The base cannot be scanned.

        Any thread.
        """
        return self._base.scan()

    def refused(self) -> list[UnsafePathError]:
        """What the base's last `scan` left out, and why. Any thread."""
        return self._base.refused()

    def stat(self, path: str) -> SourceFile | None:
        """The file of that path without its content, or None if there is none.

        Raises:
            UnsafePathError: The path could leave the base, or the handle's folders.
            AssetError: The system does not let us look.

        Any thread.
        """
        path = checked_path(path)
        handle, rest = _split(path)
        if not handle:
            return self._base.stat(path)
        source = self._handles.get(handle)
        found = None if source is None else source.stat(rest)
        return None if found is None else found._replace(path=path)

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            UnsafePathError: As in `stat`.
            MissingAssetError: There is no such file; of an unknown handle, the hint has the known
                ones.
            AssetTooLargeError: It is larger than `LARGEST_FILE`.
            AssetError: It cannot be read; the cause is attached.

        Any thread.
        """
        path = checked_path(path)
        handle, rest = _split(path)
        if not handle:
            return self._base.read(path)
        source = self._handles.get(handle)
        if source is None:
            message = f"the resource handle `:{handle}:` is not known"
            hint = did_you_mean(handle, self._handles)
            raise MissingAssetError(message, path=path, hint=hint)
        return source.read(rest)

    def shown(self, path: str) -> str:
        """The file's path on disk, or what the base calls it. Any thread."""
        handle, rest = _split(path)
        source = self._handles.get(handle)
        if source is not None:
            return source.shown(rest)
        return shown(path, None) if handle else self._base.shown(path)

    def folders(self) -> list[tuple[Path, str]]:
        """Those of the base, and of the handles with the handle in front. Any thread."""
        own = [
            (folder, f":{name}:{prefix}")
            for name, layers in self._handles.items()
            for folder, prefix in layers.folders()
        ]
        return [*self._base.folders(), *own]

    def close(self) -> None:
        """Close the base and the handles' folders. Any thread."""
        with ExitStack() as stack:
            for source in (self._base, *self._handles.values()):
                stack.callback(source.close)


def arcade_handles() -> dict[str, list[Path]]:
    """The handles that Arcade has from the start, found without importing it.

    The folders stand in the order in which they are searched. Without Arcade, or with one that is
    laid out otherwise than we know, there are none: better not to look than to look in the wrong
    place. Any thread.
    """
    found = importlib.util.find_spec("arcade")
    if found is None or found.origin is None:
        return {}
    resources = Path(found.origin).parent / "resources"
    assets, system = resources / "assets", resources / "system"
    if not (assets.is_dir() and system.is_dir()):
        return {}
    # arcade/resources/__init__.py, `handles`; `resolve` there searches from the last to the first.
    return {"resources": [assets, system], "assets": [assets], "system": [system]}


def _split(path: str) -> tuple[str, str]:
    """The handle, empty if there is none, and the path behind it."""
    if not path.startswith(":"):
        return "", path
    handle, _, rest = path[1:].partition(":")
    return handle, rest
