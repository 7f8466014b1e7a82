"""Which classes can be components, what their fields accept, and what comes out."""

from __future__ import annotations

import dataclasses
import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcade_prefabs import (
    ComponentRegistry,
    PrefabError,
    RegistryError,
    UnknownNameError,
    Variant,
    component,
    default_registry,
)
from arcade_prefabs.prefab import (
    Animation,
    AnimationMode,
    Box,
    Circle,
    Collider,
    FromTexture,
    Polygon,
    Prefab,
    PrefabRef,
    Sound,
    Sprite,
    SpriteSheet,
    Tags,
    Text,
    TexturePath,
    read_prefabs,
)
from arcade_prefabs.prefab.builtin import BUILTIN_COMPONENTS
from arcade_prefabs.ron import dumps


class Mood(enum.Enum):
    Calm = "calm"
    Angry = "angry"


class Rank(enum.IntEnum):
    Low = 1
    High = 2


class Fire(Variant):
    damage: int = 1


class Frost(Variant):
    seconds: float
    inside: list[Fire | Frost] = []  # noqa: RUF012  # msgspec copies it


@dataclass
class Stats:
    hp: int = 3


class Renamed(msgspec.Struct, rename="camel"):
    big_name: int


@dataclass
class Tree:
    name: str
    branches: list[Tree] = field(default_factory=list)


@dataclass
class Early:
    later: Later | None = None  # noqa: F821  # defined by a test
    broken: None = None


@dataclass
class Never:
    what: Nowhere  # type: ignore[name-defined]  # noqa: F821


def made(annotation: Any, **more: Any) -> type:
    """A dataclass `K` with one field `x`."""
    return dataclasses.make_dataclass("K", [("x", annotation, field(**more))])


def registered(*classes: type) -> ComponentRegistry:
    registry = ComponentRegistry()
    for cls in classes:
        registry.component(cls)
    return registry


def lowered(text: str, registry: ComponentRegistry) -> dict[str, Any]:
    """The fields of the single component in ``text``."""
    file = read_prefabs(f"Prefab(components: [{text}])", "x", registry=registry)
    file.raise_errors()
    (part,) = file.prefab().components.values()
    return part.fields


def built(annotation: Any, value: str) -> Any:
    """What a field of that type is after RON, JSON and msgspec."""
    registry = registered(made(annotation))
    fields = orjson.loads(orjson.dumps(lowered(f"K(x: {value})", registry)))
    return registry.build("K", fields).x


def refusal(annotation: Any, value: str) -> str:
    file = read_prefabs(
        f"Prefab(components: [K(x: {value})])", "x", registry=registered(made(annotation))
    )
    (error,) = file.errors
    assert (error.line, error.message.partition(":")[0][:3]) == (1, "K.x")
    return error.message.partition(": ")[2]


# ----------------------------------------------------------------------------------- registering


def test_a_registry_knows_the_built_in_components_unless_told_otherwise() -> None:
    """Tests and tools may want none."""
    names = tuple(sorted(cls.__name__ for cls in BUILTIN_COMPONENTS))
    assert ComponentRegistry().names() == names
    assert ComponentRegistry(builtins=False).names() == ()
    assert "Sprite" in default_registry
    assert "Sprite" not in ComponentRegistry(builtins=False)


def test_the_decorator_of_the_package_fills_the_default_registry() -> None:
    """With and without a name; the class comes back unchanged."""

    @component(name="TestOfTheDecorator")
    @dataclass
    class Health:
        max: int

    assert Health(3).max == 3
    assert default_registry.build("TestOfTheDecorator", {"max": 4}) == Health(4)
    assert "Health" not in default_registry
    assert "TestOfTheDecorator" not in ComponentRegistry()


def test_a_name_belongs_to_one_class() -> None:
    """Registering the same class again is fine, another one of that name is not."""
    registry = registered(Stats)
    assert registry.component(Stats) is Stats
    with pytest.raises(RegistryError, match=r"`Stats` is taken by .*Stats; give .*K another one"):
        registry.component(name="Stats")(made(int))
    registry.component(name="Numbers")(Stats)
    assert registry.build("Numbers", {"hp": 1}) == Stats(1)


@pytest.mark.parametrize("name", ["", "a b", "1", "a.b", "a-b"])
def test_a_name_must_be_one_that_files_can_write(name: str) -> None:
    """Components and sprite classes alike."""
    registry = ComponentRegistry()
    with pytest.raises(RegistryError, match="must be a plain name"):
        registry.component(name=name)(Stats)
    with pytest.raises(RegistryError, match="must be a plain name"):
        registry.sprite_class(name=name)(Stats)


@pytest.mark.parametrize("thing", [type("Plain", (), {}), int, Stats(), None, len])
def test_what_is_no_dataclass_is_refused(thing: Any) -> None:
    """The message says in which order the decorators stand."""
    with pytest.raises(RegistryError, match="is no dataclass: write @component above @dataclass"):
        ComponentRegistry().component(name="X")(thing)


class Pair(NamedTuple):
    a: int


class Rows(msgspec.Struct, array_like=True):
    a: int


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (Callable[[], None], "K.x: the type Callable cannot be filled from a file"),
        (type, "K.x: the type type cannot"),
        (complex, "K.x: the type complex cannot"),
        (list[Callable[[], None]], "K.x: the type Callable cannot"),
        (object, "K.x: the type object cannot"),
        (Pair, "K.x: the type Pair cannot"),
        (msgspec.Raw, "K.x: the type RawType cannot"),
        (bytes | str, "more than one str-like type"),
        (Stats | Tree, "more than one"),
        (enum.Enum("Mixed", {"a": "x", "b": 1}), "all str or all int"),
        (Annotated[int, msgspec.Meta(min_length=3)], "Can only set"),
        ("list[", "Forward reference must be an expression"),
        (dict[bool, int], "K.x: keys can be text, numbers or enums only"),
        (dict[tuple[int, int], int], "K.x: keys can be"),
        (dict[str | None, int], "K.x: keys can be"),
        (
            Annotated[list[str], msgspec.Meta(extra={"arcade_prefabs.kind": "texture"})],
            "mark the str",
        ),
        (Rows, "Rows: array_like structs cannot be filled"),
    ],
)
def test_a_field_that_no_file_can_fill_is_refused_at_once(annotation: Any, reason: str) -> None:
    """When the class is registered, with the name of the field where it is known."""
    with pytest.raises(RegistryError) as caught:
        ComponentRegistry().component(made(annotation))
    assert str(caught.value).startswith("component `K`: ")
    assert reason in str(caught.value)


@dataclass
class Timer:
    seconds: float
    label: str = "timer"
    listeners: Callable[[], None] = field(init=False)
    done: object = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.listeners = lambda: None
        if self.seconds < 0:
            raise ValueError("a timer cannot run backwards")


def test_a_field_of_the_games_own_is_left_alone() -> None:
    """`field(init=False)` may have any type, needs no default, and cannot stand in a file."""
    registry = registered(Timer)
    timer = registry.build("Timer", lowered("Timer(2)", registry))
    assert (timer.seconds, timer.label, timer.done) == (2.0, "timer", None)
    assert type(timer.seconds) is float
    assert timer.listeners() is None
    assert registry.build("Timer", {"seconds": 1, "label": "x", "done": 3}).done is None
    with pytest.raises(UnknownNameError, match="unknown field `done`"):
        lowered("Timer(seconds: 2, done: 1)", registry)
    with pytest.raises(PrefabError, match=r"^Timer: a timer cannot run backwards$"):
        registry.build("Timer", {"seconds": -1})


def test_limits_hold_beside_a_field_of_the_games_own() -> None:
    """For what files say, and for what is built from data."""
    limited = Annotated[int, msgspec.Meta(ge=1)]
    own = ("own", int, field(init=False, default=0))
    registry = registered(dataclasses.make_dataclass("Pack", [("size", limited), own]))
    assert registry.build("Pack", lowered("Pack(1)", registry)).size == 1
    with pytest.raises(PrefabError, match="of 1 or more"):
        lowered("Pack(0)", registry)
    with pytest.raises(PrefabError, match=">= 1"):
        registry.build("Pack", {"size": 0})


def test_a_field_of_the_games_own_inside_of_a_field_is_refused() -> None:
    """Nested classes are filled by msgspec, which knows no such fields."""
    with pytest.raises(RegistryError, match=r"Timer.listeners: only a component itself may have"):
        registered(made(list[Timer]))


def test_a_type_that_comes_later_in_its_module_is_found_when_it_is_needed() -> None:
    """Known by name from the start; compiled at first use."""
    registry = registered(Early)
    assert "Early" in registry
    assert "Early" in registry.names()
    with pytest.raises(RegistryError, match="component `Early`: name 'Later' is not defined"):
        registry.get("Early")
    globals()["Later"] = Stats
    try:
        assert registry.build("Early", lowered("Early(Stats(4))", registry)) == Early(Stats(4))
    finally:
        del globals()["Later"]
    assert registry.get("Early") is registry.get("Early")


def test_a_type_that_never_comes_is_an_error_for_who_uses_it() -> None:
    """Other components are not touched, and the name stays taken."""
    registry = registered(Never, Stats)
    assert registry.get("Stats") is not None
    with pytest.raises(RegistryError, match="Nowhere"):
        lowered("Never(1)", registry)
    assert registry.component(Never) is Never
    with pytest.raises(RegistryError, match="is taken by"):
        registry.component(name="Never")(Stats)


def test_of_many_threads_that_take_one_name_exactly_one_wins() -> None:
    """The others are told; nobody's class is lost or mixed up."""
    registry = ComponentRegistry()
    count = 16
    classes = [dataclasses.make_dataclass("Raced", [("x", int)]) for _ in range(count)]
    barrier = threading.Barrier(count)
    won: list[type] = []
    lost: list[type] = []

    def take(cls: type) -> None:
        barrier.wait(10)
        try:
            won.append(registry.component(cls))
        except RegistryError:
            lost.append(cls)

    threads = [threading.Thread(target=take, args=(cls,)) for cls in classes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(won), len(lost)) == (1, count - 1)
    assert type(registry.build("Raced", {"x": 1})) is won[0]


def test_sprite_classes_are_known_by_name_only() -> None:
    """Arcade's two have no class here; a name is taken once."""
    registry = ComponentRegistry()
    enemy = registry.sprite_class(type("Enemy", (), {}))
    assert registry.sprite_class(enemy) is enemy
    boss = registry.sprite_class(name="Boss")(enemy)
    assert boss is enemy
    assert registry.sprite_class_names() == ("BasicSprite", "Boss", "Enemy", "Sprite")
    assert registry.get_sprite_class("Boss") is enemy
    assert registry.get_sprite_class("Sprite") is None
    with pytest.raises(RegistryError, match="taken by Arcade's own"):
        registry.sprite_class(type("Sprite", (), {}))
    with pytest.raises(RegistryError, match="`Enemy` is taken by"):
        registry.sprite_class(type("Enemy", (), {}))
    with pytest.raises(RegistryError, match="must be a class"):
        registry.sprite_class(enemy())
    with pytest.raises(UnknownNameError, match="unknown sprite class `Enmy`") as caught:
        registry.get_sprite_class("Enmy")
    assert caught.value.hint == "did you mean `Enemy`?"


# ------------------------------------------------------------------------------------ field types


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, "0x10", 16),
        (int, "18446744073709551615", 2**64 - 1),
        (float, "12", 12.0),
        (float, "-0.5", -0.5),
        (bool, "true", True),
        (str, "'c'", "c"),
        (str, r'r#"a"b"#', 'a"b'),
        (bytes, r'b"\xff\x00"', b"\xff\x00"),
        (list[int], "[1, 2]", [1, 2]),
        (list[int], "(1, 2)", [1, 2]),
        (list[int], "()", []),
        (tuple[int, ...], "[1, 2]", (1, 2)),
        (tuple[int, str], '(1, "a")', (1, "a")),
        (tuple[()], "()", ()),
        (set[int], "[1, 2, 1]", {1, 2}),
        (frozenset[str], '["a"]', frozenset("a")),
        (dict[str, int], '{"a": 1, b: 2}', {"a": 1, "b": 2}),
        (dict[int, str], '{1: "a", -2: "b"}', {1: "a", -2: "b"}),
        (dict[float, int], "{1: 1, 2.5: 2}", {1.0: 1, 2.5: 2}),
        (dict[Mood, int], '{Calm: 1, "angry": 2}', {Mood.Calm: 1, Mood.Angry: 2}),
        (dict[Rank, int], "{High: 1, 1: 2}", {Rank.High: 1, Rank.Low: 2}),
        (dict[PrefabRef, int], '{"rat": 3}', {"prefabs/rat.ron": 3}),
        (dict, '{"a": [1], 2: 3}', {"a": [1], "2": 3}),
        (int | None, "None", None),
        (int | None, "3", 3),
        (int | None, "Some(3)", 3),
        (list[int | None], "[Some(1), None, 2]", [1, None, 2]),
        (int | str, '"a"', "a"),
        (int | list[int], "[1]", [1]),
        (float | tuple[float, float], "(1, 2)", (1.0, 2.0)),
        (Mood, "Angry", Mood.Angry),
        (Mood, '"angry"', Mood.Angry),
        (Mood, '"Angry"', Mood.Angry),
        (Rank, "High", Rank.High),
        (Rank, "2", Rank.High),
        (Literal["a", "b"], "a", "a"),
        (Literal["a", "b"], '"b"', "b"),
        (Literal[1, 2], "2", 2),
        (Literal["a", None], "None", None),
        (Literal["a", None], "Some(a)", "a"),
        (Stats, "(hp: 4)", Stats(4)),
        (Stats, "Stats(hp: 4)", Stats(4)),
        (Stats, "Stats(4)", Stats(4)),
        (Stats, "Stats", Stats(3)),
        (Stats | None, "Some((hp: 4))", Stats(4)),
        (Renamed, "(bigName: 4)", Renamed(4)),
        (Tree, '("a", [])'.replace("(", "Tree(", 1), Tree("a")),
        (
            Tree,
            '(name: "a", branches: [Tree("b"), (name: "c", branches: [Tree("d")])])',
            Tree("a", [Tree("b"), Tree("c", [Tree("d")])]),
        ),
        (Fire | Frost, "Fire", Fire(1)),
        (Fire | Frost, "Fire(2)", Fire(2)),
        (Fire | Frost, "Fire(damage: 2)", Fire(2)),
        (Fire | Frost, "Frost(1, [Fire, Frost(2)])", Frost(1.0, [Fire(1), Frost(2.0)])),
        (Fire, "Fire(2)", Fire(2)),
        (Fire | None, "Some(Fire)", Fire(1)),
        (TexturePath | None, '"./a.png"', "a.png"),
        (TexturePath | None, "None", None),
        (Any, "None", None),
        (Any, "[1, 'c', Some(2), North, (), (1, 2)]", [1, "c", 2, "North", None, [1, 2]]),
        (Any, "(a: 1)", {"a": 1}),
        (Any, "A(a: 1)", {"type": "A", "a": 1}),
        (Any, "A(1)", {"type": "A", "values": [1]}),
        (Any, '{"a": {"b": true}}', {"a": {"b": True}}),
        (Annotated[int, msgspec.Meta(ge=0, le=9)], "9", 9),
        (Annotated[str, msgspec.Meta(pattern="^a")], '"ab"', "ab"),
    ],
)
def test_a_type_takes_these_values(annotation: Any, value: str, expected: Any) -> None:
    """From RON through JSON to the typed component."""
    found = built(annotation, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, "1.0", "expected a whole number, found the number 1.0"),
        (int, "true", "expected a whole number, found `true`"),
        (int, "None", "expected a whole number, found `None`"),
        (int, "Some(1)", "expected a whole number, found `Some(...)`"),
        (int, "0..5", "expected a whole number, found a range"),
        (int, "()", "expected a whole number, found `()`"),
        (int, "'c'", "expected a whole number, found the character 'c'"),
        (float, "NaN", "expected a finite number, found the number NaN"),
        (float, "inf", "expected a finite number, found the number inf"),
        (float, '"1"', 'expected a number, found the text "1"'),
        (bool, "1", "expected `true` or `false`, found the number 1"),
        (str, "1", "expected text in quotes, found the number 1"),
        (str, "{}", "expected text in quotes, found a map"),
        (bytes, '"a"', 'expected bytes, such as b"abc", found the text "a"'),
        (list[int], '"a"', 'expected a list, found the text "a"'),
        (list[int], "[[1]]", "expected a whole number, found a list"),
        (tuple[int, int], "(1, 2, 3)", "expected (whole number, whole number), found 3 values"),
        (tuple[int, int], "()", "expected (whole number, whole number), found 0 values"),
        (tuple[int, int], "3", "expected (whole number, whole number), found the number 3"),
        (dict[int, int], '{"1": 1}', 'expected a whole number, found the text "1"'),
        (dict[int, int], "{1: 1, 1: 2}", "the key '1' stands twice"),
        (dict[str, int], "[1]", "expected a map, found a list"),
        (
            dict,
            "{(1, 2): 1}",
            "expected text in quotes or a whole number or a number, found a tuple",
        ),
        (Any, "{(1, 2): 1}", "expected text in quotes, found a tuple"),
        (int | str, "x", "expected a whole number or text in quotes, found the name `x`"),
        (int | None, "Some(x)", "expected a whole number or None, found the name `x`"),
        (Mood, "Sad", "`Sad` is no choice here"),
        (Mood, "3", "`3` is no choice here"),
        (Mood, "[1]", "expected one of Calm, Angry, found a list"),
        (Rank, "true", "expected one of Low, High, found `true`"),
        (Literal[1, 2], '"1"', 'expected one of 1, 2, found the text "1"'),
        (Literal[1, 2], "1.0", "expected one of 1, 2, found the number 1.0"),
        (Stats, "(hq: 1)", "unknown field `hq`"),
        (Stats, "Other(1)", "expected Stats(...), found `Other(...)`"),
        (Stats, "Other(a: 1)", "expected Stats(...), found `Other(...)`"),
        (Stats, "(1, 2)", "expected Stats(...), found a tuple"),
        (Stats, "Stats(1, 2)", "Stats has 1 field, found 2 values"),
        (Fire | Frost, "Frost()", "missing field `seconds`"),
        (Fire | Frost, "Frist(1)", "`Frist` is no choice here"),
        (Fire | Frost, "(damage: 1)", "expected Fire(...) or Frost(...), found a struct"),
        (Fire, "Frost(1)", "expected Fire(...), found `Frost(...)`"),
        (TexturePath, "3", "expected a texture's path in quotes, found the number 3"),
        (TexturePath, '"a\\\\b"', "the path has a character that paths cannot have: \\; use `/`"),
        (PrefabRef, '"#"', "the label behind `#` is no name: #"),
        (Any, "0..5", "expected data that JSON can hold, found a range"),
        (Any, 'b"x"', "expected data that JSON can hold, found bytes"),
        (Any, "[NaN]", "expected a finite number, found the number NaN"),
        (
            Annotated[int, msgspec.Meta(ge=0)],
            "-1",
            "expected a whole number of 0 or more, found the number -1",
        ),
        (
            Annotated[float, msgspec.Meta(lt=1)],
            "1",
            "expected a number below 1, found the number 1",
        ),
        (
            Annotated[str, msgspec.Meta(max_length=1)],
            '"ab"',
            'expected text in quotes of at most 1 characters, found the text "ab"',
        ),
        (
            Annotated[str, msgspec.Meta(pattern="^a")],
            '"b"',
            'expected text in quotes that matches the pattern `^a`, found the text "b"',
        ),
        (
            Annotated[list[int], msgspec.Meta(min_length=1)],
            "[]",
            "expected a list of 1 or more values, found 0 values",
        ),
        (
            Annotated[bytes, msgspec.Meta(max_length=1)],
            'b"ab"',
            'expected bytes, such as b"abc" of at most 1 bytes, found bytes',
        ),
    ],
)
def test_a_type_refuses_these_values(annotation: Any, value: str, message: str) -> None:
    """With a sentence that says what would fit."""
    assert refusal(annotation, value) == message


def test_positional_and_bare_components_fill_fields_in_order() -> None:
    """`Text("a", (1, 2, 3))` and `Solid` need no names."""

    @dataclass
    class Solid:
        pass

    registry = registered(Solid)
    assert lowered("Solid", registry) == lowered("Solid()", registry) == {}
    assert registry.build("Solid", {}) == Solid()
    assert lowered('Text("a", (1, 2, 3))', registry) == {"text": "a", "color": [1, 2, 3]}


def test_entities_do_not_share_data_of_type_any() -> None:
    """Each of them may change its own; the prefab stays as it was."""
    registry = registered(made(Any), dataclasses.make_dataclass("L", [("y", list)]))
    prefab = Prefab("prefabs/a.ron", {"K": {"x": {"a": [1]}}, "L": {"y": [[1]]}})
    first, second = prefab.build(registry), prefab.build(registry)
    first[0].x["a"].append(2)
    first[1].y[0].append(2)
    assert second[0].x == {"a": [1]}
    assert second[1].y == [[1]]
    assert prefab.components == {"K": {"x": {"a": [1]}}, "L": {"y": [[1]]}}


def test_building_says_which_component_is_wrong() -> None:
    """Unknown names, missing fields and data of another version of the class."""
    registry = registered(Tree)
    with pytest.raises(UnknownNameError, match="unknown component `Tre`") as caught:
        registry.build("Tre", {})
    assert caught.value.hint is not None
    assert "`Tree`" in caught.value.hint
    with pytest.raises(PrefabError, match="Tree: missing field `name`"):
        registry.build("Tree", {})
    with pytest.raises(PrefabError, match=r"Tree: Expected `str`, got `int` - at `\$.name`"):
        registry.build("Tree", {"name": 3})


# ----------------------------------------------------------------------------- built-in components


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ('Sprite(texture: "a", alpha: 256)', 29),
        ('Sprite(texture: "a", alpha: -1)', 29),
        ('Sprite(texture: "a", color: (1, 2))', 29),
        ('Sprite(texture: "a", color: (1, 2, 3, 4, 5))', 29),
        ('Sprite(texture: "a", color: (1, 2, 256))', 36),
        ('Sprite(texture: "a", scale: (1, 2, 3))', 29),
        ('Sprite(texture: "a", sprite_class: "Window")', 36),
        ("Animation(frames: [])", 19),
        ('Animation(frames: ["a"], frame_duration: 0)', 42),
        ('Animation(frames: SpriteSheet("a", (0, 1), 1, 1))', 37),
        ('Animation(frames: SpriteSheet("a", (1, 1), 0, 1))', 44),
        ('Animation(frames: SpriteSheet("a", (1, 1), 1, 0))', 47),
        ('Animation(frames: SpriteSheet("a", (1, 1), 1, 1, -1))', 50),
        ("Collider(shape: Box(0, 1))", 21),
        ("Collider(shape: Box(1, -1))", 24),
        ("Collider(shape: Circle(0))", 24),
        ("Collider(shape: Polygon([(0, 0), (1, 1)]))", 25),
        ("Collider(shape: FromTexture(Exact))", 29),
        ("Tags([1])", 7),
        ('Sound(path: "a", volume: 1.5)', 26),
        ('Sound(path: "a", volume: -0.1)', 26),
        ('Sound(path: "a", radius: 0)', 26),
        ('Text(text: "a", font_size: 0)', 28),
        ('Text(text: "a", anchor: Top)', 25),
    ],
)
def test_built_in_components_have_limits(text: str, column: int) -> None:
    """A value outside of them is an error at the value."""
    (error,) = read_prefabs(f"Prefab(components: [\n{text}])", "x").errors
    assert (error.line, error.column) == (2, column)


finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=1e-300, allow_infinity=False)
byte = st.integers(0, 255)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
paths = st.sampled_from(["a.png", ":resources:images/a.png", "é/b.png"])
points = st.tuples(finite, finite)
colors = st.tuples(byte, byte, byte) | st.tuples(byte, byte, byte, byte)
shapes = (
    st.builds(Box, positive, positive)
    | st.builds(Circle, positive)
    | st.builds(Polygon, st.lists(points, min_size=3, max_size=5))
    | st.builds(FromTexture)
)
counts = st.integers(1, 1000)
sheets = st.builds(SpriteSheet, paths, st.tuples(counts, counts), counts, counts, byte)
some = st.one_of(
    st.builds(
        Sprite, paths, scale=finite | points, angle=finite, color=colors, alpha=byte, layer=words
    ),
    st.builds(
        Animation,
        st.lists(paths, min_size=1, max_size=3) | sheets,
        positive,
        st.sampled_from(AnimationMode),
        st.booleans(),
    ),
    st.builds(Collider, shapes, points, st.booleans(), words),
    st.builds(Tags, st.lists(words)),
    st.builds(Sound, paths, st.floats(0, 1), st.booleans(), radius=positive),
    st.builds(Text, words, colors, positive, words | st.lists(words), points),
)


@given(some)
def test_components_survive_json(value: Any) -> None:
    """What was lowered, stored and loaded again builds an equal component."""
    fields = orjson.loads(orjson.dumps(msgspec.to_builtins(value)))
    name = type(value).__name__
    assert default_registry.build(name, fields) == value


@given(some)
def test_components_survive_being_written_as_ron(value: Any) -> None:
    """Every field, written in order, reads as the same component."""
    values = []
    for item in dataclasses.fields(value):
        found = getattr(value, item.name)
        if isinstance(found, enum.Enum):
            text = found.name
        elif isinstance(found, msgspec.Struct):
            inner = [getattr(found, name) for name in found.__struct_fields__]
            text = f"{type(found).__name__}({', '.join(map(_ron, inner))})"
        else:
            text = _ron(found)
        values.append(text)
    text = f"{type(value).__name__}({', '.join(values)})"
    fields = orjson.loads(orjson.dumps(lowered(text, default_registry)))
    assert default_registry.build(type(value).__name__, fields) == value


def _ron(value: Any) -> str:
    return value.name if isinstance(value, enum.Enum) else dumps(value, pretty=False)
