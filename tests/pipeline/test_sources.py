"""What every source promises, asked of each of them; and overlays, handles, packages, memory."""

from __future__ import annotations

import pickle
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcade_prefabs.errors import (
    AssetError,
    AssetTooLargeError,
    MissingAssetError,
    UnsafePathError,
)
from arcade_prefabs.pipeline.sources import (
    LARGEST_FILE,
    AssetSource,
    DirectorySource,
    HandleSource,
    MemorySource,
    OverlaySource,
    SourceFile,
    ZipSource,
    arcade_handles,
    checked_path,
    package_source,
)

FILES = {
    "a.png": b"picture",
    "empty.txt": b"",
    "images/b.png": b"\x00\xff",
    "images/deep/c.png": b"c",
    "prefabs/orc.ron": b"Prefab()",
    "straße/é.txt": b"accents",
}
HOSTILE = [
    "",
    ".",
    "/",
    "..",
    "../secret.txt",
    "images/../../secret.txt",
    "images/../a.png",
    "/etc/passwd",
    "//server/share/a.png",
    "C:/a.png",
    "c:a.png",
    "images\\b.png",
    "..\\secret.txt",
    "a.png\0",
    "a.png\0.txt",
    "a.png.",
    "a.png ",
    " a.png",
    "con",
    "images/NUL.png",
    "com1.txt",
    "a\n.png",
    "a.png:stream",
    "file:///etc/passwd",
    ":game:../secret.txt",
    ":game:/../secret.txt",
    ":game:C:/a.png",
    "\ud800.png",
    "\x1b[2J.png",
    "a" * 513,
]

Make: TypeAlias = Callable[[Mapping[str, bytes]], AssetSource]
KINDS = ["directory", "zip", "zip folder", "memory", "overlay", "package", "zip package", "handles"]


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    for path, data in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_zip(place: Path, files: Mapping[str, bytes], prefix: str = "") -> Path:
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(prefix + path, data)
    return place


def importable(name: str, where: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(where)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


@pytest.fixture(scope="module", params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Each kind of source, with the same files, beside a secret that none may show."""
    top = tmp_path_factory.mktemp("source")
    (top / "secret.txt").write_bytes(b"secret")
    with pytest.MonkeyPatch.context() as monkeypatch:
        made = make_source(request.param, top, monkeypatch)
        with closing(made):
            yield made
        for name in ("mock_art", "mock_zipped_art"):
            sys.modules.pop(name, None)


def make_source(kind: str, top: Path, monkeypatch: pytest.MonkeyPatch) -> AssetSource:
    match kind:
        case "directory":
            return DirectorySource(write_files(top / "assets", FILES))
        case "zip":
            return ZipSource(write_zip(top / "a.zip", FILES))
        case "zip folder":
            write_zip(top / "a.zip", {"secret.txt": b"secret"}, "other/")
            with zipfile.ZipFile(top / "a.zip", "a") as archive:
                for path, data in FILES.items():
                    archive.writestr("game/" + path, data)
            return ZipSource(top / "a.zip", "game")
        case "memory":
            return MemorySource(FILES)
        case "overlay":
            lower = {path: b"old" for path in FILES if path != "a.png"}
            lower["prefabs/orc.ron"] = FILES["prefabs/orc.ron"]
            upper = {path: data for path, data in FILES.items() if path != "prefabs/orc.ron"}
            return OverlaySource(
                DirectorySource(write_files(top / "lower", lower)),
                MemorySource(upper),
            )
        case "package":
            files = {"__init__.py": b"", **{"art/" + path: data for path, data in FILES.items()}}
            write_files(top / "on_disk" / "mock_art", files)
            return package_source(importable("mock_art", top / "on_disk", monkeypatch), "art")
        case "zip package":
            files = {"__init__.py": b"", **{"art/" + path: data for path, data in FILES.items()}}
            place = write_zip(top / "lib.zip", files, "mock_zipped_art/")
            return package_source(importable("mock_zipped_art", place, monkeypatch), "art")
        case _:
            base = DirectorySource(write_files(top / "assets", FILES))
            return HandleSource(base, {"game": [write_files(top / "art", {"x.png": b"x"})]})


# The contract.


def test_a_source_has_all_that_the_protocol_names(source: AssetSource) -> None:
    """`isinstance` agrees, so that a caller may ask."""
    assert isinstance(source, AssetSource)


def test_a_scan_gives_all_files_once_sorted_by_path(source: AssetSource) -> None:
    """Nothing is refused here, and sizes are those of the content."""
    files = list(source.scan())
    assert [(file.path, file.size) for file in files] == [
        (path, len(FILES[path])) for path in sorted(FILES)
    ]
    assert source.refused() == []


def test_stat_and_scan_agree(source: AssetSource) -> None:
    """One file by itself looks as it does among all, stamp included."""
    for file in source.scan():
        assert source.stat(file.path) == file
        assert 0 < file.stamp < 2**63


def test_files_are_read_whole(source: AssetSource) -> None:
    """Each path has its own content, in any spelling of the path."""
    for path, data in FILES.items():
        assert source.read(path) == data
        assert source.read("./" + path.replace("/", "//")) == data
        assert source.read(path.replace("é", "e\u0301")) == data


@pytest.mark.parametrize(
    "path",
    [
        "nope.png",
        "images",
        "images/deep",
        "a.png/b.png",
        "A.PNG",
        "IMAGES/b.png",
        "strasse/é.txt",
        ":nope:a.png",
        "n" * 300,
        "é" * 200,
        ".hidden",
        "x" * 511,
    ],
)
def test_what_is_not_there_is_missing(source: AssetSource, path: str) -> None:
    """A folder is no file, and another case is another name, on every system."""
    assert source.stat(path) is None
    with pytest.raises(MissingAssetError) as caught:
        source.read(path)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_paths_are_refused(source: AssetSource, path: str) -> None:
    """Reading and looking both refuse, with a message that any terminal can show."""
    for method in (source.read, source.stat):
        with pytest.raises(UnsafePathError) as caught:
            method(path)
        str(caught.value).encode()
        assert "\x1b" not in str(caught.value)
    assert source.shown(path).isprintable() or not path


def test_a_closed_source_may_be_closed_again_and_used_again(source: AssetSource) -> None:
    """Closing lets go of files, not of the source."""
    source.close()
    source.close()
    assert source.read("a.png") == b"picture"


def test_portable_sources_read_the_same_after_pickling(source: AssetSource) -> None:
    """A worker process gets the same files, with the same stamps."""
    if not source.portable:
        return
    source.read("a.png")
    with closing(pickle.loads(pickle.dumps(source))) as copy:
        assert list(copy.scan()) == list(source.scan())
        assert {path: copy.read(path) for path in FILES} == FILES


def test_errors_name_files_in_a_way_that_people_find_them(source: AssetSource) -> None:
    """What is shown ends with the path."""
    assert source.shown("images/b.png").replace("\\", "/").endswith("images/b.png")
    assert repr(source)


def test_files_in_the_folders_to_watch_have_the_paths_that_are_promised(
    source: AssetSource,
) -> None:
    """A watcher makes a path out of what the folder's prefix and the name below it are."""
    for folder, prefix in source.folders():
        below = [file for file in folder.rglob("*") if file.is_file()]
        assert below
        for file in below:
            assert source.stat(prefix + file.relative_to(folder).as_posix()) is not None


SPICY = st.text(
    st.sampled_from("ab./\\:~ \0éÉe\u0301ßsñ\ud800C-") | st.characters(), max_size=30
) | st.builds(
    "/".join, st.lists(st.sampled_from(["..", ".", "", "images", "IMAGES", "a.png", "b.png"]))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(path=SPICY)
def test_any_path_is_refused_or_missing_or_one_asset(source: AssetSource, path: str) -> None:
    """No string gets at anything else, or raises anything else, or has two answers."""
    source.shown(path).encode()
    try:
        spelling = checked_path(path)
    except UnsafePathError:
        for method in (source.read, source.stat):
            with pytest.raises(UnsafePathError):
                method(path)
        return
    found = source.stat(path)
    assert found == source.stat(spelling)
    if spelling in FILES:
        assert found is not None
        assert found.path == spelling
        assert source.read(path) == FILES[spelling]
    else:
        assert found is None
        with pytest.raises(MissingAssetError):
            source.read(path)


# Memory.


def test_each_write_raises_the_stamp() -> None:
    """Even the same content, and even a file that was removed in between."""
    source = MemorySource({"a": "text", "b": b"bytes"})
    stamps = [file.stamp for file in source.scan()]
    for _ in range(3):
        source.write("./a", "text")
        stamps.append(source.stat("a").stamp)
    source.remove("a")
    assert source.stat("a") is None
    source.write("a", "é")
    stamps.append(source.stat("a").stamp)
    assert stamps == sorted(set(stamps))
    assert source.read("a") == b"\xc3\xa9"


def test_memory_does_not_keep_what_the_caller_may_change() -> None:
    """Bytes that can be changed are copied."""
    data = bytearray(b"old")
    source = MemorySource({"a": data})
    data[:] = b"new"
    assert source.read("a") == b"old"


@pytest.mark.parametrize("path", [*HOSTILE, ":game:a.png", ".hidden", "a.tmp"])
def test_memory_takes_no_path_that_no_source_serves(path: str) -> None:
    """A test with such a file would promise what a folder does not keep."""
    source = MemorySource()
    with pytest.raises(UnsafePathError):
        source.write(path, b"")
    assert list(source.scan()) == []


def test_memory_has_the_limits_of_all_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is too large is refused when it is written."""
    monkeypatch.setattr("arcade_prefabs.pipeline.sources.memory.LARGEST_FILE", 3)
    source = MemorySource({"a": b"123"})
    with pytest.raises(AssetTooLargeError):
        source.write("a", b"1234")
    assert source.read("a") == b"123"


def test_memory_refuses_twins_in_case_until_one_is_gone() -> None:
    """The one that sorts first stays; names of folders count, too."""
    source = MemorySource({"A/x": b"1", "a/y": b"2", "B": b"3", "b": b"4"})
    assert [file.path for file in source.scan()] == ["A/x", "B"]
    assert [(error.path, error.message.split(" in case")[0]) for error in source.refused()] == [
        ("a/y", "the name differs from A"),
        ("b", "the name differs from B"),
    ]
    with pytest.raises(UnsafePathError, match="differs from B in case only"):
        source.read("b")
    source.remove("B")
    assert source.read("b") == b"4"
    with pytest.raises(MissingAssetError):
        source.remove("B")


def test_memory_says_why_it_cannot_be_pickled() -> None:
    """A copy would go its own way, without a word."""
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(MemorySource())


# Overlays.


def test_the_topmost_layer_counts() -> None:
    """Files of one path hide each other; the rest is merged."""
    base = MemorySource({"a": b"base a", "b": b"base b"})
    mod = MemorySource({"b": b"mod b", "c": b"mod c"})
    source = OverlaySource(base, mod)
    assert [file.path for file in source.scan()] == ["a", "b", "c"]
    assert [source.read(path) for path in "abc"] == [b"base a", b"mod b", b"mod c"]
    assert source.stat("d") is None
    assert not source.portable


class Fixed(MemorySource):
    """Files that all have the same stamp."""

    stamp = 7

    def stat(self, path: str) -> SourceFile | None:
        found = super().stat(path)
        return found and found._replace(stamp=self.stamp)

    def scan(self) -> Iterator[SourceFile]:
        return (file._replace(stamp=self.stamp) for file in super().scan())


def test_the_stamp_changes_when_a_file_moves_to_another_layer() -> None:
    """Also if both layers give it the same one, and also in an overlay of overlays."""
    layers = [Fixed({"a": b"0"}), Fixed({"a": b"1"}), Fixed({"a": b"2"})]
    source = OverlaySource(layers[0], OverlaySource(layers[1], layers[2]))
    stamps = []
    for layer in reversed(layers):
        stamps.append(source.stat("a").stamp)
        assert next(source.scan()).stamp == stamps[-1]
        layer.remove("a")
    assert len(set(stamps)) == 3


def test_an_unknown_stamp_stays_unknown_under_an_overlay() -> None:
    """Zero means that the content has to be read, whatever layer it comes from."""
    layer = Fixed({"a": b""})
    layer.stamp = 0
    assert OverlaySource(MemorySource(), layer).stat("a").stamp == 0


def test_stamps_of_an_overlay_are_the_same_in_every_process() -> None:
    """They are kept in a file, so no hash with a seed of its own may be in them."""
    assert OverlaySource(Fixed({"a": b""})).stat("a").stamp == 3853544043209509567


def test_twins_in_case_across_layers_are_refused() -> None:
    """A mod made on Windows must not replace a file there only."""
    source = OverlaySource(MemorySource({"orc.png": b"base"}), MemorySource({"Orc.png": b"mod"}))
    assert [file.path for file in source.scan()] == ["Orc.png"]
    (refused,) = source.refused()
    assert refused.path == "orc.png"
    assert "differs from Orc.png in case only" in str(refused)
    with pytest.raises(UnsafePathError):
        source.read("orc.png")


def test_what_a_layer_refuses_is_read_from_the_one_below(tmp_path: Path) -> None:
    """A broken mod does not break the game; if nobody has the file, the refusal is told."""
    (tmp_path / "secret").write_bytes(b"secret")
    mod = write_files(tmp_path / "mod", {})
    for name in ("a", "b"):
        (mod / name).symlink_to(tmp_path / "secret")
    source = OverlaySource(MemorySource({"a": b"base"}), DirectorySource(mod))
    assert source.read("a") == b"base"
    assert [file.path for file in source.scan()] == ["a"]
    assert len(source.refused()) == 2
    for method in (source.read, source.stat):
        with pytest.raises(UnsafePathError):
            method("b")


def test_an_overlay_of_nothing_is_empty() -> None:
    """No layers are no mistake: a list of mods may be empty."""
    source = OverlaySource()
    assert list(source.scan()) == []
    assert source.shown("a") == "a"
    with pytest.raises(MissingAssetError):
        source.read("a")


def test_all_layers_are_closed_even_if_one_fails() -> None:
    """The error surfaces when the others are done."""
    closed = []

    class Layer(MemorySource):
        def close(self) -> None:
            closed.append(self)
            raise RuntimeError("stuck")

    with pytest.raises(RuntimeError):
        OverlaySource(Layer(), Layer()).close()
    assert len(closed) == 2


# Handles.


def test_the_folder_that_was_given_first_is_searched_first(tmp_path: Path) -> None:
    """A handle's folders hide each other's files; its paths keep the handle."""
    one = write_files(tmp_path / "one", {"a": b"1"})
    two = write_files(tmp_path / "two", {"a": b"22", "b": b"22"})
    source = HandleSource(MemorySource({"a": b"base"}), {"game": [one, str(two)]})
    assert source.read(":game:a") == b"1"
    assert source.read(":game:/b") == b"22"
    assert source.stat(":game:/./b")[:2] == (":game:b", 2)
    assert source.shown(":game:b") == str(two / "b")
    assert [file.path for file in source.scan()] == ["a"]
    assert source.refused() == []


def test_an_unknown_handle_is_missing_and_the_known_ones_are_named(tmp_path: Path) -> None:
    """A misspelt handle is the likeliest slip."""
    source = HandleSource(MemorySource(), {"game": [tmp_path], "music": [tmp_path]})
    with pytest.raises(MissingAssetError, match=r"`:sound:` is not known\n.*`game`, `music`"):
        source.read(":sound:a.ogg")
    with pytest.raises(MissingAssetError, match="did you mean `game`"):
        source.read(":gamme:a.ogg")
    assert source.stat(":sound:a.ogg") is None


def test_a_handle_under_a_source_without_any_says_what_is_needed() -> None:
    """A folder alone knows no handles."""
    with pytest.raises(MissingAssetError, match="need a HandleSource"):
        OverlaySource(MemorySource(), MemorySource()).read(":game:a")


def test_a_link_out_of_a_handles_folder_is_refused(tmp_path: Path) -> None:
    """Each folder is confined to itself."""
    (tmp_path / "secret").write_bytes(b"secret")
    art = write_files(tmp_path / "art", {})
    (art / "a").symlink_to("../secret")
    with pytest.raises(UnsafePathError, match="link out of"):
        HandleSource(MemorySource(), {"game": [art]}).read(":game:a")


@pytest.mark.parametrize("name", ["", "a b", "a:b", "../x", "é"])
def test_a_handle_that_no_path_can_name_is_refused(name: str) -> None:
    """Otherwise it would never be found, without a word."""
    with pytest.raises(UnsafePathError):
        HandleSource(MemorySource(), {name: []})


def test_one_folder_instead_of_a_list_is_a_clear_mistake() -> None:
    """A string is a list of characters, too."""
    with pytest.raises(TypeError, match="wants a list"):
        HandleSource(MemorySource(), {"game": "assets"})


def test_arcades_own_handles_are_found_without_importing_it() -> None:
    """They hold the art that every example uses; what came later in Arcade comes first here."""
    handles = arcade_handles()
    assert list(handles) == ["resources", "assets", "system"]
    assert [folder.name for folder in handles["resources"]] == ["assets", "system"]
    with closing(HandleSource(MemorySource(), handles)) as source:
        assert source.read(":resources:/images/items/coinGold.png").startswith(b"\x89PNG")


def test_without_arcade_there_are_no_handles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server bakes without it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert arcade_handles() == {}


# Packages.


def test_a_package_that_is_not_there_is_missing() -> None:
    """The error is ours, with the import's own behind it."""
    with pytest.raises(MissingAssetError, match="there is no package no_such_package_at_all"):
        package_source("no_such_package_at_all.art")


def test_a_namespace_package_is_a_clear_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files lie in several places, any of which may change."""
    write_files(tmp_path / "mock_spread", {"a.png": b""})
    with pytest.raises(AssetError, match="namespace package"):
        package_source(importable("mock_spread", tmp_path, monkeypatch))


@pytest.mark.parametrize("name", ["", "json.decoder", ".relative", "a..b"])
def test_what_is_no_package_is_a_clear_mistake(name: str) -> None:
    """Modules have no files of their own, and some names are none."""
    with pytest.raises(AssetError):
        package_source(name)


def test_a_package_that_fails_to_import_another_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is there; it is another one that is missing."""
    write_files(tmp_path / "mock_broken", {"__init__.py": b"import no_such_module"})
    with pytest.raises(AssetError, match="No module named 'no_such_module'"):
        package_source(importable("mock_broken", tmp_path, monkeypatch))


def test_a_folder_cannot_leave_its_package() -> None:
    """It is confined as all paths are."""
    with pytest.raises(UnsafePathError):
        package_source("json", "../os")


def test_a_folder_that_the_package_lacks_is_told_by_the_scan() -> None:
    """A misspelt folder must not look like one without files."""
    source = package_source("json", "nope")
    with pytest.raises(MissingAssetError, match="no such folder"):
        source.scan()


def test_the_limit_is_the_documented_one() -> None:
    """Players of mods and authors of tools rely on it."""
    assert LARGEST_FILE == 64 * 2**20


@pytest.mark.parametrize("suffix", ["RON", "Ron", "rON"])
def test_a_ron_file_is_found_however_its_suffix_is_written(tmp_path: Path, suffix: str) -> None:
    """Its id ends in `.ron`, errors name the file on disk, and both ways to ask for it work."""
    (tmp_path / "prefabs").mkdir()
    (tmp_path / f"prefabs/crate.{suffix}").write_text("Prefab()")
    for source in (DirectorySource(tmp_path), zipped(tmp_path)):
        with closing(source):
            assert [file.path for file in source.scan()] == ["prefabs/crate.ron"]
            assert source.refused() == []
            for asked in ("prefabs/crate.ron", f"prefabs/crate.{suffix}"):
                assert source.read(asked) == b"Prefab()"
                assert source.stat(asked) is not None
    shown = DirectorySource(tmp_path).shown("prefabs/crate.ron")
    assert shown == str(tmp_path / f"prefabs/crate.{suffix}")


def test_two_suffixes_of_one_ron_file_are_told(tmp_path: Path) -> None:
    """`crate.RON` beside `crate.ron`: the second one would never be loaded."""
    (tmp_path / "crate.RON").write_text("A")
    (tmp_path / "crate.ron").write_text("B")
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("the file system takes them for one file already")
    source = DirectorySource(tmp_path)
    assert [file.path for file in source.scan()] == ["crate.ron"]
    assert source.read("crate.RON") == b"B"
    (error,) = source.refused()
    assert "in the case of its suffix only: both are crate.ron" in error.message


def test_other_suffixes_keep_their_case(tmp_path: Path) -> None:
    """`hero.PNG` is a picture, and its path is the one on disk."""
    (tmp_path / "hero.PNG").write_bytes(b"x")
    source = DirectorySource(tmp_path)
    assert [file.path for file in source.scan()] == ["hero.PNG"]
    assert source.stat("hero.png") is None


def zipped(folder: Path) -> ZipSource:
    archive = folder.parent / f"{folder.name}.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder).as_posix())
    return ZipSource(archive)
