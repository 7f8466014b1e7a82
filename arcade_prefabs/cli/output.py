"""Prints tables, trees and progress: with rich on a terminal, as plain text elsewhere.

A pipe, a file or a log of continuous integration gets plain text without colour codes.
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

# Seconds between two lines of progress, without a progress bar.
_LINE_S: Final = 2.0
# The width of the file name beside the progress bar, in columns.
_CURRENT: Final = 40


@dataclass(slots=True)
class Node:
    """A line of a tree, with its child lines."""

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
    """Prints a message, and escapes control characters, which file names may contain.

    Args:
        text: The message.
        lines: Whether line breaks separate lines, as in errors; otherwise they are part of a file
            name, and are escaped.
        end: Printed after the message.
        file: The stream; by default the standard output.
        flush: Whether to flush the stream.
    """
    parts = text.split("\n") if lines else [text]
    print("\n".join([shown(part, None) for part in parts]), end=end, file=file, flush=flush)


class Printer:
    """Prints to the standard output: with rich on a terminal, otherwise as plain text."""

    def __init__(self) -> None:
        self._console = _console(sys.stdout)

    def line(self, text: str = "") -> None:
        """Prints one line."""
        print(shown(text, None))

    def heading(self, text: str) -> None:
        """Prints the title of a section."""
        text = shown(text, None)
        if self._console is None:
            print(f"\n{text}")
        else:
            self._console.print(f"\n{text}", style="bold", soft_wrap=True)

    def table(self, rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> None:
        """Prints rows of cells in columns; with a header, numbers are aligned at the right."""
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
        """Prints a tree."""
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
def progress(activity: str) -> Generator[OnProgress | None]:
    """Shows the progress of an activity on the standard error, if that is a terminal.

    Yields:
        The function that is called with the progress; None without a terminal.
    """
    if not _is_terminal(sys.stderr):
        yield None
        return
    console = _console(sys.stderr)
    if console is None or not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(activity)
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
        task = bar.add_task(activity, total=None, current="")

        def advance(now: BakeProgress) -> None:
            current = cells.set_cell_size(shown(now.current, None), _CURRENT).rstrip()
            bar.update(task, completed=now.done, total=now.total, current=current)

        yield advance


class _Lines:
    """Prints the progress as a line every two seconds, on a terminal without rich."""

    def __init__(self, activity: str) -> None:
        self._activity = activity
        self._next = time.monotonic() + _LINE_S

    def __call__(self, now: BakeProgress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_S
            print(f"{self._activity} {now.done:,} of {now.total:,}", file=sys.stderr, flush=True)


def print_json(value: Any, *, line: bool = False) -> None:
    """Prints a JSON value in ASCII, which every pipe can carry; in one line or indented."""
    print(json.dumps(value, indent=None if line else 2), flush=line)


# -------------------------------------------------------------------------------------------- words


def amount(size: int | None) -> str:
    """Formats a number of bytes: ``512 bytes``, ``12.3 kB``, ``4.0 MB``; ``unknown`` for None."""
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
    """Formats a time: ``0.8 ms``, ``2.31 s``, ``3 min 5 s``; ``unknown`` for None."""
    if seconds is None:
        return "unknown"
    if seconds < 0.9995:
        return f"{seconds * 1000:.{1 if seconds < 0.1 else 0}f} ms"
    if seconds < 119.995:
        return f"{seconds:.2f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


# -------------------------------------------------------------------------------------------- inner


def _console(stream: IO[str]) -> Console | None:
    """Returns rich's console, or None if rich is missing or the stream is no terminal."""
    if not _is_terminal(stream):
        return None
    try:
        import rich  # noqa: F401  # fails if rich is missing but its modules are in sys.modules
        from rich.console import Console
    except ImportError:
        return None
    # Texts contain names from files: brackets in them are no markup.
    return Console(file=stream, markup=False, emoji=False, highlight=False)


def _is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # the stream is closed
        return False


def _is_number(text: str) -> bool:
    """Whether a cell is a number, with or without a unit."""
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
