"""The run's progress, as a sentence and a number."""

from __future__ import annotations

from dataclasses import dataclass

from synaug_ray.report.run_view import RunView


@dataclass(frozen=True)
class Progress:
    """The run's progress; ``share`` is the fraction of its trials that are done, None where unknown."""

    finished: bool
    sentence: str
    share: float | None
    missing: tuple[str, ...]  # what the page could not show, and why


EXPECTED = {
    "status.json": "progress and outcome of the run are not recorded",
    "measurements.csv": "no measurements yet, so no errors to show",
    "laws.json": "no laws fitted yet",
    "verdict.json": "no verdict yet",
    "grid.yaml": "the resolved grid is missing",
    "env.json": "the environment was not recorded",
    "samples/index.json": "no sample images",
}


def of(run: RunView) -> Progress:
    """The progress according to status.json or, without it, to the status column of the measurements."""
    expected = [f"{name}: {meaning}" for name, meaning in EXPECTED.items() if name in run.missing]
    sheets = [
        f"{name}: named in samples/index.json"
        for name in run.missing
        if name.startswith("samples/") and name not in EXPECTED
    ]
    missing = (*expected, *sheets, *run.problems)
    done, total, failed, blocked = _trials(run)
    state = str((run.status or {}).get("state", "")) or "unknown"
    counted = f"{done:,} of {total:,} trials done" if total else "no trials known yet"
    if failed or blocked:
        counted += f", {failed:,} failed" + (f", {blocked:,} blocked by a failure" if blocked else "")
        counted += _causes(run)
    if state == "running":
        sentence = f"This run is still in progress: {counted}. The numbers below will change."
    elif state in ("done", "finished with failures"):
        sentence = f"The run is {state}: {counted}."
    else:
        sentence = (
            f"The run was {state}: {counted}. The same command continues it."
            if state == "interrupted"
            else f"The outcome of the run is not recorded: {counted}."
        )
    finished = state in ("done", "finished with failures") and done + failed + blocked >= total
    return Progress(finished, sentence, done / total if total else None, missing)


def _causes(run: RunView) -> str:
    """Why trials are missing, the most frequent cause first, according to status.json."""
    causes = ((run.status or {}).get("missing") or {}).get("causes")
    if not isinstance(causes, dict) or not causes:
        return ""
    return " (" + ", ".join(f"{count} {cause}" for cause, count in causes.items()) + ")"


def _trials(run: RunView) -> tuple[int, int, int, int]:
    steps = ((run.status or {}).get("steps") or {}).get("trial")
    if steps:
        done, total, failed, blocked = (int(steps.get(k) or 0) for k in ("done", "total", "failed", "blocked"))
        return done, total, failed, blocked
    if run.measurements is not None and "status" in run.measurements:
        found = list(run.measurements["status"])
        return found.count("done"), len(found), found.count("failed"), found.count("blocked")
    return 0, 0, 0, 0
