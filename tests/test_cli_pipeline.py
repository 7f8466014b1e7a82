"""The commands of the pipeline: `bake`, `watch`, `inspect`, `stats` and `clean`, on real files."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import queue
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from arcade_prefabs.cli import main, output
from arcade_prefabs.cli.output import amount, duration
from arcade_prefabs.cli.watch import _Failures
from arcade_prefabs.errors import StoreError
from arcade_prefabs.pipeline import AssetPipeline, BakeProgress

STORE = Path("assets/.arcade_prefabs/bake.sqlite")
# A shell that starts tests in the background makes its children deaf to Ctrl-C.
COMMAND = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from arcade_prefabs.cli import main; sys.exit(main())"
)
LIMIT_S = 40

CRATE = 'Prefab(components: [Tags(["crate"]), Sprite(texture: "art/crate.png")])'
GAME = {
    "prefabs/crate.ron": CRATE,
    "prefabs/props/lamp.ron": 'Prefab(components: [Tags(["lamp"])])',
    "prefabs/props/big.ron": 'Prefab(extends: "crate", children: ['
    '(name: "lamp", prefab: "props/lamp", at: (0, 64), rotation: 45, scale: 2)])',
    "prefabs/castle.ron": 'Library(wall: Prefab(components: [Tags(["wall"])]), '
    'gate: Prefab(extends: "#wall"), base: Prefab(abstract: true))',
}

posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")


@pytest.fixture
def game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small game in the current folder, the texture of its crate is missing."""
    monkeypatch.chdir(tmp_path)
    write(GAME)
    return tmp_path


def write(files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = Path("assets", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What a command prints."""
    capsys.readouterr()
    assert main(arguments) == code
    return capsys.readouterr().out


def facts(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    """What a command prints as JSON."""
    found: dict[str, Any] = json.loads(answer(capsys, *arguments, "--json", code=code))
    return found


# --------------------------------------------------------------------------------------------- bake


def test_a_bake_says_what_it_did(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files, baked, unchanged, removed, time and rate; then, with nothing to do, no rate."""
    first = answer(capsys, "bake", "--jobs", "0")
    assert first.splitlines()[-1].startswith("4 files in ")
    assert "4 baked (" in first
    assert "a second), 0 unchanged, 0 removed" in first
    Path("assets/prefabs/castle.ron").unlink()
    assert ": 0 baked, 3 unchanged, 1 removed\n" in answer(capsys, "bake", "--jobs", "0")


def test_a_bake_warns_of_assets_that_are_named_and_not_there(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are no errors; each has its place, once for all heirs, and many are cut short."""
    text = answer(capsys, "bake", "--jobs", "0")
    assert text.startswith(
        f"warning: {Path('assets/prefabs/crate.ron')}:1:54: Sprite.texture: "
        "there is no texture art/crate.png\n"
    )
    assert text.count("warning: ") == 1
    for i in range(30):
        write({f"prefabs/u{i}.ron": CRATE.replace("crate.png", f"{i}.png")})
    text = answer(capsys, "bake", "--jobs", "0")
    assert text.count("there is no texture") == 20
    assert "\n11 more warnings; --json has them all\n" in text
    found = facts(capsys, "bake", "--jobs", "0")
    assert len(found["missing"]) == len(found["dangling"]) == 31
    assert found["dangling"][0]["line"] == 1


def test_a_bake_prints_every_error_in_full(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, file, line and column with a caret; the others are baked."""
    write({"prefabs/bad.ron": "Prefab(components: [Tagz()])", "prefabs/worse.ron": "Prefab(x"})
    text = answer(capsys, "bake", "--jobs", "0", code=1)
    assert f"{Path('assets/prefabs/bad.ron')}:1:21: components[0]: unknown component `Tagz`" in text
    assert f"{Path('assets/prefabs/worse.ron')}:1:9: expected" in text
    assert "    |                     ^\n" in text
    assert text.endswith(
        "2 errors\nAre the unknown components your own? Name their module: --components MODULE\n"
    )
    assert "crate" in facts(capsys, "inspect", "crate")["id"]


def test_a_bake_in_json_has_everything(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ids and reasons, errors in parts, missing assets, and the exit code stays the same."""
    write({"prefabs/bad.ron": "Prefab(x"})
    found = facts(capsys, "bake", "--jobs", "0", "--release", "out", code=1)
    assert (found["ok"], found["files"], found["release"]) == (False, 5, None)
    assert found["baked"]["prefabs/crate.ron"] == "new"
    assert {"id": "prefabs/crate.ron", "kind": "added"} in found["changes"]
    [error] = found["errors"]
    assert (error["type"], error["line"], error["column"]) == ("RonError", 1, 9)
    assert error["text"].startswith(error["path"])
    assert found["missing"] == {"art/crate.png": ["prefabs/crate.ron", "prefabs/props/big.ron"]}
    assert found["rate"] == pytest.approx(5 / found["seconds"])
    assert not Path("out").exists()


def test_a_release_is_written_and_can_be_looked_into(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Something may be missing if the user says so; `stats` and `inspect` read it."""
    command = ("bake", "--jobs", "0", "--release", "out/game.release", "--allow-missing")
    assert "wrote out/game.release: " in answer(capsys, *command)
    assert facts(capsys, *command)["release"] == {
        "path": "out/game.release",
        "bytes": Path("out/game.release").stat().st_size,
    }
    assert "outputs: prefab" in answer(capsys, "stats", "out/game.release")
    found = facts(capsys, "stats", "out/game.release")
    assert (found["release"], found["source_bytes"], found["ratio"]) == (True, None, None)
    text = answer(capsys, "inspect", "castle#gate", "--assets", "out/game.release")
    assert 'names: ["wall"]' in text
    assert "Made from" not in text
    crate = answer(capsys, "inspect", "crate", "--assets", "out/game.release")
    assert "art/crate.png  (not in this release)" in crate
    for command in ("bake", "watch", "clean"):
        assert main([command, "out/game.release"]) == 2
        assert "is a release file" in capsys.readouterr().err
    assert main(["clean", "out/game.release", "--all"]) == 2
    assert main(["bake", "--store", "out/game.release"]) == 2
    assert "is a release file" in capsys.readouterr().err


def test_no_release_is_written_while_something_is_missing(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, with the place of what is missing and what to do."""
    text = answer(capsys, "bake", "--jobs", "0", "--release", "game.release", code=1)
    assert "there is no texture art/crate.png" in text
    assert (
        "game.release was not written because assets are missing; --allow-missing writes it\n"
    ) in text
    assert not Path("game.release").exists()
    write({"prefabs/crate.ron": "Prefab()"})
    assert "wrote game.release" in answer(
        capsys, "bake", "--jobs", "0", "--release", "game.release"
    )


def test_inspect_shows_the_cell_size_that_a_world_has(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The processor's own setting holds only where the file does not say."""
    write({"worlds/w.ron": "World(cell_size: 300, entities: [])"})
    text = answer(capsys, "inspect", "worlds/w.ron")
    assert re.search(r"^ +cell size +300 pixels$", text, re.MULTILINE)
    assert re.search(r"^ +default settings +.*1024", text, re.MULTILINE)


def test_no_release_is_written_while_there_are_errors(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, and an older release stays."""
    write({"prefabs/bad.ron": "Prefab(x"})
    text = answer(capsys, "bake", "--jobs", "0", "--release", "game.release", code=1)
    assert "game.release was not written because of the errors\n" in text
    assert not Path("game.release").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bake", "nope"], "there is no such assets folder"),
        (["watch", "nope"], "there is no such assets folder"),
        (["stats", "nope"], "there is no such assets folder"),
        (["clean", "nope"], "there is no such assets folder"),
        (["clean", "nope", "--all"], "there is no such assets folder"),
        (["inspect", "crate", "--assets", "nope"], "there is no such assets folder"),
        (["bake", "notes.txt"], "neither a folder, nor a zip archive, nor a release file"),
        (["bake", "--store", "notes.txt"], "notes.txt is no bake store"),
        (["bake", "--store", "other.db"], "other.db is no bake store"),
        (["clean", "--store", "other.db", "--all"], "other.db is no bake store"),
        (["bake", "--store", "assets"], "assets is no bake store"),
        (["bake", "--store", "notes.txt/x.sqlite"], "notes.txt"),
        (["bake", "--release", "notes.txt"], "is there already, and is no release file"),
        (["bake", "--release", "other.db"], "is there already, and is no release file"),
        (["bake", "--release", "assets"], "--release wants a file, and assets is a folder"),
        (["bake", "--handle", "x=nope"], "--handle wants NAME=FOLDER"),
        (["bake", "--components", "no_such_module"], "there is no module no_such_module"),
        (["inspect", "crat"], "did you mean `crate` or `castle`?"),
        (["inspect", "castle#gat"], "it has no part `#gat`"),
        (["inspect", "art/none.png"], "art/none.png: there is no such asset"),
        (["inspect", ""], "the path is empty"),
        (["inspect", "#gate"], "the path is empty"),
        (["inspect", "../x"], "the path leaves its folder"),
        (["inspect", "crate?{"], "the settings behind `?` must be JSON"),
        (["inspect", "crate?[1]"], "the settings behind `?` must be JSON: they are no object"),
        (["inspect", 'prefabs/crate.ron?{"a":1}'], "nothing was ever baked from this file"),
    ],
)
def test_what_the_pipeline_cannot_do_is_said_with_exit_code_2(
    game: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """A message on the standard error, nothing on the standard output, and nothing is touched."""
    Path("notes.txt").write_text("my notes")
    with contextlib.closing(sqlite3.connect("other.db")) as db:
        db.execute("CREATE TABLE scores(x)")
    before = {name: Path(name).read_bytes() for name in ("notes.txt", "other.db")}
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("arcade-prefabs: ")
    assert message in err
    assert {name: Path(name).read_bytes() for name in before} == before
    assert sorted(path.name for path in Path().iterdir()) == ["assets", "notes.txt", "other.db"]


def test_a_full_disk_is_a_message(
    game: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, and what to do."""

    def fill(self: AssetPipeline, *_: object, **__: object) -> None:
        with self.store.writing() as db:
            db.execute("PRAGMA max_page_count=1")
            for _i in range(100):
                db.execute("INSERT INTO words(word) VALUES (hex(randomblob(100000)))")

    monkeypatch.setattr(AssetPipeline, "bake", fill)
    assert main(["bake", "--jobs", "0"]) == 2
    err = capsys.readouterr().err
    assert "the disk, or its quota, is full" in err
    assert "make room and bake again" in err


@pytest.mark.parametrize("jobs", ["-1", "many", "1.5"])
def test_a_number_of_workers_that_is_none_is_wrong_usage(
    game: Path, capsys: pytest.CaptureFixture[str], jobs: str
) -> None:
    """Usage and reason are shown."""
    with pytest.raises(SystemExit) as caught:
        main(["bake", "--jobs", jobs])
    assert caught.value.code == 2
    assert "a number of processes, 0 or more" in capsys.readouterr().err


def test_a_store_can_be_put_elsewhere(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command takes it from there, and nothing is written into the assets."""
    store = ("--store", "cache/my.sqlite")
    answer(capsys, "bake", "--jobs", "0", *store)
    assert facts(capsys, "stats", *store)["assets"] == 4
    assert facts(capsys, "inspect", "crate", *store)["reason"] == "new"
    assert "freed" in answer(capsys, "clean", *store)
    assert "deleted" in answer(capsys, "clean", "--all", *store)
    assert list(Path("cache").iterdir()) == []
    assert not STORE.parent.exists()


def test_a_handle_of_the_game_is_baked_from_the_folder_added_last(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in Arcade; and what stands behind a handle can be inspected."""
    for name in ("old", "new"):
        Path(name).mkdir()
        Path(name, "rock.ron").write_text(f'Prefab(components: [Tags(["{name}"])])')
    write({"prefabs/hill.ron": 'Prefab(extends: ":game:rock")'})
    handles = ("--handle", "game=old", "--handle", ":game:=new")
    answer(capsys, "bake", "--jobs", "0", *handles)
    assert 'names: ["new"]' in answer(capsys, "inspect", "hill", *handles)
    assert 'names: ["new"]' in answer(capsys, "inspect", ":game:rock", *handles)


# ------------------------------------------------------------------------------------------ inspect


@pytest.mark.parametrize(
    "name",
    [
        "props/big",
        "props/big.ron",
        "prefabs/props/big",
        "prefabs/props/big.ron",
        "assets/prefabs/props/big.ron",
        "./assets/prefabs/props/big.ron",
    ],
)
def test_an_asset_is_found_in_any_spelling(
    game: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Short and full ids, and the path that a shell completes; it is baked for it."""
    found = facts(capsys, "inspect", name)
    assert (found["id"], found["reason"]) == ("prefabs/props/big.ron", "asked for")


def test_a_prefab_is_shown_with_all_that_it_is(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Inherited fields, children, what it is from, what it needs; and who uses what it is from."""
    text = answer(capsys, "inspect", "props/big")
    assert "processor         prefab, version 2" in text
    assert '  Tags\n    names: ["crate"]\n' in text
    assert (
        "Children\n  lamp: prefabs/props/lamp.ron at (0, 64), turned 45°, scaled 2.0  [Tags]"
        in text
    )
    assert (
        "Made from\n  prefabs/crate.ron\n    components Sprite, Tags\n  prefabs/props/lamp.ron\n"
    ) in text
    assert "  texture  art/crate.png  (missing)" in text
    assert "Used to make\n  prefabs/props/big.ron\n" in answer(capsys, "inspect", "crate")


def test_inspect_in_json_has_sizes_and_hashes(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a script wants, spelled out."""
    found = facts(capsys, "inspect", "props/big")
    assert found["bytes"]["source"] == Path("assets/prefabs/props/big.ron").stat().st_size
    [output_] = found["outputs"]
    assert output_["packed"] == found["bytes"]["packed"] > 0
    assert len(bytes.fromhex(output_["digest"])) == len(bytes.fromhex(found["content"])) == 16
    [child] = found["children"]
    assert (child["position"], child["angle"], child["scale"]) == ([0.0, 64.0], 45.0, 2.0)
    names = {one["name"]: one for one in found["made_from"]}
    assert names["prefabs/crate.ron"]["made_from"]
    assert found["needs"] == [{"kind": "texture", "name": "art/crate.png", "missing": True}]
    assert found["errors"] == []


def test_a_library_is_shown_as_its_parts(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And one of them like a prefab of its own."""
    text = answer(capsys, "inspect", "castle")
    assert "prefabs/castle.ron#gate  prefab" in text
    assert "prefabs/castle.ron#base  abstract" in text
    assert "Show one of them: arcade-prefabs inspect 'prefabs/castle.ron#base'" in text
    gate = answer(capsys, "inspect", "castle.ron#gate")
    assert 'Tags\n    names: ["wall"]' in gate
    assert "#wall" not in gate
    assert "is there to be extended" in answer(capsys, "inspect", "castle#base")


def test_a_broken_prefab_is_shown_with_its_errors(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1; what it names and lacks is marked, and the last good version is mentioned."""
    write({"prefabs/heir.ron": 'Prefab(extends: "gone")'})
    text = answer(capsys, "inspect", "heir", code=1)
    assert "heir.ron:1:17: extends: there is no prefab prefabs/gone.ron" in text
    assert "  prefabs/gone.ron  (missing)\n" in text
    assert facts(capsys, "inspect", "heir", code=1)["errors"][0]["line"] == 1
    answer(capsys, "inspect", "crate")
    write({"prefabs/crate.ron": "Prefab(x"})
    assert "Its last good version is kept" in answer(capsys, "inspect", "crate", code=1)


def test_inputs_that_share_inputs_are_spelled_out_once(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second time there is a reference upwards."""
    write(
        {
            "prefabs/a.ron": 'Prefab(extends: "crate")',
            "prefabs/b.ron": 'Prefab(extends: "crate")',
            "prefabs/c.ron": 'Prefab(extends: "a", children: [(prefab: "b")])',
        }
    )
    text = answer(capsys, "inspect", "c")
    assert text.count("prefabs/crate.ron\n") == 1
    assert text.count("prefabs/crate.ron  (see above)\n") == 1


def test_a_prefab_of_a_billion_parts_is_cut_short(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prefabs share their parts: a few files can say more than anybody can read."""
    write({"prefabs/n0.ron": "Prefab()"})
    for i in range(1, 12):
        part = f'(prefab: "n{i - 1}")'
        write({f"prefabs/n{i}.ron": f"Prefab(children: [{part}, {part}])"})
    found = facts(capsys, "inspect", "n11")
    assert found["children_left_out"] is True
    assert json.dumps(found).count('"prefabs/n0.ron"') < 600
    assert "… and more than can be shown here" in answer(capsys, "inspect", "n11")
    assert facts(capsys, "inspect", "n3")["children_left_out"] is False


def test_settings_of_its_own_are_part_of_a_name(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a bake names them; what they were baked to is shown with its head, cut short."""
    image = pytest.importorskip("PIL.Image")
    Path("assets/art").mkdir()
    image.new("RGBA", (64, 16), "red").save("assets/art/coin.png")
    frames = 'SpriteSheet(image: "art/coin.png", frame_size: (16, 16), columns: 4, count: 4)'
    write({"prefabs/coin.ron": f"Prefab(components: [Animation(frames: {frames})])"})
    baked = facts(capsys, "bake", "--jobs", "0")["baked"]
    [name] = [one for one in baked if one.startswith("art/coin.png?")]
    text = answer(capsys, "inspect", name)
    assert text.startswith(f"{name}\n")
    assert 'own settings      {"columns": 4' in text
    assert "Head\n  {\n" in text
    assert text.count("\n") < 100
    assert facts(capsys, "inspect", name)["head"]["frames"][3]["width"] == 16
    assert "Needed at run time by\n  prefabs/coin.ron\n" in answer(
        capsys, "inspect", "art/coin.png"
    )


def test_many_users_are_cut_short(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The text names twenty of them, JSON has them all."""
    write({f"prefabs/h{i:02}.ron": 'Prefab(extends: "crate")' for i in range(30)})
    answer(capsys, "bake", "--jobs", "0")
    text = answer(capsys, "inspect", "crate")
    assert text.count("\n  prefabs/h") == 20
    assert "\n  and 11 more\n" in text
    assert len(facts(capsys, "inspect", "crate")["used_by"]) == 31


def test_a_zip_archive_is_as_good_as_a_folder(
    game: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its store is elsewhere, and can be cleaned away."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(game / "cache"))
    with zipfile.ZipFile("game.zip", "w") as archive:
        archive.writestr("prefabs/crate.ron", CRATE)
    store = ("--store", "my.sqlite")
    assert facts(capsys, "bake", "game.zip", "--jobs", "0", *store)["files"] == 1
    assert facts(capsys, "inspect", "crate", "--assets", "game.zip", *store)["id"]
    assert facts(capsys, "stats", "game.zip", *store)["assets"] == 1


# ---------------------------------------------------------------------------------- stats and clean


def test_statistics_are_a_table(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sizes in units, how much smaller than the files, and what to do where nothing is baked."""
    assert "Nothing is baked yet: arcade-prefabs bake assets\n" in answer(capsys, "stats")
    write({"prefabs/bad.ron": "Prefab(x"})
    answer(capsys, "bake", "--jobs", "0", code=1)
    text = answer(capsys, "stats")
    rows = dict(line.strip().split("  ", 1) for line in text.splitlines()[1:])
    shown = {name: value.strip() for name, value in rows.items()}
    assert (shown["files baked"], shown["of them broken"]) == ("5", "1")
    assert (shown["outputs: abstract"], shown["outputs: prefab"]) == ("1", "5")
    assert shown["packed / files"].endswith("%")
    found = facts(capsys, "stats")
    assert found["ratio"] == pytest.approx(found["packed_bytes"] / found["source_bytes"])


def test_clean_makes_the_store_smaller(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says by how much, and everything stays baked."""
    answer(capsys, "bake", "--jobs", "0")
    found = facts(capsys, "clean")
    assert found["freed_bytes"] >= 0
    assert found["store_bytes"] == STORE.stat().st_size
    assert "bytes left" in answer(capsys, "clean") or "kB left" in answer(capsys, "clean")
    assert ": 0 baked, 4 unchanged" in answer(capsys, "bake", "--jobs", "0")


def test_clean_all_leaves_nothing_of_ours(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even the folder; a second time there is nothing to delete."""
    answer(capsys, "bake", "--jobs", "0")
    STORE.with_name("bake.sqlite.damaged").write_text("old")
    found = facts(capsys, "clean", "--all")
    assert {Path(one).name for one in found["deleted"]} == {"bake.sqlite", "bake.sqlite.damaged"}
    assert found["freed_bytes"] > 0
    assert sorted(path.name for path in Path("assets").iterdir()) == ["prefabs"]
    assert "nothing was deleted" in answer(capsys, "clean", "--all")
    assert not STORE.parent.exists()


def test_clean_all_never_deletes_what_is_not_ours(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files beside the store stay, and a `.gitignore` that somebody changed stays."""
    answer(capsys, "bake", "--jobs", "0")
    STORE.with_name("mine.txt").write_text("mine")
    assert "deleted" in answer(capsys, "clean", "--all")
    left = sorted(path.name for path in STORE.parent.iterdir())
    assert left == [".gitignore", "mine.txt"]
    STORE.with_name("mine.txt").unlink()
    STORE.with_name(".gitignore").write_text("*\n!keep\n")
    answer(capsys, "clean", "--all")
    assert [path.name for path in STORE.parent.iterdir()] == [".gitignore"]


def test_clean_all_refuses_while_a_game_has_the_store_open(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The game would go on writing into a file that is gone."""
    with AssetPipeline(jobs=0) as pipeline:
        pipeline.bake()
        assert main(["clean", "--all"]) == 2
        assert "is in use by another program" in capsys.readouterr().err
    assert "deleted" in answer(capsys, "clean", "--all")


def test_clean_all_takes_a_damaged_store_too(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be read can still be deleted; `bake` begins anew and says so."""
    STORE.parent.mkdir()
    STORE.write_text("rubbish, and no database at all")
    text = answer(capsys, "bake", "--jobs", "0")
    assert "note: " in text
    assert "a new store was begun" in text
    STORE.write_text("rubbish, and no database at all")
    assert "deleted" in answer(capsys, "clean", "--all")


# ------------------------------------------------------------------------------------------- output


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_without_rich_a_terminal_gets_plain_text(
    game: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables and trees as in a pipe, no colour codes, and no bar."""
    monkeypatch.setitem(sys.modules, "rich", None)
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    for arguments in (["bake", "--jobs", "0"], ["inspect", "props/big"], ["stats"], ["clean"]):
        assert main(arguments) == 0
    assert "\n  lamp: prefabs/props/lamp.ron" in out.getvalue()
    assert "\x1b" not in out.getvalue() + err.getvalue()


def test_with_rich_a_terminal_gets_colours_and_a_bar(
    game: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar on the standard error, tables and trees on the standard output."""
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    write({"prefabs/日本[red].ron": CRATE})
    for arguments in (["bake", "--jobs", "0"], ["inspect", "props/big"], ["stats"]):
        assert main(arguments) == 0
    assert "\x1b[" in out.getvalue()
    assert "└── names" in out.getvalue()
    assert "baking" in err.getvalue()
    assert "\x1b[" in err.getvalue()


@pytest.mark.parametrize("rich", [True, False])
def test_a_pipe_never_gets_colour_codes(
    game: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    rich: bool,
) -> None:
    """Whatever the environment says, and nothing but results is printed."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    if not rich:
        monkeypatch.setitem(sys.modules, "rich", None)
    for arguments in (["bake", "--jobs", "0"], ["inspect", "props/big"], ["stats"], ["clean"]):
        assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out
    assert err == ""


def test_progress_without_a_bar_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most one every two seconds."""
    monkeypatch.setitem(sys.modules, "rich", None)
    err = Terminal()
    monkeypatch.setattr(sys, "stderr", err)
    now = [0.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: now[0])
    with output.progress("baking") as on_progress:
        assert on_progress is not None
        for done in range(1, 51):
            now[0] += 0.1
            on_progress(BakeProgress(done, 5000, "x"))
    assert err.getvalue() == "baking 20 of 5,000\nbaking 40 of 5,000\n"


@linux
def test_names_that_no_console_can_show_do_not_end_a_command(
    game: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wide letters, and names that are no text."""
    write({"prefabs/日本.ron": CRATE})
    Path(os.fsdecode(b"assets/prefabs/\xff.ron")).write_text("Prefab()")
    assert "a character that paths cannot have" in answer(capsys, "bake", "--jobs", "0", code=1)
    assert facts(capsys, "inspect", "日本")["id"] == "prefabs/日本.ron"
    for name in ("\udcff", "\x1b[31m", "prefabs/\udcff.ron"):
        assert main(["inspect", name]) == 2
        assert "\x1b" not in capsys.readouterr().err
    folder = os.fsdecode(b"g\xff")
    Path("assets").rename(folder)
    for command in ("bake", "inspect", "stats", "clean"):
        given = ["crate", "--assets", folder] if command == "inspect" else [folder]
        assert main([command, *given]) in (0, 1, 2)
        shown = "".join(capsys.readouterr())
        assert "Traceback" not in shown
        assert shown.isprintable() or "\n" in shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (None, "unknown"),
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (12_345_678, "12.3 MB"),
        (5 * 10**12, "5.0 TB"),
        (5 * 10**15, "5,000.0 TB"),
    ],
)
def test_sizes_have_sensible_units(size: int | None, shown: str) -> None:
    """Three or four digits, whatever the size."""
    assert amount(size) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "unknown"),
        (0.0, "0.0 ms"),
        (0.0123, "12.3 ms"),
        (0.25, "250 ms"),
        (0.9996, "1.00 s"),
        (12.345, "12.35 s"),
        (125.0, "2 min 5 s"),
    ],
)
def test_times_have_sensible_units(seconds: float | None, shown: str) -> None:
    """From fractions of a millisecond to minutes."""
    assert duration(seconds) in (shown, "12.34 s")


def test_columns_line_up_below_wide_letters(capsys: pytest.CaptureFixture[str]) -> None:
    """Letters of two columns count twice, accents not at all, and numbers stand at the right."""
    output.Printer().table([("日本", "5"), ("abcde", "1,000")], ("name", "size"))
    assert capsys.readouterr().out == ("  name    size\n  日本       5\n  abcde  1,000\n")


# -------------------------------------------------------------------------------- in real processes


class Running:
    """A command in a process group of its own; its output is awaited line by line."""

    def __init__(self, *arguments: str) -> None:
        # Not measured: the measurement takes a lock now and then, and a Ctrl-C at that moment
        # leaves it taken for ever.
        env = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=env,
            start_new_session=True,
        )
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.error = ""
        self.threads = [threading.Thread(target=self._out), threading.Thread(target=self._err)]
        for thread in self.threads:
            thread.start()

    def _out(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _err(self) -> None:
        assert self.process.stderr is not None
        self.error = self.process.stderr.read()

    def line(self, wanted: str, seen: list[str] | None = None) -> str:
        """The next line with that text in it; those in front of it are added to ``seen``."""
        until = time.monotonic() + LIMIT_S
        seen = [] if seen is None else seen
        while True:
            line = self.lines.get(timeout=max(0.0, until - time.monotonic()))
            assert line is not None, (seen, self.process.wait(LIMIT_S), self.error)
            if wanted in line:
                return line
            seen.append(line)

    def press_ctrl_c(self) -> int:
        """As a terminal does: to the process and all its workers. Gives the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.end()

    def end(self) -> int:
        code = self.process.wait(LIMIT_S)
        for thread in self.threads:
            thread.join(LIMIT_S)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def start(game: Path) -> Iterator[Any]:
    """Starts commands, and ends those that are left."""
    with contextlib.ExitStack() as stack:

        def begin(*arguments: str) -> Running:
            running = Running(*arguments)
            stack.callback(running.close)
            return running

        yield begin


SLOW = """
import sys
from arcade_prefabs.cli.watch import _Failures
from arcade_prefabs.errors import StoreError
from arcade_prefabs.pipeline import PrefabProcessor

process = PrefabProcessor.process

def tell(self, job):
    yield from process(self, job)
    print("processed", flush=True)
    while job.path.endswith("z_endless.ron"):
        pass

PrefabProcessor.process = tell
"""


@posix
def test_ctrl_c_during_a_bake_keeps_what_was_baked(
    game: Path, start: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 130, one line that says so, and the next bake goes on from there."""
    # A batch has at most 64 files: two are committed when the endless one is begun.
    write({f"prefabs/p{i:03}.ron": f'Prefab(components: [Tags(["{i}"])])' for i in range(200)})
    write({"prefabs/z_endless.ron": "Prefab()"})
    Path("slow.py").write_text(SLOW)
    running: Running = start("bake", "--jobs", "0", "--components", "slow")
    for _ in range(len(GAME) + 201):
        running.line("processed")
    assert running.press_ctrl_c() == 130
    assert running.error == (
        "arcade-prefabs: interrupted; what was baked so far is kept, "
        "the next bake goes on from there\n"
    )
    found = facts(capsys, "bake", "--jobs", "0")
    kept = len(GAME) + 201 - len(found["baked"])
    assert found["ok"] is True
    assert kept >= 128, kept


@posix
def test_ctrl_c_while_workers_bake_ends_them_too(
    game: Path, start: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 130 within moments, and no worker is left behind."""
    write({f"prefabs/p{i:04}.ron": f'Prefab(components: [Tags(["{i}"])])' for i in range(3000)})
    running: Running = start("bake", "--jobs", "2")
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:  # until the first batch is in the store
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(f"file:{STORE}?mode=ro", uri=True)) as db,
        ):
            if db.execute("SELECT count(*) FROM outputs").fetchone()[0]:
                break
    code = running.press_ctrl_c()
    assert code == 130, running.error
    assert "interrupted; what was baked so far is kept" in running.error
    assert "Traceback" not in running.error
    found = facts(capsys, "bake", "--jobs", "0")
    assert found["errors"] == []
    assert found["unchanged"] + found["touched"] > 0


@posix
def test_watch_tells_what_changes_until_ctrl_c(game: Path, start: Any) -> None:
    """Changed, broken, mended, added and removed, and who misses what; exit code 0."""
    write({"prefabs/bad.ron": "Prefab("})
    running: Running = start("watch", "--jobs", "0")
    running.line("bad.ron:1:8: expected")  # once, although the watch begins with a bake, too
    running.line("watching assets; Ctrl-C ends it")
    write({"prefabs/crate.ron": CRATE.replace('"crate"', '"box"')})
    following = running.line("")
    assert following[8:].startswith(" changed prefabs/"), following
    if "prefabs/crate.ron" not in following:
        following = running.line("prefabs/crate.ron")
    assert following[8:].startswith(" changed prefabs/crate.ron (")
    running.line("changed prefabs/props/big.ron")
    write({"prefabs/crate.ron": "Prefab(x"})
    running.line("crate.ron:1:9: expected")
    running.line("^")
    write({"prefabs/crate.ron": CRATE})
    running.line(f"fixed {Path('assets/prefabs/crate.ron')}")
    write({"prefabs/new.ron": "Prefab()"})
    running.line("added prefabs/new.ron")
    write({"prefabs/owner.ron": 'Prefab(components: [Sprite(texture: "sword.png")])'})
    running.line("owner.ron:1:37: Sprite.texture: there is no texture sword.png")
    write({"worlds/w.ron": 'World(entities: [(prefab: "new", at: (0, 0))])'})
    running.line("added worlds/w.ron")
    Path("assets/prefabs/new.ron").unlink()
    running.line("removed prefabs/new.ron")
    running.line("w.ron:1:27: entities[0].prefab: there is no prefab prefabs/new.ron")
    assert running.press_ctrl_c() == 0
    assert running.error == "arcade-prefabs: stopped watching\n"


@posix
def test_watch_prints_foreign_names_and_text_as_text(game: Path, start: Any) -> None:
    """From the first bake to the end, whatever folders, files and values are called."""
    marks = "\x1b[31mX\u202e\n\u2028\r\u200b"
    folder = Path(f"{marks} assets")
    Path("assets").rename(folder)
    sign = folder / "prefabs" / "sign\u202e.ron"
    value = "".join(f"\\u{{{ord(one):x}}}" for one in marks)
    bad = f'Prefab(components: [Text(text: "{value}", "{value}": 1), Foo{marks}])'
    (folder / "prefabs" / f"{marks}.ron").write_text("Prefab()")  # which no asset can be called
    (folder / "prefabs" / "bad\u202e.ron").write_text(bad)
    (folder / "prefabs" / "own.ron").write_text(f'Prefab(extends: "{value}")')
    running: Running = start("watch", str(folder), "--jobs", "0")
    seen: list[str] = []

    def line(wanted: str) -> None:
        seen.append(running.line(wanted, seen))

    line("; Ctrl-C ends it")
    sign.write_text("Prefab()")
    line("added prefabs/sign")
    sign.write_text(bad)
    line("sign\\u202e.ron:1:")
    sign.write_text(f'Prefab(components: [Tags(["{value}"]), Sprite(texture: "a\u202e.png")])')
    line("fixed ")
    line("there is no texture a")
    sign.unlink()
    line("removed prefabs/sign")
    assert running.press_ctrl_c() == 0
    output = "".join(seen)
    assert output.count(r"\x1b[31mX\u202e\n\u2028\r\u200b assets") >= 3
    for one in (*output.split("\n"), running.error.removesuffix("\n")):
        assert one.isprintable(), ascii(one)
        # Lines begin as ours do: no name brings one of its own.
        assert not one.startswith((" assets", "\u2028")), one


@posix
def test_watch_in_json_is_one_object_a_line(game: Path, start: Any) -> None:
    """Each with its event and time."""
    running: Running = start("watch", "--jobs", "0", "--json")
    assert json.loads(running.line("baked"))["files"] == len(GAME)
    assert json.loads(running.line("watching"))["event"] == "watching"
    write({"prefabs/castle.ron": 'Library(wall: Prefab(components: [Tags(["x"])]))'})
    event = json.loads(running.line("reload"))
    assert event["event"] == "reload"
    assert {"id": "prefabs/castle.ron#gate", "kind": "removed"} in event["changes"]
    assert "prefabs/castle.ron#wall" in event["ids"]
    assert running.press_ctrl_c() == 0
    assert running.error == ""


def test_what_goes_wrong_while_watching_is_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A full disk fails at every look; whoever watches reads of it once, until it is another."""
    watcher = SimpleNamespace(failures=[])
    failures = _Failures(watcher)  # type: ignore[arg-type]
    for as_json, error in [(False, "full"), (False, "full"), (True, "other"), (False, "full")]:
        watcher.failures.append(StoreError(error))
        failures.print_new(argparse.Namespace(json=as_json))
    out, err = capsys.readouterr()
    assert err == "arcade-prefabs: StoreError: full\n" * 2
    assert json.loads(out)["message"] == "StoreError: other"


def test_python_m_is_the_same_command(game: Path) -> None:
    """For where the script is not installed; Arcade is not needed for it."""
    arguments = ["-X", "importtime", "-m", "arcade_prefabs", "bake", "--jobs", "0", "--json"]
    result = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
    )
    assert result.returncode == 0
    assert json.loads(result.stdout)["files"] == len(GAME)
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "arcade_prefabs.cli" in imported
    assert imported.isdisjoint({"arcade", "pyglet", "rich"})


@posix
def test_a_real_terminal_gets_a_bar_and_tables(game: Path) -> None:
    """A command in a pseudo-terminal ends in good order, whatever was drawn."""
    pytest.importorskip("rich")
    import pty

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "bake", "--jobs", "0"],
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux tells the end
        while data := os.read(leader, 4096):
            shown += data
    os.close(leader)
    assert process.wait(LIMIT_S) == 0
    assert b"baking" in shown
    assert b"4 files in " in shown
