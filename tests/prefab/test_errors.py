"""What is said about mistakes: the place, the sentence, the hint (scenario F3)."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcade_prefabs import (
    ComponentRegistry,
    LocatedError,
    MissingPrefabError,
    PrefabError,
    UnknownNameError,
    Variant,
    ron,
)
from arcade_prefabs.prefab import PrefabFile, read_prefabs
from arcade_prefabs.prefab.suggestions import nearest_ids


@dataclass
class Health:
    max: int
    current: int | None = None


class Fire(Variant):
    damage: int
    tint: tuple[int, int] = (0, 0)


class Frost(Variant):
    seconds: float = 1.0


@dataclass
class Spell:
    effect: Fire | Frost
    school: Literal["red", "blue"] = "red"
    power: dict[str, list[int]] = field(default_factory=dict)
    parts: list[Fire | None] = field(default_factory=list)


@dataclass
class Picky:
    low: int
    high: int = 10

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is over high {self.high}")
        10 / self.low  # a mistake of the game's author


def registry() -> ComponentRegistry:
    known = ComponentRegistry()
    for cls in (Health, Spell, Picky):
        known.component(cls)
    known.sprite_class(type("Enemy", (), {}))
    return known


REGISTRY = registry()


def read(text: str, **more: Any) -> PrefabFile:
    return read_prefabs(text, "props/crate", registry=REGISTRY, path="crate.ron", **more)


def messages(text: str) -> list[str]:
    return [error.message for error in read(text).errors]


def components(text: str) -> str:
    return f"Prefab(\n    components: [\n        {text},\n    ],\n)"


@pytest.mark.parametrize(
    ("component", "kind", "expected"),
    [
        (
            'Health(max: "20")',
            PrefabError,
            """crate.ron:3:21: Health.max: expected a whole number, found the text "20"
  3 |         Health(max: "20"),
    |                     ^
  hint: numbers have no quotes: 20""",
        ),
        (
            "Health(current: 1)",
            PrefabError,
            """crate.ron:3:9: Health: missing field `max`
  3 |         Health(current: 1),
    |         ^""",
        ),
        (
            "Health(max: 1, curent: 2)",
            UnknownNameError,
            """crate.ron:3:24: Health: unknown field `curent`
  3 |         Health(max: 1, curent: 2),
    |                        ^
  hint: did you mean `current`?""",
        ),
        (
            "Heatlh(max: 1)",
            UnknownNameError,
            """crate.ron:3:9: components[0]: unknown component `Heatlh`
  3 |         Heatlh(max: 1),
    |         ^
  hint: did you mean `Health`?""",
        ),
        (
            "Spell(effect: Frost, school: reed)",
            UnknownNameError,
            """crate.ron:3:38: Spell.school: `reed` is no choice here
  3 |         Spell(effect: Frost, school: reed),
    |                                      ^
  hint: did you mean `red`?""",
        ),
        (
            'Animation(frames: ["a.png"], mode: Forever)',
            UnknownNameError,
            """crate.ron:3:44: Animation.mode: `Forever` is no choice here
  3 |         Animation(frames: ["a.png"], mode: Forever),
    |                                            ^
  hint: there are: `Loop`, `Once`, `PingPong`""",
        ),
        (
            "Spell(effect: Fir(damage: 1))",
            UnknownNameError,
            """crate.ron:3:23: Spell.effect: `Fir` is no choice here
  3 |         Spell(effect: Fir(damage: 1)),
    |                       ^
  hint: did you mean `Fire`?""",
        ),
        (
            "Spell(effect: Fire(damage: 1, tint: (1, x)))",
            PrefabError,
            """crate.ron:3:49: Spell.effect.tint[1]: expected a whole number, found the name `x`
  3 |         Spell(effect: Fire(damage: 1, tint: (1, x))),
    |                                                 ^""",
        ),
        (
            'Spell(Frost, red, {"a": [1], "b": [1, 2.5]})',
            PrefabError,
            """crate.ron:3:47: Spell.power['b'][1]: expected a whole number, found the number 2.5
  3 |         Spell(Frost, red, {"a": [1], "b": [1, 2.5]}),
    |                                               ^""",
        ),
        (
            'Sprite(texture: "a.png", sprite_class: "Enmy")',
            UnknownNameError,
            """crate.ron:3:48: Sprite.sprite_class: unknown sprite class `Enmy`
  3 |         Sprite(texture: "a.png", sprite_class: "Enmy"),
    |                                                ^
  hint: did you mean `Enemy`?""",
        ),
        (
            'Sprite(texture: "../a.png")',
            PrefabError,
            "crate.ron:3:25: Sprite.texture: the path leaves its folder by `..`: ../a.png; "
            """paths begin below the assets folder
  3 |         Sprite(texture: "../a.png"),
    |                         ^""",
        ),
        (
            "Sprite(texture: crate)",
            PrefabError,
            "crate.ron:3:25: Sprite.texture: "
            """expected a texture's path in quotes, found the name `crate`
  3 |         Sprite(texture: crate),
    |                         ^
  hint: text stands in quotes: "crate\"""",
        ),
        (
            "Text(text: hello)",
            PrefabError,
            """crate.ron:3:20: Text.text: expected text in quotes, found the name `hello`
  3 |         Text(text: hello),
    |                    ^
  hint: text stands in quotes: "hello\"""",
        ),
        (
            "Health(1, 2, 3)",
            PrefabError,
            """crate.ron:3:9: Health: Health has 2 fields, found 3 values
  3 |         Health(1, 2, 3),
    |         ^
  hint: in order: max, current""",
        ),
        (
            "Health(max: 1, max: 2)",
            PrefabError,
            """crate.ron:3:24: Health: the field `max` stands twice
  3 |         Health(max: 1, max: 2),
    |                        ^""",
        ),
        (
            "3",
            PrefabError,
            """crate.ron:3:9: components[0]: expected a component, found the number 3
  3 |         3,
    |         ^
  hint: components look like `Health(max: 20)`""",
        ),
        (
            "Health(1), Health(2)",
            PrefabError,
            """crate.ron:3:20: components[1]: the component `Health` stands twice
  3 |         Health(1), Health(2),
    |                    ^""",
        ),
    ],
)
def test_a_mistake_in_a_component_reads_like_this(
    library: Any, component: str, kind: type[PrefabError], expected: str
) -> None:
    """Line, column, caret, sentence and hint, word for word."""
    text = components(component)
    found = read(text)
    if found.errors:
        (error,) = found.errors
        with pytest.raises(kind):
            found.raise_errors()
    else:  # a missing field shows once everything is inherited
        (error,) = library({"crate.ron": text}, REGISTRY).problems("crate")
        error.path = "crate.ron"
    assert str(error) == expected
    assert type(error) is kind


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ('Prefab(extend: "a")', 8, "unknown field `extend`", "did you mean `extends`?"),
        (
            "Prefab(Health: 3)",
            8,
            "unknown field `Health`",
            "components stand in a list: components: [...]",
        ),
        (
            "Prefab(abstract: 1)",
            18,
            "abstract: expected `true` or `false`, found the number 1",
            None,
        ),
        (
            "Prefab(extends: a)",
            17,
            "extends: expected a prefab's id in quotes, found the name `a`",
            'write "a"',
        ),
        (
            "Prefab(extends: [a])",
            18,
            "extends[0]: expected a prefab's id in quotes, found the name `a`",
            'write "a"',
        ),
        ('Prefab(extends: ["a", "./a"])', 23, "extends[1]: prefabs/a.ron is extended twice", None),
        (
            'Prefab(extends: "/a")',
            17,
            "extends: the path is absolute: /a; paths begin below the assets folder",
            None,
        ),
        (
            "Prefab(components: {})",
            20,
            "components: expected a list of components, found a map",
            None,
        ),
        (
            "Prefab(components: [Tags([])], remove: [Tags])",
            41,
            "remove[0]: `Tags` is both given and removed",
            None,
        ),
        ("Prefab(remove: [Tag])", 17, "remove[0]: unknown component `Tag`", "did you mean `Tags`?"),
        (
            "Prefab(remove: [3])",
            17,
            "remove[0]: expected a component's name, found the number 3",
            None,
        ),
        (
            "Prefab(children: [3])",
            19,
            "children[0]: expected a child, found the number 3",
            'children look like `(name: "lamp", prefab: "props/lamp", position: (0, 32))`',
        ),
        (
            'Prefab(children: [(nam: "a", prefab: "x")])',
            20,
            "children[0]: unknown field `nam`",
            "did you mean `name`?",
        ),
        (
            'Prefab(children: [(prefab: "x", name: 3)])',
            39,
            "children[0].name: expected text in quotes, found the number 3",
            None,
        ),
        (
            'Prefab(children: [(prefab: "x", at: 3)])',
            37,
            "children[0].at: expected (number, number), found the number 3",
            None,
        ),
        (
            'Prefab(children: [(prefab: "x", at: (1, 2, 3))])',
            37,
            "children[0].at: expected (number, number), found 3 values",
            None,
        ),
        (
            "Prefab(children: [(at: (1, 2))])",
            19,
            "children[0]: a child needs a `prefab`, or the `name` of an inherited child",
            None,
        ),
        (
            "Prefab(children: [(prefab: 3)])",
            28,
            "children[0].prefab: expected a prefab's id in quotes, found the number 3",
            None,
        ),
        (
            'Prefab(children: [(prefab: "x", scale: Big)])',
            40,
            "children[0].scale: expected a number or (number, number), found the name `Big`",
            None,
        ),
        (
            'Prefab(children: [(prefab: "x", overrides: [Health("a")])])',
            52,
            'Health.max: expected a whole number, found the text "a"',
            None,
        ),
        (
            'Prefab(children: [(name: "a", prefab: "x"), (name: "a", prefab: "y")])',
            52,
            "children[1].name: the child `a` stands twice",
            None,
        ),
        ('Prefab(extends: "a", extends: "b")', 22, "the field `extends` stands twice", None),
        (
            "Crate(3)",
            1,
            "expected `Prefab(...)` or `Library(...)`, found `Crate(...)`",
            "several prefabs stand in `Library(label: Prefab(...), ...)`",
        ),
        ("Library(a: 3)", 12, "a: expected `Prefab(...)`, found the number 3", None),
        ("Library(a: Prefab(), a: Prefab())", 22, "the label `a` stands twice", None),
        ("Library(r#a-b: Prefab())", 9, "the label `a-b` is no plain name", None),
        (
            "Library(a: Prefab(remove: 3))",
            27,
            "remove: expected a list of component names, found the number 3",
            None,
        ),
    ],
)
def test_a_mistake_outside_of_components_reads_like_this(
    text: str, column: int, message: str, hint: str | None
) -> None:
    """Fields of prefabs, libraries and children: column, sentence and hint."""
    (error,) = read(text).errors
    assert (error.message, error.line, error.column, error.hint) == (message, 1, column, hint)


def test_a_missing_prefab_is_named_where_it_is_used_with_the_nearest_one(library: Any) -> None:
    """The caret stands under the reference in the file that has it."""
    files = library(
        {"props/lamp": "Prefab()", "some/folder/crate": 'Prefab(extends: "props/lmap")'}
    )
    with pytest.raises(MissingPrefabError) as caught:
        files.resolve("some/folder/crate")
    assert str(caught.value) == (
        "prefabs/some/folder/crate.ron:1:17: extends: there is no prefab prefabs/props/lmap.ron\n"
        '  1 | Prefab(extends: "props/lmap")\n'
        "    |                 ^\n"
        "  hint: did you mean `props/lamp`?"
    )
    with pytest.raises(MissingPrefabError, match=r"there is no prefab prefabs/nope\.ron"):
        files.resolve("nope")


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        ("lib#gat", "prefabs/lib.ron has no prefab `#gat`", "did you mean `#gate`?"),
        ("lib#xyz", "prefabs/lib.ron has no prefab `#xyz`", "there are: `#gate`, `#tower`"),
        (
            "lib",
            "prefabs/lib.ron is a library: a label must say which",
            "it has: `#gate`, `#tower`",
        ),
        ("empty", "prefabs/empty.ron is a library", "it is empty"),
        (
            "one#a",
            "prefabs/one.ron is a single prefab and has no labels",
            "leave out `#a`",
        ),
    ],
)
def test_a_missing_label_lists_those_that_there_are(
    library: Any, reference: str, message: str, hint: str
) -> None:
    """Told where the label is used."""
    files = library(
        {
            "lib": "Library(gate: Prefab(), tower: Prefab())",
            "empty": "Library()",
            "one": "Prefab()",
            "a": f'Prefab(children: [(prefab: "{reference}")])',
        }
    )
    (error,) = files.problems("a")
    assert message in error.message
    assert (error.path, error.line, error.column) == ("prefabs/a.ron", 1, 28)
    assert error.hint == hint


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ("Picky(11)", "Picky: low 11 is over high 10"),
        ("Picky(0)", "Picky: ZeroDivisionError: division by zero"),
    ],
)
def test_what_a_class_itself_refuses_is_an_error_at_the_component(
    library: Any, component: str, message: str
) -> None:
    """A `__post_init__` that raises does not end the run, whatever it raises."""
    (error,) = library({"a": components(component)}, REGISTRY).problems("a")
    assert message in error.message
    assert (error.line, error.column) == (3, 9)


def test_an_inherited_mistake_is_placed_where_the_fields_were_written_last(library: Any) -> None:
    """The heir that made it wrong is named, not the parent that was right."""
    files = library(
        {
            "a": "Prefab(components: [Picky(1)])",
            "b": 'Prefab(extends: "a",\n  components: [Picky(high: 0)])',
            "c": 'Prefab(extends: "b")',
            "d": 'Prefab(children: [\n  (prefab: "a", overrides: [Picky(low: 99)])])',
        },
        REGISTRY,
    )
    for name, place in {"b": ("b", 2, 16), "c": ("b", 2, 16), "d": ("d", 2, 29)}.items():
        (error,) = files.problems(name)
        assert (error.path, error.line, error.column) == (f"prefabs/{place[0]}.ron", *place[1:])


def test_errors_in_a_library_stand_in_their_own_prefab() -> None:
    """Each label's errors have lines of their own."""
    text = "Library(\n  a: Prefab(components: [Health(x)]),\n  b: Prefab(remove: [Y]),\n)"
    places = [(error.line, error.column) for error in read(text).errors]
    assert places == [(2, 33), (3, 22)]


def test_all_errors_of_a_file_are_found_in_its_order() -> None:
    """One run shows everything, from top to bottom."""
    text = """Prefab(
    children: [(prefab: 3), (nam: "x", prefab: "y")],
    components: [Health(max: x), Heath(3), Spell(Fire("a", (1, 2.5)))],
    extendz: "a",
)"""
    errors = read(text).errors
    places = [(error.line, error.column) for error in errors]
    assert places == sorted(places)
    assert len(places) == 7
    with pytest.raises(PrefabError) as caught:
        read(text).raise_errors()
    assert caught.value.__notes__ == ["and 6 more in this file"]


def test_errors_of_one_line_are_told_from_left_to_right() -> None:
    """Unknown fields are found before the values of those that are known."""
    errors = read("Prefab(components: 5, extends: 7, extendz: 1)").errors
    assert [error.column for error in errors] == [20, 32, 35]


def test_more_than_a_hundred_errors_are_cut_with_a_note() -> None:
    """The first hundred are shown, and the number of the others."""
    text = "Prefab(components: [\n" + ",\n".join(f"N{i}" for i in range(250)) + "])"
    errors = read(text).errors
    assert len(errors) == 101
    assert errors[99].line == 101
    assert errors[-1].message == "150 more errors are not shown"


def test_a_hostile_name_does_not_fill_the_screen() -> None:
    """Megabytes of a name are cut in the sentence, the hint and the excerpt."""
    name = "N" * 1_000_000
    for text in (
        f"Prefab(components: [{name}])",
        f"Prefab(components: [{name}(1)], remove: [{name}])",
        f"Prefab({name}: 1)",
        f"Prefab(extends: {name})",
        f"Library({name}: Prefab())",
        f"Prefab(components: [Health({name}: 1)])",
        f"Prefab(components: [Text({name})])",
        f'Prefab(components: [Spell(effect: Frost, school: "{name}")])',
        f"Prefab(components: [Spell({name}(1))])",
        f'Prefab(components: [Sprite(texture: "a", sprite_class: "{name}")])',
        f'Prefab(components: [Sprite("{name}")])',
        f'Prefab(extends: "{name}")',
        f'Prefab(extends: "a#{name}")',
        f'Prefab(components: [Spell(effect: Frost, power: {{"{name}": 3}})])',
        f'Prefab(children: [(name: "{name}", prefab: "x"), (name: "{name}", prefab: "x")])',
        name,
    ):
        errors = read(text).errors
        assert errors, text[:50]
        assert all(len(str(error)) < 1_000 for error in errors), text[:50]


def test_errors_can_be_pickled_with_all_they_carry(library: Any) -> None:
    """Workers send them to the game: kind, place, excerpt, hint and notes arrive."""
    files = library({"a": 'Prefab(components: [Helth(1), Health("x")])'}, REGISTRY)
    with pytest.raises(UnknownNameError) as caught:
        files.resolve("a")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is UnknownNameError
    assert str(copy) == str(caught.value)
    assert copy.__notes__ == ["and 1 more in this file"]
    assert isinstance(copy, LocatedError)


def test_what_is_refused_is_named_at_its_place() -> None:
    """`refuse` decides, with a hint; the spelling that it gets is the normal one."""
    asked: list[tuple[str, str]] = []

    def refuse(kind: str, path: str) -> PrefabError | None:
        asked.append((kind, path))
        return PrefabError(f"there is no {kind} {path}", hint="ask") if path == "b.png" else None

    file = read(components('Animation(frames: ["./a.png", ".//b.png"])'), refuse=refuse)
    (error,) = file.errors
    assert asked == [("texture", "a.png"), ("texture", "b.png")]
    assert (error.message, error.column) == ("Animation.frames[1]: there is no texture b.png", 39)
    assert error.hint == "ask"


def test_a_label_in_the_name_of_a_picture_is_an_error() -> None:
    """`#` begins a label in ids; no file whose name has one can be baked."""
    (error,) = read(components('Sprite(texture: "tank #1.png")')).errors
    assert "a texture cannot have a `#` in its name" in error.message
    assert error.hint == "rename the file"


# ------------------------------------------------------------------------- wrong values anywhere


VALID = """// a comment, so that lines differ
Prefab(
    extends: ["a", "b"],
    components: [
        Health(max: 20, current: Some(3)),
        Spell(effect: Fire(3, (1, 2)), school: blue, power: {"a": [1, 2], "b": []},
            parts: [Some(Fire(damage: 4)), None]),
        Sprite(texture: "a.png", scale: (1, 2), color: (1, 2, 3), flip_vertical: true),
        Collider(shape: Polygon([(0, 0), (1, 0), (0, 1)]), offset: (3, 4)),
        Sound(path: "a.wav", radius: Some(3.5)),
    ],
    children: [
        (name: "n", prefab: "c", at: (1, 2), rotation: 45, overrides: [Text(text: "x")]),
    ],
)
"""
WRONG = '"\\u{1F600}wrong\\nvalue"'


def places(value: Any, steps: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The steps to every number, truth value and name of a document."""
    match value:
        case bool() | int() | float() | ron.Ident():
            return [steps]
        case ron.Struct():
            pairs = list(value._items())
        case ron.Map():
            pairs = list(enumerate(value.values()))
        case ron.Some():
            pairs = [(0, value.value)]
        case list() | tuple() | ron.TupleStruct():
            pairs = list(enumerate(value))
        case _:
            pairs = []
    return [found for step, item in pairs for found in places(item, (*steps, step))]


DOCUMENT = ron.parse(VALID)
PLACES = places(DOCUMENT.value)


def test_the_document_to_spoil_is_valid() -> None:
    """Otherwise the next test would show nothing."""
    assert read(VALID).errors == ()
    assert len(PLACES) > 25


@given(st.sampled_from(PLACES), st.sampled_from([WRONG, "Nope(1)", "{1: 2}", "[[[]]]", "0..=5"]))
def test_a_wrong_value_is_reported_exactly_where_it_stands(
    steps: tuple[Any, ...], wrong: str
) -> None:
    """Whatever is spoilt, one error has the line and column of that very value."""
    start = DOCUMENT.position(*steps).offset
    length = len(DOCUMENT.text_of(*steps))
    text = VALID[:start] + wrong + VALID[start + length :]
    position = ron.parse(text).position(*steps)
    errors = read(text).errors
    assert [(error.line, error.column) for error in errors] == [(position.line, position.column)]


def test_a_forgotten_folder_is_found_by_the_name_of_the_file() -> None:
    """`crate` for `some/deep/folder/crate` is the likeliest slip, so its hint comes first."""
    known = ["prefabs/some/very/deep/folder/crate.ron", "prefabs/crates.ron"]
    assert nearest_ids("prefabs/crate.ron", known) == (
        "did you mean `some/very/deep/folder/crate`?"
    )
    assert nearest_ids("prefabs/crate.ron", []) is None
