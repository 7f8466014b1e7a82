"""Checks whole trees of prefab files: every file, every reference, every asset that they name."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..errors import LocatedError, MissingPrefabError, PrefabError, RonError
from ..ron import Ident, Struct, TupleStruct, loads
from .document import PrefabFile, Reference
from .ids import PREFAB_FOLDER, SUFFIX, prefab_id, split_id
from .reader import read_prefabs
from .registry import ComponentRegistry
from .resolve import Resolver
from .suggest import nearest_prefabs

__all__ = ["CheckReport", "check_tree", "check_trees"]

LARGEST_FILE: Final = 64 * 1024 * 1024
"""Bytes; a larger file is an error. Reading takes up to 25 times a file's size."""


@dataclass(slots=True)
class CheckReport:
    """What a check found.

    Attributes:
        files: How many RON files were looked at.
        prefabs: How many prefabs they hold.
        errors: What is wrong, file by file; the same mistake is named once.
    """

    files: int = 0
    prefabs: int = 0
    errors: list[LocatedError] = field(default_factory=list)


def check_tree(
    path: str | os.PathLike[str],
    *,
    registry: ComponentRegistry | None = None,
    handles: Mapping[str, Sequence[str | os.PathLike[str]]] | None = None,
) -> CheckReport:
    """Check a RON file, or every RON file below a folder.

    Prefabs (files below a folder ``prefabs``, and others that begin with ``Prefab`` or ``Library``)
    are checked whole, with all that they extend and contain; other RON files for their syntax.

    Args:
        path: The file or folder. References are followed in the whole assets folder, which is the
            one that holds ``prefabs``; a folder without one is taken for the prefabs themselves.
        registry: The components that files may name; the ``default_registry`` if none is given.
        handles: Folders of Arcade resource handles, such as ``{"game": ["assets"]}``; the first one
            that has the file counts. Paths with other handles are checked for their form only.

    Raises:
        FileNotFoundError: There is no such file or folder.

    Any thread.
    """
    start = Path(path)
    if not start.exists():
        raise FileNotFoundError(f"there is no file or folder {start}")
    # Above a whole game `check .` is a matter of course: each assets folder is a tree of its own.
    report = CheckReport()
    roots = _assets_below(start)
    trees = [_Tree(root, handles or {}) for root in roots]
    for tree in [*trees, _Tree(start, handles or {}, without=roots)]:
        found = _Checker(tree, registry).run()
        report.files += found.files
        report.prefabs += found.prefabs
        report.errors += found.errors
    return report


class _Tree:
    """Where files are: ids to paths and back."""

    def __init__(
        self,
        start: Path,
        handles: Mapping[str, Sequence[str | os.PathLike[str]]],
        without: Sequence[Path] = (),
    ) -> None:
        self._given = start
        # Relative paths and `..` would hide that one path is inside another.
        self.start = _absolute(start)
        self._without = {_absolute(folder) for folder in without}
        self.prefabs = _prefab_folder(self.start)
        self.assets = self.prefabs.parent if self.prefabs.name == PREFAB_FOLDER else self.prefabs
        self._ids: list[str] | None = None
        self._handles = {name: [Path(folder) for folder in handles[name]] for name in handles}

    def files(self) -> Iterator[Path]:
        """The RON files to check, in a fixed order; links to folders are not followed."""
        if self.start.is_file():
            yield self.start
            return
        for folder, folders, files in os.walk(self.start):
            folders[:] = sorted(
                name
                for name in folders
                if not name.startswith(".") and Path(folder, name) not in self._without
            )
            names = (name for name in sorted(files) if name.lower().endswith(SUFFIX))
            yield from (Path(folder, name) for name in names)

    def shown(self, path: Path) -> str:
        """How errors name a file: from where the user stands, if the user did so, too."""
        if path.is_relative_to(self.start):
            return str(self._given / path.relative_to(self.start))
        return str(path) if self._given.is_absolute() else os.path.relpath(path)

    def ids(self) -> list[str]:
        """The ids of all prefab files of the assets folder, for hints."""
        if self._ids is None:
            found = [path.relative_to(self.prefabs) for path in self.prefabs.rglob("*" + SUFFIX)]
            self._ids = [f"{PREFAB_FOLDER}/{path.as_posix()}" for path in found]
        return self._ids

    def holds_prefabs(self, path: Path) -> bool:
        """Whether a file stands in the folder for prefabs, and so must hold some."""
        return self.prefabs.name == PREFAB_FOLDER and path.is_relative_to(self.prefabs)

    def id_of(self, path: Path) -> str:
        """The id of a file; ValueError if no prefab may have it."""
        inside = path.is_relative_to(self.prefabs)
        relative = path.relative_to(self.prefabs if inside else self.assets)
        return prefab_id(f"{PREFAB_FOLDER}/{relative.as_posix()}")

    def path_of(self, identifier: str) -> Path | None:
        """Where an id's file would stand; None behind a handle that is not known here."""
        if identifier.startswith(":"):
            return self.asset(identifier)
        return self.prefabs / identifier.removeprefix(PREFAB_FOLDER + "/")

    def asset(self, path: str) -> Path | None:
        """Where an asset would stand; None behind a handle that is not known here."""
        if not path.startswith(":"):
            return self.assets / path
        handle, _, rest = path[1:].partition(":")
        places = [folder / rest for folder in self._handles.get(handle, ())]
        return next((place for place in places if place.is_file()), *places[:1]) if places else None

    def confined(self, path: Path) -> bool:
        """Whether a path, links followed, is inside the folders that belong to the game."""
        try:
            real = path.resolve()
        except RuntimeError:  # a link to itself, before Python 3.13; reading it will say so
            return True
        folders = [self.assets, *itertools.chain.from_iterable(self._handles.values())]
        return any(real.is_relative_to(folder.resolve()) for folder in folders)

    def asset_exists(self, asset: str) -> bool:
        path = self.asset(asset)
        return path is None or (path.is_file() and self.confined(path))


def _prefab_folder(start: Path) -> Path:
    folder = start if start.is_dir() else start.parent
    for candidate in (folder, *folder.parents):
        if candidate.name == PREFAB_FOLDER:
            return candidate
        if (candidate / PREFAB_FOLDER).is_dir():
            return candidate / PREFAB_FOLDER
    return folder


def _absolute(path: Path) -> Path:
    # `.resolve()` would follow links; the names as the user wrote them are what errors show.
    return Path(os.path.abspath(path))  # noqa: PTH100  # Path.absolute keeps `..`


def _assets_below(start: Path) -> list[Path]:
    """The assets folders inside of a folder that belongs to none itself, in a fixed order."""
    whole = _absolute(start)
    if not start.is_dir() or whole.name == PREFAB_FOLDER or _prefab_folder(whole) != whole:
        return []
    found: list[Path] = []
    for folder, folders, _ in os.walk(start):
        if PREFAB_FOLDER in folders:
            found.append(Path(folder))
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))
    return found


class _Checker:
    def __init__(self, tree: _Tree, registry: ComponentRegistry | None) -> None:
        self._tree = tree
        self._registry = registry
        self._files: dict[str, PrefabFile | LocatedError] = {}
        self._report = CheckReport()
        self._seen: dict[str, None] = {}

    def run(self) -> CheckReport:
        checked: list[PrefabFile] = []
        by_folded: dict[str, tuple[str, str]] = {}
        for path in self._tree.files():
            self._report.files += 1
            file = self._file(path)
            if file is None:
                continue
            checked.append(file)
            twin, twin_path = by_folded.setdefault(file.id.casefold(), (file.id, file.path))
            if twin != file.id:
                message = f"the name differs from {twin} in case only: one file on some systems"
                self._add(PrefabError(message, path=file.path))
            elif twin_path != file.path:
                message = f"the name differs from {twin_path} in its spelling only: both are {twin}"
                self._add(PrefabError(message, path=file.path))
        resolver = Resolver(self._load, registry=self._registry, known_ids=self._tree.ids)
        for file in checked:
            self._report.prefabs += len(file.prefabs)
            for error in file.errors:
                self._add(error)
            for link in file.links:
                self._check_link(file, link)
            for document in file.prefabs.values():
                if not file.errors:
                    for problem in resolver.problems(document.id):
                        self._add(problem)
        return self._report

    def _add(self, error: LocatedError) -> None:
        """Note an error, once: a broken parent is met again in every heir."""
        text = str(error)
        if text not in self._seen:
            self._seen[text] = None
            self._report.errors.append(error)

    def _file(self, path: Path) -> PrefabFile | None:
        """The prefab file at a path; None if it is none or cannot be read, which is then noted."""
        try:
            data = self._read(path)
            if not self._tree.holds_prefabs(path) and not _is_prefab(
                loads(data, path=self._tree.shown(path))
            ):
                return None
            try:
                identifier = self._tree.id_of(path)
            except ValueError as error:
                message = f"not a usable file name: {error}"
                raise PrefabError(message, path=self._tree.shown(path)) from None
            file = self._parse(data, identifier, path)
        except (RonError, PrefabError) as error:
            self._add(error)
            return None
        self._files[identifier] = file
        return file

    def _parse(self, data: bytes, identifier: str, path: Path) -> PrefabFile:
        exists = self._tree.asset_exists
        return read_prefabs(
            data,
            identifier,
            registry=self._registry,
            path=self._tree.shown(path),
            asset_exists=exists,
        )

    def _read(self, path: Path) -> bytes:
        shown = self._tree.shown(path)
        if not self._tree.confined(path):
            raise PrefabError("the file is a link out of the assets folder", path=shown)
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):  # reading from a pipe would wait for ever
                raise PrefabError("this is no file with data in it", path=shown)
            if found.st_size > LARGEST_FILE:
                message = f"the file has {found.st_size:,} bytes, over {LARGEST_FILE // 2**20} MB"
                raise PrefabError(message, path=shown)
            return path.read_bytes()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise PrefabError(f"the file cannot be read: {reason}", path=shown) from error

    def _load(self, identifier: str) -> PrefabFile:
        """The file of an id, for the resolver; read once, whatever came of it."""
        known = self._files.get(identifier)
        if known is None:
            try:
                known = self._load_new(identifier)
            except (RonError, PrefabError) as error:
                known = error
            self._files[identifier] = known
        if isinstance(known, PrefabFile):
            return known
        raise known

    def _load_new(self, identifier: str) -> PrefabFile:
        path = self._tree.path_of(identifier)
        if path is None:
            hint = "name its folder: --handle NAME=FOLDER"
            raise MissingPrefabError(f"the handle of {identifier} is not known here", hint=hint)
        if not path.is_file():
            raise MissingPrefabError(f"there is no prefab {identifier}")
        try:
            data = self._read(path)
        except PrefabError as error:  # without a place of its own, it is shown where it is named
            raise PrefabError(f"{identifier}: {error.message}", hint=error.hint) from error
        return self._parse(data, identifier, path)

    def _check_link(self, file: PrefabFile, link: Reference) -> None:
        """A prefab that a component names must exist; whether it is sound is its own matter."""
        file_id, label = split_id(link.id)
        if self._tree.path_of(file_id) is None:
            return
        try:
            target = self._load(file_id)
            if not target.errors:
                target.prefab(label)
        except RonError:
            return  # noted where it stands
        except PrefabError as error:
            hint = error.hint
            if isinstance(error, MissingPrefabError) and hint is None:
                hint = nearest_prefabs(file_id, self._tree.ids())
            self._add(file.error(link.at, error.message, hint=hint, kind=type(error)))


def _is_prefab(value: object) -> bool:
    match value:
        case Struct():
            return value._name in ("Prefab", "Library")
        case TupleStruct() | Ident():
            return value.name in ("Prefab", "Library")
    return False


def check_trees(
    paths: Iterable[str | os.PathLike[str]],
    *,
    registry: ComponentRegistry | None = None,
    handles: Mapping[str, Sequence[str | os.PathLike[str]]] | None = None,
) -> CheckReport:
    """Check several files or folders; one report for all, each mistake once. See `check_tree`."""
    total = CheckReport()
    seen: set[str] = set()
    for path in paths:
        report = check_tree(path, registry=registry, handles=handles)
        total.files += report.files
        total.prefabs += report.prefabs
        for error in report.errors:
            if str(error) not in seen:
                seen.add(str(error))
                total.errors.append(error)
    return total
