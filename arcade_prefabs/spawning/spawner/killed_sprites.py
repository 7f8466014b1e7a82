"""`KilledSprites`: despawns entities whose sprite the game has killed.

**The problem.** An Arcade game ends a thing with `sprite.kill()`,
`sprite.remove_from_sprite_lists()` or `sprite_list.remove(sprite)`. The entity has to end with its
sprite: its hooks are called, and walls, index, cell and save forget it. But games also remove a
sprite to append it to another list.

**The way taken.** A sprite that may have been removed is a *suspect*. When the frame ends, an
entity whose sprite is in no drawn list is despawned. Suspects come from the plugin's own lists,
which notice removals (`WatchedSpriteList`). Lists of the game notice nothing; of entities in these,
a sprite becomes a suspect when the game asks for it (`entity.sprite`, `entities.of_sprite`), and
all of them are checked in turn, some in each quarter of a second.

A list of the game that was cleared is no kill: games clear a list and fill it again later.
`DroppedListWatch` reports such lists.

**The ways rejected.** *Checking all sprites in each frame*: 0.1 µs each, a millisecond for 10,000.
*Replacing `sprite_lists` of each sprite by a list that notices changes*: one more object for each
entity. *Wrapping lists of the game*: they belong to the game.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from arcade import BasicSprite

from ..dropped_lists import DroppedListWatch
from ..entities.entity import Entity, EntityState, record_of
from ..entities.entity_index import EntityIndex
from ..watched_lists import WatchedSpriteList, is_in_drawn_list

__all__ = ["KilledSprites"]

# Seconds between two checks of entities in lists of the game, and entities in one: about 50 µs.
_EVERY_S: Final = 0.25
_AT_ONCE: Final = 256


class KilledSprites:
    """Despawns entities whose sprite the game has removed from all drawn lists.

    Args:
        entities: The entity index.
        lent: Watches the sprite lists of the game that entities were spawned into.
        clock: Returns seconds.

    Main thread.
    """

    def __init__(
        self, entities: EntityIndex, lent: DroppedListWatch, clock: Callable[[], float]
    ) -> None:
        self._entities = entities
        self._lent = lent
        self._clock = clock
        self._next = 0.0
        # Sprites that the game has moved from a list of the plugin to one of its own.
        self._moved: dict[BasicSprite, None] = {}

    def end_frame(self) -> None:
        """Despawns the entities whose sprites were killed in the frame that ends."""
        if (self._moved or self._lent.scenes) and (now := self._clock()) >= self._next:
            self._next = now + _EVERY_S
            self._suspect_some()
        if self._entities.suspects:
            self.despawn_killed()

    def despawn_killed(self) -> None:
        """Despawns the entities of all suspects that are in no drawn list any more."""
        suspects = self._entities.suspects
        some = list(suspects)
        suspects.clear()
        for sprite in some:
            entity = self._entities.owner_of(sprite)
            if entity is not None:
                self._judge(sprite, entity)

    def _judge(self, sprite: BasicSprite, entity: Entity) -> None:
        if is_in_drawn_list(sprite):
            if not any(isinstance(one, WatchedSpriteList) for one in sprite.sprite_lists):
                self._moved[sprite] = None
            return
        record = record_of(entity)
        if record.sprite is not None and record.sprite is not sprite:
            return  # the text label: a game may remove it, and keep the entity
        state = entity.state
        if state is EntityState.BUILDING:
            self._entities.suspects[sprite] = None  # checked again once all parts are built
        elif state is EntityState.ALIVE:
            spec = record.spec
            was_cleared = self._lent.was_cleared(record.spawn_task)
            # Clearing a list leaves a solid sprite in its wall list; killing the sprite does not.
            if not was_cleared or (spec is not None and spec.solid and not sprite.sprite_lists):
                entity.despawn()

    def _suspect_some(self) -> None:
        suspects = self._entities.suspects
        for spawn_task in self._lent.some(_AT_ONCE):
            for record in spawn_task.built:
                for sprite in record.own_sprites():
                    if not is_in_drawn_list(sprite):
                        suspects[sprite] = None
        moved, self._moved = self._moved, {}
        suspects.update(moved)
