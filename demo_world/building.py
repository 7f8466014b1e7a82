"""Builds the world in a process of its own, so that the progress screen does not stutter.

``python -m demo_world.building ASSETS SIZE`` bakes the assets, writes the world into the bake
store, and prints its progress, 0 to 1, as lines.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from .landscape import CELL, LAYERS, Landscape, recipe

__all__ = ["WorldBuild", "world_name"]

# The part of the time that adding entities takes, by measurement; finishing the world is the rest.
_ADDING: Final = 0.72


def world_name(size: int) -> str:
    """Returns the world's name in the bake store, which depends on its size and `recipe`."""
    return f"demo_{size}_{recipe()}"


def build(assets: Path, size: int) -> int:
    """Bakes the assets and builds the world. Returns the number of its entities."""
    from arcade_prefabs.pipeline import AssetPipeline, WorldBuilder
    from arcade_prefabs.spawning import texture_processor

    landscape = Landscape(size)
    with AssetPipeline(assets, processors=[texture_processor()]) as pipeline:
        report = pipeline.bake()
        for error in report.errors:  # a broken prefab must not keep the demo from starting
            print(error, file=sys.stderr)
        with WorldBuilder(pipeline, world_name(size), cell_size=CELL, layers=LAYERS) as world:
            for row in range(size):
                for column in range(size):
                    for one in landscape.cell(column, row):
                        world.add(
                            f"demo/{one.prefab}", (one.x, one.y), angle=one.angle, scale=one.scale
                        )
                print(f"{(row + 1) / size * _ADDING:.3f}", flush=True)
            count = len(world)
        for old in pipeline.ids("world"):
            name = old.removeprefix("worlds/").removesuffix(".ron")
            if name.startswith(f"demo_{size}_") and name != world_name(size):
                pipeline.remove_world(name)
    print("1.000", flush=True)
    return count


class WorldBuild:
    """The process that builds the world, with its progress.

    Args:
        assets: The assets folder.
        size: The number of cells in each direction.

    Attributes:
        progress: The progress, 0 to 1.
        error: The error output of the process, once it has failed; otherwise None.
    """

    def __init__(self, assets: Path, size: int) -> None:
        self.progress = 0.0
        self.error: str | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "demo_world.building", str(assets), str(size)],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_progress, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for one in self._readers:
            one.start()

    def _read_progress(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with contextlib.suppress(ValueError):  # a line that a library has printed
                    self.progress = float(line)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            self._errors += lines

    @property
    def done(self) -> bool:
        """Whether the process has ended; `error` is set if it failed."""
        status = self._process.poll()
        if status is None:
            return False
        for one in self._readers:
            one.join(5)
        if status:
            self.error = "".join(self._errors[-12:]).strip() or f"it ended with {status}"
        return True

    def stop(self) -> None:
        """Ends the process, if it still runs; the bake store stays as it was before."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)
        for one in self._readers:
            one.join(5)


if __name__ == "__main__":
    build(Path(sys.argv[1]), int(sys.argv[2]))
