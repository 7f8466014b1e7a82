"""Worlds: every entity in exactly one cell, ids that survive edits, mistakes with their places."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tracemalloc
from array import array
from collections.abc import Mapping
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcade_prefabs import ComponentRegistry
from arcade_prefabs.pipeline import (
    PAGE_BYTES,
    AssetPipeline,
    MemorySource,
    ProcessContext,
    WorldEntity,
    WorldProcessor,
    read_cell,
    read_world,
    world_id,
)
from arcade_prefabs.pipeline.bake.task import BakeTask, WorkerContext, process_batch
from arcade_prefabs.pipeline.model.bake_result import BakeKey
from arcade_prefabs.pipeline.processors.world_cells import CellIndex, GridCell
from arcade_prefabs.prefab.asset_ids import is_label

NAME = "worlds/valley.ron"
COORDINATES = st.floats(-1e9, 1e9, allow_nan=False) | st.integers(-5, 5).map(lambda n: n * 100)


def world(*entities: str, **fields: str) -> str:
    lines = [f"{name}: {text}," for name, text in fields.items()]
    return f"World({' '.join(lines)} entities: [{', '.join(entities)}])"


def cells_of(text: str, **more: str) -> dict[str, list[WorldEntity]]:
    """The entities of a world by label; every one as its own cell reads it."""
    files = {NAME: text, **{f"worlds/{name}.ron": other for name, other in more.items()}}
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        head = read_world(pipeline.get(NAME))
        labels = [cell.label for cell in head.cells] + ["always"] * bool(head.always)
        found = {
            label: [one for page in read_cell(pipeline.get(f"{NAME}#{label}")) for one in page]
            for label in labels
        }
        kinds = [one for one in pipeline.ids("cell") if one.startswith(NAME + "#")]
        assert sorted(kinds) == sorted(f"{NAME}#{label}" for label in labels)
        assert sum(map(len, found.values())) == head.entities
        return found


def errors_of(text: str, files: Mapping[str, str] | None = None) -> list[str]:
    with AssetPipeline(MemorySource({NAME: text, **(files or {})}), jobs=0) as pipeline:
        report = pipeline.bake()
        assert NAME not in pipeline.ids()
        return [str(error) for error in report.errors]


def test_entity_has_all_that_its_file_says() -> None:
    """Place, rotation, both forms of scale, layer, id, overrides and removals come back."""
    text = world(
        '(prefab: "props/crate", at: (120, -40), rotation: 45, scale: 2, layer: "props", id: "one",'
        " overrides: [Sprite(alpha: 128)], remove: [Collider])",
        '(prefab: "castle.ron#gate", at: (1.5, 0), scale: (1, 0.5))',
        cell_size="100",
        layers='["ground", "props"]',
    )
    cells = cells_of(text)
    (crate,) = cells["c1_m1"]
    assert crate == WorldEntity(
        id="one",
        prefab="prefabs/props/crate.ron",
        x=120.0,
        y=-40.0,
        angle=45.0,
        scale_x=2.0,
        scale_y=2.0,
        layer="props",
        overrides={"Sprite": {"alpha": 128}},
        removed=("Collider",),
    )
    (gate,) = cells["c0_0"]
    assert gate.prefab == "prefabs/castle.ron#gate"
    assert (gate.scale_x, gate.scale_y, gate.layer) == (1.0, 0.5, None)
    assert gate.id.startswith("~")


@given(places=st.lists(st.tuples(COORDINATES, COORDINATES), max_size=20), size=st.integers(1, 999))
def test_every_entity_is_in_the_one_cell_that_holds_its_place(
    places: list[tuple[float, float]], size: int
) -> None:
    """Exactly once, borders belong to the cell above, and negative places are right."""
    entities = [
        f'(prefab: "a", at: ({x!r}, {y!r}), id: "{number}")' for number, (x, y) in enumerate(places)
    ]
    found = cells_of(world(*entities, cell_size=str(size)))
    seen: dict[str, tuple[float, float]] = {}
    for label, members in found.items():
        column, row = (int(part.replace("m", "-")) for part in label[1:].split("_"))
        for one in members:
            assert one.id not in seen
            seen[one.id] = (one.x, one.y)
            assert (column, row) == (one.x // size, one.y // size)
    assert seen == {str(number): place for number, place in enumerate(places)}


@pytest.mark.long
@given(order=st.permutations(range(6)), insert=st.integers(0, 6))
def test_ids_survive_reordering_and_inserting(order: list[int], insert: int) -> None:
    """Entities without an id of their own keep the one they got, twins included."""
    entities = [f'(prefab: "a", at: ({number // 2}, 0))' for number in range(6)]
    before = {one.id for one in cells_of(world(*entities))["c0_0"]}
    assert len(before) == 6
    changed = [entities[number] for number in order]
    changed.insert(insert, '(prefab: "b", at: (0, 0))')
    after = {one.id for one in cells_of(world(*changed))["c0_0"]}
    assert before < after
    assert len(after) == 7


def test_entities_of_a_cell_keep_the_order_of_the_file() -> None:
    """What comes later is drawn on top, and that is for the author to say."""
    entities = [f'(prefab: "p{number}", at: ({number}, 0))' for number in range(5)]
    for text in (entities, entities[::-1]):
        names = [one.prefab for one in cells_of(world(*text))["c0_0"]]
        assert [f'(prefab: "{one[8:-4]}"' for one in names] == [one.split(",")[0] for one in text]


def test_full_cell_is_cut_into_pages_that_are_read_alone() -> None:
    """20,000 entities in one cell: no page over the limit, none lost."""
    text = world(*(f'(prefab: "p{n % 50}", at: ({n % 1000}, {n % 7}))' for n in range(20_000)))
    with AssetPipeline(MemorySource({NAME: text}), jobs=0) as pipeline:
        asset = pipeline.get(f"{NAME}#c0_0")
        assert asset.pages > 5
        assert max(len(page) for page in asset) <= PAGE_BYTES
        assert len({one.id for page in read_cell(asset) for one in page}) == 20_000


PLACES = st.integers(-6, 6) | st.sampled_from([1 - 2**30, 2**30 - 1])


@given(
    cells=st.sets(st.tuples(PLACES, PLACES, st.integers(0, 2))),
    corners=st.tuples(*[st.integers(-7, 7)] * 4),
    level=st.integers(0, 3),
)
def test_index_of_cells_answers_as_a_set_does(
    cells: set[tuple[int, int, int]], corners: tuple[int, int, int, int], level: int
) -> None:
    """Also as bytes and back: what is in it, what is not, and what lies between two corners."""
    for index in (CellIndex(cells), CellIndex.from_bytes(CellIndex(cells).to_bytes())):
        assert set(index) == cells
        assert len(index) == len(cells)
        assert index.size == 8 * len(cells)
        assert index.levels == tuple(sorted({one[2] for one in cells}))
        left, bottom, right, top = corners
        assert set(index.within(level, *corners)) == {
            one
            for one in cells
            if left <= one[0] <= right and bottom <= one[1] <= top and one[2] == level
        }
        for column in range(-7, 8):
            one = (column, bottom, level)
            assert (GridCell(*one) in index) == (one in cells)


@pytest.mark.parametrize("numbers", [[0], [0, 2, 5], [0, -1], [0, 1, 5, 0, 1, 6], [0, 0, 3]])
def test_damaged_index_of_cells_is_refused(numbers: list[int]) -> None:
    """Counts that lie, levels that stand twice, and half a number."""
    data = array("q", numbers).tobytes()
    for damaged in (data, data[:-1]):
        with pytest.raises(ValueError, match="damaged"):
            CellIndex.from_bytes(damaged)


def test_always_loaded_entities_are_in_no_cell() -> None:
    """They come with the world, wherever the player is, and the world needs their prefabs."""
    text = world('(prefab: "sky", at: (5000, 5000), always: true)', '(prefab: "a", at: (0, 0))')
    cells = cells_of(text)
    assert [one.prefab for one in cells["always"]] == ["prefabs/sky.ron"]
    assert list(cells) == ["c0_0", "always"]


def test_included_files_belong_to_the_world_and_rebake_it() -> None:
    """Their entities are added; an edit of one bakes the world again."""
    source = MemorySource(
        {
            NAME: world('(prefab: "a", at: (0, 0))', include='["worlds/north.ron"]'),
            "worlds/north.ron": world('(prefab: "b", at: (0, 0))'),
        }
    )
    with AssetPipeline(source, jobs=0) as pipeline:
        assert pipeline.bake().ok
        assert read_world(pipeline.get(NAME)).entities == 2
        source.write("worlds/north.ron", world())
        assert NAME in pipeline.bake().baked
        assert read_world(pipeline.get(NAME)).entities == 1


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ('["ground"]', ["worlds/north.ron:1:52: entities[0].layer: the world has no layer `sky`"]),
        ('["ground", "sky"]', []),
        ("[]", []),  # a world that names none has all
    ],
)
def test_layers_of_an_included_file_are_those_of_the_world(layers: str, told: list[str]) -> None:
    """An entity on another one is a mistake in its own file."""
    files = {
        NAME: world(layers=layers, include='["worlds/north.ron"]'),
        "worlds/north.ron": world('(prefab: "b", at: (0, 0), layer: "sky")'),
    }
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        found = [str(error).partition("\n")[0] for error in pipeline.bake().errors]
        assert found == told
        if not told:
            assert read_world(pipeline.get(NAME)).entities == 1


def test_edit_in_one_cell_changes_that_cell_alone() -> None:
    """The ids that changed are those of the cell, and of the world where its numbers did."""
    places = {number: f'(prefab: "a", at: ({number * 2000}, 0))' for number in range(4)}
    source = MemorySource({NAME: world(*places.values())})
    with AssetPipeline(source, jobs=0) as pipeline:
        pipeline.bake()
        places[2] = '(prefab: "b", at: (4000, 0))'
        source.write(NAME, world(*places.values()))
        assert pipeline.bake().changed_ids() == [f"{NAME}#c3_0"]


def test_prefabs_are_needed_and_not_built_in() -> None:
    """An edited prefab bakes no world again; a missing one is told, and is no error."""
    source = MemorySource(
        {
            NAME: world('(prefab: "a", at: (0, 0))'),
            "prefabs/a.ron": "Prefab(components: [Tags([])])",
        }
    )
    with AssetPipeline(source, jobs=0) as pipeline:
        assert pipeline.bake().ok
        assert pipeline.dependents("prefabs/a.ron") == []
        assert pipeline.dependents("prefabs/a.ron", at_run_time=True) == [NAME]
        source.remove("prefabs/a.ron")
        report = pipeline.bake()
        assert report.ok
        assert report.missing == {"prefabs/a.ron": [NAME]}


MISTAKES: Mapping[str, tuple[str, str]] = {
    "no world": ("Prefab()", "expected `World(...)`"),
    "unknown field": ("World(entity: [])", "did you mean `entities`?"),
    "no prefab": (world("(at: (0, 0))"), "an entity needs a `prefab`"),
    "no position": (world('(prefab: "a")'), "an entity needs a position: `position: (x, y)`"),
    "place": (world('(prefab: "a", at: (0, "b"))'), 'expected a number, found the text "b"'),
    "far": (world('(prefab: "a", at: (2e9, 0))'), "1,000,000,000 pixels"),
    "nan": (world('(prefab: "a", at: (NaN, 0))'), "finite"),
    "prefab": (world('(prefab: "../a", at: (0, 0))'), "leaves its folder"),
    "layer": (world('(prefab: "a", at: (0, 0), layer: "grond")', layers='["ground"]'), "ground"),
    "layers": (world(layers='["a", "a"]'), "stands twice"),
    "cell size": (world(cell_size="0"), "expected 1 to"),
    "infinite cell": (world(cell_size="inf"), "expected 1 to"),
    "id": (world('(prefab: "a", at: (0, 0), id: "~x")'), "does not begin with"),
    "always": (world('(prefab: "a", at: (0, 0), always: 1)'), "expected `true` or `false`"),
    "component": (world('(prefab: "a", at: (0, 0), overrides: [Sprit()])'), "`Sprite`"),
    "field": (world('(prefab: "a", at: (0, 0), overrides: [Sprite(alfa: 1)])'), "`alpha`"),
    "value": (world('(prefab: "a", at: (0, 0), overrides: [Sprite(alpha: 999)])'), "255"),
    "include": (world(include='["worlds/none.ron"]'), "there is no world file"),
    "itself": (world(include=f'["{NAME}"]'), "cannot include itself"),
    "outside": (world(include='["../up.ron"]'), "leaves its folder"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_told_with_its_place(name: str) -> None:
    """File, line and column, and words that help."""
    text, expected = MISTAKES[name]
    (error,) = errors_of(text)
    assert expected in error
    assert error.startswith(f"{NAME}:1:")


def test_what_is_no_world_is_told_what_to_do() -> None:
    """A prefab is told its folder, anything else what a world looks like."""
    for text in ("Prefab()", "Library(a: Prefab())"):
        assert "prefabs stand below the folder `prefabs`" in errors_of(text)[0]
    for text in ("Valley()", "[1]"):
        assert "a world looks like `World(" in errors_of(text)[0]


def test_all_mistakes_are_told_in_one_go() -> None:
    """An author sees them all, in the order of the file, those of included files too."""
    text = world(
        '(prefab: "a")', '(at: (0, 0), prefab: "b", layr: "x")', include='["worlds/b.ron"]'
    )
    errors = errors_of(text, {"worlds/b.ron": world("7")})
    assert len(errors) == 3
    assert sum(error.startswith(NAME) for error in errors) == 2


def test_one_id_in_two_files_is_told_with_both() -> None:
    """An id is a name in the whole world."""
    twin = world('(prefab: "a", at: (0, 0), id: "one")')
    text = world('(prefab: "a", at: (0, 0), id: "one")', include='["worlds/b.ron"]')
    (error,) = errors_of(text, {"worlds/b.ron": twin})
    assert error.startswith("worlds/b.ron:1:")
    assert NAME in error


def test_labels_of_cells_are_labels() -> None:
    """Negative columns and rows included."""
    for cell in ((0, 0), (-3, 7), (10**9, -(10**9))):
        assert is_label(GridCell(*cell).label)


def test_overridden_component_that_changes_bakes_the_world_again(tmp_path: Any) -> None:
    """What a component accepts is part of the key of a world that overrides it."""

    def registry(kind: type) -> ComponentRegistry:
        made = ComponentRegistry()
        made.component(make_dataclass("Health", [("max", kind)]))
        return made

    source = MemorySource({NAME: world('(prefab: "a", at: (0, 0), overrides: [Health(max: 1)])')})
    for kind, ok, baked in ((int, True, 1), (int, True, 0), (str, False, 1), (int, True, 1)):
        with AssetPipeline(
            source, registry=registry(kind), store=tmp_path / "bake.sqlite", jobs=0
        ) as pipeline:
            report = pipeline.bake()
            assert (report.ok, len(report.baked)) == (ok, baked)


def test_label_without_a_file_is_no_prefab() -> None:
    """``#gate`` would be a part of the world file; the hint says what to write."""
    (error,) = errors_of(world('(prefab: "#gate", at: (0, 0))'))
    assert error.startswith(f"{NAME}:1:")
    assert "castle.ron#gate" in error


def test_both_zeros_are_one_place() -> None:
    """``-0.0`` stands where ``0`` does, and is baked to the same bytes."""
    plus, minus = (cells_of(world(f'(prefab: "a", at: ({x}, {x}))')) for x in ("0", "-0.0"))
    assert str(plus) == str(minus)


@given(order=st.permutations(range(4)))
def test_twins_that_differ_keep_their_own_ids(order: list[int]) -> None:
    """Of entities in one place each keeps its id by what it is, wherever it stands in the file."""
    more = ["scale: 2", "", "always: true", "remove: [Light]"]
    registry = ComponentRegistry()
    registry.component(make_dataclass("Light", []))

    def ids(numbers: list[int]) -> dict[str, str]:
        text = world(*(f'(prefab: "a", at: (0, 0), {more[n]})' for n in numbers))
        with AssetPipeline(MemorySource({NAME: text}), registry=registry, jobs=0) as pipeline:
            return {
                one.id: f"{label} {one}"
                for label in ("c0_0", "always")
                for page in read_cell(pipeline.get(f"{NAME}#{label}"))
                for one in page
            }

    assert len(ids(order)) == 4
    assert ids(order) == ids([0, 1, 2, 3])


def test_files_that_overrides_name_are_needed_by_their_cell() -> None:
    """A texture of an override is there at run time, and its sprite sheet is cut."""
    sheet = 'SpriteSheet(image: "b.png", frame_size: (4, 4), columns: 2, count: 2)'
    overrides = f'overrides: [Sprite(texture: "a.png"), Animation(frames: {sheet})]'
    processor = WorldProcessor()
    data = world(f'(prefab: "a", at: (0, 0), {overrides})').encode()
    context = ProcessContext(NAME, data, processor.settings, read=lambda path: b"")
    cell = list(processor.process(context))[1]
    needed = [("prefab", "prefabs/a.ron"), ("texture", "a.png"), ("texture", "b.png")]
    assert list(cell.needs) == needed
    (bake_request,) = context.bake_requests
    assert bake_request.path == "b.png"
    assert bake_request.settings == {"frame_size": [4, 4], "columns": 2, "count": 2, "first": 0}


def test_sprite_class_of_an_override_is_part_of_the_key() -> None:
    """A world that names a sprite class is baked again when it is registered no more."""
    registry = ComponentRegistry()
    registry.sprite_class(type("Enemy", (), {}))
    data = world('(prefab: "a", at: (0, 0), overrides: [Sprite(sprite_class: "Enemy")])')
    context = ProcessContext(NAME, data.encode(), WorldProcessor.settings, read=lambda path: b"")
    list(WorldProcessor(registry).process(context))
    assert ("ambient", "components:@Enemy,Sprite") in context.inputs


def test_errors_of_many_files_are_limited_together() -> None:
    """Thirty files of a hundred mistakes each are no three thousand errors."""
    wrong = world(*["(at: (0, 0))"] * 150)
    files = {f"parts/p{number}.ron": wrong for number in range(30)}
    names = ", ".join(f'"{path}"' for path in files)
    errors = errors_of(world(include=f"[{names}]"), files)
    assert len(errors) == 101
    assert "more errors are not shown" in errors[-1]


def test_second_place_of_an_id_names_the_first() -> None:
    """In one file and in two, with line and column."""
    one = '(prefab: "a", at: (0, 0), id: "one")'
    column = world(one).index('"one"') + 1
    (error,) = errors_of(world(one, one))
    assert f"first in {NAME}:1:{column}" in error
    include = 'include: ["parts/b.ron"], '
    text = world(one).replace("entities", include + "entities")
    (error,) = errors_of(text, {"parts/b.ron": world(one)})
    assert error.startswith(f"parts/b.ron:1:{column}:")
    assert f"{NAME}:1:{column + len(include)}" in error


def test_chain_that_is_too_long_is_named() -> None:
    """Its beginning and its end, with the place where it goes too far."""
    files = {
        f"parts/p{number}.ron": world(include=f'["parts/p{number + 1}.ron"]')
        for number in range(80)
    }
    (error,) = errors_of(world(include='["parts/p0.ron"]'), files)
    assert error.startswith("parts/p62.ron:1:")
    shown = [NAME, *(f"parts/p{n}.ron" for n in (0, 1, 2)), "…"]
    shown += [f"parts/p{n}.ron" for n in (61, 62, 63)]
    assert " → ".join(shown) in error


def one_to_a_cell(count: int) -> str:
    """A world in which every entity has a cell of its own: what takes most for each of them."""
    side = int(count**0.5)
    return world(
        *(f'(prefab: "b", at: ({n % side * 1024 + 5}, {n // side * 1024}))' for n in range(count))
    )


def test_memory_of_a_bake_is_small_for_each_entity() -> None:
    """No entity is held as a value, a document, an object and a row at a time."""
    count = 4_000
    data = one_to_a_cell(count).encode()
    context = ProcessContext(NAME, data, {"cell_size": 1024.0}, read=lambda path: b"")
    tracemalloc.start()
    try:
        outputs = sum(1 for _ in WorldProcessor().process(context))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert outputs > count * 0.95
    assert peak / count < 1_000  # 2,480 when each was held in all four forms


def test_memory_of_sending_a_world_is_small_for_each_cell() -> None:
    """What a worker process has baked is not held as objects and as what is sent at a time."""
    count = 4_000
    source = MemorySource({NAME: one_to_a_cell(count)})
    context = WorkerContext(source, {"world": WorldProcessor()})
    tracemalloc.start()
    try:
        outcomes = list(process_batch(context, [BakeTask(BakeKey(NAME), "world", {})]))
        tracemalloc.reset_peak()
        sent = pickle.dumps(outcomes)
        before = tracemalloc.get_traced_memory()[0]
        got = pickle.loads(sent)
        received = tracemalloc.get_traced_memory()[0] - before
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert list(got[0].outputs) == list(outcomes[0].outputs)
    assert len(got[0].outputs) == len({one.label for one in got[0].outputs}) > count * 0.95
    assert received / count < 300  # 510 as objects
    assert peak / count < 900  # 1,480


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("processes", [0, 1])
def test_world_of_200_000_cells_bakes_within_300_mb(tmp_path: Path, processes: int) -> None:
    """In the process that bakes, Python and all, and in the one that waits for it."""
    pytest.importorskip("resource")  # not on Windows
    (tmp_path / "worlds").mkdir()
    (tmp_path / NAME).write_text(one_to_a_cell(200_000))
    code = (
        "import resource, sys\n"
        "from arcade_prefabs.pipeline import AssetPipeline\n"
        "from arcade_prefabs.pipeline.bake.worker_pool import InlineWorkers, ProcessWorkers\n"
        "workers = ProcessWorkers(1, limit_s=500) if int(sys.argv[2]) else InlineWorkers()\n"
        "with AssetPipeline(sys.argv[1], workers=workers) as pipeline:\n"
        "    assert pipeline.bake().ok\n"
        "for who in resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN:\n"
        "    print(resource.getrusage(who).ru_maxrss)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(processes)],
        capture_output=True,
        text=True,
        timeout=580,
        check=True,
    )
    unit = 1024 if sys.platform == "darwin" else 1
    own, worker = (int(line) // unit for line in found.stdout.split())
    assert max(own, worker) < 300_000
    assert not processes or worker > 100_000  # it was the worker that did it


def test_entity_that_fills_a_page_is_told_with_its_place() -> None:
    """Also if everything else in the file is right."""
    text = world('(prefab: "a", at: (0, 0), overrides: [Tags(["%s"])])' % ("x" * PAGE_BYTES))
    (error,) = errors_of(text)
    assert error.startswith(f"{NAME}:1:")
    assert "bytes of data" in error


@pytest.mark.parametrize("layers", [[f"layer {number}" for number in range(257)], ["x" * 101]])
def test_layers_that_do_not_fit_into_the_head_are_told_with_their_place(layers: list[str]) -> None:
    """All of them stand in the first page, which has an end."""
    names = ", ".join(f'"{name}"' for name in layers)
    (error,) = errors_of(world(layers=f"[{names}]"))
    assert error.startswith(f"{NAME}:1:")


def test_most_and_longest_layers_fit() -> None:
    """The limits themselves are allowed, whatever the characters take."""
    face = "\N{GRINNING FACE}"
    names = ", ".join(f'"{number:03}{face * 97}"' for number in range(256))
    with AssetPipeline(MemorySource({NAME: world(layers=f"[{names}]")}), jobs=0) as pipeline:
        assert len(read_world(pipeline.get(NAME)).layers) == 256


@pytest.mark.parametrize(
    ("size", "label"),
    [
        ("(40, 30)", "c1_m1"),
        ("(100, 100)", "c1_m1"),
        ("(100.5, 3)", "c0_m1_l1"),
        ("(1, 350)", "c0_m1_l2"),
        ("(1000000, 1)", "c0_m1_l14"),
    ],
)
def test_large_entities_stand_on_coarser_levels(size: str, label: str) -> None:
    """A level's cells are as large as what stands in them; each is one cell further on."""
    found = cells_of(world(f'(prefab: "a", at: (150, -50), size: {size})', cell_size="100"))
    assert list(found) == [label]


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("5", "expected (width, height) in pixels"),
        ("(5,)", "expected (width, height)"),
        ("(5, 5, 5)", "expected (width, height)"),
        ('("5", 5)', "expected a number of pixels"),
        ("(true, 5)", "expected a number of pixels"),
        ("(0, 5)", "more than 0"),
        ("(-5, 5)", "more than 0"),
        ("(1e300, 5)", "at most"),
        ("(NaN, 5)", "more than 0"),
        ("(inf, 5)", "more than 0"),
    ],
)
def test_sizes_that_make_no_sense(size: str, words: str) -> None:
    """Each is an error with its place."""
    errors = errors_of(world(f'(prefab: "a", at: (1, 2), size: {size})'))
    assert len(errors) == 1
    assert words in errors[0]
    assert errors[0].startswith(f"{NAME}:1:")


@pytest.mark.parametrize("name", ["w", "worlds/w.RON", "w.Ron", "worlds/w"])
def test_a_worlds_id_ends_in_ron_however_it_is_asked_for(name: str) -> None:
    """The suffix's case is the file system's affair."""
    assert world_id(name) == "worlds/w.ron"
