"""Registers benchmarks, times candidates side by side, and prints rows with targets.

A benchmark is a generator of rows::

    @benchmark("ron_speed")
    def ron_speed(options: Options) -> Iterator[Row]:
        '''One sentence that `--list` shows.'''
        times = race({"ours": ours, "theirs": theirs}, options)
        yield Row("loads, 1 kB", times["ours"].median_us, "µs", ...)

Put it in a module of this package; `discover` imports them all.
"""

from __future__ import annotations

import gc
import importlib
import pkgutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = [
    "REGISTRY",
    "Benchmark",
    "Options",
    "Row",
    "Target",
    "Times",
    "benchmark",
    "discover",
    "format_table",
    "race",
    "ratio_of",
]


@dataclass(frozen=True, slots=True)
class Options:
    """Length of the measurements.

    Attributes:
        rounds: The number of turns of each candidate.
        round_s: The processor time of a turn, in seconds.
        scale: The factor for the sizes of generated files; below 1 only to try the benchmarks out.
        thorough: Whether flights have their full length and several rounds: all benchmarks then
            take 20 minutes, otherwise less than 10.
    """

    rounds: int = 15
    round_s: float = 0.1
    scale: float = 1.0
    thorough: bool = False


QUICK: Final = Options(rounds=2, round_s=0.002, scale=0.05)


@dataclass(frozen=True, slots=True)
class Target:
    """Target of a row: ``at least 2 × the baseline``, ``at most 25``.

    Attributes:
        sense: Whether larger or smaller figures are better.
        limit: The figure to reach.
        of: Whether the limit applies to the row's value, or to its ratio to the baseline.
    """

    sense: Literal["at least", "at most"]
    limit: float
    of: Literal["value", "ratio"] = "value"

    def met(self, row: Row) -> bool:
        """Whether a row reaches the target."""
        figure = row.value if self.of == "value" else row.ratio
        if figure is None:
            return False
        return figure >= self.limit if self.sense == "at least" else figure <= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        figure: The name of the measured figure.
        value: The result of this project.
        unit: The unit of value and baseline.
        baseline: The result of the baseline, or None without one.
        baseline_name: The name of the baseline.
        ratio: How many times better the value is than the baseline; None without a baseline.
        target: The target, or None for a row that only informs.
        note: A remark for the reader.
    """

    figure: str
    value: float
    unit: str
    baseline: float | None = None
    baseline_name: str = ""
    ratio: float | None = None
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target."""
        return None if self.target is None else self.target.met(self)


Benchmark: TypeAlias = Callable[[Options], Iterator[Row]]

REGISTRY: Final[dict[str, Benchmark]] = {}


def benchmark(name: str) -> Callable[[Benchmark], Benchmark]:
    """Registers a benchmark under a name for the command line."""

    def register(function: Benchmark) -> Benchmark:
        if name in REGISTRY:
            raise ValueError(f"there are two benchmarks called {name!r}")
        REGISTRY[name] = function
        return function

    return register


def discover() -> Mapping[str, Benchmark]:
    """Imports all modules of this package, so that their benchmarks are registered."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"{__package__}.{module.name}")
    return REGISTRY


@dataclass(frozen=True, slots=True)
class Times:
    """The processor time of one call in each round, in seconds."""

    seconds: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """The median of the rounds, in seconds."""
        return statistics.median(self.seconds)

    @property
    def min_s(self) -> float:
        """The fastest round, in seconds."""
        return min(self.seconds)


def race(candidates: Mapping[str, Callable[[], object]], options: Options) -> dict[str, Times]:
    """Times the candidates in turns, so that a slow phase of the machine affects all of them.

    The clock is `time.process_time`, which does not count other processes. The garbage collector is
    on, as in a game, and runs once before each turn. Each candidate runs once before measuring.
    """
    if not gc.isenabled():
        raise RuntimeError("benchmarks measure with the garbage collector on")
    calls = {name: _calls_for(function, options.round_s) for name, function in candidates.items()}
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(options.rounds):
        for name, function in candidates.items():
            gc.collect()
            seconds[name].append(_time(function, calls[name]) / calls[name])
    return {name: Times(tuple(values)) for name, values in seconds.items()}


def ratio_of(baseline: Times, ours: Times) -> float:
    """Returns how many times faster this project is: the median of the ratios of all rounds."""
    pairs = zip(baseline.seconds, ours.seconds, strict=True)
    return statistics.median(theirs / mine for theirs, mine in pairs)


def _calls_for(function: Callable[[], object], round_s: float) -> int:
    """Returns the number of calls that fill a round; its calls are the warm-up."""
    calls = 1
    while (taken := _time(function, calls)) < round_s / 4:
        calls *= 2
    return max(1, round(calls * round_s / taken))


def _time(function: Callable[[], object], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        function()
    # The clock may be coarse (16 ms on Windows), and a ratio must not divide by zero.
    return max(time.process_time() - start, 1e-9)


_HEADINGS: Final = ("figure", "ours", "baseline", "ratio", "target", "met")


def format_table(rows: list[Row]) -> str:
    """Formats rows as an aligned text table, with notes below."""
    table = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines += [f"{row.figure}: {row.note}" for row in rows if row.note]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    baseline = "–"
    if row.baseline is not None:
        baseline = f"{_number(row.baseline)} {row.unit} ({row.baseline_name})"
    target = "–"
    if row.target is not None:
        unit = "×" if row.target.of == "ratio" else f" {row.unit}"
        target = f"{'≥' if row.target.sense == 'at least' else '≤'} {row.target.limit:g}{unit}"
    return (
        row.figure,
        f"{_number(row.value)} {row.unit}",
        baseline,
        "–" if row.ratio is None else f"{row.ratio:.2f}×",
        target,
        {None: "–", True: "yes", False: "NO"}[row.met],
    )


def _number(value: float) -> str:
    """Formats a number with three significant digits, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
