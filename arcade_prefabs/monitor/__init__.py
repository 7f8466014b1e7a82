"""Measures the frames of a window, by phase, and finds what made a frame late."""

from .blame import Hitch, HitchCause
from .frame_ring import FrameRecord, GarbagePause, Phase
from .monitor import FrameMonitor
from .processor_time import Computed
from .report import FrameReport
from .summary import FrameSummary, PhaseSummary

__all__ = [
    "Computed",
    "FrameMonitor",
    "FrameRecord",
    "FrameReport",
    "FrameSummary",
    "GarbagePause",
    "Hitch",
    "HitchCause",
    "Phase",
    "PhaseSummary",
]
