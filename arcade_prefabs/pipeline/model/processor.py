"""What turns a file into baked data: the protocol of processors, and what they are handed.

A processor is a small class with a name, a version, the patterns of the files it takes and one
method. It may live outside of this package::

    class CsvProcessor:
        name = "csv"
        version = 1
        patterns = ("*.csv",)
        settings = {"separator": ";"}

        def process(self, job):
            rows = [line.split(job.settings["separator"]) for line in job.text().splitlines()]
            yield job.output(rows)

Raise the version whenever the same input gives another output: everything that the old version
baked is then baked again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

import msgspec
import orjson

from ...errors import (
    AssetError,
    AssetTooLargeError,
    MissingAssetError,
    ProcessorError,
    UnsafePathError,
)
from ...prefab.asset_ids import asset_path
from ...prefab.model import Dependency

__all__ = [
    "DIGEST_BYTES",
    "PAGE_BYTES",
    "UNREADABLE",
    "BakeRequest",
    "Input",
    "Output",
    "ProcessContext",
    "Processor",
    "ProcessorMatcher",
    "digest",
    "output_digest",
    "settings_key",
]

PAGE_BYTES: Final = 128 * 1024
"""Bytes of the largest page, unpacked: decoding JSON keeps the interpreter to itself, about a
millisecond for that much, and a frame has sixteen."""

DIGEST_BYTES: Final = 16
"""Enough that two different contents never meet by chance."""


UNREADABLE: Final = b""
"""In place of the hash of a file that is there, but cannot be read."""


def digest(*parts: bytes) -> bytes:
    """A hash of the parts one behind the other. Any thread."""
    hasher = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        hasher.update(part)
    return hasher.digest()


class Input(NamedTuple):
    """Something that a build was made from, beside the file itself.

    Attributes:
        kind: ``file``: the bytes of another file. ``output``: what another file was baked to.
            ``ambient``: something of the game's own, such as the fields of its components.
        name: A path; for ``output`` a full id, for ``ambient`` what the processor calls it.
        digest: Its hash, None if it was not there: a dangling dependency, which heals when the
            file appears.
    """

    kind: str
    name: str
    digest: bytes | None


class Output(NamedTuple):
    """One thing that was baked from a file.

    Attributes:
        label: Its name in the file, ``gate`` for ``castle.ron#gate``; empty for the file itself.
        kind: What it is: ``prefab``, ``image``, ``data``... Readers check it.
        pages: The data in pages of at most `PAGE_BYTES`, to be read one by one. The first one is
            what a reader needs first.
        needs: What has to be there at run time. Nothing is baked again because of them.
        identity: What else makes it another output for those that are made from it.
    """

    label: str
    kind: str
    pages: tuple[bytes, ...]
    needs: tuple[Dependency, ...] = ()
    identity: bytes = b""


def output_digest(output: Output) -> bytes:
    """The hash of what was baked: where it is the same, nothing that depends on it is baked again.

    Any thread.
    """
    # Lengths go in front, or two pages could be told apart from one only by where they are cut.
    lengths = msgspec.json.encode((output.kind, [len(p) for p in output.pages], output.needs))
    return digest(lengths, *output.pages, output.identity)


class BakeRequest(NamedTuple):
    """A file that should be baked with settings of its own, because another one names it so.

    Attributes:
        path: The file.
        settings: What differs from the processor's settings.
    """

    path: str
    settings: Mapping[str, Any]


class ProcessContext:
    """One file to process, as its processor sees it.

    Attributes:
        path: The file's asset path.
        shown: How errors should name the file.
        data: Its bytes.
        settings: The processor's settings, with those of this one file over them.
        shared: Room for what the jobs of one batch can share. All jobs of a batch see the files as
            they were when the first one read them. A value with a method ``close`` is closed at
            the end.

    The thread or process that runs the processor.
    """

    __slots__ = (
        "_read",
        "_shown",
        "bake_requests",
        "data",
        "errors",
        "failed",
        "inputs",
        "path",
        "settings",
        "shared",
        "shown",
    )

    def __init__(
        self,
        path: str,
        data: bytes,
        settings: Mapping[str, Any],
        *,
        read: Callable[[str], bytes],
        shown: Callable[[str], str] = str,
        shared: dict[Any, Any] | None = None,
    ) -> None:
        self.path = path
        self.data = data
        self.settings = settings
        self.shared: dict[Any, Any] = {} if shared is None else shared
        self.shown = shown(path)
        self.inputs: dict[tuple[str, str], Input] = {}
        self.bake_requests: list[BakeRequest] = []
        self.errors: list[Exception] = []
        self.failed: list[str | None] = []
        self._read = read
        self._shown = shown

    def text(self) -> str:
        """The data as text, UTF-8.

        Raises:
            AssetError: It is none.
        """
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise self.error(f"the file is no UTF-8 text: byte {error.start:,}") from None

    def read(self, path: str) -> bytes:
        """The bytes of another file; when it changes, this one is baked again.

        Raises:
            MissingAssetError: There is none; when it appears, this one is baked again.
            AssetError: It cannot be read.
        """
        path = self._checked(path)
        try:
            data = self._read(path)
        except MissingAssetError:
            self.depends("file", path, None)
            raise
        self.depends("file", path, digest(data))
        return data

    def peek(self, path: str) -> bytes:
        """The bytes of another file, no dependency noted: that is left to `depends`.

        Raises:
            MissingAssetError: There is none.
            AssetError: It cannot be read.
        """
        return self._read(path)

    def shown_name(self, path: str) -> str:
        """How errors should name another file."""
        return self._shown(path)

    def depends(self, kind: str, name: str, known: bytes | None) -> None:
        """Note something that the output depends on; see `Input`."""
        self.inputs[kind, name] = Input(kind, name, known)

    def bake_request(self, path: str, settings: Mapping[str, Any]) -> None:
        """Ask for another file to be baked with settings of its own, a sprite sheet's for one."""
        try:
            settings_key(settings)
        except TypeError as error:
            raise ProcessorError(f"settings must be JSON: {error}", path=self.shown) from error
        self.bake_requests.append(BakeRequest(self._checked(path), settings))

    def _checked(self, path: str) -> str:
        try:
            return asset_path(path)
        except ValueError as error:
            raise UnsafePathError(str(error), path=self.shown) from None

    def fail(self, error: Exception, *, label: str | None = None) -> None:
        """Note an error and go on.

        The last good output of the label is kept; without a label, those of the whole file are.
        """
        self.errors.append(error)
        self.failed.append(label)

    def error(self, message: str, *, hint: str | None = None) -> AssetError:
        """An error about this file, to be raised."""
        return AssetError(message, path=self.shown, hint=hint)

    def output(
        self,
        head: Any,
        *,
        data: bytes | bytearray | memoryview = b"",
        kind: str = "data",
        label: str = "",
        needs: Iterable[Dependency] = (),
    ) -> Output:
        """An output of a JSON value, and of bytes that are cut into pages behind it.

        Raises:
            AssetTooLargeError: The JSON value fills more than a page.
            ProcessorError: It is not JSON.
        """
        try:
            first = orjson.dumps(head, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)
        except TypeError as error:
            message = f"the head of an output must be JSON: {error}"
            raise ProcessorError(message, path=self.shown) from error
        if len(first) > PAGE_BYTES:
            message = f"the head of an output has {len(first):,} bytes, over {PAGE_BYTES:,}"
            hint = "put large data into `data`, which is cut into pages"
            raise AssetTooLargeError(message, path=self.shown, hint=hint)
        view = memoryview(data)
        cut = (bytes(view[at : at + PAGE_BYTES]) for at in range(0, len(view), PAGE_BYTES))
        return Output(label, kind, (first, *cut), tuple(needs))


@runtime_checkable
class Processor(Protocol):
    """Turns the files of certain patterns into baked data.

    Processors are sent to worker processes: everything in them must be picklable, and they keep
    nothing from one file to the next but caches.

    Attributes:
        name: Its own name, unique in a pipeline.
        version: Raised whenever the same input gives another output.
        patterns: The files it takes, matched against the whole path: ``*.png``,
            ``worlds/*.ron``. ``*`` matches slashes, too. Case does not count.
        settings: Settings with their defaults, as JSON values. They are part of the key.
    """

    @property
    def name(self) -> str:
        """See above."""
        ...

    @property
    def version(self) -> int:
        """See above."""
        ...

    @property
    def patterns(self) -> tuple[str, ...]:
        """See above."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """See above."""
        ...

    def process(self, context: ProcessContext) -> Iterable[Output]:
        """The outputs of one file.

        An error that it raises is the file's error, and its last good outputs are kept. Errors
        about single outputs go to `ProcessContext.fail`.
        """
        ...


class ProcessorMatcher:
    """Finds the processor of a path: of those that match the last one, so that a game's own win.

    Any thread.
    """

    def __init__(self, processors: Iterable[Processor]) -> None:
        self.processors = tuple(processors)
        names = [processor.name for processor in self.processors]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"two processors have the name {min(twice)!r}")
        # One search for all of them: ten thousand paths are looked at in every bake.
        groups = (
            f"(?P<p{number}>{'|'.join(translate(pattern.lower()) for pattern in one.patterns)})"
            for number, one in reversed(list(enumerate(self.processors)))
            if one.patterns
        )
        self._match = re.compile("|".join(groups) or r"(?!)").match

    def __call__(self, path: str) -> Processor | None:
        """The processor of a path, None if nobody takes it."""
        # The case of a name is the file system's affair, and must not decide what a file is.
        found = self._match(path.lower())
        if found is None or found.lastgroup is None:
            return None
        return self.processors[int(found.lastgroup[1:])]

    def named(self, name: str) -> Processor | None:
        """The processor of that name."""
        return next((one for one in self.processors if one.name == name), None)


def settings_key(settings: Mapping[str, Any]) -> str:
    """The one spelling of settings that differ from a processor's own; empty if none do.

    Raises:
        TypeError: They are not JSON.

    Any thread.
    """
    if not settings:
        return ""
    return orjson.dumps(settings, option=orjson.OPT_SORT_KEYS).decode()
