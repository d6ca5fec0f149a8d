"""``python -m synaug_ray.export RUN``: a generator's synthetic images as files that each state their origin."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from synaug_ray.common.cli import Parser, print_problem, run_command
from synaug_ray.common.errors import DONE, Message, Problem, UsageProblem
from synaug_ray.runs.exporting import FORMATS, choose, export, refuse_copies
from synaug_ray.runs.status import read_run_status
from synaug_ray.store.filesystem import refuse_remote
from synaug_ray.store.locations import cache_folder


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, write, print; returns the exit code (see ``synaug_ray.common.errors``)."""
    try:
        args = _parser().parse_args(argv)
        _check(args)
        run = read_run_status(args.run)
        if args.classifier is not None:
            from synaug_ray.runs.exporting_classifier import choose_trial, export_classifier

            trial = choose_trial(
                run,
                args.classifier,
                args.num_real,
                args.generator,
                args.draw,
                args.seed,
                args.num_synthetic,
                args.mix,
                args.protocol,
            )
            print("\n".join(export_classifier(run, trial, Path(args.out), cache_folder(args.data))))
            return DONE
        chosen = choose(run, args.generator, args.num_real, args.draw)
        refuse_copies(chosen, args.i_have_read_the_copy_check)
        print("\n".join(export(run, chosen, Path(args.out), args.format, args.num_synthetic)))
    except Problem as problem:
        return print_problem(problem)
    if not chosen.checked:
        print(
            "note     these images have not been checked for copies of real images; run the grid with quality_draws=1 "
            "or more before you share them",
            file=sys.stderr,
        )
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m synaug_ray.export",
        allow_abbrev=False,
        description="Write the synthetic images of one generator, and the generator with its card, or one classifier, "
        "to a folder. Every file of images states that they are synthetic, by which generator, and from which data.",
        epilog="exit codes: 0 written, 2 command line, 3 near-copies found, or another classifier, 5 storage",
    )
    parser.add_argument("run", metavar="RUN", help="path or URL of a run's folder, <storage>/<run>")
    parser.add_argument("--generator", metavar="G", help="its name in the grid")
    parser.add_argument("--num-real", metavar="N", type=_number, required=True, help="real images of the cells")
    parser.add_argument("--draw", metavar="D", type=_number, default=0, help="which draw of the real images; default 0")
    parser.add_argument("--num-synthetic", metavar="S", type=_count, help="how many images; default all")
    parser.add_argument("--out", metavar="FOLDER", required=True, help="an empty or new folder")
    parser.add_argument("--format", choices=FORMATS, default="folder", help="folder: images/<class>/ (default)")
    parser.add_argument(
        "--classifier",
        metavar="C",
        help="write this classifier instead of images, trained again and compared with its recorded predictions: on "
        "real images alone, or with those of --generator",
    )
    parser.add_argument("--seed", metavar="K", type=_number, default=0, help="of the classifier; default 0")
    parser.add_argument(
        "--mix", metavar="SHARE", help="the classifier's real share, if there are several; as in tables"
    )
    parser.add_argument("--protocol", metavar="P", help="the classifier's protocol, if there are several; as in tables")
    parser.add_argument("--data", metavar="PATH", help="for decoded images; default ~/.cache/synaug_ray")
    parser.add_argument(
        "--i-have-read-the-copy-check",
        action="store_true",
        help="export even if near-copies of real images were found",
    )
    return parser


def _check(args: argparse.Namespace) -> None:
    refuse_remote(args.out, "--out")
    if args.generator is None and args.classifier is None:
        raise UsageProblem(
            Message("name what to export: --generator G (its images) or --classifier C", code="nothing-to-export")
        )


def _number(text: str) -> int:
    digits = text.replace(",", "")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer >= 0")
    return int(digits)


def _count(text: str) -> int:
    value = _number(text)
    if not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer >= 1")
    return value


if __name__ == "__main__":
    sys.exit(run_command(main))
