"""The folder of a finished run, made without training: measurements, status, samples and other files of an Analysis."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import pandas as pd
from helpers.synthetic_analysis import MULTIPLES, SIZES, real_error, wobble

from synaug_ray.analysis.results import (
    Analysis,
)


def png(width: int, height: int, shade: int) -> bytes:
    """A grey PNG, whose pixels differ so that no two sheets are alike."""
    rows = b"".join(b"\0" + bytes((shade + 3 * x * y) % 256 for x in range(width)) for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def make_measurements(analysis: Analysis) -> pd.DataFrame:
    rows = []
    for study in analysis.studies[:1]:
        for n in SIZES:
            for k in (0.0, *MULTIPLES):
                for draw in range(6):
                    done = not (n == 800 and draw == 5)
                    rows.append(
                        {
                            "key": f"{n}-{k}-{draw}",
                            "status": "done" if done else "failed",
                            "dataset": "digits",
                            "num_real": n,
                            "num_synthetic": int(n * k),
                            "synthetic_multiple": k,
                            "draw": draw,
                            "seed": 0,
                            "generator": study.generator if k else "none",
                            "classifier": "mlp",
                            "protocol": "mixed" if k else "real-only",
                            "real_share": "proportional" if k else "none",
                            "test_error": real_error(n) + 0.002 * wobble(n, k, draw) if done else float("nan"),
                            "seconds": 3.1,
                        }
                    )
    return pd.DataFrame(rows)


STATUS = {
    "run": "digits",
    "dataset": "digits",
    "state": "done",
    "updated": "2026-11-21T09:12:44Z",
    "started": "2026-11-21T09:04:01Z",
    "wall_seconds": 523.0,
    "busy_share": 0.83,
    "steps": {
        "generator": {"total": 60, "done": 60, "failed": 0, "blocked": 0, "pending": 0},
        "shard": {"total": 410, "done": 410, "failed": 0, "blocked": 0, "pending": 0},
        "trial": {"total": 180, "done": 174, "failed": 6, "blocked": 0, "pending": 0},
    },
    "failures": [
        {
            "stage": "trial",
            "key": "3f2a91c07be1d455",
            "cause": "diverged",
            "message": "loss is not finite at nimg 12,800",
            "attempts": 1,
        }
    ],
    "seconds": {"generator": 412.0, "shard": 96.5, "trial": 355.2},
    "cpu_seconds": {"generator": 401.0, "shard": 93.0, "trial": 349.9},
    "generators": [
        {
            "generator": "edm",
            "num_real": 50,
            "draw": d,
            "key": f"{d:016x}",
            "seconds": 6.5 + d,
            "nimg": 57600,
            "images_per_second_sampling": 905.0,
        }
        for d in range(6)
    ],
    "command": "python -m synaug_ray.grid digits --storage /data/synaug",
    "storage": "/data/synaug",
}


ENV = {
    "python": "3.11.9",
    "platform": "Linux-6.1-x86_64",
    "commit": "9c1f0e2",
    "device": "cpu",
    "threads": 1,
    "cores": 2,
    "packages": {"torch": "2.14.0", "ray": "2.60.0", "plotly": "7.1.0"},
}


CONTROLS = [
    {
        "control": "real-holdout",
        "classifier": "mlp",
        "protocol": "mixed",
        "real_share": "proportional",
        "expected": "about 1 held-out real image per real image",
        "quantity": "average exchange s/r",
        "observed": {"value": 1.0412, "low": 0.8329, "high": 1.3121},
        "passed": True,
        "sentence": "1.04 held-out real images are worth one real image; expected about 1.",
    },
    {
        "control": "duplicate",
        "classifier": "mlp",
        "protocol": "mixed",
        "real_share": "0.5",
        "expected": "no gain or loss beyond 1 points",
        "quantity": "largest gain or loss",
        "observed": {"value": 0.0041, "low": -0.0132, "high": 0.0204},
        "passed": None,
        "sentence": "Duplicated real images: at most +0.4 points; expected none.",
    },
]


AUDIT = {
    "dataset": "digits",
    "rows": [
        {"what": "images in both training and test set", "value": "0", "means": "errors are not flattered",
         "level": "ok"},
        {"what": "near-duplicates in training", "value": "14 of 1,197", "means": "n counts some images twice",
         "level": "note"},
        {"what": "patients in training and test", "value": "41", "means": "Test errors are too low.",
         "level": "warning"},
    ],
}  # fmt: skip


QUALITY = {
    "columns": ["generator", "num_real", "near-copies", "label fidelity"],
    "rows": [["edm", 50, {"value": 0.41, "low": 0.36, "high": 0.47}, 0.93], ["edm", 800, 0.02, None]],
    "warnings": ["edm at 50 real images copies 41 % of them: do not share its images."],
}


GRID = "dataset: digits\nnum_real: [50, 100, 200, 400, 800]\nsynthetic_multiples: [0, 0.5, 1, 2, 4, 8]\n"


def write_samples(folder: Path, generator: str = "edm", classes: list[str] | None = None) -> None:
    samples = folder / "samples"
    samples.mkdir(parents=True, exist_ok=True)
    for i, kind in enumerate(("real", "synthetic", "nearest")):
        (samples / f"{kind}.png").write_bytes(png(64, 80, 40 * i))
    (samples / "index.json").write_text(
        json.dumps(
            [
                {
                    "generator": generator,
                    "num_real": 50,
                    "draw": 0,
                    "classes": classes or [str(d) for d in range(10)],
                    "columns": 8,
                    "real": "real.png",
                    "synthetic": "synthetic.png",
                    "nearest": "nearest.png",
                }
            ]
        )
    )


def write_run(folder: Path, analysis: Analysis) -> Path:
    folder.mkdir(parents=True)
    (folder / "laws.json").write_text(json.dumps({**analysis.laws_json(), "controls": CONTROLS}))
    (folder / "verdict.json").write_text(json.dumps(analysis.verdict_json()))
    (folder / "status.json").write_text(json.dumps(STATUS))
    (folder / "env.json").write_text(json.dumps(ENV))
    (folder / "audit.json").write_text(json.dumps(AUDIT))
    (folder / "quality.json").write_text(json.dumps(QUALITY))
    (folder / "grid.yaml").write_text(GRID)
    make_measurements(analysis).to_csv(folder / "measurements.csv", index=False)
    write_samples(folder)
    return folder
