"""Ids of assets, from any way to write them."""

from __future__ import annotations

from functools import lru_cache

from ..errors import UnsafePathError
from ..pipeline.sources import checked_path
from ..prefab import prefab_id

__all__ = ["asset_id"]


@lru_cache(maxsize=4096)
def asset_id(text: str) -> str:
    """The full id of an asset.

    ``props/crate``, ``props/crate.ron`` and ``castle.ron#gate`` are prefabs; what begins with
    ``worlds/`` is a world, and what has another suffix than ``.ron`` is the file of that name:
    ``images/hero.png``.

    Raises:
        UnsafePathError: No such path may exist.

    Any thread.
    """
    path, mark, label = text.partition("#")
    suffix = path.rpartition("/")[2].rpartition(".")
    if suffix[1] and suffix[2] != "ron":
        return checked_path(path) + mark + label
    if path.startswith("worlds/") and path.endswith(".ron"):
        return checked_path(path) + mark + label
    try:
        return prefab_id(text)
    except ValueError as error:
        raise UnsafePathError(str(error), path=text[:200]) from None
