"""`Despawner`: how entities, and parts of them, go: hooks, lists of sprites, the index."""

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

# As many are taken out of their lists at once; more of them in steps of so many sprites.
_AT_ONCE: Final = 50
_SPRITES: Final = 25


class Despawner:
    """Takes entities out of the world.

    Args:
        entities: What is alive.
        queue: Where steps of large departures wait.
        calls: How sprites are taken out of lists.

    Main thread.
    """

    def __init__(self, entities: EntityIndex, queue: MainThreadQueue, calls: SpriteCalls) -> None:
        self._entities = entities
        self._unlist = calls.remove
        self._queue = queue
        self._leaving: list[list[EntityRecord]] = []
        self._closed = False

    def remove_parts(self, parts: Sequence[EntityRecord]) -> None:
        """Take parts out of an entity that stays, all of their children being among them.

        Hooks have been called.
        """
        self._entities.drop(parts)
        for record in parts:
            parent = record.parent
            if parent is not None and parent.children:
                parent.children = [one for one in parent.children if one is not record]
            record.blueprint = None
        self.remove(parts)

    def remove(self, parts: Sequence[EntityRecord]) -> None:
        """Take the sprites of parts out of all lists: many of them in steps."""
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
        """Let go of sprites whose lists are dropped whole, and take them out of all others."""
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
        """Take a part's sprite, and that of its text, out of all of their lists."""
        if record.animation is not None:
            record.animation.stop()
            record.animation = None
        sprite, record.sprite = record.sprite, None
        # Whoever keeps the entity keeps no room in the atlas with it.
        record.frames = ()
        if sprite is not None:
            self._entities.drop_sprite(sprite)
            self._remove(sprite, sprite.sprite_lists)
        if record.label is not None:
            self.drop_label(record)

    def drop_label(self, record: EntityRecord) -> None:
        """Take the sprite of a part's text out of all of its lists."""
        label, record.label = record.label, None
        if label is not None:
            self._entities.drop_sprite(label.sprite)
            self._remove(label.sprite, label.sprite.sprite_lists)

    def finish(self) -> None:
        """There are no frames any more: what was to go in steps goes now, and from now on."""
        self._closed = True
        for record in chain.from_iterable(self._leaving):
            self.drop_sprite(record)
        self._leaving.clear()

    def unlist(self, sprite: BasicSprite) -> None:
        """Take a sprite out of all of its lists and engines."""
        self._remove(sprite, sprite.sprite_lists)

    def _remove(self, sprite: BasicSprite, lists: Sequence[SpriteList[Any]]) -> None:
        """Take a sprite out of lists, whatever was done to it, and out of engines that simulate it.

        `PymunkPhysicsEngine` keeps sprites of its own: they would stay there as walls nobody sees.
        """
        engines = getattr(sprite, "physics_engines", None)  # a `BasicSprite` has none
        if engines:
            for spawn_runtime in engines:
                # The game may have taken it out itself, and Arcade's engine fails on a second time.
                if sprite in getattr(spawn_runtime, "sprites", (sprite,)):
                    spawn_runtime.remove_sprite(sprite)
            engines.clear()
        for one in tuple(lists):
            # A position that is no number is an error after Arcade has crossed out the old one, and
            # then the sprite cannot be removed any more: arcade/sprite_list/spatial_hash.py:130.
            if one.spatial_hash is not None:
                one.spatial_hash.buckets_for_sprite.setdefault(sprite, [])
            self._unlist(one, sprite)
