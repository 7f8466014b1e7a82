"""Hints for authors who know Arcade or another engine, and not yet these files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from arcade_prefabs import RonError
from arcade_prefabs.errors import MissingAssetError, MissingPrefabError, UnsafePathError
from arcade_prefabs.pipeline import AssetPipeline, world_id
from arcade_prefabs.pipeline.processors.world_document import read_world_file
from arcade_prefabs.prefab import ComponentRegistry, read_prefabs
from arcade_prefabs.prefab.asset_ids import PREFAB_FOLDER
from arcade_prefabs.prefab.suggestions import did_you_mean, instead_of

REGISTRY = ComponentRegistry()


def prefab_hint(text: str) -> str | None:
    (error,) = read_prefabs(text, "a", registry=REGISTRY).errors
    return error.hint


def world_hint(text: str) -> str | None:
    path = "worlds/valley.ron"
    (error,) = read_world_file(text.encode(), path, REGISTRY, path).file.errors
    return error.hint


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("rotation", "angle"),
        ("scale_x", "scale"),
        ("colour", "color"),
        ("center_x", "offset"),
        ("opacity", "alpha"),
        ("flip_x", "flip_horizontal"),
        ("class", "sprite_class"),
        ("type", "sprite_class"),
        ("Layer", "layer"),
    ],
)
def test_a_word_of_arcade_leads_to_the_field_of_a_component(word: str, wanted: str) -> None:
    """Also where another field's name looks more alike."""
    text = f'Prefab(components: [Sprite(texture: "a.png", {word}: 3)])'
    assert prefab_hint(text) == f"did you mean `{wanted}`?"


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("heading", "angle"),
        ("pos", "position"),
        ("x", "position"),
        ("center_y", "position"),
        ("scale_x", "scale"),
        ("type", "prefab"),
        ("class", "prefab"),
        ("Prefab", "prefab"),
        ("components", "overrides"),
    ],
)
def test_a_word_of_arcade_leads_to_the_field_of_a_child_and_an_entity(
    word: str, wanted: str
) -> None:
    """Both call their fields the same."""
    expected = f"did you mean `{wanted}`?"
    assert prefab_hint(f'Prefab(children: [(prefab: "a", {word}: 3)])') == expected
    assert world_hint(f'World(entities: [(prefab: "a", at: (0, 0), {word}: 3)])') == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            'Prefab(texture: "a.png")',
            "it is a field of `Sprite`: components: [Sprite(texture: ...)]",
        ),
        (
            'Prefab(children: [(prefab: "a", colour: 3)])',
            "it is a field of `Sprite`: overrides: [Sprite(color: ...)]",
        ),
        ("Prefab(sprite: 3)", "components stand in a list: components: [Sprite(...)]"),
        (
            "Prefab(position: (1, 2))",
            "a prefab has no position of its own: a world or your code sets it",
        ),
        ("Prefab(components: [sprite()])", "did you mean `Sprite`?"),
        ("World()", "a world stands below the folder `worlds`: move the file there"),
    ],
)
def test_what_stands_at_the_wrong_place_is_told_its_own(text: str, hint: str) -> None:
    """Fields of components, components and whole documents."""
    assert prefab_hint(text) == hint


def test_a_prefab_among_the_worlds_is_told_its_folder() -> None:
    """And not what a world looks like."""
    assert world_hint("Prefab()") == (
        "prefabs stand below the folder `prefabs`: move the file there"
    )


@pytest.mark.parametrize("text", ["Prefab()\nPrefab()", "Prefab() Prefab()", "Prefab(),\nPrefab()"])
def test_two_prefabs_in_one_file_are_told_of_libraries(text: str) -> None:
    """With or without a comma between them."""
    with pytest.raises(RonError) as caught:
        read_prefabs(text, "a", registry=REGISTRY)
    assert caught.value.hint == "several prefabs stand in `Library(label: Prefab(...), ...)`"


@pytest.mark.parametrize("first", ["World()", "World(\n)", "World(entities: [])  // one"])
@pytest.mark.parametrize("between", ["\n", ",\n", "\n\n// another\n", "\n/* World() */ ,\n"])
@pytest.mark.parametrize("second", ["World()", "World(", "Prefab()", "Library()"])
def test_a_second_document_is_found_where_it_begins(first: str, between: str, second: str) -> None:
    """In the files of worlds as in those of prefabs, and whatever stands between the two."""
    if "//" in first:
        between = "\n" + between
    line = (first + between).count("\n") + 1
    name = second.partition("(")[0]
    readers: dict[str, Callable[[str], object]] = {
        "World": lambda text: read_world_file(text.encode(), "worlds/w.ron", REGISTRY, "w.ron"),
        "Prefab": lambda text: read_prefabs(text, "a", registry=REGISTRY),
    }
    for kind in readers:
        text = f"{first.replace('World', kind)}{between}  {second}"
        with pytest.raises(RonError) as caught:
            readers[kind](text)
        error = caught.value
        assert (error.line, error.column) == (line, 3)
        assert error.message.endswith(f"found `{name}`")
        assert error.source_line == f"  {second}"
        if (kind, name) == ("World", "World"):
            assert str(error.hint).startswith("a file holds one world: ")
        elif kind == "Prefab" and name != "World":
            assert str(error.hint).startswith("several prefabs stand in `Library(")
        else:
            assert str(error.hint).endswith(": move it there")


def test_what_is_no_document_is_no_second_one() -> None:
    """Another word behind the world keeps the place and the hint that it had."""
    with pytest.raises(RonError) as caught:
        read_world_file(b"World()\n, Worlds()", "worlds/w.ron", REGISTRY, "worlds/w.ron")
    assert (caught.value.line, caught.value.column) == (2, 1)
    assert str(caught.value.hint).startswith("a file holds one value")


def test_an_empty_file_is_called_empty() -> None:
    """With an example of what belongs there."""
    with pytest.raises(RonError) as caught:
        read_prefabs(" \n", "a", registry=REGISTRY)
    assert caught.value.hint == "the file is empty; write `Prefab(components: [...])`"
    with pytest.raises(RonError) as caught:
        read_world_file(b"", "worlds/w.ron", REGISTRY, "worlds/w.ron")
    assert "the file is empty; write `World(" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("level.tmx", "arcade.load_tilemap"),
        ("maps/level.tmj", "arcade.load_tilemap"),
        ("level.LDTK", "maps of Tiled and LDtk are not read here"),
        ("level.json", "RON files"),
        ("hero.png", "this is a picture"),
        ("prefabs/crate", "this names a prefab: spawn it"),
        ("..\\valley", "use `/`"),
        ("../valley", "paths begin below the assets folder"),
    ],
)
def test_what_is_no_world_is_told_what_it_is(name: str, words: str) -> None:
    """Before anything is looked for."""
    with pytest.raises(UnsafePathError, match=r"is no world: ") as caught:
        world_id(name)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("images/hero.png", "this is a picture"),
        ("images/HERO.PNG", "this is a picture"),
        ("steps.ogg", "this is a sound"),
        ("steps.m4a", "this is a sound"),
        ("maps/level.tmx", "maps of Tiled and LDtk are not read here"),
        ("data/crate.json", "prefabs and worlds are RON files"),
        ("crate.toml", "prefabs and worlds are RON files"),
        ("crate.yaml", "prefabs and worlds are RON files"),
        ("prefabs/crate.csv", "prefabs and worlds are RON files"),
    ],
)
def test_what_is_no_prefab_is_told_what_it_is(name: str, words: str, tmp_path: Path) -> None:
    """Wherever a prefab is named: in `extends`, in a child, in a world, and by the game."""
    for folder in ("prefabs", "worlds"):
        (tmp_path / folder).mkdir()
    (tmp_path / "prefabs" / "crate.ron").write_text("Prefab()")
    (tmp_path / "prefabs" / "heir.ron").write_text(f'Prefab(extends: "{name}")')
    (tmp_path / "prefabs" / "owner.ron").write_text(f'Prefab(children: [(prefab: "{name}")])')
    (tmp_path / "worlds" / "w.ron").write_text(f'World(entities: [(prefab: "{name}", at: (0, 0))])')
    with AssetPipeline(tmp_path, jobs=0) as pipeline:
        for file in ("prefabs/heir.ron", "prefabs/owner.ron"):
            with pytest.raises(MissingPrefabError) as caught:  # nothing was baked before
                pipeline.get(file)
            assert words in str(caught.value.hint)
        report = pipeline.bake()
        told = {str(one.path): one.hint for one in [*report.errors, *pipeline.dangling()]}
        assert len(told) == 3
        for hint in told.values():
            assert words in str(hint)
        for identifier in (name, f"{PREFAB_FOLDER}/{name.removeprefix('prefabs/')}.ron"):
            with pytest.raises(MissingAssetError, match="there is no such asset") as missing:
                pipeline.get(identifier)
            assert words in str(missing.value.hint)


def test_a_file_of_a_picture_that_is_not_there_is_still_told_the_near_one(tmp_path: Path) -> None:
    """For pictures are loaded, too."""
    (tmp_path / "images").mkdir()
    Image.new("RGBA", (4, 4)).save(tmp_path / "images" / "hero.png")
    with AssetPipeline(tmp_path, jobs=0) as pipeline:
        pipeline.bake()
        with pytest.raises(MissingAssetError) as caught:
            pipeline.get("images/herro.png")
    assert caught.value.hint == "did you mean `images/hero.png`?"


def test_a_dot_in_the_name_of_a_world_is_no_suffix() -> None:
    """Levels have numbers."""
    assert world_id("level.1") == "worlds/level.1.ron"
    assert instead_of("level.1") is None


@pytest.mark.parametrize("path", [r"images\new.png", r"images\\new.png"])
def test_a_backslash_in_a_path_is_told_to_be_a_slash(path: str) -> None:
    """Also where it has become a line break."""
    text = f'Prefab(components: [Sprite(texture: "{path}")])'
    (error,) = read_prefabs(text, "a", registry=REGISTRY).errors
    assert error.message.endswith("use `/`")


def test_a_known_name_is_preferred_to_another_word() -> None:
    """A component may have fields called as those of Arcade."""
    assert did_you_mean("Angle", ("rotation", "angle")) == "did you mean `angle`?"


def test_a_missing_world_is_never_told_the_spelling_of_a_prefab(tmp_path: Path) -> None:
    """But that there is a prefab of that name."""
    (tmp_path / "prefabs").mkdir()
    (tmp_path / "prefabs" / "valley.ron").write_text("Prefab()")
    with AssetPipeline(tmp_path) as pipeline:
        pipeline.bake()
        with pytest.raises(MissingAssetError) as caught:
            pipeline.get("worlds/valley.ron")
        assert str(caught.value.hint).startswith("there is a prefab of that name")
        with pytest.raises(MissingAssetError) as caught:
            pipeline.get("worlds/walley.ron")
        assert caught.value.hint is None
