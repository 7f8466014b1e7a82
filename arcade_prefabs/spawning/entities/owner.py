"""`SpawnOwner`: whom spawned entities belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from arcade import SpriteList

if TYPE_CHECKING:
    from ..spawner.spawn_task import Spawning

__all__ = ["SpawnOwner"]


class SpawnOwner(Protocol):
    """Whom an entity belongs to beside the game, such as a region of a world. Main thread."""

    def wall_list(self, group: str) -> SpriteList[Any]:
        """The list for its solid sprites of a collision group."""
        ...

    def gone(self, spawning: Spawning) -> None:
        """It was despawned, or failed; not called by `Spawning.retire`."""
        ...

    def lived(self, spawning: Spawning) -> None:
        """A reload has given it components, and their `on_first_spawn` was called."""
        ...
