"""Packs outputs into compressed pages with checksums, and unpacks them in bounded memory.

Small prefabs have much in common: names of components and fields, paths of textures. In a release
file, where size counts, each of their pages is compressed against a dictionary made from some of
them; without it, a page of a kilobyte would hardly shrink.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import lz4.block
import msgspec

from ...errors import StoreError
from ...prefab.model import Dependency
from .processor import PAGE_BYTES, Output, output_digest

__all__ = [
    "PORTION",
    "CompressionDictionary",
    "ManyPacked",
    "PackedOutput",
    "PackedPage",
    "make_dictionary",
    "pack",
    "seal",
]

# Bytes of a dictionary. The compressor searches all of it for every page: 64 kB would take four
# times as long and save a few per cent.
_DICTIONARY_BYTES: Final = 16 * 1024

# The method by which a page is packed; numbers above these are those of dictionaries.
_PLAIN, _ALONE = -1, 0
# The number of a dictionary is this plus its checksum: dictionaries of two stores have the same
# number only if they are the same. Numbers below it are not checked.
_CHECKED: Final = 2**32


class CompressionDictionary(NamedTuple):
    """A dictionary that pages are compressed against, with its number in the store."""

    number: int
    data: bytes

    @classmethod
    def of(cls, data: bytes) -> CompressionDictionary:
        """Returns a dictionary with the number that its data has."""
        return cls(_CHECKED + zlib.crc32(data), data)

    @property
    def sound(self) -> bool:
        """Whether the data has the checksum that is part of its number."""
        return self.number < _CHECKED or self == CompressionDictionary.of(self.data)


class PackedPage(NamedTuple):
    """A page as it is stored.

    Attributes:
        size: Bytes, unpacked.
        method: -1: not compressed. 0: compressed. Above: compressed with the dictionary of that
            number.
        check: CRC-32 of ``data``. It finds accidental damage; forged data cannot unpack to more
            than ``size``.
        data: The packed bytes.
    """

    size: int
    method: int
    check: int
    data: bytes

    @classmethod
    def of(
        cls, page: bytes, dictionary: CompressionDictionary | None = None, *, best: bool = False
    ) -> PackedPage:
        """Packs a page; ``best`` takes ten times as long for a tenth fewer bytes."""
        mode = "high_compression" if best else "default"
        if dictionary is None:
            method, data = _ALONE, lz4.block.compress(page, mode=mode, store_size=False)
        else:
            method = dictionary.number
            data = lz4.block.compress(page, mode=mode, store_size=False, dict=dictionary.data)
        if len(data) >= len(page):
            method, data = _PLAIN, bytes(page)
        return cls(len(page), method, zlib.crc32(data), data)

    def unpack(self, dictionary: CompressionDictionary | None = None) -> bytes:
        """Returns the page.

        Raises:
            StoreError: The page is damaged, or its size is above `PAGE_BYTES`.

        Any thread; lz4 releases the interpreter lock meanwhile.
        """
        if not 0 <= self.size <= PAGE_BYTES:
            raise StoreError(f"a page of {self.size:,} bytes, over {PAGE_BYTES:,}")
        if zlib.crc32(self.data) != self.check:
            raise StoreError("a page is damaged: its checksum is wrong")
        if self.method == _PLAIN:
            if len(self.data) != self.size:
                raise StoreError("a page is damaged: its size is wrong")
            return self.data
        try:
            if self.method == _ALONE:
                page = lz4.block.decompress(self.data, uncompressed_size=self.size)
            elif dictionary is None or dictionary.number != self.method:
                raise StoreError(f"the dictionary {self.method} of a page is missing")
            else:
                page = lz4.block.decompress(
                    self.data, uncompressed_size=self.size, dict=dictionary.data
                )
        except lz4.block.LZ4BlockError as error:
            raise StoreError(f"a page is damaged: {error}") from error
        if len(page) != self.size:
            raise StoreError("a page is damaged: its size is wrong")
        return bytes(page)


def seal(
    identifier: str, number: int, kind: str, digest: bytes, pages: int, page: PackedPage
) -> int:
    """Returns a checksum of all columns of a page's row and of the id of its output.

    A bit that flips in a row may damage the page, or make it a page of another asset.

    Args:
        identifier: Full id of the output.
        number: The index of the page.
        kind: See `Output`.
        digest: The hash of the output.
        pages: How many pages the output has.
        page: The page; its ``check`` stands for its data.
    """
    row = (identifier, number, kind, digest, pages, page.size, page.method, page.check)
    return zlib.crc32(repr(row).encode("utf-8", "backslashreplace"))


class PackedOutput(NamedTuple):
    """An output as it is stored.

    Attributes:
        label: See `Output`.
        kind: See `Output`.
        digest: The hash of the output.
        pages: Its pages.
        needs: See `Output`.
    """

    label: str
    kind: str
    digest: bytes
    pages: tuple[PackedPage, ...]
    needs: tuple[Dependency, ...]


def pack(output: Output) -> PackedOutput:
    """Compresses an output. Any thread."""
    pages = tuple(map(PackedPage.of, output.pages))
    return PackedOutput(output.label, output.kind, output_digest(output), pages, output.needs)


class ManyPacked:
    """The outputs of one file, in a compact form that can be iterated several times.

    A world has an output for each cell. 200,000 of them as Python objects took more memory than all
    the data that they were made from, and once more when a worker process sent them. So they are
    kept as encoded bytes, in portions.
    """

    def __init__(self) -> None:
        self._portions: list[bytes] = []
        self._last: list[PackedOutput] = []

    def append(self, packed: PackedOutput) -> None:
        """Adds an output."""
        self._last.append(packed)
        if len(self._last) >= PORTION:
            self._portions.append(_encode_portion(self._last))
            self._last = []

    def __len__(self) -> int:
        return len(self._portions) * PORTION + len(self._last)

    def __iter__(self) -> Iterator[PackedOutput]:
        for portion in self._portions:
            yield from _decode_portion(portion)
        yield from self._last


PORTION: Final = 512
"""Outputs in a portion. Most files have fewer outputs, which are not encoded at all."""

_encode_portion: Final = msgspec.msgpack.Encoder().encode
_decode_portion: Final = msgspec.msgpack.Decoder(list[PackedOutput]).decode


def make_dictionary(pages: Sequence[bytes]) -> bytes:
    """Returns a dictionary from some typical pages; the compressor prefers the last ones."""
    return b"".join(dict.fromkeys(pages))[-_DICTIONARY_BYTES:]
