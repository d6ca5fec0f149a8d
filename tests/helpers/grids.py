"""Grids for tests: one that takes a few seconds, and one as text."""

from __future__ import annotations

from typing import Any

from synaug_ray.config.load import validate_grid
from synaug_ray.config.spec import GridSpec
from synaug_ray.config.yaml_source import Lines

# columns of measurements.parquet that are identical in any two runs of the same grid
COMPARED = [
    "key",
    "status",
    "generator",
    "num_real",
    "num_synthetic",
    "draw",
    "seed",
    "test_error",
    "balanced_error",
    "test_nll",
    "val_error",
    "nimg",
]

# a grid as a user writes it
WRITTEN = """# a grid
dataset: digits
num_real: [20, 40, 80]
synthetic_multiples: [0, 1, 2.5]
real_share: [proportional, 0.5]
generators: [edm-tiny, jitter]
classifiers: [mlp]
draws: 3
seeds: 2
"""


def small_grid(**changes: Any) -> GridSpec:
    """A grid of a few seconds: 13 trials of a short MLP, one generator trained for a few steps."""
    edm = {"preset": "edm-tiny", "nimg": 640, "warmup_nimg": 64, "channels": [8, 16], "name": "edm"}
    mlp = {"preset": "mlp", "nimg": 3_200, "pack": 4, "name": "mlp"}
    values = {
        "dataset": "digits",
        "num_real": [20, 40],
        "synthetic_multiples": [0, 1],
        "generators": ["duplicate"],
        "classifiers": [mlp],
        "draws": 2,
        "seeds": 1,
        "replicates": 50,
        "quality_draws": 0,
        "training_check": {"draws": 0},
        "sampler": {"preset": "dpmpp-8", "steps": 3, "batch": 16, "shard_size": 32},
        "blocks": [{"num_real": [20], "generators": [edm], "draws": 1}],
    }
    return validate_grid(values | changes, Lines("small.yaml"))
