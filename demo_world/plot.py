"""`plot_frame_times`: draws the frame times of runs as a PNG image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

__all__ = ["plot_frame_times"]

_SIZE: Final = (1100, 210)  # width and height of the graph of a run, in pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 40, 26
_LONGEST: Final = 80.0  # the frame time at the top of the graph, in ms
_LINES: Final = ((16.7, "16.7 ms"), (33.3, "33 ms"), (66.7, "67 ms"))
_INK, _FAINT, _PAPER = (60, 60, 70), (215, 215, 222), (255, 255, 255)
_COLORS: Final = ((36, 150, 92), (214, 110, 40))


def plot_frame_times(runs: Mapping[str, Sequence[float]], path: Path) -> None:
    """Draws the frame times of runs, one run above the other.

    Args:
        runs: The frame times in milliseconds, by the name of the run.
        path: The PNG file to write.
    """
    wide, high = _SIZE
    picture = Image.new("RGB", (wide, high * len(runs)), _PAPER)
    draw = ImageDraw.Draw(picture)
    small, large = ImageFont.load_default(13), ImageFont.load_default(16)
    for number, (name, times) in enumerate(runs.items()):
        top, bottom = high * number + _TOP, high * (number + 1) - _BOTTOM
        scale = (bottom - top) / _LONGEST
        for level, label in _LINES:
            y = bottom - level * scale
            draw.line((_LEFT, y, wide - _RIGHT, y), _FAINT)
            draw.text((_LEFT - 6, y), label, _INK, small, anchor="rm")
        step = (wide - _LEFT - _RIGHT) / max(1, len(times))
        color = _COLORS[number % len(_COLORS)]
        points = [
            (_LEFT + (index + 0.5) * step, bottom - min(ms, _LONGEST) * scale)
            for index, ms in enumerate(times)
        ]
        if len(points) > 1:
            draw.line(points, color, 1)
        for (x, y), ms in zip(points, times, strict=True):
            if ms > 25:  # a dot, as a single late frame is too thin a line to be seen
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), color)
        longest = max(times, default=0.0)
        title = f"{name}: {len(times):,} frames, longest {longest:.1f} ms"
        draw.text((_LEFT, high * number + 12), title, _INK, large)
        draw.line((_LEFT, bottom, wide - _RIGHT, bottom), _INK)
    picture.save(path)
