"""What a bake bakes again, what it leaves alone, and that it ends as a first bake would."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcade_prefabs import ArcadePrefabsError, ComponentRegistry, Prefab, PrefabCycleError
from arcade_prefabs.errors import (
    AssetError,
    BakeCancelledError,
    MissingAssetError,
    ProcessorError,
    RonError,
    StoreError,
    UnsafePathError,
)
from arcade_prefabs.pipeline import (
    AssetPipeline,
    BakeReport,
    MemorySource,
    Output,
    OutputChange,
    PrefabProcessor,
    ProcessContext,
)
from arcade_prefabs.pipeline.store.bake_store import BakeStore
from arcade_prefabs.prefab import Dependency

BOUND_S = 20.0
SECOND = 1_000_000_000
Files = Mapping[str, str]


class Tree(MemorySource):
    """A source that counts reads, and whose files can be replaced without their time showing it."""

    def __init__(self, files: Files | None = None) -> None:
        self.reads: list[str] = []
        self.on_read: Callable[[str], None] = lambda path: None
        super().__init__(files)

    def read(self, path: str) -> bytes:
        data = super().read(path)
        self.reads.append(path)
        self.on_read(path)
        return data

    def sneak(self, path: str, text: str) -> None:
        """Write in the same tick of the clock as the last edit."""
        old = self._files[path]
        assert len(text.encode()) == len(old.data)
        self._files[path] = old._replace(data=text.encode())

    def touch(self, path: str) -> None:
        self.write(path, super().read(path))

    def newest(self) -> int:
        return max((file.stamp for file in self.scan()), default=0)


class Clock:
    """Far from all files until somebody sets it near to them."""

    def __init__(self, source: Tree) -> None:
        self.source = source
        self.behind = 100 * SECOND

    def __call__(self) -> int:
        return self.source.newest() + self.behind


class Upper:
    """A processor of the tests' own: the text in capitals, or whatever ``work`` makes of a job."""

    name = "upper"
    patterns = ("*.t",)

    def __init__(
        self,
        work: Callable[[ProcessContext], Iterable[Output]] | None = None,
        *,
        version: int = 1,
        settings: Mapping[str, Any] | None = None,
        name: str = "upper",
    ) -> None:
        self.work = work
        self.version = version
        self.settings = settings or {"mark": ""}
        self.name = name

    def process(self, context: ProcessContext) -> Iterable[Output]:
        if self.work is not None:
            return self.work(context)
        return [context.output(context.text().upper() + str(context.settings["mark"]))]


@pytest.fixture
def opened() -> Iterator[Callable[..., AssetPipeline]]:
    """Opens pipelines that are closed at the end; ``clock_ns`` trusts all files by default."""
    pipelines: list[AssetPipeline] = []

    def open_pipeline(source: Any, *processors: Any, **options: Any) -> AssetPipeline:
        if isinstance(source, Tree):
            options.setdefault("clock_ns", Clock(source))
        options.setdefault("jobs", 0)
        pipelines.append(AssetPipeline(source, processors=processors, **options))
        return pipelines[-1]

    yield open_pipeline
    for pipeline in pipelines:
        pipeline.close()


Opened = Callable[..., AssetPipeline]


def prefabs(**bodies: str) -> dict[str, str]:
    return {f"prefabs/{name}.ron": text for name, text in bodies.items()}


def names(report: BakeReport) -> set[str]:
    return {one.removeprefix("prefabs/").removesuffix(".ron") for one in report.baked}


def fresh_prefab(files: Files, identifier: str, **options: Any) -> Prefab:
    """What a first bake of the same files gives."""
    with AssetPipeline(MemorySource(files), jobs=0, **options) as pipeline:
        return pipeline.get_prefab(identifier)


# ------------------------------------------------------------------------------ 1. nothing changed


CHAIN = prefabs(
    base='Prefab(components: [Sprite(texture: "b.png", alpha: 1), Tags(["base"])])',
    mid='Prefab(extends: "base", components: [Tags(["mid"])])',
    leaf='Prefab(extends: "mid", components: [Sprite(scale: 2)])',
    user='Prefab(children: [(name: "c", prefab: "mid", overrides: [Sprite(alpha: 9)])])',
    alone='Prefab(components: [Tags(["alone"])])',
    other='Prefab(components: [Sprite(texture: "o.png")])',
)


def test_second_bake_reads_and_bakes_nothing(opened: Opened, tmp_path: Path) -> None:
    """By size and time alone, in the same pipeline and in the next one."""
    source = Tree({**CHAIN, "data/x.json": "1", "a.t": "x"})
    with opened(source, Upper(), store=tmp_path / "s") as pipeline:
        first = pipeline.bake()
        assert first.ok
        assert len(first.baked) == 8
        source.reads.clear()
        again = pipeline.bake()
    with opened(source, Upper(), store=tmp_path / "s") as pipeline:
        restarted = pipeline.bake()
    for report in (again, restarted):
        assert (report.baked, report.changes, report.touched, report.unchanged) == ({}, [], 0, 8)
    assert source.reads == []


def test_touched_file_is_hashed_once_and_changes_nothing(opened: Opened) -> None:
    """One read, no output; the bake after it reads nothing."""
    source = Tree(CHAIN)
    pipeline = opened(source)
    pipeline.bake()
    source.reads.clear()
    source.touch("prefabs/mid.ron")
    report = pipeline.bake()
    assert (report.touched, report.baked, report.changes) == (1, {}, [])
    assert source.reads == ["prefabs/mid.ron"]
    assert pipeline.bake().touched == 0
    assert source.reads == ["prefabs/mid.ron"]


@pytest.mark.parametrize("on_demand", [False, True])
def test_fresh_file_is_hashed_until_its_time_can_be_trusted(
    opened: Opened, on_demand: bool
) -> None:
    """An edit in the same tick as the last one, of the same size, right after a bake, is found."""
    source = Tree({"a.t": "one"})
    clock = Clock(source)
    clock.behind = SECOND
    pipeline = opened(source, Upper(), clock_ns=clock)
    if on_demand:
        pipeline.get("a.t")
    else:
        pipeline.bake()
    assert pipeline.bake().touched == 1
    source.sneak("a.t", "two")
    assert "a.t" in pipeline.bake().baked
    assert pipeline.get("a.t").head() == "TWO"
    clock.behind = 3 * SECOND
    assert pipeline.bake().touched == 1  # the last time that it is read
    source.reads.clear()
    assert pipeline.bake().touched == 0
    assert source.reads == []


def test_time_of_a_file_is_trusted_by_the_clock_before_it_was_read(opened: Opened) -> None:
    """A slow bake does not make a file older: an edit in its tick, behind its read, is found."""
    source = Tree({"a.t": "one"})
    clock = Clock(source)
    clock.behind = 1000

    def slowly(context: ProcessContext) -> list[Output]:
        if context.text() == "one":
            source.sneak("a.t", "two")
            clock.behind += 5 * SECOND
        return [context.output(context.text())]

    pipeline = opened(source, Upper(slowly), clock_ns=clock)
    pipeline.bake()
    pipeline.bake()
    assert pipeline.get("a.t").head() == "two"


def test_touched_file_is_trusted_by_the_clock_before_it_was_hashed(opened: Opened) -> None:
    """The same for a file that was only hashed: its content is read, then it is edited."""
    source = Tree({"a.t": "one"})
    clock = Clock(source)
    pipeline = opened(source, Upper(), clock_ns=clock)
    pipeline.bake()
    source.touch("a.t")
    clock.behind = 1000

    def edit(path: str) -> None:
        source.on_read = lambda path: None
        source.sneak("a.t", "two")
        clock.behind += 5 * SECOND

    source.on_read = edit
    pipeline.bake()
    pipeline.bake()
    assert pipeline.get("a.t").head() == "TWO"


def test_input_that_nobody_bakes_is_hashed_while_it_is_fresh(opened: Opened) -> None:
    """A file that a processor only reads has the rule of two seconds, too."""
    source = Tree({"a.t": "x", "in.dat": "one"})
    clock = Clock(source)
    clock.behind = 1000
    reader = Upper(lambda context: [context.output(context.read("in.dat").decode())])
    pipeline = opened(source, reader, clock_ns=clock)
    pipeline.bake()
    pipeline.bake()
    source.sneak("in.dat", "two")
    assert "a.t" in pipeline.bake().baked
    assert pipeline.get("a.t").head() == "two"


def test_file_from_the_future_is_always_hashed(opened: Opened) -> None:
    """A time of change that lies ahead of the clock proves nothing."""
    source = Tree({"a.t": "one"})
    clock = Clock(source)
    clock.behind = -3600 * SECOND
    pipeline = opened(source, Upper(), clock_ns=clock)
    pipeline.bake()
    source.sneak("a.t", "two")
    pipeline.bake()
    assert pipeline.get("a.t").head() == "TWO"


# ------------------------------------------------------------------------------- 2. early cut-off


@pytest.mark.parametrize(
    ("edited", "text", "expected"),
    [
        ("base", 'Prefab(components: [Sprite(texture: "n.png")])', {"base", "mid", "leaf", "user"}),
        ("base", "// a comment\n" + CHAIN["prefabs/base.ron"], {"base"}),
        (
            "base",  # the tags, which mid overrides
            'Prefab(components: [Sprite(texture: "b.png", alpha: 1), Tags(["edited"])])',
            {"base", "mid"},
        ),
        ("mid", 'Prefab(extends: "base", components: [Tags(["new"])])', {"mid", "leaf", "user"}),
        ("leaf", "Prefab()", {"leaf"}),
        ("alone", "Prefab()", {"alone"}),
    ],
)
def test_edit_bakes_exactly_what_it_has_an_effect_on(
    opened: Opened, edited: str, text: str, expected: set[str]
) -> None:
    """The file itself, and along the chain as long as something comes out otherwise."""
    source = Tree(CHAIN)
    pipeline = opened(source)
    pipeline.bake()
    source.write(f"prefabs/{edited}.ron", text)
    assert names(pipeline.bake()) == expected
    for name in ("base", "mid", "leaf", "user"):
        files = {**CHAIN, f"prefabs/{edited}.ron": text}
        assert pipeline.get_prefab(name) == fresh_prefab(files, name)
    assert pipeline.bake().baked == {}


def test_label_of_a_library_bakes_its_own_heirs_only(opened: Opened) -> None:
    """The edit of the tower leaves what stands on the gate alone."""
    library = 'Library(tower: Prefab(components: [Tags(["{}"])]), gate: Prefab())'
    source = Tree(
        prefabs(
            castle=library.format("t"),
            high='Prefab(extends: "castle#tower")',
            wide='Prefab(extends: "castle.ron#gate")',
            both='Prefab(children: [(prefab: "castle#gate"), (prefab: "castle#tower")])',
        )
    )
    pipeline = opened(source)
    pipeline.bake()
    source.write("prefabs/castle.ron", library.format("edited"))
    report = pipeline.bake()
    assert names(report) == {"castle", "high", "both"}
    assert OutputChange("prefabs/castle.ron#tower", "changed") in report.changes
    assert "prefabs/castle.ron#gate" not in report.changed_ids()


def test_abstract_parent_bakes_heirs_by_what_they_take(opened: Opened) -> None:
    """A comment in it none, a field all, also through its children's prefabs."""
    text = (
        'Prefab(abstract: true, components: [Sprite(alpha: {})], children: [(name: "c", '
        'prefab: "part")])'
    )
    source = Tree(
        prefabs(
            shape=text.format(1),
            part='Prefab(components: [Tags(["p"])])',
            heir='Prefab(extends: "shape", components: [Sprite(texture: "h.png")])',
        )
    )
    pipeline = opened(source)
    assert pipeline.bake().ok
    source.write("prefabs/shape.ron", "// new\n" + text.format(1))
    assert names(pipeline.bake()) == {"shape"}
    source.write("prefabs/shape.ron", text.format(2))
    assert names(pipeline.bake()) == {"shape", "heir"}
    assert pipeline.get_prefab("heir").components["Sprite"]["alpha"] == 2
    source.write("prefabs/part.ron", 'Prefab(components: [Tags(["edited"])])')
    assert names(pipeline.bake()) == {"part", "shape", "heir"}
    part = pipeline.get_prefab("heir").children[0].prefab
    assert part.components == {"Tags": {"names": ["edited"]}}


def test_heir_that_overrides_an_inherited_child_follows_that_childs_prefab(opened: Opened) -> None:
    """Also where its parent changes nothing of that child."""
    source = Tree(
        prefabs(
            part='Prefab(components: [Sprite(texture: "p.png", alpha: 1)])',
            house='Prefab(children: [(name: "door", prefab: "part", overrides: [Tags(["d"])])])',
            villa='Prefab(extends: "house", children: [(name: "door", '
            "overrides: [Sprite(scale: 3)])])",
        )
    )
    pipeline = opened(source)
    pipeline.bake()
    source.write(
        "prefabs/part.ron", 'Prefab(components: [Sprite(texture: "p.png", alpha: 2, scale: 7)])'
    )
    assert names(pipeline.bake()) == {"part", "house", "villa"}
    door = pipeline.get_prefab("villa").children[0].prefab
    assert door.components["Sprite"] == {"texture": "p.png", "alpha": 2, "scale": 3}


def test_heir_of_two_parents_knows_which_children_they_share(opened: Opened) -> None:
    """Where one parent has the child of its own now, the heir has it twice; no other byte tells."""
    files = prefabs(
        part="Prefab()",
        lib='Library(g: Prefab(children: [(prefab: "part")]), h: Prefab())',
        a='Prefab(extends: "lib.ron#g")',
        b='Prefab(extends: "lib.ron#g")',
        heir='Prefab(extends: ["a", "b"])',
    )
    edits = prefabs(a='Prefab(extends: "lib.ron#h", children: [(prefab: "part")])')
    source = Tree(files)
    pipeline = opened(source)
    pipeline.bake()
    assert len(pipeline.get_prefab("heir").children) == 1
    source.write("prefabs/a.ron", edits["prefabs/a.ron"])
    pipeline.bake()
    assert pipeline.get_prefab("heir") == fresh_prefab({**files, **edits}, "heir")


def test_order_of_overriding_and_removing_in_abstract_parents_is_seen(opened: Opened) -> None:
    """To override and then remove is another prefab than to remove and then override."""
    sprite = 'Sprite(texture: "q.png", alpha: 5)'
    files = prefabs(
        q='Prefab(components: [Sprite(texture: "q.png")])',
        p1=f'Prefab(abstract: true, children: [(name: "c", prefab: "q", overrides: [{sprite}])])',
        p2='Prefab(abstract: true, extends: "p1", children: [(name: "c", remove: [Sprite])])',
        p3='Prefab(abstract: true, extends: "p2", children: [(name: "c", at: (1, 1))])',
        heir='Prefab(extends: "p3")',
    )
    edits = prefabs(
        p1='Prefab(abstract: true, children: [(name: "c", prefab: "q")])',
        p3='Prefab(abstract: true, extends: "p2", children: [(name: "c", at: (1, 1), '
        f"overrides: [{sprite}])])",
    )
    source = Tree(files)
    pipeline = opened(source)
    assert pipeline.bake().ok
    for path, text in edits.items():
        source.write(path, text)
    assert pipeline.bake().ok
    assert pipeline.get_prefab("heir") == fresh_prefab({**files, **edits}, "heir")


def test_each_dependent_is_baked_once_for_one_edit(opened: Opened) -> None:
    """Also one that stands on both ends of a chain."""
    done: Counter[str] = Counter()

    class Counted(PrefabProcessor):
        def process(self, context: ProcessContext) -> Iterator[Output]:
            done[context.path] += 1
            return super().process(context)

    parents = ["base", "a0", "a1", "a2", "a3", "a4"]
    chain = {f"a{n}": f'Prefab(extends: "{parent}")' for n, parent in enumerate(parents)}
    source = Tree(prefabs(base="Prefab()", **chain, both='Prefab(extends: ["base", "a5"])'))
    pipeline = opened(source, Counted())
    pipeline.bake()
    done.clear()
    source.write("prefabs/base.ron", 'Prefab(components: [Tags(["new"])])')
    pipeline.bake()
    assert done == dict.fromkeys([f"prefabs/{one}.ron" for one in ("base", "both", *chain)], 1)


def test_first_bake_after_one_on_demand_bakes_only_the_rest(opened: Opened) -> None:
    """What was asked for before, with parents that nobody asked for, is up to date."""
    pipeline = opened(Tree(CHAIN))
    pipeline.get_prefab("leaf")
    assert names(pipeline.bake()) == {"base", "mid", "user", "alone", "other"}


def registry(
    fields: str = "max", *, more: bool = False, sprites: tuple[str, ...] = ()
) -> ComponentRegistry:
    made = ComponentRegistry()
    kinds: list[tuple[str, Any]] = [("max", int)]
    if fields == "added":
        kinds.append(("armor", int, 0))  # type: ignore[arg-type]
    if fields == "limited":
        kinds = [("max", Annotated[int, msgspec.Meta(le=5)])]
    made.component(msgspec.defstruct("Hp", kinds), name="Hp")
    if more:
        made.component(msgspec.defstruct("Mana", [("max", int, 1)]), name="Mana")
    for name in sprites:
        made.sprite_class(type(name, (), {}), name=name)
    return made


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (registry(), set()),
        (registry("added"), {"orc", "heir", "user"}),
        (registry(more=True), {"broken"}),
        (registry(sprites=("Enemy",)), {"broken", "enemy"}),
    ],
)
def test_component_that_changed_bakes_those_that_name_it(
    opened: Opened, tmp_path: Path, after: ComponentRegistry, expected: set[str]
) -> None:
    """A new component or sprite class bakes only what failed, which may have been missing it."""
    source = Tree(
        prefabs(
            orc="Prefab(components: [Hp(max: 3)])",
            heir='Prefab(extends: "orc")',
            user='Prefab(children: [(prefab: "tagged", overrides: [Hp(max: 1)])])',
            tagged='Prefab(components: [Tags(["x"])])',
            broken="Prefab(components: [Mana()])",
            enemy='Prefab(components: [Sprite(texture: "x.png", sprite_class: "Enemy")])',
        )
    )
    with opened(source, registry=registry(), store=tmp_path / "s") as pipeline:
        assert len(pipeline.bake().errors) == 2
    with opened(source, registry=after, store=tmp_path / "s") as pipeline:
        # Both failed ones are tried again with any change.
        changed = expected | ({"broken", "enemy"} if expected else set())
        assert names(pipeline.bake()) == changed
        assert pipeline.bake().baked == {}


def test_component_that_is_registered_while_the_pipeline_is_open_is_seen(opened: Opened) -> None:
    """A bake, and a request on demand, look at the registry as it is now."""
    known = registry()
    source = Tree(prefabs(mage="Prefab(components: [Mana()])"))
    pipeline = opened(source, registry=known)
    assert not pipeline.bake().ok
    known.component(msgspec.defstruct("Mana", [("max", int, 1)]), name="Mana")
    pipeline.invalidate()
    assert pipeline.get_prefab("mage").components == {"Mana": {}}
    assert pipeline.bake().ok


def test_stricter_component_breaks_and_keeps_the_last_good(opened: Opened, tmp_path: Path) -> None:
    """The error stands at the value, and what was good is served until the file follows."""
    source = Tree(prefabs(orc="Prefab(components: [Hp(max: 9)])"))
    with opened(source, registry=registry(), store=tmp_path / "s") as pipeline:
        assert pipeline.bake().ok
    with opened(source, registry=registry("limited"), store=tmp_path / "s") as pipeline:
        report = pipeline.bake()
        assert [(error.line, error.path) for error in report.errors] == [(1, "prefabs/orc.ron")]
        assert pipeline.get_prefab("orc").components == {"Hp": {"max": 9}}


# ------------------------------------------------------------------------------------- 3. restart


def test_restart_bakes_exactly_what_changed_meanwhile(opened: Opened, tmp_path: Path) -> None:
    """Edited, deleted, new and touched files, with nobody watching."""
    source = Tree({**CHAIN, "a.t": "x", "b.t": "y"})
    with opened(source, Upper(), store=tmp_path / "s") as pipeline:
        pipeline.bake()
    source.write("a.t", "edited")
    source.touch("prefabs/other.ron")
    source.remove("prefabs/alone.ron")
    source.write("c.t", "new")
    source.write("prefabs/mid.ron", 'Prefab(extends: "base", components: [Tags(["new"])])')
    with opened(source, Upper(), store=tmp_path / "s") as pipeline:
        report = pipeline.bake()
        assert names(report) == {"a.t", "c.t", "mid", "leaf", "user"}
        assert (report.removed, report.touched) == (1, 1)
        assert OutputChange("prefabs/alone.ron", "removed") in report.changes
        with pytest.raises(MissingAssetError):
            pipeline.get_prefab("alone")


@pytest.mark.parametrize(
    "other", [Upper(version=2), Upper(version=0), Upper(settings={"mark": "?"})]
)
def test_other_version_or_settings_bake_that_processors_files(
    opened: Opened, tmp_path: Path, other: Upper
) -> None:
    """Newer, older or set otherwise; and back again."""
    source = Tree({**CHAIN, "a.t": "x", "b.t": "y"})
    for processor in (Upper(), other, Upper()):
        with opened(source, processor, store=tmp_path / "s") as pipeline:
            report = pipeline.bake()
            if processor is not other and len(report.baked) > 2:
                continue  # the first one
            assert names(report) == {"a.t", "b.t"}
            assert pipeline.get("a.t").head() == "X" + processor.settings["mark"]
            assert pipeline.bake().baked == {}


@pytest.mark.parametrize("most", [3, 1000])
def test_heir_of_a_broken_prefab_heals_with_what_that_one_lacks(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Also where it reaches more files than are all noted: a sound file mends the broken one."""
    monkeypatch.setattr("arcade_prefabs.pipeline.processors.prefab._MOST_FOLLOWED", most)
    source = Tree(
        prefabs(
            lamp="Prefab()",
            root="Prefab()",
            base='Prefab(extends: "root")',
            sound='Prefab(extends: "base")',
            broken='Prefab(extends: "sound", children: [(name: "lamp", at: (1, 1))])',
            heir='Prefab(extends: "broken")',
        )
    )
    pipeline = opened(source)
    assert not pipeline.bake().ok
    with pytest.raises(ArcadePrefabsError, match="lamp"):
        pipeline.get_prefab("heir")
    source.write("prefabs/sound.ron", 'Prefab(children: [(name: "lamp", prefab: "lamp")])')
    assert pipeline.bake().ok
    assert len(pipeline.get_prefab("heir").children) == 1


def test_heir_that_completes_a_broken_prefab_follows_all_its_files(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are: the limit is for heirs that fail."""
    monkeypatch.setattr("arcade_prefabs.pipeline.processors.prefab._MOST_FOLLOWED", 3)
    lamps = {f"lamp{number}": "Prefab()" for number in range(9)}
    children = ", ".join(f'(prefab: "{name}")' for name in lamps)
    source = Tree(
        prefabs(
            broken="Prefab(components: [Sprite(alpha: 3)])",
            heir=f"""Prefab(
                extends: "broken",
                components: [Sprite(texture: ":resources:images/tiles/boxCrate.png")],
                children: [{children}],
            )""",
            **lamps,
        )
    )
    pipeline = opened(source)
    assert {error.path for error in pipeline.bake().errors} == {"prefabs/broken.ron"}
    assert len(pipeline.get_prefab("heir").children) == 9
    source.write("prefabs/lamp8.ron", 'Prefab(components: [Tags(["new"])])')
    assert "prefabs/heir.ron" in pipeline.bake().baked
    assert pipeline.get_prefab("heir").children[-1].prefab.components == {
        "Tags": {"names": ["new"]}
    }


@pytest.mark.parametrize("name", ["a", "z"])
def test_heir_tells_one_error_of_a_broken_file_and_once(opened: Opened, name: str) -> None:
    """Copied into each heir of each heir, all of them would fill the store."""
    heir = f"prefabs/{name}.ron"
    source = Tree(prefabs(middle="Prefab()", **{name: 'Prefab(extends: "middle")'}))
    pipeline = opened(source)
    assert pipeline.bake().ok
    source.write("prefabs/middle.ron", f"Prefab({', '.join(f'wrong{n}: 1' for n in range(20))})")
    source.write(heir, 'Prefab(extends: "middle" )')
    assert len(pipeline.bake().errors) == 20
    assert len(pipeline.get("prefabs/middle.ron").errors) == 20
    assert len(pipeline.get(heir).errors) == 1


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_settings_that_are_damaged_in_the_store_begin_it_anew(
    opened: Opened, tmp_path: Path, text: str
) -> None:
    """What is asked for then is right, and the bake says what it did."""
    source = Tree({"a.t": "a"})
    with opened(source, Upper(), store=tmp_path / "s") as pipeline:
        pipeline.get("a.t", {"mark": "!"})
    with contextlib.closing(sqlite3.connect(tmp_path / "s")) as db:
        assert db.execute("UPDATE assets SET variant=? WHERE variant<>''", (text,)).rowcount == 1
        db.commit()
    source.write("a.t", "b")
    with opened(source, Upper(), store=tmp_path / "s") as pipeline:
        (note,) = pipeline.bake().notes
        assert "invalid import settings for a.t" in note
        assert pipeline.get("a.t", {"mark": "!"}).head() == "B!"


@pytest.mark.parametrize("number", [0, 2, "1", None])
def test_store_of_another_format_is_begun_anew(
    opened: Opened, tmp_path: Path, number: object
) -> None:
    """It is kept beside, the report tells, and everything is baked."""
    source = Tree(CHAIN)
    with opened(source, store=tmp_path / "s") as pipeline:
        pipeline.bake()
    with contextlib.closing(sqlite3.connect(tmp_path / "s")) as db, db:
        db.execute("UPDATE facts SET value=? WHERE name='format'", (number,))
    with opened(source, store=tmp_path / "s") as pipeline:
        report = pipeline.bake()
        assert len(report.baked) == len(CHAIN)
        assert len(report.notes) == 1
        assert pipeline.get_prefab("leaf") == fresh_prefab(CHAIN, "leaf")
    assert (tmp_path / "s.damaged").exists()


# --------------------------------------------------------------------------------------- 4. model

NAMES = ["a", "b", "c", "d", "e", "lib"]
TARGETS = ["b", "c", "d", "e", "lib.ron#x", "lib.ron#y", "gone"]
PARTS = [
    'Sprite(texture: "a.png", alpha: 1)',
    "Sprite(alpha: 2)",
    "Sprite(scale: 3)",
    'Tags(["t"])',
    "Hp(max: 1)",
    "Hp(max: 1, armor: 2)",
    "Hp(max: 9)",
]
BROKEN = ["Prefab(", "Prefab(components: [Nope()])", "Library(x: Prefab(y: 1))", "", "\x00", "[]"]
REGISTRIES = [registry(), registry("added"), registry("limited")]


@st.composite
def body(draw: st.DrawFn, name: str) -> str:
    targets = TARGETS[NAMES.index(name) :] if draw(st.integers(0, 9)) else ["a", *TARGETS]
    some = st.sampled_from(targets or ["gone"])
    parts = []
    extends = draw(st.lists(some, max_size=2, unique=True))
    if extends:
        parts.append("extends: [" + ", ".join(f'"{one}"' for one in extends) + "]")
    components = draw(st.lists(st.sampled_from(PARTS), max_size=2, unique_by=lambda one: one[:2]))
    parts.append(f"components: [{', '.join(components)}]")
    if extends and draw(st.integers(0, 4)) == 0:
        parts.append("remove: [" + draw(st.sampled_from(["Sprite", "Tags", "Hp"])) + "]")
    children = []
    for number in draw(st.lists(st.integers(0, 2), max_size=2, unique=True)):
        entry = [f'name: "c{number}"'] if number else []
        if not number or draw(st.integers(0, 2)):
            entry.append(f'prefab: "{draw(some)}"')
        what = draw(st.integers(0, 3))
        if what == 1:
            entry.append(f"overrides: [{draw(st.sampled_from(PARTS))}]")
        elif what == 2:
            entry.append("remove: [" + draw(st.sampled_from(["Sprite", "Tags"])) + "]")
        elif what == 3:
            entry.append("at: (1, 2)")
        children.append(f"({', '.join(entry)})")
    if children:
        parts.append(f"children: [{', '.join(children)}]")
    if draw(st.integers(0, 3)) == 0:
        parts.append("abstract: true")
    # Of these components two stand in many: the reader refuses to remove what is given.
    return f"Prefab({', '.join(parts)})"


@st.composite
def text(draw: st.DrawFn, name: str) -> str:
    if draw(st.integers(0, 11)) == 0:
        return draw(st.sampled_from(BROKEN))
    comment = draw(st.sampled_from(["", "// one\n", "// two\n"]))
    if name != "lib":
        return comment + draw(body(name))
    labels = draw(st.sampled_from(["x", "xy", "yx", "y"]))
    return comment + f"Library({', '.join(f'{one}: {draw(body(name))}' for one in labels)})"


def file_path(name: str) -> str:
    return f"prefabs/{name}.ron"


OPERATIONS = (
    *("write", "write", "write", "remove", "rename", "touch", "comment", "sneak"),
    *("bake", "bake", "some", "get", "restart", "registry", "near", "far"),
)


@dataclass
class Values:
    """What a bake gives: values by id, errors, and what every file was made from."""

    values: dict[str, tuple[str, bytes, Prefab | None]] = field(default_factory=dict)
    errors: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)


def all_of(pipeline: AssetPipeline) -> dict[str, tuple[str, bytes, Prefab | None]]:
    found = {}
    for identifier in pipeline.ids():
        asset = pipeline.get(identifier)
        prefab = pipeline.get_prefab(identifier) if asset.kind == "prefab" else None
        found[identifier] = (asset.kind, asset.digest, prefab)
    return found


class Model:
    """A tree, a pipeline with a store on disk, and what it may answer."""

    def __init__(self, folder: Path, files: Files) -> None:
        self.source = Tree(files)
        self.clock = Clock(self.source)
        self.store = folder / "store.sqlite"
        self.registry = REGISTRIES[0]
        self.history: dict[str, list[Any]] = {}
        self.pipeline = self.open()

    def open(self) -> AssetPipeline:
        return AssetPipeline(
            self.source, jobs=0, registry=self.registry, store=self.store, clock_ns=self.clock
        )

    def restart(self) -> None:
        self.pipeline.close()
        self.pipeline = self.open()

    def fresh(self) -> Values:
        files = {one.path: MemorySource.read(self.source, one.path) for one in self.source.scan()}
        with AssetPipeline(MemorySource(files), jobs=0, registry=self.registry) as pipeline:
            report = pipeline.bake()
            found = Values(all_of(pipeline), {str(error) for error in report.errors})
            for path in files:
                if pipeline.explain(path).errors:
                    found.broken.add(path)
        for identifier, value in found.values.items():
            seen = self.history.setdefault(identifier, [])
            if value not in seen:
                seen.append(value)
        return found

    def on_broken(self, path: str, fresh: Values) -> bool:
        """Whether a file was made from one that is broken now, or is broken itself."""
        seen: set[str] = set()
        todo = [path]
        while todo:
            one = todo.pop().partition("#")[0]
            if one in seen:
                continue
            seen.add(one)
            if one in fresh.broken:
                return True
            with contextlib.suppress(MissingAssetError):
                todo += [
                    entry.name
                    for entry in self.pipeline.explain(one).inputs
                    if entry.kind != "ambient"
                ]
        return False

    def check(self, report: BakeReport) -> None:
        fresh = self.fresh()
        ours = all_of(self.pipeline)
        there = {one.path for one in self.source.scan()}
        for identifier in {*fresh.values, *ours}:
            path = identifier.partition("#")[0]
            assert path in there, f"{identifier} has no file any more"
            if ours.get(identifier) == fresh.values.get(identifier):
                continue
            # Only what is broken, or stands on it, may be an earlier good value.
            assert self.on_broken(path, fresh), identifier
            assert identifier in ours or self.pipeline.explain(path).errors
            if identifier in ours:
                assert ours[identifier] in self.history[identifier], identifier
        # Who breaks a circle depends on who is baked first.
        kept = {str(error) for error in report.errors if not isinstance(error, PrefabCycleError)}
        assert kept <= fresh.errors
        assert report.ok == (not fresh.errors)
        for path in there:
            explanation = self.pipeline.explain(path)
            assert explanation.stale is None
            assert all(entry.current for entry in explanation.inputs)
        again = self.pipeline.bake()
        assert (again.baked, again.changes, again.removed) == ({}, [], 0)

    def do(self, operation: str, data: st.DataObject) -> None:
        source = self.source
        name = data.draw(st.sampled_from(NAMES))
        path = file_path(name)
        there = source.stat(path) is not None
        if operation == "write":
            source.write(path, data.draw(text(name)))
        elif operation == "remove" and there:
            source.remove(path)
        elif operation == "rename" and there and name != "lib":
            other = data.draw(st.sampled_from(NAMES[:-1]))
            content = MemorySource.read(source, path)
            source.remove(path)
            source.write(file_path(other), content)
        elif operation == "touch" and there:
            source.touch(path)
        elif operation == "comment" and there:
            source.write(path, b"// more\n" + MemorySource.read(source, path))
        elif operation == "sneak" and there and self.clock.behind < 2 * SECOND:
            content = MemorySource.read(source, path).decode()
            if path == max((one.stamp, one.path) for one in source.scan())[1]:
                source.sneak(
                    path, content.replace("max: 1", "max: 2").replace("alpha: 1", "alpha: 4")
                )
        elif operation == "bake":
            self.check(self.pipeline.bake())
        elif operation == "some":
            chosen = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3))
            self.pipeline.bake([file_path(one) for one in chosen])
            self.fresh()
            for identifier, value in all_of_as_baked(self.pipeline).items():
                assert value in [kept[:2] for kept in self.history.get(identifier, [])]
        elif operation == "get":
            self.pipeline.invalidate()
            self.fresh()
            wanted = data.draw(st.sampled_from(TARGETS))
            with contextlib.suppress(ArcadePrefabsError):
                asset = self.pipeline.get(
                    f"prefabs/{wanted}" if "#" in wanted else file_path(wanted)
                )
                kept = [one[:2] for one in self.history.get(asset.id, [])]
                assert (asset.kind, asset.digest) in kept
        elif operation == "restart":
            self.restart()
        elif operation == "registry":
            self.registry = data.draw(st.sampled_from(REGISTRIES))
            self.restart()
        elif operation == "near":
            self.clock.behind = 1000
        elif operation == "far":
            self.clock.behind = 100 * SECOND


def all_of_as_baked(pipeline: AssetPipeline) -> dict[str, tuple[str, bytes]]:
    """What the store holds, nothing baked on the way."""
    with pipeline.store.reading() as db:
        query = (
            "SELECT a.path || CASE o.label WHEN '' THEN '' ELSE '#' || o.label END, o.kind, "
            "o.digest FROM outputs o JOIN assets a ON a.id=o.asset"
        )
        return {identifier: (kind, digest) for identifier, kind, digest in db.execute(query)}


def run_model(folder: Path, data: st.DataObject) -> None:
    model = Model(folder, {file_path(name): data.draw(text(name)) for name in NAMES})
    try:
        for operation in data.draw(st.lists(st.sampled_from(OPERATIONS), max_size=14)):
            model.do(operation, data)
        model.check(model.pipeline.bake())
    finally:
        model.pipeline.close()


@pytest.mark.timeout(200)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_store_answers_as_a_first_bake_of_the_same_tree(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """After any edits; only what is broken, or stands on it, may be an earlier good value."""
    run_model(tmp_path_factory.mktemp("model"), data)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_store_answers_as_a_first_bake_of_very_many_trees(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """The same for minutes."""
    run_model(tmp_path_factory.mktemp("model"), data)


# ---------------------------------------------------------------------- 5. dangling, orphans, names


def rows(pipeline: AssetPipeline, table: str) -> int:
    with pipeline.store.reading() as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.mark.parametrize("whole", [True, False])
def test_dangling_parent_and_child_heal_when_their_file_appears(
    opened: Opened, whole: bool
) -> None:
    """A bake of that one file is enough, and an heir of the heir heals with it."""
    source = Tree(
        prefabs(
            heir='Prefab(extends: "ghost")',
            owner='Prefab(children: [(prefab: "ghost")])',
            second='Prefab(extends: "heir")',
        )
    )
    pipeline = opened(source)
    report = pipeline.bake()
    assert len(report.errors) == 2  # in the files that name it, each once
    assert {error.path for error in report.errors} == {"prefabs/heir.ron", "prefabs/owner.ron"}
    assert pipeline.dependents("prefabs/ghost.ron") == [
        f"prefabs/{one}.ron" for one in ("heir", "owner", "second")
    ]
    source.write("prefabs/ghost.ron", 'Prefab(components: [Tags(["here"])])')
    report = pipeline.bake(None if whole else ["prefabs/ghost.ron"])
    assert report.ok
    assert names(report) == {"ghost", "heir", "owner", "second"}
    assert pipeline.get_prefab("second").components == {"Tags": {"names": ["here"]}}


def test_dangling_label_heals_when_the_library_gets_it(opened: Opened) -> None:
    """A file that is there, but lacks the label, is a dangling dependency as well."""
    source = Tree(prefabs(lib="Library(x: Prefab())", heir='Prefab(extends: "lib#y")'))
    pipeline = opened(source)
    assert not pipeline.bake().ok
    source.write("prefabs/lib.ron", 'Library(x: Prefab(), y: Prefab(components: [Tags(["y"])]))')
    report = pipeline.bake()
    assert report.ok
    assert pipeline.get_prefab("heir").components == {"Tags": {"names": ["y"]}}


def test_deleted_parent_leaves_its_heirs_their_last_good(opened: Opened) -> None:
    """They are errors in the report, and are still served, with the error at hand."""
    source = Tree(CHAIN)
    pipeline = opened(source)
    pipeline.bake()
    good = {one: pipeline.get_prefab(one) for one in ("mid", "leaf", "user")}
    source.remove("prefabs/base.ron")
    report = pipeline.bake()
    assert not report.ok
    assert OutputChange("prefabs/base.ron", "removed") in report.changes
    assert {one: pipeline.get_prefab(one) for one in good} == good
    assert pipeline.get("prefabs/mid.ron").errors
    with pytest.raises(MissingAssetError):
        pipeline.get_prefab("base")
    assert pipeline.bake().baked == {}
    source.write("prefabs/base.ron", CHAIN["prefabs/base.ron"])
    assert pipeline.bake().ok
    assert {one: pipeline.get_prefab(one) for one in good} == good
    assert not pipeline.get("prefabs/mid.ron").errors


def test_renamed_prefab_moves_with_its_references(opened: Opened) -> None:
    """The old name is gone from every table once nobody names it."""
    source = Tree(CHAIN)
    pipeline = opened(source)
    pipeline.bake()
    source.remove("prefabs/base.ron")
    source.write("prefabs/root.ron", CHAIN["prefabs/base.ron"])
    source.write("prefabs/mid.ron", CHAIN["prefabs/mid.ron"].replace('"base"', '"root"'))
    report = pipeline.bake()
    assert report.ok
    assert "prefabs/base.ron" not in pipeline.ids()
    with pipeline.store.reading() as db:
        assert not db.execute("SELECT * FROM assets WHERE path='prefabs/base.ron'").fetchall()
    assert "prefabs/root.ron" in pipeline.get_prefab("leaf").built_from


def test_orphans_leave_no_row_in_any_table(opened: Opened) -> None:
    """Outputs, pages, inputs, needs, wishes and names; ambient inputs as well."""
    many = ", ".join(f'(prefab: "alone", at: ({n}, 0))' for n in range(9000))
    source = Tree(
        {
            **CHAIN,
            "prefabs/many.ron": f"Prefab(children: [{many}])",
            "prefabs/walk.ron": "Prefab(components: [Animation(frames: SpriteSheet(image: "
            '"s.png", frame_size: (8, 8), columns: 2, count: 2))])',
            "a.t": "x",
        }
    )
    pipeline = opened(
        source, Upper(lambda context: [context.output(len(context.read("prefabs/mid.ron")))])
    )
    report = pipeline.bake()
    assert report.ok
    tables = ("assets", "outputs", "pages", "inputs", "needs", "wishes")
    assert all(rows(pipeline, table) for table in tables)
    for file in list(source.scan()):
        source.remove(file.path)
    report = pipeline.bake()
    assert report.removed == len(CHAIN) + 3
    assert {table: rows(pipeline, table) for table in tables} == dict.fromkeys(tables, 0)
    assert pipeline.ids() == []


def test_file_with_a_mark_in_its_name_can_be_asked_for_or_is_refused(opened: Opened) -> None:
    """What ``ids`` gives, ``get`` takes."""
    source = Tree({"a.t": "x"})
    try:
        source.write("a#b.t", "x")
    except UnsafePathError:
        return
    pipeline = opened(source, Upper())
    report = pipeline.bake()
    for identifier in pipeline.ids():
        assert pipeline.get(identifier).head() == "X"
    assert len(pipeline.ids()) + len(report.errors) == 2  # nothing is left out in silence


# ------------------------------------------------------------------------------- 11. on demand


def test_get_without_a_bake_gives_what_a_bake_gives(opened: Opened) -> None:
    """Parents are baked on the way, and an edit of one is seen after ``invalidate``."""
    source = Tree(CHAIN)
    pipeline = opened(source)
    assert pipeline.get_prefab("leaf") == fresh_prefab(CHAIN, "leaf")
    source.write("prefabs/base.ron", 'Prefab(components: [Sprite(texture: "new.png")])')
    pipeline.invalidate()
    leaf = pipeline.get_prefab("leaf")
    assert leaf.components["Sprite"]["texture"] == "new.png"
    assert pipeline.explain("prefabs/leaf.ron").stale is None


def test_edit_during_a_bake_is_not_forgotten(opened: Opened) -> None:
    """``invalidate`` means what was edited before it, also while a bake is under way."""
    source = Tree({"a.t": "one", "b.t": "x"})
    pipeline = opened(source, Upper())

    def edit(progress: object) -> None:
        if MemorySource.read(source, "a.t") == b"one":
            source.write("a.t", "two")
            pipeline.invalidate()

    pipeline.bake(on_progress=edit)
    assert pipeline.get("a.t").head() == "TWO"


def test_edit_during_a_bake_of_some_is_not_forgotten(opened: Opened) -> None:
    """The same where only one other file is baked."""
    source = Tree({"a.t": "one", "b.t": "x"})
    pipeline = opened(source, Upper())
    pipeline.bake()
    source.write("b.t", "y")

    def edit(progress: object) -> None:
        source.write("a.t", "two")
        pipeline.invalidate()

    pipeline.bake(["b.t"], on_progress=edit)
    assert pipeline.get("a.t").head() == "TWO"


def test_edit_during_a_request_is_not_forgotten(opened: Opened) -> None:
    """The same where an asset is baked on demand."""
    source = Tree({"a.t": "one"})
    pipeline = opened(source)

    def work(context: ProcessContext) -> list[Output]:
        if MemorySource.read(source, "a.t") == b"one":
            source.write("a.t", "two")
            pipeline.invalidate()
        return [context.output(context.text())]

    pipeline = opened(source, Upper(work))
    pipeline.get("a.t")
    assert pipeline.get("a.t").head() == "two"


def test_large_parent_that_is_edited_during_a_batch_is_baked_in_the_end(opened: Opened) -> None:
    """All jobs of a batch see one version of it, and the next bake finds the other."""
    padding = "//" + "x" * 300_000 + "\n"
    source = Tree(
        prefabs(a='Prefab(extends: "big")', big=padding + 'Prefab(components: [Tags(["old"])])')
    )

    def edit(path: str) -> None:
        if path == "prefabs/big.ron":
            source.on_read = lambda path: None
            source.write(path, padding + 'Prefab(components: [Tags(["new"])])')

    source.on_read = edit
    pipeline = opened(source)
    pipeline.bake()
    pipeline.bake()
    for name in ("big", "a"):
        assert pipeline.get_prefab(name).components == {"Tags": {"names": ["new"]}}


@pytest.mark.long
def test_long_chain_of_files_is_served_on_demand(opened: Opened) -> None:
    """Files that a processor reads may be made from others, in any number of steps."""
    count = 1500

    def work(context: ProcessContext) -> list[Output]:
        number = int(context.path.removesuffix(".t"))
        if number + 1 < count:
            context.read(f"{number + 1:05}.t")
        return [context.output(number)]

    source = Tree({f"{number:05}.t": "x" for number in range(count)})
    pipeline = opened(source, Upper(work))
    pipeline.bake()
    pipeline.invalidate()
    assert pipeline.get("00000.t").head() == 0


@pytest.mark.timeout(60)
def test_many_threads_get_the_same_and_others_at_once(opened: Opened) -> None:
    """Each gets its own, whole; none waits for ever."""
    source = Tree({**CHAIN, **{f"{n}.t": f"text {n}" for n in range(8)}})
    pipeline = opened(source, Upper())
    expected = fresh_prefab(CHAIN, "leaf")
    start = threading.Barrier(12)
    failures: list[BaseException] = []
    served: list[tuple[int, object]] = []

    def ask(number: int) -> None:
        try:
            start.wait(BOUND_S)
            for turn in range(8):
                which = (number + turn) % 8
                served.append((which, pipeline.get(f"{which}.t").head()))
                assert pipeline.get_prefab("leaf") == expected
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_S)
    assert not failures
    assert len(served) == 12 * 8
    assert all(text == f"TEXT {number}" for number, text in served)
    assert pipeline.bake(["0.t"]).ok


def test_variant_is_an_asset_of_its_own(opened: Opened) -> None:
    """It follows its file, is not in the way of the plain one, and goes with the file."""
    source = Tree({"a.t": "x"})
    pipeline = opened(source, Upper())
    assert pipeline.get("a.t", {"mark": "!"}).head() == "X!"
    assert pipeline.get("a.t").head() == "X"
    assert pipeline.get("a.t", {}).id == "a.t"
    source.write("a.t", "y")
    report = pipeline.bake()
    assert set(report.baked) == {"a.t", 'a.t?{"mark":"!"}'}
    assert pipeline.get("a.t", {"mark": "!"}).head() == "Y!"
    with pytest.raises(AssetError, match="marc"):
        pipeline.get("a.t", {"marc": "!"})
    assert pipeline.bake().ok  # a request that could never be served is no error of the tree
    source.remove("a.t")
    pipeline.bake()
    assert rows(pipeline, "assets") == 0


def test_errors_of_get_help(opened: Opened) -> None:
    """Unknown ids have a suggestion, labels a list, broken files their own error."""
    source = Tree(
        prefabs(
            crate="Prefab()",
            castle="Library(gate: Prefab(), tower: Prefab())",
            shape="Prefab(abstract: true)",
            broken="Prefab(;",
        )
    )
    pipeline = opened(source)
    pipeline.bake()
    with pytest.raises(MissingAssetError, match="crate"):
        pipeline.get_prefab("crat")
    with pytest.raises(MissingAssetError, match="gate"):
        pipeline.get_prefab("castle#gat")
    with pytest.raises(MissingAssetError, match="tower"):
        pipeline.get_prefab("castle")
    with pytest.raises(AssetError, match="abstract"):
        pipeline.get_prefab("shape")
    for _ in range(2):
        with pytest.raises(RonError) as caught:
            pipeline.get_prefab("broken")
        assert (caught.value.line, caught.value.column) == (1, 8)
    with pytest.raises(MissingAssetError):
        pipeline.explain("nothing.t")
    assert pipeline.dependents("nothing.t") == []
    assert pipeline.needs("nothing.t") == []


def test_needs_of_a_file_are_what_its_outputs_name(opened: Opened) -> None:
    """What it extends and what it spawns is built in, with all that they name."""
    source = Tree(
        prefabs(
            base='Prefab(components: [Sprite(texture: "overridden.png")])',
            lamp='Prefab(components: [Sprite(texture: "lamp.png")])',
            crate='Prefab(extends: "base", components: [Sprite(texture: "crate.png")], '
            'children: [(prefab: "lamp")])',
        )
    )
    pipeline = opened(source)
    pipeline.bake()
    assert pipeline.needs("prefabs/crate.ron") == ["crate.png", "lamp.png"]


@pytest.mark.parametrize("path", ["props/a.t", "props"])
def test_bake_of_a_path_that_is_gone_removes_what_was_there(opened: Opened, path: str) -> None:
    """A file, or a folder with all files below it; what merely begins with the same stays."""
    files = {"props/a.t": "a", "props.t": "b", "props2/a.t": "c"}
    source = Tree(files)
    pipeline = opened(source, Upper())
    pipeline.bake()
    source.remove("props/a.t")
    report = pipeline.bake([path])
    assert report.changed_ids() == ["props/a.t"]
    assert pipeline.ids() == ["props.t", "props2/a.t"]


def test_seconds_of_bakes_begin_at_none(opened: Opened) -> None:
    """And are those of all files of all bakes."""
    source = Tree({"a.t": "a"})
    pipeline = opened(source, Upper())
    seconds = [pipeline.statistics().bake_seconds]
    for text in ("", "b", "c"):
        source.write("a.t", text)
        pipeline.bake()
        seconds.append(pipeline.statistics().bake_seconds)
    assert seconds[0] == 0
    assert seconds == sorted(set(seconds))
    assert seconds[-1] < BOUND_S


def test_ids_are_told_once_a_bake_of_everything_has_ended(opened: Opened) -> None:
    """Whoever asks meanwhile waits, and bakes nothing again; or gives up when it is cancelled."""
    working, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def work(context: ProcessContext) -> list[Output]:
        done.append(context.path)
        working.set()
        assert go_on.wait(BOUND_S)
        return [context.output("x", kind="made")]

    source = Tree({"a.t": "a"})
    pipeline = opened(source, Upper(work))
    with ThreadPoolExecutor(2) as pool:
        bake = pool.submit(pipeline.bake)
        assert working.wait(BOUND_S)
        asked = pool.submit(pipeline.ids_to_load, "made")
        with pytest.raises(BakeCancelledError):
            pipeline.ids_to_load("made", lambda: True)
        assert not asked.done()
        go_on.set()
        assert asked.result(BOUND_S) == ["a.t"]
        bake.result(BOUND_S)
    assert done == ["a.t"]


UNSAFE = [
    *("../x", "a/../../x", "/etc/passwd", "C:/x", "c:x", "a\\b", "con", "prefabs/aux.ron"),
    *("a\0b", "nul.txt", "a/b /c", "a.", "", ".", "\ud800", "a\nb", "x" * 600, ":game:../x"),
]


@pytest.mark.parametrize("path", UNSAFE)
@pytest.mark.parametrize(
    "entry", ["get", "get_prefab", "bake", "dependents", "explain", "needs", "variant"]
)
def test_unsafe_path_is_refused_at_every_entry(opened: Opened, entry: str, path: str) -> None:
    """With the one error class, before anything is looked at, and nothing is noted of it."""
    source = Tree({"a.t": "x"})
    pipeline = opened(source, Upper())
    pipeline.bake()
    calls: dict[str, Callable[[str], object]] = {
        "get": pipeline.get,
        "get_prefab": pipeline.get_prefab,
        "bake": lambda path: pipeline.bake([path]),
        "dependents": pipeline.dependents,
        "explain": pipeline.explain,
        "needs": pipeline.needs,
        "variant": lambda path: pipeline.get(path, {"mark": "!"}),
    }
    with pytest.raises(UnsafePathError):
        calls[entry](path)
    assert rows(pipeline, "assets") == 1


@pytest.mark.parametrize("path", ["../x.t", "/etc/passwd.t", "c:\\x.t"])
@pytest.mark.parametrize("way", ["read", "wish", "needs"])
def test_unsafe_path_of_a_processor_is_that_files_error(
    opened: Opened, way: str, path: str
) -> None:
    """What a file names leads no further than what a caller names."""

    def work(context: ProcessContext) -> list[Output]:
        if way == "read":
            context.read(path)
        elif way == "wish":
            context.bake_request(path, {"mark": "!"})
        return [context.output(1, needs=[Dependency("data", path)] if way == "needs" else [])]

    pipeline = opened(Tree({"a.t": "x", "b.t": "y"}), Upper(work))
    report = pipeline.bake()
    with pipeline.store.reading() as db:
        known = {row[0] for row in db.execute("SELECT path FROM assets WHERE state IN (1, 2)")}
    assert known == {"a.t", "b.t"}
    if way == "read":
        assert len(report.errors) == 2
        assert all(isinstance(error, UnsafePathError) for error in report.errors)
    assert pipeline.bake().baked == {}


def test_closed_pipeline_says_so_at_every_entry(opened: Opened, tmp_path: Path) -> None:
    """Never with an error of SQLite."""
    pipeline = opened(Tree({"a.t": "x"}), Upper())
    pipeline.bake()
    pipeline.close()
    pipeline.close()
    calls: list[Callable[[], object]] = [
        pipeline.bake,
        pipeline.ids,
        pipeline.statistics,
        pipeline.clean,
        lambda: pipeline.bake(["a.t"]),
        lambda: pipeline.get("a.t"),
        lambda: pipeline.get_prefab("a"),
        lambda: pipeline.needs("a.t"),
        lambda: pipeline.explain("a.t"),
        lambda: pipeline.dependents("a.t"),
        lambda: pipeline.write_release(tmp_path / "r"),
    ]
    for call in calls:
        with pytest.raises(StoreError):
            call()


def test_cancelled_bake_keeps_what_it_committed(opened: Opened) -> None:
    """The next bake does the rest, and nothing twice."""
    source = Tree({f"{n:04}.t": str(n) for n in range(300)})
    pipeline = opened(source, Upper())
    answers = iter([False, False, False, True])
    with pytest.raises(BakeCancelledError):
        pipeline.bake(cancelled=lambda: next(answers))
    kept = rows(pipeline, "outputs")
    assert 0 < kept < 300
    report = pipeline.bake()
    assert len(report.baked) == 300 - kept
    assert pipeline.get("0299.t").head() == "299"


def test_progress_that_raises_ends_the_bake_alone(opened: Opened) -> None:
    """The error comes out as it is, and the next bake goes on."""
    source = Tree({f"{n:04}.t": str(n) for n in range(100)})
    pipeline = opened(source, Upper())

    def fail(progress: object) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        pipeline.bake(on_progress=fail)
    assert pipeline.bake().ok
    assert len(pipeline.ids()) == 100


# --------------------------------------------------------------------------- processors of others


def raises(error: BaseException) -> Callable[[ProcessContext], list[Output]]:
    def work(context: ProcessContext) -> list[Output]:
        raise error

    return work


def wrong_surrogate(context: ProcessContext) -> list[Output]:
    raise ValueError("no such file: caf\udce9.png")


def too_large(context: ProcessContext) -> list[Output]:
    return [Output("", "data", (b"x" * (128 * 1024 + 1),))]


def too_large_head(context: ProcessContext) -> list[Output]:
    return [context.output("x" * 200_000)]


def twice(context: ProcessContext) -> list[Output]:
    return [context.output(1, label="a"), context.output(2, label="a")]


def halfway(context: ProcessContext) -> Iterator[Output]:
    yield context.output(1)
    raise RuntimeError("half way")


def not_json(context: ProcessContext) -> list[Output]:
    return [context.output(object())]


def no_pages(context: ProcessContext) -> list[Output]:
    return [Output("", "data", ())]


def no_outputs(context: ProcessContext) -> Any:
    return None


def odd_label(context: ProcessContext) -> list[Output]:
    return [context.output(1, label="caf\udce9")]


def odd_kind(context: ProcessContext) -> list[Output]:
    return [context.output(1, kind="caf\udce9")]


def odd_need(context: ProcessContext) -> list[Output]:
    return [context.output(1, needs=[Dependency("data", "caf\udce9")])]


def no_label(context: ProcessContext) -> list[Output]:
    return [Output(None, "data", (b"1",))]  # type: ignore[arg-type]


def no_output(context: ProcessContext) -> list[Any]:
    return [{"label": ""}]


def odd_page(context: ProcessContext) -> list[Output]:
    return [Output("", "data", ("text",))]  # type: ignore[arg-type]


def odd_wish(context: ProcessContext) -> list[Output]:
    context.bake_request("b.t", {"mark": object()})
    return [context.output(1)]


def deep(context: ProcessContext) -> list[Output]:
    def down() -> None:
        down()

    down()
    return []


def exits(context: ProcessContext) -> list[Output]:
    raise SystemExit(3)


def reads_nothing(context: ProcessContext) -> list[Output]:
    raise MissingAssetError("there is no such thing", path="elsewhere")


@pytest.mark.parametrize(
    "work",
    [
        raises(ZeroDivisionError("x")),
        raises(OSError(5, "I/O")),
        raises(MemoryError()),
        *(wrong_surrogate, too_large, too_large_head, twice, halfway, not_json, no_pages),
        *(no_outputs, odd_label, deep, exits, reads_nothing, odd_kind, odd_need, no_label),
        *(no_output, odd_page, odd_wish),
    ],
)
def test_processor_that_fails_is_its_files_error_alone(
    opened: Opened, tmp_path: Path, work: Callable[[ProcessContext], Any]
) -> None:
    """The rest is baked; the last good one stays; the error is one of ours, now and later."""
    source = Tree({"a.t": "good", "b.t": "other"})

    def chosen(context: ProcessContext) -> Any:
        if context.text() == "bad":
            return work(context)
        return [context.output(context.text())]

    with opened(source, Upper(chosen), store=tmp_path / "s") as pipeline:
        pipeline.bake()
        source.write("a.t", "bad")
        source.write("b.t", "edited")
        report = pipeline.bake()
        assert [error.path for error in report.errors] in (["a.t"], ["elsewhere"])
        assert pipeline.get("b.t").head() == "edited"
        kept = pipeline.get("a.t")
        assert kept.head() == "good"
        assert kept.errors
        assert pipeline.bake().baked == {}
    with opened(source, Upper(chosen), store=tmp_path / "s") as pipeline:
        assert len(pipeline.bake().errors) == 1
        source.write("a.t", "healed")
        assert pipeline.bake().ok
        assert pipeline.get("a.t").head() == "healed"


def test_processor_that_reads_another_file_follows_it(opened: Opened) -> None:
    """A missing one is a dependency, too, that heals; so is one that is baked itself."""

    def work(context: ProcessContext) -> list[Output]:
        name = context.text().strip()
        try:
            return [context.output(context.read(name).decode())]
        except MissingAssetError:
            return [context.output("nothing")]

    source = Tree({"a.t": "in.dat", "b.t": "data/x.json"})
    pipeline = opened(source, Upper(work))
    assert pipeline.bake().ok
    assert pipeline.get("a.t").head() == "nothing"
    for content in ("one", "two"):
        source.write("in.dat", content)
        source.write("data/x.json", f'"{content}"')
        report = pipeline.bake()
        assert {"a.t", "b.t"} <= set(report.baked)
        assert pipeline.get("a.t").head() == content
        assert pipeline.get("b.t").head() == f'"{content}"'
    source.remove("in.dat")
    source.remove("data/x.json")
    pipeline.bake()
    assert pipeline.get("a.t").head() == pipeline.get("b.t").head() == "nothing"
    assert pipeline.bake().baked == {}


def test_processor_that_lets_a_missing_file_through_heals(opened: Opened) -> None:
    """Without catching anything; also where the file is asked for on demand."""
    source = Tree({"a.t": "x"})
    pipeline = opened(
        source, Upper(lambda context: [context.output(context.read("in.dat").decode())])
    )
    assert len(pipeline.bake().errors) == 1
    source.write("in.dat", "here")
    pipeline.invalidate()
    assert pipeline.get("a.t").head() == "here"
    source.write("in.dat", "changed")
    pipeline.invalidate()
    assert pipeline.get("a.t").head() == "changed"


def test_own_processor_wins_over_a_built_in_one(opened: Opened) -> None:
    """For the paths that it takes; a second of one name takes the place of the first."""

    class Mine(Upper):
        patterns = ("data/*.json",)

    source = Tree({"data/a.json": "x", "b.json": "1"})
    pipeline = opened(source, Mine(name="mine"))
    assert pipeline.bake().ok
    assert pipeline.get("data/a.json").head() == "X"
    assert pipeline.get("b.json").head() == {"value": 1}
    with pytest.raises(ValueError, match="two processors"):
        opened(Tree({}), Upper(), Upper())


def test_pipeline_that_cannot_be_made_leaves_no_store_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its connection would be held, and its folder left over, until the garbage is collected."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    closed: list[Path] = []
    close = BakeStore.close

    def noted(store: BakeStore) -> None:
        closed.append(store.path)
        close(store)

    monkeypatch.setattr(BakeStore, "close", noted)
    with pytest.raises(ValueError, match="two processors"):
        AssetPipeline(Tree({}), processors=[Upper(), Upper()], jobs=0)
    assert len(closed) == 1
    assert list(tmp_path.iterdir()) == []


def test_file_that_no_processor_takes_any_more_is_removed(opened: Opened, tmp_path: Path) -> None:
    """A game that drops its processor drops what it baked."""
    source = Tree({"a.t": "x"})
    with opened(source, Upper(), store=tmp_path / "s") as pipeline:
        pipeline.bake()
    with opened(source, store=tmp_path / "s") as pipeline:
        assert pipeline.bake().removed == 1
        assert pipeline.ids() == []
        with pytest.raises(AssetError, match="no processor"):
            pipeline.get("a.t")


def test_error_of_a_processor_is_a_processor_error_with_its_name(opened: Opened) -> None:
    """So that the author knows whose code it was."""
    pipeline = opened(Tree({"a.t": "x"}), Upper(raises(ZeroDivisionError("by nothing"))))
    (error,) = pipeline.bake().errors
    assert isinstance(error, ProcessorError)
    assert "upper" in str(error)
    assert "ZeroDivisionError: by nothing" in str(error)
