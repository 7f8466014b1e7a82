"""What README and docs show is read and run, so that it stays true."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import arcade_prefabs
from arcade_prefabs import ron
from arcade_prefabs.pipeline import check_tree
from arcade_prefabs.prefab import ComponentRegistry, read_prefabs

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    """Where each fenced block of a language stands, and its content."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            found.append((f"{page.relative_to(ROOT).as_posix()}:{line}", match.group(1)))
    return found


RON_BLOCKS = blocks("ron")
LINKED = [ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES]


def anchors_of(page: Path) -> set[str]:
    """What a link to a heading of a page says behind the `#`."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", LINKED, ids=[page.name for page in LINKED])
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    """Links to files lead to files of the project, links to headings to headings."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"\w+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []


def test_the_pages_hold_examples() -> None:
    """The other tests of this module have something to look at."""
    assert len(RON_BLOCKS) >= 4
    assert len(blocks("python")) >= 3


@pytest.mark.parametrize(("place", "text"), RON_BLOCKS, ids=[place for place, _ in RON_BLOCKS])
def test_ron_examples_are_read_and_their_prefabs_are_sound(place: str, text: str) -> None:
    """Every RON example reads and writes back; every prefab in one has no error."""
    value = ron.loads(text, path=place)
    assert ron.to_tagged(ron.loads(ron.dumps(value))) == ron.to_tagged(value)
    if isinstance(value, ron.Struct) and value._name in ("Prefab", "Library"):
        assert [str(e) for e in read_prefabs(text, "x", registry=documented()).errors] == []


def documented() -> ComponentRegistry:
    """A registry with the component that the README declares."""
    registry = ComponentRegistry()
    text = next(text for _, text in blocks("python") if "class Health" in text)
    names: dict[str, object] = {}
    exec(text.replace("@arcade_prefabs.component\n", ""), names)
    health = names["Health"]
    assert isinstance(health, type)
    registry.component(health)
    return registry


# A game of an example ends once all that it spawned is there.
PLAY = """
import arcade


def run():
    window = arcade.get_window()
    while window.prefabs.busy:
        window.dispatch_events()
        window._dispatch_frame(1 / 60)
    assert len(window.prefabs.entities) > 0
    print("played:", *window.prefabs.entities)
    window.close()


arcade.run = run
"""

# Behind the first examples: each further game would wait seconds for worker processes of its own.
NO_WORKERS = """
from arcade_prefabs.pipeline.bake.worker_pool import ProcessWorkers

ProcessWorkers.possible = staticmethod(lambda: False)
"""


@pytest.mark.timeout(130)  # some twenty games one after the other: 17 s alone, 60 on a busy machine
@pytest.mark.usefixtures("opengl")
def test_python_examples_run(tmp_path: Path) -> None:
    """The examples run one after the other, in a process of their own, and their asserts hold."""
    shutil.copytree(
        ROOT / "assets", tmp_path / "assets", ignore=shutil.ignore_patterns(".arcade_prefabs")
    )
    texts = [text for _, text in blocks("python")]
    first = next(number for number, text in enumerate(texts) if "# on all cores" in text)
    text = "\n".join([PLAY, *texts[: first + 1], NO_WORKERS, *texts[first + 1 :]])
    # A rate that a machine holds which is busy with tests, where a frame may be late by 10 ms; the
    # page asks for more.
    asked = "assert_fps(window, 60, seconds=5)"
    assert asked in text
    text = text.replace(asked, "assert_fps(window, 6, seconds=3, on_time=0.5)")
    result = subprocess.run(
        [sys.executable, "-W", "error", "-"],
        input=text,
        text=True,
        capture_output=True,
        timeout=120,
        cwd=tmp_path,
        env=os.environ | {"ARCADE_HEADLESS": "True"},
    )
    assert result.returncode == 0, result.stderr
    assert "weather: Rain" in result.stdout
    assert "played: <Entity of prefabs/props/treasure_crate.ron: alive>" in result.stdout
    assert "on the main thread" in result.stdout
    for kind in ("txt", "json", "trace.json"):
        assert (tmp_path / f"frames.{kind}").stat().st_size > 100


def test_the_error_example_of_the_readme_is_what_check_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two errors that the README shows are shown in exactly these words."""
    shown = next(text for _, text in blocks("text") if "props/crate.ron" in text)
    file = tmp_path / "assets/prefabs/props/crate.ron"
    file.parent.mkdir(parents=True)
    file.write_text(
        "Prefab(\n    components: [\n        // seen in the README\n"
        '        Sprite(textur: "crate.png"),\n        Health(max: "20"),\n    ],\n)\n'
    )
    monkeypatch.chdir(tmp_path)
    report = check_tree("assets", registry=documented())
    printed = "".join(f"{error}\n\n" for error in report.errors)
    assert printed + "2 errors in 1 file, 1 prefab\n" == shown


def test_the_ron_error_example_is_what_is_raised() -> None:
    """The error that docs/formats.md shows is raised in exactly these words."""
    shown = next(text for place, text in blocks("text") if place.startswith("docs/formats"))
    with pytest.raises(ron.RonError) as caught:
        ron.loads("Crate(\n    // comment\n    size: (32, 32;\n)", path="crate.ron")
    assert f"{caught.value}\n" == shown


def test_every_built_in_component_is_documented_with_all_its_fields() -> None:
    """The table of docs/formats.md names each component and each of its fields."""
    table = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    registry = ComponentRegistry()
    for name in registry.names():
        component = registry.get(name)
        assert component is not None
        row = next(line for line in table.splitlines() if line.startswith(f"| `{name}` |"))
        missing = [
            field
            for field in component.converter.fields
            if f"`{field}`" not in row.replace("*", "") and f"`{field}(" not in row
        ]
        assert missing == []


def test_the_shipped_assets_have_no_errors() -> None:
    """Every prefab in assets/ is sound."""
    report = check_tree(ROOT / "assets")
    assert [str(error) for error in report.errors] == []
    assert report.prefabs >= 6


def test_the_version_is_a_version() -> None:
    """The package says which version it is."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", arcade_prefabs.__version__)
