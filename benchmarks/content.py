"""Generates files like those of games, the same for every run: RON, and TOML with the same data.

The features of the level file follow a survey of 5,237 RON files in 44 public repositories:
trailing commas nearly everywhere, named structs in 72 % of files, named tuples 70 %, bare names
59 %, `Some` 39 %, maps 28 %, multi-line strings 11 %, raw strings 10 %, comments 10 %, tuples as
map keys 7 %.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from arcade_prefabs import ron
from arcade_prefabs.ron import Ident, Map, Some, Struct, TupleStruct, Value

__all__ = ["Content", "crate", "level", "neutral"]

SEED: Final = 20_240_229

# How many of the prefabs in a level have one.
COMMENT_SHARE: Final = 0.10
RAW_STRING_SHARE: Final = 0.10
MULTI_LINE_STRING_SHARE: Final = 0.11
ESCAPE_SHARE: Final = 0.10
MAP_SHARE: Final = 0.28
TUPLE_KEY_SHARE: Final = 0.07
SOME_SHARE: Final = 0.39


class Raw(str):
    """A string that a level author would write as a raw one, such as an expression."""

    __slots__ = ()


class MultiLine(str):
    """A string that is written with its line breaks, such as a dialogue."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Content:
    """One file's data, in both languages."""

    ron: str
    toml: str


def crate() -> Content:
    """Returns a prefab of about 1,000 bytes: a crate with a lamp, a shadow and contents."""
    picture = ":resources:images/tiles/boxCrate_double.png"
    frames = ["a.png", "b.png", "c.png"]
    goods = Map({"gold": 25, "potion": 2})
    components = [
        _named("Sprite", texture=picture, scale=0.5, angle=12.5, layer="props"),
        _named("Collider", shape=TupleStruct("Box", (32, 32)), solid=False),
        _named("Health", max=20, current=20, regeneration=0.25),
        TupleStruct("Tags", (["breakable", "wooden", "loot", "flammable"],)),
        _named("Animation", frames=frames, frame_duration=0.1, mode=Ident("Loop")),
        _named("Inventory", items=goods, locked=Some(3)),
        _named("Sound", path="sounds/crate_break.wav", volume=0.8, autoplay=False),
        _named("Text", text="An old crate, nailed shut", offset=(0.0, 40.0), font_size=12),
    ]
    children = [
        _child("lamp", (0, 32), _named("Light", radius=90, color=(255, 240, 200))),
        _child("shadow", (0.0, -14.0), _named("Sprite", alpha=128)),
    ]
    prefab = _prefab("props/wooden", components, children)
    comment = "// a crate that holds things, and says so when the player comes near\n"
    return Content(comment + _Ron().top(prefab), "# " + comment[3:] + _toml_table(prefab))


def level(size: int, seed: int = SEED) -> Content:
    """Returns a library of many different prefabs, in ``size`` bytes of RON or a little more."""
    chance = random.Random(seed)
    writer = _Ron(chance)
    ron_parts = ["#![enable(implicit_some)]\nLibrary(\n"]
    toml_parts = []
    length = len(ron_parts[0])
    number = 0
    while length < size:
        kind = chance.choice(_KINDS)
        label = f"{kind.__name__.strip('_')}_{number:04}"
        prefab = kind(chance, number)
        ron_parts.append(f"    {label}: {writer.top(prefab, 1)},\n")
        toml_parts.append(f"[{label}]\n{_toml_table(prefab)}")
        length += len(ron_parts[-1])
        number += 1
    return Content("".join([*ron_parts, ")\n"]), "\n".join(['type = "Library"\n', *toml_parts]))


def neutral(value: Value) -> Any:
    """Converts a RON value to the dictionaries, lists and strings that TOML has."""
    match value:
        case Ident():
            return value.name
        case Some():
            return neutral(value.value)
        case list() | tuple():
            return [neutral(item) for item in value]
        case TupleStruct():
            return [value.name, *(neutral(item) for item in value)]
        case Struct():
            named = {} if value._name is None else {"type": value._name}
            return named | {name: neutral(item) for name, item in value._items()}
        case Map():
            return {_key(key): neutral(item) for key, item in value.items()}
    return value


def _key(key: Value) -> str:
    return key if isinstance(key, str) else ron.dumps(key, pretty=False)


# ------------------------------------------------------------------------------------ the prefabs


def _named(struct_name: str | None, **fields: Any) -> Struct:
    return Struct(struct_name, fields)


def _prefab(extends: str, components: list[Any], children: list[Any]) -> Struct:
    if not children:
        return _named("Prefab", extends=extends, components=components)
    return _named("Prefab", extends=extends, components=components, children=children)


def _child(name: str, at: tuple[float, float], override: Struct) -> Struct:
    return _named(None, name=name, prefab=f"props/{name}", at=at, overrides=[override])


def _sprite(chance: random.Random, picture: str) -> Struct:
    texture = f":resources:images/{picture}_{chance.randrange(40)}.png"
    layer = Ident(chance.choice(("Ground", "Props", "Actors", "Sky")))
    scale = chance.choice((0.25, 0.5, 1.0, 2.0))
    if chance.random() < SOME_SHARE:
        tint = Some(tuple(chance.randrange(256) for _ in range(4)))
        return _named("Sprite", texture=texture, scale=scale, tint=tint, layer=layer)
    return _named("Sprite", texture=texture, scale=scale, layer=layer)


def _prop(chance: random.Random, number: int) -> Struct:
    box = TupleStruct("Box", (chance.randrange(8, 64), chance.randrange(8, 64)))
    tags: list[Value] = list(chance.sample(["wooden", "loot", "heavy", "old", "blue"], 3))
    components = [
        _sprite(chance, "tiles/box"),
        _named("Collider", shape=box, sensor=chance.random() < 0.2),
        _named("Health", max=chance.randrange(5, 200), regeneration=chance.random()),
        TupleStruct("Tags", (tags,)),
    ]
    if chance.random() < MAP_SHARE * len(_KINDS):  # the other kinds have no such map
        goods = chance.sample(["gold", "potion", "key", "arrow", "rope", "bread"], 4)
        items = Map({name: chance.randrange(1, 50) for name in goods})
        components.append(_named("Inventory", items=items, locked=Some(number)))
    if chance.random() < ESCAPE_SHARE * len(_KINDS):
        text = f'Crate "{number}"\tkeep dry \\ fragile'
        components.append(_named("Label", text=text, size=12))
    light = _named("Light", radius=chance.randrange(40, 200))
    return _prefab("props/wooden", components, [_child("lamp", (0, 32), light)])


def _enemy(chance: random.Random, number: int) -> Struct:
    patrol = [
        (round(chance.uniform(-900, 900), 2), round(chance.uniform(-900, 900), 2)) for _ in range(6)
    ]
    brain: dict[str, Any] = {
        "mode": Ident(chance.choice(("Patrol", "Guard", "Flee"))),
        "sight": chance.uniform(50, 400),
        "speed": chance.randrange(20, 120),
        "patrol": patrol,
    }
    if chance.random() < RAW_STRING_SHARE * len(_KINDS):
        brain["script"] = Raw('when("seen") { shout("\\o/"); chase(player) }')
    frames = [f"slime_walk_{frame}.png" for frame in range(4)]
    circle = TupleStruct("Circle", (chance.randrange(8, 40),))
    components = [
        _sprite(chance, "enemies/slime"),
        TupleStruct("Body", (circle, Ident("Dynamic"))),
        _named("Brain", **brain),
        _named("Health", max=chance.randrange(5, 200)),
        _named("Animation", frames=frames, duration=0.125, mode=Ident("PingPong")),
    ]
    shadow = _child("shadow", (0.0, -14.0), _named("Sprite", alpha=128))
    return _prefab(f"actors/enemy_{number % 7}", components, [shadow])


def _talker(chance: random.Random, number: int) -> Struct:
    lines = []
    for turn in range(5):
        text = f"Turn back, stranger {turn}, for the bridge at mile {chance.randrange(99)} is down."
        # A fifth for five lines, and times the kinds.
        if chance.random() < MULTI_LINE_STRING_SHARE / 5 * len(_KINDS):
            text = MultiLine(f"Halt!\n    Who goes there at hour {number % 24}?\nSpeak, friend.")
        lines.append(_named("Line", speaker="Guard – Östertor", text=text, pause=0.5))
    components = [
        _sprite(chance, "people/guard"),
        _named("Dialogue", lines=lines, once=True),
        _named("Trigger", radius=chance.randrange(20, 90), on=Ident("Enter")),
    ]
    return _prefab("actors/townsfolk", components, [])


def _area(chance: random.Random, number: int) -> Struct:
    rows = [[chance.randrange(90) for _ in range(24)] for _ in range(6)]
    components = [
        _named("Tiles", size=(16, 16), rows=rows),
        _named("Music", track=f"music/area_{number % 5}.ogg", fade=2.5),
    ]
    if chance.random() < TUPLE_KEY_SHARE * len(_KINDS):
        places = {(chance.randrange(-64, 64), column): Ident("Torch") for column in range(5)}
        components.append(_named("Placed", tiles=Map(places)))
    return _prefab("world/area", components, [])


_KINDS: Final[tuple[Callable[[random.Random, int], Struct], ...]] = (_prop, _enemy, _talker, _area)


# --------------------------------------------------------------------------------------- the texts


class _Ron:
    """Writes RON as authors do: one component a line, trailing commas, some comments."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance

    def top(self, prefab: Struct, level: int = 0) -> str:
        """A prefab whose first line stands at ``level``."""
        inner = "    " * (level + 1)
        lines = [f"{prefab._name}("]
        commented = self._chance is not None and self._chance.random() < COMMENT_SHARE
        if commented:
            lines.append(f"{inner}/* placed by hand: * do not move / rename */")
        for name, value in prefab._items():
            if not isinstance(value, list):
                lines.append(f"{inner}{name}: {self._value(value)},")
                continue
            lines.append(f"{inner}{name}: [")
            for item in value:
                remark = "  // see the design notes" if commented else ""
                lines.append(f"{inner}    {self._value(item)},{remark}")
            lines.append(f"{inner}],")
        lines.append("    " * level + ")")
        return "\n".join(lines) + ("\n" if level == 0 else "")

    def _value(self, value: Value) -> str:
        match value:
            case Raw():
                return f'r#"{value}"#'
            case MultiLine():
                return f'"{value}"'
            case Some():
                return f"Some({self._value(value.value)})"
            case list():
                return f"[{self._joined(value)}]"
            case tuple():
                return f"({self._joined(value)})"
            case TupleStruct():
                return f"{value.name}({self._joined(value)})"
            case Struct():
                pairs = (f"{name}: {self._value(item)}" for name, item in value._items())
                return f"{value._name or ''}({', '.join(pairs)})"
            case Map():
                pairs = (f"{self._value(k)}: {self._value(v)}" for k, v in value.items())
                return f"{{{', '.join(pairs)}}}"
        return ron.dumps(value)

    def _joined(self, values: Iterable[Value]) -> str:
        return ", ".join(self._value(item) for item in values)


def _toml_table(prefab: Struct) -> str:
    lines = []
    for name, value in neutral(prefab).items():
        if isinstance(value, list):
            lines += [f"{name} = [", *(f"    {_toml_value(item)}," for item in value), "]"]
        else:
            lines.append(f"{name} = {_toml_value(value)}")
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Raw():
            return f"'{value}'"
        case MultiLine():
            return f'"""{value}"""'
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(_toml_value(item) for item in value)}]"
        case dict():
            pairs = (f"{_toml_key(name)} = {_toml_value(item)}" for name, item in value.items())
            return f"{{ {', '.join(pairs)} }}"
    return repr(value)


def _toml_key(name: str) -> str:
    bare = name.replace("_", "a").replace("-", "a")
    return name if bare.isascii() and bare.isalnum() else json.dumps(name)
