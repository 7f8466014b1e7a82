"""Whatever is edited, the store ends as after a first bake; what is broken keeps its last good."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from arcade_prefabs import ArcadePrefabsError
from arcade_prefabs.pipeline import AssetPipeline, MemorySource

NAMES = ["a", "b", "c", "d", "e", "lib"]
LABELS = ["x", "y"]
REFERENCES = [*NAMES[:-1], "lib.ron#x", "lib.ron#y", "missing"]
COMPONENTS = [
    'Tags(["one"])',
    'Tags(["two"])',
    "Sprite(alpha: 7)",
    'Sprite(texture: "t.png")',
    "Collider(solid: false)",
]


@st.composite
def bodies(draw: Any) -> str:
    """One ``Prefab(...)``; quite a few of them cannot be resolved."""
    parts = []
    extends = draw(st.lists(st.sampled_from(REFERENCES), max_size=2, unique=True))
    if extends:
        parts.append(f"extends: [{', '.join(map(repr, extends))}]".replace("'", '"'))
    components = draw(st.lists(st.sampled_from(COMPONENTS), max_size=2, unique_by=lambda c: c[:4]))
    parts.append(f"components: [{', '.join(components)}]")
    if draw(st.integers(0, 9)) == 0:
        parts.append("remove: [Sound]")
    children = []
    for number in range(draw(st.integers(0, 2))):
        child = [f'name: "c{number}"'] if draw(st.booleans()) else []
        if not child or draw(st.integers(0, 3)):
            child.append(f'prefab: "{draw(st.sampled_from(REFERENCES))}"')
        if draw(st.booleans()):
            child.append(f"overrides: [{draw(st.sampled_from(COMPONENTS))}]")
        children.append(f"({', '.join(child)})")
    if children:
        parts.append(f"children: [{', '.join(children)}]")
    if draw(st.integers(0, 4)) == 0:
        parts.append("abstract: true")
    return f"Prefab({', '.join(parts)})"


@st.composite
def texts(draw: Any, name: str) -> str:
    """The text of a file: sound, broken, or with a comment more."""
    if draw(st.integers(0, 7)) == 0:
        return draw(st.sampled_from(["Prefab(", "Prefab(components: [Unknown()])", "Prefab(x: 1)"]))
    comment = draw(st.sampled_from(["", "// a comment\n"]))
    if name != "lib":
        return comment + draw(bodies())
    labels = draw(st.lists(st.sampled_from(LABELS), min_size=1, unique=True))
    return comment + f"Library({', '.join(f'{one}: {draw(bodies())}' for one in labels)})"


def path(name: str) -> str:
    return f"prefabs/{name}.ron"


class Tree(RuleBasedStateMachine):
    """Edits a tree, bakes now and then, and compares with a first bake of the same tree."""

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        self.source = MemorySource({path(name): data.draw(texts(name)) for name in NAMES[:3]})
        self.pipeline = AssetPipeline(self.source, jobs=0)

    @rule(name=st.sampled_from(NAMES), data=st.data())
    def write(self, name: str, data: st.DataObject) -> None:
        self.source.write(path(name), data.draw(texts(name)))

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name: str) -> None:
        if self.source.stat(path(name)) is not None:
            self.source.remove(path(name))

    @rule(name=st.sampled_from(NAMES))
    def touch(self, name: str) -> None:
        if self.source.stat(path(name)) is not None:
            self.source.write(path(name), self.source.read(path(name)))

    @rule(name=st.sampled_from(NAMES), other=st.sampled_from(NAMES[:-1]))
    def copy(self, name: str, other: str) -> None:
        if name != "lib" and self.source.stat(path(name)) is not None:
            self.source.write(path(other), self.source.read(path(name)))

    @rule(name=st.sampled_from(REFERENCES))
    def ask(self, name: str) -> None:
        """Baking on demand gives what a first bake would, or the last good version, or an error."""
        self.pipeline.invalidate()
        fresh, _ = self.first_bake()
        identifier = f"prefabs/{name}" + ("" if ".ron" in name else ".ron")
        try:
            asset = self.pipeline.get(identifier)
        except ArcadePrefabsError:
            assert identifier not in fresh
            return
        if identifier in fresh:
            assert asset.digest == fresh[identifier]
        else:
            assert asset.errors

    @rule(whole=st.booleans(), names=st.lists(st.sampled_from(NAMES), min_size=1))
    def bake(self, whole: bool, names: list[str]) -> None:
        """After a bake of everything the store is what a first bake gives."""
        if not whole:
            self.pipeline.bake([path(name) for name in names])
        report = self.pipeline.bake()
        assert report.notes == []
        fresh, errors = self.first_bake()
        there = {one: self.pipeline.get(one).digest for one in self.pipeline.ids()}
        for identifier, expected in fresh.items():
            assert there.get(identifier) == expected, identifier
        for identifier in there.keys() - fresh.keys():
            assert self.pipeline.get(identifier).errors, identifier
        assert {str(error) for error in report.errors} == errors
        for identifier in there:
            assert self.pipeline.explain(identifier).stale is None
        again = self.pipeline.bake()
        assert not again.baked
        assert not again.changes

    def first_bake(self) -> tuple[dict[str, bytes], set[str]]:
        files = {file.path: self.source.read(file.path) for file in self.source.scan()}
        with AssetPipeline(MemorySource(files), jobs=0) as pipeline:
            report = pipeline.bake()
            digests = {one: pipeline.get(one).digest for one in pipeline.ids()}
            return digests, {str(error) for error in report.errors}

    def teardown(self) -> None:
        if hasattr(self, "pipeline"):
            self.pipeline.close()


Tree.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestTree = pytest.mark.timeout(240)(Tree.TestCase)
