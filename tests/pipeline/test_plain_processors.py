"""Files that are baked as they are, and JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcade_prefabs import AssetError
from arcade_prefabs.pipeline import (
    PAGE_BYTES,
    AssetPipeline,
    JsonProcessor,
    MemorySource,
    read_data,
    read_json,
)


@pytest.mark.parametrize("size", [0, 1, PAGE_BYTES, PAGE_BYTES + 1, 3 * PAGE_BYTES + 7])
def test_bytes_come_back_as_they_were(baked: Any, size: int) -> None:
    """Whatever the size, also at the edges of a page."""
    data = bytes(number % 251 for number in range(size))
    asset = baked("music/a.ogg", {"music/a.ogg": data})
    assert read_data(asset) == data
    assert asset.head() == {"size": size}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.long
@given(value=JSON)
def test_json_values_come_back(value: Any) -> None:
    """What goes in as JSON comes out as the same value."""
    import orjson

    source = MemorySource({"a.json": orjson.dumps(value)})
    with AssetPipeline(source, jobs=0) as pipeline:
        assert read_json(pipeline.get("a.json")) == value


def test_large_json_is_cut_into_pages(baked: Any) -> None:
    """A value that is larger than a page is put together again."""
    import orjson

    value = [f"line {number}" for number in range(30_000)]
    asset = baked("a.json", {"a.json": orjson.dumps(value)})
    assert asset.pages > 2
    assert read_json(asset) == value


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [('{"a": 1,\n "b": }', 2, 7), ("[1, NaN]", 1, 5), ("", 1, 1), ('{"a" 1}', 1, 6)],
)
def test_broken_json_says_where(baked: Any, text: str, line: int, column: int) -> None:
    """Line and column are those of the mistake."""
    with pytest.raises(AssetError) as caught:
        baked("a.json", {"a.json": text})
    assert (caught.value.line, caught.value.column) == (line, column)


def test_readers_refuse_what_is_not_theirs(baked: Any) -> None:
    """Asking an asset for what it is not is an error that says what it is."""
    with pytest.raises(AssetError, match="baked to json"):
        read_data(baked("a.json", {"a.json": "{}"}))
    with pytest.raises(AssetError, match="baked to data"):
        read_json(baked("a.txt", {"a.txt": "{}"}))


def test_byte_order_mark_is_no_part_of_json(baked: Any) -> None:
    """Editors of Windows write one."""
    assert read_json(baked("a.json", {"a.json": b"\xef\xbb\xbf[1]"})) == [1]
    assert JsonProcessor.version == 1


@pytest.mark.parametrize("depth", [253, 254, 255, 1024, 1025, 100_000])
def test_depth_of_json_is_limited_in_words(baked: Any, depth: int) -> None:
    """Brackets within brackets come back or are an error about the file, never one of ours."""
    text = "[" * depth + "]" * depth
    if depth <= 254:
        assert read_json(baked("a.json", {"a.json": text})) == json.loads(text)
        return
    with pytest.raises(AssetError) as caught:
        baked("a.json", {"a.json": text})
    assert type(caught.value) is AssetError
    assert "brackets" in str(caught.value) or "depth" in str(caught.value)


@pytest.mark.parametrize("size", [1, PAGE_BYTES])
def test_keys_keep_their_order_whatever_the_size(baked: Any, size: int) -> None:
    """A value that grows over a page must not change in anything else."""
    value = {"b": "x" * size, "a": 1}
    found = read_json(baked("a.json", {"a.json": json.dumps(value)}))
    assert list(found) == ["b", "a"]


def test_line_of_broken_json_is_the_one_that_editors_count(baked: Any) -> None:
    """Only line feeds end lines: U+2028 inside of a text does not."""
    text = '{"a": "\u2028",\n "b": }'
    with pytest.raises(AssetError) as caught:
        baked("a.json", {"a.json": text})
    assert (caught.value.line, caught.value.column) == (2, 7)
    assert caught.value.source_line == ' "b": }'


def test_json_in_another_encoding_says_so(baked: Any) -> None:
    """Latin-1 and UTF-16 are told from broken JSON."""
    for data in ('{"a": "é"}'.encode("latin-1"), '{"a": 1}'.encode("utf-16")):
        with pytest.raises(AssetError, match="no UTF-8 text"):
            baked("a.json", {"a.json": data})
