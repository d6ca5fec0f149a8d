"""What the commands have in common: a wrong command line is a Problem, and a Problem is sentences and an exit code."""

from __future__ import annotations

import argparse
import sys
import traceback
from typing import NoReturn

from synaug_ray.errors import BUG, Problem, UsageProblem


class Parser(argparse.ArgumentParser):
    """Raises UsageProblem where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(f"{message}; --help shows how the command is used")


def tell(problem: Problem) -> int:
    """Print a problem's sentences on stderr; its exit code."""
    for sentence in problem.sentences:
        print(f"error: {sentence}", file=sys.stderr)
    return problem.exit_code


def bug() -> int:
    """Print the exception that is being handled, which no user can have caused; its exit code."""
    traceback.print_exc()
    print("error: this is a bug in synaug_ray; please report it with the lines above", file=sys.stderr)
    return BUG
