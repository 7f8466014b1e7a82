"""Checks folders of assets: each file, and each reference in it.

The files are baked into a temporary store, by the same processors as for a game. So the check
passes exactly what a bake passes; separate rules would differ from the bake's sooner or later.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..errors import AssetError, LocatedError, RonError, UnsafePathError, shown
from ..prefab import ComponentRegistry, read_prefabs
from ..prefab.asset_ids import PREFAB_FOLDER, SUFFIX
from ..prefab.document import OLD_WORDS
from ..ron import Ident, Struct, TupleStruct, loads
from .asset_pipeline import AssetPipeline
from .model.processor import Processor
from .sources import (
    AssetSource,
    DirectorySource,
    HandleSource,
    SourceFile,
    arcade_handles,
    checked_path,
)
from .store.locations import is_possible

__all__ = ["CheckReport", "check_tree", "check_trees"]

_WORLD_FOLDER: Final = "worlds"
_OLD_WORD: Final = re.compile(rb"\b(?:" + "|".join(OLD_WORDS).encode() + rb")\s*:")


@dataclass(slots=True)
class CheckReport:
    """The result of a check.

    Attributes:
        files: How many files were checked: all that a processor takes, and all RON files.
        prefabs: How many prefabs these files contain; broken ones count if they can be counted.
        errors: All errors, by file and line, without duplicates.
        old_words: How many fields of each file have an old word, ``at`` or ``rotation``, which
            works as well as the new one; by the name of the file.
    """

    files: int = 0
    prefabs: int = 0
    errors: list[LocatedError] = field(default_factory=list)
    old_words: dict[str, int] = field(default_factory=dict)


Handles = Mapping[str, Sequence[str | os.PathLike[str]]]


def check_tree(
    path: str | os.PathLike[str],
    *,
    registry: ComponentRegistry | None = None,
    handles: Handles | None = None,
    processors: Iterable[Processor] = (),
) -> CheckReport:
    """Checks a file, or all files below a folder, as a bake does.

    Prefabs, worlds, pictures, JSON and all other files that processors take are checked completely,
    with everything that they extend, contain, include and refer to; other RON files for their
    syntax. Nothing is written but a store in a temporary folder.

    Args:
        path: The file or folder. References are followed in the whole assets folder: the one that
            contains ``prefabs``, or else ``worlds``. A folder outside of any assets folder is taken
            for a folder of prefabs.
        registry: The components that files may name; None for the ``default_registry``.
        handles: Folders of Arcade resource handles, such as ``{"game": ["assets"]}``, in the order
            in which they are searched. Arcade's own handles are added. Paths with other handles are
            errors.
        processors: Processors of the game; for files that a built-in one takes, too, they come
            first.

    Raises:
        FileNotFoundError: The file or folder does not exist.

    Any thread.
    """
    start = Path(path)
    if not is_possible(start) or not start.exists():
        raise FileNotFoundError(f"there is no file or folder {start}")
    given: dict[str, list[str | os.PathLike[str]]] = {
        name: list(folders) for name, folders in arcade_handles().items()
    }
    for name, folders in (handles or {}).items():
        given[name] = [*folders, *given.get(name, [])]
    own = list(processors)
    report = CheckReport()
    seen: dict[str, LocatedError] = {}
    # `check .` in a folder above several games checks each assets folder by itself.
    roots = _assets_below(start)
    if not roots:
        _Checker(_Tree(start), registry, given, own).run(report, seen)
    for root in roots:
        _Checker(_Tree(root), registry, given, own).run(report, seen)
    if roots:
        _check_strays(start, roots, registry, report, seen)
    report.errors = sorted(seen.values(), key=_location)
    return report


def _location(error: LocatedError) -> tuple[str, int, int]:
    return error.path or "", error.line or 0, error.column or 0


class _Tree:
    """The assets folder of a path, and which of its files are to be checked."""

    def __init__(self, start: Path) -> None:
        # Absolute and without `..`, so that paths can be compared.
        self.start = _absolute(start)
        folder = _assets_folder(self.start)
        self.is_bare = folder is None
        self.root = folder or (self.start if self.start.is_dir() else self.start.parent)
        self.is_whole = self.start in (self.root, *self.root.parents)
        # Errors show relative paths if the user gave a relative path.
        self.given = self.root if start.is_absolute() else Path(os.path.relpath(self.root))

    def source(self, handles: Handles) -> AssetSource:
        base: AssetSource = DirectorySource(self.given)
        if self.is_bare:
            base = _Bare(base)
        return HandleSource(base, handles)

    def holds(self, path: str) -> bool:
        """Returns whether a path is to be checked."""
        if self.is_whole:
            return True
        asked = self.start.relative_to(self.root).as_posix()
        if self.is_bare:
            path = path.removeprefix(PREFAB_FOLDER + "/")
        return path == _one_spelling(asked) or path.startswith(asked + "/")


def _one_spelling(path: str) -> str:
    try:
        return checked_path(path)
    except UnsafePathError:
        return path


class _Bare:
    """Makes a folder of prefabs look like the folder ``prefabs`` of a game: `a.ron` is a prefab."""

    def __init__(self, base: AssetSource) -> None:
        self._base = base

    @property
    def portable(self) -> bool:
        return False

    def scan(self) -> Iterator[SourceFile]:
        files = [
            file._replace(path=f"{PREFAB_FOLDER}/{file.path}")
            if file.path.endswith(SUFFIX) and self._is_prefab(file.path)
            else file
            for file in self._base.scan()
        ]
        return iter(sorted(files))

    def _is_prefab(self, path: str) -> bool:
        try:
            return _is_prefab(loads(self._base.read(path)))
        except (AssetError, RonError):
            return True  # so that its error is reported

    def refused(self) -> list[UnsafePathError]:
        return self._base.refused()

    def stat(self, path: str) -> SourceFile | None:
        found = self._base.stat(_bared(path))
        return None if found is None else found._replace(path=path)

    def read(self, path: str) -> bytes:
        return self._base.read(_bared(path))

    def shown(self, path: str) -> str:
        return self._base.shown(_bared(path))

    def folders(self) -> list[tuple[Path, str]]:
        return self._base.folders()

    def close(self) -> None:
        self._base.close()


def _bared(path: str) -> str:
    return path.removeprefix(PREFAB_FOLDER + "/")


def _assets_folder(start: Path) -> Path | None:
    """Returns the assets folder that contains a path, or that the path is, or None."""
    folder = start if start.is_dir() else start.parent
    for candidate in (folder, *folder.parents):
        if candidate.name == PREFAB_FOLDER:
            return candidate.parent
        if (candidate / PREFAB_FOLDER).is_dir():
            return candidate
    for candidate in (folder, *folder.parents):
        if candidate.name == _WORLD_FOLDER:
            return candidate.parent
    return folder if (folder / _WORLD_FOLDER).is_dir() else None


def _absolute(path: Path) -> Path:
    # `.resolve()` would follow links, but errors show names as the user wrote them.
    return Path(os.path.abspath(path))  # noqa: PTH100  # Path.absolute keeps `..`


def _assets_below(start: Path) -> list[Path]:
    """Returns the assets folders below a folder that is in none itself, in a fixed order."""
    whole = _absolute(start)
    if not start.is_dir() or _assets_folder(whole) is not None:
        return []
    found: list[Path] = []
    for folder, folders, _ in os.walk(start):
        if PREFAB_FOLDER in folders:
            found.append(Path(folder))
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))
    return found


class _Checker:
    def __init__(
        self,
        tree: _Tree,
        registry: ComponentRegistry | None,
        handles: Handles,
        processors: Sequence[Processor],
    ) -> None:
        self._tree = tree
        self._registry = registry
        self._handles = handles
        self._processors = processors

    def run(self, report: CheckReport, seen: dict[str, LocatedError]) -> None:
        source = self._tree.source(self._handles)
        with (
            tempfile.TemporaryDirectory(prefix="arcade_prefabs-", ignore_cleanup_errors=True) as at,
            AssetPipeline(
                source,
                processors=self._processors,
                registry=self._registry,
                store=Path(at, "check.sqlite"),
                jobs=0,
            ) as pipeline,
        ):
            self._bake(pipeline, source, report, seen)

    def _bake(
        self,
        pipeline: AssetPipeline,
        source: AssetSource,
        report: CheckReport,
        seen: dict[str, LocatedError],
    ) -> None:
        asked = [
            file.path
            for file in source.scan()
            if self._tree.holds(file.path)
            and (pipeline.takes(file.path) or file.path.endswith(SUFFIX))
        ]
        start = str(self._tree.start)
        refused = [
            error
            for error in source.refused()
            if self._tree.is_whole or _is_below(error.path, start)
        ]
        report.files += len(asked) + len(refused)
        if self._tree.is_whole:
            found = pipeline.bake().errors
        else:
            # References are followed: each round bakes the files that those of the last one need.
            paths, done = asked, set(asked)
            found = []
            while paths:
                found = pipeline.bake(paths).errors
                paths = [path for path in pipeline.unbaked() if path not in done]
                done.update(paths)
            found += refused
        for error in [*found, *pipeline.dangling()]:
            seen.setdefault(str(error), error)
        broken = {error.path for error in found}
        baked = Counter(
            one.partition("#")[0] for kind in ("prefab", "abstract") for one in pipeline.ids(kind)
        )
        for path in asked:
            old_words = _old_words(path, source)
            if old_words:
                report.old_words[source.shown(path)] = old_words
            if not pipeline.takes(path):
                _note(path, source, self._registry, report, seen)
            elif baked[path] and source.shown(path) not in broken:
                report.prefabs += baked[path]
            elif path.startswith(PREFAB_FOLDER + "/") and path.endswith(SUFFIX):
                # The store does not have the number of prefabs in a file that could not be baked.
                report.prefabs += _judge(path, source, self._registry)[0]


def _old_words(path: str, source: AssetSource) -> int:
    """How many fields of a file's children and entities have an old word."""
    if not path.endswith(SUFFIX):
        return 0
    try:
        data = source.read(path)
        if _OLD_WORD.search(data) is None:  # most files need not be read once more
            return 0
        value = loads(data)
    except (AssetError, RonError):  # it is told elsewhere
        return 0
    documents = [value] if isinstance(value, Struct) else []
    if documents and documents[0]._name == "Library":
        documents = [one for _, one in documents[0]._items() if isinstance(one, Struct)]
    count = 0
    for document in documents:
        for name, items in document._items():
            if name in ("children", "entities") and isinstance(items, list):
                entries = (one for one in items if isinstance(one, Struct))
                count += sum(word in OLD_WORDS for one in entries for word, _ in one._items())
    return count


def _is_below(path: str | None, start: str) -> bool:
    return path is not None and str(_absolute(Path(path))).startswith(start)


def _judge(
    path: str, source: AssetSource, registry: ComponentRegistry | None
) -> tuple[int, Iterable[LocatedError]]:
    """Returns the number of prefabs in a RON file and its errors, without following references."""
    name = source.shown(path)
    try:
        data = source.read(path)
        if not _is_prefab(loads(data, path=name)):
            return 0, []
        file = read_prefabs(data, path, registry=registry, path=name)
    except (AssetError, RonError) as error:
        return 0, [error]
    return len(file.prefabs), file.errors


def _note(
    path: str,
    source: AssetSource,
    registry: ComponentRegistry | None,
    report: CheckReport,
    seen: dict[str, LocatedError],
) -> None:
    """Adds the prefabs and errors of a RON file that no processor takes to a report."""
    prefabs, found = _judge(path, source, registry)
    report.prefabs += prefabs
    for error in found:
        seen.setdefault(str(error), error)


def _is_prefab(value: object) -> bool:
    """Returns whether a RON value is a prefab, or a library of prefabs."""
    match value:
        case Struct():
            return value._name in ("Prefab", "Library")
        case TupleStruct() | Ident():
            return value.name in ("Prefab", "Library")
    return False


def _check_strays(
    start: Path,
    roots: Sequence[Path],
    registry: ComponentRegistry | None,
    report: CheckReport,
    seen: dict[str, LocatedError],
) -> None:
    """Checks the RON files beside the assets folders of several games."""
    without = {_absolute(folder) for folder in roots}
    for folder, folders, files in os.walk(start):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and _absolute(Path(folder, name)) not in without
        )
        if not any(name.lower().endswith(SUFFIX) for name in files):
            continue
        source = DirectorySource(folder)
        for name in sorted(name for name in files if name.lower().endswith(SUFFIX)):
            report.files += 1
            try:
                _note(checked_path(name), source, registry, report, seen)
            except UnsafePathError as error:
                error.path = shown(str(Path(folder, name)), None)
                seen.setdefault(str(error), error)


def check_trees(
    paths: Iterable[str | os.PathLike[str]],
    *,
    registry: ComponentRegistry | None = None,
    handles: Handles | None = None,
    processors: Iterable[Processor] = (),
) -> CheckReport:
    """Checks several files or folders as `check_tree` does; one report, each error once."""
    total = CheckReport()
    seen: dict[str, LocatedError] = {}
    own = list(processors)
    for path in paths:
        report = check_tree(path, registry=registry, handles=handles, processors=own)
        total.files += report.files
        total.prefabs += report.prefabs
        total.old_words |= report.old_words
        for error in report.errors:
            seen.setdefault(str(error), error)
    total.errors = list(seen.values())
    return total
