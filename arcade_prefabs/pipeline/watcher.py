"""Hot reload: files change on disk, what is made from them is baked again, somebody is told."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from stat import S_ISDIR
from typing import Final, NamedTuple

from ..errors import AssetError, BakeCancelledError, LocatedError, MissingAssetError, StoreError
from .asset_pipeline import AssetPipeline
from .model.bake_report import BakeReport
from .sources import AssetSource, checked_path
from .store.locations import STORE_FOLDER, identity

__all__ = ["AssetWatcher", "ReloadReport"]

# Seconds between two polls where the system gives no file events.
_POLL_S: Final = 1.0
# Seconds between two looks at all files beside file events: network drives and hard links give
# none, a system whose queue is full drops some, and polls compare whole seconds; soon after a save
# there is one more look. So many files are looked at at a time, half a millisecond, with so many
# seconds in between.
_SAFETY_S: Final = 10.0
_LOOK_SLICE: Final = 64
_LOOK_REST_S: Final = 0.002
_SOON_S: Final = 1.0
# Seconds between two looks whether a watched folder is still the same one.
_ROOT_S: Final = 0.1
# Seconds that a file which is gone or empty is given: editors that delete and create, or truncate
# and write, are not done yet.
_GRACE_S: Final = 0.15
# Milliseconds between two looks of watchfiles for more events of the same save.
_STEP_MS: Final = 10
# Seconds that `start` waits for the first bake.
_READY_S: Final = 10.0
# Seconds that the end of the program waits for a bake.
_END_S: Final = 5.0
# With more files than that, looking at everything is as quick.
_MOST_FILES: Final = 200


def _always() -> bool:
    return True


class ReloadReport(NamedTuple):
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


class _Look(NamedTuple):
    """How files stood when they were looked at.

    Attributes:
        files: Times, size and number of each file; those of a link's target.
        links: Where each link to a file leads.
    """

    files: dict[str, tuple[int, int, int, int]]
    links: dict[Path, Path]

    def add(self, path: Path) -> None:
        """Look at a file."""
        name = str(path)
        self.files.pop(name, None)
        with contextlib.suppress(OSError):
            found = path.stat()
            if not S_ISDIR(found.st_mode):
                self.files[name] = _facts(found)

    def note_link(self, link: Path) -> None:
        """Remember where a link leads, also to where nothing is yet."""
        # RuntimeError: to itself, before Python 3.13.
        with contextlib.suppress(OSError, RuntimeError):
            self.links[link] = link.resolve()

    def links_to(self, paths: set[Path]) -> set[Path]:
        """The links that lead to any of these files, which tell nobody that they changed."""
        return {link for link, target in self.links.items() if target in paths}

    def lead_elsewhere(self, paths: set[Path]) -> bool:
        """Whether a link came, went or changed, over which others may lead elsewhere now."""
        return any(path in self.links or path.is_symlink() for path in paths)


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
        on_reload: Called with each `ReloadReport`, in the watcher's thread: hand it on to the main
            thread before touching the game. Changes that change no output are not told. The first
            one, perhaps before `start` returns, has the errors that there are by then.
        debounce_s: Seconds without a further event after which a save is taken for finished.
        events: False to poll the files every second, which is done anyway where the system gives
            no file events.

    Attributes:
        failures: Exceptions of ``on_reload``, of the bakes and of the file events, without which
            files are polled every second. They end nothing; the last 100.
    """

    def __init__(
        self,
        pipeline: AssetPipeline,
        on_reload: Callable[[ReloadReport], None],
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

    def start(self, told: BakeReport | None = None) -> AssetWatcher:
        """Begin to watch; returns when every change from now on will be seen.

        Or after ten seconds: the first bake of a large folder may take longer. What changes during
        that bake is seen at its end.

        Args:
            told: A bake whose errors are known to whoever is told; they are told no more.

        Raises:
            StoreError: The pipeline is of a release file, which does not change.

        Any thread.
        """
        source = self._pipeline.source
        if self._pipeline.read_only or source is None:
            raise StoreError("a release file does not change: there is nothing to watch")
        if self._thread is None:
            self._stop.clear()
            self._ready.clear()
            if told is not None:
                self._note_errors(told)
            self._thread = threading.Thread(
                target=self._run, args=(source,), name="arcade_prefabs watcher", daemon=True
            )
            self._thread.start()
            atexit.register(self._end)
            self._ready.wait(_READY_S)
        return self

    def close(self) -> None:
        """Stop watching; returns when the thread has ended. May be called twice. Any thread.

        A bake that is under way is cancelled; the next one goes on from there.
        """
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        atexit.unregister(self._end)

    def _end(self) -> None:
        """Stop because the program ends: a thread in watchfiles must not outlive Python."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_END_S)

    def __enter__(self) -> AssetWatcher:
        return self.start()

    def stop(self) -> None:
        """The old word for `close`."""
        self.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------- in the thread

    def _run(self, source: AssetSource) -> None:
        try:
            self._watch(source)
        finally:
            self._ready.set()  # nobody waits for a watch that ended

    def _watch(self, source: AssetSource) -> None:
        folders = source.folders()
        # What changed since the last bake is news. If there was none, all is as it was found, but
        # for what was handed out meanwhile: the first bake of a large folder takes minutes, and
        # `start` waits for seconds. Of errors in files that nothing has loaded nobody knows.
        baked = self._pipeline.statistics().bakes > 0
        self._bake(None, tells_ids=lambda: baked or self._pipeline.was_asked)
        if not folders:
            self._ready.set()
            while not self._stop.wait(_POLL_S):
                self._bake(None)
        polls = not self._events
        while not self._stop.is_set():
            try:
                self._watch_once(source, folders, polls=polls)
            except Exception as error:  # the system has no more watches to give, for one
                self._note_failure(error)
                self._stop.wait(_POLL_S if polls else 0)
                polls = True
            # A folder is gone, or another one stands in its place, which no watch is on.
            self._stop.wait(_STEP_MS / 1000)

    def _look(self, folders: set[Path]) -> _Look:
        """All files in folders; what cannot be read is not there."""
        found = _Look({}, {})
        waiting = [str(folder) for folder in folders]
        looked = 0
        while waiting:
            with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    looked += 1
                    # A game draws beside this, and must not wait for the interpreter for long.
                    if looked % _LOOK_SLICE == 0 and self._stop.wait(_LOOK_REST_S):
                        return found
                    if entry.name == STORE_FOLDER:
                        continue
                    # Links to folders lead to files that are looked at anyway, or are refused.
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        with contextlib.suppress(OSError):
                            found.files[entry.path] = _facts(entry.stat())
                        if entry.is_symlink():
                            found.note_link(Path(entry.path))
        return found

    def _watch_once(
        self, source: AssetSource, folders: list[tuple[Path, str]], *, polls: bool
    ) -> None:
        """Watch folders until one of them is another one than it was, gone, or there again."""
        import watchfiles  # 50 ms, which whoever watches nothing does without

        roots = {folder: identity(folder) for folder, _ in folders}
        watched = [folder for folder, known in roots.items() if known is not None]
        if not watched:  # watchfiles would end at once
            self._ready.set()
            while not any(folder.is_dir() for folder in roots):
                if self._stop.wait(_ROOT_S):
                    return
            return
        changes = watchfiles.watch(
            *watched,
            watch_filter=_wanted,
            debounce=10 * self._debounce_ms,
            step=self._debounce_ms,
            stop_event=self._stop,
            rust_timeout=round(_ROOT_S * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=polls or None,  # None: as watchfiles thinks, which knows of WSL
            poll_delay_ms=round(_POLL_S * 1000),
        )
        known: _Look | None = None
        next_look = 0.0
        for batch in changes:
            if any(identity(folder) != before for folder, before in roots.items()):
                return
            if known is None:
                # The first answer of any kind shows that the watch stands; what changed between
                # the first bake, or the loss of the last watch, and now is seen by one more look.
                known = self._look(set(watched))
                self._bake(None)
                self._ready.set()
                next_look = time.monotonic() + _SOON_S
            if batch:
                paths = {Path(name) for _, name in batch}
                self._settle(paths)
                if any(path in roots and not path.is_dir() for path in paths):
                    return
                asset_paths: list[str] | None = None
                if not polls and not known.lead_elsewhere(paths):
                    paths |= known.links_to(paths)
                    asset_paths = _asset_paths(source, folders, paths)
                if asset_paths is None:
                    known = self._look(set(watched))  # before the bake, which may take long
                else:
                    for path in paths:
                        known.add(path)
                self._bake(asset_paths)
                next_look = time.monotonic() + _SOON_S
                if any(path in roots for path in paths):
                    return  # deleted and made anew, perhaps under the same number
            elif time.monotonic() >= next_look:
                now = self._look(set(watched))
                if now.files != known.files and not self._stop.is_set():
                    known = now
                    self._bake(None)
                next_look = time.monotonic() + _SAFETY_S

    def _settle(self, paths: Iterable[Path]) -> None:
        """Give files that are gone or empty the time to come back."""
        until = time.monotonic() + _GRACE_S
        while any(_unfinished(path) for path in paths) and time.monotonic() < until:
            if self._stop.wait(_STEP_MS / 1000):
                return

    def _bake(self, paths: list[str] | None, *, tells_ids: Callable[[], bool] = _always) -> None:
        with self._noting_failures():
            report = self._pipeline.bake(paths, cancelled=self._stop.is_set)
            errors, healed = self._note_errors(report)
            ids = report.changed_ids() if tells_ids() else []
            if ids or errors or healed:
                self._on_reload(ReloadReport(tuple(ids), errors, healed, report))

    @contextlib.contextmanager
    def _noting_failures(self) -> Generator[None]:
        try:
            yield
        except MissingAssetError:
            pass  # the folder is gone; when somebody makes it anew, it is baked
        except BakeCancelledError:
            pass  # by `stop`
        except Exception as error:
            # The next save may go well; whoever watches can look at what went wrong.
            self._note_failure(error)

    def _note_failure(self, error: Exception) -> None:
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


def _facts(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


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
    source: AssetSource, folders: list[tuple[Path, str]], paths: set[Path]
) -> list[str] | None:
    """The asset paths of files; None if everything has to be looked at."""
    if len(paths) > _MOST_FILES:
        return None
    found: set[str] = set()
    refused = {error.path.casefold() for error in source.refused() if error.path}
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
                # What differs from another in case only was refused, and may be alone now.
                if source.shown(name).casefold() in refused:
                    return None
            except AssetError:
                return None
            found.add(name)
    return sorted(found)
