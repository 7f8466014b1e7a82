"""Processes batches of files, in a worker process or in the calling thread."""

from __future__ import annotations

import gc
import pickle
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ...errors import AssetError, LocatedError, MissingAssetError
from ...prefab.asset_ids import is_label
from ...prefab.suggestions import did_you_mean
from ..model.bake_result import BakeKey, BakeResult, located
from ..model.page_codec import ManyPacked, pack
from ..model.processor import (
    PAGE_BYTES,
    UNREADABLE,
    Output,
    ProcessContext,
    Processor,
    digest,
    settings_key,
)
from ..sources import AssetSource

__all__ = ["BakeTask", "WorkerContext", "process_batch", "process_pickled"]

# A file above this size is kept for the other tasks of a batch only if one of them reads it.
_KEPT_BYTES: Final = 256 * 1024

_GIT_LFS: Final = b"version https://git-lfs.github.com/spec/"


class BakeTask(NamedTuple):
    """A file to process, with import settings.

    Attributes:
        key: The key of the asset.
        processor: The name of its processor.
        settings: The import settings, which override the processor's settings.
    """

    key: BakeKey
    processor: str
    settings: Mapping[str, Any]


class WorkerContext(NamedTuple):
    """What the tasks of a batch share: asset source and processors."""

    source: AssetSource
    processors: Mapping[str, Processor]


class _Reader:
    """Reads each file once per batch, so that all tasks of a batch see the same content."""

    def __init__(self, source: AssetSource) -> None:
        self._source = source
        self._kept: dict[str, bytes | AssetError] = {}

    def own(self, path: str) -> bytes:
        """Returns the content of a task's own file; a large file is not kept for other tasks."""
        return self._read(path, _KEPT_BYTES)

    def __call__(self, path: str) -> bytes:
        """Returns the content of another file, and keeps it for all tasks of the batch."""
        return self._read(path, None)

    def _read(self, path: str, most: int | None) -> bytes:
        content = self._kept.get(path)
        if content is None:
            try:
                content = self._source.read(path)
            except AssetError as error:
                content = error
            if isinstance(content, AssetError) or most is None or len(content) <= most:
                self._kept[path] = content
        if isinstance(content, AssetError):
            raise content.with_traceback(None)
        return content


def process_batch(worker_context: WorkerContext, tasks: Iterable[BakeTask]) -> Iterator[BakeResult]:
    """Yields the result of each task; exceptions of a processor become errors in its result.

    Any thread. Processors keep nothing but caches, and each cache belongs to one batch.
    """
    read = _Reader(worker_context.source)
    shared: dict[Any, Any] = {}
    try:
        for task in tasks:
            yield _process(worker_context, task, read, shared)
    finally:
        for one in shared.values():
            if hasattr(one, "close"):
                one.close()
        shared.clear()  # its values may refer to process contexts, which refer to `shared`


def _process(
    worker_context: WorkerContext, task: BakeTask, read: _Reader, shared: dict[Any, Any]
) -> BakeResult:
    started = time.perf_counter()
    processor = worker_context.processors[task.processor]
    path = task.key.path
    shown = worker_context.source.shown(path)
    outputs: ManyPacked = ManyPacked()
    failed: list[str | None] = []
    errors: list[LocatedError] = []
    content: bytes | None = UNREADABLE
    context: ProcessContext | None = None
    try:
        data = read.own(path)
        content = digest(data)
        if data.startswith(_GIT_LFS):
            message = "this is not the file itself, but a Git LFS pointer to it"
            raise AssetError(message, path=shown, hint="`git lfs pull` fetches the file")
        settings = _settings(processor, task.settings, shown)
        context = ProcessContext(
            path, data, settings, read=read, shown=worker_context.source.shown, shared=shared
        )
        outputs = _packed(processor.process(context), context)
    except MissingAssetError as error:
        if context is None:
            content = None
        failed.append(None)
        errors.append(error)
    except RecursionError:
        failed.append(None)
        errors.append(
            AssetError(f"the processor `{processor.name}` recursed too deeply", path=shown)
        )
    except (Exception, SystemExit) as error:
        failed.append(None)
        errors.append(located(error, shown, processor.name))
    if context is not None:
        errors = [*(located(one, shown, processor.name) for one in context.errors), *errors]
        failed = [*context.failed, *failed]
    for one in errors:
        # Tracebacks refer to frames, and frames to the contents of files.
        one.__traceback__ = one.__cause__ = one.__context__ = None
    return BakeResult(
        key=task.key,
        content=content,
        outputs=outputs,
        failed=tuple(dict.fromkeys(failed)),
        errors=tuple(errors),
        inputs=tuple(context.inputs.values()) if context else (),
        bake_requests=tuple(
            BakeKey(one.path, settings_key(one.settings)) for one in context.bake_requests
        )
        if context
        else (),
        seconds=time.perf_counter() - started,
    )


def _settings(processor: Processor, own: Mapping[str, Any], shown: str) -> dict[str, Any]:
    unknown = next((name for name in own if name not in processor.settings), None)
    if unknown is not None:
        message = f"the processor `{processor.name}` has no setting `{unknown}`"
        known = processor.settings
        hint = did_you_mean(unknown, known)
        raise AssetError(message, path=shown, hint=hint)
    return {**processor.settings, **own}


def _packed(outputs: Iterable[Output], context: ProcessContext) -> ManyPacked:
    found = ManyPacked()
    labels: set[str] = set()
    for output in outputs:
        if output.label in labels:
            raise context.error(f"two outputs have the label {output.label!r}")
        if not (isinstance(output.label, str) and (not output.label or is_label(output.label))):
            raise context.error(f"the label of an output is no plain name: {output.label!r}")
        if not output.pages:
            raise context.error(f"the output {output.label!r} has no pages")
        large = max(len(page) for page in output.pages)
        if large > PAGE_BYTES:
            raise context.error(f"a page has {large:,} bytes, over {PAGE_BYTES:,}")
        labels.add(output.label)
        found.append(pack(output))
    return found


_contexts: OrderedDict[bytes, WorkerContext] = OrderedDict()
# The newest context, and the one that running batches were sent with.
_KEPT_CONTEXTS: Final = 2


def process_pickled(mark: bytes, worker_context: bytes, tasks: list[BakeTask]) -> list[BakeResult]:
    """Processes a batch in a worker process.

    Args:
        mark: The hash of the pickled context; the last contexts are kept under theirs.
        worker_context: The pickled `WorkerContext`.
        tasks: The tasks.
    """
    context = _contexts.get(mark)
    if context is None:
        context = _contexts[mark] = pickle.loads(worker_context)
        while len(_contexts) > _KEPT_CONTEXTS:
            _contexts.popitem(last=False)
    # The garbage collector took a quarter of the time; the few cycles are collected at the end.
    gc.disable()
    try:
        return list(process_batch(context, tasks))
    finally:
        gc.enable()
        gc.collect(0)
