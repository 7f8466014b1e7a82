"""`SpawnGroup`: spawns of one prefab that wait together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import SpawnError
from ...loading import Handle
from ..blueprints.blueprint import SpawnPlan
from ..blueprints.sprite_spec import TextureRef

if TYPE_CHECKING:
    from .entity_factory import EntityFactory
    from .spawn_task import Spawning

__all__ = ["SpawnGroup"]


class SpawnGroup:
    """Spawns of one prefab that wait for it, or for its textures.

    Attributes:
        handle: The prefab's.
        members: The spawns.

    Main thread.
    """

    __slots__ = ("_factory", "_missing", "_waits", "handle", "members")

    def __init__(self, factory: EntityFactory, handle: Handle[Any]) -> None:
        self.handle = handle
        self.members: dict[Spawning, None] = {}
        self._factory = factory
        self._missing = 0
        self._waits: list[TextureRef] = []

    def loaded(self) -> None:
        """The prefab is there: wait for the textures that are not."""
        self.stop()
        plan = getattr(self.handle.value, "plan", None)
        store = self._factory.textures
        if isinstance(plan, SpawnPlan):
            self._waits = [ref for ref in plan.textures if store.get(ref) is None]
        self._missing = len(self._waits)
        for ref in self._waits:
            store.when_announced(ref, self._arrived)
        if not self._missing:
            self._factory.release(self)

    def _arrived(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._waits = []
            self._factory.release(self)

    def fail(self, error: Exception | None) -> None:
        """The prefab, or a texture of it, cannot be loaded."""
        self.stop()
        for spawning in list(self.members):
            spawning.fail(SpawnError("it cannot be loaded") if error is None else error)

    def stop(self) -> None:
        """Wait for textures no more."""
        for ref in self._waits:
            self._factory.textures.forget(ref, self._arrived)
        self._waits = []
