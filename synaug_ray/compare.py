"""``python -m synaug_ray.compare RUN RUN ...``: several runs on one page and as one table, and their mean."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from synaug_ray.analysis.comparison.comparison import compare
from synaug_ray.analysis.comparison.comparison_results import Comparison, Row, RunFiles
from synaug_ray.analysis.comparison.comparison_table import mean_table, study_table
from synaug_ray.analysis.study_key import STUDY
from synaug_ray.common.cli import Parser, print_problem, run_command
from synaug_ray.common.errors import (
    DONE,
    FAILED_CELLS,
    Message,
    Problem,
    UsageProblem,
    collect_problems,
    did_you_mean,
)
from synaug_ray.common.text import first_few, some
from synaug_ray.report import comparison as page
from synaug_ray.report import text
from synaug_ray.report.run_view import DamagedRunProblem, NoRunError, RunView, as_a_run_writes_them
from synaug_ray.report.sections.comparison_words import headline, warnings
from synaug_ray.runs.small_copy import write_small_copy
from synaug_ray.runs.tables import csv_text
from synaug_ray.store.filesystem import join, local_path
from synaug_ray.store.listing import runs_in
from synaug_ray.store.locations import check_name
from synaug_ray.store.run_folder import AUDIT, GRID, LAWS, PREDICTIONS, QUALITY, STATUS, VERDICT, RunFolder

PAGE, STUDIES, MEANS, OVERVIEW = "comparison.html", "comparison.csv", "means.csv", "comparison.md"
NEEDED = (LAWS, VERDICT, STATUS, AUDIT, QUALITY)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, compare, write; returns the exit code (see ``synaug_ray.common.errors``)."""
    try:
        args = _parser().parse_args(argv)
        num_real, multiple, views, _ = collect_problems(
            lambda: _number("--real", args.real, 1, whole=True),
            lambda: _number("--multiple", args.multiple, 0, whole=False),
            lambda: _read(args.runs),
            lambda: _check_folders(args),
        )
        runs = collect_problems(*(lambda view=view, name=name: _files(view, name) for view, name in _named(views)))
        found = compare(runs, num_real=num_real and int(num_real), multiple=multiple, only=_only(args, runs))
        kept = [] if args.keep is None else _keep(args.keep, _named(views))
        folder = RunFolder.at(args.out)
        written = [
            folder.write(PAGE, page.render(found)),
            folder.write(STUDIES, csv_text(study_table(found))),
            folder.write(MEANS, csv_text(mean_table(found))),
            folder.write(OVERVIEW, page.markdown(found)),
        ]
    except Problem as problem:
        return print_problem(problem)
    print("\n".join([headline(found), *_lines(found), *(f"note     {said}" for said in warnings(found))]))
    print("\n".join([*(f"wrote    {path}" for path in written), *(f"kept     {url}" for url in kept)]))
    return DONE if any(row.why is None for row in found.rows) else FAILED_CELLS


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m synaug_ray.compare",
        allow_abbrev=False,
        description="Compare finished runs: gains, worth and exchange rates beside each other, their mean over data "
        "sets, and what to expect of a new one. Writes a page and tables; trains nothing.",
        epilog="exit codes: 0 written, 2 command line, 4 written, but no run has any number, 5 storage",
    )
    parser.add_argument(
        "runs", metavar="RUN", nargs="+", help="path or URL of a run's folder, <storage>/<run>, or of its small copy"
    )
    parser.add_argument("--real", metavar="N", help="compare at the measured sizes nearest to N; default the largest")
    parser.add_argument(
        "--multiple", metavar="M", help="synthetic images per real one; default the largest that most runs have"
    )
    for name in STUDY:
        parser.add_argument("--" + name.replace("_", "-"), metavar="NAME", help="only studies of this one")
    parser.add_argument("--out", metavar="FOLDER", default="comparison", help="default ./comparison")
    parser.add_argument(
        "--keep", metavar="FOLDER", help="also write a small copy of each run there, without predictions and paths"
    )
    return parser


def _number(name: str, given: str | None, above: float, *, whole: bool) -> float | None:
    if given is None:
        return None
    try:
        value = float((given if whole else given.rstrip("x×")).replace(",", ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (value < above if whole else value <= above) or (whole and value != int(value)):
        allowed = f"an integer >= {above:g}" if whole else f"a number above {above:g}"
        raise UsageProblem(Message(f"{name} must be {allowed}, got {given!r}", code="not-a-number", value=given))
    return value


def _check_folders(args: argparse.Namespace) -> None:
    """Refuse blank folders, which are what a shell makes of an unset variable."""
    for name, given in (("--out", args.out), ("--keep", args.keep)):
        if given is not None and not given.strip():
            raise UsageProblem(Message(f"{name} is empty; give a folder, or leave it out", code="no-folder"))


def _read(urls: Sequence[str]) -> list[RunView]:
    """All runs.

    Raises:
        Problem: with every path that is no run, or whose files cannot be read.
    """
    named: dict[str, list[str]] = {}
    for url in urls:
        named.setdefault(_place(url), []).append(url)
    return collect_problems(*(partial(_read_one, same) for same in named.values()))


def _place(url: str) -> str:
    """Where a run lies, however its path is written."""
    path = local_path(url)
    return url.rstrip("/") if path is None else os.path.realpath(os.path.expanduser(path))


def _read_one(names: Sequence[str]) -> RunView:
    url = names[0]
    if len(names) > 1:
        written = "" if len(set(names)) == 1 else f" ({some(map(repr, names))})"
        raise UsageProblem(
            Message(f"{url!r} is named {len(names)} times{written}; name each run once", code="run-twice", value=url)
        )
    try:
        view = page.read(url)
    except NoRunError as error:
        inside = runs_in(url)
        hint = f". It is a storage: name its runs ({first_few(inside, 5)})" if inside else ""
        raise UsageProblem(Message(f"{error}{hint}", code="no-run", value=url)) from error
    broken = [said for said in view.problems if said.startswith(NEEDED)]
    if broken:
        raise DamagedRunProblem(
            [Message(f"{said}; run the grid's command again, which rebuilds it", place=url) for said in broken]
        )
    return view


def _named(views: Sequence[RunView]) -> list[tuple[RunView, str]]:
    """Each run with a name that no other has: its own, with its folders where two are alike."""
    names = [view.name for view in views]
    for parts in (2, 3, 4):
        if len(set(names)) == len(names):
            break
        longer = ["/".join(PurePosixPath(v.location.rstrip("/")).parts[-parts:]) for v in views]
        names = [long if names.count(name) > 1 else name for name, long in zip(names, longer, strict=True)]
    else:
        names = [view.location if names.count(name) > 1 else name for view, name in zip(views, names, strict=True)]
    return list(zip(views, names, strict=True))


def _files(view: RunView, name: str) -> RunFiles:
    """What is compared of a run.

    Raises:
        DamagedRunProblem: if its files are valid JSON, but not what a run writes.
    """
    with as_a_run_writes_them(view.location):
        files = page.files_of(view, name)
        compare([files])
    return files


def _only(args: argparse.Namespace, runs: Sequence[RunFiles]) -> dict[str, str]:
    """The fields that rows must have.

    Raises:
        UsageProblem: with every value that no run has.
    """
    asked = {name: getattr(args, name) for name in STUDY if getattr(args, name) is not None}
    studies: list[dict[str, Any]] = [study for run in runs for study in (run.laws or {}).get("studies") or ()]
    wrong = []
    for name, value in asked.items():
        known = sorted({str(study[name]) for study in studies})
        if value not in known:
            flag = "--" + name.replace("_", "-")
            have = f"they have {some(known)}" if known else "none has any study yet"
            wrong.append(
                Message(
                    f"{flag} {value!r} is in none of the runs; {have}{did_you_mean(value, known)}",
                    code="no-such-study",
                    value=value,
                )
            )
    if wrong:
        raise UsageProblem(wrong)
    return asked


def _keep(folder: str, named: Sequence[tuple[RunView, str]]) -> list[str]:
    """Write small copies; returns their folders.

    Raises:
        UsageProblem: before anything is written, with every folder that is a run itself: it would lose its laws.
    """
    names = [check_name(name.replace("/", "-"), "--keep") for _, name in named]
    copies = [RunFolder.at(join(folder, name)) for name in names]
    runs = [copy.url for copy in copies if any(copy.read(name) is not None for name in (GRID, PREDICTIONS))]
    if runs:
        raise UsageProblem(
            [
                Message(
                    f"--keep: {url} is a run, which a small copy would replace; name another folder",
                    code="keep-over-run",
                    value=url,
                )
                for url in runs
            ]
        )
    for (view, _), name, copy in zip(named, names, copies, strict=True):
        write_small_copy(view, copy, name)
    return [copy.url for copy in copies]


def _lines(found: Comparison) -> list[str]:
    return [_line(row) for row in found.rows]


def _line(row: Row) -> str:
    protocol = "" if row.protocol == "mixed" else row.protocol
    what = ", ".join(
        part for part in (row.generator, row.classifier, protocol, text.real_share(row.real_share)) if part
    )
    if row.why:
        return f"{row.run}{': ' + what if row.generator else ''}: not estimable ({row.why.why})"
    gain = {"value": row.gain.value, "low": row.gain.low, "high": row.gain.high}
    points = text.with_interval(gain, text.points)
    return f"{row.run}: {what}, {row.num_real:,} real, {row.multiple:g}x: {row.outcome}, gain {points} points"


if __name__ == "__main__":
    sys.exit(run_command(main))
