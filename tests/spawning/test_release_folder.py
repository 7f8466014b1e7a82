"""Arcade's own loaders find the files of a release through its handle `:assets:`."""

from __future__ import annotations

import gc
import inspect
import io
import os
import struct
import sys
import threading
import time
import warnings
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import arcade
import pytest
from PIL import Image

import arcade_prefabs
from arcade_prefabs import AssetError
from arcade_prefabs.errors import UnsafePathError
from arcade_prefabs.pipeline import AssetPipeline, MemorySource
from arcade_prefabs.spawning import release_folder, texture_processor

RED = (255, 0, 0)
TILES = """<?xml version="1.0" encoding="UTF-8"?>
<tileset version="1.10" name="tiles" tilewidth="4" tileheight="4" tilecount="1" columns="1">
 <image source="../images/tile.png" width="4" height="4"/>
</tileset>"""
MAP = """<?xml version="1.0" encoding="UTF-8"?>
<map version="1.10" orientation="orthogonal" renderorder="right-down" width="1" height="1"
 tilewidth="4" tileheight="4" infinite="0" nextlayerid="2" nextobjectid="1" tiledversion="1.10">
 <tileset firstgid="1" source="tiles.tsx"/>
 <layer id="1" name="ground" width="1" height="1"><data encoding="csv">1</data></layer>
</map>"""


def beep() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(struct.pack("<80h", *range(80)))
    return out.getvalue()


def blinking() -> bytes:
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, (0, 0, 255))]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=[100, 200])
    return out.getvalue()


def red(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", (width, height), RED).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def files() -> dict[str, str | bytes]:
    font = arcade.resources.resolve(":system:fonts/ttf/Kenney/Kenney_Mini.ttf")
    return {
        "sounds/beep.wav": beep(),
        "fonts/mini.ttf": font.read_bytes(),
        "images/red.png": red(16, 8),
        "images/tile.png": red(4, 4),
        "images/blink.gif": blinking(),
        "levels/one.tmx": MAP,
        "levels/tiles.tsx": TILES,
        "texts/words.json": '{"hello": ["Grüße", 1.5]}',
        "prefabs/red.ron": 'Prefab(components: [Sprite(texture: "images/red.png")])',
    }


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr(release_folder.platformdirs, "user_cache_dir", lambda *_, **__: str(folder))
    return folder


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, files: dict[str, str | bytes]) -> Path:
    return released(tmp_path_factory.mktemp("release") / "game.prefabs", files)


def released(path: Path, files: dict[str, str | bytes]) -> Path:
    source = MemorySource(files)
    with AssetPipeline(source, processors=[texture_processor()], jobs=0) as pipeline:
        assert not pipeline.bake().errors
        pipeline.write_release(path)
    return path


@pytest.fixture
def game(window: arcade.Window, release: Path) -> Iterator[Any]:
    with arcade_prefabs.attach(window, release, enabled=False) as plugin:
        yield plugin


def below(folder: Path) -> set[str]:
    """Returns the files that were written for the one release in the cache."""
    root = next((folder / "unpacked").iterdir())
    return {one.relative_to(root).as_posix() for one in root.rglob("*") if one.is_file()}


@pytest.mark.usefixtures("game")
def test_arcade_s_loaders_find_files_of_a_release(cache: Path, files: dict[str, Any]) -> None:
    """Sounds, fonts, pictures, animations and data; nothing but what was asked for is written."""
    assert below(cache) == set()
    sound = arcade.load_sound(":assets:sounds/beep.wav")
    assert sound.get_length() == pytest.approx(0.01)
    with warnings.catch_warnings():  # pyglet leaves the file to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        arcade.load_font(":assets:fonts/mini.ttf")
    texture = arcade.load_texture(":assets:images/red.png")
    assert texture.size == (16, 8)
    assert texture.image.getpixel((3, 3)) == (*RED, 255)
    assert below(cache) == {"sounds/beep.wav", "fonts/mini.ttf", "images/red.png"}
    with warnings.catch_warnings():  # so does Arcade
        warnings.simplefilter("ignore", ResourceWarning)
        sprite = arcade.load_animated_gif(":assets:images/blink.gif")
        gc.collect()
    assert [frame.duration for frame in sprite.animation.keyframes] == [100, 200]
    colors = [frame.texture.image.getpixel((1, 1)) for frame in sprite.animation.keyframes]
    assert colors == [(255, 0, 0, 255), (0, 0, 255, 255)]
    words = arcade.resources.resolve(":assets:texts/words.json")
    assert words.read_text("utf-8") == '{"hello": ["Grüße", 1.5]}'
    for name in ("sounds/beep.wav", "fonts/mini.ttf"):
        assert arcade.resources.resolve(f":assets:{name}").read_bytes() == files[name]


def test_an_unpacked_picture_has_the_pixels_of_its_file(cache: Path) -> None:
    """All of them, in their places: it was baked with a border around it."""
    image = Image.frombytes("RGBA", (5, 3), bytes(range(15 * 4)))
    out = io.BytesIO()
    image.save(out, "PNG")
    with AssetPipeline(MemorySource({"images/many.png": out.getvalue()}), jobs=0) as pipeline:
        pipeline.bake()
        with (
            release_folder.release_folder(pipeline) as folder,
            Image.open(folder / "images/many.png") as unpacked,
        ):
            assert unpacked.size == image.size
            assert unpacked.convert("RGBA").tobytes() == image.tobytes()


@pytest.mark.usefixtures("game")
def test_what_a_file_names_is_unpacked_beside_it(cache: Path) -> None:
    """A Tiled map looks for its tiles, and they for their picture, by relative paths."""
    tile_map = arcade.load_tilemap(":assets:levels/one.tmx")
    assert len(tile_map.sprite_lists["ground"]) == 1
    assert below(cache) == {"levels/one.tmx", "levels/tiles.tsx", "images/tile.png"}


@pytest.mark.usefixtures("game")
def test_a_folder_of_a_release_is_unpacked_as_a_whole() -> None:
    """For games that look what there is."""
    folder = arcade.resources.resolve(":assets:levels")
    assert sorted(one.name for one in folder.iterdir()) == ["one.tmx", "tiles.tsx"]


@pytest.mark.usefixtures("game")
@pytest.mark.parametrize(
    "name",
    ["sounds/none.wav", "prefabs/red.ron", "/etc/passwd", "CON"],
)
def test_what_the_release_does_not_have_is_not_found(cache: Path, name: str) -> None:
    """Arcade's own error; nothing is written, and no path leads out of the folder."""
    with pytest.raises(FileNotFoundError):
        arcade.resources.resolve(f":assets:{name}")
    assert below(cache) == set()


@pytest.mark.usefixtures("game")
@pytest.mark.parametrize(
    "name", ["../secret.txt", "sounds/../../secret.txt", "..", "..\\secret.txt"]
)
def test_no_path_leads_out_of_a_release(cache: Path, name: str) -> None:
    """Not to files that are there, either."""
    (cache / "unpacked" / "secret.txt").write_text("secret")
    with pytest.raises(UnsafePathError, match=r"the path leaves its folder by `\.\.`"):
        arcade.resources.resolve(f":assets:{name}")
    assert below(cache) == set()


def test_the_handle_ends_with_the_plugin(window: arcade.Window, release: Path) -> None:
    """Other handles, and none, as for a folder; Arcade's own `:assets:` stays as it was."""
    before = {name: list(paths) for name, paths in arcade.resources.handles.items()}
    with arcade_prefabs.attach(window, release, enabled=False):
        own = arcade.resources.resolve(":assets:images/cards/cardBack_blue1.png")
        assert own.is_relative_to(arcade.resources.ASSET_PATH)
    assert arcade.resources.handles == before
    with arcade_prefabs.attach(window, release, resource_handle="mine", enabled=False):
        assert arcade.resources.resolve(":mine:sounds/beep.wav").is_file()
    with arcade_prefabs.attach(window, release, resource_handle=None, enabled=False):
        assert arcade.resources.handles == before


def test_what_is_in_the_cache_is_taken_only_if_it_is_the_release_s(
    window: arcade.Window, release: Path, files: dict[str, Any]
) -> None:
    """Whatever became of it between two runs; a file that is right is not written again."""

    def run() -> Path:
        with arcade_prefabs.attach(window, release, enabled=False):
            return arcade.resources.resolve(":assets:sounds/beep.wav")

    path = run()
    os.utime(path, (1, 1))
    assert run() == path
    assert path.stat().st_mtime == 1
    for wrong in (b"", files["sounds/beep.wav"][:-1] + b"x"):
        path.write_bytes(wrong)
        assert run().read_bytes() == files["sounds/beep.wav"]
    path.unlink()
    assert run().read_bytes() == files["sounds/beep.wav"]


def test_other_content_has_another_folder(
    window: arcade.Window, tmp_path: Path, release: Path, files: dict[str, Any]
) -> None:
    """An update of the game, beside the old one."""
    paths = []
    for one in (release, released(tmp_path / "new.prefabs", {**files, "sounds/beep.wav": b"new"})):
        with arcade_prefabs.attach(window, one, enabled=False):
            paths.append(arcade.resources.resolve(":assets:sounds/beep.wav"))
    assert [path.read_bytes() for path in paths] == [files["sounds/beep.wav"], b"new"]


def test_a_link_in_the_cache_leads_nowhere(
    window: arcade.Window, cache: Path, tmp_path: Path, release: Path
) -> None:
    """Nothing is written to where it points."""
    outside = tmp_path / "outside"
    outside.mkdir()
    with arcade_prefabs.attach(window, release, enabled=False):
        root = next((cache / "unpacked").iterdir())
        (root / "sounds").symlink_to(outside)
        with pytest.raises(AssetError, match="by a link"):
            arcade.resources.resolve(":assets:sounds/beep.wav")
    assert not list(outside.iterdir())


def test_old_releases_leave_the_cache(
    window: arcade.Window, cache: Path, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were not used for a day, beyond what may be kept; never the one in use."""
    monkeypatch.setattr(release_folder, "_MOST_BYTES", 100)
    now = time.time()
    for number, (size, days) in enumerate([(60, 2), (30, 3), (60, 4), (500, 0)]):
        folder = cache / "unpacked" / str(number)
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(bytes(size))
        os.utime(folder, (now, now - days * 86_400))
    with arcade_prefabs.attach(window, release, enabled=False):
        arcade.resources.resolve(":assets:sounds/beep.wav")
    left = {one.name for one in (cache / "unpacked").iterdir()}
    assert "3" in left  # too large, but in use
    assert left & {"0", "1", "2"} == set()
    assert len(left) == 2


def test_a_cache_that_cannot_be_written_is_replaced(
    window: arcade.Window, cache: Path, release: Path, files: dict[str, Any]
) -> None:
    """By a temporary folder, which goes with the plugin."""
    cache.write_text("a file where a folder should be")
    with arcade_prefabs.attach(window, release, enabled=False):
        path = arcade.resources.resolve(":assets:sounds/beep.wav")
        assert path.read_bytes() == files["sounds/beep.wav"]
    assert not path.exists()


def test_another_process_that_tidies_the_cache_up_too_is_no_reason_to_leave_it(
    cache: Path, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it deletes meanwhile cannot be looked at any more."""
    (cache / "unpacked" / "old").mkdir(parents=True)

    def gone(_folder: Path, _pattern: str) -> Iterator[Path]:
        raise FileNotFoundError

    with AssetPipeline(release) as pipeline:
        monkeypatch.setattr(Path, "rglob", gone)
        with release_folder.release_folder(pipeline) as folder:
            assert (folder / "sounds/beep.wav").is_relative_to(cache.resolve())


def test_files_that_name_each_other_in_a_long_row_are_all_unpacked(cache: Path) -> None:
    """However long it is: a release is untrusted."""
    files = {f"{number}.fnt": f" {number + 1}.fnt" for number in range(400)}
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        pipeline.bake()
        with release_folder.release_folder(pipeline) as folder:
            limit = sys.getrecursionlimit()
            sys.setrecursionlimit(len(inspect.stack()) + 200)
            try:
                assert (folder / "0.fnt").is_file()
            finally:
                sys.setrecursionlimit(limit)
    assert below(cache) == set(files)


def test_names_are_looked_for_all_at_once() -> None:
    """A search for each of the others in each file took the square of their number."""
    paths = {f"{number % 7}/{number}.fnt" for number in range(2000)}
    paths |= {"a", "bc", "def", "sub/no ending", "images/täg.png", "x/täg.png", "y/täg.pn"}

    class Text(bytes):
        def __contains__(self, name: object) -> bool:
            raise AssertionError("one name is looked for")

    names = release_folder.Names(paths)
    text = Text(b' 77.fnt"no ending" 1999.fnt,1999.fnt b 3000.fnt ' + "täg.png".encode())
    found = names.taken_from(text)
    assert found == {
        *("0/77.fnt", "4/1999.fnt", "sub/no ending", "images/täg.png", "x/täg.png", "y/täg.pn"),
        *("0/7.fnt", "2/9.fnt", "1/99.fnt", "5/999.fnt", "0/0.fnt"),
    }
    assert not names.taken_from(text)  # a text that says a name often finds it once


def test_threads_and_windows_may_ask_at_once(release: Path, files: dict[str, Any]) -> None:
    """Each gets a whole file, whoever wrote it."""
    got: list[bytes] = []
    with AssetPipeline(release) as pipeline:

        def ask() -> None:
            with release_folder.release_folder(pipeline) as folder:
                assert folder.resolve() / "images" == Path(folder) / "images"
                names = ("sounds/beep.wav", "fonts/mini.ttf")
                got.extend((folder / name).read_bytes() for name in names)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert sorted(got) == sorted([files["sounds/beep.wav"], files["fonts/mini.ttf"]] * 8)
