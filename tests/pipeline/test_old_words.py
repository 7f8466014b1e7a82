"""`at` and `rotation` are the old words of files for `position` and `angle`: they go on working."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcade_prefabs.cli import main
from arcade_prefabs.pipeline import AssetPipeline, MemorySource, WorldEntity, read_cell
from arcade_prefabs.prefab import Prefab, Transform

LAMP = "Prefab()"


def prefab(child: str) -> Prefab:
    """A prefab with one child."""
    files = {"prefabs/lamp.ron": LAMP, "prefabs/p.ron": f"Prefab(children: [({child})])"}
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        return pipeline.get_prefab("p")


def entities(entity: str) -> list[WorldEntity]:
    """The entities of a world with one."""
    files = {"worlds/w.ron": f"World(cell_size: 100, entities: [({entity})])"}
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        assert not pipeline.bake().errors
        return [one for page in read_cell(pipeline.get("worlds/w.ron#c0_0")) for one in page]


def errors(text: str, path: str) -> list[str]:
    """What is wrong with a file."""
    with AssetPipeline(MemorySource({path: text, "prefabs/lamp.ron": LAMP}), jobs=0) as pipeline:
        return [str(one) for one in pipeline.bake().errors]


@pytest.mark.parametrize("position", ["at", "position"])
@pytest.mark.parametrize("angle", ["rotation", "angle"])
def test_both_words_mean_the_same(position: str, angle: str) -> None:
    """In children, and in worlds, where the id that an entity gets by itself is the same, too."""
    where = f'prefab: "lamp", {position}: (3, 4), {angle}: 90'
    (child,) = prefab(where).children
    assert child.placement == Transform((3.0, 4.0), 90.0)
    (entity,) = entities(where)
    (new,) = entities('prefab: "lamp", position: (3, 4), angle: 90')
    assert entity == new
    assert (entity.x, entity.y, entity.angle) == (3.0, 4.0, 90.0)


def test_a_child_that_is_changed_may_be_written_in_other_words() -> None:
    """The heir of a file of the old words has the new ones, or the other way round."""
    files = {
        "prefabs/lamp.ron": LAMP,
        "prefabs/old.ron": 'Prefab(children: [(name: "n", prefab: "lamp", at: (1, 2), angle: 3)])',
        "prefabs/new.ron": 'Prefab(extends: "old", children: [(name: "n", angle: 4)])',
        "prefabs/late.ron": 'Prefab(extends: "new", children: [(name: "n", at: (5, 6))])',
    }
    with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
        (child,) = pipeline.get_prefab("late").children
    assert child.placement == Transform((5.0, 6.0), 4.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("at: 3", ":1:{at}: {what}.at: expected (number, number), found the number 3"),
        ("position: 3", ":1:{at}: {what}.position: expected (number, number), found"),
        ("at: (1, 2), position: (3, 4)", "the field `position` stands twice: once by its old word"),
        ("position: (1, 2), at: (3, 4)", "the field `position` stands twice: once by its old word"),
        ("at: (1, 2), at: (3, 4)", "the field `at` stands twice"),
        ("at: (1, 2), angle: 3, rotation: 3", "the field `angle` stands twice: once by its"),
    ],
)
def test_mistakes_are_told_in_the_word_of_the_file(fields: str, message: str) -> None:
    """With line and column of that word; both at once are an error."""
    for path, start, what in (
        ("prefabs/p.ron", "Prefab(children: [", "children[0]"),
        ("worlds/w.ron", "World(entities: [", "entities[0]"),
    ):
        text = f'{start}(prefab: "lamp", {fields})])'
        (error,) = errors(text, path)
        column = text.index("3") + 1
        assert message.format(at=column, what=what) in error


def test_old_names_of_attributes_are_read_with_a_warning() -> None:
    """Until version 1.0."""
    with pytest.deprecated_call(match="Transform.at is named position now"):
        assert Transform((1.0, 2.0)).at == (1.0, 2.0)
    with pytest.deprecated_call(match="Transform.rotation is named angle now"):
        assert Transform(angle=3.0).rotation == 3.0
    with pytest.deprecated_call(match="WorldEntity.rotation is named angle now"):
        assert WorldEntity("", "lamp", 0, 0, 5.0).rotation == 5.0


def test_check_counts_old_words_in_one_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no error; components may have a field of that name; a file of new words is none."""
    for path, text in {
        "prefabs/lamp.ron": LAMP,
        "prefabs/new.ron": 'Prefab(children: [(prefab: "lamp", position: (1, 2))])  // at: (1, 2)',
        "prefabs/old.ron": 'Prefab(children: [(prefab: "lamp", at: (1, 2), rotation: 3)])',
        "prefabs/all.ron": 'Library(a: Prefab(children: [(prefab: "lamp", rotation: 3)]))',
        "worlds/w.ron": "World(entities: [" + 2 * '(prefab: "new", at: (1, 2)),' + "])",
    }.items():
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert main(["check", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-2].endswith(": no errors")
    assert out.splitlines()[-1].startswith("note: 5 fields in 3 files (")
    assert "named `at` or `rotation`: write `position` and `angle`; the old words work until" in out
    (tmp_path / "prefabs/lamp.ron").write_text("Prefab(at: 3)", encoding="utf-8")
    assert main(["check", str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("note: 5 fields in 3 files (")
