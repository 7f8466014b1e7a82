"""Whatever is edited, the store ends as after a first bake; what is broken keeps its last good."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from arcade_prefabs import ArcadePrefabsError, PrefabCycleError
from arcade_prefabs.pipeline import AssetPipeline, MemorySource

NAMES = ["a", "b", "c", "d", "e", "lib"]
REFERENCES = [*NAMES[:-1], "lib.ron#x", "lib.ron#y", "missing"]
COMPONENTS = [
    'Tags(["one"])',
    'Tags(["two"])',
    "Sprite(alpha: 7)",
    'Sprite(texture: "t.png", alpha: 9)',
    "Collider(solid: false)",
]


def references(name: str) -> st.SearchStrategy[str]:
    """Mostly prefabs further down, so that most trees are sound; now and then any."""
    below = REFERENCES[NAMES.index(name) + 1 : -1]
    return st.sampled_from([*below * 6, *REFERENCES] if below else REFERENCES[-1:])


@st.composite
def bodies(draw: Any, name: str) -> str:
    """One ``Prefab(...)``; some of them cannot be resolved."""
    parts = []
    some = references(name)
    extends = draw(st.lists(some, max_size=2, unique=True)) if name != "lib" else []
    if extends:
        parts.append("extends: [" + ", ".join(f'"{one}"' for one in extends) + "]")
    components = draw(st.lists(st.sampled_from(COMPONENTS), max_size=2, unique_by=lambda c: c[:4]))
    parts.append(f"components: [{', '.join(components)}]")
    if draw(st.integers(0, 15)) == 0:
        parts.append("remove: [Sound]")
    children = []
    for number in range(draw(st.integers(0, 2)) if name != "lib" else 0):
        child = [f'name: "c{number}"'] if draw(st.booleans()) else []
        if not child or draw(st.integers(0, 7)):
            child.append(f'prefab: "{draw(some)}"')
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
    if draw(st.integers(0, 15)) == 0:
        return draw(st.sampled_from(["Prefab(", "Prefab(components: [Unknown()])", "Prefab(x: 1)"]))
    comment = draw(st.sampled_from(["", "// a comment\n"]))
    if name != "lib":
        return comment + draw(bodies(name))
    labels = draw(st.sampled_from([["x", "y"], ["x", "y"], ["y", "x"], ["x"]]))
    return comment + f"Library({', '.join(f'{one}: {draw(bodies(name))}' for one in labels)})"


def path(name: str) -> str:
    return f"prefabs/{name}.ron"


class Tree(RuleBasedStateMachine):
    """Edits a tree, bakes now and then, and compares with a first bake of the same tree."""

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        self.source = MemorySource({path(name): data.draw(texts(name)) for name in NAMES})
        self.pipeline = AssetPipeline(self.source, jobs=0)

    @rule(name=st.sampled_from(NAMES), data=st.data())
    def write(self, name: str, data: st.DataObject) -> None:
        self.source.write(path(name), data.draw(texts(name)))

    @rule(name=st.sampled_from(NAMES[2:]), data=st.data())
    def write_below_and_bake(self, name: str, data: st.DataObject) -> None:
        self.write(name, data)
        self.bake(True, [])

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
            same = asset.digest == fresh[identifier]
            assert same or self.stands_on_something_broken(identifier)
        else:
            assert self.stands_on_something_broken(identifier)

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
            # Heirs of what is broken keep to its last good version, even where they could do with
            # the broken one, an abstract heir for instance.
            if there.get(identifier) != expected:
                assert self.stands_on_something_broken(identifier), identifier
        for identifier in there.keys() - fresh.keys():
            assert self.stands_on_something_broken(identifier), identifier
        # An heir of a file that is broken keeps to its last good version and has no error itself.
        # Where a circle begins depends on who asks first.
        ours = {str(one) for one in report.errors if not isinstance(one, PrefabCycleError)}
        assert ours <= errors
        assert report.ok == (not errors)
        for identifier in there:
            assert self.pipeline.explain(identifier).stale is None
        again = self.pipeline.bake()
        assert not again.baked
        assert not again.changes

    def stands_on_something_broken(self, identifier: str) -> bool:
        """Whether what is served, if anything, is a last good version, or made from one."""
        seen: set[str] = set()
        todo = [identifier]
        while todo:
            one = todo.pop().partition("#")[0]
            if one in seen:
                continue
            seen.add(one)
            explanation = self.pipeline.explain(one)
            if explanation.errors:
                return True
            todo += [entry.name for entry in explanation.inputs if entry.kind == "output"]
        return False

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
TestTree = pytest.mark.long(pytest.mark.timeout(240)(Tree.TestCase))
