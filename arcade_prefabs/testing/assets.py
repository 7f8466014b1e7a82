"""Fakes of `AssetReader` for tests: in memory, blocked by gates, failing, and slow."""

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
    """Bakes a `Prefab`, bytes or a JSON value in memory.

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
    """Assets in memory, for an `AsyncPrefabLoader`.

    Args:
        values: Values by asset id: a `Prefab`, bytes, a JSON value, a `BakedAsset`, or an exception
            to raise.

    Attributes:
        reads: The ids of all reads, in order.

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
        """Returns the baked asset of an id.

        Raises:
            MissingAssetError: There is no value of this id.
            Exception: The value of this id is this exception.
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
        """Returns all ids, or those of one kind, sorted."""
        with self._lock:
            values = dict(self._values)
        return sorted(
            name
            for name, value in values.items()
            if kind is None or (not isinstance(value, BaseException) and _kind(name, value) == kind)
        )

    def edit(self, identifier: str, value: Any) -> None:
        """Replaces a value; the loader reads it after `AsyncPrefabLoader.reload`."""
        with self._lock:
            self._values[identifier] = value


def _kind(identifier: str, value: Any) -> str:
    return value.kind if isinstance(value, BakedAsset) else baked(identifier, value).kind


class GatedAssets:
    """Blocks each read until the test opens the gate of its id.

    Args:
        inner: Reads the assets.
        bound_s: The time after which a blocked read fails, in seconds, so that a faulty test ends.

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
        """Blocks until the gate of the id is open, and returns the asset.

        Raises:
            TimeoutError: The gate was not opened within ``bound_s`` seconds.
        """
        with self._changed:
            self._reached.add(identifier)
            self._changed.notify_all()
            if not self._changed.wait_for(
                lambda: self._all or identifier in self._open, self._bound_s
            ):
                raise TimeoutError(f"the gate of {identifier} was not opened in time")
        return self._inner.get(identifier, settings)

    def ids(self, kind: str | None = None) -> list[str]:
        """Returns all ids, or those of one kind."""
        return self._inner.ids(kind)

    def open(self, *identifiers: str) -> None:
        """Lets reads of these ids pass, present and later; without ids, all reads."""
        with self._changed:
            self._open.update(identifiers)
            self._all = self._all or not identifiers
            self._changed.notify_all()

    def close(self, *identifiers: str) -> None:
        """Blocks later reads of these ids again."""
        with self._changed:
            self._open.difference_update(identifiers)
            self._reached.difference_update(identifiers)
            self._all = False

    def wait_for(self, identifier: str, bound_s: float = 10.0) -> bool:
        """Blocks until a read of an id has reached its gate; False after ``bound_s`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: identifier in self._reached, bound_s)


class FlakyAssets:
    """Fails the first reads of some ids.

    Args:
        inner: Reads the assets.
        failures: The number of failing reads, by id.
        error: Returns the exception to raise.

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
        """Returns the asset, or raises the exception if this read is to fail."""
        with self._lock:
            left = self._failures.get(identifier, 0)
            self._failures[identifier] = max(0, left - 1)
        if left:
            raise self._error()
        return self._inner.get(identifier, settings)

    def ids(self, kind: str | None = None) -> list[str]:
        """Returns all ids, or those of one kind."""
        return self._inner.ids(kind)


class SlowAssets:
    """Delays each read, like a slow disk.

    Args:
        inner: Reads the assets.
        seconds: The delay of each read, in seconds.
        sleep: Waits for some seconds, such as `VirtualClock.advance`; by default real time passes,
            until `close`.

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
        """Waits for the delay, and returns the asset."""
        self._sleep(self._seconds)
        return self._inner.get(identifier, settings)

    def ids(self, kind: str | None = None) -> list[str]:
        """Returns all ids, or those of one kind."""
        return self._inner.ids(kind)

    def close(self) -> None:
        """Ends all delays in real time, present and later."""
        self._closed.set()
