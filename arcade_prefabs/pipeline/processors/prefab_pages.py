"""Encodes a prefab with all its parts in pages of bounded size, and decodes it.

A prefab is a tree in which the same prefab may occur many times: a hundred crates in a warehouse
are one part and a hundred rows with transforms. A row refers only to parts in its own page or in
earlier ones, so that children can be used while later pages are still being read::

    page:  [head | number, [part, ...], [row, ...], [need, ...], [file, ...]]
    head:  [pages, parts, rows]
    part:  [number, id, {component: fields}]          number 0 is the prefab itself
    row:   [parent, part, name, x, y, angle, scale]

A part with many components may be written in several records with the same number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from ...errors import AssetTooLargeError, StoreError
from ...prefab.document import Transform
from ...prefab.model import Child, Dependency, Prefab
from ..model.processor import PAGE_BYTES

__all__ = [
    "LARGEST_PREFAB",
    "PackedPart",
    "PackedPrefab",
    "PrefabAssembler",
    "decode_prefab",
    "encode_prefab",
]

# The bytes of a page for records, without the brackets, commas and head around them.
_ROOM: Final = PAGE_BYTES - 256
_encode = msgspec.json.Encoder().encode

LARGEST_PREFAB: Final = 8 * 1024 * 1024
"""The most bytes of all pages of a prefab. Each child that changes its prefab is written as a part
of its own, so that ten thousand changes of a large prefab would be ten thousand large parts; and a
worker holds those of a whole batch."""


class _Head(msgspec.Struct, array_like=True):
    pages: int
    parts: int
    rows: int


class _Part(msgspec.Struct, array_like=True):
    number: int
    id: str
    components: msgspec.Raw


class _Row(msgspec.Struct, array_like=True):
    parent: int
    part: int
    name: str | None
    x: float
    y: float
    angle: float
    scale: float | tuple[float, float]


class _Page(msgspec.Struct, array_like=True):
    head: _Head | int
    parts: list[_Part]
    rows: list[_Row]
    needs: msgspec.Raw
    files: list[str]


_decode: Final = msgspec.json.Decoder(_Page).decode
_Components: TypeAlias = dict[str, dict[str, Any]]
_decode_components: Final = msgspec.json.Decoder(_Components).decode
_decode_needs: Final = msgspec.json.Decoder(list[Dependency]).decode
_T = TypeVar("_T")


class PackedPart(Prefab, frozen=True, gc=False, eq=False, kw_only=True):
    """A prefab whose components are decoded on each access.

    A cache of thousands of prefabs needs half of the memory that way. It also has few objects for
    the garbage collector, which stops the game while it visits them. Each access to `components`
    returns new dicts, so that no caller can change another one's.

    Attributes:
        packed: The components as JSON, a line for each record.
        packed_needs: The dependencies as JSON, a line for each page.
    """

    packed: bytes = b""
    packed_needs: bytes = b""

    @property  # type: ignore[misc]  # read-only in the base, too
    def components(self) -> _Components:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The fields of each component, by component name; decoded on each access.

        Raises:
            StoreError: The page with the components was damaged.
        """
        found: _Components = {}
        for piece in self.packed.split(b"\n"):
            found.update(_unpacked(_decode_components, piece))
        return found

    @property  # type: ignore[misc]  # read-only in the base, too
    def needs(  # pyright: ignore[reportIncompatibleVariableOverride]
        self,
    ) -> tuple[Dependency, ...]:
        """The dependencies at run time; decoded on each access.

        Raises:
            StoreError: The page with the dependencies was damaged.
        """
        return tuple(
            one
            for piece in self.packed_needs.split(b"\n")
            if piece
            for one in _unpacked(_decode_needs, piece)
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Prefab):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Prefab.__struct_fields__)

    def __hash__(self) -> int:
        return hash(self.id)


class PackedPrefab(PackedPart, frozen=True, gc=True, weakref=True, eq=False):
    """A whole `PackedPart`, not a child's; it supports weak references."""

    __hash__ = PackedPart.__hash__


def _unpacked(decode: Callable[[bytes], _T], piece: bytes) -> _T:
    try:
        return decode(piece)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"a page of a prefab is damaged: {error}") from error


def encode_prefab(prefab: Prefab) -> tuple[bytes, ...]:
    """Returns the pages of a prefab, each of at most `PAGE_BYTES`.

    Dependencies and source files of the children are written once, for the whole prefab.

    Raises:
        AssetTooLargeError: A component is larger than a page, or the whole prefab larger than
            `LARGEST_PREFAB`.

    Any thread.
    """
    writer = _Writer(prefab.id)
    writer.part(prefab)
    for need in prefab.needs:
        writer.add(_NEEDS, _encode(need))
    for file in prefab.built_from:
        writer.add(_FILES, _encode(file))
    return writer.pages()


_PARTS, _ROWS, _NEEDS, _FILES = range(4)


class _Writer:
    def __init__(self, identifier: str) -> None:
        self._id = identifier
        self._numbers: dict[int, int] = {}
        self._lists: tuple[list[bytes], ...] = ([], [], [], [])
        self._full: list[tuple[list[bytes], ...]] = []
        self._size = 0
        self._rows = 0
        self._total = 0

    def add(self, kind: int, record: bytes) -> None:
        self._total += len(record) + 1
        if self._total > LARGEST_PREFAB:
            raise AssetTooLargeError(
                f"it has over {LARGEST_PREFAB:,} bytes of data, with all parts inside it",
                path=self._id,
                hint="each changed part is written again: put large data into a file of its own",
            )
        if self._size + len(record) + 1 > _ROOM:
            self._full.append(self._lists)
            self._lists = ([], [], [], [])
            self._size = 0
        self._lists[kind].append(record)
        self._size += len(record) + 1

    def part(self, prefab: Prefab) -> int:
        """Writes a part and the parts and rows of its children; returns its number."""
        written = self._numbers.get(id(prefab))
        if written is not None:
            return written
        number = self._numbers[id(prefab)] = len(self._numbers)
        record = _encode((number, prefab.id, prefab.components))
        if len(record) + 1 <= _ROOM:
            self.add(_PARTS, record)
        else:
            for name, fields in prefab.components.items():
                piece = _encode((number, prefab.id, {name: fields}))
                if len(piece) + 1 > _ROOM:
                    raise AssetTooLargeError(
                        f"the component {name} has {len(piece):,} bytes of data, over {_ROOM:,}",
                        path=prefab.id,
                        hint="put large data into a file of its own, and name that",
                    )
                self.add(_PARTS, piece)
        for child in prefab.children:
            part = self.part(child.prefab)
            transform = child.placement
            place = (*transform.position, transform.angle, transform.scale)
            row = _Row(number, part, child.name, *place)
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
    """Decodes a prefab from its pages, one after the other.

    Example:
        >>> pages = encode_prefab(Prefab("prefabs/rock.ron", {"Tags": {"names": ["grey"]}}))
        >>> assembler = PrefabAssembler()
        >>> for page in pages:
        ...     new_children = assembler.feed(page)
        >>> assembler.prefab.id
        'prefabs/rock.ron'

    Args:
        packed: Whether to make a `PackedPrefab`. Its components are not checked here; damage shows
            when they are built.

    Attributes:
        children: The prefab's own children in the pages so far.
        pages: How many pages there are; known after the first one.
        fed: How many pages were fed.

    One thread at a time.
    """

    def __init__(self, *, packed: bool = False) -> None:
        self.children: list[Child] = []
        self._lazy = packed
        self.pages = 0
        self.fed = 0
        self._head: _Head | None = None
        self._parts: list[_Part] = []
        self._pieces: list[list[bytes]] = []
        self._rows: dict[int, list[Child]] = {0: self.children}
        self._built: dict[int, Prefab] = {}
        self._row_count = 0
        self._needs: list[bytes] = []
        self._files: list[str] = []

    def feed(self, page: bytes) -> list[Child]:
        """Decodes the next page; returns the prefab's own children in it.

        Raises:
            StoreError: The page is damaged, or is not the next one of this prefab.
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
                    self._pieces.append([bytes(part.components)])
                else:
                    self._pieces[part.number].append(bytes(part.components))
            for row in content.rows:
                # A part must be complete before a row refers to it, and exist before it has rows.
                if not 0 <= row.parent < len(self._parts) or row.parent in self._built:
                    raise IndexError("a row stands in a part that is not open")
                placement = Transform((row.x, row.y), row.angle, row.scale)
                child = Child(row.name, placement, self._part(row.part))
                self._rows.setdefault(row.parent, []).append(child)
        except (msgspec.MsgspecError, IndexError, ValueError) as error:
            raise StoreError(f"a page of a prefab is damaged: {error}") from error
        self._row_count += len(content.rows)
        needs = bytes(content.needs)
        if needs != b"[]":
            self._needs.append(needs)
        self._files += content.files
        return self.children[before:]

    @property
    def components(self) -> dict[str, dict[str, Any]]:
        """The prefab's own components in the pages so far."""
        return self._made(0, (), (), ()).components if self._parts else {}

    @property
    def prefab(self) -> Prefab:
        """The complete prefab.

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
        return self._made(0, tuple(self.children), tuple(self._needs), tuple(self._files))

    def _made(
        self,
        number: int,
        children: tuple[Child, ...],
        needs: tuple[bytes, ...],
        files: tuple[str, ...],
    ) -> Prefab:
        cls = PackedPart if number else PackedPrefab
        identifier, packed = self._parts[number].id, b"\n".join(self._pieces[number])
        made = cls(
            identifier, {}, children, (), files, packed=packed, packed_needs=b"\n".join(needs)
        )
        if self._lazy:
            return made
        return Prefab(identifier, made.components, children, made.needs, files)

    def _part(self, number: int) -> Prefab:
        part = self._built.get(number)
        if part is None:
            if number <= 0:
                raise IndexError("a part that contains the whole")
            children = tuple(self._rows.pop(number, ()))
            part = self._built[number] = self._made(number, children, (), ())
        return part


def decode_prefab(pages: Iterable[bytes] | Iterator[bytes]) -> Prefab:
    """Returns the prefab of these pages.

    Raises:
        StoreError: Pages are missing, damaged or out of order.

    Any thread.
    """
    assembler = PrefabAssembler()
    for page in pages:
        assembler.feed(page)
    return assembler.prefab
