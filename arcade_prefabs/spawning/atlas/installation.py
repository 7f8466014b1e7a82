"""Replaces a window's texture atlas by a `ReclaimingAtlas`, and restores the former one.

Arcade has no public way to replace the atlas that new sprite lists use. If a version of Arcade
lacks a private name that `ReclaimingAtlas` needs, Arcade's own atlas stays.
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
    """Returns the atlas of a context, or None if Arcade has not made one yet. Main thread."""
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
    """Makes a `ReclaimingAtlas`, and lets all sprite lists use it that are made from now on.

    Sprite lists that are initialised already keep their atlas.

    Args:
        ctx: The window's context.
        size: Width and height in pixels; cut to what the graphics card can.
        border: See `ReclaimingAtlas`.
        capacity: See `ReclaimingAtlas`.
        auto_resize: See `ReclaimingAtlas`.
        on_full: See `ReclaimingAtlas`.

    Returns:
        The atlas; None if this version of Arcade does not suit. A warning is logged then, and
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
    """Lets sprite lists that are made from now on use another atlas.

    Args:
        ctx: The window's context.
        previous: What `current_atlas` returned before `install_atlas`; None lets Arcade make a new
            atlas when it needs one.

    Main thread.
    """
    ctx._atlas = previous
