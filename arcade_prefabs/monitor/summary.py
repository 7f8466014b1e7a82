"""`FrameSummary`: means, percentiles and counts of many frames."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from .blame import Hitch, HitchCause
from .frame_ring import FrameRecord, Phase

__all__ = ["FASTER", "FrameSummary", "PhaseSummary", "percentile", "summarize"]

# A frame is on time up to this many times its due time: 16.7 ms at 60 frames a second, of which
# each is due after 16.667 ms. Clocks are no finer.
_LEEWAY: Final = 1.002
FASTER: Final = 1.08
"""By this factor a game has to be paced faster to hold a frame rate: timers are late by a fifth of
a millisecond, and now and then by a whole one."""


class PhaseSummary(NamedTuple):
    """Mean, 50th, 95th and 99th percentile, and maximum of a time in each frame, in seconds."""

    mean: float
    p50: float
    p95: float
    p99: float
    longest: float


class FrameSummary(NamedTuple):
    """Means, percentiles and counts of many frames; times in seconds.

    Attributes:
        frames: The number of frames.
        seconds: Their time together.
        fps: The mean frame rate, in frames a second.
        wanted_fps: The frame rate by which they are judged.
        interval: The time from the beginning of a frame to that of the next one.
        work: The time of a frame without `Phase.WAIT`.
        phases: The time of each phase in a frame.
        jobs: The time of plugin work by kind of job: of all frames together, and the longest in
            one frame.
        on_time: The part of frames that lasted at most ``1 / wanted_fps``, 0 to 1.
        missed: The number of refreshes of a display at ``wanted_fps`` for which no new frame was
            ready.
        over_33: The number of frames that lasted more than 33 ms.
        plugin_over_33: The number of those that the plugin made late.
        hitches: The number of late frames, by cause.
    """

    frames: int
    seconds: float
    fps: float
    wanted_fps: float
    interval: PhaseSummary
    work: PhaseSummary
    phases: Mapping[Phase, PhaseSummary]
    jobs: Mapping[str, tuple[float, float]]
    on_time: float
    missed: int
    over_33: int
    plugin_over_33: int
    hitches: Mapping[HitchCause, int]

    @property
    def longest_s(self) -> float:
        """The longest frame, in seconds."""
        return self.interval.longest

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Returns the summary as lines of text, with times in milliseconds."""
        if not self.frames:
            return ["no frames were measured"]
        found = [
            f"{self.frames:,} frames in {self.seconds:.1f} s: {self.fps:.2f} a second; "
            f"{self.on_time:.2%} within {1e3 / self.wanted_fps:.1f} ms, {self.missed:,} missed, "
            f"{self.over_33} over 33 ms ({self.plugin_over_33} by the plugin)",
            "",
            f"{'ms':12}{'mean':>8}{'50 %':>8}{'95 %':>8}{'99 %':>8}{'longest':>9}",
            _line("frame", self.interval),
            _line("work", self.work),
        ]
        found += [_line(f"  {phase.name.lower()}", one) for phase, one in self.phases.items()]
        limit = 1 / self.wanted_fps
        if _LEEWAY * limit < self.interval.p50 < 1.03 * limit and self.work.p95 < limit:
            found += ["", "the game is quick enough, but timers are late: ask for some frames more"]
            found[-1] += f", set_update_rate(1 / {self.wanted_fps * FASTER:.0f}) and set_draw_rate"
        if self.jobs:
            ordered = sorted(self.jobs.items(), key=lambda item: -item[1][0])
            found += ["", "plugin work, ms a frame and the longest:"]
            found += [
                f"  {kind:20}{all_of_it / self.frames * 1e3:>8.3f}{longest * 1e3:>9.2f}"
                for kind, (all_of_it, longest) in ordered
            ]
        return found


def _line(name: str, one: PhaseSummary) -> str:
    return (
        f"{name:12}"
        + "".join(f"{value * 1e3:>8.2f}" for value in one[:4])
        + (f"{one.longest * 1e3:>9.2f}")
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """Returns the percentile of sorted values for a share of 0 to 1.

    By the nearest-rank definition, which always returns one of the values.
    """
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def _summary(values: list[float]) -> PhaseSummary:
    if not values:
        return PhaseSummary(0.0, 0.0, 0.0, 0.0, 0.0)
    values.sort()
    return PhaseSummary(
        math.fsum(values) / len(values),
        percentile(values, 0.5),
        percentile(values, 0.95),
        percentile(values, 0.99),
        values[-1],
    )


def summarize(frames: Sequence[FrameRecord], hitches: Sequence[Hitch], fps: float) -> FrameSummary:
    """Summarizes frames and their hitches, judged by a frame rate."""
    intervals = [one.interval for one in frames]
    seconds = math.fsum(intervals)
    first = frames[0].number if frames else 0
    counted = [one for one in hitches if one.number >= first]
    limit = _LEEWAY / fps
    jobs: dict[str, tuple[float, float]] = {}
    for frame in frames:
        for kind, took in frame.jobs.items():
            so_far, longest = jobs.get(kind, (0.0, 0.0))
            jobs[kind] = (so_far + took, max(longest, took))
    late = [one for one in counted if one.interval > 0.033]
    return FrameSummary(
        len(frames),
        seconds,
        len(frames) / seconds if seconds else 0.0,
        fps,
        _summary(list(intervals)),
        _summary([one.work for one in frames]),
        {phase: _summary([getattr(one, phase.name.lower()) for one in frames]) for phase in Phase},
        jobs,
        sum(one <= limit for one in intervals) / len(frames) if frames else 0.0,
        sum(max(0, round(one * fps) - 1) for one in intervals),
        sum(one > 0.033 for one in intervals),
        sum(one.cause is HitchCause.PLUGIN for one in late),
        Counter(one.cause for one in counted),
    )
