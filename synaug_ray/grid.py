"""``python -m synaug_ray.grid NAME|FILE.yaml``: run a grid, or go on with it, and leave the answer."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from synaug_ray.common.cli import Interrupt, Parser, ended, tell
from synaug_ray.common.errors import (
    DONE,
    FAILED_CELLS,
    INTERRUPTED,
    TERMINATED,
    ClusterLost,
    Problem,
    StorageProblem,
    UsageProblem,
    collect_problems,
    did_you_mean,
    problem_within,
)
from synaug_ray.common.provenance import CODE
from synaug_ray.config.checks import image_shape, place_of_num_real
from synaug_ray.config.feature_recipes import weights_of
from synaug_ray.config.load import available, find_grid, placed_grid
from synaug_ray.config.spec import GridSpec, write_grid
from synaug_ray.config.warnings import cautions, precision_cautions
from synaug_ray.config.yaml_source import Lines, short
from synaug_ray.data.load import identify, unknown_name
from synaug_ray.plan.plan import Plan, make_plan, pending, reversed_plan
from synaug_ray.plan.steps import STAGES
from synaug_ray.runs.cost import PLURAL, costs, describe_cost, describe_total_cost, disk_bytes
from synaug_ray.runs.loggers import Loggers
from synaug_ray.runs.status import missing_trials
from synaug_ray.store.disk import free_bytes, size
from synaug_ray.store.filesystem import check_reachable
from synaug_ray.store.locations import cache_folder, check_name, storage_root
from synaug_ray.store.maintenance import check_payloads, check_records, sweep
from synaug_ray.store.retry import refusal_in
from synaug_ray.store.run_folder import SEAL, RunFolder, check_space, running
from synaug_ray.store.store import Store


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code (see ``synaug_ray.common.errors``)."""
    words = sys.argv[1:] if argv is None else argv
    interrupt = Interrupt()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)  # `ray job stop` and Kubernetes ask with it
        signal.signal(signal.SIGINT, interrupt)
    try:
        return _main(_parse(words), words)
    except Problem as problem:
        return tell(problem)
    except KeyboardInterrupt:
        print("interrupted: what was done stands; run the same command to go on", file=sys.stderr)
        return TERMINATED if interrupt.heard == signal.SIGTERM else INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m synaug_ray.grid",
        allow_abbrev=False,
        description="How many synthetic images is one more real image worth? Runs what of a grid is missing.",
        epilog="exit codes: 0 done, 2 command line or grid file, 3 data, 4 finished with failed cells, "
        "5 storage, 6 resources, 70 a bug, 75 the cluster was lost (run it again; 1 where Ray ended the "
        "process first), 130 interrupted (Ctrl-C), 143 ended by SIGTERM",
    )
    parser.add_argument("grid", nargs="?", help="a name (./grids/NAME.yaml, else one that is shipped) or a .yaml file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example draws=8 data.size=16")
    parser.add_argument("--storage", metavar="PATH|URL", help="default $SYNAUG_STORAGE, else ~/synaug_ray")
    parser.add_argument("--data", metavar="PATH", help="of downloads and decoded images; default ~/.cache/synaug_ray")
    parser.add_argument("--name", metavar="RUN", help="the run's name; default the grid's")
    parser.add_argument("--dry-run", "-n", action="store_true", help="show the plan, write and start nothing")
    parser.add_argument("--local", action="store_true", help="one step after another, without Ray")
    parser.add_argument(
        "--workers-per-generator",
        type=_count,
        default=1,
        metavar="K",
        help="train each generator in K slots at once, each with its part of every batch "
        "(data-parallel): for few and large ones",
    )
    parser.add_argument(
        "--log",
        metavar="NAMES",
        help="log finished trials to tensorboard, mlflow or wandb; several with commas between",
    )
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{short(text)} is no whole number from 1 on")
    return int(text)


def _parse(words: list[str]) -> argparse.Namespace:
    parser = _parser()
    args, unknown = parser.parse_known_intermixed_args(words)
    if unknown:
        wrong = [word.partition("=")[0] for word in unknown if word.startswith("-")] or unknown
        options = [o for action in parser._actions for o in action.option_strings if o.startswith("--")]
        raise UsageProblem(
            [
                f"no option {short(word)}{did_you_mean(word, options, '.')} Options: {', '.join(options)}; "
                "values of the grid are written key=value"
                for word in wrong
            ]
        )
    if args.local and args.workers_per_generator > 1:
        raise UsageProblem(f"--workers-per-generator {args.workers_per_generator} needs Ray: leave out --local, or it")
    if args.grid is None:
        raise UsageProblem(f"no grid is named. Available: {', '.join(available())}; or give a .yaml file")
    return args


def _main(args: argparse.Namespace, words: list[str]) -> int:
    (path, spec, lines, name), storage, cache, loggers = collect_problems(
        lambda: _declared(args),
        lambda: storage_root(args.storage),
        lambda: cache_folder(args.data),
        lambda: Loggers(args.log, args.storage or os.environ.get("SYNAUG_STORAGE", "")),
    )
    data = identify(spec.dataset, spec.data, lines.at(("dataset",)), None if args.dry_run else cache)
    plan = make_plan(spec, data)
    check_reachable(storage)
    store = Store(f"{storage}/store")
    check_records(plan, store)
    missing = pending(plan, store)
    folder = RunFolder(storage, name)
    damaged = folder.damaged()
    shape = image_shape(spec)
    _print_plan(path, folder.url, plan, missing, store, shape)
    needed = disk_bytes(missing, shape, 0) if shape else 0
    if needed:
        free = free_bytes(storage)
        print(f"{'disk':<51}about {size(needed)}{'' if free is None else f' of the {size(free)} that are free'}")
    altered = [f"{folder.url}: {', '.join(damaged)} differ from {SEAL}: made again"] if damaged else []
    for caution in cautions(spec) + precision_cautions(spec) + (altered or _other_data(folder, plan)):
        print(f"note     {caution}")
    sys.stdout.flush()
    check_space(storage, needed)
    if args.dry_run:
        return DONE
    if missing.complete and not damaged and _stands(folder, spec):
        print(f"nothing to do: every trial stands. {folder.url}/report.html")
        loggers.start(folder.url)
        _tell_loggers(loggers)
        return DONE
    if others := running(storage):
        print(
            f"note     at work here, or killed: {', '.join(others[:3])}; this run works from the other end,"
            " so that little is done twice"
        )
    command = "python -m synaug_ray.grid " + shlex.join(words)
    try:
        workers = 0 if args.local else args.workers_per_generator
        code = _run(
            workers,
            name,
            spec,
            plan,
            missing,
            store,
            folder,
            cache,
            command,
            loggers,
            bool(others),
            partial(place_of_num_real, spec, lines),
        )
    except BaseException:
        _tell_loggers(loggers, 1.0)
        raise
    _tell_loggers(loggers)
    return code


def _tell_loggers(loggers: Loggers, seconds: float | None = None) -> None:
    """End the loggers, and say what they could not: a warning, never more."""
    for sentence in loggers.stop(seconds):
        print(f"warning: {sentence}", file=sys.stderr)


def _declared(args: argparse.Namespace) -> tuple[Path, GridSpec, Lines, str]:
    """The grid's file, what it declares and where, and the run's name."""
    path = find_grid(args.grid)
    (spec, lines), name = collect_problems(
        lambda: placed_grid(path, args.overrides, unknown_name),
        lambda: check_name(path.stem, str(path)) if args.name is None else check_name(args.name),
    )
    return path, spec, lines, name


def _print_plan(
    path: Path, folder: str, plan: Plan, missing: Plan, store: Store, shape: tuple[int, int, int] | None
) -> None:
    print(f"grid     {path}\nresults  {folder}")
    table = costs(plan, missing, store, shape)
    for stage in STAGES:
        total = len(plan.steps(stage))
        print(
            f"{PLURAL[stage]:<11}{total:>8,}   {total - len(missing.steps(stage)):>8,} done or not needed   "
            f"{describe_cost(table[stage])}"
        )
    if sum(cost.steps for cost in table.values()):
        print(f"{'in all':<51}{describe_total_cost(table)}")


def _other_data(folder: RunFolder, plan: Plan) -> list[str]:
    try:
        before = json.loads(folder.read("status.json") or b"{}").get("data", plan.data.key)
    except (ValueError, AttributeError):  # half written, or not ours
        return []
    return (
        []
        if before == plan.data.key
        else [
            f"the images, or how they are read, are not those of the last run in {folder.url} "
            f"({str(before)[:12]} then, {plan.data.key[:12]} now): nothing that was made from those counts here; "
            "give another --name to keep both pages"
        ]
    )


def _stands(folder: RunFolder, spec: GridSpec) -> bool:
    """Whether the folder's views are of this very grid, complete, and made by this very code."""
    written, made = folder.read("grid.yaml"), folder.read("env.json")
    status, page = folder.read("status.json"), folder.read("report.html")
    return (
        written == write_grid(spec).encode()
        and page is not None
        and page.rstrip().endswith(b"</html>")
        and status is not None
        and b'"state": "done"' in status
        and made is not None
        and CODE.encode() in made
    )


def _run(
    workers_per_generator: int,
    name: str,
    spec: GridSpec,
    plan: Plan,
    missing: Plan,
    store: Store,
    folder: RunFolder,
    cache: Path,
    command: str,
    loggers: Loggers,
    turned: bool,
    place: Callable[[int], str],
) -> int:
    """Do what is missing.

    Args:
        workers_per_generator: slots that train a generator together; 0 is without Ray.
        turned: from the last step to the first, because others begin with the first.
        place: where the grid has a number of real images, for messages.
    """
    from synaug_ray.runs.lifecycle import Session, finish, open_run
    from synaug_ray.runs.outputs import interrupted

    session = Session(uuid.uuid4().hex[:12], command, time.time(), 1)
    if workers_per_generator and not missing.complete:  # before images are read, which can take long
        from synaug_ray.cluster.probe import refuse_unfit

        refuse_unfit(folder.storage, weights_of(spec.quality_features), workers_per_generator)
    if not store.local:
        store.check_writable()  # of a path its rights tell; before minutes of reading for a key that may only read
    run, dataset = open_run(name, spec, plan, store, folder, session, cache, place)
    loggers.start(folder.url)
    say: Callable[[str], None] = partial(print, flush=True)  # a log is read while it is written
    try:
        sweep(store, folder.root)
        check_payloads(plan, store)
        missing = reversed_plan(pending(plan, store)) if turned else pending(plan, store)
        if not missing.complete:
            if not workers_per_generator:
                from synaug_ray.engine.context import Machine, WorkerContext
                from synaug_ray.engine.local import device_here, run_local

                run = replace(run, session=replace(run.session, device=device_here()))
                run_local(missing, WorkerContext(store, dataset, Machine(run.session.device, session=session.id)), say)
            else:
                from synaug_ray.cluster.run import run_on_cluster

                run = run_on_cluster(run, missing, dataset, say, workers_per_generator)
        left = pending(plan, store)
        headline = finish(run, dataset, "done" if left.complete else "finished with failures")
    except (KeyboardInterrupt, ClusterLost):
        finish(run, dataset, "interrupted")
        raise
    except Exception as error:  # what other libraries raise may hide a refusal of the storage, of a disk or a server
        refusal = refusal_in(error, folder.url) or problem_within(error)
        if refusal is None:
            raise
        with suppress(StorageProblem):  # there may be room for this much
            interrupted(run)
        raise refusal from None
    print(headline)
    print(f"results  {folder.url}\npage     {folder.url}/report.html")
    if not left.complete:
        parts = ((left.trials, plan.trials, "trials"), (left.qualities, plan.qualities, "looks at pools"))
        lack = " and ".join(f"{len(some):,} of {len(all_):,} {what}" for some, all_, what in parts if some)
        why = ", ".join(f"{count:,} {cause}" for cause, count in missing_trials(plan, store).causes.items())
        print(
            f"{lack} are missing{f' ({why})' if why else ''}; {folder.url}/status.json says why. Run the same "
            "command to try them again",
            file=sys.stderr,
        )
        return FAILED_CELLS
    return DONE


if __name__ == "__main__":
    code = ended(main, unread=INTERRUPTED)
    if code not in (DONE, FAILED_CELLS):  # threads may still be asking Ray, which would end with a code of its own
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
