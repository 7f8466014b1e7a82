"""A bake that is killed at any step loses nothing that was committed, and can go on."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from forks import Forks

from arcade_prefabs.pipeline import AssetPipeline

BOUND_S = 30.0
FILES = {
    "prefabs/base.ron": 'Prefab(components: [Tags(["base"])])',
    "prefabs/mid.ron": 'Prefab(extends: "base", components: [Sprite(texture: "a.png")])',
    "prefabs/leaf.ron": 'Prefab(extends: "mid", children: [(name: "c", prefab: "base")])',
    "prefabs/broken.ron": "Prefab(",
    "worlds/w.ron": 'World(entities: [(prefab: "leaf", at: (0, 0)), (prefab: "mid", at: (9, 0))])',
    "data/a.json": '{"a": 1}',
    "data/b.txt": "x" * 300_000,
}
EDITS = {
    "prefabs/base.ron": 'Prefab(components: [Tags(["edited"])])',
    "data/b.txt": "y" * 200_000,
    "worlds/w.ron": 'World(entities: [(prefab: "leaf", at: (0, 0))])',
}
# A child ends itself at the step whose number it is given; exits with 0 if there are fewer steps.
CODE = """
import os, signal
from arcade_prefabs.pipeline import AssetPipeline
from arcade_prefabs.pipeline.store import release as r

def child(root, left, release=None):
    def step(name):
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    with AssetPipeline(root, jobs=0, on_step=step) as pipeline:
        pipeline.bake()
        if release is not None:
            r._packed_anew = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
            pipeline.write_release(release)
"""


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


Content = dict[str, tuple[bytes, list[bytes]]]


def content(root: Path) -> Content:
    """Everything that is baked, baked to the end first."""
    with AssetPipeline(root, jobs=0) as pipeline:
        pipeline.bake()
        assets = [pipeline.get(identifier) for identifier in pipeline.ids()]
        return {asset.id: (asset.digest, list(asset)) for asset in assets}


def digests(content: Content) -> dict[str, bytes]:
    """As `committed` names them."""
    return {f"{one}{'' if '#' in one else '#'}": digest for one, (digest, _) in content.items()}


def committed(root: Path) -> dict[str, bytes]:
    """What the store holds: labels with their digests."""
    store = root / ".arcade_prefabs" / "bake.sqlite"
    if not store.exists():
        return {}
    with closing(sqlite3.connect(store)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            return {}
        query = "SELECT path || '#' || label, digest FROM outputs o JOIN assets a ON a.id=o.asset"
        return dict(db.execute(query))


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks(CODE, BOUND_S) as forks:
        yield forks


def killed_at(forks: Forks, root: Path, step: int) -> bool:
    """Bake in a process that kills itself at a step; whether it came that far."""
    code = forks.run(root, step)
    assert code in (0, -signal.SIGKILL)
    return code != 0


@pytest.fixture(scope="module")
def clean(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Content]:
    """What bakes give that nobody disturbs: of the first files, and of the edited ones."""
    first = tmp_path_factory.mktemp("first")
    write(first, FILES)
    edited = tmp_path_factory.mktemp("edited")
    write(edited, {**FILES, **EDITS})
    return {"first": content(first), "edited": content(edited)}


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.timeout(240)
def test_bake_killed_at_every_step_goes_on_where_it_was(
    tmp_path: Path, clean: dict[str, Content], forks: Forks
) -> None:
    """Each time a step later: the store opens, keeps what it had, and ends as if undisturbed."""
    write(tmp_path, FILES)
    before: dict[str, bytes] = {}
    steps = 0
    while killed_at(forks, tmp_path, steps):
        now = committed(tmp_path)
        # Nothing that was committed is lost; the sources did not change meanwhile.
        assert before.items() <= now.items()
        before = now
        steps += 1
        assert steps < 500
    assert steps > 5  # it was killed at all
    assert content(tmp_path) == clean["first"]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.timeout(240)
def test_rebake_killed_at_every_step_serves_the_old_or_the_new(
    tmp_path: Path, clean: dict[str, Content], forks: Forks
) -> None:
    """Every output is the old or the new one, whole, and the next bake makes all of them new."""
    step = 0
    while True:
        root = tmp_path / str(step)
        write(root, FILES)
        assert content(root) == clean["first"]
        write(root, EDITS)
        if not killed_at(forks, root, step):
            break
        old, new = digests(clean["first"]), digests(clean["edited"])
        for name, digest in committed(root).items():
            assert digest in (old.get(name), new.get(name))
        assert content(root) == clean["edited"]
        step += 4 if step > 4 else 1  # each kind of step, at several files
    assert step > 5
    assert content(root) == clean["edited"]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_release_that_is_killed_leaves_the_old_one(tmp_path: Path, forks: Forks) -> None:
    """A release file is there whole or not at all: until it is finished it has another name."""
    root = tmp_path / "assets"
    write(root, FILES)
    with AssetPipeline(root, jobs=0) as pipeline:
        pipeline.bake()
        pipeline.write_release(tmp_path / "game.prefabs")
    before = (tmp_path / "game.prefabs").read_bytes()
    assert forks.run(root, 9999, tmp_path / "game.prefabs") == -signal.SIGKILL
    assert (tmp_path / "game.prefabs").read_bytes() == before
    with AssetPipeline(tmp_path / "game.prefabs") as release:
        assert release.get_prefab("leaf").components["Tags"]["names"] == ["base"]
