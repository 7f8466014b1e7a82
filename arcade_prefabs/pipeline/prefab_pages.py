"""Prefabs in pages: how a prefab with all its parts is written into pieces of bounded size.

A prefab is a tree whose branches are often the same: a hundred crates in a warehouse are one part
and a hundred rows that place it. Pages hold parts and rows in such an order that everything a row
names stands in its own page or in one before, so that children can be used while later pages are
still being read::

    page:  [head | number, [part, ...], [row, ...], [need, ...], [file, ...]]
    head:  [pages, parts, rows]
    part:  [number, id, {component: fields}]          number 0 is the prefab itself
    row:   [parent, part, name, x, y, rotation, scale]

A part with many components may be written in several pieces of the same number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from ..errors import AssetTooLargeError, StoreError
from ..prefab.document import Placement
from ..prefab.model import Asset, Child, Prefab
from .processor import PAGE_BYTES

__all__ = ["PrefabAssembler", "decode_prefab", "encode_prefab"]

# Room for the brackets, commas and the head around the records of a page.
_ROOM: Final = PAGE_BYTES - 256
_encode = msgspec.json.Encoder().encode


class _Head(msgspec.Struct, array_like=True):
    pages: int
    parts: int
    rows: int


class _Part(msgspec.Struct, array_like=True):
    number: int
    id: str
    components: dict[str, dict[str, Any]]


class _Row(msgspec.Struct, array_like=True):
    parent: int
    part: int
    name: str | None
    x: float
    y: float
    rotation: float
    scale: float | tuple[float, float]


class _Page(msgspec.Struct, array_like=True):
    head: _Head | int
    parts: list[_Part]
    rows: list[_Row]
    needs: list[Asset]
    files: list[str]


_decode: Final = msgspec.json.Decoder(_Page).decode


def encode_prefab(prefab: Prefab) -> tuple[bytes, ...]:
    """The pages of a prefab, each of at most `PAGE_BYTES`.

    What children need, and what they were built from, is written for the prefab as a whole.

    Raises:
        AssetTooLargeError: A single component is larger than a page.

    Any thread.
    """
    writer = _Writer()
    writer.part(prefab)
    for need in prefab.needs:
        writer.add(_NEEDS, _encode(need))
    for file in prefab.built_from:
        writer.add(_FILES, _encode(file))
    return writer.pages()


_PARTS, _ROWS, _NEEDS, _FILES = range(4)


class _Writer:
    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._lists: tuple[list[bytes], ...] = ([], [], [], [])
        self._full: list[tuple[list[bytes], ...]] = []
        self._size = 0
        self._rows = 0

    def add(self, kind: int, record: bytes) -> None:
        if self._size + len(record) + 1 > _ROOM:
            self._full.append(self._lists)
            self._lists = ([], [], [], [])
            self._size = 0
        self._lists[kind].append(record)
        self._size += len(record) + 1

    def part(self, prefab: Prefab) -> int:
        """Write a part, then its rows, each behind the part that it places."""
        known = self._numbers.get(id(prefab))
        if known is not None:
            return known
        number = self._numbers[id(prefab)] = len(self._numbers)
        record = _encode(_Part(number, prefab.id, prefab.components))
        if len(record) + 1 <= _ROOM:
            self.add(_PARTS, record)
        else:
            for name, fields in prefab.components.items():
                piece = _encode(_Part(number, prefab.id, {name: fields}))
                if len(piece) + 1 > _ROOM:
                    raise AssetTooLargeError(
                        f"the component {name} has {len(piece):,} bytes of data, over {_ROOM:,}",
                        path=prefab.id,
                        hint="put large data into a file of its own, and name that",
                    )
                self.add(_PARTS, piece)
        for child in prefab.children:
            part = self.part(child.prefab)
            place = child.placement
            row = _Row(number, part, child.name, *place.at, place.rotation, place.scale)
            self.add(_ROWS, _encode(row))
            self._rows += 1
        return number

    def pages(self) -> tuple[bytes, ...]:
        pages = [*self._full, self._lists]
        head = _encode(_Head(len(pages), len(self._numbers), self._rows))
        return tuple(
            b"[%b,%b]"
            % (
                b"%d" % number if number else head,
                b",".join(b"[%b]" % b",".join(records) for records in lists),
            )
            for number, lists in enumerate(pages)
        )


class PrefabAssembler:
    """Puts a prefab together from its pages, one after the other.

    Example:
        >>> pages = encode_prefab(Prefab("prefabs/rock.ron", {"Tags": {"names": ["grey"]}}))
        >>> assembler = PrefabAssembler()
        >>> for page in pages:
        ...     new_children = assembler.feed(page)
        >>> assembler.prefab.id
        'prefabs/rock.ron'

    Attributes:
        children: The children of the prefab itself that have come so far.
        pages: How many pages there are; known from the first one on.
        fed: How many pages have come.

    One thread at a time.
    """

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.pages = 0
        self.fed = 0
        self._head: _Head | None = None
        self._parts: list[_Part] = []
        self._rows: dict[int, list[Child]] = {0: self.children}
        self._built: dict[int, Prefab] = {}
        self._row_count = 0
        self._needs: list[Asset] = []
        self._files: list[str] = []

    def feed(self, page: bytes) -> list[Child]:
        """Take the next page; gives the children that came with it.

        Raises:
            StoreError: The page does not continue this prefab.
        """
        try:
            content = _decode(page)
            number = content.head if isinstance(content.head, int) else 0
            if number != self.fed:
                raise StoreError("a page of a prefab is out of order")
            if isinstance(content.head, _Head):
                self._head = content.head
                self.pages = content.head.pages
            self.fed += 1
            before = len(self.children)
            for part in content.parts:
                if part.number == len(self._parts):
                    self._parts.append(part)
                else:
                    self._parts[part.number].components.update(part.components)
            for row in content.rows:
                # A part that was placed is finished, and one that never came has no rows.
                if not 0 <= row.parent < len(self._parts) or row.parent in self._built:
                    raise IndexError("a row stands in a part that is not open")
                placement = Placement((row.x, row.y), row.rotation, row.scale)
                child = Child(row.name, placement, self._part(row.part))
                self._rows.setdefault(row.parent, []).append(child)
        except (msgspec.MsgspecError, IndexError, ValueError) as error:
            raise StoreError(f"a page of a prefab is damaged: {error}") from error
        self._row_count += len(content.rows)
        self._needs += content.needs
        self._files += content.files
        return self.children[before:]

    @property
    def components(self) -> dict[str, dict[str, Any]]:
        """The components of the prefab itself that have come so far."""
        return self._parts[0].components if self._parts else {}

    @property
    def prefab(self) -> Prefab:
        """The whole prefab.

        Raises:
            StoreError: Pages are missing.
        """
        head = self._head
        if (
            not self._parts
            or head is None
            or (self.fed, len(self._parts), self._row_count)
            != (
                head.pages,
                head.parts,
                head.rows,
            )
        ):
            raise StoreError(f"{self.fed} of {self.pages or '?'} pages of a prefab have come")
        root = self._parts[0]
        return Prefab(
            root.id,
            root.components,
            tuple(self.children),
            tuple(self._needs),
            tuple(self._files),
        )

    def _part(self, number: int) -> Prefab:
        known = self._built.get(number)
        if known is None:
            if number <= 0:
                raise IndexError("a part that contains the whole")
            part = self._parts[number]
            children = tuple(self._rows.pop(number, ()))
            known = self._built[number] = Prefab(part.id, part.components, children)
        return known


def decode_prefab(pages: Iterable[bytes] | Iterator[bytes]) -> Prefab:
    """The prefab of its pages.

    Raises:
        StoreError: Pages are missing, damaged or out of order.

    Any thread.
    """
    assembler = PrefabAssembler()
    for page in pages:
        assembler.feed(page)
    return assembler.prefab
