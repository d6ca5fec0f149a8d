"""Before a run: set damaged Records aside, and remove the leftovers of killed processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from synaug_ray.plan.plan import Plan
from synaug_ray.plan.steps import STAGES
from synaug_ray.store.store import CorruptPayload, MissingRecord, Record, Store

DAY = 86_400.0  # in seconds; no file is still being written then: writes take seconds, commits minutes


def check_records(plan: Plan, store: Store) -> None:
    """Read the Records of a plan's finished steps; damaged ones are set aside.

    On local disks only: remote storage checks its own files, and takes tens of milliseconds per Record.
    """
    for stage in STAGES if store.local else ():
        store.records(stage, plan.steps(stage))


def check_payloads(plan: Plan, store: Store) -> None:
    """The same for the payloads of trials and quality checks, which result tables are built from.

    Pools and generators are much larger; each is checked when it is needed.
    """

    def check(record: Record) -> None:
        with suppress(CorruptPayload):
            for name in record.files:
                store.read(record, name)

    for stage in ("quality", "trial"):
        store.each(check, store.records(stage, plan.steps(stage)).values())


def sweep(store: Store, run_folder: str, older_than: float = DAY) -> int:
    """Remove half-written files, and attempts that no Record names; returns their number. On local disks only.

    Args:
        run_folder: path of the run's folder, which is swept too.
        older_than: seconds since the last write; newer files may be another driver's.
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
    """Temporary files and markers in folders of many steps' files, and among checkpoints."""
    folders = [root, run_folder, f"{run_folder}/samples"]
    folders += [f"{root}/{kind}/{stage}" for kind in ("records", "failures") for stage in STAGES]
    folders += [step for stage in STAGES for step in _within(f"{root}/scratch/{stage}")]
    for folder in folders:
        for path in _within(folder):
            name = os.path.basename(path)
            if name.startswith((".probe-", ".report.html.")) or (name.startswith(".") and name.endswith(".tmp")):
                yield path


def _orphans(store: Store) -> Iterator[str]:
    """Folders of attempts that failed, or that a later attempt replaced."""
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
