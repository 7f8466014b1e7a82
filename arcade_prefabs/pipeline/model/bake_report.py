"""What a bake tells: while it runs, and at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ...errors import LocatedError
from .bake_result import OutputChange

__all__ = ["BakeProgress", "BakeReport", "StoreStatistics"]


class BakeProgress(NamedTuple):
    """How far a bake has come.

    Attributes:
        done: Files that are finished.
        total: Files that need work, as far as is known: dependents are found on the way.
        current: One of the files that were finished last.
    """

    done: int
    total: int
    current: str


@dataclass(slots=True)
class BakeReport:
    """What a bake did.

    Attributes:
        files: How many files were looked at.
        baked: Ids of the assets that were processed, and why.
        unchanged: How many were found as they were by size and time alone.
        touched: How many had another time, but the same content.
        removed: How many were gone.
        changes: The outputs that are others now; notifications are made of these.
        errors: All that is wrong with the assets as they are, also from earlier bakes.
        broken: The same errors by the asset path of the file that each is about; one about a file
            that cannot be an asset by what the error calls the file.
        truncated: Whether there are more errors than are listed.
        missing: Assets that others name and that do not exist, or that no processor takes, and who
            names them. `AssetPipeline.dangling` tells more.
        seconds: How long it took.
        notes: What else is worth knowing, such as a store that had to be made anew.
    """

    files: int = 0
    baked: dict[str, str] = field(default_factory=dict)
    unchanged: int = 0
    touched: int = 0
    removed: int = 0
    changes: list[OutputChange] = field(default_factory=list)
    errors: list[LocatedError] = field(default_factory=list)
    broken: dict[str, list[LocatedError]] = field(default_factory=dict)
    truncated: bool = False
    missing: Mapping[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every asset could be baked."""
        return not self.errors

    def changed_ids(self) -> list[str]:
        """The ids of all outputs that were added, changed or removed, each once."""
        return list(dict.fromkeys(change.id for change in self.changes))


class StoreStatistics(NamedTuple):
    """What a store holds, and what the pipeline did since it was opened.

    Attributes:
        assets: Files that were baked, variants included.
        broken: Those whose newest version cannot be baked.
        outputs: Number of outputs by kind.
        source_bytes: Bytes of the files.
        unpacked_bytes: Bytes of the pages, unpacked.
        packed_bytes: Bytes of the pages as they are stored.
        store_bytes: Bytes of the store on disk.
        baked: Files processed since the pipeline was opened.
        bakes: Bakes run since then, those on demand not counted.
        on_demand: Files baked because something asked for them.
        bake_seconds: Processing time of these, over all workers.
        worker_restarts: How often worker processes had to be replaced.
    """

    assets: int
    broken: int
    outputs: dict[str, int]
    source_bytes: int
    unpacked_bytes: int
    packed_bytes: int
    store_bytes: int
    baked: int
    bakes: int
    on_demand: int
    bake_seconds: float
    worker_restarts: int
