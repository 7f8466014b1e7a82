"""Packed pages: how outputs are compressed, checked, and unpacked again in bounded memory.

Small prefabs are much alike: names of components and fields, paths of textures. A dictionary made
of some of them, which every page is compressed against, takes most of that away; without one, a
page of a kilobyte hardly shrinks.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import lz4.block
import msgspec

from ...errors import StoreError
from ...prefab.model import Dependency
from .processor import PAGE_BYTES, Output, output_digest

__all__ = [
    "DICTIONARY_BYTES",
    "LEFT",
    "PORTION",
    "CompressionDictionary",
    "ManyPacked",
    "PackedOutput",
    "PackedPage",
    "make_dictionary",
    "pack",
    "seal",
]

DICTIONARY_BYTES: Final = 16 * 1024
"""Compression looks through the whole dictionary for every page: 64 kB take four times as long for
a few per cent."""

# How a page is stored. Dictionaries have the numbers above.
_PLAIN, _ALONE = -1, 0
LEFT: Final = -2
"""The method of an output whose pages left a store that was too large; its row stays, so that
whatever is made from it is known to be as it was."""
# Dictionaries have their checksum above this as number: the same number never means another one,
# whichever store it comes from. Those below were put there by hand.
_CHECKED: Final = 2**32


class CompressionDictionary(NamedTuple):
    """What pages are compressed against. Its number says which one, in the store."""

    number: int
    data: bytes

    @classmethod
    def of(cls, data: bytes) -> CompressionDictionary:
        """A dictionary that is new."""
        return cls(_CHECKED + zlib.crc32(data), data)

    @property
    def sound(self) -> bool:
        """Whether it is what its number says."""
        return self.number < _CHECKED or self == CompressionDictionary.of(self.data)


class PackedPage(NamedTuple):
    """A page as the store keeps it.

    Attributes:
        size: Bytes, unpacked.
        method: -1: as it is. 0: compressed. Above: compressed with the dictionary of that number.
        check: CRC-32 of ``data``; chance may damage a file, and forged data is still bounded.
        data: The bytes.
    """

    size: int
    method: int
    check: int
    data: bytes

    @classmethod
    def of(
        cls, page: bytes, dictionary: CompressionDictionary | None = None, *, best: bool = False
    ) -> PackedPage:
        """Pack a page; ``best`` takes ten times as long and gives a tenth less."""
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
        """The page.

        Raises:
            StoreError: It is damaged, or claims to be larger than a page may be.

        Any thread. The interpreter is free for others meanwhile.
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
    """A checksum of everything in a page's row, and of whose page it is.

    A bit that flips in a row turns it into another asset's just as well as into no page at all.

    Args:
        identifier: Full id of the output.
        number: Which of its pages it is.
        kind: See `Output`.
        digest: The hash of the output.
        pages: How many pages the output has.
        page: The page; its ``check`` stands for its data.
    """
    row = (identifier, number, kind, digest, pages, page.size, page.method, page.check)
    return zlib.crc32(repr(row).encode("utf-8", "backslashreplace"))


class PackedOutput(NamedTuple):
    """An output, ready to be written.

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


def pack(output: Output, dictionary: CompressionDictionary | None) -> PackedOutput:
    """Compress an output. Any thread."""
    # Only prefabs are small and alike.
    used = dictionary if output.kind == "prefab" else None
    pages = tuple(PackedPage.of(page, used) for page in output.pages)
    return PackedOutput(output.label, output.kind, output_digest(output), pages, output.needs)


class ManyPacked:
    """Outputs of one file, iterated any number of times, kept as bytes in portions.

    A world has one for each of its cells. As objects, and once more as what is sent from a worker
    process, 200,000 of them took more than all that they were made from.
    """

    def __init__(self) -> None:
        self._portions: list[bytes] = []
        self._last: list[PackedOutput] = []

    def append(self, packed: PackedOutput) -> None:
        """Add an output."""
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
"""Outputs in a portion: most files have fewer, which are never encoded."""

_encode_portion: Final = msgspec.msgpack.Encoder().encode
_decode_portion: Final = msgspec.msgpack.Decoder(list[PackedOutput]).decode


def make_dictionary(pages: Sequence[bytes]) -> bytes:
    """A dictionary from some typical pages, the most typical last."""
    data = b"".join(_distinct(pages))
    return data[-DICTIONARY_BYTES:]


def _distinct(pages: Iterable[bytes]) -> list[bytes]:
    return list(dict.fromkeys(pages))
