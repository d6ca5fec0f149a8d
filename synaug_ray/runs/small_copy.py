"""A small copy of a run for others: the tables that comparisons are made from, without predictions, images or paths.

It is a run's folder like any other, of some 100 kB, so that it can be kept beside the code. What is left out:
predictions, samples, the page, what only figures need (fitted curves, surfaces), and what names the machine or files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from synaug_ray.report.run_view import RunView
from synaug_ray.store.run_folder import AUDIT, LAWS, MEASUREMENTS, QUALITY, STATUS, VERDICT, RunFolder

Json = Mapping[str, Any]
ONLY_FIGURES = {"": ("forms",), "studies": ("surface", "fits", "rivals"), "real": ("fits", "line")}
OF_STATUS = (
    "run",
    "data",
    "fingerprint",
    "judge",
    "test2",
    "cores",
    "state",
    "updated",
    "started",
    "steps",
    "missing",
    "wall_seconds",
    "seconds",
    "cpu_seconds",
)
PATHS = ("npz", "folder", "parquet", "wds")  # kinds of sources that are files


def write_small_copy(run: RunView, folder: RunFolder, name: str) -> None:
    """Write the copy of a run, which it calls ``name``, into ``folder``.

    Raises:
        StorageProblem: if it cannot be written.
    """
    dataset = without_path(str((run.status or {}).get("dataset") or ""))
    if run.measurements is not None:
        table = run.measurements
        if "dataset" in table:
            table = table.assign(dataset=[without_path(str(name)) for name in table["dataset"]])
        folder.write_parquet(MEASUREMENTS, table)
    status = None if run.status is None else {k: run.status[k] for k in OF_STATUS if k in run.status}
    kept = {
        STATUS: None if status is None else status | {"run": name, "dataset": dataset},
        LAWS: None if run.laws is None else _laws(run.laws),
        VERDICT: run.verdict,
        AUDIT: None if run.audit is None else _audit(run.audit),
        QUALITY: None if run.quality is None else {k: run.quality.get(k) for k in ("columns", "rows")},
    }
    for name, value in kept.items():
        if value is not None:
            folder.write(name, json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n")


def without_path(dataset: str) -> str:
    """``npz:/home/me/set.npz`` -> ``npz:set.npz``; names of other sources are unchanged."""
    kind, colon, rest = dataset.partition(":")
    if colon and kind in PATHS:
        return f"{kind}:{PurePosixPath(rest.rstrip('/')).name}"
    return dataset if colon or "/" not in dataset else PurePosixPath(dataset.rstrip("/")).name


def _laws(laws: Json) -> dict[str, Any]:
    kept = {k: v for k, v in laws.items() if k not in ONLY_FIGURES[""]}
    for name in ("studies", "real"):
        kept[name] = [{k: v for k, v in one.items() if k not in ONLY_FIGURES[name]} for one in kept.get(name) or ()]
    return kept


def _audit(audit: Json) -> dict[str, Any]:
    """What was found, and the form of the images, without their names."""
    rows = [{k: row.get(k) for k in ("what", "value", "level")} for row in audit.get("rows") or ()]
    shape = (audit.get("numbers") or {}).get("shape")
    return {"dataset": audit.get("dataset"), "rows": rows} | ({"numbers": {"shape": shape}} if shape else {})
