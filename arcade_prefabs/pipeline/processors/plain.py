"""Files that are baked as they are, and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from ...errors import AssetError
from ..assets import BakedAsset
from ..processor import PAGE_BYTES, Job, Output

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

    def process(self, job: Job) -> Iterator[Output]:
        """One output: the bytes."""
        yield job.output({"size": len(job.data)}, data=job.data, kind="data")


class JsonProcessor:
    """Checks JSON and takes the white space out of it.

    Any process.
    """

    name = "json"
    version = 1
    patterns = ("*.json",)
    settings: Mapping[str, Any] = {}

    def process(self, job: Job) -> Iterator[Output]:
        """One output: the value in the head, or, if it is too large for that, its text."""
        try:
            value = orjson.loads(job.data.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError as error:
            lines = error.doc.splitlines()
            line = lines[error.lineno - 1] if error.lineno <= len(lines) else None
            raise AssetError(
                f"not JSON: {error.msg}",
                path=job.shown,
                line=error.lineno,
                column=error.colno,
                source_line=line,
            ) from None
        text = orjson.dumps(value)
        if len(text) <= _IN_HEAD:
            yield job.output({"value": value}, kind="json")
        else:
            yield job.output({"size": len(text)}, data=text, kind="json")


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
