"""Circles, chains and bombs of prefabs: an error that says where, and soon (scenario F2)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from arcade_prefabs import PrefabCycleError, PrefabError
from arcade_prefabs.prefab.resolve import DEEPEST, MOST_ANCESTORS, MOST_PARTS

EXTENDS = 'Prefab(extends: "{}")'
CONTAINS = 'Prefab(children: [(prefab: "{}")])'


def full(*names: str) -> str:
    shown = [f"prefabs/{name}.ron" for name in names]
    return " → ".join(shown if len(shown) <= 8 else [*shown[:4], "…", *shown[-3:]])


def soon(action: Callable[[], Any], limit_s: float = 1.0) -> Any:
    """The action's result, if the process worked no longer on it than the scenario allows."""
    start = time.process_time()
    result = action()
    assert time.process_time() - start < limit_s
    return result


@pytest.mark.parametrize(
    "links",
    [
        [EXTENDS],
        [CONTAINS],
        [EXTENDS, EXTENDS],
        [CONTAINS, CONTAINS],
        [EXTENDS, CONTAINS],
        [CONTAINS, EXTENDS, EXTENDS],
        [EXTENDS] * 60,
        [CONTAINS] * 60,
        [CONTAINS, EXTENDS] * 30,
    ],
    ids=lambda links: f"{len(links)} {''.join(link[7] for link in links[:3])}",
)
def test_a_circle_names_its_chain_from_whichever_member_is_asked(
    library: Any, links: list[str]
) -> None:
    """Every member fails, first or after the others; the chain is the circle, or its ends."""
    size = len(links)
    names = [f"p{i}" for i in range(size)]
    texts = {name: links[i].format(names[(i + 1) % size]) for i, name in enumerate(names)}
    circles = {full(*names[i:], *names[: i + 1]): i for i in range(size)}
    shared = library(texts)
    for name in names:
        for files in (shared, library(texts)):
            with pytest.raises(PrefabCycleError) as caught:
                soon(lambda files=files, name=name: files.resolve(name))
            sentence, _, chain = caught.value.message.rpartition(": ")
            assert sentence.endswith("a prefab cannot contain or extend itself")
            last = names[circles[chain] - 1]  # the one that leads back to the chain's beginning
            assert caught.value.path == f"prefabs/{last}.ron"
            column = texts[last].index('"') + 1
            assert (caught.value.line, caught.value.column) == (1, column)
            assert [str(error) for error in files.problems(name)] == [str(caught.value)]


def test_who_is_outside_of_a_circle_gets_the_circle_only(library: Any) -> None:
    """The chain in the message begins where the circle does."""
    files = library(
        {"out": EXTENDS.format("a"), "a": EXTENDS.format("b"), "b": CONTAINS.format("a")}
    )
    with pytest.raises(PrefabCycleError) as caught:
        files.resolve("out")
    assert caught.value.message.endswith(": " + full("a", "b", "a"))


def test_a_circle_through_an_inherited_child_names_the_way_to_it(library: Any) -> None:
    """The heir contains its parent's child, which contains the heir."""
    texts = {
        "parent": CONTAINS.format("lamp"),
        "heir": EXTENDS.format("parent"),
        "lamp": CONTAINS.format("heir"),
    }
    for name, chain in {
        "heir": ("heir", "parent", "lamp", "heir"),
        "lamp": ("lamp", "heir", "parent", "lamp"),
        "parent": ("lamp", "heir", "parent", "lamp"),
    }.items():
        with pytest.raises(PrefabCycleError) as caught:
            library(texts).resolve(name)
        found = caught.value.message.partition("itself: ")[2]
        assert found in {full(*chain), full("parent", "lamp", "heir", "parent")}, name


def test_a_circle_through_a_changed_child_is_found(library: Any) -> None:
    """An heir that turns an inherited child into itself contains itself."""
    files = library(
        {
            "x": "Prefab()",
            "a": 'Prefab(children: [(name: "n", prefab: "x")])',
            "b": 'Prefab(extends: "a", children: [(name: "n", prefab: "b", at: (1, 1))])',
        }
    )
    with pytest.raises(PrefabCycleError, match=r"b\.ron → prefabs/b\.ron"):
        files.resolve("b")
    assert files.resolve("a").children[0].prefab.id == "prefabs/x.ron"


def test_a_circle_among_labels_of_one_file_names_the_labels(library: Any) -> None:
    """A library may refer to itself, but no prefab of it may."""
    files = library({"lib": 'Library(a: Prefab(extends: "#b"), b: Prefab(extends: "lib#a"))'})
    with pytest.raises(PrefabCycleError) as caught:
        files.resolve("lib#a")
    chain = "prefabs/lib.ron#a → prefabs/lib.ron#b → prefabs/lib.ron#a"
    assert str(caught.value).splitlines()[0] == (
        "prefabs/lib.ron:1:54: extends: a prefab cannot contain or extend itself: " + chain
    )


def test_overrides_do_not_hide_a_circle(library: Any) -> None:
    """A child with changes is worked out anew, and still found."""
    text = 'Prefab(children: [(prefab: "{}", overrides: [Tags(["x"])])])'
    files = library({"a": text.format("b"), "b": text.format("a")})
    with pytest.raises(PrefabCycleError):
        soon(lambda: files.resolve("a"))


@pytest.mark.parametrize("link", [EXTENDS, CONTAINS], ids=["extends", "contains"])
@pytest.mark.parametrize("backwards", [False, True])
def test_chains_have_a_limit_in_whichever_order_they_are_read(
    library: Any, link: str, backwards: bool
) -> None:
    """Exactly the prefabs on top of more than 64 levels fail, also if the lower ones were known."""
    length = DEEPEST + 10
    texts = {f"c{i}": link.format(f"c{i + 1}") for i in range(1, length)} | {
        f"c{length}": "Prefab()"
    }
    files = library(texts)
    numbers = range(1, length + 1)
    failed = [
        number
        for number in (reversed(numbers) if backwards else numbers)
        if soon(lambda number=number: files.problems(f"c{number}"))
    ]
    assert sorted(failed) == list(range(1, length + 1 - DEEPEST))
    assert "more than 64 prefabs extend or contain each other" in str(files.problems("c1")[0])


def test_a_diamond_of_different_lengths_counts_its_longer_side(library: Any) -> None:
    """The limit does not depend on which parent stands first in the list."""
    texts = {f"c{i}": EXTENDS.format(f"c{i + 1}") for i in range(DEEPEST - 1)}
    texts[f"c{DEEPEST - 1}"] = "Prefab()"
    for parents in ('"c5", "c0"', '"c0", "c5"'):
        files = library({**texts, "top": f"Prefab(extends: [{parents}])"})
        assert len(files.problems("top")) == 1
        assert files.problems("c0") == []


@pytest.mark.parametrize(
    ("line", "most_s"),
    [
        ('Prefab(children: [(prefab: "{0}"), (prefab: "{0}")])', 1.0),
        ('Prefab(children: [(prefab: "{0}", overrides: [Tags(["x"])]), (prefab: "{0}")])', 8.0),
        (
            'Prefab(children: [(name: "l", prefab: "{0}", overrides: [Tags(["x"])]), '
            '(name: "r", prefab: "{0}", overrides: [Tags(["y"])])])',
            8.0,
        ),
    ],
    ids=["plain", "one override", "overrides"],
)
def test_a_bomb_of_doubling_children_is_refused(library: Any, line: str, most_s: float) -> None:
    """Thirty files would make a billion prefabs; the error comes at about ten thousand."""
    texts = {f"b{i}": line.format(f"b{i + 1}") for i in range(30)} | {"b30": "Prefab()"}
    files = library(texts)
    with pytest.raises(PrefabError, match=f"more than {MOST_PARTS:,} prefabs inside one"):
        soon(lambda: files.resolve("b0"), most_s)
    assert len(soon(lambda: files.problems("b0"), most_s)) <= 100


@pytest.mark.parametrize(
    "bottom", [None, "Prefab()", "Prefab(remove: [Tags])", EXTENDS.format("f0")]
)
def test_a_bomb_of_doubling_parents_is_worked_out_once(library: Any, bottom: str | None) -> None:
    """A billion ways lead to the lowest prefab; whether it is sound or not, it takes no time."""
    texts = {}
    for i in range(30):
        texts[f"f{i}"] = f'Prefab(extends: ["a{i}", "b{i}"])'
        texts[f"a{i}"] = texts[f"b{i}"] = EXTENDS.format(f"f{i + 1}")
    if bottom is not None:
        texts["f30"] = bottom
    files = library(texts)
    errors = soon(lambda: files.problems("f0"))
    assert bool(errors) is (bottom != "Prefab()")
    assert len(errors) <= 100


def test_a_file_of_nearly_ten_thousand_children_is_worked_out(library: Any) -> None:
    """Named children are found by name, and heirs inherit them, without a search for each."""
    children = ", ".join(f'(name: "n{i}", prefab: "x")' for i in range(MOST_PARTS - 1))
    changed = ", ".join(f'(name: "n{i}", at: (1, 1))' for i in range(MOST_PARTS - 1))
    files = library(
        {
            "x": "Prefab()",
            "many": f"Prefab(children: [{children}])",
            "heir": f'Prefab(extends: "many", children: [{changed}])',
        }
    )
    assert len(soon(lambda: files.resolve("many"), 5.0).children) == MOST_PARTS - 1
    heir = soon(lambda: files.resolve("heir"), 5.0)
    assert len(heir.children) == MOST_PARTS - 1
    assert heir.children[-1].placement.position == (1.0, 1.0)


def test_ten_thousand_children_are_too_many(library: Any) -> None:
    """One error, at the child that was too much."""
    children = "\n".join('(prefab: "x"),' for i in range(MOST_PARTS + 500))
    files = library({"x": "Prefab()", "many": f"Prefab(children: [\n{children}])"})
    (error,) = soon(lambda: files.problems("many"), 5.0)
    assert (error.line, error.column) == (MOST_PARTS + 1, 10)


def test_a_prefab_inherits_from_a_few_hundred_at_most(library: Any) -> None:
    """Each heir names all of its ancestors: as many heirs of as many would be the square."""
    parents = "\n".join(f'"a{i}",' for i in range(MOST_ANCESTORS + 50))
    texts = {f"a{i}": "Prefab()" for i in range(MOST_ANCESTORS + 50)}
    texts["few"] = f"Prefab(extends: [{parents.rsplit(chr(10), 50)[0]}])"
    texts["many"] = f"Prefab(extends: [\n{parents}])"
    texts["two"] = 'Prefab(extends: [\n"few",\n"a1",\n"other"])'
    texts["other"] = "Prefab()"
    files = library(texts)
    assert len(files.resolve("few").built_from) == 1 + MOST_ANCESTORS
    (error,) = files.problems("many")
    assert (error.line, error.column) == (MOST_ANCESTORS + 2, 1)
    assert f"more than {MOST_ANCESTORS} prefabs extended" in error.message
    (error,) = files.problems("two")  # those of its parents count
    assert (error.line, error.column) == (2, 1)


def test_of_a_hundred_broken_parents_the_others_are_not_worked_out(library: Any) -> None:
    """Their errors would not be shown."""
    names = [f"a{i}" for i in range(1000)]
    parents = ", ".join(f'"{name}"' for name in names)
    children = ", ".join(f'(prefab: "{name}")' for name in names)
    texts = dict.fromkeys(names, "Prefab(remove: [Tags])")
    texts |= {"heir": f"Prefab(extends: [{parents}])", "owner": f"Prefab(children: [{children}])"}
    for top in ("heir", "owner"):
        files = library(texts)
        assert len(files.problems(top)) == 100
        assert len(files.read) <= 102
