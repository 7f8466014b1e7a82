"""`ReleaseFolder`: gives Arcade's loaders the files of a release, such as ``:assets:a.wav``.

**The problem.** Loaders like `arcade.load_sound` need a real file, and a release file is one SQLite
database.

**The way taken.** Arcade finds a file by a resource handle as ``folder / name``. The folder of a
release is a `Path` whose ``/`` writes that file into the user's cache. A file that exists there is
used only if its bytes are those of the release, whichever process has written it.

**The way rejected.** *Unpacking everything at the start*: a game with a gigabyte of music would
start slowly.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import threading
import time
import uuid
from bisect import bisect_left
from collections.abc import Generator, Iterable, Set
from pathlib import Path
from typing import Any, Final

import PIL.Image
import platformdirs

from ..errors import AssetError, MissingAssetError, UnsafePathError
from ..loading import DecodedAsset, LoadedImage
from ..loading.workers.decoders import builtin_decoders
from ..pipeline import AssetPipeline, BakedAsset
from ..pipeline.sources import checked_path
from ..prefab import ComponentRegistry
from ..window.resource_folders import ConfinedFolder

__all__ = ["ReleaseFolder", "release_folder"]

_FOLDER: Final = "unpacked"
# Bytes and number of other releases' folders that are kept in the cache.
_MOST_BYTES: Final = 1024 * 1024 * 1024
_MOST_RELEASES: Final = 16
# Seconds for which another process may still use a folder: younger ones are never deleted.
_IN_USE_S: Final = 24 * 3600
# Files that name other files, which loaders then look for beside them.
_NAMING: Final = (".tmx", ".tsx", ".fnt", ".xml", ".json")
_KINDS: Final = ("data", "json", "image")
# Names are searched for by so many bytes at their end, such as `.png`.
_END: Final = 4


class ReleaseFolder(ConfinedFolder):
    """A folder whose ``folder / name`` writes the file of that name.

    Attributes:
        unpacker: Writes the files; None for paths that were derived from the folder, as by
            ``resolve``.

    Any thread.
    """

    unpacker: _Unpacker | None = None

    def __truediv__(self, name: str | os.PathLike[str]) -> Path:
        """Returns the path of a file, and writes the file if the release has it.

        Raises:
            UnsafePathError: The path could be outside of the folder.
        """
        path = super().__truediv__(name)
        if self.unpacker is not None:
            self.unpacker.unpack(os.fspath(name))
        return path

    # By identity: two windows may use the same release, each with a folder object of the same path.

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@contextlib.contextmanager
def release_folder(pipeline: AssetPipeline) -> Generator[ReleaseFolder]:
    """Opens the folder of a release, in which files are written when they are asked for.

    The folder stays in the user's cache after the context ends. If the cache cannot be written to,
    it is a temporary folder that is deleted.

    Args:
        pipeline: The release.

    Raises:
        StoreError: The release cannot be read.

    Any thread.
    """
    files = pipeline.files(*_KINDS)
    digest = hashlib.blake2b(repr(files).encode(), digest_size=16).hexdigest()
    cache = Path(platformdirs.user_cache_dir("arcade_prefabs", appauthor=False)) / _FOLDER
    path, temporary = cache / digest, None
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=path):
            os.utime(path)
    except OSError:
        path = temporary = Path(tempfile.mkdtemp(prefix="arcade_prefabs-"))
    with contextlib.suppress(OSError):  # another process may delete the same folders
        _forget_old(cache, path)
    folder = ReleaseFolder.of(path.resolve())
    known = frozenset(name for name in files if _is_plain(name))
    folder.unpacker = unpacker = _Unpacker(pipeline, path.resolve(), known)
    try:
        yield folder
    finally:
        unpacker.closed = True
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _is_plain(path: str) -> bool:
    """Whether a path is relative and in normal form; a release is untrusted."""
    try:
        return checked_path(path) == path and not path.startswith(":")
    except UnsafePathError:
        return False


def _forget_old(cache: Path, current: Path) -> None:
    """Deletes folders of releases that were not used for a day, beyond what may be kept."""
    others = sorted(
        (
            (folder.stat().st_mtime, folder)
            for folder in cache.iterdir()
            if folder != current and folder.is_dir()
        ),
        reverse=True,
    )
    left = _MOST_BYTES
    for number, (used, folder) in enumerate(others, 1):
        left -= sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        if (left < 0 or number >= _MOST_RELEASES) and time.time() - used > _IN_USE_S:
            shutil.rmtree(folder, ignore_errors=True)


class _Unpacker:
    """Writes the files of a release below a folder.

    Any thread.
    """

    def __init__(self, pipeline: AssetPipeline, folder: Path, known: frozenset[str]) -> None:
        self._pipeline = pipeline
        self._folder = folder
        self._lock = threading.RLock()
        self._done: set[str] = set()
        self._known = known
        self._sorted = sorted(known)
        self._unnamed = Names(known)
        self.closed = False

    def unpack(self, name: str) -> None:
        """Writes a file, or all files below a folder; does nothing if the release has neither."""
        try:
            path = checked_path(name.replace(os.sep, "/"))
        except UnsafePathError:
            return  # the loader then finds no file
        with self._lock:
            if self.closed:
                return
            waiting = self._at(path)
            try:
                while waiting:
                    waiting |= self._file(waiting.pop())
            except BaseException:
                self._unnamed = Names(self._known - self._done)
                raise

    def _at(self, path: str) -> set[str]:
        """Returns the file of a path, or the files below a folder."""
        # `0` is the character behind `/`.
        start, end = (bisect_left(self._sorted, f"{path}{mark}") for mark in "/0")
        return {*self._sorted[start:end], *({path} & self._known)}

    def _file(self, path: str) -> Set[str]:
        """Writes a file; returns files that its content seems to name, if they are not written."""
        target = self._folder.joinpath(*path.split("/"))
        if path in self._done and target.is_file():
            return frozenset()
        try:
            content = _content(self._pipeline.get(path))
        except MissingAssetError:
            return frozenset()
        if not target.resolve().is_relative_to(self._folder):
            raise AssetError(f"{target} is outside of the cache, by a link", path=path)
        try:
            _write(target, content)
        except OSError as error:
            raise AssetError(
                f"it cannot be written to {target}, where Arcade would find it: {error.strerror}",
                path=path,
            ) from error
        self._done.add(path)
        if not path.endswith(_NAMING):
            return frozenset()
        # Loaders of these kinds look for named files beside them, not through the handle.
        return self._unnamed.taken_from(content) - self._done


class Names:
    """Finds which of many file names a text contains, in time linear in the text.

    All endings of names are searched for at once, and names are looked up where an ending is found.
    Searching for each name in each text would be quadratic for a release whose files name each
    other.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths: dict[bytes, set[str]] = {}
        self._lengths: dict[bytes, set[int]] = {}
        for path in paths:
            name = path.rpartition("/")[2].encode()
            self._paths.setdefault(name, set()).add(path)
            self._lengths.setdefault(name[-_END:], set()).add(len(name))
        self._patterns: list[re.Pattern[bytes]] = []
        for size in range(1, _END + 1):
            ends = [end for end in self._lengths if len(end) == size]
            if ends:  # byte pattern of character classes for all endings of that length
                letters = (
                    b"".join(b"\\x%02x" % byte for byte in set(at))
                    for at in zip(*ends, strict=True)
                )
                pattern = b"".join(b"[%b]" % group for group in letters)
                self._patterns.append(re.compile(b"(?s)(?=(%b))" % pattern))

    def taken_from(self, text: bytes) -> Set[str]:
        """Returns the files whose names a text contains, without those returned before."""
        found: set[str] = set()
        for pattern in self._patterns:
            for match in pattern.finditer(text):
                end = match.end(1)
                for length in self._lengths.get(match[1], ()):
                    if length <= end:
                        found |= self._paths.pop(text[end - length : end], frozenset())
        return found


def _write(target: Path, content: bytes) -> None:
    """Writes a file in one step, unless it has that content; other processes may do the same."""
    with contextlib.suppress(OSError):
        if target.stat().st_size == len(content) and target.read_bytes() == content:
            return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        part.write_bytes(content)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _content(asset: BakedAsset) -> bytes:
    """Returns bytes that a loader reads like the file that was baked.

    Raises:
        MissingAssetError: The release has not got the content.
    """
    if asset.kind == "image":
        return _picture(asset)
    if asset.kind == "data":
        return asset.data()
    if asset.kind == "json":
        head = asset.head()
        if "value" in head:
            return json.dumps(head["value"], ensure_ascii=False).encode()
        return asset.data()
    raise MissingAssetError("a release has no file of it", path=asset.id)


def _picture(asset: BakedAsset) -> bytes:
    """Returns the image as a PNG, whatever its name says: loaders look at the content."""
    made: Any = builtin_decoders()["image"](asset, ComponentRegistry())
    while not isinstance(made, DecodedAsset):
        try:
            next(made)
        except StopIteration as stop:
            made = stop.value
    image: LoadedImage = made.value
    border = image.border
    frames = []
    for number, frame in enumerate(image.frames):
        size = frame.width + 2 * border, frame.height + 2 * border
        whole = PIL.Image.frombytes("RGBA", size, image.pixels(number))
        frames.append(whole.crop((border, border, border + frame.width, border + frame.height)))
    out = io.BytesIO()
    more: dict[str, Any] = {}
    if len(frames) > 1:
        durations = [(frame.duration or 0) * 1000 for frame in image.frames]
        more = {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": 0}
    frames[0].save(out, "PNG", compress_level=1, **more)
    return out.getvalue()
