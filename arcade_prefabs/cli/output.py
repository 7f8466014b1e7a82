"""What is printed: tables, trees and progress, with rich on a terminal and as plain text elsewhere.

A pipe, a file or a continuous integration log gets plain text, without a colour code in it.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final

from ..errors import columns, shown
from ..pipeline import BakeProgress
from ..pipeline.bake.baker import OnProgress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

__all__ = ["Node", "Printer", "amount", "duration", "print_json", "progress", "say"]

# Seconds between two lines of progress where there is no bar.
_LINE_S: Final = 2.0
# Columns of the file that the progress bar names.
_CURRENT: Final = 40


@dataclass(slots=True)
class Node:
    """A line of a tree, and the lines below it."""

    text: str
    children: list[Node] = field(default_factory=list)


def say(
    text: str,
    *,
    lines: bool = False,
    end: str = "\n",
    file: IO[str] | None = None,
    flush: bool = False,
) -> None:
    """Print a message; what the names in it hold reaches a terminal as text only.

    With ``lines`` the text has line breaks of its own, as errors have; without, a line break is
    part of a name and is escaped.
    """
    parts = text.split("\n") if lines else [text]
    print("\n".join([shown(part, None) for part in parts]), end=end, file=file, flush=flush)


class Printer:
    """Prints to the standard output, as nicely as it can be read there."""

    def __init__(self) -> None:
        self._console = _console(sys.stdout)

    def line(self, text: str = "") -> None:
        """One line."""
        print(shown(text, None))

    def heading(self, text: str) -> None:
        """The title of what follows."""
        text = shown(text, None)
        if self._console is None:
            print(f"\n{text}")
        else:
            self._console.print(f"\n{text}", style="bold", soft_wrap=True)

    def table(self, rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> None:
        """Rows of cells; in columns that are named, numbers stand at the right."""
        cells = [[shown(cell, None) for cell in row] for row in rows]
        if self._console is None:
            _plain_table(cells, header)
            return
        from rich.table import Table

        table = Table(show_header=bool(header), box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for number in range(max(map(len, cells), default=0)):
            right = bool(header) and all(_is_number(row[number]) for row in cells)
            name = header[number] if header else ""
            style = "bold" if not header and not number else None
            table.add_column(
                name, justify="right" if right else "left", style=style, overflow="fold"
            )
        for row in cells:
            table.add_row(*row)
        self._console.print(table)

    def tree(self, nodes: Sequence[Node]) -> None:
        """Lines below lines."""
        if self._console is None:
            for text, depth in _flat(nodes):
                print(f"{'  ' * (depth + 1)}{shown(text, None)}")
            return
        from rich.text import Text
        from rich.tree import Tree

        def grow(tree: Tree, below: Sequence[Node]) -> None:
            for node in below:
                grow(tree.add(Text(shown(node.text, None))), node.children)

        root = Tree("", hide_root=True)
        grow(root, nodes)
        self._console.print(root)


@contextlib.contextmanager
def progress(what: str) -> Generator[OnProgress | None]:
    """Shows on the standard error how far something has come; nothing where nobody looks at it."""
    if not _is_terminal(sys.stderr):
        yield None
        return
    console = _console(sys.stderr)
    if console is None or not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(what)
        return
    from rich import cells
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
        bars.TextColumn("{task.fields[current]}", markup=False),
    )
    with bars.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None, current="")

        def advance(now: BakeProgress) -> None:
            current = cells.set_cell_size(shown(now.current, None), _CURRENT).rstrip()
            bar.update(task, completed=now.done, total=now.total, current=current)

        yield advance


class _Lines:
    """Progress as a line now and then."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + _LINE_S

    def __call__(self, now: BakeProgress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_S
            print(f"{self._what} {now.done:,} of {now.total:,}", file=sys.stderr, flush=True)


def print_json(value: Any, *, line: bool = False) -> None:
    """A JSON value, in a line of its own or over many; only ASCII, so that any pipe takes it."""
    print(json.dumps(value, indent=None if line else 2), flush=line)


# -------------------------------------------------------------------------------------------- words


def amount(size: int | None) -> str:
    """A number of bytes as people read it: ``512 bytes``, ``12.3 kB``, ``4.0 MB``."""
    if size is None:
        return "unknown"
    if size < 1000:
        return f"{size} byte{'' if size == 1 else 's'}"
    value = size / 1000
    units = ["TB", "GB", "MB", "kB"]
    while value >= 999.95 and len(units) > 1:
        value /= 1000
        units.pop()
    return f"{value:,.1f} {units[-1]}"


def duration(seconds: float | None) -> str:
    """A time as people read it: ``0.8 ms``, ``2.31 s``, ``3 min 5 s``."""
    if seconds is None:
        return "unknown"
    if seconds < 0.9995:
        return f"{seconds * 1000:.{1 if seconds < 0.1 else 0}f} ms"
    if seconds < 119.995:
        return f"{seconds:.2f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


# -------------------------------------------------------------------------------------------- inner


def _console(stream: IO[str]) -> Console | None:
    """Rich's console, where it is installed and the stream is a terminal."""
    if not _is_terminal(stream):
        return None
    try:
        import rich  # noqa: F401  # the package first: what it holds may be loaded without it
        from rich.console import Console
    except ImportError:
        return None
    # Texts are other people's: nothing in them is markup.
    return Console(file=stream, markup=False, emoji=False, highlight=False)


def _is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


def _is_number(text: str) -> bool:
    """Whether a cell is a number, perhaps with its unit."""
    return text.partition(" ")[0].replace(",", "").replace(".", "").isdecimal()


def _flat(nodes: Sequence[Node]) -> Iterator[tuple[str, int]]:
    todo = [(node, 0) for node in reversed(nodes)]
    while todo:
        node, depth = todo.pop()
        yield node.text, depth
        todo += [(child, depth + 1) for child in reversed(node.children)]


def _plain_table(rows: list[list[str]], header: Sequence[str]) -> None:
    lines = [list(header), *rows] if header else rows
    widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
    right = [bool(header) and all(_is_number(row[n]) for row in rows) for n in range(len(widths))]
    for line in lines:
        padded = []
        for cell, room, at_right in zip(line, widths, right, strict=True):
            space = " " * (room - columns(cell))
            padded.append(space + cell if at_right else cell + space)
        print(f"  {'  '.join(padded)}".rstrip())
