"""What a prefab inherits: components field by field, children by name (scenario F1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcade_prefabs import ComponentRegistry, MissingPrefabError, Prefab, PrefabError
from arcade_prefabs.prefab import (
    Dependency,
    PrefabRef,
    SoundPath,
    SpriteSheet,
    TexturePath,
    Transform,
)


def only(prefab: Prefab) -> dict[str, Any]:
    """The fields of a prefab's single component."""
    (fields,) = prefab.components.values()
    return fields


def test_fields_are_overridden_one_by_one_through_three_levels_and_a_child(library: Any) -> None:
    """Each level changes a field of its own and keeps the others; the child's override wins."""
    files = library(
        {
            "a": 'Prefab(components: [Text(text: "a", font_size: 1, bold: true)])',
            "b": 'Prefab(extends: "a", components: [Text(font_size: 2)])',
            "c": 'Prefab(extends: "b", components: [Text(text: "c")])',
            "d": 'Prefab(children: [(prefab: "c", overrides: [Text(italic: true, font_size: 3)])])',
        }
    )
    assert only(files.resolve("b")) == {"text": "a", "font_size": 2, "bold": True}
    assert only(files.resolve("c")) == {"text": "c", "font_size": 2, "bold": True}
    child = files.resolve("d").children[0].prefab
    assert child.id == "prefabs/c.ron"
    assert only(child) == {"text": "c", "font_size": 3, "bold": True, "italic": True}
    assert only(files.resolve("c")) == {"text": "c", "font_size": 2, "bold": True}


def test_later_parents_win_field_by_field(library: Any) -> None:
    """Of several parents the last one's fields count, the own ones more than any."""
    files = library(
        {
            "a": 'Prefab(components: [Text(text: "a", font_size: 1), Tags(["a"])])',
            "b": 'Prefab(components: [Text(text: "b", bold: true)])',
            "ab": 'Prefab(extends: ["a", "b"], components: [Text(bold: false)])',
            "ba": 'Prefab(extends: ["b", "a"])',
        }
    )
    assert files.resolve("ab").components == {
        "Text": {"text": "b", "font_size": 1, "bold": False},
        "Tags": {"names": ["a"]},
    }
    assert files.resolve("ba").components["Text"] == {"text": "a", "font_size": 1, "bold": True}


def test_values_inherited_by_the_later_parent_win_too(library: Any) -> None:
    """In a diamond the later parent brings back what the earlier one had changed."""
    files = library(
        {
            "a": 'Prefab(components: [Text(text: "a")])',
            "b": 'Prefab(extends: "a", components: [Text(text: "b")])',
            "c": 'Prefab(extends: "a")',
            "bc": 'Prefab(extends: ["b", "c"])',
            "cb": 'Prefab(extends: ["c", "b"])',
        }
    )
    assert only(files.resolve("bc")) == {"text": "a"}
    assert only(files.resolve("cb")) == {"text": "b"}


def test_a_component_can_be_removed_and_given_anew_further_down(library: Any) -> None:
    """What was removed leaves no field behind."""
    files = library(
        {
            "a": 'Prefab(components: [Text(text: "a", bold: true), Tags(["a"])])',
            "b": 'Prefab(extends: "a", remove: [Text])',
            "c": 'Prefab(extends: "b", components: [Text(text: "c")])',
            "d": 'Prefab(children: [(prefab: "a", remove: ["Tags"])])',
        }
    )
    assert list(files.resolve("b").components) == ["Tags"]
    assert files.resolve("c").components["Text"] == {"text": "c"}
    assert list(files.resolve("d").children[0].prefab.components) == ["Text"]
    assert list(files.resolve("a").components) == ["Text", "Tags"]


def test_removing_what_is_not_inherited_is_an_error_for_each_name(library: Any) -> None:
    """Both names of one list are reported, each at its place."""
    files = library({"a": "Prefab(remove: [Sprite, Tags])"})
    errors = files.problems("a")
    assert [(error.column, error.message) for error in errors] == [
        (17, "remove[0]: `Sprite` cannot be removed, for it is not inherited"),
        (25, "remove[1]: `Tags` cannot be removed, for it is not inherited"),
    ]
    child = library({"a": "Prefab()", "b": 'Prefab(children: [(prefab: "a", remove: [Tags])])'})
    with pytest.raises(PrefabError, match=r"b.ron:1:42: .*`Tags` cannot be removed"):
        child.resolve("b")


def test_a_child_of_an_inherited_name_changes_that_child(library: Any) -> None:
    """Its place and overrides are merged; its position among the siblings stays."""
    files = library(
        {
            "lamp": 'Prefab(components: [Text(text: "lamp", font_size: 1)])',
            "a": """Prefab(children: [
                (name: "lamp", prefab: "lamp", at: (1, 2), rotation: 3,
                    overrides: [Text(bold: true)]),
                (name: "other", prefab: "lamp"),
            ])""",
            "b": """Prefab(extends: "a", children: [
                (name: "new", prefab: "lamp"),
                (name: "lamp", rotation: 4, scale: (1, 2), overrides: [Text(text: "b")]),
            ])""",
        }
    )
    children = files.resolve("b").children
    assert [child.name for child in children] == ["lamp", "other", "new"]
    assert children[0].placement == Transform(position=(1.0, 2.0), angle=4.0, scale=(1.0, 2.0))
    assert only(children[0].prefab) == {"text": "b", "font_size": 1, "bold": True}
    assert only(files.resolve("a").children[0].prefab)["text"] == "lamp"


def test_another_prefab_for_an_inherited_child_drops_its_overrides_but_not_its_place(
    library: Any,
) -> None:
    """Overrides were about the old prefab; the place is about the parent."""
    files = library(
        {
            "lamp": 'Prefab(components: [Text(text: "lamp")])',
            "torch": 'Prefab(components: [Tags(["hot"])])',
            "a": """Prefab(children: [
                (name: "light", prefab: "lamp", at: (1, 2), overrides: [Text(bold: true)])])""",
            "b": 'Prefab(extends: "a", children: [(name: "light", prefab: "torch")])',
        }
    )
    prefab = files.resolve("b")
    (child,) = prefab.children
    assert child.prefab.components == {"Tags": {"names": ["hot"]}}
    assert child.placement.position == (1.0, 2.0)
    assert prefab.built_from == ("prefabs/a.ron", "prefabs/b.ron", "prefabs/torch.ron")


def test_an_unknown_child_without_a_prefab_is_an_error_with_a_hint(library: Any) -> None:
    """A misspelt child's name would otherwise add nothing, silently."""
    files = library(
        {
            "lamp": "Prefab()",
            "a": 'Prefab(children: [(name: "lamp", prefab: "lamp")])',
            "b": 'Prefab(extends: "a",\n    children: [(name: "lampp", at: (0, 1))])',
        }
    )
    (error,) = files.problems("b")
    assert (error.path, error.line, error.column) == ("prefabs/b.ron", 2, 16)
    assert "there is no inherited child `lampp`" in error.message
    assert error.hint == "did you mean `lamp`?"


def test_a_diamond_does_not_duplicate_children(library: Any) -> None:
    """Children with and without a name come once from a common grandparent."""
    files = library(
        {
            "x": "Prefab()",
            "a": 'Prefab(children: [(prefab: "x"), (prefab: "x"), (name: "n", prefab: "x")])',
            "b": 'Prefab(extends: "a", children: [(prefab: "x", at: (1, 1))])',
            "c": 'Prefab(extends: "a")',
            "d": 'Prefab(extends: ["b", "c"])',
        }
    )
    children = files.resolve("d").children
    assert [(child.name, child.placement.position) for child in children] == [
        (None, (0.0, 0.0)),
        (None, (0.0, 0.0)),
        ("n", (0.0, 0.0)),
        (None, (1.0, 1.0)),
    ]


def test_nested_values_are_replaced_whole(library: Any) -> None:
    """Lists are not appended to, and shapes are not mixed."""
    files = library(
        {
            "a": 'Prefab(components: [Tags(["a", "b"]), Collider(shape: Box(1, 2), solid: false)])',
            "b": 'Prefab(extends: "a", components: [Tags(["c"]), Collider(shape: Circle(3))])',
        }
    )
    assert files.resolve("b").components == {
        "Tags": {"names": ["c"]},
        "Collider": {"shape": {"type": "Circle", "radius": 3}, "solid": False},
    }


def test_an_abstract_prefab_may_lack_fields_and_can_only_be_extended(library: Any) -> None:
    """It is an error to resolve it, or to use it as a child: there, at the child."""
    files = library(
        {
            "a": "Prefab(abstract: true, components: [Sprite(alpha: 3)])",
            "b": 'Prefab(extends: "a", components: [Sprite(texture: "b.png")])',
            "c": 'Prefab(\n    children: [(prefab: "a")])',
        }
    )
    assert files.problems("a") == []
    assert only(files.resolve("b")) == {"alpha": 3, "texture": "b.png"}
    with pytest.raises(PrefabError, match=r"^prefabs/a.ron:1:1: prefabs/a.ron is abstract"):
        files.resolve("a")
    with pytest.raises(PrefabError, match=r"^prefabs/c.ron:2:25: .*prefabs/a.ron is abstract"):
        files.resolve("c")


def test_heirs_of_an_abstract_prefab_are_not_abstract(library: Any) -> None:
    """An heir that leaves the missing field out gets the error, at its own or the last place."""
    files = library(
        {"a": "Prefab(abstract: true, components: [Sprite()])", "b": 'Prefab(extends: "a")'}
    )
    with pytest.raises(PrefabError, match=r"Sprite: missing field `texture`"):
        files.resolve("b")


def test_the_children_of_an_abstract_prefab_are_checked(library: Any) -> None:
    """A child that does not exist is wrong in every heir, so it is wrong already."""
    files = library(
        {
            "x": "Prefab()",
            "a": 'Prefab(abstract: true, children: [(prefab: "nope"), (prefab: "x")])',
        }
    )
    (error,) = files.problems("a")
    assert isinstance(error, MissingPrefabError)
    assert (error.path, error.column) == ("prefabs/a.ron", 44)


def test_labels_name_prefabs_of_a_library_from_inside_and_outside(library: Any) -> None:
    """`#gate` is in the same file; other files write the file's name in front."""
    files = library(
        {
            "castle": """Library(
                wall: Prefab(components: [Text(text: "wall", bold: true)]),
                gate: Prefab(extends: "#wall", components: [Text(text: "gate")]),
                yard: Prefab(children: [(prefab: "#gate"), (prefab: "castle#wall")]),
            )""",
            "town": 'Prefab(extends: "castle.ron#gate", children: [(prefab: "castle#yard")])',
        }
    )
    town = files.resolve("town")
    assert only(town) == {"text": "gate", "bold": True}
    assert [part.id for part in town.walk()] == [
        "prefabs/town.ron",
        "prefabs/castle.ron#yard",
        "prefabs/castle.ron#gate",
        "prefabs/castle.ron#wall",
    ]
    assert town.built_from == ("prefabs/castle.ron", "prefabs/town.ron")
    assert files.read == ["prefabs/town.ron", "prefabs/castle.ron"]
    assert files.resolve("castle#gate").id == "prefabs/castle.ron#gate"


def test_needs_and_built_from_are_exact(library: Any) -> None:
    """Overridden textures are not needed, children's are; every file that contributes is listed."""
    files = library(
        {
            "base": """Prefab(components: [
                Sprite(texture: "old.png"), Sound(path: "hit.wav"),
                Animation(frames: ["2.png", "1.png", "2.png"])])""",
            "lamp": 'Prefab(components: [Sprite(texture: "lamp.png")])',
            "torch": 'Prefab(extends: "lamp", components: [Sprite(texture: "torch.png")])',
            "crate": """Prefab(extends: "base", components: [Sprite(texture: "./new.png")],
                remove: [Sound], children: [(prefab: "torch"), (prefab: "lamp")])""",
            "unused": "Prefab()",
        }
    )
    crate = files.resolve("crate")
    assert crate.needs == (
        Dependency("texture", "1.png"),
        Dependency("texture", "2.png"),
        Dependency("texture", "lamp.png"),
        Dependency("texture", "new.png"),
        Dependency("texture", "torch.png"),
    )
    names = ("base", "crate", "lamp", "torch")
    assert crate.built_from == tuple(f"prefabs/{name}.ron" for name in names)
    assert Dependency("sound", "hit.wav") in files.resolve("base").needs


def test_an_overridden_child_needs_only_what_it_still_uses(library: Any) -> None:
    """A child whose texture is replaced, or that lost its sprite, no longer needs the old one."""
    files = library(
        {
            "lamp": 'Prefab(components: [Sprite(texture: "lamp.png")])',
            "a": 'Prefab(children: [(prefab: "lamp", overrides: [Sprite(texture: "a.png")])])',
            "b": 'Prefab(children: [(prefab: "lamp", remove: [Sprite])])',
        }
    )
    assert files.resolve("a").needs == (Dependency("texture", "a.png"),)
    assert files.resolve("b").needs == ()


@dataclass
class Named:
    """Names of files in every place that a type can have."""

    pair: tuple[TexturePath, int] | None = None
    by_name: dict[str, SoundPath] = field(default_factory=dict)
    by_prefab: dict[PrefabRef, list[TexturePath]] = field(default_factory=dict)
    look: SpriteSheet | list[TexturePath] | None = None
    text_or_number: TexturePath | int = 0
    plain: list[str] | None = None


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ('pair: ("a.png", 3)', [("texture", "a.png")]),
        ("pair: None, look: None", []),
        ('by_name: {"x": "x.wav", "y": "y.wav"}', [("sound", "x.wav"), ("sound", "y.wav")]),
        (
            'by_prefab: {"rat": ["./r.png"]}',
            [("prefab", "prefabs/rat.ron"), ("texture", "r.png")],
        ),
        ('look: SpriteSheet("s.png", (1, 1), 1, 1)', [("texture", "s.png")]),
        ('look: ["s.png"]', [("texture", "s.png")]),
        ('text_or_number: "t.png"', [("texture", "t.png")]),
        ("text_or_number: 3", []),
        ('plain: ["no.png"]', []),
    ],
)
def test_needs_are_found_wherever_a_type_names_something(
    library: Any, fields: str, needs: list[tuple[str, str]]
) -> None:
    """In tuples, maps (as keys, too), alternatives and variants; never in plain text."""
    registry = ComponentRegistry()
    registry.component(Named)
    files = library({"a": f"Prefab(components: [Named({fields})])"}, registry)
    assert files.resolve("a").needs == tuple(Dependency(*need) for need in needs)


def test_the_first_of_several_errors_says_how_many_more_there_are(library: Any) -> None:
    """`resolve` raises one error; `problems` gives them all."""
    files = library({"a": "Prefab(components: [Sprite(), Tags()])"})
    with pytest.raises(PrefabError, match=r"Sprite: missing field `texture`") as caught:
        files.resolve("a")
    assert caught.value.__notes__ == ["and 1 more"]
    assert len(files.problems("a")) == 2
    assert len(files.problems("nope")) == 1


def test_a_resolver_remembers_what_it_worked_out(library: Any) -> None:
    """A child without changes is the very prefab that others get; each file is read once."""
    files = library(
        {"lamp": "Prefab()", "a": 'Prefab(children: [(prefab: "lamp"), (prefab: "lamp")])'}
    )
    a = files.resolve("a")
    assert a.children[0].prefab is a.children[1].prefab is files.resolve("lamp")
    assert files.resolve("a") is a
    assert sorted(files.read) == ["prefabs/a.ron", "prefabs/lamp.ron"]


# ------------------------------------------------------------------- against an independent model


@dataclass
class A:
    x: int = 0
    y: int = 0


@dataclass
class B:
    x: int = 0
    items: tuple[int, ...] = ()


@dataclass
class C:
    pass


FREE = ComponentRegistry(builtins=False)
for cls in (A, B, C):
    FREE.component(cls)

Parts = dict[str, dict[str, Any]]


@dataclass
class ModelChild:
    """A child as one document writes it; ``target`` is None where it changes an inherited one."""

    name: str | None
    target: int | None
    at: int | None
    overrides: Parts


@dataclass
class Model:
    """A document: the numbers of those that it extends, its components and its children."""

    extends: list[int]
    own: Parts
    children: list[ModelChild]

    def text(self) -> str:
        extends = ", ".join(f'"d{parent}"' for parent in self.extends)
        children = ", ".join(map(self._child, self.children))
        return (
            f"Prefab(extends: [{extends}], components: [{_written(self.own)}], "
            f"children: [{children}])"
        )

    @staticmethod
    def _child(child: ModelChild) -> str:
        parts = [f"overrides: [{_written(child.overrides)}]"]
        if child.name is not None:
            parts.append(f'name: "{child.name}"')
        if child.target is not None:
            parts.append(f'prefab: "d{child.target}"')
        if child.at is not None:
            parts.append(f"at: ({child.at}, 0)")
        return f"({', '.join(parts)})"


def _written(parts: Parts) -> str:
    return ", ".join(
        f"{name}({', '.join(f'{field}: {value}' for field, value in fields.items())})"
        for name, fields in parts.items()
    )


small = st.integers(0, 9)
a_parts = st.fixed_dictionaries({}, optional={"x": small, "y": small})
b_parts = st.fixed_dictionaries({}, optional={"x": small, "items": st.lists(small, max_size=2)})
parts = st.fixed_dictionaries({}, optional={"A": a_parts, "B": b_parts, "C": st.just({})})


@st.composite
def graphs(draw: st.DrawFn) -> list[Model]:
    """Documents that extend and contain earlier ones only, so that there is no circle."""
    models: list[Model] = []
    for number in range(draw(st.integers(1, 6))):
        earlier = st.integers(0, number - 1)
        extends = draw(st.lists(earlier, unique=True, max_size=3)) if number else []
        model = Model(extends, draw(parts), [])
        inherited = expected_children(models, extends)
        for name in draw(st.lists(st.sampled_from("lrm"), unique=True)) + [None] * draw(small):
            changes = name in inherited and draw(st.booleans())
            if number and len(model.children) < 3:
                target = None if changes else draw(earlier)
                at = draw(st.none() | small)
                model.children.append(ModelChild(name, target, at, draw(parts)))
        models.append(model)
    return models


def laid_over(below: Parts, above: Parts) -> Parts:
    return {name: below.get(name, {}) | above.get(name, {}) for name in [*below, *above]}


def expected_parts(models: list[Model], number: int) -> Parts:
    """The rules for components once more, as plainly as can be."""
    merged: Parts = {}
    for parent in models[number].extends:
        merged = laid_over(merged, expected_parts(models, parent))
    return laid_over(merged, models[number].own)


def expected_children(models: list[Model], extends: list[int]) -> dict[Any, tuple[int, int, Any]]:
    """Children by name (or by where they stand): what they are, where, and their overrides."""
    children: dict[Any, tuple[int, int, Any]] = {}
    for number in extends:
        children.update(expected_children(models, models[number].extends))
        inherited = expected_children(models, models[number].extends)
        for i, child in enumerate(models[number].children):
            key = child.name or (number, i)
            target, at, overrides = inherited.get(key, (-1, 0, []))
            at = at if child.at is None else child.at
            if child.target is None:
                children[key] = (target, at, [*overrides, child.overrides])
            else:
                children[key] = (child.target, at, [child.overrides])
    return children


def expected(models: list[Model], number: int, overrides: list[Parts]) -> Any:
    components = expected_parts(models, number)
    for above in overrides:
        components = laid_over(components, above)
    return components, [
        (at, expected(models, target, changes))
        for target, at, changes in expected_children(models, [number]).values()
    ]


def actual(prefab: Prefab) -> Any:
    children = [(child.placement.position[0], actual(child.prefab)) for child in prefab.children]
    return prefab.components, children


@given(graphs(), st.booleans())
def test_inheritance_agrees_with_a_model_of_its_rules(
    library: Any, models: list[Model], backwards: bool
) -> None:
    """Any graph of parents and children gives what the rules say, in whichever order it is asked.

    The order of components and children counts, too.
    """
    files = library({f"d{i}": model.text() for i, model in enumerate(models)}, FREE)
    numbers = range(len(models))
    for number in reversed(numbers) if backwards else numbers:
        prefab = files.resolve(f"d{number}")
        components, children = expected(models, number, [])
        assert actual(prefab) == (components, children)
        assert list(prefab.components) == list(components)
        built = {type(item).__name__ for item in prefab.build(FREE)}
        assert built == set(components)
