"""Spawn and despawn hooks are called in pairs, whatever the hooks do."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from arcade_prefabs import ComponentRegistry, EntityState


@dataclass
class Hits:
    """A component with hooks."""

    left: int = 3


@dataclass
class Light:
    """Another component with hooks."""

    radius: float = 50.0


@pytest.fixture
def registry() -> ComponentRegistry:
    made = ComponentRegistry()
    for cls in (Hits, Light):
        made.component(cls)
    return made


PICTURE = 'Sprite(texture: "images/red.png"), Tags(["t"])'
SOLID = f"{PICTURE}, Collider(shape: Box(10, 10))"


def text(components: str = "", children: str = "") -> str:
    return f"Prefab(components: [{components}], children: [{children}])"


@pytest.fixture
def files(picture_of: Any) -> dict[str, str | bytes]:
    return {
        "images/red.png": picture_of((255, 0, 0)),
        "prefabs/a.ron": text(f"{PICTURE}, Hits()"),
        "prefabs/wall.ron": text(SOLID),
        "prefabs/pair.ron": text(
            f"{PICTURE}, Hits()", '(name: "x", prefab: "a"), (name: "y", prefab: "wall")'
        ),
    }


def left_over(scene: Any) -> list[Any]:
    """Despawns all entities; returns what indexes and walls still have."""
    entities = scene.prefabs.entities
    scene.prefabs.clear()
    scene.frame(20)
    known = [entities.with_component(one) for one in (Hits, Light)]
    rest = [*entities.with_tag("t"), *(one for some in known for one in some)]
    return [*rest, *scene.prefabs.walls]


# ------------------------------------------------------------------------------------------ pairs


def test_what_was_greeted_says_goodbye_if_another_hook_fails_the_spawn(
    stage: Any, files: Any, registry: Any
) -> None:
    """What the first hook began, its own `on_despawn` ends; the one that failed began nothing."""
    files["prefabs/a.ron"] = text(f"{PICTURE}, Hits(), Light()")
    scene = stage(files, registry=registry)
    entities, told = scene.prefabs.entities, []
    entities.on_spawn(Hits)(lambda *_: told.append("hits come"))
    entities.on_despawn(Hits)(lambda *_: told.append("hits go"))
    entities.on_despawn(Light)(lambda *_: told.append("light goes"))

    @entities.on_spawn(Light)
    def fails(*_: Any) -> None:
        raise ValueError("no")

    assert scene.spawn("a").state is EntityState.FAILED
    assert told == ["hits come", "hits go"]
    assert not left_over(scene)


def test_parts_that_were_not_greeted_say_no_goodbye(stage: Any, files: Any, registry: Any) -> None:
    """The whole despawns itself in the hook of its first part."""
    scene = stage(files, registry=registry)
    entities, told = scene.prefabs.entities, []

    @entities.on_spawn(Hits)
    def vanish(entity: Any, _: Hits) -> None:
        told.append(("comes", entity.name))
        entity.root.despawn()

    entities.on_despawn(Hits)(lambda entity, _: told.append(("goes", entity.name)))
    pair = scene.prefabs.spawn("pair")
    scene.until(lambda: pair.state is EntityState.DESPAWNED)
    assert told == [("comes", None), ("goes", None)]
    assert not left_over(scene)


def test_a_method_that_is_a_hook_can_be_taken_off(stage: Any, files: Any, registry: Any) -> None:
    """A view takes its own off; each time it is asked for, its method is another object."""
    scene = stage(files, registry=registry)

    class View:
        calls = 0

        def born(self, *_: Any) -> None:
            self.calls += 1

    view, entities = View(), scene.prefabs.entities
    entities.on_spawn(Hits)(view.born)
    scene.spawn("a")
    entities.remove_hook(view.born)
    scene.spawn("a")
    assert view.calls == 1


# ------------------------------------------------------------------------------------- hot reload


def test_a_hook_of_what_an_edit_takes_away_may_despawn_the_whole(
    stage: Any, files: Any, registry: Any
) -> None:
    """Its goodbye is said once, and the index forgets it."""
    scene = stage(files, registry=registry)
    entity, told = scene.spawn("a"), []

    @scene.prefabs.entities.on_despawn(Hits)
    def gone(one: Any, _: Hits) -> None:
        told.append(one)
        one.despawn()

    scene.edit({"prefabs/a.ron": text(SOLID)})
    assert entity.state is EntityState.DESPAWNED
    assert told == [entity]
    assert not left_over(scene)


def test_a_hook_of_what_an_edit_brings_may_despawn_a_part(
    stage: Any, files: Any, registry: Any
) -> None:
    """A sibling that the edit changes, too, and that comes later in its turn."""
    scene = stage(files, registry=registry)
    pair = scene.spawn("pair")
    y = pair.child("y")

    @scene.prefabs.entities.on_spawn(Light)
    def alone(one: Any, _: Light) -> None:
        y.despawn()

    scene.edit(
        {
            "prefabs/a.ron": text(f"{PICTURE}, Light()"),
            "prefabs/wall.ron": text(f"{SOLID}, Hits()"),
        }
    )
    assert [one.name for one in pair.children] == ["x"]
    assert y not in scene.prefabs.entities.with_component(Hits)
    assert not left_over(scene)


def test_a_hook_of_what_an_edit_brings_may_despawn_the_whole(
    stage: Any, files: Any, registry: Any
) -> None:
    """What the edit brings and nobody greeted says no goodbye."""
    scene = stage(files, registry=registry)
    pair, told = scene.spawn("pair"), []
    scene.prefabs.entities.on_despawn(Light)(lambda one, _: told.append(one.name))

    @scene.prefabs.entities.on_spawn(Light)
    def vanish(one: Any, _: Light) -> None:
        one.root.despawn()

    children = '(name: "x", prefab: "a"), (name: "y", prefab: "wall")'
    files = {
        "prefabs/pair.ron": text(f"{PICTURE}, Light()", children),
        "prefabs/wall.ron": text(f"{PICTURE}, Light()"),
    }
    scene.edit(files)
    assert pair.state is EntityState.DESPAWNED
    assert told == [None]
    assert not left_over(scene)


# -------------------------------------------------------------------------------------- any order


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
def test_hooks_in_any_mood_come_in_pairs(stage: Any, files: Any, registry: Any, seed: int) -> None:
    """They despawn themselves, their whole and others, spawn, and raise, while files change."""
    scene = stage(files, registry=registry)
    prefabs, dice = scene.prefabs, random.Random(seed)
    alive: list[Any] = []
    born: Counter[tuple[Any, type]] = Counter()
    gone: Counter[tuple[Any, type]] = Counter()
    failed: set[tuple[Any, type]] = set()

    def mood(entity: Any, key: tuple[Any, type] | None) -> None:
        what = dice.random()
        if what < 0.05:
            entity.despawn()
        elif what < 0.1:
            entity.root.despawn()
        elif what < 0.15 and alive:
            dice.choice(alive).despawn()
        elif what < 0.2 and len(alive) < 60:
            alive.append(prefabs.spawn(dice.choice(["a", "pair"])))
        elif what < 0.25:
            if key is not None:
                failed.add(key)
            raise ValueError("a bad mood")

    for cls in (Hits, Light):

        def come(entity: Any, component: Any) -> None:
            key = (entity, type(component))
            born[key] += 1
            mood(entity, key)

        def go(entity: Any, component: Any) -> None:
            gone[(entity, type(component))] += 1
            mood(entity, None)

        prefabs.entities.on_spawn(cls)(come)
        prefabs.entities.on_despawn(cls)(go)

    def variant() -> str:
        parts = [PICTURE if dice.random() < 0.5 else SOLID]
        parts += [one for one in ("Hits()", "Light()") if dice.random() < 0.6]
        return ", ".join(parts)

    for _ in range(60):
        what = dice.random()
        if what < 0.5:
            alive.append(prefabs.spawn(dice.choice(["a", "pair", "wall"])))
        elif what < 0.7 and alive:
            dice.choice(alive).despawn()
        else:
            children = [
                f'(name: "{name}", prefab: "{dice.choice(["a", "wall"])}")'
                for name in "xyz"
                if dice.random() < 0.6
            ]
            name = dice.choice(["a", "wall", "pair"])
            inside = ", ".join(children) if name == "pair" else ""
            scene.edit({f"prefabs/{name}.ron": text(variant(), inside)})
        scene.frame(2)
    for hooks in (prefabs.entities._born, prefabs.entities._gone):
        for some in hooks.values():
            some[:] = [lambda one, component: gone.update([(one, type(component))])] * (
                hooks is prefabs.entities._gone
            )
    assert not left_over(scene)
    assert not prefabs.busy
    # One that fails a spawn began nothing; in an entity that stays, its component stays.
    odd = {key for key in {*born, *gone} if born[key] != gone[key]}
    assert odd <= failed, [(one, born[one], gone[one]) for one in odd - failed]
    assert len(born) > 20


def test_first_spawn_comes_before_spawn_and_once_in_a_life(
    stage: Any, files: Any, registry: Any
) -> None:
    """For what the game spawns, each spawn is a life; parts are greeted like wholes."""
    scene = stage(files, registry=registry)
    entities = scene.prefabs.entities
    calls: list[tuple[str, Any]] = []
    entities.on_spawn(Hits)(lambda entity, _: calls.append(("each", entity)))
    entities.on_first_spawn(Hits)(lambda entity, _: calls.append(("first", entity)))
    entities.on_despawn(Hits)(lambda entity, _: calls.append(("gone", entity)))
    pair = scene.spawn("pair")
    part = pair.child("x")
    assert calls == [("first", pair), ("each", pair), ("first", part), ("each", part)]
    pair.despawn()
    assert Counter(what for what, _ in calls) == {"first": 2, "each": 2, "gone": 2}
    again = scene.spawn("a")
    assert calls[-2:] == [("first", again), ("each", again)]
    assert left_over(scene) == []


@pytest.mark.parametrize("does", ["raises", "despawns"])
def test_a_first_spawn_that_ends_the_entity_is_followed_by_nothing(
    stage: Any, files: Any, registry: Any, does: str
) -> None:
    """No `on_spawn` for what is not there; `on_despawn` only for what was begun."""
    scene = stage(files, registry=registry)
    entities = scene.prefabs.entities
    calls: list[str] = []

    @entities.on_first_spawn(Hits)
    def end(entity: Any, _: Hits) -> None:
        calls.append("first")
        if does == "raises":
            raise ValueError("no")
        entity.despawn()

    entities.on_spawn(Hits)(lambda *_: calls.append("each"))
    entities.on_despawn(Hits)(lambda *_: calls.append("gone"))
    entity = scene.prefabs.spawn("a")
    scene.frame(5)
    assert entity.state is (EntityState.FAILED if does == "raises" else EntityState.DESPAWNED)
    assert calls == (["first"] if does == "raises" else ["first", "gone"])
    assert left_over(scene) == []
    entities.remove_hook(end)
    assert scene.spawn("a").alive
    assert calls[-1] == "each"
