"""Sources one over the other: a mod over the game."""

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
    """Sources one over the other: of files with the same path the topmost counts.

    ::

        source = OverlaySource(DirectorySource("assets"), ZipSource("mods/snow.zip"))

    What a layer refuses is not there for it; the layers below are asked. Files of different layers
    whose names differ only in case are refused by `scan`, all but the one that sorts first, and
    from then on by the other methods.

    Args:
        sources: The layers, from the lowest to the topmost. They are closed with this one.
    """

    def __init__(self, *sources: AssetSource) -> None:
        self._layers = sources
        self._name_filter: NameFilter | None = None
        self._refused: list[UnsafePathError] = []

    def __repr__(self) -> str:
        return f"OverlaySource({', '.join(map(repr, self._layers))})"

    @property
    def portable(self) -> bool:
        """Whether all layers can be pickled, and read the same files elsewhere. Any thread."""
        return all(layer.portable for layer in self._layers)

    def scan(self) -> Iterator[SourceFile]:
        """All files of all layers, each path once, sorted by path.

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
        """What the last `scan` left out, layer by layer, and why. Any thread."""
        return list(self._refused)

    def stat(self, path: str) -> SourceFile | None:
        """The topmost file of that path, or None if no layer has one.

        The stamp is another one in each layer, so it changes when a file moves between them.

        Raises:
            UnsafePathError: The path could leave the source, or each layer that has it refuses it.
            AssetError: A layer does not let us look.

        Any thread.
        """
        found = self._find(self._checked(path))
        return None if found is None else _stamped(found[1], found[0])

    def read(self, path: str) -> bytes:
        """The content of the topmost file of that path.

        Raises:
            UnsafePathError: As in `stat`.
            MissingAssetError: No layer has such a file.
            AssetTooLargeError: The topmost one is too large.
            AssetError: It cannot be read; the cause is attached.

        Any thread.
        """
        path = self._checked(path)
        refusal: UnsafePathError | None = None
        absence: MissingAssetError | None = None
        # Not by way of `stat`: the file may be gone by the time that it is read.
        for layer in reversed(self._layers):
            try:
                return layer.read(path)
            except UnsafePathError as error:
                refusal = refusal or error
            except MissingAssetError as error:
                absence = absence if absence and absence.hint else error  # a hint is worth more
        raise refusal or absence or missing(path, path)

    def layer_of(self, path: str) -> int | None:
        """The number of the layer that a path is read from, 0 the lowest; None if none has it.

        Raises:
            UnsafePathError: As in `stat`.
            AssetError: A layer does not let us look.

        Any thread.
        """
        found = self._find(self._checked(path))
        return None if found is None else found[0]

    def shown(self, path: str) -> str:
        """What the layer that has the file calls it, or else the lowest. Any thread."""
        for layer in reversed(self._layers):
            try:
                if layer.stat(path) is not None:
                    return layer.shown(path)
            except AssetError:  # another error is about to be shown
                continue
        return self._layers[0].shown(path) if self._layers else path

    def folders(self) -> list[tuple[Path, str]]:
        """Those of all layers. Any thread."""
        return [folder for layer in self._layers for folder in layer.folders()]

    def close(self) -> None:
        """Close all layers, even if one of them fails to. Any thread."""
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
    """The file with a stamp that holds its layer, the same in every process."""
    if file.stamp == 0:
        return file  # nothing is known, and that stays so
    mixed = blake2b(b"%d in %d" % (file.stamp, layer), digest_size=8).digest()
    # 63 bits: databases count with a sign.
    stamp = int.from_bytes(mixed, "big") >> 1 or 1
    return file._replace(stamp=stamp, changed_ns=file.clock_ns)
