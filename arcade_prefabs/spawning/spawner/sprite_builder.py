"""`Dressing`: gives entities their sprites and texts, and puts those where they are drawn."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from ...errors import SpawnError
from ...prefab.builtin import Text
from ..atlas.textures import LoadedTexture
from ..blueprints.blueprint import PartPlan
from ..blueprints.labels import LabelLook, label_of
from ..blueprints.sprite_spec import Look, TextureRef
from ..entities.entity import Entity
from ..layers import check_wall
from ..walls import DEFAULT_GROUP
from .sprites import make_sprite, offer_frames

if TYPE_CHECKING:
    from .entity_factory import EntityFactory

__all__ = ["Dressing"]

_LARGE: Final = 4096


class Dressing:
    """Makes the sprites of entities; `Departures` takes them away again.

    Main thread.
    """

    def __init__(self, factory: EntityFactory) -> None:
        self._factory = factory

    def dress(self, entity: Entity, plan: PartPlan, *, shown: bool = True) -> None:
        """Give an entity its components and sprites.

        Args:
            entity: The entity.
            plan: What it is.
            shown: Whether its sprites are to be seen, and are walls, as soon as they are there.
        """
        entity._plan = plan
        if plan.look is not None:
            self.add_sprite(entity, plan.look, shown=shown)
        if plan.label is not None:
            self.add_label(entity, plan.label, shown=shown)

    def add_sprite(self, entity: Entity, look: Look, *, shown: bool = True) -> None:
        """Make an entity's sprite, and put it into its lists."""
        visible = shown and entity._spawning.visible
        factory = self._factory
        image = self.texture(look.texture)
        frames = image.flipped(look.flip)
        place = (entity._x, entity._y, entity._angle, entity._scale)
        sprite = make_sprite(look, frames[0], factory.registry, place, visible=visible)
        entity._sprite, entity._frames = sprite, frames
        if len(frames) > 1:
            offer_frames(sprite, frames)
        factory.entities.add_sprite(sprite, entity)
        factory.layers.list_of(entity._spawning.scene, look.layer).append(sprite)
        if look.solid:
            # A picture's own hit box is no larger than the picture.
            small = abs(sprite.width) < _LARGE and abs(sprite.height) < _LARGE
            if look.points is not None or not small:
                check_wall(sprite)
            if shown:
                self.make_solid(entity)
        if look.animation is not None or image.durations is not None:
            factory.animator.begin(entity, look, image)

    def make_solid(self, entity: Entity) -> bool:
        """Have things stop at an entity's sprite, if it is to be solid and is not yet."""
        look, sprite = entity._look, entity._sprite
        if look is None or sprite is None or not look.solid:
            return False
        walls = entity._spawning.owner or self._factory.walls
        group = walls.wall_list(look.group or DEFAULT_GROUP)
        if sprite in group:
            return False
        group.append(sprite)
        return True

    def add_label(self, entity: Entity, look: LabelLook, *, shown: bool = True) -> None:
        """Make the sprite of an entity's text, in front of the entity's own."""
        factory = self._factory
        visible = shown and entity._spawning.visible
        x, y = entity.position
        place = (x, y, entity.angle, entity.scale)
        entity._label = factory.labels.make(look, place, visible=visible)
        factory.entities.add_sprite(entity._label.sprite, entity)
        factory.layers.list_of(entity._spawning.scene, look.layer).append(entity._label.sprite)

    def say(self, entity: Entity, text: str) -> None:
        """Have an entity's text say something else.

        Raises:
            SpawnError: It has no `Text`, or is not there.
        """
        self._factory.guard.check("Entity.text")
        plan = entity._plan
        if plan is None or "Text" not in plan.names or not entity._spawning.done:
            raise SpawnError(f"{entity!r} has no `Text` that could say something")
        component = entity[Text]
        look = label_of(
            {"Text": dataclasses.replace(component, text=text)},
            "default" if plan.look is None else plan.look.layer,
        )
        component.text = text
        self._factory.departures.drop_label(entity)
        if look is not None:
            self.add_label(entity, look)

    def texture(self, ref: TextureRef) -> LoadedTexture:
        """A texture that is there.

        Raises:
            SpawnError: It left the cache meanwhile.
        """
        found = self._factory.textures.get(ref)
        if found is None:
            raise SpawnError(f"the texture {ref.path} is not in memory any more")
        return found
