"""`ChangeJournal`: what the game changed of a world, between the main thread and the save file.

**The problem.** Cells are unloaded all the time, and each may have entities that the game has
changed. Their diffs have to be in a file soon (a game may be killed), and have to be there again
when the cell is loaded a moment later. The main thread may wait for neither.

**The way taken.** The main thread enters the newest state of an entity into a dictionary. Once a
second (or sooner, with 500 entities) a writer thread gets what is new, and writes it in one
transaction. Loader threads read the file when a cell is loaded; `merged` then lays the dictionary's
entries over what was read. An entry is dropped only once it is committed and every read that began
before the commit is done: a read that may have seen the old file is always corrected. A write that
failed puts its entries back, to be tried again.

**The ways rejected.** *Keeping all diffs in memory, and writing on save only*: a killed game loses
all since the last save, and memory grows with the world. *Reading on the writer thread, so that
reads see all writes before*: a slow commit would hold up the loading of cells. *A lock around
dictionary and file*: the main thread would wait for the disk.
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

# Seconds between two writes, and the number of changed entities that makes a write due at once.
_EVERY_S: Final = 1.0
_MANY: Final = 500
# Seconds after a write that failed: the disk may have room again.
_RETRY_S: Final = 5.0


class Writer(Protocol):
    """Runs functions that write to the disk, one after the other."""

    def submit(self, work: Callable[[], None]) -> None:
        """Runs a function after all that were submitted before. Main thread."""
        ...

    def close(self, seconds: float, late: Callable[[], None]) -> bool:
        """Waits until all functions have run; returns whether they did so in time. Main thread.

        Args:
            seconds: How long to wait.
            late: Called on another thread once all have run, if that takes longer.
        """
        ...


class ThreadWriter:
    """Runs the functions in a thread of its own, which the first one starts."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[], None]) -> None:
        """Queues a function for the thread."""
        self._queue.put(work)
        if self._thread is None:
            # A daemon: the process can end even if the disk never answers.
            self._thread = threading.Thread(
                target=self._run, name="arcade_prefabs saves", daemon=True
            )
            self._thread.start()

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()

    def close(self, seconds: float, late: Callable[[], None]) -> bool:
        """Waits for the thread, as `Writer.close` says."""
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
    """Runs each function at once, in the calling thread; for tests."""

    def submit(self, work: Callable[[], None]) -> None:
        """Runs the function."""
        work()

    def close(self, seconds: float, late: Callable[[], None]) -> bool:  # noqa: ARG002
        """Returns True: nothing is ever waiting."""
        return True


class SavedCellLoad:
    """What the save file has of a cell, while a loader thread reads it and after.

    Attributes:
        label: The cell's label.
        rows: The entities of the cell in the world's data.
        names: The ids of these entities.
        prefabs: The prefabs of these entities.
        record: What was read; None before.
        error: Why it could not be read, or None.
        wanted: Whether the cell still needs it; otherwise a read that has not begun is skipped.
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
        """Whether the read has ended, well or not. Any thread."""
        return self.record is not None or self.error is not None


class SaveRequest:
    """A save that was asked for; ``await`` it, or give it a callback.

    Attributes:
        entities: The number of changed entities in the save file; 0 until the save has ended.
        error: Why the save failed, or None. A failed save leaves the one before as it is.

    Main thread.
    """

    def __init__(self) -> None:
        self.entities = 0
        self.error: Exception | None = None
        self._completion = Completion()

    @property
    def done(self) -> bool:
        """Whether the save has ended, with or without an error."""
        return self._completion.done

    def end(self, entities: int, error: Exception | None) -> None:
        """Sets the result, and calls the callbacks."""
        self.entities, self.error = entities, error
        self._completion.finish()

    def __await__(self) -> Generator[Any, Any, int]:
        """Waits until the save has ended; in a script of the plugin, or in asyncio.

        Returns:
            How many entities the save file has.

        Raises:
            SaveError: The save failed.
        """
        yield from self._completion.wait()
        return self.result()

    def result(self) -> int:
        """Returns the number of changed entities in the save file.

        Raises:
            SaveError: The save failed, or has not ended.
        """
        if self.error is not None:
            raise self.error
        if not self.done:
            raise SaveError("the game is not saved yet: await the save, or ask `done` first")
        return self.entities

    def add_done_callback(self, callback: Callable[[SaveRequest], object]) -> None:
        """Calls a function with this request, on the main thread, once the save has ended.

        If the save has ended already, the function is called at once.
        """
        self._completion.listen(lambda: callback(self))


class ChangeJournal:
    """Keeps the newest state of changed entities, and has it written to the save file.

    Args:
        file: The save file.
        background: Runs a short function on a loader thread.
        writer: Runs the writes.
        clock: Returns seconds.

    Attributes:
        file: The save file.
        time: The world's time, in seconds.
        added: How many entities the game has ever added without an id of its own.
        error: Why the last write failed; None once a write has succeeded again.

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
        # The newest state of each entity, as long as a read may miss it in the file.
        self._rows: dict[str, SavedEntity] = {}
        self._new: dict[str, None] = {}  # ids of those that were not submitted to the writer
        self._by_cell: dict[str, dict[str, None]] = {}  # ids by the labels of home and cell
        self._left: dict[str, float] = {}  # when each cell was unloaded, in the world's time
        self._new_left: dict[str, None] = {}  # labels of those that were not submitted
        self._reading: dict[int, SavedCellLoad] = {}
        self._serial = 0  # of the last read
        # Committed rows, with the serial of the newest read that may have seen the file before.
        self._committed: deque[tuple[int, list[SavedEntity], dict[str, float]]] = deque()
        self._writes = 0
        self._next_write = 0.0
        self._saving: list[SaveRequest] = []
        self._done: deque[Callable[[], None]] = deque()  # filled by the writer

    # ---------------------------------------------------------------------------------------- read

    def read(self, label: str, rows: Sequence[WorldEntity]) -> SavedCellLoad:
        """Starts to read what the save file has of a cell; call `forget_read` once it is used.

        Args:
            label: The cell's label.
            rows: The entities of the cell in the world's data.
        """
        self._serial += 1
        found = SavedCellLoad(label, rows, self._serial)
        self._reading[self._serial] = found
        self._background(partial(_read, self.file, found))
        return found

    def forget_read(self, read: SavedCellLoad) -> None:
        """Ends the use of what was read, or cancels the read."""
        read.wanted = False
        self._reading.pop(read.serial, None)
        self._sweep()

    def merged(self, read: SavedCellLoad) -> SavedCell:
        """Returns what was read of a cell, updated with all changes since."""
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
        """Returns the newest state of an entity; None if the journal has none. Reads no file."""
        return self._rows.get(name)

    def known_in(self, label: str) -> list[SavedEntity]:
        """Returns the entities that the journal has in a cell. Reads no file."""
        rows = [self._rows[name] for name in self._by_cell.get(label, ())]
        return [row for row in rows if row.cell == label]

    # --------------------------------------------------------------------------------------- enter

    def enter(self, row: SavedEntity) -> None:
        """Enters the newest state of an entity: changed, moved, added or destroyed."""
        old = self._rows.get(row.id)
        if old is not None:
            self._unlist(old)
        self._rows[row.id] = row
        self._new[row.id] = None
        for label in _labels(row):
            self._by_cell.setdefault(label, {})[row.id] = None

    def left(self, label: str) -> None:
        """Enters that a cell was unloaded now."""
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
        """Handles writes that have ended, and begins one if it is due; once a frame."""
        while self._done:
            self._done.popleft()()
        if not (self._new or self._new_left) or self._writes:
            return
        now = self._clock()
        if len(self._new) >= _MANY or now >= self._next_write:
            self.flush()

    def flush(self) -> None:
        """Submits all changes to the writer."""
        self._next_write = self._clock() + _EVERY_S
        rows, left = self._take()
        self._submit(rows, left, None)

    def save(self, request: SaveRequest) -> None:
        """Submits all changes, and a save of everything, to the writer."""
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
        """Drops committed entries that every read still in use has seen in the file."""
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
        """How many changed entities were not submitted to the writer yet."""
        return len(self._new)

    def close(self, seconds: float, *, save: bool) -> None:
        """Waits until all submitted writes are done, and closes the file.

        Args:
            seconds: How long to wait; if that is not enough, the file is closed later by another
                thread.
            save: Whether to keep changes since the last save for the next session, if they could
                not be saved; otherwise they are discarded.

        Raises:
            SaveError: The unsaved changes can neither be kept nor discarded.
        """
        done = self._writer.close(seconds, partial(_close, self.file, discard=not save))
        while self._done:
            self._done.popleft()()
        for request in list(self._saving):
            request.end(0, SaveError("the world was closed before the game was saved"))
        if done:
            self.file.close(discard=not save)


def _labels(row: SavedEntity) -> tuple[str, ...]:
    """Returns the labels of an entity's home and cell, without repetition."""
    return tuple(dict.fromkeys(label for label in (row.home, row.cell) if label is not None))


def _close(file: SaveFile, *, discard: bool) -> None:
    try:
        file.close(discard=discard)
    except SaveError as error:
        _log.error("%s", error)


def _read(file: SaveFile, found: SavedCellLoad) -> None:
    if not found.wanted:  # the cell was unloaded meanwhile: other reads wait behind this one
        return
    try:
        # On the loader thread: a cell may have thousands of entities.
        found.prefabs = dict.fromkeys(row.prefab for row in found.rows)
        found.names = dict.fromkeys(row.id for row in found.rows)
        found.record = file.cell(found.label, tuple(found.names))
    except Exception as error:
        found.error = error
