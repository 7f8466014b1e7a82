#!/usr/bin/env python3
"""Mutation testing of a sample: changes one place of the package at a time, and runs tests on it.

A change ("mutant") that no test notices ("survives") shows behaviour that no test states. There are
tens of thousands, so a sample is drawn by a seed: places first, then one of the changes possible
there. cosmic-ray's operators make the changes. Each runs in a copy of the checkout, against those
tests alone that run the changed line (which is recorded once with coverage's contexts), the
quickest and the most specific of them, until one fails.

    .venv/bin/python .ci/mutants.py                        300 mutants of all rooms
    .venv/bin/python .ci/mutants.py --room streaming --file planning.py --sample 40
    .venv/bin/python .ci/mutants.py --minutes 8            stops after that; the same again goes on
    .venv/bin/python .ci/mutants.py --again                runs those anew that survived

Left out as no faults: changes of annotations and docstrings; `is` against `==`; numbers of 100 and
more, which would change by less than a hundredth. Survivors that are as they should be stand with a
reason in `mutants-survivors.md`; the others are listed.
"""

from __future__ import annotations

import argparse
import ast
import concurrent.futures
import contextlib
import hashlib
import itertools
import json
import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from coverage import CoverageData

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGE = "arcade_prefabs"
# The rooms, and the folders whose tests are meant to state what they do.
ROOMS = {
    "ron": ("ron", "prefab"),
    "prefab": ("prefab",),
    "pipeline": ("pipeline",),
    "frames": ("frames", "loading"),
    "loading": ("loading",),
    "window": ("spawning",),
    "spawning": ("spawning",),
    "streaming": ("streaming",),
    "monitor": ("monitor",),
    "plugin": ("spawning",),
}
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "demo_output", "build", "dist")
SAME = {"Is_Eq", "Eq_Is", "IsNot_NotEq", "NotEq_IsNot"}
LARGE = 100
MEMORY_BYTES = 16 * 1024**3


@dataclass
class Mutant:
    """One change of one place.

    Attributes:
        key: The same as long as the changed line is.
        file: Below the package.
        line: Its number.
        before, after: The line.
        state: "killed", "timed out", "survived", or "" as long as it has not been run.
        tests: How many tests there were for it.
        seconds: What that took.
    """

    key: str
    file: str
    line: int
    before: str
    after: str
    state: str = ""
    tests: int = 0
    seconds: float = 0.0

    @property
    def room(self) -> str:
        """The folder of the package."""
        return self.file.partition("/")[0]


# ----------------------------------------------------------------------------------- what to change


@dataclass(frozen=True)
class Place:
    """A place in a file that can be changed, and how: pairs of an operator and its occurrence."""

    key: str
    file: str
    line: int
    ways: tuple[tuple[str, int], ...]


def places(file: str, text: str) -> Iterator[Place]:
    """All places of a file, of which each kind of operator has its own."""
    tree = get_ast(text)
    nodes = list(ast_nodes(tree))
    lines = text.splitlines()
    found: dict[tuple[int, int, str], list[tuple[str, int]]] = {}
    for name in operator_names():
        kind, _, variant = name.rpartition("/")[2].partition("_")
        operator_class = get_operator(name)
        if variant in SAME or operator_class.arguments():
            continue
        operator, occurrence = operator_class(), -1
        for node in nodes:
            for start, _ in operator.mutation_positions(node):
                occurrence += 1
                found.setdefault((*start, kind), []).append((name, occurrence))
    seen: dict[str, int] = {}
    for (line, column, kind), ways in sorted(found.items()):
        told = f"{file}:{lines[line - 1].strip()}:{column}:{kind}"
        seen[told] = seen.get(told, 0) + 1
        yield Place(f"{told}:{seen[told]}", file, line, tuple(ways))


class Bare(ast.NodeTransformer):
    """Takes away what does not run: annotations, and the texts that stand alone."""

    def visit(self, node: ast.AST) -> ast.AST:
        """Every node."""
        super().generic_visit(node)
        for name in ("annotation", "returns"):
            if getattr(node, name, None) is not None:
                setattr(node, name, ast.Constant(None))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
        return node


@cache
def bare(text: str) -> str | None:
    """What of a file runs, to compare; None if it is no Python."""
    try:
        return ast.dump(Bare().visit(ast.parse(text)))
    except (SyntaxError, ValueError):
        return None


def digest(*parts: object) -> str:
    """A name for things that are told from each other by what they are."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def change(place: Place, text: str, seed: int) -> tuple[Mutant, str] | None:
    """One of the changes of a place, with the changed file; None if it would change nothing."""
    name, occurrence = min(place.ways, key=lambda way: digest(seed, place.key, way[0], way[1]))
    try:
        mutated = mutate_code(text, get_operator(name)(), occurrence)
    except AttributeError:  # an `except` with a dotted name, which cosmic-ray 8 cannot replace
        return None
    if mutated is None or bare(mutated) in (None, bare(text)):
        return None
    old, new = text.splitlines(), mutated.splitlines()
    before, after = old[place.line - 1].strip(), "(taken away)"
    if len(old) == len(new):
        number = next(n for n, line in enumerate(old) if line != new[n])
        before, after = old[number].strip(), new[number].strip()
    if name.endswith("NumberReplacer") and _is_large(text, place):
        return None
    return Mutant(digest(place.key, name), place.file, place.line, before, after), mutated


def _is_large(text: str, place: Place) -> bool:
    """Whether the number there is so large that one more or less is no fault."""
    column = int(place.key.rsplit(":", 3)[1])
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            line = text.splitlines()[node.lineno - 1].encode()[: node.col_offset].decode()
            if (node.lineno, len(line)) == (place.line, column):
                return abs(node.value) >= LARGE
    return False


# ------------------------------------------------------------------------------- which tests run it


def environment(work: Path, copy: Path, number: int, **more: str) -> dict[str, str]:
    """What tests run with: the copy's package, and caches of their own."""
    caches = work / f"caches-{number}"
    shutil.rmtree(caches, ignore_errors=True)
    caches.mkdir()
    return {
        **os.environ,
        "CI": "true",  # hypothesis tries the same examples each time
        "PYTHONPATH": os.pathsep.join((str(copy), str(HERE))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": str(caches),
        "MESA_SHADER_CACHE_DIR": str(work / "shaders"),
        **more,
    }


def checkout(work: Path, number: int) -> Path:
    """A fresh copy of the checkout, compiled so that a changed file is noticed by its content."""
    copy = work / f"copy-{number}"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash"]
    subprocess.run([*command, PACKAGE], cwd=copy, check=True)
    return copy


class Record:
    """Which lines each test of a folder runs, and what the test takes.

    Args:
        work: Where it is kept.
        folder: Below `tests`.
        keep: Whether to use one that was recorded with another state of the package.
    """

    def __init__(self, work: Path, folder: str, keep: bool) -> None:
        self._folder = folder
        self._data = work / f"recorded-{folder}.coverage"
        self._facts = work / f"recorded-{folder}.json"
        now = {"tests": _digests(f"tests/{folder}"), "package": _digests(PACKAGE)}
        facts = json.loads(self._facts.read_text("utf-8")) if self._facts.exists() else {}
        if not facts or (not keep and any(facts[name] != now[name] for name in now)):
            facts = {**now, "seconds": self._run(work)}
            self._facts.write_text(json.dumps(facts), "utf-8")
        self.seconds: dict[str, float] = facts["seconds"]
        self.changed = [
            file for file, one in now["tests"].items() if facts["tests"].get(file) != one
        ]
        self._coverage = CoverageData(str(self._data))
        self._coverage.read()
        self._files = {
            file.rpartition(f"/{PACKAGE}/")[2]: file for file in self._coverage.measured_files()
        }

    def _run(self, work: Path) -> dict[str, float]:
        print(f"recording which lines the tests of {self._folder} run ...", flush=True)
        copy, seconds = checkout(work, 0), work / "seconds.json"
        more = {"TEST_SECONDS": str(seconds), "COVERAGE_FILE": str(self._data)}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "chosen_tests"]
        command += ["-m", "not slow"]
        command += ["-p", "no:cacheprovider", "--cov", "--cov-context=test", "--cov-report="]
        command += ["--cov-fail-under=0", f"--basetemp={work / 'tmp-0'}", f"tests/{self._folder}"]
        # What a worker that crashes had recorded is lost, and so is what others record after it.
        command += ["--max-worker-restart=0", "--timeout=600"]
        options: Any = {"cwd": copy, "env": environment(work, copy, 0, **more)}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, **options)
        print(done.stdout[-2000:], flush=True)
        if done.returncode not in (0, 1) or "node down" in done.stdout:  # failed tests are left out
            sys.exit(f"the tests of {self._folder} do not run")
        found: dict[str, float] = json.loads(seconds.read_text("utf-8"))
        return found

    def tests(self, file: str, lines: Iterable[int] | None) -> set[str]:
        """The tests that run any of some lines, or of all lines of a file."""
        if file not in self._files:
            return set()
        contexts = self._contexts(file)
        wanted = contexts if lines is None else lines
        found = {name for line in wanted for name in contexts.get(line, ())}
        return {name.rpartition("|")[0] for name in found} & self.seconds.keys()

    @cache  # noqa: B019 - there are eight of these, for as long as the program runs
    def _contexts(self, file: str) -> dict[int, list[str]]:
        return self._coverage.contexts_by_lineno(self._files[file])


def _digests(folder: str) -> dict[str, str]:
    files = sorted((ROOT / folder).rglob("*.py"))
    return {one.relative_to(ROOT).as_posix(): digest(one.read_text("utf-8")) for one in files}


def lines_of(text: str, line: int) -> set[int]:
    """The lines that have to run for a change in a line to be noticed.

    Those of its statement, for an `except` those of what it does; or, where that runs when the
    module is imported, those of the functions that name what it defines.
    """
    tree = ast.parse(text)
    functions = _functions(tree)
    best: tuple[int, set[int], bool, ast.AST] | None = None
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt | ast.ExceptHandler) or node.end_lineno is None:
            continue
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        if not first <= line <= node.end_lineno:
            continue
        body = getattr(node, "body", None)
        last = max(first, body[0].lineno - 1) if body else node.end_lineno
        if isinstance(node, ast.ExceptHandler):  # its own line runs for every exception
            first, last = node.body[0].lineno, node.end_lineno
        size = node.end_lineno - node.lineno
        if best is None or size < best[0]:
            inside = any(
                one is not node and one.lineno <= line <= (one.end_lineno or 0) for one in functions
            )
            best = (size, set(range(first, last + 1)), inside, node)
    if best is None:
        return set()
    _, lines, inside, node = best
    if inside:
        return lines
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):  # a default, or a decorator
        return {
            one.lineno for stmt in node.body for one in ast.walk(stmt) if hasattr(one, "lineno")
        }
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return {
        one.lineno
        for function in functions
        for one in ast.walk(function)
        if (isinstance(one, ast.Name) and one.id in names)
        or (isinstance(one, ast.Attribute) and one.attr in names)
    }


def _functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def function_of(text: str, line: int) -> range:
    """The lines of the innermost function around a line; the line alone if there is none."""
    spans = [
        range(one.lineno, (one.end_lineno or one.lineno) + 1) for one in _functions(ast.parse(text))
    ]
    return min((one for one in spans if line in one), key=len, default=range(line, line + 1))


def choose(mutant: Mutant, text: str, records: dict[str, Record], most_s: float) -> list[str]:
    """The tests for a mutant: those that run its line, or else its file.

    In turn the quickest one, and the one that runs what the fewest others run of the same
    function: hundreds of tests run a constructor, and one of them is about its exceptions.
    """
    used = [records[folder] for folder in ROOMS[mutant.room]]
    seconds = {name: s for one in used for name, s in one.seconds.items()}
    lines = lines_of(text, mutant.line)
    found = {name for one in used for name in one.tests(mutant.file, lines)}
    found = found or {name for one in used for name in one.tests(mutant.file, None)}
    rarest = dict.fromkeys(found, len(found))
    for line in function_of(text, mutant.line):
        there = {name for one in used for name in one.tests(mutant.file, [line])} & found
        for name in there:
            rarest[name] = min(rarest[name], len(there))
    chosen = [file for one in used for file in one.changed]
    by_time = sorted(found, key=lambda one: (seconds[one], one))
    by_rarity = sorted(found, key=lambda one: (rarest[one], seconds[one], one))
    total = 0.0
    for name in dict.fromkeys(itertools.chain(*zip(by_rarity, by_time, strict=True))):
        total += seconds[name]
        if total > most_s and chosen:
            break
        chosen.append(name)
    return chosen


# ---------------------------------------------------------------------------------------------- run


def run(
    mutant: Mutant, mutated: str, tests: list[str], work: Path, number: int, most_s: float
) -> None:
    """Run tests on a mutant, in a copy of its own."""
    began = time.monotonic()
    mutant.tests = len(tests)
    if not tests:
        mutant.state = "survived"
        return
    copy = work / f"copy-{number}"
    chosen = work / f"chosen-{number}"
    chosen.write_text("\n".join(tests), "utf-8")
    file = copy / PACKAGE / mutant.file
    original = file.read_bytes()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "chosen_tests", "-m", "not slow"]
    command += [
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        f"--basetemp={work / f'tmp-{number}'}",
    ]
    command += sorted({name.partition("::")[0] for name in tests})

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))

    file.write_text(mutated, "utf-8")
    try:
        with (
            (work / f"log-{number}").open("wb") as log,
            subprocess.Popen(
                command,
                cwd=copy,
                env=environment(work, copy, number, CHOSEN_TESTS=str(chosen)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=limits,
            ) as process,
        ):
            try:
                code = process.wait(most_s)
                # 5: it has no test after all. Everything else is a failure, of tests or imports.
                mutant.state = "survived" if code in (0, 5) else "killed"
            except subprocess.TimeoutExpired:
                mutant.state = "timed out"
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    finally:
        file.write_bytes(original)
    mutant.seconds = round(time.monotonic() - began, 1)


def known_survivors() -> set[tuple[str, str, str]]:
    """Survivors that are as they should be: file, line before, line after."""
    found, file, before = set(), "", ""
    for line in (HERE / "mutants-survivors.md").read_text("utf-8").splitlines():
        mark, _, rest = line.partition(" ")
        if mark == "##":
            file = rest.strip()
        elif mark == "-":
            before = rest.strip()
        elif mark == "+":
            found.add((file, before, rest.strip()))
    return found


def report(mutants: list[Mutant], total: int) -> float:
    """Print what came out; gives the per cent that were killed."""
    known = known_survivors()
    print(f"\n{'room':<12}{'run':>6}{'killed':>8}{'timed out':>11}{'survived':>10}{'killed %':>10}")
    rows = [(room, [one for one in mutants if one.room == room]) for room in ROOMS]
    share = 0.0
    for name, some in [*rows, ("all", mutants)]:
        if not some:
            continue
        count = {state: sum(one.state == state for one in some) for state in STATES}
        share = 100 * (len(some) - count["survived"]) / len(some)
        print(
            f"{name:<12}{len(some):>6}{count['killed']:>8}{count['timed out']:>11}"
            f"{count['survived']:>10}{share:>10.1f}"
        )
    print(f"{len(mutants)} of {total} mutants of the sample were run")
    survivors = [one for one in mutants if one.state == "survived"]
    open_ones = [one for one in survivors if (one.file, one.before, one.after) not in known]
    if survivors:
        print(f"{len(survivors) - len(open_ones)} survivors are known; the others:")
    for one in sorted(open_ones, key=lambda one: (one.file, one.line)):
        print(
            f"{PACKAGE}/{one.file}:{one.line}: {one.tests} tests\n  - {one.before}\n  + {one.after}"
        )
    return share


STATES = ("killed", "timed out", "survived")


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--room", action="append", choices=ROOMS, help="may be given several times")
    parser.add_argument(
        "--file", action="append", help="names of files; may be given several times"
    )
    parser.add_argument("--sample", type=int, default=300, help="how many mutants (300)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (1)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at the same time (2)")
    parser.add_argument("--minutes", type=float, help="stop after that; the next run goes on")
    parser.add_argument("--test-seconds", type=float, default=30, help="of tests for each (30)")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for each (120)")
    parser.add_argument("--again", action="store_true", help="run survivors anew")
    parser.add_argument(
        "--keep-record",
        action="store_true",
        help="use what was recorded before the package changed; changed tests are run whole",
    )
    parser.add_argument(
        "--least", type=float, default=0, help="exit with 1 below that per cent (0)"
    )
    parser.add_argument("--work", type=Path, default=ROOT / ".mutants", help="folder for all of it")
    options = parser.parse_args()
    ends = time.monotonic() + 60 * (options.minutes or 1e6)
    work: Path = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    (work / "shaders").mkdir(exist_ok=True)
    rooms = options.room or list(ROOMS)

    texts = {
        path.relative_to(ROOT / PACKAGE).as_posix(): path.read_text("utf-8")
        for room in rooms
        for path in sorted((ROOT / PACKAGE / room).rglob("*.py"))
        if not options.file or path.name in options.file
    }
    found = [one for file, text in texts.items() for one in places(file, text)]
    found.sort(key=lambda one: digest(options.seed, one.key))
    sample: list[tuple[Mutant, str]] = []
    for place in found:
        if len(sample) >= options.sample:
            break
        changed = change(place, texts[place.file], options.seed)
        if changed is not None:
            sample.append(changed)
    print(
        f"{len(found)} places in {len(texts)} files; a sample of {len(sample)} mutants", flush=True
    )

    results = work / "results.jsonl"
    before: dict[str, Mutant] = {}
    if results.exists():
        for line in results.read_text("utf-8").splitlines():
            one = Mutant(**json.loads(line))
            before[one.key] = one
    for mutant, _ in sample:
        old = before.get(mutant.key)
        if old is not None and not (options.again and old.state == "survived"):
            mutant.state, mutant.tests, mutant.seconds = old.state, old.tests, old.seconds
    waiting = [one for one in sample if not one[0].state]
    if waiting:
        folders = sorted({name for one, _ in waiting for name in ROOMS[one.room]})
        records = {name: Record(work, name, options.keep_record) for name in folders}
        copies: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(options.jobs):
            checkout(work, number)
            copies.put(number)

        def one_of_them(pair: tuple[Mutant, str]) -> Mutant | None:
            mutant, mutated = pair
            if time.monotonic() > ends:
                return None
            number = copies.get()
            try:
                tests = chosen_for[mutant.key]
                run(mutant, mutated, tests, work, number, options.timeout)
            finally:
                copies.put(number)
            return mutant

        chosen_for = {
            one.key: choose(one, texts[one.file], records, options.test_seconds)
            for one, _ in waiting
        }
        with (
            results.open("a", encoding="utf-8") as file,
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool,
        ):
            for done in pool.map(one_of_them, waiting):
                if done is None:
                    continue
                file.write(json.dumps(asdict(done)) + "\n")
                file.flush()
                place = f"{done.file}:{done.line}"
                print(f"{done.state:<10}{done.seconds:>7.1f} s {place}: {done.after}", flush=True)
    share = report([one for one, _ in sample if one.state], len(sample))
    if share < options.least:
        sys.exit(f"{share:.1f} % were killed, {options.least:g} % at least are wanted")


if __name__ == "__main__":
    main()
