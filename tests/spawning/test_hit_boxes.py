"""Baked hit boxes are those that Arcade would compute."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import arcade
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arcade_prefabs import AssetError
from arcade_prefabs.pipeline import AssetPipeline, ImageProcessor, MemorySource, read_image
from arcade_prefabs.spawning import hit_boxes, texture_processor
from arcade_prefabs.spawning.hit_boxes import HitBoxes

ALGORITHMS = {
    "simple": arcade.hitbox.algo_simple,
    "detailed": arcade.hitbox.algo_detailed,
    "bounding_box": arcade.hitbox.algo_bounding_box,
}


def encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def pictures() -> dict[str, Image.Image]:
    """Returns images that are hard for hit-box algorithms."""
    clear = Image.new("RGBA", (20, 12), (0, 0, 0, 0))
    dot = clear.copy()
    dot.putpixel((3, 4), (255, 0, 0, 255))
    diagonal = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    for step in range(16):
        diagonal.putpixel((step, step), (0, 255, 0, 255))
    pieces = clear.copy()
    pieces.paste((9, 9, 9, 255), (0, 0, 5, 5))
    pieces.paste((9, 9, 9, 255), (12, 6, 20, 12))
    full = Image.new("RGBA", (7, 9), (1, 2, 3, 255))
    return {"clear": clear, "dot": dot, "diagonal": diagonal, "pieces": pieces, "full": full}


@pytest.mark.parametrize("name", sorted(pictures()))
@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_the_points_are_those_of_a_texture(name: str, algorithm: str) -> None:
    """Also for empty images, single pixels, lines and images in pieces."""
    image = pictures()[name]
    expected = arcade.Texture(image, hit_box_algorithm=ALGORITHMS[algorithm]).hit_box_points
    points = HitBoxes()(image, {"hit_box": algorithm})
    assert points == [(x, y) for x, y in expected]


@given(data=st.binary(min_size=30, max_size=30), width=st.sampled_from([1, 3, 5, 6, 10]))
@settings(max_examples=60)
def test_random_pictures_have_the_points_of_a_texture(data: bytes, width: int) -> None:
    """Whatever the pattern of clear and opaque pixels is."""
    image = Image.new("RGBA", (width, 30 // width))
    image.putalpha(Image.frombytes("L", image.size, bytes(255 * (one > 100) for one in data)))
    expected = arcade.Texture(image).hit_box_points
    assert HitBoxes()(image, HitBoxes.settings) == [(x, y) for x, y in expected]


def test_another_algorithm_is_a_setting_of_the_asset() -> None:
    """It is baked beside the usual one, and a wrong one is an error that lists those there are."""
    picture = pictures()["pieces"]
    source = MemorySource({"a.png": encoded(picture)})
    with AssetPipeline(source, processors=[texture_processor()], jobs=0) as pipeline:
        simple = read_image(pipeline.get("a.png")).frames[0].derived["hit_box"]
        box = read_image(pipeline.get("a.png", settings={"hit_box": "bounding_box"})).frames[0]
        assert box.derived["hit_box"] == [[-10, -6], [10, -6], [10, 6], [-10, 6]]
        assert simple != box.derived["hit_box"]
        with pytest.raises(AssetError, match=r"'round', no hit box(.|\n)*simple"):
            pipeline.get("a.png", settings={"hit_box": "round"})


def test_derivations_must_not_share_settings() -> None:
    """Two that have one of the same name could not both be right."""

    class Other:
        name, version = "other", 1
        settings: Mapping[str, Any] = {"border": 3}

        def __call__(self, image: Image.Image, settings: Mapping[str, Any]) -> Any:
            return None

    with pytest.raises(ValueError, match=r"`other` has a setting 'border'"):
        ImageProcessor([Other()])


def test_worker_processes_bake_hit_boxes_without_a_screen(tmp_path: Any) -> None:
    """They import Arcade themselves, where there is no display."""
    (tmp_path / "a.png").write_bytes(encoded(pictures()["full"]))
    code = (
        "from arcade_prefabs.pipeline import AssetPipeline, read_image\n"
        "from arcade_prefabs.spawning import texture_processor\n"
        "import sys\n"
        f"with AssetPipeline({str(tmp_path)!r}, processors=[texture_processor()], jobs=1) as p:\n"
        "    print(p.bake().ok, len(read_image(p.get('a.png')).frames[0].derived['hit_box']))\n"
        "print('arcade' in sys.modules)\n"
    )
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "ARCADE_HEADLESS")
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=50,
        env=environment,
        check=False,
    )
    assert done.stdout.split() == ["True", "4", "False"], done.stderr


def test_the_command_line_bakes_what_the_plugin_reads(tmp_path: Any) -> None:
    """After ``bake``, the plugin's pipeline has nothing left to bake."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(encoded(pictures()["full"]))
    done = subprocess.run(
        [sys.executable, "-m", "arcade_prefabs", "bake", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with AssetPipeline(tmp_path, processors=[texture_processor()], jobs=0) as pipeline:
        assert not pipeline.bake().baked
        assert "hit_box" in read_image(pipeline.get("images/a.png")).frames[0].derived


def test_prefabs_wish_for_the_images_that_they_show(
    tmp_path: Any, picture_of: Callable[..., bytes]
) -> None:
    """A release file has sprite sheets, and hit boxes of another algorithm, ready."""
    source = MemorySource(
        {
            "images/a.png": picture_of((255, 0, 0)),
            "images/s.png": picture_of((255, 0, 0), (32, 16)),
            "prefabs/p.ron": """Prefab(components: [
                Sprite(texture: "images/a.png"),
                Collider(shape: FromTexture(Detailed)),
                Animation(frames: SpriteSheet(
                    image: "images/s.png", frame_size: (16, 16), columns: 2, count: 2,
                )),
            ])""",
        }
    )
    file = tmp_path / "game.prefabs"
    with AssetPipeline(source, processors=[texture_processor()], jobs=0) as pipeline:
        assert pipeline.bake().ok
        pipeline.write_release(file)
    with AssetPipeline(file) as pipeline:
        pipeline.get("images/a.png", settings={"hit_box": "detailed"})
        cut = {"frame_size": [16, 16], "columns": 2, "count": 2, "first": 0}
        assert len(read_image(pipeline.get("images/s.png", settings=cut)).frames) == 2


def test_hit_box_of_two_opposite_corners_asks_for_no_single_pixel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Arcade asks for half of all pixels there, one by one: 20 s for an image of 4,096 pixels."""
    image = Image.new("RGBA", (600, 400), (0, 0, 0, 0))
    image.putpixel((599, 0), (1, 1, 1, 1))
    image.putpixel((0, 399), (1, 1, 1, 1))
    small = image.resize((60, 40), Image.Resampling.NEAREST)
    small.putpixel((59, 0), (1, 1, 1, 1))
    small.putpixel((0, 39), (1, 1, 1, 1))
    expected = [(x, y) for x, y in arcade.Texture(small).hit_box_points]
    monkeypatch.setattr(Image.Image, "getpixel", None)
    assert HitBoxes()(small, HitBoxes.settings) == expected
    assert (-300.0, -200.0) in HitBoxes()(image, HitBoxes.settings)


def test_image_that_takes_minutes_to_trace_is_refused_with_a_way_out() -> None:
    """The detailed hit box asks for every pixel in Python."""
    image = Image.new("RGBA", (2048, 2049))
    with pytest.raises(AssetError, match="2,048×2,049 pixels takes too long") as caught:
        HitBoxes()(image, {"hit_box": "detailed"})
    assert "cut the image" in str(caught.value.hint)
    assert HitBoxes()(image, {"hit_box": "bounding_box"})


def test_an_outline_that_is_too_long_to_be_traced_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Noise and checkerboards are many outlines, and each is compared with all others."""
    image = Image.new("RGBA", (200, 200))
    image.putdata([(0, 0, 0, 255 * ((x ^ y) & 1)) for y in range(200) for x in range(200)])
    with pytest.raises(AssetError, match="outlines 79,600 pixels long"):
        HitBoxes()(image, {"hit_box": "detailed"})
    monkeypatch.setattr(hit_boxes, "_MOST_EDGES", 32)
    ring = Image.new("RGBA", (12, 12))
    ring.paste((0, 0, 0, 1), (2, 2, 10, 10))  # any alpha above 0 is solid, as with Arcade
    assert HitBoxes()(ring, {"hit_box": "detailed"}) == [
        (float(x), float(y)) for x, y in arcade.hitbox.algo_detailed.calculate(ring)
    ]
    ring.putpixel((5, 5), (0, 0, 0, 0))
    with pytest.raises(AssetError, match="outlines 36 pixels long"):
        HitBoxes()(ring, {"hit_box": "detailed"})
