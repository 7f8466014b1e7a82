"""Folders as a distrustful user has them: links, pipes, twins, files that will not keep still."""

from __future__ import annotations

import errno
import io
import os
import sys
import unicodedata
from pathlib import Path

import pytest

from arcade_prefabs.errors import (
    AssetError,
    AssetTooLargeError,
    MissingAssetError,
    UnsafePathError,
)
from arcade_prefabs.pipeline.sources import DirectorySource, directory

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs links, modes and pipes")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs a file system with case")
NFC, NFD = "é.png", unicodedata.normalize("NFD", "é.png")


def paths(source: DirectorySource) -> list[str]:
    return [file.path for file in source.scan()]


def refusals(source: DirectorySource, root: Path) -> list[tuple[str, str]]:
    return [
        (str(error.path).removeprefix(f"{root}{os.sep}"), error.message)
        for error in source.refused()
    ]


def test_hidden_files_and_leftovers_do_not_count(tmp_path: Path) -> None:
    """Neither for a scan nor for a path that names them: the store's own files are among them."""
    names = [
        ".arcade_prefabs/store",
        ".env",
        "sub/.DS_Store",
        "Thumbs.db",
        "a.png~",
        "a.png.swp",
        "a.TMP",
        "a.part",
        "__pycache__/a.pyc",
    ]
    for name in [*names, "a.png", "sub/b.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    source = DirectorySource(tmp_path)
    assert paths(source) == ["a.png", "sub/b.png"]
    assert source.refused() == []
    for name in names:
        assert source.stat(name) is None
        with pytest.raises(MissingAssetError):
            source.read(name)


@posix_only
def test_links_that_leave_the_folder_are_refused(tmp_path: Path) -> None:
    """To files and folders, absolute and relative, direct and through a second link."""
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "assets2").mkdir()
    (tmp_path / "assets2" / "x").write_bytes(b"secret")
    root = tmp_path / "assets"
    root.mkdir()
    (root / "absolute").symlink_to(tmp_path / "secret")
    (root / "relative").symlink_to("../secret")
    (root / "second").symlink_to("relative")
    (root / "sibling").symlink_to("../assets2/x")  # begins with the folder's own name
    (root / "dangling").symlink_to("../nothing")
    (root / "folder").symlink_to(tmp_path)
    source = DirectorySource(root)
    assert paths(source) == []
    assert [name for name, _ in refusals(source, root)] == sorted(
        ["absolute", "relative", "second", "sibling", "dangling", "folder"]
    )
    for name in ["absolute", "relative", "second", "sibling", "dangling", "folder/secret"]:
        for method in (source.read, source.stat):
            with pytest.raises(UnsafePathError):
                method(name)


@posix_only
def test_links_inside_the_folder_are_files_and_folder_links_are_not_followed(
    tmp_path: Path,
) -> None:
    """Each file has one path, and no walk goes in circles."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"a")
    (tmp_path / "link").symlink_to("sub/a")
    (tmp_path / "sub" / "up").symlink_to("..")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "dangling").symlink_to("nothing")
    source = DirectorySource(tmp_path)
    assert paths(source) == ["link", "sub/a"]
    assert source.read("link") == b"a"
    assert source.stat("link").size == 1
    nowhere = "the link leads to no file: remove it, or make the file that it names"
    assert refusals(source, tmp_path) == [
        ("dangling", nowhere),
        ("self", nowhere),
        ("sub/up", "a link to a folder is not followed"),
    ]
    for method in (source.read, source.stat):
        with pytest.raises(UnsafePathError, match="not followed"):
            method("sub/up/sub/a")
    for name in ("self", "dangling"):
        assert source.stat(name) is None
        with pytest.raises(MissingAssetError):
            source.read(name)


@posix_only
def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    """Those on the way to it are the user's own, and followed once."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"a")
    (tmp_path / "link").symlink_to("real")
    source = DirectorySource(tmp_path / "link")
    assert source.read("a") == b"a"
    assert source.root == tmp_path.resolve() / "real"
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(AssetError):
        DirectorySource(tmp_path / "circle").scan()


def test_the_folder_stays_the_same_when_the_game_changes_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative folder counts from where the source was made; errors show it as given."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a").write_bytes(b"a")
    monkeypatch.chdir(tmp_path)
    source = DirectorySource("assets")
    monkeypatch.chdir(tmp_path / "assets")
    assert source.read("a") == b"a"
    assert source.shown("b/c") == str(Path("assets/b/c"))


@posix_only
@pytest.mark.timeout(10)
def test_pipes_are_never_opened(tmp_path: Path) -> None:
    """To open one would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    source = DirectorySource(tmp_path)
    assert paths(source) == []
    for name in ("pipe", "link"):
        assert source.stat(name) is None
        with pytest.raises(MissingAssetError):
            source.read(name)


@posix_only
@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_takes_a_files_place_before_it_is_opened_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Between the look and the opening anything may happen."""
    (tmp_path / "a").write_bytes(b"a")
    source, really_open = DirectorySource(tmp_path), os.open

    def open_after_the_change(path, flags):
        (tmp_path / "a").unlink()
        if kind == "pipe":
            os.mkfifo(tmp_path / "a")
        else:
            (tmp_path / "a").symlink_to("/etc/passwd")
        return really_open(path, flags)

    monkeypatch.setattr(os, "open", open_after_the_change)
    with pytest.raises(MissingAssetError):
        source.read("a")


@linux_only
def test_twins_in_case_are_refused(tmp_path: Path) -> None:
    """The first one stays; a folder counts with all that is in it; reading agrees with the scan."""
    for name in ["Orc.png", "orc.png", "B/x", "b/y", "straße", "STRASSE"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    source = DirectorySource(tmp_path)
    assert paths(source) == ["B/x", "Orc.png", "STRASSE"]
    end = "in case only: one file on some systems"
    assert refusals(source, tmp_path) == [
        ("b", f"the name differs from B {end}"),
        ("orc.png", f"the name differs from Orc.png {end}"),
        ("straße", f"the name differs from STRASSE {end}"),
    ]
    for name in ["orc.png", "b/y", "straße"]:
        for method in (source.read, source.stat):
            with pytest.raises(UnsafePathError, match="in case only"):
                method(name)
    (tmp_path / "Orc.png").unlink()
    assert source.read("orc.png") == b"x"


def test_names_in_the_decomposed_form_are_read(tmp_path: Path) -> None:
    """So some systems write them; the asset's path is the composed one, in folders, too."""
    folder = tmp_path / unicodedata.normalize("NFD", "Ä")
    folder.mkdir()
    (folder / NFD).write_bytes(b"accent")
    source = DirectorySource(tmp_path)
    assert source.read(f"Ä/{NFC}") == b"accent"  # before any scan
    (file,) = source.scan()
    assert file.path == f"Ä/{NFC}"
    assert source.stat(f"Ä/{NFD}") == file
    assert source.read(file.path) == b"accent"
    assert source.refused() == []


@linux_only
def test_of_two_unicode_spellings_the_paths_own_counts(tmp_path: Path) -> None:
    """They are one file on some systems; scan, look and read pick the same."""
    (tmp_path / NFC).write_bytes(b"composed")
    (tmp_path / NFD).write_bytes(b"decomposed!")
    source = DirectorySource(tmp_path)
    assert [(file.path, file.size) for file in source.scan()] == [(NFC, 8)]
    assert source.read(NFD) == b"composed"
    ((name, message),) = refusals(source, tmp_path)
    assert name == NFD
    assert "Unicode spelling only" in message


@linux_only
def test_names_that_no_asset_can_have_are_refused(tmp_path: Path) -> None:
    """What Windows, terminals or text files cannot hold is told, and never read."""
    names = [b"con.png", b"a:b", b":game:x", b"a ", b"a\\b", b"a\nb", b"\xff", b"\x1b[2J", b"a?"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    (tmp_path / "nul").mkdir()
    (tmp_path / "nul" / "x").write_bytes(b"x")
    (tmp_path / "good").write_bytes(b"x")
    source = DirectorySource(tmp_path)
    assert paths(source) == ["good"]
    assert len(source.refused()) == len(names) + 1
    assert all(str(error).encode() and "\x1b" not in str(error) for error in source.refused())
    assert source.stat(":game:x") is None


@linux_only
def test_a_path_that_is_too_long_as_a_whole_is_refused(tmp_path: Path) -> None:
    """Each of its names is sound; 512 characters is the limit for all of them."""
    deep = tmp_path / ("a" * 200) / ("b" * 200)
    deep.mkdir(parents=True)
    (deep / ("c" * 110)).write_bytes(b"x")
    (deep / ("d" * 111)).write_bytes(b"x")
    source = DirectorySource(tmp_path)
    assert [len(path) for path in paths(source)] == [512]
    assert len(source.refused()) == 1


def test_a_file_in_another_case_is_not_found_even_where_the_system_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A game that runs on Windows runs on Linux: the name must be spelt as on disk."""
    (tmp_path / "orc.png").write_bytes(b"x")
    really = Path.lstat
    # What such a system answers: yes, there is an `ORC.png`.
    monkeypatch.setattr(Path, "lstat", lambda path: really(path.with_name(path.name.lower())))
    source = DirectorySource(tmp_path)
    for name in ("ORC.png", "orc.PNG"):
        assert source.stat(name) is None
        with pytest.raises(MissingAssetError):
            source.read(name)
    assert source.read("orc.png") == b"x"


def test_files_that_come_and_go_are_seen_at_once(tmp_path: Path) -> None:
    """What was listed once is not taken for the truth, even if the clock of the disk is coarse."""
    source = DirectorySource(tmp_path)
    before = tmp_path.stat()
    for name in ("a", "b", NFD):
        assert source.stat(name) is None
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert source.read(name) == b"x"
        (tmp_path / name).unlink()
        os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert source.stat(name) is None


def test_the_stamp_tells_files_of_the_same_time_apart(tmp_path: Path) -> None:
    """By their number, and by the time when anything about them changed last."""
    source = DirectorySource(tmp_path)
    stamps = set()
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (1_000_000_000, 1_000_000_000))
        stamps.add(source.stat(name).stamp)
    (tmp_path / "b").replace(tmp_path / "a")
    stamps.add(source.stat("a").stamp)
    assert len(stamps - {0}) >= 2
    found = source.stat("a")
    assert found.changed_ns == (tmp_path / "a").stat().st_ctime_ns
    assert source.stat("a") == found


@pytest.mark.parametrize("changed_s", [0, 1, 315_532_800])
def test_time_that_is_none_gives_no_stamp(tmp_path: Path, changed_s: int) -> None:
    """0 and 1 are what Flatpak sets, the first day of 1980 is what archives without a date have."""
    (tmp_path / "a").write_bytes(b"x")
    os.utime(tmp_path / "a", (changed_s, changed_s))
    (file,) = DirectorySource(tmp_path).scan()
    assert file.stamp == 0


def test_a_file_over_the_limit_is_listed_and_not_read(tmp_path: Path) -> None:
    """It has its size in the listing, so that a caller can tell; no byte of it is read."""
    with (tmp_path / "big").open("wb") as file:
        file.truncate(directory.LARGEST_FILE + 1)
    source = DirectorySource(tmp_path)
    assert source.stat("big").size == directory.LARGEST_FILE + 1
    assert paths(source) == ["big"]
    with pytest.raises(AssetTooLargeError, match="over 67,108,864 bytes"):
        source.read("big")


@pytest.mark.parametrize(("more", "fits"), [(90, True), (91, False)])
def test_a_file_that_grows_while_it_is_read_stays_in_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int, fits: bool
) -> None:
    """The limit is one on bytes, not on what the file system promised before."""
    monkeypatch.setattr(directory, "LARGEST_FILE", 100)
    (tmp_path / "a").write_bytes(b"x" * 10)
    really = os.fstat

    def fstat_and_grow(number: int) -> os.stat_result:
        found = really(number)
        with (tmp_path / "a").open("ab") as file:
            file.write(b"y" * more)
        return found

    source = DirectorySource(tmp_path)
    monkeypatch.setattr(directory.os, "fstat", fstat_and_grow)
    if fits:
        assert source.read("a") == b"x" * 10 + b"y" * more
    else:
        with pytest.raises(AssetTooLargeError):
            source.read("a")


def test_a_file_that_vanishes_after_the_look_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not an error of the system's."""
    (tmp_path / "a").write_bytes(b"x")
    source, really_open = DirectorySource(tmp_path), os.open

    def open_too_late(path, flags):
        (tmp_path / "a").unlink()
        return really_open(path, flags)

    monkeypatch.setattr(os, "open", open_too_late)
    with pytest.raises(MissingAssetError) as caught:
        source.read("a")
    assert isinstance(caught.value.__cause__, FileNotFoundError)


class Entry:
    """An entry of a folder whose file is looked at too late."""

    def __init__(self, entry: os.DirEntry[str], number: int) -> None:
        self.name, self.path, self._number = entry.name, entry.path, number

    def is_symlink(self) -> bool:
        return False

    is_dir = is_symlink

    def is_file(self, *, follow_symlinks: bool) -> bool:
        return True

    def stat(self, *, follow_symlinks: bool) -> os.stat_result:
        raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize(("number", "told"), [(errno.ENOENT, False), (errno.EIO, True)])
def test_a_file_that_vanishes_during_a_scan_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: bool
) -> None:
    """A broken disk, though, is told: its files are not gone."""
    (tmp_path / "a").write_bytes(b"x")
    really = os.scandir

    class Scan:
        def __init__(self, path: str) -> None:
            with really(path) as found:
                self._entries = [Entry(entry, number) for entry in found]

        def __enter__(self):
            return iter(self._entries)

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(directory.os, "scandir", Scan)
    source = DirectorySource(tmp_path)
    if told:
        with pytest.raises(AssetError, match=os.strerror(number)):
            source.scan()
    else:
        assert paths(source) == []


def test_a_folder_that_vanishes_during_a_scan_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are gone, those beside it are not."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_bytes(b"x")
    really = os.scandir

    def scandir(path: str):
        if path.endswith("sub"):
            Path(path).rmdir()
        return really(path)

    monkeypatch.setattr(directory.os, "scandir", scandir)
    assert paths(DirectorySource(tmp_path)) == ["a"]


def test_a_folder_that_is_not_there_is_told_by_the_scan(tmp_path: Path) -> None:
    """An empty answer would look like a game without files."""
    source = DirectorySource(tmp_path / "nope")
    with pytest.raises(MissingAssetError, match="there is no such folder"):
        source.scan()
    assert source.stat("a") is None
    with pytest.raises(MissingAssetError):
        source.read("a")


@pytest.mark.parametrize("call", ["open", "scandir", "lstat"])
def test_what_the_system_does_not_allow_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Neither a read, nor a look, nor a scan takes a file for missing that may be there."""
    (tmp_path / "a").write_bytes(b"x")
    source = DirectorySource(tmp_path)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path if call == "lstat" else os, call, refuse)
    method = {"open": source.read, "scandir": lambda _: source.scan(), "lstat": source.stat}
    with pytest.raises(AssetError, match="cannot be read: Permission denied") as caught:
        method[call]("a")
    assert not isinstance(caught.value, MissingAssetError)
    assert isinstance(caught.value.__cause__, PermissionError)


@posix_only
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_file_without_permission_is_told(tmp_path: Path) -> None:
    """As above, with a real one, and with one in a folder that may not be entered."""
    (tmp_path / "sub").mkdir()
    for name in ("a", "sub/b"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a").chmod(0)
    (tmp_path / "sub").chmod(0)
    source = DirectorySource(tmp_path)
    try:
        for method, path in [(source.read, "a"), (source.read, "sub/b"), (source.stat, "sub/b")]:
            with pytest.raises(AssetError, match="Permission denied"):
                method(path)
    finally:
        (tmp_path / "sub").chmod(0o700)


def test_too_many_files_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to the whole disk, a folder of caches: better told than waited for."""
    monkeypatch.setattr(directory, "MOST_FILES", 3)
    (tmp_path / "sub").mkdir()
    for name in ("a", "sub/b", "sub/c"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(AssetTooLargeError, match="over 3 files"):
        DirectorySource(tmp_path).scan()
    (tmp_path / "sub/c").unlink()
    assert paths(DirectorySource(tmp_path)) == ["a", "sub/b"]


def test_no_file_stays_open_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that fails on the way closes what it opened; a leak is a warning, so an error here."""
    (tmp_path / "a").write_bytes(b"x")

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

        def fileno(self) -> int:
            return self.number

    files = []

    def fdopen(number: int, mode: str) -> Broken:
        file = Broken()
        file.number = number
        files.append(file)
        return file

    monkeypatch.setattr(directory.os, "fdopen", fdopen)
    with pytest.raises(AssetError, match="Input/output error"):
        DirectorySource(tmp_path).read("a")
    assert files[0].closed
    os.close(files[0].number)
