"""What tests of processors share: one file through one processor, and the asset that comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from arcade_prefabs.pipeline import AssetPipeline, BakedAsset, MemorySource

Baked = Callable[..., BakedAsset]


@pytest.fixture
def baked() -> Iterator[Baked]:
    """Bakes the file ``path`` of some files and gives the asset; raises its error."""
    pipelines: list[AssetPipeline] = []

    def bake(
        path: str,
        files: Mapping[str, str | bytes],
        settings: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> BakedAsset:
        pipeline = AssetPipeline(MemorySource(files), jobs=0, **options)
        pipelines.append(pipeline)
        return pipeline.get(path, settings)

    yield bake
    for pipeline in pipelines:
        pipeline.close()
