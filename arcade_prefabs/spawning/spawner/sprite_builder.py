"""`SpriteBuilder`: makes the sprites and text labels of parts, and adds them to sprite lists."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import arcade
from arcade import BasicSprite, Texture
from arcade.hitbox import RotatableHitBox

from ...errors import SpawnError
from ...prefab.builtin import Text
from ...window.arcade_private import give_hit_box
from ...window.sprite_shortcuts import SpriteCalls
from ..atlas.textures import LoadedTexture, TextureStore
from ..blueprints.blueprint import PartBlueprint
from ..blueprints.labels import Labels, TextSpec, label_of
from ..blueprints.sprite_spec import SpriteSpec, TextureRef
from ..entities.animation import Animator
from ..entities.entity import EntityRecord
from ..entities.entity_index import EntityIndex
from ..entities.transform import turned
from ..layers import Layers, check_wall
from ..walls import DEFAULT_GROUP, Walls
from .despawn import Despawner

__all__ = ["SpriteBuilder", "offer_frames", "set_hit_box"]

_LARGE: Final = 4096
_OPAQUE_WHITE: Final = (255, 255, 255, 255)
_UPRIGHT: Final = (False, False)


class SpriteBuilder:
    """Makes the sprites of entities; `Despawner` takes them away again.

    Args:
        textures: The loaded textures.
        labels: Draws texts.
        layers: Finds the list of a layer.
        walls: The lists for solid sprites of entities without an owner.
        entities: The entity index.
        animator: Plays animations.
        despawner: Takes a text label away when another one replaces it.
        calls: Makes sprites, and adds them to lists.

    Main thread.
    """

    def __init__(
        self,
        textures: TextureStore,
        labels: Labels,
        layers: Layers,
        walls: Walls,
        entities: EntityIndex,
        animator: Animator,
        despawner: Despawner,
        calls: SpriteCalls,
    ) -> None:
        self._textures = textures
        self._labels = labels
        self._layers = layers
        self._walls = walls
        self._entities = entities
        self._registry = entities.registry
        self._animator = animator
        self._despawner = despawner
        self._make = calls.make
        self._append = calls.append

    def dress(self, record: EntityRecord, blueprint: PartBlueprint, *, shown: bool = True) -> None:
        """Gives a part its components, sprite and text label.

        Args:
            record: The part.
            blueprint: The part's blueprint.
            shown: Whether its sprites are visible, and solid, at once.

        Raises:
            SpawnError: A texture has left the cache, or the sprite cannot be made.
        """
        record.blueprint = blueprint
        spec = blueprint.spec
        if spec is not None:
            image = self._textures.get(spec.texture)
            if image is None:
                raise _missing(spec.texture)
            # Most sprites are not flipped, and a thousand may be built in one frame: no call.
            frames = image.textures if spec.flip == _UPRIGHT else image.flipped(spec.flip)
            sprite = self._sprite(spec, frames[0], record, shown=shown)
            record.sprite, record.frames = sprite, frames
            if len(frames) > 1:
                offer_frames(sprite, frames)
            self._entities.add_sprite(sprite, record.entity)
            self._append(self._layers.list_of(record.spawn_task.scene, spec.layer), sprite)
            if spec.solid:
                self._add_wall(record, spec, sprite, shown=shown)
            if spec.animation is not None or image.durations is not None:
                self._animator.begin(record, spec, image)
        if blueprint.label is not None:
            self.add_label(record, blueprint.label, shown=shown)

    def _sprite(
        self, spec: SpriteSpec, texture: Texture, record: EntityRecord, *, shown: bool
    ) -> BasicSprite:
        """Makes a sprite at the transform of its part.

        Args:
            spec: The sprite spec.
            texture: The texture to show.
            record: The part.
            shown: Whether the sprite is visible, unless its entity is hidden.

        Raises:
            SpawnError: The sprite class cannot be made with a texture alone, or is no
                `BasicSprite`.
        """
        x, y, (wide, high) = record.x, record.y, record.scale
        if spec.offset != (0.0, 0.0):
            dx, dy = turned(spec.offset, record.angle, record.scale)
            x, y = x + dx, y + dy
        scale = (spec.scale[0] * wide, spec.scale[1] * high)
        angle = record.angle + spec.angle
        visible = shown and record.spawn_task.visible
        sprite: BasicSprite
        if spec.sprite_class == "Sprite":
            sprite = self._make(texture, (x, y), scale, angle)
            if not visible:
                sprite.visible = False
        else:
            cls = self._registry.get_sprite_class(spec.sprite_class)
            if cls is None:
                sprite = BasicSprite(texture, scale, x, y, visible)
            else:
                sprite = _own(cls, spec.sprite_class, texture)
                sprite.scale = scale
                sprite.position = (x, y)
                sprite.visible = visible
                if hasattr(cls, "angle"):
                    sprite.angle = angle  # type: ignore[attr-defined]
        if spec.color != _OPAQUE_WHITE:
            sprite.color = spec.color
        if spec.points is not None:
            set_hit_box(sprite, spec.points)
        return sprite

    def _add_wall(
        self, record: EntityRecord, spec: SpriteSpec, sprite: BasicSprite, *, shown: bool
    ) -> None:
        # The hit box of a texture is not larger than the sprite.
        small = abs(sprite.width) < _LARGE and abs(sprite.height) < _LARGE
        if spec.points is not None or not small:
            check_wall(sprite)
        if shown:
            self.make_solid(record)

    def make_solid(self, record: EntityRecord) -> bool:
        """Adds a part's sprite to its wall list; returns whether that was necessary."""
        spec, sprite = record.spec, record.sprite
        if spec is None or sprite is None or not spec.solid:
            return False
        walls = record.spawn_task.owner or self._walls
        group = walls.wall_list(spec.group or DEFAULT_GROUP)
        if sprite in group:
            return False
        group.append(sprite)
        return True

    def add_label(self, record: EntityRecord, spec: TextSpec, *, shown: bool = True) -> None:
        """Makes the text label of a part, in front of the part's own sprite."""
        spawn_task, entity = record.spawn_task, record.entity
        x, y = entity.position
        place = (x, y, entity.angle, entity.scale)
        label = self._labels.make(spec, place, visible=shown and spawn_task.visible)
        record.label = label
        self._entities.add_sprite(label.sprite, entity)
        self._layers.list_of(spawn_task.scene, spec.layer).append(label.sprite)

    def say(self, record: EntityRecord, text: str) -> None:
        """Changes the text of a living part, which has a component `Text`."""
        component, own = record.entity[Text], record.spec
        spec = label_of(
            {"Text": dataclasses.replace(component, text=text)},
            "default" if own is None else own.layer,
        )
        component.text = text
        self._despawner.drop_label(record)
        if spec is not None:
            self.add_label(record, spec)

    def texture(self, ref: TextureRef) -> LoadedTexture:
        """Returns a loaded texture.

        Raises:
            SpawnError: The texture has left the cache.
        """
        found = self._textures.get(ref)
        if found is None:
            raise _missing(ref)
        return found


def _missing(ref: TextureRef) -> SpawnError:
    return SpawnError(f"the texture {ref.path} is not in memory any more")


def _own(cls: Any, name: str, texture: Texture) -> BasicSprite:
    try:
        sprite = cls(texture)
    except TypeError as error:
        raise SpawnError(
            f"the sprite class `{name}` cannot be made with a texture alone: {error}. Give its "
            "other arguments defaults, and set them in an on_spawn hook"
        ) from error
    if not isinstance(sprite, BasicSprite):
        raise SpawnError(f"the sprite class `{name}` is no arcade.BasicSprite")
    if sprite.texture is not texture:
        sprite.texture = texture
    return sprite


def offer_frames(
    sprite: BasicSprite, frames: tuple[Texture, ...], old: tuple[Texture, ...] = ()
) -> None:
    """Puts the frames of a prefab's image into `arcade.Sprite.textures`, for `set_texture`.

    Args:
        sprite: The sprite.
        frames: The animation frames.
        old: The frames that they replace; textures that the game has appended stay.

    Main thread.
    """
    if isinstance(sprite, arcade.Sprite):
        known = {id(one) for one in (*frames, *old)}
        sprite.textures = [*frames, *(one for one in sprite.textures if id(one) not in known)]


def set_hit_box(sprite: BasicSprite, points: Sequence[tuple[float, float]]) -> None:
    """Replaces the hit box of a sprite. Main thread."""
    if isinstance(sprite, arcade.Sprite):
        sprite.hit_box = RotatableHitBox(
            points, position=sprite.position, angle=sprite.angle, scale=sprite.scale
        )
    else:
        give_hit_box(sprite, points)
