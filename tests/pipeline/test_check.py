"""Whole trees of files: everything that is wrong, once, and nothing else."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from arcade_prefabs import ComponentRegistry
from arcade_prefabs.pipeline import CheckReport, check_tree, check_trees
from arcade_prefabs.pipeline.sources import directory

Tree: TypeAlias = Callable[[Mapping[str, "str | bytes"]], Path]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs links, modes and pipes")


# One grey pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNIAQAAZgBleqDGkgAAAABJRU5ErkJggg=="
)


def firsts(report: CheckReport, assets: Path) -> list[str]:
    """The first line of every error, its file from the assets folder on."""
    return [str(error).splitlines()[0].removeprefix(f"{assets}{os.sep}") for error in report.errors]


def test_a_sound_tree_has_no_errors(tree: Tree) -> None:
    """Prefabs that extend and contain each other, textures that exist, and other RON files."""
    assets = tree(
        {
            "img/a.png": PNG,
            "prefabs/a.ron": 'Prefab(components: [Sprite(texture: "img/a.png")])',
            "prefabs/deep/b.ron": 'Library(x: Prefab(extends: "a"), y: Prefab(extends: "#x"))',
            "worlds/w.ron": 'World(cell_size: 512, entities: [(prefab: "a", at: (0, 0))])',
            "notes.txt": "not RON at all (",
            "notes.unknown": "nobody's file",
            "prefabs/.hidden/c.ron": "(",
        }
    )
    report = check_tree(assets)
    assert (report.files, report.prefabs, report.errors) == (5, 3, [])


def test_all_kinds_of_mistakes_are_found_in_one_run(tree: Tree) -> None:
    """Broken text, bad encoding, wrong values, missing things and circles, file by file."""
    assets = tree(
        {
            "prefabs/broken.ron": "Prefab(\n  extends: ;",
            "prefabs/circle.ron": 'Prefab(extends: "circle")',
            "prefabs/heir.ron": 'Prefab(extends: "wrong", children: [(prefab: "broken")])',
            "prefabs/latin.ron": 'Prefab(components: [Tags(["é"])])'.encode("latin-1"),
            "prefabs/link.ron": 'Prefab(children: [(prefab: "nope"), (prefab: "wrong#a")])',
            "prefabs/no_prefab.ron": "World()",
            "prefabs/wrong.ron": 'Prefab(components: [Sprite(texture: "no.png", alpha: 256)])',
            "prefabs/con.ron": "Prefab()",
            "worlds/w.ron": "World(cell: )",
        }
    )
    assert firsts(check_tree(assets), assets) == [
        "prefabs/broken.ron:2:12: expected a value, found `;`",
        "prefabs/circle.ron:1:17: extends: a prefab cannot contain or extend itself: "
        "prefabs/circle.ron → prefabs/circle.ron",
        "prefabs/con.ron: the path names a device of Windows: con.ron",
        "prefabs/latin.ron:1:28: byte 0xE9 is not UTF-8",
        "prefabs/link.ron:1:28: children[0].prefab: there is no prefab prefabs/nope.ron",
        "prefabs/no_prefab.ron:1:1: expected `Prefab(...)` or `Library(...)`, found `World(...)`",
        "prefabs/wrong.ron:1:37: Sprite.texture: there is no texture no.png",
        "prefabs/wrong.ron:1:54: Sprite.alpha: expected a whole number from 0 to 255, "
        "found the number 256",
        "worlds/w.ron:1:13: expected a value, found `)`",
    ]


def test_a_mistake_that_many_meet_is_named_once(tree: Tree) -> None:
    """Every heir of a broken parent fails, but there is one thing to repair."""
    files = {f"prefabs/heir{i}.ron": 'Prefab(extends: "base")' for i in range(20)}
    assets = tree({**files, "prefabs/base.ron": "Prefab(components: [Tags(3)])"})
    report = check_tree(assets)
    assert firsts(report, assets) == [
        "prefabs/base.ron:1:26: Tags.names: expected a list, found the number 3"
    ]
    twice = check_trees([assets, assets / "prefabs"])
    assert len(twice.errors) == 1
    assert twice.files == 42


@pytest.mark.parametrize(
    ("here", "start"),
    [
        (".", "assets"),
        (".", "assets/prefabs"),
        (".", "assets/prefabs/props"),
        (".", "assets/prefabs/props/crate.ron"),
        (".", "./assets/../assets"),
        (".", "."),
        ("assets", "."),
        ("assets", "prefabs"),
        ("assets/prefabs", "."),
        ("assets/prefabs", ".."),
        ("assets/prefabs", "../.."),
        ("assets/prefabs", "props"),
        ("assets/prefabs/props", "crate.ron"),
        ("assets/worlds", "../prefabs/props/crate.ron"),
        ("assets/worlds", "../../assets/prefabs/props"),
    ],
)
@pytest.mark.parametrize("absolute", [False, True])
def test_the_assets_folder_is_found_from_anywhere(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, here: str, start: str, absolute: bool
) -> None:
    """The same references hold for a file, a folder inside, the assets, and the whole game."""
    assets = tree(
        {
            "img/a.png": PNG,
            "prefabs/base.ron": 'Prefab(components: [Sprite(texture: "img/a.png")])',
            "prefabs/props/crate.ron": 'Prefab(extends: "base", components: [Tags([3])])',
            "worlds/w.ron": "World(entities: [])",
        }
    )
    monkeypatch.chdir(assets.parent / here)
    path = Path.cwd() / start if absolute else Path(start)
    (error,) = check_tree(path).errors
    assert error.message == "Tags.names[0]: expected text in quotes, found the number 3"
    assert error.path is not None
    assert Path(error.path).resolve() == assets / "prefabs/props/crate.ron"
    assert Path(error.path).is_absolute() is absolute


def test_errors_in_files_outside_of_the_start_are_named_from_here(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parent in another folder is shown so that an editor can open it."""
    assets = tree(
        {"prefabs/base.ron": "Prefab(x: 1)", "prefabs/props/a.ron": 'Prefab(extends: "base")'}
    )
    monkeypatch.chdir(assets)
    (error,) = check_tree("prefabs/props").errors
    assert error.path == str(Path("prefabs/base.ron"))


def test_a_folder_of_several_games_has_a_tree_for_each(tree: Tree, tmp_path: Path) -> None:
    """References stay inside their own assets folder; files beside them are read, too."""
    for game in ("one", "two"):
        folder = tmp_path / "all" / game / "prefabs"
        folder.mkdir(parents=True)
        (folder / "a.ron").write_text("Prefab()")
        (folder / "b.ron").write_text('Prefab(extends: "a")')
    (tmp_path / "all" / "stray.ron").write_text("(1")
    report = check_tree(tmp_path / "all")
    assert (report.files, report.prefabs) == (5, 4)
    assert [error.path for error in report.errors] == [str(tmp_path / "all" / "stray.ron")]


def test_a_folder_without_prefabs_is_taken_for_the_prefabs(tmp_path: Path) -> None:
    """A few files in a folder refer to each other by name."""
    (tmp_path / "a.ron").write_text("Prefab()")
    (tmp_path / "b.ron").write_text('Prefab(extends: "a", children: [(prefab: "./a")])')
    (tmp_path / "other.ron").write_text("Anything(1)")
    report = check_tree(tmp_path)
    assert (report.files, report.prefabs, report.errors) == (3, 2, [])


def test_names_that_differ_in_case_or_spelling_only_are_reported(tree: Tree) -> None:
    """They would be one file on another system."""
    assets = tree({"prefabs/Crate.ron": "Prefab()", "prefabs/\u00e9.ron": "Prefab()"})
    (assets / "prefabs/crate.ron").write_text("Prefab()")
    (assets / "prefabs/e\u0301.ron").write_text("Prefab()")
    if len(list((assets / "prefabs").iterdir())) < 4:
        pytest.skip("the file system takes them for one file already")
    messages = [error.message for error in check_tree(assets).errors]
    assert sorted(messages) == [
        "the name differs from Crate.ron in case only: one file on some systems",
        "the name differs from another in its Unicode spelling only: both are \u00e9.ron",
    ]


@posix_only
def test_links_stay_inside_of_the_assets_folder(tree: Tree, tmp_path: Path) -> None:
    """A link to a file outside is refused, whether it is met or named; inside it is a file."""
    (tmp_path / "secret.ron").write_text("Prefab()")
    (tmp_path / "secret.png").write_bytes(PNG)
    assets = tree(
        {
            "prefabs/a.ron": "Prefab()",
            "prefabs/b.ron": 'Prefab(extends: "out", components: [Sprite(texture: "out.png")])',
            "prefabs/c.ron": 'Prefab(extends: "out")',
            "prefabs/d.ron": 'Prefab(extends: "in")',
        }
    )
    (assets / "prefabs/out.ron").symlink_to(tmp_path / "secret.ron")
    (assets / "prefabs/in.ron").symlink_to(assets / "prefabs/a.ron")
    (assets / "out.png").symlink_to(tmp_path / "secret.png")
    assert firsts(check_tree(assets), assets) == [
        "out.png: the file is a link out of the assets folder",
        "prefabs/b.ron:1:53: Sprite.texture: the file is a link out of the assets folder",
        "prefabs/out.ron: the file is a link out of the assets folder",
    ]


@posix_only
def test_what_cannot_be_read_is_reported(tree: Tree) -> None:
    """Links to nowhere and to themselves, and pipes, which would never end."""
    assets = tree({"prefabs/a.ron": 'Prefab(extends: "pipe")'})
    (assets / "prefabs/gone.ron").symlink_to("nowhere.ron")
    (assets / "prefabs/loop.ron").symlink_to("loop.ron")
    os.mkfifo(assets / "prefabs/pipe.ron")
    found = firsts(check_tree(assets), assets)
    assert found == [
        "prefabs/a.ron:1:17: extends: there is no prefab prefabs/pipe.ron",
        "prefabs/gone.ron: the link leads to no file: remove it, or make the file that it names",
        "prefabs/loop.ron: the link leads to no file: remove it, or make the file that it names",
        "prefabs/pipe.ron: this is a pipe, a socket or a device: only files can be assets",
    ]


def test_a_file_that_the_system_refuses_is_reported_once(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its heirs fail for the same reason; there is one thing to repair."""
    assets = tree({"prefabs/a.ron": "Prefab()", "prefabs/b.ron": 'Prefab(extends: "a")'})
    real = os.open

    def refuse(path: Any, *arguments: Any, **more: Any) -> int:
        if str(path).endswith("a.ron"):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **more)

    monkeypatch.setattr(os, "open", refuse)
    assert firsts(check_tree(assets), assets) == [
        "prefabs/a.ron: the file cannot be read: Permission denied",
    ]


def test_a_huge_file_is_refused_unread(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading takes many times a file's size in memory."""
    monkeypatch.setattr(directory, "LARGEST_FILE", 2**20)
    assets = tree({"prefabs/a.ron": b" " * (2**20 + 1)})
    (error,) = check_tree(assets).errors
    assert error.message == "the file has over 1,048,576 bytes"


def test_assets_behind_known_handles_are_checked(tree: Tree, tmp_path: Path) -> None:
    """The first folder that has the file counts; an unknown handle is an error."""
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "b.wav").write_bytes(b"")
    (extra / "p.ron").write_text("Prefab()")
    assets = tree(
        {
            "a.png": PNG,
            "prefabs/a.ron": """Prefab(extends: ":game:p", components: [
                Sprite(texture: ":game:a.png"), Sound(path: ":game:b.wav"),
                Animation(frames: [":game:no.png", ":other:x.png", "no.png"])])""",
            "prefabs/b.ron": 'Prefab(extends: ":other:p")',
            "prefabs/c.ron": 'Prefab(extends: ":game:q")',
        }
    )
    report = check_tree(assets, handles={"game": [extra, assets]})
    assert firsts(report, assets) == [
        "prefabs/a.ron:3:36: Animation.frames[0]: there is no texture :game:no.png",
        "prefabs/a.ron:3:52: Animation.frames[1]: the resource handle `:other:` is not known",
        "prefabs/a.ron:3:68: Animation.frames[2]: there is no texture no.png",
        "prefabs/b.ron:1:17: extends: there is no prefab :other:p.ron",
        "prefabs/c.ron:1:17: extends: there is no prefab :game:q.ron",
    ]
    for error in (report.errors[1], report.errors[3]):
        assert error.hint == (
            "there are: `resources`, `assets`, `system`, `game`; or name the folder of a handle of "
            "your game: `--handle NAME=FOLDER`"
        )


def test_a_misspelt_handle_has_the_nearest_as_a_hint(tree: Tree) -> None:
    """The handles that Arcade has from the start are known."""
    text = 'Prefab(components: [Sprite(texture: ":resorces:images/items/coinGold.png")])'
    good = 'Prefab(components: [Sprite(texture: ":resources:images/items/coinGold.png")])'
    (error,) = check_tree(tree({"prefabs/a.ron": text, "prefabs/b.ron": good})).errors
    assert error.message == "Sprite.texture: the resource handle `:resorces:` is not known"
    assert str(error.hint).startswith("did you mean `resources`? or name the folder")
    assert (error.line, error.column) == (1, 37)


def test_prefabs_that_components_name_must_exist(tree: Tree) -> None:
    """Missing files and labels are errors at the name; broken ones have their own."""
    from dataclasses import dataclass

    from arcade_prefabs.prefab import PrefabRef

    @dataclass
    class Spawner:
        what: list[PrefabRef]

    registry = ComponentRegistry()
    Spawner.__annotations__["what"] = list[PrefabRef]
    registry.component(Spawner)
    assets = tree(
        {
            "prefabs/a.ron": """Prefab(components: [Spawner([
                "props/rat", "props/rats", "lib#one", "lib#tow", "lib", "broken", "syntax",
                ":other:x"])])""",
            "prefabs/props/rat.ron": "Prefab()",
            "prefabs/lib.ron": "Library(one: Prefab(), two: Prefab())",
            "prefabs/broken.ron": "Prefab(x: 1)",
            "prefabs/syntax.ron": "(",
        }
    )
    report = check_tree(assets, registry=registry)
    assert firsts(report, assets) == [
        "prefabs/a.ron:2:30: Spawner.what[1]: there is no prefab prefabs/props/rats.ron",
        "prefabs/a.ron:2:55: Spawner.what[3]: prefabs/lib.ron has no prefab `#tow`",
        "prefabs/a.ron:2:66: Spawner.what[4]: prefabs/lib.ron is a library: a label must say "
        "which of its prefabs is meant",
        "prefabs/a.ron:3:17: Spawner.what[7]: the resource handle `:other:` is not known",
        "prefabs/broken.ron:1:8: unknown field `x`",
        "prefabs/syntax.ron:1:2: expected a value, found the end of the text",
    ]
    hints = [error.hint for error in report.errors[:2]]
    assert "`props/rat`" in str(hints[0])
    assert hints[1] == "did you mean `#two`?"


def test_a_prefab_with_a_suffix_in_capitals_is_checked(tree: Tree) -> None:
    """`crate.RON` is a RON file, and its errors name it as it stands on disk."""
    assets = tree({"prefabs/crate.RON": "Prefab(", "prefabs/heir.ron": 'Prefab(extends: "ok")'})
    (assets / "prefabs/ok.RON").write_text("Prefab()")
    report = check_tree(assets)
    assert report.files == 3
    assert [error.path for error in report.errors] == [str(assets / "prefabs/crate.RON")]


def test_a_missing_path_is_no_report(tmp_path: Path) -> None:
    """A typo on the command line must not pass for a sound tree."""
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        check_tree(tmp_path / "nope")


@pytest.mark.long
@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "Prefab(components: " + "Some(" * 100_000,
        'Prefab(components: [Tags(["' + "x" * 2_000_000 + '"])])',
        "Prefab(components: [Sprite(" + ",".join(f"k{i}:{i}" for i in range(50_000)) + ")])",
        "Prefab(components: [" + ",".join(f"N{i}(1)" for i in range(50_000)) + "])",
        "Library(" + ",".join(f"l{i}:Prefab()" for i in range(20_000)) + ")",
        "{" + ",".join(f"{i}:{i}" for i in range(100_000)) + "}",
        "/*" * 500_000,
        "",
    ],
    ids=[
        "brackets",
        "somes",
        "string",
        "fields",
        "components",
        "labels",
        "keys",
        "comments",
        "none",
    ],
)
def test_a_bomb_is_an_error_or_a_success(tree: Tree, text: str) -> None:
    """Scenario P9 in small: never a crash, and few errors."""
    report: Any = check_tree(tree({"prefabs/bomb.ron": text}))
    assert report.files == 1
    assert len(report.errors) <= 101
    assert all(len(str(error)) < 2_000 for error in report.errors)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["string", "keys", "fields"])
def test_a_large_bomb_stays_in_its_limits(tree: Tree, kind: str) -> None:
    """50 MB in one string, a million keys: at most 60 s of work and 2.5 GB of memory."""
    resource = pytest.importorskip("resource")
    match kind:
        case "string":
            text = 'Prefab(components: [Tags(["' + "x" * 50_000_000 + '"])])'
        case "keys":
            text = "{" + ",".join(f'"key{i}":{i}' for i in range(1_000_000)) + "}"
        case _:
            fields = ",".join(f"key{i}:{i}" for i in range(1_000_000))
            text = f"Prefab(components: [Sprite({fields})])"
    assets = tree({"prefabs/bomb.ron": text})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    report = check_tree(assets)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime - before < 60
    assert after.ru_maxrss < 2_500_000  # kB
    assert len(report.errors) == {"string": 0, "keys": 1, "fields": 101}[kind]
