"""``python -m synaug_ray.grid NAME|FILE.yaml``: run a grid, or go on with it, and leave the answer."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from synaug_ray.costs import costs, duration
from synaug_ray.data.sources import identify
from synaug_ray.errors import BUG, DONE, FAILED_CELLS, INTERRUPTED, Problem, UsageProblem, did_you_mean
from synaug_ray.grid_file import load_grid
from synaug_ray.plan import Plan, make_plan, pending
from synaug_ray.run_folder import RunFolder, check_name, storage_root
from synaug_ray.spec import GridSpec, cautions, write_grid
from synaug_ray.steps import STAGES
from synaug_ray.store import Store

SHIPPED = (Path(__file__).parent / "_grids", Path(__file__).parent.parent / "grids")


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code (see ``synaug_ray.errors``)."""
    words = sys.argv[1:] if argv is None else argv
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)  # `ray job stop` and Kubernetes ask with it
    try:
        return _main(_parser().parse_intermixed_args(words), words)
    except Problem as problem:
        for sentence in problem.sentences:
            print(f"error: {sentence}", file=sys.stderr)
        return problem.exit_code
    except KeyboardInterrupt:
        print("interrupted: what was done stands; run the same command to go on", file=sys.stderr)
        return INTERRUPTED


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m synaug_ray.grid", allow_abbrev=False,
        description="How many synthetic images is one more real image worth? Runs what of a grid is missing.",
        epilog="exit codes: 0 done, 1 a bug, 2 command line or grid file, 3 data, 4 finished with failed cells, "
               "5 storage, 6 resources, 130 interrupted",
    )
    parser.add_argument("grid", help="a name (./grids/NAME.yaml, else one that is shipped) or a .yaml file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example draws=8 data.size=16")
    parser.add_argument("--storage", metavar="PATH|URL", help="default $SYNAUG_STORAGE, else ~/synaug_ray")
    parser.add_argument("--data", metavar="PATH", help="where downloads are kept; default ~/.cache/synaug_ray")
    parser.add_argument("--name", metavar="RUN", help="the run's name; default the grid's")
    parser.add_argument("--dry-run", "-n", action="store_true", help="show the plan, write and start nothing")
    parser.add_argument("--local", action="store_true", help="one step after another, without Ray")
    return parser


def _main(args: argparse.Namespace, words: list[str]) -> int:
    path = find_grid(args.grid)
    name = check_name(args.name or path.stem)
    storage = storage_root(args.storage)
    spec = load_grid(path, args.overrides)
    data = identify(spec.dataset, spec.data, f"{path}: dataset")
    plan = make_plan(spec, data)
    store = Store(f"{storage}/store")
    missing = pending(plan, store)
    folder = RunFolder(storage, name)
    _print_plan(path, folder.url, plan, missing, store)
    for caution in cautions(spec):
        print(f"note     {caution}")
    if args.dry_run:
        return DONE
    if not missing.trials and _stands(folder, spec):
        print(f"nothing to do: every trial stands. {folder.url}/report.html")
        return DONE
    cache = Path(args.data or Path.home() / ".cache" / "synaug_ray").expanduser()
    command = "python -m synaug_ray.grid " + shlex.join(words)
    return _run(args.local, name, spec, plan, missing, store, folder, cache, command)


def find_grid(name: str) -> Path:
    """``./grids/NAME.yaml``, then the shipped grids; a path ending in .yaml is taken as it is.

    Raises:
        UsageProblem: where there is none, with the names there are.
    """
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        if not Path(name).is_file():
            raise UsageProblem(f"no grid file {name}")
        return Path(name)
    folders = (Path("grids"), *SHIPPED)
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    names = sorted({p.stem for folder in folders for p in folder.glob("*.yaml")})
    raise UsageProblem(f"no grid {name!r}{did_you_mean(name, names, '.')} Available: {', '.join(names)}; "
                       "or give a .yaml file")


def _print_plan(path: Path, folder: str, plan: Plan, missing: Plan, store: Store) -> None:
    print(f"grid     {path}\nresults  {folder}")
    table = costs(plan, missing, store)
    for stage in STAGES:
        total, cost = len(plan.steps(stage)), table[stage]
        text = f"about {duration(cost.seconds)} of one core" if cost.steps else "nothing to do"
        if cost.unknown:
            text = f"cost unknown for {cost.unknown:,}: the first of their kind" + (
                f", {duration(cost.seconds)} of one core for the others" if cost.seconds else "")
        print(f"{stage + 's':<11}{total:>8,}   {total - len(missing.steps(stage)):>8,} done or not needed   {text}")
    sys.stdout.flush()


def _stands(folder: RunFolder, spec: GridSpec) -> bool:
    """Whether the folder's views are of this very grid, and complete."""
    written = folder.read("grid.yaml")
    status = folder.read("status.json")
    return (written == write_grid(spec).encode() and folder.read("report.html") is not None
            and status is not None and b'"state": "done"' in status)


def _run(local: bool, name: str, spec: GridSpec, plan: Plan, missing: Plan, store: Store, folder: RunFolder,
         cache: Path, command: str) -> int:
    from synaug_ray.session import Session, finish, open_run

    session = Session(uuid.uuid4().hex[:12], command, time.time(), 1)
    run, dataset = open_run(name, spec, plan, store, folder, session, cache)
    say: Callable[[str], None] = print
    try:
        if missing.trials:
            if local:
                from synaug_ray.execute import Bench, Machine
                from synaug_ray.local import run_local

                run_local(missing, Bench(store, dataset, Machine(session=session.id)), say)
            else:
                from synaug_ray.cluster.run import run_on_cluster

                run = run_on_cluster(run, missing, dataset, say)
    except KeyboardInterrupt:
        finish(run, dataset, "interrupted")
        raise
    left = pending(plan, store)
    headline = finish(run, dataset, "finished with failures" if left.trials else "done")
    print(headline)
    print(f"results  {folder.url}\npage     {folder.url}/report.html")
    if left.trials:
        print(f"{len(left.trials):,} of {len(plan.trials):,} trials are missing; {folder.url}/status.json says why. "
              "Run the same command to try them again", file=sys.stderr)
        return FAILED_CELLS
    return DONE


if __name__ == "__main__":
    try:
        code = main()
    except Exception:
        import traceback

        traceback.print_exc()
        print("error: this is a bug in synaug_ray; please report it with the lines above", file=sys.stderr)
        code = BUG
    sys.exit(code)
