"""`Despawner`: takes entities and their parts out of sprite lists, indexes and physics engines."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from itertools import chain
from typing import Any, Final

from arcade import BasicSprite, SpriteList

from ...frames import MainThreadQueue, Step
from ...window.sprite_shortcuts import SpriteCalls
from ..entities.entity import EntityRecord
from ..entities.entity_index import EntityIndex

__all__ = ["Despawner"]

# Up to so many parts are removed at once; more of them in steps of `_SPRITES`.
_AT_ONCE: Final = 50
_SPRITES: Final = 25


class Despawner:
    """Takes the sprites of entities out of the game.

    Args:
        entities: The entity index.
        queue: The main-thread queue, for entities with many parts.
        calls: Removes a sprite from a list.

    Main thread.
    """

    def __init__(self, entities: EntityIndex, queue: MainThreadQueue, calls: SpriteCalls) -> None:
        self._entities = entities
        self._unlist = calls.remove
        self._queue = queue
        self._leaving: list[list[EntityRecord]] = []
        self._closed = False

    def remove_parts(self, parts: Sequence[EntityRecord]) -> None:
        """Takes parts out of an entity that stays alive.

        All descendants of a part have to be among `parts`; despawn hooks have been called.
        """
        self._entities.drop(parts)
        for record in parts:
            parent = record.parent
            if parent is not None and parent.children:
                parent.children = [one for one in parent.children if one is not record]
            record.blueprint = None
        self.remove(parts)

    def remove(self, parts: Sequence[EntityRecord]) -> None:
        """Takes the sprites of parts out of all lists; more than 50 parts in steps."""
        if len(parts) <= _AT_ONCE or self._closed:
            for record in parts:
                self.drop_sprite(record)
        else:
            for record in parts:
                if record.animation is not None:
                    record.animation.stop()
            self._leaving.append(list(parts))
            removal = self._removal(self._leaving[-1])
            self._queue.post(removal, "retire", Step("remove", _SPRITES))

    def _removal(self, parts: list[EntityRecord]) -> Generator[Step, None, None]:
        while parts:
            for record in parts[-_SPRITES:]:
                self.drop_sprite(record)
            del parts[-_SPRITES:]
            yield Step("remove", _SPRITES)
        self._leaving = [one for one in self._leaving if one is not parts]

    def forget(self, parts: Sequence[EntityRecord], dropped: Callable[[object], bool]) -> None:
        """Releases sprites whose lists are dropped as a whole, and takes them out of other lists.

        Args:
            parts: The parts.
            dropped: Tells of a sprite list whether it is dropped as a whole.
        """
        for record in parts:
            for sprite in record.own_sprites():
                self._entities.drop_sprite(sprite)
                kept = [one for one in sprite.sprite_lists if not dropped(one)]
                self._remove(sprite, kept)
                sprite.sprite_lists.clear()
            if record.animation is not None:
                record.animation.stop()
                record.animation = None
            record.sprite = record.label = None
            record.frames = ()

    def drop_sprite(self, record: EntityRecord) -> None:
        """Takes the sprite and the text label of a part out of all lists."""
        if record.animation is not None:
            record.animation.stop()
            record.animation = None
        sprite, record.sprite = record.sprite, None
        # A game that keeps the entity must not keep its textures in the atlas.
        record.frames = ()
        if sprite is not None:
            self._entities.drop_sprite(sprite)
            self._remove(sprite, sprite.sprite_lists)
        if record.label is not None:
            self.drop_label(record)

    def drop_label(self, record: EntityRecord) -> None:
        """Takes the text label of a part out of all lists."""
        label, record.label = record.label, None
        if label is not None:
            self._entities.drop_sprite(label.sprite)
            self._remove(label.sprite, label.sprite.sprite_lists)

    def finish(self) -> None:
        """Removes at once what was to go in steps; later calls of `remove` do the same.

        Called when the plugin is detached: there are no frames any more.
        """
        self._closed = True
        for record in chain.from_iterable(self._leaving):
            self.drop_sprite(record)
        self._leaving.clear()

    def unlist(self, sprite: BasicSprite) -> None:
        """Takes a sprite out of all lists and physics engines."""
        self._remove(sprite, sprite.sprite_lists)

    def _remove(self, sprite: BasicSprite, lists: Sequence[SpriteList[Any]]) -> None:
        """Takes a sprite out of lists and physics engines, whatever the game has done to it.

        `PymunkPhysicsEngine` keeps sprites of its own, which would stay there as invisible walls.
        """
        engines = getattr(sprite, "physics_engines", None)  # a `BasicSprite` has none
        if engines:
            for engine in engines:
                # The game may have removed it already: Arcade's engine raises on a second removal.
                if sprite in getattr(engine, "sprites", (sprite,)):
                    engine.remove_sprite(sprite)
            engines.clear()
        for sprites in tuple(lists):
            # A move to a NaN position raises after Arcade has forgotten the sprite's old buckets;
            # then `remove` would raise, too: arcade/sprite_list/spatial_hash.py:130.
            if sprites.spatial_hash is not None:
                sprites.spatial_hash.buckets_for_sprite.setdefault(sprite, [])
            self._unlist(sprites, sprite)
