"""Sprite lists that notice when the game removes an entity's sprite.

A game that knows Arcade ends a thing with `sprite.kill()`, which takes the sprite out of each of
its lists, and calls nothing else. So the plugin's own lists note the removal, and `KilledSprites`
despawns the entity at the end of the frame. Comparing all sprites with their lists in each frame
would cost a game with 10,000 entities a millisecond; noting removals costs one look-up in a dict
for each.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Protocol

from arcade import BasicSprite, SpriteList

from ..window.sprite_shortcuts import plain_list

__all__ = ["SpriteOwners", "WallList", "WatchedSpriteList", "is_in_drawn_list"]


class SpriteOwners(Protocol):
    """The entities' sprites, and those that may have been killed; an `EntityIndex`. Main thread.

    Attributes:
        sprites: The sprites of all entities.
        suspects: Sprites that the game may have killed, to be checked when the frame ends.
    """

    @property
    def sprites(self) -> Container[BasicSprite]:
        """The sprites of all entities."""
        ...

    @property
    def suspects(self) -> dict[BasicSprite, None]:
        """Sprites that the game may have killed, to be checked when the frame ends."""
        ...


@plain_list
class WatchedSpriteList(SpriteList[Any]):
    """A sprite list that notes removals of entities' sprites.

    The plugin drops a sprite from the index before it removes the sprite from lists, so that only
    removals by the game are noted.

    Args:
        owners: Has the sprites of all entities, and gets the suspects.
        options: Passed on to `arcade.SpriteList`.

    Main thread.
    """

    def __init__(self, owners: SpriteOwners, **options: Any) -> None:
        super().__init__(**options)
        self._owned = owners.sprites
        self._suspects = owners.suspects

    def remove(self, sprite: Any) -> None:
        """Removes a sprite, as `arcade.SpriteList.remove` does."""
        super().remove(sprite)
        if sprite in self._owned:
            self._suspects[sprite] = None

    def pop(self, index: int = -1) -> Any:
        """Removes a sprite by its index, as `arcade.SpriteList.pop` does."""
        sprite = super().pop(index)
        if sprite in self._owned:
            self._suspects[sprite] = None
        return sprite


class WallList(SpriteList[Any]):
    """A list of solid sprites, never drawn: without buffers, with a spatial hash.

    Args:
        options: Passed on to `arcade.SpriteList`.

    Main thread.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"use_spatial_hash": True, "lazy": True, **options})


def is_in_drawn_list(sprite: BasicSprite) -> bool:
    """Whether a sprite is in any list that is no wall list. Main thread."""
    return any(not isinstance(one, WallList) for one in sprite.sprite_lists)
