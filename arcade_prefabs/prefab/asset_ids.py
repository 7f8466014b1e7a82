"""Normalises the names of assets: one spelling for each file, and no way out of the assets folder.

Every path from a file or a caller passes through `prefab_id` or `asset_path` first. Both work on
text alone. Asset sources check the path once more when they open the file.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from ..errors import shown

__all__ = ["PREFAB_FOLDER", "SUFFIX", "asset_path", "file_of", "is_label", "prefab_id", "split_id"]

PREFAB_FOLDER: Final = "prefabs"
SUFFIX: Final = ".ron"

# Longer paths fail on some file systems; names of real games are far shorter.
_LONGEST: Final = 512
# Characters that Windows does not allow, control characters, line ends, and lone surrogates, which
# no text file can hold.
_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\<>|"*?]')
_BELOW: Final = "paths begin below the assets folder"
# Characters that a backslash escape makes: `"images\new.png"` contains a line feed.
_ESCAPED: Final = frozenset(map(ord, "\0\a\b\t\n\v\f\r"))
_HANDLE: Final = re.compile(r":([A-Za-z0-9_-]+):")
# Ordinary paths, which are valid and normalised as they are; nearly all paths match.
_PLAIN: Final = re.compile(
    r"(?::[A-Za-z0-9_-]+:)?"
    r"(?:(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])[./])[A-Za-z0-9_-]++/)*+"
    r"(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z))[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]++)*+"
)
# Names that Windows gives to devices, with or without a suffix, in any folder.
_DEVICE: Final = re.compile(
    r"(?i)(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)"
)


def asset_path(path: str) -> str:
    """Returns the one spelling of an asset's path: POSIX, below the assets folder, in NFC form.

    ``./a//b.png`` becomes ``a/b.png``. The suffix ``.ron`` becomes lower case (``crate.RON`` →
    ``crate.ron``); everything else keeps its case. A path may begin with an Arcade resource handle,
    ``:resources:`` or one of the game's own; the rest of the path then has to stay inside the
    handle's folder in the same way.

    Raises:
        ValueError: The path could leave the folder, names a device, or is not the same path on
            every system: absolute, with ``..``, a backslash, a drive letter or a control character.

    Any thread.
    """
    if not path:
        raise ValueError("the path is empty")
    if len(path) > _LONGEST:
        raise ValueError(f"the path is longer than {_LONGEST} characters")
    if _PLAIN.fullmatch(path):
        return _with_suffix(path)
    path = unicodedata.normalize("NFC", path)
    if len(path) > _LONGEST:  # NFC makes two or three characters of some
        raise ValueError(f"the path is longer than {_LONGEST} characters")
    bad = _FORBIDDEN.search(path)
    if bad is not None:
        code = ord(bad.group())
        character = bad.group() if bad.group().isprintable() else f"U+{code:04X}"
        hint = "; use `/`" if character == "\\" else ""
        if code in _ESCAPED:
            hint = "; in quotes a backslash and the letter behind it are one sign: use `/`"
        raise ValueError(f"the path has a character that paths cannot have: {character}{hint}")
    handle = _HANDLE.match(path)
    prefix, rest = (handle.group(), path[handle.end() :]) if handle else ("", path)
    # Behind a handle one slash may stand, as in Arcade's own `:resources:/images/...`.
    if handle:
        rest = rest.removeprefix("/")
    if rest.startswith("/"):
        raise ValueError(f"the path is absolute: {shown(path)}; {_BELOW}")
    if ":" in rest:
        raise ValueError(
            f"the path has a drive letter or an unknown prefix: {shown(path)}; {_BELOW}"
        )
    parts = [_part(part, path) for part in rest.split("/") if part not in ("", ".")]
    if not parts:
        raise ValueError(f"the path names no file: {shown(path)}")
    return _with_suffix(prefix + "/".join(parts))


def _with_suffix(path: str) -> str:
    """Returns a path with its suffix ``.ron`` in lower case; other paths are returned unchanged."""
    end = path[-len(SUFFIX) :]
    if end != SUFFIX and end.lower() == SUFFIX and len(path) > len(SUFFIX):
        return path[: -len(SUFFIX)] + SUFFIX
    return path


def _part(part: str, path: str) -> str:
    if part == "..":
        raise ValueError(f"the path leaves its folder by `..`: {shown(path)}; {_BELOW}")
    if part != part.strip() or part.endswith("."):
        # Windows drops these characters: two spellings would be one file there and two elsewhere.
        raise ValueError(
            f"a name in the path begins or ends with a space, or ends with a dot: {shown(path)}"
        )
    if _DEVICE.match(part):
        raise ValueError(f"the path names a device of Windows: {shown(path)}")
    return part


def prefab_id(reference: str, *, base: str | None = None) -> str:
    """Returns the full id of a prefab from any spelling of it.

    ``props/crate`` → ``prefabs/props/crate.ron``; ``castle.ron#gate`` →
    ``prefabs/castle.ron#gate``; ``#gate`` is a label in the file of ``base``. References are
    relative to the assets folder, never to the file that contains them. A resource handle in front
    stays: ``:game:crate`` → ``:game:crate.ron``.

    Args:
        reference: The reference as an author wrote it.
        base: The id of the prefab or file that contains the reference, for ``#label``.

    Raises:
        ValueError: The path is invalid (see `asset_path`), or the label is empty or no name.

    Any thread.
    """
    path, mark, label = reference.partition("#")
    if mark and not is_label(label):
        raise ValueError(f"the label behind `#` is no name: {shown(reference)}")
    if not path:
        if base is None or not mark:
            raise ValueError("the reference is empty")
        file = file_of(base)
    else:
        file = asset_path(path)
        if not file.endswith(SUFFIX):
            file += SUFFIX
        if not file.startswith((PREFAB_FOLDER + "/", ":")):
            file = f"{PREFAB_FOLDER}/{file}"
        if len(file) > _LONGEST:
            raise ValueError(f"the path is longer than {_LONGEST} characters")
    return file + mark + label


def is_label(text: str) -> bool:
    """Returns whether a text may be a label: a plain name of at most 512 characters."""
    return len(text) <= _LONGEST and text.isidentifier()


def split_id(identifier: str) -> tuple[str, str | None]:
    """Splits a full id into file and label; the label is None if the id has none."""
    file, mark, label = identifier.partition("#")
    return file, label if mark else None


def file_of(identifier: str) -> str:
    """Returns the file of a full id, without the label."""
    return identifier.partition("#")[0]
