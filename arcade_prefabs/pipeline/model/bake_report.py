"""The types in which a bake reports its progress and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ...errors import LocatedError
from .bake_result import OutputChange

__all__ = ["BakeProgress", "BakeReport", "StoreStatistics"]


class BakeProgress(NamedTuple):
    """The progress of a bake.

    Attributes:
        done: How many files are finished.
        total: How many files have to be baked as far as is known; each wave may add some.
        current: The file that was finished last.
    """

    done: int
    total: int
    current: str


@dataclass(slots=True)
class BakeReport:
    """The result of a bake.

    Attributes:
        files: How many files were compared with the store.
        baked: The reason for each processed asset, by asset id.
        unchanged: How many files had the same size and time stamp as before.
        touched: How many files had another time stamp and the same content.
        removed: How many files were deleted.
        changes: The outputs that were added, changed or removed; listeners get these.
        errors: All errors of the present assets, also those found by earlier bakes.
        broken: The same errors by asset path; for a file that cannot be an asset, by the name that
            the error shows.
        truncated: Whether there are more errors than are listed.
        missing: Assets that do not exist or that no processor takes, with the assets that need
            them. `AssetPipeline.dangling` returns locations, too.
        seconds: How long the bake took.
        notes: Other messages, such as one about a damaged store that was replaced.
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
        """Whether there are no errors."""
        return not self.errors

    def changed_ids(self) -> list[str]:
        """Returns the ids of all outputs that were added, changed or removed, each once."""
        return list(dict.fromkeys(change.id for change in self.changes))


class StoreStatistics(NamedTuple):
    """The size and content of a store, and counts since the pipeline was opened.

    Attributes:
        assets: Baked files; a file with several import settings counts several times.
        broken: Files whose newest version cannot be baked.
        outputs: The number of outputs by kind.
        source_bytes: Bytes of the files.
        unpacked_bytes: Bytes of the pages, unpacked.
        packed_bytes: Bytes of the pages as they are stored.
        store_bytes: Bytes of the store on disk.
        baked: Files processed since the pipeline was opened.
        bakes: Calls of `AssetPipeline.bake` since then.
        on_demand: Calls that had to bake files before they could return an asset.
        bake_seconds: Processing time of all these files, summed over all workers.
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
