"""Schedules the plugin's work within frames: on the main thread, and in loader threads.

A game that draws 60 frames a second has 16.7 ms for each frame, and uses most of them itself.
Everything that the plugin does on the main thread is a job in the `MainThreadQueue`, which runs
steps of jobs until the `FrameBudget` of the frame is used up; `CostModel` predicts whether a step
still fits. Loader threads run Python code only while the `IdleGate` is open, between two frames.
"""

from .coroutines import Script, next_frame, sleep
from .frame_budget import FrameBudget
from .frame_report import DrainReport, JobFailure, StepTotals
from .garbage_collection import Collector, GarbageScheduler
from .idle_gate import GilHold, IdleGate
from .main_thread_queue import NEXT_FRAME, Job, MainThreadQueue, Step
from .step_cost import CostModel

__all__ = [
    "NEXT_FRAME",
    "Collector",
    "CostModel",
    "DrainReport",
    "FrameBudget",
    "GarbageScheduler",
    "GilHold",
    "IdleGate",
    "Job",
    "JobFailure",
    "MainThreadQueue",
    "Script",
    "Step",
    "StepTotals",
    "next_frame",
    "sleep",
]
