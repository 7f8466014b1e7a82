"""`SpawnRuntime`: loader, atlas, textures and entity factory of a window, and their frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

from ..frames import DrainReport, FrameBudget, GarbageScheduler
from ..loading import AsyncPrefabLoader, Executor, LoaderSettings
from ..pipeline import AssetPipeline
from ..prefab import ComponentRegistry
from ..window.arcade_private import draw_rate
from .atlas.installation import current_atlas, install_atlas, restore_atlas
from .atlas.stock_atlas import StockAtlas
from .atlas.textures import TextureAtlas, TextureStore
from .blueprints.blueprint import BlueprintDecoder
from .blueprints.labels import Labels
from .entities.entity_index import EntityIndex
from .layers import Layers
from .spawner.entity_factory import EntityFactory

__all__ = ["SpawnRuntime"]

# Textures that are reclaimed in a frame at most, about 5 µs each.
_RECLAIMED: Final = 50
# With less of a frame's budget left, there is no second drain.
_ROUND_S: Final = 0.0002
_FLOOR_S: Final = 0.00025
_SMALLEST_ATLAS: Final = 64


class SpawnRuntime:
    """The objects behind the plugin of one window, and their work in each frame.

    Args:
        window: The window; its texture atlas is replaced.
        pipeline: Bakes the assets.
        undo: Gets a callback for each thing to be undone when the plugin is closed.
        layers: Names of layers, the bottom one first.
        registry: The components that prefabs may name.
        atlas_size: Width and height of the texture atlas, in pixels.
        budget_ms: Milliseconds of a frame at most.
        settings: Settings of the loader.
        garbage: The garbage scheduler, or None.
        executor: Runs loads in the background; None for loader threads.
        clock: Returns seconds, such as `time.perf_counter`.

    Attributes:
        pipeline: Bakes the assets.
        loader: Loads the assets.
        atlas: The texture atlas; None if Arcade's own had to stay.
        entities: The entity index.
        layers: The scene of the plugin.
        factory: Spawns and despawns entities.

    Main thread.
    """

    def __init__(
        self,
        window: Any,
        pipeline: AssetPipeline,
        undo: ExitStack,
        *,
        layers: Iterable[str],
        registry: ComponentRegistry,
        atlas_size: tuple[int, int],
        budget_ms: float,
        settings: LoaderSettings | None,
        garbage: GarbageScheduler | None,
        executor: Executor | None,
        clock: Callable[[], float],
    ) -> None:
        _check(layers, registry, atlas_size)
        self.pipeline = pipeline
        self._window = window
        previous = current_atlas(window.ctx)
        self.atlas = install_atlas(window.ctx, atlas_size, on_full=self._make_room)
        undo.callback(self._restore_atlas, previous)
        target: TextureAtlas = (
            StockAtlas(window.ctx.default_atlas) if self.atlas is None else self.atlas
        )
        textures = TextureStore(target)
        given = LoaderSettings() if settings is None else settings
        self.loader = AsyncPrefabLoader(
            pipeline,
            replace(
                given,
                decoders={"prefab": BlueprintDecoder(), "image": textures.decode, **given.decoders},
                activators={"image": textures.activate, **given.activators},
            ),
            registry=registry,
            clock=clock,
            executor=executor,
            budget=FrameBudget(frame_s=draw_rate(window)),
            garbage=garbage,
        )
        undo.callback(self.loader.close)
        self.budget_ms = budget_ms
        self.entities = EntityIndex(registry)
        self.layers = Layers(layers, self.entities)
        labels = Labels(window.ctx, target)
        labels.warm_up()
        if self.atlas is not None:
            self.atlas.reclaim(1)
        self.factory = EntityFactory(
            self.loader,
            textures,
            labels,
            self.layers,
            self.entities,
            clock=clock,
        )
        undo.callback(self.factory.close)

    @property
    def budget_ms(self) -> float:
        """Milliseconds of a frame that the plugin takes at most."""
        return self.loader.budget.ceiling_s * 1000

    @budget_ms.setter
    def budget_ms(self, milliseconds: float) -> None:
        if not 0 < milliseconds < 1000:
            raise ValueError(f"the budget must be above 0 and below 1000 ms, not {milliseconds}")
        budget = self.loader.budget
        budget.ceiling_s = milliseconds / 1000
        budget.floor_s = min(_FLOOR_S, budget.ceiling_s)

    @property
    def busy(self) -> bool:
        """Whether anything is being loaded, uploaded or built, or waits for that."""
        now = self.loader.statistics()
        return bool(now.waiting or now.in_flight or self.factory.waiting or len(self.loader.queue))

    def work(self, delta_time: float) -> DrainReport:
        """Does the work of one frame: animations, atlas, and steps of the main-thread queue.

        Args:
            delta_time: Seconds since the last frame.
        """
        loader, factory = self.loader, self.factory
        factory.animator.update(delta_time)
        factory.lent.look()
        if self.atlas is not None and self.atlas.waiting:
            self.atlas.reclaim(_RECLAIMED)
        # The time of spawns that the game made itself in this frame counts against the budget.
        budget_s = max(loader.budget.seconds - factory.spent_s, loader.budget.least_s)
        factory.spent_s = 0.0
        report = loader.drain(budget_s)
        left = budget_s - report.spent_s
        # Entities whose assets were committed in this drain may be built in the same frame.
        if left > _ROUND_S and factory.queued:
            report = report.followed_by(loader.drain(left))
        return report

    def _make_room(self, _pixels: int) -> bool:
        """Trims the loader's cache for a full atlas, half of it first; returns whether it could."""
        in_memory = self.loader.statistics().cache.bytes
        return bool(self.loader.trim(in_memory // 2) or self.loader.trim())

    def _restore_atlas(self, previous: Any) -> None:
        window = self._window
        ctx = window.ctx if window.context is not None else None
        if self.atlas is not None and ctx is not None and current_atlas(ctx) is self.atlas:
            restore_atlas(ctx, previous)


def _check(layers: Iterable[str], registry: object, atlas_size: Sequence[int]) -> None:
    """Raises for arguments that would cause an error much later."""
    if isinstance(layers, str):
        raise TypeError(f"layers are several names, not one string: layers=[{layers!r}]")
    if not isinstance(registry, ComponentRegistry):
        raise TypeError(f"a registry is a ComponentRegistry, not {registry!r}")
    if (
        not isinstance(atlas_size, Sequence)
        or len(atlas_size) != 2
        or not all(isinstance(side, int) and side >= _SMALLEST_ATLAS for side in atlas_size)
    ):
        raise ValueError(
            f"an atlas_size is (width, height) in pixels, each {_SMALLEST_ATLAS} at least, "
            f"not {atlas_size!r}"
        )
