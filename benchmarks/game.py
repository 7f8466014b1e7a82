"""Writes a folder of prefabs like that of a game: a few parents, many different derived ones."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

__all__ = ["CRATE", "PARENTS", "write_game"]

CRATE: Final = """\
// a crate that holds things, and says so when the player comes near
Prefab(
    extends: "props/wooden",
    components: [
        Sprite(texture: ":resources:images/tiles/boxCrate_double.png", scale: 0.5, angle: ANGLE),
        Collider(shape: Box(32, 32), offset: (0, 4), solid: true, group: "crates"),
        Tags(["breakable", "wooden", "WORD1", "WORD2"]),
        Animation(frames: ["props/WORD1_1.png", "props/WORD2_2.png"], frame_duration: 0.1),
        Sound(path: "sounds/WORD1_break.wav", volume: 0.8, radius: Some(RADIUS)),
        Text(text: "A WORD1 WORD2 crate, number NUMBER", offset: (0.0, 40.0), color: (255, 240, 0)),
    ],
    children: [
        (name: "lamp", prefab: "props/lamp", position: (X, 32), overrides: [
            Sprite(alpha: 128, color: (255, 240, 200)), Collider(solid: false, group: "lights"),
        ]),
        (name: "shadow", prefab: "props/lamp", position: (0, -14), angle: 90, scale: (1, 0.5)),
    ],
)
"""
PARENTS: Final = {
    "props/wooden": """\
Prefab(extends: "props/thing", components: [Sprite(texture: "props/wood.png", layer: "props")])
""",
    "props/thing": 'Prefab(components: [Collider(), Tags(["thing"])])\n',
    "props/lamp": """\
Prefab(components: [Sprite(texture: "props/lamp.png", scale: 0.25), Tags(["light"])])
""",
}
_WORDS: Final = (
    "oak",
    "pine",
    "birch",
    "iron",
    "steel",
    "rusty",
    "golden",
    "mossy",
    "ancient",
    "broken",
    "cursed",
    "blessed",
    "tiny",
    "huge",
    "red",
    "blue",
    "green",
    "copper",
    "silver",
    "frozen",
    "burning",
    "hollow",
    "painted",
    "royal",
    "sunken",
    "dusty",
)
_PER_FOLDER: Final = 200


def write_game(root: Path, count: int) -> int:
    """Writes prefabs of about a kilobyte each. Returns the bytes of all files."""
    chance = random.Random(count)
    texts = {f"prefabs/{name}.ron": text for name, text in PARENTS.items()}
    for number in range(count):
        words = chance.sample(_WORDS, 2)
        text = CRATE
        for name, value in (
            ("ANGLE", f"{chance.random() * 360:.2f}"),
            ("WORD1", words[0]),
            ("WORD2", words[1]),
            ("RADIUS", str(chance.randrange(100, 999))),
            ("NUMBER", str(number)),
            ("X", str(chance.randrange(-40, 40))),
        ):
            text = text.replace(name, value)
        texts[f"prefabs/{words[0]}/{number // _PER_FOLDER}/crate_{number}.ron"] = text
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sum(len(text.encode()) for text in texts.values())
