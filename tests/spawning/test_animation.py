"""Animations show the right frame at the right time, and cost nothing in between."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
FRAME_S = 1 / 60


def strip(*colors: tuple[int, ...], columns: int | None = None) -> bytes:
    """Returns a sprite sheet of frames of 16×16 pixels."""
    columns = columns or len(colors)
    image = Image.new("RGBA", (16 * columns, 16 * -(-len(colors) // columns)))
    for number, color in enumerate(colors):
        x, y = 16 * (number % columns), 16 * (number // columns)
        image.paste((*color, 255), (x, y, x + 16, y + 16))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def gif(*frames: tuple[tuple[int, ...], int]) -> bytes:
    """Returns an animated image with these colors, each for so many milliseconds."""
    images = [Image.new("RGB", (16, 16), color) for color, _ in frames]
    file = io.BytesIO()
    images[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=images[1:],
        duration=[one for _, one in frames],
        loop=0,
    )
    return file.getvalue()


def sheet(count: int, *, columns: int = 4, first: int = 0) -> str:
    return (
        'SpriteSheet(image: "images/sheet.png", frame_size: (16, 16), '
        f"columns: {columns}, count: {count}, first: {first})"
    )


def prefab(animation: str, sprite: str = "") -> str:
    return (
        f'Prefab(components: [Sprite(texture: "images/sheet.png"{sprite}), Animation({animation})])'
    )


def colors(scene: Any, frames: int, seconds: float) -> list[tuple[int, int, int]]:
    """Plays so many stretches of time; returns the color at one position in the middle of each."""
    seen = []
    scene.prefabs.update(seconds / 2)
    for _ in range(frames):
        seen.append(scene.color(100, 100))
        scene.prefabs.update(seconds)
    return seen


FILES = {"images/sheet.png": strip(RED, GREEN, BLUE, WHITE)}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("Loop", [RED, GREEN, BLUE, RED, GREEN, BLUE, RED]),
        ("Once", [RED, GREEN, BLUE, BLUE, BLUE, BLUE, BLUE]),
        ("PingPong", [RED, GREEN, BLUE, GREEN, RED, GREEN, BLUE]),
    ],
)
def test_frames_follow_each_other_in_each_mode(
    stage: Any, mode: str, expected: list[tuple[int, int, int]]
) -> None:
    """Each for its time."""
    animation = f"frames: {sheet(3)}, frame_duration: 0.2, mode: {mode}"
    scene = stage({**FILES, "prefabs/a.ron": prefab(animation)})
    entity = scene.spawn("a", (100, 100))
    entity.animation.stop()
    entity.animation.show(0)
    entity.animation.play()
    assert colors(scene, 7, 0.2) == expected
    assert entity.animation.playing == (mode != "Once")


def test_one_image_for_each_frame(stage: Any, picture_of: Any) -> None:
    """Instead of a sheet."""
    files = {f"images/{name}.png": picture_of(c) for name, c in (("r", RED), ("g", GREEN))}
    animation = 'frames: ["images/g.png", "images/r.png"], frame_duration: 0.2'
    scene = stage({**FILES, **files, "prefabs/a.ron": prefab(animation)})
    entity = scene.spawn("a", (100, 100))
    entity.animation.show(0)
    entity.animation.play()
    assert colors(scene, 3, 0.2) == [GREEN, RED, GREEN]


def test_a_sheet_may_begin_later_and_go_over_rows(stage: Any) -> None:
    """Frames are counted row by row."""
    files = {"images/sheet.png": strip(RED, GREEN, BLUE, WHITE, columns=2)}
    animation = f"frames: {sheet(3, columns=2, first=1)}, frame_duration: 0.2"
    scene = stage({**files, "prefabs/a.ron": prefab(animation)})
    entity = scene.spawn("a", (100, 100))
    shown = []
    for number in range(3):
        entity.animation.show(number)
        shown.append(scene.color(100, 100))
    assert shown == [GREEN, BLUE, WHITE]
    with pytest.raises(IndexError):
        entity.animation.show(3)


def test_an_animation_can_wait_be_stopped_and_go_on(stage: Any) -> None:
    """One that does not start by itself shows its first frame."""
    animation = f"frames: {sheet(3)}, frame_duration: 0.2, autoplay: false"
    scene = stage({**FILES, "prefabs/a.ron": prefab(animation)})
    playing = scene.spawn("a", (100, 100)).animation
    assert colors(scene, 2, 0.2) == [RED, RED]
    assert not playing.playing
    playing.play()
    playing.play()
    assert colors(scene, 2, 0.2) == [RED, GREEN]
    playing.stop()
    stopped = playing.frame
    assert len(set(colors(scene, 4, 0.2))) == 1
    assert playing.frame == stopped
    playing.play()
    scene.prefabs.update(0.21)
    assert playing.frame == (stopped + 1) % 3


def test_a_single_frame_is_not_played(stage: Any) -> None:
    """There is nothing to go on to, so nothing waits for its time."""
    animation = f"frames: {sheet(1)}, frame_duration: 0.2"
    scene = stage({**FILES, "prefabs/a.ron": prefab(animation)})
    playing = scene.spawn("a", (100, 100)).animation
    playing.play()
    assert len(playing) == 1
    assert not playing.playing
    assert len(scene.prefabs._factory.animator) == 0


def test_what_was_played_once_can_be_played_again(stage: Any) -> None:
    """From its beginning."""
    animation = f"frames: {sheet(2)}, frame_duration: 0.2, mode: Once"
    scene = stage({**FILES, "prefabs/a.ron": prefab(animation)})
    playing = scene.spawn("a", (100, 100)).animation
    scene.frame(30)
    assert (playing.playing, playing.frame) == (False, 1)
    playing.play()
    assert playing.frame == 0
    scene.frame(30)
    assert (playing.playing, playing.frame) == (False, 1)


def test_an_animated_gif_plays_with_its_own_times(stage: Any) -> None:
    """Without an `Animation`, for as long as it is told in the file."""
    files = {
        "images/sheet.gif": gif((RED, 100), (GREEN, 300)),
        "prefabs/a.ron": 'Prefab(components: [Sprite(texture: "images/sheet.gif")])',
    }
    scene = stage(files)
    entity = scene.spawn("a", (100, 100))
    entity.animation.stop()
    entity.animation.show(0)
    entity.animation.play()
    assert colors(scene, 8, 0.1) == [RED, GREEN, GREEN, GREEN, RED, GREEN, GREEN, GREEN]


def test_frames_are_mirrored_like_the_sprite(stage: Any) -> None:
    """A frame with two halves changes sides."""
    image = Image.new("RGBA", (32, 16), (*RED, 255))
    image.paste((*BLUE, 255), (8, 0, 16, 16))
    image.paste((*BLUE, 255), (24, 0, 32, 16))
    file = io.BytesIO()
    image.save(file, "PNG")
    files = {
        "images/sheet.png": file.getvalue(),
        "prefabs/a.ron": prefab(f"frames: {sheet(2, columns=2)}", ", flip_horizontal: true"),
    }
    scene = stage(files)
    scene.spawn("a", (100, 100))
    assert (scene.color(96, 100), scene.color(104, 100)) == (BLUE, RED)


def test_a_slow_frame_makes_no_animation_slower(stage: Any) -> None:
    """What is due since two frames ago goes on from when it was due."""
    animation = f"frames: {sheet(4)}, frame_duration: 0.05"
    scene = stage({**FILES, "prefabs/a.ron": prefab(animation)})
    playing = scene.spawn("a", (100, 100)).animation
    playing.stop()
    playing.show(0)
    playing.play()
    for _ in range(10):
        scene.prefabs.update(0.081)  # 0.81 s: 16 frames
    assert playing.frame == 0
    scene.prefabs.update(1000.0)  # the game stood still: no storm of frames
    assert playing.playing


def test_the_game_can_choose_among_the_frames_of_an_image(stage: Any) -> None:
    """As with any `arcade.Sprite` that has several textures."""
    files = {
        "images/sheet.gif": gif((RED, 100), (GREEN, 300)),
        "prefabs/a.ron": 'Prefab(components: [Sprite(texture: "images/sheet.gif")])',
    }
    scene = stage(files)
    entity = scene.spawn("a", (100, 100))
    entity.animation.stop()
    entity.sprite.set_texture(1)
    assert scene.color(100, 100) == GREEN


def test_what_is_gone_is_animated_no_more(stage: Any) -> None:
    """Nothing waits for its time, and thousands that rest cost nothing."""
    animation = f"frames: {sheet(3)}, frame_duration: 0.2"
    scene = stage({**FILES, "prefabs/a.ron": prefab(animation)})
    some = [scene.spawn("a", (n, 0)) for n in range(10)]
    animator = scene.prefabs._factory.animator
    assert len(animator) == 10
    for one in some:
        one.despawn()
    for _ in range(10):
        scene.prefabs.update(0.1)
    assert len(animator) == 0
    assert animator.update(0.2) == 0


def test_frames_without_time_are_not_played_in_one_go(stage: Any) -> None:
    """A file may say that frames last for next to nothing; a frame of the game has an end."""
    animation = f"frames: {sheet(4)}, frame_duration: 1e-300"
    scene = stage({**FILES, "prefabs/a.ron": prefab(animation)})
    scene.spawn("a", (100, 100))
    assert scene.prefabs._factory.animator.update(0.25) <= 251
