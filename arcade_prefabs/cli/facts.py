"""All that can be told about one asset, as JSON values."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import orjson

from ..errors import AssetError, LocatedError, MissingAssetError, UnsafePathError
from ..pipeline import (
    AssetPipeline,
    BakedAsset,
    Explanation,
    InputStatus,
    decode_prefab,
    settings_key,
)
from ..pipeline.model.bake_result import BakeKey, shown_id
from ..prefab import Child, prefab_id
from ..prefab.asset_ids import PREFAB_FOLDER, SUFFIX
from ..prefab.suggestions import did_you_mean
from .shared import error_json

__all__ = ["gather"]

# Children and inputs that are listed at most: prefabs that share their parts can have billions.
_MOST_NODES: Final = 500
_DEEPEST: Final = 50


@dataclass(frozen=True, slots=True)
class _Subject:
    """The asset that was asked for.

    Attributes:
        id: Its id, without the label.
        label: The part that was asked for; empty for the whole file.
        settings: Settings of its own.
        explanation: What the store knows of it.
        asset: What it was baked to; None for a file of many parts, or one that is broken.
    """

    id: str
    label: str
    settings: Mapping[str, Any]
    explanation: Explanation
    asset: BakedAsset | None

    @property
    def full_id(self) -> str:
        return shown_id(BakeKey(self.id, settings_key(self.settings)), self.label)


def gather(pipeline: AssetPipeline, identifier: str) -> dict[str, Any]:
    """Everything about an asset; it is baked if need be.

    In ``errors`` are pairs: the error for scripts, and for people.

    Raises:
        LocatedError: There is no such asset, or no such part of it.
        StoreError: The store cannot be used.
    """
    subject = _find(pipeline, identifier)
    _bake_inputs(pipeline, subject.explanation)
    known = pipeline.explain(subject.id, subject.settings)
    outputs = [
        one for one in known.outputs if not subject.label or one.id.endswith("#" + subject.label)
    ]
    direct = [user for user in known.dependents if user != known.path]
    made = pipeline.dependents(known.path)
    needed = set(pipeline.dependents(known.path, at_run_time=True)) - set(made)
    facts: dict[str, Any] = {
        "id": subject.full_id,
        "path": known.path,
        "file": pipeline.source.shown(known.path) if pipeline.source else known.path,
        "release": pipeline.read_only,
        "processor": _processor(known),
        "variant": dict(subject.settings),
        "content": known.content.hex() if known.content is not None else None,
        "reason": known.reason,
        "stale": known.stale,
        "seconds": known.seconds,
        "bytes": {
            "source": known.source_bytes,
            "unpacked": sum(one.size for one in outputs),
            "packed": sum(one.packed for one in outputs),
            "pages": sum(one.pages for one in outputs),
        },
        "outputs": [
            {
                "id": one.id,
                "kind": one.kind,
                "digest": one.digest.hex(),
                "pages": one.pages,
                "unpacked": one.size,
                "packed": one.packed,
            }
            for one in outputs
        ],
        "components": None,
        "children": [],
        "children_left_out": False,
        "head": None,
        "made_from": _Inputs(pipeline).tree(known),
        "needs": [
            {"kind": kind, "name": name, "missing": _is_missing(pipeline, name)}
            for kind, name in known.needs
        ],
        "used_by": direct,
        "used_by_way": [user for user in made if user not in set(direct)],
        "needed_by": sorted(needed),
        "errors": [(error_json(error), str(error)) for error in known.errors],
    }
    if subject.asset is not None:
        facts.update(_content(pipeline, subject, subject.asset))
    return facts


# ------------------------------------------------------------------------------------ finding it


def _find(pipeline: AssetPipeline, identifier: str) -> _Subject:
    """The asset of that name, written as an asset path or as the id of a prefab."""
    path, label, settings = _split(identifier)
    candidates = [path]
    if not settings and PurePosixPath(path).suffix in ("", SUFFIX):
        with contextlib.suppress(ValueError):
            candidates.append(prefab_id(path))
    first: LocatedError | None = None
    for candidate in dict.fromkeys(candidates):
        asset: BakedAsset | None = None
        problem: LocatedError | None = None
        try:
            if settings:  # baked where something asks for them, not because somebody looks
                pipeline.explain(candidate, settings)
            asset = pipeline.get(f"{candidate}#{label}" if label else candidate, settings)
        except LocatedError as error:
            problem = error
        try:
            explanation = pipeline.explain(candidate, settings)
        except (MissingAssetError, UnsafePathError):
            assert problem is not None
            # That a file cannot be used says more than that there is no prefab of its name.
            if first is None or isinstance(first, MissingAssetError):
                first = problem
            continue
        if label and asset is None and not explanation.errors and problem is not None:
            raise problem
        return _Subject(explanation.path, label, settings, explanation, asset)
    assert first is not None
    raise first if settings else _with_hint(pipeline, first, path)


def _split(identifier: str) -> tuple[str, str, dict[str, Any]]:
    """Path, label and settings of ``sheet.png?{"columns":4}#label``."""
    path, question, rest = identifier.partition("?")
    if not question:
        path, _, label = identifier.partition("#")
        return path, label, {}
    try:
        settings, end = json.JSONDecoder().raw_decode(rest)
        if not isinstance(settings, dict):
            raise ValueError("they are no object")
    except ValueError as error:
        message = f"the settings behind `?` must be JSON: {error}"
        raise AssetError(message, path=identifier[:200]) from None
    return path, rest[end:].removeprefix("#"), settings


def _with_hint(pipeline: AssetPipeline, error: LocatedError, name: str) -> LocatedError:
    """An error about an asset that is not there, with the names that are nearest."""
    # The pipeline's own hint knows only what is baked already.
    if isinstance(error, MissingAssetError) and pipeline.source is not None:
        names = {_short(file.path) for file in pipeline.source.scan()}
        error.hint = did_you_mean(_short(name), sorted(names)) if names else None
    return error


def _short(path: str) -> str:
    """A prefab's path as people write it, any other as it is."""
    return path.removeprefix(f"{PREFAB_FOLDER}/").removesuffix(SUFFIX)


# ------------------------------------------------------------------------------------ what is in it


def _processor(known: Explanation) -> dict[str, Any] | None:
    if known.processor is None:
        return None
    settings = json.loads(known.settings) if known.settings else {}
    return {"name": known.processor, "version": known.version, "settings": settings}


def _content(pipeline: AssetPipeline, subject: _Subject, asset: BakedAsset) -> dict[str, Any]:
    """Components and children of a prefab, the head of anything else."""
    if asset.kind == "prefab":
        full = subject.full_id
        ours = not subject.settings and full == prefab_id(full)
        prefab = pipeline.get_prefab(full) if ours else decode_prefab(asset)
        room = [_MOST_NODES]
        children = [_child(one, room, 0) for one in prefab.children[:_MOST_NODES]]
        whole = room[0] >= 0 and len(children) == len(prefab.children)
        return {
            "components": prefab.components,
            "children": children,
            "children_left_out": not whole,
        }
    try:
        return {"head": asset.head()}
    except orjson.JSONDecodeError:  # of an abstract prefab there is a hash
        return {}


def _child(child: Child, room: list[int], depth: int) -> dict[str, Any]:
    """A child with those below it, as long as there is room."""
    room[0] -= 1
    below: list[dict[str, Any]] = []
    for one in child.prefab.children:
        if room[0] <= 0 or depth >= _DEEPEST:
            room[0] = -1  # something was left out
            break
        below.append(_child(one, room, depth + 1))
    return {
        "name": child.name,
        "prefab": child.prefab.id,
        "at": list(child.placement.at),
        "rotation": child.placement.rotation,
        "scale": child.placement.scale,
        "components": list(child.prefab.components),
        "children": below,
    }


# ---------------------------------------------------------------------------------- what it is from


class _Inputs:
    """The tree of what an asset is made from; nothing is spelled out twice in it."""

    def __init__(self, pipeline: AssetPipeline) -> None:
        self._pipeline = pipeline
        self._seen: set[str] = set()

    def tree(self, known: Explanation, depth: int = 0) -> list[dict[str, Any]]:
        """What it is made from, with what that is made from."""
        self._seen.add(known.path)
        return [self._node(one, depth) for one in known.inputs]

    def _node(self, one: InputStatus, depth: int) -> dict[str, Any]:
        file = one.name.partition("#")[0]
        ambient = one.kind == "ambient"
        above = not ambient and file in self._seen
        below: list[dict[str, Any]] = []
        if not ambient and not above and depth < _DEEPEST and len(self._seen) < _MOST_NODES:
            known = self._explained(file)
            if known is not None:
                below = self.tree(known, depth + 1)
        return {
            "kind": one.kind,
            "name": one.name,
            "digest": one.digest.hex() if one.digest is not None else None,
            "current": one.current,
            "missing": one.digest is None and not ambient,
            "above": above and bool(one.digest),
            "made_from": below,
        }

    def _explained(self, path: str) -> Explanation | None:
        with contextlib.suppress(MissingAssetError, UnsafePathError):
            return self._pipeline.explain(path)
        return None


def _bake_inputs(pipeline: AssetPipeline, known: Explanation) -> None:
    """Bake what an asset is made from, as far as it never was: only then it can be told of."""
    seen = {known.path}
    todo = [known]
    while todo and len(seen) < _MOST_NODES:
        for one in todo.pop().inputs:
            path = one.name.partition("#")[0]
            if one.kind == "ambient" or path in seen:
                continue
            seen.add(path)
            with contextlib.suppress(LocatedError):  # it is not there, or its errors are its own
                pipeline.get(path)
            with contextlib.suppress(MissingAssetError, UnsafePathError):
                todo.append(pipeline.explain(path))


def _is_missing(pipeline: AssetPipeline, name: str) -> bool:
    """Whether something that is needed at run time is not there."""
    path = name.partition("#")[0]
    try:
        if pipeline.source is not None:
            return pipeline.source.stat(path) is None
        pipeline.explain(path)
    except AssetError:
        return True
    return False
