"""Archives that lie, bombs, broken files, and many threads on one archive."""

from __future__ import annotations

import io
import os
import pickle
import random
import stat
import struct
import sys
import tracemalloc
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcade_prefabs.errors import (
    AssetError,
    AssetTooLargeError,
    MissingAssetError,
    UnsafePathError,
)
from arcade_prefabs.pipeline.sources import LARGEST_FILE, ZipSource, archive

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return buffer.getvalue()


def patched(data: bytes, signature: bytes, offset: int, form: str, value: int) -> bytes:
    """The archive with a number replaced in its first record of that kind."""
    changed = bytearray(data)
    struct.pack_into(form, changed, changed.index(signature) + offset, value)
    return bytes(changed)


def sized(data: bytes, size: int) -> bytes:
    """The archive with another unpacked size for its first entry, in both places."""
    return patched(patched(data, LOCAL, 22, "<L", size), CENTRAL, 24, "<L", size)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "a.zip"


def refusals(source: ZipSource) -> dict[str, str]:
    return {str(error.path).partition("a.zip/")[2]: error.message for error in source.refused()}


def test_hostile_names_are_refused_and_the_rest_is_served(place: Path) -> None:
    """No unpacker of ours ever joins such a name to a folder."""
    names = ["../up", "a/../../up", "/etc/passwd", "C:/x", "c:x", "a\\b", "..\\up", "con", "a\x01"]
    with zipfile.ZipFile(place, "w") as made:
        for name in [*names, ":game:x", "good/a.png", ".git/config", "__MACOSX/._a.png"]:
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            made.writestr(entry, b"x")
    with closing(ZipSource(place)) as source:
        assert [file.path for file in source.scan()] == ["good/a.png"]
        assert len(source.refused()) == len(names) + 1
        assert all(str(error).isprintable() for error in source.refused())
        for name in names:
            with pytest.raises(UnsafePathError):
                source.read(name)
        for name in (":game:x", ".git/config"):
            assert source.stat(name) is None


def test_a_name_with_a_nul_is_refused_whole(place: Path) -> None:
    """`zipfile` would cut it there, and serve one name for another."""
    data = zipped({"aXb": b"x"}).replace(b"aXb", b"a\0b")
    place.write_bytes(data)
    with closing(ZipSource(place)) as source:
        assert list(source.scan()) == []
        assert source.stat("a") is None
        assert len(source.refused()) == 1


def test_twins_in_case_are_refused(place: Path) -> None:
    """The one that sorts first stays, whatever the order in the archive."""
    place.write_bytes(zipped({"orc.png": b"1", "Orc.png": b"2", "A/x": b"3", "a/y": b"4"}))
    with closing(ZipSource(place)) as source:
        assert [file.path for file in source.scan()] == ["A/x", "Orc.png"]
        end = "in case only: one file on some systems"
        assert refusals(source) == {
            "a/y": f"the name differs from A {end}",
            "orc.png": f"the name differs from Orc.png {end}",
        }
        for method in (source.read, source.stat):
            with pytest.raises(UnsafePathError, match="in case only"):
                method("orc.png")


def test_of_several_entries_with_one_name_the_last_counts(place: Path) -> None:
    """As everywhere; the others are told."""
    with zipfile.ZipFile(place, "w") as made:
        made.writestr("a", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("a", b"last")
    with closing(ZipSource(place)) as source:
        assert source.read("a") == b"last"
        assert [file.size for file in source.scan()] == [4]
        assert "more than once" in refusals(source)["a"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_an_archive_are_refused(place: Path, kind: int) -> None:
    """Their content is a path to somewhere, not an asset."""
    entry = zipfile.ZipInfo("link")
    entry.create_system = 3
    entry.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(place, "w") as made:
        made.writestr(entry, b"/etc/passwd")
    with closing(ZipSource(place)) as source:
        assert list(source.scan()) == []
        assert "link" in refusals(source)
        with pytest.raises(MissingAssetError):
            source.read("link")


def test_a_bomb_is_refused_by_its_own_word(place: Path) -> None:
    """A hundred megabytes of nothing take a hundred kilobytes; none of it is unpacked."""
    place.write_bytes(zipped({"bomb": bytes(100 * 2**20)}))
    tracemalloc.start()
    try:
        with closing(ZipSource(place)) as source:
            assert source.stat("bomb").size == 100 * 2**20
            with pytest.raises(AssetTooLargeError, match="over 67,108,864 bytes"):
                source.read("bomb")
        assert tracemalloc.get_traced_memory()[1] < 2 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("claimed", [0, 10, 1000, LARGEST_FILE])
def test_a_bomb_that_claims_to_be_small_takes_no_memory(place: Path, claimed: int) -> None:
    """Unpacking stops at what the header says, and the lie is told."""
    place.write_bytes(sized(zipped({"bomb": bytes(100 * 2**20)}), claimed))
    with closing(ZipSource(place)) as source:
        tracemalloc.start()
        try:
            with pytest.raises(AssetError, match="damaged"):
                source.read("bomb")
            assert tracemalloc.get_traced_memory()[1] < claimed + 8 * 2**20
        finally:
            tracemalloc.stop()


def test_the_limit_holds_whatever_the_header_says(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the size not checked first, unpacking would still stop."""
    place.write_bytes(zipped({"a": bytes(3 * 2**20)}))
    with closing(ZipSource(place)) as source:
        entry = source._archive.entries["a"]
        monkeypatch.setattr(archive, "LARGEST_FILE", 2**20)
        with pytest.raises(AssetTooLargeError):
            source._unpacked(source._archive.zip, entry, "a")


def test_a_file_at_the_limit_is_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one byte more is not."""
    monkeypatch.setattr(archive, "LARGEST_FILE", 1000)
    place.write_bytes(zipped({"fits": bytes(1000), "over": bytes(1001)}))
    with closing(ZipSource(place)) as source:
        assert source.read("fits") == bytes(1000)
        with pytest.raises(AssetTooLargeError):
            source.read("over")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("claimed", [3, 5, 100])
def test_a_lie_about_the_size_is_told(place: Path, method: int, claimed: int) -> None:
    """Too little and too much alike: half a picture is no picture."""
    place.write_bytes(sized(zipped({"a": b"four"}, method), claimed))
    with closing(ZipSource(place)) as source, pytest.raises(AssetError, match="damaged"):
        source.read("a")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_a_bound_are_not_read(place: Path, method: int) -> None:
    """A kilobyte of them may hold a gigabyte, and it would come in one step."""
    place.write_bytes(zipped({"a": b"x" * 100}, method))
    with closing(ZipSource(place)) as source, pytest.raises(AssetError, match="only deflate"):
        source.read("a")


def test_an_encrypted_file_is_told(place: Path) -> None:
    """There is nobody to ask for the password."""
    data = zipped({"a": b"x", "b": b"x"})
    place.write_bytes(patched(patched(data, LOCAL, 6, "<H", 1), CENTRAL, 8, "<H", 1))
    with closing(ZipSource(place)) as source:
        with pytest.raises(AssetError, match="encrypted"):
            source.read("a")
        assert source.read("b") == b"x"


def test_a_damaged_file_is_told_by_its_checksum(place: Path) -> None:
    """The error has the archive's name and the file's, and the cause."""
    data = zipped({"a": b"content" * 9}, zipfile.ZIP_STORED)
    place.write_bytes(data.replace(b"content", b"c0ntent", 1))
    with closing(ZipSource(place)) as source:
        with pytest.raises(AssetError, match=r"a\.zip/a: the archive is damaged: .*CRC") as caught:
            source.read("a")
        assert isinstance(caught.value.__cause__, zipfile.BadZipFile)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK", END, END + bytes(10)])
def test_what_is_no_archive_is_told_at_once(place: Path, content: bytes) -> None:
    """Not at the first use, by when nobody remembers where it came from."""
    place.write_bytes(content)
    with pytest.raises(AssetError, match=r"a\.zip: the archive cannot be read: "):
        ZipSource(place)


def test_every_truncated_archive_is_told(place: Path) -> None:
    """The list of files is at the end, so that none of it is left."""
    data = zipped({"a": b"x" * 50, "b": b"y"})
    for length in range(len(data)):
        place.write_bytes(data[:length])
        with pytest.raises(AssetError):
            ZipSource(place)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_mutated_archive_raises_nothing_but_our_errors(
    tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    """Whichever bytes are wrong."""
    data = bytearray(zipped({"a/é.png": bytes(range(256)), "b": b"x" * 99, "c": b""}))
    for offset, value in changes:
        data[offset % len(data)] = value
    place = tmp_path / "mutated.zip"
    place.write_bytes(data)
    try:
        with closing(ZipSource(place)) as source:
            for file in source.scan():
                try:
                    assert len(source.read(file.path)) == file.size
                except AssetError as error:
                    str(error).encode()
    except AssetError as error:
        str(error).encode()


def test_a_missing_archive_or_a_folder_is_told(tmp_path: Path) -> None:
    """With the system's reason, or ours."""
    with pytest.raises(AssetError, match="No such file"):
        ZipSource(tmp_path / "nope.zip")
    with pytest.raises(AssetError, match="no file with data"):
        ZipSource(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes")
@pytest.mark.timeout(10)
def test_a_pipe_is_not_opened(place: Path) -> None:
    """To open one would wait for ever."""
    os.mkfifo(place)
    with pytest.raises(AssetError, match="no file with data"):
        ZipSource(place)


def test_an_absurd_list_of_files_is_not_read_into_memory(place: Path) -> None:
    """The archive's word for its length is checked before anything is made of it."""
    data = zipped({"a": b"x"})
    with place.open("wb") as file:
        file.truncate(200 * 2**20)
        file.seek(0, io.SEEK_END)
        end = patched(data[data.index(END) :], END, 12, "<L", 190 * 2**20)
        file.write(patched(end, END, 16, "<L", 10 * 2**20))
    tracemalloc.start()
    try:
        with pytest.raises(AssetTooLargeError, match="list of files"):
            ZipSource(place)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_too_many_files_are_an_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty ones, too: each costs memory and a place in the store."""
    monkeypatch.setattr(archive, "MOST_FILES", 3)
    place.write_bytes(zipped(dict.fromkeys("abcd", b"")))
    with pytest.raises(AssetTooLargeError, match="over 3 files"):
        ZipSource(place)


def test_the_stamp_tells_contents_apart_and_not_dates(tmp_path: Path) -> None:
    """A new build of the same mod bakes only what is new in it."""
    stamps = []
    for number, (data, year) in enumerate([(b"old", 1999), (b"old", 2020), (b"new", 2020)]):
        place = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(place, "w") as made:
            made.writestr(zipfile.ZipInfo("a", (year, 1, 1, 0, 0, 0)), data)
        with closing(ZipSource(place)) as source:
            stamps.append(source.stat("a").stamp)
    assert stamps[0] == stamps[1] != stamps[2]


def test_many_threads_read_one_archive(place: Path) -> None:
    """Each gets its own file whole, also while others look and list."""
    chance = random.Random(1)
    files = {f"f/{n}": chance.randbytes(chance.randrange(60_000)) for n in range(60)}
    place.write_bytes(zipped(files))
    with closing(ZipSource(place)) as source, ThreadPoolExecutor(8) as threads:

        def work(path: str) -> bool:
            return source.read(path) == files[path] and len(list(source.scan())) == 60

        assert all(threads.map(work, list(files) * 10))


def test_an_archive_closed_under_a_reader_is_an_error_of_ours(place: Path) -> None:
    """A reader in another thread gets an AssetError or its data, never anything else."""
    files = {str(n): random.Random(n).randbytes(100_000) for n in range(20)}
    place.write_bytes(zipped(files))
    source = ZipSource(place)

    def work(path: str) -> None:
        with suppress(AssetError):
            assert source.read(path) == files[path]
        source.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, list(files) * 20))
    source.close()


def test_an_archive_that_was_replaced_is_read_anew_after_closing(place: Path) -> None:
    """An open one goes on as it was, so that no read mixes the two."""
    place.write_bytes(zipped({"a": b"old"}))
    with closing(ZipSource(place)) as source:
        assert source.read("a") == b"old"
        source.close()
        place.write_bytes(zipped({"a": b"new"}))
        assert source.read("a") == b"new"
        source.close()
        place.unlink()
        with pytest.raises(AssetError, match="No such file"):
            source.read("a")


def test_a_copy_in_another_process_finds_the_archive(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that was given by a relative path, and that has another current folder."""
    place.write_bytes(zipped({"mod/a": b"x"}))
    monkeypatch.chdir(place.parent)
    with closing(ZipSource("a.zip", "./mod/")) as source:
        pickled = pickle.dumps(source)
        monkeypatch.chdir("/")
        with closing(pickle.loads(pickled)) as copy:
            assert copy.read("a") == b"x"


def test_a_folder_of_an_archive_hides_the_rest(place: Path) -> None:
    """Archives from the web have all their files in one folder."""
    place.write_bytes(zipped({"mod-1.0/a": b"in", "mod-1.0.txt": b"out", "a": b"out"}))
    with closing(ZipSource(place, "mod-1.0")) as source:
        assert [file.path for file in source.scan()] == ["a"]
        assert source.read("a") == b"in"
    with pytest.raises(UnsafePathError):
        ZipSource(place, "../x")
