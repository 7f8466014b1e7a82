"""Functions that link asset records by dependency, and keep the states of their trees.

The *tree* of an asset is the asset with everything that it depends on, directly or not. Assets may
depend on each other in circles: a nest spawns birds that build nests. The trees of such assets
become ready together. Most assets are in no circle, so each record counts its dependencies without
a ready tree (`unsettled`), and only records marked as `cyclic` are searched.

All functions are called under the loader's lock.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import DependencyError, shown_error
from .asset_record import AssetRecord, LoadState, TreeState

__all__ = ["held", "inherit_failure", "link", "own_failed", "own_ready", "recount", "unlink"]


def link(record: AssetRecord, needs: Iterable[AssetRecord]) -> None:
    """Sets the dependencies of an asset."""
    record.needs = tuple(dict.fromkeys(needs))
    for need in record.needs:
        need.parents[record] = None
        if need is record or need.needs:
            _mark_circle(record, need)
    record.unsettled = sum(need.tree is not TreeState.READY for need in record.needs)


def unlink(record: AssetRecord) -> tuple[AssetRecord, ...]:
    """Removes all dependencies of an asset, and returns them."""
    needs, record.needs = record.needs, ()
    for need in needs:
        need.parents.pop(record, None)
    record.unsettled = 0
    return needs


def _mark_circle(record: AssetRecord, need: AssetRecord) -> None:
    """Marks a circle as cyclic if ``need`` depends on ``record``, directly or not."""
    seen = {need}
    stack = [need]
    found = need is record
    while stack:
        for one in stack.pop().needs:
            found = found or one is record
            if one not in seen:
                seen.add(one)
                stack.append(one)
    if found:
        # Some of these are in no circle; the mark only makes `held` and `own_ready` slower.
        for one in seen:
            one.cyclic = True
        record.cyclic = True


def held(record: AssetRecord) -> bool:
    """Whether a handle, a pin, or another asset that is held itself holds an asset."""
    if record.wanted:
        return True
    if not record.parents:
        return False
    if not record.cyclic:
        return True
    # In a circle, every asset has a parent. The circle is held only from outside.
    above = _closure(record, up=True)
    if any(one.wanted for one in above):
        return True
    return not above <= _closure(record, up=False)


def _closure(record: AssetRecord, *, up: bool) -> set[AssetRecord]:
    seen = {record}
    stack = [record]
    while stack:
        one = stack.pop()
        for other in one.parents if up else one.needs:
            if other not in seen:
                seen.add(other)
                stack.append(other)
    return seen


def own_ready(record: AssetRecord) -> list[AssetRecord]:
    """Updates trees after an asset itself has become ready. Returns the records of ready trees."""
    if not (record.needs or record.parents):  # a short cut for most assets
        if record.tree is not TreeState.LOADING or record.state is not LoadState.READY:
            return []
        record.tree = TreeState.READY
        record.tree_error = None
        return [record]
    settled: list[AssetRecord] = []
    stack = [record]
    while stack:
        one = stack.pop()
        if one.tree is not TreeState.LOADING or one.state is not LoadState.READY:
            continue
        if one.unsettled and not one.cyclic:
            continue
        group = _complete(one)
        for member in group:
            member.tree = TreeState.READY
            member.tree_error = None
            settled.append(member)
        for member in group:
            for parent in member.parents:
                parent.unsettled -= 1
                stack.append(parent)
    return settled


def _complete(record: AssetRecord) -> list[AssetRecord]:
    """Returns the assets whose trees become ready with that of ``record``; empty if none does."""
    seen = {record: None}
    stack = [record]
    while stack:
        for need in stack.pop().needs:
            if need.tree is TreeState.READY or need in seen:
                continue
            if need.tree is TreeState.FAILED or need.state is not LoadState.READY:
                return []
            seen[need] = None
            stack.append(need)
    return list(reversed(seen))


def own_failed(record: AssetRecord, error: Exception) -> list[AssetRecord]:
    """Updates trees after an asset itself has failed.

    Returns:
        The records of trees that failed by that, ``record`` among them.
    """
    return _fail(record, (), error)


def _fail(record: AssetRecord, below: tuple[str, ...], error: Exception) -> list[AssetRecord]:
    """Fails the trees of an asset and of all assets that depend on it.

    Args:
        record: The asset.
        below: The ids from a dependency of ``record`` down to the asset that failed; empty if
            ``record`` itself failed.
        error: The error of the asset that failed.
    """
    failed: list[AssetRecord] = []
    stack = [(record, below)]
    while stack:
        one, under = stack.pop()
        if one.tree is TreeState.FAILED:
            continue
        chain = (one.id, *under)
        if one.tree is TreeState.READY:
            for parent in one.parents:
                parent.unsettled += 1
        one.tree = TreeState.FAILED
        one.tree_error = _dependency_error(chain, error) if under else error
        failed.append(one)
        stack.extend((parent, chain) for parent in reversed(one.parents))
    return failed


def _dependency_error(chain: tuple[str, ...], error: Exception) -> DependencyError:
    needs = ", which needs ".join(chain[1:])
    message = f"{chain[0]} needs {needs}, and that failed: {shown_error(error)}"
    dependency_error = DependencyError(message, chain)
    dependency_error.__cause__ = error
    return dependency_error


def recount(record: AssetRecord) -> tuple[list[AssetRecord], list[AssetRecord]]:
    """Computes tree states again after an asset's value or dependencies were replaced.

    Returns:
        The records whose trees became ready, and those whose trees failed.
    """
    before = {one: one.tree for one in _closure(record, up=True)}
    for one in before:
        one.tree = TreeState.LOADING
        one.tree_error = None
    for one in before:
        one.unsettled = sum(need.tree is not TreeState.READY for need in one.needs)
    for one in before:
        if one.state is LoadState.FAILED and one.error is not None:
            own_failed(one, one.error)
        for need in one.needs:
            if need not in before and need.tree is TreeState.FAILED:
                _inherit(one, need)
    for one in before:
        own_ready(one)
    ready = [one for one in before if one.tree is TreeState.READY and before[one] is not one.tree]
    failed = [one for one in before if one.tree is TreeState.FAILED and before[one] is not one.tree]
    return ready, failed


def inherit_failure(record: AssetRecord) -> list[AssetRecord]:
    """Fails the tree of an asset if a dependency's tree has failed before.

    Returns:
        The records of trees that failed by that; empty if no dependency has failed.
    """
    for need in record.needs:
        if need.tree is TreeState.FAILED:
            return _inherit(record, need)
    return []


def _inherit(record: AssetRecord, need: AssetRecord) -> list[AssetRecord]:
    cause = need.tree_error
    chain = cause.chain if isinstance(cause, DependencyError) else (need.id,)
    root = cause.__cause__ if isinstance(cause, DependencyError) else cause
    assert isinstance(root, Exception)  # every failed tree has an error
    return _fail(record, chain, root)
