"""What tests of processors share: one file through one processor, and the asset that comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
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


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Path]:
    """Write files below an assets folder and give the folder."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        assets = tmp_path / "assets"
        (assets / "prefabs").mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = assets / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return assets

    return write
