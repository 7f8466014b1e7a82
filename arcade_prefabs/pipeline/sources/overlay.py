"""`OverlaySource`: several asset sources as one, such as a mod over the game."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path

from ...errors import AssetError, MissingAssetError, UnsafePathError
from .base import AssetSource, SourceFile, checked_path
from .names import NameFilter, missing

__all__ = ["OverlaySource"]


class OverlaySource:
    """Several sources as one: a file in a higher layer replaces those with the same path below.

    ::

        source = OverlaySource(DirectorySource("assets"), ZipSource("mods/snow.zip"))

    A file that a layer refuses does not exist in this layer; the layers below are searched. Names
    in different layers that differ only in case are refused, except the one that sorts first: by
    `scan`, and after a scan by the other methods, too.

    Args:
        sources: The layers, from the lowest to the highest. They are closed with this source.
    """

    def __init__(self, *sources: AssetSource) -> None:
        self._layers = sources
        self._name_filter: NameFilter | None = None
        self._refused: list[UnsafePathError] = []

    def __repr__(self) -> str:
        return f"OverlaySource({', '.join(map(repr, self._layers))})"

    @property
    def portable(self) -> bool:
        """Whether all layers are portable. Any thread."""
        return all(layer.portable for layer in self._layers)

    def scan(self) -> Iterator[SourceFile]:
        """Returns all files of all layers, each path once, sorted by path.

        Raises:
            AssetError: A layer cannot be scanned.

        Any thread.
        """
        top: dict[str, tuple[int, SourceFile]] = {}
        refused: list[UnsafePathError] = []
        for number, layer in enumerate(self._layers):
            top.update((file.path, (number, file)) for file in layer.scan())
            refused += layer.refused()

        def shown(path: str) -> str:
            return self._layers[top[path][0]].shown(path)

        name_filter = NameFilter(top, shown)
        self._name_filter = name_filter
        self._refused = refused + name_filter.refused
        return iter(
            [_stamped(file, number) for number, file in map(top.__getitem__, name_filter.names)]
        )

    def refused(self) -> list[UnsafePathError]:
        """Returns an error for each file that the last `scan` left out, layer by layer.

        Any thread.
        """
        return list(self._refused)

    def stat(self, path: str) -> SourceFile | None:
        """Returns the state of the highest file with a path, or None if no layer has one.

        The stamp differs between layers, so that it changes when a file moves to another layer.

        Raises:
            UnsafePathError: The path could leave the source, or each layer with the file refuses
                it.
            AssetError: A layer refuses access.

        Any thread.
        """
        found = self._find(self._checked(path))
        return None if found is None else _stamped(found[1], found[0])

    def read(self, path: str) -> bytes:
        """Returns the content of the highest file with a path.

        Raises:
            UnsafePathError: As `stat`.
            MissingAssetError: No layer has the file.
            AssetTooLargeError: The highest file has more than `LARGEST_FILE` bytes.
            AssetError: The file cannot be read; ``__cause__`` says why.

        Any thread.
        """
        path = self._checked(path)
        refusal: UnsafePathError | None = None
        absence: MissingAssetError | None = None
        # `stat` would not help: the file may be deleted between `stat` and `read`.
        for layer in reversed(self._layers):
            try:
                return layer.read(path)
            except UnsafePathError as error:
                refusal = refusal or error
            except MissingAssetError as error:
                absence = absence if absence and absence.hint else error  # prefer one with a hint
        raise refusal or absence or missing(path, path)

    def shown(self, path: str) -> str:
        """Returns the file's name for errors, by its layer or else the lowest. Any thread."""
        for layer in reversed(self._layers):
            try:
                if layer.stat(path) is not None:
                    return layer.shown(path)
            except AssetError:  # the caller is about to show another error
                continue
        return self._layers[0].shown(path) if self._layers else path

    def folders(self) -> list[tuple[Path, str]]:
        """Returns the folders of all layers. Any thread."""
        return [folder for layer in self._layers for folder in layer.folders()]

    def close(self) -> None:
        """Closes all layers, even if closing one of them fails. Any thread."""
        with ExitStack() as stack:
            for layer in self._layers:
                stack.callback(layer.close)

    def _checked(self, path: str) -> str:
        path = checked_path(path)
        name_filter = self._name_filter
        if name_filter is not None:
            name_filter.find(path, self.shown)
        return path

    def _find(self, path: str) -> tuple[int, SourceFile] | None:
        refusal: UnsafePathError | None = None
        for number in reversed(range(len(self._layers))):
            try:
                file = self._layers[number].stat(path)
            except UnsafePathError as error:
                refusal = refusal or error
                continue
            if file is not None:
                return number, file
        if refusal is not None:
            raise refusal
        return None


def _stamped(file: SourceFile, layer: int) -> SourceFile:
    """Returns the file with a stamp that depends on its layer, the same in every process."""
    if file.stamp == 0:
        return file  # 0 means that there is no stamp
    mixed = blake2b(b"%d in %d" % (file.stamp, layer), digest_size=8).digest()
    # 63 bits, because SQLite's integers have a sign.
    stamp = int.from_bytes(mixed, "big") >> 1 or 1
    return file._replace(stamp=stamp, changed_ns=file.clock_ns)
