"""The protocol of processors, which bake files of one kind, and the types that they use.

A processor is a small class with a name, a version, patterns of file names and one method. Games
may add their own::

    class CsvProcessor:
        name = "csv"
        version = 1
        patterns = ("*.csv",)
        settings = {"separator": ";"}

        def process(self, context):
            separator = context.settings["separator"]
            yield context.output([line.split(separator) for line in context.text().splitlines()])

Increase the version whenever the same file would be baked to another output: then all files of the
processor are baked again.
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
"""The most bytes of a page, unpacked. Decoding JSON holds the interpreter lock, for this many bytes
about a millisecond, and a frame has sixteen."""

DIGEST_BYTES: Final = 16
"""Bytes of a content hash: enough that no two contents have the same one by chance."""


UNREADABLE: Final = b""
"""Stands for the hash of a file that exists but cannot be read."""


def digest(*parts: bytes) -> bytes:
    """Returns a hash of the concatenated parts. Any thread."""
    hasher = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        hasher.update(part)
    return hasher.digest()


class Input(NamedTuple):
    """Something that an output was made from, besides its own file.

    Attributes:
        kind: ``file``: the bytes of another file. ``output``: an output of another file.
            ``ambient``: data of the game that is in no file, such as the fields of its components.
        name: A path; for ``output`` a full id, for ``ambient`` a name that the processor knows.
        digest: Its hash; None if it does not exist. When it appears, the output is baked again.
    """

    kind: str
    name: str
    digest: bytes | None


class Output(NamedTuple):
    """One asset that a file was baked to.

    Attributes:
        label: Its name in the file, ``gate`` for ``castle.ron#gate``; empty for the only output.
        kind: ``prefab``, ``image``, ``data``... Readers check it.
        pages: The data in pages of at most `PAGE_BYTES`, which are read one by one. The first page
            is the head, which a reader needs first.
        needs: Dependencies at run time. A change in them bakes nothing again.
        identity: Data for the hash only: a change in it makes assets stale that are made from this
            output, although its pages are the same.
    """

    label: str
    kind: str
    pages: tuple[bytes, ...]
    needs: tuple[Dependency, ...] = ()
    identity: bytes = b""


def output_digest(output: Output) -> bytes:
    """Returns the hash of an output; as long as it is the same, nothing made from it becomes stale.

    Any thread.
    """
    # The lengths of the pages are hashed, too: the same bytes cut elsewhere are another output.
    lengths = msgspec.json.encode((output.kind, [len(p) for p in output.pages], output.needs))
    return digest(lengths, *output.pages, output.identity)


class BakeRequest(NamedTuple):
    """A request of a processor to bake another file with import settings.

    Attributes:
        path: The file.
        settings: The import settings, which override the processor's settings.
    """

    path: str
    settings: Mapping[str, Any]


class ProcessContext:
    """One file as its processor sees it; collects the inputs, requests and errors of the file.

    `read` and `peek` read another file once for all files of a batch, so all of these see the same
    version of it.

    Attributes:
        path: The file's asset path.
        shown: The file's name for errors.
        data: Its bytes.
        settings: The processor's settings, overridden by the file's import settings.
        shared: A dict that the files of one batch share, for caches. A value with a method
            ``close`` is closed after the batch.
        inputs: The inputs so far, by kind and name.
        bake_requests: The bake requests so far.
        errors: The errors of single outputs so far, see `fail`.
        failed: The labels of these errors.

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
        """Returns the data as UTF-8 text.

        Raises:
            AssetError: The data is no UTF-8 text.
        """
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise self.error(f"the file is no UTF-8 text: byte {error.start:,}") from None

    def read(self, path: str) -> bytes:
        """Returns the bytes of another file; when that changes, this file is baked again.

        The other file becomes an input.

        Raises:
            UnsafePathError: The path could leave the assets folder.
            MissingAssetError: The file does not exist; when it appears, this file is baked again.
            AssetError: The file cannot be read.
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
        """Returns the bytes of another file without making it an input.

        For processors that add a more exact input themselves, with `depends`.

        Raises:
            MissingAssetError: The file does not exist.
            AssetError: The file cannot be read.
        """
        return self._read(path)

    def shown_name(self, path: str) -> str:
        """Returns the name of another file for errors."""
        return self._shown(path)

    def depends(self, kind: str, name: str, known: bytes | None) -> None:
        """Adds an input; when its hash changes, this file is baked again.

        Args:
            kind: ``file``, ``output`` or ``ambient``, see `Input`.
            name: The path, full id or name of the input, see `Input`.
            known: The hash of the input as it is now; None if it does not exist.
        """
        self.inputs[kind, name] = Input(kind, name, known)

    def bake_request(self, path: str, settings: Mapping[str, Any]) -> None:
        """Requests another file to be baked with import settings, for example as a sprite sheet.

        Raises:
            UnsafePathError: The path could leave the assets folder.
            ProcessorError: The settings cannot be written as JSON.
        """
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
        """Adds the error of one output, so that the processor can go on with the others.

        The last good output with this label stays; with the label None, those of all labels stay.
        """
        self.errors.append(error)
        self.failed.append(label)

    def error(self, message: str, *, hint: str | None = None) -> AssetError:
        """Returns an error about this file, for the processor to raise."""
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
        """Returns an output with a JSON value as head, and with bytes that are cut into pages.

        Args:
            head: A value that JSON can express; the first page.
            data: Any bytes; the further pages.
            kind: The kind of the output, which chooses its decoder.
            label: The name of the output in its file; empty for the only one.
            needs: The assets that have to be loaded before this one can be used.

        Raises:
            AssetTooLargeError: The JSON value has more than `PAGE_BYTES`.
            ProcessorError: ``head`` cannot be written as JSON.
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
    """Bakes the files of certain patterns.

    Processors are sent to worker processes, so all their attributes must be picklable. They must
    keep nothing from one file to the next but caches.

    Attributes:
        name: Its name, unique in a pipeline.
        version: A number to increase whenever the same file would be baked to another output.
        patterns: The files it takes, matched against the whole path: ``*.png``, ``worlds/*.ron``.
            ``*`` matches slashes, too. Case is ignored.
        settings: All settings with their defaults, as JSON values. They are part of the recipe.
    """

    @property
    def name(self) -> str:
        """The name of the processor, unique in a pipeline."""
        ...

    @property
    def version(self) -> int:
        """A number to increase whenever the same file would be baked to another output."""
        ...

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns of the paths it takes."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """All settings with their defaults, as JSON values."""
        ...

    def process(self, context: ProcessContext) -> Iterable[Output]:
        """Returns the outputs of one file.

        An exception becomes the error of the file, whose last good outputs are kept. Errors of
        single outputs are passed to `ProcessContext.fail`.
        """
        ...


class ProcessorMatcher:
    """Finds the processor for a path: the last one that matches, so that a game's own come first.

    Any thread.
    """

    def __init__(self, processors: Iterable[Processor]) -> None:
        self.processors = tuple(processors)
        names = [processor.name for processor in self.processors]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"two processors have the name {min(twice)!r}")
        # One expression for all processors, because every bake matches ten thousand paths.
        groups = (
            f"(?P<p{number}>{'|'.join(translate(pattern.lower()) for pattern in one.patterns)})"
            for number, one in reversed(list(enumerate(self.processors)))
            if one.patterns
        )
        self._match = re.compile("|".join(groups) or r"(?!)").match

    def __call__(self, path: str) -> Processor | None:
        """Returns the processor for a path, None if no processor takes it."""
        # File systems differ in case, which must not decide the kind of a file.
        found = self._match(path.lower())
        if found is None or found.lastgroup is None:
            return None
        return self.processors[int(found.lastgroup[1:])]

    def named(self, name: str) -> Processor | None:
        """Returns the processor with a name, or None."""
        return next((one for one in self.processors if one.name == name), None)


def settings_key(settings: Mapping[str, Any]) -> str:
    """Returns import settings as normalised JSON; empty if there are none.

    Raises:
        TypeError: The settings cannot be written as JSON.

    Any thread.
    """
    if not settings:
        return ""
    return orjson.dumps(settings, option=orjson.OPT_SORT_KEYS).decode()
