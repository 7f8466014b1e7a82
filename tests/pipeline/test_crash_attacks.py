"""A process that is killed: at every step of a bake, and while it writes releases and compacts."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from arcade_prefabs.pipeline import AssetPipeline
from arcade_prefabs.pipeline.model.page_codec import PackedPage

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL"),
    pytest.mark.timeout(120),
    # Children that are forked from a test never return to it.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
BOUND_S = 40.0
CHILDREN = ", ".join(f'(prefab: "base", at: ({number}, 0))' for number in range(5000))
FILES = {
    "prefabs/base.ron": 'Prefab(components: [Tags(["base"])])',
    "prefabs/mid.ron": 'Prefab(extends: "base", components: [Sprite(texture: "a.png")])',
    "prefabs/many.ron": f"Prefab(children: [{CHILDREN}])",
    "prefabs/ghostly.ron": 'Prefab(extends: "ghost")',
    "prefabs/gone.ron": "Prefab()",
    "data/a.json": '{"a": 1}',
    "data/b.txt": "x" * 300_000,
}
EDITS: dict[str, str | None] = {
    "prefabs/base.ron": 'Prefab(components: [Tags(["edited"])])',
    "prefabs/ghost.ron": 'Prefab(components: [Tags(["here"])])',
    "prefabs/gone.ron": None,
    "data/b.txt": "y" * 280_000,
}
# All cases in one process: it forks, and each child bakes up to a step of its own.
SCRIPT = """
import os, shutil, signal, sys
from pathlib import Path
from arcade_prefabs.pipeline import AssetPipeline

origin, work, what = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
step_width = int(sys.argv[4])

def child(root, left):
    def step(name):
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    with AssetPipeline(root, jobs=0, on_step=step) as pipeline:
        pipeline.bake()

number = 0
while True:
    root = work / (str(number) if what == "each" else "same")
    if not root.exists():
        shutil.copytree(origin, root)
    pid = os.fork()
    if pid == 0:
        try:
            child(root, number)
        except BaseException:
            os._exit(7)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    print(number, os.waitstatus_to_exitcode(status), flush=True)
    if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        break
    number += step_width
"""

Content = dict[str, tuple[bytes, list[bytes]]]


def write(root: Path, files: dict[str, str] | dict[str, str | None]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")


def stored(pipeline: AssetPipeline) -> Content:
    assets = [pipeline.get(identifier) for identifier in pipeline.ids()]
    return {asset.id: (asset.digest, list(asset)) for asset in assets}


def baked(root: Path) -> Content:
    with AssetPipeline(root, jobs=0) as pipeline:
        pipeline.bake()
        assert pipeline.bake().baked == {}
        return stored(pipeline)


def committed(path: Path) -> Content:
    """What a store holds as it is, every page unpacked and checked; nothing is baked."""
    if not path.exists():
        return {}
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            return {}
        found: Content = {}
        for asset, name, label, digest, count, *first in db.execute(
            'SELECT o.asset, a.path, o.label, o.digest, o.pages, o.size, o.method, o."check", '
            "o.data FROM outputs o JOIN assets a ON a.id=o.asset"
        ).fetchall():
            more = db.execute(
                'SELECT size, method, "check", data FROM pages WHERE asset=? AND label=? '
                "ORDER BY number",
                (asset, label),
            ).fetchall()
            pages = [PackedPage(*row).unpack() for row in (first, *more)]
            assert len(pages) == count
            found[f"{name}{'#' if label else ''}{label}"] = (digest, pages)
        return found


def place(root: Path) -> Path:
    return root / ".arcade_prefabs" / "bake.sqlite"


def kills(origin: Path, work: Path, what: str, width: int = 1) -> list[int]:
    """Bake, killed at each step in turn; the numbers of the steps."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(origin), str(work), what, str(width)],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[-1][1] == "0", "the last child should have come to its end"
    return [int(number) for number, code in lines if code != "0"]


@pytest.mark.parametrize(
    "width", [pytest.param(5, marks=pytest.mark.long), pytest.param(1, marks=pytest.mark.slow)]
)
def test_first_bake_may_be_killed_at_every_step(tmp_path: Path, width: int) -> None:
    """In trees of their own: whole outputs only, and then the same as undisturbed."""
    origin = tmp_path / "origin"
    write(origin, FILES)
    (tmp_path / "clean").mkdir()
    write(tmp_path / "clean", FILES)
    expected = baked(tmp_path / "clean")
    steps = kills(origin, tmp_path, "each", width)
    assert len(steps) > 4
    for number in steps:
        root = tmp_path / str(number)
        assert committed(place(root)).items() <= expected.items()
        assert baked(root) == expected
        with AssetPipeline(root, jobs=0) as pipeline:
            assert pipeline.bake().notes == []


@pytest.mark.parametrize(
    "width", [pytest.param(4, marks=pytest.mark.long), pytest.param(1, marks=pytest.mark.slow)]
)
def test_bake_of_edits_may_be_killed_at_every_step(tmp_path: Path, width: int) -> None:
    """Each output is the old or the new one, whole; deleted and healed files among them."""
    origin = tmp_path / "origin"
    write(origin, FILES)
    old = baked(origin)
    write(origin, EDITS)
    write(tmp_path / "clean", {name: text for name, text in {**FILES, **EDITS}.items() if text})
    new = baked(tmp_path / "clean")
    steps = kills(origin, tmp_path, "each", width)
    assert len(steps) > 4
    states = set()
    for number in steps:
        root = tmp_path / str(number)
        now = committed(place(root))
        for identifier, value in now.items():
            assert value in (old.get(identifier), new.get(identifier)), identifier
        states.add(frozenset((key, digest) for key, (digest, _) in now.items()))
        assert baked(root) == new
    assert len(states) > 2  # it was killed in between, not only before and behind


@pytest.mark.long
def test_bake_killed_again_and_again_never_goes_back(tmp_path: Path) -> None:
    """One tree, one step more each time: what was committed stays committed."""
    origin = tmp_path / "origin"
    write(origin, FILES)
    steps = kills(origin, tmp_path, "same", 3)
    assert len(steps) > 4
    write(tmp_path / "clean", FILES)
    assert committed(place(tmp_path / "same")) == baked(tmp_path / "clean")


def killed_in(root: Path, target: Path, do: str, query: str, after: int) -> int:
    """Let a process end itself in SQLite's own work, after that many thousand instructions."""
    script = f"""
import os, signal, sqlite3, sys
from pathlib import Path
from arcade_prefabs.pipeline import AssetPipeline
import arcade_prefabs.pipeline.store.release as release

real = sqlite3.connect
left = {after}
def tick():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0

pipeline = AssetPipeline({str(root)!r}, jobs=0)
if {query!r} == "release":
    def connect(*args, **options):
        connection = real(*args, **options)
        connection.set_progress_handler(tick, 10)
        return connection
    release.sqlite3.connect = connect
else:
    pipeline.store._writer.set_progress_handler(tick, 10)
{do}
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(target)],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def test_release_killed_at_any_moment_is_the_old_one_or_the_new(tmp_path: Path) -> None:
    """It is moved to its name when it is finished; leavings are not in the way of the next."""
    root = tmp_path / "assets"
    write(root, FILES)
    target = tmp_path / "game.prefabs"
    with AssetPipeline(root, jobs=0) as pipeline:
        pipeline.bake()
        pipeline.write_release(target)
    before = target.read_bytes()
    write(root, EDITS)
    new = baked(root)
    codes = []
    for after in (0, 1, 4, 16, 64, 256, 10_000_000):
        codes.append(
            killed_in(root, target, "pipeline.write_release(sys.argv[1])", "release", after)
        )
        if codes[-1]:
            assert target.read_bytes() == before
    assert codes[0] != 0
    assert codes[-1] == 0
    with AssetPipeline(target) as release:
        assert stored(release) == new


def test_compaction_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    """The file is whole, and holds all that it held."""
    root = tmp_path / "assets"
    write(root, FILES)
    expected = baked(root)
    codes = []
    for after in (0, 1, 2, 4, 8, 16, 64, 10_000_000):
        codes.append(killed_in(root, root, "pipeline.clean()", "clean", after))
        assert committed(place(root)) == expected
    assert codes[0] != 0
    assert codes[-1] == 0
    assert baked(root) == expected


def test_store_killed_while_it_was_put_aside_is_begun_anew(tmp_path: Path) -> None:
    """Between the deletion of the journals and the move, and behind it."""
    write(tmp_path, FILES)
    expected = baked(tmp_path)
    for moved in (False, True):
        with closing(sqlite3.connect(place(tmp_path))) as db, db:
            db.execute("UPDATE facts SET value=99 WHERE name='format'")
        script = (
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from arcade_prefabs.pipeline import AssetPipeline\n"
            "real = Path.replace\n"
            "def replace(self, other):\n"
            f"    {'real(self, other)' if moved else 'pass'}\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "Path.replace = replace\n"
            "AssetPipeline(sys.argv[1], jobs=0)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], timeout=BOUND_S, check=False
        )
        assert done.returncode == -signal.SIGKILL
        assert baked(tmp_path) == expected


def test_probe_that_a_killed_process_left_is_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Process numbers repeat, in containers always: the store is still found where it was."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "assets"
    write(root, {"data/a.json": "1"})
    folder = root / ".arcade_prefabs"
    folder.mkdir()
    with closing(sqlite3.connect(folder / f"probe-{os.getpid()}")) as db:
        db.execute("CREATE TABLE probe(x)")
    with AssetPipeline(root, jobs=0) as pipeline:
        pipeline.bake()
        assert pipeline.store.path.parent.resolve() == folder.resolve()
