"""Ids of assets, from any way to write them."""

from __future__ import annotations

from typing import Final

from ..errors import UnsafePathError, shown
from ..pipeline.sources import checked_path
from ..prefab import prefab_id
from ..prefab.asset_ids import SUFFIX
from ..prefab.suggestions import instead_of

__all__ = ["asset_id", "spawnable_id"]


# By any way to write them; full ids, which are asked for behind each of those, as well.
_known: dict[str, str] = {}
_MOST: Final = 8192


def asset_id(text: str) -> str:
    """The full id of an asset.

    ``props/crate``, ``props/crate.ron`` and ``castle.ron#gate`` are prefabs; what begins with
    ``worlds/`` is a world, and what has another suffix than ``.ron`` is the file of that name:
    ``images/hero.png``.

    Raises:
        UnsafePathError: No such path may exist.

    Any thread.
    """
    found = _known.get(text)
    if found is None:
        found = _asset_id(text)
        if len(_known) >= _MOST:
            _known.clear()
        _known[text] = _known[found] = found
    return found


def spawnable_id(text: str) -> str:
    """The full id of a prefab that is to be spawned.

    Raises:
        UnsafePathError: No such path may exist, or it is that of a picture or another file that no
            prefab is made of; the message says what to do with it.

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
