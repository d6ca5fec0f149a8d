"""What the commands have in common: a wrong command line is a Problem, and a Problem is sentences and an exit code."""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

from synaug_ray.common.errors import BUG, DONE, INTERRUPTED, Problem, UsageProblem

DEAF_SECONDS = 20.0  # after an interruption: ending takes some seconds, and people press Ctrl-C twice


class Parser(argparse.ArgumentParser):
    """Raises UsageProblem where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(f"{message}; --help shows how the command is used")


class Interrupt:
    """Asked to end. Further signals are not heard for a while: the second would cut off what the first began."""

    def __init__(self) -> None:
        self.heard: int | None = None  # the signal; Ray may make another exception of the one that is raised
        self._deaf_until = 0.0

    def __call__(self, number: int, frame: object) -> None:
        if time.monotonic() >= self._deaf_until:
            self.heard, self._deaf_until = number, time.monotonic() + DEAF_SECONDS
            raise KeyboardInterrupt


def tell(problem: Problem) -> int:
    """Print a problem's sentences on stderr; its exit code."""
    for sentence in problem.sentences:
        print(f"error: {sentence}", file=sys.stderr)
    return problem.exit_code


def ended(main: Callable[[], int], unread: int = DONE) -> int:
    """Run a command to its exit code; a traceback is for bugs, which no user can have caused.

    Args:
        unread: the exit code where nobody reads on, as behind ``| head``.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a path or a class may hold what a terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    try:
        code = main()
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # what stands in the buffer must not be tried again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return unread
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        print("error: this is a bug in synaug_ray; please report it with the lines above", file=sys.stderr)
        return BUG
