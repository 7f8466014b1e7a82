"""`ChangeJournal`: what the game changed of a world, from the main thread to the file and back.

The main thread never waits for the disk. What it enters is known here until it is committed and
nobody reads the cells that it concerns; so a cell that is read meanwhile misses nothing.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, Final, Protocol

from ...errors import SaveError
from ...frames.awaitables import Completion
from ...pipeline import WorldEntity
from .save_file import SavedCell, SavedEntity, SaveFile

__all__ = [
    "ChangeJournal",
    "InlineWriter",
    "SaveRequest",
    "SavedCellLoad",
    "ThreadWriter",
    "Writer",
]

_log = logging.getLogger("arcade_prefabs")

# Seconds after which what happened is on the disk, and the number of entities that makes it sooner.
_EVERY_S: Final = 1.0
_MANY: Final = 500
# After a write that failed: the disk may have room again.
_RETRY_S: Final = 5.0


class Writer(Protocol):
    """Does what the disk takes time for."""

    def submit(self, work: Callable[[], None]) -> None:
        """Have something done, after all that was submitted before. Main thread."""
        ...

    def close(self, seconds: float, late: Callable[[], None]) -> bool:
        """End it once everything is done; whether that was within the time.

        Args:
            seconds: How long to wait.
            late: Called once everything is done, if that takes longer.
        """
        ...


class ThreadWriter:
    """Writes in a thread of its own."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[], None]) -> None:
        """See `Writer`."""
        self._queue.put(work)
        if self._thread is None:
            # It ends with the process even if the disk never answers.
            self._thread = threading.Thread(
                target=self._run, name="arcade_prefabs saves", daemon=True
            )
            self._thread.start()

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()

    def close(self, seconds: float, late: Callable[[], None]) -> bool:
        """See `Writer`."""
        thread = self._thread
        if thread is None:
            return True
        self._queue.put(None)
        thread.join(seconds)
        if not thread.is_alive():
            return True

        def wait() -> None:
            thread.join()
            late()

        threading.Thread(target=wait, name="arcade_prefabs saves", daemon=True).start()
        return False


class InlineWriter:
    """Writes at once, in the thread that asks for it; for tests."""

    def submit(self, work: Callable[[], None]) -> None:
        """See `Writer`."""
        work()

    def close(self, seconds: float, late: Callable[[], None]) -> bool:  # noqa: ARG002
        """See `Writer`."""
        return True


class SavedCellLoad:
    """What is kept of a cell, while a loader thread reads it.

    Attributes:
        rows: The entities that the cell's content tells of.
        names: Their ids.
        prefabs: What they are.
        record: What was read.
        error: Why it could not be, or None.
        wanted: Whether anybody still waits for it.
    """

    __slots__ = ("error", "label", "names", "prefabs", "record", "rows", "serial", "wanted")

    def __init__(self, label: str, rows: Sequence[WorldEntity], serial: int) -> None:
        self.label = label
        self.rows = rows
        self.names: dict[str, None] = {}
        self.prefabs: dict[str, None] = {}
        self.serial = serial
        self.record: SavedCell | None = None
        self.error: Exception | None = None
        self.wanted = True

    @property
    def done(self) -> bool:
        """Whether there is nothing to wait for. Any thread."""
        return self.record is not None or self.error is not None


class SaveRequest:
    """A save that was asked for.

    Attributes:
        entities: How many entities the save has something to tell of.
        error: Why it failed, or None; what was saved before stays then.

    Main thread.
    """

    def __init__(self) -> None:
        self.entities = 0
        self.error: Exception | None = None
        self._completion = Completion()

    @property
    def done(self) -> bool:
        """Whether it ended."""
        return self._completion.done

    def end(self, entities: int, error: Exception | None) -> None:
        """Note how it ended, and tell whoever waits."""
        self.entities, self.error = entities, error
        self._completion.finish()

    def __await__(self) -> Generator[Any, Any, int]:
        """Wait until it has ended; in a script of the plugin, or in asyncio.

        Raises:
            SaveError: It failed.
        """
        yield from self._completion.wait()
        return self.result()

    def result(self) -> int:
        """How many entities the save has something to tell of.

        Raises:
            SaveError: It failed, or has not ended.
        """
        if self.error is not None:
            raise self.error
        if not self.done:
            raise SaveError("the game is not saved yet: await it, or ask `done` before")
        return self.entities

    def add_done_callback(self, callback: Callable[[SaveRequest], object]) -> None:
        """Call something with it, on the main thread, once it has ended."""
        self._completion.listen(lambda: callback(self))


class ChangeJournal:
    """Knows what changed, and has it written.

    Args:
        file: Where to.
        background: Has something short done by a loader thread.
        writer: Who writes.
        clock: Seconds.

    Attributes:
        time: The world's time, in seconds.
        added: How many entities were ever added to the world.
        error: Why the last write failed; None once one has succeeded again.

    Main thread.
    """

    def __init__(
        self,
        file: SaveFile,
        *,
        background: Callable[[Callable[[], None]], None],
        writer: Writer,
        clock: Callable[[], float],
    ) -> None:
        self.file = file
        facts = file.facts()
        self.time = float(facts.get("time") or 0.0)
        self.added = int(facts.get("added") or 0)
        self.error: SaveError | None = None
        self._background = background
        self._writer = writer
        self._clock = clock
        self._rows: dict[
            str, SavedEntity
        ] = {}  # the newest of each entity, as long as it is needed
        self._new: dict[str, None] = {}  # those that are not on their way to the file
        self._by_cell: dict[str, dict[str, None]] = {}
        self._left: dict[str, float] = {}
        self._new_left: dict[str, None] = {}
        self._reading: dict[int, SavedCellLoad] = {}
        self._serial = 0  # of the last read
        # What is in the file, with the last read that had begun before: those may not have seen it.
        self._committed: deque[tuple[int, list[SavedEntity], dict[str, float]]] = deque()
        self._writes = 0
        self._next_write = 0.0
        self._saving: list[SaveRequest] = []
        self._done: deque[Callable[[], None]] = deque()  # filled by the writer

    # ---------------------------------------------------------------------------------------- read

    def read(self, label: str, rows: Sequence[WorldEntity]) -> SavedCellLoad:
        """Begin to read what is kept of a cell; `forget_read` when it is needed no more.

        Args:
            label: The cell.
            rows: The entities that its content tells of.
        """
        self._serial += 1
        found = SavedCellLoad(label, rows, self._serial)
        self._reading[self._serial] = found
        self._background(partial(_read, self.file, found))
        return found

    def forget_read(self, read: SavedCellLoad) -> None:
        """What was read has been used, or is not wanted any more."""
        read.wanted = False
        self._reading.pop(read.serial, None)
        self._sweep()

    def merged(self, read: SavedCellLoad) -> SavedCell:
        """What was read of a cell, with what has happened since."""
        label = read.label
        record = read.record or SavedCell((), None)
        rows = {row.id: self._rows.get(row.id, row) for row in record.rows}
        for name in self._by_cell.get(label, ()):
            rows[name] = self._rows[name]
        if self._rows:
            for name in self._rows.keys() & read.names.keys():
                rows[name] = self._rows[name]
        left = self._left.get(label, record.left_at)
        return SavedCell(tuple(rows.values()), left, record.older)

    def known(self, name: str) -> SavedEntity | None:
        """The newest that is known of an entity, without the file."""
        return self._rows.get(name)

    def known_in(self, label: str) -> list[SavedEntity]:
        """The newest that is known of entities in a cell, without the file."""
        rows = [self._rows[name] for name in self._by_cell.get(label, ())]
        return [row for row in rows if row.cell == label]

    # --------------------------------------------------------------------------------------- enter

    def enter(self, row: SavedEntity) -> None:
        """An entity has changed, moved, or is gone."""
        old = self._rows.get(row.id)
        if old is not None:
            self._unlist(old)
        self._rows[row.id] = row
        self._new[row.id] = None
        for label in _labels(row):
            self._by_cell.setdefault(label, {})[row.id] = None

    def left(self, label: str) -> None:
        """A cell was unloaded now."""
        self._left[label] = self.time
        self._new_left[label] = None

    def _unlist(self, row: SavedEntity) -> None:
        for label in _labels(row):
            if label in self._by_cell:
                self._by_cell[label].pop(row.id, None)
                if not self._by_cell[label]:
                    del self._by_cell[label]

    # --------------------------------------------------------------------------------------- write

    def tick(self) -> None:
        """See what was written, and have written what has waited long enough."""
        while self._done:
            self._done.popleft()()
        if not (self._new or self._new_left) or self._writes:
            return
        now = self._clock()
        if len(self._new) >= _MANY or now >= self._next_write:
            self.flush()

    def flush(self) -> None:
        """Have everything written that is not yet."""
        self._next_write = self._clock() + _EVERY_S
        rows, left = self._take()
        self._submit(rows, left, None)

    def save(self, request: SaveRequest) -> None:
        """Have everything written, and saved."""
        self._saving.append(request)
        rows, left = self._take()
        self._submit(rows, left, request)

    def _take(self) -> tuple[list[SavedEntity], dict[str, float]]:
        rows = [self._rows[name] for name in self._new]
        left = {label: self._left[label] for label in self._new_left}
        self._new.clear()
        self._new_left.clear()
        return rows, left

    def _submit(
        self, rows: list[SavedEntity], left: dict[str, float], request: SaveRequest | None
    ) -> None:
        self._writes += 1
        file = self.file
        facts = {"time": self.time, "added": self.added}

        def work() -> None:
            count, error = 0, None
            try:
                if request is None:
                    file.write(rows, left, facts)
                else:
                    count = file.save(rows, left, facts)
            except SaveError as caught:
                error = caught
            except Exception as caught:
                error = SaveError(f"the save {file.path} cannot be written: {caught!r}")
            self._done.append(partial(self._written, rows, left, request, count, error))

        self._writer.submit(work)

    def _written(
        self,
        rows: list[SavedEntity],
        left: dict[str, float],
        request: SaveRequest | None,
        count: int,
        error: SaveError | None,
    ) -> None:
        self._writes -= 1
        if error is None:
            self.error = None
            self._committed.append((self._serial, rows, left))
            self._sweep()
        else:
            if self.error is None:
                _log.error("%s; it is tried again", error)
            self.error = error
            self._next_write = self._clock() + _RETRY_S
            for row in rows:
                if row.id in self._rows:
                    self._new[row.id] = None
            for label in left:
                self._new_left[label] = None
        if request is not None:
            self._saving.remove(request)
            request.end(count, error)

    def _sweep(self) -> None:
        """Forget what is in the file, and was so before any read began that goes on."""
        oldest = min(self._reading, default=self._serial + 1)
        while self._committed and self._committed[0][0] < oldest:
            _, rows, left = self._committed.popleft()
            for row in rows:
                if self._rows.get(row.id) is row and row.id not in self._new:
                    self._unlist(row)
                    del self._rows[row.id]
            for label, seconds in left.items():
                if self._left.get(label) == seconds and label not in self._new_left:
                    del self._left[label]

    @property
    def waiting(self) -> int:
        """How many entities are not in the file yet."""
        return len(self._new)

    def close(self, seconds: float, *, save: bool) -> None:
        """Wait until everything is written that was on its way, and close the file.

        Args:
            seconds: How long to wait; the file is closed later if that was not enough.
            save: Whether to keep what happened since the last save if it could not be saved.

        Raises:
            SaveError: What was not saved cannot be kept, or not be forgotten.
        """
        done = self._writer.close(seconds, partial(_close, self.file, discard=not save))
        while self._done:
            self._done.popleft()()
        for request in list(self._saving):
            request.end(0, SaveError("the world was closed before the game was saved"))
        if done:
            self.file.close(discard=not save)


def _labels(row: SavedEntity) -> tuple[str, ...]:
    """The cells that a row concerns."""
    return tuple(dict.fromkeys(one for one in (row.home, row.cell) if one is not None))


def _close(file: SaveFile, *, discard: bool) -> None:
    try:
        file.close(discard=discard)
    except SaveError as error:
        _log.error("%s", error)


def _read(file: SaveFile, found: SavedCellLoad) -> None:
    if not found.wanted:  # the player has turned; others wait behind it
        return
    try:
        # Done here, for a cell may have thousands.
        found.prefabs = dict.fromkeys(row.prefab for row in found.rows)
        found.names = dict.fromkeys(row.id for row in found.rows)
        found.record = file.cell(found.label, tuple(found.names))
    except Exception as error:
        found.error = error
