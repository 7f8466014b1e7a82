"""Makes the hints of errors about misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable
from typing import Final

from ..errors import shown

__all__ = ["did_you_mean", "instead_of", "nearest_ids", "other_word"]

_SHOWN = 8
# Hostile files may have names of many megabytes; only the beginning is compared.
_LONGEST = 100


# The names that Arcade and other engines have for fields, and the names here. Of several, the first
# one that the struct has is suggested.
_OTHER_WORDS: Final = {
    **dict.fromkeys(
        ("position", "pos", "x", "y", "xy", "centerx", "centery", "location", "coordinates", "at"),
        ("position", "offset"),
    ),
    **dict.fromkeys(("offset", "place"), ("position",)),
    **dict.fromkeys(("rotation", "rotate", "degrees", "heading"), ("angle",)),
    **dict.fromkeys(("scalex", "scaley", "scalexy", "zoom"), ("scale",)),
    "size": ("font_size", "frame_size", "scale"),
    **dict.fromkeys(("colour", "tint"), ("color",)),
    **dict.fromkeys(("opacity", "transparency"), ("alpha",)),
    **dict.fromkeys(("flipx", "fliph", "flippedhorizontally", "mirrored"), ("flip_horizontal",)),
    **dict.fromkeys(("flipy", "flipv", "flippedvertically"), ("flip_vertical",)),
    **dict.fromkeys(
        ("image", "picture", "file", "filename", "path", "pathorpathtexture", "src"),
        ("texture", "image", "path"),
    ),
    **dict.fromkeys(("type", "class", "cls", "kind"), ("prefab", "extends", "sprite_class")),
    **dict.fromkeys(("prefab", "base", "parent", "inherits", "template"), ("extends", "prefab")),
    "extends": ("prefab",),
    "components": ("overrides",),
    "overrides": ("components",),
    **dict.fromkeys(("objects", "instances", "prefabs", "children", "sprites"), ("entities",)),
    "entities": ("children",),
    **dict.fromkeys(("tilesize", "gridsize", "chunksize"), ("cell_size",)),
    **dict.fromkeys(("duration", "fps", "frametime", "interval"), ("frame_duration",)),
    **dict.fromkeys(("loop", "repeat", "looping"), ("mode", "loop")),
    **dict.fromkeys(("hitbox", "points"), ("shape",)),
    "font": ("font_name",),
    **dict.fromkeys(("value", "content", "string", "label"), ("text",)),
}


def other_word(name: str, known: Container[str]) -> str | None:
    """Returns the known field for which Arcade or another engine has the name ``name``, or None."""
    words = _OTHER_WORDS.get(_folded(name[:_LONGEST]), ())
    return next((word for word in words if word != name and word in known), None)


_TILED: Final = (
    "maps of Tiled and LDtk are not read here: `arcade.load_tilemap` shows those of Tiled; prefabs "
    "are RON files below `prefabs/`; a world is one below `worlds/`, or is written by "
    "`WorldBuilder`"
)
_PICTURE: Final = (
    "this is a picture: a prefab shows it, `Prefab(components: [Sprite(texture: ...)])`, in a RON "
    "file below `prefabs/`"
)
_SOUND: Final = (
    "this is a sound: a prefab plays it, `Prefab(components: [Sound(path: ...)])`, in a RON file "
    "below `prefabs/`"
)
_JSON: Final = "prefabs and worlds are RON files, below `prefabs/` and `worlds/`"
_BY_SUFFIX: Final = {
    **dict.fromkeys(("tmx", "tmj", "tsx", "tsj", "ldtk", "tscn", "ldtkl"), _TILED),
    **dict.fromkeys(("png", "jpg", "jpeg", "gif", "webp", "bmp", "tga", "svg"), _PICTURE),
    **dict.fromkeys(("wav", "ogg", "mp3", "flac", "opus", "aac", "m4a"), _SOUND),
    **dict.fromkeys(
        ("json", "json5", "yaml", "yml", "toml", "xml", "ini", "csv", "txt", "py"), _JSON
    ),
}


def instead_of(path: str) -> str | None:
    """Returns what to do with a file that is neither prefab nor world, by its suffix, or None."""
    return _BY_SUFFIX.get(path.partition("#")[0].rpartition(".")[2].lower())


def did_you_mean(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Returns a hint with the most similar known names.

    If no name is similar, the hint is ``otherwise`` or, without it, a list of the known names.
    Case, underscores, hyphens and spaces are ignored, because mistakes in them are the most
    frequent ones.
    """
    known = tuple(known)
    word = other_word(name, known)
    if word is not None and _folded(name) not in map(_folded, known):
        return _question([shown(word)])
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(_folded(candidate), shown(candidate))
    near = difflib.get_close_matches(_folded(name[:_LONGEST]), by_folded, n=2, cutoff=0.6)
    if near:
        return _question([by_folded[match] for match in near])
    if otherwise is not None:
        return otherwise
    names = list(by_folded.values())
    if not names:
        return "there are none"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return "there are: " + ", ".join(f"`{known_name}`" for known_name in names[:_SHOWN]) + more


def nearest_ids(identifier: str, known: Iterable[str], folder: str = "prefabs/") -> str | None:
    """Returns a hint with the most similar prefabs or worlds, as authors write them.

    A missing folder is the most frequent mistake, so prefabs with the same file name in another
    folder come first. For a name with the suffix of a picture, such as ``hero.png``, the hint says
    how a prefab shows a picture.
    """
    wanted = _short(identifier, folder)
    instead = instead_of(wanted)
    if instead is not None:
        return instead
    names = sorted(_short(other, folder) for other in known)
    same = [name for name in names if name.rpartition("/")[2] == wanted.rpartition("/")[2]]
    if same:
        return _question(same[:2])
    return did_you_mean(wanted, names) if names else None


def _question(names: list[str]) -> str:
    return "did you mean " + " or ".join(f"`{name}`" for name in names) + "?"


def _short(identifier: str, folder: str) -> str:
    # A common folder and suffix would make any two ids similar.
    return identifier.removeprefix(folder).removesuffix(".ron")


def _folded(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")
