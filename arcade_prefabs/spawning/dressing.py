"""`Dressing`: gives entities their sprites and texts, and puts those where they are drawn."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ..errors import SpawnError
from ..prefab.builtin import Text
from .entity import Entity
from .labels import LabelLook, label_of
from .looks import Look, TextureRef
from .plans import PartPlan
from .sprites import make_sprite, offer_frames
from .textures import LoadedTexture

if TYPE_CHECKING:
    from .factory import EntityFactory

__all__ = ["Dressing"]


class Dressing:
    """Makes the sprites of entities; `Departures` takes them away again.

    Main thread.
    """

    def __init__(self, factory: EntityFactory) -> None:
        self._factory = factory

    def dress(self, entity: Entity, plan: PartPlan, *, visible: bool) -> None:
        """Give an entity its components and sprites."""
        entity._plan = plan
        if plan.look is not None:
            self.add_sprite(entity, plan.look, visible=visible)
        if plan.label is not None:
            self.add_label(entity, plan.label, visible=visible)

    def add_sprite(self, entity: Entity, look: Look, *, visible: bool) -> None:
        """Make an entity's sprite, and put it into its lists."""
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
            factory.walls.group(look.group or "default").append(sprite)
        if look.animation is not None or image.durations is not None:
            factory.animator.begin(entity, look, image)

    def add_label(self, entity: Entity, look: LabelLook, *, visible: bool) -> None:
        """Make the sprite of an entity's text, in front of the entity's own."""
        factory = self._factory
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
            self.add_label(entity, look, visible=entity._spawning.visible)

    def texture(self, ref: TextureRef) -> LoadedTexture:
        """A texture that is there.

        Raises:
            SpawnError: It left the cache meanwhile.
        """
        found = self._factory.textures.get(ref)
        if found is None:
            raise SpawnError(f"the texture {ref.path} is not in memory any more")
        return found
