"""`Layers`: finds the sprite list that a sprite is added to, by the name of its layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, Final, TypeAlias

from arcade import BasicSprite, Scene, SpriteList

from ..errors import SpawnError
from ..prefab.suggestions import did_you_mean
from .watched_lists import SpriteOwners, WatchedSpriteList

__all__ = ["Layers", "SpawnScene", "check_scene", "check_wall"]

SpawnScene: TypeAlias = Scene | SpriteList[Any] | Mapping[str, SpriteList[Any]]
"""What entities can be spawned into: a scene with named layers, one list for all layers, or a
mapping of layers' names to lists."""


def check_scene(scene: object) -> None:
    """Raises unless entities can be spawned into an object.

    Raises:
        TypeError: It is neither an `arcade.Scene` nor an `arcade.SpriteList`, nor a mapping of
            names to sprite lists.
    """
    if not isinstance(scene, Scene | SpriteList | Mapping):
        raise TypeError(
            "a scene to spawn into is an arcade.Scene, an arcade.SpriteList, or a mapping of "
            f"layers to lists, not {type(scene).__name__}"
        )
    if isinstance(scene, Mapping):
        for layer, sprites in scene.items():
            if not isinstance(sprites, SpriteList):
                raise TypeError(f"the layer {layer!r} is no arcade.SpriteList, but {sprites!r}")


# The spatial hash of wall lists enters a sprite into each square of 128 pixels that it covers. So
# many squares take about 50 ms.
_SQUARE: Final = 128
_MOST_SQUARES: Final = 100_000


def check_wall(sprite: BasicSprite) -> None:
    """Raises if a wall is so large that entering it into a spatial hash would stop the game.

    Raises:
        SpawnError: The sprite covers more than 100,000 squares, or its size is NaN or infinite.
    """
    wide = abs(sprite.right - sprite.left) / _SQUARE + 1
    high = abs(sprite.top - sprite.bottom) / _SQUARE + 1
    # `not <=` instead of `>`: NaN has to be refused.
    if not wide * high <= _MOST_SQUARES:
        size = f"{wide * _SQUARE:,.0f} × {high * _SQUARE:,.0f}"
        raise SpawnError(f"its collider is too large: {size} pixels; walls can be made of several")


class Layers:
    """The plugin's own scene, and the look-up of lists in any scene.

    Args:
        names: Layers of the plugin's scene, the bottom one first; layers that only prefabs name
            come above them.
        owners: Has the sprites of all entities, for `WatchedSpriteList`.

    Attributes:
        scene: The plugin's scene.

    Main thread.
    """

    def __init__(self, names: Iterable[str], owners: SpriteOwners) -> None:
        self.scene = Scene()
        self._owners = owners
        self._more: dict[SpriteList[Any], tuple[str, str]] = {}  # their layers, and names of theirs
        self._numbers = count()
        for name in names:
            self._add(self.scene, name)

    def _add(self, scene: Scene, name: str) -> SpriteList[Any]:
        return scene.add_sprite_list(name, sprite_list=WatchedSpriteList(self._owners))

    def list_of(self, scene: SpawnScene | None, layer: str) -> SpriteList[Any]:
        """Returns the sprite list of a layer; an `arcade.Scene` gets a new one if it has none.

        Raises:
            SpawnError: The scene is a mapping without that layer.
        """
        # The type is compared first: `isinstance` of an abstract class takes as long as the rest.
        target = self.scene if scene is None else scene
        if type(target) is not Scene and isinstance(target, SpriteList):
            return target
        try:
            return target[layer]
        except KeyError:
            if isinstance(target, Scene):
                return self._add(target, layer)
            hint = did_you_mean(layer, target)
            raise SpawnError(f"the scene has no layer {layer!r}; {hint}") from None

    def add_list(self, layer: str, sprites: SpriteList[Any]) -> None:
        """Draw one more list with a layer of the own scene, above what is in it so far."""
        self.list_of(None, layer)
        name = f"{layer} ({next(self._numbers)})"
        below = [own for of, own in self._more.values() if of == layer]
        self.scene.add_sprite_list_after(name, below[-1] if below else layer, sprite_list=sprites)
        self._more[sprites] = (layer, name)

    def remove_list(self, sprites: SpriteList[Any]) -> None:
        """Draw a list no more that `add_list` was given."""
        found = self._more.pop(sprites, None)
        if found is not None and found[1] in self.scene:
            self.scene.remove_sprite_list_by_name(found[1])

    def draw(self, names: Iterable[str] | None = None, **options: Any) -> None:
        """Draw the own scene, or some of its layers; options are those of `arcade.Scene.draw`."""
        if names is not None:
            more = self._more.values()
            names = [
                one for name in names for one in (name, *(own for of, own in more if of == name))
            ]
        self.scene.draw(names, **options)

    def list_with(
        self, scene: SpawnScene | None, layer: str, sprite: BasicSprite
    ) -> SpriteList[Any] | None:
        """Returns the list of a layer that a sprite is in; None if the game has removed it."""
        found = getattr(scene, "list_with", None)  # `CellSpriteLists` has several lists for a layer
        if found is not None:
            sprites: SpriteList[Any] | None = found(layer, sprite)
            return sprites
        here = self.list_of(scene, layer)
        return here if sprite in here else None
