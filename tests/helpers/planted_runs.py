"""Folders of runs with planted numbers, as a run leaves them, for comparisons; made in milliseconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from synaug_ray.analysis.comparison.comparison_results import RunFiles

Estimate = dict[str, float | None]
NOTHING: dict[str, Any] = {}
SIZES, MULTIPLES = (100, 400), (1.0, 4.0)


def estimate(value: float | None, half: float | None = None) -> Estimate:
    ends = (None, None) if value is None or half is None else (value - half, value + half)
    return {"value": value, "low": ends[0], "high": ends[1]}


def planted_study(gain: float, half: float = 0.01, error: float = 0.2, **fields: Any) -> dict[str, Any]:
    """A study whose gain is ``gain`` at 4 synthetic images per real one and 400 real images, half as much elsewhere.

    A point of gain is worth 10 real images per 100; one more real image is worth 8 synthetic ones.
    """
    cells, exchange = [], []
    for n in SIZES:
        for m in MULTIPLES:
            g = gain if (n, m) == (400, 4.0) else gain / 2
            cells.append(
                {
                    "num_real": n,
                    "num_synthetic": int(n * m),
                    "synthetic_multiple": m,
                    "trials": 12,
                    "error": estimate(error - g, half),
                    "gain": estimate(g, half),
                    "gain_simultaneous": estimate(g, 2 * half),
                    "equivalent": estimate(10 * g * n, 10 * half * n),
                    "censoring": "none",
                    "held_out": False,
                }
            )
            exchange.append(
                {
                    "num_real": n,
                    "num_synthetic": int(n * m),
                    "marginal": estimate(8.0, 2.0),
                    "average": estimate(6.0, 2.0),
                    "reachable": True,
                    "limit": None,
                    "note": "",
                }
            )
    return {
        "classifier": "mlp",
        "generator": "edm",
        "protocol": "mixed",
        "real_share": "0.5",
        "family": "edm",
        "open_set": False,
        "cells": cells,
        "exchange": exchange,
        "fits": [],
        "chosen": None,
        "misfit": "",
        "surface": {"large": list(range(1000))},
        "primary": {
            "c2": estimate(3.0, 0.5),
            "lambda_per_image": estimate(0.001, 0.0005),
            "doubling": [],
            "status": "converged",
        },
    } | fields


def planted_run(
    folder: Path,
    gain: float = 0.02,
    half: float = 0.01,
    *,
    error: float = 0.2,
    classes: int = 10,
    studies: list[dict[str, Any]] | None = None,
    fidelity: str = "90%",
    leaky: str = "ok",
    state: str = "done",
    fingerprint: str = "",
    side: int = 28,
    laws: dict[str, Any] | None = NOTHING,
) -> Path:
    """Write a run; its name and its data set's are the folder's.

    Args:
        laws: fields of laws.json to replace; None leaves the file out.
    """
    folder.mkdir(parents=True)
    name = folder.name
    studies = [planted_study(gain, half, error)] if studies is None else studies
    points = [{"num_real": n, "error": estimate(error, half / 2)} for n in SIZES]
    told = {
        "error": "test_error",
        "confidence": 0.9,
        "delta": 0.01,
        "draws": 6,
        "seeds": 2,
        "test_images": 1000,
        "replicates": 100,
        "num_classes": classes,
        "warnings": [],
        "real": [
            {"classifier": c, "chosen": "power law", "fits": [], "points": points, "line": points}
            for c in {"mlp", *(s["classifier"] for s in studies)}
        ],
        "studies": studies,
        "controls": [],
        "forms": [],
        "published": [],
    } | (laws or {})
    verdicts = [
        {k: s[k] for k in ("classifier", "generator", "protocol", "real_share", "family", "open_set")}
        | {
            "num_real": n,
            "outcome": "helps" if gain > 2 * half else "hurts" if gain < -2 * half else "undecided",
            "best_multiple": 4.0,
            "gain": estimate(gain, 2 * half),
            "equivalent": estimate(10 * gain * n, 20 * half * n),
            "exchange": s["exchange"][-1] if s["exchange"] else None,
            "smallest_detectable_gain": 2 * half,
            "deciding_draws": 12,
            "deciding_seconds": 100.0,
            "sentence": "Planted.",
            "margin": 0.01,
            "classifier_saw": "",
        }
        for s in studies
        for n in SIZES
    ]
    status = {
        "run": name,
        "dataset": f"npz:/home/someone/secret/{name}.npz",
        "fingerprint": fingerprint or f"of {name}",
        "state": state,
        "steps": {"trial": {"total": 40, "done": 12 if state == "running" else 40}},
        "command": f"python -m synaug_ray.grid /home/someone/secret/{name}.yaml",
        "storage": "/home/someone/secret",
        "cpu_seconds": {"trial": 600.0},
    }
    rows = [{"what": "test images in train", "value": "7 exact, 0 near", "means": "patient-17.png", "level": leaky}]
    columns = ["generator", "real images seen", "found", "shows the requested class", "real images do", "near-copies"]
    quality = [[s["generator"], n, "ok", fidelity, "100%", "2.0%"] for s in studies for n in SIZES]
    files = {
        "laws": told,
        "verdict": {"headline": "Planted.", "confidence": 0.9, "delta": 0.01, "warnings": [], "verdicts": verdicts},
        "status": status,
        "audit": {"dataset": name, "rows": rows, "numbers": {"names": ["patient-17.png"], "shape": [1, side, side]}},
        "quality": {"columns": columns, "rows": quality, "warnings": ["patient-17.png"], "notes": []},
    }
    for file, content in files.items():
        if file == "laws" and laws is None:
            continue
        (folder / f"{file}.json").write_text(json.dumps(content))
    planted_trials(studies, status["dataset"], error).to_parquet(folder / "measurements.parquet")
    return folder


def planted_trials(studies: list[dict[str, Any]], dataset: str, error: float) -> pd.DataFrame:
    """Six draws and two seeds of each cell; their mean is the cell's, while each draw and seed has its own level."""
    cells = [("none", "real-only", "none", "mlp", n, 0, 0.0) for n in SIZES]
    for s in studies:
        cells += [
            (
                *(s[k] for k in ("generator", "protocol", "real_share", "classifier")),
                c["num_real"],
                c["num_synthetic"],
                g,
            )
            for c in s["cells"]
            if (g := c["gain"]["value"]) is not None
        ]
    columns = ["generator", "protocol", "real_share", "classifier", "num_real", "num_synthetic"]
    return pd.DataFrame(
        [
            dict(zip(columns, cell, strict=True))
            | {"key": f"{i}-{draw}-{seed}", "status": "done", "dataset": dataset, "draw": draw, "seed": seed}
            | {"test_error": error - gain * (1 + 0.2 * (draw - 2.5)) + 0.001 * draw + 0.002 * seed}
            for i, (*cell, gain) in enumerate(cells)
            for draw in range(6)
            for seed in range(2)
        ]
    )


GAINS = {"cells": 0.031, "digits": -0.004, "signs": 0.052, "tiles": 0.012, "textures": 0.024}


def planted_atlas(storage: Path) -> list[Path]:
    """Five data sets with different gains, classes, errors and fidelities; the gain goes with the error."""
    return [
        planted_run(
            storage / name,
            gain,
            0.008 + 0.002 * i,
            error=0.1 + 4 * gain,
            classes=2 + 3 * i,
            fidelity=f"{70 + 6 * i}%",
        )
        for i, (name, gain) in enumerate(GAINS.items())
    ]


def files_of(folder: Path) -> RunFiles:
    """What a comparison reads of a run, without its page."""
    read = {name: folder / f"{name}.json" for name in ("laws", "verdict", "audit", "quality", "status")}
    return RunFiles(
        name=folder.name,
        trials=pd.read_parquet(folder / "measurements.parquet"),
        **{name: json.loads(path.read_text()) if path.exists() else None for name, path in read.items()},
    )
