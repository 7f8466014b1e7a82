"""Names that no file system takes name nothing: no raw error of the system comes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from arcade_prefabs.cli.command import main
from arcade_prefabs.errors import (
    ArcadePrefabsError,
    AssetError,
    MissingAssetError,
    SaveError,
    StoreError,
    UnsafePathError,
)
from arcade_prefabs.loading import AsyncPrefabLoader
from arcade_prefabs.pipeline import AssetPipeline, DirectorySource, ZipSource, check_trees, world_id
from arcade_prefabs.streaming.saves.save_file import SaveFile

LONG: Final = "a" * 300
# Over 255 bytes, in fewer characters.
WIDE: Final = "ä" * 200
ZERO: Final = "a\0b"
DEEP: Final = "x/" * 200 + "y"
NAMES: Final = {"long": LONG, "wide": WIDE, "zero": ZERO}

named = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    folder = tmp_path / "assets"
    (folder / "prefabs").mkdir(parents=True)
    (folder / "prefabs" / "crate.ron").write_text("Prefab()")
    return folder


def _loaded(loader: AsyncPrefabLoader, name: str) -> Any:
    handle = loader.load(name)
    assert loader.wait(handle)
    return handle.result()


@pytest.mark.parametrize("name", [LONG, WIDE, ZERO, DEEP], ids=["long", "wide", "zero", "deep"])
def test_an_asset_of_an_impossible_name_is_not_there(assets: Path, name: str) -> None:
    """However it is asked for: as a prefab, a picture, a world, or a folder of them."""
    wanted = UnsafePathError if name == ZERO else MissingAssetError
    with AssetPipeline(assets, jobs=0) as pipeline, AsyncPrefabLoader(pipeline) as loader:
        for one in (name, f"{name}.png", f"{name}.ogg", f"worlds/{name}.ron"):
            with pytest.raises(wanted):
                pipeline.get(one)
            with pytest.raises(wanted):
                _loaded(loader, one)
        with pytest.raises(wanted):
            pipeline.get_prefab(name)
        batch = loader.load_folder(name)
        assert loader.wait(batch)
        assert [type(one) for one in batch.errors.values()] == [wanted]
        if name == ZERO:
            with pytest.raises(UnsafePathError):
                world_id(name)
        else:
            with pytest.raises(MissingAssetError):
                pipeline.get(world_id(name))


@pytest.mark.parametrize("name", [LONG, WIDE, DEEP], ids=["long", "wide", "deep"])
def test_what_a_file_names_by_an_impossible_name_is_not_there(assets: Path, name: str) -> None:
    """Textures, sounds, prefabs and worlds, each told where it is named."""
    (assets / "worlds").mkdir()
    (assets / "prefabs" / "names.ron").write_text(
        f'Prefab(components: [Sprite(texture: "{name}.png"), Sound(path: "{name}.ogg")])'
    )
    (assets / "prefabs" / "heir.ron").write_text(f'Prefab(extends: "{name}")')
    (assets / "worlds" / "w.ron").write_text(
        f'World(include: ["worlds/{name}.ron"], entities: [(prefab: "{name}", at: (0, 0))])'
    )
    with AssetPipeline(assets, jobs=0) as pipeline:
        errors = [*pipeline.bake().errors, *pipeline.dangling()]
    told = [error.message for error in errors]
    for words in ("no texture ", "no sound ", "extends: there is no prefab ", ": there is no "):
        assert any(words in message for message in told), told
    assert all(error.line is not None for error in errors)


def test_a_zero_byte_in_a_path_of_a_file_is_told_where_it_stands(assets: Path) -> None:
    """It can be written in RON, as an escape."""
    (assets / "prefabs" / "names.ron").write_text(
        'Prefab(components: [Sprite(texture: "a\\u{0}.png"), Sound(path: "a\\u{0}.ogg")])'
    )
    with AssetPipeline(assets, jobs=0) as pipeline:
        texture, sound = pipeline.bake().errors
    assert "Sprite.texture: the path has a character that paths cannot have" in texture.message
    assert "Sound.path: the path has a character that paths cannot have" in sound.message


def _made(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        with make(path) as made:
            made.bake()

    return run


@named
@pytest.mark.parametrize(
    ("wanted", "use"),
    [
        (MissingAssetError, _made(lambda path: AssetPipeline(path, jobs=0))),
        (MissingAssetError, _made(lambda path: AssetPipeline(path / "game.zip", jobs=0))),
        (AssetError, lambda path: DirectorySource(path).read("a.png")),
        (AssetError, ZipSource),
        (FileNotFoundError, lambda path: check_trees([path])),
        (SaveError, lambda path: SaveFile(path, "world")),
        (SaveError, lambda path: SaveFile(path / "slot", "world")),
    ],
    ids=["folder", "zip", "directory", "archive", "check", "save", "save below"],
)
def test_a_place_of_an_impossible_name_is_not_there(
    wanted: type[Exception], use: Callable[[Path], object], name: str, tmp_path: Path
) -> None:
    """Folders, archives and saves are told as any others that are not there, or cannot be."""
    with pytest.raises(wanted) as caught:
        use(tmp_path / name)
    assert str(caught.value).isprintable() or wanted is FileNotFoundError
    if wanted is SaveError:
        assert "name" in str(caught.value)


@named
def test_a_store_or_release_of_an_impossible_name_cannot_be_made(name: str, assets: Path) -> None:
    """Nor does one of a handle's folders have it."""
    with pytest.raises(StoreError, match="cannot be made"):
        AssetPipeline(assets, jobs=0, store=assets.parent / name)
    with AssetPipeline(assets, jobs=0) as pipeline:
        pipeline.bake()
        with pytest.raises(StoreError, match="cannot be written"):
            pipeline.write_release(assets.parent / name)
    with (
        pytest.raises(ArcadePrefabsError),
        AssetPipeline(assets, jobs=0, handles={"own": [assets / name]}) as pipeline,
    ):
        pipeline.get(":own:a.png")


@pytest.mark.parametrize("name", [LONG, WIDE], ids=["long", "wide"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "{}"],
        ["check", "--handle", "own={}", "."],
        ["bake", "{}"],
        ["bake", "--jobs", "0", "--release", "{}"],
        ["bake", "--jobs", "0", "--store", "{}"],
        ["inspect", "{}"],
        ["stats", "{}"],
        ["clean", "{}"],
        ["watch", "{}"],
        ["new", "{}"],
    ],
)
def test_a_command_refuses_an_impossible_name(
    arguments: list[str],
    name: str,
    assets: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a line of its own, and with its exit code."""
    monkeypatch.chdir(assets.parent)
    assert main([one.replace("{}", name) for one in arguments]) == 2
    assert capsys.readouterr().err.startswith("arcade-prefabs: ")
