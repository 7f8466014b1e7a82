"""Files that are baked as they are, and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from ...errors import AssetError
from ...ron.document import position_of, source_line
from ..model.processor import PAGE_BYTES, Output, ProcessContext
from ..store.baked_assets import BakedAsset

__all__ = ["JsonProcessor", "RawProcessor", "read_data", "read_json"]

# Room for what stands around a value in the head.
_IN_HEAD: Final = PAGE_BYTES - 64


class RawProcessor:
    """Takes sounds, fonts, tables, shaders and the like as they are; the head says how many bytes.

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
        """One output: the bytes."""
        yield context.output({"size": len(context.data)}, data=context.data, kind="data")


class JsonProcessor:
    """Checks JSON and takes the white space out of it.

    Any process.
    """

    name = "json"
    version = 1
    patterns = ("*.json",)
    settings: Mapping[str, Any] = {}

    def process(self, context: ProcessContext) -> Iterator[Output]:
        """One output: the value in the head, or, if it is too large for that, its text."""
        text = context.text()
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            place = position_of(text, error.pos)
            raise AssetError(
                f"not JSON: {error.msg}",
                path=context.shown,
                line=place.line,
                column=place.column,
                source_line=source_line(text, place.offset),
            ) from error
        try:
            compact = orjson.dumps(value)
        except TypeError as error:  # it reads deeper than it writes
            raise context.error("more than 254 brackets stand inside each other") from error
        # Not by Job.output, which sorts: people count on the order of a file's keys.
        if len(compact) <= _IN_HEAD:
            yield Output("", "json", (b'{"value":%b}' % compact,))
        else:
            yield context.output({"size": len(compact)}, data=compact, kind="json")


def read_data(asset: BakedAsset) -> bytes:
    """The bytes of a file that was baked as it is.

    Raises:
        AssetError: It was baked to something else.
        StoreError: It cannot be read.

    Any thread.
    """
    if asset.kind != "data":
        raise AssetError(f"this was baked to {asset.kind}, not to plain bytes", path=asset.id)
    return asset.data()


def read_json(asset: BakedAsset) -> Any:
    """The value of a JSON file.

    Raises:
        AssetError: It was baked to something else.
        StoreError: It cannot be read.

    Any thread. A large one keeps the interpreter to itself for a millisecond per 90 kB.
    """
    if asset.kind != "json":
        raise AssetError(f"this was baked to {asset.kind}, not to JSON", path=asset.id)
    head = asset.head()
    return head["value"] if "value" in head else orjson.loads(asset.data())
