"""What baked files name and a game could not load: each reference with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from arcade_prefabs.pipeline import AssetPipeline, DirectorySource, MemorySource, WorldBuilder


def told(files: Mapping[str, str | bytes]) -> list[str]:
    """The place, message and hint of each dangling reference of some files."""
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        assert pipeline.bake().errors == []
        return [
            f"{error.path}:{error.line}:{error.column}: {error.message}"
            + (f" ({error.hint})" if error.hint else "")
            for error in pipeline.dangling()
        ]


def test_what_is_there_is_not_told() -> None:
    """A label of a library, and a prefab below another one."""
    assert not told(
        {
            "prefabs/lib.ron": "Library(one: Prefab(), two: Prefab(abstract: true))",
            "prefabs/heir.ron": 'Prefab(extends: "lib#two")',
            "worlds/w.ron": "World(entities: [(prefab: 'lib#one', at: (0, 0))])".replace("'", '"'),
        }
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", "there is no prefab prefabs/nope.ron (there are: `bases`, `crate`, `lib`)"),
        ("crates", "there is no prefab prefabs/crates.ron (did you mean `crate`?)"),
        ("bases", "prefabs/bases.ron is abstract: it can be extended, but not used itself"),
        ("lib#tow", "prefabs/lib.ron has no prefab `#tow` (did you mean `#two`?)"),
        (
            "lib",
            "prefabs/lib.ron is a library: a label must say which of its prefabs is meant "
            "(it has: `#two`)",
        ),
    ],
)
def test_a_world_tells_of_prefabs_that_it_cannot_spawn(name: str, message: str) -> None:
    """The bake of a world does not look at them; the game would fail when the cell comes."""
    files = {
        "prefabs/crate.ron": "Prefab()",
        "prefabs/bases.ron": "Prefab(abstract: true)",
        "prefabs/lib.ron": "Library(two: Prefab())",
        "worlds/w.ron": f'World(\n  entities: [(prefab: "{name}", at: (0, 0))])',
    }
    assert told(files) == [f"worlds/w.ron:2:23: entities[0].prefab: {message}"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Hero.txt", "Hero.txt is no texture: it was baked to plain bytes"),
        (
            "hero.tif",
            "hero.tif cannot be loaded as a texture: nothing bakes files with the suffix `.tif` "
            "(save it as PNG, JPEG, GIF, WebP, BMP or TGA)",
        ),
        (
            "hero.txt",
            "there is no texture hero.txt (the file is named `Hero.txt`: capitals count, "
            "as they do on Linux)",
        ),
        ("Here.txt", "there is no texture Here.txt (did you mean `Hero.txt`?)"),
    ],
)
def test_a_prefab_tells_of_pictures_that_it_cannot_have(name: str, message: str) -> None:
    """Not there, of a kind that nothing bakes, no picture, or spelt in another case."""
    files = {
        "Hero.txt": "x",
        "hero.tif": "x",
        "prefabs/a.ron": f'Prefab(components: [Sprite(texture: "{name}")])',
        "prefabs/heir.ron": 'Prefab(extends: "a")',
    }
    (found,) = told(files)
    assert found.startswith(f"prefabs/a.ron:1:37: Sprite.texture: {message}")


def test_what_is_inherited_is_told_where_it_is_written() -> None:
    """Once: in the abstract prefab, whose own bake needs nothing, or in the included file."""
    abstract = 'Prefab(abstract: true, components: [Sprite(texture: "no.png")])'
    files = {"prefabs/z.ron": abstract} | {
        f"prefabs/{name}.ron": 'Prefab(extends: "z")' for name in ("a", "b")
    }
    assert told(files) == ["prefabs/z.ron:1:53: Sprite.texture: there is no texture no.png"]
    worlds = {
        "worlds/w.ron": 'World(include: ["worlds/part.ron"])',
        "worlds/part.ron": 'World(\n  entities: [(prefab: "nope", at: (0, 0))])',
    }
    (found,) = told(worlds)
    assert found.startswith("worlds/part.ron:2:23: entities[0].prefab: there is no prefab")


def test_what_a_built_world_lacks_is_told_without_a_place() -> None:
    """It has no text; what it names and is there is not told."""
    with AssetPipeline(MemorySource({"prefabs/crate.ron": "Prefab()"}), jobs=0) as pipeline:
        with WorldBuilder(pipeline, "built") as world:
            for name in ("crate", "nope"):
                world.add(name, (0, 0))
        pipeline.bake()
        (error,) = pipeline.dangling()
    assert (error.path, error.line, error.hint) == ("worlds/built.ron", None, "there are: `crate`")
    assert error.message == "there is no prefab prefabs/nope.ron"


def test_a_prefab_does_not_suggest_itself() -> None:
    """A file cannot extend itself, so its own name is no help, however near."""
    files = {"prefabs/crate.ron": 'Prefab(extends: "crates")', "prefabs/create.ron": "Prefab()"}
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        (error,) = pipeline.bake().errors
    assert error.hint == "did you mean `create`?"


@pytest.mark.parametrize("name", ["a.png", "a.wav", "a.json", "prefabs/a.ron", "worlds/a.ron"])
def test_a_pointer_of_git_lfs_is_told_for_what_it_is(name: str) -> None:
    """Whoever cloned without Git LFS has a few lines of text in place of each file."""
    files = {name: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"}
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        (error,) = pipeline.bake().errors
    assert error.message == "this is not the file itself, but a Git LFS pointer to it"
    assert error.hint == "`git lfs pull` fetches the file"


def test_many_that_are_missing_get_no_hint_each() -> None:
    """A hint looks at all names; one for each missing name would take the square of the time."""
    files: dict[str, str] = {f"art/a{i}.txt": "" for i in range(120)}
    files |= {
        f"prefabs/p{i}.ron": f'Prefab(components: [Sprite(texture: "art/b{i}.txt")])'
        for i in range(120)
    }
    found = told(files)
    assert len(found) == 120
    assert sum("did you mean" in one for one in found) == 20


def test_what_comes_later_is_told_no_more(tmp_path: Path) -> None:
    """The same pipeline, after another bake."""
    (tmp_path / "prefabs").mkdir()
    (tmp_path / "prefabs/a.ron").write_text('Prefab(components: [Sound(path: "a.wav")])')
    with AssetPipeline(DirectorySource(tmp_path), store=tmp_path / "s", jobs=0) as pipeline:
        pipeline.bake()
        (error,) = pipeline.dangling()
        assert error.message == "Sound.path: there is no sound a.wav"
        (tmp_path / "a.wav").write_bytes(b"RIFF")
        pipeline.bake()
        assert pipeline.dangling() == []


def test_a_name_with_a_number_sign_is_refused(tmp_path: Path) -> None:
    """Nothing could name such a file: `#` begins a label."""
    (tmp_path / "tank #1.png").write_bytes(b"")
    source = DirectorySource(tmp_path)
    assert list(source.scan()) == []
    (error,) = source.refused()
    assert error.message == "the name has a `#`, which begins a label in ids: rename it"
