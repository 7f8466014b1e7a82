"""The component `Text` is drawn into the atlas: the right letters, at the right position."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from typing import Any

import arcade
import pytest

from arcade_prefabs import SpawnError
from arcade_prefabs.prefab import Text

RED, BLACK = (255, 0, 0), (0, 0, 0)


@pytest.fixture
def files(picture_of: Callable[..., bytes]) -> dict[str, str | bytes]:
    return {
        "images/red.png": picture_of(RED),
        "prefabs/sign.ron": """Prefab(components: [
            Sprite(texture: "images/red.png"),
            Text(text: "Inn", font_size: 24, color: (0, 255, 0), offset: (0, 60)),
        ])""",
        "prefabs/left.ron": 'Prefab(components: [Text(text: "Hall", anchor: Left)])',
        "prefabs/right.ron": 'Prefab(components: [Text(text: "Hall", anchor: Right)])',
        "prefabs/plain.ron": 'Prefab(components: [Sprite(texture: "images/red.png")])',
        "prefabs/blank.ron": 'Prefab(components: [Text(text: "  ")])',
        "prefabs/lines.ron": 'Prefab(components: [Text(text: "Hall\\nHall\\nHall")])',
        "prefabs/long.ron": f'Prefab(components: [Text(text: "{"m" * 2001}")])',
        "prefabs/large.ron": 'Prefab(components: [Text(text: "a", font_size: 4000)])',
        "prefabs/wide.ron": f'Prefab(components: [Text(text: "{"m" * 300}", font_size: 40)])',
        "prefabs/odd.ron": 'Prefab(components: [Text(text: "a", font_name: ":nowhere:font.ttf")])',
        "prefabs/street.ron": "Prefab(children: ["
        + ", ".join(f'(prefab: "sign", at: ({n * 10}, 0), name: "s{n}")' for n in range(80))
        + "])",
    }


def lit(scene: Any) -> tuple[int, int, int, int] | None:
    """Returns the box of pixels in the window that are not black; y counts from the bottom."""
    box = scene.picture().convert("L").point(lambda value: 255 if value > 60 else 0).getbbox()
    if box is None:
        return None
    return (box[0], 300 - box[3], box[2], 300 - box[1])


def test_a_text_is_drawn_in_its_color_around_its_offset(stage: Any, files: Any) -> None:
    """Green letters above the red square, and nowhere else."""
    scene = stage(files)
    entity = scene.spawn("sign", (200, 100))
    picture = scene.picture()
    green = [
        (x, 299 - y)
        for x in range(400)
        for y in range(300)
        if (pixel := picture.getpixel((x, y)))[1] > 128 and pixel[0] < 60 and pixel[2] < 60
    ]
    assert len(green) > 60
    assert 140 < min(y for _, y in green) < 160 < max(y for _, y in green) < 180
    middle = (min(x for x, _ in green) + max(x for x, _ in green)) / 2
    assert middle == pytest.approx(200, abs=3)
    assert scene.color(200, 100) == RED
    assert entity.text == "Inn"
    assert len(entity.sprites) == 2


def test_the_anchor_says_which_side_stands_there(stage: Any, files: Any) -> None:
    """Left of it nothing, or right of it nothing."""
    scene = stage(files)
    entity = scene.spawn("left", (200, 100))
    left, _, right, _ = lit(scene)
    assert left == pytest.approx(200, abs=4)
    assert right > 215
    entity.despawn()
    scene.spawn("right", (200, 100))
    left, _, right, _ = lit(scene)
    assert right == pytest.approx(200, abs=4)
    assert left < 185


def test_a_text_begins_and_ends_where_its_anchor_stands(stage: Any, files: Any) -> None:
    """To the pixel: two with different anchors are as far apart as the text is long."""
    scene = stage(files)
    left, right = (scene.spawn(name, (200, 100)).sprites[0] for name in ("left", "right"))
    long = math.ceil(arcade.Text("Hall", 0, 0, font_size=12, font_name="Arial").content_width)
    assert left.center_x - right.center_x == pytest.approx(long)


def test_a_text_moves_turns_and_grows_with_its_entity(stage: Any, files: Any) -> None:
    """A quarter turn clockwise brings what was above to the right."""
    scene = stage(files)
    entity = scene.spawn("sign", (100, 100))
    label = entity.sprites[1]
    assert label.position == (100, 160)
    entity.position = (150, 150)
    assert label.position == (150, 210)
    entity.angle = 90
    assert label.position == pytest.approx((210, 150))
    assert label.angle == 90
    entity.scale = 2.0
    assert label.position == pytest.approx((270, 150))
    assert label.scale == (2.0, 2.0)
    entity.visible = False
    assert lit(scene) is None


def test_a_text_can_say_something_else(stage: Any, files: Any) -> None:
    """At once; nothing, too; its component and its place follow."""
    scene = stage(files)
    entity = scene.spawn("left", (200, 100))
    _, _, before, _ = lit(scene)
    entity.text = "Hall Hall Hall"
    assert entity[Text].text == "Hall Hall Hall"
    left, _, after, _ = lit(scene)
    assert left == pytest.approx(200, abs=4)
    assert after > before + 20
    entity.text = ""
    assert lit(scene) is None
    assert entity.text == ""
    entity.sprites  # noqa: B018 - what is not there does no harm
    entity.text = "back"
    assert lit(scene) is not None


def test_a_text_has_the_same_margin_whatever_it_says(stage: Any, files: Any) -> None:
    """Some pixels on each side, so that its letters do not touch their neighbours in the atlas."""
    entity = stage(files).spawn("left", (200, 100))
    margins = set()
    for text in ("i", "ii", "iii", "iiii", "m", "mm", "Hall"):
        entity.text = text
        label = entity.sprites[0]
        letters = arcade.Text(text, 0, 0, font_size=entity[Text].font_size)
        wide, high = math.ceil(letters.content_width), math.ceil(letters.content_height)
        margins |= {label.width - wide, label.height - high}
    assert len(margins) == 1
    assert margins.pop() >= 2


def test_only_what_has_a_text_can_say_something(stage: Any, files: Any) -> None:
    """The error names the entity."""
    scene = stage(files)
    entity = scene.spawn("plain")
    with pytest.raises(SpawnError, match=r"plain.*has no `Text`"):
        entity.text = "hello"
    late = scene.prefabs.spawn("sign")
    with pytest.raises(SpawnError, match="has no `Text`"):
        late.text = "hello"


def test_equal_texts_are_drawn_once_and_leave_with_the_last(stage: Any, files: Any) -> None:
    """A hundred signs take the room of one; colors do not matter."""
    scene = stage(files)
    signs = [scene.spawn("sign", (n, n)) for n in range(20)]
    signs.append(scene.spawn("sign", overrides={"Text": {"color": (0, 0, 255)}}))
    assert scene.prefabs.atlas.statistics().images == 2  # and the red square
    for sign in signs:
        sign.despawn()
    gc.collect()
    scene.frame(2)
    assert len(scene.prefabs._factory.labels._known) == 0
    assert scene.prefabs.atlas.statistics().images <= 1  # the square may stay in the cache


def test_an_override_and_an_edit_change_the_text(stage: Any, files: Any) -> None:
    """An edit leaves what an entity has of its own."""
    scene = stage(files)
    own = scene.spawn("sign", (100, 100), overrides={"Text": {"text": "Mine"}})
    other = scene.spawn("sign", (200, 100))
    small = other.own_sprites()[-1].height
    text = files["prefabs/sign.ron"].replace("Inn", "Mill").replace("24", "30")
    scene.edit({"prefabs/sign.ron": text})
    assert (own.text, other.text) == ("Mine", "Mill")
    assert own[Text].font_size == other[Text].font_size == 30
    assert own.own_sprites()[-1].height == other.own_sprites()[-1].height > small
    assert len(scene.prefabs.scene["default"]) == 4
    scene.edit({"prefabs/sign.ron": files["prefabs/plain.ron"]})
    assert other.text == ""
    assert len(scene.prefabs.scene["default"]) == 3  # what was overridden is the entity's own


def test_a_blank_text_is_no_sprite(stage: Any, files: Any) -> None:
    """It can get one later."""
    scene = stage(files)
    entity = scene.spawn("blank", (100, 100))
    assert entity.sprites == []
    entity.text = "Hall"
    assert lit(scene) is not None


def test_lines_stand_below_each_other(stage: Any, files: Any) -> None:
    """Three lines are three times as high as one."""
    scene = stage(files)
    one = scene.spawn("left", (200, 150))
    _, low, _, high = lit(scene)
    one.despawn()
    scene.spawn("lines", (200, 150))
    _, lowest, _, highest = lit(scene)
    assert highest - lowest > 2.5 * (high - low)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("long", "2000 characters at most, not 2001"),
        ("large", "400 points at most, not 4000"),
        ("wide", "up to 4096×4096 pixels large"),
        ("odd", "nowhere"),
    ],
)
def test_texts_of_strangers_cannot_take_all_time_and_room(
    stage: Any, files: Any, name: str, message: str
) -> None:
    """The spawn fails and says why; nothing of it is left, and others are not hindered."""
    scene = stage(files)
    entity = scene.spawn(name)
    assert message in str(entity.error)
    assert all(len(one) == 0 for one in scene.prefabs.scene._sprite_lists)
    assert scene.spawn("sign").alive


def test_texts_of_a_large_prefab_are_hidden_until_all_is_there(stage: Any, files: Any) -> None:
    """And each picture is drawn in a step of its own."""
    scene = stage(files, step_s=0.00002, budget_ms=0.3)
    entity = scene.prefabs.spawn("street", (0, 100))
    frames = 0
    while not entity.alive:
        assert lit(scene) is None
        scene.frame()
        frames += 1
        assert entity.error is None
    assert frames >= 2
    assert len(entity.sprites) == 160
    assert lit(scene) is not None


def test_labels_work_in_arcade_s_own_atlas(
    stage: Any, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where ours cannot be used."""
    monkeypatch.setattr("arcade_prefabs.window.arcade_private.missing", lambda: ["arcade.Gone"])
    scene = stage(files)
    scene.spawn("left", (200, 100))
    assert lit(scene) is not None


def test_labels_survive_a_rebuild_and_a_resize_of_the_atlas(stage: Any, files: Any) -> None:
    """Their pixels are nowhere but there."""
    scene = stage(files)
    scene.spawn("left", (200, 100))
    before = scene.picture().tobytes()
    scene.prefabs.atlas.rebuild()
    assert scene.picture().tobytes() == before
    scene.prefabs.atlas.resize((2048, 1024))
    assert scene.picture().tobytes() == before


def test_the_text_of_what_is_gone_cannot_be_set(stage: Any, files: Any) -> None:
    """It is refused, and no sprite of it appears once more."""
    scene = stage(files)
    sign = scene.spawn("sign", (100, 100))
    sign.despawn()
    with pytest.raises(SpawnError, match="has no `Text` that could say something"):
        sign.text = "Boo"
    assert len(scene.prefabs.scene["default"]) == 0
