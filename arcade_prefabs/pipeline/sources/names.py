"""Checks the file names of a source: which can be assets, and which some systems take for one."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import Final

from ...errors import MissingAssetError, UnsafePathError
from ...prefab.asset_ids import asset_path

__all__ = ["NameFilter", "is_leftover", "missing"]

_LEFTOVER_NAMES: Final = frozenset({"thumbs.db", "desktop.ini", "__pycache__"})
_LEFTOVER_ENDS: Final = ("~", ".swp", ".tmp", ".part")


class NameFilter:
    """Divides file names into those that can be assets and those that are refused.

    The suffix ``.RON`` becomes ``.ron`` in the asset path. A name is refused

    * if `asset_path` refuses it, or it looks like a path with a resource handle;
    * if the name, or a folder in it, differs from an earlier one only in case or in Unicode
      spelling: some file systems take both for one file. Names are sorted first; of several Unicode
      spellings the normalised one comes first.

    Names for which `is_leftover` returns True are left out without an error.

    Attributes:
        names: The name on disk of each asset path, sorted by path.
        refused: An error for each refused name, in a fixed order.
    """

    __slots__ = ("_folders", "_seen", "_twins", "names", "refused")

    def __init__(self, names: Iterable[str], shown: Callable[[str], str]) -> None:
        self.names: dict[str, str] = {}
        self.refused: list[UnsafePathError] = []
        self._twins: dict[str, str] = {}
        self._seen: dict[str, str] = {}
        self._folders: dict[str, str | None] = {}
        found: list[tuple[str, bool, str]] = []
        for name in sorted(names):
            try:
                path = asset_path(name)
                if path.startswith(":"):
                    raise ValueError("the name begins like a resource handle")
                if "#" in path:
                    message = "the name has a `#`, which begins a label in ids: rename it"
                    raise ValueError(message)
            except ValueError as error:
                if ".." in name or not is_leftover(name):
                    self.refused.append(UnsafePathError(str(error), path=shown(name)))
                continue
            if not is_leftover(path):
                found.append((path, path != name, name))
        found.sort()
        for path, _, name in found:
            problem = self._problem(path, name)
            if problem is None:
                self.names[path] = name
            else:
                self.refused.append(UnsafePathError(problem, path=shown(name)))

    def find(self, path: str, shown: Callable[[str], str]) -> str | None:
        """Returns the name on disk of a path, or None if there is no such file.

        Args:
            path: The normalised path.
            shown: Returns the file's name for the error.

        Raises:
            UnsafePathError: The file exists, but its name differs from another one in case only.
        """
        name = self.names.get(path)
        if name is None and path in self._twins:
            raise UnsafePathError(self._twins[path], path=shown(path))
        return name

    def _problem(self, path: str, name: str) -> str | None:
        """Returns why a path cannot be served besides the earlier ones, or None."""
        if path in self.names:
            same = self.names[path].casefold() == name.casefold()
            how = "the case of its suffix" if same else "its Unicode spelling"
            return f"the name differs from another in {how} only: both are {path}"
        twin = self._twin(path)
        if twin is None:
            return None
        problem = f"the name differs from {twin} in case only: one file on some systems"
        self._twins[path] = problem
        return problem

    def _twin(self, path: str) -> str | None:
        """Returns the earlier path or folder that is the same on some file systems, or None."""
        seen = self._seen.setdefault(_folded(path), path)
        if seen != path:
            return seen
        folder = path.rpartition("/")[0]
        if not folder:
            return None
        if folder not in self._folders:
            self._folders[folder] = self._twin(folder)
        return self._folders[folder]


def is_leftover(path: str) -> bool:
    """Returns whether a file is no asset by its name, or by the name of a folder in its path.

    These are hidden files and folders (among them the bake store's), and temporary files of
    editors, browsers and desktops. Any thread.
    """
    return any(
        name.startswith(".") or name.endswith(_LEFTOVER_ENDS) or name in _LEFTOVER_NAMES
        for name in path.lower().split("/")
    )


def missing(path: str, shown: str) -> MissingAssetError:
    """Returns the error for a file that does not exist. Any thread."""
    hint = "paths with a resource handle need a HandleSource" if path.startswith(":") else None
    return MissingAssetError("there is no such file", path=shown, hint=hint)


def _folded(path: str) -> str:
    """Returns a text that is the same for all paths that some file system takes for one."""
    if path.isascii():
        return path.lower()
    # Unicode's "canonical caseless match", definition D145.
    folded = unicodedata.normalize("NFD", path).casefold()
    return unicodedata.normalize("NFC", folded)
