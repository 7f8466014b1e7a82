"""What a bake on demand gives goes straight to who asked; the store is written, and not read."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from arcade_prefabs import MissingAssetError, PrefabError, StoreError
from arcade_prefabs.errors import ArcadePrefabsError
from arcade_prefabs.pipeline import AssetPipeline, BakedAsset, MemorySource, asset_reader
from arcade_prefabs.pipeline.store import baked_assets


def picture(size: int) -> bytes:
    """An image that hardly shrinks."""
    file = io.BytesIO()
    pixels = random.Random(size).randbytes(size * size * 4)
    Image.frombytes("RGBA", (size, size), pixels).save(file, "PNG")
    return file.getvalue()


FILES: dict[str, str | bytes] = {
    "prefabs/base.ron": 'Prefab(components: [Tags(["base"])])',
    "prefabs/leaf.ron": 'Prefab(extends: "base", components: [Text(text: "leaf")])',
    "prefabs/shelf.ron": 'Library(one: Prefab(components: [Tags(["one"])]), two: Prefab())',
    "prefabs/bad.ron": "Prefab(components: [Nothing()])",
    "images/small.png": picture(40),
    "images/large.png": picture(400),
    "data/some.json": '{"a": [1, 2]}',
}


def facts(asset: BakedAsset) -> tuple[Any, ...]:
    """Everything that a reader can know of an asset."""
    named = asset.id, asset.kind, asset.digest, asset.pages, asset.first, asset.errors
    return (*named, list(asset), repr(asset))


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are looked up in the store."""
    paths: list[str] = []

    def noted(find: Callable[..., Any]) -> Callable[..., Any]:
        def call(store: Any, key: Any, label: str) -> Any:
            paths.append(key.path)
            return find(store, key, label)

        return call

    monkeypatch.setattr(asset_reader, "find", noted(baked_assets.find))
    return paths


@pytest.mark.parametrize(
    "name",
    [
        "prefabs/leaf.ron",
        "prefabs/shelf.ron#one",
        "prefabs/shelf.ron#two",
        "images/small.png",
        "data/some.json",
    ],
)
def test_what_was_just_baked_is_not_read_from_the_store(found: list[str], name: str) -> None:
    """It is what the store gives: each field, each page. The store has it as well."""
    with AssetPipeline(MemorySource(FILES), jobs=0) as pipeline:
        straight = facts(pipeline.get(name))
        assert found == []
        assert facts(pipeline.get(name)) == straight
        assert found == [name.partition("#")[0]]
        assert name in pipeline.ids()
        assert pipeline.statistics().on_demand >= 1


def test_the_pages_of_what_is_large_are_read_from_the_store(found: list[str]) -> None:
    """Only some of an image's pages are in memory at a time."""
    with AssetPipeline(MemorySource(FILES), jobs=0) as pipeline:
        large = pipeline.get("images/large.png")
        assert found == ["images/large.png"]
        assert sum(map(len, large)) > 2 * baked_assets._STRAIGHT_BYTES


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("prefabs/bad.ron", PrefabError),
        ("prefabs/shelf.ron#three", MissingAssetError),
        ("prefabs/shelf.ron", MissingAssetError),
        ("prefabs/none.ron", MissingAssetError),
    ],
)
def test_errors_are_the_same_with_and_without_a_bake(name: str, error: type[Exception]) -> None:
    """The first one to ask is told what all others are told."""
    told: list[str] = []
    with AssetPipeline(MemorySource(FILES), jobs=0) as pipeline:
        for _ in range(2):
            with pytest.raises(error) as caught:
                pipeline.get(name)
            assert isinstance(caught.value, ArcadePrefabsError)
            told.append(str(caught.value))
    assert told[0] == told[1]


def test_a_last_good_version_comes_from_the_store() -> None:
    """What cannot be baked any more is as it was, with what is wrong."""
    source = MemorySource(FILES)
    with AssetPipeline(source, jobs=0) as pipeline:
        before = facts(pipeline.get("prefabs/base.ron"))
        source.write("prefabs/base.ron", "Prefab(components: [Nothing()])")
        pipeline.invalidate()
        now = pipeline.get("prefabs/base.ron")
        assert facts(now)[:5] == before[:5]
        assert len(now.errors) == 1


def test_a_store_that_cannot_be_written_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what was committed is handed out."""
    with AssetPipeline(MemorySource(FILES), jobs=0) as pipeline:

        def fail(step: str) -> None:
            if step == "commit":
                raise StoreError("the disk is full")

        monkeypatch.setattr(pipeline.store, "step", fail)
        with pytest.raises(StoreError, match="the disk is full"):
            pipeline.get("prefabs/leaf.ron")
        monkeypatch.setattr(pipeline.store, "step", lambda _: None)
        assert pipeline.get("prefabs/leaf.ron").kind == "prefab"
