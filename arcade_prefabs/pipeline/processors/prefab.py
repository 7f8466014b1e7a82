"""Bakes prefab files: reads RON, resolves inheritance, and encodes prefabs in pages.

**Inputs.** A prefab that was baked depends on the *outputs* of the prefabs that its file names, and
on the field types of the components that they use. As these outputs depend on theirs in the same
way, direct references are enough. A prefab that failed has no output that others could depend on:
it depends on the *text* of every file that it reached, because any of them may hold the mistake. If
it reached more than `_MOST_FOLLOWED` files, only files on the way to broken ones are recorded, so
that the store grows with the number of files and not with its square.

**Batches.** Files of one batch share a `Resolver` and a cache, so that a common parent is read and
resolved once. Each worker process keeps the parsed files that it used last.
"""

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

# Limits of the cache of parsed files in each worker; most of them are parents of many prefabs. The
# bytes are those of the texts; a parsed file takes about six times as many.
_KEPT_FILES: Final = 512
_KEPT_BYTES: Final = 4 * 1024 * 1024

# The largest output that is kept for the batch; larger ones are encoded again when another file
# needs their hash.
_KEPT_OUTPUT: Final = 256 * 1024

# For a file that failed: the most files that it depends on, and the most errors of other files that
# are reported with it.
_MOST_FOLLOWED: Final = 128
_MOST_FOREIGN: Final = 8
# The most references of another file that are followed for that.
_MOST_NAMED: Final = 3 * _MOST_FOLLOWED

_ALL: Final = "components:*"


class PrefabProcessor:
    """Reads and checks prefab files, resolves their inheritance, and encodes them in pages.

    A prefab is baked again when its own file changes, when the *output* of a prefab that it extends
    or contains changes, or when the fields of a component change that one of their files names. A
    prefab that failed is baked again when one of the files changes that it has reached.

    Args:
        registry: The components that files may name; None for the ``default_registry``.

    Worker processes get a `RegistryDescription`, never the game's classes.
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
        """Returns the hash of the component fields that an ambient input names, or None."""
        if not name.startswith("components:"):
            return None
        return _fingerprint(self._registry.describe(), name)

    def process(self, context: ProcessContext) -> Iterator[Output]:
        """Yields the prefabs of a file; a mistake in one prefab of a library affects no other."""
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
    """The parsed files that were used last, by id and content hash."""

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
    """The ids of prefabs that a file names: those that cannot be baked, and those that can."""

    broken: list[str]
    sound: list[str]


class _Batch:
    """Shared by the prefab files of one batch, so that each file is read and resolved once."""

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
        self._others: dict[str, dict[str, str]] = {}
        self._own: list[PrefabFile] = []
        self.resolver = Resolver(self._load, registry=registry)

    def close(self) -> None:
        """Frees the files that only this batch uses."""
        # A file and its prefabs refer to each other, as do the resolver and this batch: without
        # this, only the garbage collector would free these cycles.
        for file in self._own:
            file.prefabs = {}
        del self.resolver

    # ------------------------------------------------------------------------------------- files

    def own_file(self, context: ProcessContext) -> PrefabFile:
        """Returns the parsed file of a task, in the state in which the batch read it first."""
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
        found = self._files.get(identifier)
        if found is None:
            try:
                found = self._read(identifier)
            except MissingAssetError:
                self._content[identifier] = None
                found = MissingPrefabError(f"there is no prefab {identifier}")
            except (RonError, AssetError) as error:
                found = error
            self._files[identifier] = found
        if isinstance(found, PrefabFile):
            return found
        if isinstance(found, MissingPrefabError):
            # A new error each time, because the resolver adds a hint to it.
            raise MissingPrefabError(found.message)
        raise found

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
        """Returns the output of a prefab; of an abstract one, a hash of what others take over."""
        known = self._outputs.get(document.id)
        if known is None:
            label = document.id.partition("#")[2]
            if document.abstract:
                known = Output(label, "abstract", (self._abstract_digest(document),))
            else:
                prefab = self.resolver.resolve(document.id)
                identity = b""
                if prefab.children:
                    identity = orjson.dumps(self.resolver.provenance(document.id))
                known = Output(label, "prefab", encode_prefab(prefab), prefab.needs, identity)
            if sum(map(len, known.pages)) <= _KEPT_OUTPUT:
                self._outputs[document.id] = known
        return known

    def _abstract_digest(self, document: PrefabDocument) -> bytes:
        abstract = self.resolver.abstract_prefab(document.id)
        parts = [self._interface(part) or b"" for part in abstract.parts]
        data = orjson.dumps(abstract.data, option=orjson.OPT_NON_STR_KEYS)
        return digest(data, *parts)

    def _interface(self, identifier: str) -> bytes | None:
        """Returns the hash of a prefab's output; None if it cannot be baked."""
        if identifier not in self._interfaces:
            try:
                output = self.output(self.resolver.document(identifier))
                self._interfaces[identifier] = output_digest(output)
            except (RonError, PrefabError, AssetError):
                self._interfaces[identifier] = None
        return self._interfaces[identifier]

    def problems(self, identifier: str) -> list[LocatedError]:
        """Returns all errors because of which a prefab cannot be baked."""
        found = self.resolver.problems(identifier)
        if not found:  # it is valid, but too large for its pages
            try:
                self.output(self.resolver.document(identifier))
            except LocatedError as error:
                found = [error]
        return found

    # ------------------------------------------------------------------------------------ inputs

    def note_inputs(
        self, context: ProcessContext, file: PrefabFile, *, failed: bool
    ) -> set[str | None]:
        """Adds the inputs of a file: outputs of the prefabs that it names, or texts if it failed.

        Returns the names of the files that a failed file depends on, as errors show them.
        """
        if not failed:
            named = self._named_by(file.id)
            # A named prefab may be broken although this one is not: it lacks a field that this one
            # sets. It has no output to depend on, so the texts are inputs.
            if not named.broken:
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
        """Adds files on the way to broken ones as inputs, for a file that reached too many.

        The file stays broken until one of the files changes that its errors come from.
        """
        followed = {file.id: None}
        # Depth first: each chain of broken prefabs is followed to its end. A chain longer than
        # `DEEPEST` is an error itself.
        stack = [iter(self._named_by(file.id).broken)]
        while stack and len(followed) <= _MOST_FOLLOWED:
            other = next(stack[-1], None)
            if other is None:
                stack.pop()
            elif file_of(other) not in followed:
                followed[file_of(other)] = None
                further = (
                    self._named_by(file_of(other), _MOST_NAMED).broken
                    if len(stack) < DEEPEST
                    else ()
                )
                stack.append(iter(further))
        for reference in self._named_by(file.id).broken:
            other = file_of(reference)
            if other not in followed:  # its errors are not reported, but it may be a cause
                context.depends("file", other, self._content.get(other))
                context.depends("output", reference, None)
        for identifier in followed:
            if identifier != file.id:
                context.depends("file", identifier, self._content.get(identifier))
        for identifier in followed:  # the file itself comes first
            most = None if identifier == file.id else _MOST_NAMED
            for reference in self._named_by(identifier, most).sound:
                if identifier != file.id and len(context.inputs) > 2 * _MOST_FOLLOWED:
                    break
                context.depends("output", reference, self._interface(reference))
        return {self._shown(identifier) for identifier in followed}

    def _named_by(self, identifier: str, most: int | None = None) -> _Named:
        """Returns the prefabs of other files that the prefabs of a file are built from directly.

        Args:
            identifier: The file.
            most: The most references to follow, because each is resolved to see whether it is
                broken; None for all.
        """
        found = self._references.get((identifier, None)) or self._references.get((identifier, most))
        if found is None:
            file = self._files.get(identifier)
            documents = file.prefabs.values() if isinstance(file, PrefabFile) else ()
            named = dict.fromkeys(
                reference.id
                for document in documents
                for reference in document.references()
                if file_of(reference.id) != identifier
            )
            found = _Named([], [])
            for name in itertools.islice(named, most):
                (found.broken if self._interface(name) is None else found.sound).append(name)
            self._references[identifier, most] = found
        return found

    def _reach(self, file: PrefabFile, most: int | None = None) -> list[str]:
        """Returns a file and all files that it is made from, as far as they can be read.

        With ``most`` the search stops above that many files.
        """
        found = [file.id]
        seen = {file.id}
        for identifier in found:
            if most is not None and len(found) > most:
                break
            for other, reference in self._named_files(identifier).items():
                if most is not None and len(found) > most:
                    break
                if other not in seen:
                    seen.add(other)
                    found.append(other)
                    if other not in self._files:
                        self._interface(reference)
        return found

    def _named_files(self, identifier: str) -> dict[str, str]:
        """Returns the files that the prefabs of a file refer to, each with the first reference.

        Kept for the batch: each derived prefab of a library asks for the references of all of its
        prefabs.
        """
        known = self._others.get(identifier)
        if known is None:
            file = self._files.get(identifier)
            if not isinstance(file, PrefabFile):
                return {}
            known = self._others[identifier] = {}
            for document in file.prefabs.values():
                for reference in document.references():
                    known.setdefault(file_of(reference.id), reference.id)
        return known

    def _names(self, identifier: str) -> set[str]:
        """Returns the components that a file names, and sprite classes with an ``@`` in front."""
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
        """Returns the hash of the component fields that an ambient input names."""
        known = self._fingerprints.get(name)
        if known is None:
            known = self._fingerprints[name] = _fingerprint(self._description, name)
        return known


def _own_or_followed(
    problems: list[LocatedError], file: PrefabFile, followed: set[str | None]
) -> list[LocatedError]:
    """Returns the errors to report for a file: its own, and the first ones of files it depends on.

    Those files report all of theirs. Copies in every derived prefab would fill the store; and
    copies from files that are no inputs would stay after the mistake was corrected.
    """
    own = [one for one in problems if one.path == file.path]
    others = [one for one in problems if one.path != file.path and one.path in followed]
    reported = [*own, *others[:_MOST_FOREIGN]]
    return reported or problems[:1]


def _fingerprint(description: RegistryDescription, name: str) -> bytes:
    names = name.partition(":")[2]
    if names == "*":
        return description.fingerprint()
    return description.fingerprint(names.split(",") if names else [])


def _variants(prefab: Prefab) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields images that a prefab needs with import settings: sheets, and other hit boxes."""
    # Each part once: parts that occur at many places would be visited thousands of times.
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
