"""Make sprites, list them and take them out of lists, with less work than in Arcade's own calls.

**The problem.** `arcade.Sprite(...)` runs four constructors and makes its hit box twice,
`SpriteList.append` asks the atlas for the same texture twice, and `kill` goes through five calls.
Together they take most of the time in which an entity of one sprite comes and goes.

**The way taken.** Three functions set the attributes that Arcade's constructor and methods set.
They do so for exactly `arcade.Sprite` and for lists without a spatial hash, `arcade.SpriteList`
and what `plain_list` names; everything else goes Arcade's way. What they set is Arcade's private
knowledge: before they are used, `difference` has sprites come and go in both ways, and compares
every attribute that is there afterwards. Where a version of Arcade, or a game that has patched it,
has one more, one less, or another value, `sprite_calls` gives functions that call Arcade.

**The ways rejected.** *A subclass of `Sprite` with a shorter constructor*: games ask for the type.
*Copying a sprite that is there*: `copy` takes longer than the constructor. *Looking for names or
versions only*: neither says that a value has changed.
"""

from __future__ import annotations

import logging
import sys
from array import array
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

import arcade
from arcade import BasicSprite, Sprite, SpriteList, Texture
from arcade.hitbox import RotatableHitBox
from PIL import Image

__all__ = ["SpriteCalls", "difference", "plain_list", "sprite_calls"]

_log = logging.getLogger("arcade_prefabs")

_WHITE: Final = arcade.color.WHITE
_STILL: Final = (0.0, 0.0)
# The class of `Sprite.pymunk`, which Arcade does not export; None is no class, and fails the check.
_PyMunk: Final[Any] = getattr(sys.modules.get("arcade.sprite.mixins"), "PyMunk", None)
# What makes an object and leaves its attributes to us.
_new_sprite: Final = Sprite.__new__
_new_hit_box: Final = RotatableHitBox.__new__
# Classes of lists that list sprites as `SpriteList` does.
_plain_lists: Final[set[type]] = {SpriteList}
# A list with no more sprites is searched sprite by sprite.
_FEW: Final = 256
# Matches that are parts of two slots, until a list is searched sprite by sprite.
_TRIES: Final = 8
# A list of sprites begins with room for 256: one more has its buffers grow.
_MANY: Final = 257


_L = TypeVar("_L", bound=SpriteList[Any])


class SpriteCalls(NamedTuple):
    """How sprites are made and listed.

    Attributes:
        make: ``make(texture, (x, y), (wide, high), angle)`` gives a visible `arcade.Sprite`.
        append: ``append(sprites, sprite)`` puts any sprite into any list.
        remove: ``remove(sprites, sprite)`` takes it out again.
        stock: Whether these are Arcade's own calls.
    """

    make: Callable[[Texture, tuple[float, float], tuple[float, float], float], Sprite]
    append: Callable[[SpriteList[Any], BasicSprite], None]
    remove: Callable[[SpriteList[Any], BasicSprite], None]
    stock: bool


def plain_list(cls: type[_L]) -> type[_L]:
    """Let the shortcuts be taken for a class of lists, too; a decorator.

    Its ``append`` is that of Arcade, and nothing has to be done when `SpriteCalls.remove` is
    called, and not its own ``remove``.
    """
    _plain_lists.add(cls)
    return cls


@cache
def sprite_calls() -> SpriteCalls:
    """The shortcuts, if they do what this version of Arcade does; otherwise its own calls.

    Main thread.
    """
    found = difference()
    if found is None:
        return SpriteCalls(_make, _append, _remove, stock=False)
    _log.info("sprites are made by Arcade's own calls, as %s of Arcade differs", found)
    return SpriteCalls(_stock_make, _stock_append, _stock_remove, stock=True)


def _stock_make(
    texture: Texture, position: tuple[float, float], scale: tuple[float, float], angle: float
) -> Sprite:
    return Sprite(texture, scale, position[0], position[1], angle)


def _stock_append(sprites: SpriteList[Any], sprite: BasicSprite) -> None:
    sprites.append(sprite)


def _stock_remove(sprites: SpriteList[Any], sprite: BasicSprite) -> None:
    sprites.remove(sprite)


def _make(
    texture: Texture, position: tuple[float, float], scale: tuple[float, float], angle: float
) -> Sprite:
    # arcade/sprite/sprite.py:62, base.py:65, mixins.py:15, hitbox/base.py:110 and :283
    sprite = _new_sprite(Sprite)
    sprite._position = position
    sprite._depth = 0.0
    sprite._texture = texture
    sprite._scale = scale
    width, height = texture._size
    sprite._width = width * scale[0]
    sprite._height = height * scale[1]
    sprite._visible = True
    sprite._color = _WHITE
    sprite._angle = angle
    sprite._velocity = _STILL
    sprite._properties = None
    sprite.sprite_lists = []
    sprite.change_angle = 0.0
    sprite.boundary_left = sprite.boundary_right = None
    sprite.boundary_top = sprite.boundary_bottom = None
    sprite.cur_texture_index = 0
    sprite.textures = [texture]
    sprite.physics_engines = []
    sprite.guid = None
    sprite.force = [0.0, 0.0]
    sprite.pymunk = _PyMunk()
    sprite._hit_box = box = _new_hit_box(RotatableHitBox)
    box._points = texture._hit_box_points
    box._position = position
    box._scale = scale
    box._angle = angle
    box._adjusted_points = ()
    box._adjusted_cache_dirty = True
    return sprite


def _append(sprites: SpriteList[Any], sprite: BasicSprite) -> None:
    slots = sprites.sprite_slot
    if (
        type(sprites) not in _plain_lists
        or type(sprite) is not Sprite
        or sprites.spatial_hash is not None
        or sprite in slots
    ):
        sprites.append(sprite)
        return
    # arcade/sprite_list/sprite_list.py:635 and :1062; what the atlas raises leaves nothing here
    number: int | None = None
    if sprites._initialized:
        atlas: Any = sprites._atlas
        number = atlas.add(sprite._texture)[0]
    free = sprites._sprite_buffer_free_slots
    slot = free.popleft() if free else sprites._next_slot()
    slots[sprite] = slot
    sprites.sprite_list.append(sprite)
    sprite.sprite_lists.append(sprites)
    first = slot * 4
    places = sprites._sprite_pos_angle_data
    places[first], places[first + 1] = sprite._position
    places[first + 2] = sprite._depth
    places[first + 3] = sprite._angle
    colors = sprites._sprite_color_data
    colors[first], colors[first + 1], colors[first + 2], alpha = sprite._color
    colors[first + 3] = alpha * sprite._visible
    sizes = sprites._sprite_size_data
    sizes[slot * 2] = sprite._width
    sizes[slot * 2 + 1] = sprite._height
    if number is not None:
        sprites._sprite_texture_data[slot] = number
        sprites._sprite_texture_changed = True
    sprites._sprite_pos_angle_changed = True
    sprites._sprite_size_changed = True
    sprites._sprite_color_changed = True
    sprites._sprite_index_changed = True
    index = sprites._sprite_index_slots
    sprites._sprite_index_slots = index + 1
    if index >= sprites._idx_capacity:
        sprites._grow_index_buffer()
    sprites._sprite_index_data[index] = slot


def _remove(sprites: SpriteList[Any], sprite: BasicSprite) -> None:
    slots = sprites.sprite_slot
    if (
        type(sprites) not in _plain_lists
        or type(sprite) is not Sprite
        or sprites.spatial_hash is not None
        or sprite not in slots
    ):
        sprites.remove(sprite)
        return
    # arcade/sprite_list/sprite_list.py:685, which looks for the last one from the front
    members = sprites.sprite_list
    index = len(members) - 1
    if members[index] is not sprite:
        index = _index_of(sprites, sprite, slots[sprite])
    del members[index]
    sprite.sprite_lists.remove(sprites)
    sprites._sprite_buffer_free_slots.append(slots.pop(sprite))
    order = sprites._sprite_index_data
    order.pop(index)
    order.append(0)
    sprites._sprite_index_slots -= 1
    sprites._sprite_index_changed = True


def _index_of(sprites: SpriteList[Any], sprite: BasicSprite, slot: int) -> int:
    """Returns where a sprite stands in a list.

    The slots of a list's sprites stand in an array, in the order of the sprites. A search for the
    bytes of a slot takes less than half of the time of `list.index`, which compares objects.
    """
    members = sprites.sprite_list
    if len(members) > _FEW:
        content, wanted = sprites._sprite_index_data.tobytes(), slot.to_bytes(4, sys.byteorder)
        at = content.find(wanted)
        for _ in range(_TRIES):
            if at < 0 or at % 4 == 0:
                break
            at = content.find(wanted, at + 1)  # parts of two other slots
        index = at // 4
        if at >= 0 and index < len(members) and members[index] is sprite:
            return index
    return members.index(sprite)


# ---------------------------------------------------------------------------------- the comparison


class _Atlas:
    """What a list asks of its atlas, without OpenGL."""

    def add(self, _texture: Texture) -> tuple[int, None]:
        return (7, None)


def difference() -> str | None:
    """The first thing that differs between the shortcuts and this version of Arcade, or None.

    Main thread.
    """
    points = ((-2.0, -1.5), (2.0, -1.5), (2.0, 1.5))
    texture = Texture(Image.new("RGBA", (4, 3)), hit_box_points=points)
    stock = SpriteCalls(_stock_make, _stock_append, _stock_remove, stock=True)
    ours = SpriteCalls(_make, _append, _remove, stock=False)
    for initialized in (False, True):
        try:
            before = _tried(stock, texture, initialized)
            after = _tried(ours, texture, initialized)
        except Exception as error:  # whatever another version raises
            return f"{type(error).__name__}: {error}"
        for name in {**before, **after}:
            if name not in before or name not in after or before[name] != after[name]:
                return name
    return None


def _tried(calls: SpriteCalls, texture: Texture, initialized: bool) -> dict[str, object]:
    """Everything that is known of a list and its sprites after they came and went."""
    sprites: SpriteList[Any] = SpriteList(lazy=True)
    made: list[BasicSprite] = []
    names = {id(sprites): "the list", id(texture): "the texture"}
    if initialized:
        atlas: Any = _Atlas()
        names[id(atlas)] = "the atlas"
        sprites._atlas = atlas
        sprites._initialized = True
    for number in range(6 if initialized else _MANY):
        angle = 0.0 if number else 30.0
        one = calls.make(texture, (number + 0.5, -number), (2.0, 0.5 + number), angle)
        names[id(one)] = f"sprite {number}"
        made.append(one)
        calls.append(sprites, one)
    found: dict[str, object] = {}
    _describe("SpriteList", sprites, names, found, deep=True)
    for number in (2, len(made) - 1, 0) if initialized else ():
        _draw(sprites)
        calls.remove(sprites, made[number])
        _describe(f"SpriteList without {number}", sprites, names, found, deep=True)
    if initialized:
        _draw(sprites)
        calls.append(sprites, made[2])
        _describe("SpriteList with 2", sprites, names, found, deep=True)
    for number in (0, 2, 4):
        _describe(f"Sprite {number}", made[number], names, found, deep=True)
    return found


def _draw(sprites: SpriteList[Any]) -> None:
    """Set back what says that something has to be sent to the graphics card."""
    for name in vars(sprites):
        if name.endswith("_changed"):
            setattr(sprites, name, False)


def _describe(
    name: str, value: Any, names: Mapping[int, str], found: dict[str, object], deep: bool = False
) -> None:
    """Note a value, and all that it is made of, by the path to it."""
    if id(value) in names and not deep:
        found[name] = names[id(value)]
    elif isinstance(value, array):
        found[name] = (value.typecode, value.tobytes())
    elif isinstance(value, list | tuple | deque):
        found[name] = (type(value).__name__, len(value))
        for number, one in enumerate(value):
            _describe(f"{name}[{number}]", one, names, found)
    elif isinstance(value, dict):
        _describe(name, list(value.items()), names, found)
    elif type(value).__module__.partition(".")[0] == "arcade":
        found[name] = type(value).__qualname__
        for attribute, one in sorted(_attributes(value).items()):
            _describe(f"{name}.{attribute}", one, names, found)
    else:
        found[name] = (type(value).__name__, value)


def _attributes(value: object) -> dict[str, object]:
    found = dict(getattr(value, "__dict__", {}))
    for cls in type(value).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name != "__weakref__" and hasattr(value, name):
                found[name] = getattr(value, name)
    return found
