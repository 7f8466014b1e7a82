"""The fixtures of tests with a window, and an island that is built once for all of them."""

import shutil
import sys
from pathlib import Path

import pytest
from stage import session_window, window

from arcade_prefabs.pipeline.bake.worker_pool import ProcessWorkers

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # demo_world is not installed

__all__ = ["session_window", "window"]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An assets folder with an island of 16 × 16 cells in its bake store, to copy."""
    from demo_world.building import build

    assets = tmp_path_factory.mktemp("demo") / "assets"
    shutil.copytree(ROOT / "assets", assets, ignore=shutil.ignore_patterns(".arcade_prefabs"))
    with pytest.MonkeyPatch.context() as patch:  # they take longer to start than this takes
        patch.setattr(ProcessWorkers, "possible", staticmethod(lambda: False))
        assert build(assets, 16) > 20_000
    return assets
