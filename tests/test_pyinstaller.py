"""PyInstaller's hook: what a frozen game needs is named, without PyInstaller."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from arcade_prefabs._pyinstaller import get_hook_dirs, named_resources

CRATE = "images/tiles/boxCrate_double.png"
HOOK = "hook-arcade_prefabs.py"


@pytest.fixture
def game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as `pyinstaller game.py` finds it."""
    files = {
        "assets/prefabs/crate.ron": f'Prefab(components: [Sprite(texture: ":resources:{CRATE}")])',
        "assets/prefabs/none.ron": 'Prefab(components: [Sprite(texture: ":resources:images/no")])',
        "assets/prefabs/out.ron": 'Prefab(components: [Sprite(texture: ":resources:../../x.py")])',
        "game.py": 'arcade.load_font(":system:fonts/ttf/Kenney/Kenney_Mini.ttf")',
        "more/other.py": 'arcade.load_sound(":assets:sounds/coin1.wav")',
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pyinstaller_finds_the_hook() -> None:
    """By the entry point that it looks for, in a folder of the package."""
    (found,) = (
        one
        for one in entry_points(group="pyinstaller40")
        if one.module.startswith("arcade_prefabs")
    )
    assert found.name == "hook-dirs"
    assert found.load() is get_hook_dirs
    assert [(Path(one) / HOOK).is_file() for one in get_hook_dirs()] == [True]


@pytest.mark.usefixtures("game")
def test_resources_that_the_game_names_come_along() -> None:
    """Each to where Arcade looks for it; what is not there, or elsewhere, is left out."""
    found = named_resources(["assets", "game.py", "nowhere"])
    assert [(Path(file).name, Path(to).as_posix()) for file, to in found] == [
        ("boxCrate_double.png", "arcade/resources/assets/images/tiles"),
        ("Kenney_Mini.ttf", "arcade/resources/system/fonts/ttf/Kenney"),
    ]
    assert all(Path(file).is_file() for file, _ in found)
    sounds = named_resources(["more"])
    assert [Path(to).as_posix() for _, to in sounds] == ["arcade/resources/assets/sounds"]


def test_a_folder_of_resources_comes_along_as_a_whole(game: Path) -> None:
    """A game that puts names together says which folder they are in."""
    (game / "game.py").write_text('folder = ":resources:images/cards/"', "utf-8")
    found = named_resources(["game.py"])
    assert len(found) > 50
    assert {Path(to).as_posix() for _, to in found} == {"arcade/resources/assets/images/cards"}


@pytest.mark.usefixtures("game")
@pytest.mark.parametrize(
    ("look_in", "names"),
    [(None, {"boxCrate_double.png", "Kenney_Mini.ttf"}), (["more"], {"coin1.wav"}), ([], set())],
)
def test_the_hook_names_modules_and_resources(
    monkeypatch: pytest.MonkeyPatch, look_in: list[str] | None, names: set[str]
) -> None:
    """Of the assets folder and the scripts beside it, or of what the spec file says."""
    hooks: Any = ModuleType("PyInstaller.utils.hooks")

    def collect(package: str, filter: Callable[[str], bool]) -> list[str]:  # noqa: A002
        names = [package, f"{package}.spawning.atlas.reclaiming_atlas", f"{package}._pyinstaller"]
        return [one for one in names if filter(one)]

    hooks.collect_submodules = collect
    hooks.get_hook_config = lambda _, package, key: {"arcade_prefabs look_in": look_in}[
        f"{package} {key}"
    ]
    for name in ("PyInstaller", "PyInstaller.utils"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "PyInstaller.utils.hooks", hooks)
    hook = runpy.run_path(str(Path(get_hook_dirs()[0]) / HOOK))
    assert hook["hiddenimports"] == [
        "arcade_prefabs",
        "arcade_prefabs.spawning.atlas.reclaiming_atlas",
    ]
    assert all(importlib.util.find_spec(one) for one in hook["hiddenimports"])
    taken: list[tuple[str, str]] = []

    class Api:
        add_datas = staticmethod(taken.extend)

    hook["hook"](Api)
    assert {Path(file).name for file, _ in taken} == names
