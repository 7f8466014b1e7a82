"""What files hold reaches terminals and logs as text: no escapes, no marks of direction."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import pickle
import sqlite3
import sys
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import pytest

import arcade_prefabs
from arcade_prefabs import errors, ron
from arcade_prefabs.cli.command import main
from arcade_prefabs.cli.watch import _Failures as Failures
from arcade_prefabs.errors import (
    LocatedError,
    SaveError,
    StoreError,
    columns,
    shown,
    shown_error,
)
from arcade_prefabs.pipeline import check_trees
from arcade_prefabs.streaming.saves.save_file import SaveFile

MARKS = "\x1b[31mX\x9b2J\u202e\n\u200b\ufeff\u2028\r\x07\u00ad\u3164"
NO_FILE_NAME = "\r\n/\0"


def hidden(text: str) -> list[str]:
    """The characters of an output that a terminal obeys, or that nobody sees."""
    return [
        character
        for character in text
        if (character != "\n" and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"))
        or character == "\u3164"
    ]


def quoted(text: str) -> str:
    """A text as a RON string."""
    return "".join(f"\\u{{{ord(one):x}}}" if not one.isalnum() else one for one in text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("crate", "crate"),
        ("Höhle 漢字 مرحبا", "Höhle 漢字 مرحبا"),
        ("👩‍🚀 ❤️ 👍🏽 🏴", "👩‍🚀 ❤️ 👍🏽 🏴"),
        ("e\u0301", "e\u0301"),
        ("\x1b[31mX", r"\x1b[31mX"),
        ("\x9b2J", r"\x9b2J"),
        ("a\u202eb", r"a\u202eb"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("a\u200bb\u200dc\ufe0f", r"a\u200bb\u200dc\ufe0f"),
        ("a\u00a0b\u3164", r"a\xa0b\u3164"),
        (os.fsdecode(b"\x80.png"), r"\udc80.png"),
        ("[red]x[/]", "[red]x[/]"),
    ],
)
def test_letters_stay_and_what_a_terminal_obeys_is_written_out(text: str, wanted: str) -> None:
    """All scripts and emoji stay readable; showing what was shown changes nothing."""
    assert shown(text) == wanted
    assert shown(wanted) == wanted


def test_long_text_loses_its_middle_and_names_its_length() -> None:
    """Start and end stay, for both tell names apart."""
    assert shown("a" * 100) == "a" * 100
    assert shown("b" + "a" * 1_000_000 + "c") == f"b{'a' * 49}…{'a' * 49}c (1,000,002 characters)"
    assert shown("a" * 300, None) == "a" * 300


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("漢字", 4), ("e\u0301", 1), ("👍", 2), ("ö", 1)]
)
def test_columns_are_those_of_a_terminal(text: str, width: int) -> None:
    """Wide letters take two, accents none."""
    assert columns(text) == width


@pytest.mark.parametrize("before", ["", "\x1b[31m", "漢字", "\u202e\u200b", "\t", "é", "e\u0301"])
def test_the_caret_stands_below_the_place_behind_whatever_is_shown(before: str) -> None:
    """Escapes and wide letters in front of the mistake do not move the caret."""
    error = LocatedError(
        "wrong", path="a.ron", line=1, column=len(before) + 1, source_line=f"{before}@"
    )
    _, line, caret = str(error).split("\n")
    assert columns(line[: line.index("@")]) == caret.index("^")
    assert hidden(str(error)) == []


def test_every_error_has_a_text_that_can_be_printed() -> None:
    """Whatever an error is given, its text holds no escapes; it also survives pickling."""
    for name in errors.__all__:
        kind = getattr(errors, name)
        if not (isinstance(kind, type) and issubclass(kind, errors.ArcadePrefabsError)):
            continue
        text = f"there is no `{MARKS}\udc80`"
        if issubclass(kind, LocatedError):
            error = kind(
                text, path=MARKS, line=2, column=9, source_line=MARKS * 2, hint=f"write {MARKS}"
            )
            assert len(str(error).split("\n")) == 4, name
        else:
            error = kind(text)
        assert hidden(str(error)) == [], name
        assert r"\x1b[31mX" in str(error), name


# Their messages hold those of other errors, or a whole report.
WITH_LINES = {
    "PreloadError",
    "PreloadTimeoutError",
    "DependencyError",
    "FrameRateError",
    "SpawnError",
    "StreamingError",
}


@pytest.mark.parametrize("name", errors.__all__)
def test_a_line_break_in_a_name_adds_no_line_to_an_error(name: str) -> None:
    """Whether it knows a file or not; pickling changes nothing of that."""
    kind = getattr(errors, name)
    if not (isinstance(kind, type) and issubclass(kind, errors.ArcadePrefabsError)):
        return
    error = kind("there is no a\nb\r\u2028c")
    if name in WITH_LINES:
        assert str(error) == "there is no a\nb\\r\\u2028c"
    else:
        assert str(error) == r"there is no a\nb\r\u2028c"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_an_error_that_holds_another_one_keeps_its_lines() -> None:
    """The line of the file, the caret and the hint."""
    inner = LocatedError("no", path="a\nb.ron", line=1, column=1, source_line="x", hint="c\nd")
    outer = errors.DependencyError(f"a needs b, and that failed: {shown_error(inner)}")
    assert str(outer).split("\n") == [
        r"a needs b, and that failed: a\nb.ron:1:1: no",
        "  1 | x",
        "    | ^",
        r"  hint: c\nd",
    ]
    assert shown_error(ValueError(f"no {MARKS}")) == f"no {shown(MARKS)}"


@pytest.mark.parametrize(
    "wrong", ["folder", "empty", "text", "database", "pipe", "name", "parent", "long", "nul"]
)
def test_what_is_wrong_with_a_save_is_told_in_one_line(wrong: str, tmp_path: Path) -> None:
    """Whatever the save, its folder and the world are called."""
    marks = "\x1b[31m\u202e\n\r\u2028"
    path = tmp_path / f"{marks} folder" / f"{marks} save"
    path.parent.mkdir()
    if wrong == "folder":
        path.mkdir()
    elif wrong == "empty":
        path.touch()
    elif wrong == "text":
        path.write_text("x" * 200)
    elif wrong == "database":
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE a (b)")
    elif wrong == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("there are no pipes")
        os.mkfifo(path)
    elif wrong == "name":
        path = path.with_name(path.name + ".unsaved")
    elif wrong == "parent":
        path.touch()
        path /= f"{marks} slot"
    elif wrong == "long":
        path = path.with_name("ä" * 200)
    else:
        path = path.with_name("a\0b")
    with pytest.raises(SaveError) as caught:
        SaveFile(path, f"{marks} world")
    text = str(caught.value)
    assert "\n" not in text
    assert hidden(text) == []
    assert r"\x1b[31m\u202e\n\r\u2028 folder" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "{}"],
        ["check", "--components", "{}", "."],
        ["check", "--components", "own_{}:{}", "."],
        ["check", "--handle", "{}", "."],
        ["bake", "{}", "--jobs", "0"],
        ["bake", "--store", "{}.folder", "--jobs", "0"],
        ["bake", "--store", "{}.text", "--jobs", "0"],
        ["bake", "--release", "{}.folder", "--jobs", "0"],
        ["bake", "--release", "{}.text", "--jobs", "0"],
        ["inspect", "{}"],
        ["inspect", "a", "--assets", "{}"],
        ["new", "{}"],
        ["new", "{}.png"],
        ["new", "a", "--assets", "{}.text"],
        ["stats", "{}"],
        ["clean", "{}"],
        ["watch", "{}"],
        ["watch", "--store", "{}.text"],
    ],
)
def test_a_command_that_cannot_run_says_so_in_one_line(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No argument adds a line that looks like one of the command's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assets").mkdir()
    marks = "\x1b[31m\u202e\nX"
    (tmp_path / f"{marks}.folder").mkdir()
    (tmp_path / f"{marks}.text").write_text("text")
    assert main([one.replace("{}", marks) for one in arguments]) != 0
    output = capsys.readouterr()
    assert hidden(output.out + output.err) == []
    assert output.out == ""
    lines = output.err.removesuffix("\n").split("\n")
    assert lines[0].startswith("arcade-prefabs: ")
    assert r"\x1b[31m\u202e\nX" in lines[0]
    assert [one for one in lines[1:] if not one.startswith("  hint: ")] == []


def test_what_fails_while_watching_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An error of ours, of the system, and of the game's own code."""
    failures: list[Exception] = []
    watched = Failures(SimpleNamespace(failures=failures))
    for error in (StoreError(f"no {MARKS}"), OSError(2, "no", MARKS), ValueError(f"no {MARKS}")):
        failures.append(error)
        watched.print_new(argparse.Namespace(json=False))
        output = capsys.readouterr().err
        assert output.count("\n") == 1
        assert hidden(output) == []


def test_errors_in_prefabs_show_names_as_text(tmp_path: Path) -> None:
    """Components, fields, labels, children, classes and text of a file are quoted as text."""
    name = quoted(MARKS)
    sources = [
        f'Prefab(extends: "{name}", components: [])',
        f'Prefab(components: [Sprite(texture: "{name}", sprite_class: "{name}")])',
        f'Prefab(components: [Sprite(texture: "a.png", layer: "{name}", scale: "{name}")])',
        f'Prefab(components: [], children: [(name: "{name}", prefab: "{name}", at: "{name}")])',
        f'Prefab(components: [Tags("{name}")], "{name}": 1)',
        f'{{"{name}": 1}}',
        f'Library({{"{name}": Prefab()}})',
        f'P(a: "{MARKS}" "{MARKS}", b: {MARKS})',
        f"Prefab(components: [{MARKS}])",
    ]
    for number, source in enumerate(sources):
        (tmp_path / f"{number}.ron").write_text(source)
    found = check_trees([tmp_path]).errors
    assert {Path(error.path or "").stem for error in found} >= set("1234678")
    for error in found:
        assert hidden(str(error)) == [], error.path


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    """An assets folder whose names, values and paths carry marks."""
    root = tmp_path / "assets"
    marks = "".join(one for one in MARKS if one not in NO_FILE_NAME)
    (root / "prefabs").mkdir(parents=True)
    (root / "worlds").mkdir()
    (root / "prefabs" / "bad\u202e.ron").write_text(f"Prefab(components: [Foo{MARKS}])")
    (root / "prefabs" / "wrong.ron").write_text(
        f'Prefab(components: [Text(text: "{quoted(MARKS)}", layer: "{quoted(MARKS)}", no: 1)])'
    )
    (root / "prefabs" / "sign\u202e.ron").write_text(
        f'Prefab(components: [Text(text: "{quoted(MARKS)}")],'
        f' children: [(name: "{quoted(MARKS)}", prefab: "sign")])'
    )
    (root / "prefabs" / "sign.ron").write_text(
        f'Prefab(components: [Text(text: "{quoted(MARKS)}"), Tags(["{quoted(MARKS)}"])])'
    )
    (root / "worlds" / "w.ron").write_text(
        f'World(cell_size: 512, layers: ["{quoted(MARKS)}"], include: ["{quoted(MARKS)}"],'
        f' entities: [(prefab: "{quoted(MARKS)}", at: (0, 0), id: "{quoted(MARKS)}",'
        f' layer: "{quoted(MARKS)}x")])'
    )
    (root / "data.json").write_text(f'{{"{marks}": [}}')
    if sys.platform == "linux":
        names = [marks.encode() + b".ron", b"\x80\xff.ron", marks.encode() + b".png"]
        for name in names:
            Path(os.fsdecode(os.fsencode(root / "prefabs") + b"/" + name)).write_bytes(b"Prefab(")
    return root


@pytest.mark.parametrize("inspected", ["prefabs/sign\u202e.ron", "worlds/w.ron", "no\x1b[31m"])
def test_no_command_prints_what_a_terminal_obeys(
    assets: Path, inspected: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Check, bake, release and inspect show names, values and paths as text."""
    store = ["--store", str(tmp_path / "bake.sqlite")]
    release = ["--release", str(tmp_path / "game.prefabs"), "--jobs", "0"]
    for command in (
        ["check", str(assets)],
        ["bake", str(assets), *release, *store],
        ["inspect", inspected, "--assets", str(assets), *store],
        ["stats", str(assets), *store],
        ["new", "a\u202eb", "--assets", str(tmp_path / "new\x1b[31m")],
        ["check", str(tmp_path / "gone\x1b[31m")],
    ):
        main(command)
        output = capsys.readouterr()
        assert output.out + output.err, command
        assert hidden(output.out + output.err) == [], command


def test_a_game_logs_names_as_text(
    assets: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A prefab that cannot be loaded is told to the log without escapes."""
    from arcade_prefabs.pipeline import AssetPipeline

    caplog.set_level(logging.DEBUG)
    with AssetPipeline(assets, jobs=0) as pipeline:
        report = pipeline.bake()
        for error in report.errors:
            logging.getLogger("game").warning("%s", error)
        for name in ("bad\u202e", "wrong", f"no{MARKS}", "\u202e"):
            with pytest.raises((arcade_prefabs.errors.ArcadePrefabsError, ValueError)) as caught:
                pipeline.get(f"prefabs/{name}.ron")
            assert hidden(str(caught.value)) == [], name
    assert report.errors
    assert hidden(caplog.text) == []


def test_parsing_quotes_what_it_found_as_text() -> None:
    """Messages and hints of the RON reader, too."""
    for text in (
        f"P(a: {MARKS})",
        f'P(a: "{MARKS}"b)',
        f"{MARKS}",
        f'"\\{MARKS}"',
        f"P(a{MARKS}: 1)",
    ):
        with pytest.raises(ron.RonError) as caught:
            ron.loads(text, path=MARKS)
        assert hidden(str(caught.value)) == []
