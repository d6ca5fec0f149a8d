"""Before a run: set damaged Records aside, and remove the leftovers of killed processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from synaug_ray.plan.plan import Plan
from synaug_ray.plan.step import STAGES
from synaug_ray.store.store import CorruptPayload, MissingRecord, Record, Store

DAY = 86_400.0  # seconds; older files are no longer being written: a write takes seconds, a commit minutes


def check_records(plan: Plan, store: Store) -> None:
    """Read the Records of a plan's finished steps, and set damaged ones aside.

    On local disks only: remote storage verifies its own files, and would take tens of milliseconds per Record.
    """
    for stage in STAGES if store.local else ():
        store.records(stage, plan.steps(stage))


def check_payloads(plan: Plan, store: Store) -> None:
    """Do the same for the payloads of trials and quality checks, from which the result tables are built.

    Pools and generators are much larger; each is verified when it is used.
    """

    def check(record: Record) -> None:
        with suppress(CorruptPayload):
            for name in record.files:
                store.read(record, name)

    for stage in ("quality", "trial"):
        store.map(check, store.records(stage, plan.steps(stage)).values())


def sweep(store: Store, run_folder: str, older_than: float = DAY) -> int:
    """Remove half-written files, and attempts that no Record refers to; returns their number. On local disks only.

    Args:
        run_folder: path of the run's folder, which is swept too.
        older_than: in seconds since the last write; newer files may belong to another driver.
    """
    if not store.local:
        return 0
    before, count = time.time() - older_than, 0
    for path in [*_half_written(store.root, run_folder), *_orphans(store)]:
        with suppress(FileNotFoundError):  # by another driver
            if os.stat(path).st_mtime < before:
                store.fs.rm(path, recursive=True)
                count += 1
    return count


def _half_written(root: str, run_folder: str) -> Iterator[str]:
    """Temporary files in folders that many steps share, and among checkpoints."""
    folders = [root, run_folder, f"{run_folder}/samples"]
    folders += [f"{root}/{kind}/{stage}" for kind in ("records", "failures") for stage in STAGES]
    folders += [step for stage in STAGES for step in _within(f"{root}/scratch/{stage}")]
    for folder in folders:
        for path in _within(folder):
            name = os.path.basename(path)
            if name.startswith((".probe-", ".report.html.")) or (name.startswith(".") and name.endswith(".tmp")):
                yield path


def _orphans(store: Store) -> Iterator[str]:
    """Folders of attempts that failed, or were replaced by a later attempt."""
    for stage in STAGES:
        recorded = store.keys(stage)
        for step in _within(f"{store.root}/payload/{stage}"):
            attempts, key = _within(step), os.path.basename(step)
            if len(attempts) < 2 and key in recorded:
                continue
            try:
                named = store.record(stage, key).attempt
            except MissingRecord:
                named = ""
            yield from (path for path in attempts if os.path.basename(path) != named)


def _within(folder: str) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []
