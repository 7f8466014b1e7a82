"""Measures the frames of a window, by phase, and finds what made a frame late."""

from .blame import Hitch, HitchCause
from .frame_ring import FrameRecord, Phase
from .monitor import FrameMonitor
from .report import FrameReport
from .summary import FrameSummary, PhaseSummary

__all__ = [
    "FrameMonitor",
    "FrameRecord",
    "FrameReport",
    "FrameSummary",
    "Hitch",
    "HitchCause",
    "Phase",
    "PhaseSummary",
]
