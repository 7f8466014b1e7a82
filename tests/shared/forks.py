"""Processes that kill themselves, without an interpreter's start for each of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from typing import IO

SERVER = """
import json, os, sys, traceback

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            child(*json.loads(line))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Forks(AbstractContextManager["Forks"]):
    """One process that forks a child for each call.

    The children start from what it has imported, so that a thousandth of a second starts one, where
    an interpreter with the package takes half of one. It has a single thread, which makes it safe.

    Args:
        code: Imports, and a function `child`, which each child calls.
        limit_s: Seconds that one child may take.
    """

    def __init__(self, code: str, limit_s: float = 60.0) -> None:
        # Coverage that is killed while it writes would leave half a file.
        environment = {name: value for name, value in os.environ.items() if "COV" not in name}
        self._limit_s = limit_s
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"{code}\n{SERVER}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, *arguments: object) -> int:
        """Call `child` in a process of its own; gives the exit code, negative for a signal.

        Standard error of the child is that of the test.
        """
        limit = threading.Timer(self._limit_s, self._process.kill)
        limit.start()
        try:
            print(
                json.dumps([*map(_plain, arguments)]), file=_pipe(self._process.stdin), flush=True
            )
            answer = _pipe(self._process.stdout).readline()
        finally:
            limit.cancel()
        assert answer, "the process that forks has ended, or its child took too long"
        return int(answer)

    def __exit__(self, *_: object) -> None:
        """End the process."""
        _pipe(self._process.stdin).close()
        _pipe(self._process.stdout).close()
        self._process.wait(self._limit_s)


def _plain(argument: object) -> object:
    return argument if isinstance(argument, int) else str(argument)


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
