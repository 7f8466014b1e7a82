"""Names inside a source: which ones count, and which ones are one file on some systems."""

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
    """Names of files, sifted into those that can be assets and those that cannot.

    A RON file whose suffix is written otherwise, such as ``crate.RON``, has the path ``crate.ron``.
    A name is refused if `asset_path` refuses it, if it looks like one behind a resource handle, or
    if it, or a folder in it, differs from an earlier one only in case or in Unicode spelling: those
    are one file on some systems. Earlier is what sorts first; of several Unicode spellings of one
    path, the path's own. Names that `is_leftover` takes for nobody's asset are left out in silence.

    Attributes:
        names: The path of each asset and the name it was found under, sorted by path.
        refused: Why each refused name is, in a fixed order.
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
        """The name that a path was found under, or None if there is no such file.

        Args:
            path: The one spelling of the path.
            shown: How the error names it.

        Raises:
            UnsafePathError: The file is there, but differs from another one in case only.
        """
        name = self.names.get(path)
        if name is None and path in self._twins:
            raise UnsafePathError(self._twins[path], path=shown(path))
        return name

    def _problem(self, path: str, name: str) -> str | None:
        """Why a path, found under a name, cannot stand beside the earlier ones."""
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
        """The earlier path or folder that is the same one on some systems."""
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
    """Whether a name in the path says that this is nobody's asset.

    Hidden files and folders (the bake store's own is one), and what editors, browsers and
    desktops leave behind. Any thread.
    """
    return any(
        name.startswith(".") or name.endswith(_LEFTOVER_ENDS) or name in _LEFTOVER_NAMES
        for name in path.lower().split("/")
    )


def missing(path: str, shown: str) -> MissingAssetError:
    """The error for a file that is not there. Any thread."""
    hint = "paths with a resource handle need a HandleSource" if path.startswith(":") else None
    return MissingAssetError("there is no such file", path=shown, hint=hint)


def _folded(path: str) -> str:
    """What paths have in common that some file system takes for the same."""
    if path.isascii():
        return path.lower()
    # Unicode's "canonical caseless match", definition D145.
    folded = unicodedata.normalize("NFD", path).casefold()
    return unicodedata.normalize("NFC", folded)
