"""Exchange of a window's texture atlas: the reclaiming atlas in, and what was there before back.

Arcade has no public way to replace the atlas that new sprite lists use. Where a version of Arcade
lacks a private name that the reclaiming atlas needs, Arcade's own atlas stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import arcade

from ...window import arcade_private
from .pixels import largest_size

if TYPE_CHECKING:
    from arcade.texture_atlas import TextureAtlasBase

    from .reclaiming_atlas import ReclaimingAtlas

__all__ = ["current_atlas", "install_atlas", "restore_atlas"]

_log = logging.getLogger("arcade_prefabs")


def current_atlas(ctx: arcade.ArcadeContext) -> TextureAtlasBase | None:
    """The atlas of a context, or None if nobody asked for one yet. Main thread."""
    atlas: TextureAtlasBase | None = getattr(ctx, "_atlas", None)
    return atlas


def install_atlas(
    ctx: arcade.ArcadeContext,
    size: tuple[int, int],
    *,
    border: int = 2,
    capacity: int = 2,
    auto_resize: bool = True,
    on_full: Callable[[int], bool] | None = None,
) -> ReclaimingAtlas | None:
    """Make a `ReclaimingAtlas`, and have sprite lists use it that are made from now on.

    Those that are initialised already keep the atlas they have.

    Args:
        ctx: The window's context.
        size: Width and height in pixels; as large as the graphics card can, if that is less.
        border: See `ReclaimingAtlas`.
        capacity: See `ReclaimingAtlas`.
        auto_resize: See `ReclaimingAtlas`.
        on_full: See `ReclaimingAtlas`.

    Returns:
        The atlas; None if this version of Arcade is not made for it. Then a warning is logged, and
        Arcade's own atlas stays.

    Main thread.
    """
    names = arcade_private.missing()
    if names:
        _log.warning(
            "Arcade %s lacks what the reclaiming texture atlas builds on (%s). Arcade's own atlas "
            "stays: the game runs, but a frame in which the atlas is full takes as long as writing "
            "all of its images anew. A newer arcade_prefabs may know this version.",
            arcade.__version__,
            ", ".join(names),
        )
        return None
    from .reclaiming_atlas import ReclaimingAtlas  # its classes are derived from Arcade's

    most = largest_size(ctx)
    capped = min(size[0], most), min(size[1], most)
    atlas = ReclaimingAtlas(
        capped, border=border, ctx=ctx, capacity=capacity, auto_resize=auto_resize, on_full=on_full
    )
    ctx._atlas = atlas
    return atlas


def restore_atlas(ctx: arcade.ArcadeContext, previous: TextureAtlasBase | None) -> None:
    """Have sprite lists that are made from now on use another atlas.

    Args:
        ctx: The window's context.
        previous: What `current_atlas` gave before `install_atlas`; after None, Arcade makes a new
            one when it needs it.

    Main thread.
    """
    ctx._atlas = previous
