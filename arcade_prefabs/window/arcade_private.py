"""Lists the private names of Arcade that the plugin uses, and checks that this version has them.

The plugin's texture atlas replaces private parts of Arcade's atlas, as there is no public way. They
may change in any version of Arcade. So the names are checked before the atlas is installed; if one
is missing, the game keeps Arcade's own atlas, with its pauses.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from types import CodeType
from typing import Any, Final

import arcade
import pyglet
from arcade import BasicSprite, Scene, SpriteList
from arcade.hitbox import HitBox
from pyglet.window import Window

__all__ = [
    "await_draw",
    "can_hold_instances",
    "cleared_mark",
    "draw_rate",
    "events_are_queued",
    "give_hit_box",
    "lists_of",
    "missing",
    "names",
    "queue_events",
    "references_of",
    "stop_frames",
    "was_drawn",
]

# Classes by module and name: imported by the check, as another version may have moved them.
_ATLAS: Final = "arcade.texture_atlas.DefaultTextureAtlas"
_REGION: Final = "arcade.texture_atlas.AtlasRegion"
_UVS: Final = "arcade.texture_atlas.uv_data.UVData"
_TEXTURE_COUNTER: Final = "arcade.texture_atlas.ref_counters.UniqueTextureRefCounter"
_IMAGE_COUNTER: Final = "arcade.texture_atlas.ref_counters.ImageDataRefCounter"
_CONTEXT: Final = "arcade.ArcadeContext"

# The methods, properties and slots of each class.
_MEMBERS: Final[dict[str, tuple[str, ...]]] = {
    _ATLAS: (
        # overridden
        "_add_texture_ref",
        "add",
        "image_uv_texture",
        "rebuild",
        "resize",
        "unique_textures",
        "use_uv_texture",
        # called
        "height",
        "width",
        "write_image",
    ),
    _UVS: (
        "free_slot_by_name",
        "get_existing_or_free_slot",
        "get_slot_or_raise",
        "num_free_slots",
        "num_slots",
        "set_slot_data",
        "texture",
        "write_to_texture",
    ),
    _TEXTURE_COUNTER: ("dec_ref_by_atlas_name", "inc_ref"),
    _IMAGE_COUNTER: ("dec_ref_by_hash", "inc_ref"),
    _REGION: ("height", "texture_coordinates", "width", "x", "y"),
    "arcade.Texture": ("_hash", "_update_cache_names", "_vertex_order", "atlas_name", "image_data"),
    "arcade.texture.ImageData": ("hash", "image", "size"),
    "arcade.texture.transforms.Transform": ("transform_texture_coordinates_order",),
    _CONTEXT: ("default_atlas", "default_texture_unit"),
}

# The attributes that the constructor of each class sets.
_ATTRIBUTES: Final[dict[str, tuple[str, ...]]] = {
    _ATLAS: (
        "_auto_resize",
        "_border",
        "_capacity",
        "_ctx",
        "_fbo",
        "_finalizers_created",
        "_image_ref_count",
        "_image_regions",
        "_image_uvs",
        "_images",
        "_max_size",
        "_size",
        "_texture",
        "_texture_regions",
        "_texture_uvs",
        "_textures",
        "_textures_added",
        "_textures_removed",
        "_unique_texture_ref_count",
        "_unique_textures",
        "_version",
    ),
    _UVS: ("_data", "_dirty", "_slots", "_slots_free"),
    _CONTEXT: ("_atlas",),
}

# The parameters of constructors that the plugin passes.
_PARAMETERS: Final[dict[str, tuple[str, ...]]] = {
    _ATLAS: ("size", "border", "auto_resize", "ctx", "capacity"),
    _UVS: ("ctx", "capacity"),
    _REGION: ("atlas", "x", "y", "width", "height", "texture_coordinates"),
}


# Names that the plugin can do without, each checked where it is used.
_OPTIONAL: Final = frozenset(
    {
        "_dispatch_frame",
        "_draw_rate",
        "_enable_event_queue",
        "_hit_box",
        "_name_mapping",
        "_sprite_buffer_free_slots",
        "_sprite_lists",
        "_sprite_pos_angle_changed",
        "_update_rate",
    }
)

# What ``sprite_shortcuts`` sets of sprites, hit boxes and lists; it compares with what Arcade sets.
_SHORTCUTS: Final = frozenset(
    {
        # of textures
        "_hit_box_points",
        "_size",
        # of sprites
        "_angle",
        "_color",
        "_depth",
        "_height",
        "_hit_box",
        "_position",
        "_properties",
        "_scale",
        "_texture",
        "_velocity",
        "_visible",
        "_width",
        # of hit boxes
        "_adjusted_cache_dirty",
        "_adjusted_points",
        "_points",
        # of lists
        "_atlas",
        "_grow_index_buffer",
        "_idx_capacity",
        "_initialized",
        "_next_slot",
        "_sprite_buffer_free_slots",
        "_sprite_color_changed",
        "_sprite_color_data",
        "_sprite_index_changed",
        "_sprite_index_data",
        "_sprite_index_slots",
        "_sprite_pos_angle_changed",
        "_sprite_pos_angle_data",
        "_sprite_size_changed",
        "_sprite_size_data",
        "_sprite_texture_changed",
        "_sprite_texture_data",
    }
)


# What `InstanceList` fills and asks of a sprite list that was made without OpenGL.
_LIST: Final = (
    "_atlas",
    "_buf_capacity",
    "_idx_capacity",
    "_init_deferred",
    "_initialized",
    "_sprite_buffer_free_slots",
    "_sprite_buffer_slots",
    "_sprite_color_data",
    "_sprite_index_changed",
    "_sprite_index_data",
    "_sprite_index_slots",
    "_sprite_pos_angle_data",
    "_sprite_size_data",
    "_sprite_texture_data",
    "_update_all",
    "_update_texture",
    "sprite_list",
    "sprite_slot",
)


@cache
def can_hold_instances() -> bool:
    """Return whether this version of Arcade has what `InstanceList` needs. Any thread."""
    sprites: SpriteList[Any] = SpriteList(lazy=True)
    return all(hasattr(sprites, name) for name in _LIST)


def names() -> frozenset[str]:
    """Returns all private names of Arcade and pyglet that the plugin uses. Any thread."""
    listed = [name for table in (_MEMBERS, _ATTRIBUTES) for some in table.values() for name in some]
    listed += (*_LIST, "_unregister_sprite_list")
    return _OPTIONAL | _SHORTCUTS | {name for name in listed if name.startswith("_")}


def missing() -> list[str]:
    """Returns the names that this version of Arcade lacks; none in 3.3.3. Any thread."""
    return sorted(set(_missing()))


def _missing() -> Iterator[str]:
    for where in {**_MEMBERS, **_ATTRIBUTES, **_PARAMETERS}:
        owner = _find(where)
        if owner is None:
            yield where
            continue
        assigned = _assigned(owner)
        for name in _MEMBERS.get(where, ()):
            if not _has(owner, name) and name not in assigned:
                yield f"{where}.{name}"
        for name in _ATTRIBUTES.get(where, ()):
            if name not in assigned:
                yield f"{where}.{name}"
        parameters = inspect.signature(owner).parameters
        for name in _PARAMETERS.get(where, ()):
            if name not in parameters:
                yield f"{where}({name})"


def draw_rate(window: arcade.Window) -> float:
    """Returns the seconds between frames that a window was set to. Main thread."""
    seconds = getattr(window, "_draw_rate", 1 / 60)
    return float(seconds) if seconds > 0 else 1 / 60


def set_rates(window: arcade.Window, update: float, draw: float) -> tuple[float, float]:
    """Sets the seconds between updates and between frames. Returns the former. Main thread."""
    before = float(getattr(window, "_update_rate", 1 / 60)), draw_rate(window)
    # In this order there are never more frames than updates, which Arcade refuses.
    window.set_update_rate(min(update, before[1]))
    window.set_draw_rate(draw)
    window.set_update_rate(update)
    return before


def events_are_queued() -> bool:
    """Whether windows queue events until `dispatch_events`; pyglet's event loop switches that off.

    Main thread.
    """
    return bool(getattr(Window, "_enable_event_queue", True))


def queue_events(queued: bool) -> None:
    """Sets whether windows queue events until `dispatch_events`. Main thread."""
    Window._enable_event_queue = queued


def stop_frames(window: arcade.Window) -> None:
    """Unschedules the frames of a closed window from pyglet's clock. Main thread.

    Arcade 3.3 does not: the clock would update the closed window, and keep it in memory, while
    another window runs.
    """
    frames = getattr(window, "_dispatch_frame", None)
    if frames is not None:
        pyglet.clock.unschedule(frames)


def give_hit_box(sprite: BasicSprite, points: Sequence[tuple[float, float]]) -> None:
    """Sets the hit box of a `BasicSprite`, if this version of Arcade has the private attribute.

    Main thread.
    """
    # Its `hit_box` can only be read: arcade/sprite/base.py:750.
    if hasattr(sprite, "_hit_box"):
        sprite._hit_box = HitBox(points, position=sprite.position, scale=sprite.scale)
        sprite.update_spatial_hash()


def lists_of(scene: Scene | SpriteList[Any] | Mapping[str, SpriteList[Any]]) -> list[Any]:
    """Returns the sprite lists of a scene or a mapping, each once. Main thread."""
    if isinstance(scene, SpriteList):
        return [scene]
    lists = getattr(scene, "_sprite_lists", ()) if isinstance(scene, Scene) else scene.values()
    return list({id(sprites): sprites for sprites in lists}.values())


def references_of(scene: Scene | Mapping[str, SpriteList[Any]]) -> Counter[int]:
    """Returns how often a scene or a mapping refers to each of its lists, by ``id`` of the list.

    Main thread.
    """
    if not isinstance(scene, Scene):
        return Counter(map(id, scene.values()))
    in_order, by_name = getattr(scene, "_sprite_lists", ()), getattr(scene, "_name_mapping", {})
    return Counter(map(id, in_order)) + Counter(map(id, by_name.values()))


def cleared_mark(sprites: SpriteList[Any]) -> object:
    """Returns an object of a list that `SpriteList.clear` replaces (sprite_list.py:572).

    Without such an attribute, the list itself, which then never counts as cleared. Main thread.
    """
    return getattr(sprites, "_sprite_buffer_free_slots", sprites)


def await_draw(sprites: SpriteList[Any]) -> None:
    """Marks the positions of a list as changed, so that its next draw uploads them. Main thread."""
    sprites._sprite_pos_angle_changed = True


def was_drawn(sprites: SpriteList[Any]) -> bool:
    """Whether a list was drawn since `await_draw`; True if Arcade lacks the mark. Main thread."""
    return not getattr(sprites, "_sprite_pos_angle_changed", False)


def _find(where: str) -> type | None:
    module, _, name = where.rpartition(".")
    try:
        owner = getattr(import_module(module), name, None)
    except ImportError:
        return None
    return owner if isinstance(owner, type) else None


def _has(owner: type, name: str) -> bool:
    # An abstract base class may still declare a name that no class defines any more.
    return hasattr(owner, name) and not getattr(getattr(owner, name), "__isabstractmethod__", False)


def _assigned(owner: type) -> set[str]:
    """Returns the names in the constructors of a class, as there is no object to inspect."""
    names: set[str] = set()
    for one in owner.__mro__:
        function = vars(one).get("__init__")
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            names.update(code.co_names)
    return names
