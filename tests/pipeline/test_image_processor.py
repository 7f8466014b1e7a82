"""Images: pixels, borders, frames, hashes, and everything that is no image."""

from __future__ import annotations

import contextlib
import hashlib
import io
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from arcade_prefabs import AssetError, AssetTooLargeError, ProcessorError
from arcade_prefabs.pipeline import (
    PAGE_BYTES,
    AssetPipeline,
    BakedAsset,
    ImageFrame,
    ImageProcessor,
    MemorySource,
    ProcessContext,
    read_image,
)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width: int, height: int, mode: str = "RGBA") -> Image.Image:
    bands = len(Image.new(mode, (1, 1)).getbands())
    data = hashlib.shake_128(f"{width}x{height}{mode}".encode()).digest(width * height * bands)
    return Image.frombytes(mode, (width, height), data)


def pixels(asset: BakedAsset, frame: ImageFrame, border: int) -> Image.Image:
    size = (frame.width + 2 * border, frame.height + 2 * border)
    return Image.frombytes("RGBA", size, asset.data()[frame.at : frame.at + frame.size])


def test_pixels_hash_and_size_are_those_of_the_picture(baked: Any) -> None:
    """The middle of the baked picture is the picture; the hash is Arcade's: SHA-256 of its RGBA."""
    image = noise(20, 9)
    asset = baked("a.png", {"a.png": encoded(image)})
    head = read_image(asset)
    (frame,) = head.frames
    assert (frame.width, frame.height, head.border) == (20, 9, 2)
    assert frame.hash == hashlib.sha256(image.tobytes()).hexdigest()
    middle = pixels(asset, frame, 2).crop((2, 2, 22, 11))
    assert middle.tobytes() == image.tobytes()


def test_border_repeats_the_outermost_pixels(baked: Any) -> None:
    """Each border pixel is the nearest pixel of the picture; corners are clear, as in Arcade."""
    image = noise(5, 4)
    asset = baked("a.png", {"a.png": encoded(image)}, {"border": 3})
    bordered = pixels(asset, read_image(asset).frames[0], 3)
    for x in range(bordered.width):
        for y in range(bordered.height):
            inside_x, inside_y = 3 <= x < 8, 3 <= y < 7
            if inside_x or inside_y:
                nearest = (min(max(x - 3, 0), 4), min(max(y - 3, 0), 3))
                assert bordered.getpixel((x, y)) == image.getpixel(nearest)
            else:
                assert bordered.getpixel((x, y)) == (0, 0, 0, 0)


def test_arcades_own_atlas_would_write_the_same_bytes(
    baked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arcade's own code, its texture replaced by one that keeps the bytes, agrees byte by byte."""
    arcade = pytest.importorskip("arcade")
    written: list[bytes] = []

    class Texture:
        def write(self, data: bytes, level: int, viewport: object) -> None:
            written.append(data)

    atlas = object.__new__(arcade.texture_atlas.DefaultTextureAtlas)
    atlas._border = 2
    atlas._texture = Texture()
    monkeypatch.setattr(type(atlas), "__del__", lambda self: None, raising=False)
    image = noise(13, 7)
    atlas.write_image(image, 0, 0)
    asset = baked("a.png", {"a.png": encoded(image)})
    assert asset.data() == written[0]
    expected = arcade.texture.ImageData.calculate_hash(image)
    assert read_image(asset).frames[0].hash == expected


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_kind_of_pixel_becomes_rgba_as_in_arcade(baked: Any, mode: str) -> None:
    """Palettes, greys and the like are converted as ``Image.convert`` does it."""
    image = noise(8, 8, "RGB").convert(mode)
    data = encoded(image)
    with Image.open(io.BytesIO(data)) as opened:
        expected = opened.convert("RGBA")
    asset = baked("a.png", {"a.png": data}, {"border": 0})
    assert asset.data() == expected.tobytes()


def png(width: int, bits: int, kind: int, samples: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of one row, as its specification writes it: Pillow saves few of the kinds."""

    def chunk(name: bytes, data: bytes) -> bytes:
        seal = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + seal

    head = struct.pack(">IIBBBBB", width, 1, bits, kind, 0, 0, 0)
    body = zlib.compress(b"\0" + samples)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


_WIDE = struct.pack(">4H", 0, 0x4000, 0x8001, 0xFFFF)
_NARROW = bytes((0, 0x40, 0x80, 0xFF))
_PALETTE = (b"PLTE", bytes((9, 8, 7, 6, 5, 4)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(4, 16, 0, _WIDE), [(v, v, v, 255) for v in _NARROW]),
        (
            png(4, 16, 0, _WIDE, (b"tRNS", struct.pack(">H", 0x4000))),
            [(v, v, v, 255 if v != 0x40 else 0) for v in _NARROW],
        ),
        (png(4, 8, 0, _NARROW), [(v, v, v, 255) for v in _NARROW]),
        (png(4, 2, 0, b"\x1b"), [(v, v, v, 255) for v in (0, 85, 170, 255)]),
        (png(4, 1, 0, b"\x50"), [(v, v, v, 255) for v in (0, 255, 0, 255)]),
        (png(2, 16, 4, _WIDE), [(0, 0, 0, 0x40), (0x80, 0x80, 0x80, 255)]),
        (png(2, 8, 4, _NARROW), [(0, 0, 0, 0x40), (0x80, 0x80, 0x80, 255)]),
        (png(1, 16, 2, _WIDE[2:]), [(0x40, 0x80, 255, 255)]),
        (png(1, 16, 6, _WIDE[2:] + _WIDE[2:4]), [(0x40, 0x80, 255, 0x40)]),
        (
            png(2, 8, 3, b"\0\1", _PALETTE, (b"tRNS", b"\x80")),
            [(9, 8, 7, 0x80), (6, 5, 4, 255)],
        ),
    ],
    ids=["g16", "g16-clear", "g8", "g2", "g1", "la16", "la8", "rgb16", "rgba16", "palette"],
)
def test_wide_and_narrow_samples_keep_their_brightness(
    baked: Any, data: bytes, expected: list[tuple[int, ...]]
) -> None:
    """Samples of any width fill the range of 8 bits; none is clipped to white."""
    asset = baked("a.png", {"a.png": data}, {"border": 0})
    assert asset.data() == bytes(value for pixel in expected for value in pixel)


def test_wide_grey_ramp_has_the_average_of_its_values(baked: Any) -> None:
    """A sheet of 16-bit grey is cut from the scaled picture, too."""
    ramp = Image.new("I;16", (256, 1))
    ramp.putdata([value * 257 for value in range(256)])
    files = {"a.png": encoded(ramp)}
    assert read_image(baked("a.png", files)).frames[0].color == (128, 128, 128, 255)
    frames = read_image(baked("a.png", files, {"frame_size": [1, 1]})).frames
    assert [frame.color[0] for frame in frames] == list(range(256))


def test_large_picture_has_many_pages(baked: Any) -> None:
    """No page is over the limit, and together they are the picture."""
    image = noise(300, 300)
    asset = baked("a.png", {"a.png": encoded(image)}, {"border": 0})
    assert asset.pages > 2
    assert max(len(page) for page in asset) <= PAGE_BYTES
    assert asset.data() == image.tobytes()


def test_sheet_is_cut_row_by_row(baked: Any) -> None:
    """Frames are counted from the top left; ``first``, ``count`` and ``columns`` choose."""
    image = noise(40, 30)
    sheet = {"frame_size": [10, 10], "columns": 3, "first": 2, "count": 4, "border": 0}
    asset = baked("a.png", {"a.png": encoded(image)}, sheet)
    frames = read_image(asset).frames
    corners = [(20, 0), (0, 10), (10, 10), (20, 10)]
    assert len(frames) == 4
    for frame, (left, top) in zip(frames, corners, strict=True):
        expected = image.crop((left, top, left + 10, top + 10))
        assert pixels(asset, frame, 0).tobytes() == expected.tobytes()


def test_strip_without_numbers_gives_every_whole_frame(baked: Any) -> None:
    """A strip is a sheet of one row; what is left over at its end is no frame."""
    asset = baked("a.png", {"a.png": encoded(noise(35, 8))}, {"frame_size": [8, 8]})
    assert len(read_image(asset).frames) == 4


def test_equal_frames_are_stored_once(baked: Any) -> None:
    """Frames with the same pixels share their bytes, not their places in the list."""
    image = Image.new("RGBA", (32, 8), (1, 2, 3, 255))
    asset = baked("a.png", {"a.png": encoded(image)}, {"frame_size": [8, 8], "border": 0})
    frames = read_image(asset).frames
    assert len(frames) == 4
    assert {frame.at for frame in frames} == {0}
    assert len(asset.data()) == 8 * 8 * 4


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"frame_size": [10, 10], "columns": 5}, "5 columns of 10×10 pixels do not fit"),
        ({"frame_size": [50, 10]}, "1 columns of 50×10 pixels do not fit"),
        ({"frame_size": [10, 10], "first": 12}, "there are 12"),
        ({"frame_size": [10, 10], "count": 13}, "frames 0 to 12 are asked for"),
        ({"frame_size": [0, 10]}, "frame_size"),
        ({"frame_size": "big"}, "frame_size"),
        ({"frame_size": [10, 10], "columns": 0}, "columns"),
        ({"frame_size": [10, 10], "first": -1}, "first"),
        ({"frame_size": [10, 10], "count": 2.5}, "count"),
        ({"border": -1}, "border"),
        ({"border": True}, "border"),
        ({"max_pixels": 100}, "40×30 pixels, over 100"),
        ({"framesize": [10, 10]}, "no setting `framesize`"),
    ],
)
def test_sheet_that_cannot_be_cut_says_what_would_fit(
    baked: Any, settings_: Mapping[str, Any], message: str
) -> None:
    """Wrong settings are an error of the asset, in words that help."""
    with pytest.raises(AssetError) as caught:
        baked("a.png", {"a.png": encoded(noise(40, 30))}, settings_)
    assert message in str(caught.value)
    assert "a.png" in str(caught.value)


def test_animated_gif_gives_all_frames_with_seconds(baked: Any) -> None:
    """Every frame of an animation is there, with how long it is shown."""
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    first, *more = [Image.new("RGB", (6, 6), color) for color in colors]
    data = encoded(first, "GIF", save_all=True, append_images=more, duration=[100, 200, 300])
    asset = baked("a.gif", {"a.gif": data})
    frames = read_image(asset).frames
    assert [frame.duration for frame in frames] == [0.1, 0.2, 0.3]
    assert [frame.color for frame in frames] == [(*color, 255) for color in colors]


def test_animation_is_limited_by_all_its_frames(baked: Any) -> None:
    """A thousand small frames count as one large picture."""
    first, *more = [Image.new("L", (50, 50), number) for number in range(20)]
    data = encoded(first, "GIF", save_all=True, append_images=more)
    with pytest.raises(AssetError, match="20 frames"):
        baked("a.gif", {"a.gif": data}, {"max_pixels": 20_000})


def test_average_color_counts_what_can_be_seen(baked: Any) -> None:
    """Clear pixels have no say in the colour; alpha is the mean."""
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((0, 0), (200, 100, 50, 255))
    frame = read_image(baked("a.png", {"a.png": encoded(image)})).frames[0]
    assert frame.color == (200, 100, 50, 128)
    clear = Image.new("RGBA", (2, 2), (9, 9, 9, 0))
    assert read_image(baked("b.png", {"b.png": encoded(clear)})).frames[0].color == (0, 0, 0, 0)


class Corners:
    """A derivation, as a higher floor would bring one along."""

    name = "corners"
    settings: Mapping[str, Any] = {}

    def __init__(self, version: int = 1) -> None:
        self.version = version

    def __call__(self, image: Image.Image, settings: Any) -> Any:
        return [self.version, image.width, image.height]


def test_derived_data_is_baked_and_its_version_is_part_of_the_key(tmp_path: Any) -> None:
    """What a derivation computes is in the frame; a newer version bakes the image again."""
    source = MemorySource({"a.png": encoded(noise(4, 3))})
    for version, expected in ((1, 1), (1, 0), (2, 1)):
        processors = [ImageProcessor([Corners(version)])]
        store = tmp_path / "bake.sqlite"
        with AssetPipeline(source, processors=processors, store=store, jobs=0) as pipeline:
            assert len(pipeline.bake().baked) == expected
            frame = read_image(pipeline.get("a.png")).frames[0]
            assert frame.derived == {"corners": [version, 4, 3]}


class Scaled(Corners):
    """A derivation with a setting of its own."""

    name = "scaled"
    settings: Mapping[str, Any] = {"by": 2}

    def __call__(self, image: Image.Image, settings: Any) -> Any:
        return image.width * settings["by"]


def test_settings_of_a_derivation_can_be_given_as_the_images_own(baked: Any) -> None:
    """What the derivation says is the default."""
    files = {"a.png": encoded(noise(4, 3))}
    for given_, expected in ((None, 8), ({"by": 5}, 20)):
        asset = baked("a.png", files, given_, processors=[ImageProcessor([Scaled()])])
        assert read_image(asset).frames[0].derived == {"scaled": expected}


def test_derivations_that_share_a_setting_are_refused() -> None:
    """One value cannot be meant for both; nor can it be one of the image's own."""
    for taken, others in (("by", [Scaled()]), ("border", [])):
        another = Corners()
        another.settings = {taken: 1}
        with pytest.raises(ValueError, match=f"`corners` has a setting '{taken}'"):
            ImageProcessor([*others, another])


@given(data=st.binary(max_size=200), flip=st.integers(0, 10_000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_raise_anything_but_asset_errors(data: bytes, flip: int) -> None:
    """Random bytes, and a real picture with one of its bytes changed: baked, or an asset error."""
    real = bytearray(encoded(noise(9, 9)))
    real[flip % len(real)] ^= 0x55
    processor = ImageProcessor()
    for content in (data, b"\x89PNG\r\n\x1a\n" + data, bytes(real)):
        context = ProcessContext("a.png", content, processor.settings, read=lambda path: b"")
        with contextlib.suppress(AssetError):
            (output,) = processor.process(context)
            assert output.kind == "image"


def gif(*frames: tuple[int, int], screen: tuple[int, int] = (2, 2)) -> bytes:
    """A GIF whose frames, 2×2 pixels each, stand at given places."""
    made = encoded(Image.new("L", (2, 2)), "GIF")
    head = 13 + (3 << (made[10] & 7) + 1)
    body = made[made.index(b",", head) + 9 : -1]
    parts = [
        b"!\xf9\x04\x08\x05\0\0\0," + struct.pack("<HHHH", *place, 2, 2) + body for place in frames
    ]
    return made[:6] + struct.pack("<HH", *screen) + made[10:head] + b"".join(parts) + b";"


def test_gif_that_grows_behind_its_first_frame_is_refused_undecoded(
    baked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred bytes whose second frame stands far out ask for gigabytes; nothing is decoded."""

    def decoded(self: object) -> None:
        pytest.fail("a frame was decoded")

    assert len(read_image(baked("a.gif", {"a.gif": gif((0, 0), (5, 0))})).frames) == 2
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)
    data = gif((0, 0), (12_998, 12_998), (0, 0))
    with pytest.raises(AssetTooLargeError, match="13,000×13,000"):
        baked("a.gif", {"a.gif": data})


@pytest.mark.parametrize(
    ("data", "settings_"),
    [
        (gif(*[(0, 0)] * 5000), {}),
        (encoded(Image.new("L", (100, 100))), {"frame_size": [1, 1]}),
    ],
)
def test_more_frames_than_a_head_holds_are_refused_before_they_are_made(
    baked: Any, monkeypatch: pytest.MonkeyPatch, data: bytes, settings_: Mapping[str, Any]
) -> None:
    """Two hundred thousand tiny frames would take minutes to be refused at the end."""

    def hashed(data: bytes) -> None:
        pytest.fail("a frame was made")

    monkeypatch.setattr(hashlib, "sha256", hashed)
    with pytest.raises(AssetTooLargeError, match="more than fit into the head"):
        baked("a.gif", {"a.gif": data}, settings_)


def test_noise_is_a_picture_only_where_the_suffix_says_so(baked: Any) -> None:
    """TGA has no mark of its own: bytes that could be one are none in a PNG."""
    data = bytes([0, 0, 2, *[0] * 9]) + struct.pack("<HH", 4, 4) + bytes([32, 8]) + b"x" * 64
    assert read_image(baked("a.tga", {"a.tga": data})).frames[0].width == 4
    with pytest.raises(AssetError, match="it is no PNG"):
        baked("a.png", {"a.png": data})


def test_preview_behind_a_photo_is_no_frame(baked: Any) -> None:
    """Cameras put a second picture into a JPEG; Arcade shows the first."""
    photo, preview = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (4, 4))
    data = encoded(photo, "MPO", save_all=True, append_images=[preview])
    (frame,) = read_image(baked("a.jpg", {"a.jpg": data})).frames
    assert (frame.width, frame.height) == (8, 8)


def test_picture_for_those_without_animations_is_no_frame(baked: Any) -> None:
    """An animated PNG may show something else to old viewers."""
    shown, *frames = [Image.new("RGBA", (4, 4), color) for color in ("red", "lime", "blue")]
    options = {"save_all": True, "append_images": frames, "duration": [100, 200]}
    data = encoded(shown, "PNG", default_image=True, **options)
    found = read_image(baked("a.png", {"a.png": data})).frames
    assert [(one.color, one.duration) for one in found] == [
        ((0, 255, 0, 255), 0.1),
        ((0, 0, 255, 255), 0.2),
    ]


def test_frame_without_a_duration_has_none(baked: Any) -> None:
    """A GIF of zeros leaves its speed to the game; an animation must not divide by it."""
    first, *more = [Image.new("L", (2, 2), number) for number in range(3)]
    data = encoded(first, "GIF", save_all=True, append_images=more, duration=0)
    frames = read_image(baked("a.gif", {"a.gif": data})).frames
    assert [frame.duration for frame in frames] == [None, None, None]


@given(
    cells=st.lists(st.tuples(*[st.integers(0, 255)] * 4), min_size=1, max_size=6),
)
def test_average_color_is_exact(cells: list[tuple[int, int, int, int]]) -> None:
    """It is the weighted mean of exact arithmetic, however clear the pixels are."""
    image = Image.new("RGBA", (len(cells), 1))
    image.putdata(cells)
    processor = ImageProcessor()
    context = ProcessContext("a.png", encoded(image), processor.settings, read=lambda path: b"")
    (output,) = processor.process(context)
    color = msgspec.json.decode(output.pages[0])["frames"][0]["color"]
    weight = sum(cell[3] for cell in cells)
    exact = [sum(cell[i] * cell[3] for cell in cells) / max(weight, 1) for i in range(3)]
    assert color == pytest.approx([*exact, weight / len(cells)], abs=0.51)


class Failing:
    """A derivation with a mistake."""

    name = "outline"
    version = 1
    settings: Mapping[str, Any] = {}

    def __init__(self, value: object = None) -> None:
        self.value = value

    def __call__(self, image: Image.Image, settings: Any) -> Any:
        return 1 // 0 if self.value is None else self.value


@pytest.mark.parametrize("value", [None, object()])
def test_derivation_that_fails_is_named(baked: Any, value: object) -> None:
    """A mistake in the game's own code says whose it is, also where the value is no JSON."""
    processors = [ImageProcessor([Failing(value)])]
    with pytest.raises(ProcessorError, match="the derivation `outline` failed"):
        baked("a.png", {"a.png": encoded(noise(2, 2))}, processors=processors)


def test_derivations_cannot_paint_over_each_others_picture(baked: Any) -> None:
    """Each gets the pixels of the file."""

    class Painting(Corners):
        name = "painting"

        def __call__(self, image: Image.Image, settings: Any) -> Any:
            before = image.getpixel((0, 0))
            image.paste((0, 0, 0, 0), (0, 0, *image.size))
            return before

    class Later(Painting):
        name = "later"

    image = Image.new("RGBA", (2, 2), (1, 2, 3, 4))
    processors = [ImageProcessor([Painting(), Later()])]
    asset = baked("a.png", {"a.png": encoded(image)}, processors=processors)
    derived = read_image(asset).frames[0].derived
    assert derived == {"painting": [1, 2, 3, 4], "later": [1, 2, 3, 4]}
