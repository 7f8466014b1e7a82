"""`asset_id`: turns each accepted spelling of an asset's name into the asset id."""

from __future__ import annotations

from typing import Final

from ..errors import UnsafePathError, shown
from ..pipeline.sources import checked_path
from ..prefab import prefab_id
from ..prefab.asset_ids import SUFFIX
from ..prefab.suggestions import instead_of

__all__ = ["asset_id", "spawnable_id"]


# Asset ids by spelling. An asset id is a spelling of itself: callers pass the result on to code
# that calls `asset_id` again.
_ids: dict[str, str] = {}
_MOST_IDS: Final = 8192


def asset_id(text: str) -> str:
    """Returns the asset id that a name means.

    ``props/crate``, ``props/crate.ron`` and ``castle.ron#gate`` are prefabs; names that begin with
    ``worlds/`` and end with ``.ron`` are worlds; names with another suffix, such as
    ``images/hero.png``, are the files of these names.

    Raises:
        UnsafePathError: The name is not a path below the assets folder, such as ``../crate``.

    Any thread.
    """
    identifier = _ids.get(text)
    if identifier is None:
        identifier = _asset_id(text)
        if len(_ids) >= _MOST_IDS:
            _ids.clear()
        _ids[text] = _ids[identifier] = identifier
    return identifier


def spawnable_id(text: str) -> str:
    """Returns the asset id of a prefab, for `spawn`.

    Raises:
        UnsafePathError: The name is not a path below the assets folder, or is that of an image or
            another file that is not a prefab; the message says how to use such a file.

    Any thread.
    """
    name = asset_id(text)
    if not name.endswith(SUFFIX):
        instead = instead_of(name)
        if instead is not None:
            raise UnsafePathError(f"{shown(text)!r} is no prefab: {instead}")
    return name


def _asset_id(text: str) -> str:
    path, mark, label = text.partition("#")
    suffix = path.rpartition("/")[2].rpartition(".")
    is_ron = suffix[2].lower() == "ron"
    if suffix[1] and not is_ron:
        return checked_path(path) + mark + label
    if path.startswith("worlds/") and is_ron:
        return checked_path(path) + mark + label
    try:
        return prefab_id(text)
    except ValueError as error:
        raise UnsafePathError(str(error), path=text[:200]) from None
