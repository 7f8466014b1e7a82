"""How long frames take, what of, and what is to blame for those that come late."""

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
