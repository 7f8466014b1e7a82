"""Hot reload: files change on disk, what is made from them is baked again, somebody is told."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import ArcadePrefabsError, AssetError, LocatedError, StoreError
from .pipeline import AssetPipeline
from .places import STORE_FOLDER
from .report import BakeReport
from .sources import Source, checked_path

__all__ = ["AssetWatcher", "Reload"]

# Seconds between two looks at all files where file events cannot be had; they are looked at so many
# at a time, half a millisecond, with so many seconds in between.
_POLL_S: Final = 1.0
_POLL_SLICE: Final = 64
_POLL_REST_S: Final = 0.002
# Seconds that a file which is gone or empty is given: editors that delete and create, or truncate
# and write, are not done yet.
_GRACE_S: Final = 0.15
# Milliseconds between two looks of watchfiles for more events of the same save.
_STEP_MS: Final = 10
# With more files than that, looking at everything is as quick.
_MOST_FILES: Final = 200


class Reload(NamedTuple):
    """What came of changes on disk.

    Attributes:
        ids: What is another thing now: added, changed or removed, by its full id.
        errors: What cannot be baked since then; the last good version stays.
        healed: The files, as errors name them, that could not be baked before and now can.
        report: The whole report of the bake.
    """

    ids: tuple[str, ...]
    errors: tuple[LocatedError, ...]
    healed: tuple[str, ...]
    report: BakeReport


class AssetWatcher:
    """Watches the folders of a pipeline, bakes what changes, and tells what came of it.

    Example:
        >>> from arcade_prefabs.pipeline import AssetPipeline, AssetWatcher
        >>> def on_reload(reload):
        ...     for identifier in reload.ids:
        ...         print(identifier, "is another one now")
        >>> with AssetPipeline(".") as pipeline:  # doctest: +SKIP
        ...     with AssetWatcher(pipeline, on_reload):
        ...         play()

    Args:
        pipeline: Whose files to watch.
        on_reload: Called with each `Reload`, in the watcher's thread: hand it on to the main
            thread before touching the game. Changes that change no output are not told.
        debounce_s: Seconds without a further event after which a save is taken for finished.
        events: False to look at all files every second, which is done anyway where the package
            ``watchfiles`` is missing.

    Attributes:
        failures: Exceptions of ``on_reload`` and of the bakes, which end nothing; the last 100.
    """

    def __init__(
        self,
        pipeline: AssetPipeline,
        on_reload: Callable[[Reload], None],
        *,
        debounce_s: float = 0.05,
        events: bool = True,
    ) -> None:
        self.failures: list[Exception] = []
        self._pipeline = pipeline
        self._on_reload = on_reload
        self._debounce_ms = max(1, round(debounce_s * 1000))
        self._events = events
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._known_errors: dict[str, LocatedError] = {}

    def start(self) -> AssetWatcher:
        """Begin to watch; returns when every change from now on will be seen.

        Raises:
            StoreError: The pipeline is of a release file, which does not change.

        Any thread.
        """
        source = self._pipeline.source
        if self._pipeline.read_only or source is None:
            raise StoreError("a release file does not change: there is nothing to watch")
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(
                target=self._run, args=(source,), name="arcade_prefabs watcher", daemon=True
            )
            self._thread.start()
            self._ready.wait(10.0)
        return self

    def stop(self) -> None:
        """Stop watching; returns when the thread has ended. May be called twice. Any thread."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._ready.clear()

    def __enter__(self) -> AssetWatcher:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ------------------------------------------------------------------------------- in the thread

    def _run(self, source: Source) -> None:
        folders = source.folders()
        if self._pipeline.statistics().bakes:
            # What changed since the last bake is news.
            self._bake(None)
        else:
            with contextlib.suppress(ArcadePrefabsError):
                # Errors that are known when watching begins are none.
                self._note_errors(self._pipeline.bake())
        if self._events and folders:
            try:
                self._run_on_events(source, folders)
                return
            except ImportError:
                pass  # watchfiles is not installed
            except Exception as error:  # the system has no more watches to give, for one
                self.failures.append(error)
        self._run_on_looks({folder for folder, _ in folders})

    def _run_on_looks(self, folders: set[Path]) -> None:
        # Times and sizes alone tell whether there is anything to bake: to ask the pipeline takes
        # 16 ms for fifty files, and whatever computes for that long makes a frame late.
        known = self._files_of(folders)
        self._bake(None)  # what changed since the first bake
        self._ready.set()
        while not self._stop.wait(_POLL_S):
            now = self._files_of(folders)
            if (now != known or not folders) and not self._stop.is_set():
                known = now
                self._bake(None)

    def _files_of(self, folders: set[Path]) -> dict[str, tuple[int, int, int, int]]:
        """Times, sizes and numbers of all files in folders; what cannot be read is not there."""
        found: dict[str, tuple[int, int, int, int]] = {}
        waiting = [str(folder) for folder in folders]
        looked = 0
        while waiting:
            with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    looked += 1
                    # A game draws beside this, and must not wait for the interpreter for long.
                    if looked % _POLL_SLICE == 0 and self._stop.wait(_POLL_REST_S):
                        return found
                    if entry.name == STORE_FOLDER:
                        continue
                    # Links to folders lead to files that are looked at anyway, or are refused.
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        with contextlib.suppress(OSError):
                            stat = entry.stat()
                            times = (stat.st_mtime_ns, stat.st_ctime_ns)
                            found[entry.path] = (*times, stat.st_size, stat.st_ino)
        return found

    def _run_on_events(self, source: Source, folders: list[tuple[Path, str]]) -> None:
        import watchfiles

        watched = [folder for folder, _ in folders if folder.is_dir()]
        changes = watchfiles.watch(
            *watched,
            watch_filter=_wanted,
            debounce=10 * self._debounce_ms,
            step=self._debounce_ms,
            stop_event=self._stop,
            rust_timeout=_STEP_MS * 10,
            yield_on_timeout=True,
            raise_interrupt=False,
        )
        first = True
        for batch in changes:
            if first:
                # The first answer of any kind shows that the watch stands; what changed between
                # the first bake and now is seen by one more look.
                first = False
                self._bake(None)
                self._ready.set()
            if batch:
                paths = {Path(name) for _, name in batch}
                self._settle(paths)
                self._bake(_asset_paths(source, folders, paths))

    def _settle(self, paths: Iterable[Path]) -> None:
        """Give files that are gone or empty the time to come back."""
        until = time.monotonic() + _GRACE_S
        while any(_unfinished(path) for path in paths) and time.monotonic() < until:
            if self._stop.wait(_STEP_MS / 1000):
                return

    def _bake(self, paths: list[str] | None) -> None:
        try:
            report = self._pipeline.bake(paths)
            errors, healed = self._note_errors(report)
            ids = report.changed_ids()
            if ids or errors or healed:
                self._on_reload(Reload(tuple(ids), errors, healed, report))
        except Exception as error:
            # The next save may go well; whoever watches can look at what went wrong.
            self.failures.append(error)
            del self.failures[:-100]

    def _note_errors(self, report: BakeReport) -> tuple[tuple[LocatedError, ...], tuple[str, ...]]:
        """The errors that are new, and the files that have none any more."""
        now = {str(error): error for error in report.errors}
        new = tuple(error for text, error in now.items() if text not in self._known_errors)
        broken = {error.path for error in now.values()}
        healed = {
            error.path
            for error in self._known_errors.values()
            if error.path is not None and error.path not in broken
        }
        self._known_errors = now
        return new, tuple(sorted(healed))


def _wanted(_: object, name: str) -> bool:
    """Whether an event is about an asset: not about our own store, nor an editor's leftovers."""
    return STORE_FOLDER not in Path(name).parts and not name.endswith(("~", ".swp", ".tmp"))


def _unfinished(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:
        return True
    return not path.is_dir() and found.st_size == 0


def _asset_paths(
    source: Source, folders: list[tuple[Path, str]], paths: set[Path]
) -> list[str] | None:
    """The asset paths of files; None if everything has to be looked at."""
    if len(paths) > _MOST_FILES:
        return None
    found: set[str] = set()
    for path in paths:
        for folder, prefix in folders:
            if not path.is_relative_to(folder):
                continue
            relative = path.relative_to(folder).as_posix()
            try:
                name = checked_path(prefix + relative)
                # A folder that came, went or was renamed stands for all that is in it.
                if path.is_dir() or (source.stat(name) is None and not path.suffix):
                    return None
            except AssetError:
                return None
            found.add(name)
    return sorted(found)
