"""Benchmarks reading, resolving and building prefabs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from arcade_prefabs import ron
from arcade_prefabs.prefab import PrefabFile, Resolver, prefab_id, read_prefabs

from .harness import Options, Row, Target, benchmark, race, ratio_of

__all__ = ["prefab_speed"]

QUICK_TO_READ: Final = Target("at most", 250.0)

CRATE: Final = """\
// a crate that holds things, and says so when the player comes near
Prefab(
    extends: "props/wooden",
    components: [
        Sprite(texture: ":resources:images/tiles/boxCrate_double.png", scale: 0.5, angle: 12.5),
        Collider(shape: Box(32, 32), offset: (0, 4), solid: true, group: "crates"),
        Tags(["breakable", "wooden", "loot", "flammable"]),
        Animation(frames: ["props/crate_1.png", "props/crate_2.png"], frame_duration: 0.1),
        Sound(path: "sounds/crate_break.wav", volume: 0.8, radius: Some(600)),
        Text(text: "An old crate, nailed shut", offset: (0.0, 40.0), color: (255, 240, 200)),
    ],
    children: [
        (name: "lamp", prefab: "props/lamp", position: (0, 32), overrides: [
            Sprite(alpha: 128, color: (255, 240, 200)), Collider(solid: false, group: "lights"),
        ]),
        (name: "shadow", prefab: "props/lamp", position: (0, -14), angle: 90, scale: (1, 0.5)),
    ],
)
"""
FILES: Final = {
    "props/crate": CRATE,
    "props/wooden": """\
Prefab(extends: "props/thing", components: [Sprite(texture: "props/wood.png", layer: "props")])
""",
    "props/thing": 'Prefab(components: [Collider(), Tags(["thing"])])\n',
    "props/lamp": """\
Prefab(components: [Sprite(texture: "props/lamp.png", scale: 0.25), Tags(["light"])])
""",
}


@benchmark("prefab_speed")
def prefab_speed(options: Options) -> Iterator[Row]:
    """A 1 kB prefab: from text to a checked document, resolved, and built as components."""
    files = {prefab_id(name): read_prefabs(text, name) for name, text in FILES.items()}

    def load(identifier: str) -> PrefabFile:
        return files[identifier]

    def resolve() -> object:
        return Resolver(load).resolve("props/crate")  # a new one, as a resolver keeps its results

    prefab = Resolver(load).resolve("props/crate")
    times = race(
        {
            "read": partial(read_prefabs, CRATE, "props/crate"),
            "loads": partial(ron.loads, CRATE),
            "resolve": resolve,
            "build": prefab.build,
        },
        options,
    )
    yield Row(
        "read_prefabs, 1 kB prefab",
        times["read"].median_s * 1e6,
        "µs",
        baseline=times["loads"].median_s * 1e6,
        baseline_name="ron.loads alone",
        ratio=ratio_of(times["loads"], times["read"]),
        target=QUICK_TO_READ,
        note=f"{len(CRATE.encode())} bytes; the baseline only reads the RON, and checks nothing",
    )
    yield Row(
        "resolve, 3 levels and 2 children",
        times["resolve"].median_s * 1e6,
        "µs",
        note="all four files read before; a new resolver each time",
    )
    yield Row(
        "build, prefabs",
        1 / times["build"].median_s,
        "per s",
        note=f"{len(prefab.components)} typed components each, from plain data",
    )
