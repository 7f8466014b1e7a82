"""`FrameReport`: writes a monitor's measurements as text, as JSON, and as a trace."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .blame import Hitch
from .frame_ring import FrameRecord, GarbagePause, Phase
from .summary import FrameSummary, PhaseSummary

__all__ = ["FrameReport"]

# The most hitches in the text of a report.
_SHOWN: Final = 20
# The order of phases in a trace, which is that within a frame.
_ORDER: Final = (Phase.UPDATE, Phase.PLUGIN, Phase.DRAW, Phase.FLIP, Phase.GARBAGE, Phase.WAIT)


class FrameReport:
    """All measurements of a monitor up to one moment, to be printed or written to a file.

    Args:
        summary: Means, percentiles and counts of the frames.
        frames: The times of each frame.
        hitches: The late frames, with their causes.
        pauses: The pauses of the garbage collector.
        facts: Additional numbers by name, such as bytes of memory.

    Attributes:
        summary, frames, hitches, pauses, facts: The arguments.

    Any thread.
    """

    def __init__(
        self,
        summary: FrameSummary,
        frames: Sequence[FrameRecord],
        hitches: Sequence[Hitch],
        pauses: Sequence[GarbagePause] = (),
        facts: Mapping[str, float] | None = None,
    ) -> None:
        self.summary = summary
        self.frames = frames
        self.hitches = hitches
        self.pauses = pauses
        self.facts: dict[str, float] = dict(facts or {})

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Returns the report as text for people, with the last 20 hitches."""
        lines = self.summary.lines()
        if self.facts:
            lines += ["", *(f"{name:24}{value:>14,.10g}" for name, value in self.facts.items())]
        start = self.frames[0].at - self.frames[0].interval if self.frames else 0.0
        lines += ["", f"{len(self.hitches)} frames came late" if self.hitches else "no frame late"]
        lines += [f"  at {one.at - start:8.2f} s  {one}" for one in self.hitches[-_SHOWN:]]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as plain data, with times in milliseconds."""
        one = self.summary
        return {
            "frames": one.frames,
            "seconds": one.seconds,
            "fps": one.fps,
            "wanted_fps": one.wanted_fps,
            "on_time": one.on_time,
            "missed": one.missed,
            "over_33_ms": one.over_33,
            "plugin_over_33_ms": one.plugin_over_33,
            "frame_ms": _in_ms(one.interval),
            "work_ms": _in_ms(one.work),
            "phases_ms": {phase.name.lower(): _in_ms(of) for phase, of in one.phases.items()},
            "jobs_ms": {
                kind: {"all": total * 1e3, "longest": longest * 1e3}
                for kind, (total, longest) in one.jobs.items()
            },
            "hitches": [
                {
                    "frame": hitch.number,
                    "at_s": hitch.at,
                    "ms": hitch.interval * 1e3,
                    "cause": hitch.cause.name.lower(),
                    "detail": hitch.detail,
                }
                for hitch in self.hitches
            ],
            "facts": self.facts,
            "intervals_ms": [round(frame.interval * 1e3, 3) for frame in self.frames],
        }

    def to_json(self) -> str:
        """Returns the report as JSON; the same data as `to_dict`."""
        return json.dumps(self.to_dict(), indent=1) + "\n"

    def to_trace(self) -> str:
        """Returns the frames in the trace event format of Perfetto and chrome://tracing.

        Each frame is a sequence of its phases. A phase that came in several pieces, such as the
        plugin's work in the middle of an update, is shown as one piece.
        """
        events: list[dict[str, Any]] = [
            {"ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": {"name": name}}
            for tid, name in ((1, "frames"), (2, "phases"), (3, "garbage collector"))
        ]
        for frame in self.frames:
            begun = frame.at - frame.interval
            events.append(_slice("frame", 1, begun, frame.interval, {"number": frame.number}))
            for phase in _ORDER:
                seconds = getattr(frame, phase.name.lower())
                if phase is Phase.GARBAGE or seconds <= 0:
                    continue
                arguments = (
                    {kind: f"{took * 1e3:.3f} ms" for kind, took in frame.jobs.items()}
                    if phase is Phase.PLUGIN
                    else {}
                )
                events.append(_slice(phase.name.lower(), 2, begun, seconds, arguments))
                begun += seconds
            interval = {"ms": round(frame.interval * 1e3, 3)}
            events.append(
                {"ph": "C", "pid": 1, "name": "interval", "ts": frame.at * 1e6, "args": interval}
            )
        events += [
            _slice(f"generation {one.generation}", 3, one.at - one.seconds, one.seconds, {})
            for one in self.pauses
        ]
        events += [
            {
                "ph": "i",
                "s": "g",
                "pid": 1,
                "tid": 1,
                "name": f"late: {hitch.cause.value}",
                "ts": hitch.at * 1e6,
                "args": {"detail": hitch.detail, "ms": hitch.interval * 1e3},
            }
            for hitch in self.hitches
        ]
        return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the report to a file.

        Args:
            path: The file: a trace if its name ends with ``.trace.json``, JSON if it ends with
                ``.json``, otherwise text.

        Raises:
            OSError: The file cannot be written.
        """
        target = Path(path)
        if target.name.endswith(".trace.json"):
            content = self.to_trace()
        elif target.suffix == ".json":
            content = self.to_json()
        else:
            content = self.text() + "\n"
        target.write_text(content, encoding="utf-8")


def _in_ms(one: PhaseSummary) -> dict[str, float]:
    return {name: value * 1e3 for name, value in one._asdict().items()}


def _slice(
    name: str, thread: int, begun: float, seconds: float, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "ph": "X",
        "pid": 1,
        "tid": thread,
        "name": name,
        "ts": begun * 1e6,
        "dur": seconds * 1e6,
        "args": dict(arguments),
    }
