"""Hints for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ..errors import shown

__all__ = ["did_you_mean", "nearest_prefabs"]

_SHOWN = 8
# Longer names are not honest ones; to compare one of many megabytes helps nobody.
_LONGEST = 100


def did_you_mean(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """A hint with the nearest known names; when none is near, ``otherwise`` or those there are.

    It is never empty. Case and separators do not count as a difference, for they are the likeliest
    slips.
    """
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


def nearest_prefabs(identifier: str, known: Iterable[str]) -> str | None:
    """A hint with the nearest known prefabs, as an author writes them: ``props/crate``.

    A forgotten folder is the likeliest slip, so a file of that name in any folder comes first.
    """
    wanted = _short(identifier)
    names = sorted(_short(other) for other in known)
    same = [name for name in names if name.rpartition("/")[2] == wanted.rpartition("/")[2]]
    if same:
        return _question(same[:2])
    return did_you_mean(wanted, names) if names else None


def _question(names: list[str]) -> str:
    return "did you mean " + " or ".join(f"`{name}`" for name in names) + "?"


def _short(identifier: str) -> str:
    return identifier.removeprefix("prefabs/").removesuffix(".ron")


def _folded(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")
