"""An error about a name that resembles no known one lists the known ones: no hint is empty."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import pytest
from arcade import SpriteList
from stage import Stage, png

import arcade_prefabs
from arcade_prefabs import ComponentRegistry, Variant
from arcade_prefabs.cli.command import main
from arcade_prefabs.errors import LocatedError
from arcade_prefabs.loading import AsyncPrefabLoader
from arcade_prefabs.pipeline import AssetPipeline, HandleSource, MemorySource, WorldBuilder
from arcade_prefabs.pipeline.processors.world_document import read_world_file
from arcade_prefabs.prefab import read_prefabs
from arcade_prefabs.prefab.suggestions import nearest_ids
from arcade_prefabs.streaming.renderer import WorldRenderer
from arcade_prefabs.streaming.settings import chosen_settings

PACKAGE: Final = Path(arcade_prefabs.__file__).parent
FAR: Final = "zzzzzz"


class Fire(Variant):
    """A variant of a component field."""

    damage: int = 1


class Frost(Variant):
    """Another variant of the field."""

    seconds: float = 1.0


@dataclass
class Spell:
    """A component with a field of variants."""

    effect: Fire | Frost
    kind: Literal["slow", "fast"] = "slow"


REGISTRY: Final = ComponentRegistry()
REGISTRY.component(Spell)

FILES: Final[dict[str, str | bytes]] = {
    "images/red.png": png((255, 0, 0)),
    "prefabs/lamp.ron": 'Prefab(components: [Sprite(texture: "images/red.png")])',
    "prefabs/post.ron": 'Prefab(children: [(name: "lamp", prefab: "lamp")])',
    "prefabs/lib.ron": "Library(gate: Prefab(), wall: Prefab())",
}

Errors: TypeAlias = Callable[[Any], Any]
"""Makes an error, with a stage if it needs one."""


def the(ask: Callable[[], object]) -> Exception:
    """Returns the error that a call raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # the text is what matters
        ask()
    return caught.value


def read(text: str) -> LocatedError:
    (error,) = read_prefabs(text, "a", registry=REGISTRY).errors
    return error


def baked(name: str, text: str) -> LocatedError:
    """Bakes one more prefab; returns its error."""
    with _pipeline({f"prefabs/{name}.ron": text}) as pipeline:
        (error,) = pipeline.bake().errors
        return error


def _pipeline(more: dict[str, str | bytes] | None = None) -> AssetPipeline:
    source = MemorySource({**FILES, **(more or {})})
    pipeline = AssetPipeline(HandleSource(source, {"own": []}), registry=REGISTRY, jobs=0)
    pipeline.bake()
    return pipeline


A_WORLD = {"worlds/valley.ron": "World(entities: [])"}


def missing(
    name: str, settings: dict[str, object] | None = None, more: dict[str, str] | None = None
) -> Exception:
    """Returns the error of an asset that is loaded and does not exist."""
    with _pipeline(more) as pipeline:
        return the(lambda: pipeline.get(name, settings))


def dangling(text: str) -> LocatedError:
    with _pipeline({"prefabs/own.ron": text}) as pipeline:
        (error,) = pipeline.dangling()
        return error


def built(**more: Any) -> Exception:
    """Adds an entity with a `WorldBuilder`; returns the error."""
    with (
        _pipeline() as pipeline,
        WorldBuilder(pipeline, "w", layers=["low"], registry=REGISTRY) as world,
    ):
        return the(lambda: world.add("lamp", (0, 0), **more))


def of_world(text: str) -> LocatedError:
    (error,) = read_world_file(text.encode(), "worlds/w.ron", REGISTRY, "worlds/w.ron").file.errors
    return error


def spawned(on: Stage, overrides: Any) -> Exception:
    """Returns the error of a spawn with overrides."""
    scene = {"low": SpriteList(), "default": SpriteList()}
    entity = on.prefabs.spawn("post", overrides=overrides, scene=scene)
    on.until(lambda: entity.error is not None)
    assert entity.error is not None
    return entity.error


def in_layers(on: Stage) -> Exception:
    entity = on.prefabs.spawn("lamp", scene={"low": SpriteList()})
    on.until(lambda: entity.error is not None)
    assert entity.error is not None
    return entity.error


def in_folder(_: object) -> Exception:
    with _pipeline() as pipeline, AsyncPrefabLoader(pipeline, registry=REGISTRY) as loader:
        batch = loader.load_folder(FAR)
        assert loader.wait(batch)
        return batch.errors[FAR]


class Other:
    """A class that is no component."""


COMPONENTS: Final = "there are: `Animation`, "
# By the place that asks for the nearest name.
USES: Final[dict[str, list[tuple[Errors, str]]]] = {
    "loading.requests.batch _listed": [(in_folder, "there are: `images`, `prefabs`")],
    "pipeline.store.baked_assets open_asset": [
        (
            lambda _: missing(f"prefabs/lib.ron#{FAR}"),
            "there are: `#gate`, `#wall`",
        ),
        (lambda _: missing("prefabs/lib.ron"), "there are: `#gate`, `#wall`"),
    ],
    "pipeline.dangling_references ReferenceChecker._near": [
        (
            lambda _: dangling(f'Prefab(components: [Sprite(texture: "{FAR}.png")])'),
            "there are: `images/red.png`",
        ),
        (
            lambda _: dangling(f'Prefab(components: [Sound(path: "{FAR}.ogg")])'),
            f"there is no sound {FAR}.ogg",
        ),
    ],
    "pipeline.processors.world_document _Reader._layer": [
        (
            lambda _: of_world(
                f'World(layers: ["low"], entities: [(prefab: "a", at: (0, 0), layer: "{FAR}")])'
            ),
            "there are: `low`",
        )
    ],
    "pipeline.asset_reader BakedAssetReader._hint": [
        (lambda _: missing(f"prefabs/{FAR}.ron"), "there are: `lamp`, `lib`, `post`"),
        (lambda _: missing(f"{FAR}.zip"), "there are: `images/red.png`, `prefabs/"),
        (lambda _: missing(f"{FAR}.png"), "this is a picture"),
        (lambda _: missing(f"worlds/{FAR}.ron"), "there is no such asset"),
        (lambda _: missing("worlds/quux.ron", more=A_WORLD), "there are: `valley`"),
    ],
    "pipeline.sources.handles HandleSource.read": [
        (lambda _: the(lambda: _handles().read(f":{FAR}:a.png")), "there are: `own`"),
        (lambda _: the(lambda: _handles(none=True).read(":a:b.png")), "there are none"),
    ],
    "pipeline.bake.task _settings": [
        (lambda _: missing("images/red.png", {FAR: 1}), "there are: `border`"),
    ],
    "pipeline.world_builder WorldBuilder.add": [
        (lambda _: built(layer=FAR), "there are: `low`"),
    ],
    "pipeline.world_builder WorldBuilder._needs_of": [
        (lambda _: built(overrides={FAR: {}}), COMPONENTS),
        (lambda _: built(overrides={"Spell": {FAR: 1}}), "there are: `effect`, `kind`"),
    ],
    "prefab.container_types Record.given": [
        (lambda _: read(f"Prefab(components: [Spell(effect: Fire, {FAR}: 1)])"), "`effect`, `k"),
    ],
    "prefab.container_types Union.lower": [
        (
            lambda _: read(f"Prefab(components: [Spell(effect: {FAR}(1))])"),
            "there are: `Fire`, `Frost`",
        ),
    ],
    "prefab.document PrefabFile.prefab": [
        (
            lambda _: baked("own", f'Prefab(extends: "lib#{FAR}")'),
            "there are: `#gate`, `#wall`",
        ),
        (
            lambda _: the(lambda: read_prefabs("Library()", "a").prefab(FAR)),
            "there are none",
        ),
    ],
    "prefab.resolve remove": [
        (lambda _: baked("own", 'Prefab(extends: "lamp", remove: [Tags])'), "there are: `Sprite`"),
        (lambda _: baked("own", "Prefab(remove: [Tags])"), "there are none"),
    ],
    "prefab.resolve change_child": [
        (
            lambda _: baked("own", f'Prefab(extends: "post", children: [(name: "{FAR}")])'),
            "there are: `lamp`",
        ),
        (
            lambda _: baked("own", f'Prefab(extends: "lamp", children: [(name: "{FAR}")])'),
            "there are none",
        ),
    ],
    "prefab.converters Choice.lower": [
        (
            lambda _: read(f'Prefab(components: [Spell(effect: Fire, kind: "{FAR}")])'),
            "there are: `fast`, `slow`",
        ),
    ],
    "prefab.reader DocumentReader._field_hint": [
        (lambda _: read(f"Prefab({FAR}: 1)"), "there are: `extends`, `components`, `remove`"),
    ],
    "prefab.reader DocumentReader.components": [
        (lambda _: read(f"Prefab(components: [{FAR}()])"), COMPONENTS),
    ],
    "prefab.reader DocumentReader.removed": [
        (lambda _: read(f"Prefab(remove: [{FAR}])"), COMPONENTS),
    ],
    "prefab.registry ComponentRegistry.build": [
        (lambda _: the(lambda: REGISTRY.build(FAR, {})), COMPONENTS),
    ],
    "prefab.registry unknown_sprite_class": [
        (
            lambda _: read(
                f'Prefab(components: [Sprite(texture: "a.png", sprite_class: "{FAR}")])'
            ),
            "there are: `",
        ),
    ],
    "prefab.suggestions nearest_ids": [
        (lambda _: nearest_ids(FAR, ["prefabs/lamp.ron"]), "there are: `lamp`"),
        (lambda _: nearest_ids(f"{FAR}.png", ["prefabs/lamp.ron"]), "this is a picture"),
    ],
    "spawning.entities.entity_index EntityIndex.name_of": [
        (
            lambda on: the(lambda: on.prefabs.entities.with_component(Other)),
            "write `@arcade_prefabs.component` above the class",
        ),
    ],
    "spawning.entities.entity Entity.child": [
        (lambda on: the(lambda: on.spawn("post").child(FAR)), "; there are: `lamp`"),
        (lambda on: the(lambda: on.spawn("lamp").child(FAR)), "; there are none"),
    ],
    "spawning.layers Layers.list_of": [(in_layers, "no layer 'default'; there are: `low`")],
    "spawning.blueprints.overrides Overrides.__init__": [
        (lambda on: the(lambda: on.prefabs.spawn("lamp", overrides={FAR: {}})), COMPONENTS),
        (
            lambda on: the(lambda: on.prefabs.spawn("lamp", overrides={"Spell": {FAR: 1}})),
            "there are: `effect`, `kind`",
        ),
    ],
    "spawning.blueprints.overrides Overrides.applied": [
        (lambda on: spawned(on, {f"{FAR}/Tags": {}}), "to override; there are: `lamp`"),
    ],
    "spawning.blueprints.overrides _named": [
        (lambda on: the(lambda: on.prefabs.spawn("lamp", overrides=[Other()])), COMPONENTS),
    ],
    "streaming.settings chosen_settings": [
        (lambda _: the(lambda: chosen_settings(None, {FAR: 1})), "there are: `load_distance`"),
    ],
    "streaming.renderer WorldRenderer.check": [
        (
            lambda _: the(lambda: WorldRenderer(["low"]).check([FAR])),
            "no layer 'zzzzzz' so far; there are: `low`",
        ),
        (lambda _: the(lambda: WorldRenderer([]).check([FAR])), "so far; there are none"),
    ],
}
# It asks only if a name is near, and shows something else if none is.
NEAR_ALONE: Final = {"prefab.reader _form_hint"}
ELSEWHERE: Final = {"cli.facts _with_hint": "test_inspect_tells_what_there_is"}


def _handles(*, none: bool = False) -> HandleSource:
    return HandleSource(MemorySource({}), {} if none else {"own": []})


def _uses() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for within in _within(ast.parse(path.read_text(encoding="utf-8")), ()):
            yield f"{module} {'.'.join(within)}"


def _within(node: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Returns the names of the functions around each use below a node."""
    for child in ast.iter_child_nodes(node):
        inner = names
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            inner = (*names, child.name)
        elif isinstance(child, ast.Name) and child.id == "did_you_mean":
            yield names
        yield from _within(child, inner)


def test_each_place_that_asks_for_near_names_is_tried_without_one() -> None:
    """Whoever adds one adds a case here."""
    assert set(_uses()) == {*USES, *NEAR_ALONE, *ELSEWHERE}
    for name in ELSEWHERE.values():
        assert callable(globals()[name])


@pytest.mark.long
@pytest.mark.parametrize("use", USES)
def test_a_far_name_is_told_the_names_that_there_are(use: str, stage: Callable[..., Stage]) -> None:
    """Each hint says something, and each error shows it."""
    on = stage(FILES, registry=REGISTRY)
    for ask, words in USES[use]:
        text = str(ask(on))
        hint = text.partition("hint:")[2] if "hint:" in text else text
        assert words in text, text
        assert hint.strip(), text


def test_inspect_tells_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of all files, baked or not."""
    (tmp_path / "store").mkdir()
    (tmp_path / "prefabs").mkdir()
    (tmp_path / "prefabs" / "lamp.ron").write_text("Prefab()")
    store = ["--store", str(tmp_path / "store" / "bake.sqlite")]
    assert main(["inspect", FAR, "--assets", str(tmp_path), *store]) != 0
    output = capsys.readouterr()
    assert "hint: there are: " in output.out + output.err
