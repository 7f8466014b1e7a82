"""Bakes JSON, and files that are stored as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from ...errors import AssetError
from ...ron.document import position_of, source_line
from ..model.processor import PAGE_BYTES, Output, ProcessContext
from ..store.baked_assets import BakedAsset

__all__ = ["JsonProcessor", "RawProcessor", "read_data", "read_json"]

# The largest JSON value that fits into the head with `{"value":}` around it.
_IN_HEAD: Final = PAGE_BYTES - 64


class RawProcessor:
    """Stores sounds, fonts, tables, shaders and the like as they are; the head has the size.

    Any process.
    """

    name = "raw"
    version = 1
    patterns = tuple(
        f"*.{suffix}"
        for suffix in (
            *("txt", "csv", "xml", "toml", "yaml", "yml"),
            *("wav", "ogg", "mp3", "flac", "opus", "aac", "m4a"),
            *("ttf", "otf", "glsl", "vert", "frag", "geom", "comp"),
            *("tmx", "tsx", "fnt"),
        )
    )
    settings: Mapping[str, Any] = {}

    def process(self, context: ProcessContext) -> Iterator[Output]:
        """Yields one output with the bytes of the file."""
        yield context.output({"size": len(context.data)}, data=context.data, kind="data")


class JsonProcessor:
    """Checks JSON files and removes their white space.

    Any process.
    """

    name = "json"
    version = 1
    patterns = ("*.json",)
    settings: Mapping[str, Any] = {}

    def process(self, context: ProcessContext) -> Iterator[Output]:
        """Yields one output: the value in the head or, if it is too large, its text as data."""
        text = context.text()
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            position = position_of(text, error.pos)
            raise AssetError(
                f"not JSON: {error.msg}",
                path=context.shown,
                line=position.line,
                column=position.column,
                source_line=source_line(text, position.offset),
            ) from error
        try:
            compact = orjson.dumps(value)
        except TypeError as error:  # orjson reads deeper nesting than it writes
            raise context.error("more than 254 brackets stand inside each other") from error
        # `ProcessContext.output` would sort the keys, but games may rely on the file's order.
        if len(compact) <= _IN_HEAD:
            yield Output("", "json", (b'{"value":%b}' % compact,))
        else:
            yield context.output({"size": len(compact)}, data=compact, kind="json")


def read_data(asset: BakedAsset) -> bytes:
    """Returns the bytes of a file that is stored as it is.

    Raises:
        AssetError: The asset is of another kind.
        StoreError: The asset cannot be read.

    Any thread.
    """
    if asset.kind != "data":
        raise AssetError(f"this was baked to {asset.kind}, not to plain bytes", path=asset.id)
    return asset.data()


def read_json(asset: BakedAsset) -> Any:
    """Returns the value of a JSON file.

    Raises:
        AssetError: The asset is of another kind.
        StoreError: The asset cannot be read.

    Any thread. A large file holds the interpreter lock for a millisecond per 90 kB.
    """
    if asset.kind != "json":
        raise AssetError(f"this was baked to {asset.kind}, not to JSON", path=asset.id)
    head = asset.head()
    return head["value"] if "value" in head else orjson.loads(asset.data())
