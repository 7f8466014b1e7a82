"""Assets from strangers: one clear error that names the asset, and everything else is baked."""

from __future__ import annotations

import resource
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from arcade_prefabs.pipeline import AssetPipeline, BakeReport, MemorySource

GOOD = {"prefabs/good.ron": 'Prefab(components: [Tags(["good"])])\n'}


def bake(assets: Path | MemorySource) -> tuple[BakeReport, list[str]]:
    with AssetPipeline(assets, jobs=0) as pipeline:
        report = pipeline.bake()
        assert pipeline.get_prefab("good").components["Tags"]["names"] == ["good"]
        return report, pipeline.ids()


def png_header(width: int, height: int) -> bytes:
    """A sound PNG header, and the beginning of its pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    data = struct.pack(">I", 100) + b"IDATxyz"
    return b"\x89PNG\r\n\x1a\n" + chunk + data


def truncated_png() -> bytes:
    return png_header(4, 4)


MILLION_KEYS = "{" + ",".join(f"k{number}:0" for number in range(1_000_000)) + "}"

BOMBS: Mapping[str, tuple[str, Callable[[], str | bytes], str]] = {
    "no RON": ("prefabs/bad.ron", lambda: "Prefab(", "1:8"),
    "no text": ("prefabs/bad.ron", lambda: b"Prefab(\xff)", "1:8"),
    "deep nesting": ("prefabs/bad.ron", lambda: "Prefab(" + "[" * 100_000, "64"),
    "50 MB string": (
        "prefabs/bad.ron",
        lambda: f'Prefab(components: [Tags(["{"x" * 50_000_000}"])])',
        "Tags",
    ),
    "large component": (
        "prefabs/bad.ron",
        lambda: "Prefab(components: [Tags([" + '"word",' * 30_000 + "])])",
        "Tags",
    ),
    "no image": ("images/bad.png", lambda: b"this is text", "image"),
    "truncated image": ("images/bad.png", truncated_png, "image"),
    "huge image": ("images/bad.png", lambda: png_header(20_000, 20_000), "400,000,000 pixels"),
    "no JSON": ("data/bad.json", lambda: '{"a": 1,\n "b": }', "2:7"),
    "deep JSON": ("data/bad.json", lambda: "[" * 100_000, "bad.json"),
    "no world": ("worlds/bad.ron", lambda: "World(entities: 7)", "1:17"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bad_file_is_one_error_that_names_it(name: str) -> None:
    """The error names the asset and what is wrong; the prefab beside it is baked."""
    path, make, expected = BOMBS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report, ids = bake(MemorySource({**GOOD, path: make()}))
    (error,) = report.errors
    assert path in str(error)
    assert expected in str(error)
    assert len(str(error)) < 2_000
    assert not any(identifier.startswith(path) for identifier in ids)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 700  # 50 MB of text, a few times over


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_million_keys_are_an_error_in_bounded_time() -> None:
    """A million keys where none are expected, or as data: an error, and the rest is baked."""
    text = f"Prefab(components: [Tags(names: {MILLION_KEYS})])"
    report, _ = bake(MemorySource({**GOOD, "prefabs/bad.ron": text}))
    (error,) = report.errors
    assert "prefabs/bad.ron" in str(error)


def test_archive_with_hostile_names_serves_the_rest(tmp_path: Path) -> None:
    """Names that leave the archive, and entries that lie about their size, are errors by name."""
    archive = tmp_path / "game.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in GOOD.items():
            target.writestr(name, text)
        for name in ("../evil.ron", "/absolute.ron", "prefabs/../../up.ron", "C:/drive.ron"):
            target.writestr(name, "Prefab()")
        target.writestr("data/bomb.txt", b"\0" * (65 * 2**20))
    assert archive.stat().st_size < 200_000
    report, ids = bake(archive)
    text = "\n".join(map(str, report.errors))
    for name in ("../evil.ron", "absolute.ron", "../../up.ron", "C:/drive.ron", "data/bomb.txt"):
        assert name in text
    assert len(report.errors) == 5
    assert ids == ["prefabs/good.ron"]
    assert not (tmp_path / "evil.ron").exists()


def test_names_that_differ_in_case_only_are_one_error(tmp_path: Path) -> None:
    """One of the two is baked, always the same one; the error names both."""
    assets = tmp_path / "assets"
    (assets / "prefabs").mkdir(parents=True)
    for name in ("good.ron", "Crate.ron", "crate.ron"):
        (assets / "prefabs" / name).write_text(GOOD["prefabs/good.ron"], encoding="utf-8")
    if len(list((assets / "prefabs").iterdir())) < 3:
        pytest.skip("this disk takes both names for one file")
    report, ids = bake(assets)
    (error,) = report.errors
    assert "Crate.ron" in str(error)
    assert "crate.ron" in str(error)
    assert ids == ["prefabs/Crate.ron", "prefabs/good.ron"]


def test_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    """A link to a file elsewhere is an error, and its content is nowhere in the store."""
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret of the neighbours", encoding="utf-8")
    assets = tmp_path / "assets"
    (assets / "prefabs").mkdir(parents=True)
    (assets / "prefabs" / "good.ron").write_text(GOOD["prefabs/good.ron"], encoding="utf-8")
    (assets / "leak.txt").symlink_to(secret)
    report, ids = bake(assets)
    assert "leak.txt" in str(report.errors[0])
    assert ids == ["prefabs/good.ron"]
    for file in (assets / ".arcade_prefabs").iterdir():
        assert b"neighbours" not in file.read_bytes()
