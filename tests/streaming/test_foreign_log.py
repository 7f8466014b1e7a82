"""Names from files and from the game are logged as text, each message on one line."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from arcade_prefabs import ComponentRegistry
from arcade_prefabs.pipeline import ReloadReport

MARKS = "\x1b[31m\u202e\n\r\u2028[\u200b"
VALUE = "".join(f"\\u{{{ord(one):x}}}" for one in MARKS)
PATH = "bad\u202e"  # what of it a path may hold
BROKEN = f'Prefab(components: [Text(text: "{VALUE}", "{VALUE}": 1), Foo{MARKS}])'


@dataclass
class Curse:
    """A component that refuses one text, and quotes it in its error."""

    text: str

    def __post_init__(self) -> None:
        if self.text == MARKS:
            raise ValueError(f"no {self.text}")


def bewitch(_entity: Any, curse: Curse) -> None:
    """A hook that raises for a component with a text, and quotes control characters."""
    if curse.text:
        raise ValueError(f"no {MARKS}")


async def wait_for(entity: Any) -> None:
    await entity


FILES: dict[str, str | bytes] = {
    f"prefabs/{PATH}.ron": BROKEN,
    "prefabs/heir.ron": f'Prefab(extends: "{PATH}")',
    "prefabs/picture.ron": 'Prefab(components: [Sprite(texture: "no\u202e.png")])',
    "prefabs/cursed.ron": f'Prefab(components: [Curse(text: "{VALUE}")])',
    "prefabs/hooked.ron": 'Prefab(components: [Curse(text: "x")])',
    "prefabs/quiet.ron": 'Prefab(components: [Curse(text: "")])',
    "images/bad\u202e.png": b"no picture",
    "worlds/bad\u202e.ron": f'World(entities: [(prefab: "{VALUE}", at: (0, 0), id: "{VALUE}")])',
    "worlds/good.ron": f'World(cell_size: 100, entities: [(prefab: "{PATH}", at: (0, 0))])',
}


@pytest.fixture
def registry() -> ComponentRegistry:
    made = ComponentRegistry()
    made.component(Curse)
    return made


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[str], None]]:
    """Gives tests a check of the log: a text is logged, and every message keeps to its lines."""
    caplog.set_level(logging.DEBUG)

    def look(wanted: str) -> None:
        told = [one.getMessage() for one in caplog.records if one.name == "arcade_prefabs"]
        for message in told:
            first, *more = message.split("\n")
            assert all(line.isprintable() for line in (first, *more)), ascii(message)
            # The line of a file, the caret below it, and the hint: no name adds one.
            assert all(line.startswith("  ") for line in more), message
        assert any(wanted in message for message in told), told
        caplog.clear()

    yield look
    for one in caplog.get_records("call"):
        assert all(line.isprintable() for line in one.getMessage().split("\n")), one


def test_spawns_that_fail_are_logged_as_text(
    stage: Any, registry: ComponentRegistry, messages: Callable[[str], None]
) -> None:
    """Broken files, their heirs, components and hooks that quote what they were given."""
    on = stage(FILES, registry=registry)
    on.prefabs.entities.on_spawn(Curse)(bewitch)
    for name, wanted in [
        (PATH, r"prefabs/bad\u202e.ron cannot be loaded: prefabs/bad\u202e.ron:1:"),
        ("heir", "prefabs/heir.ron cannot be loaded: "),
        ("picture", r"no\u202e.png cannot be loaded: "),
        ("cursed", r"prefabs/cursed.ron cannot be loaded: "),
        ("hooked", r"cannot be spawned: no \x1b[31m\u202e\n\r\u2028["),
        (f"gone{PATH}", r"prefabs/gonebad\u202e.ron cannot be loaded"),
    ]:
        entity = on.spawn(name)
        assert entity.error is not None
        messages(wanted)
        waiting = on.prefabs.start(wait_for(entity))
        on.until(lambda waiting=waiting: waiting.done)
        first, *more = str(waiting.error).split("\n")
        assert " cannot be spawned: " in first
        assert all(line.isprintable() for line in (first, *more))
        assert all(line.startswith("  ") for line in more)
    wrong = on.spawn("quiet", overrides={"Curse": {"text": 5}})
    assert str(wrong.error).isprintable()
    messages(
        "prefabs/quiet.ron cannot be spawned: an override does not fit: `Curse.text`: expected"
    )


def test_files_that_break_while_the_game_runs_are_logged_as_text(
    stage: Any, registry: ComponentRegistry, messages: Callable[[str], None]
) -> None:
    """As they are saved."""
    on = stage({**FILES, f"prefabs/{PATH}.ron": "Prefab()"}, registry=registry)
    entity = on.spawn(PATH)
    assert entity.alive
    on.source.write(f"prefabs/{PATH}.ron", BROKEN)
    report = on.pipeline.bake()
    on.prefabs.loader.apply(ReloadReport(report.changed_ids(), report.errors, [], report))
    on.frame(8)
    messages(r"prefabs/bad\u202e.ron cannot be baked: ")


@pytest.mark.parametrize("name", [None, f"{MARKS} world"])
def test_worlds_that_cannot_be_opened_are_logged_as_text(
    stage: Any,
    registry: ComponentRegistry,
    messages: Callable[[str], None],
    tmp_path: Path,
    name: str | None,
) -> None:
    """Whatever their files, their saves and they themselves are called."""
    on = stage(FILES, registry=registry)
    folder = tmp_path / MARKS.replace("/", "")
    folder.mkdir()
    for world, save in [
        (f"worlds/{PATH}.ron", None),
        (f"worlds/gone{PATH}.ron", None),
        ("worlds/good.ron", folder),
        (f"prefabs{PATH}", tmp_path / "a\0b"),
    ]:
        opened = on.prefabs.open_world(world, name=name, save=save)
        on.until(lambda opened=opened: opened.error is not None)
        messages("cannot be opened: ")
        with pytest.raises(Exception, match="could not be opened") as caught:
            opened.show_layer("x")
        first, *more = str(caught.value).split("\n")
        assert all(line.isprintable() for line in (first, *more))
        assert all(line.startswith("  ") for line in more)
        opened.close()


def test_a_world_logs_what_it_is_called_and_holds_as_text(
    world_on: Any,
    registry: ComponentRegistry,
    messages: Callable[[str], None],
    tmp_path: Path,
) -> None:
    """Prefabs that cannot be loaded, entities of the game's own, and a save that is deleted."""
    save = tmp_path / f"{MARKS}.sqlite"
    one = world_on(
        "World(cell_size: 100, entities: "
        f'[(prefab: "{PATH}", at: (0, 0)), (prefab: "hooked", at: (5, 5), id: "bad\u0645")])',
        FILES,
        options={"registry": registry},
        name=f"{MARKS} world",
        save=save,
    )
    one.prefabs.entities.on_spawn(Curse)(bewitch)
    one.settle()
    messages(" cannot be loaded: ")
    one.world.add("gone", (20, 20), name=f"{MARKS} entity")
    one.settle()
    messages(r"\x1b[31m\u202e\n\r\u2028[\u200b entity in ")
    save.with_name(save.name + ".unsaved").unlink()
    one.world.add("quiet", (30, 30), name=f"{MARKS} other")
    saved = one.world.save()
    one.until(lambda: saved.done)
    messages(r".sqlite.unsaved was deleted while it was open")
    with pytest.raises(Exception, match="has an entity") as caught:
        one.world.add("quiet", (30, 30), name=f"{MARKS} other")
    assert str(caught.value).isprintable()
    one.close()
    with pytest.raises(Exception, match="was closed") as caught:
        one.world.add("quiet", (30, 30))
    assert str(caught.value).isprintable()
