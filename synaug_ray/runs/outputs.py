"""What a run leaves, made from the Store: tables, laws, verdict, status and page."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd
import pyarrow as pa

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.questions.by_class import by_class
from synaug_ray.analysis.questions.contrasts import contrast_table
from synaug_ray.analysis.questions.gap import gap_table
from synaug_ray.analysis.questions.scaling_table import scaling_table
from synaug_ray.analysis.results import Analysis
from synaug_ray.analysis.trials import GENERATOR_FAILURES, judged
from synaug_ray.common.text import printable
from synaug_ray.config.spec import GridSpec, write_grid
from synaug_ray.engine.courses import spent_before
from synaug_ray.plan.plan import blocked
from synaug_ray.plan.step import Stage
from synaug_ray.report import page
from synaug_ray.runs.classes import class_names, num_classes
from synaug_ray.runs.looks import take_look
from synaug_ray.runs.planes import planes
from synaug_ray.runs.quality_table import for_the_page, qualities, shown_by_class
from synaug_ray.runs.run import Run, RunState
from synaug_ray.runs.status import missing_trials, unresolved_failures
from synaug_ray.runs.tables import csv_text, measurements, predictions
from synaug_ray.store.run_folder import (
    BY_CLASS,
    CONTRASTS,
    GAP,
    GRID,
    LAWS,
    MEASUREMENTS,
    MEASUREMENTS_CSV,
    PREDICTIONS,
    PREDICTIONS2,
    QUALITY,
    QUALITY_TABLE,
    SCALING,
    STATUS,
    TEST2_GROUPS,
    TEST_GROUPS,
    VERDICT,
    RunFolder,
)
from synaug_ray.store.store import Failure, now


def begin(run: Run) -> None:
    """Write what is known before the first step."""
    run.folder.unseal()
    run.folder.write(GRID, write_grid(run.spec))
    run.folder.write_json(STATUS, status(run, RunState.RUNNING))


def interrupted(run: Run) -> None:
    """Record the interruption at once: whoever asked the run to end may kill it within seconds (Ray after 3)."""
    run.folder.write_json(STATUS, status(run, RunState.INTERRUPTED))


def counted(run: Run) -> tuple[dict[Stage, dict[str, int]], dict[Stage, dict[str, Failure]]]:
    """Steps by stage and state (total, done, failed, blocked, pending), and the unresolved failures; from listings."""
    counts: dict[Stage, dict[str, int]] = {}
    finished: dict[Stage, set[str]] = {stage: run.store.keys(stage) for stage in run.plan.stages}
    failed = unresolved_failures(run.plan, run.store, finished)
    for stage, done in finished.items():
        steps = run.plan.steps(stage)
        missing = [s for k, s in steps.items() if k not in done and k not in failed[stage]]
        waiting = sum(blocked(s, failed) for s in missing)
        counts[stage] = {
            "total": len(steps),
            "done": len(steps.keys() & done),
            "failed": len(failed[stage]),
            "blocked": waiting,
            "pending": len(missing) - waiting,
        }
    return counts, failed


def status(run: Run, state: RunState) -> dict[str, Any]:
    """Counts, failures and times, as ``status.json`` holds them."""
    counts, failed = counted(run)
    names = run.plan.names
    failures = [
        {"stage": stage, "key": k, "cause": f.cause, "message": f.message, "attempts": f.attempts}
        for stage, found in failed.items()
        for k, f in found.items()
    ]
    spent = _spent(run)
    wall = time.time() - run.session.started
    busy = sum(spent["session_cpu"].values()) / (run.session.cores * wall)
    return {
        "run": run.name,
        "dataset": run.spec.dataset,
        "data": run.plan.data.key,
        "fingerprint": run.plan.data.fingerprint,
        **({} if run.plan.data.judge is None else {"judge": run.plan.data.judge.fingerprint}),
        **({} if run.plan.data.test2 is None else {"test2": run.plan.data.test2.fingerprint}),
        "cores": run.session.cores,
        "state": state,
        "updated": now(),
        "started": pd.Timestamp(run.session.started, unit="s", tz="UTC").isoformat(timespec="seconds"),
        "steps": counts,
        "missing": asdict(missing_trials(run.plan, run.store)),
        "failures": failures,
        "wall_seconds": wall,
        "busy_share": busy,
        "seconds": spent["seconds"],
        "cpu_seconds": spent["cpu_seconds"],
        "timeline": spent["timeline"],
        "generators": [g | {"generator": names[g["key"]]} for g in spent["generators"]],
        "command": run.session.command,
        "storage": run.folder.url.rpartition("/")[0],
    }


def _spent(run: Run) -> dict[str, Any]:
    seconds, cpu, session, generators = Counter(), Counter(), Counter(), []
    rates: dict[str, list[float]] = {}
    work: set[tuple[str, str, float, float]] = set()  # of this session: a pack's trials are one piece
    for stage in run.plan.stages:
        steps = run.plan.steps(stage)
        for key, record in run.store.records(stage, steps).items():
            before = spent_before(record.made)
            own = record.result["cpu_seconds"] - before["cpu_seconds"]
            seconds[stage] += record.result["seconds"] - before["seconds"]
            cpu[stage] += own
            if record.made.get("session") == run.session.id:
                session[stage] += own
                if (made := record.made).get("began"):
                    work.add((stage, f"{made['host']} {made['pid']}", made["began"], made["took"]))
            if stage == "generator":
                names = ("num_real", "draw", "seconds", "nimg", "applied")
                values = {k: record.result[k] for k in names if k in record.result}
                generators.append({"key": key} | values)
            elif stage == "shard":
                rates.setdefault(steps[key].parents()[0].key, []).append(
                    record.result["nimg"] / max(record.result["seconds"], 1e-9)
                )
    for g in generators:
        found = rates.get(g["key"])
        g["images_per_second_sampling"] = sum(found) / len(found) if found else None
    return {
        "seconds": dict(seconds),
        "cpu_seconds": dict(cpu),
        "session_cpu": dict(session),
        "generators": generators,
        "timeline": _timeline(work, run.session.started),
    }


def _timeline(work: set[tuple[str, str, float, float]], start: float) -> dict[str, Any]:
    """What ran in which process: [stage, row, seconds since the start, seconds it took]; rows by their start."""
    rows = list(dict.fromkeys(where for _, where, _, _ in sorted(work, key=lambda piece: piece[2])))
    return {
        "lanes": rows,
        "work": sorted([stage, rows.index(where), round(began - start, 2), took] for stage, where, began, took in work),
    }


def refresh(run: Run, state: RunState, *, replicates: int | None = None) -> Analysis | None:
    """Rebuild every view from the Store: tables, laws, verdict, status, page.

    Args:
        replicates: of the bootstrap; None means as many as the grid says. 0 is quick and gives no intervals.

    Returns:
        The analysis; None while no cell is complete enough for one.
    """
    table = measurements(run.spec, run.plan, run.store)
    predicted = predictions(run.plan, run.store)
    run.folder.write_parquet(MEASUREMENTS, table)
    run.folder.write(MEASUREMENTS_CSV, csv_text(table))
    run.folder.write_parquet(PREDICTIONS, predicted)
    second = None
    if run.spec.data.test2 is not None:
        second = predictions(run.plan, run.store, "predictions2.safetensors")
        run.folder.write_parquet(PREDICTIONS2, second)
    else:
        run.folder.remove(PREDICTIONS2)
    checks = qualities(run.plan, run.store)
    run.folder.write_parquet(QUALITY_TABLE, checks)
    run.folder.write_json(QUALITY, for_the_page(checks) | {"planes": planes(run.plan, run.store)})
    replicates = run.spec.replicates if replicates is None else replicates
    final = state is not RunState.RUNNING
    analysis = analyse_run(run, table, predicted, replicates, quality=checks, second=second, final=final)
    if analysis is not None:
        run.folder.write_json(LAWS, analysis.laws_json())
        run.folder.write_json(VERDICT, analysis.verdict_json() | _what_is_missing(run, analysis))
        _write_where_there_are(run.folder, CONTRASTS, contrast_table(analysis.contrasts))
        _write_where_there_are(run.folder, GAP, gap_table(analysis.gaps))
        _write_where_there_are(run.folder, SCALING, scaling_table(analysis.scaling))
    if state is not RunState.RUNNING:
        told = by_class(table, predicted, class_names(run.folder), run.spec.confidence, shown_by_class(checks))
        run.folder.write(BY_CLASS, csv_text(told))
    run.folder.write_json(STATUS, status(run, state))
    page.write(run.folder.url)
    return analysis


def _write_where_there_are(folder: RunFolder, name: str, rows: pd.DataFrame) -> None:
    """Write a table that some grids have; that of an earlier grid or look does not stay beside newer results."""
    if len(rows):
        folder.write(name, csv_text(rows))
    else:
        folder.remove(name)


def _what_is_missing(run: Run, analysis: Analysis) -> dict[str, Any]:
    """``missing`` (how many trials, by cause), and a first warning if there are any."""
    without = missing_trials(run.plan, run.store)
    warning = (f"{without.sentence()}. The verdicts rest on the others.",) if without.trials else ()
    return {"missing": asdict(without), "warnings": [*warning, *analysis.warnings]}


def analyse_run(
    run: Run,
    table: pd.DataFrame,
    predicted: pd.DataFrame,
    replicates: int,
    *,
    quality: pd.DataFrame | None = None,
    second: pd.DataFrame | None = None,
    final: bool = False,
) -> Analysis | None:
    """The laws of the trials done so far; None until one real-only trial is done.

    Args:
        quality: the table of quality checks.
        second: the predictions on ``data.test2``.
        final: this session's last analysis. Only that is counted as a look at the results.
    """
    done = pd.DataFrame(table[(table["status"] == "done") & table["key"].isin(predicted["key"].tolist())])
    if "real-only" not in set(done["protocol"]):
        return None
    looks = take_look(run.folder, judged(done), count=final) if replicates else ()
    failed = pd.DataFrame(table[(table["status"] == "blocked") & table["cause"].isin(GENERATOR_FAILURES)])
    return analyse(
        pd.concat([done, failed], ignore_index=True) if len(failed) else done.reset_index(drop=True),
        with_groups(predicted, run.folder),
        num_classes=num_classes(run.folder),
        delta=run.spec.delta / 100,
        relative_delta=run.spec.relative_delta,
        confidence=run.spec.confidence,
        replicates=replicates,
        looks=looks,
        quality=quality,
        second=None if second is None else (_short(run.spec), with_groups(second, run.folder, TEST2_GROUPS)),
    )


def _short(spec: GridSpec) -> str:
    """The name of ``data.test2`` in sentences: without the folders of a path."""
    kind, _, rest = (spec.data.test2 or "").partition(":")
    return (
        printable(rest.rstrip("/").rpartition("/")[2] or kind)
        if kind in ("folder", "npz", "parquet")
        else printable(spec.data.test2 or "")
    )


def write_test_groups(folder: RunFolder, groups: Sequence[int] | None, name: str = TEST_GROUPS) -> None:
    """Keep the groups (``data.group``) of the test images, in the order of predictions, for the analysis."""
    if groups is None:
        folder.remove(name)
    else:
        folder.write_parquet(name, pd.DataFrame({"group": groups}))


def with_groups(predicted: pd.DataFrame, folder: RunFolder, name: str = TEST_GROUPS) -> pd.DataFrame:
    """Predictions with the group of each test image where the run has groups; a run of an older version has none."""
    data = folder.read(name)
    if data is None or predicted.empty:
        return predicted
    groups = pd.read_parquet(pa.BufferReader(data))["group"].to_numpy()
    if len(groups) != len(predicted["label"].iloc[0]):
        return predicted
    return predicted.assign(group=[groups] * len(predicted))
