"""The command line of ``synaug_ray.grid``: parsed, and all that it names found and checked, before anything is read."""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

from synaug_ray.common.cli import Parser
from synaug_ray.common.errors import Message, UsageProblem, collect_problems, did_you_mean
from synaug_ray.config.load import available, find_grid, placed_grid
from synaug_ray.config.spec import GridSpec
from synaug_ray.config.yaml_source import Lines, short
from synaug_ray.data.identify import identify, identify_judge, identify_test2, unknown_name
from synaug_ray.plan.subset import DataIdentity
from synaug_ray.runs.loggers import Loggers
from synaug_ray.store.locations import cache_folder, check_name, old_default_note, storage_root


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m synaug_ray.grid",
        allow_abbrev=False,
        description="How many synthetic images is one more real image worth? Runs the missing steps of a grid.",
        epilog="exit codes: 0 done, 2 command line or grid file, 3 data, 4 finished with failed cells, "
        "5 storage, 6 resources, 70 a bug, 75 the cluster was lost (run it again; 1 where Ray ended the "
        "process first), 130 interrupted (Ctrl-C), 143 ended by SIGTERM",
    )
    parser.add_argument("grid", nargs="?", help="a name (./grids/NAME.yaml, else a built-in grid) or a .yaml file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example draws=8 data.size=16")
    parser.add_argument("--storage", metavar="PATH|URL", help="default $SYNAUG_STORAGE, else ~/.local/share/synaug_ray")
    parser.add_argument("--data", metavar="PATH", help="for downloads and decoded images; default ~/.cache/synaug_ray")
    parser.add_argument(
        "--budget",
        metavar="TIME",
        help="as 90min, 2h, 1.5d of one core or GPU: add draws while something is undecided and can be decided in it",
    )
    parser.add_argument("--name", metavar="RUN", help="the run's name; default the grid's")
    parser.add_argument("--dry-run", "-n", action="store_true", help="show the plan and its cost; no result is written")
    parser.add_argument(
        "--plan",
        action="store_true",
        help="as --dry-run, and what showing a gain takes: draws, seeds, test images, and their cost; simulated",
    )
    parser.add_argument(
        "--gain",
        type=_points,
        metavar="POINTS",
        help="with --plan: the gain to show, in points of test error; default 2",
    )
    parser.add_argument(
        "--power", type=_power, metavar="P", help="with --plan: how often it is to be shown; default 0.8"
    )
    parser.add_argument(
        "--test-images", type=_count, metavar="N", help="with --plan: how many there will be; default those of the data"
    )
    parser.add_argument(
        "--no-timing",
        action="store_true",
        help="do not time a few training steps (about 20 seconds) to estimate the cost",
    )
    parser.add_argument("--local", action="store_true", help="one step after another, without Ray")
    parser.add_argument(
        "--workers-per-generator",
        type=_count,
        default=1,
        metavar="K",
        help="train each generator data-parallel on K slots: for few, large generators",
    )
    parser.add_argument(
        "--log",
        metavar="NAMES",
        help="log finished trials to tensorboard, mlflow, wandb, or several of them, separated by commas",
    )
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{short(text)} must be an integer from 1 to 1,000,000")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _points(text: str) -> float:
    points = _number(text.removesuffix("%"))
    if not 0.01 <= points <= 50:
        raise argparse.ArgumentTypeError(
            f"{short(text)} must be a number of points of test error from 0.01 to 50, as 2"
        )
    return points


def _power(text: str) -> float:
    share = _number(text)
    if not 0.5 <= share <= 0.99:
        raise argparse.ArgumentTypeError(f"{short(text)} must be a share of runs from 0.5 to 0.99, as 0.8")
    return share


def parse(words: list[str]) -> argparse.Namespace:
    """The options and words of the command line; raises UsageProblem with all that it does not know."""
    parser = _parser()
    args, unknown = parser.parse_known_intermixed_args(words)
    if unknown:
        wrong = [word.partition("=")[0] for word in unknown if word.startswith("-")] or unknown
        options = [o for action in parser._actions for o in action.option_strings if o.startswith("--")]
        raise UsageProblem(
            [
                Message(
                    f"no option {short(word)}{did_you_mean(word, options, '.')} Options: {', '.join(options)}; "
                    "grid values are written key=value",
                    code="unknown-option",
                    value=short(word),
                )
                for word in wrong
            ]
        )
    if args.local and args.workers_per_generator > 1:
        raise UsageProblem(
            f"--workers-per-generator {args.workers_per_generator} needs Ray: leave out --local, or this option",
            code="needs-ray",
        )
    alone = [
        f"--{name.replace('_', '-')}" for name in ("gain", "power", "test_images") if getattr(args, name) is not None
    ]
    if alone and not args.plan:
        raise UsageProblem(
            [
                Message(
                    f"{option} says what --plan plans for; add --plan, or remove it", code="without-plan", value=option
                )
                for option in alone
            ]
        )
    if args.grid is None:
        text = f"no grid given. Available: {', '.join(available())}; or give a .yaml file"
        raise UsageProblem(Message(text, code="no-grid"))
    return args


@dataclass(frozen=True)
class Request:
    """The parsed command line."""

    path: Path  # of the grid's file
    spec: GridSpec
    lines: Lines  # position of each value in the file
    name: str
    storage: str
    cache: Path
    loggers: Loggers
    workers_per_generator: int  # 0: without Ray
    notes: tuple[str, ...]  # on where things are kept


def requested(args: argparse.Namespace) -> Request:
    """The request; raises one Problem with everything that is wrong."""
    (path, spec, lines, name), storage, cache, loggers = collect_problems(
        lambda: _declared(args),
        lambda: storage_root(args.storage),
        lambda: cache_folder(args.data),
        lambda: Loggers(args.log, args.storage or os.environ.get("SYNAUG_STORAGE", "")),
    )
    return Request(
        path=path,
        spec=spec,
        lines=lines,
        name=name,
        storage=storage,
        cache=cache,
        loggers=loggers,
        workers_per_generator=0 if args.local else args.workers_per_generator,
        notes=old_default_note(storage),
    )


def identified(spec: GridSpec, lines: Lines, cache: Path | None = None) -> DataIdentity:
    """The identity of a grid's images, ``data.judge`` and ``data.test2``; raises as ``identify`` does, for all."""
    data, judge, test2 = collect_problems(
        lambda: identify(spec.dataset, spec.data, lines.at(("dataset",)), cache),
        lambda: identify_judge(spec.data, lines.at(("data", "judge")), cache),
        lambda: identify_test2(spec.dataset, spec.data, lines.at(("data", "test2")), cache),
    )
    if test2 is not None and test2.fingerprint == data.fingerprint:
        text = (
            f"{short(test2.source)} has the images of the data set itself, which are tested anyway; name images of "
            "another origin, or remove it"
        )
        raise UsageProblem(Message(text, lines.at(("data", "test2")), "test2-is-the-data-set", short(test2.source)))
    return replace(data, judge=judge, test2=test2)


def _default_name(path: Path, given: str) -> str:
    """Of a run: that of its grid, with the folder in it: ``atlas/digits`` is another run than ``digits``."""
    return path.stem if given.endswith(path.suffix) else given.replace("/", "-")


def _declared(args: argparse.Namespace) -> tuple[Path, GridSpec, Lines, str]:
    """The grid's file, its spec, its lines, and the run's name."""
    path = find_grid(args.grid)
    overrides = args.overrides if args.budget is None else [*args.overrides, f"budget={args.budget}"]
    (spec, lines), name = collect_problems(
        lambda: placed_grid(path, overrides, unknown_name),
        lambda: check_name(_default_name(path, args.grid), str(path)) if args.name is None else check_name(args.name),
    )
    return path, spec, lines, name
