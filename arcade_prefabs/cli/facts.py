"""`gather`: collects all facts about one asset as JSON values, for ``inspect``."""

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

# The most children, inputs and levels that are listed: the tree of a prefab that contains the same
# children many times can have billions of nodes.
_MOST_NODES: Final = 500
_DEEPEST: Final = 50


@dataclass(frozen=True, slots=True)
class _Subject:
    """The asset to inspect.

    Attributes:
        id: The asset id without its label.
        label: The label of the asset in its file; empty for the whole file.
        settings: Import settings.
        explanation: What the bake store has recorded of the file.
        asset: The baked asset; None for a file with several assets, or a broken one.
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
    """Collects all facts about an asset; bakes it first if it is stale.

    Args:
        pipeline: The pipeline of the assets.
        identifier: The asset, in any spelling.

    Returns:
        The facts by name. ``errors`` has pairs of an error as JSON values, and as text.

    Raises:
        LocatedError: The asset does not exist, or its file has no asset of this label.
        StoreError: The bake store cannot be used.
    """
    subject = _find(pipeline, identifier)
    _bake_inputs(pipeline, subject.explanation)
    explanation = pipeline.explain(subject.id, subject.settings)
    outputs = [
        output
        for output in explanation.outputs
        if not subject.label or output.id.endswith("#" + subject.label)
    ]
    direct = [user for user in explanation.dependents if user != explanation.path]
    dependents = pipeline.dependents(explanation.path)
    needed = set(pipeline.dependents(explanation.path, at_run_time=True)) - set(dependents)
    source = pipeline.source
    facts: dict[str, Any] = {
        "id": subject.full_id,
        "path": explanation.path,
        "file": source.shown(explanation.path) if source else explanation.path,
        "release": pipeline.read_only,
        "processor": _processor(explanation),
        "variant": dict(subject.settings),
        "content": explanation.content.hex() if explanation.content is not None else None,
        "reason": explanation.reason,
        "stale": explanation.stale,
        "seconds": explanation.seconds,
        "bytes": {
            "source": explanation.source_bytes,
            "unpacked": sum(output.size for output in outputs),
            "packed": sum(output.packed for output in outputs),
            "pages": sum(output.pages for output in outputs),
        },
        "outputs": [
            {
                "id": output.id,
                "kind": output.kind,
                "digest": output.digest.hex(),
                "pages": output.pages,
                "unpacked": output.size,
                "packed": output.packed,
            }
            for output in outputs
        ],
        "components": None,
        "children": [],
        "children_left_out": False,
        "head": None,
        "made_from": _Inputs(pipeline).tree(explanation),
        "needs": [
            {"kind": kind, "name": name, "missing": _is_missing(pipeline, name)}
            for kind, name in explanation.needs
        ],
        "used_by": direct,
        "used_by_way": [user for user in dependents if user not in set(direct)],
        "needed_by": sorted(needed),
        "errors": [(error_json(error), str(error)) for error in explanation.errors],
    }
    if subject.asset is not None:
        facts.update(_content(pipeline, subject, subject.asset))
    return facts


# ------------------------------------------------------------------------------- finding the asset


def _find(pipeline: AssetPipeline, identifier: str) -> _Subject:
    """Returns the asset of a name, which is an asset path or the id of a prefab."""
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
            if settings:  # raises an error if no prefab names them, instead of baking with them
                pipeline.explain(candidate, settings)
            asset = pipeline.get(f"{candidate}#{label}" if label else candidate, settings)
        except LocatedError as error:
            problem = error
        try:
            explanation = pipeline.explain(candidate, settings)
        except (MissingAssetError, UnsafePathError):
            assert problem is not None
            # An error of the file says more than that no prefab has its name.
            if first is None or isinstance(first, MissingAssetError):
                first = problem
            continue
        if label and asset is None and not explanation.errors and problem is not None:
            raise problem
        return _Subject(explanation.path, label, settings, explanation, asset)
    assert first is not None
    raise first if settings else _with_hint(pipeline, first, path)


def _split(identifier: str) -> tuple[str, str, dict[str, Any]]:
    """Returns path, label and import settings of ``sheet.png?{"columns":4}#label``."""
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
    """Adds the most similar names of files to the error of a missing asset."""
    # The pipeline's own hint knows baked assets only.
    if isinstance(error, MissingAssetError) and pipeline.source is not None:
        names = {_short(file.path) for file in pipeline.source.scan()}
        error.hint = did_you_mean(_short(name), sorted(names)) if names else None
    return error


def _short(path: str) -> str:
    """Returns the short form of a prefab's path, and any other path unchanged."""
    return path.removeprefix(f"{PREFAB_FOLDER}/").removesuffix(SUFFIX)


# ------------------------------------------------------------------------------------------ content


def _processor(explanation: Explanation) -> dict[str, Any] | None:
    if explanation.processor is None:
        return None
    settings = json.loads(explanation.settings) if explanation.settings else {}
    return {"name": explanation.processor, "version": explanation.version, "settings": settings}


def _content(pipeline: AssetPipeline, subject: _Subject, asset: BakedAsset) -> dict[str, Any]:
    """Returns the components and children of a prefab, or the head of another asset."""
    if asset.kind == "prefab":
        full_id = subject.full_id
        is_id = not subject.settings and full_id == prefab_id(full_id)
        prefab = pipeline.get_prefab(full_id) if is_id else decode_prefab(asset)
        left = [_MOST_NODES]
        children = [_child(child, left, 0) for child in prefab.children[:_MOST_NODES]]
        whole = left[0] >= 0 and len(children) == len(prefab.children)
        return {
            "components": prefab.components,
            "children": children,
            "children_left_out": not whole,
        }
    try:
        return {"head": asset.head()}
    except orjson.JSONDecodeError:  # the page of an abstract prefab is a hash
        return {}


def _child(child: Child, left: list[int], depth: int) -> dict[str, Any]:
    """Returns a child with its own children.

    Args:
        child: The child.
        left: The number of nodes that may still be listed; set to -1 if nodes were left out.
        depth: The depth of the child in the tree.
    """
    left[0] -= 1
    below: list[dict[str, Any]] = []
    for grandchild in child.prefab.children:
        if left[0] <= 0 or depth >= _DEEPEST:
            left[0] = -1
            break
        below.append(_child(grandchild, left, depth + 1))
    return {
        "name": child.name,
        "prefab": child.prefab.id,
        "position": list(child.placement.position),
        "angle": child.placement.angle,
        "scale": child.placement.scale,
        "components": list(child.prefab.components),
        "children": below,
    }


# ------------------------------------------------------------------------------------------- inputs


class _Inputs:
    """Builds the tree of an asset's inputs and their inputs; lists each file's inputs once."""

    def __init__(self, pipeline: AssetPipeline) -> None:
        self._pipeline = pipeline
        self._seen: set[str] = set()

    def tree(self, explanation: Explanation, depth: int = 0) -> list[dict[str, Any]]:
        """Returns the inputs of a file, each with its own inputs."""
        self._seen.add(explanation.path)
        return [self._node(status, depth) for status in explanation.inputs]

    def _node(self, status: InputStatus, depth: int) -> dict[str, Any]:
        file = status.name.partition("#")[0]
        ambient = status.kind == "ambient"
        above = not ambient and file in self._seen
        below: list[dict[str, Any]] = []
        if not ambient and not above and depth < _DEEPEST and len(self._seen) < _MOST_NODES:
            explanation = self._explained(file)
            if explanation is not None:
                below = self.tree(explanation, depth + 1)
        return {
            "kind": status.kind,
            "name": status.name,
            "digest": status.digest.hex() if status.digest is not None else None,
            "current": status.current,
            "missing": status.digest is None and not ambient,
            "above": above and bool(status.digest),
            "made_from": below,
        }

    def _explained(self, path: str) -> Explanation | None:
        with contextlib.suppress(MissingAssetError, UnsafePathError):
            return self._pipeline.explain(path)
        return None


def _bake_inputs(pipeline: AssetPipeline, explanation: Explanation) -> None:
    """Bakes the inputs of an asset that were never baked, so that the store can explain them."""
    seen = {explanation.path}
    todo = [explanation]
    while todo and len(seen) < _MOST_NODES:
        for status in todo.pop().inputs:
            path = status.name.partition("#")[0]
            if status.kind == "ambient" or path in seen:
                continue
            seen.add(path)
            with contextlib.suppress(LocatedError):  # errors of inputs are not those of the asset
                pipeline.get(path)
            with contextlib.suppress(MissingAssetError, UnsafePathError):
                todo.append(pipeline.explain(path))


def _is_missing(pipeline: AssetPipeline, name: str) -> bool:
    """Whether a dependency does not exist."""
    path = name.partition("#")[0]
    try:
        if pipeline.source is not None:
            return pipeline.source.stat(path) is None
        pipeline.explain(path)
    except AssetError:
        return True
    return False
