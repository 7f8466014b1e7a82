"""Files of a release for loaders that want a real file: ``arcade.load_sound(":assets:a.wav")``.

Arcade finds a file by a resource handle as ``folder / name``, and goes on with the path. So the
folder of a release is a path that writes a file to the user's cache when it is asked for, and no
other one: a game with a gigabyte of music starts as fast as before.

A file that is there already is used only if its bytes are those of the release, whoever wrote them.
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
# What is kept of releases that are not used now, together.
_MOST_BYTES: Final = 1024 * 1024 * 1024
_MOST_RELEASES: Final = 16
# Another process may still use what was asked for since then.
_IN_USE_S: Final = 24 * 3600
# What names other files, which are looked for beside it.
_NAMING: Final = (".tmx", ".tsx", ".fnt", ".xml", ".json")
_KINDS: Final = ("data", "json", "image")
# Bytes at the end of a name that it is looked for by: those of an ending such as `.png`.
_END: Final = 4


class ReleaseFolder(ConfinedFolder):
    """A folder whose files are written when they are asked for by ``folder / name``.

    Attributes:
        unpacker: Who writes them; nobody for paths that were derived from it, as by ``resolve``.

    Any thread.
    """

    unpacker: _Unpacker | None = None

    def __truediv__(self, name: str | os.PathLike[str]) -> Path:
        """The path of a file, which is there if the release has it.

        Raises:
            UnsafePathError: It could be outside of the folder.
        """
        path = super().__truediv__(name)
        if self.unpacker is not None:
            self.unpacker.unpack(os.fspath(name))
        return path

    # Two windows may show the same release: each has a folder of its own, at the same place.

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@contextlib.contextmanager
def release_folder(pipeline: AssetPipeline) -> Generator[ReleaseFolder]:
    """The folder of a release's files, empty at first; it is closed, but stays, in the end.

    Where the user's cache cannot be written it is a temporary one, and goes.

    Args:
        pipeline: The release.

    Raises:
        StoreError: The release cannot be read.

    Any thread.
    """
    files = pipeline.files(*_KINDS)
    name = hashlib.blake2b(repr(files).encode(), digest_size=16).hexdigest()
    cache = Path(platformdirs.user_cache_dir("arcade_prefabs", appauthor=False)) / _FOLDER
    place, temporary = cache / name, None
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=place):
            os.utime(place)
    except OSError:
        place = temporary = Path(tempfile.mkdtemp(prefix="arcade_prefabs-"))
    with contextlib.suppress(OSError):  # another process may delete the same ones
        _forget_old(cache, place)
    folder = ReleaseFolder.of(place.resolve())
    known = frozenset(path for path in files if _is_plain(path))
    folder.unpacker = unpacker = _Unpacker(pipeline, place.resolve(), known)
    try:
        yield folder
    finally:
        unpacker.closed = True
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _is_plain(path: str) -> bool:
    """Whether that is a path below a folder, and in its one spelling; a release is untrusted."""
    try:
        return checked_path(path) == path and not path.startswith(":")
    except UnsafePathError:
        return False


def _forget_old(cache: Path, current: Path) -> None:
    """Delete folders of releases that were not used for long, beyond what may be kept."""
    others = sorted(
        ((one.stat().st_mtime, one) for one in cache.iterdir() if one != current and one.is_dir()),
        reverse=True,
    )
    left = _MOST_BYTES
    for number, (used, one) in enumerate(others, 1):
        left -= sum(file.stat().st_size for file in one.rglob("*") if file.is_file())
        if (left < 0 or number >= _MOST_RELEASES) and time.time() - used > _IN_USE_S:
            shutil.rmtree(one, ignore_errors=True)


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
        """Have a file, or all files of a folder, there; nothing if there is none of that name."""
        try:
            path = checked_path(name.replace(os.sep, "/"))
        except UnsafePathError:
            return  # as if it were not there
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
        """The file of a path, or those below a folder."""
        # `0` is the character behind `/`.
        start, end = (bisect_left(self._sorted, f"{path}{mark}") for mark in "/0")
        return {*self._sorted[start:end], *({path} & self._known)}

    def _file(self, path: str) -> Set[str]:
        """Have a file there; gives those that it seems to name, which are not."""
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
        # Their loaders look for what they name beside them, not by a handle.
        return self._unnamed.taken_from(content) - self._done


class Names:
    """Finds which files a text names, each once, in a time that grows with the text.

    Looking for each name in each text, a release whose files name each other took the square of
    them. The ends of all names are looked for at once instead; a name is looked up where one is.
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
            if ends:  # what may be one: a search for each of them would take as many times as long
                letters = (
                    b"".join(b"\\x%02x" % one for one in set(at)) for at in zip(*ends, strict=True)
                )
                pattern = b"".join(b"[%b]" % some for some in letters)
                self._patterns.append(re.compile(b"(?s)(?=(%b))" % pattern))

    def taken_from(self, text: bytes) -> Set[str]:
        """The files whose names stand in a text, but for those that were taken before."""
        found: set[str] = set()
        for pattern in self._patterns:
            for match in pattern.finditer(text):
                end = match.end(1)
                for length in self._lengths.get(match[1], ()):
                    if length <= end:
                        found |= self._paths.pop(text[end - length : end], frozenset())
        return found


def _write(target: Path, content: bytes) -> None:
    """Have a file with that content, in one step, whoever else writes it now."""
    with contextlib.suppress(OSError):
        if target.stat().st_size == len(content) and target.read_bytes() == content:
            return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        beside.write_bytes(content)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _content(asset: BakedAsset) -> bytes:
    """The bytes of a file that a loader reads like the one that was baked.

    Raises:
        MissingAssetError: A release does not have its content.
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
    """A PNG with the pixels of an image, whatever it was; loaders look at the content."""
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
