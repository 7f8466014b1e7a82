"""``python -m benchmarks [name ...]`` runs benchmarks, and prints their figures and targets."""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .harness import QUICK, Options, Row, discover, format_table


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns the exit status, 1 if a target is missed."""
    registry = discover()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="which to run (default: all)")
    parser.add_argument("--list", action="store_true", help="show what there is, and run nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there, too")
    parser.add_argument(
        "--quick", action="store_true", help="try them out; the figures mean nothing"
    )
    parser.add_argument(
        "--thorough", action="store_true", help="flights of full length, several rounds: 20 minutes"
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in registry]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(sorted(registry))}")
    if options.list:
        for name, function in sorted(registry.items()):
            print(f"{name:16} {(function.__doc__ or '').splitlines()[0]}")
        return 0
    rows: list[Row] = []
    if options.json is not None:
        try:  # now, not after ten minutes
            _write(options.json, rows)
        except OSError as error:
            parser.error(f"--json: {error}")
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}")
    print("processor time; median of interleaved rounds; garbage collector on\n")
    for name in options.names or sorted(registry):
        print(f"{name} ...", end="", flush=True, file=sys.stderr)
        began = time.perf_counter()
        rows += registry[name](QUICK if options.quick else Options(thorough=options.thorough))
        print(f" {time.perf_counter() - began:.0f} s", file=sys.stderr)
        if options.json is not None:  # a later one may fail
            _write(options.json, rows)
    print(format_table(rows))
    return 1 if any(row.met is False for row in rows) and not options.quick else 0


def _write(path: Path, rows: Sequence[Row]) -> None:
    content = [dataclasses.asdict(row) | {"met": row.met} for row in rows]
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
