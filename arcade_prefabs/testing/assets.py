"""Assets for tests: from memory, behind gates, failing now and then, slow."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ..errors import AssetChangedError, MissingAssetError
from ..loading import AssetReader
from ..pipeline import PAGE_BYTES, BakedAsset, encode_prefab
from ..prefab import Prefab

__all__ = ["FlakyAssets", "GatedAssets", "MemoryAssets", "SlowAssets", "baked"]


def baked(identifier: str, value: Any) -> BakedAsset:
    """A baked asset of a `Prefab`, of bytes, or of anything that JSON has.

    Any thread.
    """
    if isinstance(value, Prefab):
        return _asset(identifier, "prefab", encode_prefab(value))
    if isinstance(value, (bytes, bytearray)):
        data = bytes(value)
        parts = (data[at : at + PAGE_BYTES] for at in range(0, len(data), PAGE_BYTES))
        return _asset(identifier, "data", (orjson.dumps({"size": len(data)}), *parts))
    return _asset(identifier, "json", (orjson.dumps({"value": value}),))


def _asset(identifier: str, kind: str, pages: tuple[bytes, ...]) -> BakedAsset:
    digest = hashlib.blake2b(b"\0".join(pages), digest_size=16).digest()
    return BakedAsset(identifier, kind, digest, len(pages), pages[0], pages.__getitem__)


class MemoryAssets:
    """Assets that stand in memory, for `AsyncPrefabLoader`.

    Args:
        values: By full id: a `Prefab`, bytes, JSON, a `BakedAsset`, or an exception to raise.

    Attributes:
        reads: The ids that were read, in that order.

    Any thread.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.reads: list[str] = []
        self._lock = threading.Lock()
        self._values = dict(values or {})

    def get(
        self,
        identifier: str,
        settings: Mapping[str, Any] | None = None,  # noqa: ARG002 - nothing here has any
    ) -> BakedAsset:
        """The asset of an id.

        Raises:
            MissingAssetError: There is none.
            Exception: The one that stands there.
        """
        with self._lock:
            self.reads.append(identifier)
            value = self._values.get(identifier)
        if value is None:
            raise MissingAssetError("there is no such asset", path=identifier)
        if isinstance(value, BaseException):
            raise value
        if isinstance(value, BakedAsset):
            return value
        asset = baked(identifier, value)

        def page(number: int) -> bytes:
            if self._values.get(identifier) is not value:
                raise AssetChangedError("the asset was baked anew while it was being read")
            return pages[number]

        pages = tuple(asset)
        return BakedAsset(identifier, asset.kind, asset.digest, asset.pages, asset.first, page)

    def ids(self, kind: str | None = None) -> list[str]:
        """The ids of everything, or of one kind of it, sorted."""
        with self._lock:
            values = dict(self._values)
        return sorted(
            one
            for one, value in values.items()
            if kind is None or (not isinstance(value, BaseException) and _kind(one, value) == kind)
        )

    def edit(self, identifier: str, value: Any) -> None:
        """Put something else there; tell the loader with `reload`."""
        with self._lock:
            self._values[identifier] = value


def _kind(identifier: str, value: Any) -> str:
    return value.kind if isinstance(value, BakedAsset) else baked(identifier, value).kind


class GatedAssets:
    """Holds every read until its gate is opened.

    Args:
        inner: Where to read then.
        bound_s: Seconds after which a read fails, so that a test that went wrong ends.

    Any thread.
    """

    def __init__(self, inner: AssetReader, *, bound_s: float = 30.0) -> None:
        self._inner = inner
        self._bound_s = bound_s
        self._changed = threading.Condition()
        self._open: set[str] = set()
        self._reached: set[str] = set()
        self._all = False

    def get(self, identifier: str, settings: Mapping[str, Any] | None = None) -> BakedAsset:
        """The asset, once its gate is open.

        Raises:
            TimeoutError: Nobody opened it.
        """
        with self._changed:
            self._reached.add(identifier)
            self._changed.notify_all()
            if not self._changed.wait_for(
                lambda: self._all or identifier in self._open, self._bound_s
            ):
                raise TimeoutError(f"nobody opened the gate of {identifier}")
        return self._inner.get(identifier, settings)

    def ids(self, kind: str | None = None) -> list[str]:
        """The ids of everything, or of one kind of it."""
        return self._inner.ids(kind)

    def open(self, *identifiers: str) -> None:
        """Let the reads of these ids through, now and later; of all, if none are given."""
        with self._changed:
            self._open.update(identifiers)
            self._all = self._all or not identifiers
            self._changed.notify_all()

    def close(self, *identifiers: str) -> None:
        """Hold the reads of these ids again."""
        with self._changed:
            self._open.difference_update(identifiers)
            self._reached.difference_update(identifiers)
            self._all = False

    def wait_for(self, identifier: str, bound_s: float = 10.0) -> bool:
        """Wait until a read stands at the gate of an id; False if none came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: identifier in self._reached, bound_s)


class FlakyAssets:
    """Fails the first reads of some ids.

    Args:
        inner: Where to read otherwise.
        failures: How often the reads of an id fail.
        error: Makes the exception.

    Any thread.
    """

    def __init__(
        self,
        inner: AssetReader,
        failures: Mapping[str, int],
        error: Callable[[], Exception] = lambda: OSError("the disk did not answer"),
    ) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._failures = dict(failures)
        self._error = error

    def get(self, identifier: str, settings: Mapping[str, Any] | None = None) -> BakedAsset:
        """The asset, or the exception."""
        with self._lock:
            left = self._failures.get(identifier, 0)
            self._failures[identifier] = max(0, left - 1)
        if left:
            raise self._error()
        return self._inner.get(identifier, settings)

    def ids(self, kind: str | None = None) -> list[str]:
        """The ids of everything, or of one kind of it."""
        return self._inner.ids(kind)


class SlowAssets:
    """Takes its time for every read, like a disk that has to wake up.

    Args:
        inner: Where to read then.
        seconds: How long each read takes.
        sleep: How to spend them: `VirtualClock.advance` for a virtual clock; otherwise real time
            passes, until `close`.

    Any thread.
    """

    def __init__(
        self,
        inner: AssetReader,
        seconds: float,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._inner = inner
        self._seconds = seconds
        self._closed = threading.Event()
        self._sleep = self._closed.wait if sleep is None else sleep

    def get(self, identifier: str, settings: Mapping[str, Any] | None = None) -> BakedAsset:
        """The asset, later."""
        self._sleep(self._seconds)
        return self._inner.get(identifier, settings)

    def ids(self, kind: str | None = None) -> list[str]:
        """The ids of everything, or of one kind of it."""
        return self._inner.ids(kind)

    def close(self) -> None:
        """Be slow no more."""
        self._closed.set()
