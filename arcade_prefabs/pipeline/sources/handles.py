"""`HandleSource`: the folders of Arcade's resource handles as an asset source, `:game:orc.png`."""

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

    Paths with a handle are read from the folders of the handle, all others from the base. `scan`
    returns the base's files only. Files behind handles are baked when something needs them;
    otherwise each game would bake all of Arcade's own pictures.

    Args:
        base: The source of paths without a handle. It is closed with this source.
        handles: The folders of each handle, in the order in which they are searched. (Arcade
            searches the folder that was added last first.)

    Raises:
        UnsafePathError: A handle has a name that no path can begin with.
        TypeError: The folders of a handle are a string instead of a list.
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
        """Whether the base is portable, as folders always are. Any thread."""
        return self._base.portable

    def scan(self) -> Iterator[SourceFile]:
        """Returns all files of the base, each once, sorted by path.

        Raises:
            AssetError: The base cannot be scanned.

        Any thread.
        """
        return self._base.scan()

    def refused(self) -> list[UnsafePathError]:
        """Returns an error for each file that the base's last `scan` left out. Any thread."""
        return self._base.refused()

    def stat(self, path: str) -> SourceFile | None:
        """Returns the state of a file, or None if it does not exist.

        Raises:
            UnsafePathError: The path could leave the base, or the handle's folders.
            AssetError: The system refuses access.

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
        """Returns the content of a file.

        Raises:
            UnsafePathError: As `stat`.
            MissingAssetError: The file or the handle does not exist; for a handle, the hint lists
                the ones that do.
            AssetTooLargeError: The file has more than `LARGEST_FILE` bytes.
            AssetError: The file cannot be read; ``__cause__`` says why.

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
        """Returns the file's path on disk, or the base's name for it. Any thread."""
        handle, rest = _split(path)
        source = self._handles.get(handle)
        if source is not None:
            return source.shown(rest)
        return shown(path, None) if handle else self._base.shown(path)

    def folders(self) -> list[tuple[Path, str]]:
        """Returns the base's folders, and those of the handles with the handle as prefix.

        Any thread.
        """
        own = [
            (folder, f":{name}:{prefix}")
            for name, layers in self._handles.items()
            for folder, prefix in layers.folders()
        ]
        return [*self._base.folders(), *own]

    def close(self) -> None:
        """Closes the base and the handles' folders. Any thread."""
        with ExitStack() as stack:
            for source in (self._base, *self._handles.values()):
                stack.callback(source.close)


def arcade_handles() -> dict[str, list[Path]]:
    """Returns Arcade's own resource handles without importing Arcade.

    The folders are in the order in which they are searched. If Arcade is not installed, or its
    folders have other names than in the known versions, there are none. Any thread.
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
    """Splits a path into its handle, empty if there is none, and the rest."""
    if not path.startswith(":"):
        return "", path
    handle, _, rest = path[1:].partition(":")
    return handle, rest
