"""The command `arcade-prefabs`: its output, its exit codes, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import arcade_prefabs
from arcade_prefabs.cli import main

COMMAND = "import sys; from arcade_prefabs.cli import main; sys.exit(main())"


@pytest.fixture
def game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty game folder, the current one."""
    (tmp_path / "assets" / "prefabs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(game: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = game / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run(game: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a shell would start it."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=game,
        env={**os.environ, **environment},
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=50,
    )


def test_a_sound_tree_is_counted(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 and one line."""
    write(
        game, {"assets/prefabs/a.ron": "Prefab()", "assets/prefabs/b.ron": "Library(x: Prefab())"}
    )
    assert main(["check", "assets"]) == 0
    assert capsys.readouterr().out == "2 files, 2 prefabs: no errors\n"
    assert main(["check", "assets/prefabs/a.ron"]) == 0
    assert capsys.readouterr().out == "1 file, 1 prefab: no errors\n"


def test_all_mistakes_are_printed_with_their_places(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1; each mistake with its caret, then the count."""
    write(game, {"assets/prefabs/a.ron": "Prefab(x: 1, components: [Tags(3)])"})
    assert main(["check", "assets", "assets/prefabs"]) == 1
    assert capsys.readouterr().out == (
        "assets/prefabs/a.ron:1:8: unknown field `x`\n"
        "  1 | Prefab(x: 1, components: [Tags(3)])\n"
        "    |        ^\n"
        "  hint: a prefab has no position of its own: a world or your code sets it"
        "\n\n"
        "assets/prefabs/a.ron:1:32: Tags.names: expected a list, found the number 3\n"
        "  1 | Prefab(x: 1, components: [Tags(3)])\n"
        "    |                                ^\n\n"
        "2 errors in 2 files, 2 prefabs\n"
    ).replace("assets/prefabs/a.ron", str(Path("assets/prefabs/a.ron")))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "nope"], "there is no file or folder nope"),
        (["check", "assets", "--handle", "game"], "--handle wants NAME=FOLDER"),
        (["check", "assets", "--handle", "=assets"], "--handle wants NAME=FOLDER"),
        (["check", "assets", "--handle", "game=nope"], "with a folder that exists"),
        (
            ["check", "assets", "--components", "no_such_module"],
            "there is no module no_such_module",
        ),
        (["check", "assets", "--components", "arcade_prefabs.nope"], "there is no module arcade_p"),
        (["check", "assets", "--components", "json:dumps"], "json has no ComponentRegistry named"),
        (["check", "assets", "--components", ""], "fails: ValueError"),
        (["new", "../x"], "is no name for a prefab: the path leaves its folder"),
        (["new", "x#y"], "is no name for a new file"),
        (["new", ":game:x"], "is no name for a new file"),
        (["new", ""], "is no name for a prefab"),
        (["new", "con"], "device of Windows"),
        (["new", "hero.png"], "is no name for a prefab: this is a picture"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_code_2(
    game: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """One line on the standard error, nothing on the standard output."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("arcade-prefabs: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["check"], ["nope"], ["new"], ["check", "--nope", "x"]])
def test_wrong_usage_is_exit_code_2(
    game: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """The usage is shown."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: arcade-prefabs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "check prefab files and show every mistake"),
        (["check", "--help"], "--components MODULE"),
        (["new", "--help"], "Never overwrites a file."),
        (["--version"], f"arcade-prefabs {arcade_prefabs.__version__}"),
    ],
)
def test_help_and_version_are_exit_code_0(
    capsys: pytest.CaptureFixture[str], arguments: list[str], shown: str
) -> None:
    """They explain themselves on the standard output."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    assert shown in capsys.readouterr().out


# -------------------------------------------------------------------------------------------- new


@pytest.mark.parametrize("name", ["crate", "props/crate", "props/old/crate.ron", "prefabs/crate"])
def test_a_new_prefab_passes_the_check(
    game: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The starter is written below `prefabs`, folders and all, and is sound as it is."""
    assert main(["new", name]) == 0
    path = game / "assets/prefabs" / (name.removeprefix("prefabs/").removesuffix(".ron") + ".ron")
    text = path.read_text(encoding="utf-8")
    short = name.removeprefix("prefabs/").removesuffix(".ron")
    assert f'Spawn it as "{short}".' in text
    assert 'Tags(["crate"])' in text
    assert capsys.readouterr().out == f"wrote {path.relative_to(game)}\n"
    assert main(["check", "assets"]) == 0


def test_a_new_prefab_goes_into_the_folder_that_was_named(game: Path) -> None:
    """The assets folder need not exist."""
    assert main(["new", "crate", "--assets", "data/assets"]) == 0
    assert "arcade-prefabs check data/assets" in (game / "data/assets/prefabs/crate.ron").read_text(
        encoding="utf-8"
    )


def test_a_new_prefab_never_replaces_a_file(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and the old content stays."""
    write(game, {"assets/prefabs/crate.ron": "Prefab()"})
    assert main(["new", "crate"]) == 1
    assert "exists already; it was left as it is" in capsys.readouterr().err
    assert (game / "assets/prefabs/crate.ron").read_text() == "Prefab()"


@pytest.mark.parametrize("name", ["file/crate", "file/deeper/crate"])
def test_a_new_prefab_below_a_file_is_refused(
    game: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The message is about the folder, which cannot be made."""
    write(game, {"assets/prefabs/file": ""})
    assert main(["new", name]) == 2
    assert "cannot be made" in capsys.readouterr().err


def test_a_new_prefab_where_nothing_can_be_written_is_refused(
    game: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's reason is shown."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert main(["new", "crate"]) == 2
    assert "crate.ron cannot be written: Permission denied" in capsys.readouterr().err


# ------------------------------------------------------------------------------- in real processes


HEALTH = """
from dataclasses import dataclass
import arcade_prefabs

@arcade_prefabs.component
@dataclass
class Health:
    max: int

other = arcade_prefabs.ComponentRegistry()

@other.component
@dataclass
class Mana:
    most: int
"""


def test_components_come_from_a_module_of_the_current_folder(game: Path) -> None:
    """A package of the game, and Arcade is not imported for it."""
    write(
        game,
        {
            "game/__init__.py": "",
            "game/components.py": HEALTH,
            "spy.py": "import sys, atexit\n"
            "atexit.register(lambda: print('arcade' in sys.modules, 'pyglet' in sys.modules))",
            "assets/prefabs/a.ron": "Prefab(components: [Health(max: 3)])",
        },
    )
    without = run(game, "check", "assets")
    assert without.returncode == 1
    assert "unknown component `Health`" in without.stdout
    found = run(game, "check", "assets", "--components", "game.components", "--components", "spy")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == "1 file, 1 prefab: no errors\nFalse False\n"


def test_a_registry_of_a_module_can_be_named(game: Path) -> None:
    """`module:name` uses that registry instead of the default one."""
    write(
        game,
        {"components.py": HEALTH, "assets/prefabs/a.ron": "Prefab(components: [Mana(most: 3)])"},
    )
    assert run(game, "check", "assets", "--components", "components:other").returncode == 0
    assert run(game, "check", "assets", "--components", "components").returncode == 1


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("1 / 0", "components fails at components.py:1: ZeroDivisionError: division by zero"),
        ("def", "components fails: SyntaxError"),
        ("import sys; sys.exit(0)", "components fails at components.py:1: SystemExit: 0"),
        ("import no_such_thing", "components imports no_such_thing, which is not installed"),
        (
            "import arcade_prefabs\n@arcade_prefabs.component\nclass A: pass",
            "components: A is no dataclass",
        ),
        (
            "import arcade_prefabs, dataclasses\n@arcade_prefabs.component\n"
            "@dataclasses.dataclass\nclass A:\n    x: 'Nowhere'",
            "component `A`: name 'Nowhere' is not defined",
        ),
    ],
)
def test_a_module_that_fails_is_named(game: Path, module: str, message: str) -> None:
    """Exit code 2 and one sentence, never a traceback and never success."""
    write(game, {"components.py": module, "assets/prefabs/a.ron": "Prefab(components: [A()])"})
    result = run(game, "check", "assets", "--components", "components")
    assert result.returncode == 2, result
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_textures_of_arcade_and_of_the_game_are_checked(game: Path) -> None:
    """`:resources:` is known from the start, others with `--handle`, the last one first."""
    write(
        game,
        {
            "extra/b.png": "",
            "assets/prefabs/a.ron": """Prefab(components: [Animation(frames: [
                ":resources:images/tiles/boxCrate_double.png",
                ":resources:images/tiles/boxCrate_dubble.png",
                ":game:a.png", ":game:b.png"])])""",
        },
    )
    result = run(game, "check", "assets", "--handle", "game=extra", "--handle", ":game:=assets")
    lines = [line for line in result.stdout.splitlines() if ".ron:" in line]
    assert [line.partition(".ron:")[2] for line in lines] == [
        "3:17: Animation.frames[1]: there is no texture "
        ":resources:images/tiles/boxCrate_dubble.png",
        "4:17: Animation.frames[2]: there is no texture :game:a.png",
    ]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_narrow_console_does_not_end_the_run(game: Path, encoding: str) -> None:
    """The arrows of a circle and the letters of a file are escaped where they cannot be shown."""
    write(game, {"assets/prefabs/日本.ron": 'Prefab(extends: "日本")'})
    result = run(game, "check", "assets", PYTHONIOENCODING=encoding)
    assert result.returncode == 1
    assert "cannot contain or extend itself" in result.stdout
    assert result.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_file_name_that_is_no_text_is_reported(game: Path) -> None:
    """It cannot be an id, and it can be printed."""
    Path(os.fsdecode(os.fsencode(game / "assets/prefabs") + b"/\xff.ron")).write_text("Prefab()")
    result = run(game, "check", "assets")
    assert result.returncode == 1
    assert "the path has a character that paths cannot have" in result.stdout
    assert "1 error in 1 file" in result.stdout


@pytest.mark.parametrize("errors", [0, 5_000])
def test_a_closed_pipe_is_no_traceback(game: Path, errors: int) -> None:
    """`arcade-prefabs check assets | head` ends quietly, with little output and with much."""
    for i in range(errors // 100):
        parts = ",".join(f"N{j}" for j in range(100))
        write(game, {f"assets/prefabs/p{i}.ron": f"Prefab(components: [{parts}])"})
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "check", "assets"],
        cwd=game,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=50) == 1
    assert error == b""


def test_unknown_components_lead_to_the_option_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who checks a game without its components is told how to name them."""
    monkeypatch.chdir(tmp_path)
    Path("assets/prefabs").mkdir(parents=True)
    Path("assets/prefabs/a.ron").write_text("Prefab(components: [Health(max: 3)])")
    assert main(["check", "assets"]) == 1
    assert capsys.readouterr().out.endswith("Name their module: --components MODULE\n")


def test_a_file_name_is_not_a_module_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--components my_game.py` says to leave the suffix out."""
    monkeypatch.chdir(tmp_path)
    assert main(["check", ".", "--components", "my_game.py"]) == 2
    assert "leave out `.py`: --components my_game" in capsys.readouterr().err


def test_new_takes_a_name_that_a_shell_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`new assets/prefabs/props/crate` is the file of that path, not one far below it."""
    monkeypatch.chdir(tmp_path)
    assert main(["new", "assets/prefabs/props/crate"]) == 0
    assert [path.as_posix() for path in Path().rglob("*.ron")] == ["assets/prefabs/props/crate.ron"]


def test_command_runs_where_there_is_no_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's streams are None without one, and where the shell has closed them."""
    (tmp_path / "prefabs").mkdir()
    (tmp_path / "prefabs" / "a.ron").write_text("Prefab(", encoding="utf-8")
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert main(["check", str(tmp_path)]) == 1
    assert main(["bake", str(tmp_path), "--jobs", "0"]) == 1
    assert sys.stdout is None
