"""Shared by the commands: argument errors as Problems, interrupts, and exit codes."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

from synaug_ray.common.errors import BUG, DONE, INTERRUPTED, STORAGE, Problem, UsageProblem
from synaug_ray.common.process_environment import check_working_directory, ensure_user_name
from synaug_ray.common.streams import replace_streams

IGNORED_SECONDS = 20.0  # after an interrupt: shutting down takes seconds, and people press Ctrl-C twice


class Parser(argparse.ArgumentParser):
    """Raises UsageProblem where argparse would print the usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(f"{message}; --help shows how the command is used")


class Interrupt:
    """Signal handler that ignores further signals for a while, so that a second one does not cut the shutdown short."""

    def __init__(self) -> None:
        self.received: int | None = None  # the signal's number; Ray may replace the exception that is raised
        self._ignored_until = 0.0

    def __call__(self, number: int, frame: object) -> None:
        if time.monotonic() >= self._ignored_until:
            self.received, self._ignored_until = number, time.monotonic() + IGNORED_SECONDS
            raise KeyboardInterrupt


def print_problem(problem: Problem) -> int:
    """Print a problem's messages on stderr; returns its exit code."""
    for sentence in problem.sentences:
        print(f"error: {sentence}", file=sys.stderr)
    return problem.exit_code


def run_command(main: Callable[[], int], unread: int = DONE) -> int:
    """Run a command and return its exit code; only bugs show a traceback.

    Args:
        unread: the exit code if the reader of stdout has gone, as with ``| head``.
    """
    output = replace_streams()
    try:
        code = _code_of(main)
        sys.stdout.flush()
        if output is None or not output.refused:
            return code
        print(
            f"error: cannot write to standard output ({output.refused}); everything else was done. Redirect it to "
            "another file, or to /dev/null",
            file=sys.stderr,
        )
        return code or STORAGE
    except BrokenPipeError:  # Python would flush the buffer again at exit, and fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return unread
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        print("error: this is a bug in synaug_ray; please report it with the lines above", file=sys.stderr)
        return BUG


def _code_of(main: Callable[[], int]) -> int:
    try:
        check_working_directory()
        ensure_user_name()
    except Problem as problem:
        return print_problem(problem)
    try:
        return main()
    except SystemExit as exit:  # argparse's, after --help
        return exit.code if isinstance(exit.code, int) else DONE
