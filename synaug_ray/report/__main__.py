"""``python -m synaug_ray.report RUN`` rebuilds report.html from a run's folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from synaug_ray.common.cli import print_problem, run_command
from synaug_ray.common.errors import DONE, STORAGE, USAGE, Problem
from synaug_ray.report import page
from synaug_ray.report.run_view import NoRunError, as_a_run_writes_them


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, build, print the path of the page; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m synaug_ray.report", description="Rebuild report.html from a run's folder."
    )
    parser.add_argument("run", metavar="RUN", help="path or URL of a run's folder, <storage>/<run>")
    parser.add_argument("--no-images", action="store_true", help="leave out all images, for private data sets")
    options = parser.parse_args(arguments)
    try:
        with as_a_run_writes_them(options.run):
            print(page.write(options.run, images=not options.no_images))
    except Problem as problem:
        return print_problem(problem)
    except NoRunError as error:
        print(f"report: {error}", file=sys.stderr)
        return USAGE
    except OSError as error:
        print(f"report: cannot write {page.PAGE} into {options.run!r}: {error}", file=sys.stderr)
        return STORAGE
    return DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
