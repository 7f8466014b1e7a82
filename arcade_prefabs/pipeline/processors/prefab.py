"""Prefab files: RON text to resolved prefabs in pages."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from ...errors import (
    AssetError,
    LocatedError,
    MissingAssetError,
    MissingPrefabError,
    PrefabError,
    RonError,
)
from ...prefab import (
    ComponentRegistry,
    Prefab,
    PrefabDocument,
    PrefabFile,
    RegistryDescription,
    Resolver,
    default_registry,
    read_prefabs,
)
from ...prefab.asset_ids import file_of
from ...prefab.resolve import DEEPEST
from ..model.processor import UNREADABLE, Output, ProcessContext, digest, output_digest
from .prefab_pages import encode_prefab

__all__ = ["PrefabProcessor"]

# Parsed files that heirs keep asking for, in each worker: parents, mostly. A parsed file takes
# about six times the size of its text.
_KEPT_FILES: Final = 512
_KEPT_BYTES: Final = 4 * 1024 * 1024

# A larger output is made again for whoever asks: a batch of them would not fit into memory.
_KEPT_OUTPUT: Final = 256 * 1024

# Of a file that failed: how many files it is followed to, and how many of their errors it tells.
_MOST_FOLLOWED: Final = 128
_MOST_FOREIGN: Final = 8
# How many of the references of another file are looked at for that.
_MOST_NAMED: Final = 3 * _MOST_FOLLOWED

_ALL: Final = "components:*"


class PrefabProcessor:
    """Reads and checks prefab files, works out what they inherit, and cuts them into pages.

    A prefab is baked again when its own file changes, when the *baked* form of a prefab that it
    extends or contains does, or when a component that one of their files names accepts something
    else. One that failed is baked again when any file changes that it was looking at.

    Args:
        registry: The components that files may name; the ``default_registry`` if none is given.

    Worker processes get a description of the registry, never the game's classes.
    """

    name = "prefab"
    version = 2
    patterns = ("prefabs/*.ron", ":*.ron")
    settings: Mapping[str, Any] = {}

    def __init__(self, registry: ComponentRegistry | None = None) -> None:
        self._registry = default_registry if registry is None else registry
        self._cache = _FileCache()

    def __getstate__(self) -> dict[str, Any]:
        return {"description": self._registry.describe()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(ComponentRegistry.described(state["description"]))  # type: ignore[misc]

    def ambient(self, name: str) -> bytes | None:
        """The hash of the components that an input of the kind ``ambient`` names."""
        if not name.startswith("components:"):
            return None
        return _fingerprint(self._registry.describe(), name)

    def process(self, context: ProcessContext) -> Iterator[Output]:
        """The prefabs of a file; a mistake in one of a library's leaves the others alone."""
        batch = context.shared.get(PrefabProcessor)
        if batch is None:
            batch = context.shared[PrefabProcessor] = _Batch(self._registry, self._cache, context)
        try:
            file = batch.own_file(context)
        except (RonError, PrefabError):
            context.depends("ambient", _ALL, batch.fingerprint(_ALL))
            raise
        if file.errors:
            for error in file.errors:
                context.fail(error)
            context.depends("ambient", _ALL, batch.fingerprint(_ALL))
            return
        failed: dict[str, list[LocatedError]] = {}
        for label, document in file.prefabs.items():
            try:
                output = batch.output(document)
            except (RonError, PrefabError, AssetError):
                failed[label or ""] = batch.problems(document.id)
            else:
                yield output
                if output.kind == "prefab":
                    for path, settings in _variants(batch.resolver.resolve(document.id)):
                        context.bake_request(path, settings)
        followed = batch.note_inputs(context, file, failed=bool(failed))
        for label, problems in failed.items():
            for problem in _own_or_followed(problems, file, followed):
                context.fail(problem, label=label)


class _FileCache:
    """Parsed files by id and content, the ones used last."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[bytes, int, PrefabFile]] = OrderedDict()
        self._bytes = 0

    def get(self, identifier: str, content: bytes) -> PrefabFile | None:
        known = self._files.get(identifier)
        if known is None or known[0] != content:
            return None
        self._files.move_to_end(identifier)
        return known[2]

    def put(self, identifier: str, content: bytes, size: int, file: PrefabFile) -> None:
        old = self._files.pop(identifier, None)
        if old is not None:
            self._bytes -= old[1]
        self._files[identifier] = (content, size, file)
        self._bytes += size
        while len(self._files) > _KEPT_FILES or self._bytes > _KEPT_BYTES:
            self._bytes -= self._files.popitem(last=False)[1][1]


class _Named(NamedTuple):
    """Full ids that a file names: of prefabs without a baked form, and of those with one."""

    broken: list[str]
    sound: list[str]


class _Batch:
    """What the prefab files of one batch share: every file is read and worked out once."""

    def __init__(
        self, registry: ComponentRegistry, cache: _FileCache, context: ProcessContext
    ) -> None:
        self._registry = registry
        self._description: RegistryDescription = registry.describe()
        self._cache = cache
        self._peek = context.peek
        self._shown = context.shown_name
        self._files: dict[str, PrefabFile | LocatedError] = {}
        self._content: dict[str, bytes | None] = {}
        self._outputs: dict[str, Output] = {}
        self._interfaces: dict[str, bytes | None] = {}
        self._fingerprints: dict[str, bytes] = {}
        self._named: dict[str, set[str]] = {}
        self._references: dict[tuple[str, int | None], _Named] = {}
        self._own: list[PrefabFile] = []
        self.resolver = Resolver(self._load, registry=registry)

    def close(self) -> None:
        """Let go of the files that only this batch has."""
        # A file and its prefabs hold each other, and the resolver holds this batch: circles that
        # only the garbage collector would find.
        for file in self._own:
            file.prefabs = {}
        del self.resolver

    # ------------------------------------------------------------------------------------- files

    def own_file(self, context: ProcessContext) -> PrefabFile:
        """The file of a job; as another job of the batch saw it, if one did."""
        if context.path not in self._files:
            self._content[context.path] = digest(context.data)
            try:
                file = self._parse(context.path, context.data)
            except RonError as error:
                self._files[context.path] = error
                raise
            self._files[context.path] = file
            self._own.append(file)
        return self._load(context.path)

    def _load(self, identifier: str) -> PrefabFile:
        known = self._files.get(identifier)
        if known is None:
            try:
                known = self._read(identifier)
            except MissingAssetError:
                self._content[identifier] = None
                known = MissingPrefabError(f"there is no prefab {identifier}")
            except (RonError, AssetError) as error:
                known = error
            self._files[identifier] = known
        if isinstance(known, PrefabFile):
            return known
        if isinstance(known, MissingPrefabError):
            # The resolver puts the place where it is named into a new one, but adds a hint to this.
            raise MissingPrefabError(known.message)
        raise known

    def _read(self, identifier: str) -> PrefabFile:
        self._content[identifier] = UNREADABLE
        data = self._peek(identifier)
        content = self._content[identifier] = digest(data)
        file = self._cache.get(identifier, content)
        if file is None:
            file = self._parse(identifier, data)
            self._cache.put(identifier, content, len(data), file)
        return file

    def _parse(self, identifier: str, data: bytes) -> PrefabFile:
        return read_prefabs(data, identifier, registry=self._registry, path=self._shown(identifier))

    # ----------------------------------------------------------------------------------- outputs

    def output(self, document: PrefabDocument) -> Output:
        """What a prefab is baked to; an abstract one to a hash of what its heirs take from it."""
        known = self._outputs.get(document.id)
        if known is None:
            label = document.id.partition("#")[2]
            if document.abstract:
                known = Output(label, "abstract", (self._outline(document),))
            else:
                prefab = self.resolver.resolve(document.id)
                identity = b""
                if prefab.children:
                    identity = orjson.dumps(self.resolver.provenance(document.id))
                known = Output(label, "prefab", encode_prefab(prefab), prefab.needs, identity)
            if sum(map(len, known.pages)) <= _KEPT_OUTPUT:
                self._outputs[document.id] = known
        return known

    def _outline(self, document: PrefabDocument) -> bytes:
        outline = self.resolver.outline(document.id)
        parts = [self._interface(part) or b"" for part in outline.parts]
        data = orjson.dumps(outline.data, option=orjson.OPT_NON_STR_KEYS)
        return digest(data, *parts)

    def _interface(self, identifier: str) -> bytes | None:
        """The hash of what a prefab is baked to; None if it cannot be baked by itself."""
        if identifier not in self._interfaces:
            try:
                output = self.output(self.resolver.document(identifier))
                self._interfaces[identifier] = output_digest(output)
            except (RonError, PrefabError, AssetError):
                self._interfaces[identifier] = None
        return self._interfaces[identifier]

    def problems(self, identifier: str) -> list[LocatedError]:
        """Everything that keeps a prefab from being baked."""
        found = self.resolver.problems(identifier)
        if not found:  # it is sound, but does not fit its pages
            try:
                self.output(self.resolver.document(identifier))
            except LocatedError as error:
                found = [error]
        return found

    # ------------------------------------------------------------------------------------ inputs

    def note_inputs(
        self, context: ProcessContext, file: PrefabFile, *, failed: bool
    ) -> set[str | None]:
        """Note what a file was made from; gives the paths of what it failed for, as errors have it.

        That is the baked form of what it names, or, if it failed, the text of what it reaches.
        """
        if not failed:
            named = self._named_by(file.id)
            if not named.broken:  # or its heir filled what it lacks: no baked form to go by
                for reference in named.sound:
                    context.depends("output", reference, self._interface(reference))
                names: set[str] = set()
                for identifier in self._reach(file):
                    if identifier not in self._named:
                        self._named[identifier] = self._names(identifier)
                    names |= self._named[identifier]
                name = "components:" + ",".join(sorted(names))
                context.depends("ambient", name, self.fingerprint(name))
                return set()
        context.inputs.clear()
        context.depends("ambient", _ALL, self.fingerprint(_ALL))
        reached = self._reach(file, _MOST_FOLLOWED if failed else None)
        if failed and len(reached) > _MOST_FOLLOWED:
            return self._note_followed(context, file)
        for identifier in reached:
            if identifier != file.id:
                context.depends("file", identifier, self._content.get(identifier))
        return {self._shown(identifier) for identifier in reached}

    def _note_followed(self, context: ProcessContext, file: PrefabFile) -> set[str | None]:
        """Note, of more files than can be noted for each heir, those on ways to what is broken.

        A file goes on failing until one on the ways to the errors that it tells changes.
        """
        followed = {file.id: None}
        # Deep before wide: the first way is followed to its end. Whoever gets farther than the
        # longest chain has failed for that.
        ways = [iter(self._named_by(file.id).broken)]
        while ways and len(followed) <= _MOST_FOLLOWED:
            other = next(ways[-1], None)
            if other is None:
                ways.pop()
            elif file_of(other) not in followed:
                followed[file_of(other)] = None
                further = (
                    self._named_by(file_of(other), _MOST_NAMED).broken
                    if len(ways) < DEEPEST
                    else ()
                )
                ways.append(iter(further))
        for reference in self._named_by(file.id).broken:
            other = file_of(reference)
            if other not in followed:  # not what it tells, but may be what it fails for
                context.depends("file", other, self._content.get(other))
                context.depends("output", reference, None)
        for identifier in followed:
            if identifier != file.id:
                context.depends("file", identifier, self._content.get(identifier))
        for identifier in followed:  # its own first
            most = None if identifier == file.id else _MOST_NAMED
            for reference in self._named_by(identifier, most).sound:
                if identifier != file.id and len(context.inputs) > 2 * _MOST_FOLLOWED:
                    break
                context.depends("output", reference, self._interface(reference))
        return {self._shown(identifier) for identifier in followed}

    def _named_by(self, identifier: str, most: int | None = None) -> _Named:
        """The prefabs of other files that the prefabs of a file are built from, directly.

        With ``most`` only the first ones: each is worked out to tell whether it is sound, in each
        batch of heirs again.
        """
        known = self._references.get((identifier, None)) or self._references.get((identifier, most))
        if known is None:
            file = self._files.get(identifier)
            documents = file.prefabs.values() if isinstance(file, PrefabFile) else ()
            named = dict.fromkeys(
                reference.id
                for document in documents
                for reference in document.references()
                if file_of(reference.id) != identifier
            )
            known = _Named([], [])
            for one in itertools.islice(named, most):
                (known.broken if self._interface(one) is None else known.sound).append(one)
            self._references[identifier, most] = known
        return known

    def _reach(self, file: PrefabFile, most: int | None = None) -> list[str]:
        """The files that a file is made from, itself included, as far as they can be read.

        With ``most`` the search ends when there are more.
        """
        found = [file.id]
        seen = {file.id}
        for identifier in found:
            if most is not None and len(found) > most:
                break
            known = self._files.get(identifier)
            if not isinstance(known, PrefabFile):
                continue
            for document in known.prefabs.values():
                for reference in document.references():
                    other = file_of(reference.id)
                    if most is not None and len(found) > most:
                        break
                    if other not in seen:
                        seen.add(other)
                        found.append(other)
                        if other not in self._files:
                            self._interface(reference.id)
        return found

    def _names(self, identifier: str) -> set[str]:
        """The components that a file names, and the sprite classes with an ``@`` in front."""
        file = self._files.get(identifier)
        names: set[str] = set()
        if isinstance(file, PrefabFile):
            for document in file.prefabs.values():
                parts = [document.components, *(child.overrides for child in document.children)]
                for components in parts:
                    for name, part in components.items():
                        names.add(name)
                        found = self._registry.get(name)
                        if found is not None:
                            names.update(
                                "@" + named
                                for kind, named in found.converter.names(part.fields)
                                if kind == "sprite_class"
                            )
        return names

    def fingerprint(self, name: str) -> bytes:
        """The hash of the components that an ambient input names."""
        known = self._fingerprints.get(name)
        if known is None:
            known = self._fingerprints[name] = _fingerprint(self._description, name)
        return known


def _own_or_followed(
    problems: list[LocatedError], file: PrefabFile, followed: set[str | None]
) -> list[LocatedError]:
    """The errors that a file tells: its own, and the first ones of files that it depends on.

    The others are told by those files. Copied into each heir of each heir, they would fill the
    store; and whoever does not depend on their file would tell them after they were mended.
    """
    own = [one for one in problems if one.path == file.path]
    others = [one for one in problems if one.path != file.path and one.path in followed]
    told = [*own, *others[:_MOST_FOREIGN]]
    return told or problems[:1]


def _fingerprint(description: RegistryDescription, name: str) -> bytes:
    names = name.partition(":")[2]
    if names == "*":
        return description.fingerprint()
    return description.fingerprint(names.split(",") if names else [])


def _variants(prefab: Prefab) -> Iterator[tuple[str, dict[str, Any]]]:
    """Images that a prefab needs with settings of their own: sheets, and other hit boxes."""
    # Each part once: those that double each other would be visited thousands of times.
    parts = {id(prefab): prefab}
    left = [prefab]
    while left:
        for child in left.pop().children:
            if id(child.prefab) not in parts:
                parts[id(child.prefab)] = child.prefab
                left.append(child.prefab)
    for part in parts.values():
        components = part.components
        frames = components.get("Animation", {}).get("frames")
        if isinstance(frames, dict) and "image" in frames:
            cut = {name: frames[name] for name in ("frame_size", "columns", "count")}
            yield frames["image"], {**cut, "first": frames.get("first", 0)}
        shape = components.get("Collider", {}).get("shape")
        algorithm = shape.get("algorithm", "simple") if isinstance(shape, dict) else "simple"
        if algorithm != "simple":
            own = components.get("Sprite", {}).get("texture")
            for path in (own, *(frames if isinstance(frames, list) else ())):
                if isinstance(path, str):
                    yield path, {"hit_box": algorithm}
