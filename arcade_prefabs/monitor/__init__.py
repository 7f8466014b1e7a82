"""How long frames take, what of, and what is to blame for those that come late."""

from .causes import Hitch, HitchCause
from .frames import Frame, Phase
from .monitor import FrameMonitor
from .report import FrameReport
from .summary import FrameSummary, PhaseSummary

__all__ = [
    "Frame",
    "FrameMonitor",
    "FrameReport",
    "FrameSummary",
    "Hitch",
    "HitchCause",
    "Phase",
    "PhaseSummary",
]
