"""``python -m synaug_ray.grid NAME|FILE.yaml``: run or resume a grid, and write its results."""

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
from contextlib import suppress
from dataclasses import replace
from functools import partial

from synaug_ray.common.cli import Interrupt, print_problem, run_command
from synaug_ray.common.errors import (
    DONE,
    FAILED_CELLS,
    INTERRUPTED,
    TERMINATED,
    ClusterLost,
    Problem,
    StorageProblem,
    problem_within,
)
from synaug_ray.common.hardware import free_memory
from synaug_ray.common.provenance import CODE
from synaug_ray.config.checks import place_of_num_real
from synaug_ray.config.image_sides import image_shape
from synaug_ray.config.spec import write_grid
from synaug_ray.data.first_image import first_shape, training_images
from synaug_ray.data.load import Unsettled, settled
from synaug_ray.plan.order import early_answers_first
from synaug_ray.plan.plan import Plan, make_plan, pending, reversed_plan
from synaug_ray.plan.step import Step
from synaug_ray.runs import rounds
from synaug_ray.runs.cost import RecordedRates, disk_bytes, expected_seconds
from synaug_ray.runs.heartbeat import Heartbeat
from synaug_ray.runs.loggers import Loggers
from synaug_ray.runs.plan_summary import (
    disk_line,
    memory_problem,
    missing_results,
    only_generators_failed,
    plan_lines,
    plan_notes,
    plan_timings,
)
from synaug_ray.runs.request import Request, identified, parse, requested
from synaug_ray.runs.run import Run, RunState, Session
from synaug_ray.runs.timings import ASSUMED
from synaug_ray.store.disk import free_bytes
from synaug_ray.store.filesystem import check_reachable
from synaug_ray.store.maintenance import check_payloads, check_records, sweep
from synaug_ray.store.retry import refusal_in
from synaug_ray.store.run_folder import ENV, GRID, PAGE, STATUS, RunFolder, check_space, running, state_of
from synaug_ray.store.store import Store


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code (see ``synaug_ray.common.errors``)."""
    words = sys.argv[1:] if argv is None else argv
    interrupt = Interrupt()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)  # what `ray job stop` and Kubernetes send
        signal.signal(signal.SIGINT, interrupt)
    try:
        return _main(parse(words), words)
    except Problem as problem:
        return print_problem(problem)
    except KeyboardInterrupt:
        print("interrupted: finished steps are kept; run the same command to continue", file=sys.stderr)
        return TERMINATED if interrupt.received == signal.SIGTERM else INTERRUPTED


def _main(args: argparse.Namespace, words: list[str]) -> int:
    request = requested(args)
    looking = args.dry_run or args.plan
    storage = request.storage
    check_reachable(storage)
    folder = RunFolder(storage, request.name)
    spec = rounds.begin(request.spec, folder)
    plan = make_plan(spec, settled(identified(spec, request.lines, None if looking else request.cache), request.cache))
    session = Session(uuid.uuid4().hex[:12], "python -m synaug_ray.grid " + shlex.join(words), time.time())
    run = Run(request.name, spec, plan, Store(f"{storage}/store"), folder, session)
    check_records(plan, run.store)
    missing, damaged = pending(plan, run.store), run.folder.damaged()
    shape = image_shape(spec) or first_shape(spec.dataset, spec.data)
    say: Callable[[str], None] = partial(print, flush=True)  # so that a log can be followed
    recorded = RecordedRates(plan, run.store)
    cache = None if args.no_timing else request.cache
    timed = plan_timings(recorded, missing, shape, cache, say, training_images(spec.dataset))
    print(*plan_lines(request.path, run, missing, recorded, shape, timed), sep="\n")
    needed = disk_bytes(missing, shape or ASSUMED, 0)
    if needed:
        print(disk_line(needed, free_bytes(storage)))
    for note in (*plan_notes(run, damaged), *request.notes):
        print(f"note     {note}")
    sys.stdout.flush()
    check_space(storage, needed if shape else 0)
    if args.plan:
        from synaug_ray.runs.power_plan import Wanted, power_lines

        gain = 2.0 if args.gain is None else args.gain
        wanted = Wanted(gain / 100, 0.8 if args.power is None else args.power, args.test_images)
        for line in power_lines(run, missing, shape, timed, wanted, request.cache):
            say(line)
    if looking:
        return DONE
    if args.local and (too_large := memory_problem(missing, timed, free_memory())):
        raise too_large
    if missing.complete and not damaged and _up_to_date(run):
        from synaug_ray.runs.answer import answer_text

        print(f"nothing to do: every trial is done\n{answer_text(run.folder)}")
        request.loggers.start(run.folder.url)
        _stop_loggers(request.loggers)
        return _next_round(run, request, args, words, DONE)
    others = running(storage, plan.data.key)[:3]
    if others:
        print(
            f"note     other runs on the same images are in progress, or were killed: {', '.join(others)}; this run "
            "starts from the last step"
        )
    try:
        with Heartbeat(run.folder, session.id):
            expected = expected_seconds(recorded, shape, timed.figures)
            code = _run(run, request, missing, expected, last_first=bool(others))
    except Unsettled:
        return _main(args, words)
    except BaseException:
        _stop_loggers(request.loggers, 1.0)
        raise
    _stop_loggers(request.loggers)
    return _next_round(run, request, args, words, code)


def _next_round(run: Run, request: Request, args: argparse.Namespace, words: list[str], code: int) -> int:
    """Go on with more draws where a budget allows and they would decide something; else return ``code``."""
    if request.spec.budget is None or (code != DONE and not only_generators_failed(run)):
        return code
    decision = rounds.decide(request.spec, run.spec, run.folder)
    print(f"budget   {decision.sentence(request.spec.budget)}", flush=True)
    if decision.next_draws is not None:
        return _main(args, words)
    from synaug_ray.report import page

    page.write(run.folder.url)  # with this decision
    return code


def _stop_loggers(loggers: Loggers, seconds: float | None = None) -> None:
    """Stop the loggers, and warn about what they could not log; they never make a run fail."""
    for sentence in loggers.stop(seconds):
        print(f"warning: {sentence}", file=sys.stderr)


def _up_to_date(run: Run) -> bool:
    """Whether the run's folder is complete, and was made from this grid by this code."""
    page = run.folder.read(PAGE)
    return (
        run.folder.read(GRID) == write_grid(run.spec).encode()
        and page is not None
        and page.rstrip().endswith(b"</html>")
        and state_of(run.folder.read_json(STATUS)) is RunState.DONE
        and (run.folder.read_json(ENV) or {}).get("code") == CODE
    )


def _run(
    run: Run, request: Request, missing: Plan, expected: Callable[[Step], float | None], *, last_first: bool
) -> int:
    """Execute missing steps, write the results and print the headline; returns the exit code.

    Args:
        expected: seconds that a step should take; None where that is unknown.
        last_first: start with the last step, because another driver started with the first.
    """
    from synaug_ray.runs.answer import answer_text
    from synaug_ray.runs.lifecycle import finish, open_run
    from synaug_ray.runs.outputs import interrupted
    from synaug_ray.runs.running_views import RunningViews

    plan, store, folder, workers = run.plan, run.store, run.folder, request.workers_per_generator
    if workers and not missing.complete:  # before reading images, which can take a long time
        from synaug_ray.cluster.probe import refuse_unfit

        refuse_unfit(folder.storage, run.spec.weights(), workers)
    if not store.local:
        store.check_writable()  # a read-only key should fail before minutes of reading images; local paths were checked
    dataset = open_run(run, request.cache, partial(place_of_num_real, run.spec, request.lines))
    request.loggers.start(folder.url)
    say: Callable[[str], None] = partial(print, flush=True)  # so that a log can be followed
    try:
        sweep(store, folder.root)
        check_payloads(plan, store)
        missing = early_answers_first(pending(plan, store))
        missing = reversed_plan(missing) if last_first else missing
        if not missing.complete:
            if not workers:
                from synaug_ray.engine.context import WorkerContext
                from synaug_ray.engine.local import device_here, run_local
                from synaug_ray.engine.machine import Machine

                run = replace(run, session=replace(run.session, device=device_here()))
                machine = Machine(run.session.device, session=run.session.id)
                views = RunningViews(run, say)
                run_local(missing, WorkerContext(store, dataset, machine), say, expected, views)
            else:
                from synaug_ray.cluster.run import run_on_cluster

                run = run_on_cluster(run, missing, dataset, say, workers, expected)
        left = pending(plan, store)
        headline = finish(run, dataset, RunState.DONE if left.complete else RunState.FINISHED_WITH_FAILURES)
    except (KeyboardInterrupt, ClusterLost):
        finish(run, dataset, RunState.INTERRUPTED)
        raise
    except Exception as error:  # other libraries wrap the errors of disks and servers
        refusal = refusal_in(error, folder.url) or problem_within(error)
        if refusal is None:
            raise
        with suppress(StorageProblem):  # there may still be enough space for this
            interrupted(run)
        raise refusal from None
    print(answer_text(folder, headline))
    if not left.complete:
        print(missing_results(run, left), file=sys.stderr)
        return FAILED_CELLS
    return DONE


if __name__ == "__main__":
    code = run_command(main, unread=INTERRUPTED)
    if code not in (DONE, FAILED_CELLS):  # threads may still call Ray, which would exit with its own code
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
