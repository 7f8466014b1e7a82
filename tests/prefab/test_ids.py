"""Paths and ids: one spelling each, and no way out of the folder (scenario P8)."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arcade_prefabs.prefab import asset_path, prefab_id
from arcade_prefabs.prefab.asset_ids import file_of, is_label, split_id

LONGEST = 512

hostile = (
    st.text(st.sampled_from("abC./\\:# \u0301é\u212aｆ．／\x00\x85\u2028%~con1$\u0958")) | st.text()
)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("a.png", "a.png"),
        ("./a//b/./c.png", "a/b/c.png"),
        ("a/", "a"),
        (":resources:images/a.png", ":resources:images/a.png"),
        (":resources:/images/a.png", ":resources:images/a.png"),
        (":my-game_2:./a.png", ":my-game_2:a.png"),
        ("Ünïcode/日本.png", "Ünïcode/日本.png"),
        ("a b/c d.png", "a b/c d.png"),
        (".hidden/.x", ".hidden/.x"),
        ("cone.png", "cone.png"),
        ("console/com.png", "console/com.png"),
        ("com10.txt", "com10.txt"),
        ("a...b", "a...b"),
        ("..a/b..c", "..a/b..c"),
        ("~/x", "~/x"),
        ("%2e%2e/x", "%2e%2e/x"),
        ("\u212a.png", "K.png"),
    ],
)
def test_a_path_has_one_spelling(written: str, normal: str) -> None:
    """Detours and other Unicode forms are taken out; honest names stay as they are."""
    assert asset_path(written) == normal
    assert asset_path(normal) == normal


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "empty"),
        (".", "names no file"),
        ("./", "names no file"),
        (":game:", "names no file"),
        (":game:/", "names no file"),
        ("..", r"leaves its folder"),
        ("a/../b", "leaves its folder"),
        ("a/..", "leaves its folder"),
        (":game:../x", "leaves its folder"),
        (":game:/../x", "leaves its folder"),
        ("/etc/passwd", "absolute"),
        ("//server/share/x", "absolute"),
        (":game://x", "absolute"),
        ("C:/x", "drive letter"),
        ("c:x", "drive letter"),
        ("a:stream", "drive letter"),
        ("::x", "drive letter or an unknown prefix"),
        (":x", "drive letter or an unknown prefix"),
        (":a b:x", "drive letter or an unknown prefix"),
        (":game:a:b", "drive letter"),
        ("a\\b", "use `/`"),
        ("\\\\server\\share", "use `/`"),
        ("..\\x", "use `/`"),
        ("a\0b", r"U\+0000"),
        ("a\nb", r"U\+000A"),
        ("a\x7f", r"U\+007F"),
        ("a\x85b", r"U\+0085"),
        ("a\u2028b", r"U\+2028"),
        ("a\udc80b", r"U\+DC80"),
        ("a*.png", r"\*"),
        ("a?.png", r"\?"),
        ('a"b', '"'),
        ("<a>", "<"),
        ("a|b", r"\|"),
        ("CON", "device"),
        ("con.png", "device"),
        ("a/nul", "device"),
        ("nul/a", "device"),
        ("COM1.txt", "device"),
        ("com¹", "device"),
        ("LPT9.a.b", "device"),
        ("conin$", "device"),
        ("con .png", "device"),
        ("aux.", "ends with a dot"),
        ("a./b", "ends with a dot"),
        (".../x", "ends with a dot"),
        ("a /b", "ends with a space"),
        (" a", "begins or ends with a space"),
        ("a\u00a0", "ends with a space"),
        (". /x", "ends with a space"),
        ("a" * (LONGEST + 1), "longer than 512"),
        ("\u0958" * 300, "longer than 512"),  # its NFC form is twice as long
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused(path: str, reason: str) -> None:
    """The reason is said, for paths and for prefab ids alike."""
    with pytest.raises(ValueError, match=reason):
        asset_path(path)
    if path:
        with pytest.raises(ValueError, match=reason):
            prefab_id(path)


def test_both_unicode_forms_of_a_name_are_one_path() -> None:
    """macOS hands out decomposed names, editors write composed ones."""
    composed = "props/é.png"
    decomposed = unicodedata.normalize("NFD", composed)
    assert decomposed != composed
    assert asset_path(decomposed) == asset_path(composed) == composed


@pytest.mark.parametrize("path", ["．．/x", "a／．．／b", "‥/x", "a\u2215b", "a\u2024\u2024/b"])
def test_look_alikes_of_dots_and_slashes_are_ordinary_letters(path: str) -> None:
    """They stay what they are, and never become the real thing."""
    assert asset_path(path) == path
    assert ".." not in asset_path(path).split("/")


@pytest.mark.parametrize(
    ("written", "base", "full"),
    [
        ("crate", None, "prefabs/crate.ron"),
        ("props/crate", None, "prefabs/props/crate.ron"),
        ("props/crate.ron", None, "prefabs/props/crate.ron"),
        ("prefabs/props/crate", None, "prefabs/props/crate.ron"),
        ("./props//crate", None, "prefabs/props/crate.ron"),
        ("prefabs", None, "prefabs/prefabs.ron"),
        ("a.b", None, "prefabs/a.b.ron"),
        ("castle#gate", None, "prefabs/castle.ron#gate"),
        ("castle.ron#gate", None, "prefabs/castle.ron#gate"),
        ("#gate", "castle", "castle#gate"),
        ("#gate", "prefabs/castle.ron#tower", "prefabs/castle.ron#gate"),
        ("castle#Größe", None, "prefabs/castle.ron#Größe"),
        (":game:crate", None, ":game:crate.ron"),
        (":game:prefabs/crate.ron#a", None, ":game:prefabs/crate.ron#a"),
    ],
)
def test_a_prefab_has_one_id(written: str, base: str | None, full: str) -> None:
    """Every way to write a prefab leads to the same id."""
    assert prefab_id(written, base=base) == full


@pytest.mark.parametrize("written", ["castle#", "#", "castle#a#b", "castle#1", "castle#a b", "#a"])
def test_a_label_must_be_a_plain_name(written: str) -> None:
    """Empty, numeric and doubled labels are refused, and `#a` where no file is meant."""
    with pytest.raises(ValueError, match=r"label|reference is empty"):
        prefab_id(written)


def test_an_id_is_never_longer_than_a_path_may_be() -> None:
    """What is added in front and behind counts, so that an id is always an id again."""
    longest = LONGEST - len("prefabs/.ron")
    full = prefab_id("a" * longest)
    assert prefab_id(full) == full
    with pytest.raises(ValueError, match="longer than"):
        prefab_id("a" * (longest + 1))
    assert not is_label("a" * (LONGEST + 1))


@given(hostile)
@example("\u0958" * 300)
@example("a" * 505)
@example("com\u00b9/x")
def test_any_text_is_refused_or_stays_below_every_root(text: str) -> None:
    """The normal form is a fixed point, relative on both kinds of systems, and without `..`."""
    try:
        path = asset_path(text)
    except ValueError:
        return
    assert asset_path(path) == path
    assert unicodedata.is_normalized("NFC", path)
    path.encode()
    rest = path.partition(":")[2].partition(":")[2] if path.startswith(":") else path
    for kind, root in ((PurePosixPath, "/game/assets"), (PureWindowsPath, "C:\\game\\assets")):
        joined = kind(root, rest)
        assert joined.is_relative_to(kind(root))
        assert ".." not in joined.parts
        assert len(joined.parts) > len(kind(root).parts)
    assert len(PurePosixPath(rest).parts) == len(PureWindowsPath(rest).parts)


@given(hostile, st.sampled_from([None, "prefabs/a.ron", ":game:b.ron#c"]))
def test_any_text_is_refused_or_gives_an_id(text: str, base: str | None) -> None:
    """An id is its own id, ends as a file of prefabs, and falls apart into file and label."""
    try:
        full = prefab_id(text, base=base)
    except ValueError:
        return
    assert prefab_id(full) == full
    file, label = split_id(full)
    assert file_of(full) == file
    assert file.endswith(".ron")
    assert file.startswith(("prefabs/", ":"))
    assert asset_path(file) == file
    assert label is None or is_label(label)
