"""What a bake does and does not do: by stat alone, exactly the dependents, and never twice."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any

import pytest

from arcade_prefabs import (
    AssetError,
    BakeCancelledError,
    ComponentRegistry,
    MissingAssetError,
    StoreError,
    UnsafePathError,
)
from arcade_prefabs.pipeline import (
    AssetPipeline,
    BakeProgress,
    DirectorySource,
    MemorySource,
    Output,
    OverlaySource,
    ProcessContext,
    ZipSource,
)

LONG_AGO_S = 1_000_000_000


def long_after() -> int:
    """A clock by which no file is so fresh that its times are not trusted."""
    return time.time_ns() + 100 * 1_000_000_000


class Counting(DirectorySource):
    """A folder that counts what is read from it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: list[str] = []

    def read(self, path: str) -> bytes:
        self.reads.append(path)
        return super().read(path)


def tags(*names: str) -> str:
    return "Tags([" + ", ".join(f'"{name}"' for name in names) + "])"


CHAIN = {
    "prefabs/base.ron": f'Prefab(components: [{tags("base")}, Sprite(texture: "a.png")])',
    "prefabs/mid.ron": f'Prefab(extends: "base", components: [{tags("mid")}])',
    "prefabs/leaf.ron": 'Prefab(extends: "mid")',
    "prefabs/owner.ron": 'Prefab(children: [(prefab: "leaf")])',
    "prefabs/stranger.ron": f"Prefab(components: [{tags('stranger')}])",
}


def baked(pipeline: AssetPipeline) -> list[str]:
    report = pipeline.bake()
    assert report.ok, report.errors
    return [path.removeprefix("prefabs/").removesuffix(".ron") for path in sorted(report.baked)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(20):
        path = tmp_path / "assets" / "prefabs" / f"f{number}.ron"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Prefab(components: [{tags(str(number))}])", encoding="utf-8")
        os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    return tmp_path / "assets"


def test_unchanged_tree_is_not_read(folder: Path) -> None:
    """The second bake goes by size and time alone: no file is opened, nothing is processed."""
    source = Counting(folder)
    with AssetPipeline(source, jobs=0, clock_ns=long_after) as pipeline:
        assert len(pipeline.bake().baked) == 20
        source.reads.clear()
        report = pipeline.bake()
        assert (report.unchanged, report.baked, report.changes) == (20, {}, [])
        assert source.reads == []


def test_touched_file_is_read_and_not_baked(folder: Path) -> None:
    """Another time with the same content costs one read, once."""
    source = Counting(folder)
    with AssetPipeline(source, jobs=0, clock_ns=long_after) as pipeline:
        pipeline.bake()
        os.utime(folder / "prefabs" / "f3.ron", (LONG_AGO_S + 1, LONG_AGO_S + 1))
        source.reads.clear()
        report = pipeline.bake()
        assert (report.touched, report.baked) == (1, {})
        assert source.reads == ["prefabs/f3.ron"]
        assert pipeline.bake().touched == 0


def test_edit_that_shows_in_neither_size_nor_time_is_found_if_it_follows_the_bake(
    folder: Path,
) -> None:
    """A file as old as the bake itself is not trusted by its time, as its clock may be coarse."""
    path = folder / "prefabs" / "f3.ron"
    with AssetPipeline(folder, jobs=0) as pipeline:
        path.write_text(f"Prefab(components: [{tags('x')}])", encoding="utf-8")
        before = path.stat()
        pipeline.bake()
        path.write_text(f"Prefab(components: [{tags('y')}])", encoding="utf-8")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_mtime_ns == before.st_mtime_ns
        assert list(pipeline.bake().baked) == ["prefabs/f3.ron"]
        assert pipeline.get_prefab("f3").components["Tags"]["names"] == ["y"]


def replaced_by_rename(path: Path, data: bytes) -> None:
    beside = path.with_name("beside.new")
    beside.write_bytes(data)
    beside.replace(path)


def overwritten(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def made_anew(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("replace", [replaced_by_rename, overwritten, made_anew])
@pytest.mark.parametrize("changed_s", [0, 1, LONG_AGO_S, 4_000_000_000])
def test_file_replaced_by_one_of_the_same_size_and_time_is_baked_again(
    folder: Path, replace: Callable[[Path, bytes], None], changed_s: int
) -> None:
    """As unpackers, `cp -p` and installers do; also long after the first bake."""
    path = folder / "prefabs" / "f3.ron"
    os.utime(path, (changed_s, changed_s))
    with AssetPipeline(folder, jobs=0, clock_ns=long_after) as pipeline:
        assert "f3" in baked(pipeline)
        replace(path, f"Prefab(components: [{tags('x')}])".encode())
        os.utime(path, (changed_s, changed_s))
        assert baked(pipeline) == ["f3"]
        assert pipeline.get_prefab("f3").components["Tags"]["names"] == ["x"]


def test_file_behind_a_handle_replaced_by_one_of_the_same_size_and_time_is_baked_again(
    folder: Path, tmp_path: Path
) -> None:
    """No scan shows it, and its stamp is that of a layer."""
    art = tmp_path / "art"
    folder.rename(art)
    folder.mkdir()
    path = art / "prefabs" / "f3.ron"
    handles = {"art": [art]}
    with AssetPipeline(folder, handles=handles, jobs=0, clock_ns=long_after) as pipeline:
        pipeline.get(":art:prefabs/f3.ron")
        replaced_by_rename(path, f"Prefab(components: [{tags('x')}])".encode())
        os.utime(path, (LONG_AGO_S, LONG_AGO_S))
        assert list(pipeline.bake().baked) == [":art:prefabs/f3.ron"]


def test_link_that_points_elsewhere_is_baked_again(folder: Path) -> None:
    """Even if the new target is of the same size and time as the old one."""
    link = folder / "prefabs" / "now.ron"
    link.symlink_to("f3.ron")
    with AssetPipeline(folder, jobs=0, clock_ns=long_after) as pipeline:
        assert "now" in baked(pipeline)
        link.unlink()
        link.symlink_to("f4.ron")
        assert baked(pipeline) == ["now"]
        assert pipeline.get_prefab("now").components["Tags"]["names"] == ["4"]


def test_copied_project_is_read_once_and_not_baked_again(folder: Path, tmp_path: Path) -> None:
    """The store comes along; times and numbers of the files are others, their content is not."""
    with AssetPipeline(folder, jobs=0, clock_ns=long_after) as pipeline:
        assert len(baked(pipeline)) == 20
    shutil.copytree(folder, tmp_path / "copy")  # times of modification are kept
    source = Counting(tmp_path / "copy")
    store = tmp_path / "copy" / ".arcade_prefabs" / "bake.sqlite"
    with AssetPipeline(source, store=store, jobs=0, clock_ns=long_after) as pipeline:
        report = pipeline.bake()
        assert (report.touched, report.baked, len(source.reads)) == (20, {}, 20)
        source.reads.clear()
        report = pipeline.bake()
        assert (report.unchanged, report.touched, source.reads) == (20, 0, [])


def test_unchanged_archive_is_not_read(folder: Path, tmp_path: Path) -> None:
    """Its stamps are checksums, which no clock makes doubtful, in an overlay, too."""
    archive = tmp_path / "assets.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.glob("**/*.ron")):
            file.write(path, path.relative_to(folder).as_posix())
    for source in (ZipSource(archive), OverlaySource(ZipSource(archive))):
        with AssetPipeline(source, jobs=0) as pipeline:
            assert len(baked(pipeline)) == 20
            report = pipeline.bake()
            assert (report.unchanged, report.touched) == (20, 0)


def test_edit_at_the_bottom_bakes_exactly_the_dependents() -> None:
    """Heirs and owners over three levels, and nobody else."""
    source = MemorySource(CHAIN)
    with AssetPipeline(source, jobs=0) as pipeline:
        assert len(baked(pipeline)) == 5
        source.write("prefabs/base.ron", CHAIN["prefabs/base.ron"].replace("a.png", "b.png"))
        assert baked(pipeline) == ["base", "leaf", "mid", "owner"]
        owner = pipeline.get_prefab("owner")
        assert owner.children[0].prefab.components["Sprite"]["texture"] == "b.png"
        assert baked(pipeline) == []


def test_edit_without_effect_ends_where_it_was_made() -> None:
    """A comment bakes the file alone; a field that the middle replaces ends at the middle."""
    source = MemorySource(CHAIN)
    with AssetPipeline(source, jobs=0) as pipeline:
        pipeline.bake()
        source.write("prefabs/base.ron", "// a comment\n" + CHAIN["prefabs/base.ron"])
        assert baked(pipeline) == ["base"]
        source.write("prefabs/base.ron", CHAIN["prefabs/base.ron"].replace("base", "other"))
        assert baked(pipeline) == ["base", "mid"]


def test_labels_of_a_library_have_their_own_heirs() -> None:
    """An edit of one prefab in a file leaves the heirs of the others alone."""
    library = "Library(gate: Prefab(components: [{}]), tower: Prefab(components: [{}]))"
    source = MemorySource(
        {
            "prefabs/castle.ron": library.format(tags("gate"), tags("tower")),
            "prefabs/gate_heir.ron": 'Prefab(extends: "castle.ron#gate")',
            "prefabs/tower_heir.ron": 'Prefab(extends: "castle.ron#tower")',
        }
    )
    with AssetPipeline(source, jobs=0) as pipeline:
        pipeline.bake()
        source.write("prefabs/castle.ron", library.format(tags("gate"), tags("changed")))
        assert baked(pipeline) == ["castle", "tower_heir"]
        assert pipeline.bake(["prefabs/castle.ron"]).changes == []


def test_children_of_abstract_parents_are_followed() -> None:
    """The part of an abstract parent reaches its heir, though the parent itself is not baked."""
    source = MemorySource(
        {
            "prefabs/part.ron": f"Prefab(components: [{tags('one')}])",
            "prefabs/parent.ron": 'Prefab(abstract: true, children: [(prefab: "part")])',
            "prefabs/heir.ron": 'Prefab(extends: "parent")',
        }
    )
    with AssetPipeline(source, jobs=0) as pipeline:
        pipeline.bake()
        source.write("prefabs/part.ron", f"Prefab(components: [{tags('two')}])")
        assert baked(pipeline) == ["heir", "parent", "part"]
        heir = pipeline.get_prefab("heir")
        assert heir.children[0].prefab.components["Tags"]["names"] == ["two"]


def test_component_that_accepts_something_else_bakes_who_names_it(tmp_path: Path) -> None:
    """A new field of one component bakes the prefabs that name it; a new component none."""
    source = MemorySource(
        {"prefabs/a.ron": "Prefab(components: [Health(max: 1)])", "prefabs/b.ron": "Prefab()"}
    )
    fields: dict[str, Any] = {"max": int}

    def rebake(*more: str) -> list[str]:
        registry = ComponentRegistry()
        for name in ("Health", *more):
            registry.component(make_dataclass(name, list(fields.items())))
        store = tmp_path / "bake.sqlite"
        with AssetPipeline(source, registry=registry, store=store, jobs=0) as pipeline:
            return baked(pipeline)

    assert rebake() == ["a", "b"]
    assert rebake("Mana") == []
    fields["max"] = int | None
    assert rebake() == ["a"]
    assert rebake() == []


def test_dangling_parent_heals_when_its_file_appears() -> None:
    """It is an error until then, recorded as a dependency on a file that is not there."""
    source = MemorySource({"prefabs/heir.ron": 'Prefab(extends: "late")'})
    with AssetPipeline(source, jobs=0) as pipeline:
        (error,) = pipeline.bake().errors
        assert "there is no prefab prefabs/late.ron" in str(error)
        assert pipeline.bake().baked == {}
        (entry, _) = pipeline.explain("prefabs/heir.ron").inputs
        assert (entry.name, entry.digest, entry.current) == ("prefabs/late.ron", None, True)
        source.write("prefabs/late.ron", f"Prefab(components: [{tags('late')}])")
        assert baked(pipeline) == ["heir", "late"]


class Upper:
    """A processor of a game's own: text in capitals, with a footer from another file."""

    name = "upper"
    patterns = ("*.up",)

    def __init__(self, version: int = 1, mark: str = "!") -> None:
        self.version = version
        self.settings: Mapping[str, Any] = {"mark": mark}

    def process(self, context: ProcessContext) -> Iterator[Output]:
        footer = context.read("footer.inc").decode()
        if "fail" in context.text():
            raise KeyError("the processor failed")
        if "twice" in context.text():
            yield context.output(1, label="a")
            yield context.output(2, label="a")
        if "large" in context.text():
            yield Output("", "data", (b"x" * 200_000,))
        yield context.output(context.text().upper() + context.settings["mark"] + footer)


def test_processor_from_outside_has_all_that_ours_have(tmp_path: Path) -> None:
    """Versions newer and older, settings, and files that it reads are parts of its key."""
    source = MemorySource({"a.up": "hello", "footer.inc": "-end"})

    def rebake(*arguments: Any) -> tuple[int, Any]:
        store = tmp_path / "bake.sqlite"
        with AssetPipeline(source, processors=[Upper(*arguments)], store=store, jobs=0) as pipeline:
            report = pipeline.bake()
            assert report.ok, report.errors
            return len(report.baked), pipeline.get("a.up").head()

    assert rebake() == (1, "HELLO!-end")
    assert rebake() == (0, "HELLO!-end")
    assert rebake(2) == (1, "HELLO!-end")
    assert rebake(1) == (1, "HELLO!-end")
    assert rebake(1, "?") == (1, "HELLO?-end")
    source.write("footer.inc", "-fin")
    assert rebake(1, "?") == (1, "HELLO?-fin")


@pytest.mark.parametrize(
    ("text", "message"),
    [("fail", "KeyError"), ("twice", "two outputs have the label"), ("large", "over 131,072")],
)
def test_processor_that_does_wrong_fails_for_its_file_alone(text: str, message: str) -> None:
    """Whatever it raises or gives, the error names the file, and others are baked."""
    source = MemorySource({"a.up": text, "b.up": "fine", "footer.inc": ""})
    with AssetPipeline(source, processors=[Upper()], jobs=0) as pipeline:
        (error,) = pipeline.bake().errors
        assert message in str(error)
        assert error.path == "a.up"
        assert pipeline.get("b.up").head() == "FINE!"


def test_settings_of_a_file_of_its_own_are_another_asset() -> None:
    """Both stay up to date; unknown settings are refused and leave nothing behind."""
    source = MemorySource({"a.up": "hi", "footer.inc": ""})
    with AssetPipeline(source, processors=[Upper()], jobs=0) as pipeline:
        assert pipeline.get("a.up", {"mark": "?"}).head() == "HI?"
        assert pipeline.get("a.up").head() == "HI!"
        source.write("a.up", "ho")
        assert sorted(pipeline.bake().baked) == ["a.up", 'a.up?{"mark":"?"}']
        source.write("a.up", "hu")
        assert sorted(pipeline.bake(["a.up"]).baked) == ["a.up", 'a.up?{"mark":"?"}']
        with pytest.raises(AssetError, match="did you mean `mark`"):
            pipeline.get("a.up", {"marc": "?"})
        with pytest.raises(AssetError, match="there are: `mark`"):
            pipeline.get("a.up", {"zzzz": "?"})
        assert pipeline.bake().ok


def test_orphans_leave_nothing_behind() -> None:
    """A file that is deleted takes its rows with it, but for its name while others use it."""
    source = MemorySource({**CHAIN, "music.ogg": os.urandom(300_000)})
    with AssetPipeline(source, jobs=0) as pipeline:
        pipeline.bake()
        before = pipeline.statistics().store_bytes
        for name in ("music.ogg", "prefabs/stranger.ron", "prefabs/owner.ron"):
            source.remove(name)
        report = pipeline.bake()
        assert report.removed == 3
        assert {change.kind for change in report.changes} == {"removed"}
        with pipeline.store.reading() as db:
            assert db.execute("SELECT count(*) FROM pages").fetchone() == (0,)
            paths = {row[0] for row in db.execute("SELECT path FROM assets WHERE state<3")}
        assert paths == {"prefabs/base.ron", "prefabs/mid.ron", "prefabs/leaf.ron", "a.png"}
        with pytest.raises(MissingAssetError):
            pipeline.get("music.ogg")
        pipeline.clean()
        assert pipeline.statistics().store_bytes < before - 250_000


def test_cancelled_bake_keeps_what_was_committed(folder: Path) -> None:
    """It raises; the next bake does the rest."""
    for number in range(200):
        (folder / f"f{number}.txt").write_text("x", encoding="utf-8")
    seen: list[BakeProgress] = []
    with AssetPipeline(folder, jobs=0) as pipeline:
        with pytest.raises(BakeCancelledError):
            pipeline.bake(on_progress=seen.append, cancelled=lambda: bool(seen))
        kept = len(pipeline.ids())
        assert 0 < kept < 220
        report = pipeline.bake(on_progress=seen.append)
        assert len(report.baked) == 220 - kept
        assert seen[-1].done == seen[-1].total


@pytest.mark.parametrize(
    "path", ["../up.ron", "/etc/passwd", "C:/x.ron", "a\0b", "con.ron", "a//../../b", "a\\b", ""]
)
def test_no_entry_point_leads_out_of_the_folder(folder: Path, path: str) -> None:
    """Every public method that takes a path refuses one that could leave."""
    with AssetPipeline(folder, jobs=0) as pipeline:
        for ask in (
            pipeline.get,
            pipeline.get_prefab,
            pipeline.dependents,
            pipeline.explain,
            pipeline.needs,
            lambda one: pipeline.bake([one]),
        ):
            with pytest.raises(UnsafePathError):
                ask(path)


def test_other_spellings_are_one_asset(folder: Path) -> None:
    """Doubled slashes and dots name the same prefab, which is baked once."""
    with AssetPipeline(folder, jobs=0) as pipeline:
        digests = {pipeline.get(f"{start}f1.ron").digest for start in ("prefabs/", "./prefabs//./")}
        assert len(digests) == 1
        assert pipeline.statistics().baked == 1


def test_errors_of_get_say_what_there_is() -> None:
    """A misspelt path, a missing label, an abstract prefab and a file that nobody bakes."""
    source = MemorySource(
        {
            "prefabs/castle.ron": "Library(gate: Prefab(), tower: Prefab(abstract: true))",
            "notes.odt": "x",
        }
    )
    with AssetPipeline(source, jobs=0) as pipeline:
        pipeline.bake()
        with pytest.raises(MissingAssetError, match="did you mean"):
            pipeline.get_prefab("castel.ron#gate")
        with pytest.raises(MissingAssetError, match="#gate"):
            pipeline.get_prefab("castle.ron#gat")
        with pytest.raises(MissingAssetError, match="it has"):
            pipeline.get_prefab("castle")
        with pytest.raises(AssetError, match="abstract"):
            pipeline.get_prefab("castle.ron#tower")
        with pytest.raises(AssetError, match="no processor"):
            pipeline.get("notes.odt")
    with pytest.raises(StoreError, match="closed"):
        pipeline.get("prefabs/castle.ron#gate")
    with pytest.raises(StoreError, match="closed"):
        pipeline.bake()
