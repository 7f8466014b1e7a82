"""Sprite lists that notice when the game removes an entity's sprite.

A game that knows Arcade ends a thing with `sprite.kill()`. Arcade tells nobody: it takes the sprite
out of each of its lists. So the plugin's own lists note whose sprite was removed, and
`KilledSprites` despawns the entity at the end of the frame. To compare all sprites with their lists
in each frame would cost a game with 10,000 entities a millisecond; to note removals costs a look-up
in a dict for each removal, and nothing else.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Protocol

from arcade import BasicSprite, SpriteList

from ..window.sprite_shortcuts import plain_list

__all__ = ["SpriteOwners", "WallList", "WatchedSpriteList", "is_in_drawn_list"]


class SpriteOwners(Protocol):
    """Knows whose sprites are whose; see `EntityIndex`. Main thread.

    Attributes:
        sprites: The sprites of all entities.
        suspects: Sprites whose lists are looked at when the frame ends.
    """

    @property
    def sprites(self) -> Container[BasicSprite]:
        """See above."""
        ...

    @property
    def suspects(self) -> dict[BasicSprite, None]:
        """See above."""
        ...


@plain_list
class WatchedSpriteList(SpriteList[Any]):
    """A sprite list that notes which entities' sprites are removed from it.

    The plugin forgets a sprite before it removes it, so only removals by others are noted.

    Args:
        owners: Knows whose sprites are whose.
        options: Those of `arcade.SpriteList`.

    Main thread.
    """

    def __init__(self, owners: SpriteOwners, **options: Any) -> None:
        super().__init__(**options)
        self._owned = owners.sprites
        self._suspects = owners.suspects

    def remove(self, sprite: Any) -> None:
        """Remove a sprite; see `arcade.SpriteList.remove`."""
        super().remove(sprite)
        if sprite in self._owned:
            self._suspects[sprite] = None

    def pop(self, index: int = -1) -> Any:
        """Remove a sprite by its index; see `arcade.SpriteList.pop`."""
        sprite = super().pop(index)
        if sprite in self._owned:
            self._suspects[sprite] = None
        return sprite


class WallList(SpriteList[Any]):
    """A sprite list of solid sprites, which is never drawn.

    It has no buffers, and a spatial hash. Main thread.

    Args:
        options: Those of `arcade.SpriteList`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"use_spatial_hash": True, "lazy": True, **options})


def is_in_drawn_list(sprite: BasicSprite) -> bool:
    """Return whether a sprite is in any list beside those of walls. Main thread."""
    return any(not isinstance(one, WallList) for one in sprite.sprite_lists)
