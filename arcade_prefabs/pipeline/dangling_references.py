"""Finds references that a game could not follow at run time, with the location of each.

A prefab does not contain its picture, nor a world its prefabs: they are baked apart and loaded on
demand. So a bake succeeds although one of them is missing. The store knows which files refer to
something that does not exist or is of the wrong kind; only those files are read again, to find the
line and column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from ..errors import (
    AssetError,
    LocatedError,
    MissingPrefabError,
    PrefabError,
    RonError,
)
from ..prefab import ComponentRegistry, default_registry, read_prefabs
from ..prefab.asset_ids import PREFAB_FOLDER, SUFFIX, split_id
from ..prefab.suggestions import did_you_mean, nearest_ids
from .model.processor import ProcessorMatcher
from .processors.world_document import read_world_file
from .sources import AssetSource
from .store.bake_store import BakeStore
from .store.rows import typed
from .store.schema import BAKED, BROKEN, NAMED

__all__ = ["ReferenceChecker", "named"]

# The most errors that are reported.
_MOST_ERRORS: Final = 1000
# The most errors with a hint about similar names; each hint compares the names of all files.
_MOST_HINTS: Final = 20
_OUTPUTS: Final[Mapping[str, str]] = {"texture": "image", "sound": "data"}
_ARTICLES: Final[Mapping[str, str]] = {"image": "an image", "data": "plain bytes"}

# References whose target does not exist, or may be of the wrong kind. The target of a reference to
# a prefab is right if its only output is of the kind "prefab".
_SUSPECTS: Final = """
SELECT DISTINCT a.path, w.word, t.path
FROM needs n JOIN assets t ON t.id=n.target JOIN assets a ON a.id=n.asset
JOIN words w ON w.id=n.kind
WHERE t.state=? OR (t.state=? AND (
    (w.word='prefab' AND EXISTS (
        SELECT 1 FROM outputs o WHERE o.asset=t.id AND (o.kind<>'prefab' OR o.label<>'')))
    OR (w.word IN ('texture', 'sound') AND NOT EXISTS (
        SELECT 1 FROM outputs o WHERE o.asset=t.id
        AND o.kind=CASE w.word WHEN 'texture' THEN 'image' ELSE 'data' END))))
ORDER BY 1, 3
"""
_BROKEN: Final = """
SELECT a.path FROM assets a JOIN recipes r ON r.id=a.recipe
WHERE a.state=? AND a.variant='' AND r.processor IN ('prefab', 'world') ORDER BY 1
"""


def named(store: BakeStore) -> list[str]:
    """Returns the paths that baked files refer to and that are not baked. Any thread."""
    with store.reading() as db:
        rows = db.execute(
            "SELECT path FROM assets WHERE state=? AND variant='' ORDER BY 1", (NAMED,)
        )
        return [typed(row, tuple[str])[0] for row in rows]


class _Wrong(NamedTuple):
    """Why a reference cannot be followed: the class, message and hint of its error."""

    kind: type[PrefabError]
    message: str
    hint: str | None


class ReferenceChecker:
    """Checks the references in the files of a store.

    Args:
        store: The store with the baked files.
        source: The source of the files.
        choose: Returns the processor of a path.
        registry: The components that files may name; None for the ``default_registry``.

    One thread; make a new one after each bake.
    """

    def __init__(
        self,
        store: BakeStore,
        source: AssetSource,
        choose: ProcessorMatcher,
        registry: ComponentRegistry | None = None,
    ) -> None:
        self._store = store
        self._source = source
        self._choose = choose
        self._registry = default_registry if registry is None else registry
        self._judged: dict[tuple[str, str], _Wrong | None] = {}
        self._found: set[tuple[str, str]] = set()
        # Messages of `_refuse` for the present file; the bake has reported its other errors.
        self._refused: dict[str, None] = {}
        self._hints = 0
        self._names: list[str] | None = None
        self._errors: dict[str, LocatedError] = {}

    def dangling(self) -> list[LocatedError]:
        """Returns an error for each reference to something missing or of the wrong kind."""
        with self._store.reading() as db:
            rows = [
                typed(row, tuple[str, str, str])
                for row in db.execute(_SUSPECTS, (NAMED, BAKED)).fetchall()
            ]
            # The store has no dependencies of files that could not be baked.
            broken = db.execute(_BROKEN, (BROKEN,)).fetchall()
        users = {typed(row, tuple[str])[0]: None for row in broken}
        named_by: dict[tuple[str, str], str] = {}
        for user, kind, name in rows:
            # For a library the store does not have the label of the reference.
            if self._is_prefab(name) or self._wrong(kind, name) is not None:
                users[user] = None
                named_by.setdefault((kind, name), user)
        for user in users:
            self._read(user)
        if any(self._is_left(one) for one in named_by):
            # The reference is inherited from an abstract prefab, or is in an included file.
            for path in self._all():
                if path not in users and path.endswith(SUFFIX):
                    self._read(path)
        for (kind, name), user in named_by.items():
            if self._is_left((kind, name)):
                wrong = self._wrong(kind, name)
                assert wrong is not None
                self._add(wrong.kind(wrong.message, path=self._source.shown(user), hint=wrong.hint))
        return list(self._errors.values())

    def hint_for(self, error: LocatedError) -> str | None:
        """Returns a hint with similar prefabs for an error about a missing one, or None."""
        _, found, name = error.message.partition("there is no prefab ")
        if not isinstance(error, MissingPrefabError) or not found:
            return None
        if name.startswith(":"):
            wrong = self._wrong("prefab", name)
            return None if wrong is None else wrong.hint
        if not self._may_hint():
            return None
        others = [one for one in self._prefabs() if self._source.shown(one) != error.path]
        return nearest_ids(name, others)

    # -------------------------------------------------------------------------------- locations

    def _read(self, path: str) -> None:
        """Reads a file again, and adds its errors about references."""
        if len(self._errors) >= _MOST_ERRORS:
            return
        processor = self._choose(path)
        shown = self._source.shown(path)
        self._refused.clear()
        try:
            data = self._source.read(path)
            if processor is not None and processor.name == "prefab":
                file = read_prefabs(
                    data, path, registry=self._registry, path=shown, refuse=self._refuse
                )
            else:
                file = read_world_file(data, path, self._registry, shown, self._refuse).file
        except (RonError, AssetError):
            return  # the bake has reported this error
        for error in file.errors:
            if any(error.message.endswith(message) for message in self._refused):
                self._add(error)

    def _add(self, error: LocatedError) -> None:
        if len(self._errors) < _MOST_ERRORS:
            self._errors.setdefault(str(error), error)

    def _refuse(self, kind: str, name: str) -> PrefabError | None:
        file = split_id(name)[0]
        wrong = self._wrong(kind, name)
        if wrong is None:
            return None
        self._found.add((kind, file))
        self._refused[wrong.message] = None
        return wrong.kind(wrong.message, hint=wrong.hint)

    def _is_left(self, one: tuple[str, str]) -> bool:
        return (
            one not in self._found and self._wrong(*one) is not None and not self._is_library(one)
        )

    def _is_library(self, one: tuple[str, str]) -> bool:
        return one[0] == "prefab" and self._is_prefab(one[1])

    # -------------------------------------------------------------------------------- references

    def _wrong(self, kind: str, name: str) -> _Wrong | None:
        key = (kind, name)
        if key not in self._judged:
            self._judged[key] = self._judge(kind, name)
        return self._judged[key]

    def _is_prefab(self, name: str) -> bool:
        """Returns whether a file is baked to prefabs."""
        return any(kind in ("prefab", "abstract") for _, kind in self._outputs(name))

    def _outputs(self, path: str) -> list[tuple[str, str]]:
        with self._store.reading() as db:
            query = (
                "SELECT o.label, o.kind FROM outputs o JOIN assets a ON a.id=o.asset "
                "WHERE a.path=? AND a.variant='' ORDER BY 1"
            )
            return [typed(row, tuple[str, str]) for row in db.execute(query, (path,))]

    def _judge(self, kind: str, name: str) -> _Wrong | None:
        path, label = split_id(name)
        outputs = dict(self._outputs(path))
        if not outputs:
            return self._judge_file(kind, path)
        if kind == "prefab":
            return self._judge_prefab(name, path, label, outputs)
        wanted = _OUTPUTS.get(kind)
        if wanted is not None and wanted not in outputs.values():
            found = min(outputs.values())
            message = f"{path} is no {kind}: it was baked to {_ARTICLES.get(found, found)}"
            return _Wrong(PrefabError, message, None)
        return None

    def _judge_prefab(
        self, name: str, path: str, label: str | None, outputs: Mapping[str, str]
    ) -> _Wrong | None:
        if (label or "") in outputs:
            if outputs[label or ""] == "abstract":
                message = f"{name} is abstract: it can be extended, but not used itself"
                return _Wrong(PrefabError, message, None)
            return None
        try:
            data = self._source.read(path)
            read_prefabs(data, path, registry=self._registry).prefab(label)
        except RonError:
            return None
        except PrefabError as error:
            return _Wrong(type(error), error.message, error.hint)
        except AssetError as error:
            return _Wrong(PrefabError, error.message, error.hint)
        return None

    def _judge_file(self, kind: str, path: str) -> _Wrong | None:
        missing = MissingPrefabError if kind == "prefab" else PrefabError
        try:
            found = self._source.stat(path)
            if found is not None:
                return None if self._choose(path) is not None else _unsupported(kind, path)
            self._source.read(path)
        except AssetError as error:
            if error.message != "there is no such file":
                hint = error.hint
                if path.startswith(":") and "handle" in error.message:
                    own = "name the folder of a handle of your game: `--handle NAME=FOLDER`"
                    hint = f"{hint}{'' if hint.endswith('?') else ';'} or {own}" if hint else own
                return _Wrong(missing, error.message, hint)
        hint = self._near(kind, path)
        return _Wrong(missing, f"there is no {kind} {path}", hint)

    def _near(self, kind: str, path: str) -> str | None:
        if path.startswith(":") or not self._may_hint():
            return None
        if kind == "prefab":
            return nearest_ids(path, self._prefabs())
        suffix = PurePosixPath(path).suffix.lower()
        same = [one for one in self._all() if PurePosixPath(one).suffix.lower() == suffix]
        twin = next((one for one in same if one.casefold() == path.casefold()), None)
        if twin is not None:
            return f"the file is named `{twin}`: capitals count, as they do on Linux"
        return did_you_mean(path, same) if same else None

    def _may_hint(self) -> bool:
        self._hints += 1
        return self._hints <= _MOST_HINTS

    def _prefabs(self) -> Iterator[str]:
        return (one for one in self._all() if one.startswith(PREFAB_FOLDER + "/"))

    def _all(self) -> list[str]:
        if self._names is None:
            self._names = [file.path for file in self._source.scan()]
        return self._names


def _unsupported(kind: str, path: str) -> _Wrong:
    suffix = PurePosixPath(path).suffix
    files = f"files with the suffix `{suffix}`" if suffix else "files without a suffix"
    hint = {
        "texture": "save it as PNG, JPEG, GIF, WebP, BMP or TGA",
        "sound": "save it as WAV, OGG, MP3, FLAC, Opus, AAC or M4A",
    }.get(kind)
    return _Wrong(PrefabError, f"{path} cannot be loaded as a {kind}: nothing bakes {files}", hint)
