"""``python -m synaug_ray.status RUN``: the status of a run, from any terminal, during the run or after it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from synaug_ray.common.cli import print_problem, run_command
from synaug_ray.common.errors import DONE, Problem
from synaug_ray.runs.status import overview, read_run_status, why


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, read, print; returns the exit code (see ``synaug_ray.common.errors``)."""
    parser = argparse.ArgumentParser(
        prog="python -m synaug_ray.status",
        allow_abbrev=False,
        description="Shows what of a run is done, failed, blocked and left. Reads only the storage; needs no cluster.",
        epilog="exit codes: 0 printed, 2 command line, 5 storage",
    )
    parser.add_argument("run", metavar="RUN", help="path or URL of a run's folder, <storage>/<run>")
    parser.add_argument("--why", metavar="KEY", help="why a step is done or not, by its key or the key's first digits")
    args = parser.parse_args(argv)
    try:
        run = read_run_status(args.run)
        lines = overview(run) if args.why is None else why(run, args.why)
    except Problem as problem:
        return print_problem(problem)
    print("\n".join(lines))
    return DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
